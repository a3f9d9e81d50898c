"""`AudioMixer`: mixes what comes into its slots for those that are connected to them.

A slot holds a source, a sink, both (slot 0, the sound devices) or neither: a bus, through which the audio of all that
is connected to it flows to all that it is connected to. Mixing is one product of matrices a frame: who hears whom and
how loud, times the frames of the sources. That matrix is worked out when connections change; buses are gone by then,
so they cost no delay, and nobody ever hears itself.
"""

from __future__ import annotations

import logging
import threading
import weakref
from collections import deque
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import numpy as np

from sipsimple.audio import notifications as _notifications  # noqa: F401
from sipsimple.audio.clock import FrameClock
from sipsimple.audio.defaults import DEFAULT_SAMPLE_RATE, DEFAULT_TAIL_LENGTH, SAMPLE_RATES
from sipsimple.audio.frames import FRAMES_A_SECOND, AudioSink, AudioSource, Floats, Samples, saturate
from sipsimple.audio.slots import DEVICE_SLOT, Slot, Slots
from sipsimple.audio.sound_link import SoundLink
from sipsimple.notification import NotificationCenter, NotificationData
from sipsimple.realm import current_realm
from sipsimple.threading import call_in_sipsimple_thread

__all__ = ["AudioMixer"]

log = logging.getLogger("sipsimple.audio")


class _Plan(NamedTuple):
    """What a frame consists of: `weights[i, j]` is how loud the sink i gets the source j."""

    sources: tuple[Slot, ...]
    sinks: tuple[Slot, ...]
    weights: Floats


