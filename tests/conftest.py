"""Fixtures for what crosses packages: an application in this process, the echo bot in another, real sockets between."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TIMEOUT = 20


@pytest.fixture
def application() -> Iterator[Application]:
    application = Application()
    application.start()
    yield application
    application.stop()


@pytest.fixture
def echo_bot(application: Application) -> Iterator[EchoBot]:
    bot = EchoBot()
    yield bot
    application.stop()  # first, as a BYE that nobody answers takes its time
    bot.kill()


class EchoBot:
    """`examples/echo_bot.py`, as it stands in the README, in a process of its own."""

    def __init__(self) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-u", str(ROOT / "examples" / "echo_bot.py")],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.errors: str | None = None
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line.startswith("Call me: sip:echo@127.0.0.1:"), line
        self.port = int(line.rpartition(":")[2])

    def kill(self) -> str:
        """Ends it at once, without a word to its peers; returns what it wrote to its standard error."""
        self.process.kill()
        if self.errors is None:
            self.errors = self.process.communicate(timeout=TIMEOUT)[1]
        return self.errors


class Application:
    """The application of this process, on 127.0.0.1, with an account that needs no server."""

    def __init__(self) -> None:
        from sipsimple.application import SIPApplication
        from sipsimple.testing import NotificationRecorder

        self.application = SIPApplication()
        self.recorder = NotificationRecorder()
        self.port = 0

    def start(self) -> None:
        from sipsimple.account import Account
        from sipsimple.configuration.settings import SIPSimpleSettings
        from sipsimple.notification import NotificationCenter, NotificationDispatcher
        from sipsimple.storage import MemoryStorage

        class Configure(NotificationDispatcher):
            def _NH_SIPApplicationWillStart(self, notification: object) -> None:
                settings = SIPSimpleSettings()
                settings.sip.transport_list = ["udp"]
                settings.logs.trace_sip = True
                settings.save()

        NotificationCenter().add_observer(Configure(), name="SIPApplicationWillStart")
        self.application.start(MemoryStorage())
        self.recorder.wait_for("SIPApplicationDidStart", timeout=TIMEOUT)
        account = self.account = Account("alice@127.0.0.1")
        account.registration.enabled = False
        account.msrp.transport = "tcp"
        account.enabled = True
        account.save()

    def stop(self) -> None:
        if self.application.running:
            self.application.stop()
            self.recorder.wait_for("SIPApplicationDidEnd", timeout=TIMEOUT)

    @property
    def sip_port(self) -> int:
        from sipsimple.core import Engine

        port: int = Engine().local_address("udp", "127.0.0.1")[1]
        return port

    def call(self, port: int, user: str = "echo"):
        """A session with a chat stream to a user agent on this machine, and the stream; started when this returns."""
        from sipsimple.core import SIPURI, ToHeader
        from sipsimple.session import Session
        from sipsimple.streams import ChatStream
        from sipsimple.util import Route

        session, stream = Session(self.account), ChatStream(self.account)
        to_header = ToHeader(SIPURI(user=user, host="127.0.0.1", port=port))
        session.connect(to_header, [Route("127.0.0.1", port, "udp")], [stream])
        self.recorder.wait_for("SIPSessionDidStart", session, TIMEOUT)
        return session, stream

    def chat(self, stream, text: str) -> None:
        """Says something to the echo bot; returns when it was confirmed and came back."""
        message_id = stream.send_message(text)
        recorder = self.recorder
        recorder.wait_for("ChatStreamDidDeliverMessage", stream, TIMEOUT, message_id=message_id)
        recorder.wait_until(
            lambda: any(
                heard.data.message.content == text for heard in recorder.find_all("ChatStreamGotMessage", stream)
            ),
            TIMEOUT,
            f"{text!r} did not come back",
        )
