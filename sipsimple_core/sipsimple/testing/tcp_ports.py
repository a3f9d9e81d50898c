"""How TCP connections come about on the memory network (IListeningPort, IConnector; RFC 9293 3.5).

The handshake takes three packets, so a client is connected the time of one trip earlier than its server.
"""

# mypy: allow-untyped-calls

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING, Any

from twisted.internet.address import IPv4Address
from twisted.internet.base import BaseConnector
from twisted.internet.defer import Deferred
from twisted.internet.error import (
    CannotListenError,
    ConnectBindError,
    ConnectError,
    ConnectionRefusedError,
    TimeoutError,
)
from twisted.internet.interfaces import IListeningPort
from twisted.internet.protocol import ClientFactory, Factory, Protocol
from twisted.python.failure import Failure
from zope.interface import implementer

from sipsimple.testing.packets import Packet
from sipsimple.testing.tcp import MemoryConnection

if TYPE_CHECKING:
    from sipsimple.testing.reactor import MemoryReactor

__all__ = ["MemoryClientConnection", "MemoryConnector", "MemoryListeningPort", "MemoryServerConnection"]


@implementer(IListeningPort)
class MemoryListeningPort:
    """A TCP port of a host on which connections are accepted."""

    def __init__(self, reactor: MemoryReactor, port: int, factory: Factory[Any], interface: str) -> None:
        self.reactor = reactor
        self.port = port
        self.factory = factory
        self.interface = interface
        self.connected = False
        self._closed: Deferred[None] | None = None

    def startListening(self) -> None:
        """Bind the port.

        :raises CannotListenError: the port is in use, or the interface is not of this host
        """
        self.port = self.reactor.bind("tcp", self, self.interface, self.port)
        self.connected = True
        self.factory.doStart()

    def stopListening(self) -> Deferred[None] | None:
        """Close the port; the Deferred fires when that is done. None when it is closed already."""
        if not self.connected:
            return None
        if self._closed is None:
            self._closed = Deferred()
            self.reactor.callLater(0, self._close)
        return self._closed

    def loseConnection(self) -> Deferred[None] | None:
        return self.stopListening()

    def _close(self) -> None:
        self.connected = False
        self.reactor.unbind("tcp", self)
        closed, self._closed = self._closed, None
        try:
            self.factory.doStop()
        finally:
            assert closed is not None
            closed.callback(None)

    def getHost(self) -> IPv4Address:
        """The bound address, which is 0.0.0.0 when no interface was named, as with sockets."""
        if not self.connected:
            raise OSError(errno.EBADF, os.strerror(errno.EBADF))
        return IPv4Address("TCP", self.interface or "0.0.0.0", self.port)

    def __repr__(self) -> str:
        state = "" if self.connected else " closed"
        return f"<{type(self).__name__} {self.interface or self.reactor.ip}:{self.port}{state}>"


class MemoryServerConnection(MemoryConnection):
    """The end of a connection that a listening port accepts."""

    def __init__(
        self, reactor: MemoryReactor, client: MemoryClientConnection, listener: MemoryListeningPort, syn: Packet
    ) -> None:
        super().__init__(reactor, syn.destination, syn.source)
        self.other = client
        self._listener = listener
        client.other = self
        self._expected_number = 1  # the client's segment 0 is its SYN
        self._send_numbered("syn-ack")

    def handle_segment(self, segment: Packet) -> None:
        if segment.kind != "ack":
            super().handle_segment(segment)
            return
        if not self._listener.connected:
            self._refuse()
            return
        try:
            protocol = self._listener.factory.buildProtocol(self.getPeer())
        except Exception as exception:
            where = f"{type(self._listener.factory).__name__}.buildProtocol"
            self.network.collect_error(self.reactor, where, exception)
            self._refuse()
            return
        if protocol is None:
            self.disconnected = 1
            self._send_numbered("fin")
        else:
            self.establish(protocol)

    def _refuse(self) -> None:
        self.disconnected = 1
        self._send_reset()


