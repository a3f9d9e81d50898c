"""What a ChatStream posts. Those that every stream posts are declared with IMediaStream."""

from __future__ import annotations

from datetime import datetime

from sipsimple.notification import declare_notification, field

_MESSAGE_ID = field(str, "what send_message() returned for the message")

declare_notification(
    "ChatStreamGotMessage",
    "ChatStream",
    "A message has come.",
    message=field("CPIMMessage | ChatMessage", "a CPIMMessage if it came in a CPIM envelope, else a ChatMessage"),
)

declare_notification(
    "ChatStreamDidSendMessage",
    "ChatStream",
    "The last octet of a message was handed to the connection.",
    message=field("MSRPData", "the last chunk of the message"),
)

declare_notification(
    "ChatStreamDidDeliverMessage",
    "ChatStream",
    "The recipient reported that it has the message. Nothing follows for this message.",
    message_id=_MESSAGE_ID,
    code=field(int, "always 200"),
    reason=field(str, "the comment of the report"),
    chunk=field("MSRPData", "the report"),
)

declare_notification(
    "ChatStreamDidNotDeliverMessage",
    "ChatStream",
    "The message was refused, nothing was heard of it in time (408), the peer cannot take it (413, 415, 428), or "
    "the stream ended first (481). Nothing follows for this message.",
    message_id=_MESSAGE_ID,
    code=field(int, "the status code (RFC 4975 10)"),
    reason=field(str, "its comment, or what happened"),
    chunk=field("MSRPData | None", "the report or the response that said so, None when there is none"),
)

declare_notification(
    "ChatStreamGotComposingIndication",
    "ChatStream",
    "Somebody is composing a message, or is no longer: so said a document (RFC 3994), or the time is over that the "
    "last one gave.",
    state=field(str, "'active' or 'idle'"),
    refresh=field(int | None, "seconds after which the state is idle unless it is repeated"),
    last_active=field(datetime | None, "when the sender last typed"),
    content_type=field(str | None, "the media type of what is being composed"),
    sender=field("ChatIdentity", "who is composing: a CPIMIdentity if it came in a CPIM envelope"),
    recipients=field(list, "for whom: ChatIdentity or CPIMIdentity objects"),
)

declare_notification(
    "ChatStreamGotDispositionNotification",
    "ChatStream",
    "A recipient tells what became of a message that asked for it (RFC 5438; `disposition_notifications`). It may be "
    "about a message of another session. Nothing proves what it says.",
    message_id=field(str, "the IMDN Message-ID: what send_message() returned, unless the application set another"),
    disposition=field(str, "'delivery', 'processing' or 'display'"),
    status=field(
        str,
        "of delivery 'delivered' or 'failed', of processing 'processed' or 'stored', of display 'displayed'; of each "
        "'forbidden' or 'error'",
    ),
    sender=field("CPIMIdentity | None", "the recipient that tells it"),
)

declare_notification(
    "ChatStreamDidSetNickname",
    "ChatStream",
    "The chat room has given us the nickname that we asked for (RFC 7701 7.1).",
    nickname=field(str, "what set_local_nickname() asked for; '' when we have none any more"),
)

declare_notification(
    "ChatStreamDidNotSetNickname",
    "ChatStream",
    "The chat room did not give us the nickname, or did not answer (408), or the stream ended first (481). The one "
    "that we had stays ours.",
    nickname=field(str, "what set_local_nickname() asked for"),
    code=field(int, "the status code: 423 or 403 it is not allowed, 424 malformed, 425 somebody else's, …"),
    reason=field(str, "its comment, or what happened"),
)
