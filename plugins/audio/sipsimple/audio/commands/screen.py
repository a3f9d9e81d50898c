"""What a terminal shows of a call: who, how long, level meters, devices, and what the keys do."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Group
    from rich.text import Text

__all__ = ["View", "meter", "picture", "printable"]

METER_WIDTH = 30
QUIET = -60.0  # dB, where a meter begins
LOUD, TOO_LOUD = -18.0, -6.0


@dataclass(frozen=True, slots=True)
class View:
    """How things are. `since` is on the monotonic clock; levels are in dB, None where there is no call."""

    title: str
    since: float | None = None
    said: float | None = None
    heard: float | None = None
    marks: tuple[str, ...] = ()  # such as: on hold, recording
    muted: bool = False
    media: str = ""
    microphone: str | None = None
    loudspeaker: str | None = None
    menu: tuple[str, ...] = ()
    keys: str = ""


def picture(view: View) -> Group:
    """The view as rich shows it."""
    from rich.console import Group
    from rich.text import Text

    title = Text(printable(view.title), style="bold")
    if view.since is not None:
        title.append(f"  {timedelta(seconds=int(time.monotonic() - view.since))}", style="cyan")
    for mark in view.marks:
        title.append(f"  ● {mark}", style="bold red")
    lines = [title]
    if view.said is not None and view.heard is not None:
        microphone = Text("muted", style="bold red") if view.muted else Text(view.microphone or "no microphone")
        lines += [
            _meter_line("you", view.said, microphone),
            _meter_line("they", view.heard, Text(view.loudspeaker or "no loudspeaker")),
        ]
    if view.media:
        lines.append(Text(view.media, style="dim"))
    lines += [Text(entry) for entry in view.menu]
    if view.keys:
        lines.append(Text(view.keys, style="dim"))
    return Group(*lines)


def printable(text: str) -> str:
    """Text that may come from the other party, without what would do something to a terminal."""
    return "".join(char if char.isprintable() else "�" for char in text)


def _meter_line(name: str, level: float, device: Text) -> Text:
    from rich.text import Text

    return Text.assemble((f"{name:<5}", "bold"), meter(level), f" {level:4.0f} dB  ", device)


def meter(level: float) -> Text:
    """A bar for a level in dB."""
    from rich.text import Text

    def cells(decibels: float) -> int:
        return round(METER_WIDTH * min(1.0, max(0.0, 1 - decibels / QUIET)))

    lit, bar = cells(level), Text()
    for begin, end, style in ((QUIET, LOUD, "green"), (LOUD, TOO_LOUD, "yellow"), (TOO_LOUD, 0.0, "red")):
        bar.append("█" * max(0, min(lit, cells(end)) - cells(begin)), style=style)
    bar.append("░" * (METER_WIDTH - lit), style="dim")
    return bar
