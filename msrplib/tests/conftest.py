"""Sessions in memory: a reactor with a virtual clock whose sockets are Twisted's own, but for the kernel under them."""

from __future__ import annotations

import importlib
import sys
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, cast

import pytest

# Run from the root of the repository, pytest names this file msrplib.tests.conftest after its folders, and makes a
# namespace package `msrplib` of the folder of the distribution, which hides the package of that name.
if getattr(sys.modules.get("msrplib"), "__file__", None) is None:
    sys.modules.pop("msrplib", None)
    importlib.import_module("msrplib")

from twisted.internet.abstract import FileDescriptor
from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionDone, ConnectionLost, ConnectionRefusedError
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from msrplib.drops import faults, log
from msrplib.errors import as_failure
from msrplib.handler import MessageSink, Refusal, SessionHandler
from msrplib.incoming import IncomingMessage
from msrplib.limits import Limits
from msrplib.outgoing import OutgoingMessage
from msrplib.protocol import MSRPData
from msrplib.session import MSRPSession
from msrplib.transport import MSRPConnector, MSRPListener


class MemorySocket(FileDescriptor):
    """One end of a connection. `capacity` octets are under way to the peer at the most."""

    connected = 1

    def __init__(self, reactor: MemoryReactor, host: IPv4Address, peer: IPv4Address) -> None:
        super().__init__(cast(Any, reactor))
        self.host = host
        self.peer_address = peer
        self.protocol: Any = None
        self.peer: MemorySocket | None = None
        self.incoming: deque[bytes] = deque()
        self.capacity = 1 << 30
        self.segment = 65536
        self.is_reading = True
        self.is_writing = False
        self.has_ended = False
        self.is_closed = False
        self.has_no_delay = False

    def getHost(self) -> IPv4Address:
        return self.host

    def getPeer(self) -> IPv4Address:
        return self.peer_address

    def setTcpNoDelay(self, enabled: bool) -> None:
        self.has_no_delay = enabled

    def startReading(self) -> None:
        self.is_reading = True

    def stopReading(self) -> None:
        self.is_reading = False

    def startWriting(self) -> None:
        self.is_writing = True

    def stopWriting(self) -> None:
        self.is_writing = False

    def writeSomeData(self, data: bytes) -> int:
        assert self.peer is not None
        room = self.capacity - sum(map(len, self.peer.incoming))
        taken = bytes(data[: max(0, room)])
        if taken:
            self.peer.incoming.append(taken)
        return len(taken)

    def abortConnection(self) -> None:
        self.is_reading = self.is_writing = False
        cast(Any, self.reactor).callLater(0, self.lose, ConnectionLost())

    def lose(self, error: Exception) -> None:
        if self.is_closed:
            return
        self.is_closed = True
        self.connected = 0
        self.disconnected = 1
        assert self.peer is not None
        self.peer.has_ended = True
        self.protocol.connectionLost(as_failure(error))

    def step(self) -> bool:
        """Write, read; False when there was nothing to do."""
        active = False
        if self.is_writing and not self.is_closed:
            before = len(self.dataBuffer) - self.offset + self._tempDataLen
            result = cast(Any, self).doWrite()
            active = len(self.dataBuffer) - self.offset + self._tempDataLen != before
            if result is not None:
                self.lose(ConnectionDone())
                return True
        while self.incoming and self.is_reading and not self.is_closed:
            data = self.incoming.popleft()
            if len(data) > self.segment:
                self.incoming.appendleft(data[self.segment :])
                data = data[: self.segment]
            self.protocol.dataReceived(data)
            active = True
        if self.has_ended and not self.incoming and not self.is_closed:
            self.lose(ConnectionDone())
            active = True
        return active


class MemoryPort:
    def __init__(self, reactor: MemoryReactor, number: int, factory: Any) -> None:
        self.reactor = reactor
        self.number = number
        self.factory = factory

    def getHost(self) -> IPv4Address:
        return IPv4Address("TCP", "10.0.0.1", self.number)

    def stopListening(self) -> None:
        del self.reactor.ports[self.number]


