"""The server side of a transaction (RFC 3261 17.2, RFC 6026 7.1)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

from sipsimple.core.protocol.transaction import (
    INVITE_SERVER,
    NON_INVITE_SERVER,
    T2,
    TIMER_ANSWER,
    TIMER_H,
    TIMER_I,
    TIMER_J,
    TIMER_L,
    TRYING_DELAY,
    Event,
    State,
    Transitions,
    compiled,
)
from sipsimple.core.protocol.transaction_machine import TransactionMachine
from sipsimple.core.protocol.transaction_users import NOBODY, ServerTransactionUser
from sipsimple.core.wire.message import SIPRequest, SIPResponse, make_response

if TYPE_CHECKING:
    from sipsimple.core.protocol.hop import Hop
    from sipsimple.core.protocol.transaction_layer import TransactionLayer
    from sipsimple.core.protocol.transaction_matching import Key

__all__ = ["InviteServerTransaction", "NonInviteServerTransaction", "ServerTransaction"]

_Answer = tuple[SIPResponse, bytes]  # a response and its octets


class ServerTransaction(TransactionMachine):
    """One request that we got, until nothing about it can arrive any more.

    Given to `TransactionUser.request_received`. Attributes: `method`, `source` (Hop), `reliable`, `state`, and

    - `user`: who is told of the transaction's fate; None until the layer's user sets it.
    - `request`: the request; None once a request other than INVITE has its final response.
    """

    __slots__ = ("_data", "_last", "_to", "key", "merge_key", "request", "return_hop", "source", "user")

    def __init__(
        self,
        layer: TransactionLayer,
        request: SIPRequest,
        source: Hop,
        return_hop: Hop,
        key: Key,
        merge_key: Key | None,
    ) -> None:
        super().__init__(layer, request.method, source.reliable)
        self.request: SIPRequest | None = request
        self.source = source
        self.key = key
        self.merge_key = merge_key
        self.user: ServerTransactionUser | None = None
        self.return_hop = return_hop
        self._last: SIPResponse | None = None
        self._data = b""
        self._to: str | None = None

    def request_received(self, request: SIPRequest, now: float) -> None:
        """Take the request itself, or a repetition of it."""
        self._happen(Event.REQUEST, request, now)

    def respond(self, response: SIPResponse, now: float) -> None:
        """Send a response, by the way of RFC 3261 18.2.2; the layer repeats it as its transaction demands.

        In state Accepted a 2xx may be given again and again: its repetition is the user's (13.3.1.4).

        :raises TransactionStateError: the request has had its final response, or was given up.
        """
        raise NotImplementedError

    @property
    def answered(self) -> bool:
        """Whether any response was sent."""
        return self._to is not None

    @property
    def to(self) -> str | None:
        """The To header of the last response, as printed; None before the first."""
        return self._to

    def forget_response(self) -> None:
        """The response will not be sent again: its octets are needed no more."""
        self._data, self._last = b"", None

    # Actions

    def _pass_request(self, request: SIPRequest, now: float) -> None:
        self._layer.pass_request(request, None if request.method == "ACK" else self, self.source, now)

    def _encoded(self, response: SIPResponse) -> _Answer:
        # Before the transition: a response that can't be printed must not count as sent.
        return response, self._data if response is self._last else response.encode()

    def _send_response(self, answer: _Answer, now: float) -> None:
        response, self._data = answer
        if response is not self._last:
            self._last = response
            self._to = response.headers.get("To")
        self._send_again(None, now)

    def _send_again(self, subject: Any, now: float) -> None:
        if self._data:
            self._send(self._data, self._layer.way_back(self, self.source, self.return_hop), now)

    def _report_timeout(self, subject: Any, now: float) -> None:
        if self.user is not None:
            self._tell(self.user.transaction_timed_out, self, now)

    def _report_error(self, error: Exception, now: float) -> None:
        if self.user is not None:
            self._tell(self.user.transport_failed, self, error, now)

    def _linger(self, seconds: float, end: Callable[[float], object], now: float) -> None:
        """The request has its answer: what follows is only about repetitions of it."""
        self._wait(seconds, end, now)
        self._layer.linger_server(self, end, now)

    def _terminate(self, subject: Any, now: float) -> None:
        self._stop_timers(None, now)
        self._layer.forget_server(self)
        # whoever keeps the transaction need not keep what it sent
        self.forget_response()
        if self.user is not None:
            self._tell(self.user.transaction_terminated, self, now)
            self.user = NOBODY


class InviteServerTransaction(ServerTransaction):
    """An INVITE that we got (RFC 3261 17.2.1, RFC 6026 7.1)."""

    __slots__ = ()

    kind = "INVITE server"
    _transitions: ClassVar[Transitions]

    def respond(self, response: SIPResponse, now: float) -> None:
        code = response.code
        event = Event.SEND_1XX if code < 200 else Event.SEND_2XX if code < 300 else Event.SEND_300_699
        self._happen(event, self._encoded(response), now)

    def ack_received(self, ack: SIPRequest, now: float) -> None:
        """Take an ACK with the INVITE's branch."""
        self._happen(Event.ACK, ack, now)

    def cancel_received(self, cancel: SIPRequest, now: float) -> None:
        """Tell the user of a CANCEL, unless the final response is out: then it has no effect (9.2)."""
        if self.state is State.PROCEEDING and self.user is not None:
            self._tell(self.user.cancel_received, self, cancel, now)

    # Actions

    def _send_trying(self, subject: Any, now: float) -> None:
        if self.request is not None:
            self._send_response(self._encoded(make_response(self.request, 100)), now)

    def _start_trying(self, subject: Any, now: float) -> None:
        # 17.2.1: only if the user has not answered while it was given the request
        if self.state is State.PROCEEDING and not self._data:
            self._repetition = self._layer.timers.schedule(now + TRYING_DELAY, self._timer_trying)

    def _start_g(self, subject: Any, now: float) -> None:
        self._repeat(self._timer_g, T2, now)

    def _start_h(self, subject: Any, now: float) -> None:
        self._wait(TIMER_H, self._timer_h, now)

    def _start_i(self, subject: Any, now: float) -> None:
        self._linger(0.0 if self.reliable else TIMER_I, self._timer_i, now)

    def _start_l(self, subject: Any, now: float) -> None:
        self._linger(TIMER_L, self._timer_l, now)

    def _timer_trying(self, now: float) -> None:
        self._happen(Event.TIMER_TRYING, None, now)

    def _timer_g(self, now: float) -> None:
        self._happen(Event.TIMER_G, None, now)

    def _timer_h(self, now: float) -> None:
        self._happen(Event.TIMER_H, None, now)

    def _timer_i(self, now: float) -> None:
        self._happen(Event.TIMER_I, None, now)

    def _timer_l(self, now: float) -> None:
        self._happen(Event.TIMER_L, None, now)


