"""The states of a subscription as the subscriber sees it, as a table (RFC 6665 4.1.2, figure 1).

Theory of operation: the request that asks for the subscription (SUBSCRIBE, or REFER, RFC 3515 2.4.4) leads from NULL to
NOTIFY_WAIT; the first NOTIFY, and not the 2xx, says what became of it (4.1.2.4). From then on each NOTIFY gives the
state in its Subscription-State. Asked to end it we are TERMINATING until the last NOTIFY came, which the RFC's figure
does not show. What a state does not list is an error of the program, never of the network: messages are sorted first.
"""

from __future__ import annotations

from enum import Enum, StrEnum

__all__ = ["SUBSCRIPTION_STATES", "SubscriptionEvent", "SubscriptionState", "resubscription_delay"]


class SubscriptionState(StrEnum):
    NULL = "null"
    NOTIFY_WAIT = "notify_wait"
    PENDING = "pending"
    ACTIVE = "active"
    TERMINATING = "terminating"
    TERMINATED = "terminated"


class SubscriptionEvent(Enum):
    SUBSCRIBE = "send SUBSCRIBE or REFER"
    NOTIFY_PENDING = "NOTIFY, state=pending"
    NOTIFY_ACTIVE = "NOTIFY, state=active"
    NOTIFY_TERMINATED = "NOTIFY, state=terminated"
    FAILED = "refusal, time-out or transport error that leaves no subscription, timer N, or expiry"
    NO_SUBSCRIPTION = "2xx to a REFER with Refer-Sub: false"
    END = "end"
    ENDED = "unsubscribed, or given up waiting for that"


_S, _E = SubscriptionState, SubscriptionEvent

SUBSCRIPTION_STATES: dict[SubscriptionState, dict[SubscriptionEvent, SubscriptionState]] = {
    _S.NULL: {_E.SUBSCRIBE: _S.NOTIFY_WAIT},
    _S.NOTIFY_WAIT: {
        _E.NOTIFY_PENDING: _S.PENDING,
        _E.NOTIFY_ACTIVE: _S.ACTIVE,
        _E.NOTIFY_TERMINATED: _S.TERMINATED,
        _E.FAILED: _S.TERMINATED,
        _E.NO_SUBSCRIPTION: _S.TERMINATED,
        _E.END: _S.TERMINATING,
    },
    _S.PENDING: {
        _E.NOTIFY_PENDING: _S.PENDING,
        _E.NOTIFY_ACTIVE: _S.ACTIVE,
        _E.NOTIFY_TERMINATED: _S.TERMINATED,
        _E.FAILED: _S.TERMINATED,
        _E.END: _S.TERMINATING,
    },
    _S.ACTIVE: {
        _E.NOTIFY_PENDING: _S.PENDING,
        _E.NOTIFY_ACTIVE: _S.ACTIVE,
        _E.NOTIFY_TERMINATED: _S.TERMINATED,
        _E.FAILED: _S.TERMINATED,
        _E.END: _S.TERMINATING,
    },
    _S.TERMINATING: {
        _E.NOTIFY_PENDING: _S.TERMINATING,
        _E.NOTIFY_ACTIVE: _S.TERMINATING,
        _E.NOTIFY_TERMINATED: _S.TERMINATED,
        _E.ENDED: _S.TERMINATED,
    },
    _S.TERMINATED: {},
}

#: RFC 6665 4.1.3: seconds before a new subscription may be tried where the NOTIFY gives no retry-after. `probation`
#: and `giveup` without one are told to wait all the same, as an immediate try would end alike.
_RESUBSCRIPTION_DELAYS: dict[str, int | None] = {
    "deactivated": 0,
    "probation": 600,
    "rejected": None,
    "timeout": 0,
    "giveup": 600,
    "noresource": None,
    "invariant": None,
}

#: Reasons whose retry-after has no meaning (4.1.3).
_WITHOUT_RETRY_AFTER = frozenset(("deactivated", "rejected", "timeout", "noresource", "invariant"))


def resubscription_delay(reason: str | None, retry_after: int | None) -> int | None:
    """In how many seconds a new subscription may be tried after a NOTIFY with state=terminated (RFC 6665 4.1.3).

    None: it should not be. A reason that is missing or unknown allows it at any time, unless retry-after says when.
    """
    if retry_after is not None and reason not in _WITHOUT_RETRY_AFTER:
        return retry_after
    return _RESUBSCRIPTION_DELAYS.get(reason or "", 0)
