"""baresip, a phone with another stack: as a child process, driven over its control socket; it records what it hears."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
from pathlib import Path
from typing import Any

from .hearing import Ear, until, write_beeps
from .kamailio_server import REALM, USERS, Kamailio

TIMEOUT = 30.0
MODULES = Path("/usr/lib/baresip/modules")
LOOP = "aubridge,loop"
TONE = 500.0  # Hz, what a phone says

CONFIG = """\
poll_method epoll
sip_listen {address}:{sip_port}
call_local_timeout 120
statmode_default off
call_max_calls 8
net_interface {address}
prefer_ipv6 no
audio_player aubridge,loop
audio_source aufile,{folder}/tone.wav
audio_alert aubridge,nowhere
ausrc_srate {rate}
auplay_srate {rate}
ausrc_channels 1
auplay_channels 1
audio_txmode poll
audio_level no
audio_buffer 20-160
rtp_ports {rtp_port}-{last_rtp_port}
rtcp_mux no
jitter_buffer_type fixed
jitter_buffer_delay 1-10
module_path {modules}
module g711.so
module g722.so
module gsm.so
module aubridge.so
module aufile.so
module stun.so
module ice.so
module srtp.so
module sndfile.so
module_tmp uuid.so
module_tmp account.so
module_app contact.so
module_app menu.so
module_app ctrl_tcp.so
ctrl_tcp_listen 127.0.0.1:{control_port}
snd_path {folder}/rec
"""


class BaresipPhone:
    """It answers calls to `sip_port` by itself, and says a tone in them; `ear` is what it hears.

    With a `server` it is bob, and registers there over TLS.
    A re-INVITE takes the recorder out of the call (in baresip 1.0): then `echo` shows what it hears.
    """

    def __init__(
        self, program: str, folder: Path, ports: tuple[int, int, int], parameters: str, rate: int, tone: float,
        server: Kamailio | None = None, address: str = "127.0.0.1",
    ) -> None:  # fmt: skip
        self.folder = folder
        self.address = address
        self.sip_port, control_port, rtp_port = ports
        (folder / "rec").mkdir(parents=True)
        self._tone = folder / "tone.wav"
        write_beeps(self._tone, tone, 0.4, 0.3, rate)
        self.ear = Ear(lambda: (folder / "rec").glob("*-dec.wav"))
        (folder / "config").write_text(
            CONFIG.format(
                folder=folder, address=address, sip_port=self.sip_port, control_port=control_port, rtp_port=rtp_port,
                last_rtp_port=rtp_port + 99, rate=rate, modules=MODULES,
            )
        )  # fmt: skip
        if server is None:
            account = f"<sip:phone@{address}:{self.sip_port};transport=udp>;regint=0"
        else:
            proxy = f"sip:127.0.0.1:{server.tls_port};transport=tls"
            account = f'<sip:bob@{REALM};transport=tls>;auth_pass={USERS["bob"]};outbound="{proxy}";regint=60'
            pair = server.authority.issue("bob", "127.0.0.1")
            (folder / "bob.pem").write_bytes(b"".join(path.read_bytes() for path in pair))
            with (folder / "config").open("a") as config:
                config.write(f"sip_cafile {server.authority.ca_list}\nsip_certificate {folder}/bob.pem\n")
        (folder / "accounts").write_text(f"{account};answermode=auto;ptime=20{parameters}\n")
        (folder / "contacts").touch()
        self._log = (folder / "log").open("wb")
        self.process = subprocess.Popen(
            [program, "-f", str(folder)], stdin=subprocess.DEVNULL, stdout=self._log, stderr=self._log
        )
        self._control = self._connect(control_port)
        self._buffer = b""

    def _connect(self, port: int) -> socket.socket:
        connections: list[socket.socket] = []

        def listens() -> bool:
            assert self.process.poll() is None, self.log
            with contextlib.suppress(OSError):
                connections.append(socket.create_connection(("127.0.0.1", port), TIMEOUT))
            return bool(connections)

        until(listens, "baresip does not listen")
        return connections[0]

    @property
    def log(self) -> str:
        return (self.folder / "log").read_text(errors="replace")

    def command(self, command: str, parameters: str = "") -> dict[str, Any]:
        """Have it do something; returns its response."""
        request = json.dumps({"command": command, "params": parameters, "token": "t"}).encode()
        self._control.sendall(b"%d:%s," % (len(request), request))
        while not (message := self._message()).get("response"):
            pass
        return message

    def say_tone(self) -> None:
        """Say the tone again, after `echo`."""
        assert self.command("ausrc", f"aufile,{self._tone}")["ok"], self.log

    def echo(self) -> None:
        """Say what it hears from now on, until the next re-INVITE."""
        self.say_tone()  # as the loop has to be opened anew, from its beginning to its end
        for command in ("auplay", "ausrc"):
            assert self.command(command, LOOP)["ok"], self.log

    def wait_for(self, event: str) -> dict[str, Any]:
        while True:
            message = self._message()
            if message.get("event") and message.get("type") == event:
                return message

    def _message(self) -> dict[str, Any]:
        while True:
            length, colon, rest = self._buffer.partition(b":")
            if colon and len(rest) > int(length):
                self._buffer = rest[int(length) + 1 :]
                message: dict[str, Any] = json.loads(rest[: int(length)])
                return message
            data = self._control.recv(65536)
            assert data, "baresip closed the control connection"
            self._buffer += data

    def stop(self) -> None:
        if self._log.closed:
            return
        self._control.close()
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._log.close()