class AudioMixer:
    """Mixes audio, and owns the sound devices it is heard and recorded with.

    :param input_device: the name of the microphone, `system_default`, or None for none
    :param output_device: likewise, of the loudspeaker
    :param sample_rate: 8000, 16000, 32000 or 48000 Hz, in which it mixes; others are converted
    :param ec_tail_length: milliseconds of echo that are cancelled, 0 for no echo cancellation
    :param slot_count: None for as many slots as are needed, or a bound

    All methods may be called from any thread. Devices are opened while something is connected to them, and closed a
    moment later, so that a microphone is not open all day. Without a device there is silence, and nothing fails.
    """

    def __init__(
        self,
        input_device: str | None = None,
        output_device: str | None = None,
        sample_rate: int = DEFAULT_SAMPLE_RATE,
        ec_tail_length: int = DEFAULT_TAIL_LENGTH,
        slot_count: int | None = None,
    ) -> None:
        self._sample_rate = _mixing_rate(sample_rate)
        self.slot_count = slot_count
        self._frame = sample_rate // FRAMES_A_SECOND
        self.lock = threading.RLock()  # of all that concerns connections, also the bridges' part of it
        self._link = SoundLink(sample_rate, input_device, output_device, ec_tail_length)
        self._slots = Slots(self._link.input, self._link.output, sample_rate)
        self._garbage: deque[Callable[[], object]] = deque()
        self._plan: _Plan | None = None
        self._clock = FrameClock()
        self._realm = current_realm()
        self._link.changed = _teller(self)
        # Without a reference to the mixer: devices are closed when it is garbage
        weakref.finalize(self, self._link.close)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.input_device!r} -> {self.output_device!r}, {self.sample_rate} Hz>"

    @property
    def sample_rate(self) -> int:
        """In Hz. Another one can be assigned at any time; what is in the slots goes on at its own rate."""
        return self._sample_rate

    @sample_rate.setter
    def sample_rate(self, sample_rate: int) -> None:
        with self.lock:
            self._sample_rate = _mixing_rate(sample_rate)
            self._frame = sample_rate // FRAMES_A_SECOND
            self._link.set_sample_rate(sample_rate)
            self._slots.set_mixer_rate(sample_rate)
            self._changed()

    # The devices

    @property
    def input_device(self) -> str | None:
        """The device that is asked for."""
        return self._link.input_device

    @property
    def output_device(self) -> str | None:
        """The device that is asked for."""
        return self._link.output_device

    @property
    def real_input_device(self) -> str | None:
        """The device that is open; None for none."""
        return self._link.real_input_device

    @property
    def real_output_device(self) -> str | None:
        """The device that is open; None for none."""
        return self._link.real_output_device

    @property
    def ec_tail_length(self) -> int:
        """Milliseconds of echo that are cancelled, where a library for it is installed; 0 for none."""
        return self._link.ec_tail_length

    def set_sound_devices(
        self, input_device: str | None, output_device: str | None, ec_tail_length: int | None = None
    ) -> None:
        """Use other devices from now on, also in the midst of a call."""
        self._link.set_devices(input_device, output_device, ec_tail_length)

    def reopen_sound_devices(self) -> None:
        """Close and open the devices: those of the system have changed."""
        self._link.reopen()

    @property
    def muted(self) -> bool:
        """Whether the microphone is silent."""
        return self._slots[DEVICE_SLOT].muted

    @muted.setter
    def muted(self, muted: bool) -> None:
        with self.lock:
            self._slots[DEVICE_SLOT].muted = bool(muted)
            self._plan = None

    @property
    def input_volume(self) -> int:
        """Of the microphone, in percent."""
        return self._slots[DEVICE_SLOT].source_volume

    @input_volume.setter
    def input_volume(self, volume: int) -> None:
        self.set_volume(DEVICE_SLOT, source=volume)

    @property
    def output_volume(self) -> int:
        """Of the loudspeaker, in percent."""
        return self._slots[DEVICE_SLOT].sink_volume

    @output_volume.setter
    def output_volume(self, volume: int) -> None:
        self.set_volume(DEVICE_SLOT, sink=volume)

    # Slots

    def add_slot(self, source: AudioSource | None = None, sink: AudioSink | None = None, volume: int = 100) -> int:
        """A slot for what produces audio, what consumes audio, or both; without any of them it is a bus.

        A port that does both has one slot for both: that is how the mixer knows not to let it hear itself.
        `volume` is that of the source, in percent. Raises ValueError when all slots are taken.
        """
        with self.lock:
            self._clean_up()
            if self.slot_count is not None and len(self._slots) >= self.slot_count:
                raise ValueError(f"all {self.slot_count} slots of the mixer are taken")
            slot = self._slots.add(source, sink)
            slot.source_volume = _volume(volume)
            self._changed()
            return slot.number

    def remove_slot(self, slot: int) -> None:
        """Free a slot, with all its connections. Raises ValueError for one that is not in use."""
        with self.lock:
            if slot == DEVICE_SLOT:
                raise ValueError("the slot of the devices can't be removed")
            self._slots.remove(slot)
            self._changed()

    def clean_up_later(self, function: Callable[..., object], *arguments: object) -> None:
        """Call a function with the lock held, before the next frame at the latest.

        That is for finalizers, which run at any place, in any thread, and so must not take a lock or change a table.
        """
        self._garbage.append(partial(function, *arguments))

    def drop_slot(self, slot: int) -> None:
        """Free a slot soon, for finalizers; a slot that is gone already is no error."""
        self.clean_up_later(self._discard, slot)

    def _discard(self, slot: int) -> None:
        if self._slots.discard(slot):
            self._changed()

    def set_volume(self, slot: int, *, source: int | None = None, sink: int | None = None) -> None:
        """How loud a slot is as a source and as a sink, in percent. Raises ValueError below 0."""
        with self.lock:
            found = self._slots[slot]
            found.source_volume = found.source_volume if source is None else _volume(source)
            found.sink_volume = found.sink_volume if sink is None else _volume(sink)
            self._plan = None

    @property
    def used_slot_count(self) -> int:
        """How many slots are in use, the devices' one included."""
        with self.lock:
            self._clean_up()
            return len(self._slots)

    # Connections

    @property
    def connected_slots(self) -> list[tuple[int, int]]:
        """The connections, from the first to the second of each pair."""
        with self.lock:
            self._clean_up()
            return self._slots.connections()

    def connect_slots(self, source: int, target: int) -> None:
        """Have what comes from `source` go to `target`. Raises ValueError for a slot that is not in use."""
        with self.lock:
            self._clean_up()
            self._slots.connect(source, target)
            self._changed()

    def disconnect_slots(self, source: int, target: int) -> None:
        """Undo it; without effect if they are not connected."""
        with self.lock:
            self._clean_up()
            self._slots.disconnect(source, target)
            self._changed()

    def _changed(self) -> None:
        self._plan = None
        if self._slots.have_ports or self._link.is_busy:
            self._clock.add(self)

    def _clean_up(self) -> None:
        while self._garbage:
            self._garbage.popleft()()

    # A frame

    def tick(self) -> None:
        """Mix one frame; called by the clock."""
        with self.lock:
            self._clean_up()
            if self._plan is None:
                self._plan = self._make_plan()
            sources, sinks, weights = self._plan
            count = self._frame
            self._link.tick()
            if not sinks and len(sources) == 1 and not self._link.is_busy:
                self._clock.remove(self)  # only the microphone is left, which nobody hears
                return
        frames = [
            (index, frame) for index, slot in enumerate(sources) if (frame := self._produce(slot, count)) is not None
        ]
        if not sinks:
            return
        if frames:
            heard: Floats = np.stack([frame for _, frame in frames]).astype(np.float32)
            mixed = saturate(weights[:, [index for index, _ in frames]] @ heard)
        else:
            mixed = np.zeros((len(sinks), count), np.int16)
        mixed.setflags(write=False)
        for slot, frame in zip(sinks, mixed, strict=True):
            try:
                slot.consume(frame)
            except Exception as error:
                self._expel(slot, error)

    def _make_plan(self) -> _Plan:
        routes = self._slots.routes()
        heard_by = {sink for _, sink in routes}
        sources = tuple(slot for slot in self._slots if slot.source is not None)
        sinks = tuple(slot for slot in self._slots if slot.number in heard_by)
        columns = {slot.number: (column, slot) for column, slot in enumerate(sources)}
        rows = {slot.number: (row, slot) for row, slot in enumerate(sinks)}
        weights = np.zeros((len(sinks), len(sources)), np.float32)
        for source_number, sink_number in routes:
            (column, source), (row, sink) = columns[source_number], rows[sink_number]
            weights[row, column] = 0 if source.muted else source.source_volume * sink.sink_volume / 10_000
        self._link.set_needed(input=any(source == DEVICE_SLOT for source, _ in routes), output=DEVICE_SLOT in heard_by)
        return _Plan(sources, sinks, weights)

    def _produce(self, slot: Slot, count: int) -> Floats | Samples | None:
        try:
            return slot.produce(count)
        except Exception as error:
            self._expel(slot, error)
            return None

    def _expel(self, slot: Slot, error: Exception) -> None:
        """What raises an error is heard no more: it would raise one each 20 ms."""
        log.error("%r failed and is taken out of the mixer", slot.source or slot.sink, exc_info=error)
        if slot.number != DEVICE_SLOT:
            self.drop_slot(slot.number)


def _teller(mixer: AudioMixer) -> Callable[[str | None, str | None], None]:
    """What the link to the devices, which does not keep the mixer alive, tells of a change with."""
    reference, realm = weakref.ref(mixer), mixer._realm

    def tell(input_device: str | None, output_device: str | None) -> None:
        alive = reference()
        if alive is not None:
            data = NotificationData(input_device=input_device, output_device=output_device)
            realm.run(call_in_sipsimple_thread, _post, "AudioMixerDidChangeDevices", alive, data)

    return tell


def _post(name: str, sender: object, data: NotificationData) -> None:
    NotificationCenter().post_notification(name, sender=sender, data=data)


def _mixing_rate(sample_rate: int) -> int:
    if sample_rate not in SAMPLE_RATES:
        raise ValueError(f"a sample rate of {sample_rate} Hz: expected one of {', '.join(map(str, SAMPLE_RATES))}")
    return sample_rate


def _volume(volume: int) -> int:
    if volume < 0:
        raise ValueError(f"a volume of {volume} percent")
    return volume
