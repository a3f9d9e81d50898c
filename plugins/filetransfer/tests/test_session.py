"""File transfers within sessions: two whole user agents on a memory network."""

from __future__ import annotations

import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from sipsimple.streams.filetransfer import FileIcon, FileSelector, FileTransferStream
from sipsimple.streams.filetransfer.selector import format_hash
from sipsimple.testing.agent import UserAgent
from sipsimple.testing.network import MemoryNetwork

BIG = os.urandom(3_000_000)
STREAM_NOTIFICATIONS = ("MediaStream", "FileTransferStream")


class Parties:
    """Alice, who calls, and bob, who accepts all that he is offered: each has a folder for what it sends and one for
    what it receives."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.network = MemoryNetwork()
        self.alice = self.started("alice")
        self.bob = self.started("bob")
        self.accept: Callable[[Any], None] = lambda stream: None  # what bob does to a stream that he accepts

    def started(self, name: str, ip: str | None = None) -> UserAgent:
        agent = UserAgent(
            self.network,
            name,
            ip=ip,
            account_settings={"msrp.transport": "tcp"},
            settings={"file_transfer.directory": str(self.folder / name / "in")},
        )
        (self.folder / name).mkdir(exist_ok=True)
        agent.answer_with(self._choose)
        return agent

    def _choose(self, session: Any, streams: list[Any]) -> list[Any]:
        for stream in streams:
            self.accept(stream)
        return streams

    def file(self, agent: UserAgent, name: str, content: bytes = BIG) -> FileSelector:
        """A file that an agent has."""
        path = self.folder / agent.name / name
        path.write_bytes(content)
        return FileSelector.for_file(path)

    def received(self, agent: UserAgent) -> dict[str, bytes]:
        """What is in the folder that it receives into."""
        folder = self.folder / agent.name / "in"
        return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}

    def call(self, *selectors: FileSelector) -> Any:
        """Alice's session with bob, which proposes these transfers; it has started on both sides."""
        alice = self.alice
        streams = [alice.run(FileTransferStream, alice.account, selector) for selector in selectors]
        session = alice.call(self.bob, streams)
        known = len(self.bob.incoming)
        self.wait(lambda: session.state == "connected" and self.bob.incoming[known:][0].state == "connected")
        return session

    def add(self, agent: UserAgent, session: Any, selector: FileSelector, accept: Any = lambda stream: None) -> Any:
        """Another transfer in a session of the agent's, which the other party accepts; returns both streams."""
        other = self.bob if agent is self.alice else self.alice
        theirs = self.other_session(session)
        stream = agent.run(FileTransferStream, agent.account, selector)
        agent.run(session.add_stream, stream)
        self.wait(lambda: theirs.state == "received_proposal")
        (proposed,) = theirs.proposed_streams
        accept(proposed)
        other.run(theirs.accept_proposal, [proposed])
        self.wait(lambda: session.state == "connected" and theirs.state == "connected" and stream in session.streams)
        return stream, proposed

    def other_session(self, session: Any) -> Any:
        incoming = self.bob.incoming[-1]
        return incoming if session is not incoming else self.alice.recorder.last("SIPSessionNewOutgoing").sender

    def wait(self, condition: Callable[[], object], timeout: float = 60.0) -> None:
        self.network.run_until(condition, timeout)

    def wait_for(self, agent: UserAgent, name: str, sender: Any) -> Any:
        self.wait(lambda: agent.recorder.find_all(name, sender))
        return agent.recorder.find_all(name, sender)[0].data

    def end(self, session: Any) -> None:
        agent = self.alice if session is not self.bob.incoming[-1] else self.bob
        other = self.other_session(session)
        agent.run(session.end)
        self.wait(lambda: session.state == other.state == "terminated")

    def names(self, agent: UserAgent, stream: Any) -> list[str]:
        """The notifications of a stream, each run of equal ones as one."""
        found: list[str] = []
        for name in agent.recorder.names(stream):
            if found[-1:] != [name]:
                found.append(name)
        return found


@pytest.fixture
def parties(tmp_path: Path) -> Iterator[Parties]:
    parties = Parties(tmp_path)
    yield parties
    parties.network.close()


