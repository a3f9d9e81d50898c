"""An offer that came in a response and waits for the user's answer, which goes out in the ACK or the PRACK.

RFC 3261 13.2.2.4: the offer in the 2xx to an INVITE without one is answered in the ACK. RFC 3262 5: that in a reliable
provisional response is answered in the PRACK. Both are repeated until then, so the user has little time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sipsimple.core.protocol.offer_answer import refusing_answer

if TYPE_CHECKING:
    from sipsimple.core.protocol.invite_leg import Leg
    from sipsimple.core.protocol.timers import Timer, TimerHeap
    from sipsimple.core.wire.sdp import BaseSDPSession, FrozenSDPSession

__all__ = ["LATE_ANSWER_TIMEOUT", "LateAnswer"]

#: How long the user may take for the answer, in seconds. RFC 3261 13.3.1.4 and RFC 3262 3 have the remote party give
#: up 32 seconds after it sent the offer.
LATE_ANSWER_TIMEOUT = 20.0


class LateAnswer:
    """See the module. It is the `late` of its leg until it is given or dropped.

    :param send: gets the answer and the time, exactly once unless the wait is dropped.
    :param expired: called with the time when the user has taken too long; refuses or drops.
    """

    __slots__ = ("_leg", "_send", "_timer")

    def __init__(
        self,
        leg: Leg,
        send: Callable[[FrozenSDPSession, float], None],
        expired: Callable[[float], None],
        timers: TimerHeap,
        now: float,
    ) -> None:
        self._leg = leg
        self._send = send
        self._timer: Timer = timers.schedule(now + LATE_ANSWER_TIMEOUT, expired)
        leg.late = self

    def give(self, sdp: BaseSDPSession, now: float) -> None:
        """Sends the answer. Raises `OfferAnswerError` when `sdp` is none; the wait goes on then."""
        answer = self._leg.negotiation.send_answer(sdp)
        self.drop()
        self._send(answer, now)

    def follow(self, action: Callable[[float], None]) -> None:
        """Has `action` called with the time when the answer was sent."""
        send = self._send

        def send_and_act(answer: FrozenSDPSession, now: float) -> None:
            send(answer, now)
            action(now)

        self._send = send_and_act

    def refuse(self, now: float) -> None:
        """Sends an answer that takes no media: 13.2.2.4 wants a valid answer also of who is about to hang up."""
        negotiation, dialog = self._leg.negotiation, self._leg.dialog
        assert negotiation.offer is not None and dialog is not None
        self.give(refusing_answer(negotiation.offer, dialog.local_host), now)

    def drop(self) -> None:
        """Waits no longer and sends nothing."""
        self._timer.cancel()
        if self._leg.late is self:
            self._leg.late = None
