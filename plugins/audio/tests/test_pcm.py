"""Audio in and out of Python: callbacks, streams, arrays; on a virtual clock, in asyncio and in threads."""

from __future__ import annotations

import asyncio
import gc
from typing import Any

import numpy as np
import pytest

from sipsimple.audio import (
    ArrayPlayer,
    ArrayRecorder,
    AudioBridge,
    AudioMixer,
    CallbackPort,
    LevelMeter,
    PortClosedError,
    SpeechDetector,
    StreamPort,
)
from sipsimple.audio.frames import as_samples
from sipsimple.audio.levels import SILENCE, level
from sipsimple.audio.testing import FRAME, RATE, Host, tone_heard
from sipsimple.audio.tones import tone, tone_strength


def bridged(host: Host, mixer: AudioMixer, *ports: Any) -> AudioBridge:
    bridge: AudioBridge = host.run(AudioBridge, mixer)
    for port in ports:
        bridge.add(port)
    return bridge


def test_what_is_pcm() -> None:
    """Octets and arrays of 16-bit integers and floats; what is not is an error at once."""
    assert as_samples(b"\1\0\2\0").tolist() == [1, 2]
    assert as_samples(np.array([0.5, -2.0, np.nan])).tolist() == [16384, -32768, 0]
    for bad in (b"\1", np.zeros((2, 2), np.int16)):
        with pytest.raises(ValueError):
            as_samples(bad)
    for bad in ("text", [1, 2], np.zeros(2, np.int32)):
        with pytest.raises(TypeError):
            as_samples(bad)


def test_a_callback_that_returns_less_or_nothing_or_too_much(host: Host) -> None:
    """The rest is silence; too much is an error of the callback, which is not called again."""
    mixer = host.mixer()
    answers = iter([b"\5\0", None, np.full(FRAME, 6, np.int16), b"\1\0" * 2 * FRAME])
    port = host.run(CallbackPort, mixer, get_audio=lambda count: next(answers))
    ear = host.ear(mixer)
    bridge = bridged(host, mixer, port, ear)
    host.frames(6)
    assert ear.samples[: 3 * FRAME].tolist() == [5] + [0] * (2 * FRAME - 1) + [6] * FRAME
    assert not ear.samples[3 * FRAME :].any()
    assert next(answers, None) is None
    assert len(bridge) == 2


def test_what_is_sent_is_played_without_gaps(host: Host) -> None:
    """Pieces of any length, one after the other, at another rate than the mixer's too."""
    mixer = host.mixer()
    port = host.run(StreamPort, mixer, receives=False)
    ear = host.ear(mixer)
    bridge = bridged(host, mixer, port, ear)
    audio = np.arange(1, 5000).astype(np.int16)
    for piece in np.split(audio, [7, 333, 2000, 2001]):
        host.run(port.send, piece)
    assert port.pending == pytest.approx(len(audio) / RATE)
    host.frames(30)
    heard = ear.samples
    begin = int(np.argmax(heard != 0))
    assert heard[begin : begin + len(audio)].tolist() == audio.tolist()
    assert port.pending == 0
    assert len(bridge) == 2


def test_a_sender_that_is_sometimes_late_leaves_no_gap(host: Host) -> None:
    """Two frames are gathered first; what is too little for that is played all the same, a moment later."""
    mixer = host.mixer()
    port = host.run(StreamPort, mixer, receives=False)
    ear = host.ear(mixer)
    bridge = bridged(host, mixer, port, ear)
    frame = np.full(FRAME, 5, np.int16)
    for frames in (1, 1, 1, 2, 0, 1, 1, 2, 0, 1, 1):  # what the sender manages to send in each frame's time
        for _ in range(frames):
            host.run(port.send, frame)
        host.frames(1)
    host.frames(10)
    heard = ear.samples
    begin = int(np.argmax(heard != 0))
    assert set(heard[begin : begin + 11 * FRAME].tolist()) == {5}
    host.run(port.send, frame[:10])
    host.frames(10)
    assert np.count_nonzero(ear.samples) == 11 * FRAME + 10
    assert len(bridge) == 2


