"""The side that has the file: it is hashed, offered, read, and what the receiver reports of it is told (RFC 5547 8)."""

from __future__ import annotations

import hashlib
import logging
import os
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from msrplib.errors import MSRPError
from msrplib.protocol import ByteRange, MSRPData
from msrplib.reassembly import RangeSet
from sipsimple.streams.filetransfer.description import FileDates, FileDescription, FileRange
from sipsimple.streams.filetransfer.partfile import TransferError
from sipsimple.streams.filetransfer.reading import FileHasher, FileReader
from sipsimple.streams.filetransfer.role import Role
from sipsimple.streams.filetransfer.selector import DEFAULT_TYPE, FileSelector, format_hash

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from msrplib.outgoing import OutgoingMessage
    from sipsimple.streams.filetransfer.stream import FileTransferStream

__all__ = ["FileSender"]

log = logging.getLogger("sipsimple.streams")

MAX_REPORTED_RANGES = 1024


class FileSender(Role):
    """Sends the file of a stream.

    :ivar outgoing: the MSRP message that carries it, once it is under way
    """

    context = "sending"

    def __init__(self, stream: FileTransferStream) -> None:
        super().__init__(stream)
        self.outgoing: OutgoingMessage | None = None
        self._hashing: Deferred[Any] | None = None
        self._reader: FileReader | None = None
        self._digest: Any = None
        self._delivered = RangeSet(MAX_REPORTED_RANGES)

    # Before it is described

    def get_ready(self) -> Deferred[Any] | None:
        stream = self.stream
        selector, wish = stream.file_selector, stream.remote_file
        if selector is None or selector.fd is None:
            raise TransferError("there is no file to send: give a FileSelector that has an fd")
        if wish is not None and not selector.matches(_replaced(wish.selector, name=None, type=None)):
            raise TransferError(f"{selector!r} is not the file that was asked for, {wish.selector!r}")
        stream.file_dates = _dates_of(selector.fd, stream.file_dates)
        if selector.hash is not None or not stream.hash_first or not _is_seekable(selector.fd):
            self._check_range()
            return None
        self._hashing = FileHasher(selector.fd, self._hashed).start()
        return self._hashing.addCallback(self._hash_known, selector)

    def _hashed(self, size: int) -> None:
        stream = self.stream
        stream.post("FileTransferStreamHashProgress", processed_bytes=size, file_size=stream.file_size)

    def _hash_known(self, result: tuple[str, int], selector: FileSelector) -> None:
        self._hashing = None
        selector.hash, size = result
        if selector.size is not None and selector.size != size:
            raise TransferError(f"the file has {size} octets instead of {selector.size}")
        selector.size = size
        wish = self.stream.remote_file
        if wish is not None and not selector.matches(FileSelector(hash=wish.selector.hash)):
            raise TransferError(f"{selector!r} is not the file that was asked for, {wish.selector!r}")
        self._check_range()

    def _check_range(self) -> None:
        """Of a file that the remote party wishes for: the octets that it wants."""
        wish = self.stream.remote_file
        if wish is not None and wish.range is not None:
            if not wish.range.fits(self.stream.file_size) or not self._can_begin_at(wish.range):
                raise TransferError(f"the file has no octets {wish.range}, which were asked for")
            self.stream.file_range = wish.range

    def _can_begin_at(self, file_range: FileRange) -> bool:
        selector = self.stream.file_selector
        return file_range.start == 1 or (selector is not None and _is_seekable(selector.fd))

    def answered(self, described: FileDescription) -> None:
        if described.range is None:
            return
        if described.range.fits(self.stream.file_size) and self._can_begin_at(described.range):
            self.stream.file_range = described.range
        else:
            log.info("The peer wants the octets %s, which can't be had: it gets all of them", described.range)

    # The transfer

    def start(self) -> None:
        stream = self.stream
        session, selector = stream.msrp_session, stream.file_selector
        assert session is not None and selector is not None and selector.fd is not None
        file_range = stream.file_range or FileRange()
        start = file_range.start - 1
        stop = file_range.stop if file_range.stop is not None else selector.size
        size = None if stop is None else stop - start
        if selector.hash is None and start == 0:
            self._digest = hashlib.sha1(usedforsecurity=False)
        stream.transferred_bytes = start
        self._reader = FileReader(selector.fd, start, size, self._resume, self._digest)
        if stream.is_paused:
            self._reader.pause()
        try:
            # RFC 4975 7.1.2: what is wrong is told, and no answer is waited for, which a paused receiver would not give
            self.outgoing = session.send_message(
                self._reader, selector.type or DEFAULT_TYPE, None, "yes", "partial", size=size
            )
        except (MSRPError, ValueError) as error:
            stream.fail(self.context, None, str(error))

    def _resume(self) -> None:
        if self.outgoing is not None:
            self.outgoing.resume()

    def pause(self, paused: bool) -> None:
        if self._reader is not None:
            self._reader.pause() if paused else self._reader.unpause()

    def cancel(self) -> None:
        if self.outgoing is not None:
            self.outgoing.cancel()

    # What becomes of it

    def report_received(self, report: MSRPData) -> None:
        outgoing, status = self.outgoing, report.status
        if outgoing is None or report.message_id != outgoing.message_id:
            return
        if status is not None and status.code != 200:
            return  # message_failed tells
        start, end, total = report.byte_range or ByteRange(1, None, None)
        last = next((octet for octet in (end, total, outgoing.size) if octet is not None), None)
        if last is None or last > outgoing.sent:
            return
        self._delivered.add(start - 1, last)
        stream = self.stream
        stream.transferred_bytes = (stream.file_range or FileRange()).start - 1 + self._delivered.covered
        stream.post(
            "FileTransferStreamDidDeliverChunk",
            message_id=outgoing.message_id,
            chunk=report,
            code=200,
            reason="OK" if status is None else status.comment,
            transferred_bytes=stream.transferred_bytes,
            file_size=stream.file_size,
        )

    def message_delivered(self, outgoing: OutgoingMessage) -> None:
        if outgoing is not self.outgoing:
            return
        selector = self.stream.file_selector
        assert selector is not None
        if selector.hash is None and self._digest is not None:
            selector.hash, selector.size = format_hash(self._digest.digest()), outgoing.size
        self.stream.finish()

    def message_failed(self, outgoing: OutgoingMessage, code: int, reason: str, chunk: MSRPData | None) -> None:
        if outgoing is not self.outgoing:
            return
        self.stream.post(
            "FileTransferStreamDidNotDeliverChunk",
            message_id=outgoing.message_id,
            chunk=chunk,
            code=code,
            reason=reason,
        )
        self.stream.fail(self.context, None, f"the file was not delivered: {code} {reason}")

    def close(self) -> None:
        hashing, self._hashing = self._hashing, None
        if hashing is not None:
            hashing.cancel()  # which closes the file
        elif self._reader is not None:
            self._reader.close()
        elif self.stream.file_selector is not None:
            self.stream.file_selector.close()


def _replaced(selector: FileSelector, **fields: Any) -> FileSelector:
    """Another selector with some fields changed."""
    values = {name: getattr(selector, name) for name in FileSelector.__slots__}
    return FileSelector(**{**values, **fields})


def _dates_of(file: Any, known: FileDates) -> FileDates:
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
