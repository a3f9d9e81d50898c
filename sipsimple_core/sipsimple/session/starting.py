"""Starting: the INVITE was accepted; the ACK and the streams are waited for (SES-080, SES-081). Same for both sides."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sipsimple.session.connected import Started
from sipsimple.session.description import is_refused
from sipsimple.session.media import START_TIMEOUT, Stage
from sipsimple.session.outcome import disconnected, internal_error, streams_failed, streams_refused
from sipsimple.session.phase import SetupPhase
from sipsimple.session.states import Event

if TYPE_CHECKING:
    from sipsimple.session.session import Session

__all__ = ["STARTING_TIMEOUT", "Starting"]

#: Seconds from the 2xx until all is given up: more than a stream may take, and than a missing ACK is waited for
#: (RFC 3261 13.3.1.4: 32 s), as these know better what is wrong.
STARTING_TIMEOUT = START_TIMEOUT + 10.0


class Starting(SetupPhase):
    """From the 2xx to SIPSessionDidStart."""

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self._acknowledged = False
        self._negotiated = False
        self._timer: Any = None
        self._offered_by: str | None = None

    def enter(self) -> None:
        self.post("SIPSessionWillStart")
        session = self.session
        self._timer = session._realm.reactor.callLater(STARTING_TIMEOUT, session._mailbox.put, self._timed_out)

    def leave(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()

    def _timed_out(self) -> None:
        if self.session._phase is self:
            missing = "ACK" if self._negotiated else "session description"
            self.session._close(internal_error(f"timeout, missing {missing}"))

    def sdp_updated(self, update: Any) -> None:
        session = self.session
        if self._negotiated:
            return
        if not update.succeeded:
            session._close(streams_failed(f"SDP negotiation failed: {update.error}"))
            return
        self._negotiated = True
        session._renegotiation.begin(update.local_sdp, update.remote_sdp)
        for index, stream in self.live_streams.items():
            # RFC 3264 6: port 0 refuses a stream; 5.1 of RFC 4566 lets nobody leave a line out, but it happens
            if is_refused(update.remote_sdp, index):
                session._media.end(stream)
            else:
                session._media.start(stream, update.local_sdp, update.remote_sdp, index)
        if self.live_streams:
            self._check()
        else:
            session._close(streams_refused())

    def invitation_changed(self, change: Any) -> None:
        if change.state == "connected":
            self._acknowledged = True
            if change.sub_state == "received_proposal":
                self._offered_by = change.method  # their streams have started before ours
            elif change.prev_sub_state == "received_proposal":
                self._offered_by = None
            self._check()
        elif change.state == "disconnecting":
            # RFC 3261 13.3.1.4: no ACK came, the invitation has said BYE by itself
            self.session._close(disconnected(change, cause="missing ACK"))
        elif change.state == "disconnected":
            self.session._close(disconnected(change))

    def stream_settled(self, stream: Any) -> None:
        self._check()

    def stream_failed(self, stream: Any, reason: str) -> None:
        if self.live_streams:
            self._check()
        else:
            self.session._close(streams_failed(f"stream failed: {reason}"))

    def _check(self) -> None:
        session = self.session
        ready = self._acknowledged and self._negotiated and not session._media.any_in(Stage.STARTING)
        if ready and session._move(Event.START):
            session._start(self.live_streams)
            session._enter(Started(session, self._offered_by))
