"""Calling: the streams are made ready, then the INVITE goes out over one route after the other (SES-012 to SES-023).

Of several addresses of one server over TCP or TLS the one that takes a connection first goes to the front (RFC 8305).

A route has worked when somebody answers over it: RFC 3261 8.1.3.1 has a transport error count as 503 and silence as
408, and with these (16.7: and a 503 that came from a proxy) the next route is tried; RFC 3263 4.3 says the same. Any
other final response is the remote party's word. So is a 408 or 503 that follows ringing: the phone of whom we call
shall not ring a second time.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError

from sipsimple.account.fastest_route import fastest_first
from sipsimple.account.server_name import server_name
from sipsimple.core import ContactHeader, FromHeader, SubjectHeader
from sipsimple.core.destinations import route_header_to
from sipsimple.core.engine import EngineError
from sipsimple.core.invitation import Invitation
from sipsimple.session.description import is_refused, offer_session
from sipsimple.session.media import Stage
from sipsimple.session.outcome import Outcome, disconnected, internal_error, streams_failed
from sipsimple.session.phase import SetupPhase
from sipsimple.session.starting import Starting
from sipsimple.session.states import Event
from sipsimple.util import Route

if TYPE_CHECKING:
    from sipsimple.session.session import Session

__all__ = ["Inviting", "Offering", "Routing"]

log = logging.getLogger("sipsimple.session")

#: Final responses after which the next route is tried, provided that nobody was reached over this one.
ROUTE_FAILURES = frozenset({408, 503})


class Offering(SetupPhase):
    """The streams that will be offered are initialized."""

    def __init__(self, session: Session, to_header: Any, routes: Iterable[Route], is_focus: bool) -> None:
        super().__init__(session)
        routes = list(routes)
        self._first = routes[0]
        self._next = Routing(session, to_header, routes, is_focus)

    def enter(self) -> None:
        session = self.session
        streams = list(session._proposal.values())
        self.post("SIPSessionNewOutgoing", streams=list(streams))
        if not session._heeds:
            return  # an observer has ended it
        session.route = self._first  # it tells the streams which of our addresses the remote party can reach
        for stream in streams:
            session._media.initialize(stream, session, "outgoing")

    def stream_settled(self, stream: Any) -> None:
        self._check()

    def stream_failed(self, stream: Any, reason: str) -> None:
        self._check()

    def _check(self) -> None:
        media = self.session._media
        if media.any_in(Stage.INITIALIZING):
            return
        if not self.live_streams:
            self.session._close(streams_failed(f"stream failed: {media.failure}"))
            return
        self.session._enter(self._next)


class Routing(SetupPhase):
    """The addresses of the first server are tried, where it has several."""

    def __init__(self, session: Session, to_header: Any, routes: Iterable[Route], is_focus: bool) -> None:
        super().__init__(session)
        self._to_header = to_header
        self._routes = list(routes)
        self._is_focus = is_focus
        self._search: Any = None

    def enter(self) -> None:
        session = self.session
        self._search = fastest_first(session.account, self._routes, self._to_header.uri)
        self._search.addCallback(lambda routes: session._mailbox.put(self._found, routes))
        self._search.addErrback(lambda failure: failure.trap(CancelledError))

    def leave(self) -> None:
        self._search.cancel()

    def stream_failed(self, stream: Any, reason: str) -> None:
        if not self.live_streams:
            self.session._close(streams_failed(f"stream failed: {reason}"))

    def _found(self, routes: list[Route]) -> None:
        session = self.session
        if session._phase is self:
            session._enter(Inviting(session, self._to_header, routes, self._is_focus))


class Inviting(SetupPhase):
    """The INVITE is out, or about to go out over the next route."""

    def __init__(self, session: Session, to_header: Any, routes: Iterable[Route], is_focus: bool) -> None:
        super().__init__(session)
        self._to_header = to_header
        self._routes = deque(routes)
        self._is_focus = is_focus
        self._reached = False

    def enter(self) -> None:
        self._invite()

    def _invite(self) -> None:
        """Send an INVITE over the first of the routes that are left."""
        session = self.session
        if session._phase is not self:
            return
        route = session.route = self._routes.popleft()
        # RFC 3264 5: the offer has a media line for each stream, in the order in which connect() got them
        session._proposal = dict(enumerate(self.live_streams.values()))
        lines = [session._media.local_media(stream, for_offer=True) for stream in session._proposal.values()]
        if None in lines:
            # a stream failed over it: stream_failed() is about to be called, and goes on without it
            self._routes.appendleft(route)
            return
        invitation = Invitation()
        session._attach(invitation)
        try:
            self._send(invitation, route, lines)
        except Exception as error:
            unexpected = not isinstance(error, EngineError)
            log.warning("An INVITE could not be sent to %s: %s", route, error, exc_info=unexpected)
            self._route_failed(internal_error(error))

    def _send(self, invitation: Any, route: Route, lines: list[Any]) -> None:
        session = self.session
        account, settings = session.account, session._settings
        address = session._realm.local_ip_towards(route.address)
        invitation.send_invite(
            self._to_header.uri,
            FromHeader(account.uri, account.display_name),
            self._to_header,
            route_header_to(route, server_name(account, route)),
            # RFC 4579 5.1: isfocus tells that the Contact is a conference
            ContactHeader(account.contact[route], parameters={"isfocus": None} if self._is_focus else None),
            offer_session(address, settings.user_agent, lines),
            credentials=account.credentials,
            extra_headers=[
                *account.service_route(route),
                *([] if session.subject is None else [SubjectHeader(session.subject)]),
                *session._invite_headers,
            ],
            timeout=settings.sip.invite_timeout,
        )

    def stream_failed(self, stream: Any, reason: str) -> None:
        session = self.session
        if not self.live_streams:
            session._close(streams_failed(f"stream failed: {reason}"))
        elif session._invitation is None:
            self._invite()

    def invitation_changed(self, change: Any) -> None:
        if change.state == "connecting":
            self.session._enter(Starting(self.session))
        elif change.state == "disconnected":
            self.session.redirection_targets = list(change.targets)
            outcome = disconnected(change)
            if outcome.code in ROUTE_FAILURES and not self._reached:
                self._route_failed(outcome)
            else:
                self.session._close(outcome)
        elif change.sub_state == "received_proposal":
            # an UPDATE before the call is accepted (RFC 3311 5.2): the streams have not even started
            self.session._invitation.send_response(488)
        elif change.code is not None and 100 <= change.code < 200:
            self._progressed(change)

    def early_sdp_updated(self, update: Any) -> None:
        # RFC 3960 3.1: each branch of a fork may have early media, the last one that describes it is heard
        if update.succeeded:
            for index, stream in self.live_streams.items():
                if not is_refused(update.remote_sdp, index):
                    self.session._media.start_early(stream, update.local_sdp, update.remote_sdp, index)

    def _progressed(self, change: Any) -> None:
        if not self.session._move(Event.PROGRESS):
            return
        if change.code > 100:
            self._reached = True
        if change.code == 180:
            self.post("SIPSessionGotRingIndication")
        self.post("SIPSessionGotProvisionalResponse", code=change.code, reason=change.reason or "")

    def _route_failed(self, outcome: Outcome) -> None:
        session = self.session
        session._detach()
        if not self._routes:
            session._close(outcome)
        elif session._move(Event.NEXT_ROUTE):
            log.info("A route did not work (%s), trying %s", outcome.cause, self._routes[0])
            session._mailbox.put(self._invite)
