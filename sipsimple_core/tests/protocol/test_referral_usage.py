"""Referrals outside and inside calls (RFC 3515, 4488, 3892, 5589), on a clock of the test's own."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipsimple.core.protocol.dialog import DialogId
from sipsimple.core.protocol.invite_events import InvalidStateError
from sipsimple.core.protocol.invite_states import InviteState
from sipsimple.core.protocol.outgoing_request import OutgoingRequest
from sipsimple.core.protocol.referral_usage import IncomingReferralUsage, progress_of, refer_headers
from sipsimple.core.protocol.subscription_times import TIMER_N
from sipsimple.core.protocol.transfer import send_transfer, transfer_target
from sipsimple.core.wire.headers import FrozenFromHeader, FrozenReferToHeader, FrozenReplacesHeader
from sipsimple.core.wire.message import SIPRequest, SIPResponse
from sipsimple.core.wire.uri import FrozenSIPURI
from sipsimple.testing.event_parties import EventParty, RawPeer, Served, Watch
from sipsimple.testing.parties import Call, Link, Message

TARGET = "sip:carol@10.0.0.3"


@pytest.fixture
def alice(link: Link) -> EventParty:
    return EventParty(link, "alice", "10.0.0.1")


@pytest.fixture
def bob(link: Link) -> EventParty:
    return EventParty(link, "bob", "10.0.0.2", ["refer", "presence"])


@pytest.fixture
def peer(link: Link) -> RawPeer:
    return RawPeer(link, "peer", "10.0.0.9")


def nothing_left(link: Link, *parties: EventParty) -> None:
    link.advance(400)
    for party in parties:
        assert party.core.dialogs == 0 and party.events.subscriptions == 0 and len(party.timers) == 0


def followed(served: Served) -> None:
    assert served.referral is not None
    served.referral.accept(now=served.party.link.now)


def tell(served: Served, code: int, reason: str | None = None) -> None:
    assert served.referral is not None
    served.referral.notify(code, reason, now=served.party.link.now)


# Outside a call


def test_a_referral_from_refer_to_the_final_notify(link: Link, alice: EventParty, bob: EventParty) -> None:
    """RFC 3515 4.1: REFER, 202, NOTIFYs with the status lines, the final one ends it."""
    bob.serve = followed
    watch = alice.refer(bob, TARGET)
    link.deliver()
    (served,) = bob.served
    assert served.referral is not None
    assert str(served.referral.refer_to.uri) == TARGET
    assert served.referral.referred_by is not None and served.referral.referred_by.uri.matches("alice@10.0.0.1")
    tell(served, 180)
    tell(served, 200, "Fine")
    link.deliver()
    assert [body for _, body in watch.notified] == [
        b"SIP/2.0 100 Trying\r\n",
        b"SIP/2.0 180 Ringing\r\n",
        b"SIP/2.0 200 Fine\r\n",
    ]
    assert [state for state, _ in watch.notified] == [
        "active;expires=180",
        "active;expires=180",
        "terminated;reason=noresource",
    ]
    assert watch.told == ["notify_wait", "started", "active", "notify", "notify", "terminated", "notify", "ended"]
    assert link.lines("bob")[:2] == ["202 REFER", "NOTIFY"]
    # nobody wants to hear more
    tell(served, 486)
    nothing_left(link, alice, bob)


def test_what_the_refer_and_its_notifies_say(link: Link, alice: EventParty, bob: EventParty, peer: RawPeer) -> None:
    """RFC 3515 2.1, 2.4.6, RFC 3892 3: Refer-To, Referred-By, no Event in REFER; refer and sipfrag in NOTIFY."""
    alice.refer(peer, TARGET)
    link.deliver()
    (request,) = peer.requests("REFER")
    assert request.headers.get("Refer-To") == f"<{TARGET}>" and request.headers.get("Referred-By")
    assert "Event" not in request.headers and "Expires" not in request.headers and request.contact
    bob.serve = followed
    lines = [
        "REFER sip:bob@10.0.0.2:5060 SIP/2.0",
        "Via: SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bKrefer",
        "From: <sip:peer@10.0.0.9>;tag=raw",
        "To: <sip:bob@10.0.0.2>",
        "Call-ID: refer",
        "CSeq: 93809823 REFER",
        "Max-Forwards: 70",
        "Contact: <sip:peer@10.0.0.9:5060>",
        f"Refer-To: {TARGET}",
    ]
    peer.send(lines, b"", bob.hop)
    link.deliver()
    (notify,) = peer.requests("NOTIFY")
    assert notify.headers.get("Event") == "refer" and notify.content_type == "message/sipfrag"
    assert progress_of(notify) == (100, "Trying")
    assert peer.responses("REFER") == [202]


def test_headers_that_the_application_gives_count(link: Link) -> None:
    """RFC 3892 3: another Referred-By takes the place of ours."""
    identity = FrozenFromHeader(FrozenSIPURI("example.com", user="alice"), None, {"tag": "1"})
    given_headers = [("Referred-By", "<sip:boss@example.com>")]
    headers = refer_headers(FrozenReferToHeader(TARGET), identity, given_headers)
    assert [str(value) for name, value in headers if name == "Referred-By"] == ["<sip:boss@example.com>"]
    assert all(name != "Refer-Sub" for name, _ in headers)
    headers = refer_headers(FrozenReferToHeader(TARGET), identity, (), create_subscription=False)
    assert ("Refer-Sub", "false") in headers and ("Supported", "norefersub") in headers
    assert [value.body for name, value in headers if name == "Referred-By"] == ["<sip:alice@example.com>"]  # type: ignore[union-attr]


def test_a_referral_without_subscription(link: Link, alice: EventParty, bob: EventParty) -> None:
    """RFC 4488 4: Refer-Sub: false in the REFER and in its 2xx; no dialog, no NOTIFY."""
    bob.serve = followed
    watch = alice.refer(bob, TARGET, create_subscription=False)
    link.deliver()
    assert watch.told == ["notify_wait", "started", "terminated", "ended"]
    assert watch.outcome is not None and not watch.outcome.failed
    assert link.lines() == ["REFER", "202 REFER"] and bob.served[0].told == ["terminated", "ended"]
    tell(bob.served[0], 200)
    nothing_left(link, alice, bob)


def test_who_does_not_know_refer_sub_tells_all_the_same(link: Link, alice: EventParty, peer: RawPeer) -> None:
    """RFC 4488 4: without Refer-Sub in the 2xx there is a subscription."""
    watch = alice.refer(peer, TARGET, create_subscription=False)
    link.deliver()
    (request,) = peer.requests("REFER")
    peer.answer(request, 202)
    peer.notify(request, "terminated;reason=noresource")
    link.deliver()
    assert watch.told == ["notify_wait", "started", "terminated", "notify", "ended"]


@pytest.mark.parametrize("event", ["refer", "refer;id=1"])
def test_the_id_of_the_first_refer_may_be_left_out(link: Link, alice: EventParty, peer: RawPeer, event: str) -> None:
    """RFC 3515 2.4.6; refreshes then name it as the NOTIFY did."""
    watch = alice.refer(peer, TARGET)
    link.deliver()
    (request,) = peer.requests("REFER")
    peer.answer(request, 202)
    peer.notify(request, event="refer;id=2")
    peer.notify(request, "active;expires=60", event=event)
    link.deliver()
    assert peer.responses("NOTIFY") == [481, 200] and watch.state == "active"
    link.advance(30.2)
    (refresh,) = peer.requests("SUBSCRIBE")
    assert refresh.headers.get("Event") == event and refresh.cseq is not None and refresh.cseq.number == 2


def test_a_referral_of_which_nothing_is_heard(link: Link, alice: EventParty, peer: RawPeer) -> None:
    watch = alice.refer(peer, TARGET)
    link.deliver()
    peer.answer(peer.requests("REFER")[0], 202)
    link.advance(TIMER_N + 1)
    assert watch.told[-1] == "failed"
    nothing_left(link, alice)


def test_a_referral_whose_time_is_not_told_does_not_last_for_ever(link: Link, alice: EventParty, peer: RawPeer) -> None:
    watch = alice.refer(peer, TARGET)
    link.deliver()
    (request,) = peer.requests("REFER")
    peer.answer(request, 202)
    peer.notify(request, "active")
    peer.on_message = lambda message: peer.answer(message, 500) if isinstance(message, SIPRequest) else None
    link.advance(200)
    assert watch.told[-1] == "failed"
    nothing_left(link, alice)


def test_ending_a_referral_unsubscribes(link: Link, alice: EventParty, bob: EventParty) -> None:
    """RFC 3515 2.4.4, RFC 6665 4.1.2.3: what the recipient does goes on unheard."""
    bob.serve = followed
    watch = alice.refer(bob, TARGET)
    link.deliver()
    watch.end()
    link.deliver()
    assert watch.told[-1] == "ended" and bob.served[0].told[-4:] == ["cancelled", "terminated", "notify 200", "ended"]
    tell(bob.served[0], 200)
    nothing_left(link, alice, bob)


def test_a_long_referral_is_refreshed(link: Link, alice: EventParty, bob: EventParty) -> None:
    bob.serve = followed
    watch = alice.refer(bob, TARGET)
    link.advance(1000)
    assert watch.state == "active" and bob.served[0].told.count("refreshed 3600") == 1
    tell(bob.served[0], 603)
    link.deliver()
    assert watch.told[-1] == "ended"
    nothing_left(link, alice, bob)


@pytest.mark.parametrize(
    ("headers", "code"),
    [
        ([], 400),
        (["Refer-To: <sip:a@b>", "Refer-To: <sip:c@d>"], 400),
        (["Refer-To: <sip:a@b"], 400),
        (["Refer-To: "], 400),
        (["Refer-To: <sip:a@b>", "Require: multiple-refer"], 420),
        (["Refer-To: <sip:a@b>"], 202),
        (["Refer-To: <tel:+31>", "Referred-By: <<"], 202),
        (["r: <http://example.com/>", "b: <sip:x@y>", "Refer-Sub: maybe"], 202),
    ],
)
def test_refers_good_and_bad(link: Link, peer: RawPeer, bob: EventParty, headers: list[str], code: int) -> None:
    """RFC 3515 2.4.2: exactly one Refer-To; what it leads to is the application's business."""
    bob.serve = followed
    lines = [
        "REFER sip:bob@10.0.0.2:5060 SIP/2.0",
        "Via: SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bKrefer",
        "From: <sip:peer@10.0.0.9>;tag=raw",
        "To: <sip:bob@10.0.0.2>",
        "Call-ID: refer",
        "CSeq: 1 REFER",
        "Max-Forwards: 70",
        "Contact: <sip:peer@10.0.0.9:5060>",
        *headers,
    ]
    peer.send(lines, b"", bob.hop)
    link.deliver()
    assert peer.responses("REFER") == [code]


