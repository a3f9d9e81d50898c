"""A question to several nameservers, one after the other, until one answers.

The servers come in the order in which they are to be asked. The next one is asked when one has failed, and also when
one is slow: then both may still answer, each within its time. A server that has not answered comes after the others
for a while (`Reachability`).

The first servers are the ones to trust: a "there is none" of the others counts only when no answer of the trusted
ones is to be expected any more, as the others may be routers that know nothing of SRV and NAPTR records.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import dns.exception
import dns.message
import dns.name
import dns.rcode
import dns.rdataclass
import dns.rdatatype
import dns.resolver
from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from sipsimple.lookup.errors import ExchangeError
from sipsimple.lookup.exchange import Limits, exchange
from sipsimple.lookup.message import Question, name_of
from sipsimple.lookup.nameserver import Nameserver
from sipsimple.lookup.pacer import Pacer

__all__ = ["Candidate", "Outcome", "Reachability", "outcome_of", "query"]

#: After so many seconds without an answer the next server is asked as well.
SLOW = 0.7
#: How long a server that has not answered is asked after the others, in seconds.
AVOIDED = 60.0
MAX_AVOIDED = 256


class Candidate(NamedTuple):
    """A nameserver that may be asked."""

    server: Nameserver
    trusted: bool
    recursion: bool


class Outcome(NamedTuple):
    """What became of a question: an answer or an error, and the servers that were asked, in that order.

    The answer has records, or refers to another name (CNAME). The error is NXDOMAIN, NoAnswer, NoNameservers or Timeout
    of dnspython. `ttl` says for how many seconds this holds; 0: it is not to be kept. `zone` is where a name lies that
    has no such records, if that was said.
    """

    answer: dns.resolver.Answer | None
    error: Exception | None
    nameservers: list[str]
    ttl: int = 0
    zone: str | None = None

    @property
    def records(self) -> Sequence[Any]:
        """The records of the answer, none if there are none."""
        if self.answer is None or self.answer.rrset is None:
            return ()
        return tuple(self.answer.rrset)


class Reachability:
    """Which servers have not answered lately."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._avoided: dict[Nameserver, float] = {}

    def silent(self, server: Nameserver) -> None:
        """It has not answered."""
        self._avoided.pop(server, None)
        while len(self._avoided) >= MAX_AVOIDED:
            del self._avoided[next(iter(self._avoided))]
        self._avoided[server] = self._reactor.seconds() + AVOIDED

    def answered(self, server: Nameserver) -> None:
        """It has."""
        self._avoided.pop(server, None)

    def in_order(self, candidates: Sequence[Candidate]) -> list[Candidate]:
        """Those that are silent after the others, and without being waited for as those that are trusted."""
        if not self._avoided:
            return list(candidates)
        now = self._reactor.seconds()
        avoided = [candidate for candidate in candidates if self._avoided.get(candidate.server, 0.0) > now]
        others = [candidate for candidate in candidates if candidate not in avoided]
        return [*others, *(candidate._replace(trusted=False) for candidate in avoided)]


def query(
    reactor: Any,
    pacer: Pacer,
    reachability: Reachability,
    question: Question,
    candidates: Sequence[Candidate],
    limits: Limits,
) -> Deferred[Outcome]:
    """Ask; to be called in the reactor's thread. The Deferred does not fail, and may be cancelled."""
    asking = _Query(reactor, pacer, reachability, question, limits)
    asking.begin(reachability.in_order(candidates))
    return asking.outcome


