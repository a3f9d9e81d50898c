"""How long to wait before something that failed is tried again (RFC 5626 4.5)."""

from __future__ import annotations

from random import Random, SystemRandom

__all__ = ["Backoff"]


class Backoff:
    """Waits that double with each failure, up to a bound, with half of each left to chance.

    :param base: the upper bound of the first wait, in seconds
    :param maximum: that of all waits, in seconds
    """

    __slots__ = ("_failures", "_random", "base", "maximum")

    def __init__(self, base: float, maximum: float, random: Random | None = None) -> None:
        self.base = base
        self.maximum = maximum
        self._random = random or SystemRandom()
        self._failures = 0

    def reset(self) -> None:
        """It worked."""
        self._failures = 0

    def next(self, at_least: float = 0.0) -> float:
        """It failed: the seconds until the next try, not less than `at_least` (which a server asked for).

        RFC 5626 4.5: a random part of 50 to 100 per cent, so that many who lost the same server do not come back at
        once.
        """
        bound: float = min(self.maximum, self.base * 2**self._failures)
        if bound < self.maximum:
            self._failures += 1
        share = self._random.uniform(0.5, 1.0)
        return max(bound * share, at_least * (1.0 + 0.1 * share) if at_least else 0.0)
