"""Whether the demo did what it promises: every message arrived, once, in order, and was confirmed."""

from __future__ import annotations

from statistics import median

from ladder import Event
from rich.console import Console

OTHER = {"alice": "bob", "bob": "alice"}


class Verdict:
    def __init__(self, talk: dict[str, list[str]]) -> None:
        self.talk = talk
        self.heard: dict[str, list[str]] = {name: [] for name in talk}
        self.confirmed: dict[str, list[str]] = {name: [] for name in talk}
        self.delays: list[float] = []
        self.ended: set[str] = set()
        self.problems: list[str] = []
        self.exit_codes: dict[str, int] = {}

    def note(self, event: Event) -> None:
        if event.kind == "heard":
            self.heard[event.who].append(event.text)
        elif event.kind == "delivered":
            self.confirmed[event.who].append(event.text)
            self.delays.append(event.milliseconds)
        elif event.kind == "ended":
            self.ended.add(event.who)
        elif event.kind == "failed":
            self.problems.append(f"{event.who}: {event.text}")

    def tell(self, console: Console) -> int:
        """Prints the verdict; returns the exit code."""
        problems = list(self.problems)
        for name, lines in self.talk.items():
            other = OTHER[name]
            if self.heard[other] != lines:
                problems.append(f"{other} heard {self.heard[other]} and not what {name} said: {lines}")
            if sorted(self.confirmed[name]) != sorted(lines):
                problems.append(f"{name} got delivery reports for {self.confirmed[name]} only")
            if name not in self.ended:
                problems.append(f"{name} was not told that the session ended")
        problems += [f"{name} exited with {code}" for name, code in self.exit_codes.items() if code != 0]
        for problem in problems:
            console.print(f"✗ {problem}", style="bold red", highlight=False)
        if problems:
            return 1
        count = sum(len(lines) for lines in self.talk.values())
        console.print(
            f"✓ {count} messages arrived, once, in order; {len(self.delays)} delivery reports, "
            f"median {median(self.delays):.1f} ms",
            style="bold green",
            highlight=False,
        )
        return 0
