"""The memory reactor: realms, the thread pool, names, and what else Twisted's reactors have."""

import pytest
from twisted.internet.abstract import isIPAddress
from twisted.internet.error import DNSLookupError
from twisted.internet.interfaces import (
    IHostnameResolver,
    IReactorCore,
    IReactorPluggableNameResolver,
    IReactorThreads,
    IReactorTime,
    IResolverSimple,
)
from twisted.internet.protocol import ClientFactory, DatagramProtocol, Protocol, ServerFactory
from twisted.internet.threads import deferToThreadPool
from zope.interface.verify import verifyObject

from sipsimple.realm import Singleton, current_realm, default_realm
from sipsimple.testing.network import MemoryNetwork
from sipsimple.testing.reactor import MemoryReactor, MemoryRealm


class Single(metaclass=Singleton):
    pass


@pytest.fixture
def network() -> MemoryNetwork:
    return MemoryNetwork()


@pytest.fixture
def host(network: MemoryNetwork) -> MemoryReactor:
    return network.add_host("host")


@pytest.mark.parametrize("interface", [IReactorCore, IReactorTime, IReactorThreads, IReactorPluggableNameResolver])
def test_it_is_what_it_declares(host: MemoryReactor, interface) -> None:
    assert verifyObject(interface, host)


def test_two_realms_have_singletons_of_their_own(network: MemoryNetwork) -> None:
    alice, bob = MemoryRealm("alice", network), MemoryRealm("bob", network)
    assert alice.run(Single) is alice.run(Single)
    assert bob.run(Single) is not alice.run(Single)
    assert Single not in default_realm().instances
    assert alice.reactor is alice.host is network.host("alice")
    assert alice.in_reactor_thread()


def test_a_realm_knows_the_address_its_packets_leave_from(network: MemoryNetwork) -> None:
    alice, bob = MemoryRealm("alice", network), MemoryRealm("bob", network, "10.0.0.50")
    assert alice.local_ip_towards(bob.host.ip) == "10.0.0.1"
    assert bob.local_ip_towards("alice") == "10.0.0.50"
    assert bob.local_ip_towards("127.0.0.1") == "127.0.0.1"


def test_every_callback_runs_in_the_realm_of_its_host(network: MemoryNetwork) -> None:
    alice, bob = MemoryRealm("alice", network), MemoryRealm("bob", network)
    seen: dict[str, set[str]] = {}

    def note(what: str) -> None:
        seen.setdefault(current_realm().name, set()).add(what)

    class Datagrams(DatagramProtocol):
        def startProtocol(self) -> None:
            note("startProtocol")

        def stopProtocol(self) -> None:
            note("stopProtocol")

        def datagramReceived(self, datagram: bytes, addr: object) -> None:
            note("datagramReceived")

        def connectionRefused(self) -> None:
            note("connectionRefused")

    class Stream(Protocol):
        missing = 200_000

        def connectionMade(self) -> None:
            note("connectionMade")
            self.transport.registerProducer(self, True)
            self.transport.write(b"x" * self.missing)

        def pauseProducing(self) -> None:
            note("pauseProducing")

        def resumeProducing(self) -> None:
            note("resumeProducing")

        def dataReceived(self, data: bytes) -> None:
            note("dataReceived")
            self.missing -= len(data)
            if not self.missing:
                self.transport.unregisterProducer()
                self.transport.loseConnection()

        def connectionLost(self, reason: object = None) -> None:
            note("connectionLost")

    class Server(ServerFactory):
        protocol = Stream

        def doStart(self) -> None:
            note("doStart")

        def buildProtocol(self, addr: object) -> Protocol | None:
            note("buildProtocol")
            return super().buildProtocol(addr)

    class Client(ClientFactory):
        protocol = Stream

        def startedConnecting(self, connector: object) -> None:
            note("startedConnecting")

        def clientConnectionLost(self, connector: object, reason: object) -> None:
            note("clientConnectionLost")

        def clientConnectionFailed(self, connector: object, reason: object) -> None:
            note("clientConnectionFailed")

    at_alice = alice.host.listenUDP(1000, Datagrams())
    at_alice.connect(bob.host.ip, 2000)
    at_bob = bob.host.listenUDP(2000, Datagrams())
    at_alice.write(b"x")
    network.run_idle()
    at_bob.stopListening()
    network.run_idle()
    at_alice.write(b"x")
    bob.host.listenTCP(3000, Server())
    alice.host.connectTCP("bob", 3000, Client())
    alice.host.connectTCP("bob", 3001, Client())
    alice.host.callLater(1.0, note, "callLater")
    bob.host.callFromThread(note, "callFromThread")
    bob.host.callInThread(note, "callInThread")
    alice.host.callWhenRunning(note, "callWhenRunning")
    bob.host.resolve("alice").addCallback(lambda ip: note("resolve"))
    network.advance(2.0)
    assert seen == {
        "alice": {
            "startProtocol",
            "connectionRefused",
            "startedConnecting",
            "connectionMade",
            "pauseProducing",
            "resumeProducing",
            "dataReceived",
            "connectionLost",
            "clientConnectionLost",
            "clientConnectionFailed",
            "callLater",
            "callWhenRunning",
        },
        "bob": {
            "startProtocol",
            "stopProtocol",
            "datagramReceived",
            "doStart",
            "buildProtocol",
            "connectionMade",
            "pauseProducing",
            "dataReceived",
            "connectionLost",
            "callFromThread",
            "callInThread",
            "resolve",
        },
    }
    assert current_realm() is default_realm()


