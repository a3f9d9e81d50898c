"""The file while it comes in: `name.<hash>.part` beside where it will be, and renamed when it is whole and right.

All functions block, and are called in the thread pool. The name of a part has the hash of the whole file in it, so that
a later transfer of the same file finds what is there already, also after a restart (`resume`). A part is locked while
it is written; it is never longer than what came without a gap, so its length says how much is there.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import hmac
import os
import shutil
from pathlib import Path
from typing import Any, Self

from sipsimple.streams.filetransfer.names import MAX_NAME_OCTETS, candidates, safe_name
from sipsimple.streams.filetransfer.selector import HASHES, FileSelector, format_hash

try:
    import fcntl
except ImportError:  # elsewhere than on POSIX parts are told apart within this process only
    fcntl = None  # type: ignore[assignment]

__all__ = ["PartFile", "TransferError", "WrongContentError"]

FILE_MODE = 0o600
FOLDER_MODE = 0o700
KEPT_FREE = 1024 * 1024
"""Octets that a file system keeps beyond the file, for its own books and for others."""
COPY_SIZE = 1024 * 1024
WRITEBACK_SIZE = 16 * 1024 * 1024
"""After so many octets the disk gets to work."""
MAX_PARTS = 100
"""Transfers of the same file at once."""

_in_use: set[Path] = set()


class TransferError(Exception):
    """A file can't be received; the text says why."""


class WrongContentError(TransferError):
    """What was received is not the file that was announced."""