def test_who_follows_no_references(link: Link, alice: EventParty, bob: EventParty) -> None:
    """RFC 3515 2.4.2: without the package `refer` it is declined."""
    watch = bob.refer(alice, TARGET)
    link.deliver()
    assert watch.outcome is not None and watch.outcome.code == 603 and not alice.served


def test_the_application_declines(link: Link, alice: EventParty, bob: EventParty) -> None:
    def decline(served: Served) -> None:
        assert served.referral is not None
        with pytest.raises(InvalidStateError):
            tell(served, 200)
        with pytest.raises(InvalidStateError):
            tell(served, 180)
        served.referral.reject(488, now=link.now)
        with pytest.raises(InvalidStateError):
            served.referral.accept(now=link.now)

    bob.serve = decline
    watch = alice.refer(bob, TARGET)
    link.deliver()
    assert watch.outcome is not None and watch.outcome.code == 488
    nothing_left(link, alice, bob)


@pytest.mark.parametrize(
    ("content_type", "body", "progress"),
    [
        ("message/sipfrag;version=2.0", b"SIP/2.0 180 Ringing\r\n", (180, "Ringing")),
        ("MESSAGE/SIPFRAG", b"SIP/2.0 200 OK", (200, "OK")),
        ("message/sipfrag", b"SIP/2.0 486 Busy\r\nFrom: <sip:x@y>\r\n", (486, "Busy")),
        ("message/sipfrag", b"INVITE sip:x@y SIP/2.0\r\n", None),
        ("message/sipfrag", b"SIP/2.0 999 Odd", None),
        ("message/sipfrag", b"", None),
        ("text/plain", b"SIP/2.0 200 OK", None),
        (None, b"", None),
    ],
)
def test_reading_progress(content_type: str | None, body: bytes, progress: tuple[int, str] | None) -> None:
    """RFC 3515 2.4.5, RFC 3420."""
    headers = [] if content_type is None else [("Content-Type", content_type)]
    assert progress_of(SIPRequest("NOTIFY", "sip:x@y", headers, body)) == progress


