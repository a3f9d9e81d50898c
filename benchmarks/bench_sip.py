"""The SIP stack under load from sipp: OPTIONS and whole calls a second, beside sippy in the same run."""

from __future__ import annotations

import csv
import importlib.util
import json
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path

from harness import HERE, Figures, median

sys.path.insert(0, str(HERE.parent / "tests"))

from interop.scenarios import SDP, expect, request, scenario

OPTIONS = scenario(request("OPTIONS", 1, to_tag=False, retrans=500), expect(200))
CALL = scenario(
    request("INVITE", 1, to_tag=False, body=SDP, retrans=500),
    expect(100, optional=True),
    expect(180, optional=True),
    expect(200, rrs="true"),
    request("ACK", 1),
    request("BYE", 2, retrans=500),
    expect(200),
)

#: How many calls are open at once: enough to keep the other side busy all the time.
WINDOW = 20
ROUNDS = 3


def free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@contextmanager
def uas(kind: str):  # type: ignore[no-untyped-def]
    """A user agent in a process of its own; its port, and the process."""
    port = free_port()
    child = subprocess.Popen([sys.executable, str(HERE / "uas.py"), kind, str(port)], stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None
        assert child.stdout.readline().strip() == "ready"
        yield port, child
    finally:
        child.kill()
        child.wait()


def load(steps: str, port: int, calls: int, rate: int = 10_000) -> tuple[float, int]:
    """Has sipp make so many calls, at most `rate` a second: how many a second they were, and how many failed."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder)
        (path / "load.xml").write_text(steps, encoding="utf-8")
        command = [
            *(
                "sipp",
                "-sf",
                "load.xml",
                "-i",
                "127.0.0.1",
                "-p",
                str(free_port()),
                "-m",
                str(calls),
                "-l",
                str(WINDOW),
            ),
            *("-r", str(rate), "-nostdin", "-timeout", "60", "-trace_stat", "-stf", "stat.csv", "-fd", "1"),
            f"127.0.0.1:{port}",
        ]
        subprocess.run(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
        with (path / "stat.csv").open() as file:
            *_, last = csv.DictReader(file, delimiter=";")
        return float(last["CallRate(C)"]), int(last["FailedCall(C)"])


def rate(kind: str, steps: str, calls: int) -> tuple[float, int]:
    """The median of several rounds, and all failures."""
    rates, failures = [], 0
    for _ in range(ROUNDS):
        with uas(kind) as (port, _):
            load(steps, port, calls // 10)
            result, failed = load(steps, port, calls)
            rates.append(result)
            failures += failed
    return median(rates), failures


def stall(calls_a_second: float) -> float:
    """The 99th percentile of the delay of our event loop over 5 seconds of so many calls a second, in ms."""
    with uas("ours") as (port, child):
        load(CALL, port, 500)
        child.send_signal(signal.SIGUSR1)  # what was before does not count
        child.stdout.readline()
        if calls_a_second:
            load(CALL, port, int(5 * calls_a_second), int(calls_a_second))
        else:
            time.sleep(5)
        child.send_signal(signal.SIGUSR1)
        result: float = 1000 * json.loads(child.stdout.readline())["stall"]
        return result


def main() -> int:
    if shutil.which("sipp") is None:
        print("bench_sip: sipp is not installed: apt-get install --no-install-recommends sip-tester")
        return 0
    figures = Figures("The SIP stack, called by sipp on this machine")
    peers = importlib.util.find_spec("sippy") is not None
    options, failed = rate("ours", OPTIONS, 10_000)
    figures.add(
        "OPTIONS answered",
        options,
        "/s",
        at_least=2500,
        limit=("sippy", rate("sippy", OPTIONS, 5000)[0]) if peers else None,
    )
    figures.add("OPTIONS failed", failed, "", at_most=0)
    calls, failed = rate("ours", CALL, 3000)
    sippy = rate("sippy", CALL, 2000)[0] if peers else 0.0
    figures.add(
        "INVITE-200-ACK-BYE",
        calls,
        "/s",
        at_least=1.5 * sippy if peers else None,
        limit=("sippy", sippy) if peers else None,
    )
    figures.add("calls failed", failed, "", at_most=0)
    figures.add(
        "stall of the event loop at half of that, p99",
        stall(calls / 2),
        "ms",
        at_most=5,
        limit=("without load", stall(0)),
    )
    figures.show()
    return 1 if figures.missed else 0


if __name__ == "__main__":
    sys.exit(main())
