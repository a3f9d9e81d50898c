"""Tones that are said in calls, and heard. Who listens waits until a tone is there: a busy machine leaves gaps in it."""

from __future__ import annotations

import time
from typing import Any

import numpy as np

from sipsimple.audio import ArrayRecorder, CallbackPort
from sipsimple.audio.tones import tone, tone_strength

TIMEOUT = 30
RATE = 16000
WINDOW = RATE // 5
LEAST = 0.8


class Mouth:
    """Says a tone in the bridge of a stream, for as long as this object is there."""

    def __init__(self, stream: Any, frequency: float) -> None:
        self._audio = tone(frequency, 1.0, RATE)
        self._position = 0
        self._port = CallbackPort(stream.mixer, get_audio=self._next, sample_rate=RATE)
        stream.bridge.add(self._port)

    def _next(self, count: int) -> Any:
        self._position += count
        return np.take(self._audio, range(self._position, self._position + count), mode="wrap")


class Ear:
    """Hears what is said in the bridge of a stream."""

    def __init__(self, stream: Any) -> None:
        self._recorder = ArrayRecorder(stream.mixer, sample_rate=RATE)
        stream.bridge.add(self._recorder)

    def hear(self, frequency: float, least: float = LEAST) -> None:
        """Wait until a fifth of a second of the tone is heard, from now on."""
        begin, end, best = len(self._recorder.samples), time.monotonic() + TIMEOUT, 0.0
        while best < least:
            assert time.monotonic() < end, f"{frequency:g} Hz was heard with a strength of {best:.2f} at best"
            samples = self._recorder.samples
            while len(samples) - begin >= WINDOW:
                best = max(best, tone_strength(samples[begin : begin + WINDOW], frequency, RATE))
                begin += WINDOW // 4
            time.sleep(0.02)  # until there is more of it
