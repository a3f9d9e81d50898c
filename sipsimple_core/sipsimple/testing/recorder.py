"""A recorder of notifications: an observer that keeps what it is told, for tests to look at and wait for."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from threading import Condition
from typing import TYPE_CHECKING, TypeVar
from typing import Any as AnyValue

from zope.interface import implementer

from sipsimple.notification import IObserver, Notification, NotificationCenter
from sipsimple.util import Any

if TYPE_CHECKING:
    from types import TracebackType

__all__ = ["NotificationRecorder"]

T = TypeVar("T")

MAX_RECORDED = 200_000
SHOWN = 40  # notifications that a failure shows, the last ones
#: How often, in seconds, a condition is looked at of which no notification tells.
UNTOLD_INTERVAL = 0.1
DEFAULT_TIMEOUT = 5.0  # seconds


@implementer(IObserver)
class NotificationRecorder:
    """Records notifications, in order, from its construction until `stop`; also a context manager.

    `names` limits it to notifications of these names, `sender` to those of one sender; `center` is the center
    of the current realm by default. Wherever a method takes `sender` and fields, they select the
    notifications from that sender whose data have these values: `recorder.find('ChatStreamGotMessage',
    sender=stream, ...)`. It raises OverflowError after 200,000 notifications: clear() it.
    """

    def __init__(
        self,
        names: Iterable[str] | str | None = None,
        sender: object = Any,
        center: NotificationCenter | None = None,
    ) -> None:
        self.center: NotificationCenter = NotificationCenter() if center is None else center
        self.notifications: list[Notification] = []
        self._changed = Condition()
        wanted = (Any,) if names is None else (names,) if isinstance(names, str) else tuple(names)
        self._observed = [(name, sender) for name in wanted]
        for name, of_sender in self._observed:
            self.center.add_observer(self, name=name, sender=of_sender)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {len(self.notifications)} notifications>"

    def __enter__(self) -> NotificationRecorder:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.stop()

    def __iter__(self) -> Iterator[Notification]:
        return iter(tuple(self.notifications))

    def __len__(self) -> int:
        return len(self.notifications)

    def handle_notification(self, notification: Notification) -> None:
        with self._changed:
            if len(self.notifications) >= MAX_RECORDED:
                raise OverflowError(f"{MAX_RECORDED} notifications are recorded, there is no room for more")
            self.notifications.append(notification)
            self._changed.notify_all()

    def stop(self) -> None:
        """Record no more; what was recorded stays."""
        for name, sender in self._observed:
            self.center.discard_observer(self, name=name, sender=sender)

    def clear(self) -> None:
        """Forget what was recorded."""
        with self._changed:
            self.notifications.clear()

    def names(self, sender: object = Any, only: Iterable[str] | None = None) -> list[str]:
        """The names of the notifications, in order; those from `sender`, those that are in `only`."""
        wanted = None if only is None else frozenset(only)
        return [
            notification.name
            for notification in self
            if (sender is Any or notification.sender is sender) and (wanted is None or notification.name in wanted)
        ]

    def find_all(self, name: str, sender: object = Any, **fields: AnyValue) -> list[Notification]:
        """The notifications of that name, in order."""
        return [notification for notification in self if _matches(notification, name, sender, fields)]

    def find(self, name: str, sender: object = Any, **fields: AnyValue) -> Notification | None:
        """The first notification of that name, None if there is none."""
        return next((found for found in self if _matches(found, name, sender, fields)), None)

    def last(self, name: str, sender: object = Any, **fields: AnyValue) -> Notification | None:
        """The latest notification of that name, None if there is none."""
        found = self.find_all(name, sender, **fields)
        return found[-1] if found else None

    def count(self, name: str, sender: object = Any, **fields: AnyValue) -> int:
        """How many notifications of that name there are."""
        return len(self.find_all(name, sender, **fields))

    def wait_for(
        self, name: str, sender: object = Any, timeout: float = DEFAULT_TIMEOUT, **fields: AnyValue
    ) -> Notification:
        """Block until there is such a notification and return it, the first one; it may be there already.

        For user agents that run in real threads; on the memory network time stands still meanwhile: there it
        is `network.run_until`. Raises AssertionError, with what was seen, after `timeout` seconds.
        """
        failure = f"{_describe(name, sender, fields)} did not come"
        return self.wait_until(lambda: self.find(name, sender, **fields), timeout, failure)

    def wait_until(
        self,
        condition: Callable[[], T | None],
        timeout: float = DEFAULT_TIMEOUT,
        failure: str = "it did not happen",
    ) -> T:
        """Block until `condition()` is true, and return what it returned.

        It is evaluated after each notification, and now and then without one, as not all that changes is told.

        Raises AssertionError, with `failure` and what was seen, after `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        with self._changed:
            while True:
                result = condition()
                if result:
                    return result
                remaining = deadline - time.monotonic()
                if remaining <= 0:
                    raise AssertionError(f"{failure} within {timeout} seconds\n{self.transcript()}")
                self._changed.wait(min(remaining, UNTOLD_INTERVAL))

    def assert_names(self, expected: Sequence[str], sender: object = Any, only: Iterable[str] | None = None) -> None:
        """Assert that `names(sender, only)` is exactly this."""
        seen = self.names(sender, only)
        if seen != list(expected):
            differing = next(
                (i for i, (a, b) in enumerate(zip(seen, expected, strict=False)) if a != b),
                min(len(seen), len(expected)),
            )
            raise AssertionError(
                f"expected {', '.join(expected) or 'nothing'}\n"
                f"     got {', '.join(seen) or 'nothing'}\n"
                f"they differ from number {differing + 1} on\n{self.transcript()}"
            )

    def assert_order(self, *names: str, sender: object = Any) -> None:
        """Assert that these came in this order, whatever else came before, between and after."""
        rest = iter(self.names(sender))
        for name in names:
            if name not in rest:
                raise AssertionError(f"{name} is missing, or came too early\n{self.transcript()}")

    def assert_one(self, name: str, sender: object = Any, **fields: AnyValue) -> Notification:
        """Assert that exactly one such notification came, and return it."""
        found = self.find_all(name, sender, **fields)
        if len(found) != 1:
            what = _describe(name, sender, fields)
            raise AssertionError(f"{what} came {len(found)} times, not once\n{self.transcript()}")
        return found[0]

    def assert_none(self, name: str, sender: object = Any, **fields: AnyValue) -> None:
        """Assert that no such notification came."""
        if self.find(name, sender, **fields) is not None:
            raise AssertionError(f"{_describe(name, sender, fields)} came\n{self.transcript()}")

    def transcript(self, last: int = SHOWN) -> str:
        """What was recorded, a line for each of the `last` notifications."""
        seen = tuple(self.notifications)
        lines = [f"recorded: {len(seen)} notifications"]
        if len(seen) > last:
            lines.append(f"  ... {len(seen) - last} before")
        first = max(len(seen) - last, 0)
        for number, notification in enumerate(seen[first:], first + 1):
            sender = "nobody" if notification.sender is None else type(notification.sender).__name__
            lines.append(f"  {number}. {notification.name} from {sender} {_shown_fields(notification)}")
        return "\n".join(lines)


def _matches(notification: Notification, name: str, sender: object, fields: dict[str, AnyValue]) -> bool:
    if notification.name != name or (sender is not Any and notification.sender is not sender):
        return False
    data = vars(notification.data)
    return all(field in data and data[field] == value for field, value in fields.items())


def _describe(name: str, sender: object, fields: dict[str, AnyValue]) -> str:
    origin = "" if sender is Any else f" from {sender!r}"
    values = "".join(f" {field}={value!r}" for field, value in fields.items())
    return f"{name}{origin}{values}"


def _shown_fields(notification: Notification) -> str:
    text = repr(notification.data)
    return text[text.index("(") :].replace("timestamp=datetime.datetime", "at ")
