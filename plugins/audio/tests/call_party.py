"""The commands `sipsimple call` and `sipsimple answer` as processes of their own, for the tests."""

from __future__ import annotations

import json
import os
import pty
import select
import subprocess
import sys
import threading
import time
import wave
from collections.abc import Callable
from pathlib import Path
from typing import Any

from sipsimple.audio import WaveFile, WaveFileError
from sipsimple.audio.testing import tone_heard
from sipsimple.audio.tones import tone

__all__ = ["TIMEOUT", "Party", "heard", "make_tone", "on_a_terminal", "wait_until"]

TIMEOUT = 40.0
RATE = 16000
SCRIPT = (
    "import signal, sys; from sipsimple.cli.main import main; "
    "signal.signal(signal.SIGINT, signal.default_int_handler); "  # a process in the background ignores it
    "sys.exit(main())"
)


def make_tone(path: Path, frequency: float, seconds: float) -> Path:
    """A .wav file with a tone."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(tone(frequency, seconds, RATE).tobytes())
    return path


def heard(path: Path, frequency: float) -> float:
    """How clear a tone is in a recording at best."""
    try:
        with WaveFile(path) as file:
            return tone_heard(file.read(RATE), frequency, RATE)
    except WaveFileError:
        return 0.0  # nothing is written to it yet


def wait_until(condition: Callable[[], object]) -> None:
    """Look again and again, until it is so."""
    deadline = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.1)


class Party:
    """One of the commands, without sound devices, and what it tells, in the order in which it came."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.events: list[dict[str, Any]] = []
        self.errors = ""
        self._more = threading.Condition()
        self.process = subprocess.Popen(
            [sys.executable, "-c", SCRIPT, "--config", str(folder), *arguments, "--null", "--json"],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
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
        with self._more:
            self._more.notify_all()

    def _read_errors(self) -> None:
        assert self.process.stderr is not None
        self.errors = self.process.stderr.read()

    def find(self, event: str, **fields: Any) -> list[dict[str, Any]]:
        return [told for told in self.events if told["event"] == event and fields.items() <= told.items()]

    def wait_for(self, event: str, count: int = 1, **fields: Any) -> dict[str, Any]:
        """What it told of that, so often."""
        with self._more:
            came = self._more.wait_for(lambda: len(self.find(event, **fields)) >= count, TIMEOUT)
        assert came, (event, fields, self.events, self.errors)
        return self.find(event, **fields)[count - 1]

    @property
    def address(self) -> str:
        """Where an answering one can be called."""
        return str(self.wait_for("listening")["address"])

    def end(self) -> int:
        """Wait for its end; returns its exit code."""
        code = self.process.wait(TIMEOUT)
        for reader in self._readers:
            reader.join(TIMEOUT)
        assert "Traceback" not in self.errors, self.errors
        return code

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(TIMEOUT)


def on_a_terminal(folder: Path, *arguments: str) -> Terminal:
    """One of the commands on a terminal of its own."""
    # As the controlling terminal, so that Ctrl-C is a signal to all processes of its group
    script = f"import fcntl, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); {SCRIPT}"
    return Terminal([sys.executable, "-c", script, "--config", str(folder), *arguments])


class Terminal:
    def __init__(self, command: list[str]) -> None:
        self._ours, theirs = pty.openpty()
        environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120", "LINES": "40"}
        self.process = subprocess.Popen(
            command, stdin=theirs, stdout=theirs, stderr=theirs, env=environment, start_new_session=True
        )
        os.close(theirs)
        self.shown = ""

    def press(self, keys: str) -> None:
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
        deadline = time.monotonic() + TIMEOUT
        while self._read(deadline):
            pass
        code = self.process.wait(TIMEOUT)
        assert "Traceback" not in self.shown, self.shown
        return code

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(TIMEOUT)
        os.close(self._ours)
