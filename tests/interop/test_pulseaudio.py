"""The sound devices of a real sound server: what is played is heard there, what is said there is recorded."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from sipsimple.audio.testing import tone_heard
from sipsimple.audio.tones import tone

sys.path.insert(0, str(Path(__file__).parent.parent.parent / "plugins" / "audio" / "tests"))
from call_party import Party, heard, make_tone

from .conftest import require
from .hearing import until
from .pulseaudio_server import PulseAudio

RATE = 16000
TIMEOUT = 60

# A program with a mixer on the devices of the system: it plays 440 Hz, and each second says what it hears.
PHONE = """
import sys, time
import numpy as np
from sipsimple.audio import *
from sipsimple.audio.sound_system import SoundSystem
from sipsimple.audio.testing import tone_heard

print(SoundSystem().driver.devices(), flush=True)
mixer = AudioMixer(sys.argv[1], sys.argv[2], 16000, ec_tail_length=0)
phase = 0
def get_audio(count):
    global phase
    audio = 0.3 * np.sin(2 * np.pi * 440 / 16000 * np.arange(phase, phase + count))
    phase += count
    return audio
voice, device = CallbackPort(mixer, get_audio=get_audio), AudioDevice(mixer)
bridge, microphone = AudioBridge(mixer), StreamPort(mixer, sample_rate=16000)
bridge.add(voice)
bridge.add(device)
ears = AudioBridge(mixer)
ears.add(microphone)
ears.add(device)
while True:
    heard = np.concatenate([microphone.receive().wait(timeout=20) for _ in range(50)])
    print(mixer.real_input_device, mixer.real_output_device, round(tone_heard(heard, 800, 16000), 4), flush=True)
"""


@pytest.fixture
def pulseaudio(tmp_path: Path) -> Iterator[PulseAudio]:
    require("pulseaudio")
    require("pactl")
    server = PulseAudio(tmp_path)
    yield server
    server.stop()


class Phone:
    """The program above, on the given devices."""

    def __init__(self, server: PulseAudio, microphone: str = "system_default", speaker: str = "system_default") -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", PHONE, microphone, speaker],
            env=server.environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self.devices = self.line()

    def line(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, self.process.communicate()[1]
        return line.strip()

    def wait_for(self, devices: str, strength: float) -> None:
        """Wait until it has these devices and hears 800 Hz so well."""
        lines = []
        for _ in range(TIMEOUT):
            lines.append(self.line())
            names, _, heard = lines[-1].rpartition(" ")
            if names == devices and float(heard) >= strength:
                return
        raise AssertionError("\n".join(lines))

    def stop(self) -> None:
        self.process.kill()
        self.process.communicate(timeout=TIMEOUT)


def wait_until_heard(server: PulseAudio, source: str, frequency: float) -> None:
    """Until a tone is played clearly there."""
    until(lambda: tone_heard(np.frombuffer(server.record(0.5, source), np.int16), frequency, RATE) > 0.9,
          f"{frequency} Hz is not heard at {source}", TIMEOUT)  # fmt: skip


@pytest.mark.timeout(180)
def test_what_is_played_is_heard_and_what_is_said_is_recorded(pulseaudio: PulseAudio) -> None:
    """AB-009: the devices are listed; a tone reaches the null sink, another one comes from the virtual microphone."""
    pulseaudio.play(tone(800, 1.0, RATE, volume=50).tobytes())
    phone = Phone(pulseaudio)
    try:
        assert "default_input='Microphone'" in phone.devices
        assert "default_output='Speaker'" in phone.devices
        phone.wait_for("Microphone Speaker", 0.9)
        wait_until_heard(pulseaudio, "speaker.monitor", 440)
    finally:
        phone.stop()


@pytest.mark.timeout(180)
def test_the_loudspeaker_is_unplugged_in_mid_call(pulseaudio: PulseAudio) -> None:
    """The call goes on with the default device, and what is played is heard there."""
    number = pulseaudio.pactl(
        "load-module", "module-null-sink", "sink_name=headset", "sink_properties=device.description=Headset"
    ).strip()
    pulseaudio.play(tone(800, 1.0, RATE, volume=50).tobytes())
    phone = Phone(pulseaudio, speaker="Headset")
    try:
        phone.wait_for("Microphone Headset", 0.9)
        wait_until_heard(pulseaudio, "headset.monitor", 440)
        pulseaudio.pactl("unload-module", number)
        wait_until_heard(pulseaudio, "speaker.monitor", 440)
        assert phone.process.poll() is None
    finally:
        phone.stop()


@pytest.mark.timeout(180)
def test_a_call_through_loudspeaker_and_microphone(pulseaudio: PulseAudio, tmp_path: Path) -> None:
    """AUD-012, APP-022: what the other party says is heard at the loudspeaker, what the microphone hears by them."""
    pytest.importorskip("pjsua2", reason="pip install 'sipsimple-audio[pjsua2]'", exc_type=ImportError)
    pulseaudio.play(tone(800, 1.0, RATE, volume=50).tobytes())
    recording = tmp_path / "there.wav"
    said = make_tone(tmp_path / "said.wav", 440.0, 2.0)
    here = Party(tmp_path / "here", "answer", "--calls", "1", environment=pulseaudio.environment)
    there = Party(tmp_path / "there", "call", here.address, "--play", str(said), "--loop", "--record", str(recording))
    try:
        there.wait_for("connected")
        end = time.monotonic() + TIMEOUT
        while tone_heard(np.frombuffer(pulseaudio.record(0.5), np.int16), 440, RATE) < 0.8:
            assert time.monotonic() < end, "nothing is heard at the loudspeaker"
        while heard(recording, 800) < 0.3:  # of a sum of two tones
            assert time.monotonic() < end, "nothing of the microphone is heard there"
            time.sleep(0.2)
        there.process.send_signal(signal.SIGINT)
        assert (there.end(), here.end()) == (0, 0)
    finally:
        there.kill()
        here.kill()
