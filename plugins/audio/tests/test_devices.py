"""Sound devices: opened when needed, changed in mid-call, unplugged, muted, none at all."""

from __future__ import annotations

import gc
import logging
from typing import Any

import numpy as np
import pytest

from sipsimple.audio import AudioBridge, AudioDevice, AudioMixer
from sipsimple.audio.sound_system import MiniaudioDriver, NoDriver, SoundSystem
from sipsimple.audio.testing import FRAME, FakeSound, Host


class Call:
    """A mixer with the devices in a bridge with somebody who says 5."""

    def __init__(self, host: Host, *devices: str | None, **options: Any) -> None:
        self.mixer: AudioMixer = host.mixer(
            *(devices or ("system_default", "system_default")), **{"ec_tail_length": 0, **options}
        )
        self.device = host.run(AudioDevice, self.mixer)
        self.bridge = host.run(AudioBridge, self.mixer)
        self.voice, self.ear = host.constant(self.mixer, 5), host.ear(self.mixer)
        for port in (self.device, self.voice, self.ear):
            self.bridge.add(port)

    @property
    def devices(self) -> tuple[str | None, str | None]:
        return self.mixer.real_input_device, self.mixer.real_output_device


def test_both_directions(host: Host, sound: FakeSound) -> None:
    """AB-009, AB-010: what the microphone hears is produced, what the others say is played."""
    call = Call(host)
    assert call.device.mixer is call.mixer
    played = sound.run(host, 20, value=300)
    assert set(played[-10:]) == {5}
    assert set(call.ear.samples[-5 * FRAME :].tolist()) == {305}
    (changed,) = host.recorder.find_all("AudioMixerDidChangeDevices", call.mixer)
    assert (changed.data.input_device, changed.data.output_device) == ("card", "card")


def test_muting_the_device(host: Host, sound: FakeSound) -> None:
    """AB-009, AB-011, AB-012, AB-013: muted input is no producer, muted output no consumer; each change is told."""
    call = Call(host)
    device = call.device
    assert (device.producer_slot, device.consumer_slot) == (0, 0)
    sound.run(host, 20, value=300)
    host.run(setattr, device, "input_muted", True)
    assert (device.producer_slot, device.consumer_slot, device.input_muted) == (None, 0, True)
    sound.run(host, 10, value=300)
    assert set(call.ear.samples[-5 * FRAME :].tolist()) == {5}
    host.run(setattr, device, "output_muted", True)
    host.run(setattr, device, "output_muted", True)
    assert (device.consumer_slot, device.output_muted) == (None, True)
    assert set(sound.run(host, 10)[-5:]) == {0}
    host.run(setattr, device, "output_muted", False)
    host.run(setattr, device, "input_muted", False)
    played = sound.run(host, 20, value=300)
    assert set(played[-5:]) == {5}
    assert set(call.ear.samples[-5 * FRAME :].tolist()) == {305}
    assert len(host.recorder.find_all("AudioPortDidChangeSlots", device)) == 4
    both = host.run(AudioDevice, call.mixer, True, True)
    assert (both.producer_slot, both.consumer_slot) == (None, None)


def test_muting_and_volumes_of_the_mixer(host: Host, sound: FakeSound) -> None:
    call = Call(host)
    call.mixer.input_volume, call.mixer.output_volume = 50, 300
    played = sound.run(host, 20, value=300)
    assert (played[-1], int(call.ear.samples[-1])) == (15, 155)
    call.mixer.muted = True
    played = sound.run(host, 10, value=300)
    assert (played[-1], int(call.ear.samples[-1])) == (15, 5)
    assert (call.mixer.input_volume, call.mixer.output_volume, call.mixer.muted) == (50, 300, True)


def test_devices_are_open_only_while_they_are_needed(host: Host, sound: FakeSound) -> None:
    """A microphone is not open before somebody hears it, and not for long after."""
    mixer = host.mixer("system_default", "system_default")
    device = host.run(AudioDevice, mixer)
    bridge = host.run(AudioBridge, mixer)
    bridge.add(device)
    sound.run(host, 10)
    assert sound.inputs == sound.outputs == []
    ear = host.ear(mixer)
    bridge.add(ear)
    sound.run(host, 2)
    assert [len(sound.inputs), len(sound.outputs)] == [1, 0]
    bridge.remove(ear)
    sound.run(host, 100)
    assert sound.inputs[0].is_open
    sound.run(host, 100)
    assert not sound.inputs[0].is_open


def test_another_device_in_mid_call(host: Host, sound: FakeSound) -> None:
    call = Call(host)
    sound.run(host, 20, value=300)
    call.mixer.set_sound_devices("headset", "headset")
    played = sound.run(host, 20, value=300)
    assert call.devices == ("headset", "headset")
    assert (call.mixer.input_device, call.mixer.output_device) == ("headset", "headset")
    assert [device.is_open for device in sound.inputs] == [False, True]
    assert (played[-1], int(call.ear.samples[-1])) == (5, 305)
    call.mixer.set_sound_devices(None, "headset")
    sound.run(host, 10, value=300)
    assert call.devices == (None, "headset")
    assert int(call.ear.samples[-1]) == 5


