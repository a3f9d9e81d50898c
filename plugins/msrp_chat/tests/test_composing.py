"""Is-composing documents (RFC 3994)."""

from __future__ import annotations

import contextlib
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipsimple.streams.chat.composing import (
    MAX_REFRESH,
    ComposingError,
    ComposingIndication,
    parse_composing,
    print_composing,
)

NAMESPACE = "urn:ietf:params:xml:ns:im-iscomposing"


def document(inside: str, prolog: str = '<?xml version="1.0" encoding="UTF-8"?>') -> bytes:
    return f'{prolog}<isComposing xmlns="{NAMESPACE}">{inside}</isComposing>'.encode()


def test_example_of_the_rfc() -> None:
    """CHAT-029, CHAT-030: RFC 3994 6, the first example."""
    data = f"""<?xml version="1.0" encoding="UTF-8"?>
    <isComposing xmlns="{NAMESPACE}" xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
      xsi:schemaLocation="{NAMESPACE} iscomposing.xsd">
      <state>active</state>
      <contenttype>text/plain</contenttype>
      <refresh>90</refresh>
    </isComposing>""".encode()
    assert parse_composing(data) == ComposingIndication("active", 90, None, "text/plain")


def test_prefixed_and_extended() -> None:
    """CHAT-029: RFC 3994 4: elements of other namespaces are passed over."""
    data = (
        f'<c:isComposing xmlns:c="{NAMESPACE}" xmlns:o="urn:o"><o:state>idle</o:state><o:x><c:state>idle</c:state>'
        "</o:x><c:state> active </c:state></c:isComposing>"
    )
    assert parse_composing(data.encode("utf-16")) == ComposingIndication("active")


@pytest.mark.parametrize(
    ('inside', 'expected'),
    [
        ('<state>idle</state><lastactive>2003-01-27T10:43:00Z</lastactive>',
         ComposingIndication('idle', None, datetime(2003, 1, 27, 10, 43, tzinfo=UTC))),
        ('<state>pondering</state>', ComposingIndication('idle')),
        ('<state>active</state><refresh>0</refresh>', ComposingIndication('active')),
        ('<state>active</state><refresh>-3</refresh>', ComposingIndication('active')),
        ('<state>active</state><refresh>soon</refresh>', ComposingIndication('active')),
        (f'<state>active</state><refresh>{"9" * 900}</refresh>', ComposingIndication('active', MAX_REFRESH)),
        ('<state>active</state><lastactive>never</lastactive><contenttype/>', ComposingIndication('active')),
        ('<state>active</state><state>idle</state>', ComposingIndication('active')),
    ],
)  # fmt: skip
def test_values(inside: str, expected: ComposingIndication) -> None:
    """CHAT-030: unknown states are idle; what is missing or nonsense is None; a refresh is bounded."""
    assert parse_composing(document(inside)) == expected


LAUGHS = '<!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;">]>'


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"active",
        document(""),
        document("<state>active"),
        b"<isComposing><state>active</state></isComposing>",
        b'<other xmlns="urn:o"/>',
        document("<state>&c;</state>", LAUGHS),
        document("<state>active</state>", '<!DOCTYPE isComposing SYSTEM "http://127.0.0.1:9/dtd">'),
        document("<state>&e;</state>", '<!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]>'),
        document("<state>active</state>", '<?xml version="1.0" encoding="punycode"?>'),
        document("<state>active</state>", '<?xml version="1.0" encoding="no-such"?>'),
        document(f"<state>{'a' * 5000}</state>"),
        document(f"<state>active</state><!--{'a' * 20000}-->"),
        document("<a>" * 100 + "</a>" * 100 + "<state>active</state>"),
        document("<state>active\x00</state>"),
    ],
)
def test_broken_and_hostile(data: bytes) -> None:
    """CHAT-029: no document type, no entity, no other root, no depth, no size is taken."""
    with pytest.raises(ComposingError):
        parse_composing(data)


@given(
    st.builds(
        ComposingIndication,
        st.sampled_from(["active", "idle"]),
        st.none() | st.integers(1, MAX_REFRESH),
        st.none() | st.datetimes(timezones=st.just(UTC)),
        st.none() | st.sampled_from(["text/plain", 'application/x; a="<&>"']),
    )
)
def test_round_trip(indication: ComposingIndication) -> None:
    """CHAT-007, CHAT-021, CHAT-022, CHAT-023: what is printed is read again."""
    assert parse_composing(print_composing(indication)) == indication


@given(st.binary() | st.binary().map(lambda data: document("") + data) | st.text().map(document))
def test_any_octets(data: bytes) -> None:
    """CHAT-029: an indication or a ComposingError."""
    with contextlib.suppress(ComposingError):
        assert parse_composing(data).state in ("active", "idle")


@pytest.mark.parametrize(
    ("indication", "error"),
    [
        (ComposingIndication("typing"), ValueError),
        (ComposingIndication("active", 0), ValueError),
        (ComposingIndication("active", 1.5), TypeError),  # type: ignore[arg-type]
        (ComposingIndication("active", True), TypeError),
        (ComposingIndication("active", 1, None, "x"), ValueError),
    ],
)
def test_wrong_arguments(indication: ComposingIndication, error: type[Exception]) -> None:
    """CHAT-022: the state is 'active' or 'idle', the refresh a positive number of seconds."""
    with pytest.raises(error):
        print_composing(indication)
