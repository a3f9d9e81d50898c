"""Whether the demo did what it promises: every message arrived, once, in order, and was confirmed; and bob recorded
the melody that alice played, where there can be a call."""

from __future__ import annotations

from pathlib import Path
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
        self.no_audio = ""
        self.media = ""
        self.levels: list[float] = []
        self.notes: list[str] | None = None  # in the recording

    def note(self, event: Event) -> None:
        if event.kind == "heard":
            self.heard[event.who].append(event.text)
        elif event.kind == "delivered":
            self.confirmed[event.who].append(event.text)
            self.delays.append(event.amount)
        elif event.kind == "no audio":
            self.no_audio = event.text
        elif event.kind == "state" and event.text.startswith("audio: "):
            self.media = event.text.removeprefix("audio: ")
        elif event.kind == "level":
            self.levels.append(event.amount)
        elif event.kind == "recorded":
            self._look_into(Path(event.text))
        elif event.kind == "ended":
            self.ended.add(event.who)
        elif event.kind == "failed":
            self.problems.append(f"{event.who}: {event.text}")

    def _look_into(self, recording: Path) -> None:
        from melody import recognise

        from sipsimple.audio import WaveFileError

        try:
            self.notes = recognise(recording)
        except WaveFileError as error:
            self.problems.append(f"bob's recording: {error}")

    def _problems_of_the_call(self) -> list[str]:
        if self.no_audio:
            return []
        from melody import MELODY

        if self.notes is None:
            return ["there is no recording"]
        following = iter(self.notes)
        if not all(note in following for note in MELODY):  # one after the other: what is between is no matter
            return [f"bob recorded {' '.join(self.notes) or 'nothing'}, and not the melody {' '.join(MELODY)}"]
        return [] if self.levels else ["bob saw no levels"]

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
        problems += self._problems_of_the_call()
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
        if self.no_audio:
            console.print(f"– no call with audio: {self.no_audio}", style="yellow", highlight=False)
        else:
            notes = " ".join(self.notes or ())
            text = f"✓ bob recorded alice's melody: {notes}; {self.media}"
            console.print(text, style="bold green", highlight=False)
        return 0
