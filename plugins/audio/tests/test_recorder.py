"""WaveRecorder on a virtual clock, and one that is killed."""

from __future__ import annotations

import errno
import gc
import os
import signal
import subprocess
import sys
import wave
from pathlib import Path
from typing import Any

import pytest
from zope.interface.verify import verifyObject

from sipsimple.audio import AudioBridge, IAudioPort, WaveFile, WaveRecorder
from sipsimple.audio.testing import FRAME, RATE, Host


def samples(path: Path) -> list[int]:
    with wave.open(str(path)) as file:
        assert (file.getframerate(), file.getnchannels(), file.getsampwidth()) == (RATE, 1, 2)
    with WaveFile(path) as opened:
        return [int(sample) for sample in opened.read(RATE)]


class Room:
    """A bridge with a recorder and somebody who says 5 all the time."""

    def __init__(self, host: Host, path: Path) -> None:
        self.mixer = host.mixer()
        self.voice = host.constant(self.mixer, 5)
        self.recorder: WaveRecorder = host.run(WaveRecorder, self.mixer, str(path))
        self.bridge: AudioBridge = host.run(AudioBridge, self.mixer)
        self.bridge.add(self.voice)
        self.bridge.add(self.recorder)


def test_what_is_said_is_recorded(host: Host, tmp_path: Path) -> None:
    """AB-036, AB-037, AB-038, AB-041, AB-042: folders are made, stop() closes the file, which is complete then."""
    path = tmp_path / "some" / "folder" / "a.wav"
    room = Room(host, path)
    recorder = room.recorder
    assert verifyObject(IAudioPort, recorder)
    assert (recorder.filename, recorder.is_active, recorder.consumer_slot) == (str(path), False, None)
    host.run(recorder.start)
    host.run(recorder.start)
    assert recorder.is_active
    assert recorder.consumer_slot is not None
    host.frames(33)
    host.run(recorder.stop)
    assert not recorder.is_active
    assert recorder.consumer_slot is None
    assert samples(path) == [5] * 33 * FRAME
    host.frames(10)
    host.run(recorder.stop)
    assert samples(path) == [5] * 33 * FRAME


def test_it_can_be_used_again(host: Host, tmp_path: Path) -> None:
    """AB-040: the old file is overwritten, unless the name is another one."""
    room = Room(host, tmp_path / "a.wav")
    for frames in (20, 7):
        host.run(room.recorder.start)
        host.frames(frames)
        host.run(room.recorder.stop)
    assert samples(tmp_path / "a.wav") == [5] * 7 * FRAME
    room.recorder.filename = str(tmp_path / "b.wav")
    host.run(room.recorder.start)
    host.frames(3)
    host.run(room.recorder.stop)
    assert len(samples(tmp_path / "a.wav")) == 7 * FRAME
    assert len(samples(tmp_path / "b.wav")) == 3 * FRAME


def test_in_no_bridge_nothing_is_written(host: Host, tmp_path: Path) -> None:
    """AB-039"""
    room = Room(host, tmp_path / "a.wav")
    room.bridge.remove(room.recorder)
    host.run(room.recorder.start)
    host.frames(50)
    host.run(room.recorder.stop)
    with wave.open(str(tmp_path / "a.wav")) as file:
        assert file.getnframes() == 0


def test_the_file_can_be_read_all_the_time(host: Host, tmp_path: Path) -> None:
    """It grows as it is recorded, and lacks a fifth of a second at most."""
    room = Room(host, tmp_path / "a.wav")
    host.run(room.recorder.start)
    for frame in range(1, 100):
        host.frames(1)
        with wave.open(str(tmp_path / "a.wav")) as file:
            assert 0 <= frame * FRAME - file.getnframes() <= RATE // 5, frame


def test_it_is_written_to_the_end_when_nobody_has_the_recorder(host: Host, tmp_path: Path) -> None:
    """AB-018"""
    room = Room(host, tmp_path / "a.wav")
    host.run(room.recorder.start)
    host.frames(13)
    used = room.mixer.used_slot_count
    host.recorder.clear()
    del room.recorder
    gc.collect()
    host.frames(3)
    assert room.mixer.used_slot_count == used - 1
    assert samples(tmp_path / "a.wav") == [5] * 13 * FRAME


def test_where_it_can_not_be_written(host: Host, tmp_path: Path) -> None:
    """AB-036: start() raises what the system says, and nothing is left behind."""
    (tmp_path / "file").write_text("")
    room = Room(host, tmp_path / "file" / "a.wav")
    used = room.mixer.used_slot_count
    with pytest.raises(OSError):
        host.run(room.recorder.start)
    assert not room.recorder.is_active
    assert room.mixer.used_slot_count == used


