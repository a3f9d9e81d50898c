"""The types of settings: what they accept, what they refuse, and that their text makes them again."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipsimple.configuration import datatypes
from sipsimple.configuration.datatypes import (
    UUIDURN,
    AudioCodecList,
    Choice,
    ContentTypeList,
    DomainList,
    EndpointAddress,
    HeaderText,
    Hostname,
    MSRPRelayAddress,
    NonNegativeInteger,
    Password,
    Path,
    Port,
    PortRange,
    Seconds,
    SIPAddress,
    SIPProxyAddress,
    SIPTransportList,
    STUNServerAddress,
    STUNServerAddressList,
    XCAPRoot,
)
from sipsimple.configuration.datatypes.numeric import parse_boolean, parse_float, parse_integer
from sipsimple.configuration.datatypes.text import MAX_TEXT_LENGTH, parse_text
from sipsimple.configuration.setting import to_stored

UUID = "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6"

GOOD: list[tuple[type, object, str]] = [
    (SIPAddress, "alice@example.com", "alice@example.com"),
    (SIPAddress, " sip:alice@EXAMPLE.com ", "alice@example.com"),
    (SIPAddress, "alice@[2001:DB8::1]", "alice@[2001:db8::1]"),
    (SIPAddress, "alice@10.0.0.1", "alice@10.0.0.1"),
    (SIPAddress, "%61lice%40corp@example.com", "alice%40corp@example.com"),
    (SIPAddress, "+31-20(1)@example.com", "+31-20(1)@example.com"),
    (Hostname, "Example.COM.", "example.com"),
    (Hostname, "localhost", "localhost"),
    (Hostname, "chat_server", "chat_server"),
    (Hostname, "192.0.2.1", "192.0.2.1"),
    (Hostname, "[2001:db8:0::1]", "2001:db8::1"),
    (Hostname, "::", "::"),
    (Port, 0, "0"),
    (Port, "65535", "65535"),
    (PortRange, "50000-50500", "50000-50500"),
    (PortRange, (1, 1), "1-1"),
    (Path, "~/certificates/me.pem", "~/certificates/me.pem"),
    (NonNegativeInteger, "0", "0"),
    (Seconds, 4294967295, "4294967295"),
    (EndpointAddress, "example.com:1", "example.com:1"),
    (EndpointAddress, "[::1]:65535", "[::1]:65535"),
    (SIPProxyAddress, "proxy.example.com", "proxy.example.com"),
    (SIPProxyAddress, "proxy.example.com:5070;transport=TCP", "proxy.example.com:5070;transport=tcp"),
    (SIPProxyAddress, "::1", "[::1]"),
    (SIPProxyAddress, "[::1]:5062;transport=tls", "[::1]:5062;transport=tls"),
    (MSRPRelayAddress, "relay.example.com;transport=tcp", "relay.example.com;transport=tcp"),
    (STUNServerAddress, "stun.example.com", "stun.example.com"),
    (XCAPRoot, "HTTPS://XCAP.example.com:8443/xcap-root/", "https://xcap.example.com:8443/xcap-root/"),
    (XCAPRoot, "http://[::1]", "http://[::1]"),
    (SIPTransportList, "udp", "udp"),
    (SIPTransportList, ["TLS", "udp"], "tls, udp"),
    (SIPTransportList, ("tls", "tcp", "udp"), "tls, tcp, udp"),
    (AudioCodecList, "opus, G722,speex/16000", "opus, G722, speex/16000"),
    (ContentTypeList, "Text/Plain, image/*, *", "text/plain, image/*, *"),
    (ContentTypeList, [], ""),
    (DomainList, ["example.com", "EXAMPLE.org"], "example.com, example.org"),
    (STUNServerAddressList, "stun.example.com, [::1]:3479", "stun.example.com, [::1]:3479"),
    (UUIDURN, UUID.upper(), UUID),
    (HeaderText, 'Alice "Ä" <x>', 'Alice "Ä" <x>'),
    (Password, "pass word\n", "pass word\n"),
]

BAD: list[tuple[type, object]] = [
    *[(SIPAddress, bad) for bad in (
        '', 'alice', '@example.com', 'alice@', 'al ice@example.com', 'alice@exa mple.com', 'alice@b@example.com',
        'alice@example.com:5060', 'alice@example.com;transport=tls', 'alice<@example.com', 'alice@1.2.3.256',
        'alice@2001:db8::g', 'sips:', 'älice@example.com', 'alice@example.com\r\nVia: x', b'alice@example.com',
        None, 5, '%4@example.com',
    )],
    *[(Hostname, bad) for bad in (
        '', '.', 'a..b', '-a.com', 'a-.com', '1.2.3.4.5', '1.2.3.400', '01.2.3.4', 'a' * 64, f'{"a." * 126}com1',
        'exämple.com',
        '[::1', '::1]', '[1.2.3.4]', 'fe80::1%eth0', 'a b', 'a/b', 'a:80', None,
    )],
    *[(Port, bad) for bad in (-1, 65536, '-1', '65536', 1.0, True, '', 'x', '٣', None, b'1', [1], '1' * 30)],
    *[(PortRange, bad) for bad in (
        '', '5', '5-', '-5', '2-1', '0-5', '1-65536', 'a-b', '1-2-3', 5, None, (1,), (2, 1), ('a', 'b'), [1, 2, 3],
    )],
    *[(Path, bad) for bad in ('', ' ', 'a\0b', 'a\nb', None, 5, b'/tmp', '\udc80')],
    *[(NonNegativeInteger, bad) for bad in (-1, 2**63, 0.5, '1.0', None, False)],
    *[(Seconds, bad) for bad in (0, -1, 2**32, '', None, True, float('nan'))],
    *[(EndpointAddress, bad) for bad in (
        'example.com', 'example.com:', 'example.com:0', 'example.com:65536', 'example.com:x', ':5060', '[::1', '[::1]x',
        '[::1]:', '', None, 5, 'example.com:1:2',
    )],
    *[(SIPProxyAddress, bad) for bad in (
        '', 'a.com:0', 'a.com;transport', 'a.com;transport=', 'a.com;transport=sctp', 'a.com;lr',
        'a.com;transport=udp;lr', ';transport=udp', 'sip:a.com', 'a.com, b.com', None, 1,
    )],
    *[(MSRPRelayAddress, bad) for bad in ('a.com;transport=udp', '', 'a.com:99999', None)],
    *[(STUNServerAddress, bad) for bad in ('', 'a.com;transport=udp', 'a.com:0', 3478)],
    *[(XCAPRoot, bad) for bad in (
        '', 'xcap.example.com', 'ftp://a.com', 'http://', 'http:///x', 'http://a.com/?q', 'http://a.com/#f', 'http://u@a.com/',
        'http://a.com:99999/', 'http://a.com:/', 'http://a.com/a b', 'http://a_b!/', None,
    )],
    *[(SIPTransportList, bad) for bad in (
        '', [], 'sctp', ['udp', 'udp'], ['udp', 'UDP'], 'tls;tcp', 5, None, b'udp', {'udp': 1}, [None],
    )],
    *[(AudioCodecList, bad) for bad in ('', [], 'a b', ['opus', 'opus'], [5], 'opus/x', None)],
    *[(ContentTypeList, bad) for bad in ('text', 'text/', '/plain', 'text/plain;q=1', ['text/plain', 'TEXT/plain'], 7)],
    *[(DomainList, bad) for bad in (['a b'], 'x..y', [None], 1)],
    *[(STUNServerAddressList, bad) for bad in (['a.com:0'], 5)],
    *[(UUIDURN, bad) for bad in ('', 'x', UUID[9:], UUID + '0', 'urn:uuid:' + 'g' * 32, UUID.replace('-', ''), None)],
    *[(HeaderText, bad) for bad in ('a\r\nb', 'a\0', '\x7f', 'a\u2028b', b'a', None, 5, 'a' * (MAX_TEXT_LENGTH + 1))],
    *[(Password, bad) for bad in (None, 5, b'secret', '\ud800', 'x' * (MAX_TEXT_LENGTH + 1))],
]  # fmt: skip


def _name(case: object) -> str:
    return case.__name__ if isinstance(case, type) else repr(case)[:40]


@pytest.mark.parametrize(("type_", "value", "text"), GOOD, ids=_name)
def test_good_values_and_their_text(type_: type, value: object, text: str) -> None:
    """ACC-029: a value is taken in the forms in which people write it, and its text makes an equal one."""
    parsed = type_(value)
    assert str(parsed) == text
    assert type_(text) == parsed
    assert type_(parsed) == parsed
    assert type_(to_stored(parsed)) == parsed
    assert hash(type_(text)) == hash(parsed)
    assert isinstance(to_stored(parsed), (str, int, list))


@pytest.mark.parametrize(("type_", "value"), BAD, ids=_name)
def test_wrong_values_are_refused(type_: type, value: object) -> None:
    """A wrong value raises ValueError, with a message."""
    with pytest.raises(ValueError) as raised:
        type_(value)
    assert str(raised.value)
    assert len(str(raised.value)) < 400


def test_all_types_are_in_the_tables() -> None:
    bases = {"BoundedInteger", "Choice", "ValueTuple", "MSRPTransport", "SIPTransport"}
    assert {t.__name__ for t, _, _ in GOOD} == {t.__name__ for t, _ in BAD} == set(datatypes.__all__) - bases


def test_sip_address_parts() -> None:
    """ACC-029: `id == 'alice@example.com'`, `id.username == 'alice'`, `id.domain == 'example.com'`."""
    address = SIPAddress("alice@example.com")
    assert isinstance(address, str)
    assert address == "alice@example.com"
    assert (address.username, address.domain) == ("alice", "example.com")
    assert SIPAddress("bob@[::1]").domain == "[::1]"


def test_proxy_address_defaults() -> None:
    """The port is 5060, or 5061 for tls; the transport udp; what was given is told apart from what was not."""
    plain, tls = SIPProxyAddress("a.com"), SIPProxyAddress("a.com;transport=tls")
    assert (plain.host, plain.port, plain.transport) == ("a.com", 5060, "udp")
    assert (tls.host, tls.port, tls.transport) == ("a.com", 5061, "tls")
    assert (plain.given_port, plain.given_transport) == (None, None)
    assert plain != SIPProxyAddress("a.com:5060")
    assert SIPProxyAddress("a.com", 5070, "tcp") == SIPProxyAddress("a.com:5070;transport=tcp")
    relay = MSRPRelayAddress("relay.com")
    assert (relay.port, relay.transport) == (2855, "tls")
    assert STUNServerAddress("stun.com").port == 3478
    assert SIPProxyAddress("a.com") != MSRPRelayAddress("a.com")


def test_conflicting_arguments_of_addresses() -> None:
    with pytest.raises(ValueError, match="two ports"):
        SIPProxyAddress("a.com:1", 2)
    with pytest.raises(ValueError, match="two transports"):
        SIPProxyAddress("a.com;transport=udp", transport="tcp")


def test_values_are_immutable() -> None:
    for value, attribute in ((SIPProxyAddress("a.com"), "host"), (PortRange("1-2"), "start")):
        with pytest.raises(AttributeError):
            setattr(value, attribute, "b.com")


def test_port_range_contains() -> None:
    ports = PortRange(10, 12)
    assert [port for port in range(8, 15) if port in ports] == [10, 11, 12]
    assert "x" not in ports
    assert PortRange(1, 2) < PortRange(1, 3)


def test_path_expands_the_home_on_use(tmp_path: os.PathLike[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", os.fspath(tmp_path))
    path = Path("~/file")
    with open(path, "w") as file:
        file.write("x")
    assert os.path.exists(os.path.join(tmp_path, "file"))
    assert path.normalized == os.path.join(tmp_path, "file")
    assert str(path) == "~/file"
    assert Path(tmp_path) == Path(os.fspath(tmp_path))


def test_hosts_know_what_they_are() -> None:
    kinds = [(host.is_ip_address, host.is_ipv6, host.uri_form) for host in map(Hostname, ("a.com", "10.0.0.1", "::1"))]
    assert kinds == [(False, False, "a.com"), (True, False, "10.0.0.1"), (True, True, "[::1]")]


def test_values_show_what_they_are() -> None:
    shown = [
        SIPProxyAddress("a.com;transport=tcp"),
        PortRange(1, 2),
        Path("~/x"),
        SIPTransportList("udp, tls"),
        Port(5),
    ]
    assert list(map(repr, shown)) == [
        "SIPProxyAddress('a.com;transport=tcp')",
        "PortRange(1, 2)",
        "Path('~/x')",
        "SIPTransportList(['udp', 'tls'])",
        "5",
    ]


def test_password_does_not_show() -> None:
    password = Password("s3cret")
    assert password == "s3cret"
    assert f"{password}" == "s3cret"
    assert "s3cret" not in repr(password)
    assert "s3cret" not in repr({"password": password})
    assert repr(Password()) == "''"
    for wrong in (b"s3cret", "s3cret\ud800", "s3cret" * MAX_TEXT_LENGTH):
        with pytest.raises(ValueError) as raised:
            Password(wrong)
        assert "s3cret" not in str(raised.value)


def test_codec_list_of_an_engine() -> None:
    class EngineCodecs(AudioCodecList):
        available = ("opus", "PCMU")

    assert EngineCodecs("pcmu, opus") == ("PCMU", "opus")
    with pytest.raises(ValueError, match="opus, PCMU"):
        EngineCodecs("G729")


def test_choice_of_a_plugin() -> None:
    class Model(Choice):
        values = ("relay", "acm")

    assert Model("RELAY") == "relay"
    with pytest.raises(ValueError, match="relay, acm"):
        Model("other")


def test_lists_are_bounded() -> None:
    with pytest.raises(ValueError, match="more than"):
        DomainList(f"host{number}.com" for number in range(10**9))


def test_booleans_are_strict() -> None:
    for text in ("true", "Yes", "ON", "1", True, 1):
        assert parse_boolean(text) is True
    for text in ("false", "no", "Off", "0", False, 0):
        assert parse_boolean(text) is False
    for wrong in ("", "maybe", None, 2, 1.0, [], b"true"):
        with pytest.raises(ValueError):
            parse_boolean(wrong)


def test_floats_are_finite() -> None:
    assert parse_float("1.5") == 1.5
    for wrong in ("nan", "inf", float("inf"), True, None, "", 10**400):
        with pytest.raises(ValueError):
            parse_float(wrong)


@given(st.text())
def test_any_text_is_taken_or_refused(text: str) -> None:
    """No text does more than raise ValueError, and what is taken survives being stored as text."""
    for type_ in {type_ for type_, _, _ in GOOD}:
        try:
            value = type_(text)
        except ValueError:
            continue
        assert type_(str(value)) == value
        assert type_(to_stored(value)) == value


@given(st.one_of(st.none(), st.integers(), st.floats(), st.booleans(), st.binary(), st.lists(st.text()), st.tuples(st.integers(), st.integers())))  # fmt: skip  # noqa: E501
def test_any_value_is_taken_or_refused(value: object) -> None:
    for type_ in {type_ for type_, _, _ in GOOD}:
        try:
            taken = type_(value)
        except ValueError:
            continue
        assert type_(str(taken)) == taken


label = st.from_regex(r"\A[a-z](?:[a-z0-9-]{0,10}[a-z0-9])?\Z")
hosts = st.one_of(
    st.lists(label, min_size=1, max_size=4).map(".".join),
    st.ip_addresses(v=4).map(str),
    st.ip_addresses(v=6).map(lambda address: f"[{address}]"),
)
users = st.from_regex(r"\A[a-z0-9_.!~*'()&=+$,;?/-]{1,20}\Z")


@given(users, hosts)
def test_addresses_of_the_grammar_are_taken(user: str, host: str) -> None:
    address = SIPAddress(f"{user}@{host}")
    assert address.username == user
    assert Hostname(address.domain) == Hostname(host)
    assert SIPAddress(str(address)) == address


@given(hosts, st.none() | st.integers(1, 65535), st.none() | st.sampled_from(["udp", "tcp", "tls"]))
def test_proxy_addresses_of_the_grammar_are_taken(host: str, port: int | None, transport: str | None) -> None:
    proxy = SIPProxyAddress(host, port, transport)
    assert SIPProxyAddress(str(proxy)) == proxy
    assert proxy.port == (port or (5061 if transport == "tls" else 5060))
    assert proxy.transport == (transport or "udp")


@given(st.integers(), st.integers())
def test_port_ranges(start: int, end: int) -> None:
    if 1 <= start <= end <= 65535:
        assert str(PortRange(start, end)) == f"{start}-{end}"
    else:
        with pytest.raises(ValueError):
            PortRange(start, end)


@given(st.integers(-(2**70), 2**70))
def test_integers_and_their_digits(number: int) -> None:
    assert parse_integer(number) == number
    if abs(number) < 10**19:
        assert parse_integer(str(number)) == number


@given(st.text(st.characters(), max_size=20))
def test_text_that_is_taken_can_be_encoded(text: str) -> None:
    try:
        parse_text(text).encode()
    except UnicodeEncodeError:
        raise AssertionError("it was taken") from None
    except ValueError:
        pass
