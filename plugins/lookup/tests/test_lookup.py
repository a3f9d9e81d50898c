"""DNSLookup itself: the ways to its result, its notifications, its times, and breaking it off."""

from __future__ import annotations

import inspect
from typing import Any

import pytest

from sipsimple.core import SIPURI, FrozenSIPURI
from sipsimple.lookup import DNSLookup, DNSLookupError
from sipsimple.util import Route

from .conftest import Lookups


def test_signatures() -> None:
    """DNS-001, DNS-012, DNS-016, DNS-021, DNS-029: exactly those."""
    assert list(inspect.signature(DNSLookup).parameters) == []
    times = "timeout: 'float' = 3.0, lifetime: 'float' = 15.0"
    for method, names in (
        ("lookup_service", ["self", "uri", "service", "timeout", "lifetime"]),
        ("lookup_sip_proxy", ["self", "uri", "supported_transports", "timeout", "lifetime"]),
        ("lookup_xcap_server", ["self", "uri", "timeout", "lifetime"]),
    ):
        signature = inspect.signature(getattr(DNSLookup, method))
        assert list(signature.parameters) == names
        assert times in str(signature)


def test_the_result_as_a_notification(lookups: Lookups) -> None:
    """DNS-002, DNS-032: DNSLookupDidSucceed on behalf of that instance, with what the method returns."""
    result = lookups.start("lookup_sip_proxy", "sip:example.com;transport=tcp", ["udp", "tcp"])
    assert not lookups.recorder.count("DNSLookupDidSucceed")
    found = lookups.finish(result)
    posted = lookups.recorder.find_all("DNSLookupDidSucceed")
    assert [each.sender for each in posted] == [lookups.lookup]
    assert posted[0].data.result == found and all(isinstance(route, Route) for route in found)
    assert not lookups.recorder.count("DNSLookupDidFail")


def test_the_result_awaited(lookups: Lookups) -> None:
    """In a coroutine that Twisted drives."""
    from twisted.internet.defer import ensureDeferred

    async def look() -> Any:
        return await lookups.lookup.lookup_sip_proxy(FrozenSIPURI.parse("sip:b.example.com"), ["udp"])

    found: list[Any] = []
    lookups.run(lambda: ensureDeferred(look()).addCallback(found.append) and None)
    lookups.network.run_until(lambda: found, 10)
    assert found == [[Route("10.0.0.11")]]


def test_traces(lookups: Lookups) -> None:
    """DNS-034, DNS-035, DNS-036, DNS-037, DNS-038: one for each query, with an answer or an error, never both."""
    uri = SIPURI.parse("sip:example.com")
    lookups.finish(lookups.run(lookups.lookup.lookup_sip_proxy, uri, ["udp"]))
    assert lookups.traced() == [
        "NS example.com", "A ns.example.com", "NAPTR example.com", "SRV _sip._udp.example.com",
        "AAAA a.example.com", "A a.example.com", "AAAA b.example.com", "A b.example.com",
    ]  # fmt: skip
    for trace in lookups.traces():
        assert (trace.answer is None) != (trace.error is None)
        assert trace.context == "lookup_sip_proxy" and trace.uri is uri
        assert not hasattr(trace, "service")
        assert trace.nameservers == ["10.0.0.1"]
        assert trace.timestamp.tzinfo is not None
    answers = dict(zip(lookups.traced(), lookups.traces(), strict=True))
    assert {record.port for record in answers["SRV _sip._udp.example.com"].answer} == {5062, 5060}
    assert type(answers["AAAA b.example.com"].error).__name__ == "NoAnswer"


def test_lookups_on_their_own(lookups: Lookups) -> None:
    """Several of one DNSLookup at the same time each have their result."""
    results = [lookups.start("lookup_sip_proxy", f"sip:{host}", ["udp"]) for host in ("example.com", "b.example.com")]
    assert [str(lookups.finish(result)[0]) for result in results] == ["udp:10.0.0.10:5060", "udp:10.0.0.11:5060"]
    assert lookups.recorder.count("DNSLookupDidSucceed", lookups.lookup) == 2


def test_a_server_that_is_silent(lookups: Lookups) -> None:
    """DNS-031: `timeout` is how long one server is waited for."""
    lookups.without_authorities()
    lookups.server.silent = True
    begin = lookups.network.now
    with pytest.raises(DNSLookupError, match="has not answered within 2 s"):
        lookups.proxies("sip:example.com:5060", ["udp"], timeout=2.0)
    assert lookups.network.now - begin == pytest.approx(2.0, abs=0.1)
    assert lookups.server.count("A example.com") == 3  # it was sent again, as datagrams get lost


