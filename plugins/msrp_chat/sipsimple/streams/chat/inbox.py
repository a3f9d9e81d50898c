"""What a chat does with what it receives: messages, indications that one is composed, notifications of what became of
ours."""

from __future__ import annotations

import logging
from functools import lru_cache
from typing import TYPE_CHECKING

from msrplib.handler import Refusal
from msrplib.incoming import IncomingMessage
from sipsimple.streams.chat.composers import Composers
from sipsimple.streams.chat.composing import COMPOSING_TYPE, ComposingError, ComposingIndication, parse_composing
from sipsimple.streams.chat.content import parse_content_type
from sipsimple.streams.chat.cpim import CPIMError
from sipsimple.streams.chat.imdn import IMDN_TYPE, IMDNError, parse_imdn
from sipsimple.streams.chat.incoming import read_message
from sipsimple.streams.chat.messages import ChatIdentity, ChatMessage, CPIMMessage
from sipsimple.streams.msrp.sdp import accepts_type

if TYPE_CHECKING:
    from sipsimple.streams.chat.stream import ChatStream

__all__ = ["MAX_EARLY_MESSAGES", "Inbox"]

log = logging.getLogger("sipsimple.streams")

MAX_EARLY_MESSAGES = 64
MAX_EARLY_OCTETS = 1024 * 1024
"""What the peer may send before the stream has started on this side."""
MAX_COMPLAINTS = 10
"""Lines in the log about what a peer sends that cannot be read, for one stream."""


@lru_cache(maxsize=256)
def _is_accepted(accepted: tuple[str, ...], content_type: str) -> bool:
    try:
        return accepts_type(accepted, parse_content_type(content_type).media_type)
    except ValueError:
        return False


class Inbox:
    """The receiving side of a stream, which it posts the notifications of."""

    __slots__ = ("_accepted", "_accepted_wrapped", "_complaints", "_early", "_early_octets", "_stream", "composers")

    def __init__(self, stream: ChatStream) -> None:
        self._stream = stream
        self._accepted = tuple(stream.accept_types)
        self._accepted_wrapped = (*stream.accept_wrapped_types, *stream.accept_types)
        self._early: list[IncomingMessage] | None = []
        self._early_octets = 0
        self._complaints = 0
        self.composers = Composers(self._post_composing)

    def accepts(self, content_type: str) -> bool:
        """Whether a message of that type is accepted, in an envelope or not."""
        return _is_accepted(self._accepted, content_type)

    def receive(self, received: IncomingMessage) -> Refusal | None:
        """A message has come. What comes before the stream has started is kept until then."""
        early = self._early
        if early is None:
            return self._take(received)
        if len(early) >= MAX_EARLY_MESSAGES or self._early_octets + received.size > MAX_EARLY_OCTETS:
            return Refusal(413)
        early.append(received)
        self._early_octets += received.size
        return None

    def open(self) -> None:
        """The stream has started."""
        early, self._early = self._early or [], None
        for received in early:
            self._take(received)

    def close(self) -> None:
        """It is over."""
        self._early = []
        self.composers.clear()

    def _take(self, received: IncomingMessage) -> Refusal | None:
        if received.content_type is None:
            return None
        try:
            message = read_message(received.content, received.content_type, self._stream)
            if isinstance(message, CPIMMessage) and not _is_accepted(self._accepted_wrapped, message.content_type):
                self._stream.tell_disposition(message, "delivery", "failed")
                return Refusal(415)
            media_type = parse_content_type(message.content_type).media_type
            if media_type == COMPOSING_TYPE:
                self._got_composing(message)
            elif media_type == IMDN_TYPE:
                self._got_disposition(message)
            else:
                self._got_message(message)
        except (CPIMError, ComposingError, IMDNError) as error:
            self._complain(str(error))
            return Refusal(400)
        return None

    def _got_message(self, message: CPIMMessage | ChatMessage) -> None:
        if self.composers:
            self.composers.forget(message.sender)
        self._stream.post("ChatStreamGotMessage", message=message)
        if message.additional_headers:
            self._stream.tell_disposition(message, "delivery", "delivered")

    def _got_composing(self, message: CPIMMessage | ChatMessage) -> None:
        assert isinstance(message.content, bytes) and message.sender is not None
        indication = parse_composing(message.content)
        self.composers.note(self._stream.reactor, message.sender, message.recipients, indication)
        self._post_composing(message.sender, message.recipients, indication)

    def _post_composing(
        self, sender: ChatIdentity, recipients: list[ChatIdentity], indication: ComposingIndication
    ) -> None:
        self._stream.post(
            "ChatStreamGotComposingIndication", **indication._asdict(), sender=sender, recipients=list(recipients)
        )

    def _got_disposition(self, message: CPIMMessage | ChatMessage) -> None:
        assert isinstance(message.content, bytes)
        notification = parse_imdn(message.content)
        self._stream.post(
            "ChatStreamGotDispositionNotification",
            message_id=notification.message_id,
            disposition=notification.disposition,
            status=notification.status,
            sender=message.sender,
        )

    def _complain(self, what: str) -> None:
        self._complaints += 1
        if self._complaints <= MAX_COMPLAINTS:
            last = " (the last such line for this stream)" if self._complaints == MAX_COMPLAINTS else ""
            log.warning("A chat message was refused: %s%s", what, last)
