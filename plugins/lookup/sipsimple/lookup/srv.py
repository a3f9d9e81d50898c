"""SRV records (RFC 2782): the servers of a service, in the order in which they are to be tried."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import accumulate, groupby
from operator import attrgetter
from random import Random
from typing import Any, NamedTuple

from sipsimple.lookup.message import name_of

__all__ = ["Target", "in_order", "targets"]

#: More servers of one service are left out.
MAX_TARGETS = 256

_priority = attrgetter("priority")


class Target(NamedTuple):
    """A server: its name and its port."""

    host: str
    port: int


def targets(records: Iterable[Any], random: Random) -> list[Target]:
    """The servers that SRV records name, those first that are to be tried first.

    None if the service is decidedly not available, which a target "." says.
    """
    ordered = in_order([record for record in records if record.port and record.target.labels != (b"",)], random)
    return [Target(name_of(record.target), record.port) for record in ordered[:MAX_TARGETS]]


def in_order(records: Sequence[Any], random: Random) -> list[Any]:
    """By priority; those of one priority by chance, each with a likelihood that its weight is the share of."""
    ordered: list[Any] = []
    for _, group in groupby(sorted(records, key=_priority), _priority):
        ordered += _weighted(list(group), random)
    return ordered


def _weighted(group: list[Any], random: Random) -> list[Any]:
    if len(group) == 1:
        return group
    random.shuffle(group)
    group.sort(key=lambda record: record.weight > 0)  # those of no weight first, which gives them a very small chance
    ordered = []
    total = sum(record.weight for record in group)
    while group:
        chosen = random.randint(0, total)
        sums = accumulate(record.weight for record in group)
        record = group.pop(next(index for index, running in enumerate(sums) if running >= chosen))
        total -= record.weight
        ordered.append(record)
    return ordered
