"""The mixers of the application, and what settings and devices change in them while it runs."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from sipsimple.application import SIPApplication
from sipsimple.audio import AudioBridge, AudioDevice, AudioMixer
from sipsimple.audio.sound_system import SoundSystem
from sipsimple.audio.testing import FRAME, FakeSound
from sipsimple.configuration.settings import SIPSimpleSettings
from sipsimple.testing.agent import UserAgent
from sipsimple.testing.network import MemoryNetwork


def agent(sound: FakeSound | None = None, **settings: Any) -> UserAgent:
    made = UserAgent(MemoryNetwork(), "alice", start=False)
    made._settings.update({name.replace("__", "."): value for name, value in settings.items()})
    if sound is not None:
        made.run(SoundSystem).driver = sound
    made.start()
    return made


def change(agent: UserAgent, **settings: Any) -> None:
    def save() -> None:
        group = SIPSimpleSettings().audio
        for name, value in settings.items():
            target, _, setting = name.rpartition("__")
            setattr(getattr(group, target) if target else group, setting, value)
        SIPSimpleSettings().save()

    agent.run(save)


def test_the_application_has_two_mixers() -> None:
    """APP-019, APP-020, APP-021, APP-022, APP-023, APP-024: mixers on the configured devices, bridges, and devices that
    are always in them."""
    alice = agent(audio__input_device="mic", audio__output_device="phone", audio__alert_device="bell")
    application: type[SIPApplication] = SIPApplication
    alice.run(lambda: None)
    voice, alert = alice.run(lambda: (application.voice_audio_mixer, application.alert_audio_mixer))
    assert isinstance(voice, AudioMixer) and isinstance(alert, AudioMixer)
    assert (voice.input_device, voice.output_device, voice.sample_rate) == ("mic", "phone", 16000)
    assert (alert.input_device, alert.output_device) == (None, "bell")
    for kind, mixer in (("voice", voice), ("alert", alert)):
        bridge, device = alice.run(
            lambda kind=kind: (
                getattr(application, f"{kind}_audio_bridge"),
                getattr(application, f"{kind}_audio_device"),
            )
        )
        assert isinstance(bridge, AudioBridge) and isinstance(device, AudioDevice)
        assert bridge.mixer is device.mixer is mixer
        assert list(bridge) == [device]
    alice.stop()


def test_voices_and_alerts_are_two_worlds() -> None:
    """APP-020, APP-021, APP-023, APP-024: what is added to a bridge is heard at its device alone; what the microphone
    hears reaches the voice bridge."""
    from sipsimple.audio import ArrayRecorder, CallbackPort

    sound = FakeSound("phone", "bell")
    devices = {"audio__input_device": "phone", "audio__output_device": "phone", "audio__alert_device": "bell"}
    alice = agent(sound, **devices, audio__echo_canceller__enabled=False)
    application = SIPApplication
    ports, ears = [], []
    for name, value in (("voice", 5), ("alert", 9)):
        mixer, bridge = alice.run(
            lambda name=name: (
                getattr(application, f"{name}_audio_mixer"),
                getattr(application, f"{name}_audio_bridge"),
            )
        )
        ports.append(
            alice.run(CallbackPort, mixer, get_audio=lambda count, value=value: np.full(count, value, np.int16))
        )
        ears.append(alice.run(ArrayRecorder, mixer))
        bridge.add(ports[-1])
        bridge.add(ears[-1])
    alice.network.advance(0.3)
    played = {}
    for _ in range(20):
        for device in sound.inputs:
            device.transfer(np.full(FRAME, 300, np.int16))
        alice.network.advance(0.02)
        played = {device.name: int(device.transfer(FRAME)[-1]) for device in sound.outputs}
    assert [device.name for device in sound.inputs] == ["phone"]
    assert played == {"phone": 5, "bell": 9}
    assert [int(ear.samples[-1]) for ear in ears] == [305, 9]
    alice.stop()


def test_settings_take_effect_at_run_time() -> None:
    """APP-019, APP-022: devices, rate, muting and echo cancellation follow what is saved."""
    alice = agent(FakeSound("card", "headset"))
    voice, alert = alice.run(lambda: (SIPApplication.voice_audio_mixer, SIPApplication.alert_audio_mixer))
    assert (voice.ec_tail_length, alert.ec_tail_length) == (200, 0)
    change(alice, input_device="headset", output_device=None, alert_device="headset", sample_rate=48000)
    assert (voice.input_device, voice.output_device, alert.output_device) == ("headset", None, "headset")
    assert voice.sample_rate == alert.sample_rate == 48000
    change(alice, muted=True, silent=True, echo_canceller__tail_length=100)
    assert (voice.muted, alert.output_volume, voice.ec_tail_length) == (True, 0, 100)
    change(alice, muted=False, silent=False, echo_canceller__enabled=False)
    assert (voice.muted, alert.output_volume, voice.ec_tail_length) == (False, 100, 0)
    alice.stop()


@pytest.mark.parametrize(
    ("setting", "value"), [("sample_rate", 44100), ("echo_canceller__tail_length", 501), ("sample_rate", "loud")]
)
def test_settings_that_are_refused(setting: str, value: Any) -> None:
    alice = agent()
    with pytest.raises(ValueError):
        change(alice, **{setting: value})
    alice.stop()


def test_devices_come_and_go() -> None:
    """What is plugged and unplugged is told, and what was wanted is taken when it is there again."""
    sound = FakeSound("card")
    alice = agent(sound, audio__output_device="headset")
    network = alice.network
    voice, bridge = alice.run(lambda: (SIPApplication.voice_audio_mixer, SIPApplication.voice_audio_bridge))
    from sipsimple.audio import CallbackPort

    port = alice.run(CallbackPort, voice, get_audio=lambda count: None, on_audio=lambda samples: None)
    bridge.add(port)
    network.advance(1)
    assert voice.real_output_device == "card"
    sound.names.append("headset")
    network.run_until(lambda: voice.real_output_device == "headset", 7)
    (changed,) = alice.recorder.find_all("AudioDevicesDidChange", alice.application)
    assert (changed.data.old_devices.outputs, changed.data.new_devices.outputs) == (("card",), ("card", "headset"))
    alice.stop()


def test_the_default_device_changes() -> None:
    """What uses system_default goes on with the new one."""
    sound = FakeSound("card", "headset")
    alice = agent(sound)
    voice, bridge = alice.run(lambda: (SIPApplication.voice_audio_mixer, SIPApplication.voice_audio_bridge))
    from sipsimple.audio import ArrayRecorder

    ear = alice.run(ArrayRecorder, voice)
    bridge.add(ear)
    alice.network.advance(1)
    assert voice.real_input_device == "card"
    sound.default = "headset"
    alice.network.run_until(lambda: alice.recorder.find_all("DefaultAudioDeviceDidChange"), 7)
    alice.network.advance(0.1)
    assert voice.real_input_device == "headset"
    (changed,) = alice.recorder.find_all("DefaultAudioDeviceDidChange", alice.application)
    assert (changed.data.changed_input, changed.data.changed_output) == (True, True)
    alice.stop()


def test_stopping_lets_go_of_the_devices() -> None:
    sound = FakeSound("card")
    alice = agent(sound)
    voice, bridge = alice.run(lambda: (SIPApplication.voice_audio_mixer, SIPApplication.voice_audio_bridge))
    from sipsimple.audio import ArrayRecorder

    ear = alice.run(ArrayRecorder, voice)
    bridge.add(ear)
    alice.network.advance(0.5)
    assert sound.microphone.is_open
    alice.stop()
    alice.network.advance(0.5)
    assert not any(device.is_open for device in sound.inputs)
    listed = sound.listed
    alice.network.advance(20)
    assert sound.listed == listed
