"""Calling, step by step, against a scripted remote party."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from zope.interface import implementer

from sipsimple.core import SIPURI, FrozenFromHeader, FrozenToHeader, SDPMediaStream, SDPSession, ToHeader
from sipsimple.notification import NotificationCenter, NotificationData
from sipsimple.session import IllegalStateError, Session, SessionManager, ending, media, starting
from sipsimple.streams import IMediaStream
from sipsimple.testing.scripted import ScriptedInvitation, ScriptedStream, Stage
from sipsimple.util import Null, Route

BOB = ToHeader(SIPURI(host="example.com", user="bob"), "Bob")
ROUTE = Route("10.0.0.2", 5060, "udp")
TCP_ROUTE = Route("10.0.0.3", 5070, "tcp")


@pytest.fixture
def stage() -> Iterator[Stage]:
    with Stage().set() as stage:
        yield stage


def call(stage: Stage, *streams: ScriptedStream, **arguments: Any) -> Session:
    session = Session(stage.account)
    session.connect(BOB, [ROUTE], streams or [stage.stream()], **arguments)
    return session


def last(stage: Stage) -> ScriptedInvitation:
    return stage.invitations[-1]


def started(stage: Stage, *streams: ScriptedStream) -> Session:
    session = call(stage, *streams)
    last(stage).accept()
    assert session.state == "connected"
    return session


def failure(stage: Stage, session: Session) -> tuple[str, int, str, str]:
    data = stage.recorder.assert_one("SIPSessionDidFail", session).data
    return data.originator, data.code, data.reason, data.failure_reason


def end(stage: Stage, session: Session) -> tuple[str, str]:
    data = stage.recorder.assert_one("SIPSessionDidEnd", session).data
    return data.originator, data.end_reason


def transactions(stage: Stage, session: Session) -> list[tuple[Any, ...]]:
    found = stage.recorder.find_all("SIPSessionDidProcessTransaction", session)
    fields = ("originator", "method", "code", "ack_received")
    return [tuple(vars(n.data)[field] for field in fields if field in vars(n.data)) for n in found]


# Attributes


def test_a_new_session(stage: Stage) -> None:
    """SES-011, SES-059, SES-060, SES-061, SES-062, SES-063, SES-064, SES-065, SES-066, SES-067, SES-068, SES-069,
    SES-070, SES-071, SES-072, SES-073, SES-074, SES-075: a session before anything happened."""
    session = Session(stage.account)
    assert session.state is None
    assert session.account is stage.account
    assert session.direction is None
    assert session.transport is None
    assert session.start_time is None and session.stop_time is None
    assert session.on_hold is False
    assert session.remote_user_agent is None
    assert session.local_identity is None and session.remote_identity is None
    assert session.streams == []
    assert session.proposed_streams is None
    assert session.subject is None
    for attribute in (session.conference, session.replaced_session, session.transfer_handler, session.transfer_info):
        assert attribute is Null
    assert SessionManager().sessions == []


def test_the_attributes_of_a_call(stage: Stage) -> None:
    """SES-060, SES-061, SES-062, SES-063, SES-064, SES-065, SES-066, SES-067, SES-068, SES-069, SES-070, SES-072:
    what a session tells of itself while it goes its way."""
    stream = stage.stream()
    session = call(stage, stream, subject="Lunch")
    assert (session.state, session.direction, session.transport) == ("outgoing", "outgoing", "udp")
    assert session.subject == "Lunch"
    assert session.local_identity == FrozenFromHeader(SIPURI(host="example.com", user="alice"), "Alice")
    assert session.remote_identity == FrozenToHeader.new(BOB)
    assert session.proposed_streams == [stream] and session.streams == []
    assert session.proposed_streams is not session.proposed_streams
    assert SessionManager().sessions == [session]
    last(stage).accept(user_agent="bob 1.0")
    assert (session.state, session.proposed_streams, session.streams) == ("connected", None, [stream])
    session.streams.clear()
    assert session.streams == [stream], "it is a copy"
    assert session.remote_user_agent == "bob 1.0"
    assert session.start_time is not None and session.start_time.tzinfo is not None and session.stop_time is None
    assert session.start_time == stage.recorder.assert_one("SIPSessionDidStart").data.timestamp
    session.end()
    assert session.state == "terminated"
    assert session.local_identity is None and session.remote_identity is None
    assert session.streams == [] and session.proposed_streams is None
    assert session.stop_time is not None and session.stop_time >= session.start_time
    assert session.remote_user_agent == "bob 1.0"
    assert SessionManager().sessions == []


def test_the_attributes_of_a_call_that_fails(stage: Stage) -> None:
    """SES-063, SES-064, SES-067, SES-068, SES-069, SES-070: it never started, and stopped when that was told."""
    session = call(stage)
    last(stage).refuse(486)
    assert session.start_time is None
    assert session.stop_time == stage.recorder.assert_one("SIPSessionDidFail").data.timestamp
    assert (session.proposed_streams, session.streams) == (None, [])
    assert session.local_identity is None and session.remote_identity is None


def test_the_attributes_of_a_call_that_is_not_out_yet(stage: Stage) -> None:
    """SES-062, SES-068: transport and identities are those that the call is about to be made with."""
    session = Session(stage.account)
    session.connect(BOB, [TCP_ROUTE, ROUTE], [stage.stream(initialize_does="wait")])
    assert stage.invitations == []
    assert session.transport == "tcp"
    assert session.remote_identity == FrozenToHeader.new(BOB)


@implementer(IMediaStream)
class BareStream:
    """What IMediaStream has, and nothing else: there is no room for anything more."""

    __slots__ = ()

    type = "bare"
    priority = 0
    hold_supported = on_hold = on_hold_by_local = on_hold_by_remote = False

    def __init__(self, account: Any) -> None:
        pass

    @classmethod
    def new_from_sdp(cls, account: Any, remote_sdp: Any, stream_index: int) -> BareStream:
        return cls(account)

    def get_local_media(self, for_offer: bool, remote_sdp: Any = None, stream_index: int = 0) -> SDPMediaStream:
        return SDPMediaStream("bare", 9, "TCP/BARE", formats=["*"])

    def initialize(self, session: Any, direction: str) -> None:
        NotificationCenter().post_notification("MediaStreamDidInitialize", self)

    def start(self, local_sdp: Any, remote_sdp: Any, stream_index: int) -> None:
        NotificationCenter().post_notification("MediaStreamDidStart", self)

    def validate_update(self, remote_sdp: Any, stream_index: int) -> bool:
        return True

    def update(self, local_sdp: Any, remote_sdp: Any, stream_index: int) -> None:
        pass

    def hold(self) -> None:
        pass

    def unhold(self) -> None:
        pass

    def deactivate(self) -> None:
        pass

    def end(self) -> None:
        NotificationCenter().post_notification("MediaStreamWillEnd", self)
        NotificationCenter().post_notification("MediaStreamDidEnd", self, NotificationData(error=None))


def test_any_stream_will_do(stage: Stage) -> None:
    """SES-010, STR-004: a session asks nothing of a stream but what IMediaStream has, and leaves nothing in it."""
    assert {name for name in vars(BareStream) if not name.startswith("_")} == {
        name for name in IMediaStream.names(all=True) if not name.startswith("_")
    }
    streams = [BareStream(stage.account), BareStream(stage.account)]
    session = Session(stage.account)
    session.connect(BOB, [ROUTE], streams)
    last(stage).accept()
    assert (session.state, session.streams, session.on_hold) == ("connected", streams, False)
    session.end()
    assert session.state == "terminated"


def test_sessions_is_a_copy(stage: Stage) -> None:
    """SES-003: the list of sessions is a new one each time."""
    session = call(stage)
    sessions = SessionManager().sessions
    sessions.clear()
    assert SessionManager().sessions == [session]
    assert SessionManager() is SessionManager()


def test_a_stream_is_in_one_session(stage: Stage) -> None:
    """SES-021: a second session can't have it, and leaves the first one alone; once that is over it is free."""
    stream = stage.stream()
    first = started(stage, stream)
    second = Session(stage.account)
    with pytest.raises(ValueError, match="in another session"):
        second.connect(BOB, [ROUTE], [stage.stream("b"), stream])
    assert (second.state, second.direction, second.proposed_streams) == (None, None, None)
    assert SessionManager().sessions == [first]
    assert (first.state, first.streams) == ("connected", [stream])
    first.end()
    second.connect(BOB, [ROUTE], [stream])
    assert second.state == "outgoing"


