"""Hold, by either party, step by step against a scripted remote party."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sipsimple.core import SIPURI, SDPConnection, SDPMediaStream, SDPSession, ToHeader
from sipsimple.session import Session
from sipsimple.streams import held_by_remote
from sipsimple.testing.scripted import ScriptedInvitation, ScriptedStream, Stage
from sipsimple.util import Route

BOB = ToHeader(SIPURI(host="example.com", user="bob"), "Bob")


@pytest.fixture
def stage() -> Iterator[Stage]:
    with Stage().set() as stage:
        yield stage


def call(stage: Stage, *streams: ScriptedStream) -> tuple[Session, ScriptedInvitation]:
    session = Session(stage.account)
    session.connect(BOB, [Route("10.0.0.2")], streams)
    return session, stage.invitations[-1]


def started(stage: Stage, *streams: ScriptedStream) -> tuple[Session, ScriptedInvitation]:
    session, invitation = call(stage, *streams)
    invitation.accept()
    stage.recorder.clear()
    stage.calls.clear()
    return session, invitation


def audio(stage: Stage, name: str = "a") -> ScriptedStream:
    return stage.stream(name, hold_supported=True)


def held(stage: Stage, session: Session) -> list[tuple[str, bool, bool]]:
    found = stage.recorder.find_all("SIPSessionDidChangeHoldState", session)
    return [(n.data.originator, n.data.on_hold, n.data.partial) for n in found]


def directions(description: object) -> list[str]:
    return [line.direction for line in description.media]  # type: ignore[attr-defined]


def line(direction: str = "sendrecv") -> SDPMediaStream:
    media = SDPMediaStream("message", 2855, "TCP/MSRP", formats=["*"])
    media.direction = direction
    return media


def test_hold_and_unhold(stage: Stage) -> None:
    """SES-050, SES-052, SES-065, SES-087, SES-088, SES-089, STR-020, STR-021, STR-028, STR-029, STR-030: the streams
    that can be
    held are, at once, and the remote party learns it."""
    a, b = audio(stage), stage.stream("b")
    session, invitation = started(stage, a, b)
    session.hold()
    assert session.on_hold and a.on_hold_by_local and not b.on_hold
    assert stage.calls == ["a.hold", "a.offer", "b.offer", "re-INVITE"]
    assert directions(invitation.offer) == ["sendonly", "sendrecv"]
    session.hold()
    assert held(stage, session) == [("local", True, False)]
    invitation.accept_offer([line("recvonly"), line()])
    session.unhold()
    assert not session.on_hold and directions(invitation.offer) == ["sendrecv", "sendrecv"]
    invitation.accept_offer([line(), line()])
    assert held(stage, session) == [("local", True, False), ("local", False, False)]
    assert stage.calls.count("re-INVITE") == 2 and "b.hold" not in stage.calls


def test_hold_where_nothing_can_be_held(stage: Stage) -> None:
    """SES-050: nothing happens."""
    session, _ = started(stage, stage.stream("b"))
    session.hold()
    assert held(stage, session) == [] and stage.calls == []


def test_hold_while_another_re_invite_is_open(stage: Stage) -> None:
    """SES-051, SES-053: the re-INVITE is sent as soon as possible, and one is enough."""
    session, invitation = started(stage, audio(stage))
    session.hold()
    session.unhold()
    session.hold()
    assert stage.calls.count("re-INVITE") == 1
    invitation.accept_offer([line("recvonly")])
    assert stage.calls.count("re-INVITE") == 1  # what was told is true again
    session.unhold()
    session.hold()
    session.unhold()
    invitation.refuse_offer(491)
    stage.reactor.advance(4.0)
    assert stage.calls.count("re-INVITE") == 3 and directions(invitation.offer) == ["sendrecv"]


@pytest.mark.parametrize("last", ["hold", "unhold"])
def test_hold_before_the_session_has_started(stage: Stage, last: str) -> None:
    """SES-051, SES-053: it is remembered, and happens at once when the session connects."""
    session = Session(stage.account)
    session.hold()
    session.connect(BOB, [Route("10.0.0.2")], [audio(stage)])
    invitation = stage.invitations[-1]
    invitation.ring()
    getattr(session, last)()
    assert "a.hold" not in stage.calls
    invitation.accept()
    if last == "hold":
        assert stage.sent(session)[-2:] == ["DidStart", "DidChangeHoldState"]
        assert stage.calls[-3:] == ["a.hold", "a.offer", "re-INVITE"] and session.on_hold
    else:
        assert stage.sent(session)[-1] == "DidStart" and not session.on_hold


def test_hold_after_the_end(stage: Stage) -> None:
    """SES-051: allowed in any state."""
    session, _ = started(stage, audio(stage))
    session.end()
    session.hold()
    session.unhold()
    assert session.state == "terminated" and held(stage, session) == []


def test_a_stream_that_is_added_to_a_held_session(stage: Stage) -> None:
    """SES-050, STR-020: it is held from the start."""
    session, invitation = started(stage, audio(stage))
    session.hold()
    invitation.accept_offer([line("recvonly")])
    session.add_stream(audio(stage, "b"))
    assert directions(invitation.offer) == ["sendonly", "sendonly"]


@pytest.mark.parametrize("direction", ["sendonly", "inactive"])
def test_hold_by_the_remote_party(stage: Stage, direction: str) -> None:
    """SES-065, SES-087, SES-088, SES-090, STR-029, STR-030: of one of two streams, then of none."""
    session, invitation = started(stage, audio(stage), audio(stage, "b"))
    invitation.propose([line(direction), line()])
    assert session.on_hold and held(stage, session) == [("remote", True, True)]
    assert directions(invitation.described[-1]) == ["recvonly", "sendrecv"]
    session.hold()
    invitation.accept_offer([line("inactive"), line("recvonly")])
    invitation.propose([line("recvonly"), line("recvonly")])
    assert held(stage, session)[1:] == [("local", True, False), ("remote", True, False)]


def test_hold_by_the_remote_party_from_the_beginning(stage: Stage) -> None:
    """SES-087: told after SIPSessionDidStart."""
    session, invitation = call(stage, audio(stage))
    invitation.accept(SDPSession("10.0.0.2", media=[line("sendonly")]))
    assert stage.sent(session)[-2:] == ["DidStart", "DidChangeHoldState"]
    assert held(stage, session) == [("remote", True, False)]


@pytest.mark.parametrize(
    ("address", "direction", "expected"),
    [
        ("10.0.0.2", "sendrecv", False),
        ("10.0.0.2", "recvonly", False),
        ("10.0.0.2", "sendonly", True),
        ("10.0.0.2", "inactive", True),
        ("0.0.0.0", "sendrecv", True),
    ],
)
def test_held_by_remote(address: str, direction: str, expected: bool) -> None:
    """STR-029: RFC 3264 8.4, and the null address of RFC 2543."""
    description = SDPSession("10.0.0.2", connection=SDPConnection(address), media=[line(direction)])
    assert held_by_remote(description, 0) is expected
