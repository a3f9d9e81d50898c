"""Subscriptions that others have to us (RFC 6665 4.2), on a clock of the test's own."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipsimple.core.protocol.event_server import MAX_PACKAGES
from sipsimple.core.protocol.invite_events import InvalidStateError
from sipsimple.core.protocol.notifier_events import NotifierEnding
from sipsimple.core.protocol.notifier_states import NOTIFIER_STATES, NotifierEvent, NotifierState
from sipsimple.core.protocol.notifier_usage import ANSWER_TIMEOUT, DEFAULT_EXPIRES, MAX_EXPIRES, MIN_EXPIRES
from sipsimple.core.protocol.notify_queue import FATAL_CODES, MAX_QUEUED_NOTIFIES, MAX_RETRIES
from sipsimple.core.wire.message import SIPRequest, SIPResponse
from sipsimple.testing.event_parties import EventParty, RawPeer, Served
from sipsimple.testing.parties import Link, Message


@pytest.fixture
def bob(link: Link) -> EventParty:
    return EventParty(link, "bob", "10.0.0.2")


@pytest.fixture
def alice(link: Link) -> EventParty:
    return EventParty(link, "alice", "10.0.0.1")


@pytest.fixture
def peer(link: Link) -> RawPeer:
    """A subscriber that answers NOTIFYs with 200."""
    peer = RawPeer(link, "peer", "10.0.0.9")
    peer.on_message = lambda message: peer.answer(message, 200) if is_notify(message) else None
    return peer


def is_notify(message: Message) -> bool:
    return isinstance(message, SIPRequest) and message.method == "NOTIFY"


def subscribe(
    peer: RawPeer,
    bob: EventParty,
    *headers: str,
    cseq: int = 1,
    to_tag: str = "",
    event: str | None = "presence",
    contact: str | None = "<sip:peer@10.0.0.9:5060>",
    call_id: str = "subscription",
    method: str = "SUBSCRIBE",
) -> None:
    peer._sent += 1
    lines = [
        f"{method} sip:bob@10.0.0.2:5060 SIP/2.0",
        f"Via: SIP/2.0/UDP 10.0.0.9:5060;branch=z9hG4bKpeer{peer._sent}",
        "From: <sip:peer@10.0.0.9>;tag=raw",
        "To: <sip:bob@10.0.0.2>" + (f";tag={to_tag}" if to_tag else ""),
        f"Call-ID: {call_id}",
        f"CSeq: {cseq} {method}",
        "Max-Forwards: 70",
        *([f"Event: {event}"] if event is not None else []),
        *([f"Contact: {contact}"] if contact is not None else []),
        *headers,
    ]
    peer.send(lines, b"", bob.hop)
    peer.link.deliver()


def last_response(peer: RawPeer) -> SIPResponse:
    return [message for message in peer.received if isinstance(message, SIPResponse)][-1]


def states(peer: RawPeer) -> list[str]:
    return [request.headers.get("Subscription-State") or "" for request in peer.requests("NOTIFY")]


def active(peer: RawPeer, bob: EventParty, *headers: str) -> tuple[Served, str]:
    """A subscription that was granted, and the tag of its dialog."""
    subscribe(peer, bob, *headers)
    served = bob.served[-1]
    served.accept(b"first")
    peer.link.deliver()
    assert served.state == "active"
    to_header = last_response(peer).to_header
    assert to_header is not None and to_header.tag
    return served, to_header.tag


def nothing_left(link: Link, bob: EventParty) -> None:
    link.advance(200)
    assert bob.core.dialogs == 0 and bob.events.subscriptions == 0 and len(bob.timers) == 0


# The table


def test_every_state_and_event(link: Link, peer: RawPeer, bob: EventParty) -> None:
    """RFC 6665 4.2.1, figure 2: what is asked for in a state that does not know it is an error that names it."""
    calls = {
        NotifierEvent.HOLD: lambda served: served.accept_pending(),
        NotifierEvent.GRANT: lambda served: served.accept(b"x"),
        NotifierEvent.REJECT: lambda served: served.reject(),
        NotifierEvent.NOTIFY: lambda served: served.push(b"x"),
    }
    ways = {
        NotifierState.INCOMING: [],
        NotifierState.PENDING: ["accept_pending"],
        NotifierState.ACTIVE: ["accept"],
        NotifierState.TERMINATED: ["accept", "end"],
    }
    number = 0
    for state, way in ways.items():
        for event, call in calls.items():
            number += 1
            subscribe(peer, bob, call_id=f"call{number}")
            served = bob.served[-1]
            for step in way:
                getattr(served, step)()
            link.deliver()
            assert served.usage.state is state
            if event in NOTIFIER_STATES[state]:
                call(served)
                assert served.usage.state is NOTIFIER_STATES[state][event]
            else:
                with pytest.raises(InvalidStateError, match=event.value):
                    call(served)
            link.deliver()
            served.end()
    nothing_left(link, bob)


# A whole life


def test_from_subscribe_to_the_end(link: Link, alice: EventParty, bob: EventParty) -> None:
    """RFC 6665 4.2.1: pending first, then granted, told of each change, ended by us."""
    bob.serve = lambda served: served.accept_pending()
    watch = alice.subscribe(bob)
    link.deliver()
    (served,) = bob.served
    served.accept(b"first")
    served.push(b"second")
    link.deliver()
    served.end("noresource")
    link.deliver()
    assert watch.notified == [
        ("pending;expires=300", b""),
        ("active;expires=300", b"first"),
        ("active;expires=300", b"second"),
        ("terminated;reason=noresource", b"second"),
    ]
    assert [what for what in served.told if what != "notify 200"] == ["pending", "active", "terminated", "ended"]
    assert served.ending == NotifierEnding("local", "noresource")
    nothing_left(link, bob)


def test_what_the_response_says(link: Link, peer: RawPeer, bob: EventParty) -> None:
    """RFC 6665 4.2.1.1, 8.3.1: 200 (202 is no more), Expires, Contact, a To tag; the NOTIFY follows."""
    active(peer, bob, "Expires: 600")
    response = last_response(peer)
    assert response.code == 200 and response.expires == 600 and response.contact[0].uri.user == "bob"
    (notify,) = peer.requests("NOTIFY")
    assert notify.headers.get("Event") == "presence" and notify.body == b"first"
    assert notify.from_header is not None and response.to_header is not None
    assert notify.from_header.tag == response.to_header.tag
    assert notify.raw_uri == "sip:peer@10.0.0.9:5060" and notify.contact


@pytest.mark.parametrize(
    ("asked", "granted"),
    [
        (None, DEFAULT_EXPIRES),
        (MIN_EXPIRES, MIN_EXPIRES),
        (7200, 7200),
        (4294967295, MAX_EXPIRES),
    ],
)
def test_how_long(link: Link, peer: RawPeer, bob: EventParty, asked: int | None, granted: int) -> None:
    """RFC 6665 4.2.1.1: what is granted may be shorter than what was asked for, not longer."""
    active(peer, bob, *([] if asked is None else [f"Expires: {asked}"]))
    assert last_response(peer).expires == granted and states(peer) == [f"active;expires={granted}"]


@pytest.mark.parametrize("asked", [1, MIN_EXPIRES - 1])
def test_too_brief(link: Link, peer: RawPeer, bob: EventParty, asked: int) -> None:
    """RFC 6665 4.2.1.1: 423 with Min-Expires, at first and in a refresh."""
    subscribe(peer, bob, f"Expires: {asked}", call_id="brief")
    assert last_response(peer).code == 423 and last_response(peer).headers.get("Min-Expires") == str(MIN_EXPIRES)
    assert not bob.served
    served, tag = active(peer, bob)
    subscribe(peer, bob, f"Expires: {asked}", cseq=2, to_tag=tag)
    assert last_response(peer).code == 423 and served.state == "active"


def test_a_fetch(link: Link, peer: RawPeer, bob: EventParty) -> None:
    """RFC 6665 4.4.3: one NOTIFY with the state, and that it is over."""
    bob.serve = lambda served: served.accept(b"now")
    subscribe(peer, bob, "Expires: 0")
    assert last_response(peer).expires == 0 and states(peer) == ["terminated;reason=timeout"]
    assert peer.requests("NOTIFY")[0].body == b"now"
    nothing_left(link, bob)


def test_a_fetch_that_is_not_granted_yet_tells_nothing(link: Link, peer: RawPeer, bob: EventParty) -> None:
    bob.serve = lambda served: served.accept_pending()
    subscribe(peer, bob, "Expires: 0")
    assert states(peer) == ["terminated;reason=timeout"] and peer.requests("NOTIFY")[0].body == b""
    nothing_left(link, bob)


def test_the_id_of_the_subscription_is_in_all_its_notifies(link: Link, peer: RawPeer, bob: EventParty) -> None:
    """RFC 6665 8.2.1: the id comes back, other parameters do not."""
    subscribe(peer, bob, event="presence;id=7;x=y")
    bob.served[0].accept()
    link.deliver()
    assert peer.requests("NOTIFY")[0].headers.get("Event") == "presence;id=7"


# Refusals


@pytest.mark.parametrize(
    ("event", "headers", "code"),
    [
        ("dialog", (), 489),
        ("Presence", (), 489),
        (None, (), 489),
        ("presence;;", (), 400),
        ("", (), 400),
        ("presence", ("Accept: text/html",), 406),
        ("presence", ("Accept:",), 406),
        ("presence", ("Accept: ;",), 400),
        ("presence", ("Require: eventlist",), 420),
        ("presence", ("Expires: soon",), 400),
    ],
)
def test_what_is_refused(
    link: Link, peer: RawPeer, bob: EventParty, event: str | None, headers: tuple[str, ...], code: int
) -> None:
    """RFC 6665 4.2.1.1: unknown packages get 489 with Allow-Events; what can't be understood or told is refused."""
    subscribe(peer, bob, *headers, event=event)
    assert last_response(peer).code == code and not bob.served
    if code == 489:
        assert last_response(peer).headers.get("Allow-Events") == "presence, message-summary"
    nothing_left(link, bob)


