"""Of several addresses of one server, the one that answers first is used (RFC 8305, RFC 3263 4.3).

Routes over TCP and TLS are told good from bad by opening the connection that the request will need anyway, before the
request is made: its Contact and its media depend on the address that it leaves from. Over UDP there is nothing to open,
and the order is left as it is.
"""

from __future__ import annotations

from itertools import groupby
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred, inlineCallbacks

from sipsimple.account.server_name import server_name
from sipsimple.core.destinations import destinations_of, route_header_to
from sipsimple.core.engine import Engine, EngineError

if TYPE_CHECKING:
    from collections.abc import Generator, Sequence

    from sipsimple.account.account import BaseAccount
    from sipsimple.core.protocol.hop import Hop
    from sipsimple.core.wire.uri import BaseURI
    from sipsimple.util import Route

__all__ = ["fastest_first"]


@inlineCallbacks
def fastest_first(
    account: BaseAccount, routes: Sequence[Route], request_uri: BaseURI
) -> Generator[Deferred[Any], Any, list[Route]]:
    """The routes for a request of the account to `request_uri`, with one that there is a connection for in front.

    Servers are asked in the order of the routes, one after the other, the addresses of each beside each other; the
    first server over UDP, or with one address alone, is left to the request. Those that took no connection come last.
    Called in the reactor's thread; fires at once where there is nothing to try, and never fails. May be cancelled.
    """
    servers = [list(group) for _, group in groupby(routes, _server)]
    failed: list[Route] = []
    while servers:
        addresses = servers[0]
        if len(addresses) == 1 or addresses[0].transport == "udp":
            break
        hops = _hops(account, addresses, request_uri)
        if len(hops) < len(addresses):
            break
        try:
            hop = yield Engine().race(list(hops))
        except EngineError:
            break
        del servers[0]
        if hop is not None:
            fastest = hops[hop]
            rest = [route for route in addresses if route is not fastest]
            return [fastest, *rest, *_flat(servers), *failed]
        failed += addresses
    return [*_flat(servers), *failed]


def _server(route: Route) -> tuple[str | None, str, int]:
    return route.server, route.transport, route.effective_port


def _hops(account: BaseAccount, routes: Sequence[Route], request_uri: BaseURI) -> dict[Hop, Route]:
    headers = [route_header_to(route, server_name(account, route)) for route in routes]
    try:
        destinations = destinations_of(headers, request_uri)
    except ValueError:
        return {}
    return {destination.hop: route for destination, route in zip(destinations, routes, strict=True)}


def _flat(servers: Sequence[Sequence[Route]]) -> list[Route]:
    return [route for server in servers for route in server]
