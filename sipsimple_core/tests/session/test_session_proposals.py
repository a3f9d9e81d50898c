"""Proposals of streams, both ways, step by step against a scripted remote party; whole sequences of notifications."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from sipsimple.core import SIPURI, SDPAttribute, SDPMediaStream, ToHeader
from sipsimple.session import IllegalStateError, Session, SessionManager, offered, renegotiation
from sipsimple.testing.scripted import ScriptedInvitation, ScriptedStream, Stage
from sipsimple.util import Route

BOB = ToHeader(SIPURI(host="example.com", user="bob"), "Bob")


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    with Stage().set() as stage:
        monkeypatch.setattr(offered, "MediaStreamRegistry", lambda: [Offered])
        Offered.stage, Offered.made, Offered.script = stage, [], {}
        yield stage


class Offered(ScriptedStream):
    """What is made of the lines that the remote party offers: called x, y, z."""

    stage: Stage
    made: list[Offered]
    script: dict[str, Any]

    @classmethod
    def new_from_sdp(cls, account: Any, remote_sdp: Any, stream_index: int) -> Offered | None:
        if remote_sdp.media[stream_index].media != "message":
            return None
        stream = cls(account)
        stream.name, stream.calls = "xyz"[len(cls.made)], cls.stage.calls
        for attribute, value in cls.script.items():
            setattr(stream, attribute, value)
        cls.made.append(stream)
        return stream


def line(port: int = 2855, media: str = "message") -> SDPMediaStream:
    return SDPMediaStream(media, port, "TCP/MSRP", formats=["*"])


def started(stage: Stage, *streams: ScriptedStream) -> tuple[Session, ScriptedInvitation]:
    session = Session(stage.account)
    session.connect(BOB, [Route("10.0.0.2")], streams or [stage.stream()])
    invitation = stage.invitations[-1]
    invitation.accept()
    assert session.state == "connected"
    forget(stage)
    return session, invitation


def forget(stage: Stage) -> None:
    stage.recorder.clear()
    stage.calls.clear()


def told(stage: Stage, session: Session) -> list[tuple[Any, ...]]:
    """What the session posted: name and fields, streams by their names; transactions are left out."""
    found = []
    for notification in stage.recorder.notifications:
        name = notification.name.removeprefix("SIPSession")
        if notification.sender is session and name != "DidProcessTransaction":
            fields = {key: value for key, value in vars(notification.data).items() if key != "timestamp"}
            found.append((name, *(readable(value) for _, value in sorted(fields.items()))))
    return found


def readable(value: Any) -> Any:
    return "".join(stream.name for stream in value) if isinstance(value, list) else value


def ports(description: Any) -> list[int]:
    return [media.port for media in description.media]


def gone(stage: Stage, session: Session) -> None:
    """Nothing is left behind."""
    if session.state != "terminated":
        session.end()
    stage.reactor.advance(60)
    assert session.state == "terminated"
    assert SessionManager().sessions == []
    assert stage.reactor.getDelayedCalls() == []
    center: Any = stage.recorder.center
    assert center._by_both == {}


# Ours


def test_add_stream(stage: Stage) -> None:
    """SES-042, SES-043, SES-044, SES-045, SES-091, SES-093, SES-095, SES-096, SES-097, STR-010, STR-012: it is
    accepted."""
    session, invitation = started(stage)
    b = stage.stream("b", initialize_does="wait", start_does="wait")
    session.add_stream(b)
    assert session.state == "sending_proposal" and session.proposed_streams == [b]
    assert told(stage, session) == [("GotProposal", "local", "b")]
    assert b.direction == "outgoing" and b.session is session
    b.did_initialize()
    invitation.ring_again()
    version = invitation.described[-1].version if invitation.described else None
    invitation.accept_offer()
    assert session.state == "sending_proposal" and b not in session.streams
    b.did_start()
    assert told(stage, session) == [
        ("GotProposal", "local", "b"),
        ("GotProvisionalResponse", 180, "Ringing"),
        ("GotAcceptProposal", "local", "b", "b"),
        ("DidRenegotiateStreams", "add", "local", "b"),
    ]
    assert session.state == "connected" and session.streams[1:] == [b] and session.proposed_streams is None
    assert version is not None and invitation.offer.version == version + 1
    assert b.started_with is not None and b.started_with[2] == 1
    assert stage.calls == ["b.initialize", "a.offer", "b.offer", "re-INVITE", "a.update", "b.start"]
    processed = stage.recorder.assert_one("SIPSessionDidProcessTransaction", session).data
    assert (processed.originator, processed.method, processed.code) == ("local", "INVITE", 200)
    gone(stage, session)


@pytest.mark.parametrize("code", [488, 603])
def test_a_proposal_that_is_refused(stage: Stage, code: int) -> None:
    """SES-044, SES-092: the stream is ended, the session goes on."""
    session, invitation = started(stage)
    b = stage.stream("b")
    session.add_stream(b)
    invitation.refuse_offer(code)
    reason = stage.recorder.assert_one("SIPSessionGotRejectProposal").data.reason
    assert told(stage, session) == [
        ("GotProposal", "local", "b"),
        ("GotRejectProposal", code, "local", reason, "b"),
    ]
    assert session.state == "connected" and session.proposed_streams is None and len(session.streams) == 1
    assert stage.calls[-1] == "b.end"
    c = stage.stream("c")
    session.add_stream(c)
    invitation.accept_offer()
    assert session.streams[1:] == [c] and ports(invitation.offer) == [2855, 2855]
    gone(stage, session)


def test_a_proposal_that_is_accepted_without_the_stream(stage: Stage) -> None:
    """SES-092: port 0 in the answer refuses the stream (RFC 3264 6); the slot is used again (8.1)."""
    session, invitation = started(stage)
    session.add_stream(stage.stream("b"))
    invitation.accept_offer([line(), line(0)])
    assert told(stage, session) == [
        ("GotProposal", "local", "b"),
        ("GotRejectProposal", 488, "local", "Not Acceptable Here", "b"),
    ]
    session.add_stream(stage.stream("c"))
    assert ports(invitation.offer) == [2855, 2855]
    gone(stage, session)


@pytest.mark.parametrize("what", ["fail", "raise"])
def test_a_stream_that_can_not_be_initialized(stage: Stage, what: str) -> None:
    """SES-094: nothing is sent."""
    session, _ = started(stage)
    session.add_stream(stage.stream("b", initialize_does=what))
    failure = stage.recorder.assert_one("SIPSessionHadProposalFailure", session).data
    assert failure.failure_reason.startswith("stream failed: ")
    assert [name for name, *_ in told(stage, session)] == ["GotProposal", "HadProposalFailure"]
    assert session.state == "connected" and "re-INVITE" not in stage.calls and stage.calls[-1] == "b.end"
    gone(stage, session)


def test_a_stream_that_can_not_start(stage: Stage) -> None:
    """SES-094: what was agreed is taken back with port 0."""
    session, invitation = started(stage)
    session.add_stream(stage.stream("b", start_does="fail"))
    invitation.accept_offer()
    assert told(stage, session) == [
        ("GotProposal", "local", "b"),
        ("HadProposalFailure", "stream failed: start failed", "b"),
    ]
    assert stage.calls.count("re-INVITE") == 2 and ports(invitation.offer) == [2855, 0]
    invitation.accept_offer()
    assert session.state == "connected" and len(session.streams) == 1
    gone(stage, session)


def test_a_stream_that_fails_while_it_is_proposed(stage: Stage) -> None:
    """SES-094: the proposal is cancelled."""
    session, invitation = started(stage)
    b = stage.stream("b")
    session.add_stream(b)
    b.did_fail("no luck")
    assert stage.calls[-1] == "CANCEL" and session.state == "sending_proposal"
    invitation.refuse_offer(487)
    assert told(stage, session) == [
        ("GotProposal", "local", "b"),
        ("HadProposalFailure", "stream failed: no luck", "b"),
    ]
    gone(stage, session)


def test_cancel_proposal(stage: Stage) -> None:
    """SES-048, SES-049: a CANCEL, and the code 487."""
    session, invitation = started(stage)
    session.add_stream(stage.stream("b"))
    session.cancel_proposal()
    assert session.state == "cancelling_proposal" and stage.calls[-1] == "CANCEL"
    invitation.refuse_offer(487)
    assert told(stage, session) == [
        ("GotProposal", "local", "b"),
        ("GotRejectProposal", 487, "local", "Request Terminated", "b"),
    ]
    assert session.state == "connected"
    gone(stage, session)


@pytest.mark.parametrize("script", [{"initialize_does": "wait"}, {}, {"start_does": "wait"}])
def test_cancel_proposal_too_early_or_too_late(stage: Stage, script: dict[str, str]) -> None:
    """SES-049: before the re-INVITE is sent, or after it was accepted, the outcome is the same."""
    session, invitation = started(stage)
    session.add_stream(stage.stream("b", **script))
    if "start_does" in script:
        invitation.accept_offer()
    session.cancel_proposal()
    if not script:
        invitation.accept_offer()
    assert told(stage, session) == [
        ("GotProposal", "local", "b"),
        ("GotRejectProposal", 487, "local", "Request Terminated", "b"),
    ]
    assert session.state == "connected" and "b.end" in stage.calls
    if "initialize_does" in script:
        assert "re-INVITE" not in stage.calls
    else:
        assert ports(invitation.offer) == [2855, 0]
    gone(stage, session)


@pytest.mark.parametrize(("caller", "least", "most"), [(True, 2.1, 4.0), (False, 0.0, 2.0)])
def test_both_propose_at_once(stage: Stage, caller: bool, least: float, most: float) -> None:
    """SES-043: 491, and another attempt after the delays of RFC 3261 14.1."""
    session, invitation = started(stage)
    session.direction = invitation.direction = "outgoing" if caller else "incoming"
    session.add_stream(stage.stream("b"))
    invitation.refuse_offer(491)
    assert session.state == "sending_proposal" and stage.calls.count("re-INVITE") == 1
    stage.reactor.advance(max(least - 0.01, 0))
    assert stage.calls.count("re-INVITE") == 1 or not caller
    stage.reactor.advance(most - least + 0.02)
    assert stage.calls.count("re-INVITE") == 2
    invitation.accept_offer()
    assert told(stage, session)[1:] == [
        ("GotAcceptProposal", "local", "b", "b"),
        ("DidRenegotiateStreams", "add", "local", "b"),
    ]
    gone(stage, session)


def test_a_proposal_that_can_not_be_sent(stage: Stage) -> None:
    """SES-094: an error of our own."""
    session, invitation = started(stage)
    invitation.error = OSError("no network")
    session.add_stream(stage.stream("b"))
    assert told(stage, session) == [
        ("GotProposal", "local", "b"),
        ("HadProposalFailure", "SIP core error: no network", "b"),
    ]
    invitation.error = None
    gone(stage, session)


def test_a_remote_party_that_hangs_up_on_a_proposal(stage: Stage) -> None:
    """SES-086: the session ends with its proposal."""
    session, invitation = started(stage)
    b = stage.stream("b")
    session.add_stream(b)
    invitation.hang_up()
    assert [name for name, *_ in told(stage, session)] == ["GotProposal", "WillEnd", "DidEnd"]
    assert "b.end" in stage.calls and "a.end" in stage.calls
    gone(stage, session)


def test_add_stream_needs_a_stream_of_its_own(stage: Stage) -> None:
    """SES-042: the stream is in no session yet."""
    session, _ = started(stage)
    with pytest.raises(ValueError, match="session already"):
        session.add_stream(session.streams[0])
    with pytest.raises(TypeError):
        session.add_stream(object())
    assert session.state == "connected"
    b = stage.stream("b", initialize_does="fail")
    session.add_stream(b)
    b.initialize_does = "now"
    session.add_stream(b)
    assert session.state == "sending_proposal"
    gone(stage, session)


# Removal


def test_remove_stream(stage: Stage) -> None:
    """SES-046, SES-095, STR-022: deactivated before the re-INVITE, ended after it is answered; the slot is used again
    (RFC 3264 8.1)."""
    a, b = stage.stream("a"), stage.stream("b")
    session, invitation = started(stage, a, b)
    session.remove_stream(a)
    assert session.streams == [b] and session.state == "connected"
    assert stage.calls == ["a.deactivate", "b.offer", "re-INVITE"]
    assert ports(invitation.offer) == [0, 2855]
    invitation.accept_offer()
    assert stage.calls[3:] == ["b.update", "a.end"]
    assert told(stage, session) == [("DidRenegotiateStreams", "remove", "local", "a")]
    c, d = stage.stream("c"), stage.stream("d")
    session.add_stream(c)
    assert ports(invitation.offer) == [2855, 2855]
    invitation.accept_offer()
    assert c.started_with is not None and c.started_with[2] == 0
    session.add_stream(d)
    assert ports(invitation.offer) == [2855, 2855, 2855]
    gone(stage, session)


@pytest.mark.parametrize("code", [488, 500])
def test_remove_stream_that_the_remote_party_refuses(stage: Stage, code: int) -> None:
    """SES-047: it is gone all the same."""
    a, b = stage.stream("a"), stage.stream("b")
    session, invitation = started(stage, a, b)
    session.remove_stream(a)
    invitation.refuse_offer(code)
    assert session.streams == [b] and stage.calls[-1] == "a.end"
    assert told(stage, session) == [("DidRenegotiateStreams", "remove", "local", "a")]
    gone(stage, session)


def test_remove_stream_that_nobody_answers(stage: Stage) -> None:
    """SES-047: the stream is ended in bounded time."""
    a, b = stage.stream("a"), stage.stream("b")
    session, _ = started(stage, a, b)
    session.remove_stream(a)
    stage.reactor.advance(renegotiation.LEAVE_TIMEOUT)
    assert stage.calls[-1] == "a.end"
    gone(stage, session)


def test_the_last_stream_can_not_be_removed(stage: Stage) -> None:
    """SES-046: that is what end() is for."""
    session, _ = started(stage)
    with pytest.raises(ValueError, match="end the session instead"):
        session.remove_stream(session.streams[0])
    with pytest.raises(ValueError, match="only an active stream"):
        session.remove_stream(stage.stream("b"))
    assert len(session.streams) == 1 and stage.calls == []


def test_a_stream_that_fails_among_others(stage: Stage) -> None:
    """SES-095: it ends alone, and the remote party is told with port 0."""
    a, b = stage.stream("a"), stage.stream("b")
    session, invitation = started(stage, a, b)
    a.did_fail()
    assert told(stage, session) == [("DidRenegotiateStreams", "remove", "local", "a")]
    assert stage.calls[-1] == "re-INVITE" and ports(invitation.offer) == [0, 2855]
    invitation.accept_offer()
    assert session.state == "connected" and session.streams == [b]
    gone(stage, session)


def test_a_stream_that_fails_while_another_is_proposed(stage: Stage) -> None:
    """SES-095: one re-INVITE after the other."""
    a, b = stage.stream("a"), stage.stream("b")
    session, invitation = started(stage, a, b)
    session.add_stream(stage.stream("c"))
    a.did_fail()
    assert stage.calls.count("re-INVITE") == 1
    invitation.accept_offer()
    assert stage.calls.count("re-INVITE") == 2 and ports(invitation.offer) == [0, 2855, 2855]
    gone(stage, session)


# Theirs


def proposed(stage: Stage, **script: Any) -> tuple[Session, ScriptedInvitation]:
    """The remote party proposes the streams x and y."""
    session, invitation = started(stage)
    Offered.script = script
    invitation.propose([line(), line(1), line(2)])
    assert session.state == "received_proposal"
    return session, invitation


def test_accept_proposal_in_part(stage: Stage) -> None:
    """SES-034, SES-035, SES-037, SES-038, SES-070, SES-091, SES-093, SES-095, STR-013: the others are refused."""
    session, invitation = proposed(stage)
    x, y = Offered.made
    assert session.proposed_streams == [x, y] and x.direction == "incoming"
    session.accept_proposal([y])
    assert told(stage, session) == [
        ("GotProposal", "remote", "xy"),
        ("GotAcceptProposal", "remote", "xy", "y"),
        ("DidRenegotiateStreams", "add", "remote", "y"),
    ]
    assert session.state == "connected" and session.streams[1:] == [y] and session.proposed_streams is None
    assert ports(invitation.described[-1]) == [2855, 0, 2855]
    assert "x.start" not in stage.calls and "x.end" in stage.calls
    assert y.started_with is not None and y.started_with[2] == 2
    gone(stage, session)


def test_accept_proposal_waits_for_the_streams(stage: Stage) -> None:
    """SES-035: nothing is answered before they are ready, nothing told before they run."""
    session, _ = proposed(stage, initialize_does="wait", start_does="wait")
    x, y = Offered.made
    session.accept_proposal([x, y])
    x.did_initialize()
    assert session.state == "accepting_proposal" and "200" not in stage.calls
    y.did_initialize()
    assert stage.calls.count("200") == 1
    x.did_start()
    assert len(session.streams) == 1 and told(stage, session) == [("GotProposal", "remote", "xy")]
    y.did_start()
    assert session.streams[1:] == [x, y]
    gone(stage, session)


def test_accept_proposal_of_streams_that_wait_for_acceptance(stage: Stage) -> None:
    """`waits_for_acceptance`: the accepted one is initialized then, the other never."""
    session, invitation = proposed(stage, waits_for_acceptance=True)
    _, y = Offered.made
    assert not any(done.endswith("initialize") for done in stage.calls)
    session.accept_proposal([y])
    assert session.streams[1:] == [y] and ports(invitation.described[-1]) == [2855, 0, 2855]
    assert "y.initialize" in stage.calls and not any(done.startswith("x.") for done in stage.calls)
    gone(stage, session)


def test_accept_proposal_of_streams_that_can_not_be_initialized(stage: Stage) -> None:
    """SES-036, SES-094: a rejection is sent."""
    session, invitation = proposed(stage, initialize_does="wait")
    x = Offered.made[0]
    session.accept_proposal([x])
    x.did_fail("no port")
    assert invitation.responses[-1][0] == 488
    assert told(stage, session) == [
        ("GotProposal", "remote", "xy"),
        ("HadProposalFailure", "stream failed: no port", "xy"),
    ]
    assert session.state == "connected" and "y.end" in stage.calls
    gone(stage, session)


def test_accept_proposal_of_streams_that_can_not_start(stage: Stage) -> None:
    """SES-036, SES-094: the 200 was sent, so port 0 in a re-INVITE says it."""
    session, invitation = proposed(stage, start_does="fail")
    session.accept_proposal(Offered.made)
    assert told(stage, session) == [
        ("GotProposal", "remote", "xy"),
        ("HadProposalFailure", "stream failed: start failed", "xy"),
    ]
    assert ports(invitation.offer) == [2855, 0, 2855]  # the other one had not failed yet
    invitation.accept_offer()
    assert stage.calls.count("re-INVITE") == 2 and ports(invitation.offer) == [2855, 0, 0]
    gone(stage, session)


def test_accept_proposal_takes_only_what_is_proposed(stage: Stage) -> None:
    """SES-038: a subset."""
    session, _ = proposed(stage)
    with pytest.raises(ValueError, match="were proposed"):
        session.accept_proposal([stage.stream("b")])
    assert session.state == "received_proposal"


@pytest.mark.parametrize(("arguments", "code", "reason"), [((), 488, "Not Acceptable Here"), ((603, "No"), 603, "No")])
def test_reject_proposal(stage: Stage, arguments: tuple[Any, ...], code: int, reason: str) -> None:
    """SES-039, SES-040, SES-041, SES-092: the streams are ended, the session goes on."""
    session, invitation = proposed(stage)
    session.reject_proposal(*arguments)
    assert invitation.responses[-1][:2] == (code, reason)
    assert told(stage, session) == [
        ("GotProposal", "remote", "xy"),
        ("GotRejectProposal", code, "remote", reason, "xy"),
    ]
    assert session.state == "connected" and session.proposed_streams is None
    assert {"x.end", "y.end"} <= set(stage.calls)
    processed = stage.recorder.assert_one("SIPSessionDidProcessTransaction", session).data
    assert (processed.originator, processed.code) == ("remote", code)
    gone(stage, session)


@pytest.mark.parametrize("accepting", [False, True])
def test_a_proposal_that_the_remote_party_cancels(stage: Stage, accepting: bool) -> None:
    """SES-092: 487, of the remote party's proposal."""
    session, invitation = proposed(stage, initialize_does="wait")
    if accepting:
        session.accept_proposal(Offered.made)
    invitation.cancel_offer()
    assert told(stage, session) == [
        ("GotProposal", "remote", "xy"),
        ("GotRejectProposal", 487, "remote", "Request Terminated", "xy"),
    ]
    assert session.state == "connected"
    with pytest.raises(IllegalStateError):
        session.reject_proposal()
    gone(stage, session)


