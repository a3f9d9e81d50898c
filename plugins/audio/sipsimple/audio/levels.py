"""How loud it is: level meters, and whether somebody speaks."""

from __future__ import annotations

import math
import weakref
from typing import TYPE_CHECKING

import numpy as np

from sipsimple.audio.frames import FRAMES_A_SECOND, Samples
from sipsimple.audio.port import AudioPort

if TYPE_CHECKING:
    from sipsimple.audio.mixer import AudioMixer

__all__ = ["SILENCE", "LevelMeter", "SpeechDetector", "level"]

SILENCE = -96.0  # dB: below what 16 bits can say


def level(samples: Samples) -> float:
    """The level (root mean square) in dB relative to full scale: 0 is as loud as can be, SILENCE is nothing."""
    if not len(samples):
        return SILENCE
    power = float(np.mean(np.square(samples, dtype=np.float32)))
    return max(SILENCE, 10 * math.log10(power / 32768**2)) if power else SILENCE


class LevelMeter(AudioPort):
    """A port that measures what it hears, for display.

    :param mixer: the AudioMixer that it is connected to

    `level` is the level in dB (see `level`), which rises at once and falls by 40 dB a second, as meters do.
    """

    def __init__(self, mixer: AudioMixer) -> None:
        super().__init__(mixer)
        self._meter = _Meter(mixer.sample_rate)
        self._consumer_slot = slot = mixer.add_slot(sink=self._meter)
        weakref.finalize(self, mixer.drop_slot, slot).atexit = False

    @property
    def level(self) -> float:
        return self._meter.level


class _Meter:
    FALL = 40 / FRAMES_A_SECOND

    def __init__(self, sample_rate: int) -> None:
        self.sample_rate = sample_rate
        self.level = SILENCE

    def consume(self, samples: Samples) -> None:
        self.level = max(level(samples), self.level - self.FALL, SILENCE)


class SpeechDetector:
    """Tells speech from the noise of a line by its energy.

    It follows the noise: down at once, up slowly. Speech begins when the level is `margin` dB above it for 60 ms, and
    ends after `pause` seconds below.

    :param margin: dB above the noise
    :param floor: dB below which nothing is speech
    :param pause: seconds
    """

    def __init__(self, margin: float = 12.0, floor: float = -50.0, pause: float = 0.6) -> None:
        self.is_speech = False
        self._margin = margin
        self._floor = floor
        self._noise = floor - margin
        self._loud = self._quiet = 0
        self._pause = max(1, round(pause * FRAMES_A_SECOND))

    def hear(self, frame: Samples) -> bool:
        """Take a frame of 20 ms. Returns whether it is part of speech."""
        now = level(frame)
        # At most 3 dB a second up, so that a long sentence is not taken for noise
        self._noise = min(now, self._noise + 3 / FRAMES_A_SECOND)
        loud = now > max(self._floor, self._noise + self._margin)
        self._loud, self._quiet = (self._loud + 1, 0) if loud else (0, self._quiet + 1)
        if self._loud >= 3:
            self.is_speech = True
        elif self._quiet >= self._pause:
            self.is_speech = False
        return self.is_speech
