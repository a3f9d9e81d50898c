"""The four transaction state machines as tables (RFC 3261 17.1, 17.2; RFC 6026 7, 8), and their timers.

Theory of operation: a table maps each state to the events it knows, and each event to the next state and the
actions of the transition, in order: ``{state: {event: (next state, action, ...)}}``. The tables are figures 5
to 8 of RFC 3261, with those of RFC 6026 in place of 5 and 7, and nothing else decides what a transaction does.
States, events and timers have the RFC's names; where the RFCs' text asks for something that their figures leave
out, the row says which clause.

A transaction class (`client_transaction`, `server_transaction`) has a method for each action, under the
action's value with an underscore in front; `compiled` resolves the names once, when the class is made. The
state is set before the actions run, so an action that calls the user may be re-entered by the user's answer.

What comes from the network is classified before it becomes an event, and every state that a message can reach
knows every event that a message can cause, if only to ignore it. So an event that a state does not know is a
mistake of the program above, and raises `TransactionStateError`.

Over reliable transports the same tables hold: the actions that start A, E and G do nothing there, and timers D,
I, J and K have a duration of zero (table 4), which means the next run of the timers.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from enum import Enum
from typing import Any

__all__ = [
    'INVITE_CLIENT', 'INVITE_SERVER', 'NON_INVITE_CLIENT', 'NON_INVITE_SERVER', 'T1', 'T2', 'T4',
    'TIMER_ANSWER', 'TIMER_B', 'TIMER_CANCEL', 'TIMER_D', 'TIMER_F', 'TIMER_H', 'TIMER_I', 'TIMER_J', 'TIMER_K',
    'TIMER_L', 'TIMER_M', 'TRYING_DELAY', 'Action', 'Event', 'State', 'Table', 'TransactionLimitError',
    'TransactionStateError', 'Transitions', 'compiled',
]  # fmt: skip

# All durations are in seconds (RFC 3261 table 4, RFC 6026 8.11).
#: Estimate of the round-trip time; the first interval of timers A, E and G.
T1 = 0.5
#: The longest interval of timers E and G.
T2 = 4.0
#: The longest time that a message stays in the network.
T4 = 5.0
#: INVITE client: no response at all.
TIMER_B = 64 * T1
#: INVITE client: repetitions of a 300-699 response are acknowledged for so long; unreliable transports only.
TIMER_D = 32.0
#: Non-INVITE client: no final response.
TIMER_F = 64 * T1
#: INVITE server: no ACK to a 300-699 response.
TIMER_H = 64 * T1
#: INVITE server: repetitions of the ACK are absorbed for so long; unreliable transports only.
TIMER_I = T4
#: Non-INVITE server: repetitions of the request are answered for so long; unreliable transports only.
TIMER_J = 64 * T1
#: Non-INVITE client: repetitions of the final response are absorbed for so long; unreliable transports only.
TIMER_K = T4
#: INVITE server: repetitions of an accepted INVITE are absorbed for so long.
TIMER_L = 64 * T1
#: INVITE client: repetitions of a 2xx and those of other branches of a fork are passed up for so long.
TIMER_M = 64 * T1
#: INVITE server: 100 is sent if the user has not answered by then (17.2.1).
TRYING_DELAY = 0.2
#: INVITE client: no final response after a CANCEL (9.1).
TIMER_CANCEL = 64 * T1
#: Non-INVITE server: the user has not answered, and the client has stopped waiting (RFC 4320 4.2).
TIMER_ANSWER = 64 * T1


class State(Enum):
    """The states of the RFC's figures; `INITIAL` is the figures' entry."""

    INITIAL = "Initial"
    CALLING = "Calling"
    TRYING = "Trying"
    PROCEEDING = "Proceeding"
    COMPLETED = "Completed"
    CONFIRMED = "Confirmed"
    ACCEPTED = "Accepted"
    TERMINATED = "Terminated"

    # Members are singletons; Enum's own hash is Python code, and each transition looks two members up.
    __hash__ = object.__hash__


class Event(Enum):
    """What a transaction can be told: by the network, by its user (TU), by a timer."""

    REQUEST = "request"
    ACK = "ACK"
    RESPONSE_1XX = "1xx"
    RESPONSE_2XX = "2xx"
    RESPONSE_300_699 = "300-699"
    RESPONSE_200_699 = "200-699"
    TRANSPORT_ERROR = "transport error"
    SEND_REQUEST = "request from TU"
    SEND_1XX = "1xx from TU"
    SEND_2XX = "2xx from TU"
    SEND_300_699 = "300-699 from TU"
    SEND_200_699 = "200-699 from TU"
    TIMER_A = "timer A"
    TIMER_B = "timer B"
    TIMER_D = "timer D"
    TIMER_E = "timer E"
    TIMER_F = "timer F"
    TIMER_G = "timer G"
    TIMER_H = "timer H"
    TIMER_I = "timer I"
    TIMER_J = "timer J"
    TIMER_K = "timer K"
    TIMER_L = "timer L"
    TIMER_M = "timer M"
    TIMER_TRYING = "timer for 100"
    TIMER_CANCEL = "timer after CANCEL"
    TIMER_ANSWER = "timer for an answer"

    __hash__ = object.__hash__


class Action(Enum):
    """What a transition does; the value names the method of the transaction."""

    SEND_REQUEST = "send_request"
    SEND_ACK = "send_ack"
    SEND_HELD_CANCEL = "send_held_cancel"
    SEND_RESPONSE = "send_response"
    SEND_AGAIN = "send_again"
    SEND_TRYING = "send_trying"
    PASS_REQUEST = "pass_request"
    PASS_RESPONSE = "pass_response"
    REPORT_TIMEOUT = "report_timeout"
    REPORT_ERROR = "report_error"
    STOP_TIMERS = "stop_timers"
    START_A = "start_a"
    START_B = "start_b"
    START_D = "start_d"
    START_E = "start_e"
    START_E_AT_T2 = "start_e_at_t2"
    START_F = "start_f"
    START_G = "start_g"
    START_H = "start_h"
    START_I = "start_i"
    START_J = "start_j"
    START_K = "start_k"
    START_L = "start_l"
    START_M = "start_m"
    START_TRYING = "start_trying"
    START_ANSWER = "start_answer"
    TERMINATE = "terminate"


Table = Mapping[State, Mapping[Event, tuple[State | Action, ...]]]

INVITE_CLIENT: Table = {
    State.INITIAL: {
        Event.SEND_REQUEST: (State.CALLING, Action.START_A, Action.START_B, Action.SEND_REQUEST),
        # there is no way to the hop: the request has not been sent at all (8.1.3.1)
        Event.TRANSPORT_ERROR: (State.TERMINATED, Action.REPORT_ERROR, Action.TERMINATE),
    },
    State.CALLING: {
        Event.TIMER_A: (State.CALLING, Action.START_A, Action.SEND_REQUEST),
        Event.TIMER_B: (State.TERMINATED, Action.REPORT_TIMEOUT, Action.TERMINATE),
        Event.TRANSPORT_ERROR: (State.TERMINATED, Action.REPORT_ERROR, Action.TERMINATE),
        Event.RESPONSE_1XX: (State.PROCEEDING, Action.STOP_TIMERS, Action.SEND_HELD_CANCEL, Action.PASS_RESPONSE),
        Event.RESPONSE_2XX: (State.ACCEPTED, Action.STOP_TIMERS, Action.START_M, Action.PASS_RESPONSE),
        Event.RESPONSE_300_699: (
            State.COMPLETED,
            Action.STOP_TIMERS,
            Action.START_D,
            Action.SEND_ACK,
            Action.PASS_RESPONSE,
        ),
    },
    State.PROCEEDING: {
        Event.RESPONSE_1XX: (State.PROCEEDING, Action.PASS_RESPONSE),
        Event.RESPONSE_2XX: (State.ACCEPTED, Action.STOP_TIMERS, Action.START_M, Action.PASS_RESPONSE),
        Event.RESPONSE_300_699: (
            State.COMPLETED,
            Action.STOP_TIMERS,
            Action.START_D,
            Action.SEND_ACK,
            Action.PASS_RESPONSE,
        ),
        # 9.1: without a final response the cancelled transaction is given up
        Event.TIMER_CANCEL: (State.TERMINATED, Action.REPORT_TIMEOUT, Action.TERMINATE),
        # nothing is being sent: the final response may still come, over a new connection (18.2.2)
        Event.TRANSPORT_ERROR: (State.PROCEEDING,),
    },
    State.COMPLETED: {
        Event.RESPONSE_300_699: (State.COMPLETED, Action.SEND_ACK),
        Event.RESPONSE_1XX: (State.COMPLETED,),
        Event.RESPONSE_2XX: (State.COMPLETED,),
        Event.TRANSPORT_ERROR: (State.TERMINATED, Action.REPORT_ERROR, Action.TERMINATE),
        Event.TIMER_D: (State.TERMINATED, Action.TERMINATE),
    },
    State.ACCEPTED: {
        Event.RESPONSE_2XX: (State.ACCEPTED, Action.PASS_RESPONSE),
        Event.RESPONSE_1XX: (State.ACCEPTED,),
        Event.RESPONSE_300_699: (State.ACCEPTED,),
        Event.TRANSPORT_ERROR: (State.ACCEPTED,),
        Event.TIMER_M: (State.TERMINATED, Action.TERMINATE),
    },
    State.TERMINATED: {},
}

NON_INVITE_CLIENT: Table = {
    State.INITIAL: {
        Event.SEND_REQUEST: (State.TRYING, Action.START_E, Action.START_F, Action.SEND_REQUEST),
        Event.TRANSPORT_ERROR: (State.TERMINATED, Action.REPORT_ERROR, Action.TERMINATE),
    },
    State.TRYING: {
        Event.TIMER_E: (State.TRYING, Action.START_E, Action.SEND_REQUEST),
        Event.TIMER_F: (State.TERMINATED, Action.REPORT_TIMEOUT, Action.TERMINATE),
        Event.TRANSPORT_ERROR: (State.TERMINATED, Action.REPORT_ERROR, Action.TERMINATE),
        Event.RESPONSE_1XX: (State.PROCEEDING, Action.PASS_RESPONSE),
        Event.RESPONSE_200_699: (State.COMPLETED, Action.STOP_TIMERS, Action.START_K, Action.PASS_RESPONSE),
    },
    State.PROCEEDING: {
        Event.TIMER_E: (State.PROCEEDING, Action.START_E_AT_T2, Action.SEND_REQUEST),
        Event.TIMER_F: (State.TERMINATED, Action.REPORT_TIMEOUT, Action.TERMINATE),
        Event.TRANSPORT_ERROR: (State.TERMINATED, Action.REPORT_ERROR, Action.TERMINATE),
        Event.RESPONSE_1XX: (State.PROCEEDING, Action.PASS_RESPONSE),
        Event.RESPONSE_200_699: (State.COMPLETED, Action.STOP_TIMERS, Action.START_K, Action.PASS_RESPONSE),
    },
    State.COMPLETED: {
        Event.RESPONSE_1XX: (State.COMPLETED,),
        Event.RESPONSE_200_699: (State.COMPLETED,),
        Event.TRANSPORT_ERROR: (State.COMPLETED,),
        Event.TIMER_K: (State.TERMINATED, Action.TERMINATE),
    },
    State.TERMINATED: {},
}

INVITE_SERVER: Table = {
    State.INITIAL: {
        Event.REQUEST: (State.PROCEEDING, Action.PASS_REQUEST, Action.START_TRYING),
    },
    State.PROCEEDING: {
        Event.REQUEST: (State.PROCEEDING, Action.SEND_AGAIN),
        Event.ACK: (State.PROCEEDING,),
        Event.TIMER_TRYING: (State.PROCEEDING, Action.SEND_TRYING),
        Event.SEND_1XX: (State.PROCEEDING, Action.STOP_TIMERS, Action.SEND_RESPONSE),
        Event.SEND_2XX: (State.ACCEPTED, Action.STOP_TIMERS, Action.START_L, Action.SEND_RESPONSE),
        Event.SEND_300_699: (State.COMPLETED, Action.STOP_TIMERS, Action.START_G, Action.START_H, Action.SEND_RESPONSE),
        Event.TRANSPORT_ERROR: (State.PROCEEDING, Action.REPORT_ERROR),
    },
    State.COMPLETED: {
        Event.REQUEST: (State.COMPLETED, Action.SEND_AGAIN),
        Event.TIMER_G: (State.COMPLETED, Action.START_G, Action.SEND_AGAIN),
        Event.ACK: (State.CONFIRMED, Action.STOP_TIMERS, Action.START_I),
        Event.TRANSPORT_ERROR: (State.COMPLETED, Action.REPORT_ERROR),
        # 17.2.1: the user is told, although the figure says nothing
        Event.TIMER_H: (State.TERMINATED, Action.REPORT_TIMEOUT, Action.TERMINATE),
    },
    State.CONFIRMED: {
        Event.ACK: (State.CONFIRMED,),
        Event.REQUEST: (State.CONFIRMED,),
        Event.TRANSPORT_ERROR: (State.CONFIRMED,),
        Event.TIMER_I: (State.TERMINATED, Action.TERMINATE),
    },
    State.ACCEPTED: {
        # RFC 6026 7.1: retransmitted INVITEs are absorbed, the 2xx and its repetitions are the user's
        Event.REQUEST: (State.ACCEPTED,),
        Event.ACK: (State.ACCEPTED, Action.PASS_REQUEST),
        Event.SEND_2XX: (State.ACCEPTED, Action.SEND_RESPONSE),
        Event.TRANSPORT_ERROR: (State.ACCEPTED, Action.REPORT_ERROR),
        Event.TIMER_L: (State.TERMINATED, Action.TERMINATE),
    },
    State.TERMINATED: {},
}

NON_INVITE_SERVER: Table = {
    State.INITIAL: {
        Event.REQUEST: (State.TRYING, Action.PASS_REQUEST, Action.START_ANSWER),
    },
    State.TRYING: {
        Event.REQUEST: (State.TRYING,),
        Event.SEND_1XX: (State.PROCEEDING, Action.SEND_RESPONSE),
        Event.SEND_200_699: (State.COMPLETED, Action.STOP_TIMERS, Action.START_J, Action.SEND_RESPONSE),
        Event.TRANSPORT_ERROR: (State.TRYING,),
        # RFC 4320 4.2: an answer that nobody waits for any more is not sent
        Event.TIMER_ANSWER: (State.TERMINATED, Action.REPORT_TIMEOUT, Action.TERMINATE),
    },
    State.PROCEEDING: {
        Event.REQUEST: (State.PROCEEDING, Action.SEND_AGAIN),
        Event.SEND_1XX: (State.PROCEEDING, Action.SEND_RESPONSE),
        Event.SEND_200_699: (State.COMPLETED, Action.STOP_TIMERS, Action.START_J, Action.SEND_RESPONSE),
        Event.TRANSPORT_ERROR: (State.TERMINATED, Action.REPORT_ERROR, Action.TERMINATE),
        Event.TIMER_ANSWER: (State.TERMINATED, Action.REPORT_TIMEOUT, Action.TERMINATE),
    },
    State.COMPLETED: {
        Event.REQUEST: (State.COMPLETED, Action.SEND_AGAIN),
        Event.TRANSPORT_ERROR: (State.TERMINATED, Action.REPORT_ERROR, Action.TERMINATE),
        Event.TIMER_J: (State.TERMINATED, Action.TERMINATE),
    },
    State.TERMINATED: {},
}


class TransactionStateError(Exception):
    """The user asked a transaction for something that its state does not allow, as a second final response.

    Attributes: `kind`, `state`, `event`.
    """

    def __init__(self, kind: str, state: State, event: Event, known: list[Event]) -> None:
        allowed = ", ".join(known_event.value for known_event in known) or "nothing"
        super().__init__(f"{kind} transaction in state {state.value} does not know {event.value!r}, only: {allowed}")
        self.kind = kind
        self.state = state
        self.event = event


class TransactionLimitError(Exception):
    """The layer has as many client transactions as it may have; to the user, the same as a 503."""

    code = 503


Transitions = dict[State, dict[Event, tuple[State, tuple[Callable[[Any, Any, float], object], ...]]]]


def compiled(table: Table, cls: type) -> Transitions:
    """The table with the methods of a transaction class in place of the actions."""
    transitions: Transitions = {state: {} for state in State}
    for state, events in table.items():
        transitions[state] = row = {}
        for event, (target, *actions) in events.items():
            assert isinstance(target, State)
            row[event] = target, tuple(getattr(cls, f"_{action.value}") for action in actions)
    return transitions
