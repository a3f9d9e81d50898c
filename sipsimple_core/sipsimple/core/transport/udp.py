"""SIP over UDP (RFC 3261 18): one datagram, one message."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING, Any

from twisted.internet.error import CannotListenError
from twisted.internet.protocol import DatagramProtocol

from sipsimple.core.protocol.hop import Hop
from sipsimple.core.transport.interface import ListenError, TransportError

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from sipsimple.core.transport.interface import TransportOwner

__all__ = ["MAX_DATAGRAM", "UDPListener", "is_keepalive", "is_stun"]

#: The most that a datagram can hold; Twisted's own limit would cut messages off after 8192 octets.
MAX_DATAGRAM = 65_535

_STUN_COOKIE = b"\x21\x12\xa4\x42"

#: The kernel's buffer is full: the datagram is lost as it could be anywhere on its way.
_LOST = frozenset({errno.EAGAIN, errno.EWOULDBLOCK, errno.ENOBUFS})


def is_keepalive(data: bytes) -> bool:
    """Whether a datagram is one of those that only keep a NAT's binding open: empty, line ends, or zeros."""
    return not data.strip(b"\r\n\0")


def is_stun(data: bytes) -> bool:
    """Whether a datagram is a STUN message (RFC 5389 6): SIP's first octet is never below 0x40."""
    return len(data) >= 20 and data[0] < 0x40 and data[4:8] == _STUN_COOKIE


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
        try:
            self._port = reactor.listenUDP(port, self, interface=interface, maxPacketSize=MAX_DATAGRAM)
        except (CannotListenError, OSError) as error:
            raise ListenError("udp", interface, port, getattr(error, "socketError", error)) from error
        address = self._port.getHost()
        self.local = Hop("udp", address.host, address.port)
        self.ipv6 = ":" in address.host

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        if datagram[:1] in b"\r\n\0" and is_keepalive(datagram):
            return
        host, port = addr[:2]
        if is_stun(datagram):
            self._owner.dropped("Dropped a STUN message from %s port %s", host, port)
            return
        self._owner.data_received(datagram, Hop("udp", host, port), self.local)

    def send(self, data: bytes, hop: Hop) -> None:
        """Send one datagram.

        :raises TransportError: it is too large, or there is no way to the hop.
        """
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
        self._owner.data_sent(data, hop, self.local)

    def close(self) -> Deferred[None] | None:
        """Stop listening."""
        return self._port.stopListening()  # type: ignore[no-any-return]
