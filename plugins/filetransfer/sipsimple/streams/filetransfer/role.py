"""What the two sides of a transfer have in common; FileSender and FileReceiver are the two."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msrplib.handler import MessageSink, Refusal

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from msrplib.outgoing import OutgoingMessage
    from msrplib.protocol import MSRPData
    from sipsimple.streams.filetransfer.description import FileDescription
    from sipsimple.streams.filetransfer.stream import FileTransferStream

__all__ = ["Role"]


class Role:
    """What a stream does because it sends the file, or receives it. All methods are called in the reactor's thread.

    :ivar context: of its failures, as MediaStreamDidFail has it
    """

    context: str

    def __init__(self, stream: FileTransferStream) -> None:
        self.stream = stream

    def get_ready(self) -> Deferred[Any] | None:
        """What has to be there before the stream can be described. Raises, or fails, with the reason why it isn't."""
        raise NotImplementedError

    def answered(self, described: FileDescription) -> None:
        """What the remote party's answer to our offer says of the file. Raises OSError or TransferError if it can't be
        had."""

    def start(self) -> None:
        """The connection is there."""

    def pause(self, paused: bool) -> None:
        """The application pauses the transfer, or goes on with it."""
        raise NotImplementedError

    def cancel(self) -> None:
        """The application gives the transfer up: tell the peer (RFC 5547 8.4)."""
        raise NotImplementedError

    def close(self) -> None:
        """The stream is over: give back what is held."""
        raise NotImplementedError

    # As of msrplib.handler.SessionHandler

    def message_started(self, chunk: MSRPData) -> Refusal | MessageSink | None:
        return Refusal(403, "No file is wanted here")

    def report_received(self, report: MSRPData) -> None:
        pass

    def message_delivered(self, outgoing: OutgoingMessage) -> None:
        pass

    def message_failed(self, outgoing: OutgoingMessage, code: int, reason: str, chunk: MSRPData | None) -> None:
        pass
