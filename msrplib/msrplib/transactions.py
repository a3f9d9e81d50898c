"""Requests whose response is awaited, and until when (RFC 4975 7.1.1, 7.2). Time is an argument."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from msrplib.limits import Limits

__all__ = ["Request", "TransactionTable"]


class Request(Protocol):
    """What a response is for: an Request, of each chunk; a PendingRequest; an AUTH.

    Its `session` is told by `response_received(request, response)` or `transaction_timed_out(request)`.
    """

    @property
    def session(self) -> Any: ...
    @property
    def failure_report(self) -> str: ...


class TransactionTable:
    """The open transactions of a connection.

    All wait equally long, so the order in which they were added is that of their deadlines. One of a message
    with Failure-Report: partial gets a response only when it fails; it is forgotten in silence.
    """

    __slots__ = ("_awaited", "_limit", "_silent", "_timeout")

    def __init__(self, limits: Limits) -> None:
        self._timeout = limits.transaction_timeout
        self._limit = limits.max_transactions
        self._awaited: dict[str, tuple[Request, float]] = {}
        self._silent: dict[str, tuple[Request, float]] = {}

    @property
    def is_full(self) -> bool:
        """As many responses as may be are awaited: send nothing more until one comes."""
        return len(self._awaited) >= self._limit

    def __len__(self) -> int:
        return len(self._awaited) + len(self._silent)

    def add(self, transaction_id: str, request: Request, now: float) -> None:
        """The last octet of a request was sent (RFC 4975 7.1.1: the time runs from there)."""
        if request.failure_report == "yes":
            self._awaited[transaction_id] = (request, now + self._timeout)
        elif request.failure_report == "partial":
            silent = self._silent
            if len(silent) >= self._limit:
                del silent[next(iter(silent))]
            silent[transaction_id] = (request, now + self._timeout)

    def pop(self, transaction_id: str) -> Request | None:
        """A response has come: what it is for, or None."""
        entry = self._awaited.pop(transaction_id, None) or self._silent.pop(transaction_id, None)
        return entry[0] if entry is not None else None

    def next_deadline(self) -> float | None:
        """When `expire()` has something to do next."""
        deadlines = [next(iter(table.values()))[1] for table in (self._awaited, self._silent) if table]
        return min(deadlines, default=None)

    def expire(self, now: float) -> list[Request]:
        """Close the transactions whose time is over.

        :return: those whose response was due
        """
        late = self._pop_late(self._awaited, now)
        self._pop_late(self._silent, now)
        return late

    def discard(self, unwanted: Callable[[Request], bool]) -> None:
        """Forget some."""
        for table in (self._awaited, self._silent):
            for transaction_id in [tid for tid, (request, _) in table.items() if unwanted(request)]:
                del table[transaction_id]

    @staticmethod
    def _pop_late(table: dict[str, tuple[Request, float]], now: float) -> list[Request]:
        late: list[Request] = []
        while table:
            transaction_id = next(iter(table))
            request, deadline = table[transaction_id]
            if deadline > now:
                break
            del table[transaction_id]
            late.append(request)
        return late
