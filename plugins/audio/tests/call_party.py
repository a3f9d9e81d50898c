"""The commands `sipsimple call` and `sipsimple answer` as processes of their own, for the tests."""

from __future__ import annotations

import time
import wave
from collections.abc import Callable
from pathlib import Path

from sipsimple.audio import WaveFile, WaveFileError
from sipsimple.audio.testing import tone_heard
from sipsimple.audio.tones import tone
from sipsimple.cli.testing import TIMEOUT, CommandProcess

__all__ = ["Party", "heard", "make_tone", "wait_until"]

RATE = 16000


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


class Party(CommandProcess):
    """One of the commands; without sound devices, unless they are in the environment that it is given."""

    def __init__(self, folder: Path, *arguments: str, environment: dict[str, str] | None = None) -> None:
        super().__init__(folder, *arguments, *(() if environment else ("--null",)), environment=environment)

    @property
    def address(self) -> str:
        """Where an answering one can be called."""
        return str(self.wait_for("listening")["address"])
