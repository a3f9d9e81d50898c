"""Conversion of sample rates: lengths, levels, tones and what is filtered out."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipsimple.audio.resampler import Resampler
from sipsimple.audio.tones import tone, tone_strength

RATES = [8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000, 96000]


@settings(max_examples=100, deadline=None)
@given(
    source=st.sampled_from(RATES),
    target=st.sampled_from(RATES),
    lengths=st.lists(st.integers(0, 3000), min_size=1, max_size=6),
)
def test_lengths_are_exact(source: int, target: int, lengths: list[int]) -> None:
    """L samples come out for each M that go in, however they are cut; and what comes out does not depend on the cut."""
    ratio = Fraction(target, source)
    audio = np.random.default_rng(1).integers(-9000, 9000, sum(lengths)).astype(np.int16)
    whole, parts = Resampler(source, target), Resampler(source, target)
    at_once = whole.push(audio)
    pieces = [parts.push(piece) for piece in np.split(audio, np.cumsum(lengths)[:-1])]
    assert len(at_once) == len(audio) // ratio.denominator * ratio.numerator
    assert np.allclose(np.concatenate(pieces), at_once, atol=0.1)


@pytest.mark.parametrize(
    ("source", "target"), [(8000, 16000), (16000, 48000), (44100, 16000), (48000, 8000), (11025, 32000)]
)
def test_a_tone_stays_itself(source: int, target: int) -> None:
    """Its frequency and its level stay; all other energy, images and noise, is 60 dB below."""
    made = tone(1000, 1.0, source)
    heard = Resampler(source, target).push(made)[target // 10 : -target // 10].astype(np.int16)
    assert tone_strength(heard, 1000, target) > 1 - 1e-6
    assert np.abs(heard).max() == pytest.approx(np.abs(made).max(), rel=0.01)


@pytest.mark.parametrize("frequency", [4300, 5500, 7500])
def test_what_the_lower_rate_can_not_hold_is_filtered_out(frequency: int) -> None:
    """It would come back as another tone: 60 dB down."""
    made = tone(frequency, 1.0, 16000)
    heard = Resampler(16000, 8000).push(made)[800:-800]
    assert np.sqrt(np.mean(heard**2)) < 0.001 * np.sqrt(np.mean(made.astype(float) ** 2))


@pytest.mark.parametrize("frequency", [300, 1000, 2400, 3300])
def test_the_voice_band_passes_flat(frequency: int) -> None:
    """300 to 3300 Hz within half a dB."""
    made = tone(frequency, 1.0, 16000)
    heard = Resampler(16000, 8000).push(made)[800:-800]
    loss = 20 * np.log10(np.sqrt(np.mean(heard**2)) / np.sqrt(np.mean(made[1600:-1600].astype(float) ** 2)))
    assert abs(loss) < 0.5


def test_the_delay_is_3_ms() -> None:
    click = np.zeros(1600, np.int16)
    click[800] = 30000
    resampler = Resampler(8000, 16000)
    heard = resampler.push(click)
    late = int(np.argmax(heard)) / 2 - 800
    assert late == pytest.approx(resampler.delay, abs=0.5)
    assert resampler.delay / 8000 <= 0.0031


@settings(max_examples=30, deadline=None)
@given(source=st.integers(4000, 192_000), target=st.sampled_from([8000, 16000, 48000]))
def test_odd_rates(source: int, target: int) -> None:
    """Any rate is converted, within 400 millionths."""
    resampler = Resampler(source, target)
    assert resampler.new_period / resampler.old_period == pytest.approx(target / source, rel=4e-4)
    assert len(resampler.push(np.ones(source, np.int16))) == pytest.approx(target, abs=2 * resampler.new_period)


@pytest.mark.parametrize("rate", [0, -8000, 3999, 192_001])
def test_what_is_no_rate(rate: int) -> None:
    with pytest.raises(ValueError, match="sample rate"):
        Resampler(rate, 8000)
