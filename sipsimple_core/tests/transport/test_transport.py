"""UDP and TCP below the transaction layer: on the in-memory network, and a little on real loopback sockets."""

import errno
import gc
import time
import warnings

import pytest
from twisted.internet.protocol import ClientFactory, Protocol, ServerFactory
from twisted.internet.selectreactor import SelectReactor

from sipsimple.core.protocol.hop import Hop
from sipsimple.core.protocol.timers import TimerHeap
from sipsimple.core.protocol.transaction_layer import TransactionLayer
from sipsimple.core.transport import limits, manager
from sipsimple.core.transport.interface import ListenError, TransportError
from sipsimple.core.transport.manager import Transports
from sipsimple.core.transport.stun import is_stun
from sipsimple.core.transport.udp import is_keepalive
from sipsimple.core.wire.message import SIPRequest, make_response
from sipsimple.core.wire.parser import parse_message
from sipsimple.testing.network import MemoryNetwork

STUN = b"\x00\x01\x00\x00\x21\x12\xa4\x42" + b"t" * 12


def make_request(method="OPTIONS", body=b"", branch="z9hG4bKx1"):
    headers = [
        ("Via", f"SIP/2.0/TCP 10.0.0.1:5060;branch={branch}"),
        ("Max-Forwards", "70"),
        ("From", "<sip:alice@example.com>;tag=a1"),
        ("To", "<sip:bob@example.com>"),
        ("Call-ID", "c1"),
        ("CSeq", f"1 {method}"),
        ("Content-Type", "text/plain"),
    ]
    return SIPRequest(method, "sip:bob@10.0.0.2", headers, body)


MESSAGE = make_request("MESSAGE", b"hello").encode()


class Endpoint:
    """Transports on one host; records what they say."""

    def __init__(self, reactor, traced=True):
        self.reactor = reactor
        self.received = []
        self.failed = []
        self.traced = []
        self.transports = Transports(
            reactor,
            lambda message, source: self.received.append((message, source)),
            lambda hop, error: self.failed.append((hop, error)),
            self.trace if traced else None,
        )

    def trace(self, received, data, local, remote):
        self.traced.append((received, data, local[1:3], remote[1:3], remote.transport))

    @property
    def bodies(self):
        return [message.body for message, source in self.received]

    @property
    def connections(self):
        return len(self.transports._streams["tcp"])


class Raw(Protocol):
    """A peer that speaks octets; what it got is in `data`."""

    def __init__(self):
        self.data = b""
        self.lost = False

    def dataReceived(self, data):
        self.data += data

    def connectionLost(self, reason=None):
        self.lost = True


@pytest.fixture
def network():
    network = MemoryNetwork()
    yield network
    network.close()


@pytest.fixture
def alice(network):
    return Endpoint(network.add_host("alice", "10.0.0.1"))


@pytest.fixture
def bob(network):
    return Endpoint(network.add_host("bob", "10.0.0.2"))


def raw_connection(network, reactor, host, port):
    peer = Raw()
    factory = ClientFactory()
    factory.buildProtocol = lambda address: peer
    reactor.connectTCP(host, port, factory)
    network.run_until(lambda: peer.transport is not None)
    return peer


def raw_listener(reactor, port=5060):
    peers = []
    factory = ServerFactory()

    def build(address):
        peers.append(Raw())
        return peers[-1]

    factory.buildProtocol = build
    reactor.listenTCP(port, factory)
    return peers


# Ports


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_port_0_means_any_and_the_listeners_say_which(alice, transport):
    assert alice.transports.port(transport) is None
    local = alice.transports.listen(transport, 0)
    assert local.transport == transport
    assert local.port > 0
    assert alice.transports.listeners == [local]
    assert alice.transports.port(transport) == local.port
    assert alice.transports.port(transport, ipv6=True) is None


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_port_that_is_in_use_is_a_named_error(alice, transport):
    alice.transports.listen(transport, 5060)
    with pytest.raises(ListenError, match=f"{transport} port 5060 of 10.0.0.1") as caught:
        alice.transports.listen(transport, 5060, "10.0.0.1")
    assert (caught.value.transport, caught.value.interface, caught.value.port) == (transport, "10.0.0.1", 5060)
    assert len(alice.transports.listeners) == 1