class MemoryReactor(Clock):
    """IReactorTCP and IReactorTime."""

    def __init__(self) -> None:
        super().__init__()
        self.ports: dict[int, MemoryPort] = {}
        self.sockets: list[MemorySocket] = []
        self.next_port = 40000

    def listenTCP(self, port: int, factory: Any, backlog: int = 50, interface: str = "") -> MemoryPort:
        if not port:
            self.next_port += 1
            port = self.next_port
        listening = self.ports[port] = MemoryPort(self, port, factory)
        return listening

    def connectTCP(self, host: str, port: int, factory: Any, timeout: float = 30, bindAddress: Any = None) -> Any:
        connector = MemoryConnecting()
        if port not in self.ports:
            refused = as_failure(cast(Any, ConnectionRefusedError)())
            self.callLater(0, factory.clientConnectionFailed, connector, refused)
        else:
            self.callLater(0, self._connect, port, factory, connector)
        return connector

    def _connect(self, port: int, factory: Any, connector: MemoryConnecting) -> None:
        if not connector.is_wanted:
            return
        self.next_port += 1
        here = IPv4Address("TCP", "10.0.0.2", self.next_port)
        there = self.ports[port].getHost()
        client, server = MemorySocket(self, here, there), MemorySocket(self, there, here)
        client.peer, server.peer = server, client
        self.sockets += [client, server]
        server.protocol = self.ports[port].factory.buildProtocol(here)
        client.protocol = factory.buildProtocol(there)
        if server.protocol is None:
            server.is_closed = True
            client.has_ended = True
        else:
            server.protocol.makeConnection(server)
        client.protocol.makeConnection(client)

    def settle(self, rounds: int = 20000) -> None:
        """Let everything happen that takes no time."""
        for _ in range(rounds):
            self.advance(0)
            if not sum([socket.step() for socket in self.sockets]):
                self.advance(0)
                if not sum([socket.step() for socket in self.sockets]):
                    return
        raise AssertionError("it does not settle")

    def pass_time(self, seconds: float) -> None:
        self.advance(seconds)
        self.settle()


class MemoryConnecting:
    is_wanted = True

    def disconnect(self) -> None:
        self.is_wanted = False


class Recorder(SessionHandler):
    """Writes down what it is told; answers with what the test wants."""

    def __init__(self) -> None:
        self.events: list[tuple[Any, ...]] = []
        self.messages: list[IncomingMessage] = []
        self.failures: list[tuple[str, int, str, MSRPData | None]] = []
        self.delivered: list[str] = []
        self.accepted: list[str] = []
        self.sent: list[tuple[str, MSRPData]] = []
        self.reports: list[MSRPData] = []
        self.requests: list[MSRPData] = []
        self.closed: list[Failure | None] = []
        self.decide: Callable[[MSRPData], Refusal | MessageSink | None] = lambda chunk: None
        self.verdict: Refusal | None = None

    def message_started(self, session: MSRPSession, chunk: MSRPData) -> Refusal | MessageSink | None:
        self.events.append(("started", chunk.message_id))
        return self.decide(chunk)

    def message_received(self, session: MSRPSession, message: IncomingMessage) -> Refusal | None:
        self.events.append(("received", message.message_id))
        self.messages.append(message)
        return self.verdict

    def message_sent(self, session: MSRPSession, outgoing: OutgoingMessage, chunk: MSRPData) -> None:
        self.events.append(("sent", outgoing.message_id))
        self.sent.append((outgoing.message_id, chunk))

    def message_accepted(self, session: MSRPSession, outgoing: OutgoingMessage) -> None:
        self.events.append(("accepted", outgoing.message_id))
        self.accepted.append(outgoing.message_id)

    def message_delivered(self, session: MSRPSession, outgoing: OutgoingMessage, report: MSRPData) -> None:
        self.events.append(("delivered", outgoing.message_id))
        self.delivered.append(outgoing.message_id)

    def message_failed(
        self, session: MSRPSession, outgoing: OutgoingMessage, code: int, reason: str, chunk: MSRPData | None
    ) -> None:
        self.events.append(("failed", outgoing.message_id))
        self.failures.append((outgoing.message_id, code, reason, chunk))

    def request_received(self, session: MSRPSession, chunk: MSRPData) -> None:
        self.requests.append(chunk)

    def report_received(self, session: MSRPSession, report: MSRPData) -> None:
        self.reports.append(report)

    def session_closed(self, session: MSRPSession, reason: Failure | None) -> None:
        self.events.append(("closed",))
        self.closed.append(reason)


class RecordingSink:
    """Keeps the octets of one message by their place."""

    def __init__(self) -> None:
        self.content = bytearray()
        self.pieces = 0
        self.finished: IncomingMessage | None = None
        self.aborted: str | None = None
        self.verdict: Refusal | None = None

    def write(self, offset: int, data: bytes) -> None:
        self.pieces += 1
        if len(self.content) < offset:
            self.content.extend(bytes(offset - len(self.content)))
        self.content[offset : offset + len(data)] = data

    def finish(self, message: IncomingMessage) -> Refusal | None:
        self.finished = message
        return self.verdict

    def abort(self, reason: str) -> None:
        self.aborted = reason


