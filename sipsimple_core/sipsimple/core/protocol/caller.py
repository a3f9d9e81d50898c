"""The first INVITE of a call, as the caller sees it (RFC 3261 13.2): forks, early dialogs, the 2xx and its ACK.

Theory of operation: each To tag of a response is a dialog, a `Leg` of the call, in which the offer may be answered
early (RFC 3262 5). The first 2xx picks its leg for the call; the others end (13.2.2.4).
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from sipsimple.core.protocol.authentication import credential_headers
from sipsimple.core.protocol.dialog import Dialog, number_of
from sipsimple.core.protocol.invite_events import Outcome
from sipsimple.core.protocol.invite_reasons import reasons_of
from sipsimple.core.protocol.invite_states import InviteEvent, InviteState
from sipsimple.core.protocol.outgoing_invite import MAX_BRANCHES, OutgoingInvite
from sipsimple.core.protocol.outgoing_request import redirection_targets
from sipsimple.core.protocol.prack import send_prack, take_provisional
from sipsimple.core.protocol.reliable_provisional import rseq_of
from sipsimple.core.protocol.success import read_success, refusal_of_offer, wait_for_answer
from sipsimple.core.protocol.transaction_matching import tag_of
from sipsimple.core.protocol.unwanted_dialog import LateBranches, end_dialog
from sipsimple.core.wire.reasons import reason_phrase

if TYPE_CHECKING:
    from sipsimple.core.protocol.hop import Hop
    from sipsimple.core.protocol.invite_leg import Leg
    from sipsimple.core.protocol.invite_usage import HeaderList, InviteUsage
    from sipsimple.core.wire.headers import FrozenContactHeader
    from sipsimple.core.wire.message import SIPRequest, SIPResponse

__all__ = ["Caller"]

log = logging.getLogger("sipsimple.core.invite")


class Caller:
    """See the module. It owns the first INVITE and the legs that it makes."""

    __slots__ = ("_acknowledged", "_call", "_contact", "_invite", "_legs", "_refused", "_seed")

    def __init__(
        self, call: InviteUsage, request: SIPRequest, hop: Hop, contact: FrozenContactHeader, timeout: float | None,
        now: float,
    ) -> None:  # fmt: skip
        self._call = call
        self._contact = contact
        #: What the legs fork from: the offer, and no dialog.
        self._seed = call.leg
        self._legs: dict[str, Leg] = {}
        self._acknowledged = False
        self._refused = False
        self._invite = OutgoingInvite(
            request, hop, call.core, self, timeout, now, call.authenticator, lengthen=call.timer.lengthen
        )

    def leg_of(self, remote_tag: str) -> Leg | None:
        """The leg whose remote party has this tag."""
        return self._legs.get(remote_tag)

    def has_other_legs(self, leg: Leg) -> bool:
        """Whether this early leg is not the only one that is still there."""
        usages = self._call.core.usages
        return any(other is not leg and other.dialog and usages(other.dialog.id) for other in self._legs.values())

    def cancel(self, headers: HeaderList, now: float) -> None:
        """Ends the call before it was accepted (9.1)."""
        for leg in self._legs.values():
            if leg.late is not None:
                leg.late.drop()
        self._invite.cancel(now, headers)

    def end_accepted(self, now: float) -> None:
        """Ends the call between its 2xx and its ACK: the ACK goes first, with an answer if it owes one (13.2.2.4)."""
        leg = self._call.leg
        if self._acknowledged:
            self._call.send_bye(now)
        elif leg.late is not None:
            leg.late.refuse(now)

    def drop_leg(self, leg: Leg) -> None:
        """An early dialog is over; its number goes on being counted, should it be accepted all the same."""
        assert leg.dialog is not None
        if leg.late is not None:
            leg.late.drop()
        self._call.core.remove_dialog(leg.dialog, self._call)

    def abandon(self) -> None:
        """The call is over."""
        call = self._call
        self._invite.abandon(LateBranches(call.core, self._contact, call.authenticator, self._may_follow))
        for leg in self._legs.values():
            self.drop_leg(leg)

    def settled(self, now: float) -> None:
        """A proposal is no longer open: nothing here waits for that."""

    # What the INVITE tells its owner

    def invite_repeated(self, invite: OutgoingInvite, now: float) -> None:
        for leg in self._legs.values():
            self.drop_leg(leg)
        self._legs.clear()
        self._call.leg = self._seed

    def invite_progressed(self, invite: OutgoingInvite, response: SIPResponse, now: float) -> None:
        call = self._call
        wanted = call.state in (InviteState.OUTGOING, InviteState.EARLY)
        code, reason = response.code, response.reason
        if code == 100:
            if wanted:
                call.change(InviteEvent.TRYING, "remote", "INVITE", code, reason, response)
            return
        leg, rseq = self._leg_for(response), rseq_of(response)
        if rseq is not None and (leg is None or not leg.provisionals.accept(number_of(invite.request), rseq)):
            return
        if not wanted:
            # the CANCEL is on its way
            if rseq is not None and leg is not None:
                send_prack(call, leg, invite, rseq, None, now)
            return
        pair = None
        if leg is not None:
            call.leg = leg
            leg.learn(response)
            pair = take_provisional(call, leg, invite, response, rseq, now)
        call.change(InviteEvent.RINGING, "remote", "INVITE", code, reason, response)
        if pair is not None and not call.is_over:
            call.tell_sdp(*pair)

    def invite_accepted(self, invite: OutgoingInvite, response: SIPResponse, now: float) -> None:
        call = self._call
        leg = self._accepted_leg(response)
        self._pick(leg, now)
        leg.learn(response)
        if call.is_over:
            # 9.1: our CANCEL came too late; the call is there and ends like any other
            self._acknowledge(leg, refusal_of_offer(leg, response), now)
            call.send_bye(now)
            return
        call.timer.accepted(response, now)
        error = read_success(leg, response)

        def complete(body: bytes, now: float) -> None:
            self._complete(leg, body, error, now)

        waits = leg.negotiation.remote_offer is not None
        if leg.late is not None:
            # RFC 3262 3 forbids a 2xx before the PRACK of an offer, but here it is: the ACK follows the PRACK
            leg.late.follow(partial(complete, b""))
        elif waits:
            wait_for_answer(call, leg, complete, now)
        call.change(InviteEvent.ACCEPTED, "remote", "INVITE", response.code, response.reason, response)
        if not waits:
            complete(b"", now)

    def _complete(self, leg: Leg, body: bytes, error: str | None, now: float) -> None:
        """The 2xx has been told, and answered where it had an offer: the ACK makes the call."""
        call = self._call
        if not call.is_over:
            if error is None:
                call.agreed(leg.negotiation)
            else:
                call.not_agreed(error)
        self._acknowledge(leg, body, now)
        if call.state is InviteState.DISCONNECTING:
            call.send_bye(now)
        elif error is not None:
            call.fail_negotiation(error, now)
        elif call.state is InviteState.CONNECTING:
            call.change(InviteEvent.ACKNOWLEDGED, "local", "ACK")

    def _acknowledge(self, leg: Leg, body: bytes, now: float) -> None:
        assert leg.dialog is not None
        self._acknowledged = True
        self._send_ack(leg.dialog, body, now)

    def _send_ack(self, dialog: Dialog, body: bytes, now: float) -> None:
        request = self._invite.request
        fields = credential_headers(request)
        if body:
            fields.append(("Content-Type", "application/sdp"))
        self._invite.acknowledge(dialog.create_ack(number_of(request), body, fields), dialog.next_hop(), now)

    def invite_accepted_elsewhere(self, invite: OutgoingInvite, response: SIPResponse, now: float) -> None:
        # 13.2.2.4: one call is wanted, the others are acknowledged and ended
        leg = self._accepted_leg(response)
        assert leg.dialog is not None
        self._send_ack(leg.dialog, refusal_of_offer(leg, response), now)
        end_dialog(self._call.core, leg.dialog, self._call.authenticator, now)

    def invite_refused(self, invite: OutgoingInvite, response: SIPResponse, now: float) -> None:
        self._refused = True
        targets = redirection_targets(response) if response.code < 400 else ()
        reason = response.reason
        self._failed(Outcome("remote", response.code, reason, reason, reasons_of(response), targets), response, now)

    def invite_failed(self, invite: OutgoingInvite, code: int, error: str, now: float) -> None:
        self._failed(Outcome("local", code, reason_phrase(code), error), None, now)

    def _failed(self, outcome: Outcome, response: SIPResponse | None, now: float) -> None:
        call = self._call
        event = InviteEvent.ENDED if call.state is InviteState.DISCONNECTING else InviteEvent.REFUSED
        if call.outcome is None:
            call.outcome = outcome
        call.disconnect(now, event, "INVITE", response)

    def invite_over(self, invite: OutgoingInvite, now: float) -> None:
        call = self._call
        # no response makes a leg any more
        self._seed = call.leg
        if self._may_follow:
            call.core.strays.remember(invite.request, self._contact, invite.hop, call.authenticator, now)

    @property
    def _may_follow(self) -> bool:
        """Whether a further 2xx may come: a proxy passes on those of all branches, whenever they come (16.7)."""
        return not self._refused and (not self._acknowledged or len(self._legs) > 1)

    # Legs

    def _leg_for(self, response: SIPResponse) -> Leg | None:
        """The early dialog of a provisional response (12.1): None without a To tag, or for one too many."""
        tag = tag_of(response.to_header)
        leg = self._legs.get(tag)
        if leg is None and tag:
            if len(self._legs) >= MAX_BRANCHES:
                log.info("An early dialog too many of %s is not made", response.call_id)
                return None
            leg = self._make_leg(tag, response)
            assert leg.dialog is not None
            self._call.core.add_dialog(leg.dialog, self._call)
        return leg

    def _make_leg(self, tag: str, response: SIPResponse) -> Leg:
        dialog = Dialog.from_response(self._invite.request, response, self._contact, self._invite.hop)
        leg = self._legs[tag] = self._seed.fork(dialog)
        return leg

    def _accepted_leg(self, response: SIPResponse) -> Leg:
        """The leg of a 2xx, which an early dialog may have made before (13.2.2.4)."""
        tag = tag_of(response.to_header)
        leg = self._legs.get(tag)
        if leg is None:
            return self._make_leg(tag, response)
        assert leg.dialog is not None
        leg.dialog.confirm(response)
        return leg

    def _pick(self, leg: Leg, now: float) -> None:
        """This leg is the call; 13.2.2.4 ends the other early dialogs."""
        call = self._call
        assert leg.dialog is not None
        for other in self._legs.values():
            if other is not leg:
                self.drop_leg(other)
        if call not in call.core.usages(leg.dialog.id):
            call.core.add_dialog(leg.dialog, call)
        call.pick(leg, now)
