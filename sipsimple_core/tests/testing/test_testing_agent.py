"""Whole user agents on the memory network."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from zope.interface import implementer
from zope.interface.verify import verifyClass

from sipsimple.core import SDPMediaStream
from sipsimple.notification import NotificationCenter, NotificationData
from sipsimple.realm import current_realm, default_realm
from sipsimple.session import SessionManager
from sipsimple.streams import IMediaStream, MediaStreamRegistry
from sipsimple.testing import MemoryNetwork, UserAgent
from sipsimple.testing.network import ConditionNotMet


@implementer(IMediaStream)
class WordStream:
    """A stream without media: it starts as soon as it is told to."""

    type = "word"
    priority = 1
    hold_supported = False
    on_hold = on_hold_by_local = on_hold_by_remote = False

    def __init__(self, account: Any) -> None:
        self.account = account
        self.realm = current_realm()

    @classmethod
    def new_from_sdp(cls, account: Any, remote_sdp: Any, stream_index: int) -> WordStream | None:
        return cls(account) if remote_sdp.media[stream_index].media == "word" else None

    def get_local_media(self, for_offer: bool, remote_sdp: Any = None, stream_index: int = 0) -> Any:
        return SDPMediaStream("word", 9, "TCP/WORD", formats=["*"])

    def initialize(self, session: Any, direction: str) -> None:
        self.post("MediaStreamDidInitialize")

    def start(self, local_sdp: Any, remote_sdp: Any, stream_index: int) -> None:
        self.post("MediaStreamDidStart")

    def validate_update(self, remote_sdp: Any, stream_index: int) -> bool:
        return True

    def update(self, local_sdp: Any, remote_sdp: Any, stream_index: int) -> None:
        pass

    def hold(self) -> None:
        pass

    def unhold(self) -> None:
        pass

    def deactivate(self) -> None:
        pass

    def end(self) -> None:
        self.post("MediaStreamWillEnd")
        self.post("MediaStreamDidEnd", error=None)

    def post(self, name: str, **fields: Any) -> None:
        assert current_realm() is self.realm
        NotificationCenter().post_notification(name, sender=self, data=NotificationData(**fields))


@pytest.fixture(autouse=True)
def word_streams() -> Iterator[None]:
    MediaStreamRegistry().register(WordStream)
    yield
    MediaStreamRegistry().unregister(WordStream)


@pytest.fixture
def network() -> MemoryNetwork:
    return MemoryNetwork()


@pytest.fixture
def alice(network: MemoryNetwork) -> UserAgent:
    return UserAgent(network, "alice")


@pytest.fixture
def bob(network: MemoryNetwork) -> UserAgent:
    return UserAgent(network, "bob")


def test_the_stream_of_these_tests_is_a_stream() -> None:
    assert verifyClass(IMediaStream, WordStream)


def test_an_agent_is_a_started_application_with_an_account(network: MemoryNetwork, alice: UserAgent) -> None:
    assert alice.run(lambda: alice.application.running)
    assert alice.account.id == "alice@10.0.0.1"
    assert alice.account.enabled
    assert not alice.account.registration.enabled
    assert alice.uri == "sip:alice@10.0.0.1"
    assert (alice.route().address, alice.route().port, alice.route().transport) == ("10.0.0.1", 5060, "udp")
    assert network.host(alice) is alice.reactor
    assert network.agents == [alice]
    alice.recorder.assert_order("SIPApplicationWillStart", "SIPEngineDidStart", "SIPApplicationDidStart")
    assert not default_realm().instances.get(SessionManager)


def test_agents_share_nothing(alice: UserAgent, bob: UserAgent) -> None:
    assert alice.application is not bob.application
    assert alice.run(SessionManager) is not bob.run(SessionManager)
    assert alice.run(NotificationCenter) is not bob.run(NotificationCenter)
    assert {notification.sender for notification in alice.recorder.find_all("SIPApplicationDidStart")} == {
        alice.application
    }


def test_a_call_is_set_up_and_ended(network: MemoryNetwork, alice: UserAgent, bob: UserAgent) -> None:
    bob.answer_with(ring=True, delay=2.0)
    session = alice.call(bob, [WordStream], subject="Lunch")
    network.run_until(lambda: alice.recorder.find("SIPSessionGotRingIndication"))
    ringing_since = network.now
    network.run_until(lambda: alice.recorder.find("SIPSessionDidStart") and bob.recorder.find("SIPSessionDidStart"))
    assert network.now - ringing_since == pytest.approx(2.0, abs=0.1)
    assert session.state == "connected"
    assert [incoming.subject for incoming in bob.incoming] == ["Lunch"]
    assert bob.incoming[0].account is bob.account
    alice.run(session.end)
    network.run_until(lambda: bob.recorder.find("SIPSessionDidEnd") and alice.recorder.find("SIPSessionDidEnd"))
    assert [packet.data.split()[0] for packet in network.packets.select(source=alice.ip)] == [b"INVITE", b"ACK", b"BYE"]


def test_a_call_is_rejected(network: MemoryNetwork, alice: UserAgent, bob: UserAgent) -> None:
    bob.answer_with(code=486)
    alice.call(bob, [WordStream])
    network.run_until(lambda: alice.recorder.find("SIPSessionDidFail", code=486, originator="remote"))


def test_a_session_that_the_test_has_ended_is_not_answered(
    network: MemoryNetwork, alice: UserAgent, bob: UserAgent
) -> None:
    class Reject:
        def handle_notification(self, notification: Any) -> None:
            notification.sender.reject(486)

    bob.run(lambda: NotificationCenter().add_observer(Reject(), name="SIPSessionNewIncoming"))
    bob.answer_with(ring=True)
    alice.call(bob, [WordStream])
    network.run_until(lambda: alice.recorder.find("SIPSessionDidFail", code=486))


def test_the_answer_may_choose_streams(network: MemoryNetwork, alice: UserAgent, bob: UserAgent) -> None:
    bob.answer_with(lambda session, streams: streams[:1])
    session = alice.call(bob, [WordStream, WordStream])
    network.run_until(lambda: session.state == "connected")
    assert len(session.streams) == 1


def test_nobody_answers_unless_told_to(network: MemoryNetwork, alice: UserAgent, bob: UserAgent) -> None:
    bob.answer_with()
    bob.stop_answering()
    session = alice.call(bob, [WordStream])
    network.run_until(lambda: bob.incoming)
    network.advance(5.0)
    assert session.state in ("outgoing", "connecting")
    alice.run(session.end)
    network.run_until(lambda: alice.recorder.find("SIPSessionDidFail"))


def test_a_call_survives_a_bad_network(alice: UserAgent, bob: UserAgent, network: MemoryNetwork) -> None:
    network.loss, network.jitter, network.duplication, network.reordering = 0.3, 0.05, 0.2, 0.2
    bob.answer_with()
    for _ in range(5):
        session = alice.call(bob, [WordStream])
        network.run_until(lambda session=session: session.state == "connected", timeout=60)
        alice.run(session.end)
        network.run_until(lambda session=session: session.state == "terminated", timeout=60)


def test_settings_are_in_effect_from_the_start(network: MemoryNetwork) -> None:
    agent = UserAgent(
        network,
        "carol",
        ip="10.0.0.77",
        settings={"user_agent": "carol/1", "sip.udp_port": 5070},
        account_settings={"display_name": "Carol"},
    )
    assert agent.account.display_name == "Carol"
    assert agent.ip == "10.0.0.77"
    assert agent.reactor.bound_to("udp", ("10.0.0.77", 5070)) is not None
    assert agent.route().port == 5070


def test_an_agent_stops_and_starts_again_with_its_storage(network: MemoryNetwork, alice: UserAgent) -> None:
    alice.stop()
    alice.recorder.assert_order("SIPApplicationWillEnd", "SIPEngineDidEnd", "SIPApplicationDidEnd")
    assert not alice.run(lambda: alice.application.running)
    assert alice.reactor.bound_to("udp", (alice.ip, 5060)) is None
    assert not alice.reactor.getDelayedCalls()
    alice.stop()
    alice.start()
    assert alice.run(lambda: alice.application.running)


def test_an_agent_that_cannot_start_says_why(network: MemoryNetwork) -> None:
    from twisted.internet.protocol import DatagramProtocol

    agent = UserAgent(network, "alice", start=False)
    with pytest.raises(RuntimeError, match="was not started"):
        agent.account  # noqa: B018
    agent.reactor.listenUDP(5060, DatagramProtocol())
    with pytest.raises(AssertionError, match=r"could not start(.|\n)*SIPEngineDidFail"):
        agent.start()


def test_a_failed_wait_shows_the_notifications_of_the_agents(network: MemoryNetwork, alice: UserAgent) -> None:
    with pytest.raises(ConditionNotMet, match=r"-- alice, 10.0.0.1:\n(.|\n)*SIPApplicationDidStart"):
        network.run_until(lambda: False, timeout=1.0)


def test_closing_the_network_stops_all_agents(network: MemoryNetwork, alice: UserAgent, bob: UserAgent) -> None:
    bob.answer_with()
    session = alice.call(bob, [WordStream])
    network.run_until(lambda: session.state == "connected")
    network.crash(bob)
    network.close()
    assert not alice.run(lambda: alice.application.running)
