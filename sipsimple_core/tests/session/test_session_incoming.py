"""Being called, step by step, by a scripted remote party."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from sipsimple.core import SDPMediaStream
from sipsimple.session import IllegalStateError, Session, SessionManager, media
from sipsimple.testing.scripted import ScriptedInvitation, ScriptedStream, Stage

MESSAGE = SDPMediaStream("message", 2855, "TCP/MSRP", formats=["*"])
AUDIO = SDPMediaStream("audio", 5004, "RTP/AVP", formats=["0", "8"])


@pytest.fixture
def stage() -> Iterator[Stage]:
    with Stage().set() as stage:
        yield stage


class Call:
    """An incoming session with the streams `streams` (default: one), by media line from the first on."""

    def __init__(self, stage: Stage, *streams: ScriptedStream, headers: dict[str, str] | None = None) -> None:
        self.stage = stage
        self.streams = list(streams) or [stage.stream()]
        self.invitation = ScriptedInvitation(stage)
        self.invitation.arrive([MESSAGE] * len(self.streams), headers)
        self.session = Session(stage.account)
        self.session._receive(self.invitation, dict(enumerate(self.streams)))

    @property
    def sent(self) -> list[str]:
        return self.stage.sent(self.session)

    @property
    def failure(self) -> tuple[Any, ...]:
        data = self.stage.recorder.assert_one("SIPSessionDidFail", self.session).data
        return data.originator, data.code, data.reason, data.failure_reason

    @property
    def transactions(self) -> list[tuple[Any, ...]]:
        return [
            (n.data.originator, n.data.method, n.data.code, vars(n.data).get("ack_received"))
            for n in self.stage.recorder.find_all("SIPSessionDidProcessTransaction", self.session)
        ]


def test_a_new_incoming_session(stage: Stage) -> None:
    """SES-061, SES-062, SES-067, SES-068, SES-069, SES-070, SES-071, SES-072, SES-076, STR-010, STR-012: what the
    application is asked about."""
    call = Call(stage, headers={"Subject": "Lunch"})
    call.invitation.remote_user_agent = "bob 1.0"
    session = call.session
    assert call.sent == ["NewIncoming"]
    data = stage.recorder.assert_one("SIPSessionNewIncoming", session).data
    assert data.streams == call.streams == session.proposed_streams
    assert (session.state, session.direction, session.transport) == ("incoming", "incoming", "udp")
    assert session.account is stage.account
    assert session.subject == "Lunch"
    assert session.remote_identity is not None and session.remote_identity.display_name == "Bob"
    assert session.local_identity is not None and session.local_identity.uri.user == "alice"
    assert session.streams == []
    assert (call.streams[0].session, call.streams[0].direction) == (session, "incoming")
    assert SessionManager().sessions == [session]
    assert stage.calls == ["a.initialize"], "nothing was sent yet"


def test_accept(stage: Stage) -> None:
    """SES-025, SES-026, SES-027, SES-080, SES-081, STR-013: 200 with the answer, streams, ACK."""
    call = Call(stage)
    call.session.accept(call.streams)
    assert stage.calls == ["a.initialize", "a.answer", "200", "a.start"]
    assert call.session.state == "accepting"
    assert call.sent == ["NewIncoming", "WillStart"]
    call.invitation.acknowledge()
    assert call.session.state == "connected"
    assert call.sent == ["NewIncoming", "WillStart", "DidProcessTransaction", "DidStart"]
    assert call.transactions == [("remote", "INVITE", 200, True)]
    assert call.session.streams == call.streams
    assert call.invitation.contact_header.uri.user == "contact"
    answer = call.invitation.answer
    assert (answer.address, [line.port for line in answer.media]) == ("10.0.0.1", [2855])
    call.session.end()
    assert call.sent[-3:] == ["WillEnd", "DidProcessTransaction", "DidEnd"]


def test_accept_some_of_the_streams(stage: Stage) -> None:
    """SES-028, STR-025: the others are refused with port 0 in their place, and ended."""
    streams = [stage.stream(name) for name in "abc"]
    call = Call(stage, *streams)
    call.session.accept([streams[2], streams[1]])
    assert call.session.proposed_streams == [streams[2], streams[1]]
    call.invitation.acknowledge()
    assert [line.port for line in call.invitation.answer.media] == [0, 2855, 2855]
    assert call.session.streams == streams[1:]
    assert "a.end" in stage.calls and "a.start" not in stage.calls and "a.answer" not in stage.calls
    assert streams[2].started_with is not None and streams[2].started_with[2] == 2


def test_the_answer_keeps_the_offers_lines(stage: Stage) -> None:
    """SES-028: media lines that nobody takes get port 0, their transport and formats (RFC 3264 6)."""
    invitation = ScriptedInvitation(stage)
    invitation.arrive([AUDIO, MESSAGE, SDPMediaStream("video", 5006, "RTP/AVP", formats=["31"])])
    session = Session(stage.account)
    stream = stage.stream()
    session._receive(invitation, {1: stream})
    session.accept([stream])
    lines = [(line.media, line.port, line.transport, list(line.formats)) for line in invitation.answer.media]
    assert lines == [
        ('audio', 0, 'RTP/AVP', ['0', '8']), ('message', 2855, 'TCP/MSRP', ['*']), ('video', 0, 'RTP/AVP', ['31']),
    ]  # fmt: skip


def test_accept_waits_for_the_streams(stage: Stage) -> None:
    """STR-011: the answer waits for those that are accepted, not for the others."""
    streams = [stage.stream("a", initialize_does="wait"), stage.stream("b", initialize_does="wait")]
    call = Call(stage, *streams)
    call.session.accept(streams[:1])
    assert "200" not in stage.calls
    streams[0].did_initialize()
    assert "200" in stage.calls


def test_a_stream_that_waits_for_acceptance(stage: Stage) -> None:
    """`waits_for_acceptance`: nothing is done with it while the application is asked; refused, it is never touched."""
    streams = [stage.stream(name, waits_for_acceptance=True, initialize_does="wait") for name in "ab"]
    call = Call(stage, *streams)
    stage.reactor.advance(media.INITIALIZE_TIMEOUT)
    assert stage.calls == []
    call.session.accept(streams[:1])
    assert stage.calls == ["a.initialize"]
    assert (streams[0].session, streams[0].direction) == (call.session, "incoming")
    streams[0].did_initialize()
    call.invitation.acknowledge()
    assert (call.session.state, call.session.streams) == ("connected", streams[:1])
    assert not any(done.startswith("b.") for done in stage.calls)


def test_a_stream_that_waits_outlives_another_that_fails(stage: Stage) -> None:
    """The session is refused only when no stream is left that may come."""
    waiting, other = stage.stream("a", waits_for_acceptance=True), stage.stream("b", initialize_does="fail")
    call = Call(stage, waiting, other)
    assert call.session.state == "incoming"
    call.session.accept([waiting])
    assert "200" in stage.calls


@pytest.mark.parametrize("script", [{}, {"waits_for_acceptance": True}])
def test_a_stream_that_needs_time_to_initialize(stage: Stage, script: dict[str, Any]) -> None:
    """`initialize_timeout` of the stream counts; it begins with initialize()."""
    stream = stage.stream(initialize_does="wait", initialize_timeout=100.0, **script)
    call = Call(stage, stream)
    call.session.accept([stream])
    stage.reactor.advance(99)
    assert call.session.state == "accepting"
    stage.reactor.advance(1)
    assert call.failure == ("local", 488, "Not Acceptable Here", "stream failed: timed out while initializing")


def test_the_stream_is_started_before_or_after_the_ack(stage: Stage) -> None:
    """SES-081: DidStart wants both."""
    call = Call(stage, stage.stream(start_does="wait"))
    call.session.accept(call.streams)
    call.invitation.acknowledge()
    assert call.session.state == "accepting"
    call.streams[0].did_start()
    assert call.session.state == "connected"


@pytest.mark.parametrize("how", ["fail", "raise", "wait"])
def test_no_stream_can_be_initialized(stage: Stage, how: str) -> None:
    """SES-082, STR-025: 488 with a Warning, without waiting for the application."""
    call = Call(stage, stage.stream(initialize_does=how))
    if how == "wait":
        stage.reactor.advance(media.INITIALIZE_TIMEOUT)
    assert call.sent == ["NewIncoming", "DidProcessTransaction", "DidFail"]
    assert call.failure[:3] == ("local", 488, "Not Acceptable Here")
    code, _, headers = call.invitation.responses[-1]
    assert code == 488 and headers[0].name == "Warning" and headers[0].body.startswith("304 ")
    assert "a.end" in stage.calls
    with pytest.raises(IllegalStateError):
        call.session.accept(call.streams)


def test_accepted_streams_that_fail(stage: Stage) -> None:
    """SES-027, SES-082: 488 when none of the accepted ones can be had, whatever the others do."""
    streams = [stage.stream("a", initialize_does="wait"), stage.stream("b")]
    call = Call(stage, *streams)
    call.session.accept(streams[:1])
    streams[0].did_fail()
    assert call.failure == ("local", 488, "Not Acceptable Here", "stream failed: connection lost")
    assert call.invitation.responses[-1][0] == 488
    assert stage.calls.count("a.end") == stage.calls.count("b.end") == 1


@pytest.mark.parametrize("others", [0, 1])
def test_an_accepted_stream_without_an_answer(stage: Stage, others: int) -> None:
    """STR-009, STR-025: get_local_media() that raises."""
    call = Call(stage, stage.stream("a", media=None), *(stage.stream("b") for _ in range(others)))
    call.session.accept(call.streams)
    if others:
        assert [line.port for line in call.invitation.answer.media] == [0, 2855]
        call.invitation.acknowledge()
        assert call.session.streams == call.streams[1:]
    else:
        assert call.failure[1] == 488
    assert stage.calls.count("a.end") == 1


def test_a_stream_that_failed_before_it_is_accepted(stage: Stage) -> None:
    """SES-028: it was proposed, so accepting it is no error; it is left out."""
    streams = [stage.stream("a"), stage.stream("b")]
    call = Call(stage, *streams)
    streams[0].did_fail()
    call.session.accept(streams)
    call.invitation.acknowledge()
    assert call.session.streams == streams[1:]


def test_an_accepted_stream_that_does_not_start(stage: Stage) -> None:
    """SES-027, STR-014: BYE, as the INVITE was accepted already."""
    call = Call(stage, stage.stream(start_does="fail"))
    call.session.accept(call.streams)
    assert call.failure == ("local", 488, "Not Acceptable Here", "stream failed: start failed")
    assert "BYE" in stage.calls
    stage.recorder.assert_none("SIPSessionDidStart")


def test_missing_ack(stage: Stage) -> None:
    """SES-082, SES-084, SES-098: the 200 is never acknowledged (RFC 3261 13.3.1.4)."""
    call = Call(stage)
    call.session.accept(call.streams)
    call.invitation.miss_ack()
    assert call.failure == ("local", 408, "Request Timeout", "missing ACK")
    assert call.sent == ["NewIncoming", "WillStart", "DidProcessTransaction", "DidProcessTransaction", "DidFail"]
    assert call.transactions == [("remote", "INVITE", 200, False), ("local", "BYE", 200, None)]
    assert stage.calls[-1] == "a.end"


def test_ring(stage: Stage) -> None:
    """SES-024: 180, as often as it is asked for."""
    call = Call(stage)
    call.session.send_ring_indication()
    call.session.send_ring_indication()
    assert [code for code, _, _ in call.invitation.responses] == [180, 180]
    assert call.session.state == "incoming"
    call.session.accept(call.streams)
    call.invitation.acknowledge()
    assert call.session.state == "connected"
    with pytest.raises(IllegalStateError):
        call.session.send_ring_indication()


@pytest.mark.parametrize(
    ("arguments", "code", "reason"),
    [((), 603, "Decline"), ((486,), 486, "Busy Here"), ((486, "In a meeting"), 486, "In a meeting")],
)
def test_reject(stage: Stage, arguments: tuple[Any, ...], code: int, reason: str) -> None:
    """SES-029, SES-030, SES-031, SES-032, SES-033, SES-084: the code and the reason, by default the RFC's."""
    call = Call(stage)
    states: list[str | None] = []

    class Application:
        def handle_notification(self, notification: Any) -> None:
            states.append(call.session.state)

    application = Application()
    stage.recorder.center.add_observer(application, name="SIPInvitationChangedState", sender=call.invitation)
    call.session.reject(*arguments)
    assert call.invitation.responses == [(code, reason, [])]
    assert states == ["terminating"]
    assert call.session.state == "terminated"
    assert call.sent == ["NewIncoming", "DidProcessTransaction", "DidFail"]
    assert call.failure == ("local", code, reason, "user_request")
    assert call.transactions == [("remote", "INVITE", code, "unknown")]
    assert stage.calls == ["a.initialize", str(code), "a.end"]


