"""Where the recordings of calls go, and what becomes of one that can't go on."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from zope.interface import implementer

from sipsimple.configuration.settings import SIPSimpleSettings
from sipsimple.notification import IObserver, Notification, NotificationCenter

__all__ = ["FailureWatch", "default_filename"]


@implementer(IObserver)
class FailureWatch:
    """Calls a function when a recorder has to stop, as there is no room any more (WaveRecorderDidFail)."""

    def __init__(self, recorder: Any, failed: Callable[[], object]) -> None:
        self._recorder = recorder
        self._failed = failed
        NotificationCenter().add_observer(self, name="WaveRecorderDidFail", sender=recorder)

    def handle_notification(self, notification: Notification) -> None:
        """IObserver, in the reactor's thread."""
        self._failed()

    def stop(self) -> None:
        NotificationCenter().discard_observer(self, name="WaveRecorderDidFail", sender=self._recorder)


def default_filename(account: Any, session: Any) -> str:
    """A new name in `audio.recordings_directory`, of the participants and the time (AUD-019)."""
    identity = getattr(session, "remote_identity", None)
    remote = f"{identity.uri.user}@{identity.uri.host}" if identity is not None else "unknown"
    directory = Path(str(SIPSimpleSettings().audio.recordings_directory)) / _safe(str(account.id))
    stem = f"{time.strftime('%Y%m%d-%H%M%S')}-{_safe(remote)}"
    path, number = directory / f"{stem}.wav", 1
    while path.exists():
        path, number = directory / f"{stem}-{number}.wav", number + 1
    return str(path)


def _safe(name: str) -> str:
    return re.sub(r"[^\w.@+-]", "_", name).lstrip(".")[:80] or "_"
