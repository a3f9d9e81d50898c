"""The value of Use-Nickname (RFC 7701 7.1): a nickname as a quoted string."""

from __future__ import annotations

import re

from msrplib.errors import MSRPSyntaxError

__all__ = ["format_nickname", "parse_nickname"]

_QUOTED = re.compile(r'"((?:[^"\\]|\\["\\])*)"')
_ESCAPED = re.compile(r"\\(.)")
_TO_ESCAPE = re.compile(r'["\\]')
_CONTROL = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def format_nickname(nickname: str) -> str:
    """The value for a nickname; an empty one gives the nickname up.

    :raises MSRPSyntaxError: it has control characters or lone surrogates
    """
    if _CONTROL.search(nickname):
        raise MSRPSyntaxError(f"not a nickname: {nickname[:80]!r}")
    return '"' + _TO_ESCAPE.sub(r"\\\g<0>", nickname) + '"'


def parse_nickname(text: str) -> str:
    """The nickname of a value.

    :raises MSRPSyntaxError: it is no quoted string, or has control characters
    """
    match = _QUOTED.fullmatch(text)
    if match is None or _CONTROL.search(match[1]):
        raise MSRPSyntaxError(f"not a nickname: {text[:80]!r}")
    return _ESCAPED.sub(r"\1", match[1])
