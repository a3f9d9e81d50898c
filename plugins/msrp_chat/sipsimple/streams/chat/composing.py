"""Indications that a message is being composed (RFC 3994): `application/im-iscomposing+xml`."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from sipsimple.streams.chat.content import parse_content_type
from sipsimple.streams.chat.cpim import format_timestamp, parse_timestamp
from sipsimple.streams.chat.documents import DocumentError, escape_text, read_document

__all__ = ["COMPOSING_TYPE", "ComposingError", "ComposingIndication", "parse_composing", "print_composing"]

COMPOSING_TYPE = "application/im-iscomposing+xml"
DEFAULT_REFRESH = 120
"""Seconds that a state without a `refresh` lasts (RFC 3994 3.3)."""
MAX_REFRESH = 86400
"""Seconds; a longer refresh is taken for this."""

_NAMESPACE = "urn:ietf:params:xml:ns:im-iscomposing"


class ComposingError(ValueError):
    """The octets are no such document."""


class ComposingIndication(NamedTuple):
    """:ivar state: 'active' or 'idle'
    :ivar refresh: seconds until the next indication, or None
    :ivar last_active: when the sender last typed, or None
    :ivar content_type: media type of what is being composed, or None
    """

    state: str
    refresh: int | None = None
    last_active: datetime | None = None
    content_type: str | None = None


def parse_composing(data: bytes) -> ComposingIndication:
    """Read an indication.

    :raises ComposingError: not well-formed, another document, a document type, too large
    """
    try:
        texts = read_document(data, "isComposing", (_NAMESPACE,))
    except DocumentError as error:
        raise ComposingError(str(error)) from None
    if "state" not in texts:
        raise ComposingError("no state")
    # RFC 3994 3.2: a state that is not known counts as idle.
    state = "active" if texts["state"].lower() == "active" else "idle"
    return ComposingIndication(
        state,
        _refresh(texts.get("refresh")),
        parse_timestamp(texts["lastactive"]) if "lastactive" in texts else None,
        texts.get("contenttype") or None,
    )


def _refresh(text: str | None) -> int | None:
    if text is None or not text.isascii() or not text.isdigit() or not text.strip("0"):
        return None
    return min(int(text), MAX_REFRESH) if len(text) <= 9 else MAX_REFRESH


def print_composing(indication: ComposingIndication) -> bytes:
    """The document.

    :raises ValueError: the state, refresh or content type is not a possible one
    """
    state, refresh, last_active, content_type = indication
    if state not in ("active", "idle"):
        raise ValueError(f"state must be 'active' or 'idle', not {state!r}")
    parts = [f'<?xml version="1.0" encoding="UTF-8"?>\n<isComposing xmlns="{_NAMESPACE}"><state>{state}</state>']
    if content_type is not None:
        parts.append(f"<contenttype>{escape_text(parse_content_type(content_type).full)}</contenttype>")
    if last_active is not None:
        parts.append(f"<lastactive>{format_timestamp(last_active)}</lastactive>")
    if refresh is not None:
        if isinstance(refresh, bool) or not isinstance(refresh, int):
            raise TypeError(f"refresh must be a whole number of seconds, not {type(refresh).__name__}")
        if refresh < 1:
            raise ValueError(f"refresh must be at least one second, not {refresh}")
        parts.append(f"<refresh>{refresh}</refresh>")
    parts.append("</isComposing>")
    return "".join(parts).encode()
