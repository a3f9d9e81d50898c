"""Ports on all addresses of one family, IPv4 or IPv6.

A socket on `::` would take the IPv4 port of the same number too, unless it is told not to (RFC 3493 5.3); Twisted's own
`listenTCP` and `listenUDP` do not tell it, so that such sockets are made here and handed over.
"""

from __future__ import annotations

import os
import socket
from typing import Any

from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import IReactorSocket

__all__ = ["ANY_IPV6", "listen_datagrams", "listen_stream"]

ANY_IPV6 = "::"

#: Connections that wait to be accepted.
BACKLOG = 256


def listen_datagrams(reactor: Any, port: int, protocol: Any, interface: str, max_size: int) -> Any:
    """`listenUDP`, with `::` meaning IPv6 alone. Raises CannotListenError or OSError."""
    if interface != ANY_IPV6 or not IReactorSocket.providedBy(reactor):
        return reactor.listenUDP(port, protocol, interface=interface, maxPacketSize=max_size)
    with _ipv6_socket(socket.SOCK_DGRAM, port) as bound:
        return reactor.adoptDatagramPort(bound.fileno(), socket.AF_INET6, protocol, max_size)


def listen_stream(reactor: Any, port: int, factory: Any, interface: str) -> Any:
    """`listenTCP`, with `::` meaning IPv6 alone. Raises CannotListenError or OSError."""
    if interface != ANY_IPV6 or not IReactorSocket.providedBy(reactor):
        return reactor.listenTCP(port, factory, backlog=BACKLOG, interface=interface)
    with _ipv6_socket(socket.SOCK_STREAM, port) as bound:
        bound.listen(BACKLOG)
        return reactor.adoptStreamPort(bound.fileno(), socket.AF_INET6, factory)


def _ipv6_socket(kind: socket.SocketKind, port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET6, kind)
    try:
        bound.setblocking(False)
        bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if kind is socket.SOCK_STREAM and os.name == "posix":
            # a port in TIME_WAIT may be used again; on Windows this would mean any port at all
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((ANY_IPV6, port))
    except OSError as error:
        bound.close()
        raise CannotListenError(ANY_IPV6, port, error) from error
    return bound