def test_a_transport_that_does_not_exist_is_an_error_of_use(alice):
    with pytest.raises(ValueError, match="sctp"):
        alice.transports.listen("sctp")


def test_a_closed_transport_gives_its_ports_back(network, alice):
    for transport in ("udp", "tcp"):
        alice.transports.listen(transport, 5060)
    done = []
    alice.transports.close().addCallback(done.append)
    network.run_until(lambda: done)
    again = Endpoint(alice.reactor)
    for transport in ("udp", "tcp"):
        again.transports.listen(transport, 5060)


# UDP


def test_a_datagram_is_a_message_with_its_source(network, alice, bob):
    alice.transports.listen("udp", 5060)
    bob.transports.listen("udp", 5070)
    alice.transports.send(MESSAGE, Hop("udp", "10.0.0.2", 5070))
    network.run_until(lambda: bob.received)
    message, source = bob.received[0]
    assert (message.method, message.body) == ("MESSAGE", b"hello")
    assert source == Hop("udp", "10.0.0.1", 5060)


def test_the_largest_datagram_arrives_whole(network, alice, bob):
    alice.transports.listen("udp", 5060)
    bob.transports.listen("udp", 5060)
    alice.transports.send(make_request(body=b"x" * 60_000).encode(), Hop("udp", "10.0.0.2", 5060))
    network.run_until(lambda: bob.received)
    assert bob.bodies == [b"x" * 60_000]


def test_what_is_sent_and_received_is_traced(network, alice, bob):
    alice.transports.listen("udp", 5060, "10.0.0.1")
    bob.transports.listen("udp", 5060, "10.0.0.2")
    alice.transports.send(MESSAGE, Hop("udp", "10.0.0.2", 5060))
    alice.transports.send(b"no message", Hop("udp", "10.0.0.2", 5060))
    network.run_until(lambda: len(bob.traced) == 2)
    ours, theirs = ("10.0.0.1", 5060), ("10.0.0.2", 5060)
    assert alice.traced == [(False, MESSAGE, ours, theirs, "udp"), (False, b"no message", ours, theirs, "udp")]
    assert bob.traced == [(True, MESSAGE, theirs, ours, "udp"), (True, b"no message", theirs, ours, "udp")]


@pytest.mark.parametrize("data", [b"", b"\r\n", b"\r\n\r\n", b"\0", b"\0\0\0\0", b"\r\n" * 10])
def test_keepalives_are_dropped_without_a_line(network, alice, bob, caplog, data):
    alice.transports.listen("udp", 5060)
    bob.transports.listen("udp", 5060)
    alice.transports.send(data, Hop("udp", "10.0.0.2", 5060))
    network.run_idle()
    assert bob.received == bob.traced == []
    assert caplog.records == []
    assert is_keepalive(data)


@pytest.mark.parametrize("data", [b"\xff\xfe\x00", b"HELLO", b"OPTIONS\r\n\r\n", bytes(range(256))])
def test_what_is_no_message_is_dropped_with_one_line(network, alice, bob, caplog, data):
    alice.transports.listen("udp", 5060)
    bob.transports.listen("udp", 5060)
    alice.transports.send(data, Hop("udp", "10.0.0.2", 5060))
    network.run_idle()
    assert bob.received == []
    assert [(record.name, record.levelname) for record in caplog.records] == [("sipsimple.transport", "WARNING")]
    assert "10.0.0.1" in caplog.text


