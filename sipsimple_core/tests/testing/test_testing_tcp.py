"""TCP on the memory network: connecting, order, closing, back-pressure, faults."""

from collections.abc import Callable

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.endpoints import HostnameEndpoint, TCP4ServerEndpoint
from twisted.internet.error import (
    CannotListenError,
    ConnectBindError,
    ConnectingCancelledError,
    ConnectionAborted,
    ConnectionDone,
    ConnectionLost,
    ConnectionRefusedError,
    DNSLookupError,
    TimeoutError,
    UserError,
)
from twisted.internet.interfaces import (
    IConnector,
    IConsumer,
    IListeningPort,
    IPushProducer,
    IReactorTCP,
    ITCPTransport,
)
from twisted.internet.protocol import ClientFactory, Factory, Protocol, ServerFactory
from twisted.python.failure import Failure
from zope.interface.verify import verifyObject

from sipsimple.testing.network import MemoryNetwork
from sipsimple.testing.packets import Packet, Verdict
from sipsimple.testing.reactor import MemoryReactor


class Recorder(Protocol):
    """Keeps what arrives and why it ended."""

    def __init__(self) -> None:
        self.chunks: list[bytes] = []
        self.reason: Failure | None = None
        self.made = 0

    @property
    def received(self) -> bytes:
        return b"".join(self.chunks)

    @property
    def ended_with(self) -> type[BaseException] | None:
        return self.reason.type if self.reason is not None else None

    def connectionMade(self) -> None:
        self.made += 1

    def dataReceived(self, data: bytes) -> None:
        self.chunks.append(data)

    def connectionLost(self, reason: Failure = None) -> None:
        assert self.reason is None
        self.reason = reason


class Server(ServerFactory):
    def __init__(self, protocol: Callable[[], Protocol | None] = Recorder) -> None:
        self.make = protocol
        self.protocols: list = []
        self.peers: list[IPv4Address] = []
        self.stopped = False

    def buildProtocol(self, addr: IPv4Address) -> Protocol | None:
        self.peers.append(addr)
        self.protocols.append(self.make())
        return self.protocols[-1]

    def stopFactory(self) -> None:
        self.stopped = True


class Client(ClientFactory):
    def __init__(self, protocol: Callable[[], Protocol | None] = Recorder) -> None:
        self.make = protocol
        self.protocol_made: Recorder | None = None
        self.events: list[str] = []
        self.failure: Failure | None = None

    def doStart(self) -> None:
        self.events.append("start")

    def doStop(self) -> None:
        self.events.append("stop")

    def startedConnecting(self, connector: IConnector) -> None:
        self.events.append("connecting")

    def buildProtocol(self, addr: IPv4Address) -> Protocol | None:
        self.events.append("build")
        self.protocol_made = self.make()
        return self.protocol_made

    def clientConnectionFailed(self, connector: IConnector, reason: Failure) -> None:
        self.events.append("failed")
        self.failure = reason

    def clientConnectionLost(self, connector: IConnector, reason: Failure) -> None:
        self.events.append("lost")
        self.failure = reason


class Scene:
    """A client at host a, a server at port 2855 of host b."""

    def __init__(
        self,
        network: MemoryNetwork,
        server: Callable[[], Protocol | None] = Recorder,
        client: Callable[[], Protocol | None] = Recorder,
    ) -> None:
        self.network = network
        self.a, self.b = network.add_host("a"), network.add_host("b")
        self.server, self.client = Server(server), Client(client)
        self.port = self.b.listenTCP(2855, self.server)
        self.connector = self.a.connectTCP("b", 2855, self.client)

    def connected(self) -> "Scene":
        self.network.run_until(lambda: self.server.protocols and self.at_b.made)
        return self

    @property
    def at_a(self) -> Recorder:
        assert self.client.protocol_made is not None
        return self.client.protocol_made

    @property
    def at_b(self) -> Recorder:
        return self.server.protocols[0]


@pytest.fixture
def network() -> MemoryNetwork:
    return MemoryNetwork()


@pytest.fixture
def scene(network: MemoryNetwork) -> Scene:
    return Scene(network).connected()


def kinds(network: MemoryNetwork) -> list[str]:
    return [packet.kind for packet in network.packets]


