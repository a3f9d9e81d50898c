"""Tones: made, for signals and melodies, and found in what was heard."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from sipsimple.audio.frames import Samples, saturate

__all__ = ["tone", "tone_strength"]

FADE = 0.005  # seconds at both ends, against clicks


def tone(frequencies: float | Sequence[float], duration: float, sample_rate: int, volume: int = 30) -> Samples:
    """A tone, or several at once.

    :param frequencies: in Hz
    :param duration: in seconds
    :param sample_rate: in Hz
    :param volume: of the peak, in percent of what 16 bits can hold
    """
    chosen = np.atleast_1d(np.asarray(frequencies, np.float64))
    times = np.arange(round(duration * sample_rate)) / sample_rate
    waves = np.sin(2 * np.pi * chosen[:, np.newaxis] * times).sum(axis=0) / max(1, len(chosen))
    fade = np.clip(np.minimum(times, duration - times) / FADE, 0, 1)
    return saturate((waves * fade * volume / 100 * 32767).astype(np.float32))


def tone_strength(samples: Samples, frequency: float, sample_rate: int) -> float:
    """Which part of the energy of `samples` is a tone of that frequency: from 0 to 1.

    That is the energy at the frequency (Goertzel) by all of it.
    """
    audio = samples.astype(np.float64)
    energy = float(np.sum(audio**2))
    if not energy:
        return 0.0
    phase = np.exp(-2j * np.pi * frequency / sample_rate * np.arange(len(audio)))
    return float(min(1.0, 2 * abs(np.dot(audio, phase)) ** 2 / (len(audio) * energy)))
