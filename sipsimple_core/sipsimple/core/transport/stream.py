"""SIP over TCP (RFC 3261 18, 18.3; keep-alives: RFC 5626 4.4.1): connections, found again by hop.

A connection, whoever opened it, serves both directions while it lives. Requests open one where there is none; what
is sent meanwhile waits, up to a limit. One recurring check for all connections, rather than a timer for each, ends
those that have been silent for too long or have stopped in the middle of a message.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.error import CannotListenError, ConnectionDone
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import ClientFactory, Protocol, ServerFactory
from zope.interface import implementer

from sipsimple.core.protocol.hop import Hop
from sipsimple.core.transport.interface import ListenError, TransportError
from sipsimple.core.wire.framer import FramingError, MessageFramer

if TYPE_CHECKING:
    from twisted.internet.interfaces import IAddress
    from twisted.python.failure import Failure

    from sipsimple.core.transport.interface import TransportOwner

__all__ = [
    'CHECK_INTERVAL', 'CLOSE_TIMEOUT', 'CONNECT_TIMEOUT', 'HALF_MESSAGE_TIMEOUT', 'IDLE_TIMEOUT', 'MAX_BACKLOG',
    'MAX_CONNECTIONS', 'StreamConnection', 'StreamTransport',
]  # fmt: skip

#: Connections of one transport, in both directions together; one more is refused.
MAX_CONNECTIONS = 20_000
#: Octets that wait for a connection to open, or for a peer that reads slowly; with more it is closed.
MAX_BACKLOG = 1_048_576
# All times are in seconds.
#: To open a connection; less than timer B and F, so that there is time for another hop.
CONNECT_TIMEOUT = 10.0
#: Without anything sent or received.
IDLE_TIMEOUT = 900.0
#: From the first octet of a message to its last.
HALF_MESSAGE_TIMEOUT = 30.0
#: How often all connections are looked through for the two above.
CHECK_INTERVAL = 5.0
#: How long a connection may take to send the rest when the transport is closed.
CLOSE_TIMEOUT = 2.0

_PONG = b"\r\n"  # RFC 5626 4.4.1


@implementer(IPushProducer)
class StreamConnection(Protocol):
    """One connection; see `StreamTransport`. Attributes: `hop`, `outgoing`, `last_activity`."""

    transport: Any = None

    def __init__(self, owner: StreamTransport, hop: Hop, outgoing: bool, now: float) -> None:
        self.hop = hop
        self.outgoing = outgoing
        self.last_activity = now
        self.half_message_since: float | None = None
        self.connector: Any = None
        self.local = Hop(hop.transport, "", 0)
        self.closed: Deferred[None] = Deferred()
        self._owner = owner
        self._framer = MessageFramer()
        self._backlog: list[bytes] = []
        self._backlog_size = 0
        self._writable = False
        self._error: Exception | None = None

    def send(self, data: bytes) -> None:
        """Send a message, now or as soon as the connection is open and its buffer has room.

        :raises TransportError: the connection is gone; or more than `MAX_BACKLOG` octets wait, and it is closed.
        """
        if self.closed.called:
            raise self._error or TransportError(f"the connection with {self.hop} is closed")
        if self._writable:
            self._write(data)
            return
        self._backlog_size += len(data)
        if self._backlog_size > MAX_BACKLOG:
            error = TransportError(f"{self.hop} does not read: more than {MAX_BACKLOG} octets wait")
            self.abort(error)
            raise error
        self._backlog.append(data)

    def _write(self, data: bytes) -> None:
        if self.transport is not None:
            self.last_activity = self._owner.now()
            self.transport.write(data)
            self._owner.owner.data_sent(data, self.hop, self.local)

    def close(self, error: Exception) -> None:
        """Close when everything is sent that the connection was opened for; at once if it is still being opened."""
        self._error = self._error or error
        if self.transport is not None:
            self.resumeProducing()
            self.transport.unregisterProducer()
            self.transport.loseConnection()
        elif self.connector is not None:
            self.connector.stopConnecting()

    def abort(self, error: Exception) -> None:
        """Close at once, for the reason given."""
        self._error = self._error or error
        if self.transport is not None:
            self.transport.abortConnection()
        elif self.connector is not None:
            self.connector.stopConnecting()

    def ended(self, reason: Failure) -> None:
        """The connection is gone, or could not be made."""
        self._writable = False
        self.transport = self.connector = None
        self._backlog.clear()
        self._owner.connection_ended(
            self, self._error or TransportError(f"no connection with {self.hop}: {reason.getErrorMessage()}")
        )

    # IPushProducer: the transport says whether its buffer has room

    def pauseProducing(self) -> None:
        self._writable = False

    def resumeProducing(self) -> None:
        self._writable = True
        if self._backlog and self.transport is not None:
            backlog, self._backlog, self._backlog_size = self._backlog, [], 0
            for position, data in enumerate(backlog):
                if not self._writable:
                    # the buffer filled up again
                    self._backlog = backlog[position:]
                    self._backlog_size = sum(map(len, self._backlog))
                    break
                self._write(data)

    def stopProducing(self) -> None:
        self._writable = False

    # Protocol

    def connectionMade(self) -> None:
        transport = self.transport
        address = transport.getHost()
        self.local = Hop(self.hop.transport, address.host, address.port)
        transport.setTcpNoDelay(True)
        transport.setTcpKeepAlive(True)
        transport.registerProducer(self, True)
        self.resumeProducing()

    def dataReceived(self, data: bytes) -> None:
        self.last_activity = now = self._owner.now()
        framer, owner = self._framer, self._owner.owner
        broken: FramingError | None = None
        try:
            messages = framer.feed(data)
        except FramingError as error:
            messages, broken = error.messages, error
        for message in messages:
            owner.data_received(message, self.hop, self.local)
        if framer.pings:
            if self._writable and self.transport is not None:
                self.transport.write(_PONG * framer.pings)
            framer.pings = 0
        if broken is not None:
            # 18.3: where the next message starts can't be known any more
            owner.stream_broken(broken, self.hop, self.local)
            self.close(TransportError(f"{self.hop} sent what is no SIP message: {broken}"))
        elif not framer.pending:
            self.half_message_since = None
        elif messages or self.half_message_since is None:
            self.half_message_since = now

    def connectionLost(self, reason: Failure = ConnectionDone) -> None:  # type: ignore[assignment]
        self.ended(reason)


class _Server(ServerFactory):
    noisy = False

    def __init__(self, owner: StreamTransport) -> None:
        self._owner = owner

    def buildProtocol(self, addr: IAddress | None) -> StreamConnection | None:
        return self._owner.accept(addr)


class _Client(ClientFactory):
    noisy = False

    def __init__(self, connection: StreamConnection) -> None:
        self._connection = connection

    def buildProtocol(self, addr: IAddress | None) -> StreamConnection:
        return self._connection

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        self._connection.ended(reason)


class StreamTransport:
    """The connections of one stream transport.

    :param reactor: an IReactorTCP and IReactorTime.
    :param owner: gets the messages and the errors.
    """

    name = "tcp"

    def __init__(self, reactor: Any, owner: TransportOwner, max_connections: int = MAX_CONNECTIONS) -> None:
        self.owner = owner
        self.max_connections = max_connections
        self.listeners: list[Hop] = []
        self._reactor = reactor
        self._ports: list[Any] = []
        self._connections: dict[Hop, StreamConnection] = {}
        self._all: set[StreamConnection] = set()
        self._check: Any = None

    def now(self) -> float:
        return float(self._reactor.seconds())

    def __len__(self) -> int:
        """How many connections there are, with those that are being opened."""
        return len(self._all)

    def listen(self, port: int = 0, interface: str = "") -> Hop:
        """Accept connections.

        :param port: 0 means any.
        :param interface: the address to listen on; empty for all of IPv4, ``'::'`` for all of IPv6.
        :returns: the address and port that it became.
        :raises ListenError: the port can not be had.
        """
        try:
            listener = self._open_port(port, _Server(self), interface)
        except (CannotListenError, OSError) as error:
            raise ListenError(self.name, interface, port, getattr(error, "socketError", error)) from error
        self._ports.append(listener)
        address = listener.getHost()
        local = Hop(self.name, address.host, address.port)
        self.listeners.append(local)
        return local

    def send(self, data: bytes, hop: Hop) -> None:
        """Send a message, over the connection with the hop or a new one.

        A connection that can't be made, or is lost, is told to the owner.

        :raises TransportError: there is no room for the message, or for another connection.
        """
        connection = self._connections.get(hop)
        if connection is None:
            connection = self._connect(hop)
        connection.send(data)

    def is_connected(self, hop: Hop) -> bool:
        """Whether there is a connection with the hop, or one is being opened."""
        return hop in self._connections

    def close(self) -> Deferred[Any]:
        """Stop listening, and close all connections when what waits is sent, or after `CLOSE_TIMEOUT`."""
        if self._check is not None:
            self._check.cancel()
        # no connection is accepted or opened any more
        self.max_connections = 0
        waits: list[Deferred[Any]] = [maybeDeferred(port.stopListening) for port in self._ports]
        waits += [connection.closed for connection in self._all]
        if self._all:
            self._check = self._reactor.callLater(CLOSE_TIMEOUT, self._abort_all)
        for connection in tuple(self._all):
            connection.close(TransportError(f"{self.name} is closed"))
        return DeferredList(waits, consumeErrors=True)

    # How connections come and go

    def _open_port(self, port: int, factory: ServerFactory, interface: str) -> Any:
        return self._reactor.listenTCP(port, factory, interface=interface)

    def _open_connection(self, hop: Hop, factory: ClientFactory) -> Any:
        return self._reactor.connectTCP(hop.host, hop.port, factory, timeout=CONNECT_TIMEOUT)

    def accept(self, address: Any) -> StreamConnection | None:
        """A connection for a peer that has opened one; None if there are too many."""
        hop = Hop(self.name, address.host, address.port)
        if len(self._all) >= self.max_connections:
            self.owner.dropped("Refused a connection from %s: there are %d already", hop, len(self._all))
            return None
        return self._add(StreamConnection(self, hop, False, self.now()))

    def _connect(self, hop: Hop) -> StreamConnection:
        if len(self._all) >= self.max_connections:
            raise TransportError(f"no connection with {hop}: there are {len(self._all)} already")
        connection = self._add(StreamConnection(self, hop, True, self.now()))
        connection.connector = self._open_connection(hop, _Client(connection))
        return connection

    def _add(self, connection: StreamConnection) -> StreamConnection:
        self._all.add(connection)
        self._connections[connection.hop] = connection
        if self._check is None:
            self._check = self._reactor.callLater(CHECK_INTERVAL, self._check_all)
        return connection

    def connection_ended(self, connection: StreamConnection, error: Exception) -> None:
        """A connection is closed, or was not made."""
        self._all.discard(connection)
        if self._connections.get(connection.hop) is connection:
            del self._connections[connection.hop]
            self.owner.delivery_failed(connection.hop, error)
        if not self._all and self._check is not None:
            if self._check.active():
                self._check.cancel()
            self._check = None
        connection.closed.callback(None)

    def _check_all(self) -> None:
        self._check = self._reactor.callLater(CHECK_INTERVAL, self._check_all)
        now = self.now()
        for connection in tuple(self._all):
            half = connection.half_message_since
            if half is not None and now - half > HALF_MESSAGE_TIMEOUT:
                self.owner.dropped(
                    "Closed the connection with %s: half a message for %d s", connection.hop, HALF_MESSAGE_TIMEOUT
                )
                connection.abort(TransportError(f"{connection.hop} sent half a message"))
            elif now - connection.last_activity > IDLE_TIMEOUT:
                connection.close(TransportError(f"the connection with {connection.hop} was idle"))

    def _abort_all(self) -> None:
        for connection in tuple(self._all):
            connection.abort(TransportError(f"{self.name} is closed"))
