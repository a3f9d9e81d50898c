"""Functions of an account that are kept up at a server: found, tried, renewed, and tried again after a failure.

Theory of operation: a registration and a subscription live alike. Each try begins with a look-up of the routes, as the
server may have moved, and takes one way after the other; a way is a contact of ours, with the routes for which it is
the right one. When no way works it is tried again after a while, longer each time; what is up is renewed when it has to
be. A change after which the server could not tell the new from the old (other credentials) ends the old first:
RESTARTING. The end is waited for a bounded time, and then counts as reached.
"""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from enum import Enum
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

from zope.interface import implementer

from sipsimple.account.backoff import Backoff
from sipsimple.account.fastest_route import fastest_first
from sipsimple.account.routes import lookup_routes
from sipsimple.account.server_name import server_name
from sipsimple.core.destinations import route_header_to
from sipsimple.core.engine import Engine, EngineError
from sipsimple.notification import IObserver, Notification, NotificationCenter, NotificationData, NotificationDispatcher
from sipsimple.realm import current_realm

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred
    from twisted.python.failure import Failure

    from sipsimple.account.account import Account
    from sipsimple.core.wire.headers import RouteHeader
    from sipsimple.core.wire.uri import BaseSIPURI
    from sipsimple.util import Route

__all__ = ["SERVICE_STATES", "PersistentService", "ServiceEvent", "ServiceState", "Way"]

log = logging.getLogger("sipsimple.account")

#: Bounds of the wait after the first failure and after many, in seconds.
FIRST_WAIT = 5.0
LONGEST_WAIT = 600.0
#: The wait after a refusal that only a person can do something about, in seconds; a changed setting ends it.
REFUSED_WAIT = 600.0
#: A server that asks for a longer wait than this is asked again after this, in seconds.
LONGEST_RETRY_AFTER = 3600.0
#: How long each route of a way is waited for, in seconds.
ROUTE_TIMEOUT = 10.0
#: How long the goodbye to the server may take, and when it is not waited for any more, in seconds.
END_TIMEOUT = 3.0
END_GUARD = 4.0
#: How often it is looked whether our address is still the same, in seconds.
ADDRESS_CHECK = 15.0
#: How often it is tried anew at once because our address is another one, between two of these looks.
MAX_MOVES = 3
#: How many redirections in a row are followed (RFC 3261 8.1.3.4).
MAX_REDIRECTIONS = 5

#: Refusals that the same request will get again: who we are or what we want is wrong (RFC 3261 21.4).
PERMANENT = frozenset({400, 401, 402, 403, 404, 405, 406, 407, 410, 414, 415, 416, 420, 481, 484, 485, 489, 501, 505,
                       600, 603, 604, 606})  # fmt: skip


class ServiceState(Enum):
    OFF = "off"
    LOOKING_UP = "looking up"
    TRYING = "trying"
    UP = "up"
    WAITING = "waiting"
    RESTARTING = "restarting"
    ENDING = "ending"


class ServiceEvent(Enum):
    START = "start()"
    FOUND = "the routes are there"
    REDIRECTED = "another server is to be asked"
    SUCCEEDED = "the server agreed"
    FAILED = "it did not work, or does not work any more"
    RENEW = "it is due, or the wait is over"
    RESTART = "it has to be another one"
    STOP = "stop()"
    ENDED = "the server knows, or is not waited for any more"


_S, _E = ServiceState, ServiceEvent

#: {state: {event: next state}}; an event that a state does not know has come too late, and has no effect.
SERVICE_STATES: dict[ServiceState, dict[ServiceEvent, ServiceState]] = {
    _S.OFF: {_E.START: _S.LOOKING_UP},
    _S.LOOKING_UP: {
        _E.FOUND: _S.TRYING, _E.FAILED: _S.WAITING, _E.RESTART: _S.RESTARTING, _E.STOP: _S.ENDING,
    },
    _S.TRYING: {
        _E.SUCCEEDED: _S.UP, _E.FAILED: _S.WAITING, _E.REDIRECTED: _S.LOOKING_UP, _E.RESTART: _S.RESTARTING,
        _E.STOP: _S.ENDING,
    },
    _S.UP: {
        _E.SUCCEEDED: _S.UP, _E.FAILED: _S.WAITING, _E.RENEW: _S.LOOKING_UP, _E.RESTART: _S.RESTARTING,
        _E.STOP: _S.ENDING,
    },
    _S.WAITING: {_E.SUCCEEDED: _S.UP, _E.RENEW: _S.LOOKING_UP, _E.RESTART: _S.RESTARTING, _E.STOP: _S.ENDING},
    _S.RESTARTING: {_E.ENDED: _S.LOOKING_UP, _E.STOP: _S.ENDING},
    _S.ENDING: {_E.ENDED: _S.OFF},
}  # fmt: skip


class Way(NamedTuple):
    """Our contact, and the routes to the server for which it is the right one."""

    contact: BaseSIPURI
    routes: list[Route]

    @property
    def timeout(self) -> float:
        """Seconds that a request may take by it."""
        return ROUTE_TIMEOUT * len(self.routes)


