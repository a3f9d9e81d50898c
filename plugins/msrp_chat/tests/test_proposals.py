"""Chats that are proposed and removed within a session: two whole user agents on a memory network."""

from __future__ import annotations

import pytest

from sipsimple.streams.chat import ChatStream
from sipsimple.testing.agent import UserAgent
from sipsimple.testing.network import MemoryNetwork


@pytest.mark.parametrize("proposer", ["alice", "bob"])
def test_a_second_chat(proposer: str) -> None:
    """SES-042, SES-046, SES-093, SES-095, STR-019, STR-022: it comes, both talk, the first one goes, without a
    failure on either side; the second goes on."""
    network = MemoryNetwork()
    alice, bob = (UserAgent(network, name, account_settings={"msrp.transport": "tcp"}) for name in ("alice", "bob"))
    bob.answer_with()
    ours = alice.call(bob, [ChatStream])
    network.run_until(lambda: ours.state == "connected" and bob.incoming[0].state == "connected")
    sessions = {"alice": ours, "bob": bob.incoming[0]}
    agents = {"alice": alice, "bob": bob}
    other = "bob" if proposer == "alice" else "alice"
    mine, theirs = sessions[proposer], sessions[other]
    second = agents[proposer].run(ChatStream, mine.account)
    agents[proposer].run(mine.add_stream, second)
    network.run_until(lambda: theirs.state == "received_proposal")
    agents[other].run(theirs.accept_proposal, theirs.proposed_streams)
    network.run_until(lambda: all(len(s.streams) == 2 and s.state == "connected" for s in sessions.values()))
    agents[proposer].run(second.send_message, "second")
    network.run_until(lambda: agents[proposer].recorder.find_all("ChatStreamDidDeliverMessage") != [])
    agents[proposer].run(mine.remove_stream, mine.streams[0])
    network.run_until(lambda: len(theirs.streams) == 1)
    network.advance(10)
    agents[other].run(theirs.streams[0].send_message, "still here")
    network.run_until(lambda: agents[other].recorder.find_all("ChatStreamDidDeliverMessage") != [])
    for agent in (alice, bob):
        assert agent.recorder.find_all("MediaStreamDidFail") == []
        assert len(agent.recorder.find_all("MediaStreamDidEnd")) == 1
    alice.run(ours.end)
    network.run_until(lambda: all(session.state == "terminated" for session in sessions.values()))
    alice.stop()
    bob.stop()
