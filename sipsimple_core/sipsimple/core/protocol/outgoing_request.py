"""One request that we send, other than INVITE, until its outcome (RFC 3261 8.1, 12.2.1, 22; RFC 3263 4.3).

Theory of operation: what a usage means by "send REGISTER" may take several transactions. A challenge is answered with
the same request, its CSeq raised (22.2); a hop that can't be reached, is silent or says 503 gives way to the next one
with the same CSeq (RFC 3263 4.3). The owner hears of none of that, but of provisional responses and, exactly once, of
the outcome: succeeded, refused or failed. It serves requests outside a dialog and, given the dialog, inside one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, NamedTuple, Protocol

from sipsimple.core.protocol.transaction import TransactionLimitError
from sipsimple.core.protocol.transaction_users import NOBODY
from sipsimple.core.wire.errors import SIPParseError
from sipsimple.core.wire.headers import FrozenContactHeader, FrozenRetryAfterHeader, FrozenRouteHeader
from sipsimple.core.wire.message import SIPRequest

if TYPE_CHECKING:
    from sipsimple.core.protocol.authentication import AuthenticationAttempt, Authenticator
    from sipsimple.core.protocol.dialog import Dialog
    from sipsimple.core.protocol.hop import Hop
    from sipsimple.core.protocol.timers import Timer
    from sipsimple.core.protocol.transaction_layer import ClientTransaction
    from sipsimple.core.protocol.user_agent import UserAgentCore
    from sipsimple.core.wire.message import SIPResponse

__all__ = ["Destination", "OutgoingRequest", "OutgoingRequestOwner", "redirection_targets", "retry_after"]

#: How many targets of a redirection are told.
MAX_TARGETS = 20


class Destination(NamedTuple):
    """Where a request may go.

    :param hop: the address.
    :param route: the Route header on top of those that the request has by itself, when it goes there; None for none.
    """

    hop: Hop
    route: FrozenRouteHeader | None = None


class OutgoingRequestOwner(Protocol):
    """What the owner of an OutgoingRequest is told; of the last three exactly one, once."""

    def request_progressed(self, outgoing: OutgoingRequest, response: SIPResponse, now: float) -> None:
        """A provisional response."""

    def request_succeeded(self, outgoing: OutgoingRequest, response: SIPResponse, now: float) -> None:
        """A 2xx."""

    def request_refused(self, outgoing: OutgoingRequest, response: SIPResponse, now: float) -> None:
        """A final response of 300 or more that no further hop and no credentials of ours can mend.

        `outgoing.targets` has the contacts of a 3xx, `outgoing.retry_after` the seconds of a Retry-After.
        """

    def request_failed(self, outgoing: OutgoingRequest, code: int, error: str, now: float) -> None:
        """No final response from any hop: 408 for a time-out, 503 for a transport error (RFC 3261 8.1.3.1)."""


class OutgoingRequest:
    """See the module.

    :param request: without Via and, where `destinations` bring one, without that Route. Owned from here on.
    :param destinations: tried in this order; at least one. Bare hops may stand for destinations without a route.
    :param authenticator: of the usage; without one, challenges are refusals.
    :param dialog: whose CSeq numbers the repetitions take; None for a request outside a dialog.
    :param timeout: seconds until the whole is given up with 408, each hop getting its equal share of what is left;
        without one a hop is given up after timer F (32 s).
    :param on_response: called with each response as it comes, also with those of which the owner hears nothing.

    Attributes: `request` (as last sent), `hop` (where to), `destination`, `done`, `retry_after` (seconds that the
    last response with Retry-After said, or None), `targets` (contacts of the final 3xx, best first).

    Nothing is told from inside the constructor.
    """

    __slots__ = (
        "_attempt",
        "_authenticator",
        "_core",
        "_deadline",
        "_destinations",
        "_dialog",
        "_is_alive",
        "_on_response",
        "_owner",
        "_timer",
        "_transaction",
        "destination",
        "done",
        "request",
        "retry_after",
        "targets",
    )

    def __init__(
        self,
        request: SIPRequest,
        destinations: Sequence[Destination | Hop],
        core: UserAgentCore,
        owner: OutgoingRequestOwner,
        authenticator: Authenticator | None = None,
        dialog: Dialog | None = None,
        timeout: float | None = None,
        on_response: Callable[[OutgoingRequest, SIPResponse], None] | None = None,
        *,
        now: float,
    ) -> None:
        self.request = request
        self.done = False
        self.retry_after: int | None = None
        self.targets: tuple[FrozenContactHeader, ...] = ()
        self._core = core
        self._owner = owner
        self._on_response = on_response
        self._authenticator = authenticator
        self._attempt: AuthenticationAttempt | None = None if authenticator is None else authenticator.attempt()
        self._dialog = dialog
        self._deadline = None if timeout is None else now + timeout
        self._timer: Timer | None = None
        self._transaction: ClientTransaction | None = None
        # the last one is the next to be tried
        self._destinations = [d if isinstance(d, Destination) else Destination(d) for d in reversed(destinations)]
        self.destination = self._destinations.pop()
        if self._attempt is not None:
            self._attempt.authorize(request)
        if self.destination.route is not None:
            request.headers.prepend("Route", self.destination.route)
        self._send(now)

    @property
    def hop(self) -> Hop:
        """Where the request went last."""
        return self.destination.hop

    @property
    def cseq(self) -> int:
        """The number that the request was last sent with; the next request of the usage has a greater one."""
        cseq = self.request.cseq
        return 0 if cseq is None else cseq.number

    def abandon(self) -> None:
        """The owner wants to hear no more."""
        self._finish()

    def _send(self, now: float) -> None:
        self._is_alive = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._deadline is not None:
            share = (self._deadline - now) / (len(self._destinations) + 1)
            self._timer = self._core.timers.schedule(now + share, self._hop_timed_out)
        try:
            self._transaction = self._core.send_request(self.request, self.destination.hop, self, now)
        except TransactionLimitError as error:
            text = str(error)
            self._timer = self._core.timers.schedule(now, lambda now: self._fail(503, text, now))

    def _repeat(self, now: float) -> None:
        """The same request in another transaction, of which the one before knows nothing."""
        if self._transaction is not None:
            self._transaction.user = NOBODY
        self._send(now)

    def _copied(self) -> SIPRequest:
        request = self.request
        return SIPRequest(request.method, request.raw_uri, request.headers.copy(), request.body)

    def _repeat_authorized(self, now: float) -> None:
        assert self._attempt is not None
        request = self._copied()
        if self._dialog is None:
            number = self.cseq + 1
        else:
            # another request of the dialog may have taken a number since
            number = self._dialog.local_cseq = (self._dialog.local_cseq or 0) + 1
        # 22.2: the same Call-ID, From and To, the CSeq raised by one
        request.headers.set("CSeq", f"{number} {request.method}")
        self._attempt.authorize(request)
        self.request = request
        self._repeat(now)

    def _try_next(self, now: float) -> bool:
        """Sends it to the next hop, if there is one and time for it."""
        if not self._destinations or (self._deadline is not None and now >= self._deadline):
            return False
        before, self.destination = self.destination, self._destinations.pop()
        request = self._copied()
        if before.route is not None:
            request.headers.remove_first(FrozenRouteHeader)
        if self.destination.route is not None:
            request.headers.prepend("Route", self.destination.route)
        self.request = request
        self._repeat(now)
        return True

    def _finish(self) -> None:
        self.done = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._transaction is not None:
            self._transaction.user = NOBODY
            self._transaction = None

    def _hop_timed_out(self, now: float) -> None:
        if self.done:
            return
        if self._is_alive and self._deadline is not None and now < self._deadline:
            # it said that it is at work: it gets the share of the others too
            self._timer = self._core.timers.schedule(self._deadline, self._hop_timed_out)
        elif self._is_alive or not self._try_next(now):
            self._fail(408, "timeout", now)

    def _fail(self, code: int, error: str, now: float) -> None:
        if not self.done:
            self._finish()
            self._owner.request_failed(self, code, error, now)

    # What the transaction tells its user

    def response_received(self, transaction: ClientTransaction, response: SIPResponse, now: float) -> None:
        if self.done or transaction is not self._transaction:
            return
        code = response.code
        if self._on_response is not None:
            self._on_response(self, response)
        if code < 200:
            self._is_alive = True
            self._owner.request_progressed(self, response, now)
            return
        if code < 300:
            self._finish()
            if self._authenticator is not None:
                self._authenticator.accepted(response)
            self._owner.request_succeeded(self, response, now)
            return
        seconds = retry_after(response)
        if seconds is not None:
            self.retry_after = seconds
        if code in (401, 407) and self._attempt is not None and self._attempt.challenged(response):
            self._repeat_authorized(now)
        elif code == 503 and self._try_next(now):
            pass  # RFC 3263 4.3
        else:
            self._finish()
            if code < 400:
                self.targets = redirection_targets(response)
            self._owner.request_refused(self, response, now)

    def transaction_timed_out(self, transaction: ClientTransaction, now: float) -> None:
        if not self.done and transaction is self._transaction and (self._is_alive or not self._try_next(now)):
            self._fail(408, "timeout", now)

    def transport_failed(self, transaction: ClientTransaction, error: Exception, now: float) -> None:
        if not self.done and transaction is self._transaction and not self._try_next(now):
            self._fail(503, f"transport error: {error}", now)

    def transaction_terminated(self, transaction: ClientTransaction, now: float) -> None:
        """The outcome was told before."""


def retry_after(response: SIPResponse) -> int | None:
    """The seconds of a Retry-After (RFC 3261 20.33); None without one that can be read."""
    if "Retry-After" not in response.headers:
        return None
    try:
        header = response.headers.first(FrozenRetryAfterHeader)
    except SIPParseError:
        return None
    return None if header is None else header.seconds


def redirection_targets(response: SIPResponse) -> tuple[FrozenContactHeader, ...]:
    """The contacts of a 3xx, by their q, best first (RFC 3261 8.1.3.4); those without q count as 1.

    What can't be read is left out.
    """
    contacts: list[tuple[float, FrozenContactHeader]] = []
    try:
        elements = response.headers.elements("Contact")
    except SIPParseError:
        return ()
    for element in elements[:MAX_TARGETS]:
        try:
            contact = FrozenContactHeader.parse(element)
            q = contact.q
        except SIPParseError:
            continue
        contacts.append((1.0 if q is None else q, contact))
    contacts.sort(key=lambda pair: -pair[0])
    return tuple([contact for _, contact in contacts])
