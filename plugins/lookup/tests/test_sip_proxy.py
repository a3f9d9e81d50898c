"""lookup_sip_proxy: the steps of RFC 3263, and in which order their results come."""

from __future__ import annotations

from typing import Any

import pytest

from sipsimple.lookup import DNSLookupError

from .conftest import Lookups

UDP = ["udp:10.0.0.10:5060", "udp:[2001:db8::10]:5060", "udp:10.0.0.11:5062"]
TCP = ["tcp:10.0.0.10:5060", "tcp:[2001:db8::10]:5060"]
TLS = ["tls:10.0.0.10:5061", "tls:[2001:db8::10]:5061"]


@pytest.mark.parametrize(
    ("uri", "transports", "routes"),
    [
        ("sip:alice@example.com", ["udp", "tcp", "tls"], [*UDP, *TCP, *TLS]),
        ("sip:alice@example.com", ["tls", "udp"], [*TLS, *UDP]),
        ("sip:alice@EXAMPLE.com.", ["tcp"], TCP),
        ("sip:alice@example.com;transport=TCP", ["udp", "tcp", "tls"], TCP),
        ("sip:alice@example.com;transport=tls", ["udp", "tcp", "tls"], TLS),
        ("sips:alice@example.com", ["udp", "tcp", "tls"], TLS),
        ("sips:alice@example.com;transport=tcp", ["udp", "tls"], TLS),
        # as a host, as the port is given
        ("sip:alice@example.com:5080", ["tls", "tcp", "udp"], ["udp:10.0.0.50:5080"]),
        ("sip:alice@example.com:5080", ["tls", "tcp"], ["tls:10.0.0.50:5080"]),
        ("sip:alice@example.com:5080;transport=tcp", ["udp", "tcp"], ["tcp:10.0.0.50:5080"]),
        ("sips:alice@example.com:5081", ["udp", "tls"], ["tls:10.0.0.50:5081"]),
        # as a host, as it is an address
        ("sip:alice@10.9.9.9", ["tls", "udp"], ["udp:10.9.9.9:5060"]),
        ("sip:alice@10.9.9.9", ["tls", "tcp"], ["tls:10.9.9.9:5061"]),
        ("sip:alice@[2001:db8::7]:5070;transport=tcp", ["tcp"], ["tcp:[2001:db8::7]:5070"]),
        ("sips:alice@10.9.9.9", ["udp", "tls"], ["tls:10.9.9.9:5061"]),
        ("sip:alice@nowhere.example;maddr=10.9.9.9", ["udp"], ["udp:10.9.9.9:5060"]),
        ("sip:alice@nowhere.example;maddr=example.com", ["udp"], UDP),
        # no SRV records
        ("sip:alice@b.example.com", ["tls", "tcp", "udp"], ["udp:10.0.0.11:5060"]),
        ("sip:alice@b.example.com", ["tls", "tcp"], ["tls:10.0.0.11:5061"]),
        ("sip:alice@b.example.com;transport=tcp", ["tls", "tcp"], ["tcp:10.0.0.11:5060"]),
        ("sips:alice@b.example.com", ["udp", "tls"], ["tls:10.0.0.11:5061"]),
    ],
)
def test_the_routes_of_a_uri(lookups: Lookups, uri: str, transports: list[str], routes: list[str]) -> None:
    """DNS-021, DNS-022, DNS-023, DNS-024, DNS-025, DNS-026, DNS-027, DNS-028: host or domain, transport and order.

    The addresses of one server are next to each other (here IPv6 last, as no packet can be sent to it).
    """
    assert lookups.proxies(uri, transports) == routes


@pytest.mark.parametrize(
    ("uri", "servers"),
    [
        ("sip:example.com", ["a.example.com", "a.example.com", "b.example.com"]),
        ("sip:B.example.com", ["b.example.com"]),
        ("sip:example.com:5070", ["example.com"]),
    ],
)
def test_routes_name_their_server(lookups: Lookups, uri: str, servers: list[str]) -> None:
    """RFC 8305: who connects sees by it which addresses are those of one server."""
    routes = lookups.finish(lookups.start("lookup_sip_proxy", uri, ["udp"]))
    assert [route.server for route in routes] == servers


