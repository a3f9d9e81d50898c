"""Real peers as child processes. One that is not installed is a skip that says how to install it; in CI a failure."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from .baresip_phone import TONE, BaresipPhone
from .kamailio_server import Kamailio

TIMEOUT = 20

#: The program of each peer, and what installs it.
PEERS = {
    "baresip": "apt-get install --no-install-recommends baresip-core",
    "linphonec": "apt-get install --no-install-recommends linphone-cli",
    "pulseaudio": "apt-get install --no-install-recommends pulseaudio",
    "pactl": "apt-get install --no-install-recommends pulseaudio-utils",
    "turnserver": "apt-get install --no-install-recommends coturn",
    "nsd": "apt-get install --no-install-recommends nsd",
    "sipp": "apt-get install --no-install-recommends sip-tester",
    "kamailio": "apt-get install --no-install-recommends kamailio kamailio-tls-modules kamailio-presence-modules "
    "kamailio-outbound-modules kamailio-websocket-modules",
}


def require(program: str) -> str:
    """The path of a peer's program; the test is skipped (in CI: failed) where there is none."""
    path = shutil.which(program)
    if path is None:
        reason = f"{program} is not installed: {PEERS[program]}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return path


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Sipp:
    """Runs scenarios; each runs in a process of its own, on a port of its own."""

    def __init__(self, folder: Path) -> None:
        self.program = require("sipp")
        self.folder = folder
        self.running: list[Run] = []

    def start(self, scenario: str, target: int | None = None, calls: int = 1) -> Run:
        """Starts a scenario (its XML); `target` is the port that is called, None for one that waits for calls."""
        port = free_port()
        path = self.folder / f"scenario-{len(self.running)}.xml"
        path.write_text(scenario, encoding="utf-8")
        command = [
            *(
                self.program,
                "-sf",
                str(path),
                "-i",
                "127.0.0.1",
                "-p",
                str(port),
                "-mp",
                str(two_ports()),
                "-m",
                str(calls),
                "-r",
                "100",
                "-nostdin",
            ),
            *("-timeout", str(TIMEOUT), "-timeout_error", "-trace_err", "-error_file", str(path.with_suffix(".err"))),
            *([f"127.0.0.1:{target}"] if target is not None else []),
        ]
        run = Run(
            subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=self.folder), port, path
        )
        self.running.append(run)
        return run

    def kill(self) -> None:
        for run in self.running:
            run.process.kill()
            run.process.wait()


class Run:
    def __init__(self, process: subprocess.Popen[bytes], port: int, path: Path) -> None:
        self.process = process
        self.port = port
        self.path = path

    def finish(self) -> None:
        """Waits for the scenario's end; fails with what sipp complained about when a call failed."""
        _, errors = self.process.communicate(timeout=2 * TIMEOUT)
        if self.process.returncode != 0:
            details = self.path.with_suffix(".err")
            complaint = details.read_text(errors="replace") if details.exists() else ""
            pytest.fail(f"sipp failed with {self.process.returncode}\n{complaint}\n{errors.decode(errors='replace')}")


@pytest.fixture
def sipp(tmp_path: Path) -> Iterator[Sipp]:
    sipp = Sipp(tmp_path)
    yield sipp
    sipp.kill()


@pytest.fixture(scope="session")
def kamailio_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Kamailio]:
    server = Kamailio(require("kamailio"), tmp_path_factory.mktemp("kamailio"))
    server.start()
    yield server
    server.stop()


