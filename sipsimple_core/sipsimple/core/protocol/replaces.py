"""Replaces in an incoming INVITE (RFC 3891): which call it is to take the place of, or why it can't."""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, cast

from sipsimple.core.protocol.dialog import DialogId
from sipsimple.core.protocol.invite_machine import InviteMachine
from sipsimple.core.protocol.invite_states import InviteState
from sipsimple.core.wire.errors import SIPParseError
from sipsimple.core.wire.headers import FrozenReplacesHeader
from sipsimple.core.wire.validation import Refusal

if TYPE_CHECKING:
    from sipsimple.core.protocol.invite_usage import InviteUsage
    from sipsimple.core.protocol.user_agent import UserAgentCore
    from sipsimple.core.wire.message import SIPRequest

__all__ = ["MAX_ENDED_CALLS", "REPLACED", "EndedCalls", "replaced_call"]

#: The disconnect reason of a call whose place another has taken.
REPLACED = "replaced"
#: How many ended calls are remembered.
MAX_ENDED_CALLS = 500


class EndedCalls:
    """The last calls that ended: who wants to replace one of them is declined, not told that it never was (3)."""

    __slots__ = ("_ids",)

    def __init__(self) -> None:
        self._ids: OrderedDict[DialogId, None] = OrderedDict()

    def add(self, dialog_id: DialogId) -> None:
        """A call that was confirmed ended; the oldest is forgotten for one too many."""
        self._ids[dialog_id] = None
        if len(self._ids) > MAX_ENDED_CALLS:
            self._ids.popitem(last=False)

    def __contains__(self, dialog_id: object) -> bool:
        return dialog_id in self._ids

    def __len__(self) -> int:
        return len(self._ids)


def replaced_call(core: UserAgentCore, request: SIPRequest) -> InviteUsage | Refusal | None:
    """The call that an INVITE is to replace, or the refusal that the INVITE is owed; None if it is to replace none.

    All of it is RFC 3891 3. Whether the sender may do it is for the user to say, who accepts the INVITE or does not.
    """
    if "Replaces" not in request.headers:
        return None
    try:
        headers = request.headers.all(FrozenReplacesHeader)
    except SIPParseError:
        headers = ()
    if len(headers) != 1 or request.headers.count("Replaces") != 1 or "Join" in request.headers:
        return Refusal.of(400, "not one Replaces")
    header = headers[0]
    dialog_id = DialogId(header.call_id, header.to_tag, header.from_tag)
    call = next((usage for usage in core.usages(dialog_id) if isinstance(usage, InviteMachine)), None)
    if call is None:
        return Refusal.of(603) if dialog_id in core.ended_calls else Refusal.of(481)
    return _refuse(cast("InviteUsage", call), header.early_only) or cast("InviteUsage", call)


def _refuse(call: InviteUsage, early_only: bool) -> Refusal | None:
    if call.is_over:
        return Refusal.of(603)
    if call.state in (InviteState.CONNECTING, InviteState.CONNECTED):
        return Refusal.of(486) if early_only else None
    # an early dialog is replaced where it was begun, which can cancel it
    return None if call.direction == "outgoing" else Refusal.of(481)
