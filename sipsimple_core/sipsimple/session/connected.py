"""A session that runs: what ends it, and what becomes of it when a stream goes (SES-055, SES-086, SES-095)."""

from __future__ import annotations

from typing import Any

from sipsimple.session.outcome import disconnected, streams_failed
from sipsimple.session.phase import Phase

__all__ = ["Connected"]


class Connected(Phase):
    """From SIPSessionDidStart until somebody ends it."""

    def enter(self) -> None:
        self.post("SIPSessionDidStart", timestamp=self.session.start_time, streams=self.session.streams)

    def invitation_changed(self, change: Any) -> None:
        if change.state == "disconnected":
            self.session._close(disconnected(change))

    def stream_failed(self, stream: Any, reason: str) -> None:
        remaining = self.session._remove_stream(stream)
        if remaining:
            self.post("SIPSessionDidRenegotiateStreams", action="remove", streams=[stream])
        else:
            self.session._close(streams_failed(f"stream failed: {reason}"))
