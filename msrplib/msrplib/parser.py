"""Octets in, chunks out (RFC 4975 7, 9): incremental, binary-safe, bounded, no I/O.

A chunk is framed by its end-line, seven hyphens and the transaction id of its start line, and by nothing
else: the end of a body is known when the end-line has been found, at whatever octet two reads cut it.

The parser is in one of four states:

    START      at the start line of a chunk, of which no end is there yet
    WAIT       the headers are there, and the body is short enough to wait for all of it
    BODY       in a long body, which is given out in pieces
    FAILED     what came can't be framed; nothing more is read
"""

from __future__ import annotations

import re
from enum import Enum

from msrplib.errors import MSRPSyntaxError
from msrplib.limits import Limits
from msrplib.protocol import ByteRange, MSRPData

__all__ = ["ChunkData", "ChunkEnded", "ChunkStarted", "Event", "MSRPParser", "ParseFailure"]

MAX_START_LINE = 512
"""Octets of a start line; the longest that makes sense has a comment of a sentence or two."""

# RFC 4975 9: transact-id is 4 to 32 characters and starts with a letter or a digit; a method is in capitals.
_START_LINE = re.compile(rb"MSRP ([A-Za-z0-9][A-Za-z0-9.\-+%=]{3,31}) (?:([A-Z]{1,32})|([0-9]{3})(?: ([^\r\n]*))?)\r\n")
_FLAGS = {b"$\r\n": "$", b"+\r\n": "+", b"#\r\n": "#"}
_FLAG_SIZE = 3


class ChunkStarted:
    """The headers of a chunk whose body comes in pieces."""

    __slots__ = ("chunk",)

    def __init__(self, chunk: MSRPData) -> None:
        self.chunk = chunk


class ChunkData:
    """A piece of the body of the chunk that was started last."""

    __slots__ = ("chunk", "data")

    def __init__(self, chunk: MSRPData, data: bytes) -> None:
        self.chunk = chunk
        self.data = data


class ChunkEnded:
    """The end-line of the chunk that was started last; its `contflag` and `size` are known now."""

    __slots__ = ("chunk",)

    def __init__(self, chunk: MSRPData) -> None:
        self.chunk = chunk


class ParseFailure:
    """What came can't be framed, so the connection is of no more use."""

    __slots__ = ("reason",)

    def __init__(self, reason: str) -> None:
        self.reason = reason


Event = MSRPData | ChunkStarted | ChunkData | ChunkEnded | ParseFailure
"""A chunk that came whole, or the parts of a longer one."""


class _State(Enum):
    START = "start"
    WAIT = "wait"
    BODY = "body"
    FAILED = "failed"


