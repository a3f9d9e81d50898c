"""Bridges: full meshes of ports, also of bridges."""

from __future__ import annotations

import gc
from pathlib import Path

import pytest
from zope.interface.verify import verifyObject

from sipsimple.audio import AudioBridge, AudioDevice, AudioPort, IAudioPort
from sipsimple.audio.testing import Host, Voice


def bridge(host: Host, mixer: object, *voices: Voice) -> AudioBridge:
    made: AudioBridge = host.run(AudioBridge, mixer)
    for voice in voices:
        made.add(voice.port)
    return made


def heard(host: Host, *voices: Voice) -> list[int | None]:
    for voice in voices:
        voice.heard = None
    host.frames(1)
    return [voice.heard for voice in voices]


def test_what_the_package_has(host: Host, tmp_path: Path) -> None:
    """AB-001, AB-002: the interface, and the objects that provide it."""
    import sipsimple.audio

    mixer = host.mixer()
    path = tmp_path / "a.wav"
    for made in (
        host.run(sipsimple.audio.AudioDevice, mixer),
        host.run(sipsimple.audio.AudioBridge, mixer),
        host.run(sipsimple.audio.WavePlayer, mixer, path),
        host.run(sipsimple.audio.WaveRecorder, mixer, path),
    ):
        assert verifyObject(sipsimple.audio.IAudioPort, made)
        assert made.mixer is mixer


def test_a_full_mesh(host: Host) -> None:
    """AB-014, AB-015, AB-016, AB-020: each new port is connected with all that are there."""
    mixer = host.mixer()
    a, b, c = (Voice(host, mixer, value) for value in (1, 20, 300))
    both = bridge(host, mixer, a, b)
    assert heard(host, a, b, c) == [20, 1, None]
    both.add(c.port)
    assert heard(host, a, b, c) == [320, 301, 21]
    assert list(both) == [a.port, b.port, c.port]
    assert len(both) == 3


def test_a_port_is_in_a_bridge_once(host: Host) -> None:
    """AB-021, AB-022: adding again has no effect, removing what is not in it is a ValueError."""
    mixer = host.mixer()
    a, b = Voice(host, mixer, 1), Voice(host, mixer, 20)
    both = bridge(host, mixer, a, b, b)
    assert heard(host, a, b) == [20, 1]
    both.remove(b.port)
    assert b.port not in both
    assert heard(host, a, b) == [None, None]
    with pytest.raises(ValueError, match="not in the bridge"):
        both.remove(b.port)


def test_what_can_not_be_in_a_bridge(host: Host) -> None:
    """AB-003: a port of another mixer can't; neither can what is no port, nor the bridge itself."""
    mixer = host.mixer()
    one = bridge(host, mixer)
    with pytest.raises(TypeError, match="IAudioPort"):
        one.add(object())
    with pytest.raises(ValueError, match="itself"):
        one.add(one)
    with pytest.raises(ValueError, match="connected to"):
        one.add(Voice(host, host.mixer(), 1).port)


def test_bridges_in_bridges(host: Host) -> None:
    """AB-017: an AudioBridge is an IAudioPort: the ports of both hear each other, nobody twice, nobody itself."""
    mixer = host.mixer()
    a, b, c, d = (Voice(host, mixer, value) for value in (1, 20, 300, 4000))
    inner, outer = bridge(host, mixer, a, b), bridge(host, mixer, c, d)
    assert verifyObject(IAudioPort, inner)
    outer.add(inner)
    assert heard(host, a, b, c, d) == [4320, 4301, 4021, 321]
    outer.remove(inner)
    assert heard(host, a, b, c, d) == [20, 1, 4000, 300]


def test_a_bridge_in_two_bridges_does_not_connect_them(host: Host) -> None:
    """AB-017: what it consumes reaches its ports, and is not what it produces."""
    mixer = host.mixer()
    a, b, c = (Voice(host, mixer, value) for value in (1, 20, 300))
    inner, left, right = bridge(host, mixer, a), bridge(host, mixer, b), bridge(host, mixer, c)
    left.add(inner)
    right.add(inner)
    assert heard(host, a, b, c) == [320, 1, 1]


