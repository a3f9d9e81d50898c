"""What an INVITE usage tells the layer above, and the error of asking it for what its state does not know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from sipsimple.core.protocol.invite_states import InviteState, InviteSubState
from sipsimple.core.wire.message import SIPRequest, SIPResponse
from sipsimple.core.wire.sdp import FrozenSDPSession

__all__ = ["InvalidStateError", "InviteUser", "SDPUpdate", "StateChange"]


class InvalidStateError(RuntimeError):
    """The invitation is in a state that does not know what was asked of it."""


@dataclass(frozen=True, slots=True)
class StateChange:
    """One step of an invitation; `prev_state` equals `state` for a provisional response that changes nothing.

    `originator` is 'local' or 'remote'; `method`, `code` and `reason` tell the transaction that caused the step;
    `disconnect_reason` is given with `disconnected` alone.
    """

    originator: str
    prev_state: InviteState
    state: InviteState
    prev_sub_state: InviteSubState | None
    sub_state: InviteSubState | None
    method: str | None = None
    code: int | None = None
    reason: str | None = None
    message: SIPRequest | SIPResponse | None = None
    disconnect_reason: str | None = None


@dataclass(frozen=True, slots=True)
class SDPUpdate:
    """The outcome of an offer and its answer; `error` says why there is none."""

    succeeded: bool
    local_sdp: FrozenSDPSession | None
    remote_sdp: FrozenSDPSession | None
    error: str | None = None


class InviteUser(Protocol):
    """The layer above."""

    def state_changed(self, change: StateChange) -> None: ...

    def sdp_updated(self, update: SDPUpdate) -> None: ...
