"""What a session tells its user, and what the user answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred
    from twisted.python.failure import Failure

    from msrplib.incoming import IncomingMessage
    from msrplib.outgoing import OutgoingMessage
    from msrplib.protocol import MSRPData
    from msrplib.session import MSRPSession

__all__ = ["MessageSink", "Refusal", "SessionHandler", "TraceHook"]

TraceHook = Callable[[str, bytes, str, str], None]
"""`on_trace(direction, data, local, remote)`: direction is 'incoming' or 'outgoing', data one whole chunk or,
of a chunk beyond `Limits.max_chunk_buffer`, a piece of it; local and remote are `host:port`."""


class Refusal(NamedTuple):
    """The answer to a message that is not wanted (RFC 4975 10): 400, 403, 413 (also: stop sending), 415, …

    An empty comment stands for the usual one of that code.
    """

    code: int
    comment: str = ""


class MessageSink(Protocol):
    """Takes the octets of one incoming message as they arrive, so that it need not fit into memory.

    A sink that cannot keep up calls `session.pause_receiving()` and later `session.resume_receiving()`.
    """

    def write(self, offset: int, data: bytes) -> None:
        """Octets of the message from `offset` (the first is 0). Each octet comes once; chunks may come out of
        order."""

    def finish(self, message: IncomingMessage) -> Refusal | Deferred[Refusal | None] | None:
        """All octets have come. A Refusal turns the answer to the last chunk (or the report) into a failure.

        With a Deferred the answer waits until it fires, for example while what has come is verified elsewhere; if it
        fails, the message is refused with 413.
        """

    def abort(self, reason: str) -> None:
        """No more will come: the sender gave up, the session ended, or the chunks contradicted one
        another."""


class SessionHandler:
    """The user of a session. Subclass it and override what is of interest; what it raises is logged and
    dropped.

    All methods are called in the thread of the reactor.
    """

    def message_started(self, session: MSRPSession, chunk: MSRPData) -> Refusal | MessageSink | None:
        """The first chunk of a message has come, at least its headers; `chunk.data` may still be empty.

        :return: None to receive it in memory (`message_received`), a sink to receive it in pieces, or a
            Refusal, which is sent at once (RFC 4975 7.2, 10; 413 makes the peer stop in the middle of the
            chunk)
        """
        return None

    def message_received(self, session: MSRPSession, message: IncomingMessage) -> Refusal | None:
        """A whole message is there; it is acknowledged, and a success report sent if it was asked for, when
        this returns None.

        :return: None, or a Refusal (a body that cannot be read: 400)
        """
        return None

    def message_sent(self, session: MSRPSession, outgoing: OutgoingMessage, chunk: MSRPData) -> None:
        """The last octet of a message was handed to the connection. `chunk` is its last chunk."""

    def message_accepted(self, session: MSRPSession, outgoing: OutgoingMessage) -> None:
        """The next hop answered every chunk with 200. Only for `failure_report='yes'` (RFC 4975 7.1.1)."""

    def message_delivered(self, session: MSRPSession, outgoing: OutgoingMessage, report: MSRPData) -> None:
        """Success reports cover the whole message; `report` is the last. Only for `success_report='yes'`."""

    def message_failed(
        self, session: MSRPSession, outgoing: OutgoingMessage, code: int, reason: str, chunk: MSRPData | None
    ) -> None:
        """The message was not delivered; called once, and nothing follows for it.

        :param code: of the response or of the failure report; 408: no response in time; 481: the session
            ended first
        :param chunk: the response or the REPORT that said so, None when there is none
        """

    def request_received(self, session: MSRPSession, chunk: MSRPData) -> None:
        """Any request, once its end-line has come, before the session handles SEND and REPORT.

        A method that the session does not know (NICKNAME) is answered here with `session.respond(chunk,
        code)`; if it is not, the session answers 501. `chunk.data` is empty when the body came in pieces.
        """

    def report_received(self, session: MSRPSession, report: MSRPData) -> None:
        """A REPORT for a message that this session sent, also one that covers a part of it only."""

    def session_closed(self, session: MSRPSession, reason: Failure | None) -> None:
        """Called once, after `message_failed` for everything that is under way.

        :param reason: None after `session.close()`; otherwise a Failure of ConnectionClosedError,
            ProtocolViolationError, …
        """
