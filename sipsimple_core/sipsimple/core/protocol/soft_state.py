"""Soft state at a server: what is set there, refreshed before its time is out, and taken back (RFC 3261 10, RFC 3903).

Theory of operation: a registration and a publication are the same machine. `set` puts content to the server with one
request, for a duration that the server may shorten; shortly before it is out the user is told, and unless it sets
something by itself, the state is refreshed. `end` takes it back. Requests go one after the other, never two at once
(RFC 3261 10.2, RFC 3903 4): what is asked for meanwhile waits for the outcome. A request that fails leaves what was
there before to its time (LAPSING) and is not tried again here: when and by which route is the user's decision.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from sipsimple.core.protocol.authentication import Authenticator
from sipsimple.core.protocol.client_request import tagged_from
from sipsimple.core.protocol.dialog import new_call_id
from sipsimple.core.protocol.outgoing_request import OutgoingRequest
from sipsimple.core.protocol.request_failure import RequestFailure
from sipsimple.core.wire.headers import FrozenToHeader

if TYPE_CHECKING:
    from sipsimple.core.protocol.outgoing_request import Destination
    from sipsimple.core.protocol.timers import Timer
    from sipsimple.core.protocol.user_agent import UserAgentCore
    from sipsimple.core.wire.digest import BaseCredentials
    from sipsimple.core.wire.headers import BaseFromHeader, BaseHeader
    from sipsimple.core.wire.message import SIPRequest, SIPResponse

__all__ = ["SOFT_STATES", "SoftState", "SoftStateEvent", "SoftStateUsage", "SoftStateUser"]

log = logging.getLogger("sipsimple.core.soft_state")

#: A refresh starts so long before the end, in seconds, but not before half of the time is over.
REFRESH_LEAD = 60.0
#: The part of the time until the refresh that is left to chance, so that many agents do not refresh at once.
REFRESH_JITTER = 0.1
#: How long the user has after it was told, before the state is refreshed without it, in seconds.
REFRESH_GRACE = 10.0
#: Whatever the server grants: not more often than this, not more seldom than that, in seconds.
MIN_REFRESH = 5.0
MAX_REFRESH = 86_400.0
#: How often one request is sent again because the server asked for a longer duration (423), or for all anew (412).
MAX_REPAIRS = 3
#: A longer duration than this is not accepted as the server's minimum, in seconds.
MAX_MIN_EXPIRES = 7 * 86_400


class SoftState(StrEnum):
    NULL = "null"
    CREATING = "creating"
    ACTIVE = "active"
    REFRESHING = "refreshing"
    LAPSING = "lapsing"
    ENDING = "ending"


class SoftStateEvent(Enum):
    SET = "set"
    ACCEPTED = "2xx"
    FAILED = "300-699, time-out or transport error"
    END = "end"
    ENDED = "2xx to the end"
    EXPIRED = "the granted time is out"


_S, _E = SoftState, SoftStateEvent

#: SET and END that come while a request is under way are kept back until its outcome, so no row has them.
SOFT_STATES: dict[SoftState, dict[SoftStateEvent, SoftState]] = {
    _S.NULL: {_E.SET: _S.CREATING},
    _S.CREATING: {_E.ACCEPTED: _S.ACTIVE, _E.FAILED: _S.NULL},
    _S.ACTIVE: {_E.SET: _S.REFRESHING, _E.END: _S.ENDING, _E.EXPIRED: _S.NULL},
    _S.REFRESHING: {_E.ACCEPTED: _S.ACTIVE, _E.FAILED: _S.LAPSING, _E.EXPIRED: _S.CREATING},
    _S.LAPSING: {_E.SET: _S.REFRESHING, _E.END: _S.ENDING, _E.EXPIRED: _S.NULL},
    _S.ENDING: {_E.ENDED: _S.NULL, _E.FAILED: _S.LAPSING, _E.EXPIRED: _S.ENDING},
}

C = TypeVar("C")


@dataclass(frozen=True, slots=True)
class _Wish(Generic[C]):
    """What the user asked for while a request was under way: to set `content`, or to end."""

    content: C | None
    destinations: Sequence[Destination]
    timeout: float | None

    @property
    def ends(self) -> bool:
        return self.content is None


class SoftStateUser(Protocol):
    """The layer above; each kind of soft state adds how it tells of a success."""

    def state_failed(self, failure: RequestFailure) -> None:
        """It was not set, or not refreshed: what was there before lasts until its time is out."""

    def state_will_expire(self, seconds: float) -> None:
        """So much is left; unless the user sets it anew, it is refreshed in a moment."""

    def state_will_end(self) -> None:
        """It is about to be taken back."""

    def state_ended(self, response: SIPResponse | None, expired: bool) -> None:
        """There is none any more: it was taken back, or (`expired`) nobody refreshed it."""

    def state_not_ended(self, failure: RequestFailure) -> None:
        """It could not be taken back."""


class SoftStateUsage(ABC, Generic[C]):
    """See the module. `C` is the content: a contact, a body.

    :param duration: in seconds, what is asked for; a server's 423 may raise it.

    Attributes: `state`, `duration`, `expires_at` (on the clock of `now`; None when nothing is there), `call_id`,
    `from_header` (with its tag), `destination` (where the last success was, None before).
    """

    method: str

    def __init__(
        self,
        core: UserAgentCore,
        user: SoftStateUser,
        from_header: BaseFromHeader,
        credentials: BaseCredentials | None,
        duration: int,
        headers: Iterable[tuple[str, str | BaseHeader]],
    ) -> None:
        self.core = core
        self.state = SoftState.NULL
        self._user = user
        self.duration = duration
        self.expires_at: float | None = None
        self.call_id = new_call_id()
        self.from_header = tagged_from(from_header)
        self.to_header = FrozenToHeader(from_header.uri, from_header.display_name, from_header.parameters)
        self.destination: Destination | None = None
        self._authenticator = Authenticator(credentials)
        self._headers = tuple(headers)
        self._cseq = 0
        self._content: C | None = None
        self._destinations: Sequence[Destination] = ()
        self._timeout: float | None = None
        self._outgoing: OutgoingRequest | None = None
        self._repairs = 0
        self._wishes: list[_Wish[C]] = []
        self._refresh_timer: Timer | None = None
        self._expiry_timer: Timer | None = None

    # What the user asks for

    @property
    def is_busy(self) -> bool:
        """Whether a request is under way; what is asked for now waits for its outcome."""
        return self._outgoing is not None

    def set(self, content: C, destinations: Sequence[Destination], timeout: float | None = None, *, now: float) -> None:
        """Sets or replaces the state at the server; `timeout` bounds each request, in seconds."""
        wish = _Wish(content, destinations, timeout)
        if self.is_busy:
            if self._wishes and not self._wishes[-1].ends:
                self._wishes.pop()
            self._wishes.append(wish)
        else:
            self._grant(wish, now)

    def end(self, timeout: float | None = None, *, now: float) -> None:
        """Takes the state back. Each call is answered by `state_ended` or `state_not_ended`, several may share one."""
        wish: _Wish[C] = _Wish(None, (), timeout)
        if self.is_busy:
            if self._wishes and not self._wishes[-1].ends:
                self._wishes.pop()
            if self.state is not SoftState.ENDING and not self._wishes:
                self._wishes.append(wish)
        else:
            self._grant(wish, now)

    # What a kind of soft state is

    @abstractmethod
    def create_request(self, content: C, expires: int, cseq: int) -> SIPRequest:
        """The request that sets the content for that many seconds; for 0 seconds, the one that takes it back."""

    @abstractmethod
    def take_acceptance(self, content: C, response: SIPResponse, now: float) -> int:
        """Takes a 2xx to a request that sets the content: for how many seconds it was granted."""

    @abstractmethod
    def tell_accepted(self, outgoing: OutgoingRequest, response: SIPResponse, expires: int) -> None:
        """Tells the user of a success."""

    def repaired(self, response: SIPResponse, now: float) -> bool:
        """Whether the request is worth sending again, changed according to its refusal: here by 423 (10.2.8)."""
        if response.code != 423 or self.state is SoftState.ENDING:
            return False
        least = response.headers.get("Min-Expires")
        if least is None or not (least.isascii() and least.isdigit()) or len(least) > 10:
            return False
        seconds = int(least)
        if not self.duration < seconds <= MAX_MIN_EXPIRES:
            return False
        self.duration = seconds
        return True

    def response_came(self, outgoing: OutgoingRequest, response: SIPResponse) -> None:
        """Each response as it comes, also a challenge that is answered; what it means is told afterwards."""

    @property
    def is_removable(self) -> bool:
        """Whether there is a way to tell the server what to take back."""
        return True

    def forgotten(self) -> None:
        """Nothing is at the server any more."""

    def is_gone(self, response: SIPResponse) -> bool:
        """Whether a refusal to end the state says that there is none."""
        return False

    # Steps

    def _grant(self, wish: _Wish[C], now: float) -> None:
        if not wish.ends:
            self._change(SoftStateEvent.SET)
            self._content, self._destinations, self._timeout = wish.content, wish.destinations, wish.timeout
        elif self.state is SoftState.NULL:
            self._user.state_ended(None, False)
            return
        else:
            self._change(SoftStateEvent.END)
            self._timeout = wish.timeout
            self._user.state_will_end()
            if not self.is_removable:
                self._end(None, now)
                return
        self._repairs = 0
        self._send(now)

    def _grant_next(self, now: float) -> None:
        while self._wishes and not self.is_busy:
            self._grant(self._wishes.pop(0), now)

    def _send(self, now: float) -> None:
        if self._refresh_timer is not None:
            self._refresh_timer.cancel()
            self._refresh_timer = None
        self._cseq += 1
        assert self._content is not None, "nothing is sent before there was something to set"
        duration = 0 if self.state is SoftState.ENDING else self.duration
        request = self.create_request(self._content, duration, self._cseq)
        destinations = self._destinations
        if len(destinations) > 1 and self.destination in destinations:
            # where the last success was is tried first: the others need not know of what is there
            destinations = sorted(destinations, key=lambda destination: destination != self.destination)
        self._outgoing = OutgoingRequest(
            request, destinations, self.core, self, self._authenticator, None, self._timeout, self.response_came,
            now=now,
        )  # fmt: skip

    def _change(self, event: SoftStateEvent) -> None:
        self.state = SOFT_STATES[self.state][event]

    def _settle(self, outgoing: OutgoingRequest) -> None:
        """The request has its outcome."""
        self._outgoing = None
        self._cseq = max(self._cseq, outgoing.cseq)

    def _keep_for(self, seconds: int, now: float) -> None:
        """The state is there for so long (RFC 3261 10.2.4: refreshed before that)."""
        self._forget_timers()
        self.expires_at = now + seconds
        timers = self.core.timers
        delay = seconds - min(REFRESH_LEAD, seconds / 2)
        delay *= 1 - REFRESH_JITTER * self.core.random.random()
        self._refresh_timer = timers.schedule(now + min(max(delay, MIN_REFRESH), MAX_REFRESH), self._will_expire)
        self._expiry_timer = timers.schedule(now + max(seconds, 2 * MIN_REFRESH), self._expired)

    def _forget_timers(self) -> None:
        self._stop(self._refresh_timer)
        self._stop(self._expiry_timer)
        self._refresh_timer = self._expiry_timer = None

    @staticmethod
    def _stop(timer: Timer | None) -> None:
        if timer is not None:
            timer.cancel()

    def _will_expire(self, now: float) -> None:
        left = max(0.0, (self.expires_at or now) - now)
        # set before the user is told, as what it does then takes this timer's place
        self._refresh_timer = self.core.timers.schedule(now + min(REFRESH_GRACE, left / 4), self._refresh)
        self._user.state_will_expire(left)

    def _refresh(self, now: float) -> None:
        if self.state is SoftState.ACTIVE and self._content is not None:
            self._grant(_Wish(self._content, self._destinations, self._timeout), now)

    def _expired(self, now: float) -> None:
        self.expires_at = None
        self._change(SoftStateEvent.EXPIRED)
        if self.state is SoftState.NULL:
            self._vanished()
            self._user.state_ended(None, True)

    def _end(self, response: SIPResponse | None, now: float) -> None:
        self._change(SoftStateEvent.ENDED)
        self._vanished()
        self._user.state_ended(response, False)

    def _vanished(self) -> None:
        self.expires_at = None
        self._forget_timers()
        self.forgotten()

    # What the request tells its owner

    def request_progressed(self, outgoing: OutgoingRequest, response: SIPResponse, now: float) -> None:
        """The outcome is waited for."""

    def request_succeeded(self, outgoing: OutgoingRequest, response: SIPResponse, now: float) -> None:
        self._settle(outgoing)
        self.destination = outgoing.destination
        if self.state is SoftState.ENDING:
            self._end(response, now)
        else:
            assert self._content is not None
            seconds = self.take_acceptance(self._content, response, now)
            if seconds > 0:
                self._change(SoftStateEvent.ACCEPTED)
                self._keep_for(seconds, now)
                self.tell_accepted(outgoing, response, seconds)
            else:
                # 10.2.4: what is granted for no time is not there
                self._fail(RequestFailure.refused(outgoing, response, "granted for 0 seconds"), now)
        self._grant_next(now)

    def request_refused(self, outgoing: OutgoingRequest, response: SIPResponse, now: float) -> None:
        self._settle(outgoing)
        if self._repairs < MAX_REPAIRS and self.repaired(response, now):
            self._repairs += 1
            self._send(now)
        elif self.state is SoftState.ENDING and self.is_gone(response):
            self._end(response, now)
            self._grant_next(now)
        else:
            self._fail(RequestFailure.refused(outgoing, response), now)
            self._grant_next(now)

    def request_failed(self, outgoing: OutgoingRequest, code: int, error: str, now: float) -> None:
        self._settle(outgoing)
        self._fail(RequestFailure.unanswered(outgoing, code, error), now)
        self._grant_next(now)

    def _fail(self, failure: RequestFailure, now: float) -> None:
        ending = self.state is SoftState.ENDING
        log.info("%s %s failed: %d %s", self.method, self.call_id, failure.code, failure.reason)
        self._change(SoftStateEvent.FAILED)
        self._stop(self._refresh_timer)
        self._refresh_timer = None
        if ending:
            self._user.state_not_ended(failure)
            if self._expiry_timer is None or not self._expiry_timer.pending:
                # its time was out while we waited for the answer
                self._change(SoftStateEvent.EXPIRED)
                self._vanished()
        else:
            if self.state is SoftState.NULL:
                self._vanished()
            self._user.state_failed(failure)
