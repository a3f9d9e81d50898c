"""Conversion between sample rates, as one product of matrices.

A low-pass filter (a windowed sinc) is evaluated at each instant of the new rate. The instants repeat their positions
between the old samples with a period of M old and L new samples, L/M being the ratio of the rates, so that each period
is the same linear function of the samples around it: a matrix. The stopband is 80 dB down, the delay half the filter:
3 ms at most when the lower rate is 8 kHz. Lengths are exact: M samples more make L more, which is what a clock of
frames needs (a filter bank that works in large blocks gives nothing for some frames and two frames' worth for others).
"""

from __future__ import annotations

from fractions import Fraction
from functools import lru_cache

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view

from sipsimple.audio.frames import Floats, Samples, check_sample_rate

__all__ = ["Resampler"]

ZERO_CROSSINGS = 24  # of the sinc on each side; more make the filter steeper, and longer
BETA = 7.86  # of the Kaiser window: 80 dB
CUTOFF = 0.94  # of half the lower rate
# Ratios of larger integers are approximated: all usual ones are exact, others within 400 millionths, less than a cent
MAX_PERIOD = 1280


class Resampler:
    """Converts a stream of samples from one rate (in Hz) to another."""

    def __init__(self, source_rate: int, target_rate: int) -> None:
        ratio = _ratio(check_sample_rate(source_rate), check_sample_rate(target_rate))
        self.new_period, self.old_period = ratio.numerator, ratio.denominator
        self._matrix = _filter_matrix(self.new_period, self.old_period)
        self._pending: Floats = np.zeros(len(self._matrix) - self.old_period, np.float32)

    @property
    def delay(self) -> float:
        """Samples of the source's rate by which the output is later than the input."""
        return (len(self._matrix) - self.old_period) / 2

    def push(self, samples: Samples | Floats) -> Floats:
        """Add samples and get what they complete: L samples for each M of all that were added."""
        pending = np.concatenate((self._pending, samples), dtype=np.float32)
        window, step = len(self._matrix), self.old_period
        if len(pending) < window:
            self._pending = pending
            return np.zeros(0, np.float32)
        windows = sliding_window_view(pending, window)[::step]
        self._pending = pending[len(windows) * step :]
        converted: Floats = (np.ascontiguousarray(windows) @ self._matrix).reshape(-1)
        return converted

    def flush(self) -> Floats:
        """What is left in the filter: push the silence that brings it out."""
        return self.push(np.zeros(len(self._matrix) + self.old_period, np.float32))


def _ratio(source_rate: int, target_rate: int) -> Fraction:
    if target_rate <= source_rate:
        return Fraction(target_rate, source_rate).limit_denominator(MAX_PERIOD)
    return 1 / Fraction(source_rate, target_rate).limit_denominator(MAX_PERIOD)


@lru_cache(maxsize=16)
def _filter_matrix(new_period: int, old_period: int) -> Floats:
    """What a window of old samples is multiplied with to get the new ones of a period."""
    stretch = max(1.0, old_period / new_period)  # the sinc is as wide as the lower rate wants
    half = int(np.ceil(ZERO_CROSSINGS * stretch))
    positions = half + np.arange(new_period) * (old_period / new_period)  # of the new samples, in the window
    distance = (np.arange(2 * half + old_period)[:, np.newaxis] - positions) / stretch
    inside = np.clip(1 - (distance / ZERO_CROSSINGS) ** 2, 0, None)
    weights = np.sinc(CUTOFF * distance) * np.i0(BETA * np.sqrt(inside)) * (np.abs(distance) < ZERO_CROSSINGS)
    matrix: Floats = (weights / weights.sum(axis=0)).astype(np.float32)  # silence and a constant stay what they are
    matrix.setflags(write=False)
    return matrix
