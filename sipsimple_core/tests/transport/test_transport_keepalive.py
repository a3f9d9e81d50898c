"""Keep-alives (RFC 5626 4.4): CRLF over connections, STUN over UDP, both sides of them, and STUN's own format."""

from __future__ import annotations

import random
from ipaddress import ip_address
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.protocol import DatagramProtocol, Protocol, ServerFactory

from sipsimple.core.protocol.hop import Hop
from sipsimple.core.transport import keepalive, limits, stun
from sipsimple.core.transport.manager import Transports
from sipsimple.core.wire.message import SIPRequest
from sipsimple.testing.network import MemoryNetwork

TCP = Hop("tcp", "10.0.0.2", 5060)
UDP = Hop("udp", "10.0.0.2", 5060)
REQUEST = SIPRequest(
    "OPTIONS", "sip:bob@10.0.0.2",
    [("Via", "SIP/2.0/TCP 10.0.0.1;branch=z9hG4bKx"), ("From", "<sip:a@a.b>;tag=1"), ("To", "<sip:b@b.c>"),
     ("Call-ID", "c1"), ("CSeq", "1 OPTIONS")],
).encode()  # fmt: skip


class Endpoint:
    """Transports on one host; records what they say."""

    def __init__(self, network: MemoryNetwork, name: str) -> None:
        self.reactor = network.add_host(name)
        self.received: list[Any] = []
        self.failed: list[Any] = []
        self.transports = Transports(
            self.reactor,
            lambda message, source: self.received.append((message, source)),
            lambda hop, error: self.failed.append((hop, error)),
        )
        self.transports.keep_alives.random = random.Random(1)


class Raw(Protocol):
    """A peer that speaks octets, and answers only what it is told to."""

    def __init__(self, answer: bytes) -> None:
        self.answer = answer
        self.data = b""

    def dataReceived(self, data: bytes) -> None:
        self.data += data
        if self.answer:
            self.transport.write(self.answer)


class Datagrams(DatagramProtocol):
    """A UDP peer that records what it gets, and answers by a function."""

    def __init__(self, answer: Any = None) -> None:
        self.answer = answer
        self.got: list[bytes] = []

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        self.got.append(datagram)
        answer = None if self.answer is None else self.answer(datagram, addr)
        if answer is not None:
            self.transport.write(answer, addr)


@pytest.fixture
def network() -> Any:
    network = MemoryNetwork()
    yield network
    network.close()


@pytest.fixture
def alice(network: MemoryNetwork) -> Endpoint:
    alice = Endpoint(network, "alice")
    alice.transports.listen("udp", 5060)
    return alice


@pytest.fixture
def bob(network: MemoryNetwork) -> Endpoint:
    return Endpoint(network, "bob")


def raw_listener(endpoint: Endpoint, answer: bytes = b"") -> list[Raw]:
    peers: list[Raw] = []
    factory = ServerFactory()

    def build(address: Any) -> Raw:
        peers.append(Raw(answer))
        return peers[-1]

    factory.buildProtocol = build  # type: ignore[method-assign, assignment]
    endpoint.reactor.listenTCP(5060, factory)
    return peers


def connect(network: MemoryNetwork, alice: Endpoint, peers: list[Raw]) -> None:
    alice.transports.send(REQUEST, TCP)
    network.run_until(lambda: peers and peers[0].data)
    peers[0].data = b""


# Over a connection


def test_a_connection_is_kept_alive_while_it_is_answered(
    network: MemoryNetwork, alice: Endpoint, bob: Endpoint
) -> None:
    bob.transports.listen("tcp", 5060)
    alice.transports.send(REQUEST, TCP)
    network.run_until(lambda: bob.received)
    failed: list[Exception] = []
    keep_alive = alice.transports.keep_alives.start(TCP, 100.0, failed.append)
    start = network.now
    network.advance(limits.IDLE_TIMEOUT * 2)
    pings = network.packets.select(source="10.0.0.1", starts_with=b"\r\n\r\n")
    pongs = network.packets.select(source="10.0.0.2", starts_with=b"\r\n")
    assert [packet.data for packet in pongs] == [b"\r\n"] * len(pings)
    # 4.4.1: each time another interval, between 80 and 100 per cent of what was asked for
    times = [start, *(packet.time for packet in pings)]
    pauses = [later - earlier for earlier, later in pairwise(times)]
    assert all(80.0 <= pause <= 110.0 for pause in pauses)
    assert len({round(pause, 3) for pause in pauses}) > len(pauses) // 2
    assert failed == [] and keep_alive.is_active
    assert alice.transports.is_connected(TCP)
    assert len(bob.received) == 1


