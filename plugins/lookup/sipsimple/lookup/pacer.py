"""The pace of the work: in slices, so that the event loop serves others between them, and over few sockets at once."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any

from twisted.internet.defer import Deferred

__all__ = ["Pacer"]

#: How long the work goes on before others have their turn, in seconds.
SLICE = 0.001
#: So many questions are under way to servers at a time; the others wait for one to end.
MAX_OPEN = 64


class Pacer:
    """Does what is to be done in a reactor, piece by piece. To be used in the reactor's thread."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._work: deque[Iterator[object]] = deque()
        self._waiting: deque[Callable[[], object]] = deque()
        self._open = 0
        self._turn: Any = None
        self._end = 0.0  # of the slice

    def work(self, steps: Iterator[object]) -> None:
        """Go through the steps of an iterator, soon; it must not raise."""
        self._work.append(steps)
        self._wake()

    async def turn(self) -> None:
        """Wait until there is time for more work: not at all where little was done in this turn of the loop."""
        if self._turn is None:
            self._end = time.perf_counter() + SLICE
            self._wake()  # and with that the slice is over
        if self._work or time.perf_counter() >= self._end:
            turn: Deferred[None] = Deferred()
            self.work(_fire(turn))
            await turn

    def open(self, start: Callable[[], object]) -> None:
        """Call `start`, which must not raise, as soon as there is room; `close` is to be called once after that."""
        self._waiting.append(start)
        self._wake()

    def forget(self, start: Callable[[], object]) -> bool:
        """Don't call it any more. False if it was called."""
        try:
            self._waiting.remove(start)
        except ValueError:
            return False
        return True

    def close(self) -> None:
        """What was opened has ended."""
        self._open -= 1
        if self._waiting:
            self._wake()

    def _wake(self) -> None:
        if self._turn is None:
            self._turn = self._reactor.callLater(0, self._take_turn)

    def _take_turn(self) -> None:
        self._end = time.perf_counter() + SLICE
        while True:
            if self._work:
                try:
                    next(self._work[0])
                except StopIteration:
                    self._work.popleft()
            elif self._waiting and self._open < MAX_OPEN:
                self._open += 1
                self._waiting.popleft()()
            else:
                self._turn = None
                return
            if time.perf_counter() >= self._end:
                self._turn = self._reactor.callLater(0, self._take_turn)
                return


def _fire(turn: Deferred[None]) -> Iterator[None]:
    if not turn.called:  # it may have been cancelled
        turn.callback(None)
    yield from ()
