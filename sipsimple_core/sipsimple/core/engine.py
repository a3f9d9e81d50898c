"""`Engine`: the SIP stack of a user agent on a Twisted reactor.

It joins the layers: the transports below give it messages, it gives them with the time to the transaction layer, and
keeps one delayed call for the earliest of all timers. Above, it makes an `Invitation` of each call that comes in.
"""

from __future__ import annotations

import logging
import traceback
from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from sipsimple.core import notifications as _notifications  # noqa: F401
from sipsimple.core.event_objects import EventObjects
from sipsimple.core.incoming_request import RequestServer
from sipsimple.core.invitation import Invitation
from sipsimple.core.protocol.hop import Hop
from sipsimple.core.protocol.timers import TimerHeap
from sipsimple.core.protocol.transaction_layer import TransactionLayer
from sipsimple.core.protocol.user_agent import UserAgentCore
from sipsimple.core.trace import masked
from sipsimple.core.transport.interface import TransportError
from sipsimple.core.transport.manager import Transports
from sipsimple.core.transport.sockets import ANY_IPV6
from sipsimple.core.wire.headers import FrozenContactHeader
from sipsimple.core.wire.uri import FrozenSIPURI
from sipsimple.notification import NotificationCenter, NotificationData
from sipsimple.realm import Singleton, current_realm

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from sipsimple.core.protocol.invite_options import InviteOptions
    from sipsimple.core.protocol.invite_usage import InviteUsage
    from sipsimple.core.transport.keepalive import FlowFailed, KeepAlive
    from sipsimple.core.transport.tls import AnyPath, TLSOptions
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
    `SIPEngineDidEnd`, `SIPEngineDidChangeTransports`, `SIPEngineGotException`, `SIPEngineSIPTrace`,
    `SIPEngineGotMessage`.
    """

    def __init__(self) -> None:
        self._trace_sip = False
        self._core: UserAgentCore | None = None
        self._transports: Transports | None = None
        self._timers: TimerHeap | None = None
        self._layer: TransactionLayer | None = None
        self._wake_up: Any = None
        self._reactor: Any = None
        self._ip_address: str | None = None
        self._interfaces: Sequence[str] = ()
        self._served: set[str] = set()
        self._local_ips: dict[str, tuple[str, float]] = {}
        self._events = EventObjects(self)
        self._requests = RequestServer(self)

    @property
    def is_running(self) -> bool:
        return self._transports is not None

    @property
    def core(self) -> UserAgentCore:
        """The core of the user agent. Raises `EngineError` when the engine does not run."""
        if self._core is None:
            raise EngineError("the engine is not running")
        return self._core

    @property
    def user_agent(self) -> str:
        """What the User-Agent and Server headers say; may be set. Raises `EngineError` when the engine does not run."""
        return self.core.user_agent

    @user_agent.setter
    def user_agent(self, user_agent: str) -> None:
        self.core.user_agent = user_agent

    @property
    def trace_sip(self) -> bool:
        """Whether `SIPEngineSIPTrace` is posted for each message; may be set at any time."""
        return self._trace_sip

    @trace_sip.setter
    def trace_sip(self, trace_sip: bool) -> None:
        self._trace_sip = trace_sip
        if self._transports is not None:
            self._transports.trace = self._trace if trace_sip else None

    def now(self) -> float:
        """The time of the reactor's clock, in seconds. Raises `EngineError` when the engine does not run."""
        if self._reactor is None:
            raise EngineError("the engine is not running")
        seconds: float = self._reactor.seconds()
        return seconds

    # Starting and stopping

    def start(
        self, *, ip_address: str | None = None, ipv6: bool = True, udp_port: int | None = 0,
        tcp_port: int | None = None, tls_port: int | None = None, tls_options: TLSOptions | None = None,
        user_agent: str = "sipsimple", trace_sip: bool = False, invite_options: InviteOptions | None = None,
    ) -> None:  # fmt: skip
        """Listens on the transports whose port is given (0 is any) and starts to serve.

        `ip_address`: listen on this one alone; otherwise on all of IPv4 and, with `ipv6` and where there is one, of
        IPv6. `tls_options` are for `tls_port`; without a certificate TLS serves to connect to others.
        `trace_sip`: post `SIPEngineSIPTrace` for each message. `invite_options`: whether calls use reliable provisional
        responses (RFC 3262) and session timers (RFC 4028), and how long these are.
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
        self._interfaces = [ip_address] if ip_address is not None else ["", ANY_IPV6] if ipv6 else [""]
        self._local_ips.clear()
        timers = self._timers = TimerHeap(on_earlier=self._arm, on_exception=self._got_exception)
        core = UserAgentCore(timers, self, user_agent, invite_options=invite_options)
        transports = Transports(self._reactor, self._message_received, self._transport_failed)
        layer = TransactionLayer(
            timers, transports.send, core, self._sent_by, is_connected=transports.is_connected,
            stream_instead=transports.stream_instead, on_exception=self._got_exception,
            stray_success=core.strays.response_received,
        )  # fmt: skip
        core.layer = layer
        self._events.serve(core)
        self._requests.attach(core)
        self._served = set()
        try:
            for transport, port in (("udp", udp_port), ("tcp", tcp_port)):
                if port is not None:
                    transports.listen_on(transport, port, self._interfaces)
                    self._served.add(transport)
            if tls_port is not None:
                self._serve_tls(transports, tls_port, tls_options)
        except Exception as error:
            transports.close()
            self._reactor = self._timers = None
            message = f"can't listen: {error}"
            center.post_notification("SIPEngineDidFail", sender=self, data=NotificationData(error=message))
            raise EngineError(message) from error
        self._core, self._layer, self._transports = core, layer, transports
        self.trace_sip = trace_sip
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

    # Methods and event packages

    def add_method(self, method: str) -> None:
        """Lets the application serve a method: each request becomes an `IncomingRequest`.

        May be called before `start`. Raises `ValueError` for what is no method, or is one of calls, subscriptions and
        referrals, which have objects of their own.
        """
        self._requests.add(method)

    def add_event(self, event: str, accepted_types: Sequence[str] = ()) -> None:
        """Registers an event package: others may subscribe to it (`SIPIncomingSubscriptionGotSubscribe`).

        `accepted_types` are the media types of its NOTIFYs, and what our own subscriptions to it say that they accept.
        `refer` lets others refer us to third parties (`SIPIncomingReferralGotRefer`). Subscriptions to other packages
        are refused with 489. May be called before `start`. Raises `ValueError` for what is no package's name.
        """
        self._events.add(event, accepted_types)

    def event_types(self, event: str) -> tuple[str, ...]:
        """The media types that `add_event` registered for a package; none for a package that is not registered."""
        return self._events.types(event)

    # Transports, while it runs

    def set_udp_port(self, port: int | None) -> None:
        """Serves UDP at another port from now on (0 is any, so that one that is open already stays), or not at all.

        Raises `EngineError` when the port can't be had; then all is as before.
        """
        self._serve("udp", port)

    def set_tcp_port(self, port: int | None) -> None:
        """The same for TCP. Connections that there are live on; without a port others can still be opened by us."""
        self._serve("tcp", port)

    def set_tls_options(
        self, port: int | None = 0, *, certificate: AnyPath | None = None, ca_list: AnyPath | None = None,
        verify_server: bool = True, verify_client: bool = False,
    ) -> None:  # fmt: skip
        """Serves TLS at a port and with certificates from now on; None for the port: no TLS at all.

        See `TLSOptions` for the other parameters. Without a certificate there is no port, but we can connect to
        others. Files are read again each time. Connections that had to prove less than is asked for now are closed.
        Raises `EngineError` when a file is wrong, and then all is as before; and when the port can't be had, when
        we can still connect to others, and the port from before stays open.
        """
        from sipsimple.core.transport.tls import TLSOptions

        transports = self._running_transports
        try:
            if port is None:
                self._served.discard("tls")
                transports.disable_tls()
            else:
                options = TLSOptions(certificate, ca_list, verify_server, verify_client)
                self._serve_tls(transports, port, options)
        except TransportError as error:
            raise EngineError(str(error)) from error
        self._changed_transports()

    def _serve_tls(self, transports: Transports, port: int, options: TLSOptions | None) -> None:
        from sipsimple.core.transport.tls import TLSOptions

        options = options or TLSOptions()
        transports.configure_tls(options)
        self._served.add("tls")
        self._listen(transports, "tls", None if options.certificate is None else port)

    def _serve(self, transport: str, port: int | None) -> None:
        transports = self._running_transports
        try:
            self._listen(transports, transport, port)
        except TransportError as error:
            raise EngineError(str(error)) from error
        if port is None:
            self._served.discard(transport)
        else:
            self._served.add(transport)
        self._changed_transports()

    def _listen(self, transports: Transports, transport: str, port: int | None) -> None:
        """Listens at the port and at no other; the ports from before are open until it is."""
        before = [local for local in transports.listeners if local.transport == transport]
        if port is not None:
            if any(port in (0, local.port) for local in before):
                return
            transports.listen_on(transport, port, self._interfaces)
        for local in before:
            transports.stop_listening(local)

    def _changed_transports(self) -> None:
        NotificationCenter().post_notification("SIPEngineDidChangeTransports", sender=self)

    @property
    def _running_transports(self) -> Transports:
        if self._transports is None:
            raise EngineError("the engine is not running")
        return self._transports

    def keep_alive(
        self, hop: Hop, interval: float, failed: FlowFailed | None = None, answered: bool = True
    ) -> KeepAlive:
        """Keeps the flow to a hop alive (RFC 5626 4.4), until `stop` of what is returned.

        `interval`: seconds between two keep-alives, at the most. `failed`: called once, with the error, when the flow
        does not work any more or its connection is lost. `answered`: the peer is known to answer keep-alives, so that
        its silence is a failure. Raises `ValueError` when the interval is below a second, `EngineError` when the
        engine does not run.
        """
        return self._running_transports.keep_alives.start(hop, interval, failed, answered)

    def race(self, hops: Sequence[Hop]) -> Deferred[Hop | None]:
        """Opens a connection to one of several addresses of a server, all over TCP or all over TLS (RFC 8305).

        Fires with the hop whose connection was open first, and stays open for what is sent there; with None when there
        is none. May be cancelled. Raises `EngineError` when the engine or the transport does not run.
        """
        try:
            return self._running_transports.race(hops)
        except TransportError as error:
            raise EngineError(str(error)) from error

    # Addresses

    def local_address(self, transport: str, towards: str | Hop | None = None) -> tuple[str, int]:
        """Our address and port of a transport, as a peer at `towards` (an IP address, or a hop) sees it.

        Where nothing is listened on (TLS without a certificate) the port is that of our connection with the peer, or
        the transport's own while there is none. Raises `EngineError` when the transport is not running, or not over
        the peer's version of IP.
        """
        if self._transports is None or transport not in self._served:
            raise EngineError(f"the transport {transport} is not running")
        if not isinstance(towards, Hop):
            towards = Hop(transport, towards or self._local_ip(None), 0)
        try:
            return self._local_ip(towards.host), self._transports.port_towards(towards)
        except TransportError as error:
            raise EngineError(str(error)) from error

    def _local_ip(self, towards: str | None) -> str:
        if self._ip_address is not None:
            if towards and (":" in towards) is not (":" in self._ip_address):
                raise EngineError(f"{towards} can't be reached from {self._ip_address}, where alone we listen")
            return self._ip_address
        key, now = towards or "", self.now()
        known = self._local_ips.get(key)
        if known is not None and known[1] > now:
            return known[0]
        if len(self._local_ips) >= MAX_LOCAL_ADDRESSES:
            self._local_ips.clear()
        address = current_realm().local_ip_towards(key)
        if towards and (":" in towards) is not (":" in address):
            raise EngineError(f"we have no address from which {towards} can be reached")
        self._local_ips[key] = address, now + LOCAL_ADDRESS_LIFETIME
        return address

    def _sent_by(self, hop: Hop) -> tuple[str, int]:
        return self._local_ip(hop.host), self._running_transports.port_towards(hop)

    # Between the transports and the transaction layer

    def _message_received(self, message: Any, source: Hop) -> None:
        if self._layer is not None:
            self._layer.message_received(message, source, self._reactor.seconds())

    def _transport_failed(self, hop: Hop, error: Exception) -> None:
        if self._layer is not None:
            self._layer.transport_error(hop, error, self.now())

    def _got_exception(self, what: str, error: Exception) -> None:
        log.error("%s", what, exc_info=error)
        NotificationCenter().post_notification(
            "SIPEngineGotException",
            sender=self,
            data=NotificationData(
                type=type(error).__name__, value=str(error), traceback="".join(traceback.format_exception(error))
            ),
        )

    def _trace(self, received: bool, data: bytes, local: Hop, remote: Hop) -> None:
        host = local.host
        if host in ("", "0.0.0.0", ANY_IPV6):
            with suppress(EngineError):
                host = self._local_ip(remote.host)
        source, destination = (remote[1:3], (host, local.port)) if received else ((host, local.port), remote[1:3])
        NotificationCenter().post_notification(
            "SIPEngineSIPTrace",
            sender=self,
            data=NotificationData(
                received=received,
                transport=remote.transport,
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
        host, port = self._sent_by(hop)
        parameters = None if hop.transport == "udp" else {"transport": hop.transport}
        return FrozenContactHeader(FrozenSIPURI(host, port=port, parameters=parameters))
