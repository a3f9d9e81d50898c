"""A SIP stack without realm or application, on any reactor: what scripted servers stand on.

    server = SIPServer(network.add_host("proxy"))
    registrar = Registrar(server.core)

The same on the reactor of Twisted serves a real port.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sipsimple.core.protocol.hop import Hop
from sipsimple.core.protocol.timers import TimerHeap
from sipsimple.core.protocol.transaction_layer import TransactionLayer
from sipsimple.core.protocol.user_agent import UserAgentCore
from sipsimple.core.transport.manager import Transports
from sipsimple.core.wire.headers import FrozenContactHeader
from sipsimple.core.wire.uri import FrozenSIPURI

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from sipsimple.core.protocol.invite_usage import InviteUsage
    from sipsimple.core.wire.message import SIPRequest

__all__ = ["SIPServer"]


class SIPServer:
    """Listens at once.

    :param reactor: a host of the memory network, or Twisted's.
    :param ip: our address; None for that of the host.
    :param udp_port: 0 for any; None for none. `tcp_port` likewise.

    Attributes: `core` (`core.serve(method, server)` adds what it does), `ip`, `udp_port`, `tcp_port`.
    """

    def __init__(
        self,
        reactor: Any,
        ip: str | None = None,
        *,
        udp_port: int | None = 5060,
        tcp_port: int | None = None,
        name: str = "sipsimple-testing",
    ) -> None:
        self.reactor = reactor
        self.ip: str = reactor.ip if ip is None else ip
        self._wake_up: Any = None
        self._timers = TimerHeap(on_earlier=self._arm)
        self.core = UserAgentCore(self._timers, self, name)
        self._transports = Transports(reactor, self._message_received, self._transport_failed)
        self._layer = TransactionLayer(
            self._timers,
            self._transports.send,
            self.core,
            lambda hop: (self.ip, self._transports.port(hop.transport) or 5060),
            is_connected=self._transports.is_connected,
        )
        self.core.layer = self._layer
        self.udp_port = None if udp_port is None else self._transports.listen("udp", udp_port, self.ip).port
        self.tcp_port = None if tcp_port is None else self._transports.listen("tcp", tcp_port, self.ip).port

    @property
    def hop(self) -> Hop:
        """Where it listens: on UDP, if it does."""
        if self.udp_port is not None:
            return Hop("udp", self.ip, self.udp_port)
        return Hop("tcp", self.ip, self.tcp_port or 5060)

    def close(self) -> Deferred[Any]:
        """Stops to listen; the Deferred fires when all ports are closed."""
        if self._wake_up is not None and self._wake_up.active():
            self._wake_up.cancel()
        self._timers.on_earlier = None
        return self._transports.close()

    def _message_received(self, message: Any, source: Hop) -> None:
        self._layer.message_received(message, source, self.reactor.seconds())

    def _transport_failed(self, hop: Hop, error: Exception) -> None:
        self._layer.transport_error(hop, error, self.reactor.seconds())

    def _arm(self, deadline: float) -> None:
        if self._wake_up is not None and self._wake_up.active():
            if self._wake_up.getTime() <= deadline:
                return
            self._wake_up.cancel()
        self._wake_up = self.reactor.callLater(max(0.0, deadline - self.reactor.seconds()), self._run_timers)

    def _run_timers(self) -> None:
        self._timers.run_due(self.reactor.seconds())
        deadline = self._timers.next_deadline()
        if deadline is not None and self._timers.on_earlier is not None:
            self._arm(deadline)

    # What the core tells its user

    def invite_received(self, usage: InviteUsage, request: SIPRequest, now: float) -> None:
        usage.announce()
        usage.respond(480, now=now)

    def local_contact(self, hop: Hop) -> FrozenContactHeader:
        return FrozenContactHeader(FrozenSIPURI(self.ip, port=self.udp_port or self.tcp_port))
