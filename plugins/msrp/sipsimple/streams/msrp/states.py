"""The life of an MSRP stream, as a table (STR-010 to STR-025)."""

from __future__ import annotations

from enum import Enum

__all__ = ["OVER", "STATES", "StreamEvent", "StreamState"]


class StreamState(Enum):
    NEW = "new"
    INITIALIZED = "initialized"
    CONNECTING = "connecting"
    STARTED = "started"
    CLOSING = "closing"
    FAILED = "failed"
    ENDED = "ended"


class StreamEvent(Enum):
    INITIALIZE = "initialize()"
    START = "start()"
    CONNECTED = "the session is bound to a connection"
    CLOSED = "the connection was closed"
    FAIL = "something went wrong"
    END = "end()"


_S, _E = StreamState, StreamEvent

#: {state: {event: next state}}
STATES: dict[StreamState, dict[StreamEvent, StreamState]] = {
    _S.NEW: {_E.INITIALIZE: _S.INITIALIZED, _E.END: _S.ENDED},
    _S.INITIALIZED: {_E.START: _S.CONNECTING, _E.FAIL: _S.FAILED, _E.END: _S.ENDED},
    _S.CONNECTING: {_E.CONNECTED: _S.STARTED, _E.FAIL: _S.FAILED, _E.END: _S.ENDED},
    _S.STARTED: {_E.CLOSED: _S.CLOSING, _E.FAIL: _S.FAILED, _E.END: _S.ENDED},
    _S.CLOSING: {_E.FAIL: _S.FAILED, _E.END: _S.ENDED},
    _S.FAILED: {_E.END: _S.ENDED},
    _S.ENDED: {},
}

OVER = frozenset({_S.FAILED, _S.ENDED})
"""The states in which nothing more happens but `end`."""
