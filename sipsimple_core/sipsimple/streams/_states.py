"""How a stream class whose life is a table takes an event."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum
from typing import TypeVar

__all__ = ["following"]

S = TypeVar("S", bound=Enum)
E = TypeVar("E", bound=Enum)


def following(states: Mapping[S, Mapping[E, S]], state: S, event: E) -> S:
    """The state after an event.

    :param states: ``{state: {event: next state}}``
    :raises IllegalStateError: the state does not know the event; its text says which states do
    """
    next_state = states[state].get(event)
    if next_state is None:
        from sipsimple.session import IllegalStateError

        allowed = [state.value for state, events in states.items() if event in events]
        raise IllegalStateError(state.value, allowed, event.value)
    return next_state
