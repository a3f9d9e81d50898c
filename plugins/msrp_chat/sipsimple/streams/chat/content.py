"""Content types and the text they carry: RFC 2045 5.1 as far as chat needs it."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

__all__ = ["ContentType", "decode_content", "encode_content", "parse_content_type"]

_TOKEN = r"[A-Za-z0-9!#$%&'*+.^_`{|}~-]+"
_CONTENT_TYPE = re.compile(
    rf'\s*({_TOKEN})\s*/\s*({_TOKEN})\s*((?:;\s*{_TOKEN}\s*=\s*(?:{_TOKEN}|"(?:[^"\\\r\n]|\\.)*")\s*)*);?\s*'
)
_PARAMETER = re.compile(rf';\s*({_TOKEN})\s*=\s*({_TOKEN}|"(?:[^"\\\r\n]|\\.)*")')
_MAX_LENGTH = 512

CHARSETS = frozenset(
    {
        *("utf-8", "utf8", "us-ascii", "ascii", "utf-16", "utf-16le", "utf-16be", "utf-32", "koi8-r", "koi8-u"),
        *("gb2312", "gbk", "gb18030", "big5", "shift_jis", "euc-jp", "iso-2022-jp", "euc-kr", "tis-620"),
        *(f"iso-8859-{part}" for part in range(1, 17) if part != 12),
        *(f"windows-125{part}" for part in range(9)),
    }
)
"""Charsets that text is decoded from. Not whatever Python knows: some of its codecs take quadratic time."""


class ContentType(NamedTuple):
    """`full` as received, `media_type` in lower case without parameters, `charset` in lower case or None."""

    full: str
    media_type: str
    charset: str | None

    @property
    def is_text(self) -> bool:
        return self.media_type.startswith("text/")


@lru_cache(maxsize=256)
def parse_content_type(text: str) -> ContentType:
    """Read the value of a Content-Type.

    :raises ValueError: it is none
    """
    match = _CONTENT_TYPE.fullmatch(text) if len(text) <= _MAX_LENGTH else None
    if match is None:
        raise ValueError(f"not a content type: {text[:100]!r}")
    charset = None
    for name, value in _PARAMETER.findall(match[3]):
        if name.lower() == "charset":
            charset = value.strip('"').lower()
            break
    return ContentType(text.strip(), f"{match[1]}/{match[2]}".lower(), charset)


@lru_cache(maxsize=256)
def _without_charset(content_type: ContentType) -> str:
    if content_type.charset is None:
        return content_type.full
    kept = [f";{name}={value}" for name, value in _PARAMETER.findall(content_type.full) if name.lower() != "charset"]
    return content_type.full.partition(";")[0].strip() + "".join(kept)


def decode_content(content: bytes, content_type: ContentType) -> tuple[str | bytes, str]:
    """The content as the application gets it, and its content type without a charset that was used up.

    Text is always `str`: octets that its charset has no character for become U+FFFD.
    """
    if not content_type.is_text:
        return content, content_type.full
    charset = content_type.charset
    if charset is None or charset not in CHARSETS:
        charset = "utf-8"
    return content.decode(charset, "replace"), _without_charset(content_type)


def encode_content(content: str | bytes, content_type: ContentType) -> tuple[bytes, str]:
    """The octets to send, and the content type that says how text was encoded (RFC 2046 4.1.2).

    :raises UnicodeEncodeError: (a ValueError) the text has characters that its charset has not
    :raises ValueError: text with a charset that is not known
    """
    if not isinstance(content, str):
        return content, content_type.full
    charset = content_type.charset
    if charset is None:
        full = f"{content_type.full.rstrip('; ')}; charset=utf-8" if content_type.is_text else content_type.full
        return content.encode(), full
    if charset not in CHARSETS:
        raise ValueError(f"cannot encode text as {charset!r}: give bytes, or leave the charset out")
    return content.encode(charset), content_type.full