@pytest.mark.parametrize(
    ("uri", "transports", "text"),
    [
        ("sip:alice@example.com;transport=tcp", ["udp"], "needs tcp"),
        ("sip:alice@example.com;transport=sctp", ["udp"], "needs sctp"),
        ("sips:alice@example.com", ["udp", "tcp"], "needs tls"),
        ("sips:alice@example.com;transport=udp", ["udp", "tls"], "transport=udp"),
        ("sip:alice@nowhere.example.com", ["udp"], "nowhere.example.com was not found"),
        ("sip:alice@nowhere.example.com:5060", ["udp"], "does not exist"),
        (f"sip:alice@{'a' * 64}.example.com", ["udp"], "can't be a name"),
        (f"sip:alice@{'.'.join(['a' * 60] * 5)}", ["udp"], "can't be a name"),
        ("sip:alice@a..example.com", ["udp"], "can't be a name"),
        ("sip:alice@refused.example", ["udp"], "REFUSED"),
    ],
)
def test_what_is_not_found(lookups: Lookups, uri: str, transports: list[str], text: str) -> None:
    """DNS-024, DNS-025, DNS-033: the error says what is the matter."""
    with pytest.raises(DNSLookupError, match=text):
        lookups.proxies(uri, transports)
    failed = lookups.recorder.last("DNSLookupDidFail", lookups.lookup).data
    assert text in failed.error and isinstance(failed.error, str)
    assert not lookups.recorder.count("DNSLookupDidSucceed")


def test_naptr_is_not_asked_where_the_transport_is_given(lookups: Lookups) -> None:
    """RFC 3263 4.1: nothing is to be learned from it."""
    lookups.proxies("sip:alice@example.com;transport=udp")
    assert "NAPTR example.com" not in lookups.traced()
    assert "SRV _sip._tcp.example.com" not in lookups.traced()


def test_naptr_leads_to_other_domains(lookups: Lookups) -> None:
    """RFC 3263 4.1: the replacement is what SRV is asked for; of one transport the first order and preference."""
    lookups.zone(
        """
        @ 60 IN NAPTR 10 20 "s" "SIP+D2U" "" _sip._udp.b.example.com.
        @ 60 IN NAPTR 10 10 "s" "SIP+D2U" "" _sip._udp.example.com.
        @ 60 IN NAPTR 5 10 "a" "SIP+D2T" "" b.example.com.
        """
    )
    assert lookups.proxies("sip:other.example", ["udp", "tcp"]) == [*UDP, "tcp:10.0.0.11:5060"]


@pytest.mark.parametrize(
    "naptr",
    [
        '"s" "SIP+D2S" "" _sip._sctp',  # of another transport
        '"s" "E2U+sip" "" _sip._udp.b.example.com.',  # of another service
        '"u" "SIP+D2U" "!^.*$!sip:info@example.com!" .',
        '"s" "SIP+D2U" "!^.*$!_sip._udp.b.example.com!" .',  # a regular expression
        '"s" "SIP+D2U" "!^.*$!x!" _sip._udp.b.example.com.',
        '"s" "SIP+D2U" "" .',  # leads nowhere
        '"" "SIP+D2U" "" b.example.com.',
        '"s" "SIP+D2U" "" _sip._udp.nowhere.example.com.',  # its SRV records are not there
    ],
)
def test_naptr_records_that_are_of_no_use(lookups: Lookups, naptr: str) -> None:
    """DNS-023: SRV records are found where they usually are."""
    lookups.zone(f"@ 60 IN NAPTR 10 10 {naptr}\n_sip._udp 60 IN SRV 10 10 5066 a.example.com.")
    assert lookups.proxies("sip:other.example", ["udp"])[0] == "udp:10.0.0.10:5066"


@pytest.mark.parametrize("code", ["SERVFAIL", "REFUSED", "NOTIMP", "FORMERR", "NXDOMAIN"])
@pytest.mark.parametrize("kind", ["NAPTR", "SRV"])
def test_queries_that_fail(lookups: Lookups, kind: str, code: str) -> None:
    """DNS-023: SRV is asked where NAPTR fails, A where SRV does; whatever way it fails in."""
    from sipsimple.lookup.testing import rcode

    lookups.server.answer_with("NAPTR example.com", rcode(code))
    if kind == "SRV":
        lookups.server.answer_with("SRV _sip._udp.example.com", rcode(code))
        assert lookups.proxies("sip:example.com", ["udp"]) == ["udp:10.0.0.50:5060"]
    else:
        assert lookups.proxies("sip:example.com", ["udp"]) == UDP