class PartFile:
    """A file that is being received.

    :ivar path: of the part
    :ivar size: octets from the beginning that are there
    """

    def __init__(self, path: Path, descriptor: int, target: Path, selector: FileSelector, size: int) -> None:
        self.path = path
        self.size = size
        self._target = target
        self._descriptor = descriptor
        self._expected = selector
        self._choose_hash()
        self._hashed = 0  # octets from the beginning that the digest has
        self._highest = size
        self._flushed = size  # octets from the beginning that are on the disk, or on their way there
        self._keeps_part = selector.hash is not None

    def announced(self, name: str | None) -> None:
        """The selector is complete now: who has the file that was asked for said what it is. Nothing has come yet.

        :param name: for the whole file; None: as it was
        :raises TransferError: there is no room for it
        """
        self._choose_hash()
        if name is not None:
            self._target = self._target.with_name(name)
        self._check_room(self.path.parent)

    def _choose_hash(self) -> None:
        self._hash_name = (self._expected.hash or "sha1:").partition(":")[0]
        self._digest = self._new_digest()

    def _new_digest(self) -> Any:
        """None where a hash is announced whose function we do not know: there is nothing to compare ours with."""
        function = HASHES.get(self._hash_name)
        return None if function is None else hashlib.new(function, usedforsecurity=False)

    @classmethod
    def open(cls, folder: Path, name: str | None, selector: FileSelector, *, resume: bool = True) -> Self:
        """A part for a file in `folder`, with what an interrupted transfer of the same file left there.

        :param name: the name for the whole file; when None, that of the selector, made safe
        :param resume: False: begin anew
        :raises TransferError: there is no room, or no such folder
        :raises OSError: the folder can't be written to
        """
        folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
        target = folder / (safe_name(selector.name) if name is None else name)
        # the suffixes of the part need some room too
        stem = target.name.encode()[:MAX_NAME_OCTETS].decode(errors="ignore")
        tag = _tag_of(selector)
        for number in range(MAX_PARTS):
            path = folder / f"{stem}.{tag}{f'.{number}' if number else ''}.part"
            part = cls._try_open(path, target, selector, resume)
            if part is not None:
                break
        else:
            raise TransferError(f"{target.name} is being received {MAX_PARTS} times already")
        try:
            part._check_room(folder)
        except BaseException:
            part.close(keep=True)
            raise
        return part

    @classmethod
    def _try_open(cls, path: Path, target: Path, selector: FileSelector, resume: bool) -> Self | None:
        """None when somebody else is writing that part."""
        if path in _in_use:
            return None
        flags = os.O_RDWR | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        try:
            descriptor = os.open(path, flags, FILE_MODE)
        except OSError as error:
            if error.errno in (errno.ELOOP, errno.EISDIR):  # something else of that name
                return None
            raise
        if fcntl is not None:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                # who held the lock may have renamed the file meanwhile
                is_there = os.path.samestat(os.fstat(descriptor), os.stat(path))
            except OSError:
                is_there = False
            if not is_there:
                os.close(descriptor)
                return None
        _in_use.add(path)
        size = os.fstat(descriptor).st_size
        # without a hash nothing tells that it is the same file
        usable = resume and selector.hash is not None and (selector.size is None or size <= selector.size)
        # of one that is whole the last octet is asked for again, as nobody sends nothing
        kept = min(size, max(0, (selector.size or size) - 1)) if usable else 0
        if size != kept:
            os.ftruncate(descriptor, kept)
        return cls(path, descriptor, target, selector, kept)

    def _check_room(self, folder: Path) -> None:
        if self._expected.size is None:
            return
        needed = self._expected.size - self.size + KEPT_FREE
        free = shutil.disk_usage(folder).free
        if needed > free:
            raise TransferError(
                f"no room for {self._target.name} in {folder}: {self._expected.size - self.size} octets are to come, "
                f"{free} are free"
            )

    def restart(self) -> None:
        """What is there is not used after all: the whole file comes."""
        os.ftruncate(self._descriptor, 0)
        self.size = self._highest = self._hashed = self._flushed = 0
        self._digest = self._new_digest()

    def write(self, pieces: list[tuple[int, bytes]]) -> None:
        """Octets, each with its place in the file.

        :raises WrongContentError: they go beyond the end that was announced
        :raises OSError: they can't be written
        """
        for offset, data in pieces:
            if self._expected.size is not None and offset + len(data) > self._expected.size:
                raise WrongContentError(f"more than the {self._expected.size} octets that were announced came")
            if offset == self.size and offset != self._hashed:
                self._hash_up_to(offset)
            view = memoryview(data)
            position = offset
            while view:
                written = os.pwrite(self._descriptor, view, position)
                view = view[written:]
                position += written
            if offset == self.size:
                self.size = position
                if offset == self._hashed and self._digest is not None:
                    self._digest.update(data)
                    self._hashed = position
            self._highest = max(self._highest, position)
        if self.size - self._flushed >= WRITEBACK_SIZE:
            self._begin_writeback()

    def _begin_writeback(self) -> None:
        """Have the system begin to put on the disk what was written, so that `fsync` finds little to do in the end.

        That is what Linux makes of this advice for octets that are not on the disk yet; it keeps them in memory."""
        if hasattr(os, "posix_fadvise"):
            with contextlib.suppress(OSError):
                os.posix_fadvise(self._descriptor, self._flushed, self.size - self._flushed, os.POSIX_FADV_DONTNEED)
        self._flushed = self.size

    def _hash_up_to(self, end: int) -> None:
        """Have the digest have all from the beginning up to `end`, as it is in the file."""
        while self._digest is not None and self._hashed < end:
            data = os.pread(self._descriptor, min(COPY_SIZE, end - self._hashed), self._hashed)
            if not data:
                break
            self._digest.update(data)
            self._hashed += len(data)

    def finish(self, size: int) -> Path:
        """All `size` octets are written: verify them, and put the file in its place.

        :return: where it is: the name that was wanted, or with a number if that was taken
        :raises WrongContentError: it is not what was announced; the part is gone
        :raises OSError: it can't be put there; the part stays
        """
        if self._expected.size is not None and size != self._expected.size:
            self.close(keep=False)
            raise WrongContentError(f"{size} octets came instead of the {self._expected.size} that were announced")
        if self._highest > size:
            os.ftruncate(self._descriptor, size)
        self._hash_up_to(size)
        expected = self._expected.hash
        found = expected if self._digest is None else format_hash(self._digest.digest(), self._hash_name)
        if expected is not None and not hmac.compare_digest(expected, found or ""):
            self.close(keep=False)
            raise WrongContentError(f"the file has the hash {found} instead of {expected} that was announced")
        os.fsync(self._descriptor)
        path = self._move()
        self._expected.hash, self._expected.size = found, size
        self._release()
        return path

    def _move(self) -> Path:
        for path in candidates(self._target):
            if _rename_unless_there(self.path, path):
                return path
        raise TransferError(f"there are too many files named {self._target.name}")

    def close(self, *, keep: bool) -> None:
        """No more comes. What is there without a gap is kept for a later transfer, if it can be told that it is of the
        same file. Harmless when it is closed already."""
        if self._descriptor < 0:
            return
        with contextlib.suppress(OSError):
            if keep and self._keeps_part and self.size:
                if self._highest > self.size:
                    os.ftruncate(self._descriptor, self.size)
            else:
                self.path.unlink()
        self._release()

    def _release(self) -> None:
        descriptor, self._descriptor = self._descriptor, -1
        os.close(descriptor)  # and with it the lock
        _in_use.discard(self.path)


def _tag_of(selector: FileSelector) -> str:
    if selector.hash is None:
        return os.urandom(6).hex()
    return hashlib.sha256(f"{selector.hash} {selector.size}".encode()).hexdigest()[:12]


def _rename_unless_there(source: Path, target: Path) -> bool:
    """False when there is something of that name: nothing is ever overwritten."""
    try:
        os.link(source, target)
    except FileExistsError:
        return False
    except OSError:  # a file system without links: have the name first, then put the file over it
        try:
            os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, FILE_MODE))
        except FileExistsError:
            return False
        os.replace(source, target)
    else:
        source.unlink()
    return True