class _Query:
    def __init__(
        self, reactor: Any, pacer: Pacer, reachability: Reachability, question: Question, limits: Limits
    ) -> None:
        self.outcome: Deferred[Outcome] = Deferred(lambda _: self._end())
        self._reactor = reactor
        self._pacer = pacer
        self._reachability = reachability
        self._question = question
        self._limits = limits
        self._left: list[Candidate] = []
        self._asked: dict[Candidate, Deferred[Any]] = {}
        self._nameservers: list[str] = []
        self._errors: list[str] = []
        self._silence = True
        self._no: Outcome | None = None
        self._slow: Any = None
        self._done = False

    def begin(self, candidates: list[Candidate]) -> None:
        self._left = candidates
        self._ask_next()

    def _ask_next(self) -> None:
        if not self._left or self._reactor.seconds() >= self._limits.deadline:
            self._conclude()
            return
        candidate = self._left.pop(0)
        self._nameservers.append(str(candidate.server))
        asking = exchange(
            self._reactor, self._pacer, candidate.server, self._question, self._limits,
            recursion=candidate.recursion, begun=self._start_clock,
        )  # fmt: skip
        self._asked[candidate] = asking
        asking.addCallbacks(self._answered, self._failed, (candidate,), {}, (candidate,))

    def _start_clock(self) -> None:
        if self._left and self._slow is None and not self._done:
            self._slow = self._reactor.callLater(SLOW, self._is_slow)

    def _is_slow(self) -> None:
        self._slow = None
        self._ask_next()

    def _answered(self, message: dns.message.QueryMessage, candidate: Candidate) -> None:
        del self._asked[candidate]
        self._reachability.answered(candidate.server)
        try:
            outcome = outcome_of(self._question, message, self._nameservers, candidate.server)
        except dns.exception.DNSException as error:
            self._errors.append(f"{candidate.server} answered nonsense: {error}")
            self._silence = False
            self._go_on()
            return
        if outcome.error is not None and not candidate.trusted:
            self._no = self._no or outcome
            self._go_on()
        else:
            self._finish(outcome)

    def _failed(self, failure: Failure, candidate: Candidate) -> None:
        del self._asked[candidate]
        error = failure.value
        self._errors.append(f"{candidate.server} {error}")
        if isinstance(error, ExchangeError) and error.timed_out:
            self._reachability.silent(candidate.server)
        else:
            self._silence = False
        self._go_on()

    def _go_on(self) -> None:
        """After a server that was of no use."""
        if self._done:
            return
        if self._no is not None:
            self._left = [candidate for candidate in self._left if candidate.trusted]
            if not any(candidate.trusted for candidate in [*self._asked, *self._left]):
                self._finish(self._no)
                return
        if self._left:
            self._stop_clock()
            self._ask_next()
        elif not self._asked:
            self._conclude()

    def _conclude(self) -> None:
        """There is nobody else to ask; those that were may still answer."""
        if self._asked:
            return
        if self._no is not None:
            self._finish(self._no)
        elif not self._nameservers:
            self._finish(Outcome(None, self._nobody(), []))
        else:
            kind = dns.exception.Timeout if self._silence else dns.resolver.NoNameservers
            text = f"no nameserver answered the question {self._question}: {'; '.join(self._errors)}"
            self._finish(Outcome(None, kind(text), self._nameservers))

    def _nobody(self) -> Exception:
        if self._left:
            return dns.exception.Timeout(f"there was no time left for the question {self._question}")
        return dns.resolver.NoNameservers(f"there is no nameserver to ask: {self._question}")

    def _finish(self, outcome: Outcome) -> None:
        self._end()
        self.outcome.callback(outcome)

    def _end(self) -> None:
        self._done = True
        self._stop_clock()
        asked, self._asked = self._asked, {}
        for asking in asked.values():
            asking.addErrback(lambda _: None)
            asking.cancel()

    def _stop_clock(self) -> None:
        if self._slow is not None:
            self._slow.cancel()
            self._slow = None


def outcome_of(
    question: Question, message: dns.message.QueryMessage, nameservers: list[str], server: Nameserver | None = None
) -> Outcome:
    """What a response to a question says. Raises dns.exception.DNSException if that contradicts itself."""
    name = question.dns_name
    answer = dns.resolver.Answer(name, question.rdtype, dns.rdataclass.IN, message, *(server or ()))
    authority = _authority(message)
    if answer.rrset is not None or (answer.canonical_name != name and authority is None and not message.rcode()):
        return Outcome(answer, None, nameservers, answer.chaining_result.minimum_ttl)
    error: Exception
    if message.rcode() == dns.rcode.NXDOMAIN:
        error = dns.resolver.NXDOMAIN(f"{name_of(answer.canonical_name)} does not exist")
    else:
        kind = dns.rdatatype.to_text(question.rdtype)
        error = dns.resolver.NoAnswer(f"{name_of(answer.canonical_name)} has no {kind} record")
    if authority is None:
        return Outcome(None, error, nameservers)
    ttl = min(authority.ttl, authority[0].minimum)  # RFC 2308 5
    return Outcome(None, error, nameservers, ttl, name_of(authority.name))


def _authority(message: dns.message.Message) -> Any:
    """The SOA record of the zone that says that there is no such record (RFC 2308 2), None where there is none."""
    return next((rrset for rrset in message.authority if rrset.rdtype == dns.rdatatype.SOA), None)
