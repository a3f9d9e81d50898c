"""Reliable provisional responses and early media (RFC 3262, RFC 3261 13.2.1), between two stacks."""

from __future__ import annotations

import pytest

from sipsimple.core.protocol.invite_events import InvalidStateError
from sipsimple.core.protocol.invite_options import InviteOptions
from sipsimple.core.protocol.invite_states import InviteState
from sipsimple.core.protocol.offer_answer import OfferAnswerError
from sipsimple.core.protocol.reliable_provisional import (
    MAX_WAITING_PROVISIONALS,
    PRACK_TIMEOUT,
    ProvisionalOrder,
)
from sipsimple.core.wire.message import SIPRequest, SIPResponse
from sipsimple.core.wire.parser import parse_message
from sipsimple.testing.parties import Call, Link, Party, assert_nothing_left


def ring(link: Link, alice: Party, bob: Party, **options: object) -> tuple[Call, Call]:
    call = alice.call(bob, **options)  # type: ignore[arg-type]
    link.deliver()
    return call, bob.incoming[-1]


def early_media(call: Call, code: int = 183) -> None:
    call.usage.respond(code, sdp=call.sdp(), now=call.party.link.now)


def reliably(call: Call, code: int = 180) -> None:
    call.usage.respond(code, reliable=True, now=call.party.link.now)


def test_early_media_is_agreed_reliably(link: Link, alice: Party, bob: Party) -> None:
    """RFC 3262 3, 5: the answer goes in a 183 that is acknowledged; the 2xx has no description."""
    call, answer = ring(link, alice, bob)
    early_media(answer)
    link.deliver()
    assert link.lines() == ["INVITE", "183 INVITE", "PRACK", "200 PRACK"]
    (mine,), (theirs,) = call.updates, answer.updates
    assert mine.early and theirs.early and mine.succeeded and theirs.succeeded
    assert (mine.local_sdp, mine.remote_sdp) == (theirs.remote_sdp, theirs.local_sdp)
    answer.usage.respond(200, now=link.now)
    link.deliver()
    assert call.states == ["outgoing", "early", "connecting", "connected"]
    assert [update.early for update in call.updates] == [True, False]
    accepted = call.changes[-2].message
    assert isinstance(accepted, SIPResponse) and not accepted.body
    call.end()
    assert_nothing_left(link, alice, bob)


def test_the_header_fields(link: Link, alice: Party, bob: Party) -> None:
    """RFC 3262 7.1, 7.2: RSeq, Require and RAck."""
    seen: list[SIPRequest | SIPResponse] = []
    link.drop = lambda message: seen.append(message) is not None
    _, answer = ring(link, alice, bob)
    early_media(answer)
    link.deliver()
    invite, progress, prack = [m for m in seen if not (isinstance(m, SIPResponse) and m.code in (100, 200))][:3]
    assert "100rel" in invite.headers.get("Supported", "")  # type: ignore[operator]
    rseq = progress.headers.get("RSeq")
    assert progress.headers.get("Require") == "100rel" and 1 <= int(rseq or 0) < 2**31
    assert prack.headers.get("RAck") == f"{rseq} 1 INVITE"


def test_a_provisional_response_is_repeated_until_it_is_acknowledged(link: Link, alice: Party, bob: Party) -> None:
    """RFC 3262 3: at T1, then in intervals that double; the copies are not told again (4)."""
    lost: list[object] = []

    def lose_two(message: object) -> bool:
        if isinstance(message, SIPRequest) and message.method == "PRACK" and len(lost) < 2:
            lost.append(message)
            return True
        return False

    link.drop = lose_two
    call, answer = ring(link, alice, bob)
    early_media(answer)
    link.advance(4)
    assert link.lines("bob").count("183 INVITE") >= 2
    assert [change.code for change in call.changes] == [None, 183]
    assert link.lines("bob").count("200 PRACK") == 1
    answer.end()
    assert_nothing_left(link, alice, bob)


