"""Waiting for notifications without an observer class: for one of them, or for all, one after the other.

`NotificationCenter.wait_for` and `NotificationCenter.events` make what is here. Both listen from the moment they are
called, so a call that is made before what leads to the notification misses nothing.
"""

from __future__ import annotations

import asyncio
import contextvars
import typing
from collections.abc import Collection
from threading import Lock, Timer

from zope.interface import implementer

from sipsimple.notification.center import IObserver, Notification
from sipsimple.notification.handover import DEFAULT_LIMIT, AsyncioObserver
from sipsimple.realm import current_realm
from sipsimple.result import Result
from sipsimple.util import Any

if typing.TYPE_CHECKING:
    from sipsimple.notification.center import NotificationCenter
    from sipsimple.util import AnyType

__all__ = ["Events", "WaitFailedError", "wait_for"]


class WaitFailedError(RuntimeError):
    """Another notification came, after which the awaited one can't: `awaited` is its name, `notification` the other."""

    def __init__(self, awaited: str, notification: Notification) -> None:
        super().__init__(awaited, notification)
        self.awaited = awaited
        self.notification = notification

    def __str__(self) -> str:
        return f"{self.awaited} was awaited, but {self.notification!r} came"


@implementer(IObserver)
class _Waiter:
    """Settles a result with the first notification that matters."""

    def __init__(self, center: NotificationCenter, name: str, sender: object, unless: Collection[str]) -> None:
        self.result: Result[Notification] = Result()
        self._center = center
        self._name = name
        self._sender = sender
        self._names = {name, *unless}
        self._lock = Lock()
        self._settled = False
        self._timer: typing.Any = None

    def begin(self, timeout: float | None) -> None:
        for name in self._names:
            self._center.add_observer(self, name=name, sender=self._sender)
        if timeout is None:
            return
        if current_realm().reactor is None:
            # before SIPApplication.start(), where one waits for its outcome: a thread has to measure the time
            self._set_timer(_ThreadTimer(timeout, self._timed_out))
        else:
            from sipsimple.threading import call_in_sipsimple_thread

            call_in_sipsimple_thread(self._start_timer, timeout)

    def _start_timer(self, timeout: float) -> None:
        self._set_timer(current_realm().reactor.callLater(timeout, self._timed_out, timeout))

    def _set_timer(self, timer: typing.Any) -> None:
        with self._lock:
            if not self._settled:
                self._timer = timer
                return
        _cancel(timer)

    def _timed_out(self, timeout: float) -> None:
        self._timer = None
        if self._settle():
            self.result.fail(TimeoutError(f"no {self._name} within {timeout} seconds"))

    def handle_notification(self, notification: Notification) -> None:
        if not self._settle():
            return
        if notification.name == self._name:
            self.result.succeed(notification)
        else:
            self.result.fail(WaitFailedError(self._name, notification))

    def _settle(self) -> bool:
        """Whether this is the first time; nothing is listened to any more."""
        with self._lock:
            if self._settled:
                return False
            self._settled = True
            timer, self._timer = self._timer, None
        for name in self._names:
            self._center.discard_observer(self, name=name, sender=self._sender)
        if isinstance(timer, _ThreadTimer):
            timer.cancel()
        elif timer is not None:
            from sipsimple.threading import call_in_sipsimple_thread

            call_in_sipsimple_thread(_cancel, timer)
        return True


class _ThreadTimer(Timer):
    """Calls back in a thread of its own, which keeps no process alive."""

    def __init__(self, timeout: float, function: typing.Callable[[float], None]) -> None:
        super().__init__(timeout, contextvars.copy_context().run, (function, timeout))
        self.daemon = True
        self.start()


def _cancel(timer: typing.Any) -> None:
    if isinstance(timer, _ThreadTimer) or timer.active():
        timer.cancel()


def wait_for(
    center: NotificationCenter, name: str, sender: object, timeout: float | None, unless: Collection[str]
) -> Result[Notification]:
    """See `NotificationCenter.wait_for`."""
    if timeout is not None and timeout < 0:
        raise ValueError(f"a timeout is not negative: {timeout}")
    waiter = _Waiter(center, name, sender, unless)
    waiter.begin(timeout)
    return waiter.result


class Events:
    """The notifications of a kind in the order in which they are posted: an asynchronous iterator.

    It listens until `close()`, the end of its `with` block, or the notification that is the last. At most `limit`
    wait to be read, the others are dropped and counted in `dropped`. For one task, in one asyncio loop.
    """

    def __init__(
        self,
        center: NotificationCenter,
        name: str | AnyType = Any,
        sender: object = Any,
        until: Collection[str] = (),
        limit: int = DEFAULT_LIMIT,
    ) -> None:
        self._center = center
        self._key = name, sender
        self._until = frozenset(until)
        self._queue: asyncio.Queue[Notification | None] = asyncio.Queue(1)
        self._observer = AsyncioObserver(self, limit=limit)
        self._closed = False
        center.add_observer(self._observer, name=name, sender=sender)

    @property
    def dropped(self) -> int:
        """How many notifications found no room."""
        return self._observer.dropped

    async def handle_notification(self, notification: Notification) -> None:
        """In the loop; the notifications behind this one wait in the AsyncioObserver until it is read."""
        if not self._closed:
            await self._queue.put(notification)

    def close(self) -> None:
        """Listen no more: the iteration is over. May be called again."""
        if self._closed:
            return
        self._closed = True
        name, sender = self._key
        self._center.discard_observer(self._observer, name=name, sender=sender)
        while not self._queue.empty():
            self._queue.get_nowait()
        self._queue.put_nowait(None)  # for a task that waits

    def __enter__(self) -> Events:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __aiter__(self) -> Events:
        return self

    async def __anext__(self) -> Notification:
        notification = None if self._closed else await self._queue.get()
        if notification is None:
            raise StopAsyncIteration
        if notification.name in self._until:
            self.close()
        return notification
