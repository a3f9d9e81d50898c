"""From the Route headers that applications give to the hops that requests take (RFC 3261 8.1.2, RFC 5922 7.3)."""

from __future__ import annotations

from collections.abc import Iterable

from sipsimple.core.protocol.dialog import hop_towards
from sipsimple.core.protocol.outgoing_request import Destination
from sipsimple.core.wire.headers import BaseRouteHeader, FrozenRouteHeader, RouteHeader
from sipsimple.core.wire.host import is_ip_address
from sipsimple.core.wire.uri import SIPURI, BaseSIPURI, BaseURI
from sipsimple.util import Route

__all__ = ["Routes", "destinations_of", "route_header_to"]

#: One route, or several to try in this order.
Routes = BaseRouteHeader | Iterable[BaseRouteHeader]


def route_header_to(route: Route, tls_name: str | None = None) -> RouteHeader:
    """The Route header of what was looked up; over TLS the server there has to prove `tls_name`.

    Such a URI has the name as its host and the address as `maddr`; what is sent has the address alone.
    """
    uri = route.get_uri()
    uri.parameters["lr"] = None  # 8.1.2: the first hop is a loose router
    if tls_name is not None and route.transport == "tls":
        uri.parameters["maddr"] = f"[{uri.host}]" if ":" in uri.host else uri.host
        uri.host = tls_name
    return RouteHeader(uri)


def destinations_of(route_header: Routes, request_uri: BaseURI) -> list[Destination]:
    """Where a request goes by way of one route, or of the first of several that works.

    A route that the Request-URI itself names needs no Route header (8.1.1.1). Over TLS the server has to prove the name
    that the route has (`route_header_to`), else the domain of the Request-URI, of which it is thought to be; where both
    are addresses, its own.
    Raises `ValueError` when there is no route, or when one names no IP address: names are resolved before.
    """
    routes = [route_header] if isinstance(route_header, BaseRouteHeader) else list(route_header)
    if not routes:
        raise ValueError("there is no route to send the request by")
    direct, domain = None, None
    if isinstance(request_uri, BaseSIPURI):
        direct = hop_towards(request_uri)
        domain = None if is_ip_address(request_uri.host) else request_uri.host
    destinations = []
    for header in routes:
        hop = hop_towards(header.uri) if isinstance(header.uri, BaseSIPURI) else None
        if hop is None:
            raise ValueError(f"the route {header.uri} names no IP address")
        needless = direct is not None and hop[:3] == direct[:3]
        if hop.name is None:
            hop = hop.named(domain)
        destinations.append(Destination(hop, None if needless else _sent(header)))
    return destinations


def _sent(header: BaseRouteHeader) -> FrozenRouteHeader:
    """The route as it is sent.

    With `lr`: what RFC 3261 16.12 calls a strict router takes a rewritten Request-URI, and is gone. Over TLS without
    the name that it has to prove: who is listening there knows its address better than our idea of its name.
    """
    given = header.uri
    named = isinstance(given, BaseSIPURI) and given.transport == "tls" and "maddr" in given.parameters
    if header.is_loose and not named:
        return FrozenRouteHeader.new(header)
    uri = SIPURI.new(header.uri)
    if named:
        uri.host = (uri.parameters.pop("maddr") or "").strip("[]")
    uri.parameters["lr"] = None
    return FrozenRouteHeader(uri, header.display_name, header.parameters)
