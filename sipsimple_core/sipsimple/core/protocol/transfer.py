"""Call transfer: a REFER inside the dialog of a call (RFC 5589; RFC 3515 2.4.6, RFC 3891, RFC 5057).

The referral is a second usage of the call's dialog, with the CSeq numbers of both in one order, and may outlive the
call itself.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from sipsimple.core.protocol.event_headers import REFER_EVENT, number_of
from sipsimple.core.protocol.invite_events import InvalidStateError
from sipsimple.core.protocol.invite_states import InviteState
from sipsimple.core.protocol.invite_usage import InviteUsage
from sipsimple.core.protocol.notifier_usage import NotifierUsage
from sipsimple.core.protocol.referral_usage import IncomingReferralUsage
from sipsimple.core.protocol.subscription_usage import SubscriptionUsage
from sipsimple.core.wire.headers import FrozenEventHeader, FrozenReferToHeader, FrozenReplacesHeader
from sipsimple.core.wire.uri import FrozenSIPURI
from sipsimple.core.wire.validation import Refusal

if TYPE_CHECKING:
    from sipsimple.core.protocol.dialog import DialogId
    from sipsimple.core.protocol.hop import Hop
    from sipsimple.core.protocol.subscription_events import SubscriptionUser
    from sipsimple.core.protocol.transaction_layer import ServerTransaction
    from sipsimple.core.protocol.user_agent import DialogUsage, UserAgentCore
    from sipsimple.core.wire.headers import BaseHeader
    from sipsimple.core.wire.message import SIPRequest
    from sipsimple.core.wire.uri import BaseSIPURI

__all__ = ["TransferUser", "receive_transfer", "send_transfer", "transfer_target"]


@runtime_checkable
class TransferUser(Protocol):
    """What the user of an `InviteUsage` is as well, if its calls may be transferred."""

    def transfer_received(self, usage: IncomingReferralUsage, request: SIPRequest, now: float) -> None:
        """The remote party asks to call somebody else; the user sets `usage.notifier.user` and answers."""


def transfer_target(target: BaseSIPURI, replaced: DialogId | None = None) -> FrozenReferToHeader:
    """The Refer-To of a transfer; with a dialog of ours to be replaced, an attended one (RFC 3891 3, RFC 5589 7).

    The tags are named as the target sees them: its own is our remote one.
    """
    uri = FrozenSIPURI.new(target)
    if replaced is not None:
        replaces = FrozenReplacesHeader(replaced.call_id, replaced.remote_tag, replaced.local_tag)
        headers = {**dict(uri.headers), "Replaces": replaces.body}
        uri = FrozenSIPURI(uri.host, uri.user, uri.password, uri.port, uri.secure, uri.parameters, headers)
    return FrozenReferToHeader(uri)


def send_transfer(
    core: UserAgentCore,
    call: InviteUsage,
    headers: Sequence[tuple[str, str | BaseHeader]],
    user: SubscriptionUser,
    timeout: float | None = None,
    *,
    now: float,
) -> SubscriptionUsage:
    """Sends a REFER with these headers in the dialog of a call, with its credentials.

    Raises `InvalidStateError` unless the call is connected.
    """
    if call.state is not InviteState.CONNECTED or call.dialog is None:
        raise InvalidStateError(f"a call can't be transferred in state {call.state}")
    usage = SubscriptionUsage(core, FrozenEventHeader(REFER_EVENT), user, authenticator=call.authenticator)
    usage.start_in_dialog(call.dialog, headers, timeout, now=now)
    return usage


def receive_transfer(
    core: UserAgentCore,
    request: SIPRequest,
    transaction: ServerTransaction,
    source: Hop,
    usages: Sequence[DialogUsage],
    on_over: Callable[[NotifierUsage], None],
    now: float,
) -> Refusal | None:
    """Takes a REFER of a call's dialog and tells the call's user; the refusal when it can't be taken."""
    call = next((usage for usage in usages if isinstance(usage, InviteUsage)), None)
    if call is None or call.dialog is None:
        return Refusal.of(481)
    if not call.dialog.receive_request(request):
        return Refusal.of(500, "CSeq out of order")  # RFC 3261 12.2.2
    if call.state is not InviteState.CONNECTED or any(
        isinstance(usage, NotifierUsage) and usage.event.event == REFER_EVENT for usage in usages
    ):
        # one transfer at a time, and none of a call that is beginning or ending
        return Refusal.of(491)
    if not isinstance(call.user, TransferUser):
        return Refusal.of(603)
    # RFC 3515 2.4.6: the first REFER of a dialog may go without id, and most expect it to
    notifier = NotifierUsage(
        core, FrozenEventHeader(REFER_EVENT), ids=(None, number_of(request)), dialog=call.dialog, on_over=on_over
    )
    notifier.receive(request, transaction, source, call.dialog.contact, 0, now)
    call.user.transfer_received(IncomingReferralUsage(notifier), request, now)
    return None