def test_all_proposed_streams_fail_while_the_application_is_asked(stage: Stage) -> None:
    """SES-094: the remote party gets 488."""
    session, invitation = proposed(stage, initialize_does="wait")
    for stream in list(Offered.made):
        stream.did_fail("no port")
    assert invitation.responses[-1][0] == 488 and session.state == "connected"
    assert told(stage, session)[1:] == [("HadProposalFailure", "stream failed: no port", "xy")]
    gone(stage, session)


def test_the_ack_of_an_accepted_proposal_withdraws_nothing(stage: Stage) -> None:
    """SES-035: the proposal may be told to be settled by the ACK, while the streams start."""
    session, invitation = proposed(stage, start_does="wait")
    session.accept_proposal(Offered.made)
    invitation._change("connected", "remote", "received_proposal", method="ACK")
    assert session.state == "accepting_proposal"
    for stream in list(Offered.made):
        stream.did_start()
    assert [name for name, *_ in told(stage, session)][1:] == ["GotAcceptProposal", "DidRenegotiateStreams"]
    gone(stage, session)


def test_a_proposal_of_unknown_media(stage: Stage) -> None:
    """SES-091: 488 with a Warning; the session remains as it was."""
    session, invitation = started(stage)
    invitation.propose([line(), line(media="hologram")])
    code, _, headers = invitation.responses[-1]
    assert code == 488 and headers[0].name == "Warning"
    assert told(stage, session) == [] and session.state == "connected"
    gone(stage, session)


