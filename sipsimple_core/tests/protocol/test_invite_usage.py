"""Calls between two stacks: the INVITE usage over real transactions, on a clock of the test's own."""

from __future__ import annotations

import gc

import pytest

from sipsimple.core.protocol.invite_events import InvalidStateError
from sipsimple.core.protocol.invite_states import INVITE_STATES, InviteEvent, InviteState, InviteSubState
from sipsimple.core.protocol.invite_usage import ANSWER_TIMEOUT
from sipsimple.core.wire.digest import Credentials
from sipsimple.core.wire.message import SIPRequest, SIPResponse
from sipsimple.core.wire.parser import parse_message
from sipsimple.testing.digest_guard import DigestGuard
from sipsimple.testing.parties import Call, Link, Party, assert_nothing_left


def establish(link: Link, alice: Party, bob: Party) -> tuple[Call, Call]:
    call = alice.call(bob)
    link.deliver()
    bob.incoming[-1].respond(200)
    link.deliver()
    assert call.usage.state is bob.incoming[-1].usage.state is InviteState.CONNECTED
    return call, bob.incoming[-1]


def is_request(message: object, method: str) -> bool:
    return isinstance(message, SIPRequest) and message.method == method


def is_response(message: object, code: int) -> bool:
    return isinstance(message, SIPResponse) and message.code == code


def test_a_call_from_invite_to_bye(link: Link, alice: Party, bob: Party) -> None:
    call = alice.call(bob)
    link.deliver()
    answer = bob.incoming[0]
    answer.respond(180)
    answer.respond(200)
    link.deliver()
    assert call.states == ["outgoing", "early", "connecting", "connected"]
    assert answer.states == ["incoming", "early", "connecting", "connected"]
    assert [change.code for change in call.changes] == [None, 180, 200, None]
    (mine,), (theirs,) = call.updates, answer.updates
    assert mine.succeeded and mine.local_sdp == theirs.remote_sdp and mine.remote_sdp == theirs.local_sdp
    call.end()
    link.deliver()
    assert call.states[-2:] == ["disconnecting", "disconnected"]
    assert (call.last.originator, call.last.method, call.last.code) == ("local", "BYE", 200)
    assert (answer.last.state, answer.last.originator) == (InviteState.DISCONNECTED, "remote")
    assert link.lines() == ["INVITE", "180 INVITE", "200 INVITE", "ACK", "BYE", "200 BYE"]
    assert_nothing_left(link, alice, bob)


def test_the_callee_may_end_the_call(link: Link, alice: Party, bob: Party) -> None:
    call, answer = establish(link, alice, bob)
    answer.end()
    link.deliver()
    assert answer.last.originator == "local" and call.last.originator == "remote"
    assert_nothing_left(link, alice, bob)


def test_both_end_the_call_at_once(link: Link, alice: Party, bob: Party) -> None:
    call, answer = establish(link, alice, bob)
    call.end()
    answer.end()
    link.deliver()
    assert call.states[-2:] == answer.states[-2:] == ["disconnecting", "disconnected"]
    assert_nothing_left(link, alice, bob)


@pytest.mark.parametrize("code", [300, 404, 486, 488, 500, 603])
def test_a_refusal_ends_the_call(link: Link, alice: Party, bob: Party, code: int) -> None:
    bob.answer = lambda call: call.respond(code)
    call = alice.call(bob)
    link.deliver()
    assert call.states == ["outgoing", "disconnected"]
    assert (call.last.originator, call.last.code) == ("remote", code)
    answer = bob.incoming[0]
    assert answer.states == ["incoming", "disconnected"] and answer.last.originator == "local"
    assert_nothing_left(link, alice, bob)


def test_no_answer_at_all_is_a_time_out(link: Link, alice: Party, bob: Party) -> None:
    """RFC 3261 17.1.1.2: INVITE is repeated at 0.5, 1.5, 3.5 ... seconds and given up after 32."""
    link.drop = lambda message: is_request(message, "INVITE")
    call = alice.call(bob)
    link.advance(31.9)
    assert call.states == ["outgoing"] and link.lines() == ["INVITE"] * 7
    link.advance(0.2)
    assert call.states == ["outgoing", "disconnected"]
    assert (call.last.code, call.last.disconnect_reason, call.last.originator) == (408, "timeout", "local")
    assert_nothing_left(link, alice, bob)


