"""IPv6 on all transports: real loopback sockets, where the machine has them."""

from __future__ import annotations

import socket
import time
from pathlib import Path
from typing import Any

import pytest
from twisted.internet.selectreactor import SelectReactor

from sipsimple.core.engine import Engine
from sipsimple.core.protocol.hop import Hop
from sipsimple.core.protocol.timers import TimerHeap
from sipsimple.core.protocol.transaction_layer import TransactionLayer
from sipsimple.core.transport.interface import ListenError
from sipsimple.core.transport.manager import Transports
from sipsimple.core.transport.tls import TLSOptions
from sipsimple.core.wire.message import SIPRequest, make_response
from sipsimple.realm import Realm
from sipsimple.testing.certificates import CertificateAuthority
from sipsimple.testing.network import MemoryNetwork


def has_ipv6() -> bool:
    try:
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as probe:
            probe.bind(("::1", 0))
    except OSError:
        return False
    return True


needs_ipv6 = pytest.mark.skipif(not has_ipv6(), reason="this machine has no address ::1")


class Agent:
    """A transaction layer on real sockets that answers every request with 200 and records the responses to its own."""

    def __init__(self, reactor: Any) -> None:
        self.reactor = reactor
        self.requests: list[Any] = []
        self.responses: list[Any] = []
        self.failures: list[Exception] = []
        self.timers = TimerHeap()
        self.transports = Transports(
            reactor,
            lambda message, source: self.layer.message_received(message, source, reactor.seconds()),
            lambda hop, error: self.layer.transport_error(hop, error, reactor.seconds()),
        )
        self.layer = TransactionLayer(
            self.timers, self.transports.send, self, lambda hop: ("::1", self.transports.port_towards(hop)),  # type: ignore[arg-type]
            is_connected=self.transports.is_connected,
        )  # fmt: skip

    def request_received(self, request: Any, transaction: Any, source: Hop, now: float) -> None:
        self.requests.append((request, source))
        transaction.respond(make_response(request, 200, to_tag="b1"), now)

    def response_received(self, transaction: Any, response: Any, now: float) -> None:
        self.responses.append(response)

    def transport_failed(self, transaction: Any, error: Exception, now: float) -> None:
        self.failures.append(error)

    def transaction_terminated(self, transaction: Any, now: float) -> None:
        pass


def pump(reactor: Any, condition: Any, timeout: float = 10.0) -> None:
    limit = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < limit, "it did not come true in time"
        reactor.iterate(0.01)


@pytest.fixture
def reactor() -> Any:
    return SelectReactor()


@needs_ipv6
@pytest.mark.parametrize("transport", ["udp", "tcp", "tls"])
def test_request_and_response(reactor: Any, transport: str, tmp_path: Path) -> None:
    alice, bob = Agent(reactor), Agent(reactor)
    if transport == "tls":
        authority = CertificateAuthority(tmp_path)
        options = TLSOptions(authority.issue("server", addresses=["::1"]), authority.certificates)
        for agent in (alice, bob):
            agent.transports.configure_tls(options)
    for agent in (alice, bob):
        agent.transports.listen(transport, 0, "::")
    port = bob.transports.port(transport, ipv6=True)
    assert port is not None and bob.transports.port(transport) is None
    headers = [
        ("Max-Forwards", "70"), ("From", "<sip:a@[::1]>;tag=a1"), ("To", "<sip:b@[::1]>"), ("Call-ID", "c1"),
        ("CSeq", "1 OPTIONS"),
    ]  # fmt: skip
    request = SIPRequest("OPTIONS", f"sip:b@[::1]:{port}", headers)
    alice.layer.send_request(request, Hop(transport, "::1", port), alice, reactor.seconds())  # type: ignore[arg-type]
    pump(reactor, lambda: alice.responses or alice.failures)
    assert alice.failures == []
    [(received, source)] = bob.requests
    assert source.host == "::1"
    own = alice.transports.port(transport, ipv6=True)
    assert received.headers.get("Via").startswith(f"SIP/2.0/{transport.upper()} [::1]:{own};branch=")
    done: list[Any] = []
    for agent in (alice, bob):
        agent.transports.close().addBoth(done.append)
    pump(reactor, lambda: len(done) == 2)


