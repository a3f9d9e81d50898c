"""What became of the messages sent: responses, time-outs, reports (RFC 4975 7.1.1, 7.1.3, 7.2, 7.3.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msrplib.drops import log
from msrplib.errors import MSRPSyntaxError
from msrplib.outgoing import MessageState, OutgoingMessage
from msrplib.protocol import REASONS, MSRPData
from msrplib.telling import tell

if TYPE_CHECKING:
    from msrplib.session import MSRPSession

__all__ = ["DeliveryTable"]

MAX_SETTLED = 1024
"""Messages of which only a failure report may still come that are remembered."""


class DeliveryTable:
    """The messages of one session that something may still be heard of, by Message-ID."""

    __slots__ = ("_awaited", "_deadlines", "_session", "_settled", "_timer")

    def __init__(self, session: MSRPSession) -> None:
        self._session = session
        self._awaited: dict[str, OutgoingMessage] = {}  # under way, or without their success report
        self._settled: dict[str, OutgoingMessage] = {}
        self._deadlines: dict[str, float] = {}
        self._timer: Any = None

    def __contains__(self, message_id: str) -> bool:
        return message_id in self._awaited or message_id in self._settled

    def add(self, message: OutgoingMessage) -> None:
        """A message is about to be sent."""
        awaited = self._awaited
        awaited[message.message_id] = message
        if len(awaited) > self._session.limits.max_awaiting_reports:
            candidates = (other for other in awaited.values() if other.state is not MessageState.QUEUED)
            oldest = next(candidates, None)
            if oldest is not None:
                self.fail(oldest, 408, "too many reports are outstanding", None)

    def sent(self, message: OutgoingMessage) -> None:
        """All of a message has left."""
        if message.success_report == "yes":
            timeout = self._session.limits.report_timeout
            if timeout is not None:
                self._deadlines[message.message_id] = self._session._seconds() + timeout
                if self._timer is None:
                    self._timer = self._session._call_later(timeout, self._expire)
        elif message.failure_report != "yes":
            self._settle(message)

    def response_received(self, message: OutgoingMessage, response: MSRPData) -> None:
        """A response to one of its chunks."""
        if message.failure_report == "yes":
            message.open_transactions -= 1
        if message.is_final:
            return
        code = response.code
        assert code is not None
        if code != 200:
            self.fail(message, code, response.comment, response)
        elif not message.open_transactions and message.state is MessageState.SENT:
            message.state = MessageState.ACCEPTED
            if message.success_report != "yes":
                self._settle(message)
            tell(self._session, self._session.handler.message_accepted, message)

    def timed_out(self, message: OutgoingMessage) -> None:
        """No response to one of its chunks (RFC 4975 7.1.1)."""
        if not message.is_final:
            self.fail(message, 408, "no response in time", None)

    def report_received(self, report: MSRPData) -> None:
        """A REPORT. RFC 4975 7.3.2: it gets no response, whatever is wrong with it."""
        session = self._session
        message_id = report.headers.get("Message-ID", "")
        message = self._awaited.get(message_id) or self._settled.get(message_id)
        if message is None:
            log.dropped("%s: REPORT dropped: no message with that id was sent", session)
            return
        try:
            status = report.status
            byte_range = report.byte_range
        except MSRPSyntaxError as error:
            log.dropped("%s: REPORT dropped: %s", session, error)
            return
        tell(session, session.handler.report_received, report)
        if message.is_final:
            return
        if status is None or status.code == 200:
            if message.success_report == "yes":
                message.add_report(byte_range)
                if message.is_reported:
                    self._deliver(message, report)
        else:
            self.fail(message, status.code, status.comment, report)

    def _deliver(self, message: OutgoingMessage, report: MSRPData) -> None:
        self._forget(message)
        message.state = MessageState.DELIVERED
        if message.failure_report == "partial":
            self._session._forget_transaction(message.last_transaction_id)
        tell(self._session, self._session.handler.message_delivered, message, report)

    def fail(self, message: OutgoingMessage, code: int, reason: str, chunk: MSRPData | None) -> None:
        """The message was not delivered. What of it has not been sent is not sent."""
        self._forget(message)
        message.state = MessageState.FAILED
        self._session._stop_sending(message)
        reason = reason or REASONS.get(code, "")
        tell(self._session, self._session.handler.message_failed, message, code, reason, chunk)

    def cancel(self, message: OutgoingMessage) -> None:
        """The user gave the message up."""
        self._forget(message)
        message.state = MessageState.CANCELLED

    def close(self, reason: str) -> None:
        """The session ends: what is under way fails with 481."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        unfinished = list(self._awaited.values())
        self._awaited.clear()
        self._settled.clear()
        self._deadlines.clear()
        for message in unfinished:
            if not message.is_final:
                self.fail(message, 481, reason, None)

    def _settle(self, message: OutgoingMessage) -> None:
        self._awaited.pop(message.message_id, None)
        settled = self._settled
        if len(settled) >= MAX_SETTLED:
            del settled[next(iter(settled))]
        settled[message.message_id] = message

    def _forget(self, message: OutgoingMessage) -> None:
        message_id = message.message_id
        if self._awaited.pop(message_id, None) is None:
            self._settled.pop(message_id, None)
        if self._deadlines:
            self._deadlines.pop(message_id, None)

    def _expire(self) -> None:
        self._timer = None
        session = self._session
        now = session._seconds()
        while self._deadlines:
            message_id, deadline = next(iter(self._deadlines.items()))
            if deadline > now:
                self._timer = session._call_later(deadline - now, self._expire)
                return
            del self._deadlines[message_id]
            message = self._awaited.get(message_id)
            if message is not None:
                self.fail(message, 408, "no success report in time", None)
                if session.is_closed:
                    return
