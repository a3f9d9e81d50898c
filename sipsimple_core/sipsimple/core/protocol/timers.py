"""The timers of the protocol layer (RFC 3261 17), on a clock that the caller owns.

Theory of operation: a binary heap of ``(deadline, order, timer)``. Equal deadlines come due in the order in
which they were scheduled. Cancelling marks the timer and leaves its entry where it is: the entry is dropped
when it reaches the top, or when more than half of the heap is dead and the heap is rebuilt. So cancelling
costs next to nothing, and cancelled timers never hold more memory than live ones (but for a small floor).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from heapq import heapify, heappop, heappush

__all__ = ["ExceptionHandler", "Timer", "TimerHeap", "log_exception"]

log = logging.getLogger("sipsimple.timers")

#: ``(what failed, the exception)``: what becomes of a mistake in a layer above, which must not disturb the others.
ExceptionHandler = Callable[[str, Exception], object]

#: Below this number of dead entries the heap is never rebuilt.
COMPACTION_FLOOR = 64


def log_exception(what: str, error: Exception) -> None:
    """The handler of those who have no other."""
    log.error("%s", what, exc_info=error)


class Timer:
    """One pending call; made by :meth:`TimerHeap.schedule`."""

    __slots__ = ("_callback", "_heap", "_queued", "deadline")

    def __init__(self, deadline: float, callback: Callable[[float], object], heap: TimerHeap) -> None:
        self.deadline = deadline
        self._callback: Callable[[float], object] | None = callback
        self._heap = heap
        self._queued = True

    @property
    def pending(self) -> bool:
        """Whether the callback is still to be called."""
        return self._callback is not None

    def cancel(self) -> None:
        """Forget the call. Does nothing if it was made or cancelled before."""
        if self._callback is not None:
            self._callback = None
            if self._queued:
                self._heap._entry_died()

    def __repr__(self) -> str:
        return f"<Timer {self.deadline:.3f}{'' if self.pending else ' done'}>"


class TimerHeap:
    """All timers of one engine, ordered by deadline.

    :param on_earlier: called with the new earliest deadline whenever :meth:`schedule` makes it earlier than
        it was, so that an adapter can move its one wake-up call. After :meth:`run_due` the adapter asks
        :meth:`next_deadline` by itself.
    :param on_exception: told of a callback that raised; without one it is logged.
    :param on_exception: told of a callback that raised, instead of the log.

    Times are seconds of any clock that does not run backwards.
    """

    __slots__ = ("_dead", "_entries", "_order", "on_earlier", "on_exception")

    def __init__(
        self, on_earlier: Callable[[float], object] | None = None, on_exception: ExceptionHandler | None = None
    ) -> None:
        self.on_earlier = on_earlier
        self.on_exception = on_exception or log_exception
        self._entries: list[tuple[float, int, Timer]] = []
        self._order = 0
        self._dead = 0

    def __len__(self) -> int:
        """The number of timers that are pending."""
        return len(self._entries) - self._dead

    def schedule(self, deadline: float, callback: Callable[[float], object]) -> Timer:
        """Call ``callback(now)`` in the first :meth:`run_due` at or after the deadline."""
        timer = Timer(deadline, callback, self)
        entries = self._entries
        self._order = order = self._order + 1
        heappush(entries, (deadline, order, timer))
        if self.on_earlier is not None and entries[0][2] is timer:
            self.on_earlier(deadline)
        return timer

    def next_deadline(self) -> float | None:
        """The earliest deadline that is pending, None if there is none."""
        entries = self._entries
        while entries and entries[0][2]._callback is None:
            heappop(entries)
            self._dead -= 1
        return entries[0][0] if entries else None

    def run_due(self, now: float) -> None:
        """Call what is due, earliest first. What a callback schedules waits for the next run, even if due.

        A callback that raises is reported and does not keep the others from being called.
        """
        entries = self._entries
        due: list[Timer] = []
        while entries and entries[0][0] <= now:
            timer = heappop(entries)[2]
            if timer._callback is None:
                self._dead -= 1
            else:
                timer._queued = False
                due.append(timer)
        for timer in due:
            callback = timer._callback
            if callback is None:
                continue
            timer._callback = None
            try:
                callback(now)
            except Exception as error:
                self.on_exception(f"A timer callback failed: {callback!r}", error)

    def _entry_died(self) -> None:
        self._dead = dead = self._dead + 1
        if dead > COMPACTION_FLOOR and dead * 2 > len(self._entries):
            self._entries[:] = [entry for entry in self._entries if entry[2]._callback is not None]
            heapify(self._entries)
            self._dead = 0
