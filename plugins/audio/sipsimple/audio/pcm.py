"""Audio in and out of Python: ports for programs that make, hear or change audio themselves.

`CallbackPort` calls a function each 20 ms. `StreamPort` is for asyncio, Twisted and threads: what it is sent is played
without gaps, what it hears is received in frames. `ArrayPlayer` and `ArrayRecorder` play and record numpy arrays. PCM
is 16 bits in one channel, as bytes or numpy arrays (of int16, or of floats from -1 to 1), at any sample rate.

All of them are ports to be added to an AudioBridge, and like all ports are gone when nobody refers to them.
"""

from __future__ import annotations

import logging
import threading
import weakref
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from sipsimple.audio.frames import FRAME_DURATION, Samples, as_samples, check_sample_rate
from sipsimple.audio.port import AudioPort
from sipsimple.realm import Realm
from sipsimple.result import Result
from sipsimple.threading import call_in_sipsimple_thread

if TYPE_CHECKING:
    from sipsimple.audio.mixer import AudioMixer

__all__ = ["ArrayPlayer", "ArrayRecorder", "CallbackPort", "PortClosedError", "StreamPort"]

log = logging.getLogger("sipsimple.audio")

PREBUFFER = 2 * FRAME_DURATION  # seconds
SEND_AHEAD = 0.5
RECEIVE_LIMIT = 10.0


class PortClosedError(Exception):
    """The port was closed: nothing can be sent, and nothing more will come."""


class _PCMPort(AudioPort):
    """A port that is in the mixer from its construction until `close`, or until it is garbage."""

    def __init__(self, mixer: AudioMixer, sample_rate: int | None) -> None:
        super().__init__(mixer)
        self.sample_rate = check_sample_rate(mixer.sample_rate if sample_rate is None else sample_rate)

    def _enter(self, source: Any = None, sink: Any = None, volume: int = 100) -> None:
        self._slot = slot = self.mixer.add_slot(source, sink, volume)
        self._producer_slot = None if source is None else slot
        self._consumer_slot = None if sink is None else slot
        weakref.finalize(self, self.mixer.drop_slot, slot).atexit = False

    def close(self) -> None:
        """Take part in nothing any more."""
        self._change_slots(producer=None, consumer=None)
        self.mixer.drop_slot(self._slot)


class CallbackPort(_PCMPort):
    """Calls functions of the application with audio, and for audio, each 20 ms.

    :param mixer: the AudioMixer that it is connected to
    :param on_audio: called with what the port hears, a numpy array of int16, if anything is connected to it
    :param get_audio: called with the number of samples that are due; returns at most so many as bytes or a numpy array,
        or None for silence
    :param sample_rate: in Hz, of both; None for the mixer's
    :param volume: in percent, of what get_audio returns

    Both are called in the mixer's own thread: they must be quick, and must not block. One that raises an exception is
    logged, and not called again. Raises ValueError when all slots of the mixer are taken.
    """

    def __init__(
        self,
        mixer: AudioMixer,
        on_audio: Callable[[Samples], object] | None = None,
        get_audio: Callable[[int], Any] | None = None,
        sample_rate: int | None = None,
        volume: int = 100,
    ) -> None:
        super().__init__(mixer, sample_rate)
        source = None if get_audio is None else _CallbackSource(self.sample_rate, get_audio)
        sink = None if on_audio is None else _CallbackSink(self.sample_rate, on_audio)
        self._enter(source, sink, volume)


class _CallbackSource:
    def __init__(self, sample_rate: int, get_audio: Callable[[int], Any]) -> None:
        self.sample_rate = sample_rate
        self._get_audio = get_audio

    def produce(self, count: int) -> Samples | None:
        audio = self._get_audio(count)
        if audio is None:
            return None
        samples = as_samples(audio)
        if len(samples) > count:
            raise ValueError(f"get_audio returned {len(samples)} samples, {count} were due")
        return samples if len(samples) == count else np.pad(samples, (0, count - len(samples)))


class _CallbackSink:
    def __init__(self, sample_rate: int, on_audio: Callable[[Samples], object]) -> None:
        self.sample_rate = sample_rate
        self.consume = on_audio


