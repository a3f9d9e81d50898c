"""Octets to messages (RFC 3261 7, 18.3). Parsing refuses only what can't be represented: what is refused can't be
answered. What is merely wrong is noted as a defect, see `sipsimple.core.wire.validation`.
"""

from __future__ import annotations

import re

from sipsimple.core.wire.errors import SIPParseError
from sipsimple.core.wire.grammar import unfold
from sipsimple.core.wire.header_fields import HeaderFields
from sipsimple.core.wire.message import SIPMessage, SIPRequest, SIPResponse

__all__ = ["Defect", "parse_message"]

MAX_MESSAGE_SIZE = 65535  # octets, headers and body
MAX_HEADERS = 200  # lines; those above are not looked at
MAX_HEADER_LENGTH = 8192  # characters of one header field
MAX_URI_LENGTH = 2048  # characters of a Request-URI


class Defect:
    """What the parser lets pass and the validator refuses: members of SIPMessage.defects."""

    START_LINE = "the start line does not follow the grammar"
    HEADER_LINE = "a line in the header is no header field"
    CONTENT_LENGTH = "Content-Length is not a number, stated twice, or more than there is"
    TOO_MANY_HEADERS = "too many header fields"
    HEADER_TOO_LONG = "a header field is too long"
    URI_TOO_LONG = "the Request-URI is too long"


_request_line = re.compile(
    r"([^ \t]+)[ \t]+(.*?)[ \t]+(SIP/([0-9]+\.[0-9]+))[ \t]*", re.IGNORECASE | re.DOTALL
).fullmatch
_status_line = re.compile(r"SIP/([0-9]+\.[0-9]+)[ \t]+([0-9]{1,20})(?:[ \t](.*))?", re.IGNORECASE | re.DOTALL).fullmatch
_is_method = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]+").fullmatch
_line_end = re.compile(r"\r?\n")
_digits = re.compile(r"[0-9]{1,10}").fullmatch


def parse_message(data: bytes) -> SIPRequest | SIPResponse:
    """The message that data, a datagram or one message of a stream, holds.

    Octets behind the message's end (as Content-Length tells it) are left out. Raises SIPParseError.
    """
    if data[:1] in (b"\r", b"\n"):
        data = data.lstrip(b"\r\n")  # 7.5: empty lines before the start line are ignored
    if len(data) > MAX_MESSAGE_SIZE:
        raise SIPParseError(f"a message of more than {MAX_MESSAGE_SIZE} octets")
    end = data.find(b"\r\n\r\n")
    if end >= 0:
        body = data[end + 4 :]
        lines = data[:end].decode("utf-8", "surrogateescape").split("\r\n")
        if b"\n" in data[:end].replace(b"\r\n", b""):
            lines = _line_end.split("\r\n".join(lines))
    else:
        lines, body = _split_leniently(data)
    start_line = lines[0]
    del lines[0]
    defects = []
    if len(lines) > MAX_HEADERS:
        defects.append(Defect.TOO_MANY_HEADERS)
        del lines[MAX_HEADERS:]
    for line in lines:
        if line[:1] in (" ", "\t"):
            _join_folds(lines)
            break
    if end > MAX_HEADER_LENGTH and any(len(line) > MAX_HEADER_LENGTH for line in lines):
        defects.append(Defect.HEADER_TOO_LONG)
    headers, strange = HeaderFields.from_lines(lines)
    if strange:
        defects.append(Defect.HEADER_LINE)
    message = _start(start_line, headers, defects)
    lengths = headers._index.get("content-length")
    if lengths is not None:
        length = unfold(lengths[0])
        if len(lengths) > 1 or not _digits(length) or int(length) > len(body):
            defects.append(Defect.CONTENT_LENGTH)
        elif int(length) < len(body):
            body = body[: int(length)]
    message.body = body
    if defects:
        message.defects = tuple(defects)
    return message


def _start(line: str, headers: HeaderFields, defects: list[str]) -> SIPRequest | SIPResponse:
    """The message of that start line, without its body."""
    message: SIPMessage
    if line[:4].upper() == "SIP/":
        match = _status_line(line)
        if match is None:
            raise SIPParseError("not a status line", line)
        response = SIPResponse.__new__(SIPResponse)
        response.version, code, reason = match.groups()
        response.code = int(code)
        response._reason = reason or ""
        if reason is None:
            defects.append(Defect.START_LINE)
        message = response
    else:
        request = SIPRequest.__new__(SIPRequest)
        parts = line.split(" ")
        if len(parts) == 3 and parts[2] == "SIP/2.0" and _is_method(parts[0]):
            request.method, request.raw_uri, _ = parts
            request.version = "2.0"
        else:
            match = _request_line(line)
            if match is None:
                raise SIPParseError("not a request line", line)
            request.method, request.raw_uri, version, request.version = match.groups()
            if line != f"{request.method} {request.raw_uri} {version}" or not _is_method(request.method):
                defects.append(Defect.START_LINE)
        if len(request.raw_uri) > MAX_URI_LENGTH:
            defects.append(Defect.URI_TOO_LONG)
        request._uri = None
        message = request
    message.headers = headers
    message.defects = ()
    return message


def _split_leniently(data: bytes) -> tuple[list[str], bytes]:
    """Lines of the header, and the body, of a message without CRLF CRLF."""
    head, _, body = data.partition(b"\n\n")
    lines = _line_end.split(head.decode("utf-8", "surrogateescape"))
    if lines and not lines[-1]:
        del lines[-1]
    if not lines:
        raise SIPParseError("an empty message")
    return lines, body


def _join_folds(lines: list[str]) -> None:
    """Join lines that begin with white space to the line before (7.3.1), their CRLF kept."""
    joined: list[str] = []
    for line in lines:
        if line[:1] in (" ", "\t") and joined:
            joined[-1] += "\r\n" + line
        else:
            joined.append(line)
    lines[:] = joined
