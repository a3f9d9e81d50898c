"""FileTransferStream: one file, sent or received over MSRP (FT-001 to FT-012; RFC 5547).

Theory of operation. Who has the file hashes it before it is described (`_get_ready`); who receives it opens a part for
it there, and finds what an interrupted transfer left. Who receives says in his description from which octet on he wants
it (`a=file-range`); a sender that does not know of that sends all of it, which is told by the size of its message. The
file is one MSRP message: `reading` feeds it, `writing` takes it, both in the thread pool and with bounded queues. The
receiver reports what is on his disk, which is the sender's progress, and the last report comes when it is verified.

The stream has what both sides do: the description, the control by the application, the end. The rest is up to its
role, `sender` or `receiver`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from twisted.internet.defer import Deferred, maybeDeferred

from msrplib.errors import as_failure
from msrplib.handler import MessageSink, Refusal
from msrplib.outgoing import OutgoingMessage
from msrplib.protocol import MSRPData
from msrplib.session import MSRPSession
from sipsimple.realm import current_realm
from sipsimple.streams.filetransfer import notifications as _notifications  # noqa: F401
from sipsimple.streams.filetransfer.description import (
    FileDates,
    FileDescription,
    FileIcon,
    FileRange,
    new_transfer_id,
)
from sipsimple.streams.filetransfer.partfile import TransferError
from sipsimple.streams.filetransfer.receiver import FileReceiver
from sipsimple.streams.filetransfer.role import Role
from sipsimple.streams.filetransfer.selector import FileSelector
from sipsimple.streams.filetransfer.sender import FileSender
from sipsimple.streams.msrp import MSRPMedia, MSRPStreamBase
from sipsimple.streams.msrp.base import CLOSE_GRACE
from sipsimple.streams.msrp.states import OVER, StreamState
from sipsimple.streams.msrp.transport import LIMITS
from sipsimple.threading import call_in_sipsimple_thread

if TYPE_CHECKING:
    from twisted.python.failure import Failure

__all__ = ["FileTransferStream"]

LONGEST_PAUSE = 3600.0
"""Seconds that either side may pause a transfer before the other gives it up."""
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
    :ivar file_icon: a small picture of the file (a FileIcon), which the remote party gets with the proposal; None: none

    What tells how it is:

    :ivar transferred_bytes: octets of the file, from its beginning, that the receiver has
    :ivar file_range: which octets are transferred (a FileRange, known when the stream has started); None: all
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
        self.file_icon: FileIcon | None = None
        self.file_dates = FileDates()
        self.transfer_id: str | None = new_transfer_id()
        self.file_path: Path | None = None
        self.transferred_bytes = 0
        self.is_finished = False
        self.remote_file: FileDescription | None = None  # as a received proposal says
        self.file_range: FileRange | None = None  # that is transferred, None: all
        self._role: Role = FileReceiver(self) if wishes else FileSender(self)
        self._is_paused = False
        self._verdict: tuple[str, Failure | None, str] | None = None  # that the peer is to hear of first
        self._verdict_timer: Any = None

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
        stream._role = FileSender(stream) if stream.sends else FileReceiver(stream)
        stream.remote_file = described
        stream.file_selector = described.selector
        stream.transfer_id = described.transfer_id
        stream.file_dates = described.dates
        stream.file_disposition = described.disposition
        stream.file_icon = FileIcon.named_in(remote_sdp.media[stream_index])
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

    @property
    def is_paused(self) -> bool:
        """Whether this side has paused the transfer."""
        return self._is_paused

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

    def _pause(self, paused: bool) -> None:
        self._is_paused = paused
        self._role.pause(paused)

    def _cancel(self) -> None:
        if not self.is_finished and self._verdict is None:
            self._role.cancel()
            self.fail_soon(self._role.context, None, "the local party gave the transfer up")

    # The description

    def _get_ready(self) -> Deferred[Any]:
        return maybeDeferred(self._role.get_ready)

    def _local_attributes(self, for_offer: bool) -> list[Any]:
        assert self.file_selector is not None
        dates = self.file_dates if self.sends else FileDates()
        icon = f"cid:{self._icon_id}" if self.sends and self.file_icon is not None else None
        return FileDescription(
            self.file_selector, self.transfer_id, self.file_range, self.file_disposition, dates, icon
        ).attributes()

    def get_local_media(self, for_offer: bool, remote_sdp: Any = None, stream_index: int = 0) -> Any:
        media = super().get_local_media(for_offer, remote_sdp, stream_index)
        if self.sends and self.file_icon is not None:
            media.related = [self.file_icon.part(self._icon_id)]
        return media

    @property
    def _icon_id(self) -> str:
        return f"icon.{self.transfer_id or 'of-the-file'}@{self.account.uri.host}"

    def _limits(self) -> Any:
        return _LIMITS

    def start(self, local_sdp: Any, remote_sdp: Any, stream_index: int) -> None:
        media = remote_sdp.media[stream_index]
        described = FileDescription.read(media)
        if described is not None and self._is_offerer and self.file_selector is not None:
            try:
                self._role.answered(described)
            except (OSError, TransferError) as error:
                self._fail("start", as_failure(error), str(error))
                return
            if not self.sends:
                self.file_icon = FileIcon.named_in(media)
        super().start(local_sdp, remote_sdp, stream_index)

    def validate_update(self, remote_sdp: Any, stream_index: int) -> bool:
        """As of all MSRP streams; and it has to be the same file (RFC 5547 8.4: another transfer has another id)."""
        if not super().validate_update(remote_sdp, stream_index):
            return False
        media = remote_sdp.media[stream_index]
        described = FileDescription.read(media)
        return media.port == 0 or described is None or described.transfer_id in (None, self.transfer_id)

    # The transfer

    def _start_media(self) -> None:
        super()._start_media()
        if self._state is StreamState.STARTED:
            self._role.start()

    def message_started(self, session: MSRPSession, chunk: MSRPData) -> Refusal | MessageSink | None:
        if self._verdict is not None:
            return Refusal(413, "Cancelled")
        if self.is_over:
            return Refusal(403, "No file is wanted here")
        return self._role.message_started(chunk)

    def report_received(self, session: MSRPSession, report: MSRPData) -> None:
        if not self.is_over:
            self._role.report_received(report)

    def message_delivered(self, session: MSRPSession, outgoing: OutgoingMessage, report: MSRPData) -> None:
        if not self.is_over:
            self._role.message_delivered(outgoing)

    def message_failed(
        self, session: MSRPSession, outgoing: OutgoingMessage, code: int, reason: str, chunk: MSRPData | None
    ) -> None:
        if not self.is_over and not self._deactivated:
            self._role.message_failed(outgoing, code, reason, chunk)

    # How it ends

    def deactivate(self) -> None:
        super().deactivate()
        self._pass_verdict()

    def session_closed(self, session: MSRPSession, reason: Failure | None) -> None:
        if self._verdict is not None and session is self.msrp_session:
            self._pass_verdict()
        elif not self.is_finished:  # afterwards the connection is of no use
            super().session_closed(session, reason)

    def _pass_verdict(self) -> None:
        if self._verdict is not None:
            self._fail(*self._verdict)

    def _closed(self) -> None:
        timer, self._verdict_timer = self._verdict_timer, None
        if timer is not None and timer.active():
            timer.cancel()
        self._role.close()

    # For the role

    @property
    def is_over(self) -> bool:
        """Whether the stream has failed or was ended."""
        return self._state in OVER

    def post(self, name: str, **fields: Any) -> None:
        """Post a notification of this stream."""
        self._post(name, **fields)

    def finish(self) -> None:
        """The receiver has verified the whole file."""
        self.is_finished = True
        self._post("FileTransferStreamDidFinish")

    def fail(self, context: str, failure: Failure | None, reason: str) -> None:
        """The transfer comes to nothing, as the peer knows."""
        self._fail(context, failure, reason)

    def fail_soon(self, context: str, failure: Failure | None, reason: str) -> None:
        """Fail once the peer has closed the connection, or when that takes too long: a failure makes the session say
        goodbye to the stream by SIP, and the peer would hear that before it hears why."""
        if self._verdict is not None or self.is_over:
            return
        if self._state is StreamState.STARTED and not self._deactivated:
            self._verdict = (context, failure, reason)
            self._verdict_timer = self.call_later(CLOSE_GRACE, self._pass_verdict)
        else:
            self._fail(context, failure, reason)

    def peer_stopped(self, reason: str) -> None:
        """The peer gave the transfer up, or the connection is gone."""
        if not self._deactivated and self._verdict is None:
            self._fail(self._role.context, None, reason)

    def seconds(self) -> float:
        """The time of the reactor."""
        assert self._transport is not None
        seconds: float = self._transport.reactor.seconds()
        return seconds

    def call_later(self, delay: float, function: Callable[..., object], *arguments: Any) -> Any:
        """As the reactor's callLater."""
        assert self._transport is not None
        return self._transport.reactor.callLater(delay, function, *arguments)
