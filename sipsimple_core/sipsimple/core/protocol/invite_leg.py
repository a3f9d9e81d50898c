"""One dialog of a call with what was agreed in it (RFC 3261 12, 13.2.2; RFC 3264).

An INVITE that forks makes several dialogs, and in each of them the offer may be answered, acknowledged and changed
on its own; the 2xx picks the one that becomes the call (13.2.2.4).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipsimple.core.protocol.offer_answer import OfferAnswer
from sipsimple.core.protocol.reliable_provisional import ProvisionalOrder

if TYPE_CHECKING:
    from sipsimple.core.protocol.dialog import Dialog
    from sipsimple.core.protocol.late_answer import LateAnswer
    from sipsimple.core.wire.message import SIPMessage
    from sipsimple.core.wire.sdp import FrozenSDPSession

__all__ = ["Leg"]


class Leg:
    """See the module.

    Attributes: `dialog` (None while there is none yet: such a leg is what the others fork from), `negotiation`,
    `preview` (the description in an unreliable provisional response: what the answer will be), `provisionals` (the
    order of the reliable ones that we got), `awaits_offer` (our INVITE had no offer, and none came in a response yet),
    `late` (the offer in a response that waits for our answer).
    """

    __slots__ = ("_allow", "awaits_offer", "dialog", "late", "negotiation", "preview", "provisionals")

    def __init__(self, negotiation: OfferAnswer | None = None, dialog: Dialog | None = None) -> None:
        self.negotiation = OfferAnswer() if negotiation is None else negotiation
        self.dialog = dialog
        self.preview: FrozenSDPSession | None = None
        self.provisionals = ProvisionalOrder()
        self.awaits_offer = False
        self.late: LateAnswer | None = None
        self._allow: str | None = None

    def fork(self, dialog: Dialog) -> Leg:
        """Another leg of the same INVITE."""
        leg = Leg(self.negotiation.fork(), dialog)
        leg.awaits_offer = self.awaits_offer
        return leg

    def learn(self, message: SIPMessage) -> None:
        """Takes note of what the remote party says that it allows."""
        allow = message.headers.get("Allow")
        if allow is not None:
            self._allow = allow

    def allows(self, method: str) -> bool:
        """Whether the remote party said that it takes a method; False when it said nothing (RFC 3311 4)."""
        return self._allow is not None and method in [word.strip() for word in self._allow.split(",")]
