"""The phases of a session: who deals with what happens to it, from time to time.

A session is in exactly one phase, an object with a method for each thing that can happen. One phase hands over to
the next: `Offering`, `Routing` and `Inviting` for the caller, `Ringing` and `Accepting` for the callee, then `Starting`
and `Started` for both. From there on it is `Connected`; `Proposing`, or `Asked` and `AcceptingProposal`, when streams
are proposed; and at the end `Ending`. The phases are the session's inside: they are called in its mailbox only, and
they alone use its attributes that begin with an underscore.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sipsimple.notification import NotificationData
from sipsimple.session.outcome import cancelled_by_user

if TYPE_CHECKING:
    from sipsimple.session.session import Session

__all__ = ["Phase", "SetupPhase"]


class Phase:
    """A phase in which nothing matters: base of the others, which override what matters to them."""

    #: False once nothing but its own tearing down can happen to the session any more.
    open = True

    def __init__(self, session: Session) -> None:
        self.session = session

    def enter(self) -> None:
        """The phase begins."""

    def leave(self) -> None:
        """The phase is over, another one begins: timers stop here."""

    # What the application asks

    def ring(self) -> None:
        """send_ring_indication()"""

    def accept(self, streams: list[Any]) -> None:
        """accept(streams)"""

    def reject(self, code: int, reason: str | None) -> None:
        """reject(code, reason)"""

    def add_streams(self, streams: list[Any]) -> None:
        """add_stream(): the state is `sending_proposal` already."""

    def remove_stream(self, stream: Any) -> None:
        """remove_stream(): it is not among the session's streams any more."""

    def accept_proposal(self, streams: list[Any]) -> None:
        """accept_proposal(streams)"""

    def reject_proposal(self, code: int, reason: str | None) -> None:
        """reject_proposal(code, reason)"""

    def cancel_proposal(self) -> None:
        """cancel_proposal(): the state is `cancelling_proposal` already."""

    def hold(self, held: bool) -> None:
        """hold() or unhold()"""

    def end(self) -> None:
        """end(): the state is `terminating` already."""
        self.session._tear_down(cancelled_by_user())

    # What the signalling tells

    def invitation_changed(self, change: Any) -> None:
        """The data of a SIPInvitationChangedState."""

    def sdp_updated(self, update: Any) -> None:
        """The data of a SIPInvitationGotSDPUpdate."""

    def early_sdp_updated(self, update: Any) -> None:
        """The same before the call is accepted: for early media. That of the 2xx follows."""

    def agreed(self, lines: dict[int, Any], local_sdp: Any, remote_sdp: Any) -> None:
        """Our answer holds; `lines` are the proposed streams in it, by the index of their media line."""

    # What the streams tell

    def stream_settled(self, stream: Any) -> None:
        """A stream was initialized or has started."""

    def stream_failed(self, stream: Any, reason: str) -> None:
        """A stream failed and is being ended."""

    def stream_ended(self, stream: Any) -> None:
        """A stream is ended."""

    # What phases do alike

    def post(self, name: str, **data: Any) -> None:
        """Post a notification of the session."""
        self.session._center.post_notification(name, self.session, NotificationData(**data))


class SetupPhase(Phase):
    """A phase before the session has started: it deals with the proposed streams."""

    @property
    def live_streams(self) -> dict[int, Any]:
        """The proposed streams that work so far, by the index of their media line."""
        media = self.session._media
        return {index: stream for index, stream in self.session._proposal.items() if media.is_live(stream)}
