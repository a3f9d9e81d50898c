"""Registration: while an account is active its address is bound to us (RFC 3261 10, RFC 5626, RFC 5627, RFC 3608)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from sipsimple.account.persistent import PersistentService, ServiceState, Way
from sipsimple.account.routes import lookup_server
from sipsimple.account.service_route import ServiceRoute
from sipsimple.configuration.settings import SIPSimpleSettings
from sipsimple.core.engine import Engine, EngineError
from sipsimple.core.registration import Registration
from sipsimple.core.wire.errors import SIPParseError
from sipsimple.core.wire.headers import ContactHeader, FromHeader
from sipsimple.core.wire.host import is_ip_address
from sipsimple.core.wire.uri import SIPURI, BaseSIPURI
from sipsimple.notification import Notification, NotificationCenter
from sipsimple.util import Route

if TYPE_CHECKING:
    from sipsimple.account.account import Account
    from sipsimple.core.transport.keepalive import KeepAlive
    from sipsimple.core.wire.headers import FrozenContactHeader

__all__ = ["RegistrationService"]

log = logging.getLogger("sipsimple.account")

#: RFC 5626 11.6: First Hop Lacks Outbound Support.
LACKS_OUTBOUND = 439
#: How often the flow to the registrar is kept alive, in seconds: as long as NATs keep a mapping at the least (RFC 5626
#: 4.4.1), unless the registrar says how long it waits itself (Flow-Timer).
UDP_KEEP_ALIVE = 25.0
STREAM_KEEP_ALIVE = 110.0
FASTEST_KEEP_ALIVE = 5.0


class RegistrationService(PersistentService):
    """Keeps the account registered. Notifications, all sent by the account: see `registration_notifications`."""

    enabled_setting = "registration.enabled"
    decisive_settings = PersistentService.decisive_settings | {"registration.interval"}

    def __init__(self, account: Account) -> None:
        super().__init__(account)
        self._registration: Registration | None = None
        self._keep_alive: KeepAlive | None = None
        self._with_outbound = True
        self._bound: FrozenContactHeader | None = None  # the contact that the registrar has, as far as we know

    # What a persistent service is

    def _target(self) -> None:
        return None

    def _try(self, way: Way, redirection: BaseSIPURI | None) -> None:
        registration = self._registration
        if registration is None:
            registration = self._registration = self._create()
            self._post("SIPAccountWillRegister")
        uri = self.account.uri if redirection is None else redirection
        registration.registrar_uri = SIPURI(uri.host, port=uri.port, secure=uri.secure).frozen()
        bindings = registration.bindings
        outdated = None if bindings is not None and bindings.outbound else self._bound
        contact = ContactHeader(way.contact, parameters=self._contact_parameters())
        registration.register(contact, self._route_headers(way), way.timeout, outdated)

    def _create(self) -> Registration:
        account = self.account
        self._bound = None
        registration = Registration(
            FromHeader(account.uri, account.saved_value("display_name")),
            account.credentials,
            duration=account.saved_value("registration.interval"),
        )
        NotificationCenter().add_observer(self, sender=registration)
        return registration

    def _contact_parameters(self) -> dict[str, str]:
        """What tells our flow from all others (RFC 5626 4.2)."""
        parameters = {"+sip.instance": f'"<{SIPSimpleSettings().instance_id}>"'}
        if self._with_outbound:
            parameters["reg-id"] = "1"
        return parameters

    def _end(self, timeout: float) -> None:
        self._stop_keep_alive()
        if self._registration is None:
            self._ended()
        else:
            self._registration.end(timeout)

    def _give_up(self) -> None:
        if self._registration is not None:
            if self._bound is not None:
                self._post(
                    "SIPAccountRegistrationDidNotEnd",
                    code=408,
                    reason="the registrar did not answer in time",
                    registration=self._registration,
                )
            self._forget()

    def _tell_failure(self, error: str, wait: float) -> None:
        self._stop_keep_alive()
        self._post("SIPAccountRegistrationDidFail", error=error, timeout=wait)

    def _is_at(self, contact: BaseSIPURI) -> bool:
        return self._bound is not None and isinstance(self._bound.uri, BaseSIPURI) and self._bound.uri.matches(contact)

    def _forget(self) -> None:
        """The registration is over."""
        if self._registration is not None:
            NotificationCenter().discard_observer(self, sender=self._registration)
        self._registration = self._bound = None
        self._with_outbound = True
        self._stop_keep_alive()
        self._unregistered()

    def _unregistered(self) -> None:
        """What the registrar said does not hold any more."""
        account = self.account
        account.registered_route = None
        account.contact.public_gruu = account.contact.temporary_gruu = None

    # What the registration tells

    def _sender(self, notification: Notification) -> Registration | None:
        """The registration that sent it, None if it is one from before."""
        return self._registration if notification.sender is self._registration else None

    def _NH_SIPRegistrationGotAnswer(self, notification: Notification) -> None:
        registration, data = self._sender(notification), notification.data
        if registration is not None:
            self._post(
                "SIPAccountRegistrationGotAnswer",
                code=data.code,
                reason=data.reason,
                registration=registration,
                registrar=_route_of(data.route_header),
            )

    def _NH_SIPRegistrationDidSucceed(self, notification: Notification) -> None:
        registration, data = self._sender(notification), notification.data
        bindings = None if registration is None else registration.bindings
        if registration is None or bindings is None:
            return
        hop = bindings.destination.hop
        route = Route(hop.host, hop.port, hop.transport)
        self._bound = registration.contact_header
        self._keep_gruus(data.contact_header)
        self._keep_service_route(data.service_route_list, route)
        self._keep_flow_alive(bindings)
        self._post(
            "SIPAccountRegistrationDidSucceed",
            contact_header=data.contact_header,
            contact_header_list=data.contact_header_list,
            expires=data.expires_in,
            registrar=route,
        )
        self._succeeded()
        self._look_after_public_address(data.public_address, route)

    def _NH_SIPRegistrationDidFail(self, notification: Notification) -> None:
        registration, data = self._sender(notification), notification.data
        if registration is None:
            return
        refused = data.originator == "remote"
        if self._bound is not None and not registration.is_registered:
            # its time was out while we tried to refresh it
            self._expired(registration)
        if refused and data.code == LACKS_OUTBOUND and self._with_outbound:
            self._with_outbound = False
            if self._redirected(self._redirection):
                return
        if refused and 300 <= data.code < 400:
            target = next((c.uri for c in data.targets if isinstance(c.uri, BaseSIPURI)), None)
            if target is not None and self._redirected(target):
                return
        error = f"{data.code} {data.reason}" if refused else data.reason
        self._failed(error, data.code if refused else None, data.retry_after)

    def _NH_SIPRegistrationWillExpire(self, notification: Notification) -> None:
        if self._sender(notification) is not None:
            self._post("SIPAccountRegistrationWillRefresh")
            self._renew()

    def _NH_SIPRegistrationDidEnd(self, notification: Notification) -> None:
        registration, data = self._sender(notification), notification.data
        if registration is None:
            return
        if data.expired:
            self._expired(registration)
            return
        was_bound = self._bound is not None
        self._forget()
        if was_bound:
            self._post("SIPAccountRegistrationDidEnd", registration=registration)
        self._ended()

    def _expired(self, registration: Registration) -> None:
        self._bound = None
        self._unregistered()
        self._post("SIPAccountRegistrationDidEnd", registration=registration)

    def _NH_SIPRegistrationDidNotEnd(self, notification: Notification) -> None:
        registration, data = self._sender(notification), notification.data
        if registration is None:
            return
        self._forget()
        self._post("SIPAccountRegistrationDidNotEnd", code=data.code, reason=data.reason, registration=registration)
        self._ended()

    # What the registrar says beside it

    def _keep_gruus(self, contact: FrozenContactHeader) -> None:
        """RFC 5627 4.2: the URIs by which this very instance is reached."""
        factory = self.account.contact
        factory.public_gruu = _uri_in(contact, "pub-gruu")
        factory.temporary_gruu = _uri_in(contact, "temp-gruu")

    def _keep_service_route(self, headers: list[Any], registrar: Route) -> None:
        if not headers:
            self.account.registered_route = None
            return
        known = self.account.registered_route
        if known is not None and known.headers == tuple(headers) and registrar in known.routes:
            return
        service = self.account.registered_route = ServiceRoute(headers, {registrar, *self._routes})
        if service.first is None:
            return

        def found(routes: list[Route]) -> None:
            if self.account.registered_route is service:
                self.account.registered_route = ServiceRoute(headers, {*service.routes, *routes})

        lookup_server(service.first).addCallbacks(found, lambda failure: log.warning("%s", failure.getErrorMessage()))

    def _look_after_public_address(self, public: tuple[str, int] | None, route: Route) -> None:
        """Register the address that the registrar sees, if there is a NAT before it (RFC 3581 4).

        A connection has a port of its own at the registrar; only where its address is another one, too, it is a NAT's.
        """
        factory = self.account.contact
        wanted: tuple[str, int] | None = None
        if public is not None:
            host = public[0].strip("[]")
            try:
                local = Engine().local_address(route.transport, route.address)
            except EngineError:
                return
            if is_ip_address(host) and (host, public[1]) != local and (route.transport == "udp" or host != local[0]):
                wanted = host, public[1]
        if wanted != factory.public_address(route):
            factory.set_public_address(route, wanted)
            self._moved()

    def _keep_flow_alive(self, bindings: Any) -> None:
        hop = bindings.destination.hop
        interval = UDP_KEEP_ALIVE if hop.transport == "udp" else STREAM_KEEP_ALIVE
        if bindings.flow_timer is not None:
            interval = max(FASTEST_KEEP_ALIVE, min(interval, bindings.flow_timer))
        known = self._keep_alive
        wanted = (hop, interval, bindings.outbound)
        if known is not None and known.is_active and (known.hop, known.interval, known.answered) == wanted:
            return
        self._stop_keep_alive()
        self._keep_alive = Engine().keep_alive(hop, interval, self._flow_failed, bindings.outbound)

    def _stop_keep_alive(self) -> None:
        keep_alive, self._keep_alive = self._keep_alive, None
        if keep_alive is not None:
            keep_alive.stop()

    def _flow_failed(self, error: Exception) -> None:
        """The registrar can't reach us any more (RFC 5626 4.5): register anew, after a short while."""
        if self.state is ServiceState.UP:
            self._failed(f"the connection with the registrar failed: {error}")


def _route_of(header: Any) -> Route:
    uri = header.uri
    return Route((uri.parameters.get("maddr") or uri.host).strip("[]"), uri.port, uri.transport or "udp")


def _uri_in(contact: FrozenContactHeader, name: str) -> SIPURI | None:
    try:
        text = contact.parameters.text(name)
        return None if not text else SIPURI.parse(text)
    except (SIPParseError, ValueError):
        return None
