"""The next hop: where a message goes to or came from (RFC 3261 18, RFC 3263 4)."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Hop"]


class Hop(NamedTuple):
    """One transport, one address, one port.

    :param transport: ``'udp'``, ``'tcp'`` or ``'tls'``, in lower case.
    :param host: an IPv4 or IPv6 address, without brackets. Names are resolved before a hop is made.
    :param port: 1 to 65535.
    """

    transport: str
    host: str
    port: int

    @property
    def reliable(self) -> bool:
        """Whether the transport retransmits by itself, so that the transactions need not (RFC 3261 17)."""
        return self.transport != "udp"

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.transport}:{host}:{self.port}"
