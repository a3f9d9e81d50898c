"""Connections for sessions: being connected to, and connecting (RFC 4975 5.4; RFC 6135 tells who does
which)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IAddress
from twisted.internet.protocol import Factory
from twisted.python.failure import Failure

from msrplib.connection import MSRPConnection
from msrplib.drops import log
from msrplib.errors import BindTimeoutError, ConnectionClosedError, FingerprintError, as_failure
from msrplib.handler import TraceHook
from msrplib.limits import Limits
from msrplib.session import MSRPSession
from msrplib.uri import DEFAULT_PORT, MSRPURI

if TYPE_CHECKING:
    from msrplib.tls import TLSParameters

__all__ = ["MSRPConnector", "MSRPListener"]

DISCARD_PORT = 9
"""RFC 6135 4.2: the port of a side that only connects."""


class _ConnectionFactory(Factory):
    """Makes the protocol of each connection."""

    noisy = False

    def __init__(self, build: Any) -> None:
        self._build = build

    def buildProtocol(self, addr: IAddress | None) -> MSRPConnection | None:
        connection: MSRPConnection | None = self._build()
        return connection


class ClientFactory(_ConnectionFactory):
    """As IReactorTCP.connectTCP wants it."""

    def __init__(self, build: Any, failed: Any) -> None:
        super().__init__(build)
        self._failed = failed

    def startedConnecting(self, connector: Any) -> None:
        pass

    def clientConnectionFailed(self, connector: Any, reason: Failure) -> None:
        self._failed(reason)

    def clientConnectionLost(self, connector: Any, reason: Failure) -> None:
        pass


class _Expectation:
    """A session that waits to be connected to."""

    __slots__ = ("deferred", "session", "timer")

    def __init__(self, session: MSRPSession, deferred: Deferred[MSRPSession], timer: Any) -> None:
        self.session = session
        self.deferred = deferred
        self.timer = timer


class MSRPListener:
    """Listens on a port and binds each connection to the session that its first request names in its To-Path.

    :param reactor: IReactorTCP and IReactorTime
    :param interface: the address to listen on; '' for all of IPv4
    :param port: 0 for any that is free
    :param tls: a certificate and key, and how clients are verified; None for TCP
    :param advertised_host: the host of `new_uri()`; needed when `interface` is '' or not what the peer can
        reach
    :param on_trace: gets each chunk that is received or sent
    """

    def __init__(
        self,
        reactor: Any,
        interface: str = "",
        port: int = 0,
        *,
        tls: TLSParameters | None = None,
        advertised_host: str | None = None,
        limits: Limits | None = None,
        on_trace: TraceHook | None = None,
    ) -> None:
        self._reactor = reactor
        self._interface = interface
        self._wanted_port = port
        self._tls = tls
        self._host = advertised_host or interface
        self._limits = limits or Limits()
        self._on_trace = on_trace
        self._port: Any = None
        self._expected: dict[MSRPURI, _Expectation] = {}
        self._bound: dict[MSRPURI, MSRPSession] = {}
        self._unbound: dict[MSRPConnection, Any] = {}  # connections of no session yet, and their timers

    @property
    def port(self) -> int:
        """The port that is listened on, also when 0 was asked for. 0 before `start()`."""
        return int(self._port.getHost().port) if self._port is not None else 0

    def start(self) -> None:
        """Listen. Harmless when it does already.

        :raises twisted.internet.error.CannotListenError: the port is in use
        """
        if self._port is not None:
            return
        factory: Any = _ConnectionFactory(self._build)
        if self._tls is not None:
            from msrplib.tls import wrap_server

            factory = wrap_server(factory, self._tls, self._reactor)
        self._port = self._reactor.listenTCP(self._wanted_port, factory, interface=self._interface)

    def new_uri(self) -> MSRPURI:
        """A URI of this port with a fresh session id, for `MSRPSession(local_path=…)` and `a=path`.

        :raises ValueError: no host to put into it is known
        """
        if not self._host:
            raise ValueError("advertised_host is needed, as the listener listens on all addresses")
        return MSRPURI.new(self._host, self.port, self._tls is not None)

    def expect(self, session: MSRPSession, timeout: float | None = None) -> Deferred[MSRPSession]:
        """Wait for the connection of a session, known by its `local_uri`.

        The peer may connect before our user knows the answer: expect the session as soon as its URI is
        offered, with no `remote_path` yet.

        :param timeout: seconds; `Limits.connect_timeout` when None
        :return: fires with the session once it is bound; fails with BindTimeoutError, or with
            ConnectionClosedError when session or listener are closed first; `cancel()` it to give up
        :raises ValueError: a session with that URI is expected already, or bound
        """
        uri = session.local_uri
        if uri in self._expected or uri in self._bound:
            raise ValueError("a session with that URI is expected already")

        def cancel(deferred: Deferred[MSRPSession]) -> None:
            self._forget(uri)

        deferred: Deferred[MSRPSession] = Deferred(cancel)
        if timeout is None:
            timeout = self._limits.connect_timeout
        timer = self._reactor.callLater(timeout, self._timed_out, uri)
        self._expected[uri] = _Expectation(session, deferred, timer)
        session.binding.expect_outcome(lambda failure: self._settled(uri, failure))
        return deferred

    def stop(self) -> Deferred[None]:
        """Listen no more; sessions that are bound go on. Fires when the port is free."""
        for uri in list(self._expected):
            self._settled(uri, as_failure(ConnectionClosedError("the listener was stopped")))
        for connection in list(self._unbound):
            connection.abort()
        port, self._port = self._port, None
        if port is None:
            return succeed(None)
        stopped = port.stopListening()
        return stopped if isinstance(stopped, Deferred) else succeed(None)

    def _build(self) -> MSRPConnection | None:
        if len(self._unbound) >= self._limits.max_connections:
            log.dropped("connection refused: %d others say nothing", len(self._unbound))
            return None
        connection = MSRPConnection(self._reactor, self, self._limits, self._on_trace, self._tls is not None)
        self._unbound[connection] = self._reactor.callLater(
            self._limits.bind_timeout, connection.fail, "no session was bound to it in time"
        )
        return connection

    def _timed_out(self, uri: MSRPURI) -> None:
        self._settled(uri, as_failure(BindTimeoutError("nobody connected to the session in time")))

    def _settled(self, uri: MSRPURI, failure: Failure | None) -> None:
        expectation = self._forget(uri)
        if expectation is None:
            return
        if failure is None:
            expectation.deferred.callback(expectation.session)
        else:
            expectation.deferred.errback(failure)

    def _forget(self, uri: MSRPURI) -> _Expectation | None:
        expectation = self._expected.pop(uri, None)
        if expectation is not None:
            expectation.session.binding.expect_outcome(None)
            if expectation.timer.active():
                expectation.timer.cancel()
        return expectation

    # ConnectionOwner

    def connection_ready(self, connection: MSRPConnection) -> None:
        pass

    def session_for(self, connection: MSRPConnection, uri: MSRPURI) -> MSRPSession | int:
        expectation = self._expected.get(uri)
        if expectation is None:
            # RFC 4975 10.10: 506, the session is bound to another connection already.
            bound = self._bound.get(uri)
            return 506 if bound is not None and not bound.is_closed else 481
        session = expectation.session
        if not connection.has_fingerprint(session.remote_fingerprint):
            return 403
        if not connection.takes_sessions:
            return 403
        timer = self._unbound.pop(connection, None)
        if timer is not None:
            timer.cancel()
        self._bound[uri] = session
        session.on_closed(lambda: self._bound.pop(uri, None))
        session.binding.bound(connection)
        return session

    def connection_lost(self, connection: MSRPConnection, reason: Failure) -> None:
        timer = self._unbound.pop(connection, None)
        if timer is not None and timer.active():
            timer.cancel()


class _Attempt:
    """Connecting and binding of one session."""

    def __init__(self, connector: MSRPConnector, session: MSRPSession, hop: MSRPURI) -> None:
        self.session = session
        self.hop = hop
        self.deferred: Deferred[MSRPSession] = Deferred(lambda _: self._give_up())
        self.timer: Any = None
        self.socket: Any = None  # IConnector
        self.shares = True
        self.awaited: MSRPConnection | None = None  # the connection that is being made for it
        self._connector = connector
        self._connection: MSRPConnection | None = None
        self._is_done = False

    def attach(self, connection: MSRPConnection) -> None:
        self._connection = connection
        if not connection.has_fingerprint(self.session.remote_fingerprint):
            self.settled(as_failure(FingerprintError("the peer has another certificate than it announced")))
            return
        self.session.binding.attach(connection)

    def settled(self, failure: Failure | None) -> None:
        if self._is_done:
            return
        if failure is not None:
            self._give_up()
            self.deferred.errback(failure)
        else:
            self._finish()
            self.deferred.callback(self.session)

    def _finish(self) -> None:
        self._is_done = True
        self._connector.forget(self)
        self.session.binding.expect_outcome(None)
        if self.timer is not None and self.timer.active():
            self.timer.cancel()

    def _give_up(self) -> None:
        self._finish()
        self.session.binding.detach()
        if self._connection is None:
            if self.socket is not None:
                self.socket.disconnect()
        elif not self._connection.session_count:
            self._connection.close()


class MSRPConnector:
    """Connects out for sessions; those to the same peer share one connection (RFC 4975 5.4).

    :param reactor: IReactorTCP and IReactorTime
    :param tls: how servers are verified, and our certificate, for `msrps` URIs; by default the CAs of the
        system
    :param bind_address: (host, port) to connect from
    :param share: let sessions to the same host, port and scheme share a connection
    :param on_trace: gets each chunk that is received or sent
    """

    def __init__(
        self,
        reactor: Any,
        *,
        tls: TLSParameters | None = None,
        bind_address: tuple[str, int] | None = None,
        share: bool = True,
        limits: Limits | None = None,
        on_trace: TraceHook | None = None,
    ) -> None:
        self.attempts: set[_Attempt] = set()
        self._reactor = reactor
        self._tls = tls
        self._bind_address = bind_address
        self._share = share
        self._limits = limits or Limits()
        self._on_trace = on_trace
        self._connections: dict[tuple[str, int, bool], MSRPConnection] = {}
        self._waiting: dict[MSRPConnection, _Attempt] = {}

    def new_uri(self, host: str, secure: bool = False) -> MSRPURI:
        """A URI for the side that connects: it is never connected to, so it has port 9 (discard; RFC 6135
        4.2)."""
        return MSRPURI.new(host, DISCARD_PORT, secure)

    def connect(
        self, session: MSRPSession, timeout: float | None = None, *, share: bool = True
    ) -> Deferred[MSRPSession]:
        """Connect to the first hop of the session and bind it with an empty SEND (RFC 4975 5.4).

        :param timeout: seconds for everything together; `Limits.connect_timeout` when None
        :param share: False: a connection that no other session has or gets
        :return: fires with the session when the peer answered 200; fails with MSRPResponseError (481, 506,
            408), CertificateError, FingerprintError, BindTimeoutError, ConnectionClosedError, or what connecting fails
            with;
            `cancel()` it to give up
        :raises SessionStateError: the session has no remote path, or is bound or closed already
        """
        hop = session.next_hop
        attempt = _Attempt(self, session, hop)
        session.binding.expect_outcome(attempt.settled)
        self.attempts.add(attempt)
        if timeout is None:
            timeout = self._limits.connect_timeout
        attempt.timer = self._reactor.callLater(
            timeout, lambda: attempt.settled(as_failure(BindTimeoutError("no answer from the peer in time")))
        )
        by_fingerprint = self._tls is not None and self._tls.verify == "fingerprint"
        if hop.secure and by_fingerprint and session.remote_fingerprint is None:
            attempt.settled(as_failure(FingerprintError("the peer announced no fingerprint of its certificate")))
            return attempt.deferred
        key = (hop.host.lower(), hop.port or DEFAULT_PORT, hop.secure)
        attempt.shares = share and self._share
        shared = self._connections.get(key) if attempt.shares else None
        if shared is not None and shared.takes_sessions:
            attempt.attach(shared)
            return attempt.deferred
        connection = MSRPConnection(self._reactor, self, self._limits, self._on_trace, hop.secure)
        self._waiting[connection] = attempt
        attempt.awaited = connection
        factory: Any = ClientFactory(lambda: connection, attempt.settled)
        if hop.secure:
            from msrplib.tls import TLSParameters, wrap_client

            factory = wrap_client(factory, self._tls or TLSParameters(), hop.host, self._reactor)
        attempt.socket = self._reactor.connectTCP(
            hop.host, key[1], factory, timeout=timeout, bindAddress=self._bind_address
        )
        return attempt.deferred

    def forget(self, attempt: _Attempt) -> None:
        """The attempt is over, whatever becomes of the connection that was being made for it."""
        self.attempts.discard(attempt)
        if attempt.awaited is not None:
            self._waiting.pop(attempt.awaited, None)

    # ConnectionOwner

    def connection_ready(self, connection: MSRPConnection) -> None:
        attempt = self._waiting.pop(connection, None)
        if attempt is None or attempt not in self.attempts:
            connection.abort()
            return
        hop = attempt.hop
        if attempt.shares:
            self._connections[(hop.host.lower(), hop.port or DEFAULT_PORT, hop.secure)] = connection
        attempt.attach(connection)

    def session_for(self, connection: MSRPConnection, uri: MSRPURI) -> MSRPSession | int:
        return 481

    def connection_lost(self, connection: MSRPConnection, reason: Failure) -> None:
        for key, known in list(self._connections.items()):
            if known is connection:
                del self._connections[key]
        attempt = self._waiting.pop(connection, None)
        if attempt is not None:
            attempt.settled(reason)
