"""Calls step by step: what our side says to each thing that the other one may say, where it is not the usual one."""

from __future__ import annotations

from typing import Any

import pytest

from sipsimple.core.protocol.invite_events import InvalidStateError
from sipsimple.core.protocol.late_answer import LATE_ANSWER_TIMEOUT
from sipsimple.core.wire.message import make_response
from sipsimple.core.wire.parser import parse_message
from sipsimple.testing.hostile_party import HostileCall
from sipsimple.testing.parties import Call, sdp

OTHER = sdp("10.0.0.9", "video 5000 RTP/AVP 31", "audio 5002 RTP/AVP 0").encode()
SDP = "application/sdp"
TYPE = f"Content-Type: {SDP}"


def play(hostile: HostileCall, *steps: int | str | tuple[int | str, ...]) -> Call:
    """Each step by its name, or with further header lines."""
    for step in steps:
        hostile.say(*step) if isinstance(step, tuple) else hostile.say(step)
    assert hostile.call is not None
    return hostile.call


def lines(hostile: HostileCall) -> list[str]:
    return hostile.link.lines()


# The caller


def test_a_100_is_told() -> None:
    call = play(HostileCall(True), 100)
    assert call.states == ["outgoing", "outgoing"] and (call.last.code, call.last.reason) == (100, "Trying")


def test_what_comes_after_the_end_changes_nothing() -> None:
    """RFC 3261 9.1: CANCEL leaves with the first response. RFC 3262 4: what is reliable is acknowledged."""
    hostile = HostileCall(True)
    call = play(hostile, "end", 100, 180, 183)
    assert call.states == ["outgoing", "disconnecting"]
    assert lines(hostile) == ["INVITE", "CANCEL", "PRACK"] and call.updates == []


def test_a_challenge_voids_the_early_dialogs() -> None:
    """RFC 3261 22.2, 13.2.2.4: what was said to the INVITE before is of no account for the next."""
    hostile = HostileCall(True)
    play(hostile, 183)
    assert hostile.party.core.dialogs == 1
    call = play(hostile, (422, "Min-SE: 1900"))
    assert lines(hostile) == ["INVITE", "PRACK", "ACK", "INVITE"]
    assert hostile.party.core.dialogs == 0
    # its answer has to be given once more
    assert call.usage.negotiation.local_offer is not None
    hostile.finish()


def test_a_response_without_a_tag_makes_no_dialog() -> None:
    """RFC 3261 12.1: a To tag makes the early dialog."""
    hostile = HostileCall(True)
    request = hostile.link.last_requests[True]
    response = make_response(request, 180)
    hostile.party.layer.message_received(parse_message(response.encode()), hostile.party.hop, hostile.link.now)
    assert hostile.call is not None and hostile.call.states[-1] == "early"
    assert hostile.party.core.dialogs == 0


def test_what_the_user_ends_while_he_is_told_is_not_agreed() -> None:
    hostile = HostileCall(True)
    call = hostile.call
    assert call is not None
    call.on_change = lambda change: call.end() if change.code == 183 else None
    hostile.say(183)
    assert call.states[-1] == "disconnecting" and call.updates == []


def test_methods_that_an_early_response_allows() -> None:
    """RFC 3311 4: what the remote party once said that it allows holds until it says otherwise."""
    hostile = HostileCall(True)
    allow = "Allow: INVITE, UPDATE"
    play(hostile, (183, allow), "200", (200, "Session-Expires: 1800;refresher=uac", "Require: timer"))
    hostile.link.advance(910)
    assert lines(hostile)[-1] == "UPDATE"


def early_offer(*steps: int | str) -> tuple[HostileCall, Call]:
    """A call of ours without an offer, whose 183 has one that waits for our answer."""
    hostile = HostileCall(True, offers=False)
    call = hostile.call
    assert call is not None
    call.on_change = lambda change: None
    play(hostile, 183, *steps)
    return hostile, call


