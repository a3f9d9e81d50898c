"""The side that wants the file: a part for it, what goes there, and what is told of it (RFC 5547 8)."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred

from msrplib.handler import MessageSink, Refusal
from msrplib.protocol import ByteRange, MSRPData
from sipsimple.streams.filetransfer.description import FileDescription, FileRange
from sipsimple.streams.filetransfer.names import safe_name
from sipsimple.streams.filetransfer.partfile import PartFile, TransferError
from sipsimple.streams.filetransfer.role import Role
from sipsimple.streams.filetransfer.selector import DEFAULT_TYPE
from sipsimple.streams.filetransfer.settings import received_files_folder
from sipsimple.streams.filetransfer.writing import FileSink
from sipsimple.threading import run_in_thread

if TYPE_CHECKING:
    from twisted.python.failure import Failure

    from sipsimple.streams.filetransfer.stream import FileTransferStream

__all__ = ["FileReceiver"]

REPORT_INTERVAL = 0.25
"""Seconds between the reports of what is on the disk, so that they cost nothing."""
CHUNK_SIZE = 256 * 1024
CHUNK_INTERVAL = 0.1
"""FileTransferStreamGotChunk comes for so many octets, or after so many seconds, whichever comes first."""


class FileReceiver(Role):
    """Receives the file of a stream; the owner of its FileSink."""

    context = "reading"

    def __init__(self, stream: FileTransferStream) -> None:
        super().__init__(stream)
        self._part: PartFile | None = None
        self._sink: FileSink | None = None
        self._first_chunk: MSRPData | None = None
        self._base = 0  # where in the file the message begins
        self._reported = 0  # octets of the message that were reported to the sender
        self._reported_at = 0.0
        self._untold: list[bytes] = []  # octets that the application has not been told of
        self._told_at = 0.0
        self._timer: Any = None  # for what has not been told
        self._stops: set[str] = set()  # why nothing is read from the connection

    # Before it is described

    def get_ready(self) -> Deferred[Any]:
        stream = self.stream
        assert stream.file_selector is not None
        directory = Path(stream.directory or received_files_folder()).expanduser()
        name = None if stream.file_name is None else safe_name(stream.file_name)
        opening: Any = run_in_thread(PartFile.open)
        # The part that is being opened has to be closed if the stream ends first, so this is not what is cancelled.
        ready: Deferred[None] = Deferred()
        opening(directory, name, stream.file_selector, resume=stream.resume).addCallback(
            self._part_opened
        ).addCallbacks(ready.callback, ready.errback)
        return ready

    def _part_opened(self, part: PartFile) -> None:
        self._part = part
        if self.stream.is_over:
            self._close_part()
            return
        if part.size:
            self.stream.file_range = FileRange(part.size + 1)
        described = self.stream.remote_file
        if described is None or described.range is None:
            return
        offered = described.range
        if offered.start > part.size + 1 or offered.stop not in (None, described.selector.size):
            raise TransferError(f"only the octets {offered} are offered, and {part.size} are there")

    def answered(self, described: FileDescription) -> None:
        """Who has the file that we asked for tells what it is."""
        mine, theirs = self.stream.file_selector, described.selector
        assert mine is not None
        is_nameless = mine.name is None and self.stream.file_name is None
        for name in ("name", "type", "size", "hash"):
            if getattr(mine, name) is None:
                setattr(mine, name, getattr(theirs, name))
        self.stream.file_dates = described.dates
        if self._part is not None:
            self._part.announced(safe_name(theirs.name) if is_nameless and theirs.name is not None else None)

    # The transfer

    def message_started(self, chunk: MSRPData) -> Refusal | MessageSink | None:
        part, stream = self._part, self.stream
        if part is None:
            return Refusal(403, "No file is wanted here")
        if self._sink is not None:
            return Refusal(403, "There is one file in this session")
        byte_range = chunk.byte_range
        total = None if byte_range is None else byte_range.total
        size = stream.file_size
        # A sender that does not know of ranges sends all of the file.
        self._base = part.size
        if part.size and (size is None or total != size - part.size):
            self._base = 0
        if total is not None and size is not None and self._base + total != size:
            reason = f"{total} octets are sent of a file of {size}"
            stream.call_later(0, stream.fail_soon, self.context, None, reason)
            return Refusal(413, reason)
        self._first_chunk = chunk
        stream.transferred_bytes = self._base
        self._sink = FileSink(part, self._base, self)
        return self._sink

    def pause(self, paused: bool) -> None:
        self._stop_reading("pause", paused)

    def start(self) -> None:
        if self._stops:
            assert self.stream.msrp_session is not None
            self.stream.msrp_session.pause_receiving()

    def cancel(self) -> None:
        self._refuse_rest("Cancelled")
        if self._sink is not None:
            self._sink.close()

    def _refuse_rest(self, comment: str) -> None:
        session = self.stream.msrp_session
        if self._first_chunk is not None and session is not None:
            session.refuse_message(self._first_chunk.message_id or "", Refusal(413, comment))

    def _stop_reading(self, why: str, stop: bool) -> None:
        before = bool(self._stops)
        (self._stops.add if stop else self._stops.discard)(why)
        session = self.stream.msrp_session
        if session is not None and bool(self._stops) is not before:
            session.pause_receiving() if stop else session.resume_receiving()

    # SinkOwner

    def octets_written(self, pieces: list[tuple[int, bytes]]) -> None:
        assert self._part is not None
        if self.stream.is_over:
            return
        self.stream.transferred_bytes = self._part.size
        self._untold += [data for _, data in pieces]
        now = self.stream.seconds()
        if now - self._told_at >= CHUNK_INTERVAL or sum([len(data) for data in self._untold]) >= CHUNK_SIZE:
            self._tell_application(now)
        if now - self._reported_at >= REPORT_INTERVAL:
            self._report_to_sender(now)
        if self._timer is None:
            self._timer = self.stream.call_later(REPORT_INTERVAL, self._tell_rest)

    def _tell_rest(self) -> None:
        """What has not been told for a while: perhaps nothing more comes for now."""
        self._timer = None
        now = self.stream.seconds()
        self._tell_application(now)
        self._report_to_sender(now)

    def _tell_application(self, now: float) -> None:
        octets, self._untold, self._told_at = b"".join(self._untold), [], now
        if octets:
            stream = self.stream
            stream.post(
                "FileTransferStreamGotChunk",
                content=octets,
                content_type=(stream.file_selector and stream.file_selector.type) or DEFAULT_TYPE,
                transferred_bytes=stream.transferred_bytes,
                file_size=stream.file_size,
            )

    def _report_to_sender(self, now: float) -> None:
        """RFC 4975 7.1.2: a success report may name a part of the message. The last one comes by itself."""
        session, chunk = self.stream.msrp_session, self._first_chunk
        assert session is not None and chunk is not None
        done = self.stream.transferred_bytes - self._base
        if chunk.success_report != "yes" or done <= self._reported:
            return
        total = None if chunk.byte_range is None else chunk.byte_range.total
        if done != total:
            session.send_report(chunk, byte_range=ByteRange(self._reported + 1, done, total))
            self._reported, self._reported_at = done, now

    def file_finished(self, path: Path) -> None:
        stream = self.stream
        stream.file_path = path
        self._stop_timer()
        if stream.is_over:
            return
        stream.transferred_bytes = stream.file_size or 0
        self._tell_application(stream.seconds())
        stream.finish()

    def writing_failed(self, failure: Failure) -> None:
        self._refuse_rest("It can't be stored")
        self.stream.fail_soon(self.context, failure, failure.getErrorMessage())

    def sending_stopped(self, reason: str) -> None:
        self.stream.peer_stopped(f"the file did not come: {reason}")

    def stop_reading(self, stop: bool) -> None:
        self._stop_reading("disk", stop)

    # The end

    def close(self) -> None:
        self._stop_timer()
        if self._sink is not None:
            self._sink.close()
        else:
            self._close_part()

    def _stop_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None:
            timer.cancel()

    def _close_part(self) -> None:
        part, self._part = self._part, None
        if part is not None:
            run_in_thread(part.close)(keep=True)
