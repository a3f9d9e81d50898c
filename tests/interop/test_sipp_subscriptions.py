"""SUBSCRIBE and NOTIFY with sipp on the other side, both ways (RFC 6665)."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Sipp, Stack
from .scenarios import back, expect, reply, request, scenario

TIMEOUT = 20
EVENT = "Event: presence"


def subscribe(stack: Stack, port: int, refresh: int = 600) -> Any:
    from sipsimple.core import SIPURI, ContactHeader, FromHeader, RouteHeader, Subscription, ToHeader

    ours, theirs = SIPURI("127.0.0.1", "alice", port=stack.port), SIPURI("127.0.0.1", "bob", port=port)
    route = RouteHeader(SIPURI("127.0.0.1", port=port))
    headers = FromHeader(ours), ToHeader(theirs), ContactHeader(ours), "presence", route
    subscription = stack.run(Subscription, theirs, *headers, refresh=refresh)
    stack.run(subscription.subscribe, timeout=10)
    return subscription


def accepted(expires: int = 600, **options: Any) -> str:
    return reply(200, "OK", f"Expires: {expires}", **options)


def notify(cseq: int, state: str, body: str = "", **options: Any) -> str:
    sent = back(
        "NOTIFY", cseq, EVENT, f"Subscription-State: {state}", body=body, content_type="text/plain", retrans=500,
        **options,
    )  # fmt: skip
    return sent + "\n" + expect(200)


def ending(stack: Stack, subscription: Any, name: str = "SIPSubscriptionDidEnd") -> Any:
    return stack.recorder.wait_for(name, subscription, TIMEOUT).data


def bodies(stack: Stack, subscription: Any) -> list[bytes]:
    return [found.data.body for found in stack.recorder.find_all("SIPSubscriptionGotNotify", subscription)]


def test_from_pending_to_the_end(sipp: Sipp, stack: Stack) -> None:
    """RFC 6665 4.1.3: pending, active, and ended by the notifier, who says when to try again."""
    steps = [expect("SUBSCRIBE", save=True, having=(EVENT, "Expires: 600")), accepted(to_saved=True)]
    steps += [notify(1, "pending;expires=600"), notify(2, "active;expires=600", "here")]
    steps.append(notify(3, "terminated;reason=probation;retry-after=30"))
    run = sipp.start(scenario(*steps))
    subscription = subscribe(stack, run.port)
    data = ending(stack, subscription)
    run.finish()
    assert (data.originator, data.reason, data.retry_after) == ("remote", "probation", 30)
    assert bodies(stack, subscription) == [b"", b"here\r\n", b""]
    stack.assert_nothing_left()


def test_we_unsubscribe(sipp: Sipp, stack: Stack) -> None:
    """RFC 6665 4.1.2.3: SUBSCRIBE with Expires 0 inside the dialog, and the last NOTIFY."""
    steps = [expect("SUBSCRIBE", save=True), accepted(to_saved=True), notify(1, "active;expires=600")]
    steps += [expect("SUBSCRIBE", having=("Expires: 0", "To: .*;tag=peer")), accepted(0, tag=None)]
    steps.append(notify(2, "terminated;reason=timeout"))
    run = sipp.start(scenario(*steps))
    subscription = subscribe(stack, run.port)
    stack.recorder.wait_for("SIPSubscriptionGotNotify", subscription, TIMEOUT)
    stack.run(subscription.end)
    assert ending(stack, subscription).originator == "local"
    run.finish()
    stack.assert_nothing_left()


def test_a_notify_that_is_faster_than_the_200(sipp: Sipp, stack: Stack) -> None:
    """RFC 6665 4.4.1: the NOTIFY makes the dialog, whichever comes first."""
    steps = [expect("SUBSCRIBE", save=True), notify(1, "active;expires=600", "first"), accepted(to_saved=True)]
    steps.append(notify(2, "terminated;reason=noresource"))
    run = sipp.start(scenario(*steps))
    subscription = subscribe(stack, run.port)
    assert ending(stack, subscription).reason == "noresource"
    run.finish()
    assert bodies(stack, subscription)[0] == b"first\r\n"
    stack.assert_nothing_left()


def test_a_fork(sipp: Sipp, stack: Stack) -> None:
    """RFC 6665 5.4.9: the notifier that was first is kept, another one gets 481."""
    steps = [expect("SUBSCRIBE", save=True), accepted(to_saved=True), notify(1, "active;expires=600")]
    steps += [
        back("NOTIFY", 1, EVENT, "Subscription-State: active;expires=600", tag="other", retrans=500),
        expect(481),
        notify(2, "terminated;reason=noresource"),
    ]
    run = sipp.start(scenario(*steps))
    subscription = subscribe(stack, run.port)
    ending(stack, subscription)
    run.finish()
    assert len(bodies(stack, subscription)) == 2


def test_an_interval_that_is_too_brief(sipp: Sipp, stack: Stack) -> None:
    """RFC 6665 4.1.2.1 (RFC 3261 21.4.17): 423 says how long it has to be, and gets it."""
    steps = [expect("SUBSCRIBE", having=("Expires: 60",)), reply(423, "Interval Too Brief", "Min-Expires: 1800")]
    steps += [expect("SUBSCRIBE", save=True, having=("Expires: 1800",)), accepted(1800, to_saved=True)]
    steps.append(notify(1, "terminated;reason=noresource"))
    run = sipp.start(scenario(*steps))
    ending(stack, subscribe(stack, run.port, 60))
    run.finish()


@pytest.mark.parametrize("code", [403, 489, 503])
def test_a_refusal_says_when_to_try_again(sipp: Sipp, stack: Stack, code: int) -> None:
    """RFC 6665 4.1.2.3, RFC 3261 20.33"""
    run = sipp.start(scenario(expect("SUBSCRIBE"), reply(code, "No", "Retry-After: 90")))
    data = ending(stack, subscribe(stack, run.port), "SIPSubscriptionDidFail")
    run.finish()
    assert (data.code, data.retry_after) == (code, 90)
    stack.assert_nothing_left()


# sipp subscribes

FIRST = request("SUBSCRIBE", 1, EVENT, "Expires: 600", to_tag=False, retrans=500)


def notified(state: str, *having: str) -> str:
    return expect("NOTIFY", having=(EVENT, f"Subscription-State: {state}", *having)) + "\n" + reply(200, "OK", tag=None)


def serve(stack: Stack, action: Any) -> None:
    from sipsimple.notification import NotificationCenter

    class Serving:
        def handle_notification(self, notification: Any) -> None:
            action(notification.sender)

    stack.serving = Serving()
    stack.run(stack.engine.add_event, "presence", ["text/plain"])
    NotificationCenter().add_observer(stack.serving, name="SIPIncomingSubscriptionGotSubscribe")


def test_sipp_subscribes_refreshes_and_unsubscribes(sipp: Sipp, stack: Stack) -> None:
    """RFC 6665 4.2.1: a NOTIFY for each SUBSCRIBE, the last with the state terminated."""
    serve(stack, lambda incoming: incoming.accept("text/plain", b"state of mind"))
    steps = [FIRST, expect(200, having=("Expires: 600",)), notified("active", "state of mind")]
    refresh = request("SUBSCRIBE", 2, EVENT, "Expires: 300", retrans=500)
    steps += [refresh, expect(200, having=("Expires: 300",)), notified("active", "state of mind")]
    last = request("SUBSCRIBE", 3, EVENT, "Expires: 0", retrans=500)
    steps += [last, expect(200), notified("terminated;reason=timeout", "state of mind")]
    sipp.start(scenario(*steps), stack.port).finish()
    stack.recorder.wait_for("SIPIncomingSubscriptionDidEnd", timeout=TIMEOUT)
    stack.assert_nothing_left()


def test_sipp_waits_for_our_permission(sipp: Sipp, stack: Stack) -> None:
    """RFC 6665 4.2.1.1: 200 and pending, then what we decide."""
    serve(stack, lambda incoming: incoming.accept_pending())
    run = sipp.start(
        scenario(FIRST, expect(200), notified("pending"), notified("terminated;reason=rejected")), stack.port
    )
    incoming = stack.recorder.wait_for("SIPIncomingSubscriptionNotifyDidSucceed", timeout=TIMEOUT).sender
    stack.run(incoming.end, "rejected")
    run.finish()
    stack.recorder.wait_for("SIPIncomingSubscriptionDidEnd", incoming, TIMEOUT)
    stack.assert_nothing_left()


def test_an_event_that_we_do_not_know(sipp: Sipp, stack: Stack) -> None:
    """RFC 6665 4.2.1.1, 8.2.2: 489 with what we know."""
    serve(stack, lambda incoming: incoming.accept())
    other = request("SUBSCRIBE", 1, "Event: weather", "Expires: 600", to_tag=False, retrans=500)
    sipp.start(scenario(other, expect(489, having=("Allow-Events: .*presence",))), stack.port).finish()


def test_a_notify_that_sipp_knows_nothing_of(sipp: Sipp, stack: Stack) -> None:
    """RFC 6665 4.2.2: 481 to a NOTIFY ends the subscription here."""
    serve(stack, lambda incoming: incoming.accept("text/plain", b"here"))
    sipp.start(scenario(FIRST, expect(200), expect("NOTIFY"), reply(481, "No", tag=None)), stack.port).finish()
    stack.recorder.wait_for("SIPIncomingSubscriptionDidEnd", timeout=TIMEOUT)
    stack.assert_nothing_left()
