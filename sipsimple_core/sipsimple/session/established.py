"""A session that runs: what may happen to it in each of its phases, until somebody ends it (SES-055, SES-095)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from sipsimple.session.offered import MAX_STREAMS, streams_offered
from sipsimple.session.outcome import Refusal, disconnected, media_refusal, streams_failed
from sipsimple.session.phase import Phase
from sipsimple.session.states import Event

if TYPE_CHECKING:
    from sipsimple.session.session import Session

__all__ = ["Established"]

log = logging.getLogger("sipsimple.session")


class Established(Phase):
    """Base of the phases from SIPSessionDidStart until somebody ends the session."""

    #: The proposal of ours that goes on after this phase, None for `Connected`.
    following: Any = None

    def __init__(self, session: Session) -> None:
        super().__init__(session)
        self.renegotiation = session._renegotiation

    def hold(self, held: bool) -> None:
        self.renegotiation.hold(held)

    def remove_stream(self, stream: Any) -> None:
        self.post("SIPSessionDidRenegotiateStreams", originator="local", action="remove", streams=[stream])
        self.renegotiation.remove(stream)

    # What the signalling tells

    def invitation_changed(self, change: Any) -> None:
        if change.state == "disconnected":
            self.session._close(disconnected(change))
        elif change.state == "connected":
            received = change.sub_state == "received_proposal"
            if received and change.prev_sub_state != "received_proposal":
                self.offered(change.method)
            elif not received and change.prev_sub_state == "received_proposal" and (change.code or 200) >= 300:
                self.withdrawn(change.code, change.reason)
            self.renegotiation.invitation_changed(change)

    def sdp_updated(self, update: Any) -> None:
        self.renegotiation.sdp_updated(update)

    def offered(self, method: str) -> None:
        """The remote party wants to change something, in a request of this method."""
        session, renegotiation = self.session, self.renegotiation
        if not renegotiation.awaits_answer:
            return
        if renegotiation.offer is None:
            renegotiation.answer_with_offer()
            return
        refusal = renegotiation.objection()
        if refusal is not None:
            renegotiation.refuse(refusal)
            return
        new = renegotiation.new_lines()
        limit = MAX_STREAMS - len(session._streams)
        streams = streams_offered(session.account, renegotiation.offer, new, limit) if new else {}
        if streams:
            self._proposed(streams, method)
        elif new and renegotiation.changes_nothing_but(new):
            # RFC 3261 14.2: what is offered is nothing that we know, so all remains as it was
            renegotiation.refuse(media_refusal("No media type that is offered is available"))
        else:
            renegotiation.answer({})

    def _proposed(self, streams: dict[int, Any], method: str) -> None:
        from sipsimple.session.proposed import Asked

        session = self.session
        if method == "UPDATE":
            # RFC 3311 5.2: an UPDATE is answered at once, and nobody can be asked so soon
            self.renegotiation.refuse(Refusal(504))
        elif self.yields() and session._receive_proposal(list(streams.values())):
            session._enter(Asked(session, streams, self.met()))
        else:
            # RFC 3261 14.1: something of ours is under way, which is what 491 is for
            self.renegotiation.refuse(Refusal(491))

    def yields(self) -> bool:
        """Whether a proposal of the remote party can be dealt with now."""
        return True

    def met(self) -> Any:
        """The phase to go on with after that, None for `Connected`."""
        return None

    def withdrawn(self, code: int, reason: str | None) -> None:
        """The remote party's request was cancelled, or could not wait any longer."""

    # What the streams tell

    def stream_failed(self, stream: Any, reason: str) -> None:
        session = self.session
        if not any(stream is active for active in session._streams):
            self.proposed_stream_failed(stream, reason)
            return
        if session._remove_streams([stream]):
            self.post("SIPSessionDidRenegotiateStreams", originator="local", action="remove", streams=[stream])
            self.renegotiation.free(stream)
        else:
            session._close(streams_failed(f"stream failed: {reason}"))

    def proposed_stream_failed(self, stream: Any, reason: str) -> None:
        """A stream failed that is not, or no longer, one of the active ones."""

    # How a proposal ends

    def settle(self) -> bool:
        """The proposal is over; False if the session is, too."""
        following = self.following
        if not self.session._move(Event.SETTLE if following is None else Event.RESUME):
            return False
        self.session._proposed_streams = None if following is None else following.streams
        return True

    def proceed(self) -> None:
        """Enter the phase that follows a proposal."""
        from sipsimple.session.connected import Connected

        following = self.following
        self.session._enter(Connected(self.session) if following is None else following)
