"""The machine under an INVITE usage: steps through the tables of `invite_states`, each told to the user."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipsimple.core.protocol.invite_events import InvalidStateError, Outcome, SDPUpdate, StateChange
from sipsimple.core.protocol.invite_states import (
    INVITE_STATES,
    PROPOSAL_STATES,
    InviteEvent,
    InviteState,
    InviteSubState,
    ProposalEvent,
)

if TYPE_CHECKING:
    from sipsimple.core.protocol.invite_events import InviteUser
    from sipsimple.core.protocol.offer_answer import OfferAnswer
    from sipsimple.core.wire.message import SIPRequest, SIPResponse
    from sipsimple.core.wire.sdp import FrozenSDPSession

__all__ = ["InviteMachine"]


class InviteMachine:
    """See the module.

    Attributes: `user`, `state`, `sub_state`, `outcome` (why the invitation ends, None while it does not).
    """

    __slots__ = ("outcome", "state", "sub_state", "user")

    def __init__(self, user: InviteUser | None = None) -> None:
        self.user = user
        self.state = InviteState.NULL
        self.sub_state: InviteSubState | None = None
        self.outcome: Outcome | None = None

    @property
    def is_over(self) -> bool:
        """Whether the call has ended or is about to."""
        return self.state in (InviteState.DISCONNECTING, InviteState.DISCONNECTED)

    def require(self, event: InviteEvent) -> InviteState:
        """The state that an event leads to. Raises `InvalidStateError` when the state does not know it."""
        try:
            return INVITE_STATES[self.state][event]
        except KeyError:
            allowed = ", ".join(known.value for known in INVITE_STATES[self.state]) or "nothing"
            raise InvalidStateError(f"{event.value} in state {self.state}; allowed here: {allowed}") from None

    def require_proposal(self, event: ProposalEvent) -> InviteSubState | None:
        """The sub-state that an event leads to. Raises `InvalidStateError` when the sub-state does not know it."""
        events = PROPOSAL_STATES[self.sub_state or InviteSubState.NORMAL]
        try:
            sub_state = events[event]
        except KeyError:
            allowed = ", ".join(known.value for known in events)
            raise InvalidStateError(
                f"{event.value} in state {self.state}, {self.sub_state}; allowed here: {allowed}"
            ) from None
        if sub_state is InviteSubState.NORMAL and self.state is not InviteState.CONNECTED:
            return None
        return sub_state

    def change(
        self, event: InviteEvent, originator: str, method: str | None = None, code: int | None = None,
        reason: str | None = None, message: SIPRequest | SIPResponse | None = None,
    ) -> None:  # fmt: skip
        """Makes a step. Raises `InvalidStateError`."""
        previous, self.state = self.state, self.require(event)
        before = self.sub_state
        outcome = self.outcome
        if self.state is InviteState.CONNECTED:
            self.sub_state = before or InviteSubState.NORMAL
        elif self.state is InviteState.DISCONNECTED:
            self.sub_state = None
        self._tell(
            StateChange(originator, previous, self.state, before, self.sub_state, method, code, reason, message)
            if outcome is None or not self.is_over
            else StateChange(
                originator, previous, self.state, before, self.sub_state, method, code, reason, message,
                outcome.disconnect_reason, outcome.reasons, outcome.targets,
            )
        )  # fmt: skip

    def propose(
        self, event: ProposalEvent, originator: str, method: str, code: int | None = None, reason: str | None = None,
        message: SIPRequest | SIPResponse | None = None,
    ) -> None:  # fmt: skip
        """Makes a step of the sub-state. Raises `InvalidStateError`."""
        previous, self.sub_state = self.sub_state, self.require_proposal(event)
        self._tell(
            StateChange(originator, self.state, self.state, previous, self.sub_state, method, code, reason, message)
        )

    def agreed(self, negotiation: OfferAnswer) -> None:
        """An offer was answered."""
        self.tell_sdp(negotiation.active_local, negotiation.active_remote)

    def tell_sdp(self, local: FrozenSDPSession | None, remote: FrozenSDPSession | None) -> None:
        """A pair of descriptions, agreed or (before the call is accepted) to be expected."""
        if self.user is not None:
            early = self.state in (InviteState.INCOMING, InviteState.OUTGOING, InviteState.EARLY)
            self.user.sdp_updated(SDPUpdate(True, local, remote, early=early))

    def not_agreed(self, error: str) -> None:
        """An offer was not answered, or not well."""
        if self.user is not None:
            self.user.sdp_updated(SDPUpdate(False, None, None, error))

    def _tell(self, change: StateChange) -> None:
        if self.user is not None:
            self.user.state_changed(change)
