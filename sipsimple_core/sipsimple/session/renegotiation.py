"""The session descriptions after the first: offers and answers within a session that runs (RFC 3261 14, RFC 3264 8).

Theory of operation: `lines` says which stream is on which media line. What changes on our side, a stream that goes or
is held, is noted (`want`) and told to the remote party in one re-INVITE as soon as no other is open; streams that are
proposed travel in the same re-INVITE. At most one is open at a time, `_open`. One that meets the remote party's (491)
is repeated after a while that is not the same for both. A media line whose stream is gone gets port 0, and may be
taken by another stream once both parties know that.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Protocol

from sipsimple.core.protocol.invite_events import InvalidStateError
from sipsimple.core.wire.reasons import reason_phrase
from sipsimple.core.wire.sdp import FrozenSDPMediaStream
from sipsimple.notification import NotificationData
from sipsimple.session.description import is_refused, refused_line, renewed_session
from sipsimple.session.outcome import Party, Refusal, internal_error, media_refusal, remote_removed_streams
from sipsimple.session.states import OVER

if TYPE_CHECKING:
    from sipsimple.session.session import Session

__all__ = ["BUSY_DELAY", "LEAVE_TIMEOUT", "Proposer", "Renegotiation"]

log = logging.getLogger("sipsimple.session")

#: Seconds after which a removed stream is ended although the remote party does not answer the re-INVITE.
LEAVE_TIMEOUT = 5.0
#: Seconds after which a re-INVITE is tried again that the layer below could not send yet.
BUSY_DELAY = 0.5


class Proposer(Protocol):
    """Who proposes streams, and is told what came of it; called in the mailbox."""

    streams: list[Any]
    cancelled: bool

    def accepted(self, lines: dict[int, Any], local_sdp: Any, remote_sdp: Any) -> None:
        """The remote party accepted; `lines` are the streams that it took, by the index of their media line."""

    def refused(self, originator: Party, code: int, reason: str) -> None:
        """The re-INVITE was refused by the remote party, or failed on our side."""


class _Exchange:
    """A re-INVITE of ours that is open."""

    __slots__ = ("additions", "change", "leaving", "proposer", "update")

    def __init__(self, additions: dict[int, Any], proposer: Proposer | None, leaving: list[Any]) -> None:
        self.additions = additions
        self.proposer = proposer
        self.leaving = leaving
        self.update: Any = None
        self.change: Any = None


class Renegotiation:
    """See the module. All methods are called in the session's mailbox."""

    def __init__(self, session: Session) -> None:
        self.lines: dict[int, Any] = {}
        self._session = session
        self._local: Any = None
        self._remote: Any = None
        self._described: Any = None  # the last description that we sent, agreed on or not
        self._closing: set[int] = set()  # media lines without a stream that the remote party does not know of yet
        self._leaving: list[Any] = []
        self._wanted = False
        self._proposer: Proposer | None = None
        self._answering: dict[int, Any] = {}
        self._open: _Exchange | None = None
        self._timers: set[Any] = set()
        self._delay: Any = None

    # The beginning and the end

    def begin(self, local_sdp: Any, remote_sdp: Any) -> None:
        """What the first offer and answer have agreed on."""
        self._local, self._remote, self._described = local_sdp, remote_sdp, local_sdp

    def occupy(self, lines: Mapping[int, Any]) -> None:
        """The session has started with these streams; offered ones that failed meanwhile are taken back."""
        self.lines = dict(lines)
        for index, line in enumerate(self._local.media):
            if index not in lines and line.port != 0 and not is_refused(self._remote, index):
                self._closing.add(index)
                self._wanted = True

    def stop(self) -> None:
        """The session is over: nothing is sent any more."""
        for timer in list(self._timers):
            timer.cancel()
        self._timers.clear()
        self._delay = self._proposer = self._open = None
        self._wanted = False

    # What changes on our side

    def want(self) -> None:
        """Tell the remote party how the streams are now, as soon as possible."""
        self._wanted = True
        self.proceed()

    def propose(self, proposer: Proposer) -> None:
        """Propose streams as soon as possible; they are initialized."""
        self._proposer = proposer
        self.proceed()

    def abandon(self, proposer: Proposer) -> None:
        """Take a proposal back; if it was sent, `refused` tells when that is done."""
        if self._open is not None and self._open.proposer is proposer:
            with suppress(InvalidStateError):  # its final response is there and about to be told
                self._session._invitation.cancel_reinvite()
        elif self._proposer is proposer:
            self._proposer = None
            proposer.refused("local", 487, reason_phrase(487))

    def suspend(self, proposer: Proposer) -> bool:
        """Keep a proposal back while the remote party's is dealt with; False when it is out already."""
        if self._open is not None:
            return False
        if self._proposer is proposer:
            self._proposer = None
        return True

    def free(self, stream: Any) -> None:
        """A stream is gone; the remote party has to learn it."""
        index = next((index for index, known in self.lines.items() if known is stream), None)
        if index is not None:
            del self.lines[index]
            self._closing.add(index)
            self.want()

    def remove(self, stream: Any) -> None:
        """The application removes a stream: it is ended once the remote party knows (STR-022)."""
        media = self._session._media
        if media.is_live(stream):
            media.deactivate(stream)
            self._leaving.append(stream)
            self._later(LEAVE_TIMEOUT, media.end, stream)
        self.free(stream)

    def hold(self, held: bool) -> None:
        """Hold the streams that can be, or take them off hold, and tell everybody (SES-050, SES-052)."""
        session, changed = self._session, False
        for stream in session._streams:
            if stream.hold_supported and bool(stream.on_hold_by_local) is not held:
                session._media.hold(stream, held)
                changed = True
        if changed:
            self._post_hold("local")
            self.want()

    # Our re-INVITEs

    def proceed(self) -> None:
        """Send the re-INVITE that is wanted, if it can be sent now."""
        session = self._session
        invitation = session._invitation
        if self._open is not None or self._delay is not None or session._state in OVER:
            return
        if not (self._wanted or self._proposer is not None) or invitation is None:
            return
        if invitation.state != "connected" or invitation.sub_state != "normal":
            return
        proposer = self._proposer
        additions = {} if proposer is None else self._places(proposer.streams)
        lines = self._offered_lines(additions)
        if lines is None:
            return  # a stream failed over it, which is about to be told and brings us back here
        if proposer is None and lines == list(self._local.media):
            self._wanted = False  # hold and unhold, say, in a row
            self._end_leaving(self._leaving)
            self._leaving = []
            return
        self._send(additions, proposer, renewed_session(self._described, lines))

    def _send(self, additions: dict[int, Any], proposer: Proposer | None, offer: Any) -> None:
        session = self._session
        exchange = self._open = _Exchange(additions, proposer, self._leaving)
        self._wanted, self._proposer, self._leaving = False, None, []
        try:
            session._invitation.send_reinvite(sdp=offer)
        except InvalidStateError as error:
            log.debug("A re-INVITE can't be sent yet: %s", error)
            self._repeat(exchange, BUSY_DELAY)
        except Exception as error:
            log.exception("A re-INVITE could not be sent")
            self._open = None
            self._end_leaving(exchange.leaving)
            if proposer is not None:
                outcome = internal_error(error)
                proposer.refused("local", outcome.code, outcome.cause)
        else:
            self._described = offer

    def _places(self, streams: Iterable[Any]) -> dict[int, Any]:
        """The media lines of streams that are proposed: free ones, then new ones (RFC 3264 8.1)."""
        count = len(self._local.media)
        free = [
            index
            for index in range(count)
            if index not in self.lines and (self._local.media[index].port == 0 or is_refused(self._remote, index))
        ]
        places: dict[int, Any] = {}
        for stream in streams:
            if free:
                index = free.pop(0)
            else:
                index, count = count, count + 1
            places[index] = stream
        return places

    def _offered_lines(self, additions: Mapping[int, Any]) -> list[Any] | None:
        media = self._session._media
        streams = {**self.lines, **additions}
        lines: list[Any] = []
        for index in range(max([len(self._local.media), *(index + 1 for index in additions)])):
            if index not in streams:
                line: Any = refused_line(self._local.media[index])
            else:
                live = media.is_live(streams[index])
                line = media.local_media(streams[index], for_offer=True) if live else None
                if line is None:
                    return None
            lines.append(FrozenSDPMediaStream.new(line))
        return lines

    def _settle(self) -> None:
        """Our re-INVITE has its final response, and if that is a 2xx the answer."""
        exchange = self._open
        if exchange is None or exchange.change is None:
            return
        change, update, proposer = exchange.change, exchange.update, exchange.proposer
        if change.code is not None and change.code < 300:
            if update is None:
                return
            self._open = None
            accepted = self._adopt(update, exchange.additions) if update.succeeded else {}
            self._end_leaving(exchange.leaving)
            if proposer is None:
                pass
            elif update.succeeded:
                proposer.accepted(accepted, update.local_sdp, update.remote_sdp)
            else:
                proposer.refused("local", 488, f"SDP negotiation failed: {update.error}")
            return
        self._open = None
        if change.code == 491 and not (proposer is not None and proposer.cancelled):
            self._repeat(exchange, self._session._invitation.glare_delay())
            return
        log.info("A re-INVITE was refused: %s %s", change.code, change.reason)
        self._end_leaving(exchange.leaving)
        if proposer is not None:
            code = change.code or 500
            proposer.refused(change.originator, code, change.reason or reason_phrase(code))

    def _repeat(self, exchange: _Exchange, seconds: float) -> None:
        self._open = None
        self._wanted = True
        self._leaving = [*exchange.leaving, *self._leaving]
        self._proposer = exchange.proposer
        self._delay = self._later(seconds, self._delayed)

    def _delayed(self) -> None:
        self._delay = None
        self.proceed()

    def _end_leaving(self, streams: Iterable[Any]) -> None:
        for stream in streams:
            self._session._media.end(stream)

    def _later(self, seconds: float, action: Any, *arguments: Any) -> Any:
        def due() -> None:
            self._timers.discard(timer)
            session._mailbox.put(action, *arguments)

        session = self._session
        timer = session._realm.reactor.callLater(seconds, due)
        self._timers.add(timer)
        return timer

    # The remote party's offers

    @property
    def awaits_answer(self) -> bool:
        """Whether an offer of the remote party waits for us."""
        invitation = self._session._invitation
        return bool(invitation.state == "connected" and invitation.sub_state == "received_proposal")

    @property
    def offer(self) -> Any:
        """It, None if it is a re-INVITE that wants our offer."""
        return self._session._invitation.remote_sdp_offer

    def objection(self) -> Refusal | None:
        """The refusal of an offer that a stream can't go along with (STR-016, STR-017)."""
        offer, media = self.offer, self._session._media
        for index, stream in self.lines.items():
            if is_refused(offer, index) or not self._changed(index):
                continue
            if media.is_live(stream) and not media.validate_update(stream, offer, index):
                return media_refusal(f"Media line {index + 1} can not be changed like this")
        return None

    def new_lines(self) -> set[int]:
        """The media lines of the offer on which something is proposed that is not there yet."""
        free = set(range(len(self.offer.media))) - set(self.lines) - self._closing
        return {index for index in free if not is_refused(self.offer, index) and self._changed(index)}

    def changes_nothing_but(self, lines: Iterable[int]) -> bool:
        """Whether the offer is what is agreed on, apart from these media lines."""
        others = set(range(len(self.offer.media))) - set(lines)
        return not any(self._changed(index) for index in others)

    def _changed(self, index: int) -> bool:
        offer, agreed = self.offer, self._remote
        if index >= len(agreed.media) or offer.media[index] != agreed.media[index]:
            return True
        before, after = agreed.connection_of(index), offer.connection_of(index)
        return bool(before != after or offer.direction_of(index) != agreed.direction_of(index))

    def answer(self, additions: Mapping[int, Any]) -> bool:
        """Accept the offer, with the streams that are there and those of `additions`; False if it was taken back."""
        session = self._session
        if not self.awaits_answer:
            return False
        offer = self.offer
        lines = [refused_line(line) for line in offer.media]
        for index, stream in {**self.lines, **additions}.items():
            if not is_refused(offer, index) and session._media.is_live(stream):
                line = session._media.local_media(stream, for_offer=False, remote_sdp=offer, stream_index=index)
                if line is not None:
                    lines[index] = line
        self._answering = dict(additions)
        return self._respond(renewed_session(self._described, lines))

    def answer_with_offer(self) -> None:
        """Accept a re-INVITE without offer: RFC 3261 14.2, our offer is what we have."""
        lines = self._offered_lines({})
        if lines is None:
            self.refuse(Refusal(500))
        else:
            self._respond(renewed_session(self._described, lines))

    def _respond(self, sdp: Any) -> bool:
        try:
            self._session._invitation.send_response(200, sdp=sdp)
        except InvalidStateError:
            return False
        self._described = sdp
        return True

    def refuse(self, refusal: Refusal) -> bool:
        """Refuse the offer; False if it was taken back."""
        if not self.awaits_answer:
            return False
        try:
            self._session._invitation.send_response(refusal.code, refusal.reason, extra_headers=refusal.headers)
        except InvalidStateError:
            return False
        return True

    # What the invitation tells

    def invitation_changed(self, change: Any) -> None:
        """A step of an invitation that is connected."""
        exchange = self._open
        if exchange is not None and change.prev_sub_state == "sent_proposal":
            if change.sub_state == "normal":
                exchange.change = change
                self._settle()
            elif change.code is not None and 100 <= change.code < 200:
                self._post("SIPSessionGotProvisionalResponse", code=change.code, reason=change.reason or "")
        if change.sub_state == "normal":
            self.proceed()

    def sdp_updated(self, update: Any) -> None:
        if self._open is not None:
            self._open.update = update
            self._settle()
        elif update.succeeded:
            answering, self._answering = self._answering, {}
            accepted = self._adopt(update, answering)
            if answering:
                self._session._phase.agreed(accepted, update.local_sdp, update.remote_sdp)

    def _adopt(self, update: Any, additions: Mapping[int, Any]) -> dict[int, Any]:
        """A pair of descriptions is agreed on (STR-019); returns the streams of `additions` that both want."""
        session = self._session
        self._local, self._remote = local, remote = update.local_sdp, update.remote_sdp
        self._closing = {index for index in self._closing if not is_refused(local, index)}
        held = self._held_by_remote()
        gone = []
        for index, stream in list(self.lines.items()):
            if not session._media.is_live(stream):
                continue  # it has failed, which is about to be told
            if is_refused(remote, index):
                del self.lines[index]
                gone.append(stream)
            elif not is_refused(local, index):
                session._media.update(stream, local, remote, index)
        accepted = {i: s for i, s in additions.items() if not is_refused(remote, i) and not is_refused(local, i)}
        self.lines.update(accepted)
        for stream in gone:
            session._media.deactivate(stream)
            session._media.end(stream)
        if gone:
            remaining = session._remove_streams(gone)
            if not remaining and not accepted:
                session._close(remote_removed_streams())
                return {}
            self._post("SIPSessionDidRenegotiateStreams", originator="remote", action="remove", streams=gone)
        if self._held_by_remote() != held - {id(stream) for stream in gone}:
            self._post_hold("remote")
        return accepted

    # Hold

    def _held_by_remote(self) -> set[int]:
        return {id(stream) for stream in self._session._streams if stream.on_hold_by_remote}

    def tell_remote_hold(self) -> None:
        """The session has started: the remote party may have held it from the beginning."""
        if self._held_by_remote():
            self._post_hold("remote")

    def _post_hold(self, originator: Party) -> None:
        streams = self._session._streams
        on_hold = any(stream.on_hold for stream in streams)
        free = any(stream.hold_supported and not stream.on_hold for stream in streams)
        self._post("SIPSessionDidChangeHoldState", originator=originator, on_hold=on_hold, partial=on_hold and free)

    def _post(self, name: str, **data: Any) -> None:
        self._session._center.post_notification(name, self._session, NotificationData(**data))