def test_a_proposal_while_ours_is_prepared(stage: Stage) -> None:
    """SES-091: 491, and ours goes on."""
    session, invitation = started(stage)
    b = stage.stream("b", initialize_does="wait")
    session.add_stream(b)
    invitation.propose([line(), line(1)])
    assert invitation.responses[-1][0] == 491
    b.did_initialize()
    assert stage.calls[-1] == "re-INVITE"
    gone(stage, session)


def test_a_proposal_between_two_attempts_of_ours(stage: Stage) -> None:
    """SES-043, SES-091: both have met, theirs comes first and is dealt with first, then ours goes on."""
    session, invitation = started(stage)
    b = stage.stream("b")
    session.add_stream(b)
    invitation.refuse_offer(491)
    invitation.propose([line(), line(1)])
    assert session.state == "received_proposal" and session.proposed_streams == Offered.made
    session.accept_proposal(Offered.made)
    assert session.state == "sending_proposal" and session.proposed_streams == [b]
    stage.reactor.advance(5)
    assert ports(invitation.offer) == [2855, 2855, 2855]
    invitation.accept_offer()
    assert told(stage, session) == [
        ("GotProposal", "local", "b"),
        ("GotProposal", "remote", "x"),
        ("GotAcceptProposal", "remote", "x", "x"),
        ("DidRenegotiateStreams", "add", "remote", "x"),
        ("GotAcceptProposal", "local", "b", "b"),
        ("DidRenegotiateStreams", "add", "local", "b"),
    ]
    assert session.state == "connected" and len(session.streams) == 3
    gone(stage, session)


