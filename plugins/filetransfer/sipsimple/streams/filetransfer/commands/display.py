"""How the commands show transfers: bars on a terminal, otherwise lines; or JSON, a line an event."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Self

from sipsimple.streams.filetransfer.names import safe_name

if TYPE_CHECKING:
    from types import TracebackType

    from rich.progress import Progress

    from sipsimple.cli import CommandLine

__all__ = ["Display", "Row", "readable_size"]

MAX_NAME = 40
"""Characters of a name in front of a bar."""


def readable_size(octets: int | None) -> str:
    """'1.2 MB', as rich's columns have it."""
    from rich.filesize import decimal

    return "of unknown size" if octets is None else decimal(octets)


class Row:
    """What is shown of one transfer.

    :ivar name: of the file, safe to be shown
    :ivar outcome: None while it is under way, then whether all of it has been transferred
    """

    def __init__(self, display: Display, peer: str, name: str | None, size: int | None) -> None:
        self.name = safe_name(name)
        self.outcome: bool | None = None
        self._display = display
        self._peer = peer
        self._size = size
        self._first = 0  # the octets that were there before
        self._began = 0.0
        self._task: Any = display.add_task(self.name)

    def state(self, state: str, **fields: Any) -> None:
        """Another step: 'hashing', 'calling', 'ringing', ..."""
        if self._display.as_json:
            self._display.tell(state, file=self.name, peer=self._peer, **fields)
        else:
            self._display.show_state(self._task, state)

    def hashed(self, octets: int) -> None:
        """How far it is hashed."""
        self._display.show_progress(self._task, octets, self._size)

    def begin(self, size: int | None, first: int) -> None:
        """The octets from `first` on are about to be transferred."""
        self._size, self._first, self._began = size, first, time.monotonic()
        self._display.restart(self._task, first, size)
        self.state(self._display.verb, size=size, **({"from": first} if first else {}))

    def progress(self, octets: int, size: int | None) -> None:
        """So many octets of the file are there."""
        self._size = size
        self._display.show_progress(self._task, octets, size)

    def finish(self, octets: int, path: str | None = None) -> None:
        """All of it is there, and verified."""
        self.outcome = True
        seconds = max(time.monotonic() - self._began, 1e-6)
        moved = octets - self._first
        self.progress(octets, octets)
        text = f"{readable_size(octets)} in {seconds:.1f} s, {readable_size(round(moved / seconds))}/s"
        if self._first:
            text += f"; {readable_size(self._first)} were there before"
        if path is not None:
            text += f": {path}"
        fields = {"size": octets, "octets": moved, "seconds": round(seconds, 3), **({"path": path} if path else {})}
        self._over(self._display.done, text, fields)

    def fail(self, reason: str) -> None:
        """It came to nothing."""
        self.outcome = False
        self._over("failed", reason, {"reason": reason})

    def _over(self, state: str, text: str, fields: dict[str, Any]) -> None:
        self._display.remove(self._task)
        if self._display.as_json:
            self._display.tell(state, file=self.name, peer=self._peer, **fields)
        else:
            self._display.say(f"{self.name}: {state}, {text}" if self.outcome else f"{self.name}: {state}: {text}")


class Display:
    """A context in which transfers are shown.

    :param verb: what is being done, for people: 'sending'
    :param done: what has been done: 'sent'
    """

    def __init__(self, command_line: CommandLine, verb: str, done: str, as_json: bool) -> None:
        self.as_json = as_json
        self.verb = verb
        self.done = done
        self._command_line = command_line
        self._progress: Progress | None = None

    def __enter__(self) -> Self:
        if not self.as_json and self._command_line.console.is_terminal:
            self._progress = self._bars()
            self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        progress, self._progress = self._progress, None
        if progress is not None:
            progress.stop()

    def _bars(self) -> Progress:
        from rich.progress import (
            BarColumn,
            DownloadColumn,
            Progress,
            TextColumn,
            TimeRemainingColumn,
            TransferSpeedColumn,
        )

        return Progress(
            TextColumn("{task.description}", markup=False),
            BarColumn(),
            TextColumn("{task.fields[state]}", markup=False),
            DownloadColumn(),
            TransferSpeedColumn(),
            TimeRemainingColumn(compact=True),
            console=self._command_line.console,
            transient=True,
        )

    def row(self, peer: str, name: str | None, size: int | None) -> Row:
        """One more transfer, with `peer`."""
        return Row(self, peer, name, size)

    def say(self, text: str) -> None:
        """A line for people."""
        if not self.as_json:
            self._command_line.print(text)

    def tell(self, state: str, **fields: Any) -> None:
        """A line for programs."""
        if self.as_json:
            when = datetime.now(UTC).isoformat(timespec="milliseconds")
            self._command_line.print_json({"time": when, "state": state, **fields})

    def ask(self, question: str) -> bool:
        """Ask who sits at the terminal; the bars are away meanwhile."""
        import click

        if self._progress is not None:
            self._progress.stop()
        try:
            return click.confirm(question)
        finally:
            if self._progress is not None:
                self._progress.start()

    # For rows

    def add_task(self, name: str) -> Any:
        if self._progress is None:
            return None
        shown = name if len(name) <= MAX_NAME else f"{name[: MAX_NAME - 1]}…"
        return self._progress.add_task(shown, total=None, state="")

    def show_state(self, task: Any, state: str) -> None:
        if self._progress is not None:
            self._progress.update(task, state=state)

    def restart(self, task: Any, completed: int, total: int | None) -> None:
        if self._progress is not None:
            self._progress.reset(task, total=total, completed=completed)

    def show_progress(self, task: Any, completed: int, total: int | None) -> None:
        if self._progress is not None:
            self._progress.update(task, completed=completed, total=total)

    def remove(self, task: Any) -> None:
        if self._progress is not None:
            self._progress.remove_task(task)