@given(st.binary(max_size=60))
def test_no_body_breaks_the_reader(body: bytes) -> None:
    progress = progress_of(SIPRequest("NOTIFY", "sip:x@y", [("Content-Type", "message/sipfrag")], body))
    assert progress is None or 100 <= progress[0] <= 699


# Inside a call


def connected(link: Link, alice: EventParty, bob: EventParty) -> tuple[Call, Call]:
    known = len(bob.incoming)
    bob.answer = lambda call: call.respond(200)
    call = alice.call(bob)
    link.deliver()
    assert call.usage.state is InviteState.CONNECTED
    return call, bob.incoming[known]


def transfer(link: Link, alice: EventParty, call: Call, target: str = TARGET) -> Watch:
    watch = Watch(alice)
    headers = refer_headers(transfer_target(FrozenSIPURI.parse(target)), FrozenFromHeader(alice.uri))
    watch.usage = send_transfer(alice.core, call.usage, headers, watch, now=link.now)
    return watch


def serve_transfers(party: EventParty, call: Call) -> list[IncomingReferralUsage]:
    taken: list[IncomingReferralUsage] = []

    def received(usage: IncomingReferralUsage, request: SIPRequest, now: float) -> None:
        taken.append(usage)
        usage.accept(now=now)

    call.transfer_received = received  # type: ignore[attr-defined]
    return taken


