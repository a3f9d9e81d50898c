"""DNSManager: which nameservers are used, and when it tells."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from sipsimple.lookup import DNSManager
from sipsimple.lookup.nameserver import Nameserver, system_nameservers
from sipsimple.lookup.testing import FakeNameserver

from .conftest import ZONE, Lookups

PROBED = """
@ 60 IN SOA ns.sip2sip.info. a.sip2sip.info. 1 7200 3600 86400 300
@ 60 IN NAPTR 10 10 "s" "SIP+D2U" "" _sip._udp
_sip._udp 60 IN SRV 0 0 5060 proxy
"""


class Nameservers:
    """Two local nameservers, `lookups.server` and another one, and one to fall back to."""

    def __init__(self, lookups: Lookups) -> None:
        self.lookups = lookups
        self.first = lookups.server
        self.second = FakeNameserver(lookups.network.add_host("second"), ZONE, "example.com")
        self.fallback = FakeNameserver(lookups.network.add_host("public"), ZONE, "example.com")
        lookups.realm.nameservers = [self.first.address, self.second.address]
        lookups.set(fallback_nameservers=[self.fallback.address])

    def enable(self, *servers: FakeNameserver) -> None:
        """Have them know the domain that is probed."""
        for server in servers:
            server.add_zone(PROBED, "sip2sip.info")

    def posted(self) -> list[tuple[str, list[str]]]:
        names = ("DNSResolverDidInitialize", "DNSNameserversDidChange")
        found = [each for each in self.lookups.recorder.notifications if each.name in names]
        assert all(each.sender is self.lookups.manager for each in found)
        return [(each.name, each.data.nameservers) for each in found]

    def start(self) -> None:
        self.lookups.run(self.lookups.manager.start)
        self.lookups.network.advance(12)


@pytest.fixture
def nameservers(lookups: Lookups) -> Nameservers:
    return Nameservers(lookups)


def test_it_is_a_singleton(lookups: Lookups) -> None:
    """DNS-004"""
    assert lookups.manager is lookups.manager
    assert list(inspect.signature(DNSManager.__init__).parameters) == ["self"]


def test_local_nameservers_that_work(nameservers: Nameservers) -> None:
    """DNS-005, DNS-007, DNS-008, DNS-009: they are probed and used, and told once."""
    nameservers.enable(nameservers.first, nameservers.second, nameservers.fallback)
    nameservers.start()
    assert nameservers.posted() == [("DNSResolverDidInitialize", ["10.0.0.1", "10.0.0.3"])]
    assert "NAPTR sip2sip.info" in nameservers.first.questions
    assert not nameservers.fallback.questions
    nameservers.lookups.network.advance(3600)
    assert len(nameservers.posted()) == 1  # DNS-011
    assert nameservers.lookups.manager.nameservers == ["10.0.0.1", "10.0.0.3"]


def test_one_that_does_not(nameservers: Nameservers) -> None:
    """DNS-005: one that knows nothing of NAPTR and SRV is left out."""
    nameservers.enable(nameservers.second)
    nameservers.start()
    assert nameservers.posted() == [("DNSResolverDidInitialize", ["10.0.0.3"])]


@pytest.mark.parametrize("how", ["refused", "silent"])
def test_the_fallback_until_the_local_ones_work(nameservers: Nameservers, how: str) -> None:
    """DNS-006, DNS-007, DNS-010, DNS-011: it is probed again and again; lookups ask whom they should."""
    nameservers.enable(nameservers.fallback)
    nameservers.first.silent = nameservers.second.silent = how == "silent"
    nameservers.start()
    assert nameservers.posted() == [("DNSResolverDidInitialize", ["10.0.0.4"])]
    assert nameservers.lookups.proxies("sip:b.example.com", ["udp"]) == ["udp:10.0.0.11:5060"]
    assert {trace.nameservers[0] for trace in nameservers.lookups.traces()} == {"10.0.0.4", "10.0.0.1"}
    nameservers.first.silent = nameservers.second.silent = False
    nameservers.enable(nameservers.first, nameservers.second)
    nameservers.lookups.network.advance(40)
    assert nameservers.posted()[1:] == [("DNSNameserversDidChange", ["10.0.0.1", "10.0.0.3"])]


def test_it_is_probed_less_and_less_often(nameservers: Nameservers) -> None:
    nameservers.enable(nameservers.fallback)
    nameservers.start()
    nameservers.lookups.network.advance(4 * 3600)
    assert 15 < nameservers.first.count("NAPTR sip2sip.info") < 30


def test_nothing_works(nameservers: Nameservers) -> None:
    """A closed network: the local ones may know its names, the others know none of them."""
    nameservers.first.silent = nameservers.fallback.silent = True
    nameservers.start()
    assert nameservers.posted() == [("DNSResolverDidInitialize", ["10.0.0.1", "10.0.0.3"])]


def test_one_that_works_again(nameservers: Nameservers) -> None:
    """DNS-007, DNS-010: all local ones are used then, in their order."""
    nameservers.enable(nameservers.first, nameservers.second)
    nameservers.first.silent = True
    nameservers.start()
    nameservers.first.silent = False
    nameservers.lookups.network.advance(30)
    assert nameservers.posted() == [
        ("DNSResolverDidInitialize", ["10.0.0.3"]),
        ("DNSNameserversDidChange", ["10.0.0.1", "10.0.0.3"]),
    ]


def test_nothing_works_at_first(nameservers: Nameservers) -> None:
    """DNS-006: as before the network is there; it is probed again, though the local ones stay the same."""
    servers = (nameservers.first, nameservers.second, nameservers.fallback)
    nameservers.enable(nameservers.fallback)
    for server in servers:
        server.silent = True
    nameservers.start()
    for server in servers:
        server.silent = False
    nameservers.lookups.network.advance(30)
    assert nameservers.posted()[1:] == [("DNSNameserversDidChange", ["10.0.0.4"])]


def test_another_network_while_the_fallback_is_used(nameservers: Nameservers) -> None:
    """DNS-007: its nameservers are probed soon, however long the others have failed."""
    nameservers.enable(nameservers.fallback, nameservers.second)
    nameservers.lookups.realm.nameservers = [nameservers.first.address]
    nameservers.start()
    nameservers.lookups.network.advance(3600)
    nameservers.lookups.realm.nameservers = [nameservers.second.address]
    nameservers.lookups.network.advance(31)
    assert nameservers.posted()[1:] == [("DNSNameserversDidChange", ["10.0.0.3"])]


def test_an_error_of_ours_while_probing(
    nameservers: Nameservers, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged, and does not keep from trying again."""
    with monkeypatch.context() as patched:
        patched.setattr("sipsimple.lookup.probing.query", lambda *_: 1 / 0)
        nameservers.enable(nameservers.second)
        nameservers.start()
    assert "ZeroDivisionError" in caplog.text
    nameservers.lookups.network.advance(40)
    assert nameservers.posted()[1:] == [("DNSNameserversDidChange", ["10.0.0.3"])]


