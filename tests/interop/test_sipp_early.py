"""What happens before a call is accepted, with sipp on the other side: PRACK, late offers, forks, early UPDATEs."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Sipp, Stack
from .scenarios import SDP, back, expect, pause, reply, request, scenario

OURS = "m=audio 4000 RTP/AVP 8"
THEIRS = "audio 6000"


def reliable(code: int, rseq: int, body: str = "", tag: str = "peer") -> str:
    return reply(code, "Progress", "Require: 100rel", f"RSeq: {rseq}", body=body, tag=tag, to_saved=True)


def pracked(rseq: int, *having: str) -> str:
    acknowledged = expect("PRACK", having=(f"RAck: {rseq} 1 INVITE", *having))
    return acknowledged + "\n" + reply(200, "OK", tag=None, contact=False)


def accepted(body: str = "", tag: str = "peer") -> str:
    return reply(200, "OK", body=body, tag=tag, to_saved=True)


OVER = [expect("BYE"), reply(200, "OK", tag=None, contact=False)]


def assert_theirs(description: Any) -> None:
    assert [f"{media.media} {media.port}" for media in description.media] == [THEIRS]


def end(stack: Stack, invitation: Any) -> None:
    stack.run(invitation.end)
    stack.wait(invitation, "disconnected")


# PRACK (RFC 3262)


def test_we_acknowledge_what_is_reliable(sipp: Sipp, stack: Stack) -> None:
    """RFC 3262 4: each reliable provisional response once, in their order; its description is the answer."""
    steps = [expect("INVITE", save=True, having=("Supported: .*100rel",)), reliable(183, 77, SDP), pracked(77)]
    # a repetition, and one too early, are not acknowledged
    steps += [reliable(183, 77, SDP), reliable(180, 79), reliable(180, 78), pracked(78)]
    steps += [accepted(), expect("ACK"), *OVER]
    run = sipp.start(scenario(*steps))
    invitation = stack.call(run.port)
    early = stack.wait_for_sdp(invitation, succeeded=True, early=True)
    assert_theirs(early.remote_sdp)
    stack.wait(invitation, "connected")
    assert_theirs(stack.run(lambda: invitation.active_remote_sdp))
    end(stack, invitation)
    run.finish()
    assert stack.sent("PRACK") == 2
    stack.assert_nothing_left()


def invite(*headers: str, body: str = SDP, **options: Any) -> str:
    return request("INVITE", 1, *headers, to_tag=False, body=body, retrans=500, **options)


def prack(cseq: int, body: str = "") -> str:
    return request("PRACK", cseq, "RAck:[$rseq] 1 INVITE", body=body, retrans=500)


RELIABLE = {"having": ("Require: .*100rel",), "keep": {"RSeq": "rseq"}}
TRYING = expect(100, optional=True)


def answer_early(stack: Stack) -> None:
    def answer(invitation: Any) -> None:
        invitation.send_response(183, sdp=stack.sdp())
        invitation.send_response(200)

    stack.answer = answer


def test_sipp_acknowledges_what_is_reliable(sipp: Sipp, stack: Stack) -> None:
    """RFC 3262 3: repeated until the PRACK is there, before which no 200 goes; the 200 has nothing to add."""
    answer_early(stack)
    steps = [invite("Supported: 100rel"), TRYING, expect(183, **RELIABLE), pause(1800), prack(2), expect(200)]
    steps += [expect(200), request("ACK", 1), request("BYE", 3, retrans=500), expect(200)]
    sipp.start(scenario(*steps), stack.port).finish()
    (invitation,) = stack.incoming
    stack.wait(invitation, "disconnected")
    # after 0.5 and 1.5 seconds
    assert stack.sent("183 INVITE") == 3
    assert_theirs(stack.wait_for_sdp(invitation, succeeded=True).remote_sdp)
    stack.assert_nothing_left()


def test_sipp_requires_what_is_reliable(sipp: Sipp, stack: Stack) -> None:
    """RFC 3262 3: a caller that requires 100rel gets no other provisional response."""

    def answer(invitation: Any) -> None:
        invitation.send_response(180)
        invitation.send_response(200, sdp=stack.sdp())

    stack.answer = answer
    # without a description the 180 does not keep the 200 back
    steps = [invite("Require: 100rel"), TRYING, expect(180, **RELIABLE), expect(200), prack(2), expect(200)]
    steps += [request("ACK", 1), request("BYE", 3, retrans=500), expect(200)]
    sipp.start(scenario(*steps), stack.port).finish()
    stack.wait(stack.incoming[0], "disconnected")
    stack.assert_nothing_left()


def test_a_prack_of_nothing(sipp: Sipp, stack: Stack) -> None:
    """RFC 3262 3: 481 to a PRACK that matches no response of ours."""
    stack.answer = lambda invitation: invitation.send_response(183, sdp=stack.sdp())
    wrong = request("PRACK", 2, "RAck: 1 99 INVITE", retrans=500)
    branch = "z9hG4bKprack[call_number]"
    steps = [invite("Supported: 100rel", branch=branch), TRYING, expect(183, **RELIABLE), wrong, expect(481), prack(3)]
    steps += [expect(200), request("CANCEL", 1, to_tag=False, branch=branch), expect(200), expect(487)]
    sipp.start(scenario(*steps, request("ACK", 1, branch=branch)), stack.port).finish()
    stack.wait(stack.incoming[0], "disconnected")


# Offers that come late (RFC 3261 13.2.1)


def test_we_ask_sipp_for_the_offer(sipp: Sipp, stack: Stack) -> None:
    """RFC 3261 13.2.2.4: the 200 has the offer, our ACK the answer."""
    steps = [expect("INVITE", save=True), accepted(SDP), expect("ACK", having=(OURS,)), *OVER]
    run = sipp.start(scenario(*steps))
    invitation = stack.call(run.port, offer=False)
    stack.wait(invitation, "connecting")
    assert_theirs(stack.run(lambda: invitation.remote_sdp_offer))
    stack.run(invitation.send_answer, stack.sdp())
    stack.wait(invitation, "connected")
    assert_theirs(stack.wait_for_sdp(invitation, succeeded=True).remote_sdp)
    end(stack, invitation)
    run.finish()
    stack.assert_nothing_left()


def test_sipp_offers_in_a_reliable_response(sipp: Sipp, stack: Stack) -> None:
    """RFC 3262 5: an offer in a reliable 183 is answered in its PRACK."""
    steps = [expect("INVITE", save=True), reliable(183, 1, SDP), pracked(1, OURS), accepted(), expect("ACK"), *OVER]
    run = sipp.start(scenario(*steps))
    invitation = stack.call(run.port, offer=False)
    stack.wait(invitation, "early")
    stack.run(invitation.send_answer, stack.sdp())
    stack.wait(invitation, "connected")
    assert_theirs(stack.wait_for_sdp(invitation, succeeded=True, early=True).remote_sdp)
    end(stack, invitation)
    run.finish()


def test_sipp_asks_us_for_the_offer(sipp: Sipp, stack: Stack) -> None:
    """RFC 3261 13.3.1: the INVITE has no offer, our 200 has one, the ACK answers it."""
    stack.answer = lambda invitation: invitation.send_response(200, sdp=stack.sdp())
    steps = [invite(body=""), TRYING, expect(200, having=(OURS,)), request("ACK", 1, body=SDP)]
    sipp.start(scenario(*steps, pause(50), request("BYE", 2, retrans=500), expect(200)), stack.port).finish()
    (invitation,) = stack.incoming
    stack.wait(invitation, "disconnected")
    assert "connected" in stack.states(invitation)
    assert_theirs(stack.wait_for_sdp(invitation, succeeded=True).remote_sdp)
    stack.assert_nothing_left()


def test_an_ack_that_owes_the_answer(sipp: Sipp, stack: Stack) -> None:
    """RFC 3261 13.2.1: without an answer there is no session, so it ends with BYE."""
    stack.answer = lambda invitation: invitation.send_response(200, sdp=stack.sdp())
    steps = [invite(body=""), TRYING, expect(200), request("ACK", 1), *OVER]
    sipp.start(scenario(*steps), stack.port).finish()
    (invitation,) = stack.incoming
    assert stack.wait(invitation, "disconnected").code == 488
    assert not stack.wait_for_sdp(invitation).succeeded


# Forks (RFC 3261 12.1.2, 13.2.2.4)


def test_early_dialogs_of_a_fork(sipp: Sipp, stack: Stack) -> None:
    """Each branch answers early and is acknowledged by itself; of two that accept one is kept, the other ended."""
    steps = [expect("INVITE", save=True)]
    for number, tag in enumerate(("one", "two"), 1):
        steps += [reliable(183, number, SDP.replace("6000", f"600{number}"), tag), pracked(number, f"To: .*tag={tag}")]
    steps += [accepted(tag="two"), expect("ACK", having=("To: .*tag=two",))]
    steps += [accepted(tag="one"), expect("ACK", having=("To: .*tag=one",))]
    steps += [expect("BYE", having=("To: .*tag=one",)), OVER[1], expect("BYE", having=("To: .*tag=two",)), OVER[1]]
    run = sipp.start(scenario(*steps))
    invitation = stack.call(run.port)
    stack.wait(invitation, "connected")
    assert stack.run(lambda: invitation.active_remote_sdp).media[0].port == 6002
    updates = stack.recorder.find_all("SIPInvitationGotSDPUpdate", invitation)
    assert [(update.data.early, update.data.remote_sdp.media[0].port) for update in updates] == [
        (True, 6001),
        (True, 6002),
        (False, 6002),
    ]
    stack.recorder.wait_until(lambda: stack.sent("BYE") == 1, 20, "no BYE to the other branch")
    end(stack, invitation)
    run.finish()
    stack.assert_nothing_left()


# UPDATE before the call is accepted (RFC 3311)


def test_we_update_early_media(sipp: Sipp, stack: Stack) -> None:
    """RFC 3311 5.1: once the first offer was answered, another may be made before the 200."""
    steps = [expect("INVITE", save=True, having=("Allow: .*UPDATE",)), reliable(183, 5, SDP), pracked(5)]
    steps += [expect("UPDATE", having=("m=audio 4002",)), reply(200, "OK", tag=None, body=SDP), accepted()]
    run = sipp.start(scenario(*steps, expect("ACK"), *OVER))
    invitation = stack.call(run.port)
    stack.wait_for_sdp(invitation, succeeded=True, early=True)
    stack.run(invitation.send_update, sdp=stack.sdp("audio 4002 RTP/AVP 8"))
    stack.wait(invitation, "connected")
    assert stack.run(lambda: invitation.active_local_sdp).media[0].port == 4002
    end(stack, invitation)
    run.finish()


def test_sipp_updates_early_media(sipp: Sipp, stack: Stack) -> None:
    """RFC 3311 5.2: the same, the other way round."""
    stack.on_proposal = lambda invitation: invitation.send_response(200, sdp=stack.sdp())
    update = back("UPDATE", 1, body=SDP.replace("6000", "6002"), retrans=500)
    steps = [expect("INVITE", save=True), reliable(183, 5, SDP), pracked(5), update, expect(200, having=(OURS,))]
    run = sipp.start(scenario(*steps, accepted(), expect("ACK"), *OVER))
    invitation = stack.call(run.port)
    stack.wait(invitation, "connected")
    assert stack.run(lambda: invitation.active_remote_sdp).media[0].port == 6002
    end(stack, invitation)
    run.finish()


# Redirection and refusal (RFC 3261 8.1.3.4)


@pytest.mark.parametrize("code", [301, 302, 305])
def test_a_redirection_names_its_targets(sipp: Sipp, stack: Stack, code: int) -> None:
    """RFC 3261 8.1.3.4: the contacts of a 3xx, best first."""
    contacts = "Contact: <sip:second@192.0.2.2>;q=0.3, <sip:first@192.0.2.1>;q=0.9, <tel:+15551234>;q=0.1"
    run = sipp.start(scenario(expect("INVITE"), reply(code, "Moved", contacts, contact=False), expect("ACK")))
    invitation = stack.call(run.port)
    data = stack.wait(invitation, "disconnected")
    run.finish()
    targets = [str(target.uri) for target in data.targets]
    assert (data.code, targets) == (code, ["sip:first@192.0.2.1", "sip:second@192.0.2.2", "tel:+15551234"])
