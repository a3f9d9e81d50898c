"""The TCP connection: first the key of the side that listens, then a stroke a line."""

from __future__ import annotations

from hmac import compare_digest
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.protocols.basic import LineReceiver
from twisted.python.failure import Failure

if TYPE_CHECKING:
    from sipsimple_whiteboard.stream import WhiteboardStream

KEY_TIMEOUT, CLOSE_TIMEOUT = 10.0, 5.0
MAX_CONNECTIONS, MAX_UNREAD = 8, 1 << 20


class Connection(LineReceiver):  # type: ignore[misc]
    """One end. Where it was connected to it expects a key, as anybody may have connected."""

    delimiter, MAX_LENGTH = b"\n", 65536

    def __init__(self, stream: WhiteboardStream, key: str, expects_key: bool) -> None:
        self.stream, self.key, self.expects_key = stream, key.encode(), expects_key
        self.closed: Deferred[None] = Deferred()
        self.timer: Any = None
        self.throttle = Throttle()

    def connectionMade(self) -> None:
        self.stream.connections.append(self)
        self.transport.registerProducer(self.throttle, True)
        if not self.expects_key:
            self.sendLine(self.key)
        elif len(self.stream.connections) > MAX_CONNECTIONS:
            self.transport.abortConnection()
        else:
            self.timer = self.stream.reactor.callLater(KEY_TIMEOUT, self.transport.abortConnection)

    def lineReceived(self, line: bytes) -> None:
        if not self.expects_key:
            self.stream.line_received(line)
        elif compare_digest(line, self.key) and self.stream.wants(self):
            self.expects_key = False
            self.stop_timer()
            self.stream.connected(self)
        else:
            self.transport.abortConnection()

    def lineLengthExceeded(self, line: bytes) -> None:
        self.transport.abortConnection()

    def send(self, line: str) -> bool:
        """False: the peer does not read, and too much waits for it."""
        if self.throttle.paused:
            self.throttle.octets += len(line)
        self.sendLine(line.encode())
        return self.throttle.octets <= MAX_UNREAD

    def close(self) -> Deferred[None]:
        """Close when all is written, or after a while; fires then."""
        self.stop_timer()
        if not self.closed.called:
            self.timer = self.stream.reactor.callLater(CLOSE_TIMEOUT, self.transport.abortConnection)
            self.resumeProducing()
            self.transport.unregisterProducer()
            self.transport.loseConnection()
        return self.closed

    def connectionLost(self, reason: Failure) -> None:
        self.stop_timer()
        self.stream.connections.remove(self)
        self.closed.callback(None)
        self.stream.connection_lost(self, reason)

    def stop_timer(self) -> None:
        if self.timer is not None and self.timer.active():
            self.timer.cancel()


class Throttle:
    """What the transport tells when the peer reads too slowly, and when it has caught up (IPushProducer)."""

    paused = False
    octets = 0

    def pauseProducing(self) -> None:
        self.paused = True

    def resumeProducing(self) -> None:
        self.paused, self.octets = False, 0

    def stopProducing(self) -> None:
        self.paused = True