def test_a_connection_takes_three_packets(network: MemoryNetwork) -> None:
    network.latency = 1.0
    scene = Scene(network)
    assert scene.client.events == ["start", "connecting"]
    network.advance(1.5)
    assert scene.client.protocol_made is None
    network.advance(1.0)
    assert (scene.at_a.made, scene.server.protocols) == (1, [])
    network.advance(1.0)
    assert scene.at_b.made == 1
    assert kinds(network) == ["syn", "syn-ack", "ack"]
    assert scene.client.events == ["start", "connecting", "build"]
    assert scene.connector.state == "connected"


def test_addresses_of_both_ends(scene: Scene) -> None:
    port = scene.at_a.transport.getHost().port
    assert port >= 49152
    assert scene.at_a.transport.getHost() == scene.at_b.transport.getPeer() == IPv4Address("TCP", "10.0.0.1", port)
    assert scene.at_a.transport.getPeer() == scene.at_b.transport.getHost() == IPv4Address("TCP", "10.0.0.2", 2855)
    assert scene.server.peers == [scene.at_a.transport.getHost()]
    assert scene.connector.getDestination() == IPv4Address("TCP", "b", 2855)
    assert scene.port.getHost() == IPv4Address("TCP", "0.0.0.0", 2855)


def test_they_are_what_they_declare(scene: Scene) -> None:
    assert verifyObject(IReactorTCP, scene.a)
    assert verifyObject(IListeningPort, scene.port)
    assert verifyObject(IConnector, scene.connector)
    for transport in (scene.at_a.transport, scene.at_b.transport):
        assert verifyObject(ITCPTransport, transport)
        assert verifyObject(IConsumer, transport)
        assert verifyObject(IPushProducer, transport)
        transport.setTcpNoDelay(True)
        transport.setTcpKeepAlive(1)
        assert (transport.getTcpNoDelay(), transport.getTcpKeepAlive()) == (True, True)


def test_data_arrives_in_order_in_both_directions_and_writes_of_one_event_are_joined(scene: Scene) -> None:
    scene.at_a.transport.write(b"one ")
    scene.at_a.transport.writeSequence([b"two ", b"three"])
    scene.at_b.transport.write(b"four")
    scene.network.run_idle()
    assert scene.at_b.chunks == [b"one two three"]
    assert scene.at_a.chunks == [b"four"]
    with pytest.raises(TypeError):
        scene.at_a.transport.write("text")


@pytest.mark.parametrize("size", [1, 7, 1460])
def test_the_segment_size_decides_how_a_stream_is_cut(scene: Scene, size: int) -> None:
    data = bytes(range(256)) * 20
    scene.network.segment_size = size
    scene.at_a.transport.write(data)
    scene.network.run_idle()
    assert scene.at_b.received == data
    assert {len(chunk) for chunk in scene.at_b.chunks[:-1]} == {size}


def test_lose_connection_flushes_first(scene: Scene) -> None:
    data = b"x" * 1_000_000
    scene.at_a.transport.write(data)
    scene.at_a.transport.loseConnection()
    scene.at_a.transport.write(b"late, but before the end")
    assert scene.at_a.reason is None
    scene.network.run_idle()
    assert scene.at_b.received == data + b"late, but before the end"
    assert (scene.at_a.ended_with, scene.at_b.ended_with) == (ConnectionDone, ConnectionDone)
    assert scene.client.events[-2:] == ["lost", "stop"]
    assert scene.connector.state == "disconnected"
    assert scene.network.connections == {}


def test_no_data_is_received_after_lose_connection(scene: Scene) -> None:
    scene.at_b.transport.write(b"in flight")
    scene.at_a.transport.loseConnection()
    scene.network.run_idle()
    assert scene.at_a.received == b""
    assert scene.at_b.reason is not None
    scene.at_b.transport.write(b"after the end")
    scene.network.run_idle()
    assert scene.network.packets[-1].data != b"after the end"


def test_abort_drops_what_is_buffered_and_resets(scene: Scene) -> None:
    scene.at_a.transport.write(b"never sent")
    scene.at_a.transport.abortConnection()
    scene.at_a.transport.abortConnection()
    assert scene.at_a.reason is None
    scene.network.run_idle()
    assert (scene.at_a.ended_with, scene.at_b.ended_with) == (ConnectionAborted, ConnectionLost)
    assert scene.at_b.received == b""
    assert kinds(scene.network)[-1] == "rst"


def test_a_close_with_unread_data_is_a_reset(scene: Scene) -> None:
    scene.at_b.transport.pauseProducing()
    scene.at_a.transport.write(b"unread")
    scene.network.run_idle()
    scene.at_b.transport.loseConnection()
    scene.network.run_idle()
    assert (scene.at_a.ended_with, scene.at_b.ended_with) == (ConnectionLost, ConnectionDone)


