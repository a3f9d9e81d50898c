"""FileTransferStream: one file, sent or received over MSRP (FT-001 to FT-012; RFC 5547).

Theory of operation. Who has the file hashes it before it is described (`_get_ready`); who receives it opens a part for
it there, and finds what an interrupted transfer left. Who receives says in his description from which octet on he wants
it (`a=file-range`); a sender that does not know of that sends all of it, which is told by the size of its message. The
file is one MSRP message: `reading` feeds it, `writing` takes it, both in the thread pool and with bounded queues. The
receiver reports what is on his disk, which is the sender's progress, and the last report comes when it is verified.
"""

from __future__ import annotations

import hashlib
import logging
import os
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from twisted.internet.defer import Deferred, maybeDeferred

from msrplib.errors import MSRPError
from msrplib.handler import MessageSink, Refusal
from msrplib.outgoing import OutgoingMessage
from msrplib.protocol import ByteRange, MSRPData
from msrplib.reassembly import RangeSet
from msrplib.session import MSRPSession
from sipsimple.realm import current_realm
from sipsimple.streams.filetransfer import notifications as _notifications  # noqa: F401
from sipsimple.streams.filetransfer.description import FileDates, FileDescription, FileRange, new_transfer_id
from sipsimple.streams.filetransfer.names import safe_name
from sipsimple.streams.filetransfer.partfile import PartFile, TransferError
from sipsimple.streams.filetransfer.reading import FileHasher, FileReader
from sipsimple.streams.filetransfer.selector import DEFAULT_TYPE, FileSelector, format_hash
from sipsimple.streams.filetransfer.settings import received_files_folder
from sipsimple.streams.filetransfer.writing import FileSink
from sipsimple.streams.msrp import MSRPMedia, MSRPStreamBase
from sipsimple.streams.msrp.base import CLOSE_GRACE
from sipsimple.streams.msrp.states import OVER, StreamState
from sipsimple.streams.msrp.transport import LIMITS
from sipsimple.threading import call_in_sipsimple_thread, run_in_thread

if TYPE_CHECKING:
    from twisted.python.failure import Failure

__all__ = ["FileTransferStream"]

log = logging.getLogger("sipsimple.streams")

LONGEST_PAUSE = 3600.0
"""Seconds that either side may pause a transfer before the other gives it up."""
REPORT_INTERVAL = 0.25
"""Seconds between the reports of what is on the disk, so that they cost nothing."""
CHUNK_SIZE = 256 * 1024
CHUNK_INTERVAL = 0.1
"""FileTransferStreamGotChunk comes for so many octets, or after so many seconds, whichever comes first."""
MAX_REPORTED_RANGES = 1024
GETTING_READY = 20.0
SLOWEST_HASHING = 2 * 1024 * 1024
"""A file that is hashed before it is offered may take so many seconds, and one more for so many octets."""

_LIMITS = replace(LIMITS, report_timeout=LONGEST_PAUSE, partial_message_timeout=LONGEST_PAUSE)