class NonInviteServerTransaction(ServerTransaction):
    """Any other request that we got (RFC 3261 17.2.2)."""

    __slots__ = ()

    kind = "non-INVITE server"
    _transitions: ClassVar[Transitions]

    def respond(self, response: SIPResponse, now: float) -> None:
        event = Event.SEND_1XX if response.code < 200 else Event.SEND_200_699
        self._happen(event, self._encoded(response), now)

    # Actions

    def _send_response(self, answer: _Answer, now: float) -> None:
        super()._send_response(answer, now)
        if answer[0].code >= 200:
            # Thousands of these wait for timer J: from here on only the response's octets are needed.
            self.request = self._last = None

    def _start_answer(self, subject: Any, now: float) -> None:
        if self.state in (State.TRYING, State.PROCEEDING):
            self._wait(TIMER_ANSWER, self._timer_answer, now)

    def _start_j(self, subject: Any, now: float) -> None:
        self._linger(0.0 if self.reliable else TIMER_J, self._timer_j, now)

    def _timer_answer(self, now: float) -> None:
        self._happen(Event.TIMER_ANSWER, None, now)

    def _timer_j(self, now: float) -> None:
        self._happen(Event.TIMER_J, None, now)


InviteServerTransaction._transitions = compiled(INVITE_SERVER, InviteServerTransaction)
NonInviteServerTransaction._transitions = compiled(NON_INVITE_SERVER, NonInviteServerTransaction)
