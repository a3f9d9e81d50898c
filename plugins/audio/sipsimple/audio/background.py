"""Blocking work of the clock's thread, which must not block: it is done in the reactor's thread pool."""

from __future__ import annotations

from collections.abc import Callable

from sipsimple.realm import Realm
from sipsimple.threading import call_in_sipsimple_thread, run_in_thread

__all__ = ["in_background"]


def in_background(realm: Realm, function: Callable[[], object]) -> None:
    """Call a function, which raises nothing, in the thread pool; at once where no reactor has one."""
    if realm.reactor is None:
        function()
    else:
        realm.run(call_in_sipsimple_thread, run_in_thread(function))