def test_who_is_called_by_an_address_from_elsewhere(stage: Stage) -> None:
    """SES-019: the remote identity of an earlier session, or a link, is fit for a first request (RFC 3261 8.1.1.2,
    19.1.1): without its tag, a method, and headers; what was given is left as it is."""
    given = ToHeader("sip:bob@example.com;method=BYE;transport=tcp?Subject=x", "Bob", {"tag": "old", "other": "1"})
    text = str(given)
    session = Session(stage.account)
    session.connect(given, [ROUTE], [stage.stream()])
    expected = ToHeader("sip:bob@example.com;transport=tcp", "Bob", {"other": "1"})
    assert session.remote_identity == FrozenToHeader.new(expected)
    assert str(last(stage).to_header) == str(expected)
    assert str(last(stage).request_uri) == "sip:bob@example.com;transport=tcp"
    assert str(given) == text


def test_on_hold_is_that_of_the_streams(stage: Stage) -> None:
    """SES-065: on_hold tells whether either party holds a stream."""
    first, second = stage.stream("a"), stage.stream("b")
    session = started(stage, first, second)
    assert session.on_hold is False
    second.on_hold_by_local = True
    assert session.on_hold is True


# The way to a session


def test_a_call_that_is_accepted(stage: Stage) -> None:
    """SES-014, SES-015, SES-018, SES-077, SES-080, SES-081: the notifications of a call, and when what is done."""
    stream = stage.stream()
    session = call(stage, stream)
    assert stage.sent(session) == ["NewOutgoing"]
    assert stage.recorder.assert_one("SIPSessionNewOutgoing").data.streams == [stream]
    assert stage.calls == ["a.initialize", "a.offer", "INVITE"]
    assert (stream.session, stream.direction) == (session, "outgoing")
    last(stage).accept(acknowledge=False)
    assert stage.sent(session) == ["NewOutgoing", "WillStart"]
    assert session.state == "outgoing"
    last(stage).acknowledge()
    assert stage.sent(session) == ["NewOutgoing", "WillStart", "DidProcessTransaction", "DidStart"]
    assert stage.recorder.assert_one("SIPSessionDidStart").data.streams == [stream]
    assert transactions(stage, session) == [("local", "INVITE", 200, "unknown")]
    assert stage.calls == ["a.initialize", "a.offer", "INVITE", "a.start"]


