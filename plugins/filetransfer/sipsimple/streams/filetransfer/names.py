"""The names of files that come from the network, made safe to be used in a folder of ours (RFC 5547 10)."""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

__all__ = ["MAX_NAME_OCTETS", "candidates", "safe_name"]

MAX_NAME_OCTETS = 200
"""Octets of a name in UTF-8; file systems take 255, and the suffixes of unfinished and of further files need some."""
MAX_CANDIDATES = 10_000
DEFAULT_NAME = "file"

_SEPARATORS = re.compile(r"[/\\]")
# What file systems refuse or shells expand, and the characters that make a name read otherwise than it is.
_UNWANTED = re.compile(r'[<>:"|?*\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]')
_RESERVED = re.compile(r"(?:con|prn|aux|nul|conin\$|conout\$|com[0-9¹²³]|lpt[0-9¹²³])(?=\.|$)", re.IGNORECASE)


def safe_name(name: str | None) -> str:
    """A name that stays in its folder on every system, is visible, and reads as what it is; never empty."""
    last = _SEPARATORS.split(unicodedata.normalize("NFC", name or "")[:4096])[-1]
    # Cc: control characters, Cs: halves of characters, Cn: none at all
    printable = "".join(char for char in last if unicodedata.category(char) not in ("Cc", "Cs", "Cn", "Zl", "Zp"))
    clean = _UNWANTED.sub("_", printable).lstrip(". ").rstrip(". ")
    if not clean:
        return DEFAULT_NAME
    if _RESERVED.match(clean):
        clean = f"_{clean}"
    return _shortened(clean, MAX_NAME_OCTETS)


def candidates(path: Path) -> Iterator[Path]:
    """The path itself, then `name (1).txt`, `name (2).txt`, … for when it is taken."""
    yield path
    stem, suffix = os.path.splitext(path.name)
    for number in range(1, MAX_CANDIDATES):
        yield path.with_name(f"{stem} ({number}){suffix}")


def _shortened(name: str, octets: int) -> str:
    """At most that many octets; the ending stays, as it says what the file is."""
    if len(name.encode()) <= octets:
        return name
    stem, suffix = os.path.splitext(name)
    if len(suffix.encode()) > 32:
        stem, suffix = name, ""
    room = octets - len(suffix.encode())
    return stem.encode()[:room].decode(errors="ignore").rstrip(". ") + suffix
