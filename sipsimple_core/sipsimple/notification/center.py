"""The notification center: who observes what, and the delivery.

Delivery is FIFO and runs to completion, in each thread by itself: a notification that an observer posts is
delivered after the one it was called with has reached all its observers. The observers of a notification are
called most specific first (name and sender; name; sender; everything), in the order in which they were added.
"""

from __future__ import annotations

import logging
import typing
import weakref
from collections import deque
from datetime import UTC, datetime
from threading import RLock, local
from typing import TYPE_CHECKING

from zope.interface import Interface, implementer

from sipsimple.notification.data import NotificationData
from sipsimple.notification.declaration import strictness
from sipsimple.realm import Singleton, current_realm
from sipsimple.util import Any, AnyType

__all__ = [
    "IObserver",
    "Notification",
    "NotificationCenter",
    "NotificationDispatcher",
    "ObserverWeakrefProxy",
]

log = logging.getLogger("sipsimple.notification")

MAX_PENDING = 100_000  # notifications posted by observers and not yet delivered, in one thread

_now = datetime.now
_utc = UTC


class IObserver(Interface):
    """Someone who is told of notifications."""

    def handle_notification(notification):  # type: ignore[no-untyped-def]
        """Called with each Notification that it was added for, in the thread that posts it.

        It must not block. An exception is logged and does not keep the other observers from being called; so is
        SystemExit in the reactor's thread, which only would break off what posts, and end nothing.
        """


if TYPE_CHECKING:
    from collections.abc import Collection

    from sipsimple.notification.waiting import Events
    from sipsimple.result import Result

    class Observer(typing.Protocol):
        def handle_notification(self, notification: Notification, /) -> object: ...


class Notification:
    """What observers get: `name`, `sender`, `data` (NotificationData) and `center`, which delivers it."""

    __slots__ = ("center", "data", "name", "sender")

    def __init__(self, name: str, sender: typing.Any, data: NotificationData, center: NotificationCenter) -> None:
        self.name = name
        self.sender = sender
        self.data = data
        self.center = center

    def __repr__(self) -> str:
        sender = "None" if self.sender is None else f"<{type(self.sender).__name__} at {id(self.sender):#x}>"
        return f"Notification({self.name!r}, sender={sender}, data={self.data!r})"


@implementer(IObserver)
class NotificationDispatcher:
    """Mixin of observers: calls the method `_NH_<name of the notification>`, if there is one."""

    __slots__ = ()

    def handle_notification(self, notification: Notification) -> None:
        handler = getattr(self, "_NH_" + notification.name, None)
        if handler is not None:
            handler(notification)


class _Delivery(local):
    """What a thread has posted and not delivered yet."""

    def __init__(self) -> None:
        self.pending: deque[Notification] = deque()
        self.running = False


# The observers of one thing by their identity. Changed under the lock; a delivery goes over a copy, which is
# made in one step of the interpreter and so needs no lock.
_Observers = dict[int, "Observer"]
_Key = tuple[str | None, int | None]  # name, identity of the sender; None where any will do
_NOBODY: _Observers = {}


