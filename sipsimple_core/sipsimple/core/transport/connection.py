"""One connection that carries SIP messages (RFC 3261 18.3; keep-alives: RFC 5626 4.4.1).

Octets in become messages, a ping of the peer's gets its pong; messages out are written, or wait while the connection is
being opened or its buffer is full. A connection whose peer sent what can't be followed is closed so that the peer still
gets the answer: what it goes on sending is read and thrown away for a while, as closing at once would reset it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from typing import Protocol as Interface

from twisted.internet.defer import Deferred, fail, succeed
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IPushProducer
from twisted.internet.protocol import Protocol
from zope.interface import implementer

from sipsimple.core.protocol.hop import Hop
from sipsimple.core.transport.interface import ConnectError, TransportError
from sipsimple.core.transport.limits import (
    CLOSE_TIMEOUT,
    HALF_MESSAGE_TIMEOUT,
    HANDSHAKE_TIMEOUT,
    IDLE_TIMEOUT,
    MAX_BACKLOG,
    STALLED_TIMEOUT,
)
from sipsimple.core.wire.framer import FramingError, MessageFramer

if TYPE_CHECKING:
    from twisted.python.failure import Failure

    from sipsimple.core.transport.interface import TransportOwner

__all__ = ["ConnectionOwner", "StreamConnection"]

_PING = b"\r\n\r\n"
_PONG = b"\r\n"


class ConnectionOwner(Interface):
    """What a connection expects of the transport that it belongs to."""

    owner: TransportOwner

    def now(self) -> float: ...

    def connection_closing(self, connection: StreamConnection, error: Exception) -> None:
        """Nothing more is to be sent over it."""

    def connection_ended(self, connection: StreamConnection, error: Exception) -> None:
        """It is closed, or was not made."""


@implementer(IPushProducer)
class StreamConnection(Protocol):
    """See the module.

    Attributes: `hop` (the other end), `local` (ours; port 0 before it is connected), `outgoing` (we opened it),
    `is_open` (messages may be sent), `last_activity` and `last_received` (times), `connector` (while it is being
    opened), `closed` (a Deferred).
    """

    transport: Any = None

    def __init__(self, owner: ConnectionOwner, hop: Hop, outgoing: bool, now: float) -> None:
        self.hop = hop
        self.outgoing = outgoing
        self.last_activity = self.last_received = now
        self.connector: Any = None
        self.local = Hop(hop.transport, "", 0)
        self.closed: Deferred[None] = Deferred()
        self.is_open = False
        self._owner = owner
        self._framer = MessageFramer()
        self._waiting: list[Deferred[None]] = []
        self._backlog: list[bytes] = []
        self._backlog_size = 0
        self._writable = False
        self._error: Exception | None = None
        # since when what has been the case, None while it is not
        self._connected_since: float | None = None
        self._half_message_since: float | None = None
        self._stalled_since: float | None = None
        self._closing_since: float | None = None

    def send(self, data: bytes) -> None:
        """Send a message, now or as soon as the connection is open and its buffer has room.

        :raises TransportError: the connection is gone; or more than `MAX_BACKLOG` octets wait, and it is closed.
        """
        if self._error is not None:
            raise self._error
        if self._writable:
            self._write(data)
            return
        self._backlog_size += len(data)
        if self._backlog_size > MAX_BACKLOG:
            error = TransportError(f"{self.hop} does not read: more than {MAX_BACKLOG} octets wait")
            self.abort(error)
            raise error
        self._backlog.append(data)

    def when_open(self) -> Deferred[None]:
        """Fires when messages may be sent; fails with the error when there is no connection. It may be cancelled."""
        if self._error is not None:
            return fail(self._error)
        if self.is_open:
            return succeed(None)
        waiting: Deferred[None] = Deferred(self._waiting.remove)
        self._waiting.append(waiting)
        return waiting

    @property
    def is_wanted(self) -> bool:
        """Whether it is open, or somebody waits until it is."""
        return self.is_open or bool(self._backlog or self._waiting)

    def ping(self) -> None:
        """Send a keep-alive; what it gets back shows in `last_received`. Not while other things wait to be sent."""
        if self._writable and self.transport is not None:
            self.last_activity = self._owner.now()
            self.transport.write(_PING)

    def _write(self, data: bytes) -> None:
        if self.transport is not None:
            owner = self._owner
            self.last_activity = owner.now()
            owner.owner.sending(data, self.hop, self.local)
            self.transport.write(data)

    def close(self, error: Exception) -> None:
        """Close when everything is sent that the connection was opened for; at once if it is still being opened."""
        if self._begin_to_close(error) and self.transport is not None:
            self._flush()
            self.transport.unregisterProducer()
            self.transport.loseConnection()

    def abort(self, error: Exception) -> None:
        """Close at once, for the reason given."""
        self._error = self._error or error
        if self.transport is not None:
            self.transport.abortConnection()
        elif self.connector is not None:
            self.connector.stopConnecting()

    def _close_deaf(self, error: Exception) -> None:
        """Close after what we have to say, and read until the peer closes, without listening."""
        if self._begin_to_close(error) and self.transport is not None:
            self._flush()
            self.transport.unregisterProducer()
            self.close_writing()

    def close_writing(self) -> None:
        """Tell the peer that this was all; what it still sends is read on."""
        self.transport.loseWriteConnection()

    def _begin_to_close(self, error: Exception) -> bool:
        """Whether there is a connection that is to be closed, and has not been before."""
        if self._closing_since is not None or self.closed.called:
            return False
        self._error = self._error or error
        if not self.is_open:
            self.abort(error)
            return False
        self._closing_since = self._owner.now()
        self._owner.connection_closing(self, error)
        return True

    def overdue(self, now: float) -> str | None:
        """What the peer has not done in time, if that is a reason to give it up; otherwise closes what is idle."""
        if self._closing_since is not None:
            if now - self._closing_since > CLOSE_TIMEOUT:
                self.abort(TransportError(f"{self.hop} did not close the connection"))
        elif not self.is_open:
            if self._connected_since is not None and now - self._connected_since > HANDSHAKE_TIMEOUT:
                return f"no TLS handshake for {HANDSHAKE_TIMEOUT:g} s"
        elif self._half_message_since is not None and now - self._half_message_since > HALF_MESSAGE_TIMEOUT:
            return f"half a message for {HALF_MESSAGE_TIMEOUT:g} s"
        elif self._stalled_since is not None and now - self._stalled_since > STALLED_TIMEOUT:
            return f"it has not read for {STALLED_TIMEOUT:g} s"
        elif now - self.last_activity > IDLE_TIMEOUT:
            self.close(TransportError(f"the connection with {self.hop} was idle"))
        return None

    def ended(self, reason: Failure) -> None:
        """The connection is gone, or could not be made."""
        error = self._error or self.describe_end(reason)
        self._error = error
        self._writable = False
        self.transport = self.connector = None
        self._backlog.clear()
        self._owner.connection_ended(self, error)
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.errback(error)

    def describe_end(self, reason: Failure) -> Exception:
        """Why there is no connection, when it was not us who closed it."""
        if self.is_open:
            return TransportError(f"the connection with {self.hop} was lost: {reason.getErrorMessage()}")
        return ConnectError(f"no connection with {self.hop}: {reason.getErrorMessage()}")

    # IPushProducer: the transport says whether its buffer has room

    def pauseProducing(self) -> None:
        self._writable = False
        self._stalled_since = self._owner.now()

    def resumeProducing(self) -> None:
        self._writable = True
        self._stalled_since = None
        if self._backlog and self.transport is not None:
            backlog, self._backlog, self._backlog_size = self._backlog, [], 0
            for position, data in enumerate(backlog):
                if not self._writable:
                    # the buffer filled up again
                    self._backlog = backlog[position:]
                    self._backlog_size = sum(map(len, self._backlog))
                    break
                self._write(data)

    def stopProducing(self) -> None:
        self._writable = False

    def _flush(self) -> None:
        """Hand all that waits to the transport, whose buffer need not have room: nothing comes after it."""
        backlog, self._backlog, self._backlog_size = self._backlog, [], 0
        for data in backlog:
            self._write(data)
        self._writable = False

    # Protocol

    def connectionMade(self) -> None:
        self.prepare()
        self.open()

    def prepare(self) -> None:
        """There is a connection, though it may be too early to send messages over it."""
        transport = self.transport
        address = transport.getHost()
        self.local = Hop(self.hop.transport, address.host, address.port)
        self._connected_since = self._owner.now()
        transport.setTcpNoDelay(True)
        transport.setTcpKeepAlive(True)

    def open(self) -> None:
        """Messages may be sent from now on."""
        self.is_open = True
        self.last_activity = self.last_received = self._owner.now()
        self.transport.registerProducer(self, True)
        self.resumeProducing()
        waiting, self._waiting = self._waiting, []
        for each in waiting:
            each.callback(None)

    def dataReceived(self, data: bytes) -> None:
        if self._closing_since is not None:
            return
        self.last_activity = self.last_received = now = self._owner.now()
        framer, owner = self._framer, self._owner.owner
        broken: FramingError | None = None
        try:
            messages = framer.feed(data)
        except FramingError as error:
            messages, broken = error.messages, error
        for message in messages:
            owner.data_received(message, self.hop, self.local)
        if framer.pings:
            if self._writable and self.transport is not None:
                self.transport.write(_PONG * framer.pings)
            framer.pings = 0
        if broken is not None:
            # 18.3: where the next message starts can't be known any more
            owner.stream_broken(broken, self.hop, self.local)
            self._close_deaf(TransportError(f"{self.hop} sent what is no SIP message: {broken}"))
        elif not framer.pending:
            self._half_message_since = None
        elif messages or self._half_message_since is None:
            self._half_message_since = now

    def connectionLost(self, reason: Failure = ConnectionDone) -> None:  # type: ignore[assignment]
        self.ended(reason)
