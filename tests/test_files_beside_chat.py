"""Files beside a chat, in one session: two whole user agents on a memory network, whose time is virtual."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from sipsimple.streams import ChatStream, FileTransferStream
from sipsimple.streams.filetransfer import FileSelector
from sipsimple.testing import MemoryNetwork, UserAgent

CONTENTS = [os.urandom(2_000_000) for _ in range(10)]


class Parties:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.network = MemoryNetwork()
        settings, account = {"file_transfer.directory": str(folder / "in")}, {"msrp.transport": "tcp"}
        self.alice, self.bob = (
            UserAgent(self.network, name, settings=settings, account_settings=account) for name in ("alice", "bob")
        )
        self.bob.answer_with()

    def selectors(self) -> list[FileSelector]:
        paths = [self.folder / f"{number}.bin" for number in range(len(CONTENTS))]
        for path, content in zip(paths, CONTENTS, strict=True):
            path.write_bytes(content)
        return [FileSelector.for_file(path) for path in paths]

    def call(self, *selectors: FileSelector) -> tuple[Any, Any]:
        """A session with a chat and these files, which has started; alice's and bob's."""
        alice = self.alice
        files = [alice.run(FileTransferStream, alice.account, selector) for selector in selectors]
        session = alice.call(self.bob, [ChatStream, *files])
        self.network.run_until(lambda: session.state == "connected" and self.bob.incoming[-1].state == "connected")
        return session, self.bob.incoming[-1]

    def add(self, agent: UserAgent, session: Any, other: UserAgent, answering: Any) -> Any:
        """The agent sends the first file, in a stream that the other party accepts; returns the other's stream."""
        stream = agent.run(FileTransferStream, agent.account, self.selectors()[0])
        agent.run(session.add_stream, stream)
        self.network.run_until(lambda: answering.state == "received_proposal")
        (proposed,) = answering.proposed_streams
        other.run(answering.accept_proposal, [proposed])
        self.network.run_until(lambda: session.state == answering.state == "connected")
        return proposed

    def chat(self, agent: UserAgent, session: Any) -> float:
        """The virtual seconds from a message of the agent's to its delivery report."""
        chat = next(stream for stream in session.streams if isinstance(stream, ChatStream))
        begun = self.network.now
        known = len(agent.recorder.find_all("ChatStreamDidDeliverMessage", chat))
        agent.run(chat.send_message, "still there?")
        self.network.run_until(lambda: len(agent.recorder.find_all("ChatStreamDidDeliverMessage", chat)) > known)
        return self.network.now - begun

    def finished(self, agent: UserAgent) -> int:
        return len(agent.recorder.find_all("FileTransferStreamDidFinish"))


@pytest.fixture
def parties(tmp_path: Path) -> Any:
    parties = Parties(tmp_path)
    yield parties
    parties.network.close()


def test_ten_files_at_once(parties: Parties) -> None:
    """FT-001, CHAT-001: all arrive; meanwhile a message of the chat takes no longer than without them."""
    ours, theirs = parties.call(*parties.selectors())
    alone = parties.chat(parties.alice, ours)
    delays = []
    while parties.finished(parties.bob) == 0:
        delays += [parties.chat(parties.alice, ours), parties.chat(parties.bob, theirs)]
    assert len(delays) >= 10, "many were said before the first file was there"
    assert max(delays) <= max(0.05, 2 * alone)
    parties.network.run_until(lambda: parties.finished(parties.alice) == parties.finished(parties.bob) == 10)
    for number, content in enumerate(CONTENTS):
        assert (parties.folder / "in" / f"{number}.bin").read_bytes() == content
    parties.alice.run(ours.end)
    parties.network.run_until(lambda: ours.state == theirs.state == "terminated")
    for agent in (parties.alice, parties.bob):
        assert agent.recorder.find_all("MediaStreamDidFail") == []


@pytest.mark.parametrize("how", ["paused", "cancelled", "full disk"])
def test_the_chat_goes_on(parties: Parties, how: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """SES-095: whatever becomes of a file, the chat of the same session is not touched: a pause stops the reading from
    one connection, which is not the chat's; a failure ends one stream."""
    from sipsimple.streams.filetransfer.partfile import PartFile

    if how == "full disk":

        def full(part: PartFile, pieces: object) -> None:
            raise OSError(28, os.strerror(28))

        monkeypatch.setattr(PartFile, "write", full)
    ours, theirs = parties.call()
    parties.chat(parties.alice, ours)  # its connection is there, and could be shared
    stream = parties.add(parties.alice, ours, parties.bob, theirs)
    if how == "paused":
        parties.bob.run(stream.pause)
        assert parties.chat(parties.alice, ours) < 0.05
        parties.network.advance(600)
        assert parties.finished(parties.bob) == 0
        parties.bob.run(stream.unpause)
        parties.network.run_until(lambda: parties.finished(parties.alice) == 1)
    else:
        if how == "cancelled":
            parties.bob.run(stream.cancel)
        parties.network.run_until(lambda: len(ours.streams) == len(theirs.streams) == 1)
        assert parties.finished(parties.alice) == 0
    assert parties.chat(parties.alice, ours) < 0.05
    assert parties.chat(parties.bob, theirs) < 0.05
    assert (ours.state, theirs.state) == ("connected", "connected")


@pytest.mark.parametrize("proposer", ["alice", "bob"])
def test_a_file_during_a_chat(parties: Parties, proposer: str) -> None:
    """SES-042, SES-093: either party of a chat sends a file in the middle of it, and takes the stream out again."""
    ours, theirs = parties.call()
    sides = [(parties.alice, ours), (parties.bob, theirs)]
    (agent, session), (other, answering) = sides if proposer == "alice" else reversed(sides)
    parties.add(agent, session, other, answering)
    parties.network.run_until(lambda: parties.finished(agent) == parties.finished(other) == 1)
    assert (parties.folder / "in" / "0.bin").read_bytes() == CONTENTS[0]
    assert parties.chat(other, answering) < 0.05
    agent.run(session.remove_stream, session.streams[-1])
    parties.network.run_until(lambda: len(ours.streams) == len(theirs.streams) == 1)
    assert parties.chat(agent, session) < 0.05