class Stack:
    """The engine alone, without sessions: incoming calls go to `answer`, in the reactor thread."""

    def __init__(self) -> None:
        from sipsimple.notification import NotificationCenter
        from sipsimple.testing import NotificationRecorder

        self.recorder = NotificationRecorder()
        self.answer: Callable[[Any], None] = lambda invitation: None
        self.on_proposal: Callable[[Any], None] = lambda invitation: None
        self.incoming: list[Any] = []
        self.port = 0
        NotificationCenter().add_observer(self, name="SIPInvitationChangedState")

    def handle_notification(self, notification: Any) -> None:
        data = notification.data
        if data.state == "incoming" and data.prev_state is None:
            self.incoming.append(notification.sender)
            self.answer(notification.sender)
        elif data.sub_state == "received_proposal" and data.prev_sub_state != "received_proposal":
            self.on_proposal(notification.sender)

    def start(self, **options: Any) -> None:
        from sipsimple.core import Engine
        from sipsimple.realm import current_realm
        from sipsimple.threading import start_reactor_thread

        start_reactor_thread(current_realm())
        self.engine = Engine()
        self.run(self.engine.start, ip_address="127.0.0.1", udp_port=0, tcp_port=0, trace_sip=True, **options)
        self.port = self.run(self.engine.local_address, "udp", "127.0.0.1")[1]

    def stop(self) -> None:
        stopped = threading.Event()
        self.run(lambda: self.engine.stop().addBoth(lambda _: stopped.set()) and None)
        assert stopped.wait(TIMEOUT)

    def run(self, function: Callable[..., Any], *args: Any, **kwargs: Any) -> Any:
        """Calls a function in the reactor thread and returns what it returns, or raises what it raises."""
        from twisted.internet.threads import blockingCallFromThread

        from sipsimple.realm import current_realm

        return blockingCallFromThread(current_realm().reactor, function, *args, **kwargs)

    def sdp(self, *media: str) -> Any:
        from sipsimple.testing.parties import sdp

        return sdp("127.0.0.1", *(media or ("audio 4000 RTP/AVP 8",)))

    def call(self, port: int, user: str = "bob", offer: bool = True, **options: Any) -> Any:
        """An Invitation to a user on this machine; what it does is in the recorder."""
        from sipsimple.core import SIPURI, ContactHeader, FromHeader, Invitation, RouteHeader, ToHeader

        invitation = self.run(Invitation)
        ours = SIPURI("127.0.0.1", user="alice", port=self.port)
        theirs = SIPURI("127.0.0.1", user=user, port=port)
        route = RouteHeader(SIPURI("127.0.0.1", port=port))
        headers = FromHeader(ours), ToHeader(theirs), route, ContactHeader(ours)
        self.run(invitation.send_invite, theirs, *headers, self.sdp() if offer else None, **options)
        return invitation

    def wait(self, invitation: Any, state: str) -> Any:
        return self.recorder.wait_for("SIPInvitationChangedState", invitation, TIMEOUT, state=state).data

    def wait_for_sdp(self, invitation: Any, **fields: Any) -> Any:
        return self.recorder.wait_for("SIPInvitationGotSDPUpdate", invitation, TIMEOUT, **fields).data

    def states(self, invitation: Any) -> list[str]:
        changes = self.recorder.find_all("SIPInvitationChangedState", invitation)
        return [change.data.state for change in changes]

    def sent(self, what: str) -> int:
        """How often we sent a request ('ACK') or a response to it ('200 INVITE')."""
        code, _, method = what.rpartition(" ")
        traces = [trace.data.data for trace in self.recorder.find_all("SIPEngineSIPTrace", received=False)]
        if not code:
            return sum(trace.startswith(f"{method} ") for trace in traces)
        return sum(trace.startswith(f"SIP/2.0 {code} ") and f" {method}\r\n" in trace for trace in traces)

    def assert_nothing_left(self) -> None:
        assert self.run(lambda: self.engine.core.dialogs) == 0


@pytest.fixture
def stack() -> Iterator[Stack]:
    stack = Stack()
    stack.start()
    yield stack
    stack.stop()


@pytest.fixture
def phone(tmp_path: Path) -> Iterator[Callable[..., BaresipPhone]]:
    phones: list[BaresipPhone] = []

    def start(
        parameters: str = "", rate: int = 8000, tone: float = TONE, server: Kamailio | None = None,
        address: str = "127.0.0.1",
    ) -> BaresipPhone:  # fmt: skip
        ports = (two_ports(), two_ports(), 20000 + 2 * (free_port() % 10000))
        folder = tmp_path / f"phone{len(phones)}"
        phones.append(BaresipPhone(require("baresip"), folder, ports, parameters, rate, tone, server, address))
        return phones[-1]

    yield start
    for phone in phones:
        phone.stop()


@pytest.fixture
def address() -> str:
    """One of this machine's that is no loopback address, which are no ICE candidates (RFC 8445 5.1.1.1)."""
    from sipsimple.realm import current_realm

    address = current_realm().local_ip_towards("192.0.2.1")
    if address.startswith("127."):
        pytest.skip("this machine has no address but the loopback one")
    return address


def two_ports() -> int:
    """A port that is free, as is the next one (which baresip takes for TLS), for UDP and TCP."""
    while True:
        port = 10000 + free_port() % 10000
        try:
            for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                for number in (port, port + 1):
                    with socket.socket(socket.AF_INET, kind) as probe:
                        probe.bind(("127.0.0.1", number))
            return port
        except OSError:
            continue
