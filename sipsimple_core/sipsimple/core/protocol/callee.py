"""The first INVITE of a call, as the callee sees it (RFC 3261 13.3; RFC 3262 3; RFC 3891 3).

Our responses may carry the answer, or our offer where the INVITE had none: in the 2xx, in a reliable provisional
response, and, as a preview that closes nothing, in an unreliable one (13.2.1).
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from sipsimple.core.protocol.dialog import DialogState, number_of
from sipsimple.core.protocol.incoming_invite import MISSING_PRACK, IncomingInvite
from sipsimple.core.protocol.invite_events import InvalidStateError, Outcome
from sipsimple.core.protocol.invite_reasons import reasons_of
from sipsimple.core.protocol.invite_states import InviteEvent, InviteState
from sipsimple.core.protocol.offer_answer import NegotiationState, OfferAnswerError
from sipsimple.core.protocol.offer_answer_messages import read_answer
from sipsimple.core.protocol.reliable_provisional import OPTION_TAG, rack_of, requires_prack
from sipsimple.core.wire.reasons import reason_phrase
from sipsimple.core.wire.sdp import FrozenSDPSession

if TYPE_CHECKING:
    from collections.abc import Callable

    from sipsimple.core.protocol.invite_usage import HeaderList, InviteUsage
    from sipsimple.core.protocol.transaction_layer import ServerTransaction
    from sipsimple.core.wire.message import SIPRequest
    from sipsimple.core.wire.sdp import BaseSDPSession

__all__ = ["Callee"]


class Callee:
    """See the module. It owns the first INVITE; `replaced` is the call that ends when this one is accepted."""

    __slots__ = ("_acknowledged", "_call", "_postponed", "invite", "replaced")

    def __init__(
        self, call: InviteUsage, request: SIPRequest, transaction: ServerTransaction, replaced: InviteUsage | None
    ) -> None:
        self._call = call
        self._acknowledged = False
        self._postponed: Callable[..., None] | None = None
        self.replaced = replaced
        self.invite = IncomingInvite(request, transaction, call.core.timers, self)

    @property
    def waits(self) -> bool:
        """Whether the INVITE waits for a response of the user's."""
        return self.invite.final_code is None and self._postponed is None

    # What the user answers

    def respond(
        self, code: int, reason: str | None, sdp: BaseSDPSession | None, headers: HeaderList, reliable: bool | None,
        now: float,
    ) -> None:  # fmt: skip
        """See `InviteUsage.respond`."""
        if not self.waits:
            raise InvalidStateError(f"no INVITE waits for a response in state {self._call.state}")
        if code < 200:
            self._provide(code, reason, sdp, headers, reliable, now)
        elif code >= 300:
            self.refuse(code, reason, headers, Outcome("local", code, reason or reason_phrase(code)), now)
        elif self._may_succeed:
            self._accept(code, reason, sdp, headers, now=now)
        else:
            # RFC 3262 3: what was agreed in the responses that wait for their PRACK goes first
            self._postponed = partial(self._accept, code, reason, sdp, tuple(headers))

    @property
    def _may_succeed(self) -> bool:
        call = self._call
        return not self.invite.blocks_success and call.sub_state is None

    def settled(self, now: float) -> None:
        """A PRACK came, or an early proposal was settled: the 2xx that waited for it may go."""
        postponed = self._postponed
        if postponed is not None and self._may_succeed:
            self._postponed = None
            postponed(now=now)

    def _provide(
        self, code: int, reason: str | None, sdp: BaseSDPSession | None, headers: HeaderList, reliable: bool | None,
        now: float,
    ) -> None:  # fmt: skip
        call, request = self._call, self.invite.request
        reliable = self._reliably(code, sdp is not None, reliable)
        negotiation, leg = call.negotiation, call.leg
        body: FrozenSDPSession | None = None
        if sdp is not None and negotiation.state is NegotiationState.REMOTE_OFFER:
            if reliable:
                body = negotiation.send_answer(sdp)
            else:
                body = leg.preview = negotiation.check_answer(sdp)
        elif sdp is not None and reliable and negotiation.state is NegotiationState.IDLE:
            # 13.2.1: an offer may not stand in an unreliable response
            body = negotiation.send_offer(sdp)
        response = call.response(request, code, reason, headers, body, now)
        if reliable:
            self.invite.respond_reliably(response, body is not None, call.core.random, now)
        else:
            self.invite.respond(response, now)
        event = InviteEvent.TRYING if code == 100 else InviteEvent.RINGING
        call.change(event, "local", "INVITE", code, reason or reason_phrase(code))
        if body is not None and not call.is_over:
            if not reliable:
                call.tell_sdp(body, negotiation.remote_offer)
            elif negotiation.local_offer is None:
                call.agreed(negotiation)

    def _reliably(self, code: int, has_sdp: bool, wanted: bool | None) -> bool:
        """Whether a provisional response goes reliably: if it must, or may and is worth it (RFC 3262 3)."""
        request = self.invite.request
        if code == 100:
            return False
        if requires_prack(request):
            return True
        if not self._call.core.invite_options.reliable_provisionals:
            return False
        supported = OPTION_TAG in [tag.lower() for tag in request.supported]
        return supported and (has_sdp if wanted is None else wanted)

    def _accept(
        self, code: int, reason: str | None, sdp: BaseSDPSession | None, headers: HeaderList, *, now: float
    ) -> None:
        call = self._call
        negotiation = call.negotiation
        body: FrozenSDPSession | None = None
        if negotiation.state is NegotiationState.REMOTE_OFFER:
            sdp = self._as_previewed(sdp)
            body = None if sdp is None else negotiation.send_answer(sdp)
        elif sdp is not None and negotiation.state is NegotiationState.IDLE:
            body = negotiation.send_offer(sdp)
        # else it was agreed in a reliable provisional response, and the 2xx has nothing to add (13.2.1)
        call.stop_limit()
        self.invite.respond(call.response(self.invite.request, code, reason, headers, body, now), now)
        call.change(InviteEvent.ACCEPTED, "local", "INVITE", code, reason or reason_phrase(code))
        if self.replaced is not None:
            self.replaced.be_replaced(now)
        if negotiation.state is NegotiationState.STABLE and not call.is_over:
            call.agreed(negotiation)

    def _as_previewed(self, sdp: BaseSDPSession | None) -> BaseSDPSession | None:
        # 13.2.1: the answer is exactly what the provisional responses said that it would be
        preview, self._call.leg.preview = self._call.leg.preview, None
        if preview is None:
            return sdp
        if sdp is not None and FrozenSDPSession.new(sdp) != preview:
            self._call.leg.preview = preview
            raise OfferAnswerError("the answer is another than that in the provisional response")
        return preview

    def refuse(self, code: int, reason: str | None, headers: HeaderList, outcome: Outcome, now: float) -> None:
        """Answers with 300 or more, which ends the call."""
        call = self._call
        self._postponed = None
        self.invite.respond(call.response(self.invite.request, code, reason, headers, None, now), now)
        call.outcome = outcome
        call.disconnect(now, InviteEvent.REFUSED, "INVITE")

    def end_accepted(self, now: float) -> None:
        """Ends the call between its 2xx and its ACK: RFC 3261 15 lets the callee say BYE after that alone."""
        if self._acknowledged:
            self._call.send_bye(now)

    def abandon(self) -> None:
        """The call is over."""
        self._postponed = None
        self.invite.abandon()

    # PRACK

    def prack_received(self, request: SIPRequest, transaction: ServerTransaction, now: float) -> None:
        """Takes a PRACK that is in order (RFC 3262 3, 5)."""
        call, provisionals = self._call, self.invite.provisionals
        rack = rack_of(request)
        if rack is None:
            transaction.respond(call.response(request, 400, "RAck is missing or malformed", now=now), now)
            return
        acknowledged = None
        if provisionals is not None and (rack.cseq, rack.method) == (number_of(self.invite.request), "INVITE"):
            acknowledged = provisionals.acknowledged(rack.rseq)
        if provisionals is None or acknowledged is None:
            transaction.respond(call.response(request, 481, now=now), now)
            return
        negotiation = call.negotiation
        if acknowledged.has_sdp and negotiation.local_offer is not None:
            error = read_answer(negotiation, request)
            if error is not None:
                self._not_answered_well(request, transaction, error, now)
                return
            transaction.respond(call.response(request, 200, now=now), now)
            call.agreed(negotiation)
        elif request.body:
            call.received.receive_offer(call.leg, request, transaction, now)
        else:
            transaction.respond(call.response(request, 200, now=now), now)
        provisionals.proceed(now)
        self.settled(now)

    def _not_answered_well(
        self, request: SIPRequest, transaction: ServerTransaction, error: str, now: float
    ) -> None:  # fmt: skip
        call = self._call
        transaction.respond(call.response(request, 488, now=now), now)
        if self.invite.final_code is None:
            call.not_agreed(error)
            outcome = Outcome("local", 488, reason_phrase(488), f"SDP negotiation error: {error}")
            self.refuse(488, None, (), outcome, now)

    # What the INVITE tells its owner

    def invite_acknowledged(self, invite: IncomingInvite, ack: SIPRequest, now: float) -> None:
        call = self._call
        negotiation = call.negotiation
        assert call.dialog is not None
        call.dialog.state = DialogState.CONFIRMED
        self._acknowledged = True
        if call.state is InviteState.DISCONNECTING:
            call.send_bye(now)
            return
        error = None
        if negotiation.local_offer is not None:
            error = read_answer(negotiation, ack)
            if error is None:
                call.agreed(negotiation)
            else:
                call.not_agreed(error)
        if call.state is not InviteState.CONNECTING:
            return
        if error is not None:
            call.fail_negotiation(error, now)
        else:
            call.change(InviteEvent.ACKNOWLEDGED, "remote", "ACK", message=ack)
            call.settled(now)

    def invite_not_acknowledged(self, invite: IncomingInvite, error: str, now: float) -> None:
        # 13.3.1.4: the session is ended with a BYE
        self._acknowledged = True
        self._call.ack_missing(error, now)

    def invite_cancelled(self, invite: IncomingInvite, cancel: SIPRequest, now: float) -> None:
        call = self._call
        self._postponed = None
        invite.respond(call.response(invite.request, 487, now=now), now)
        call.outcome = Outcome("remote", 487, reason_phrase(487), reasons=reasons_of(cancel))
        call.disconnect(now, InviteEvent.REFUSED, "CANCEL", cancel)

    def provisional_not_acknowledged(self, invite: IncomingInvite, now: float) -> None:
        # RFC 3262 3: a 5xx refuses the INVITE
        self.refuse(504, None, (), Outcome("remote", 504, reason_phrase(504), MISSING_PRACK), now)
