"""Every state of a session with every method, and with every request that may come (SES-008 to SES-059)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import pytest

from sipsimple.core import SIPURI, ToHeader
from sipsimple.core.wire.message import SIPResponse
from sipsimple.session import IllegalStateError, Session
from sipsimple.session.states import TRANSITIONS, Event, State, states_allowing
from sipsimple.streams import MediaStreamRegistry
from sipsimple.testing.agent import UserAgent
from sipsimple.testing.network import MemoryNetwork
from sipsimple.testing.packets import Verdict
from sipsimple.testing.scripted import ScriptedStream, Stage
from sipsimple.util import Route

BOB = ToHeader(SIPURI(host="example.com", user="bob"))

#: Method by method: the event that it is, and how it is called with arguments that are right.
METHODS: dict[str, tuple[Event | None, Callable[[Stage, Any], object]]] = {
    "connect": (Event.CONNECT, lambda stage, session: session.connect(BOB, [Route("10.0.0.2")], [stage.stream("c")])),
    "send_ring_indication": (Event.RING, lambda stage, session: session.send_ring_indication()),
    "accept": (Event.ACCEPT, lambda stage, session: session.accept(session._proposed_streams)),
    "reject": (Event.REJECT, lambda stage, session: session.reject(486)),
    "end": (Event.END, lambda stage, session: session.end()),
    "add_stream": (Event.ADD_STREAM, lambda stage, session: session.add_stream(stage.stream("d"))),
    "remove_stream": (Event.REMOVE_STREAM, lambda stage, session: session.remove_stream(session._streams[0])),
    "accept_proposal": (
        Event.ACCEPT_PROPOSAL, lambda stage, session: session.accept_proposal(session._proposed_streams),
    ),
    "reject_proposal": (Event.REJECT_PROPOSAL, lambda stage, session: session.reject_proposal()),
    "cancel_proposal": (Event.CANCEL_PROPOSAL, lambda stage, session: session.cancel_proposal()),
    "transfer": (Event.TRANSFER, lambda stage, session: session.transfer("sip:carol@example.com")),
    "hold": (None, lambda stage, session: session.hold()),
    "unhold": (None, lambda stage, session: session.unhold()),
}  # fmt: skip


@pytest.mark.parametrize("state", list(TRANSITIONS), ids=str)
@pytest.mark.parametrize("method", METHODS)
def test_every_method_in_every_state(state: State, method: str) -> None:
    """SES-008, SES-059: what the state does not allow is refused with the states that do, and changes nothing."""
    event, call = METHODS[method]
    with Stage().set() as stage:
        session: Any = Session(stage.account)
        session._streams = [stage.stream("a"), stage.stream("b")]
        session._proposed_streams = [stage.stream("p")]
        session._registry.add(session, [*session._streams, *session._proposed_streams])
        session._state = state
        session._mailbox = SimpleNamespace(put=lambda *_: None)  # nothing is carried out: it is the table that is tried
        if event is None:
            call(stage, session)
            assert session.state == state
        elif event in TRANSITIONS[state]:
            call(stage, session)
            assert session.state == TRANSITIONS[state][event]
        else:
            with pytest.raises(IllegalStateError) as raised:
                call(stage, session)
            assert session.state == state
            assert raised.value.state == state and raised.value.allowed == states_allowing(event)


@pytest.mark.parametrize("state", list(TRANSITIONS), ids=str)
def test_the_table_leads_on(state: State) -> None:
    """Each state can be reached, and each but the last can be left, at last to `terminated`."""
    reached, before = {None}, set()
    while reached != before:
        before = set(reached)
        reached |= {after for known in before for after in TRANSITIONS[known].values()}
    assert state in reached
    left, before = {state}, set()
    while left != before:
        before = set(left)
        left |= {after for known in before for after in TRANSITIONS[known].values()}
    assert "terminated" in left


# Requests of the remote party


class MatrixStream(ScriptedStream):
    """A stream without media."""

    type = "matrix"
    hold_supported = True


class SlowStream(MatrixStream):
    """A stream that gets neither ready nor ended before the test says so."""

    type = "slow"
    priority = 2

    def __init__(self, account: Any) -> None:
        super().__init__(account)
        self.initialize_does = self.end_does = "wait"


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SIPSIMPLE_LOAD_PLUGINS", "")
    MediaStreamRegistry().register(MatrixStream)
    yield
    MediaStreamRegistry().unregister(MatrixStream)


@pytest.fixture
def network() -> Iterator[MemoryNetwork]:
    network = MemoryNetwork()
    yield network
    network.close()


class Probe:
    """Keeps the final responses."""

    def __init__(self) -> None:
        self.codes: list[int] = []

    def response_received(self, transaction: object, response: SIPResponse, now: float) -> None:
        if response.code >= 200:
            self.codes.append(response.code)

    def transaction_terminated(self, *args: object) -> None: ...

    transaction_timed_out = transport_failed = transaction_terminated


def brought_to(state: str, alice: UserAgent, bob: UserAgent) -> tuple[Any, Any]:
    """A session of alice's in that state, and bob's, whose requests she gets."""
    network = alice.network
    bob.answer_with()
    mine = alice.call(bob, [MatrixStream, MatrixStream])
    network.run_until(lambda: bob.incoming and mine.state == bob.incoming[0].state == "connected")
    theirs = bob.incoming[0]
    if state == "received_proposal":
        bob.run(theirs.add_stream, bob.run(MatrixStream, bob.account))
        network.run_until(lambda: mine.state == "received_proposal")
    elif state == "accepting_proposal":
        MediaStreamRegistry().register(SlowStream)
        bob.run(theirs.add_stream, bob.run(MatrixStream, bob.account))
        network.run_until(lambda: mine.state == "received_proposal")
        MediaStreamRegistry().unregister(SlowStream)
        alice.run(mine.accept_proposal, mine.proposed_streams)
    elif state == "sending_proposal":
        alice.run(mine.add_stream, alice.run(MatrixStream, alice.account))
        network.run_until(lambda: theirs.state == "received_proposal")
    elif state == "cancelling_proposal":
        alice.run(mine.add_stream, alice.run(MatrixStream, alice.account))
        network.run_until(lambda: theirs.state == "received_proposal")
        alice.run(mine.cancel_proposal)
    elif state == "terminating":
        alice.run(mine.end)
    elif state == "terminated":
        alice.run(mine.end)
        network.run_until(lambda: mine.state == theirs.state == "terminated")
    assert mine.state == state
    return mine, theirs


_ESTABLISHED = {
    "INFO": 200, "OPTIONS": 200, "MESSAGE": 200, "PRACK": 481, "NOTIFY": 481, "SUBSCRIBE": 489, "REFER": 202,
    "FROBNICATE": 501, "BYE": 200,
}  # fmt: skip
_NO_DIALOG = {
    "INVITE": 481, "UPDATE": 481, "INFO": 481, "OPTIONS": 481, "MESSAGE": 481, "PRACK": 481, "NOTIFY": 481,
    "SUBSCRIBE": 481, "REFER": 481, "FROBNICATE": 481, "BYE": 481,
}  # fmt: skip

#: {state: {request: the answer that is right}}. RFC 3261 12.2.2; 14.2 and RFC 3311 5.2: 491 where an offer of ours is
#: open, 500 where one of theirs is; 15.1.2; RFC 3515 2.4.2.
ANSWERS: dict[str, dict[str, int]] = {
    "connected": {"INVITE": 200, "UPDATE": 200, **_ESTABLISHED},
    "received_proposal": {"INVITE": 500, "UPDATE": 500, **_ESTABLISHED},
    "accepting_proposal": {"INVITE": 500, "UPDATE": 500, **_ESTABLISHED},
    "sending_proposal": {"INVITE": 491, "UPDATE": 491, **_ESTABLISHED},
    "cancelling_proposal": {"INVITE": 491, "UPDATE": 491, **_ESTABLISHED},
    # the dialog is there until the BYE is answered, but not for what changes the session (RFC 3261 15.1.1)
    "terminating": {**_ESTABLISHED, "INVITE": 481, "UPDATE": 481, "INFO": 481, "REFER": 491},
    "terminated": _NO_DIALOG,
}


EARLY_SDP = b"v=0\r\no=- 1 1 IN IP4 10.0.0.2\r\ns=-\r\nc=IN IP4 10.0.0.2\r\nt=0 0\r\nm=message 2855 TCP/MSRP *\r\n"


def sender(network: MemoryNetwork, session: Any, method: str, probe: Probe) -> Callable[[], None]:
    """What sends a request in the dialog of a session, as it is now; to be called in its agent's realm."""
    usage = session._invitation._usage
    core, dialog = usage.core, usage.dialog
    body = b""
    if method in ("INVITE", "UPDATE"):
        agreed = session._invitation.active_local_sdp
        body = EARLY_SDP if agreed is None else agreed.encode()
    fields = [("Content-Type", "application/sdp")] if body else []
    fields += [("RAck", "1 1 INVITE")] if method == "PRACK" else []
    fields += [("Event", "presence")] if method in ("NOTIFY", "SUBSCRIBE") else []
    fields += [("Refer-To", "<sip:carol@10.0.0.3>")] if method == "REFER" else []

    def send() -> None:
        request = dialog.create_request(method, fields, body)
        core.send_request(request, dialog.next_hop(), probe, network.clock.now)

    return send


