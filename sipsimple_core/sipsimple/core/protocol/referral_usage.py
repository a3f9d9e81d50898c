"""Referrals (RFC 3515): what a REFER is made of, and the one that somebody sends to us.

A REFER subscribes its sender to what becomes of it: the package is `refer`, the NOTIFYs carry the status line of the
referenced request (message/sipfrag, RFC 3420), the final one ends the subscription. With Refer-Sub: false there is none
(RFC 4488). A referral of ours is a `SubscriptionUsage` whose first request is the REFER.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipsimple.core.protocol.event_headers import wants_no_subscription
from sipsimple.core.protocol.invite_events import InvalidStateError
from sipsimple.core.protocol.notifier_states import NotifierState
from sipsimple.core.protocol.notifier_usage import MAX_EXPIRES, NotifierUsage
from sipsimple.core.wire.errors import SIPParseError
from sipsimple.core.wire.headers import FrozenReferredByHeader, FrozenReferToHeader
from sipsimple.core.wire.sipfrag import SIPFRAG, encode_sipfrag, parse_sipfrag

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sipsimple.core.wire.headers import BaseFromHeader, BaseHeader, BaseReferToHeader, BaseToHeader
    from sipsimple.core.wire.message import SIPRequest

__all__ = ["DEFAULT_DURATION", "IncomingReferralUsage", "progress_of", "refer_headers"]

#: How long a referral's progress is told, in seconds, unless the layer above says otherwise.
DEFAULT_DURATION = 180

_CONTENT_TYPE = f"{SIPFRAG};version=2.0"


def refer_headers(
    refer_to: BaseReferToHeader,
    identity: BaseFromHeader | BaseToHeader,
    headers: Sequence[tuple[str, str | BaseHeader]] = (),
    create_subscription: bool = True,
) -> list[tuple[str, str | BaseHeader]]:
    """The headers of a REFER (RFC 3515 2.1), with `identity` as Referred-By (RFC 3892) unless `headers` have one."""
    fields: list[tuple[str, str | BaseHeader]] = [("Refer-To", refer_to)]
    if not any(name.lower() in ("referred-by", "b") for name, _ in headers):
        fields.append(("Referred-By", FrozenReferredByHeader(identity.uri, identity.display_name)))
    if not create_subscription:
        # RFC 4488 4: asked for, not required, as few know it
        fields += [("Refer-Sub", "false"), ("Supported", "norefersub")]
    return [*fields, *headers]


def progress_of(notify: SIPRequest) -> tuple[int, str] | None:
    """Status code and phrase that a NOTIFY of a referral tells (RFC 3515 2.4.5); None when its body is no fragment."""
    if notify.content_type != SIPFRAG:
        return None
    try:
        return parse_sipfrag(notify.body)
    except SIPParseError:
        return None


class IncomingReferralUsage:
    """A REFER that we got, on top of the subscription that it asks for.

    Attributes: `notifier` (whose user is told what happens), `refer_to`, `referred_by` (None without a header that can
    be read), `has_subscription` (False where the sender wants to hear nothing).
    """

    def __init__(self, notifier: NotifierUsage) -> None:
        request = notifier.initial
        assert request is not None
        self.notifier = notifier
        self.has_subscription = not wants_no_subscription(request)
        refer_to = request.headers.first(FrozenReferToHeader)
        assert refer_to is not None, "a REFER without Refer-To is refused before"
        self.refer_to: FrozenReferToHeader = refer_to
        try:
            self.referred_by = request.headers.first(FrozenReferredByHeader)
        except SIPParseError:
            self.referred_by = None

    @property
    def state(self) -> NotifierState:
        return self.notifier.state

    def accept(self, code: int = 202, duration: int = DEFAULT_DURATION, *, now: float) -> None:
        """Agrees to try, and says so for at most `duration` seconds: the first NOTIFY is 100 (RFC 3515 2.4.4, 2.4.5).

        Raises `InvalidStateError` when it was answered before.
        """
        if not self.has_subscription:
            self.notifier.accept_unsubscribed(code, [("Refer-Sub", "false")], now=now)
            return
        self.notifier.expires = max(1, min(duration, MAX_EXPIRES))
        self.notifier.accept(_CONTENT_TYPE, encode_sipfrag(100), code, now=now)

    def reject(self, code: int, reason: str | None = None, *, now: float) -> None:
        """Refuses it. Raises `InvalidStateError` when it was answered before."""
        self.notifier.reject(code, reason, now=now)

    def notify(self, code: int, reason: str | None = None, *, now: float) -> None:
        """Tells the status of the referenced request; a final one ends the subscription (2.4.5).

        Nobody is told when there is no subscription, or none any more. Raises `InvalidStateError` before `accept`.
        """
        if self.state is NotifierState.TERMINATED:
            return
        if code >= 200:
            # before `accept` there is nothing that could end this way
            if self.state is NotifierState.INCOMING:
                raise InvalidStateError(f"a final status in state {self.state}; accept or reject the referral first")
            self.end(code, reason, now=now)
        else:
            self.notifier.push(_CONTENT_TYPE, encode_sipfrag(code, reason), now=now)

    def end(self, code: int, reason: str | None = None, *, now: float) -> None:
        """Ends it, with that status as the last one told; one that waits for an answer is refused with 480."""
        self.notifier.end("noresource", _CONTENT_TYPE, encode_sipfrag(code, reason), now=now)