def sha1(content: bytes) -> str:
    return format_hash(hashlib.sha1(content).digest())


def stream_of(agent: UserAgent) -> Any:
    """The agent's stream in its latest incoming session."""
    return agent.incoming[-1].streams[0]


# In a session of its own


def test_push(parties: Parties) -> None:
    """FT-001, FT-002, FT-003, FT-006, FT-010, FT-011, STR-010, STR-011, STR-012, STR-013, STR-024: from the call to its
    end, the notifications in order, the file in the folder of the setting."""
    alice, bob = parties.alice, parties.bob
    session = parties.call(parties.file(alice, "report.pdf"))
    mine, theirs = session.streams[0], stream_of(bob)
    parties.wait_for(alice, "FileTransferStreamDidFinish", mine)
    assert parties.received(bob) == {"report.pdf": BIG}
    assert theirs.file_path == parties.folder / "bob" / "in" / "report.pdf"
    assert (mine.account, theirs.account) == (alice.account, bob.account)
    parties.end(session)
    started = ["MediaStreamDidInitialize", "MediaStreamDidStart"]
    ended = ["FileTransferStreamDidFinish", "MediaStreamWillEnd", "MediaStreamDidEnd"]
    assert parties.names(alice, mine) == [
        "FileTransferStreamHashProgress", *started, "FileTransferStreamDidDeliverChunk", *ended
    ]  # fmt: skip
    assert parties.names(bob, theirs) == [*started, "FileTransferStreamGotChunk", *ended]


def test_pull(parties: Parties) -> None:
    """FT-001, FT-002: the caller wishes for a file, and who is called names it when it accepts (RFC 5547 8.2.2)."""
    alice, bob = parties.alice, parties.bob
    selector = parties.file(bob, "report.pdf")
    parties.accept = lambda stream: setattr(stream, "file_selector", selector)
    session = parties.call(FileSelector("report.pdf"))
    parties.wait_for(alice, "FileTransferStreamDidFinish", session.streams[0])
    parties.wait_for(bob, "FileTransferStreamDidFinish", stream_of(bob))
    assert parties.received(alice) == {"report.pdf": BIG} and parties.received(bob) == {}
    assert session.streams[0].file_selector.hash == sha1(BIG)
    parties.end(session)


def test_what_is_decided_while_it_rings(parties: Parties) -> None:
    """The folder, the name and the file may be chosen as late as when it is accepted; until then nothing is written,
    whoever calls."""
    alice, bob = parties.alice, parties.bob
    bob.stop_answering()
    stream = alice.run(FileTransferStream, alice.account, parties.file(alice, "report.pdf"))
    session = alice.call(bob, [stream])
    parties.wait(lambda: bob.incoming)
    parties.network.advance(30)  # he is asked, and thinks about it
    (theirs,) = bob.incoming[-1].proposed_streams
    assert (theirs.file_selector.name, theirs.file_selector.size) == ("report.pdf", len(BIG))
    assert not (parties.folder / "bob" / "in").exists()
    theirs.directory, theirs.file_name = parties.folder / "bob" / "chosen", "mine.pdf"
    bob.run(bob.incoming[-1].accept, [theirs])
    parties.wait_for(bob, "FileTransferStreamDidFinish", theirs)
    assert (parties.folder / "bob" / "chosen" / "mine.pdf").read_bytes() == BIG
    assert not (parties.folder / "bob" / "in").exists()
    parties.end(session)


ICON = FileIcon("image/png", b"\x89PNG\r\n\x1a\n" + os.urandom(1500))


def named(stream: Any) -> tuple[Any, ...]:
    return stream.file_selector.name, stream.file_disposition, stream.file_dates.modification, stream.file_icon