@pytest.mark.parametrize(
    ("state", "method"), [(state, method) for state, methods in ANSWERS.items() for method in methods]
)
def test_every_request_in_every_state(network: MemoryNetwork, state: str, method: str) -> None:
    """SES-055, SES-086, SES-097: it gets the answer that it is owed, and the session goes on or ends as it has to."""
    alice, bob = UserAgent(network, "alice"), UserAgent(network, "bob")
    mine, theirs = brought_to("connected" if state in ("terminating", "terminated") else state, alice, bob)
    probe = Probe()
    send = sender(network, theirs, method, probe)
    if state == "terminating":
        network.filter(lambda packet: None)
        alice.run(mine.end)
        assert mine.state == "terminating"
    elif state == "terminated":
        alice.run(mine.end)
        network.run_until(lambda: mine.state == theirs.state == "terminated")
    bob.run(send)
    network.run_until(lambda: probe.codes, timeout=40)
    assert probe.codes == [ANSWERS[state][method]]
    if method == "BYE" or state in ("terminating", "terminated"):
        assert mine.state in ("terminating", "terminated")
    else:
        assert mine.state not in ("terminating", "terminated")
        alice.run(mine.end)
    network.advance(60)
    assert mine.state == "terminated"
    ends = [n.name for n in alice.recorder if n.sender is mine and n.name in ("SIPSessionDidEnd", "SIPSessionDidFail")]
    assert ends == ["SIPSessionDidEnd"]
    for agent in (alice, bob):
        assert agent.recorder.find_all("SIPEngineGotException") == []


