"""Telling the senders of messages what became of these (RFC 5438 7.2), each once and only who asked."""

from __future__ import annotations

from sipsimple.streams.chat.imdn import DispositionNotification, DispositionRequest, print_imdn
from sipsimple.streams.chat.messages import ChatMessage, CPIMMessage
from sipsimple.streams.chat.outgoing import Envelope

__all__ = ["Dispositions"]

MAX_TOLD = 4096
"""Messages of which it is remembered that their sender was told; the one told longest ago is forgotten."""

_ASKED = {"delivered": "positive-delivery", "failed": "negative-delivery"}


class Dispositions:
    """What the senders in one chat have been told."""

    __slots__ = ("_told",)

    def __init__(self) -> None:
        self._told: dict[tuple[str, str], None] = {}

    def answer(
        self, envelope: Envelope, message: CPIMMessage | ChatMessage, disposition: str, status: str, message_id: str
    ) -> bytes | None:
        """The notification for the sender of a message; None: it is not to be told.

        :param disposition, status: as in imdn.STATUSES
        :param message_id: the id of the notification itself
        """
        request = DispositionRequest.of(message)
        if request is None or _ASKED.get(status, disposition) not in request.dispositions or message.sender is None:
            return None
        key = (request.message_id, disposition)
        if key in self._told:
            return None
        if len(self._told) >= MAX_TOLD:
            del self._told[next(iter(self._told))]
        self._told[key] = None
        recipient = str(message.recipients[0].uri) if message.recipients else None
        document = print_imdn(
            DispositionNotification(
                request.message_id, disposition, status, message.timestamp, recipient, request.original_to
            )
        )
        return envelope.encode_notification(message_id, message.sender, request.headers(), document)
