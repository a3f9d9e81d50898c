"""Session timers (RFC 4028): a call that nobody refreshes any more ends by itself.

Theory of operation: each INVITE and UPDATE of a call proposes a session interval and its 2xx settles it, with who of
the two refreshes: 'uac' or 'uas' of that very transaction. Who refreshes does so after half of the interval, with an
UPDATE or a re-INVITE, and each 2xx starts the interval anew; a little before its end the call is ended (10). A 2xx
without Session-Expires switches the timer off (7.2).
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from sipsimple.core.wire.errors import SIPParseError
from sipsimple.core.wire.headers import FrozenMinSEHeader, FrozenSessionExpiresHeader
from sipsimple.core.wire.validation import Refusal

if TYPE_CHECKING:
    from sipsimple.core.protocol.invite_options import InviteOptions
    from sipsimple.core.protocol.timers import Timer, TimerHeap
    from sipsimple.core.wire.headers import BaseHeader
    from sipsimple.core.wire.message import SIPMessage, SIPRequest, SIPResponse

__all__ = ["EXPIRY_MARGIN", "OPTION_TAG", "SessionTimer", "SessionTimerOwner", "margin_of"]

OPTION_TAG = "timer"
#: 10: a call that was not refreshed ends so long before its interval does, in seconds, but at most a third of it.
EXPIRY_MARGIN = 32.0
#: 5: the Min-SE of who says none, in seconds.
DEFAULT_MIN_SE = 90


class SessionTimerOwner(Protocol):
    """What the owner of a session timer is told."""

    def refresh_due(self, now: float) -> None:
        """It is our turn to send an UPDATE or re-INVITE."""

    def session_expired(self, now: float) -> None:
        """Nobody has refreshed the session: it is to be ended with BYE (10)."""


def margin_of(interval: float) -> float:
    """How long before the end of a session interval the call is ended (10), in seconds."""
    return min(EXPIRY_MARGIN, interval / 3)


class SessionTimer:
    """The session timer of one call.

    Attributes: `interval` (seconds; 0 while there is no session timer), `is_refresher` (whether we refresh).
    """

    __slots__ = ("_expiry", "_min_se", "_options", "_owner", "_refresh", "_timers", "interval", "is_refresher")

    def __init__(self, options: InviteOptions, timers: TimerHeap, owner: SessionTimerOwner) -> None:
        self.interval = 0
        self.is_refresher = False
        self._options = options
        self._timers = timers
        self._owner = owner
        self._min_se = max(options.min_se, DEFAULT_MIN_SE)
        self._refresh: Timer | None = None
        self._expiry: Timer | None = None

    # Our requests

    def request_headers(self) -> list[tuple[str, str | BaseHeader]]:
        """What an INVITE or UPDATE of ours says of the session timer (7.1, 7.4)."""
        if not self._options.session_expires:
            return []
        if self.interval:
            # 7.4: who refreshes goes on doing so
            value = f"{max(self.interval, self._min_se)};refresher={'uac' if self.is_refresher else 'uas'}"
        else:
            value = str(max(self._options.session_expires, self._min_se))
        headers: list[tuple[str, str | BaseHeader]] = [("Session-Expires", value)]
        if self._min_se > DEFAULT_MIN_SE:
            headers.append(("Min-SE", str(self._min_se)))
        return headers

    def lengthen(self, request: SIPRequest, response: SIPResponse) -> bool:
        """Makes a request that got 422 fit for another try (7.3); False when the 422 asks for nothing more."""
        wanted, asked = _min_se(response), _session_expires(request)
        if asked is None or wanted <= asked.seconds:
            return False
        self._min_se = wanted
        refresher = "" if asked.refresher is None else f";refresher={asked.refresher}"
        request.headers.set("Session-Expires", f"{wanted}{refresher}")
        request.headers.set("Min-SE", str(wanted))
        return True

    def accepted(self, response: SIPResponse, now: float) -> None:
        """A 2xx to our INVITE or UPDATE settles the interval (7.2)."""
        expires = _session_expires(response) if self._options.session_expires else None
        if expires is None:
            self.stop()
            return
        # the 2xx says who refreshes; one that does not leaves it to us
        interval = max(expires.seconds, self._options.min_se)
        self._start(interval, expires.refresher != "uas", now)

    # Their requests

    def refuse(self, request: SIPRequest) -> Refusal | None:
        """422 for an interval shorter than we take, to who understands that (9)."""
        if not self._options.session_expires:
            return None
        asked = _session_expires(request)
        if asked is None or asked.seconds >= self._options.min_se or not _supports(request):
            return None
        return Refusal.of(422, "", ("Min-SE", str(self._options.min_se)))

    def answer(self, request: SIPRequest, now: float) -> list[tuple[str, str | BaseHeader]]:
        """What our 2xx to an INVITE or UPDATE says of the session timer (9); it starts here."""
        ours = self._options.session_expires
        asked, supports = _session_expires(request), _supports(request)
        if not ours or not (supports or asked) or (asked and asked.seconds < self._options.min_se):
            self.stop()
            return []
        # 9: the UAS may lower the interval, down to the request's Min-SE, and may not raise it
        least = max(_min_se(request), self._options.min_se)
        interval = max(ours, least) if asked is None else min(asked.seconds, max(ours, least))
        # 9, table 2: without support for the timer the UAC can't refresh
        refresher = "uas"
        if supports:
            now_refreshing = "uas" if self.interval and self.is_refresher else "uac"
            stated = None if asked is None else asked.refresher
            refresher = stated if stated in ("uac", "uas") else now_refreshing
        self._start(interval, refresher == "uas", now)
        headers: list[tuple[str, str | BaseHeader]] = [("Session-Expires", f"{interval};refresher={refresher}")]
        if supports:
            # 9: the UAC has to know that there is a timer
            headers.append(("Require", OPTION_TAG))
        return headers

    # Time

    def retry(self, seconds: float, now: float) -> None:
        """A refresh did not work: `refresh_due` comes again after so many seconds, unless the session ends before."""
        if self.interval:
            self._cancel_refresh()
            self._refresh = self._timers.schedule(now + seconds, self._refresh_due)

    def stop(self) -> None:
        """There is no session timer any more."""
        self.interval = 0
        self._cancel_refresh()
        if self._expiry is not None:
            self._expiry.cancel()
            self._expiry = None

    def _start(self, interval: int, is_refresher: bool, now: float) -> None:
        self.stop()
        self.interval, self.is_refresher = interval, is_refresher
        self._expiry = self._timers.schedule(now + interval - margin_of(interval), self._expired)
        if is_refresher:
            # 10: half of the interval is the recommended time
            self._refresh = self._timers.schedule(now + interval / 2, self._refresh_due)

    def _cancel_refresh(self) -> None:
        if self._refresh is not None:
            self._refresh.cancel()
            self._refresh = None

    def _refresh_due(self, now: float) -> None:
        self._refresh = None
        self._owner.refresh_due(now)

    def _expired(self, now: float) -> None:
        self.stop()
        self._owner.session_expired(now)


def _session_expires(message: SIPMessage) -> FrozenSessionExpiresHeader | None:
    """The Session-Expires of a message; None without one that can be read."""
    if "Session-Expires" not in message.headers:
        return None
    try:
        return message.headers.first(FrozenSessionExpiresHeader)
    except SIPParseError:
        return None


def _min_se(message: SIPMessage) -> int:
    """The Min-SE of a message, in seconds; 90 without one that can be read (5)."""
    try:
        header = message.headers.first(FrozenMinSEHeader)
    except SIPParseError:
        header = None
    return DEFAULT_MIN_SE if header is None else max(header.seconds, DEFAULT_MIN_SE)


def _supports(request: SIPRequest) -> bool:
    tags = [*request.supported, *request.require]
    return OPTION_TAG in [tag.lower() for tag in tags]
