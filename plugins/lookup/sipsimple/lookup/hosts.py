"""The addresses of a host: those that the system's file of hosts has for it, otherwise its AAAA and A records."""

from __future__ import annotations

import dns.rdatatype

from sipsimple.lookup.gather import gather
from sipsimple.lookup.resolver import Asker, QueryError, Resolver
from sipsimple.realm import current_realm

__all__ = ["addresses"]

A, AAAA = dns.rdatatype.A, dns.rdatatype.AAAA


async def addresses(resolver: Resolver, host: str, asker: Asker) -> list[str]:
    """The addresses of a host, IPv6 first where packets can be sent to them, otherwise last.

    Names that only the system knows (.local, RFC 6762, and any where no nameserver is configured) are looked up by it.
    Raises QueryError if there are none.
    """
    known = resolver.hosts.addresses(host)
    if known:
        return _in_order(known)
    if host.endswith(".local") or not resolver.configured():
        from sipsimple.account.routes import system_addresses

        if known := await system_addresses(host):
            return _in_order(known)
    return await _records(resolver, host, asker)


async def _records(resolver: Resolver, host: str, asker: Asker) -> list[str]:
    """Both kinds are asked for at the same time; one is enough."""

    async def ask(rdtype: dns.rdatatype.RdataType) -> list[str] | QueryError:
        try:
            return [record.address for record in await resolver.query(host, rdtype, asker)]
        except QueryError as error:
            return error

    found, errors = [], []
    for outcome in await gather(ask(rdtype) for rdtype in (AAAA, A)):
        if isinstance(outcome, list):
            found += outcome
        else:
            errors.append(outcome)
    if not found:
        raise errors[-1]
    return _in_order(found)


def _in_order(found: list[str]) -> list[str]:
    """IPv6 first (RFC 6724 2.1), unless no packets can be sent to the first of those addresses."""
    found = list(dict.fromkeys(found))
    ipv6 = [address for address in found if ":" in address]
    if not ipv6:
        return found
    ipv4 = [address for address in found if ":" not in address]
    is_reachable = ":" in current_realm().local_ip_towards(ipv6[0])
    return [*ipv6, *ipv4] if is_reachable else [*ipv4, *ipv6]
