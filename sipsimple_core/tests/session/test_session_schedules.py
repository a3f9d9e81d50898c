"""Random schedules: whatever the application, the remote party, the streams and time do, and in whatever order.

Each schedule is a seed. What must hold of all of them: nothing raises but IllegalStateError at the application; the
session ends, exactly once, with the right notification and nothing after it; each stream that was initialized is
ended, once; no timer, observer or entry in the list of sessions is left.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from sipsimple.core import SIPURI, SDPMediaStream, ToHeader
from sipsimple.session import IllegalStateError, Session, SessionManager, established
from sipsimple.session.states import TRANSITIONS
from sipsimple.testing.scripted import ScriptedInvitation, ScriptedStream, Stage
from sipsimple.util import Route

SCHEDULES = 2000
STEPS = 60
BEHAVIOURS = ["now", "now", "now", "wait", "wait", "fail", "raise"]
PROPOSAL_OUTCOMES = ["GotAcceptProposal", "GotRejectProposal", "HadProposalFailure"]
BOB = ToHeader(SIPURI(host="example.com", user="bob"))


def line(port: int) -> SDPMediaStream:
    return SDPMediaStream("message", port, "TCP/MSRP", formats=["*"])


class Schedule:
    """One run; `random` decides everything."""

    def __init__(self, stage: Stage, seed: int) -> None:
        self.stage = stage
        self.random = random.Random(seed)
        self.log: list[str] = []
        self.begins_connected = self.random.random() < 0.6
        self.streams = [self.make_stream(name) for name in "abc"[: self.random.randint(1, 3)]]
        if self.begins_connected:
            for stream in self.streams:
                stream.initialize_does = stream.start_does = "now"
                stream.media = line(2855)
        self.session = Session(stage.account)
        self.seen: list[str | None] = [None]

    def make_stream(self, name: str) -> ScriptedStream:
        script = {f"{what}_does": self.random.choice(BEHAVIOURS) for what in ("initialize", "start", "end")}
        stream = self.stage.stream(name, hold_supported=self.random.random() < 0.5, **script)
        stream.acceptable = self.random.random() < 0.9
        if self.random.random() < 0.05:
            stream.media = None
        return stream

    @property
    def invitation(self) -> ScriptedInvitation | None:
        return self.stage.invitations[-1] if self.stage.invitations else None

    def run(self) -> None:
        if self.random.random() < 0.5:
            routes = [Route("10.0.0.2"), Route("10.0.0.3")][: self.random.randint(1, 2)]
            self.session.connect(BOB, routes, self.streams)
        else:
            invitation = self.stage.invitation()
            invitation.arrive([line(2855)] * len(self.streams))
            self.session._receive(invitation, dict(enumerate(self.streams)))
        if self.begins_connected:
            invitation = self.stage.invitations[-1]
            if invitation.direction == "outgoing":
                invitation.accept(acknowledge=False)
            else:
                self.session.accept(self.streams)
            invitation.acknowledge()
            assert self.session.state == "connected"
        for _ in range(STEPS):
            self.step()
        self.finish()

    def step(self) -> None:
        action = self.random.choice([self.application, self.application, self.peer, self.peer, self.media, self.time])
        action()
        self.seen.append(self.session.state)

    def do(self, name: str, action: Callable[[], object]) -> None:
        self.log.append(name)
        action()

    def application(self) -> None:
        methods: list[tuple[str, Callable[[], object]]] = [
            ("accept some", lambda: self.session.accept(self.some_streams())),
            ("accept", lambda: self.session.accept(self.streams)),
            ("ring", self.session.send_ring_indication),
            ("add", self.add),
            ("remove", self.remove),
            ("accept proposal", lambda: self.session.accept_proposal(self.session.proposed_streams or self.streams)),
            ("reject proposal", self.session.reject_proposal),
            ("cancel proposal", self.session.cancel_proposal),
            ("hold", self.session.hold),
            ("unhold", self.session.unhold),
        ]
        if self.random.random() < 0.05:
            methods = [("end", self.session.end), ("reject", self.session.reject)]
        name, method = self.random.choice(methods)
        try:
            self.do(name, method)
        except IllegalStateError:
            self.log[-1] += " (refused)"

    def add(self) -> None:
        stream = self.make_stream(f"n{len(self.streams)}")
        self.session.add_stream(stream)
        self.streams.append(stream)

    def remove(self) -> None:
        streams = self.session.streams
        if len(streams) > 1:
            self.session.remove_stream(self.random.choice(streams))

    def offer(self) -> ScriptedStream | None:
        """What the remote party's new lines become."""
        stream = self.make_stream(f"n{len(self.streams)}")
        self.streams.append(stream)
        return stream

    def re_invite(self) -> None:
        invitation = self.invitation
        assert invitation is not None
        media = [SDPMediaStream.new(line) for line in invitation.remote.media]
        change = self.random.random()
        if change < 0.5:
            media.append(line(3000 + len(self.log)))
        elif change < 0.7:
            self.random.choice(media).port = self.random.choice([0, 4000 + len(self.log)])
        elif change < 0.8:
            self.random.choice(media).direction = self.random.choice(["sendonly", "sendrecv"])
        invitation.propose(None if change > 0.95 else media)

    def answer(self) -> None:
        invitation = self.invitation
        assert invitation is not None
        media = [SDPMediaStream.new(line) for line in invitation.offer.media]
        if self.random.random() < 0.3:
            self.random.choice(media).port = 0
        invitation.accept_offer(media)

    def some_streams(self) -> list[ScriptedStream]:
        return self.random.sample(self.streams, self.random.randint(1, len(self.streams)))

    def peer(self) -> None:
        """A step of the invitation that its state allows."""
        invitation = self.invitation
        if invitation is None:
            return
        invitation.end_confirmed_by_itself = self.random.random() < 0.5
        steps: list[tuple[str, Callable[[], object]]] = []
        if invitation.direction == "outgoing":
            if invitation.state in ("outgoing", "early"):
                steps = [
                    ('ringing', invitation.ring), ('trying', lambda: invitation.ring(100)),
                    ('200', lambda: invitation.accept(acknowledge=False)), ('200, ACK', invitation.accept),
                    ('486', lambda: invitation.refuse(486)), ('503', lambda: invitation.refuse(503)),
                    ('timeout', lambda: invitation.fail(408, 'timeout')),
                ]  # fmt: skip
            elif invitation.state == "connecting":
                steps = [("ACK sent", invitation.acknowledge), ("BYE", invitation.hang_up)]
        elif invitation.state in ("incoming", "early"):
            steps = [("CANCEL", invitation.cancel)] if self.random.random() < 0.2 else []
        elif invitation.state == "connecting":
            steps = [("ACK", invitation.acknowledge), ("no ACK", invitation.miss_ack), ("BYE", invitation.hang_up)]
        if invitation.state == "connected":
            if self.random.random() < 0.1:
                steps = [("BYE", invitation.hang_up)]
            elif invitation.sub_state == "sent_proposal":
                steps = [
                    ("200", self.answer),
                    ("180", invitation.ring_again),
                    ("491", lambda: invitation.refuse_offer(491)),
                    ("488", lambda: invitation.refuse_offer(488)),
                    ("500", lambda: invitation.refuse_offer(500, "local")),
                ]
            elif invitation.sub_state == "received_proposal":
                steps = [("CANCEL", invitation.cancel_offer)] if self.random.random() < 0.3 else []
            else:
                steps = [("re-INVITE", self.re_invite)]
        if invitation.state == "disconnecting":
            steps = [("end confirmed", invitation.confirm_end), ("BYE", invitation.hang_up)]
        if steps:
            self.do(*self.random.choice(steps))

    def media(self) -> None:
        """A stream says something, in turn or not."""
        stream = self.random.choice(self.streams)
        said = [stream.did_initialize, stream.did_start, stream.did_initialize, stream.did_start, stream.did_end]
        if self.random.random() < 0.2:
            said = [stream.did_fail]
        say = self.random.choice(said)
        if f"{stream.name}.initialize" in self.stage.calls:
            self.do(f"{stream.name} {say.__name__}", say)

    def time(self) -> None:
        seconds = self.random.choice([0.0, 0.5, 5.0, 30.0])
        self.do(f"{seconds} s", lambda: self.stage.reactor.advance(seconds))

    def finish(self) -> None:
        """The application wants the end, and time passes; nobody else helps."""
        if self.session.state not in ("terminating", "terminated"):
            self.do("end", self.session.end)
        for _ in range(10):
            self.stage.reactor.advance(5.0)

    def check(self) -> None:
        names = self.stage.sent(self.session)
        started = "DidStart" in names
        endings = [name for name in names if name in ("DidEnd", "DidFail")]
        assert endings == (["DidEnd"] if started else ["DidFail"]), names
        assert names[-1] == endings[0], names
        assert names.count("WillEnd") == started and names.count("DidStart") <= 1 and names.count("WillStart") <= 1
        assert names[0] in ("NewOutgoing", "NewIncoming")
        outcomes = sum(names.count(name) for name in PROPOSAL_OUTCOMES)
        # two are open at the end if the remote party's has met ours
        assert outcomes <= names.count("GotProposal") <= outcomes + 2, names
        assert self.session.state == "terminated" and self.session.streams == []
        assert (self.session.start_time is not None) == started and self.session.stop_time is not None
        for stream in self.streams:
            calls = [call for call in self.stage.calls if call.startswith(f"{stream.name}.")]
            initialized = f"{stream.name}.initialize" in calls
            assert calls.count(f"{stream.name}.end") == initialized, calls
            assert not initialized or calls[-1] == f"{stream.name}.end", calls
            assert calls.count(f"{stream.name}.start") <= 1
        assert SessionManager().sessions == []
        assert self.stage.reactor.getDelayedCalls() == []
        center: Any = self.stage.recorder.center
        assert center._by_both == {}
        for before, after in zip(self.seen, self.seen[1:], strict=False):
            assert before == after or reachable(before, after), (before, after)


def reachable(before: str | None, after: str | None) -> bool:
    """Whether the table leads from one state to another, in however many steps."""
    seen, ends = {before}, [before]
    while ends:
        for following in TRANSITIONS[ends.pop()].values():
            if following not in seen:
                seen.add(following)
                ends.append(following)
    return after in seen


def offered_to(schedule: Schedule) -> Callable[..., dict[int, Any]]:
    return lambda account, offer, new, limit: {index: schedule.offer() for index in sorted(new)[:limit]}


@pytest.mark.parametrize("block", range(SCHEDULES // 100))
def test_schedules(block: int, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch) -> None:
    """SES-008, SES-009, SES-044, SES-081, SES-082, SES-083, STR-025: what must hold, holds in every schedule."""
    for seed in range(block * 100, block * 100 + 100):
        with Stage().set() as stage:
            schedule = Schedule(stage, seed)
            monkeypatch.setattr(established, "streams_offered", offered_to(schedule))
            try:
                schedule.run()
                schedule.check()
            except Exception as error:
                error.add_note(f"seed {seed}: {', '.join(schedule.log)}\n{stage.calls}")
                error.add_note(stage.recorder.transcript(60))
                raise
    assert "An action of a session failed" not in caplog.text