def test_without_an_answer_the_flow_has_failed_and_the_connection_is_closed(
    network: MemoryNetwork, alice: Endpoint, bob: Endpoint
) -> None:
    peers = raw_listener(bob)
    connect(network, alice, peers)
    failed: list[Exception] = []
    keep_alive = alice.transports.keep_alives.start(TCP, 100.0, failed.append)
    network.run_until(lambda: peers[0].data, timeout=101.0)
    assert peers[0].data == b"\r\n\r\n"
    asked = network.now
    network.run_until(lambda: alice.failed, timeout=60.0)
    assert network.now - asked == pytest.approx(limits.PONG_TIMEOUT, abs=0.1)
    assert [str(error) for error in failed] == ["tcp:10.0.0.2:5060 did not answer a keep-alive within 10 s"]
    assert [hop for hop, _ in alice.failed] == [TCP]
    assert not keep_alive.is_active
    assert not alice.transports.is_connected(TCP)
    keep_alive.stop()
    assert len(alice.transports.keep_alives) == 0


def test_whatever_the_peer_says_is_an_answer(network: MemoryNetwork, alice: Endpoint, bob: Endpoint) -> None:
    peers = raw_listener(bob, REQUEST)
    connect(network, alice, peers)
    failed: list[Exception] = []
    alice.transports.keep_alives.start(TCP, 100.0, failed.append)
    network.advance(500.0)
    assert failed == []
    assert peers[0].data.count(b"\r\n\r\n") >= 5


def test_a_peer_that_need_not_answer_may_be_silent(network: MemoryNetwork, alice: Endpoint, bob: Endpoint) -> None:
    peers = raw_listener(bob)
    connect(network, alice, peers)
    failed: list[Exception] = []
    alice.transports.keep_alives.start(TCP, 100.0, failed.append, answered=False)
    network.advance(limits.IDLE_TIMEOUT * 2)
    assert failed == []
    assert len(peers[0].data) > 4 * 15
    assert alice.transports.is_connected(TCP)


def test_the_end_of_the_connection_is_told(network: MemoryNetwork, alice: Endpoint, bob: Endpoint) -> None:
    peers = raw_listener(bob)
    connect(network, alice, peers)
    failed: list[Exception] = []
    alice.transports.keep_alives.start(TCP, 100.0, failed.append)
    peers[0].transport.loseConnection()
    network.run_until(lambda: failed)
    assert "was lost" in str(failed[0])
    network.advance(200.0)
    assert len(failed) == 1


def test_a_flow_without_a_connection_fails(network: MemoryNetwork, alice: Endpoint) -> None:
    failed: list[Exception] = []
    alice.transports.keep_alives.start(TCP, 10.0, failed.append)
    network.run_until(lambda: failed)
    assert "there is no connection with tcp:10.0.0.2:5060 any more" in str(failed[0])


def test_several_who_need_a_flow_share_its_keep_alives(network: MemoryNetwork, alice: Endpoint, bob: Endpoint) -> None:
    peers = raw_listener(bob)
    connect(network, alice, peers)
    failed: list[str] = []
    start = alice.transports.keep_alives.start
    users = [start(TCP, 100.0, lambda error: failed.append("first"), answered=False) for _ in range(3)]
    users.append(start(TCP, 50.0, lambda error: failed.append("second"), answered=False))
    network.advance(1000.0)
    assert 1000 / 50 <= len(peers[0].data) / 4 <= 1000 / 40
    users[3].stop()
    before = len(peers[0].data)
    network.advance(1000.0)
    assert 1000 / 100 - 1 <= (len(peers[0].data) - before) / 4 <= 1000 / 80 + 1
    for user in users[:2]:
        user.stop()
    peers[0].transport.loseConnection()
    network.run_until(lambda: failed)
    assert failed == ["first"]


