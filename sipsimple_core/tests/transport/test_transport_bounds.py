"""What a peer may take of us: each bound of the transports, and what it is told when it wants more."""

from __future__ import annotations

import itertools
import time
from collections import deque
from typing import Any

import pytest
from twisted.internet.protocol import ClientFactory, Protocol, ServerFactory
from twisted.internet.selectreactor import SelectReactor

from sipsimple.core.protocol.hop import Hop, UnreachableError
from sipsimple.core.transport import limits, udp
from sipsimple.core.transport.interface import TransportError
from sipsimple.core.transport.manager import Transports
from sipsimple.core.wire.framer import MAX_HEAD_SIZE
from sipsimple.core.wire.message import SIPRequest
from sipsimple.core.wire.parser import MAX_MESSAGE_SIZE, parse_message
from sipsimple.testing.network import MemoryNetwork

BOB = Hop("tcp", "10.0.0.2", 5060)


def make_request(body: bytes = b"", extra: tuple[tuple[str, str], ...] = ()) -> SIPRequest:
    headers = [
        ("Via", "SIP/2.0/TCP 10.0.0.9:5060;branch=z9hG4bKx1"), ("Max-Forwards", "70"),
        ("From", "<sip:alice@example.com>;tag=a1"), ("To", "<sip:bob@example.com>"), ("Call-ID", "c1"),
        ("CSeq", "1 MESSAGE"), ("Content-Type", "text/plain"), *extra,
    ]  # fmt: skip
    return SIPRequest("MESSAGE", "sip:bob@10.0.0.2", headers, body)


class Endpoint:
    """Transports on one host; records what they say."""

    def __init__(self, reactor: Any) -> None:
        self.reactor = reactor
        self.received: list[Any] = []
        self.failed: list[Any] = []
        self.transports = Transports(
            reactor,
            lambda message, source: self.received.append((message, source)),
            lambda hop, error: self.failed.append((hop, error)),
        )

    @property
    def tcp(self) -> Any:
        return self.transports._streams["tcp"]


class Raw(Protocol):
    """A peer that speaks octets; what it got is in `data`."""

    def __init__(self) -> None:
        self.data = b""
        self.lost: Any = None

    def dataReceived(self, data: bytes) -> None:
        self.data += data

    def connectionLost(self, reason: Any = None) -> None:
        self.lost = reason


@pytest.fixture
def network() -> Any:
    network = MemoryNetwork()
    yield network
    network.close()


@pytest.fixture
def alice(network: MemoryNetwork) -> Endpoint:
    return Endpoint(network.add_host("alice", "10.0.0.1"))


@pytest.fixture
def bob(network: MemoryNetwork) -> Endpoint:
    bob = Endpoint(network.add_host("bob", "10.0.0.2"))
    bob.transports.listen("tcp", 5060)
    return bob


def connect(network: MemoryNetwork, reactor: Any) -> Raw:
    peer = Raw()
    factory = ClientFactory()
    factory.buildProtocol = lambda address: peer  # type: ignore[method-assign, assignment]
    reactor.connectTCP("10.0.0.2", 5060, factory)
    network.run_until(lambda: peer.transport is not None)
    network.run_idle()
    return peer


# Messages


