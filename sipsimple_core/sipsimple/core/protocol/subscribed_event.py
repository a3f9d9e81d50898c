"""What a subscription is to, and which NOTIFYs are about it (RFC 6665 4.1.3, 8.2.1; RFC 3515 2.4.6).

A SUBSCRIBE names its event and id, and so do its NOTIFYs. The id of a REFER's NOTIFYs is its CSeq number; the notifier
may leave it out for the first REFER of a dialog, and refreshes name it as the notifier does.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipsimple.core.protocol.event_headers import REFER_EVENT, is_about
from sipsimple.core.wire.headers import FrozenEventHeader

if TYPE_CHECKING:
    from sipsimple.core.wire.message import SIPRequest

__all__ = ["SubscribedEvent"]


class SubscribedEvent:
    """See the module. Attributes: `header` (of our requests), `is_referral` (it was made by a REFER)."""

    __slots__ = ("_ids", "header", "is_referral")

    def __init__(self, header: FrozenEventHeader) -> None:
        self.header = header
        self.is_referral = header.event == REFER_EVENT
        self._ids: tuple[str | None, ...] = (header.id,)

    def refer_sent(self, cseq: int) -> None:
        """The REFER went out with this number; each answer to a challenge raises it."""
        self._ids = (None, str(cseq))

    def is_of(self, notify: SIPRequest) -> bool:
        """Whether a NOTIFY is about it."""
        return is_about(notify, self.header.event, self._ids)

    def notified(self, notify: SIPRequest) -> None:
        """Takes note of how a NOTIFY that is about it names it."""
        if self.is_referral:
            event = notify.headers.first(FrozenEventHeader)
            if event is not None and event.id is not None:
                self.header = FrozenEventHeader(REFER_EVENT, {"id": event.id})
