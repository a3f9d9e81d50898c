"""An application that runs as long as a command does, and its notifications, one after the other, for the command."""

from __future__ import annotations

import queue
import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from sipsimple.cli.errors import CommandError

if TYPE_CHECKING:
    from sipsimple.storage import MemoryStorage

__all__ = ["RunningApplication", "running_application"]

START_TIMEOUT = 30.0
#: The application gives up what does not end before that.
STOP_TIMEOUT = 60.0


class RunningApplication:
    """What `running_application` gives.

    :ivar events: the notifications of accounts, of the application, and those whose names begin with one of `names`
    """

    def __init__(self, names: Iterable[str] = ()) -> None:
        self._names = ("SIPAccount", "SIPApplication", *names)
        self.events: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self.started = threading.Event()
        self.ended = threading.Event()
        self.error: str | None = None

    def handle_notification(self, notification: Any) -> None:
        """IObserver, in the reactor's thread."""
        name = notification.name
        if name == "SIPEngineDidFail":
            self.error = notification.data.error
        elif name == "SIPApplicationDidStart":
            self.started.set()
        elif name == "SIPApplicationDidEnd":
            self.ended.set()
            self.started.set()
        if name.startswith(self._names):
            self.events.put(notification)

    def next_event(self, timeout: float) -> Any:
        """The next notification, None if there is none for so many seconds."""
        try:
            return self.events.get(timeout=max(timeout, 0.0))
        except queue.Empty:
            return None


@contextmanager
def running_application(storage: MemoryStorage, names: Iterable[str] = ()) -> Iterator[RunningApplication]:
    """Inside, an application with this storage runs; it is stopped at the end, and has ended its sessions and
    unregistered then. `names`: which notifications are events beside those of accounts and of the application.

    A signal to terminate ends it as Ctrl-C does, by a KeyboardInterrupt. Raises CommandError if it can't be started.
    """
    from sipsimple.application import SIPApplication
    from sipsimple.cli.environment import configuration_errors
    from sipsimple.notification import NotificationCenter

    running = RunningApplication(names)
    center = NotificationCenter()
    center.add_observer(running)
    application = SIPApplication()
    with _terminating():
        try:
            with configuration_errors():
                application.start(storage)
            try:
                running.started.wait(START_TIMEOUT)
                if running.ended.is_set() or not running.started.is_set():
                    hint = "sipsimple doctor looks for the cause."
                    raise CommandError(f"it could not be started: {running.error or 'no reason was given'}", hint=hint)
                yield running
            finally:
                if application.running:
                    application.stop()
                running.ended.wait(STOP_TIMEOUT)
        finally:
            center.discard_observer(running)


@contextmanager
def _terminating() -> Iterator[None]:
    """Inside, SIGTERM raises KeyboardInterrupt, as SIGINT does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
