"""Many chat sessions between two processes over loopback: UDP beside TCP, a thousand at once, thousands in a row.

For comparison, a C-based SDK on the same kind of machine: 8.4 ms a session, 56 a second one after the other.
"""

from __future__ import annotations

import gc
import json
import sys
import threading
import time
from typing import Any

from harness import Figures, measure_in_child, median, rss, spawn

ONE_BY_ONE = 200
CONCURRENT = 1000
IN_A_ROW = 5000
LINGERING = 35.0
"""Seconds for which the transaction of an INVITE is kept, to know repetitions by (RFC 6026: timer M, 32 s)."""


def serve(transport: str) -> None:
    from chat_peer import Peer

    peer = Peer("bob", transport)
    _, port = peer.start()
    print(port, flush=True)
    for line in sys.stdin:
        if line.strip() == "memory":
            gc.collect()
            print(json.dumps({"rss": rss()}), flush=True)
    peer.stop()


def measure_setup(port: int, transport: str) -> None:
    from chat_peer import Peer

    peer = Peer("alice", transport)
    peer.start()
    for _ in range(20):  # warm-up
        peer.end(peer.connect(port)[0])
    setups = []
    since = time.perf_counter()
    for _ in range(ONE_BY_ONE):
        session, seconds = peer.connect(port)
        setups.append(seconds)
        peer.end(session)
    rate = ONE_BY_ONE / (time.perf_counter() - since)
    peer.stop()
    print(json.dumps({"setup": 1000 * median(setups), "rate": rate}))


class Counter:
    """Counts notifications and says when there are enough."""

    def __init__(self) -> None:
        from sipsimple.notification import NotificationCenter

        self.counts: dict[str, int] = {}
        self.failures: dict[str, int] = {}
        self._changed = threading.Condition()
        for name in ("SIPSessionDidStart", "SIPSessionDidEnd", "SIPSessionDidFail"):
            NotificationCenter().add_observer(self, name=name)

    def handle_notification(self, notification: Any) -> None:
        if notification.name == "SIPSessionDidFail":
            reason = f"{notification.data.code} {notification.data.failure_reason}"
            self.failures[reason] = self.failures.get(reason, 0) + 1
        with self._changed:
            self.counts[notification.name] = self.counts.get(notification.name, 0) + 1
            self._changed.notify_all()

    def wait(self, name: str, count: int) -> None:
        with self._changed:
            if not self._changed.wait_for(lambda: self.counts.get(name, 0) >= count, 60):
                raise SystemExit(f"{self.counts} instead of {count} {name}; failures: {self.failures}")


def measure_concurrent(port: int) -> None:
    from chat_peer import ADDRESS, Peer

    from sipsimple.core import SIPURI, ToHeader
    from sipsimple.session import Session
    from sipsimple.streams import ChatStream
    from sipsimple.util import Route

    peer = Peer("alice")
    peer.start()
    peer.end(peer.connect(port)[0])
    counter = Counter()
    gc.collect()
    before = rss()
    since = time.perf_counter()
    sessions = [Session(peer.account) for _ in range(CONCURRENT)]
    for session in sessions:
        to_header = ToHeader(SIPURI(user="bob", host=ADDRESS, port=port))
        session.connect(to_header, [Route(ADDRESS, port, "udp")], [ChatStream(peer.account)])
    counter.wait("SIPSessionDidStart", CONCURRENT)
    started = time.perf_counter() - since
    gc.collect()
    memory = (rss() - before) * 1024 / CONCURRENT
    since = time.perf_counter()
    for session in sessions:
        session.end()
    counter.wait("SIPSessionDidEnd", CONCURRENT)
    ended = time.perf_counter() - since
    peer.stop()
    print(json.dumps({
        "started": started, "memory": memory, "ended": ended, "failed": counter.counts.get("SIPSessionDidFail", 0),
    }))  # fmt: skip


def left_behind() -> dict[str, int]:
    """What of sessions is still there."""
    from sipsimple.core import Engine
    from sipsimple.notification import NotificationCenter
    from sipsimple.session import Session, SessionManager

    gc.collect()
    engine: Any = Engine()
    return {
        "sessions": len(SessionManager().sessions) + sum(isinstance(o, Session) for o in gc.get_objects()),
        "dialogs": engine.core.dialogs,
        "transactions": len(engine._layer._clients) + len(engine._layer._servers),
        "observers": NotificationCenter().observer_count(),
    }


def measure_in_a_row(port: int) -> None:
    from chat_peer import Peer

    peer = Peer("alice")
    peer.start()
    steady = time.perf_counter() + LINGERING
    while time.perf_counter() < steady:  # as many transactions end by then as begin
        peer.end(peer.connect(port)[0])
    observers = left_behind()["observers"]
    before = rss()
    for _ in range(IN_A_ROW):
        peer.end(peer.connect(port)[0])
    grown = rss() - before
    peer.chat = None
    left = left_behind()
    peer.stop()
    print(json.dumps({"grown": grown, "left": left["sessions"] + left["dialogs"] + left["observers"] - observers}))


def main() -> int:
    setups: dict[str, list[dict[str, float]]] = {"udp": [], "tcp": []}
    for _ in range(3):
        for transport, results in setups.items():
            with spawn("bench_many_sessions.py", "serve", transport) as (_, port):
                results.append(measure_in_child("bench_many_sessions.py", "setup", port, transport))
    with spawn("bench_many_sessions.py", "serve", "udp") as (_, port):
        concurrent = measure_in_child("bench_many_sessions.py", "concurrent", port)
    with spawn("bench_many_sessions.py", "serve", "udp") as (_, port):
        in_a_row = measure_in_child("bench_many_sessions.py", "in-a-row", port)
    udp, tcp = (median(result["setup"] for result in setups[transport]) for transport in ("udp", "tcp"))
    rate = median(result["rate"] for result in setups["udp"])
    figures = Figures("Many sessions between two processes")
    figures.add("chat session set-up, UDP", udp, "ms", at_most=4, limit=("C-based peer, elsewhere", 8.4))
    figures.add("sessions, one after the other, UDP", rate, "/s", at_least=170, limit=("C-based peer, elsewhere", 56))
    figures.add("chat session set-up, TCP beside UDP", tcp / udp, "x", at_most=1.3)
    figures.add(f"{CONCURRENT} sessions at once: set up in", concurrent["started"], "s", at_most=8)
    figures.add("memory of each", concurrent["memory"], "kB", at_most=60)
    figures.add("all ended in", concurrent["ended"], "s", at_most=5)
    figures.add("of them failed", concurrent["failed"], "", at_most=0)
    figures.add(f"{IN_A_ROW} sessions in a row: memory grows by", in_a_row["grown"], "MB", at_most=5)
    figures.add("sessions, dialogs and observers left", in_a_row["left"], "", at_most=0)
    figures.show()
    return 1 if figures.missed else 0


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve", transport]:
            serve(transport)
        case ["setup", port, transport]:
            measure_setup(int(port), transport)
        case ["concurrent", port]:
            measure_concurrent(int(port))
        case ["in-a-row", port]:
            measure_in_a_row(int(port))
        case _:
            sys.exit(main())
