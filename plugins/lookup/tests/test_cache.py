"""What is kept, and for how long."""

from __future__ import annotations

from typing import Any

import dns.message
import dns.rrset
import pytest

from sipsimple.core import SIPURI
from sipsimple.lookup import DNSLookup, DNSLookupError
from sipsimple.lookup.testing import FakeNameserver, rcode

from .conftest import ZONE, Lookups


@pytest.fixture
def lookups(lookups: Lookups) -> Lookups:
    lookups.without_authorities()
    return lookups


def test_answers_are_kept_for_their_ttl(lookups: Lookups) -> None:
    """RFC 1035 7.4: all lookups know them; then they are asked for anew."""
    lookups.zone("h 60 IN A 10.0.0.70\n")
    for seconds, asked in ((0, 1), (59, 1), (2, 2)):
        lookups.network.advance(seconds)
        other = lookups.run(DNSLookup)
        lookups.finish(lookups.run(other.lookup_sip_proxy, SIPURI.parse("sip:h.other.example:5060"), ["udp"]))
        assert lookups.server.count("A h.other.example") == asked


def test_what_is_known_is_traced_without_nameservers(lookups: Lookups) -> None:
    lookups.proxies("sip:b.example.com:5060")
    lookups.proxies("sip:b.example.com:5060")
    assert [trace.nameservers for trace in lookups.traces()] == [["10.0.0.1"], ["10.0.0.1"], [], []]
    assert lookups.traced()[:2] == lookups.traced()[2:]


@pytest.mark.parametrize("host", ["nowhere.example.com", "txt.example.com"])
def test_that_there_is_none_is_kept_too(lookups: Lookups, host: str) -> None:
    """RFC 2308 5: for as long as the SOA record says, here 300 seconds."""
    lookups.zone('txt 60 IN TXT "x"', "unused.example")
    for seconds, asked in ((0, 1), (299, 1), (2, 2)):
        lookups.network.advance(seconds)
        with pytest.raises(DNSLookupError):
            lookups.proxies(f"sip:{host}:5060")
        assert lookups.server.count(f"A {host}") == asked


@pytest.mark.parametrize("how", ["SERVFAIL", "REFUSED", "silent", "no SOA", "no TTL"])
def test_what_is_not_kept(lookups: Lookups, how: str) -> None:
    def denied(query: dns.message.QueryMessage) -> dns.message.Message:
        return dns.message.make_response(query)

    def passing(query: dns.message.QueryMessage) -> dns.message.Message:
        response = dns.message.make_response(query)
        response.answer.append(dns.rrset.from_text(query.question[0].name, 0, "IN", "A", "10.0.0.7"))
        return response

    answers: dict[str, Any] = {"silent": lambda query: None, "no SOA": denied, "no TTL": passing}
    lookups.server.answer_with("A h.example.com", answers.get(how) or rcode(how))
    for asked in (1, 2):
        try:
            assert lookups.proxies("sip:h.example.com:5060", ["udp"]) == ["udp:10.0.0.7:5060"]
            assert how == "no TTL"
        except DNSLookupError:
            assert how != "no TTL"
        assert lookups.server.count("A h.example.com") == asked * (3 if how == "silent" else 1)


def test_it_is_kept_for_a_day_at_most(lookups: Lookups) -> None:
    lookups.zone("h 9999999 IN A 10.0.0.70\n")
    for seconds, asked in ((0, 1), (86_300, 1), (200, 2)):
        lookups.network.advance(seconds)
        lookups.proxies("sip:h.other.example:5060")
        assert lookups.server.count("A h.other.example") == asked


def test_it_is_bounded(lookups: Lookups, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was used longest ago is forgotten first."""
    monkeypatch.setattr("sipsimple.lookup.cache.MAX_ENTRIES", 10)
    for number in range(20):
        with pytest.raises(DNSLookupError):
            lookups.proxies(f"sip:nowhere{number}.example.com:5060")
        lookups.proxies("sip:b.example.com:5060")
        assert len(lookups.manager.resolver.cache) <= 10
    assert lookups.server.count("A b.example.com") == 1
    with pytest.raises(DNSLookupError):
        lookups.proxies("sip:nowhere0.example.com:5060")
    assert lookups.server.count("A nowhere0.example.com") == 2


def test_questions_at_the_same_time_are_asked_once(lookups: Lookups) -> None:
    results = [lookups.start("lookup_sip_proxy", "sip:example.com", ["udp", "tcp", "tls"]) for _ in range(20)]
    assert len({str(lookups.finish(result)) for result in results}) == 1
    assert len(lookups.server.questions) == len(set(lookups.server.questions))


def test_authorities_and_configured_servers_are_not_confused(lookups: Lookups) -> None:
    """The address of a nameserver is asked for while that nameserver's own name is looked up: no deadlock."""
    lookups.set(use_authoritative=True)
    begin = lookups.network.now
    assert lookups.proxies("sip:ns.example.com:5060", ["udp"]) == ["udp:10.0.0.1:5060"]
    assert lookups.network.now - begin < 1


def test_other_settings_begin_anew(lookups: Lookups) -> None:
    lookups.proxies("sip:b.example.com:5060")
    second = FakeNameserver(lookups.network.add_host("second"), ZONE.replace("10.0.0.11", "10.0.0.99"), "example.com")
    result = lookups.start("lookup_sip_proxy", "sip:a.example.com:5060", ["udp"])  # under way to the old one
    lookups.network.advance(0.0001)
    lookups.set(nameservers=[second.address])
    lookups.finish(result)
    assert lookups.proxies("sip:b.example.com:5060", ["udp"]) == ["udp:10.0.0.99:5060"]
    lookups.proxies("sip:a.example.com:5060")
    assert second.count("A a.example.com") == 1