def test_without_prack_the_call_is_refused(link: Link, alice: Party, bob: Party) -> None:
    """RFC 3262 3: after 64*T1 the INVITE gets a 5xx."""
    link.drop = lambda message: isinstance(message, SIPRequest) and message.method == "PRACK"
    call, answer = ring(link, alice, bob)
    early_media(answer)
    link.advance(PRACK_TIMEOUT + 1)
    assert (answer.last.state, answer.last.code) == (InviteState.DISCONNECTED, 504)
    assert answer.last.disconnect_reason == "missing PRACK"
    assert call.last.code == 504
    assert_nothing_left(link, alice, bob)


def test_the_2xx_waits_for_the_prack_of_a_description(link: Link, alice: Party, bob: Party) -> None:
    """RFC 3262 3: no 2xx before the PRACKs of responses with a session description."""
    held: list[object] = []
    link.drop = lambda message: isinstance(message, SIPRequest) and message.method == "PRACK" and not held
    call, answer = ring(link, alice, bob)
    early_media(answer)
    link.deliver()
    answer.usage.respond(200, now=link.now)
    link.deliver()
    assert "200 INVITE" not in link.lines("bob")
    with pytest.raises(InvalidStateError):
        answer.usage.respond(200, now=link.now)
    held.append(1)
    link.advance(1.5)
    assert call.states[-1] == answer.states[-1] == "connected"


def test_a_2xx_that_waits_can_be_cancelled(link: Link, alice: Party, bob: Party) -> None:
    link.drop = lambda message: isinstance(message, SIPRequest) and message.method == "PRACK"
    call, answer = ring(link, alice, bob)
    early_media(answer)
    link.deliver()
    answer.usage.respond(200, now=link.now)
    call.end()
    link.deliver()
    assert call.last.code == answer.last.code == 487
    assert_nothing_left(link, alice, bob)


def test_ringing_goes_reliably_when_it_is_asked_for(link: Link, alice: Party, bob: Party) -> None:
    call, answer = ring(link, alice, bob)
    reliably(answer)
    link.deliver()
    assert link.lines()[-2:] == ["PRACK", "200 PRACK"]
    answer.respond(200)
    link.deliver()
    assert call.states[-1] == "connected"


def test_provisional_responses_go_one_after_the_other(link: Link, alice: Party, bob: Party) -> None:
    """RFC 3262 3: the next one, with the next number, when the one before is acknowledged."""
    call, answer = ring(link, alice, bob)
    for code in (180, 181, 182):
        reliably(answer, code)
    assert link.lines("bob") == ["180 INVITE"]
    link.deliver()
    assert [line for line in link.lines() if line.endswith("INVITE") and line != "INVITE"] == [
        "180 INVITE", "181 INVITE", "182 INVITE",
    ]  # fmt: skip
    assert link.lines().count("PRACK") == 3
    assert [change.code for change in call.changes] == [None, 180, 181, 182]


def test_too_many_provisional_responses(link: Link, alice: Party, bob: Party) -> None:
    """What waits is bounded."""
    link.drop = lambda message: isinstance(message, SIPRequest) and message.method == "PRACK"
    _, answer = ring(link, alice, bob)
    for _ in range(MAX_WAITING_PROVISIONALS + 20):
        reliably(answer)
    provisionals = answer.usage._callee.invite.provisionals  # type: ignore[union-attr]
    assert provisionals is not None and len(provisionals._waiting) == MAX_WAITING_PROVISIONALS + 1
    answer.end()
    assert_nothing_left(link, alice, bob)


def test_a_caller_that_knows_no_100rel(link: Link, bob: Party) -> None:
    """RFC 3262 3: it gets them unreliably; early media are a preview, and the 2xx says the same again (13.2.1)."""
    alice = Party(link, "alice", "10.0.0.1", InviteOptions(reliable_provisionals=False))
    call, answer = ring(link, alice, bob)
    early_media(answer)
    link.deliver()
    assert "PRACK" not in link.lines()
    assert [update.early for update in call.updates] == [True]
    preview = call.updates[0].remote_sdp
    with pytest.raises(OfferAnswerError, match="provisional"):
        answer.usage.respond(200, sdp=answer.sdp("message 9 TCP/MSRP *"), now=link.now)
    answer.respond(200)
    link.deliver()
    assert call.updates[-1].remote_sdp == preview and not call.updates[-1].early
    assert call.states[-1] == answer.states[-1] == "connected"


