"""The next hop: where a message goes to or came from (RFC 3261 18, RFC 3263 4)."""

from __future__ import annotations

from ipaddress import ip_address
from typing import NamedTuple

__all__ = ["Hop", "UnreachableError"]


class UnreachableError(Exception):
    """There is no way to a hop: nothing at all was sent there, so that another way may be tried (RFC 3261 18.1.1)."""


class Hop(NamedTuple):
    """One transport, one address, one port, and over TLS the name of who is expected there.

    Two hops are equal if a connection with one may be used for the other: the same address under another name is
    another hop (RFC 5922 7.3).

    :param transport: ``'udp'``, ``'tcp'`` or ``'tls'``, in lower case.
    :param host: an IPv4 or IPv6 address, without brackets. Names are resolved before a hop is made.
    :param port: 1 to 65535.
    :param name: over TLS, the name that the certificate has to prove: the one that was resolved to the address
        (RFC 5922 7.3); None where the address itself was given. None over other transports.
    """

    transport: str
    host: str
    port: int
    name: str | None = None

    @property
    def reliable(self) -> bool:
        """Whether the transport retransmits by itself, so that the transactions need not (RFC 3261 17)."""
        return self.transport != "udp"

    def named(self, name: str | None) -> Hop:
        """The same hop with another name to prove; other transports than TLS prove none."""
        if self.transport != "tls" or not name:
            return self
        try:
            name = str(ip_address(name.strip("[]")))
        except ValueError:
            name = name.lower().rstrip(".")
        return Hop("tls", self.host, self.port, None if name == self.host else name)

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        address = f"{self.transport}:{host}:{self.port}"
        return address if self.name is None else f"{address} ({self.name})"
