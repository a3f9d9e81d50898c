"""`SessionManager`: takes incoming calls and knows which sessions there are (SES-001 to SES-007)."""

from __future__ import annotations

import logging
from typing import Any

from twisted.internet.defer import Deferred
from zope.interface import implementer

from sipsimple.account import AccountManager
from sipsimple.core import WarningHeader
from sipsimple.notification import IObserver, Notification, NotificationCenter
from sipsimple.realm import Singleton, current_realm
from sipsimple.session.offered import MAX_STREAMS, streams_offered, streams_to_offer
from sipsimple.session.outcome import WARNING_AGENT, Refusal, media_refusal
from sipsimple.session.registry import SessionRegistry
from sipsimple.session.session import Session
from sipsimple.util import Null

__all__ = ["MAX_SESSIONS", "MAX_STREAMS", "STOP_TIMEOUT", "SessionManager"]

log = logging.getLogger("sipsimple.session")

#: How many sessions there may be before incoming ones are refused.
MAX_SESSIONS = 2000
#: Seconds after which `stop` is done although sessions are left: a BYE that nobody answers, then closing streams.
STOP_TIMEOUT = 12.0


@implementer(IObserver)
class SessionManager(metaclass=Singleton):
    """Makes a Session of each incoming INVITE that can be served, and refuses the others. A singleton.

    `max_sessions` (default MAX_SESSIONS, may be set at any time) is the number of sessions from which on incoming
    ones are answered with 486.

    Notifications: `SIPSessionNewIncoming`, sent by the new session.
    """

    def __init__(self) -> None:
        self.max_sessions = MAX_SESSIONS
        self._registry = SessionRegistry()
        self._serving = False
        self._observing = False

    @property
    def sessions(self) -> list[Session]:
        """A new list of all sessions that are neither in the state None nor terminated (SES-003, SES-004)."""
        return self._registry.sessions

    def start(self) -> None:
        """Begin to take incoming sessions (SES-005). SIPApplication does it, in the reactor thread."""
        self._serving = True
        self._registry.open()
        if not self._observing:
            self._observing = True
            NotificationCenter().add_observer(self, name="SIPInvitationChangedState")

    def stop(self) -> Deferred[None]:
        """End all sessions and take no more (SES-006). SIPApplication does it, in the reactor thread.

        The Deferred fires when all of them are terminated, after STOP_TIMEOUT seconds in any case. From now on
        `Session.connect` raises IllegalStateError.
        """
        self._serving = False
        self._registry.close()
        for session in self._registry.sessions:
            session._end_if_possible()
        done: Deferred[None] = Deferred()
        guard = current_realm().reactor.callLater(STOP_TIMEOUT, self._give_up, done)

        def emptied() -> None:
            if guard.active():
                guard.cancel()
                self._stop_observing()
                done.callback(None)

        self._registry.when_empty(emptied)
        return done

    def _give_up(self, done: Deferred[None]) -> None:
        log.warning("%d sessions did not end in time", len(self._registry))
        self._stop_observing()
        done.callback(None)

    def _stop_observing(self) -> None:
        if self._observing and not self._serving:
            self._observing = False
            NotificationCenter().discard_observer(self, name="SIPInvitationChangedState")

    def handle_notification(self, notification: Notification) -> None:
        """A step of some invitation: a new incoming one is the manager's business."""
        change = notification.data
        if change.state == "incoming" and change.prev_state is None:
            self._receive(notification.sender, change)

    def _receive(self, invitation: Any, change: Any) -> None:
        try:
            refusal = self._refusal_of(invitation, change) or self._make_session(invitation)
        except Exception:
            log.exception("An incoming INVITE could not be handled")
            refusal = Refusal(500)
        if refusal is not None and invitation.state == "incoming":
            log.debug("Refused an INVITE from %s: %d", invitation.peer_address, refusal.code)
            invitation.send_response(refusal.code, refusal.reason, extra_headers=refusal.headers)

    def _refusal_of(self, invitation: Any, change: Any) -> Refusal | None:
        """Why an INVITE can't become a session, before it is known whose it is."""
        if not self._serving:
            return Refusal(480)
        if len(self._registry) >= self.max_sessions:
            return Refusal(486)
        if invitation.remote_sdp_offer is None and change.body:
            return Refusal(400, headers=(WarningHeader(399, WARNING_AGENT, "The body is no SDP"),))
        return None

    def _make_session(self, invitation: Any) -> Refusal | None:
        account = AccountManager().find_account_for_request(invitation.request_uri, invitation.to_header.uri)
        if account is None:
            return Refusal(404)
        offer = invitation.remote_sdp_offer
        # RFC 3261 13.2.1: without an offer of the caller's, the callee makes it
        streams = streams_to_offer(account) if offer is None else streams_offered(account, offer)
        if not streams:
            return media_refusal("No media type that is offered is available")
        session = Session(account)
        replaced = invitation.replaced_invitation
        if replaced is not None:
            found = [known for known in self._registry.sessions if known._invitation is replaced]
            session.replaced_session = found[0] if found else Null
        session._receive(invitation, streams)
        return None
