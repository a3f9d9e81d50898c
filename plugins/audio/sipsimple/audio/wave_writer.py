"""Writing of .wav files that are whole at every instant: 16-bit PCM in one channel.

The audio is written first and then the header, in one write, which says how much there is. Whenever the process is
killed, the file can be played up to the last write.
"""

from __future__ import annotations

import errno
import os
import struct
import threading

__all__ = ["WaveWriter"]

HEADER_SIZE = 44
MAX_OCTETS = 0xFFFFFFFF - HEADER_SIZE - 1


class WaveWriter:
    """Writes a .wav file, over one that is there. Raises OSError when it can't be opened or written.

    :param filename: its path; missing folders are made
    :param sample_rate: in Hz
    """

    def __init__(self, filename: str | os.PathLike[str], sample_rate: int) -> None:
        self.filename = os.fspath(filename)
        self._sample_rate = sample_rate
        self._written = 0
        self._lock = threading.Lock()
        folder = os.path.dirname(self.filename)
        if folder:
            os.makedirs(folder, exist_ok=True)
        self._descriptor: int | None = os.open(
            self.filename, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | getattr(os, "O_BINARY", 0), 0o666
        )
        try:
            self._write_header(self._descriptor)
        except OSError:
            self.close()
            raise

    @property
    def duration(self) -> float:
        """Seconds of audio in the file."""
        return self._written / 2 / self._sample_rate

    def write(self, audio: bytes) -> None:
        """Append samples. Raises OSError when there is no room; what was written before stays whole."""
        with self._lock:
            if self._descriptor is None:
                raise OSError(errno.EBADF, "the file is closed", self.filename)
            if self._written + len(audio) > MAX_OCTETS:
                raise OSError(errno.EFBIG, "a .wav file can't be longer", self.filename)
            os.lseek(self._descriptor, HEADER_SIZE + self._written, os.SEEK_SET)
            remaining = memoryview(audio)
            while remaining:
                remaining = remaining[os.write(self._descriptor, remaining) :]
            self._written += len(audio)
            self._write_header(self._descriptor)

    def close(self) -> None:
        """Close the file; harmless when it is closed."""
        with self._lock:
            descriptor, self._descriptor = self._descriptor, None
            if descriptor is not None:
                os.close(descriptor)

    def _write_header(self, descriptor: int) -> None:
        rate = self._sample_rate
        layout = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16)
        riff = struct.pack("<4sI4s", b"RIFF", HEADER_SIZE - 8 + self._written, b"WAVE")
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.write(descriptor, riff + layout + struct.pack("<4sI", b"data", self._written))
