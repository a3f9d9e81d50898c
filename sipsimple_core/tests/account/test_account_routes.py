"""Where the requests of an account go: its proxy, the server of a domain, looked up by the system or by a plugin."""

from __future__ import annotations

from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.defer import Deferred, fail

from sipsimple.account import RouteLookupError, lookup_routes
from sipsimple.account.routes import LOOKUP_TIMEOUT, MAX_ROUTES
from sipsimple.core import SIPURI
from sipsimple.plugins import PluginManager, hookimpl
from sipsimple.result import Result
from sipsimple.testing import MemoryNetwork, UserAgent
from sipsimple.util import Route


@pytest.fixture
def network(monkeypatch: pytest.MonkeyPatch) -> Iterator[MemoryNetwork]:
    monkeypatch.setenv("SIPSIMPLE_LOAD_PLUGINS", "")
    network = MemoryNetwork()
    network.add_name("example.com", "10.0.0.50")
    network.add_name("proxy.example.net", "10.0.0.60")
    yield network
    network.close()


@pytest.fixture
def alice(network: MemoryNetwork) -> Iterator[UserAgent]:
    agent = UserAgent(network, "alice", transports=("tls", "tcp", "udp"))
    yield agent
    agent.stop()


class Alice:
    """An account alice@example.com of an agent."""

    def __init__(self, agent: UserAgent, network: MemoryNetwork, **settings: Any) -> None:
        self.agent, self.network = agent, network
        self.account = agent.run(self._make, settings)

    def _make(self, settings: dict[str, Any]) -> Any:
        from sipsimple.account import Account

        account = Account("alice@example.com")
        for name, value in settings.items():
            setattr(account.sip, name, value)
        account.save()
        return account

    def lookup(self, uri: str | None = None, timeout: float = 5.0) -> list[Route]:
        result: Result[list[Route]] = self.agent.run(
            lambda: lookup_routes(self.account, None if uri is None else SIPURI.parse(uri))
        )
        self.network.run_until(lambda: result.done, timeout)
        return result._get()


class CountingResolver:
    """A resolver of names that only counts how often it is asked."""

    def __init__(self) -> None:
        self.asked: list[Any] = []

    def resolveHostName(self, receiver: Any, name: str, *_: Any) -> None:
        self.asked.append(name)

    def lookup_sip_proxy(self, uri: Any, transports: Any) -> Any:
        self.asked.append(uri)
        return []


def use(agent: UserAgent, lookup_sip_proxy: Any) -> None:
    """Have a plugin with a resolver in an agent."""
    resolver = SimpleNamespace(lookup_sip_proxy=lookup_sip_proxy)
    plugin = SimpleNamespace(sipsimple_resolver=hookimpl(lambda: resolver))
    agent.run(lambda: PluginManager().register(plugin, "resolver"))


@pytest.mark.parametrize(
    ("settings", "uri", "route"),
    [
        ({}, None, Route("10.0.0.50", None, "udp")),
        ({}, "sip:bob@example.com;transport=tcp", Route("10.0.0.50", None, "tcp")),
        ({}, "sips:bob@example.com", Route("10.0.0.50", 5061, "tls")),
        ({}, "sip:bob@proxy.example.net:5070", Route("10.0.0.60", 5070, "udp")),
        ({"outbound_proxy": "proxy.example.net"}, None, Route("10.0.0.60", 5060, "udp")),
        ({"outbound_proxy": "proxy.example.net:5080;transport=tls"}, None, Route("10.0.0.60", 5080, "tls")),
        ({"outbound_proxy": "proxy.example.net"}, "sip:bob@elsewhere.example", Route("10.0.0.60", 5060, "udp")),
        ({"always_use_my_proxy": True}, "sip:bob@elsewhere.example", Route("10.0.0.50", 5060, "udp")),
    ],
)
def test_the_next_server_is_looked_up(
    network: MemoryNetwork, alice: UserAgent, settings: dict[str, Any], uri: str | None, route: Route
) -> None:
    """RFC 3261 8.1.2, RFC 3263 4: the proxy that the account has, else the server of the URI or of its own domain."""
    assert Alice(alice, network, **settings).lookup(uri) == [route]


@pytest.mark.parametrize(
    ("settings", "uri", "route"),
    [
        ({}, "sip:bob@10.9.9.9", Route("10.9.9.9", 5060, "udp")),
        ({}, "sip:bob@[2001:db8::1]:5070;transport=tcp", Route("2001:db8::1", 5070, "tcp")),
        ({}, "sip:bob@example.com;maddr=10.9.9.9", Route("10.9.9.9", 5060, "udp")),
        ({"outbound_proxy": "10.0.0.7:5080;transport=tcp"}, None, Route("10.0.0.7", 5080, "tcp")),
        ({"outbound_proxy": "[2001:db8::7]"}, "sip:bob@unknown.example", Route("2001:db8::7", 5060, "udp")),
    ],
)
def test_an_address_is_not_looked_up(
    network: MemoryNetwork, alice: UserAgent, settings: dict[str, Any], uri: str | None, route: Route
) -> None:
    """RFC 3263 4.2: neither the system nor a plugin is asked about an IP address, or with an address as the proxy."""
    resolver = CountingResolver()
    alice.reactor.nameResolver = resolver
    use(alice, resolver.lookup_sip_proxy)
    assert Alice(alice, network, **settings).lookup(uri) == [route]
    assert resolver.asked == []


