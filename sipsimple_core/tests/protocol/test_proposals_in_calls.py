"""Proposals within a call: re-INVITE, UPDATE (RFC 3311), INFO (RFC 6086), and how they meet."""

from __future__ import annotations

from random import Random

import pytest

from sipsimple.core.protocol.glare import glare_delay
from sipsimple.core.protocol.invite_events import InvalidStateError
from sipsimple.core.protocol.invite_info import send_info
from sipsimple.core.protocol.invite_options import InviteOptions
from sipsimple.core.protocol.invite_states import PROPOSAL_STATES, InviteState, InviteSubState, ProposalEvent
from sipsimple.core.protocol.invite_usage import InviteUsage
from sipsimple.core.protocol.received_proposal import UPDATE_TIMEOUT
from sipsimple.core.protocol.unwanted_dialog import QUIET
from sipsimple.core.wire.headers import FrozenContactHeader
from sipsimple.core.wire.message import SIPRequest, SIPResponse
from sipsimple.core.wire.parser import parse_message
from sipsimple.core.wire.uri import FrozenSIPURI
from sipsimple.testing.parties import Call, Link, Party, assert_nothing_left

OTHER = "message 2855 TCP/MSRP *", "audio 4000 RTP/AVP 0"


def establish(link: Link, alice: Party, bob: Party) -> tuple[Call, Call]:
    call = alice.call(bob)
    link.deliver()
    bob.incoming[-1].respond(200)
    link.deliver()
    return call, bob.incoming[-1]


def normal(*calls: Call) -> bool:
    return all(
        call.usage.state is InviteState.CONNECTED and call.usage.sub_state is InviteSubState.NORMAL for call in calls
    )


# The table


@pytest.mark.parametrize("sub_state", list(InviteSubState))
@pytest.mark.parametrize("event", list(ProposalEvent))
def test_every_sub_state_knows_or_refuses_every_event(
    alice: Party, sub_state: InviteSubState, event: ProposalEvent
) -> None:
    usage = InviteUsage(alice.core)
    usage.state, usage.sub_state = InviteState.CONNECTED, sub_state
    expected = PROPOSAL_STATES[sub_state].get(event)
    if expected is None:
        with pytest.raises(InvalidStateError, match=sub_state.value):
            usage.propose(event, "local", "INVITE")
        assert usage.sub_state is sub_state
    else:
        usage.propose(event, "local", "INVITE")
        assert usage.sub_state is expected


# UPDATE


def test_an_update_changes_the_media(link: Link, alice: Party, bob: Party) -> None:
    """RFC 3311 5: offer and answer in one exchange, without ACK."""
    call, answer = establish(link, alice, bob)
    offer = call.sdp(*OTHER)
    call.usage.send_update(offer, now=link.now)
    link.deliver()
    assert call.usage.sub_state is InviteSubState.SENT_PROPOSAL
    assert answer.usage.sub_state is InviteSubState.RECEIVED_PROPOSAL
    assert answer.last.method == "UPDATE" and answer.usage.negotiation.remote_offer == offer
    answer.respond(200, *OTHER)
    link.deliver()
    assert link.lines()[-2:] == ["UPDATE", "200 UPDATE"] and normal(call, answer)
    assert call.updates[-1].local_sdp == offer == answer.updates[-1].remote_sdp
    assert call.last.method == answer.last.method == "UPDATE"


def test_an_update_without_offer_is_answered_at_once(link: Link, alice: Party, bob: Party) -> None:
    """RFC 3311 5.2: it refreshes the target; nobody is told."""
    call, answer = establish(link, alice, bob)
    changes = len(answer.changes)
    moved = FrozenContactHeader(FrozenSIPURI("10.0.0.1", user="moved", port=5060))
    call.usage.send_update(None, moved, now=link.now)
    link.deliver()
    assert link.lines()[-2:] == ["UPDATE", "200 UPDATE"] and normal(call, answer)
    assert len(answer.changes) == changes
    assert answer.usage.dialog is not None and answer.usage.dialog.remote_target.user == "moved"


