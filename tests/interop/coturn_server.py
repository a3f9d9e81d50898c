"""coturn, a STUN and TURN server, as a child process on ports of its own."""

from __future__ import annotations

import socket
import subprocess
import time
from pathlib import Path

from sipsimple.core.transport.stun import binding_request

CONFIG = """\
listening-ip={address}
relay-ip={address}
listening-port={port}
min-port={first}
max-port={last}
lt-cred-mech
user={user}:{password}
realm=test.example
fingerprint
no-cli
no-tls
no-dtls
pidfile={folder}/pid
userdb={folder}/turndb
log-file=stdout
simple-log
"""

START_TIMEOUT = 15.0
RELAYED = 100  # ports


class Coturn:
    """It listens on `address`:`port`, and relays from the ports `relayed` of that address."""

    user, password = "alice", "apass"

    def __init__(self, program: str, folder: Path, address: str, port: int) -> None:
        self.address, self.port = address, port
        first = 20000 + port % 20000
        self.relayed = range(first, first + RELAYED)
        configuration = folder / "turnserver.conf"
        configuration.write_text(
            CONFIG.format(
                address=address, port=port, first=first, last=self.relayed[-1], user=self.user,
                password=self.password, folder=folder,
            )
        )  # fmt: skip
        self._log = folder / "log"
        with self._log.open("wb") as log:
            self.process = subprocess.Popen(
                [program, "-c", str(configuration)], stdin=subprocess.DEVNULL, stdout=log, stderr=log, cwd=folder
            )
        self._wait()

    def _wait(self) -> None:
        """Until a Binding request is answered over UDP, and a connection is taken over TCP."""
        end = time.monotonic() + START_TIMEOUT
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.settimeout(0.1)
            while True:
                assert self.process.poll() is None and time.monotonic() < end, self._log.read_text(errors="replace")
                try:
                    probe.sendto(binding_request()[0], (self.address, self.port))
                    probe.recv(2000)
                    socket.create_connection((self.address, self.port), 1).close()
                    return
                except OSError:
                    continue

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