def test_a_call_that_rings_too_long_is_cancelled(link: Link, alice: Party, bob: Party) -> None:
    bob.answer = lambda call: call.respond(180)
    call = alice.call(bob, timeout=20)
    link.advance(19)
    assert call.states == ["outgoing", "early"]
    link.advance(2)
    assert (call.last.state, call.last.code) == (InviteState.DISCONNECTED, 408)
    assert bob.incoming[0].last.code == 487
    assert_nothing_left(link, alice, bob)


def test_an_invite_that_nobody_answers_is_refused_in_the_end(link: Link, alice: Party, bob: Party) -> None:
    bob.answer = lambda call: call.respond(180)
    call = alice.call(bob)
    link.advance(ANSWER_TIMEOUT + 1)
    assert (call.last.state, call.last.code) == (InviteState.DISCONNECTED, 480)
    assert_nothing_left(link, alice, bob)


def test_end_while_it_rings_cancels(link: Link, alice: Party, bob: Party) -> None:
    bob.answer = lambda call: call.respond(180)
    call = alice.call(bob)
    link.deliver()
    call.end()
    link.deliver()
    assert call.states == ["outgoing", "early", "disconnecting", "disconnected"]
    assert (call.last.originator, call.last.code) == ("local", 487)
    assert (bob.incoming[0].last.originator, bob.incoming[0].last.code) == ("remote", 487)
    assert bob.incoming[0].last.method == "CANCEL"
    assert_nothing_left(link, alice, bob)


def test_a_cancel_waits_for_a_provisional_response(link: Link, alice: Party, bob: Party) -> None:
    """RFC 3261 9.1: no CANCEL before a provisional response."""
    call = alice.call(bob)
    call.end()
    assert link.lines("alice") == ["INVITE"]
    link.advance(0.3)  # the transaction layer answers with 100 by itself
    assert link.lines("alice")[:2] == ["INVITE", "CANCEL"]
    assert call.last.state is InviteState.DISCONNECTED
    assert_nothing_left(link, alice, bob)


def test_a_cancel_that_crosses_the_200_becomes_a_bye(link: Link, alice: Party, bob: Party) -> None:
    """RFC 3261 9.1, 15: the call was accepted before the CANCEL arrived, so it is acknowledged and ended."""
    bob.answer = lambda call: call.respond(180)
    call = alice.call(bob)
    link.deliver()
    bob.incoming[0].respond(200)
    call.end()
    link.deliver()
    assert link.lines("alice") == ["INVITE", "CANCEL", "ACK", "BYE"]
    assert call.states == ["outgoing", "early", "disconnecting", "disconnected"]
    assert (call.last.originator, call.last.code) == ("local", 487)
    assert bob.incoming[0].last.originator == "remote"
    assert_nothing_left(link, alice, bob)


def test_the_2xx_is_repeated_until_the_ack_comes(link: Link, alice: Party, bob: Party) -> None:
    """RFC 3261 13.3.1.4 and 13.2.2.4: each repeated 2xx gets the ACK again."""
    lost: list[object] = []

    def lose_two(message: object) -> bool:
        if is_request(message, "ACK") and len(lost) < 2:
            lost.append(message)
            return True
        return False

    link.drop = lose_two
    call = alice.call(bob)
    link.deliver()
    bob.incoming[0].respond(200)
    link.advance(1.6)
    assert link.lines() == ["INVITE", *["200 INVITE", "ACK"] * 3]
    assert bob.incoming[0].states[-1] == call.states[-1] == "connected"
    call.end()
    assert_nothing_left(link, alice, bob)


def test_a_missing_ack_ends_the_call(link: Link, alice: Party, bob: Party) -> None:
    """RFC 3261 13.3.1.4: without ACK after 64*T1 the callee ends the call with BYE. SES-084"""
    link.drop = lambda message: is_request(message, "ACK")
    call = alice.call(bob)
    link.deliver()
    bob.incoming[0].respond(200)
    link.advance(33)
    answer = bob.incoming[0]
    assert answer.states == ["incoming", "connecting", "disconnecting", "disconnected"]
    assert answer.last.disconnect_reason == "missing ACK"
    assert call.last.originator == "remote"
    assert_nothing_left(link, alice, bob)


