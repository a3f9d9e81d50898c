"""What a media line says of a file beside its selector: which transfer it is, which part, what for, how old
(RFC 5547 6)."""

from __future__ import annotations

import re
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any, Self
from urllib.parse import unquote

from sipsimple.core import RelatedPart, SDPAttribute
from sipsimple.streams.filetransfer.selector import MAX_SIZE, FileSelector

__all__ = ["FileDates", "FileDescription", "FileIcon", "FileRange", "new_transfer_id"]

MAX_ICON = 32 * 1024
"""Octets of an icon: it travels in the INVITE."""

_RANGE = re.compile(r"\s*([0-9]{1,19})\s*-\s*([0-9]{1,19}|\*)\s*")
_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`{|}~-]{1,128}")
_DATE = re.compile(r'(creation|modification|read):"([^"]{1,64})"')
_ICON = re.compile(r"cid:[!-~]{1,256}")
_IMAGE = re.compile(r"image/[A-Za-z0-9!#$&^_.+-]{1,64}")


def new_transfer_id() -> str:
    """A fresh `a=file-transfer-id` (RFC 5547 6: unique wherever the file goes)."""
    return secrets.token_hex(16)


@dataclass(frozen=True, slots=True)
class FileRange:
    """Which octets of the file are transferred; the first one is 1. `stop` None: up to the end."""

    start: int = 1
    stop: int | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """:raises ValueError: it is none"""
        found = _RANGE.fullmatch(text)
        if found is None:
            raise ValueError(f"not a file range: {text[:80]!r}")
        start = int(found[1])
        stop = None if found[2] == "*" else int(found[2])
        # an empty range, start - 1 = stop, is what is missing of a file that is there
        if not 1 <= start <= MAX_SIZE or (stop is not None and not start - 1 <= stop <= MAX_SIZE):
            raise ValueError(f"not a file range: {text[:80]!r}")
        return cls(start, stop)

    def fits(self, size: int | None) -> bool:
        """Whether a file of that size has these octets."""
        if size is None:
            return self.stop is None
        return self.start <= size + 1 and (self.stop is None or self.stop <= size)

    def __str__(self) -> str:
        return f"{self.start}-{'*' if self.stop is None else self.stop}"


@dataclass(frozen=True, slots=True)
class FileDates:
    """When the file was made, changed and read last; each None where it is not said."""

    creation: datetime | None = None
    modification: datetime | None = None
    read: datetime | None = None

    @classmethod
    def parse(cls, text: str) -> Self:
        """The dates of `a=file-date`; those that can't be read are None."""
        found: dict[str, datetime] = {}
        for kind, date in _DATE.findall(text[:1024]):
            try:
                found[kind] = parsedate_to_datetime(date).astimezone(UTC)
            except (ValueError, OverflowError):
                continue
        return cls(**found)

    def __str__(self) -> str:
        given = (("creation", self.creation), ("modification", self.modification), ("read", self.read))
        return " ".join(f'{kind}:"{format_datetime(date)}"' for kind, date in given if date is not None)


@dataclass(frozen=True, slots=True)
class FileIcon:
    """A small picture of a file, to be shown before it is accepted (RFC 5547 7).

    :param content_type: `image/png`, `image/jpeg`, ...
    :param content: its octets, 32 KiB at the most
    :raises ValueError: it is no image, or too large
    """

    content_type: str
    content: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if not _IMAGE.fullmatch(self.content_type):
            raise ValueError(f"an icon is an image, not {self.content_type[:80]!r}")
        if not 0 < len(self.content) <= MAX_ICON:
            raise ValueError(f"an icon has 1 to {MAX_ICON} octets, not {len(self.content)}")

    def part(self, content_id: str) -> RelatedPart:
        """As it goes with a description, which names it by `file-icon:cid:`."""
        return RelatedPart(content_id, self.content_type, self.content)

    @classmethod
    def named_in(cls, media: Any) -> Self | None:
        """The one that a media line names and that came with it; None if there is none, or no usable one."""
        url = FileDescription.read_icon(media)
        for part in media.related:
            if url is not None and part.content_id == unquote(url[len("cid:") :]):
                try:
                    return cls(part.content_type, part.content)
                except ValueError:
                    return None
        return None


@dataclass(frozen=True, slots=True)
class FileDescription:
    """The attributes of one media line that concern the file.

    :ivar transfer_id: the same in offer and answer; None from a party that does not say one
    :ivar disposition: 'attachment' or 'render' (RFC 5547 6), or another token
    :ivar icon: the `cid:` URL of a small picture of the file, which comes in a body part of its own
    """

    selector: FileSelector
    transfer_id: str | None = None
    range: FileRange | None = None
    disposition: str | None = None
    dates: FileDates = field(default_factory=FileDates)
    icon: str | None = None

    @classmethod
    def read(cls, media: Any) -> Self | None:
        """What a media line says; None when it has no file selector that can be read. What else can't be read is
        taken as not said, but for the range: who misread it would have the wrong octets."""
        attributes = media.attributes
        text = attributes.getfirst("file-selector")
        if text is None:
            return None
        try:
            selector = FileSelector.parse(text)
            text = attributes.getfirst("file-range")
            file_range = None if text is None else FileRange.parse(text)
        except ValueError:
            return None
        return cls(
            selector,
            _matching(_TOKEN, attributes.getfirst("file-transfer-id")),
            file_range,
            _matching(_TOKEN, attributes.getfirst("file-disposition")),
            FileDates.parse(attributes.getfirst("file-date") or ""),
            cls.read_icon(media),
        )

    @staticmethod
    def read_icon(media: Any) -> str | None:
        """The `cid:` URL of an icon."""
        return _matching(_ICON, media.attributes.getfirst("file-icon"))

    def attributes(self) -> list[SDPAttribute]:
        """The attributes for a media line of ours."""
        pairs = [
            ("file-selector", self.selector.encode()),
            ("file-transfer-id", self.transfer_id),
            ("file-disposition", self.disposition),
            ("file-date", str(self.dates)),
            ("file-icon", self.icon),
            ("file-range", None if self.range is None else str(self.range)),
        ]
        # RFC 5547 6: a selector of nothing is one too
        return [SDPAttribute(name, value) for name, value in pairs if value or name == "file-selector"]


def _matching(pattern: re.Pattern[str], text: str | None) -> str | None:
    text = (text or "").strip()
    return text if pattern.fullmatch(text) else None