def test_a_device_that_is_unplugged(host: Host, sound: FakeSound, caplog: pytest.LogCaptureFixture) -> None:
    """Its place is taken by the default device after two seconds, and it takes it back when told that it is there."""
    call = Call(host, "headset", "headset")
    sound.run(host, 20, value=300)
    sound.names.remove("headset")
    with caplog.at_level(logging.WARNING, "sipsimple.audio"):
        played = sound.run(host, 150, value=200)
    assert call.devices == ("card", "card")
    assert (played[-1], int(call.ear.samples[-1])) == (5, 205)
    assert "no sign of life" in caplog.text
    sound.names.append("headset")
    call.mixer.reopen_sound_devices()
    sound.run(host, 20, value=300)
    assert call.devices == ("headset", "headset")


def test_no_device_at_all(host: Host, caplog: pytest.LogCaptureFixture) -> None:
    """A machine without sound: silence, said once in the log, and everything else works."""
    assert isinstance(host.run(SoundSystem).driver, NoDriver)
    call = Call(host)
    with caplog.at_level(logging.WARNING, "sipsimple.audio"):
        host.frames(3000)
    assert call.devices == (None, None)
    assert set(call.ear.samples.tolist()) == {5}
    assert len([record for record in caplog.records if "silence instead" in record.message]) == 2  # one each direction


def test_the_last_device_is_unplugged_and_plugged_again(host: Host, sound: FakeSound) -> None:
    call = Call(host)
    sound.run(host, 20, value=300)
    sound.names.clear()
    sound.run(host, 300, value=300)
    assert call.devices == (None, None)
    assert int(call.ear.samples[-1]) == 5
    sound.names.append("card")
    sound.run(host, 1000, value=300)
    assert call.devices == ("card", "card")
    assert int(call.ear.samples[-1]) == 305


def test_a_driver_that_fails_in_an_unknown_way(host: Host, sound: FakeSound, caplog: pytest.LogCaptureFixture) -> None:
    def fail(*args: object) -> Any:
        raise RuntimeError("driver broken")

    sound.open_input = fail  # type: ignore[method-assign]
    call = Call(host)
    with caplog.at_level(logging.ERROR, "sipsimple.audio"):
        host.frames(20)
    assert "driver broken" in caplog.text
    assert set(call.ear.samples.tolist()) == {5}


def test_devices_are_closed_with_the_mixer(host: Host, sound: FakeSound) -> None:
    call = Call(host)
    sound.run(host, 5)
    assert sound.microphone.is_open
    host.recorder.clear()
    del call
    gc.collect()
    assert [device.is_open for device in (*sound.inputs, *sound.outputs)] == [False, False]


def test_a_device_whose_clock_drifts(host: Host, sound: FakeSound) -> None:
    """A microphone that is half a per cent fast: the delay stays bounded."""
    call = Call(host)
    for _ in range(60):
        sound.run(host, 49, value=300)
        sound.run(host, 1, value=300, count=2 * FRAME - FRAME // 2)
    assert call.mixer.real_input_device == "card"
    link = call.mixer._link
    assert len(link.input.ring) < 8 * FRAME
    assert link.input.ring.dropped > 0


def test_echo_is_cancelled(host: Host, sound: FakeSound) -> None:
    """What is played and comes back through the microphone is weaker by 20 dB after some seconds."""
    pytest.importorskip("pywebrtc_audio")
    call = Call(host, ec_tail_length=200)
    rng = np.random.default_rng(1)
    speech = (rng.standard_normal(400 * FRAME) * np.repeat(rng.random(400) > 0.4, FRAME) * 5000).astype(np.int16)
    call.bridge.remove(call.voice)
    frames = iter(speech.reshape(-1, FRAME))
    from sipsimple.audio import CallbackPort

    far = host.run(CallbackPort, call.mixer, get_audio=lambda count: next(frames, None))
    call.bridge.add(far)
    call.bridge.remove(call.ear)
    near = host.ear(call.mixer)
    call.mixer.connect_slots(0, near.consumer_slot)
    echo = np.zeros(FRAME, np.int16)
    heard = []
    for _ in range(390):
        if sound.inputs:
            sound.microphone.transfer(echo)
            heard.append(echo)
        host.frames(1)
        played = sound.loudspeaker.transfer(FRAME) if sound.outputs else None
        echo = np.zeros(FRAME, np.int16) if played is None else (played // 2).astype(np.int16)
    came = np.concatenate(heard)[-150 * FRAME :].astype(float)
    left = near.samples[-150 * FRAME :].astype(float)
    assert np.mean(came**2) > 100 * np.mean(left**2)


def test_without_the_library_there_is_no_echo_cancellation_and_the_log_says_so(
    host: Host, sound: FakeSound, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pywebrtc_audio", None)
    call = Call(host, ec_tail_length=200)
    with caplog.at_level(logging.WARNING, "sipsimple.audio"):
        sound.run(host, 30, value=300)
        other = Call(host, ec_tail_length=200)
        sound.run(host, 30, value=300)
    assert caplog.text.count("Echo is not cancelled") == 1
    assert int(call.ear.samples[-1]) == int(other.ear.samples[-1]) == 305


def test_the_driver_of_this_machine_lists_what_there_is() -> None:
    """With or without sound, listing raises nothing, and what is default is in the list."""
    devices = MiniaudioDriver().devices()
    assert devices.default_input is None or devices.default_input in devices.inputs
    assert devices.default_output is None or devices.default_output in devices.outputs
