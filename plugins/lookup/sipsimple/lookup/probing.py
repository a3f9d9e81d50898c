"""Probing nameservers: whether they can tell NAPTR or SRV records, which some routers can't (DNS-005..007)."""

from __future__ import annotations

from typing import Any, NamedTuple

import dns.rdatatype
from twisted.internet.defer import Deferred

from sipsimple.lookup.exchange import Limits
from sipsimple.lookup.gather import gather
from sipsimple.lookup.message import Question
from sipsimple.lookup.nameserver import Nameserver
from sipsimple.lookup.query import Candidate, Reachability, query
from sipsimple.lookup.resolver import Resolver

__all__ = ["Probed", "probe"]

#: Seconds that a nameserver has for the answer.
TIMEOUT = 5.0

Nameservers = tuple[Nameserver, ...]


class Probed(NamedTuple):
    """The nameservers to use, and whether they work."""

    nameservers: Nameservers
    work: bool


def probe(resolver: Resolver, domain: str, local: Nameservers, fallback: Nameservers) -> Deferred[Probed]:
    """Which nameservers to use: those of the local ones that work; if none does, those of the others that work; if
    none of them does either, the local ones. The Deferred may be cancelled."""
    return Deferred.fromCoroutine(_probe(resolver, domain, local, fallback))


async def _probe(resolver: Resolver, domain: str, local: Nameservers, fallback: Nameservers) -> Probed:
    for servers in (local, fallback):
        works = await gather(_works(resolver, server, domain) for server in servers)
        if any(works):
            usable = tuple(server for server, is_good in zip(servers, works, strict=True) if is_good)
            return Probed(usable, work=True)
    return Probed(local or fallback, work=False)


async def _works(resolver: Resolver, server: Nameserver, domain: str) -> bool:
    questions = Question(domain, dns.rdatatype.NAPTR), Question(f"_sip._udp.{domain}", dns.rdatatype.SRV)
    return any(await gather(_knows(resolver, server, question) for question in questions))


async def _knows(resolver: Resolver, server: Nameserver, question: Question) -> bool:
    reactor: Any = resolver.reactor
    limits = Limits(TIMEOUT, reactor.seconds() + TIMEOUT)
    candidate = Candidate(server, trusted=True, recursion=True)
    outcome = await query(reactor, resolver.pacer, Reachability(reactor), question, [candidate], limits)
    return bool(outcome.records)
