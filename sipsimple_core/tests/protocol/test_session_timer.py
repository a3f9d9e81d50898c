"""Session timers (RFC 4028): the arithmetic, and calls that are refreshed or are not."""

from __future__ import annotations

from typing import Any

import pytest

from sipsimple.core.protocol.invite_options import InviteOptions
from sipsimple.core.protocol.invite_states import InviteState
from sipsimple.core.protocol.session_timer import EXPIRY_MARGIN, SessionTimer, margin_of
from sipsimple.core.protocol.timers import TimerHeap
from sipsimple.core.wire.message import SIPRequest, SIPResponse
from sipsimple.testing.parties import Call, Link, Party


class Owner:
    def __init__(self) -> None:
        self.told: list[tuple[str, float]] = []

    def refresh_due(self, now: float) -> None:
        self.told.append(("refresh", now))

    def session_expired(self, now: float) -> None:
        self.told.append(("expired", now))


def timer(**options: int) -> tuple[SessionTimer, TimerHeap, Owner]:
    heap, owner = TimerHeap(), Owner()
    return SessionTimer(InviteOptions(**options), heap, owner), heap, owner


def request(expires: str | None = None, min_se: str | None = None, supported: str = "timer") -> SIPRequest:
    headers = [("Session-Expires", expires), ("Min-SE", min_se), ("Supported", supported)]
    return SIPRequest("INVITE", "sip:bob@10.0.0.2", [(name, value) for name, value in headers if value])


def response(expires: str | None = None, code: int = 200, min_se: str | None = None) -> SIPResponse:
    headers = [("Session-Expires", expires), ("Min-SE", min_se)]
    return SIPResponse(code, None, [(name, value) for name, value in headers if value])


def asked(session_timer: SessionTimer, **what: Any) -> list[str]:
    return [f"{name}: {value}" for name, value in session_timer.answer(request(**what), 0.0)]


def test_what_we_ask_for() -> None:
    """RFC 4028 7.1."""
    assert timer()[0].request_headers() == [("Session-Expires", "1800")]
    assert timer(session_expires=0)[0].request_headers() == []
    assert timer(session_expires=600, min_se=300)[0].request_headers() == [
        ("Session-Expires", "600"), ("Min-SE", "300"),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("what", "answer"),
    [
        ({"expires": "600"}, ["Session-Expires: 600;refresher=uac", "Require: timer"]),
        ({"expires": "600;refresher=uas"}, ["Session-Expires: 600;refresher=uas", "Require: timer"]),
        ({"expires": "600;refresher=uac"}, ["Session-Expires: 600;refresher=uac", "Require: timer"]),
        ({"expires": "7200"}, ["Session-Expires: 1800;refresher=uac", "Require: timer"]),
        ({"expires": "7200", "min_se": "3600"}, ["Session-Expires: 3600;refresher=uac", "Require: timer"]),
        ({}, ["Session-Expires: 1800;refresher=uac", "Require: timer"]),
        ({"expires": "600", "supported": "replaces"}, ["Session-Expires: 600;refresher=uas"]),
        ({"supported": "replaces"}, []),
        ({"expires": "rubbish"}, ["Session-Expires: 1800;refresher=uac", "Require: timer"]),
    ],
)
def test_what_we_answer(what: dict[str, str], answer: list[str]) -> None:
    """RFC 4028 9, with its table 2."""
    assert asked(timer()[0], **what) == answer


def test_what_we_refuse() -> None:
    """RFC 4028 9: 422 with Min-SE, only to who understands it."""
    session_timer = timer(min_se=120)[0]
    refusal = session_timer.refuse(request("100"))
    assert refusal is not None and (refusal.code, refusal.headers) == (422, (("Min-SE", "120"),))
    assert session_timer.refuse(request("120")) is None
    assert session_timer.refuse(request("100", supported="x")) is None
    assert session_timer.refuse(request()) is None
    assert timer(session_expires=0)[0].refuse(request("1")) is None


def test_lengthen() -> None:
    """RFC 4028 7.3: a 422 asks for a longer interval; one that asks for nothing more is a refusal."""
    session_timer = timer()[0]
    invite = request("100;refresher=uac")
    assert session_timer.lengthen(invite, response(code=422, min_se="400"))
    assert invite.headers.get("Session-Expires") == "400;refresher=uac" and invite.headers.get("Min-SE") == "400"
    assert not session_timer.lengthen(invite, response(code=422, min_se="400"))
    assert not session_timer.lengthen(request(), response(code=422, min_se="400"))
    assert dict(session_timer.request_headers())["Min-SE"] == "400"


@pytest.mark.parametrize(("interval", "margin"), [(90, 30), (96, 32), (1800, EXPIRY_MARGIN)])
def test_the_margin(interval: float, margin: float) -> None:
    """RFC 4028 10: the BYE goes min(32, a third of the interval) before the session expires."""
    assert margin_of(interval) == margin