def test_work_of_the_thread_pool_is_done_in_a_later_event_and_answered_in_another(
    network: MemoryNetwork, host: MemoryReactor
) -> None:
    seen: list[object] = []

    def work(number: int, *, factor: int) -> int:
        seen.append("working")
        return number * factor

    deferToThreadPool(host, host.getThreadPool(), work, 6, factor=7).addCallback(seen.append)
    deferToThreadPool(host, host.getThreadPool(), lambda: 1 / 0).addErrback(lambda f: seen.append(f.type))
    assert seen == []
    network.run_idle()
    assert seen == ["working", 42, ZeroDivisionError]


def test_what_work_without_a_callback_raises_is_seen(network: MemoryNetwork, host: MemoryReactor) -> None:
    host.callInThread(lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        network.run_idle()


def test_names_are_resolved_in_a_later_event(network: MemoryNetwork, host: MemoryReactor) -> None:
    seen: list[object] = []
    host.resolve("10.9.9.9").addCallback(seen.append)
    assert seen == ["10.9.9.9"]
    host.resolve("HOST").addCallback(seen.append)
    host.resolve("nobody").addErrback(lambda failure: seen.append(failure.type))
    assert verifyObject(IHostnameResolver, host.nameResolver)
    assert verifyObject(IResolverSimple, host.nameResolver)
    network.run_idle()
    assert seen[1:] == [host.ip, DNSLookupError]
    assert all(isIPAddress(ip) for ip in network.hosts)


def test_a_name_resolver_can_be_installed(host: MemoryReactor) -> None:
    previous, replacement = host.nameResolver, object()
    assert host.installNameResolver(replacement) is previous
    assert host.nameResolver is replacement


def test_a_reactor_runs_with_its_network_until_it_is_stopped(host: MemoryReactor) -> None:
    seen: list[str] = []
    host.addSystemEventTrigger("after", "shutdown", seen.append, "after")
    host.addSystemEventTrigger("before", "shutdown", seen.append, "before")
    removed = host.addSystemEventTrigger("before", "shutdown", seen.append, "removed")
    host.removeSystemEventTrigger(removed)
    assert host.running
    with pytest.raises(RuntimeError, match="MemoryNetwork"):
        host.run()
    host.stop()
    host.stop()
    assert not host.running
    assert seen == ["before", "after"]