@pytest.mark.parametrize("contact", [None, "*", "<tel:+3120>", "<mailto:peer@example.com>"])
def test_a_contact_that_leads_nowhere(link: Link, peer: RawPeer, bob: EventParty, contact: str | None) -> None:
    """RFC 3261 12.1.1: no NOTIFY could be sent."""
    subscribe(peer, bob, contact=contact)
    assert last_response(peer).code == 400 and not bob.served
    nothing_left(link, bob)


def test_accept_is_heeded(link: Link, peer: RawPeer, bob: EventParty) -> None:
    subscribe(peer, bob, "Accept: text/html, application/*")
    assert len(bob.served) == 1


@pytest.mark.parametrize("code", [403, 404, 480, 603])
def test_the_application_refuses(link: Link, peer: RawPeer, bob: EventParty, code: int) -> None:
    bob.serve = lambda served: served.reject(code)
    subscribe(peer, bob)
    assert last_response(peer).code == code
    assert bob.served[0].told == ["terminated", "ended"] and not peer.requests("NOTIFY")
    nothing_left(link, bob)


def test_the_application_refuses_later(link: Link, peer: RawPeer, bob: EventParty) -> None:
    """RFC 6665 4.1.3: a pending subscription ends with reason `rejected`."""
    bob.serve = lambda served: served.accept_pending()
    subscribe(peer, bob)
    bob.served[0].reject()
    link.deliver()
    assert states(peer)[-1] == "terminated;reason=rejected"
    nothing_left(link, bob)


