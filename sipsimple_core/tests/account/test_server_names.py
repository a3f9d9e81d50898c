"""Which name a server has to prove over TLS (RFC 5922 7.3): from settings and URIs to the hop."""

from __future__ import annotations

from typing import Any

import pytest

from sipsimple.account.server_name import server_name
from sipsimple.core.destinations import destinations_of, route_header_to
from sipsimple.core.protocol.dialog import Dialog, DialogState, hop_towards
from sipsimple.core.protocol.hop import Hop
from sipsimple.core.wire.headers import FrozenContactHeader, FrozenFromHeader, FrozenRouteHeader, FrozenToHeader
from sipsimple.core.wire.uri import FrozenSIPURI
from sipsimple.testing import MemoryNetwork, UserAgent
from sipsimple.util import Route

ADDRESS = Hop("tls", "10.0.0.9", 5061)


def uri(text: str) -> FrozenSIPURI:
    return FrozenSIPURI.parse(text)


@pytest.mark.parametrize(
    ("text", "hop"),
    [
        ("sip:bob@10.0.0.9;transport=tls", ADDRESS),
        ("sips:bob@10.0.0.9", ADDRESS),
        ("sip:bob.example;transport=tls;maddr=10.0.0.9", ADDRESS.named("bob.example")),
        ("sips:Bob.Example:5061;maddr=10.0.0.9", ADDRESS.named("bob.example")),
        ("sips:[2001:DB8::0:1]", Hop("tls", "2001:db8::1", 5061)),
        ("sip:bob.example;maddr=10.0.0.9", Hop("udp", "10.0.0.9", 5060)),
        ("sip:bob.example;transport=tls", None),
    ],
)
def test_a_uri_names_its_hop_and_what_it_has_to_prove(text: str, hop: Hop | None) -> None:
    assert hop_towards(uri(text)) == hop


@pytest.mark.parametrize(
    ("name", "request_uri", "proven"),
    [
        ("proxy.example", "sip:bob@bob.example", "proxy.example"),
        (None, "sip:bob@bob.example", "bob.example"),
        (None, "sip:bob@10.0.0.2", None),
        ("10.0.0.9", "sip:bob@bob.example", "bob.example"),
    ],
)
def test_a_route_has_the_name_or_the_request_has(name: str | None, request_uri: str, proven: str | None) -> None:
    header = route_header_to(Route("10.0.0.9", 5061, "tls"), name)
    [destination] = destinations_of(header, uri(request_uri))
    assert destination.hop == ADDRESS.named(proven)
    # what is sent tells nothing of it
    assert str(destination.route.uri) == "sip:10.0.0.9:5061;transport=tls;lr"


def test_a_name_over_another_transport_changes_nothing() -> None:
    for transport in ("udp", "tcp"):
        route = Route("10.0.0.9", 5060, transport)
        assert route_header_to(route, "proxy.example") == route_header_to(route)
        [destination] = destinations_of(route_header_to(route), uri("sip:bob@bob.example"))
        assert destination.hop == Hop(transport, "10.0.0.9", 5060)


def test_an_ipv6_address_behind_a_name() -> None:
    [destination] = destinations_of(route_header_to(Route("2001:db8::1", 5061, "tls"), "a.example"), uri("sip:b@b.c"))
    assert destination.hop == Hop("tls", "2001:db8::1", 5061, "a.example")
    assert str(destination.route.uri) == "sip:[2001:db8::1]:5061;transport=tls;lr"


def test_a_request_that_goes_where_its_uri_says_needs_no_route() -> None:
    route = route_header_to(Route("10.0.0.9", 5061, "tls"))
    [destination] = destinations_of(route, uri("sip:bob@10.0.0.9:5061;transport=tls"))
    assert destination == (ADDRESS, None)


@pytest.mark.parametrize(
    ("target", "hop"),
    [
        # the same address, which has proven its name
        ("sip:10.0.0.9;transport=tls", ADDRESS.named("proxy.example")),
        ("sip:10.0.0.9:5061;transport=tls", ADDRESS.named("proxy.example")),
        # another port, another host, another transport or another name is another hop
        ("sip:10.0.0.9:5062;transport=tls", Hop("tls", "10.0.0.9", 5062)),
        ("sip:10.0.0.8;transport=tls", Hop("tls", "10.0.0.8", 5061)),
        ("sip:10.0.0.9:5061;transport=tcp", Hop("tcp", "10.0.0.9", 5061)),
        ("sip:evil.example;transport=tls;maddr=10.0.0.9", ADDRESS.named("evil.example")),
        # a name that nobody has looked up
        ("sip:bob@bob.example", ADDRESS.named("proxy.example")),
    ],
)
@pytest.mark.parametrize("routed", [False, True])
def test_a_dialog_stays_with_who_has_proven_its_name(target: str, hop: Hop, routed: bool) -> None:
    dialog = Dialog(
        "c1",
        FrozenFromHeader.parse("<sip:alice@a.example>;tag=1"),
        FrozenToHeader.parse("<sip:bob@bob.example>;tag=2"),
        FrozenContactHeader.parse("<sip:alice@10.0.0.1>"),
        uri("sip:bob@192.0.2.1") if routed else uri(target),
        [FrozenRouteHeader(uri(f"{target};lr"))] if routed else [],
        ADDRESS.named("proxy.example"),
        DialogState.CONFIRMED,
    )
    assert dialog.next_hop() == hop


@pytest.mark.parametrize(
    ("settings", "name"),
    [
        ({}, None),
        ({"sip.tls_name": "tls.example"}, "tls.example"),
        ({"sip.tls_name": "tls.example", "sip.outbound_proxy": "proxy.example;transport=tls"}, "tls.example"),
        ({"sip.outbound_proxy": "proxy.example;transport=tls"}, "proxy.example"),
        ({"sip.outbound_proxy": "10.0.0.9;transport=tls", "sip.always_use_my_proxy": True}, None),
        ({"sip.always_use_my_proxy": True}, "10.0.0.1"),
    ],
)
def test_settings_of_an_account(settings: dict[str, Any], name: str | None) -> None:
    agent = UserAgent(MemoryNetwork(), "alice", account_settings=settings)
    assert agent.run(server_name, agent.account) == name
    agent.stop()