def test_a_refused_update_leaves_the_media(link: Link, alice: Party, bob: Party) -> None:
    call, answer = establish(link, alice, bob)
    before = call.usage.negotiation.active_local
    call.usage.send_update(call.sdp(*OTHER), now=link.now)
    link.deliver()
    answer.respond(488)
    link.deliver()
    assert normal(call, answer) and call.last.code == 488
    assert call.usage.negotiation.active_local == before
    call.usage.send_reinvite(call.sdp(*OTHER), now=link.now)
    link.deliver()
    answer.respond(200, *OTHER)
    link.deliver()
    assert normal(call, answer)


def test_an_update_that_waits_too_long_gets_504(link: Link, alice: Party, bob: Party) -> None:
    """RFC 3311 5.2: who can't answer without asking the user says 504."""
    call, answer = establish(link, alice, bob)
    call.usage.send_update(call.sdp(*OTHER), now=link.now)
    link.advance(UPDATE_TIMEOUT + 1)
    assert call.last.code == answer.last.code == 504 and normal(call, answer)


def test_an_update_takes_no_provisional_response(link: Link, alice: Party, bob: Party) -> None:
    call, answer = establish(link, alice, bob)
    call.usage.send_update(call.sdp(*OTHER), now=link.now)
    link.deliver()
    with pytest.raises(InvalidStateError, match="UPDATE"):
        answer.respond(180)


def test_an_update_before_the_call_is_accepted(link: Link, alice: Party, bob: Party) -> None:
    """RFC 3311 5.1: in the early dialog, once the first offer was answered; in both directions."""
    call = alice.call(bob)
    link.deliver()
    answer = bob.incoming[0]
    with pytest.raises(InvalidStateError):
        answer.usage.send_update(answer.sdp(*OTHER), now=link.now)
    answer.usage.respond(183, sdp=answer.sdp(), now=link.now)
    link.deliver()
    for mine, theirs in ((call, answer), (answer, call)):
        offer = mine.sdp(*OTHER)
        mine.usage.send_update(offer, now=link.now)
        link.deliver()
        assert theirs.usage.sub_state is InviteSubState.RECEIVED_PROPOSAL
        theirs.respond(200, *OTHER)
        link.deliver()
        assert mine.usage.sub_state is theirs.usage.sub_state is None
        assert mine.updates[-1].local_sdp == offer == theirs.updates[-1].remote_sdp
        assert mine.updates[-1].early and theirs.updates[-1].early
    answer.usage.respond(200, now=link.now)
    link.deliver()
    assert normal(call, answer)
    assert call.updates[-1].local_sdp == call.sdp(*OTHER)
    call.end()
    assert_nothing_left(link, alice, bob)


def test_a_2xx_waits_for_the_answer_to_an_early_update(link: Link, alice: Party, bob: Party) -> None:
    call = alice.call(bob)
    link.deliver()
    answer = bob.incoming[0]
    answer.usage.respond(183, sdp=answer.sdp(), now=link.now)
    link.deliver()
    answer.usage.send_update(answer.sdp(*OTHER), now=link.now)
    answer.usage.respond(200, now=link.now)
    link.deliver()
    assert "200 INVITE" not in link.lines()
    call.respond(200, *OTHER)
    link.deliver()
    assert normal(call, answer)


def test_updates_that_cross_get_491(link: Link, alice: Party, bob: Party) -> None:
    """RFC 3311 5.2."""
    call, answer = establish(link, alice, bob)
    call.usage.send_update(call.sdp(*OTHER), now=link.now)
    answer.usage.send_update(answer.sdp(*OTHER), now=link.now)
    link.deliver()
    assert link.lines().count("491 UPDATE") == 2 and normal(call, answer)
    assert call.last.code == answer.last.code == 491


