"""One MSRP session (RFC 4975 5.4, 7): messages out, messages in, responses and reports."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from msrplib.answers import encode_report
from msrplib.binding import Binding, SessionState
from msrplib.delivery import DeliveryTable
from msrplib.errors import (
    ConnectionClosedError,
    FingerprintError,
    MSRPSyntaxError,
    QueueFullError,
    SessionStateError,
    as_failure,
)
from msrplib.handler import Refusal, SessionHandler
from msrplib.identifiers import new_message_id
from msrplib.limits import Limits
from msrplib.nickname import format_nickname
from msrplib.outgoing import ContentSource, EncodedChunk, OutgoingMessage
from msrplib.protocol import REASONS, ByteRange, MSRPData, Status, check_header
from msrplib.receiving import Receiver
from msrplib.requests import PendingRequest, PendingRequests
from msrplib.telling import tell
from msrplib.uri import MSRPURI, format_path

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred
    from twisted.python.failure import Failure

    from msrplib.connection import MSRPConnection

__all__ = ["MSRPSession", "SessionState"]


class MSRPSession:
    """One session. It is bound to a connection by MSRPListener or MSRPConnector, and then sends and receives.

    :param local_path: what goes into our `a=path`: the URIs of our relays, then our own
    :param remote_path: what came in the peer's `a=path`; may be set later (`session.remote_path = …`), as an
        offerer may be connected to before it has seen the answer (RFC 4975 5.4)
    :param handler: whom it tells
    :param remote_fingerprint: the peer's `a=fingerprint` ('SHA-256 AB:CD:…'); over TLS its certificate must
        have it (RFC 4975 14.4). May be set later too; a session whose peer then turns out to have another
        certificate is closed
    """

    def __init__(
        self,
        local_path: Sequence[MSRPURI] | MSRPURI,
        remote_path: Sequence[MSRPURI] = (),
        handler: SessionHandler | None = None,
        limits: Limits | None = None,
        remote_fingerprint: str | None = None,
    ) -> None:
        self.local_path = (local_path,) if isinstance(local_path, MSRPURI) else tuple(local_path)
        if not self.local_path:
            raise ValueError("a session needs a URI of its own")
        self.handler = handler if handler is not None else SessionHandler()
        self.limits = limits or Limits()
        self.binding = Binding(self)
        self._receiver = Receiver(self)
        self._deliveries = DeliveryTable(self)
        self._requests = PendingRequests(self)
        self._waiting: list[OutgoingMessage] = []  # for the session to be bound
        self._queued_size = 0
        self._on_closed: Callable[[], object] | None = None
        self._is_paused = False
        self._local_text = str(self.local_path[-1])
        self._path_headers: tuple[str, str] = ("", "")
        self._path_text = ""
        self._remote_fingerprint = remote_fingerprint
        self.remote_path = tuple(remote_path)

    def __repr__(self) -> str:
        # Who knows the session id may join the session, so it is not shown.
        uri = self.local_path[-1]
        return f"<MSRPSession {uri.host}:{uri.port} {self.binding.state.value}>"

    @property
    def remote_path(self) -> tuple[MSRPURI, ...]:
        """What came in the peer's `a=path`; empty while it is not known."""
        return self._remote_path

    @remote_path.setter
    def remote_path(self, path: Sequence[MSRPURI]) -> None:
        self._remote_path = tuple(path)
        # RFC 4976 5: a request goes through our relays, nearest first, and then along the peer's path.
        to_path = format_path((*reversed(self.local_path[:-1]), *self._remote_path))
        self._path_headers = (to_path, self._local_text)
        self._path_text = f"To-Path: {to_path}\r\nFrom-Path: {self._local_text}\r\n"
        self.max_chunk_size = self.limits.max_chunk_size
        if len(self.local_path) > 1 or len(self._remote_path) > 1:
            self.max_chunk_size = min(self.max_chunk_size, self.limits.relay_chunk_size)
        self.send_waiting()

    @property
    def remote_fingerprint(self) -> str | None:
        return self._remote_fingerprint

    @remote_fingerprint.setter
    def remote_fingerprint(self, fingerprint: str | None) -> None:
        self._remote_fingerprint = fingerprint
        connection = self._connection
        if connection is not None and not connection.has_fingerprint(fingerprint):
            self.fail(as_failure(FingerprintError("the peer has another certificate than it announced")))

    @property
    def local_uri(self) -> MSRPURI:
        """Our own URI, the last of `local_path`."""
        return self.local_path[-1]

    @property
    def next_hop(self) -> MSRPURI:
        """Where requests go first: our nearest relay, or the first URI of the remote path."""
        hops = (*reversed(self.local_path[:-1]), *self._remote_path)
        if not hops:
            raise SessionStateError("the session has no remote path yet")
        return hops[0]

    @property
    def _connection(self) -> MSRPConnection | None:
        return self.binding.connection

    @property
    def state(self) -> SessionState:
        return self.binding.state

    @property
    def is_bound(self) -> bool:
        """A connection is there, and the session can send."""
        return self.binding.state is SessionState.BOUND

    @property
    def is_closed(self) -> bool:
        return self.binding.state is SessionState.CLOSED

    @property
    def local_address(self) -> str | None:
        """`host:port` of our end of the connection; None before it is bound."""
        return self._connection.local_address if self._connection is not None else None

    @property
    def remote_address(self) -> str | None:
        """`host:port` of the peer's end."""
        return self._connection.remote_address if self._connection is not None else None

    # Sending

    def send_message(
        self,
        content: bytes | ContentSource,
        content_type: str,
        message_id: str | None = None,
        success_report: str = "no",
        failure_report: str = "yes",
        headers: Iterable[tuple[str, str]] = (),
        size: int | None = None,
    ) -> OutgoingMessage:
        """Send a message, in as many chunks as it takes. It may be called before the session is bound: it
        then waits.

        A message in `bytes` of up to 16 KiB passes larger ones that are under way (RFC 4975 5.1). What
        becomes of it the handler hears later, never before this has returned.

        :param content: the octets, or a source (an open binary file) that they are pulled from
        :param content_type: the media type with its parameters
        :param message_id: a fresh one is made when None
        :param success_report: 'yes' asks the recipient for a REPORT: `message_delivered`
        :param failure_report: 'yes': responses are awaited, a missing one is 408; 'partial': failures only;
            'no': none
        :param headers: more headers, (name, value)
        :param size: octets of a source, when it is known
        :raises SessionStateError: the session is closed
        :raises QueueFullError: more than `Limits.max_queued_size` octets are waiting
        :raises ValueError: a message with that id is under way; a report value is none of those; a header has
            characters that it cannot have (MSRPSyntaxError)
        """
        if self.binding.state is SessionState.CLOSED:
            raise SessionStateError("the session is closed")
        if success_report not in ("yes", "no") or failure_report not in ("yes", "no", "partial"):
            raise ValueError("success_report is 'yes' or 'no', failure_report 'yes', 'no' or 'partial'")
        if message_id is None:
            message_id = new_message_id()
        else:
            check_header("Message-ID", message_id)
            if message_id in self._deliveries:
                raise ValueError("a message with that Message-ID is under way")
        check_header("Content-Type", content_type)
        if headers:
            headers = tuple(headers)
            for name, value in headers:
                check_header(name, value)
        message = OutgoingMessage(
            self, message_id, content, content_type, success_report, failure_report, tuple(headers), size
        )
        in_memory = len(content) if isinstance(content, bytes) else 0
        if self._queued_size + in_memory > self.limits.max_queued_size:
            raise QueueFullError("too much is waiting to be sent")
        self._queued_size += in_memory
        self._deliveries.add(message)
        connection = self._connection
        if connection is not None and self.binding.state is SessionState.BOUND and self._remote_path:
            connection.outbox.submit(message)
        else:
            self._waiting.append(message)
        return message

    def send_chunk(self, chunk: MSRPData) -> None:
        """Send a chunk as it is, now. Its response, if it is a request, comes to nobody.

        :raises SessionStateError: the session is not bound
        :raises MSRPSyntaxError: it has a header that cannot be sent
        """
        if self._connection is None:
            raise SessionStateError("the session is not bound")
        self._connection.write(chunk.encode())

    def send_request(self, method: str, headers: Iterable[tuple[str, str]] = ()) -> Deferred[MSRPData]:
        """Send a request of another method than SEND and REPORT, without a body, to the end of the path.

        :param headers: those beside the paths, (name, value)
        :return: fires with the response, whatever its code; fails with MSRPResponseError (408) when none comes in time,
            and when the session ends. To cancel it is to forget the request
        :raises SessionStateError: the session is not bound
        :raises QueueFullError: too many responses are awaited
        :raises ValueError: it is no such method; a header has characters that it cannot have (MSRPSyntaxError)
        """
        connection = self._connection
        if connection is None or not self.is_bound or not self._remote_path:
            raise SessionStateError("the session is not bound")
        if connection.transactions.is_full:
            raise QueueFullError("too many responses are awaited")
        request, octets = self._requests.new(method, headers)
        connection.send_request(request.transaction_id, request, octets)
        return request.response

    def send_nickname(self, nickname: str) -> Deferred[MSRPData]:
        """Ask a chat room for a nickname (RFC 7701 7.1): it is ours when the response is a 200.

        :param nickname: '' gives up the one that we have
        :return: as of `send_request`
        :raises SessionStateError, QueueFullError: as `send_request`
        :raises MSRPSyntaxError: it has characters that no nickname has
        """
        return self.send_request("NICKNAME", [("Use-Nickname", format_nickname(nickname))])

    def send_report(
        self,
        chunk: MSRPData,
        code: int = 200,
        comment: str | None = None,
        byte_range: ByteRange | None = None,
    ) -> None:
        """Send a REPORT on a SEND that was received (RFC 4975 7.1.2). The session does so by itself where it
        is asked for; this is for those that can only be sent later. Nothing is sent once the session is
        closed.

        :param byte_range: what it reports on; by default the octets of that chunk
        """
        if byte_range is None:
            byte_range = _octets_of(chunk)
        status = Status(code, REASONS.get(code, "") if comment is None else comment)
        check_header("Status", str(status))
        self._write_report(chunk, chunk.message_id or "", byte_range, status)

    def respond(self, chunk: MSRPData, code: int, comment: str | None = None) -> None:
        """Answer a request (RFC 4975 7.2), once, unless its Failure-Report says that no such answer is
        wanted.

        Never answers a REPORT.
        """
        if self._connection is None or chunk.answered:
            return
        chunk.answered = True
        self._connection.respond(chunk, code, comment, self._local_text)

    # Receiving

    def refuse_message(self, message_id: str, refusal: Refusal) -> bool:
        """Want no more of an incoming message that is under way: the answer, 413 as a rule, makes its sender stop.

        Its sink is not told. False when no such message is under way.
        """
        return self._receiver.refuse(message_id, refusal)

    def pause_receiving(self) -> None:
        """Read no more from the connection (that is shared with other sessions, if there are any)."""
        if not self._is_paused and self._connection is not None:
            self._is_paused = True
            self._connection.pause_reading()

    def resume_receiving(self) -> None:
        if self._is_paused and self._connection is not None:
            self._is_paused = False
            self._connection.resume_reading()

    # The end

    def close(self) -> None:
        """End the session. What was handed to the connection still leaves; what is queued or unanswered fails
        with 481. `session_closed(session, None)` is called before this returns. Harmless when it is closed
        already.
        """
        self._close(None)

    def fail(self, reason: Failure) -> None:
        """As `close()`, with a reason that `session_closed` gets."""
        self._close(reason)

    def _close(self, reason: Failure | None) -> None:
        self.resume_receiving()
        if not self.binding.close():
            return
        self._waiting.clear()
        text = "the session was closed" if reason is None else reason.getErrorMessage()
        self._receiver.close(text)
        self._deliveries.close(text)
        self._requests.close(reason if reason is not None else as_failure(ConnectionClosedError(text)))
        self.binding.closed(reason)
        if self._on_closed is not None:
            self._on_closed()
        tell(self, self.handler.session_closed, reason)

    # Below here: for transport and connection.

    def on_closed(self, callback: Callable[[], object]) -> None:
        """Whom to tell, before the handler, that the session has ended."""
        self._on_closed = callback

    def send_waiting(self) -> None:
        """Send what was waiting for the session to be bound, and for the remote path."""
        connection = self._connection
        if connection is None or self.binding.state is not SessionState.BOUND or not self._remote_path:
            return
        waiting = self._waiting
        self._waiting = []
        for message in waiting:
            connection.outbox.submit(message)

    def request_received(self, chunk: MSRPData) -> None:
        """A request with its whole body."""
        tell(self, self.handler.request_received, chunk)
        if self._connection is None:
            return
        if chunk.method == "SEND":
            self._receiver.chunk_received(chunk)
        else:
            self._other_request(chunk)

    def chunk_started(self, chunk: MSRPData) -> None:
        """A request whose body comes in pieces."""
        if chunk.method == "SEND":
            self._receiver.chunk_started(chunk)

    def chunk_data(self, chunk: MSRPData, data: bytes) -> None:
        if chunk.method == "SEND":
            self._receiver.chunk_data(chunk, data)

    def chunk_ended(self, chunk: MSRPData) -> None:
        tell(self, self.handler.request_received, chunk)
        if self._connection is None:
            return
        if chunk.method == "SEND":
            self._receiver.chunk_ended(chunk)
        else:
            self._other_request(chunk)

    def _other_request(self, chunk: MSRPData) -> None:
        if chunk.error is not None:
            self.respond(chunk, 400, chunk.error)
        elif chunk.method == "REPORT":
            self._deliveries.report_received(chunk)
        else:
            self.respond(chunk, 501)  # RFC 4975 10.9: a method that is not understood

    def response_received(self, request: OutgoingMessage | PendingRequest, response: MSRPData) -> None:
        """A response to a request of this session."""
        if isinstance(request, PendingRequest):
            self._requests.response_received(request, response)
        elif self.binding.is_own(request):
            self.binding.response_received(response)
        else:
            self._deliveries.response_received(request, response)

    def transaction_timed_out(self, request: OutgoingMessage | PendingRequest) -> None:
        """No response came in time (RFC 4975 7.1.1: as if it had been 408)."""
        if isinstance(request, PendingRequest):
            self._requests.timed_out(request)
        elif self.binding.is_own(request):
            self.binding.timed_out()
        else:
            self._deliveries.timed_out(request)

    # Below here: for receiver, outbox and delivery table.

    def _seconds(self) -> float:
        return self._connection.seconds() if self._connection is not None else 0.0

    def _call_later(self, delay: float, callback: Callable[[], None]) -> Any:
        assert self._connection is not None
        return self._connection.call_later(delay, callback)

    def _acknowledge(self, chunk: MSRPData, refusal: Refusal | None) -> None:
        if refusal is None:
            self.respond(chunk, 200, "OK")
        else:
            self._refuse(chunk, refusal)

    def _refuse(self, chunk: MSRPData, refusal: Refusal) -> None:
        # RFC 4976 6.4.2: a relay has a response for itself, and reports it to the sender if it is a refusal. Not all of
        # them do; a sender that is told twice has failed once.
        is_told = not chunk.answered and chunk.message_id and " " in chunk.headers.get("From-Path", "")
        self.respond(chunk, refusal.code, refusal.comment or None)
        if is_told and chunk.failure_report != "no":
            with suppress(MSRPSyntaxError):  # the comment has something of its headers that no line can have
                self.send_report(chunk, refusal.code, refusal.comment or None)

    def _report_success(self, chunk: MSRPData, message_id: str, size: int) -> None:
        self._write_report(chunk, message_id, ByteRange(1, size, size), Status(200, "OK"))

    def _write_report(self, chunk: MSRPData, message_id: str, byte_range: ByteRange, status: Status) -> None:
        if self._connection is not None:
            self._connection.write(encode_report(chunk, message_id, byte_range, status, self._local_text))

    def _resume_message(self, message: OutgoingMessage) -> None:
        if self._connection is not None and not message.is_final:
            self._connection.outbox.submit_again(message)

    def _cancel_message(self, message: OutgoingMessage) -> None:
        if not message.is_final:
            self._deliveries.cancel(message)
            self._stop_sending(message)

    def _stop_sending(self, message: OutgoingMessage) -> None:
        if message in self._waiting:
            self._waiting.remove(message)
        if self._connection is not None:
            self._connection.outbox.abort(message)
        message.forget_content()
        self._release_queued(message)

    def _release_queued(self, message: OutgoingMessage) -> None:
        self._queued_size -= message.take_queued_size()

    def _forget_transaction(self, transaction_id: str) -> None:
        if self._connection is not None:
            self._connection.transactions.pop(transaction_id)

    def _message_left(self, message: OutgoingMessage, chunk: EncodedChunk) -> None:
        if self.binding.is_own(message) or message.is_final:
            return
        self._release_queued(message)
        self._deliveries.sent(message)
        tell(self, self.handler.message_sent, message, message.describe(chunk))

    def _source_failed(self, message: OutgoingMessage, reason: str) -> None:
        if not message.is_final:
            self._deliveries.fail(message, 400, reason, None)


def _octets_of(chunk: MSRPData) -> ByteRange:
    """Which octets a chunk has; where it does not say it, or not as it should, those at the beginning."""
    try:
        start, _, total = chunk.byte_range or ByteRange(1, None, None)
    except MSRPSyntaxError:
        start, total = 1, None
    return ByteRange(start, start - 1 + chunk.size, total)
