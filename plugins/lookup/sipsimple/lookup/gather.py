"""Coroutines at the same time, on Twisted."""

from __future__ import annotations

from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

from twisted.internet.defer import Deferred, FirstError, gatherResults

__all__ = ["gather"]

T = TypeVar("T")


async def gather(coroutines: Iterable[Coroutine[Any, Any, T]]) -> list[T]:
    """What all of them return, in their order, or what the first one raises. When this is cancelled, so are they."""
    running = [Deferred.fromCoroutine(coroutine) for coroutine in coroutines]
    try:
        results: list[T] = await gatherResults(running, consumeErrors=True)
    except FirstError as error:
        error.subFailure.raiseException()
    return results
