"""The settings of the mixers and devices: the group `audio` of SIPSimpleSettings."""

from __future__ import annotations

import os

from platformdirs import user_data_dir

from sipsimple.audio.defaults import DEFAULT_SAMPLE_RATE, DEFAULT_TAIL_LENGTH, SAMPLE_RATES, SYSTEM_DEFAULT
from sipsimple.configuration import RuntimeSetting, Setting, SettingsGroup, SettingsObjectExtension
from sipsimple.configuration.datatypes import BoundedInteger, Path

__all__ = ["EXTENSIONS", "SampleRate", "TailLength"]


class SampleRate(BoundedInteger):
    """The rate of a mixer: 8000, 16000, 32000 or 48000 Hz."""

    minimum, maximum = min(SAMPLE_RATES), max(SAMPLE_RATES)

    def __new__(cls, value: object) -> SampleRate:
        rate = super().__new__(cls, value)
        if rate not in SAMPLE_RATES:
            raise ValueError(f"{rate} is none of {', '.join(map(str, SAMPLE_RATES))}")
        return rate


class TailLength(BoundedInteger):
    """Milliseconds of echo, up to half a second."""

    minimum, maximum = 0, 500


def _recordings() -> str:
    """In the platform's folder for the user's data; with ~ for the home folder, as it would be written."""
    folder, home = os.path.join(user_data_dir("sipsimple"), "recordings"), os.path.expanduser("~")
    return "~" + folder[len(home) :] if folder.startswith(home + os.sep) else folder


class EchoCancellerSettings(SettingsGroup):
    """Keeps the remote party from hearing itself through loudspeaker and microphone."""

    enabled = Setting(bool, True, doc="Cancel echo, where a library for it is installed (sipsimple-audio[echo]).")
    tail_length = Setting(TailLength, DEFAULT_TAIL_LENGTH, doc="Milliseconds of echo to cancel; 0: none.")


class AudioSettings(SettingsGroup):
    """The sound devices, and where recordings go."""

    input_device = Setting(str, SYSTEM_DEFAULT, nillable=True, doc="The microphone; None: none.")
    output_device = Setting(str, SYSTEM_DEFAULT, nillable=True, doc="The loudspeaker for voice; None: none.")
    alert_device = Setting(str, SYSTEM_DEFAULT, nillable=True, doc="The loudspeaker for alerts; None: none.")
    sample_rate = Setting(SampleRate, DEFAULT_SAMPLE_RATE, doc="In Hz, in which audio is mixed.")
    muted: RuntimeSetting[bool] = RuntimeSetting(bool, False, doc="The microphone is silent.")
    silent = Setting(bool, False, doc="Alerts are not heard.")
    recordings_directory = Setting(Path, _recordings(), doc="The folder for recordings.")
    echo_canceller = EchoCancellerSettings()


class SIPSimpleSettingsExtension(SettingsObjectExtension):
    audio = AudioSettings()


EXTENSIONS = (("SIPSimpleSettings", SIPSimpleSettingsExtension),)