def test_the_system_has_other_nameservers(nameservers: Nameservers) -> None:
    """DNS-010: after a change of the network; what was known is forgotten."""
    nameservers.enable(nameservers.first, nameservers.second)
    nameservers.start()
    nameservers.lookups.proxies("sip:b.example.com", ["udp"])
    nameservers.lookups.realm.nameservers = [nameservers.second.address]
    nameservers.lookups.network.advance(31)
    assert nameservers.posted()[1:] == [("DNSNameserversDidChange", ["10.0.0.3"])]
    asked = nameservers.second.count("A b.example.com")
    nameservers.lookups.without_authorities()
    nameservers.lookups.proxies("sip:b.example.com", ["udp"])
    assert nameservers.second.count("A b.example.com") == asked + 1


def test_it_is_not_probed(nameservers: Nameservers) -> None:
    """dns.probe_domain None, and a network without nameservers: what is there is used as it is."""
    nameservers.lookups.set(probe_domain=None)
    nameservers.start()
    assert nameservers.posted() == [("DNSResolverDidInitialize", ["10.0.0.1", "10.0.0.3"])]
    assert not nameservers.first.questions


def test_settings(nameservers: Nameservers) -> None:
    """Those of dns.nameservers in place of the system's, as soon as they are saved; probed with another domain."""
    nameservers.enable(nameservers.first, nameservers.second)
    nameservers.start()
    nameservers.lookups.set(nameservers="10.0.0.4", probe_domain="example.com")
    nameservers.lookups.network.advance(1)
    assert nameservers.posted()[1:] == [("DNSNameserversDidChange", ["10.0.0.4"])]
    assert nameservers.fallback.count("NAPTR example.com") == 1
    nameservers.lookups.set(nameservers=None, probe_domain=None)
    nameservers.lookups.network.advance(1)
    assert nameservers.posted()[2:] == [("DNSNameserversDidChange", ["10.0.0.1", "10.0.0.3"])]