def test_an_update_can_not_wait_for_the_application(stage: Stage) -> None:
    """SES-091: RFC 3311 5.2, 504."""
    session, invitation = started(stage)
    invitation.propose([line(), line(1)], method="UPDATE")
    assert invitation.responses[-1][0] == 504 and session.state == "connected"
    gone(stage, session)


# Offers that propose nothing


def test_a_refresh(stage: Stage) -> None:
    """STR-016, STR-019: a re-INVITE without change is answered with what is there, in the same version."""
    session, invitation = started(stage)
    invitation.propose(invitation.remote.media)
    assert stage.calls == ["a.answer", "200", "a.update"]
    assert invitation.described[-1] == invitation.described[-2]
    assert told(stage, session) == []
    gone(stage, session)


def test_a_refresh_without_offer(stage: Stage) -> None:
    """STR-019: it is answered with our offer (RFC 3261 14.2), the answer to which comes in the ACK."""
    session, invitation = started(stage)
    invitation.propose(None)
    assert stage.calls == ["a.offer", "200"] and ports(invitation.offer) == [2855]
    invitation.answer_offer()
    assert stage.calls[-1] == "a.update"
    gone(stage, session)


@pytest.mark.parametrize("acceptable", [True, False])
def test_an_offer_that_changes_a_stream(stage: Stage, acceptable: bool) -> None:
    """STR-016, STR-017, STR-018, STR-019: the stream is asked before anything changes; one that does not want refuses
    the offer."""
    session, invitation = started(stage, stage.stream("a", acceptable=acceptable), stage.stream("b"))
    changed = SDPMediaStream.new(line())
    changed.attributes.append(SDPAttribute("label", "1"))
    invitation.propose([changed, line()])
    assert stage.calls[0] == "a.validate_update" and "b.validate_update" not in stage.calls
    if acceptable:
        assert stage.calls[1:] == ["a.answer", "b.answer", "200", "a.update", "b.update"]
    else:
        assert stage.calls[1:] == ["488"] and invitation.responses[-1][2][0].name == "Warning"
    assert told(stage, session) == []
    gone(stage, session)


