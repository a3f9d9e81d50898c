"""Files that are written whole or not at all, and that their owner alone may read.

A new file is written beside the old one, flushed to the disk and then renamed over it, which POSIX does in one step
(rename: "no window in which the old and the new name are both absent"); the folder is flushed too, or else the rename
itself could be lost in a power cut.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import stat
from pathlib import Path

__all__ = ["make_private_folder", "read_bounded", "remove_leftovers", "write_whole"]

log = logging.getLogger("sipsimple.storage")

FILE_MODE = 0o600
FOLDER_MODE = 0o700

_SUFFIX = ".new"


def make_private_folder(folder: Path, *, ours: bool = False) -> None:
    """Make the folder, with those above it, unless it is there; its mode is 0700.

    One that is there and empty, or that is `ours`, is made private too; of another one only a warning is logged, as
    other programs may have their files in it.
    """
    try:
        mode = stat.S_IMODE(folder.stat().st_mode)
    except FileNotFoundError:
        folder.parent.mkdir(parents=True, exist_ok=True)
        folder.mkdir(mode=FOLDER_MODE, exist_ok=True)
        flush_folder(folder.parent)
        mode = stat.S_IMODE(folder.stat().st_mode)
    if not mode & 0o077:
        return
    if ours or not any(folder.iterdir()):
        with contextlib.suppress(PermissionError):
            folder.chmod(FOLDER_MODE)
            return
    log.warning("%s can be read by others (mode %o); files with passwords are better kept in one of 0700", folder, mode)


def make_private(path: Path) -> None:
    """Take the rights of others from a file that a person may have made."""
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        log.warning("%s could be read by others (mode %o); it is made private now", path, mode)
        with contextlib.suppress(PermissionError):
            path.chmod(FILE_MODE)


def write_whole(path: Path, data: bytes) -> os.stat_result:
    """Put `data` in the place of what the file has; when this returns it is on the disk.

    Whatever happens, and at any instant, the file has either its old content or the new one. A symbolic link stays
    one: the file that it leads to is replaced. Returns what `os.stat` says of the new file. Raises OSError.
    """
    target = Path(os.path.realpath(path))
    new = target.with_name(f".{target.name}.{secrets.token_hex(4)}{_SUFFIX}")
    try:
        descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_CLOEXEC", 0), FILE_MODE)
        with open(descriptor, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
            status = os.fstat(file.fileno())
        os.replace(new, target)
    except BaseException:
        with contextlib.suppress(OSError):
            new.unlink()
        raise
    flush_folder(target.parent)
    return status


def flush_folder(folder: Path) -> None:
    """Bring the names in a folder to the disk."""
    if os.name != "posix":
        return  # elsewhere a folder can't be opened, and its file system sees to it
    descriptor = os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def remove_leftovers(path: Path) -> None:
    """Remove what processes that were killed in the midst of `write_whole` left. Nobody may be writing the file."""
    target = Path(os.path.realpath(path))
    with contextlib.suppress(OSError):
        for leftover in target.parent.glob(f".{target.name}.????????{_SUFFIX}"):
            leftover.unlink(missing_ok=True)


def read_bounded(path: Path, limit: int) -> tuple[bytes, os.stat_result]:
    """The file's content and what `os.fstat` says of it. Raises OSError, also for more than `limit` octets."""
    with path.open("rb") as file:
        status = os.fstat(file.fileno())
        data = file.read(limit + 1)
    if len(data) > limit:
        raise OSError(f"{path} is larger than {limit} octets")
    return data, status
