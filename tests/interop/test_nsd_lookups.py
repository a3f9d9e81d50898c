"""Lookups of servers, with NSD on the other side: a zone of every case, and servers that fail in every way."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from random import Random
from typing import Any

import pytest

from .conftest import require
from .nsd_server import ATTEMPTS, Nsd, free_port

TIMEOUT = 30

SERVERS = "".join(f"_sip._udp.many IN SRV 10 {n} 5060 m{n}.many\nm{n}.many IN A 127.0.2.{n + 1}\n" for n in range(200))
LONG = '"' + "x" * 250 + '" '

ZONE = f"""
@ IN SOA ns admin 1 7200 3600 86400 300
@ IN NS ns
ns IN A 127.0.0.1
@ IN NAPTR 10 10 "s" "SIPS+D2T" "" _sips._tcp
@ IN NAPTR 20 10 "s" "SIP+D2T" "" _sip._tcp
@ IN NAPTR 30 10 "s" "SIP+D2U" "" _sip._udp
_sips._tcp IN SRV 10 10 5061 sip
_sip._tcp IN SRV 10 10 5060 sip
_sip._udp IN SRV 20 10 5062 backup
_sip._udp IN SRV 10 10 5060 sip
sip IN A 127.0.1.1
backup IN A 127.0.1.2

regexp IN NAPTR 10 10 "s" "SIP+D2U" "!^.*$!_sip._udp.wrong.test.example!" .
regexp IN NAPTR 20 10 "u" "E2U+sip" "!^.*$!sip:info@test.example!" .
regexp IN NAPTR 30 10 "s" "SIP+D2S" "" _sip._sctp.wrong
regexp IN NAPTR 40 10 "s" "SIP+D2U" "" _sip._udp.right
_sip._udp.right IN SRV 10 10 5063 sip
_sip._udp.wrong IN SRV 10 10 6666 backup

services IN NAPTR 10 10 "s" "E2U+sip" "" _sip._udp.wrong
_sip._udp.services IN SRV 10 10 5064 sip

nosrv IN NAPTR 10 10 "s" "SIP+D2U" "" _sip._udp.nowhere
nosrv IN A 127.0.1.3
nonaptr IN TXT "there is the name, but no record of use"
_sip._udp.nonaptr IN SRV 10 10 5065 sip
addressonly IN A 127.0.1.4
noaddress IN TXT "there is the name, but no record of use"
notarget IN A 127.0.1.5
_sip._udp.notarget IN SRV 10 10 5066 nowhere
_sip._udp.none IN SRV 0 0 0 .
none IN A 127.0.1.6

alias IN CNAME alias2
alias2 IN CNAME alias3
alias3 IN CNAME addressonly
loop IN CNAME loop2
loop2 IN CNAME loop
away IN CNAME www.other.example.

weights IN NAPTR 10 10 "s" "SIP+D2U" "" _sip._udp.weights
_sip._udp.weights IN SRV 10 60 5060 w60
_sip._udp.weights IN SRV 10 30 5060 w30
_sip._udp.weights IN SRV 10 10 5060 w10
w60 IN A 127.0.3.60
w30 IN A 127.0.3.30
w10 IN A 127.0.3.10

