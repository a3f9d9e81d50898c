"""For tests: the command as a process of its own, which tells in JSON what happens, or on a terminal of its own."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

__all__ = ["TIMEOUT", "CommandProcess", "CommandTerminal"]

TIMEOUT = 40.0
"""Seconds for whatever is waited for: a busy machine takes its time."""

_SCRIPT = (
    "import signal, sys; from sipsimple.cli.main import main; "
    "signal.signal(signal.SIGINT, signal.default_int_handler); "  # a process in the background ignores it
    "sys.exit(main())"
)


# It is the terminal of its session, so that Ctrl-C there interrupts all processes of its group.
_TERMINAL_SCRIPT = f"import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); {_SCRIPT}"


def _command(script: str, folder: Path, arguments: tuple[str, ...]) -> list[str]:
    return [sys.executable, "-c", script, "--config", str(folder), *arguments]


class CommandProcess:
    """A command that is given `--json`, and what it tells, in the order in which it came.

    :param folder: that of its configuration
    :param piped: whether `say` gives it input; otherwise it has none
    :param environment: variables beside those of this process
    :ivar events: the JSON objects that it has printed
    :ivar errors: what it wrote to its standard error, once it has ended
    """

    def __init__(
        self, folder: Path, *arguments: str, piped: bool = False, environment: dict[str, str] | None = None
    ) -> None:
        self.events: list[dict[str, Any]] = []
        self.errors = ""
        self._more = threading.Condition()
        self.process = subprocess.Popen(
            _command(_SCRIPT, folder, (*arguments, "--json")),
            stdin=subprocess.PIPE if piped else subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            text=True, env={**os.environ, **(environment or {})},
        )  # fmt: skip
        self._readers = [threading.Thread(target=read, daemon=True) for read in (self._read, self._read_errors)]
        for reader in self._readers:
            reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            with self._more:
                self.events.append(json.loads(line))
                self._more.notify_all()

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        self.errors = self.process.stderr.read()

    def say(self, *lines: str) -> None:
        """Write lines to its input."""
        assert self.process.stdin is not None
        self.process.stdin.write("".join(f"{line}\n" for line in lines))
        self.process.stdin.flush()

    def close_input(self) -> None:
        """End its input."""
        assert self.process.stdin is not None
        self.process.stdin.close()

    def find(self, event: str, **fields: Any) -> list[dict[str, Any]]:
        """What it has told of that event, with these fields."""
        return [told for told in self.events if told["event"] == event and fields.items() <= told.items()]

    def wait_for(self, event: str, count: int = 1, **fields: Any) -> dict[str, Any]:
        """The event with these fields, when it has come so often."""
        with self._more:
            came = self._more.wait_for(lambda: len(self.find(event, **fields)) >= count, TIMEOUT)
        assert came, (event, fields, self.events, self.errors)
        return self.find(event, **fields)[count - 1]

    def interrupt(self, number: int = signal.SIGINT) -> None:
        """Send it a signal, that of Ctrl-C."""
        self.process.send_signal(number)

    def end(self) -> int:
        """Wait for its end; returns its exit code."""
        code = self.process.wait(TIMEOUT)
        for reader in self._readers:
            reader.join(TIMEOUT)
        assert "Traceback" not in self.errors, self.errors
        return code

    def kill(self) -> None:
        """The end, in whatever state it is."""
        self.process.kill()
        self.process.wait(TIMEOUT)


class CommandTerminal:
    """A command on a terminal.

    :ivar shown: all that it has written, with the escape sequences
    """

    def __init__(self, folder: Path, *arguments: str, environment: dict[str, str] | None = None) -> None:
        import pty

        self._ours, theirs = pty.openpty()
        self.shown = ""
        self.process = subprocess.Popen(
            _command(_TERMINAL_SCRIPT, folder, arguments),
            stdin=theirs, stdout=theirs, stderr=theirs, start_new_session=True,
            env={**os.environ, "TERM": "xterm", "COLUMNS": "120", "LINES": "40", **(environment or {})},
        )  # fmt: skip
        os.close(theirs)

    def press(self, keys: str) -> None:
        """Type that."""
        os.write(self._ours, keys.encode())

    def wait_for(self, text: str) -> None:
        """Until it has shown that."""
        deadline = time.monotonic() + TIMEOUT
        while text not in self.shown:
            assert time.monotonic() < deadline, self.shown
            if not self._read(deadline):
                break
        assert text in self.shown, self.shown

    def _read(self, deadline: float) -> bool:
        ready, _, _ = select.select([self._ours], [], [], max(0.0, deadline - time.monotonic()))
        try:
            data = os.read(self._ours, 65536) if ready else b""
        except OSError:  # the other end is closed
            data = b""
        self.shown += data.decode(errors="replace")
        return bool(data)

    def end(self) -> int:
        """Wait for its end; returns its exit code."""
        deadline = time.monotonic() + TIMEOUT
        while self._read(deadline):
            pass
        code = self.process.wait(TIMEOUT)
        assert "Traceback" not in self.shown, self.shown
        return code

    def kill(self) -> None:
        """The end, in whatever state it is."""
        self.process.kill()
        self.process.wait(TIMEOUT)
        os.close(self._ours)
