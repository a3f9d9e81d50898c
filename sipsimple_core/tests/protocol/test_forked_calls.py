"""Calls that fork, are redirected, replaced, or accepted too late: what a caller has to cope with, on two stacks."""

from __future__ import annotations

import pytest

from sipsimple.core.protocol.invite_states import InviteState
from sipsimple.core.protocol.outgoing_invite import MAX_BRANCHES, PROVISIONAL_TIMEOUT
from sipsimple.core.protocol.replaces import MAX_ENDED_CALLS, REPLACED, EndedCalls
from sipsimple.core.protocol.unwanted_dialog import MAX_STRAYS, STRAY_LIFETIME
from sipsimple.core.wire.headers import FrozenReasonHeader
from sipsimple.core.wire.message import SIPRequest, SIPResponse
from sipsimple.core.wire.parser import parse_message
from sipsimple.testing.parties import Call, Link, Party, assert_nothing_left


def establish(link: Link, caller: Party, callee: Party, **options: object) -> tuple[Call, Call]:
    call = caller.call(callee, **options)  # type: ignore[arg-type]
    link.deliver()
    callee.incoming[-1].respond(200)
    link.deliver()
    assert call.usage.state is callee.incoming[-1].usage.state is InviteState.CONNECTED
    return call, callee.incoming[-1]


def fork(link: Link, call: Call, *callees: Party) -> None:
    """The INVITE that is under way reaches all of these, as a proxy would have it (16.6)."""
    data, source, _ = link.queue.popleft()
    for callee in callees:
        link.queue.append((data, source, callee.hop))
    link.deliver()


# Forks


def test_early_dialogs_of_a_fork(link: Link, alice: Party, bob: Party, carol: Party) -> None:
    """RFC 3261 12.1, 13.2.2.4: each branch has an early dialog; the 2xx picks one, and nothing is left of the other."""
    call = alice.call(bob)
    fork(link, call, bob, carol)
    for callee in (bob, carol):
        callee.incoming[0].usage.respond(183, sdp=callee.incoming[0].sdp(), now=link.now)
        link.deliver()
    assert alice.core.dialogs == 2 and link.lines("alice").count("PRACK") == 2
    assert [update.early for update in call.updates] == [True, True]
    assert [update.remote_sdp for update in call.updates] == [bob.incoming[0].sdp(), carol.incoming[0].sdp()]
    carol.incoming[0].usage.respond(200, now=link.now)
    link.deliver()
    assert call.usage.state is InviteState.CONNECTED and alice.core.dialogs == 1
    assert call.updates[-1].remote_sdp == carol.incoming[0].sdp() and not call.updates[-1].early
    call.end()
    link.deliver()
    assert carol.incoming[0].last.originator == "remote"


def test_both_branches_accept(link: Link, alice: Party, bob: Party, carol: Party) -> None:
    """RFC 3261 13.2.2.4: the second 2xx is acknowledged and ended with BYE."""
    call = alice.call(bob)
    fork(link, call, bob, carol)
    for callee in (bob, carol):
        callee.incoming[0].respond(180)
    link.deliver()
    for callee in (bob, carol):
        callee.incoming[0].respond(200)
    link.deliver()
    assert link.lines("alice") == ["INVITE", "ACK", "ACK", "BYE"]
    assert call.usage.state is bob.incoming[0].usage.state is InviteState.CONNECTED
    assert carol.incoming[0].usage.state is InviteState.DISCONNECTED
    call.end()
    assert_nothing_left(link, alice, bob, carol)


def test_the_second_branch_accepts_a_call_that_is_over(link: Link, alice: Party, bob: Party, carol: Party) -> None:
    """RFC 3261 13.2.2.4: also then it is acknowledged and ended."""
    call = alice.call(bob)
    fork(link, call, bob, carol)
    bob.incoming[0].respond(200)
    link.deliver()
    call.end()
    link.deliver()
    carol.incoming[0].respond(200)
    link.deliver()
    assert carol.incoming[0].usage.state is InviteState.DISCONNECTED
    assert_nothing_left(link, alice, bob, carol)


