"""Tones, and the ear that tests of calls have for them."""

from __future__ import annotations

import numpy as np
import pytest

from sipsimple.audio.frames import Samples
from sipsimple.audio.testing import tone_heard
from sipsimple.audio.tones import tone, tone_strength

RATE = 8000


def with_gaps(samples: Samples, gap: float, every: float) -> Samples:
    """What is heard on a machine that has no time for it now and then."""
    heard = samples.copy()
    for begin in range(0, len(heard), round(every * RATE)):
        heard[begin : begin + round(gap * RATE)] = 0
    return heard


def noise(seconds: float, volume: float = 8000) -> Samples:
    return np.random.default_rng(1).normal(0, volume, round(seconds * RATE)).clip(-32768, 32767).astype(np.int16)


def test_a_tone_is_found_in_a_sum_by_its_part_of_the_energy() -> None:
    both = tone((500, 700), 1.0, RATE)
    assert tone_strength(both, 500, RATE) == pytest.approx(0.5, abs=0.01)
    assert tone_strength(both, 600, RATE) < 0.01


@pytest.mark.parametrize("volume", [2, 30, 100])
def test_a_tone_is_heard(volume: int) -> None:
    assert tone_heard(tone(500, 0.5, RATE, volume), 500, RATE) > 0.99


def test_a_tone_is_heard_between_gaps() -> None:
    """The clearest moment counts, wherever it is, whatever the rest is."""
    assert tone_heard(with_gaps(tone(500, 3.0, RATE), 0.1, 0.35), 500, RATE) > 0.99
    heard = np.concatenate([np.zeros(3 * RATE, np.int16), noise(1.0), tone(500, 0.3, RATE), noise(2.0)])
    assert tone_heard(heard, 500, RATE) > 0.9


OTHERS = {
    "silence": np.zeros(20 * RATE, np.int16),
    "nothing": np.zeros(0, np.int16),
    "too short": tone(500, 0.1, RATE),
    "noise": noise(20.0),
    "dither": noise(20.0, 1),
    "faint": tone(500, 20.0, RATE, volume=1) // 16,
    "another tone": tone(700, 20.0, RATE),
    "two others": tone((400, 600), 20.0, RATE),
    "another in bits": with_gaps(tone(700, 20.0, RATE), 0.02, 0.05),
    "another with gaps": with_gaps(tone(700, 20.0, RATE), 0.1, 0.3),
    "only bits": with_gaps(tone(500, 20.0, RATE), 0.18, 0.2),
    "clicks": np.tile(np.concatenate([np.full(1, 20000, np.int16), np.zeros(399, np.int16)]), 400),
}


@pytest.mark.parametrize("heard", OTHERS.values(), ids=OTHERS)
def test_a_tone_is_not_heard_in_anything_else(heard: Samples) -> None:
    assert tone_heard(heard, 500, RATE) < 0.1
