"""Lookups of SIP proxies: from the cache, of many domains at once against NSD on this machine, and what they do to the
event loop meanwhile.

How long the loop is held up is measured as CPU time of its thread between two turns, so that what else the machine does
counts little. The garbage collector, which Python calls when it likes, is measured apart: it goes through all that is
alive, here what 500 lookups at once and their answers are made of. The limits of the same run: dnspython's own resolver
with its cache, and the same number of bare UDP round trips to NSD.
"""

from __future__ import annotations

import gc
import json
import shutil
import socket
import statistics
import sys
import tempfile
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

from harness import Figures, measure_in_child, median

sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "interop"))

CACHED = 3000
DOMAINS = 500
ROUNDS = 3
SERVERS = 200

SOA = "@ IN SOA ns admin 1 7200 3600 86400 300\n@ IN NS ns\nns IN A 127.0.0.1\n"
DOMAIN = """d{n} IN NAPTR 10 10 "s" "SIP+D2U" "" _sip._udp.d{n}
_sip._udp.d{n} IN SRV 10 10 5060 sip.d{n}
sip.d{n} IN A 127.0.1.{host}
sip.d{n} IN AAAA ::1
"""


def zone() -> str:
    domains = "".join(DOMAIN.format(n=n, host=n % 250 + 1) for n in range(DOMAINS * (ROUNDS + 1)))
    many = "".join(f"_sip._udp.many IN SRV 10 {n} 5060 m{n}\nm{n} IN A 127.0.2.{n + 1}\n" for n in range(SERVERS))
    return SOA + domains + many


class Ticker:
    """Runs in every turn of the loop. In milliseconds of CPU time, `turn` has the longest one, without what the garbage
    collector took in it, `collector` the longest time that this took."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._collecting = 0.0
        self.reset()
        gc.callbacks.append(self._collects)
        reactor.callLater(0, self._tick)

    def reset(self) -> None:
        self.turn = self.collector = self._collected = 0.0
        self._last = time.thread_time()

    def _collects(self, phase: str, _: object) -> None:
        if phase == "start":
            self._collecting = time.thread_time()
        else:
            took = time.thread_time() - self._collecting
            self._collected += took
            self.collector = max(self.collector, 1e3 * took)

    def _tick(self) -> None:
        now = time.thread_time()
        self.turn = max(self.turn, 1e3 * (now - self._last - self._collected))
        self._last, self._collected = now, 0.0
        self._reactor.callLater(0, self._tick)


def measure(server: str, authoritative: bool) -> None:
    from twisted.internet import reactor
    from twisted.internet.defer import Deferred, DeferredList
    from twisted.internet.threads import deferToThread

    from sipsimple.configuration import ConfigurationManager, MemoryBackend
    from sipsimple.configuration.settings import SIPSimpleSettings
    from sipsimple.core import SIPURI
    from sipsimple.lookup import DNSLookup, DNSLookupError, DNSManager
    from sipsimple.realm import current_realm
    from sipsimple.result import Result

    current_realm().reactor = reactor
    ConfigurationManager().start(MemoryBackend())
    settings: Any = SIPSimpleSettings()
    settings.dns.nameservers = [server]
    settings.dns.use_authoritative = authoritative
    settings.save()
    DNSManager().resolver.authority_port = int(server.rpartition(":")[2])

    def start(host: str) -> Result[Any]:
        return DNSLookup().lookup_sip_proxy(SIPURI(host), ["udp", "tcp", "tls"])

    def look(host: str) -> Deferred[Any]:
        return start(host).deferred()

    async def run() -> dict[str, float]:
        ticker = Ticker(reactor)
        await look("d0.bench.example")
        with suppress(DNSLookupError):
            await look("nowhere.bench.example")  # what is imported once is so by now
        gc.collect()
        gc.freeze()
        cached = []
        for _ in range(CACHED):
            begin = time.perf_counter()
            await look("d0.bench.example")
            cached.append(time.perf_counter() - begin)
        times, turns, collections = [], [], []
        for number in range(1, ROUNDS + 1):
            ticker.reset()
            begin = time.perf_counter()
            hosts = [f"d{n}.bench.example" for n in range(number * DOMAINS, (number + 1) * DOMAINS)]
            started = await deferToThread(lambda hosts=hosts: [start(host) for host in hosts])  # as applications do
            results = await DeferredList([result.deferred() for result in started])
            times.append(time.perf_counter() - begin)
            assert all(success and len(routes) == 2 for success, routes in results)
            turns.append(ticker.turn)
            collections.append(ticker.collector)
        ticker.reset()
        await look("many.bench.example")
        return {
            "cached": statistics.median(cached), "many": min(times), "turn": median(turns),
            "collector": max(collections), "servers": ticker.turn,
        }  # fmt: skip

    def done(result: Any) -> None:
        print(result if not isinstance(result, dict) else json.dumps(result))
        reactor.stop()  # type: ignore[attr-defined]

    reactor.callWhenRunning(lambda: Deferred.fromCoroutine(run()).addBoth(done))  # type: ignore[attr-defined]
    reactor.run()  # type: ignore[attr-defined]


def dnspython_cached(address: str, port: int) -> float:
    """Seconds that dnspython's resolver takes for the same questions from its cache."""
    import dns.resolver

    resolver = dns.resolver.Resolver(configure=False)
    resolver.nameservers, resolver.port = [address], port
    resolver.cache = dns.resolver.LRUCache()
    questions = [
        ("d0.bench.example", "NAPTR"), ("_sip._udp.d0.bench.example", "SRV"), ("sip.d0.bench.example", "AAAA"),
        ("sip.d0.bench.example", "A"),
    ]  # fmt: skip
    times = []
    for _ in range(1000):
        begin = time.perf_counter()
        for name, rdtype in questions:
            resolver.resolve(name, rdtype)
        times.append(time.perf_counter() - begin)
    return median(times)


