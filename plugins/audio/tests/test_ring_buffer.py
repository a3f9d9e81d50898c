"""The buffer between two clocks."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipsimple.audio.ring_buffer import RingBuffer

RATE = 8000
FRAME = 160


def ramp(start: int, count: int) -> np.ndarray:
    return (np.arange(start, start + count) % 30000).astype(np.int16)


def test_it_gathers_then_gives_in_order() -> None:
    ring = RingBuffer(RATE, target=0.04)
    assert ring.read(FRAME) is None
    ring.write(ramp(0, FRAME))
    assert ring.read(FRAME) is None
    ring.write(ramp(FRAME, FRAME))
    assert ring.read(FRAME).tolist() == ramp(0, FRAME).tolist()
    assert ring.read(FRAME).tolist() == ramp(FRAME, FRAME).tolist()
    assert ring.underruns == 0


def test_an_underrun_is_silence_and_it_gathers_again() -> None:
    ring = RingBuffer(RATE, target=0.02)
    ring.write(ramp(1, FRAME + 10))
    ring.read(FRAME)
    rest = ring.read(FRAME)
    assert rest.tolist() == ramp(1 + FRAME, 10).tolist() + [0] * 150
    assert ring.underruns == 1
    ring.write(ramp(0, FRAME - 1))
    assert ring.read(FRAME) is None


@settings(max_examples=100, deadline=None)
@given(steps=st.lists(st.tuples(st.booleans(), st.integers(0, 9000)), max_size=60))
def test_it_is_bounded_and_keeps_the_order(steps: list[tuple[bool, int]]) -> None:
    """Whatever is written and read: never more than the limit, and samples in their order, none twice."""
    ring = RingBuffer(RATE, target=0.04, limit=0.5)
    written = read = 0
    for is_write, count in steps:
        if is_write:
            ring.write(ramp(written + 1, count))
            written += count
        else:
            ring.read(count)
            read += count
        assert 0 <= len(ring) <= RATE // 2
    if len(ring):
        ring._gathering = False
        assert int(ring.read(1)[0]) == int(ramp(written - len(ring), 1)[0])


@pytest.mark.parametrize("drift", [-2000, -100, 0, 100, 2000])
def test_drift_does_not_add_up(drift: int) -> None:
    """A writer whose clock is faster or slower, by parts in a million: the delay stays bounded, glitches are rare."""
    ring = RingBuffer(RATE, target=0.04)
    sent = 0.0
    done = 0
    seconds = 300
    for frame in range(seconds * 50):
        sent += FRAME * (1 + drift / 1e6)
        ring.write(np.full(int(sent) - done, 1000, np.int16))
        done = int(sent)
        ring.read(FRAME)
        assert len(ring) <= RATE * 0.12, frame
    lost = abs(drift) / 1e6 * seconds * RATE
    assert ring.underruns <= lost / FRAME + 2
    assert ring.dropped <= max(lost + 2 * FRAME, 0)


def test_a_dropped_frame_is_no_click() -> None:
    """Where a frame is dropped the signal goes on from one side to the other without a jump."""
    ring = RingBuffer(RATE, target=0.02)
    time = 0
    heard = []
    for frame in range(400):
        count = FRAME if frame else 4 * FRAME
        ring.write((8000 * np.sin(2 * np.pi * 50 * np.arange(time, time + count) / RATE)).astype(np.int16))
        time += count
        samples = ring.read(FRAME)
        if samples is not None:
            heard.append(samples)
    assert ring.dropped >= FRAME
    steps = np.abs(np.diff(np.concatenate(heard).astype(int)))
    assert steps.max() <= 2 * 8000 * 2 * np.pi * 50 / RATE