def test_the_callee_that_ends_before_the_ack_waits_for_it(link: Link, alice: Party, bob: Party) -> None:
    """RFC 3261 15: a callee sends no BYE before the ACK of its 2xx."""
    call = alice.call(bob)
    link.deliver()
    answer = bob.incoming[0]
    answer.respond(200)
    answer.end()
    assert link.lines("bob") == ["200 INVITE"]
    link.deliver()
    assert link.lines("bob") == ["200 INVITE", "BYE"]
    assert call.last.originator == "remote" and answer.last.originator == "local"
    assert_nothing_left(link, alice, bob)


def test_end_while_told_of_the_2xx(link: Link, alice: Party, bob: Party) -> None:
    call = alice.call(bob)
    call.on_change = lambda change: call.end() if change.state is InviteState.CONNECTING else None
    bob.answer = lambda call: call.respond(200)
    link.deliver()
    assert link.lines("alice") == ["INVITE", "ACK", "BYE"]
    assert call.states == ["outgoing", "connecting", "disconnecting", "disconnected"]
    assert_nothing_left(link, alice, bob)


def test_a_bye_without_response_ends_in_time(link: Link, alice: Party, bob: Party) -> None:
    call, _ = establish(link, alice, bob)
    link.drop = lambda message: is_request(message, "BYE")
    call.end()
    link.advance(31)
    assert call.last.state is InviteState.DISCONNECTING
    link.advance(2)
    assert call.last.state is InviteState.DISCONNECTED
    assert_nothing_left(link, alice)


def test_the_wait_for_the_end_can_be_bounded(link: Link, alice: Party, bob: Party) -> None:
    call, _ = establish(link, alice, bob)
    link.drop = lambda message: is_request(message, "BYE")
    call.end(timeout=2)
    link.advance(2.1)
    assert call.last.state is InviteState.DISCONNECTED
    assert_nothing_left(link, alice)


def test_end_twice_says_bye_once(link: Link, alice: Party, bob: Party) -> None:
    call, _ = establish(link, alice, bob)
    call.end()
    call.end()
    link.deliver()
    call.end()
    assert link.lines("alice").count("BYE") == 1


def test_an_answer_with_other_media_fails_the_call(link: Link, alice: Party, bob: Party) -> None:
    """RFC 3264 6: an answer has the offer's media lines."""
    call = alice.call(bob)
    link.deliver()
    with pytest.raises(ValueError, match="2 media lines"):
        bob.incoming[0].respond(200, "message 2855 TCP/MSRP *", "audio 0 RTP/AVP 0")
    bob.incoming[0].respond(488)
    link.deliver()
    assert call.last.code == 488


def test_a_2xx_without_answer_is_acknowledged_and_ended(link: Link, alice: Party, bob: Party) -> None:
    call = alice.call(bob)
    link.deliver()
    bob.incoming[0].usage.respond(200, now=link.now)
    link.deliver()
    assert link.lines("alice") == ["INVITE", "ACK", "BYE"]
    assert [update.succeeded for update in call.updates] == [False]
    assert call.last.code == 488 and "SDP negotiation error" in (call.last.disconnect_reason or "")
    assert_nothing_left(link, alice, bob)


def test_of_a_forked_call_one_branch_is_kept(link: Link, alice: Party, bob: Party) -> None:
    """RFC 3261 13.2.2.4: a 2xx of another branch is acknowledged and ended."""
    call = alice.call(bob)
    link.deliver()
    bob.incoming[0].respond(200)
    data, source, destination = link.queue[0]
    tag = parse_message(data).to_header.tag
    assert tag is not None
    link.queue.append((data.replace(tag.encode(), b"other-branch"), source, destination))
    link.deliver()
    assert link.lines("alice") == ["INVITE", "ACK", "ACK", "BYE"]
    assert call.usage.state is InviteState.CONNECTED
    call.end()
    assert_nothing_left(link, alice, bob)


def test_an_unknown_dialog_gets_481(link: Link, alice: Party, bob: Party) -> None:
    """RFC 3261 12.2.2: a request for a dialog that we do not know gets 481."""
    call, answer = establish(link, alice, bob)
    assert answer.usage.dialog is not None
    bob.core.remove_dialog(answer.usage.dialog, answer.usage)
    call.end()
    link.deliver()
    assert link.lines("bob")[-1] == "481 BYE"
    assert call.last.state is InviteState.DISCONNECTED


