"""SIP over UDP (RFC 3261 18): one datagram, one message.

A burst of datagrams is read from the socket as fast as it can be, as the kernel keeps few of them and drops the rest,
which each sender then repeats, and so makes the burst longer. They are handled a few at a time, so that the event loop
gets on with everything else meanwhile.
"""

from __future__ import annotations

import errno
from collections import deque
from typing import TYPE_CHECKING, Any

from twisted.internet.error import CannotListenError
from twisted.internet.protocol import DatagramProtocol

from sipsimple.core.protocol.hop import Hop
from sipsimple.core.transport.interface import ListenError, TransportError
from sipsimple.core.transport.sockets import listen_datagrams
from sipsimple.core.transport.stun import is_stun

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from sipsimple.core.transport.interface import TransportOwner

__all__ = ["MAX_DATAGRAM", "UDPListener", "is_keepalive"]

#: How many octets are handled before the event loop goes on with whatever else is due: a handful of messages.
HANDLED_AT_ONCE = 2048
#: How many are read from the socket before that: a millisecond's worth.
READ_AT_ONCE = 128 * 1024
#: How many may wait to be handled; with more, datagrams are dropped, as the kernel would do.
MAX_WAITING = 4 * 1024 * 1024

#: The most that a datagram can hold; Twisted's own limit would cut messages off after 8192 octets.
MAX_DATAGRAM = 65_535
#: The most that is left of it for a message over IPv4; IPv6 has a little more.
MAX_PAYLOAD = MAX_DATAGRAM - 28

#: The kernel's buffer is full: the datagram is lost as it could be anywhere on its way.
_LOST = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.ENOBUFS})


def is_keepalive(data: bytes) -> bool:
    """Whether a datagram is one of those that only keep a NAT's binding open: empty, line ends, or zeros."""
    return not data.strip(b"\r\n\0")


class UDPListener(DatagramProtocol):
    """One UDP socket.

    :param reactor: an IReactorUDP.
    :param interface: the address to listen on; empty for all of IPv4, ``'::'`` for all of IPv6.
    :param port: 0 means any.
    :raises ListenError: the port can not be had.
    """

    noisy = False

    def __init__(self, reactor: Any, owner: TransportOwner, port: int = 0, interface: str = "") -> None:
        self._owner = owner
        self._reactor = reactor
        self._left = HANDLED_AT_ONCE  # that may be handled in this turn of the event loop
        self._waiting: deque[tuple[bytes, Any]] = deque()
        self._waiting_octets = 0
        try:
            self._port = listen_datagrams(reactor, port, self, interface, MAX_DATAGRAM)
        except (CannotListenError, OSError) as error:
            raise ListenError("udp", interface, port, getattr(error, "socketError", error)) from error
        self._port.maxThroughput = READ_AT_ONCE
        address = self._port.getHost()
        self.local = Hop("udp", address.host, address.port)
        self.ipv6 = ":" in address.host

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        if self._left > 0:
            self._left -= len(datagram)
            if self._left <= 0:
                self._reactor.callLater(0, self._go_on)
            self._handle(datagram, addr)
        elif self._waiting_octets < MAX_WAITING:
            self._waiting.append((datagram, addr))
            self._waiting_octets += len(datagram)

    def _go_on(self) -> None:
        """The next turn of the event loop: what waits comes first."""
        self._left = HANDLED_AT_ONCE
        waiting = self._waiting
        while waiting:
            if self._left <= 0:
                break
            datagram, addr = waiting.popleft()
            self._waiting_octets -= len(datagram)
            self._left -= len(datagram)
            self._handle(datagram, addr)
        if self._left <= 0:
            self._reactor.callLater(0, self._go_on)

    def _handle(self, datagram: bytes, addr: Any) -> None:
        source = Hop("udp", addr[0], addr[1])
        if datagram[:1] >= b"A":
            # a method or SIP/2.0: everything else is told apart only if it is not that
            self._owner.data_received(datagram, source, self.local)
        elif is_stun(datagram):
            self._owner.stun_received(datagram, source)
        elif not is_keepalive(datagram):
            self._owner.data_received(datagram, source, self.local)

    def send(self, data: bytes, hop: Hop) -> None:
        """Send one message.

        :raises TransportError: it is too large, or there is no way to the hop.
        """
        if len(data) > MAX_PAYLOAD:
            raise TransportError(f"{len(data)} octets could not be sent to {hop}: a datagram holds {MAX_PAYLOAD}")
        self._owner.sending(data, hop, self.local)
        self.send_untraced(data, hop)

    def send_untraced(self, data: bytes, hop: Hop) -> None:
        """Send one datagram that is no message; raises as `send` does."""
        if self.transport is None:
            raise TransportError(f"{self.local} is closed")
        try:
            self.transport.write(data, (hop.host, hop.port))
        except OSError as error:
            if error.errno not in _LOST:
                raise TransportError(f"{len(data)} octets could not be sent to {hop}: {error}") from error
        except Exception as error:
            # Twisted's own: MessageLengthError, InvalidAddressError
            raise TransportError(f"{len(data)} octets could not be sent to {hop}: {error}") from error

    def close(self) -> Deferred[None] | None:
        """Stop listening; what waits is forgotten."""
        self._waiting.clear()
        self._waiting_octets = 0
        return self._port.stopListening()  # type: ignore[no-any-return]
