"""The life of an AudioStream, as a table (STR-010 to STR-025)."""

from __future__ import annotations

from enum import Enum

__all__ = ["OVER", "STATES", "StreamEvent", "StreamState"]


class StreamState(Enum):
    NEW = "new"
    INITIALIZING = "initialize"
    INITIALIZED = "initialized"
    EARLY = "early"  # the remote party is heard, and does not hear us
    STARTING = "start"
    STARTED = "started"
    FAILED = "failed"
    ENDED = "ended"


class StreamEvent(Enum):
    INITIALIZE = "initialize()"
    DESCRIBED = "the engine has a description"
    START_EARLY = "start_early()"
    START = "start()"
    STARTED = "the engine has taken what was agreed on"
    FAIL = "something went wrong"
    END = "end()"


_S, _E = StreamState, StreamEvent

#: {state: {event: next state}}
STATES: dict[StreamState, dict[StreamEvent, StreamState]] = {
    _S.NEW: {_E.INITIALIZE: _S.INITIALIZING, _E.END: _S.ENDED},
    _S.INITIALIZING: {_E.DESCRIBED: _S.INITIALIZED, _E.FAIL: _S.FAILED, _E.END: _S.ENDED},
    _S.INITIALIZED: {_E.START_EARLY: _S.EARLY, _E.START: _S.STARTING, _E.FAIL: _S.FAILED, _E.END: _S.ENDED},
    _S.EARLY: {_E.START_EARLY: _S.EARLY, _E.START: _S.STARTING, _E.FAIL: _S.FAILED, _E.END: _S.ENDED},
    _S.STARTING: {_E.STARTED: _S.STARTED, _E.FAIL: _S.FAILED, _E.END: _S.ENDED},
    _S.STARTED: {_E.FAIL: _S.FAILED, _E.END: _S.ENDED},
    _S.FAILED: {_E.END: _S.ENDED},
    _S.ENDED: {},
}

OVER = frozenset({StreamState.FAILED, StreamState.ENDED})
"""The states in which nothing more happens but `end`."""