class StreamPort(_PCMPort):
    """A port to send audio to and to receive audio from: in asyncio and Twisted by awaiting, in threads with `wait()`.

    :param mixer: the AudioMixer that it is connected to
    :param sample_rate: in Hz, of both directions; None for the mixer's
    :param receives: False if nothing will be received
    :param send_ahead: seconds of audio that may wait to be played before `send` has its caller wait
    :param receive_limit: seconds of audio that may wait to be received; then the oldest is dropped, see `dropped`

    `async for samples in port:` gives what it hears, in frames of 20 ms, until the port is closed.
    """

    def __init__(
        self,
        mixer: AudioMixer,
        sample_rate: int | None = None,
        receives: bool = True,
        send_ahead: float = SEND_AHEAD,
        receive_limit: float = RECEIVE_LIMIT,
    ) -> None:
        super().__init__(mixer, sample_rate)
        self._outgoing = _Outgoing(self._realm, self.sample_rate, send_ahead)
        self._incoming = _Incoming(self._realm, self.sample_rate, receive_limit)
        self._enter(self._outgoing, self._incoming if receives else None)

    def send(self, audio: Any) -> Result[None]:
        """Play audio after what was sent before. The result is there when there is room for more: awaiting it paces the
        sender. Raises ValueError and TypeError for what is no PCM, PortClosedError when the port is closed.
        """
        return self._outgoing.send(as_samples(audio), self._outgoing.send_ahead)

    def drain(self) -> Result[None]:
        """The result is there when all that was sent has been played, or was cleared."""
        return self._outgoing.send(np.zeros(0, np.int16), 0)

    def clear(self) -> None:
        """Forget what was sent and is not played yet: somebody interrupts."""
        self._outgoing.clear()

    @property
    def pending(self) -> float:
        """Seconds of audio that wait to be played."""
        return self._outgoing.held / self.sample_rate

    def receive(self) -> Result[Samples]:
        """The next frame that it hears. The result fails with PortClosedError when there will be none."""
        return self._incoming.receive()

    @property
    def dropped(self) -> int:
        """How many frames nobody received in time."""
        return self._incoming.dropped

    async def __aiter__(self) -> AsyncIterator[Samples]:
        while True:
            try:
                samples = await self.receive()
            except PortClosedError:
                return
            yield samples

    def close(self) -> None:
        """Take part in nothing any more; what waits fails with PortClosedError."""
        super().close()
        self._outgoing.close()
        self._incoming.close()


class _Outgoing:
    """What was sent and is not played yet, and who waits for what to be played."""

    def __init__(self, realm: Realm, sample_rate: int, send_ahead: float) -> None:
        self.sample_rate = sample_rate
        self.send_ahead = round(send_ahead * sample_rate)
        self.held = 0
        self._realm = realm
        self._lock = threading.Lock()
        self._blocks: deque[Samples] = deque()
        self._waiting: list[tuple[int, Result[None]]] = []  # until not more than so many samples are held
        self._closed = False
        # A sender that sends each frame when it is due is sometimes late: a little is gathered first
        self._prebuffer = round(PREBUFFER * sample_rate)
        self._gathered: int | None = 0  # samples' time since it began to gather; None while it plays

    def send(self, samples: Samples, limit: int) -> Result[None]:
        result: Result[None] = Result()
        with self._lock:
            if self._closed:
                raise PortClosedError("the port is closed")
            if len(samples):
                self._blocks.append(samples)
                self.held += len(samples)
            wait = self.held > limit
            if wait:
                self._waiting.append((limit, result))
        if not wait:
            _settle(self._realm, result.succeed, None)
        return result

    def clear(self) -> None:
        with self._lock:
            self._blocks.clear()
            self.held = 0
        self._wake()

    def close(self) -> None:
        with self._lock:
            self._closed = True
            self._blocks.clear()
            self.held = 0
            waiting, self._waiting = self._waiting, []
        for _, result in waiting:
            _settle(self._realm, result.fail, PortClosedError("the port was closed"))

    def produce(self, count: int) -> Samples | None:
        """AudioSource."""
        with self._lock:
            if not self.held:
                self._gathered = 0
                return None
            if self._gathered is not None:
                self._gathered += count
                if self.held < self._prebuffer and self._gathered <= self._prebuffer:
                    return None
                self._gathered = None
            samples = np.zeros(count, np.int16)
            filled = 0
            while self._blocks and filled < count:
                block = self._blocks.popleft()
                taken = block[: count - filled]
                samples[filled : filled + len(taken)] = taken
                filled += len(taken)
                if len(taken) < len(block):
                    self._blocks.appendleft(block[len(taken) :])
            self.held -= filled
        self._wake()
        return samples

    def _wake(self) -> None:
        with self._lock:
            if not self._waiting:
                return
            ready = [result for limit, result in self._waiting if self.held <= limit]
            self._waiting = [entry for entry in self._waiting if self.held > entry[0]]
        for result in ready:
            _settle(self._realm, result.succeed, None)


