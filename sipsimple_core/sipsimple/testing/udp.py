"""UDP on the memory network: what `listenUDP` returns (IListeningPort, IUDPTransport; RFC 768)."""

# mypy: allow-untyped-calls

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

from twisted.internet.abstract import isIPAddress
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import InvalidAddressError, MessageLengthError
from twisted.internet.interfaces import IListeningPort, IUDPTransport
from twisted.internet.protocol import DatagramProtocol
from zope.interface import implementer

from sipsimple.testing.packets import Fate, Packet

if TYPE_CHECKING:
    from sipsimple.testing.reactor import MemoryReactor

__all__ = ["MemoryDatagramPort"]

MAX_DATAGRAM_SIZE = 65507
LOOPBACK = "127.0.0.1"


@implementer(IListeningPort, IUDPTransport)
class MemoryDatagramPort:
    """A UDP port of a host, and the transport of its DatagramProtocol."""

    def __init__(
        self, reactor: MemoryReactor, port: int, protocol: DatagramProtocol, interface: str, max_packet_size: int
    ) -> None:
        self.reactor = reactor
        self.protocol = protocol
        self.interface = interface
        self.port = port
        self.connected = False
        self._network = reactor.network
        self._max_packet_size = max_packet_size
        self._connected_to: tuple[str, int] | None = None
        self._closed: Deferred[None] | None = None
        self._broadcast = False

    def startListening(self) -> None:
        """Bind the port.

        :raises CannotListenError: the port is in use, or the interface is not of this host
        """
        self.port = self.reactor.bind("udp", self, self.interface, self.port)
        self.connected = True
        self.protocol.makeConnection(self)

    def stopListening(self) -> Deferred[None] | None:
        """Close the port; the Deferred fires when that is done. None when it is closed already."""
        if not self.connected:
            return None
        if self._closed is None:
            self._closed = Deferred()
            self.reactor.callLater(0, self._close)
        return self._closed

    def loseConnection(self) -> None:
        self.stopListening()

    def _close(self) -> None:
        self.connected = False
        self.reactor.unbind("udp", self)
        closed, self._closed = self._closed, None
        try:
            self.protocol.doStop()
        finally:
            assert closed is not None
            closed.callback(None)

    def getHost(self) -> IPv4Address:
        """The bound address, which is 0.0.0.0 when no interface was named, as with sockets."""
        self._require_open()
        return IPv4Address("UDP", self.interface or "0.0.0.0", self.port)

    def connect(self, host: str, port: int) -> None:
        """Talk with one address only; its refusals then arrive at `connectionRefused`."""
        if self._connected_to is not None:
            raise RuntimeError("already connected, reconnecting is not supported")
        if not isIPAddress(host):
            raise InvalidAddressError(host, "not an IPv4 address")
        self._connected_to = (host, port)

    def write(self, packet: bytes, addr: tuple[str, int] | None = None) -> None:
        """Send a datagram.

        :raises MessageLengthError: it has more than 65507 octets
        :raises InvalidAddressError: the address is a name
        :raises OSError: the port is closed
        """
        if not self.connected:
            self._require_open()
        connected_to = self._connected_to
        if connected_to is not None:
            if addr is not None and addr != connected_to:
                raise ValueError(f"this port is connected to {connected_to}, not to {addr}")
            addr = connected_to
        elif addr is None:
            raise ValueError("a datagram needs an address, as this port is not connected")
        if len(packet) > MAX_DATAGRAM_SIZE:
            raise MessageLengthError("message too long")
        network = self._network
        ip = addr[0]
        target = network.hosts.get(ip)
        if target is None:
            if not isIPAddress(ip):
                raise InvalidAddressError(ip, "write() only accepts IP addresses, not hostnames")
            if ip.startswith("127."):
                target = self.reactor
        source = self.interface or (LOOPBACK if ip.startswith("127.") else self.reactor.ip)
        if source == LOOPBACK and target is not self.reactor:
            target = None
        network.send(
            Packet(
                network.clock.now,
                "udp",
                "datagram",
                (source, self.port),
                (ip, addr[1]),
                bytes(packet),
                self.reactor,
                target,
                deliver_datagram,
            )
        )

    def writeSequence(self, seq: Any, addr: tuple[str, int] | None = None) -> None:
        self.write(b"".join(seq), addr)

    def receive(self, packet: Packet) -> bool:
        """Hand a datagram to the protocol; False when a connected port refuses it because of its sender."""
        if self._connected_to is not None and packet.source != self._connected_to:
            return False
        data = packet.data
        if len(data) > self._max_packet_size:
            data = data[: self._max_packet_size]  # as recvfrom does with a buffer that is too small
        self.protocol.datagramReceived(data, packet.source)
        return True

    def refused(self, address: tuple[str, int]) -> None:
        """The other side said that nobody listens there, which only a connected port gets to know."""
        if self._connected_to == address:
            self.protocol.connectionRefused()

    def setBroadcastAllowed(self, enabled: bool) -> None:
        self._broadcast = bool(enabled)

    def getBroadcastAllowed(self) -> bool:
        return self._broadcast

    def _require_open(self) -> None:
        if not self.connected:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))

    def __repr__(self) -> str:
        state = "" if self.connected else " closed"
        return f"<{type(self).__name__} {self.interface or self.reactor.ip}:{self.port}{state}>"


def deliver_datagram(packet: Packet) -> None:
    """A datagram has arrived at its host: to the port, or "port unreachable" back to the sender."""
    host = packet.target
    assert host is not None
    port = host.bound_to("udp", packet.destination)
    if port is not None and port.receive(packet):
        return
    packet.fate = Fate.REFUSED
    network = host.network
    delay = network.latency if host is not packet.sender else 0.0
    network.clock.schedule(delay, packet.sender, _report_refusal, (packet,))


def _report_refusal(packet: Packet) -> None:
    port = packet.sender.bound_to("udp", packet.source)
    if port is not None:
        port.refused(packet.destination)
