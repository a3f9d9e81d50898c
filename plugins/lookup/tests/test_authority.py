"""Whom is asked: the nameservers of the domain, then those that are configured."""

from __future__ import annotations

import pytest

from sipsimple.lookup.testing import FakeNameserver, rcode

from .conftest import Lookups

DOMAIN = """
@ 3600 IN SOA ns.domain.example. admin.domain.example. 1 7200 3600 86400 300
@ 3600 IN NS ns1.domain.example.
@ 3600 IN NS ns2.domain.example.
ns1 3600 IN A 10.0.0.3
ns2 3600 IN A 10.0.0.4
@ 3600 IN NAPTR 10 10 "s" "SIP+D2U" "" _sip._udp
_sip._udp 3600 IN SRV 10 0 5060 sip
_sip._udp.sub 3600 IN SRV 10 0 5061 sip
_sip._udp.away 3600 IN SRV 10 0 5062 a.example.com.
@ 3600 IN A 10.0.0.82
sip 3600 IN A 10.0.0.80
sub 3600 IN A 10.0.0.81
"""


class Domain:
    """domain.example with two nameservers, and a router that knows its A and NS records alone."""

    def __init__(self, lookups: Lookups) -> None:
        self.lookups = lookups
        self.servers = [FakeNameserver(lookups.network.add_host(f"ns{n}"), DOMAIN, "domain.example") for n in (1, 2)]
        lookups.server.add_zone(DOMAIN, "domain.example")
        for name in ("", "sub.", "away."):
            lookups.server.answer_with(f"NAPTR {name}domain.example", rcode("NXDOMAIN"))
            lookups.server.answer_with(f"SRV _sip._udp.{name}domain.example", rcode("NXDOMAIN"))

    def routes(self, host: str = "domain.example") -> list[str]:
        return self.lookups.proxies(f"sip:{host}", ["udp"])

    def asked(self, question: str) -> list[str]:
        """Who was asked that by the last lookup."""
        return next(
            trace.nameservers
            for trace in reversed(self.lookups.traces())
            if f"{trace.query_type} {trace.query_name}" == question
        )


@pytest.fixture
def domain(lookups: Lookups) -> Domain:
    return Domain(lookups)


def test_the_authoritative_nameservers_come_first(domain: Domain) -> None:
    """DNS-014: what the router does not know, they do; they are asked for addresses in their domain as well."""
    assert domain.routes() == ["udp:10.0.0.80:5060"]
    assert domain.asked("NS domain.example") == ["10.0.0.1"]
    assert domain.asked("A ns1.domain.example") == ["10.0.0.1"]  # the router
    for question in ("NAPTR domain.example", "SRV _sip._udp.domain.example", "A sip.domain.example"):
        assert domain.asked(question) in (["10.0.0.3"], ["10.0.0.4"])


def test_a_name_in_a_zone(domain: Domain) -> None:
    """DNS-014: its nameservers are those of the zone that it lies in."""
    assert domain.routes("sub.domain.example") == ["udp:10.0.0.80:5061"]
    assert domain.asked("NS domain.example") == ["10.0.0.1"]


def test_addresses_elsewhere_are_asked_of_the_configured_ones(domain: Domain) -> None:
    """They are not in the zone of the domain."""
    assert domain.routes("away.domain.example")[0] == "udp:10.0.0.10:5062"
    assert domain.asked("A a.example.com") == ["10.0.0.1"]


@pytest.mark.parametrize("how", ["SERVFAIL", "REFUSED", "silent", "gone"])
def test_authoritative_nameservers_that_fail(domain: Domain, how: str) -> None:
    """DNS-015: the next one, and when all fail the configured ones; soon, though nobody answers."""
    first, second = domain.servers
    begin = domain.lookups.network.now

    def fail(server: FakeNameserver) -> None:
        if how == "gone":
            server.stop()
        elif how == "silent":
            server.silent = True
        else:
            server.answer_with("*", rcode(how))

    fail(first)
    assert domain.routes() == ["udp:10.0.0.80:5060"]
    fail(second)
    domain.lookups.run(domain.lookups.manager._reconfigure)
    assert domain.routes() == ["udp:10.0.0.82:5060"]  # the address is what the router knows
    assert domain.lookups.network.now - begin < 12


def test_the_configured_ones_know_more(domain: Domain) -> None:
    """DNS-015: where the authoritative ones can't be found at all."""
    lookups = domain.lookups
    lookups.server.answer_with("NS example.com", rcode("SERVFAIL"))
    assert lookups.proxies("sip:example.com", ["udp"])[0] == "udp:10.0.0.10:5060"
    lookups.server.answer_with("A ns.example.com", rcode("SERVFAIL"))
    lookups.run(lookups.manager._reconfigure)
    assert lookups.proxies("sip:example.com", ["udp"])[0] == "udp:10.0.0.10:5060"


def test_a_no_of_the_router_does_not_count(domain: Domain) -> None:
    """It is quick to say no; the authoritative nameserver, which is slow, knows better."""
    lookups = domain.lookups
    slow = {server.reactor for server in domain.servers}

    def delay(packet) -> None:  # type: ignore[no-untyped-def]
        if packet.sender in slow:
            packet.delay += 2.0

    lookups.network.filter(delay)
    assert domain.routes() == ["udp:10.0.0.80:5060"]
    assert domain.asked("SRV _sip._udp.domain.example")[-1] == "10.0.0.1"


def test_it_is_switched_off(domain: Domain) -> None:
    """dns.use_authoritative"""
    domain.lookups.set(use_authoritative=False)
    domain.lookups.zone("@ 60 IN A 10.0.0.90", "plain.example")
    assert domain.routes("plain.example") == ["udp:10.0.0.90:5060"]
    assert not [question for question in domain.lookups.traced() if question.startswith("NS")]


def test_the_root_is_not_bothered(lookups: Lookups) -> None:
    """A name without dots, and one that does not exist, are nobody else's business."""
    lookups.server.add_zone("@ 60 IN SOA a.root. b.root. 1 2 3 4 5\n@ 60 IN NS a.root.\na.root 60 IN A 10.0.0.1", ".")
    with pytest.raises(Exception, match="was not found"):
        lookups.proxies("sip:pbx", ["udp"])
    assert "NS ." not in lookups.server.questions and "NS " not in lookups.server.questions


def test_one_address_of_many(lookups: Lookups) -> None:
    """At most four nameservers of a domain are asked."""
    names = "".join(f"@ 60 IN NS ns{n}\nns{n} 60 IN A 10.9.0.{n}\n" for n in range(1, 14))
    lookups.zone("@ 60 IN A 10.0.0.60\n" + names)
    assert lookups.proxies("sip:other.example", ["udp"]) == ["udp:10.0.0.60:5060"]
    asked = {server for trace in lookups.traces() for server in trace.nameservers}
    assert len(asked - {"10.0.0.1"}) == 4
