"""The mixer: CPU of a conference bridge and of a large one, of converting rates; the delay that it adds."""

from __future__ import annotations

import sys
import time
from typing import Any

import numpy as np
from harness import Figures, median, wait_until

from sipsimple.audio import AudioBridge, AudioMixer, CallbackPort
from sipsimple.audio.clock import FrameClock
from sipsimple.audio.resampler import Resampler

FRAMES = 500  # of 20 ms: ten seconds of audio


class HandClock:
    """In place of the clock: the benchmark ticks itself, as fast as it can."""

    def add(self, ticked: object) -> None:
        pass

    def remove(self, ticked: object) -> None:
        pass


def conference(ports: int, rate: int, port_rate: int) -> float:
    """CPU time of a bridge of so many ports that all speak, in percent of the time that the audio lasts."""
    mixer = AudioMixer(sample_rate=rate)
    mixer._clock = HandClock()  # type: ignore[assignment]
    bridge = AudioBridge(mixer)
    audio = (np.random.default_rng(1).standard_normal(port_rate // 50) * 3000).astype(np.int16)
    heard = [0]

    def on_audio(samples: Any) -> None:
        heard[0] += len(samples)

    members = [
        CallbackPort(mixer, on_audio=on_audio, get_audio=lambda count: audio, sample_rate=port_rate)
        for _ in range(ports)
    ]
    for member in members:
        bridge.add(member)
    mixer.tick()
    heard[0] = 0
    begin = time.process_time()
    for _ in range(FRAMES):
        mixer.tick()
    used = time.process_time() - begin
    assert heard[0] == FRAMES * ports * (port_rate // 50), heard
    return 100 * used / (FRAMES / 50)


def plain_sum(ports: int, rate: int) -> float:
    """The limit: adding the frames of so many ports, with numpy, once for each of them."""
    frames = np.ones((ports, rate // 50), np.int16)
    begin = time.process_time()
    for _ in range(FRAMES):
        for _ in range(ports):
            frames.sum(axis=0, dtype=np.int32)
    return 100 * (time.process_time() - begin) / (FRAMES / 50)


def delay() -> float:
    """Milliseconds from the call that asks for samples to the call that brings them, in real time."""
    mixer = AudioMixer()
    sent: list[float] = []
    came: list[float] = []

    def get_audio(count: int) -> Any:
        sent.append(time.perf_counter())
        return np.full(count, 5, np.int16)

    speaker = CallbackPort(mixer, get_audio=get_audio)
    listener = CallbackPort(mixer, on_audio=lambda samples: came.append(time.perf_counter()))
    bridge = AudioBridge(mixer)
    bridge.add(speaker)
    bridge.add(listener)
    wait_until(lambda: len(came) >= 100, "frames from port to port")
    FrameClock().remove(mixer)
    return 1000 * median([b - a for a, b in zip(sent[-100:], came[-100:], strict=False) if b > a])


def resampling(source: int, target: int) -> float:
    """CPU time of one direction of one port, in percent."""
    frame = np.ones(source // 50, np.int16)
    resampler = Resampler(source, target)
    resampler.push(frame)
    begin = time.process_time()
    for _ in range(FRAMES):
        resampler.push(frame)
    return 100 * (time.process_time() - begin) / (FRAMES / 50)


def main() -> int:
    figures = Figures("The mixer, CPU time by the time that the audio lasts (one core)")
    limit = ("adding the frames", plain_sum(8, 16000))
    figures.add("a bridge of 8 at 16 kHz", conference(8, 16000, 16000), "%", at_most=25, limit=limit)
    figures.add("a bridge of 8 at 16 kHz, ports at 8 kHz", conference(8, 16000, 8000), "%", at_most=25, limit=limit)
    figures.add("a bridge of 8 at 48 kHz", conference(8, 48000, 48000), "%", at_most=25)
    figures.add("a bridge of 100 at 16 kHz", conference(100, 16000, 16000), "%")
    for source, target in ((8000, 16000), (48000, 16000), (44100, 16000)):
        figures.add(f"{source} to {target} Hz, one direction", resampling(source, target), "%")
    figures.add("delay of the mixer, from port to port", delay(), "ms", at_most=20)
    figures.add("delay of the conversion 8 to 16 kHz", 1000 * Resampler(8000, 16000).delay / 8000, "ms", at_most=5)
    figures.show()
    return 1 if figures.missed else 0


if __name__ == "__main__":
    sys.exit(main())
