"""The states of a subscription as the notifier sees it, as a table (RFC 6665 4.2.1, figure 2).

Theory of operation: a SUBSCRIBE (or a REFER) leads from NULL to INCOMING, the RFC's resp_wait, in which the layer above
decides: refuse it, let it wait (PENDING), or grant it (ACTIVE). Each of the latter two is told by a NOTIFY at once. It
ends by what we want, by the subscriber's Expires: 0, by running out, or by a NOTIFY that found nobody.
"""

from __future__ import annotations

from enum import Enum, StrEnum

__all__ = ["NOTIFIER_STATES", "NotifierEvent", "NotifierState"]


class NotifierState(StrEnum):
    NULL = "null"
    INCOMING = "incoming"
    PENDING = "pending"
    ACTIVE = "active"
    TERMINATED = "terminated"


class NotifierEvent(Enum):
    SUBSCRIBE = "receive SUBSCRIBE or REFER"
    HOLD = "accepted, policy needed"
    GRANT = "accepted, policy grants permission"
    REJECT = "refused"
    NO_SUBSCRIPTION = "accepted, Refer-Sub: false"
    NOTIFY = "notify"
    REFRESH = "receive SUBSCRIBE in the dialog"
    UNSUBSCRIBE = "receive SUBSCRIBE with Expires: 0"
    EXPIRE = "subscription expires"
    END = "ended per local policy"
    NOTIFY_FAILED = "NOTIFY failure"


_S, _E = NotifierState, NotifierEvent

NOTIFIER_STATES: dict[NotifierState, dict[NotifierEvent, NotifierState]] = {
    _S.NULL: {_E.SUBSCRIBE: _S.INCOMING},
    _S.INCOMING: {
        _E.HOLD: _S.PENDING,
        _E.GRANT: _S.ACTIVE,
        _E.REJECT: _S.TERMINATED,
        _E.NO_SUBSCRIPTION: _S.TERMINATED,
    },
    _S.PENDING: {
        _E.GRANT: _S.ACTIVE,
        _E.REJECT: _S.TERMINATED,
        _E.REFRESH: _S.PENDING,
        _E.UNSUBSCRIBE: _S.TERMINATED,
        _E.EXPIRE: _S.TERMINATED,
        _E.END: _S.TERMINATED,
        _E.NOTIFY_FAILED: _S.TERMINATED,
    },
    _S.ACTIVE: {
        _E.NOTIFY: _S.ACTIVE,
        _E.REFRESH: _S.ACTIVE,
        _E.UNSUBSCRIBE: _S.TERMINATED,
        _E.EXPIRE: _S.TERMINATED,
        _E.END: _S.TERMINATED,
        _E.NOTIFY_FAILED: _S.TERMINATED,
    },
    _S.TERMINATED: {},
}
