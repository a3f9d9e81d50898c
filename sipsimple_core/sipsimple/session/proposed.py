"""The remote party proposes streams (SES-034 to SES-041): the application is asked, then its answer is carried out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sipsimple.core.wire.reasons import reason_phrase
from sipsimple.session.established import Established
from sipsimple.session.media import Stage
from sipsimple.session.outcome import Refusal, media_refusal

if TYPE_CHECKING:
    from sipsimple.session.session import Session

__all__ = ["AcceptingProposal", "Asked"]


class _Proposed(Established):
    """Base of both phases; `proposal` are the proposed streams by the index of their media line."""

    def __init__(self, session: Session, proposal: dict[int, Any], following: Any) -> None:
        super().__init__(session)
        self.proposal = proposal
        self.following = following

    def withdrawn(self, code: int, reason: str | None) -> None:
        self._rejected(code, reason or reason_phrase(code))

    def _rejected(self, code: int, reason: str) -> None:
        streams = list(self.proposal.values())
        self._over("SIPSessionGotRejectProposal", originator="remote", code=code, reason=reason, streams=streams)

    def _fail(self, reason: str) -> None:
        self._over("SIPSessionHadProposalFailure", failure_reason=reason, streams=list(self.proposal.values()))

    def _over(self, name: str, **data: Any) -> None:
        session = self.session
        if session._phase is not self or not self.settle():
            return
        session._drop_streams(list(self.proposal.values()))
        self.post(name, **data)
        self.proceed()

    @property
    def live_streams(self) -> dict[int, Any]:
        media = self.session._media
        return {index: stream for index, stream in self.proposal.items() if media.is_live(stream)}


class Asked(_Proposed):
    """The application is being asked; meanwhile the streams get ready."""

    def enter(self) -> None:
        session = self.session
        streams = list(self.proposal.values())
        self.post("SIPSessionGotProposal", originator="remote", streams=list(streams))
        if not session._heeds:
            return  # an observer has ended the session
        for stream in streams:
            session._media.offered(stream, session, "incoming")

    def accept_proposal(self, streams: list[Any]) -> None:
        self.session._enter(AcceptingProposal(self.session, self.proposal, streams, self.following))

    def reject_proposal(self, code: int, reason: str | None) -> None:
        phrase = reason_phrase(code) if reason is None else reason
        if self.renegotiation.refuse(Refusal(code, phrase)):
            self._rejected(code, phrase)
        # else it has been cancelled, which we are about to be told

    def proposed_stream_failed(self, stream: Any, reason: str) -> None:
        if not self.live_streams and self.renegotiation.refuse(media_refusal("No stream is available")):
            self._fail(f"stream failed: {reason}")


class AcceptingProposal(_Proposed):
    """The accepted streams finish getting ready, the offer is answered, the streams start."""

    def __init__(self, session: Session, proposal: dict[int, Any], streams: list[Any], following: Any) -> None:
        super().__init__(session, proposal, following)
        self._accepted = {
            index: stream for index, stream in proposal.items() if any(stream is accepted for accepted in streams)
        }
        self._answered = False
        self._started = False

    def enter(self) -> None:
        for index, stream in self.proposal.items():
            if index not in self._accepted:
                self.session._media.end(stream)
        for stream in self._accepted.values():
            self.session._media.accepted(stream, self.session)
        self._check_ready("")

    def withdrawn(self, code: int, reason: str | None) -> None:
        if not self._answered:
            super().withdrawn(code, reason)

    def stream_settled(self, stream: Any) -> None:
        self._check("")

    def proposed_stream_failed(self, stream: Any, reason: str) -> None:
        if any(stream is accepted for accepted in self._accepted.values()):
            self.renegotiation.free(stream)
            self._check(reason)

    def agreed(self, lines: dict[int, Any], local_sdp: Any, remote_sdp: Any) -> None:
        self._started = True
        for index, stream in self._accepted.items():
            if index in lines and self.session._media.is_live(stream):
                self.session._media.start(stream, local_sdp, remote_sdp, index)
            else:
                self.renegotiation.free(stream)
        self._check_started("it was refused")

    def _check(self, reason: str) -> None:
        if self._started:
            self._check_started(reason)
        elif not self._answered:
            self._check_ready(reason)

    def _check_ready(self, reason: str) -> None:
        session = self.session
        live = {index: stream for index, stream in self._accepted.items() if session._media.is_live(stream)}
        if any(session._media.stage(stream) is Stage.INITIALIZING for stream in live.values()):
            return
        if not live:
            if self.renegotiation.refuse(media_refusal("No stream is available")):
                self._fail(f"stream failed: {reason or session._media.failure}")
            return
        if session._hold_wanted:
            for stream in live.values():
                if stream.hold_supported:
                    session._media.hold(stream, True)
        self._answered = self.renegotiation.answer(live)

    def _check_started(self, reason: str) -> None:
        session = self.session
        live = [stream for stream in self._accepted.values() if session._media.is_live(stream)]
        if not live:
            self._fail(f"stream failed: {reason}")
        elif not any(session._media.stage(stream) is Stage.STARTING for stream in live) and self.settle():
            session._add_streams(live)
            session._drop_streams([s for s in self.proposal.values() if all(s is not stream for stream in live)])
            proposed = list(self.proposal.values())
            self.post("SIPSessionGotAcceptProposal", originator="remote", streams=list(live), proposed_streams=proposed)
            self.post("SIPSessionDidRenegotiateStreams", originator="remote", action="add", streams=list(live))
            self.proceed()
