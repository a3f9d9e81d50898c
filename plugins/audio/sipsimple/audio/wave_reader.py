"""Reading of .wav files (RIFF WAVE): whatever people have.

PCM of 8, 16, 24 and 32 bits, float of 32 and 64, A-law and mu-law (G.711), also as WAVE_FORMAT_EXTENSIBLE; any number
of channels up to 8, which are mixed to one, and any rate from 4 to 192 kHz. A file that was cut off, or whose header
was never finished, is read as far as it goes.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterator
from typing import BinaryIO

import numpy as np

from sipsimple.audio.frames import MAX_SAMPLE_RATE, MIN_SAMPLE_RATE, Samples, saturate
from sipsimple.audio.resampler import Resampler

__all__ = ["WaveFile", "WaveFileError"]

MAX_CHANNELS = 8
MAX_CHUNKS = 1000  # before the audio: what has more is no audio file
MAX_FORMAT_SIZE = 4096
BLOCK = 8192  # samples read at a time
PCM, IEEE_FLOAT, A_LAW, MU_LAW, EXTENSIBLE = 1, 3, 6, 7, 0xFFFE
NAMES = {2: "Microsoft ADPCM", 0x11: "IMA ADPCM", 0x31: "GSM 6.10", 0x50: "MPEG", 0x55: "MP3"}
# What follows the two octets of the format in the sub-format of WAVE_FORMAT_EXTENSIBLE
SUBFORMAT_TAIL = bytes.fromhex("000000001000800000aa00389b71")


class WaveFileError(Exception):
    """A .wav file can't be played. `filename` is its name, `reason` says what is wrong."""

    def __init__(self, filename: str, reason: str) -> None:
        super().__init__(f"{filename}: {reason}")
        self.filename = filename
        self.reason = reason