@pytest.mark.parametrize(
    ("body", "content_type", "code"),
    [(b"v=0\r\nrubbish", "application/sdp", 400), (b"\xff\x00\xff", "application/sdp", 400), (b"x", "text/plain", 415)],
)
def test_an_invite_with_a_broken_body_is_refused(
    link: Link, alice: Party, bob: Party, body: bytes, content_type: str, code: int
) -> None:
    call = alice.call(bob)
    request = call.usage.initial
    assert request is not None
    data, source, destination = link.queue.popleft()
    head = data.partition(b"\r\n\r\n")[0].decode()
    lines = [line for line in head.split("\r\n") if not line.lower().startswith("content-")]
    lines += [f"Content-Type: {content_type}", f"Content-Length: {len(body)}", "", ""]
    link.queue.append(("\r\n".join(lines).encode() + body, source, destination))
    link.deliver()
    assert call.last.code == code and bob.incoming == []
    assert_nothing_left(link, alice, bob)


def test_a_body_in_an_encoding_that_we_do_not_know_is_refused(link: Link, alice: Party, bob: Party) -> None:
    """RFC 3261 8.2.3, 21.4.13: 415 with Accept-Encoding."""
    call = alice.call(bob)
    data, source, destination = link.queue.popleft()
    data = data.replace(b"Content-Type: application/sdp", b"Content-Type: application/sdp\r\nContent-Encoding: gzip", 1)
    link.queue.append((data, source, destination))
    link.deliver()
    assert call.last.code == 415 and bob.incoming == []
    assert isinstance(call.last.message, SIPResponse)
    assert call.last.message.headers.get("Accept-Encoding") == "identity"


def test_a_broken_reinvite_leaves_the_call_alone(link: Link, alice: Party, bob: Party) -> None:
    call, answer = establish(link, alice, bob)
    dialog = call.usage.dialog
    assert dialog is not None
    request = dialog.create_request("INVITE", [("Content-Type", "application/sdp")], b"no sdp at all")

    class Ignore:
        def response_received(self, *args: object) -> None: ...

        transaction_timed_out = transport_failed = transaction_terminated = response_received

    alice.core.send_request(request, dialog.next_hop(), Ignore(), link.now)
    link.deliver()
    assert link.lines("bob")[-1] == "400 INVITE"
    assert call.usage.state is answer.usage.state is InviteState.CONNECTED
    assert answer.last.state is InviteState.CONNECTED


def test_a_reinvite_changes_the_media(link: Link, alice: Party, bob: Party) -> None:
    from sipsimple.testing.parties import sdp

    call, answer = establish(link, alice, bob)
    offer = sdp("10.0.0.1", "message 2855 TCP/MSRP *", "audio 4000 RTP/AVP 0")
    call.usage.send_reinvite(offer, now=link.now)
    link.deliver()
    assert answer.usage.sub_state is InviteSubState.RECEIVED_PROPOSAL
    answer.respond(200, "message 2855 TCP/MSRP *", "audio 0 RTP/AVP 0")
    link.deliver()
    assert call.usage.sub_state is answer.usage.sub_state is InviteSubState.NORMAL
    assert call.updates[-1].local_sdp == offer == answer.updates[-1].remote_sdp


def test_a_refused_reinvite_leaves_the_media(link: Link, alice: Party, bob: Party) -> None:
    """RFC 3261 14.1: after a refusal the session stays as it was."""
    from sipsimple.testing.parties import sdp

    call, answer = establish(link, alice, bob)
    before = call.usage.negotiation.active_local
    call.usage.send_reinvite(sdp("10.0.0.1", "message 1 TCP/MSRP *"), now=link.now)
    link.deliver()
    answer.respond(488)
    link.deliver()
    assert call.usage.sub_state is answer.usage.sub_state is InviteSubState.NORMAL
    assert call.usage.negotiation.active_local == before and call.last.code == 488
    call.usage.send_reinvite(sdp("10.0.0.1", "message 2 TCP/MSRP *"), now=link.now)
    link.deliver()
    answer.respond(200)
    link.deliver()
    assert call.usage.negotiation.active_local != before


