"""The offer/answer state of one dialog (RFC 3264, with the rules of RFC 3261 13.2.1 on where an offer may stand).

Theory of operation: at any time at most one offer is open, ours or theirs. `NEGOTIATION` says which of the five
events each state knows; an event that a state does not know raises `OfferAnswerError`. An answer makes the pair of
descriptions active, `rollback` drops the open offer and leaves the active pair as it was (RFC 3261 14.1).
"""

from __future__ import annotations

from enum import Enum

from sipsimple.core.wire.sdp import BaseSDPSession, FrozenSDPConnection, FrozenSDPMediaStream, FrozenSDPSession

__all__ = [
    "NEGOTIATION",
    "NegotiationEvent",
    "NegotiationState",
    "OfferAnswer",
    "OfferAnswerError",
    "refusing_answer",
]


class OfferAnswerError(ValueError):
    """An offer or answer that RFC 3264 does not allow here; `str()` says what was expected."""


class NegotiationState(Enum):
    IDLE = "idle"  # nothing agreed, nothing open
    LOCAL_OFFER = "local offer"
    REMOTE_OFFER = "remote offer"
    STABLE = "stable"  # a pair of descriptions is active, nothing open


class NegotiationEvent(Enum):
    SEND_OFFER = "send offer"
    RECEIVE_OFFER = "receive offer"
    SEND_ANSWER = "send answer"
    RECEIVE_ANSWER = "receive answer"
    ROLLBACK = "rollback"


_State, _Event = NegotiationState, NegotiationEvent

#: {state: {event: next state}}; a rollback returns to STABLE instead of IDLE where a pair is active.
NEGOTIATION: dict[NegotiationState, dict[NegotiationEvent, NegotiationState]] = {
    _State.IDLE: {_Event.SEND_OFFER: _State.LOCAL_OFFER, _Event.RECEIVE_OFFER: _State.REMOTE_OFFER},
    _State.LOCAL_OFFER: {_Event.RECEIVE_ANSWER: _State.STABLE, _Event.ROLLBACK: _State.IDLE},
    _State.REMOTE_OFFER: {_Event.SEND_ANSWER: _State.STABLE, _Event.ROLLBACK: _State.IDLE},
    _State.STABLE: {_Event.SEND_OFFER: _State.LOCAL_OFFER, _Event.RECEIVE_OFFER: _State.REMOTE_OFFER},
}


class OfferAnswer:
    """Keeps the open offer and the active pair of descriptions.

    Attributes: `state`, `offer` (the open one or None), `active_local` and `active_remote` (None before the first
    answer).
    """

    __slots__ = ("active_local", "active_remote", "offer", "state")

    def __init__(self) -> None:
        self.state = NegotiationState.IDLE
        self.offer: FrozenSDPSession | None = None
        self.active_local: FrozenSDPSession | None = None
        self.active_remote: FrozenSDPSession | None = None

    @property
    def local_offer(self) -> FrozenSDPSession | None:
        return self.offer if self.state is NegotiationState.LOCAL_OFFER else None

    @property
    def remote_offer(self) -> FrozenSDPSession | None:
        return self.offer if self.state is NegotiationState.REMOTE_OFFER else None

    @property
    def is_open(self) -> bool:
        """Whether an offer waits for its answer, ours or theirs."""
        return self.offer is not None

    def fork(self) -> OfferAnswer:
        """A copy: each dialog that an INVITE makes goes on from the INVITE's offer by itself (RFC 3261 13.2.1)."""
        other = OfferAnswer()
        other.state, other.offer = self.state, self.offer
        other.active_local, other.active_remote = self.active_local, self.active_remote
        return other

    def send_offer(self, sdp: BaseSDPSession) -> FrozenSDPSession:
        return self._open(NegotiationEvent.SEND_OFFER, sdp, self.active_local)

    def receive_offer(self, sdp: BaseSDPSession) -> FrozenSDPSession:
        return self._open(NegotiationEvent.RECEIVE_OFFER, sdp, self.active_remote)

    def send_answer(self, sdp: BaseSDPSession) -> FrozenSDPSession:
        answer, offer = self._close(NegotiationEvent.SEND_ANSWER, sdp)
        self.active_local, self.active_remote = answer, offer
        return answer

    def receive_answer(self, sdp: BaseSDPSession) -> FrozenSDPSession:
        answer, offer = self._close(NegotiationEvent.RECEIVE_ANSWER, sdp)
        self.active_local, self.active_remote = offer, answer
        return answer

    def check_answer(self, sdp: BaseSDPSession) -> FrozenSDPSession:
        """Raises `OfferAnswerError` if `sdp` could not answer the open offer, ours or theirs; closes nothing."""
        if self.offer is None:
            raise OfferAnswerError("there is no offer to answer")
        _check_media(sdp, self.offer)
        return FrozenSDPSession.new(sdp)

    def rollback(self) -> None:
        """Drops the open offer, ours or theirs (refused, cancelled or timed out)."""
        self.state = self._next(NegotiationEvent.ROLLBACK)
        if self.active_local is not None:
            self.state = NegotiationState.STABLE
        self.offer = None

    def _open(
        self, event: NegotiationEvent, sdp: BaseSDPSession, previous: FrozenSDPSession | None
    ) -> FrozenSDPSession:
        state = self._next(event)
        # RFC 3264 8: media lines are never removed, a media line that is no longer wanted gets port 0
        if previous is not None and len(sdp.media) < len(previous.media):
            raise OfferAnswerError(
                f"an offer of {len(sdp.media)} media lines after one of {len(previous.media)}: lines can't be removed"
            )
        self.state, self.offer = state, FrozenSDPSession.new(sdp)
        return self.offer

    def _close(self, event: NegotiationEvent, sdp: BaseSDPSession) -> tuple[FrozenSDPSession, FrozenSDPSession]:
        state, offer = self._next(event), self.offer
        assert offer is not None
        _check_media(sdp, offer)
        self.state, self.offer = state, None
        return FrozenSDPSession.new(sdp), offer

    def _next(self, event: NegotiationEvent) -> NegotiationState:
        try:
            return NEGOTIATION[self.state][event]
        except KeyError:
            allowed = ", ".join(known.value for known in NEGOTIATION[self.state])
            raise OfferAnswerError(
                f"can't {event.value} in state {self.state.value!r}; allowed here: {allowed}"
            ) from None


def _check_media(answer: BaseSDPSession, offer: FrozenSDPSession) -> None:
    """RFC 3264 6: the answer has the offer's media lines, in the offer's order."""
    if len(answer.media) != len(offer.media):
        raise OfferAnswerError(
            f"an answer of {len(answer.media)} media lines to an offer of {len(offer.media)}: they must be equal"
        )
    for index, (answered, offered) in enumerate(zip(answer.media, offer.media, strict=True)):
        if answered.media != offered.media:
            raise OfferAnswerError(
                f"media line {index} is {answered.media!r} in the answer, {offered.media!r} in the offer"
            )


def refusing_answer(offer: BaseSDPSession, address: str) -> FrozenSDPSession:
    """The answer that takes none of the media (RFC 3264 6: port 0), for an offer that nobody wants to answer.

    :param address: our IP address.
    """
    media = [FrozenSDPMediaStream(line.media, 0, line.transport, formats=line.formats) for line in offer.media]
    address_type = "IP6" if ":" in address else "IP4"
    return FrozenSDPSession(
        address,
        address_type=address_type,
        name="-",
        connection=FrozenSDPConnection(address, address_type=address_type),
        media=media,
    )
