"""Responses to INVITE with headers that can't be read: each is acknowledged (RFC 3261 13.2.2.4, 17.1.1.3)."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipsimple.core.protocol.invite_response import mend_response
from sipsimple.core.protocol.invite_states import InviteState
from sipsimple.core.wire.message import SIPRequest, SIPResponse, make_response
from sipsimple.core.wire.validation import validate_response
from sipsimple.testing.parties import Call, Link, Party, sdp

CALLED = "<sip:bob@10.0.0.2:5060>"


def answer_badly(link: Link, alice: Party, bob: Party, code: int, header: str, value: str) -> Call:
    """Calls; the answer arrives with this header in place of its own."""
    call = alice.call(bob)
    link.deliver()
    bob.incoming[-1].respond(code)
    [(data, source, destination)] = link.queue
    link.queue.clear()
    pattern = re.compile(rb"\r\n" + header.encode() + rb": [^\r]*")
    tag = re.search(rb"\r\nTo: .*;tag=(\w+)", data)
    assert tag is not None
    line = f"\r\n{header}: {value}".encode().replace(b"{}", tag[1])
    data = pattern.sub(line, data, count=1) if pattern.search(data) else data.replace(b"\r\nCSeq", line + b"\r\nCSeq")
    link.queue.append((data, source, destination))
    link.deliver()
    return call


@pytest.mark.parametrize(
    ("header", "value"),
    [
        ("To", '"Bob <sip:bob@10.0.0.2>;tag={}'),
        ("To", "<sip:bob@[10.0.0.2>;tag={}"),
        ("To", "<sip:bob@10.0.0.2;tag={}"),
        ("To", "sip:@;tag={};"),
        ("To", ";Tag = {}"),
        ("From", "<sip:alice@10.0.0.1;tag=whatever"),
        ("Contact", "<sip:bob@[10.0.0.2>"),
        ("Contact", '"bob <sip:bob@10.0.0.2>'),
        ("Contact", "<sip:bob@10.0.0.2>;q=much"),
        ("Contact", "sip:bob@10.0.0.2:port"),
        ("Contact", "*"),
        ("Record-Route", "<sip:10.0.0.2;lr"),
        ("Expires", "soon"),
        ("Min-Expires", "never"),
    ],
)
def test_an_acceptance_that_is_partly_unreadable_is_a_call(
    link: Link, alice: Party, bob: Party, header: str, value: str
) -> None:
    """RFC 3261 13.2.2.4: the ACK gets to whoever accepted, and so does the BYE at the end."""
    call = answer_badly(link, alice, bob, 200, header, value)
    answer = bob.incoming[-1]
    assert call.usage.state is answer.usage.state is InviteState.CONNECTED
    call.end()
    link.deliver()
    assert call.usage.state is answer.usage.state is InviteState.DISCONNECTED
    assert link.lines() == ["INVITE", "200 INVITE", "ACK", "BYE", "200 BYE"]
    link.advance(200)
    assert alice.core.dialogs == bob.core.dialogs == len(alice.timers) == len(bob.timers) == 0


def test_an_acceptance_without_a_readable_description_is_ended(link: Link, alice: Party, bob: Party) -> None:
    """RFC 3261 13.2.2.4: a caller that can't use the answer acknowledges it and says BYE."""
    call = answer_badly(link, alice, bob, 200, "Content-Type", "@")
    assert call.usage.state is bob.incoming[-1].usage.state is InviteState.DISCONNECTED
    assert link.lines() == ["INVITE", "200 INVITE", "ACK", "BYE", "200 BYE"]