def test_the_remote_party_removes_a_stream(stage: Stage) -> None:
    """SES-095, STR-022: port 0 in its offer ends the stream here."""
    a, b = stage.stream("a"), stage.stream("b")
    session, invitation = started(stage, a, b)
    invitation.propose([line(0), line()])
    assert told(stage, session) == [("DidRenegotiateStreams", "remove", "remote", "a")]
    assert session.streams == [b] and ports(invitation.described[-1]) == [0, 2855]
    assert stage.calls == ["b.answer", "200", "b.update", "a.deactivate", "a.end"]
    invitation.propose([line(1), line()])
    assert session.state == "received_proposal" and session.proposed_streams == Offered.made
    gone(stage, session)


def test_the_remote_party_removes_all_streams(stage: Stage) -> None:
    """SES-086: a session without streams is over."""
    session, invitation = started(stage)
    invitation.propose([line(0)])
    assert [name for name, *_ in told(stage, session)] == ["WillEnd", "DidEnd"]
    data = stage.recorder.assert_one("SIPSessionDidEnd", session).data
    assert (data.originator, data.end_reason) == ("remote", "the remote party removed all streams")
    gone(stage, session)


def test_an_offer_that_comes_before_our_streams_have_started(stage: Stage) -> None:
    """SES-091: it is looked at as soon as the session runs."""
    a = stage.stream("a", start_does="wait")
    session = Session(stage.account)
    session.connect(BOB, [Route("10.0.0.2")], [a])
    invitation = stage.invitations[-1]
    invitation.accept()
    invitation.propose([line(), line(1)])
    assert session.state == "outgoing"
    a.did_start()
    assert session.state == "received_proposal"
    assert [name for name, *_ in told(stage, session)][-2:] == ["DidStart", "GotProposal"]
    gone(stage, session)
