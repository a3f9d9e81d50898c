"""The relay of an account: how it is found, and which of its addresses is used (RFC 4976 5.2, 9.2)."""

from __future__ import annotations

import re
from types import SimpleNamespace
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.protocol import Factory, Protocol

from sipsimple.configuration.datatypes import MSRPRelayAddress
from sipsimple.core import Credentials
from sipsimple.plugins import PluginManager, hookimpl
from sipsimple.result import Result
from sipsimple.streams.msrp import MSRPStreamBase, MSRPTransport
from sipsimple.streams.msrp.relay import LOOKUP_TIMEOUT, MAX_ADDRESSES, RELAY_TIMEOUT, authorized_leg, relay_of
from sipsimple.streams.msrp.testing import Side, StreamPair
from sipsimple.testing.network import MemoryNetwork


class _Relayed(MSRPStreamBase):
    media_type = "message"
    accept_types = ["text/plain"]

    @classmethod
    def new_from_sdp(cls, account: Any, remote_sdp: Any, stream_index: int) -> Any:
        return cls(account)


class RelayProtocol(Protocol):
    """A relay that authorizes whoever asks, or answers with what `answer` says; it knows no more."""

    answer = "200 OK"

    def connectionMade(self) -> None:
        self.data = b""

    def dataReceived(self, data: bytes) -> None:
        self.data += data
        if (request := re.match(rb"MSRP (\S+) AUTH\r\nTo-Path: (\S+)\r\nFrom-Path: (\S+)", self.data)) is None:
            return
        transaction_id, relay, uri = (part.decode() for part in request.groups())
        self.factory.asked.append(relay)  # type: ignore[attr-defined]
        status = self.factory.answer  # type: ignore[attr-defined]
        self.data = b""
        assert self.transport is not None
        self.transport.write(
            f"MSRP {transaction_id} {status}\r\nTo-Path: {uri}\r\nFrom-Path: {relay}\r\n"
            f"Use-Path: msrp://relay.example.com:2855/leg;tcp\r\nExpires: 600\r\n-------{transaction_id}$\r\n".encode()
        )


class Relay:
    """A machine with a relay."""

    def __init__(self, network: MemoryNetwork, port: int = 2855, answer: str = "200 OK") -> None:
        self.host = network.add_host()
        self.factory: Any = Factory.forProtocol(RelayProtocol)
        self.factory.answer = answer
        self.factory.asked = []
        self.host.listenTCP(port, self.factory)
        self.address = (self.host.ip, port)

    @property
    def asked(self) -> list[str]:
        """The URIs by which it was addressed."""
        asked: list[str] = self.factory.asked
        return asked


@pytest.fixture
def network() -> MemoryNetwork:
    return MemoryNetwork()


@pytest.fixture
def alice(network: MemoryNetwork) -> Side:
    return Side(network, "alice")


def account_with(side: Side, relay: str, **settings: Any) -> Any:
    given = {"use_msrp_relay_for_outbound": True, "use_msrp_relay_for_inbound": True, **settings}
    side.account.nat_traversal = SimpleNamespace(msrp_relay=MSRPRelayAddress(relay), **given)
    side.account.credentials = Credentials("alice", "secret")
    return side.account


def use_resolver(side: Side, lookup_service: Any) -> list[tuple[str, str]]:
    """Have a plugin with a resolver; what it was asked for."""
    asked: list[tuple[str, str]] = []

    def lookup(uri: Any, service: str) -> Any:
        asked.append((uri.host, service))
        return lookup_service()

    plugin = SimpleNamespace(sipsimple_resolver=hookimpl(lambda: SimpleNamespace(lookup_service=lookup)))
    side.run(lambda: PluginManager().register(plugin, "resolver"))
    return asked


