"""Ending: the signalling is brought to its end, then the streams, then the application is told (SES-030, SES-055).

The order matters to the remote party: streams are deactivated before our BYE leaves and closed after it is
answered, so that nobody takes the closing of a connection for a failure (STR-022).
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from sipsimple.session.outcome import Outcome
from sipsimple.session.phase import Phase

if TYPE_CHECKING:
    from sipsimple.session.session import Session

__all__ = ["SIGNALLING_TIMEOUT", "Ending"]

log = logging.getLogger("sipsimple.session")

#: Seconds that a CANCEL or BYE may go unanswered. Over UDP that is time for four repetitions (RFC 3261 17.1.2.1).
SIGNALLING_TIMEOUT = 5.0
#: Seconds that the invitation is given beyond that to say that it is over.
SIGNALLING_GRACE = 1.0


class Ending(Phase):
    """From the decision to end the session until it is terminated."""

    open = False

    def __init__(self, session: Session, outcome: Outcome) -> None:
        super().__init__(session)
        self._outcome = outcome
        self._timer: Any = None
        self._signalling = True

    def enter(self) -> None:
        session = self.session
        if session.start_time is not None:
            self.post("SIPSessionWillEnd")
        session._media.deactivate_all()
        if session._disconnected:
            self._end_media()
            return
        self._timer = session._realm.reactor.callLater(
            SIGNALLING_TIMEOUT + SIGNALLING_GRACE, session._mailbox.put, self._timed_out
        )
        self._end_invitation()

    def end(self) -> None:
        """What has begun goes on: a second reason changes nothing."""

    def _end_invitation(self) -> None:
        """CANCEL, BYE or the refusal: whatever the invitation's state asks for."""
        invitation, refusal = self.session._invitation, self._outcome.refusal
        try:
            if invitation.direction == "incoming" and invitation.state in ("incoming", "early"):
                invitation.send_response(refusal.code, refusal.reason, extra_headers=refusal.headers)
            elif invitation.state not in ("disconnecting", "disconnected"):
                invitation.end(timeout=SIGNALLING_TIMEOUT)
        except Exception:
            log.exception("An invitation could not be ended")
            self._end_media()

    def invitation_changed(self, change: Any) -> None:
        if self.session._disconnected:
            self._end_media()
        elif change.state == "connected":
            # RFC 3261 9.1: the 2xx crossed our CANCEL, which then has no effect; 15: BYE ends the session
            self._end_invitation()

    def _timed_out(self) -> None:
        if self._signalling:
            log.warning("The remote party did not confirm the end of a session")
            self._end_media()

    def _end_media(self) -> None:
        if not self._signalling:
            return
        self._signalling = False
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self.session._media.end_all()
        self._check()

    def stream_ended(self, stream: Any) -> None:
        self._check()

    def _check(self) -> None:
        session, outcome = self.session, self._outcome
        if self._signalling or not session._media.ended or not session._finish():
            return
        if session.start_time is None:
            self.post(
                "SIPSessionDidFail",
                timestamp=session.stop_time,
                originator=outcome.originator,
                code=outcome.code,
                reason=outcome.reason,
                failure_reason=outcome.cause,
            )
        else:
            self.post(
                "SIPSessionDidEnd",
                timestamp=session.stop_time,
                originator=outcome.originator,
                end_reason=outcome.cause,
            )
        session._registry.finished(session)
