"""The table of a session's states, and what every method does in every one of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import SimpleNamespace

import pytest

from sipsimple.core import SIPURI, ToHeader
from sipsimple.session import IllegalStateError, Session
from sipsimple.session.states import OVER, TERMINATED, TRANSITIONS, Event, states_allowing
from sipsimple.testing.scripted import Stage
from sipsimple.util import Route

DECIDED = [
    None, 'incoming', 'outgoing', 'connecting', 'accepting', 'rejecting', 'connected', 'received_proposal',
    'accepting_proposal', 'rejecting_proposal', 'sending_proposal', 'cancelling_proposal', 'terminating', 'terminated',
]  # fmt: skip


@pytest.fixture
def stage() -> Iterator[Stage]:
    with Stage().set() as stage:
        yield stage


METHODS: dict[Event, Callable[[Stage, Session], None]] = {
    Event.CONNECT: lambda stage, session: session.connect(
        ToHeader(SIPURI(host="example.com", user="bob")), [Route("10.0.0.2")], [stage.stream()]
    ),
    Event.RING: lambda stage, session: session.send_ring_indication(),
    Event.ACCEPT: lambda stage, session: session.accept(session.proposed_streams or [stage.stream()]),
    Event.REJECT: lambda stage, session: session.reject(),
    Event.END: lambda stage, session: session.end(),
    Event.ADD_STREAM: lambda stage, session: session.add_stream(stage.stream("new")),
    Event.REMOVE_STREAM: lambda stage, session: session.remove_stream(session.streams[0]),
    Event.ACCEPT_PROPOSAL: lambda stage, session: session.accept_proposal(session.proposed_streams or [stage.stream()]),
    Event.REJECT_PROPOSAL: lambda stage, session: session.reject_proposal(),
    Event.CANCEL_PROPOSAL: lambda stage, session: session.cancel_proposal(),
}


def test_the_states_are_those_decided() -> None:
    """SES-059: the states of a session."""
    assert set(TRANSITIONS) == set(DECIDED)


def test_every_transition_leads_to_a_state() -> None:
    """SES-008: the table is closed, and everything ends in `terminated`."""
    for state, events in TRANSITIONS.items():
        assert set(events.values()) <= set(TRANSITIONS), state
        reached, open_ends = {state}, [state]
        while open_ends:
            for following in TRANSITIONS[open_ends.pop()].values():
                if following not in reached:
                    reached.add(following)
                    open_ends.append(following)
        assert TERMINATED in reached, state
    assert TRANSITIONS[TERMINATED] == {}


@pytest.mark.parametrize(
    ("event", "allowed"),
    [
        (Event.CONNECT, {None}),
        (Event.RING, {"incoming"}),
        (Event.ACCEPT, {"incoming"}),
        (Event.REJECT, {"incoming"}),
        (Event.ADD_STREAM, {"connected"}),
        (Event.REMOVE_STREAM, {"connected"}),
        (Event.ACCEPT_PROPOSAL, {"received_proposal"}),
        (Event.REJECT_PROPOSAL, {"received_proposal"}),
        (Event.CANCEL_PROPOSAL, {"sending_proposal"}),
        (Event.END, set(DECIDED) - {None, "terminating", "terminated"}),
    ],
)
def test_where_methods_are_allowed(event: Event, allowed: set[str | None]) -> None:
    """SES-013, SES-025, SES-030, SES-034, SES-039, SES-042, SES-046, SES-048, SES-054: where a method may be called."""
    assert set(states_allowing(event)) == allowed


@pytest.mark.parametrize(
    ("state", "event"), [(state, event) for state in DECIDED for event in METHODS if event not in TRANSITIONS[state]]
)
def test_a_method_that_the_state_does_not_allow_raises(stage: Stage, state: str | None, event: Event) -> None:
    """SES-013, SES-025, SES-030, SES-054: a method in a state that does not allow it names that state and those
    that do, and changes nothing."""
    session = Session(stage.account)
    session._state = state
    session._streams = [stage.stream("a"), stage.stream("b")]
    with pytest.raises(IllegalStateError) as raised:
        METHODS[event](stage, session)
    assert raised.value.state == state
    assert raised.value.allowed == states_allowing(event)
    assert repr(state) in str(raised.value)
    assert repr(raised.value.allowed[0]) in str(raised.value)
    assert event.value in str(raised.value)
    assert session.state == state
    assert stage.recorder.names(session) == []
    assert stage.calls == []


@pytest.mark.parametrize(
    ("state", "event"), [(state, event) for state in DECIDED for event in METHODS if event in TRANSITIONS[state]]
)
def test_a_method_changes_the_state_at_once(stage: Stage, state: str | None, event: Event) -> None:
    """SES-009, SES-014, SES-025, SES-030, SES-054: where a method is allowed the state has changed when it returns."""
    session = Session(stage.account)
    session._state = state
    session._proposed_streams = [stage.stream()]
    session._streams = [stage.stream("a"), stage.stream("b")]
    if state is not None:
        session._registry.add(session, session._streams)
    session._mailbox = SimpleNamespace(put=lambda *action: None)  # type: ignore[assignment]
    METHODS[event](stage, session)
    assert session.state == TRANSITIONS[state][event]


def test_a_session_that_is_over_knows_no_way_back() -> None:
    """SES-083: nothing follows the end."""
    for state in OVER:
        assert set(TRANSITIONS[state].values()) <= OVER


def test_an_error_of_state_is_a_value() -> None:
    """SES-013: IllegalStateError carries the state and the states allowed."""
    error = IllegalStateError("connected", (None,), "connect()")
    assert (error.state, error.allowed) == ("connected", (None,))
    assert str(error) == "connect() is not allowed in the state 'connected'; states that allow it: None"