def test_before_it_is_started(nameservers: Nameservers) -> None:
    """DNS-013: the local ones are used without a probe, and nothing is told; a setting counts at once."""
    assert nameservers.lookups.proxies("sip:b.example.com:5060", ["udp"])
    assert nameservers.posted() == []
    nameservers.lookups.set(nameservers=["10.0.0.4"])
    assert nameservers.lookups.manager.nameservers == ["10.0.0.4"]
    assert nameservers.lookups.proxies("sip:example.com:5060", ["udp"])
    assert nameservers.fallback.questions


def test_stop(nameservers: Nameservers) -> None:
    """DNS-008: nothing is left of it, also in the midst of a probe; it may be started again."""
    lookups = nameservers.lookups
    for advance in (0.0, 0.0015, 3.0, 60.0):
        nameservers.first.silent = True
        lookups.run(lookups.manager.start)
        lookups.run(lookups.manager.start)
        lookups.network.advance(advance)
        lookups.run(lookups.manager.stop)
        lookups.run(lookups.manager.stop)
        lookups.network.advance(0.1)
        assert not lookups.realm.reactor.getDelayedCalls()
    nameservers.first.silent = False
    nameservers.enable(nameservers.first)
    nameservers.start()
    assert lookups.manager.nameservers == ["10.0.0.1"]


def test_in_an_application(lookups: Lookups) -> None:
    """It runs as long as the application does, and needs no nameserver to let it stop."""
    from sipsimple.testing import UserAgent

    agent = UserAgent(lookups.network, "bob", start=False)
    agent.realm.nameservers = [lookups.server.address]
    lookups.server.add_zone(PROBED, "sip2sip.info")
    agent.start()
    lookups.network.advance(1)
    assert agent.recorder.last("DNSResolverDidInitialize").data.nameservers == ["10.0.0.1"]
    lookups.server.silent = True
    agent.stop()


@pytest.mark.parametrize(
    ("text", "server"),
    [
        ("192.0.2.1", Nameserver("192.0.2.1", 53)),
        (" 192.0.2.1:5353 ", Nameserver("192.0.2.1", 5353)),
        ("2001:DB8::0:1", Nameserver("2001:db8::1", 53)),
        ("[2001:db8::1]", Nameserver("2001:db8::1", 53)),
        ("[2001:db8::1]:5353", Nameserver("2001:db8::1", 5353)),
        ("fe80::1%eth0", Nameserver("fe80::1%eth0", 53)),
    ],
)
def test_nameservers_as_text(text: str, server: Nameserver) -> None:
    assert Nameserver.parse(text) == server
    assert Nameserver.parse(str(server)) == server


@pytest.mark.parametrize(
    "text",
    ["", "dns.example", "192.0.2", "192.0.2.1:", "192.0.2.1:0", "192.0.2.1:65536", "192.0.2.1:x", "[2001:db8::1",
     "[::1]5353", "[::1]:", "1.2.3.4%eth0", "fe80::1%", "::1::"],
)  # fmt: skip
def test_texts_that_are_no_nameserver(text: str) -> None:
    with pytest.raises(ValueError, match=r"nameserver|port"):
        Nameserver.parse(text)


def test_the_nameservers_of_the_system(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> None:
    """Those of resolv.conf, in their order; without one, or with nonsense in it, none."""
    import dns.resolver

    read = dns.resolver.Resolver.read_resolv_conf
    file = tmp_path / "resolv.conf"
    monkeypatch.setattr(dns.resolver.Resolver, "read_resolv_conf", lambda self, _: read(self, str(file)))
    monkeypatch.setattr("sys.platform", "linux")
    assert system_nameservers() == []
    file.write_text("# comment\nnameserver 192.0.2.1\nsearch example.com\nnameserver fe80::1%eth0\n")
    assert system_nameservers() == [Nameserver("192.0.2.1"), Nameserver("fe80::1%eth0")]
    file.write_text("options edns0\n")
    assert system_nameservers() == []
