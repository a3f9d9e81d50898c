"""Tokens, quoted strings, escapes and lists: the lexical rules that headers share (RFC 3261 25.1, 7.3.1)."""

from __future__ import annotations

import re

from sipsimple.core.wire.errors import SIPParseError

__all__ = [
    "is_token",
    "parse_number",
    "quote",
    "readable",
    "split_list",
    "split_outside_quotes",
    "token_or_quoted",
    "unfold",
    "unquote",
]

TOKEN_CHARACTERS = r"A-Za-z0-9\-.!%*_+`'~"
TOKEN = rf"[{TOKEN_CHARACTERS}]+"
QUOTED_STRING = r'"(?:[^"\\]|\\.)*+"'

MAX_32_BIT = 2**32 - 1
MAX_NUMBER_DIGITS = 20  # longer numbers are refused before they are converted

# Those that need no look at their letters.
METHODS = frozenset(
    [
        *("INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "REGISTER", "SUBSCRIBE", "NOTIFY", "PUBLISH", "REFER"),
        *("MESSAGE", "INFO", "PRACK", "UPDATE"),
    ]
)

_is_token = re.compile(TOKEN).fullmatch
_quoted_pair = re.compile(r"\\(.)", re.DOTALL)
_line_end = re.compile(r"[\r\n]+")
_list_mark = re.compile(r'[,"<]')
_quoted_string = re.compile(QUOTED_STRING, re.DOTALL).match
_parameter_value = re.compile(rf"[{TOKEN_CHARACTERS}\[\]:]+|{QUOTED_STRING}", re.DOTALL).fullmatch
_number = re.compile(rf"[0-9]{{1,{MAX_NUMBER_DIGITS}}}").fullmatch


def is_token(text: str) -> bool:
    """Whether text is a token (RFC 3261 25.1)."""
    return _is_token(text) is not None


def parse_number(text: str, what: str, maximum: int = MAX_32_BIT) -> int:
    """The decimal number that text is. Raises SIPParseError if it is none, or larger than maximum."""
    if _number(text) is None or (number := int(text)) > maximum:
        raise SIPParseError(f"{what} is not a number from 0 to {maximum}", text)
    return number


def unfold(text: str) -> str:
    """A header's value on one line: white space around a line's fold is as one space (RFC 3261 7.3.1)."""
    text = text.strip()
    if "\n" in text or "\r" in text:
        text = " ".join([line.strip() for line in _line_end.split(text)])
    return text


def quote(text: str) -> str:
    """text as a quoted-string. Line ends, which no quoted-string can hold, become spaces."""
    if "\r" in text or "\n" in text:
        text = _line_end.sub(" ", text)
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def unquote(text: str) -> str:
    """What the quoted-string text holds; text itself if it is not quoted."""
    if len(text) >= 2 and text[0] == '"' == text[-1]:
        text = text[1:-1]
        return _quoted_pair.sub(r"\1", text) if "\\" in text else text
    return text


def token_or_quoted(text: str) -> str:
    """text as a parameter's value: as it is if it is a token, a host or quoted already, else quoted."""
    return text if _parameter_value(text) else quote(text)


def readable(text: str) -> str:
    """text for people: octets that were no UTF-8 (kept as lone surrogates) shown as the replacement character."""
    if text.isascii():
        return text
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")


def split_list(text: str) -> list[str]:
    """The elements of a comma-separated list (RFC 3261 7.3.1), stripped; commas within quotes or <> part nothing.

    An empty element is kept as '' for the caller to judge. Raises SIPParseError on an open quote or bracket.
    """
    if "," not in text:
        return [text.strip()]
    if '"' not in text and "<" not in text:
        return [element.strip() for element in text.split(",")]
    elements = []
    start = position = 0
    while (mark := _list_mark.search(text, position)) is not None:
        position = mark.end()
        character = mark.group()
        if character == ",":
            elements.append(text[start : position - 1].strip())
            start = position
        elif character == '"':
            position = _end_of_quoted(text, position - 1)
        else:
            closing = text.find(">", position)
            if closing < 0:
                raise SIPParseError('"<" without ">"', text)
            position = closing + 1
    elements.append(text[start:].strip())
    return elements


def split_outside_quotes(text: str, separator: str) -> list[str]:
    """text split at each separator that is not within a quoted-string; the parts are not stripped."""
    if '"' not in text:
        return text.split(separator)
    parts = []
    start = position = 0
    mark, quotation = text.find(separator), text.find('"')
    while mark >= 0:
        if 0 <= quotation < mark:
            position = _end_of_quoted(text, quotation)
            quotation = text.find('"', position)
        else:
            parts.append(text[start:mark])
            start = position = mark + 1
        mark = text.find(separator, position)
    if quotation >= 0:
        _end_of_quoted(text, quotation)
    parts.append(text[start:])
    return parts


def _end_of_quoted(text: str, start: int) -> int:
    match = _quoted_string(text, start)
    if match is None:
        raise SIPParseError("a quoted string without its end", text)
    return match.end()
