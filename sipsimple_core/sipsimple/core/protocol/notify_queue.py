"""The NOTIFYs of one subscription: one after the other, from a bounded queue (RFC 6665 4.2.2).

A NOTIFY leaves when the one before has its answer, so that the subscriber sees the states in their order. One that is
refused for now (Retry-After) is repeated; one that is refused for good, or not answered, has lost its subscription.
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from math import ceil
from typing import TYPE_CHECKING, Protocol

from sipsimple.core.protocol.notifier_states import NotifierState
from sipsimple.core.protocol.outgoing_request import OutgoingRequest
from sipsimple.core.wire.headers import BaseHeader, FrozenEventHeader, SubscriptionStateHeader

if TYPE_CHECKING:
    from sipsimple.core.protocol.dialog import Dialog
    from sipsimple.core.protocol.timers import Timer
    from sipsimple.core.protocol.user_agent import UserAgentCore
    from sipsimple.core.wire.message import SIPResponse

__all__ = ["FATAL_CODES", "MAX_QUEUED_NOTIFIES", "MAX_RETRIES", "MAX_RETRY_AFTER", "Notify", "NotifyQueue"]

#: NOTIFYs that wait for the answer to the one before. A subscriber that is further behind has to begin anew.
MAX_QUEUED_NOTIFIES = 50

#: How often one NOTIFY is repeated because its refusal said Retry-After, and the longest wait that is agreed to.
MAX_RETRIES = 3
MAX_RETRY_AFTER = 120

#: RFC 6665 4.2.2, RFC 5057 5: responses to a NOTIFY that leave no subscription, whatever else they say.
FATAL_CODES = frozenset((404, 405, 410, 416, 480, 481, 482, 483, 484, 485, 489, 501, 604))


@dataclass(frozen=True, slots=True)
class Notify:
    """A NOTIFY that is owed."""

    state: NotifierState
    reason: str | None
    content_type: str | None
    content: bytes
    retry_after: int | None = None


class NotifyQueueOwner(Protocol):
    """What the owner of a queue is told."""

    def notify_succeeded(self, response: SIPResponse, now: float) -> None: ...

    def notify_failed(self, code: int, reason: str, now: float) -> None:
        """One NOTIFY was refused or not answered; it may be repeated."""

    def subscriber_lost(self, reason: str, now: float) -> None:
        """There is nobody to be told anything. The queue is empty."""

    def all_told(self, now: float) -> None:
        """The queue is empty."""


class NotifyQueue:
    """See the module. `deadline` is when the subscription expires, as far as is known when a NOTIFY leaves."""

    __slots__ = (
        "_core",
        "_dialog",
        "_event",
        "_outgoing",
        "_owner",
        "_retries",
        "_retry",
        "_sent",
        "_waiting",
        "deadline",
    )

    def __init__(self, core: UserAgentCore, dialog: Dialog, event: FrozenEventHeader, owner: NotifyQueueOwner) -> None:
        self.deadline = 0.0
        self._core = core
        self._dialog = dialog
        self._event = event
        self._owner = owner
        self._waiting: deque[Notify] = deque()
        self._sent: Notify | None = None
        self._outgoing: OutgoingRequest | None = None
        self._retry: Timer | None = None
        self._retries = 0

    def __len__(self) -> int:
        """How many wait, without the one that is out."""
        return len(self._waiting)

    def put(self, notify: Notify, now: float) -> bool:
        """Sends a NOTIFY now or in its turn. False when too many wait: none of them will be sent, nor this one."""
        if self._sent is None:
            self._send(notify, now)
        elif len(self._waiting) < MAX_QUEUED_NOTIFIES:
            self._waiting.append(notify)
        else:
            self._waiting.clear()
            return False
        return True

    def _send(self, notify: Notify, now: float) -> None:
        state = SubscriptionStateHeader(notify.state.value)
        if notify.state is NotifierState.TERMINATED:
            state.parameters["reason"] = notify.reason
            if notify.retry_after is not None:
                state.parameters["retry-after"] = str(notify.retry_after)
        else:
            state.parameters["expires"] = str(max(0, ceil(self.deadline - now)))
        fields: list[tuple[str, str | BaseHeader]] = [("Event", self._event), ("Subscription-State", state)]
        if notify.content_type is not None:
            fields.append(("Content-Type", notify.content_type))
        request = self._dialog.create_request("NOTIFY", fields, notify.content)
        self._sent = notify
        self._outgoing = OutgoingRequest(
            request, [self._dialog.next_hop()], self._core, self, dialog=self._dialog, now=now
        )

    def _send_again(self, now: float) -> None:
        self._retry = None
        if self._sent is not None:
            self._send(self._sent, now)

    def _lose(self, reason: str, now: float) -> None:
        self._waiting.clear()
        self._sent = None
        self._owner.subscriber_lost(reason, now)

    # What the NOTIFY that is out tells its owner

    def request_progressed(self, outgoing: OutgoingRequest, response: SIPResponse, now: float) -> None:
        """A NOTIFY is answered finally or not at all."""

    def request_succeeded(self, outgoing: OutgoingRequest, response: SIPResponse, now: float) -> None:
        self._dialog.refresh_target(response, "NOTIFY")
        self._outgoing = None
        self._retries = 0
        self._owner.notify_succeeded(response, now)
        # what the owner was told may have made it owe more: that waits behind what waited before
        self._sent = None
        if self._waiting:
            self._send(self._waiting.popleft(), now)
        else:
            self._owner.all_told(now)

    def request_refused(self, outgoing: OutgoingRequest, response: SIPResponse, now: float) -> None:
        self._outgoing = None
        wait = outgoing.retry_after
        self._owner.notify_failed(response.code, response.reason, now)
        if wait is None or wait > MAX_RETRY_AFTER or response.code in FATAL_CODES or self._retries >= MAX_RETRIES:
            self._lose(f"NOTIFY refused with {response.code}", now)
        else:
            self._retries += 1
            self._retry = self._core.timers.schedule(now + wait, self._send_again)

    def request_failed(self, outgoing: OutgoingRequest, code: int, error: str, now: float) -> None:
        # 4.2.2: timer F, and as RFC 3261 8.1.3.1 has it a transport error: the subscriber is gone
        self._outgoing = None
        self._owner.notify_failed(code, error, now)
        self._lose(f"NOTIFY failed: {error}", now)
