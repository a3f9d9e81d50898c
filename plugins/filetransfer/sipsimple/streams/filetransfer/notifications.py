"""What a FileTransferStream posts. Those that every stream posts are declared with IMediaStream."""

from __future__ import annotations

from sipsimple.notification import declare_notification, field

_MESSAGE_ID = field(str, "the Message-ID of the MSRP message that carries the file")
_TRANSFERRED = field(int, "octets of the file, from its beginning, that the receiver has")
_FILE_SIZE = field(int | None, "octets of the whole file; None where the sender has not said")

declare_notification(
    "FileTransferStreamHashProgress",
    "FileTransferStream",
    "The file that is to be offered is being hashed.",
    processed_bytes=field(int, "octets that have been hashed"),
    file_size=_FILE_SIZE,
)

declare_notification(
    "FileTransferStreamDidDeliverChunk",
    "FileTransferStream",
    "The receiver reported that it has a part of the file that we send.",
    message_id=_MESSAGE_ID,
    chunk=field("MSRPData", "the report"),
    code=field(int, "always 200"),
    reason=field(str, "the comment of the report"),
    transferred_bytes=_TRANSFERRED,
    file_size=_FILE_SIZE,
)

declare_notification(
    "FileTransferStreamDidNotDeliverChunk",
    "FileTransferStream",
    "The file that we send, or a part of it, was refused, or nothing was heard of it in time (408). The stream fails.",
    message_id=_MESSAGE_ID,
    chunk=field("MSRPData | None", "the report or the response that said so, None when there is none"),
    code=field(int, "the status code (RFC 4975 10)"),
    reason=field(str, "its comment, or what happened"),
)

declare_notification(
    "FileTransferStreamGotChunk",
    "FileTransferStream",
    "A part of the file has come, and is on the disk.",
    content=field(bytes, "its octets"),
    content_type=field(str, "the media type of the file"),
    transferred_bytes=_TRANSFERRED,
    file_size=_FILE_SIZE,
)

declare_notification(
    "FileTransferStreamDidFinish",
    "FileTransferStream",
    "The whole file has been transferred, and its receiver has verified it: who received it finds it at the stream's "
    "`file_path`.",
)