def get_leg(side: Side, network: MemoryNetwork, relay: str) -> Any:
    """What comes of the search for the relay: the leg, or the Failure."""
    account = account_with(side, relay)
    uri: Any = side.run(relay_of, account, True, None)
    # the memory network has no TLS here: what matters is where, and by which name, the relay is asked
    plain = type(uri)(uri.host, uri.port)
    outcome: list[Any] = []

    def begin() -> Any:
        transport = MSRPTransport()
        own = type(uri).new(side.realm.host.ip, 12345)
        finding = authorized_leg(plain, own, account, transport, None)
        deferred = Deferred.fromCoroutine(finding)
        deferred.addBoth(outcome.append)
        return deferred

    side.pending = side.run(begin)  # type: ignore[attr-defined]
    network.run_until(lambda: outcome, RELAY_TIMEOUT + 1)
    return outcome[0]


@pytest.mark.parametrize(
    ("relay", "offered", "used"),
    [
        ("relay.example.com", None, "msrps://relay.example.com;tcp"),
        ("relay.example.com", True, "msrps://relay.example.com;tcp"),
        ("relay.example.com", False, None),
        ("relay.example.com;transport=tcp", None, "msrp://relay.example.com:2855;tcp"),
        ("relay.example.com;transport=tcp", True, None),
        ("relay.example.com:4000;transport=tls", True, "msrps://relay.example.com:4000;tcp"),
        ("192.0.2.1", True, "msrps://192.0.2.1:2855;tcp"),
    ],
)
def test_which_relay(alice: Side, relay: str, offered: bool | None, used: str | None) -> None:
    """RFC 4975 8.1, 4976 5.2: one of the kind that is offered, TCP or TLS, or none; without a port if it is
    to be looked up."""
    found = alice.run(relay_of, account_with(alice, relay), True, offered)
    assert (None if found is None else str(found)) == used


def test_no_relay(alice: Side) -> None:
    """The settings say for which direction there is one, and that there is one at all."""
    account = account_with(alice, "relay.example.com", use_msrp_relay_for_outbound=False)
    assert alice.run(relay_of, account, True, None) is None and alice.run(relay_of, account, False, None) is not None
    account.msrp.connection_model = "acm"
    assert alice.run(relay_of, account, False, None) is None


@pytest.mark.parametrize("kind", ["list", "Result", "Deferred"])
def test_found_by_srv(network: MemoryNetwork, alice: Side, kind: str) -> None:
    """Issue 6, DNS-017: a name without a port is looked up as a service; the relay is asked there, by the name
    of the settings."""
    relay = Relay(network, 4000)

    def lookup() -> Any:
        if kind == "list":
            return [relay.address]
        if kind == "Result":
            return Result.of(lambda: [relay.address])
        deferred: Deferred[Any] = Deferred()
        alice.realm.reactor.callLater(1, deferred.callback, [relay.address])
        return deferred

    asked = use_resolver(alice, lookup)
    leg = get_leg(alice, network, "example.com")
    assert [str(uri) for uri in leg.use_path] == ["msrp://relay.example.com:2855/leg;tcp"]
    assert asked == [("example.com", "msrprelay")] and relay.asked == ["msrp://example.com;tcp"]


def test_the_next_address(network: MemoryNetwork, alice: Side) -> None:
    """Where nobody is, and where nobody answers, the next is tried; more than a few are not, nor one twice."""
    silent, relay, spare = network.add_host(), Relay(network), Relay(network)
    silent.listenTCP(2855, Factory.forProtocol(Protocol))
    addresses = [(network.add_host().ip, 9), (silent.ip, 2855), (silent.ip, 2855), relay.address, spare.address]
    use_resolver(alice, lambda: addresses)
    leg = get_leg(alice, network, "example.com")
    assert leg.use_path and relay.asked and not spare.asked


def test_wrong_credentials_are_wrong_everywhere(network: MemoryNetwork, alice: Side) -> None:
    """RFC 4976 9.1: who is not let in is not tried at every address."""
    relays = [Relay(network, answer="403 Forbidden"), Relay(network)]
    use_resolver(alice, lambda: [relay.address for relay in relays])
    assert "403 Forbidden" in get_leg(alice, network, "example.com").getErrorMessage()
    assert not relays[1].asked


def test_no_address_works(network: MemoryNetwork, alice: Side) -> None:
    """Then the last reason is told, within the time for all of them."""
    use_resolver(alice, lambda: [(network.add_host().ip, 9) for _ in range(MAX_ADDRESSES + 3)])
    assert "refused" in get_leg(alice, network, "example.com").getErrorMessage()


