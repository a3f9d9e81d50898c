"""SIP messages as text that may be shown: what authenticates or decrypts is masked."""

from __future__ import annotations

import re

__all__ = ["masked"]

_SECRETS = re.compile(
    r"^(?P<header>(?:Proxy-)?Authorization[ \t]*:[ \t]*\S+)[^\r\n]*(?:\r?\n[ \t][^\r\n]*)*"  # RFC 3261 22.4
    r"|(?P<key>^a=crypto:[^\r\n]*?inline:)[^\s|]+",  # RFC 4568 9.1
    re.IGNORECASE | re.MULTILINE,
)


def masked(message: bytes) -> str:
    """The message as text, octets that are no UTF-8 escaped, credentials and media keys replaced by `***`."""
    return _SECRETS.sub(_mask, message.decode("utf-8", "backslashreplace"))


def _mask(match: re.Match[str]) -> str:
    return f"{match['header']} ***" if match["header"] is not None else f"{match['key']}***"
