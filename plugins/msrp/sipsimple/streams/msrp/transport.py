"""The MSRP ports and connections of an application (RFC 4975 5.4): one listening port for all its streams.

Sessions on one port are told apart by the session id in the To-Path. A port is opened when the first stream needs
it and closed when none has used it for a while, or when the application stops.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, DeferredList

from msrplib.handler import TraceHook
from msrplib.limits import Limits
from msrplib.session import MSRPSession
from msrplib.transport import MSRPConnector, MSRPListener
from sipsimple.configuration.settings import SIPSimpleSettings
from sipsimple.notification import Notification, NotificationCenter, NotificationData, NotificationDispatcher
from sipsimple.realm import Singleton, current_realm
from sipsimple.streams.msrp.notifications import forward_library_log

if TYPE_CHECKING:
    from msrplib.tls import TLSParameters
    from sipsimple.streams.msrp.tls import TLSIdentity

__all__ = ["LIMITS", "MSRPPort", "MSRPTransport", "MSRPTransportError"]

IDLE_TIMEOUT = 60.0
"""Seconds that a port stays open after its last stream has ended."""
EXPECT_TIMEOUT = 3600.0
"""Seconds that an offered stream can be connected to: for as long as anybody may let a phone ring."""
REPORT_TIMEOUT = 60.0
"""Seconds from the last octet of a message to its success report; then it has failed with 408."""

LIMITS = Limits(report_timeout=REPORT_TIMEOUT)


_SECRET = re.compile(r"^(Authorization: ).*", re.MULTILINE)
"""What a trace does not show: who has it can try passwords on it."""


class MSRPTransportError(Exception):
    """There is no port for a stream; the text says why."""


class MSRPPort:
    """A listening port and how many streams use it: each calls `acquire()`, and `release()` in the end.

    :raises CannotListenError: it cannot be opened
    """

    def __init__(self, transport: MSRPTransport, ipv6: bool, tls: TLSParameters | None) -> None:
        self._transport = transport
        self._users = 0
        self._idle: Any = None
        self._listener = MSRPListener(
            transport.reactor, "::" if ipv6 else "", tls=tls, limits=LIMITS, on_trace=transport.trace_hook
        )
        self._listener.start()
        self.number = self._listener.port

    def acquire(self) -> None:
        self._users += 1
        self._stop_idling()

    def release(self) -> None:
        self._users -= 1
        if self._users == 0:
            if self._transport.owns(self):
                self._idle = self._transport.reactor.callLater(IDLE_TIMEOUT, self._expired)
            else:
                self.close()

    def expect(self, session: MSRPSession) -> Deferred[MSRPSession]:
        """Wait for the peer of a session to connect."""
        return self._listener.expect(session, EXPECT_TIMEOUT)

    def retire(self) -> None:
        """No new streams come; close when those that are there have ended."""
        self._stop_idling()
        if self._users == 0:
            self.close()

    def close(self) -> Deferred[None]:
        """Listen no more. Sessions that are bound go on."""
        self._stop_idling()
        return self._listener.stop()

    def _stop_idling(self) -> None:
        if self._idle is not None:
            self._idle.cancel()
            self._idle = None

    def _expired(self) -> None:
        self._idle = None
        self._transport.disown(self)
        self.close()


class MSRPTransport(NotificationDispatcher, metaclass=Singleton):
    """All MSRP of an application; the sender of MSRPTransportTrace. There is one in each realm.

    Its methods are called in the reactor's thread.
    """

    def __init__(self) -> None:
        self._realm = current_realm()
        self._center = NotificationCenter()
        self._settings: Any = SIPSimpleSettings()
        self._ports: dict[tuple[bool, bool], MSRPPort] = {}  # by whether it is for TLS, and for IPv6
        self._connectors: dict[tuple[bool, bool], MSRPConnector] = {}  # by TLS, and fingerprints instead of CAs
        self._identity: TLSIdentity | None = None
        self._center.add_observer(self, name="CFGSettingsObjectDidChange", sender=self._settings)
        forward_library_log()

    @property
    def reactor(self) -> Any:
        return self._realm.reactor

    @property
    def trace_hook(self) -> TraceHook | None:
        """What connections shall hand their chunks to; None, which costs nothing, while nothing is traced."""
        return self._trace if getattr(self._settings.logs, "trace_msrp", False) else None

    def local_ip_towards(self, host: str) -> str:
        """The address of ours from which packets to a host leave."""
        return self._realm.local_ip_towards(host)

    @property
    def tls_identity(self) -> TLSIdentity:
        """Who we are in TLS, also by what fingerprint.

        :raises MSRPTransportError: the certificate that the settings name cannot be used
        """
        if self._identity is None:
            from sipsimple.streams.msrp.tls import TLSIdentity

            try:
                self._identity = TLSIdentity(self._settings)
            except (OSError, ValueError) as error:
                raise MSRPTransportError(f"no certificate for MSRP over TLS: {error}") from error
        return self._identity

    def port(self, secure: bool, ipv6: bool) -> MSRPPort:
        """The port for streams over TLS or TCP, opened if it is not; to be acquired by who uses it.

        :raises MSRPTransportError: there is none
        """
        port = self._ports.get((secure, ipv6))
        if port is None:
            if self.reactor is None:
                raise MSRPTransportError("there is no reactor: the application is not started")
            tls = self.tls_identity.for_listening() if secure else None
            try:
                port = self._ports[secure, ipv6] = MSRPPort(self, ipv6, tls)
            except Exception as error:  # those of OpenSSL have no base but this one
                raise MSRPTransportError(f"no MSRP port could be opened: {error}") from error
        return port

    def connect(self, session: MSRPSession, timeout: float, share: bool = True) -> Deferred[MSRPSession]:
        """Connect to the first hop of a session's remote path, within `timeout` seconds, over a connection that other
        sessions may share."""
        secure, by_fingerprint = session.next_hop.secure, session.remote_fingerprint is not None
        connector = self._connectors.get((secure, by_fingerprint))
        if connector is None:
            connector = self._new_connector(secure, by_fingerprint)
            self._connectors[secure, by_fingerprint] = connector
        return connector.connect(session, timeout, share=share)

    def _new_connector(self, secure: bool, by_fingerprint: bool) -> MSRPConnector:
        tls = self.tls_identity.for_connecting(by_fingerprint) if secure else None
        return MSRPConnector(self.reactor, tls=tls, limits=LIMITS, on_trace=self.trace_hook)

    def owns(self, port: MSRPPort) -> bool:
        """Whether new streams would use that port."""
        return any(port is owned for owned in self._ports.values())

    def disown(self, port: MSRPPort) -> None:
        """Use a port for new streams no more."""
        self._ports = {key: owned for key, owned in self._ports.items() if owned is not port}

    def stop(self) -> Deferred[Any]:
        """Close all ports; fires when they are closed. They are opened again when streams need them again."""
        ports, self._ports = list(self._ports.values()), {}
        self._connectors = {}
        self._identity = None
        return DeferredList([port.close() for port in ports], consumeErrors=True)

    def _NH_CFGSettingsObjectDidChange(self, notification: Notification) -> None:
        # Connections are made with these settings: new streams get new ports and connections.
        if any(name == "logs.trace_msrp" or name.startswith("tls.") for name in notification.data.modified):
            self._realm.run(self._renew)

    def _renew(self) -> None:
        ports, self._ports = list(self._ports.values()), {}
        self._connectors = {}
        self._identity = None
        for port in ports:
            port.retire()

    def _trace(self, direction: str, data: bytes, local: str, remote: str) -> None:
        self._center.post_notification(
            "MSRPTransportTrace",
            self,
            NotificationData(direction=direction, data=_SECRET.sub(r"\1***", data.decode("utf-8", "backslashreplace"))),
        )
