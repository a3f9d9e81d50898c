"""Which of several addresses of a server is to be used: the one that takes a connection first (RFC 8305 5).

The first address has a head start: the next one is tried when that has failed, or has not succeeded for
`ATTEMPT_DELAY`. What is opened stays open for the messages that follow, as connections are found by their hop; attempts
that have lost are broken off, unless somebody else waits for them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Protocol

from twisted.internet.defer import Deferred

from sipsimple.core.transport.interface import TransportError
from sipsimple.core.transport.limits import ATTEMPT_DELAY

if TYPE_CHECKING:
    from sipsimple.core.protocol.hop import Hop
    from sipsimple.core.transport.connection import StreamConnection

__all__ = ["ConnectionRace"]


class Connections(Protocol):
    """Where connections come from."""

    def connection(self, hop: Hop) -> StreamConnection | None: ...

    def connect(self, hop: Hop) -> StreamConnection: ...


class ConnectionRace:
    """One race, which begins at once.

    :param reactor: an IReactorTime.
    :param hops: over TCP or TLS, in the order in which they are preferred.

    Attributes: `winner`, a Deferred: it fires with the hop that there is a connection with, None if there is none with
    any; cancelled, it breaks the attempts off.
    """

    def __init__(self, reactor: Any, connections: Connections, hops: Sequence[Hop]) -> None:
        self.winner: Deferred[Hop | None] = Deferred(lambda _: self._stop())
        self._reactor = reactor
        self._connections = connections
        self._hops = list(hops)
        self._running: dict[Hop, tuple[StreamConnection, Deferred[None]]] = {}
        self._timer: Any = None
        self._over = False
        for hop in hops:
            connection = connections.connection(hop)
            if connection is not None and connection.is_open:
                self._won(hop)
                return
        self._try_next()

    def _try_next(self) -> None:
        self._stop_timer()
        if not self._hops:
            if not self._running:
                self._over = True
                self.winner.callback(None)
            return
        hop = self._hops.pop(0)
        try:
            connection = self._connections.connect(hop)
        except TransportError:
            self._try_next()
            return
        self._timer = self._reactor.callLater(ATTEMPT_DELAY, self._try_next)
        opened = connection.when_open()
        self._running[hop] = connection, opened
        opened.addCallbacks(lambda _: self._won(hop), lambda _: self._failed(hop))

    def _won(self, hop: Hop) -> None:
        if self._over:
            return
        self._running.pop(hop, None)
        self._stop()
        self.winner.callback(hop)

    def _failed(self, hop: Hop) -> None:
        if not self._over:
            self._running.pop(hop, None)
            self._try_next()

    def _stop(self) -> None:
        self._over = True
        self._stop_timer()
        running, self._running = self._running, {}
        for hop, (connection, opened) in running.items():
            opened.cancel()
            if not connection.is_wanted:
                connection.abort(TransportError(f"another address than {hop} was faster"))

    def _stop_timer(self) -> None:
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
