"""Subscriptions that we have (RFC 6665 4.1), on a clock of the test's own, of a real notifier and of an odd one."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipsimple.core.protocol.event_server import EventServer
from sipsimple.core.protocol.invite_events import InvalidStateError
from sipsimple.core.protocol.subscription_states import (
    SUBSCRIPTION_STATES,
    SubscriptionEvent,
    SubscriptionState,
    resubscription_delay,
)
from sipsimple.core.protocol.subscription_times import MIN_REFRESH_DELAY, TIMER_N, refresh_delay
from sipsimple.core.protocol.subscription_usage import FATAL_CODES
from sipsimple.core.wire.headers import FrozenEventHeader
from sipsimple.core.wire.message import SIPRequest, SIPResponse, make_response
from sipsimple.testing.event_parties import EventParty, RawPeer, Watch
from sipsimple.testing.parties import Link, Message


@pytest.fixture
def alice(link: Link) -> EventParty:
    return EventParty(link, "alice", "10.0.0.1")


@pytest.fixture
def bob(link: Link) -> EventParty:
    """A whole notifier that grants everything."""
    bob = EventParty(link, "bob", "10.0.0.2")
    bob.serve = lambda served: served.accept(b"here")
    return bob


@pytest.fixture
def peer(link: Link) -> RawPeer:
    return RawPeer(link, "peer", "10.0.0.9")


def accepting(peer: RawPeer, *headers: tuple[str, str], notify: str | None = "active;expires=300") -> None:
    """The peer answers each SUBSCRIBE with 200 and a NOTIFY."""

    def react(message: Message) -> None:
        if isinstance(message, SIPRequest) and message.method in ("SUBSCRIBE", "REFER"):
            peer.answer(message, 200, *(headers or (("Expires", "300"),)))
            if notify is not None:
                peer.notify(message, notify)

    peer.on_message = react


def subscribed(link: Link, alice: EventParty, peer: RawPeer, **options: int) -> Watch:
    accepting(peer)
    watch = alice.subscribe(peer, **options)
    link.deliver()
    assert watch.state == "active"
    peer.on_message = lambda message: None
    return watch


def nothing_left(link: Link, alice: EventParty) -> None:
    link.advance(300)
    assert alice.core.dialogs == 0 and len(alice.timers) == 0
    assert not alice.core._expected


# The table


def test_every_state_and_event() -> None:
    """RFC 6665 4.1.2, figure 1: who has ended ends for good, and nothing but a first request begins."""
    assert set(SUBSCRIPTION_STATES) == set(SubscriptionState)
    for state, events in SUBSCRIPTION_STATES.items():
        assert (SubscriptionEvent.SUBSCRIBE in events) == (state is SubscriptionState.NULL)
        assert (SubscriptionEvent.NOTIFY_TERMINATED in events) == (
            state not in (SubscriptionState.NULL, SubscriptionState.TERMINATED)
        )
    assert SUBSCRIPTION_STATES[SubscriptionState.TERMINATED] == {}


@pytest.mark.parametrize(
    ("reason", "retry_after", "delay"),
    [
        ("deactivated", None, 0),
        ("deactivated", 60, 0),
        ("probation", None, 600),
        ("probation", 60, 60),
        ("rejected", None, None),
        ("rejected", 60, None),
        ("timeout", None, 0),
        ("giveup", None, 600),
        ("giveup", 5, 5),
        ("noresource", None, None),
        ("noresource", 60, None),
        ("invariant", None, None),
        (None, None, 0),
        (None, 60, 60),
        ("extension", None, 0),
        ("extension", 60, 60),
    ],
)
def test_when_to_try_anew(reason: str | None, retry_after: int | None, delay: int | None) -> None:
    """RFC 6665 4.1.3: what each reason means for a new subscription."""
    assert resubscription_delay(reason, retry_after) == delay


@given(st.floats(min_value=0, max_value=2**32))
def test_refreshes_come_before_the_end_and_never_in_a_hurry(expires: float) -> None:
    delay = refresh_delay(expires)
    assert delay >= MIN_REFRESH_DELAY
    assert delay < expires or expires <= MIN_REFRESH_DELAY


# A whole life


def test_from_subscribe_to_the_last_notify(link: Link, alice: EventParty, bob: EventParty) -> None:
    """RFC 6665 4.1.2: SUBSCRIBE, NOTIFY, refreshes, unsubscription."""
    watch = alice.subscribe(bob, expires=300)
    link.deliver()
    assert watch.told == ["notify_wait", "started", "active", "notify"]
    assert watch.notified == [("active;expires=300", b"here")]
    link.advance(267)
    assert link.lines("alice").count("SUBSCRIBE") == 1
    link.advance(2)
    assert link.lines("alice").count("SUBSCRIBE") == 2
    link.advance(3000)
    assert watch.state == "active" and link.lines("alice").count("SUBSCRIBE") == 13
    watch.end()
    link.deliver()
    assert watch.told[-4:] == ["terminating", "terminated", "notify", "ended"]
    assert watch.outcome is not None
    assert (watch.outcome.originator, watch.outcome.retry_after) == ("local", None)
    assert bob.served[0].told[-4:] == ["cancelled", "terminated", "notify 200", "ended"]
    nothing_left(link, alice)
    assert bob.core.dialogs == 0 and bob.events.subscriptions == 0


def test_what_the_first_request_says(link: Link, alice: EventParty, peer: RawPeer) -> None:
    """RFC 6665 4.1.2.1, 8.2.1: Event with its id, Expires, Contact, what the application adds."""
    alice.subscribe(peer, "presence", 600, id="42", headers=[("Accept", "application/pidf+xml")])
    link.deliver()
    (request,) = peer.requests("SUBSCRIBE")
    assert request.headers.get("Event") == "presence;id=42"
    assert request.expires == 600 and request.contact[0].uri.user == "alice"
    assert request.headers.get("Accept") == "application/pidf+xml"
    assert request.to_header is not None and request.to_header.tag is None


def test_refreshes_repeat_the_headers_and_belong_to_the_dialog(link: Link, alice: EventParty, peer: RawPeer) -> None:
    """RFC 6665 4.1.2.2: same dialog, same Event, next CSeq; and what the NOTIFYs need (Accept) again."""
    accepting(peer)
    alice.subscribe(peer, headers=[("Accept", "text/plain")])
    link.advance(280)
    first, second = peer.requests("SUBSCRIBE")
    assert second.to_header is not None and second.to_header.tag == "raw"
    assert first.from_header == second.from_header and first.call_id == second.call_id
    assert second.cseq is not None and second.cseq.number == 2
    assert second.headers.get("Accept") == "text/plain" and second.headers.get("Event") == "presence"


def test_the_state_follows_the_notifies(link: Link, alice: EventParty, peer: RawPeer) -> None:
    """RFC 6665 4.1.3: pending, active, pending again, an unknown state that changes nothing, terminated."""
    accepting(peer, notify="pending;expires=300")
    watch = alice.subscribe(peer)
    link.deliver()
    (request,) = peer.requests("SUBSCRIBE")
    for state in ("active", "x-sleeping", "PENDING", "x-sleeping", "terminated;reason=noresource"):
        peer.notify(request, state)
        link.deliver()
    assert [what for what in watch.told if what != "notify"] == [
        *("notify_wait", "started", "pending", "active", "pending", "terminated", "ended")
    ]
    assert peer.responses("NOTIFY") == [200] * 6
    nothing_left(link, alice)


@pytest.mark.parametrize("reason", ["deactivated", "probation", "rejected", "timeout", "giveup", "noresource", None])
def test_the_notifier_ends_it(link: Link, alice: EventParty, peer: RawPeer, reason: str | None) -> None:
    """RFC 6665 4.1.3: the reason and when to try again are told."""
    watch = subscribed(link, alice, peer)
    (request,) = peer.requests("SUBSCRIBE")
    peer.notify(request, "terminated" + (f";reason={reason}" if reason else "") + ";retry-after=77")
    link.deliver()
    assert watch.told[-3:] == ["terminated", "notify", "ended"] and watch.outcome is not None
    assert (watch.outcome.failed, watch.outcome.originator, watch.outcome.reason) == (False, "remote", reason)
    assert watch.outcome.retry_after == resubscription_delay(reason, 77)
    nothing_left(link, alice)
    peer.notify(request, "active")
    link.deliver()
    assert peer.responses("NOTIFY")[-1] == 481


def test_fetching_the_state_once(link: Link, alice: EventParty, bob: EventParty) -> None:
    """RFC 6665 4.4.3: Expires: 0, one NOTIFY, the end."""
    watch = alice.subscribe(bob, expires=0)
    link.deliver()
    assert watch.told == ["notify_wait", "started", "terminated", "notify", "ended"]
    assert watch.notified == [("terminated;reason=timeout", b"here")]
    assert bob.served[0].told == ["active", "terminated", "notify 200", "ended"]
    nothing_left(link, alice)


def test_a_fetch_that_is_answered_as_if_it_went_on(link: Link, alice: EventParty, peer: RawPeer) -> None:
    """RFC 6665 4.4.3: whatever the NOTIFY says, nothing goes on."""
    accepting(peer, ("Expires", "0"), notify="active;expires=3600")
    watch = alice.subscribe(peer, expires=0)
    link.deliver()
    assert watch.told[-2:] == ["notify", "ended"]
    nothing_left(link, alice)


# How it begins


def test_a_notify_that_comes_before_the_2xx(link: Link, alice: EventParty, peer: RawPeer) -> None:
    """RFC 6665 4.1.2.4: messages may overtake each other."""
    watch = alice.subscribe(peer)
    link.deliver()
    (request,) = peer.requests("SUBSCRIBE")
    peer.notify(request)
    link.deliver()
    assert watch.told == ["notify_wait", "started", "active", "notify"] and peer.responses("NOTIFY") == [200]
    peer.answer(request, 200, ("Expires", "120"), ("Record-Route", "<sip:10.0.0.9;lr>"))
    link.advance(100)
    assert watch.told == ["notify_wait", "started", "active", "notify"]
    refresh = peer.requests("SUBSCRIBE")[-1]
    assert refresh.cseq is not None and refresh.cseq.number == 2
    assert refresh.headers.get("Route") == "<sip:10.0.0.9;lr>"


def test_a_notify_says_it_all_and_the_2xx_gets_lost(link: Link, alice: EventParty, peer: RawPeer) -> None:
    """RFC 6665 4.1.2.4: the NOTIFY makes the subscription; it goes on when the SUBSCRIBE times out."""
    watch = alice.subscribe(peer)
    link.deliver()
    peer.notify(peer.requests("SUBSCRIBE")[0])
    link.advance(40)
    assert watch.told == ["notify_wait", "started", "active", "notify"]
    accepting(peer)
    link.advance(240)
    refresh = peer.requests("SUBSCRIBE")[-1]
    assert watch.state == "active" and refresh.cseq is not None and refresh.cseq.number == 2


def test_no_notify_comes(link: Link, alice: EventParty, peer: RawPeer) -> None:
    """RFC 6665 4.1.2.4: timer N."""
    accepting(peer, notify=None)
    watch = alice.subscribe(peer)
    link.advance(TIMER_N - 1)
    assert watch.told == ["notify_wait", "started"]
    link.advance(2)
    assert watch.told == ["notify_wait", "started", "terminated", "failed"]
    assert watch.outcome is not None and (watch.outcome.code, watch.outcome.originator) == (408, "remote")
    nothing_left(link, alice)
    peer.notify(peer.requests("SUBSCRIBE")[0])
    link.deliver()
    assert peer.responses("NOTIFY") == [481]


def test_nobody_answers(link: Link, alice: EventParty, peer: RawPeer) -> None:
    watch = alice.subscribe(peer)
    link.advance(33)
    assert watch.told == ["notify_wait", "terminated", "failed"] and watch.outcome is not None
    assert (watch.outcome.code, watch.outcome.originator) == (408, "local")
    nothing_left(link, alice)


def test_the_time_out_of_the_first_request(link: Link, alice: EventParty, peer: RawPeer) -> None:
    watch = alice.subscribe(peer, timeout=3)
    link.advance(3.1)
    assert watch.told[-1] == "failed"
    nothing_left(link, alice)


@pytest.mark.parametrize("code", [300, 403, 404, 481, 489, 500, 503, 600])
def test_a_refusal(link: Link, alice: EventParty, peer: RawPeer, code: int) -> None:
    """RFC 6665 4.1.2.1: a response that is no 2xx leaves nothing; Retry-After is told."""
    peer.on_message = lambda message: (
        peer.answer(message, code, ("Retry-After", "12")) if isinstance(message, SIPRequest) else None
    )
    watch = alice.subscribe(peer)
    link.deliver()
    assert watch.told == ["notify_wait", "terminated", "failed"] and watch.outcome is not None
    assert (watch.outcome.code, watch.outcome.retry_after, watch.outcome.originator) == (code, 12, "remote")
    nothing_left(link, alice)


def test_a_refusal_after_a_notify(link: Link, alice: EventParty, peer: RawPeer) -> None:
    """RFC 6665 4.1.2.1: the final response counts, whatever a branch said before."""
    watch = alice.subscribe(peer)
    link.deliver()
    (request,) = peer.requests("SUBSCRIBE")
    peer.notify(request)
    peer.answer(request, 603)
    link.deliver()
    assert watch.told[-2:] == ["terminated", "failed"]
    nothing_left(link, alice)


def test_an_interval_that_is_too_brief(link: Link, alice: EventParty, peer: RawPeer) -> None:
    """RFC 6665 4.1.2.1, XM-027: a 423 enlarges the interval, the same subscription is tried again, once."""

    def react(message: Message) -> None:
        if isinstance(message, SIPRequest):
            if (message.expires or 0) < 900:
                peer.answer(message, 423, ("Min-Expires", "900"))
            else:
                peer.answer(message, 200, ("Expires", "900"))
                peer.notify(message, "active;expires=900")

    peer.on_message = react
    watch = alice.subscribe(peer, expires=60)
    link.deliver()
    first, second = peer.requests("SUBSCRIBE")
    assert watch.state == "active" and watch.usage.expires == 900 and first.call_id == second.call_id
    assert first.cseq is not None and second.cseq is not None and second.cseq.number == first.cseq.number + 1
    link.advance(870)
    assert len(peer.requests("SUBSCRIBE")) == 3


@pytest.mark.parametrize("minimum", ["60", "10", "4294967295", "soon", ""])
def test_a_423_that_makes_no_sense(link: Link, alice: EventParty, peer: RawPeer, minimum: str) -> None:
    """RFC 6665 4.1.2.1: not more than we asked for, out of all reason, or no number: it is a refusal."""
    peer.on_message = lambda message: (
        peer.answer(message, 423, ("Min-Expires", minimum)) if isinstance(message, SIPRequest) else None
    )
    watch = alice.subscribe(peer, expires=60)
    link.advance(40)
    assert watch.told[-1] == "failed" and watch.outcome is not None
    # a response with a header that is malformed is dropped, and nothing else comes
    assert watch.outcome.code == (408 if minimum in ("soon", "") else 423)


def test_a_423_that_never_ends(link: Link, alice: EventParty, peer: RawPeer) -> None:
    def react(message: Message) -> None:
        if isinstance(message, SIPRequest):
            peer.answer(message, 423, ("Min-Expires", str((message.expires or 0) + 1)))

    peer.on_message = react
    watch = alice.subscribe(peer, expires=60)
    link.deliver()
    assert len(peer.requests("SUBSCRIBE")) == 2 and watch.told[-1] == "failed"


# Forks


def test_a_fork_s_first_notify_is_kept_the_others_are_refused(link: Link, alice: EventParty, peer: RawPeer) -> None:
    """RFC 6665 5.4.9: one SUBSCRIBE, three notifiers: the first NOTIFY makes the dialog, the others get 481."""
    watch = alice.subscribe(peer)
    link.deliver()
    (request,) = peer.requests("SUBSCRIBE")
    for tag in ("one", "two", "three"):
        peer.notify(request, body=tag.encode(), tag=tag, cseq=1)
    peer.answer(request, 200, ("Expires", "300"), tag="two")
    link.deliver()
    assert peer.responses("NOTIFY") == [200, 481, 481]
    assert watch.notified == [("active;expires=300", b"one")]
    watch.end()
    link.deliver()
    last = peer.requests("SUBSCRIBE")[-1]
    assert last.to_header is not None and last.to_header.tag == "one"


def test_the_2xx_is_of_another_branch_than_the_first_notify(link: Link, alice: EventParty, peer: RawPeer) -> None:
    """RFC 6665 4.4.1, 5.4.9: the dialog is that of the NOTIFY, also when the 2xx came first."""
    watch = alice.subscribe(peer)
    link.deliver()
    (request,) = peer.requests("SUBSCRIBE")
    peer.answer(request, 200, ("Expires", "300"), tag="two")
    link.deliver()
    peer.notify(request, tag="one", cseq=1)
    peer.notify(request, tag="two", cseq=1)
    link.deliver()
    assert peer.responses("NOTIFY") == [200, 481] and alice.core.dialogs == 1
    assert watch.usage.dialog is not None and watch.usage.dialog.id.remote_tag == "one"


def test_the_notify_s_route_set_is_the_dialog_s(link: Link, alice: EventParty, peer: RawPeer) -> None:
    """RFC 6665 4.4.1: it is the NOTIFY that makes the dialog."""
    watch = alice.subscribe(peer)
    link.deliver()
    (request,) = peer.requests("SUBSCRIBE")
    peer.answer(request, 200, ("Expires", "300"), ("Record-Route", "<sip:10.0.0.7;lr>"))
    peer.notify(request, "active;expires=300", ("Record-Route", "<sip:10.0.0.9;lr>"))
    link.deliver()
    watch.end()
    link.deliver()
    assert peer.requests("SUBSCRIBE")[-1].headers.get("Route") == "<sip:10.0.0.9;lr>"


# Odd NOTIFYs


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"state": None}, 400),
        ({"state": ";;"}, 400),
        ({"state": "active;expires=later"}, 400),
        ({"state": "terminated;retry-after=-1"}, 400),
        ({"event": ""}, 481),
        ({"event": "dialog"}, 481),
        ({"event": "Presence"}, 481),
        ({"event": "presence;id=7"}, 481),
        ({"event": "presence;;"}, 481),
        ({"tag": "stranger"}, 481),
        ({"cseq": 1}, 500),
    ],
)
def test_notifies_that_are_not_taken(
    link: Link, alice: EventParty, peer: RawPeer, change: dict[str, str], code: int
) -> None:
    """RFC 6665 4.1.3, 8.2: no Subscription-State, another Event or id, another dialog, an old CSeq."""
    watch = subscribed(link, alice, peer)
    (request,) = peer.requests("SUBSCRIBE")
    peer.cseq = 6
    peer.notify(request)
    link.deliver()
    before = list(watch.told)
    peer.notify(request, **{"state": "active;expires=300", **change})  # type: ignore[arg-type]
    link.deliver()
    assert peer.responses("NOTIFY")[-1] == code
    assert watch.told == before and watch.state == "active"


def test_a_first_notify_without_contact(link: Link, alice: EventParty, peer: RawPeer) -> None:
    """RFC 6665 4.4.1, RFC 3261 12.1.1: there is nothing to make the dialog with."""
    watch = alice.subscribe(peer)
    link.deliver()
    peer.notify(peer.requests("SUBSCRIBE")[0], contact=False)
    link.deliver()
    assert peer.responses("NOTIFY") == [400] and watch.told == ["notify_wait"]


def test_a_notify_of_nobody_s_subscription(link: Link, alice: EventParty, peer: RawPeer) -> None:
    """RFC 6665 4.1.3: 481."""
    watch = subscribed(link, alice, peer)
    watch.end(timeout=0.1)
    link.advance(100)
    lines = [
        "NOTIFY sip:alice@10.0.0.1:5060 SIP/2.0",
        "Via: SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bKunsolicited",
        "From: <sip:peer@10.0.0.9>;tag=1",
        "To: <sip:alice@10.0.0.1>",
        "Call-ID: unsolicited",
        "CSeq: 1 NOTIFY",
        "Max-Forwards: 70",
        "Event: message-summary",
        "Subscription-State: active",
        "Contact: <sip:peer@10.0.0.9>",
    ]
    peer.send(lines, b"", alice.hop)
    link.deliver()
    assert peer.responses("NOTIFY")[-1] == 481


def test_ids_tell_two_subscriptions_apart(link: Link, alice: EventParty, peer: RawPeer) -> None:
    """RFC 6665 8.2.1: the id is compared octet by octet."""
    accepting(peer)
    watch = alice.subscribe(peer, id="a1")
    link.deliver()
    (request,) = peer.requests("SUBSCRIBE")
    for event, code in (("presence;id=A1", 481), ("presence", 481), ("presence;id=a1;x=y", 200)):
        peer.notify(request, event=event)
        link.deliver()
        assert peer.responses("NOTIFY")[-1] == code
    assert watch.told.count("notify") == 2


# Time


@pytest.mark.parametrize("granted", ["4294967295", "3600", "301"])
def test_never_more_is_granted_than_was_asked_for(link: Link, alice: EventParty, peer: RawPeer, granted: str) -> None:
    """RFC 6665 4.1.2.1, 4.1.3: the time in the 2xx and in the NOTIFY may be shorter, not longer."""
    accepting(peer, ("Expires", granted), notify=f"active;expires={granted}")
    alice.subscribe(peer, expires=300)
    link.advance(270)
    assert len(peer.requests("SUBSCRIBE")) == 2


def test_the_notify_shortens_the_time(link: Link, alice: EventParty, peer: RawPeer) -> None:
    """RFC 6665 4.1.3: expires of Subscription-State counts."""
    accepting(peer, ("Expires", "300"), notify="active;expires=60")
    alice.subscribe(peer, expires=300)
    link.advance(31)
    assert len(peer.requests("SUBSCRIBE")) == 2


@pytest.mark.parametrize("granted", ["0", "1"])
def test_a_notifier_in_a_hurry_does_not_make_us_hurry(
    link: Link, alice: EventParty, peer: RawPeer, granted: str
) -> None:
    """Refreshes that are answered with no time at all stay few, as long as the subscription lasts."""
    accepting(peer, ("Expires", granted), notify=f"active;expires={granted}")
    watch = alice.subscribe(peer)
    link.advance(600)
    assert len(peer.requests("SUBSCRIBE")) <= 600 / MIN_REFRESH_DELAY + 1
    watch.end()
    link.advance(100)
    nothing_left(link, alice)


def test_a_2xx_without_expires(link: Link, alice: EventParty, peer: RawPeer) -> None:
    accepting(peer, ("X", "y"), notify="active")
    watch = alice.subscribe(peer, expires=120)
    link.advance(89)
    assert len(peer.requests("SUBSCRIBE")) == 2 and watch.state == "active"


@pytest.mark.parametrize("code", sorted(FATAL_CODES))
def test_a_refresh_that_is_refused_for_good(link: Link, alice: EventParty, peer: RawPeer, code: int) -> None:
    """RFC 6665 4.1.2.2: these leave no subscription."""
    watch = subscribed(link, alice, peer)
    peer.on_message = lambda message: peer.answer(message, code) if isinstance(message, SIPRequest) else None
    link.advance(270)
    assert watch.told[-2:] == ["terminated", "failed"] and watch.outcome is not None
    assert watch.outcome.code == code
    nothing_left(link, alice)


@pytest.mark.parametrize("code", [400, 403, 408, 500, 503])
def test_a_refresh_that_is_refused_for_now(link: Link, alice: EventParty, peer: RawPeer, code: int) -> None:
    """RFC 6665 4.1.2.2: the subscription is good for the time granted, and the refresh is tried again."""
    watch = subscribed(link, alice, peer)
    peer.on_message = lambda message: (
        peer.answer(message, code, ("Retry-After", "10")) if isinstance(message, SIPRequest) else None
    )
    link.advance(275)
    assert watch.state == "active" and len(peer.requests("SUBSCRIBE")) == 2
    accepting(peer)
    link.advance(100)
    assert watch.state == "active" and len(peer.requests("SUBSCRIBE")) == 3


def test_refreshes_that_are_refused_until_the_time_is_over(link: Link, alice: EventParty, peer: RawPeer) -> None:
    watch = subscribed(link, alice, peer)
    peer.on_message = lambda message: peer.answer(message, 500) if isinstance(message, SIPRequest) else None
    link.advance(299)
    assert watch.state == "active" and len(peer.requests("SUBSCRIBE")) == 4
    link.advance(2)
    assert watch.told[-2:] == ["terminated", "failed"] and watch.outcome is not None
    assert watch.outcome.reason == "the subscription expired"
    nothing_left(link, alice)


def test_a_refresh_that_is_not_answered(link: Link, alice: EventParty, peer: RawPeer) -> None:
    """RFC 6665 4.1.2, figure 1: a re-subscription that times out."""
    watch = subscribed(link, alice, peer)
    link.advance(268 + 33)
    assert watch.told[-2:] == ["terminated", "failed"] and watch.outcome is not None
    assert (watch.outcome.code, watch.outcome.originator) == (408, "local")
    nothing_left(link, alice)


def test_a_refresh_that_needs_a_longer_interval(link: Link, alice: EventParty, peer: RawPeer) -> None:
    watch = subscribed(link, alice, peer)

    def react(message: Message) -> None:
        if isinstance(message, SIPRequest):
            if (message.expires or 0) < 900:
                peer.answer(message, 423, ("Min-Expires", "900"))
            else:
                peer.answer(message, 200, ("Expires", "900"))

    peer.on_message = react
    link.advance(270)
    assert [request.expires for request in peer.requests("SUBSCRIBE")] == [300, 300, 900]
    link.advance(800)
    assert watch.state == "active" and len(peer.requests("SUBSCRIBE")) == 3


# What the application asks for


def test_a_new_body_waits_for_the_request_that_is_out(link: Link, alice: EventParty, peer: RawPeer) -> None:
    watch = alice.subscribe(peer)
    watch.usage.refresh([("X-Filter", "2")], "text/plain", b"two", now=link.now)
    watch.usage.refresh([("X-Filter", "3")], "text/plain", b"three", now=link.now)
    accepting(peer)
    link.deliver()
    first, second = peer.requests("SUBSCRIBE")
    assert (first.body, second.body, second.headers.get("X-Filter")) == (b"", b"three", "3")
    assert second.content_type == "text/plain"
    link.advance(280)
    assert peer.requests("SUBSCRIBE")[-1].body == b"" and len(peer.requests("SUBSCRIBE")) == 3


def test_calls_in_the_wrong_state(link: Link, alice: EventParty, peer: RawPeer) -> None:
    watch = Watch(alice)
    from sipsimple.core.protocol.subscription_usage import SubscriptionUsage

    usage = SubscriptionUsage(alice.core, FrozenEventHeader("presence"), watch)
    with pytest.raises(InvalidStateError):
        usage.end(now=link.now)
    with pytest.raises(InvalidStateError):
        usage.refresh(now=link.now)
    watch = subscribed(link, alice, peer)
    watch.end()
    watch.end()
    with pytest.raises(InvalidStateError):
        watch.usage.refresh(now=link.now)
    assert watch.told.count("terminating") == 1


def test_ended_before_there_was_an_answer(link: Link, alice: EventParty, bob: EventParty) -> None:
    """RFC 6665 4.1.2.3: what the request makes is ended as soon as it is there."""
    watch = alice.subscribe(bob)
    watch.end()
    link.deliver()
    assert link.lines("alice")[:1] == ["SUBSCRIBE"] and link.lines("alice").count("SUBSCRIBE") == 2
    assert watch.told[:2] == ["notify_wait", "terminating"] and watch.told[-1] == "ended"
    assert watch.outcome is not None and watch.outcome.originator == "local" and not watch.outcome.failed
    nothing_left(link, alice)
    assert bob.core.dialogs == 0


@pytest.mark.parametrize("answer", [None, 404, 481, 500])
def test_an_unsubscription_that_is_not_granted_ends_it_all_the_same(
    link: Link, alice: EventParty, peer: RawPeer, answer: int | None
) -> None:
    watch = subscribed(link, alice, peer)
    if answer is not None:
        peer.on_message = lambda message: peer.answer(message, answer) if isinstance(message, SIPRequest) else None
    watch.end()
    link.advance(33)
    assert watch.told[-2:] == ["terminated", "ended"]
    nothing_left(link, alice)


def test_an_unsubscription_without_a_last_notify(link: Link, alice: EventParty, peer: RawPeer) -> None:
    """RFC 6665 4.1.2.3: it is waited for, not for ever."""
    watch = subscribed(link, alice, peer)
    accepting(peer, ("Expires", "0"), notify=None)
    watch.end()
    link.advance(63)
    assert watch.state == "terminating"
    link.advance(2)
    assert watch.told[-2:] == ["terminated", "ended"]
    nothing_left(link, alice)


def test_notifies_while_it_is_being_ended_are_taken(link: Link, alice: EventParty, peer: RawPeer) -> None:
    watch = subscribed(link, alice, peer)
    (request,) = peer.requests("SUBSCRIBE")
    watch.end(timeout=10)
    peer.notify(request, "active;expires=100")
    peer.notify(request, "pending")
    link.deliver()
    assert peer.responses("NOTIFY") == [200, 200, 200] and watch.state == "terminating"
    link.advance(11)
    assert watch.told[-2:] == ["terminated", "ended"]
    nothing_left(link, alice)


def test_ended_during_a_refresh(link: Link, alice: EventParty, peer: RawPeer) -> None:
    watch = subscribed(link, alice, peer)
    link.advance(268)
    assert len(peer.requests("SUBSCRIBE")) == 2
    watch.end()
    link.deliver()
    assert len(peer.requests("SUBSCRIBE")) == 2
    peer.answer(peer.requests("SUBSCRIBE")[-1], 200, ("Expires", "300"))
    link.deliver()
    assert peer.requests("SUBSCRIBE")[-1].expires == 0 and len(peer.requests("SUBSCRIBE")) == 3


@pytest.mark.parametrize("where", ["notify_wait", "active", "notify"])
def test_ended_from_inside_what_it_tells(link: Link, alice: EventParty, bob: EventParty, where: str) -> None:
    watch = alice.subscribe(bob)

    def end() -> None:
        if watch.told[-1] == where:
            watch.end()

    watch.on_change = watch.on_notify = end
    end()
    link.advance(100)
    assert watch.told[-1] == "ended" and watch.outcome is not None and watch.outcome.originator == "local"
    nothing_left(link, alice)
    assert bob.core.dialogs == 0


def test_credentials(link: Link, alice: EventParty, bob: EventParty) -> None:
    """RFC 3261 22: challenges to the SUBSCRIBE, its refreshes and its end are answered."""
    from sipsimple.core.wire.digest import Credentials

    def challenge(request: SIPRequest) -> SIPResponse | None:
        if request.method != "SUBSCRIBE" or "Authorization" in request.headers:
            return None
        digest = 'Digest realm="test", nonce="abc", algorithm=MD5, qop="auth"'
        return make_response(request, 401, None, "challenger", [("WWW-Authenticate", digest)])

    bob.guards.append(challenge)
    watch = alice.subscribe(bob, credentials=Credentials("alice", "secret"))
    link.deliver()
    assert watch.told == ["notify_wait", "started", "active", "notify"]
    link.advance(280)
    watch.end()
    link.deliver()
    assert watch.told[-1] == "ended"
    # the first one was challenged, the others knew
    assert link.lines("bob").count("401 SUBSCRIBE") == 1 and link.lines("alice").count("SUBSCRIBE") == 4
    refused = alice.subscribe(bob)
    link.deliver()
    assert refused.outcome is not None and refused.outcome.code == 401
    nothing_left(link, alice)


# Anything at all


@given(
    st.lists(
        st.sampled_from(
            [
                *(
                    "200",
                    "200 other",
                    "423",
                    "481",
                    "500",
                    "603",
                    "notify active",
                    "notify pending",
                    "notify terminated",
                ),
                *("notify other", "notify nothing", "notify old", "refresh", "end", "wait 1", "wait 40", "wait 400"),
            ]
        ),
        max_size=25,
    )
)
def test_any_sequence_ends_cleanly(steps: list[str]) -> None:
    """Whatever comes in whatever order: it ends once, and nothing is left of it."""
    link = Link()
    alice = EventParty(link, "alice", "10.0.0.1")
    peer = RawPeer(link, "peer", "10.0.0.9")
    watch = alice.subscribe(peer)
    link.deliver()
    for step in steps:
        what, _, detail = step.partition(" ")
        request = peer.requests("SUBSCRIBE")[-1]
        if what.isdigit():
            headers = [("Expires", "60"), ("Min-Expires", "900")]
            peer.answer(request, int(what), *headers, tag=detail or "raw")
        elif what == "notify":
            state = {"nothing": None, "other": "active", "old": "active"}.get(detail, detail)
            peer.notify(
                request, state, tag="other" if detail == "other" else "raw", cseq=1 if detail == "old" else None
            )
        elif what == "wait":
            link.advance(int(detail))
        elif what == "end":
            watch.end()
        elif watch.state in ("notify_wait", "pending", "active"):
            watch.usage.refresh(now=link.now)
        link.deliver()
    watch.end()
    link.advance(200)
    assert watch.told[-1] in ("ended", "failed") and watch.state == "terminated"
    nothing_left(link, alice)


def test_the_server_is_needed_for_notify_to_be_allowed(link: Link) -> None:
    """RFC 3261 20.5: Allow says SUBSCRIBE, NOTIFY and REFER."""
    alice = EventParty(link, "alice", "10.0.0.1")
    assert isinstance(alice.events, EventServer)
    assert {"SUBSCRIBE", "NOTIFY", "REFER"} <= set(alice.core.methods)
