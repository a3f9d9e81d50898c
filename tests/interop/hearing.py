"""What a party of a call hears: its recordings, read while they grow."""

from __future__ import annotations

import struct
import time
import wave
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np

from sipsimple.audio.testing import tone_heard
from sipsimple.audio.tones import tone

__all__ = ["LOUDNESS", "NOTHING", "Ear", "until", "write_beeps"]

TIMEOUT = 30.0
CLEAR = 0.6  # of the energy of the best moment; codecs leave at least 0.95
NOTHING = 0.05
LOUDNESS = 0.3 * 32768  # the peak of what `write_beeps` says


def until(condition: Callable[[], object], failure: str, timeout: float = TIMEOUT) -> None:
    """Wait for what nobody tells us of: a file that grows, a counter of another process."""
    end = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < end, failure
        time.sleep(0.02)


def write_beeps(path: Path, frequency: float, on: float, off: float, rate: int) -> None:
    """A minute of a tone with pauses.

    After a packet that was lost, the decoder of GSM needs seconds to follow a tone that never changes; the pauses also
    let each party of a call be heard alone in a recording of both.
    """
    beep = np.concatenate([tone(frequency, on, rate), np.zeros(round(off * rate), np.int16)])
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(np.tile(beep, round(60 / (on + off))).tobytes())


class Ear:
    """Hears what is recorded to the files that `recordings` lists; there can be more of them each time.

    `rate` is that of files whose header is written last.
    """

    def __init__(self, recordings: Callable[[], Iterable[Path]], rate: int = 8000) -> None:
        self._recordings = recordings
        self._rate = rate
        self._forgotten: dict[Path, int] = {}

    def forget(self) -> None:
        """What was heard so far counts no more."""
        self._forgotten = {path: len(_read(path, self._rate)[0]) for path in self._recordings()}

    def hears(self, frequency: float) -> float:
        """How clear a tone was at best, from 0 to 1, since `forget`."""
        strengths = [0.0]
        for path in self._recordings():
            samples, rate = _read(path, self._rate)
            strengths.append(tone_heard(samples[self._forgotten.get(path, 0) :], frequency, rate))
        return max(strengths)

    @property
    def peak(self) -> int:
        """The loudest sample that was heard since `forget`; but for clicks."""
        heard = [
            np.abs(_read(path, self._rate)[0][self._forgotten.get(path, 0) :].astype(np.int32))
            for path in self._recordings()
        ]
        return round(np.percentile(np.concatenate(heard), 99))

    def wait_for(self, frequency: float) -> None:
        """Until the tone has been heard clearly."""
        best = 0.0

        def heard() -> bool:
            nonlocal best
            best = self.hears(frequency)
            return best > CLEAR

        until(heard, f"{frequency} Hz is not heard")

    def wait_for_silence(self, *frequencies: float, seconds: float = 1.2) -> None:
        """Until none of the tones was heard for so long."""
        end = time.monotonic() + TIMEOUT
        while True:
            self.forget()
            time.sleep(seconds)  # listening: there is nothing to wait for
            if all(self.hears(frequency) < NOTHING for frequency in frequencies):
                return
            assert time.monotonic() < end, f"{frequencies} Hz do not cease"


def _read(path: Path, rate: int) -> tuple[np.ndarray[Any, Any], int]:
    """The first channel of a .wav file of 16 bits, and its rate; its header may not know yet how long it is."""
    data = path.read_bytes()
    if not data.startswith(b"RIFF"):
        return np.frombuffer(data[44 : len(data) // 2 * 2], np.int16), rate
    channels, position = 1, 12
    while position + 8 <= len(data):
        name, size = struct.unpack_from("<4sI", data, position)
        position += 8
        if name == b"fmt ":
            channels, rate = struct.unpack_from("<2xHI", data, position)
        elif name == b"data":
            octets = (len(data) - position) // (2 * channels) * 2 * channels
            return np.frombuffer(data, np.int16, octets // 2, position)[::channels], rate
        position += size
    return np.zeros(0, np.int16), rate
