"""The INVITE usage of a dialog (RFC 3261 13 to 15, RFC 5057): what a call is, for both parties.

It holds the dialog, the offer/answer state and the INVITE in progress, and moves through `INVITE_STATES`. Below it
are the transactions, which it reaches through `UserAgentCore`; above it is an `InviteUser`, told of each change of
state and of each agreed pair of session descriptions. Time is an argument.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sipsimple.core.protocol.authentication import Authenticator, credential_headers
from sipsimple.core.protocol.dialog import Dialog, DialogState, new_call_id, new_tag
from sipsimple.core.protocol.incoming_invite import IncomingInvite
from sipsimple.core.protocol.invite_events import InvalidStateError, InviteUser, SDPUpdate, StateChange
from sipsimple.core.protocol.invite_states import INVITE_STATES, InviteEvent, InviteState, InviteSubState
from sipsimple.core.protocol.mandatory import mandatory
from sipsimple.core.protocol.offer_answer import OfferAnswer
from sipsimple.core.protocol.offer_answer_messages import read_answer, read_offer
from sipsimple.core.protocol.outgoing_invite import OutgoingInvite
from sipsimple.core.protocol.outgoing_request import OutgoingRequest
from sipsimple.core.wire.headers import BaseHeader, FrozenContactHeader, FrozenFromHeader, FrozenToHeader
from sipsimple.core.wire.message import SIPRequest, SIPResponse, make_response
from sipsimple.core.wire.reasons import reason_phrase
from sipsimple.core.wire.sdp import BaseSDPSession, FrozenSDPSession
from sipsimple.core.wire.validation import Refusal

if TYPE_CHECKING:
    from sipsimple.core.protocol.hop import Hop
    from sipsimple.core.protocol.timers import Timer
    from sipsimple.core.protocol.transaction_layer import ServerTransaction
    from sipsimple.core.protocol.user_agent import UserAgentCore
    from sipsimple.core.wire.digest import BaseCredentials
    from sipsimple.core.wire.headers import FrozenRouteHeader
    from sipsimple.core.wire.uri import FrozenSIPURI

__all__ = ["InviteUsage"]

log = logging.getLogger("sipsimple.core.invite")

HeaderList = Iterable[tuple[str, str | BaseHeader]]

#: How long an incoming INVITE may wait for our final response, in seconds (RFC 3261 16.6 gives up after 3 minutes).
ANSWER_TIMEOUT = 180.0


@dataclass(frozen=True, slots=True)
class _Outcome:
    """Why the invitation ends, kept until it has."""

    originator: str
    code: int | None
    reason: str | None
    disconnect_reason: str


class InviteUsage:
    """See the module.

    Attributes: `state`, `sub_state`, `dialog` (None before there is one), `negotiation` (an `OfferAnswer`), `hop`
    (where the remote party is, as far as the first request tells), `initial` (the first INVITE), `direction`
    ('incoming' or 'outgoing').
    """

    def __init__(self, core: UserAgentCore, user: InviteUser | None = None) -> None:
        self.user = user
        self.state = InviteState.NULL
        self.sub_state: InviteSubState | None = None
        self.direction: str | None = None
        self.dialog: Dialog | None = None
        self.negotiation = OfferAnswer()
        self.hop: Hop | None = None
        self.initial: SIPRequest | None = None
        self._core = core
        self._outgoing: OutgoingInvite | None = None
        self._incoming: IncomingInvite | None = None
        self._contact: FrozenContactHeader | None = None
        self._bye_headers: tuple[tuple[str, str | BaseHeader], ...] = ()
        self._outcome: _Outcome | None = None
        self._limit: Timer | None = None
        self._authenticator: Authenticator | None = None
        self._local_tag = new_tag()
        self.call_id = new_call_id()

    def tagged(self, header: FrozenFromHeader) -> FrozenFromHeader:
        """The From header of our call, with the tag that is ours (RFC 3261 19.3)."""
        return FrozenFromHeader(header.uri, header.display_name, {**dict(header.parameters), "tag": self._local_tag})

    # What the layer above asks for

    def use_credentials(self, credentials: BaseCredentials | None) -> None:
        """What answers the challenges to our requests from now on, those inside the dialog too (22.2, 22.3)."""
        self._authenticator = None if credentials is None else Authenticator(credentials)

    def send_invite(
        self,
        request_uri: FrozenSIPURI,
        from_header: FrozenFromHeader,
        to_header: FrozenToHeader,
        routes: Iterable[FrozenRouteHeader],
        contact: FrozenContactHeader,
        sdp: BaseSDPSession | None,
        hop: Hop,
        headers: HeaderList = (),
        timeout: float | None = None,
        credentials: BaseCredentials | None = None,
        *,
        now: float,
    ) -> None:
        """Starts a call: the INVITE goes to `hop`; after `timeout` seconds without final response it fails with 408.

        `credentials` answer the challenges to it and to the later requests of the call.

        Raises `InvalidStateError` when there was a call before.
        """
        self._require(InviteEvent.SEND_INVITE)
        self.use_credentials(credentials)
        body = self.negotiation.send_offer(sdp).encode() if sdp is not None else b""
        fields: list[tuple[str, str | BaseHeader]] = [("Max-Forwards", "70")]
        fields += [("Route", route) for route in routes]
        fields += [
            ("From", self.tagged(from_header)),
            ("To", to_header),
            ("Call-ID", self.call_id),
            ("CSeq", "1 INVITE"),
            ("Contact", contact),
        ]
        fields += self._core.capability_headers()
        fields += headers
        if body:
            fields.append(("Content-Type", "application/sdp"))
        request = SIPRequest("INVITE", request_uri, fields, body)
        self.direction, self.hop, self.initial, self._contact = "outgoing", hop, request, contact
        self._change(InviteEvent.SEND_INVITE, "local", method="INVITE", message=request)
        if self.state is InviteState.OUTGOING:
            self._outgoing = OutgoingInvite(request, hop, self._core, self, timeout, now, self._authenticator)
        else:
            # ended by the layer above while it was told: nothing was sent, nothing is owed
            self._disconnect(now)

    def respond(
        self,
        code: int,
        reason: str | None = None,
        contact: FrozenContactHeader | None = None,
        sdp: BaseSDPSession | None = None,
        headers: HeaderList = (),
        *,
        now: float,
    ) -> None:
        """Answers the INVITE or re-INVITE that waits for it.

        `sdp` is the answer to its offer (or our offer, where it had none). Raises `InvalidStateError` when nothing
        waits for an answer, `OfferAnswerError` when `sdp` does not answer the offer.
        """
        invite = self._incoming
        if invite is None or invite.final is not None:
            raise InvalidStateError(f"no INVITE waits for a response in state {self.state}")
        initial = invite.request is self.initial
        if contact is not None and self.dialog is not None:
            self.dialog.contact = contact
        answered = False
        if sdp is not None and 200 <= code < 300:
            answered = self.negotiation.remote_offer is not None
            sdp = self.negotiation.send_answer(sdp) if answered else self.negotiation.send_offer(sdp)
        invite.respond(self._response(invite.request, code, reason, headers, sdp), now)
        reason = reason or reason_phrase(code)
        if code < 200:
            if initial:
                event = InviteEvent.TRYING if code == 100 else InviteEvent.RINGING
                self._change(event, "local", method="INVITE", code=code, reason=reason)
        elif code < 300:
            self._stop_limit()
            if initial:
                self._change(InviteEvent.ACCEPTED, "local", method="INVITE", code=code, reason=reason)
            else:
                self._set_sub_state(InviteSubState.NORMAL, "local", "INVITE", code, reason)
            if answered:
                self._tell_agreement()
        else:
            self._refuse(invite, "local", code, reason, "user request", now)

    def send_reinvite(
        self,
        sdp: BaseSDPSession,
        contact: FrozenContactHeader | None = None,
        headers: HeaderList = (),
        timeout: float | None = None,
        *,
        now: float,
    ) -> None:
        """Offers a new session description (14.1). Raises `InvalidStateError` while another offer is open."""
        if self.state is not InviteState.CONNECTED or self.sub_state is not InviteSubState.NORMAL:
            raise InvalidStateError(f"a re-INVITE can't be sent in state {self.state}, {self.sub_state}")
        assert self.dialog is not None
        if contact is not None:
            self.dialog.contact = contact
        body = self.negotiation.send_offer(sdp).encode()
        fields = [*self._core.capability_headers(), *headers, ("Content-Type", "application/sdp")]
        request = self.dialog.create_request("INVITE", fields, body)
        self._set_sub_state(InviteSubState.SENT_PROPOSAL, "local", "INVITE", message=request)
        self._outgoing = OutgoingInvite(
            request, self.dialog.next_hop(), self._core, self, timeout, now, self._authenticator, self.dialog
        )

    def cancel_reinvite(self, *, now: float) -> None:
        """Takes our open re-INVITE back (CANCEL). Raises `InvalidStateError` when none is open."""
        if self.sub_state is not InviteSubState.SENT_PROPOSAL or self._outgoing is None:
            raise InvalidStateError("no re-INVITE of ours is open")
        self._outgoing.cancel(now)

    def end(self, headers: HeaderList = (), timeout: float | None = None, *, now: float) -> None:
        """Ends the call as its state asks: CANCEL, 480 or BYE; a second call changes nothing.

        After `timeout` seconds the end is no longer waited for. Raises `InvalidStateError` before there was a call.
        """
        if self.state in (InviteState.DISCONNECTING, InviteState.DISCONNECTED):
            return
        if self.state is InviteState.NULL:
            raise InvalidStateError("there is no call to end")
        if self.direction == "incoming" and self.state in (InviteState.INCOMING, InviteState.EARLY):
            self.respond(480, headers=headers, now=now)
            return
        before = self.state
        self._bye_headers = tuple(headers)
        if before in (InviteState.OUTGOING, InviteState.EARLY):
            self._outcome = _Outcome("local", 487, reason_phrase(487), "user request")
            method = "CANCEL"
        else:
            self._outcome = _Outcome("local", None, None, "user request")
            method = "BYE"
        if timeout is not None:
            self._start_limit(timeout, self._disconnect, now)
        self._change(InviteEvent.END, "local", method=method)
        self._hang_up(before, now)

    def _hang_up(self, before: InviteState, now: float) -> None:
        if before in (InviteState.OUTGOING, InviteState.EARLY):
            if self._outgoing is not None:
                self._outgoing.cancel(now)
        elif before is InviteState.CONNECTED and not (self._incoming is not None and self._incoming.awaits_ack):
            self._send_bye(now)
        # RFC 3261 15: a callee says no BYE before the ACK of its 2xx came, or did not come in time

    # The core hands over what the dialog receives

    def receive_invite(
        self, request: SIPRequest, transaction: ServerTransaction, source: Hop, contact: FrozenContactHeader, now: float
    ) -> bool:
        """Begins with an INVITE from outside a dialog; False when it was refused at once (13.3.1)."""
        self.direction, self.hop, self.initial = "incoming", source, request
        self.call_id = mandatory(request).call_id
        refusal = read_offer(self.negotiation, request)
        if refusal is None:
            try:
                self.dialog = Dialog.from_request(request, self._local_tag, contact, source)
            except ValueError as error:
                refusal = Refusal(400, f"Bad Contact: {error}")
        if refusal is not None:
            transaction.respond(self._refusal(request, refusal), now)
            self.state = InviteState.DISCONNECTED
            return False
        assert self.dialog is not None
        self._core.add_dialog(self.dialog, self)
        self._incoming = IncomingInvite(request, transaction, self._core.timers, self)
        self._start_limit(ANSWER_TIMEOUT, self._not_answered, now)
        return True

    def announce(self) -> None:
        """Tells the user of the INVITE that `receive_invite` took."""
        self._change(InviteEvent.RECEIVE_INVITE, "remote", method="INVITE", message=self.initial)

    def serves(self, request: SIPRequest) -> bool:
        return request.method in ("INVITE", "ACK", "BYE")

    def request_received(
        self, request: SIPRequest, transaction: ServerTransaction | None, source: Hop, now: float
    ) -> None:
        """A request inside the dialog."""
        assert self.dialog is not None
        method = request.method
        if method == "ACK":
            incoming = self._incoming
            if incoming is not None and mandatory(incoming.request).cseq.number == mandatory(request).cseq.number:
                incoming.ack_received(request, now)
            return
        assert transaction is not None
        if not self.dialog.receive_request(request):
            # 12.2.2: a lower number than before
            transaction.respond(self._response(request, 500, "CSeq out of order"), now)
        elif method == "BYE":
            self._receive_bye(request, transaction, now)
        else:
            self._receive_reinvite(request, transaction, now)

    def _receive_bye(self, request: SIPRequest, transaction: ServerTransaction, now: float) -> None:
        transaction.respond(self._response(request, 200), now)
        if self._incoming is not None and self._incoming.final is None:
            # 15.1.2: a request that still waits is answered with 487
            self._incoming.respond(self._response(self._incoming.request, 487), now)
        if self._outcome is None:
            self._outcome = _Outcome("remote", None, None, "user request")
        self._disconnect(now, event=InviteEvent.BYE, method="BYE", message=request)

    def _receive_reinvite(self, request: SIPRequest, transaction: ServerTransaction, now: float) -> None:
        assert self.dialog is not None
        if self.state is not InviteState.CONNECTED:
            transaction.respond(self._response(request, 491), now)
            return
        if self.sub_state is InviteSubState.SENT_PROPOSAL:
            # 14.2: ours is open
            transaction.respond(self._response(request, 491), now)
            return
        if self._incoming is not None and (self._incoming.final is None or self._incoming.awaits_ack):
            # 14.2: theirs is open
            retry = ("Retry-After", str(self._core.random.randint(0, 10)))
            transaction.respond(self._response(request, 500, None, [retry]), now)
            return
        refusal = read_offer(self.negotiation, request)
        if refusal is not None:
            transaction.respond(self._refusal(request, refusal), now)
            return
        self.dialog.refresh_target(request, "INVITE")
        self._incoming = IncomingInvite(request, transaction, self._core.timers, self)
        self._start_limit(ANSWER_TIMEOUT, self._not_answered, now)
        self._set_sub_state(InviteSubState.RECEIVED_PROPOSAL, "remote", "INVITE", message=request)

    def _not_answered(self, now: float) -> None:
        if self._incoming is not None and self._incoming.final is None:
            log.info("INVITE %s was not answered in time", self._incoming.request.call_id)
            self.respond(480, now=now)

    # What the INVITE that we got tells its owner

    def invite_acknowledged(self, invite: IncomingInvite, ack: SIPRequest, now: float) -> None:
        if self.negotiation.local_offer is not None and invite.request is not None:
            error = self._read_answer(ack)
            if error is not None:
                self._fail_negotiation(error, now)
        if self.state is InviteState.CONNECTING:
            assert self.dialog is not None
            self.dialog.state = DialogState.CONFIRMED
            self.sub_state = InviteSubState.NORMAL
            self._change(InviteEvent.ACKNOWLEDGED, "remote", method="ACK", message=ack)
        elif self.state is InviteState.DISCONNECTING:
            self._send_bye(now)

    def invite_not_acknowledged(self, invite: IncomingInvite, error: str, now: float) -> None:
        # 13.3.1.4: the session is ended with a BYE
        if self._outcome is None:
            self._outcome = _Outcome("remote", 408, reason_phrase(408), error)
        if self.state is not InviteState.DISCONNECTING:
            self._change(InviteEvent.END, "local", method="BYE")
        self._send_bye(now)

    def invite_cancelled(self, invite: IncomingInvite, cancel: SIPRequest, now: float) -> None:
        invite.respond(self._response(invite.request, 487), now)
        self._refuse(invite, "remote", 487, reason_phrase(487), "user request", now, cancel)

    def _refuse(
        self, invite: IncomingInvite, originator: str, code: int, reason: str, why: str, now: float,
        message: SIPRequest | None = None,
    ) -> None:  # fmt: skip
        self._stop_limit()
        if self.negotiation.remote_offer is not None:
            self.negotiation.rollback()
        if invite.request is self.initial:
            self._outcome = _Outcome(originator, code, reason, why)
            method = "INVITE" if message is None else message.method
            self._disconnect(now, event=InviteEvent.REFUSED, method=method, message=message)
        else:
            self._set_sub_state(InviteSubState.NORMAL, originator, "INVITE", code, reason, message)

    # What the INVITE that we sent tells its owner

    def invite_progressed(self, invite: OutgoingInvite, response: SIPResponse, now: float) -> None:
        if invite.dialog is not None:
            self._set_sub_state(
                InviteSubState.SENT_PROPOSAL, "remote", "INVITE", response.code, response.reason, response
            )
        elif self.state in (InviteState.OUTGOING, InviteState.EARLY):
            event = InviteEvent.TRYING if response.code == 100 else InviteEvent.RINGING
            self._change(event, "remote", method="INVITE", code=response.code, reason=response.reason, message=response)

    def invite_accepted(self, invite: OutgoingInvite, response: SIPResponse, now: float) -> None:
        if invite.dialog is not None:
            self._reinvite_accepted(invite, response, now)
            return
        assert self.hop is not None and self._contact is not None
        self.dialog = Dialog.from_response(invite.request, response, self._contact, self.hop)
        self._core.add_dialog(self.dialog, self)
        if self.state is InviteState.DISCONNECTING:
            # 9.1: our CANCEL came too late; the call is there and ends like any other
            self._acknowledge(invite, response, now)
            self._send_bye(now)
            return
        self._change(
            InviteEvent.ACCEPTED,
            "remote",
            method="INVITE",
            code=response.code,
            reason=response.reason,
            message=response,
        )
        error = self._read_answer(response)
        self._acknowledge(invite, response, now)
        if error is not None:
            self._fail_negotiation(error, now)
        else:
            self._establish(now)

    def _establish(self, now: float) -> None:
        """Our ACK is out; whoever was told of the 2xx may have ended the call meanwhile."""
        if self.state is InviteState.DISCONNECTING:
            self._send_bye(now)
        elif self.state is InviteState.CONNECTING:
            self.sub_state = InviteSubState.NORMAL
            self._change(InviteEvent.ACKNOWLEDGED, "local", method="ACK")

    def _acknowledge(self, invite: OutgoingInvite, response: SIPResponse, now: float) -> None:
        assert self.dialog is not None
        ack = self.dialog.create_ack(mandatory(invite.request).cseq.number, b"", credential_headers(invite.request))
        invite.acknowledge(ack, self.dialog.next_hop(), now)

    def _reinvite_accepted(self, invite: OutgoingInvite, response: SIPResponse, now: float) -> None:
        assert self.dialog is not None
        self.dialog.refresh_target(response, "INVITE")
        error = self._read_answer(response)
        self._acknowledge(invite, response, now)
        if self.state is not InviteState.CONNECTED:
            return
        self._set_sub_state(InviteSubState.NORMAL, "remote", "INVITE", response.code, response.reason, response)
        if error is not None:
            self._fail_negotiation(error, now)

    def invite_accepted_elsewhere(self, invite: OutgoingInvite, response: SIPResponse, now: float) -> None:
        # 13.2.2.4: one call is wanted, the others are acknowledged and ended
        assert self._contact is not None
        dialog = Dialog.from_response(invite.request, response, self._contact, invite.hop)
        ack = dialog.create_ack(mandatory(invite.request).cseq.number, b"", credential_headers(invite.request))
        self._core.send_ack(ack, dialog.next_hop(), now)
        bye = dialog.create_request("BYE")
        OutgoingRequest(bye, [dialog.next_hop()], self._core, _Nobody(), self._authenticator, dialog, now=now)

    def invite_refused(self, invite: OutgoingInvite, response: SIPResponse, now: float) -> None:
        self._invite_failed(invite, "remote", response.code, response.reason, response.reason, response, now)

    def invite_failed(self, invite: OutgoingInvite, code: int, error: str, now: float) -> None:
        self._invite_failed(invite, "local", code, reason_phrase(code), error, None, now)

    def _invite_failed(
        self, invite: OutgoingInvite, originator: str, code: int, reason: str, why: str, response: SIPResponse | None,
        now: float,
    ) -> None:  # fmt: skip
        if self.negotiation.local_offer is not None:
            self.negotiation.rollback()
        if invite.dialog is None:
            ending = self.state is InviteState.DISCONNECTING
            if self._outcome is None:
                self._outcome = _Outcome(originator, code, reason, why)
            event = InviteEvent.ENDED if ending else InviteEvent.REFUSED
            self._disconnect(now, event=event, method="INVITE", message=response)
        elif self.state is InviteState.CONNECTED:
            self._set_sub_state(InviteSubState.NORMAL, originator, "INVITE", code, reason, response)
            if code in (408, 481):
                # 14.1 with 12.2.1.2: the remote party knows of no such call
                self.end(now=now)

    # BYE: the usage is the owner of that request

    def _send_bye(self, now: float) -> None:
        assert self.dialog is not None
        request = self.dialog.create_request("BYE", self._bye_headers)
        OutgoingRequest(request, [self.dialog.next_hop()], self._core, self, self._authenticator, self.dialog, now=now)

    def request_progressed(self, outgoing: OutgoingRequest, response: SIPResponse, now: float) -> None:
        """A BYE is answered or it is not."""

    def request_succeeded(self, outgoing: OutgoingRequest, response: SIPResponse, now: float) -> None:
        if self.state is InviteState.DISCONNECTING:
            self._disconnect(now, method="BYE", message=response)

    request_refused = request_succeeded

    def request_failed(self, outgoing: OutgoingRequest, code: int, error: str, now: float) -> None:
        self._disconnect(now, method="BYE")

    # Session descriptions

    def _read_answer(self, message: SIPRequest | SIPResponse) -> str | None:
        """Takes the answer in a 2xx or an ACK and tells the user; the error when there is no good one."""
        if self.negotiation.local_offer is None:
            return None
        error = read_answer(self.negotiation, message)
        if error is None:
            self._tell_agreement()
        elif self.user is not None:
            self.user.sdp_updated(SDPUpdate(False, None, None, error))
        return error

    def _tell_agreement(self) -> None:
        if self.user is not None:
            negotiation = self.negotiation
            self.user.sdp_updated(SDPUpdate(True, negotiation.active_local, negotiation.active_remote))

    def _fail_negotiation(self, error: str, now: float) -> None:
        if self.state in (InviteState.CONNECTING, InviteState.CONNECTED):
            self._outcome = _Outcome("local", 488, reason_phrase(488), f"SDP negotiation error: {error}")
            self._change(InviteEvent.END, "local", method="BYE")
        if self.state is InviteState.DISCONNECTING:
            self._send_bye(now)

    # Steps

    def _response(
        self, request: SIPRequest, code: int, reason: str | None = None, headers: HeaderList = (),
        sdp: FrozenSDPSession | BaseSDPSession | None = None,
    ) -> SIPResponse:  # fmt: skip
        fields: list[tuple[str, str | BaseHeader]] = []
        if request.method == "INVITE" and code < 300:
            if self.dialog is not None:
                fields.append(("Contact", self.dialog.contact))
            fields += self._core.capability_headers()
        elif code < 300:
            fields += self._core.identity_headers()
        fields += headers
        body = b""
        if sdp is not None:
            fields.append(("Content-Type", "application/sdp"))
            body = sdp.encode()
        return make_response(request, code, reason, None if code == 100 else self._local_tag, fields, body)

    def _refusal(self, request: SIPRequest, refusal: Refusal) -> SIPResponse:
        return make_response(request, refusal.code, refusal.reason, self._local_tag, refusal.headers)

    def _require(self, event: InviteEvent) -> InviteState:
        try:
            return INVITE_STATES[self.state][event]
        except KeyError:
            allowed = ", ".join(known.value for known in INVITE_STATES[self.state]) or "nothing"
            raise InvalidStateError(f"{event.value} in state {self.state}; allowed here: {allowed}") from None

    def _change(
        self, event: InviteEvent, originator: str, *, method: str | None = None, code: int | None = None,
        reason: str | None = None, message: SIPRequest | SIPResponse | None = None,
        disconnect_reason: str | None = None,
    ) -> None:  # fmt: skip
        previous, self.state = self.state, self._require(event)
        self._tell(
            StateChange(
                originator,
                previous,
                self.state,
                self.sub_state,
                self.sub_state,
                method,
                code,
                reason,
                message,
                disconnect_reason,
            )
        )

    def _set_sub_state(
        self, sub_state: InviteSubState, originator: str, method: str, code: int | None = None,
        reason: str | None = None, message: SIPRequest | SIPResponse | None = None,
    ) -> None:  # fmt: skip
        previous, self.sub_state = self.sub_state, sub_state
        self._tell(StateChange(originator, self.state, self.state, previous, sub_state, method, code, reason, message))

    def _tell(self, change: StateChange) -> None:
        if self.user is not None:
            self.user.state_changed(change)

    def _disconnect(
        self, now: float, event: InviteEvent = InviteEvent.ENDED, method: str | None = None,
        message: SIPRequest | SIPResponse | None = None,
    ) -> None:  # fmt: skip
        if self.state is InviteState.DISCONNECTED:
            return
        self._stop_limit()
        if self._incoming is not None:
            self._incoming.abandon()
        if self._outgoing is not None:
            self._outgoing.abandon()
        if self.dialog is not None:
            self.dialog.state = DialogState.TERMINATED
            self._core.remove_dialog(self.dialog, self)
        outcome = self._outcome or _Outcome("local", None, None, "user request")
        code, reason = outcome.code, outcome.reason
        if code is None and isinstance(message, SIPResponse):
            code, reason = message.code, message.reason
        self._change(
            event, outcome.originator, method=method, code=code, reason=reason, message=message,
            disconnect_reason=outcome.disconnect_reason,
        )  # fmt: skip

    def _start_limit(self, seconds: float, callback: Callable[[float], None], now: float) -> None:
        self._stop_limit()
        self._limit = self._core.timers.schedule(now + seconds, callback)

    def _stop_limit(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None


class _Nobody:
    """The owner of a request whose outcome changes nothing."""

    def request_progressed(self, outgoing: OutgoingRequest, response: SIPResponse, now: float) -> None: ...

    def request_succeeded(self, outgoing: OutgoingRequest, response: SIPResponse, now: float) -> None: ...

    def request_refused(self, outgoing: OutgoingRequest, response: SIPResponse, now: float) -> None: ...

    def request_failed(self, outgoing: OutgoingRequest, code: int, error: str, now: float) -> None: ...
