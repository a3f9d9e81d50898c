"""One INVITE that we send, from its first octet to its ACK (RFC 3261 13.2, 14.1 and 9.1): the caller's half.

The same for the first INVITE of a dialog and for re-INVITEs. It answers challenges (22.2) and a 422 (RFC 4028 7.3),
carries the CANCEL, which may not leave before a provisional response has come (9.1), tells the first 2xx from its
repetitions and from those of other branches of a fork (13.2.2.4), and bounds every wait; what the outcome means for
the dialog is its owner's business.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Protocol

from sipsimple.core.protocol.dialog import number_of
from sipsimple.core.protocol.transaction import T1, TransactionLimitError
from sipsimple.core.protocol.transaction_matching import tag_of
from sipsimple.core.wire.headers import BaseHeader
from sipsimple.core.wire.message import SIPRequest

if TYPE_CHECKING:
    from sipsimple.core.protocol.authentication import Authenticator
    from sipsimple.core.protocol.dialog import Dialog
    from sipsimple.core.protocol.hop import Hop
    from sipsimple.core.protocol.timers import Timer
    from sipsimple.core.protocol.transaction_layer import ClientTransaction
    from sipsimple.core.protocol.user_agent import UserAgentCore
    from sipsimple.core.wire.message import SIPResponse

__all__ = ["CANCEL_TIMEOUT", "MAX_BRANCHES", "PROVISIONAL_TIMEOUT", "OutgoingInvite", "OutgoingInviteOwner"]

log = logging.getLogger("sipsimple.core.invite")

HeaderList = Iterable[tuple[str, str | BaseHeader]]

#: RFC 3261 9.1: how long a cancelled INVITE may go without a final response, in seconds.
CANCEL_TIMEOUT = 64 * T1
#: How long after a provisional response an INVITE goes without another response, in seconds, unless its user says
#: otherwise: more than the 3 minutes after which a proxy gives up (16.6, timer C).
PROVISIONAL_TIMEOUT = 240.0
#: How many branches of a fork are heard of.
MAX_BRANCHES = 32
#: How often an INVITE is sent again because its session interval was too small (RFC 4028 7.3).
MAX_INTERVAL_ROUNDS = 4


class OutgoingInviteOwner(Protocol):
    """What the owner of an OutgoingInvite is told."""

    def invite_repeated(self, invite: OutgoingInvite, now: float) -> None:
        """The INVITE is sent again, with another CSeq: what was heard of the one before is void."""

    def invite_progressed(self, invite: OutgoingInvite, response: SIPResponse, now: float) -> None:
        """A provisional response."""

    def invite_accepted(self, invite: OutgoingInvite, response: SIPResponse, now: float) -> None:
        """The first 2xx; the owner calls `acknowledge`."""

    def invite_accepted_elsewhere(self, invite: OutgoingInvite, response: SIPResponse, now: float) -> None:
        """A 2xx of another branch of a fork, or one that nobody wants any more: the owner acknowledges it and says
        BYE (13.2.2.4)."""

    def invite_refused(self, invite: OutgoingInvite, response: SIPResponse, now: float) -> None:
        """A final response of 300 or more; the transaction has acknowledged it."""

    def invite_failed(self, invite: OutgoingInvite, code: int, error: str, now: float) -> None:
        """No response came: 408 for a time-out, 503 for a transport error (8.1.3.1)."""

    def invite_over(self, invite: OutgoingInvite, now: float) -> None:
        """The transaction is gone: no further 2xx can be told."""


class OutgoingInvite:
    """See the module.

    Attributes: `request` (as last sent), `hop`, `dialog` (None for the INVITE that is to make one), `cancelled` (a
    CANCEL was asked for), `done` (nothing but repeated 2xx will be told).
    """

    __slots__ = (
        "_acks", "_attempt", "_core", "_interval_rounds", "_lengthen", "_owner", "_timeout", "_timer", "cancelled",
        "dialog", "done", "hop", "request", "transaction",
    )  # fmt: skip

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
        lengthen: Callable[[SIPRequest, SIPResponse], bool] | None = None,
    ) -> None:
        """Sends the request; without a final response after `timeout` seconds it is cancelled and fails with 408.

        `authenticator` answers challenges; `dialog` gives a re-INVITE's repetitions their CSeq numbers; `lengthen`
        makes a request fit for the 422 that it got, if it can (RFC 4028 7.3).
        """
        self.request = request
        self.hop = hop
        self.dialog = dialog
        self.cancelled = self.done = False
        self._attempt = None if authenticator is None else authenticator.attempt()
        self._lengthen = lengthen
        self._core = core
        self._owner = owner
        self._interval_rounds = 0
        #: The ACKs of the 2xx, by the To tag of the branch; None where the owner has not given it yet.
        self._acks: dict[str, tuple[SIPRequest, Hop] | None] = {}
        self._timeout = timeout
        self._timer: Timer | None = None
        self.transaction: ClientTransaction | None = None
        if timeout is not None:
            self._wait(timeout, now)
        if self._attempt is not None:
            self._attempt.authorize(request)
        try:
            self.transaction = core.send_request(request, hop, self, now)
        except TransactionLimitError as error:
            text = str(error)
            self._stop_timer()
            self._timer = core.timers.schedule(now, lambda now: self._fail(503, text, now))

    def acknowledge(self, ack: SIPRequest, hop: Hop, now: float) -> None:
        """Sends the ACK of a 2xx and keeps it for the repetitions of that."""
        self._acks[tag_of(ack.to_header)] = ack, hop
        self._core.send_ack(ack, hop, now)

    def cancel(self, now: float, headers: HeaderList = ()) -> None:
        """Asks the remote party to give up; the outcome arrives as any other final response."""
        if not self.cancelled and not self.done:
            self._wait(CANCEL_TIMEOUT, now)
            self._cancel(now, headers)

    def abandon(self, owner: OutgoingInviteOwner | None = None) -> None:
        """The owner wants to hear no more, and gives it to another one; repeated 2xx are still acknowledged."""
        self._finish()
        self._lengthen = None
        if owner is not None:
            self._owner = owner

    def _cancel(self, now: float, headers: HeaderList = ()) -> None:
        self.cancelled = True
        if self.transaction is not None:
            # 9.1: it leaves when a provisional response is there, which is the transaction's business
            self._core.send_cancel(self.transaction, now, headers)

    def _give_up(self, now: float) -> None:
        if not self.cancelled:
            self._cancel(now)
        self._fail(408, "timeout", now)

    def _wait(self, seconds: float, now: float) -> None:
        self._stop_timer()
        self._timer = self._core.timers.schedule(now + seconds, self._give_up)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _finish(self) -> None:
        self.done = True
        self._stop_timer()

    def _fail(self, code: int, error: str, now: float) -> None:
        if not self.done:
            self._finish()
            self._owner.invite_failed(self, code, error, now)

    def _try_again(self, response: SIPResponse, now: float) -> bool:
        """Sends the INVITE again if what it was refused for can be mended and it is still wanted."""
        code, attempt = response.code, self._attempt
        if self.cancelled:
            return False
        before = self.request
        request = SIPRequest("INVITE", before.raw_uri, before.headers.copy(), before.body)
        if code in (401, 407) and attempt is not None:
            if not attempt.challenged(response):
                return False
        elif code == 422 and self._lengthen is not None and self._interval_rounds < MAX_INTERVAL_ROUNDS:
            self._interval_rounds += 1
            if not self._lengthen(request, response):
                return False
        else:
            return False
        # 22.2, RFC 4028 7.3: the same Call-ID, From and To, the CSeq raised
        dialog = self.dialog
        if dialog is None:
            number = number_of(before) + 1
        else:
            number = dialog.local_cseq = (dialog.local_cseq or 0) + 1
        request.headers.set("CSeq", f"{number} INVITE")
        if attempt is not None:
            attempt.authorize(request)
        try:
            transaction = self._core.send_request(request, self.hop, self, now)
        except TransactionLimitError:
            return False
        self.request, self.transaction = request, transaction
        self._owner.invite_repeated(self, now)
        return True

    # What the transaction tells its user

    def response_received(self, transaction: ClientTransaction, response: SIPResponse, now: float) -> None:
        if transaction is not self.transaction:
            return
        if response.code < 200:
            self._progress(response, now)
        elif response.code < 300:
            self._accept(response, now)
        elif not self.done and not self._try_again(response, now):
            self._finish()
            self._owner.invite_refused(self, response, now)

    def _progress(self, response: SIPResponse, now: float) -> None:
        if not self.done:
            if self._timeout is None and not self.cancelled:
                self._wait(PROVISIONAL_TIMEOUT, now)
            self._owner.invite_progressed(self, response, now)

    def _accept(self, response: SIPResponse, now: float) -> None:
        tag = tag_of(response.to_header)
        if tag in self._acks:
            # 13.2.2.4: each repetition of the 2xx gets the ACK again
            ack = self._acks[tag]
            if ack is not None:
                self._core.send_ack(*ack, now)
            return
        if len(self._acks) >= MAX_BRANCHES:
            log.info("A 2xx of one branch too many of %s is dropped", response.call_id)
            return
        self._acks[tag] = None
        if self.done:
            self._owner.invite_accepted_elsewhere(self, response, now)
        else:
            self._finish()
            self._owner.invite_accepted(self, response, now)

    def transaction_timed_out(self, transaction: ClientTransaction, now: float) -> None:
        if transaction is self.transaction:
            self._fail(408, "timeout", now)

    def transport_failed(self, transaction: ClientTransaction, error: Exception, now: float) -> None:
        if transaction is self.transaction:
            self._fail(503, f"transport error: {error}", now)

    def transaction_terminated(self, transaction: ClientTransaction, now: float) -> None:
        if transaction is self.transaction:
            # what comes from now on is a stray, whoever knows of it
            self.transaction = None
            self._acks.clear()
            self._owner.invite_over(self, now)