class FileTransferStream(MSRPStreamBase):
    """The transfer of one file.

    :param account: the account of the session
    :param file_selector: the file: one with an `fd` (`FileSelector.for_file(path)`) is sent to the remote party, one
        without is wished for from it. None only for streams that come with a received proposal

    What the application may set before the stream is proposed or accepted:

    :ivar file_selector: of a stream by which the remote party wishes for a file (`direction` is 'sendonly'): the file
        that it gets; what it wished for until then
    :ivar directory: the folder for a received file; None: the setting `file_transfer.directory`
    :ivar file_name: its name there; None: the announced one, made safe
    :ivar resume: whether what is there of an interrupted transfer is used (True)
    :ivar hash_first: whether a file is hashed before it is offered, so that the receiver can verify it (True)
    :ivar file_disposition: 'attachment', or 'render' (RFC 5547 6)

    What tells how it is:

    :ivar transferred_bytes: octets of the file, from its beginning, that the receiver has
    :ivar is_finished: the receiver has verified the whole file
    :ivar file_path: where a received file is, once it is finished; None before
    :ivar file_dates: when the file was made and changed, as far as its owner said
    :ivar transfer_id: the `a=file-transfer-id`; None from a party that says none

    Notifications: those of MSRPStreamBase, FileTransferStreamHashProgress, FileTransferStreamDidDeliverChunk,
    FileTransferStreamDidNotDeliverChunk, FileTransferStreamGotChunk, FileTransferStreamDidFinish. A transfer that
    comes to nothing while its session goes on posts MediaStreamDidFail.
    """

    type = "file-transfer"
    priority = 10
    media_type = "message"
    accept_types: ClassVar[list[str]] = ["*"]
    accept_wrapped_types: ClassVar[list[str]] = ["*"]
    use_msrp_session = True
    offers_itself = False  # not without a file
    waits_for_acceptance = True  # which folder, or which file? And nothing is written for who is not wanted
    shares_connection = False  # a pause stops the reading from the connection, for all that use it

    def __init__(self, account: Any, file_selector: FileSelector | None = None) -> None:
        wishes = file_selector is not None and file_selector.fd is None
        super().__init__(account, "recvonly" if wishes else "sendonly")
        self._realm = current_realm()
        self.file_selector = file_selector
        self.directory: Path | None = None
        self.file_name: str | None = None
        self.resume = True
        self.hash_first = True
        self.file_disposition: str | None = "attachment"
        self.file_dates = FileDates()
        self.transfer_id: str | None = new_transfer_id()
        self.file_path: Path | None = None
        self.transferred_bytes = 0
        self.is_finished = False
        self._remote_file: FileDescription | None = None
        self._range: FileRange | None = None  # that is transferred, None: all
        self._hashing: Deferred[Any] | None = None
        self._reader: FileReader | None = None
        self._outgoing: OutgoingMessage | None = None
        self._delivered = RangeSet(MAX_REPORTED_RANGES)
        self._digest: Any = None
        self._part: PartFile | None = None
        self._sink: FileSink | None = None
        self._first_chunk: MSRPData | None = None
        self._base = 0
        self._verdict: tuple[str, Failure | None, str] | None = None  # that the peer is to hear of first
        self._verdict_timer: Any = None
        self._reported = 0  # octets of the message that were reported to the sender
        self._reported_at = 0.0
        self._untold: list[bytes] = []  # octets that the application has not been told of
        self._told_at = 0.0
        self._stops: set[str] = set()  # why nothing is read from the connection

    @classmethod
    def new_from_sdp(cls, account: Any, remote_sdp: Any, stream_index: int) -> FileTransferStream | None:
        """A stream for a media line of MSRP that has a path and a file selector (RFC 5547 8.3)."""
        remote = MSRPMedia.read(remote_sdp, stream_index)
        if remote is None or remote.media_type != cls.media_type or not remote.path or remote.direction == "inactive":
            return None
        described = FileDescription.read(remote_sdp.media[stream_index])
        if described is None:
            return None
        stream = cls(account)
        stream.remote_media = remote
        stream.direction = stream._wanted_direction = "recvonly" if remote.can_send else "sendonly"
        stream._remote_file = described
        stream.file_selector = described.selector
        stream.transfer_id = described.transfer_id
        stream.file_dates = described.dates
        stream.file_disposition = described.disposition
        return stream

    @property
    def sends(self) -> bool:
        """Whether the file goes from us to the remote party."""
        return self._wanted_direction == "sendonly"

    @property
    def initialize_timeout(self) -> float:
        """Seconds that the session gives the stream to get ready."""
        return GETTING_READY + (self.file_size or 0) / SLOWEST_HASHING

    @property
    def file_size(self) -> int | None:
        """Octets of the file; None while nobody has said."""
        return None if self.file_selector is None else self.file_selector.size

    # What the application does meanwhile; from any thread

    def pause(self) -> None:
        """Stop the transfer for a while, for an hour at most; on either side, and any number of times."""
        self._realm.run(call_in_sipsimple_thread, self._pause, True)

    def unpause(self) -> None:
        """Go on after `pause()`."""
        self._realm.run(call_in_sipsimple_thread, self._pause, False)

    def cancel(self) -> None:
        """Give the transfer up, on either side: both streams fail, what was received can be resumed. Nothing when it
        is finished, or over."""
        self._realm.run(call_in_sipsimple_thread, self._cancel)

    @property
    def is_paused(self) -> bool:
        """Whether this side has paused the transfer."""
        return "pause" in self._stops

    def _pause(self, pause: bool) -> None:
        if self.sends:
            (self._stops.add if pause else self._stops.discard)("pause")
            if self._reader is not None:
                self._reader.pause() if pause else self._reader.unpause()
        else:
            self._stop_reading("pause", pause)

    def _cancel(self) -> None:
        if self.is_finished or self._verdict is not None:
            return
        # RFC 5547 8.4: the sender aborts the message, the receiver refuses the rest
        if self._outgoing is not None:
            self._outgoing.cancel()
        self._refuse_rest("Cancelled")
        if self._sink is not None:
            self._sink.close()
        context = "sending" if self.sends else "reading"
        self._fail_soon(context, None, "the local party gave the transfer up")

    def _refuse_rest(self, comment: str) -> None:
        if self._first_chunk is not None and self.msrp_session is not None:
            self.msrp_session.refuse_message(self._first_chunk.message_id or "", Refusal(413, comment))

    def _fail_soon(self, context: str, failure: Failure | None, reason: str) -> None:
        """Fail once the peer has closed the connection, or when that takes too long: a failure makes the session say
        goodbye to the stream by SIP, and the peer would hear that before it hears why."""
        if self._verdict is not None or self._state in OVER:
            return
        if self._state is StreamState.STARTED and not self._deactivated:
            assert self._transport is not None
            self._verdict = (context, failure, reason)
            self._verdict_timer = self._transport.reactor.callLater(CLOSE_GRACE, self._pass_verdict)
        else:
            self._fail(context, failure, reason)

    def _pass_verdict(self) -> None:
        if self._verdict is not None:
            self._fail(*self._verdict)

    def deactivate(self) -> None:
        super().deactivate()
        self._pass_verdict()

    # Before it is described

    def _get_ready(self) -> Deferred[None]:
        return maybeDeferred(self._get_file_ready if self.sends else self._get_part_ready)

    def _get_file_ready(self) -> Deferred[None] | None:
        selector = self.file_selector
        if selector is None or selector.fd is None:
            raise TransferError("there is no file to send: give a FileSelector that has an fd")
        described = self._remote_file
        if described is not None and not selector.matches(replaced(described.selector, name=None, type=None)):
            raise TransferError(f"{selector!r} is not the file that was asked for, {described.selector!r}")
        self.file_dates = dates_of(selector.fd, self.file_dates)
        if selector.hash is not None or not self.hash_first or not _is_seekable(selector.fd):
            return self._check_range()
        hasher = FileHasher(selector.fd, self._hashed)
        self._hashing = hasher.start()
        return self._hashing.addCallback(self._hash_known, selector)

    def _hashed(self, size: int) -> None:
        self._post("FileTransferStreamHashProgress", processed_bytes=size, file_size=self.file_size)

    def _hash_known(self, result: tuple[str, int], selector: FileSelector) -> None:
        self._hashing = None
        selector.hash, size = result
        if selector.size is not None and selector.size != size:
            raise TransferError(f"the file has {size} octets instead of {selector.size}")
        selector.size = size
        described = self._remote_file
        if described is not None and not selector.matches(FileSelector(hash=described.selector.hash)):
            raise TransferError(f"{selector!r} is not the file that was asked for, {described.selector!r}")
        self._check_range()

    def _check_range(self) -> None:
        """Of a file that the remote party wishes for: the octets that it wants."""
        described = self._remote_file
        if described is not None and described.range is not None:
            if not described.range.fits(self.file_size):
                raise TransferError(f"the file has no octets {described.range}, which were asked for")
            self._range = described.range

    def _get_part_ready(self) -> Deferred[None]:
        selector = self.file_selector
        assert selector is not None
        directory = self.directory or received_files_folder()
        name = None if self.file_name is None else safe_name(self.file_name)
        opening: Any = run_in_thread(PartFile.open)
        # The part that is being opened has to be closed if the stream ends first, so this is not what is cancelled.
        ready: Deferred[None] = Deferred()
        opening(Path(directory).expanduser(), name, selector, resume=self.resume).addCallback(
            self._part_opened
        ).addCallbacks(ready.callback, ready.errback)
        return ready

    def _part_opened(self, part: PartFile) -> None:
        self._part = part
        if self._state in OVER:
            self._close_part()
            return
        if part.size:
            self._range = FileRange(part.size + 1)
        described = self._remote_file
        offered = None if described is None else described.range
        if offered is not None and (
            offered.start > part.size + 1 or offered.stop not in (None, described and described.selector.size)
        ):
            raise TransferError(f"only the octets {offered} are offered, and {part.size} are there")

    def _local_attributes(self, for_offer: bool) -> list[Any]:
        assert self.file_selector is not None
        dates = self.file_dates if self.sends else FileDates()
        return FileDescription(
            self.file_selector, self.transfer_id, self._range, self.file_disposition, dates
        ).attributes()

    def _limits(self) -> Any:
        return _LIMITS

    # Start and updates

    def start(self, local_sdp: Any, remote_sdp: Any, stream_index: int) -> None:
        described = FileDescription.read(remote_sdp.media[stream_index])
        if described is not None:
            if self.sends and self._is_offerer and described.range is not None:
                if described.range.fits(self.file_size):
                    self._range = described.range
                else:
                    log.info("The peer wants the octets %s of a file that has them not", described.range)
            elif not self.sends and self._is_offerer and self.file_selector is not None:
                self._learn(described)
        super().start(local_sdp, remote_sdp, stream_index)

    def _learn(self, described: FileDescription) -> None:
        """Who has the file that we asked for tells what it is."""
        mine, theirs = self.file_selector, described.selector
        assert mine is not None
        for name in ("name", "type", "size", "hash"):
            if getattr(mine, name) is None:
                setattr(mine, name, getattr(theirs, name))
        self.file_dates = described.dates

    def validate_update(self, remote_sdp: Any, stream_index: int) -> bool:
        """As of all MSRP streams; and it has to be the same file (RFC 5547 8.4: another transfer has another id)."""
        if not super().validate_update(remote_sdp, stream_index):
            return False
        media = remote_sdp.media[stream_index]
        described = FileDescription.read(media)
        return media.port == 0 or described is None or described.transfer_id in (None, self.transfer_id)

    def _start_media(self) -> None:
        super()._start_media()
        if self.sends and self._state is StreamState.STARTED:
            self._send_file()

    # Sending

    def _send_file(self) -> None:
        session, selector = self.msrp_session, self.file_selector
        assert session is not None and selector is not None and selector.fd is not None
        file_range = self._range or FileRange()
        start = file_range.start - 1
        stop = file_range.stop if file_range.stop is not None else selector.size
        size = None if stop is None else stop - start
        if selector.hash is None and start == 0:
            self._digest = hashlib.sha1(usedforsecurity=False)
        self.transferred_bytes = start
        self._reader = FileReader(selector.fd, start, size, self._resume_sending, self._digest)
        if self.is_paused:
            self._reader.pause()
        try:
            # RFC 4975 7.1.2: what is wrong is told, and no answer is waited for, which a paused receiver would not give
            self._outgoing = session.send_message(
                self._reader, selector.type or DEFAULT_TYPE, None, "yes", "partial", size=size
            )
        except (MSRPError, ValueError) as error:
            self._fail("sending", None, str(error))

    def _resume_sending(self) -> None:
        if self._outgoing is not None:
            self._outgoing.resume()

    def report_received(self, session: MSRPSession, report: MSRPData) -> None:
        outgoing = self._outgoing
        status = report.status
        if outgoing is None or report.message_id != outgoing.message_id or self._state in OVER:
            return
        if status is not None and status.code != 200:
            return  # message_failed tells
        start, end, total = report.byte_range or ByteRange(1, None, None)
        last = next((octet for octet in (end, total, outgoing.size) if octet is not None), None)
        if last is None or last > outgoing.sent:
            return
        self._delivered.add(start - 1, last)
        self.transferred_bytes = (self._range or FileRange()).start - 1 + self._delivered.covered
        self._post(
            "FileTransferStreamDidDeliverChunk",
            message_id=outgoing.message_id,
            chunk=report,
            code=200,
            reason="OK" if status is None else status.comment,
            transferred_bytes=self.transferred_bytes,
            file_size=self.file_size,
        )

    def message_delivered(self, session: MSRPSession, outgoing: OutgoingMessage, report: MSRPData) -> None:
        if outgoing is not self._outgoing or self._state in OVER:
            return
        selector = self.file_selector
        assert selector is not None
        if selector.hash is None and self._digest is not None:
            selector.hash, selector.size = format_hash(self._digest.digest()), outgoing.size
        self._finish()

    def message_failed(
        self, session: MSRPSession, outgoing: OutgoingMessage, code: int, reason: str, chunk: MSRPData | None
    ) -> None:
        if outgoing is not self._outgoing or self._state in OVER or self._deactivated:
            return
        self._post(
            "FileTransferStreamDidNotDeliverChunk",
            message_id=outgoing.message_id,
            chunk=chunk,
            code=code,
            reason=reason,
        )
        self._fail("sending", None, f"the file was not delivered: {code} {reason}")

    # Receiving

    def message_started(self, session: MSRPSession, chunk: MSRPData) -> Refusal | MessageSink | None:
        part = self._part
        if self.sends or part is None or self._state in OVER:
            return Refusal(403, "No file is wanted here")
        if self._sink is not None:
            return Refusal(403, "There is one file in this session")
        byte_range = chunk.byte_range
        total = None if byte_range is None else byte_range.total
        selector = self.file_selector
        size = None if selector is None else selector.size
        # A sender that does not know of ranges sends all of the file.
        self._base = part.size
        if part.size and (size is None or total != size - part.size):
            self._base = 0
        if total is not None and size is not None and self._base + total != size:
            reason = f"{total} octets are sent of a file of {size}"
            self._later(self._fail_soon, "reading", None, reason)
            return Refusal(413, reason)
        self._first_chunk = chunk
        self.transferred_bytes = self._base
        self._sink = FileSink(part, self._base, self)
        return self._sink

    def octets_written(self, pieces: list[tuple[int, bytes]]) -> None:
        assert self._part is not None and self._sink is not None
        if self._state in OVER:
            return
        self.transferred_bytes = self._part.size
        self._untold += [data for _, data in pieces]
        now = self._seconds()
        if now - self._told_at >= CHUNK_INTERVAL or sum([len(data) for data in self._untold]) >= CHUNK_SIZE:
            self._tell_application(now)
        self._report_to_sender(now)

    def _tell_application(self, now: float) -> None:
        octets, self._untold, self._told_at = b"".join(self._untold), [], now
        if octets:
            self._post(
                "FileTransferStreamGotChunk",
                content=octets,
                content_type=(self.file_selector and self.file_selector.type) or DEFAULT_TYPE,
                transferred_bytes=self.transferred_bytes,
                file_size=self.file_size,
            )

    def _report_to_sender(self, now: float) -> None:
        """RFC 4975 7.1.2: a success report may name a part of the message. The last one comes by itself."""
        session, chunk = self.msrp_session, self._first_chunk
        assert session is not None and chunk is not None
        done = self.transferred_bytes - self._base
        if chunk.success_report != "yes" or now - self._reported_at < REPORT_INTERVAL or done <= self._reported:
            return
        total = None if chunk.byte_range is None else chunk.byte_range.total
        if done != total:
            session.send_report(chunk, byte_range=ByteRange(self._reported + 1, done, total))
            self._reported, self._reported_at = done, now

    def file_finished(self, path: Path) -> None:
        self.file_path = path
        if self._state in OVER:
            return
        self.transferred_bytes = self.file_size or 0
        self._tell_application(self._seconds())
        self._finish()

    def writing_failed(self, failure: Failure) -> None:
        self._refuse_rest("It can't be stored")
        self._fail_soon("reading", failure, failure.getErrorMessage())

    def sending_stopped(self, reason: str) -> None:
        if not self._deactivated and self._verdict is None:
            self._fail("reading", None, f"the file did not come: {reason}")

    def stop_reading(self, stop: bool) -> None:
        self._stop_reading("disk", stop)

    def _stop_reading(self, why: str, stop: bool) -> None:
        before = bool(self._stops)
        (self._stops.add if stop else self._stops.discard)(why)
        session = self.msrp_session
        if session is not None and bool(self._stops) is not before:
            session.pause_receiving() if stop else session.resume_receiving()

    # The end

    def _finish(self) -> None:
        self.is_finished = True
        self._post("FileTransferStreamDidFinish")

    def session_closed(self, session: MSRPSession, reason: Failure | None) -> None:
        if self._verdict is not None and session is self.msrp_session:
            self._pass_verdict()
        elif not self.is_finished:  # afterwards the connection is of no use
            super().session_closed(session, reason)

    def _closed(self) -> None:
        timer, self._verdict_timer = self._verdict_timer, None
        if timer is not None and timer.active():
            timer.cancel()
        hashing, self._hashing = self._hashing, None
        if hashing is not None:
            hashing.cancel()
        if self._sink is not None:
            self._sink.close()
        else:
            self._close_part()
        if self._reader is not None:
            self._reader.close()
        elif self.file_selector is not None and hashing is None:
            self.file_selector.close()

    def _close_part(self) -> None:
        part, self._part = self._part, None
        if part is not None:
            run_in_thread(part.close)(keep=True)

    def _seconds(self) -> float:
        assert self._transport is not None
        seconds: float = self._transport.reactor.seconds()
        return seconds

    def _later(self, function: Any, *arguments: Any) -> None:
        assert self._transport is not None
        self._transport.reactor.callLater(0, partial(function, *arguments))


def replaced(selector: FileSelector, **fields: Any) -> FileSelector:
    """Another selector with some fields changed."""
    values = {name: getattr(selector, name) for name in FileSelector.__slots__}
    return FileSelector(**{**values, **fields})


def dates_of(file: Any, known: FileDates) -> FileDates:
    """What the file system says of an open file."""
    try:
        changed = os.fstat(file.fileno()).st_mtime
        return replace(known, modification=datetime.fromtimestamp(changed, UTC))
    except (OSError, ValueError, AttributeError, OverflowError):
        return known


def _is_seekable(file: Any) -> bool:
    try:
        return bool(file.seekable())
    except (AttributeError, OSError, ValueError):
        return False
