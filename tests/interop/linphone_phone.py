"""Linphone, a phone with yet another stack, which also has speex and attended transfers: as a child process."""

from __future__ import annotations

import os
import re
import subprocess
import threading
from pathlib import Path

from .hearing import Ear, until, write_beeps

__all__ = ["LinphonePhone"]

CONFIG = """\
[sip]
sip_port={port}
sip_tcp_port={port}
sip_tls_port=0
bind_address=127.0.0.1
guess_hostname=0
use_ipv6=0
register_only_when_network_is_up=0
media_encryption=none
contact="phone" <sip:phone@127.0.0.1:{port}>
[rtp]
prefer_ipv6=0
audio_rtp_port={rtp_port}-{last_rtp_port}
[sound]
echocancellation=0
[misc]
auto_net_state_mon=0
store_friends=0
"""


class LinphonePhone:
    """It answers calls to `sip_port` by itself, and says a tone in them; `ear` is what it hears.

    :param codecs: those that it has, as "speex/16000"
    """

    def __init__(
        self, program: str, folder: Path, ports: tuple[int, int], codecs: tuple[str, ...], tone: float
    ) -> None:
        self.folder = folder
        self.sip_port, rtp_port = ports
        for name in (".local/share/linphone", ".config/linphone"):  # it does not make them
            (folder / name).mkdir(parents=True)
        (folder / "linphonerc").write_text(
            CONFIG.format(port=self.sip_port, rtp_port=rtp_port, last_rtp_port=rtp_port + 99)
        )
        write_beeps(folder / "tone.wav", tone, 0.4, 0.3, 16000)
        self.ear = Ear(lambda: folder.glob("heard.wav"), int(codecs[0].partition("/")[2]))
        environment = {**os.environ, "HOME": str(folder), "TERM": "dumb", "LANG": "C.UTF-8"}
        environment.pop("DISPLAY", None)
        self.process = subprocess.Popen(
            [program, "-c", str(folder / "linphonerc"), "-a", "-d", "6", "-l", str(folder / "log")],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=environment, cwd=folder,
        )  # fmt: skip
        self.output = ""
        threading.Thread(target=self._read, daemon=True).start()
        until(lambda: "linphonec>" in self.output, "linphone does not start")
        self.command("soundcard use files")
        self.command(f"play {folder}/tone.wav")
        self.command(f"record {folder}/heard.wav")
        self._use(codecs)

    def _use(self, codecs: tuple[str, ...]) -> None:
        self.command("codec disable all")
        begin = len(self.output)
        self.command("codec list")
        until(lambda: "L16 (44100)" in self.output[begin:], "linphone lists no codecs")
        for number, name, rate in re.findall(r"(\d+): (\S+) \((\d+)\)", self.output[begin:]):
            if f"{name}/{rate}" in codecs:
                self.command(f"codec enable {number}")

    def _read(self) -> None:
        assert self.process.stdout is not None
        while data := os.read(self.process.stdout.fileno(), 65536):
            self.output += data.decode(errors="replace")

    def command(self, text: str) -> None:
        """What would be typed at its prompt."""
        assert self.process.stdin is not None
        self.process.stdin.write(text.encode() + b"\n")
        self.process.stdin.flush()

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
