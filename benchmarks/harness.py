"""What the benchmarks share: medians, one line for each figure, and child processes that report in JSON."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.table import Table

__all__ = ["Figures", "measure_in_child", "median", "rss", "spawn", "wait_until"]

HERE = Path(__file__).parent


class Figures:
    """A table of figures: measured, the bound to reach, and the limit or peer measured in the same run."""

    def __init__(self, title: str) -> None:
        # imported here, so that the children that measure start-up do not carry it
        from rich.table import Table

        self._table: Table = Table(title=title, title_justify="left", title_style="bold")
        for column in ("figure", "measured", "to reach", "", "limit or peer in this run", "ratio"):
            self._table.add_column(column)
        self.missed = 0

    def add(
        self, name: str, value: float, unit: str, at_most: float | None = None, at_least: float | None = None,
        limit: tuple[str, float] | None = None,
    ) -> None:  # fmt: skip
        """`limit`: what it is compared with, and the value in the same unit."""
        bound = f"<= {at_most:g}" if at_most is not None else f">= {at_least:g}" if at_least is not None else ""
        reached = not ((at_most is not None and value > at_most) or (at_least is not None and value < at_least))
        self.missed += not reached
        verdict = ("[green]yes" if reached else "[bold red]NO") if bound else ""
        compared = f"{limit[0]}: {limit[1]:,.2f} {unit}" if limit else ""
        ratio = f"{value / limit[1]:.2f}" if limit and limit[1] else ""
        self._table.add_row(name, f"{value:,.2f} {unit}", bound, verdict, compared, ratio)

    def show(self) -> None:
        from rich.console import Console

        Console(width=None if sys.stdout.isatty() else 140).print(self._table)


def measure_in_child(script: str, *arguments: str) -> dict[str, Any]:
    """Runs a script of this folder in a fresh process; its last line of output is its result in JSON.

    Modules may be kept as byte code, as pip leaves them, whatever the environment says.
    """
    command = [sys.executable, str(HERE / script), *arguments]
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    output = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=environment)
    if output.returncode != 0:
        raise RuntimeError(f"{script} {' '.join(arguments)} failed:\n{output.stdout}\n{output.stderr}")
    result: dict[str, Any] = json.loads(output.stdout.splitlines()[-1])
    return result


@contextmanager
def spawn(script: str, *arguments: str) -> Iterable[tuple[subprocess.Popen[str], str]]:  # type: ignore[misc]
    """A child process that runs while the block does, and the first line that it printed."""
    command = [sys.executable, str(HERE / script), *arguments]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert child.stdout is not None and child.stdin is not None
        yield child, child.stdout.readline().strip()
        child.stdin.close()
        child.wait(30)
    finally:
        if child.poll() is None:
            child.kill()
            child.wait()


def rss() -> float:
    """The resident memory of this process, in MB."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0


def wait_until(condition: Callable[[], object], what: str, seconds: float = 60.0) -> None:
    """Wait for something that the benchmark counts; it ends with an error when that does not come."""
    end = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > end:
            raise SystemExit(f"{what}: not within {seconds:g} s")
        time.sleep(0.02)
