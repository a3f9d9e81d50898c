"""FileSelector: which file a transfer is about, as `a=file-selector` says it (FT-003, FT-005; RFC 5547 6)."""

from __future__ import annotations

import hashlib
import mimetypes
import os
import re
import stat
from typing import IO, Any, Self
from urllib.parse import unquote

__all__ = ["DEFAULT_TYPE", "HASHES", "FileSelector"]

DEFAULT_TYPE = "application/octet-stream"
HASHES = {"sha1": "sha1", "sha-1": "sha1", "sha-224": "sha224", "sha-256": "sha256", "sha-384": "sha384",
          "sha-512": "sha512"}  # fmt: skip
"""The hash functions that can be verified, by their names in SDP (RFC 8122 5), and what hashlib calls them."""

MAX_LENGTH = 8192
"""Characters of an attribute that is looked at."""
MAX_SIZE = 2**63 - 1

_ENTRIES = re.compile(r'\s*([A-Za-z][A-Za-z0-9-]*):((?:"[^"]*"|[^\s"])*)(?=\s|$)')
_HASH = re.compile(r"([A-Za-z0-9-]+):([0-9A-Fa-f]{2}(?::[0-9A-Fa-f]{2})*)")
_TYPE = re.compile(r'[^\s"\r\n]+(?:"[^"\r\n]*")?[^\s"\r\n]*')
_ESCAPED = str.maketrans({"%": "%25", '"': "%22", "\r": "%0D", "\n": "%0A", "\0": "%00"})


class FileSelector:
    """A file that is offered, or that is wished for.

    :param name: its name, without a folder
    :param type: its media type
    :param size: octets
    :param hash: 'sha1:72:24:5F:…'
    :param fd: the open binary file with its content; None when it is elsewhere
    :raises ValueError, TypeError: a value that no file can have

    Who offers a file gives `fd`; the other fields are found out where they are None. Who asks for one gives the fields
    that he knows, and no `fd`: the other party looks for a file which they all fit.
    """

    __slots__ = ("fd", "hash", "name", "size", "type")

    def __init__(
        self,
        name: str | None = None,
        type: str | None = None,
        size: int | None = None,
        hash: str | None = None,
        fd: IO[bytes] | Any | None = None,
    ) -> None:
        self.name = name
        self.type = _checked_type(type)
        self.size = _checked_size(size)
        self.hash = None if hash is None else normalized_hash(hash)
        self.fd = fd

    @classmethod
    def for_file(cls, path: str | os.PathLike[str], type: str | None = None, hash: str | None = None) -> Self:
        """The file at `path`, opened for reading; `type` is guessed from its name when it is None.

        Without a `hash` the stream computes it before it offers the file. It blocks no longer than opening a file does.

        :raises OSError: it can't be opened
        :raises ValueError: it is no regular file
        """
        # O_NONBLOCK: a FIFO would block until somebody writes to it
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        try:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise ValueError(f"{os.fspath(path)} is no regular file")
            name = os.path.basename(os.fspath(path))
            # a name that is no text (POSIX allows it) still has to be told
            name = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
            media_type = type or mimetypes.guess_type(name)[0] or DEFAULT_TYPE
            selector = cls(name, media_type, status.st_size, hash)
        except BaseException:
            os.close(descriptor)
            raise
        selector.fd = open(descriptor, "rb", buffering=0)  # noqa: SIM115  (the stream closes it)
        return selector

    @classmethod
    def parse(cls, text: str) -> Self:
        """The value of `a=file-selector`. Selectors of other kinds are passed over.

        :raises ValueError: it can't be read
        """
        if len(text) > MAX_LENGTH:
            raise ValueError("the file selector is too long")
        fields: dict[str, Any] = {}
        position = 0
        text = text.strip()
        while position < len(text):
            entry = _ENTRIES.match(text, position)
            if entry is None:
                raise ValueError(f"not a file selector: {text[position : position + 40]!r}")
            position = entry.end()
            kind, value = entry[1].lower(), entry[2]
            if kind in fields:
                raise ValueError(f"a file selector with two of {kind}")
            if kind == "name":
                name = value.removeprefix('"').removesuffix('"')
                if '"' in name:
                    raise ValueError("a file selector whose name is not one quoted text")
                fields["name"] = unquote(name, errors="replace")
            elif kind == "type":
                fields["type"] = value
            elif kind == "size":
                if not (value.isascii() and value.isdigit()):
                    raise ValueError("a file selector whose size is no number")
                fields["size"] = int(value)
            elif kind == "hash":
                fields["hash"] = value
        return cls(**fields)

    def encode(self) -> str:
        """The value of `a=file-selector`, with what is known."""
        entries = []
        if self.name is not None:
            entries.append(f'name:"{self.name.translate(_ESCAPED)}"')
        if self.type is not None:
            entries.append(f"type:{self.type}")
        if self.size is not None:
            entries.append(f"size:{self.size}")
        if self.hash is not None:
            entries.append(f"hash:{self.hash}")
        return " ".join(entries)

    def matches(self, other: FileSelector) -> bool:
        """Whether the file that `other` names may be this one: no field that both know differs."""
        pairs = [(self.name, other.name), (self.type, other.type), (self.size, other.size)]
        if self.hash and other.hash and self.hash.partition(":")[0] == other.hash.partition(":")[0]:
            pairs.append((self.hash, other.hash))
        return all(ours is None or theirs is None or ours == theirs for ours, theirs in pairs)

    def close(self) -> None:
        """Close `fd`, if there is one. The stream does so when it ends."""
        if self.fd is not None:
            self.fd.close()

    def __repr__(self) -> str:
        return f"<FileSelector {self.encode()}>"


def normalized_hash(text: str) -> str:
    """The one spelling of a hash: the name in lower case, the octets in upper case.

    :raises ValueError: it is none, or has another length than its function gives
    """
    found = _HASH.fullmatch(text)
    if found is None:
        raise ValueError(f"not a hash: {text[:80]!r}; expected sha1:72:24:5F:…")
    name, octets = found[1].lower(), found[2].upper()
    function = HASHES.get(name)
    if function is not None:
        if len(octets) != 3 * hashlib.new(function).digest_size - 1:
            raise ValueError(f"a {name} hash has {hashlib.new(function).digest_size} octets")
        name = "sha1" if function == "sha1" else name
    return f"{name}:{octets}"


def format_hash(digest: bytes, name: str = "sha1") -> str:
    """'sha1:72:24:5F:…'"""
    return f"{name}:{digest.hex(':').upper()}"


def _checked_type(text: str | None) -> str | None:
    if text is not None and not _TYPE.fullmatch(text):
        raise ValueError(f"not a media type: {text[:80]!r}")
    return text


def _checked_size(size: int | None) -> int | None:
    if size is None:
        return None
    if isinstance(size, bool) or not isinstance(size, int):
        raise TypeError("size is a number of octets")
    if not 0 <= size <= MAX_SIZE:
        raise ValueError(f"a size of {size} octets")
    return size
