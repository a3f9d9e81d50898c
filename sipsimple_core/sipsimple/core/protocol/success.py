"""The 2xx to an INVITE of ours: the answer or the offer that it carries (RFC 3261 13.2.1, 13.2.2.4, 14.1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sipsimple.core.protocol.late_answer import LateAnswer
from sipsimple.core.protocol.offer_answer import refusing_answer
from sipsimple.core.protocol.offer_answer_messages import read_answer, session_description

if TYPE_CHECKING:
    from sipsimple.core.protocol.invite_leg import Leg
    from sipsimple.core.protocol.invite_usage import InviteUsage
    from sipsimple.core.wire.message import SIPResponse
    from sipsimple.core.wire.sdp import FrozenSDPSession

__all__ = ["NO_OFFER", "read_success", "refusal_of_offer", "wait_for_answer"]

NO_OFFER = "the 2xx to an INVITE without offer has none either"


def read_success(leg: Leg, response: SIPResponse) -> str | None:
    """Takes the answer, or the offer where the INVITE had none; the error when there is no good one.

    What was agreed in a reliable provisional response stands: a description in the 2xx is ignored then (13.2.1).
    """
    negotiation = leg.negotiation
    if leg.awaits_offer:
        leg.awaits_offer = False
        try:
            offer = session_description(response)
            if offer is None:
                return NO_OFFER
            negotiation.receive_offer(offer)
        except ValueError as error:
            return str(error)
        return None
    if negotiation.local_offer is None:
        return None
    preview, leg.preview = leg.preview, None
    if preview is not None and not response.body:
        # 13.2.1: the first description is the answer, wherever it was
        negotiation.receive_answer(preview)
        return None
    return read_answer(negotiation, response)


def wait_for_answer(call: InviteUsage, leg: Leg, complete: Callable[[bytes, float], None], now: float) -> None:
    """The 2xx has an offer: `complete` sends the ACK with the user's answer as its body."""

    def send(answer: FrozenSDPSession, now: float) -> None:
        complete(answer.encode(), now)

    def expired(now: float) -> None:
        call.answer_missing(leg, now)

    LateAnswer(leg, send, expired, call.core.timers, now)


def refusal_of_offer(leg: Leg, response: SIPResponse) -> bytes:
    """What the ACK of a 2xx that nobody wants has to carry: an answer, if there is an offer (13.2.2.4)."""
    if not leg.awaits_offer or leg.dialog is None:
        return b""
    try:
        offer = session_description(response)
    except ValueError:
        return b""
    return b"" if offer is None else refusing_answer(offer, leg.dialog.local_host).encode()
