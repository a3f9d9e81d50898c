"""The times of a subscription that we have: refresh, expiry, and the waits for a NOTIFY (RFC 6665 4.1.2)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sipsimple.core.protocol.transaction import T1

if TYPE_CHECKING:
    from sipsimple.core.protocol.timers import Timer, TimerHeap

__all__ = ["END_TIMEOUT", "MAX_INTERVAL", "MIN_REFRESH_DELAY", "TIMER_N", "SubscriptionTimes", "refresh_delay"]

#: RFC 6665 4.1.2.4: how long the NOTIFY that says what became of the subscription may take, in seconds. It runs from
#: the 2xx, as challenges and other hops may have come before it.
TIMER_N = 64 * T1

#: How long the end of a subscription is waited for, in seconds: one request that was out, and the last NOTIFY.
END_TIMEOUT = 2 * TIMER_N

#: The longest that a 423 makes us subscribe for, and that a NOTIFY may grant where we left the time open, in seconds.
MAX_INTERVAL = 7 * 86_400

#: Refreshes are sent so long before the end, or at half time if that is later; never sooner than the minimum.
REFRESH_MARGIN = 32.0
MIN_REFRESH_DELAY = 5.0

#: Seconds until a refresh that failed for now is tried again, where the response does not say.
REFRESH_RETRY_DELAY = 15.0


def refresh_delay(expires: float) -> float:
    """Seconds from a grant to the refresh that follows it."""
    return max(MIN_REFRESH_DELAY, expires / 2, expires - REFRESH_MARGIN)


class SubscriptionTimes:
    """See the module. The callbacks are called as `callback(now)`.

    :param refresh_due: it is time to subscribe again.
    :param expired: the time that was granted is over.
    """

    __slots__ = ("_expired", "_expiry", "_limit", "_refresh", "_refresh_due", "_timers")

    def __init__(
        self, timers: TimerHeap, refresh_due: Callable[[float], None], expired: Callable[[float], None]
    ) -> None:
        self._timers = timers
        self._refresh_due = refresh_due
        self._expired = expired
        self._refresh: Timer | None = None
        self._expiry: Timer | None = None
        self._limit: Timer | None = None

    @property
    def granted(self) -> bool:
        """Whether there is an end in sight."""
        return self._expiry is not None

    def grant(self, seconds: int, now: float) -> None:
        """The subscription goes on for so many seconds from now."""
        self._again_in(refresh_delay(seconds), now)
        if self._expiry is not None:
            self._expiry.cancel()
        # who grants nothing is going to tell why
        self._expiry = self._timers.schedule(now + (seconds or TIMER_N), self._expired)

    def retry(self, retry_after: int | None, now: float) -> None:
        """The refresh failed for now."""
        self._again_in(max(MIN_REFRESH_DELAY, REFRESH_RETRY_DELAY if retry_after is None else retry_after), now)

    def wait(self, seconds: float, callback: Callable[[float], None], now: float) -> None:
        """For a NOTIFY; takes the place of the wait before."""
        self.stop_waiting()
        self._limit = self._timers.schedule(now + seconds, callback)

    def _again_in(self, seconds: float, now: float) -> None:
        self.stop_refresh()
        self._refresh = self._timers.schedule(now + seconds, self._refresh_due)

    def stop_refresh(self) -> None:
        if self._refresh is not None:
            self._refresh.cancel()
            self._refresh = None

    def stop_waiting(self) -> None:
        if self._limit is not None:
            self._limit.cancel()
            self._limit = None

    def stop(self) -> None:
        self.stop_refresh()
        self.stop_waiting()
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None
