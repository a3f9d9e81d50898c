"""Who is composing: RFC 3994 3.3, the state that a receiver keeps, until it is refreshed or times out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sipsimple.streams.chat.composing import DEFAULT_REFRESH, ComposingIndication
from sipsimple.streams.chat.messages import ChatIdentity

__all__ = ["Composers"]

MAX_COMPOSERS = 256
"""Senders in one chat whose state is kept; the state of the one heard of longest ago is forgotten."""

_IDLE = ComposingIndication("idle")

TimedOut = Callable[[ChatIdentity, list[ChatIdentity], ComposingIndication], None]


class Composers:
    """Those who said that they are composing, each with the timer after which they are not.

    :param timed_out: called with sender, recipients and an idle indication when nothing was heard in time
    """

    __slots__ = ("_timed_out", "_timers")

    def __init__(self, timed_out: TimedOut) -> None:
        self._timed_out = timed_out
        self._timers: dict[ChatIdentity, Any] = {}

    def __len__(self) -> int:
        return len(self._timers)

    def note(
        self, reactor: Any, sender: ChatIdentity, recipients: list[ChatIdentity], indication: ComposingIndication
    ) -> None:
        """An indication has come."""
        self.forget(sender)
        if indication.state != "active":
            return
        if len(self._timers) >= MAX_COMPOSERS:
            self.forget(next(iter(self._timers)))
        self._timers[sender] = reactor.callLater(
            indication.refresh or DEFAULT_REFRESH, self._expired, sender, recipients
        )

    def forget(self, sender: ChatIdentity | None) -> None:
        """The sender is idle: it said so, or its message has come."""
        timer = self._timers.pop(sender, None) if sender is not None else None
        if timer is not None:
            timer.cancel()

    def clear(self) -> None:
        for sender in list(self._timers):
            self.forget(sender)

    def _expired(self, sender: ChatIdentity, recipients: list[ChatIdentity]) -> None:
        self._timers.pop(sender, None)
        self._timed_out(sender, recipients, _IDLE)