def test_stun_is_told_from_sip():
    assert is_stun(STUN)
    assert not is_stun(STUN[:19])
    assert not is_stun(MESSAGE)
    assert not is_stun(b"\x00" * 20)
    assert not is_keepalive(MESSAGE)


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_defect_of_the_parser_costs_one_line_and_nothing_else(network, alice, bob, caplog, monkeypatch, transport):
    alice.transports.listen(transport, 5060)
    bob.transports.listen(transport, 5060)
    with monkeypatch.context() as patch:
        patch.setattr(manager, "parse_message", lambda data: [][0])
        alice.transports.send(MESSAGE, Hop(transport, "10.0.0.2", 5060))
        network.run_until(lambda: caplog.records)
    alice.transports.send(MESSAGE, Hop(transport, "10.0.0.2", 5060))
    network.run_until(lambda: bob.received)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "IndexError" in caplog.text


def test_a_flood_of_garbage_is_a_bounded_number_of_lines(network, alice, bob, caplog):
    alice.transports.listen("udp", 5060)
    bob.transports.listen("udp", 5060)
    for _ in range(1000):
        alice.transports.send(b"garbage", Hop("udp", "10.0.0.2", 5060))
    alice.transports.send(MESSAGE, Hop("udp", "10.0.0.2", 5060))
    network.run_until(lambda: bob.received)
    assert len(caplog.records) == 20


@pytest.mark.parametrize(
    ("data", "hop"),
    [
        (b"x" * 70_000, Hop("udp", "10.0.0.2", 5060)),
        (MESSAGE, Hop("udp", "2001:db8::1", 5060)),
    ],
    ids=["too large", "IPv6 without listener"],
)
def test_what_can_not_be_sent_is_a_named_error(alice, data, hop):
    alice.transports.listen("udp", 5060)
    with pytest.raises(TransportError, match=f"udp.*{hop.host}|{hop.host}"):
        alice.transports.send(data, hop)
    assert alice.traced == []


def test_a_name_is_no_address_to_send_to(alice):
    alice.transports.listen("udp", 5060)
    with pytest.raises(TransportError, match=r"bob\.example\.com"):
        alice.transports.send(MESSAGE, Hop("udp", "bob.example.com", 5060))


def test_without_a_listener_nothing_is_sent(alice):
    with pytest.raises(TransportError, match="nothing listens"):
        alice.transports.send(MESSAGE, Hop("udp", "10.0.0.2", 5060))


@pytest.mark.parametrize(("code", "fails"), [(errno.EAGAIN, False), (errno.ENOBUFS, False), (errno.ENETUNREACH, True)])
def test_a_full_buffer_loses_a_datagram_and_other_errors_are_reported(alice, code, fails):
    alice.transports.listen("udp", 5060)

    class Broken:
        def write(self, data, address):
            raise OSError(code, "error")

    alice.transports._udp[0].transport = Broken()
    hop = Hop("udp", "10.0.0.2", 5060)
    if fails:
        with pytest.raises(TransportError):
            alice.transports.send(MESSAGE, hop)
    else:
        alice.transports.send(MESSAGE, hop)


def test_udp_has_no_connections_to_lose(alice):
    assert alice.transports.is_connected(Hop("udp", "10.0.0.2", 5060))


# TCP

BOB = Hop("tcp", "10.0.0.2", 5060)


def test_a_connection_is_opened_once_and_serves_both_directions(network, alice, bob):
    bob.transports.listen("tcp", 5060)
    assert not alice.transports.is_connected(BOB)
    for n in range(3):
        alice.transports.send(make_request(body=b"%d" % n).encode(), BOB)
        assert alice.transports.is_connected(BOB)
    network.run_until(lambda: len(bob.received) == 3)
    assert bob.bodies == [b"0", b"1", b"2"]
    source = bob.received[0][1]
    assert (source.transport, source.host) == ("tcp", "10.0.0.1")
    assert bob.transports.is_connected(source)
    bob.transports.send(make_response(bob.received[0][0], 200).encode(), source)
    network.run_until(lambda: alice.received)
    assert alice.received[0][1] == BOB
    assert alice.connections == bob.connections == 1