def test_a_2xx_before_the_prack_of_its_offer() -> None:
    """RFC 3262 3 forbids it; the answer goes where it belongs all the same, and the ACK behind it."""
    hostile, call = early_offer(200)
    assert call.states[-1] == "connecting" and lines(hostile) == ["INVITE"]
    hostile.say("accept")
    assert lines(hostile) == ["INVITE", "PRACK", "ACK"] and call.states[-1] == "connected"
    answer = call.usage.negotiation.active_local
    assert answer is not None and hostile.link.last_requests[False].body == answer.encode()
    assert [update.early for update in call.updates] == [False]


def test_a_2xx_before_the_prack_of_an_offer_that_nobody_answers() -> None:
    hostile, call = early_offer(200)
    hostile.link.advance(LATE_ANSWER_TIMEOUT + 1)
    assert lines(hostile)[:4] == ["INVITE", "PRACK", "ACK", "BYE"]
    assert call.last.disconnect_reason == "the offer was not answered in time"


def test_the_call_ends_between_its_2xx_and_the_answer_to_its_early_offer() -> None:
    hostile, _ = early_offer(200, "end")
    assert lines(hostile) == ["INVITE", "PRACK", "ACK", "BYE"]


def test_another_branch_of_an_early_offer_accepts() -> None:
    """RFC 3261 13.2.2.4: nobody waits for the answer in a branch that is over."""
    hostile, call = early_offer()
    request = hostile.link.last_requests[True]
    other = make_response(request, 200, None, "other", [("Contact", "<sip:other@10.0.0.9>"), ("Content-Type", SDP)])
    other.body = sdp("10.0.0.9").encode()
    hostile.party.layer.message_received(parse_message(other.encode()), hostile.party.hop, hostile.link.now)
    hostile.say("accept")
    hostile.link.advance(2 * LATE_ANSWER_TIMEOUT)
    assert lines(hostile) == ["INVITE", "ACK"] and call.states[-1] == "connected"


def test_an_early_offer_is_not_answered_once_the_call_is_cancelled() -> None:
    hostile, _ = early_offer("end")
    hostile.link.advance(2 * LATE_ANSWER_TIMEOUT)
    assert "PRACK" not in lines(hostile) and lines(hostile)[1] == "CANCEL"


def unreliable(hostile: HostileCall, *more: str, body: bytes = sdp("10.0.0.9").encode()) -> None:
    """A 180 with a description, which is not reliable."""
    hostile.say(180, TYPE, *more, body=body)


def test_a_preview_is_told_once_and_is_the_answer_of_a_2xx_without_one() -> None:
    """RFC 3261 13.2.1: the first description is the answer, wherever it was."""
    hostile = HostileCall(True)
    unreliable(hostile)
    unreliable(hostile)
    hostile.say(200, body=b"")
    call = hostile.call
    assert call is not None and call.states[-1] == "connected"
    assert [update.early for update in call.updates] == [True, False]
    assert call.usage.negotiation.active_remote == sdp("10.0.0.9")


def test_a_preview_of_nothing_that_was_offered_is_ignored() -> None:
    """RFC 3261 13.2.1: an offer may not stand in an unreliable response; what is no answer is no preview."""
    hostile = HostileCall(True, offers=False)
    unreliable(hostile)
    assert hostile.call is not None and hostile.call.updates == []
    hostile = HostileCall(True)
    unreliable(hostile, body=OTHER)
    unreliable(hostile, body=b"rubbish")
    assert hostile.call is not None and hostile.call.updates == [] and hostile.call.states[-1] == "early"


@pytest.mark.parametrize(
    ("code", "lines_of_it"),
    [(180, ["RSeq: 1"]), (180, ["Require: 100rel"]), (180, ["Require: 100rel", "RSeq: x"]), (100, ["Require: 100rel"])],
)
def test_what_is_not_reliable_gets_no_prack(code: int, lines_of_it: list[str]) -> None:
    """RFC 3262 4: it takes both headers, and is no 100."""
    hostile = HostileCall(True)
    hostile.say(code, *lines_of_it, *(["RSeq: 1"] if code == 100 else []), body=b"")
    assert lines(hostile) == ["INVITE"]


