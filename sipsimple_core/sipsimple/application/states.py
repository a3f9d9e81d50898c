"""The states of the application, as a table (APP-010 to APP-016).

Theory of operation: `start()` and `stop()` are called in any thread and change the state at once; the start-up and
the shut-down run in the reactor thread. A start-up that finds the state changed to STOPPING under its hands leaves
the rest undone. Whichever way it goes, it comes back to STOPPED, from where it can be started again.
"""

from __future__ import annotations

from enum import Enum

__all__ = ["APPLICATION_STATES", "RUNNING", "ApplicationEvent", "ApplicationState"]


class ApplicationState(Enum):
    """What the application is doing."""

    STOPPED = "stopped"
    LOADING = "loading"  # start() is loading the configuration
    STARTING = "starting"
    STARTED = "started"
    STOPPING = "stopping"


class ApplicationEvent(Enum):
    """What changes that."""

    START = "start()"
    REFUSE = "the configuration could not be loaded, or the reactor can not run"
    LAUNCH = "the configuration is loaded, the reactor runs"
    COMPLETE = "all components were started"
    FAIL = "a component without which nothing works could not be started"
    STOP = "stop()"
    END = "all components were stopped"


_S, _E = ApplicationState, ApplicationEvent

#: {state: {event: next state}}
APPLICATION_STATES: dict[ApplicationState, dict[ApplicationEvent, ApplicationState]] = {
    _S.STOPPED: {_E.START: _S.LOADING},
    _S.LOADING: {_E.LAUNCH: _S.STARTING, _E.REFUSE: _S.STOPPED, _E.STOP: _S.STOPPING},
    _S.STARTING: {_E.COMPLETE: _S.STARTED, _E.FAIL: _S.STOPPING, _E.STOP: _S.STOPPING},
    _S.STARTED: {_E.STOP: _S.STOPPING},
    _S.STOPPING: {_E.END: _S.STOPPED, _E.REFUSE: _S.STOPPED},
}

#: The states in which `SIPApplication.running` is true (APP-016).
RUNNING = frozenset({_S.STARTING, _S.STARTED})
