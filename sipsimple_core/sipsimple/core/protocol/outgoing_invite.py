"""One INVITE that we send, from its first octet to its ACK (RFC 3261 13.2, 14.1 and 9.1): the caller's half.

The same for the first INVITE of a dialog and for re-INVITEs. It carries the CANCEL, which may not leave before a
provisional response has come (9.1), tells the first 2xx from its repetitions and from those of other branches of a
fork (13.2.2.4), and bounds every wait; what the outcome means for the dialog is its owner's business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from sipsimple.core.protocol.transaction import T1

if TYPE_CHECKING:
    from sipsimple.core.protocol.hop import Hop
    from sipsimple.core.protocol.timers import Timer
    from sipsimple.core.protocol.transaction_layer import ClientTransaction
    from sipsimple.core.protocol.user_agent import UserAgentCore
    from sipsimple.core.wire.message import SIPRequest, SIPResponse

__all__ = ["CANCEL_TIMEOUT", "OutgoingInvite", "OutgoingInviteOwner"]

#: RFC 3261 9.1: how long a cancelled INVITE may go without a final response, in seconds.
CANCEL_TIMEOUT = 64 * T1


class OutgoingInviteOwner(Protocol):
    """What the owner of an OutgoingInvite is told."""

    def invite_progressed(self, invite: OutgoingInvite, response: SIPResponse, now: float) -> None:
        """A provisional response."""

    def invite_accepted(self, invite: OutgoingInvite, response: SIPResponse, now: float) -> None:
        """The first 2xx; the owner calls `acknowledge`."""

    def invite_accepted_elsewhere(self, invite: OutgoingInvite, response: SIPResponse, now: float) -> None:
        """A 2xx of another branch of a fork; the owner acknowledges it and says BYE (13.2.2.4)."""

    def invite_refused(self, invite: OutgoingInvite, response: SIPResponse, now: float) -> None:
        """A final response of 300 or more; the transaction has acknowledged it."""

    def invite_failed(self, invite: OutgoingInvite, code: int, error: str, now: float) -> None:
        """No response came: 408 for a time-out, 503 for a transport error (8.1.3.1)."""


class OutgoingInvite:
    """See the module. Attributes: `request`, `hop`, `cancelled` (a CANCEL was asked for)."""

    __slots__ = (
        "_accepted_tag",
        "_ack",
        "_core",
        "_done",
        "_owner",
        "_provisional",
        "_timer",
        "cancelled",
        "hop",
        "request",
        "transaction",
    )  # fmt: skip

    def __init__(
        self, request: SIPRequest, hop: Hop, core: UserAgentCore, owner: OutgoingInviteOwner, timeout: float | None, now: float
    ) -> None:
        """Sends the request; without a final response after `timeout` seconds it is cancelled and fails with 408."""
        self.request = request
        self.hop = hop
        self.cancelled = False
        self._core = core
        self._owner = owner
        self._provisional = False
        self._done = False
        self._accepted_tag: str | None = None
        self._ack: tuple[SIPRequest, Hop] | None = None
        self._timer: Timer | None = None
        if timeout is not None:
            self._timer = core.timers.schedule(now + timeout, self._give_up)
        self.transaction: ClientTransaction = core.send_request(request, hop, self, now)

    def acknowledge(self, ack: SIPRequest, hop: Hop, now: float) -> None:
        """Sends the ACK of the 2xx and keeps it for the 2xx's repetitions."""
        self._ack = ack, hop
        self._core.send_ack(ack, hop, now)

    def cancel(self, now: float) -> None:
        """Asks the remote party to give up; the outcome arrives as any other final response."""
        if self.cancelled or self._done:
            return
        self.cancelled = True
        self._wait(CANCEL_TIMEOUT, now)
        if self._provisional:
            self._core.send_cancel(self.transaction, now)

    def abandon(self) -> None:
        """The owner wants to hear no more; repeated 2xx are still acknowledged."""
        self._finish()

    def _give_up(self, now: float) -> None:
        if self.cancelled or not self._provisional:
            self._fail(408, "timeout", now)
        else:
            self.cancel(now)
            self._fail(408, "timeout", now)

    def _wait(self, seconds: float, now: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer = self._core.timers.schedule(now + seconds, self._give_up)

    def _finish(self) -> None:
        self._done = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _fail(self, code: int, error: str, now: float) -> None:
        if not self._done:
            self._finish()
            self._owner.invite_failed(self, code, error, now)

    # What the transaction tells its user

    def response_received(self, transaction: ClientTransaction, response: SIPResponse, now: float) -> None:
        if response.code < 200:
            self._progress(response, now)
        elif response.code < 300:
            self._accept(response, now)
        elif not self._done:
            self._finish()
            self._owner.invite_refused(self, response, now)

    def _progress(self, response: SIPResponse, now: float) -> None:
        if not self._provisional:
            self._provisional = True
            if self.cancelled:
                # 9.1: the CANCEL that had to wait for this provisional response
                self._core.send_cancel(self.transaction, now)
        if not self._done:
            self._owner.invite_progressed(self, response, now)

    def _accept(self, response: SIPResponse, now: float) -> None:
        tag = response.to_header.tag or ""
        if self._accepted_tag is None and not self._done:
            self._accepted_tag = tag
            self._finish()
            self._owner.invite_accepted(self, response, now)
        elif tag == self._accepted_tag:
            # 13.2.2.4: each repetition of the 2xx gets the ACK again
            if self._ack is not None:
                self._core.send_ack(*self._ack, now)
        else:
            self._owner.invite_accepted_elsewhere(self, response, now)

    def transaction_timed_out(self, transaction: ClientTransaction, now: float) -> None:
        self._fail(408, "timeout", now)

    def transport_failed(self, transaction: ClientTransaction, error: Exception, now: float) -> None:
        self._fail(503, f"transport error: {error}", now)

    def transaction_terminated(self, transaction: ClientTransaction, now: float) -> None:
        """A transaction that ended without an outcome leaves the wait to our own timer."""
