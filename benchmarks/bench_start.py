"""Import time, start-up time and memory of an application that does nothing yet, beside Twisted alone."""

from __future__ import annotations

import json
import sys
import time

from harness import Figures, measure_in_child, median, rss

RUNS = 7


def import_module(name: str) -> None:
    since = time.perf_counter()
    __import__(name)
    print(json.dumps({"seconds": time.perf_counter() - since, "rss": rss()}))


def start_application() -> None:
    import threading

    from sipsimple.application import SIPApplication
    from sipsimple.notification import NotificationCenter
    from sipsimple.storage import MemoryStorage

    started, ended = threading.Event(), threading.Event()

    class Observer:
        def handle_notification(self, notification: object) -> None:
            name = notification.name  # type: ignore[attr-defined]
            if name == "SIPApplicationDidStart":
                started.set()
            elif name == "SIPApplicationDidEnd":
                ended.set()

    NotificationCenter().add_observer(Observer())  # type: ignore[arg-type]
    since = time.perf_counter()
    SIPApplication().start(MemoryStorage())
    if not started.wait(20):
        raise SystemExit("the application did not start")
    seconds = time.perf_counter() - since
    memory = rss()
    SIPApplication().stop()
    ended.wait(20)
    print(json.dumps({"seconds": seconds, "rss": memory}))


def main() -> int:
    ours = [measure_in_child("bench_start.py", "import", "sipsimple.application") for _ in range(RUNS)]
    twisted = [measure_in_child("bench_start.py", "import", "twisted.internet.ssl") for _ in range(RUNS)]
    starts = [measure_in_child("bench_start.py", "start") for _ in range(RUNS)]

    def middle(results: list[dict[str, float]], key: str, factor: float = 1.0) -> float:
        return factor * median(result[key] for result in results)

    figures = Figures("Start of an application")
    figures.add(
        "import sipsimple.application", middle(ours, "seconds"), "s", at_most=0.45,
        limit=("Twisted with TLS", middle(twisted, "seconds")),
    )  # fmt: skip
    figures.add("start() to SIPApplicationDidStart", middle(starts, "seconds", 1000), "ms", at_most=50)
    figures.add(
        "memory after start",
        middle(starts, "rss"),
        "MB",
        at_most=60,
        limit=("Twisted with TLS", middle(twisted, "rss")),
    )
    figures.show()
    return 1 if figures.missed else 0


if __name__ == "__main__":
    match sys.argv[1:]:
        case ["import", name]:
            import_module(name)
        case ["start"]:
            start_application()
        case _:
            sys.exit(main())