def test_reinvites_that_cross_get_491(link: Link, alice: Party, bob: Party) -> None:
    """RFC 3261 14.2: an INVITE that arrives while ours is open gets 491."""
    from sipsimple.testing.parties import sdp

    call, answer = establish(link, alice, bob)
    call.usage.send_reinvite(sdp("10.0.0.1"), now=link.now)
    answer.usage.send_reinvite(sdp("10.0.0.2"), now=link.now)
    link.deliver()
    assert link.lines("alice")[-2:] == ["491 INVITE", "ACK"] or "491 INVITE" in link.lines("alice")
    assert call.usage.state is answer.usage.state is InviteState.CONNECTED
    assert call.usage.sub_state is answer.usage.sub_state is InviteSubState.NORMAL


@pytest.mark.parametrize("state", list(InviteState))
@pytest.mark.parametrize("event", list(InviteEvent))
def test_every_state_knows_or_refuses_every_event(
    link: Link, alice: Party, state: InviteState, event: InviteEvent
) -> None:
    from sipsimple.core.protocol.invite_usage import InviteUsage

    usage = InviteUsage(alice.core)
    usage.state = state
    expected = INVITE_STATES[state].get(event)
    if expected is None:
        with pytest.raises(InvalidStateError, match=state.value):
            usage.change(event, "local")
        assert usage.state is state
    else:
        usage.change(event, "local")
        assert usage.state is expected


def test_every_state_but_the_last_can_be_left() -> None:
    reachable = {InviteState.NULL}
    for _ in InviteState:
        reachable |= {after for state in reachable for after in INVITE_STATES[state].values()}
    assert reachable == set(InviteState)
    assert [state for state, events in INVITE_STATES.items() if not events] == [InviteState.DISCONNECTED]


def test_options_says_what_we_are_able_to_do(link: Link, alice: Party, bob: Party) -> None:
    """RFC 3261 11.2: OPTIONS is answered with 200, Allow and Accept."""
    got: list[SIPResponse] = []

    class Probe:
        def response_received(self, transaction: object, response: SIPResponse, now: float) -> None:
            got.append(response)

        def transaction_terminated(self, *args: object) -> None: ...

        transaction_timed_out = transport_failed = transaction_terminated

    def ask(method: str) -> SIPResponse:
        uri = str(bob.uri)
        headers = [
            ("Max-Forwards", "70"), ("From", "<sip:alice@10.0.0.1>;tag=1"), ("To", f"<{uri}>"), ("Call-ID", method),
            ("CSeq", f"1 {method}"),
        ]  # fmt: skip
        alice.core.send_request(SIPRequest(method, bob.uri, headers), bob.hop, Probe(), link.now)
        link.deliver()
        return got[-1]

    response = ask("OPTIONS")
    assert response.code == 200
    assert "INVITE" in (response.headers.get("Allow") or "") and response.headers.get("Accept") == "application/sdp"
    assert ask("MESSAGE").code == 405
    assert ask("FROBNICATE").code == 501


def test_too_many_dialogs_get_503(link: Link, alice: Party, bob: Party) -> None:
    bob.core.max_dialogs = 1
    establish(link, alice, bob)
    call = alice.call(bob)
    link.deliver()
    assert call.last.code == 503


# Authentication


def test_a_challenged_invite_is_sent_again_with_the_answer(link: Link, alice: Party, bob: Party) -> None:
    """RFC 3261 22.2: same Call-ID, CSeq raised; 13.2.2.4: the ACK of the 2xx has the same credentials."""
    guard = DigestGuard({"alice": "secret"}, methods=["INVITE"])
    bob.guards.append(guard)
    acks: list[SIPRequest] = []
    link.drop = lambda message: bool(is_request(message, "ACK") and acks.append(message))
    call = alice.call(bob, credentials=Credentials("alice", "secret"))
    link.deliver()
    bob.incoming[0].respond(200)
    link.deliver()
    assert call.states == ["outgoing", "connecting", "connected"]
    assert link.lines() == ["INVITE", "401 INVITE", "ACK", "INVITE", "200 INVITE", "ACK"]
    invite = bob.incoming[0].usage.initial
    assert invite is not None and invite.cseq is not None and invite.cseq.number == 2
    assert acks[-1].headers.getall("Authorization") == invite.headers.getall("Authorization") != []
    assert (guard.challenged, guard.passed) == (1, 1)
    call.end()
    link.deliver()
    assert_nothing_left(link, alice, bob)