def test_a_branch_accepts_when_the_transaction_is_gone(link: Link, alice: Party, bob: Party, carol: Party) -> None:
    """RFC 3261 13.2.2.4, RFC 6026 8.4: a stray 2xx to an INVITE of ours gets ACK and BYE, each time."""
    call = alice.call(bob)
    fork(link, call, bob, carol)
    carol.incoming[0].respond(180)
    bob.incoming[0].respond(200)
    link.advance(60)
    lost: list[str] = []

    def lose_first(message: object) -> bool:
        if isinstance(message, SIPRequest) and message.method in ("ACK", "BYE") and message.method not in lost:
            lost.append(message.method)
            return True
        return False

    link.drop = lose_first
    carol.incoming[0].respond(200)
    link.advance(3)
    assert carol.incoming[0].usage.state is InviteState.DISCONNECTED
    assert link.lines("alice").count("ACK") == 3
    assert call.usage.state is InviteState.CONNECTED
    call.end()
    assert_nothing_left(link, alice, bob, carol)


def test_a_2xx_to_no_invite_of_ours_is_dropped(link: Link, alice: Party, bob: Party) -> None:
    """Nobody can have us send requests by sending us responses."""
    call, _ = establish(link, alice, bob)
    call.end()
    link.deliver()
    link.advance(STRAY_LIFETIME + 60)
    before = len(link.lines("alice"))
    response = SIPResponse(200, "OK", [
        ("Via", "SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bKnone"), ("From", "<sip:a@b>;tag=1"), ("To", "<sip:c@d>;tag=2"),
        ("Call-ID", "none"), ("CSeq", "1 INVITE"), ("Contact", "<sip:victim@10.9.9.9>"),
    ])  # fmt: skip
    link.queue.append((response.encode(), bob.hop, alice.hop))
    link.deliver()
    assert len(link.lines("alice")) == before


def test_what_is_remembered_is_bounded(link: Link, alice: Party, bob: Party) -> None:
    for _ in range(3):
        call = alice.call(bob)
        call.end()
        link.deliver()
    strays = alice.core.strays
    invite = alice.call(bob).usage.initial
    assert invite is not None
    for number in range(MAX_STRAYS + 50):
        invite.headers.set("Call-ID", f"c{number}")
        strays.remember(SIPRequest("INVITE", bob.uri, invite.headers.copy()), None, bob.hop, None, link.now)  # type: ignore[arg-type]
    assert len(strays) == MAX_STRAYS


def test_an_early_dialog_too_many(link: Link, alice: Party, bob: Party) -> None:
    call = alice.call(bob)
    link.deliver()
    bob.incoming[0].respond(180)
    data, source, destination = link.queue.popleft()
    tag = (parse_message(data).to_header.tag or "").encode()  # type: ignore[union-attr]
    for number in range(MAX_BRANCHES + 10):
        link.queue.append((data.replace(tag, b"tag%d" % number), source, destination))
    link.deliver()
    assert alice.core.dialogs == MAX_BRANCHES
    assert len(call.changes) == MAX_BRANCHES + 11
    call.end()
    assert_nothing_left(link, alice, bob)


def test_a_branch_says_bye_before_the_call(link: Link, alice: Party, bob: Party, carol: Party) -> None:
    """The other branch rings on; when it was the last, the call is over."""
    call = alice.call(bob)
    fork(link, call, bob, carol)
    for callee in (bob, carol):
        callee.incoming[0].respond(180)
    link.deliver()
    for callee, state in ((bob, InviteState.EARLY), (carol, InviteState.DISCONNECTED)):
        dialog = callee.incoming[0].usage.dialog
        assert dialog is not None
        callee.core.send_request(dialog.create_request("BYE"), dialog.next_hop(), _Ignore(), link.now)
        link.deliver()
        assert call.usage.state is state
    assert call.last.originator == "remote"


class _Ignore:
    def response_received(self, *args: object) -> None: ...

    transaction_timed_out = transport_failed = transaction_terminated = response_received


