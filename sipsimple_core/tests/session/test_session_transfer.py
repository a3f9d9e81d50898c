"""Transfers, replaced sessions, late offers and redirections: whole user agents on a memory network."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from sipsimple.core import SIPURI
from sipsimple.notification import NotificationCenter
from sipsimple.session import IllegalStateError, Session
from sipsimple.streams import MediaStreamRegistry
from sipsimple.testing.agent import UserAgent
from sipsimple.testing.network import MemoryNetwork
from sipsimple.testing.scripted import ScriptedStream
from sipsimple.util import Null


class NetworkStream(ScriptedStream):
    """A stream without media."""

    type = "network"


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SIPSIMPLE_LOAD_PLUGINS", "")
    MediaStreamRegistry().register(NetworkStream)
    yield
    MediaStreamRegistry().unregister(NetworkStream)


@pytest.fixture
def agents(network: MemoryNetwork) -> tuple[UserAgent, UserAgent, UserAgent]:
    alice, bob, carol = (UserAgent(network, name) for name in ("alice", "bob", "carol"))
    bob.answer_with()
    carol.answer_with()
    return alice, bob, carol


def connected(caller: UserAgent, callee: UserAgent) -> tuple[Session, Session]:
    known = len(callee.incoming)
    session = caller.call(callee, [NetworkStream])
    caller.network.run_until(
        lambda: len(callee.incoming) > known and session.state == callee.incoming[-1].state == "connected"
    )
    return session, callee.incoming[-1]


class Agreeing:
    """Agrees to be transferred, or does not."""

    def __init__(self, agent: UserAgent, code: int | None = None) -> None:
        self._code = code
        self._agent = agent
        agent.run(lambda: NotificationCenter().add_observer(self, name="SIPSessionTransferNewIncoming"))

    def handle_notification(self, notification: Any) -> None:
        session = notification.sender
        if self._code is None:
            session.accept_transfer()
        else:
            session.reject_transfer(self._code, "Not now")


def transfers(agent: UserAgent, session: Session) -> list[Any]:
    """What a session told of transfers: names, with codes where there are any."""
    found = []
    for notification in agent.recorder:
        if notification.sender is session and notification.name.startswith("SIPSessionTransfer"):
            name = notification.name.removeprefix("SIPSessionTransfer")
            code = getattr(notification.data, "code", None)
            found.append(name if code is None else (name, code))
    return found


def over(*sessions: Session) -> bool:
    return all(session.state == "terminated" for session in sessions)


def new_session(agent: UserAgent) -> Session:
    """The session that a transfer has the agent begin."""
    (found,) = [n.sender for n in agent.recorder.find_all("SIPSessionNewOutgoing") if n.sender.transfer_info]
    session: Session = found
    return session


def test_blind_transfer(network: MemoryNetwork, agents: tuple[UserAgent, ...]) -> None:
    """SES-056, SES-057, SES-100, SES-101: alice has bob call carol; when they talk, alice has hung up."""
    alice, bob, carol = agents
    Agreeing(bob)
    mine, theirs = connected(alice, bob)
    alice.run(mine.transfer, SIPURI.parse(carol.uri))
    network.run_until(lambda: over(mine, theirs) and carol.incoming and carol.incoming[0].state == "connected")
    assert transfers(alice, mine)[:2] == ["NewOutgoing", "DidStart"]
    assert transfers(alice, mine)[-2:] == [("GotProgress", 200), "DidEnd"]
    assert transfers(bob, theirs) == ["NewIncoming", "NewOutgoing", "DidStart", "DidEnd"]
    asked = bob.recorder.find("SIPSessionTransferNewIncoming").data
    assert (str(asked.transfer_destination), str(asked.transfer_source)) == (carol.uri, alice.uri)
    begun = alice.recorder.find("SIPSessionTransferNewOutgoing").data
    assert (str(begun.transfer_destination), str(begun.transfer_source)) == (carol.uri, alice.uri)
    assert alice.recorder.find("SIPSessionDidEnd").data.originator == "local"
    assert bob.recorder.find("SIPSessionDidEnd").data.originator == "remote"
    new = new_session(bob)
    assert new.state == "connected" and [type(s) for s in new.streams] == [NetworkStream]
    assert str(new.transfer_info.referred_by) == alice.uri and new.transfer_info.replaced_dialog_id is None
    assert mine.transfer_handler is theirs.transfer_handler is Null


def test_attended_transfer(network: MemoryNetwork, agents: tuple[UserAgent, ...]) -> None:
    """SES-056, SES-073, SES-075 (RFC 3891): the new session takes the place of alice's with carol."""
    alice, bob, carol = agents
    Agreeing(bob)
    with_bob, of_bob = connected(alice, bob)
    with_carol, of_carol = connected(alice, carol)
    alice.run(with_bob.transfer, carol.uri, with_carol)
    network.run_until(lambda: over(with_bob, of_bob, with_carol, of_carol))
    new = carol.incoming[1]
    network.run_until(lambda: new.state == "connected")
    assert new.replaced_session is of_carol
    info = new_session(bob).transfer_info
    assert info.replaced_dialog_id is not None
    assert carol.recorder.find_all("SIPSessionDidEnd")[0].data.end_reason == "replaced"
    assert transfers(alice, with_bob)[-1] == "DidEnd"


