from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msrplib.errors import MSRPSyntaxError
from msrplib.uri import MAX_PATH_LENGTH, MSRPURI, format_path, parse_path

TEXTS = (
    "msrp://atlanta.example.com:7654/jshA7weztas;tcp",
    "msrps://bob@biloxi.example.com:12763/kjhd37s2s20w2a;tcp",
    "msrp://10.0.0.1:2855;tcp",
    "msrp://example.com/a.b-c_d~e+f=g/h;tcp",
    "msrps://[2001:db8::1]:9999/abc;tcp;p=1;q",
)


@pytest.mark.parametrize("text", TEXTS)
def test_parse_and_print(text: str) -> None:
    """RFC 4975 6: what is parsed is printed again."""
    assert str(MSRPURI.parse(text)) == text


def test_parts() -> None:
    """RFC 4975 6: every part is found."""
    uri = MSRPURI.parse("MSRPS://bob@[2001:db8::1]:9999/abc/D;tcp;p=1;q")
    assert (uri.secure, uri.user, uri.host, uri.port) == (True, "bob", "2001:db8::1", 9999)
    assert (uri.session_id, uri.transport, uri.parameters) == ("abc/D", "tcp", (("p", "1"), ("q", None)))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "sip:alice@example.com",
        "msrp://;tcp",
        "msrp://host:2855/abc",
        "msrp://host:99999/abc;tcp",
        "msrp://host:123456/abc;tcp",
        "msrp://host/a b;tcp",
        "msrp://ho\nst/ab;tcp",
        "msrp://host/ab;tcp\n",
        "msrp://[:::1]:1/ab;tcp",
        "msrp://host/ab;tcp;",
    ],
)
def test_refused(text: str) -> None:
    """RFC 4975 9: what is not in the grammar is refused with an error of its own."""
    with pytest.raises(MSRPSyntaxError):
        MSRPURI.parse(text)


@pytest.mark.parametrize(
    ("first", "second", "same"),
    [
        ("msrp://Host:1/ab;tcp", "MSRP://hOST:1/ab;TCP", True),
        ("msrp://host:1/ab;tcp", "msrp://alice@host:1/ab;tcp;x=y", True),
        ("msrp://[2001:DB8:0::1]:1/ab;tcp", "msrp://[2001:db8::1]:1/ab;tcp", True),
        ("msrp://host:1/ab;tcp", "msrp://host:1/AB;tcp", False),
        ("msrp://host:1/ab;tcp", "msrps://host:1/ab;tcp", False),
        ("msrp://host:1/ab;tcp", "msrp://host:2/ab;tcp", False),
        ("msrp://host:2855/ab;tcp", "msrp://host/ab;tcp", False),
        ("msrp://host:1;tcp", "msrp://host:1/ab;tcp", False),
        ("msrp://host:1/ab;tcp", "msrp://host:1/ab;sctp", False),
    ],
)
def test_comparison(first: str, second: str, same: bool) -> None:
    """RFC 4975 6.1: what counts in a comparison and what does not."""
    one, other = MSRPURI.parse(first), MSRPURI.parse(second)
    assert (one == other) is same
    assert (hash(one) == hash(other)) is same


def test_built_from_parts_is_checked() -> None:
    """A part that would make another URI of it is refused."""
    for arguments in (
        {"host": "a b"},
        {"host": "a", "session_id": "a;b"},
        {"host": "a", "port": 70000},
        {"host": "a", "transport": "tcp;x"},
        {"host": "1:2:zz"},
    ):
        with pytest.raises(MSRPSyntaxError):
            MSRPURI(**arguments)


def test_fresh_session_ids_differ() -> None:
    """RFC 4975 14.1: 80 random bits."""
    ids = {MSRPURI.new("host", 1).session_id for _ in range(1000)}
    assert len(ids) == 1000
    assert all(session_id is not None and len(session_id) == 20 for session_id in ids)


def test_path() -> None:
    """RFC 4975 9: URIs with spaces between; bounded."""
    text = " ".join(TEXTS)
    assert format_path(parse_path(text)) == text
    for wrong in ("", " ", "x", " ".join([TEXTS[0]] * (MAX_PATH_LENGTH + 1))):
        with pytest.raises(MSRPSyntaxError):
            parse_path(wrong)


@given(st.text(max_size=80))
def test_any_text(text: str) -> None:
    """Whatever is parsed is a URI that prints to an equal one, or refused."""
    for candidate in (text, f"msrp://{text}", f"msrp://host:1/{text};tcp", f"msrp://host/ab;tcp{text}"):
        try:
            uri = MSRPURI.parse(candidate)
        except MSRPSyntaxError:
            continue
        assert MSRPURI.parse(str(uri)) == uri
