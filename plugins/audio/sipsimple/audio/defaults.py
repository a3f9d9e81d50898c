"""What a mixer may be made with, and is where nothing else is said. The settings want it too, and no numpy with it."""

from __future__ import annotations

__all__ = ["DEFAULT_SAMPLE_RATE", "DEFAULT_TAIL_LENGTH", "SAMPLE_RATES", "SYSTEM_DEFAULT"]

SAMPLE_RATES = (8000, 16000, 32000, 48000)  # Hz
DEFAULT_SAMPLE_RATE = 16000
DEFAULT_TAIL_LENGTH = 200  # milliseconds of echo
SYSTEM_DEFAULT = "system_default"
