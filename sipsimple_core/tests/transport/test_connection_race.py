"""Connections to several addresses of one server: the first that opens is used (RFC 8305 5, DNS-002, DNS-044)."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.protocol import Factory, Protocol

from sipsimple.account.fastest_route import fastest_first
from sipsimple.core.protocol.hop import Hop
from sipsimple.core.transport.limits import ATTEMPT_DELAY, CONNECT_TIMEOUT
from sipsimple.core.transport.manager import Transports
from sipsimple.core.wire.uri import SIPURI
from sipsimple.plugins import PluginManager, hookimpl
from sipsimple.testing import MemoryNetwork, SIPServer
from sipsimple.testing.account_server import DOMAIN, IP, AccountAgent, ScriptedRegistrar
from sipsimple.testing.packets import Packet, Verdict
from sipsimple.util import Route

SLOW, QUICK, THIRD = "10.0.0.201", "10.0.0.202", "10.0.0.203"


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Iterator[MemoryNetwork]:
    monkeypatch.setenv("SIPSIMPLE_LOAD_PLUGINS", "")
    network = MemoryNetwork()
    network.add_name(DOMAIN, IP)
    yield network
    network.close()


class Server:
    """A host that takes connections on port 5060, and counts them."""

    def __init__(self, network: MemoryNetwork, ip: str) -> None:
        self.protocols: list[Protocol] = []
        factory = Factory()
        factory.buildProtocol = self._build  # type: ignore[method-assign,assignment]
        network.add_host(ip, ip).listenTCP(5060, factory)

    def _build(self, address: object) -> Protocol:
        self.protocols.append(Protocol())
        return self.protocols[-1]

    @property
    def connected(self) -> int:
        return sum(bool(protocol.connected) for protocol in self.protocols)


class Client:
    """Transports, and how each race that they run ended."""

    def __init__(self, network: MemoryNetwork) -> None:
        self.network = network
        self.reactor = network.add_host("client")
        self.failed: list[Hop] = []
        self.sent: list[Any] = []
        self.transports = Transports(self.reactor, lambda *_: None, lambda hop, error: self.failed.append(hop))

    def race(self, *hosts: str) -> Any:
        outcome = SimpleNamespace(winner=[], since=self.reactor.seconds())

        def over(winner: Hop | None) -> None:
            outcome.winner.append(None if winner is None else winner.host)
            outcome.seconds = self.reactor.seconds() - outcome.since

        outcome.deferred = self.transports.race([tcp(host) for host in hosts])
        outcome.deferred.addCallbacks(over, lambda failure: outcome.winner.append(failure.type.__name__))
        return outcome

    def run(self, *hosts: str) -> Any:
        outcome = self.race(*hosts)
        self.network.run_until(lambda: outcome.winner, timeout=60)
        return outcome

    def connections(self) -> int:
        return len(self.transports._streams["tcp"])


def tcp(host: str) -> Hop:
    return Hop("tcp", host, 5060)


def mute(network: MemoryNetwork, ip: str) -> None:
    """Nothing comes back from that address."""
    network.filter(lambda packet: Verdict.DROP if is_to(packet, ip) else None)


def is_to(packet: Packet, ip: str) -> bool:
    return packet.destination[0] == ip


def test_the_first_has_a_head_start(network: MemoryNetwork) -> None:
    """Where the preferred address works no other one is even tried."""
    first, second, client = Server(network, SLOW), Server(network, QUICK), Client(network)
    outcome = client.run(SLOW, QUICK)
    network.advance(2 * ATTEMPT_DELAY)
    assert outcome.winner == [SLOW] and outcome.seconds < ATTEMPT_DELAY
    assert (len(first.protocols), len(second.protocols)) == (1, 0)


def test_one_that_is_silent_costs_a_quarter_of_a_second(network: MemoryNetwork) -> None:
    """The next one is tried after the Connection Attempt Delay, and the loser broken off; nobody is told of it."""
    Server(network, SLOW)
    server, client = Server(network, QUICK), Client(network)
    mute(network, SLOW)
    outcome = client.run(SLOW, QUICK)
    assert outcome.winner == [QUICK] and ATTEMPT_DELAY <= outcome.seconds < 2 * ATTEMPT_DELAY
    network.advance(2 * CONNECT_TIMEOUT)
    assert (client.connections(), server.connected) == (1, 1)


def test_one_that_refuses_costs_nothing(network: MemoryNetwork) -> None:
    """RFC 8305 5: a failure starts the next attempt at once."""
    network.add_host(SLOW, SLOW)
    Server(network, QUICK)
    outcome = Client(network).run(SLOW, QUICK)
    assert outcome.winner == [QUICK] and outcome.seconds < ATTEMPT_DELAY / 2


def test_a_slow_one_may_still_win(network: MemoryNetwork) -> None:
    """The first attempt goes on while the second is being made."""
    Server(network, SLOW)
    network.latency = 0.15  # there and back is more than the delay
    mute(network, QUICK)
    assert Client(network).run(SLOW, QUICK).winner == [SLOW]


def test_none_of_them(network: MemoryNetwork) -> None:
    """All are tried, in bounded time."""
    for ip in (SLOW, QUICK, THIRD):
        network.add_host(ip, ip)
    mute(network, QUICK)
    client = Client(network)
    outcome = client.run(SLOW, QUICK, THIRD)
    assert outcome.winner == [None] and outcome.seconds < CONNECT_TIMEOUT + 1
    assert client.connections() == 0


def test_a_connection_that_is_open_wins(network: MemoryNetwork) -> None:
    """RFC 5626 5.3: the flow that there is serves on, though another address is preferred."""
    first, second, client = Server(network, SLOW), Server(network, QUICK), Client(network)
    client.run(QUICK)
    outcome = client.race(SLOW, QUICK)
    assert outcome.winner == [QUICK]
    network.advance(2 * ATTEMPT_DELAY)
    assert (len(first.protocols), len(second.protocols)) == (0, 1)


def test_what_waits_for_a_loser_is_not_broken_off(network: MemoryNetwork) -> None:
    """A message that is to go to an address goes there, whoever raced it."""
    slow, client = Server(network, SLOW), Client(network)
    Server(network, QUICK)
    held = network.filter(lambda packet: Verdict.HOLD if is_to(packet, SLOW) else None)
    outcome = client.race(SLOW, QUICK)
    client.transports.send(b"OPTIONS sip:a@b SIP/2.0\r\n\r\n", tcp(SLOW))
    network.run_until(lambda: outcome.winner, timeout=5)
    assert outcome.winner == [QUICK]
    network.remove_filter(held)
    held.release()
    network.run_until(lambda: slow.connected, timeout=5)
    assert client.connections() == 2


def test_two_races_for_the_same_addresses(network: MemoryNetwork) -> None:
    """The end of one does not take the other's attempts away."""
    Server(network, QUICK)
    network.add_host(SLOW, SLOW)
    mute(network, SLOW)
    client = Client(network)
    first, second = client.race(SLOW, QUICK), client.race(SLOW, QUICK)
    first.deferred.cancel()
    network.run_until(lambda: second.winner, timeout=5)
    assert (first.winner, second.winner) == (["CancelledError"], [QUICK])
    network.advance(1)
    assert client.connections() == 1


