"""The streams of a session as the session sees them: which stage each has reached, and for how long it may stay.

Theory of operation: the session calls `initialize`, `start` and `end` on a stream, and the stream answers with
MediaStreamDidInitialize, MediaStreamDidStart and MediaStreamDidEnd, or with MediaStreamDidFail at any time. Each
wait for such an answer is bounded; a stream that does not answer in time, or raises where it should have posted,
has failed. A stream that was initialized is always ended, once, whatever else it does (STR-025). What a stage does
not list is a stream that says things twice or out of turn, and is ignored.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from enum import Enum
from typing import Any, Protocol

from zope.interface import implementer

from sipsimple.notification import IObserver, Notification, NotificationCenter
from sipsimple.session.mailbox import Mailbox

__all__ = [
    "END_TIMEOUT",
    "INITIALIZE_TIMEOUT",
    "STAGES",
    "START_TIMEOUT",
    "MediaOwner",
    "SessionMedia",
    "Stage",
    "StreamEvent",
]

log = logging.getLogger("sipsimple.session")

INITIALIZE_TIMEOUT = 20.0  # seconds: sockets, a relay, ICE candidates
START_TIMEOUT = 30.0  # seconds: the connection of the two parties' media
END_TIMEOUT = 5.0  # seconds: closing it


class Stage(Enum):
    """How far a stream has come."""

    NEW = "new"
    INITIALIZING = "initializing"
    READY = "ready"
    STARTING = "starting"
    ACTIVE = "active"
    FAILED = "failed"
    GONE = "gone"  # it said that it has ended before anybody asked it to
    ENDING = "ending"
    ENDED = "ended"


class StreamEvent(Enum):
    """What the session does to a stream, and what the stream says."""

    INITIALIZE = "initialize()"
    START = "start()"
    END = "end()"
    INITIALIZED = "MediaStreamDidInitialize"
    STARTED = "MediaStreamDidStart"
    FAILED = "MediaStreamDidFail"
    ENDED = "MediaStreamDidEnd"


_S, _E = Stage, StreamEvent

#: {stage: {event: next stage}}
STAGES: dict[Stage, dict[StreamEvent, Stage]] = {
    _S.NEW: {_E.INITIALIZE: _S.INITIALIZING},
    _S.INITIALIZING: {_E.INITIALIZED: _S.READY, _E.FAILED: _S.FAILED, _E.ENDED: _S.GONE, _E.END: _S.ENDING},
    _S.READY: {_E.START: _S.STARTING, _E.FAILED: _S.FAILED, _E.ENDED: _S.GONE, _E.END: _S.ENDING},
    _S.STARTING: {_E.STARTED: _S.ACTIVE, _E.FAILED: _S.FAILED, _E.ENDED: _S.GONE, _E.END: _S.ENDING},
    _S.ACTIVE: {_E.FAILED: _S.FAILED, _E.ENDED: _S.GONE, _E.END: _S.ENDING},
    _S.FAILED: {_E.END: _S.ENDING},
    _S.GONE: {_E.END: _S.ENDED},
    _S.ENDING: {_E.ENDED: _S.ENDED},
    _S.ENDED: {},
}

_LIVE = frozenset({_S.NEW, _S.INITIALIZING, _S.READY, _S.STARTING, _S.ACTIVE})
_ON_ITS_WAY = frozenset({_S.STARTING, _S.ACTIVE})
_TIMEOUTS = {_S.INITIALIZING: INITIALIZE_TIMEOUT, _S.STARTING: START_TIMEOUT, _S.ENDING: END_TIMEOUT}
_ANSWERS = (_E.INITIALIZED, _E.STARTED, _E.FAILED, _E.ENDED)


class MediaOwner(Protocol):
    """Who is told of the streams; called in the mailbox."""

    def stream_settled(self, stream: Any) -> None:
        """A stream was initialized or has started."""

    def stream_failed(self, stream: Any, reason: str) -> None:
        """A stream failed, or ended without being asked to; `end()` has been called on it."""

    def stream_ended(self, stream: Any) -> None:
        """A stream is ended, or did not do so in time: nothing of it is waited for any more."""


class _Entry:
    __slots__ = ("direction", "reason", "stage", "stream", "timer")

    def __init__(self, stream: Any, direction: str) -> None:
        self.stream = stream
        self.direction = direction
        self.stage = Stage.NEW
        self.timer: Any = None
        self.reason: str | None = None


@implementer(IObserver)
class SessionMedia:
    """The streams of one session; see the module. All methods are called in the session's mailbox."""

    __slots__ = ("_center", "_entries", "_mailbox", "_owner")

    def __init__(self, mailbox: Mailbox, center: NotificationCenter, owner: MediaOwner) -> None:
        self._mailbox = mailbox
        self._center = center
        self._owner = owner
        self._entries: dict[int, _Entry] = {}

    # What the session asks

    def is_live(self, stream: Any) -> bool:
        """Whether the stream was initialized, or will be once it is accepted, and neither failed nor ended since."""
        entry = self._entries.get(id(stream))
        return entry is not None and entry.stage in _LIVE

    def knows(self, stream: Any) -> bool:
        """Whether the stream was initialized and is not ended and forgotten."""
        return id(stream) in self._entries

    def stage(self, stream: Any) -> Stage:
        return self._entries[id(stream)].stage

    def any_in(self, stage: Stage) -> bool:
        return any(entry.stage is stage for entry in self._entries.values())

    @property
    def ended(self) -> bool:
        """Whether no stream is left that was initialized and is not ended."""
        return all(entry.stage in (Stage.NEW, Stage.ENDED) for entry in self._entries.values())

    @property
    def failure(self) -> str:
        """The reason of the last stream that failed."""
        reasons = [entry.reason for entry in self._entries.values() if entry.reason is not None]
        return reasons[-1] if reasons else "no stream is left"

    # What the session does

    def offered(self, stream: Any, session: Any, direction: str) -> None:
        """The remote party offers a stream: it is initialized, now or, if it wants that, when it is accepted."""
        if getattr(stream, "waits_for_acceptance", False):
            self._entries[id(stream)] = _Entry(stream, direction)
        else:
            self.initialize(stream, session, direction)

    def accepted(self, stream: Any, session: Any) -> None:
        """The application accepts a stream that was offered."""
        entry = self._entries[id(stream)]
        if entry.stage is Stage.NEW:
            self.initialize(stream, session, entry.direction)

    def initialize(self, stream: Any, session: Any, direction: str) -> None:
        entry = self._entries[id(stream)] = _Entry(stream, direction)
        for event in _ANSWERS:
            self._center.add_observer(self, name=event.value, sender=stream)
        self._do(entry, _E.INITIALIZE, stream.initialize, session, direction)

    def local_media(self, stream: Any, **arguments: Any) -> Any:
        """`get_local_media(**arguments)` of a live stream; None when it raises, which is a failure of it."""
        try:
            return stream.get_local_media(**arguments)
        except Exception as error:
            log.exception("get_local_media() of a stream raised")
            entry = self._entries[id(stream)]
            before = entry.stage
            self._move(entry, _E.FAILED)
            self._mailbox.put(self._tell, entry, before, f"no media description: {error}")
            return None

    def start_early(self, stream: Any, local_sdp: Any, remote_sdp: Any, index: int) -> None:
        """Have a stream that is ready play early media, if it can; one that raises over it plays none."""
        if self.stage(stream) is Stage.READY and hasattr(stream, "start_early"):
            self._call(stream.start_early, local_sdp, remote_sdp, index)

    def start(self, stream: Any, local_sdp: Any, remote_sdp: Any, index: int) -> None:
        entry = self._entries[id(stream)]
        self._do(entry, _E.START, stream.start, local_sdp, remote_sdp, index)

    def validate_update(self, stream: Any, remote_sdp: Any, index: int) -> bool:
        """What the stream says to an offer that changes it; False when it raises (STR-016)."""
        try:
            return bool(stream.validate_update(remote_sdp, index))
        except Exception:
            log.exception("validate_update() of a stream raised")
            return False

    def update(self, stream: Any, local_sdp: Any, remote_sdp: Any, index: int) -> None:
        """Have a stream that is on its way adopt what was agreed (STR-019)."""
        entry = self._entries[id(stream)]
        if entry.stage in _ON_ITS_WAY:
            self._call_or_fail(entry, "update()", stream.update, local_sdp, remote_sdp, index)

    def hold(self, stream: Any, held: bool) -> None:
        """hold() or unhold() of a live stream (STR-020, STR-021)."""
        entry = self._entries[id(stream)]
        if entry.stage in _LIVE:
            self._call_or_fail(entry, "hold()" if held else "unhold()", stream.hold if held else stream.unhold)

    def forget(self, stream: Any) -> None:
        """Nothing is known any more of a stream that has ended."""
        entry = self._entries.get(id(stream))
        if entry is not None and entry.stage is Stage.ENDED:
            del self._entries[id(stream)]

    def _call_or_fail(self, entry: _Entry, name: str, method: Callable[..., Any], *arguments: Any) -> None:
        error = self._call(method, *arguments)
        if error is not None:
            self._mailbox.put(self._happened, entry, _E.FAILED, f"{name} raised: {error}")

    def deactivate(self, stream: Any) -> None:
        """Tell a stream that its transport may be closed by the remote party from now on (STR-022)."""
        entry = self._entries[id(stream)]
        if entry.stage in _ON_ITS_WAY:
            self._call(stream.deactivate)

    def end(self, stream: Any) -> None:
        """End a stream that is not yet ending."""
        entry = self._entries.get(id(stream))
        if entry is not None and _E.END in STAGES[entry.stage]:
            self._do(entry, _E.END, stream.end)

    def deactivate_all(self) -> None:
        for entry in self._all():
            self.deactivate(entry.stream)

    def end_all(self) -> None:
        for entry in self._all():
            self.end(entry.stream)

    def _all(self) -> Iterator[_Entry]:
        return iter(list(self._entries.values()))

    # How it works

    def _do(self, entry: _Entry, event: StreamEvent, method: Callable[..., Any], *arguments: Any) -> None:
        before = entry.stage
        self._move(entry, event)
        error = self._call(method, *arguments)
        if entry.stage is Stage.ENDED:
            self._mailbox.put(self._tell, entry, before, None)
        elif error is not None and event is _E.END:
            self._mailbox.put(self._happened, entry, _E.ENDED, None)
        elif error is not None:
            self._mailbox.put(self._happened, entry, _E.FAILED, f"{event.value} raised: {error}")

    def _call(self, method: Callable[..., Any], *arguments: Any) -> Exception | None:
        try:
            method(*arguments)
        except Exception as error:
            log.exception("%s() of a stream raised", getattr(method, "__name__", "a method"))
            return error
        return None

    def _move(self, entry: _Entry, event: StreamEvent) -> None:
        entry.stage = stage = STAGES[entry.stage][event]
        if entry.timer is not None:
            entry.timer.cancel()
            entry.timer = None
        seconds = _TIMEOUTS.get(stage)
        if stage is Stage.INITIALIZING:
            seconds = getattr(entry.stream, "initialize_timeout", seconds)
        if seconds is not None:
            entry.timer = self._mailbox.realm.reactor.callLater(seconds, self._timed_out, entry)

    def _timed_out(self, entry: _Entry) -> None:
        entry.timer = None
        self._mailbox.put(self._expired, entry, entry.stage)

    def _expired(self, entry: _Entry, stage: Stage) -> None:
        if entry.stage is stage:
            log.warning("A stream (%s) was %s for too long", type(entry.stream).__name__, stage.value)
            event = _E.ENDED if stage is Stage.ENDING else _E.FAILED
            self._happened(entry, event, f"timed out while {stage.value}")

    def handle_notification(self, notification: Notification) -> None:
        entry = self._entries.get(id(notification.sender))
        if entry is None:
            return  # forgotten while the notification was delivered
        event = StreamEvent(notification.name)
        reason = notification.data.reason if event is _E.FAILED else None
        self._mailbox.put(self._happened, entry, event, reason)

    def _happened(self, entry: _Entry, event: StreamEvent, reason: str | None) -> None:
        before = entry.stage
        if event in STAGES[before]:
            self._move(entry, event)
            self._tell(entry, before, reason)

    def _tell(self, entry: _Entry, before: Stage, reason: str | None) -> None:
        stream, stage = entry.stream, entry.stage
        if stage is Stage.ENDED:
            for event in _ANSWERS:
                self._center.discard_observer(self, name=event.value, sender=stream)
            self._owner.stream_ended(stream)
        elif stage is Stage.READY or stage is Stage.ACTIVE:
            self._owner.stream_settled(stream)
        else:
            entry.reason = reason or "the stream ended"
            if before in _ON_ITS_WAY:
                self._call(stream.deactivate)
            self.end(stream)
            self._owner.stream_failed(stream, entry.reason)