def test_icon_disposition_and_date(parties: Parties) -> None:
    """RFC 5547 6, 7: who is called finds them before accepting; the icon is a part of the INVITE beside the
    description."""
    alice, bob = parties.alice, parties.bob
    bob.stop_answering()
    selectors = [parties.file(alice, name, b"x") for name in ("photo.png", "notes.txt")]
    os.utime(parties.folder / "alice" / "photo.png", (1e9, 1e9))
    streams = [alice.run(FileTransferStream, alice.account, selector) for selector in selectors]
    streams[0].file_icon, streams[0].file_disposition = ICON, "render"
    session = alice.call(bob, streams)
    parties.wait(lambda: bob.incoming)
    photo, notes = bob.incoming[-1].proposed_streams
    assert named(photo) == ("photo.png", "render", datetime.fromtimestamp(1e9, UTC), ICON)
    assert named(notes)[:2] == ("notes.txt", "attachment") and notes.file_icon is None
    invite = next(p.data for p in parties.network.packets if p.data.startswith(b"INVITE"))
    assert b'multipart/related;boundary="' in invite and b'type="application/sdp"' in invite
    assert b"\r\n\r\n" + ICON.content + b"\r\n--" in invite
    bob.run(bob.incoming[-1].accept, [photo, notes])
    for stream in streams:
        parties.wait_for(alice, "FileTransferStreamDidFinish", stream)
    parties.end(session)


def test_icon_of_a_file_that_was_asked_for(parties: Parties) -> None:
    """RFC 5547 7: in the answer, as it is who has the file that has its icon."""
    alice, bob = parties.alice, parties.bob
    selector = parties.file(bob, "photo.png")

    def accept(stream: Any) -> None:
        stream.file_selector, stream.file_icon = selector, ICON

    parties.accept = accept
    session = parties.call(FileSelector("photo.png"))
    assert session.streams[0].file_icon == ICON
    parties.wait_for(alice, "FileTransferStreamDidFinish", session.streams[0])
    parties.end(session)


def test_icon_in_a_proposal(parties: Parties) -> None:
    """SES-042: in a re-INVITE too."""
    alice = parties.alice
    session = parties.call(parties.file(alice, "first.bin", b"x"))
    stream = alice.run(FileTransferStream, alice.account, parties.file(alice, "photo.png"))
    stream.file_icon = ICON
    alice.run(session.add_stream, stream)
    parties.wait(lambda: parties.bob.incoming[-1].state == "received_proposal")
    (proposed,) = parties.bob.incoming[-1].proposed_streams
    assert proposed.file_icon == ICON
    parties.end(session)


@pytest.mark.parametrize(
    ("content_type", "content"),
    [("text/html", b"x"), ("image/png", b""), ("image/png", bytes(40_000)), ("image/", b"x")],
)
def test_what_is_no_icon(content_type: str, content: bytes) -> None:
    with pytest.raises(ValueError, match="an icon"):
        FileIcon(content_type, content)


def test_refused(parties: Parties) -> None:
    """Nothing is left of it on either side."""
    alice, bob = parties.alice, parties.bob
    bob.answer_with(code=603)
    stream = alice.run(FileTransferStream, alice.account, parties.file(alice, "report.pdf"))
    session = alice.call(bob, [stream])
    parties.wait(lambda: session.state == "terminated")
    assert not (parties.folder / "bob" / "in").exists()
    assert stream.file_selector.fd.closed
    assert alice.recorder.find_all("FileTransferStreamDidFinish") == []


def test_a_large_file_is_hashed_for_longer_than_others_may_take(parties: Parties) -> None:
    """Sessions give a stream 20 seconds to get ready; a file of some gigabytes on a slow disk takes longer."""
    alice = parties.alice
    with open(os.devnull, "rb") as file:
        stream = alice.run(FileTransferStream, alice.account, FileSelector("x", size=5_000_000_000, fd=file))
        assert stream.initialize_timeout > 1000


def test_no_such_file(parties: Parties) -> None:
    """A wish that nobody fulfils: the call is refused, with a reason."""
    alice, bob = parties.alice, parties.bob
    stream = alice.run(FileTransferStream, alice.account, FileSelector("report.pdf"))
    session = alice.call(bob, [stream])
    parties.wait(lambda: session.state == "terminated")
    failed = alice.recorder.find("SIPSessionDidFail").data
    assert (failed.originator, failed.code) == ("remote", 488)


# Beside other streams


