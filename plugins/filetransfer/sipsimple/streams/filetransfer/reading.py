"""The file that is sent: hashed before it is offered, and read ahead of the connection, both in the thread pool.

A file is cut into slices; each is a job of its own, so that the pool is never held for long, and what was begun ends
with the slice that is under way.
"""

from __future__ import annotations

import hashlib
import os
from collections import deque
from collections.abc import Callable
from typing import IO, TYPE_CHECKING, Any

from sipsimple.streams.filetransfer.selector import format_hash
from sipsimple.threading import run_in_thread

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred
    from twisted.python.failure import Failure

__all__ = ["FileHasher", "FileReader"]

HASH_SLICE = 32 * 1024 * 1024
"""Octets that one job hashes: some twenty milliseconds."""
READ_SIZE = 1024 * 1024
"""Octets that are read at once."""
READ_AHEAD = 4
"""Such blocks that are kept for the connection."""


def _read_up_to(file: IO[bytes], size: int) -> bytes:
    """`size` octets; fewer only at the end of the file."""
    data = file.read(size) or b""
    while len(data) < size:
        more = file.read(size - len(data))
        if not more:
            break
        data += more
    return data


class FileHasher:
    """Hashes what a file has from where it stands.

    :param on_progress: gets the octets so far, after each slice
    """

    def __init__(self, file: IO[bytes], on_progress: Callable[[int], object]) -> None:
        self._file = file
        self._on_progress = on_progress
        self._digest = hashlib.sha1(usedforsecurity=False)
        self._size = 0
        self._done: Deferred[tuple[str, int]] | None = None

    def start(self) -> Deferred[tuple[str, int]]:
        """Fires with the hash ('sha1:…') and the number of octets; fails with OSError. `cancel()` closes the file."""
        from twisted.internet.defer import Deferred

        self._done = Deferred(self._cancelled)
        self._next()
        return self._done

    def _cancelled(self, _: Any) -> None:
        self._done = None  # the slice that is under way closes the file when it ends

    def _next(self) -> None:
        self._slice().addCallbacks(self._sliced, self._failed)

    @run_in_thread
    def _slice(self) -> int:
        size = 0
        while size < HASH_SLICE:
            data = self._file.read(READ_SIZE)
            if not data:
                break
            self._digest.update(data)
            size += len(data)
        return size

    def _sliced(self, size: int) -> None:
        if self._done is None:
            self._file.close()
            return
        self._size += size
        if size:
            self._on_progress(self._size)
        if size < HASH_SLICE:
            self._done.callback((format_hash(self._digest.digest()), self._size))
        else:
            self._next()

    def _failed(self, failure: Failure) -> None:
        if self._done is not None:
            self._done.errback(failure)
        else:
            self._file.close()


class FileReader:
    """The octets of a file from `start` on, as msrplib's sender pulls them (a ContentSource).

    :param start: the first octet that is sent; 0 is the first of the file, where `fd` has to be for a file that can't
        be positioned
    :param size: octets that are sent; None: up to the end
    :param on_ready: called when there are octets again after `read` has returned None
    :param digest: a hash object that gets all that is read, None: none
    """

    def __init__(
        self, file: IO[bytes], start: int, size: int | None, on_ready: Callable[[], object], digest: Any = None
    ) -> None:
        self._file = file
        self._position = start
        self._left = size
        self._on_ready = on_ready
        self._digest = digest
        self._blocks: deque[bytes] = deque()
        self._offset = 0  # of the first block: what was taken of it
        self._is_reading = False
        self._is_closed = False
        self._at_end = False
        self._error: BaseException | None = None
        self._paused = False

    def read(self, size: int, /) -> bytes | None:
        """See msrplib.outgoing.ContentSource. Raises OSError when the file can't be read."""
        if self._paused:
            return None
        if not self._blocks:
            if self._error is not None:
                raise self._error
            if self._at_end:
                return b""
            self._read_ahead()
            return None
        block = self._blocks[0]
        data = block[self._offset : self._offset + size]
        self._offset += len(data)
        if self._offset == len(block):
            self._blocks.popleft()
            self._offset = 0
            self._read_ahead()
        return data

    def pause(self) -> None:
        """Give nothing for a while."""
        self._paused = True

    def unpause(self) -> None:
        """Go on."""
        self._paused = False
        self._on_ready()

    def close(self) -> None:
        """Read no more. The file is closed once nobody reads it."""
        self._is_closed = True
        self._blocks.clear()
        if not self._is_reading:
            self._file.close()

    def _read_ahead(self) -> None:
        if self._is_reading or self._at_end or self._is_closed or len(self._blocks) >= READ_AHEAD:
            return
        wanted = READ_SIZE if self._left is None else min(READ_SIZE, self._left)
        if wanted == 0:
            self._at_end = True
            return
        self._is_reading = True
        self._read_block(wanted).addCallbacks(self._got_block, self._failed, callbackArgs=(wanted,))

    @run_in_thread
    def _read_block(self, wanted: int) -> bytes:
        if self._file.seekable():
            self._file.seek(self._position, os.SEEK_SET)
        data = _read_up_to(self._file, wanted)
        if self._digest is not None:
            self._digest.update(data)
        return data

    def _got_block(self, data: bytes, wanted: int) -> None:
        self._is_reading = False
        if self._is_closed:
            self._file.close()
            return
        if data:
            self._position += len(data)
            if self._left is not None:
                self._left -= len(data)
            self._blocks.append(data)
        if len(data) < wanted or self._left == 0:
            self._at_end = True
        was_empty = len(self._blocks) <= 1
        self._read_ahead()
        if was_empty and not self._paused:
            self._on_ready()

    def _failed(self, failure: Failure) -> None:
        self._is_reading = False
        self._error = failure.value
        if self._is_closed:
            self._file.close()
        elif not self._paused:
            self._on_ready()
