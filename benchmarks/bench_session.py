"""Sessions and chat messages between two processes over loopback, beside bare round trips of Twisted in the same run.

For comparison, a C-based SDK on the same kind of machine: 8.4 ms a session (56 a second one after the other), 48 ms
until one message's report, 741 messages a second.
"""

from __future__ import annotations

import json
import sys
import time

from harness import Figures, measure_in_child, median, spawn

SESSIONS = 300
MESSAGES = 6000
ONE_BY_ONE = 400
ROUND_TRIPS = 2000


def serve() -> None:
    from chat_peer import Peer

    peer = Peer("bob")
    _, port = peer.start()
    print(port, flush=True)
    sys.stdin.read()
    peer.stop()


def measure(port: int) -> None:
    from chat_peer import Peer

    peer = Peer("alice")
    peer.start()
    setups = []
    for _ in range(20):  # warm-up
        peer.end(peer.connect(port)[0])
    since = time.perf_counter()
    for _ in range(SESSIONS):
        session, seconds = peer.connect(port)
        setups.append(seconds)
        peer.end(session)
    rate = SESSIONS / (time.perf_counter() - since)
    session, _ = peer.connect(port)
    peer.send(500, 100)
    messages = [MESSAGES / 3 / peer.send(MESSAGES // 3, 100) for _ in range(3)]
    peer.send(ONE_BY_ONE, 1)
    latency = median(peer.latencies)
    peer.end(session)
    peer.stop()
    print(json.dumps({"setup": median(setups), "rate": rate, "messages": median(messages), "latency": latency}))


def serve_echo() -> None:
    """Sends UDP datagrams back, the bare limit of a SIP round trip."""
    from twisted.internet import reactor, stdio
    from twisted.internet.protocol import DatagramProtocol, Protocol

    class Echo(DatagramProtocol):
        def datagramReceived(self, datagram: bytes, address: tuple[str, int]) -> None:
            self.transport.write(datagram, address)

    class Input(Protocol):
        def connectionLost(self, reason: object = None) -> None:
            reactor.stop()  # type: ignore[attr-defined]

    port = reactor.listenUDP(0, Echo(), interface="127.0.0.1")  # type: ignore[attr-defined]
    print(port.getHost().port, flush=True)
    stdio.StandardIO(Input())
    reactor.run()  # type: ignore[attr-defined]


def measure_echo(port: int) -> None:
    from twisted.internet import reactor
    from twisted.internet.protocol import DatagramProtocol

    delays: list[float] = []

    class Ping(DatagramProtocol):
        def startProtocol(self) -> None:
            self.transport.connect("127.0.0.1", port)
            self.ping()

        def ping(self) -> None:
            self.since = time.perf_counter()
            self.transport.write(bytes(600))

        def datagramReceived(self, datagram: bytes, address: object) -> None:
            delays.append(time.perf_counter() - self.since)
            if len(delays) < ROUND_TRIPS:
                self.ping()
            else:
                reactor.stop()  # type: ignore[attr-defined]

    reactor.listenUDP(0, Ping())  # type: ignore[attr-defined]
    reactor.run()  # type: ignore[attr-defined]
    print(json.dumps({"round_trip": median(delays)}))


def main() -> int:
    results, echoes = [], []
    for _ in range(3):
        with spawn("bench_session.py", "echo") as (_, port):
            echoes.append(measure_in_child("bench_session.py", "measure-echo", port))
        with spawn("bench_session.py", "serve") as (_, port):
            results.append(measure_in_child("bench_session.py", "measure", port))
    round_trip = 1000 * median(echo["round_trip"] for echo in echoes)

    def middle(key: str) -> float:
        return median(result[key] for result in results)

    bare = "bare UDP round trip"
    figures = Figures("Sessions and chat between two processes")
    figures.add("connect() to SIPSessionDidStart", 1000 * middle("setup"), "ms", at_most=5, limit=(bare, round_trip))
    figures.add("sessions, one after the other", middle("rate"), "/s", at_least=150, limit=(bare, 1000 / round_trip))
    figures.add("chat messages with reports", middle("messages"), "/s", at_least=2500, limit=(bare, 1000 / round_trip))
    figures.add("one message until its report", 1000 * middle("latency"), "ms", at_most=2, limit=(bare, round_trip))
    figures.show()
    return 1 if figures.missed else 0


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve"]:
            serve()
        case ["measure", port]:
            measure(int(port))
        case ["echo"]:
            serve_echo()
        case ["measure-echo", port]:
            measure_echo(int(port))
        case _:
            sys.exit(main())