@pytest.mark.parametrize("proposer", ["alice", "bob"])
@pytest.mark.parametrize("pull", [False, True], ids=["push", "pull"])
def test_added_to_a_session(parties: Parties, proposer: str, pull: bool) -> None:
    """SES-042, SES-093, FT-001: offered by either side while another transfer runs; each ends with its own file."""
    alice, bob = parties.alice, parties.bob
    session = parties.call(parties.file(alice, "first.bin"))
    agent, other = (alice, bob) if proposer == "alice" else (bob, alice)
    ours = session if agent is alice else bob.incoming[-1]
    receiver = agent if pull else other
    if pull:
        content = parties.file(other, "second.bin", BIG[::-1])
        stream, theirs = parties.add(
            agent, ours, FileSelector("second.bin"), lambda stream: setattr(stream, "file_selector", content)
        )
    else:
        stream, theirs = parties.add(agent, ours, parties.file(agent, "second.bin", BIG[::-1]))
    parties.wait_for(agent, "FileTransferStreamDidFinish", stream)
    parties.wait_for(other, "FileTransferStreamDidFinish", theirs)
    parties.wait_for(alice, "FileTransferStreamDidFinish", session.streams[0])
    assert parties.received(receiver)["second.bin"] == BIG[::-1]
    assert parties.received(bob)["first.bin"] == BIG
    agent.run(ours.remove_stream, stream)
    parties.wait(lambda: len(session.streams) == len(bob.incoming[-1].streams) == 1)
    parties.end(session)
    assert alice.recorder.find_all("MediaStreamDidFail") == bob.recorder.find_all("MediaStreamDidFail") == []


def test_several_files_in_one_call(parties: Parties) -> None:
    """Each has its stream; those that are not wanted are refused alone."""
    alice, bob = parties.alice, parties.bob
    bob.answer_with(lambda session, streams: [s for s in streams if s.file_selector.name != "b.bin"])
    contents = {name: os.urandom(200_000) for name in ("a.bin", "b.bin", "c.bin")}
    session = parties.call(*[parties.file(alice, name, content) for name, content in contents.items()])
    assert [stream.file_selector.name for stream in session.streams] == ["a.bin", "c.bin"]
    for stream in session.streams:
        parties.wait_for(alice, "FileTransferStreamDidFinish", stream)
    assert parties.received(bob) == {"a.bin": contents["a.bin"], "c.bin": contents["c.bin"]}
    parties.end(session)


# Pause and cancel


@pytest.mark.parametrize("who", ["sender", "receiver"])
def test_pause(parties: Parties, who: str) -> None:
    """For longer than sessions and MSRP wait for anything; the other transfer of the session goes on."""
    alice, bob = parties.alice, parties.bob
    session = parties.call(parties.file(alice, "paused.bin"), parties.file(alice, "other.bin", BIG[::-1]))
    agent, streams = (alice, session.streams) if who == "sender" else (bob, bob.incoming[-1].streams)
    agent.run(streams[0].pause)
    parties.wait_for(bob, "FileTransferStreamDidFinish", bob.incoming[-1].streams[1])
    parties.network.advance(1800)
    assert parties.received(bob)["other.bin"] == BIG[::-1] and "paused.bin" not in parties.received(bob)
    agent.run(streams[0].unpause)
    parties.wait_for(alice, "FileTransferStreamDidFinish", session.streams[0])
    assert parties.received(bob)["paused.bin"] == BIG
    parties.end(session)


@pytest.mark.parametrize("who", ["sender", "receiver"])
def test_cancel_among_others(parties: Parties, who: str) -> None:
    """SES-095: that stream ends, on both sides, the session and its other transfer go on."""
    alice, bob = parties.alice, parties.bob
    session = parties.call(parties.file(alice, "unwanted.bin"), parties.file(alice, "other.bin", BIG[::-1]))
    incoming = bob.incoming[-1]
    unwanted = [session.streams[0], incoming.streams[0]]
    parties.wait(lambda: unwanted[1].transferred_bytes > 100_000)
    alice.run(unwanted[0].cancel) if who == "sender" else bob.run(unwanted[1].cancel)
    parties.wait(lambda: len(session.streams) == len(incoming.streams) == 1)
    parties.wait_for(alice, "FileTransferStreamDidFinish", session.streams[0])
    for agent in (alice, bob):
        (removed,) = agent.recorder.find_all("SIPSessionDidRenegotiateStreams")
        assert removed.data.action == "remove" and removed.data.streams[0] in unwanted
    assert parties.received(bob)["other.bin"] == BIG[::-1]
    assert session.state == "connected"
    parties.end(session)


