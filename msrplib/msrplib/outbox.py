"""What leaves a connection, and when (RFC 4975 5.1): small messages pass large ones, and nothing is read from
a source before the connection can take it.

The socket tells when all that was written has left. Until then small messages may add up to `SMALL_WINDOW`; a large
one waits, and then gives one chunk as long as the connection takes about `Limits.chunk_time` for. So whatever is
under way, a small message waits for little more than that. A transport that does not tell (TLS) has, in each turn of
the reactor, taken what was written in the turn before, unless it asks to pause. Messages of equal size class leave in
the order in which they were given; large ones take turns.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Protocol

from msrplib.limits import Limits
from msrplib.outgoing import EncodedChunk, MessageState, OutgoingMessage, SourceError
from msrplib.transactions import TransactionTable

__all__ = ["Outbox"]

SMALL_MESSAGE = 16 * 1024
"""Messages in memory up to this size are sent in one chunk and pass larger ones."""

SMALL_WINDOW = 64 * 1024
"""Octets that small messages may have written and not yet seen leave."""


class _Writer(Protocol):
    def write_chunk(self, chunk: EncodedChunk) -> None: ...
    def seconds(self) -> float: ...
    def transaction_added(self) -> None: ...
    def wake(self) -> None: ...


class Outbox:
    """The outgoing messages of all sessions on one connection.

    :param writer: the connection
    :param tells_drained: the connection calls `drained()` whenever all that was written has left. Otherwise it calls
        `pause()` when too much is waiting, and `drained()` once that is over, or after `wake()` if it was not the
        case. After `wake()` it calls `tell()` at the least
    """

    __slots__ = (
        '_chunk_size', '_large', '_limits', '_notices', '_paused', '_small', '_tells_drained',
        '_transactions', '_unsent', '_unsent_since', '_writer', 'closed',
    )  # fmt: skip

    def __init__(self, writer: _Writer, transactions: TransactionTable, limits: Limits, tells_drained: bool) -> None:
        self._writer = writer
        self._transactions = transactions
        self._limits = limits
        self._tells_drained = tells_drained
        self._small: deque[OutgoingMessage] = deque()
        self._large: deque[OutgoingMessage] = deque()
        self._paused = False
        self._unsent = 0
        self._unsent_since = 0.0
        self._chunk_size = limits.max_chunk_size
        self._notices: list[tuple[OutgoingMessage, EncodedChunk | str]] = []
        self.closed = False

    def submit(self, message: OutgoingMessage) -> None:
        """Send a message as soon as may be."""
        content_size = message.size
        if message.is_in_memory and content_size is not None and content_size <= self._small_size(message):
            if not self._small and self._small_may_leave():
                self._send_chunk(message, self._small_size(message))
                return
            self._small.append(message)
        else:
            self._large.append(message)
            self.pump()

    def _small_size(self, message: OutgoingMessage) -> int:
        return min(SMALL_MESSAGE, message.session.max_chunk_size)

    def _small_may_leave(self) -> bool:
        return not self._paused and self._unsent < SMALL_WINDOW and not self._transactions.is_full

    def _large_may_leave(self) -> bool:
        return not self._paused and self._unsent < self._chunk_size and not self._transactions.is_full

    def pump(self) -> None:
        """Send what may leave now."""
        small, large = self._small, self._large
        while not self.closed:
            if small:
                if not self._small_may_leave():
                    return
                message = small.popleft()
                if not message.is_final:
                    self._send_chunk(message, self._small_size(message))
            elif large:
                if not self._large_may_leave():
                    return
                self._advance(large.popleft())
            else:
                return

    def _advance(self, message: OutgoingMessage) -> None:
        """One chunk of a large message; then it is the turn of the next."""
        if message.is_final:
            if message.sent:
                self._write(message.abort_chunk())
            return
        if not self._send_chunk(message, min(self._chunk_size, message.session.max_chunk_size)):
            return
        if not message.is_starved:
            self._large.append(message)

    def _send_chunk(self, message: OutgoingMessage, max_size: int) -> bool:
        """False when the message has nothing to send now; `submit_again()` brings it back."""
        if message.state is MessageState.QUEUED:
            message.state = MessageState.SENDING
        try:
            chunk = message.next_chunk(max_size)
        except SourceError as error:
            if message.sent:
                self._write(message.abort_chunk())
            self._notices.append((message, str(error)))
            self._writer.wake()
            return False
        if chunk is None:
            return False
        if message.failure_report != "no":
            self._transactions.add(chunk.transaction_id, message, self._writer.seconds())
            if message.failure_report == "yes":
                message.open_transactions += 1
            self._writer.transaction_added()
        self._write(chunk)
        if chunk.contflag == "$":
            message.state = MessageState.SENT
            self._notices.append((message, chunk))
            return False
        return True

    def _write(self, chunk: EncodedChunk) -> None:
        if not self._unsent:
            self._unsent_since = self._writer.seconds()
            if not self._tells_drained:
                self._writer.wake()
        self._unsent += len(chunk.head) + len(chunk.body) + len(chunk.tail)
        self._writer.write_chunk(chunk)

    def submit_again(self, message: OutgoingMessage) -> None:
        """The source of a message has octets again."""
        self._large.append(message)
        self.pump()

    def abort(self, message: OutgoingMessage) -> None:
        """A message was cancelled or has failed: it leaves no further octet, but the chunk that says so."""
        if message in self._large:
            return  # its turn comes
        if message.sent and message.is_starved:
            self._write(message.abort_chunk())

    def pause(self) -> None:
        """Too much is waiting to leave."""
        self._paused = True

    def drained(self) -> None:
        """All that was written has left."""
        if self._unsent:
            limits = self._limits
            elapsed = self._writer.seconds() - self._unsent_since
            if elapsed > limits.chunk_time:
                fitting = int(self._chunk_size * limits.chunk_time / elapsed)
                self._chunk_size = max(limits.min_chunk_size, fitting)
            elif self._chunk_size < limits.max_chunk_size:
                self._chunk_size = min(limits.max_chunk_size, 2 * self._chunk_size)
            self._unsent = 0
        self._paused = False
        if self._notices:
            self.tell()
        if self._small or self._large:
            self.pump()

    def tell(self) -> None:
        """Tell the sessions which messages have left. Never called from within `submit()`, whose caller would
        otherwise hear of a message that it has not got yet."""
        notices = self._notices
        self._notices = []
        for message, what in notices:
            if isinstance(what, str):
                message.session._source_failed(message, what)
            else:
                message.session._message_left(message, what)

    def discard(self, unwanted: Callable[[OutgoingMessage], bool]) -> None:
        """Drop the messages of a session that ends; those under way are aborted (RFC 4975 7.1)."""
        self._small = deque([message for message in self._small if not unwanted(message)])
        for message in [message for message in self._large if unwanted(message)]:
            self._large.remove(message)
            if message.sent and not self.closed:
                self._write(message.abort_chunk())
