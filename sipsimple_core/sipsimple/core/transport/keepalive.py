"""Keeping flows alive (RFC 5626 4.4): through NATs, and so that a dead one shows before somebody needs it.

Theory of operation: a flow is what leads to one hop: a connection, or our UDP socket. Whoever needs it (a registration)
says so, and hears when it failed; several who need the same flow share its keep-alives. Over a connection a double CRLF
is sent, and the peer has `PONG_TIMEOUT` seconds to say something, be it the single CRLF that is the answer. Over UDP it
is a STUN Binding request, which is repeated until it is answered; an answer that tells another address than the one
before means that the NAT has forgotten us. A peer that is not known to answer gets the same octets over a connection,
and a double CRLF instead of STUN over UDP; then nothing can be concluded from its silence.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Protocol

from sipsimple.core.transport.interface import TransportError
from sipsimple.core.transport.limits import PONG_TIMEOUT
from sipsimple.core.transport.stun import binding_request

if TYPE_CHECKING:
    from sipsimple.core.protocol.hop import Hop
    from sipsimple.core.transport.connection import StreamConnection

__all__ = ["FlowFailed", "FlowNetwork", "KeepAlive", "KeepAlives"]

log = logging.getLogger("sipsimple.transport")

#: Told once: the flow's error.
FlowFailed = Callable[[Exception], object]

#: The shortest interval that may be asked for, in seconds.
MIN_INTERVAL = 1.0
#: RFC 5626 4.4.1: the time between two is a random one, between this share of the interval and all of it.
SHORTEST_SHARE = 0.8
#: STUN over UDP (RFC 5389 7.2.1): the first interval between repetitions, how many requests, and the last wait in such
#: intervals.
STUN_RTO = 0.5
STUN_REQUESTS = 7
STUN_LAST_WAIT = 16

_CRLF_PING = b"\r\n\r\n"


class FlowNetwork(Protocol):
    """What keep-alives are sent through."""

    def connection(self, hop: Hop) -> StreamConnection | None: ...

    def send_datagram(self, data: bytes, hop: Hop) -> None: ...


class KeepAlive:
    """A flow that somebody needs; made by `KeepAlives.start`. Attributes: `hop`, `interval` (seconds), `answered`."""

    def __init__(self, owner: KeepAlives, hop: Hop, interval: float, answered: bool, failed: FlowFailed | None) -> None:
        self.hop = hop
        self.interval = interval
        self.answered = answered
        self.failed = failed
        self._owner = owner

    @property
    def mapped_address(self) -> tuple[str, int] | None:
        """Where the peer sees us, as its last STUN answer says; None over connections and without an answer."""
        flow = self._owner.flow(self.hop)
        return None if flow is None else flow.mapped_address

    @property
    def is_active(self) -> bool:
        """Whether the flow is being kept alive: it has not failed, and `stop` was not called."""
        flow = self._owner.flow(self.hop)
        return flow is not None and self in flow.users

    def stop(self) -> None:
        """The flow is not needed any more; it is left as it is. Does nothing the second time."""
        self._owner.stop(self)


class _Flow:
    """The keep-alives of one hop."""

    def __init__(self, owner: KeepAlives, hop: Hop) -> None:
        self.hop = hop
        self.users: list[KeepAlive] = []
        self.mapped_address: tuple[str, int] | None = None
        self.transaction = b""
        self._owner = owner
        self._call: Any = None
        self._request = b""
        self._attempts = 0

    @property
    def answered(self) -> bool:
        return any(user.answered for user in self.users)

    def schedule(self) -> None:
        """Let the next keep-alive be the first of all that its users want."""
        interval = min(user.interval for user in self.users)
        self._later(interval * self._owner.random.uniform(SHORTEST_SHARE, 1.0), self.send)

    def cancel(self) -> None:
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._call = None

    def _later(self, seconds: float, function: Callable[..., None], *arguments: object) -> None:
        self.cancel()
        self._call = self._owner.reactor.callLater(seconds, function, *arguments)

    def send(self) -> None:
        if self.hop.transport != "udp":
            self._ping()
        elif self.answered:
            self._request, self.transaction = binding_request()
            self._attempts = 0
            self._ask()
        elif self._send_datagram(_CRLF_PING):
            self.schedule()

    # Over a connection

    def _ping(self) -> None:
        connection = self._owner.network.connection(self.hop)
        if connection is None:
            self._owner.flow_failed(self.hop, TransportError(f"there is no connection with {self.hop} any more"))
            return
        connection.ping()
        if self.answered:
            self._later(PONG_TIMEOUT, self._check_pong, connection, self._owner.reactor.seconds())
        else:
            self.schedule()

    def _check_pong(self, connection: StreamConnection, since: float) -> None:
        if connection.last_received >= since:
            self.schedule()
            return
        # 4.4.1: without the pong the flow has failed
        error = TransportError(f"{self.hop} did not answer a keep-alive within {PONG_TIMEOUT:g} s")
        self._owner.flow_failed(self.hop, error)
        connection.abort(error)

    # Over UDP

    def _ask(self) -> None:
        if not self._send_datagram(self._request):
            return
        self._attempts += 1
        if self._attempts < STUN_REQUESTS:
            self._later(STUN_RTO * 2 ** (self._attempts - 1), self._ask)
        else:
            self._later(STUN_RTO * STUN_LAST_WAIT, self._unanswered)

    def _send_datagram(self, data: bytes) -> bool:
        try:
            self._owner.network.send_datagram(data, self.hop)
        except TransportError as error:
            self._owner.flow_failed(self.hop, error)
            return False
        return True

    def _unanswered(self) -> None:
        self._owner.flow_failed(self.hop, TransportError(f"{self.hop} did not answer {STUN_REQUESTS} STUN requests"))

    def answer_received(self, address: tuple[str, int] | None) -> None:
        self.transaction = b""
        before, self.mapped_address = self.mapped_address, address
        if before is not None and address is not None and address != before:
            # 4.4.2: as if the flow had failed, for nobody finds us at the address that we gave
            seen, known = (f"{host} port {port}" for host, port in (address, before))
            error = TransportError(f"{self.hop} sees us at {seen}, and no longer at {known}")
            self._owner.flow_failed(self.hop, error)
        else:
            self.schedule()


class KeepAlives:
    """All flows that are kept alive.

    :param reactor: an IReactorTime.
    :param network: what they are sent through.
    """

    def __init__(self, reactor: Any, network: FlowNetwork, rng: random.Random | None = None) -> None:
        self.reactor = reactor
        self.network = network
        self.random = rng or random.Random()
        self._flows: dict[Hop, _Flow] = {}

    def __len__(self) -> int:
        return len(self._flows)

    def start(self, hop: Hop, interval: float, failed: FlowFailed | None = None, answered: bool = True) -> KeepAlive:
        """Keep the flow to a hop alive, beginning with the first keep-alive after the interval.

        :param interval: seconds; at least `MIN_INTERVAL`.
        :param failed: called once when the flow fails, or a connection of it is lost; then it has been stopped.
        :param answered: the peer is known to answer (it supports RFC 5626), so that silence means failure.
        :raises ValueError: the interval is too short.
        """
        if interval < MIN_INTERVAL:
            raise ValueError(f"keep-alives are sent every {MIN_INTERVAL:g} seconds at most, not every {interval:g}")
        flow = self._flows.get(hop)
        if flow is None:
            flow = self._flows[hop] = _Flow(self, hop)
        user = KeepAlive(self, hop, interval, answered, failed)
        sooner = all(interval < other.interval for other in flow.users)
        flow.users.append(user)
        if sooner:
            flow.schedule()
        return user

    def stop(self, user: KeepAlive) -> None:
        """See `KeepAlive.stop`."""
        flow = self._flows.get(user.hop)
        if flow is not None and user in flow.users:
            flow.users.remove(user)
            if not flow.users:
                flow.cancel()
                del self._flows[user.hop]

    def flow(self, hop: Hop) -> _Flow | None:
        return self._flows.get(hop)

    def flow_failed(self, hop: Hop, error: Exception) -> None:
        """The flow to a hop does not work any more, or its connection was lost: its users are told."""
        flow = self._flows.pop(hop, None)
        if flow is None:
            return
        flow.cancel()
        for user in flow.users:
            if user.failed is not None:
                try:
                    user.failed(error)
                except Exception:
                    log.exception("Who needs the flow to %s failed when told of its end", hop)

    def answer_received(self, transaction: bytes, address: tuple[str, int] | None, source: Hop) -> bool:
        """A STUN response came in; False if nobody has asked for it."""
        flow = self._flows.get(source)
        if flow is None or not transaction or flow.transaction != transaction:
            return False
        flow.answer_received(address)
        return True

    def close(self) -> None:
        """Stop them all; nobody is told."""
        for flow in self._flows.values():
            flow.cancel()
        self._flows.clear()
