"""DNSLookup: finds SIP proxies, MSRP relays, STUN servers and XCAP servers (DNS-001..038)."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import Any

import dns.rdatatype
from twisted.internet.defer import CancelledError, Deferred, TimeoutError
from twisted.python.failure import Failure

from sipsimple.core.wire.uri import BaseSIPURI
from sipsimple.lookup.errors import DNSLookupError
from sipsimple.lookup.exchange import Limits
from sipsimple.lookup.manager import DNSManager
from sipsimple.lookup.message import Question
from sipsimple.lookup.query import Outcome
from sipsimple.lookup.resolver import Asker, QueryError, Resolver
from sipsimple.lookup.services import SERVICES, find_service, find_xcap_server, host_of
from sipsimple.lookup.sip_proxy import domain_of, find_sip_proxy
from sipsimple.notification import NotificationCenter, NotificationData
from sipsimple.realm import current_realm
from sipsimple.result import Result
from sipsimple.threading import start_reactor_thread
from sipsimple.util import Route

__all__ = ["DNSLookup"]

log = logging.getLogger("sipsimple.lookup")

TRANSPORTS = ("udp", "tcp", "tls")

#: The last question ends so much before the lifetime does, in seconds: what was found until then is the result.
MARGIN = 0.2

Find = Callable[[Resolver, Asker], Awaitable[list[Any]]]


class DNSLookup:
    """Looks up servers by DNS.

    Each method returns a Result at once, from any thread: `await` it, call `.wait()` in a thread, or leave it and
    observe DNSLookupDidSucceed and DNSLookupDidFail of this object. `.cancel()` on it breaks the lookup off. It fails
    with DNSLookupError. DNSLookupTrace tells each query.

    `timeout` is how long one nameserver is waited for, `lifetime` how long all of them (DNS-031), in seconds. Bad
    arguments raise ValueError or TypeError.

    The answers are kept for all lookups as long as they hold. The nameservers are those of DNSManager, before them the
    authoritative ones of the domain if the setting `dns.use_authoritative` says so (DNS-013..015).
    """

    def lookup_sip_proxy(
        self, uri: BaseSIPURI, supported_transports: Sequence[str], timeout: float = 3.0, lifetime: float = 15.0
    ) -> Result[list[Route]]:
        """The routes to the SIP server of a URI (RFC 3263; DNS-021..028), the first to be tried first.

        :param uri: its `host`, `port`, `secure` and parameters transport and maddr are used
        :param supported_transports: out of 'udp', 'tcp' and 'tls', the preferred one first: routes come in that order,
            those of one transport in the order that the records say, the addresses of one server next to each other;
            its name is their `server`
        """
        _check(uri)
        transports = [str(transport).lower() for transport in supported_transports]
        unknown = [transport for transport in transports if transport not in TRANSPORTS]
        if unknown or not transports or isinstance(supported_transports, str):
            raise ValueError(f"supported_transports are some of {', '.join(TRANSPORTS)}, not {supported_transports!r}")
        find = partial(find_sip_proxy, uri=uri, supported=list(dict.fromkeys(transports)))
        return self._begin("lookup_sip_proxy", uri, domain_of(uri), find, timeout, lifetime)

    def lookup_service(
        self, uri: BaseSIPURI, service: str, timeout: float = 3.0, lifetime: float = 15.0
    ) -> Result[list[tuple[str, int]]]:
        """The servers of a service, as tuples of IP address and port (DNS-016..020), the first to be tried first.

        :param uri: its `host` is used
        :param service: 'msrprelay' or 'stun'
        """
        _check(uri)
        if service not in SERVICES:
            raise ValueError(f"the service is one of {', '.join(SERVICES)}, not {service!r}")
        find = partial(find_service, uri=uri, service=service)
        return self._begin("lookup_service", uri, host_of(uri), find, timeout, lifetime, service)

    def lookup_xcap_server(self, uri: BaseSIPURI, timeout: float = 3.0, lifetime: float = 15.0) -> Result[list[str]]:
        """The http and https URIs in the TXT records of xcap.<host> (DNS-029, DNS-030).

        :param uri: its `host` is used
        """
        _check(uri)
        find = partial(find_xcap_server, uri=uri)
        return self._begin("lookup_xcap_server", uri, host_of(uri), find, timeout, lifetime)

    def _begin(
        self, context: str, uri: BaseSIPURI, host: str, find: Find, timeout: float, lifetime: float,
        service: str | None = None,
    ) -> Result[list[Any]]:  # fmt: skip
        for name, value in (("timeout", timeout), ("lifetime", lifetime)):
            if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < float("inf"):
                raise ValueError(f"{name} is a number of seconds above 0, not {value!r}")
        realm = current_realm()
        if realm.reactor is None:
            start_reactor_thread(realm)
        return Result.of(_Lookup(self, context, uri, service).run, host, find, timeout, lifetime)


def _check(uri: BaseSIPURI) -> None:
    if not isinstance(uri, BaseSIPURI):
        raise TypeError(f"the URI is a SIPURI or a FrozenSIPURI, not {type(uri).__name__}")


class _Lookup:
    """One call of a method of DNSLookup; in the reactor's thread."""

    def __init__(self, sender: DNSLookup, context: str, uri: BaseSIPURI, service: str | None) -> None:
        self._sender = sender
        self._fields = {"context": context, "uri": uri} | ({} if service is None else {"service": service})
        self._ended = False
        self._lifetime = 0.0

    def run(self, host: str, find: Find, timeout: float, lifetime: float) -> Deferred[list[Any]]:
        manager = DNSManager()
        resolver = manager.resolver
        self._lifetime = lifetime
        limits = Limits(timeout, resolver.reactor.seconds() + lifetime - min(MARGIN, lifetime / 20))
        asker = Asker(limits, self._trace, host if manager.configuration.use_authoritative else None)
        looking: Deferred[list[Any]] = Deferred.fromCoroutine(self._look(find, resolver, asker))
        if not looking.called:
            looking.addTimeout(lifetime, resolver.reactor)
        return looking.addCallbacks(self._succeeded, self._failed)

    async def _look(self, find: Find, resolver: Resolver, asker: Asker) -> list[Any]:
        await resolver.pacer.turn()
        return await find(resolver, asker)

    def _trace(self, question: Question, outcome: Outcome) -> None:
        center = NotificationCenter()
        if self._ended or not center.is_observed("DNSLookupTrace", self._sender):
            return  # a query that goes on for others, or is nobody's concern
        fields = NotificationData(
            query_type=dns.rdatatype.to_text(question.rdtype), query_name=question.name, answer=outcome.answer,
            error=outcome.error, nameservers=list(outcome.nameservers), **self._fields,
        )  # fmt: skip
        center.post_notification("DNSLookupTrace", self._sender, fields)

    def _succeeded(self, result: list[Any]) -> list[Any]:
        self._ended = True
        data = NotificationData(result=result)
        NotificationCenter().post_notification("DNSLookupDidSucceed", self._sender, data)
        return list(result)

    def _failed(self, failure: Failure) -> Any:
        self._ended = True
        error = failure.value
        if isinstance(error, TimeoutError):
            error = DNSLookupError(f"nothing was found within {self._lifetime:g} s")
        elif isinstance(error, CancelledError):
            error = DNSLookupError("the lookup was cancelled")
        elif isinstance(error, QueryError):
            error = DNSLookupError(str(error))
        elif not isinstance(error, DNSLookupError):
            log.error("A lookup failed:\n%s", failure.getTraceback())
            error = DNSLookupError(f"{type(error).__name__}: {error}")
        data = NotificationData(error=str(error))
        NotificationCenter().post_notification("DNSLookupDidFail", self._sender, data)
        raise error