def test_data_for_a_closed_end_is_answered_with_a_reset(scene: Scene) -> None:
    scene.at_a.transport.pauseProducing()
    scene.at_b.transport.loseConnection()
    scene.network.run_idle()
    assert scene.at_a.reason is None
    scene.at_a.transport.write(b"to nobody")
    scene.network.run_idle()
    assert scene.at_a.ended_with is ConnectionLost


@pytest.mark.parametrize(
    ("target", "error"),
    [
        (("b", 2856), ConnectionRefusedError),
        (("127.0.0.1", 2855), ConnectionRefusedError),
        (("10.7.7.7", 2855), TimeoutError),
        (("nobody", 2855), DNSLookupError),
    ],
)
def test_a_connection_that_does_not_come_about(network: MemoryNetwork, target, error: type[Exception]) -> None:
    scene, client = Scene(network).connected(), Client()
    started = network.now
    scene.a.connectTCP(*target, client, timeout=10)
    network.run_until(lambda: client.failure)
    assert client.failure.type is error
    assert client.events == ["start", "connecting", "failed", "stop"]
    assert network.now - started == pytest.approx(10.0 if error is TimeoutError else 0.0, abs=0.01)
    assert not scene.a.getDelayedCalls()


def test_a_failed_connector_may_try_again(network: MemoryNetwork) -> None:
    host, client, server = network.add_host("a"), Client(), Server()
    connector = host.connectTCP("127.0.0.1", 2855, client)
    network.run_until(lambda: client.failure)
    host.listenTCP(2855, server)
    connector.connect()
    network.run_until(lambda: server.protocols)
    assert server.peers[0].host == "127.0.0.1"
    assert client.protocol_made.transport.getPeer() == IPv4Address("TCP", "127.0.0.1", 2855)


def test_an_attempt_can_be_stopped(network: MemoryNetwork) -> None:
    network.latency = 1.0
    scene = Scene(network)
    network.advance(1.5)
    scene.connector.stopConnecting()
    assert scene.client.failure.type is UserError
    network.run_idle()
    assert scene.client.protocol_made is None
    assert scene.server.protocols == []
    assert kinds(network) == ["syn", "syn-ack", "rst"]


def test_disconnect_of_a_connector_closes(scene: Scene) -> None:
    scene.connector.disconnect()
    scene.network.run_idle()
    assert scene.at_b.ended_with is ConnectionDone


def test_a_factory_may_refuse_to_build_a_protocol(network: MemoryNetwork) -> None:
    scene = Scene(network, server=lambda: None)
    network.run_idle()
    assert scene.at_a.ended_with is ConnectionDone
    other = Scene(MemoryNetwork(), client=lambda: None)
    other.network.run_idle()
    assert other.at_b.ended_with is ConnectionDone
    assert other.client.events == ["start", "connecting", "build", "lost", "stop"]


