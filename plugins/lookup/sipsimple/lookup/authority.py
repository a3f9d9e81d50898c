"""Whom to ask: the authoritative nameservers of the domain first, then those that are configured.

Some routers at home, which are what is configured there, know nothing of NAPTR and SRV records; the nameservers of the
domain do. They are found through the configured ones: the NS records of the domain or of the zone that it lies in, and
the addresses of these.
"""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING

import dns.rdatatype
import dns.resolver

from sipsimple.lookup.gather import gather
from sipsimple.lookup.message import Question, name_of
from sipsimple.lookup.nameserver import DNS_PORT, Nameserver
from sipsimple.lookup.query import Candidate, Outcome

if TYPE_CHECKING:
    from sipsimple.lookup.resolver import Asker, Resolver

__all__ = ["Authorities"]

#: So many of a domain's nameservers are asked; the addresses of so many of them are looked up.
MAX_SERVERS = 4

NS, A, AAAA = dns.rdatatype.NS, dns.rdatatype.A, dns.rdatatype.AAAA


class Authorities:
    """Finds the authoritative nameservers of domains; `port` is where they are asked."""

    def __init__(self, resolver: Resolver) -> None:
        self._resolver = resolver
        self.port = DNS_PORT

    async def servers(self, question: Question, asker: Asker) -> list[Candidate]:
        """Whom to ask that question, those first that are to be asked first."""
        configured = self._resolver.configured()
        if asker.domain is None:
            return configured
        if question.rdtype in (A, AAAA):
            if not _lies_in(question.name, asker.domain):
                return configured  # what everybody knows
            domain = asker.domain
        else:
            domain = _without_service(question.name)
        if domain not in asker.authorities:
            asker.authorities[domain] = await self._find(domain, asker)
        trusted = [Candidate(server, trusted=True, recursion=False) for server in asker.authorities[domain]]
        known = {candidate.server for candidate in trusted}
        return [*trusted, *(candidate for candidate in configured if candidate.server not in known)]

    async def _find(self, domain: str, asker: Asker) -> list[Nameserver]:
        """The nameservers of the domain or of its zone; none if they can't be found."""
        names = await self._names(domain, asker)
        for rdtype in (A, AAAA):
            addresses = await gather(self._addresses(name, rdtype, asker) for name in names)
            if found := list(dict.fromkeys(chain.from_iterable(addresses))):
                return [Nameserver(address, self.port) for address in found[:MAX_SERVERS]]
        return []

    async def _names(self, domain: str, asker: Asker) -> list[str]:
        outcome = await self._ask(domain, NS, asker)
        if outcome.zone not in (None, "", domain) and isinstance(outcome.error, dns.resolver.NoAnswer):
            outcome = await self._ask(outcome.zone, NS, asker)
        return [name_of(record.target) for record in outcome.records][:MAX_SERVERS]

    async def _addresses(self, name: str, rdtype: dns.rdatatype.RdataType, asker: Asker) -> list[str]:
        outcome = await self._ask(name, rdtype, asker)
        return [record.address for record in outcome.records]

    async def _ask(self, name: str, rdtype: dns.rdatatype.RdataType, asker: Asker) -> Outcome:
        return await self._resolver.outcome(Question(name, rdtype), asker, self._configured)

    async def _configured(self) -> list[Candidate]:
        return self._resolver.configured()


def _lies_in(name: str, domain: str) -> bool:
    return name == domain or name.endswith("." + domain)


def _without_service(name: str) -> str:
    """The domain of a name like _sip._udp.example.com (RFC 2782)."""
    labels = name.split(".")
    while len(labels) > 1 and labels[0].startswith("_"):
        del labels[0]
    return ".".join(labels)
