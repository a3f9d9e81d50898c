"""Proposals within calls step by step: re-INVITEs, UPDATEs and refreshes, where their course is not the usual one."""

from __future__ import annotations

import pytest

from sipsimple.core.protocol.invite_events import InvalidStateError
from sipsimple.core.protocol.invite_states import InviteSubState
from sipsimple.core.protocol.received_proposal import UPDATE_TIMEOUT
from sipsimple.core.protocol.sent_proposal import MAX_INTERVAL_ROUNDS, REFRESH_RETRY
from sipsimple.testing.hostile_party import HostileCall
from sipsimple.testing.parties import Call, sdp

ALLOW = "Allow: INVITE, ACK, BYE, UPDATE"
TIMER = ("Require: timer", "Session-Expires: 1800;refresher=uac")


def connected(*lines: str, outgoing: bool = True) -> tuple[HostileCall, Call]:
    """A call that is connected; its user does nothing by himself. `lines` are in the other party's 2xx or INVITE."""
    hostile = HostileCall(outgoing)
    if outgoing:
        hostile.say(200, *lines)
    else:
        hostile.say("INVITE", *lines)
        hostile.say("accept")
        hostile.say("ACK")
    call = hostile.call
    assert call is not None and call.states[-1] == "connected"
    call.on_change = lambda change: None
    hostile.link.sent.clear()
    call.changes.clear()
    call.updates.clear()
    return hostile, call


def lines(hostile: HostileCall) -> list[str]:
    return hostile.link.lines()


def play(hostile: HostileCall, *steps: int | str) -> None:
    for step in steps:
        hostile.say(step)


def sub_states(call: Call) -> list[tuple[str | None, int | None]]:
    return [(change.sub_state.value if change.sub_state else None, change.code) for change in call.changes]


# Ours


def test_a_reinvite_is_told_from_its_beginning_to_its_end() -> None:
    """RFC 3261 14.1; RFC 3262 4: a reliable provisional response is acknowledged here too, once."""
    hostile, call = connected()
    play(hostile, "reinvite", 180, 183)
    hostile.say(183, "RSeq: 1")
    play(hostile, 200)
    assert sub_states(call) == [
        ("sent_proposal", None),
        ("sent_proposal", 180),
        ("sent_proposal", 183),
        ("normal", 200),
    ]
    assert lines(hostile) == ["INVITE", "PRACK", "ACK"]
    assert [update.succeeded for update in call.updates] == [True]


def test_an_offer_that_was_asked_for_is_told() -> None:
    """RFC 3261 14.1: the 2xx is told, then answered, and the ACK ends it."""
    hostile, call = connected()
    play(hostile, "ask for an offer", 200)
    assert sub_states(call) == [("sent_proposal", None), ("sent_proposal", 200)] and lines(hostile) == ["INVITE"]
    play(hostile, "accept")
    assert sub_states(call)[-1] == ("normal", 200) and lines(hostile) == ["INVITE", "ACK"]


def target(call: Call) -> object:
    assert call.usage.dialog is not None
    return call.usage.dialog.remote_target


@pytest.mark.parametrize("steps", [("reinvite", 200), ("update", "200"), ("INVITE", "accept"), ("UPDATE", "accept")])
def test_the_target_moves(steps: tuple[str, int | str]) -> None:
    """RFC 3261 12.2.1.2, 12.2.2: where the remote party says that it is, requests go from then on."""
    hostile, call = connected()
    theirs = steps[0].isupper()
    hostile.contact = "<sip:mallory@10.0.0.77>"
    play(hostile, *steps)
    if theirs:
        play(hostile, "ACK")
    assert str(target(call)) == "sip:mallory@10.0.0.77"


@pytest.mark.parametrize("ours", ["reinvite", "update"])
def test_what_the_2xx_says_of_the_session_timer_counts(ours: str) -> None:
    """RFC 4028 7.2, 7.4: each 2xx settles the interval, and whether there is one."""
    hostile, call = connected(*TIMER)
    assert call.usage.timer.interval == 1800
    success: int | str = 200 if ours == "reinvite" else "200"
    hostile.say(ours)
    hostile.say(success, "Session-Expires: 600;refresher=uas")
    assert (call.usage.timer.interval, call.usage.timer.is_refresher) == (600, False)
    hostile.say(ours)
    hostile.say(success)
    assert call.usage.timer.interval == 0


@pytest.mark.parametrize(("ours", "theirs"), [("reinvite", 500), ("update", "503")])
def test_what_the_remote_party_does_not_do_leaves_the_call(ours: str, theirs: int | str) -> None:
    """RFC 3261 14.1: the session is as if nothing had been proposed."""
    hostile, call = connected()
    before = call.usage.negotiation.active_local
    play(hostile, ours, theirs)
    assert sub_states(call)[-1] == ("normal", int(theirs))
    assert call.usage.negotiation.active_local == before and not call.usage.negotiation.is_open


@pytest.mark.parametrize("ours", ["reinvite", "update"])
def test_a_proposal_that_nobody_answers_ends_the_call(ours: str) -> None:
    """RFC 3261 12.2.1.2: a time-out counts as 408, and after that there is no call."""
    hostile, call = connected()
    hostile.say(ours)
    hostile.link.advance(33)
    assert ("normal", 408) in sub_states(call) and "BYE" in lines(hostile)


