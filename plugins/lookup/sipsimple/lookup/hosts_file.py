"""The system's file of hosts (hosts(5)), which knows names that no nameserver does."""

from __future__ import annotations

import os

from twisted.names.hosts import searchFileForAll
from twisted.python.filepath import FilePath

__all__ = ["HostsFile"]

PATH = r"C:\Windows\System32\drivers\etc\hosts" if os.name == "nt" else "/etc/hosts"
MAX_KNOWN = 1000


class HostsFile:
    """The file of hosts (hosts(5)). It is read again when it has changed."""

    def __init__(self, path: str = PATH) -> None:
        self.path = path
        self._stamp: tuple[float, int] | None = None
        self._known: dict[str, list[str]] = {}

    def addresses(self, host: str) -> list[str]:
        """What it says of a host, nothing if it does not know it; `localhost` is always this machine (RFC 6761)."""
        try:
            status = os.stat(self.path)
            stamp = (status.st_mtime, status.st_size)
        except OSError:
            stamp = None
        if stamp != self._stamp:
            self._stamp = stamp
            self._known.clear()
        known = self._known.get(host)
        if known is None:
            known = searchFileForAll(FilePath(self.path), host.encode("utf-8", "replace")) if stamp else []
            known = [address for address in known if "%" not in address]  # of no use to who does not know the interface
            if not known and (host == "localhost" or host.endswith(".localhost")):
                known = ["127.0.0.1", "::1"]
            if len(self._known) < MAX_KNOWN:
                self._known[host] = known
        return known
