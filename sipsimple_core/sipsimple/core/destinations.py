"""From the Route headers that applications give to the hops that requests take (RFC 3261 8.1.2)."""

from __future__ import annotations

from collections.abc import Iterable

from sipsimple.core.protocol.dialog import hop_towards
from sipsimple.core.protocol.outgoing_request import Destination
from sipsimple.core.wire.headers import BaseRouteHeader, FrozenRouteHeader
from sipsimple.core.wire.uri import SIPURI, BaseSIPURI, BaseURI

__all__ = ["Routes", "destinations_of"]

#: One route, or several to try in this order.
Routes = BaseRouteHeader | Iterable[BaseRouteHeader]


def destinations_of(route_header: Routes, request_uri: BaseURI) -> list[Destination]:
    """Where a request goes by way of one route, or of the first of several that works.

    A route that the Request-URI itself names needs no Route header (8.1.1.1). Raises `ValueError` when there is no
    route, or when one names no IP address: names are resolved before.
    """
    routes = [route_header] if isinstance(route_header, BaseRouteHeader) else list(route_header)
    if not routes:
        raise ValueError("there is no route to send the request by")
    direct = hop_towards(request_uri) if isinstance(request_uri, BaseSIPURI) else None
    destinations = []
    for header in routes:
        hop = hop_towards(header.uri) if isinstance(header.uri, BaseSIPURI) else None
        if hop is None:
            raise ValueError(f"the route {header.uri} names no IP address")
        destinations.append(Destination(hop, None if hop == direct else _loose(header)))
    return destinations


def _loose(header: BaseRouteHeader) -> FrozenRouteHeader:
    """The route with `lr`: what RFC 3261 16.12 calls a strict router takes a rewritten Request-URI, and is gone."""
    if header.is_loose:
        return FrozenRouteHeader.new(header)
    uri = SIPURI.new(header.uri)
    uri.parameters["lr"] = None
    return FrozenRouteHeader(uri, header.display_name, header.parameters)