class MSRPParser:
    """Reads the octets of one direction of one connection.

    :param limits: `max_header_size` and `max_chunk_buffer` count here
    :param keep_octets: keep in `octets`, until the next `feed()`, the octets of each event that it returned
    """

    __slots__ = ("_body", "_buffer", "_chunk", "_limits", "_marker", "_scanned", "_state", "octets")

    def __init__(self, limits: Limits | None = None, keep_octets: bool = False) -> None:
        self.octets: list[bytes] | None = [] if keep_octets else None
        self._limits = limits or Limits()
        self._state = _State.START
        self._buffer = b""
        self._chunk: MSRPData | None = None
        self._marker = b""
        self._body = 0  # WAIT: where the body begins in the buffer
        self._scanned = 0  # WAIT: no end-line begins before this octet of the buffer

    @property
    def is_failed(self) -> bool:
        return self._state is _State.FAILED

    @property
    def is_between_chunks(self) -> bool:
        """No chunk is half received: the connection may end here."""
        return self._state is _State.START and not self._buffer

    def feed(self, data: bytes) -> list[Event]:
        """Take the octets of one read.

        :return: what they completed, in order; the last is a ParseFailure when they can't be framed
        """
        events: list[Event] = []
        if self.octets:
            self.octets.clear()
        if self._state is _State.FAILED:
            return events
        if self._buffer:
            data = self._buffer + data
            self._buffer = b""
        position = 0
        size = len(data)
        while position < size:
            state = self._state
            if state is _State.START:
                after = self._read_start(data, position, events)
            elif state is _State.WAIT:
                after = self._read_rest(data, position, events)
            else:
                after = self._read_body(data, position, events)
            if after < 0:
                if not self.is_failed:
                    self._buffer = data[-after - 1 :]
                break
            position = after
        return events

    # Each of these gets the position where it starts and returns the one after what it used up, or, when it
    # needs more octets, -1 - the position of the first that has to be kept.

    def _read_start(self, data: bytes, position: int, events: list[Event]) -> int:
        match = _START_LINE.match(data, position)
        if match is None:
            return self._without_start_line(data, position, events)
        transaction_id, method, code, comment = match.groups()
        marker = b"\r\n-------" + transaction_id
        headers_start = match.end()
        # The CRLF before the end-line may be that of the start line or of the last header.
        end = self._find_end(data, headers_start - 2, marker)
        has_end = end >= 0
        limit = end + 2 if has_end else len(data)
        blank = data.find(b"\r\n\r\n", headers_start - 2, limit)
        if blank < 0 and not has_end:
            if len(data) - position > self._limits.max_header_size:
                return self._fail(data, position, "the headers do not end", events)
            return -1 - position
        headers_end = end if blank < 0 else blank
        if headers_end - position > self._limits.max_header_size:
            return self._fail(data, position, "the headers are too long", events)
        text = transaction_id.decode("ascii")
        if code is None:
            chunk = MSRPData(text, method.decode("ascii"))
        else:
            chunk = MSRPData(text, None, int(code), comment.decode("utf-8", "replace") if comment else "")
        chunk.read_headers(data[headers_start:headers_end])
        if has_end:
            if blank >= 0:
                body = blank + 4
                if body < end:
                    chunk.data = data[body:end]
                    chunk.size = end - body
            after = end + len(marker) + _FLAG_SIZE
            chunk.contflag = _FLAGS[data[after - _FLAG_SIZE : after]]
            if self.octets is not None:
                self.octets.append(data[position:after])
            events.append(chunk)
            return after
        self._chunk = chunk
        self._marker = marker
        body = blank + 4
        expected = self._expected_size(chunk)
        if len(data) - body <= self._limits.max_chunk_buffer and expected <= self._limits.max_chunk_buffer:
            chunk.contflag = ""
            self._state = _State.WAIT
            self._body = body - position
            self._scanned = max(self._body - 2, len(data) - position - len(marker) - _FLAG_SIZE)
            return -1 - position
        return self._start_body(data, position, body, events)

    def _read_rest(self, data: bytes, position: int, events: list[Event]) -> int:
        chunk = self._chunk
        assert chunk is not None
        marker = self._marker
        body = self._body
        end = self._find_end(data, self._scanned, marker)
        if end < 0:
            if len(data) - body > self._limits.max_chunk_buffer:
                return self._start_body(data, 0, body, events)
            self._scanned = max(self._scanned, len(data) - len(marker) - _FLAG_SIZE)
            return -1
        if body < end:
            chunk.data = data[body:end]
            chunk.size = end - body
        after = end + len(marker) + _FLAG_SIZE
        chunk.contflag = _FLAGS[data[after - _FLAG_SIZE : after]]
        self._chunk = None
        self._state = _State.START
        if self.octets is not None:
            self.octets.append(data[:after])
        events.append(chunk)
        return after

    def _start_body(self, data: bytes, position: int, body: int, events: list[Event]) -> int:
        chunk = self._chunk
        assert chunk is not None
        chunk.contflag = ""
        self._state = _State.BODY
        if self.octets is not None:
            self.octets.append(data[position:body])
        events.append(ChunkStarted(chunk))
        # The CRLF of the empty line is also that before the end-line of a body that turns out to be empty;
        # such a body was never worth giving out in pieces, so here only what comes after that CRLF is looked
        # at.
        return body if body < len(data) else -1 - body

    def _read_body(self, data: bytes, position: int, events: list[Event]) -> int:
        chunk = self._chunk
        assert chunk is not None
        marker = self._marker
        end = self._find_end(data, position, marker)
        keep = end if end >= 0 else self._possible_end(data, position, marker)
        if keep > position:
            piece = data[position:keep]
            chunk.size += keep - position
            if self.octets is not None:
                self.octets.append(piece)
            events.append(ChunkData(chunk, piece))
        if end < 0:
            return -1 - keep
        after = end + len(marker) + _FLAG_SIZE
        chunk.contflag = _FLAGS[data[after - _FLAG_SIZE : after]]
        self._chunk = None
        self._state = _State.START
        if self.octets is not None:
            self.octets.append(data[end:after])
        events.append(ChunkEnded(chunk))
        return after

    @staticmethod
    def _find_end(data: bytes, position: int, marker: bytes) -> int:
        """Where the CRLF before the end-line begins, if the whole end-line is there, or -1."""
        while True:
            end = data.find(marker, position)
            if end < 0:
                return -1
            after = end + len(marker)
            if data[after : after + _FLAG_SIZE] in _FLAGS:
                return end
            position = end + 1

    @staticmethod
    def _possible_end(data: bytes, position: int, marker: bytes) -> int:
        """Where an end-line may begin whose rest is still to come; the end of the data when nowhere."""
        size = len(data)
        start = data.find(b"\r", max(position, size - len(marker) - _FLAG_SIZE + 1))
        while start >= 0:
            tail = data[start:]
            if marker.startswith(tail) or (
                tail.startswith(marker) and any(flag.startswith(tail[len(marker) :]) for flag in _FLAGS)
            ):
                return start
            start = data.find(b"\r", start + 1)
        return size

    @staticmethod
    def _expected_size(chunk: MSRPData) -> int:
        """How long the body may become, judged by its Byte-Range; 0 when that does not tell."""
        text = chunk.headers.get("Byte-Range")
        if text is None:
            return 0
        try:
            start, end, total = ByteRange.parse(text)
        except MSRPSyntaxError:
            return 0
        last = end if end is not None else total
        return last - start + 1 if last is not None else 0

    def _without_start_line(self, data: bytes, position: int, events: list[Event]) -> int:
        if not b"MSRP ".startswith(data[position : position + 5]):
            return self._fail(data, position, "not MSRP", events)
        if data.find(b"\r\n", position, position + MAX_START_LINE) >= 0:
            return self._fail(data, position, "not a start line", events)
        if len(data) - position > MAX_START_LINE:
            return self._fail(data, position, "the start line does not end", events)
        return -1 - position

    def _fail(self, data: bytes, position: int, reason: str, events: list[Event]) -> int:
        self._state = _State.FAILED
        self._chunk = None
        if self.octets is not None:
            self.octets.append(data[position:])
        events.append(ParseFailure(reason))
        return -1
