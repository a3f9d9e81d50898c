"""Being called: the application is asked, then the streams that it accepts are answered for (SES-024 to SES-033).

RFC 3261 13.3.1: the INVITE was taken over by the session manager; from here on it gets 180, a refusal, or 200 with
the answer to its offer.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from sipsimple.core import ContactHeader
from sipsimple.session.description import answer_session, offer_session
from sipsimple.session.media import Stage
from sipsimple.session.outcome import (
    disconnected,
    internal_error,
    media_refusal,
    rejected_by_user,
    streams_failed,
)
from sipsimple.session.phase import SetupPhase
from sipsimple.session.starting import Starting
from sipsimple.util import Route

if TYPE_CHECKING:
    from sipsimple.session.session import Session

__all__ = ["Accepting", "Ringing"]

log = logging.getLogger("sipsimple.session")


def contact_of(session: Session) -> ContactHeader:
    """Where the remote party shall send its requests within this session."""
    peer = session._invitation.peer_address
    return ContactHeader(session.account.contact[Route(peer.host, peer.port, peer.transport)])


def waits_for_us(session: Session) -> bool:
    """Whether the INVITE waits for a response of ours: not when its CANCEL has come, which we are about to be told."""
    return session._invitation.state in ("incoming", "early")


class Ringing(SetupPhase):
    """The application is being asked; meanwhile the streams get ready."""

    def enter(self) -> None:
        session = self.session
        streams = list(session._proposal.values())
        self.post("SIPSessionNewIncoming", streams=list(streams))
        if not session._heeds:
            return  # an observer has refused it
        # STR-010, STR-012: a stream is initialized as soon as it is offered; where the caller offers none, we do
        direction = "outgoing" if session._invitation.remote_sdp_offer is None else "incoming"
        for stream in streams:
            session._media.offered(stream, session, direction)

    def ring(self) -> None:
        if waits_for_us(self.session):
            self.session._invitation.send_response(180, contact_header=contact_of(self.session))

    def accept(self, streams: list[Any]) -> None:
        self.session._enter(Accepting(self.session, streams))

    def reject(self, code: int, reason: str | None) -> None:
        self.session._tear_down(rejected_by_user(code, reason))

    def invitation_changed(self, change: Any) -> None:
        if change.state == "disconnected":
            self.session._close(disconnected(change))

    def stream_failed(self, stream: Any, reason: str) -> None:
        if not self.live_streams:
            cause = f"stream failed: {reason}"
            self.session._refuse(streams_failed(cause, media_refusal("No stream is available")))


class Accepting(SetupPhase):
    """The accepted streams finish getting ready, the others are ended; then the 200 goes out."""

    def __init__(self, session: Session, streams: Iterable[Any]) -> None:
        super().__init__(session)
        self._accepted = {id(stream) for stream in streams}
        self._answered = False

    def enter(self) -> None:
        session = self.session
        accepted = {index: stream for index, stream in session._proposal.items() if id(stream) in self._accepted}
        refused = [stream for index, stream in session._proposal.items() if index not in accepted]
        session._proposal = accepted
        for stream in refused:
            session._media.end(stream)
        for stream in accepted.values():
            session._media.accepted(stream, session)
        self._check()

    def stream_settled(self, stream: Any) -> None:
        self._check()

    def stream_failed(self, stream: Any, reason: str) -> None:
        self._check()

    def invitation_changed(self, change: Any) -> None:
        if change.state == "connecting":
            self.session._enter(Starting(self.session))
        elif change.state == "disconnected":
            self.session._close(disconnected(change))

    def _check(self) -> None:
        session = self.session
        if self._answered or any(session._media.stage(s) is Stage.INITIALIZING for s in session._proposal.values()):
            return
        if self.live_streams:
            self._answer()
        else:
            cause = f"stream failed: {session._media.failure}"
            session._refuse(streams_failed(cause, media_refusal("No stream is available")))

    def _answer(self) -> None:
        session = self.session
        if not waits_for_us(session):
            return
        invitation = session._invitation
        offer = invitation.remote_sdp_offer
        if offer is None:
            session._proposal = dict(enumerate(self.live_streams.values()))
        lines = {}
        for index, stream in self.live_streams.items():
            if offer is None:
                line = session._media.local_media(stream, for_offer=True)
            else:
                line = session._media.local_media(stream, for_offer=False, remote_sdp=offer, stream_index=index)
            if line is None:
                return  # the stream failed over it: stream_failed() is about to be called
            lines[index] = line
        self._answered = True
        address, name = session._realm.local_ip_towards(invitation.peer_address.host), session._settings.user_agent
        try:
            invitation.send_response(
                200,
                contact_header=contact_of(session),
                sdp=(
                    offer_session(address, name, lines.values())
                    if offer is None
                    else answer_session(address, name, offer, lines)
                ),
            )
        except Exception as error:
            log.exception("An INVITE could not be accepted")
            session._close(internal_error(error))
