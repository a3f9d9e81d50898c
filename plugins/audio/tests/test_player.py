"""WavePlayer on a virtual clock."""

from __future__ import annotations

import gc
import logging
import wave
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from zope.interface.verify import verifyObject

from sipsimple.audio import AudioBridge, AudioMixer, IAudioPort, WaveFileError, WavePlayer
from sipsimple.audio.testing import FRAME, RATE, Host

NAMES = ("WavePlayerDidStart", "WavePlayerDidEnd", "WavePlayerDidFail")


def write(path: Path, samples: np.ndarray, rate: int = RATE) -> str:
    with wave.open(str(path), "wb") as file:
        file.setparams((1, 2, rate, 0, "NONE", None))
        file.writeframes(samples.astype("<i2").tobytes())
    return str(path)


@pytest.fixture
def file(tmp_path: Path) -> str:
    """Three frames and a half, counted from 1."""
    return write(tmp_path / "a.wav", np.arange(1, 3 * FRAME + FRAME // 2 + 1))


class Room:
    """A bridge with a player in it and an ear."""

    def __init__(self, host: Host, filename: str, **options: Any) -> None:
        self.host = host
        self.mixer: AudioMixer = host.mixer()
        self.ear = host.ear(self.mixer)
        # Somebody who is there all the time, so that the ear hears silence too
        self.hum = host.constant(self.mixer, 0)
        self.player: WavePlayer = host.run(WavePlayer, self.mixer, filename, **options)
        self.bridge: AudioBridge = host.run(AudioBridge, self.mixer)
        for port in (self.ear, self.hum, self.player):
            self.bridge.add(port)

    @property
    def heard(self) -> list[int]:
        samples = self.ear.samples
        begin = int(np.argmax(samples != 0)) if samples.any() else len(samples)
        return [int(sample) for sample in samples[begin:]]

    def names(self) -> list[str]:
        return self.host.recorder.names(self.player, only=NAMES)


def test_a_file_is_played_once(host: Host, file: str) -> None:
    """AB-023, AB-025, AB-026, AB-030, AB-032, AB-033, AB-034: from its first sample to its last, then it is over."""
    room = Room(host, file)
    player = room.player
    assert verifyObject(IAudioPort, player)
    assert not player.is_active
    host.run(player.start)
    assert player.is_active
    host.frames(10)
    whole = list(range(1, 3 * FRAME + FRAME // 2 + 1))
    assert room.heard[: len(whole) + 1] == [*whole, 0]
    assert not any(room.heard[len(whole) :])
    assert not player.is_active
    assert player.producer_slot is None
    assert room.names() == ["WavePlayerDidStart", "WavePlayerDidEnd"]
    assert room.mixer.used_slot_count == 5  # the devices, the ear, the hum, two of the bridge


def test_all_parameters_are_attributes(host: Host, file: str) -> None:
    """AB-024"""
    player = host.run(WavePlayer, host.mixer(), file, 50, 3, 1.5, False)
    assert (player.filename, player.volume, player.loop_count, player.pause_time, player.initial_play) == (
        file, 50, 3, 1.5, False,
    )  # fmt: skip
    for bad in ({"volume": -1}, {"loop_count": -1}, {"pause_time": -0.1}):
        with pytest.raises(ValueError, match="less than 0"):
            host.run(WavePlayer, host.mixer(), file, **bad)


def test_volume(host: Host, tmp_path: Path) -> None:
    """AB-026: in percent."""
    room = Room(host, write(tmp_path / "a.wav", np.full(FRAME, 1000)), volume=50)
    host.run(room.player.start)
    host.frames(5)
    assert set(room.heard[:FRAME]) == {500}


def test_loops_pauses_and_a_late_start(host: Host, tmp_path: Path) -> None:
    """AB-027, AB-028, AB-029, AB-033: three plays with pauses between and before; one notification for all."""
    room = Room(host, write(tmp_path / "a.wav", np.full(FRAME, 7)), loop_count=3, pause_time=0.1, initial_play=False)
    host.run(room.player.start)
    host.frames(3)
    assert room.names() == []
    assert room.player.is_active
    host.frames(50)
    play, pause = [7] * FRAME, [0] * 5 * FRAME
    assert room.heard[: 14 * FRAME] == play + pause + play + pause + play + [0] * FRAME
    assert not any(room.heard[13 * FRAME :])
    assert room.names() == ["WavePlayerDidStart", "WavePlayerDidEnd"]


def test_loops_without_a_pause_have_no_gap(host: Host, file: str) -> None:
    """AB-027, AB-028"""
    room = Room(host, file, loop_count=4)
    host.run(room.player.start)
    host.frames(20)
    whole = list(range(1, 3 * FRAME + FRAME // 2 + 1)) * 4
    assert room.heard[: len(whole)] == whole
    assert not room.player.is_active


def test_for_ever_until_stopped(host: Host, file: str) -> None:
    """AB-027, AB-030, AB-034: loop_count 0 has no end; stop() is immediate."""
    room = Room(host, file, loop_count=0)
    host.run(room.player.start)
    host.frames(1000)
    assert room.player.is_active
    assert all(room.heard[: 900 * FRAME])
    assert room.names() == ["WavePlayerDidStart"]
    host.run(room.player.stop)
    assert not room.player.is_active
    before = len(room.heard)
    host.frames(5)
    assert not any(room.heard[before:])
    assert room.names() == ["WavePlayerDidStart", "WavePlayerDidEnd"]
    host.run(room.player.stop)
    assert room.names() == ["WavePlayerDidStart", "WavePlayerDidEnd"]


def test_it_can_be_used_again(host: Host, file: str) -> None:
    """AB-025, AB-033: started and stopped any number of times; starting twice is starting once."""
    room = Room(host, file)
    for _ in range(3):
        host.run(room.player.start)
        host.run(room.player.start)
        host.frames(2)
        host.run(room.player.stop)
        host.frames(2)
    assert room.names() == ["WavePlayerDidStart", "WavePlayerDidEnd"] * 3


def test_stopped_before_it_began(host: Host, file: str) -> None:
    """AB-034: the file was not even open."""
    room = Room(host, file)
    host.run(room.player.start)
    host.run(room.player.stop)
    host.frames(10)
    assert room.names() == ["WavePlayerDidEnd"]
    assert room.heard == []
    assert room.player.producer_slot is None


def test_play_tells_of_the_end(host: Host, file: str) -> None:
    """AB-031: what it returns can be awaited; it is there when the playback ended, also by stop()."""
    room = Room(host, file)
    result = host.run(room.player.play)
    host.frames(3)
    assert not result.done
    host.frames(5)
    assert host.outcome(result) is None
    result = host.run(room.player.play)
    host.frames(1)
    host.run(room.player.stop)
    assert host.outcome(result) is None


def test_play_keeps_the_player_alive(host: Host, file: str) -> None:
    """AB-031, AB-018: `WavePlayer(...).play()` plays to its end though nobody has the player; start() does not."""
    room = Room(host, file)
    reference = weakref.ref(room.player)
    result = host.run(room.player.play)
    del room.player
    host.frames(10)
    assert host.outcome(result) is None
    assert set(range(1, 3 * FRAME)) <= set(room.heard)
    host.recorder.clear()
    gc.collect()
    assert reference() is None


def test_a_player_that_nobody_has_stops(host: Host, file: str) -> None:
    """AB-018"""
    room = Room(host, file, loop_count=0)
    host.run(room.player.start)
    host.frames(10)
    used = room.mixer.used_slot_count
    host.recorder.clear()
    del room.player
    gc.collect()
    assert room.mixer.used_slot_count == used - 1
    before = len(room.heard)
    host.frames(10)
    assert not any(room.heard[before + FRAME :])


@pytest.mark.parametrize("content", [None, b"", b"RIFF\0\0\0\0WAVE", b"rubbish" * 99])
def test_what_can_not_be_played(host: Host, tmp_path: Path, content: bytes | None) -> None:
    """AB-035: the notification has the exception of WaveFile, and play() fails with it."""
    path = tmp_path / "bad.wav"
    if content is not None:
        path.write_bytes(content)
    room = Room(host, str(path))
    result = host.run(room.player.play)
    host.frames(3)
    (failed,) = host.recorder.find_all("WavePlayerDidFail", room.player)
    assert isinstance(failed.data.error, WaveFileError)
    assert str(path) in str(failed.data.error)
    assert room.names() == ["WavePlayerDidFail"]
    assert not room.player.is_active
    assert host.outcome(result) is failed.data.error


def test_a_file_that_is_cut_off_while_it_is_played(host: Host, tmp_path: Path) -> None:
    """AB-035: as far as it goes; a repetition of what has nothing in it any more is a failure."""
    path = tmp_path / "a.wav"
    write(path, np.full(5 * RATE, 7))
    room = Room(host, str(path), loop_count=0)
    host.run(room.player.start)
    host.frames(10)
    path.write_bytes(path.read_bytes()[:44])
    host.frames(500)
    assert room.names() == ["WavePlayerDidStart", "WavePlayerDidFail"]
    assert not room.player.is_active


def test_other_rates_and_long_files(host: Host, tmp_path: Path) -> None:
    """A minute of 44.1 kHz is read while it plays, not before, and has its length."""
    room = Room(host, write(tmp_path / "a.wav", np.full(60 * 44100, 1000), 44100))
    host.run(room.player.start)
    host.frames(50)
    playback = room.player._run.playback
    assert playback._held <= 3 * RATE
    host.frames(60 * 50)
    heard = np.array(room.heard)
    assert np.count_nonzero(np.abs(heard - 1000) <= 1) == pytest.approx(60 * RATE, abs=RATE // 100)
    assert not room.player.is_active


def test_without_an_application(file: str, caplog: pytest.LogCaptureFixture) -> None:
    """AB-031: a mixer works without a reactor, on the clock's own thread; wait() blocks until the end."""
    mixer = AudioMixer()
    player = WavePlayer(mixer, file)
    with caplog.at_level(logging.ERROR):
        player.play().wait(timeout=20)
    assert not player.is_active
    assert not caplog.records