# Before the session has started


def begun(state: str, alice: UserAgent, bob: UserAgent) -> tuple[Any, Any]:
    """A session of alice's in a state before it has started, and bob's, who knows of a dialog."""
    network = alice.network
    if state in ("outgoing", "connecting"):
        mine = alice.call(bob, [MatrixStream])
        network.run_until(lambda: bob.incoming)
        if state == "outgoing":
            # what bob sends comes before his 180
            network.filter(lambda packet: Verdict.DROP if packet.data.startswith(b"SIP/2.0 180") else None)
        theirs = bob.incoming[0]
        bob.run(theirs.send_ring_indication)
        network.advance(0.1)
    else:
        MediaStreamRegistry().register(SlowStream)
        theirs = bob.call(alice, [MatrixStream])
        network.run_until(lambda: alice.incoming)
        MediaStreamRegistry().unregister(SlowStream)
        mine = alice.incoming[0]
        alice.run(mine.send_ring_indication)
        network.run_until(lambda: theirs.state == "connecting")
        if state == "accepting":
            alice.run(mine.accept, mine.proposed_streams)
        elif state == "rejecting":
            network.filter(lambda packet: Verdict.DROP if packet.data.startswith(b"SIP/2.0 488") else None)
            alice.run(mine.proposed_streams[0].did_fail, "no media")
    assert mine.state == state
    return mine, theirs


