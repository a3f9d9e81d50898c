"""Log lines about what the network sends, bounded so that a flood of bad messages does not become a flood of lines."""

from __future__ import annotations

import logging

__all__ = ["LINES_PER_INTERVAL", "LOG_INTERVAL", "DropLog"]

#: So many lines are written per interval, in full; what comes after is counted.
LINES_PER_INTERVAL = 20
#: Length of the interval in seconds.
LOG_INTERVAL = 10.0


class DropLog:
    """A logger for messages that are dropped or refused. Time is an argument, as everywhere in this layer.

    :param logger: where the lines go, at the given level.
    """

    __slots__ = ("_level", "_lines", "_logger", "_start", "_suppressed", "dropped")

    def __init__(self, logger: logging.Logger, level: int = logging.WARNING) -> None:
        self._logger = logger
        self._level = level
        self._start = 0.0
        self._lines = 0
        self._suppressed = 0
        #: How many calls there were, logged or not.
        self.dropped = 0

    def __call__(self, now: float, message: str, *arguments: object) -> None:
        """Log ``message % arguments``, or count it if there have been `LINES_PER_INTERVAL` lines already."""
        self.dropped += 1
        if not self._start <= now < self._start + LOG_INTERVAL or not self._lines:
            if self._suppressed:
                self._logger.log(self._level, "%d more messages were dropped", self._suppressed)
            self._start, self._lines, self._suppressed = now, 0, 0
        if self._lines < LINES_PER_INTERVAL:
            self._lines += 1
            self._logger.log(self._level, message, *arguments)
        else:
            self._suppressed += 1
