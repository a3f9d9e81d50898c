"""Escapes of URIs: %HH (RFC 3261 19.1.2, 25.1; RFC 3966)."""

from __future__ import annotations

import re
from urllib.parse import unquote_to_bytes

__all__ = ["canonical", "check_escapes", "escape", "unescape"]

from sipsimple.core.wire.errors import SIPParseError

UNRESERVED = "A-Za-z0-9\\-_.!~*'()"
USER_LITERALS = UNRESERVED + "&=+$,;?/"
PASSWORD_LITERALS = UNRESERVED + "&=+$,"
PARAMETER_LITERALS = UNRESERVED + "\\[\\]/:&+$"
HEADER_LITERALS = UNRESERVED + "\\[\\]/?:+$"

RESERVED = frozenset(b";/?:@&=+$,%")

_bad_escape = re.compile("%(?![0-9A-Fa-f]{2})").search
_escape_run = re.compile("(?:%[0-9A-Fa-f]{2})+|[^\x00-\x7f]+")
_illegal = {
    literals: re.compile(f"[^{literals}%]|%(?![0-9A-Fa-f]{{2}})")
    for literals in (USER_LITERALS, PASSWORD_LITERALS, PARAMETER_LITERALS, HEADER_LITERALS)
}


def check_escapes(text: str) -> None:
    """Raise SIPParseError if a "%" in text does not begin an escape."""
    if _bad_escape(text):
        raise SIPParseError('"%" without two hexadecimal digits', text)


def escape(text: str, literals: str) -> str:
    """text with everything escaped that may not stand there as it is. Escapes in it are left alone."""
    if text.isalnum() and text.isascii():
        return text
    return _illegal[literals].sub(_percent, text)


def unescape(text: str, errors: str = "replace") -> str:
    """What text means, its escapes resolved.

    Octets that are no UTF-8 are shown as replacement characters; with the errors "surrogateescape" they are kept apart.
    """
    if "%" not in text:
        return text
    return unquote_to_bytes(text.encode("utf-8", "surrogateescape")).decode("utf-8", errors)


def canonical(text: str) -> str:
    """The one form of all texts that 19.1.4 holds equal: only reserved, "%" and other than ASCII stay escaped."""
    if "%" not in text and text.isascii():
        return text
    return _escape_run.sub(_canonical_run, text)


def _percent(match: re.Match[str]) -> str:
    return "".join([f"%{octet:02X}" for octet in match.group().encode("utf-8", "surrogateescape")])


def _canonical_run(match: re.Match[str]) -> str:
    octets = unquote_to_bytes(match.group().encode("utf-8", "surrogateescape"))
    return "".join([f"%{octet:02X}" if octet in RESERVED or octet > 0x7E else chr(octet) for octet in octets])
