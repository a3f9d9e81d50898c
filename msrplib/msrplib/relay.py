"""Relays (RFC 4976): a connection to one, on which a session is reached that can't be connected to.

The client connects, authenticates itself with AUTH, and is given a Use-Path: the URIs of the relay that lead to it.
They come before its own URI in `a=path`, and so in `MSRPSession(leg.path)`. The session is then bound over the
connection of the leg, in the way of either side: it sends first (`connect`), or waits (`expect`). The authorization is
renewed before it expires.
"""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from msrplib.connection import MSRPConnection
from msrplib.digest import DigestChallenge, DigestError
from msrplib.drops import log, logger
from msrplib.errors import (
    BindTimeoutError,
    ConnectionClosedError,
    MSRPError,
    MSRPSyntaxError,
    SessionStateError,
    as_failure,
)
from msrplib.identifiers import new_transaction_id
from msrplib.limits import Limits
from msrplib.protocol import MSRPData
from msrplib.transport import ClientFactory
from msrplib.uri import DEFAULT_PORT, MSRPURI, parse_path

if TYPE_CHECKING:
    from msrplib.handler import TraceHook
    from msrplib.session import MSRPSession
    from msrplib.tls import TLSParameters

__all__ = ["RelayAuthenticationError", "RelayError", "RelayLeg"]

MAX_ATTEMPTS = 3
"""AUTH requests until the relay has to agree: one without credentials, one with, one more where a nonce was stale."""
MIN_EXPIRES, MAX_EXPIRES = 10, 86_400
"""Seconds that an authorization is taken to last, whatever the relay says."""
DEFAULT_EXPIRES = 900
RENEWAL = 0.8
"""The part of its time after which an authorization is renewed."""


class RelayError(MSRPError):
    """The relay can't be used; the text says why."""


class RelayAuthenticationError(RelayError):
    """The relay does not accept the credentials."""


class _State(Enum):
    NEW = "new"
    CONNECTING = "connecting"
    AUTHORIZED = "authorized"
    CLOSED = "closed"


class _Auth:
    """One AUTH request, in the table of transactions of the connection."""

    failure_report = "yes"

    def __init__(self, leg: RelayLeg) -> None:
        self.session = leg


