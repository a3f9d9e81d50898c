"""Numbers: integers with bounds, ports and ranges of them, durations."""

from __future__ import annotations

import re
from functools import total_ordering
from typing import Any, ClassVar, Self

from sipsimple.configuration.datatypes._quote import quote

_integer = re.compile(r"[+-]?[0-9]{1,19}", re.ASCII)
_TRUE = frozenset({"true", "yes", "on", "1"})
_FALSE = frozenset({"false", "no", "off", "0"})


def parse_boolean(value: Any) -> bool:
    """True or False, or how people write them: true/false, yes/no, on/off, 1/0. Anything else is a ValueError."""
    if isinstance(value, bool):
        return value
    if isinstance(value, int) and value in (0, 1):
        return value == 1
    if isinstance(value, str):
        word = value.strip().lower()
        if word in _TRUE:
            return True
        if word in _FALSE:
            return False
    raise ValueError(f"{quote(value)} is neither true nor false")


def parse_integer(value: Any) -> int:
    """An int, or its decimal digits. A bool and a float are a ValueError: they are mistakes."""
    if isinstance(value, int) and not isinstance(value, bool):
        return int(value)
    if isinstance(value, str) and _integer.fullmatch(value.strip()):
        return int(value)
    raise ValueError(f"{quote(value)} is not an integer")


def parse_float(value: Any) -> float:
    """A finite number, or its decimal text."""
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        try:
            number = float(value)
        except (ValueError, OverflowError):
            pass
        else:
            if number - number == 0:
                return number
    raise ValueError(f"{quote(value)} is not a number")


class BoundedInteger(int):
    """An integer from `minimum` to `maximum`, both included."""

    minimum: ClassVar[int]
    maximum: ClassVar[int]

    def __new__(cls, value: Any) -> Self:
        number = parse_integer(value)
        if not cls.minimum <= number <= cls.maximum:
            raise ValueError(f"{number} is out of range: expected {cls.minimum} to {cls.maximum}")
        return super().__new__(cls, number)


class NonNegativeInteger(BoundedInteger):
    """An integer from 0 up (to the largest that a file can hold)."""

    minimum = 0
    maximum = 2**63 - 1


class Seconds(BoundedInteger):
    """A duration of at least one second, and at most what an Expires header can say (RFC 3261 20.19)."""

    minimum = 1
    maximum = 2**32 - 1


class Port(BoundedInteger):
    """A port from 0 to 65535; 0 lets the system choose."""

    minimum = 0
    maximum = 65535


@total_ordering
class PortRange:
    """Ports from `start` to `end`, both included, written `50000-50500`.

    `PortRange(50000, 50500)` or its text. Raises ValueError unless 1 <= start <= end <= 65535.
    """

    __slots__ = ("end", "start")

    start: int
    end: int

    def __init__(self, start: Any, end: Any = None) -> None:
        if end is None:
            if isinstance(start, PortRange):
                start, end = start.start, start.end
            elif isinstance(start, str):
                first, dash, last = start.partition("-")
                if not dash:
                    raise ValueError(f"{quote(start)} is not a range of ports: expected start-end")
                start, end = first, last
            elif isinstance(start, tuple | list) and len(start) == 2:
                start, end = start
            else:
                raise ValueError(f"{quote(start)} is not a range of ports: expected start-end")
        start, end = Port(start), Port(end)
        if not 1 <= start <= end:
            raise ValueError(f"{start}-{end} is not a range of ports: expected 1 <= start <= end <= 65535")
        object.__setattr__(self, "start", int(start))
        object.__setattr__(self, "end", int(end))

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"a {type(self).__name__} is immutable")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, PortRange):
            return NotImplemented
        return (self.start, self.end) == (other.start, other.end)

    def __lt__(self, other: PortRange) -> bool:
        return (self.start, self.end) < (other.start, other.end)

    def __hash__(self) -> int:
        return hash((self.start, self.end))

    def __contains__(self, port: object) -> bool:
        return isinstance(port, int) and self.start <= port <= self.end

    def __str__(self) -> str:
        return f"{self.start}-{self.end}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.start}, {self.end})"
