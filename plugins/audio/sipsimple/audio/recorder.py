"""`WaveRecorder`: records what it is in a bridge with to a .wav file (AB-036 to AB-042)."""

from __future__ import annotations

import errno
import os
import threading
import weakref
from typing import TYPE_CHECKING

from sipsimple.audio.background import in_background
from sipsimple.audio.frames import FRAMES_A_SECOND, Samples
from sipsimple.audio.port import AudioPort
from sipsimple.audio.wave_writer import WaveWriter
from sipsimple.realm import Realm
from sipsimple.threading import call_in_sipsimple_thread

if TYPE_CHECKING:
    from sipsimple.audio.mixer import AudioMixer

__all__ = ["WaveRecorder"]

WRITE_EVERY = FRAMES_A_SECOND // 5  # frames: a crash loses a fifth of a second, and what is being written
MAX_BACKLOG = 30 * FRAMES_A_SECOND  # frames that wait for a disk that does not keep up


class WaveRecorder(AudioPort):
    """Records to a .wav file, which can be played at every instant; it can be started and stopped any number of times.

    :param mixer: the AudioMixer that it is connected to
    :param filename: the full path of the file; one that is there is overwritten

    It records what comes in bridges that it is in, and nothing while it is in none (AB-039). It stops when nobody
    refers to it any more. All methods may be called from any thread.

    Notifications: `WaveRecorderDidFail`, `AudioPortDidChangeSlots`.
    """

    def __init__(self, mixer: AudioMixer, filename: str | os.PathLike[str]) -> None:
        super().__init__(mixer)
        self.filename = os.fspath(filename)
        self._lock = threading.Lock()
        self._recording: _Recording | None = None

    @property
    def is_active(self) -> bool:
        """Whether it records (AB-042)."""
        return self._recording is not None

    def start(self) -> None:
        """Make the file, and the folders that are missing, and record; without effect while it is active.

        Raises OSError when the file can't be written, ValueError when all slots of the mixer are taken.
        """
        with self._lock:
            if self._recording is not None:
                return
            recording = _Recording(self)
            try:
                recording.slot = self.mixer.add_slot(sink=recording)
            except ValueError:
                recording.writer.close()
                raise
            self._recording = recording
        self._change_slots(consumer=recording.slot)

    def stop(self) -> None:
        """Record no more and close the file, which is complete then; without effect if it is not active."""
        self._end(None, None)

    def _end(self, recording: _Recording | None, error: OSError | None) -> None:
        with self._lock:
            if self._recording is None or recording not in (None, self._recording):
                return
            ended, self._recording = self._recording, None
        if error is None:
            error = ended.close()
        else:
            in_background(self._realm, ended.close)  # that may take long on a disk that does not keep up
        self._change_slots(consumer=None)
        if error is not None:
            self._post("WaveRecorderDidFail", error=error)


class _Recording:
    """One recording: what a recorder puts into its slot. It does not keep the recorder alive."""

    def __init__(self, recorder: WaveRecorder) -> None:
        self.sample_rate = recorder.mixer.sample_rate
        self.slot: int | None = None
        self.writer = WaveWriter(recorder.filename, self.sample_rate)
        self._recorder = weakref.ref(recorder)
        self._mixer = recorder.mixer
        self._realm: Realm = recorder._realm
        self._lock = threading.Lock()
        self._flushing = threading.Lock()  # taken before the other one, so that frames are written in their order
        self._frames: list[Samples] = []
        self._writing = self._closed = False
        weakref.finalize(recorder, self._mixer.clean_up_later, in_background, self._realm, self.close).atexit = False

    def consume(self, samples: Samples) -> None:
        """AudioSink: keep a frame, and have what is kept written now and then."""
        with self._lock:
            self._frames.append(samples)
            late = len(self._frames) > MAX_BACKLOG
            due = len(self._frames) >= WRITE_EVERY and not self._writing
            self._writing = self._writing or due
        if late:
            self._fail(OSError(errno.EIO, "the disk does not keep up", self.writer.filename))
        elif due:
            in_background(self._realm, self._write)

    def close(self) -> OSError | None:
        """Write what is left and close the file. Returns what kept it from being complete."""
        if self.slot is not None:
            self._mixer.drop_slot(self.slot)
        with self._flushing:
            try:
                self._flush()
            except OSError as error:
                return error
            finally:
                self.writer.close()
                self._closed = True
        return None

    def _flush(self) -> None:
        with self._lock:
            frames, self._frames = self._frames, []
        if frames and not self._closed:
            self.writer.write(b"".join(frame.astype("<i2").tobytes() for frame in frames))

    def _write(self) -> None:
        try:
            with self._flushing:
                self._flush()
        except OSError as error:
            self._fail(error)
        finally:
            self._writing = False

    def _fail(self, error: OSError) -> None:
        recorder = self._recorder()
        if recorder is not None:
            self._realm.run(call_in_sipsimple_thread, recorder._end, self, error)
