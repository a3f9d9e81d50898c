"""Nameservers: the address and the port of one, and those that the system is configured with."""

from __future__ import annotations

import logging
import re
import socket
from typing import NamedTuple

__all__ = ["DNS_PORT", "Nameserver", "system_nameservers"]

log = logging.getLogger("sipsimple.lookup")

DNS_PORT = 53
#: More are not used.
MAX_NAMESERVERS = 8

_ADDRESS = re.compile(
    r"\[(?P<bracketed>[^\[\]]+)\](:(?P<bracketed_port>[0-9]{1,5}))?|(?P<plain>[^:]+)(:(?P<port>[0-9]{1,5}))?|(?P<ipv6>.+)"
)


class Nameserver(NamedTuple):
    """An IP address and a port; as text 192.0.2.1, 192.0.2.1:5353, 2001:db8::1 or [2001:db8::1]:5353."""

    address: str
    port: int = DNS_PORT

    @classmethod
    def parse(cls, text: str) -> Nameserver:
        """What the text says. Raises ValueError if that is no IP address with or without a port."""
        match = _ADDRESS.fullmatch(text.strip())
        host = match and (match["bracketed"] or match["plain"] or match["ipv6"])
        if match is None or not host:
            raise ValueError(f"{text[:80]!r} is not the IP address of a nameserver")
        port = int(match["port"] or match["bracketed_port"] or DNS_PORT)
        if not 0 < port < 65536:
            raise ValueError(f"{text[:80]!r} has no port from 1 to 65535")
        return cls(_canonical(host, text), port)

    def __str__(self) -> str:
        if self.port == DNS_PORT:
            return self.address
        return f"[{self.address}]:{self.port}" if ":" in self.address else f"{self.address}:{self.port}"


def _canonical(host: str, text: str) -> str:
    """The address as the system writes it, with its zone (RFC 4007 11)."""
    address, percent, zone = host.partition("%")
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    try:
        if percent and (family == socket.AF_INET or not zone):
            raise ValueError(host)
        return socket.inet_ntop(family, socket.inet_pton(family, address)) + percent + zone
    except (OSError, ValueError):
        raise ValueError(f"{text[:80]!r} is not the IP address of a nameserver") from None


def system_nameservers() -> list[Nameserver]:
    """The nameservers that this machine is configured with, those first that come first; none where that is unknown."""
    import dns.exception
    import dns.resolver

    try:
        configured = dns.resolver.Resolver().nameservers
    except (dns.exception.DNSException, OSError, ValueError) as error:
        log.info("The system's nameservers are not known: %s", error)
        return []
    found: list[Nameserver] = []
    for item in configured[:MAX_NAMESERVERS]:
        try:
            found.append(Nameserver.parse(str(item)))
        except ValueError as error:
            log.warning("A nameserver of the system is left out: %s", error)
    return found
