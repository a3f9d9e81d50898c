"""Observers that take notifications elsewhere: to a queue that another thread reads, or to an asyncio loop.

Both keep the order, never block the thread that posts, and hold a bounded number of notifications: what
doesn't fit is dropped, counted, and said once in the log until there is room again.
"""

from __future__ import annotations

import logging
import typing
from collections import deque
from threading import RLock
from typing import TYPE_CHECKING

from zope.interface import implementer

from sipsimple.notification.center import IObserver, Notification

if TYPE_CHECKING:
    import asyncio

    from sipsimple.notification.center import Observer

__all__ = ["AsyncioObserver", "QueueObserver"]

log = logging.getLogger("sipsimple.notification")

DEFAULT_LIMIT = 10_000


class _Queue(typing.Protocol):
    def put_nowait(self, item: Notification, /) -> object: ...

    def qsize(self) -> int: ...


class _Bounded:
    """Counts what was dropped, and logs the first of each run of drops."""

    def __init__(self, limit: int) -> None:
        if limit < 1:
            raise ValueError(f"the limit is at least 1, not {limit}")
        self.limit = limit
        self.dropped = 0
        self._dropping = False

    def _drop(self, notification: Notification, reason: str) -> None:
        self.dropped += 1
        if not self._dropping:
            self._dropping = True
            log.warning("%s drops notifications (%s): %s", type(self).__name__, notification.name, reason)


@implementer(IObserver)
class QueueObserver(_Bounded):
    """Puts each notification into a `queue.Queue`, a `queue.SimpleQueue` or the like.

    At most `limit` wait in it; `dropped` counts those that found it full.
    """

    def __init__(self, queue: _Queue, limit: int = DEFAULT_LIMIT) -> None:
        super().__init__(limit)
        self.queue = queue

    def handle_notification(self, notification: Notification) -> None:
        from queue import Full

        if self.queue.qsize() >= self.limit:
            self._drop(notification, f"{self.limit} wait to be read")
            return
        try:
            self.queue.put_nowait(notification)
        except Full:
            self._drop(notification, "the queue is full")
        else:
            self._dropping = False


@implementer(IObserver)
class AsyncioObserver(_Bounded):
    """Calls `observer.handle_notification`, a function or a coroutine function, in the asyncio loop `loop`.

    Without `loop` it is the one running in the calling thread. One notification at a time: the next waits
    until the coroutine of the one before is done. At most `limit` wait; `dropped` counts those that found no
    room, or the loop closed.
    """

    def __init__(
        self, observer: Observer, loop: asyncio.AbstractEventLoop | None = None, limit: int = DEFAULT_LIMIT
    ) -> None:
        super().__init__(limit)
        if loop is None:
            import asyncio

            loop = asyncio.get_running_loop()
        self.observer = observer
        self.loop = loop
        self._lock = RLock()
        self._waiting: deque[Notification] = deque()
        self._active = False
        self._task: asyncio.Task[None] | None = None

    def handle_notification(self, notification: Notification) -> None:
        with self._lock:
            if len(self._waiting) >= self.limit:
                self._drop(notification, f"{self.limit} wait for the loop")
                return
            self._waiting.append(notification)
            if self._active:
                return
            self._active = True
        try:
            self.loop.call_soon_threadsafe(self._begin)
        except RuntimeError:
            with self._lock:
                self._active = False
                self.dropped += len(self._waiting) - 1
                self._waiting.clear()
                self._drop(notification, "the loop is closed")

    def _begin(self) -> None:
        self._task = self.loop.create_task(self._work())

    async def _work(self) -> None:
        try:
            while (notification := self._next()) is not None:
                try:
                    result = self.observer.handle_notification(notification)
                    if hasattr(result, "__await__"):
                        await typing.cast("typing.Awaitable[object]", result)
                except Exception:
                    observer = type(self.observer).__name__
                    log.exception("An observer (%s) of %s failed", observer, notification.name)
        except BaseException:  # cancelled: the next notification starts a new task
            self._active = False
            raise

    def _next(self) -> Notification | None:
        with self._lock:
            if not self._waiting:
                self._active = False
                self._task = None
                return None
            self._dropping = False
            return self._waiting.popleft()
