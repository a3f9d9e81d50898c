"""A lock on a folder: of all processes one alone writes what is in it."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from threading import RLock
from weakref import WeakValueDictionary

__all__ = ["FolderInUseError", "FolderLock"]

LOCK_NAME = ".lock"
MAX_OWNER_LENGTH = 200

_registry_lock = RLock()
_held: WeakValueDictionary[tuple[int, int], FolderLock] = WeakValueDictionary()


class FolderInUseError(OSError):
    """Another process has the lock; `owner` says which, as far as it is known."""

    def __init__(self, folder: Path, owner: str) -> None:
        super().__init__(f"{folder} is in use by {owner}")
        self.folder = folder
        self.owner = owner


class FolderLock:
    """Held from `FolderLock.acquire(folder)` for as long as somebody has this object.

    In one process there is one for each folder, whoever asks for it; `mutex` is for taking turns among threads. The
    system drops the lock of a process that dies, so none is ever left over.
    """

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self.mutex = RLock()

    @classmethod
    def acquire(cls, folder: Path) -> FolderLock:
        """The lock of the folder, which is there. Raises FolderInUseError, or another OSError."""
        path = folder / LOCK_NAME
        with _registry_lock:
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT | getattr(os, "O_CLOEXEC", 0), 0o600)
            try:
                status = os.fstat(descriptor)
                key = (status.st_dev, status.st_ino)
                held = _held.get(key)
                if held is not None:
                    os.close(descriptor)
                    return held
                try:
                    _lock(descriptor)
                except OSError:
                    raise FolderInUseError(folder, _owner(descriptor)) from None
                os.ftruncate(descriptor, 0)
                os.lseek(descriptor, 0, os.SEEK_SET)
                os.write(descriptor, _describe_process())
            except FolderInUseError:
                os.close(descriptor)
                raise
            lock = _held[key] = cls(descriptor)
            return lock

    def __del__(self) -> None:
        os.close(self._descriptor)


def _describe_process() -> bytes:
    name = os.path.basename(sys.argv[0]) if sys.argv else ""
    return f"process {os.getpid()}{f' ({name})' if name else ''}\n".encode(errors="replace")[:MAX_OWNER_LENGTH]


def _owner(descriptor: int) -> str:
    os.lseek(descriptor, 0, os.SEEK_SET)
    lines = os.read(descriptor, MAX_OWNER_LENGTH).decode(errors="replace").splitlines()
    return lines[0] if lines and lines[0].isprintable() else "another process"


if sys.platform == "win32":
    import msvcrt

    def _lock(descriptor: int) -> None:
        # Far behind the text, which has to stay readable for those who come second.
        os.lseek(descriptor, 1 << 20, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)

else:
    import fcntl

    def _lock(descriptor: int) -> None:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