def test_a_transfer_that_is_rejected(network: MemoryNetwork, agents: tuple[UserAgent, ...]) -> None:
    """SES-058, SES-102: the session goes on, and another transfer may follow."""
    alice, bob, carol = agents
    Agreeing(bob, 486)
    mine, theirs = connected(alice, bob)
    alice.run(mine.transfer, carol.uri)
    network.run_until(lambda: transfers(alice, mine)[-1:] == [("DidFail", 486)])
    assert transfers(bob, theirs) == ["NewIncoming", ("DidFail", 486)]
    assert (mine.state, theirs.state) == ("connected", "connected") and carol.incoming == []
    assert mine.transfer_handler is Null
    alice.run(mine.transfer, carol.uri)
    network.run_until(lambda: transfers(alice, mine).count(("DidFail", 486)) == 2)


@pytest.mark.parametrize("code", [486, 603])
def test_a_target_that_refuses(network: MemoryNetwork, agents: tuple[UserAgent, ...], code: int) -> None:
    """SES-102: the status of the new call is told to who has asked for it."""
    alice, bob, carol = agents
    carol.answer_with(code=code)
    Agreeing(bob)
    mine, theirs = connected(alice, bob)
    alice.run(mine.transfer, carol.uri)
    network.run_until(lambda: transfers(alice, mine)[-1:] == [("DidFail", code)])
    assert transfers(bob, theirs)[-1] == ("DidFail", code)
    assert (mine.state, theirs.state) == ("connected", "connected")


def test_a_target_that_rings_first(network: MemoryNetwork, agents: tuple[UserAgent, ...]) -> None:
    alice, bob, carol = agents
    carol.answer_with(ring=True, delay=3)
    Agreeing(bob)
    mine, _ = connected(alice, bob)
    alice.run(mine.transfer, carol.uri)
    network.run_until(lambda: over(mine))
    assert ("GotProgress", 180) in transfers(alice, mine)


def test_nobody_follows_references(network: MemoryNetwork, agents: tuple[UserAgent, ...]) -> None:
    """Where the application does not look at transfers, they are refused."""
    alice, bob, carol = agents
    mine, theirs = connected(alice, bob)
    bob.run(lambda: NotificationCenter().remove_observer(bob.recorder))
    alice.run(mine.transfer, carol.uri)
    network.run_until(lambda: transfers(alice, mine)[-1:] == [("DidFail", 603)])
    bob.run(lambda: NotificationCenter().add_observer(bob.recorder))
    assert (mine.state, theirs.state) == ("connected", "connected")


def test_a_target_that_can_not_be_found(network: MemoryNetwork, agents: tuple[UserAgent, ...]) -> None:
    alice, bob, _ = agents
    Agreeing(bob)
    mine, theirs = connected(alice, bob)
    alice.run(mine.transfer, "sip:x@nowhere.invalid")
    network.run_until(lambda: transfers(alice, mine)[-1:] == [("DidFail", 404)], timeout=60)
    assert (mine.state, theirs.state) == ("connected", "connected")


def test_the_session_ends_while_it_is_transferred(network: MemoryNetwork, agents: tuple[UserAgent, ...]) -> None:
    """The new session is made all the same; nothing hangs."""
    alice, bob, carol = agents
    carol.answer_with(ring=True, delay=5)
    Agreeing(bob)
    mine, theirs = connected(alice, bob)
    alice.run(mine.transfer, carol.uri)
    network.run_until(lambda: carol.incoming)
    alice.run(mine.end)
    network.run_until(lambda: over(mine, theirs))
    network.run_until(lambda: new_session(bob).state == "connected")
    network.advance(300)
    for agent in agents:
        assert agent.recorder.find_all("SIPEngineGotException") == []


