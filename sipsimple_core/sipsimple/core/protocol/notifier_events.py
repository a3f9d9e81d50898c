"""What a subscription that somebody has to us tells the layer above (RFC 6665 4.2)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from sipsimple.core.protocol.notifier_states import NotifierState
    from sipsimple.core.wire.message import SIPRequest, SIPResponse

__all__ = ["NotifierEnding", "NotifierUser"]


@dataclass(frozen=True, slots=True)
class NotifierEnding:
    """Why a subscription is over: who ended it ('local' or 'remote'), and the reason that Subscription-State gave.

    Where no NOTIFY told it the reason is 'rejected', 'not answered', 'no subscription', or what became of the NOTIFY.
    """

    originator: str
    reason: str


class NotifierUser(Protocol):
    """The layer above. `subscription_ended` comes last, once."""

    def state_changed(self, previous: NotifierState, state: NotifierState) -> None: ...

    def subscription_refreshed(self, request: SIPRequest, expires: int, now: float) -> None:
        """A SUBSCRIBE of the dialog; the state as it was last told is sent again by itself."""

    def subscription_cancelled(self, request: SIPRequest, now: float) -> None:
        """The subscriber unsubscribed."""

    def subscription_expired(self, now: float) -> None: ...

    def notify_succeeded(self, response: SIPResponse, now: float) -> None: ...

    def notify_failed(self, code: int, reason: str, now: float) -> None: ...

    def subscription_ended(self, ending: NotifierEnding, now: float) -> None: ...
