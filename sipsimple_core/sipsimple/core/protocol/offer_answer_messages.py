"""Offers and answers as the bodies of SIP messages (RFC 3261 13.2.1, 14.2; RFC 3264)."""

from __future__ import annotations

import logging

from sipsimple.core.protocol.offer_answer import OfferAnswer, OfferAnswerError
from sipsimple.core.wire.message import SIPRequest, SIPResponse
from sipsimple.core.wire.sdp import FrozenSDPSession
from sipsimple.core.wire.validation import Refusal, refuse_content

__all__ = ["read_answer", "read_offer"]

log = logging.getLogger("sipsimple.core.offer_answer")


def read_offer(negotiation: OfferAnswer, request: SIPRequest) -> Refusal | None:
    """Takes the offer of an INVITE, if it has one; what to answer when it can't be taken."""
    if not request.body:
        return None
    if (unwelcome := refuse_content(request, ["application/sdp"])) is not None:
        return unwelcome
    if not _is_sdp(request):
        # a body that may be left alone (20.11), so the INVITE has no offer
        return None
    try:
        negotiation.receive_offer(FrozenSDPSession.parse(request.body))
    except OfferAnswerError as error:
        return Refusal.of(488, "", ("Warning", f'399 sipsimple "{error}"'))
    except ValueError as error:
        log.info("INVITE %s refused, its session description can't be read: %s", request.call_id, error)
        return Refusal(400, "Bad Session Description")
    return None


def read_answer(negotiation: OfferAnswer, message: SIPRequest | SIPResponse) -> str | None:
    """Takes the answer in a 2xx or an ACK; without a good one the offer is dropped and the error returned."""
    error = "the answer has no session description"
    if message.body and _is_sdp(message):
        try:
            negotiation.receive_answer(FrozenSDPSession.parse(message.body))
        except ValueError as problem:
            error = str(problem)
        else:
            return None
    negotiation.rollback()
    return error


def _is_sdp(message: SIPRequest | SIPResponse) -> bool:
    content_type = message.headers.get("Content-Type")
    return content_type is not None and content_type.partition(";")[0].strip().lower() == "application/sdp"
