"""The tones before a call is up: the bell of who is called, and what the caller hears meanwhile (ITU-T E.180)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from sipsimple.audio import ArrayPlayer
from sipsimple.audio.tones import tone

if TYPE_CHECKING:
    from sipsimple.audio import AudioBridge

__all__ = ["Tones", "bell", "ringback"]


class Tones:
    """Plays a second of tones and a pause, over and over, until it is stopped.

    :param bridge: who hears it
    :param frequencies: in Hz, all at once
    :param pause: seconds of silence after each
    """

    def __init__(self, bridge: AudioBridge, frequencies: tuple[float, ...], pause: float) -> None:
        rate = bridge.mixer.sample_rate
        cadence = np.concatenate([tone(frequencies, 1.0, rate, volume=20), np.zeros(round(pause * rate), np.int16)])
        self._player = ArrayPlayer(bridge.mixer, cadence)
        self._stopped = False
        bridge.add(self._player)
        self._again()

    def _again(self, _: object = None) -> None:
        if not self._stopped:
            self._player.play().addBoth(self._again)

    def stop(self) -> None:
        self._stopped = True
        self._player.close()


def bell(bridge: AudioBridge) -> Tones:
    """Somebody calls."""
    return Tones(bridge, (440.0, 480.0), 2.0)


def ringback(bridge: AudioBridge) -> Tones:
    """It rings there."""
    return Tones(bridge, (425.0,), 4.0)
