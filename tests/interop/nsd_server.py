"""NSD as a child process: an authoritative nameserver with zones of a test, on a port of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

START_TIMEOUT = 15.0
STOP_TIMEOUT = 5.0
#: How many ports are tried: one that was free may be so no longer.
ATTEMPTS = 3

CONFIGURATION = """server:
  server-count: 1
  rrl-ratelimit: 0
  username: ""
  chroot: ""
  zonesdir: "{folder}"
  database: ""
  pidfile: "{folder}/nsd.pid"
  xfrdfile: "{folder}/xfrd.state"
  xfrdir: "{folder}"
  zonelistfile: "{folder}/zone.list"
  logfile: "{folder}/nsd.log"
remote-control:
  control-enable: no
"""

#: What it is asked to see whether it is ready: a query for the SOA record of the root.
_PROBE = b"\x12\x34\x00\x00\x00\x01\x00\x00\x00\x00\x00\x00\x00\x00\x06\x00\x01"


def free_port(addresses: Sequence[str]) -> int:
    """A port that is free for UDP and TCP at all these addresses."""
    for _ in range(100):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind((addresses[0], 0))
            port: int = probe.getsockname()[1]
        try:
            for address in addresses:
                for kind in (socket.SOCK_DGRAM, socket.SOCK_STREAM):
                    with socket.socket(socket.AF_INET, kind) as probe:
                        probe.bind((address, port))
        except OSError:
            continue
        return port
    raise AssertionError("no port is free")


class Nsd:
    """One server at an address of this machine; `server` is what a setting of nameservers takes.

    :param zones: the records of each zone, as in a zone file; None for one that it fails to load (SERVFAIL)
    :param port: by default a free one, of which others are tried if it is free no longer at `start`
    """

    def __init__(
        self, program: str, folder: Path, zones: Mapping[str, str | None], address: str = "127.0.0.1",
        port: int | None = None,
    ) -> None:  # fmt: skip
        self.program = program
        self.folder = folder
        self.address = address
        self.port = 0
        self.server = ""
        self._zones = zones
        self._any_port = port is None
        self._process: subprocess.Popen[bytes] | None = None
        self._configure(free_port([address]) if port is None else port)

    def _configure(self, port: int) -> None:
        self.port = port
        self.server = f"{self.address}:{port}"
        self.folder.mkdir(parents=True, exist_ok=True)
        lines = [CONFIGURATION.format(folder=self.folder)]
        for number, (origin, records) in enumerate(self._zones.items()):
            file = self.folder / f"{number}.zone"
            if records is not None:
                file.write_text(f"$ORIGIN {origin.rstrip('.')}.\n$TTL 300\n{records}\n")
            lines.append(f'zone:\n  name: "{origin}"\n  zonefile: "{file.name}"\n')
        at = f"server:\n  ip-address: {self.address}@{port}\n"
        (self.folder / "nsd.conf").write_text("".join(lines).replace("server:\n", at, 1))

    def start(self) -> None:
        """Returns when it answers. Raises AssertionError when it does not."""
        for _ in range(ATTEMPTS - 1 if self._any_port else 0):
            try:
                self._start()
            except AssertionError:
                self._configure(free_port([self.address]))
            else:
                return
        self._start()

    def _start(self) -> None:
        command = [self.program, "-d", "-c", str(self.folder / "nsd.conf")]
        log = (self.folder / "output.log").open("ab")
        self._process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        deadline = time.monotonic() + START_TIMEOUT
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((self.address, self.port))
            probe.settimeout(0.1)
            while time.monotonic() < deadline and self._process.poll() is None:
                try:
                    probe.send(_PROBE)
                    if probe.recv(512):
                        return
                except OSError:
                    time.sleep(0.02)
        self.stop()
        logs = [file.read_text(errors="replace") for file in self.folder.glob("*.log")]
        raise AssertionError("NSD did not start:\n" + "\n".join(logs)[-4000:])

    def silence(self) -> None:
        """It is there, and says nothing, until `speak`."""
        self._signal(signal.SIGSTOP)

    def speak(self) -> None:
        self._signal(signal.SIGCONT)

    def _signal(self, number: int) -> None:
        assert self._process is not None
        os.killpg(self._process.pid, number)

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        os.killpg(process.pid, signal.SIGCONT)
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
