"""The subscriber's usage of a dialog (RFC 6665 4.1): one subscription that we have to somebody else.

Theory of operation: the first request, SUBSCRIBE or REFER (RFC 3515), is sent outside a dialog, or inside one that is
there already. Its 2xx says that there will be a NOTIFY; the first NOTIFY makes the dialog, or confirms the one that the
2xx suggested (4.1.2.4, 4.4.1). Of several notifiers behind a fork the first NOTIFY's is kept, the others get 481, as
5.4.9 has it for packages that do not say how to merge them. Then it is refreshed before it expires, one request at a
time, until it ends as `SUBSCRIPTION_STATES` shows. Above is a `SubscriptionUser`. Time is an argument.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from sipsimple.core.protocol.client_request import tagged_from
from sipsimple.core.protocol.dialog import Dialog, new_call_id, new_tag, route_set_of
from sipsimple.core.protocol.event_headers import subscription_state_of, wants_no_subscription
from sipsimple.core.protocol.invite_events import InvalidStateError
from sipsimple.core.protocol.outgoing_request import Destination, OutgoingRequest
from sipsimple.core.protocol.subscribed_event import SubscribedEvent
from sipsimple.core.protocol.subscription_events import SubscriptionOutcome, SubscriptionUser
from sipsimple.core.protocol.subscription_request import FirstRequest, check_contact
from sipsimple.core.protocol.subscription_states import (
    SUBSCRIPTION_STATES,
    SubscriptionEvent,
    SubscriptionState,
    resubscription_delay,
)
from sipsimple.core.protocol.subscription_times import END_TIMEOUT, MAX_INTERVAL, TIMER_N, SubscriptionTimes
from sipsimple.core.protocol.transaction_matching import tag_of
from sipsimple.core.wire.errors import SIPParseError
from sipsimple.core.wire.headers import (
    BaseHeader,
    FrozenContactHeader,
    FrozenEventHeader,
    FrozenFromHeader,
    FrozenMinExpiresHeader,
    FrozenSubscriptionStateHeader,
    FrozenToHeader,
)
from sipsimple.core.wire.message import SIPRequest, SIPResponse, make_response

if TYPE_CHECKING:
    from sipsimple.core.protocol.authentication import Authenticator
    from sipsimple.core.protocol.hop import Hop
    from sipsimple.core.protocol.transaction_layer import ServerTransaction
    from sipsimple.core.protocol.user_agent import UserAgentCore
    from sipsimple.core.wire.uri import BaseSIPURI

__all__ = ["DEFAULT_INTERVAL", "FATAL_CODES", "SubscriptionUsage"]

HeaderList = Iterable[tuple[str, str | BaseHeader]]

#: Seconds that are taken for granted where neither we nor the notifier said any.
DEFAULT_INTERVAL = 180

#: RFC 6665 4.1.2.2: responses to a refresh that leave no subscription.
FATAL_CODES = frozenset((404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604))

_EVENTS = {
    "active": SubscriptionEvent.NOTIFY_ACTIVE,
    "pending": SubscriptionEvent.NOTIFY_PENDING,
    "terminated": SubscriptionEvent.NOTIFY_TERMINATED,
}

_LIVING = (SubscriptionState.NOTIFY_WAIT, SubscriptionState.PENDING, SubscriptionState.ACTIVE)


class SubscriptionUsage:
    """See the module.

    :param event: the package and id; for a REFER it is `refer` (RFC 3515 3).
    :param expires: seconds to subscribe for, 0 to fetch the state once (4.4.3); None leaves it to the notifier.

    Attributes: `core`, `event`, `state`, `dialog` (None before there is one), `call_id`, `expires` (seconds asked
    for; a 423 enlarges them), `refreshes` (False lets it run out).
    """

    def __init__(
        self,
        core: UserAgentCore,
        event: FrozenEventHeader,
        user: SubscriptionUser | None = None,
        expires: int | None = None,
        authenticator: Authenticator | None = None,
    ) -> None:
        self.user = user
        self.event = SubscribedEvent(event)
        self.expires = expires
        self.state = SubscriptionState.NULL
        self.dialog: Dialog | None = None
        self.call_id = new_call_id()
        self.refreshes = True
        self.core = core
        self._authenticator = authenticator
        self._times = SubscriptionTimes(core.timers, self._refresh_due, self._expired)
        self._local_tag = new_tag()
        self._first: FirstRequest | None = None
        self._cseq = 0
        self._headers: tuple[tuple[str, str | BaseHeader], ...] = ()
        # the request that is out, and which one it is
        self._outgoing: OutgoingRequest | None = None
        self._is_first = False
        self._is_last = False
        # the refresh that waits for its turn: content type, body, time-out
        self._again: tuple[str | None, bytes, float | None] | None = None
        self._enlarged = False
        self._started = False
        self._confirmed = False
        self._overdue = False

    # What the layer above asks for

    def start(
        self,
        request_uri: BaseSIPURI,
        from_header: FrozenFromHeader,
        to_header: FrozenToHeader,
        contact: FrozenContactHeader,
        destinations: Sequence[Destination],
        headers: HeaderList = (),
        content_type: str | None = None,
        body: bytes = b"",
        timeout: float | None = None,
        *,
        method: str = "SUBSCRIBE",
        now: float,
    ) -> None:
        """Sends the first request outside a dialog; after `timeout` seconds without final response it fails with 408.

        `headers` of a SUBSCRIBE go into its refreshes too. Raises `InvalidStateError` when it was started before.
        """
        self._require(SubscriptionEvent.SUBSCRIBE)
        self._headers = tuple(headers)
        self._first = FirstRequest(
            method, request_uri, tagged_from(from_header, self._local_tag), to_header, contact, self.call_id,
            destinations, content_type, body, None if timeout is None else now + timeout,
        )  # fmt: skip
        self._send_first(now)
        self.core.expect_dialog(self.call_id, self._local_tag, self)
        self._change(SubscriptionEvent.SUBSCRIBE)

    def start_in_dialog(self, dialog: Dialog, headers: HeaderList, timeout: float | None = None, *, now: float) -> None:
        """Sends a REFER inside a dialog that has another usage already (RFC 3515 2.4.6, RFC 5057).

        Raises `InvalidStateError` when it was started before.
        """
        self._require(SubscriptionEvent.SUBSCRIBE)
        self.dialog = dialog
        self.call_id, self._local_tag = dialog.id.call_id, dialog.id.local_tag
        self._is_first = True
        self._send(dialog.create_request("REFER", headers), timeout, now)
        self.core.add_dialog(dialog, self)
        self._change(SubscriptionEvent.SUBSCRIBE)

    def refresh(
        self,
        headers: HeaderList = (),
        content_type: str | None = None,
        body: bytes = b"",
        timeout: float | None = None,
        *,
        now: float,
    ) -> None:
        """Subscribes again now, with other headers or another body (4.1.2.2), after the request that is out.

        Raises `InvalidStateError` when there is no subscription, or it is being ended.
        """
        if self.state not in _LIVING:
            raise InvalidStateError(f"refresh in state {self.state}; there is no subscription")
        self._headers = tuple(headers)
        self._again = content_type, body, timeout
        self._send_again(now)

    def end(self, timeout: float | None = None, *, now: float) -> None:
        """Unsubscribes (4.1.2.3) and waits for the last NOTIFY, at most `timeout` seconds; a second call does nothing.

        Raises `InvalidStateError` before there was anything to end.
        """
        if self.state is SubscriptionState.NULL:
            raise InvalidStateError("there is no subscription to end")
        if self.state not in _LIVING:
            return
        self._times.stop()
        self._times.wait(END_TIMEOUT if timeout is None else timeout, self._ended, now)
        self._again = None
        self._change(SubscriptionEvent.END)
        self._unsubscribe(now)

    # Requests

    def _send_first(self, now: float) -> None:
        first = self._first
        assert first is not None
        self._is_first = True
        self._cseq += 1
        request = first.create(
            self._cseq, self._headers if self.event.is_referral else self._subscribe_fields(self.expires)
        )
        self._outgoing = OutgoingRequest(
            request, first.destinations, self.core, self, self._authenticator, timeout=first.time_left(now), now=now
        )

    def _subscribe_fields(self, expires: int | None) -> list[tuple[str, str | BaseHeader]]:
        fields: list[tuple[str, str | BaseHeader]] = [("Event", self.event.header)]
        if expires is not None:
            fields.append(("Expires", str(expires)))
        # those of a REFER are about the REFER alone
        return fields if self.event.is_referral else [*fields, *self._headers]

    def _send(self, request: SIPRequest, timeout: float | None, now: float) -> None:
        assert self.dialog is not None
        self._outgoing = OutgoingRequest(
            request, [self.dialog.next_hop()], self.core, self, self._authenticator, self.dialog, timeout, now=now
        )

    def _send_again(self, now: float) -> None:
        """The refresh that is asked for, unless another request is out: its outcome comes first."""
        if self._again is None or self._outgoing is not None or self.dialog is None or self.state not in _LIVING:
            return
        (content_type, body, timeout), self._again = self._again, None
        self._times.stop_refresh()
        fields = self._subscribe_fields(self.expires)
        if content_type is not None:
            fields.append(("Content-Type", content_type))
        self._is_first = False
        self._send(self.dialog.create_request("SUBSCRIBE", fields, body), timeout, now)

    def _unsubscribe(self, now: float) -> None:
        if self._outgoing is not None or self.dialog is None:
            # the request that is out will have its answer: what it makes is ended then
            return
        self._is_first, self._is_last = False, True
        self._send(self.dialog.create_request("SUBSCRIBE", self._subscribe_fields(0)), None, now)

    # What the request that is out tells its owner

    def request_progressed(self, outgoing: OutgoingRequest, response: SIPResponse, now: float) -> None:
        """A provisional response decides nothing."""

    def request_succeeded(self, outgoing: OutgoingRequest, response: SIPResponse, now: float) -> None:
        self._outgoing = None
        if self._is_first:
            self._first_accepted(outgoing, response, now)
        else:
            assert self.dialog is not None
            self.dialog.refresh_target(response, "SUBSCRIBE")
            self._grant_by(response, now)
        if self.state is not SubscriptionState.TERMINATING:
            self._send_again(now)
        elif not self._is_last:
            self._unsubscribe(now)

    def _first_accepted(self, outgoing: OutgoingRequest, response: SIPResponse, now: float) -> None:
        first = self._first
        if self.event.is_referral:
            self.event.refer_sent(outgoing.cseq)
        if self.dialog is None:
            assert first is not None
            self.dialog = Dialog.from_response(outgoing.request, response, first.contact, outgoing.hop)
            self.core.add_dialog(self.dialog, self)
        elif first is not None:
            self.dialog.local_cseq = max(self.dialog.local_cseq or 0, outgoing.cseq)
            if tag_of(response.to_header) != self.dialog.id.remote_tag:
                # 5.4.9: of another branch than the NOTIFY that made the dialog
                return
            if not self.dialog.route_set:
                # the NOTIFY was faster, and came through proxies that record their routes in SUBSCRIBE alone
                self.dialog.route_set = route_set_of(reversed(response.record_route))
        self._tell_start(now)
        if self.event.is_referral and wants_no_subscription(response):
            if self.state is SubscriptionState.TERMINATING:
                self._ended(now)
            elif self.state is SubscriptionState.NOTIFY_WAIT:
                # RFC 4488 4: accepted, and no NOTIFY will follow
                self._change(SubscriptionEvent.NO_SUBSCRIPTION)
                self._finish(SubscriptionOutcome(False, "remote", response.code, None, None, response), now)
        elif self.state in _LIVING:
            if not self._confirmed:
                self._times.wait(TIMER_N, self._no_notify, now)
            if not self.event.is_referral:
                self._grant_by(response, now)

    def request_refused(self, outgoing: OutgoingRequest, response: SIPResponse, now: float) -> None:
        self._outgoing = None
        code = response.code
        if self.state is SubscriptionState.TERMINATING:
            if self._is_first or self._is_last or code in FATAL_CODES:
                self._ended(now)
            else:
                self._unsubscribe(now)
        elif code == 423 and self._enlarge(response):
            if self._is_first:
                self._cseq = outgoing.cseq
                self._send_first(now)
            else:
                self._again = self._again or (None, b"", None)
                self._send_again(now)
        elif self._is_first or code in FATAL_CODES:
            self._fail(SubscriptionOutcome(True, "remote", code, response.reason, outgoing.retry_after, response), now)
        else:
            # 4.1.2.2: the subscription goes on for as long as it was granted
            self._refresh_later(outgoing.retry_after, now)

    def request_failed(self, outgoing: OutgoingRequest, code: int, error: str, now: float) -> None:
        self._outgoing = None
        if self.state is SubscriptionState.TERMINATING:
            self._ended(now)
        elif self._is_first and self._confirmed:
            # the NOTIFY says that there is a subscription; only the 2xx got lost
            self._send_again(now)
        elif self._is_first or code == 408:
            # 4.1.2, figure 1: a re-subscription that times out
            self._fail(SubscriptionOutcome(True, "local", code, error, outgoing.retry_after), now)
        else:
            self._refresh_later(None, now)

    def _enlarge(self, response: SIPResponse) -> bool:
        """Whether a 423 is worth a second try, with the seconds that it asks for (RFC 6665 4.1.2.1; XM-027)."""
        try:
            header = response.headers.first(FrozenMinExpiresHeader)
        except SIPParseError:
            return False
        if header is None or self.expires is None or self._enlarged or not self.expires < header.number <= MAX_INTERVAL:
            return False
        self._enlarged = True
        self.expires = header.number
        return True

    # NOTIFY

    def serves(self, request: SIPRequest) -> bool:
        if request.method != "NOTIFY":
            return False
        if self.event.is_referral and self._is_first and self._outgoing is not None:
            self.event.refer_sent(self._outgoing.cseq)
        return self.event.is_of(request)

    def request_received(
        self, request: SIPRequest, transaction: ServerTransaction | None, source: Hop, now: float
    ) -> None:
        """A NOTIFY of the dialog, or one that may make it (4.1.3, 4.4.1)."""
        assert transaction is not None
        dialog = self.dialog
        is_new = dialog is None or dialog.id.remote_tag != tag_of(request.from_header)
        if is_new and (self._confirmed or (self.state is SubscriptionState.TERMINATING and dialog is not None)):
            # 5.4.9: another branch of a fork
            transaction.respond(make_response(request, 481), now)
            return
        if dialog is not None and not is_new and not dialog.receive_request(request):
            # RFC 3261 12.2.2
            transaction.respond(make_response(request, 500, "CSeq out of order"), now)
            return
        try:
            state = subscription_state_of(request)
            if is_new:
                check_contact(request)
        except SIPParseError as error:
            transaction.respond(make_response(request, 400, f"Bad Request ({error})"), now)
            return
        dialog = self._take_dialog(request, is_new)
        response = make_response(request, 200, headers=[("Contact", dialog.contact), *self.core.identity_headers()])
        transaction.respond(response, now)
        self._notified(request, state, now)

    def _take_dialog(self, request: SIPRequest, is_new: bool) -> Dialog:
        suggested, first = self.dialog, self._first
        if not is_new:
            assert suggested is not None
            dialog = suggested
            dialog.refresh_target(request, "NOTIFY")
            if not self._confirmed and first is not None:
                # 4.4.1: it is the NOTIFY that makes the dialog, its route set too; few proxies record theirs in one
                dialog.route_set = route_set_of(request.record_route) or dialog.route_set
        else:
            assert first is not None
            if suggested is not None:
                # what a 2xx suggested, before the NOTIFY of another branch made the dialog
                self.core.remove_dialog(suggested, self)
            outgoing = self._outgoing
            if outgoing is not None:
                dialog = first.dialog_of(request, outgoing.cseq, outgoing.hop)
            else:
                assert suggested is not None
                dialog = first.dialog_of(request, suggested.local_cseq, suggested.hop)
            self.dialog = dialog
            self.core.add_dialog(dialog, self)
        self._confirmed = True
        self.core.forget_expected_dialog(self.call_id, self._local_tag)
        return dialog

    def _notified(self, request: SIPRequest, state: FrozenSubscriptionStateHeader, now: float) -> None:
        self.event.notified(request)
        self._tell_start(now)
        if self.state is SubscriptionState.TERMINATED:
            return
        asked = self.state is SubscriptionState.TERMINATING
        terminated = state.state == "terminated" or self.expires == 0
        if terminated:
            event_is = SubscriptionEvent.NOTIFY_TERMINATED
        else:
            # 8.4: extensions of the protocol may know further states; they change nothing here
            unknown = "active" if self.state is SubscriptionState.ACTIVE else "pending"
            event_is = _EVENTS.get(state.state) or _EVENTS[unknown]
        if not asked:
            self._times.stop_waiting()
        self._change(event_is)
        if not terminated:
            self._grant(state.expires, now)
        if self.user is not None:
            self.user.notify_received(request, state, now)
        if terminated:
            delay = None if asked else resubscription_delay(state.reason, state.retry_after)
            originator = "local" if asked or self.expires == 0 else "remote"
            self._finish(SubscriptionOutcome(False, originator, None, state.reason, delay), now)

    # Time

    def _grant_by(self, response: SIPResponse, now: float) -> None:
        # 4.1.2.1: the 2xx owes an Expires; without one what was asked for is taken for granted
        granted = response.expires
        self._grant(self.expires if granted is None else granted, now)

    def _grant(self, seconds: int | None, now: float) -> None:
        """The subscription goes on for so many seconds; None says nothing new (4.1.2.1, 4.1.3)."""
        if self.state not in _LIVING or self.expires == 0:
            return
        if seconds is None:
            if self._times.granted:
                return
            seconds = DEFAULT_INTERVAL if self.expires is None else self.expires
        # 4.1.2.1: never longer than was asked for
        self._overdue = False
        self._times.grant(min(seconds, MAX_INTERVAL if self.expires is None else self.expires), now)

    def _refresh_due(self, now: float) -> None:
        if self.refreshes:
            self._enlarged = False
            self._again = self._again or (None, b"", None)
            self._send_again(now)

    def _refresh_later(self, retry_after: int | None, now: float) -> None:
        if self._overdue:
            self._expired(now)
        else:
            self._times.retry(retry_after, now)

    def _expired(self, now: float) -> None:
        if self._outgoing is not None:
            # the refresh that is out decides
            self._overdue = True
        elif self.state in _LIVING:
            self._fail(SubscriptionOutcome(True, "local", 408, "the subscription expired", None), now)

    def _no_notify(self, now: float) -> None:
        # 4.1.2.4: timer N; should a NOTIFY come after all, its 481 ends the subscription there
        self._fail(SubscriptionOutcome(True, "remote", 408, "no NOTIFY came", None), now)

    # Steps

    def _require(self, event: SubscriptionEvent) -> SubscriptionState:
        try:
            return SUBSCRIPTION_STATES[self.state][event]
        except KeyError:
            allowed = ", ".join(known.value for known in SUBSCRIPTION_STATES[self.state]) or "nothing"
            raise InvalidStateError(f"{event.value} in state {self.state}; allowed here: {allowed}") from None

    def _change(self, event: SubscriptionEvent) -> None:
        previous, self.state = self.state, self._require(event)
        if previous is not self.state and self.user is not None:
            self.user.state_changed(previous, self.state)

    def _tell_start(self, now: float) -> None:
        if not self._started:
            self._started = True
            if self.user is not None:
                self.user.subscription_started(now)

    def _fail(self, outcome: SubscriptionOutcome, now: float) -> None:
        self._change(SubscriptionEvent.FAILED)
        self._finish(outcome, now)

    def _ended(self, now: float) -> None:
        """The end that the layer above asked for, as good as it can be had."""
        self._change(SubscriptionEvent.ENDED)
        self._finish(SubscriptionOutcome(False, "local", None, None, None), now)

    def _finish(self, outcome: SubscriptionOutcome, now: float) -> None:
        self._times.stop()
        if self._outgoing is not None:
            self._outgoing.abandon()
            self._outgoing = None
        self.core.forget_expected_dialog(self.call_id, self._local_tag)
        if self.dialog is not None:
            self.core.remove_dialog(self.dialog, self)
        if self.user is not None:
            self.user.subscription_ended(outcome, now)
