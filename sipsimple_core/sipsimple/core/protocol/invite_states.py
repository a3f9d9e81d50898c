"""The states of an invitation, as tables (RFC 3261 13, 14 and 15, in the words of the specification's Invitation).

Theory of operation: one machine serves both sides. The caller goes NULL → OUTGOING → EARLY → CONNECTING (a 2xx came)
→ CONNECTED (its ACK is sent), the callee NULL → INCOMING → EARLY (it rings) → CONNECTING (its 2xx is sent) →
CONNECTED (the ACK came). From any of them END, asked for by us, leads to DISCONNECTING as long as the remote party
owes an answer (to a CANCEL or a BYE); a refusal, a failure or the remote party's BYE leads to DISCONNECTED at once.

A second, smaller machine runs beside it: the sub-state, which says whether a proposal is open, a re-INVITE or an
UPDATE with an offer, ours or theirs. There is at most one.

What a state does not list is an error of the program, never of the network: messages are sorted first.
"""

from __future__ import annotations

from enum import Enum, StrEnum

__all__ = ["INVITE_STATES", "PROPOSAL_STATES", "InviteEvent", "InviteState", "InviteSubState", "ProposalEvent"]


class InviteState(StrEnum):
    NULL = "null"
    INCOMING = "incoming"
    OUTGOING = "outgoing"
    EARLY = "early"
    CONNECTING = "connecting"
    CONNECTED = "connected"
    DISCONNECTING = "disconnecting"
    DISCONNECTED = "disconnected"


class InviteSubState(StrEnum):
    """Whether a proposal is open. Before CONNECTED there is no sub-state but while one is."""

    NORMAL = "normal"
    SENT_PROPOSAL = "sent_proposal"
    RECEIVED_PROPOSAL = "received_proposal"


class InviteEvent(Enum):
    SEND_INVITE = "send INVITE"
    RECEIVE_INVITE = "receive INVITE"
    TRYING = "100"
    RINGING = "101-199"
    ACCEPTED = "2xx"
    ACKNOWLEDGED = "ACK"
    END = "end"
    REFUSED = "300-699, time-out, transport error or CANCEL"
    BYE = "receive BYE"
    ENDED = "final response to CANCEL or BYE, or none in time"


class ProposalEvent(Enum):
    SEND = "send proposal"
    RECEIVE = "receive proposal"
    PROGRESS = "provisional response, or an offer in the 2xx"
    SETTLE = "2xx and ACK, refusal, time-out or CANCEL"


_S, _E = InviteState, InviteEvent

INVITE_STATES: dict[InviteState, dict[InviteEvent, InviteState]] = {
    _S.NULL: {_E.SEND_INVITE: _S.OUTGOING, _E.RECEIVE_INVITE: _S.INCOMING},
    _S.OUTGOING: {
        _E.TRYING: _S.OUTGOING,
        _E.RINGING: _S.EARLY,
        _E.ACCEPTED: _S.CONNECTING,
        _E.REFUSED: _S.DISCONNECTED,
        _E.END: _S.DISCONNECTING,
    },
    _S.INCOMING: {
        _E.TRYING: _S.INCOMING,
        _E.RINGING: _S.EARLY,
        _E.ACCEPTED: _S.CONNECTING,
        _E.REFUSED: _S.DISCONNECTED,
        _E.BYE: _S.DISCONNECTED,
    },
    _S.EARLY: {
        _E.TRYING: _S.EARLY,
        _E.RINGING: _S.EARLY,
        _E.ACCEPTED: _S.CONNECTING,
        _E.REFUSED: _S.DISCONNECTED,
        _E.BYE: _S.DISCONNECTED,
        _E.END: _S.DISCONNECTING,
    },
    _S.CONNECTING: {
        _E.ACKNOWLEDGED: _S.CONNECTED,
        _E.BYE: _S.DISCONNECTED,
        _E.END: _S.DISCONNECTING,
    },
    _S.CONNECTED: {
        _E.BYE: _S.DISCONNECTED,
        _E.END: _S.DISCONNECTING,
    },
    _S.DISCONNECTING: {
        _E.BYE: _S.DISCONNECTED,
        _E.ENDED: _S.DISCONNECTED,
    },
    _S.DISCONNECTED: {},
}

_P, _Q = InviteSubState, ProposalEvent

#: {sub-state: {event: next sub-state}}. Before CONNECTED, None stands for NORMAL.
PROPOSAL_STATES: dict[InviteSubState, dict[ProposalEvent, InviteSubState]] = {
    _P.NORMAL: {_Q.SEND: _P.SENT_PROPOSAL, _Q.RECEIVE: _P.RECEIVED_PROPOSAL},
    _P.SENT_PROPOSAL: {_Q.PROGRESS: _P.SENT_PROPOSAL, _Q.SETTLE: _P.NORMAL},
    _P.RECEIVED_PROPOSAL: {_Q.PROGRESS: _P.RECEIVED_PROPOSAL, _Q.SETTLE: _P.NORMAL},
}
