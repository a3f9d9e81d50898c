"""How a session and a connection come together and part (RFC 4975 5.4).

The active side, which has connected, sends a SEND without a body at once, and is bound when that is answered. The
passive side is bound when the first request comes whose To-Path is the session's URI.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING

from msrplib.errors import ConnectionClosedError, MSRPResponseError, SessionStateError, as_failure
from msrplib.identifiers import new_message_id
from msrplib.outgoing import OutgoingMessage

if TYPE_CHECKING:
    from twisted.python.failure import Failure

    from msrplib.connection import MSRPConnection
    from msrplib.protocol import MSRPData
    from msrplib.session import MSRPSession

__all__ = ["Binding", "SessionState"]

Outcome = Callable[["Failure | None"], None]


class SessionState(Enum):
    NEW = "new"
    BINDING = "binding"
    BOUND = "bound"
    CLOSED = "closed"


class _Step(Enum):
    CONNECT = "connect"  # we are connected, and the empty SEND that binds the session was sent
    BIND = "bind"  # it was answered, or the peer's first request has come
    UNBIND = "unbind"  # it was refused, or the connection was lost before it was answered
    CLOSE = "close"


_STEPS = {
    (SessionState.NEW, _Step.CONNECT): SessionState.BINDING,
    (SessionState.NEW, _Step.BIND): SessionState.BOUND,
    (SessionState.NEW, _Step.CLOSE): SessionState.CLOSED,
    (SessionState.BINDING, _Step.BIND): SessionState.BOUND,
    (SessionState.BINDING, _Step.UNBIND): SessionState.NEW,
    (SessionState.BINDING, _Step.CLOSE): SessionState.CLOSED,
    (SessionState.BOUND, _Step.CLOSE): SessionState.CLOSED,
}


class Binding:
    """The state of one session, and its connection while it has one."""

    __slots__ = ("_message", "_outcome", "_session", "connection", "state")

    def __init__(self, session: MSRPSession) -> None:
        self.state = SessionState.NEW
        self.connection: MSRPConnection | None = None
        self._session = session
        self._message: OutgoingMessage | None = None  # the SEND that binds
        self._outcome: Outcome | None = None

    def _step(self, step: _Step) -> None:
        state = _STEPS.get((self.state, step))
        if state is None:
            raise SessionStateError(f"a session that is {self.state.value} cannot {step.value}")
        self.state = state

    def expect_outcome(self, outcome: Outcome | None) -> None:
        """Whom to tell, once, that the session is bound (None), or why it will not be."""
        self._outcome = outcome

    def _tell_outcome(self, reason: Failure | None) -> None:
        outcome = self._outcome
        self._outcome = None
        if outcome is not None:
            outcome(reason)

    def attach(self, connection: MSRPConnection) -> None:
        """We are connected: send the SEND that binds.

        :raises SessionStateError: the session is bound or closed already
        """
        self._step(_Step.CONNECT)
        self.connection = connection
        connection.add(self._session)
        message = OutgoingMessage(self._session, new_message_id(), b"", None, "no", "yes", (), None)
        self._message = message
        connection.outbox.submit(message)

    def detach(self) -> None:
        """Binding is given up; it may be tried again on another connection."""
        connection = self.connection
        if self.state is SessionState.BINDING and connection is not None:
            self._step(_Step.UNBIND)
            self.connection = self._message = None
            connection.release(self._session)

    def bound(self, connection: MSRPConnection) -> None:
        """A request of the peer, or its answer to ours, has come over this connection."""
        if self.state is SessionState.BOUND:
            return
        self._step(_Step.BIND)
        if self.connection is None:
            self.connection = connection
            connection.add(self._session)
        self._tell_outcome(None)
        self._session.send_waiting()

    def is_own(self, message: OutgoingMessage) -> bool:
        """It is the SEND that binds, of which the user knows nothing."""
        return message is self._message

    def response_received(self, response: MSRPData) -> None:
        """An answer to the SEND that binds."""
        if self.state is not SessionState.BINDING or self.connection is None or response.code is None:
            return
        if response.code == 200:
            self.bound(self.connection)
        else:
            self._refused(response.code, response.comment)

    def timed_out(self) -> None:
        """No answer to it."""
        if self.state is SessionState.BINDING:
            self._refused(408, "no answer to the first SEND")

    def _refused(self, code: int, comment: str) -> None:
        self.detach()
        self._tell_outcome(as_failure(MSRPResponseError(code, comment)))

    def connection_lost(self, reason: Failure) -> None:
        """The connection is gone: the end of a session that was bound; one that was not may try again."""
        if self.state is SessionState.BINDING:
            self.detach()
            self._tell_outcome(reason)
        else:
            self.connection = None
            self._session.fail(reason)

    def close(self) -> bool:
        """The session ends. False when it has ended already."""
        if self.state is SessionState.CLOSED:
            return False
        self._step(_Step.CLOSE)
        connection = self.connection
        self.connection = None
        if connection is not None:
            connection.release(self._session)
        return True

    def closed(self, reason: Failure | None) -> None:
        """All that was under way has been told; now tell who waits for the session to be bound."""
        self._tell_outcome(reason or as_failure(ConnectionClosedError("the session was closed")))