def test_the_application_says_nothing(link: Link, peer: RawPeer, bob: EventParty) -> None:
    subscribe(peer, bob)
    link.advance(ANSWER_TIMEOUT - 0.1)
    assert not peer.responses("SUBSCRIBE")
    link.advance(0.2)
    assert peer.responses("SUBSCRIBE") == [480] and bob.served[0].ending == NotifierEnding("local", "not answered")
    with pytest.raises(InvalidStateError):
        bob.served[0].accept()
    nothing_left(link, bob)


def test_one_subscription_too_many(link: Link, peer: RawPeer) -> None:
    """Bounds: 503 with Retry-After, until one has ended."""
    bob = EventParty(link, "bob", "10.0.0.2", max_subscriptions=2)
    for number in range(3):
        subscribe(peer, bob, call_id=f"call{number}")
    assert last_response(peer).code == 503 and int(last_response(peer).headers.get("Retry-After") or 0) > 0
    assert len(bob.served) == 2
    bob.served[0].reject()
    subscribe(peer, bob, call_id="call4")
    assert len(bob.served) == 3
    link.advance(ANSWER_TIMEOUT + 1)
    nothing_left(link, bob)


def test_dialogs_are_bounded_for_subscriptions_too(link: Link, peer: RawPeer, bob: EventParty) -> None:
    bob.core.max_dialogs = 0
    subscribe(peer, bob)
    assert last_response(peer).code == 503