def test_what_waits_for_a_connection_is_traced_when_it_goes_out(network, alice, bob):
    bob.transports.listen("tcp", 5060)
    alice.transports.send(MESSAGE, BOB)
    assert alice.traced == []
    network.run_until(lambda: bob.received)
    [(received, data, local, remote, transport)] = alice.traced
    assert (received, data, remote, transport) == (False, MESSAGE, ("10.0.0.2", 5060), "tcp")
    assert local == bob.received[0][1][1:3]


def test_messages_are_found_however_the_stream_is_cut():
    network = MemoryNetwork(segment_size=1)
    alice, bob = Endpoint(network.add_host("alice", "10.0.0.1")), Endpoint(network.add_host("bob", "10.0.0.2"))
    bob.transports.listen("tcp", 5060)
    alice.transports.send(MESSAGE + b"\r\n\r\n" + MESSAGE, BOB)
    network.run_until(lambda: len(bob.received) == 2)
    assert bob.bodies == [b"hello", b"hello"]
    network.close()


def test_a_ping_gets_a_pong(network, alice, bob):
    bob.transports.listen("tcp", 5060)
    peer = raw_connection(network, alice.reactor, "10.0.0.2", 5060)
    peer.transport.write(b"\r\n\r\n")
    network.run_until(lambda: peer.data)
    assert peer.data == b"\r\n"
    peer.transport.write(MESSAGE)
    network.run_until(lambda: bob.received)


def test_a_message_without_length_is_answered_and_the_connection_closed(network, alice, bob, caplog):
    bob.transports.listen("tcp", 5060)
    peer = raw_connection(network, alice.reactor, "10.0.0.2", 5060)
    peer.transport.write(
        MESSAGE + b"OPTIONS sip:bob@10.0.0.2 SIP/2.0\r\nVia: SIP/2.0/TCP alice;branch=z9hG4bK1\r\n"
        b"From: <sip:a@b>;tag=1\r\nTo: <sip:b@b>\r\nCall-ID: c\r\nCSeq: 1 OPTIONS\r\n\r\n"
    )
    network.run_until(lambda: peer.lost)
    assert bob.bodies == [b"hello"]
    response = parse_message(peer.data)
    assert response.code == 400
    assert response.via.received == "10.0.0.1"
    assert response.to_header.tag
    assert len(caplog.records) == 1
    network.run_until(lambda: not bob.connections)


@pytest.mark.parametrize(
    "data",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: 10.0.0.2\r\n\r\n",
        b"x" * 70_000,
        b"ACK sip:bob@10.0.0.2 SIP/2.0\r\nVia: SIP/2.0/TCP alice\r\n\r\n",
        b"SIP/2.0 200 OK\r\nVia: SIP/2.0/TCP alice\r\n\r\n",
        b"OPTIONS sip:bob@10.0.0.2 SIP/2.0\r\nVia: nonsense\r\n\r\n",
    ],
    ids=["TLS", "HTTP", "no end", "ACK", "response", "malformed Via"],
)
def test_garbage_closes_the_connection_with_one_line(network, alice, bob, caplog, data):
    bob.transports.listen("tcp", 5060)
    peer = raw_connection(network, alice.reactor, "10.0.0.2", 5060)
    peer.transport.write(data)
    network.run_until(lambda: peer.lost)
    assert bob.received == []
    assert peer.data == b""
    network.run_until(lambda: not bob.connections)
    assert len(caplog.records) == 1


def test_a_framed_message_that_can_not_be_parsed_is_dropped_and_the_connection_kept(network, alice, bob, caplog):
    bob.transports.listen("tcp", 5060)
    peer = raw_connection(network, alice.reactor, "10.0.0.2", 5060)
    peer.transport.write(b"nonsense\r\nContent-Length: 0\r\n\r\n" + MESSAGE)
    network.run_until(lambda: bob.received)
    assert len(caplog.records) == 1
    assert not peer.lost