def test_the_resolver_of_a_plugin_is_asked(network: MemoryNetwork, alice: UserAgent) -> None:
    """The hook sipsimple_resolver takes the place of the system; what it finds is used in order, without doubles."""
    asked = []

    def lookup_sip_proxy(uri: Any, transports: list[str]) -> Result[list[Route]]:
        asked.append((str(uri), transports))
        result: Result[list[Route]] = Result()
        result.succeed([Route("10.0.0.2", 5061, "tls"), Route("10.0.0.1"), Route("10.0.0.2", None, "tls")])
        return result

    use(alice, lookup_sip_proxy)
    assert Alice(alice, network).lookup() == [Route("10.0.0.2", 5061, "tls"), Route("10.0.0.1")]
    assert asked == [("sip:example.com", ["tls", "tcp", "udp"])]


def test_a_lookup_that_takes_too_long_is_broken_off(network: MemoryNetwork, alice: UserAgent) -> None:
    """What nobody waits for any more is not gone on with."""
    cancelled: list[object] = []

    def lookup_sip_proxy(uri: Any, transports: list[str]) -> Result[list[Route]]:
        return Result.of(lambda: Deferred(cancelled.append))

    use(alice, lookup_sip_proxy)
    with pytest.raises(RouteLookupError, match="not found within"):
        Alice(alice, network).lookup(timeout=LOOKUP_TIMEOUT + 1)
    assert len(cancelled) == 1


def test_routes_are_bounded(network: MemoryNetwork, alice: UserAgent) -> None:
    use(alice, lambda uri, transports: [Route("10.0.0.1", port) for port in range(1, 1000)])
    assert len(Alice(alice, network).lookup()) == MAX_ROUTES


def raise_error(uri: Any, transports: Any) -> Any:
    raise OSError("no resolver here")


@pytest.mark.parametrize(
    ("lookup_sip_proxy", "reason"),
    [
        (lambda uri, transports: fail(RuntimeError("SERVFAIL")), "example.com was not found: SERVFAIL"),
        (lambda uri, transports: fail(LookupError("example.com is nobody")), "example.com is nobody"),
        (raise_error, "example.com was not found: no resolver here"),
        (lambda uri, transports: [], "example.com was not found"),
        (lambda uri, transports: None, "example.com was not found: "),
        (lambda uri, transports: Deferred(), f"example.com was not found within {LOOKUP_TIMEOUT:g} seconds"),
    ],
    ids=["fails", "fails and says what", "raises", "nothing", "rubbish", "silence"],
)
def test_what_can_not_be_found_is_told(
    network: MemoryNetwork, alice: UserAgent, lookup_sip_proxy: Any, reason: str
) -> None:
    use(alice, lookup_sip_proxy)
    with pytest.raises(RouteLookupError) as raised:
        Alice(alice, network).lookup(timeout=LOOKUP_TIMEOUT + 1)
    assert str(raised.value).startswith(reason)


def test_a_name_that_the_system_does_not_know(network: MemoryNetwork, alice: UserAgent) -> None:
    with pytest.raises(RouteLookupError, match=r"nowhere\.example was not found"):
        Alice(alice, network).lookup("sip:bob@nowhere.example")


def test_a_system_that_does_not_answer(network: MemoryNetwork, alice: UserAgent) -> None:
    """A look-up is over after LOOKUP_TIMEOUT seconds, whatever the system does; a late answer has no effect."""
    resolver = CountingResolver()
    late = []
    resolver.resolveHostName = lambda receiver, *_: late.append(receiver)  # type: ignore[method-assign]
    alice.reactor.nameResolver = resolver
    with pytest.raises(RouteLookupError, match="within 15 seconds"):
        Alice(alice, network).lookup(timeout=LOOKUP_TIMEOUT + 1)
    late[0].resolutionComplete()


def test_a_transport_that_is_not_wanted_is_told(network: MemoryNetwork) -> None:
    agent = UserAgent(network, "alice", transports=("tcp",))
    alice = Alice(agent, network)
    assert alice.lookup() == [Route("10.0.0.50", None, "tcp")]
    for uri in ("sips:bob@example.com", "sip:bob@10.0.0.1;transport=udp", "sip:bob@example.com;transport=sctp"):
        with pytest.raises(RouteLookupError, match="which is not in"):
            alice.lookup(uri)
    agent.stop()
