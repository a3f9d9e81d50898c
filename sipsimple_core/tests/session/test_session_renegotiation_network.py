"""Proposals, removal and hold between two whole user agents on the memory network."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count
from typing import Any

import pytest

from sipsimple.core import SDPMediaStream
from sipsimple.session import Session
from sipsimple.streams import MediaStreamRegistry
from sipsimple.testing import MemoryNetwork, UserAgent
from sipsimple.testing.scripted import ScriptedStream

_ports = count(20000)


class NetworkStream(ScriptedStream):
    """A stream without media, that can be held."""

    type = "network"
    hold_supported = True

    def __init__(self, account: Any) -> None:
        super().__init__(account)
        self.media = SDPMediaStream("message", next(_ports), "TCP/MSRP", formats=["*"])


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SIPSIMPLE_LOAD_PLUGINS", "")
    MediaStreamRegistry().register(NetworkStream)
    yield
    MediaStreamRegistry().unregister(NetworkStream)


Call = tuple[UserAgent, Session, UserAgent, Session]


@pytest.fixture
def call(network: MemoryNetwork) -> Call:
    alice, bob = UserAgent(network, "alice"), UserAgent(network, "bob")
    bob.answer_with()
    ours = alice.call(bob, [NetworkStream])
    network.run_until(lambda: bool(bob.incoming) and ours.state == bob.incoming[-1].state == "connected")
    theirs = bob.incoming[-1]
    alice.recorder.clear()
    bob.recorder.clear()
    return alice, ours, bob, theirs


def add(agent: UserAgent, session: Session) -> NetworkStream:
    stream: NetworkStream = agent.run(NetworkStream, session.account)
    agent.run(session.add_stream, stream)
    return stream


def sent(agent: UserAgent, session: Session) -> list[str]:
    names = [name for name in agent.recorder.names(session) if "ProcessTransaction" not in name]
    return [name.removeprefix("SIPSession") for name in names]


def settled(network: MemoryNetwork, *sessions: Session, streams: int) -> None:
    network.run_until(lambda: all(s.state == "connected" and len(s.streams) == streams for s in sessions))


def test_a_proposal(network: MemoryNetwork, call: Call) -> None:
    """SES-034, SES-035, SES-036, SES-037, SES-038, SES-042, SES-043, SES-044, SES-045, SES-091, SES-093, SES-095:
    what both sides are told; the slot of a
    stream that was removed is used by the next (SES-046)."""
    alice, ours, bob, theirs = call
    add(alice, ours)
    network.run_until(lambda: theirs.state == "received_proposal")
    assert sent(bob, theirs) == ["GotProposal"]
    bob.run(theirs.accept_proposal, theirs.proposed_streams)
    settled(network, ours, theirs, streams=2)
    for agent, session in ((alice, ours), (bob, theirs)):
        assert sent(agent, session) == ["GotProposal", "GotAcceptProposal", "DidRenegotiateStreams"]
    bob.run(theirs.remove_stream, theirs.streams[0])
    settled(network, ours, theirs, streams=1)
    add(bob, theirs)
    network.run_until(lambda: ours.state == "received_proposal")
    alice.run(ours.accept_proposal, ours.proposed_streams)
    settled(network, ours, theirs, streams=2)
    assert ours.streams[-1].started_with[2] == theirs.streams[-1].started_with[2] == 0
    bob.run(theirs.end)
    network.run_until(lambda: ours.state == theirs.state == "terminated")


def test_a_proposal_that_is_rejected(network: MemoryNetwork, call: Call) -> None:
    """SES-039, SES-040, SES-041, SES-092: the code and the reason are told on both sides."""
    alice, ours, bob, theirs = call
    add(alice, ours)
    network.run_until(lambda: theirs.state == "received_proposal")
    bob.run(theirs.reject_proposal, 488)
    settled(network, ours, theirs, streams=1)
    for agent, session in ((alice, ours), (bob, theirs)):
        data = agent.recorder.assert_one("SIPSessionGotRejectProposal", session).data
        assert (data.code, data.reason) == (488, "Not Acceptable Here")
        assert data.originator == ("local" if agent is alice else "remote")


def test_a_proposal_that_is_cancelled(network: MemoryNetwork, call: Call) -> None:
    """SES-048, SES-049, SES-092: 487 on both sides."""
    alice, ours, bob, theirs = call
    add(alice, ours)
    network.run_until(lambda: theirs.state == "received_proposal")
    alice.run(ours.cancel_proposal)
    settled(network, ours, theirs, streams=1)
    for agent, session in ((alice, ours), (bob, theirs)):
        assert agent.recorder.assert_one("SIPSessionGotRejectProposal", session).data.code == 487


def test_both_propose_at_once(network: MemoryNetwork, call: Call) -> None:
    """SES-043: both come through in the end (RFC 3261 14.1)."""
    alice, ours, bob, theirs = call
    add(alice, ours)
    add(bob, theirs)

    def answer() -> bool:
        for agent, session in ((alice, ours), (bob, theirs)):
            if session.state == "received_proposal":
                agent.run(session.accept_proposal, session.proposed_streams)
        return all(s.state == "connected" and len(s.streams) == 3 for s in (ours, theirs))

    network.run_until(answer, timeout=60)


def test_hold(network: MemoryNetwork, call: Call) -> None:
    """SES-050, SES-051, SES-052, SES-053, SES-065, SES-087, SES-088, SES-089, SES-090: both sides learn who holds."""
    alice, ours, bob, theirs = call
    alice.run(ours.hold)
    network.run_until(lambda: theirs.on_hold)
    bob.run(theirs.hold)
    network.run_until(lambda: ours.streams[0].on_hold_by_remote)
    alice.run(ours.unhold)
    network.run_until(lambda: not theirs.streams[0].on_hold_by_remote)
    assert ours.on_hold and theirs.on_hold
    bob.run(theirs.unhold)
    network.run_until(lambda: not ours.on_hold and not theirs.on_hold)
    told = {
        agent.name: [
            (n.data.originator, n.data.on_hold, n.data.partial)
            for n in agent.recorder.find_all("SIPSessionDidChangeHoldState", session)
        ]
        for agent, session in ((alice, ours), (bob, theirs))
    }
    steps = [("alice", True), ("bob", True), ("alice", True), ("bob", False)]
    for name in ("alice", "bob"):
        assert told[name] == [("local" if who == name else "remote", held, False) for who, held in steps]
