"""Which STUN and TURN servers answer, on the memory network."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.protocol import DatagramProtocol, Factory, Protocol

from sipsimple.core.transport.stun import answer, parse
from sipsimple.streams.rtp.server_probe import KNOWN_FOR, PROBE_TIMEOUT, ServerProbe
from sipsimple.testing.network import MemoryNetwork
from sipsimple.testing.reactor import MemoryRealm

PORT = 3478


class Server(DatagramProtocol):
    """Answers as `respond` does, once it was asked more than `deaf` times."""

    def __init__(self, realm: Any, deaf: int = 0) -> None:
        self.asked = 0
        self.deaf = deaf
        self.error = False
        realm.run(realm.reactor.listenUDP, PORT, self)

    def datagramReceived(self, data: bytes, sender: Any) -> None:
        self.asked += 1
        if self.asked > self.deaf:
            reply = bytearray(answer(parse(data), sender))
            if self.error:
                reply[:2] = b"\x01\x11"
            self.transport.write(bytes(reply), sender)


class Net:
    def __init__(self) -> None:
        self.network = MemoryNetwork()
        self.realm = MemoryRealm("us", self.network)
        self.probe = self.realm.run(ServerProbe)

    def server(self, name: str, **options: Any) -> tuple[Server, str]:
        realm = MemoryRealm(name, self.network)
        return Server(realm, **options), realm.host.ip

    def ask(self, *hosts: str) -> tuple[str | None, float]:
        """The server that was found, and the seconds that it took."""
        got: list[Any] = []
        begin = self.realm.reactor.seconds()
        self.realm.run(self.probe.first_alive, [(host, PORT) for host in hosts]).addCallback(got.append)
        self.network.run_until(lambda: got, 30)
        return got[0], self.realm.reactor.seconds() - begin


@pytest.fixture
def net() -> Iterator[Net]:
    net = Net()
    yield net
    net.network.close()


def test_none(net: Net) -> None:
    """Without servers there is nothing to wait for."""
    assert net.ask() == (None, 0)


def test_a_server_that_answers(net: Net) -> None:
    """It is found by its name or its address, and known for a while."""
    server, address = net.server("stun.example")
    assert net.ask("stun.example")[0] == f"{address}:{PORT}"
    assert net.ask("stun.example") == (f"{address}:{PORT}", 0)
    assert server.asked == 1
    net.network.advance(KNOWN_FOR + 1)
    assert net.ask("stun.example")[0] == f"{address}:{PORT}"
    assert server.asked == 2
    assert net.ask(address)[0] == f"{address}:{PORT}"


def test_dead_servers_cost_a_bounded_time(net: Net) -> None:
    """A dead server, or a name that does not exist, costs a second, and nothing more for a while."""
    assert net.ask("192.0.2.99", "no.such.name.example") == (None, pytest.approx(PROBE_TIMEOUT))
    assert net.ask("192.0.2.99", "no.such.name.example") == (None, 0)
    _, address = net.server("stun.example")
    found, seconds = net.ask("192.0.2.99", address)
    assert (found, seconds < PROBE_TIMEOUT) == (f"{address}:{PORT}", True)


def test_a_datagram_is_lost(net: Net) -> None:
    """RFC 8489 6.2.1: the request is repeated."""
    server, address = net.server("stun.example", deaf=2)
    assert net.ask(address)[0] == f"{address}:{PORT}"
    assert server.asked == 3


def test_an_error_is_a_sign_of_life(net: Net) -> None:
    """RFC 8656: a TURN server may want authentication even for Binding."""
    server, address = net.server("turn.example")
    server.error = True
    assert net.ask(address)[0] == f"{address}:{PORT}"


def test_an_address_that_can_not_be_asked(net: Net) -> None:
    """IPv6, which the engine has not: it counts as dead, the others are asked all the same."""
    assert net.ask("2001:db8::1") == (None, pytest.approx(PROBE_TIMEOUT))
    _, address = net.server("stun.example")
    assert net.ask("2001:db8::2", address)[0] == f"{address}:{PORT}"


def test_a_server_that_accepts_connections(net: Net) -> None:
    """RFC 8656: over TCP a TURN server is there if it accepts connections; also that is known for a while."""
    realm = MemoryRealm("turn.example", net.network)
    realm.run(realm.reactor.listenTCP, PORT, Factory.forProtocol(Protocol))

    def knock(host: str) -> tuple[str | None, float]:
        got: list[Any] = []
        begin = net.realm.reactor.seconds()
        net.realm.run(net.probe.accepts, (host, PORT)).addCallback(got.append)
        net.network.run_until(lambda: got, 30)
        return got[0], net.realm.reactor.seconds() - begin

    assert knock("turn.example")[0] == f"{realm.host.ip}:{PORT}"
    assert knock("turn.example") == (f"{realm.host.ip}:{PORT}", 0)
    for host in ("192.0.2.99", "no.such.name.example"):
        found, seconds = knock(host)
        assert (found, seconds <= PROBE_TIMEOUT + 0.01) == (None, True)
        assert knock(host) == (None, 0)


def test_rubbish_is_no_answer(net: Net) -> None:
    """Neither from the server's address nor from another one, of whatever form."""
    realm = MemoryRealm("bad.example", net.network)

    class Bad(DatagramProtocol):
        def datagramReceived(self, data: bytes, sender: Any) -> None:
            for reply in (b"", b"\x01\x01", data, b"\x01\x01" + data[2:-1] + b"!", b"x" * 1500):
                self.transport.write(reply, sender)

    class Stranger(DatagramProtocol):
        def datagramReceived(self, data: bytes, sender: Any) -> None:
            other.transport.write(b"\x01\x01" + data[2:], sender)  # type: ignore[union-attr]

    realm.run(realm.reactor.listenUDP, PORT, Bad())
    stranger, other = Stranger(), DatagramProtocol()
    realm.run(realm.reactor.listenUDP, PORT + 1, other)
    assert net.ask(realm.host.ip) == (None, pytest.approx(PROBE_TIMEOUT))
    realm2 = MemoryRealm("stranger.example", net.network)
    realm2.run(realm2.reactor.listenUDP, PORT, stranger)
    assert net.ask(realm2.host.ip) == (None, pytest.approx(PROBE_TIMEOUT))