def test_an_interval_that_is_too_small_for_an_update() -> None:
    """RFC 4028 7.3: sent again with what the 422 asks for, not without end."""
    hostile, call = connected()
    hostile.say("update")
    for number in range(MAX_INTERVAL_ROUNDS):
        hostile.say("422", f"Min-SE: {2000 + number}")
        update = hostile.link.last_requests[False]
        assert update.headers.get("Session-Expires") == str(2000 + number)
    assert lines(hostile) == ["UPDATE"] * (MAX_INTERVAL_ROUNDS + 1)
    hostile.say("422", "Min-SE: 9000")
    assert sub_states(call)[-1] == ("normal", 422)


def test_what_can_not_be_proposed() -> None:
    """The error says in which state it was asked for."""
    ringing = HostileCall(True)
    ringing.say(180)
    assert ringing.call is not None
    early, now = ringing.call.usage, ringing.link.now
    with pytest.raises(InvalidStateError, match="re-INVITE can't be sent in state early"):
        early.send_reinvite(sdp("10.0.0.1"), now=now)
    with pytest.raises(InvalidStateError, match="first offer that was answered"):
        early.send_update(sdp("10.0.0.1"), now=now)
    hostile, call = connected()
    with pytest.raises(InvalidStateError, match="no re-INVITE of ours is open"):
        call.usage.cancel_reinvite(now=hostile.link.now)
    hostile.say("update")
    with pytest.raises(InvalidStateError, match="no re-INVITE of ours is open"):
        call.usage.cancel_reinvite(now=hostile.link.now)
    with pytest.raises(InvalidStateError, match="UPDATE can't be sent in state connected, sent_proposal"):
        call.usage.send_update(now=hostile.link.now)


@pytest.mark.parametrize(("ours", "late"), [("reinvite", 200), ("update", "200"), ("ask for an offer", 200)])
def test_an_answer_that_comes_when_the_call_is_over(ours: str, late: int | str) -> None:
    """RFC 3261 15.1.2: nothing is made of it; a 2xx to INVITE is acknowledged."""
    hostile, call = connected()
    play(hostile, ours, "BYE", late)
    assert [change.state.value for change in call.changes][-1] == "disconnected" and call.updates == []
    hostile.link.advance(100)
    assert len(hostile.party.timers) == 0 and call.updates == []


def test_a_refresh_waits_while_a_proposal_is_open() -> None:
    """RFC 4028 7.4"""
    hostile, call = connected(*TIMER, ALLOW)
    hostile.link.advance(890)
    hostile.say("INVITE")
    assert call.usage.sub_state is InviteSubState.RECEIVED_PROPOSAL
    hostile.link.advance(15)
    assert "UPDATE" not in lines(hostile)
    hostile.say("refuse")
    hostile.link.advance(REFRESH_RETRY + 1)
    assert lines(hostile)[-1] == "UPDATE"


def test_a_refresh_that_is_refused_is_tried_again() -> None:
    """RFC 4028 10: the session lives until its interval is over."""
    hostile, call = connected(*TIMER, ALLOW)

    def refreshes() -> int:
        cseq = hostile.link.last_requests[False].cseq
        assert cseq is not None
        return cseq.number - 1

    hostile.link.advance(905)
    assert refreshes() == 1
    hostile.say("503")
    hostile.link.advance(REFRESH_RETRY + 1)
    assert refreshes() == 2
    hostile.say("491")
    # 14.1: the caller waits for 2.1 to 4 seconds
    hostile.link.advance(1.9)
    assert refreshes() == 2
    hostile.link.advance(2.5)
    assert refreshes() == 3
    assert call.changes == []


# Theirs


def test_a_reinvite_that_nobody_answers_is_refused_in_the_end() -> None:
    """RFC 3261 14.2: the call goes on."""
    hostile, call = connected()
    hostile.say("INVITE")
    hostile.link.advance(call.usage.ANSWER_TIMEOUT + 1)
    assert "480 INVITE" in lines(hostile) and sub_states(call)[-1] == ("normal", 480)


def test_an_update_is_answered_once() -> None:
    """The limit on the wait for the user ends with his answer."""
    hostile, call = connected()
    play(hostile, "UPDATE", "accept")
    hostile.link.advance(UPDATE_TIMEOUT + 1)
    assert lines(hostile) == ["200 UPDATE"] and sub_states(call) == [("received_proposal", None), ("normal", 200)]


@pytest.mark.parametrize("steps", [("INVITE", "accept", "ACK"), ("UPDATE", "accept")])
def test_what_their_proposal_allows_counts(steps: tuple[str, ...]) -> None:
    """RFC 3311 4: whether we may refresh with UPDATE."""
    hostile, call = connected()
    assert not call.usage.leg.allows("UPDATE")
    hostile.say(steps[0], ALLOW)
    play(hostile, *steps[1:])
    assert call.usage.leg.allows("UPDATE")


def test_a_2xx_to_our_proposal_that_allows_more_counts() -> None:
    for ours, theirs in (("reinvite", 200), ("update", "200")):
        hostile, call = connected()
        hostile.say(ours)
        hostile.say(theirs, ALLOW)
        assert call.usage.leg.allows("UPDATE")


def test_a_refused_early_update_lets_the_2xx_go() -> None:
    """RFC 3311 5.1: the call waited for what became of our proposal."""
    hostile = HostileCall(False)
    hostile.say("INVITE")
    call = hostile.call
    assert call is not None
    call.on_change = lambda change: None
    call.usage.respond(183, sdp=call.sdp(), now=hostile.link.now)
    hostile.say("PRACK", body=b"")
    hostile.say("update")
    call.respond(200)
    assert "200 INVITE" not in lines(hostile)
    hostile.say("488")
    assert lines(hostile)[-1] == "200 INVITE"