def test_the_sender_is_paced(host: Host) -> None:
    """`send` has its caller wait while half a second waits to be played; `drain` waits for the end, `clear` forgets."""
    mixer = host.mixer()
    port = host.run(StreamPort, mixer)
    first = host.run(port.send, np.ones(RATE // 2, np.int16))
    assert first.done
    second = host.run(port.send, np.ones(RATE // 2, np.int16))
    drained = host.run(port.drain)
    host.frames(20)
    assert not second.done
    host.frames(8)
    assert second.done
    assert not drained.done
    host.run(port.clear)
    assert host.outcome(drained) is None
    assert port.pending == 0


def test_frames_are_received(host: Host) -> None:
    """In their order; a receiver that is slow loses the oldest, and is told how many."""
    mixer = host.mixer()
    count = iter(range(1, 10**6))
    voice = host.run(CallbackPort, mixer, get_audio=lambda size: np.full(size, next(count), np.int16))
    port = host.run(StreamPort, mixer, receive_limit=0.1)
    bridge = bridged(host, mixer, voice, port)
    waiting = host.run(port.receive)
    assert not waiting.done
    host.frames(1)
    assert set(host.outcome(waiting).tolist()) == {1}
    host.frames(8)
    assert port.dropped == 3
    assert [int(host.outcome(host.run(port.receive))[0]) for _ in range(5)] == [5, 6, 7, 8, 9]
    assert len(bridge) == 2


def test_a_port_that_is_closed(host: Host) -> None:
    """What waits fails; what was received before can still be had; nothing can be sent."""
    mixer = host.mixer()
    voice, port = host.constant(mixer, 5), host.run(StreamPort, mixer)
    bridge = bridged(host, mixer, voice, port)
    host.frames(1)
    host.run(port.send, np.ones(5 * RATE, np.int16))
    drained = host.run(port.drain)
    host.run(port.close)
    assert isinstance(host.outcome(drained), PortClosedError)
    assert int(host.outcome(host.run(port.receive))[0]) == 5
    assert isinstance(host.outcome(host.run(port.receive)), PortClosedError)
    with pytest.raises(PortClosedError):
        host.run(port.send, b"\1\0")
    host.frames(2)
    assert (port.producer_slot, port.consumer_slot) == (None, None)
    assert len(bridge) == 2


def test_arrays_are_played_and_recorded(host: Host) -> None:
    """A tone as a numpy array at 44.1 kHz is heard as that tone, at 8 kHz."""
    mixer = host.mixer()
    player = host.run(ArrayPlayer, mixer, tone(600, 1.0, 44100), 44100)
    ear = host.run(ArrayRecorder, mixer, 8000, 1.5)
    bridge = bridged(host, mixer, player, ear, host.constant(mixer, 0))
    result = host.run(player.play)
    host.frames(40)
    assert not result.done
    host.frames(100)
    assert host.outcome(result) is None
    assert len(ear.samples) <= 1.5 * 8000
    heard = ear.samples
    begin = int(np.argmax(np.abs(heard) > 500))
    assert tone_strength(heard[begin + 200 : begin + 7800], 600, 8000) > 0.9999
    assert len(bridge) == 2


def test_ports_that_nobody_has_are_gone(host: Host) -> None:
    """AB-018"""
    mixer = host.mixer()
    ports = [
        host.run(StreamPort, mixer),
        host.ear(mixer),
        host.constant(mixer, 1),
        host.run(LevelMeter, mixer),
        host.run(ArrayPlayer, mixer, b"\1\0" * 99),
    ]
    assert mixer.used_slot_count == 6
    del ports
    gc.collect()
    assert mixer.used_slot_count == 1


def test_in_asyncio() -> None:
    """An echo in an asyncio task, without an application: what comes in goes out again, in real time."""

    async def main() -> None:
        mixer = AudioMixer()
        echo, caller = StreamPort(mixer), StreamPort(mixer)
        bridge = AudioBridge(mixer)
        bridge.add(echo)
        bridge.add(caller)

        async def repeat() -> None:
            async for samples in echo:
                await echo.send(samples)

        async def say() -> None:
            while True:
                await caller.send(tone(440, 1.0, RATE))

        task, speaker = asyncio.create_task(repeat()), asyncio.create_task(say())
        heard = np.zeros(0, np.int16)
        async with asyncio.timeout(30):
            while tone_heard(heard, 440, RATE) < 0.9:
                heard = np.concatenate([heard, await caller.receive()])
        speaker.cancel()
        echo.close()
        await asyncio.wait_for(task, 20)

    asyncio.run(main())


def test_in_a_thread() -> None:
    """`wait()` blocks the thread until there is room, and until all was played."""
    mixer = AudioMixer()
    port, ear = StreamPort(mixer), ArrayRecorder(mixer)
    bridge = AudioBridge(mixer)
    bridge.add(port)
    bridge.add(ear)
    for _ in range(3):
        port.send(np.full(RATE // 4, 5, np.int16)).wait(timeout=20)
    port.drain().wait(timeout=20)
    assert np.count_nonzero(ear.samples) >= 3 * RATE // 4 - FRAME


# Levels


def test_level() -> None:
    """In dB of full scale: a full sine is 3 dB below a full square, silence is far away."""
    assert level(np.full(100, -32768, np.int16)) == pytest.approx(0)
    assert level(np.full(100, 3277, np.int16)) == pytest.approx(-20, abs=0.01)
    assert level(tone(440, 1, RATE, volume=100)) == pytest.approx(-3.01, abs=0.1)
    assert level(np.zeros(100, np.int16)) == level(np.zeros(0, np.int16)) == SILENCE


def test_a_level_meter(host: Host) -> None:
    """It rises at once, and falls slowly."""
    mixer = host.mixer()
    meter = host.run(LevelMeter, mixer)
    voice = host.constant(mixer, 3277)
    silence = host.constant(mixer, 0)
    bridge = bridged(host, mixer, meter, voice, silence)
    assert meter.level == SILENCE
    host.frames(1)
    assert meter.level == pytest.approx(-20, abs=0.01)
    bridge.remove(voice)
    host.frames(50)
    assert meter.level == pytest.approx(-60, abs=0.1)


def test_speech_is_told_from_noise() -> None:
    """A word in the noise of a line: nothing before it, speech in it, and its end."""
    rng = np.random.default_rng(1)

    def noise(frames: int, loudness: float) -> list[np.ndarray]:
        return [(rng.standard_normal(FRAME) * loudness).astype(np.int16) for _ in range(frames)]

    detector = SpeechDetector()
    assert not any(detector.hear(frame) for frame in noise(100, 60))
    word = [frame + tone(200, 0.02, RATE) for frame in noise(40, 60)]
    heard = [detector.hear(frame) for frame in word]
    assert heard[:2] == [False, False]
    assert all(heard[3:])
    after = [detector.hear(frame) for frame in noise(60, 60)]
    assert after[0] and not after[40]
    assert not detector.is_speech
    assert not any(SpeechDetector().hear(np.zeros(FRAME, np.int16)) for _ in range(10))
