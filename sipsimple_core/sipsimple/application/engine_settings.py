"""The engine as the settings want it: at its start, and when they change (APP-032, APP-033).

What is saved takes effect at once, without a restart. A port or a certificate that can't be had is told, and everything
else goes on: TLS that fails leaves UDP and TCP alone, a port that is taken leaves the one from before open.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from zope.interface import implementer

from sipsimple.configuration.settings import SIPSimpleSettings
from sipsimple.core.engine import Engine, EngineError
from sipsimple.notification import IObserver, Notification, NotificationCenter, NotificationData

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

    from sipsimple.application.application import SIPApplication

__all__ = ["EngineSettings"]

log = logging.getLogger("sipsimple.application")

_TLS = frozenset(
    {"sip.transport_list", "sip.tls_port", "tls.ca_list", "tls.certificate", "tls.verify_server"}
)  # fmt: skip


@implementer(IObserver)
class EngineSettings:
    """Starts and stops the engine, and follows the settings meanwhile.

    Notifications: `SIPApplicationFailedToStartTLS`, `SIPApplicationFailedToListen`, sent by the application.
    """

    def __init__(self, application: SIPApplication) -> None:
        self._application = application
        self._settings = SIPSimpleSettings()
        self._engine = Engine()

    def start(self) -> None:
        """Start the engine. Raises EngineError: without UDP or TCP, if they are wanted, nothing works."""
        value = self._settings.saved_value
        self._engine.start(
            udp_port=self._port("udp"),
            tcp_port=self._port("tcp"),
            user_agent=value("user_agent"),
            trace_sip=value("logs.trace_sip"),
        )
        if "tls" in value("sip.transport_list"):
            self._apply_tls()
        NotificationCenter().add_observer(self, name="CFGSettingsObjectDidChange", sender=self._settings)

    def stop(self) -> Deferred[None]:
        """Stop the engine; fires when it has stopped."""
        NotificationCenter().discard_observer(self, name="CFGSettingsObjectDidChange", sender=self._settings)
        return self._engine.stop()

    def handle_notification(self, notification: Notification) -> None:
        """IObserver: the settings were saved."""
        if not self._engine.is_running:
            return
        modified = notification.data.modified
        value = self._settings.saved_value
        if "logs.trace_sip" in modified:
            self._engine.trace_sip = value("logs.trace_sip")
        if "user_agent" in modified:
            self._engine.user_agent = value("user_agent")
        for transport, apply in (("udp", self._engine.set_udp_port), ("tcp", self._engine.set_tcp_port)):
            if not modified.keys().isdisjoint((f"sip.{transport}_port", "sip.transport_list")):
                port = self._port(transport)
                try:
                    apply(port)
                except EngineError as error:
                    log.error("The changed settings of %s do not work: %s", transport, error)
                    self._post("SIPApplicationFailedToListen", transport=transport, port=port or 0, error=error)
        if not modified.keys().isdisjoint(_TLS):
            self._apply_tls()

    def _port(self, transport: str) -> int | None:
        wanted = transport in self._settings.saved_value("sip.transport_list")
        return self._settings.saved_value(f"sip.{transport}_port") if wanted else None

    def _apply_tls(self) -> None:
        value = self._settings.saved_value
        try:
            self._engine.set_tls_options(
                self._port("tls"),
                certificate=value("tls.certificate"),
                ca_list=value("tls.ca_list"),
                verify_server=value("tls.verify_server"),
            )
        except EngineError as error:
            # APP-033: everything else works without it
            log.error("SIP over TLS does not work: %s", error)
            self._post("SIPApplicationFailedToStartTLS", error=error)

    def _post(self, name: str, **fields: object) -> None:
        NotificationCenter().post_notification(name, sender=self._application, data=NotificationData(**fields))
