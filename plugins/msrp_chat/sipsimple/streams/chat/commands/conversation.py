"""One chat of `sipsimple chat`: what is said in it, and what becomes of that."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from sipsimple.session import IllegalStateError
from sipsimple.streams.chat.commands.typing_state import REFRESH, TypingState
from sipsimple.streams.chat.commands.views import View
from sipsimple.streams.chat.errors import ChatStreamError

if TYPE_CHECKING:
    from sipsimple.session import Session
    from sipsimple.streams.chat.stream import ChatStream

__all__ = ["Conversation", "name_of"]

MAX_DELIVERED = 1000
"""Messages of which it is still awaited that they are displayed."""


class Conversation:
    """A session with a chat stream.

    :param peer: who it is with
    :param receipts: whether to tell that messages were displayed
    :ivar outstanding: the texts of messages of which it is not known whether they have arrived, by their ids
    :ivar undelivered: how many have not
    """

    def __init__(self, session: Session, stream: ChatStream, peer: str, view: View, receipts: bool) -> None:
        self.session = session
        self.stream = stream
        self.peer = peer
        self.is_started = False
        self.outstanding: dict[str, str] = {}
        self.undelivered = 0
        self.typing = TypingState(self._tell_typing)
        self._view = view
        self._receipts = receipts
        self._delivered: OrderedDict[str, str] = OrderedDict()
        stream.disposition_notifications = ["display"]

    def say(self, text: str) -> None:
        """Send a message."""
        self.typing.sent()
        try:
            message_id = self.stream.send_message(text)
        except (ChatStreamError, IllegalStateError) as error:
            self.undelivered += 1
            self._view.message("failed", "", text, str(error))
            return
        self.outstanding[message_id] = text
        self._view.message("sent", message_id, text)

    def _tell_typing(self, state: str) -> None:
        try:
            self.stream.send_composing_indication(state, REFRESH if state == "active" else None)
        except (ChatStreamError, IllegalStateError):
            return  # it can't be sent in, or is over

    def take(self, notification: Any) -> bool:
        """A notification of the stream. Whether a message of ours has come to its end by it."""
        name, data = notification.name, notification.data
        if name == "ChatStreamGotMessage":
            self._got_message(data.message)
        elif name == "ChatStreamGotComposingIndication":
            self._view.composing(name_of(data.sender), data.state)
        elif name == "ChatStreamDidDeliverMessage":
            text = self.outstanding.pop(data.message_id, "")
            self._delivered[data.message_id] = text
            if len(self._delivered) > MAX_DELIVERED:
                self._delivered.popitem(last=False)
            self._view.message("delivered", data.message_id, text)
            return True
        elif name == "ChatStreamDidNotDeliverMessage":
            self.undelivered += 1
            text = self.outstanding.pop(data.message_id, "")
            self._view.message("failed", data.message_id, text, f"{data.code} {data.reason}")
            return True
        elif name == "ChatStreamGotDispositionNotification" and data.status == "displayed":
            text = self._delivered.pop(data.message_id, None) or self.outstanding.get(data.message_id)
            if text is not None:
                self._view.message("displayed", data.message_id, text)
        return False

    def _got_message(self, message: Any) -> None:
        content, content_type = message.content, message.content_type
        text = content if isinstance(content, str) else f"{len(content)} octets"
        self._view.received(name_of(message.sender), text, content_type, message.timestamp)
        if self._receipts:
            try:
                self.stream.send_display_notification(message)
            except (ChatStreamError, IllegalStateError):
                return  # it can't be sent in, or is over


def name_of(identity: Any) -> str:
    """`Bob`, or `bob@example.com` of who has no name."""
    if identity is None:
        return "somebody"
    return identity.display_name or _address(identity.uri)


def _address(uri: Any) -> str:
    """`bob@example.com`, of a URI that has a user, else the URI."""
    user, host = getattr(uri, "user", None), getattr(uri, "host", None)
    return f"{user}@{host}" if user and host else str(uri)
