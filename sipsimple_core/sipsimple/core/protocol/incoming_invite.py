"""One INVITE that we got, from its arrival to its ACK (RFC 3261 13.3.1 and 14.2): the callee's half of an invitation.

The same for the first INVITE of a dialog and for re-INVITEs. It sends the responses, repeats reliable provisional ones
until the PRACK is there (RFC 3262 3) and a 2xx until the ACK is (13.3.1.4), and answers a CANCEL (9.2); what that means
for the dialog is its owner's business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from sipsimple.core.protocol.reliable_provisional import ReliableProvisionals
from sipsimple.core.protocol.transaction import T1, T2

if TYPE_CHECKING:
    from random import Random

    from sipsimple.core.protocol.timers import Timer, TimerHeap
    from sipsimple.core.protocol.transaction_layer import ServerTransaction
    from sipsimple.core.wire.message import SIPRequest, SIPResponse

__all__ = ["ACK_TIMEOUT", "MISSING_ACK", "MISSING_PRACK", "IncomingInvite", "IncomingInviteOwner"]

#: RFC 3261 13.3.1.4: how long a 2xx is repeated before the caller is given up, in seconds.
ACK_TIMEOUT = 64 * T1

MISSING_ACK = "missing ACK"
MISSING_PRACK = "missing PRACK"


class IncomingInviteOwner(Protocol):
    """What the owner of an IncomingInvite is told; each of these ends it."""

    def invite_acknowledged(self, invite: IncomingInvite, ack: SIPRequest, now: float) -> None:
        """The ACK of our 2xx arrived."""

    def invite_not_acknowledged(self, invite: IncomingInvite, error: str, now: float) -> None:
        """No ACK of our 2xx within `ACK_TIMEOUT`, or the 2xx could not be sent."""

    def invite_cancelled(self, invite: IncomingInvite, cancel: SIPRequest, now: float) -> None:
        """A CANCEL came before our final response; the owner answers the INVITE with 487."""

    def provisional_not_acknowledged(self, invite: IncomingInvite, now: float) -> None:
        """No PRACK of our reliable provisional response; the owner answers the INVITE with a 5xx (RFC 3262 3)."""


class IncomingInvite:
    """See the module.

    Attributes: `request`, `transaction`, `final_code` (of our final response, None before it), `provisionals` (the
    reliable ones, None before the first).
    """

    __slots__ = ("_owner", "_repeat", "_success", "_timers", "final_code", "provisionals", "request", "transaction")

    def __init__(
        self, request: SIPRequest, transaction: ServerTransaction, timers: TimerHeap, owner: IncomingInviteOwner
    ) -> None:
        self.request = request
        self.transaction = transaction
        self.final_code: int | None = None
        self.provisionals: ReliableProvisionals | None = None
        self._timers = timers
        self._owner = owner
        #: Our 2xx, until its ACK is there.
        self._success: SIPResponse | None = None
        self._repeat: Timer | None = None
        transaction.user = self

    @property
    def awaits_ack(self) -> bool:
        """True between our 2xx and its ACK."""
        return self._repeat is not None

    @property
    def blocks_success(self) -> bool:
        """RFC 3262 3: whether a 2xx has to wait for a PRACK."""
        return self.provisionals is not None and self.provisionals.blocks_success

    def respond(self, response: SIPResponse, now: float) -> None:
        """Sends a response. Raises `ValueError` after the final one."""
        self._require_open(response)
        if response.code >= 200:
            self.final_code = response.code
            if self.provisionals is not None:
                self.provisionals.stop()
        if 200 <= response.code < 300:
            self._success = response
            self._schedule_repeat(T1, now + ACK_TIMEOUT, now)
        self.transaction.respond(response, now)

    def respond_reliably(self, response: SIPResponse, has_sdp: bool, random: Random, now: float) -> None:
        """Sends a provisional response that the remote party acknowledges with PRACK (RFC 3262 3)."""
        self._require_open(response)
        if self.provisionals is None:
            self.provisionals = ReliableProvisionals(
                self.transaction.respond, self._provisional_not_acknowledged, self._timers, random
            )
        self.provisionals.send(response, has_sdp, now)

    def _require_open(self, response: SIPResponse) -> None:
        if self.final_code is not None:
            raise ValueError(f"the INVITE was answered with {self.final_code} already; {response.code} can't follow")

    def _provisional_not_acknowledged(self, now: float) -> None:
        self._owner.provisional_not_acknowledged(self, now)

    def _schedule_repeat(self, interval: float, until: float, now: float) -> None:
        def due(now: float) -> None:
            if now >= until:
                self._repeat = self._success = None
                self._owner.invite_not_acknowledged(self, MISSING_ACK, now)
                return
            # 13.3.1.4: intervals double up to T2, also over reliable transports, as a hop behind may be UDP
            self._schedule_repeat(min(2 * interval, T2), until, now)
            if self._success is not None:
                self.transaction.respond(self._success, now)

        self._repeat = self._timers.schedule(min(now + interval, until), due)

    def ack_received(self, ack: SIPRequest, now: float) -> None:
        """An ACK of the dialog with this INVITE's CSeq number; a repeated one is ignored."""
        if self._repeat is not None:
            self._repeat.cancel()
            self._repeat = self._success = None
            self.transaction.forget_response()
            self._owner.invite_acknowledged(self, ack, now)

    def abandon(self) -> None:
        """Stops waiting for ACK or PRACK: the dialog is over, the owner wants to hear no more."""
        if self._repeat is not None:
            self._repeat.cancel()
            self._repeat = self._success = None
        if self.provisionals is not None:
            self.provisionals.stop()

    # What the transaction tells its user

    def cancel_received(self, transaction: ServerTransaction, request: SIPRequest, now: float) -> None:
        if self.final_code is None:
            self._owner.invite_cancelled(self, request, now)

    def transport_failed(self, transaction: ServerTransaction, error: Exception, now: float) -> None:
        if self._repeat is not None:
            self.abandon()
            self._owner.invite_not_acknowledged(self, f"transport error: {error}", now)

    def transaction_timed_out(self, transaction: ServerTransaction, now: float) -> None:
        """Timer H: no ACK of a refusal (17.2.1). The refusal stands all the same."""

    def transaction_terminated(self, transaction: ServerTransaction, now: float) -> None:
        """The transaction absorbs retransmissions for its own time; our wait for the ACK has its own timer."""
