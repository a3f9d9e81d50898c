"""Log lines about what the network brings, at a bounded rate: a flood of bad octets must not fill the log."""

from __future__ import annotations

import logging
import time
from typing import Any

__all__ = ["RateBoundedLog", "faults", "log"]

logger = logging.getLogger("msrplib")

MAX_BURST = 20
MAX_PER_SECOND = 2.0


class RateBoundedLog:
    """Passes on a burst of lines, then so many a second; says how many it left out."""

    __slots__ = ("_credit", "_left_out", "_time")

    _credit: float
    _left_out: int
    _time: float

    def __init__(self) -> None:
        self.reset()

    def reset(self) -> None:
        """As if nothing had been logged yet."""
        self._credit = float(MAX_BURST)
        self._time = time.monotonic()
        self._left_out = 0

    def dropped(self, message: str, *args: Any, exc_info: bool = False) -> None:
        """Something from the network, or an exception of the user's code, was dropped."""
        now = time.monotonic()
        self._credit = min(MAX_BURST, self._credit + (now - self._time) * MAX_PER_SECOND)
        self._time = now
        if self._credit < 1.0:
            self._left_out += 1
            return
        self._credit -= 1.0
        if self._left_out:
            logger.warning("%d more lines like these were left out", self._left_out)
            self._left_out = 0
        logger.log(logging.ERROR if exc_info else logging.WARNING, message, *args, exc_info=exc_info)


log = RateBoundedLog()
"""For what the network brings."""
faults = RateBoundedLog()
"""For what the user's code raises; apart, so that a flood of the one does not hide the other."""
