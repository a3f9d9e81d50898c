"""Draws what two user agents do as a ladder (a message sequence chart); as plain lines where there is no terminal."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from rich.cells import cell_len, set_cell_size
from rich.console import Console
from rich.text import Text

#: Cells between the two lifelines, and to the left of the first.
WIDTH = 70
MARGIN = 4
BAR_WIDTH = 20

STYLES = {"sip": "cyan", "say": "bold", "delivered": "green", "state": "yellow", "failed": "bold red"}
STYLES |= {"play": "bold magenta", "level": "magenta", "recorded": "yellow"}


@dataclass(frozen=True, slots=True)
class Event:
    """Something that an agent reports.

    `kind`: `ready` (text: its address), `sip` (a SIP message was sent), `state` (of the session), `say` and `heard`
    (a chat line), `delivered` (a chat line's report came, after `amount` milliseconds), `play`, `level` (`amount` dB of
    what is heard; text: the note), `recorded` (text: the file), `no audio` (text: why), `ended`, `failed`.
    """

    who: str
    kind: str
    text: str
    time: float
    amount: float = 0.0


class Ladder(Protocol):
    def begin(self) -> None: ...

    def show(self, event: Event) -> None: ...

    def end(self) -> None: ...


def make_console(picture: bool = False) -> Console:
    """The console of this process; with `picture`, one of 80 columns that records what it shows."""
    if picture:
        return Console(record=True, force_terminal=True, width=80, soft_wrap=True)
    return Console(soft_wrap=True)


def make_ladder(console: Console) -> Ladder:
    return TerminalLadder(console) if console.is_terminal else PlainLadder(console)


def save_picture(console: Console, path: str) -> None:
    """Writes what the console recorded as SVG, in the reader's own monospace font."""
    svg = console.export_svg(title="make demo")
    Path(path).write_text(re.sub(r"@font-face \{.*?\}\s*|<!--.*?-->", "", svg, flags=re.DOTALL), encoding="utf-8")


class PlainLadder:
    """One line an event."""

    WORDS = {
        "ready": "{who} listens on {text}",
        "sip": "{who} sends {text}",
        "state": "{who} session is {text}",
        "say": "{who} says: {text}",
        "delivered": "{who} has the report for: {text} ({amount:.1f} ms)",
        "ended": "{who} session ended: {text}",
        "failed": "{who} FAILED: {text}",
        "play": "{who} {text}",
        "level": "{who} hears {bar} {amount:3.0f} dB {text}",
        "recorded": "{who} has recorded it",
    }

    def __init__(self, console: Console) -> None:
        self._console = console

    def begin(self) -> None: ...

    def show(self, event: Event) -> None:
        words = self.WORDS.get(event.kind)
        if words is not None:
            line = words.format(who=f"{event.who:<6}", text=event.text, amount=event.amount, bar=bar(event.amount))
            self._console.print(line, markup=False, highlight=False)

    def end(self) -> None: ...


class TerminalLadder:
    """Two lifelines, alice's to the left and bob's to the right, with arrows between them."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def begin(self) -> None:
        gap = WIDTH + 2 - len("alice") // 2 - len("bob") // 2 - 2
        self._print(Text(f"{'':{MARGIN - 2}}alice{'':{gap}}bob", style="bold"))

    def show(self, event: Event) -> None:
        left = event.who == "alice"
        style = STYLES.get(event.kind, "")
        match event.kind:
            case "sip":
                self._line(_arrow(event.text, to_right=left), style)
            case "say":
                self._line(_beside(f" {event.text} ", left, "━"), style, heads=True, left=left)
            case "delivered":
                self._line(_beside(f"   ✓ delivered, {event.amount:.1f} ms: {event.text} ", left), style)
            case "play":
                self._line(_beside(f" ♪ {event.text} ", left, "━"), style, heads=True, left=left)
            case "level":
                self._line(_beside(f" {event.text:>2} {bar(event.amount)} {event.amount:3.0f} dB ", left), style)
            case "recorded":
                self._line(_beside(" ● recorded it ", left), style)
            case "ready" | "state" | "ended" | "failed":
                mark = "●" if event.kind in ("state", "ended") else " "
                self._line(_beside(f" {mark} {event.text} ", left), style or "dim")

    def end(self) -> None:
        self._print(Text(f"{'':{MARGIN}}┴{'':{WIDTH}}┴", style="dim"))

    def _line(self, middle: str, style: str, heads: bool = False, left: bool = True) -> None:
        line = Text(" " * MARGIN)
        line.append("│", "dim")
        if heads:
            middle = middle[:-1] + "▶" if left else "◀" + middle[1:]
        line.append(middle, style)
        line.append("│", "dim")
        self._print(line)

    def _print(self, line: Text) -> None:
        self._console.print(line, no_wrap=True, overflow="crop")


def bar(level: float) -> str:
    """A level from -60 to 0 dB as a bar."""
    lit = round(BAR_WIDTH * min(1.0, max(0.0, 1 + level / 60)))
    return "█" * lit + "░" * (BAR_WIDTH - lit)


def _beside(text: str, left: bool, fill: str = " ") -> str:
    """The text at its speaker's lifeline, the rest of the line filled."""
    room = WIDTH - 3
    if cell_len(text) > room:
        text = set_cell_size(text.rstrip(), room - 2) + "… "
    filling = fill * (WIDTH - cell_len(text))
    return text + filling if left else filling + text


def _arrow(text: str, to_right: bool) -> str:
    label = f" {text} "
    if cell_len(label) > WIDTH - 6:
        label = set_cell_size(label, WIDTH - 8) + "… "
    shaft = "─" * (WIDTH - cell_len(label) - 3)
    return f"──{label}{shaft}▶" if to_right else f"◀{shaft}{label}──"
