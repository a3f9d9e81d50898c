"""Tones that are said, and heard, in the bridge of a stream."""

from __future__ import annotations

from typing import Any

import numpy as np

from sipsimple.audio import ArrayRecorder, CallbackPort
from sipsimple.audio.testing import tone_heard
from sipsimple.audio.tones import tone

from .hearing import CLEAR, until

__all__ = ["BridgeEar", "Mouth"]

RATE = 16000


class Mouth:
    """Says a tone, with pauses, for as long as this object is there."""

    def __init__(self, stream: Any, frequency: float) -> None:
        self._audio = np.concatenate([tone(frequency, 0.4, RATE), np.zeros(RATE // 10, np.int16)])
        self._position = 0
        self._port = CallbackPort(stream.mixer, get_audio=self._next, sample_rate=RATE)
        stream.bridge.add(self._port)

    def _next(self, count: int) -> Any:
        self._position += count
        return np.take(self._audio, range(self._position, self._position + count), mode="wrap")


class BridgeEar:
    """Hears what is said there."""

    def __init__(self, stream: Any) -> None:
        self._recorder = ArrayRecorder(stream.mixer, sample_rate=RATE)
        stream.bridge.add(self._recorder)

    def wait_for(self, frequency: float, least: float = CLEAR) -> None:
        """Until the tone is heard, from now on."""
        begin = len(self._recorder.samples)

        def heard() -> bool:
            return tone_heard(self._recorder.samples[begin:][-4 * RATE :], frequency, RATE) > least

        until(heard, f"{frequency:g} Hz is not heard")