_EARLY = {**_ESTABLISHED, "REFER": 491}
#: As ANSWERS. RFC 3261 12.2.2; 14.2 and RFC 3311 5.2: 491 where our offer is open, 500 where theirs is; 15.1.2.
EARLY_ANSWERS: dict[str, dict[str, int]] = {
    "outgoing": _NO_DIALOG,
    "connecting": {"INVITE": 491, "UPDATE": 491, **_EARLY},
    "incoming": {"INVITE": 500, "UPDATE": 500, **_EARLY},
    "accepting": {"INVITE": 500, "UPDATE": 500, **_EARLY},
    "rejecting": _NO_DIALOG,
}


@pytest.mark.parametrize(
    ("state", "method"), [(state, method) for state, methods in EARLY_ANSWERS.items() for method in methods]
)
def test_every_request_before_the_session_has_started(network: MemoryNetwork, state: str, method: str) -> None:
    """SES-016, SES-030, SES-054, SES-082, SES-083: only BYE ends it, and nothing else changes its state."""
    alice, bob = UserAgent(network, "alice"), UserAgent(network, "bob")
    mine, theirs = begun(state, alice, bob)
    probe = Probe()
    bob.run(sender(network, theirs, method, probe))
    network.run_until(lambda: probe.codes)
    assert probe.codes == [EARLY_ANSWERS[state][method]]
    if method == "BYE" and probe.codes == [200]:
        assert mine.state in ("terminating", "terminated")
    else:
        assert mine.state == state
        alice.run(mine._end_if_possible)
    assert_failed_once(network, alice, mine)


@pytest.mark.parametrize("state", ["incoming", "accepting", "rejecting"])
def test_cancel_before_the_session_has_started(network: MemoryNetwork, state: str) -> None:
    """SES-082, SES-084 (RFC 3261 9.2): it ends what waits for an answer, and not what has one."""
    alice, bob = UserAgent(network, "alice"), UserAgent(network, "bob")
    mine, theirs = begun(state, alice, bob)
    bob.run(theirs.end)
    failure = assert_failed_once(network, alice, mine)
    if state == "rejecting":
        assert (failure.originator, failure.code, failure.failure_reason) == ("local", 488, "stream failed: no media")
    else:
        assert (failure.originator, failure.code, failure.failure_reason) == ("remote", 487, "user_request")
    network.advance(60)
    assert theirs.state == "terminated"


def assert_failed_once(network: MemoryNetwork, agent: UserAgent, session: Any) -> Any:
    """The session fails, with one SIPSessionDidFail as the last of what it tells, whose data are returned."""
    network.advance(60)
    assert session.state == "terminated"
    told = [notification for notification in agent.recorder if notification.sender is session]
    assert told[-1].name == "SIPSessionDidFail"
    assert not {"SIPSessionDidEnd", "SIPSessionDidStart"} & {notification.name for notification in told}
    assert agent.recorder.find_all("SIPEngineGotException") == []
    return agent.recorder.assert_one("SIPSessionDidFail", session).data


# Methods, with everything that follows from them

_FAILS = ["DidProcessTransaction", "DidFail"]
_ENDS = ["WillEnd", "DidProcessTransaction", "DidEnd"]
_STARTS = ["WillStart", "DidProcessTransaction", "DidStart"]
_ADDED = ["GotAcceptProposal", "DidRenegotiateStreams", "DidProcessTransaction"]
_CANCELLED = ["GotProvisionalResponse", "DidProcessTransaction", "GotRejectProposal"]

