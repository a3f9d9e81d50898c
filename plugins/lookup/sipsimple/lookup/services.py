"""Finding MSRP relays, STUN servers (by SRV, RFC 4976 and RFC 8489 8) and XCAP servers (by TXT, RFC 4825 6)."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import urlsplit

import dns.rdatatype

from sipsimple.core.wire.host import is_ip_address
from sipsimple.lookup.errors import DNSLookupError
from sipsimple.lookup.resolver import Asker, QueryError, Resolver
from sipsimple.lookup.servers import addresses_of_all, servers_of
from sipsimple.lookup.srv import Target

if TYPE_CHECKING:
    from sipsimple.core.wire.uri import BaseSIPURI

__all__ = ["SERVICES", "find_service", "find_xcap_server", "host_of"]


class Service(NamedTuple):
    """What servers of a kind are found by: the beginning of the name of their SRV records, and their usual port."""

    prefix: str
    port: int


SERVICES = {"msrprelay": Service("_msrps._tcp", 2855), "stun": Service("_stun._udp", 3478)}


def host_of(uri: BaseSIPURI) -> str:
    """The host of a URI as it is looked up."""
    return str(uri.host).strip("[]").rstrip(".").lower()


async def find_service(resolver: Resolver, asker: Asker, uri: BaseSIPURI, service: str) -> list[tuple[str, int]]:
    """The addresses and ports of the servers, the first to be tried first. Raises DNSLookupError if there are none."""
    prefix, port = SERVICES[service]
    host = host_of(uri)
    if is_ip_address(host):
        return [(host, port)]
    try:
        servers = await servers_of(resolver, asker, f"{prefix}.{host}")
    except QueryError:
        servers = [Target(host, port)]
    if not servers:
        raise DNSLookupError(f"{host} has no server for {service}: its SRV record says that there is none")
    found, error = await addresses_of_all(resolver, asker, servers)
    if not found:
        raise DNSLookupError(f"no server for {service} was found for {host}: {error}")
    return list(dict.fromkeys((address, port) for address, port, _ in found))


async def find_xcap_server(resolver: Resolver, asker: Asker, uri: BaseSIPURI) -> list[str]:
    """The URIs of the XCAP root that the TXT records say. Raises DNSLookupError if there are none."""
    host = host_of(uri)
    if is_ip_address(host):
        raise DNSLookupError(f"{host} is an address: it has no TXT record with the URI of an XCAP server")
    try:
        answer = await resolver.query(f"xcap.{host}", dns.rdatatype.TXT, asker)
    except QueryError as error:
        raise DNSLookupError(f"no XCAP server was found for {host}: {error}") from None
    values = (b"".join(record.strings).decode("utf-8", "replace").strip() for record in answer)
    uris = list(dict.fromkeys(value for value in values if _is_http_uri(value)))
    if not uris:
        raise DNSLookupError(f"no XCAP server was found for {host}: xcap.{host} has no TXT record with an http(s) URI")
    return uris


def _is_http_uri(value: str) -> bool:
    try:
        parts = urlsplit(value)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and not any(c.isspace() for c in value)
    except ValueError:
        return False
