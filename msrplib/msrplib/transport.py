"""Connections for sessions: being connected to, and connecting (RFC 4975 5.4; RFC 6135 tells who does
which)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from msrplib.handler import TraceHook
from msrplib.limits import Limits
from msrplib.session import MSRPSession
from msrplib.uri import MSRPURI

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from msrplib.tls import TLSParameters

__all__ = ['MSRPConnector', 'MSRPListener']


class MSRPListener:
    """Listens on a port and binds each connection to the session that its first request names in its To-Path.

    :param reactor: IReactorTCP and IReactorTime
    :param interface: the address to listen on; '' for all of IPv4
    :param port: 0 for any that is free
    :param tls: a certificate and key, and how clients are verified; None for TCP
    :param advertised_host: the host of `new_uri()`; needed when `interface` is '' or not what the peer can
        reach
    :param on_trace: gets each chunk that is received or sent
    """

    def __init__(
        self,
        reactor: Any,
        interface: str = '',
        port: int = 0,
        *,
        tls: TLSParameters | None = None,
        advertised_host: str | None = None,
        limits: Limits | None = None,
        on_trace: TraceHook | None = None,
    ) -> None:
        raise NotImplementedError

    @property
    def port(self) -> int:
        """The port that is listened on, also when 0 was asked for. 0 before `start()`."""
        raise NotImplementedError

    def start(self) -> None:
        """Listen.

        :raises twisted.internet.error.CannotListenError: the port is in use
        """
        raise NotImplementedError

    def new_uri(self) -> MSRPURI:
        """A URI of this port with a fresh session id, for `MSRPSession(local_path=…)` and `a=path`."""
        raise NotImplementedError

    def expect(self, session: MSRPSession, timeout: float | None = None) -> Deferred[MSRPSession]:
        """Wait for the connection of a session, known by its `local_uri`.

        The peer may connect before our user knows the answer: expect the session as soon as its URI is
        offered, with no `remote_path` yet.

        :param timeout: seconds; `Limits.connect_timeout` when None
        :return: fires with the session once it is bound; fails with BindTimeoutError, FingerprintError, or
            ConnectionClosedError when session or listener are closed first; `cancel()` it to give up
        :raises ValueError: a session with that URI is expected already
        """
        raise NotImplementedError

    def stop(self) -> Deferred[None]:
        """Listen no more; sessions that are bound go on. Fires when the port is free."""
        raise NotImplementedError


class MSRPConnector:
    """Connects out for sessions; those to the same peer share one connection (RFC 4975 5.4).

    :param reactor: IReactorTCP and IReactorTime
    :param tls: how servers are verified, and our certificate, for `msrps` URIs; by default the CAs of the
        system
    :param bind_address: (host, port) to connect from
    :param share: let sessions to the same host, port and scheme share a connection
    """

    def __init__(
        self,
        reactor: Any,
        *,
        tls: TLSParameters | None = None,
        bind_address: tuple[str, int] | None = None,
        share: bool = True,
        limits: Limits | None = None,
        on_trace: TraceHook | None = None,
    ) -> None:
        raise NotImplementedError

    def new_uri(self, host: str, secure: bool = False) -> MSRPURI:
        """A URI for the side that connects: it is never connected to, so it has the port 9 (discard; RFC 6135
        4.2)."""
        raise NotImplementedError

    def connect(self, session: MSRPSession, timeout: float | None = None) -> Deferred[MSRPSession]:
        """Connect to the first hop of the session and bind it with an empty SEND (RFC 4975 5.4).

        :param timeout: seconds for everything together; `Limits.connect_timeout` when None
        :return: fires with the session when the peer answered 200; fails with MSRPResponseError (481, 506,
            408), FingerprintError, ConnectionClosedError, or what connecting fails with; `cancel()` it to
            give up
        """
        raise NotImplementedError
