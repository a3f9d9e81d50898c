"""Tells what happens: people in lines, above what `screen` shows, programs in JSON."""

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sipsimple.audio.commands.screen import View, picture, printable
from sipsimple.cli import CommandLine

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

__all__ = ["Report"]


class Report:
    """:param as_json: for programs: {"time", "event", ...}, one a line"""

    def __init__(self, command_line: CommandLine, as_json: bool) -> None:
        self._command_line = command_line
        self._as_json = as_json
        self._live: Any = None

    @property
    def is_live(self) -> bool:
        """Whether views are shown."""
        return self._live is not None

    def shown(self) -> AbstractContextManager[Any]:
        """A context in which views are on the terminal, if there is one."""
        console = None if self._as_json else self._command_line.console
        if console is None or not console.is_terminal:
            return nullcontext()
        from rich.live import Live

        live = self._live = Live(console=console, auto_refresh=False, transient=True)
        return live

    def show(self, view: View) -> None:
        """Show how things are."""
        if self._live is not None:
            self._live.update(picture(view), refresh=True)

    def problem(self, text: str) -> None:
        """Tell what can't be done."""
        self.tell("problem", text, text=text)

    def tell(self, event: str, text: str, when: datetime | None = None, /, **fields: Any) -> None:
        """Tell what happened: `text` for people, `event` and `fields` for programs."""
        when = when or datetime.now(UTC)
        if self._as_json:
            time = when.isoformat(timespec="milliseconds")
            self._command_line.print_json({"time": time, "event": event, **fields})
        else:
            self._command_line.print(f"{when.astimezone():%H:%M:%S} {printable(text)}")
