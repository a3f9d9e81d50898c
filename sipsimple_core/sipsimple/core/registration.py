"""`Registration`: an address that is bound to our contact at a registrar (RFC 3261 10)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sipsimple.core.destinations import Routes, destinations_of
from sipsimple.core.protocol.registration_usage import RegistrationUsage, registrar_of
from sipsimple.core.reporting import failure_data, post, route_of
from sipsimple.core.soft_state_object import SoftStateObject
from sipsimple.core.wire.headers import (
    BaseContactHeader,
    BaseFromHeader,
    BaseHeader,
    FrozenContactHeader,
)

if TYPE_CHECKING:
    from sipsimple.core.protocol.outgoing_request import Destination
    from sipsimple.core.protocol.registration_usage import Bindings
    from sipsimple.core.protocol.request_failure import RequestFailure
    from sipsimple.core.wire.digest import BaseCredentials
    from sipsimple.core.wire.message import SIPResponse

__all__ = ["Registration"]


class Registration(SoftStateObject[RegistrationUsage]):
    """The binding of an address-of-record to our contact, kept alive until `end`.

    :param from_header: the address-of-record.
    :param credentials: answer the registrar's and the proxies' challenges.
    :param duration: seconds to ask for; a registrar's 423 raises it (RFC 3261 10.2.8).
    :param extra_headers: of every REGISTER.

    Before the binding's time is out `SIPRegistrationWillExpire` is posted. Whoever wants to refresh it in its own way
    (by a new look-up of the registrar, say) calls `register` then; otherwise it is refreshed as it was registered.
    A failure is told and not tried again: when, and by which route, is up to the caller. Methods are called in the
    reactor thread.

    Notifications: `SIPRegistrationGotAnswer`, `SIPRegistrationDidSucceed`, `SIPRegistrationDidFail`,
    `SIPRegistrationWillExpire`, `SIPRegistrationWillEnd`, `SIPRegistrationDidEnd`, `SIPRegistrationDidNotEnd`,
    `SIPRegistrationGotBindings`, `SIPRegistrationDidNotGetBindings`.

    Attributes: `from_header`, `credentials`, `duration`, `contact_header` and `route_header` (of the last `register`),
    `registrar_uri` (the Request-URI: that of the domain, unless it is set to where a 3xx redirects to).
    """

    prefix = "SIPRegistration"

    def __init__(
        self,
        from_header: BaseFromHeader,
        credentials: BaseCredentials | None = None,
        duration: int = 300,
        extra_headers: Iterable[BaseHeader] = (),
    ) -> None:
        super().__init__(from_header, credentials, duration, extra_headers)
        self.registrar_uri = registrar_of(from_header.uri)
        self.contact_header: FrozenContactHeader | None = None

    @property
    def is_registered(self) -> bool:
        """Whether there is a binding whose time is not out."""
        return self.expires_in > 0

    @property
    def call_id(self) -> str | None:
        """That of all REGISTERs of this registration (RFC 3261 10.2); None before the first."""
        return None if self._usage is None else self._usage.call_id

    @property
    def bindings(self) -> Bindings | None:
        """What the last 2xx said, None while there is no binding: contacts, routes, GRUUs, our public address."""
        return None if self._usage is None else self._usage.bindings

    def register(
        self,
        contact_header: BaseContactHeader,
        route_header: Routes,
        timeout: float | None = None,
        replaced: BaseContactHeader | None = None,
    ) -> None:
        """Registers the contact, or refreshes it, by way of one route or the first of several that works.

        Parameters of the contact (`+sip.instance`, `reg-id`, `q`) are the caller's; `expires` is ours. `timeout`
        bounds the REGISTER, in seconds. `replaced` is a contact from before, removed by the same REGISTER unless it is
        the same. While another is under way this one waits for its outcome (10.2).
        Raises `ValueError` when a route names no IP address, `EngineError` when the engine is not running.
        """
        contact = FrozenContactHeader.new(contact_header)
        destinations = destinations_of(route_header, self.registrar_uri)
        usage = self._running_usage()
        if replaced is not None and not replaced.uri.matches(contact.uri):
            usage.replaced = FrozenContactHeader.new(replaced)
        self.contact_header, self.route_header = contact, route_of(destinations[0])
        usage.set(contact, destinations, timeout, now=self._engine.now())

    def fetch_bindings(self, route_header: Routes, timeout: float | None = None) -> None:
        """Asks for all bindings of the address without changing any (10.2.3).

        Answered by `SIPRegistrationGotBindings` or `SIPRegistrationDidNotGetBindings`. Raises as `register` does.
        """
        destinations = destinations_of(route_header, self.registrar_uri)
        self._running_usage().fetch(destinations, timeout, now=self._engine.now())

    def _running_usage(self) -> RegistrationUsage:
        core = self._engine.core
        if self._usage is None or self._usage.core is not core:
            # what an engine knew is gone with it
            self._usage = RegistrationUsage(
                core, self, self.from_header, self.credentials, self.duration, self._headers
            )
        self._usage.request_uri = str(self.registrar_uri)
        return self._usage

    # What the usage tells its user

    def registration_answered(self, response: SIPResponse, destination: Destination) -> None:
        post(
            "SIPRegistrationGotAnswer",
            self,
            code=response.code,
            reason=response.reason,
            route_header=route_of(destination),
        )

    def registered(self, bindings: Bindings) -> None:
        response = bindings.response
        post(
            "SIPRegistrationDidSucceed",
            self,
            code=response.code,
            reason=response.reason,
            contact_header=bindings.contact,
            contact_header_list=list(bindings.contacts),
            expires_in=bindings.expires,
            route_header=route_of(bindings.destination),
            service_route_list=list(bindings.service_routes),
            path_list=list(bindings.path),
            outbound=bindings.outbound,
            flow_timer=bindings.flow_timer,
            public_address=bindings.public_address,
            headers=response.headers,
        )

    def bindings_fetched(self, bindings: Bindings) -> None:
        post(
            "SIPRegistrationGotBindings",
            self,
            code=bindings.response.code,
            reason=bindings.response.reason,
            contact_header_list=list(bindings.contacts),
            route_header=route_of(bindings.destination),
        )

    def bindings_not_fetched(self, failure: RequestFailure) -> None:
        post("SIPRegistrationDidNotGetBindings", self, **failure_data(failure))
