"""Audio: mixing, bridges, sound devices, players and recorders, and PCM in and out of Python.

`mixer` mixes, 20 ms at a time, what its `slots` hold, driven by `clock`; `bridge` connects the ports of `port`'s
interface: `device` (the microphone and the loudspeaker, through `sound_link` and `sound_system`), `player` (with
`playback` and `wave_reader`), `recorder` (with `wave_writer`), the ports of `pcm`, and the meters of `levels`.
"""

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
