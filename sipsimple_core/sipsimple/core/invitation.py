"""`Invitation`: a call as applications and sessions see it, on top of the INVITE usage of a dialog."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from sipsimple.core import notifications as _notifications  # noqa: F401
from sipsimple.core.destinations import destinations_of
from sipsimple.core.invitation_transfer import TransferableCall
from sipsimple.core.protocol.glare import glare_delay
from sipsimple.core.protocol.hop import Hop
from sipsimple.core.protocol.invite_events import Info, InvalidStateError, SDPUpdate, StateChange
from sipsimple.core.protocol.invite_info import send_info
from sipsimple.core.protocol.invite_states import InviteState
from sipsimple.core.protocol.invite_usage import InviteUsage
from sipsimple.core.protocol.mandatory import mandatory
from sipsimple.core.wire.headers import (
    BaseContactHeader,
    BaseFromHeader,
    BaseHeader,
    BaseRouteHeader,
    BaseToHeader,
    FrozenContactHeader,
    FrozenFromHeader,
    FrozenRouteHeader,
    FrozenToHeader,
)
from sipsimple.core.wire.sdp import BaseSDPSession, FrozenSDPSession
from sipsimple.core.wire.uri import BaseSIPURI, FrozenSIPURI
from sipsimple.notification import NotificationCenter, NotificationData

if TYPE_CHECKING:
    from sipsimple.core.engine import Engine
    from sipsimple.core.protocol.outgoing_request import OutgoingRequest
    from sipsimple.core.wire.absolute_uri import AnyFrozenURI
    from sipsimple.core.wire.digest import BaseCredentials
    from sipsimple.core.wire.header_fields import HeaderFields
    from sipsimple.core.wire.message import SIPResponse

__all__ = ["Invitation"]


class Invitation(TransferableCall):
    """A call, from the INVITE to the BYE (RFC 3261 13 to 15).

    An outgoing one is made by `Invitation()` and `send_invite`; an incoming one is made by the engine and announced by
    `SIPInvitationChangedState` with state `incoming`. Methods are called in the reactor thread.

    Notifications: `SIPInvitationChangedState`, `SIPInvitationGotSDPUpdate`, `SIPInvitationGotInfo`,
    `SIPInvitationDidSendInfo`, `SIPInvitationDidNotSendInfo`, and those of transfers:
    `SIPInvitationTransferNewOutgoing`, `SIPInvitationTransferNewIncoming`, `SIPInvitationTransferDidStart`,
    `SIPInvitationTransferGotNotify`, and at last `SIPInvitationTransferDidEnd` or `SIPInvitationTransferDidFail`.

    Attributes: `direction` ('incoming', 'outgoing' or None), `from_header`, `to_header` (as in the first INVITE, with
    the tags known so far), `request_uri`, `contact_header` (ours), `remote_contact_header`, `route_header`,
    `call_id`, `transport`, `peer_address` (a Hop), `remote_user_agent`, `invite_headers` (of the first INVITE).
    """

    def __init__(self, _usage: InviteUsage | None = None) -> None:
        from sipsimple.core.engine import Engine

        self._engine: Engine = Engine()
        self._usage = _usage
        self.direction: str | None = None
        self.request_uri: AnyFrozenURI | None = None
        self.from_header: FrozenFromHeader | None = None
        self.to_header: FrozenToHeader | None = None
        self.contact_header: FrozenContactHeader | None = None
        self.remote_contact_header: FrozenContactHeader | None = None
        self.route_header: FrozenRouteHeader | None = None
        self.remote_user_agent: str | None = None
        self.call_id: str | None = None
        if _usage is not None:
            self._take_incoming(_usage)

    def _take_incoming(self, usage: InviteUsage) -> None:
        request = usage.initial
        assert request is not None and usage.dialog is not None
        usage.user = self
        self.direction = "incoming"
        self.request_uri = request.request_uri
        self.from_header, self.to_header, *_ = mandatory(request)
        self.contact_header = usage.dialog.contact
        self.remote_contact_header = (
            FrozenContactHeader.new(request.contact[0])
            if request.contact
            else FrozenContactHeader(usage.dialog.remote_target)
        )
        self.remote_user_agent = request.user_agent
        self.call_id = request.call_id

    @property
    def state(self) -> str | None:
        return None if self._usage is None else _name(self._usage.state)

    @property
    def sub_state(self) -> str | None:
        return None if self._usage is None or self._usage.sub_state is None else self._usage.sub_state.value

    @property
    def local_identity(self) -> FrozenFromHeader | FrozenToHeader | None:
        return self.to_header if self.direction == "incoming" else self.from_header

    @property
    def remote_identity(self) -> FrozenFromHeader | FrozenToHeader | None:
        return self.from_header if self.direction == "incoming" else self.to_header

    @property
    def peer_address(self) -> Hop | None:
        return None if self._usage is None else self._usage.hop

    @property
    def transport(self) -> str | None:
        hop = self.peer_address
        return None if hop is None else hop.transport

    @property
    def invite_headers(self) -> HeaderFields | None:
        return None if self._usage is None or self._usage.initial is None else self._usage.initial.headers

    @property
    def remote_sdp_offer(self) -> FrozenSDPSession | None:
        """The remote party's offer that waits for our answer."""
        return None if self._usage is None else self._usage.negotiation.remote_offer

    @property
    def replaced_invitation(self) -> Invitation | None:
        """The call of ours whose place this incoming one is to take (RFC 3891): it ends when this one is accepted."""
        replaced = None if self._usage is None else self._usage.replaced
        user = None if replaced is None else replaced.user
        return user if isinstance(user, Invitation) else None

    @property
    def session_interval(self) -> int:
        """Seconds within which the session has to be refreshed (RFC 4028); 0 without session timer."""
        return 0 if self._usage is None else self._usage.timer.interval

    def glare_delay(self) -> float:
        """Seconds to wait, at random, before a proposal is sent again that met one of the remote party (14.1)."""
        return glare_delay(self.direction == "outgoing", self._engine.core.random)

    @property
    def active_local_sdp(self) -> FrozenSDPSession | None:
        return None if self._usage is None else self._usage.negotiation.active_local

    @property
    def active_remote_sdp(self) -> FrozenSDPSession | None:
        return None if self._usage is None else self._usage.negotiation.active_remote

    def send_invite(
        self,
        request_uri: BaseSIPURI,
        from_header: BaseFromHeader,
        to_header: BaseToHeader,
        route_header: BaseRouteHeader,
        contact_header: BaseContactHeader,
        sdp: BaseSDPSession | None,
        credentials: BaseCredentials | None = None,
        extra_headers: Iterable[BaseHeader] = (),
        timeout: float | None = None,
    ) -> None:
        """Calls `request_uri` by way of `route_header`, whose host is an address.

        Without `sdp` the remote party makes the offer: when it has come, it is `remote_sdp_offer`, and `send_answer`
        answers it within 20 seconds (13.2.1).
        `credentials`: for the challenges to any request of the call. `timeout`: seconds to wait for the final
        response; without one the call is cancelled and ends with 408. Raises `InvalidStateError` when the invitation
        was used before, `ValueError` when the route names no address.
        """
        if self._usage is not None:
            raise InvalidStateError(f"send_invite in state {self.state}; allowed in a new invitation only")
        route = FrozenRouteHeader.new(route_header)
        uri = FrozenSIPURI.new(request_uri)
        [destination] = destinations_of(route, uri)
        self.direction = "outgoing"
        self.request_uri, self.route_header = uri, route
        self.to_header = FrozenToHeader.new(to_header)
        self.contact_header = FrozenContactHeader.new(contact_header)
        usage = self._usage = InviteUsage(self._engine.core, self)
        self.from_header = usage.tagged(FrozenFromHeader.new(from_header))
        self.call_id = usage.call_id
        routes = [] if destination.route is None else [destination.route]
        usage.send_invite(
            uri, self.from_header, self.to_header, routes, self.contact_header, sdp, destination.hop,
            _fields(extra_headers), timeout,
            credentials, now=self._engine.now(),
        )  # fmt: skip

    def use_credentials(self, credentials: BaseCredentials | None) -> None:
        """What answers challenges to our requests in this call from now on; an incoming one has no other way.

        Raises `InvalidStateError` before there was a call.
        """
        self._call.use_credentials(credentials)

    def send_response(
        self,
        code: int,
        reason: str | None = None,
        contact_header: BaseContactHeader | None = None,
        sdp: BaseSDPSession | None = None,
        extra_headers: Iterable[BaseHeader] = (),
        reliable: bool | None = None,
    ) -> None:
        """Answers the INVITE, re-INVITE or UPDATE that waits for it: `sdp` answers its offer, or ours.

        A provisional response with `sdp` is for early media; it goes reliably (RFC 3262) if the remote party supports
        that, and so does one without if `reliable`. An UPDATE has to be answered within 20 seconds.
        Raises `InvalidStateError` when nothing waits, `OfferAnswerError` (a ValueError) when `sdp` is no answer.
        """
        contact = _contact(contact_header)
        if contact is not None:
            self.contact_header = contact
        self._call.respond(
            code, reason, contact, sdp, _fields(extra_headers), reliable=reliable, now=self._engine.now()
        )

    def send_answer(self, sdp: BaseSDPSession) -> None:
        """Answers the offer in a response to an INVITE of ours that had none.

        Raises `InvalidStateError` when none waits, `OfferAnswerError` (a ValueError) when `sdp` is no answer.
        """
        self._call.answer(sdp, now=self._engine.now())

    def send_reinvite(
        self,
        contact_header: BaseContactHeader | None = None,
        sdp: BaseSDPSession | None = None,
        extra_headers: Iterable[BaseHeader] = (),
        late_offer: bool = False,
    ) -> None:
        """Offers `sdp`, or the active description again when None (14.1). Raises `InvalidStateError`.

        With `late_offer` it has no offer and asks the remote party for one, which `send_answer` answers.
        """
        offer = None if late_offer else sdp or self.active_local_sdp
        if offer is None and not late_offer:
            raise InvalidStateError(f"send_reinvite in state {self.state}; there is no session description yet")
        self._call.send_reinvite(offer, _contact(contact_header), _fields(extra_headers), now=self._engine.now())

    def send_update(
        self,
        contact_header: BaseContactHeader | None = None,
        sdp: BaseSDPSession | None = None,
        extra_headers: Iterable[BaseHeader] = (),
    ) -> None:
        """Sends an UPDATE (RFC 3311): offers `sdp` to a party that answers at once, or only says where we are.

        It may be sent before the call is accepted, once the first offer was answered. Raises `InvalidStateError`.
        """
        self._call.send_update(sdp, _contact(contact_header), _fields(extra_headers), now=self._engine.now())

    def send_info(
        self,
        content_type: str | None = None,
        body: bytes = b"",
        package: str | None = None,
        extra_headers: Iterable[BaseHeader] = (),
    ) -> None:
        """Sends an INFO (RFC 6086), of a package or of none; one of the two notifications of its outcome follows.

        Raises `InvalidStateError` unless the call is connected.
        """
        owner = _InfoOwner(self)
        send_info(self._call, content_type, body, package, _fields(extra_headers), owner, self._engine.now())

    def cancel_reinvite(self) -> None:
        """Takes the open re-INVITE back. Raises `InvalidStateError` when none is open."""
        self._call.cancel_reinvite(now=self._engine.now())

    def end(self, extra_headers: Iterable[BaseHeader] = (), timeout: float | None = None) -> None:
        """Ends the call with CANCEL, 480 or BYE, as its state asks; `timeout` bounds the wait, in seconds.

        Raises `InvalidStateError` before there was a call; after its end it does nothing.
        """
        self._call.end(_fields(extra_headers), timeout, now=self._engine.now())

    @property
    def _call(self) -> InviteUsage:
        if self._usage is None:
            raise InvalidStateError("the invitation has no call yet; send_invite starts one")
        return self._usage

    # What the usage tells its user

    def state_changed(self, change: StateChange) -> None:
        message = change.message
        if message is not None and change.originator == "remote":
            self._learn(change)
        _post(
            "SIPInvitationChangedState",
            self,
            originator=change.originator,
            prev_state=_name(change.prev_state),
            state=_name(change.state),
            prev_sub_state=None if change.prev_sub_state is None else change.prev_sub_state.value,
            sub_state=None if change.sub_state is None else change.sub_state.value,
            method=change.method,
            code=change.code,
            reason=change.reason,
            headers=None if message is None else message.headers,
            body=None if message is None else message.body,
            disconnect_reason=change.disconnect_reason,
            reason_headers=list(change.reasons),
            targets=list(change.targets),
        )

    def _learn(self, change: StateChange) -> None:
        message = change.message
        assert message is not None
        if self.remote_user_agent is None:
            self.remote_user_agent = message.user_agent
        usage = self._usage
        if (
            self.direction == "outgoing"
            and change.state is InviteState.CONNECTING
            and usage is not None
            and usage.dialog
        ):
            self.to_header = mandatory(message).to_header
            self.remote_contact_header = FrozenContactHeader(usage.dialog.remote_target)

    def sdp_updated(self, update: SDPUpdate) -> None:
        _post(
            "SIPInvitationGotSDPUpdate",
            self,
            succeeded=update.succeeded,
            local_sdp=update.local_sdp,
            remote_sdp=update.remote_sdp,
            error=update.error,
            early=update.early,
        )

    def info_received(self, info: Info) -> None:
        _post(
            "SIPInvitationGotInfo",
            self,
            content_type=info.content_type,
            body=info.body,
            package=info.package,
            headers=info.request.headers,
        )


