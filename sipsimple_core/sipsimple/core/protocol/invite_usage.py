"""The INVITE usage of a dialog (RFC 3261 13 to 15, RFC 5057): what a call is, for both parties.

Who does what: `InviteMachine` has the states; `Caller` and `Callee` the first INVITE, one of them in each call;
`SentProposals` and `ReceivedProposals` the re-INVITEs and UPDATEs; `SessionTimer` the refreshes; a `Leg` one dialog
with what was agreed in it. This module joins them: it sends and takes the BYE, and sorts what comes. Below are the
transactions, reached through `UserAgentCore`; above is an `InviteUser`. Time is an argument.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, ClassVar

from sipsimple.core.protocol.authentication import Authenticator
from sipsimple.core.protocol.callee import Callee
from sipsimple.core.protocol.caller import Caller
from sipsimple.core.protocol.dialog import Dialog, DialogState, new_call_id, new_tag, number_of
from sipsimple.core.protocol.invite_events import InvalidStateError, Outcome
from sipsimple.core.protocol.invite_info import receive_info
from sipsimple.core.protocol.invite_leg import Leg
from sipsimple.core.protocol.invite_machine import InviteMachine
from sipsimple.core.protocol.invite_reasons import reasons_of, with_reason
from sipsimple.core.protocol.invite_states import InviteEvent, InviteState
from sipsimple.core.protocol.mandatory import mandatory
from sipsimple.core.protocol.offer_answer_messages import description_body, read_offer
from sipsimple.core.protocol.outgoing_request import OutgoingRequest
from sipsimple.core.protocol.received_proposal import ReceivedProposals
from sipsimple.core.protocol.replaces import REPLACED
from sipsimple.core.protocol.sent_proposal import SentProposals
from sipsimple.core.protocol.session_timer import SessionTimer
from sipsimple.core.wire.headers import BaseHeader, FrozenContactHeader, FrozenFromHeader, FrozenToHeader
from sipsimple.core.wire.message import SIPRequest, SIPResponse, make_response
from sipsimple.core.wire.reasons import reason_phrase
from sipsimple.core.wire.sdp import BaseSDPSession
from sipsimple.core.wire.validation import Refusal

if TYPE_CHECKING:
    from sipsimple.core.protocol.hop import Hop
    from sipsimple.core.protocol.invite_events import InviteUser
    from sipsimple.core.protocol.offer_answer import OfferAnswer
    from sipsimple.core.protocol.timers import Timer
    from sipsimple.core.protocol.transaction_layer import ServerTransaction
    from sipsimple.core.protocol.user_agent import UserAgentCore
    from sipsimple.core.wire.digest import BaseCredentials
    from sipsimple.core.wire.headers import FrozenRouteHeader
    from sipsimple.core.wire.uri import FrozenSIPURI

__all__ = ["ANSWER_TIMEOUT", "HeaderList", "InviteUsage"]

log = logging.getLogger("sipsimple.core.invite")

HeaderList = Iterable[tuple[str, str | BaseHeader]]

#: How long an incoming INVITE may wait for our final response, in seconds (RFC 3261 16.6 gives up after 3 minutes).
ANSWER_TIMEOUT = 180.0


class InviteUsage(InviteMachine):
    """See the module.

    Attributes: `state`, `sub_state`, `leg`, `dialog` (None before there is one) and `negotiation` (an `OfferAnswer`)
    of that leg, `hop` (where the remote party is, as far as the first request tells), `initial` (the first INVITE),
    `direction` ('incoming' or 'outgoing'), `replaced` (the call that an incoming one is to replace, or None).
    """

    __slots__ = (
        "_bye_headers", "_bye_sent", "_callee", "_caller", "_limit", "_local_tag", "_proposal_limit", "authenticator",
        "call_id", "core", "direction", "hop", "initial", "leg", "received", "sent", "timer",
    )  # fmt: skip

    ANSWER_TIMEOUT: ClassVar[float] = ANSWER_TIMEOUT

    def __init__(self, core: UserAgentCore, user: InviteUser | None = None) -> None:
        super().__init__(user)
        self.core = core
        self.direction: str | None = None
        self.hop: Hop | None = None
        self.initial: SIPRequest | None = None
        self.authenticator: Authenticator | None = None
        self.call_id = new_call_id()
        self.leg = Leg()
        self.timer = SessionTimer(core.invite_options, core.timers, self)
        self.sent = SentProposals(self)
        self.received = ReceivedProposals(self)
        self._caller: Caller | None = None
        self._callee: Callee | None = None
        self._local_tag = new_tag()
        self._bye_headers: tuple[tuple[str, str | BaseHeader], ...] = ()
        self._bye_sent = False
        self._limit: Timer | None = None
        self._proposal_limit: Timer | None = None

    @property
    def dialog(self) -> Dialog | None:
        return self.leg.dialog

    @property
    def negotiation(self) -> OfferAnswer:
        return self.leg.negotiation

    @property
    def replaced(self) -> InviteUsage | None:
        return None if self._callee is None else self._callee.replaced

    def tagged(self, header: FrozenFromHeader) -> FrozenFromHeader:
        """The From header of our call, with the tag that is ours (RFC 3261 19.3)."""
        return FrozenFromHeader(header.uri, header.display_name, {**dict(header.parameters), "tag": self._local_tag})

    # What the layer above asks for

    def use_credentials(self, credentials: BaseCredentials | None) -> None:
        """What answers the challenges to our requests from now on, those inside the dialog too (22.2, 22.3)."""
        self.authenticator = None if credentials is None else Authenticator(credentials)

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

        Without `sdp` the remote party makes the offer, which `answer` answers. `credentials` answer the challenges to
        it and to the later requests of the call. Raises `InvalidStateError` when there was a call before.
        """
        self.require(InviteEvent.SEND_INVITE)
        self.use_credentials(credentials)
        self.leg.awaits_offer = sdp is None
        content_type, body = (None, b"") if sdp is None else description_body(self.negotiation.send_offer(sdp))
        fields: list[tuple[str, str | BaseHeader]] = [("Max-Forwards", "70")]
        fields += [("Route", route) for route in routes]
        fields += [
            ("From", self.tagged(from_header)),
            ("To", to_header),
            ("Call-ID", self.call_id),
            ("CSeq", "1 INVITE"),
            ("Contact", contact),
        ]
        fields += self.core.capability_headers()
        fields += self.timer.request_headers()
        fields += headers
        if content_type is not None:
            fields.append(("Content-Type", content_type))
        request = SIPRequest("INVITE", request_uri, fields, body)
        self.direction, self.hop, self.initial = "outgoing", hop, request
        self.change(InviteEvent.SEND_INVITE, "local", "INVITE", message=request)
        if self.state is InviteState.OUTGOING:
            self._caller = Caller(self, request, hop, contact, timeout, now)
        else:
            # ended by the layer above while it was told: nothing was sent, nothing is owed
            self.disconnect(now)

    def respond(
        self,
        code: int,
        reason: str | None = None,
        contact: FrozenContactHeader | None = None,
        sdp: BaseSDPSession | None = None,
        headers: HeaderList = (),
        *,
        reliable: bool | None = None,
        now: float,
    ) -> None:
        """Answers the INVITE, re-INVITE or UPDATE that waits for it.

        `sdp` is the answer to its offer (or our offer, where it had none). A provisional response with `sdp` is
        early media; it goes reliably (RFC 3262) where the remote party supports that, as does each with `reliable`.
        Raises `InvalidStateError` when nothing waits for an answer, `OfferAnswerError` when `sdp` does not answer the
        offer.
        """
        if contact is not None and self.dialog is not None:
            self.dialog.contact = contact
        if self.received.waits:
            self.received.respond(code, reason, sdp, headers, now)
        elif self._callee is not None:
            self._callee.respond(code, reason, sdp, headers, reliable, now)
        else:
            raise InvalidStateError(f"no INVITE waits for a response in state {self.state}")

    def answer(self, sdp: BaseSDPSession, *, now: float) -> None:
        """Answers the offer that came in a response to an INVITE of ours without one (13.2.1).

        Raises `InvalidStateError` when none waits for it, `OfferAnswerError` when `sdp` is no answer.
        """
        if self.leg.late is None:
            raise InvalidStateError(f"no offer in a response waits for an answer in state {self.state}")
        self.leg.late.give(sdp, now)

    def send_reinvite(
        self,
        sdp: BaseSDPSession | None,
        contact: FrozenContactHeader | None = None,
        headers: HeaderList = (),
        timeout: float | None = None,
        *,
        now: float,
    ) -> None:
        """Offers a new session description (14.1), or asks for one with None, which `answer` answers.

        Raises `InvalidStateError` while another offer is open.
        """
        self._use_contact(contact)
        self.sent.reinvite(sdp, headers, timeout, now)

    def send_update(
        self,
        sdp: BaseSDPSession | None = None,
        contact: FrozenContactHeader | None = None,
        headers: HeaderList = (),
        timeout: float | None = None,
        *,
        now: float,
    ) -> None:
        """Sends an UPDATE (RFC 3311), which the remote party answers at once, and also before the call is accepted.

        Raises `InvalidStateError` while an offer is open or before there is a dialog.
        """
        self._use_contact(contact)
        self.sent.update(sdp, headers, timeout, now)

    def _use_contact(self, contact: FrozenContactHeader | None) -> None:
        if contact is not None and self.dialog is not None:
            self.dialog.contact = contact

    def cancel_reinvite(self, headers: HeaderList = (), *, now: float) -> None:
        """Takes our open re-INVITE back (CANCEL). Raises `InvalidStateError` when none is open."""
        self.sent.cancel(headers, now)

    def end(self, headers: HeaderList = (), timeout: float | None = None, *, now: float) -> None:
        """Ends the call as its state asks: CANCEL, 480 or BYE; a second call changes nothing.

        After `timeout` seconds the end is no longer waited for. Raises `InvalidStateError` before there was a call.
        """
        if self.is_over:
            return
        if self.state is InviteState.NULL:
            raise InvalidStateError("there is no call to end")
        if self._callee is not None and self.state in (InviteState.INCOMING, InviteState.EARLY):
            self._callee.refuse(480, None, headers, Outcome("local", 480, reason_phrase(480)), now)
            return
        self._bye_headers = tuple(headers)
        if self.state in (InviteState.OUTGOING, InviteState.EARLY):
            outcome, method = Outcome("local", 487, reason_phrase(487)), "CANCEL"
        else:
            outcome, method = Outcome("local"), "BYE"
        if timeout is not None:
            self.start_limit(timeout, self.disconnect, now)
        self._end(outcome, method, now)

    def _end(self, outcome: Outcome, method: str, now: float) -> None:
        before, self.outcome = self.state, outcome
        self.change(InviteEvent.END, "local", method)
        if self.state is not InviteState.DISCONNECTING:
            return
        party = self._caller or self._callee
        if before is InviteState.CONNECTED:
            self.send_bye(now)
        elif before is InviteState.CONNECTING and party is not None:
            party.end_accepted(now)
        elif self._caller is not None:
            self._caller.cancel(self._bye_headers, now)

    # The core hands over what the dialog receives

    def receive_invite(
        self, request: SIPRequest, transaction: ServerTransaction, source: Hop, contact: FrozenContactHeader,
        now: float, replaced: InviteUsage | None = None,
    ) -> bool:  # fmt: skip
        """Begins with an INVITE from outside a dialog; False when it was refused at once (13.3.1)."""
        self.direction, self.hop, self.initial = "incoming", source, request
        self.call_id = mandatory(request).call_id
        refusal = self.timer.refuse(request) or read_offer(self.negotiation, request)
        if refusal is None:
            try:
                self.leg.dialog = Dialog.from_request(request, self._local_tag, contact, source)
            except ValueError as error:
                refusal = Refusal(400, f"Bad Contact: {error}")
        if refusal is not None:
            transaction.respond(self.refusal(request, refusal), now)
            self.state = InviteState.DISCONNECTED
            return False
        assert self.dialog is not None
        self.leg.learn(request)
        self.core.add_dialog(self.dialog, self)
        self._callee = Callee(self, request, transaction, replaced)
        self.start_limit(ANSWER_TIMEOUT, self._not_answered, now)
        return True

    def announce(self) -> None:
        """Tells the user of the INVITE that `receive_invite` took."""
        self.change(InviteEvent.RECEIVE_INVITE, "remote", "INVITE", message=self.initial)

    def _not_answered(self, now: float) -> None:
        log.info("INVITE %s was not answered in time", self.call_id)
        self.end(now=now)

    def serves(self, request: SIPRequest) -> bool:
        return request.method in ("INVITE", "ACK", "BYE", "UPDATE", "PRACK", "INFO")

    def request_received(
        self, request: SIPRequest, transaction: ServerTransaction | None, source: Hop, now: float
    ) -> None:
        """A request inside the dialog."""
        if request.method == "ACK":
            self._receive_ack(request, now)
            return
        leg = self._leg_of(request)
        assert transaction is not None and leg.dialog is not None
        if not leg.dialog.receive_request(request):
            # 12.2.2: a lower number than before
            transaction.respond(self.response(request, 500, "CSeq out of order", now=now), now)
        elif request.method == "BYE":
            self._receive_bye(leg, request, transaction, now)
        elif self.is_over:
            transaction.respond(self.response(request, 481, now=now), now)
        elif request.method == "INVITE":
            self.received.receive_reinvite(request, transaction, now)
        elif request.method == "UPDATE":
            self.received.receive_update(leg, request, transaction, now)
        elif request.method == "INFO":
            receive_info(self, request, transaction, now)
        elif self._callee is not None:
            self._callee.prack_received(request, transaction, now)
        else:
            # RFC 3262 3: a PRACK of no response of ours
            transaction.respond(self.response(request, 481, now=now), now)

    def _leg_of(self, request: SIPRequest) -> Leg:
        """Of several early dialogs the one that a request belongs to (12.2.2)."""
        if self._caller is None:
            return self.leg
        return self._caller.leg_of(mandatory(request).from_header.tag or "") or self.leg

    def _receive_ack(self, ack: SIPRequest, now: float) -> None:
        callee = self._callee
        if callee is not None and number_of(callee.invite.request) == number_of(ack):
            callee.invite.ack_received(ack, now)
        else:
            self.received.ack_received(ack, now)

    def _receive_bye(self, leg: Leg, request: SIPRequest, transaction: ServerTransaction, now: float) -> None:
        transaction.respond(self.response(request, 200, now=now), now)
        caller = self._caller
        if caller is not None and self.state is InviteState.EARLY:
            if caller.has_other_legs(leg):
                caller.drop_leg(leg)
                return
            caller.cancel((), now)
        if self._callee is not None and self._callee.invite.final_code is None:
            # 15.1.2: a request that still waits is answered with 487
            invite = self._callee.invite
            invite.respond(self.response(invite.request, 487, now=now), now)
        if self.outcome is None:
            self.outcome = Outcome("remote", reasons=reasons_of(request))
        self.disconnect(now, InviteEvent.BYE, "BYE", request)

    # What the parts of the call ask for

    def pick(self, leg: Leg, now: float) -> None:
        """Of several legs this one is the call."""
        if self.leg is not leg and self.sub_state is not None:
            self.sent.abandon()
            self.sub_state = None
        self.leg = leg

    def be_replaced(self, now: float) -> None:
        """Another call was accepted in the place of this one (RFC 3891 3): it ends."""
        if not self.is_over:
            method = "CANCEL" if self.state in (InviteState.OUTGOING, InviteState.EARLY) else "BYE"
            self._end(Outcome("remote", None, None, REPLACED), method, now)

    def settled(self, now: float) -> None:
        """No proposal is open any more."""
        party = self._caller or self._callee
        if party is not None and not self.is_over:
            party.settled(now)

    def fail_negotiation(self, error: str, now: float) -> None:
        """An offer that the call can't do without has no answer: the call ends."""
        if self.state in (InviteState.CONNECTING, InviteState.CONNECTED):
            self._bye_headers = tuple(with_reason((), 488, error))
            self.outcome = Outcome("local", 488, reason_phrase(488), f"SDP negotiation error: {error}")
            self.change(InviteEvent.END, "local", "BYE")
        if self.state is InviteState.DISCONNECTING:
            self.send_bye(now)

    def ack_missing(self, error: str, now: float) -> None:
        """13.3.1.4: nobody acknowledges our 2xx."""
        if self.outcome is None:
            self.outcome = Outcome("remote", 408, reason_phrase(408), error)
        if self.state in (InviteState.CONNECTING, InviteState.CONNECTED):
            self.change(InviteEvent.END, "local", "BYE")
        if self.state is InviteState.DISCONNECTING:
            self.send_bye(now)

    def answer_missing(self, leg: Leg, now: float) -> None:
        """The user has not answered the offer in a response in time: nobody else waits any longer."""
        late = leg.late
        if late is None:
            return
        log.info("The offer in a response to %s was not answered in time", self.call_id)
        if self.state in (InviteState.OUTGOING, InviteState.EARLY):
            late.drop()
            self.end(now=now)
            return
        if self.state is InviteState.CONNECTING:
            self.outcome = Outcome("local", 408, reason_phrase(408), "the offer was not answered in time")
            self.change(InviteEvent.END, "local", "BYE")
        late.refuse(now)

    # Session timer

    def refresh_due(self, now: float) -> None:
        self.sent.refresh(now)

    def session_expired(self, now: float) -> None:
        if self.state in (InviteState.CONNECTING, InviteState.CONNECTED):
            self._bye_headers = tuple(with_reason((), 408, "session expired"))
            self._end(Outcome("local", 408, reason_phrase(408), "session expired"), "BYE", now)

    # BYE: the usage is the owner of that request

    def send_bye(self, now: float) -> None:
        """Says BYE, once."""
        dialog = self.dialog
        if self._bye_sent or dialog is None:
            return
        self._bye_sent = True
        request = dialog.create_request("BYE", self._bye_headers)
        OutgoingRequest(request, [dialog.next_hop()], self.core, self, self.authenticator, dialog, now=now)

    def request_progressed(self, outgoing: OutgoingRequest, response: SIPResponse, now: float) -> None:
        """A BYE is answered or it is not."""

    def request_succeeded(self, outgoing: OutgoingRequest, response: SIPResponse, now: float) -> None:
        if self.state is InviteState.DISCONNECTING:
            self.disconnect(now, InviteEvent.ENDED, "BYE", response)

    request_refused = request_succeeded

    def request_failed(self, outgoing: OutgoingRequest, code: int, error: str, now: float) -> None:
        self.disconnect(now, InviteEvent.ENDED, "BYE")

    def disconnect(
        self, now: float, event: InviteEvent = InviteEvent.ENDED, method: str | None = None,
        message: SIPRequest | SIPResponse | None = None,
    ) -> None:  # fmt: skip
        """The call is over: nothing of it is waited for any more."""
        if self.state is InviteState.DISCONNECTED:
            return
        self.stop_limit()
        self.timer.stop()
        self.sent.abandon()
        self.received.abandon(now)
        party = self._caller or self._callee
        if party is not None:
            party.abandon()
        dialog = self.dialog
        if dialog is not None:
            if dialog.state is DialogState.CONFIRMED:
                self.core.ended_calls.add(dialog.id)
            dialog.state = DialogState.TERMINATED
            self.core.remove_dialog(dialog, self)
        outcome = self.outcome = self.outcome or Outcome("local")
        code, reason = outcome.code, outcome.reason
        if code is None and isinstance(message, SIPResponse):
            code, reason = message.code, message.reason
        self.change(event, outcome.originator, method, code, reason, message)
        # the transaction of the INVITE lives on for half a minute, and with it what it knows of
        self.user = None

    # Responses of ours

    def response(
        self, request: SIPRequest, code: int, reason: str | None = None, headers: HeaderList = (),
        sdp: BaseSDPSession | None = None, now: float | None = None,
    ) -> SIPResponse:  # fmt: skip
        """A response to a request of the call; a 2xx to INVITE or UPDATE starts the session timer at `now`."""
        fields: list[tuple[str, str | BaseHeader]] = []
        if request.method in ("INVITE", "UPDATE") and code < 300:
            if self.dialog is not None:
                fields.append(("Contact", self.dialog.contact))
            fields += self.core.capability_headers()
            if code >= 200 and now is not None:
                fields += self.timer.answer(request, now)
        elif code < 300:
            fields += self.core.identity_headers()
        fields += headers
        body = b""
        if sdp is not None:
            content_type, body = description_body(sdp)
            fields.append(("Content-Type", content_type))
        return make_response(request, code, reason, None if code == 100 else self._local_tag, fields, body)

    def refusal(self, request: SIPRequest, refusal: Refusal) -> SIPResponse:
        """The response that a request is owed instead of being served."""
        return make_response(request, refusal.code, refusal.reason, self._local_tag, refusal.headers)

    # Limits

    def start_limit(self, seconds: float, callback: Callable[[float], None], now: float) -> None:
        """Bounds the wait for the user's answer to an INVITE, or for the end of the call."""
        self.stop_limit()
        self._limit = self.core.timers.schedule(now + seconds, callback)

    def stop_limit(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None

    def propose_limit(self, seconds: float, callback: Callable[[float], None], now: float) -> None:
        """Bounds the wait for the user's answer to an UPDATE or PRACK."""
        self.stop_propose_limit()
        self._proposal_limit = self.core.timers.schedule(now + seconds, callback)

    def stop_propose_limit(self) -> None:
        if self._proposal_limit is not None:
            self._proposal_limit.cancel()
            self._proposal_limit = None
