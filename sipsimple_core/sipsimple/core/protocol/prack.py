"""Provisional responses as who sent the INVITE takes them (RFC 3262 4, 5; RFC 3261 13.2.1): SDP in them, and PRACK.

A session description in a reliable one is the answer to the INVITE's offer, or, where that had none, an offer to be
answered in the PRACK. One in an unreliable response is a preview of the answer, which opens the ear for early media
and closes nothing.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from sipsimple.core.protocol.dialog import number_of
from sipsimple.core.protocol.invite_states import InviteState
from sipsimple.core.protocol.late_answer import LateAnswer
from sipsimple.core.protocol.offer_answer_messages import session_description
from sipsimple.core.protocol.outgoing_request import OutgoingRequest
from sipsimple.core.protocol.unwanted_dialog import QUIET

if TYPE_CHECKING:
    from sipsimple.core.protocol.invite_leg import Leg
    from sipsimple.core.protocol.invite_usage import InviteUsage
    from sipsimple.core.protocol.outgoing_invite import OutgoingInvite
    from sipsimple.core.wire.message import SIPResponse
    from sipsimple.core.wire.sdp import FrozenSDPSession

__all__ = ["SDPPair", "send_prack", "take_provisional"]

log = logging.getLogger("sipsimple.core.invite")

#: The local and the remote description.
SDPPair = tuple["FrozenSDPSession | None", "FrozenSDPSession | None"]


def send_prack(
    call: InviteUsage, leg: Leg, invite: OutgoingInvite, rseq: int, answer: FrozenSDPSession | None, now: float
) -> None:
    """Acknowledges the reliable provisional response with that number."""
    assert leg.dialog is not None
    fields = [("RAck", f"{rseq} {number_of(invite.request)} INVITE")]
    body = b""
    if answer is not None:
        fields.append(("Content-Type", "application/sdp"))
        body = answer.encode()
    prack = leg.dialog.create_request("PRACK", fields, body)
    OutgoingRequest(prack, [leg.dialog.next_hop()], call.core, QUIET, call.authenticator, leg.dialog, now=now)


def take_provisional(
    call: InviteUsage, leg: Leg, invite: OutgoingInvite, response: SIPResponse, rseq: int | None, now: float
) -> SDPPair | None:
    """Takes a response of 101 to 199 that is in order; the descriptions that it brings, if it brings any.

    `rseq` is the number of a reliable one, which is acknowledged here, unless the user has to give an answer first.
    """
    try:
        sdp = session_description(response)
    except ValueError as error:
        log.info("The session description in a %d of %s can't be read: %s", response.code, response.call_id, error)
        sdp = None
    if rseq is None:
        return None if sdp is None else _preview(leg, sdp)
    if sdp is not None and leg.awaits_offer:
        leg.awaits_offer = False
        if _receive_offer(call, leg, invite, sdp, rseq, now):
            return None
    pair = None
    if sdp is not None and leg.negotiation.local_offer is not None:
        pair = _receive_answer(leg, sdp)
    send_prack(call, leg, invite, rseq, None, now)
    return pair


def _preview(leg: Leg, sdp: FrozenSDPSession) -> SDPPair | None:
    # 13.2.1: what an unreliable response says is what the 2xx will say
    offer = leg.negotiation.local_offer
    if offer is None or sdp == leg.preview:
        return None
    try:
        leg.preview = leg.negotiation.check_answer(sdp)
    except ValueError as error:
        log.info("The session description in a provisional response is no answer: %s", error)
        return None
    return offer, leg.preview


def _receive_answer(leg: Leg, sdp: FrozenSDPSession) -> SDPPair | None:
    try:
        leg.negotiation.receive_answer(sdp)
    except ValueError as error:
        log.info("The session description in a provisional response is no answer: %s", error)
        return None
    return leg.negotiation.active_local, leg.negotiation.active_remote


def _receive_offer(
    call: InviteUsage, leg: Leg, invite: OutgoingInvite, sdp: FrozenSDPSession, rseq: int, now: float
) -> bool:
    """RFC 3262 5: the offer is answered in the PRACK, which waits for the user; False when it can't be taken."""
    try:
        leg.negotiation.receive_offer(sdp)
    except ValueError as error:
        log.info("The session description in a provisional response is no offer: %s", error)
        return False

    def answer(sdp: FrozenSDPSession, now: float) -> None:
        send_prack(call, leg, invite, rseq, sdp, now)
        if call.state is InviteState.EARLY:
            # else it is told with the 2xx, which is there
            call.agreed(leg.negotiation)

    def expired(now: float) -> None:
        call.answer_missing(leg, now)

    LateAnswer(leg, answer, expired, call.core.timers, now)
    return True
