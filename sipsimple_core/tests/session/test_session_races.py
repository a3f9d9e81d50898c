"""Races: whole user agents on a network that delays, reorders, repeats and loses packets, by seeds.

Each schedule lets two or three parties do at nearly the same time what excludes each other. What must hold of all: each
session ends, exactly once and with nothing after it; nobody's stack meets a defect; nothing is left.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest

from sipsimple.core import Engine
from sipsimple.notification import NotificationCenter
from sipsimple.session import IllegalStateError, Session, SessionManager
from sipsimple.streams import MediaStreamRegistry
from sipsimple.testing.agent import UserAgent
from sipsimple.testing.network import MemoryNetwork
from sipsimple.testing.packets import Packet, Verdict
from sipsimple.testing.scripted import ScriptedStream

SCHEDULES = 2000
BATCHES = 20
LAST_SECONDS = 400.0  # virtual: longer than any time-out of RFC 3261


class RaceStream(ScriptedStream):
    """A stream without media."""

    type = "race"


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SIPSIMPLE_LOAD_PLUGINS", "")
    MediaStreamRegistry().register(RaceStream)
    yield
    MediaStreamRegistry().unregister(RaceStream)


class Parties:
    """Three agents, on a network whose packets a seed delays and loses."""

    def __init__(self) -> None:
        self.network = MemoryNetwork()
        self.alice, self.bob, self.carol = (UserAgent(self.network, name) for name in ("alice", "bob", "carol"))
        self.all = (self.alice, self.bob, self.carol)
        for agent in self.all:
            agent.run(lambda: NotificationCenter().add_observer(self, name="SIPSessionTransferNewIncoming"))
        self.random = random.Random(0)
        self.loss = 0.0
        self.network.filter(self._judge)

    def _judge(self, packet: Packet) -> Verdict | None:
        if self.random.random() < self.loss:
            return Verdict.DROP
        packet.delay = self.random.choice([0.001, 0.001, 0.01, 0.05, 0.2, 0.7])
        return None

    def handle_notification(self, notification: Any) -> None:
        attempt(notification.sender.accept_transfer)

    def call(self, caller: UserAgent, callee: UserAgent) -> tuple[Session, Session]:
        """A session that both have started; on a good network."""
        loss, self.loss = self.loss, 0.0
        known = len(callee.incoming)
        session = caller.call(callee, [RaceStream])
        self.network.run_until(lambda: len(callee.incoming) > known)
        other = callee.incoming[-1]
        callee.run(other.accept, callee.recorder.find_all("SIPSessionNewIncoming")[-1].data.streams)
        self.network.run_until(lambda: session.state == other.state == "connected")
        self.loss = loss
        return session, other

    def soon(self, agent: UserAgent, action: Callable[[], object]) -> None:
        """Within the next seconds, at random."""
        agent.reactor.callLater(self.random.choice([0, 0.001, 0.01, 0.05, 0.3, 1.0]), agent.run, attempt, action)


def attempt(action: Callable[[], object]) -> None:
    with suppress(IllegalStateError, ValueError):  # too late, which is what a race is about
        action()


def proposed_streams(session: Session) -> list[Any]:
    return session.proposed_streams or session.streams


def cancel_and_200(p: Parties) -> None:
    """CANCEL/200, accept/CANCEL: the caller ends while the callee accepts."""
    session = p.alice.call(p.bob, [RaceStream])
    p.bob.answer_with(ring=p.random.random() < 0.5, delay=p.random.choice([0, 0.01, 0.3]))
    p.soon(p.alice, session.end)


def bye_and_bye(p: Parties) -> None:
    mine, theirs = p.call(p.alice, p.bob)
    p.soon(p.alice, mine.end)
    p.soon(p.bob, theirs.end)


def reinvite_and_reinvite(p: Parties) -> None:
    mine, theirs = p.call(p.alice, p.bob)
    for agent, session in ((p.alice, mine), (p.bob, theirs)):
        what = p.random.choice(["add", "hold"])
        if what == "hold":
            p.soon(agent, session.hold)
        else:
            p.soon(agent, lambda agent=agent, session=session: session.add_stream(RaceStream(agent.account)))
        p.soon(agent, lambda session=session: session.accept_proposal(proposed_streams(session)))


def reinvite_and_bye(p: Parties) -> None:
    mine, theirs = p.call(p.alice, p.bob)
    p.soon(p.alice, lambda: mine.add_stream(RaceStream(p.alice.account)))
    p.soon(p.random.choice([p.alice, p.bob]), p.random.choice([mine, theirs]).end)
    p.soon(p.bob, lambda: theirs.accept_proposal(proposed_streams(theirs)))
    p.soon(p.alice, mine.cancel_proposal)


def transfer_and_bye(p: Parties) -> None:
    mine, theirs = p.call(p.alice, p.bob)
    p.carol.answer_with(ring=p.random.random() < 0.5, delay=p.random.choice([0, 0.3]))
    p.soon(p.alice, lambda: mine.transfer(p.carol.uri))
    p.soon(p.random.choice([p.alice, p.bob]), p.random.choice([mine, theirs]).end)


def replaced_and_bye(p: Parties) -> None:
    with_bob, _ = p.call(p.alice, p.bob)
    with_carol, of_carol = p.call(p.alice, p.carol)
    p.carol.answer_with()
    p.soon(p.alice, lambda: with_bob.transfer(p.carol.uri, with_carol))
    p.soon(p.carol, of_carol.end)


RACES = [cancel_and_200, bye_and_bye, reinvite_and_reinvite, reinvite_and_bye, transfer_and_bye, replaced_and_bye]


def ends(agent: UserAgent) -> dict[Any, list[str]]:
    """The notifications that are the last of a session, and those that came after one."""
    found: dict[Any, list[str]] = {}
    for notification in agent.recorder:
        if isinstance(notification.sender, Session):
            told = found.setdefault(notification.sender, [])
            if told or notification.name in ("SIPSessionDidEnd", "SIPSessionDidFail"):
                told.append(notification.name)
    return found


@pytest.mark.timeout(300)
@pytest.mark.parametrize("batch", range(BATCHES))
def test_races(batch: int) -> None:
    """SES-055, SES-083, SES-086, STR-025: 2,000 schedules in all."""
    p = Parties()
    for number in range(SCHEDULES // BATCHES):
        seed = batch * SCHEDULES // BATCHES + number
        p.random.seed(seed)
        p.loss = p.random.choice([0.0, 0.0, 0.1, 0.3])
        race = RACES[seed % len(RACES)]
        for agent in p.all:
            agent.stop_answering()
            agent.recorder.clear()
        race(p)
        p.network.advance(4)
        sessions = [session for agent in p.all for session in agent.run(lambda: SessionManager().sessions)]
        for session in sessions:
            attempt(session.end)
        p.network.advance(LAST_SECONDS)
        for agent in p.all:
            context = f"seed {seed}, {race.__name__}, {agent.name}\n{agent.recorder.transcript()}"
            for session, told in ends(agent).items():
                assert session.state == "terminated" and len(told) == 1, context
            assert agent.recorder.find_all("SIPEngineGotException") == [], context
            assert agent.run(lambda: SessionManager().sessions) == [], context
            assert agent.run(lambda: Engine().core.dialogs) == 0, context
    p.network.close()
