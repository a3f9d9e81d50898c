"""Hosts: names, IPv4 addresses and IPv6 references (RFC 3261 25.1, RFC 5118)."""

from __future__ import annotations

import re
import socket

from sipsimple.core.wire.errors import SIPParseError

__all__ = ["host_and_port", "is_ip_address", "plain_host"]

_illegal_host = re.compile(r"[^A-Za-z0-9\-._:]").search


def plain_host(host: str) -> str:
    """host without the brackets of an IPv6 reference. Raises SIPParseError if it is no host."""
    plain = host[1:-1] if host[:1] == "[" and host[-1] == "]" else host
    is_address = plain is not host or ":" in plain
    if (is_address and not _is_ipv6(plain)) or not plain or _illegal_host(plain):
        raise SIPParseError("not a host", host)
    return plain


def host_and_port(host: str, port: int | None = None) -> str:
    """host, in brackets if it is an IPv6 address, and the port if there is one."""
    if ":" in host:
        host = f"[{host}]"
    return host if port is None else f"{host}:{port}"


def is_ip_address(host: str) -> bool:
    """Whether host is an IPv4 or IPv6 address rather than a name."""
    if ":" in host:
        return _is_ipv6(host)
    try:
        socket.inet_pton(socket.AF_INET, host)
    except (OSError, ValueError):
        return False
    return True


def _is_ipv6(text: str) -> bool:
    try:
        socket.inet_pton(socket.AF_INET6, text)
    except (OSError, ValueError):
        return False
    return True