def test_a_phone_that_rings_for_ever(link: Link, alice: Party, bob: Party) -> None:
    """RFC 3261 16.6: after more than three minutes without a word the caller gives up, though nobody asked for it."""
    call = alice.call(bob)
    link.deliver()
    bob.incoming[0].respond(180)
    bob.incoming[0].usage.stop_limit()
    link.advance(PROVISIONAL_TIMEOUT - 1)
    assert call.usage.state is InviteState.EARLY
    link.advance(2)
    assert call.last.code == 408 and bob.incoming[0].last.code == 487


@pytest.mark.parametrize("record_route", ["<sip:10.0.0.2;lr>", "<sip:10.0.0.2>"])
def test_the_2xx_makes_the_route_set_anew(link: Link, alice: Party, bob: Party, record_route: str) -> None:
    """RFC 3261 13.2.2.4, 12.1.2."""
    call = alice.call(bob)
    link.deliver()
    bob.incoming[0].respond(180)
    link.deliver()
    bob.incoming[0].usage.respond(
        200, sdp=bob.incoming[0].sdp(), headers=[("Record-Route", record_route)], now=link.now
    )
    link.deliver()
    dialog = call.usage.dialog
    assert dialog is not None and [str(route.uri) for route in dialog.route_set] == [record_route[1:-1]]


# Redirection


def test_a_redirection_tells_its_targets(link: Link, alice: Party, bob: Party) -> None:
    """RFC 3261 8.1.3.4, 21.3: the contacts, best first; what can't be read is left out."""
    call = alice.call(bob)
    link.deliver()
    contacts = "<sip:c@10.0.0.3>;q=0.2, <sip:d@10.0.0.4>;q=0.9, rubbish<, <tel:+123>"
    bob.incoming[0].usage.respond(302, headers=[("Contact", contacts)], now=link.now)
    link.deliver()
    assert call.last.code == 302
    assert [str(target.uri) for target in call.last.targets][-2:] == ["sip:d@10.0.0.4", "sip:c@10.0.0.3"]


# Reason (RFC 3326)


def test_reasons_are_told(link: Link, alice: Party, bob: Party) -> None:
    """RFC 3326 2: in CANCEL and BYE."""
    reason = [("Reason", 'SIP;cause=200;text="Call completed elsewhere"')]
    call = alice.call(bob)
    link.deliver()
    bob.incoming[0].respond(180)
    link.deliver()
    call.usage.end(reason, now=link.now)
    link.deliver()
    (told,) = bob.incoming[0].last.reasons
    assert isinstance(told, FrozenReasonHeader) and told.protocol == "SIP"
    call, answer = establish(link, alice, bob)
    answer.usage.end([("Reason", "Q.850;cause=16"), ("Reason", "SIP;cause=480")], now=link.now)
    link.deliver()
    assert [told.protocol for told in call.last.reasons] == ["Q.850", "SIP"]


def test_reasons_that_can_not_be_read(link: Link, alice: Party, bob: Party) -> None:
    call, answer = establish(link, alice, bob)
    answer.usage.end([("Reason", ";;;")], now=link.now)
    link.deliver()
    assert call.usage.state is InviteState.DISCONNECTED and call.last.reasons == ()


# Replaces (RFC 3891)


def replaces(call: Call, *, early_only: bool = False, swap: bool = False) -> list[tuple[str, str]]:
    """The Replaces header that names a call as its remote party knows it."""
    dialog = call.usage.dialog
    assert dialog is not None
    theirs, mine = dialog.id.remote_tag, dialog.id.local_tag
    if swap:
        theirs, mine = mine, theirs
    return [("Replaces", f"{dialog.id.call_id};to-tag={theirs};from-tag={mine}{';early-only' if early_only else ''}")]


def test_a_call_takes_the_place_of_another(link: Link, alice: Party, bob: Party, carol: Party) -> None:
    """RFC 3891 3: when it is accepted the other one ends with BYE."""
    call, answer = establish(link, alice, bob)
    new = carol.call(bob, headers=replaces(call))
    link.deliver()
    incoming = bob.incoming[-1]
    assert incoming.usage.replaced is answer.usage and answer.usage.state is InviteState.CONNECTED
    incoming.respond(200)
    link.deliver()
    assert new.usage.state is incoming.usage.state is InviteState.CONNECTED
    assert answer.last.state is InviteState.DISCONNECTED and answer.last.disconnect_reason == REPLACED
    assert call.last.originator == "remote"


