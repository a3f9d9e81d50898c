"""Kamailio as a child process: registrar, proxy and presence server, on ports of its own."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

from .certificates import Authority

HERE = Path(__file__).parent
ADDRESS = "127.0.0.1"
ADDRESS_IPV6 = "::1"
REALM = "test.example"
USERS = {"alice": "apass", "bob": "bpass"}

#: The tables of its text database that the configuration uses.
TABLES = ("version", "subscriber", "presentity", "active_watchers", "watchers", "pua", "xcap")
TABLES += ("rls_presentity", "rls_watchers")
DB_TEMPLATES = Path("/usr/share/kamailio/dbtext/kamailio")

START_TIMEOUT = 15.0
STOP_TIMEOUT = 3.0

TLS_CONFIGURATION = """[server:default]
method = TLSv1.2+
verify_certificate = no
require_certificate = no
private_key = {key}
certificate = {certificate}
[client:default]
method = TLSv1.2+
verify_certificate = no
require_certificate = no
"""


def free_port(kind: int = socket.SOCK_STREAM) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind((ADDRESS, 0))
        port: int = probe.getsockname()[1]
        return port


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind((ADDRESS_IPV6, 0))
    except OSError:
        return False
    return True


class Kamailio:
    """One server. `port` serves UDP and TCP, `tls_port` TLS with the certificate of `use_certificate`.

    It listens on IPv4 and, where the machine has it (`ipv6`), on the loopback address of IPv6.
    """

    def __init__(self, program: str, folder: Path, users: dict[str, str] | None = None) -> None:
        self.program = program
        self.folder = folder
        self.users = USERS if users is None else users
        self.ipv6 = has_ipv6()
        self.port = free_port()
        self.tls_port = free_port()
        self.authority = Authority.make(folder)
        self._process: subprocess.Popen[bytes] | None = None
        self.use_certificate("server", REALM, ADDRESS, f"sip:{REALM}")
        self._configure()

    def use_certificate(self, name: str, *names: str, expired: bool = False, self_signed: bool = False) -> None:
        """What it presents over TLS from its next start on."""
        certificate, key = self.authority.issue(name, *names, expired=expired, self_signed=self_signed)
        (self.folder / "tls.cfg").write_text(TLS_CONFIGURATION.format(certificate=certificate, key=key))

    def _configure(self) -> None:
        text = (HERE / "kamailio" / "kamailio.cfg.in").read_text()
        # "@@IP@" is an at sign before the place holder
        values = {"IP": ADDRESS, "SIP": str(self.port), "TLS": str(self.tls_port), "REALM": REALM}
        values |= {"RUN": str(self.folder), "CA": str(self.folder)}
        for name, value in values.items():
            text = text.replace(f"@{name}@", value)
        lines = [line for line in text.splitlines() if self.ipv6 or "[::1]" not in line]
        (self.folder / "kamailio.cfg").write_text("\n".join(lines) + "\n")

    def _forget(self) -> None:
        """A fresh database: it could not load what it has saved of presence."""
        shutil.rmtree(self.folder / "db", ignore_errors=True)
        (self.folder / "db").mkdir()
        for table in TABLES:
            shutil.copy(DB_TEMPLATES / table, self.folder / "db")
        with (self.folder / "db" / "subscriber").open("a") as subscribers:
            for number, (user, password) in enumerate(self.users.items(), 1):
                subscribers.write(f"{number}:{user}:{REALM}:{password}:x:x\n")

    def start(self) -> None:
        """Starts it, with nothing that it knew before but its users; returns when it answers."""
        self._forget()
        log = (self.folder / "kamailio.log").open("ab")
        command = [
            *(self.program, "-DD", "-E", "-m", "64", "-M", "8", "-f", str(self.folder / "kamailio.cfg")),
            *("-Y", str(self.folder), "-P", str(self.folder / "kamailio.pid"), "-w", str(self.folder)),
        ]
        self._process = subprocess.Popen(command, stdout=log, stderr=log, start_new_session=True)
        self._wait_until_ready()

    def _wait_until_ready(self) -> None:
        assert self._process is not None
        deadline = time.monotonic() + START_TIMEOUT
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.connect((ADDRESS, self.port))
            probe.settimeout(0.2)
            host, port = probe.getsockname()
            request = (
                f"OPTIONS sip:{ADDRESS}:{self.port} SIP/2.0\r\nVia: SIP/2.0/UDP {host}:{port};branch=z9hG4bKready\r\n"
                f"Max-Forwards: 70\r\nFrom: <sip:ready@{host}>;tag=1\r\nTo: <sip:{ADDRESS}>\r\nCall-ID: ready\r\n"
                "CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
            ).encode()
            while time.monotonic() < deadline and self._process.poll() is None:
                try:
                    probe.send(request)
                    if probe.recv(65536).startswith(b"SIP/2.0 200"):
                        return
                except OSError:
                    continue
        self.stop()
        raise AssertionError("Kamailio did not start:\n" + (self.folder / "kamailio.log").read_text()[-4000:])

    def stop(self) -> None:
        process, self._process = self._process, None
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            process.wait(STOP_TIMEOUT)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def silence(self) -> None:
        """It is there, and says nothing, until `speak`."""
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGSTOP)

    def speak(self) -> None:
        assert self._process is not None
        os.killpg(self._process.pid, signal.SIGCONT)

    def restart(self) -> None:
        self.stop()
        self.start()
