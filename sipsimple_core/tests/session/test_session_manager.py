"""The session manager: whose call it is, what of it can be had, and what is refused."""

from __future__ import annotations

from collections.abc import Iterator
from inspect import signature
from types import SimpleNamespace
from typing import Any

import pytest

from sipsimple.core import SIPURI, SDPMediaStream, ToHeader
from sipsimple.notification import NotificationCenter
from sipsimple.session import IllegalStateError, Session, SessionManager, ending, manager, media, offered
from sipsimple.testing.scripted import ScriptedAccount, ScriptedInvitation, ScriptedStream, Stage
from sipsimple.util import Route

MESSAGE = SDPMediaStream("message", 2855, "TCP/MSRP", formats=["*"])
AUDIO = SDPMediaStream("audio", 5004, "RTP/AVP", formats=["0"])


class Accounts:
    """An account manager that keeps what it was asked, and answers with `account`."""

    def __init__(self, account: Any) -> None:
        self.account = account
        self.asked: list[tuple[Any, Any]] = []

    def find_account_for_request(self, request_uri: Any, to_uri: Any) -> Any:
        self.asked.append((request_uri, to_uri))
        return self.account


class Other(ScriptedStream):
    type = "other"


class Greedy(ScriptedStream):
    """Takes everything."""

    @classmethod
    def new_from_sdp(cls, account: Any, remote_sdp: Any, stream_index: int) -> ScriptedStream | None:
        return cls(account)


class Broken(ScriptedStream):
    @classmethod
    def new_from_sdp(cls, account: Any, remote_sdp: Any, stream_index: int) -> ScriptedStream | None:
        raise RuntimeError("a stream class with a bug")


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    with Stage().set() as stage:
        accounts = Accounts(stage.account)
        stage.accounts = accounts  # type: ignore[attr-defined]
        monkeypatch.setattr(manager, "AccountManager", lambda: accounts)
        classes(monkeypatch, ScriptedStream)
        SessionManager().start()
        yield stage


def classes(monkeypatch: pytest.MonkeyPatch, *stream_classes: type[ScriptedStream]) -> None:
    monkeypatch.setattr(offered, "MediaStreamRegistry", lambda: stream_classes)


def arrive(stage: Stage, *lines: SDPMediaStream, **arguments: Any) -> ScriptedInvitation:
    invitation = ScriptedInvitation(stage)
    invitation.arrive(lines or [MESSAGE], **arguments)
    return invitation


def warning(invitation: ScriptedInvitation) -> str:
    header = invitation.responses[-1][2][0]
    assert header.name == "Warning"
    return str(header.body)


def test_an_incoming_session(stage: Stage) -> None:
    """SES-001, SES-004, SES-007, SES-076, STR-005, STR-007, STR-038: an INVITE becomes a session."""
    invitation = arrive(stage, AUDIO, MESSAGE)
    notification = stage.recorder.assert_one("SIPSessionNewIncoming")
    session = notification.sender
    assert SessionManager().sessions == [session]
    assert session.account is stage.account
    assert [type(stream) for stream in notification.data.streams] == [ScriptedStream]
    session.accept(notification.data.streams)
    assert [line.port for line in invitation.answer.media] == [0, 2855]


def test_a_line_with_port_0_is_not_wanted(stage: Stage) -> None:
    """STR-007: nobody is asked about it (RFC 3264 5.1)."""
    refused = SDPMediaStream("message", 0, "TCP/MSRP", formats=["*"])
    arrive(stage, refused, MESSAGE)
    assert len(stage.recorder.assert_one("SIPSessionNewIncoming").data.streams) == 1
    assert arrive(stage, refused).responses[-1][0] == 488


