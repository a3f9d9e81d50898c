"""`AudioDevice`: the microphone and the loudspeaker of a mixer, as a port (AB-009 to AB-013)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipsimple.audio.port import AudioPort
from sipsimple.audio.slots import DEVICE_SLOT

if TYPE_CHECKING:
    from sipsimple.audio.mixer import AudioMixer

__all__ = ["AudioDevice"]


class AudioDevice(AudioPort):
    """The sound devices of a mixer: produces what the microphone hears, consumes what the loudspeaker plays.

    :param mixer: the AudioMixer whose devices they are
    :param input_muted: it is not a producer (AB-011)
    :param output_muted: it is not a consumer (AB-012)

    Both can be assigned later. Notifications: `AudioPortDidChangeSlots`.
    """

    def __init__(self, mixer: AudioMixer, input_muted: bool = False, output_muted: bool = False) -> None:
        super().__init__(mixer)
        self._producer_slot = None if input_muted else DEVICE_SLOT
        self._consumer_slot = None if output_muted else DEVICE_SLOT

    @property
    def input_muted(self) -> bool:
        """Whether it is not a producer: nobody hears the microphone through it."""
        return self._producer_slot is None

    @input_muted.setter
    def input_muted(self, muted: bool) -> None:
        self._change_slots(producer=None if muted else DEVICE_SLOT)

    @property
    def output_muted(self) -> bool:
        """Whether it is not a consumer: the loudspeaker plays nothing that comes to it."""
        return self._consumer_slot is None

    @output_muted.setter
    def output_muted(self, muted: bool) -> None:
        self._change_slots(consumer=None if muted else DEVICE_SLOT)
