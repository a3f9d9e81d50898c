"""What all transactions share: a state, a table, two timers and a user (RFC 3261 17)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from sipsimple.core.protocol.transaction import T1, T2, Event, State, TransactionStateError, Transitions

if TYPE_CHECKING:
    from sipsimple.core.protocol.hop import Hop
    from sipsimple.core.protocol.timers import Timer
    from sipsimple.core.protocol.transaction_layer import TransactionLayer

__all__ = ["TransactionMachine"]


class TransactionMachine:
    """The engine of the tables; see `sipsimple.core.protocol.transaction`.

    A transaction never needs more than two timers at once: `_repetition` (A, E or G; the one for 100) and `_limit`
    (whatever ends the wait of the state it is in).
    """

    __slots__ = ("__weakref__", "_interval", "_layer", "_limit", "_repetition", "method", "reliable", "state")

    kind: ClassVar[str]
    _transitions: ClassVar[Transitions]

    def __init__(self, layer: TransactionLayer, method: str, reliable: bool) -> None:
        self._layer = layer
        self.method = method
        self.reliable = reliable
        self.state = State.INITIAL
        self._interval = 0.0
        self._repetition: Timer | None = None
        self._limit: Timer | None = None

    def _happen(self, event: Event, subject: Any, now: float) -> None:
        """Go through the transition of an event. `subject` is what it is about: message, error or None."""
        row = self._transitions[self.state]
        try:
            state, actions = row[event]
        except KeyError:
            raise TransactionStateError(self.kind, self.state, event, list(row)) from None
        self.state = state
        for action in actions:
            action(self, subject, now)

    def transport_error(self, error: Exception, now: float) -> None:
        """What the transaction sent did not get out."""
        if self.state is not State.TERMINATED:
            self._happen(Event.TRANSPORT_ERROR, error, now)

    def fail(self, error: Exception, now: float) -> None:
        """The same, in the next run of the timers: no user is called from inside its own call."""
        self._layer.timers.schedule(now, lambda now: self.transport_error(error, now))

    def _send(self, data: bytes, hop: Hop, now: float) -> None:
        try:
            self._layer.send(data, hop)
        except Exception as error:
            self.fail(error, now)

    def _tell(self, callback: Callable[..., object], *arguments: object) -> None:
        """Call the user. Its mistakes are its own: the transition goes on."""
        try:
            callback(*arguments)
        except Exception as error:
            self._layer.on_exception(f"The user of a transaction failed in {callback!r}", error)

    # Timers

    def _repeat(self, callback: Callable[[float], object], longest: float, now: float) -> None:
        """Start A, E or G: the first time with T1, then with twice the interval before, up to the longest."""
        if not self.reliable:
            self._interval = min(self._interval * 2 or T1, longest)
            self._repetition = self._layer.timers.schedule(now + self._interval, callback)

    def _repeat_at_t2(self, callback: Callable[[float], object], now: float) -> None:
        self._interval = T2
        self._repetition = self._layer.timers.schedule(now + T2, callback)

    def _wait(self, seconds: float, callback: Callable[[float], object], now: float) -> None:
        self._limit = self._layer.timers.schedule(now + seconds, callback)

    def _stop_timers(self, subject: Any, now: float) -> None:
        if self._repetition is not None:
            self._repetition.cancel()
            self._repetition = None
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None

    def __repr__(self) -> str:
        return f"<{self.kind} transaction, {self.method}, {self.state.value}>"