@pytest.mark.parametrize("first", ["INVITE", "UPDATE"])
def test_a_second_proposal_while_one_waits_gets_500(link: Link, alice: Party, bob: Party, first: str) -> None:
    """RFC 3261 14.2, RFC 3311 5.2: with Retry-After from 0 to 10."""
    call, answer = establish(link, alice, bob)
    if first == "INVITE":
        call.usage.send_reinvite(call.sdp(*OTHER), now=link.now)
    else:
        call.usage.send_update(call.sdp(*OTHER), now=link.now)
    link.deliver()
    dialog = call.usage.dialog
    assert dialog is not None
    got: list[SIPResponse] = []

    class Probe:
        def response_received(self, transaction: object, response: SIPResponse, now: float) -> None:
            got.append(response)

        def transaction_terminated(self, *args: object) -> None: ...

        transaction_timed_out = transport_failed = transaction_terminated

    for method in ("INVITE", "UPDATE"):
        request = dialog.create_request(method, [("Content-Type", "application/sdp")], call.sdp().encode())
        alice.core.send_request(request, dialog.next_hop(), Probe(), link.now)
        link.deliver()
    assert [response.code for response in got if response.code >= 200] == [500, 500]
    assert all(0 <= int(response.headers.get("Retry-After") or -1) <= 10 for response in got if response.code >= 200)
    answer.respond(200, *OTHER)
    link.deliver()
    assert normal(call, answer)


@pytest.mark.parametrize("code", [408, 481])
def test_a_proposal_to_a_party_that_knows_of_no_call_ends_it(link: Link, alice: Party, bob: Party, code: int) -> None:
    """RFC 3261 12.2.1.2."""
    call, answer = establish(link, alice, bob)
    call.usage.send_update(call.sdp(*OTHER), now=link.now)
    link.deliver()
    answer.respond(code)
    link.deliver()
    assert call.usage.state is InviteState.DISCONNECTED
    assert link.lines("alice")[-1] == "BYE"


@pytest.mark.parametrize("method", ["UPDATE", "PRACK", "INFO", "BYE"])
def test_requests_of_no_dialog(link: Link, alice: Party, bob: Party, method: str) -> None:
    """RFC 3261 12.2.2: with a tag that nobody knows, and without one: 481."""
    got: list[int] = []

    class Probe:
        def response_received(self, transaction: object, response: SIPResponse, now: float) -> None:
            got.append(response.code)

        def transaction_terminated(self, *args: object) -> None: ...

        transaction_timed_out = transport_failed = transaction_terminated

    for to in (f"<{bob.uri}>", f"<{bob.uri}>;tag=none"):
        headers = [
            ("Max-Forwards", "70"), ("From", "<sip:alice@10.0.0.1>;tag=1"), ("To", to), ("Call-ID", f"x{len(to)}"),
            ("CSeq", f"1 {method}"),
        ]  # fmt: skip
        alice.core.send_request(SIPRequest(method, bob.uri, headers), bob.hop, Probe(), link.now)
        link.deliver()
    assert got == [481, 481]


# re-INVITE


def test_a_reinvite_is_over_with_its_ack(link: Link, alice: Party, bob: Party) -> None:
    """RFC 3261 14.1: the callee of a re-INVITE may not propose before the ACK; the state says so."""
    call, answer = establish(link, alice, bob)
    call.usage.send_reinvite(call.sdp(*OTHER), now=link.now)
    link.deliver()
    answer.respond(200, *OTHER)
    assert answer.usage.sub_state is InviteSubState.RECEIVED_PROPOSAL
    with pytest.raises(InvalidStateError):
        answer.usage.send_reinvite(answer.sdp(*OTHER), now=link.now)
    link.deliver()
    assert normal(call, answer)
    assert (answer.last.originator, answer.last.method, answer.last.code) == ("remote", "INVITE", 200)
    answer.usage.send_reinvite(answer.sdp(*OTHER), now=link.now)


def test_a_reinvite_without_ack_ends_the_call(link: Link, alice: Party, bob: Party) -> None:
    """RFC 3261 13.3.1.4, 14.2."""
    call, answer = establish(link, alice, bob)
    link.drop = lambda message: isinstance(message, SIPRequest) and message.method == "ACK"
    call.usage.send_reinvite(call.sdp(*OTHER), now=link.now)
    link.deliver()
    answer.respond(200, *OTHER)
    link.advance(33)
    assert answer.last.disconnect_reason == "missing ACK" and call.last.originator == "remote"
    assert_nothing_left(link, alice, bob)


