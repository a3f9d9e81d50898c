"""Offers and answers as the bodies of SIP messages (RFC 3261 13.2.1, 14.2; RFC 3264; RFC 5621 for several parts)."""

from __future__ import annotations

import logging
from contextlib import suppress
from urllib.parse import unquote

from sipsimple.core.protocol.offer_answer import OfferAnswer, OfferAnswerError
from sipsimple.core.wire.errors import SIPParseError
from sipsimple.core.wire.headers import BaseContentTypeHeader, FrozenWarningHeader
from sipsimple.core.wire.message import SIPMessage, SIPRequest, SIPResponse
from sipsimple.core.wire.multipart import BodyPart, body_parts, encode_multipart
from sipsimple.core.wire.sdp import BaseSDPSession, FrozenSDPSession, RelatedPart
from sipsimple.core.wire.validation import Refusal, refuse_content

__all__ = ["ACCEPTED", "description_body", "read_answer", "read_offer", "session_description"]

log = logging.getLogger("sipsimple.core.offer_answer")

SDP = "application/sdp"
#: The media types in which a session description may come.
ACCEPTED = (SDP, "multipart/mixed", "multipart/alternative", "multipart/related")


def description_body(sdp: BaseSDPSession) -> tuple[str | BaseContentTypeHeader, bytes]:
    """Content-Type and body of a message with this description, and with the parts that its media lines name."""
    related = [part for media in sdp.media for part in media.related]
    if not related:
        return SDP, sdp.encode()
    parts = [BodyPart.of(SDP, sdp.encode())]
    for part in related:
        headers = [
            ("Content-Transfer-Encoding", "binary"),
            ("Content-ID", f"<{part.content_id}>"),
            ("Content-Disposition", "icon" if part.content_type.startswith("image/") else "attachment"),
        ]
        parts.append(BodyPart.of(part.content_type, part.content, headers))
    return encode_multipart(parts, "related")


def session_description(message: SIPMessage) -> FrozenSDPSession | None:
    """The session description that a message carries as an offer or answer; None if it has none.

    One with another disposition than 'session' is not about this session (RFC 3959: 'early-session').
    Raises `ValueError` when it, or the multipart body around it, can't be read.
    """
    if not message.body:
        return None
    if message.content_type == SDP and "content-disposition" not in message.headers:
        return FrozenSDPSession.parse(message.body)
    parts = body_parts(message)
    for part in parts:
        if part.content_type == SDP and part.disposition == "session":
            return _with_related(FrozenSDPSession.parse(part.decoded()), parts)
    return None


def _with_related(sdp: FrozenSDPSession, parts: list[BodyPart]) -> FrozenSDPSession:
    """Each media line gets the parts that its attributes name (RFC 2392: by the URL of their Content-ID)."""
    known = {}
    for part in parts:
        if part.content_id is not None:
            with suppress(SIPParseError):  # of an unknown encoding: as if it were not there
                known[part.content_id] = RelatedPart(part.content_id, part.content_type, part.decoded())
    if not known:
        return sdp
    lines = []
    for media in sdp.media:
        values = [attribute.value or "" for attribute in media.attributes]
        named = dict.fromkeys(unquote(value.strip()[len("cid:") :]) for value in values if value.startswith("cid:"))
        lines.append(media.replace(related=[known[name] for name in named if name in known]))
    return sdp.replace(media=lines)


def read_offer(negotiation: OfferAnswer, request: SIPRequest) -> Refusal | None:
    """Takes the offer of an INVITE, UPDATE or PRACK, if it has one; how to refuse the request if it can't be taken."""
    refusal = refuse_content(request, ACCEPTED)
    if refusal is not None:
        return refusal
    try:
        offer = session_description(request)
        if offer is not None:
            negotiation.receive_offer(offer)
    except OfferAnswerError as error:
        return Refusal.of(488, "", FrozenWarningHeader(399, "sipsimple", str(error)))
    except ValueError as error:
        log.info("%s %s refused, its session description can't be read: %s", request.method, request.call_id, error)
        return Refusal(400, "Bad Session Description")
    return None


def read_answer(negotiation: OfferAnswer, message: SIPRequest | SIPResponse) -> str | None:
    """Takes the answer to our offer; without a good one the offer is dropped and the error returned."""
    error = "the answer has no session description"
    try:
        answer = session_description(message)
        if answer is not None:
            negotiation.receive_answer(answer)
            return None
    except ValueError as problem:
        error = str(problem)
    negotiation.rollback()
    return error
