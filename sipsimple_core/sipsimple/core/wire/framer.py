"""Messages out of a stream: where one ends and the next begins (RFC 3261 18.3, 7.5; keep-alives: RFC 5626 3.5.1)."""

from __future__ import annotations

import re

from sipsimple.core.wire.errors import SIPParseError
from sipsimple.core.wire.parser import MAX_MESSAGE_SIZE

__all__ = ["FramingError", "MessageFramer"]

MAX_HEAD_SIZE = 32768  # octets of start line and headers

_content_length = re.compile(rb"\r?\n(?:content-length|l)[ \t]*:[ \t\r\n]*+([^\r\n]*+)", re.IGNORECASE)
_digits = re.compile(rb"[0-9]{1,10}").fullmatch
_head_end = re.compile(rb"\r?\n\r?\n")


class FramingError(SIPParseError):
    """A stream in which the next message can't be found any more: it is to be closed.

    messages -- those that were whole before
    head -- start line and headers of the message that broke it, as far as they are known: enough for
    `parse_message`, so that it can be answered with `code` before the stream is closed. Empty if there are none.
    """

    def __init__(self, what: str, messages: list[bytes], head: bytes = b"", code: int = 400) -> None:
        super().__init__(what)
        self.messages = messages
        self.head = head
        self.code = code


class MessageFramer:
    """Cuts a stream into messages.

    Feed it what arrives; it gives what is whole. It holds at most one unfinished message, of at most
    `max_message_size` octets. How long an unfinished one may take is the caller's business: see `pending`.
    """

    __slots__ = ("_buffer", "_line_ends", "_scanned", "_total", "broken", "max_message_size", "pings")

    def __init__(self, max_message_size: int = MAX_MESSAGE_SIZE) -> None:
        self.max_message_size = max_message_size
        self.pings = 0
        """Double CRLFs seen between messages: each is a ping that is owed a CRLF (RFC 5626 3.5.1). The caller may
        set it back to 0."""
        self.broken = False
        self._buffer = bytearray()
        self._scanned = 0  # octets of the buffer in which no end of headers begins
        self._total = 0  # octets of the message at the buffer's start, once its headers are whole
        self._line_ends = b""  # what may be the first part of a ping

    @property
    def pending(self) -> bool:
        """Whether a message has begun that isn't whole."""
        return len(self._buffer) > 0

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that are whole now. Raises FramingError; after that the framer takes nothing any more."""
        if self.broken:
            return []
        messages: list[bytes] = []
        buffer = self._buffer
        if self._line_ends:
            buffer += self._line_ends
            self._line_ends = b""
        buffer += data
        while buffer:
            if not self._total and not self._find_head(messages):
                break
            if len(buffer) < self._total:
                break
            messages.append(bytes(buffer[: self._total]))
            del buffer[: self._total]
            self._scanned = self._total = 0
        return messages

    def _find_head(self, messages: list[bytes]) -> bool:
        """Find the end of the headers, and how long the message will be; False if they aren't whole yet."""
        buffer = self._buffer
        if buffer[0] in b"\r\n":
            self._skip_line_ends()
            if not buffer:
                return False
        match = _head_end.search(buffer, self._scanned)
        end = len(buffer) if match is None else match.end()
        if end > MAX_HEAD_SIZE:
            raise self._break(f"headers of more than {MAX_HEAD_SIZE} octets", messages, MAX_HEAD_SIZE, 513)
        if match is None:
            self._scanned = max(0, end - 3)
            return False
        lengths = [length.strip() for length in _content_length.findall(buffer, 0, end)]
        if not lengths:
            raise self._break("a message without Content-Length in a stream", messages, end)  # 18.3
        if not _digits(lengths[0]) or lengths.count(lengths[0]) != len(lengths):
            raise self._break("a Content-Length that is no number, or two of them", messages, end)
        self._total = end + int(lengths[0])
        if self._total > self.max_message_size:
            raise self._break(f"a message of more than {self.max_message_size} octets", messages, end, 413)
        return True

    def _skip_line_ends(self) -> None:
        """Empty lines before a message mean nothing (7.5), but two of them are a ping."""
        buffer = self._buffer
        length = len(buffer) - len(buffer.lstrip(b"\r\n"))
        line_ends = bytes(buffer[:length])
        del buffer[:length]
        if not buffer and line_ends.endswith(b"\r"):
            # The octets that may become a ping with what comes next. A whole CRLF is a pong, and is forgotten.
            self._line_ends = line_ends[-3:] if line_ends.endswith(b"\r\n\r") else b"\r"
        self.pings += line_ends.count(b"\r\n\r\n")

    def _break(self, what: str, messages: list[bytes], head_size: int, code: int = 400) -> FramingError:
        head = bytes(self._buffer[:head_size])
        self.broken = True
        self._buffer = bytearray()
        return FramingError(what, messages, head, code)
