"""What an INVITE usage tells the layer above, and the error of asking it for what its state does not know."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from sipsimple.core.protocol.invite_states import InviteState, InviteSubState

if TYPE_CHECKING:
    from sipsimple.core.wire.headers import FrozenContactHeader, FrozenReasonHeader
    from sipsimple.core.wire.message import SIPRequest, SIPResponse
    from sipsimple.core.wire.sdp import FrozenSDPSession

__all__ = ["Info", "InvalidStateError", "InviteUser", "Outcome", "SDPUpdate", "StateChange"]


class InvalidStateError(RuntimeError):
    """The invitation is in a state that does not know what was asked of it."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Why an invitation ends.

    `code` and `reason`: the status, None where the BYE's own is to be told; `disconnect_reason`: in words; `reasons`:
    what the remote party says in Reason headers (RFC 3326); `targets`: the contacts of a 3xx, best first.
    """

    originator: str
    code: int | None = None
    reason: str | None = None
    disconnect_reason: str = "user request"
    reasons: tuple[FrozenReasonHeader, ...] = ()
    targets: tuple[FrozenContactHeader, ...] = ()


@dataclass(frozen=True, slots=True)
class StateChange:
    """One step of an invitation; `prev_state` equals `state` for a provisional response that changes nothing.

    `originator` is 'local' or 'remote'; `method`, `code` and `reason` tell the transaction that caused the step;
    `disconnect_reason` comes with `disconnecting` and `disconnected`, `reasons` and `targets` (see `Outcome`) with
    `disconnected`.
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
    reasons: tuple[FrozenReasonHeader, ...] = ()
    targets: tuple[FrozenContactHeader, ...] = ()


@dataclass(frozen=True, slots=True)
class SDPUpdate:
    """The outcome of an offer and its answer; `error` says why there is none.

    `early`: the call is not accepted yet. The descriptions are good for early media; those of a 2xx, told once more
    when it is there, may be others, as another branch of a fork may be the one that is accepted.
    """

    succeeded: bool
    local_sdp: FrozenSDPSession | None
    remote_sdp: FrozenSDPSession | None
    error: str | None = None
    early: bool = False


@dataclass(frozen=True, slots=True)
class Info:
    """An INFO (RFC 6086); `package` is its Info-Package, None for one of the time before there were packages."""

    content_type: str | None
    body: bytes
    package: str | None
    request: SIPRequest


class InviteUser(Protocol):
    """The layer above."""

    def state_changed(self, change: StateChange) -> None: ...

    def sdp_updated(self, update: SDPUpdate) -> None: ...

    def info_received(self, info: Info) -> None: ...
