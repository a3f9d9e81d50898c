"""For tests of what makes or hears audio: a host with virtual time, on which a mixer ticks when the test says so, ports
that say and hear values, sound devices that a test plugs and unplugs, and an ear for tones in real time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from sipsimple.audio import ArrayRecorder, AudioMixer, CallbackPort
from sipsimple.audio.frames import FRAME_DURATION, Samples
from sipsimple.audio.sound_system import Devices, SoundDeviceError
from sipsimple.audio.tones import tone_strength
from sipsimple.result import Result
from sipsimple.testing.network import MemoryNetwork
from sipsimple.testing.reactor import MemoryRealm
from sipsimple.testing.recorder import NotificationRecorder

__all__ = ["FRAME", "RATE", "FakeDevice", "FakeSound", "Host", "Voice", "tone_heard"]

RATE = 16000
FRAME = RATE // 50
WINDOW = 0.2  # seconds in which a tone has to be clear
AUDIBLE = 100.0  # what is weaker is silence: rounding and the noise of codecs (root mean square)


def tone_heard(samples: Samples, frequency: float, sample_rate: int) -> float:
    """How clear a tone was at best, from 0 to 1: its `tone_strength` in the clearest fifth of a second.

    What was heard in real time has gaps where the machine was busy; in silence, in noise and in other tones there is
    no such moment at all.
    """
    size = round(WINDOW * sample_rate)
    windows = (samples[begin : begin + size] for begin in range(0, len(samples) - size + 1, size // 8))
    audible = (window for window in windows if np.sqrt(np.mean(window.astype(np.float64) ** 2)) > AUDIBLE)
    return max((tone_strength(window, frequency, sample_rate) for window in audible), default=0.0)


class Host:
    """A realm with a virtual clock; everything of audio is to be made with `run`."""

    def __init__(self) -> None:
        self.network = MemoryNetwork()
        self.realm = MemoryRealm("host", self.network)
        self.recorder: NotificationRecorder = self.run(NotificationRecorder)
        self.network.advance(FRAME_DURATION / 2)  # frames end at multiples of 20 ms: we are always between two

    def run(self, function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
        return self.realm.run(function, *args, **kwargs)

    def outcome(self, result: Result[Any]) -> Any:
        """What a result gives, or the exception with which it failed. It has to be there."""
        assert result.done
        got: list[Any] = []
        self.run(result.addBoth, got.append)
        return getattr(got[0], "value", got[0])

    def frames(self, count: int) -> None:
        """Let so many frames of 20 ms pass."""
        self.network.advance(count * FRAME_DURATION)

    def mixer(self, *args: Any, **kwargs: Any) -> AudioMixer:
        mixer: AudioMixer = self.run(AudioMixer, *args, **kwargs)
        return mixer

    def constant(self, mixer: AudioMixer, value: int, **options: Any) -> CallbackPort:
        """A port that produces samples of that value."""
        port: CallbackPort = self.run(
            CallbackPort, mixer, get_audio=lambda count: np.full(count, value, np.int16), **options
        )
        return port

    def ear(self, mixer: AudioMixer, **options: Any) -> ArrayRecorder:
        ear: ArrayRecorder = self.run(ArrayRecorder, mixer, **options)
        return ear


class Voice:
    """A port that says a constant value and remembers the last value that it heard; None if it heard nothing."""

    def __init__(self, host: Host, mixer: AudioMixer, value: int) -> None:
        self.heard: int | None = None
        self.frames = 0
        self.port = host.run(
            CallbackPort, mixer, on_audio=self.hear, get_audio=lambda count: np.full(count, value, np.int16)
        )

    def hear(self, samples: Samples) -> None:
        self.heard = int(samples[-1])
        self.frames += 1


class FakeDevice:
    """A device that lives by what the test does: `record` and `play`."""

    def __init__(self, name: str, transfer: Callable[[Any], Any]) -> None:
        self.name = name
        self.calls = 0
        self.is_open = True
        self._transfer = transfer

    def transfer(self, request: Any) -> Any:
        assert self.is_open
        self.calls += 1
        return self._transfer(request)

    def close(self) -> None:
        self.is_open = False


class FakeSound:
    """A machine with sound devices that a test can plug and unplug."""

    def __init__(self, *names: str) -> None:
        self.names = list(names)
        self.default = names[0] if names else None
        self.inputs: list[FakeDevice] = []
        self.outputs: list[FakeDevice] = []
        self.listed = 0

    def devices(self) -> Devices:
        self.listed += 1
        return Devices(tuple(self.names), tuple(self.names), self.default, self.default)

    def _open(self, name: str, opened: list[FakeDevice], transfer: Callable[[Any], Any]) -> FakeDevice:
        real = self.default if name == "system_default" else name
        if real is None or real not in self.names:
            raise SoundDeviceError(f"there is no sound device {name!r}")
        device = FakeDevice(real, transfer)
        opened.append(device)
        return device

    def open_input(self, name: str, sample_rate: int, write: Callable[[Any], None]) -> FakeDevice:
        return self._open(name, self.inputs, write)

    def open_output(self, name: str, sample_rate: int, read: Callable[[int], Any]) -> FakeDevice:
        return self._open(name, self.outputs, read)

    @property
    def microphone(self) -> FakeDevice:
        return next(device for device in reversed(self.inputs) if device.is_open)

    @property
    def loudspeaker(self) -> FakeDevice:
        return next(device for device in reversed(self.outputs) if device.is_open)

    def run(self, host: Host, frames: int, value: int = 0, count: int = FRAME) -> list[int]:
        """Let time pass, in which the open devices work: the microphones hear `value`. Returns what was played."""
        played = []
        for _ in range(frames):
            for device in self.inputs:
                if device.is_open and device.name in self.names:
                    device.transfer(np.full(count, value, np.int16))
            host.frames(1)
            for device in self.outputs:
                if device.is_open and device.name in self.names:
                    samples = device.transfer(count)
                    played.append(0 if samples is None else int(samples[-1]))
        return played
