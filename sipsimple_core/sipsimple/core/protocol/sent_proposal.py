"""Proposals of ours within a call (RFC 3261 14.1, RFC 3311 5.1): a re-INVITE, or an UPDATE, and session refreshes.

At most one is open. A refresh (RFC 4028 7.4) is an UPDATE without a description where the remote party allows that,
else a re-INVITE with the description that it knows; the user hears nothing of it unless it ends the call.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipsimple.core.protocol.authentication import credential_headers
from sipsimple.core.protocol.dialog import number_of
from sipsimple.core.protocol.glare import glare_delay
from sipsimple.core.protocol.invite_events import InvalidStateError
from sipsimple.core.protocol.invite_states import InviteState, InviteSubState, ProposalEvent
from sipsimple.core.protocol.offer_answer import NegotiationState
from sipsimple.core.protocol.offer_answer_messages import description_body, read_answer
from sipsimple.core.protocol.outgoing_invite import OutgoingInvite
from sipsimple.core.protocol.outgoing_request import OutgoingRequest
from sipsimple.core.protocol.prack import take_provisional
from sipsimple.core.protocol.reliable_provisional import rseq_of
from sipsimple.core.protocol.success import read_success, wait_for_answer
from sipsimple.core.wire.reasons import reason_phrase

if TYPE_CHECKING:
    from sipsimple.core.protocol.invite_leg import Leg
    from sipsimple.core.protocol.invite_usage import HeaderList, InviteUsage
    from sipsimple.core.wire.headers import BaseHeader
    from sipsimple.core.wire.message import SIPRequest, SIPResponse
    from sipsimple.core.wire.sdp import BaseSDPSession

__all__ = ["REFRESH_RETRY", "SentProposals"]

#: How long after a refresh that was refused the next one is tried, in seconds.
REFRESH_RETRY = 10.0
#: How often an UPDATE is sent again because its session interval was too small (RFC 4028 7.3).
MAX_INTERVAL_ROUNDS = 4
#: Final responses after which there is no call any more (RFC 3261 12.2.1.2).
NO_SUCH_CALL = frozenset({408, 481})


class SentProposals:
    """See the module. It owns our re-INVITEs and UPDATEs."""

    __slots__ = ("_call", "_interval_rounds", "_invite", "_is_refresh", "_leg", "_offers", "_update")

    def __init__(self, call: InviteUsage) -> None:
        self._call = call
        self._invite: OutgoingInvite | None = None
        self._update: OutgoingRequest | None = None
        self._leg: Leg = call.leg
        self._offers = False
        self._is_refresh = False
        self._interval_rounds = 0

    # What the user asks for

    def reinvite(
        self, sdp: BaseSDPSession | None, headers: HeaderList, timeout: float | None, now: float, refresh: bool = False
    ) -> None:
        """Sends a re-INVITE with an offer, or, with None, one that asks for an offer."""
        call, leg = self._call, self._call.leg
        self._require("a re-INVITE", (InviteState.CONNECTED,))
        assert leg.dialog is not None
        if sdp is None:
            leg.awaits_offer = True
        request = self._request("INVITE", leg, sdp, headers)
        self._open(leg, request, sdp is not None, refresh)
        if call.state is InviteState.CONNECTED:
            self._invite = OutgoingInvite(
                request, leg.dialog.next_hop(), call.core, self, timeout, now, call.authenticator, leg.dialog,
                call.timer.lengthen,
            )  # fmt: skip

    def update(
        self, sdp: BaseSDPSession | None, headers: HeaderList, timeout: float | None, now: float, refresh: bool = False
    ) -> None:
        """Sends an UPDATE, with an offer or without: before the call too, once its first offer was answered."""
        call, leg = self._call, self._call.leg
        self._require("an UPDATE", (InviteState.INCOMING, InviteState.EARLY, InviteState.CONNECTED))
        if leg.dialog is None or (sdp is not None and leg.negotiation.state is not NegotiationState.STABLE):
            raise InvalidStateError("an UPDATE takes a dialog, and a first offer that was answered (RFC 3311 5.1)")
        request = self._request("UPDATE", leg, sdp, headers)
        self._interval_rounds = 0
        self._open(leg, request, sdp is not None, refresh)
        if not call.is_over:
            self._send_update(request, timeout, now)

    def _require(self, what: str, states: tuple[InviteState, ...]) -> None:
        call = self._call
        if call.state not in states or call.sub_state not in (None, InviteSubState.NORMAL):
            raise InvalidStateError(f"{what} can't be sent in state {call.state}, {call.sub_state}")

    def _request(self, method: str, leg: Leg, sdp: BaseSDPSession | None, headers: HeaderList) -> SIPRequest:
        call = self._call
        assert leg.dialog is not None
        fields: list[tuple[str, str | BaseHeader]] = [*call.core.capability_headers(), *call.timer.request_headers()]
        fields += headers
        body = b""
        if sdp is not None:
            content_type, body = description_body(leg.negotiation.send_offer(sdp))
            fields.append(("Content-Type", content_type))
        return leg.dialog.create_request(method, fields, body)

    def _open(self, leg: Leg, request: SIPRequest, offers: bool, refresh: bool) -> None:
        call = self._call
        self._leg, self._offers, self._is_refresh = leg, offers, refresh
        if refresh:
            call.sub_state = InviteSubState.SENT_PROPOSAL
        else:
            call.propose(ProposalEvent.SEND, "local", request.method, message=request)

    def _send_update(self, request: SIPRequest, timeout: float | None, now: float) -> None:
        call, dialog = self._call, self._leg.dialog
        assert dialog is not None
        self._update = OutgoingRequest(
            request, [dialog.next_hop()], call.core, self, call.authenticator, dialog, timeout, now=now
        )

    def cancel(self, headers: HeaderList, now: float) -> None:
        """Takes our re-INVITE back. Raises `InvalidStateError` when none is open."""
        if self._call.sub_state is not InviteSubState.SENT_PROPOSAL or self._invite is None or self._invite.done:
            raise InvalidStateError("no re-INVITE of ours is open")
        self._invite.cancel(now, headers)

    def refresh(self, now: float) -> None:
        """Keeps the session alive (RFC 4028 7.4); a proposal that is open does it as well."""
        call = self._call
        local = call.negotiation.active_local
        if call.state is not InviteState.CONNECTED or call.sub_state is not InviteSubState.NORMAL:
            call.timer.retry(REFRESH_RETRY, now)
        elif call.leg.allows("UPDATE"):
            self.update(None, (), None, now, refresh=True)
        elif local is not None:
            self.reinvite(local, (), None, now, refresh=True)

    def abandon(self) -> None:
        """The call is over."""
        if self._invite is not None:
            self._invite.abandon()
        if self._update is not None:
            self._update.abandon()
        if self._leg.late is not None:
            self._leg.late.drop()

    # What the re-INVITE tells its owner

    def invite_repeated(self, invite: OutgoingInvite, now: float) -> None:
        """What was said of the one before is nothing that lasts."""

    def invite_progressed(self, invite: OutgoingInvite, response: SIPResponse, now: float) -> None:
        call, leg = self._call, self._leg
        rseq = rseq_of(response)
        if rseq is not None:
            if not leg.provisionals.accept(number_of(invite.request), rseq):
                return
            take_provisional(call, leg, invite, response, rseq, now)
        if call.state is InviteState.CONNECTED and not self._is_refresh:
            call.propose(ProposalEvent.PROGRESS, "remote", "INVITE", response.code, response.reason, response)

    def invite_accepted(self, invite: OutgoingInvite, response: SIPResponse, now: float) -> None:
        call, leg = self._call, self._leg
        assert leg.dialog is not None
        leg.dialog.refresh_target(response, "INVITE")
        leg.learn(response)
        call.timer.accepted(response, now)
        was_open = self._offers or leg.awaits_offer
        error = read_success(leg, response) if was_open else None

        def complete(body: bytes, now: float) -> None:
            self._complete(invite, response, body, error, now)

        if leg.negotiation.remote_offer is not None and call.state is InviteState.CONNECTED:
            wait_for_answer(call, leg, complete, now)
            call.propose(ProposalEvent.PROGRESS, "remote", "INVITE", response.code, response.reason, response)
        else:
            complete(b"", now)

    def _complete(
        self, invite: OutgoingInvite, response: SIPResponse, body: bytes, error: str | None, now: float
    ) -> None:
        call, leg = self._call, self._leg
        assert leg.dialog is not None
        if call.state is InviteState.CONNECTED and not self._is_refresh:
            if error is None:
                call.agreed(leg.negotiation)
            else:
                call.not_agreed(error)
        fields = credential_headers(invite.request)
        if body:
            fields.append(("Content-Type", "application/sdp"))
        ack = leg.dialog.create_ack(number_of(invite.request), body, fields)
        invite.acknowledge(ack, leg.dialog.next_hop(), now)
        if call.state is InviteState.CONNECTED:
            self._settle("remote", "INVITE", response.code, response.reason, response)
            if error is not None:
                call.fail_negotiation(error, now)

    def invite_accepted_elsewhere(self, invite: OutgoingInvite, response: SIPResponse, now: float) -> None:
        """A re-INVITE does not fork: whoever sends this is not the party of the call."""

    def invite_refused(self, invite: OutgoingInvite, response: SIPResponse, now: float) -> None:
        self._failed("remote", "INVITE", response.code, response.reason, response, now)

    def invite_failed(self, invite: OutgoingInvite, code: int, error: str, now: float) -> None:
        self._failed("local", "INVITE", code, reason_phrase(code), None, now)

    def invite_over(self, invite: OutgoingInvite, now: float) -> None:
        """The call is known; nothing can come too late."""

    # What the UPDATE tells its owner

    def request_progressed(self, outgoing: OutgoingRequest, response: SIPResponse, now: float) -> None:
        """It says nothing that lasts."""

    def request_succeeded(self, outgoing: OutgoingRequest, response: SIPResponse, now: float) -> None:
        call, leg = self._call, self._leg
        assert leg.dialog is not None
        leg.dialog.refresh_target(response, "UPDATE")
        leg.learn(response)
        call.timer.accepted(response, now)
        error = read_answer(leg.negotiation, response) if self._offers else None
        self._settle("remote", "UPDATE", response.code, response.reason, response)
        if self._offers and not call.is_over:
            if error is None:
                call.agreed(leg.negotiation)
            else:
                call.not_agreed(error)
                call.fail_negotiation(error, now)
        call.settled(now)

    def request_refused(self, outgoing: OutgoingRequest, response: SIPResponse, now: float) -> None:
        call, dialog = self._call, self._leg.dialog
        assert dialog is not None
        if response.code == 422 and self._interval_rounds < MAX_INTERVAL_ROUNDS:
            self._interval_rounds += 1
            before = outgoing.request
            dialog.local_cseq = (dialog.local_cseq or 0) + 1
            request = type(before)("UPDATE", before.raw_uri, before.headers.copy(), before.body)
            request.headers.set("CSeq", f"{dialog.local_cseq} UPDATE")
            if call.timer.lengthen(request, response):
                self._send_update(request, None, now)
                return
        self._failed("remote", "UPDATE", response.code, response.reason, response, now)

    def request_failed(self, outgoing: OutgoingRequest, code: int, error: str, now: float) -> None:
        self._failed("local", "UPDATE", code, reason_phrase(code), None, now)

    # Its end

    def _settle(self, originator: str, method: str, code: int, reason: str, response: SIPResponse | None) -> None:
        call = self._call
        self._invite = self._update = None
        if self._is_refresh:
            call.sub_state = InviteSubState.NORMAL
        else:
            call.propose(ProposalEvent.SETTLE, originator, method, code, reason, response)

    def _failed(
        self, originator: str, method: str, code: int, reason: str, response: SIPResponse | None, now: float
    ) -> None:
        call, leg = self._call, self._leg
        leg.awaits_offer = False
        if leg.late is not None:
            leg.late.drop()
        if leg.negotiation.is_open and (self._offers or leg.negotiation.remote_offer is not None):
            leg.negotiation.rollback()
        if call.is_over:
            return
        self._settle(originator, method, code, reason, response)
        if call.state is InviteState.CONNECTED and code in NO_SUCH_CALL:
            call.end(now=now)
        elif self._is_refresh:
            owns_call_id = call.direction == "outgoing"
            call.timer.retry(glare_delay(owns_call_id, call.core.random) if code == 491 else REFRESH_RETRY, now)
        call.settled(now)
