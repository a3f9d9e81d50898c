"""Bodies of several parts (RFC 2046 5.1, RFC 5621)."""

from __future__ import annotations

import binascii
import quopri
import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Self

from sipsimple.core.wire.errors import SIPParseError
from sipsimple.core.wire.header_fields import HeaderFields, HeaderValue
from sipsimple.core.wire.headers.content import BaseContentTypeHeader, FrozenContentTypeHeader, media_type_matches
from sipsimple.core.wire.message import SIPMessage
from sipsimple.core.wire.parser import parse_fields

__all__ = ["BodyPart", "body_parts", "encode_multipart", "find_body", "parse_multipart"]

MAX_PARTS = 32  # of one body
MAX_DEPTH = 4  # of multipart bodies in multipart bodies, in body_parts

_is_boundary = re.compile(r"[A-Za-z0-9'()+_,\-./:=? ]{0,69}[A-Za-z0-9'()+_,\-./:=?]").fullmatch


@dataclass(frozen=True, slots=True)
class BodyPart:
    """One part of a body: its own headers, and octets."""

    body: bytes
    headers: HeaderFields = field(default_factory=HeaderFields)

    @classmethod
    def of(cls, content_type: str, body: bytes, headers: Iterable[tuple[str, HeaderValue]] = ()) -> Self:
        """A part of that content type."""
        return cls(body, HeaderFields([("Content-Type", content_type), *headers]))

    @property
    def content_type(self) -> str:
        """The media type in lower case, without parameters; text/plain if the part has none (RFC 2046 5.1)."""
        return (self.headers.get("content-type") or "text/plain").partition(";")[0].strip().lower()

    @property
    def disposition(self) -> str:
        """In lower case; 'session' for SDP and 'render' for others if the part has none (RFC 3261 20.11)."""
        stated = self.headers.get("content-disposition")
        if stated:
            return stated.partition(";")[0].strip().lower()
        return "session" if self.content_type == "application/sdp" else "render"

    @property
    def content_id(self) -> str | None:
        """What cid: URIs call it, without the angle brackets (RFC 2392)."""
        value = self.headers.get("content-id")
        return value and value.strip("<>")

    def decoded(self) -> bytes:
        """The octets, their transfer encoding undone (RFC 2045 6). Raises SIPParseError."""
        encoding = (self.headers.get("content-transfer-encoding") or "binary").lower()
        if encoding in ("binary", "8bit", "7bit"):
            return self.body
        if encoding == "quoted-printable":
            return quopri.decodestring(self.body)
        if encoding != "base64":
            raise SIPParseError("an unknown transfer encoding", encoding)
        try:
            return binascii.a2b_base64(self.body)
        except ValueError:
            raise SIPParseError("a part that is not the base64 it claims to be") from None


def parse_multipart(body: bytes, boundary: str) -> list[BodyPart]:
    """The parts of a body, parted by `boundary`. What is before the first and behind the last means nothing.

    Raises SIPParseError if there are no parts or more than MAX_PARTS. The closing delimiter may be missing.
    """
    if not _is_boundary(boundary):
        raise SIPParseError("not a boundary of parts", boundary)
    delimiter = re.compile(rb"(?:^|\r?\n)--" + re.escape(boundary.encode()) + rb"(--)?[ \t]*(?=\r?\n|$)(?:\r?\n)?")
    parts: list[BodyPart] = []
    start = -1
    for match in delimiter.finditer(body):
        if start >= 0:
            parts.append(_parse_part(body[start : match.start()]))
        start = match.end()
        if match[1]:
            start = -1
            break
        if len(parts) >= MAX_PARTS:
            raise SIPParseError(f"a body of more than {MAX_PARTS} parts")
    if start >= 0:
        parts.append(_parse_part(body[start:]))
    if not parts:
        raise SIPParseError("a multipart body without parts")
    return parts


def encode_multipart(
    parts: Sequence[BodyPart], subtype: str = "mixed", boundary: str | None = None
) -> tuple[BaseContentTypeHeader, bytes]:
    """Content-Type and body of a message with these parts; of 'related' ones the first is the root (RFC 2387).

    Raises ValueError if the boundary is in one of them.
    """
    if not parts:
        raise ValueError("a multipart body needs a part")
    boundary = secrets.token_hex(16) if boundary is None else boundary
    if not _is_boundary(boundary):
        raise ValueError(f"not a boundary of parts: {boundary!r}")
    delimiter = b"--" + boundary.encode()
    chunks = []
    for part in parts:
        if delimiter in part.body:
            raise ValueError("the boundary is in a part")
        lines = part.headers.lines()
        head = "".join([f"{line}\r\n" for line in lines]).encode("utf-8", "surrogateescape")
        chunks += [delimiter, b"\r\n", head, b"\r\n", part.body, b"\r\n"]
    chunks += [delimiter, b"--\r\n"]
    parameters = {"boundary": f'"{boundary}"'}
    if subtype == "related":
        parameters["type"] = f'"{parts[0].content_type}"'
    return FrozenContentTypeHeader(f"multipart/{subtype}", parameters), b"".join(chunks)


def body_parts(message: SIPMessage) -> list[BodyPart]:
    """All bodies of a message that are not themselves multipart, in their order; empty without a body.

    Raises SIPParseError if a multipart body is malformed.
    """
    if not message.body:
        return []
    part = BodyPart(message.body, message.headers)
    return _flatten(part, MAX_DEPTH)


def find_body(message: SIPMessage, content_type: str) -> bytes | None:
    """The first body of that type or range ('application/sdp', 'text/*'), decoded; None if there is none.

    Raises SIPParseError if a multipart body is malformed.
    """
    for part in body_parts(message):
        if media_type_matches(content_type, part.content_type):
            return part.decoded()
    return None


def _flatten(part: BodyPart, depth: int) -> list[BodyPart]:
    if not part.content_type.startswith("multipart/"):
        return [part]
    if depth == 0:
        raise SIPParseError(f"multipart bodies more than {MAX_DEPTH} deep")
    header = part.headers.first(FrozenContentTypeHeader)
    boundary = header.boundary if header is not None else None
    if not boundary:
        raise SIPParseError("a multipart body without a boundary")
    found = [inner for outer in parse_multipart(part.body, boundary) for inner in _flatten(outer, depth - 1)]
    if len(found) > MAX_PARTS:
        raise SIPParseError(f"a body of more than {MAX_PARTS} parts")
    return found


def _parse_part(data: bytes) -> BodyPart:
    if data.startswith((b"\r\n", b"\n")):  # no headers at all
        return BodyPart(data[data.index(b"\n") + 1 :])
    match = re.search(rb"\r?\n\r?\n", data)
    head, body = (data, b"") if match is None else (data[: match.start()], data[match.end() :])
    headers, all_named = parse_fields(head)
    if not all_named:
        raise SIPParseError("a line in the headers of a part is no header field")
    return BodyPart(body, headers)
