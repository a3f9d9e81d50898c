"""REFER and its NOTIFYs with sipp on the other side: outside calls, and inside one (RFC 3515, RFC 5589)."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Sipp, Stack
from .scenarios import SDP, SIPFRAG, back, expect, reply, request, scenario

TIMEOUT = 20
TARGET = "sip:carol@192.0.2.7"

ACTIVE = "Subscription-State: active;expires=60"
OVER = "Subscription-State: terminated;reason=noresource"


def refer_to(stack: Stack, port: int, subscribe: bool = True) -> Any:
    """Refers whoever is at that port to carol."""
    from sipsimple.core import SIPURI, ContactHeader, FromHeader, Referral, ReferToHeader, RouteHeader, ToHeader

    ours, theirs = SIPURI("127.0.0.1", "alice", port=stack.port), SIPURI("127.0.0.1", "bob", port=port)
    route = RouteHeader(SIPURI("127.0.0.1", port=port))
    headers = FromHeader(ours), ToHeader(theirs), ReferToHeader(SIPURI.parse(TARGET)), ContactHeader(ours), route
    referral = stack.run(Referral, theirs, *headers)
    stack.run(referral.send_refer, subscribe)
    return referral


def progress(cseq: int, status: str, state: str = ACTIVE, event: str = "refer") -> str:
    """sipp tells us how far it is; we say that we have heard it."""
    notify = back(
        "NOTIFY", cseq, f"Event: {event}", state, body=f"SIP/2.0 {status}\n", content_type=SIPFRAG, retrans=500
    )
    return notify + "\n" + expect(200)


def told(status: str, state: str) -> str:
    """We tell sipp, which checks what."""
    answer = reply(200, "OK", tag=None)
    return expect("NOTIFY", having=(f"SIP/2.0 {status}", f"Subscription-State: {state}")) + "\n" + answer


ACCEPTED = reply(202, "Accepted", to_saved=True)


def test_we_refer_sipp(sipp: Sipp, stack: Stack) -> None:
    """RFC 3515 2.4: accepted, told of what becomes of it, and of its end."""
    steps = [expect("REFER", save=True, having=(f"Refer-To: <?{TARGET}", "Referred-By: ")), ACCEPTED]
    steps += [progress(1, "100 Trying"), progress(2, "180 Ringing"), progress(3, "200 OK", OVER)]
    run = sipp.start(scenario(*steps))
    referral = refer_to(stack, run.port)
    data = stack.recorder.wait_for("SIPReferralDidEnd", referral, TIMEOUT).data
    run.finish()
    assert (data.code, data.originator) == (200, "remote")
    notifies = stack.recorder.find_all("SIPReferralGotNotify", referral)
    assert [(notify.data.code, notify.data.state) for notify in notifies] == [
        (100, "active"),
        (180, "active"),
        (200, "terminated"),
    ]
    stack.assert_nothing_left()


def test_the_notify_is_faster_than_the_202(sipp: Sipp, stack: Stack) -> None:
    """RFC 6665 4.4.1: it is the NOTIFY that makes the dialog."""
    steps = [expect("REFER", save=True), progress(1, "100 Trying"), ACCEPTED, progress(2, "200 OK", OVER)]
    run = sipp.start(scenario(*steps))
    referral = refer_to(stack, run.port)
    assert stack.recorder.wait_for("SIPReferralDidEnd", referral, TIMEOUT).data.code == 200
    run.finish()
    stack.assert_nothing_left()


def test_sipp_does_not_want_to(sipp: Sipp, stack: Stack) -> None:
    """RFC 3515 2.4.2: a refusal is final."""
    run = sipp.start(scenario(expect("REFER"), reply(603, "Decline")))
    referral = refer_to(stack, run.port)
    assert stack.recorder.wait_for("SIPReferralDidFail", referral, TIMEOUT).data.code == 603
    run.finish()
    stack.assert_nothing_left()


def test_we_do_not_want_to_hear_of_it(sipp: Sipp, stack: Stack) -> None:
    """RFC 4488 4: Refer-Sub: false is agreed to, and no NOTIFY follows."""
    accepted = reply(200, "OK", "Refer-Sub: false")
    run = sipp.start(scenario(expect("REFER", having=("Refer-Sub: false",)), accepted))
    referral = refer_to(stack, run.port, subscribe=False)
    stack.recorder.wait_for("SIPReferralDidEnd", referral, TIMEOUT)
    run.finish()
    stack.assert_nothing_left()


def test_sipp_refers_us(sipp: Sipp, stack: Stack) -> None:
    """RFC 3515 2.4.4, 2.4.5: a NOTIFY with 100 at once, one for each step, and the last ends the subscription."""
    stack.run(stack.engine.add_event, "refer")
    refer = request("REFER", 1, f"Refer-To: <{TARGET}>", to_tag=False, retrans=500)
    steps = [refer, expect(202), told("100 Trying", "active"), told("180 Ringing", "active")]
    steps.append(told("200 OK", "terminated;reason=noresource"))
    run = sipp.start(scenario(*steps), stack.port)
    notification = stack.recorder.wait_for("SIPIncomingReferralGotRefer", timeout=TIMEOUT)
    referral = notification.sender
    assert str(notification.data.refer_to.uri) == TARGET
    stack.run(referral.accept)
    stack.run(referral.send_notify, 180)
    stack.run(referral.end, 200)
    run.finish()
    stack.recorder.wait_for("SIPIncomingReferralDidEnd", referral, TIMEOUT)
    stack.assert_nothing_left()


@pytest.mark.parametrize("code", [200, 486])
def test_we_transfer_sipp(sipp: Sipp, stack: Stack, code: int) -> None:
    """RFC 5589 6.1: REFER inside the call, whose outcome the transferee tells; the call is ours to end."""
    call = [expect("INVITE", save=True), reply(200, "OK", body=SDP), expect("ACK")]
    transfer = [expect("REFER", having=(f"Refer-To: <?{TARGET}",)), reply(202, "Accepted", tag=None)]
    told_us = [progress(1, "100 Trying"), progress(2, f"{code} Whatever", OVER)]
    run = sipp.start(scenario(*call, *transfer, *told_us, expect("BYE"), reply(200, "OK", tag=None)))
    invitation = stack.call(run.port)
    stack.wait(invitation, "connected")
    from sipsimple.core import SIPURI

    stack.run(invitation.transfer, SIPURI.parse(TARGET))
    if code == 200:
        stack.recorder.wait_for("SIPInvitationTransferDidEnd", invitation, TIMEOUT)
    else:
        data = stack.recorder.wait_for("SIPInvitationTransferDidFail", invitation, TIMEOUT).data
        assert (data.code, data.reason) == (486, "Whatever")
    stack.run(invitation.end)
    run.finish()
    stack.wait(invitation, "disconnected")
    stack.assert_nothing_left()


def test_sipp_transfers_us(sipp: Sipp, stack: Stack) -> None:
    """RFC 5589 6.1: we follow the REFER, say how far we are, and the transferor ends the call."""
    from sipsimple.notification import NotificationCenter

    class Following:
        def handle_notification(self, notification: Any) -> None:
            notification.sender.notify_transfer_progress(180)
            notification.sender.notify_transfer_progress(200)

    stack.answer = lambda invitation: invitation.send_response(200, sdp=stack.sdp())
    following = Following()
    NotificationCenter().add_observer(following, name="SIPInvitationTransferNewIncoming")
    invite = request("INVITE", 1, to_tag=False, body=SDP, retrans=500)
    call = [invite, expect(100, optional=True), expect(200), request("ACK", 1)]
    transfer = [request("REFER", 2, f"Refer-To: <{TARGET}>", retrans=500), expect(202)]
    told_sipp = [told("100 Trying", "active"), told("180 Ringing", "active"), told("200 OK", "terminated")]
    run = sipp.start(scenario(*call, *transfer, *told_sipp, request("BYE", 3, retrans=500), expect(200)), stack.port)
    run.finish()
    (invitation,) = stack.incoming
    stack.wait(invitation, "disconnected")
    stack.recorder.wait_for("SIPInvitationTransferDidEnd", invitation, TIMEOUT)
    stack.assert_nothing_left()
