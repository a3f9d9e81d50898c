"""The result of an operation that takes time, for callers of every kind.

An operation returns a `Result` at once. A coroutine awaits it (in an asyncio task or driven by Twisted), a
thread calls `.wait(timeout)`, code in the reactor's thread adds callbacks to it as to the Twisted Deferred
behind it.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from threading import Event, Lock
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from sipsimple.realm import current_realm
from sipsimple.threading import call_in_sipsimple_thread

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred
    from twisted.python.failure import Failure

__all__ = ["Result", "deferred_of"]

T = TypeVar("T")


class Result(Generic[T]):
    """What an operation will give: a value, or an exception.

    The operation makes one with `Result()` and settles it in the reactor's thread, with `succeed`, `fail` or
    `follow`; `Result.of` does all three. Each of the ways to wait gets the outcome, also after another did.
    """

    __slots__ = ("__weakref__", "_callbacks", "_following", "_lock", "_outcome", "_realm")

    def __init__(self) -> None:
        self._realm = current_realm()
        self._lock = Lock()
        self._outcome: tuple[bool, Any] | None = None  # succeeded, value or exception
        self._callbacks: list[Callable[[], object]] = []
        self._following: Deferred[T] | None = None

    @classmethod
    def of(cls, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Result[Any]:
        """The result of a function that is called in the reactor's thread.

        It may return a value, a Deferred or a coroutine, or raise.
        """
        result: Result[Any] = cls()
        call_in_sipsimple_thread(result._run, function, args, kwargs)
        return result

    def _run(self, function: Callable[..., Any], args: Any, kwargs: Any) -> None:
        from twisted.internet.defer import maybeDeferred

        self.follow(maybeDeferred(function, *args, **kwargs))

    def __repr__(self) -> str:
        outcome = self._outcome
        state = "pending" if outcome is None else "succeeded" if outcome[0] else f"failed: {outcome[1]!r}"
        return f"<{type(self).__name__} {state}>"

    @property
    def done(self) -> bool:
        """Whether the outcome is there."""
        return self._outcome is not None

    def succeed(self, value: T) -> None:
        """Settle it with a value. Raises RuntimeError when it is settled already."""
        self._settle(True, value)

    def fail(self, error: BaseException) -> None:
        """Settle it with an exception. Raises RuntimeError when it is settled already."""
        self._settle(False, error)

    def follow(self, deferred: Deferred[T]) -> None:
        """Settle it with the outcome of a Deferred, whose errors count as handled with that."""

        def failed(failure: Failure) -> None:
            error = failure.value
            self.fail(error if isinstance(error, BaseException) else RuntimeError(str(error)))

        self._following = deferred
        deferred.addCallbacks(self.succeed, failed)

    def cancel(self) -> None:
        """Have the operation broken off, if it can be: it then fails with what it says of that, or CancelledError.

        Returns at once, from any thread. Does nothing when the outcome is there already.
        """
        call_in_sipsimple_thread(self._cancel)

    def _cancel(self) -> None:
        if self._following is not None:
            self._following.cancel()

    def _settle(self, succeeded: bool, value: Any) -> None:
        self._following = None
        with self._lock:
            if self._outcome is not None:
                raise RuntimeError(f"{self!r} is settled already")
            self._outcome = (succeeded, value)
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()

    def _when_done(self, callback: Callable[[], object]) -> None:
        """Call back in the thread that settles the result, or at once."""
        with self._lock:
            if self._outcome is None:
                self._callbacks.append(callback)
                return
        callback()

    def _get(self) -> T:
        assert self._outcome is not None
        succeeded, value = self._outcome
        if succeeded:
            outcome: T = value
            return outcome
        raise value

    def wait(self, timeout: float | None = None) -> T:
        """Block this thread until the outcome is there, at most `timeout` seconds, and return or raise it.

        Raises TimeoutError when it isn't there in time (the operation goes on), and RuntimeError in the
        reactor's thread, in which the outcome could never come while it waits.
        """
        if self._realm.in_reactor_thread():
            raise RuntimeError("wait() would block the reactor thread: await the result, or add a callback")
        if self._outcome is None:
            arrived = Event()
            self._when_done(arrived.set)
            if not arrived.wait(timeout):
                raise TimeoutError(f"no result within {timeout} seconds")
        return self._get()

    def __await__(self) -> Generator[Any, Any, T]:
        if self._outcome is None:
            waiter = self._asyncio_waiter()
            yield from (self.deferred() if waiter is None else waiter).__await__()
        return self._get()

    def _asyncio_waiter(self) -> Any:
        """A future of the loop whose task awaits, None when it is no asyncio task that does."""
        import asyncio

        try:
            if asyncio.current_task() is None:
                return None
        except RuntimeError:
            return None
        loop = asyncio.get_running_loop()
        waiter = loop.create_future()

        def arrived() -> None:
            if not waiter.done():
                waiter.set_result(None)

        def tell_loop() -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(arrived)

        self._when_done(tell_loop)
        return waiter

    def deferred(self) -> Deferred[T]:
        """A new Deferred that fires with the outcome, in the reactor's thread."""
        from twisted.internet.defer import Deferred

        deferred: Deferred[T] = Deferred()

        def fire() -> None:
            assert self._outcome is not None
            succeeded, value = self._outcome
            if succeeded:
                deferred.callback(value)
            else:
                deferred.errback(value)

        self._when_done(lambda: self._realm.run(call_in_sipsimple_thread, fire))
        return deferred

    def addCallbacks(
        self, callback: Callable[[T], object], errback: Callable[[Failure], object] | None = None
    ) -> Result[T]:
        """Have one of the two called in the reactor's thread, with the value or with a twisted Failure.

        What it returns concerns nobody: each callback gets the outcome itself.
        """

        def add() -> None:
            deferred = self.deferred()
            deferred.addCallbacks(callback, _ignore if errback is None else errback)
            deferred.addErrback(_report)

        call_in_sipsimple_thread(add)
        return self

    def addCallback(self, callback: Callable[[T], object]) -> Result[T]:
        """Have `callback` called with the value in the reactor's thread, if there is one."""
        return self.addCallbacks(callback)

    def addErrback(self, errback: Callable[[Failure], object]) -> Result[T]:
        """Have `errback` called with a twisted Failure in the reactor's thread, if it fails."""
        return self.addCallbacks(_ignore, errback)

    def addBoth(self, callback: Callable[[Any], object]) -> Result[T]:
        """Have `callback` called with the value or with a twisted Failure in the reactor's thread."""
        return self.addCallbacks(callback, callback)


def _ignore(_: object) -> None:
    pass


def _report(failure: Failure) -> None:
    import logging

    log = logging.getLogger("sipsimple.threading")
    log.error("A callback of a result failed:\n%s", failure.getTraceback())


def deferred_of(outcome: Any) -> Deferred[Any]:
    """What a hook returned, a Result, a Deferred or the value itself, as a Deferred for the one who has asked.

    Cancelled, it breaks the operation off. To be called in the reactor's thread.
    """
    from twisted.internet.defer import Deferred, maybeDeferred

    if not isinstance(outcome, Result):
        return maybeDeferred(lambda: outcome)
    deferred: Deferred[Any] = Deferred(lambda _: outcome.cancel())
    outcome.deferred().chainDeferred(deferred)
    return deferred
