"""What a user types, line by line, or what is piped in: events for a command that shows other things meanwhile.

with reading_lines(party.running.events.put, status=lambda: "bob is typing") as lines:
    match party.next_event(1):
        case Line(text): ...
        case InputEnded(): ...

At a terminal the line that is being typed stays at the bottom, with the status above it; what is printed meanwhile
appears above. Ctrl-C there interrupts the main thread, as elsewhere.
"""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Protocol

__all__ = ["InputEnded", "Line", "Lines", "Typed", "reading_lines"]

MAX_LINE = 1024 * 1024
"""Octets of a line that is piped in; a longer one comes in pieces."""
MAX_AHEAD = 100
"""Lines that are read before the command has `done` with the first."""
STOP_TIMEOUT = 5.0


@dataclass(frozen=True, slots=True)
class Line:
    """A line has come, without its end. The command says `lines.done()` when it needs no more room for it."""

    text: str


@dataclass(frozen=True, slots=True)
class Typed:
    """What has been typed of the next line has changed; at a terminal only."""

    text: str


@dataclass(frozen=True, slots=True)
class InputEnded:
    """No more lines will come: Ctrl-D, or the end of what is piped in."""


Event = Line | Typed | InputEnded
Put = Callable[[Event], object]


class Lines(Protocol):
    """:ivar is_terminal: somebody types"""

    is_terminal: bool

    def done(self) -> None:
        """The command is done with a line; so many are read ahead at the most."""

    def refresh(self) -> None:
        """The status has changed."""


class _Pipe:
    is_terminal = False

    def __init__(self, put: Put) -> None:
        self._put = put
        self._room = threading.Semaphore(MAX_AHEAD)

    def start(self) -> None:
        try:
            number = sys.stdin.fileno()
        except (AttributeError, OSError, ValueError):  # there is no standard input
            self._put(InputEnded())
            return
        # Not by sys.stdin, which the end of the interpreter waits for.
        threading.Thread(target=self._read, args=(number,), name="input", daemon=True).start()

    def _read(self, number: int) -> None:
        rest = b""
        while True:
            try:
                data = os.read(number, 65536)
            except OSError:
                data = b""
            rest += data
            *whole, rest = rest.split(b"\n")
            while len(rest) > MAX_LINE:
                whole.append(rest[:MAX_LINE])
                rest = rest[MAX_LINE:]
            if not data and rest:
                whole.append(rest)
            for line in whole:
                self._room.acquire()
                self._put(Line(line.decode("utf-8", "replace").removesuffix("\r")))
            if not data:
                self._put(InputEnded())
                return

    def done(self) -> None:
        self._room.release()

    def refresh(self) -> None:
        pass

    def stop(self) -> None:
        pass


class _Terminal:
    is_terminal = True

    def __init__(self, put: Put, status: Callable[[], str]) -> None:
        from prompt_toolkit import PromptSession
        from prompt_toolkit.formatted_text import FormattedText
        from prompt_toolkit.key_binding import KeyBindings
        from prompt_toolkit.output import create_output
        from prompt_toolkit.patch_stdout import patch_stdout

        self._put = put
        self._patch = patch_stdout(raw=True)
        keys = KeyBindings()
        keys.add("c-c")(self._interrupt)
        output = create_output()
        output.enable_cpr = False  # type: ignore[attr-defined]  # nothing here depends on where the cursor is

        def prompt() -> FormattedText:
            text = status()
            return FormattedText([("reverse", f" {text} "), ("", "\n> ")] if text else [("", "> ")])

        session: PromptSession[str] = PromptSession(prompt, output=output, erase_when_done=True, key_bindings=keys)
        session.default_buffer.accept_handler = self._accept
        session.default_buffer.on_text_changed += self._changed
        self._app = session.app
        self._is_running = threading.Event()
        self._thread = threading.Thread(target=self._run, name="input", daemon=True)

    def start(self) -> None:
        self._patch.__enter__()
        self._thread.start()

    def _run(self) -> None:
        try:
            self._app.run(pre_run=self._is_running.set, handle_sigint=False)
        except EOFError:
            pass
        finally:
            self._is_running.set()
            self._put(InputEnded())

    def _accept(self, buffer: Any) -> bool:
        self._put(Line(buffer.text))
        buffer.append_to_history()
        return False  # the line is emptied, and the next one is typed

    def _changed(self, buffer: Any) -> None:
        self._put(Typed(buffer.text))

    def _interrupt(self, event: Any) -> None:
        main = threading.main_thread().ident
        if main is not None and hasattr(signal, "pthread_kill"):
            signal.pthread_kill(main, signal.SIGINT)
        else:
            _thread.interrupt_main()

    def done(self) -> None:
        pass

    def refresh(self) -> None:
        self._app.invalidate()

    def stop(self) -> None:
        self._is_running.wait(STOP_TIMEOUT)
        loop = self._app.loop
        if loop is not None and self._app.is_running:
            loop.call_soon_threadsafe(self._exit)
        self._thread.join(STOP_TIMEOUT)
        self._patch.__exit__(None, None, None)

    def _exit(self) -> None:
        if self._app.is_running:
            self._app.exit()


@contextmanager
def reading_lines(put: Put, status: Callable[[], str] = str, *, plain: bool = False) -> Iterator[Lines]:
    """Inside, what is typed or piped in is handed to `put`, in another thread.

    :param status: what is shown above the line that is being typed
    :param plain: read lines also at a terminal, without a prompt
    """
    at_terminal = not plain and sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty()
    lines: _Terminal | _Pipe = _Terminal(put, status) if at_terminal else _Pipe(put)
    lines.start()
    try:
        yield lines
    finally:
        lines.stop()
