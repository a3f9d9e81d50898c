"""All transports of a user agent: what the transaction layer sends through and gets its messages from."""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, DeferredList, maybeDeferred

from sipsimple.core.protocol.drop_log import DropLog
from sipsimple.core.protocol.hop import Hop
from sipsimple.core.protocol.transaction_routing import stamp_source
from sipsimple.core.transport.interface import TransportError
from sipsimple.core.transport.stream import StreamTransport
from sipsimple.core.transport.udp import UDPListener
from sipsimple.core.wire.errors import SIPParseError
from sipsimple.core.wire.framer import FramingError
from sipsimple.core.wire.message import SIPRequest, SIPResponse, make_response
from sipsimple.core.wire.parser import parse_message

__all__ = ["MessageReceived", "Trace", "TransportFailed", "Transports"]

log = logging.getLogger("sipsimple.transport")

#: ``(message, source)``
MessageReceived = Callable[[SIPRequest | SIPResponse, Hop], object]
#: ``(hop, error)``
TransportFailed = Callable[[Hop, Exception], object]
#: ``(received, data, local, remote, transport)``: the octets of a message, and both ends of its way as
#: ``(host, port)``; the local host is that of the interface, ``'0.0.0.0'`` for all of IPv4.
Trace = Callable[[bool, bytes, tuple[str, int], tuple[str, int], str], object]


class Transports:
    """The listeners and connections of one user agent.

    :param reactor: an IReactorTime, IReactorUDP and IReactorTCP.
    :param message_received: called for every message that could be parsed.
    :param transport_failed: called when a connection is lost or can't be made.
    :param trace: called for every message that is received, even if it can't be parsed, or sent.
    """

    def __init__(
        self,
        reactor: Any,
        message_received: MessageReceived,
        transport_failed: TransportFailed,
        trace: Trace | None = None,
    ) -> None:
        self._reactor = reactor
        self._message_received = message_received
        self._transport_failed = transport_failed
        self._trace = trace
        self._udp: list[UDPListener] = []
        self._streams = {"tcp": StreamTransport(reactor, self)}
        self._drop_log = DropLog(log)

    # For the engine

    def listen(self, transport: str, port: int = 0, interface: str = "") -> Hop:
        """Open a port.

        :param transport: 'udp' or 'tcp'.
        :param port: 0 means any.
        :param interface: the address to listen on; empty for all of IPv4, ``'::'`` for all of IPv6.
        :returns: the address and port that it became.
        :raises ListenError: the port can not be had.
        :raises ValueError: there is no such transport.
        """
        if transport == "udp":
            listener = UDPListener(self._reactor, self, port, interface)
            self._udp.append(listener)
            return listener.local
        return self._stream(transport).listen(port, interface)

    @property
    def listeners(self) -> list[Hop]:
        """What is listened on; the host is that of the interface, ``'0.0.0.0'`` for all of IPv4."""
        return [listener.local for listener in self._udp] + [
            local for stream in self._streams.values() for local in stream.listeners
        ]

    def port(self, transport: str, ipv6: bool = False) -> int | None:
        """The port that is listened on, the first one if there are several; None if there is none."""
        for local in self.listeners:
            if local.transport == transport and (":" in local.host) is ipv6:
                return local.port
        return None

    def close(self) -> Deferred[Any]:
        """Close all ports and connections, when what waits is sent. Fires when that is done."""
        udp, self._udp = self._udp, []
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

    def is_connected(self, hop: Hop) -> bool:
        """Whether there is a connection with the hop; always true of UDP, which has none."""
        return hop.transport == "udp" or self._stream(hop.transport).is_connected(hop)

    def _udp_towards(self, hop: Hop) -> UDPListener:
        ipv6 = ":" in hop.host
        for listener in self._udp:
            if listener.ipv6 is ipv6:
                return listener
        raise TransportError(f"nothing listens on udp, so that nothing can be sent to {hop}")

    def _stream(self, transport: str) -> StreamTransport:
        try:
            return self._streams[transport]
        except KeyError:
            raise ValueError(f"no transport {transport!r}: there are udp, {', '.join(self._streams)}") from None

    # For the transports: this is their owner

    def data_received(self, data: bytes, source: Hop, local: Hop) -> None:
        if self._trace is not None:
            self._trace(True, data, local[1:], source[1:], source.transport)
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

    def stream_broken(self, error: FramingError, source: Hop, local: Hop) -> None:
        self.dropped("Closed the connection with %s: %s", source, error)
        if self._trace is not None:
            self._trace(True, error.head, local[1:], source[1:], source.transport)
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

    def data_sent(self, data: bytes, destination: Hop, local: Hop) -> None:
        if self._trace is not None:
            self._trace(False, data, local[1:], destination[1:], destination.transport)

    def delivery_failed(self, hop: Hop, error: Exception) -> None:
        self._transport_failed(hop, error)

    def dropped(self, message: str, *arguments: object) -> None:
        self._drop_log(self._reactor.seconds(), message, *arguments)
