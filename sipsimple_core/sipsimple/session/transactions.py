"""SIPSessionDidProcessTransaction: the transactions of a session's dialog, told from its invitation (SES-097).

The invitation tells steps, not transactions; each of the INVITE, its CANCEL and the BYE is told once, when the step
comes that completes it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sipsimple.core.wire.reasons import reason_phrase

__all__ = ["TransactionReporter"]

Post = Callable[..., None]

UNKNOWN = "unknown"


class TransactionReporter:
    """Watches one invitation and calls `post` with the fields of each completed transaction.

    `direction` is the invitation's: 'incoming' or 'outgoing'.
    """

    __slots__ = ("_accepted", "_caller", "_ending_with", "_invite_reported", "_post")

    def __init__(self, direction: str, post: Post) -> None:
        self._post = post
        self._caller = "local" if direction == "outgoing" else "remote"
        self._accepted: tuple[int, str] | None = None
        self._ending_with: str | None = None
        self._invite_reported = False

    def changed(self, change: Any) -> None:
        """The invitation made a step; `change` is the data of its SIPInvitationChangedState."""
        if change.state == "connecting":
            code = change.code or 200
            self._accepted = code, change.reason or reason_phrase(code)
        elif change.state == "connected" and change.prev_state == "connecting":
            # Nobody acknowledges an ACK: whether ours arrives is not known.
            self._report_invite(True if self._caller == "remote" else UNKNOWN)
        elif change.state == "connected" and change.sub_state == "normal" != change.prev_sub_state:
            self._proposal_settled(change)
        elif change.state == "disconnecting":
            self._ending_with = change.method
        elif change.state == "disconnected":
            self._disconnected(change)

    def _proposal_settled(self, change: Any) -> None:
        """A re-INVITE or UPDATE got its final response."""
        originator = "local" if change.prev_sub_state == "sent_proposal" else "remote"
        if change.code is None:
            return
        if change.method == "UPDATE":
            self._report(originator, "UPDATE", change.code, change.reason)
        else:
            reason = change.reason or reason_phrase(change.code)
            fields = {"originator": originator, "method": "INVITE", "code": change.code, "reason": reason}
            self._post(**fields, ack_received=UNKNOWN)

    def _disconnected(self, change: Any) -> None:
        # A BYE that nobody answered ends without a message, so without a method
        hung_up = (change.method or self._ending_with) == "BYE"
        if change.method == "CANCEL" and change.originator == "remote":
            self._report("remote", "CANCEL", 200, None)  # RFC 3261 9.2
        crossed = hung_up and self._accepted is None
        if crossed:
            # 9.1: a call that ends with BYE was accepted, also where that crossed our CANCEL
            self._accepted = 200, reason_phrase(200)
        elif self._accepted is None and change.code is not None:
            self._accepted = change.code, change.reason or reason_phrase(change.code)
        missing = self._caller == "remote" and change.disconnect_reason == "missing ACK"
        self._report_invite(False if missing else UNKNOWN)
        if hung_up and change.originator == "remote" and change.prev_state != "disconnecting":
            self._report("remote", "BYE", 200, None)  # RFC 3261 15.1.2
        elif hung_up:
            answered = 200 if change.headers is not None else 408
            if change.code is None or crossed or missing:
                self._report("local", "BYE", answered, None)
            else:
                self._report("local", "BYE", change.code, change.reason)

    def _report_invite(self, ack_received: bool | str) -> None:
        if not self._invite_reported and self._accepted is not None:
            self._invite_reported = True
            code, reason = self._accepted
            self._post(originator=self._caller, method="INVITE", code=code, reason=reason, ack_received=ack_received)

    def _report(self, originator: str, method: str, code: int, reason: str | None) -> None:
        self._post(originator=originator, method=method, code=code, reason=reason or reason_phrase(code))
