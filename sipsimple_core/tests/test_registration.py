"""`Registration` and the registrar on the memory network: engines in realms of their own, over UDP and TCP."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sipsimple.core import (
    ContactHeader,
    Credentials,
    Engine,
    EngineError,
    FromHeader,
    Header,
    Registration,
    RouteHeader,
)
from sipsimple.core.protocol.dialog import hop_towards
from sipsimple.core.protocol.hop import Hop
from sipsimple.core.protocol.outgoing_request import Destination
from sipsimple.core.reporting import route_of
from sipsimple.notification import NotificationData
from sipsimple.testing import DigestGuard, MemoryNetwork, Registrar, SIPServer, UserAgent

ADDRESS = "sip:alice@example.com"


@pytest.fixture
def network() -> MemoryNetwork:
    return MemoryNetwork()


@pytest.fixture
def server(network: MemoryNetwork) -> SIPServer:
    return SIPServer(network.add_host("registrar", "10.0.0.200"), tcp_port=5060)


@pytest.fixture
def alice(network: MemoryNetwork) -> Iterator[UserAgent]:
    agent = UserAgent(network, "alice", transports=("udp", "tcp"))
    yield agent
    agent.stop()


class Registering:
    """A registration of alice's, with what it posted."""

    def __init__(self, agent: UserAgent, network: MemoryNetwork, **options: Any) -> None:
        self.agent, self.network = agent, network
        self.registration: Registration = agent.run(Registration, FromHeader(ADDRESS), **options)
        transport = options.pop("transport", "udp")
        self.contact = ContactHeader(f"sip:alice@{agent.ip}:5060;transport={transport}")
        self.route = RouteHeader("sip:10.0.0.200:5060")

    def register(self, *routes: RouteHeader, **options: Any) -> None:
        self.agent.run(self.registration.register, self.contact, list(routes) or self.route, **options)

    def wait(self, name: str, count: int = 1, timeout: float = 60) -> NotificationData:
        self.network.run_until(lambda: len(self.posted(name)) >= count, timeout)
        return self.posted(name)[-1]

    def posted(self, name: str) -> list[NotificationData]:
        found = self.agent.recorder.find_all("SIPRegistration" + name, self.registration)
        return [notification.data for notification in found]


@pytest.fixture
def alices(alice: UserAgent, network: MemoryNetwork) -> Callable[..., Registering]:
    return lambda **options: Registering(alice, network, **options)


def test_a_registration_from_its_beginning_to_its_end(
    network: MemoryNetwork, server: SIPServer, alices: Callable[..., Registering]
) -> None:
    """RFC 3261 10: registered with credentials, refreshed, removed; each step is told."""
    guard = DigestGuard({"alice": "secret"})
    registrar = Registrar(server.core, guard)
    alice = alices(credentials=Credentials("alice", "secret"), extra_headers=[Header("X-Test", "1")])
    assert not alice.registration.is_registered and alice.registration.call_id is None
    alice.register()
    data = alice.wait("DidSucceed")
    assert (data.code, data.expires_in) == (200, 300)
    assert str(data.contact_header.uri) == str(data.contact_header_list[0].uri) == str(alice.contact.uri)
    assert data.route_header.uri.host == "10.0.0.200"
    assert alice.agent.run(lambda: alice.registration.is_registered)
    assert alice.agent.run(lambda: alice.registration.expires_in) == 300
    assert len(registrar.contacts(ADDRESS)) == 1
    assert alice.wait("WillExpire", timeout=300).expires_in in range(50, 85)
    alice.wait("DidSucceed", 2)
    alice.agent.run(alice.registration.end)
    assert (alice.posted("WillEnd")) != []
    ended = alice.wait("DidEnd")
    assert (ended.expired, ended.code) == (False, 200)
    assert registrar.bindings == {} and not alice.registration.is_registered
    assert guard.challenged == 1


def test_over_tcp(network: MemoryNetwork, server: SIPServer, alices: Callable[..., Registering]) -> None:
    registrar = Registrar(server.core)
    alice = alices()
    alice.register(RouteHeader("sip:10.0.0.200:5060;transport=tcp"))
    data = alice.wait("DidSucceed")
    assert data.route_header.uri.transport == "tcp" and registrar.requests == 1


def test_a_failure_says_what_the_registrar_said(
    network: MemoryNetwork, server: SIPServer, alices: Callable[..., Registering]
) -> None:
    Registrar(server.core, DigestGuard({"alice": "secret"}))
    alice = alices(credentials=Credentials("alice", "wrong"))
    alice.register()
    data = alice.wait("DidFail")
    assert (data.originator, data.code, data.retry_after, data.targets) == ("remote", 401, None, [])
    assert "WWW-Authenticate" in data.headers
    assert all("wrong" not in repr(notification) for notification in alice.agent.recorder)


