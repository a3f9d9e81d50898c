"""An MSRP connection: a Twisted protocol that carries one or more sessions (RFC 4975 5.4)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from twisted.internet.abstract import FileDescriptor
from twisted.internet.error import ConnectionClosed
from twisted.internet.interfaces import IHandshakeListener, IPushProducer
from twisted.internet.protocol import Protocol as TwistedProtocol
from twisted.internet.protocol import connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from msrplib.answers import encode_response, is_response_wanted
from msrplib.drops import faults, log
from msrplib.errors import (
    CertificateError,
    ConnectionClosedError,
    MSRPSyntaxError,
    ProtocolViolationError,
    as_failure,
)
from msrplib.handler import TraceHook
from msrplib.limits import Limits
from msrplib.outbox import Outbox
from msrplib.outgoing import EncodedChunk
from msrplib.parser import ChunkData, ChunkStarted, Event, MSRPParser, ParseFailure
from msrplib.protocol import MSRPData
from msrplib.session import MSRPSession
from msrplib.transactions import Request, TransactionTable
from msrplib.uri import MSRPURI

__all__ = ["ConnectionOwner", "MSRPConnection"]

MAX_UNREAD_ANSWERS = 4 * 1024 * 1024
"""Octets of responses and reports that a peer may leave unread; then the connection is given up."""


class ConnectionOwner(Protocol):
    """Who made the connection: a listener or a connector."""

    def connection_ready(self, connection: MSRPConnection) -> None:
        """It is connected, and the TLS handshake, if any, is done."""

    def session_for(self, connection: MSRPConnection, uri: MSRPURI) -> MSRPSession | int:
        """The session that a first request with this To-Path binds to the connection, or the code of a
        refusal."""

    def connection_lost(self, connection: MSRPConnection, reason: Failure) -> None:
        """It is gone."""


@implementer(IHandshakeListener, IPushProducer)
class MSRPConnection(TwistedProtocol):
    """One connection.

    :param reactor: IReactorTime
    :param owner: who made it
    :param secure: it runs over TLS
    """

    transport: Any

    def __init__(
        self,
        reactor: Any,
        owner: ConnectionOwner,
        limits: Limits,
        on_trace: TraceHook | None = None,
        secure: bool = False,
    ) -> None:
        self.seconds: Callable[[], float] = reactor.seconds
        self.call_later: Callable[..., Any] = reactor.callLater
        self.secure = secure
        self.local_address = self.remote_address = ""
        self.transactions = TransactionTable(limits)
        self.outbox = Outbox(self, self.transactions, limits, False)
        self._owner = owner
        self._limits = limits
        self._on_trace = on_trace
        self._parser = MSRPParser(limits, on_trace is not None)
        self._sessions: dict[str, MSRPSession] = {}  # by the text of their local URI
        self._streaming: MSRPSession | None = None  # whose chunk comes in pieces
        self._gathered: list[bytes] | None = None
        self._tells_drained = False
        self._is_congested = False
        self._unread = 0
        self._paused_readers = 0
        self._transaction_timer: Any = None
        self._wake_timer: Any = None
        self._close_timer: Any = None
        self._close_reason: Failure | None = None
        self.is_lost = False
        self.is_closing = False

    # The Twisted side

    def connectionMade(self) -> None:
        transport = self.transport
        self.local_address = _address_text(transport.getHost())
        self.remote_address = _address_text(transport.getPeer())
        if hasattr(transport, "setTcpNoDelay"):
            transport.setTcpNoDelay(True)
        # A socket asks a pull producer for more each time it has sent all that it had, which is what the
        # outbox goes by. Other transports have a push producer: they ask it to pause and to go on.
        self._tells_drained = isinstance(transport, FileDescriptor)
        self.outbox = Outbox(self, self.transactions, self._limits, self._tells_drained)
        transport.registerProducer(self, not self._tells_drained)
        if not self.secure:
            self._owner.connection_ready(self)

    def handshakeCompleted(self) -> None:
        self._owner.connection_ready(self)

    def dataReceived(self, data: bytes) -> None:
        if self.is_closing:
            return
        self.outbox.tell()
        gathered: list[bytes] = []
        self._gathered = gathered
        try:
            events = self._parser.feed(data)
            octets = self._parser.octets
            for index, event in enumerate(events):
                if octets is not None:
                    self._trace("incoming", octets[index])
                if type(event) is MSRPData:
                    if event.code is None:
                        self._request_received(event)
                    else:
                        self._response_received(event)
                else:
                    self._part_received(event)
                if self.is_closing:
                    break
        finally:
            self._gathered = None
            if gathered and self.transport is not None:
                self.transport.write(gathered[0] if len(gathered) == 1 else b"".join(gathered))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self.is_lost = True
        self.outbox.closed = True
        for timer in (self._transaction_timer, self._wake_timer, self._close_timer):
            if timer is not None and timer.active():
                timer.cancel()
        if self._close_reason is not None:
            reason = self._close_reason
        elif self.secure and not reason.check(ConnectionClosed):
            from msrplib.tls import describe_failure

            reason = as_failure(CertificateError(f"no TLS connection with the peer: {describe_failure(reason)}"))
        else:
            how = "by the peer" if self._parser.is_between_chunks else "in the middle of a chunk"
            text = f"the connection was closed {how}: {reason.getErrorMessage()}"
            reason = as_failure(ConnectionClosedError(text))
        sessions = list(self._sessions.values())
        self._sessions.clear()
        self._owner.connection_lost(self, reason)
        for session in sessions:
            session.binding.connection_lost(reason)

    def resumeProducing(self) -> None:
        self._is_congested = False
        self._unread = 0
        self.outbox.drained()

    def pauseProducing(self) -> None:
        self._is_congested = True
        self.outbox.pause()

    def stopProducing(self) -> None:
        self.outbox.closed = True

    # Writing

    def write(self, octets: bytes) -> None:
        """Write a response, a report, or a chunk that need not wait. Not bounded by the outbox, as no request
        can be left without its answer; a peer that reads none of them is not answered for ever."""
        if self._on_trace is not None:
            self._trace("outgoing", octets)
        if self._tells_drained or self._is_congested:
            self._unread += len(octets)
            if self._unread > MAX_UNREAD_ANSWERS:
                self.fail("the peer does not read its answers")
                return
        if self._gathered is not None:
            self._gathered.append(octets)
        elif self.transport is not None:
            self.transport.write(octets)

    def write_chunk(self, chunk: EncodedChunk) -> None:
        """Write a chunk of a message (from the outbox)."""
        parts = (chunk.head, chunk.body, chunk.tail)
        if self._on_trace is not None:
            self._trace("outgoing", b"".join(parts))
        if self._gathered is not None:
            self._gathered.extend(parts)
        elif self.transport is not None:
            if len(chunk.body) < 16384:
                self.transport.write(b"".join(parts))
            else:
                self.transport.writeSequence(parts)

    def _trace(self, direction: str, octets: bytes) -> None:
        assert self._on_trace is not None
        try:
            self._on_trace(direction, octets, self.local_address, self.remote_address)
        except Exception:
            faults.dropped("%s: the trace raised", self.remote_address, exc_info=True)

    def send_request(self, transaction_id: str, request: Request, octets: bytes) -> None:
        """Write a request that is no chunk of a message, and whose response is awaited."""
        self.transactions.add(transaction_id, request, self.seconds())
        self.transaction_added()
        self.write(octets)

    def transaction_added(self) -> None:
        if self._transaction_timer is None:
            self._arm_transaction_timer()

    def wake(self) -> None:
        """Come back to the outbox in the next turn of the reactor."""
        if self._wake_timer is None:
            self._wake_timer = self.call_later(0, self._awake)

    def _awake(self) -> None:
        self._wake_timer = None
        if self._tells_drained or self._is_congested:
            self.outbox.tell()
        else:
            self.outbox.drained()

    def _arm_transaction_timer(self) -> None:
        deadline = self.transactions.next_deadline()
        if deadline is not None:
            self._transaction_timer = self.call_later(max(0.0, deadline - self.seconds()), self._expire_transactions)

    def _expire_transactions(self) -> None:
        self._transaction_timer = None
        for request in self.transactions.expire(self.seconds()):
            request.session.transaction_timed_out(request)
        if not self.is_lost and self._transaction_timer is None:
            self._arm_transaction_timer()
            self.outbox.pump()

    # Reading

    def pause_reading(self) -> None:
        """Counted: reading goes on when as many have resumed as paused."""
        self._paused_readers += 1
        if self._paused_readers == 1 and self.transport is not None:
            self.transport.pauseProducing()

    def resume_reading(self) -> None:
        self._paused_readers -= 1
        if self._paused_readers == 0 and self.transport is not None and not self.is_lost:
            self.transport.resumeProducing()

    def _request_received(self, chunk: MSRPData) -> None:
        session = self._find_session(chunk)
        if session is not None:
            session.request_received(chunk)

    def _response_received(self, response: MSRPData) -> None:
        transactions = self.transactions
        was_full = transactions.is_full
        request = transactions.pop(response.transaction_id)
        if request is None:
            # That of a chunk that was sent raw, or that came too late, or of nothing at all.
            return
        request.session.response_received(request, response)
        if was_full:
            self.outbox.pump()

    def _part_received(self, event: Event) -> None:
        if isinstance(event, ParseFailure):
            self.fail(event.reason)
            return
        chunk = event.chunk if not isinstance(event, MSRPData) else event
        if isinstance(event, ChunkStarted):
            self._streaming = self._find_session(chunk) if chunk.code is None else None
            if self._streaming is not None:
                self._streaming.chunk_started(chunk)
            return
        session = self._streaming
        if session is None or session.is_closed:
            return
        if isinstance(event, ChunkData):
            session.chunk_data(chunk, event.data)
        else:
            self._streaming = None
            session.chunk_ended(chunk)

    def _find_session(self, chunk: MSRPData) -> MSRPSession | None:
        """The session of a request; None when it was refused."""
        headers = chunk.headers
        session = self._sessions.get(headers.get("To-Path", ""))
        if session is not None and "From-Path" in headers:
            if not session.is_bound:
                session.binding.bound(self)
            return session
        try:
            if not chunk.from_path:
                raise MSRPSyntaxError("no From-Path")
            if not chunk.to_path:
                raise MSRPSyntaxError("no To-Path")
        except MSRPSyntaxError as error:
            log.dropped("%s: request refused: %s", self.remote_address, error)
            if headers.get("From-Path") and headers.get("To-Path"):
                self.respond(chunk, 400, None, headers["To-Path"])
            return None
        found: MSRPSession | int = 481
        if len(chunk.to_path) == 1:
            uri = chunk.to_path[0]
            # RFC 4975 6.1: another spelling of the same URI.
            found = next((session for session in self._sessions.values() if session.local_uri == uri), 481)
            if found == 481:
                found = self._owner.session_for(self, uri)
        if isinstance(found, int):
            # RFC 4975 10.8, 10.10: no such session here; in use on another connection.
            log.dropped("%s: request refused with %d", self.remote_address, found)
            self.respond(chunk, found, None, headers["To-Path"])
            return None
        return found

    def respond(self, chunk: MSRPData, code: int, comment: str | None, local_uri: str) -> None:
        """Answer a request if an answer is wanted (RFC 4975 7.2)."""
        if is_response_wanted(chunk, code):
            self.write(encode_response(chunk, code, comment, local_uri))

    # Sessions

    @property
    def session_count(self) -> int:
        return len(self._sessions)

    @property
    def takes_sessions(self) -> bool:
        """One more session may be bound to it."""
        is_open = not self.is_closing and not self.is_lost
        return is_open and len(self._sessions) < self._limits.max_sessions_per_connection

    def add(self, session: MSRPSession) -> None:
        self._sessions[str(session.local_uri)] = session

    def release(self, session: MSRPSession) -> None:
        """A session ends; the connection ends with its last."""
        if self._sessions.pop(str(session.local_uri), None) is None:
            return
        if self._streaming is session:
            self._streaming = None

        def is_of_session(request: Request) -> bool:
            return request.session is session

        self.transactions.discard(is_of_session)
        self.outbox.discard(is_of_session)
        if not self._sessions:
            self.close()

    def has_fingerprint(self, fingerprint: str | None) -> bool:
        """The peer's certificate has this fingerprint, or none is asked for, or there is no TLS."""
        if fingerprint is None or not self.secure:
            return True
        from msrplib.tls import matches_fingerprint

        return matches_fingerprint(self.transport.getPeerCertificate(), fingerprint)

    # The end

    def close(self) -> None:
        """Close once what was written has left, at the latest after `Limits.close_timeout`."""
        if self.is_lost or self.is_closing or self.transport is None:
            return
        self.is_closing = True
        if self._gathered:
            self.transport.write(b"".join(self._gathered))
            self._gathered.clear()
        self.transport.unregisterProducer()
        self.outbox.closed = True
        if self._paused_readers:
            self._paused_readers = 0
            self.transport.resumeProducing()
        self._close_timer = self.call_later(self._limits.close_timeout, self.abort)
        self.transport.loseConnection()

    def fail(self, reason: str) -> None:
        """What the peer does is of no more use: close at once."""
        if self.is_lost or self._close_reason is not None:
            return
        log.dropped("%s: connection closed: %s", self.remote_address, reason)
        self._close_reason = as_failure(ProtocolViolationError(reason))
        self.close()
        self.abort()

    def abort(self) -> None:
        """Close without waiting."""
        if self.transport is not None and not self.is_lost:
            self.is_closing = True
            self.transport.abortConnection()


def _address_text(address: Any) -> str:
    host = getattr(address, "host", None)
    if host is None:
        return str(address)
    return f"[{host}]:{address.port}" if ":" in host else f"{host}:{address.port}"
