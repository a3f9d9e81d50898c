"""What happens within a call, with sipp on the other side: re-INVITE, UPDATE, glare, session timers, Replaces."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Sipp, Stack
from .scenarios import SDP, back, expect, pause, reply, request, scenario

TIMEOUT = 20
OURS = "m=audio 4000 RTP/AVP 8"
CHANGED = SDP.replace("6000", "6002")


def take(stack: Stack) -> None:
    stack.answer = lambda invitation: invitation.send_response(200, sdp=stack.sdp())


def agree(stack: Stack) -> None:
    stack.on_proposal = lambda invitation: invitation.send_response(200, sdp=stack.sdp())


def invite(*headers: str, body: str = SDP) -> str:
    return request("INVITE", 1, *headers, to_tag=False, body=body, retrans=500)


#: sipp calls us.
CALLED = [invite(), expect(100, optional=True), expect(200), request("ACK", 1)]
#: We call sipp.
CALLING = [expect("INVITE", save=True), reply(200, "OK", "Allow: INVITE, ACK, BYE, UPDATE", body=SDP), expect("ACK")]
BYE = [request("BYE", 9, retrans=500), expect(200)]
BACK_BYE = [back("BYE", 9, retrans=500), expect(200)]
OVER = [expect("BYE"), reply(200, "OK", tag=None, contact=False)]


def call(stack: Stack, port: int, **options: Any) -> Any:
    invitation = stack.call(port, **options)
    stack.wait(invitation, "connected")
    return invitation


def end(stack: Stack, invitation: Any) -> None:
    stack.run(invitation.end)
    stack.wait(invitation, "disconnected")


def settled(stack: Stack, invitation: Any, code: int) -> None:
    """Waits until our proposal was answered with that."""
    stack.recorder.wait_for(
        "SIPInvitationChangedState", invitation, TIMEOUT, prev_sub_state="sent_proposal", sub_state="normal", code=code
    )


def port_of(stack: Stack, invitation: Any) -> int:
    return stack.run(lambda: invitation.active_remote_sdp).media[0].port


# Offers within a call (RFC 3261 14, RFC 3311)


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_we_propose(sipp: Sipp, stack: Stack, method: str) -> None:
    """RFC 3261 14.1, RFC 3311 5.1: a new description is offered and answered."""
    proposal = [expect(method, having=("m=audio 4002",)), reply(200, "OK", tag=None, body=CHANGED)]
    run = sipp.start(scenario(*CALLING, *proposal, *([expect("ACK")] if method == "INVITE" else []), *OVER))
    invitation = call(stack, run.port)
    send = invitation.send_reinvite if method == "INVITE" else invitation.send_update
    stack.run(send, sdp=stack.sdp("audio 4002 RTP/AVP 8"))
    settled(stack, invitation, 200)
    assert port_of(stack, invitation) == 6002
    end(stack, invitation)
    run.finish()


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_sipp_proposes(sipp: Sipp, stack: Stack, method: str) -> None:
    """RFC 3261 14.2, RFC 3311 5.2"""
    take(stack)
    agree(stack)
    proposal = [request(method, 2, body=CHANGED, retrans=500), expect(200, having=(OURS,))]
    proposal += [request("ACK", 2)] if method == "INVITE" else []
    sipp.start(scenario(*CALLED, *proposal, *BYE), stack.port).finish()
    (invitation,) = stack.incoming
    stack.wait(invitation, "disconnected")
    updates = stack.recorder.find_all("SIPInvitationGotSDPUpdate", invitation)
    assert [update.data.remote_sdp.media[0].port for update in updates] == [6000, 6002]
    stack.assert_nothing_left()


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
def test_we_refuse_what_sipp_proposes(sipp: Sipp, stack: Stack, method: str) -> None:
    """RFC 3261 14.2, RFC 3311 5.2: 488 leaves the session as it is."""
    take(stack)
    stack.on_proposal = lambda invitation: invitation.send_response(488)
    refused = [request(method, 2, body=CHANGED, retrans=500, branch="z9hG4bKno[call_number]"), expect(488)]
    refused += [request("ACK", 2, branch="z9hG4bKno[call_number]")] if method == "INVITE" else []
    sipp.start(scenario(*CALLED, *refused, *BYE), stack.port).finish()
    stack.wait(stack.incoming[0], "disconnected")
    assert port_of(stack, stack.incoming[0]) == 6000


def test_sipp_asks_for_an_offer_within_the_call(sipp: Sipp, stack: Stack) -> None:
    """RFC 3261 14.2: a re-INVITE without offer gets ours, and its ACK has the answer."""
    take(stack)
    agree(stack)
    proposal = [request("INVITE", 2, retrans=500), expect(200, having=(OURS,)), request("ACK", 2, body=CHANGED)]
    sipp.start(scenario(*CALLED, *proposal, pause(50), *BYE), stack.port).finish()
    stack.wait(stack.incoming[0], "disconnected")
    assert port_of(stack, stack.incoming[0]) == 6002


def test_we_ask_sipp_for_an_offer_within_the_call(sipp: Sipp, stack: Stack) -> None:
    """RFC 3261 14.1: the same, the other way round."""
    asked = [expect("INVITE"), reply(200, "OK", tag=None, body=CHANGED), expect("ACK", having=(OURS,))]
    run = sipp.start(scenario(*CALLING, *asked, *OVER))
    invitation = call(stack, run.port)
    stack.run(invitation.send_reinvite, late_offer=True)
    stack.recorder.wait_for("SIPInvitationChangedState", invitation, TIMEOUT, sub_state="sent_proposal", code=200)
    stack.run(invitation.send_answer, stack.sdp())
    settled(stack, invitation, 200)
    assert port_of(stack, invitation) == 6002
    end(stack, invitation)
    run.finish()


# Glare (RFC 3261 14.1, 14.2)


def test_reinvites_that_cross(sipp: Sipp, stack: Stack) -> None:
    """Both are refused with 491, and ours is made again after the caller's delay, more than 2.1 seconds."""
    branch = "z9hG4bKcrossing[call_number]"
    crossing = [
        expect("INVITE", save=True),
        back("INVITE", 1, tag=None, body=CHANGED, branch=branch),
        expect(491),
        back("ACK", 1, tag=None, branch=branch),
        reply(491, "Request Pending", to_saved=True, tag=None),
        expect("ACK"),
    ]
    again = [expect("INVITE"), reply(200, "OK", tag=None, body=CHANGED), expect("ACK")]
    run = sipp.start(scenario(*CALLING, *crossing, *again, *OVER))
    invitation = call(stack, run.port)
    stack.run(invitation.send_reinvite)
    settled(stack, invitation, 491)
    delay = stack.run(invitation.glare_delay)
    assert 2.1 <= delay <= 4.0
    stack.run(invitation.send_reinvite)
    settled(stack, invitation, 200)
    assert port_of(stack, invitation) == 6002
    end(stack, invitation)
    run.finish()