def test_half_a_message_ends_the_connection_in_time(network, alice, bob, caplog):
    bob.transports.listen("tcp", 5060)
    peer = raw_connection(network, alice.reactor, "10.0.0.2", 5060)
    start = network.now
    peer.transport.write(MESSAGE[:100])
    network.advance(20.0)
    # more of it does not buy more time
    peer.transport.write(MESSAGE[100:110])
    network.run_until(lambda: peer.lost, timeout=60.0)
    assert limits.HALF_MESSAGE_TIMEOUT < network.now - start < limits.HALF_MESSAGE_TIMEOUT + 2 * limits.CHECK_INTERVAL
    assert len(caplog.records) == 1
    assert bob.connections == 0


def test_a_message_in_two_parts_does_not_end_the_connection(network, alice, bob):
    bob.transports.listen("tcp", 5060)
    peer = raw_connection(network, alice.reactor, "10.0.0.2", 5060)
    peer.transport.write(MESSAGE[:100])
    network.advance(20.0)
    peer.transport.write(MESSAGE[100:])
    network.advance(100.0)
    assert bob.bodies == [b"hello"]
    assert not peer.lost


def test_an_idle_connection_is_closed_in_time_and_a_used_one_is_kept(network, alice, bob, caplog):
    bob.transports.listen("tcp", 5060)
    idle = raw_connection(network, alice.reactor, "10.0.0.2", 5060)
    used = raw_connection(network, alice.reactor, "10.0.0.2", 5060)
    network.advance(limits.IDLE_TIMEOUT - 10.0)
    used.transport.write(b"\r\n\r\n")
    network.advance(10.0 + 2 * limits.CHECK_INTERVAL)
    assert (idle.lost, used.lost) == (True, False)
    assert bob.connections == 1
    assert caplog.records == []


def test_no_check_is_pending_without_connections(network, alice, bob):
    bob.transports.listen("tcp", 5060)
    peer = raw_connection(network, alice.reactor, "10.0.0.2", 5060)
    network.run_until(lambda: bob.connections)
    assert bob.reactor.getDelayedCalls()
    peer.transport.loseConnection()
    network.run_until(lambda: not bob.connections)
    assert not bob.reactor.getDelayedCalls()


def test_a_refused_connection_is_reported(network, alice, bob):
    alice.transports.send(MESSAGE, BOB)
    network.run_until(lambda: alice.failed)
    [(hop, error)] = alice.failed
    assert hop == BOB
    assert isinstance(error, TransportError)
    assert "tcp:10.0.0.2:5060" in str(error)
    assert "refused" in str(error)
    assert not alice.transports.is_connected(BOB)
    # and another attempt is made for another message
    bob.transports.listen("tcp", 5060)
    alice.transports.send(MESSAGE, BOB)
    network.run_until(lambda: bob.received)


def test_a_connection_that_does_not_come_about_is_given_up_in_time(network, alice, bob):
    network.partition(alice.reactor, bob.reactor)
    alice.transports.send(MESSAGE, BOB)
    start = network.now
    network.run_until(lambda: alice.failed, timeout=60.0)
    assert network.now - start == pytest.approx(limits.CONNECT_TIMEOUT, abs=0.1)


def test_a_lost_connection_is_reported_and_the_next_message_opens_another(network, alice, bob):
    bob.transports.listen("tcp", 5060)
    alice.transports.send(MESSAGE, BOB)
    network.run_until(lambda: bob.received)
    first = bob.received[0][1]
    network.kill_connections(alice.reactor, bob.reactor)
    network.run_until(lambda: alice.failed and bob.failed)
    assert [hop for hop, error in alice.failed] == [BOB]
    assert [hop for hop, error in bob.failed] == [first]
    alice.transports.send(MESSAGE, BOB)
    network.run_until(lambda: len(bob.received) == 2)
    assert bob.received[1][1] != first