class NotificationCenter(metaclass=Singleton):
    """Brings notifications from who posts them to who observes them. One in each realm.

    All methods may be called from any thread, also by an observer while it is being called: an observer that
    is removed is not called any more, one that is added is called from the next notification on.
    """

    def __init__(self) -> None:
        self._lock = RLock()
        self._delivery = _Delivery()
        self._by_both: dict[tuple[str, int], _Observers] = {}
        self._by_name: dict[str, _Observers] = {}
        self._by_sender: dict[int, _Observers] = {}
        self._of_all: _Observers = {}
        self._senders: dict[int, list[typing.Any]] = {}  # the sender, kept for its id, and its uses
        self._weak: dict[int, set[_Key]] = {}  # what each weakref proxy observes
        self._dead: deque[int] = deque()
        self._version = 0  # of all tables together

    def add_observer(self, observer: Observer, name: str | AnyType = Any, sender: object = Any) -> None:
        """Tell `observer` (an IObserver) of the notifications of that name, from that sender, or both.

        Adding one twice for the same is adding it once. The observer and the sender are kept alive until it
        is removed: see `ObserverWeakrefProxy`. Raises TypeError if it has no method handle_notification.
        """
        if not callable(getattr(observer, "handle_notification", None)):
            raise TypeError(f"an observer needs a method handle_notification: {type(observer).__name__}")
        key = self._key(name, sender)
        with self._lock:
            self._bury()
            if not self._add(key, sender, observer):
                return
            if type(observer) is ObserverWeakrefProxy:
                self._weak.setdefault(id(observer), set()).add(key)
                observer.add_center(self)

    def remove_observer(self, observer: Observer, name: str | AnyType = Any, sender: object = Any) -> None:
        """Undo `add_observer` with the same arguments. Raises KeyError if it was not added with them."""
        if not self.discard_observer(observer, name, sender):
            raise KeyError(f"{type(observer).__name__} does not observe {name!r} from that sender")

    def discard_observer(self, observer: Observer, name: str | AnyType = Any, sender: object = Any) -> bool:
        """Undo `add_observer` with the same arguments, if it was added. Returns whether it was."""
        key = self._key(name, sender)
        with self._lock:
            self._bury()
            if not self._discard(key, id(observer)):
                return False
            if type(observer) is ObserverWeakrefProxy:
                keys = self._weak[id(observer)]
                keys.discard(key)
                if not keys:
                    del self._weak[id(observer)]
            return True

    def wait_for(
        self, name: str, sender: object = Any, timeout: float | None = 60.0, unless: Collection[str] = ()
    ) -> Result[Notification]:
        """The next notification of that name from that sender, which is listened for from now on.

        Returns a `sipsimple.result.Result`: `await` it, or call `wait()` on it in a thread. After `timeout` seconds
        (None: never) it fails with TimeoutError, and with `WaitFailedError` when one of the names in `unless` comes
        first. Raises ValueError for a negative timeout. It may be called before the application is started.
        """
        from sipsimple.notification.waiting import wait_for

        return wait_for(self, name, sender, timeout, unless)

    def events(
        self, name: str | AnyType = Any, sender: object = Any, until: Collection[str] = (), limit: int = 10_000
    ) -> Events:
        """An asynchronous iterator of the notifications that an observer would get from now on.

        It ends after a notification whose name is in `until`, or when it is closed: leave the loop in another way
        only from inside `with center.events(...) as events`. At most `limit` wait to be read. Raises RuntimeError
        outside an asyncio loop.
        """
        from sipsimple.notification.waiting import Events

        return Events(self, name, sender, until, limit)

    def is_observed(self, name: str, sender: object) -> bool:
        """Whether anybody would be told of a notification of that name from that sender."""
        with self._lock:
            self._bury()
            return bool(
                self._by_name.get(name)
                or self._by_both.get((name, id(sender)))
                or self._by_sender.get(id(sender))
                or self._of_all
            )

    def observer_count(self) -> int:
        """How many observations there are: what is left of them where nobody should observe any more."""
        with self._lock:
            self._bury()
            tables: list[dict[typing.Any, _Observers]] = [self._by_both, self._by_name, self._by_sender]
            return len(self._of_all) + sum(len(observers) for table in tables for observers in table.values())

    def post_notification(self, name: str, sender: typing.Any = None, data: NotificationData | None = None) -> None:
        """Tell the observers; `data` gets a `timestamp` if it has none.

        The observers have been called when it returns, unless it is called by an observer: then they are
        called after the notification that this observer is handling has reached everyone.
        """
        if data is None:
            data = NotificationData()
        fields = data.__dict__
        if "timestamp" not in fields:
            fields["timestamp"] = _now(_utc)
        if strictness.check is not None:
            strictness.check(name, data)
        delivery = self._delivery
        pending = delivery.pending
        if delivery.running:
            if len(pending) >= MAX_PENDING:
                raise RuntimeError(f"observers post without end: {MAX_PENDING} wait, {name} is next")
            pending.append(Notification(name, sender, data, self))
            return
        delivery.running = True
        try:
            if pending:  # a delivery was torn down by KeyboardInterrupt or the like
                pending.append(Notification(name, sender, data, self))
            else:
                self._deliver(Notification(name, sender, data, self))
            while pending:
                self._deliver(pending.popleft())
        finally:
            delivery.running = False

    def _deliver(self, notification: Notification) -> None:
        name = notification.name
        sender_id = id(notification.sender)
        observers = self._by_both.get((name, sender_id)) or _NOBODY
        named = self._by_name.get(name)
        if named:
            observers = {**observers, **named} if observers else named
        sent = self._by_sender.get(sender_id)
        if sent:
            observers = {**observers, **sent} if observers else sent
        if self._of_all:
            observers = {**observers, **self._of_all} if observers else self._of_all
        if not observers:
            return
        version = self._version
        for key, observer in tuple(observers.items()):
            if self._version != version and not self._observes(key, name, sender_id):
                continue
            try:
                observer.handle_notification(notification)
            except (Exception, SystemExit) as error:
                if isinstance(error, SystemExit) and not current_realm().in_reactor_thread():
                    raise
                log.exception("An observer (%s) of %s failed", type(observer).__name__, name)

    def _observes(self, observer_id: int, name: str, sender_id: int) -> bool:
        return (
            observer_id in self._by_both.get((name, sender_id), _NOBODY)
            or observer_id in self._by_name.get(name, _NOBODY)
            or observer_id in self._by_sender.get(sender_id, _NOBODY)
            or observer_id in self._of_all
        )

    @staticmethod
    def _key(name: str | AnyType, sender: object) -> _Key:
        if isinstance(name, str):
            return name, None if sender is Any else id(sender)
        if name is not Any:
            raise TypeError(f"the name of a notification is a str or Any, not {type(name).__name__}")
        return None, None if sender is Any else id(sender)

    def _table(self, key: _Key) -> tuple[dict[typing.Any, _Observers], object]:
        name, sender_id = key
        if sender_id is None:
            return typing.cast("dict[typing.Any, _Observers]", self._by_name), name
        if name is None:
            return typing.cast("dict[typing.Any, _Observers]", self._by_sender), sender_id
        return typing.cast("dict[typing.Any, _Observers]", self._by_both), key

    def _add(self, key: _Key, sender: object, observer: Observer) -> bool:
        if key == (None, None):
            observers = self._of_all
        else:
            table, table_key = self._table(key)
            observers = table.get(table_key, _NOBODY)
            if not observers:
                observers = table[table_key] = {}
                if key[1] is not None:
                    self._senders.setdefault(key[1], [sender, 0])[1] += 1
        if id(observer) in observers:
            return False
        observers[id(observer)] = observer
        self._version += 1
        return True

    def _discard(self, key: _Key, observer_id: int) -> bool:
        if key == (None, None):
            observers = self._of_all
        else:
            table, table_key = self._table(key)
            observers = table.get(table_key, _NOBODY)
        if observers.pop(observer_id, None) is None:
            return False
        self._version += 1
        if not observers and key != (None, None):
            del table[table_key]
            if key[1] is not None:
                uses = self._senders[key[1]]
                uses[1] -= 1
                if not uses[1]:
                    del self._senders[key[1]]
        return True

    def observer_died(self, proxy_id: int) -> None:
        """Note the death of an observer: the garbage collector can come here in the midst of anything."""
        self._dead.append(proxy_id)

    def _bury(self) -> None:
        while self._dead:
            proxy_id = self._dead.popleft()
            for key in self._weak.pop(proxy_id, ()):
                self._discard(key, proxy_id)


