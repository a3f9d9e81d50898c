"""The notifier's usage of a dialog (RFC 6665 4.2): one subscription that somebody has to us.

It holds the dialog that the SUBSCRIBE (or REFER, RFC 3515) made, keeps its time, and has a `NotifyQueue` tell what is
to be told. It moves through `NOTIFIER_STATES`; above it is a `NotifierUser`. Time is an argument.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from sipsimple.core.protocol.dialog import Dialog, DialogState, new_tag
from sipsimple.core.protocol.event_headers import is_about
from sipsimple.core.protocol.invite_events import InvalidStateError
from sipsimple.core.protocol.notifier_events import NotifierEnding, NotifierUser
from sipsimple.core.protocol.notifier_states import NOTIFIER_STATES, NotifierEvent, NotifierState
from sipsimple.core.protocol.notify_queue import Notify, NotifyQueue
from sipsimple.core.wire.grammar import is_token
from sipsimple.core.wire.headers import BaseHeader, FrozenContactHeader, FrozenContentTypeHeader, FrozenEventHeader
from sipsimple.core.wire.message import SIPRequest, SIPResponse, make_response

if TYPE_CHECKING:
    from sipsimple.core.protocol.hop import Hop
    from sipsimple.core.protocol.timers import Timer
    from sipsimple.core.protocol.transaction_layer import ServerTransaction
    from sipsimple.core.protocol.user_agent import UserAgentCore

__all__ = ["ANSWER_TIMEOUT", "DEFAULT_EXPIRES", "MAX_EXPIRES", "MIN_EXPIRES", "NotifierUsage", "granted_expires"]

log = logging.getLogger("sipsimple.core.notifier")

HeaderList = Iterable[tuple[str, str | BaseHeader]]

#: How long a SUBSCRIBE may wait for the decision of the layer above, in seconds. RFC 6665 4.2.1.2 wants it at once, and
#: the subscriber gives up after 32.
ANSWER_TIMEOUT = 10.0

#: Seconds: what is granted where nothing was asked for, the least that is granted (423 below it, which 4.2.1.1 allows
#: up to an hour), and the most.
DEFAULT_EXPIRES = 3600
MIN_EXPIRES = 30
MAX_EXPIRES = 86_400


def granted_expires(requested: int | None) -> int | None:
    """What is granted of the seconds asked for (4.2.1.1), 0 for an unsubscription; None where 423 is due."""
    if requested is None:
        return DEFAULT_EXPIRES
    if 0 < requested < MIN_EXPIRES:
        return None
    return min(requested, MAX_EXPIRES)


class NotifierUsage:
    """See the module.

    :param event: the package and id that its NOTIFYs name.
    :param ids: the ids that name it in SUBSCRIBEs of the dialog; by default that of `event` alone.
    :param dialog: one that exists already (REFER inside a call); by default the request makes one.
    :param on_over: called when the usage has nothing left to do.

    Attributes: `state`, `dialog` (None before `receive`), `expires` (seconds granted last), `initial` (the request),
    `content_type` and `content` (as last told).
    """

    def __init__(
        self,
        core: UserAgentCore,
        event: FrozenEventHeader,
        user: NotifierUser | None = None,
        *,
        ids: Iterable[str | None] | None = None,
        dialog: Dialog | None = None,
        on_over: Callable[[NotifierUsage], None] | None = None,
    ) -> None:
        self.user = user
        self.event = event
        self.state = NotifierState.NULL
        self.dialog = dialog
        self.expires = 0
        self.initial: SIPRequest | None = None
        self.content_type: str | None = None
        self.content = b""
        self._core = core
        self._ids = (event.id,) if ids is None else tuple(ids)
        self._on_over = on_over
        self._local_tag = new_tag() if dialog is None else dialog.id.local_tag
        self._transaction: ServerTransaction | None = None
        self._timer: Timer | None = None
        self._notifies: NotifyQueue | None = None
        self._ending: NotifierEnding | None = None
        self._registered = False

    @property
    def is_alive(self) -> bool:
        """Whether there is a subscription."""
        return self.state in (NotifierState.PENDING, NotifierState.ACTIVE)

    # What the layer above asks for

    def accept_pending(self, code: int = 200, headers: HeaderList = (), *, now: float) -> None:
        """Answers the request and tells that the decision is open (4.2.1.3). Raises `InvalidStateError`."""
        self._require(NotifierEvent.HOLD)
        self._answer(code, headers, now)
        self._change(NotifierEvent.HOLD)
        if self.state is NotifierState.PENDING:
            self._tell_state(now)

    def accept(
        self,
        content_type: str | None = None,
        content: bytes = b"",
        code: int = 200,
        headers: HeaderList = (),
        *,
        now: float,
    ) -> None:
        """Grants the subscription, answering the request if it waits still, and tells the state.

        Raises `InvalidStateError`, and `ValueError` for content without type or of none.
        """
        self._require(NotifierEvent.GRANT)
        _check_content(content_type, content)
        self.content_type, self.content = content_type, content
        if self.state is NotifierState.INCOMING:
            self._answer(code, headers, now)
        self._change(NotifierEvent.GRANT)
        if self.state is NotifierState.ACTIVE:
            self._tell_state(now)

    def push(self, content_type: str | None, content: bytes, *, now: float) -> None:
        """Tells new content. Raises `InvalidStateError` unless the subscription is active, `ValueError` as `accept`."""
        self._require(NotifierEvent.NOTIFY)
        _check_content(content_type, content)
        self.content_type, self.content = content_type, content
        self._tell_state(now)

    def reject(self, code: int, reason: str | None = None, headers: HeaderList = (), *, now: float) -> None:
        """Refuses the request with `code`, or a pending subscription by a NOTIFY. Raises `InvalidStateError`."""
        self._require(NotifierEvent.REJECT)
        if self.state is NotifierState.INCOMING:
            self._refuse(code, reason, headers, NotifierEnding("local", "rejected"), now)
        else:
            self._terminate(NotifierEvent.REJECT, "local", "rejected", now)

    def accept_unsubscribed(self, code: int, headers: HeaderList = (), *, now: float) -> None:
        """Answers the request without making a subscription (RFC 4488 4). Raises `InvalidStateError`."""
        self._require(NotifierEvent.NO_SUBSCRIPTION)
        assert self.initial is not None
        ending = NotifierEnding("remote", "no subscription")
        self._close(self._response(self.initial, code, headers), NotifierEvent.NO_SUBSCRIPTION, ending, now)

    def end(
        self,
        reason: str = "noresource",
        content_type: str | None = None,
        content: bytes | None = None,
        retry_after: int | None = None,
        *,
        now: float,
    ) -> None:
        """Ends the subscription by a NOTIFY with that reason (4.1.3); an unanswered request is refused with 480.

        The NOTIFY of an active subscription carries the content given, or what was told last. After the end this does
        nothing. Raises `InvalidStateError` before there was a request, `ValueError` for a reason that is no token, and
        as `accept`.
        """
        if not is_token(reason):
            raise ValueError(f"not a reason for Subscription-State: {reason!r}")
        if content is not None:
            _check_content(content_type, content)
        if self.state is NotifierState.INCOMING:
            self._refuse(480, None, (), NotifierEnding("local", "rejected"), now)
        elif self.state is not NotifierState.TERMINATED:
            self._require(NotifierEvent.END)
            if content is not None:
                self.content_type, self.content = content_type, content
            self._terminate(NotifierEvent.END, "local", reason, now, retry_after)

    # What the network brings

    def receive(
        self,
        request: SIPRequest,
        transaction: ServerTransaction,
        source: Hop,
        contact: FrozenContactHeader,
        expires: int,
        now: float,
    ) -> None:
        """Begins with the request that asks for the subscription. Raises `ValueError` when it names no Contact."""
        if self.dialog is None:
            self.dialog = Dialog.from_request(request, self._local_tag, contact, source)
        self.initial, self._transaction, self.expires = request, transaction, expires
        self._start_timer(now + ANSWER_TIMEOUT, self._not_answered)
        self._change(NotifierEvent.SUBSCRIBE)

    def serves(self, request: SIPRequest) -> bool:
        return request.method == "SUBSCRIBE" and is_about(request, self.event.event, self._ids)

    def request_received(
        self, request: SIPRequest, transaction: ServerTransaction | None, source: Hop, now: float
    ) -> None:
        """A SUBSCRIBE inside the dialog: a refresh, or with Expires: 0 the end (4.2.1.4)."""
        assert self.dialog is not None and transaction is not None
        if not self.dialog.receive_request(request):
            transaction.respond(make_response(request, 500, "CSeq out of order"), now)
            return
        if not self.is_alive:
            # its last NOTIFY is on its way
            transaction.respond(make_response(request, 481), now)
            return
        expires = granted_expires(request.expires)
        if expires is None:
            minimum = [("Min-Expires", str(MIN_EXPIRES))]
            transaction.respond(make_response(request, 423, None, None, minimum), now)
            return
        self.dialog.refresh_target(request, "SUBSCRIBE")
        transaction.respond(self._response(request, 200, [("Expires", str(expires))]), now)
        if expires == 0:
            if self.user is not None:
                self.user.subscription_cancelled(request, now)
            if self.is_alive:
                self._terminate(NotifierEvent.UNSUBSCRIBE, "remote", "timeout", now)
            return
        self._change(NotifierEvent.REFRESH)
        self._grant(expires, now)
        if not self._notifies:
            # 4.2.1.2: each SUBSCRIBE that is accepted is followed by a NOTIFY; those that wait already will do
            self._tell_state(now)
        if self.user is not None:
            self.user.subscription_refreshed(request, expires, now)

    # Answers to the request

    def _response(self, request: SIPRequest, code: int, headers: HeaderList = ()) -> SIPResponse:
        fields: list[tuple[str, str | BaseHeader]] = []
        if code < 300 and self.dialog is not None:
            fields.append(("Contact", self.dialog.contact))
        return make_response(request, code, None, self._local_tag, [*fields, *self._core.identity_headers(), *headers])

    def _answer(self, code: int, headers: HeaderList, now: float) -> None:
        assert self.initial is not None and self._transaction is not None and self.dialog is not None
        fields: list[tuple[str, str | BaseHeader]] = []
        if self.initial.method == "SUBSCRIBE":
            # 4.2.1.1; in the answer to a REFER it would mean nothing: its NOTIFYs tell the time (RFC 3515 2.4.4)
            fields.append(("Expires", str(self.expires)))
        response = self._response(self.initial, code, [*fields, *headers])
        self._transaction.respond(response, now)
        self._transaction = None
        self._registered = True
        self.dialog.state = DialogState.CONFIRMED
        self._core.add_dialog(self.dialog, self)
        self._notifies = NotifyQueue(self._core, self.dialog, self.event, self)
        self._grant(self.expires, now)

    def _refuse(self, code: int, reason: str | None, headers: HeaderList, ending: NotifierEnding, now: float) -> None:
        assert self.initial is not None
        fields = [*self._core.identity_headers(), *headers]
        self._close(
            make_response(self.initial, code, reason, self._local_tag, fields), NotifierEvent.REJECT, ending, now
        )

    def _close(self, response: SIPResponse, event: NotifierEvent, ending: NotifierEnding, now: float) -> None:
        """The last that is sent: a response after which there is no subscription."""
        assert self._transaction is not None
        self._transaction.respond(response, now)
        self._transaction = None
        self._ending = ending
        self._change(event)
        self._finish(now)

    def _not_answered(self, now: float) -> None:
        assert self.initial is not None
        log.info("%s %s was not answered in time", self.initial.method, self.initial.call_id)
        self._refuse(480, None, (), NotifierEnding("local", "not answered"), now)

    # Time

    def _grant(self, expires: int, now: float) -> None:
        self.expires = expires
        assert self._notifies is not None
        self._notifies.deadline = now + expires
        self._start_timer(now + expires, self._expired)

    def _expired(self, now: float) -> None:
        if self.is_alive and self.user is not None:
            self.user.subscription_expired(now)
        if self.is_alive:
            self._terminate(NotifierEvent.EXPIRE, "remote", "timeout", now)

    def _start_timer(self, deadline: float, callback: Callable[[float], None]) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._core.timers.schedule(deadline, callback)

    # NOTIFY

    def _tell_state(self, now: float) -> None:
        if self.expires == 0:
            # 4.4.3: a fetch: the one NOTIFY is the last
            self._terminate(NotifierEvent.EXPIRE, "remote", "timeout", now)
            return
        active = self.state is NotifierState.ACTIVE
        content_type, content = (self.content_type, self.content) if active else (None, b"")
        self._owe(Notify(self.state, None, content_type, content), now)

    def _terminate(
        self, event: NotifierEvent, originator: str, reason: str, now: float, retry_after: int | None = None
    ) -> None:
        # what a pending subscription would tell is not the subscriber's to know
        granted = self.state is NotifierState.ACTIVE
        content_type, content = (self.content_type, self.content) if granted else (None, b"")
        self._ending = NotifierEnding(originator, reason)
        self._change(event)
        self._owe(Notify(NotifierState.TERMINATED, reason, content_type, content, retry_after), now)

    def _owe(self, notify: Notify, now: float) -> None:
        assert self._notifies is not None
        if self._notifies.put(notify, now):
            return
        log.info("A subscriber to %s is too far behind: its subscription is deactivated", self.event.event)
        if notify.state is NotifierState.TERMINATED:
            self._notifies.put(notify, now)
        else:
            # 4.1.3: `deactivated` asks for a new subscription at once, and that begins with the whole state
            self._terminate(NotifierEvent.END, "local", "deactivated", now)

    # What the NOTIFYs tell their owner

    def notify_succeeded(self, response: SIPResponse, now: float) -> None:
        if self.user is not None:
            self.user.notify_succeeded(response, now)

    def notify_failed(self, code: int, reason: str, now: float) -> None:
        if self.user is not None:
            self.user.notify_failed(code, reason, now)

    def subscriber_lost(self, reason: str, now: float) -> None:
        if self.is_alive:
            # 4.2.2: a NOTIFY that fails for good
            self._ending = NotifierEnding("remote", reason)
            self._change(NotifierEvent.NOTIFY_FAILED)
        self._finish(now)

    def all_told(self, now: float) -> None:
        if self.state is NotifierState.TERMINATED:
            self._finish(now)

    # Steps

    def _require(self, event: NotifierEvent) -> NotifierState:
        try:
            return NOTIFIER_STATES[self.state][event]
        except KeyError:
            allowed = ", ".join(known.value for known in NOTIFIER_STATES[self.state]) or "nothing"
            raise InvalidStateError(f"{event.value} in state {self.state}; allowed here: {allowed}") from None

    def _change(self, event: NotifierEvent) -> None:
        previous, self.state = self.state, self._require(event)
        if self.state is NotifierState.TERMINATED and self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if previous is not self.state and self.user is not None:
            self.user.state_changed(previous, self.state)

    def _finish(self, now: float) -> None:
        """Nothing is owed any more."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._registered and self.dialog is not None:
            self._registered = False
            self._core.remove_dialog(self.dialog, self)
        ending, self._ending = self._ending, None
        if ending is None:
            return
        if self._on_over is not None:
            self._on_over(self)
        if self.user is not None:
            self.user.subscription_ended(ending, now)


def _check_content(content_type: str | None, content: bytes) -> None:
    if content_type is not None:
        FrozenContentTypeHeader.parse(content_type)
    elif content:
        raise ValueError("content needs a content type")
