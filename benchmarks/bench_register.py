"""REGISTERs one after the other, each sent when the one before is answered, at a registrar in a process of its own.

The rate is that of the median REGISTER, so that what else the machine does counts little. Beside it, bare round trips
of Twisted in the same run. For comparison, a C-based SDK on the same kind of machine:
2,390 a second.
"""

from __future__ import annotations

import json
import sys
import time

from harness import Figures, measure_in_child, median, spawn

REQUESTS = 6000
WARM_UP = 500
ROUNDS = 3


def serve(*accounts: str) -> None:
    from sipsimple.testing import registrar

    sys.argv = ["registrar", *accounts]
    registrar.main()


def measure(port: int, password: str | None) -> None:
    from twisted.internet import reactor

    from sipsimple.core import (
        Credentials,
        Engine,
        FromHeader,
        FrozenContactHeader,
        FrozenRouteHeader,
        Registration,
    )
    from sipsimple.notification import NotificationCenter
    from sipsimple.realm import current_realm

    current_realm().reactor = reactor
    engine = Engine()
    engine.start(ip_address="127.0.0.1", udp_port=0)
    credentials = None if password is None else Credentials("alice", password)
    registration = Registration(FromHeader("sip:alice@example.com"), credentials)
    contact = FrozenContactHeader(f"sip:alice@127.0.0.1:{engine.local_address('udp')[1]}")
    route = FrozenRouteHeader(f"sip:127.0.0.1:{port};lr")
    times: list[float] = []

    class Observer:
        def handle_notification(self, notification: object) -> None:
            times.append(time.perf_counter())
            if len(times) < WARM_UP + REQUESTS:
                registration.register(contact, route)
            else:
                reactor.stop()  # type: ignore[attr-defined]

    def fail(notification: object) -> None:
        print(notification, file=sys.stderr)
        reactor.stop()  # type: ignore[attr-defined]

    class Failure:
        def handle_notification(self, notification: object) -> None:
            fail(notification)

    center = NotificationCenter()
    center.add_observer(Observer(), "SIPRegistrationDidSucceed", registration)
    center.add_observer(Failure(), "SIPRegistrationDidFail", registration)
    registration.register(contact, route)
    since = time.process_time()
    reactor.run()  # type: ignore[attr-defined]
    cpu = (time.process_time() - since) / len(times)
    gaps = [later - earlier for earlier, later in zip(times[WARM_UP:], times[WARM_UP + 1 :], strict=False)]
    print(json.dumps({"rate": 1 / median(gaps), "cpu": cpu}))


def main() -> int:
    echoes, open_results, digest_rates = [], [], []
    for _ in range(ROUNDS):
        with spawn("bench_session.py", "echo") as (_, port):
            echoes.append(measure_in_child("bench_session.py", "measure-echo", port)["round_trip"])
        with spawn("bench_register.py", "serve") as (_, port):
            open_results.append(measure_in_child("bench_register.py", "measure", port))
        with spawn("bench_register.py", "serve", "alice=secret") as (_, port):
            digest_rates.append(measure_in_child("bench_register.py", "measure", port, "secret")["rate"])
    limit = ("bare UDP round trips", 1 / median(echoes))
    figures = Figures("REGISTER, one after the other")
    rate = median(result["rate"] for result in open_results)
    figures.add("without authentication", rate, "/s", at_least=1500, limit=limit)
    figures.add("each with a digest", median(digest_rates), "/s", limit=limit)
    figures.add("CPU time of the user agent for one", 1e6 * median(result["cpu"] for result in open_results), "µs")
    figures.show()
    return 1 if figures.missed else 0


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["serve", *accounts]:
            serve(*accounts)
        case ["measure", port]:
            measure(int(port), None)
        case ["measure", port, password]:
            measure(int(port), password)
        case _:
            sys.exit(main())
