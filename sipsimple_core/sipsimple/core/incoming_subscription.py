"""`IncomingSubscription`: what somebody else wants to know of us, told as it changes (RFC 6665 4.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sipsimple.core import subscription_notifications as _notifications  # noqa: F401
from sipsimple.core.protocol.notifier_states import NotifierState
from sipsimple.core.reporting import post

if TYPE_CHECKING:
    from sipsimple.core.engine import Engine
    from sipsimple.core.protocol.hop import Hop
    from sipsimple.core.protocol.notifier_events import NotifierEnding
    from sipsimple.core.protocol.notifier_usage import NotifierUsage
    from sipsimple.core.wire.absolute_uri import AnyFrozenURI
    from sipsimple.core.wire.message import SIPRequest, SIPResponse

__all__ = ["IncomingSubscription", "Notifier"]


class Notifier:
    """What subscriptions and referrals of others have in common: addresses, state, and what they tell.

    The names of its notifications begin with `_prefix`.
    """

    _prefix = ""

    def __init__(self, usage: NotifierUsage) -> None:
        from sipsimple.core.engine import Engine

        request, dialog = usage.initial, usage.dialog
        assert request is not None and request.from_header is not None and request.to_header is not None
        assert dialog is not None
        self._engine: Engine = Engine()
        self._usage = usage
        usage.user = self
        self.peer_address: Hop = dialog.hop
        self.contact_header = dialog.contact
        self.request_uri: AnyFrozenURI = request.request_uri
        self.from_header = request.from_header
        self.to_header = request.to_header
        self.call_id = request.call_id
        self.remote_user_agent = request.user_agent

    @property
    def event(self) -> str:
        """The event package."""
        return self._usage.event.event

    @property
    def state(self) -> str:
        """incoming, pending, active or terminated."""
        return self._usage.state.value

    @property
    def expires(self) -> int:
        """Seconds granted last."""
        return self._usage.expires

    def _describe(self, request: SIPRequest) -> dict[str, Any]:
        return {
            "request_uri": self.request_uri,
            "from_header": self.from_header,
            "to_header": self.to_header,
            "headers": request.headers,
            "content_type": request.content_type,
            "body": request.body,
        }

    # What the usage tells its user

    def state_changed(self, previous: NotifierState, state: NotifierState) -> None:
        prev_state = None if previous is NotifierState.NULL else previous.value
        post(f"{self._prefix}ChangedState", self, prev_state=prev_state, state=state.value)

    def subscription_refreshed(self, request: SIPRequest, expires: int, now: float) -> None:
        post(
            f"{self._prefix}GotRefreshingSubscribe",
            self,
            expires=expires,
            headers=request.headers,
            content_type=request.content_type,
            body=request.body,
        )

    def subscription_cancelled(self, request: SIPRequest, now: float) -> None:
        post(f"{self._prefix}GotUnsubscribe", self, headers=request.headers)

    def subscription_expired(self, now: float) -> None:
        post(f"{self._prefix}DidTimeout", self)

    def notify_succeeded(self, response: SIPResponse, now: float) -> None:
        post(
            f"{self._prefix}NotifyDidSucceed",
            self,
            code=response.code,
            reason=response.reason,
            headers=response.headers,
        )

    def notify_failed(self, code: int, reason: str, now: float) -> None:
        post(f"{self._prefix}NotifyDidFail", self, code=code, reason=reason)

    def subscription_ended(self, ending: NotifierEnding, now: float) -> None:
        post(f"{self._prefix}DidEnd", self, originator=ending.originator, reason=ending.reason)


class IncomingSubscription(Notifier):
    """A subscription of somebody else to an event package that `Engine.add_event` registered (RFC 6665 4.2).

    Made by the engine and announced by `SIPIncomingSubscriptionGotSubscribe`. Methods are called in the reactor thread
    and raise `InvalidStateError` in a state that does not know them, `ValueError` for content without type or of none.

    Notifications: `SIPIncomingSubscriptionGotSubscribe`, `SIPIncomingSubscriptionChangedState`,
    `SIPIncomingSubscriptionGotRefreshingSubscribe`, `SIPIncomingSubscriptionGotUnsubscribe`,
    `SIPIncomingSubscriptionDidTimeout`, `SIPIncomingSubscriptionNotifyDidSucceed`,
    `SIPIncomingSubscriptionNotifyDidFail`, and at last `SIPIncomingSubscriptionDidEnd`.

    Attributes: `event`, `state`, `expires`, `request_uri`, `from_header`, `to_header`, `call_id`, `contact_header`
    (ours), `peer_address` (a Hop), `remote_user_agent`.
    """

    _prefix = "SIPIncomingSubscription"

    @property
    def event_id(self) -> str | None:
        """The id of the Event header (8.2.1)."""
        return self._usage.event.id

    def accept_pending(self) -> None:
        """Takes it, and leaves open whether it is granted: a NOTIFY says `pending` (4.2.1.3)."""
        self._usage.accept_pending(now=self._engine.now())

    def accept(self, content_type: str | None = None, content: bytes | None = None) -> None:
        """Grants it, at first or while it is pending: a NOTIFY says `active` and carries the content."""
        self._usage.accept(content_type, content or b"", now=self._engine.now())

    def push_content(self, content_type: str | None, content: bytes | None) -> None:
        """Tells new content, after what was told before has arrived.

        A subscriber that is 50 NOTIFYs behind is asked to subscribe anew: the subscription ends with reason
        `deactivated`.
        """
        self._usage.push(content_type, content or b"", now=self._engine.now())

    def reject(self, code: int) -> None:
        """Refuses it with a status code of 300 or more; a pending one ends with reason `rejected`."""
        if not 300 <= code <= 699:
            raise ValueError(f"{code} is no status code of a refusal")
        self._usage.reject(code, now=self._engine.now())

    def end(self, reason: str | None = None) -> None:
        """Ends it by a NOTIFY with a reason of RFC 6665 4.1.3, by default `noresource`; after the end it does nothing.

        One that waits for an answer is refused with 480.
        """
        self._usage.end(reason or "noresource", now=self._engine.now())

    def announce(self, request: SIPRequest) -> None:
        """The engine calls it once."""
        post(
            "SIPIncomingSubscriptionGotSubscribe",
            self,
            event=self.event,
            expires=self.expires,
            **self._describe(request),
        )