def test_a_peer_that_does_not_read_is_given_up_when_too_much_waits(network, alice, bob):
    peers = raw_listener(bob.reactor)
    alice.transports.send(MESSAGE, BOB)
    network.run_until(lambda: peers and peers[0].data)
    peers[0].transport.pauseProducing()
    large = make_request(body=b"x" * 60_000).encode()
    sent = 0
    with pytest.raises(TransportError, match="does not read"):
        for _ in range(1000):
            alice.transports.send(large, BOB)
            sent += len(large)
            network.advance(0.01)
    assert sent < 3 * limits.MAX_BACKLOG
    network.run_until(lambda: alice.failed)
    assert not alice.transports.is_connected(BOB)


def test_a_peer_that_reads_slowly_gets_everything_in_order(network, alice, bob):
    peers = raw_listener(bob.reactor)
    alice.transports.send(MESSAGE, BOB)
    network.run_until(lambda: peers and peers[0].data)
    peers[0].transport.pauseProducing()
    messages = [make_request(body=b"%d" % n * 20_000).encode() for n in range(10)]
    for message in messages:
        alice.transports.send(message, BOB)
        network.advance(0.01)
    peers[0].transport.resumeProducing()
    expected = MESSAGE + b"".join(messages)
    network.run_until(lambda: len(peers[0].data) == len(expected))
    assert peers[0].data == expected


def test_connections_are_bounded_in_both_directions(network, alice, bob, caplog):
    bob.transports._streams["tcp"].max_connections = 2
    bob.transports.listen("tcp", 5060)
    peers = [raw_connection(network, alice.reactor, "10.0.0.2", 5060) for _ in range(3)]
    network.run_until(lambda: any(peer.lost for peer in peers))
    assert [peer.lost for peer in peers] == [False, False, True]
    assert len(caplog.records) == 1
    with pytest.raises(TransportError, match="there are 2 already"):
        bob.transports.send(MESSAGE, Hop("tcp", "10.0.0.1", 5060))


def test_closing_sends_what_waits_first(network, alice, bob):
    bob.transports.listen("tcp", 5060)
    alice.transports.send(MESSAGE, BOB)
    network.run_until(lambda: bob.received)
    large = make_request(body=b"x" * 60_000).encode()
    alice.transports.send(large, BOB)
    alice.transports.send(large, BOB)
    done = []
    alice.transports.close().addCallback(done.append)
    assert not done
    network.run_until(lambda: done)
    network.run_until(lambda: len(bob.received) == 3)
    assert alice.connections == 0
    assert not alice.reactor.getDelayedCalls()


def test_closing_does_not_wait_forever_for_a_peer_that_does_not_read(network, alice, bob):
    peers = raw_listener(bob.reactor)
    alice.transports.send(MESSAGE, BOB)
    network.run_until(lambda: peers and peers[0].data)
    peers[0].transport.pauseProducing()
    for _ in range(10):
        alice.transports.send(make_request(body=b"x" * 60_000).encode(), BOB)
    done, start = [], network.now
    alice.transports.close().addCallback(done.append)
    network.run_until(lambda: done)
    assert network.now - start == pytest.approx(limits.CLOSE_TIMEOUT, abs=0.1)


def test_closing_ends_connections_that_are_being_opened(network, alice, bob):
    network.partition(alice.reactor, bob.reactor)
    alice.transports.send(MESSAGE, BOB)
    done = []
    alice.transports.close().addCallback(done.append)
    network.run_until(lambda: done)
    assert alice.connections == 0
    with pytest.raises(TransportError):
        alice.transports.send(MESSAGE, BOB)


# Real sockets


