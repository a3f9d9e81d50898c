"""Audio: mixing, bridges, sound devices, players and recorders, and PCM in and out of Python.

`mixer` mixes, 20 ms at a time, what its `slots` hold, driven by `clock`; `bridge` connects the ports of `port`'s
interface: `device` (the microphone and the loudspeaker, through `sound_link` and `sound_system`), `player` (with
`playback` and `wave_reader`), `recorder` (with `wave_writer`), the ports of `pcm`, and the meters of `levels`.

Each is imported when it is first asked for: whoever wants to know the settings needs no numpy.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sipsimple.audio.bridge import AudioBridge
    from sipsimple.audio.device import AudioDevice
    from sipsimple.audio.levels import LevelMeter, SpeechDetector
    from sipsimple.audio.mixer import AudioMixer
    from sipsimple.audio.pcm import ArrayPlayer, ArrayRecorder, CallbackPort, PortClosedError, StreamPort
    from sipsimple.audio.player import WavePlayer
    from sipsimple.audio.port import AudioPort, IAudioPort
    from sipsimple.audio.recorder import WaveRecorder
    from sipsimple.audio.wave_reader import WaveFile, WaveFileError

__all__ = [
    "ArrayPlayer",
    "ArrayRecorder",
    "AudioBridge",
    "AudioDevice",
    "AudioMixer",
    "AudioPort",
    "CallbackPort",
    "IAudioPort",
    "LevelMeter",
    "PortClosedError",
    "SpeechDetector",
    "StreamPort",
    "WaveFile",
    "WaveFileError",
    "WavePlayer",
    "WaveRecorder",
]

_MODULES = {
    "ArrayPlayer": "pcm",
    "ArrayRecorder": "pcm",
    "AudioBridge": "bridge",
    "AudioDevice": "device",
    "AudioMixer": "mixer",
    "AudioPort": "port",
    "CallbackPort": "pcm",
    "IAudioPort": "port",
    "LevelMeter": "levels",
    "PortClosedError": "pcm",
    "SpeechDetector": "levels",
    "StreamPort": "pcm",
    "WaveFile": "wave_reader",
    "WaveFileError": "wave_reader",
    "WavePlayer": "player",
    "WaveRecorder": "recorder",
}


def __getattr__(name: str) -> Any:
    module = _MODULES.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{module}"), name)
    return value


def __dir__() -> list[str]:
    return sorted([*globals(), *_MODULES])