def test_packages_are_bounded_and_named_well(bob: EventParty) -> None:
    with pytest.raises(ValueError, match="not an event package"):
        bob.events.add_package("two words")
    with pytest.raises(ValueError, match="already"):
        for number in range(MAX_PACKAGES + 1):
            bob.events.add_package(f"package{number}")
    assert len(bob.events.packages) == MAX_PACKAGES
    bob.events.add_package("presence", ["text/plain"])


# Refreshes


def test_a_refresh(link: Link, peer: RawPeer, bob: EventParty) -> None:
    """RFC 6665 4.2.1.2: answered with the new time, followed by the whole state."""
    served, tag = active(peer, bob, "Expires: 100")
    link.advance(60)
    subscribe(peer, bob, "Expires: 200", cseq=2, to_tag=tag, contact="<sip:moved@10.0.0.9:5060>")
    assert last_response(peer).code == 200 and last_response(peer).expires == 200
    notify = peer.requests("NOTIFY")[-1]
    assert states(peer)[-1] == "active;expires=200" and notify.body == b"first"
    assert notify.raw_uri == "sip:moved@10.0.0.9:5060"
    assert "refreshed 200" in served.told
    link.advance(199)
    assert served.state == "active"
    link.advance(2)
    assert served.told[-4:] == ["expired", "terminated", "notify 200", "ended"]
    nothing_left(link, bob)


def test_it_runs_out(link: Link, peer: RawPeer, bob: EventParty) -> None:
    """RFC 6665 4.2.1.4: the last NOTIFY says `timeout`."""
    served, _ = active(peer, bob, "Expires: 100")
    link.advance(101)
    assert states(peer)[-1] == "terminated;reason=timeout" and served.ending == NotifierEnding("remote", "timeout")
    nothing_left(link, bob)


def test_an_unsubscription(link: Link, peer: RawPeer, bob: EventParty) -> None:
    """RFC 6665 4.2.1.4: Expires: 0, the state for the last time, and then 481."""
    served, tag = active(peer, bob)
    subscribe(peer, bob, "Expires: 0", cseq=2, to_tag=tag)
    assert last_response(peer).code == 200 and last_response(peer).expires == 0
    assert states(peer)[-1] == "terminated;reason=timeout" and peer.requests("NOTIFY")[-1].body == b"first"
    assert served.told[-4:] == ["cancelled", "terminated", "notify 200", "ended"]
    subscribe(peer, bob, cseq=3, to_tag=tag)
    assert last_response(peer).code == 481
    nothing_left(link, bob)