@needs_ipv6
@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_both_versions_have_the_same_port(reactor: Any, transport: str) -> None:
    """A socket of IPv6 does not take the port of IPv4."""
    agent = Agent(reactor)
    opened = agent.transports.listen_on(transport, 0, ["", "::"])
    assert [local.host for local in opened] == ["0.0.0.0", "::"]
    assert opened[0].port == opened[1].port
    # ... and is a named error where it is taken
    with pytest.raises(ListenError, match=f"{transport} port {opened[1].port} of ::"):
        Agent(reactor).transports.listen(transport, opened[1].port, "::")
    done: list[Any] = []
    agent.transports.close().addBoth(done.append)
    pump(reactor, lambda: done)


def test_tcp_listens_where_udp_does(reactor: Any) -> None:
    """18.2.1: whoever is reached over UDP is to be reached over TCP at the same port."""
    agent = Agent(reactor)
    [udp] = agent.transports.listen_on("udp", 0, ["127.0.0.1"])
    [tcp] = agent.transports.listen_on("tcp", 0, ["127.0.0.1"])
    assert udp.port == tcp.port
    done: list[Any] = []
    agent.transports.close().addBoth(done.append)
    pump(reactor, lambda: done)


def test_a_port_that_is_taken_for_tcp_is_another_one(reactor: Any) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        agent = Agent(reactor)
        agent.transports.listen_on("udp", port, ["127.0.0.1"])
        [tcp] = agent.transports.listen_on("tcp", 0, ["127.0.0.1"])
        assert tcp.port != port
        done: list[Any] = []
        agent.transports.close().addBoth(done.append)
        pump(reactor, lambda: done)


def test_a_host_without_ipv6_is_served_over_ipv4() -> None:
    network = MemoryNetwork()
    agent = Agent(network.add_host("alice"))
    assert [local.host for local in agent.transports.listen_on("udp", 5060, ["", "::"])] == ["0.0.0.0"]
    with pytest.raises(ListenError):
        agent.transports.listen_on("udp", 5070, ["::"])


@needs_ipv6
def test_the_engine_speaks_both_with_the_address_that_the_peer_sees(reactor: Any) -> None:
    realm = Realm("ipv6")
    realm.reactor = reactor
    engine = realm.run(Engine)
    realm.run(engine.start, udp_port=0, tcp_port=0)
    try:
        address, port = realm.run(engine.local_address, "udp", "::1")
        assert address == "::1"
        assert realm.run(engine.local_address, "udp", "127.0.0.1")[0] == "127.0.0.1"
        contact = realm.run(engine.local_contact, Hop("tcp", "::1", 5060))
        tcp_port = realm.run(engine.local_address, "tcp", "::1")[1]
        assert str(contact.uri) == f"sip:[::1]:{tcp_port};transport=tcp"
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as peer:
            peer.bind(("::1", 0))
            peer.setblocking(False)
            own = peer.getsockname()[1]
            request = (
                f"OPTIONS sip:[::1]:{port} SIP/2.0\r\nVia: SIP/2.0/UDP [::1]:{own};branch=z9hG4bK1;rport\r\n"
                "Max-Forwards: 70\r\nFrom: <sip:a@[::1]>;tag=1\r\nTo: <sip:b@[::1]>\r\nCall-ID: c1\r\n"
                "CSeq: 1 OPTIONS\r\nContent-Length: 0\r\n\r\n"
            )
            peer.sendto(request.encode(), ("::1", port))
            answers: list[bytes] = []

            def received() -> bool:
                try:
                    answers.append(peer.recv(65536))
                except BlockingIOError:
                    return False
                return True

            pump(reactor, received)
            assert answers[0].startswith(b"SIP/2.0 200 OK\r\n")
            assert f"Via: SIP/2.0/UDP [::1]:{own};branch=z9hG4bK1;rport={own};received=::1".encode() in answers[0]
    finally:
        done: list[Any] = []
        realm.run(engine.stop).addBoth(done.append)
        pump(reactor, lambda: done)


@needs_ipv6
def test_an_engine_of_one_address_has_no_other(reactor: Any) -> None:
    realm = Realm("ipv6")
    realm.reactor = reactor
    engine = realm.run(Engine)
    realm.run(engine.start, udp_port=0, ip_address="::1")
    try:
        assert realm.run(engine.local_address, "udp")[0] == "::1"
        with pytest.raises(RuntimeError, match=r"127\.0\.0\.1 can't be reached from ::1"):
            realm.run(engine.local_address, "udp", "127.0.0.1")
    finally:
        done: list[Any] = []
        realm.run(engine.stop).addBoth(done.append)
        pump(reactor, lambda: done)
