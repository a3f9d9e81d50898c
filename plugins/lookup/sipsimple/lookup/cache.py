"""What is known of DNS (RFC 1035 7.4, RFC 2308): outcomes for as long as they hold, and questions that are under way.

Two lookups that need the same at the same time ask once.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

from twisted.internet.defer import Deferred

from sipsimple.lookup.message import Question
from sipsimple.lookup.query import Outcome

__all__ = ["Cache", "SharedQueries"]

MAX_ENTRIES = 500
#: Nothing is kept longer, in seconds, whatever its records say (RFC 8767 4, RFC 2308 5).
MAX_TTL = 86_400
MAX_NEGATIVE_TTL = 3 * 3600


class Cache:
    """Outcomes by question; the one that was used longest ago goes first when it is full."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._entries: OrderedDict[Question, tuple[float, Outcome]] = OrderedDict()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, question: Question) -> Outcome | None:
        """What is known, with no nameservers as none was asked now; None if nothing is, or it has expired."""
        entry = self._entries.get(question)
        if entry is None:
            return None
        expires, outcome = entry
        if expires <= self._reactor.seconds():
            del self._entries[question]
            return None
        self._entries.move_to_end(question)
        return outcome

    def put(self, question: Question, outcome: Outcome) -> None:
        """Keep it for as long as it says."""
        ttl = min(outcome.ttl, MAX_NEGATIVE_TTL if outcome.answer is None else MAX_TTL)
        if ttl <= 0:
            return
        while len(self._entries) >= MAX_ENTRIES:
            self._entries.popitem(last=False)
        self._entries[question] = (self._reactor.seconds() + ttl, outcome._replace(nameservers=[]))

    def clear(self) -> None:
        """Forget everything."""
        self._entries.clear()


class SharedQueries:
    """The questions that are under way, each with those who wait for it.

    A key tells what may be shared: a question, and the kind of servers that it is for.
    """

    def __init__(self) -> None:
        self._shared: dict[Hashable, _Shared] = {}

    def join(self, key: Hashable, ask: Callable[[], Deferred[Outcome]]) -> tuple[Deferred[Outcome], bool]:
        """A Deferred with the outcome, and whether `ask` was called to get it: it is not where it is under way already.

        Cancelling the Deferred breaks the question off if nobody else waits for it.
        """
        shared = self._shared.get(key)
        is_new = shared is None
        if shared is None:
            shared = self._shared[key] = _Shared(lambda: self._shared.pop(key, None))
            waiter = shared.waiter()
            shared.begin(ask())
        else:
            waiter = shared.waiter()
        return waiter, is_new


class _Shared:
    def __init__(self, ended: Callable[[], object]) -> None:
        self._ended = ended
        self._waiters: list[Deferred[Outcome]] = []
        self._asking: Deferred[Outcome] | None = None

    def waiter(self) -> Deferred[Outcome]:
        waiter: Deferred[Outcome] = Deferred(self._gave_up)
        self._waiters.append(waiter)
        return waiter

    def begin(self, asking: Deferred[Outcome]) -> None:
        self._asking = asking
        asking.addBoth(self._end)

    def _gave_up(self, waiter: Deferred[Outcome]) -> None:
        if waiter not in self._waiters:
            return
        self._waiters.remove(waiter)
        if not self._waiters and self._asking is not None:
            self._ended()
            self._asking.cancel()

    def _end(self, result: Any) -> None:
        self._ended()
        waiters, self._waiters = self._waiters, []
        for waiter in waiters:
            if not waiter.called:  # another one may have cancelled it
                waiter.callback(result)