def test_requests_inside_the_dialog_answer_challenges_too(link: Link, alice: Party, bob: Party) -> None:
    """RFC 3261 22.3: a proxy may challenge in mid-dialog; what it was told once goes on later requests unasked."""
    guard = DigestGuard({"alice": "secret"}, of_proxy=True, methods=["INVITE", "BYE"])
    call = alice.call(bob, credentials=Credentials("alice", "secret"))
    link.deliver()
    bob.incoming[-1].respond(200)
    link.deliver()
    bob.guards.append(guard)
    offer = call.usage.negotiation.active_local
    assert offer is not None
    call.usage.send_reinvite(offer, now=link.now)
    link.deliver()
    bob.incoming[-1].respond(200)
    link.deliver()
    assert call.usage.sub_state is InviteSubState.NORMAL and call.last.code == 200
    assert (guard.challenged, guard.passed) == (1, 1)
    call.end()
    link.deliver()
    assert call.last.state is InviteState.DISCONNECTED and call.last.code == 200
    assert (guard.challenged, guard.passed) == (1, 2)
    assert_nothing_left(link, alice, bob)


def test_a_bye_with_a_stale_nonce_is_sent_again(link: Link, alice: Party, bob: Party) -> None:
    """RFC 7616 3.3: stale means that the password was right."""
    guard = DigestGuard({"alice": "secret"}, uses=1, methods=["INVITE", "BYE"])
    bob.guards.append(guard)
    bob.answer = lambda call: call.respond(200)
    call = alice.call(bob, credentials=Credentials("alice", "secret"))
    link.deliver()
    call.end()
    link.deliver()
    assert link.lines("alice")[-2:] == ["BYE", "BYE"] and call.last.code == 200
    assert guard.stale == 1
    assert bob.incoming[0].last.originator == "remote"
    assert_nothing_left(link, alice, bob)


def test_the_callee_answers_challenges_with_credentials_of_its_own(link: Link, alice: Party, bob: Party) -> None:
    alice.guards.append(DigestGuard({"bob": "hidden"}, methods=["BYE"]))
    call, answer = establish(link, alice, bob)
    answer.usage.use_credentials(Credentials("bob", "hidden"))
    answer.end()
    link.deliver()
    assert call.last.originator == "remote" and answer.last.code == 200
    assert_nothing_left(link, alice, bob)


@pytest.mark.parametrize("credentials", [None, Credentials("alice", "wrong"), Credentials("alice", "secret", "other")])
def test_a_challenge_that_can_not_be_answered_ends_the_call(
    link: Link, alice: Party, bob: Party, credentials: Credentials | None
) -> None:
    """RFC 3261 22.2: credentials that were rejected are not sent again."""
    guard = DigestGuard({"alice": "secret"})
    bob.guards.append(guard)
    call = alice.call(bob, credentials=credentials)
    link.deliver()
    assert call.states == ["outgoing", "disconnected"]
    assert (call.last.originator, call.last.code) == ("remote", 401)
    assert guard.challenged == (2 if credentials is not None and credentials.password == "wrong" else 1)
    assert_nothing_left(link, alice, bob)


def test_a_call_that_was_given_up_is_not_sent_again(link: Link, alice: Party, bob: Party) -> None:
    bob.guards.append(DigestGuard({"alice": "secret"}))
    call = alice.call(bob, credentials=Credentials("alice", "secret"))
    call.end()
    link.deliver()
    assert call.last.state is InviteState.DISCONNECTED and call.last.originator == "local"
    assert link.lines("alice").count("INVITE") == 1 and bob.incoming == []
    assert_nothing_left(link, alice, bob)


def test_a_call_keeps_nothing_of_its_transactions(link: Link, alice: Party, bob: Party) -> None:
    """What a call that lasts for hours takes is what it needs: not the ACK, nor our 2xx, when nobody can ask again."""
    for call in establish(link, alice, bob):
        call.changes.clear()  # the kit's record of what it was told
    link.advance(60)
    gc.collect()
    call_id = bob.incoming[-1].usage.call_id
    messages = [found for found in gc.get_objects() if isinstance(found, SIPRequest | SIPResponse)]
    kept = [message.start_line for message in messages if message.call_id == call_id]
    assert [line.partition(" ")[0] for line in kept] == ["INVITE", "INVITE"]