def test_wrong_calls(network: MemoryNetwork, agents: tuple[UserAgent, ...]) -> None:
    """SES-056, SES-057, SES-058: what is wrong is raised at once."""
    alice, bob, carol = agents
    mine, theirs = connected(alice, bob)
    for action in (theirs.accept_transfer, theirs.reject_transfer):
        with pytest.raises(IllegalStateError, match="asked for"):
            bob.run(action)
    with pytest.raises(ValueError):
        alice.run(mine.transfer, "no uri at all")
    with pytest.raises(ValueError, match="replaced_session"):
        alice.run(mine.transfer, carol.uri, mine)
    with pytest.raises(ValueError, match="replaced_session"):
        alice.run(mine.transfer, carol.uri, alice.run(Session, alice.account))
    with pytest.raises(IllegalStateError):
        alice.run(alice.run(Session, alice.account).transfer, carol.uri)
    alice.run(mine.transfer, carol.uri)
    with pytest.raises(IllegalStateError, match="under way"):
        alice.run(mine.transfer, carol.uri)
    with pytest.raises(ValueError):
        bob.run(theirs.reject_transfer, 200)


def test_a_transfer_that_is_answered_twice(network: MemoryNetwork, agents: tuple[UserAgent, ...]) -> None:
    alice, bob, carol = agents
    mine, theirs = connected(alice, bob)
    alice.run(mine.transfer, carol.uri)
    network.run_until(lambda: transfers(bob, theirs) == ["NewIncoming"])
    bob.run(theirs.accept_transfer)
    with pytest.raises(IllegalStateError):
        bob.run(theirs.reject_transfer)
    network.run_until(lambda: over(mine))


# Late offers (RFC 3261 13.2.1)


class LateCaller:
    """Calls without an offer, by an invitation, and answers the one that comes."""

    def __init__(self, agent: UserAgent, other: UserAgent, answers: bool = True) -> None:
        self.agent = agent
        self._answers = answers
        agent.run(self._call, other)

    def _call(self, other: UserAgent) -> None:
        from sipsimple.core import ContactHeader, FromHeader, Invitation, RouteHeader, ToHeader

        agent = self.agent
        self.invitation: Any = Invitation()
        NotificationCenter().add_observer(self, sender=self.invitation)
        uri = SIPURI.parse(other.uri)
        self.invitation.send_invite(
            uri, FromHeader(SIPURI.parse(agent.uri)), ToHeader(uri),
            RouteHeader(SIPURI(other.ip, port=5060, parameters={"lr": None})),
            ContactHeader(SIPURI(agent.ip, user=agent.name, port=5060)), None,
        )  # fmt: skip

    def handle_notification(self, notification: Any) -> None:
        if notification.data.__dict__.get("state") == "connecting" and self._answers:
            offer = self.invitation.remote_sdp_offer
            from sipsimple.core import SDPSession

            self.invitation.send_answer(SDPSession(self.agent.ip, name="x", media=[*offer.media]))


def test_a_call_without_an_offer(network: MemoryNetwork, agents: tuple[UserAgent, ...]) -> None:
    """STR-012: the callee offers what it has, and the answer is in the ACK."""
    alice, bob, _ = agents
    caller = LateCaller(alice, bob)
    network.run_until(lambda: bob.incoming and bob.incoming[0].state == "connected")
    session = bob.incoming[0]
    assert NetworkStream in [type(stream) for stream in session.streams]
    assert session.direction == "incoming"
    bob.run(session.end)
    network.run_until(lambda: caller.invitation.state == "disconnected")


def test_a_late_offer_that_is_not_answered(network: MemoryNetwork, agents: tuple[UserAgent, ...]) -> None:
    """The caller's stack acknowledges in the end with an answer that takes nothing."""
    alice, bob, _ = agents
    caller = LateCaller(alice, bob, answers=False)
    network.run_until(lambda: bob.incoming and over(bob.incoming[0]), timeout=60)
    network.run_until(lambda: caller.invitation.state == "disconnected")
    bob.recorder.assert_one("SIPSessionDidFail", bob.incoming[0])


# Redirection


def test_the_targets_of_a_redirection(network: MemoryNetwork, agents: tuple[UserAgent, ...]) -> None:
    """SES-082, RFC 3261 8.1.3.4: the session fails with 302, and says where else to try."""
    alice, bob, carol = agents

    def redirect(packet: Any) -> None:
        if packet.data.startswith(b"SIP/2.0 486"):
            packet.data = packet.data.replace(b"486 Busy Here", b"302 Moved Temporarily").replace(
                b"Content-Length: 0", f"Contact: <{carol.uri}>;q=0.5, <sip:d@10.9.9.9>\r\nContent-Length: 0".encode()
            )

    network.filter(redirect)
    bob.answer_with(code=486)
    session = alice.call(bob, [NetworkStream])
    network.run_until(lambda: over(session))
    assert alice.recorder.find("SIPSessionDidFail").data.code == 302
    assert [str(target.uri) for target in session.redirection_targets] == ["sip:d@10.9.9.9", carol.uri]
