"""Incoming SENDs: chunks to messages, and the answers and reports that they ask for (RFC 4975 7.2, 7.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred

from msrplib.drops import faults, log
from msrplib.errors import MSRPSyntaxError
from msrplib.handler import MessageSink, Refusal
from msrplib.incoming import IncomingMessage
from msrplib.protocol import CONTFLAG_END, CONTFLAG_MORE, ByteRange, MSRPData
from msrplib.reassembly import AssemblyError, MessageAssembler, Progress
from msrplib.telling import ask_about_message, hand_over_message

if TYPE_CHECKING:
    from twisted.python.failure import Failure

    from msrplib.session import MSRPSession

__all__ = ["Receiver"]

_Verdict = Refusal | Deferred[Refusal | None] | None
_NOT_STORED = Refusal(413, "The message cannot be stored")

MAX_REFUSED = 256
"""Message ids of refused messages that are remembered, so that their further chunks get the same answer."""


class _Partial:
    """A message of which chunks are still to come."""

    __slots__ = ("assembler", "first_chunk", "last_chunk", "message_id", "touched")

    def __init__(self, message_id: str, first_chunk: MSRPData, assembler: MessageAssembler) -> None:
        self.message_id = message_id
        self.first_chunk = self.last_chunk = first_chunk
        self.assembler = assembler
        self.touched = 0.0


class Receiver:
    """What a session receives."""

    __slots__ = ("_current", "_partial", "_refused", "_session", "_timer")

    def __init__(self, session: MSRPSession) -> None:
        self._session = session
        self._partial: dict[str, _Partial] = {}
        self._refused: dict[str, Refusal] = {}
        self._current: _Partial | None = None
        self._timer: Any = None

    # A chunk that came whole

    def chunk_received(self, chunk: MSRPData) -> None:
        """A SEND with its whole body."""
        session = self._session
        message_id = chunk.headers.get("Message-ID")
        if chunk.error is not None or not message_id:
            session._refuse(chunk, Refusal(400, chunk.error or "No Message-ID"))
            return
        if (
            chunk.contflag == CONTFLAG_END
            and message_id not in self._partial
            and message_id not in self._refused
            and self._is_whole_message(chunk)
        ):
            self._receive_single(chunk, message_id)
            return
        partial = self._begin(chunk, message_id)
        if partial is None:
            return
        try:
            if chunk.data:
                self._write(partial, chunk.data)
        except AssemblyError as error:
            self._drop(partial, chunk, Refusal(error.code, error.comment))
            return
        self._finish_chunk(partial, chunk)

    @staticmethod
    def _is_whole_message(chunk: MSRPData) -> bool:
        text = chunk.headers.get("Byte-Range")
        size = chunk.size
        if text is None or text == f"1-{size}/{size}":
            return True
        try:
            start, end, total = ByteRange.parse(text)
        except MSRPSyntaxError:
            return False
        return start == 1 and (end is None or end == size) and (total is None or total == size)

    def _receive_single(self, chunk: MSRPData, message_id: str) -> None:
        session = self._session
        content_type = chunk.headers.get("Content-Type")
        if content_type is None:
            # RFC 4975 5.4: a SEND without a body keeps a session alive, or binds it.
            session._acknowledge(chunk, None if not chunk.size else Refusal(400, "No Content-Type"))
            return
        decision = ask_about_message(session, chunk)
        if isinstance(decision, Refusal):
            session._refuse(chunk, decision)
            return
        size = chunk.size
        if decision is None:
            if size > session.limits.max_message_size:
                session._refuse(chunk, Refusal(413))
                return
            message = IncomingMessage(message_id, content_type, chunk.data, size, chunk, chunk)
            verdict: _Verdict = hand_over_message(session, message)
        else:
            message = IncomingMessage(message_id, content_type, b"", size, chunk, chunk)
            try:
                if size:
                    decision.write(0, chunk.data)
            except Exception as error:
                session._refuse(chunk, self._sink_failed(decision, error))
                return
            verdict = self._finish_sink(decision, message)
        self._conclude(verdict, chunk, message, chunk.headers.get("Success-Report") == "yes")

    # A chunk that comes in pieces

    def chunk_started(self, chunk: MSRPData) -> None:
        """The headers of a SEND whose body comes in pieces."""
        self._current = None
        message_id = chunk.headers.get("Message-ID")
        if chunk.error is not None or not message_id:
            self._session._refuse(chunk, Refusal(400, chunk.error or "No Message-ID"))
            return
        self._current = self._begin(chunk, message_id)

    def chunk_data(self, chunk: MSRPData, data: bytes) -> None:
        """A piece of it."""
        partial = self._current
        if partial is None:
            return
        try:
            self._write(partial, data)
        except AssemblyError as error:
            self._drop(partial, chunk, Refusal(error.code, error.comment))

    def chunk_ended(self, chunk: MSRPData) -> None:
        """Its end-line."""
        partial = self._current
        if partial is None:
            if chunk.contflag != CONTFLAG_MORE:
                self._refused.pop(chunk.headers.get("Message-ID", ""), None)
            return
        self._current = None
        self._finish_chunk(partial, chunk)

    # Messages in several chunks

    def _begin(self, chunk: MSRPData, message_id: str) -> _Partial | None:
        """The message that a chunk belongs to; None when it was refused."""
        session = self._session
        refusal = self._refused.get(message_id)
        if refusal is not None:
            session._refuse(chunk, refusal)
            # An empty flag is that of a chunk whose end is still to come.
            if chunk.contflag and chunk.contflag != CONTFLAG_MORE:
                del self._refused[message_id]
            return None
        partial = self._partial.get(message_id)
        is_new = partial is None
        try:
            byte_range = chunk.byte_range
        except MSRPSyntaxError:
            self._reject(partial, chunk, message_id, Refusal(400, "Bad Byte-Range"))
            return None
        if byte_range is None:
            if not is_new:
                # RFC 4975 7.1.1: all chunks but the first must have one.
                self._reject(partial, chunk, message_id, Refusal(400, "No Byte-Range"))
                return None
            byte_range = ByteRange(1, None, None)
        if partial is None:
            partial = self._start_message(chunk, message_id, byte_range)
            if partial is None:
                return None
        try:
            partial.assembler.begin(byte_range)
        except AssemblyError as error:
            self._drop(partial, chunk, Refusal(error.code, error.comment))
            return None
        partial.last_chunk = chunk
        partial.touched = session._seconds()
        if self._timer is None:
            self._timer = session._call_later(session.limits.partial_message_timeout, self._sweep)
        return partial

    def _start_message(self, chunk: MSRPData, message_id: str, byte_range: ByteRange) -> _Partial | None:
        session = self._session
        limits = session.limits
        if chunk.contflag == "#":  # given up before it was begun
            session._acknowledge(chunk, None)
            return None
        if "Content-Type" not in chunk.headers:
            self._reject(None, chunk, message_id, Refusal(400, "No Content-Type"))
            return None
        if len(self._partial) >= limits.max_partial_messages:
            self._reject(None, chunk, message_id, Refusal(413, "Too many messages at once"))
            return None
        decision = ask_about_message(session, chunk)
        if isinstance(decision, Refusal):
            self._reject(None, chunk, message_id, decision)
            return None
        assembler = MessageAssembler(limits.max_message_size, limits.max_fragments, decision)
        partial = self._partial[message_id] = _Partial(message_id, chunk, assembler)
        return partial

    def _write(self, partial: _Partial, data: bytes) -> None:
        assembler = partial.assembler
        session = self._session
        try:
            assembler.write(data)
        except AssemblyError:
            raise
        except Exception as error:
            refusal = self._sink_failed(assembler.sink, error)
            assembler.sink = None
            raise AssemblyError(*refusal) from error
        partial.touched = session._seconds()
        if assembler.sink is None and self._buffered() > session.limits.max_partial_size:
            raise AssemblyError(413, "Too many messages at once")

    def _buffered(self) -> int:
        return sum(partial.assembler.buffered for partial in self._partial.values())

    def _finish_chunk(self, partial: _Partial, chunk: MSRPData) -> None:
        session = self._session
        try:
            progress = partial.assembler.end(chunk.contflag)
        except AssemblyError as error:
            self._drop(partial, chunk, Refusal(error.code, error.comment))
            return
        if progress is Progress.PARTIAL:
            session._acknowledge(chunk, None)
            return
        self._forget(partial)
        if progress is Progress.ABORTED:
            self._abort_sink(partial, "the sender gave the message up")
            session._acknowledge(chunk, None)
            return
        assembler = partial.assembler
        size = assembler.received
        first = partial.first_chunk
        message = IncomingMessage(
            partial.message_id, first.headers.get("Content-Type"), assembler.take(), size, first, chunk
        )
        verdict: _Verdict
        if assembler.sink is not None:
            verdict = self._finish_sink(assembler.sink, message)
        else:
            verdict = hand_over_message(session, message)
        self._conclude(verdict, chunk, message, "yes" in (first.success_report, chunk.success_report))

    def _conclude(self, verdict: _Verdict, chunk: MSRPData, message: IncomingMessage, reports: bool) -> None:
        """The message is whole: answer its last chunk, and report it if that is wanted."""
        if isinstance(verdict, Deferred):
            verdict.addErrback(self._verdict_failed)
            verdict.addCallback(self._conclude, chunk, message, reports)
            return
        self._session._acknowledge(chunk, verdict)
        if verdict is None and reports:
            self._session._report_success(chunk, message.message_id, message.size)

    def refuse(self, message_id: str, refusal: Refusal) -> bool:
        """The user wants no more of a message that is under way; its next chunk is answered with that."""
        partial = self._partial.get(message_id)
        if partial is None:
            return False
        self._forget(partial)
        if len(self._refused) >= MAX_REFUSED:
            del self._refused[next(iter(self._refused))]
        self._refused[message_id] = refusal
        if partial is self._current:
            # RFC 4975 7.2, 10.5: the answer to a chunk may come before its end
            self._current = None
            self._session._refuse(partial.last_chunk, refusal)
        return True

    def _reject(self, partial: _Partial | None, chunk: MSRPData, message_id: str, refusal: Refusal) -> None:
        if partial is not None:
            self._drop(partial, chunk, refusal)
            return
        self._remember_refused(message_id, chunk, refusal)
        self._session._refuse(chunk, refusal)

    def _drop(self, partial: _Partial, chunk: MSRPData, refusal: Refusal) -> None:
        """Give an incomplete message up and say so to the sender."""
        self._forget(partial)
        self._current = None
        self._abort_sink(partial, refusal.comment)
        log.dropped("%s: message dropped: %s", self._session, refusal.comment)
        self._remember_refused(partial.message_id, chunk, refusal)
        self._session._refuse(chunk, refusal)

    def _remember_refused(self, message_id: str, chunk: MSRPData, refusal: Refusal) -> None:
        if chunk.contflag and chunk.contflag != CONTFLAG_MORE:
            return
        if len(self._refused) >= MAX_REFUSED:
            del self._refused[next(iter(self._refused))]
        self._refused[message_id] = refusal

    def _forget(self, partial: _Partial) -> None:
        self._partial.pop(partial.message_id, None)
        if not self._partial:
            self._stop_timer()

    def _sweep(self) -> None:
        self._timer = None
        session = self._session
        timeout = session.limits.partial_message_timeout
        now = session._seconds()
        for partial in list(self._partial.values()):
            if partial.touched + timeout <= now:
                log.dropped("%s: message dropped: no chunk of it came for %g s", session, timeout)
                if partial is self._current:
                    self._current = None
                self._forget(partial)
                self._abort_sink(partial, "the rest of the message did not come")
        if self._partial:
            oldest = min(partial.touched for partial in self._partial.values())
            self._timer = session._call_later(oldest + timeout - now, self._sweep)

    def close(self, reason: str) -> None:
        """The session ends."""
        self._stop_timer()
        self._current = None
        self._refused.clear()
        partials = list(self._partial.values())
        self._partial.clear()
        for partial in partials:
            self._abort_sink(partial, reason)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    # Sinks are the user's code: what they raise ends the message, not the connection.

    def _verdict_failed(self, failure: Failure) -> Refusal:
        faults.dropped("%s: a sink failed to finish: %s", self._session, failure.getErrorMessage())
        return _NOT_STORED

    def _finish_sink(self, sink: MessageSink, message: IncomingMessage) -> _Verdict:
        try:
            return sink.finish(message)
        except Exception as error:
            return self._sink_failed(None, error)

    def _sink_failed(self, sink: MessageSink | None, error: Exception) -> Refusal:
        faults.dropped("%s: the sink of a message raised", self._session, exc_info=True)
        if sink is not None:
            self._call_abort(sink, f"the sink raised {type(error).__name__}")
        return _NOT_STORED

    def _abort_sink(self, partial: _Partial, reason: str) -> None:
        if partial.assembler.sink is not None:
            self._call_abort(partial.assembler.sink, reason)

    def _call_abort(self, sink: MessageSink, reason: str) -> None:
        try:
            sink.abort(reason)
        except Exception:
            faults.dropped("%s: the sink of a message raised", self._session, exc_info=True)
