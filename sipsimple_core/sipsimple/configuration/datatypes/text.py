"""Text: what goes into a header, passwords, choices, paths, instance ids."""

from __future__ import annotations

import os
import re
from typing import Any, ClassVar, Self

from sipsimple.configuration.datatypes._quote import quote

MAX_TEXT_LENGTH = 4096
"""Characters in one textual setting."""

_uuid_urn = re.compile(r"urn:uuid:[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}", re.ASCII)
_control_characters = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def parse_text(value: Any) -> str:
    """A str that can be stored: bounded, and without lone surrogates. No other type is turned into text."""
    if not isinstance(value, str):
        raise ValueError(f"expected text, got {type(value).__name__}")
    if len(value) > MAX_TEXT_LENGTH:
        raise ValueError(f"the text is longer than {MAX_TEXT_LENGTH} characters")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise ValueError("the text has a lone surrogate, which has no UTF-8 form") from None
    return str.__str__(value)


class HeaderText(str):
    """Text that may stand in a SIP header: one line without control characters (RFC 3261 25.1, TEXT- UTF8-TRIM)."""

    __slots__ = ()

    def __new__(cls, value: Any) -> Self:
        text = parse_text(value)
        if _control_characters.search(text):
            raise ValueError("line breaks and control characters are not allowed")
        return super().__new__(cls, text)


class Password(str):
    """A secret. It is the text itself wherever a str is needed, but its `repr` shows nothing of it."""

    __slots__ = ()

    def __new__(cls, value: Any = "") -> Self:
        return super().__new__(cls, parse_text(value))

    def __repr__(self) -> str:
        return "''" if not self else "'***'"


class Choice(str):
    """One of the words in `values`, whatever its case. Subclasses name the words."""

    __slots__ = ()

    values: ClassVar[tuple[str, ...]] = ()

    def __new__(cls, value: Any) -> Self:
        word = parse_text(value).strip().lower()
        if word not in cls.values:
            raise ValueError(f"{quote(value)} is none of {', '.join(cls.values)}")
        return super().__new__(cls, word)


class UUIDURN(str):
    """A UUID as a URN, `urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6` (RFC 9562 4; RFC 5626 4.1)."""

    __slots__ = ()

    def __new__(cls, value: Any) -> Self:
        text = parse_text(value).strip().lower()
        if not _uuid_urn.fullmatch(text):
            raise ValueError(
                f"{quote(value)} is not a UUID URN: expected urn:uuid:xxxxxxxx-xxxx-xxxx-xxxx-xxxxxxxxxxxx"
            )
        return super().__new__(cls, text)

    @classmethod
    def random(cls) -> Self:
        import uuid

        return cls(uuid.uuid4().urn)


class Path(os.PathLike[str]):
    """A file or a folder as the user wrote it; `~` is expanded when it is used (`open(path)`, `os.fspath(path)`)."""

    __slots__ = ("_path",)

    _path: str

    def __init__(self, path: Any) -> None:
        if isinstance(path, os.PathLike) and not isinstance(path, Path):
            path = os.fspath(path)
        text = parse_text(path._path if isinstance(path, Path) else path)
        if not text.strip():
            raise ValueError("the path is empty")
        if _control_characters.search(text):
            raise ValueError("control characters are not allowed in a path")
        self._path = text

    @property
    def normalized(self) -> str:
        """The absolute path, with `~` expanded."""
        return os.path.abspath(os.path.expanduser(self._path))

    def __fspath__(self) -> str:
        return os.path.expanduser(self._path)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Path):
            return NotImplemented
        return self._path == other._path

    def __hash__(self) -> int:
        return hash(self._path)

    def __str__(self) -> str:
        return self._path

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._path!r})"