@pytest.mark.parametrize("who", ["sender", "receiver"])
def test_cancel_alone(parties: Parties, who: str) -> None:
    """Both streams fail, each with its reason; the session has nothing left to do, and ends."""
    alice, bob = parties.alice, parties.bob
    session = parties.call(parties.file(alice, "unwanted.bin"))
    incoming = bob.incoming[-1]
    mine, theirs = session.streams[0], incoming.streams[0]
    parties.wait(lambda: theirs.transferred_bytes > 100_000)
    alice.run(mine.cancel) if who == "sender" else bob.run(theirs.cancel)
    parties.wait(lambda: session.state == incoming.state == "terminated")
    reasons = [agent.recorder.find("MediaStreamDidFail", s).data.reason for agent, s in ((alice, mine), (bob, theirs))]
    local = "the local party gave the transfer up"
    if who == "sender":
        assert reasons == [local, "the file did not come: the sender gave the message up"]
    else:
        assert reasons == ["the file was not delivered: 413 Cancelled", local]
    assert all(name.endswith(".part") for name in parties.received(bob))


# Resume


def interrupted(parties: Parties, how: str) -> int:
    """Alice's transfer to bob breaks off after a third; returns how many octets bob has."""
    alice, bob, network = parties.alice, parties.bob, parties.network
    session = parties.call(parties.file(alice, "report.pdf"))
    theirs = stream_of(bob)
    parties.wait(lambda: theirs.transferred_bytes >= 1_000_000)
    if how == "connection":
        network.kill_connections(alice, bob)
        parties.wait(lambda: session.state == "terminated" and bob.incoming[-1].state == "terminated")
    else:
        restarted = bob if how == "receiver" else alice
        restarted.stop()
        restarted.start()
    network.advance(10)
    (content,) = parties.received(bob).values()
    assert content == BIG[: len(content)] and 1_000_000 <= len(content) < len(BIG)
    return len(content)


def count_sent(network: MemoryNetwork, agent: UserAgent) -> list[int]:
    """A list that gets the size of each segment that an agent sends over TCP from now on."""
    sizes: list[int] = []

    def count(packet: Any) -> None:
        if packet.transport == "tcp" and packet.sender is agent.reactor:
            sizes.append(len(packet.data))

    network.filter(count)
    return sizes


@pytest.mark.parametrize("how", ["connection", "receiver", "sender"])
def test_resume(parties: Parties, how: str) -> None:
    """RFC 5547 8.3: after the connection was lost, or the application of either side was started anew, only what is
    missing is sent, as counted in octets on the wire."""
    there = interrupted(parties, how)
    alice, bob = parties.alice, parties.bob
    sent = count_sent(parties.network, alice)
    session = parties.call(parties.file(alice, "report.pdf"))
    parties.wait_for(alice, "FileTransferStreamDidFinish", session.streams[0])
    parties.wait_for(bob, "FileTransferStreamDidFinish", stream_of(bob))
    assert parties.received(bob) == {"report.pdf": BIG}
    missing = len(BIG) - there
    assert missing <= sum(sent) < missing * 1.02 + 20_000
    got = bob.recorder.find_all("FileTransferStreamGotChunk", stream_of(bob))
    assert b"".join(found.data.content for found in got) == BIG[there:]
    assert got[0].data.transferred_bytes > there
    parties.end(session)