def test_a_reinvite_that_asks_for_an_offer(link: Link, alice: Party, bob: Party) -> None:
    """RFC 3261 14.1, 14.2: offer in the 2xx, answer in the ACK."""
    call, answer = establish(link, alice, bob)
    call.usage.send_reinvite(None, now=link.now)
    link.deliver()
    assert answer.usage.negotiation.remote_offer is None
    answer.respond(200, *OTHER)
    link.deliver()
    assert call.usage.negotiation.remote_offer == answer.sdp(*OTHER)
    call.usage.answer(call.sdp(*OTHER), now=link.now)
    link.deliver()
    assert normal(call, answer) and link.lines()[-1] == "ACK"
    assert call.updates[-1].remote_sdp == answer.updates[-1].local_sdp == answer.sdp(*OTHER)


def test_an_offer_that_was_asked_for_and_that_nobody_answers(link: Link, alice: Party, bob: Party) -> None:
    """The call goes on with media that are refused."""
    call, answer = establish(link, alice, bob)
    call.usage.send_reinvite(None, now=link.now)
    link.deliver()
    answer.respond(200)
    link.advance(21)
    assert normal(call, answer)
    assert call.updates[-1].local_sdp is not None and call.updates[-1].local_sdp.media[0].port == 0


def test_a_cancelled_reinvite_leaves_the_call(link: Link, alice: Party, bob: Party) -> None:
    call, answer = establish(link, alice, bob)
    with pytest.raises(InvalidStateError):
        call.usage.cancel_reinvite(now=link.now)
    call.usage.send_reinvite(call.sdp(*OTHER), now=link.now)
    link.deliver()
    call.usage.cancel_reinvite(now=link.now)
    link.advance(1)
    assert normal(call, answer) and call.last.code == answer.last.code == 487


def test_a_bye_while_a_reinvite_waits(link: Link, alice: Party, bob: Party) -> None:
    """RFC 3261 15.1.2: what waits for an answer gets 487."""
    call, _ = establish(link, alice, bob)
    call.usage.send_reinvite(call.sdp(*OTHER), now=link.now)
    link.deliver()
    call.end()
    link.deliver()
    assert "487 INVITE" in link.lines("bob")
    assert_nothing_left(link, alice, bob)


@pytest.mark.parametrize("who", ["mine", "theirs"])
def test_the_call_ends_while_an_update_waits(link: Link, alice: Party, bob: Party, who: str) -> None:
    call, answer = establish(link, alice, bob)
    call.usage.send_update(call.sdp(*OTHER), now=link.now)
    link.deliver()
    (call if who == "mine" else answer).end()
    link.deliver()
    assert call.usage.state is answer.usage.state is InviteState.DISCONNECTED
    assert_nothing_left(link, alice, bob)


def test_a_proposal_that_its_user_ends_at_once(link: Link, alice: Party, bob: Party) -> None:
    """Whoever is told of a proposal may end the call: nothing is sent then but the BYE."""
    call, _ = establish(link, alice, bob)
    call.on_change = lambda change: call.end() if change.sub_state is InviteSubState.SENT_PROPOSAL else None
    call.usage.send_reinvite(call.sdp(*OTHER), now=link.now)
    link.deliver()
    assert link.lines("alice")[-1] == "BYE" and link.lines("alice").count("INVITE") == 1
    assert_nothing_left(link, alice, bob)


def test_the_delay_after_491() -> None:
    """RFC 3261 14.1: the ranges of the two parties don't meet; steps of 10 ms."""
    random = Random(1)
    caller = [glare_delay(True, random) for _ in range(500)]
    callee = [glare_delay(False, random) for _ in range(500)]
    assert 2.1 <= min(caller) <= max(caller) <= 4.0
    assert 0 <= min(callee) <= max(callee) <= 2.0
    assert all(abs(delay * 100 - round(delay * 100)) < 1e-6 for delay in caller + callee)


# INFO


