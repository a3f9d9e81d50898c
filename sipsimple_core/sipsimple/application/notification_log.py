"""The setting `logs.trace_notifications`: a line in the log for each notification."""

from __future__ import annotations

import logging

from zope.interface import implementer

from sipsimple.configuration.settings import SIPSimpleSettings
from sipsimple.notification import IObserver, Notification, NotificationCenter

__all__ = ["NotificationLog"]

log = logging.getLogger("sipsimple.notifications")


@implementer(IObserver)
class NotificationLog:
    """Logs (level INFO, logger `sipsimple.notifications`) while the setting is on; secrets are not shown."""

    def __init__(self) -> None:
        self._settings = SIPSimpleSettings()
        self._follower = _Follower(self)
        self._logs = False

    def start(self) -> None:
        NotificationCenter().add_observer(self._follower, name="CFGSettingsObjectDidChange", sender=self._settings)
        self.follow()

    def stop(self) -> None:
        NotificationCenter().discard_observer(self._follower, name="CFGSettingsObjectDidChange", sender=self._settings)
        self._set(False)

    def follow(self) -> None:
        """Do as the setting says now."""
        self._set(self._settings.saved_value("logs.trace_notifications"))

    def _set(self, wanted: bool) -> None:
        if wanted and not self._logs:
            NotificationCenter().add_observer(self)
        elif self._logs and not wanted:
            NotificationCenter().discard_observer(self)
        self._logs = wanted

    def handle_notification(self, notification: Notification) -> None:
        """IObserver: any notification."""
        log.info("%s from %s: %r", notification.name, _named(notification.sender), notification.data)


@implementer(IObserver)
class _Follower:
    """Hears of changed settings, apart from what is logged."""

    def __init__(self, owner: NotificationLog) -> None:
        self._owner = owner

    def handle_notification(self, notification: Notification) -> None:
        self._owner.follow()


def _named(sender: object) -> str:
    identity = getattr(sender, "id", None)
    name = type(sender).__name__
    return f"{name} {identity}" if isinstance(identity, str) else name
