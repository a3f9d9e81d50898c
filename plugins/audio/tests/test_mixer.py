"""The mixer: who hears whom, how loud, at which rate."""

from __future__ import annotations

import gc
import logging
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipsimple.audio import AudioBridge, AudioMixer, CallbackPort
from sipsimple.audio.testing import FRAME, RATE, Host, Voice


def connect(mixer: AudioMixer, source: Any, target: Any) -> None:
    mixer.connect_slots(source.producer_slot, target.consumer_slot)


def test_silence_is_mixed_as_silence(host: Host) -> None:
    mixer = host.mixer()
    voice, ear = host.run(CallbackPort, mixer, get_audio=lambda count: None), host.ear(mixer)
    connect(mixer, voice, ear)
    host.frames(3)
    assert len(ear.samples) == 3 * FRAME
    assert not ear.samples.any()


def test_a_frame_of_20_ms_each_20_ms_of_one_clock(host: Host) -> None:
    mixer = host.mixer()
    voice, ear = host.constant(mixer, 5), host.ear(mixer)
    connect(mixer, voice, ear)
    host.network.advance(10.0)
    assert len(ear.samples) == 10 * RATE
    assert set(ear.samples.tolist()) == {5}


@pytest.mark.parametrize(("values", "sum"), [((30000, 10000), 32767), ((-30000, -10000), -32768), ((7, -3), 4)])
def test_what_is_too_loud_is_saturated(host: Host, values: tuple[int, ...], sum: int) -> None:
    mixer = host.mixer()
    ear = host.ear(mixer)
    voices = [host.constant(mixer, value) for value in values]
    for voice in voices:
        connect(mixer, voice, ear)
    host.frames(2)
    assert set(ear.samples.tolist()) == {sum}


def test_volumes(host: Host) -> None:
    mixer = host.mixer()
    voice, ear = host.constant(mixer, 1000, volume=50), host.ear(mixer)
    connect(mixer, voice, ear)
    host.frames(1)
    mixer.set_volume(voice.producer_slot, source=200)
    host.frames(1)
    mixer.set_volume(ear.consumer_slot, sink=10)
    host.frames(1)
    assert [int(ear.samples[frame * FRAME]) for frame in range(3)] == [500, 2000, 200]
    with pytest.raises(ValueError, match="-1 percent"):
        mixer.set_volume(voice.producer_slot, source=-1)


@settings(max_examples=60, deadline=None)
@given(
    voices=st.lists(st.tuples(st.integers(-9000, 9000), st.integers(0, 300)), min_size=1, max_size=7),
    connections=st.sets(st.tuples(st.integers(0, 6), st.integers(0, 6)), max_size=40),
)
def test_mixing_is_a_saturated_weighted_sum(voices: list[tuple[int, int]], connections: set[tuple[int, int]]) -> None:
    """AB-003: any number of ports, any connections: each hears the sum of those that it is connected to."""
    host = Host()
    mixer = host.mixer()
    made = [Voice(host, mixer, value) for value, _ in voices]
    for voice, (_, volume) in zip(made, voices, strict=True):
        mixer.set_volume(voice.port.producer_slot, source=volume)
    wanted = {(a, b) for a, b in connections if a != b and a < len(made) and b < len(made)}
    for source, target in wanted:
        connect(mixer, made[source].port, made[target].port)
    host.frames(2)
    for target, voice in enumerate(made):
        heard = [source for source, to in wanted if to == target]
        if not heard:
            assert voice.heard is None
        else:
            exact = sum(voices[source][0] * voices[source][1] / 100 for source in heard)
            assert voice.heard == pytest.approx(min(max(exact, -32768), 32767), abs=0.51)


@settings(max_examples=30, deadline=None)
@given(values=st.lists(st.integers(-3000, 3000), min_size=2, max_size=10))
def test_everybody_in_a_bridge_hears_all_but_itself(values: list[int]) -> None:
    """AB-015, AB-016: the mix minus oneself, for any number of ports."""
    host = Host()
    mixer = host.mixer()
    bridge = host.run(AudioBridge, mixer)
    voices = [Voice(host, mixer, value) for value in values]
    for voice in voices:
        bridge.add(voice.port)
    host.frames(1)
    assert [voice.heard for voice in voices] == [sum(values) - value for value in values]


