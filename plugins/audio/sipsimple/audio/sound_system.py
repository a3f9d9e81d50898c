"""The sound devices of the machine: which there are, and how one is opened. miniaudio does it.

`SoundSystem` holds the driver of a realm, so that a test or another library can put its own in its place. Where time is
virtual, and on machines without sound, there are no devices.
"""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Callable, Generator
from typing import Any, NamedTuple, Protocol

import numpy as np

from sipsimple.audio.clock import runs_in_real_time
from sipsimple.audio.defaults import SYSTEM_DEFAULT
from sipsimple.audio.frames import Samples
from sipsimple.realm import Singleton, current_realm

__all__ = ["Devices", "MiniaudioDriver", "NoDriver", "OpenDevice", "SoundDeviceError"]
__all__ += ["SoundDriver", "SoundSystem"]

log = logging.getLogger("sipsimple.audio")

PERIOD = 20  # milliseconds that a device asks for or gives at a time
APPLICATION_NAME = "sipsimple"


class SoundDeviceError(Exception):
    """A sound device can't be used: says which one and why."""


class Devices(NamedTuple):
    """The names of the devices; the defaults are None where there is none, or where nobody says which."""

    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    default_input: str | None = None
    default_output: str | None = None


class OpenDevice(Protocol):
    """A device in use."""

    name: str
    calls: int  # how often it gave or asked for audio: it grows while the device works

    def close(self) -> None: ...


class SoundDriver(Protocol):
    """What knows the devices. All of it may block, and is called in threads where that does no harm."""

    def devices(self) -> Devices:
        """The devices that there are now."""

    def open_input(self, name: str, sample_rate: int, write: Callable[[Samples], None]) -> OpenDevice:
        """Record: call `write` with what comes, in a thread of the driver. Raises SoundDeviceError."""

    def open_output(self, name: str, sample_rate: int, read: Callable[[int], Samples | None]) -> OpenDevice:
        """Play what `read(count)` returns, None being silence. Raises SoundDeviceError."""


class NoDriver:
    """A machine without sound."""

    def devices(self) -> Devices:
        return Devices()

    def open_input(self, name: str, sample_rate: int, write: Callable[[Samples], None]) -> OpenDevice:
        raise SoundDeviceError("there are no sound devices")

    def open_output(self, name: str, sample_rate: int, read: Callable[[int], Samples | None]) -> OpenDevice:
        raise SoundDeviceError("there are no sound devices")


class _MiniaudioDevice:
    """A device of miniaudio, one channel of 16 bits, and the generator that it calls."""

    def __init__(self, name: str, device: Any, transfer: Callable[[Any], Any]) -> None:
        self.name = name
        self.calls = 0
        self._device = device
        self._transfer = transfer
        callback = self._callback()
        next(callback)
        device.start(callback)

    def _callback(self) -> Generator[Any, Any, None]:
        given: Any = b""
        while True:
            request = yield given
            self.calls += 1
            try:
                given = self._transfer(request)
            except Exception:
                log.exception("The sound device %s missed a period", self.name)
                given = b""

    def close(self) -> None:
        self._device.close()


class MiniaudioDriver:
    """The devices as miniaudio sees them: PulseAudio or PipeWire, ALSA, Core Audio, WASAPI."""

    def devices(self) -> Devices:
        found = self._find()
        if found is None:
            return Devices()
        inputs, outputs = found
        return Devices(
            tuple(inputs),
            tuple(outputs),
            next((name for name, info in inputs.items() if info["is_default"]), None),
            next((name for name, info in outputs.items() if info["is_default"]), None),
        )

    def open_input(self, name: str, sample_rate: int, write: Callable[[Samples], None]) -> OpenDevice:
        def received(data: bytearray) -> bytes:
            write(np.frombuffer(bytes(data), np.int16))
            return b""

        return self._open("CaptureDevice", "input_format", 0, name, sample_rate, received)

    def open_output(self, name: str, sample_rate: int, read: Callable[[int], Samples | None]) -> OpenDevice:
        def wanted(count: int) -> bytes:
            samples = read(count)
            return bytes(2 * count) if samples is None else samples.tobytes()

        return self._open("PlaybackDevice", "output_format", 1, name, sample_rate, wanted)

    def _open(
        self, kind: str, format_name: str, side: int, name: str, sample_rate: int, transfer: Callable[[Any], Any]
    ) -> OpenDevice:
        import miniaudio

        found = self._find()
        if found is None or not found[side]:
            raise SoundDeviceError("there are no sound devices")
        if name == SYSTEM_DEFAULT:
            real = next((real for real, info in found[side].items() if info["is_default"]), SYSTEM_DEFAULT)
            device_id = None
        else:
            if name not in found[side]:
                raise SoundDeviceError(f"there is no sound device {name!r}")
            real, device_id = name, found[side][name]["id"]
        try:
            device = getattr(miniaudio, kind)(
                **{format_name: miniaudio.SampleFormat.SIGNED16},
                nchannels=1,
                sample_rate=sample_rate,
                buffersize_msec=PERIOD,
                device_id=device_id,
                backends=_backends(),
                app_name=APPLICATION_NAME,
            )
            return _MiniaudioDevice(real, device, transfer)
        except miniaudio.MiniaudioError as error:
            raise SoundDeviceError(f"the sound device {real!r} can't be used: {error}") from error

    @staticmethod
    def _find() -> tuple[dict[str, Any], dict[str, Any]] | None:
        """The inputs and the outputs by their names, None where there is no sound at all."""
        import miniaudio

        class DeviceList(miniaudio.Devices):  # type: ignore[misc]
            """With what is needed of each device: who the default is, not its formats, which some can't tell."""

            def _get_info(self, device_type: Any, device_info: Any) -> dict[str, Any]:
                return {"is_default": bool(device_info.isDefault)}

        backends = _backends()
        if backends == []:
            return None
        try:
            devices = DeviceList(backends)
            captures, playbacks = devices.get_captures(), devices.get_playbacks()
        except miniaudio.MiniaudioError as error:
            log.debug("The sound devices can't be listed: %s", error)
            return None
        return {info["name"]: info for info in captures}, {info["name"]: info for info in playbacks}


def _backends() -> list[Any] | None:
    """Which to try; none without sound; None for the platform's own. ALSA complains aloud where it has no devices."""
    import miniaudio

    if not sys.platform.startswith("linux"):
        return None
    backends = [miniaudio.Backend.PULSEAUDIO]
    if os.path.isdir("/dev/snd"):
        backends.append(miniaudio.Backend.ALSA)
    return backends


class SoundSystem(metaclass=Singleton):
    """The driver of the realm's sound devices."""

    def __init__(self) -> None:
        self.driver: SoundDriver = MiniaudioDriver() if runs_in_real_time(current_realm()) else NoDriver()