def raise_error() -> Any:
    raise RuntimeError("no resolver here")


@pytest.mark.parametrize(
    ("lookup", "reason"),
    [
        (raise_error, "example.com was not found: no resolver here"),
        (list, "example.com was not found"),
        (lambda: None, "example.com was not found"),
        (lambda: Result.of(raise_error), "example.com was not found: no resolver here"),
        (Deferred, "example.com was not found"),
    ],
    ids=["raises", "nothing", "none", "fails", "silence"],
)
def test_not_found(network: MemoryNetwork, alice: Side, lookup: Any, reason: str) -> None:
    """It is said which relay was not found; a resolver that says nothing is not waited for without end."""
    use_resolver(alice, lookup)
    began = network.now
    assert reason in get_leg(alice, network, "example.com").getErrorMessage()
    assert network.now - began <= LOOKUP_TIMEOUT


@pytest.mark.parametrize("relay", ["relay.example.com:4000", "relay.example.com:4000;transport=tcp"])
def test_a_name_with_a_port(network: MemoryNetwork, alice: Side, relay: str) -> None:
    """RFC 4976 5.2: that is a host: the system is asked, whatever plugin there is."""
    asked = use_resolver(alice, raise_error)
    machine = Relay(network, 4000)
    network.add_name("relay.example.com", machine.host.ip)
    assert get_leg(alice, network, relay).use_path
    assert asked == [] and machine.asked == ["msrp://relay.example.com:4000;tcp"]


def test_without_a_plugin(network: MemoryNetwork, alice: Side) -> None:
    """A name is asked of the system, and the port is the usual one; a name that it does not know is told."""
    machine = Relay(network)
    network.add_name("relay.example.com", machine.host.ip)
    assert get_leg(alice, network, "relay.example.com").use_path
    assert "nowhere.example was not found" in get_leg(alice, network, "nowhere.example").getErrorMessage()


def test_an_address(network: MemoryNetwork, alice: Side) -> None:
    """Is nothing to look up."""
    asked = use_resolver(alice, raise_error)
    machine = Relay(network)
    assert get_leg(alice, network, machine.host.ip).use_path
    assert asked == [] and machine.asked == [f"msrp://{machine.host.ip}:2855;tcp"]


@pytest.mark.parametrize("when", ["while it is looked up", "while it is asked"])
def test_a_stream_that_ends_first(network: MemoryNetwork, when: str) -> None:
    """Nothing of the search goes on: no further address is tried, and no connection stays."""
    pair = StreamPair(_Relayed, network=network)
    silent, spare = network.add_host(), Relay(network)
    silent.listenTCP(2855, Factory.forProtocol(Protocol))
    found: Any = Deferred() if when == "while it is looked up" else [(silent.ip, 2855), spare.address]
    use_resolver(pair.alice, lambda: found)
    account_with(pair.alice, "example.com")
    stream = pair.alice.stream = pair.alice.run(_Relayed, pair.alice.account)
    pair.alice.run(stream.initialize, pair.alice.session, "outgoing")
    network.advance(1)
    pair.alice.run(stream.end)
    network.advance(RELAY_TIMEOUT + 1)
    assert pair.alice.names() == ["MediaStreamWillEnd", "MediaStreamDidEnd"] and not spare.asked


def test_a_stream_by_a_name(network: MemoryNetwork) -> None:
    """The stream is described with the path that the relay gives."""
    pair = StreamPair(_Relayed, network=network)
    relay = Relay(network)
    network.add_name("relay.example.com", relay.host.ip)
    account_with(pair.alice, "relay.example.com;transport=tcp")
    stream = pair.alice.stream = pair.alice.run(_Relayed, pair.alice.account)
    pair.alice.run(stream.initialize, pair.alice.session, "outgoing")
    pair.alice.wait("MediaStreamDidInitialize")
    media = pair.alice.run(stream.get_local_media, for_offer=True)
    first, own = media.attributes.getfirst("path").split()
    assert first == "msrp://relay.example.com:2855/leg;tcp" and pair.alice.realm.host.ip in own
    assert media.port == 2855
    pair.alice.run(stream.end)