@implementer(IObserver)
class ObserverWeakrefProxy:
    """An observer that doesn't keep the observer behind it alive.

    `center.add_observer(ObserverWeakrefProxy(observer), ...)` and `center.remove_observer(
    ObserverWeakrefProxy(observer), ...)` belong together: for one observer there is one proxy. When the
    observer is gone its registrations go too.
    """

    __slots__ = ("__weakref__", "_centers", "_ref")

    _proxies: weakref.WeakValueDictionary[int, ObserverWeakrefProxy] = weakref.WeakValueDictionary()
    _lock = RLock()
    _ref: weakref.ref[Observer]
    _centers: list[weakref.ref[NotificationCenter]]

    def __new__(cls, observer: Observer) -> ObserverWeakrefProxy:
        with cls._lock:
            known = cls._proxies.get(id(observer))
            if known is not None and known._ref() is observer:
                return known
            proxy = super().__new__(cls)
            myself = weakref.ref(proxy)

            def gone(_: object) -> None:
                proxy = myself()
                if proxy is not None:
                    proxy._bury()

            proxy._ref = weakref.ref(observer, gone)
            proxy._centers = []
            cls._proxies[id(observer)] = proxy
            return proxy

    def __repr__(self) -> str:
        observer = self._ref()
        return f"<{type(self).__name__} of {'nobody' if observer is None else type(observer).__name__}>"

    def handle_notification(self, notification: Notification) -> None:
        observer = self._ref()
        if observer is not None:
            observer.handle_notification(notification)

    def add_center(self, center: NotificationCenter) -> None:
        """Note that `center` must know when the observer is gone."""
        if not any(known() is center for known in self._centers):
            self._centers.append(weakref.ref(center))

    def _bury(self) -> None:
        for reference in self._centers:
            center = reference()
            if center is not None:
                center.observer_died(id(self))
