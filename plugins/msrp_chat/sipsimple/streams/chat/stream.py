"""ChatStream: a conversation over MSRP (CHAT-001 to CHAT-032; RFC 4975, 3862, 3994, 5438, 7701)."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime
from itertools import count
from typing import Any, ClassVar

from msrplib.errors import MSRPError
from msrplib.handler import MessageSink, Refusal
from msrplib.incoming import IncomingMessage
from msrplib.nickname import format_nickname
from msrplib.outgoing import OutgoingMessage
from msrplib.protocol import MSRPData
from msrplib.session import MSRPSession
from sipsimple.core import BaseSIPURI, FrozenSIPURI
from sipsimple.notification import Notification
from sipsimple.realm import current_realm
from sipsimple.streams.chat import notifications as _notifications  # noqa: F401
from sipsimple.streams.chat.backlog import Backlog
from sipsimple.streams.chat.composing import (
    COMPOSING_TYPE,
    ComposingIndication,
    print_composing,
)
from sipsimple.streams.chat.dispositions import Dispositions
from sipsimple.streams.chat.errors import ChatStreamError
from sipsimple.streams.chat.imdn import STATUSES, check_dispositions
from sipsimple.streams.chat.inbox import Inbox
from sipsimple.streams.chat.messages import ChatMessage, CPIMIdentity, CPIMMessage
from sipsimple.streams.chat.nickname import Nickname
from sipsimple.streams.chat.outgoing import CPIM_TYPE, Envelope, OutgoingText
from sipsimple.streams.msrp import MSRPMedia, MSRPStreamBase
from sipsimple.streams.msrp.states import OVER, StreamState
from sipsimple.streams.msrp.transport import LIMITS
from sipsimple.threading import call_in_sipsimple_thread

__all__ = ["ChatStream", "ChatStreamError"]

MAX_MESSAGE_SIZE = 10 * 1024 * 1024 + 128 * 1024
"""Octets of an incoming message: ten megabytes of content, and its envelope. More is refused with 413."""
MAX_QUEUED_MESSAGES = 10_000
MAX_QUEUED_OCTETS = 64 * 1024 * 1024
"""What may be given to send_message before the stream has started, or faster than the reactor's thread takes it."""

_SENDS = frozenset({"sendrecv", "sendonly"})
_RECEIVES = frozenset({"sendrecv", "recvonly"})
_LIMITS = replace(LIMITS, max_message_size=MAX_MESSAGE_SIZE)


