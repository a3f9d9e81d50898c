"""SIP over TCP (RFC 3261 18): connections, found again by hop, and the ports that they are accepted on.

A connection, whoever opened it, serves both directions while it lives. Requests open one where there is none; what
is sent meanwhile waits, up to a limit. One recurring check for all connections, rather than a timer for each, ends
those that have been silent for too long, have stopped in the middle of a message, or do not read.
"""

from __future__ import annotations

from collections.abc import Iterable
from heapq import nsmallest
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import ClientFactory, ServerFactory

from sipsimple.core.protocol.hop import Hop
from sipsimple.core.transport.connection import StreamConnection
from sipsimple.core.transport.interface import ConnectError, ListenError, TransportError
from sipsimple.core.transport.limits import (
    CHECK_INTERVAL,
    CLOSE_TIMEOUT,
    CONNECT_TIMEOUT,
    EVICTION_IDLE,
    EVICTION_INTERVAL,
    MAX_CONNECTIONS,
    MAX_CONNECTIONS_PER_HOST,
)
from sipsimple.core.transport.sockets import listen_stream

if TYPE_CHECKING:
    from twisted.internet.interfaces import IAddress
    from twisted.python.failure import Failure

    from sipsimple.core.transport.interface import TransportOwner

__all__ = ["StreamTransport"]

