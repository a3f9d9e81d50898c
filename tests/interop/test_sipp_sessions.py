"""Whole sessions with sipp on the other side: an application with one kind of stream, which has no media of its own."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from sipsimple.testing.scripted import ScriptedStream

from .conftest import Sipp
from .scenarios import SIPFRAG, back, expect, pause, reply, request, scenario

TIMEOUT = 20
HEAD = """v=0
o=peer 1 1 IN IP4 [local_ip]
s=-
c=IN IP4 [local_ip]
t=0 0
"""
LINE = "m=data 6000 TCP/DATA *\n"
SDP = HEAD + LINE
TWO = HEAD + LINE + LINE.replace("6000", "6002")
OURS = "m=data 4000 TCP/DATA"
ALICE = "sip:alice@[remote_ip]:[remote_port]"


class DataStream(ScriptedStream):
    """A stream that is there as soon as it is asked for."""

    type = "data"
    hold_supported = True

    def __init__(self, account: Any) -> None:
        from sipsimple.core import SDPMediaStream

        super().__init__(account)
        self.media = SDPMediaStream("data", 4000, "TCP/DATA", formats=["*"])

    @classmethod
    def new_from_sdp(cls, account: Any, remote_sdp: Any, stream_index: int) -> DataStream | None:
        media = remote_sdp.media[stream_index]
        return cls(account) if media.media == "data" and media.port else None


class Agent:
    """The application, and what it does with the sessions that come in."""

    def __init__(self, application: Any) -> None:
        from sipsimple.notification import NotificationCenter

        self.application = application
        self.recorder = application.recorder
        self.incoming: list[Any] = []
        self.answers = True
        self.port = application.sip_port
        for name in ("SIPSessionNewIncoming", "SIPSessionGotProposal", "SIPSessionTransferNewIncoming"):
            NotificationCenter().add_observer(self, name=name)

    def handle_notification(self, notification: Any) -> None:
        session, data = notification.sender, notification.data
        if notification.name == "SIPSessionNewIncoming":
            self.incoming.append(session)
            if self.answers:
                session.accept([stream for stream in data.streams if stream.type == "data"])
        elif notification.name == "SIPSessionTransferNewIncoming":
            session.accept_transfer()
        elif data.originator == "remote":
            session.accept_proposal(data.streams)

    def call(self, port: int) -> Any:
        from sipsimple.core import SIPURI, ToHeader
        from sipsimple.session import Session
        from sipsimple.util import Route

        session = Session(self.application.account)
        to_header = ToHeader(SIPURI("127.0.0.1", "bob", port=port))
        session.connect(to_header, [Route("127.0.0.1", port, "udp")], [DataStream(self.application.account)])
        return session

    def stream(self) -> DataStream:
        return DataStream(self.application.account)

    def wait(self, name: str, session: Any = None) -> Any:
        senders = {} if session is None else {"sender": session}
        return self.recorder.wait_for(f"SIPSession{name}", timeout=TIMEOUT, **senders).data

    def names(self, session: Any) -> list[str]:
        found = self.recorder.names(session)
        quiet = ("SIPSessionDidProcessTransaction", "SIPSessionGotProvisionalResponse")
        return [name.removeprefix("SIPSession") for name in found if name not in quiet]

    def sent(self, start: str, having: str = "") -> int:
        traces = self.recorder.find_all("SIPEngineSIPTrace", received=False)
        return sum(trace.data.data.startswith(start) and having in trace.data.data for trace in traces)


@pytest.fixture
def agent(application: Any) -> Iterator[Agent]:
    from sipsimple.notification import NotificationCenter
    from sipsimple.streams import MediaStreamRegistry

    MediaStreamRegistry().register(DataStream)
    agent = Agent(application)
    yield agent
    for name in ("SIPSessionNewIncoming", "SIPSessionGotProposal", "SIPSessionTransferNewIncoming"):
        NotificationCenter().remove_observer(agent, name=name)
    MediaStreamRegistry().unregister(DataStream)


def invite(*headers: str, body: str = SDP) -> str:
    return request("INVITE", 1, *headers, uri=ALICE, to_tag=False, body=body, retrans=500)


#: sipp calls us.
CALLED = [invite(), expect(100, optional=True), expect(180, optional=True), expect(200), request("ACK", 1)]
BYE = [request("BYE", 9, retrans=500), expect(200)]
OVER = [expect("BYE"), reply(200, "OK", tag=None, contact=False)]


def calling(body: str = SDP) -> list[str]:
    """We call sipp."""
    return [expect("INVITE", save=True), reply(180, "Ringing"), reply(200, "OK", body=body), expect("ACK")]


def test_sipp_calls(sipp: Sipp, agent: Agent) -> None:
    """SES-018, SES-085, SES-086: from its beginning to its end."""
    sipp.start(scenario(*CALLED, pause(100), *BYE), agent.port).finish()
    agent.wait("DidEnd")
    (session,) = agent.incoming
    assert agent.names(session) == ["NewIncoming", "WillStart", "DidStart", "WillEnd", "DidEnd"]


def test_we_call_sipp(sipp: Sipp, agent: Agent) -> None:
    """SES-014, SES-078, SES-081: it rings, starts, and is ended by us."""
    run = sipp.start(scenario(*calling(), *OVER))
    session = agent.call(run.port)
    agent.wait("DidStart", session)
    session.end()
    assert agent.wait("DidEnd", session).originator == "local"
    run.finish()
    assert agent.names(session) == [*("NewOutgoing", "GotRingIndication", "WillStart", "DidStart", "WillEnd", "DidEnd")]


def test_the_200_is_repeated_until_the_ack(sipp: Sipp, agent: Agent) -> None:
    """RFC 3261 13.3.1.4: the session starts once, with the ACK."""
    sipp.start(scenario(*CALLED[:-1], pause(1800), CALLED[-1], pause(100), *BYE), agent.port).finish()
    agent.wait("DidEnd")
    (session,) = agent.incoming
    assert agent.names(session).count("DidStart") == 1 and agent.sent("SIP/2.0 200", "CSeq: 1 INVITE") == 3


def test_an_ack_that_never_comes(sipp: Sipp, agent: Agent, monkeypatch: pytest.MonkeyPatch) -> None:
    """SES-082: 'missing ACK', and the caller is told with a BYE."""
    from sipsimple.core.protocol import incoming_invite

    monkeypatch.setattr(incoming_invite, "ACK_TIMEOUT", 3.0)
    sipp.start(scenario(*CALLED[:-1], *OVER), agent.port).finish()
    assert agent.wait("DidFail").failure_reason == "missing ACK"
    assert "DidStart" not in agent.names(agent.incoming[0])


@pytest.mark.parametrize("body", ["", TWO, HEAD], ids=["none", "one line too many", "no line"])
def test_an_answer_that_is_none(sipp: Sipp, agent: Agent, body: str) -> None:
    """RFC 3264 6, RFC 3261 13.2.2.4: acknowledged, ended with BYE, and told as a failure."""
    run = sipp.start(scenario(*calling(body), *OVER))
    session = agent.call(run.port)
    data = agent.wait("DidFail", session)
    run.finish()
    assert "DidStart" not in agent.names(session) and "SDP" in data.failure_reason


def test_an_offer_with_fewer_lines_than_before(sipp: Sipp, agent: Agent) -> None:
    """RFC 3264 8: lines are never removed. The offer is refused, and the session goes on."""
    branch = "z9hG4bKfewer[call_number]"
    fewer = [request("INVITE", 2, uri=ALICE, body=HEAD, branch=branch, retrans=500), expect(100, optional=True)]
    fewer += [expect(488), request("ACK", 2, uri=ALICE, branch=branch)]
    sipp.start(scenario(*CALLED, pause(100), *fewer, *BYE), agent.port).finish()
    assert agent.wait("DidEnd").originator == "remote"


def test_sipp_adds_a_stream(sipp: Sipp, agent: Agent) -> None:
    """SES-091, SES-093: a second line is a proposal, which is accepted."""
    added = [request("INVITE", 2, uri=ALICE, body=TWO, retrans=500), expect(100, optional=True), expect(200)]
    sipp.start(scenario(*CALLED, pause(100), *added, request("ACK", 2), pause(100), *BYE), agent.port).finish()
    agent.wait("DidEnd")
    (session,) = agent.incoming
    data = agent.recorder.assert_one("SIPSessionGotAcceptProposal", session).data
    assert data.originator == "remote" and len(data.streams) == 1
    assert "DidRenegotiateStreams" in agent.names(session)


def test_sipp_asks_for_an_offer_within_the_session(sipp: Sipp, agent: Agent) -> None:
    """RFC 3261 14.2: the session offers what it has, and goes on."""
    asked = [request("INVITE", 2, uri=ALICE, retrans=500), expect(100, optional=True), expect(200, having=(OURS,))]
    asked += [request("ACK", 2, uri=ALICE, body=SDP), pause(100)]
    sipp.start(scenario(*CALLED, pause(100), *asked, *BYE), agent.port).finish()
    assert agent.wait("DidEnd").originator == "remote"
    assert "HadProposalFailure" not in agent.names(agent.incoming[0])


def test_sipp_asks_for_the_offer(sipp: Sipp, agent: Agent) -> None:
    """RFC 3261 13.2.1: an INVITE without offer gets ours; the ACK has the answer, and the session starts with it."""
    steps = [invite(body=""), expect(100, optional=True), expect(180, optional=True), expect(200, having=(OURS,))]
    sipp.start(scenario(*steps, request("ACK", 1, body=SDP), pause(100), *BYE), agent.port).finish()
    agent.wait("DidEnd")
    (session,) = agent.incoming
    assert "DidStart" in agent.names(session)


def test_proposals_that_cross(sipp: Sipp, agent: Agent) -> None:
    """RFC 3261 14.1: after a 491 the session proposes again by itself, some seconds later."""
    pending = [expect("INVITE"), reply(491, "Request Pending", tag=None), expect("ACK")]
    again = [expect("INVITE", having=("m=data 4000.*",)), reply(200, "OK", tag=None, body=TWO), expect("ACK")]
    run = sipp.start(scenario(*calling(), *pending, *again, *OVER))
    session = agent.call(run.port)
    agent.wait("DidStart", session)
    session.add_stream(agent.stream())
    assert agent.wait("GotAcceptProposal", session).originator == "local"
    assert len(session.streams) == 2
    session.end()
    run.finish()
    agent.wait("DidEnd", session)


def test_a_redirection(sipp: Sipp, agent: Agent) -> None:
    """RFC 3261 8.1.3.4: where to call instead, best first, is for the application to read."""
    contacts = "Contact: <sip:second@192.0.2.2>;q=0.3, <sip:first@192.0.2.1>;q=0.9"
    run = sipp.start(scenario(expect("INVITE"), reply(302, "Moved", contacts, contact=False), expect("ACK")))
    session = agent.call(run.port)
    assert agent.wait("DidFail", session).code == 302
    run.finish()
    assert [str(target.uri) for target in session.redirection_targets] == [
        "sip:first@192.0.2.1",
        "sip:second@192.0.2.2",
    ]


def told(status: str) -> list[str]:
    return [expect("NOTIFY", having=(f"SIP/2.0 {status}",)), reply(200, "OK", tag=None, contact=False)]


def test_sipp_transfers_us(sipp: Sipp, agent: Agent) -> None:
    """SES-057, SES-101: a new session with the target; the transferor hears of it and hangs up."""
    target = sipp.start(scenario(*calling(), *OVER))
    refer = [request("REFER", 2, f"Refer-To: <sip:carol@127.0.0.1:{target.port}>", uri=ALICE, retrans=500), expect(202)]
    # 100 when the REFER is taken, and when the application has agreed
    steps = [*CALLED, pause(100), *refer, *told("100"), *told("100"), *told("180"), *told("200"), *BYE]
    transferor = sipp.start(scenario(*steps), agent.port)
    transferor.finish()
    (session,) = agent.incoming
    agent.wait("DidEnd", session)
    assert {"TransferNewIncoming", "TransferDidStart", "TransferDidEnd"} <= set(agent.names(session))
    new = next(found.sender for found in agent.recorder.find_all("SIPSessionNewOutgoing"))
    assert str(new.remote_identity.uri).startswith("sip:carol@")
    new.end()
    target.finish()
    agent.wait("DidEnd", new)


@pytest.mark.parametrize("code", [200, 486])
def test_we_transfer_sipp(sipp: Sipp, agent: Agent, code: int) -> None:
    """SES-056, SES-101, SES-102: with the transfer's success the session ends, with its failure it goes on."""

    def progress(cseq: int, status: str, state: str) -> list[str]:
        headers = "Event: refer", f"Subscription-State: {state}"
        return [back("NOTIFY", cseq, *headers, body=f"SIP/2.0 {status}\n", content_type=SIPFRAG), expect(200)]

    steps = [*calling(), expect("REFER"), reply(202, "Accepted", tag=None), *progress(1, "100 Trying", "active")]
    steps += progress(2, f"{code} Whatever", "terminated;reason=noresource")
    run = sipp.start(scenario(*steps, *OVER))
    session = agent.call(run.port)
    agent.wait("DidStart", session)
    session.transfer("sip:carol@192.0.2.7")
    if code == 200:
        agent.wait("TransferDidEnd", session)
    else:
        assert agent.wait("TransferDidFail", session).code == 486
        assert session.state == "connected"
        session.end()
    agent.wait("DidEnd", session)
    run.finish()


def test_a_session_that_takes_the_place_of_another(sipp: Sipp, agent: Agent) -> None:
    """SES-073 (RFC 3891 3): the target of an attended transfer sees which of its sessions is replaced, and it ends."""
    first = sipp.start(scenario(*CALLED, *OVER), agent.port)
    agent.wait("DidStart")
    (replaced,) = agent.incoming
    accepted = next(
        trace.data.data
        for trace in agent.recorder.find_all("SIPEngineSIPTrace", received=False)
        if trace.data.data.startswith("SIP/2.0 200") and "CSeq: 1 INVITE" in trace.data.data
    )
    headers = dict(line.partition(": ")[::2] for line in accepted.split("\r\n") if ": " in line)
    tags = f"to-tag={headers['To'].partition('tag=')[2]};from-tag={headers['From'].partition('tag=')[2]}"
    second = [invite(f"Replaces: {headers['Call-ID']};{tags}"), *CALLED[1:], pause(100), *BYE]
    sipp.start(scenario(*second), agent.port).finish()
    first.finish()
    agent.wait("DidEnd", replaced)
    new = agent.incoming[1]
    assert new.replaced_session is replaced
    agent.wait("DidEnd", new)
