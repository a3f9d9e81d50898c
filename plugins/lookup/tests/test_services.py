"""lookup_service and lookup_xcap_server."""

from __future__ import annotations

from typing import Any

import pytest

from sipsimple.lookup import DNSLookupError

from .conftest import Lookups

ZONE = r"""
@ 60 IN A 10.0.0.60
_msrps._tcp 60 IN SRV 20 0 2856 b.example.com.
_msrps._tcp 60 IN SRV 10 0 2855 a.example.com.
_stun._udp 60 IN SRV 10 0 3479 b.example.com.
xcap 60 IN TXT "https://xcap.other.example/xcap-root"
xcap 60 IN TXT "http://xcap.other.example" "/second-string"
xcap 60 IN TXT "v=spf1 -all"
xcap 60 IN TXT "ftp://xcap.other.example/"
xcap 60 IN TXT "https:///no-host"
xcap 60 IN TXT "https://a b.example/"
xcap 60 IN TXT "https://[::1"
xcap 60 IN TXT "\255\254"
"""


@pytest.mark.parametrize(
    ("host", "service", "servers"),
    [
        ("other.example", "msrprelay", [("10.0.0.10", 2855), ("2001:db8::10", 2855), ("10.0.0.11", 2856)]),
        ("other.example", "stun", [("10.0.0.11", 3479)]),
        # no SRV records: the address with the usual port
        ("b.example.com", "msrprelay", [("10.0.0.11", 2855)]),
        ("b.example.com", "stun", [("10.0.0.11", 3478)]),
        ("10.9.9.9", "stun", [("10.9.9.9", 3478)]),
        ("[2001:db8::1]", "msrprelay", [("2001:db8::1", 2855)]),
        # only the host counts
        ("b.example.com:7000;transport=tls;maddr=10.9.9.9", "stun", [("10.0.0.11", 3478)]),
    ],
)
def test_services(lookups: Lookups, host: str, service: str, servers: list[tuple[str, int]]) -> None:
    """DNS-016, DNS-017, DNS-018, DNS-019, DNS-020: SRV then addresses, or the host itself with the usual port."""
    lookups.zone(ZONE)
    assert lookups.finish(lookups.start("lookup_service", f"sip:{host}", service)) == servers
    assert all(trace.service == service and trace.context == "lookup_service" for trace in lookups.traces())


def test_a_service_that_is_not_found(lookups: Lookups) -> None:
    """DNS-003, DNS-033: an error that says so."""
    lookups.zone("_stun._udp 60 IN SRV 0 0 0 .\n@ 60 IN A 10.0.0.60")
    for uri, text in (("sip:nowhere.example.com", "no server for stun"), ("sip:other.example", "there is none")):
        with pytest.raises(DNSLookupError, match=text):
            lookups.finish(lookups.start("lookup_service", uri, "stun"))


@pytest.mark.parametrize("service", ["turn", "", None, "STUN"])
def test_unknown_services(lookups: Lookups, service: Any) -> None:
    with pytest.raises(ValueError, match="msrprelay, stun"):
        lookups.start("lookup_service", "sip:example.com", service)


def test_xcap_servers(lookups: Lookups) -> None:
    """DNS-029, DNS-030: the values that are http or https URIs, whatever else is in the records."""
    lookups.zone(ZONE)
    found = lookups.finish(lookups.start("lookup_xcap_server", "sip:other.example"))
    assert sorted(found) == ["http://xcap.other.example/second-string", "https://xcap.other.example/xcap-root"]
    assert {trace.context for trace in lookups.traces()} == {"lookup_xcap_server"}


@pytest.mark.parametrize("host", ["example.com", "third.example", "10.0.0.1", "unknown.example"])
def test_xcap_servers_that_are_not_found(lookups: Lookups, host: str) -> None:
    lookups.zone('xcap 60 IN TXT "nothing of use"', "third.example")
    with pytest.raises(DNSLookupError, match="XCAP"):
        lookups.finish(lookups.start("lookup_xcap_server", f"sip:{host}"))