def test_a_replacement_that_is_refused_changes_nothing(link: Link, alice: Party, bob: Party, carol: Party) -> None:
    call, answer = establish(link, alice, bob)
    carol.call(bob, headers=replaces(call))
    link.deliver()
    bob.incoming[-1].respond(486)
    link.deliver()
    assert call.usage.state is answer.usage.state is InviteState.CONNECTED


def test_an_early_call_of_ours_is_replaced(link: Link, alice: Party, bob: Party, carol: Party) -> None:
    """RFC 3891 3, 7.1: a call pickup: who rings us has it cancelled."""
    call = alice.call(bob)
    link.deliver()
    bob.incoming[0].respond(180)
    link.deliver()
    new = carol.call(alice, headers=replaces(bob.incoming[0], early_only=True))
    link.deliver()
    assert alice.incoming[0].usage.replaced is call.usage
    alice.incoming[0].respond(200)
    link.deliver()
    assert new.usage.state is InviteState.CONNECTED
    assert call.last.disconnect_reason == REPLACED and bob.incoming[0].last.code == 487


@pytest.mark.parametrize(
    ("case", "code"),
    [
        ("unknown", 481), ("swapped tags", 481), ("early-only", 486), ("ended", 603), ("ringing here", 481),
        ("twice", 400), ("rubbish", 400), ("with Join", 400),
    ],
)  # fmt: skip
def test_what_can_not_be_replaced(link: Link, alice: Party, bob: Party, carol: Party, case: str, code: int) -> None:
    """RFC 3891 3."""
    if case == "ringing here":
        call = alice.call(bob)
        link.deliver()
        bob.incoming[0].respond(180)
        link.deliver()
    else:
        call, _ = establish(link, alice, bob)
    headers = {
        "unknown": [("Replaces", "nobody;to-tag=1;from-tag=2")],
        "swapped tags": replaces(call, swap=True),
        "early-only": replaces(call, early_only=True),
        "ended": replaces(call),
        "ringing here": replaces(call),
        "twice": replaces(call) * 2,
        "rubbish": [("Replaces", "a;to-tag")],
        "with Join": [*replaces(call), ("Join", "x;to-tag=1;from-tag=2")],
    }[case]
    if case == "ended":
        call.end()
        link.deliver()
    count = len(bob.incoming)
    new = carol.call(bob, headers=headers)
    link.deliver()
    assert new.last.code == code and len(bob.incoming) == count


def test_ended_calls_are_bounded() -> None:
    from sipsimple.core.protocol.dialog import DialogId

    ended = EndedCalls()
    for number in range(MAX_ENDED_CALLS + 10):
        ended.add(DialogId(str(number), "a", "b"))
    assert len(ended) == MAX_ENDED_CALLS
    assert DialogId("0", "a", "b") not in ended and DialogId("50", "a", "b") in ended


# A 2xx that is not as it should be


@pytest.mark.parametrize("header", ["Contact", "Record-Route"])
@pytest.mark.parametrize("value", [None, "<<<rubbish", "<tel:+1>", "*"])
def test_a_2xx_whose_headers_lead_nowhere(link: Link, alice: Party, bob: Party, header: str, value: str | None) -> None:
    """RFC 3261 13.2.2.4: it is acknowledged and can be ended all the same."""
    call = alice.call(bob)
    link.deliver()
    bob.incoming[0].respond(200)
    data, source, destination = link.queue.popleft()
    response = parse_message(data)
    if value is None:
        response.headers.remove(header)
    else:
        response.headers.set(header, value)
    link.queue.append((response.encode(), source, destination))
    link.deliver()
    assert link.lines("alice")[:2] == ["INVITE", "ACK"]
    call.end()
    link.deliver()
    assert call.usage.state is InviteState.DISCONNECTED