class WaveFile:
    """An open .wav file. Raises WaveFileError when there is none, or none that can be played.

    :param filename: its path

    `sample_rate` (Hz), `channels` and `duration` (seconds) are those of the file.
    """

    def __init__(self, filename: str | os.PathLike[str]) -> None:
        self.filename = os.fspath(filename)
        try:
            self._file: BinaryIO = open(self.filename, "rb")  # noqa: SIM115
        except OSError as error:
            raise WaveFileError(self.filename, error.strerror or str(error)) from error
        except ValueError as error:
            raise WaveFileError(self.filename, str(error)) from error
        try:
            self._read_header()
        except OSError as error:
            self._file.close()
            raise WaveFileError(self.filename, error.strerror or str(error)) from error
        except WaveFileError:
            self._file.close()
            raise

    def __enter__(self) -> WaveFile:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()

    def read(self, sample_rate: int) -> Samples:
        """All of it at another rate, in memory."""
        blocks = list(self.blocks(sample_rate))
        return np.concatenate(blocks) if blocks else np.zeros(0, np.int16)

    def blocks(self, sample_rate: int) -> Iterator[Samples]:
        """Read it from its start at another rate, in blocks of some thousand samples.

        It has exactly as many samples as its duration asks for. Raises WaveFileError when the file can't be read.
        """
        total = round(self.samples * sample_rate / self.sample_rate)
        resampler = Resampler(self.sample_rate, sample_rate) if sample_rate != self.sample_rate else None
        skipped = 0 if resampler is None else round(resampler.delay * sample_rate / self.sample_rate)
        for block in self._native_blocks():
            if resampler is not None:
                block = saturate(resampler.push(block))
            if skipped:
                skipped, block = skipped - min(skipped, len(block)), block[skipped:]
            block = block[:total]
            total -= len(block)
            if len(block):
                yield block
        while resampler is not None and total > 0:
            rest = saturate(resampler.flush())[skipped : skipped + total]
            skipped = 0
            total -= len(rest)
            yield rest

    def _native_blocks(self) -> Iterator[Samples]:
        remaining = self.samples
        try:
            self._file.seek(self._start)
            while remaining > 0:
                count = min(BLOCK, remaining)
                data = self._file.read(count * self._frame_size)
                data = data[: len(data) // self._frame_size * self._frame_size]
                if not data:
                    break  # it has become shorter
                remaining -= count
                samples = self._decode(data)
                if self.channels > 1:
                    samples = samples.reshape(-1, self.channels).mean(axis=1, dtype=np.float32)
                yield saturate(samples)
        except (OSError, ValueError) as error:
            raise WaveFileError(self.filename, str(error)) from error

    # The header

    def _read_header(self) -> None:
        header = self._file.read(12)
        if not header:
            raise self._error("the file is empty")
        if len(header) < 12 or header[:4] not in (b"RIFF", b"RF64") or header[8:] != b"WAVE":
            raise self._error("this is no .wav file: it does not start with RIFF and WAVE")
        layout: bytes | None = None
        for _ in range(MAX_CHUNKS):
            head = self._file.read(8)
            if len(head) < 8:
                break
            name, size = head[:4], int.from_bytes(head[4:], "little")
            if name == b"data":
                if layout is None:
                    raise self._error("its audio comes before the description of its format")
                self._set_format(layout, size)
                return
            if name == b"fmt ":
                if size > MAX_FORMAT_SIZE:
                    raise self._error("the description of its format is far too long")
                layout = self._file.read(size)
                self._file.seek(size % 2, os.SEEK_CUR)
            else:
                self._file.seek(size + size % 2, os.SEEK_CUR)  # chunks start at even places
        if layout is None:
            raise self._error("the description of its format is missing")
        raise self._error("there is no audio in it: the file was cut off, or never had any")

    def _set_format(self, layout: bytes, size: int) -> None:
        if len(layout) < 16:
            raise self._error("the description of its format was cut off")
        code, self.channels, self.sample_rate, _, self._frame_size, bits = struct.unpack_from("<HHIIHH", layout)
        if code == EXTENSIBLE and len(layout) >= 40 and layout[26:40] == SUBFORMAT_TAIL:
            code = int.from_bytes(layout[24:26], "little")
        decode = DECODERS.get((code, bits))
        if decode is None:
            raise self._error(f"{NAMES.get(code, f'format {code:#x}')} of {bits} bits can't be played, PCM can")
        self._decode = decode
        if not 1 <= self.channels <= MAX_CHANNELS:
            raise self._error(f"it has {self.channels} channels, expected 1 to {MAX_CHANNELS}")
        if self._frame_size != self.channels * bits // 8:
            raise self._error(f"{self._frame_size} octets for {self.channels} channels of {bits} bits")
        if not MIN_SAMPLE_RATE <= self.sample_rate <= MAX_SAMPLE_RATE:
            raise self._error(f"its rate is {self.sample_rate} Hz, expected {MIN_SAMPLE_RATE} to {MAX_SAMPLE_RATE}")
        self._start = self._file.tell()
        there = max(0, self._file.seek(0, os.SEEK_END) - self._start)
        # 0 and the largest size are those of a file whose writer never came to finish the header
        octets = there if size in (0, 0xFFFFFFFF) and there else min(size, there)
        self.samples = octets // self._frame_size
        self.duration = self.samples / self.sample_rate
        if not self.samples:
            raise self._error("there is no audio in it")

    def _error(self, reason: str) -> WaveFileError:
        return WaveFileError(self.filename, reason)


def _decode_24(data: bytes) -> np.ndarray:
    octets = np.frombuffer(data, np.uint8).reshape(-1, 3)
    return (octets[:, 2].astype(np.int8) * np.float32(256) + octets[:, 1]) + octets[:, 0] / np.float32(256)


def _decode_float(kind: str) -> Callable[[bytes], np.ndarray]:
    def decode(data: bytes) -> np.ndarray:
        audio = np.nan_to_num(np.frombuffer(data, kind), posinf=1, neginf=-1)
        samples: np.ndarray = (np.clip(audio, -1, 1) * 32768).astype(np.float32)
        return samples

    return decode


def _a_law_table() -> np.ndarray:
    """G.711, A-law: the value of each of the 256 octets."""
    code = np.arange(256) ^ 0x55
    exponent, mantissa = (code & 0x70) >> 4, code & 0x0F
    value = np.where(exponent == 0, (mantissa << 4) + 8, ((mantissa << 4) + 0x108) << np.maximum(exponent - 1, 0))
    return np.where(code & 0x80, value, -value).astype(np.float32)


def _mu_law_table() -> np.ndarray:
    """G.711, mu-law: the value of each of the 256 octets."""
    code = ~np.arange(256) & 0xFF
    value = ((((code & 0x0F) << 3) + 0x84) << ((code & 0x70) >> 4)) - 0x84
    return np.where(code & 0x80, -value, value).astype(np.float32)


def _decode_with(table: np.ndarray) -> Callable[[bytes], np.ndarray]:
    def decode(data: bytes) -> np.ndarray:
        samples: np.ndarray = table[np.frombuffer(data, np.uint8)]
        return samples

    return decode


# By format and bits: the samples of octets, in the range of 16 bits
DECODERS: dict[tuple[int, int], Callable[[bytes], np.ndarray]] = {
    (PCM, 8): lambda data: (np.frombuffer(data, np.uint8).astype(np.float32) - 128) * 256,
    (PCM, 16): lambda data: np.frombuffer(data, "<i2").astype(np.float32),
    (PCM, 24): _decode_24,
    (PCM, 32): lambda data: (np.frombuffer(data, "<i4") / 65536).astype(np.float32),
    (IEEE_FLOAT, 32): _decode_float("<f4"),
    (IEEE_FLOAT, 64): _decode_float("<f8"),
    (A_LAW, 8): _decode_with(_a_law_table()),
    (MU_LAW, 8): _decode_with(_mu_law_table()),
}
