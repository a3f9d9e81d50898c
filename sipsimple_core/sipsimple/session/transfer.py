"""Call transfer as sessions have it (SES-056 to SES-058, SES-073 to SES-075, SES-100 to SES-102; RFC 5589).

Three parties: the transferor asks the transferee, in a REFER, to call the target. `OutgoingTransfer` is the
transferor's side; what the transferee tells of its new call becomes the transferor's notifications, and when that call
stands the session ends, as it was to. `IncomingTransfer` is the transferee's: if the application agrees a new session
is made, with streams of the same kinds, and its progress is told in NOTIFYs. Of an attended transfer the target learns
by the Replaces header of the new INVITE: its new session has `replaced_session`, which ends when that is accepted.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from zope.interface import implementer

from sipsimple.account.routes import lookup_routes
from sipsimple.core import FrozenSIPURI, Header, InvalidStateError, ToHeader
from sipsimple.core.protocol.dialog import DialogId
from sipsimple.core.wire.errors import SIPParseError
from sipsimple.core.wire.escapes import unescape
from sipsimple.core.wire.headers import FrozenReplacesHeader
from sipsimple.core.wire.reasons import reason_phrase
from sipsimple.notification import IObserver, Notification, NotificationCenter, NotificationData
from sipsimple.session.errors import IllegalStateError
from sipsimple.session.states import Event
from sipsimple.util import Null

if TYPE_CHECKING:
    from twisted.python.failure import Failure

    from sipsimple.session.session import Session

__all__ = ["TRANSFER_NOTIFICATIONS", "IncomingTransfer", "OutgoingTransfer", "TransferInfo", "TransferableSession"]

log = logging.getLogger("sipsimple.session")

TRANSFER_NOTIFICATIONS = tuple(
    f"SIPInvitationTransfer{step}"
    for step in ("NewOutgoing", "NewIncoming", "DidStart", "GotNotify", "DidEnd", "DidFail")
)


@dataclass(frozen=True, slots=True)
class TransferInfo:
    """What a transfer is about.

    :ivar referred_by: the URI of who transfers (RFC 3892); None if that is not said
    :ivar replaced_dialog_id: Call-ID and tags, as the target has them, of the call that the new one replaces (RFC
        3891); None for a blind transfer
    """

    referred_by: Any = None
    replaced_dialog_id: DialogId | None = None


class TransferableSession:
    """The part of `Session` that transfers."""

    replaced_session: Any = Null
    transfer_handler: Any = Null
    transfer_info: Any = Null

    def transfer(self: Any, target_uri: Any, replaced_session: Any = None) -> None:
        """Ask the remote party to call `target_uri` instead; only in `connected`, one transfer at a time (SES-056).

        With `replaced_session`, a connected session with whoever is there, the new call takes that one's place: an
        attended transfer. This session ends when the new one has started; if it does not, nothing has changed.

        Notifications: `SIPSessionTransferNewOutgoing`, `SIPSessionTransferDidStart`, `SIPSessionTransferGotProgress`;
        then `SIPSessionTransferDidEnd`, or `SIPSessionTransferDidFail`.
        Raises ValueError for a target that is no SIP URI, and for a replaced session that is not connected.
        """
        target = FrozenSIPURI.parse(target_uri) if isinstance(target_uri, str) else FrozenSIPURI.new(target_uri)
        if replaced_session is not None and (replaced_session is self or replaced_session.state != "connected"):
            raise ValueError("replaced_session has to be another session, and connected")
        with self._lock:
            self._expect(Event.TRANSFER)
            if self.transfer_handler is not Null:
                raise IllegalStateError(self._state, (), "transfer() while a transfer is under way")
            self.transfer_handler = OutgoingTransfer(self)
        self._mailbox.put(lambda: self.transfer_handler.start(target, replaced_session))

    def accept_transfer(self: Any) -> None:
        """Agree to be transferred: a new session with the target is begun (SES-057).

        It has streams of the same kinds as this one, and announces itself with `SIPSessionNewOutgoing`. Raises
        IllegalStateError when the remote party has not asked for it.
        """
        handler = self._asked_for_transfer("accept_transfer()")
        self._mailbox.put(handler.accept)

    def reject_transfer(self: Any, code: int = 486, reason: str | None = None) -> None:
        """Refuse to be transferred, with a status code from 300 to 699 (SES-058); this session goes on.

        Raises IllegalStateError when the remote party has not asked for it.
        """
        from sipsimple.session.arguments import checked_code, checked_text

        code, reason = checked_code(code), checked_text("reason", reason)
        handler = self._asked_for_transfer("reject_transfer()")
        self._mailbox.put(handler.reject, code, reason)

    def _asked_for_transfer(self: Any, action: str) -> IncomingTransfer:
        with self._lock:
            self._expect(Event.ANSWER_TRANSFER)
            handler = self.transfer_handler
            if not isinstance(handler, IncomingTransfer) or handler.answered:
                raise IllegalStateError(self._state, (), f"{action} without a transfer that was asked for")
            handler.answered = True
            return handler

    def _transfer_notified(self: Any, invitation: Any, name: str, data: Any) -> None:
        """A notification of the invitation; in the mailbox."""
        if invitation is not self._invitation:
            return
        if name == "SIPInvitationTransferNewIncoming":
            self.transfer_handler = IncomingTransfer(self, data)
            self.transfer_handler.begin()
        elif self.transfer_handler is not Null:
            self.transfer_handler.told(name, data)


class _Transfer:
    """What both sides do alike: the notifications of the invitation become those of the session."""

    def __init__(self, session: Any) -> None:
        self.session = session

    def told(self, name: str, data: Any) -> None:
        if name == "SIPInvitationTransferDidStart":
            self.post("SIPSessionTransferDidStart")
        elif name == "SIPInvitationTransferGotNotify":
            self.post("SIPSessionTransferGotProgress", code=data.code, reason=data.reason)
        elif name == "SIPInvitationTransferDidEnd":
            self.over("SIPSessionTransferDidEnd")
            self.succeeded()
        elif name == "SIPInvitationTransferDidFail":
            self.over("SIPSessionTransferDidFail", code=data.code, reason=data.reason)

    def succeeded(self) -> None:
        """The new call stands."""

    def over(self, name: str, **data: Any) -> None:
        """The outcome."""
        if self.session.transfer_handler is self:
            self.session.transfer_handler = Null
        self.post(name, **data)

    def post(self, name: str, **data: Any) -> None:
        self.session._center.post_notification(name, self.session, NotificationData(**data))


class OutgoingTransfer(_Transfer):
    """A transfer that we have asked for."""

    def start(self, target: FrozenSIPURI, replaced: Session | None) -> None:
        session = self.session
        self.post(
            "SIPSessionTransferNewOutgoing",
            transfer_destination=target,
            transfer_source=session.local_identity and session.local_identity.uri,
        )
        invitation = session._invitation
        dialog_id = None
        if replaced is not None:
            dialog_id = replaced._invitation.dialog_id if replaced._invitation is not None else None
            if dialog_id is None:
                self.over("SIPSessionTransferDidFail", code=481, reason="the session to be replaced has ended")
                return
        try:
            if invitation is None:
                raise InvalidStateError("the session has ended")
            invitation.transfer(target, dialog_id)
        except (InvalidStateError, ValueError) as error:
            self.over("SIPSessionTransferDidFail", code=500, reason=str(error))

    def succeeded(self) -> None:
        self.session._end_if_possible()  # RFC 5589 6.1: the transferor hangs up


@implementer(IObserver)
class IncomingTransfer(_Transfer):
    """A transfer that we are asked for.

    :ivar new_session: the session with the target, once there is one
    """

    def __init__(self, session: Any, data: Any) -> None:
        super().__init__(session)
        self.answered = False
        self.new_session: Session | None = None
        self._invitation = session._invitation  # which is told of the outcome also when the session has ended
        self._refer_to = data.refer_to
        self._referred_by = data.referred_by

    def begin(self) -> None:
        """Ask the application."""
        uri = self._refer_to.uri
        if not isinstance(uri, FrozenSIPURI) or uri.parameters.get("method", "INVITE").upper() != "INVITE":
            self.reject(488, "Only SIP calls can be made")
        elif not self.session._center.is_observed("SIPSessionTransferNewIncoming", self.session):
            self.reject(603, None)  # nobody here follows references
        else:
            self.post(
                "SIPSessionTransferNewIncoming", transfer_destination=self._target(), transfer_source=self._source()
            )

    def _target(self) -> FrozenSIPURI:
        """Whom to call: the URI without the headers that it gives for that (RFC 3261 19.1.5)."""
        uri = self._refer_to.uri
        parameters = {name: value for name, value in uri.parameters.items() if name.lower() != "method"}
        return FrozenSIPURI(uri.host, uri.user, uri.password, uri.port, uri.secure, parameters)

    def _source(self) -> Any:
        if self._referred_by is not None:
            return self._referred_by.uri
        identity = self.session.remote_identity
        return None if identity is None else identity.uri

    def reject(self, code: int, reason: str | None) -> None:
        self.answered = True
        self._tell(code, reason or reason_phrase(code))

    def accept(self) -> None:
        """Begin the new session."""
        from sipsimple.session.session import Session

        target, source = self._target(), self._source()
        headers: list[Any] = []
        replaced = None
        replaces = next(
            (value for name, value in self._refer_to.uri.headers.items() if name.lower() == "replaces"), None
        )
        if replaces is not None:
            try:
                header = FrozenReplacesHeader.parse(unescape(replaces))
            except SIPParseError:
                self._tell(400, "Replaces in Refer-To can not be read")
                return
            headers.append(header)
            replaced = DialogId(header.call_id, header.to_tag, header.from_tag)
        if self._referred_by is not None:
            headers.append(Header("Referred-By", self._referred_by.body))
        self.post("SIPSessionTransferNewOutgoing", transfer_destination=target, transfer_source=source)
        new = self.new_session = Session(self.session.account)
        new.transfer_info = TransferInfo(source, replaced)
        new._invite_headers = headers
        self._tell(100, reason_phrase(100))
        lookup_routes(self.session.account, target).addCallbacks(
            lambda routes: self.session._mailbox.put(self._connect, target, routes),
            lambda failure: self.session._mailbox.put(self._no_route, failure),
        )

    def _no_route(self, failure: Failure) -> None:
        self._tell(404, failure.getErrorMessage())

    def _connect(self, target: FrozenSIPURI, routes: list[Any]) -> None:
        new = self.new_session
        assert new is not None
        center = NotificationCenter()
        for name in _PROGRESS:
            center.add_observer(self, name=name, sender=new)
        account = self.session.account
        try:
            streams = [type(stream)(account) for stream in self.session._streams]
            new.connect(ToHeader(target), routes, streams)
        except Exception as error:
            log.exception("The session that a transfer asks for could not be begun")
            self._stop_observing()
            self._tell(500, f"{type(error).__name__}: {error}")

    def _stop_observing(self) -> None:
        for name in _PROGRESS:
            NotificationCenter().discard_observer(self, name=name, sender=self.new_session)

    def handle_notification(self, notification: Notification) -> None:
        """Of the new session."""
        data = notification.data
        if notification.name == "SIPSessionGotProvisionalResponse":
            if data.code > 100:
                self._tell(data.code, data.reason)
            return
        self._stop_observing()
        if notification.name == "SIPSessionDidStart":
            self._tell(200, reason_phrase(200))
        else:
            self._tell(data.code, data.reason)

    def _tell(self, code: int, reason: str) -> None:
        """Tell the transferor; a final status ends the transfer."""
        try:
            self._invitation.notify_transfer_progress(code, reason)
        except InvalidStateError:
            log.debug("Nobody wants to hear any more of a transfer: %d %s", code, reason)


_PROGRESS = ("SIPSessionGotProvisionalResponse", "SIPSessionDidStart", "SIPSessionDidFail")