def test_a_factory_that_fails_is_reported_and_the_peer_is_reset(network: MemoryNetwork) -> None:
    scene = Scene(network, server=lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        network.run_idle()
    assert scene.at_a.ended_with is ConnectionLost
    other = Scene(MemoryNetwork(), client=lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        other.network.run_idle()
    assert other.client.failure.type is ZeroDivisionError
    assert other.at_b.ended_with is ConnectionLost


def test_an_exception_in_a_protocol_is_collected_and_ends_its_connection(network: MemoryNetwork) -> None:
    class Failing(Recorder):
        def dataReceived(self, data: bytes) -> None:
            raise KeyError(data)

    scene = Scene(network, server=Failing).connected()
    scene.at_a.transport.write(b"x")
    with pytest.raises(KeyError) as failure:
        network.run_idle()
    assert failure.value.__notes__ == ["in Failing.dataReceived of b at virtual time 0.004000"]
    assert (scene.at_a.ended_with, scene.at_b.ended_with) == (ConnectionDone, KeyError)


def test_ports_in_use(scene: Scene) -> None:
    with pytest.raises(CannotListenError):
        scene.b.listenTCP(2855, Server())
    first = scene.a.listenTCP(0, Server()).getHost().port
    assert scene.a.listenTCP(0, Server()).getHost().port != first
    client = Client()
    scene.a.connectTCP("b", 2855, client, bindAddress=("", first))
    scene.network.run_idle()
    assert client.failure.type is ConnectBindError
    bound = Client()
    scene.a.connectTCP("b", 2855, bound, bindAddress=("0.0.0.0", 4444))
    scene.network.run_idle()
    assert bound.protocol_made.transport.getHost() == IPv4Address("TCP", "10.0.0.1", 4444)


def test_a_port_that_stops_keeps_its_connections_and_takes_no_more(scene: Scene) -> None:
    stopped: list[object] = []
    scene.port.stopListening().addCallback(stopped.append)
    late = Client()
    scene.a.connectTCP("b", 2855, late)
    scene.network.run_idle()
    assert stopped == [None]
    assert scene.server.stopped
    assert late.failure.type is ConnectionRefusedError
    scene.at_a.transport.write(b"still here")
    scene.network.run_idle()
    assert scene.at_b.received == b"still here"
    scene.b.listenTCP(2855, Server())


class Producer:
    """A push producer that writes 1000 octets at each turn unless it is paused."""

    def __init__(self, reactor: MemoryReactor, transport: ITCPTransport) -> None:
        self.reactor, self.transport = reactor, transport
        self.paused, self.stopped, self.written, self.pauses = False, False, 0, 0
        reactor.callLater(0, self.turn)

    def turn(self) -> None:
        if self.stopped:
            return
        if not self.paused:
            self.transport.write(b"x" * 1000)
            self.written += 1000
        self.reactor.callLater(0.001, self.turn)

    def pauseProducing(self) -> None:
        self.paused = True
        self.pauses += 1

    def resumeProducing(self) -> None:
        self.paused = False

    def stopProducing(self) -> None:
        self.stopped = True


def test_a_receiver_that_does_not_read_pauses_the_producer_at_the_other_end(scene: Scene) -> None:
    producer = Producer(scene.a, scene.at_a.transport)
    scene.at_a.transport.registerProducer(producer, streaming=True)
    with pytest.raises(RuntimeError):
        scene.at_a.transport.registerProducer(producer, streaming=True)
    scene.network.advance(1.0)
    assert producer.pauses == 0
    scene.at_b.transport.pauseProducing()
    read = len(scene.at_b.received)
    scene.network.advance(1.0)
    assert producer.paused
    assert len(scene.at_b.received) == read
    assert producer.written - read <= scene.network.tcp_window + 65536 + 1000
    stalled_at = producer.written
    scene.at_b.transport.resumeProducing()
    assert len(scene.at_b.received) == read
    scene.network.advance(1.0)
    assert producer.written > stalled_at
    assert not producer.paused
    producer.stopped = True
    scene.network.run_idle()
    assert len(scene.at_b.received) == producer.written


def test_a_producer_is_stopped_with_its_connection(scene: Scene) -> None:
    producer = Producer(scene.a, scene.at_a.transport)
    scene.at_a.transport.registerProducer(producer, streaming=True)
    scene.network.kill_connections()
    scene.network.run_idle()
    assert producer.stopped
    late = Producer(scene.a, scene.at_a.transport)
    scene.network.connections.clear()
    assert not late.stopped


def test_a_pull_producer_is_asked_whenever_the_buffer_is_empty(scene: Scene) -> None:
    transport, chunks = scene.at_a.transport, [b"%06d" % number * 1000 for number in range(50)]

    class PullProducer:
        asked = 0

        def resumeProducing(self) -> None:
            self.asked += 1
            if chunks:
                transport.write(chunks.pop(0))
            else:
                transport.unregisterProducer()
                transport.loseConnection()

        def stopProducing(self) -> None:
            raise AssertionError("the producer was unregistered")

    everything = b"".join(chunks)
    producer = PullProducer()
    transport.registerProducer(producer, streaming=False)
    assert producer.asked == 1
    scene.network.run_idle()
    assert producer.asked == 51
    assert scene.at_b.received == everything
    assert scene.at_b.ended_with is ConnectionDone


def test_pausing_inside_data_received_stops_the_next_chunk(network: MemoryNetwork) -> None:
    class Sipping(Recorder):
        def dataReceived(self, data: bytes) -> None:
            super().dataReceived(data)
            self.transport.pauseProducing()

    scene = Scene(network, server=Sipping).connected()
    network.segment_size = 10
    scene.at_a.transport.write(b"x" * 30)
    scene.at_a.transport.loseConnection()
    for chunks in (1, 2, 3):
        network.run_idle()
        assert len(scene.at_b.chunks) == chunks
        assert scene.at_b.reason is None
        scene.at_b.transport.resumeProducing()
    network.run_idle()
    assert scene.at_b.ended_with is ConnectionDone


def test_a_window_holds_what_is_not_read(scene: Scene) -> None:
    scene.network.tcp_window = 5000
    scene.at_b.transport.pauseProducing()
    scene.at_a.transport.write(b"x" * 20_000)
    scene.at_a.transport.loseConnection()
    scene.network.run_idle()
    assert sum(len(packet.data) for packet in scene.network.packets) == 5000
    assert scene.at_a.reason is None
    scene.at_b.transport.resumeProducing()
    scene.network.run_idle()
    assert len(scene.at_b.received) == 20_000
    assert (scene.at_a.ended_with, scene.at_b.ended_with) == (ConnectionDone, ConnectionDone)


def test_killed_connections_are_lost_at_both_ends(scene: Scene) -> None:
    other = Client()
    scene.network.add_host("c").connectTCP("b", 2855, other)
    scene.network.run_idle()
    assert scene.network.kill_connections("c", "a") == 0
    assert scene.network.kill_connections(scene.b, "a") == 1
    scene.network.run_idle()
    assert (scene.at_a.ended_with, scene.at_b.ended_with) == (ConnectionLost, ConnectionLost)
    assert other.protocol_made.reason is None
    assert scene.network.kill_connections("b") == 1


def test_data_waits_for_a_partition_to_heal(scene: Scene) -> None:
    scene.network.partition("a", "b")
    scene.at_a.transport.write(b"patience")
    scene.network.advance(30.0)
    assert scene.at_b.received == b""
    scene.network.heal()
    scene.network.advance(15.0)
    assert scene.at_b.received == b"patience"
    assert scene.at_a.reason is None


def test_a_connection_is_given_up_when_nothing_gets_through(scene: Scene) -> None:
    scene.network.partition("a", "b")
    scene.at_a.transport.write(b"hello?")
    started = scene.network.now
    scene.network.run_until(lambda: scene.at_a.reason, timeout=1000)
    assert scene.at_a.ended_with is ConnectionLost
    assert scene.network.now - started == pytest.approx(scene.network.tcp_user_timeout)
    assert scene.at_b.reason is None


def test_a_crashed_peer_is_noticed_by_those_who_write_only(scene: Scene) -> None:
    scene.network.crash("b")
    scene.network.advance(3600.0)
    assert scene.at_a.reason is None
    scene.at_a.transport.write(b"hello?")
    scene.network.run_until(lambda: scene.at_a.reason, timeout=1000)
    assert scene.at_a.ended_with is ConnectionLost


def test_a_crash_with_data_in_flight(scene: Scene) -> None:
    scene.at_a.transport.write(b"hello?")
    scene.network.latency = 10.0
    scene.network.advance(1.0)
    scene.network.crash("b")
    scene.network.run_until(lambda: scene.at_a.reason, timeout=1000)
    assert scene.at_a.ended_with is ConnectionLost


def test_a_connection_is_made_across_a_short_partition(network: MemoryNetwork) -> None:
    scene = Scene(network)
    network.partition("a")
    network.advance(5.0)
    network.heal()
    network.run_until(lambda: scene.server.protocols, timeout=20)
    assert scene.at_b.made == 1


def test_an_attempt_without_timeout_ends_as_tcp_ends_it(network: MemoryNetwork) -> None:
    client = Client()
    network.add_host("a").connectTCP("10.7.7.7", 1, client, timeout=None)
    network.run_until(lambda: client.failure, timeout=1000)
    assert client.failure.type is TimeoutError


def test_dropped_segments_are_sent_again_and_the_stream_stays_in_order(scene: Scene) -> None:
    dropped: list[bytes] = []

    def drop_each_once(packet: Packet) -> Verdict | None:
        if packet.data and packet.data not in dropped:
            dropped.append(packet.data)
            return Verdict.DROP
        return None

    scene.network.filter(drop_each_once)
    scene.network.segment_size = 4
    for number in range(20):
        scene.at_a.transport.write(b"%04d" % number)
    scene.at_a.transport.loseConnection()
    scene.network.run_until(lambda: scene.at_b.reason)
    assert len(dropped) == 20
    assert scene.at_b.received == b"".join(b"%04d" % number for number in range(20))
    assert scene.at_b.ended_with is ConnectionDone


def test_held_segments_stall_the_stream(scene: Scene) -> None:
    scene.network.segment_size = 3
    holder = scene.network.filter(lambda packet: Verdict.HOLD if packet.data == b"two" else None)
    scene.at_a.transport.write(b"onetwosix")
    scene.network.run_idle()
    assert scene.at_b.received == b"one"
    holder.release()
    scene.network.run_idle()
    assert scene.at_b.chunks == [b"one", b"two", b"six"]


@pytest.mark.parametrize("seed", range(5))
def test_a_disturbed_network_leaves_streams_whole(seed: int) -> None:
    network = MemoryNetwork(seed, jitter=0.5, loss=0.5, reordering=0.5, duplication=0.5, segment_size=100)
    scene = Scene(network).connected()
    data = bytes(network.random.randrange(256) for _ in range(20_000))
    scene.at_a.transport.write(data)
    scene.at_a.transport.loseConnection()
    network.run_until(lambda: scene.at_b.reason, timeout=600)
    assert scene.at_b.received == data


def test_a_half_closed_protocol_goes_on_writing(network: MemoryNetwork) -> None:
    from twisted.internet.interfaces import IHalfCloseableProtocol
    from zope.interface import implementer

    @implementer(IHalfCloseableProtocol)
    class HalfCloseable(Recorder):
        half_events = ()

        def readConnectionLost(self) -> None:
            self.half_events += ("read",)
            self.transport.write(b"the rest")
            self.transport.loseConnection()

        def writeConnectionLost(self) -> None:
            self.half_events += ("write",)

    scene = Scene(network, server=HalfCloseable, client=HalfCloseable).connected()
    scene.at_a.transport.write(b"all")
    scene.at_a.transport.loseWriteConnection()
    network.run_idle()
    assert scene.at_b.received == b"all"
    assert scene.at_a.received == b"the rest"
    assert scene.at_a.half_events == ("write",)
    assert scene.at_b.half_events == ("read",)
    assert (scene.at_a.ended_with, scene.at_b.ended_with) == (ConnectionDone, ConnectionDone)


def test_endpoints_work_by_name(network: MemoryNetwork) -> None:
    a, b, server, made, failed = network.add_host("a"), network.add_host("b"), Server(), [], []
    TCP4ServerEndpoint(b, 2855).listen(server)
    HostnameEndpoint(a, "b", 2855).connect(Factory.forProtocol(Recorder)).addCallback(made.append)
    HostnameEndpoint(a, "nobody", 2855).connect(Factory.forProtocol(Recorder)).addErrback(
        lambda failure: failed.append(failure.type)
    )
    network.run_until(lambda: server.protocols and failed)
    assert made[0].transport.getPeer().host == b.ip
    assert failed == [DNSLookupError]
    attempt = HostnameEndpoint(a, "10.7.7.7", 2855).connect(Factory.forProtocol(Recorder))
    attempt.addErrback(lambda failure: failed.append(failure.type))
    network.advance(1.0)
    attempt.cancel()
    network.run_idle()
    assert failed[1] is ConnectingCancelledError


def test_tls_runs_over_the_transports(network: MemoryNetwork) -> None:
    ssl = pytest.importorskip("twisted.internet.ssl")
    from twisted.protocols.tls import TLSMemoryBIOFactory

    a, b, server, client = network.add_host("a"), network.add_host("b"), Server(), Client()
    b.listenTCP(5061, TLSMemoryBIOFactory(self_signed_context(ssl), False, server, clock=b))
    a.connectTCP("b", 5061, TLSMemoryBIOFactory(ssl.CertificateOptions(), True, client, clock=a))
    network.segment_size = 333
    network.run_until(lambda: client.protocol_made and server.protocols)
    at_a, at_b = client.protocol_made, server.protocols[0]
    at_a.transport.write(b"secret " * 10_000)
    at_b.transport.write(b"answer")
    network.run_until(lambda: len(at_b.received) == 70_000 and at_a.received == b"answer")
    assert not network.packets.select(contains=b"secret")
    at_a.transport.loseConnection()
    network.run_until(lambda: at_a.reason and at_b.reason)
    assert (at_a.ended_with, at_b.ended_with) == (ConnectionDone, ConnectionDone)


def self_signed_context(ssl):
    from datetime import UTC, datetime, timedelta

    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import ec

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "b")])
    now = datetime.now(UTC)
    certificate = x509.CertificateBuilder(
        name, name, key.public_key(), 1, now - timedelta(days=1), now + timedelta(days=1)
    ).sign(key, hashes.SHA256())
    return ssl.CertificateOptions(privateKey=key, certificate=certificate)
