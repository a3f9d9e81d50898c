"""Indications that a message is being composed (RFC 3994): `application/im-iscomposing+xml`.

The reader uses expat alone, refuses any document type, and so knows no entities and fetches nothing.
"""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple
from xml.parsers import expat

from sipsimple.streams.chat.content import parse_content_type
from sipsimple.streams.chat.cpim import format_timestamp, parse_timestamp

__all__ = ["COMPOSING_TYPE", "ComposingError", "ComposingIndication", "parse_composing", "print_composing"]

COMPOSING_TYPE = "application/im-iscomposing+xml"
DEFAULT_REFRESH = 120
"""Seconds that a state without a `refresh` lasts (RFC 3994 3.3)."""
MAX_REFRESH = 86400
"""Seconds; a longer refresh is taken for this."""

_MAX_OCTETS = 16 * 1024
_MAX_DEPTH = 16
_MAX_TEXT = 1024
_NAMESPACE = "urn:ietf:params:xml:ns:im-iscomposing"
_ROOT = f"{_NAMESPACE} isComposing"
_ELEMENTS = {f"{_NAMESPACE} {name}": name for name in ("state", "refresh", "lastactive", "contenttype")}


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


class _Reader:
    def __init__(self) -> None:
        self.values: dict[str, str] = {}
        self._path: list[str] = []
        self._text: list[str] = []
        self._length = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if not self._path and name != _ROOT:
            raise ComposingError("another root element than isComposing")
        if len(self._path) >= _MAX_DEPTH:
            raise ComposingError("elements nested too deep")
        self._path.append(name)
        self._text.clear()
        self._length = 0

    def end(self, name: str) -> None:
        self._path.pop()
        if len(self._path) == 1 and name in _ELEMENTS:
            self.values.setdefault(_ELEMENTS[name], "".join(self._text).strip())

    def characters(self, text: str) -> None:
        if len(self._path) == 2:
            self._length += len(text)
            if self._length > _MAX_TEXT:
                raise ComposingError("an element with too much text")
            self._text.append(text)

    def refuse(self, *arguments: object) -> None:
        raise ComposingError("a document type or an entity")


def parse_composing(data: bytes) -> ComposingIndication:
    """Read an indication.

    :raises ComposingError: not well-formed, another document, a document type, too large
    """
    if len(data) > _MAX_OCTETS:
        raise ComposingError("too large")
    reader = _Reader()
    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.CharacterDataHandler = reader.characters
    parser.StartDoctypeDeclHandler = reader.refuse
    parser.EntityDeclHandler = reader.refuse
    parser.ExternalEntityRefHandler = None
    try:
        parser.Parse(data, True)
    except expat.ExpatError as error:
        raise ComposingError(f"not well-formed: {error}") from None
    except ComposingError:
        raise
    except (ValueError, LookupError) as error:  # an encoding that is unknown or that expat cannot use
        raise ComposingError(f"not readable: {error}") from None
    values = reader.values
    if "state" not in values:
        raise ComposingError("no state")
    # RFC 3994 3.2: a state that is not known counts as idle.
    state = "active" if values["state"].lower() == "active" else "idle"
    return ComposingIndication(
        state,
        _refresh(values.get("refresh")),
        parse_timestamp(values["lastactive"]) if "lastactive" in values else None,
        values.get("contenttype") or None,
    )


def _refresh(text: str | None) -> int | None:
    if text is None or not text.isascii() or not text.isdigit() or not text.strip("0"):
        return None
    return min(int(text), MAX_REFRESH) if len(text) <= 9 else MAX_REFRESH


def _escape(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def print_composing(indication: ComposingIndication) -> bytes:
    """The document.

    :raises ValueError: the state, refresh or content type is not a possible one
    """
    state, refresh, last_active, content_type = indication
    if state not in ("active", "idle"):
        raise ValueError(f"state must be 'active' or 'idle', not {state!r}")
    parts = [f'<?xml version="1.0" encoding="UTF-8"?>\n<isComposing xmlns="{_NAMESPACE}"><state>{state}</state>']
    if content_type is not None:
        parts.append(f"<contenttype>{_escape(parse_content_type(content_type).full)}</contenttype>")
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
