"""A session that runs, with no proposal under way."""

from __future__ import annotations

from typing import Any

from sipsimple.session.established import Established
from sipsimple.session.proposing import Proposing

__all__ = ["Connected", "Started"]


class Connected(Established):
    """Nobody proposes anything."""

    def enter(self) -> None:
        self.renegotiation.proceed()

    def add_streams(self, streams: list[Any]) -> None:
        self.session._enter(Proposing(self.session, streams))


class Started(Connected):
    """The first time."""

    def __init__(self, session: Any, offered_by: str | None) -> None:
        super().__init__(session)
        self._offered_by = offered_by  # the method of a request that came before the streams had started

    def enter(self) -> None:
        session = self.session
        self.post("SIPSessionDidStart", timestamp=session.start_time, streams=session.streams)
        self.renegotiation.tell_remote_hold()
        if session._hold_wanted:
            self.hold(True)
        if self._offered_by is not None:
            self.offered(self._offered_by)
        if session._phase is self:
            super().enter()