def test_stream_classes_are_asked_in_the_registrys_order(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """STR-027, STR-038: the first that takes the line has it."""
    classes(monkeypatch, Other, Greedy)
    arrive(stage, MESSAGE, AUDIO)
    streams = stage.recorder.assert_one("SIPSessionNewIncoming").data.streams
    assert [type(stream) for stream in streams] == [Other, Greedy]


def test_a_stream_class_that_raises_is_passed_over(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """STR-007: a broken plugin costs its own streams only, and is logged."""
    classes(monkeypatch, Broken, ScriptedStream)
    arrive(stage)
    assert len(stage.recorder.assert_one("SIPSessionNewIncoming").data.streams) == 1
    assert "Broken.new_from_sdp() raised" in caplog.text


def test_a_stream_class_that_makes_no_streams_is_passed_over(
    stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """STR-004, STR-007: what it returns has to provide IMediaStream, and to be a stream of its own."""
    only = stage.stream()

    class Wrong(ScriptedStream):
        @classmethod
        def new_from_sdp(cls, account: Any, remote_sdp: Any, stream_index: int) -> Any:
            return object()

    class Same(ScriptedStream):
        @classmethod
        def new_from_sdp(cls, account: Any, remote_sdp: Any, stream_index: int) -> Any:
            return only

    classes(monkeypatch, Wrong, Same, ScriptedStream)
    arrive(stage, MESSAGE, MESSAGE)
    streams = stage.recorder.assert_one("SIPSessionNewIncoming").data.streams
    assert streams[0] is only and type(streams[1]) is ScriptedStream
    assert "Wrong.new_from_sdp() returned what is no new stream" in caplog.text
    assert "Same.new_from_sdp() returned what is no new stream" in caplog.text


def test_no_media_that_is_known(stage: Stage) -> None:
    """SES-007: 488 with a Warning, and no session."""
    invitation = arrive(stage, AUDIO)
    assert invitation.responses[-1][0] == 488 and warning(invitation).startswith("304 ")
    assert SessionManager().sessions == [] and stage.recorder.names() == ["SIPInvitationChangedState"] * 2


def test_an_offer_without_media(stage: Stage) -> None:
    """SES-007: nothing to talk about."""
    invitation = ScriptedInvitation(stage)
    invitation.arrive([])
    assert invitation.responses[-1][0] == 488


def test_no_offer(stage: Stage) -> None:
    """SES-007: a body that is no SDP is 400; without a body the callee offers (RFC 3261 13.2.1)."""
    invitation = ScriptedInvitation(stage)
    invitation.arrive(None, body=b"rubbish")
    assert invitation.responses[-1][0] == 400 and warning(invitation).startswith("399 ")
    invitation = ScriptedInvitation(stage)
    invitation.arrive(None, body=b"")
    notification = stage.recorder.assert_one("SIPSessionNewIncoming")
    assert [stream.type for stream in notification.data.streams] == [ScriptedStream.type]


def test_a_huge_offer(stage: Stage) -> None:
    """STR-038: lines beyond a bound are refused unseen."""
    invitation = arrive(stage, *[MESSAGE] * 40)
    notification = stage.recorder.assert_one("SIPSessionNewIncoming")
    assert len(notification.data.streams) == manager.MAX_STREAMS
    notification.sender.accept(notification.data.streams)
    ports = [line.port for line in invitation.answer.media]
    assert len(ports) == 40 and ports.count(0) == 40 - manager.MAX_STREAMS


# Whose call it is


def test_the_account_manager_says_whose_call_it_is(stage: Stage) -> None:
    """SES-060: by the Request-URI and by To."""
    accounts: Any = stage.accounts  # type: ignore[attr-defined]
    accounts.account = work = ScriptedAccount("work@example.org")
    invitation = arrive(stage, to="sip:work@example.org")
    assert stage.recorder.assert_one("SIPSessionNewIncoming").sender.account is work
    assert accounts.asked == [(invitation.request_uri, invitation.to_header.uri)]


def test_a_call_for_nobody_gets_404(stage: Stage) -> None:
    """SES-007: neither an account nor a default account wants it."""
    accounts: Any = stage.accounts  # type: ignore[attr-defined]
    accounts.account = None
    assert arrive(stage).responses == [(404, None, [])]


# Bounds and faults


def test_too_many_sessions(stage: Stage) -> None:
    """SES-007: 486 above the number that is allowed; a session that ends makes room."""
    sessions = SessionManager()
    sessions.max_sessions = 2
    first = arrive(stage)
    arrive(stage)
    assert arrive(stage).responses == [(486, None, [])]
    first.cancel()
    assert arrive(stage).responses == []
    assert len(sessions.sessions) == 2


def test_an_error_of_our_own(stage: Stage, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    """SES-007: the caller gets 500 and the log gets the rest."""
    monkeypatch.setattr(manager, "AccountManager", lambda: 1 / 0)
    assert arrive(stage).responses == [(500, None, [])]
    assert "could not be handled" in caplog.text


def test_steps_of_other_invitations_are_no_business_of_the_managers(stage: Stage) -> None:
    """SES-007: only the first step of an incoming one is."""
    arrive(stage)
    stage.recorder.clear()
    outgoing = ScriptedInvitation(stage)
    outgoing.direction = "outgoing"
    outgoing.ring()
    outgoing.refuse(486)
    assert stage.recorder.names() == ["SIPInvitationChangedState"] * 2


def test_it_is_made_without_arguments() -> None:
    """SES-001, SES-002: and it is the same one each time."""
    assert SessionManager() is SessionManager()
    assert list(signature(SessionManager.__init__).parameters) == ["self"]


# Starting and stopping


def test_a_manager_that_was_not_started(stage: Stage) -> None:
    """SES-005: no incoming sessions before start()."""
    done = SessionManager().stop()
    assert done.called
    assert arrive(stage).responses == []
    assert SessionManager().sessions == []
    SessionManager().start()
    SessionManager().start()
    arrive(stage)
    assert len(SessionManager().sessions) == 1


def test_stop_ends_all_sessions(stage: Stage) -> None:
    """SES-006: connected ones with BYE, others with 480; it is done when they are terminated."""
    connected, ringing = arrive(stage), arrive(stage)
    session = SessionManager().sessions[0]
    session.accept(session.proposed_streams or [])
    connected.acknowledge()
    connected.end_confirmed_by_itself = False
    done = SessionManager().stop()
    assert ringing.responses[-1][0] == 480 and stage.calls[-3:] != [] and "BYE" in stage.calls
    assert not done.called
    assert arrive(stage).responses == [(480, None, [])], "no new ones while it stops"
    connected.confirm_end()
    assert done.called and SessionManager().sessions == []
    assert stage.recorder.find("SIPSessionDidEnd", session) is not None
    assert stage.reactor.getDelayedCalls() == []


def test_stop_waits_for_sessions_that_end_already(stage: Stage) -> None:
    """SES-006: also those that were ended before."""
    invitation = arrive(stage)
    session = SessionManager().sessions[0]
    session.accept(session.proposed_streams or [])
    invitation.acknowledge()
    invitation.end_confirmed_by_itself = False
    session.end()
    done = SessionManager().stop()
    assert not done.called
    invitation.confirm_end()
    assert done.called


def test_stop_is_bounded(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """SES-006, APP-031: what does not end is not waited for for ever."""
    arrive(stage)
    session = SessionManager().sessions[0]
    monkeypatch.setattr(session, "_mailbox", SimpleNamespace(put=lambda *a: None))
    done = SessionManager().stop()
    stage.reactor.advance(manager.STOP_TIMEOUT - 0.1)
    assert not done.called
    stage.reactor.advance(0.1)
    assert done.called


def test_no_session_begins_once_it_is_stopped(stage: Stage) -> None:
    """SES-006: not even one that an observer makes of the end of another, over and over: connect() raises, and leaves
    no trace; after start() it is possible again."""

    class CallAgain:
        refused = 0

        def handle_notification(self, notification: Any) -> None:
            session = Session(stage.account)
            with pytest.raises(IllegalStateError, match=r"SessionManager: a new session .* 'stopped'"):
                connect(stage, session)
            self.refused += 1
            assert (session.state, session.direction, session.proposed_streams) == (None, None, None)

    arrive(stage)
    observer = CallAgain()
    NotificationCenter().add_observer(observer, name="SIPSessionDidFail")
    done = SessionManager().stop()
    assert done.called and observer.refused == 1
    assert SessionManager().sessions == [] and stage.reactor.getDelayedCalls() == []
    SessionManager().start()
    connect(stage, Session(stage.account))
    assert len(SessionManager().sessions) == 1


def connect(stage: Stage, session: Session) -> None:
    to_header = ToHeader(SIPURI(host="example.com", user="bob"))
    session.connect(to_header, [Route("10.0.0.2")], [stage.stream()])


def test_the_bound_is_longer_than_that_of_a_session() -> None:
    """SES-006: a session that ends as slowly as it may is still waited for."""
    slowest = ending.SIGNALLING_TIMEOUT + ending.SIGNALLING_GRACE + media.END_TIMEOUT
    assert slowest < manager.STOP_TIMEOUT