def test_a_server_that_is_down_gives_way_to_the_next(
    network: MemoryNetwork, server: SIPServer, alices: Callable[..., Registering]
) -> None:
    """RFC 3263 4.3: a refused connection leads to the next route."""
    network.add_host("closed", "10.0.0.201")
    Registrar(server.core)
    alice = alices()
    alice.register(RouteHeader("sip:10.0.0.201:5060;transport=tcp"), alice.route)
    assert alice.wait("DidSucceed").route_header.uri.host == "10.0.0.200"


def test_nobody_answers(network: MemoryNetwork, alices: Callable[..., Registering]) -> None:
    alice = alices()
    alice.register(timeout=3)
    data = alice.wait("DidFail", timeout=4)
    assert (data.originator, data.code, data.headers) == ("local", 408, None)
    alice.agent.run(alice.registration.end)
    assert alice.wait("DidEnd").expired is False


def test_a_loss_of_packets_is_made_good(
    network: MemoryNetwork, server: SIPServer, alices: Callable[..., Registering]
) -> None:
    network.loss = 0.3
    Registrar(server.core)
    alice = alices()
    alice.register()
    alice.wait("DidSucceed", 4, timeout=1500)


def test_bindings_are_fetched(network: MemoryNetwork, server: SIPServer, alices: Callable[..., Registering]) -> None:
    Registrar(server.core)
    alice, other = alices(), alices()
    alice.register()
    alice.wait("DidSucceed")
    other.agent.run(other.registration.fetch_bindings, other.route)
    data = other.wait("GotBindings")
    assert [str(contact.uri) for contact in data.contact_header_list] == [str(alice.contact.uri)]
    other.agent.run(other.registration.fetch_bindings, RouteHeader("sip:10.0.0.77"), 2)
    assert other.wait("DidNotGetBindings").code == 408


def test_the_engine_is_needed(network: MemoryNetwork, server: SIPServer, alices: Callable[..., Registering]) -> None:
    Registrar(server.core)
    alice = alices()
    alice.register()
    alice.wait("DidSucceed")
    alice.agent.run(lambda: Engine().stop())
    with pytest.raises(EngineError):
        alice.register()
    with pytest.raises(EngineError):
        alice.agent.run(alice.registration.end)


def test_a_route_over_tls_is_told_with_the_name_that_was_proven() -> None:
    """RFC 5922 7.3: what is told may be used again as a route."""
    named = Destination(Hop("tls", "2001:db8::1", 5061, "sip.example.com"), RouteHeader("sip:x;lr").frozen())
    assert str(route_of(named).uri) == "sip:sip.example.com:5061;transport=tls;lr;maddr=[2001:db8::1]"
    assert hop_towards(route_of(named).uri) == named.hop
    assert str(route_of(Destination(Hop("udp", "10.0.0.1", 5060))).uri) == "sip:10.0.0.1:5060;transport=udp;lr"


def test_the_registrar_of_a_process_of_its_own() -> None:
    """It prints its port, serves it, and ends with its standard input."""
    command = [sys.executable, "-m", "sipsimple.testing.registrar", "alice=secret"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        port = int(process.stdout.readline())
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
            client.settimeout(10)
            lines = [
                "REGISTER sip:example.com SIP/2.0", "Via: SIP/2.0/UDP 127.0.0.1;branch=z9hG4bK1;rport",
                "From: <sip:alice@example.com>;tag=1", "To: <sip:alice@example.com>", "Call-ID: 1",
                "CSeq: 1 REGISTER", "Max-Forwards: 70", "Content-Length: 0",
            ]  # fmt: skip
            client.sendto("".join(f"{line}\r\n" for line in [*lines, ""]).encode(), ("127.0.0.1", port))
            assert client.recv(2000).startswith(b"SIP/2.0 401 ")
        process.stdin.close()
        assert process.wait(10) == 0


def test_errors_of_use(alices: Callable[..., Registering]) -> None:
    alice = alices()
    with pytest.raises(ValueError, match="names no IP address"):
        alice.register(RouteHeader("sip:proxy.example.com"))
    with pytest.raises(ValueError, match="no route"):
        alice.agent.run(alice.registration.register, alice.contact, [])
    with pytest.raises(ValueError, match="lasts longer"):
        alices(duration=0)
    with pytest.raises(ValueError, match="no SIP URI"):
        alice.agent.run(Registration, FromHeader("tel:+3120"))
    assert "secret" not in repr(vars(alices(credentials=Credentials("alice", "secret")).registration))