@pytest.mark.parametrize("rate", [8000, 11025, 24000, 44100, 48000])
def test_ports_of_other_rates_are_converted(host: Host, rate: int) -> None:
    """A constant stays one through both conversions, and as many samples come out as the clock asks for."""
    mixer = host.mixer()
    asked: list[int] = []

    def get_audio(count: int) -> np.ndarray:
        asked.append(count)
        return np.full(count, 1000, np.int16)

    voice = host.run(CallbackPort, mixer, get_audio=get_audio, sample_rate=rate)
    same, other = host.ear(mixer), host.ear(mixer, sample_rate=rate)
    connect(mixer, voice, same)
    connect(mixer, voice, other)
    host.frames(100)
    assert abs(sum(asked) - 2 * rate) <= 1
    assert len(same.samples) == 2 * RATE
    assert 2 * rate - rate // 20 <= len(other.samples) <= 2 * rate
    assert set(same.samples[RATE // 4 :].tolist()) <= {999, 1000, 1001}
    assert set(other.samples[rate // 4 :].tolist()) <= {999, 1000, 1001}


def test_the_rate_of_a_mixer_can_be_changed_while_it_mixes(host: Host) -> None:
    mixer = host.mixer()
    voice, ear = host.constant(mixer, 1000), host.ear(mixer)
    connect(mixer, voice, ear)
    host.frames(50)
    mixer.sample_rate = 48000
    host.frames(50)
    assert abs(len(ear.samples) - 2 * RATE) < FRAME
    assert abs(int(ear.samples[-1]) - 1000) <= 1
    with pytest.raises(ValueError, match="44100"):
        mixer.sample_rate = 44100


def test_a_port_that_fails_is_taken_out_and_the_others_go_on(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    mixer = host.mixer()
    calls = []

    def fail(samples: object) -> None:
        calls.append(samples)
        raise RuntimeError("no")

    voice, ear = host.constant(mixer, 3), host.ear(mixer)
    bad = host.run(CallbackPort, mixer, on_audio=fail)
    connect(mixer, voice, bad)
    connect(mixer, voice, ear)
    with caplog.at_level(logging.ERROR, "sipsimple.audio"):
        host.frames(5)
    assert len(calls) == 1
    assert len(caplog.records) == 1
    assert len(ear.samples) == 5 * FRAME


def test_slots_are_counted_and_bounded(host: Host) -> None:
    """AB-004, AB-005: slots are numbers; a source has a producer's, a sink a consumer's."""
    mixer = host.mixer(slot_count=2)
    voice = host.constant(mixer, 1)
    assert (voice.producer_slot, voice.consumer_slot) == (1, None)
    assert mixer.used_slot_count == 2
    with pytest.raises(ValueError, match="2 slots"):
        host.constant(mixer, 2)
    voice.close()
    assert host.constant(mixer, 2).producer_slot is not None


def test_connections_that_can_not_be(host: Host) -> None:
    mixer = host.mixer()
    voice, ear = host.constant(mixer, 1), host.ear(mixer)
    for source, target in ((voice.producer_slot, 77), (77, ear.consumer_slot), (0, 0)):
        with pytest.raises(ValueError):
            mixer.connect_slots(source, target)
    with pytest.raises(ValueError, match="produces nothing"):
        mixer.connect_slots(ear.consumer_slot, 0)
    with pytest.raises(ValueError, match="consumes nothing"):
        mixer.connect_slots(0, voice.producer_slot)
    mixer.disconnect_slots(voice.producer_slot, 77)
    with pytest.raises(ValueError):
        mixer.remove_slot(0)
    connect(mixer, voice, ear)
    assert mixer.connected_slots == [(voice.producer_slot, ear.consumer_slot)]
    mixer.remove_slot(voice.producer_slot)
    assert mixer.connected_slots == []


def test_an_idle_mixer_costs_nothing(host: Host) -> None:
    """The clock stands still when there is nothing to mix, and when the mixer is garbage."""
    mixer = host.mixer()
    voice, ear = host.constant(mixer, 1), host.ear(mixer)
    connect(mixer, voice, ear)
    host.frames(5)
    voice.close()
    ear.close()
    host.frames(300)
    events = host.network.clock.events_run
    host.network.advance(100)
    assert host.network.clock.events_run - events < 3

    other = host.mixer()
    voices = [host.constant(other, 1)]
    host.frames(1)
    del other
    voices.clear()
    gc.collect()
    host.frames(2)
    events = host.network.clock.events_run
    host.network.advance(100)
    assert host.network.clock.events_run - events < 3


def test_two_mixers_are_two_worlds(host: Host) -> None:
    """AB-003: only ports of the same mixer exchange audio; each mixer has devices of its own."""
    voice_mixer, alert_mixer = host.mixer(), host.mixer()
    voice, ear = host.constant(voice_mixer, 5), host.ear(alert_mixer)
    alert = host.constant(alert_mixer, 9)
    connect(alert_mixer, alert, ear)
    host.frames(2)
    assert set(ear.samples.tolist()) == {9}
    with pytest.raises(ValueError, match="connected to"):
        host.run(AudioBridge, alert_mixer).add(voice)
