"""`Engine`: the SIP stack of a user agent on a Twisted reactor.

It joins the layers: the transports below give it messages, it gives them with the time to the transaction layer, and
keeps one delayed call for the earliest of all timers. Above, it makes an `Invitation` of each call that comes in.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from sipsimple.core import notifications as _notifications  # noqa: F401
from sipsimple.core.invitation import Invitation
from sipsimple.core.protocol.hop import Hop
from sipsimple.core.protocol.timers import TimerHeap
from sipsimple.core.protocol.transaction_layer import TransactionLayer
from sipsimple.core.protocol.user_agent import UserAgentCore
from sipsimple.core.trace import masked
from sipsimple.core.transport.manager import Transports
from sipsimple.core.wire.headers import FrozenContactHeader
from sipsimple.core.wire.uri import FrozenSIPURI
from sipsimple.notification import NotificationCenter, NotificationData
from sipsimple.realm import Singleton, current_realm

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from sipsimple.core.protocol.invite_usage import InviteUsage
    from sipsimple.core.wire.message import SIPRequest

__all__ = ["Engine", "EngineError"]

log = logging.getLogger("sipsimple.core.engine")

#: For how long the answer to "which of our addresses leads there?" is kept, in seconds, and how many are.
LOCAL_ADDRESS_LIFETIME = 5.0
MAX_LOCAL_ADDRESSES = 1000


class EngineError(RuntimeError):
    """The engine could not start, or was asked for what it does not do now; the message says what and why."""


class Engine(metaclass=Singleton):
    """The SIP stack of the running user agent: a singleton.

    Its methods are called in the reactor thread.

    Notifications: `SIPEngineWillStart`, `SIPEngineDidStart`, `SIPEngineDidFail`, `SIPEngineWillEnd`,
    `SIPEngineDidEnd`, `SIPEngineSIPTrace`.
    """

    def __init__(self) -> None:
        self.trace_sip = False
        self._core: UserAgentCore | None = None
        self._transports: Transports | None = None
        self._timers: TimerHeap | None = None
        self._layer: TransactionLayer | None = None
        self._wake_up: Any = None
        self._reactor: Any = None
        self._ip_address: str | None = None
        self._local_ips: dict[str, tuple[str, float]] = {}

    @property
    def is_running(self) -> bool:
        return self._transports is not None

    @property
    def core(self) -> UserAgentCore:
        """The core of the user agent. Raises `EngineError` when the engine does not run."""
        if self._core is None:
            raise EngineError("the engine is not running")
        return self._core

    def now(self) -> float:
        """The time of the reactor's clock, in seconds. Raises `EngineError` when the engine does not run."""
        if self._reactor is None:
            raise EngineError("the engine is not running")
        seconds: float = self._reactor.seconds()
        return seconds

    # Starting and stopping

    def start(
        self, *, ip_address: str | None = None, udp_port: int | None = 0, tcp_port: int | None = None,
        tls_port: int | None = None, user_agent: str = "sipsimple", trace_sip: bool = False,
    ) -> None:  # fmt: skip
        """Listens on the transports whose port is given (0 is any) and starts to serve.

        `ip_address`: listen on this one alone. `trace_sip`: post `SIPEngineSIPTrace` for each message.
        Raises `EngineError` when the engine runs already or a port can't be had; nothing is left open then.
        """
        if self.is_running:
            raise EngineError("the engine is running already")
        center = NotificationCenter()
        center.post_notification("SIPEngineWillStart", sender=self)
        self._reactor = current_realm().reactor
        if self._reactor is None:
            raise EngineError("there is no reactor to run on")
        self._ip_address = ip_address
        self._local_ips.clear()
        self.trace_sip = trace_sip
        timers = self._timers = TimerHeap(on_earlier=self._arm)
        core = UserAgentCore(timers, self, user_agent)
        transports = Transports(self._reactor, self._message_received, self._transport_failed, self._trace)
        layer = TransactionLayer(timers, transports.send, core, self._sent_by, is_connected=transports.is_connected)
        core.layer = layer
        try:
            for transport, port in (("udp", udp_port), ("tcp", tcp_port), ("tls", tls_port)):
                if port is not None:
                    transports.listen(transport, port, ip_address or "")
        except Exception as error:
            transports.close()
            self._reactor = self._timers = None
            message = f"can't listen: {error}"
            center.post_notification("SIPEngineDidFail", sender=self, data=NotificationData(error=message))
            raise EngineError(message) from error
        self._core, self._layer, self._transports = core, layer, transports
        center.post_notification("SIPEngineDidStart", sender=self)

    def stop(self) -> Deferred[None]:
        """Closes all transports; what still runs on them ends unheard. The Deferred fires when they are closed."""
        from twisted.internet.defer import succeed

        transports, self._transports = self._transports, None
        if transports is None:
            return succeed(None)
        center = NotificationCenter()
        center.post_notification("SIPEngineWillEnd", sender=self)
        if self._wake_up is not None and self._wake_up.active():
            self._wake_up.cancel()
        self._wake_up = self._core = self._layer = self._timers = None

        def closed(outcomes: list[tuple[bool, object]]) -> None:
            for succeeded, failure in outcomes:
                if not succeeded:
                    log.warning("A transport did not close well: %s", failure)
            center.post_notification("SIPEngineDidEnd", sender=self)

        return transports.close().addCallback(closed)

    # Addresses

    def local_address(self, transport: str, towards: str | None = None) -> tuple[str, int]:
        """Our address and port of a transport, as a peer at `towards` (an IP address) sees it.

        Raises `EngineError` when the transport is not running.
        """
        port = None if self._transports is None else self._transports.port(transport)
        if port is None:
            raise EngineError(f"the transport {transport} is not running")
        return self._local_ip(towards), port

    def _local_ip(self, towards: str | None) -> str:
        if self._ip_address is not None:
            return self._ip_address
        key, now = towards or "", self.now()
        known = self._local_ips.get(key)
        if known is not None and known[1] > now:
            return known[0]
        if len(self._local_ips) >= MAX_LOCAL_ADDRESSES:
            self._local_ips.clear()
        address = current_realm().local_ip_towards(key)
        self._local_ips[key] = address, now + LOCAL_ADDRESS_LIFETIME
        return address

    def _sent_by(self, hop: Hop) -> tuple[str, int]:
        return self.local_address(hop.transport, hop.host)

    # Between the transports and the transaction layer

    def _message_received(self, message: Any, source: Hop) -> None:
        if self._layer is not None:
            self._layer.message_received(message, source, self.now())

    def _transport_failed(self, hop: Hop, error: Exception) -> None:
        if self._layer is not None:
            self._layer.transport_error(hop, error, self.now())

    def _trace(
        self, received: bool, data: bytes, local: tuple[str, int], remote: tuple[str, int], transport: str
    ) -> None:
        if not self.trace_sip:
            return
        local = self._local_ip(remote[0]), local[1]
        source, destination = (remote, local) if received else (local, remote)
        NotificationCenter().post_notification(
            "SIPEngineSIPTrace",
            sender=self,
            data=NotificationData(
                received=received,
                transport=transport,
                source_ip=source[0],
                source_port=source[1],
                destination_ip=destination[0],
                destination_port=destination[1],
                data=masked(data),
            ),
        )

    # Time

    def _arm(self, deadline: float) -> None:
        wake_up = self._wake_up
        if wake_up is not None and wake_up.active():
            if wake_up.getTime() <= deadline:
                return
            wake_up.cancel()
        self._wake_up = self._reactor.callLater(max(0.0, deadline - self._reactor.seconds()), self._run_timers)

    def _run_timers(self) -> None:
        if self._timers is None:
            return
        self._timers.run_due(self._reactor.seconds())
        if self._timers is not None and (deadline := self._timers.next_deadline()) is not None:
            self._arm(deadline)

    # What the core of the user agent tells its user

    def invite_received(self, usage: InviteUsage, request: SIPRequest, now: float) -> None:
        Invitation(usage)
        usage.announce()

    def local_contact(self, hop: Hop) -> FrozenContactHeader:
        host, port = self.local_address(hop.transport, hop.host)
        parameters = None if hop.transport == "udp" else {"transport": hop.transport}
        return FrozenContactHeader(FrozenSIPURI(host, port=port, parameters=parameters))