@pytest.mark.parametrize("ringing", [False, True])
def test_end_before_it_is_answered(stage: Stage, ringing: bool) -> None:
    """SES-054: 480, and a failure with 487 by the local party."""
    call = Call(stage)
    if ringing:
        call.session.send_ring_indication()
    call.session.end()
    assert call.invitation.responses[-1][0] == 480
    assert call.failure == ("local", 487, "Request Terminated", "user_request")
    stage.recorder.assert_none("SIPSessionWillEnd")


def test_end_after_accept(stage: Stage) -> None:
    """SES-054: before the answer is out it is 480 still; afterwards the invitation ends as it may."""
    waiting = Call(stage, stage.stream(initialize_does="wait"))
    waiting.session.accept(waiting.streams)
    waiting.session.end()
    assert waiting.invitation.responses[-1][0] == 480
    assert waiting.failure[:2] == ("local", 487)
    stage.calls.clear()
    answered = Call(stage)
    answered.session.accept(answered.streams)
    answered.session.end()
    assert "BYE" in stage.calls
    assert answered.failure[:2] == ("local", 487)
    assert answered.transactions[0] == ("remote", "INVITE", 200, "unknown")


@pytest.mark.parametrize("when", ["incoming", "ringing", "accepting"])
def test_the_remote_party_cancels(stage: Stage, when: str) -> None:
    """SES-082, SES-084: CANCEL before the answer."""
    call = Call(stage, stage.stream(initialize_does="wait"))
    if when == "ringing":
        call.session.send_ring_indication()
    elif when == "accepting":
        call.session.accept(call.streams)
    call.invitation.cancel()
    assert call.failure == ("remote", 487, "Request Terminated", "user_request")
    assert call.sent == ["NewIncoming", "DidProcessTransaction", "DidProcessTransaction", "DidFail"]
    assert call.transactions == [("remote", "CANCEL", 200, None), ("remote", "INVITE", 487, "unknown")]
    assert stage.calls[-1] == "a.end"
    assert "200" not in stage.calls


