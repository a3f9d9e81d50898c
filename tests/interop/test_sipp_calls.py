"""Calls with sipp on the other side: the ordinary ones, and those where something goes astray."""

from __future__ import annotations

import pytest

from .conftest import Sipp, Stack
from .scenarios import SDP, expect, pause, reply, request, scenario


def take(stack: Stack, *, ring: bool = True):
    def answer(invitation) -> None:
        if ring:
            invitation.send_response(180)
        invitation.send_response(200, sdp=stack.sdp())

    stack.answer = answer


CALL = [
    request("INVITE", 1, to_tag=False, body=SDP, retrans=500),
    expect(100, optional=True),
    expect(180, optional=True),
    expect(200, rrs="true"),
]
ACK = request("ACK", 1)
BYE = request("BYE", 2, retrans=500)


def test_sipp_calls(sipp: Sipp, stack: Stack) -> None:
    """RFC 3261 13, 15: INVITE, 180, 200, ACK, BYE."""
    take(stack)
    sipp.start(scenario(*CALL, ACK, pause(50), BYE, expect(200)), stack.port).finish()
    (invitation,) = stack.incoming
    stack.wait(invitation, "disconnected")
    assert stack.states(invitation) == ["incoming", "early", "connecting", "connected", "disconnected"]
    stack.assert_nothing_left()


def test_many_calls_at_once(sipp: Sipp, stack: Stack) -> None:
    take(stack)
    sipp.start(scenario(*CALL, ACK, pause(100), BYE, expect(200)), stack.port, calls=200).finish()
    for invitation in stack.incoming:
        stack.wait(invitation, "disconnected")
    assert len(stack.incoming) == 200
    stack.assert_nothing_left()


def test_we_call_sipp(sipp: Sipp, stack: Stack) -> None:
    """RFC 3261 13.2: our call is answered, we end it."""
    run = sipp.start(scenario(expect("INVITE"), reply(180, "Ringing"), reply(200, "OK", body=SDP), expect("ACK"),
                              expect("BYE"), reply(200, "OK", tag=None)))  # fmt: skip
    invitation = stack.call(run.port)
    stack.wait(invitation, "connected")
    stack.run(invitation.end)
    run.finish()
    assert stack.wait(invitation, "disconnected").code == 200


def test_a_call_with_record_route(sipp: Sipp, stack: Stack) -> None:
    """RFC 3261 12.1.1, 12.2.1.1: our requests follow the route that the INVITE recorded."""
    take(stack)
    routed = request(
        "INVITE", 1, "Record-Route: <sip:[local_ip]:[local_port];lr;proxy=1>", to_tag=False, body=SDP, retrans=500
    )
    run = sipp.start(
        scenario(routed, *CALL[1:3], expect(200, rrs="true"), request("ACK", 1, routes=True), expect("BYE", rrs="true"),
                 reply(200, "OK", tag=None)),
        stack.port,
    )  # fmt: skip
    stack.recorder.wait_for("SIPInvitationChangedState", timeout=20, state="connected")
    (invitation,) = stack.incoming
    stack.run(invitation.end)
    run.finish()
    sent = stack.recorder.find_all("SIPEngineSIPTrace", received=False)
    assert any("BYE" in trace.data.data and "proxy=1" in trace.data.data for trace in sent)


def test_the_200_is_repeated_until_the_ack(sipp: Sipp, stack: Stack) -> None:
    """RFC 3261 13.3.1.4: sipp keeps its ACK back for a while, and we repeat our 200 after 0.5 and 1 seconds."""
    take(stack, ring=False)
    sipp.start(scenario(*CALL, pause(1800), ACK, pause(50), BYE, expect(200)), stack.port).finish()
    stack.wait(stack.incoming[0], "disconnected")
    assert "connected" in stack.states(stack.incoming[0])
    assert stack.sent("200 INVITE") == 3


@pytest.mark.parametrize("code", [404, 486, 603])
def test_a_refusal(sipp: Sipp, stack: Stack, code: int) -> None:
    """RFC 3261 17.1.1.3: a refusal is acknowledged, the call is over."""
    run = sipp.start(scenario(expect("INVITE"), reply(code, "No"), expect("ACK")))
    invitation = stack.call(run.port)
    data = stack.wait(invitation, "disconnected")
    run.finish()
    assert (data.code, data.originator) == (code, "remote")


def test_a_cancel(sipp: Sipp, stack: Stack) -> None:
    """RFC 3261 9.1: CANCEL after a provisional response, 487, ACK."""
    run = sipp.start(
        scenario(expect("INVITE", save=True), reply(180, "Ringing"), expect("CANCEL"), reply(200, "OK"),
                 reply(487, "Request Terminated", to_saved=True), expect("ACK"))
    )  # fmt: skip
    invitation = stack.call(run.port)
    stack.wait(invitation, "early")
    stack.run(invitation.end)
    run.finish()
    assert stack.wait(invitation, "disconnected").code == 487


def test_a_cancel_that_crosses_the_200(sipp: Sipp, stack: Stack) -> None:
    """RFC 3261 9.1, 15: the 200 won, so the call is acknowledged and ended with BYE."""
    accepted = reply(200, "OK", body=SDP, to_saved=True)
    run = sipp.start(
        scenario(expect("INVITE", save=True), reply(180, "Ringing"), expect("CANCEL"), reply(200, "OK"), accepted,
                 expect("ACK"), expect("BYE"), reply(200, "OK", tag=None))
    )  # fmt: skip
    invitation = stack.call(run.port)
    stack.wait(invitation, "early")
    stack.run(invitation.end)
    run.finish()
    stack.wait(invitation, "disconnected")


def test_sipp_cancels(sipp: Sipp, stack: Stack) -> None:
    """RFC 3261 9.2: our INVITE transaction gets 487."""
    stack.answer = lambda invitation: invitation.send_response(180)
    invite = request("INVITE", 1, to_tag=False, body=SDP, branch="z9hG4bKcancelled[call_number]", retrans=500)
    run = sipp.start(
        scenario(invite, expect(100, optional=True), expect(180),
                 request("CANCEL", 1, to_tag=False, branch="z9hG4bKcancelled[call_number]"), expect(200), expect(487),
                 request("ACK", 1, branch="z9hG4bKcancelled[call_number]")),
        stack.port,
    )  # fmt: skip
    run.finish()
    data = stack.wait(stack.incoming[0], "disconnected")
    assert (data.code, data.originator) == (487, "remote")


def test_a_forked_200(sipp: Sipp, stack: Stack) -> None:
    """RFC 3261 13.2.2.4: the 200 of a second branch is acknowledged and ended, the first call goes on."""
    first, second = (reply(200, "OK", tag=tag, body=SDP, to_saved=True) for tag in ("one", "two"))
    ended = [expect("BYE"), reply(200, "OK", tag=None)]
    run = sipp.start(scenario(expect("INVITE", save=True), first, expect("ACK"), second, expect("ACK"), *ended, *ended))
    invitation = stack.call(run.port)
    stack.wait(invitation, "connected")
    assert invitation.to_header.tag.startswith("one")
    stack.recorder.wait_until(lambda: stack.sent("BYE") == 1, 20, "no BYE to the second branch")
    stack.run(invitation.end)
    run.finish()


def test_options(sipp: Sipp, stack: Stack) -> None:
    """RFC 3261 11.2"""
    sipp.start(scenario(request("OPTIONS", 1, to_tag=False, retrans=500), expect(200)), stack.port, calls=20).finish()