def test_info(link: Link, alice: Party, bob: Party) -> None:
    """RFC 6086: told and answered; it changes nothing."""
    call, answer = establish(link, alice, bob)
    changes = len(answer.changes)
    send_info(call.usage, "application/dtmf-relay", b"Signal=5", None, [], QUIET, link.now)
    link.deliver()
    assert link.lines()[-2:] == ["INFO", "200 INFO"] and len(answer.changes) == changes
    (info,) = answer.infos
    assert (info.content_type, info.body, info.package) == ("application/dtmf-relay", b"Signal=5", None)


def test_info_of_a_package(link: Link, alice: Party, bob: Party) -> None:
    """RFC 6086 4.2.2: one that was not offered gets 469 with Recv-Info."""
    bob.core.info_packages = ["known"]
    call, answer = establish(link, alice, bob)
    seen: list[SIPRequest | SIPResponse] = []
    link.drop = lambda message: seen.append(message) is not None
    for package in ("unknown", "Known"):
        send_info(call.usage, "text/plain", b"x", package, [], QUIET, link.now)
        link.deliver()
    codes = [message.code for message in seen if isinstance(message, SIPResponse)]
    assert codes == [469, 200] and seen[1].headers.get("Recv-Info") == "known"
    assert [info.package for info in answer.infos] == ["Known"]


def test_no_info_outside_a_call(link: Link, alice: Party, bob: Party) -> None:
    call = alice.call(bob)
    with pytest.raises(InvalidStateError, match="INFO"):
        send_info(call.usage, None, b"", None, [], QUIET, link.now)


# Odd input


@pytest.mark.parametrize("method", ["INVITE", "UPDATE"])
@pytest.mark.parametrize(
    ("body", "content_type", "code"),
    [(b"rubbish", "application/sdp", 400), (b"\xff\xfe", "application/sdp", 400), (b"x", "text/plain", 415)],
)
def test_broken_proposals_leave_the_call_alone(
    link: Link, alice: Party, bob: Party, method: str, body: bytes, content_type: str, code: int
) -> None:
    call, answer = establish(link, alice, bob)
    dialog = call.usage.dialog
    assert dialog is not None
    request = dialog.create_request(method, [("Content-Type", content_type)], body)
    alice.core.send_request(request, dialog.next_hop(), _Ignore(), link.now)
    link.deliver()
    assert link.lines("bob")[-1] == f"{code} {method}" and normal(call, answer)


class _Ignore:
    def response_received(self, *args: object) -> None: ...

    transaction_timed_out = transport_failed = transaction_terminated = response_received


def test_an_answer_to_an_update_that_can_not_be_read_ends_the_call(link: Link, alice: Party, bob: Party) -> None:
    call, answer = establish(link, alice, bob)
    call.usage.send_update(call.sdp(*OTHER), now=link.now)
    link.deliver()
    answer.respond(200, *OTHER)
    data, source, destination = link.queue.popleft()
    response = parse_message(data)
    response.body = b"rubbish"
    response.headers.set("Content-Length", "7")
    link.queue.append((response.encode(), source, destination))
    link.deliver()
    assert call.last.code == 488 and not call.updates[-1].succeeded
    assert_nothing_left(link, alice, bob)


# Session timers: RFC 4028 (their arithmetic is in test_session_timer.py)


@pytest.mark.parametrize("offers_update", [True, False])
def test_a_refresh_is_not_told(link: Link, bob: Party, offers_update: bool) -> None:
    """RFC 4028 7.4: an UPDATE where that is allowed, else a re-INVITE with the same description."""
    alice = Party(link, "alice", "10.0.0.1", InviteOptions(session_expires=100))
    if not offers_update:
        bob.core.methods.remove("UPDATE")
    call, answer = establish(link, alice, bob)
    told = len(call.changes), len(call.updates)
    link.advance(60)
    if offers_update:
        assert link.lines("alice")[-1] == "UPDATE"
    else:
        answer.respond(200)
        link.deliver()
        assert link.lines("alice")[-2:] == ["INVITE", "ACK"]
    assert (len(call.changes), len(call.updates)) == told and normal(call, answer)
