"""Starting and stopping, step by step: see `states` for the states and `components` for what is started.

Components are started one after the other without waiting, as none of them waits for the network to start. Each gets
a bounded time to stop, so that the end comes even without a network (APP-031).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from threading import RLock
from typing import TYPE_CHECKING, Any

import twisted.internet.default  # noqa: F401  (what a reactor consists of, so that start() need not load it)
from twisted.internet.defer import Deferred, TimeoutError, maybeDeferred
from twisted.python.failure import Failure

from sipsimple.application import notifications as _notifications  # noqa: F401
from sipsimple.application.components import Component, components
from sipsimple.application.states import APPLICATION_STATES, RUNNING, ApplicationEvent, ApplicationState
from sipsimple.configuration import ConfigurationManager
from sipsimple.core.engine import EngineError
from sipsimple.notification import NotificationCenter
from sipsimple.realm import Singleton, current_realm
from sipsimple.session import IllegalStateError
from sipsimple.threading import runs_our_reactor, start_reactor_thread

if TYPE_CHECKING:
    from sipsimple.application.application import SIPApplication

__all__ = ["Lifecycle"]

log = logging.getLogger("sipsimple.application")

_E, _S = ApplicationEvent, ApplicationState


class Lifecycle(metaclass=Singleton):
    """The state of the application of a realm, and its way through it.

    It is one also where there are subclasses of SIPApplication; `application` is the one that was started, the
    sender of the notifications.
    """

    def __init__(self) -> None:
        self.state = _S.STOPPED
        self.application: SIPApplication | None = None
        self._realm = current_realm()
        self._lock = RLock()  # a signal handler may call stop() in the midst of start()
        self._started: list[Component] = []
        self._trigger: Any = None
        self._ended: Deferred[None] | None = None  # fires when the application has ended, while the reactor waits

    # Called in any thread

    def start(self, application: SIPApplication, storage: Any) -> None:
        """See `SIPApplication.start`."""
        if self._move(_E.START) is None:
            allowed = [state.value for state, events in APPLICATION_STATES.items() if _E.START in events]
            raise IllegalStateError(self.state.value, allowed, _E.START.value)
        self.application = application
        try:
            application.storage = storage
            ConfigurationManager().start()
            if not getattr(self._realm.reactor, "running", self._realm.reactor is not None):
                start_reactor_thread(self._realm)
        except BaseException:
            application.storage = None
            self._move(_E.REFUSE)
            raise
        if self._move(_E.LAUNCH) is None:
            self._call(self._shut_down)  # stop() was called meanwhile
        else:
            self._call(self._start_up)

    def stop(self) -> None:
        """See `SIPApplication.stop`."""
        before = self._move(_E.STOP)
        if before is not None and before is not _S.LOADING:
            self._call(self._shut_down)

    def _move(self, event: ApplicationEvent) -> ApplicationState | None:
        """Make a transition and return the state before it, or None where that does not know the event."""
        with self._lock:
            before = self.state
            after = APPLICATION_STATES[before].get(event)
            if after is None:
                return None
            self.state = after
            if self.application is not None:
                self.application.running = after in RUNNING
            return before

    def _call(self, function: Callable[[], None]) -> None:
        # Also from the reactor thread not at once: start() and stop() return before anything happens (APP-001).
        self._realm.reactor.callFromThread(self._realm.run, function)

    # In the reactor thread

    def _post(self, name: str) -> None:
        NotificationCenter().post_notification(name, sender=self.application)

    def _start_up(self) -> None:
        assert self.application is not None
        self._watch_reactor()
        self._post("SIPApplicationWillStart")
        for component in components(self.application):
            if self.state is not _S.STARTING:
                return
            try:
                component.start()
            except EngineError as error:
                log.error("The application could not start: %s", error)
                self._fail()
            except Exception:
                log.exception("The application could not start: %s failed", component.name)
                self._fail()
            else:
                self._started.append(component)
        if self._move(_E.COMPLETE) is not None:
            self._post("SIPApplicationDidStart")

    def _watch_reactor(self) -> None:
        """Stop, in bounded time, when a reactor is stopped that is not ours: nothing could be stopped afterwards.

        Ours is stopped as the process exits, which nobody waits for.
        """
        add_trigger = getattr(self._realm.reactor, "addSystemEventTrigger", None)
        if add_trigger is not None and not runs_our_reactor():
            self._trigger = add_trigger("before", "shutdown", self._realm.run, self._reactor_stops)

    def _reactor_stops(self) -> Deferred[None]:
        self._trigger = None
        ended = self._ended = Deferred()
        self.stop()
        return ended

    def _fail(self) -> None:
        if self._move(_E.FAIL) is not None:
            self._shut_down()

    def _shut_down(self) -> None:
        Deferred.fromCoroutine(self._stop_components()).addErrback(self._log_failure)

    async def _stop_components(self) -> None:
        self._post("SIPApplicationWillEnd")
        started, self._started = self._started, []
        for component in sorted(started, key=lambda component: component.stop_order):
            try:
                await maybeDeferred(component.stop).addTimeout(component.timeout, self._realm.reactor)
            except TimeoutError:
                log.warning("%s did not stop within %g seconds", component.name, component.timeout)
            except Exception:
                log.exception("%s did not stop well", component.name)
        trigger, self._trigger = self._trigger, None
        if trigger is not None:
            self._realm.reactor.removeSystemEventTrigger(trigger)
        self._move(_E.END)
        self._post("SIPApplicationDidEnd")
        ended, self._ended = self._ended, None
        if ended is not None:
            ended.callback(None)

    @staticmethod
    def _log_failure(failure: Failure) -> None:
        log.error("The application did not stop well: %s", failure.getTraceback())
