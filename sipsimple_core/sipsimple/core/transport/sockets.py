"""The sockets that we listen on, made here where Twisted's own `listenTCP` and `listenUDP` would not do.

A socket on `::` would take the IPv4 port of the same number too, unless it is told not to (RFC 3493 5.3). And of a
datagram port that can't be had, Twisted leaves the socket open until the garbage collector finds it.
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
#: Octets that the kernel keeps until we read them, as far as its own limit allows: a burst that comes while the machine
#: is busy with something else is not lost, and so not repeated by each of its senders.
RECEIVE_BUFFER = 4 * 1024 * 1024


def listen_datagrams(reactor: Any, port: int, protocol: Any, interface: str, max_size: int) -> Any:
    """`listenUDP`, with `::` meaning IPv6 alone. Raises CannotListenError or OSError."""
    if not IReactorSocket.providedBy(reactor):
        return reactor.listenUDP(port, protocol, interface=interface, maxPacketSize=max_size)
    with _bound_socket(socket.SOCK_DGRAM, port, interface) as bound:
        return reactor.adoptDatagramPort(bound.fileno(), bound.family, protocol, max_size)


def listen_stream(reactor: Any, port: int, factory: Any, interface: str) -> Any:
    """`listenTCP`, with `::` meaning IPv6 alone. Raises CannotListenError or OSError."""
    if interface != ANY_IPV6 or not IReactorSocket.providedBy(reactor):
        return reactor.listenTCP(port, factory, backlog=BACKLOG, interface=interface)
    with _bound_socket(socket.SOCK_STREAM, port, interface) as bound:
        bound.listen(BACKLOG)
        return reactor.adoptStreamPort(bound.fileno(), bound.family, factory)


def _bound_socket(kind: socket.SocketKind, port: int, interface: str) -> socket.socket:
    family = socket.AF_INET6 if ":" in interface else socket.AF_INET
    bound = None
    try:
        bound = socket.socket(family, kind)
        bound.setblocking(False)
        if family is socket.AF_INET6:
            bound.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if kind is socket.SOCK_DGRAM:
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        if kind is socket.SOCK_STREAM and os.name == "posix":
            # a port in TIME_WAIT may be used again; on Windows this would mean any port at all
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # resolved, as the address may have a scope (fe80::1%eth0); no name is looked up
        numeric = socket.AI_PASSIVE | socket.AI_NUMERICHOST
        # int(): getaddrinfo takes no subclass, which the ports of the settings are
        bound.bind(socket.getaddrinfo(interface or None, int(port), family, kind, flags=numeric)[0][4])
    except OSError as error:
        if bound is not None:
            bound.close()
        raise CannotListenError(interface, port, error) from error
    return bound