def test_a_refresh_after_the_end_was_told(link: Link, peer: RawPeer, bob: EventParty) -> None:
    served, tag = active(peer, bob)
    peer.on_message = lambda message: None
    served.end()
    subscribe(peer, bob, cseq=2, to_tag=tag)
    assert last_response(peer).code == 481
    link.advance(40)
    assert served.told[-1] == "ended"
    nothing_left(link, bob)


@pytest.mark.parametrize(
    ("event", "cseq", "code"),
    [
        ("presence", 1, 500),
        ("presence;id=2", 2, 481),
        ("message-summary", 2, 481),
        ("dialog", 2, 489),
    ],
)
def test_requests_of_the_dialog_that_are_not_refreshes(
    link: Link, peer: RawPeer, bob: EventParty, event: str, cseq: int, code: int
) -> None:
    """RFC 6665 4.5.2, RFC 3261 12.2.2: an old CSeq; another package or id, which there is no subscription to."""
    served, tag = active(peer, bob)
    subscribe(peer, bob, event=event, cseq=cseq, to_tag=tag)
    assert last_response(peer).code == code and served.state == "active"


def test_a_subscription_inside_a_call_is_refused(link: Link, alice: EventParty, bob: EventParty) -> None:
    """RFC 6665 4.5.2: 403, dialog sharing is not supported."""
    bob.answer = lambda call: call.respond(200)
    call = alice.call(bob)
    link.deliver()
    dialog = call.usage.dialog
    assert dialog is not None
    request = dialog.create_request("SUBSCRIBE", [("Event", "presence"), ("Expires", "300")])

    codes = []

    class Owner:
        def request_refused(self, outgoing: object, response: SIPResponse, now: float) -> None:
            codes.append(response.code)

    from sipsimple.core.protocol.outgoing_request import OutgoingRequest

    OutgoingRequest(request, [bob.hop], alice.core, Owner(), dialog=dialog, now=link.now)  # type: ignore[arg-type]
    link.deliver()
    assert codes == [403]


# NOTIFYs


def test_one_notify_at_a_time_in_order(link: Link, peer: RawPeer, bob: EventParty) -> None:
    """RFC 6665 4.2.2: the next one waits for the answer to the one before."""
    served, _ = active(peer, bob)
    held: list[Message] = []
    peer.on_message = lambda message: held.append(message) if is_notify(message) else None
    for number in range(3):
        served.push(str(number).encode())
    served.end()
    link.deliver()
    bodies = []
    while held:
        message = held.pop(0)
        assert isinstance(message, SIPRequest) and not held
        bodies.append(message.body)
        peer.answer(message, 200)
        link.deliver()
    assert bodies == [b"0", b"1", b"2", b"2"]
    assert served.told[-1] == "ended"
    numbers = [request.cseq.number for request in peer.requests("NOTIFY") if request.cseq is not None]
    assert numbers == sorted(numbers)
    nothing_left(link, bob)


def test_many_refreshes_owe_one_notify(link: Link, peer: RawPeer, bob: EventParty) -> None:
    """A subscriber that refreshes without answering NOTIFYs does not fill the queue."""
    served, tag = active(peer, bob)
    peer.on_message = lambda message: None
    for cseq in range(2, 2 + 2 * MAX_QUEUED_NOTIFIES):
        subscribe(peer, bob, cseq=cseq, to_tag=tag)
    assert served.state == "active" and len(peer.requests("NOTIFY")) == 2
    peer.on_message = lambda message: peer.answer(message, 200) if is_notify(message) else None
    peer.answer(peer.requests("NOTIFY")[-1], 200)
    link.deliver()
    assert len(peer.requests("NOTIFY")) == 3


