"""The virtual clock: events in one heap, in an order that depends on nothing but the program (no RFC).

Time stands still while an event runs and jumps to the next event when it has returned. Events that are due at
the same instant run in the order in which they were scheduled.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from functools import partial
from heapq import heapify, heappop, heappush
from typing import Any, Protocol

from twisted.internet.error import AlreadyCalled, AlreadyCancelled
from twisted.internet.interfaces import IDelayedCall
from zope.interface import implementer

__all__ = ["Host", "LivelockError", "VirtualCall", "VirtualClock"]

START_TIME = 1_000_000.0
DEFAULT_EVENT_LIMIT = 1_000_000
EVENTS_SHOWN_IN_LIVELOCK = 12
STALE_ENTRIES_KEPT = 512

_CANCELLED = -1
_CALLED = -2


class Host(Protocol):
    """Whose event it is: `invoke` calls a function as that host does (in its realm)."""

    name: str
    alive: bool
    invoke: Callable[..., Any]


class LivelockError(AssertionError):
    """More events ran than a test may need: something answers itself for ever."""


# time, number, host, function, arguments; a VirtualCall stands for its function, with None for the arguments
_Entry = tuple[float, int, Host | None, Any, tuple[Any, ...] | None]


@implementer(IDelayedCall)
class VirtualCall:
    """A call that waits for its virtual time (IDelayedCall)."""

    __slots__ = ("_arguments", "_clock", "_due", "_function", "_number", "_pushed_for", "host", "internal")

    def __init__(
        self,
        clock: VirtualClock,
        host: Host | None,
        due: float,
        function: Callable[..., Any],
        arguments: tuple[Any, ...],
        internal: bool,
    ) -> None:
        self._clock = clock
        self._due = due
        self._function: Callable[..., Any] | None = function
        self._arguments = arguments
        self._number = 0  # of the heap entry that counts, or _CANCELLED or _CALLED
        self._pushed_for = due
        self.host = host
        self.internal = internal

    def getTime(self) -> float:
        """The virtual time, in seconds, at which the call is made."""
        return self._due

    def active(self) -> bool:
        return self._number >= 0

    def cancel(self) -> None:
        self._require_active()
        self._number = _CANCELLED
        self._function, self._arguments = None, ()
        self._clock._entry_became_stale()

    def delay(self, secondsLater: float) -> None:
        self._require_active()
        self._move(self._due + secondsLater)

    def reset(self, secondsFromNow: float) -> None:
        self._require_active()
        self._move(self._clock.now + secondsFromNow)

    def _move(self, due: float) -> None:
        self._due = due
        if due < self._pushed_for:
            self._clock._push_call(self)
            self._clock._entry_became_stale()

    def _require_active(self) -> None:
        if self._number == _CANCELLED:
            raise AlreadyCancelled
        if self._number == _CALLED:
            raise AlreadyCalled

    def _start(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        function, arguments = self._function, self._arguments
        assert function is not None
        self._number = _CALLED
        self._function, self._arguments = None, ()
        return function, arguments

    def __repr__(self) -> str:
        state = {_CANCELLED: "cancelled", _CALLED: "called"}.get(self._number)
        if state is None:
            state = f"in {self._due - self._clock.now:g} s: {describe_callable(self._function)}"
        return f"<VirtualCall {state}>"


class VirtualClock:
    """Virtual time and the events that wait for it.

    :param failed: called with (host, function, exception) for each exception that leaves an event
    """

    def __init__(self, failed: Callable[[Host | None, Any, Exception], None]) -> None:
        self.now = START_TIME
        self.event_limit = DEFAULT_EVENT_LIMIT
        self.events_run = 0
        self._failed = failed
        self._heap: list[_Entry] = []
        self._number = 0
        self._in_flight = 0
        self._stale = 0
        self._running = False
        self._from_threads: deque[tuple[Host | None, Callable[..., Any], tuple[Any, ...]]] = deque()

    def schedule(
        self, delay: float, host: Host | None, function: Callable[..., Any], arguments: tuple[Any, ...] = ()
    ) -> None:
        """Queue what is under way by itself (a packet, a flush) and cannot be cancelled."""
        self._number = number = self._number + 1
        self._in_flight += 1
        heappush(self._heap, (self.now + delay, number, host, function, arguments))

    def call_later(
        self,
        delay: float,
        host: Host | None,
        function: Callable[..., Any],
        arguments: tuple[Any, ...] = (),
        keywords: dict[str, Any] | None = None,
        *,
        internal: bool = False,
    ) -> VirtualCall:
        """Queue a timer.

        :param internal: a timer of the simulated network, which `calls_of` does not show
        :raises ValueError: the delay is negative or not a number
        """
        if not delay >= 0:
            raise ValueError(f"a call cannot be delayed by {delay!r} seconds")
        if keywords:
            function = partial(function, **keywords)
        call = VirtualCall(self, host, self.now + delay, function, arguments, internal)
        self._push_call(call)
        return call

    @property
    def is_empty(self) -> bool:
        """Whether nothing is left to happen, not even a timer."""
        return len(self._heap) == self._stale and not self._from_threads

    def call_from_thread(self, host: Host | None, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
        """Queue a call for now; the one method here that any thread may use."""
        self._from_threads.append((host, function, arguments))

    def calls_of(self, host: Host) -> list[VirtualCall]:
        """The timers of a host that are active, in the order in which they will be called."""
        calls = [
            (call.getTime(), number, call)
            for _, number, owner, call, arguments in self._heap
            if arguments is None and owner is host and call._number == number and not call.internal
        ]
        return [call for _, _, call in sorted(calls, key=lambda entry: entry[:2])]

    def discard_host(self, host: Host) -> list[tuple[Any, tuple[Any, ...]]]:
        """Forget all events of a host; returns those that were in flight as (function, arguments)."""
        discarded = [
            (function, arguments)
            for _, _, owner, function, arguments in self._heap
            if owner is host and arguments is not None
        ]
        self._heap = [entry for entry in self._heap if entry[2] is not host and not _is_stale(entry)]
        heapify(self._heap)
        self._stale = 0
        self._in_flight -= len(discarded)
        return discarded

    def run(self, deadline: float, done: Callable[[], object] | None = None, *, in_flight_only: bool = False) -> bool:
        """Run events until `done()` is true, nothing is left, or the next one lies after the deadline.

        :param deadline: virtual time in seconds; the clock itself stops at the last event
        :param done: asked before the first and after each event
        :param in_flight_only: stop when nothing is due and no packet is under way; timers are not waited for
        :return: True when `done()` was true
        :raises LivelockError: more than `event_limit` events ran
        """
        if self._running:
            raise RuntimeError("the network is running: events cannot run inside an event")
        self._running = True
        first = self.events_run
        try:
            return self._run(deadline, done, in_flight_only, first + self.event_limit)
        finally:
            self._running = False

    def _run(self, deadline: float, done: Callable[[], object] | None, in_flight_only: bool, last: int) -> bool:
        recent: deque[str] = deque(maxlen=EVENTS_SHOWN_IN_LIVELOCK)
        shown_from = last - EVENTS_SHOWN_IN_LIVELOCK
        started = self.now
        while True:
            if self._from_threads:
                self._take_thread_calls()
            if done is not None and done():
                return True
            while True:
                heap = self._heap
                if not heap:
                    return False
                time, number, host, function, arguments = heap[0]
                if time > deadline or (in_flight_only and not self._in_flight and time > self.now):
                    return False
                heappop(heap)
                if arguments is not None:
                    self._in_flight -= 1
                elif function._number != number:
                    self._stale -= 1
                    continue
                elif function._due > time:
                    self._push_call(function)
                    continue
                else:
                    function, arguments = function._start()
                break
            if time > self.now:
                self.now = time
            self.events_run += 1
            if self.events_run > shown_from:
                recent.append(f"{host.name if host else 'network'}: {describe_callable(function)}")
                if self.events_run > last:
                    raise LivelockError(_describe_livelock(self.event_limit, self.now - started, recent))
            try:
                if host is None:
                    function(*arguments)
                elif host.alive:
                    host.invoke(function, *arguments)
            except Exception as exception:
                self._failed(host, function, exception)

    def _take_thread_calls(self) -> None:
        while self._from_threads:
            host, function, arguments = self._from_threads.popleft()
            self.schedule(0.0, host, function, arguments)

    def _push_call(self, call: VirtualCall) -> None:
        self._number = call._number = number = self._number + 1
        call._pushed_for = call._due
        heappush(self._heap, (call._due, number, call.host, call, None))

    def _entry_became_stale(self) -> None:
        self._stale += 1
        if self._stale > STALE_ENTRIES_KEPT and self._stale * 2 > len(self._heap):
            self._heap = [entry for entry in self._heap if not _is_stale(entry)]
            heapify(self._heap)
            self._stale = 0


def _is_stale(entry: _Entry) -> bool:
    return entry[4] is None and entry[3]._number != entry[1]


def describe_callable(function: object) -> str:
    """A short name for a message: what is called, without its arguments."""
    while isinstance(function, partial):
        function = function.func
    return getattr(function, "__qualname__", None) or type(function).__qualname__


def _describe_livelock(limit: int, elapsed: float, recent: deque[str]) -> str:
    events = "\n".join(f"    {event}" for event in recent)
    return (
        f"{limit} events ran in {elapsed:g} virtual seconds and there is no end in sight; "
        f"the limit is `event_limit`. The last events:\n{events}"
    )
