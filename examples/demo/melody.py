"""The melody of the demo: written to a .wav file, and found in a recording."""

from __future__ import annotations

import wave
from pathlib import Path

import numpy as np

from sipsimple.audio import WaveFile
from sipsimple.audio.tones import tone, tone_strength

__all__ = ["MELODY", "NOTES", "note_of", "recognise", "write"]

NOTES = {"C5": 523.25, "E5": 659.26, "G5": 783.99, "C6": 1046.5}  # Hz
MELODY = ["C5", "E5", "G5", "C6", "G5", "C5"]
VOLUMES = [5, 12, 25, 60, 25, 5]  # in percent

RATE = 16000
NOTE_DURATION = 0.5  # seconds
WINDOW = RATE // 8
CLEAR = 0.6  # the part of the energy that a note has to have


def write(path: Path) -> None:
    """Make a .wav file with the melody."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        for note, volume in zip(MELODY, VOLUMES, strict=False):
            file.writeframes(tone(NOTES[note], NOTE_DURATION, RATE, volume).tobytes())


def note_of(samples: np.ndarray) -> str | None:
    """The note in a moment of audio of 16 kHz, None if it is none of ours."""
    strengths = {note: tone_strength(samples, frequency, RATE) for note, frequency in NOTES.items()}
    note = max(strengths, key=strengths.__getitem__)
    return note if strengths[note] >= CLEAR else None


def recognise(path: Path) -> list[str]:
    """The notes in a recording, in their order; one that goes on is one."""
    with WaveFile(path) as file:
        samples = file.read(RATE)
    notes: list[str] = []
    for begin in range(0, len(samples) - WINDOW, WINDOW // 2):
        note = note_of(samples[begin : begin + WINDOW])
        if note is not None and notes[-1:] != [note]:
            notes.append(note)
    return notes