#: How many idle connections give way at once, so that not each new connection has to look for one.
EVICTED_AT_ONCE = 10


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
    connection_class: type[StreamConnection] = StreamConnection

    def __init__(
        self,
        reactor: Any,
        owner: TransportOwner,
        max_connections: int = MAX_CONNECTIONS,
        max_connections_per_host: int = MAX_CONNECTIONS_PER_HOST,
    ) -> None:
        self.owner = owner
        self.max_connections = max_connections
        self.max_connections_per_host = max_connections_per_host
        self._reactor = reactor
        self._ports: dict[Hop, Any] = {}
        self._connections: dict[Hop, StreamConnection] = {}
        self._all: set[StreamConnection] = set()
        self._accepted: dict[str, set[StreamConnection]] = {}
        self._next_eviction = 0.0
        self._closed = False
        self._check: Any = None

    def now(self) -> float:
        return float(self._reactor.seconds())

    def __len__(self) -> int:
        """How many connections there are, with those that are being opened."""
        return len(self._all)

    # Ports

    @property
    def listeners(self) -> list[Hop]:
        """What is listened on."""
        return list(self._ports)

    def listen(self, port: int = 0, interface: str = "") -> Hop:
        """Accept connections.

        :param port: 0 means any.
        :param interface: the address to listen on; empty for all of IPv4, ``'::'`` for all of IPv6.
        :returns: the address and port that it became.
        :raises ListenError: the port can not be had.
        """
        try:
            listener = listen_stream(self._reactor, port, self.server_factory(_Server(self)), interface)
        except (CannotListenError, OSError) as error:
            raise ListenError(self.name, interface, port, getattr(error, "socketError", error)) from error
        address = listener.getHost()
        local = Hop(self.name, address.host, address.port)
        self._ports[local] = listener
        return local

    def stop_listening(self, local: Hop) -> Deferred[Any]:
        """Accept no more connections there; those that there are live on. Fires when the port is free."""
        return maybeDeferred(self._ports.pop(local).stopListening)

    # Messages

    def send(self, data: bytes, hop: Hop) -> None:
        """Send a message, over the connection with the hop or a new one.

        A connection that can't be made, or is lost, is told to the owner.

        :raises TransportError: there is no room for the message, or for another connection.
        """
        self.connect(hop).send(data)

    def connection(self, hop: Hop) -> StreamConnection | None:
        """The connection with the hop, open or being opened."""
        return self._connections.get(hop)

    def connect(self, hop: Hop) -> StreamConnection:
        """The same, opened now if there is none; raises TransportError if there is no room for it."""
        return self._connections.get(hop) or self._connect(hop)

    def connection_with_host(self, host: str) -> StreamConnection | None:
        """An open connection that we have opened to that address, at whatever port."""
        for hop, connection in self._connections.items():
            if hop.host == host and connection.outgoing and connection.is_open:
                return connection
        return None

    def close(self) -> Deferred[Any]:
        """Stop listening, and close all connections when what waits is sent, or after `CLOSE_TIMEOUT`."""
        self._closed = True
        self._stop_checking()
        waits: list[Deferred[Any]] = [self.stop_listening(local) for local in self.listeners]
        waits += [connection.closed for connection in self._all]
        if self._all:
            self._check = self._reactor.callLater(CLOSE_TIMEOUT, self._abort_all)
        self.close_connections(self._all, TransportError(f"{self.name} is closed"))
        return DeferredList(waits, consumeErrors=True)

    @staticmethod
    def close_connections(connections: Iterable[StreamConnection], error: Exception) -> None:
        """Close some connections, when what waits on them is sent."""
        for connection in tuple(connections):
            connection.close(error)

    # What a transport over TLS does in another way

    def server_factory(self, factory: ServerFactory) -> Any:
        """What accepts connections for `factory`."""
        return factory

    def client_factory(self, factory: ClientFactory, hop: Hop) -> Any:
        """What opens a connection to a hop for `factory`; raises TransportError."""
        return factory

    # How connections come and go

    def accept(self, address: Any) -> StreamConnection | None:
        """A connection for a peer that has opened one; None if there are too many."""
        hop = Hop(self.name, address.host, address.port)
        accepted = self._accepted.get(hop.host)
        if accepted is not None and len(accepted) >= self.max_connections_per_host and not self._evict(accepted):
            self.owner.dropped("Refused a connection from %s: it has %d already", hop, len(accepted))
            return None
        if not self._has_room():
            self.owner.dropped("Refused a connection from %s: there are %d already", hop, len(self._all))
            return None
        connection = self._add(self.connection_class(self, hop, False, self.now()))
        self._accepted.setdefault(hop.host, set()).add(connection)
        return connection

    def _connect(self, hop: Hop) -> StreamConnection:
        if not self._has_room():
            raise ConnectError(f"no connection with {hop}: there are {len(self._all)} already")
        connection = self.connection_class(self, hop, True, self.now())
        factory = self.client_factory(_Client(connection), hop)
        self._add(connection)
        connection.connector = self._reactor.connectTCP(hop.host, hop.port, factory, timeout=CONNECT_TIMEOUT)
        return connection

    def _has_room(self) -> bool:
        return not self._closed and (len(self._all) < self.max_connections or self._evict(self._all))

    def _evict(self, connections: Iterable[StreamConnection]) -> bool:
        """Close the oldest of those that are idle; whether there is one."""
        now = self.now()
        if now < self._next_eviction:
            return False
        self._next_eviction = now + EVICTION_INTERVAL
        idle = [each for each in connections if now - each.last_activity >= EVICTION_IDLE]
        oldest = nsmallest(EVICTED_AT_ONCE, idle, key=lambda each: each.last_activity)
        self.close_connections(oldest, TransportError("the connection was idle, and there were too many"))
        for connection in oldest:
            self._uncount(connection)
        return bool(oldest)

    def _add(self, connection: StreamConnection) -> StreamConnection:
        self._all.add(connection)
        self._connections[connection.hop] = connection
        if self._check is None:
            self._check = self._reactor.callLater(CHECK_INTERVAL, self._check_all)
        return connection

    def connection_closing(self, connection: StreamConnection, error: Exception) -> None:
        """Nothing more is to be sent over a connection: what comes next needs another."""
        if self._connections.get(connection.hop) is connection:
            del self._connections[connection.hop]
            self.owner.delivery_failed(connection.hop, error)

    def connection_ended(self, connection: StreamConnection, error: Exception) -> None:
        """A connection is closed, or was not made."""
        self._uncount(connection)
        self._all.discard(connection)
        if not self._all:
            self._stop_checking()
        self.connection_closing(connection, error)
        connection.closed.callback(None)

    def _uncount(self, connection: StreamConnection) -> None:
        accepted = self._accepted.get(connection.hop.host)
        if accepted is not None:
            accepted.discard(connection)
            if not accepted:
                del self._accepted[connection.hop.host]

    def _check_all(self) -> None:
        self._check = self._reactor.callLater(CHECK_INTERVAL, self._check_all)
        now = self.now()
        for connection in tuple(self._all):
            reason = connection.overdue(now)
            if reason is not None:
                self.owner.dropped("Closed the connection with %s: %s", connection.hop, reason)
                kind = TransportError if connection.is_open else ConnectError
                connection.abort(kind(f"the connection with {connection.hop} was closed: {reason}"))

    def _stop_checking(self) -> None:
        if self._check is not None and self._check.active():
            self._check.cancel()
        self._check = None

    def _abort_all(self) -> None:
        for connection in tuple(self._all):
            connection.abort(TransportError(f"{self.name} is closed"))
