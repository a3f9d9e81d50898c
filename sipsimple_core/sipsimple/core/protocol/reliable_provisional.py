"""Reliable provisional responses (RFC 3262): sent again until their PRACK is there, and taken in their order.

`ReliableProvisionals` is the callee's side of one INVITE (3), `ProvisionalOrder` the caller's (4).
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sipsimple.core.protocol.transaction import T1
from sipsimple.core.wire.errors import SIPParseError
from sipsimple.core.wire.headers import FrozenRAckHeader, FrozenRSeqHeader

if TYPE_CHECKING:
    from random import Random

    from sipsimple.core.protocol.timers import Timer, TimerHeap
    from sipsimple.core.wire.message import SIPRequest, SIPResponse

__all__ = [
    "MAX_WAITING_PROVISIONALS",
    "OPTION_TAG",
    "PRACK_TIMEOUT",
    "Provisional",
    "ProvisionalOrder",
    "ReliableProvisionals",
    "rack_of",
    "requires_prack",
    "rseq_of",
]

log = logging.getLogger("sipsimple.core.invite")

OPTION_TAG = "100rel"
#: RFC 3262 3: how long a provisional response is repeated before the INVITE is refused, in seconds.
PRACK_TIMEOUT = 64 * T1
#: How many may wait for the PRACK of the one before; one more is not sent.
MAX_WAITING_PROVISIONALS = 16
#: RFC 3262 3: the first RSeq is from 1 to 2**31 - 1.
LAST_FIRST_RSEQ = 2**31 - 1


def requires_prack(message: SIPRequest | SIPResponse) -> bool:
    """Whether a message requires 100rel: an INVITE that wants no other provisional responses, or one of these."""
    return "require" in message.headers and OPTION_TAG in [tag.lower() for tag in message.require]


def rseq_of(response: SIPResponse) -> int | None:
    """The number of a reliable provisional response; None for one that is not, or has no number that can be read."""
    if response.code == 100 or not requires_prack(response):
        return None
    try:
        header = response.headers.first(FrozenRSeqHeader)
    except SIPParseError:
        return None
    return None if header is None else header.number


def rack_of(prack: SIPRequest) -> FrozenRAckHeader | None:
    """Which response a PRACK acknowledges; None if it does not say so in a way that can be read."""
    try:
        return prack.headers.first(FrozenRAckHeader)
    except SIPParseError:
        return None


class ProvisionalOrder:
    """Which reliable provisional responses of a dialog are to be heard (RFC 3262 4)."""

    __slots__ = ("_cseq", "_rseq")

    def __init__(self) -> None:
        self._cseq = 0
        self._rseq = 0

    def accept(self, cseq: int, rseq: int) -> bool:
        """Takes the response to the INVITE with that CSeq number; False for a repetition and for one too early.

        4: the first of an INVITE may have any number, each other one follows the one before; what is out of order is
        not acknowledged, so that it comes again.
        """
        if cseq == self._cseq and rseq != self._rseq + 1:
            return False
        if cseq < self._cseq:
            return False
        self._cseq, self._rseq = cseq, rseq
        return True


@dataclass(slots=True)
class Provisional:
    """A reliable provisional response that is sent (then it has its `rseq`) or waits for the one before."""

    response: SIPResponse
    has_sdp: bool
    rseq: int = 0


class ReliableProvisionals:
    """The reliable provisional responses of one INVITE that we got.

    :param send: hands a response to the transaction.
    :param unacknowledged: called with the time when a response was repeated for `PRACK_TIMEOUT` in vain.
    """

    __slots__ = ("_last", "_rseq", "_send", "_stopped", "_timer", "_timers", "_unacknowledged", "_waiting")

    def __init__(
        self,
        send: Callable[[SIPResponse, float], None],
        unacknowledged: Callable[[float], None],
        timers: TimerHeap,
        random: Random,
    ) -> None:
        self._send = send
        self._unacknowledged = unacknowledged
        self._timers = timers
        self._rseq = random.randint(1, LAST_FIRST_RSEQ)
        #: The one that is being repeated, then those behind it.
        self._waiting: deque[Provisional] = deque()
        self._timer: Timer | None = None
        self._stopped = False

    @property
    def awaits_prack(self) -> bool:
        """Whether a response that we sent is not acknowledged yet."""
        return bool(self._waiting)

    @property
    def blocks_success(self) -> bool:
        """3: no 2xx may be sent before the PRACKs of all responses with a session description."""
        return not self._stopped and any(waiting.has_sdp for waiting in self._waiting)

    def send(self, response: SIPResponse, has_sdp: bool, now: float) -> None:
        """Sends a response, when those before it are acknowledged (3: one after the other)."""
        if len(self._waiting) > MAX_WAITING_PROVISIONALS:
            log.info("A provisional response to %s is not sent, too many wait for PRACK", response.call_id)
            return
        self._waiting.append(Provisional(response, has_sdp))
        if len(self._waiting) == 1:
            self._start(now)

    def _start(self, now: float) -> None:
        first = self._waiting[0]
        first.rseq = self._rseq
        self._rseq += 1
        first.response.headers.add("Require", OPTION_TAG)
        first.response.headers.add("RSeq", first.rseq)
        self._schedule(T1, now + PRACK_TIMEOUT, now)
        self._send(first.response, now)

    def _schedule(self, interval: float, until: float, now: float) -> None:
        def due(now: float) -> None:
            if now >= until:
                self.stop()
                self._unacknowledged(now)
                return
            # 3: the intervals double without limit, over any transport
            self._schedule(2 * interval, until, now)
            self._send(self._waiting[0].response, now)

        self._timer = self._timers.schedule(min(now + interval, until), due)

    def acknowledged(self, rseq: int) -> Provisional | None:
        """A PRACK for that number: the response that it acknowledges, None if there is no such (3: answer 481).

        The next one waits for `proceed`, so that the PRACK can be answered first.
        """
        if not self._waiting or not rseq or self._waiting[0].rseq != rseq:
            return None
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        return self._waiting.popleft()

    def proceed(self, now: float) -> None:
        """Sends the next one."""
        if self._waiting and self._timer is None and not self._stopped:
            self._start(now)

    def stop(self) -> None:
        """The final response is sent: nothing is repeated any more, but the PRACK of the last is taken (3)."""
        self._stopped = True
        while self._waiting and (len(self._waiting) > 1 or not self._waiting[0].rseq):
            self._waiting.pop()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