def test_a_reliable_response_without_the_offer() -> None:
    """RFC 3262 5: the offer may still come in the 2xx."""
    hostile = HostileCall(True, offers=False)
    call = hostile.call
    assert call is not None
    call.on_change = lambda change: None
    hostile.say(183, body=b"")
    assert lines(hostile) == ["INVITE", "PRACK"]
    hostile.say(200)
    assert call.usage.negotiation.remote_offer is not None and lines(hostile) == ["INVITE", "PRACK"]
    hostile.say("accept")
    assert lines(hostile) == ["INVITE", "PRACK", "ACK"] and call.states[-1] == "connected"


def test_a_2xx_with_an_offer_that_crosses_the_cancel() -> None:
    """RFC 3261 13.2.2.4: the ACK has to have an answer, also where the BYE follows it."""
    hostile = HostileCall(True, offers=False)
    sent: list[bytes] = []
    send = hostile.link.send

    def record(data: bytes, *hops: Any) -> None:
        sent.append(data)
        send(data, *hops)

    hostile.link.send = record  # type: ignore[method-assign]
    play(hostile, 180, "end", 200)
    assert lines(hostile)[-2:] == ["ACK", "BYE"]
    assert b"m=message 0 TCP/MSRP" in sent[-2]


def test_a_cancel_that_nobody_heeds() -> None:
    """RFC 3261 9.1: 64*T1 after the CANCEL the INVITE is given up."""
    hostile = HostileCall(True)
    call = play(hostile, 180, "end")
    hostile.link.advance(31)
    assert call.states[-1] == "disconnecting"
    hostile.link.advance(2)
    assert call.states[-1] == "disconnected"


def test_an_invite_that_can_not_be_sent() -> None:
    """RFC 3261 8.1.3.1: a transport error counts as 503."""
    hostile = HostileCall(True)
    call = hostile.call
    assert call is not None

    def fail(data: bytes, *hops: Any) -> None:
        raise OSError("no route")

    hostile.link.send = fail  # type: ignore[method-assign]
    hostile.link.advance(1)
    assert (call.last.code, call.last.originator) == (503, "local") and "no route" in (
        call.last.disconnect_reason or ""
    )


# The callee


@pytest.mark.parametrize(("code", "phrase"), [(180, "Ringing"), (200, "OK"), (486, "Busy Here")])
def test_the_usual_phrase_is_told(code: int, phrase: str) -> None:
    call = play(HostileCall(False), "INVITE")
    call.respond(code)
    assert (call.last.code, call.last.reason) == (code, phrase)
    other = play(HostileCall(False), "INVITE")
    other.usage.respond(code, "My own", sdp=other.sdp() if code == 200 else None, now=other.party.link.now)
    assert other.last.reason == "My own"


def test_an_answer_that_was_given_is_given() -> None:
    call = play(HostileCall(False), "INVITE", "accept")
    with pytest.raises(InvalidStateError, match="no INVITE waits"):
        call.respond(180)


def test_a_bad_answer_in_a_prack_refuses_the_call() -> None:
    """RFC 3262 5, RFC 3261 21.4.26"""
    hostile = HostileCall(False)
    hostile.say("INVITE", body=b"")
    call = hostile.call
    assert call is not None
    call.usage.respond(183, sdp=call.sdp(), now=hostile.link.now)
    hostile.say("PRACK", TYPE, body=OTHER)
    assert lines(hostile)[-2:] == ["488 PRACK", "488 INVITE"]
    assert call.states[-1] == "disconnected" and [update.succeeded for update in call.updates] == [False]


@pytest.mark.parametrize("rack", ["1 1 INVITE", "{} 9 INVITE", "{} 1 OPTIONS", "x"])
def test_a_prack_of_something_else(rack: str) -> None:
    """RFC 3262 3: 481 for one that matches no response; the response that waits goes on doing so."""
    hostile = HostileCall(False)
    call = play(hostile, "INVITE")
    call.usage.respond(183, sdp=call.sdp(), now=hostile.link.now)
    hostile.rack = rack.format(hostile.link.last_rseq)
    hostile.say("PRACK", body=b"")
    assert lines(hostile)[-1] == ("400 PRACK" if rack == "x" else "481 PRACK")
    hostile.link.advance(1)
    assert lines(hostile)[-1] == "183 INVITE"


