"""Scripted peers: bare sockets of a host, for tests that send octets of their own making to a user agent.

mallory = network.add_host('mallory')
peer = DatagramPeer(mallory, 5060)
peer.send(b'OPTIONS sip:alice@10.0.0.2 SIP/2.0\\r\\n...', alice, 5060)
network.run_until(lambda: peer.received)
"""

from __future__ import annotations

from typing import Any

from twisted.internet.protocol import ClientFactory, DatagramProtocol, Factory, Protocol
from twisted.python.failure import Failure

from sipsimple.testing.reactor import MemoryReactor

__all__ = ["DatagramPeer", "StreamListener", "StreamPeer"]


class DatagramPeer(DatagramProtocol):
    """A UDP port that keeps what it gets.

    `received` has the datagrams as (data, (ip, port)), in order.

    :param host: a host of the network, as `network.add_host` returns it
    :param port: 0 for any free one
    """

    transport: Any

    def __init__(self, host: MemoryReactor, port: int = 0) -> None:
        self.host = host
        self.received: list[tuple[bytes, tuple[str, int]]] = []
        self.port = host.listenUDP(port, self, maxPacketSize=65536).port

    def send(self, data: bytes, to: Any, port: int = 5060) -> None:
        """Send a datagram to a port of a host, named as for `network.host`, or of any address."""
        self.transport.write(data, (_ip(self.host, to), port))

    def datagramReceived(self, datagram: bytes, addr: tuple[str, int]) -> None:
        self.received.append((datagram, addr))


class StreamPeer(Protocol):
    """One end of a TCP connection that keeps what it gets: see `connect` and StreamListener.

    `received` has all octets so far; `reason` is why the connection ended or did not come about, None before.
    """

    transport: Any = None

    def __init__(self) -> None:
        self.received = b""
        self.reason: BaseException | None = None
        self._unsent = b""
        self._close = False

    @classmethod
    def connect(cls, host: MemoryReactor, to: Any, port: int) -> StreamPeer:
        """Connect from a host to a port; what is sent meanwhile follows as soon as the connection is there."""
        peer = cls()
        host.connectTCP(_ip(host, to), port, _Connecting(peer))
        return peer

    def send(self, data: bytes) -> None:
        if self.connected:
            self.transport.write(data)
        else:
            self._unsent += data

    def close(self) -> None:
        """Close once all is sent."""
        self._close = True
        if self.connected:
            self.transport.loseConnection()

    def reset(self) -> None:
        """Break the connection off."""
        if self.transport is not None:
            self.transport.abortConnection()

    def connectionMade(self) -> None:
        unsent, self._unsent = self._unsent, b""
        self.send(unsent)
        if self._close:
            self.close()

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Failure | None = None) -> None:
        self.connected = 0
        self.reason = reason.value if reason is not None else None


class StreamListener(Factory[StreamPeer]):
    """A TCP port that accepts connections; `peers` has a StreamPeer for each, in order.

    :param port: 0 for any free one
    """

    def __init__(self, host: MemoryReactor, port: int = 0) -> None:
        self.host = host
        self.peers: list[StreamPeer] = []
        self.port = host.listenTCP(port, self).port

    def buildProtocol(self, addr: object) -> StreamPeer:
        peer = StreamPeer()
        self.peers.append(peer)
        return peer


class _Connecting(ClientFactory[StreamPeer]):
    def __init__(self, peer: StreamPeer) -> None:
        self.peer = peer

    def buildProtocol(self, addr: object) -> StreamPeer:
        return self.peer

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        self.peer.connectionLost(reason)


def _ip(host: MemoryReactor, to: Any) -> str:
    return to if isinstance(to, str) and host.network.resolve(to) == to else host.network.host(to).ip