def test_a_service_that_is_not_there(lookups: Lookups) -> None:
    """RFC 2782: the target '.' says so decidedly; addresses are not asked for then."""
    lookups.zone("@ 60 IN A 10.0.0.60\n_sip._udp 60 IN SRV 0 0 0 .\n_sip._tcp 60 IN SRV 0 0 5060 a.example.com.")
    assert lookups.proxies("sip:other.example", ["udp", "tcp"])[0] == "tcp:10.0.0.10:5060"
    with pytest.raises(DNSLookupError, match="says that there is none"):
        lookups.proxies("sip:other.example", ["udp"])


def test_servers_without_an_address(lookups: Lookups) -> None:
    """They are left out; where all are, there is no other way to the service."""
    lookups.zone("@ 60 IN A 10.0.0.60\n_sip._udp 60 IN SRV 0 0 1 nowhere\n_sip._udp 60 IN SRV 1 0 2 b.example.com.")
    assert lookups.proxies("sip:other.example", ["udp"]) == ["udp:10.0.0.11:2"]
    lookups.zone("@ 60 IN A 10.0.0.60\n_sip._udp 60 IN SRV 0 0 1 nowhere", "third.example")
    with pytest.raises(DNSLookupError, match=r"nowhere\.third\.example"):
        lookups.proxies("sip:third.example", ["udp"])


def test_ipv6_comes_first_where_it_works(lookups: Lookups, monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 3263 4.2, RFC 6724: those of one server next to each other."""
    monkeypatch.setattr(type(lookups.realm), "local_ip_towards", lambda self, host: "2001:db8::1")
    assert lookups.proxies("sip:example.com", ["udp"]) == [UDP[1], UDP[0], UDP[2]]


def test_aliases_are_followed(lookups: Lookups) -> None:
    """CNAME in one answer, and to a name that another server knows."""
    lookups.zone(
        """
        zero 60 IN CNAME one
        one 60 IN CNAME two
        two 60 IN A 10.0.0.70
        away 60 IN CNAME b.example.com.
        """
    )
    assert lookups.proxies("sip:zero.other.example:5060", ["udp"]) == ["udp:10.0.0.70:5060"]
    assert lookups.proxies("sip:away.other.example:5060", ["udp"]) == ["udp:10.0.0.11:5060"]


def test_aliases_of_each_other(lookups: Lookups) -> None:
    """A loop ends: in one answer, and over several."""
    lookups.zone("one 60 IN CNAME two\ntwo 60 IN CNAME one")
    with pytest.raises(DNSLookupError, match=r"one\.other\.example was not found"):
        lookups.proxies("sip:one.other.example:5060", ["udp"])

    def alias(query: Any) -> Any:
        import dns.message
        import dns.rrset

        response = dns.message.make_response(query)
        name = query.question[0].name
        response.answer.append(dns.rrset.from_text(name, 60, "IN", "CNAME", f"x{name}"))
        return response

    lookups.server.answer_with("*", alias)
    with pytest.raises(DNSLookupError, match="more than 8 aliases"):
        lookups.proxies("sip:loop.example:5060", ["udp"])


def test_two_hundred_servers(lookups: Lookups) -> None:
    """All of them are used, by priority; the answer comes over TCP, as it is too long for UDP."""
    names = "".join(f"h{n} 60 IN A 10.1.{n // 100}.{n % 100}\n" for n in range(200))
    lookups.zone(names + "".join(f"_sip._udp 60 IN SRV {n} 0 5060 h{n}\n" for n in range(200)))
    routes = lookups.proxies("sip:other.example", ["udp"])
    assert routes == [f"udp:10.1.{n // 100}.{n % 100}:5060" for n in range(200)]
    assert lookups.server.count("TCP SRV _sip._udp.other.example") == 1


@pytest.mark.parametrize("transports", [[], "udp", ["ws"], ["udp", 5], ["UDP", "sctp"]])
def test_wrong_transports(lookups: Lookups, transports: Any) -> None:
    """DNS-027: raised at once."""
    with pytest.raises(ValueError, match="supported_transports"):
        lookups.start("lookup_sip_proxy", "sip:example.com", transports)


@pytest.mark.parametrize("name", ["timeout", "lifetime"])
@pytest.mark.parametrize("value", [0, -1, "3", None, float("inf"), float("nan"), True])
def test_wrong_times(lookups: Lookups, name: str, value: Any) -> None:
    with pytest.raises(ValueError, match=name):
        lookups.start("lookup_sip_proxy", "sip:example.com", ["udp"], **{name: value})
