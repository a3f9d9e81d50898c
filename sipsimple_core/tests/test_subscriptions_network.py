"""`Subscription`, `IncomingSubscription`, `Referral`, `IncomingReferral` and transfers, of two whole user agents."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sipsimple.core import (
    SIPURI,
    ContactHeader,
    Engine,
    EventHeader,
    FromHeader,
    Header,
    IncomingReferral,
    IncomingSubscription,
    InvalidStateError,
    Invitation,
    Referral,
    ReferToHeader,
    RouteHeader,
    SDPSession,
    Subscription,
    ToHeader,
)
from sipsimple.notification import NotificationCenter
from sipsimple.testing import MemoryNetwork, UserAgent

SDP = b"v=0\r\no=- 1 1 IN IP4 10.0.0.1\r\ns=-\r\nc=IN IP4 10.0.0.1\r\nt=0 0\r\nm=message 2855 TCP/MSRP *\r\n"


@pytest.fixture
def network() -> Iterator[MemoryNetwork]:
    network = MemoryNetwork()
    yield network
    network.close()


@pytest.fixture
def alice(network: MemoryNetwork) -> Iterator[UserAgent]:
    agent = UserAgent(network, "alice")
    yield agent
    agent.stop()


@pytest.fixture
def bob(network: MemoryNetwork) -> Iterator[UserAgent]:
    agent = UserAgent(network, "bob")
    yield agent
    agent.stop()


class Reaction:
    """Does something with the sender of each notification of a name."""

    def __init__(self, agent: UserAgent, name: str, action: Callable[[Any], None]) -> None:
        self.senders: list[Any] = []
        self._action = action
        agent.run(lambda: NotificationCenter().add_observer(self, name))

    def handle_notification(self, notification: Any) -> None:
        self.senders.append(notification.sender)
        self._action(notification.sender)


def uri_of(agent: UserAgent) -> SIPURI:
    return SIPURI(agent.ip, agent.name)


def addresses(alice: UserAgent, bob: UserAgent) -> tuple[SIPURI, FromHeader, ToHeader]:
    return uri_of(bob), FromHeader(uri_of(alice)), ToHeader(uri_of(bob))


def contact_of(agent: UserAgent) -> ContactHeader:
    return ContactHeader(SIPURI(agent.ip, agent.name, port=5060))


def route_to(agent: UserAgent) -> RouteHeader:
    return RouteHeader(f"sip:{agent.ip}:5060;lr")


def subscription(alice: UserAgent, bob: UserAgent, event: Any = "presence", **options: Any) -> Subscription:
    return alice.run(Subscription, *addresses(alice, bob), contact_of(alice), event, route_to(bob), **options)


def names(agent: UserAgent, sender: Any) -> list[str]:
    found = []
    for notification in agent.recorder:
        if notification.sender is sender:
            name = notification.name.removeprefix(f"SIP{type(sender).__name__}")
            found.append(notification.data.state if name == "ChangedState" else name)
    return found


def serve_presence(agent: UserAgent, action: Callable[[IncomingSubscription], None]) -> Reaction:
    agent.run(lambda: Engine().add_event("presence", ["application/pidf+xml"]))
    return Reaction(agent, "SIPIncomingSubscriptionGotSubscribe", action)


def test_a_subscription_of_two_user_agents(network: MemoryNetwork, alice: UserAgent, bob: UserAgent) -> None:
    """RFC 6665: pending, granted, new content, refreshed, ended by the subscriber."""
    served = serve_presence(bob, lambda incoming: incoming.accept_pending())
    alice.run(lambda: Engine().add_event("presence", ["application/pidf+xml", "text/plain"]))
    mine = subscription(alice, bob)
    assert mine.state is None
    alice.run(mine.subscribe, [Header("X-Test", "1")])
    network.run_until(lambda: mine.state == "pending")
    (theirs,) = served.senders
    subscribe = bob.recorder.assert_one("SIPIncomingSubscriptionGotSubscribe", theirs).data
    assert (subscribe.event, subscribe.expires, subscribe.headers.get("X-Test")) == ("presence", 300, "1")
    assert subscribe.headers.get("Accept") == "application/pidf+xml, text/plain"
    bob.run(theirs.accept, "text/plain", b"one")
    bob.run(theirs.push_content, "text/plain", b"two")
    network.run_until(lambda: alice.recorder.count("SIPSubscriptionGotNotify", mine) == 3)
    assert [found.data.body for found in alice.recorder.find_all("SIPSubscriptionGotNotify", mine)] == [
        *(b"", b"one", b"two")
    ]
    assert mine.dialog_id is not None and mine.peer_address is not None and mine.peer_address.host == bob.ip
    network.run_until(lambda: bob.recorder.find("SIPIncomingSubscriptionGotRefreshingSubscribe", theirs), 300)
    network.run_until(lambda: alice.recorder.count("SIPSubscriptionGotNotify", mine) == 4)
    alice.run(mine.end)
    network.run_until(lambda: mine.state == "terminated" and theirs.state == "terminated")
    assert names(alice, mine) == [
        *("WillStart", "notify_wait", "DidStart", "pending", "GotNotify", "active", "GotNotify", "GotNotify"),
        *("GotNotify", "terminating", "terminated", "GotNotify", "DidEnd"),
    ]
    network.run_until(lambda: bob.recorder.find("SIPIncomingSubscriptionDidEnd", theirs))
    assert names(bob, theirs)[-4:] == ["GotUnsubscribe", "terminated", "NotifyDidSucceed", "DidEnd"]
    ending = alice.recorder.assert_one("SIPSubscriptionDidEnd", mine).data
    assert (ending.originator, ending.reason, ending.retry_after) == ("local", "timeout", None)


def test_a_subscription_over_a_network_that_loses_and_reorders(alice: UserAgent, bob: UserAgent) -> None:
    network = alice.network
    network.latency, network.jitter, network.loss = 0.05, 0.2, 0.2
    serve_presence(bob, lambda incoming: incoming.accept("text/plain", b"here"))
    mine = subscription(alice, bob)
    alice.run(mine.subscribe)
    network.run_until(lambda: mine.state == "active", 60)
    network.latency, network.jitter, network.loss = 0.001, 0.0, 0.0
    alice.run(mine.end)
    network.run_until(lambda: alice.recorder.find("SIPSubscriptionDidEnd", mine), 90)


def test_refused_and_begun_again(network: MemoryNetwork, alice: UserAgent, bob: UserAgent) -> None:
    """RFC 6665 4.2.1.1: 489 for a package that nobody registered; after the end it may be started again."""
    mine = subscription(alice, bob, EventHeader("presence", {"id": "7"}))
    alice.run(mine.subscribe)
    network.run_until(lambda: alice.recorder.find("SIPSubscriptionDidFail", mine))
    data = alice.recorder.assert_one("SIPSubscriptionDidFail", mine).data
    assert (data.originator, data.code, data.targets) == ("remote", 489, [])
    assert "Allow-Events" in data.headers and names(alice, mine) == [
        "WillStart",
        "notify_wait",
        "terminated",
        "DidFail",
    ]
    served = serve_presence(bob, lambda incoming: incoming.accept())
    alice.run(mine.subscribe)
    network.run_until(lambda: mine.state == "active")
    assert served.senders[0].event_id == "7"
    bob.run(served.senders[0].end, "deactivated")
    network.run_until(lambda: alice.recorder.find("SIPSubscriptionDidEnd", mine))
    assert alice.recorder.assert_one("SIPSubscriptionDidEnd", mine).data.retry_after == 0


def test_nobody_looks_after_an_incoming_subscription(network: MemoryNetwork, alice: UserAgent, bob: UserAgent) -> None:
    bob.run(lambda: Engine().add_event("presence"))
    mine = subscription(alice, bob)
    alice.run(mine.subscribe)
    network.run_until(lambda: alice.recorder.find("SIPSubscriptionDidFail", mine))
    assert alice.recorder.assert_one("SIPSubscriptionDidFail", mine).data.code == 480


def test_fetching(network: MemoryNetwork, alice: UserAgent, bob: UserAgent) -> None:
    """RFC 6665 4.4.3."""
    serve_presence(bob, lambda incoming: incoming.accept("text/plain", b"now"))
    mine = subscription(alice, bob, refresh=0)
    alice.run(mine.subscribe)
    network.run_until(lambda: alice.recorder.find("SIPSubscriptionDidEnd", mine))
    assert alice.recorder.assert_one("SIPSubscriptionGotNotify", mine).data.body == b"now"


def test_the_engine_stops_under_a_subscription(network: MemoryNetwork, alice: UserAgent, bob: UserAgent) -> None:
    """What an engine knew is gone with its stop; the subscription says so, and begins anew with the next."""
    serve_presence(bob, lambda incoming: incoming.accept())
    mine = subscription(alice, bob)
    alice.run(mine.subscribe)
    network.run_until(lambda: mine.state == "active")
    alice.stop()
    alice.run(mine.end)
    assert names(alice, mine)[-1] == "DidEnd" and mine.state is None
    alice.start()
    alice.run(mine.subscribe)
    network.run_until(lambda: mine.state == "active")


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (lambda alice, bob: subscription(alice, bob, "two words"), ValueError),
        (lambda alice, bob: subscription(alice, bob, refresh=-1), ValueError),
        (lambda alice, bob: alice.run(subscription(alice, bob).end), InvalidStateError),
        (lambda alice, bob: alice.run(subscription(alice, bob).subscribe, (), None, b"body"), ValueError),
        (lambda alice, bob: alice.run(subscription(alice, bob).subscribe, (), "no type", b"body"), ValueError),
        (lambda alice, bob: alice.run(lambda: Engine().add_event("a b")), ValueError),
    ],
)
def test_wrong_use(alice: UserAgent, bob: UserAgent, wrong: Callable[..., object], error: type[Exception]) -> None:
    with pytest.raises(error):
        wrong(alice, bob)


# Referrals


def referral(alice: UserAgent, bob: UserAgent) -> Referral:
    target = ReferToHeader(SIPURI("10.0.0.77", "carol"))
    return alice.run(Referral, *addresses(alice, bob), target, contact_of(alice), route_to(bob))


def serve_referrals(agent: UserAgent, action: Callable[[IncomingReferral], None]) -> Reaction:
    agent.run(lambda: Engine().add_event("refer", ["message/sipfrag"]))
    return Reaction(agent, "SIPIncomingReferralGotRefer", action)


def test_a_referral_of_two_user_agents(network: MemoryNetwork, alice: UserAgent, bob: UserAgent) -> None:
    """RFC 3515: progress from 100 to the final status."""
    served = serve_referrals(bob, lambda incoming: incoming.accept(duration=60))
    mine = referral(alice, bob)
    alice.run(mine.send_refer)
    network.run_until(lambda: mine.state == "active")
    (theirs,) = served.senders
    data = bob.recorder.assert_one("SIPIncomingReferralGotRefer", theirs).data
    assert data.refer_to.uri.user == "carol" and data.referred_by.uri.user == "alice" and theirs.expires == 60
    bob.run(theirs.send_notify, 180)
    bob.run(theirs.end, 486, "Not now")
    network.run_until(lambda: alice.recorder.find("SIPReferralDidEnd", mine))
    assert [found.data.code for found in alice.recorder.find_all("SIPReferralGotNotify", mine)] == [100, 180, 486]
    ending = alice.recorder.assert_one("SIPReferralDidEnd", mine).data
    assert (ending.originator, ending.code, ending.reason) == ("remote", 486, "Not now")
    assert names(alice, mine)[:4] == ["WillStart", "notify_wait", "DidStart", "active"]
    network.run_until(lambda: names(bob, theirs)[-1] == "DidEnd")
    with pytest.raises(InvalidStateError):
        alice.run(mine.send_refer)


def test_a_referral_of_which_nothing_is_to_be_heard(network: MemoryNetwork, alice: UserAgent, bob: UserAgent) -> None:
    """RFC 4488."""
    served = serve_referrals(bob, lambda incoming: incoming.accept())
    mine = referral(alice, bob)
    alice.run(mine.send_refer, create_subscription=False)
    network.run_until(lambda: alice.recorder.find("SIPReferralDidEnd", mine))
    assert not served.senders[0].has_subscription
    bob.run(served.senders[0].send_notify, 200)


def test_referrals_that_are_refused(network: MemoryNetwork, alice: UserAgent, bob: UserAgent) -> None:
    mine = referral(alice, bob)
    alice.run(mine.send_refer)
    network.run_until(lambda: alice.recorder.find("SIPReferralDidFail", mine))
    assert alice.recorder.assert_one("SIPReferralDidFail", mine).data.code == 603
    served = serve_referrals(bob, lambda incoming: incoming.reject(488))
    mine = referral(alice, bob)
    alice.run(mine.send_refer)
    network.run_until(lambda: alice.recorder.find("SIPReferralDidFail", mine))
    assert alice.recorder.assert_one("SIPReferralDidFail", mine).data.code == 488
    for wrong in (served.senders[0].accept, served.senders[0].reject):
        with pytest.raises(ValueError):
            bob.run(wrong, 100)


# Transfers


class Calls:
    """Answers every call at the level of invitations, and keeps them."""

    def __init__(self, agent: UserAgent) -> None:
        self.invitations: list[Invitation] = []
        agent.run(lambda: NotificationCenter().add_observer(self, "SIPInvitationChangedState"))

    def handle_notification(self, notification: Any) -> None:
        if notification.data.state == "incoming" and notification.data.prev_state is None:
            self.invitations.append(notification.sender)
            notification.sender.send_response(200, sdp=SDPSession.parse(SDP))


@pytest.fixture
def call(network: MemoryNetwork, alice: UserAgent, bob: UserAgent) -> tuple[Invitation, Invitation]:
    for agent in (alice, bob):
        # the calls are the test's, not those of sessions
        agent.run(lambda: NotificationCenter().discard_observer(_session_manager(), "SIPInvitationChangedState"))
    calls = Calls(bob)
    mine = alice.run(Invitation)
    alice.run(mine.send_invite, *addresses(alice, bob), route_to(bob), contact_of(alice), SDPSession.parse(SDP))
    network.run_until(lambda: mine.state == "connected" and calls.invitations[0].state == "connected")
    return mine, calls.invitations[0]


def _session_manager() -> Any:
    from sipsimple.session import SessionManager

    return SessionManager()


def transfers(agent: UserAgent, invitation: Invitation) -> list[str]:
    return [name.removeprefix("Transfer") for name in names(agent, invitation) if str(name).startswith("Transfer")]


@pytest.mark.parametrize(("code", "outcome"), [(200, "DidEnd"), (486, "DidFail")])
def test_a_transfer(
    network: MemoryNetwork,
    alice: UserAgent,
    bob: UserAgent,
    call: tuple[Invitation, Invitation],
    code: int,
    outcome: str,
) -> None:
    """SES-056, RFC 5589 6: asked for, followed, told; the call itself goes on."""
    mine, theirs = call
    alice.run(mine.transfer, SIPURI("10.0.0.77", "carol"))
    with pytest.raises(InvalidStateError):
        alice.run(mine.transfer, SIPURI("10.0.0.77", "carol"))
    network.run_until(lambda: bob.recorder.find("SIPInvitationTransferNewIncoming", theirs))
    data = bob.recorder.assert_one("SIPInvitationTransferNewIncoming", theirs).data
    assert data.refer_to.uri.user == "carol" and data.referred_by.uri.user == "alice"
    bob.run(theirs.notify_transfer_progress, 180)
    bob.run(theirs.notify_transfer_progress, code)
    with pytest.raises(InvalidStateError):
        bob.run(theirs.notify_transfer_progress, 200)
    network.run_until(lambda: alice.recorder.find(f"SIPInvitationTransfer{outcome}", mine))
    assert transfers(alice, mine) == ["NewOutgoing", "DidStart", "GotNotify", "GotNotify", "GotNotify", outcome]
    assert transfers(bob, theirs) == ["NewIncoming", "DidStart", outcome]
    assert (mine.state, theirs.state) == ("connected", "connected")
    # and another one
    alice.run(mine.transfer, SIPURI("10.0.0.78", "dave"), mine.dialog_id)
    network.run_until(lambda: bob.recorder.count("SIPInvitationTransferNewIncoming", theirs) == 2)
    found = bob.recorder.last("SIPInvitationTransferNewIncoming", theirs)
    assert found is not None and "Replaces" in found.data.refer_to.uri.headers


def test_a_transfer_of_which_nobody_says_anything(
    network: MemoryNetwork, alice: UserAgent, bob: UserAgent, call: tuple[Invitation, Invitation]
) -> None:
    """The subscription to it runs out: its outcome will not be known."""
    mine, theirs = call
    alice.run(mine.transfer, SIPURI("10.0.0.77", "carol"))
    network.run_until(lambda: alice.recorder.find("SIPInvitationTransferGotNotify", mine))
    network.advance(1)
    network.partition(alice.ip, bob.ip)
    network.run_until(lambda: transfers(bob, theirs) == ["NewIncoming", "DidFail"], 200)
    network.run_until(lambda: transfers(alice, mine) == ["NewOutgoing", "DidStart", "GotNotify", "DidFail"], 200)
    network.heal()
    assert bob.recorder.assert_one("SIPInvitationTransferDidFail", theirs).data.code == 408


def test_transfers_that_can_not_be(alice: UserAgent, bob: UserAgent) -> None:
    fresh = alice.run(Invitation)
    assert fresh.dialog_id is None
    with pytest.raises(InvalidStateError):
        alice.run(fresh.transfer, SIPURI("10.0.0.77", "carol"))
    with pytest.raises(InvalidStateError):
        alice.run(fresh.notify_transfer_progress, 200)