def test_a_subscriber_that_is_too_far_behind(link: Link, peer: RawPeer, bob: EventParty) -> None:
    """Bounds, RFC 6665 4.1.3: it is asked to begin anew, with reason `deactivated`."""
    served, _ = active(peer, bob)
    held: list[Message] = []
    peer.on_message = lambda message: held.append(message) if is_notify(message) else None
    for number in range(MAX_QUEUED_NOTIFIES + 2):
        served.push(str(number).encode())
    assert served.state == "terminated"
    with pytest.raises(InvalidStateError):
        served.push(b"more")
    link.deliver()
    peer.on_message = lambda message: peer.answer(message, 200) if is_notify(message) else None
    for message in held:
        assert isinstance(message, SIPRequest)
        peer.answer(message, 200)
    link.deliver()
    assert states(peer)[-1] == "terminated;reason=deactivated"
    assert served.ending == NotifierEnding("local", "deactivated")
    nothing_left(link, bob)


def test_ended_with_a_full_queue(link: Link, peer: RawPeer, bob: EventParty) -> None:
    served, _ = active(peer, bob)
    held: list[Message] = []
    peer.on_message = lambda message: held.append(message) if is_notify(message) else None
    for number in range(MAX_QUEUED_NOTIFIES + 1):
        served.push(str(number).encode())
    served.end("giveup")
    link.deliver()
    peer.on_message = lambda message: peer.answer(message, 200) if is_notify(message) else None
    assert isinstance(held[0], SIPRequest)
    peer.answer(held[0], 200)
    link.deliver()
    assert states(peer)[-1] == "terminated;reason=giveup" and served.told[-1] == "ended"
    nothing_left(link, bob)


@pytest.mark.parametrize("code", [*sorted(FATAL_CODES), 400, 401, 500, 603])
def test_a_notify_that_is_refused(link: Link, peer: RawPeer, bob: EventParty, code: int) -> None:
    """RFC 6665 4.2.2: a refused NOTIFY has lost its subscription, with Retry-After in a fatal one too."""
    served, _ = active(peer, bob)
    retry = [("Retry-After", "5")] if code in FATAL_CODES else []
    peer.on_message = lambda message: peer.answer(message, code, *retry) if is_notify(message) else None
    served.push(b"x")
    served.push(b"y")
    link.advance(20)
    assert served.told[-3:] == [f"notify failed {code}", "terminated", "ended"]
    assert served.ending is not None and served.ending.originator == "remote"
    assert len(peer.requests("NOTIFY")) == 2
    nothing_left(link, bob)


def test_a_notify_that_nobody_answers(link: Link, peer: RawPeer, bob: EventParty) -> None:
    """RFC 6665 4.2.2: timer F; the subscriber is gone."""
    served, _ = active(peer, bob)
    peer.on_message = lambda message: None
    served.push(b"x")
    link.advance(31)
    assert served.state == "active"
    link.advance(2)
    assert served.told[-3:] == ["notify failed 408", "terminated", "ended"]
    nothing_left(link, bob)


def test_the_last_notify_that_nobody_answers(link: Link, peer: RawPeer, bob: EventParty) -> None:
    served, _ = active(peer, bob)
    peer.on_message = lambda message: None
    served.end("probation")
    assert served.told[-1] == "terminated"
    link.advance(33)
    assert served.told[-2:] == ["notify failed 408", "ended"]
    assert served.ending == NotifierEnding("local", "probation")
    nothing_left(link, bob)


def test_a_notify_that_is_refused_for_now(link: Link, peer: RawPeer, bob: EventParty) -> None:
    """RFC 6665 4.2.2: with Retry-After the same NOTIFY is tried again, and what came since waits."""
    served, _ = active(peer, bob)
    peer.on_message = lambda message: peer.answer(message, 503, ("Retry-After", "7")) if is_notify(message) else None
    served.push(b"x")
    served.push(b"y")
    link.advance(1)
    peer.on_message = lambda message: peer.answer(message, 200) if is_notify(message) else None
    link.advance(5)
    assert [request.body for request in peer.requests("NOTIFY")] == [b"first", b"x"]
    link.advance(2)
    assert [request.body for request in peer.requests("NOTIFY")] == [b"first", b"x", b"x", b"y"]
    assert served.state == "active"


