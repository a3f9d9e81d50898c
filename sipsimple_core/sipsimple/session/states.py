"""The states of a session, as a table (SES-008, SES-059).

Theory of operation: a session goes None → outgoing → connecting → connected as the caller, None → incoming →
accepting → connected as the callee, and from everywhere → terminating → terminated. Some events are an
application's calls (those named after a method), made in any thread; they change the state at once, so
that of two calls which exclude each other one gets an IllegalStateError. The others are what the network and the
streams do to the session, in the reactor thread. An event that a state does not list is illegal there, with one
exception: a session that an application's call has just sent to `terminating` may still be reached by events that
were under way, which are then of no interest.

Proposals of streams lead from `connected` to the proposal states and back (SETTLE); each of these can end in the
same two ways as `connected`. What is renegotiated without anybody being asked (a stream that goes, hold, a refresh)
leaves the state alone. hold() and unhold() are allowed everywhere, so they are no events.
"""

from __future__ import annotations

from enum import Enum

__all__ = [
    "ACCEPTING",
    "ACCEPTING_PROPOSAL",
    "CANCELLING_PROPOSAL",
    "CONNECTED",
    "CONNECTING",
    "INCOMING",
    "INITIAL",
    "OUTGOING",
    "OVER",
    "RECEIVED_PROPOSAL",
    "REJECTING",
    "REJECTING_PROPOSAL",
    "SENDING_PROPOSAL",
    "TERMINATED",
    "TERMINATING",
    "TRANSITIONS",
    "Event",
    "State",
    "states_allowing",
]

State = str | None

INITIAL: State = None
INCOMING = "incoming"
OUTGOING = "outgoing"
CONNECTING = "connecting"  # called, and the remote party has given a sign of life
ACCEPTING = "accepting"
REJECTING = "rejecting"  # the session refuses an incoming call by itself, because no stream can be had
CONNECTED = "connected"
RECEIVED_PROPOSAL = "received_proposal"
ACCEPTING_PROPOSAL = "accepting_proposal"
REJECTING_PROPOSAL = "rejecting_proposal"
SENDING_PROPOSAL = "sending_proposal"
CANCELLING_PROPOSAL = "cancelling_proposal"
TERMINATING = "terminating"
TERMINATED = "terminated"


class Event(Enum):
    """What can happen to a session."""

    # Calls of the application
    CONNECT = "connect()"
    RING = "send_ring_indication()"
    ACCEPT = "accept()"
    REJECT = "reject()"
    END = "end()"
    ADD_STREAM = "add_stream()"
    REMOVE_STREAM = "remove_stream()"
    ACCEPT_PROPOSAL = "accept_proposal()"
    REJECT_PROPOSAL = "reject_proposal()"
    CANCEL_PROPOSAL = "cancel_proposal()"
    TRANSFER = "transfer()"
    ANSWER_TRANSFER = "accept_transfer(), reject_transfer()"
    # What the network and the streams do
    RECEIVE_INVITE = "INVITE received"
    PROGRESS = "provisional response received"
    NEXT_ROUTE = "a route did not work, the next one is tried"
    REFUSE = "no stream works before the INVITE was accepted"
    START = "acknowledged, and all streams have started"
    RECEIVE_PROPOSAL = "streams are proposed"
    SETTLE = "a proposal was accepted, refused, cancelled or has failed"
    RESUME = "the remote party's proposal is over, and ours, which it has met, goes on"
    CLOSE = "failed, ended by the remote party or left by its last stream"
    FINISH = "everything is torn down"


_E = Event


def _established(state: State) -> dict[Event, State]:
    return {_E.ANSWER_TRANSFER: state, _E.END: TERMINATING, _E.CLOSE: TERMINATING}


#: {state: {event: next state}}
TRANSITIONS: dict[State, dict[Event, State]] = {
    INITIAL: {_E.CONNECT: OUTGOING, _E.RECEIVE_INVITE: INCOMING},
    OUTGOING: {
        _E.PROGRESS: CONNECTING,
        _E.NEXT_ROUTE: OUTGOING,
        _E.START: CONNECTED,
        _E.END: TERMINATING,
        _E.CLOSE: TERMINATING,
    },
    CONNECTING: {
        _E.PROGRESS: CONNECTING,
        _E.NEXT_ROUTE: OUTGOING,
        _E.START: CONNECTED,
        _E.END: TERMINATING,
        _E.CLOSE: TERMINATING,
    },
    INCOMING: {
        _E.RING: INCOMING,
        _E.ACCEPT: ACCEPTING,
        _E.REJECT: TERMINATING,
        _E.REFUSE: REJECTING,
        _E.END: TERMINATING,
        _E.CLOSE: TERMINATING,
    },
    ACCEPTING: {
        _E.START: CONNECTED,
        _E.REFUSE: REJECTING,
        _E.END: TERMINATING,
        _E.CLOSE: TERMINATING,
    },
    REJECTING: {_E.END: TERMINATING, _E.FINISH: TERMINATED},
    CONNECTED: {
        _E.ADD_STREAM: SENDING_PROPOSAL,
        _E.REMOVE_STREAM: CONNECTED,
        _E.TRANSFER: CONNECTED,
        _E.RECEIVE_PROPOSAL: RECEIVED_PROPOSAL,
        **_established(CONNECTED),
    },
    RECEIVED_PROPOSAL: {
        _E.ACCEPT_PROPOSAL: ACCEPTING_PROPOSAL,
        _E.REJECT_PROPOSAL: REJECTING_PROPOSAL,
        _E.SETTLE: CONNECTED,
        _E.RESUME: SENDING_PROPOSAL,
        **_established(RECEIVED_PROPOSAL),
    },
    ACCEPTING_PROPOSAL: {_E.SETTLE: CONNECTED, _E.RESUME: SENDING_PROPOSAL, **_established(ACCEPTING_PROPOSAL)},
    REJECTING_PROPOSAL: {_E.SETTLE: CONNECTED, _E.RESUME: SENDING_PROPOSAL, **_established(REJECTING_PROPOSAL)},
    SENDING_PROPOSAL: {
        _E.CANCEL_PROPOSAL: CANCELLING_PROPOSAL,
        _E.RECEIVE_PROPOSAL: RECEIVED_PROPOSAL,  # both propose at once, and ours has to wait
        _E.SETTLE: CONNECTED,
        **_established(SENDING_PROPOSAL),
    },
    CANCELLING_PROPOSAL: {_E.SETTLE: CONNECTED, **_established(CANCELLING_PROPOSAL)},
    TERMINATING: {_E.FINISH: TERMINATED},
    TERMINATED: {},
}

#: The states of a session that nothing but its own tearing down can change any more.
OVER: frozenset[State] = frozenset({REJECTING, TERMINATING, TERMINATED})


def states_allowing(event: Event) -> tuple[State, ...]:
    """The states that know `event`, in the table's order."""
    return tuple(state for state, events in TRANSITIONS.items() if event in events)