class _Incoming:
    """What was heard and not received yet, or who waits for it."""

    def __init__(self, realm: Realm, sample_rate: int, limit: float) -> None:
        self.sample_rate = sample_rate
        self.dropped = 0
        self._realm = realm
        self._limit = max(1, round(limit / FRAME_DURATION))
        self._lock = threading.Lock()
        self._frames: deque[Samples] = deque()
        self._waiting: deque[Result[Samples]] = deque()
        self._closed = False

    def receive(self) -> Result[Samples]:
        result: Result[Samples] = Result()
        with self._lock:
            if self._frames:
                frame = self._frames.popleft()
            elif self._closed:
                frame = None
            else:
                self._waiting.append(result)
                return result
        if frame is None:
            _settle(self._realm, result.fail, PortClosedError("the port is closed"))
        else:
            _settle(self._realm, result.succeed, frame)
        return result

    def consume(self, samples: Samples) -> None:
        """AudioSink."""
        with self._lock:
            if self._waiting:
                result = self._waiting.popleft()
            else:
                self._frames.append(samples)
                if len(self._frames) > self._limit:
                    self._frames.popleft()
                    self.dropped += 1
                return
        _settle(self._realm, result.succeed, samples)

    def close(self) -> None:
        with self._lock:
            self._closed = True
            waiting = list(self._waiting)
            self._waiting.clear()
        for result in waiting:
            _settle(self._realm, result.fail, PortClosedError("the port was closed"))


def _settle(realm: Realm, settle: Callable[[Any], object], value: Any) -> None:
    realm.run(call_in_sipsimple_thread, settle, value)


class ArrayPlayer(StreamPort):
    """Plays PCM that is in memory.

    :param mixer: the AudioMixer that it is connected to
    :param audio: bytes or a numpy array; see `sipsimple.audio.pcm`
    :param sample_rate: its rate in Hz; None for the mixer's
    """

    def __init__(self, mixer: AudioMixer, audio: Any, sample_rate: int | None = None) -> None:
        super().__init__(mixer, sample_rate, receives=False)
        self._audio = as_samples(audio)

    def play(self) -> Result[None]:
        """Play it once, after what is being played. The result is there at its end."""
        self.send(self._audio)
        return self.drain()


class ArrayRecorder(_PCMPort):
    """Records into memory, from its construction until `close`.

    :param mixer: the AudioMixer that it is connected to
    :param sample_rate: in Hz; None for the mixer's
    :param limit: seconds that are recorded at most
    """

    def __init__(self, mixer: AudioMixer, sample_rate: int | None = None, limit: float = 600.0) -> None:
        super().__init__(mixer, sample_rate)
        self._frames: list[Samples] = []
        self._room = round(limit * self.sample_rate)
        self._enter(sink=_CallbackSink(self.sample_rate, _Collector(self._frames, self._room).consume))

    @property
    def samples(self) -> Samples:
        """What was recorded until now, as a numpy array of int16."""
        frames = list(self._frames)
        return np.concatenate(frames) if frames else np.zeros(0, np.int16)


class _Collector:
    def __init__(self, frames: list[Samples], room: int) -> None:
        self._frames = frames
        self._room = room

    def consume(self, samples: Samples) -> None:
        kept = samples[: self._room]
        self._room -= len(kept)
        if len(kept):
            self._frames.append(kept)
