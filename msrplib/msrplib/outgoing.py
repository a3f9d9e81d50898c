"""A message on its way out: where its octets come from and how far it got (RFC 4975 7.1)."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from msrplib.session import MSRPSession

__all__ = ['ContentSource', 'MessageState', 'OutgoingMessage']


class ContentSource(Protocol):
    """Where the octets of a large message come from: an open binary file, or anything that is pulled like
    one.

    It is asked only when the connection can take more, so memory stays constant. It must not block for long.
    """

    def read(self, size: int, /) -> bytes | None:
        """At most `size` octets; `b''` at the end; None when there are none yet: then call
        `outgoing.resume()`."""


class MessageState(Enum):
    QUEUED = 'queued'
    SENDING = 'sending'
    SENT = 'sent'
    ACCEPTED = 'accepted'
    DELIVERED = 'delivered'
    FAILED = 'failed'


class OutgoingMessage:
    """What `MSRPSession.send_message` returns.

    :ivar message_id: the Message-ID, by which reports name it
    :ivar content_type: as given; None for the empty SEND that binds a session
    :ivar size: octets; None when the source has not said
    :ivar sent: octets handed to the connection so far
    :ivar success_report: 'yes' or 'no'
    :ivar failure_report: 'yes', 'no' or 'partial'
    :ivar state: a MessageState
    """

    __slots__ = (
        'content_type', 'failure_report', 'message_id', 'sent', 'session', 'size', 'state', 'success_report',
    )  # fmt: skip

    session: MSRPSession
    message_id: str
    content_type: str | None
    size: int | None
    sent: int
    success_report: str
    failure_report: str
    state: MessageState

    def resume(self) -> None:
        """The source that returned None has octets again."""
        raise NotImplementedError

    def cancel(self) -> None:
        """Give the message up; a message that is under way ends with the flag '#' (RFC 4975 7.1). No callback
        follows."""
        raise NotImplementedError
