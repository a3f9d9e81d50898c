"""The way that a registrar wants the requests of its users to take (RFC 3608)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sipsimple.core.protocol.dialog import hop_towards
from sipsimple.core.wire.headers import FrozenServiceRouteHeader, RouteHeader
from sipsimple.core.wire.host import is_ip_address
from sipsimple.core.wire.uri import BaseSIPURI

if TYPE_CHECKING:
    from sipsimple.util import Route

__all__ = ["ServiceRoute"]


class ServiceRoute:
    """The Service-Route headers of a registration, and the routes by which requests begin to follow them.

    :param headers: at least one, in their order
    :param routes: those to the first of them, or to the account's proxy, which is before it
    """

    def __init__(self, headers: Iterable[FrozenServiceRouteHeader], routes: Iterable[Route]) -> None:
        self.headers = tuple(headers)
        self.routes = frozenset(routes)

    @property
    def first(self) -> BaseSIPURI | None:
        """The URI of the first server; None if it is no SIP URI."""
        uri = self.headers[0].uri
        return uri if isinstance(uri, BaseSIPURI) else None

    def name(self, route: Route) -> str | None:
        """The name that a server at this route has to prove over TLS, None where the service route has none."""
        if route not in self.routes or self.first is None or is_ip_address(self.first.host):
            return None
        return self.first.host

    def route_headers(self, route: Route) -> list[RouteHeader]:
        """The Route headers of a request that takes this route, without that of the route itself (RFC 3608 6.1)."""
        if route not in self.routes:
            return []  # it goes elsewhere
        headers = [RouteHeader(header.uri, header.display_name, header.parameters) for header in self.headers]
        if self.first is not None and self.first.user is None:
            hop = hop_towards(self.first)
            if hop is not None and hop[:3] == (route.transport, route.address, route.effective_port):
                return headers[1:]
        return headers