def test_a_callee_that_knows_no_100rel_refuses_to_be_asked_for_it(link: Link, alice: Party) -> None:
    """RFC 3261 8.2.2.3: 420."""
    bob = Party(link, "bob", "10.0.0.2", InviteOptions(reliable_provisionals=False))
    call, _ = alice.call(bob, headers=[("Require", "100rel")]), link.deliver()
    assert call.last.code == 420


def test_a_caller_that_requires_100rel_gets_all_reliably(link: Link, alice: Party, bob: Party) -> None:
    """RFC 3262 3: also a 180 without description."""
    call, answer = ring(link, alice, bob, headers=[("Require", "100rel")])
    answer.respond(180)
    link.deliver()
    assert link.lines()[-2:] == ["PRACK", "200 PRACK"]
    assert [change.code for change in call.changes] == [None, 180]


def test_a_prack_of_nothing_gets_481(link: Link, alice: Party, bob: Party) -> None:
    """RFC 3262 3: of another number, of another INVITE, a repeated one, and one that can't be read (400)."""
    call, answer = ring(link, alice, bob)
    reliably(answer)
    link.deliver()
    dialog = call.usage.dialog
    assert dialog is not None
    got: list[int] = []

    class Probe:
        def response_received(self, transaction: object, response: SIPResponse, now: float) -> None:
            got.append(response.code)

        def transaction_terminated(self, *args: object) -> None: ...

        transaction_timed_out = transport_failed = transaction_terminated

    for rack in ("5 1 INVITE", "1 9 INVITE", "1 1 BYE", "rubbish", ""):
        fields = [("RAck", rack)] if rack else []
        alice.core.send_request(dialog.create_request("PRACK", fields), dialog.next_hop(), Probe(), link.now)
        link.deliver()
    assert got == [481, 481, 481, 400, 400]
    assert answer.usage.state is InviteState.EARLY


def test_the_order_of_numbers() -> None:
    """RFC 3262 4: the first may have any number; then each is one more than the one before."""
    order = ProvisionalOrder()
    assert order.accept(1, 700)
    assert not order.accept(1, 700)
    assert not order.accept(1, 702)
    assert order.accept(1, 701)
    assert order.accept(2, 5)
    assert not order.accept(1, 702)


def test_a_bad_answer_in_a_reliable_response(link: Link, alice: Party, bob: Party) -> None:
    """It is acknowledged all the same, and the call fails with the 2xx that has no better one."""
    call, answer = ring(link, alice, bob)
    early_media(answer)
    data, source, destination = link.queue.popleft()
    message = parse_message(data)
    message.body = b"v=0\r\nrubbish"
    message.headers.set("Content-Length", str(len(message.body)))
    link.queue.appendleft((message.encode(), source, destination))
    link.deliver()
    assert link.lines()[-2:] == ["PRACK", "200 PRACK"] and call.updates == []
    answer.usage.respond(200, now=link.now)
    link.deliver()
    assert call.last.code == 488
    assert_nothing_left(link, alice, bob)


# Offers in responses (RFC 3262 5, RFC 3261 13.2.1)


def test_a_late_offer(link: Link, alice: Party, bob: Party) -> None:
    """RFC 3261 13.2.1: an INVITE without offer: the offer is in the 2xx, its answer in the ACK."""
    call, answer = ring(link, alice, bob, offers=False)
    assert answer.usage.negotiation.remote_offer is None
    answer.respond(200)
    link.deliver()
    assert call.states == ["outgoing", "connecting"] and link.lines()[-1] == "200 INVITE"
    offer = call.usage.negotiation.remote_offer
    assert offer == answer.sdp()
    with pytest.raises(OfferAnswerError):
        call.usage.answer(call.sdp("audio 1 RTP/AVP 0"), now=link.now)
    call.usage.answer(call.sdp(), now=link.now)
    link.deliver()
    assert link.lines()[-1] == "ACK"
    assert call.states[-1] == answer.states[-1] == "connected"
    assert (call.updates[-1].local_sdp, call.updates[-1].remote_sdp) == (call.sdp(), answer.sdp())
    assert (answer.updates[-1].local_sdp, answer.updates[-1].remote_sdp) == (answer.sdp(), call.sdp())
    with pytest.raises(InvalidStateError):
        call.usage.answer(call.sdp(), now=link.now)
    call.end()
    assert_nothing_left(link, alice, bob)


