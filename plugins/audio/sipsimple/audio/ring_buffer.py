"""Between two clocks: a buffer of samples that one thread fills and another empties, each at its own pace.

A sound card's crystal, the mixer's clock and the network never quite agree. The buffer holds back `target` seconds
before it gives anything, so that bursts are smoothed. When it ran empty it gives silence and gathers `target` seconds
again; when there was more in it than needed for as long as a window lasts, the writer is the faster one and a frame is
dropped, faded into the next one so that it is not heard as a click.
"""

from __future__ import annotations

from threading import Lock

import numpy as np

from sipsimple.audio.frames import FRAME_DURATION, Samples

__all__ = ["RingBuffer"]

TARGET = 2 * FRAME_DURATION
LIMIT = 0.5
WINDOW = 2.0  # seconds that the level has to be too high before a frame is dropped


class RingBuffer:
    """A bounded buffer of samples between two threads.

    :param sample_rate: in Hz
    :param target: seconds to gather before any are given, the delay that it adds
    :param limit: seconds that it holds at most; the oldest are dropped
    """

    def __init__(self, sample_rate: int, target: float = TARGET, limit: float = LIMIT) -> None:
        self.sample_rate = sample_rate
        self.underruns = 0  # times that it ran empty
        self.dropped = 0  # samples
        self._target = round(target * sample_rate)
        self._limit = max(round(limit * sample_rate), self._target)
        self._frame = round(FRAME_DURATION * sample_rate)
        self._window = round(WINDOW * sample_rate)
        self._data: Samples = np.zeros(2 * self._limit, np.int16)  # used from _start to _end, moved when full
        self._start = self._end = 0
        self._lock = Lock()
        self._gathering = True
        self._lowest, self._measured = self._limit, 0

    def __len__(self) -> int:
        return self._end - self._start

    def clear(self) -> None:
        """Forget what is in it."""
        with self._lock:
            self._start = self._end = 0
            self._gather()

    def write(self, samples: Samples) -> None:
        """Add samples; what does not fit pushes out the oldest."""
        samples = samples[-self._limit :]
        with self._lock:
            over = len(self) + len(samples) - self._limit
            if over > 0:
                self._drop(over)
            if self._end + len(samples) > len(self._data):
                kept = len(self)
                self._data[:kept] = self._data[self._start : self._end].copy()
                self._start, self._end = 0, kept
            self._data[self._end : self._end + len(samples)] = samples
            self._end += len(samples)

    def read(self, count: int) -> Samples | None:
        """The next `count` samples; None while it gathers. What is missing at an underrun is silence."""
        with self._lock:
            held = len(self)
            if self._gathering:
                if held < max(self._target, count):
                    return None
                self._gathering = False
            samples = np.zeros(count, np.int16)
            given = min(held, count)
            samples[:given] = self._data[self._start : self._start + given]
            self._start += given
            if given < count:
                self.underruns += 1
                self._gather()
            else:
                self._follow_drift(samples)
            return samples

    def _gather(self) -> None:
        self._gathering = True
        self._lowest, self._measured = self._limit, 0

    def _drop(self, count: int) -> None:
        self._start += count
        self.dropped += count

    def _follow_drift(self, samples: Samples) -> None:
        """Drop a frame if for a whole window more than the target and a frame was left after each read."""
        self._lowest = min(self._lowest, len(self))
        self._measured += len(samples)
        if self._measured < self._window:
            return
        if self._lowest > self._target + self._frame:
            count = min(self._frame, len(samples))
            # The end of what was read fades into the samples that now follow it
            fade = np.linspace(1, 0, count, dtype=np.float32)
            dropped = self._data[self._start : self._start + count]
            samples[-count:] = samples[-count:] * fade + dropped * (1 - fade)
            self._drop(count)
        self._lowest, self._measured = self._limit, 0