@pytest.mark.parametrize(
    ("start", "code"),
    [
        (make_request(b"x" * (MAX_MESSAGE_SIZE + 1)).encode(), 413),
        (make_request(extra=(("X-Long", "x" * MAX_HEAD_SIZE),)).encode(), 513),
    ],
    ids=["body", "headers"],
)
@pytest.mark.parametrize("segment_size", [100, 16384])
def test_a_message_that_is_too_large_is_answered_while_it_still_comes(
    alice: Endpoint, bob: Endpoint, network: MemoryNetwork, start: bytes, code: int, segment_size: int,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    """21.4.11, 21.5.7: the answer is not lost to a reset, though the peer goes on sending for a while."""
    network.segment_size = segment_size
    peer = connect(network, alice.reactor)
    peer.transport.write(start)
    for _ in range(10):
        network.advance(0.1)
        peer.transport.write(b"x" * 1000)
    network.run_until(lambda: peer.lost is not None)
    assert parse_message(peer.data).code == code  # type: ignore[union-attr]
    assert peer.lost.type.__name__ == "ConnectionDone"
    assert bob.received == []
    network.run_until(lambda: len(bob.tcp) == 0, timeout=20.0)
    assert len(caplog.records) == 1


def test_a_peer_that_never_stops_is_cut_off(
    network: MemoryNetwork, alice: Endpoint, bob: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    peer = connect(network, alice.reactor)
    peer.transport.write(make_request(b"x" * 100_000).encode())
    start = network.now
    while len(bob.tcp):
        assert network.now - start < limits.CLOSE_TIMEOUT + 2 * limits.CHECK_INTERVAL
        if peer.transport is not None and peer.lost is None:
            peer.transport.write(b"x" * 10_000)
        network.advance(0.1)
    assert len(caplog.records) == 1


def test_the_largest_message_is_taken(network: MemoryNetwork, alice: Endpoint, bob: Endpoint) -> None:
    head = len(make_request(b"x" * 60_000).encode()) - 60_000
    peer = connect(network, alice.reactor)
    peer.transport.write(make_request(b"x" * (MAX_MESSAGE_SIZE - head)).encode())
    network.run_until(lambda: bob.received)
    assert len(bob.received[0][0].body) == MAX_MESSAGE_SIZE - head


# Connections


def test_a_host_may_not_have_all_connections(
    network: MemoryNetwork, alice: Endpoint, bob: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    bob.tcp.max_connections_per_host = 3
    peers = [connect(network, alice.reactor) for _ in range(5)]
    network.run_until(lambda: peers[4].lost is not None)
    assert [peer.lost is not None for peer in peers] == [False, False, False, True, True]
    assert len(caplog.records) == 2
    assert "it has 3 already" in caplog.text
    # somebody else may still come
    other = connect(network, network.add_host("carol"))
    network.advance(1.0)
    assert other.lost is None
    # and the first one again, when it has closed one
    peers[0].transport.loseConnection()
    network.advance(1.0)
    again = connect(network, alice.reactor)
    network.advance(1.0)
    assert again.lost is None


def test_our_own_connections_do_not_count_for_the_host(network: MemoryNetwork, alice: Endpoint, bob: Endpoint) -> None:
    bob.tcp.max_connections_per_host = 1
    alice.transports.listen("tcp", 5060)
    bob.transports.send(make_request().encode(), Hop("tcp", "10.0.0.1", 5060))
    network.run_until(lambda: alice.received)
    peer = connect(network, alice.reactor)
    network.advance(1.0)
    assert peer.lost is None


@pytest.mark.parametrize("per_host", [True, False])
def test_the_oldest_idle_connection_gives_way(
    network: MemoryNetwork, alice: Endpoint, bob: Endpoint, per_host: bool, caplog: pytest.LogCaptureFixture
) -> None:
    if per_host:
        bob.tcp.max_connections_per_host = 3
    else:
        bob.tcp.max_connections = 3
    peers = []
    for _ in range(3):
        peers.append(connect(network, alice.reactor))
        network.advance(1.0)
    network.advance(limits.EVICTION_IDLE)
    peers[0].transport.write(b"\r\n\r\n")
    network.advance(1.0)
    new = connect(network, alice.reactor)
    network.advance(1.0)
    # all that were idle make room at once, the one that has just spoken stays
    assert [peer.lost is not None for peer in peers] == [False, True, True]
    assert new.lost is None
    assert caplog.records == []
    assert len(bob.tcp) == 2


def test_idle_connections_are_looked_for_once_in_a_while(
    network: MemoryNetwork, alice: Endpoint, bob: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A flood of connections must not cost a search through all for each."""
    bob.tcp.max_connections = 3
    searches: list[Any] = []
    monkeypatch.setattr("sipsimple.core.transport.stream.nsmallest", lambda *args, **kwargs: searches.append(1) or [])
    for _ in range(50):
        connect(network, alice.reactor)
    assert len(searches) == 1
    network.advance(limits.EVICTION_INTERVAL)
    connect(network, alice.reactor)
    assert len(searches) == 2


def test_without_room_a_request_of_ours_takes_another_way(
    network: MemoryNetwork, alice: Endpoint, bob: Endpoint
) -> None:
    bob.tcp.max_connections = 1
    connect(network, alice.reactor)
    with pytest.raises(UnreachableError, match="there are 1 already"):
        bob.transports.send(make_request().encode(), Hop("tcp", "10.0.0.1", 5060))
    network.advance(limits.EVICTION_IDLE)
    alice.transports.listen("tcp", 5060)
    bob.transports.send(make_request().encode(), Hop("tcp", "10.0.0.1", 5060))
    network.run_until(lambda: alice.received)


def test_what_an_evicted_connection_was_for_is_told(network: MemoryNetwork, alice: Endpoint, bob: Endpoint) -> None:
    alice.tcp.max_connections = 1
    alice.transports.send(make_request().encode(), BOB)
    network.run_until(lambda: bob.received)
    network.advance(limits.EVICTION_IDLE)
    carol = Endpoint(network.add_host("carol", "10.0.0.3"))
    carol.transports.listen("tcp", 5060)
    alice.transports.send(make_request().encode(), Hop("tcp", "10.0.0.3", 5060))
    assert [hop for hop, _ in alice.failed] == [BOB]
    assert not alice.transports.is_connected(BOB)
    network.run_until(lambda: carol.received)


# Peers that do not read


def silent_listener(endpoint: Endpoint) -> list[Raw]:
    peers: list[Raw] = []
    factory = ServerFactory()

    def build(address: Any) -> Raw:
        peers.append(Raw())
        return peers[-1]

    factory.buildProtocol = build  # type: ignore[method-assign, assignment]
    endpoint.reactor.listenTCP(5061, factory)
    return peers


def test_a_peer_that_does_not_read_for_a_while_is_given_up(
    network: MemoryNetwork, alice: Endpoint, bob: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    """Also if little waits for it, and although it goes on sending."""
    peers = silent_listener(bob)
    hop = Hop("tcp", "10.0.0.2", 5061)
    alice.transports.send(make_request().encode(), hop)
    network.run_until(lambda: peers and peers[0].data)
    peers[0].transport.pauseProducing()
    for _ in range(5):
        alice.transports.send(make_request(b"x" * 60_000).encode(), hop)
        network.advance(0.01)
    start = network.now
    while not alice.failed:
        peers[0].transport.write(b"\r\n\r\n")
        network.advance(1.0)
        assert network.now - start < limits.STALLED_TIMEOUT + 2 * limits.CHECK_INTERVAL
    assert network.now - start > limits.STALLED_TIMEOUT
    assert "it has not read for 30 s" in str(alice.failed[0][1])
    assert len(caplog.records) == 1


def test_one_that_reads_again_in_time_is_kept(network: MemoryNetwork, alice: Endpoint, bob: Endpoint) -> None:
    peers = silent_listener(bob)
    hop = Hop("tcp", "10.0.0.2", 5061)
    for _ in range(10):
        alice.transports.send(make_request(b"x" * 60_000).encode(), hop)
    network.run_until(lambda: peers and peers[0].data)
    peers[0].transport.pauseProducing()
    network.advance(limits.STALLED_TIMEOUT - 5.0)
    peers[0].transport.resumeProducing()
    network.advance(2 * limits.STALLED_TIMEOUT)
    assert alice.failed == []
    assert len(peers[0].data) > 600_000


def test_pings_in_masses_are_answered_with_less_than_they_are(
    network: MemoryNetwork, alice: Endpoint, bob: Endpoint
) -> None:
    peer = connect(network, alice.reactor)
    peer.transport.write(b"\r\n\r\n" * 10_000)
    network.run_until(lambda: len(peer.data) == 20_000)


def test_many_idle_connections_cost_little() -> None:
    """The bookkeeping of 10,000 connections: a few kB each, and one look at all of them in a few milliseconds."""
    network = MemoryNetwork()
    bob = Endpoint(network.add_host("bob", "10.0.0.2"))
    transport = bob.tcp

    class Address:
        host = "192.0.2.1"

    class Transport(Raw):
        def __getattr__(self, name: str) -> Any:
            return lambda *args: Address

    transport.max_connections_per_host = 20_000
    for port in range(10_000):
        Address.port = port  # type: ignore[attr-defined]
        connection = transport.accept(Address)
        connection.makeConnection(Transport())
    assert len(transport) == 10_000
    started = time.perf_counter()
    transport._check_all()
    assert time.perf_counter() - started < 0.2


# Real sockets: an answer to what is too large arrives there too


def test_an_answer_to_a_large_message_arrives_over_real_sockets() -> None:
    reactor = SelectReactor()
    bob = Endpoint(reactor)
    port = bob.transports.listen("tcp", 0, "127.0.0.1").port
    peer = Raw()
    factory = ClientFactory()
    factory.buildProtocol = lambda address: peer  # type: ignore[method-assign, assignment]
    reactor.connectTCP("127.0.0.1", port, factory)
    deadline = time.monotonic() + 10.0

    def pump(condition: Any) -> None:
        while not condition():
            assert time.monotonic() < deadline, "it did not come true in time"
            reactor.iterate(0.01)

    pump(lambda: peer.transport is not None)
    peer.transport.write(make_request(b"x" * 5_000_000).encode())
    pump(lambda: peer.lost is not None)
    assert parse_message(peer.data).code == 413  # type: ignore[union-attr]
    done: list[Any] = []
    bob.transports.close().addBoth(done.append)
    pump(lambda: done)


def test_a_closed_transport_takes_nothing(network: MemoryNetwork, bob: Endpoint) -> None:
    bob.transports.close()
    with pytest.raises(TransportError):
        bob.transports.send(make_request().encode(), Hop("tcp", "10.0.0.1", 5060))


# Bursts of datagrams


class _Turns:
    """A reactor that does nothing by itself: `turn` is one turn of the event loop."""

    def __init__(self) -> None:
        self.due: list[Any] = []

    def callLater(self, delay: float, function: Any) -> None:
        assert delay == 0
        self.due.append(function)

    def turn(self) -> None:
        due, self.due = self.due, []
        for function in due:
            function()


class _Handled:
    """The owner of a listener."""

    def __init__(self) -> None:
        self.messages: list[bytes] = []

    def data_received(self, data: bytes, source: Any, local: Any) -> None:
        self.messages.append(data)


def _udp_listener() -> tuple[Any, _Turns, _Handled]:
    listener: Any = udp.UDPListener.__new__(udp.UDPListener)
    listener._owner, listener._reactor = _Handled(), _Turns()
    listener._left, listener._waiting, listener._waiting_octets = udp.HANDLED_AT_ONCE, deque(), 0
    listener.local = None
    return listener, listener._reactor, listener._owner


def test_a_burst_of_datagrams_is_handled_a_few_at_a_time() -> None:
    """None is lost, all stay in order, and in each turn of the event loop there are only some."""
    listener, reactor, owner = _udp_listener()
    sent = [b"OPTIONS %d" % number + b" " * 690 for number in range(500)]
    for datagram in sent:
        listener.datagramReceived(datagram, ("10.0.0.1", 5060))
    counts = [len(owner.messages)]
    while reactor.due:
        reactor.turn()
        counts.append(len(owner.messages))
        if len(counts) == 20:
            listener.datagramReceived(b"OPTIONS late", ("10.0.0.1", 5060))
    assert owner.messages == [*sent, b"OPTIONS late"]
    assert max(after - before for before, after in itertools.pairwise(counts)) <= 4 and counts[0] <= 4
    listener.datagramReceived(b"OPTIONS now", ("10.0.0.1", 5060))
    assert owner.messages[-1] == b"OPTIONS now"


def test_what_waits_of_a_burst_is_bounded() -> None:
    listener, reactor, owner = _udp_listener()
    for _ in range(200):
        listener.datagramReceived(b"O" * 60_000, ("10.0.0.1", 5060))
    assert listener._waiting_octets < udp.MAX_WAITING + 60_000
    while reactor.due:
        reactor.turn()
    assert len(owner.messages) < 80 and listener._waiting_octets == 0
