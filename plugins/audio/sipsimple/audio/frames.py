"""Frames of audio: 20 ms of 16-bit PCM in one channel, and what gives and takes them."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = ["FRAMES_A_SECOND", "FRAME_DURATION", "MAX_SAMPLE_RATE", "MIN_SAMPLE_RATE", "AudioSink", "AudioSource"]
__all__ += ["Floats", "Samples", "as_samples", "check_sample_rate", "saturate"]

FRAMES_A_SECOND = 50
FRAME_DURATION = 1 / FRAMES_A_SECOND  # seconds

MIN_SAMPLE_RATE, MAX_SAMPLE_RATE = 4000, 192_000  # Hz

Samples = NDArray[np.int16]
Floats = NDArray[np.float32]  # of the range of 16-bit samples, with room above


class AudioSource(Protocol):
    """What a slot of a mixer takes audio from, once each 20 ms, in the thread of the clock: it must not block."""

    @property
    def sample_rate(self) -> int:
        """In Hz; the mixer converts."""

    def produce(self, count: int) -> Samples | None:
        """The next `count` samples; None is silence."""


class AudioSink(Protocol):
    """What a slot of a mixer gives audio to, once each 20 ms, in the thread of the clock: it must not block."""

    @property
    def sample_rate(self) -> int:
        """In Hz; the mixer converts."""

    def consume(self, samples: Samples) -> None:
        """Take samples, which nobody will change. Called while something is connected to the slot."""


def check_sample_rate(rate: int) -> int:
    """The rate; ValueError unless it is one that audio has."""
    if not MIN_SAMPLE_RATE <= rate <= MAX_SAMPLE_RATE:
        raise ValueError(f"a sample rate of {rate} Hz: expected {MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE}")
    return int(rate)


def saturate(audio: Floats) -> Samples:
    """As 16-bit samples: rounded, and clipped where it is too loud, which distorts less than to wrap around."""
    return np.clip(np.rint(audio), -32768, 32767).astype(np.int16)


def as_samples(audio: Any) -> Samples:
    """PCM as samples: octets (16 bits, native order), or a numpy array in one dimension, of 16-bit integers or of
    floats from -1 to 1. Raises ValueError or TypeError for anything else.
    """
    if isinstance(audio, bytes | bytearray | memoryview):
        if len(bytes(audio)) % 2:
            raise ValueError(f"{len(bytes(audio))} octets are no whole number of 16-bit samples")
        return np.frombuffer(bytes(audio), np.int16)
    if not isinstance(audio, np.ndarray):
        raise TypeError(f"expected bytes or a numpy array, got {type(audio).__name__}")
    if audio.ndim != 1:
        raise ValueError(f"expected one channel, an array of one dimension, got the shape {audio.shape}")
    if audio.dtype == np.int16:
        return audio.copy()
    if np.issubdtype(audio.dtype, np.floating):
        return saturate(np.nan_to_num(audio.astype(np.float32)) * 32768)
    raise TypeError(f"expected int16 or float samples, got {audio.dtype}")