class Pair:
    """Two sessions over one connection: `active` has connected to `passive`."""

    def __init__(self, reactor: MemoryReactor, limits: Limits | None = None, **transport: Any) -> None:
        self.reactor = reactor
        self.limits = limits or Limits()
        self.listener = MSRPListener(reactor, "10.0.0.1", limits=self.limits, **transport)
        self.listener.start()
        self.connector = MSRPConnector(reactor, limits=self.limits, **transport)
        self.passive_handler = Recorder()
        self.active_handler = Recorder()
        self.passive = MSRPSession(self.listener.new_uri(), (), self.passive_handler, self.limits)
        uri = self.connector.new_uri("10.0.0.2")
        self.active = MSRPSession(uri, self.passive.local_path, self.active_handler, self.limits)
        self.passive.remote_path = self.active.local_path

    def bind(self) -> Pair:
        outcomes: list[Any] = []
        self.listener.expect(self.passive).addBoth(outcomes.append)
        self.connector.connect(self.active).addBoth(outcomes.append)
        self.reactor.settle()
        assert set(outcomes) == {self.passive, self.active}
        self.passive_handler.requests.clear()
        return self

    @property
    def active_socket(self) -> MemorySocket:
        return self.reactor.sockets[-2]

    @property
    def passive_socket(self) -> MemorySocket:
        return self.reactor.sockets[-1]


class RawPeer:
    """A peer of octets: it connects to a listener and says what the test wants, right or wrong."""

    def __init__(self, reactor: MemoryReactor, listener: MSRPListener) -> None:
        self.reactor = reactor
        self.received = b""
        self.is_lost = False
        self.socket: Any = None
        factory = self
        reactor.connectTCP("10.0.0.1", listener.port, factory)
        reactor.settle()

    def buildProtocol(self, address: Any) -> RawPeer:
        return self

    def makeConnection(self, socket: MemorySocket) -> None:
        self.socket = socket

    def dataReceived(self, data: bytes) -> None:
        self.received += data

    def connectionLost(self, reason: Failure) -> None:
        self.is_lost = True

    def say(self, octets: bytes) -> bytes:
        """Send; what came back since the last time."""
        self.socket.write(octets)
        return self.hear()

    def hear(self) -> bytes:
        self.reactor.settle()
        received, self.received = self.received, b""
        return received


@pytest.fixture(autouse=True)
def fresh_log() -> None:
    """No line is left out because of those of earlier tests."""
    log.reset()
    faults.reset()


@pytest.fixture
def reactor() -> Iterator[MemoryReactor]:
    reactor = MemoryReactor()
    yield reactor


@pytest.fixture
def pair(reactor: MemoryReactor) -> Pair:
    """Two sessions that are bound."""
    return Pair(reactor).bind()


@pytest.fixture
def make_pair(reactor: MemoryReactor) -> Callable[..., Pair]:
    """Two sessions that are bound, with limits and so on."""

    def make(limits: Limits | None = None, **transport: Any) -> Pair:
        return Pair(reactor, limits, **transport).bind()

    return make


class Stage:
    """One session that is expected, and a raw peer bound to it."""

    def __init__(self, reactor: MemoryReactor, limits: Limits | None = None) -> None:
        self.reactor = reactor
        self.listener = MSRPListener(reactor, "10.0.0.1", limits=limits)
        self.listener.start()
        self.handler = Recorder()
        uri = self.listener.new_uri()
        self.to_path = str(uri)
        self.from_path = "msrp://10.0.0.2:9/peer;tcp"
        self.session = MSRPSession(uri, (), self.handler, limits)
        self.listener.expect(self.session).addErrback(lambda failure: None)
        self.peer = RawPeer(reactor, self.listener)
        self.bound = self.send("bind", "")
        self.handler.requests.clear()

    def chunk(
        self,
        transaction_id: str,
        extra: str,
        body: bytes | None = None,
        flag: str = "$",
        method: str = "SEND",
        to_path: str | None = None,
    ) -> bytes:
        """A request. `extra` are header lines, without the last line end."""
        head = f"MSRP {transaction_id} {method}\r\nTo-Path: {to_path or self.to_path}\r\n"
        head += f"From-Path: {self.from_path}\r\n"
        if "Message-ID" not in extra:
            head += f"Message-ID: m-{transaction_id}\r\n"
        if extra:
            head += f"{extra}\r\n"
        text = head.encode()
        if body is not None:
            text += b"\r\n" + body + b"\r\n"
        return text + f"-------{transaction_id}{flag}\r\n".encode()

    def send(self, *arguments: Any, **named: Any) -> bytes:
        return self.peer.say(self.chunk(*arguments, **named))


@pytest.fixture
def make_stage(reactor: MemoryReactor) -> Callable[..., Stage]:
    """A session with a raw peer, with limits."""

    def make(limits: Limits | None = None) -> Stage:
        return Stage(reactor, limits)

    return make


@pytest.fixture
def stage(reactor: MemoryReactor) -> Stage:
    """A session with a raw peer."""
    return Stage(reactor)


@pytest.fixture
def make_sink() -> Callable[[], RecordingSink]:
    """Sinks that keep what they get."""
    return RecordingSink


@pytest.fixture
def make_raw_peer(reactor: MemoryReactor) -> Callable[[MSRPListener], RawPeer]:
    """Raw peers of a listener."""
    return lambda listener: RawPeer(reactor, listener)


@pytest.fixture
def make_recorder() -> Callable[[], Recorder]:
    """Handlers that write down what they are told."""
    return Recorder
