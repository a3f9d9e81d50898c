"""All transports of a user agent: what the transaction layer sends through and gets its messages from."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, DeferredList, maybeDeferred

from sipsimple.core.protocol.drop_log import DropLog
from sipsimple.core.protocol.hop import Hop
from sipsimple.core.protocol.transaction_routing import stamp_source
from sipsimple.core.transport import stun
from sipsimple.core.transport.interface import ConnectError, ListenError, TransportError
from sipsimple.core.transport.keepalive import KeepAlives
from sipsimple.core.transport.limits import MAX_UNREACHABLE, UNREACHABLE_LIFETIME
from sipsimple.core.transport.race import ConnectionRace
from sipsimple.core.transport.sockets import ANY_IPV6
from sipsimple.core.transport.stream import StreamTransport
from sipsimple.core.transport.udp import UDPListener
from sipsimple.core.wire.errors import SIPParseError
from sipsimple.core.wire.framer import FramingError
from sipsimple.core.wire.message import SIPRequest, SIPResponse, make_response
from sipsimple.core.wire.parser import parse_message

if TYPE_CHECKING:
    from sipsimple.core.transport.connection import StreamConnection
    from sipsimple.core.transport.tls import TLSOptions, TLSTransport

__all__ = ["DEFAULT_PORTS", "MessageReceived", "Trace", "TransportFailed", "Transports"]

log = logging.getLogger("sipsimple.transport")

#: RFC 3261 19.1.2
DEFAULT_PORTS = {"udp": 5060, "tcp": 5060, "tls": 5061}

#: ``(message, source)``
MessageReceived = Callable[[SIPRequest | SIPResponse, Hop], object]
#: ``(hop, error)``
TransportFailed = Callable[[Hop, Exception], object]
#: ``(received, data, local, remote)``: the octets of a message, and both ends of its way; the local host is that of the
#: interface, ``'0.0.0.0'`` or ``'::'`` for all of a family.
Trace = Callable[[bool, bytes, Hop, Hop], object]


class Transports:
    """The listeners and connections of one user agent.

    :param reactor: an IReactorTime, IReactorUDP and IReactorTCP.
    :param message_received: called for every message that could be parsed.
    :param transport_failed: called when a connection is lost or can't be made.
    :param trace: called for every message before it is sent, and when it is received, even if it can't be parsed; may
        be set and removed at any time.

    Attributes: `keep_alives`.
    """

    def __init__(
        self,
        reactor: Any,
        message_received: MessageReceived,
        transport_failed: TransportFailed,
        trace: Trace | None = None,
    ) -> None:
        self.trace = trace
        self.keep_alives = KeepAlives(reactor, self)
        self._reactor = reactor
        self._message_received = message_received
        self._transport_failed = transport_failed
        self._udp: list[UDPListener] = []
        self._streams = {"tcp": StreamTransport(reactor, self)}
        self._tls: TLSTransport | None = None
        # the first port of each transport, by its name and whether it is one of IPv6
        self._ports: dict[tuple[str, bool], int] = {}
        self._unreachable: dict[Hop, float] = {}
        self._drop_log = DropLog(log)

    # For the engine

    def configure_tls(self, options: TLSOptions) -> None:
        """Have TLS, with these options from now on. Raises TLSError; then it is as it was before."""
        if self._tls is None:
            from sipsimple.core.transport.tls import TLSTransport

            self._streams["tls"] = self._tls = TLSTransport(self._reactor, self, options)
        else:
            self._tls.configure(options)

    def disable_tls(self) -> Deferred[Any]:
        """Have no TLS any more; fires when all ports and connections of it are closed."""
        self._tls = None
        transport = self._streams.pop("tls", None)
        self._note_ports()
        return DeferredList([] if transport is None else [transport.close()])

    def listen(self, transport: str, port: int = 0, interface: str = "") -> Hop:
        """Open a port.

        :param transport: 'udp', 'tcp' or, after `configure_tls` with a certificate, 'tls'.
        :param port: 0 means any.
        :param interface: the address to listen on; empty for all of IPv4, ``'::'`` for all of IPv6.
        :returns: the address and port that it became.
        :raises ListenError: the port can not be had.
        :raises ValueError: there is no such transport.
        """
        if transport == "udp":
            listener = UDPListener(self._reactor, self, port, interface)
            self._udp.append(listener)
            local = listener.local
        elif transport == "tls" and self._tls is None:
            raise ListenError(transport, interface, port, "TLS is not configured")
        else:
            local = self._stream(transport).listen(port, interface)
        self._note_ports()
        return local

    def listen_on(self, transport: str, port: int, interfaces: Sequence[str]) -> list[Hop]:
        """Open a port on several interfaces, as far as possible with the same number on all.

        The first one is needed; one that is all of IPv6 (``'::'``) is left out where there is no IPv6. Raises as
        `listen` does; then none of them is open.
        """
        opened: list[Hop] = []
        for interface in interfaces:
            try:
                opened.append(self._listen_near(transport, port, interface, opened))
            except ListenError as error:
                if opened and interface == ANY_IPV6:
                    log.debug("%s is not served over IPv6: %s", transport, error)
                    continue
                for local in opened:
                    self.stop_listening(local)
                raise
        return opened

    def _listen_near(self, transport: str, port: int, interface: str, opened: Sequence[Hop]) -> Hop:
        # 18.1.1, 18.2.1: whoever is reached over UDP is to be reached over TCP at the same port
        wanted = opened[0].port if opened else self.port("udp") if transport == "tcp" else None
        if port == 0 and wanted is not None:
            try:
                return self.listen(transport, wanted, interface)
            except ListenError:
                pass
        return self.listen(transport, port, interface)

    def stop_listening(self, local: Hop) -> Deferred[Any]:
        """Close a port that `listen` gave; connections that came by it live on. Fires when it is free."""
        if local.transport != "udp":
            closed = self._stream(local.transport).stop_listening(local)
        else:
            listener = next(listener for listener in self._udp if listener.local == local)
            self._udp.remove(listener)
            closed = maybeDeferred(listener.close)
        self._note_ports()
        return closed

    @property
    def listeners(self) -> list[Hop]:
        """What is listened on; the host is that of the interface, ``'0.0.0.0'`` for all of IPv4."""
        return [listener.local for listener in self._udp] + [
            local for stream in self._streams.values() for local in stream.listeners
        ]

    def _note_ports(self) -> None:
        self._ports = {}
        for local in self.listeners:
            self._ports.setdefault((local.transport, ":" in local.host), local.port)

    def port(self, transport: str, ipv6: bool = False) -> int | None:
        """The port that is listened on, the first one if there are several; None if there is none."""
        return self._ports.get((transport, ipv6))

    def port_towards(self, hop: Hop) -> int:
        """At which port the peer at a hop may reach us over its transport.

        Where none is listened on it is that of the connection that we have with it, or with its host, as it can be
        reached by nothing else; where there is none either it is the transport's own port. Raises TransportError if
        it is UDP, without which nothing can be sent over it.
        """
        port = self._ports.get((hop.transport, ":" in hop.host))
        if port is not None:
            return port
        if hop.transport == "udp":
            raise self._no_udp(hop)
        stream = self._stream(hop.transport)
        connection = stream.connection(hop) or stream.connection_with_host(hop.host)
        return (connection is not None and connection.local.port) or DEFAULT_PORTS[hop.transport]

    def close(self) -> Deferred[Any]:
        """Close all ports and connections, when what waits is sent. Fires when that is done."""
        self.keep_alives.close()
        udp, self._udp = self._udp, []
        self._ports = {}
        return DeferredList(
            [maybeDeferred(listener.close) for listener in udp] + [stream.close() for stream in self._streams.values()],
            consumeErrors=True,
        )

    # For the transaction layer

    def send(self, data: bytes, hop: Hop) -> None:
        """Send the octets of a message to a hop.

        :raises TransportError: they can't be sent. What shows later is told to `transport_failed`.
        """
        if hop.transport == "udp":
            self._udp_towards(hop).send(data, hop)
        else:
            self._stream(hop.transport).send(data, hop)

    def race(self, hops: Sequence[Hop]) -> Deferred[Hop | None]:
        """Have a connection with one of several addresses of a server over TCP or TLS: the first that takes one.

        Fires with that hop, with None when none takes one; may be cancelled.
        """
        return ConnectionRace(self._reactor, self._stream(hops[0].transport), hops).winner

    def is_connected(self, hop: Hop) -> bool:
        """Whether there is a connection with the hop; always true of UDP, which has none."""
        return hop.transport == "udp" or self.connection(hop) is not None

    def stream_instead(self, hop: Hop) -> Hop | None:
        """The hop over TCP by which the peer at a hop of UDP may be reached too (RFC 3261 18.1.1).

        None where we don't serve TCP, so that the peer could not reach us, and for a while after it took no connection.
        """
        if ("tcp", ":" in hop.host) not in self._ports:
            return None
        stream = Hop("tcp", hop.host, hop.port)
        until = self._unreachable.get(stream)
        return None if until is not None and self._reactor.seconds() < until else stream

    def _udp_towards(self, hop: Hop) -> UDPListener:
        ipv6 = ":" in hop.host
        for listener in self._udp:
            if listener.ipv6 is ipv6:
                return listener
        raise self._no_udp(hop)

    @staticmethod
    def _no_udp(hop: Hop) -> TransportError:
        return TransportError(f"nothing listens on udp, so that nothing can be sent to {hop}")

    def _stream(self, transport: str) -> StreamTransport:
        try:
            return self._streams[transport]
        except KeyError:
            if transport == "tls":
                raise ConnectError("there is no TLS: it is not among the transports, or could not be started") from None
            raise ValueError(f"no transport {transport!r}: there are udp, {', '.join(self._streams)}") from None

    # For keep-alives: this is their network

    def connection(self, hop: Hop) -> StreamConnection | None:
        """The connection with a hop, open or being opened."""
        stream = self._streams.get(hop.transport)
        return None if stream is None else stream.connection(hop)

    def send_datagram(self, data: bytes, hop: Hop) -> None:
        """Send octets that are no message over UDP. Raises TransportError."""
        self._udp_towards(hop).send_untraced(data, hop)

    # For the transports: this is their owner

    def data_received(self, data: bytes, source: Hop, local: Hop) -> None:
        if self.trace is not None:
            self.trace(True, data, local, source)
        try:
            message = parse_message(data)
        except SIPParseError as error:
            self.dropped("Dropped %d octets from %s that are no SIP message: %s", len(data), source, error)
            return
        except Exception as error:
            # A defect of the parser must not become a flood of tracebacks, nor end a connection or the engine.
            self.dropped("Dropped %d octets from %s that could not be parsed: %r", len(data), source, error)
            return
        self._message_received(message, source)

    def stun_received(self, data: bytes, source: Hop) -> None:
        try:
            message = stun.parse(data)
            if message.kind == stun.BINDING_REQUEST:
                # RFC 5626 8: so that the peer's flow to us lives, and it knows its address
                self.send_datagram(stun.answer(message, (source.host, source.port)), source)
            elif not self.keep_alives.answer_received(message.transaction, message.address, source):
                log.debug("Dropped a STUN message of type 0x%04x from %s", message.kind, source)
        except (stun.STUNError, TransportError) as error:
            self.dropped("Dropped a STUN message from %s: %s", source, error)

    def stream_broken(self, error: FramingError, source: Hop, local: Hop) -> None:
        self.dropped("Closed the connection with %s: %s", source, error)
        if self.trace is not None:
            self.trace(True, error.head, local, source)
        try:
            request = parse_message(error.head)
            if not isinstance(request, SIPRequest) or request.method == "ACK" or (via := request.via) is None:
                return
            # 18.3: a request whose end is not known is answered, and the connection closed
            stamp_source(request, via, source)
            response = make_response(request, error.code, to_tag=secrets.token_hex(8))
            self.send(response.encode(), source)
        except (SIPParseError, TransportError):
            return

    def sending(self, data: bytes, destination: Hop, local: Hop) -> None:
        if self.trace is not None:
            self.trace(False, data, local, destination)

    def delivery_failed(self, hop: Hop, error: Exception) -> None:
        if hop.transport == "tcp" and isinstance(error, ConnectError):
            if len(self._unreachable) >= MAX_UNREACHABLE:
                self._unreachable.clear()
            self._unreachable[hop] = self._reactor.seconds() + UNREACHABLE_LIFETIME
        self.keep_alives.flow_failed(hop, error)
        self._transport_failed(hop, error)

    def dropped(self, message: str, *arguments: object) -> None:
        self._drop_log(self._reactor.seconds(), message, *arguments)