def test_circles_of_bridges_do_no_harm(host: Host) -> None:
    """AB-019: they are not checked for; all hear each other, once, and none itself."""
    mixer = host.mixer()
    a, b = Voice(host, mixer, 1), Voice(host, mixer, 20)
    one, other = bridge(host, mixer, a), bridge(host, mixer, b)
    one.add(other)
    other.add(one)
    assert heard(host, a, b) == [20, 1]


def test_a_port_in_two_bridges_hears_both_and_does_not_connect_them(host: Host) -> None:
    mixer = host.mixer()
    a, b, c = (Voice(host, mixer, value) for value in (1, 20, 300))
    bridges = bridge(host, mixer, a, b), bridge(host, mixer, b, c)
    assert len(bridges[0]) == len(bridges[1]) == 2
    assert heard(host, a, b, c) == [20, 301, 20]


def test_ports_are_not_kept_alive(host: Host) -> None:
    """AB-018: a port that nobody else has is gone from the bridge and from the mixer; so is a bridge, and a device."""
    mixer = host.mixer()
    a, b = Voice(host, mixer, 1), Voice(host, mixer, 20)
    both = bridge(host, mixer, a, b)
    device = AudioDevice(mixer)
    both.add(device)
    assert heard(host, a, b) == [20, 1]
    used = mixer.used_slot_count
    del b.port, device
    gc.collect()
    assert len(both) == 1
    assert heard(host, a) == [None]
    assert mixer.used_slot_count == used - 1
    assert mixer.connected_slots == sorted(
        [
            (a.port.producer_slot, both.producer_slot),
            (both.producer_slot, both.consumer_slot),
            (both.consumer_slot, a.port.consumer_slot),
        ]
    )
    del both
    gc.collect()
    host.frames(1)
    assert mixer.connected_slots == []


class Chameleon(AudioPort):
    """A port whose roles the test changes."""

    def become(self, **slots: int | None) -> None:
        self._change_slots(**slots)


def test_a_port_that_changes_its_slots_is_connected_anew(host: Host) -> None:
    """AB-002, AB-006, AB-007, AB-008: the notification has the slots that changed, and bridges follow it."""
    mixer = host.mixer()
    a, b = Voice(host, mixer, 1), Voice(host, mixer, 20)
    chameleon = host.run(Chameleon, mixer)
    assert verifyObject(IAudioPort, chameleon)
    three = bridge(host, mixer, a)
    three.add(chameleon)
    assert heard(host, a, b) == [None, None]
    host.run(chameleon.become, producer=b.port.producer_slot)
    assert heard(host, a, b) == [20, None]
    host.run(chameleon.become, consumer=b.port.consumer_slot)
    assert heard(host, a, b) == [20, 1]
    host.run(chameleon.become, consumer=None, producer=None)
    assert heard(host, a, b) == [None, None]
    host.run(chameleon.become, consumer=None)
    changes = [vars(found.data) for found in host.recorder.find_all("AudioPortDidChangeSlots", chameleon)]
    for change in changes:
        assert change.pop("timestamp").tzinfo is not None
    slots = {"producer": b.port.producer_slot, "consumer": b.port.consumer_slot}
    assert changes == [
        {
            "consumer_slot_changed": False,
            "producer_slot_changed": True,
            "old_producer_slot": None,
            "new_producer_slot": slots["producer"],
        },
        {
            "consumer_slot_changed": True,
            "producer_slot_changed": False,
            "old_consumer_slot": None,
            "new_consumer_slot": slots["consumer"],
        },
        {
            "consumer_slot_changed": True,
            "producer_slot_changed": True,
            "old_consumer_slot": slots["consumer"],
            "new_consumer_slot": None,
            "old_producer_slot": slots["producer"],
            "new_producer_slot": None,
        },
    ]
