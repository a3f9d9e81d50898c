"""Servers as SRV records name them, and their addresses."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from typing import NamedTuple

import dns.rdatatype

from sipsimple.lookup.gather import gather
from sipsimple.lookup.hosts import addresses
from sipsimple.lookup.resolver import Asker, QueryError, Resolver
from sipsimple.lookup.srv import Target, targets

__all__ = ["Address", "addresses_of_all", "servers_of"]


async def servers_of(resolver: Resolver, asker: Asker, name: str) -> list[Target]:
    """The servers that the SRV records of a name say. Raises QueryError if it has none."""
    return targets(await resolver.query(name, dns.rdatatype.SRV, asker), resolver.random)


class Address(NamedTuple):
    """An address of a server, and the server's name."""

    address: str
    port: int
    server: str


async def addresses_of_all(resolver: Resolver, asker: Asker, servers: Sequence[Target]) -> tuple[list[Address], str]:
    """The addresses of servers, in their order; servers that have none are left out, and the text says why."""

    async def of(server: Target) -> list[Address]:
        await resolver.pacer.turn()
        try:
            found = await addresses(resolver, server.host, asker)
        except QueryError as error:
            errors.append(str(error))
            return []
        return [Address(address, server.port, server.host) for address in found]

    errors: list[str] = []
    found = await gather(of(server) for server in servers)
    return list(chain.from_iterable(found)), "; ".join(dict.fromkeys(errors[:3]))