class ChatStream(MSRPStreamBase):
    """A chat with the remote party of a session.

    :param account: the account of the session
    :param direction: the direction that is offered: 'sendrecv', 'sendonly', 'recvonly' or 'inactive'

    Notifications: those of MSRPStreamBase, ChatStreamGotMessage, ChatStreamDidSendMessage, exactly one of
    ChatStreamDidDeliverMessage and ChatStreamDidNotDeliverMessage for each message sent,
    ChatStreamGotComposingIndication, ChatStreamGotDispositionNotification, ChatStreamDidSetNickname,
    ChatStreamDidNotSetNickname.
    """

    type = "chat"
    priority = 1
    media_type = "message"
    accept_types: ClassVar[list[str]] = [CPIM_TYPE, "text/*", COMPOSING_TYPE]
    accept_wrapped_types: ClassVar[list[str]] = ["*"]
    use_msrp_session = True

    def __init__(self, account: Any, direction: str = "sendrecv") -> None:
        super().__init__(account, direction)
        self._realm = current_realm()
        self._message_ids = count(1)
        self._id_prefix = os.urandom(8).hex()
        self._envelope: Envelope | None = None
        self._queue: deque[OutgoingText] | None = deque()
        self._backlog = Backlog(MAX_QUEUED_MESSAGES, MAX_QUEUED_OCTETS)
        self._inbox = Inbox(self)
        self._nickname = Nickname(self)
        self._asked: tuple[str, ...] = ()
        self._dispositions = Dispositions()

    @classmethod
    def new_from_sdp(cls, account: Any, remote_sdp: Any, stream_index: int) -> ChatStream | None:
        """A stream for a media line `message` over TCP/MSRP or TCP/TLS/MSRP that has a path and accept-types."""
        remote = MSRPMedia.read(remote_sdp, stream_index)
        if remote is None or remote.media_type != cls.media_type or not remote.path or not remote.accept_types:
            return None
        if "file-selector" in remote_sdp.media[stream_index].attributes:  # RFC 5547 6: that is a file
            return None
        stream = cls(account)
        stream.remote_media = remote
        return stream

    def _limits(self) -> Any:
        return _LIMITS

    # Who takes part

    @property
    def local_identity(self) -> CPIMIdentity:
        """Who we are to the remote party: the account's URI and display name."""
        return CPIMIdentity(_address_of_record(self.account.uri), self.account.display_name)

    @property
    def remote_identity(self) -> CPIMIdentity | None:
        """Who the remote party is; None while the session does not know."""
        identity = getattr(self.session, "remote_identity", None)
        return None if identity is None else CPIMIdentity(_address_of_record(identity.uri), identity.display_name)

    @property
    def cpim_enabled(self) -> bool:
        """Whether messages go out in CPIM envelopes; False before the stream has started."""
        return self._envelope is not None and self._envelope.cpim

    @property
    def private_messages_allowed(self) -> bool:
        """Whether messages may name recipients of their own (RFC 7701); False before the stream has started."""
        return self._envelope is not None and self._envelope.private_messages

    @property
    def disposition_notifications(self) -> tuple[str, ...]:
        """What messages ask the recipient to tell, by ChatStreamGotDispositionNotification (RFC 5438 6.3): out of
        'positive-delivery', 'negative-delivery', 'processing' and 'display'. Nothing by default.

        It counts for the messages that are sent from then on, and go out in CPIM envelopes. MSRP reports delivery
        anyway (ChatStreamDidDeliverMessage).
        """
        return self._asked

    @disposition_notifications.setter
    def disposition_notifications(self, dispositions: Iterable[str]) -> None:
        self._asked = check_dispositions(dispositions)

    @property
    def nickname_allowed(self) -> bool:
        """Whether the remote party is a chat room that gives nicknames (RFC 7701 8); False before the stream has
        started."""
        return self._envelope is not None and self._envelope.nickname

    @property
    def nickname(self) -> str | None:
        """The nickname that the chat room has given us; None when there is none."""
        return self._nickname.current

    def set_local_nickname(self, nickname: str) -> None:
        """Ask the chat room for a nickname (RFC 7701 7.1); from any thread.

        ChatStreamDidSetNickname or ChatStreamDidNotSetNickname says what came of it.

        :param nickname: by which others see us; '' gives up the one that we have
        :raises ChatStreamError: the remote party gives no nicknames, or is not known yet
        :raises IllegalStateError: the stream has failed or ended
        :raises ValueError, TypeError: a nickname that there can't be
        """
        self._check_state()
        if not isinstance(nickname, str):
            raise TypeError(f"nickname must be a str, not {type(nickname).__name__}")
        format_nickname(nickname)
        if not self.nickname_allowed:
            raise ChatStreamError("the remote party gives no nicknames", 501)
        self._backlog.enter(0)
        self._in_reactor(self._ask_for_nickname, nickname)

    def _ask_for_nickname(self, nickname: str) -> None:
        self._backlog.leave(0)
        self._nickname.ask(None if self._state in OVER else self.msrp_session, nickname)

    # Sending

    def send_message(
        self,
        content: str | bytes,
        content_type: str = "text/plain",
        recipients: Iterable[CPIMIdentity] | None = None,
        courtesy_recipients: Iterable[CPIMIdentity] | None = None,
        subject: str | None = None,
        timestamp: datetime | None = None,
        required: Iterable[str] | None = None,
        additional_headers: Iterable[object] | None = None,
    ) -> str:
        """Send a message (CHAT-008); from any thread, returns at once. Before the stream has started it is queued.

        :param content: `str`, which is sent as UTF-8 unless the content type has another charset, or `bytes`
        :param content_type: the media type, of the wrapped message if it goes out in a CPIM envelope
        :param recipients: for the To of the envelope; other ones than the remote party need private messages
        :param courtesy_recipients: for its cc; they need private messages
        :param subject: a str or MultilingualText; needs CPIM
        :param timestamp: for its DateTime; now, when None
        :param required: names of what the recipient must understand (RFC 3862 3.7); needs CPIM
        :param additional_headers: CPIMHeader objects, or others with `name` and `value`; need CPIM
        :return: the Message-ID, by which ChatStreamDidDeliverMessage and ChatStreamDidNotDeliverMessage name it
        :raises ChatStreamError: the direction or the remote party does not allow it (of a queued message, whose
            recipient is not known yet, ChatStreamDidNotDeliverMessage says so later: 415, 428, …); or too many
            messages wait for the start, or for the reactor's thread (413)
        :raises IllegalStateError: the stream has failed or ended
        :raises ValueError, TypeError: a wrong argument
        """
        self._check_can_send()
        text = OutgoingText(
            self._new_id(),
            content,
            content_type,
            recipients,
            courtesy_recipients,
            subject,
            timestamp,
            required,
            additional_headers,
        )
        if self._asked and text.may_ask:
            text.dispositions = self._asked
        envelope = self._envelope
        if self._queue is None and envelope is not None:
            octets, full_type = envelope.encode(text)
            self._backlog.enter(len(octets))
            self._in_reactor(self._take_over, text.message_id, octets, full_type)
        else:  # it has not started; or, in another thread, it has ended since we looked at its state
            self._backlog.enter(len(text.octets))
            if text.timestamp is None:
                text.timestamp = datetime.now(UTC)
            self._in_reactor(self._enqueue, text)
        return text.message_id

    def send_composing_indication(
        self,
        state: str,
        refresh: int | None,
        last_active: datetime | None = None,
        recipients: Iterable[CPIMIdentity] | None = None,
    ) -> None:
        """Tell the remote party whether a message is being composed (CHAT-021); from any thread.

        Nothing is sent before the stream has started, or to a party that does not accept such indications
        (RFC 3994 3.1); none of the notifications of messages follows.

        :param state: 'active' or 'idle'
        :param refresh: seconds after which it is said again, as long as it is so
        :param last_active: when the user last typed
        :param recipients: as in send_message
        :raises ChatStreamError, IllegalStateError, ValueError, TypeError: as send_message
        """
        self._check_can_send()
        document = print_composing(ComposingIndication(state, refresh, last_active))
        text = OutgoingText(self._new_id(), document, COMPOSING_TYPE, recipients)
        envelope = self._envelope
        if self._queue is not None or envelope is None:
            return
        if envelope.accepts(COMPOSING_TYPE) or not text.is_plain:
            octets, full_type = envelope.encode(text)
            self._backlog.enter(len(octets))
            self._in_reactor(self._take_over, text.message_id, octets, full_type, "no")

    def send_display_notification(self, message: CPIMMessage | ChatMessage, status: str = "displayed") -> None:
        """Tell who sent a message that the user has seen it (RFC 5438 7.2.1.3); from any thread.

        It is told once, and only to who asked for it and takes such notifications; otherwise nothing is sent.

        :param message: the `message` of ChatStreamGotMessage
        :param status: 'displayed'; 'forbidden': the user does not want it to be known; 'error'
        :raises ChatStreamError, IllegalStateError: as send_message
        :raises ValueError, TypeError: a wrong argument
        """
        self._check_can_send()
        if not isinstance(message, CPIMMessage | ChatMessage):
            raise TypeError(f"message must be what ChatStreamGotMessage has, not {type(message).__name__}")
        if status not in STATUSES["display"]:
            raise ValueError(f"status must be one of {', '.join(STATUSES['display'])}, not {status!r}")
        self._backlog.enter(0)
        self._in_reactor(self._displayed, message, status)

    def _displayed(self, message: CPIMMessage | ChatMessage, status: str) -> None:
        self._backlog.leave(0)
        self.tell_disposition(message, "display", status)

    def _check_state(self) -> None:
        if self._state in OVER:
            from sipsimple.session import IllegalStateError

            allowed = [state.value for state in StreamState if state not in OVER]
            raise IllegalStateError(self._state.value, allowed, "sending in a chat")

    def _check_can_send(self) -> None:
        self._check_state()
        if self.direction not in _SENDS:
            raise ChatStreamError(f"nothing can be sent in a chat that is {self.direction}")

    def _new_id(self) -> str:
        # RFC 4975 7.1: unique in the session; 64 random bits make it so elsewhere too. Safe in any thread.
        return f"{self._id_prefix}{next(self._message_ids):x}"

    def _in_reactor(self, function: Any, *arguments: Any) -> None:
        self._realm.run(call_in_sipsimple_thread, function, *arguments)

    def _enqueue(self, text: OutgoingText) -> None:
        if self._queue is not None and self._state not in OVER:
            self._queue.append(text)
        else:
            self._backlog.leave(len(text.octets))
            self._send_text(text)

    def _send_text(self, text: OutgoingText) -> None:
        """Send a message that nobody waits for to hear whether it can be sent at all."""
        if self._envelope is None:
            self._not_delivered(text.message_id, 481, "the stream has ended")
            return
        if self.direction not in _SENDS:
            self._not_delivered(text.message_id, 403, f"the chat is {self.direction}")
            return
        try:
            octets, content_type = self._envelope.encode(text)
        except ChatStreamError as error:
            self._not_delivered(text.message_id, error.code, str(error))
        else:
            self._send(text.message_id, octets, content_type)

    def _take_over(self, message_id: str, octets: bytes, content_type: str, success_report: str = "yes") -> None:
        self._backlog.leave(len(octets))
        self._send(message_id, octets, content_type, success_report)

    def _send(self, message_id: str, octets: bytes, content_type: str, success_report: str = "yes") -> None:
        session = self.msrp_session
        try:
            if session is None or self._state in OVER:
                raise MSRPError("the stream has ended")
            # CHAT-020: reports from end to end, and no response to each chunk but when it fails.
            session.send_message(octets, content_type, message_id, success_report, "partial")
        except MSRPError as error:
            if success_report == "yes":
                code = 413 if session is not None and not session.is_closed else 481
                self._not_delivered(message_id, code, str(error))

    def _not_delivered(self, message_id: str, code: int, reason: str, chunk: MSRPData | None = None) -> None:
        self._post("ChatStreamDidNotDeliverMessage", message_id=message_id, code=code, reason=reason, chunk=chunk)

    # For what belongs to the stream

    post = MSRPStreamBase._post

    @property
    def reactor(self) -> Any:
        return self._realm.reactor

    def tell_disposition(self, message: CPIMMessage | ChatMessage, disposition: str, status: str) -> None:
        """Tell who sent a message what became of it, if that is wanted; in the reactor's thread."""
        envelope = self._envelope
        if envelope is None or self._state in OVER or self.direction not in _SENDS:
            return
        message_id = self._new_id()
        octets = self._dispositions.answer(envelope, message, disposition, status, message_id)
        if octets is not None:
            self._send(message_id, octets, CPIM_TYPE, "no")

    # The life of the stream

    def _NH_MediaStreamDidStart(self, notification: Notification) -> None:
        if self._state in OVER:
            return
        queue, self._queue = self._queue or deque(), None
        while queue:
            text = queue.popleft()
            self._backlog.leave(len(text.octets))
            self._send_text(text)
        self._inbox.open()

    def _adopt(self, remote: MSRPMedia) -> None:
        super()._adopt(remote)
        self._envelope = Envelope(remote, self.local_identity, self.remote_identity or self.local_identity)

    def validate_update(self, remote_sdp: Any, stream_index: int) -> bool:
        if not super().validate_update(remote_sdp, stream_index):
            return False
        remote = MSRPMedia.read(remote_sdp, stream_index)
        return remote is not None and (remote.port == 0 or bool(remote.accept_types))

    def _closed(self) -> None:
        self._inbox.close()
        queue, self._queue = self._queue, None
        for text in queue or ():
            self._backlog.leave(len(text.octets))
            self._not_delivered(text.message_id, 481, "the stream ended before it started")

    # msrplib.handler.SessionHandler

    def message_started(self, session: MSRPSession, chunk: MSRPData) -> Refusal | MessageSink | None:
        if self.direction not in _RECEIVES:
            return Refusal(403, "The stream is not to be sent to")
        content_type = chunk.content_type
        if content_type is not None and not self._inbox.accepts(content_type):
            return Refusal(415)
        return None

    def message_received(self, session: MSRPSession, message: IncomingMessage) -> Refusal | None:
        return self._inbox.receive(message)

    def message_sent(self, session: MSRPSession, outgoing: OutgoingMessage, chunk: MSRPData) -> None:
        if outgoing.success_report == "yes":
            self._post("ChatStreamDidSendMessage", message=chunk)

    def message_delivered(self, session: MSRPSession, outgoing: OutgoingMessage, report: MSRPData) -> None:
        status = report.status
        reason = status.comment if status is not None and status.comment else "OK"
        self._post("ChatStreamDidDeliverMessage", message_id=outgoing.message_id, code=200, reason=reason, chunk=report)

    def message_failed(
        self, session: MSRPSession, outgoing: OutgoingMessage, code: int, reason: str, chunk: MSRPData | None
    ) -> None:
        if outgoing.success_report == "yes":
            self._not_delivered(outgoing.message_id, code, reason, chunk)


def _address_of_record(uri: Any) -> Any:
    """The URI without what only concerns the way to it (RFC 3261 19.1.1: parameters, headers, password).

    It may have another scheme than SIP's (20.20: From is an address like any other); then it is a text.
    """
    if not isinstance(uri, BaseSIPURI):
        return str(uri)
    return FrozenSIPURI(uri.host, uri.user, port=uri.port, secure=uri.secure)