#: {state: {method: what the session tells from then on}}; where a method is not listed it is not allowed.
TOLD: dict[str | None, dict[str, list[str]]] = {
    None: {"connect": ["NewOutgoing", *_STARTS], "hold": [], "unhold": []},
    "outgoing": {"end": _FAILS, "hold": [], "unhold": []},
    "connecting": {"end": _FAILS, "hold": [], "unhold": []},
    "incoming": {
        "send_ring_indication": [], "accept": _STARTS, "reject": _FAILS, "end": _FAILS, "hold": [], "unhold": [],
    },
    "accepting": {
        "end": _FAILS, "hold": [*_STARTS, "DidChangeHoldState", "DidProcessTransaction"], "unhold": _STARTS,
    },
    # the INVITE has been answered already
    "rejecting": {"end": ["DidFail"], "hold": ["DidFail"], "unhold": ["DidFail"]},
    "connected": {
        "end": _ENDS,
        "add_stream": ["GotProposal", "GotProvisionalResponse"],
        "remove_stream": ["DidRenegotiateStreams", "DidProcessTransaction"],
        "transfer": ["TransferNewOutgoing", "TransferDidStart", "TransferGotProgress"],
        "hold": ["DidChangeHoldState", "DidProcessTransaction"],
        "unhold": [],
    },
    "received_proposal": {
        "end": _ENDS,
        "accept_proposal": _ADDED,
        "reject_proposal": ["GotRejectProposal", "DidProcessTransaction"],
        "hold": ["DidChangeHoldState"],
        "unhold": [],
    },
    "accepting_proposal": {"end": _ENDS, "hold": ["DidChangeHoldState", *_ADDED], "unhold": _ADDED},
    "sending_proposal": {
        "end": _ENDS,
        "cancel_proposal": _CANCELLED,
        "hold": ["DidChangeHoldState", "GotProvisionalResponse"],
        "unhold": ["GotProvisionalResponse"],
    },
    "cancelling_proposal": {
        "end": _ENDS,
        "hold": ["DidChangeHoldState", *_CANCELLED, "DidProcessTransaction"],
        "unhold": _CANCELLED,
    },
    "terminating": {"hold": ["DidProcessTransaction", "DidEnd"], "unhold": ["DidProcessTransaction", "DidEnd"]},
    "terminated": {"hold": [], "unhold": []},
}  # fmt: skip


@pytest.mark.parametrize("method", [*METHODS, "accept_transfer", "reject_transfer"])
@pytest.mark.parametrize("state", [None, *EARLY_ANSWERS, *ANSWERS], ids=str)
def test_every_method_on_the_network(network: MemoryNetwork, state: str | None, method: str) -> None:
    """SES-009, SES-013, SES-025, SES-030, SES-034, SES-042, SES-051, SES-053, SES-054: what is told, whole and in
    order, or IllegalStateError and nothing."""
    alice, bob = UserAgent(network, "alice"), UserAgent(network, "bob")
    if state is None:
        bob.answer_with()
        mine = alice.run(Session, alice.account)
    elif state in EARLY_ANSWERS:
        mine, _ = begun(state, alice, bob)
    else:
        mine, _ = brought_to("connected" if state == "terminating" else state, alice, bob)
        if state == "terminating":
            alice.run(mine.end)
    assert mine.state == state
    slow = [stream for stream in mine.proposed_streams or () if isinstance(stream, SlowStream)]
    before = len(alice.recorder)

    def told() -> list[str]:
        new = alice.recorder.notifications[before:]
        return [n.name.removeprefix("SIPSession") for n in new if n.sender is mine]

    if method not in TOLD.get(state, {}):
        with pytest.raises(IllegalStateError):
            alice.run(called(method, mine, alice, bob))
        assert mine.state == state and told() == []
        return
    alice.run(called(method, mine, alice, bob))
    network.advance(1)
    for stream in slow:
        alice.run(stream.did_initialize)
    network.advance(30)
    assert told() == TOLD[state][method]
    if mine.state is not None:
        alice.run(mine._end_if_possible)
        network.advance(60)
        ends = [name for name in alice.recorder.names(mine) if name in ("SIPSessionDidEnd", "SIPSessionDidFail")]
        assert mine.state == "terminated" and len(ends) == 1
    for agent in (alice, bob):
        assert agent.recorder.find_all("SIPEngineGotException") == []


def called(method: str, session: Any, alice: UserAgent, bob: UserAgent) -> Callable[[], object]:
    """A call of the method with arguments that are right."""

    def call() -> object:
        new = MatrixStream(alice.account)
        arguments: dict[str, tuple[Any, ...]] = {
            "connect": (ToHeader(SIPURI.parse(bob.uri)), [bob.route()], [new]),
            "accept": (session.proposed_streams or [new],),
            "reject": (486,),
            "add_stream": (new,),
            "remove_stream": (session.streams[0] if session.streams else new,),
            "accept_proposal": (session.proposed_streams or [new],),
            "transfer": (f"sip:carol@{alice.ip}",),
        }
        return getattr(session, method)(*arguments.get(method, ()))

    return call
