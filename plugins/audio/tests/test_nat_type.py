"""The type of the local NAT, on the memory network: servers that see the application as a NAT would show it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from twisted.internet.protocol import DatagramProtocol

from sipsimple.account import Account
from sipsimple.application import SIPApplication
from sipsimple.configuration.datatypes import STUNServerAddress
from sipsimple.core.transport.stun import answer, parse
from sipsimple.testing.agent import UserAgent
from sipsimple.testing.network import MemoryNetwork
from sipsimple.testing.reactor import MemoryRealm

PORT = 3478
Seen = Callable[[Any], Any]

here: Seen = lambda source: source  # noqa: E731


class Server(DatagramProtocol):
    """Says that it sees who asks at the address that `seen` makes of the real one; nothing if that is None."""

    def __init__(self, network: MemoryNetwork, name: str, seen: Seen) -> None:
        self.realm = MemoryRealm(name, network)
        self.asked = 0
        self.seen = seen
        self.realm.run(self.realm.reactor.listenUDP, PORT, self)

    def datagramReceived(self, data: bytes, sender: Any) -> None:
        self.asked += 1
        address = self.seen(sender)
        if address is not None:
            self.transport.write(b"rubbish", sender)
            self.transport.write(answer(parse(data), address), sender)


class Net:
    def __init__(self) -> None:
        self.network = MemoryNetwork()
        self.alice = UserAgent(self.network, "alice")
        self.account: Any = None

    def server(self, name: str, seen: Seen) -> Server:
        return Server(self.network, name, seen)

    def use(self, *names: str) -> None:
        """Have the account these servers."""

        def save() -> None:
            self.account = account = Account("alice@example.com")
            account.registration.enabled = False
            account.enabled = True
            account.nat_traversal.stun_server_list = [STUNServerAddress(name, PORT) for name in names] or None
            account.save()

        self.alice.run(save)
        self.network.advance(3)

    @property
    def type(self) -> str:
        kind: str = self.alice.run(lambda: SIPApplication.local_nat_type)
        return kind


@pytest.fixture
def net() -> Iterator[Net]:
    net = Net()
    yield net
    net.alice.stop()
    net.network.close()


def mapped(port: int) -> Seen:
    return lambda source: ("203.0.113.9", port)


@pytest.mark.parametrize(
    ("servers", "kind"),
    [
        ({}, "unknown"),
        ({"one": here}, "open"),
        ({"one": here, "two": here}, "open"),
        ({"one": mapped(4000)}, "nat"),
        ({"one": mapped(4000), "two": mapped(4000)}, "cone"),
        ({"one": mapped(4000), "two": mapped(4001)}, "symmetric"),
        ({"one": mapped(4000), "two": lambda source: None}, "nat"),
        ({"one": lambda source: None, "two": lambda source: None}, "blocked"),
    ],
)
def test_types(net: Net, servers: dict[str, Seen], kind: str) -> None:
    """APP-018: what the servers of the accounts tell."""
    assert net.type == "unknown"
    for name, seen in servers.items():
        net.server(name, seen)
    net.use(*servers)
    assert net.type == kind


def test_other_servers_and_the_end(net: Net) -> None:
    """APP-018: it is found out anew for other servers, once for the same, and unknown when there is nobody to ask."""
    one = net.server("one", here)
    net.server("two", mapped(4000))
    net.use("one")
    assert (net.type, one.asked) == ("open", 1)
    net.use("one")
    assert one.asked == 1
    net.use("two")
    assert net.type == "nat"
    net.use()
    assert net.type == "unknown"
    net.use("one")
    net.alice.run(setattr, net.account, "enabled", False)
    net.alice.run(net.account.save)
    net.network.advance(3)
    assert net.type == "unknown"


def test_a_server_that_is_deaf_at_first(net: Net) -> None:
    """What gets lost is asked again; a name that nobody knows is no server."""
    server = net.server("one", here)
    server.seen = lambda source: source if server.asked > 2 else None
    net.use("one")
    assert (net.type, server.asked) == ("open", 3)
    net.use("nobody.invalid")
    assert net.type == "blocked"