def test_the_remote_party_hangs_up_before_its_ack(stage: Stage) -> None:
    """SES-082: BYE after the 200, before the start."""
    call = Call(stage)
    call.session.accept(call.streams)
    call.invitation.hang_up()
    assert call.failure[:2] == ("remote", 487)


@pytest.mark.parametrize("method", ["accept", "reject", "end", "send_ring_indication"])
def test_an_answer_that_crosses_the_cancel(stage: Stage, method: str, caplog: pytest.LogCaptureFixture) -> None:
    """SES-025, SES-030: the application answers in the instant in which the caller gives up; nothing raises later."""
    from threading import Thread

    call = Call(stage)
    arguments = [call.streams] if method == "accept" else []
    thread = Thread(target=getattr(call.session, method), args=arguments)
    thread.start()
    thread.join()
    call.invitation.cancel()
    stage.reactor.advance(0)
    originator, code, _, _ = call.failure
    expected = {"accept": ("remote", 487), "reject": ("local", 603), "end": ("local", 487)}
    assert (originator, code) == expected.get(method, ("remote", 487))
    assert call.invitation.responses == []
    assert [name for name in call.sent if name == "DidProcessTransaction"] == ["DidProcessTransaction"] * 2
    assert caplog.text == ""
    assert call.session.state == "terminated"