_msrps._tcp IN SRV 10 10 2856 relay
relay IN A 127.0.1.7
_stun._udp IN SRV 10 10 3479 relay
xcap IN TXT "https://xcap.test.example/root"
xcap IN TXT "no URI"
xcap.long IN TXT {LONG * 8}
xcap.long IN TXT "https://xcap.test.example/long"
{SERVERS}
"""

OTHER = """
@ IN SOA ns admin 1 7200 3600 86400 300
@ IN NS ns
ns IN A 127.0.0.1
www IN A 127.0.1.8
"""

#: Its nameserver is the second one, which knows nothing of it.
LAME = """
@ IN SOA ns admin 1 7200 3600 86400 300
@ IN NS ns
ns IN A 127.0.0.2
@ IN A 127.0.1.9
_sip._udp IN SRV 10 10 5067 @
"""


class Lookups:
    """DNSLookup in this process, with settings of its own."""

    def __init__(self) -> None:
        from sipsimple.configuration import ConfigurationManager, MemoryBackend
        from sipsimple.realm import current_realm
        from sipsimple.testing import NotificationRecorder
        from sipsimple.threading import start_reactor_thread

        start_reactor_thread(current_realm())
        ConfigurationManager().start(MemoryBackend())
        self.recorder = NotificationRecorder()

    def use(self, *servers: str, authority_port: int | None = None) -> None:
        """Ask these nameservers, before them the authoritative ones if there is a port for them."""
        from sipsimple.configuration.settings import SIPSimpleSettings
        from sipsimple.lookup import DNSManager

        settings: Any = SIPSimpleSettings()
        settings.dns.nameservers = servers
        settings.dns.use_authoritative = authority_port is not None
        settings.save()
        if authority_port is not None:
            self.run(setattr, DNSManager().resolver, "authority_port", authority_port)

    @staticmethod
    def run(function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function in the reactor's thread."""
        from twisted.internet.threads import blockingCallFromThread

        from sipsimple.realm import current_realm

        return blockingCallFromThread(current_realm().reactor, function, *arguments)

    @staticmethod
    def start(method: str, host: str, *arguments: Any, **options: Any) -> Any:
        from sipsimple.core import SIPURI
        from sipsimple.lookup import DNSLookup

        return getattr(DNSLookup(), method)(SIPURI.parse(f"sip:{host}"), *arguments, **options)

    def routes(self, host: str, transports: tuple[str, ...] = ("udp",), **options: Any) -> list[str]:
        result = self.start("lookup_sip_proxy", host, transports, **options)
        return [str(route) for route in result.wait(TIMEOUT)]

    def nameservers_of(self, query: str) -> list[str]:
        """Who was asked last for a query such as 'A sip.test.example'."""
        traces = [found.data for found in self.recorder.find_all("DNSLookupTrace")]
        asked = [trace for trace in traces if f"{trace.query_type} {trace.query_name}" == query]
        found: list[str] = asked[-1].nameservers
        return found


@pytest.fixture
def lookups() -> Lookups:
    return Lookups()


class Nameservers:
    """The first one has all zones, the second one none of them, the third one the zone of the tests as well."""

    def __init__(self, folder: Path) -> None:
        program = require("nsd")
        addresses = [f"127.0.0.{number}" for number in (1, 2, 3)]
        self.port = free_port(addresses)
        zones: dict[str, str | None] = {"test.example": ZONE, "other.example": OTHER, "lame.example": LAME}
        has = [{**zones, "broken.example": None}, {"nothing.example": OTHER}, zones]
        made = [
            Nsd(program, folder / address, each, address, self.port)
            for address, each in zip(addresses, has, strict=True)
        ]
        self.first, self.second, self.third = made
        self.all = made

    def start(self) -> None:
        for server in self.all:
            server.start()

    def stop(self) -> None:
        for server in self.all:
            server.stop()


@pytest.fixture(scope="module")
def nameservers(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nameservers]:
    for attempt in range(1, ATTEMPTS + 1):
        nameservers = Nameservers(tmp_path_factory.mktemp("nsd"))
        try:
            nameservers.start()
        except AssertionError:  # the port, which is the same at all three addresses, is free no longer
            nameservers.stop()
            if attempt == ATTEMPTS:
                raise
        else:
            break
    yield nameservers
    nameservers.stop()


CASES = {
    "test.example": ["udp:127.0.1.1:5060", "udp:127.0.1.2:5062"],
    "regexp.test.example": ["udp:127.0.1.1:5063"],
    "services.test.example": ["udp:127.0.1.1:5064"],
    "nosrv.test.example": ["udp:127.0.1.3:5060"],
    "nonaptr.test.example": ["udp:127.0.1.1:5065"],
    "addressonly.test.example": ["udp:127.0.1.4:5060"],
    "alias.test.example:5070": ["udp:127.0.1.4:5070"],
    "away.test.example:5070": ["udp:127.0.1.8:5070"],
    "lame.example": ["udp:127.0.1.9:5067"],
    "many.test.example;transport=udp": None,
    # not to be found
    "noaddress.test.example": "has no A record",
    "notarget.test.example": "nowhere.test.example",
    "none.test.example": "says that there is none",
    "nowhere.test.example": "does not exist",
    "loop.test.example:5060": "was not found",
    "broken.example": "SERVFAIL",
    "unknown.example": "REFUSED",
}


