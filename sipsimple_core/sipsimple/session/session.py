"""`Session`: a session with a remote party as applications see it (SES-008 to SES-075).

The class keeps the state and checks what is asked of it, in the caller's thread; the work is done by the phases (see
`phase`), in the reactor thread, and what is said in SDP after the session has started by its `Renegotiation`.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from threading import Lock
from typing import TYPE_CHECKING, Any

from zope.interface import implementer

from sipsimple.configuration.settings import SIPSimpleSettings
from sipsimple.core import BaseToHeader, FrozenFromHeader, FrozenToHeader
from sipsimple.notification import IObserver, Notification, NotificationCenter, NotificationData
from sipsimple.realm import current_realm
from sipsimple.session import notifications as _notifications  # noqa: F401
from sipsimple.session.arguments import (
    checked_code,
    checked_recipient,
    checked_routes,
    checked_streams,
    checked_text,
)
from sipsimple.session.attributes import SessionAttributes
from sipsimple.session.ending import Ending
from sipsimple.session.errors import IllegalStateError
from sipsimple.session.incoming import Ringing
from sipsimple.session.mailbox import Mailbox
from sipsimple.session.media import SessionMedia
from sipsimple.session.outcome import Outcome, internal_error
from sipsimple.session.outgoing import Offering
from sipsimple.session.phase import Phase
from sipsimple.session.registry import SessionRegistry
from sipsimple.session.renegotiation import Renegotiation
from sipsimple.session.states import INITIAL, OVER, TERMINATED, TRANSITIONS, Event, State, states_allowing
from sipsimple.session.transactions import TransactionReporter
from sipsimple.session.transfer import TRANSFER_NOTIFICATIONS, TransferableSession
from sipsimple.util import Route

if TYPE_CHECKING:
    from sipsimple.result import Result

__all__ = ["Session"]

_INVITATION_NOTIFICATIONS = ("SIPInvitationChangedState", "SIPInvitationGotSDPUpdate")


@implementer(IObserver)
class Session(SessionAttributes, TransferableSession):
    """A session with a remote party, made by `Session(account)` and `connect`, or announced by
    `SIPSessionNewIncoming`.

    Methods may be called from any thread. What is wrong with a call raises at once: `IllegalStateError` in a state
    that does not allow it, `TypeError` and `ValueError` for arguments. The state has changed when a method returns;
    everything else happens in the reactor thread and is told by notifications, with the session as their sender.

    Attributes: `account`, `direction` ('incoming', 'outgoing', or None at first), `route` (the Route that the INVITE
    took, None for an incoming session), `start_time` and `stop_time` (aware datetimes, None before), `subject` (str or
    None), `remote_user_agent` (str, None until it is known), `redirection_targets` (the contacts of a 3xx, best first),
    `conference`, `replaced_session`, `transfer_handler` and `transfer_info` (Null where there is none). All of them are
    to be read only.

    Notifications: see `sipsimple.session.notifications`.
    """

    def __init__(self, account: Any) -> None:
        self.account = account
        self.direction: str | None = None
        self.subject: str | None = None
        self.route: Route | None = None
        self.start_time: datetime | None = None
        self.stop_time: datetime | None = None
        self.remote_user_agent: str | None = None
        self.redirection_targets: list[Any] = []
        self._realm = current_realm()
        self._center = NotificationCenter()
        self._registry = SessionRegistry()
        self._state: State = INITIAL
        self._lock = Lock()
        self._mailbox = Mailbox(self._realm, self._broken)
        self._media = SessionMedia(self._mailbox, self._center, self)
        self._renegotiation = Renegotiation(self)
        self._hold_wanted = False
        self._phase = Phase(self)
        self._invitation: Any = None
        self._disconnected = True  # there is no invitation, or we were told that it is over
        self._transactions: TransactionReporter | None = None
        self._identities: tuple[Any, Any] = (None, None)
        self._transport: str | None = None
        self._invite_headers: list[Any] = []  # that the INVITE has beside its own
        self._proposal: dict[int, Any] = {}  # the proposed streams by the index of their media line
        self._proposed_streams: list[Any] | None = None
        self._streams: list[Any] = []

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.direction or 'new'}, {self._state or 'None'}>"

    # What an application asks for

    def connect(
        self,
        to_header: BaseToHeader,
        routes: Iterable[Route],
        streams: Iterable[Any],
        is_focus: bool = False,
        subject: str | None = None,
    ) -> None:
        """Propose a session to `to_header`; only in the state None, which becomes `outgoing` (SES-012 to SES-023).

        `routes` are tried in order until one works; `streams` (IMediaStream, at least one, in no other session) are
        offered. `is_focus` says in the Contact that this is a conference (RFC 4579), `subject` is sent as Subject.

        Notifications: `SIPSessionNewOutgoing`; while it rings `SIPSessionGotRingIndication` and
        `SIPSessionGotProvisionalResponse`; then `SIPSessionWillStart` and `SIPSessionDidStart`, or
        `SIPSessionDidFail`.

        Raises IllegalStateError also when the application is being stopped, or was.
        """
        recipient = checked_recipient(to_header)
        routes = checked_routes(routes)
        streams = checked_streams(streams)
        subject = checked_text("subject", subject)
        realm = self._realm
        if realm.reactor is None:
            raise RuntimeError("there is no reactor: SIPApplication.start() comes first")
        account = self.account
        identities = FrozenFromHeader(account.uri, account.display_name), FrozenToHeader.new(recipient)
        with self._lock:
            self._expect(Event.CONNECT)
            self._registry.add(self, streams)
            self._permit(Event.CONNECT)
            self.direction = "outgoing"
            self.subject = subject
            self._proposal = dict(enumerate(streams))
            self._proposed_streams = streams
            self._transport = routes[0].transport
            self._identities = identities
        self._mailbox.put(self._enter, Offering(self, recipient, routes, bool(is_focus)))

    def send_ring_indication(self) -> None:
        """Tell the caller that it rings here (180); only in the state `incoming` (SES-024)."""
        with self._lock:
            self._permit(Event.RING)
        self._mailbox.put(lambda: self._phase.ring())

    def accept(self, streams: Iterable[Any]) -> None:
        """Accept an incoming session with `streams`, some or all of those proposed; the others are refused.

        Only in the state `incoming`, which becomes `accepting` (SES-025 to SES-028).

        Notifications: `SIPSessionWillStart` and `SIPSessionDidStart`, or `SIPSessionDidFail`.
        """
        streams = checked_streams(streams)
        with self._lock:
            self._expect(Event.ACCEPT)
            proposed = {id(stream) for stream in self._proposed_streams or ()}
            if not all(id(stream) in proposed for stream in streams):
                raise ValueError("only streams that were proposed can be accepted")
            self._permit(Event.ACCEPT)
            self._proposed_streams = streams
        self._mailbox.put(lambda: self._phase.accept(streams))

    def reject(self, code: int = 603, reason: str | None = None) -> None:
        """Refuse an incoming session with a status code from 300 to 699, usually 486 or 603 (SES-029 to SES-033).

        `reason` is the reason phrase, by default that of the RFC. Only in the state `incoming`.

        Notifications: `SIPSessionDidFail`.
        """
        code = checked_code(code)
        reason = checked_text("reason", reason)
        with self._lock:
            self._permit(Event.REJECT)
        self._mailbox.put(lambda: self._phase.reject(code, reason))

    def add_stream(self, stream: Any) -> None:
        """Propose another stream (IMediaStream, in no session); only in `connected`, which becomes `sending_proposal`.

        Source: SES-042 to SES-045.

        Notifications: `SIPSessionGotProposal`; then `SIPSessionGotAcceptProposal` and
        `SIPSessionDidRenegotiateStreams`, or `SIPSessionGotRejectProposal`, or `SIPSessionHadProposalFailure`.
        """
        streams = checked_streams([stream])
        with self._lock:
            self._expect(Event.ADD_STREAM)
            self._registry.extend(self, stream)
            self._permit(Event.ADD_STREAM)
            self._proposed_streams = streams
        self._mailbox.put(lambda: self._phase.add_streams(streams))

    def remove_stream(self, stream: Any) -> None:
        """Take one of several streams out of the session, whatever the remote party says; only in `connected`.

        It is out of `streams` at once and ended as soon as the remote party knows. Raises ValueError for a stream
        that is not in the session, and for the last one: end the session instead (SES-046, SES-047).

        Notifications: `SIPSessionDidRenegotiateStreams`.
        """
        with self._lock:
            self._expect(Event.REMOVE_STREAM)
            remaining = [active for active in self._streams if active is not stream]
            if len(remaining) == len(self._streams):
                raise ValueError("only an active stream of the session can be removed")
            if not remaining:
                raise ValueError("the last stream can't be removed, end the session instead")
            self._permit(Event.REMOVE_STREAM)
            self._streams = remaining
        self._mailbox.put(lambda: self._phase.remove_stream(stream))

    def accept_proposal(self, streams: Iterable[Any]) -> None:
        """Accept some or all of the streams that the remote party proposes; the others are refused.

        Only in `received_proposal`, which becomes `accepting_proposal` (SES-034 to SES-038).

        Notifications: `SIPSessionGotAcceptProposal` and `SIPSessionDidRenegotiateStreams`, or
        `SIPSessionHadProposalFailure`; `SIPSessionGotRejectProposal` if the remote party has cancelled it.
        """
        streams = checked_streams(streams)
        with self._lock:
            self._expect(Event.ACCEPT_PROPOSAL)
            proposed = {id(stream) for stream in self._proposed_streams or ()}
            if not all(id(stream) in proposed for stream in streams):
                raise ValueError("only streams that were proposed can be accepted")
            self._permit(Event.ACCEPT_PROPOSAL)
            self._proposed_streams = streams
        self._mailbox.put(lambda: self._phase.accept_proposal(streams))

    def reject_proposal(self, code: int = 488, reason: str | None = None) -> None:
        """Refuse the streams that the remote party proposes with a status code from 300 to 699 (SES-039 to SES-041).

        `reason` is the reason phrase, by default that of the RFC. Only in `received_proposal`, which becomes
        `rejecting_proposal`.

        Notifications: `SIPSessionGotRejectProposal` or `SIPSessionHadProposalFailure`.
        """
        code = checked_code(code)
        reason = checked_text("reason", reason)
        with self._lock:
            self._permit(Event.REJECT_PROPOSAL)
        self._mailbox.put(lambda: self._phase.reject_proposal(code, reason))

    def cancel_proposal(self) -> None:
        """Take our proposal back; only in `sending_proposal`, which becomes `cancelling_proposal` (SES-048, SES-049).

        Notifications: `SIPSessionGotRejectProposal` with the code 487.
        """
        with self._lock:
            self._permit(Event.CANCEL_PROPOSAL)
        self._mailbox.put(lambda: self._phase.cancel_proposal())

    def hold(self) -> None:
        """Put the streams on hold that support it, in any state; remembered until the session has started.

        Streams that are added later are held from the start. Source: SES-050, SES-051.

        Notifications: `SIPSessionDidChangeHoldState`, if that changes anything.
        """
        self._hold(True)

    def unhold(self) -> None:
        """Take the streams off hold, in any state (SES-052, SES-053).

        Notifications: `SIPSessionDidChangeHoldState`, if that changes anything.
        """
        self._hold(False)

    def _hold(self, held: bool) -> None:
        self._hold_wanted = held
        if self._state is not INITIAL:
            self._mailbox.put(lambda: self._phase.hold(held))

    def end(self) -> None:
        """End the session, in whatever state but None, `terminating` and `terminated` (SES-054, SES-055).

        A session that has started gets a BYE; before that the remote party gets CANCEL or 480.

        Notifications: `SIPSessionWillEnd` and `SIPSessionDidEnd`; before the session has started
        `SIPSessionDidFail` with the code 487 and the originator 'local'.
        """
        with self._lock:
            self._permit(Event.END)
        self._mailbox.put(lambda: self._phase.end())

    def _end_if_possible(self) -> None:
        """end(), or nothing where it is ending already."""
        with self._lock:
            if Event.END not in TRANSITIONS[self._state]:
                return
            self._permit(Event.END)
        self._mailbox.put(lambda: self._phase.end())

    def wait_for(self, name: str, timeout: float | None = 60.0) -> Result[Notification]:
        """The session's next notification of that name, as a `sipsimple.result.Result` to `await` or `wait()` for.

        Call it before what leads to the notification, so that it can't be missed. It fails with TimeoutError after
        `timeout` seconds (None: never), and with `sipsimple.notification.waiting.WaitFailedError` when the session
        fails or ends first.
        """
        return self._center.wait_for(name, self, timeout, unless=("SIPSessionDidFail", "SIPSessionDidEnd"))

    # The state

    def _expect(self, event: Event) -> None:
        if event not in TRANSITIONS[self._state]:
            raise IllegalStateError(self._state, states_allowing(event), event.value)

    def _permit(self, event: Event) -> None:
        """Make the transition of an application's call, or raise IllegalStateError. With the lock held."""
        self._expect(event)
        self._set_state(TRANSITIONS[self._state][event])

    def _move(self, event: Event) -> bool:
        """Make a transition in the mailbox; False when an application's call has just ended the session instead."""
        with self._lock:
            if self._state in OVER and event not in TRANSITIONS[self._state]:
                return False
            self._permit(event)
            return True

    def _set_state(self, state: State) -> None:
        if state == TERMINATED:
            self._registry.remove(self)
        self._state = state

    # The phases; all in the mailbox

    def _enter(self, phase: Phase) -> None:
        self._phase.leave()
        self._phase = phase
        phase.enter()

    def _close(self, outcome: Outcome) -> None:
        """The session is over, whatever its state; nothing happens if it was already."""
        if self._phase.open and self._move(Event.CLOSE):
            self._tear_down(outcome)

    def _refuse(self, outcome: Outcome) -> None:
        """The session refuses an INVITE that was not accepted yet."""
        if self._phase.open and self._move(Event.REFUSE):
            self._tear_down(outcome)

    def _tear_down(self, outcome: Outcome) -> None:
        self._renegotiation.stop()
        self._enter(Ending(self, outcome))

    def _finish(self) -> bool:
        """All is torn down; False if it was before."""
        if not self._move(Event.FINISH):
            return False
        self.stop_time = _now()
        self._detach()
        self._identities = None, None
        self._proposal = {}
        self._proposed_streams = None
        self._streams = []
        return True

    def _start(self, streams: dict[int, Any]) -> None:
        """The session has started with `streams`, by the index of their media line."""
        self.start_time = _now()
        self._proposal = {}
        self._proposed_streams = None
        self._streams = list(streams.values())
        self._renegotiation.occupy(streams)

    def _add_streams(self, streams: list[Any]) -> None:
        """Proposed streams are active from now on."""
        with self._lock:
            self._streams = [*self._streams, *streams]

    def _remove_streams(self, streams: list[Any]) -> list[Any]:
        """Take streams out of the active ones; returns those that remain."""
        with self._lock:
            self._streams = [active for active in self._streams if all(active is not stream for stream in streams)]
            return self._streams

    def _drop_streams(self, streams: list[Any]) -> None:
        """Proposed streams that the session does not get are ended."""
        for stream in streams:
            if self._media.knows(stream):
                self._media.end(stream)
            else:
                self._registry.release(self, stream)

    def _receive_proposal(self, streams: list[Any]) -> bool:
        """The remote party proposes streams; False when the state does not allow it."""
        with self._lock:
            if Event.RECEIVE_PROPOSAL not in TRANSITIONS[self._state]:
                return False
            for stream in streams:
                self._registry.extend(self, stream)
            self._permit(Event.RECEIVE_PROPOSAL)
            self._proposed_streams = streams
            return True

    def _broken(self, error: Exception) -> None:
        self._close(internal_error(error))

    # The signalling

    def _receive(self, invitation: Any, streams: dict[int, Any]) -> None:
        """Take over an incoming invitation that offers `streams`, by the index of their media line."""
        with self._lock:
            self._expect(Event.RECEIVE_INVITE)
            self._registry.add(self, streams.values())
            self._permit(Event.RECEIVE_INVITE)
            self.direction = "incoming"
            self.subject = invitation.invite_headers.get("Subject")
            self._proposal = streams
            self._proposed_streams = list(streams.values())
        self._attach(invitation)
        self._learn()
        self._mailbox.put(self._enter, Ringing(self))

    def _attach(self, invitation: Any) -> None:
        """Listen to an invitation."""
        self._invitation = invitation
        self._disconnected = False
        assert self.direction is not None
        self._transactions = TransactionReporter(self.direction, self._report_transaction)
        for name in (*_INVITATION_NOTIFICATIONS, *TRANSFER_NOTIFICATIONS):
            self._center.add_observer(self, name=name, sender=invitation)

    def _detach(self) -> None:
        """Listen to the invitation no more."""
        invitation, self._invitation = self._invitation, None
        self._disconnected = True
        if invitation is not None:
            for name in (*_INVITATION_NOTIFICATIONS, *TRANSFER_NOTIFICATIONS):
                self._center.discard_observer(self, name=name, sender=invitation)

    def _learn(self) -> None:
        """Take over what the invitation knows by now."""
        invitation = self._invitation
        self._identities = invitation.local_identity, invitation.remote_identity
        self._transport = invitation.transport or self._transport
        self.remote_user_agent = invitation.remote_user_agent or self.remote_user_agent

    def _report_transaction(self, **fields: Any) -> None:
        self._center.post_notification("SIPSessionDidProcessTransaction", self, NotificationData(**fields))

    def handle_notification(self, notification: Notification) -> None:
        """A notification of the invitation."""
        if notification.name in TRANSFER_NOTIFICATIONS:
            self._mailbox.put(self._transfer_notified, notification.sender, notification.name, notification.data)
            return
        changed = notification.name == "SIPInvitationChangedState"
        step = self._invitation_changed if changed else self._sdp_updated
        self._mailbox.put(step, notification.sender, notification.data)

    def _invitation_changed(self, invitation: Any, change: Any) -> None:
        if invitation is not self._invitation:
            return
        self._learn()
        self._disconnected = change.state == "disconnected"
        assert self._transactions is not None
        self._transactions.changed(change)
        if self._heeds:
            self._phase.invitation_changed(change)

    def _sdp_updated(self, invitation: Any, update: Any) -> None:
        if invitation is self._invitation and self._heeds:
            step = self._phase.early_sdp_updated if update.early else self._phase.sdp_updated
            step(update)

    # The streams: MediaOwner

    def stream_settled(self, stream: Any) -> None:
        if self._heeds:
            self._phase.stream_settled(stream)

    def stream_failed(self, stream: Any, reason: str) -> None:
        if self._heeds:
            self._phase.stream_failed(stream, reason)

    def stream_ended(self, stream: Any) -> None:
        if self._heeds:
            self._phase.stream_ended(stream)
        if self.start_time is not None and self._phase.open:
            # a stream that is in the session no more
            self._media.forget(stream)
            self._registry.release(self, stream)

    @property
    def _heeds(self) -> bool:
        """Whether the phase is told what happens: not when an application's call has ended the session and the
        phase that does so, which looks at how things are and not at what led there, is about to be entered."""
        return not self._phase.open or self._state not in OVER

    @property
    def _settings(self) -> Any:
        return SIPSimpleSettings()


def _now() -> datetime:
    return datetime.now(UTC)