def test_a_response_that_can_not_be_sent(stage: Stage) -> None:
    """SES-027: the session fails, and says so."""
    call = Call(stage)
    call.invitation.error = RuntimeError("broken")
    call.session.accept(call.streams)
    assert call.failure[:2] == ("local", 500)
    assert call.failure[3] == "SIP core error: broken"


def test_bad_arguments(stage: Stage) -> None:
    """SES-028, SES-032, SES-033: raised at once; the session is asked about still."""
    call = Call(stage)
    for streams, wrong in [([], ValueError), ([stage.stream("b")], ValueError), ([None], TypeError)]:
        with pytest.raises(wrong):
            call.session.accept(streams)
    for arguments, wrong in [
        ((200,), ValueError), ((700,), ValueError), (('486',), TypeError), ((True,), TypeError),
        ((486, b'Busy'), TypeError), ((486, 'Busy\r\nX: y'), ValueError),
        ((486, '\udc80'), ValueError),
    ]:  # fmt: skip
        with pytest.raises(wrong):
            call.session.reject(*arguments)
    assert call.session.state == "incoming" and call.invitation.responses == []


def test_answers_from_inside_the_observer(stage: Stage) -> None:
    """SES-026: the usual way, in the observer of SIPSessionNewIncoming."""

    class Application:
        def handle_notification(self, notification: Any) -> None:
            notification.sender.send_ring_indication()
            notification.sender.accept(notification.data.streams)

    application = Application()
    stage.recorder.center.add_observer(application, name="SIPSessionNewIncoming")
    call = Call(stage)
    assert [code for code, _, _ in call.invitation.responses] == [180, 200]
    call.invitation.acknowledge()
    assert call.session.state == "connected"


def test_rejected_from_inside_the_observer(stage: Stage) -> None:
    """SES-026, STR-025: no stream is initialized for a session that is refused at once."""

    class Application:
        def handle_notification(self, notification: Any) -> None:
            notification.sender.reject(486)

    application = Application()
    stage.recorder.center.add_observer(application, name="SIPSessionNewIncoming")
    call = Call(stage)
    assert call.failure[:2] == ("local", 486)
    assert stage.calls == ["486"]
    assert stage.reactor.getDelayedCalls() == []
