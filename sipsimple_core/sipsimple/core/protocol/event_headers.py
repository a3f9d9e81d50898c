"""What the headers of event notification say of a message (RFC 6665 4.1.3, 4.2.1.1, 8.2; RFC 3515 2.4; RFC 4488 4)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipsimple.core.wire.errors import SIPParseError
from sipsimple.core.wire.headers import (
    FrozenEventHeader,
    FrozenReferSubHeader,
    FrozenReferToHeader,
    FrozenSubscriptionStateHeader,
)
from sipsimple.core.wire.validation import Refusal

if TYPE_CHECKING:
    from collections.abc import Collection

    from sipsimple.core.wire.message import SIPMessage, SIPRequest

__all__ = ["REFER_EVENT", "is_about", "number_of", "refuse_refer", "subscription_state_of", "wants_no_subscription"]

#: The package that REFER subscribes to (RFC 3515 3).
REFER_EVENT = "refer"


def is_about(request: SIPRequest, event: str, ids: Collection[str | None]) -> bool:
    """Whether the Event header of a request names the package and one of the ids (None: no id), octet by octet (8.2.1).

    An Event header that is absent or malformed names nothing.
    """
    try:
        header = request.headers.first(FrozenEventHeader)
    except SIPParseError:
        return False
    return header is not None and header.event == event and header.id in ids


def subscription_state_of(notify: SIPRequest) -> FrozenSubscriptionStateHeader:
    """What a NOTIFY says of its subscription. Raises `SIPParseError` when it doesn't, or not so that it can be read."""
    state = notify.headers.first(FrozenSubscriptionStateHeader)
    if state is None:
        raise SIPParseError("Subscription-State is missing")
    # numbers are read when they are asked for
    _ = state.expires, state.retry_after
    return state


def wants_no_subscription(message: SIPMessage) -> bool:
    """Whether a REFER, or the 2xx to one, says Refer-Sub: false (RFC 4488 4)."""
    try:
        header = message.headers.first(FrozenReferSubHeader)
    except SIPParseError:
        return False
    return header is not None and str(header.value).lower() == "false"


def refuse_refer(request: SIPRequest) -> Refusal | None:
    """400 for a REFER that does not have exactly one Refer-To that can be read (RFC 3515 2.4.2)."""
    try:
        targets = request.headers.all(FrozenReferToHeader)
    except SIPParseError:
        return Refusal.of(400, "Refer-To is malformed")
    return None if len(targets) == 1 else Refusal.of(400, "not exactly one Refer-To")


def number_of(request: SIPRequest) -> str:
    """The CSeq number: the id of the subscription that a REFER makes (RFC 3515 2.4.6)."""
    cseq = request.cseq
    assert cseq is not None, "the transaction layer validates requests"
    return str(cseq.number)
