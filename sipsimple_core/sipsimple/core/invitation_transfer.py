"""Call transfer as `Invitation` has it: REFER inside the call, both ways (RFC 5589, RFC 3515)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sipsimple.core import subscription_notifications as _notifications  # noqa: F401
from sipsimple.core.protocol.invite_events import InvalidStateError
from sipsimple.core.protocol.referral_usage import progress_of, refer_headers
from sipsimple.core.protocol.subscription_states import SubscriptionState
from sipsimple.core.protocol.transfer import send_transfer, transfer_target
from sipsimple.core.reporting import post
from sipsimple.core.wire.reasons import reason_phrase
from sipsimple.notification import NotificationCenter

if TYPE_CHECKING:
    from sipsimple.core.engine import Engine
    from sipsimple.core.protocol.dialog import DialogId
    from sipsimple.core.protocol.invite_usage import InviteUsage
    from sipsimple.core.protocol.notifier_events import NotifierEnding
    from sipsimple.core.protocol.notifier_states import NotifierState
    from sipsimple.core.protocol.referral_usage import IncomingReferralUsage
    from sipsimple.core.protocol.subscription_events import SubscriptionOutcome
    from sipsimple.core.protocol.subscription_usage import SubscriptionUsage
    from sipsimple.core.wire.headers import BaseHeader, FrozenFromHeader, FrozenSubscriptionStateHeader, FrozenToHeader
    from sipsimple.core.wire.message import SIPRequest, SIPResponse
    from sipsimple.core.wire.uri import BaseSIPURI

__all__ = ["TransferableCall"]


class TransferableCall:
    """The part of `Invitation` that transfers calls."""

    _engine: Engine
    _usage: InviteUsage | None
    _outgoing_transfer: _OutgoingTransfer | None = None
    _incoming_transfer: _IncomingTransfer | None = None

    @property
    def local_identity(self) -> FrozenFromHeader | FrozenToHeader | None:
        raise NotImplementedError

    @property
    def dialog_id(self) -> DialogId | None:
        """Call-ID and tags, for `transfer` of another call; None before there is a dialog."""
        return None if self._usage is None or self._usage.dialog is None else self._usage.dialog.id

    def transfer(
        self,
        target_uri: BaseSIPURI,
        replaced_dialog_id: DialogId | None = None,
        extra_headers: Iterable[BaseHeader] = (),
        timeout: float | None = None,
    ) -> None:
        """Asks the remote party to call `target_uri`: a REFER inside the call (RFC 5589 6).

        With the `dialog_id` of another call of ours, that of the party that is to be called, its call takes that one's
        place: an attended transfer (RFC 5589 7, RFC 3891). `timeout` bounds the REFER, in seconds. The call goes on:
        `end` it when the transfer has succeeded. Raises `InvalidStateError` when the call is not connected, or a
        transfer is under way.
        """
        if self._usage is None:
            raise InvalidStateError("there is no call to transfer")
        if self._outgoing_transfer is not None:
            raise InvalidStateError("a transfer is under way; one at a time")
        identity = self.local_identity
        assert identity is not None
        refer_to = transfer_target(target_uri, replaced_dialog_id)
        headers = refer_headers(refer_to, identity, [(header.name, header) for header in extra_headers])
        transfer = _OutgoingTransfer(self)
        transfer.usage = send_transfer(
            self._engine.core, self._usage, headers, transfer, timeout, now=self._engine.now()
        )
        self._outgoing_transfer = transfer
        post(
            "SIPInvitationTransferNewOutgoing",
            self,
            transfer_destination=target_uri,
            transfer_source=identity.uri,
        )

    def notify_transfer_progress(self, code: int, reason: str | None = None) -> None:
        """Tells the party that transfers us how far the new call is; a final status ends the transfer.

        Raises `InvalidStateError` when there is no transfer to us, `ValueError` for what is no status.
        """
        transfer = self._incoming_transfer
        if transfer is None:
            raise InvalidStateError("there is no incoming transfer")
        transfer.tell(code, reason or reason_phrase(code), self._engine.now())

    def transfer_received(self, usage: IncomingReferralUsage, request: SIPRequest, now: float) -> None:
        """The core calls it: the remote party sent a REFER."""
        if not NotificationCenter().is_observed("SIPInvitationTransferNewIncoming", self):
            # RFC 3515 2.4.2: nobody here follows references
            usage.reject(603, now=now)
            return
        if self._incoming_transfer is not None:
            # its sender wants to hear no more of it, else this one would have been refused
            self._incoming_transfer.give_up()
        # 2.4.4: agreed to at once, since whom it asks may take longer than a request may wait
        self._incoming_transfer = _IncomingTransfer(self, usage)
        usage.accept(now=now)
        post(
            "SIPInvitationTransferNewIncoming",
            self,
            refer_to=usage.refer_to,
            referred_by=usage.referred_by,
            headers=request.headers,
        )


class _Transfer:
    """The outcome of a transfer, which is posted once."""

    def __init__(self, call: TransferableCall) -> None:
        self._call = call
        self._settled = False
        self._started = False

    def _start(self) -> None:
        if not self._started:
            self._started = True
            post("SIPInvitationTransferDidStart", self._call)

    def _settle(self, code: int, reason: str) -> None:
        """A final status of the new call, or of the attempt to have it made."""
        if self._settled:
            return
        self._settled = True
        call = self._call
        if call._outgoing_transfer is self:
            call._outgoing_transfer = None
        if call._incoming_transfer is self:
            call._incoming_transfer = None
        if code < 300:
            post("SIPInvitationTransferDidEnd", call)
        else:
            post("SIPInvitationTransferDidFail", call, code=code, reason=reason)


class _OutgoingTransfer(_Transfer):
    """A transfer that we asked for: the user of its subscription."""

    usage: SubscriptionUsage

    def subscription_started(self, now: float) -> None:
        self._start()

    def state_changed(self, previous: SubscriptionState, state: SubscriptionState) -> None:
        """The progress of the new call is what counts."""

    def notify_received(self, request: SIPRequest, state: FrozenSubscriptionStateHeader, now: float) -> None:
        progress = progress_of(request)
        if progress is None or self._settled:
            return
        post("SIPInvitationTransferGotNotify", self._call, code=progress[0], reason=progress[1])
        if progress[0] >= 200:
            self._settle(*progress)
            if self.usage.state is not SubscriptionState.TERMINATED:
                # RFC 3515 2.4.5: it should have ended with that
                self.usage.end(now=now)

    def subscription_ended(self, outcome: SubscriptionOutcome, now: float) -> None:
        if outcome.failed:
            code = outcome.code or 500
            self._settle(code, outcome.reason or reason_phrase(code))
        elif outcome.code is not None:
            # RFC 4488 4: accepted, and nothing will be told
            self._settle(outcome.code, outcome.reason or reason_phrase(outcome.code))
        else:
            self._settle(408, "the outcome was not told")


class _IncomingTransfer(_Transfer):
    """A transfer that we are asked for: the user of the subscription to it."""

    def __init__(self, call: TransferableCall, usage: IncomingReferralUsage) -> None:
        super().__init__(call)
        self._usage = usage
        usage.notifier.user = self

    def tell(self, code: int, reason: str, now: float) -> None:
        self._usage.notify(code, reason, now=now)
        if code < 300:
            self._start()
        if code >= 200:
            self._settle(code, reason)

    def give_up(self) -> None:
        self._settle(487, "another transfer takes its place")

    def state_changed(self, previous: NotifierState, state: NotifierState) -> None:
        """What we do is not told by that."""

    def subscription_refreshed(self, request: SIPRequest, expires: int, now: float) -> None:
        """It goes on."""

    def subscription_cancelled(self, request: SIPRequest, now: float) -> None:
        """Nobody wants to hear of it; the new call may be made all the same."""

    def subscription_expired(self, now: float) -> None:
        if not self._started:
            # nobody here has said anything in all the time
            self._settle(408, reason_phrase(408))

    def notify_succeeded(self, response: SIPResponse, now: float) -> None:
        """The one that matters is the last, and that is sent once and for all."""

    def notify_failed(self, code: int, reason: str, now: float) -> None:
        """See `subscription_cancelled`."""

    def subscription_ended(self, ending: NotifierEnding, now: float) -> None:
        """See `subscription_cancelled`."""