@pytest.mark.parametrize("authoritative", [False, True], ids=["configured", "authoritative"])
@pytest.mark.parametrize("host", CASES)
def test_every_case(lookups: Lookups, nameservers: Nameservers, host: str, authoritative: bool) -> None:
    """DNS-014, DNS-015, DNS-021, DNS-022, DNS-023, DNS-024: with and without the domain's own nameservers."""
    from sipsimple.lookup import DNSLookupError

    lookups.use(nameservers.first.server, authority_port=nameservers.port if authoritative else None)
    expected = CASES[host]
    if isinstance(expected, str):
        with pytest.raises(DNSLookupError, match=expected):
            lookups.routes(host)
    elif expected is None:  # two hundred servers; the answer is fetched over TCP
        assert Counter(lookups.routes(host)) == Counter(f"udp:127.0.2.{n + 1}:5060" for n in range(200))
    else:
        assert lookups.routes(host) == expected
    if host == "lame.example" and authoritative:
        query = "SRV _sip._udp.lame.example"
        assert lookups.nameservers_of(query) == [nameservers.second.server, nameservers.first.server]


def test_transports(lookups: Lookups, nameservers: Nameservers) -> None:
    """DNS-025, DNS-028: in the order of the application; sips needs TLS."""
    lookups.use(nameservers.first.server)
    tls, tcp, udp = "tls:127.0.1.1:5061", "tcp:127.0.1.1:5060", "udp:127.0.1.1:5060"
    assert lookups.routes("test.example", ("udp", "tls", "tcp")) == [udp, "udp:127.0.1.2:5062", tls, tcp]
    assert lookups.routes("test.example;transport=tcp", ("udp", "tls", "tcp")) == [tcp]


def test_the_shares_of_weights(lookups: Lookups, nameservers: Nameservers) -> None:
    """RFC 2782: of 2,000 lookups with a fixed seed."""
    from sipsimple.lookup import DNSManager

    lookups.use(nameservers.first.server)
    lookups.run(setattr, DNSManager().resolver, "random", Random(7))
    firsts = Counter(lookups.routes("weights.test.example")[0] for _ in range(2000))
    shares = {"udp:127.0.3.60:5060": 0.6, "udp:127.0.3.30:5060": 0.3, "udp:127.0.3.10:5060": 0.1}
    for route, share in shares.items():
        assert firsts[route] / 2000 == pytest.approx(share, abs=0.04)


def test_services(lookups: Lookups, nameservers: Nameservers) -> None:
    """DNS-017, DNS-020, DNS-030: MSRP relays, STUN servers and XCAP servers, also by an answer that is truncated."""
    lookups.use(nameservers.first.server)
    assert lookups.start("lookup_service", "test.example", "msrprelay").wait(TIMEOUT) == [("127.0.1.7", 2856)]
    assert lookups.start("lookup_service", "test.example", "stun").wait(TIMEOUT) == [("127.0.1.7", 3479)]
    assert lookups.start("lookup_service", "addressonly.test.example", "stun").wait(TIMEOUT) == [("127.0.1.4", 3478)]
    assert lookups.start("lookup_xcap_server", "test.example").wait(TIMEOUT) == ["https://xcap.test.example/root"]
    long = lookups.start("lookup_xcap_server", "long.test.example").wait(TIMEOUT)
    assert long == ["https://xcap.test.example/long"]


def test_the_ways_to_the_result(lookups: Lookups, nameservers: Nameservers) -> None:
    """DNS-002, DNS-003: a notification, wait() in a thread, await in an asyncio task."""
    lookups.use(nameservers.first.server)
    waited = lookups.start("lookup_sip_proxy", "test.example", ["udp"]).wait(TIMEOUT)

    async def look() -> Any:
        return await asyncio.wait_for(lookups.start("lookup_sip_proxy", "test.example", ["udp"]), TIMEOUT)

    awaited = asyncio.run(look())
    posted = lookups.recorder.find_all("DNSLookupDidSucceed")
    assert waited == awaited == posted[0].data.result == posted[1].data.result


