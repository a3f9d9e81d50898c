"""The playing of a file: what a WavePlayer puts into its slot of the mixer.

The file is read two seconds ahead, in the thread pool, through all its repetitions. Pauses are counted in frames of the
mixer's clock, so that they are as long as they should be whatever else the process does.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator

import numpy as np

from sipsimple.audio.background import in_background
from sipsimple.audio.frames import Samples
from sipsimple.audio.wave_reader import WaveFile, WaveFileError
from sipsimple.realm import Realm

__all__ = ["Playback"]

MAX_BLOCKS = 256  # of files of a few samples
AHEAD = 2  # seconds that are read ahead; it is read again when half of it is left


class Playback:
    """One run of a player, from start to end. It produces silence until `begin`.

    :param filename: the path of the file
    :param sample_rate: of the mixer, in Hz
    :param plays: how often it is played, 0 for ever
    :param pause: seconds between the plays
    :param pause_first: there is such a pause before the first play too
    :param started: called when the first sample is given
    :param ended: called once: with None after the last play, or with the error that ends it

    Both are called in the thread of the clock or of the pool.
    """

    def __init__(
        self,
        realm: Realm,
        filename: str,
        sample_rate: int,
        *,
        plays: int,
        pause: float,
        pause_first: bool,
        started: Callable[[], object],
        ended: Callable[[WaveFileError | None], object],
    ) -> None:
        self.sample_rate = sample_rate
        self._realm = realm
        self._filename = filename
        self._plays = plays
        self._pause = round(pause * sample_rate)  # samples
        self._started: Callable[[], object] | None = started
        self._ended: Callable[[WaveFileError | None], object] | None = ended
        self._begun = False
        self._silence = self._pause if pause_first else 0  # samples until it goes on
        self._lock = threading.Lock()
        self._blocks: deque[Samples | None] = deque()  # None is the end of a play
        self._held = 0  # samples in them
        self._file: WaveFile | None = None
        self._reader: Iterator[Samples | None] | None = None
        self._reading = False
        self._closed = False

    def open(self) -> None:
        """Open the file and read its beginning; it may block. Raises WaveFileError."""
        self._file = WaveFile(self._filename)
        self._reader = self._read_plays(self._file)
        self._reading = True
        self._read_ahead()

    def begin(self) -> None:
        """Play from the next frame on."""
        self._begun = True

    def close(self) -> None:
        """Give no more, and close the file as soon as nobody reads it."""
        with self._lock:
            self._closed = True
            self._ended = self._started = None
            if not self._reading:
                self._close_file()

    def _close_file(self) -> None:
        self._reader = None
        if self._file is not None:
            self._file.close()

    # In the thread pool

    def _read_plays(self, file: WaveFile) -> Iterator[Samples | None]:
        play = 0
        while self._plays == 0 or play < self._plays:
            blocks = 0
            for block in file.blocks(self.sample_rate):
                blocks += 1
                yield block
            if not blocks:
                raise WaveFileError(self._filename, "there is no audio in it any more")
            yield None
            play += 1

    def _read_ahead(self) -> None:
        error: WaveFileError | None = None
        try:
            while self._wants_more() and self._reader is not None:
                block = next(self._reader)
                with self._lock:
                    self._blocks.append(block)
                    self._held += 0 if block is None else len(block)
        except StopIteration:
            self._reader = None
        except WaveFileError as read_error:
            self._reader, error = None, read_error
        with self._lock:
            self._reading = False
            if self._closed or self._reader is None:
                self._close_file()
        if error is not None:
            self._end(error)

    def _wants_more(self) -> bool:
        return self._held < AHEAD * self.sample_rate and len(self._blocks) < MAX_BLOCKS and not self._closed

    # In the thread of the clock

    def produce(self, count: int) -> Samples | None:
        """AudioSource: the next samples, silence in pauses and at the end."""
        if not self._begun:
            return None
        samples = np.zeros(count, np.int16)
        filled = 0
        while filled < count:
            if self._silence:
                skipped = min(self._silence, count - filled)
                self._silence -= skipped
                filled += skipped
                continue
            with self._lock:
                if not self._blocks:
                    break
                block = self._blocks.popleft()
                if block is not None:
                    taken = block[: count - filled]
                    self._held -= len(taken)
                    if len(taken) < len(block):
                        self._blocks.appendleft(block[len(taken) :])
            if block is None:
                self._silence = self._pause
                if not self._blocks and self._reader is None:
                    self._end(None)
                    break
                continue
            if self._started is not None:
                self._started()
                self._started = None
            samples[filled : filled + len(taken)] = taken
            filled += len(taken)
        self._read_on()
        return samples

    def _read_on(self) -> None:
        with self._lock:
            low = self._held < AHEAD * self.sample_rate // 2 and len(self._blocks) < MAX_BLOCKS // 2
            due = low and not self._reading and self._reader is not None
            self._reading = self._reading or due
        if due:
            in_background(self._realm, self._read_ahead)

    def _end(self, error: WaveFileError | None) -> None:
        ended, self._ended = self._ended, None
        if ended is not None:
            ended(error)
