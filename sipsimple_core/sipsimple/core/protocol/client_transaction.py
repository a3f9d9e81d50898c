"""The client side of a transaction (RFC 3261 17.1, RFC 6026 7.2)."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, ClassVar

from sipsimple.core.protocol.hop import UnreachableError
from sipsimple.core.protocol.transaction import (
    INVITE_CLIENT,
    NON_INVITE_CLIENT,
    T2,
    TIMER_B,
    TIMER_CANCEL,
    TIMER_D,
    TIMER_F,
    TIMER_K,
    TIMER_M,
    Event,
    State,
    Transitions,
    compiled,
)
from sipsimple.core.protocol.transaction_machine import TransactionMachine
from sipsimple.core.protocol.transaction_users import NOBODY, ClientTransactionUser
from sipsimple.core.wire.message import SIPRequest, SIPResponse

if TYPE_CHECKING:
    from sipsimple.core.protocol.hop import Hop
    from sipsimple.core.protocol.transaction_layer import TransactionLayer

__all__ = ["ClientTransaction", "InviteClientTransaction", "NonInviteClientTransaction"]

_UNANSWERED = frozenset({State.CALLING, State.TRYING})


class ClientTransaction(TransactionMachine):
    """One request that we sent, until nothing about it can arrive any more.

    Made by `TransactionLayer.send_request`. Attributes: `request` (with its Via), `method`, `branch`, `hop`,
    `reliable`, `state`, `user`.
    """

    __slots__ = ("_data", "branch", "fallback", "hop", "request", "sent_by", "user")

    def __init__(
        self,
        layer: TransactionLayer,
        request: SIPRequest,
        data: bytes,
        hop: Hop,
        branch: str,
        sent_by: tuple[str, int],
        user: ClientTransactionUser,
    ) -> None:
        super().__init__(layer, request.method, hop.reliable)
        self.request = request
        self.hop = hop
        self.branch = branch
        self.sent_by = sent_by
        self.user = user
        #: Where the request goes if the hop can't be reached (RFC 3261 18.1.1).
        self.fallback: Hop | None = None
        self._data = data

    def start(self, now: float) -> None:
        """Send the request."""
        self._happen(Event.SEND_REQUEST, None, now)

    def restart(self, data: bytes, hop: Hop, sent_by: tuple[str, int], now: float) -> None:
        """Send the request by another way, as nothing has come out of the hop that it was to take."""
        self._data, self.hop, self.sent_by = data, hop, sent_by
        self.reliable = hop.reliable
        self._interval = 0.0
        self.state = State.INITIAL
        self.start(now)

    def transport_error(self, error: Exception, now: float) -> None:
        fallback, self.fallback = self.fallback, None
        if fallback is not None and self.state in _UNANSWERED and isinstance(error, UnreachableError):
            # 18.1.1: peers of RFC 2543 have no TCP; only if nothing was sent, for otherwise it would be served twice
            self._stop_timers(None, now)
            self._layer.fall_back(self, fallback, now)
        else:
            super().transport_error(error, now)

    def response_received(self, response: SIPResponse, now: float) -> None:
        """Take a response that belongs to this transaction."""
        raise NotImplementedError

    def cancel(self, now: float, extra_headers: Iterable[tuple[str, Any]] = ()) -> None:
        """Cancel the INVITE (RFC 3261 9.1): at once, or when the first provisional response is there.

        Nothing happens if the final response has come or a CANCEL was asked for before. What comes of it
        arrives as the INVITE's final response, 487 or another, or as `transaction_timed_out` 64*T1 after the
        CANCEL.

        :raises ValueError: this is no INVITE.
        """
        raise ValueError(f"{self.method} can not be cancelled, only INVITE can (RFC 3261 9.1)")

    # Actions

    def _send_request(self, subject: Any, now: float) -> None:
        self._send(self._data, self.hop, now)

    def _pass_response(self, response: SIPResponse, now: float) -> None:
        self._tell(self.user.response_received, self, response, now)

    def _report_timeout(self, subject: Any, now: float) -> None:
        self._tell(self.user.transaction_timed_out, self, now)

    def _report_error(self, error: Exception, now: float) -> None:
        self._tell(self.user.transport_failed, self, error, now)

    def _linger(self, seconds: float, end: Callable[[float], object], now: float) -> None:
        """The final response is there: what follows is only about repetitions of it."""
        self._data = b""
        self._wait(seconds, end, now)
        self._layer.linger_client(self, end, now)

    def _terminate(self, subject: Any, now: float) -> None:
        self._stop_timers(None, now)
        self._layer.forget_client(self)
        self._tell(self.user.transaction_terminated, self, now)
        self.user = NOBODY


class InviteClientTransaction(ClientTransaction):
    """An INVITE that we sent (RFC 3261 17.1.1, RFC 6026 7.2)."""

    __slots__ = ("_ack", "_cancelled", "_held_cancel")

    kind = "INVITE client"
    _transitions: ClassVar[Transitions]

    def __init__(
        self,
        layer: TransactionLayer,
        request: SIPRequest,
        data: bytes,
        hop: Hop,
        branch: str,
        sent_by: tuple[str, int],
        user: ClientTransactionUser,
    ) -> None:
        super().__init__(layer, request, data, hop, branch, sent_by, user)
        self._ack = b""
        self._cancelled = False
        self._held_cancel: SIPRequest | None = None

    def response_received(self, response: SIPResponse, now: float) -> None:
        code = response.code
        if code < 200:
            self._happen(Event.RESPONSE_1XX, response, now)
        elif code < 300:
            self._happen(Event.RESPONSE_2XX, response, now)
        else:
            self._happen(Event.RESPONSE_300_699, response, now)

    def cancel(self, now: float, extra_headers: Iterable[tuple[str, Any]] = ()) -> None:
        if self._cancelled or self.state not in (State.CALLING, State.PROCEEDING):
            return
        self._cancelled = True
        self._held_cancel = self._follow_up("CANCEL", self.request.headers.get("To") or "", extra_headers)
        # 9.1: not before a provisional response; what was never seen by the peer can't be cancelled there
        if self.state is State.PROCEEDING:
            self._send_held_cancel(None, now)

    def restart(self, data: bytes, hop: Hop, sent_by: tuple[str, int], now: float) -> None:
        if self._held_cancel is not None:
            # 9.1: it has the one Via of its INVITE
            self._held_cancel.headers.set("Via", self.request.headers.get("Via") or "")
        super().restart(data, hop, sent_by, now)

    def _follow_up(self, method: str, to: str, extra_headers: Iterable[tuple[str, Any]] = ()) -> SIPRequest:
        """The ACK to a 300-699 response (17.1.1.3) or the CANCEL (9.1): the INVITE's own headers, one Via."""
        original = self.request
        number = 0 if original.cseq is None else original.cseq.number
        get = original.headers.get
        headers: list[tuple[str, Any]] = [("Via", get("Via") or ""), ("Max-Forwards", "70")]
        headers += [("Route", value) for value in original.headers.getall("Route")]
        headers += [
            ("From", get("From") or ""),
            ("To", to),
            ("Call-ID", get("Call-ID") or ""),
            ("CSeq", f"{number} {method}"),
            *extra_headers,
        ]
        return SIPRequest(method, original.raw_uri, headers)

    # Actions

    def _send_ack(self, response: SIPResponse, now: float) -> None:
        if not self._ack:
            self._ack = self._follow_up("ACK", response.headers.get("To") or "").encode()
        self._send(self._ack, self.hop, now)

    def _send_held_cancel(self, subject: Any, now: float) -> None:
        cancel, self._held_cancel = self._held_cancel, None
        if cancel is not None:
            self._wait(TIMER_CANCEL, self._timer_cancel, now)
            self._layer.start_cancel(cancel, self, now)

    def _start_a(self, subject: Any, now: float) -> None:
        self._repeat(self._timer_a, math.inf, now)

    def _start_b(self, subject: Any, now: float) -> None:
        self._wait(TIMER_B, self._timer_b, now)

    def _start_d(self, subject: Any, now: float) -> None:
        self._linger(0.0 if self.reliable else TIMER_D, self._timer_d, now)

    def _start_m(self, subject: Any, now: float) -> None:
        self._linger(TIMER_M, self._timer_m, now)

    def _timer_a(self, now: float) -> None:
        self._happen(Event.TIMER_A, None, now)

    def _timer_b(self, now: float) -> None:
        self._happen(Event.TIMER_B, None, now)

    def _timer_d(self, now: float) -> None:
        self._happen(Event.TIMER_D, None, now)

    def _timer_m(self, now: float) -> None:
        self._happen(Event.TIMER_M, None, now)

    def _timer_cancel(self, now: float) -> None:
        self._happen(Event.TIMER_CANCEL, None, now)


