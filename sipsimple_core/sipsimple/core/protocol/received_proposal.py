"""Proposals of the remote party within a call (RFC 3261 14.2, RFC 3311 5.2, RFC 3262 5): re-INVITE, UPDATE, PRACK.

One with an offer waits for the user's answer; at most one does. A re-INVITE is over when its ACK is there, as before
that nobody may propose anything; an UPDATE or PRACK when it is answered, which has to be soon. A re-INVITE without an
offer asks for one of ours; an UPDATE without one is answered at once.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sipsimple.core.protocol.dialog import number_of
from sipsimple.core.protocol.incoming_invite import IncomingInvite
from sipsimple.core.protocol.invite_events import InvalidStateError
from sipsimple.core.protocol.invite_states import InviteState, InviteSubState, ProposalEvent
from sipsimple.core.protocol.offer_answer import NegotiationState
from sipsimple.core.protocol.offer_answer_messages import ACCEPTED, read_answer, read_offer, session_description
from sipsimple.core.wire.reasons import reason_phrase
from sipsimple.core.wire.validation import refuse_content

if TYPE_CHECKING:
    from sipsimple.core.protocol.invite_leg import Leg
    from sipsimple.core.protocol.invite_usage import HeaderList, InviteUsage
    from sipsimple.core.protocol.transaction_layer import ServerTransaction
    from sipsimple.core.wire.message import SIPRequest
    from sipsimple.core.wire.sdp import BaseSDPSession

__all__ = ["UPDATE_TIMEOUT", "ReceivedProposals"]

log = logging.getLogger("sipsimple.core.invite")

#: How long an UPDATE or PRACK may wait for our answer, in seconds: less than the 32 after which its sender gives up.
UPDATE_TIMEOUT = 20.0


@dataclass(frozen=True, slots=True)
class _Quick:
    """An UPDATE or PRACK with an offer that waits for the user's answer."""

    leg: Leg
    request: SIPRequest
    transaction: ServerTransaction