def test_the_disk_is_full(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The recorder stops and says why; what was recorded before can be played."""
    room = Room(host, tmp_path / "a.wav")
    host.run(room.recorder.start)
    host.frames(30)
    write = os.write

    def no_room(descriptor: int, data: Any) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", no_room)
    host.frames(30)
    monkeypatch.setattr(os, "write", write)
    (failed,) = host.recorder.find_all("WaveRecorderDidFail", room.recorder)
    assert failed.data.error.errno == errno.ENOSPC
    assert not room.recorder.is_active
    assert samples(tmp_path / "a.wav") == [5] * 30 * FRAME
    host.run(room.recorder.start)
    host.frames(5)
    host.run(room.recorder.stop)
    assert len(samples(tmp_path / "a.wav")) == 5 * FRAME


def test_a_disk_that_does_not_keep_up(host: Host, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What waits to be written is bounded."""
    room = Room(host, tmp_path / "a.wav")
    host.run(room.recorder.start)
    monkeypatch.setattr("sipsimple.audio.recorder.in_background", lambda realm, function: None)
    host.frames(1600)
    (failed,) = host.recorder.find_all("WaveRecorderDidFail", room.recorder)
    assert "keep up" in str(failed.data.error)
    assert not room.recorder.is_active


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_device_without_room(host: Host) -> None:
    room = Room(host, Path("/dev/full"))
    with pytest.raises(OSError, match="space"):
        host.run(room.recorder.start)
    assert not room.recorder.is_active


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="needs users")
def test_a_folder_without_rights(host: Host, tmp_path: Path) -> None:
    """AB-036, AB-038: start() says that it is not permitted; nothing is left behind, and with the right it works."""
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    room = Room(host, locked / "new" / "a.wav")
    used = room.mixer.used_slot_count
    is_superuser = os.geteuid() == 0
    try:
        if is_superuser:  # who may write everywhere
            tmp_path.chmod(0o755)
            os.seteuid(65534)
        with pytest.raises(PermissionError):
            host.run(room.recorder.start)
    finally:
        if is_superuser:
            os.seteuid(0)
    assert not room.recorder.is_active and room.mixer.used_slot_count == used
    assert list(locked.iterdir()) == []
    locked.chmod(0o700)
    host.run(room.recorder.start)
    host.frames(5)
    host.run(room.recorder.stop)
    assert samples(locked / "new" / "a.wav") == [5] * 5 * FRAME


LIMITED = """
import resource, sys
import numpy as np
from sipsimple.audio import AudioBridge, AudioMixer, CallbackPort, WaveRecorder
from sipsimple.notification import NotificationCenter
resource.setrlimit(resource.RLIMIT_FSIZE, (40_000, 40_000))
mixer = AudioMixer()
failed = NotificationCenter().wait_for("WaveRecorderDidFail", timeout=None)
bridge, recorder = AudioBridge(mixer), WaveRecorder(mixer, sys.argv[1])
voice = CallbackPort(mixer, get_audio=lambda count: np.full(count, 1000, np.int16))
bridge.add(voice)
bridge.add(recorder)
recorder.start()
error = failed.wait(40).data.error
print(error.strerror, recorder.is_active)
"""


def test_a_limit_of_the_system(tmp_path: Path) -> None:
    """The system lets a file grow no further: WaveRecorderDidFail says so, and what there is can be played."""
    pytest.importorskip("resource")
    path = tmp_path / "a.wav"
    done = subprocess.run(
        [sys.executable, "-c", LIMITED, str(path)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stdout.split() == ["File", "too", "large", "False"], done.stderr
    heard = samples(path)
    assert set(heard) == {1000} and 44 + 2 * len(heard) <= 40_000
    assert len(heard) > 15_000  # all but the last fifth of a second


KILLED = """
import sys
import numpy as np
from sipsimple.audio import AudioBridge, AudioMixer, CallbackPort, WaveRecorder
count = 0
def get_audio(size):
    global count
    count += 1
    if count % 5 == 0:
        print(count, flush=True)
    return np.full(size, 1000, np.int16)
mixer = AudioMixer()
bridge, voice, recorder = AudioBridge(mixer), CallbackPort(mixer, get_audio=get_audio), WaveRecorder(mixer, sys.argv[1])
bridge.add(voice)
bridge.add(recorder)
recorder.start()
sys.stdin.read()
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_killed_in_the_midst_of_a_recording(tmp_path: Path) -> None:
    """A crash loses less than a second: kill -9 of a process that records, and the file can be played."""
    path = tmp_path / "a.wav"
    process = subprocess.Popen(
        [sys.executable, "-c", KILLED, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    frames = 0
    assert process.stdout is not None
    while frames < 75:
        line = process.stdout.readline()
        assert line, "the recording process ended"
        frames = int(line)
    process.kill()
    process.communicate(timeout=20)
    heard = samples(path)
    assert len(heard) > frames * FRAME - RATE
    assert set(heard) == {1000}