def test_new_outgoing_comes_before_anything_is_sent(stage: Stage) -> None:
    """SES-015: SIPSessionNewOutgoing is posted before the remote party is contacted."""
    seen: list[list[str]] = []

    class Application:
        def handle_notification(self, notification: Any) -> None:
            seen.append(list(stage.calls))

    stage.recorder.center.add_observer(Application(), name="SIPSessionNewOutgoing")
    call(stage)
    assert seen == [[]]


class EarlyStream(ScriptedStream):
    """Plays early media; `early` are the ports that were described for it."""

    raises = False

    def start_early(self, local_sdp: Any, remote_sdp: Any, stream_index: int) -> None:
        self.calls.append(f"{self.name}.start_early")
        self.early = [*getattr(self, "early", []), remote_sdp.media[stream_index].port]
        if self.raises:
            raise RuntimeError("no early media")


def early_stream(stage: Stage, name: str = "a") -> EarlyStream:
    stream = EarlyStream(stage.account)
    stream.calls, stream.name = stage.calls, name
    return stream


def described(*ports: int) -> SDPSession:
    lines = [SDPMediaStream("message", port, "TCP/MSRP", formats=["*"]) for port in ports]
    return SDPSession("10.0.0.2", media=lines)


def test_early_media(stage: Stage) -> None:
    """RFC 3960 3.1: each early description reaches the streams that can play it, that of the 2xx starts them all."""
    stream, other = early_stream(stage), stage.stream("b")
    session = call(stage, stream, other)
    last(stage).describe_early(described(6001, 6101))
    last(stage).describe_early(described(6002, 6102))
    last(stage).describe_early(error="no answer")
    last(stage).describe_early(described(0, 6103))
    assert stream.early == [6001, 6002]
    assert "a.start" not in stage.calls
    last(stage).accept(described(6003, 6104))
    assert session.state == "connected"
    assert stage.calls.count("a.start_early") == 2 and stage.calls.count("a.start") == 1
    assert stream.started_with is not None and stream.started_with[1].media[0].port == 6003
    last(stage).describe_early()
    assert stream.early == [6001, 6002]


def test_early_media_that_fails(stage: Stage) -> None:
    """A stream that raises over early media plays none; the call goes on."""
    stream = early_stream(stage)
    stream.raises = True
    session = call(stage, stream)
    last(stage).describe_early()
    last(stage).accept()
    assert session.state == "connected" and session.streams == [stream]


def test_ringing(stage: Stage) -> None:
    """SES-017, SES-078, SES-079: each provisional response is told, each 180 as ringing; the state is connecting."""
    session = call(stage)
    last(stage).ring(100)
    assert session.state == "connecting"
    last(stage).ring(180)
    last(stage).ring(183)
    last(stage).ring(180)
    assert stage.sent(session) == [
        'NewOutgoing', 'GotProvisionalResponse', 'GotRingIndication', 'GotProvisionalResponse',
        'GotProvisionalResponse', 'GotRingIndication', 'GotProvisionalResponse',
    ]  # fmt: skip
    codes = [(n.data.code, n.data.reason) for n in stage.recorder.find_all("SIPSessionGotProvisionalResponse")]
    assert codes == [(100, "Trying"), (180, "Ringing"), (183, "Session Progress"), (180, "Ringing")]
    last(stage).accept()
    assert session.state == "connected"


def test_the_invite(stage: Stage) -> None:
    """SES-019, SES-020, SES-022, SES-023: what is sent where."""
    first, second = stage.stream("a"), stage.stream("b")
    second.media = SDPMediaStream("audio", 5004, "RTP/AVP", formats=["0"])
    session = call(stage, first, second)
    invitation = last(stage)
    assert str(invitation.request_uri) == "sip:bob@example.com"
    assert invitation.to_header == FrozenToHeader.new(BOB)
    assert str(invitation.arguments["route"].uri) == f"{ROUTE.get_uri()};lr"
    assert invitation.arguments["extra_headers"] == []
    assert invitation.arguments["timeout"] == 90
    assert "isfocus" not in invitation.contact_header.parameters
    offer = invitation.offer
    assert [line.media for line in offer.media] == ["message", "audio"]
    assert (offer.address, offer.id) == ("10.0.0.1", offer.version)
    assert offer.id > 3_900_000_000, "the time in NTP format"
    assert offer.name.startswith("sipsimple")
    assert session.state == "outgoing"


