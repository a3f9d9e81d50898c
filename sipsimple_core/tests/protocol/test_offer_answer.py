"""Offer and answer: every state with every event, and the rules for media lines (RFC 3264)."""

from __future__ import annotations

import pytest

from sipsimple.core.protocol.offer_answer import (
    NEGOTIATION,
    NegotiationEvent,
    NegotiationState,
    OfferAnswer,
    OfferAnswerError,
)
from sipsimple.testing.parties import sdp

CHAT = "message 2855 TCP/MSRP *"
AUDIO = "audio 4000 RTP/AVP 0"
OURS, THEIRS = sdp("10.0.0.1", CHAT), sdp("10.0.0.2", CHAT)

ACTIONS = {
    NegotiationEvent.SEND_OFFER: lambda negotiation: negotiation.send_offer(OURS),
    NegotiationEvent.RECEIVE_OFFER: lambda negotiation: negotiation.receive_offer(THEIRS),
    NegotiationEvent.SEND_ANSWER: lambda negotiation: negotiation.send_answer(OURS),
    NegotiationEvent.RECEIVE_ANSWER: lambda negotiation: negotiation.receive_answer(THEIRS),
    NegotiationEvent.ROLLBACK: lambda negotiation: negotiation.rollback(),
}


def in_state(state: NegotiationState) -> OfferAnswer:
    negotiation = OfferAnswer()
    if state is NegotiationState.LOCAL_OFFER:
        negotiation.send_offer(OURS)
    elif state is NegotiationState.REMOTE_OFFER:
        negotiation.receive_offer(THEIRS)
    elif state is NegotiationState.STABLE:
        negotiation.send_offer(OURS)
        negotiation.receive_answer(THEIRS)
    return negotiation


@pytest.mark.parametrize("state", list(NegotiationState))
@pytest.mark.parametrize("event", list(NegotiationEvent))
def test_every_state_with_every_event(state: NegotiationState, event: NegotiationEvent) -> None:
    """RFC 3264 4: at most one offer is open at any time."""
    negotiation = in_state(state)
    expected = NEGOTIATION[state].get(event)
    if expected is None:
        with pytest.raises(OfferAnswerError, match=event.value):
            ACTIONS[event](negotiation)
        assert negotiation.state is state
    else:
        ACTIONS[event](negotiation)
        assert negotiation.state is expected


def test_an_answer_makes_both_descriptions_active() -> None:
    negotiation = in_state(NegotiationState.REMOTE_OFFER)
    assert negotiation.remote_offer == THEIRS and negotiation.local_offer is None
    negotiation.send_answer(OURS)
    assert (negotiation.active_local, negotiation.active_remote) == (OURS, THEIRS)
    assert negotiation.offer is None


def test_a_rollback_keeps_what_was_active() -> None:
    """RFC 3261 14.1: a refused offer leaves the session as it was."""
    negotiation = in_state(NegotiationState.STABLE)
    negotiation.receive_offer(sdp("10.0.0.9", CHAT))
    negotiation.rollback()
    assert negotiation.state is NegotiationState.STABLE
    assert (negotiation.active_local, negotiation.active_remote) == (OURS, THEIRS)


def test_an_answer_has_the_media_lines_of_the_offer() -> None:
    """RFC 3264 6: as many media lines, in the same order."""
    negotiation = in_state(NegotiationState.LOCAL_OFFER)
    with pytest.raises(OfferAnswerError, match="2 media lines"):
        negotiation.receive_answer(sdp("10.0.0.2", CHAT, AUDIO))
    with pytest.raises(OfferAnswerError, match="'audio' in the answer"):
        negotiation.receive_answer(sdp("10.0.0.2", AUDIO))
    assert negotiation.state is NegotiationState.LOCAL_OFFER


def test_a_later_offer_removes_no_media_line() -> None:
    """RFC 3264 8: a media line that is not wanted any more gets port 0."""
    negotiation = OfferAnswer()
    negotiation.send_offer(sdp("10.0.0.1", CHAT, AUDIO))
    negotiation.receive_answer(sdp("10.0.0.2", CHAT, AUDIO))
    with pytest.raises(OfferAnswerError, match="can't be removed"):
        negotiation.receive_offer(THEIRS)
    negotiation.receive_offer(sdp("10.0.0.2", CHAT, AUDIO, AUDIO))
