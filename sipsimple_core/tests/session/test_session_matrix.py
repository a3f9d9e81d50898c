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


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SIPSIMPLE_LOAD_PLUGINS", "")
    MediaStreamRegistry().register(MatrixStream)
    yield
    MediaStreamRegistry().unregister(MatrixStream)


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
    mine = alice.call(bob, [MatrixStream])
    network.run_until(lambda: bob.incoming and mine.state == bob.incoming[0].state == "connected")
    theirs = bob.incoming[0]
    if state == "received_proposal":
        bob.run(theirs.add_stream, bob.run(MatrixStream, bob.account))
        network.run_until(lambda: mine.state == "received_proposal")
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


#: {state: {request: the answers that are right}}. RFC 3261 12.2.2, 14.2, 15.1.2; RFC 3311 5.2; RFC 3515 2.4.2.
ANSWERS: dict[str, dict[str, tuple[int, ...]]] = {
    "connected": {
        "INVITE": (200,), "UPDATE": (200,), "INFO": (200,), "OPTIONS": (200,), "MESSAGE": (200,), "PRACK": (481,),
        "NOTIFY": (481, 489), "SUBSCRIBE": (489, 481), "REFER": (400, 481, 405), "FROBNICATE": (501,), "BYE": (200,),
    },
    "received_proposal": {
        "INVITE": (500,), "UPDATE": (500,), "INFO": (200,), "OPTIONS": (200,), "MESSAGE": (200,), "PRACK": (481,),
        "NOTIFY": (481, 489), "SUBSCRIBE": (489, 481), "REFER": (400, 481, 405), "FROBNICATE": (501,), "BYE": (200,),
    },
    "sending_proposal": {
        "INVITE": (491,), "UPDATE": (491,), "INFO": (200,), "OPTIONS": (200,), "PRACK": (481,), "BYE": (200,),
    },
    "cancelling_proposal": {"INVITE": (491,), "UPDATE": (491,), "INFO": (200,), "BYE": (200,)},
    "terminating": {"INVITE": (481,), "UPDATE": (481,), "INFO": (481,), "BYE": (200,)},
    "terminated": {"INVITE": (481,), "UPDATE": (481,), "INFO": (481,), "OPTIONS": (200, 481), "BYE": (481,)},
}  # fmt: skip


@pytest.mark.parametrize(
    ("state", "method"), [(state, method) for state, methods in ANSWERS.items() for method in methods]
)
def test_every_request_in_every_state(network: MemoryNetwork, state: str, method: str) -> None:
    """SES-055, SES-086, SES-097: it gets the answer that it is owed, and the session goes on or ends as it has to."""
    alice, bob = UserAgent(network, "alice"), UserAgent(network, "bob")
    mine, theirs = brought_to("connected" if state in ("terminating", "terminated") else state, alice, bob)
    usage: Any = theirs._invitation._usage
    core, dialog, sdp = usage.core, usage.dialog, theirs._invitation.active_local_sdp
    probe = Probe()

    def send() -> None:
        body = sdp.encode() if method in ("INVITE", "UPDATE") else b""
        fields = [("Content-Type", "application/sdp")] if body else []
        fields += [("RAck", "1 1 INVITE")] if method == "PRACK" else []
        fields += [("Event", "presence")] if method in ("NOTIFY", "SUBSCRIBE") else []
        request = dialog.create_request(method, fields, body)
        core.send_request(request, dialog.next_hop(), probe, network.clock.now)

    if state == "terminating":
        network.filter(lambda packet: None)
        alice.run(mine.end)
        assert mine.state == "terminating"
    elif state == "terminated":
        alice.run(mine.end)
        network.run_until(lambda: mine.state == theirs.state == "terminated")
    bob.run(send)
    network.run_until(lambda: probe.codes, timeout=40)
    assert probe.codes[0] in ANSWERS[state][method]
    network.advance(1)
    if method == "BYE" or state in ("terminating", "terminated"):
        assert mine.state == "terminated"
    else:
        assert mine.state not in ("terminating", "terminated")
        alice.run(mine.end)
    network.advance(60)
    assert mine.state == "terminated"
    ends = [n.name for n in alice.recorder if n.sender is mine and n.name in ("SIPSessionDidEnd", "SIPSessionDidFail")]
    assert ends == ["SIPSessionDidEnd"]
    for agent in (alice, bob):
        assert agent.recorder.find_all("SIPEngineGotException") == []