def test_a_server_that_is_stopped(lookups: Lookups, nameservers: Nameservers) -> None:
    """DNS-031: the next one answers in its place; alone, it is waited for as long as was said."""
    from sipsimple.lookup import DNSLookupError

    nameservers.first.silence()
    try:
        lookups.use(nameservers.first.server, nameservers.third.server)
        assert lookups.routes("sip.test.example:5060") == ["udp:127.0.1.1:5060"]
        assert lookups.nameservers_of("A sip.test.example") == [nameservers.first.server, nameservers.third.server]
        lookups.use(nameservers.first.server)
        begin = time.monotonic()
        with pytest.raises(DNSLookupError, match="has not answered within 1 s"):
            lookups.routes("sip.test.example:5060", timeout=1.0)
        assert time.monotonic() - begin > 0.9
        begin = time.monotonic()
        with pytest.raises(DNSLookupError):
            lookups.routes("test.example", timeout=1.0, lifetime=1.5)
        assert 1.3 < time.monotonic() - begin < 10
    finally:
        nameservers.first.speak()
    lookups.use(nameservers.first.server)
    assert lookups.routes("sip.test.example:5060") == ["udp:127.0.1.1:5060"]


def test_an_authoritative_server_that_is_stopped(lookups: Lookups, nameservers: Nameservers) -> None:
    """DNS-015: the configured one answers, within the time that a lookup has."""
    nameservers.second.silence()
    try:
        lookups.use(nameservers.first.server, authority_port=nameservers.port)
        assert lookups.routes("lame.example") == ["udp:127.0.1.9:5067"]
    finally:
        nameservers.second.speak()


@pytest.mark.parametrize("what", ["rubbish", "wrong id", "nobody"])
def test_a_server_that_is_none(lookups: Lookups, nameservers: Nameservers, what: str) -> None:
    """What it sends is no answer; one that is not there is not waited for."""
    from twisted.internet import reactor

    from sipsimple.lookup.testing import FakeNameserver

    def wrong(query: Any) -> bytes:
        import dns.message

        wire = dns.message.make_response(query).to_wire()
        return bytes(range(64)) if what == "rubbish" else bytes([wire[0] ^ 0xFF]) + wire[1:]

    fake = lookups.run(lambda: FakeNameserver(reactor, "", "fake.example", port=0, interface="127.0.0.1"))
    try:
        fake.answer_with("*", wrong)
        address = f"127.0.0.1:{fake.port}"
        if what == "nobody":
            lookups.run(fake.stop)
        lookups.use(address, nameservers.first.server)
        assert lookups.routes("sip.test.example:5060") == ["udp:127.0.1.1:5060"]
        assert lookups.nameservers_of("A sip.test.example") == [address, nameservers.first.server]
    finally:
        with suppress(Exception):
            lookups.run(fake.stop)


def test_probing(lookups: Lookups, nameservers: Nameservers) -> None:
    """DNS-005, DNS-006, DNS-007, DNS-009, DNS-010: the fallback while the local one fails, then the local one."""
    from sipsimple.configuration.settings import SIPSimpleSettings
    from sipsimple.lookup import DNSManager

    settings: Any = SIPSimpleSettings()
    settings.dns.nameservers = [nameservers.second.server]
    settings.dns.fallback_nameservers = [nameservers.third.server]
    settings.dns.probe_domain = "test.example"
    settings.save()
    manager = DNSManager()
    manager.start()
    try:
        told = lookups.recorder.wait_for("DNSResolverDidInitialize", manager, TIMEOUT)
        assert told.data.nameservers == [nameservers.third.server]
        settings.dns.nameservers = [nameservers.first.server]
        settings.save()
        told = lookups.recorder.wait_for("DNSNameserversDidChange", manager, TIMEOUT)
        assert told.data.nameservers == [nameservers.first.server] == manager.nameservers
    finally:
        manager.stop()