def test_the_lifetime(lookups: Lookups) -> None:
    """DNS-031: `lifetime` is how long all of them are, whatever there is still to be asked."""
    lookups.server.silent = True
    begin = lookups.network.now
    with pytest.raises(DNSLookupError, match=r"within|no time left"):
        lookups.proxies("sip:example.com", ["udp"], timeout=3.0, lifetime=7.0)
    assert lookups.network.now - begin == pytest.approx(7.0, abs=0.3)
    assert lookups.recorder.count("DNSLookupDidFail") == 1


def test_what_was_found_before_the_lifetime_ended(lookups: Lookups) -> None:
    """One transport whose server is silent does not cost the others their routes."""
    lookups.without_authorities()
    lookups.server.answer_with("SRV _sip._tcp.example.com", lambda query: None)
    lookups.server.answer_with("NAPTR example.com", lambda query: None)
    assert lookups.proxies("sip:example.com", ["tcp", "udp"], lifetime=4.0)[0] == "udp:10.0.0.10:5060"


def test_it_is_broken_off(lookups: Lookups) -> None:
    """It fails at once, asks nothing any more, and tells so once."""
    lookups.server.silent = True
    result = lookups.start("lookup_sip_proxy", "sip:example.com", ["udp"])
    lookups.network.advance(0.6)
    lookups.run(result.cancel)
    assert result.done
    with pytest.raises(DNSLookupError, match="cancelled"):
        lookups.finish(result)
    asked = len(lookups.server.questions)
    lookups.network.advance(20)
    assert len(lookups.server.questions) == asked
    assert lookups.recorder.count("DNSLookupDidFail") == 1
    assert not lookups.realm.reactor.getDelayedCalls()
    lookups.run(result.cancel)  # harmless


def test_a_shared_query_outlives_who_asked_first(lookups: Lookups) -> None:
    """Whoever breaks off does so alone; the other one gets the answer, and no traces go to who has ended."""
    first = lookups.start("lookup_sip_proxy", "sip:b.example.com", ["udp"])
    other: DNSLookup = lookups.run(DNSLookup)
    second = lookups.run(other.lookup_sip_proxy, SIPURI.parse("sip:b.example.com"), ["udp"])
    lookups.network.advance(0.0001)
    lookups.run(first.cancel)
    assert lookups.finish(second) == [Route("10.0.0.11")]
    assert lookups.server.count("NAPTR b.example.com") == 1
    assert not lookups.traces()


def test_a_shorter_lifetime_is_no_ones_else(lookups: Lookups) -> None:
    """A query that ended because the time of the first lookup was over is asked again for the second."""
    lookups.without_authorities()
    lookups.server.silent = True
    first = lookups.start("lookup_sip_proxy", "sip:b.example.com:5060", ["udp"], lifetime=1.0)
    second = lookups.start("lookup_sip_proxy", "sip:b.example.com:5060", ["udp"])
    lookups.network.advance(0.9)
    lookups.server.silent = False
    with lookups.network.filter(lambda packet: None):
        lookups.network.advance(0.3)
    with pytest.raises(DNSLookupError):
        lookups.finish(first)
    assert lookups.finish(second) == [Route("10.0.0.11")]


def test_packets_that_get_lost(lookups: Lookups) -> None:
    """Every lookup finds its way over a network that loses, doubles and delays packets."""
    lookups.network.loss, lookups.network.duplication, lookups.network.reordering = 0.2, 0.2, 0.2
    for number in range(20):
        lookups.zone(f"_sip._udp 60 IN SRV 0 0 {5060 + number} b.example.com.", f"d{number}.example")
        assert lookups.proxies(f"sip:d{number}.example", ["udp"]) == [f"udp:10.0.0.11:{5060 + number}"]


def test_an_error_of_ours_is_an_error_of_the_lookup(
    lookups: Lookups, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """It is logged and told; nothing hangs."""
    monkeypatch.setattr("sipsimple.lookup.sip_proxy.replacements", lambda *_: 1 / 0)
    with pytest.raises(DNSLookupError, match="ZeroDivisionError"):
        lookups.proxies("sip:example.com", ["udp"])
    assert "ZeroDivisionError" in caplog.text


@pytest.mark.parametrize(
    ("method", "arguments"),
    [("lookup_sip_proxy", (["udp"],)), ("lookup_service", ("stun",)), ("lookup_xcap_server", ())],
)
def test_what_is_no_uri(lookups: Lookups, method: str, arguments: Any) -> None:
    for wrong in ("sip:example.com", None):
        with pytest.raises(TypeError, match="SIPURI"):
            getattr(lookups.lookup, method)(wrong, *arguments)
