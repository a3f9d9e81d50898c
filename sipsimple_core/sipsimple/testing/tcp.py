"""TCP connections on the memory network (ITCPTransport, IConsumer, IPushProducer; RFC 9293, simplified).

Buffers, producers and the flush before a close are those of `twisted.internet.abstract.FileDescriptor`, the
class under Twisted's own connections; this module is the socket below it: numbered segments, a window,
retransmission of what a partition or a filter lost, FIN and RST. Back-pressure is real: what the receiver has
not read stays in the sender's window, then in its buffer, and then pauses its producer.
"""

# mypy: allow-untyped-calls

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

from twisted.internet.abstract import FileDescriptor
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionAborted, ConnectionDone, ConnectionLost
from twisted.internet.interfaces import IHalfCloseableProtocol, IProtocol, ITCPTransport
from twisted.python.failure import Failure
from zope.interface import implementer

from sipsimple.testing.packets import Packet

if TYPE_CHECKING:
    from sipsimple.testing.reactor import MemoryReactor

__all__ = ["MemoryConnection"]

FIRST_RETRANSMISSION = 0.2
LAST_RETRANSMISSION = 10.0


@implementer(ITCPTransport)
class MemoryConnection(FileDescriptor):
    """One end of a TCP connection, and the transport of its protocol."""

    reactor: MemoryReactor  # type: ignore[assignment]

    def __init__(self, reactor: MemoryReactor, host: tuple[str, int], peer: tuple[str, int]) -> None:
        super().__init__(reactor)  # type: ignore[arg-type]
        self.network = reactor.network
        self.protocol: IProtocol | None = None
        self.other: MemoryConnection | None = None
        self._host = host
        self._peer = peer
        self._no_delay = False
        self._keep_alive = False
        self._aborting = False
        self._dead = False  # nothing more is sent or retransmitted
        self._fin_sent = False
        self._sent_number = 0
        self._unacknowledged = 0
        self._expected_number = 0
        self._early: dict[int, Packet] = {}
        self._received: deque[bytes] = deque()
        self._end_of_stream = False
        self._reading = False
        self._writing = False
        self._read_scheduled = False
        self._write_scheduled = False

    @property
    def remote_ip(self) -> str:
        """The address of the host at the other end, also when it was called 127.0.0.1."""
        return self.other.reactor.ip if self.other is not None else self._peer[0]

    # ITransport and ITCPTransport, as far as FileDescriptor has it not

    def getHost(self) -> IPv4Address:
        return IPv4Address("TCP", *self._host)

    def getPeer(self) -> IPv4Address:
        return IPv4Address("TCP", *self._peer)

    def getTcpNoDelay(self) -> bool:
        return self._no_delay

    def setTcpNoDelay(self, enabled: bool) -> None:
        self._no_delay = bool(enabled)

    def getTcpKeepAlive(self) -> bool:
        return self._keep_alive

    def setTcpKeepAlive(self, enabled: bool) -> None:
        self._keep_alive = bool(enabled)

    def abortConnection(self) -> None:
        """Drop what is buffered and reset; the protocol sees ConnectionAborted, the peer ConnectionLost."""
        if self.disconnected or self._aborting:
            return
        self._aborting = True
        self.stopReading()
        self.stopWriting()
        self.reactor.callLater(0, self.connectionLost, Failure(ConnectionAborted()))

    def reset(self) -> None:
        """The connection broke (reset by the other end, unanswered for too long): ConnectionLost, at once."""
        self._dead = True
        if not self.disconnected:
            self.connectionLost(Failure(ConnectionLost()))

    # What FileDescriptor wants of a reactor and a socket

    def startReading(self) -> None:
        if self._aborting or self.disconnected:
            return
        self._reading = True
        if (self._received or self._end_of_stream) and not self._read_scheduled:
            self._read_scheduled = True
            self.network.clock.schedule(0.0, self.reactor, self._read_ready)

    def stopReading(self) -> None:
        self._reading = False

    def startWriting(self) -> None:
        if self._aborting or self.disconnected:
            return
        self._writing = True
        self._schedule_write()

    def stopWriting(self) -> None:
        self._writing = False

    def writeSomeData(self, data: bytes) -> int:
        taken = min(len(data), self.network.tcp_window - self._unacknowledged)
        size = max(1, self.network.segment_size)
        for offset in range(0, taken, size):
            self._send_numbered("data", bytes(data[offset : min(offset + size, taken)]))
        self._unacknowledged += max(0, taken)
        return max(0, taken)

    def connectionLost(self, reason: Failure) -> None:
        """The end of this end: close what is below, tell the protocol above."""
        if self.disconnected:
            return
        super().connectionLost(reason)
        self.network.connections.pop(self, None)
        if not self._dead:
            # As operating systems do: a close with unread data is a reset (RFC 9293 3.10.4, RFC 2525 2.17).
            if self._aborting or self._received:
                self._send_reset()
            elif not self._fin_sent:
                self._send_numbered("fin")
        self._received.clear()
        protocol, self.protocol = self.protocol, None
        if protocol is not None:
            protocol.connectionLost(reason)

    def _closeWriteConnection(self) -> None:
        self._fin_sent = True
        self._send_numbered("fin")
        half_closeable = IHalfCloseableProtocol(self.protocol, None)
        if half_closeable is not None:
            half_closeable.writeConnectionLost()

    # Life

    def establish(self, protocol: IProtocol) -> None:
        """Both ends are ready: connect the protocol."""
        self.protocol = protocol
        self.connected = 1
        self.network.connections[self] = None
        self.startReading()
        self._guarded("makeConnection", protocol.makeConnection, self)

    def _guarded(self, where: str, function: Any, *arguments: Any) -> bool:
        """Call into the protocol; an exception is kept for the test and ends the connection."""
        try:
            function(*arguments)
        except Exception as exception:
            self.network.collect_error(self.reactor, f"{type(self.protocol).__name__}.{where}", exception)
            self.connectionLost(Failure(exception))
            return False
        return True

    # Sending

    def _send_numbered(self, kind: str, data: bytes = b"") -> None:
        if self._dead or self.other is None:
            return
        number, self._sent_number = self._sent_number, self._sent_number + 1
        packet = Packet(
            self.network.now,
            "tcp",
            kind,
            self._host,
            self._peer,
            data,
            self.reactor,
            self.other.reactor,
            self.other.segment_arrived,
            self._segment_lost,
            number,
        )
        self.network.send(packet)

    def _send_reset(self) -> None:
        self._dead = True
        if self.other is not None:
            self.network.send(
                Packet(
                    self.network.now,
                    "tcp",
                    "rst",
                    self._host,
                    self._peer,
                    b"",
                    self.reactor,
                    self.other.reactor,
                    self.other.reset_arrived,
                )
            )

    def _segment_lost(self, packet: Packet) -> None:
        """A segment did not arrive: once more after a while, until the peer counts as dead (RFC 9293 3.8)."""
        attempt = packet.attempt
        passed = sum(_retransmission_delay(earlier) for earlier in range(attempt))
        delay = _retransmission_delay(attempt)
        if passed + delay > self.network.tcp_user_timeout:
            self._call_later(max(0.0, self.network.tcp_user_timeout - passed), self.reset)
        else:
            self._call_later(delay, self._retransmit, packet)

    def _retransmit(self, packet: Packet) -> None:
        if not self._dead:
            again = packet.duplicate(self.network.now)
            again.attempt = packet.attempt + 1
            self.network.send(again)

    def _call_later(self, delay: float, function: Any, *arguments: Any) -> None:
        self.network.clock.call_later(delay, self.reactor, function, arguments, internal=True)

    def _schedule_write(self) -> None:
        if not self._write_scheduled:
            self._write_scheduled = True
            self.network.clock.schedule(0.0, self.reactor, self._write_ready)

    def _write_ready(self) -> None:
        self._write_scheduled = False
        if not self._writing or self.disconnected:
            return
        reason = self.doWrite()
        if reason is not None:
            self.connectionLost(Failure(reason))
        elif self._writing and self._unacknowledged < self.network.tcp_window:
            self._schedule_write()

    def _acknowledged(self, count: int) -> None:
        self._unacknowledged -= count
        if self._writing:
            self._schedule_write()

    # Receiving

    def segment_arrived(self, packet: Packet) -> None:
        """A numbered segment: handed on in order, however late or often it came."""
        if packet.number < self._expected_number or packet.number in self._early:
            return
        if self.disconnected or self._aborting:
            if packet.kind == "data":
                self._send_reset()  # RFC 9293 3.10.7.1: data for a closed connection is answered with a reset
            return
        self._early[packet.number] = packet
        while self._expected_number in self._early and not self.disconnected:
            segment = self._early.pop(self._expected_number)
            self._expected_number += 1
            self.handle_segment(segment)

    def handle_segment(self, segment: Packet) -> None:
        """The next segment in order."""
        if segment.kind == "data":
            self._received.append(segment.data)
        elif segment.kind == "fin":
            self._end_of_stream = True
        if self._reading:
            self._read_ready()

    def reset_arrived(self, packet: Packet) -> None:
        self.reset()

    def _read_ready(self) -> None:
        self._read_scheduled = False
        received = self._received
        while self._reading and received:
            data = received.popleft()
            self._acknowledge(len(data))
            assert self.protocol is not None
            if not self._guarded("dataReceived", self.protocol.dataReceived, data):
                return
        if self._reading and self._end_of_stream and not received:
            self.stopReading()
            half_closeable = IHalfCloseableProtocol(self.protocol, None)
            if half_closeable is not None and not self._fin_sent:
                self._guarded("readConnectionLost", half_closeable.readConnectionLost)
            else:
                self.connectionLost(Failure(ConnectionDone()))

    def _acknowledge(self, count: int) -> None:
        other = self.other
        if other is not None and not other.disconnected:
            delay = 0.0 if other.reactor is self.reactor else self.network.latency
            self.network.clock.schedule(delay, other.reactor, other._acknowledged, (count,))

    def __repr__(self) -> str:
        state = "connected" if self.connected else "disconnected" if self.disconnected else "connecting"
        (host, port), (peer, peer_port) = self._host, self._peer
        return f"<{type(self).__name__} {host}:{port} → {peer}:{peer_port} {state}>"


def _retransmission_delay(attempt: int) -> float:
    return min(FIRST_RETRANSMISSION * float(2 ** min(attempt, 16)), LAST_RETRANSMISSION)