class _InfoOwner:
    """Who hears of the outcome of an INFO."""

    __slots__ = ("_invitation",)

    def __init__(self, invitation: Invitation) -> None:
        self._invitation = invitation

    def request_progressed(self, outgoing: OutgoingRequest, response: SIPResponse, now: float) -> None:
        """It is answered or it is not."""

    def request_succeeded(self, outgoing: OutgoingRequest, response: SIPResponse, now: float) -> None:
        _post("SIPInvitationDidSendInfo", self._invitation, code=response.code, reason=response.reason)

    def request_refused(self, outgoing: OutgoingRequest, response: SIPResponse, now: float) -> None:
        _post("SIPInvitationDidNotSendInfo", self._invitation, code=response.code, reason=response.reason)

    def request_failed(self, outgoing: OutgoingRequest, code: int, error: str, now: float) -> None:
        _post("SIPInvitationDidNotSendInfo", self._invitation, code=code, reason=error)


def _post(name: str, sender: Invitation, **data: Any) -> None:
    NotificationCenter().post_notification(name, sender=sender, data=NotificationData(**data))


def _name(state: InviteState) -> str | None:
    return None if state is InviteState.NULL else state.value


def _contact(header: BaseContactHeader | None) -> FrozenContactHeader | None:
    return None if header is None else FrozenContactHeader.new(header)


def _fields(headers: Iterable[BaseHeader]) -> list[tuple[str, str | BaseHeader]]:
    return [(header.name, header) for header in headers]
