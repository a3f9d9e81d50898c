"""What a subscription of ours tells the layer above (RFC 6665 4.1)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from sipsimple.core.protocol.subscription_states import SubscriptionState
    from sipsimple.core.wire.headers import FrozenSubscriptionStateHeader
    from sipsimple.core.wire.message import SIPRequest, SIPResponse

__all__ = ["SubscriptionOutcome", "SubscriptionUser"]


@dataclass(frozen=True, slots=True)
class SubscriptionOutcome:
    """How a subscription ended.

    failed -- by an error, not as either party wanted
    originator -- 'local' or 'remote'
    code -- status code of what refused it, 408 or 503 where nothing came; None after a NOTIFY
    reason -- phrase, error, or the reason of Subscription-State
    retry_after -- seconds until a new subscription may be tried; None after a failure that does not say, or where none
        should be tried
    response -- the response that refused it
    """

    failed: bool
    originator: str
    code: int | None
    reason: str | None
    retry_after: int | None
    response: SIPResponse | None = None


class SubscriptionUser(Protocol):
    """The layer above. `subscription_ended` comes last, once."""

    def subscription_started(self, now: float) -> None:
        """The request was accepted, by a 2xx or by a NOTIFY that overtook it."""

    def state_changed(self, previous: SubscriptionState, state: SubscriptionState) -> None: ...

    def notify_received(self, request: SIPRequest, state: FrozenSubscriptionStateHeader, now: float) -> None: ...

    def subscription_ended(self, outcome: SubscriptionOutcome, now: float) -> None: ...
