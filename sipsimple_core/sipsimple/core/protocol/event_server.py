"""What serves SUBSCRIBE, NOTIFY and REFER outside a dialog, or inside one that is not theirs (RFC 6665, 3515).

It knows the event packages, refuses what it does not know (489), what is too brief (423), what is one too many (503),
and gives the rest to its user as a fresh `NotifierUsage`.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

from sipsimple.core.protocol.dialog import new_tag
from sipsimple.core.protocol.drop_log import DropLog
from sipsimple.core.protocol.event_headers import REFER_EVENT, number_of, refuse_refer
from sipsimple.core.protocol.notifier_usage import MIN_EXPIRES, NotifierUsage, granted_expires
from sipsimple.core.protocol.referral_usage import IncomingReferralUsage
from sipsimple.core.protocol.transfer import receive_transfer
from sipsimple.core.wire.errors import SIPParseError
from sipsimple.core.wire.grammar import is_token
from sipsimple.core.wire.headers import BaseEventHeader, BaseHeader, FrozenAcceptHeader, FrozenEventHeader
from sipsimple.core.wire.message import make_response
from sipsimple.core.wire.validation import Refusal, refuse_extensions

if TYPE_CHECKING:
    from sipsimple.core.protocol.hop import Hop
    from sipsimple.core.protocol.transaction_layer import ServerTransaction
    from sipsimple.core.protocol.user_agent import DialogUsage, UserAgentCore
    from sipsimple.core.wire.headers import FrozenContactHeader
    from sipsimple.core.wire.message import SIPRequest

__all__ = ["MAX_PACKAGES", "MAX_SUBSCRIPTIONS", "RETRY_AFTER", "EventServer", "EventServerUser"]

log = logging.getLogger("sipsimple.core.events")

#: Subscriptions that others may have to us at once, with those that wait for an answer; one more gets 503.
MAX_SUBSCRIPTIONS = 10_000
#: What that 503 says, in seconds.
RETRY_AFTER = 30
#: Event packages that may be registered.
MAX_PACKAGES = 200

#: Extensions that a SUBSCRIBE or REFER may require (RFC 4488).
SUPPORTED_EXTENSIONS = frozenset(("norefersub",))


class EventServerUser(Protocol):
    """The layer above. It sets `usage.user` and answers, at once or within `ANSWER_TIMEOUT`."""

    def subscription_received(self, usage: NotifierUsage, request: SIPRequest, now: float) -> None: ...

    def referral_received(self, usage: IncomingReferralUsage, request: SIPRequest, now: float) -> None: ...

    def local_contact(self, hop: Hop) -> FrozenContactHeader:
        """The Contact of our messages to a hop."""


class EventServer:
    """See the module. `max_subscriptions` bounds those of others to us; `subscriptions` is how many there are."""

    def __init__(self, core: UserAgentCore, user: EventServerUser, max_subscriptions: int = MAX_SUBSCRIPTIONS) -> None:
        self.max_subscriptions = max_subscriptions
        self.subscriptions = 0
        self._core = core
        self._user = user
        self._packages: dict[str, tuple[str, ...]] = {}
        self._log = DropLog(log, logging.INFO)
        core.serve("SUBSCRIBE", self._receive_subscribe, self._receive_subscribe_in_dialog)
        core.serve("NOTIFY", self._receive_notify)
        core.serve("REFER", self._receive_refer, self._receive_refer_in_dialog)

    def add_package(self, event: str, accepted_types: Iterable[str] = ()) -> None:
        """Serves an event package from here on; `accepted_types` are the media types of its NOTIFYs.

        `refer` makes REFER outside a dialog welcome. Raises `ValueError` for what is no package's name, or too many.
        """
        if not is_token(event):
            raise ValueError(f"not an event package: {event!r}")
        if event not in self._packages and len(self._packages) >= MAX_PACKAGES:
            raise ValueError(f"there are {MAX_PACKAGES} event packages already")
        self._packages[event] = tuple(accepted_types)
        self._core.events = self.packages

    @property
    def packages(self) -> list[str]:
        """The packages, as Allow-Events says them (RFC 6665 8.2.2)."""
        return list(self._packages)

    def accepted_types(self, event: str) -> tuple[str, ...]:
        """The media types of a package; none for one that is not registered."""
        return self._packages.get(event, ())

    # SUBSCRIBE

    def _receive_subscribe(self, request: SIPRequest, transaction: ServerTransaction, source: Hop, now: float) -> None:
        refusal = refuse_extensions(request, SUPPORTED_EXTENSIONS) or self._refuse_package(request)
        expires = 0 if refusal is not None else granted_expires(request.expires)
        if expires is None:
            refusal = Refusal.of(423, "", ("Min-Expires", str(MIN_EXPIRES)))
        if refusal is None:
            refusal = self._refuse_more()
        if refusal is not None:
            self._refuse(request, transaction, source, refusal, now)
            return
        event = request.headers.first(FrozenEventHeader)
        assert event is not None and expires is not None
        usage = NotifierUsage(self._core, FrozenEventHeader(event.event, _id_of(event)), on_over=self._over)
        if self._begin(usage, request, transaction, source, expires, now):
            self._user.subscription_received(usage, request, now)

    def _receive_subscribe_in_dialog(
        self,
        request: SIPRequest,
        transaction: ServerTransaction,
        source: Hop,
        usages: Sequence[DialogUsage],
        now: float,
    ) -> None:
        # RFC 6665 4.5.2: one more subscription in a dialog of something else
        refusal = self._refuse_package(request) or Refusal.of(403, "Dialog sharing is not supported")
        if any(isinstance(usage, NotifierUsage) for usage in usages) and refusal.code != 489:
            # 4.2.1.1 with RFC 3261 12.2.2: more probably one that has ended here
            refusal = Refusal.of(481)
        self._refuse(request, transaction, source, refusal, now)

    def _refuse_package(self, request: SIPRequest) -> Refusal | None:
        try:
            event = request.headers.first(FrozenEventHeader)
            if event is None or event.event not in self._packages:
                # 4.2.1.1: a package that is not understood, or none
                return Refusal.of(489, "", ("Allow-Events", ", ".join(self._packages)))
            offered = self._packages[event.event]
            if "accept" in request.headers and offered:
                accepted = request.headers.all(FrozenAcceptHeader) if request.headers.get("accept") else ()
                if not any(header.accepts(content_type) for header in accepted for content_type in offered):
                    return Refusal.of(406)
        except SIPParseError as error:
            return Refusal.of(400, str(error).splitlines()[0])
        return None

    def _refuse_more(self) -> Refusal | None:
        if self.subscriptions >= self.max_subscriptions or self._core.dialogs >= self._core.max_dialogs:
            return Refusal.of(503, "", ("Retry-After", str(RETRY_AFTER)))
        return None

    def _refuse(
        self, request: SIPRequest, transaction: ServerTransaction, source: Hop, refusal: Refusal, now: float
    ) -> None:
        self._log(now, "Refused a %s from %s: %d %s", request.method, source, refusal.code, refusal.reason)
        headers: list[BaseHeader | tuple[str, str | BaseHeader]] = [*refusal.headers, *self._core.identity_headers()]
        transaction.respond(make_response(request, refusal.code, refusal.reason, new_tag(), headers), now)

    def _begin(
        self, usage: NotifierUsage, request: SIPRequest, transaction: ServerTransaction, source: Hop, expires: int,
        now: float,
    ) -> bool:  # fmt: skip
        try:
            usage.receive(request, transaction, source, self._user.local_contact(source), expires, now)
        except ValueError as error:
            self._refuse(request, transaction, source, Refusal.of(400, str(error)), now)
            return False
        self.subscriptions += 1
        return True

    def _over(self, usage: NotifierUsage) -> None:
        self.subscriptions -= 1

    # NOTIFY

    def _receive_notify(self, request: SIPRequest, transaction: ServerTransaction, source: Hop, now: float) -> None:
        # RFC 6665 4.1.3: of no subscription of ours
        self._refuse(request, transaction, source, Refusal.of(481), now)

    # REFER

    def _receive_refer(self, request: SIPRequest, transaction: ServerTransaction, source: Hop, now: float) -> None:
        refusal = refuse_extensions(request, SUPPORTED_EXTENSIONS) or refuse_refer(request)
        if refusal is None and REFER_EVENT not in self._packages:
            # RFC 3515 2.4.2: nobody here follows references
            refusal = Refusal.of(603)
        if refusal is None:
            refusal = self._refuse_more()
        if refusal is not None:
            self._refuse(request, transaction, source, refusal, now)
            return
        # RFC 3515 2.4.6: without id for the first REFER of a dialog, but its number may be used for it too
        ids = (None, number_of(request))
        usage = NotifierUsage(self._core, FrozenEventHeader(REFER_EVENT), ids=ids, on_over=self._over)
        if self._begin(usage, request, transaction, source, 0, now):
            self._user.referral_received(IncomingReferralUsage(usage), request, now)

    def _receive_refer_in_dialog(
        self,
        request: SIPRequest,
        transaction: ServerTransaction,
        source: Hop,
        usages: Sequence[DialogUsage],
        now: float,
    ) -> None:
        refusal = refuse_extensions(request, SUPPORTED_EXTENSIONS) or refuse_refer(request) or self._refuse_more()
        if refusal is None:
            self.subscriptions += 1
            refusal = receive_transfer(self._core, request, transaction, source, usages, self._over, now)
            if refusal is not None:
                self.subscriptions -= 1
        if refusal is not None:
            self._refuse(request, transaction, source, refusal, now)


def _id_of(event: BaseEventHeader) -> dict[str, str | None] | None:
    """The parameters of the Event header of our NOTIFYs: the id, where the SUBSCRIBE has one (RFC 6665 8.2.1)."""
    return None if event.id is None else {"id": event.id}