class MemoryClientConnection(MemoryConnection):
    """The end of a connection that a connector makes; also the attempt, before there is a connection."""

    def __init__(self, connector: MemoryConnector) -> None:
        super().__init__(connector.reactor, ("0.0.0.0", 0), (connector.host, connector.port))
        self._connector: MemoryConnector | None = connector
        self._bind_address = connector.bind_address
        self.reactor.resolve(connector.host).addCallbacks(self._resolved, self._not_resolved)

    def failIfNotConnected(self, reason: BaseException | None) -> None:
        """Give the attempt up; without effect when it has come to an end already."""
        connector = self._connector
        if connector is None or self.connected or self.disconnected:
            return
        self.disconnected = 1
        self._dead = True
        self._connector = None
        self._release_port()
        connector.connectionFailed(Failure(reason or ConnectError()))

    def connectionLost(self, reason: Failure) -> None:
        if not self.connected:
            self.failIfNotConnected(reason.value)
            return
        connector, self._connector = self._connector, None
        self._release_port()
        super().connectionLost(reason)
        if connector is not None:
            connector.connectionLost(reason)

    def handle_segment(self, segment: Packet) -> None:
        if segment.kind != "syn-ack":
            super().handle_segment(segment)
            return
        connector = self._connector
        assert connector is not None
        self._send_numbered("ack")
        try:
            protocol = connector.buildProtocol(self.getPeer())
        except Exception as exception:
            where = f"{type(connector.factory).__name__}.buildProtocol"
            self.network.collect_error(self.reactor, where, exception)
            self._send_reset()
            self.failIfNotConnected(exception)
            return
        if protocol is None:
            self.establish(Protocol())
            self.loseConnection()
        else:
            self.establish(protocol)

    def segment_arrived(self, packet: Packet) -> None:
        if self.disconnected and packet.kind == "syn-ack":
            self._send_reset()  # the attempt was given up before its answer came
        else:
            super().segment_arrived(packet)

    def reset(self) -> None:
        if not self.connected:
            self.failIfNotConnected(TimeoutError())
        super().reset()

    def refused(self, packet: Packet) -> None:
        """The SYN was answered with a reset: nobody listens there."""
        self.failIfNotConnected(ConnectionRefusedError())

    def _resolved(self, ip: str) -> None:
        if self.disconnected:
            return
        target = self.network.hosts.get(ip)
        local_ip = self.reactor.ip
        if ip.startswith("127."):
            target, local_ip = self.reactor, ip
        try:
            interface, port = self._bind_address or ("", 0)
            interface = "" if interface == "0.0.0.0" else interface
            port = self.reactor.bind("tcp", self, interface, port, listening=False)
        except CannotListenError as error:
            self.failIfNotConnected(ConnectBindError(string=str(error.socketError)))
            return
        self._host = (interface or local_ip, port)
        self._peer = (ip, self._peer[1])
        self._sent_number = 1
        self.network.send(
            Packet(
                self.network.now,
                "tcp",
                "syn",
                self._host,
                self._peer,
                b"",
                self.reactor,
                target,
                deliver_syn,
                self._segment_lost,
                0,
                self,
            )
        )

    def _not_resolved(self, failure: Failure) -> None:
        self.failIfNotConnected(failure.value)

    def _release_port(self) -> None:
        if self._host[1]:
            self.reactor.unbind("tcp", self)


class MemoryConnector(BaseConnector):
    """What `connectTCP` returns: the states of Twisted's connectors over the connections of the network."""

    reactor: MemoryReactor  # type: ignore[assignment]

    def __init__(
        self,
        reactor: MemoryReactor,
        host: str,
        port: int,
        factory: ClientFactory[Any],
        timeout: float | None,
        bind_address: tuple[str, int] | None,
    ) -> None:
        super().__init__(factory, timeout, reactor)  # type: ignore[arg-type]
        self.host = host
        self.port = port
        self.bind_address = bind_address

    def _makeTransport(self) -> Any:
        return MemoryClientConnection(self)

    def getDestination(self) -> IPv4Address:
        return IPv4Address("TCP", self.host, self.port)


def deliver_syn(packet: Packet) -> None:
    """A SYN has arrived at its host: answered by the port, or with a reset (RFC 9293 3.10.7.1)."""
    host, client = packet.target, packet.context
    assert host is not None
    if client.other is not None:
        return
    listener = host.bound_to("tcp", packet.destination)
    if listener is None:
        host.network.send(
            Packet(
                host.network.now,
                "tcp",
                "rst",
                packet.destination,
                packet.source,
                b"",
                host,
                client.reactor,
                client.refused,
            )
        )
    else:
        MemoryServerConnection(host, client, listener, packet)
