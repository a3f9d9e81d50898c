"""Proposing streams to the remote party (SES-042 to SES-049): they are initialized, offered in a re-INVITE, started."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sipsimple.core.wire.reasons import reason_phrase
from sipsimple.session.established import Established
from sipsimple.session.media import Stage
from sipsimple.session.outcome import STREAM_FAILURE_CODE, Party

if TYPE_CHECKING:
    from sipsimple.session.session import Session

__all__ = ["Proposing"]


class Proposing(Established):
    """From add_stream() until the streams run, are refused or have failed. A `Proposer`."""

    def __init__(self, session: Session, streams: list[Any]) -> None:
        super().__init__(session)
        self.streams = streams
        self.cancelled = False
        self._sent = False
        self._taken: dict[int, Any] | None = None  # what the remote party took, once it has answered
        self._failure: str | None = None
        self._met = False  # the remote party has proposed something meanwhile

    def enter(self) -> None:
        session = self.session
        if self._met:
            self._go_on()
            return
        self.post("SIPSessionGotProposal", originator="local", streams=list(self.streams))
        if not session._heeds:
            return  # an observer has ended the session
        for stream in self.streams:
            session._media.initialize(stream, session, "outgoing")

    def cancel_proposal(self) -> None:
        self.cancelled = True
        if not self._sent:
            self.refused("local", 487, "")
        elif self._taken is None:
            self.renegotiation.abandon(self)
        else:
            self._give_back()
            self.refused("local", 487, "")

    # The remote party proposes something before our proposal is out, or between two attempts of it (RFC 3261 14.1)

    def yields(self) -> bool:
        ready = self._sent and self._taken is None and not self.cancelled and self._failure is None
        return ready and self.renegotiation.suspend(self)

    def met(self) -> Any:
        self._met = True
        return self

    def _go_on(self) -> None:
        dead = [stream for stream in self.streams if not self.session._media.is_live(stream)]
        if dead:
            self._fail(self.session._media.failure)
        else:
            self.renegotiation.propose(self)

    # The streams

    def stream_settled(self, stream: Any) -> None:
        if self._taken is not None:
            self._check_started()
        elif not self._sent and not self.cancelled and self._failure is None:
            self._check_ready()

    def proposed_stream_failed(self, stream: Any, reason: str) -> None:
        if self.cancelled or self._failure is not None or not any(stream is known for known in self.streams):
            return
        if self._taken is not None:
            self.renegotiation.free(stream)
            self._failure = None
            self._check_started(reason)
        elif self._sent:
            self._failure = reason
            self.renegotiation.abandon(self)  # refused() comes next
        else:
            self._fail(reason)

    def _check_ready(self) -> None:
        session = self.session
        if any(session._media.stage(stream) is Stage.INITIALIZING for stream in self.streams):
            return
        if session._hold_wanted:
            for stream in self.streams:
                if stream.hold_supported:
                    session._media.hold(stream, True)
        self._sent = True
        self.renegotiation.propose(self)

    def _check_started(self, reason: str = "") -> None:
        session, taken = self.session, self._taken or {}
        live = [stream for stream in taken.values() if session._media.is_live(stream)]
        if not live:
            self._fail(reason)
        elif not any(session._media.stage(stream) is Stage.STARTING for stream in live) and self.settle():
            session._add_streams(live)
            self.post(
                "SIPSessionGotAcceptProposal",
                originator="local",
                streams=list(live),
                proposed_streams=list(self.streams),
            )
            self.post("SIPSessionDidRenegotiateStreams", originator="local", action="add", streams=list(live))
            self.proceed()

    # The remote party's answer

    def accepted(self, lines: dict[int, Any], local_sdp: Any, remote_sdp: Any) -> None:
        self._taken = lines
        session = self.session
        if self.cancelled or self._failure is not None:
            # RFC 3261 9.1: the CANCEL came too late, what was accepted is taken back
            self._give_back()
            self.refused("local", 487, "")
            return
        for stream in self.streams:
            if all(stream is not taken for taken in lines.values()):
                session._media.end(stream)
        if not lines:
            # RFC 3264 6: port 0 refuses a stream
            self.refused("remote", STREAM_FAILURE_CODE, reason_phrase(STREAM_FAILURE_CODE))
            return
        for index, stream in lines.items():
            session._media.start(stream, local_sdp, remote_sdp, index)

    def refused(self, originator: Party, code: int, reason: str) -> None:
        if self._failure is not None:
            self._fail(self._failure)
        elif self.cancelled:
            self._rejected(487, reason_phrase(487))
        elif originator == "local":
            self._over("SIPSessionHadProposalFailure", failure_reason=reason, streams=list(self.streams))
        else:
            self._rejected(code, reason)

    def _give_back(self) -> None:
        for stream in (self._taken or {}).values():
            self.renegotiation.free(stream)

    def _fail(self, reason: str) -> None:
        cause = f"stream failed: {reason}"
        self._over("SIPSessionHadProposalFailure", failure_reason=cause, streams=list(self.streams))

    def _rejected(self, code: int, reason: str) -> None:
        self._over(
            "SIPSessionGotRejectProposal", originator="local", code=code, reason=reason, streams=list(self.streams)
        )

    def _over(self, name: str, **data: Any) -> None:
        session = self.session
        if session._phase is not self or not self.settle():
            return
        session._drop_streams(self.streams)
        self.post(name, **data)
        self.proceed()