def test_a_notify_that_is_refused_for_now_again_and_again(link: Link, peer: RawPeer, bob: EventParty) -> None:
    served, _ = active(peer, bob)
    peer.on_message = lambda message: peer.answer(message, 503, ("Retry-After", "1")) if is_notify(message) else None
    served.push(b"x")
    link.advance(100)
    assert len(peer.requests("NOTIFY")) == 2 + MAX_RETRIES and served.told[-1] == "ended"
    nothing_left(link, bob)


@pytest.mark.parametrize(
    "content", [("no type", b"x"), (None, b"x"), ("text/plain\r\nX: y", b"x")], ids=["bad", "none", "injection"]
)
def test_content_that_has_no_type(
    link: Link, peer: RawPeer, bob: EventParty, content: tuple[str | None, bytes]
) -> None:
    served, _ = active(peer, bob)
    with pytest.raises(ValueError):
        served.usage.push(*content, now=link.now)
    with pytest.raises(ValueError, match="reason"):
        served.end("no token")
    assert served.state == "active"
    served.push(b"good")
    link.deliver()
    assert peer.requests("NOTIFY")[-1].body == b"good"


@pytest.mark.parametrize("what", ["active", "notify 200", "terminated"])
def test_called_from_inside_what_it_tells(link: Link, peer: RawPeer, bob: EventParty, what: str) -> None:
    """The layer above ends it, or pushes, in the middle of being told."""

    def react(told: str) -> None:
        served = bob.served[-1]
        if told == what and served.state == "active":
            served.push(b"pushed")
            served.end()

    def serve(served: Served) -> None:
        served.on_told = react
        served.accept(b"first")

    bob.serve = serve
    subscribe(peer, bob)
    link.advance(1)
    bob.served[-1].end()
    link.advance(1)
    assert bob.served[-1].told[-1] == "ended" and states(peer)[-1] == "terminated;reason=noresource"
    nothing_left(link, bob)


@given(
    st.lists(
        st.sampled_from(
            [
                *("accept", "accept_pending", "push", "reject", "end", "refresh", "unsubscribe", "brief", "old"),
                *("200", "481", "503", "silence", "wait 1", "wait 35", "wait 400"),
            ]
        ),
        max_size=25,
    )
)
def test_any_sequence_ends_cleanly(steps: list[str]) -> None:
    """Whatever comes in whatever order: it ends once, and nothing is left of it."""
    link = Link()
    bob = EventParty(link, "bob", "10.0.0.2")
    peer = RawPeer(link, "peer", "10.0.0.9")
    answer = [200]

    def react(message: Message) -> None:
        if isinstance(message, SIPRequest) and answer:
            peer.answer(message, answer[0], ("Retry-After", "3"))

    peer.on_message = react
    subscribe(peer, bob, "Expires: 60")
    (served,) = bob.served
    cseq = 1
    for step in steps:
        tag = served.usage._local_tag
        what, _, detail = step.partition(" ")
        if what.isdigit():
            answer[:] = [int(what)]
        elif what == "silence":
            answer.clear()
        elif what == "wait":
            link.advance(int(detail))
        elif what in ("refresh", "unsubscribe", "brief", "old"):
            expires = {"unsubscribe": 0, "brief": 3}.get(what, 60)
            cseq += what != "old"
            subscribe(peer, bob, f"Expires: {expires}", cseq=cseq, to_tag=tag)
        else:
            with contextlib.suppress(InvalidStateError):
                getattr(served, what)(*([b"x"] if what in ("accept", "push") else []))
        link.deliver()
    served.end()
    link.advance(60)
    assert served.told[-1] == "ended" and served.state == "terminated"
    nothing_left(link, bob)
