"""The components of an application: how each is started and stopped, and how long it may take (APP-009, APP-030).

They are started in the order of `components()`. They are stopped in an order of their own: first what talks to
remote parties and wants to say goodbye, then what it says it with.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from twisted.internet.defer import Deferred, DeferredList, maybeDeferred
from twisted.python.failure import Failure

from sipsimple.account import AccountManager
from sipsimple.application.engine_settings import EngineSettings
from sipsimple.application.notification_log import NotificationLog
from sipsimple.plugins import Plugin, PluginManager
from sipsimple.session import SessionManager

if TYPE_CHECKING:
    from sipsimple.application.application import SIPApplication

__all__ = ["Component", "components"]

log = logging.getLogger("sipsimple.application")

# Seconds that each of them is given to stop, one after the other.
SESSIONS_TIMEOUT = 15.0
ACCOUNTS_TIMEOUT = 10.0
SERVICES_TIMEOUT = 10.0
ENGINE_TIMEOUT = 5.0
LOG_TIMEOUT = 1.0


class Component(NamedTuple):
    """One part of a running application. `stop` may return a Deferred."""

    name: str
    start: Callable[[], object]
    stop: Callable[[], object]
    stop_order: int
    timeout: float


def components(application: SIPApplication) -> tuple[Component, ...]:
    """The components of the realm's application, in the order in which they are started."""
    accounts, sessions, services = AccountManager(), SessionManager(), Services(application)
    engine, notification_log = EngineSettings(application), NotificationLog()
    return (
        Component("The log of notifications", notification_log.start, notification_log.stop, 5, LOG_TIMEOUT),
        Component("The engine", engine.start, engine.stop, 4, ENGINE_TIMEOUT),
        Component("The account manager", accounts.start, accounts.stop, 2, ACCOUNTS_TIMEOUT),
        Component("The session manager", sessions.start, sessions.stop, 1, SESSIONS_TIMEOUT),
        Component("The services of the plugins", services.start, services.stop, 3, SERVICES_TIMEOUT),
    )


class Services:
    """What plugins want to run as long as the application does: the hook `sipsimple_application_services`.

    A service that can't be started, or does not stop well, is reported as its plugin's failure and passed over.
    """

    def __init__(self, application: SIPApplication) -> None:
        self._application = application
        self._manager = PluginManager()
        self._started: list[tuple[Plugin, Any]] = []

    def start(self) -> None:
        """Start the services of all plugins."""
        for plugin, service in self._offered():
            try:
                service.start()
            except (Exception, SystemExit) as error:
                self._manager.report(plugin, f"its application service did not start: {error}", error)
            else:
                self._started.append((plugin, service))

    def _offered(self) -> Iterator[tuple[Plugin, Any]]:
        hook = "sipsimple_application_services"
        for plugin, services in self._manager.call_each(hook, application=self._application):
            try:
                offered = list(services)
            except TypeError as error:
                self._manager.report(plugin, f"its hook {hook} returns what is no list of services: {error}")
            else:
                yield from ((plugin, service) for service in offered)

    def stop(self) -> Deferred[Any]:
        """Stop them, all at once; the Deferred fires when the last one is."""
        stopping = []
        while self._started:
            plugin, service = self._started.pop()
            stopping.append(maybeDeferred(service.stop).addErrback(self._report, plugin))
        return DeferredList(stopping)

    def _report(self, failure: Failure, plugin: Plugin) -> None:
        error = failure.value
        self._manager.report(plugin, f"its application service did not stop well: {error}", error)
