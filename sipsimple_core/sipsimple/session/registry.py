"""The sessions that exist: sessions enter themselves, the session manager reads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from threading import Lock
from typing import TYPE_CHECKING, Any

from sipsimple.realm import Singleton
from sipsimple.session.errors import IllegalStateError

if TYPE_CHECKING:
    from sipsimple.session.session import Session

__all__ = ["SessionRegistry"]


class SessionRegistry(metaclass=Singleton):
    """The sessions that are neither in the state None nor terminated; one registry in each realm (SES-004)."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._closed = False
        self._sessions: dict[Session, list[Any]] = {}  # with the streams of each
        self._streams: dict[int, Any] = {}  # all of these, by their identity
        self._unfinished: set[Session] = set()
        self._waiting: list[Callable[[], None]] = []

    def __len__(self) -> int:
        return len(self._sessions)

    @property
    def sessions(self) -> list[Session]:
        """A new list of them, oldest first. May be read in any thread."""
        return list(self._sessions)

    def open(self) -> None:
        """Let sessions begin. Called by the session manager."""
        self._closed = False

    def close(self) -> None:
        """Let no session begin from now on: those that are there are about to be ended. Likewise."""
        with self._lock:
            self._closed = True

    def add(self, session: Session, streams: Iterable[Any]) -> None:
        """Called by a session, in any thread, as it leaves the state None with these streams.

        Raises IllegalStateError once closed, ValueError if one of the streams is in another session: both would work
        with it, and the end of one would be the end of the other.
        """
        streams = list(streams)
        with self._lock:
            if self._closed:
                raise IllegalStateError("stopped", ("started",), "SessionManager: a new session")
            if any(id(stream) in self._streams for stream in streams):
                raise ValueError("a stream is in another session already")
            self._streams.update({id(stream): stream for stream in streams})
            self._sessions[session] = streams
            self._unfinished.add(session)

    def extend(self, session: Session, stream: Any) -> None:
        """Called by a session, in any thread, as this stream is proposed in it. Raises ValueError as `add` does."""
        with self._lock:
            if id(stream) in self._streams:
                raise ValueError("a stream is in this or another session already")
            self._streams[id(stream)] = stream
            self._sessions[session].append(stream)

    def release(self, session: Session, stream: Any) -> None:
        """Called by a session when this stream is no longer in it; any session may have it then."""
        with self._lock:
            streams = self._sessions.get(session, [])
            if any(stream is known for known in streams):
                self._sessions[session] = [known for known in streams if known is not stream]
                del self._streams[id(stream)]

    def remove(self, session: Session) -> None:
        """Called by a session as it is terminated."""
        with self._lock:
            for stream in self._sessions.pop(session, ()):
                del self._streams[id(stream)]

    def finished(self, session: Session) -> None:
        """Called by a session, in the reactor thread, when it has told everybody that it is terminated."""
        self._unfinished.discard(session)
        if not self._unfinished:
            waiting, self._waiting = self._waiting, []
            for callback in waiting:
                callback()

    def when_empty(self, callback: Callable[[], None]) -> None:
        """Call `callback` once no session is left. In the reactor thread."""
        if self._unfinished:
            self._waiting.append(callback)
        else:
            callback()
