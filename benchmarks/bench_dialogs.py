"""Memory of open dialogs and idle connections, growth over many calls, and stalls of the event loop under load."""

from __future__ import annotations

import gc
import json
import sys
import time
from typing import Any

from harness import Figures, measure_in_child, median, rss

DIALOGS = 5000
CALLS = 50_000
CONNECTIONS = 10_000


def _parties() -> tuple[Any, Any, Any]:
    from sipsimple.testing.parties import Link, Party

    link = Link()
    alice, bob = Party(link, "alice", "10.0.0.1"), Party(link, "bob", "10.0.0.2")
    bob.answer = lambda call: call.respond(200)
    return link, alice, bob


def _forget(link: Any, *parties: Any) -> None:
    """What only the test kit keeps: the log of the link, the callee's list."""
    link.sent.clear()
    for party in parties:
        party.incoming.clear()


def _bare(call: Any) -> Any:
    """The usage alone, told of nothing any more: the kit's own record of its steps is no part of a dialog."""
    call.usage.user = None
    return call.usage


def dialogs() -> None:
    """Both ends of so many calls in one process; the memory of one end of one of them, transactions gone."""
    link, alice, bob = _parties()
    alice.call(bob)
    link.advance(60)
    gc.collect()
    before = rss()
    usages = []
    for _ in range(DIALOGS):
        call = alice.call(bob)
        link.deliver()
        usages += [_bare(call), _bare(bob.incoming[-1])]
        _forget(link, bob)
    link.advance(60)
    gc.collect()
    ends = alice.core.dialogs + bob.core.dialogs
    print(json.dumps({"kilobytes": (rss() - before) * 1024 / ends, "dialogs": ends}))


def leak() -> None:
    """The growth of memory over so many calls, one after the other, after a warm-up."""
    link, alice, bob = _parties()

    def run(count: int) -> None:
        for number in range(count):
            call = alice.call(bob)
            link.deliver()
            call.end()
            link.deliver()
            if number % 100 == 0:
                link.advance(60)
                _forget(link, alice, bob)
        link.advance(60)
        _forget(link, alice, bob)
        gc.collect()

    run(CALLS // 10)
    before, since = rss(), time.perf_counter()
    run(CALLS)
    seconds = time.perf_counter() - since
    left = alice.core.dialogs + bob.core.dialogs + len(alice.timers) + len(bob.timers)
    print(json.dumps({"megabytes": rss() - before, "left": left, "rate": CALLS / seconds}))


def connections() -> None:
    """The memory of so many TCP connections that say nothing, on the server's side."""
    from sipsimple.testing.network import MemoryNetwork
    from sipsimple.testing.peer import StreamPeer
    from sipsimple.testing.reactor import MemoryRealm

    network = MemoryNetwork()
    realm = MemoryRealm("server", network)

    def start() -> None:
        from sipsimple.core.engine import Engine

        Engine().start(udp_port=None, tcp_port=5060)

    realm.run(start)
    hosts = [network.add_host() for _ in range(100)]
    gc.collect()
    before = rss()
    peers = [StreamPeer.connect(hosts[number % len(hosts)], realm, 5060) for number in range(CONNECTIONS)]
    network.run_idle()
    gc.collect()
    print(json.dumps({"kilobytes": (rss() - before) * 1024 / len(peers)}))


def main() -> int:
    figures = Figures("Dialogs and connections")
    opened = [measure_in_child("bench_dialogs.py", "dialogs") for _ in range(3)]
    figures.add("memory of a dialog", median(run["kilobytes"] for run in opened), "kB", at_most=15)
    leaked = measure_in_child("bench_dialogs.py", "leak")
    figures.add(f"growth over {CALLS:,} calls", leaked["megabytes"], "MB", at_most=5)
    figures.add("dialogs and timers left after them", leaked["left"], "", at_most=0)
    figures.add("calls through both stacks, no sockets", leaked["rate"], "/s")
    idle = measure_in_child("bench_dialogs.py", "connections")
    figures.add(f"memory of one of {CONNECTIONS:,} idle connections, both ends", idle["kilobytes"], "kB")
    figures.show()
    return 1 if figures.missed else 0


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["dialogs"]:
            dialogs()
        case ["leak"]:
            leak()
        case ["connections"]:
            connections()
        case _:
            sys.exit(main())