class LoopbackAgent:
    """A transaction layer on real sockets that answers every request with 200 and records the responses to its own."""

    def __init__(self, reactor):
        self.reactor = reactor
        self.timers = TimerHeap()
        self.responses = []
        self.failures = []
        self.transports = Transports(
            reactor,
            lambda message, source: self.layer.message_received(message, source, reactor.seconds()),
            lambda hop, error: self.layer.transport_error(hop, error, reactor.seconds()),
        )
        self.layer = TransactionLayer(
            self.timers,
            self.transports.send,
            self,
            lambda hop: ("127.0.0.1", self.transports.port(hop.transport)),
            is_connected=self.transports.is_connected,
        )

    def request_received(self, request, transaction, source, now):
        transaction.respond(make_response(request, 200, to_tag="b1", body=request.body), now)

    def response_received(self, transaction, response, now):
        self.responses.append(response)

    def transport_failed(self, transaction, error, now):
        self.failures.append(error)

    def transaction_terminated(self, transaction, now):
        pass


def pump(reactor, condition, timeout=10.0):
    limit = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < limit, "it did not come true in time"
        reactor.iterate(0.01)


@pytest.fixture
def loopback():
    reactor = SelectReactor()
    agents = [LoopbackAgent(reactor), LoopbackAgent(reactor)]
    yield reactor, *agents
    done = []
    for agent in agents:
        agent.transports.close().addBoth(done.append)
    pump(reactor, lambda: len(done) == 2)
    assert not reactor.getDelayedCalls()


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_request_and_response_over_real_sockets(loopback, transport):
    reactor, alice, bob = loopback
    for agent in (alice, bob):
        agent.transports.listen(transport, 0, "127.0.0.1")
    hop = Hop(transport, "127.0.0.1", bob.transports.port(transport))
    for n in range(20):
        request = make_request("MESSAGE", b"x" * 1000)
        request.headers.set("Call-ID", f"c{n}")
        alice.layer.send_request(request, hop, alice, reactor.seconds())
    pump(reactor, lambda: len(alice.responses) == 20)
    assert {response.code for response in alice.responses} == {200}
    assert {len(response.body) for response in alice.responses} == {1000}


def test_a_refused_connection_over_real_sockets_fails_the_transaction(loopback):
    reactor, alice, bob = loopback
    port = bob.transports.listen("tcp", 0, "127.0.0.1").port
    done = []
    bob.transports.close().addBoth(done.append)
    pump(reactor, lambda: done)
    alice.transports.listen("tcp", 0, "127.0.0.1")
    alice.layer.send_request(make_request(), Hop("tcp", "127.0.0.1", port), alice, reactor.seconds())
    pump(reactor, lambda: alice.failures)
    assert "refused" in str(alice.failures[0])
    assert alice.layer.client_transactions == 0


def test_a_port_in_use_over_real_sockets_is_a_named_error(loopback):
    _reactor, alice, bob = loopback
    for transport in ("udp", "tcp"):
        port = alice.transports.listen(transport, 0, "127.0.0.1").port
        with warnings.catch_warnings(record=True) as leaks:
            warnings.simplefilter("always", ResourceWarning)
            with pytest.raises(ListenError, match=f"{transport} port {port}"):
                bob.transports.listen(transport, port, "127.0.0.1")
            gc.collect()
        assert leaks == []


@pytest.mark.parametrize("interface", ["nonsense", "192.0.2.1", "2001:db8::1", "fe80::1%nothing"])
def test_an_address_that_is_not_ours_is_a_named_error(loopback, interface):
    _reactor, alice, _bob = loopback
    for transport in ("udp", "tcp"):
        with pytest.raises(ListenError, match=f"{transport} port 0 of {interface}"):
            alice.transports.listen(transport, 0, interface)


def test_the_kernel_keeps_bursts_of_datagrams() -> None:
    """A datagram socket gets more than the default buffer, as far as the kernel allows."""
    import socket

    from sipsimple.core.transport.sockets import RECEIVE_BUFFER, _bound_socket

    with _bound_socket(socket.SOCK_DGRAM, 0, "127.0.0.1") as bound, socket.socket(type=socket.SOCK_DGRAM) as asked:
        asked.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        granted = asked.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF)
        assert bound.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == granted