def round_trips(address: str, port: int) -> float:
    """Seconds for four bare questions and answers for each domain, one after the other."""
    import dns.message

    query = dns.message.make_query("sip.d0.bench.example", "A").to_wire()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as connection:
        connection.connect((address, port))
        connection.settimeout(10)
        begin = time.perf_counter()
        for _ in range(4 * DOMAINS):
            connection.send(query)
            connection.recv(4096)
        return time.perf_counter() - begin


def main() -> int:
    from nsd_server import Nsd

    program = shutil.which("nsd")
    if program is None:
        print("bench_lookup: NSD is not installed: apt-get install --no-install-recommends nsd")
        return 0
    with tempfile.TemporaryDirectory() as folder:
        nsd = Nsd(program, Path(folder) / "nsd", {"bench.example": zone()})
        nsd.start()
        try:
            results = measure_in_child("bench_lookup.py", "measure", nsd.server)
            authoritative = measure_in_child("bench_lookup.py", "measure", nsd.server, "authoritative")
            peer, limit = dnspython_cached(nsd.address, nsd.port), round_trips(nsd.address, nsd.port)
        finally:
            nsd.stop()
    figures = Figures("Lookups of SIP proxies")
    cached = ("dnspython's cache, the same four questions", 1e3 * peer)
    figures.add("a cached lookup", 1e3 * results["cached"], "ms", at_most=0.2, limit=cached)
    bare = ("as many bare UDP round trips", limit)
    figures.add(f"{DOMAINS} domains at once", results["many"], "s", at_most=2.0, limit=bare)
    figures.add("... by their authoritative nameservers", authoritative["many"], "s", at_most=2.0, limit=bare)
    figures.add("the longest turn of the event loop meanwhile", results["turn"], "ms", at_most=5.0)
    figures.add("the longest pause of the garbage collector", results["collector"], "ms")
    figures.add(f"the longest turn with a domain of {SERVERS} servers", results["servers"], "ms", at_most=5.0)
    figures.show()
    return 1 if figures.missed else 0


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["measure", server]:
            measure(server, False)
        case ["measure", server, "authoritative"]:
            measure(server, True)
        case _:
            sys.exit(main())
