"""The slots of a mixer: what is in them, and who is connected to whom."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count

import numpy as np

from sipsimple.audio.frames import AudioSink, AudioSource, Floats, Samples, saturate
from sipsimple.audio.resampler import Resampler

__all__ = ["DEVICE_SLOT", "Slot", "Slots"]

DEVICE_SLOT = 0


class Slot:
    """A slot, its volumes in percent, and the conversion between its rate and the mixer's."""

    def __init__(self, number: int, source: AudioSource | None, sink: AudioSink | None, mixer_rate: int) -> None:
        self.number = number
        self.source = source
        self.sink = sink
        self.source_volume = self.sink_volume = 100
        self.muted = False
        self.set_mixer_rate(mixer_rate)

    def set_mixer_rate(self, mixer_rate: int) -> None:
        """The mixer mixes at another rate from now on."""
        self._from_source = None if self.source is None else _resampler(self.source.sample_rate, mixer_rate)
        self._to_sink = None if self.sink is None else _resampler(mixer_rate, self.sink.sample_rate)
        self._converted: Floats = np.zeros(0, np.float32)
        self._owed = 0.0  # samples of the source's rate that are due and were not asked for

    def produce(self, count: int) -> Floats | Samples | None:
        """A frame of the source at the mixer's rate; None is silence."""
        assert self.source is not None
        resampler = self._from_source
        if resampler is None:
            return self.source.produce(count)
        self._owed += count * resampler.old_period / resampler.new_period
        wanted = int(self._owed + 1e-6)
        self._owed -= wanted
        samples = self.source.produce(wanted)
        if samples is None:
            samples = np.zeros(wanted, np.int16)
        converted = np.concatenate((self._converted, resampler.push(samples)))
        if len(converted) < count:
            # At the start, while the first period of odd rates is gathered: silence first, so that no gap comes later
            converted = np.concatenate((np.zeros(count - len(converted), np.float32), converted))
        self._converted = converted[count:]
        return converted[:count]

    def consume(self, frame: Samples) -> None:
        """A frame for the sink, at the mixer's rate."""
        assert self.sink is not None
        if self._to_sink is None:
            self.sink.consume(frame)
            return
        converted = saturate(self._to_sink.push(frame))
        if len(converted):
            self.sink.consume(converted)


def _resampler(source_rate: int, target_rate: int) -> Resampler | None:
    """What converts between the rates, if they differ."""
    return None if source_rate == target_rate else Resampler(source_rate, target_rate)


class Slots:
    """The slots by their number, and the connections."""

    def __init__(self, input: AudioSource, output: AudioSink, mixer_rate: int) -> None:
        self._rate = mixer_rate
        self._slots = {DEVICE_SLOT: Slot(DEVICE_SLOT, input, output, mixer_rate)}
        self._numbers = count(DEVICE_SLOT + 1)
        self._targets: dict[int, set[int]] = {}
        self._routes: frozenset[tuple[int, int]] | None = frozenset()

    def __len__(self) -> int:
        return len(self._slots)

    def __iter__(self) -> Iterator[Slot]:
        return iter(tuple(self._slots.values()))

    def __getitem__(self, number: int) -> Slot:
        try:
            return self._slots[number]
        except KeyError:
            raise ValueError(f"slot {number!r} of the mixer is not in use") from None

    @property
    def have_ports(self) -> bool:
        """Whether anything but the devices produces or consumes."""
        return any(slot.source is not None or slot.sink is not None for slot in self if slot.number != DEVICE_SLOT)

    def add(self, source: AudioSource | None, sink: AudioSink | None) -> Slot:
        """A new slot. No number is used again: somebody may still want to undo the connections of the one before."""
        number = next(self._numbers)
        slot = self._slots[number] = Slot(number, source, sink, self._rate)
        return slot

    def set_mixer_rate(self, mixer_rate: int) -> None:
        """The mixer mixes at another rate from now on."""
        self._rate = mixer_rate
        for slot in self:
            slot.set_mixer_rate(mixer_rate)

    def remove(self, number: int) -> None:
        """Remove a slot and its connections. Raises ValueError for one that is not in use."""
        del self._slots[self[number].number]
        self._targets.pop(number, None)
        for targets in self._targets.values():
            targets.discard(number)
        self._routes = None

    def discard(self, number: int) -> bool:
        """Remove a slot if it is in use. Returns whether it was."""
        if number not in self._slots:
            return False
        self.remove(number)
        return True

    def connect(self, source: int, target: int) -> None:
        """Raises ValueError for a slot that is not in use or lacks a source or a sink, and for a slot with itself."""
        giver, taker = self[source], self[target]
        if source == target:
            raise ValueError(f"slot {source} would hear itself")
        if giver.source is None and giver.sink is not None:
            raise ValueError(f"slot {source} produces nothing")
        if taker.sink is None and taker.source is not None:
            raise ValueError(f"slot {target} consumes nothing")
        self._targets.setdefault(source, set()).add(target)
        self._routes = None

    def disconnect(self, source: int, target: int) -> None:
        self._targets.get(source, set()).discard(target)
        self._routes = None

    def connections(self) -> list[tuple[int, int]]:
        return sorted((source, target) for source, targets in self._targets.items() for target in targets)

    def routes(self) -> frozenset[tuple[int, int]]:
        """Which source is heard by which sink, directly or through buses. Nobody hears itself."""
        if self._routes is None:
            self._routes = frozenset(
                (slot.number, sink)
                for slot in self._slots.values()
                if slot.source is not None
                for sink in self._sinks_reached(slot.number)
                if sink != slot.number
            )
        return self._routes

    def _sinks_reached(self, source: int) -> set[int]:
        reached: set[int] = set()
        waiting = [source]
        while waiting:
            for target in self._targets.get(waiting.pop(), ()):
                if target not in reached:
                    reached.add(target)
                    slot = self._slots[target]
                    if slot.source is None and slot.sink is None:
                        waiting.append(target)
        return {number for number in reached if self._slots[number].sink is not None}