def test_a_transfer_of_a_call(link: Link, alice: EventParty, bob: EventParty) -> None:
    """RFC 5589 6.1, RFC 3515 2.4.6: REFER and NOTIFY inside the call, whose numbers go on."""
    call, answer = connected(link, alice, bob)
    taken = serve_transfers(bob, answer)
    watch = transfer(link, alice, call)
    link.deliver()
    (referral,) = taken
    referral.notify(180, now=link.now)
    link.deliver()
    assert (alice.core.dialogs, bob.core.dialogs) == (1, 1)
    referral.notify(200, now=link.now)
    link.deliver()
    assert [body for _, body in watch.notified] == [
        b"SIP/2.0 100 Trying\r\n", b"SIP/2.0 180 Ringing\r\n", b"SIP/2.0 200 OK\r\n",
    ]  # fmt: skip
    assert watch.told[-1] == "ended" and call.usage.state is answer.usage.state is InviteState.CONNECTED
    call.end()
    link.deliver()
    assert answer.last.state is InviteState.DISCONNECTED
    nothing_left(link, alice, bob)


def test_the_transfer_outlives_the_call(link: Link, alice: EventParty, bob: EventParty) -> None:
    """RFC 5057 4.1: the dialog lasts as long as one of its usages."""
    call, answer = connected(link, alice, bob)
    taken = serve_transfers(bob, answer)
    watch = transfer(link, alice, call)
    link.deliver()
    answer.end()
    link.deliver()
    assert (alice.core.dialogs, bob.core.dialogs) == (1, 1)
    taken[0].notify(200, now=link.now)
    link.deliver()
    assert watch.notified[-1][1] == b"SIP/2.0 200 OK\r\n" and watch.told[-1] == "ended"
    nothing_left(link, alice, bob)


def test_one_transfer_at_a_time(link: Link, alice: EventParty, bob: EventParty) -> None:
    call, answer = connected(link, alice, bob)
    taken = serve_transfers(bob, answer)
    transfer(link, alice, call)
    second = transfer(link, alice, call)
    link.deliver()
    assert second.outcome is not None and second.outcome.code == 491 and len(taken) == 1
    taken[0].notify(486, now=link.now)
    link.deliver()
    third = transfer(link, alice, call)
    link.deliver()
    assert third.state == "active" and len(taken) == 2
    taken[1].end(603, now=link.now)
    link.deliver()
    call.end()
    nothing_left(link, alice, bob)


def test_a_call_whose_user_takes_no_transfers(link: Link, alice: EventParty, bob: EventParty) -> None:
    call, _ = connected(link, alice, bob)
    watch = transfer(link, alice, call)
    link.deliver()
    assert watch.outcome is not None and watch.outcome.code == 603
    assert call.usage.state is InviteState.CONNECTED
    call.end()
    nothing_left(link, alice, bob)


