"""What is on or off, and takes time to go off: an account, and each of its functions.

    state           wanted          unwanted         ended
    OFF             ON              OFF              -
    ON              ON              ENDING           -
    ENDING          RESTARTING      ENDING           OFF
    RESTARTING      RESTARTING      ENDING           ON

ENDING and RESTARTING wait for the end; RESTARTING goes on again after it.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred

__all__ = ["Switch", "SwitchState"]


class SwitchState(Enum):
    OFF = "off"
    ON = "on"
    ENDING = "ending"
    RESTARTING = "restarting"


class SwitchEvent(Enum):
    WANTED = "wanted"
    UNWANTED = "unwanted"
    ENDED = "ended"


TRANSITIONS: dict[SwitchState, dict[SwitchEvent, SwitchState]] = {
    SwitchState.OFF: {
        SwitchEvent.WANTED: SwitchState.ON,
        SwitchEvent.UNWANTED: SwitchState.OFF,
    },
    SwitchState.ON: {
        SwitchEvent.WANTED: SwitchState.ON,
        SwitchEvent.UNWANTED: SwitchState.ENDING,
    },
    SwitchState.ENDING: {
        SwitchEvent.WANTED: SwitchState.RESTARTING,
        SwitchEvent.UNWANTED: SwitchState.ENDING,
        SwitchEvent.ENDED: SwitchState.OFF,
    },
    SwitchState.RESTARTING: {
        SwitchEvent.WANTED: SwitchState.RESTARTING,
        SwitchEvent.UNWANTED: SwitchState.ENDING,
        SwitchEvent.ENDED: SwitchState.ON,
    },
}


class Switch:
    """Calls `turn_on()` when it goes on, and `turn_off()`, whose Deferred says when it is off, to go off.

    Both are called in the reactor's thread, never at the same time, and must not fail; nor may the Deferred.
    """

    __slots__ = ("_turn_off", "_turn_on", "_waiting", "state")

    def __init__(self, turn_on: Callable[[], object], turn_off: Callable[[], Deferred[object]]) -> None:
        self.state = SwitchState.OFF
        self._turn_on = turn_on
        self._turn_off = turn_off
        self._waiting: list[Deferred[None]] = []

    @property
    def is_on(self) -> bool:
        return self.state is SwitchState.ON

    def set(self, wanted: bool) -> None:
        """Say what it should be."""
        self._handle(SwitchEvent.WANTED if wanted else SwitchEvent.UNWANTED)

    def off(self) -> Deferred[None]:
        """Switch it off; the Deferred fires when it is off (or on again, if somebody wanted that meanwhile)."""
        from twisted.internet.defer import Deferred, succeed

        self.set(False)
        if self.state is SwitchState.OFF:
            return succeed(None)
        waiting: Deferred[None] = Deferred()
        self._waiting.append(waiting)
        return waiting

    def _handle(self, event: SwitchEvent) -> None:
        before = self.state
        self.state = after = TRANSITIONS[before][event]
        if event is SwitchEvent.ENDED:
            waiting, self._waiting = self._waiting, []
            if after is SwitchState.ON:
                self._turn_on()
            for deferred in waiting:
                deferred.callback(None)
        elif before is SwitchState.OFF and after is SwitchState.ON:
            self._turn_on()
        elif before is SwitchState.ON and after is SwitchState.ENDING:
            self._turn_off().addBoth(lambda _: self._handle(SwitchEvent.ENDED))
