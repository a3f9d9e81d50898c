"""A message on its way out: where its octets come from, how it is cut, and how far it got (RFC 4975 5.1,
7.1)."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, NamedTuple, Protocol

from msrplib.identifiers import new_transaction_id
from msrplib.protocol import CONTFLAG_ABORT, CONTFLAG_END, CONTFLAG_MORE, ByteRange, MSRPData
from msrplib.reassembly import RangeSet

if TYPE_CHECKING:
    from msrplib.session import MSRPSession

__all__ = ["ContentSource", "EncodedChunk", "MessageState", "OutgoingMessage", "SourceError"]

INTERRUPTIBLE_SIZE = 2048
"""RFC 4975 7.1.1: a larger chunk is interruptible, so its range end is `*`."""

MAX_REPORTED_RANGES = 1024
"""Disjoint ranges that success reports may name before they adjoin."""


class ContentSource(Protocol):
    """Where the octets of a large message come from: an open binary file, or anything that is pulled like
    one.

    It is asked only when the connection can take more, so memory stays constant. It must not block for long.
    """

    def read(self, size: int, /) -> bytes | None:
        """At most `size` octets; `b''` at the end; None when there are none yet: then call
        `outgoing.resume()`."""


class SourceError(Exception):
    """The source raised, or ended before the size that was announced."""


class MessageState(Enum):
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    ACCEPTED = "accepted"
    DELIVERED = "delivered"
    FAILED = "failed"
    CANCELLED = "cancelled"


FINAL_STATES = frozenset({MessageState.DELIVERED, MessageState.FAILED, MessageState.CANCELLED})


class EncodedChunk(NamedTuple):
    """A chunk ready to be written: head, body and tail."""

    transaction_id: str
    byte_range: ByteRange
    contflag: str
    head: bytes
    body: bytes
    tail: bytes


class OutgoingMessage:
    """What `MSRPSession.send_message` returns.

    :ivar session: the session that it is sent in
    :ivar message_id: the Message-ID, by which reports name it
    :ivar content_type: as given; None for the empty SEND that binds a session
    :ivar headers: the further headers, as given
    :ivar size: octets; None while the source has not said
    :ivar sent: octets handed to the connection so far
    :ivar success_report: 'yes' or 'no'
    :ivar failure_report: 'yes', 'no' or 'partial'
    :ivar state: a MessageState
    """

    __slots__ = (
        '_ahead', '_content', '_header_text', '_queued_size', '_reported', '_source',
        'content_type', 'failure_report', 'headers', 'is_starved', 'last_transaction_id', 'message_id',
        'open_transactions', 'sent', 'session', 'size', 'state', 'success_report',
    )  # fmt: skip

    def __init__(
        self,
        session: MSRPSession,
        message_id: str,
        content: bytes | ContentSource,
        content_type: str | None,
        success_report: str,
        failure_report: str,
        headers: tuple[tuple[str, str], ...],
        size: int | None,
    ) -> None:
        self.session = session
        self.message_id = message_id
        self.content_type = content_type
        self.headers = headers
        self.success_report = success_report
        self.failure_report = failure_report
        self.state = MessageState.QUEUED
        self.sent = 0
        self.size: int | None
        self._content: bytes | None
        self._source: ContentSource | None
        if isinstance(content, bytes):
            self._content = content
            self._source = None
            self.size = self._queued_size = len(content)
        else:
            self._queued_size = 0
            self._content = None
            self._source = content
            self.size = size
        self._ahead: bytes | None = None  # of a source without a size: the octets after those sent
        self._reported: RangeSet | None = None
        self.is_starved = False
        self.open_transactions = 0
        self.last_transaction_id = ""
        # RFC 4975 7.1.1: absent means Success-Report no and Failure-Report yes.
        text = ""
        if success_report == "yes":
            text = "Success-Report: yes\r\n"
        if failure_report != "yes":
            text += f"Failure-Report: {failure_report}\r\n"
        for name, value in headers:
            text += f"{name}: {value}\r\n"
        self._header_text = text

    def __repr__(self) -> str:
        return (
            f"<OutgoingMessage {self.message_id} {self.content_type} {self.state.value} "
            f"sent={self.sent} size={self.size}>"
        )

    @property
    def is_in_memory(self) -> bool:
        return self._source is None

    @property
    def is_final(self) -> bool:
        """Delivered, failed or cancelled."""
        return self.state in FINAL_STATES

    def resume(self) -> None:
        """The source that returned None has octets again."""
        if self.is_starved:
            self.is_starved = False
            self.session._resume_message(self)

    def cancel(self) -> None:
        """Give the message up; one that is under way ends with the flag '#' (RFC 4975 7.1). No callback
        follows."""
        self.session._cancel_message(self)

    # Below here: for the session.

    def take_queued_size(self) -> int:
        """How many octets in memory it no longer waits with; they are told once."""
        size = self._queued_size
        self._queued_size = 0
        return size

    def forget_content(self) -> None:
        """It will not be sent: its octets need not be kept."""
        self._content = self._source = self._ahead = None

    def next_chunk(self, max_size: int) -> EncodedChunk | None:
        """Cut off the next chunk.

        :param max_size: octets of its body
        :return: None when the source has nothing yet
        :raises SourceError: the source failed; the message is to be aborted
        """
        sent = self.sent
        content = self._content
        if content is not None:
            if sent == 0 and len(content) <= max_size:
                body = content
            else:
                body = content[sent : sent + max_size]
            is_last = sent + len(body) == len(content)
        else:
            pulled = self._pull(max_size)
            if pulled is None:
                self.is_starved = True
                return None
            body, is_last = pulled
        start = sent + 1
        end = sent + len(body)
        self.sent = end
        if is_last:
            self.size = end
            self._content = self._source = None
        transaction_id = self.last_transaction_id = new_transaction_id()
        contflag = CONTFLAG_END if is_last else CONTFLAG_MORE
        range_end = "*" if len(body) > INTERRUPTIBLE_SIZE else end
        total = "*" if self.size is None else self.size
        head = (
            f"MSRP {transaction_id} SEND\r\n{self.session._path_text}Message-ID: {self.message_id}\r\n"
            f"Byte-Range: {start}-{range_end}/{total}\r\n{self._header_text}"
        )
        if self.content_type is not None:
            head += f"Content-Type: {self.content_type}\r\n\r\n"
            tail = f"\r\n-------{transaction_id}{contflag}\r\n"
        else:
            tail = f"-------{transaction_id}{contflag}\r\n"
        byte_range = ByteRange(start, None if range_end == "*" else end, self.size)
        return EncodedChunk(transaction_id, byte_range, contflag, head.encode(), body, tail.encode())

    def abort_chunk(self) -> EncodedChunk:
        """RFC 4975 7.1: the chunk, without octets, whose flag says that no more will follow."""
        transaction_id = new_transaction_id()
        byte_range = ByteRange(self.sent + 1, self.sent, self.size)
        head = (
            f"MSRP {transaction_id} SEND\r\n{self.session._path_text}Message-ID: {self.message_id}\r\n"
            f"Byte-Range: {byte_range}\r\nFailure-Report: no\r\n"
        )
        tail = f"-------{transaction_id}{CONTFLAG_ABORT}\r\n"
        self.forget_content()
        return EncodedChunk(transaction_id, byte_range, CONTFLAG_ABORT, head.encode(), b"", tail.encode())

    def describe(self, chunk: EncodedChunk) -> MSRPData:
        """The chunk as it was sent, for the user."""
        to_path, from_path = self.session._path_headers
        headers = {
            "To-Path": to_path,
            "From-Path": from_path,
            "Message-ID": self.message_id,
            "Byte-Range": str(chunk.byte_range),
        }
        if self.success_report == "yes":
            headers["Success-Report"] = "yes"
        if self.failure_report != "yes":
            headers["Failure-Report"] = self.failure_report
        if self.headers:
            headers.update(self.headers)
        if self.content_type is not None:
            headers["Content-Type"] = self.content_type
        return MSRPData(chunk.transaction_id, "SEND", None, "", headers, chunk.body, chunk.contflag)

    def add_report(self, byte_range: ByteRange | None) -> None:
        """A success report names these octets; None stands for all."""
        if byte_range is None:
            byte_range = ByteRange(1, self.size, self.size)
        start, end, total = byte_range
        if end is None:
            end = total if total is not None else self.size
        if end is None:
            return
        if self._reported is None:
            self._reported = RangeSet(MAX_REPORTED_RANGES)
        self._reported.add(start - 1, end)

    @property
    def is_reported(self) -> bool:
        """All of it was sent, and success reports name every octet of it."""
        sending = self.state is MessageState.QUEUED or self.state is MessageState.SENDING
        if sending or self._reported is None or self.size is None:
            return False
        return self._reported.covers(self.size)

    def _pull(self, max_size: int) -> tuple[bytes, bool] | None:
        assert self._source is not None
        if self.size is not None:
            wanted = min(max_size, self.size - self.sent)
            body = self._read(wanted) if wanted else b""
            if body is None:
                return None
            if wanted and not body:
                raise SourceError("the content ended before its size")
            return body, self.sent + len(body) == self.size
        # Without a size the last chunk is known by reading on; a source that has nothing yet is not waited
        # for.
        body = self._ahead if self._ahead is not None else self._read(max_size)
        if body is None:
            return None
        self._ahead = self._read(max_size) if body else b""
        self.is_starved = self._ahead is None
        return body, self._ahead == b""

    def _read(self, size: int) -> bytes | None:
        assert self._source is not None
        try:
            data = self._source.read(size)
        except Exception as error:
            raise SourceError(f"the content cannot be read: {type(error).__name__}") from error
        if data is not None and (not isinstance(data, bytes) or len(data) > size):
            raise SourceError("the source gave something else than at most that many octets")
        return data