class NonInviteClientTransaction(ClientTransaction):
    """Any other request that we sent (RFC 3261 17.1.2)."""

    __slots__ = ()

    kind = "non-INVITE client"
    _transitions: ClassVar[Transitions]

    def response_received(self, response: SIPResponse, now: float) -> None:
        self._happen(Event.RESPONSE_1XX if response.code < 200 else Event.RESPONSE_200_699, response, now)

    # Actions

    def _start_e(self, subject: Any, now: float) -> None:
        self._repeat(self._timer_e, T2, now)

    def _start_e_at_t2(self, subject: Any, now: float) -> None:
        self._repeat_at_t2(self._timer_e, now)

    def _start_f(self, subject: Any, now: float) -> None:
        self._wait(TIMER_F, self._timer_f, now)

    def _start_k(self, subject: Any, now: float) -> None:
        self._linger(0.0 if self.reliable else TIMER_K, self._timer_k, now)

    def _timer_e(self, now: float) -> None:
        self._happen(Event.TIMER_E, None, now)

    def _timer_f(self, now: float) -> None:
        self._happen(Event.TIMER_F, None, now)

    def _timer_k(self, now: float) -> None:
        self._happen(Event.TIMER_K, None, now)


InviteClientTransaction._transitions = compiled(INVITE_CLIENT, InviteClientTransaction)
NonInviteClientTransaction._transitions = compiled(NON_INVITE_CLIENT, NonInviteClientTransaction)