@pytest.mark.parametrize("who", ["alice", "bob"])
def test_resume_of_a_wish(parties: Parties, who: str) -> None:
    """Who asks for a file that he has a part of says so in the offer: a hash tells which file it is."""
    alice, bob = parties.alice, parties.bob
    parties.accept = lambda stream: setattr(stream, "file_selector", parties.file(bob, "report.pdf"))
    wish = FileSelector("report.pdf", size=len(BIG), hash=sha1(BIG))
    session = parties.call(wish)
    parties.wait(lambda: session.streams[0].transferred_bytes >= 1_000_000)
    (alice if who == "alice" else bob).run((session if who == "alice" else bob.incoming[-1]).end)
    parties.wait(lambda: session.state == bob.incoming[-1].state == "terminated")
    parties.network.advance(10)
    (part,) = parties.received(alice).values()
    sent = count_sent(parties.network, bob)
    again = parties.call(FileSelector("report.pdf", size=len(BIG), hash=sha1(BIG)))
    parties.wait_for(alice, "FileTransferStreamDidFinish", again.streams[0])
    assert parties.received(alice) == {"report.pdf": BIG}
    assert sum(sent) < (len(BIG) - len(part)) * 1.02 + 20_000
    parties.end(again)


# Failures


def test_a_transfer_that_fails_ends_alone(parties: Parties) -> None:
    """FT-009, SES-095: a source that is another file by now; the other transfer and the session go on."""
    alice, bob = parties.alice, parties.bob
    bad = parties.file(alice, "bad.bin")
    bad.hash = sha1(b"something else")
    session = parties.call(bad, parties.file(alice, "good.bin"))
    incoming = bob.incoming[-1]
    streams, theirs = list(session.streams), list(incoming.streams)
    parties.wait(lambda: len(session.streams) == len(incoming.streams) == 1)
    parties.wait_for(alice, "FileTransferStreamDidFinish", streams[1])
    parties.wait_for(bob, "FileTransferStreamDidFinish", theirs[1])
    assert parties.received(bob) == {"good.bin": BIG}
    assert "hash" in bob.recorder.find("MediaStreamDidFail", theirs[0]).data.reason
    assert alice.recorder.find("FileTransferStreamDidNotDeliverChunk", streams[0]).data.code == 413
    assert "413" in alice.recorder.find("MediaStreamDidFail", streams[0]).data.reason
    assert (session.state, incoming.state) == ("connected", "connected")
    parties.end(session)


def test_no_room(parties: Parties, monkeypatch: pytest.MonkeyPatch) -> None:
    """The disk of who is called is full before anything comes: refused, with the reason on his side; a stream of the
    same call that needs no room is had."""
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=2_000_000))
    alice, bob = parties.alice, parties.bob
    session = parties.call(parties.file(alice, "large.bin"), parties.file(alice, "small.bin", b"small"))
    parties.wait_for(alice, "FileTransferStreamDidFinish", session.streams[-1])
    assert parties.received(bob) == {"small.bin": b"small"}
    assert "no room for large.bin" in bob.recorder.find("MediaStreamDidFail").data.reason
    parties.end(session)


def test_no_room_for_what_was_asked_for(parties: Parties, monkeypatch: pytest.MonkeyPatch) -> None:
    """How large it is tells the answer; it is not begun then."""
    alice, bob = parties.alice, parties.bob
    selector = parties.file(bob, "large.bin")
    parties.accept = lambda stream: setattr(stream, "file_selector", selector)
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: SimpleNamespace(free=2_000_000))
    stream = alice.run(FileTransferStream, alice.account, FileSelector("large.bin"))
    session = alice.call(bob, [stream])
    parties.wait(lambda: session.state == "terminated" and bob.incoming[-1].state == "terminated")
    failed = alice.recorder.find("MediaStreamDidFail", stream).data
    assert failed.context == "start" and "no room for large.bin" in failed.reason
    assert alice.recorder.find_all("FileTransferStreamGotChunk") == [] and parties.received(alice) == {}


def test_the_end_of_the_session_in_mid_transfer(parties: Parties) -> None:
    """No failure of a stream on either side, and what came is kept."""
    alice, bob = parties.alice, parties.bob
    session = parties.call(parties.file(alice, "report.pdf"))
    parties.wait(lambda: stream_of(bob).transferred_bytes > 1_000_000)
    parties.end(session)
    parties.network.advance(10)
    (name,) = parties.received(bob)
    assert name.endswith(".part")
    for agent in (alice, bob):
        assert agent.recorder.find_all("MediaStreamDidFail") == []
        assert len(agent.recorder.find_all("MediaStreamDidEnd")) == 1
