"""Chunks and the values in their headers (RFC 4975 7, 9)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from msrplib.errors import MSRPSyntaxError
from msrplib.nickname import parse_nickname
from msrplib.uri import MSRPURI, parse_path

__all__ = [
    "CONTFLAG_ABORT",
    "CONTFLAG_END",
    "CONTFLAG_MORE",
    "REASONS",
    "ByteRange",
    "MSRPData",
    "Status",
    "check_header",
]

CONTFLAG_END = "$"
"""RFC 4975 7.1: the chunk ends its message."""
CONTFLAG_MORE = "+"
"""RFC 4975 7.1: more chunks of the message follow."""
CONTFLAG_ABORT = "#"
"""RFC 4975 7.1: the sender gave the message up."""

REASONS = {
    200: "OK",
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    408: "Request Timeout",
    413: "Message Too Large",
    415: "Unsupported Media Type",
    423: "Parameter Out Of Bounds",
    424: "Malformed Nickname",
    425: "Nickname Reserved Or In Use",
    428: "Private Messages Not Supported",
    481: "No Such Session",
    501: "Unknown Method",
    506: "Session In Use",
}
"""Comments for the status codes of RFC 4975 10, RFC 4976 9 and RFC 7701."""

MAX_RANGE_VALUE = 2**63 - 1
"""Byte-Range and Expires values above it are refused: no real message has as many octets."""

_BYTE_RANGE = re.compile(r"([0-9]{1,19})-(\*|[0-9]{1,19})/(\*|[0-9]{1,19})")
_STATUS = re.compile(r"([0-9]{3}) ([0-9]{3})(?: (.*))?")
_HEADER_NAME = re.compile(r"[A-Za-z0-9!%'*+\-.^_`|~$&#]+")

_CANONICAL_NAMES = {
    name.lower(): name
    for name in (
        "To-Path",
        "From-Path",
        "Message-ID",
        "Success-Report",
        "Failure-Report",
        "Byte-Range",
        "Status",
        "Expires",
        "Min-Expires",
        "Max-Expires",
        "Use-Path",
        "WWW-Authenticate",
        "Authorization",
        "Authentication-Info",
        "Use-Nickname",
        "Content-Type",
        "Content-ID",
        "Content-Description",
        "Content-Disposition",
    )
}
_KNOWN_NAMES = frozenset(_CANONICAL_NAMES.values())
_REPEATABLE_NAMES = frozenset({"WWW-Authenticate", "Authorization"})


class ByteRange(NamedTuple):
    """RFC 4975 7.1.1: which octets of the message a chunk carries, counted from 1, both ends included.

    `end` and `total` are None where the header has `*`. A chunk without octets has `end == start - 1`.
    """

    start: int
    end: int | None
    total: int | None

    @classmethod
    def parse(cls, text: str) -> ByteRange:
        """Read `1-10/20`, `1-*/*` and so on.

        :raises MSRPSyntaxError: not of that form, or backwards, or beyond the total
        """
        match = _BYTE_RANGE.fullmatch(text)
        if match is None:
            raise MSRPSyntaxError(f"not a Byte-Range: {text[:80]!r}")
        start_text, end_text, total_text = match.groups()
        start = int(start_text)
        end = None if end_text == "*" else int(end_text)
        total = None if total_text == "*" else int(total_text)
        if max(start, end or 0, total or 0) > MAX_RANGE_VALUE:
            raise MSRPSyntaxError("Byte-Range has a value beyond 2^63")
        # Some senders give an empty message 0-0/0, others 1-0/0.
        if start == 0:
            if end or total:
                raise MSRPSyntaxError("Byte-Range starts at 0; the first octet is 1")
            start = 1
        if end is not None and end < start - 1:
            raise MSRPSyntaxError("Byte-Range is backwards")
        if total is not None and (start - 1 > total or (end is not None and end > total)):
            raise MSRPSyntaxError("Byte-Range goes beyond its total")
        return cls(start, end, total)

    def __str__(self) -> str:
        end = "*" if self.end is None else self.end
        total = "*" if self.total is None else self.total
        return f"{self.start}-{end}/{total}"


class Status(NamedTuple):
    """RFC 4975 9, the Status of a REPORT: `000 200 OK`."""

    code: int
    comment: str = ""
    namespace: int = 0

    @classmethod
    def parse(cls, text: str) -> Status:
        """Read it.

        :raises MSRPSyntaxError: it is no Status
        """
        match = _STATUS.fullmatch(text)
        if match is None:
            raise MSRPSyntaxError(f"not a Status: {text[:80]!r}")
        return cls(int(match[2]), match[3] or "", int(match[1]))

    def __str__(self) -> str:
        text = f"{self.namespace:03d} {self.code:03d}"
        return f"{text} {self.comment}" if self.comment else text


def check_header(name: str, value: str) -> None:
    """Refuse what would break out of its header line.

    :raises MSRPSyntaxError: the name has other characters than a token, or the value a line end or a NUL
    """
    if not _HEADER_NAME.fullmatch(name):
        raise MSRPSyntaxError(f"not a header name: {name[:80]!r}")
    if "\r" in value or "\n" in value or "\0" in value:
        raise MSRPSyntaxError(f"the value of {name} has a line end or a NUL")


class MSRPData:
    """One chunk: a request or a response, with its body when that was received whole.

    Typed properties read a header at first access, give None where it is absent and raise MSRPSyntaxError
    where it is malformed. Header names are looked up in their canonical spelling (`To-Path`), whatever was
    received.

    :ivar transaction_id: RFC 4975 7.1
    :ivar method: 'SEND', 'REPORT', 'AUTH', …; None in a response
    :ivar code: the status code of a response; None in a request
    :ivar comment: of a response
    :ivar headers: name → value; of one that occurred more than once the first, all of them by `getall()`
    :ivar data: the body, `b''` when there is none or when it was or will be delivered in pieces
    :ivar contflag: '$', '+' or '#', and '' while the chunk is still being received
    :ivar size: octets of the body received so far, in pieces too
    :ivar answered: a received request has had its response, or is to have none
    :ivar error: what is wrong with the headers, for which the request gets a 400; None when nothing
    """

    __slots__ = (
        '_from_path', '_repeated', '_to_path',
        'answered', 'code', 'comment', 'contflag', 'data', 'error', 'headers', 'method', 'size',
        'transaction_id',
    )  # fmt: skip

    transaction_id: str
    method: str | None
    code: int | None
    comment: str
    headers: dict[str, str]
    data: bytes
    contflag: str
    size: int
    error: str | None
    answered: bool

    def __init__(
        self,
        transaction_id: str,
        method: str | None = None,
        code: int | None = None,
        comment: str = "",
        headers: dict[str, str] | Iterable[tuple[str, str]] = (),
        data: bytes = b"",
        contflag: str = CONTFLAG_END,
    ) -> None:
        self.transaction_id = transaction_id
        self.method = method
        self.code = code
        self.comment = comment
        self.headers = headers if type(headers) is dict else dict(headers)
        self.data = data
        self.contflag = contflag
        self.size = len(data)
        self.error = None
        self.answered = False
        self._repeated: list[tuple[str, str]] | None = None
        self._to_path: tuple[MSRPURI, ...] | None = None
        self._from_path: tuple[MSRPURI, ...] | None = None

    def __repr__(self) -> str:
        what = self.method if self.code is None else self.code
        return (
            f"<MSRPData {self.transaction_id} {what} message_id={self.message_id!r} "
            f"byte_range={self.headers.get('Byte-Range')!r} size={self.size} contflag={self.contflag!r}>"
        )

    @property
    def is_request(self) -> bool:
        return self.code is None

    @property
    def to_path(self) -> tuple[MSRPURI, ...]:
        """To-Path (RFC 4975 7.1); an empty tuple where it is absent."""
        path = self._to_path
        if path is None:
            text = self.headers.get("To-Path")
            path = self._to_path = parse_path(text) if text is not None else ()
        return path

    @property
    def from_path(self) -> tuple[MSRPURI, ...]:
        """From-Path (RFC 4975 7.1); an empty tuple where it is absent."""
        path = self._from_path
        if path is None:
            text = self.headers.get("From-Path")
            path = self._from_path = parse_path(text) if text is not None else ()
        return path

    @property
    def use_path(self) -> tuple[MSRPURI, ...]:
        """Use-Path (RFC 4976 5.1): the URIs that a relay gave, outermost first."""
        text = self.headers.get("Use-Path")
        return parse_path(text) if text is not None else ()

    @property
    def message_id(self) -> str | None:
        return self.headers.get("Message-ID")

    @property
    def byte_range(self) -> ByteRange | None:
        text = self.headers.get("Byte-Range")
        return ByteRange.parse(text) if text is not None else None

    @property
    def success_report(self) -> str:
        """'yes' or 'no', which is the default (RFC 4975 7.1.1)."""
        return "yes" if self.headers.get("Success-Report") == "yes" else "no"

    @property
    def failure_report(self) -> str:
        """'yes', which is the default (RFC 4975 7.1.1), 'no' or 'partial'."""
        text = self.headers.get("Failure-Report")
        return text if text == "no" or text == "partial" else "yes"

    @property
    def content_type(self) -> str | None:
        """The media type with its parameters, as it was sent."""
        return self.headers.get("Content-Type")

    @property
    def status(self) -> Status | None:
        text = self.headers.get("Status")
        return Status.parse(text) if text is not None else None

    @property
    def expires(self) -> int | None:
        """Expires (RFC 4976 5.1), in seconds."""
        text = self.headers.get("Expires")
        if text is None:
            return None
        if not text.isascii() or not text.isdigit() or len(text) > 18:
            raise MSRPSyntaxError(f"not an Expires: {text[:80]!r}")
        return int(text)

    @property
    def use_nickname(self) -> str | None:
        """Use-Nickname (RFC 7701 7.1): the nickname that a participant of a chat room wants; '' for none."""
        text = self.headers.get("Use-Nickname")
        return parse_nickname(text) if text is not None else None

    def getall(self, name: str) -> list[str]:
        """All values of a header that may occur more than once (WWW-Authenticate)."""
        first = self.headers.get(name)
        if first is None:
            return []
        return [first, *[value for other, value in self._repeated or () if other == name]]

    def read_headers(self, block: bytes) -> None:
        """Fill `headers` from the octets between start line and body or end-line.

        A line without a colon, a folded line, or a second To-Path or the like sets `error`.
        """
        if not block:
            return
        headers = self.headers
        text = block.decode("utf-8", "replace")
        lines = text.split("\r\n")
        # A lone CR or LF would become a line of its own once a path is copied into a response.
        if text.count("\n") != len(lines) - 1 or text.count("\r") != len(lines) - 1:
            self.error = "a header has a line end inside"
            lines = [line.replace("\r", " ").replace("\n", " ") for line in lines]
        for line in lines:
            name, separator, value = line.partition(":")
            value = value.strip(" \t")
            if name not in _KNOWN_NAMES:
                if not separator or not _HEADER_NAME.fullmatch(name):
                    self.error = "a header line has no name"
                    continue
                name = _CANONICAL_NAMES.get(name.lower(), name)
            elif not separator:
                self.error = f"{name} has no value"
                continue
            if name not in headers:
                headers[name] = value
            elif name in _REPEATABLE_NAMES:
                if self._repeated is None:
                    self._repeated = []
                self._repeated.append((name, value))
            elif name in _KNOWN_NAMES:
                self.error = f"{name} occurs twice"

    def encode_head(self) -> bytes:
        """Start line and headers, and, when there is a Content-Type, the empty line after which the body
        begins."""
        if self.code is None:
            start = f"MSRP {self.transaction_id} {self.method}\r\n"
        elif self.comment:
            start = f"MSRP {self.transaction_id} {self.code:03d} {self.comment}\r\n"
        else:
            start = f"MSRP {self.transaction_id} {self.code:03d}\r\n"
        headers = self.headers
        lines = [start]
        # RFC 4975 9: To-Path and From-Path come first, Content-Type last.
        for name in ("To-Path", "From-Path"):
            if name in headers:
                lines.append(f"{name}: {headers[name]}\r\n")
        for name, value in headers.items():
            if name != "To-Path" and name != "From-Path" and name != "Content-Type":
                lines.append(f"{name}: {value}\r\n")
        for name, value in self._repeated or ():
            lines.append(f"{name}: {value}\r\n")
        if "Content-Type" in headers:
            lines.append(f"Content-Type: {headers['Content-Type']}\r\n\r\n")
        return "".join(lines).encode()

    def encode_tail(self) -> bytes:
        """The end-line, and the CRLF before it when there is a body."""
        end_line = f"-------{self.transaction_id}{self.contflag or CONTFLAG_END}\r\n"
        return (f"\r\n{end_line}" if "Content-Type" in self.headers else end_line).encode()

    def encode(self) -> bytes:
        """The octets of the whole chunk.

        :raises MSRPSyntaxError: a header could not be told from the next, or there is a body without
            Content-Type
        """
        for name, value in self.headers.items():
            check_header(name, value)
        if self.data and "Content-Type" not in self.headers:
            raise MSRPSyntaxError("a body needs a Content-Type")
        return b"".join((self.encode_head(), self.data, self.encode_tail()))
