"""One INVITE that we send, from its first octet to its ACK (RFC 3261 13.2, 14.1 and 9.1): the caller's half.

The same for the first INVITE of a dialog and for re-INVITEs. It answers challenges (22.2), carries the CANCEL, which
may not leave before a provisional response has come (9.1), tells the first 2xx from its repetitions and from those of
other branches of a fork (13.2.2.4), and bounds every wait; what the outcome means for the dialog is its owner's
business.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from sipsimple.core.protocol.mandatory import mandatory
from sipsimple.core.protocol.transaction import T1, TransactionLimitError
from sipsimple.core.wire.message import SIPRequest

if TYPE_CHECKING:
    from sipsimple.core.protocol.authentication import Authenticator
    from sipsimple.core.protocol.dialog import Dialog
    from sipsimple.core.protocol.hop import Hop
    from sipsimple.core.protocol.timers import Timer
    from sipsimple.core.protocol.transaction_layer import ClientTransaction
    from sipsimple.core.protocol.user_agent import UserAgentCore
    from sipsimple.core.wire.message import SIPResponse

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
    """See the module.

    Attributes: `request` (as last sent), `hop`, `dialog` (None for the INVITE that is to make one), `cancelled` (a
    CANCEL was asked for).
    """

    __slots__ = (
        "_accepted_tag",
        "_ack",
        "_attempt",
        "_core",
        "_done",
        "_owner",
        "_provisional",
        "_timer",
        "cancelled",
        "dialog",
        "hop",
        "request",
        "transaction",
    )

    def __init__(
        self,
        request: SIPRequest,
        hop: Hop,
        core: UserAgentCore,
        owner: OutgoingInviteOwner,
        timeout: float | None,
        now: float,
        authenticator: Authenticator | None = None,
        dialog: Dialog | None = None,
    ) -> None:
        """Sends the request; without a final response after `timeout` seconds it is cancelled and fails with 408.

        `authenticator` answers challenges; `dialog` gives a re-INVITE's repetitions their CSeq numbers.
        """
        self.request = request
        self.hop = hop
        self.dialog = dialog
        self.cancelled = False
        self._attempt = None if authenticator is None else authenticator.attempt()
        self._core = core
        self._owner = owner
        self._provisional = False
        self._done = False
        self._accepted_tag: str | None = None
        self._ack: tuple[SIPRequest, Hop] | None = None
        self._timer: Timer | None = None
        if timeout is not None:
            self._timer = core.timers.schedule(now + timeout, self._give_up)
        if self._attempt is not None:
            self._attempt.authorize(request)
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

    def _answer_challenge(self, response: SIPResponse, now: float) -> bool:
        """Sends the INVITE again if it was challenged, we know the answer and still want it."""
        attempt = self._attempt
        if attempt is None or self.cancelled or response.code not in (401, 407) or not attempt.challenged(response):
            return False
        before = self.request
        request = SIPRequest("INVITE", before.raw_uri, before.headers.copy(), before.body)
        # 22.2: the same Call-ID, From and To, the CSeq raised
        dialog = self.dialog
        if dialog is None:
            number = mandatory(before).cseq.number + 1
        else:
            number = dialog.local_cseq = (dialog.local_cseq or 0) + 1
        request.headers.set("CSeq", f"{number} INVITE")
        attempt.authorize(request)
        try:
            transaction = self._core.send_request(request, self.hop, self, now)
        except TransactionLimitError:
            return False
        self.request, self.transaction, self._provisional = request, transaction, False
        return True

    # What the transaction tells its user

    def response_received(self, transaction: ClientTransaction, response: SIPResponse, now: float) -> None:
        if transaction is not self.transaction:
            return
        if response.code < 200:
            self._progress(response, now)
        elif response.code < 300:
            self._accept(response, now)
        elif not self._done and not self._answer_challenge(response, now):
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
        tag = mandatory(response).to_header.tag or ""
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
        if transaction is self.transaction:
            self._fail(408, "timeout", now)

    def transport_failed(self, transaction: ClientTransaction, error: Exception, now: float) -> None:
        if transaction is self.transaction:
            self._fail(503, f"transport error: {error}", now)

    def transaction_terminated(self, transaction: ClientTransaction, now: float) -> None:
        """A transaction that ended without an outcome leaves the wait to our own timer."""