def test_a_race_is_broken_off(network: MemoryNetwork) -> None:
    """Cancelled, it leaves no attempt and no timer behind."""
    for ip in (SLOW, QUICK):
        network.add_host(ip, ip)
        mute(network, ip)
    client = Client(network)
    outcome = client.race(SLOW, QUICK)
    network.advance(1.5 * ATTEMPT_DELAY)
    assert client.connections() == 2
    outcome.deferred.cancel()
    network.advance(1)
    assert outcome.winner == ["CancelledError"] and client.connections() == 0


# As accounts use it


@pytest.fixture
def alice(network: MemoryNetwork) -> Iterator[AccountAgent]:
    agent = AccountAgent(network, ("udp", "tcp"))
    yield agent
    agent.stop()


def order(network: MemoryNetwork, alice: AccountAgent, *routes: Route) -> list[str]:
    done: list[Any] = []
    alice.run(lambda: fastest_first(alice.account, routes, SIPURI(DOMAIN)).addCallback(done.append))
    network.run_until(lambda: done, timeout=60)
    return [f"{route.transport}:{route.address}" for route in done[0]]


def test_the_order_of_the_routes(network: MemoryNetwork, alice: AccountAgent) -> None:
    """The one that answers comes first, the rest of its server next; a server that is dead goes to the end."""
    Server(network, THIRD)
    for ip in (SLOW, QUICK):
        network.add_host(ip, ip)
    dead = [Route(SLOW, transport="tcp", server="a"), Route(QUICK, transport="tcp", server="a")]
    live = [Route(SLOW, transport="tcp", server="b"), Route(THIRD, transport="tcp", server="b")]
    assert order(network, alice, *dead, *live) == [f"tcp:{ip}" for ip in (THIRD, SLOW, SLOW, QUICK)]
    alone = Route(QUICK, transport="tcp", server="c")
    assert order(network, alice, *dead, alone) == [f"tcp:{ip}" for ip in (QUICK, SLOW, QUICK)]
    udp = [Route(SLOW), Route(THIRD)]
    assert order(network, alice, *udp, *live) == [f"udp:{SLOW}", f"udp:{THIRD}", f"tcp:{SLOW}", f"tcp:{THIRD}"]
    assert order(network, alice) == []


def test_an_account_registers_with_the_address_that_answers(network: MemoryNetwork, alice: AccountAgent) -> None:
    """ACC-038: of two addresses of the registrar one is silent, which costs no time-out."""
    server = SIPServer(network.add_host("registrar", IP), tcp_port=5060)
    registrar = ScriptedRegistrar(server)
    network.add_host(SLOW, SLOW)
    mute(network, SLOW)
    routes = [Route(SLOW, transport="tcp", server=DOMAIN), Route(IP, transport="tcp", server=DOMAIN)]
    resolver = SimpleNamespace(lookup_sip_proxy=lambda uri, transports: routes)
    plugin = SimpleNamespace(sipsimple_resolver=hookimpl(lambda: resolver))
    alice.run(lambda: PluginManager().register(plugin, "resolver"))
    since = network.clock.now
    alice.save()
    assert alice.wait("RegistrationDidSucceed").registrar == routes[1]
    assert network.clock.now - since < 4 * ATTEMPT_DELAY
    assert len(registrar.requests) == 1
