"""All, Any, Null and Route."""

import copy
import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipsimple.util import All, Any, Null, Route


@pytest.mark.parametrize("constant", [All, Any, Null], ids=repr)
def test_constants_are_themselves_also_when_copied(constant):
    assert copy.copy(constant) is constant
    assert copy.deepcopy(constant) is constant
    assert pickle.loads(pickle.dumps(constant)) is constant
    assert repr(constant) in ("All", "Any", "Null")


def test_null_absorbs_everything():
    assert Null.attribute.of.any.depth is Null
    assert Null(1, two=3) is Null
    assert Null.method("x") is Null
    assert Null["key"] is Null
    assert list(Null) == []
    assert len(Null) == 0
    assert "x" not in Null
    assert not Null
    Null.attribute = 1
    del Null.attribute
    Null["key"] = 1
    del Null["key"]
    assert Null.attribute is Null
    with Null as inside:
        assert inside is Null


def test_null_equals_only_itself_and_has_no_foreign_protocols():
    assert Null == Null
    assert Null != None  # noqa: E711
    assert len({Null, Null}) == 1
    with pytest.raises(AttributeError):
        Null.__conform__  # noqa: B018


def test_route_defaults():
    """DNS-039, DNS-040, DNS-041: the constructor sets the three attributes; no port is the default port."""
    route = Route("192.0.2.1")
    assert (route.address, route.port, route.transport) == ("192.0.2.1", None, "udp")
    assert route.effective_port == 5060
    assert Route("192.0.2.1", transport="tcp").effective_port == 5060
    assert Route("192.0.2.1", transport="tls").effective_port == 5061
    assert Route("192.0.2.1", 5080, "tls").effective_port == 5080


def test_route_transport_is_case_insensitive():
    """DNS-041: the transport is one of udp, tcp, tls in any case."""
    assert Route("192.0.2.1", transport="TLS").transport == "tls"
    assert Route("192.0.2.1", transport="TLS") == Route("192.0.2.1", 5061, "tls")


def test_route_attributes_can_be_set():
    """DNS-042: also after construction, and then checked just so."""
    route = Route("192.0.2.1")
    route.address, route.port, route.transport = "[2001:db8::5]", 5090, "TCP"
    assert (route.address, route.port, route.transport) == ("2001:db8::5", 5090, "tcp")
    route.port = None
    assert route.effective_port == 5060
    with pytest.raises(ValueError, match="from 1 to 65535"):
        route.port = 0
    assert route.port is None


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("example.com",), ValueError),
        (("192.0.2.256",), ValueError),
        (("192.0.2.1\0",), ValueError),
        (("",), ValueError),
        ((b"192.0.2.1",), TypeError),
        ((None,), TypeError),
        (("192.0.2.1", 0), ValueError),
        (("192.0.2.1", 65536), ValueError),
        (("192.0.2.1", "5060"), TypeError),
        (("192.0.2.1", True), TypeError),
        (("192.0.2.1", 5060, "sctp"), ValueError),
        (("192.0.2.1", 5060, None), TypeError),
    ],
)
def test_route_refuses_what_is_no_route(arguments, error):
    """DNS-041: an address, a port and a transport, and a clear error for anything else."""
    with pytest.raises(error, match="of a route is"):
        Route(*arguments)


@given(st.text())
def test_route_address_is_an_address_or_a_value_error(text):
    import ipaddress

    try:
        route = Route(text)
    except ValueError:
        return
    assert ipaddress.ip_address(route.address)


def test_routes_compare_by_where_they_lead():
    assert Route("192.0.2.1") == Route("192.0.2.1", 5060)
    assert Route("192.0.2.1") != Route("192.0.2.1", transport="tcp")
    assert Route("192.0.2.1") != "192.0.2.1"
    assert len({Route("192.0.2.1"), Route("192.0.2.1", 5060, "UDP")}) == 1


def test_route_shows_itself():
    route = Route("192.0.2.1", 5080, "tcp")
    assert eval(repr(route)) == route
    assert str(Route("2001:db8::1")) == "udp:[2001:db8::1]:5060"


def test_route_gives_a_uri():
    """DNS-043, DNS-044: a SIPURI with address, port and the transport as parameter."""
    core = pytest.importorskip("sipsimple.core")
    if not hasattr(core, "SIPURI"):
        pytest.skip("the SIP core is not there")
    uri = Route("1.2.3.4", port=1234, transport="tls").get_uri()
    assert isinstance(uri, core.SIPURI)
    assert (uri.host, uri.port, uri.parameters["transport"]) == ("1.2.3.4", 1234, "tls")
    assert str(uri) == "sip:1.2.3.4:1234;transport=tls"
    assert str(Route("2001:db8::1").get_uri()) == "sip:[2001:db8::1]:5060;transport=udp"
