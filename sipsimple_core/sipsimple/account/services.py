"""The functions of an account (registration, message summary, ...): when they run, and how long they may take
to end.

The account starts them when it is activated and stops them when it is deactivated. A function that has a flag
of its own, like `registration.enabled`, also starts and stops with that (ACC-023, ACC-028).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Protocol

from sipsimple.account.switch import Switch
from sipsimple.realm import current_realm

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred
    from twisted.python.failure import Failure

    from sipsimple.account.account import BaseAccount

__all__ = ["SERVICE_STOP_TIMEOUT", "AccountService", "AccountServices"]

log = logging.getLogger("sipsimple.account")

SERVICE_STOP_TIMEOUT = 5.0
"""Seconds that a function has to end (to unregister, say) before the account goes on without it (APP-030, APP-031)."""


class AccountService(Protocol):
    """A function of an account, as the account and the hook `sipsimple_account_services` make it.

    An attribute `enabled_setting` may name the setting of the account, like `'registration.enabled'`, without
    which the function does not run. Both methods are called in the reactor's thread and do not block.
    """

    def start(self) -> object:
        """Begin. What fails later is reported by notifications."""

    def stop(self) -> Deferred[Any] | None:
        """End. The Deferred fires when the function has ended; it is cancelled after `SERVICE_STOP_TIMEOUT`."""


class _RunningService:
    """A service and its switch."""

    __slots__ = ("_started", "account", "enabled_setting", "service", "switch")

    def __init__(self, account: BaseAccount, service: AccountService) -> None:
        self.account = account
        self.service = service
        self.enabled_setting: str | None = getattr(service, "enabled_setting", None)
        self.switch = Switch(self._start, self._stop)
        self._started = False

    @property
    def is_wanted(self) -> bool:
        return self.enabled_setting is None or bool(self.account.saved_value(self.enabled_setting))

    def _start(self) -> None:
        try:
            self.service.start()
        except (Exception, SystemExit):
            log.exception("%s of the account %s could not be started", self._name, self.account.id)
        else:
            self._started = True

    def _stop(self) -> Deferred[object]:
        from twisted.internet.defer import maybeDeferred, succeed

        if not self._started:
            return succeed(None)
        self._started = False
        ended: Deferred[object] = maybeDeferred(self.service.stop)
        reactor = current_realm().reactor
        if reactor is not None and not ended.called:
            ended.addTimeout(SERVICE_STOP_TIMEOUT, reactor)
        return ended.addErrback(self._stop_failed)

    def _stop_failed(self, failure: Failure) -> None:
        from twisted.internet.defer import TimeoutError

        if isinstance(failure.value, TimeoutError):
            log.warning(
                "%s of the account %s did not end in %g seconds",
                self._name,
                self.account.id,
                SERVICE_STOP_TIMEOUT,
            )
        else:
            error = failure.value
            log.error("%s of the account %s could not be stopped", self._name, self.account.id, exc_info=error)

    @property
    def _name(self) -> str:
        return type(self.service).__name__


class AccountServices:
    """The functions of one account while it is active."""

    __slots__ = ("_account", "_running")

    def __init__(self, account: BaseAccount) -> None:
        self._account = account
        self._running: list[_RunningService] = []

    def start(self, services: Iterable[AccountService]) -> None:
        """Run these, each that is enabled."""
        for service in services:
            running = _RunningService(self._account, service)
            try:
                wanted = running.is_wanted
            except AttributeError as error:
                log.error("%s of the account %s is left out: %s", type(service).__name__, self._account.id, error)
                continue
            self._running.append(running)
            running.switch.set(wanted)

    def settings_changed(self, modified: Mapping[str, object]) -> None:
        """The account was saved: start and stop those whose own flag changed."""
        for running in self._running:
            if running.enabled_setting in modified:
                running.switch.set(running.is_wanted)

    def stop(self) -> Deferred[object]:
        """End them all. The Deferred fires when they have ended or their time is over, and does not fail."""
        from twisted.internet.defer import DeferredList

        services, self._running = self._running, []
        ended: Deferred[Any] = DeferredList([running.switch.off() for running in services])
        return ended
