"""Finding the servers for a SIP URI (RFC 3263 4): the transport by NAPTR, servers by SRV, addresses by AAAA and A.

Across transports the application's order decides, within one that of the records.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import TYPE_CHECKING, NamedTuple

import dns.rdatatype

from sipsimple.core.wire.host import is_ip_address
from sipsimple.lookup.errors import DNSLookupError
from sipsimple.lookup.gather import gather
from sipsimple.lookup.naptr import Replacement, replacements
from sipsimple.lookup.resolver import Asker, QueryError, Resolver
from sipsimple.lookup.servers import Address, addresses_of_all, servers_of
from sipsimple.lookup.srv import Target
from sipsimple.util import DEFAULT_PORTS, Route

if TYPE_CHECKING:
    from sipsimple.core.wire.uri import BaseSIPURI

__all__ = ["domain_of", "find_sip_proxy"]

PREFIXES = {"udp": "_sip._udp", "tcp": "_sip._tcp", "tls": "_sips._tcp"}


def domain_of(uri: BaseSIPURI) -> str:
    """What is looked up for a URI: the host that its parameter maddr names, otherwise its own."""
    return str(uri.parameters.get("maddr") or uri.host).strip("[]").rstrip(".").lower()


async def find_sip_proxy(resolver: Resolver, asker: Asker, uri: BaseSIPURI, supported: Sequence[str]) -> list[Route]:
    """The routes to the servers of a URI, the first to be tried first. Raises DNSLookupError if there are none.

    The addresses of one server, which their attribute `server` names, are next to each other, those of IPv6 first.
    """
    wanted = _wanted_transport(uri, supported)
    host = domain_of(uri)
    if is_ip_address(host):
        return [Route(host, uri.port or DEFAULT_PORTS[wanted or _default(supported)], wanted or _default(supported))]
    if uri.port is not None:
        transport = wanted or _default(supported)
        return await _host_routes(resolver, asker, Target(host, uri.port), transport)
    transports = [wanted] if wanted else supported
    # RFC 3263 4.1: where the transport is given, there is nothing to learn from NAPTR records
    by_naptr = {} if wanted and not uri.secure else await _by_naptr(resolver, asker, host, transports)
    services = [_Service(transport, where) for transport in transports for where in by_naptr.get(transport, ())]
    found = await _routes(resolver, asker, services)
    if not found.routes:
        services = [_Service(transport, Replacement(f"{PREFIXES[transport]}.{host}", True)) for transport in transports]
        found = await _routes(resolver, asker, services)
    if found.routes:
        return found.routes
    if found.has_records:
        raise DNSLookupError(f"{host} has no SIP server that can be used: {found.error}")
    transport = wanted or _default(supported)
    return await _host_routes(resolver, asker, Target(host, DEFAULT_PORTS[transport]), transport)


def _wanted_transport(uri: BaseSIPURI, supported: Sequence[str]) -> str | None:
    """The transport that the URI wants (RFC 3263 4.1), None if it leaves that open."""
    parameter = (uri.parameters.get("transport") or "").lower()
    if uri.secure:
        if parameter not in ("", "tls", "tcp"):  # RFC 3261 26.2.2: TLS runs over TCP
            raise DNSLookupError(f"{uri}: a sips URI needs TLS, which does not go with transport={parameter}")
        parameter = "tls"
    if parameter and parameter not in supported:
        raise DNSLookupError(f"{uri} needs {parameter}, which is not among the transports {', '.join(supported)}")
    return parameter or None


def _default(supported: Sequence[str]) -> str:
    """The transport where nothing tells it (RFC 3263 4.1): UDP, or what there is instead."""
    return "udp" if "udp" in supported else supported[0]


async def _by_naptr(
    resolver: Resolver, asker: Asker, host: str, transports: Sequence[str]
) -> dict[str, list[Replacement]]:
    try:
        return replacements(await resolver.query(host, dns.rdatatype.NAPTR, asker), transports)
    except QueryError:
        return {}


class _Service(NamedTuple):
    """Where the servers of a transport are."""

    transport: str
    where: Replacement


class _Found(NamedTuple):
    """Routes; otherwise whether there are records nevertheless, and why they lead nowhere."""

    routes: list[Route]
    has_records: bool = False
    error: str = ""


async def _routes(resolver: Resolver, asker: Asker, services: Sequence[_Service]) -> _Found:
    """The routes of several services, in that order, which are looked up at the same time."""
    found = await gather(_service_routes(resolver, asker, service) for service in services)
    routes = list(dict.fromkeys(chain.from_iterable(each.routes for each in found)))
    errors = "; ".join(dict.fromkeys(each.error for each in found if each.error and each.has_records))
    return _Found(routes, any(each.has_records for each in found), errors)


async def _service_routes(resolver: Resolver, asker: Asker, service: _Service) -> _Found:
    transport, where = service
    if not where.is_service:
        servers = [Target(where.name, DEFAULT_PORTS[transport])]
    else:
        try:
            servers = await servers_of(resolver, asker, where.name)
        except QueryError as error:
            return _Found([], False, str(error))
        if not servers:
            return _Found([], True, f"{where.name} says that there is none")
    found, why = await addresses_of_all(resolver, asker, servers)
    return _Found(_over(transport, found), True, why)


async def _host_routes(resolver: Resolver, asker: Asker, server: Target, transport: str) -> list[Route]:
    """The routes to a host whose port and transport are known."""
    found, error = await addresses_of_all(resolver, asker, [server])
    if not found:
        raise DNSLookupError(f"{server.host} was not found: {error}")
    return _over(transport, found)


def _over(transport: str, found: Sequence[Address]) -> list[Route]:
    return [Route(address, port, transport, server=server) for address, port, server in found]