class ReceivedProposals:
    """See the module. It owns the re-INVITEs of the remote party."""

    __slots__ = ("_answered", "_call", "_invite", "_quick")

    def __init__(self, call: InviteUsage) -> None:
        self._call = call
        self._invite: IncomingInvite | None = None
        #: Status and phrase of our 2xx to the re-INVITE that waits for its ACK.
        self._answered: tuple[int, str] | None = None
        self._quick: _Quick | None = None

    @property
    def waits(self) -> bool:
        """Whether a proposal waits for a response of the user's."""
        return self._quick is not None or (self._invite is not None and self._invite.final_code is None)

    # What comes

    def receive_reinvite(self, request: SIPRequest, transaction: ServerTransaction, now: float) -> None:
        """A request INVITE within the call."""
        call = self._call
        assert call.dialog is not None
        if call.state is not InviteState.CONNECTED:
            transaction.respond(call.response(request, 491, now=now), now)
            return
        if self._refuse_glare(request, transaction, now):
            return
        refusal = call.timer.refuse(request) or read_offer(call.negotiation, request)
        if refusal is not None:
            transaction.respond(call.refusal(request, refusal), now)
            return
        call.dialog.refresh_target(request, "INVITE")
        call.leg.learn(request)
        self._invite = IncomingInvite(request, transaction, call.core.timers, self)
        call.start_limit(call.ANSWER_TIMEOUT, self._not_answered, now)
        call.propose(ProposalEvent.RECEIVE, "remote", "INVITE", message=request)

    def receive_update(self, leg: Leg, request: SIPRequest, transaction: ServerTransaction, now: float) -> None:
        """A request UPDATE, before or within the call."""
        call = self._call
        assert leg.dialog is not None
        refusal = call.timer.refuse(request) or refuse_content(request, ACCEPTED)
        if refusal is not None:
            transaction.respond(call.refusal(request, refusal), now)
            return
        leg.learn(request)
        try:
            has_offer = session_description(request) is not None
        except ValueError:
            has_offer = True  # to be refused as one that can't be read
        if has_offer:
            self.receive_offer(leg, request, transaction, now)
        else:
            leg.dialog.refresh_target(request, "UPDATE")
            transaction.respond(call.response(request, 200, now=now), now)

    def receive_offer(self, leg: Leg, request: SIPRequest, transaction: ServerTransaction, now: float) -> None:
        """An UPDATE or PRACK with an offer (RFC 3311 5.2, RFC 3262 5)."""
        call = self._call
        assert leg.dialog is not None
        call.leg = leg
        if self._refuse_glare(request, transaction, now):
            return
        refusal = read_offer(leg.negotiation, request)
        if refusal is not None:
            transaction.respond(call.refusal(request, refusal), now)
            return
        leg.dialog.refresh_target(request, request.method)
        self._quick = _Quick(leg, request, transaction)
        call.propose_limit(UPDATE_TIMEOUT, self._too_slow, now)
        call.propose(ProposalEvent.RECEIVE, "remote", request.method, message=request)

    def _refuse_glare(self, request: SIPRequest, transaction: ServerTransaction, now: float) -> bool:
        """RFC 3261 14.2, RFC 3311 5.2: 491 where an offer of ours is open, 500 where one of theirs is."""
        call = self._call
        if call.sub_state is InviteSubState.SENT_PROPOSAL or call.negotiation.local_offer is not None:
            transaction.respond(call.response(request, 491, now=now), now)
            return True
        if call.sub_state is InviteSubState.RECEIVED_PROPOSAL or call.negotiation.remote_offer is not None:
            retry = ("Retry-After", str(call.core.random.randint(0, 10)))
            transaction.respond(call.response(request, 500, headers=[retry], now=now), now)
            return True
        return False

    # What the user answers

    def respond(
        self, code: int, reason: str | None, sdp: BaseSDPSession | None, headers: HeaderList, now: float
    ) -> None:
        """See `InviteUsage.respond`."""
        quick, invite = self._quick, self._invite
        if quick is not None:
            self._respond_quickly(quick, code, reason, sdp, headers, now)
        elif invite is not None and invite.final_code is None:
            self._respond_to_invite(invite, code, reason, sdp, headers, now)
        else:
            raise InvalidStateError(f"no proposal waits for a response in state {self._call.state}")

    def _respond_quickly(
        self, quick: _Quick, code: int, reason: str | None, sdp: BaseSDPSession | None, headers: HeaderList, now: float
    ) -> None:
        call, negotiation = self._call, quick.leg.negotiation
        if code < 200:
            raise InvalidStateError(f"{code} can't answer {quick.request.method}; it takes a final response at once")
        body = None
        if code < 300 and sdp is not None:
            body = negotiation.send_answer(sdp)
        self._quick = None
        call.stop_propose_limit()
        if negotiation.remote_offer is not None:
            negotiation.rollback()
        response = call.response(quick.request, code, reason, headers, body, now)
        quick.transaction.respond(response, now)
        call.propose(ProposalEvent.SETTLE, "local", quick.request.method, code, reason or reason_phrase(code))
        if body is not None and not call.is_over:
            call.agreed(negotiation)
        call.settled(now)

    def _respond_to_invite(
        self, invite: IncomingInvite, code: int, reason: str | None, sdp: BaseSDPSession | None, headers: HeaderList,
        now: float,
    ) -> None:  # fmt: skip
        call, negotiation = self._call, self._call.negotiation
        if code < 200:
            invite.respond(call.response(invite.request, code, reason, headers, None, now), now)
            return
        if code >= 300:
            self._refuse(invite, "local", code, reason or reason_phrase(code), headers, None, now)
            return
        body, answered = None, negotiation.state is NegotiationState.REMOTE_OFFER
        if answered and sdp is not None:
            body = negotiation.send_answer(sdp)
        elif sdp is not None:
            body = negotiation.send_offer(sdp)
        call.stop_limit()
        self._answered = code, reason or reason_phrase(code)
        invite.respond(call.response(invite.request, code, reason, headers, body, now), now)
        if answered and not call.is_over:
            call.agreed(negotiation)

    def _refuse(
        self, invite: IncomingInvite, originator: str, code: int, reason: str, headers: HeaderList,
        message: SIPRequest | None, now: float,
    ) -> None:  # fmt: skip
        call, negotiation = self._call, self._call.negotiation
        call.stop_limit()
        if negotiation.remote_offer is not None:
            negotiation.rollback()
        self._invite = None
        invite.respond(call.response(invite.request, code, reason, headers, None, now), now)
        if not call.is_over:
            call.propose(ProposalEvent.SETTLE, originator, "INVITE", code, reason, message)

    def _not_answered(self, now: float) -> None:
        log.info("A re-INVITE of %s was not answered in time", self._call.call_id)
        self.respond(480, None, None, (), now)

    def _too_slow(self, now: float) -> None:
        # RFC 3311 5.2: what nobody can agree to so fast
        if self._quick is not None:
            self.respond(504, None, None, (), now)

    # The end of the call

    def ack_received(self, ack: SIPRequest, now: float) -> bool:
        """The ACK of a re-INVITE; False if it is of another INVITE."""
        invite = self._invite
        if invite is None or number_of(invite.request) != number_of(ack):
            return False
        invite.ack_received(ack, now)
        return True

    def refuse_open(self, code: int, now: float) -> None:
        """RFC 3261 15.1.2: what still waits for an answer gets this one, as the call is over."""
        quick, self._quick = self._quick, None
        if quick is not None:
            self._call.stop_propose_limit()
            quick.transaction.respond(self._call.response(quick.request, code, now=now), now)
        invite = self._invite
        if invite is not None and invite.final_code is None:
            invite.respond(self._call.response(invite.request, code, now=now), now)

    def abandon(self, now: float) -> None:
        """The call is over."""
        self.refuse_open(487, now)
        if self._invite is not None:
            self._invite.abandon()

    # What the re-INVITE tells its owner

    def invite_acknowledged(self, invite: IncomingInvite, ack: SIPRequest, now: float) -> None:
        call, negotiation = self._call, self._call.negotiation
        self._invite = None
        answered, self._answered = self._answered or (200, reason_phrase(200)), None
        if call.state is not InviteState.CONNECTED:
            return
        error = None
        if negotiation.local_offer is not None:
            error = read_answer(negotiation, ack)
            if error is None:
                call.agreed(negotiation)
            else:
                call.not_agreed(error)
        if not call.is_over:
            call.propose(ProposalEvent.SETTLE, "remote", "INVITE", *answered)
        if error is not None:
            call.fail_negotiation(error, now)

    def invite_not_acknowledged(self, invite: IncomingInvite, error: str, now: float) -> None:
        self._call.ack_missing(error, now)

    def invite_cancelled(self, invite: IncomingInvite, cancel: SIPRequest, now: float) -> None:
        self._refuse(invite, "remote", 487, reason_phrase(487), (), cancel, now)

    def provisional_not_acknowledged(self, invite: IncomingInvite, now: float) -> None:
        """None of the provisional responses to re-INVITEs is reliable."""
