"""The mailbox of a session: everything that happens to it happens one after the other, in the reactor thread."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from typing import Any

from sipsimple.realm import Realm, current_realm

__all__ = ["Mailbox"]

log = logging.getLogger("sipsimple.session")


class Mailbox:
    """Runs actions in the order in which they were put, in the reactor thread of `realm`, none inside another.

    So an action never sees a session that another one has half changed, though applications call methods from
    inside observers, streams post their notifications from inside the methods that the session calls, and other
    threads do both at any time. An action that raises is logged and given to `failed`.
    """

    __slots__ = ("_actions", "_failed", "_running", "realm")

    def __init__(self, realm: Realm, failed: Callable[[Exception], None]) -> None:
        self.realm = realm
        self._failed = failed
        self._actions: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()
        self._running = False

    def put(self, action: Callable[..., None], *args: Any) -> None:
        """Run `action(*args)`: at once in the reactor thread, if no other action is running there, or soon."""
        self._actions.append((action, args))
        if self.realm.in_reactor_thread():
            self._run()
        else:
            self.realm.reactor.callFromThread(self._run)

    def _run(self) -> None:
        if self._running:
            return
        self._running = True
        try:
            if current_realm() is self.realm:
                self._run_all()
            else:
                self.realm.run(self._run_all)
        finally:
            self._running = False

    def _run_all(self) -> None:
        actions = self._actions
        while actions:
            action, args = actions.popleft()
            try:
                action(*args)
            except Exception as error:
                log.exception("An action of a session failed")
                self._failed(error)