def test_a_refer_that_is_out_of_order(link: Link, alice: EventParty, bob: EventParty) -> None:
    """RFC 3261 12.2.2: the usages of a dialog share their CSeq numbers."""
    call, answer = connected(link, alice, bob)
    serve_transfers(bob, answer)
    dialog = call.usage.dialog
    assert dialog is not None
    late = dialog.create_request("REFER", [("Refer-To", f"<{TARGET}>")])
    watch = transfer(link, alice, call)
    link.deliver()
    assert watch.state == "active"
    codes: list[int] = []

    class Owner:
        def request_refused(self, outgoing: object, response: SIPResponse, now: float) -> None:
            codes.append(response.code)

    OutgoingRequest(late, [bob.hop], alice.core, Owner(), dialog=dialog, now=link.now)  # type: ignore[arg-type]
    link.deliver()
    assert codes == [500]


def test_calls_that_are_not_connected_are_not_transferred(link: Link, alice: EventParty, bob: EventParty) -> None:
    call = alice.call(bob)
    link.deliver()
    with pytest.raises(InvalidStateError):
        transfer(link, alice, call)
    call.end()
    link.advance(50)
    with pytest.raises(InvalidStateError):
        transfer(link, alice, call)


def test_the_target_of_an_attended_transfer() -> None:
    """RFC 3891 3, RFC 5589 7.1: Replaces in Refer-To, its tags as the target sees them, its value escaped."""
    replaced = DialogId("call;1@host", "ours", "theirs")
    refer_to = transfer_target(FrozenSIPURI("10.0.0.3", user="carol"), DialogId("call1@host", "ours", "theirs"))
    assert refer_to.body == "<sip:carol@10.0.0.3?Replaces=call1%40host%3Bto-tag%3Dtheirs%3Bfrom-tag%3Dours>"
    again = FrozenReferToHeader.parse(refer_to.body)
    from urllib.parse import unquote

    replaces = FrozenReplacesHeader.parse(unquote(again.uri.headers["Replaces"]))
    assert (replaces.call_id, replaces.to_tag, replaces.from_tag) == ("call1@host", "theirs", "ours")
    with pytest.raises(ValueError):
        transfer_target(FrozenSIPURI("10.0.0.3"), replaced)


def test_transfers_count_among_the_subscriptions(link: Link, alice: EventParty) -> None:
    """Bounds: 503 with Retry-After."""
    bob = EventParty(link, "bob", "10.0.0.2", max_subscriptions=0)
    call, answer = connected(link, alice, bob)
    serve_transfers(bob, answer)
    watch = transfer(link, alice, call)
    link.deliver()
    assert watch.outcome is not None and (watch.outcome.code, watch.outcome.retry_after) == (503, 30)


def test_a_notify_of_a_call_without_transfer(link: Link, alice: EventParty, bob: EventParty) -> None:
    """RFC 6665 4.1.3: 481, and the call goes on."""
    call, answer = connected(link, alice, bob)
    dialog = answer.usage.dialog
    assert dialog is not None
    notify = dialog.create_request("NOTIFY", [("Event", "refer"), ("Subscription-State", "active")])
    codes: list[int] = []

    class Owner:
        def request_refused(self, outgoing: object, response: SIPResponse, now: float) -> None:
            codes.append(response.code)

    OutgoingRequest(notify, [alice.hop], bob.core, Owner(), dialog=dialog, now=link.now)  # type: ignore[arg-type]
    link.deliver()
    assert codes == [481] and call.usage.state is InviteState.CONNECTED


def test_lost_messages_are_made_up_for(link: Link, alice: EventParty, bob: EventParty) -> None:
    lost: set[bytes] = set()

    def drop(message: Message) -> bool:
        """Each message once."""
        data = message.encode()
        first = data not in lost
        lost.add(data)
        return first

    bob.serve = followed
    link.drop = drop
    watch = alice.refer(bob, TARGET)
    link.advance(30)
    tell(bob.served[0], 200)
    link.advance(30)
    assert watch.told[-1] == "ended" and watch.notified[-1][1] == b"SIP/2.0 200 OK\r\n"
    nothing_left(link, alice, bob)
