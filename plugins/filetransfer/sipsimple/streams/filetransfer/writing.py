"""Octets from the network to the disk (a MessageSink): in the thread pool, with a bounded queue before it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from msrplib.handler import Refusal
from sipsimple.streams.filetransfer.partfile import PartFile
from sipsimple.threading import run_in_thread

if TYPE_CHECKING:
    from pathlib import Path

    from twisted.internet.defer import Deferred
    from twisted.python.failure import Failure

    from msrplib.incoming import IncomingMessage

__all__ = ["FileSink", "SinkOwner"]

MAX_QUEUED = 4 * 1024 * 1024
"""Octets that wait for the disk; with more the sender is stopped until half of them are written."""
MAX_BATCH = 1024 * 1024
"""Octets that one job writes."""


class SinkOwner(Protocol):
    """Who hears from a sink, in the reactor's thread."""

    def octets_written(self, pieces: list[tuple[int, bytes]]) -> None:
        """These are on the disk, each with its place in the file."""

    def file_finished(self, path: Path) -> None:
        """It is whole, verified, and there."""

    def writing_failed(self, failure: Failure) -> None:
        """It can't be written, or is not what was announced. Nothing follows."""

    def sending_stopped(self, reason: str) -> None:
        """The sender gave it up, or the session ended. Nothing follows."""

    def stop_reading(self, stop: bool) -> None:
        """Read no more from the connection, or read again."""


class FileSink:
    """Takes one message and puts it into a file.

    :param base: where in the file the first octet of the message goes
    """

    def __init__(self, part: PartFile, base: int, owner: SinkOwner) -> None:
        self._part = part
        self._base = base
        self._owner = owner
        self._queue: list[tuple[int, bytes]] = []
        self._queued = 0
        self._is_writing = False
        self._is_full = False
        self._is_over = False
        self._size: int | None = None  # of the file, once all has come
        self._verdict: Deferred[Refusal | None] | None = None
        self._restarts = base == 0 and part.size > 0

    # MessageSink

    def write(self, offset: int, data: bytes) -> None:
        if self._is_over:
            return
        self._queue.append((self._base + offset, data))
        self._queued += len(data)
        if self._queued > MAX_QUEUED and not self._is_full:
            self._is_full = True
            self._owner.stop_reading(True)
        self._work()

    def finish(self, message: IncomingMessage) -> Deferred[Refusal | None] | Refusal:
        """The answer waits until the file is verified."""
        from twisted.internet.defer import Deferred

        if self._is_over:
            return Refusal(413, "The file is not wanted any more")
        self._size = self._base + message.size
        self._verdict = Deferred()
        self._work()
        return self._verdict

    def abort(self, reason: str) -> None:
        if self._is_over or self._size is not None:
            return
        self.close()
        self._owner.sending_stopped(reason)

    # For the stream

    def close(self) -> None:
        """Write no more; what is there is kept if it can be of use. Harmless when it is over."""
        if self._is_over:
            return
        self._is_over = True
        self._queue.clear()
        if not self._is_writing:
            self._close_part()
        self._give_verdict(Refusal(413, "The file is not wanted any more"))

    # Work, one job at a time

    def _work(self) -> None:
        if self._is_writing:
            return
        if self._is_over:
            self._close_part()
        elif self._queue:
            self._is_writing = True
            batch = self._take_batch()
            self._write(batch).addCallbacks(self._written, self._failed, callbackArgs=(batch,))
        elif self._size is not None:
            self._is_writing = True
            self._finish(self._size).addCallbacks(self._finished, self._failed)

    def _take_batch(self) -> list[tuple[int, bytes]]:
        size = count = 0
        while count < len(self._queue) and size < MAX_BATCH:
            size += len(self._queue[count][1])
            count += 1
        batch, self._queue = self._queue[:count], self._queue[count:]
        return batch

    @run_in_thread
    def _write(self, pieces: list[tuple[int, bytes]]) -> None:
        if self._restarts:
            self._restarts = False
            self._part.restart()
        self._part.write(pieces)

    def _written(self, _: Any, pieces: list[tuple[int, bytes]]) -> None:
        self._is_writing = False
        self._queued -= sum([len(data) for _, data in pieces])
        if not self._is_over:
            if self._is_full and self._queued <= MAX_QUEUED // 2:
                self._is_full = False
                self._owner.stop_reading(False)
            self._owner.octets_written(pieces)
        self._work()

    @run_in_thread
    def _finish(self, size: int) -> Path:
        if self._restarts:  # an empty file
            self._part.restart()
        return self._part.finish(size)

    def _finished(self, path: Path) -> None:
        self._is_writing = False
        if self._is_over:  # closed while it was put in its place: it is there all the same
            return
        self._is_over = True
        self._give_verdict(None)
        self._owner.file_finished(path)

    def _failed(self, failure: Failure) -> None:
        self._is_writing = False
        was_over, self._is_over = self._is_over, True
        self._queue.clear()
        self._close_part()
        self._give_verdict(Refusal(413, "The file cannot be stored"))
        if not was_over:
            self._owner.writing_failed(failure)

    def _close_part(self) -> None:
        _close(self._part)

    def _give_verdict(self, refusal: Refusal | None) -> None:
        verdict, self._verdict = self._verdict, None
        if verdict is not None and not verdict.called:
            verdict.callback(refusal)


def _close(part: PartFile) -> None:
    run: Callable[..., Deferred[None]] = run_in_thread(part.close)
    run(keep=True)