@pytest.mark.parametrize(
    ("header", "value"),
    [("To", "<sip:bob@10.0.0.2;tag={}"), ("Contact", "<sip:"), ("Expires", "soon"), ("Content-Type", "@")],
)
@pytest.mark.parametrize("code", [302, 486])
def test_a_refusal_that_is_partly_unreadable_is_a_refusal(
    link: Link, alice: Party, bob: Party, code: int, header: str, value: str
) -> None:
    """RFC 3261 17.1.1.3: the caller hears of it at once, and the ACK ends the repetitions."""
    call = answer_badly(link, alice, bob, code, header, value)
    assert (call.last.state, call.last.code) == (InviteState.DISCONNECTED, code)
    link.advance(200)
    assert link.lines() == ["INVITE", f"{code} INVITE", "ACK"]


def test_a_reliable_response_that_is_partly_unreadable_is_acknowledged(link: Link, alice: Party, bob: Party) -> None:
    """RFC 3262 4: without its PRACK the callee would refuse the call in the end."""
    call = alice.call(bob)
    link.deliver()
    bob.incoming[-1].usage.respond(183, sdp=sdp("10.0.0.2"), now=link.now)
    [(data, source, destination)] = link.queue
    link.queue.clear()
    link.queue.append((re.sub(rb"\r\nContact: [^\r]*", b"\r\nContact: <sip:@", data), source, destination))
    link.deliver()
    assert link.lines() == ["INVITE", "183 INVITE", "PRACK", "200 PRACK"]
    assert call.usage.state is InviteState.EARLY and call.updates[-1].early


@pytest.mark.parametrize("line", [b"Via: SIP/2.0/UDP 10.0.0.1;branch=z9hG4bKother", b"CSeq: x INVITE"])
def test_what_can_not_be_told_to_be_ours_is_dropped(link: Link, alice: Party, bob: Party, line: bytes) -> None:
    """RFC 3261 18.1.2: without Via and CSeq there is no transaction that a response could belong to."""
    alice.call(bob)
    link.deliver()
    bob.incoming[-1].respond(200)
    [(data, source, destination)] = link.queue
    link.queue.clear()
    data = data.replace(b"Contact: <", b"Contact: <<")
    name = line.partition(b":")[0]
    data = re.sub(rb"\r\n" + name + rb": [^\r]*", b"\r\n" + line, data)
    link.queue.append((data, source, destination))
    link.deliver()
    assert link.lines("alice") == ["INVITE"]


def request() -> SIPRequest:
    return SIPRequest(
        "INVITE",
        "sip:bob@10.0.0.2",
        [
            ("Via", "SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK1"),
            ("From", "<sip:alice@10.0.0.1>;tag=a"),
            ("To", CALLED),
            ("Call-ID", "1"),
            ("CSeq", "1 INVITE"),
        ],
    )


@given(
    st.sampled_from(["From", "To", "Contact", "Record-Route", "Content-Type", "Expires", "Min-Expires"]),
    st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=40),
)
def test_whatever_is_in_these_headers_the_rest_is_acceptable(header: str, value: str) -> None:
    response = make_response(request(), 200, to_tag="b")
    response.headers.set(header, value)
    mend_response(response, request())
    assert validate_response(response) is None


def test_what_can_be_read_stays_as_it_came() -> None:
    headers = [("Contact", "<sip:bob@10.0.0.2>;q=0.5"), ("Record-Route", "<sip:10.0.0.3;lr>"), ("Expires", "5")]
    response: SIPResponse = make_response(request(), 200, to_tag="b", headers=headers)
    before = response.encode()
    mend_response(response, request())
    assert response.encode() == before


@pytest.mark.parametrize(
    ("given", "mended"),
    [
        ("<sip:bob@[;tag=b", f"{CALLED};tag=b"),
        ('"a;tag=x <sip:bob@h>;tag=b', f"{CALLED};tag=b"),
        ("<sip:bob@[", CALLED),
        ("", CALLED),
    ],
)
def test_the_tag_is_found_in_what_is_broken(given: str, mended: str) -> None:
    response = make_response(request(), 200)
    response.headers.set("To", given)
    mend_response(response, request())
    assert response.headers.get("To") == mended