def test_a_late_offer_is_answered_while_it_is_told(link: Link, alice: Party, bob: Party) -> None:
    call = alice.call(bob, offers=False)
    call.on_change = lambda change: (
        call.usage.answer(call.sdp(), now=link.now) if change.state is InviteState.CONNECTING else None
    )
    bob.answer = lambda incoming: incoming.respond(200)
    link.deliver()
    assert call.states == ["outgoing", "connecting", "connected"]


def test_a_late_offer_that_nobody_answers(link: Link, alice: Party, bob: Party) -> None:
    """13.2.2.4: the ACK has an answer that takes nothing, then the call ends."""
    call, answer = ring(link, alice, bob, offers=False)
    answer.respond(200)
    link.advance(21)
    assert link.lines("alice")[-2:] == ["ACK", "BYE"]
    assert answer.updates[-1].remote_sdp is not None and answer.updates[-1].remote_sdp.media[0].port == 0
    assert (call.last.code, call.last.disconnect_reason) == (408, "the offer was not answered in time")
    assert_nothing_left(link, alice, bob)


def test_end_while_a_late_offer_waits(link: Link, alice: Party, bob: Party) -> None:
    call, answer = ring(link, alice, bob, offers=False)
    answer.respond(200)
    link.deliver()
    call.end()
    link.deliver()
    assert link.lines("alice")[-2:] == ["ACK", "BYE"]
    assert call.states[-2:] == ["disconnecting", "disconnected"] and answer.last.originator == "remote"
    assert_nothing_left(link, alice, bob)


def test_a_2xx_without_any_offer_ends_the_call(link: Link, alice: Party, bob: Party) -> None:
    call, answer = ring(link, alice, bob, offers=False)
    answer.usage.respond(200, now=link.now)
    link.deliver()
    assert link.lines("alice")[-2:] == ["ACK", "BYE"] and call.last.code == 488
    assert_nothing_left(link, alice, bob)


def test_an_ack_without_the_answer_ends_the_call(link: Link, alice: Party, bob: Party) -> None:
    """RFC 3261 13.3.1.4: the callee that has offered needs an answer."""
    call, answer = ring(link, alice, bob, offers=False)
    answer.respond(200)
    link.deliver()
    call.usage.answer(call.sdp(), now=link.now)
    data, source, destination = link.queue.popleft()
    ack = parse_message(data)
    ack.body = b""
    ack.headers.set("Content-Length", "0")
    link.queue.append((ack.encode(), source, destination))
    link.deliver()
    assert answer.last.code == 488 and not answer.updates[-1].succeeded
    assert_nothing_left(link, alice, bob)


def test_an_early_offer_is_answered_in_the_prack(link: Link, alice: Party, bob: Party) -> None:
    """RFC 3262 5: the INVITE had no offer, the reliable 183 has one."""
    call, answer = ring(link, alice, bob, offers=False)
    early_media(answer)
    link.deliver()
    assert link.lines()[-1] == "183 INVITE" and call.usage.negotiation.remote_offer == answer.sdp()
    call.usage.answer(call.sdp(), now=link.now)
    link.deliver()
    assert link.lines()[-2:] == ["PRACK", "200 PRACK"]
    assert call.updates[-1].early and answer.updates[-1].remote_sdp == call.sdp()
    answer.usage.respond(200, now=link.now)
    link.deliver()
    assert call.states[-1] == answer.states[-1] == "connected"
    call.end()
    assert_nothing_left(link, alice, bob)


def test_an_early_offer_that_nobody_answers(link: Link, alice: Party, bob: Party) -> None:
    call, answer = ring(link, alice, bob, offers=False)
    early_media(answer)
    link.advance(21)
    assert call.last.code == 487 and answer.last.code == 487
    assert_nothing_left(link, alice, bob)
