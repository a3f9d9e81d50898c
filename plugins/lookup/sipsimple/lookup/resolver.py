"""The resolver: answers from the cache, from a question that is under way, or from nameservers; aliases are followed.

Which servers are asked, and in which order: `authority.py`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from copy import copy
from random import Random, SystemRandom
from typing import Any

import dns.exception
import dns.rdatatype
import dns.resolver
from twisted.internet.defer import Deferred

from sipsimple.lookup.authority import Authorities
from sipsimple.lookup.cache import Cache, SharedQueries
from sipsimple.lookup.exchange import Limits
from sipsimple.lookup.hosts_file import HostsFile
from sipsimple.lookup.message import Question, name_of
from sipsimple.lookup.nameserver import Nameserver
from sipsimple.lookup.pacer import Pacer
from sipsimple.lookup.query import Candidate, Outcome, Reachability, query

__all__ = ["Asker", "QueryError", "Resolver"]

#: How many aliases (CNAME) are followed.
MAX_ALIASES = 8

#: What `Resolver.query` raises: NXDOMAIN, NoAnswer, NoNameservers and Timeout, and errors of the name itself.
QueryError = dns.exception.DNSException

Servers = Callable[[], Awaitable[list[Candidate]]]
Trace = Callable[[Question, Outcome], object]


class Asker:
    """Whom questions are asked for: one lookup.

    :param domain: the domain whose nameservers are the authoritative ones for it, None if they are not to be asked
    :param trace: called with each question and what became of it, once
    """

    def __init__(self, limits: Limits, trace: Trace, domain: str | None = None) -> None:
        self.limits = limits
        self.trace = trace
        self.domain = domain
        #: What was traced for it: a question that several of its steps have is one query.
        self.traced: set[Question] = set()
        #: The nameservers of domains that were found for it.
        self.authorities: dict[str, list[Nameserver]] = {}


class Resolver:
    """Answers questions, in the reactor's thread.

    `nameservers` says which ones are configured. `authority_port` is where authoritative nameservers are asked,
    `random` what the weights of SRV records are drawn with.
    """

    def __init__(self, reactor: Any, nameservers: Callable[[], Sequence[Nameserver]]) -> None:
        self.reactor = reactor
        self.pacer = Pacer(reactor)
        self.cache = Cache(reactor)
        self.hosts = HostsFile()
        self.random: Random = SystemRandom()
        self._nameservers = nameservers
        self._reachability = Reachability(reactor)
        self._shared = SharedQueries()
        self._authorities = Authorities(self)

    @property
    def authority_port(self) -> int:
        return self._authorities.port

    @authority_port.setter
    def authority_port(self, port: int) -> None:
        self._authorities.port = port

    def configured(self) -> list[Candidate]:
        """The configured nameservers."""
        return [Candidate(server, trusted=False, recursion=True) for server in self._nameservers()]

    async def query(self, name: str, rdtype: dns.rdatatype.RdataType, asker: Asker) -> dns.resolver.Answer:
        """The records of that type that a name has, or the name that it is an alias for.

        Raises QueryError: NXDOMAIN if there is no such name, NoAnswer if it has no such records, NoNameservers if
        nobody could tell, Timeout if nobody answered in time.
        """
        for _ in range(MAX_ALIASES + 1):
            question = Question(name, rdtype)
            outcome = await self.outcome(question, asker)
            if outcome.error is not None:
                raise copy(outcome.error)  # which is kept, and would keep with it whoever raised it
            answer = outcome.answer
            assert answer is not None
            if answer.rrset is not None:
                return answer
            name = name_of(answer.canonical_name)
        raise dns.resolver.NoAnswer(f"{question}: more than {MAX_ALIASES} aliases (CNAME), one for the other")

    async def outcome(self, question: Question, asker: Asker, servers: Servers | None = None) -> Outcome:
        """What becomes of one question, without following an alias; it is traced.

        :param servers: finds those to ask; by default those of the domain and those that are configured
        """
        outcome = self.cache.get(question)
        if outcome is None:
            outcome = await self._ask(question, asker, servers)
        if question not in asker.traced:
            asker.traced.add(question)
            asker.trace(question, outcome)
        return outcome

    async def _ask(self, question: Question, asker: Asker, servers: Servers | None) -> Outcome:
        try:
            question.dns_name  # noqa: B018  (raises for what is no name)
        except (dns.exception.DNSException, UnicodeError) as error:
            return Outcome(None, dns.resolver.NoAnswer(f"{question.name[:300]!r} can't be a name: {error}"), [])
        key = (question, servers is None and asker.domain is not None)  # finding the servers may ask the same of others
        while True:
            asking, is_ours = self._shared.join(key, lambda: self._begin(question, asker, servers))
            outcome = await asking
            if is_ours or not isinstance(outcome.error, dns.exception.Timeout):
                return outcome
            # the time of another lookup was over, ours may not be
            if self.reactor.seconds() >= asker.limits.deadline:
                return outcome

    def _begin(self, question: Question, asker: Asker, servers: Servers | None) -> Deferred[Outcome]:
        async def ask() -> Outcome:
            await self.pacer.turn()
            candidates = await (self._authorities.servers(question, asker) if servers is None else servers())
            limits, reachability = asker.limits, self._reachability
            outcome = await query(self.reactor, self.pacer, reachability, question, candidates, limits)
            if reachability is self._reachability:  # and the servers are still the same
                self.cache.put(question, outcome)
            return outcome

        return Deferred.fromCoroutine(ask())

    def forget(self) -> None:
        """Begin anew: other nameservers may say something else."""
        self.cache.clear()
        self._reachability = Reachability(self.reactor)
