"""File transfers between two processes over loopback, from disk to disk, with the SHA-1 of the file checked.

Each is a session of its own: the file is hashed, offered, sent and written, its hash is checked, and it is on the disk
under its name (fsync) when the clock stops. Beside it, in the same run and in turns, a bare copy over Twisted with
SHA-1 on both sides. For comparison, a C-based SDK on the same kind of machine: 34 MB/s, 270 to 306 MB of memory.

    bench_filetransfer.py [--quick]
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from harness import Figures, median, spawn

SIZE = 200_000_000
HUGE = 5_000_000_000
FILES = 10
SCRIPT = "file_peer.py"


class Pair:
    """A receiver and a sender of file transfers, each a process, ready to copy."""

    def __init__(self, receiver: subprocess.Popen[str], sender: subprocess.Popen[str]) -> None:
        self.receiver = receiver
        self.sender = sender
        self._idle = [ask(child, "memory")["idle"] for child in (sender, receiver)]  # before anything was copied

    def copy(self, path: Path) -> dict[str, float]:
        """Copies a file; returns the rates, and of each side the processor time and the memory above idle."""
        sent = ask(self.sender, str(path))
        received = answer(self.receiver)
        size = path.stat().st_size
        if received.get("size") != size:
            raise SystemExit(f"the file was not copied: {received}")
        return {
            "rate": size / (received["finished"] - sent["called"]) / 1e6,
            "transfer": size / (received["finished"] - sent["started"]) / 1e6,
            "sender cpu": sent["cpu"],
            "receiver cpu": received["cpu"],
            "sender memory": sent["peak"] - self._idle[0],
            "receiver memory": received["peak"] - self._idle[1],
        }


def ask(child: subprocess.Popen[str], line: str) -> dict[str, Any]:
    assert child.stdin is not None
    child.stdin.write(f"{line}\n")
    child.stdin.flush()
    return answer(child)


def answer(child: subprocess.Popen[str]) -> dict[str, Any]:
    assert child.stdout is not None
    line = child.stdout.readline()
    if not line:
        raise SystemExit("a peer is gone")
    values: dict[str, Any] = json.loads(line)
    return values


def bare_copy(path: Path, folder: Path) -> dict[str, float]:
    with spawn(SCRIPT, "bare-receive", str(folder)) as (receiver, port), spawn_raw("bare-send", port) as sender:
        sent, received = ask(sender, str(path)), answer(receiver)
    seconds = received["finished"] - sent["called"]
    return {"rate": path.stat().st_size / seconds / 1e6, "cpu": sent["cpu"] + received["cpu"]}


class spawn_raw:
    """As `spawn`, of a child that says nothing at first."""

    def __init__(self, *arguments: str) -> None:
        command = [sys.executable, str(Path(__file__).parent / SCRIPT), *arguments]
        self._child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def __enter__(self) -> subprocess.Popen[str]:
        return self._child

    def __exit__(self, *_: object) -> None:
        assert self._child.stdin is not None
        self._child.stdin.close()
        try:
            self._child.wait(30)
        finally:
            self._child.kill()


def measure(folder: Path, quick: bool) -> Figures:
    figures = Figures("A file of 200 MB, from disk to disk between two processes, SHA-1 checked")
    path = folder / "file.bin"
    with open(path, "wb") as file:
        for _ in range(SIZE // 1_000_000):
            file.write(os.urandom(1_000_000))
        os.fsync(file.fileno())
    incoming = folder / "incoming"
    incoming.mkdir()
    for transport in ("tcp", "tls"):
        with (
            spawn(SCRIPT, "receive", str(incoming), transport) as (receiver, port),
            spawn(SCRIPT, "send", port, transport) as (sender, _),
        ):
            pair = Pair(receiver, sender)
            warm = folder / "warm.bin"
            warm.write_bytes(bytes(1_000_000))
            pair.copy(warm)
            pairs = [(pair.copy(path), bare_copy(path, incoming)) for _ in range(3 if quick else 5)]
            add(figures, transport, pairs)
            if transport == "tcp" and not quick:
                add_huge(figures, pair, folder)
    add_chat(figures, path, incoming)
    return figures


def add_chat(figures: Figures, path: Path, incoming: Path) -> None:
    """Ten files at once, in one session with a chat."""
    with (
        spawn(SCRIPT, "receive", str(incoming), "tcp") as (receiver, port),
        spawn(SCRIPT, "send-beside-chat", port, str(FILES)) as (sender, _),
    ):
        latencies = ask(sender, str(path))["latencies"]
        for _ in range(FILES):
            if "size" not in (received := answer(receiver)):
                raise SystemExit(f"a file was not copied: {received}")
    figures.add(f"{FILES} such files at once: a chat message", 1000 * median(latencies), "ms")
    figures.add("    95 of 100 take at most", 1000 * sorted(latencies)[len(latencies) * 95 // 100], "ms", at_most=50)
    figures.add("    the longest of all", 1000 * max(latencies), "ms")


def add(figures: Figures, transport: str, pairs: list[tuple[dict[str, float], dict[str, float]]]) -> None:
    def middle(name: str) -> float:
        return median([ours[name] for ours, _ in pairs])

    bare = median([other["rate"] for _, other in pairs])
    ratio = median([ours["rate"] / other["rate"] for ours, other in pairs])
    bounds = {"at_least": 200.0} if transport == "tcp" else {}
    label = f"over {transport.upper()}"
    figures.add(f"{label}, from the call on", middle("rate"), "MB/s", **bounds, limit=("bare copy", bare))
    figures.add("    of the bare copy (median of pairs)", ratio, "", at_least=0.25 if transport == "tcp" else None)
    figures.add("    once the file was hashed", middle("transfer"), "MB/s")
    cpu = median([other["cpu"] for _, other in pairs])
    figures.add("    processor time of the sender", middle("sender cpu"), "s")
    figures.add("    processor time of the receiver", middle("receiver cpu"), "s")
    both = middle("sender cpu") + middle("receiver cpu")
    figures.add("    both", both, "s", limit=("bare copy", cpu))
    add_memory(figures, middle("sender memory"), middle("receiver memory"))


def add_memory(figures: Figures, sender: float, receiver: float) -> None:
    figures.add("    memory of the sender above idle", sender, "MB", at_most=25)
    figures.add("    memory of the receiver above idle", receiver, "MB", at_most=25)


def add_huge(figures: Figures, pair: Pair, folder: Path) -> None:
    """A sparse file: what is to be shown of it is the memory, which does not grow with the size."""
    if shutil.disk_usage(folder).free < 2 * HUGE:
        print(f"no room for {HUGE} octets in {folder}: left out", file=sys.stderr)
        return
    path = folder / "huge.bin"
    path.touch()
    os.truncate(path, HUGE)
    found = pair.copy(path)
    figures.add("a sparse file of 5 GB over TCP", found["rate"], "MB/s")
    add_memory(figures, found["sender memory"], found["receiver memory"])


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder), "--quick" in sys.argv[1:])
    figures.show()
    return 1 if figures.missed else 0


if __name__ == "__main__":
    sys.exit(main())