class RelayLeg:
    """A connection to a relay, for one session.

    :param reactor: IReactorTCP and IReactorTime
    :param relay: its URI, without a session id
    :param uri: the URI of the session itself, the last of its path
    :param username, password: what it is authorized with
    :param address: where the relay is, host and port, if it was looked up; by default what its URI says
    :param tls: how the relay is verified when its URI is `msrps`; by default the CAs of the system
    :param on_trace: gets each chunk that is received or sent

    :ivar use_path: the URIs that lead to us, once authorized: `(*leg.use_path, leg.uri)` is our path
    :ivar expires: seconds that the relay has given us
    """

    def __init__(
        self,
        reactor: Any,
        relay: MSRPURI,
        uri: MSRPURI,
        username: str,
        password: str,
        *,
        address: tuple[str, int] | None = None,
        tls: TLSParameters | None = None,
        limits: Limits | None = None,
        on_trace: TraceHook | None = None,
    ) -> None:
        self.relay = relay
        self.uri = uri
        self.use_path: tuple[MSRPURI, ...] = ()
        self.expires = 0
        self._reactor = reactor
        self._address = address or (relay.host, relay.port or DEFAULT_PORT)
        self._username = username
        self._password = password
        self._tls = tls
        self._limits = limits or Limits()
        self._on_trace = on_trace
        self._state = _State.NEW
        self._connection: MSRPConnection | None = None
        self._socket: Any = None
        self._authorized: Deferred[RelayLeg] | None = None
        self._timer: Any = None
        self._challenge: DigestChallenge | None = None
        self._uses = 0
        self._attempts = 0
        self._session: MSRPSession | None = None
        self._expected: Deferred[MSRPSession] | None = None

    def __repr__(self) -> str:
        return f"<RelayLeg {self.relay} {self._state.value}>"

    @property
    def path(self) -> tuple[MSRPURI, ...]:
        """What goes into `a=path`."""
        return (*self.use_path, self.uri)

    # Getting authorized

    def authorize(self, timeout: float | None = None) -> Deferred[RelayLeg]:
        """Connect and get authorized.

        :param timeout: seconds for all of it; `Limits.connect_timeout` when None
        :return: fires with the leg; fails with RelayAuthenticationError, RelayError, CertificateError,
            BindTimeoutError, ConnectionClosedError, or what connecting fails with; `cancel()` it to give up
        :raises SessionStateError: it was called before
        """
        if self._state is not _State.NEW:
            raise SessionStateError(f"a leg that is {self._state.value} can not be authorized again")
        self._state = _State.CONNECTING
        self._authorized = Deferred(self._cancelled)
        seconds = self._limits.connect_timeout if timeout is None else timeout
        self._timer = self._reactor.callLater(seconds, self._timed_out)
        connection = MSRPConnection(self._reactor, self, self._limits, self._on_trace, self.relay.secure)
        factory: Any = ClientFactory(lambda: connection, self._fail)
        if self.relay.secure:
            from msrplib.tls import TLSParameters, wrap_client

            factory = wrap_client(factory, self._tls or TLSParameters(), self.relay.host, self._reactor)
        self._socket = self._reactor.connectTCP(*self._address, factory, timeout=seconds)
        return self._authorized

    def _cancelled(self, _: object) -> None:
        self._authorized = None
        self.close()

    def _timed_out(self) -> None:
        self._timer = None
        self._fail(as_failure(BindTimeoutError("no authorization from the relay in time")))

    def _send_auth(self) -> None:
        connection = self._connection
        assert connection is not None
        self._attempts += 1
        transaction_id = new_transaction_id()
        # RFC 4976 5.1: to the relay alone, with the URI that it is for
        headers = {"To-Path": str(self.relay), "From-Path": str(self.uri)}
        if self._challenge is not None:
            self._uses += 1
            headers["Authorization"] = self._challenge.answer(
                self._username, self._password, "AUTH", str(self.relay), self._uses
            )
        request = MSRPData(transaction_id, "AUTH", None, "", headers, b"", "$")
        connection.send_request(transaction_id, _Auth(self), request.encode())

    def response_received(self, message: object, response: MSRPData) -> None:
        """The connection tells of the answer to an AUTH."""
        if self._state is _State.CLOSED:
            return
        code = response.code or 0
        if code == 200:
            self._agreed(response)
        elif code == 401 and self._attempts < MAX_ATTEMPTS:
            self._challenged(response)
        elif code in (401, 403):
            self._fail(as_failure(RelayAuthenticationError(f"the relay refuses us: {code} {response.comment}")))
        else:
            self._fail(as_failure(RelayError(f"the relay refuses us: {code} {response.comment}")))

    def transaction_timed_out(self, message: object) -> None:
        """No answer to an AUTH."""
        self._fail(as_failure(RelayError("the relay does not answer")))

    def _challenged(self, response: MSRPData) -> None:
        try:
            challenge = DigestChallenge.parse(response.headers.get("WWW-Authenticate", ""))
        except DigestError as error:
            self._fail(as_failure(RelayError(str(error))))
            return
        if self._challenge is not None and not challenge.stale and self._attempts > 1 and self._uses == 1:
            # the credentials were just refused, and will be again
            self._fail(as_failure(RelayAuthenticationError("the relay does not accept the credentials")))
            return
        self._challenge, self._uses = challenge, 0
        self._send_auth()

    def _agreed(self, response: MSRPData) -> None:
        try:
            use_path = parse_path(response.headers.get("Use-Path", ""))
        except MSRPSyntaxError as error:
            self._fail(as_failure(RelayError(f"the relay gives no path that can be used: {error}")))
            return
        self._attempts = 0
        self.expires = _seconds(response.headers.get("Expires"))
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._reactor.callLater(self.expires * RENEWAL, self._renew)
        if self._state is _State.CONNECTING:
            self._state = _State.AUTHORIZED
            self.use_path = use_path
            authorized, self._authorized = self._authorized, None
            if authorized is not None:
                authorized.callback(self)
        elif use_path != self.use_path:
            # Kamailio gives another one each time. Nobody could tell the peer of it, and what came over this connection
            # goes on coming: the first path is used for as long as the relay takes it.
            logger.info("%s gave another path at the renewal; the first one is used on", self.relay)

    def _renew(self) -> None:
        self._timer = None
        self._send_auth()

    # The session

    def expect(self, session: MSRPSession) -> Deferred[MSRPSession]:
        """Have the session bound by the peer's first request; fires with it then, fails when it ends first."""
        self._take(session)
        self._expected = Deferred(lambda _: None)
        session.binding.expect_outcome(self._settled)
        return self._expected

    def connect(self, session: MSRPSession) -> Deferred[MSRPSession]:
        """Bind the session by a first request of ours along its remote path; fires with it, or fails.

        It may have been expected before.
        """
        self._take(session)
        self._expected = Deferred(lambda _: None)
        session.binding.expect_outcome(self._settled)
        assert self._connection is not None
        session.binding.attach(self._connection)
        return self._expected

    def _take(self, session: MSRPSession) -> None:
        if self._state is not _State.AUTHORIZED:
            raise SessionStateError(f"a leg that is {self._state.value} takes no session")
        if self._session not in (None, session):
            raise SessionStateError("a leg takes one session")
        self._session = session
        session.on_closed(self.close)

    def _settled(self, failure: Failure | None) -> None:
        expected, self._expected = self._expected, None
        if expected is not None and not expected.called:
            if failure is None:
                assert self._session is not None
                expected.callback(self._session)
            else:
                expected.errback(failure)

    # The end

    def close(self) -> None:
        """Give the leg up, with the session on it if there is one. Harmless when it is closed."""
        self._end(as_failure(ConnectionClosedError("the leg was closed")))

    def _fail(self, reason: Failure) -> None:
        if self._state is not _State.CLOSED:
            log.dropped("%s: relay given up: %s", self.relay, reason.getErrorMessage())
        self._end(reason)

    def _end(self, reason: Failure) -> None:
        if self._state is _State.CLOSED:
            return
        self._state = _State.CLOSED
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        session = self._session
        if session is not None and not session.is_closed:
            session.fail(reason)
        if self._connection is not None:
            self._connection.close()
        elif self._socket is not None:
            self._socket.disconnect()
        authorized, self._authorized = self._authorized, None
        if authorized is not None and not authorized.called:
            authorized.errback(reason)

    # ConnectionOwner

    def connection_ready(self, connection: MSRPConnection) -> None:
        if self._state is not _State.CONNECTING:
            connection.abort()
            return
        self._connection = connection
        self._send_auth()

    def session_for(self, connection: MSRPConnection, uri: MSRPURI) -> MSRPSession | int:
        session = self._session
        if session is None or session.is_closed or uri != self.uri:
            return 481
        session.binding.bound(connection)
        return session

    def connection_lost(self, connection: MSRPConnection, reason: Failure) -> None:
        self._end(reason)


def _seconds(text: str | None) -> int:
    text = (text or "").strip()
    seconds = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else DEFAULT_EXPIRES
    return max(MIN_EXPIRES, min(seconds, MAX_EXPIRES))
