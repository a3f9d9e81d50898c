"""The clock of all mixers: it calls each of them once each 20 ms.

On a real reactor, or without one, it is a thread of its own, so that audio does not wait for signalling. On a reactor
of virtual time it is a timer of that reactor. Times are counted from the first frame, so that an error does not add
up; a clock that was held up catches up at once, unless it was for so long that it is better to go on from now.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
import weakref
from typing import Any, Protocol

from sipsimple.audio.frames import FRAME_DURATION, FRAMES_A_SECOND
from sipsimple.realm import Realm, Singleton, current_realm

__all__ = ["FrameClock", "runs_in_real_time"]

log = logging.getLogger("sipsimple.audio")

MAX_LAG = 0.2  # seconds that are caught up; more are left out


class Ticked(Protocol):
    def tick(self) -> None: ...


def runs_in_real_time(realm: Realm) -> bool:
    """Whether the time of the realm is that of the world, in which there are sound cards."""
    return realm.reactor is None or realm.reactor is sys.modules.get("twisted.internet.reactor")


class FrameClock(metaclass=Singleton):
    """Calls `tick` of what was added, each 20 ms. It runs while there is anything, and keeps nothing alive."""

    def __init__(self) -> None:
        self._realm = current_realm()
        self._lock = threading.Lock()
        self._ticked: tuple[weakref.ref[Ticked], ...] = ()
        self._running = False
        self._number = 0  # of the frame, in virtual time

    def add(self, ticked: Ticked) -> None:
        """Call `ticked.tick()` from now on; once a frame, however often it is added."""
        with self._lock:
            if any(reference() is ticked for reference in self._ticked):
                return
            self._ticked += (weakref.ref(ticked),)
            if not self._running:
                self._running = True
                self._start()

    def remove(self, ticked: Ticked) -> None:
        """Call it no more."""
        with self._lock:
            self._ticked = tuple(one for one in self._ticked if one() not in (None, ticked))

    def _start(self) -> None:
        if runs_in_real_time(self._realm):
            threading.Thread(target=self._realm.run, args=(self._run,), name="sipsimple-audio", daemon=True).start()
        else:
            self._number = int(self._realm.reactor.seconds() * FRAMES_A_SECOND)
            self._wait()

    def _tick(self) -> bool:
        """One frame. Returns whether there will be another one."""
        for reference in self._ticked:
            ticked = reference()
            if ticked is not None:
                try:
                    ticked.tick()
                except Exception:
                    log.exception("A frame of audio was lost")
                del ticked
        with self._lock:
            self._ticked = tuple(one for one in self._ticked if one() is not None)
            self._running = bool(self._ticked)
            return self._running

    def _run(self) -> None:
        due = time.monotonic() + FRAME_DURATION
        while True:
            delay = due - time.monotonic()
            if delay > 0:
                time.sleep(delay)
            elif delay < -MAX_LAG:
                log.warning("The clock of the mixer was held up for %.1f seconds", -delay)
                due = time.monotonic()
            if not self._tick():
                return
            due += FRAME_DURATION

    def _tick_and_wait(self) -> None:
        if self._tick():
            self._wait()

    def _wait(self) -> None:
        reactor: Any = self._realm.reactor
        self._number += 1
        reactor.callLater(max(0.0, self._number / FRAMES_A_SECOND - reactor.seconds()), self._tick_and_wait)
