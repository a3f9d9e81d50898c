"""Octets to messages (RFC 3261 7, 18.3). Parsing refuses only what can't be represented: what is refused can't be
answered. What is merely wrong is noted as a defect, see `sipsimple.core.wire.validation`.
"""

from __future__ import annotations

import re

from sipsimple.core.wire.errors import Defect, SIPParseError
from sipsimple.core.wire.grammar import METHODS, is_token
from sipsimple.core.wire.header_fields import HeaderFields
from sipsimple.core.wire.message import SIP_VERSION, SIPRequest, SIPResponse

__all__ = ["parse_fields", "parse_message"]

MAX_MESSAGE_SIZE = 65535  # octets, headers and body
MAX_HEADERS = 200  # lines; those above are not looked at
MAX_HEADER_LENGTH = 8192  # characters of one header field
MAX_LENGTH_DIGITS = 10  # of a Content-Length
MAX_URI_LENGTH = 2048  # characters of a Request-URI


_status_line = re.compile(
    r"SIP/([0-9]+\.[0-9]+)[ \t]++([0-9]{1,20})(?:[ \t](.*+))?+", re.IGNORECASE | re.DOTALL
).fullmatch
_version = re.compile(r"SIP/([0-9]+\.[0-9]+)", re.IGNORECASE).fullmatch
_head_end = re.compile(rb"\r\n\r\n").search  # faster than bytes.find
_new = object.__new__


def parse_message(data: bytes) -> SIPRequest | SIPResponse:
    """The message that data, a datagram or one message of a stream, holds.

    Octets behind the message's end (as Content-Length tells it) are left out. Raises SIPParseError.
    """
    if data.startswith((b"\r", b"\n")):
        data = data.lstrip(b"\r\n")  # 7.5: empty lines before the start line are ignored
    if len(data) > MAX_MESSAGE_SIZE:
        raise SIPParseError(f"a message of more than {MAX_MESSAGE_SIZE} octets")
    defects: list[Defect] = []
    match = _head_end(data)
    if match is not None:
        end = match.end()
        lines = data[: end - 3].decode("utf-8", "surrogateescape").split("\n")
        body = data[end:]
    else:
        lines, body = _split_leniently(data)
    start_line = lines.pop(0)
    if len(lines) > MAX_HEADERS:
        defects.append(Defect.TOO_MANY_HEADERS)
        del lines[MAX_HEADERS:]
    if len(data) > MAX_HEADER_LENGTH and any(len(line) > MAX_HEADER_LENGTH for line in lines):
        defects.append(Defect.HEADER_TOO_LONG)
    headers, all_named = HeaderFields.from_lines(lines)
    if not all_named:
        defects.append(Defect.HEADER_LINE)
    message: SIPRequest | SIPResponse
    if start_line.startswith(("SIP/", "sip/")):
        message = _start_response(start_line, defects)
    else:
        message = _start_request(start_line, defects)
    message.headers = headers
    lengths = headers.index.get("content-length")
    if lengths is not None and (len(lengths) > 1 or lengths[0].strip() != str(len(body))):
        body = _cut(body, lengths, defects)
    message.body = body
    message.defects = tuple(defects) if defects else ()
    return message


def parse_fields(head: bytes) -> tuple[HeaderFields, bool]:
    """The header fields in `head`, and whether all its lines are header fields."""
    lines = head.decode("utf-8", "surrogateescape").split("\n") if head else []
    return HeaderFields.from_lines(lines[:MAX_HEADERS])


def _cut(body: bytes, lengths: list[str], defects: list[Defect]) -> bytes:
    """The octets that belong to the body, as Content-Length tells; all where it tells nonsense (18.3)."""
    length = lengths[0].strip()
    is_number = length.isascii() and length.isdigit() and len(length) <= MAX_LENGTH_DIGITS
    if len(lengths) > 1 or not is_number or int(length) > len(body):
        defects.append(Defect.CONTENT_LENGTH)
        return body
    return body[: int(length)]


def _start_request(line: str, defects: list[Defect]) -> SIPRequest:
    parts = line.split(" ")
    version = SIP_VERSION
    if len(parts) != 3 or parts[2] != "SIP/2.0\r" or not (parts[0] in METHODS or is_token(parts[0])):
        # 25.1: single spaces, nothing else. Whatever comes near it is kept, so that it can be answered.
        line = line.removesuffix("\r")
        method, *rest = line.split(None, 1) or [""]
        parts = [method, *rest[0].rsplit(None, 1)] if rest else []
        if len(parts) != 3 or _version(parts[2]) is None:
            raise SIPParseError("not a request line", line)
        version = parts[2][4:]
        if line != " ".join(parts) or not is_token(method):
            defects.append(Defect.START_LINE)
    request = _new(SIPRequest)
    request.method = parts[0]
    request.raw_uri = parts[1]
    request.version = version
    request._uri = None
    if len(parts[1]) > MAX_URI_LENGTH:
        defects.append(Defect.URI_TOO_LONG)
    return request


def _start_response(line: str, defects: list[Defect]) -> SIPResponse:
    match = _status_line(line.removesuffix("\r"))
    if match is None:
        raise SIPParseError("not a status line", line)
    response = _new(SIPResponse)
    response.version, code, reason = match.groups()
    response.code = int(code)
    response._reason = reason or ""
    if reason is None:
        defects.append(Defect.START_LINE)
    return response


def _split_leniently(data: bytes) -> tuple[list[str], bytes]:
    """Lines of the head, and the body, of a message whose lines end without CR or whose head does not end."""
    head, _, body = data.partition(b"\n\n")
    return head.rstrip(b"\n").decode("utf-8", "surrogateescape").split("\n"), body