def test_who_refreshes_and_when() -> None:
    """RFC 4028 7.2, 10: the refresher after half of the interval; the other waits for the end."""
    session_timer, heap, owner = timer()
    session_timer.accepted(response("200;refresher=uac"), 1000.0)
    assert session_timer.is_refresher and session_timer.interval == 200
    heap.run_due(1100.0)
    assert owner.told == [("refresh", 1100.0)]
    session_timer.retry(10, 1100.0)
    heap.run_due(1110.0)
    assert owner.told[-1] == ("refresh", 1110.0)
    heap.run_due(1168.0)
    assert owner.told[-1] == ("expired", 1168.0) and session_timer.interval == 0
    session_timer.accepted(response("200;refresher=uas"), 2000.0)
    assert not session_timer.is_refresher
    assert dict(session_timer.request_headers())["Session-Expires"] == "200;refresher=uas"
    heap.run_due(2167.0)
    assert len(owner.told) == 3
    session_timer.accepted(response(), 2168.0)
    assert session_timer.interval == 0 and len(heap) == 0


# Calls


def parties(link: Link, mine: int = 100, theirs: int = 1800) -> tuple[Party, Party]:
    return (
        Party(link, "alice", "10.0.0.1", InviteOptions(session_expires=mine)),
        Party(link, "bob", "10.0.0.2", InviteOptions(session_expires=theirs)),
    )


def establish(link: Link, alice: Party, bob: Party) -> tuple[Call, Call]:
    call = alice.call(bob)
    link.deliver()
    bob.incoming[-1].respond(200)
    link.deliver()
    assert call.usage.state is InviteState.CONNECTED
    return call, bob.incoming[-1]


def test_a_call_is_refreshed_as_long_as_it_lasts(link: Link) -> None:
    alice, bob = parties(link)
    call, answer = establish(link, alice, bob)
    assert call.usage.timer.interval == answer.usage.timer.interval == 100
    link.advance(1000)
    assert link.lines("alice").count("UPDATE") == 20
    assert call.usage.state is answer.usage.state is InviteState.CONNECTED


def test_a_call_whose_other_end_is_gone_ends(link: Link) -> None:
    """RFC 4028 10: BYE before the interval ends, on both sides."""
    alice, bob = parties(link)
    call, answer = establish(link, alice, bob)
    link.drop = lambda message: True
    link.advance(66)
    assert answer.usage.state is InviteState.CONNECTED
    link.advance(60)
    assert (answer.last.code, answer.last.disconnect_reason) == (408, "session expired")
    assert call.usage.state is InviteState.DISCONNECTED
    link.advance(200)
    assert len(alice.timers) == len(bob.timers) == 0


def test_an_interval_that_is_too_short_is_lengthened(link: Link) -> None:
    """RFC 4028 7.3, 9: 422, and the INVITE again."""
    alice = Party(link, "alice", "10.0.0.1", InviteOptions(session_expires=100))
    bob = Party(link, "bob", "10.0.0.2", InviteOptions(session_expires=1800, min_se=600))
    call, answer = establish(link, alice, bob)
    assert link.lines()[:4] == ["INVITE", "422 INVITE", "ACK", "INVITE"]
    assert call.usage.timer.interval == answer.usage.timer.interval == 600
    assert call.states == ["outgoing", "connecting", "connected"]


@pytest.mark.parametrize(("mine", "theirs"), [(0, 1800), (1800, 0), (0, 0)])
def test_without_session_timers(link: Link, mine: int, theirs: int) -> None:
    """Who does not know them is called and calls all the same."""
    alice, bob = parties(link, mine, theirs)
    call, answer = establish(link, alice, bob)
    if theirs == 0 or mine == 0 == theirs:
        assert call.usage.timer.interval == 0
    link.advance(3000)
    assert call.usage.state is answer.usage.state is InviteState.CONNECTED


def test_a_refresh_waits_for_a_proposal(link: Link) -> None:
    alice, bob = parties(link)
    call, answer = establish(link, alice, bob)
    link.advance(49)
    call.usage.send_reinvite(call.sdp(), now=link.now)
    link.advance(2)
    assert "UPDATE" not in link.lines("alice")
    answer.respond(200)
    link.advance(90)
    assert call.usage.state is answer.usage.state is InviteState.CONNECTED


def test_the_refresher_does_not_change_with_who_proposes(link: Link) -> None:
    """RFC 4028 7.4."""
    alice, bob = parties(link)
    call, answer = establish(link, alice, bob)
    assert call.usage.timer.is_refresher and not answer.usage.timer.is_refresher
    answer.usage.send_reinvite(answer.sdp(), now=link.now)
    link.deliver()
    call.respond(200)
    link.deliver()
    assert call.usage.timer.is_refresher and not answer.usage.timer.is_refresher


@pytest.mark.parametrize(("session_expires", "min_se"), [(80, 90), (100, 0), (100, 101)])
def test_bad_options(session_expires: int, min_se: int) -> None:
    with pytest.raises(ValueError, match="session interval"):
        InviteOptions(session_expires=session_expires, min_se=min_se)