def test_a_second_reinvite_before_the_first_is_answered(sipp: Sipp, stack: Stack) -> None:
    """RFC 3261 14.2: 500 with Retry-After; the first is not disturbed."""
    take(stack)
    waiting: list[Any] = []
    stack.on_proposal = waiting.append
    first, second = "z9hG4bKfirst[call_number]", "z9hG4bKsecond[call_number]"
    proposals = [
        request("INVITE", 2, body=CHANGED, branch=first),
        expect(100),
        request("INVITE", 3, body=SDP, branch=second),
        expect(100, optional=True),
        expect(500, having=("Retry-After: ",)),
        request("ACK", 3, branch=second),
    ]
    rest = [expect(200), request("ACK", 2)]
    run = sipp.start(scenario(*CALLED, *proposals, *rest, *BYE), stack.port)
    stack.recorder.wait_until(lambda: stack.sent("500 INVITE"), TIMEOUT, "no 500")
    stack.run(waiting[0].send_response, 200, sdp=stack.sdp())
    run.finish()


# What nobody acknowledges, and what comes too late


def test_a_200_that_is_never_acknowledged(sipp: Sipp, stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 3261 13.3.1.4: it is repeated, and after 64*T1 (less here) the session is ended with BYE."""
    from sipsimple.core.protocol import incoming_invite

    monkeypatch.setattr(incoming_invite, "ACK_TIMEOUT", 3.0)
    take(stack)
    sipp.start(scenario(invite(), expect(100, optional=True), expect(200), *OVER), stack.port).finish()
    data = stack.wait(stack.incoming[0], "disconnected")
    assert (data.code, data.disconnect_reason) == (408, "missing ACK")
    # after 0.5 and 1.5 seconds
    assert stack.sent("200 INVITE") == 3
    stack.assert_nothing_left()


def test_a_cancel_of_what_was_accepted(sipp: Sipp, stack: Stack) -> None:
    """RFC 3261 9.2: it has no effect on a call that has its final response."""
    take(stack)
    branch = "z9hG4bKlate[call_number]"
    steps = [request("INVITE", 1, to_tag=False, body=SDP, branch=branch, retrans=500), expect(100, optional=True)]
    steps += [expect(200), request("CANCEL", 1, to_tag=False, branch=branch), expect(200), request("ACK", 1), *BYE]
    sipp.start(scenario(*steps), stack.port).finish()
    stack.wait(stack.incoming[0], "disconnected")
    assert "connected" in stack.states(stack.incoming[0])


# Session timers (RFC 4028)


def restart(stack: Stack, session_expires: int = 4, min_se: int = 2) -> None:
    """An engine with shorter session intervals than RFC 4028 lets anybody ask for: nobody waits for 90 seconds here."""
    from sipsimple.core.protocol.invite_options import InviteOptions

    stack.stop()
    stack.start(invite_options=InviteOptions(session_expires=session_expires, min_se=min_se))


def test_an_interval_that_is_too_small_for_sipp(sipp: Sipp, stack: Stack) -> None:
    """RFC 4028 7.3: the INVITE is sent again with what the 422 asks for."""
    steps = [expect("INVITE", having=("Supported: .*timer", "Session-Expires: 1800"))]
    steps += [reply(422, "Session Interval Too Small", "Min-SE: 7200"), expect("ACK")]
    steps.append(expect("INVITE", having=("CSeq: 2 INVITE", "Session-Expires: 7200", "Min-SE: 7200")))
    answer = reply(200, "OK", "Require: timer", "Session-Expires: 7200;refresher=uac", body=SDP)
    run = sipp.start(scenario(*steps, answer, expect("ACK"), *OVER))
    invitation = call(stack, run.port)
    assert stack.run(lambda: invitation.session_interval) == 7200
    end(stack, invitation)
    run.finish()


def test_an_interval_that_is_too_small_for_us(sipp: Sipp, stack: Stack) -> None:
    """RFC 4028 9: 422 with the Min-SE that we take."""
    take(stack)
    short = request(
        "INVITE", 1, "Supported: timer", "Session-Expires: 60", to_tag=False, body=SDP, branch="z9hG4bKshort"
    )
    refused = [short, expect(100, optional=True), expect(422, having=("Min-SE: 90",))]
    sipp.start(scenario(*refused, request("ACK", 1, branch="z9hG4bKshort")), stack.port).finish()
    assert stack.incoming == []
    stack.assert_nothing_left()


def test_a_caller_without_timers_is_left_in_peace(sipp: Sipp, stack: Stack) -> None:
    """RFC 4028 9, table 2: who neither supports nor asks for a session timer hears nothing of it."""
    take(stack)
    sipp.start(scenario(*CALLED, *BYE), stack.port).finish()
    accepted = [
        trace.data.data
        for trace in stack.recorder.find_all("SIPEngineSIPTrace", received=False)
        if "CSeq: 1 INVITE" in trace.data.data
    ]
    assert accepted and not any("Session-Expires" in message for message in accepted)


@pytest.mark.parametrize("method", ["UPDATE", "INVITE"])
def test_we_refresh(sipp: Sipp, stack: Stack, method: str) -> None:
    """RFC 4028 7.4, 10: after half of the interval, by UPDATE where that is allowed, else by re-INVITE."""
    restart(stack)
    allow = "Allow: INVITE, ACK, BYE, UPDATE" if method == "UPDATE" else "Allow: INVITE, ACK, BYE"
    answered = ("Require: timer", "Session-Expires: 4;refresher=uac", allow)
    steps = [expect("INVITE", save=True), reply(200, "OK", *answered, body=SDP), expect("ACK")]
    body = SDP if method == "INVITE" else ""
    for _ in range(2):
        having = ("Session-Expires: .*refresher=uac", *((OURS,) if method == "INVITE" else ()))
        steps += [expect(method, having=having), reply(200, "OK", *answered, tag=None, body=body)]
        steps += [expect("ACK")] if method == "INVITE" else []
    run = sipp.start(scenario(*steps, *BACK_BYE))
    invitation = call(stack, run.port)
    run.finish()
    assert stack.wait(invitation, "disconnected").originator == "remote"
    # the user hears nothing of it
    assert not stack.recorder.find_all("SIPInvitationChangedState", invitation, sub_state="sent_proposal")


def test_sipp_refreshes(sipp: Sipp, stack: Stack) -> None:
    """RFC 4028 9, 10: each refresh starts the interval anew."""
    restart(stack, 6)
    take(stack)
    timer = ("Supported: timer", "Session-Expires: 6;refresher=uac")
    steps = [request("INVITE", 1, *timer, to_tag=False, body=SDP, retrans=500), expect(100, optional=True)]
    steps += [expect(200, having=("Session-Expires: 6;refresher=uac", "Require: timer")), request("ACK", 1)]
    # without them it would be over after 4 seconds
    for cseq in (2, 3, 4):
        steps += [pause(1800), request("UPDATE", cseq, *timer, retrans=500)]
        steps.append(expect(200, having=("CSeq: . UPDATE", "Session-Expires: 6;refresher=uac")))
    sipp.start(scenario(*steps, *BYE), stack.port).finish()
    data = stack.wait(stack.incoming[0], "disconnected")
    assert (data.originator, data.disconnect_reason) == ("remote", "user request")


def test_nobody_refreshes(sipp: Sipp, stack: Stack) -> None:
    """RFC 4028 10: a little before the interval is over the session is ended with BYE."""
    restart(stack)
    take(stack)
    timer = ("Supported: timer", "Session-Expires: 4;refresher=uac")
    steps = [request("INVITE", 1, *timer, to_tag=False, body=SDP, retrans=500), expect(100, optional=True)]
    over = [expect("BYE", having=("Reason: SIP.*cause=408",)), reply(200, "OK", tag=None, contact=False)]
    sipp.start(scenario(*steps, expect(200), request("ACK", 1), *over), stack.port).finish()
    data = stack.wait(stack.incoming[0], "disconnected")
    assert (data.originator, data.disconnect_reason) == ("local", "session expired")
    stack.assert_nothing_left()


# Replaces (RFC 3891)


def replaces(stack: Stack, invitation: Any, *parameters: str) -> str:
    dialog_id = stack.run(lambda: invitation.dialog_id)
    tags = f"to-tag={dialog_id.local_tag};from-tag={dialog_id.remote_tag}"
    return ";".join([f"Replaces: {dialog_id.call_id}", tags, *parameters])


def test_a_call_that_takes_the_place_of_another(sipp: Sipp, stack: Stack) -> None:
    """RFC 3891 3: accepted, and the call that it replaces is ended with BYE."""
    take(stack)
    first = sipp.start(scenario(*CALLED, *OVER), stack.port)
    stack.recorder.wait_for("SIPInvitationChangedState", timeout=TIMEOUT, state="connected")
    (replaced,) = stack.incoming
    second = [invite(replaces(stack, replaced), "Require: replaces"), *CALLED[1:]]
    run = sipp.start(scenario(*second, *BYE), stack.port)
    first.finish()
    run.finish()
    data = stack.wait(replaced, "disconnected")
    assert data.disconnect_reason == "replaced"
    stack.wait(stack.incoming[1], "disconnected")
    stack.assert_nothing_left()


def test_a_call_that_can_not_be_replaced(sipp: Sipp, stack: Stack) -> None:
    """RFC 3891 3: 486 for a call that is no longer early, where only such a one was meant; 481 for none at all."""
    take(stack)
    first = sipp.start(scenario(*CALLED, *OVER), stack.port)
    stack.recorder.wait_for("SIPInvitationChangedState", timeout=TIMEOUT, state="connected")
    (invitation,) = stack.incoming
    for header, code in (
        (replaces(stack, invitation, "early-only"), 486),
        ("Replaces: nothing;to-tag=1;from-tag=2", 481),
        (f"{replaces(stack, invitation)}\nReplaces: nothing;to-tag=1;from-tag=2", 400),
    ):
        branch = f"z9hG4bKno{code}"
        refused = request("INVITE", 1, header, to_tag=False, body=SDP, branch=branch)
        steps = [refused, expect(100, optional=True), expect(code), request("ACK", 1, branch=branch)]
        sipp.start(scenario(*steps), stack.port).finish()
    assert stack.run(lambda: invitation.state) == "connected" and len(stack.incoming) == 1
    end(stack, invitation)
    first.finish()


# INFO (RFC 6086)


def test_info_both_ways(sipp: Sipp, stack: Stack) -> None:
    """RFC 6086 4.2: what the application wants to say, and what a phone sends as DTMF."""
    take(stack)
    tones = request(
        "INFO", 2, "Content-Type: application/dtmf-relay", body="Signal=5\nDuration=160\n", retrans=500
    ).replace("Content-Type: application/sdp\n", "")
    theirs = [
        tones,
        expect(200),
        expect("INFO", having=("Content-Type: text/plain", "hello")),
        reply(200, "OK", tag=None),
    ]
    run = sipp.start(scenario(*CALLED, *theirs, *BYE), stack.port)
    info = stack.recorder.wait_for("SIPInvitationGotInfo", timeout=TIMEOUT)
    assert (info.data.content_type, info.data.body.split()) == (
        "application/dtmf-relay",
        [b"Signal=5", b"Duration=160"],
    )
    stack.run(info.sender.send_info, "text/plain", b"hello")
    stack.recorder.wait_for("SIPInvitationDidSendInfo", info.sender, TIMEOUT)
    run.finish()
