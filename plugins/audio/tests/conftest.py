"""Fixtures: a host of virtual time, and a machine with two sound devices."""

from __future__ import annotations

import pytest

from sipsimple.audio.sound_system import SoundSystem
from sipsimple.audio.testing import FakeSound, Host


@pytest.fixture
def host() -> Host:
    return Host()


@pytest.fixture
def sound(host: Host) -> FakeSound:
    sound = FakeSound("card", "headset")
    host.run(SoundSystem).driver = sound
    return sound
