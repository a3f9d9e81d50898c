"""How fast msrplib is: messages a second, latency, throughput and memory, both ends in one process over loopback TCP.

    python benchmarks/bench_msrplib.py [--json] [--quick]

Each figure is the median of several runs. Throughput stands beside a bare Twisted copy over loopback in the same run,
as machines differ, and so does one machine from minute to minute.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import sys
import time
from pathlib import Path
from typing import Any

from twisted.internet import reactor as installed_reactor
from twisted.internet.defer import Deferred, ensureDeferred
from twisted.internet.protocol import ClientFactory, Factory, Protocol

from msrplib.handler import MessageSink, Refusal, SessionHandler
from msrplib.incoming import IncomingMessage
from msrplib.outgoing import OutgoingMessage
from msrplib.protocol import MSRPData
from msrplib.session import MSRPSession
from msrplib.transport import MSRPConnector, MSRPListener

reactor: Any = installed_reactor

MIB = 1024 * 1024
MESSAGE = b"x" * 100
WINDOW = 100
"""Messages under way at once in the throughput of messages."""


class Counter(SessionHandler):
    """The receiving side: counts, or swallows what is large."""

    def message_started(self, session: MSRPSession, chunk: MSRPData) -> Refusal | MessageSink | None:
        byte_range = chunk.byte_range
        large = byte_range is not None and byte_range.total is not None and byte_range.total > MIB
        return Swallow() if large else None


class Swallow:
    """A sink that keeps nothing."""

    def __init__(self) -> None:
        self.size = 0

    def write(self, offset: int, data: bytes) -> None:
        self.size += len(data)

    def finish(self, message: IncomingMessage) -> Refusal | None:
        return None if self.size == message.size else Refusal(400, "octets are missing")

    def abort(self, reason: str) -> None:
        pass


class Zeros:
    """A source of so many octets."""

    def __init__(self, size: int) -> None:
        self.left = size
        self._block = bytes(1024 * 1024)

    def read(self, size: int, /) -> bytes:
        size = min(size, self.left, len(self._block))
        self.left -= size
        return self._block[:size]


class Sender(SessionHandler):
    """Sends `count` messages, never more than `window` without their success report and 200."""

    def __init__(self) -> None:
        self.left = self.open = 0
        self.done: Deferred[None] = Deferred()
        self.delivered: Deferred[float] | None = None

    def run(self, session: MSRPSession, count: int, window: int) -> Deferred[None]:
        self.left = count
        self.open = 0
        self.done = Deferred()
        for _ in range(min(window, count)):
            self.send(session)
        return self.done

    def expect_delivery(self) -> Deferred[float]:
        self.delivered = Deferred()
        return self.delivered

    def send(self, session: MSRPSession) -> None:
        self.left -= 1
        self.open += 1
        session.send_message(MESSAGE, "text/plain", success_report="yes", failure_report="yes")

    def message_delivered(self, session: MSRPSession, outgoing: OutgoingMessage, report: MSRPData) -> None:
        if self.delivered is not None:
            delivered, self.delivered = self.delivered, None
            delivered.callback(time.perf_counter())
            return
        self.open -= 1
        if self.left:
            self.send(session)
        elif not self.open:
            self.done.callback(None)

    def message_failed(
        self, session: MSRPSession, outgoing: OutgoingMessage, code: int, reason: str, chunk: MSRPData | None
    ) -> None:
        if not session.is_closed:
            raise AssertionError(f"{code} {reason}")


async def make_pair() -> tuple[MSRPSession, MSRPSession, Sender, MSRPListener]:
    listener = MSRPListener(reactor, "127.0.0.1")
    listener.start()
    connector = MSRPConnector(reactor)
    passive = MSRPSession(listener.new_uri(), handler=Counter())
    sender = Sender()
    active = MSRPSession(connector.new_uri("127.0.0.1"), passive.local_path, handler=sender)
    passive.remote_path = active.local_path
    bound = listener.expect(passive)
    await connector.connect(active)
    await bound
    return active, passive, sender, listener


async def messages_a_second(count: int) -> float:
    active, passive, sender, listener = await make_pair()
    await sender.run(active, 200, WINDOW)
    started = time.perf_counter()
    await sender.run(active, count, WINDOW)
    rate = count / (time.perf_counter() - started)
    await end(active, passive, listener)
    return rate


async def latency(count: int) -> float:
    """Milliseconds from send_message to the success report, one at a time."""
    active, passive, sender, listener = await make_pair()
    times = []
    for _ in range(count):
        delivered = sender.expect_delivery()
        started = time.perf_counter()
        sender.send(active)
        times.append((await delivered) - started)
    await end(active, passive, listener)
    return statistics.median(times) * 1000


async def throughput(size: int) -> float:
    """Octets a second of one large message, from a source to a sink, with both reports."""
    active, passive, sender, listener = await make_pair()
    delivered = sender.expect_delivery()
    started = time.perf_counter()
    active.send_message(Zeros(size), "application/octet-stream", success_report="yes", failure_report="yes", size=size)
    rate = size / (await delivered - started)
    await end(active, passive, listener)
    return rate


async def chat_amid(size: int) -> float:
    """Milliseconds, the longest of many, that a small message takes while a large one is under way."""
    active, passive, sender, listener = await make_pair()
    active.send_message(Zeros(size), "application/octet-stream", size=size, failure_report="no")
    worst = 0.0
    for _ in range(20):
        await pause(0.01)
        delivered = sender.expect_delivery()
        started = time.perf_counter()
        sender.send(active)
        worst = max(worst, await delivered - started)
    await end(active, passive, listener)
    return worst * 1000


async def end(active: MSRPSession, passive: MSRPSession, listener: MSRPListener) -> None:
    active.close()
    passive.close()
    await listener.stop()
    await pause(0.01)


def pause(seconds: float) -> Deferred[None]:
    paused: Deferred[None] = Deferred()
    reactor.callLater(seconds, paused.callback, None)
    return paused


class BareReceiver(Protocol):
    transport: Any
    left = 0
    done: Deferred[None]

    def dataReceived(self, data: bytes) -> None:
        BareReceiver.left -= len(data)
        if BareReceiver.left <= 0:
            self.transport.loseConnection()
            BareReceiver.done.callback(None)


class BareSender(Protocol):
    transport: Any
    left = 0
    block = bytes(64 * 1024)

    def connectionMade(self) -> None:
        self.transport.registerProducer(self, False)

    def resumeProducing(self) -> None:
        if BareSender.left > 0:
            BareSender.left -= len(self.block)
            self.transport.write(self.block)
        else:
            self.transport.unregisterProducer()

    def stopProducing(self) -> None:
        pass


async def bare_throughput(size: int) -> float:
    """Octets a second of a bare Twisted copy in 64 KiB blocks: what there is to be had."""
    port = reactor.listenTCP(0, Factory.forProtocol(BareReceiver), interface="127.0.0.1")
    BareReceiver.left = BareSender.left = size
    BareReceiver.done = Deferred()
    factory = ClientFactory()
    factory.protocol = BareSender
    started = time.perf_counter()
    reactor.connectTCP("127.0.0.1", port.getHost().port, factory)
    await BareReceiver.done
    rate = size / (time.perf_counter() - started)
    await port.stopListening()
    return rate


def resident() -> float:
    """MiB resident now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / MIB