def test_the_credentials(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """SES-060: those of the account answer the challenges to the session's requests."""
    credentials = object()
    monkeypatch.setattr(stage.account, "credentials", credentials)
    call(stage)
    assert last(stage).arguments["credentials"] is credentials


def test_a_focus_with_a_subject(stage: Stage) -> None:
    """SES-022, SES-023: isfocus in the Contact, and a Subject header."""
    call(stage, is_focus=True, subject="Lunch")
    assert "isfocus" in last(stage).contact_header.parameters
    assert [(h.name, h.body) for h in last(stage).arguments["extra_headers"]] == [("Subject", "Lunch")]


def test_session_ids_differ(stage: Stage) -> None:
    """SES-021: two offers of the same second are not taken for the same."""
    call(stage)
    call(stage)
    assert stage.invitations[0].offer.id != stage.invitations[1].offer.id


def test_streams_are_started_while_the_ack_is_on_its_way(stage: Stage) -> None:
    """SES-081: the session has started when it is acknowledged and all streams have started, in either order."""
    stream = stage.stream(start_does="wait")
    session = call(stage, stream)
    last(stage).accept()
    assert session.state == "outgoing" and "DidStart" not in stage.sent(session)
    stream.did_start()
    assert session.state == "connected" and stage.sent(session)[-1] == "DidStart"
    assert stream.started_with is not None
    local, remote, index = stream.started_with
    assert (local.address, remote.address, index) == ("10.0.0.1", "10.0.0.2", 0)


def test_streams_are_initialized_before_the_invite_goes_out(stage: Stage) -> None:
    """STR-010, STR-011: the INVITE waits for the streams."""
    first, second = stage.stream("a", initialize_does="wait"), stage.stream("b", initialize_does="wait")
    call(stage, first, second)
    first.did_initialize()
    assert stage.invitations == []
    second.did_initialize()
    assert stage.calls == ["a.initialize", "b.initialize", "a.offer", "b.offer", "INVITE"]


# What goes wrong with streams


def test_a_stream_that_can_not_be_initialized_is_left_out(stage: Stage) -> None:
    """STR-011, STR-025: it is ended and the others are offered; indexes are those of the offer."""
    first, second = stage.stream("a", initialize_does="fail"), stage.stream("b")
    session = call(stage, first, second)
    assert stage.calls == ["a.initialize", "b.initialize", "a.end", "b.offer", "INVITE"]
    last(stage).accept()
    assert session.streams == [second]
    assert second.started_with is not None and second.started_with[2] == 0


@pytest.mark.parametrize("how", ["fail", "raise"])
def test_no_stream_can_be_initialized(stage: Stage, how: str) -> None:
    """STR-025, SES-016, SES-082: nothing is sent, the session fails."""
    session = call(stage, stage.stream(initialize_does=how))
    assert stage.calls == ["a.initialize", "a.end"]
    assert stage.sent(session) == ["NewOutgoing", "DidFail"]
    originator, code, reason, cause = failure(stage, session)
    assert (originator, code, reason) == ("local", 488, "Not Acceptable Here")
    assert cause.startswith("stream failed: initialize")
    assert session.state == "terminated"


def test_a_stream_that_does_not_get_ready_in_time(stage: Stage) -> None:
    """STR-011: every wait is bounded."""
    session = call(stage, stage.stream(initialize_does="wait"))
    stage.reactor.advance(media.INITIALIZE_TIMEOUT - 1)
    assert session.state == "outgoing"
    stage.reactor.advance(1)
    assert failure(stage, session)[3] == "stream failed: timed out while initializing"
    assert stage.reactor.getDelayedCalls() == []


@pytest.mark.parametrize("others", [0, 1])
def test_a_stream_without_a_description(stage: Stage, others: int) -> None:
    """STR-009: a stream that raises where it should describe itself has failed."""
    streams = [stage.stream("a", media=None), *(stage.stream("b") for _ in range(others))]
    session = call(stage, *streams)
    if others:
        assert len(last(stage).offer.media) == 1
        last(stage).accept()
        assert session.streams == streams[1:]
    else:
        assert stage.invitations == [] and failure(stage, session)[1] == 488
    assert stage.calls.count("a.end") == 1


def test_a_stream_fails_while_it_rings(stage: Stage) -> None:
    """STR-025, STR-034: its line stays in the offer, and it is not started."""
    first, second = stage.stream("a"), stage.stream("b")
    session = call(stage, first, second)
    last(stage).ring()
    first.did_fail()
    last(stage).accept()
    assert session.streams == [second]
    assert second.started_with is not None and second.started_with[2] == 1
    assert "a.start" not in stage.calls and stage.calls.count("a.end") == 1


def test_the_last_stream_fails_while_it_rings(stage: Stage) -> None:
    """SES-082: the call is cancelled."""
    stream = stage.stream()
    session = call(stage, stream)
    last(stage).ring()
    stream.did_fail()
    assert stage.calls[-2:] == ["a.end", "CANCEL"]
    assert failure(stage, session) == ("local", 488, "Not Acceptable Here", "stream failed: connection lost")


@pytest.mark.parametrize("others", [0, 1])
@pytest.mark.parametrize("how", ["fail", "raise", "wait"])
def test_a_stream_that_does_not_start(stage: Stage, how: str, others: int) -> None:
    """STR-014, STR-025: it ends alone where others remain, and otherwise the session fails."""
    streams = [stage.stream("a", start_does=how), *(stage.stream("b") for _ in range(others))]
    session = call(stage, *streams)
    last(stage).accept()
    if how == "wait":
        stage.reactor.advance(media.START_TIMEOUT)
    assert stage.calls.count("a.end") == 1
    assert stage.calls.index("a.deactivate") < stage.calls.index("a.end")
    if others:
        assert session.state == "connected" and session.streams == streams[1:]
        assert stage.recorder.assert_one("SIPSessionDidStart").data.streams == streams[1:]
    else:
        assert stage.sent(session) == [
            'NewOutgoing', 'WillStart', 'DidProcessTransaction', 'DidProcessTransaction', 'DidFail',
        ]  # fmt: skip
        assert failure(stage, session)[:2] == ("local", 488)
        assert transactions(stage, session) == [("local", "INVITE", 200, "unknown"), ("local", "BYE", 200)]
    assert "SIPSessionWillEnd" not in stage.recorder.names()


def test_the_remote_party_refuses_one_stream(stage: Stage) -> None:
    """SES-081: port 0 in the answer ends that stream (RFC 3264 6)."""
    first, second = stage.stream("a"), stage.stream("b")
    session = call(stage, first, second)
    lines = [SDPMediaStream("message", 0, "TCP/MSRP", formats=["*"]), second.media]
    last(stage).accept(SDPSession("10.0.0.2", media=lines))
    assert session.streams == [second]
    assert "a.start" not in stage.calls and "a.end" in stage.calls


@pytest.mark.parametrize("lines", [[], [SDPMediaStream("message", 0, "TCP/MSRP", formats=["*"])]])
def test_the_remote_party_refuses_all_streams(stage: Stage, lines: list[SDPMediaStream]) -> None:
    """SES-082: an answer without a stream, or without its line, ends the session."""
    session = call(stage)
    last(stage).accept(SDPSession("10.0.0.2", media=lines))
    assert failure(stage, session) == ("remote", 488, "Not Acceptable Here", "the remote party refused all streams")
    assert "BYE" in stage.calls


def test_an_answer_that_is_none(stage: Stage) -> None:
    """SES-082: a 200 whose SDP does not answer the offer ends the session."""
    session = call(stage)
    last(stage).accept_without_agreement("two lines")
    assert failure(stage, session)[3] == "SDP negotiation failed: two lines"
    assert "BYE" in stage.calls


def test_more_lines_than_were_offered(stage: Stage) -> None:
    """SES-081: lines beyond the offer's are nobody's."""
    stream = stage.stream()
    session = call(stage, stream)
    last(stage).accept(SDPSession("10.0.0.2", media=[stream.media, stream.media]))
    assert session.streams == [stream]


# What goes wrong with the call


@pytest.mark.parametrize(("code", "reason"), [(486, "Busy Here"), (603, "Decline"), (404, "Not Found"), (302, None)])
def test_a_call_that_is_refused(stage: Stage, code: int, reason: str | None) -> None:
    """SES-016, SES-082, SES-084: code, reason and originator are the remote party's."""
    session = call(stage)
    last(stage).refuse(code, reason)
    assert stage.sent(session) == ["NewOutgoing", "DidProcessTransaction", "DidFail"]
    assert failure(stage, session)[:2] == ("remote", code)
    assert transactions(stage, session) == [("local", "INVITE", code, "unknown")]
    assert session.state == "terminated" and session.stop_time is not None and session.start_time is None
    assert stage.calls[-1] == "a.end"


def test_all_routes_fail(stage: Stage) -> None:
    """SES-020: routes are tried in order, streams are initialized once, the last failure is the session's."""
    session = Session(stage.account)
    session.connect(BOB, iter([ROUTE, TCP_ROUTE]), [stage.stream()])
    last(stage).fail(408, "timeout")
    assert session.state == "outgoing" and len(stage.invitations) == 2
    assert session.transport == "tcp"
    assert str(last(stage).arguments["route"].uri) == f"{TCP_ROUTE.get_uri()};lr"
    last(stage).fail(503, "transport error: refused")
    assert failure(stage, session) == ("local", 503, "Service Unavailable", "SIP core error: transport error: refused")
    assert stage.calls == ["a.initialize", "a.offer", "INVITE", "a.offer", "INVITE", "a.end"]
    assert transactions(stage, session) == [("local", "INVITE", 408, "unknown"), ("local", "INVITE", 503, "unknown")]


def test_the_second_route_works(stage: Stage) -> None:
    """SES-020: a 503 from the first route's proxy does not end the call, nor does a 100 before it."""
    session = Session(stage.account)
    session.connect(BOB, [ROUTE, TCP_ROUTE], [stage.stream()])
    last(stage).ring(100)
    last(stage).refuse(503)
    assert session.state == "outgoing"
    last(stage).accept()
    assert session.state == "connected" and session.transport == "tcp"
    assert stage.sent(session) == [
        'NewOutgoing', 'GotProvisionalResponse', 'DidProcessTransaction', 'WillStart', 'DidProcessTransaction',
        'DidStart',
    ]  # fmt: skip


def test_a_definite_answer_ends_the_call(stage: Stage) -> None:
    """SES-020: 486 over the first route is the remote party's word."""
    session = Session(stage.account)
    session.connect(BOB, [ROUTE, TCP_ROUTE], [stage.stream()])
    last(stage).refuse(486)
    assert failure(stage, session)[1] == 486 and len(stage.invitations) == 1


def test_no_second_phone_rings(stage: Stage) -> None:
    """SES-020: who was reached over one route is not called over another."""
    session = Session(stage.account)
    session.connect(BOB, [ROUTE, TCP_ROUTE], [stage.stream()])
    last(stage).ring(180)
    last(stage).fail(408, "timeout")
    assert failure(stage, session)[1] == 408 and len(stage.invitations) == 1


def test_a_route_that_can_not_be_used(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """SES-020: an INVITE that can't even be sent is a route that does not work."""

    def send_invite(self: ScriptedInvitation, *args: Any, **kwargs: Any) -> None:
        raise ValueError("no")

    monkeypatch.setattr(ScriptedInvitation, "send_invite", send_invite)
    session = Session(stage.account)
    session.connect(BOB, [ROUTE] * 3, [stage.stream()])
    assert len(stage.invitations) == 3
    assert failure(stage, session) == ("local", 500, "Server Internal Error", "SIP core error: no")


# The end


def test_end_before_the_streams_are_ready(stage: Stage) -> None:
    """SES-054: nothing was sent, nothing is sent."""
    session = call(stage, stage.stream(initialize_does="wait"))
    session.end()
    assert stage.calls == ["a.initialize", "a.end"]
    assert stage.sent(session) == ["NewOutgoing", "DidFail"]
    assert failure(stage, session) == ("local", 487, "Request Terminated", "user_request")


@pytest.mark.parametrize("ringing", [False, True])
def test_end_before_the_answer(stage: Stage, ringing: bool) -> None:
    """SES-054, SES-082: CANCEL, and a failure with 487 by the local party."""
    session = call(stage)
    last(stage).end_confirmed_by_itself = False
    if ringing:
        last(stage).ring()
    session.end()
    assert session.state == "terminating" and stage.calls[-1] == "CANCEL"
    last(stage).confirm_end()
    assert session.state == "terminated" and stage.calls[-1] == "a.end"
    assert failure(stage, session) == ("local", 487, "Request Terminated", "user_request")
    assert stage.sent(session)[-2:] == ["DidProcessTransaction", "DidFail"]
    assert transactions(stage, session) == [("local", "INVITE", 487, "unknown")]
    stage.recorder.assert_none("SIPSessionWillEnd")


def test_a_200_crosses_the_cancel(stage: Stage) -> None:
    """SES-054: the call that was accepted too late is ended with BYE (RFC 3261 9.1)."""
    session = call(stage)
    last(stage).end_confirmed_by_itself = False
    session.end()
    last(stage).accept_too_late()
    assert failure(stage, session)[:2] == ("local", 487)
    assert "WillStart" not in stage.sent(session)
    assert transactions(stage, session) == [("local", "INVITE", 200, "unknown"), ("local", "BYE", 200)]


def test_an_invitation_that_connects_while_it_is_cancelled(stage: Stage) -> None:
    """SES-054: whoever says that the call is connected, it is ended."""
    session = call(stage)
    last(stage).end_confirmed_by_itself = False
    session.end()
    last(stage)._change("connected", "local", method="ACK")
    assert stage.calls[-2:] == ["CANCEL", "BYE"]
    last(stage).confirm_end()
    assert failure(stage, session)[:2] == ("local", 487)


@pytest.mark.parametrize("acknowledged", [False, True])
def test_end_while_it_starts(stage: Stage, acknowledged: bool) -> None:
    """SES-054: accepted, but not started: BYE, and a failure with 487."""
    session = call(stage, stage.stream(start_does="wait"))
    last(stage).accept(acknowledge=acknowledged)
    session.end()
    assert failure(stage, session)[:2] == ("local", 487)
    assert stage.calls[-3:] == ["a.deactivate", "BYE", "a.end"]
    stage.recorder.assert_none("SIPSessionDidStart")
    assert stage.reactor.getDelayedCalls() == []


def test_end(stage: Stage) -> None:
    """SES-054, SES-055, SES-085, SES-086, STR-022, STR-024: BYE between deactivate() and end() of the streams."""
    first, second = stage.stream("a"), stage.stream("b")
    session = started(stage, first, second)
    last(stage).end_confirmed_by_itself = False
    stage.calls.clear()
    session.end()
    assert session.state == "terminating"
    assert stage.calls == ["a.deactivate", "b.deactivate", "BYE"]
    assert stage.sent(session)[-1] == "WillEnd"
    last(stage).confirm_end()
    assert stage.calls[3:] == ["a.end", "b.end"]
    assert stage.sent(session)[-3:] == ["WillEnd", "DidProcessTransaction", "DidEnd"]
    assert end(stage, session) == ("local", "user_request")
    assert transactions(stage, session)[-1] == ("local", "BYE", 200)
    assert session.stop_time == stage.recorder.assert_one("SIPSessionDidEnd").data.timestamp
    stage.recorder.assert_none("SIPSessionDidFail")
    assert stage.reactor.getDelayedCalls() == []


def test_the_remote_party_ends(stage: Stage) -> None:
    """SES-085, SES-086: a BYE from the remote party."""
    session = started(stage)
    stage.calls.clear()
    last(stage).hang_up()
    assert stage.sent(session)[-3:] == ["DidProcessTransaction", "WillEnd", "DidEnd"]
    assert transactions(stage, session)[-1] == ("remote", "BYE", 200)
    assert end(stage, session) == ("remote", "user_request")
    assert stage.calls == ["a.deactivate", "a.end"]
    assert session.state == "terminated"


def test_the_remote_party_ends_before_all_streams_have_started(stage: Stage) -> None:
    """SES-082, SES-083: it fails, then, and does not end."""
    session = call(stage, stage.stream(start_does="wait"))
    last(stage).accept()
    last(stage).hang_up()
    assert failure(stage, session) == ("remote", 487, "Request Terminated", "user_request")
    stage.recorder.assert_none("SIPSessionDidEnd")
    stage.recorder.assert_none("SIPSessionWillEnd")


def test_did_end_waits_for_the_streams(stage: Stage) -> None:
    """SES-086, STR-036: the session is over when its streams are."""
    stream = stage.stream(end_does="wait")
    session = started(stage, stream)
    session.end()
    assert session.state == "terminating" and stage.sent(session)[-1] == "DidProcessTransaction"
    stream.did_end()
    assert session.state == "terminated" and stage.sent(session)[-1] == "DidEnd"


def test_a_stream_that_does_not_end(stage: Stage) -> None:
    """SES-086, STR-024: it is not waited for for ever."""
    session = started(stage, stage.stream(end_does="wait"))
    session.end()
    stage.reactor.advance(media.END_TIMEOUT)
    assert end(stage, session) == ("local", "user_request")


@pytest.mark.parametrize("how", ["raise", "fail"])
def test_a_stream_that_fails_to_end(stage: Stage, how: str) -> None:
    """STR-024: a stream that raises in end(), or fails there, does not hold the session up for ever."""
    session = started(stage, stage.stream(end_does=how))
    session.end()
    stage.reactor.advance(media.END_TIMEOUT)
    assert session.state == "terminated"


def test_a_bye_that_nobody_answers(stage: Stage) -> None:
    """SES-086: a peer that is gone does not keep the session."""
    session = started(stage)
    last(stage).end_confirmed_by_itself = False
    session.end()
    stage.reactor.advance(ending.SIGNALLING_TIMEOUT + ending.SIGNALLING_GRACE)
    assert end(stage, session) == ("local", "user_request")
    assert stage.calls[-1] == "a.end"


def test_an_invitation_that_can_not_be_ended(stage: Stage) -> None:
    """SES-086: an error on the way out does not keep the session."""
    session = started(stage)
    last(stage).error = RuntimeError("broken")
    session.end()
    assert end(stage, session) == ("local", "user_request")


def test_the_last_stream_fails(stage: Stage) -> None:
    """STR-034, SES-086: a peer that died without BYE: the session ends with its last stream."""
    stream = stage.stream()
    session = started(stage, stream)
    stage.calls.clear()
    stream.did_fail("connection reset")
    assert stage.sent(session)[-3:] == ["WillEnd", "DidProcessTransaction", "DidEnd"]
    assert end(stage, session) == ("local", "stream failed: connection reset")
    assert stage.calls == ["a.deactivate", "a.end", "BYE"]


def test_one_stream_of_two_fails(stage: Stage) -> None:
    """STR-025, STR-034, SES-095: it is ended and removed, the session goes on without it."""
    first, second = stage.stream("a"), stage.stream("b")
    session = started(stage, first, second)
    first.did_fail()
    assert session.state == "connected" and session.streams == [second]
    data = stage.recorder.assert_one("SIPSessionDidRenegotiateStreams", session).data
    assert (data.action, data.streams) == ("remove", [first])
    assert stage.calls.count("a.end") == 1
    second.did_fail()
    assert end(stage, session)[0] == "local"
    assert stage.calls.count("a.end") == 1 and stage.calls.count("b.end") == 1


def test_a_stream_that_ends_by_itself(stage: Stage) -> None:
    """STR-025: end() is called on it all the same, and its session is over."""
    stream = stage.stream(end_does="wait")
    session = started(stage, stream)
    stream.did_end()
    assert end(stage, session) == ("local", "stream failed: the stream ended")
    assert stage.calls.count("a.end") == 1


def test_a_stream_that_says_everything_twice(stage: Stage) -> None:
    """STR-031: a stream that repeats itself or speaks out of turn changes nothing."""
    stream = stage.stream()
    session = started(stage, stream)
    before = stage.recorder.names(session)
    for again in (stream.did_initialize, stream.did_start):
        again()
    assert stage.recorder.names(session) == before
    session.end()
    for again in (stream.did_end, stream.did_fail):
        again()
    assert stage.sent(session)[-1] == "DidEnd"


def test_nobody_acknowledges_for_ever(stage: Stage) -> None:
    """SES-082: a layer below that never says that the ACK is sent does not keep the session."""
    session = call(stage)
    last(stage).accept(acknowledge=False)
    stage.reactor.advance(starting.STARTING_TIMEOUT)
    assert failure(stage, session)[3] == "SIP core error: timeout, missing ACK"


def test_nothing_is_left_behind(stage: Stage) -> None:
    """SES-086: no observer and no timer of a session outlives it."""
    center = stage.recorder.center
    before = len(center._by_both)
    session = started(stage, stage.stream("a"), stage.stream("b"))
    assert len(center._by_both) > before
    session.end()
    assert len(center._by_both) == before
    assert stage.reactor.getDelayedCalls() == []


# Misuse


def test_bad_arguments(stage: Stage) -> None:
    """SES-012: what is wrong with a call to connect() raises at once and leaves the session as it was."""
    session = Session(stage.account)
    stream = stage.stream()
    for to_header, routes, streams, arguments, error in [
        ("sip:bob@example.com", [ROUTE], [stream], {}, TypeError),
        (ToHeader("tel:+1234"), [ROUTE], [stream], {}, ValueError),
        (BOB, [], [stream], {}, ValueError),
        (BOB, ["10.0.0.2"], [stream], {}, TypeError),
        (BOB, ROUTE, [stream], {}, TypeError),
        (BOB, [ROUTE], [], {}, ValueError),
        (BOB, [ROUTE], [stream, stream], {}, ValueError),
        (BOB, [ROUTE], [object()], {}, TypeError),
        (BOB, [ROUTE], [stream], {"subject": b"Lunch"}, TypeError),
        (BOB, [ROUTE], [stream], {"subject": "Lunch\r\nRoute: <sip:evil>"}, ValueError),
        (BOB, [ROUTE], [stream], {"subject": "Lunch \ud83c"}, ValueError),
    ]:
        with pytest.raises(error):
            session.connect(to_header, routes, streams, **arguments)  # type: ignore[arg-type]
    assert session.state is None and stage.calls == [] and SessionManager().sessions == []
    session.connect(BOB, [ROUTE], [stream])
    with pytest.raises(IllegalStateError):
        session.connect(BOB, [ROUTE], [stream])


def test_an_account_that_is_none(stage: Stage) -> None:
    """SES-011: an account without an address is found out at once, and the session stays as it was."""
    session = Session(object())
    with pytest.raises(AttributeError):
        session.connect(BOB, [ROUTE], [stage.stream()])
    assert session.state is None and SessionManager().sessions == []


def test_connect_without_a_reactor(stage: Stage) -> None:
    """SES-012: there is nothing to call with before the application was started."""
    stage.realm.reactor = None
    with pytest.raises(RuntimeError, match=r"SIPApplication\.start"):
        Session(stage.account).connect(BOB, [ROUTE], [stage.stream()])


def test_end_twice(stage: Stage) -> None:
    """SES-054: the second end() is refused, the first goes on."""
    session = started(stage)
    last(stage).end_confirmed_by_itself = False
    session.end()
    with pytest.raises(IllegalStateError):
        session.end()
    last(stage).confirm_end()
    with pytest.raises(IllegalStateError):
        session.end()
    assert stage.calls.count("BYE") == 1


@pytest.mark.parametrize("name", ["SIPSessionNewOutgoing", "SIPSessionGotRingIndication", "SIPSessionWillStart"])
def test_end_from_inside_an_observer(stage: Stage, name: str) -> None:
    """SES-054: end() from inside an observer of any notification before the start."""

    class Application:
        def handle_notification(self, notification: Any) -> None:
            notification.sender.end()

    application = Application()
    stage.recorder.center.add_observer(application, name=name)
    session = call(stage)
    if stage.invitations and last(stage).state == "outgoing":
        last(stage).ring()
    if stage.invitations and last(stage).state == "early":
        last(stage).accept()
    assert failure(stage, session)[:2] == ("local", 487)
    assert session.state == "terminated" and stage.calls.count("a.end") <= 1
    stage.recorder.assert_none("SIPSessionDidStart")
    assert stage.reactor.getDelayedCalls() == []


@pytest.mark.parametrize("name", ["SIPSessionDidStart", "SIPSessionWillEnd", "SIPSessionDidEnd"])
def test_end_from_inside_an_observer_of_a_started_session(stage: Stage, name: str) -> None:
    """SES-054: the same once it has started; an IllegalStateError there is the application's."""
    errors: list[Exception] = []

    class Application:
        def handle_notification(self, notification: Any) -> None:
            try:
                notification.sender.end()
            except IllegalStateError as error:
                errors.append(error)

    application = Application()
    stage.recorder.center.add_observer(application, name=name)
    session = started_or_ended(stage)
    if session.state == "connected":
        session.end()
    assert end(stage, session) == ("local", "user_request")
    assert len(errors) == (0 if name == "SIPSessionDidStart" else 1)


def started_or_ended(stage: Stage) -> Session:
    session = call(stage)
    last(stage).accept()
    return session


def test_methods_from_other_threads(stage: Stage) -> None:
    """SES-009, APP-001: the state changes in the caller's thread, the work is done in the reactor's."""
    from threading import Thread

    states: list[str | None] = []
    session = Session(stage.account)

    def elsewhere() -> None:
        session.connect(BOB, [ROUTE], [stage.stream()])
        states.append(session.state)

    thread = Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert states == ["outgoing"] and stage.calls == []
    stage.reactor.advance(0)
    assert stage.calls == ["a.initialize", "a.offer", "INVITE"]
    thread = Thread(target=session.end)
    thread.start()
    thread.join()
    assert session.state == "terminating" and "CANCEL" not in stage.calls
    last(stage).accept()  # under way while the application's call was
    stage.reactor.advance(0)
    assert failure(stage, session)[:2] == ("local", 487)
    assert stage.sent(session)[:1] == ["NewOutgoing"] and "WillStart" not in stage.sent(session)
    assert "BYE" in stage.calls


def test_an_error_of_our_own_ends_the_session(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    """SES-084: a bug is logged, and the session fails instead of hanging."""
    session = call(stage)
    monkeypatch.setattr("sipsimple.session.outgoing.Starting", lambda session: 1 / 0)
    last(stage).accept()
    assert failure(stage, session)[:2] == ("local", 500)
    assert failure(stage, session)[3].startswith("SIP core error")
