"""Reading and printing `message/cpim` (RFC 3862 2, 3): message headers, an empty line, one MIME part.

The reader gives a message or raises CPIMError, whatever the octets are; all that it does is linear in their number.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from functools import lru_cache

from sipsimple.streams.chat.content import decode_content, encode_content, parse_content_type
from sipsimple.streams.chat.messages import (
    ChatIdentity,
    CPIMHeader,
    CPIMIdentity,
    CPIMMessage,
    CPIMNamespace,
    MultilingualText,
    escape,
    unescape,
)

__all__ = ["CPIMError", "format_timestamp", "parse_cpim", "parse_timestamp", "print_cpim", "print_envelope"]

MAX_HEADER_OCTETS = 64 * 1024
"""Message headers and the headers of the content, each."""
MAX_HEADERS = 256
"""Headers of either kind in one message."""

_NAME = r"[!#-'*+^-`|~A-Za-z0-9-]+"
_HEADER_NAME = re.compile(rf"(?:({_NAME})\.)?({_NAME})")
_LANGUAGE = re.compile(r"[A-Za-z0-9-]{1,64}")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]|\r(?!\n)|(?<!\r)\n")
_PREFIX = re.compile(_NAME)
_NAMESPACE = re.compile(rf"(?:({_NAME})[ \t]*)?<([^<>\s]+)>")
"""RFC 3862 3.6 has a space after the prefix; some senders leave it out."""
_NAMESPACE_URI = re.compile(r"[^<>\s\x00-\x20\x7f]+")


CORE_NAMESPACE = CPIMNamespace("urn:ietf:params:cpim-headers:")
"""RFC 3862 3.6: where names without a prefix are at home, until an NS header without a prefix says otherwise."""


class CPIMError(ValueError):
    """The octets are no `message/cpim` body."""


def format_timestamp(timestamp: datetime) -> str:
    """A DateTime (RFC 3862 3.4, RFC 3339). One without a time zone is in local time, as in `datetime`."""
    if timestamp.tzinfo is not UTC:
        timestamp = timestamp.astimezone(UTC)
    return timestamp.isoformat()


def parse_timestamp(text: str) -> datetime | None:
    """What a DateTime says, aware; None when it is none. Without an offset it is taken for UTC."""
    try:
        timestamp = datetime.fromisoformat(text.strip().upper())
    except ValueError:
        return None
    return timestamp if timestamp.tzinfo is not None else timestamp.replace(tzinfo=UTC)


def _split(data: bytes, start: int) -> tuple[str, int]:
    """The header block that begins at `start`, with its lines, and where what follows it begins."""
    if data.startswith(b"\r\n", start):
        return "", start + 2
    end = data.find(b"\r\n\r\n", start, start + MAX_HEADER_OCTETS)
    if end < 0:
        # Not what RFC 3862 2 says, but sent: lines that end in a line feed alone.
        if data.startswith(b"\n", start):
            return "", start + 1
        end = data.find(b"\n\n", start, start + MAX_HEADER_OCTETS)
        if end < 0:
            raise CPIMError("headers without an empty line after them")
        block = data[start:end].replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
        end += 2
    else:
        block = data[start:end]
        end += 4
    try:
        text = block.decode()
    except UnicodeDecodeError:
        raise CPIMError("headers that are not UTF-8") from None
    if _CONTROL.search(text):
        raise CPIMError("control characters in headers")
    if text.count("\r\n") >= MAX_HEADERS:
        raise CPIMError("too many headers")
    return text, end


def _identity(value: str, name: str) -> CPIMIdentity:
    try:
        return CPIMIdentity.parse(value)
    except ValueError as error:
        raise CPIMError(f"{name}: {error}") from None


@lru_cache(maxsize=64)
def _language(parameters: str) -> str | None:
    """RFC 3862 3.5: `;lang=fr`; other parameters mean nothing here."""
    for parameter in parameters.split(";"):
        name, _, value = parameter.partition("=")
        if name.strip().lower() == "lang" and _LANGUAGE.fullmatch(value):
            return value
    return None


def _content_type(block: str) -> str:
    for line in block.split("\r\n"):
        name, _, value = line.partition(":")
        if name.strip().lower() == "content-type":
            return value.strip()
    # RFC 2045 5.2: the type of a part that names none.
    return "text/plain"


def parse_cpim(data: bytes) -> CPIMMessage:
    """Read a `message/cpim` body.

    Headers of the same kind: the first counts, of To, cc, Require and additional ones all do.

    :raises CPIMError: it is not one
    """
    block, position = _split(data, 0)
    if block[:13].lower() == "content-type:":
        # Some senders repeat the header of the envelope inside it.
        block, position = _split(data, position)
    sender: CPIMIdentity | None = None
    recipients: list[ChatIdentity] = []
    courtesy_recipients: list[ChatIdentity] = []
    timestamp: datetime | None = None
    required: list[str] = []
    subject: str | None = None
    translations: dict[str, str] = {}
    additional: list[CPIMHeader] = []
    namespaces: dict[str, CPIMNamespace] = {}
    for line in block.split("\r\n") if block else ():
        name, colon, value = line.partition(":")
        parameters = ""
        if value[:1] == ";":
            parameters, _, value = value.partition(" ")
        value = value.strip(" \t")
        # RFC 3862 2.2 has names with regard to case; some senders write `Cc`.
        known = name.lower()
        if known == "from":
            sender = sender or _identity(value, name)
        elif known == "to":
            recipients.append(_identity(value, name))
        elif known == "cc":
            courtesy_recipients.append(_identity(value, name))
        elif known == "datetime":
            timestamp = timestamp or parse_timestamp(value)
        elif known == "subject":
            language = _language(parameters) if parameters else None
            if language is not None:
                translations.setdefault(language, unescape(value))
            elif subject is None:
                subject = unescape(value)
        elif known == "ns":
            match = _NAMESPACE.fullmatch(value)
            if match is None:
                raise CPIMError("NS without a URI")
            prefix = match[1] or ""
            if not prefix and match[2] == CORE_NAMESPACE.uri:
                namespaces.pop("", None)
            else:
                namespaces[prefix] = CPIMNamespace(match[2], prefix)
        elif known == "require":
            required += [part for part in (part.strip() for part in value.split(",")) if part]
        else:
            match = _HEADER_NAME.fullmatch(name)
            if not colon or match is None:
                raise CPIMError(f"not a header: {line[:80]!r}")
            namespace = namespaces.get(match[1] or "")
            # RFC 3862 2.2: a prefix that no NS declared belongs to no namespace; the name then stays whole.
            additional.append(CPIMHeader(match[2] if namespace else name, unescape(value), namespace))
    if subject is not None or translations:
        text = subject if subject is not None else next(iter(translations.values()))
        subject = MultilingualText(text, **translations)
    block, position = _split(data, position)
    try:
        content_type = parse_content_type(_content_type(block))
    except ValueError as error:
        raise CPIMError(str(error)) from None
    content, kept_type = decode_content(data[position:], content_type)
    return CPIMMessage(
        content,
        kept_type,
        sender,
        recipients,
        courtesy_recipients,
        subject,
        timestamp,
        required,
        additional,
    )


def _namespace_line(namespace: CPIMNamespace) -> str:
    if not (_PREFIX.fullmatch(namespace.prefix or "x") and _NAMESPACE_URI.fullmatch(namespace.uri)):
        raise ValueError(f"not a namespace: {namespace!r}")
    return f"NS: {namespace.prefix} <{namespace.uri}>" if namespace.prefix else f"NS: <{namespace.uri}>"


def _printed_headers(headers: Iterable[object]) -> list[str]:
    """Lines of additional headers, each with the NS line that it needs before it (RFC 3862 3.6)."""
    lines: list[str] = []
    declared = {"": CORE_NAMESPACE.uri}
    for header in headers:
        name = getattr(header, "name", None)
        value = getattr(header, "value", None)
        if value is None:
            value = getattr(header, "encoded", None)
        if not isinstance(name, str) or not isinstance(value, str):
            raise TypeError(f"not a header with a name and a value: {type(header).__name__}")
        if not _HEADER_NAME.fullmatch(name):
            raise ValueError(f"not the name of a header: {name!r}")
        namespace = getattr(header, "namespace", None)
        if namespace is None:
            if name.lower() in _RESERVED_NAMES:
                raise ValueError(f"{name} is an argument of its own, no additional header")
            # A name with a prefix finds its namespace itself.
            namespace = None if "." in name else CORE_NAMESPACE
        if namespace is not None:
            if declared.get(namespace.prefix) != namespace.uri:
                lines.append(_namespace_line(namespace))
                declared[namespace.prefix] = namespace.uri
            if namespace.prefix:
                name = f"{namespace.prefix}.{name}"
        lines.append(f"{name}: {escape(value)}")
    if declared[""] != CORE_NAMESPACE.uri:
        lines.append(_namespace_line(CORE_NAMESPACE))
    return lines


_RESERVED_NAMES = frozenset({"from", "to", "cc", "datetime", "subject", "ns", "require"})


def print_envelope(
    sender: ChatIdentity | None,
    recipients: Iterable[ChatIdentity],
    courtesy_recipients: Iterable[ChatIdentity] = (),
    subject: str | None = None,
    required: Iterable[str] = (),
    additional_headers: Iterable[object] = (),
) -> str:
    """All message headers but DateTime, each with its line end (RFC 3862 3).

    :raises ValueError: a name or a language has characters that it can't have
    :raises TypeError: an additional header without name or value
    """
    lines = [f"From: {sender}"] if sender is not None else []
    lines += [f"To: {identity}" for identity in recipients]
    lines += [f"cc: {identity}" for identity in courtesy_recipients]
    if subject is not None:
        # str.__str__: of a MultilingualText, the text without a language.
        lines.append(f"Subject: {escape(str(subject))}")
        for language, text in getattr(subject, "translations", {}).items():
            if not _LANGUAGE.fullmatch(language):
                raise ValueError(f"not a language tag: {language!r}")
            lines.append(f"Subject:;lang={language} {escape(text)}")
    lines += _printed_headers(additional_headers)
    required = list(required)
    if required:
        for name in required:
            if not _HEADER_NAME.fullmatch(name):
                raise ValueError(f"not the name of a capability: {name!r}")
        # After the NS lines that its names may need (RFC 3862 3.7).
        lines.append(f"Require: {','.join(required)}")
    lines.append("")
    return "\r\n".join(lines)


def print_cpim(message: CPIMMessage) -> bytes:
    """The octets of a message; now is its DateTime when it has no timestamp.

    :raises ValueError: a part has characters that its header can't have
    """
    content, content_type = encode_content(message.content, parse_content_type(message.content_type))
    envelope = print_envelope(
        message.sender,
        message.recipients,
        message.courtesy_recipients,
        message.subject,
        message.required,
        message.additional_headers,
    )
    timestamp = format_timestamp(message.timestamp or datetime.now(UTC))
    return f"{envelope}DateTime: {timestamp}\r\n\r\nContent-Type: {content_type}\r\n\r\n".encode() + content
