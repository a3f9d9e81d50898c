"""Between the mixer and a stream of the engine: frames of PCM, in the thread of the mixer's clock."""

from __future__ import annotations

import numpy as np

from sipsimple.audio.frames import Samples
from sipsimple.audio.ring_buffer import RingBuffer
from sipsimple.streams.rtp.engine import EngineStream

__all__ = ["StreamAudio"]

MAX_FRAMES = 16  # that are taken at once


class StreamAudio:
    """What a stream has in its slot of the mixer: an AudioSource and an AudioSink."""

    def __init__(self, engine_stream: EngineStream) -> None:
        self.sample_rate = engine_stream.sample_rate
        self._engine_stream = engine_stream
        self._received = RingBuffer(self.sample_rate)

    def produce(self, count: int) -> Samples | None:
        """AudioSource: what the remote party says."""
        for _ in range(MAX_FRAMES):
            frame = self._engine_stream.read()
            if not frame:
                break
            self._received.write(np.frombuffer(frame, np.int16))
        return self._received.read(count)

    def consume(self, samples: Samples) -> None:
        """AudioSink: what it is to hear."""
        self._engine_stream.write(samples.tobytes())