def test_a_prack_of_nothing_reliable() -> None:
    """RFC 3262 3"""
    hostile = HostileCall(False)
    play(hostile, "INVITE", "PRACK")
    assert "481 PRACK" in lines(hostile)


def test_an_offer_in_the_prack_keeps_the_2xx_back() -> None:
    """RFC 3262 3, 5: another offer may come with the PRACK; the call is accepted when it is answered."""
    hostile = HostileCall(False)
    hostile.say("INVITE")
    call = hostile.call
    assert call is not None
    call.on_change = lambda change: None
    call.usage.respond(183, sdp=call.sdp(), now=hostile.link.now)
    call.respond(200)
    hostile.say("PRACK")
    assert lines(hostile) == ["183 INVITE"] and call.usage.negotiation.remote_offer is not None
    call.respond(200)
    assert lines(hostile) == ["183 INVITE", "200 PRACK", "200 INVITE"]


def test_an_offer_does_not_stand_in_an_unreliable_response() -> None:
    """RFC 3261 13.2.1: it goes in the 2xx then."""
    hostile = HostileCall(False)
    hostile.unreliable = True
    hostile.say("INVITE", body=b"")
    call = hostile.call
    assert call is not None
    call.on_change = lambda change: None
    call.usage.respond(183, sdp=call.sdp(), now=hostile.link.now)
    assert call.usage.negotiation.local_offer is None and call.updates == []
    call.respond(200)
    assert call.usage.negotiation.local_offer is not None and call.updates == []


def test_a_preview_is_told_and_is_the_answer() -> None:
    """RFC 3261 13.2.1: what an unreliable response says that the answer will be, the 2xx says."""
    hostile = HostileCall(False)
    hostile.unreliable = True
    call = play(hostile, "INVITE")
    call.on_change = lambda change: None
    call.usage.respond(183, sdp=call.sdp(), now=hostile.link.now)
    assert [update.early for update in call.updates] == [True]
    call.usage.respond(200, now=hostile.link.now)
    assert [update.early for update in call.updates] == [True, False]
    assert call.usage.negotiation.active_local == call.sdp()


def test_the_call_ends_while_its_late_answer_is_told() -> None:
    """RFC 3261 15: the ACK is there, so the BYE may leave."""
    hostile = HostileCall(False)
    hostile.say("INVITE", body=b"")
    call = hostile.call
    assert call is not None
    call.respond(200)
    updated = call.sdp_updated
    call.sdp_updated = lambda update: (updated(update), call.end())  # type: ignore[method-assign]
    hostile.say("ACK")
    assert lines(hostile) == ["200 INVITE", "BYE"] and call.states[-1] == "disconnecting"


def test_a_refusal_ends_the_repetitions_of_a_reliable_response() -> None:
    """RFC 3262 3: after the final response nothing is repeated but that."""
    hostile = HostileCall(False)
    call = play(hostile, "INVITE")
    call.on_change = lambda change: None
    play(hostile, "progress", "refuse")
    hostile.link.sent.clear()
    hostile.link.advance(40)
    assert "183 INVITE" not in lines(hostile)


def test_a_2xx_that_can_not_be_sent() -> None:
    """RFC 3261 13.3.1.4: a session that the caller does not know of is ended."""
    hostile = HostileCall(False)
    call = play(hostile, "INVITE")
    send = hostile.link.send

    def fail(data: bytes, *hops: Any) -> None:
        if data.startswith(b"SIP/2.0 200"):
            raise OSError("no route")
        send(data, *hops)

    hostile.link.send = fail  # type: ignore[method-assign]
    call.respond(200)
    hostile.link.advance(1)
    assert "BYE" in lines(hostile) and "no route" in (call.last.disconnect_reason or "")