def peak() -> float:
    """MiB resident at the most since the start."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


async def measure(quick: bool) -> dict[str, float]:
    rounds = 3 if quick else 5
    count = 3000 if quick else 10000
    size = 200_000_000
    idle = resident()
    await bare_throughput(size // 10)
    await throughput(size // 10)
    bare, msrp = [], []
    for _ in range(rounds):
        bare.append(await bare_throughput(size))
        msrp.append(await throughput(size))
    memory = peak() - idle
    rates = [await messages_a_second(count) for _ in range(rounds)]
    latencies = [await latency(500) for _ in range(rounds)]
    amid = [await chat_amid(500_000_000) for _ in range(2 if quick else 3)]
    return {
        "messages_per_second": statistics.median(rates),
        "latency_ms": statistics.median(latencies),
        "throughput_mb_per_second": statistics.median(msrp) / 1e6,
        "bare_mb_per_second": statistics.median(bare) / 1e6,
        "throughput_ratio": statistics.median(m / b for m, b in zip(msrp, bare, strict=True)),
        "memory_above_idle_mib": memory,
        "chat_amid_large_ms": statistics.median(amid),
    }


LINES = (
    ("messages_per_second", "messages/s, 100 octets, both reports", "{:10,.0f}", 5000),
    ("latency_ms", "ms for one at a time, until its report", "{:10.3f}", 0.5),
    ("throughput_mb_per_second", "MB/s for 200 MB, both reports", "{:10,.0f}", 350),
    ("bare_mb_per_second", "MB/s of a bare Twisted copy", "{:10,.0f}", None),
    ("throughput_ratio", "of the bare copy (median of pairs)", "{:10.2f}", 0.35),
    ("memory_above_idle_mib", "MiB above idle at the most", "{:10.1f}", 20),
    ("chat_amid_large_ms", "ms, longest for a chat message amid 500 MB", "{:10.1f}", 50),
)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")
    parser.add_argument("--quick", action="store_true", help="fewer rounds")
    arguments = parser.parse_args()
    outcome: list[Any] = []

    def start() -> None:
        ensureDeferred(measure(arguments.quick)).addBoth(outcome.append).addBoth(lambda _: reactor.stop())

    reactor.callWhenRunning(start)
    reactor.run()
    figures = outcome[0]
    if not isinstance(figures, dict):
        print(figures, file=sys.stderr)
        return 1
    if arguments.json:
        print(json.dumps(figures))
        return 0
    for key, text, form, goal in LINES:
        aim = "" if goal is None else f"  (goal {goal:,})"
        print(f"{form.format(figures[key])}  {text}{aim}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
