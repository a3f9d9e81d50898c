"""Servers as SRV records name them, and their addresses."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

import dns.rdatatype

from sipsimple.lookup.gather import gather
from sipsimple.lookup.hosts import addresses
from sipsimple.lookup.resolver import Asker, QueryError, Resolver
from sipsimple.lookup.srv import Target, targets

__all__ = ["addresses_of_all", "servers_of"]


async def servers_of(resolver: Resolver, asker: Asker, name: str) -> list[Target]:
    """The servers that the SRV records of a name say. Raises QueryError if it has none."""
    return targets(await resolver.query(name, dns.rdatatype.SRV, asker), resolver.random)


async def addresses_of_all(
    resolver: Resolver, asker: Asker, servers: Sequence[Target]
) -> tuple[list[tuple[str, int]], str]:
    """The addresses with their ports of servers, in their order; those that have none are left out, and the text says
    why."""

    async def of(server: Target) -> list[tuple[str, int]]:
        try:
            return [(address, server.port) for address in await addresses(resolver, server.host, asker)]
        except QueryError as error:
            errors.append(str(error))
            return []

    errors: list[str] = []
    found = await gather(of(server) for server in servers)
    return list(dict.fromkeys(chain.from_iterable(found))), "; ".join(dict.fromkeys(errors[:3]))