def test_one_that_fails_when_told_does_not_keep_the_others_from_it(
    network: MemoryNetwork, alice: Endpoint, bob: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    told: list[Exception] = []
    alice.transports.keep_alives.start(TCP, 10.0, lambda error: told[5])
    alice.transports.keep_alives.start(TCP, 10.0, told.append)
    network.run_until(lambda: told)
    assert [record.levelname for record in caplog.records] == ["ERROR"]


def test_closing_stops_them_all(network: MemoryNetwork, alice: Endpoint, bob: Endpoint) -> None:
    failed: list[Exception] = []
    alice.transports.keep_alives.start(TCP, 10.0, failed.append)
    alice.transports.keep_alives.start(UDP, 10.0, failed.append)
    alice.transports.close()
    network.advance(100.0)
    assert failed == []
    assert not alice.reactor.getDelayedCalls()


def test_too_short_an_interval_is_refused(alice: Endpoint) -> None:
    with pytest.raises(ValueError, match="every 1 seconds at most"):
        alice.transports.keep_alives.start(TCP, 0.5)


# Over UDP


def test_stun_both_ways(
    network: MemoryNetwork, alice: Endpoint, bob: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    """RFC 5626 4.4.2 and 8: our own transports answer what they ask."""
    bob.transports.listen("udp", 5060)
    failed: list[Exception] = []
    keep_alive = alice.transports.keep_alives.start(UDP, 25.0, failed.append)
    assert keep_alive.mapped_address is None
    network.advance(300.0)
    assert keep_alive.mapped_address == ("10.0.0.1", 5060)
    questions, answers = (network.packets.select(source=ip) for ip in ("10.0.0.1", "10.0.0.2"))
    assert 300 / 25 <= len(questions) == len(answers) <= 300 / 20
    assert failed == [] and caplog.records == [] and alice.received == bob.received == []


def test_a_lost_request_is_repeated(network: MemoryNetwork, alice: Endpoint, bob: Endpoint) -> None:
    dropped: list[bytes] = []
    peer = Datagrams(
        lambda data, source: stun.answer(stun.parse(data), source) if len(dropped) >= 3 else dropped.append(data)
    )
    bob.reactor.listenUDP(5060, peer)
    failed: list[Exception] = []
    keep_alive = alice.transports.keep_alives.start(UDP, 25.0, failed.append)
    network.run_until(lambda: keep_alive.mapped_address)
    assert len(set(peer.got)) == 1 and len(peer.got) == 4
    times = [packet.time for packet in network.packets.select(source="10.0.0.1")]
    assert [round(later - earlier, 3) for earlier, later in pairwise(times)] == [0.5, 1.0, 2.0]
    assert failed == []


def test_without_an_answer_the_flow_has_failed(network: MemoryNetwork, alice: Endpoint, bob: Endpoint) -> None:
    peer = Datagrams()
    bob.reactor.listenUDP(5060, peer)
    failed: list[Exception] = []
    alice.transports.keep_alives.start(UDP, 25.0, failed.append)
    network.run_until(lambda: peer.got)
    asked = network.now
    network.run_until(lambda: failed, timeout=60.0)
    assert network.now - asked == pytest.approx(39.5, abs=0.1)  # RFC 5389 7.2.1
    assert len(peer.got) == keepalive.STUN_REQUESTS
    assert "did not answer 7 STUN requests" in str(failed[0])
    network.advance(100.0)
    assert len(peer.got) == keepalive.STUN_REQUESTS


def test_another_mapped_address_is_a_failure(network: MemoryNetwork, alice: Endpoint, bob: Endpoint) -> None:
    """RFC 5626 4.4.2: the NAT has forgotten us, and nobody finds us at the address that we gave."""
    seen = [("192.0.2.1", 1000), ("192.0.2.1", 1000), ("192.0.2.1", 2000)]
    bob.reactor.listenUDP(5060, Datagrams(lambda data, source: stun.answer(stun.parse(data), seen.pop(0))))
    failed: list[Exception] = []
    keep_alive = alice.transports.keep_alives.start(UDP, 25.0, failed.append)
    network.run_until(lambda: len(seen) == 1, timeout=60.0)
    network.run_idle()
    assert failed == [] and keep_alive.mapped_address == ("192.0.2.1", 1000)
    network.run_until(lambda: failed, timeout=60.0)
    assert "sees us at 192.0.2.1 port 2000, and no longer at 192.0.2.1 port 1000" in str(failed[0])


@pytest.mark.parametrize(
    "forge",
    [
        lambda data, source: stun.answer(stun.parse(data)._replace(transaction=b"x" * 12), source),
        lambda data, source: stun.answer(stun.parse(data), source)[:-1],
    ],
    ids=["another transaction", "cut off"],
)
def test_what_nobody_asked_for_is_no_answer(network: MemoryNetwork, alice: Endpoint, bob: Endpoint, forge: Any) -> None:
    bob.reactor.listenUDP(5060, Datagrams(forge))
    failed: list[Exception] = []
    keep_alive = alice.transports.keep_alives.start(UDP, 25.0, failed.append)
    network.run_until(lambda: failed, timeout=100.0)
    assert keep_alive.mapped_address is None


def test_an_answer_from_elsewhere_is_no_answer(network: MemoryNetwork, alice: Endpoint, bob: Endpoint) -> None:
    stranger = network.add_host("stranger")
    port = stranger.listenUDP(5060, DatagramProtocol())
    bob.reactor.listenUDP(
        5060, Datagrams(lambda data, source: port.write(stun.answer(stun.parse(data), ("192.0.2.9", 1)), source))
    )
    failed: list[Exception] = []
    keep_alive = alice.transports.keep_alives.start(UDP, 25.0, failed.append)
    network.run_until(lambda: failed, timeout=100.0)
    assert keep_alive.mapped_address is None


def test_a_peer_without_stun_gets_line_ends(network: MemoryNetwork, alice: Endpoint, bob: Endpoint) -> None:
    peer = Datagrams()
    bob.reactor.listenUDP(5060, peer)
    failed: list[Exception] = []
    alice.transports.keep_alives.start(UDP, 25.0, failed.append, answered=False)
    network.advance(250.0)
    assert set(peer.got) == {b"\r\n\r\n"}
    assert 10 <= len(peer.got) <= 12
    assert failed == []


def test_without_udp_the_flow_fails(network: MemoryNetwork, bob: Endpoint) -> None:
    failed: list[Exception] = []
    bob.transports.keep_alives.start(UDP, 25.0, failed.append)
    network.run_until(lambda: failed)
    assert "nothing listens on udp" in str(failed[0])


def ask(network: MemoryNetwork, bob: Endpoint, data: bytes) -> list[bytes]:
    """What our transports answer to a datagram."""
    bob.transports.listen("udp", 5060)
    peer = Datagrams()
    port = network.add_host("stranger", "10.0.0.77").listenUDP(7777, peer)
    port.write(data, ("10.0.0.2", 5060))
    network.run_idle()
    return peer.got


@pytest.fixture
def bob_at_2(network: MemoryNetwork) -> Endpoint:
    network.add_host("somebody")
    return Endpoint(network, "bob")


def test_a_binding_request_is_answered(network: MemoryNetwork, bob_at_2: Endpoint) -> None:
    request, transaction = stun.binding_request()
    [answer] = ask(network, bob_at_2, request)
    assert stun.parse(answer) == stun.STUNMessage(stun.BINDING_SUCCESS, transaction, ("10.0.0.77", 7777))


def test_what_must_be_understood_and_is_not_is_refused(network: MemoryNetwork, bob_at_2: Endpoint) -> None:
    """RFC 5389 7.3.1."""
    request, transaction = stun.binding_request()
    request = request[:2] + b"\0\x10" + request[4:] + b"\x00\x24\0\4abcd" + b"\x80\x22\0\4abcd"
    [answer] = ask(network, bob_at_2, request)
    assert answer[:2] == b"\x01\x11" and answer[8:20] == transaction
    assert b"\0\x09\0\x15\0\0\x04\x14Unknown Attribute" in answer
    assert answer.endswith(b"\0\x0a\0\2\0\x24\0\0")
    assert stun.parse(answer).kind == 0x0111


@pytest.mark.parametrize(
    "data", [b"\x00\x11\x00\x00\x21\x12\xa4\x42" + b"t" * 12, b"\x01\x01\x00\x00\x21\x12\xa4\x42" + b"t" * 12]
)
def test_indications_and_stray_answers_are_left_alone(
    network: MemoryNetwork, bob_at_2: Endpoint, data: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    assert ask(network, bob_at_2, data) == []
    assert caplog.records == []


def test_broken_stun_is_dropped_with_one_line(
    network: MemoryNetwork, bob_at_2: Endpoint, caplog: pytest.LogCaptureFixture
) -> None:
    assert ask(network, bob_at_2, b"\x00\x01\x00\x08\x21\x12\xa4\x42" + b"t" * 12) == []
    assert len(caplog.records) == 1
    assert "10.0.0.77" in caplog.text


# STUN itself


@given(st.ip_addresses(), st.integers(0, 65535))
def test_an_address_comes_back_as_it_was(address: Any, port: int) -> None:
    request, transaction = stun.binding_request()
    answer = stun.answer(stun.parse(request), (str(address), port))
    message = stun.parse(answer)
    assert (message.kind, message.transaction) == (stun.BINDING_SUCCESS, transaction)
    assert message.address is not None
    assert (ip_address(message.address[0]), message.address[1]) == (address, port)
    if address.version == 4:
        assert address.packed not in answer[20:] or address.packed in transaction  # 15.2: NATs must not find it


def test_the_plain_address_of_old_servers_is_read() -> None:
    answer = b"\x01\x01\x00\x0c\x21\x12\xa4\x42" + b"t" * 12 + b"\x00\x01\x00\x08\x00\x01\x13\xc4\xc0\x00\x02\x01"
    assert stun.parse(answer).address == ("192.0.2.1", 5060)


# RFC 5769 2.2 and 2.3: the attributes that are ours to read, as any server sends them
@pytest.mark.parametrize(
    ("attribute", "address"),
    [
        ("002000080001a147e112a643", ("192.0.2.1", 32853)),
        ("002000140002a1470113a9faa5d3f179bc25f4b5bed2b9d9", ("2001:db8:1234:5678:11:2233:4455:6677", 32853)),
    ],
)
def test_vectors(attribute: str, address: tuple[str, int]) -> None:
    body = bytes.fromhex(attribute)
    data = b"\x01\x01" + len(body).to_bytes(2, "big") + bytes.fromhex("2112a442b7e7a701bc34d686fa87dfae") + body
    assert stun.parse(data).address == address


@given(st.binary(max_size=200))
def test_any_octets_are_a_message_or_a_named_error(data: bytes) -> None:
    for octets in (data, b"\x00\x01" + len(data).to_bytes(2, "big") + b"\x21\x12\xa4\x42" + b"t" * 12 + data):
        try:
            message = stun.parse(octets)
        except stun.STUNError:
            continue
        assert len(stun.answer(message, ("192.0.2.1", 1))) <= 3 * max(len(octets), 60)


def test_stun_messages_are_bounded() -> None:
    head = b"\x00\x01%s\x21\x12\xa4\x42" + b"t" * 12
    attributes = b"\x80\x00\x00\x00" * (stun.MAX_ATTRIBUTES + 1)
    with pytest.raises(stun.STUNError, match="more than 32"):
        stun.parse(head % len(attributes).to_bytes(2, "big") + attributes)
    stun.parse(head % (len(attributes) - 4).to_bytes(2, "big") + attributes[4:])
    with pytest.raises(stun.STUNError, match="1280"):
        stun.parse(head % (1264).to_bytes(2, "big") + bytes(1264))