@implementer(IObserver)
class PersistentService(NotificationDispatcher, ABC):
    """An `AccountService` that is kept up at a server; see the module.

    Methods are called in the reactor's thread. A kind of service says whom it asks (`_target`), tries it (`_try`), ends
    it (`_end`) and tells of failures (`_tell_failure`); it reports by `_succeeded`, `_failed`, `_redirected`, `_renew`
    and `_ended`.
    """

    #: The settings of the account that begin everything anew when they change.
    decisive_settings: ClassVar[frozenset[str]] = frozenset(
        {"auth.username", "auth.password", "sip.outbound_proxy", "sip.always_use_my_proxy", "sip.tls_name"}
    )

    def __init__(self, account: Account) -> None:
        self.account = account
        self.state = ServiceState.OFF
        self._backoff = Backoff(FIRST_WAIT, LONGEST_WAIT)
        self._lookup = 0
        self._moves = 0
        self._redirections = 0
        self._redirection: BaseSIPURI | None = None
        self._routes: list[Route] = []
        self._ways: list[Way] = []
        self._address: tuple[Route, tuple[str, int]] | None = None
        self._decided: dict[str, object] = {}
        self._timer: Any = None
        self._address_timer: Any = None
        self._stopping: list[Deferred[None]] = []

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.account.id}, {self.state.value}>"

    # What the account does

    def start(self) -> None:
        center = NotificationCenter()
        center.add_observer(self, name="CFGSettingsObjectDidChange", sender=self.account)
        center.add_observer(self, name="SIPEngineDidChangeTransports")
        self._address_timer = current_realm().reactor.callLater(ADDRESS_CHECK, self._check_address)
        self._decided = self._decisive_values()
        self._happen(_E.START)

    def stop(self) -> Deferred[None]:
        """End it. The Deferred fires when the server knows, in END_GUARD seconds at the latest."""
        from twisted.internet.defer import Deferred, succeed

        if self.state is ServiceState.OFF:
            return succeed(None)
        center = NotificationCenter()
        center.discard_observer(self, name="CFGSettingsObjectDidChange", sender=self.account)
        center.discard_observer(self, name="SIPEngineDidChangeTransports")
        if self._address_timer is not None:
            self._address_timer.cancel()
            self._address_timer = None
        stopped: Deferred[None] = Deferred()
        self._stopping.append(stopped)
        self._happen(_E.STOP)
        return stopped

    # What a kind of service is

    @abstractmethod
    def _target(self) -> BaseSIPURI | None:
        """Whom the requests are for; None for the account's own server."""

    @abstractmethod
    def _try(self, way: Way, redirection: BaseSIPURI | None) -> None:
        """Send the request, or renew what it made. May raise EngineError or ValueError.

        With `redirection` to that URI instead of the usual one.
        """

    @abstractmethod
    def _end(self, timeout: float) -> None:
        """Take back what the server has; `_ended` follows. May raise EngineError."""

    @abstractmethod
    def _tell_failure(self, error: str, wait: float) -> None:
        """Post that it did not work, and will be tried again in `wait` seconds."""

    @abstractmethod
    def _give_up(self) -> None:
        """The end is not waited for any more: what still comes of it is nobody's."""

    @abstractmethod
    def _is_at(self, contact: BaseSIPURI) -> bool:
        """Whether the server knows us at this contact."""

    # What a kind of service reports

    def _succeeded(self) -> None:
        self._backoff.reset()
        self._redirections, self._redirection = 0, None
        self._happen(_E.SUCCEEDED)
        self._look_after_address()

    def _failed(self, error: str, code: int | None = None, retry_after: int | None = None) -> None:
        """`code` is that of a refusal, None where nobody answered; `retry_after` what the server asked for."""
        if _E.FAILED not in SERVICE_STATES[self.state]:
            return
        if self.state is _S.TRYING and self._ways and (code is None or 500 <= code < 600):
            log.info("%s of %s failed (%s), the next route is tried", type(self).__name__, self.account.id, error)
            self._take_next_way()
            return
        at_least = min(float(retry_after or 0), LONGEST_RETRY_AFTER)
        if code in PERMANENT:
            at_least = max(at_least, REFUSED_WAIT)
        wait = self._backoff.next(at_least)
        self._redirections, self._redirection = 0, None
        self._happen(_E.FAILED)
        self._timer = current_realm().reactor.callLater(wait, self._happen, _E.RENEW)
        log.info("%s of %s failed (%s), next try in %.1f s", type(self).__name__, self.account.id, error, wait)
        self._tell_failure(error, wait)

    def _redirected(self, uri: BaseSIPURI | None) -> bool:
        """The server says that `uri` is to be asked, None: itself, otherwise; False if it said so too often."""
        if self.state is not _S.TRYING or self._redirections >= MAX_REDIRECTIONS:
            return False
        self._redirections += 1
        self._redirection = uri
        self._happen(_E.REDIRECTED)
        return True

    def _ended(self) -> None:
        self._happen(_E.ENDED)

    def _renew(self) -> None:
        self._happen(_E.RENEW)

    # Steps

    def _happen(self, event: ServiceEvent) -> None:
        before = self.state
        after = SERVICE_STATES[before].get(event, before)
        self.state = after
        if after is before or (before, after) == (_S.RESTARTING, _S.ENDING):
            return  # nothing to do, or it is done already
        self._cancel_timer()
        step = _STEPS.get(after)
        if step is not None:
            getattr(self, step)()

    def _enter_looking_up(self) -> None:
        self._lookup += 1
        number = self._lookup
        target = self._redirection or self._target()
        found = lookup_routes(self.account, target).deferred()
        found.addCallback(lambda routes: fastest_first(self.account, routes, target or self.account.uri))
        found.addCallbacks(
            lambda routes: self._looked_up(number, routes, None),
            lambda failure: self._looked_up(number, [], failure),
        )

    def _looked_up(self, number: int, routes: list[Route], failure: Failure | None) -> None:
        if number != self._lookup or self.state is not _S.LOOKING_UP:
            return
        if failure is not None and self._routes and self._redirection is None:
            log.warning("%s; the routes from before are used", failure.getErrorMessage())
            routes, failure = self._routes, None
        if failure is not None:
            self._failed(failure.getErrorMessage())
            return
        if self._redirection is None:
            self._routes = routes
        self._ways, error = self._ways_by(routes)
        if not self._ways:
            self._failed(error)
            return
        self._happen(_E.FOUND)
        self._take_next_way()

    def _ways_by(self, routes: list[Route]) -> tuple[list[Way], str]:
        """The ways by these routes, in their order, and why those that are left out can't be taken."""
        ways: list[Way] = []
        error = "there is no route"
        for route in routes:
            try:
                contact = self.account.contact[route]
            except EngineError as problem:
                error = str(problem)
                continue
            if ways and ways[-1].contact == contact:
                ways[-1].routes.append(route)
            else:
                ways.append(Way(contact, [route]))
        return ways, error

    def _take_next_way(self) -> None:
        way = self._ways.pop(0)
        try:
            self._address = way.routes[0], _local_address(way.routes[0])
            self._try(way, self._redirection)
        except (EngineError, ValueError) as error:
            self._failed(str(error))

    def _route_headers(self, way: Way) -> list[RouteHeader]:
        return [route_header_to(route, server_name(self.account, route)) for route in way.routes]

    def _enter_ending(self) -> None:
        self._timer = current_realm().reactor.callLater(END_GUARD, self._guard)
        try:
            self._end(END_TIMEOUT)
        except EngineError:
            self._guard()

    def _guard(self) -> None:
        self._cancel_timer()
        self._give_up()
        self._ended()

    def _enter_off(self) -> None:
        stopping, self._stopping = self._stopping, []
        for stopped in stopping:
            if not stopped.called:
                stopped.callback(None)

    def _cancel_timer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()

    def _post(self, name: str, **fields: Any) -> None:
        NotificationCenter().post_notification(name, sender=self.account, data=NotificationData(**fields))

    # What changes around it

    def _check_address(self) -> None:
        self._address_timer = current_realm().reactor.callLater(ADDRESS_CHECK, self._check_address)
        self._moves = 0
        self._look_after_address()

    def _look_after_address(self) -> None:
        """We may be at another address than when it was last tried, or reach another network."""
        if self._address is None or self.state not in (_S.UP, _S.WAITING):
            return
        route, before = self._address
        try:
            now = _local_address(route)
        except EngineError:
            if self.state is _S.UP:
                self._renew()  # the transport is gone
            return
        if now != before:
            log.info("%s of %s: our address is %s:%d now", type(self).__name__, self.account.id, *now)
            self.account.contact.forget_public_addresses()
            self._moved()
        elif self.state is _S.UP and not self._is_at(self.account.contact[route]):
            self._moved()  # the registrar sees another address

    def _decisive_values(self) -> dict[str, object]:
        return {name: self.account.saved_value(name) for name in self.decisive_settings}

    def _moved(self) -> None:
        """The contact that the server has, or that did not work, is not ours any more."""
        if self._moves < MAX_MOVES:
            self._moves += 1
            self._backoff.reset()
            self._renew()

    def _NH_CFGSettingsObjectDidChange(self, notification: Notification) -> None:
        # not what it says to be modified: that may be from before start()
        before, self._decided = self._decided, self._decisive_values()
        if self._decided != before:
            self._backoff.reset()
            self._routes, self._redirection = [], None
            self._happen(_E.RESTART)

    def _NH_SIPEngineDidChangeTransports(self, notification: Notification) -> None:
        if self.state is _S.WAITING:
            self._moved()  # what did not work may work with other transports or certificates
        else:
            self._look_after_address()


def _local_address(route: Route) -> tuple[str, int]:
    """Our address as the first hop sees it, unless there is a NAT between."""
    return Engine().local_address(route.transport, route.address)


_STEPS = {
    _S.LOOKING_UP: "_enter_looking_up",
    _S.RESTARTING: "_enter_ending",
    _S.ENDING: "_enter_ending",
    _S.OFF: "_enter_off",
}
