"""`Referral` and `IncomingReferral`: asking somebody to contact somebody else, and being asked (RFC 3515)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sipsimple.core.incoming_subscription import Notifier
from sipsimple.core.protocol.event_headers import REFER_EVENT
from sipsimple.core.protocol.invite_events import InvalidStateError
from sipsimple.core.protocol.referral_usage import DEFAULT_DURATION, IncomingReferralUsage, progress_of, refer_headers
from sipsimple.core.reporting import post
from sipsimple.core.subscription import Subscriber
from sipsimple.core.wire.headers import BaseReferToHeader, FrozenEventHeader, FrozenReferToHeader

if TYPE_CHECKING:
    from sipsimple.core.destinations import Routes
    from sipsimple.core.protocol.subscription_events import SubscriptionOutcome
    from sipsimple.core.wire.digest import BaseCredentials
    from sipsimple.core.wire.headers import (
        BaseContactHeader,
        BaseFromHeader,
        BaseHeader,
        BaseToHeader,
        FrozenReferredByHeader,
        FrozenSubscriptionStateHeader,
    )
    from sipsimple.core.wire.message import SIPRequest
    from sipsimple.core.wire.uri import BaseSIPURI

__all__ = ["IncomingReferral", "Referral"]


class Referral(Subscriber):
    """A REFER outside a call, and what becomes of it (RFC 3515, RFC 4488).

    :param refer_to_header: what the recipient is to contact.
    :param route_header: one route, or several to try in this order; their hosts are addresses.
    :param credentials: answer the challenges to any of its requests.

    Methods are called in the reactor thread. Raises `ValueError` when a route names no IP address.

    Notifications: `SIPReferralWillStart`, `SIPReferralDidStart`, `SIPReferralChangedState`, `SIPReferralGotNotify`, and
    at last `SIPReferralDidFail` or `SIPReferralDidEnd`.
    """

    _prefix = "SIPReferral"

    def __init__(
        self,
        request_uri: BaseSIPURI,
        from_header: BaseFromHeader,
        to_header: BaseToHeader,
        refer_to_header: BaseReferToHeader,
        contact_header: BaseContactHeader,
        route_header: Routes,
        credentials: BaseCredentials | None = None,
    ) -> None:
        event = FrozenEventHeader(REFER_EVENT)
        super().__init__(request_uri, from_header, to_header, contact_header, event, route_header, credentials)
        self.refer_to_header = FrozenReferToHeader.new(refer_to_header)
        self._progress: tuple[int | None, str | None] = (None, None)

    def send_refer(
        self,
        create_subscription: bool = True,
        extra_headers: Iterable[BaseHeader] = (),
        timeout: float | None = None,
    ) -> None:
        """Sends the REFER; without `create_subscription` the recipient is asked to tell nothing more (RFC 4488).

        Referred-By is the From, unless `extra_headers` have another. `timeout` bounds the request, in seconds. Raises
        `InvalidStateError` when it was sent before, `EngineError` when the engine is not running.
        """
        if self._usage is not None:
            raise InvalidStateError(f"send_refer in state {self.state}; allowed in a new referral only")
        headers = [(header.name, header) for header in extra_headers]
        fields = refer_headers(self.refer_to_header, self.from_header, headers, create_subscription)
        usage = self._usage = self._new_usage(None)
        usage.start(
            self.request_uri, self.from_header, self.to_header, self.contact_header, self._destinations, fields,
            timeout=timeout, method="REFER", now=self._engine.now(),
        )  # fmt: skip

    def notify_received(self, request: SIPRequest, state: FrozenSubscriptionStateHeader, now: float) -> None:
        progress = progress_of(request)
        if progress is not None:
            self._progress = progress
            if progress[0] >= 200 and self._usage is not None:
                # the end is near, whatever the NOTIFY says
                self._usage.refreshes = False
        code, reason = progress or (None, None)
        post(
            "SIPReferralGotNotify",
            self,
            code=code,
            reason=reason,
            event=self.event,
            state=state.state,
            content_type=request.content_type,
            headers=request.headers,
            body=request.body,
        )

    def _ended(self, outcome: SubscriptionOutcome) -> None:
        code, reason = self._progress
        post("SIPReferralDidEnd", self, originator=outcome.originator, code=code, reason=reason)


class IncomingReferral(Notifier):
    """A REFER outside a call that somebody sent to us; welcome once `Engine.add_event` registered `refer` (RFC 3515).

    Made by the engine and announced by `SIPIncomingReferralGotRefer`. Methods are called in the reactor thread, and
    raise `InvalidStateError` in a state that does not know them.

    Notifications: `SIPIncomingReferralGotRefer`, `SIPIncomingReferralChangedState`,
    `SIPIncomingReferralGotRefreshingSubscribe`, `SIPIncomingReferralGotUnsubscribe`, `SIPIncomingReferralDidTimeout`,
    `SIPIncomingReferralNotifyDidSucceed`, `SIPIncomingReferralNotifyDidFail`, and at last `SIPIncomingReferralDidEnd`.

    Attributes: `refer_to`, `referred_by` (None without), `has_subscription` (False: the sender wants to hear nothing,
    and progress is told to nobody), `state`, `expires`, `request_uri`, `from_header`, `to_header`, `call_id`,
    `contact_header` (ours), `peer_address` (a Hop), `remote_user_agent`.
    """

    _prefix = "SIPIncomingReferral"

    def __init__(self, usage: IncomingReferralUsage) -> None:
        super().__init__(usage.notifier)
        self._referral = usage

    @property
    def refer_to(self) -> FrozenReferToHeader:
        return self._referral.refer_to

    @property
    def referred_by(self) -> FrozenReferredByHeader | None:
        return self._referral.referred_by

    @property
    def has_subscription(self) -> bool:
        return self._referral.has_subscription

    def accept(self, code: int = 202, duration: int = DEFAULT_DURATION) -> None:
        """Agrees to try; the sender hears of it for `duration` seconds at most, beginning with 100."""
        if not 200 <= code <= 299:
            raise ValueError(f"{code} is no status code that accepts")
        self._referral.accept(code, duration, now=self._engine.now())

    def reject(self, code: int) -> None:
        """Refuses it with a status code of 300 or more."""
        if not 300 <= code <= 699:
            raise ValueError(f"{code} is no status code of a refusal")
        self._referral.reject(code, now=self._engine.now())

    def send_notify(self, code: int, status: str | None = None) -> None:
        """Tells the status of the referenced request, with its usual phrase by default; a final one is the last.

        Does nothing where nobody wants to hear it, or any more.
        """
        self._referral.notify(code, status, now=self._engine.now())

    def end(self, code: int, status: str | None = None) -> None:
        """Ends it with that status, final or not; one that waits for an answer is refused with 480."""
        self._referral.end(code, status, now=self._engine.now())

    def announce(self, request: SIPRequest) -> None:
        """The engine calls it once."""
        post(
            "SIPIncomingReferralGotRefer",
            self,
            refer_to=self.refer_to,
            referred_by=self.referred_by,
            **self._describe(request),
        )
