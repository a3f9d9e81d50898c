"""Headers of time: Date (RFC 3261 20.17: an RFC 1123 date in GMT, nothing else) and Timestamp (20.38)."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Self

from sipsimple.core.wire.errors import SIPParseError
from sipsimple.core.wire.headers.base import BaseHeader
from sipsimple.core.wire.value import Frozen, Mutable

__all__ = [
    "BaseDateHeader",
    "BaseTimestampHeader",
    "DateHeader",
    "FrozenDateHeader",
    "FrozenTimestampHeader",
    "TimestampHeader",
]

_DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

_date = re.compile(
    rf"(?:{'|'.join(_DAYS)}), ([0-9]{{1,2}}) ({'|'.join(_MONTHS)}) ([0-9]{{4}}) "
    r"([0-9]{2}):([0-9]{2}):([0-9]{2}) GMT"
).fullmatch
_timestamp = re.compile(r"([0-9]{1,20}(?:\.[0-9]{0,20})?)(?:[ \t]+([0-9]{0,20}(?:\.[0-9]{0,20})?))?").fullmatch


class BaseDateHeader(BaseHeader):
    """Date: when the message was first sent: `moment`, an aware datetime, to the second."""

    __slots__ = ("moment",)
    _fields = ("moment",)
    name = "Date"

    moment: datetime

    def __init__(self, moment: datetime) -> None:
        if moment.tzinfo is None:
            raise ValueError("a Date header needs an aware datetime")
        self.moment = moment.astimezone(UTC).replace(microsecond=0)

    @classmethod
    def parse(cls, text: str) -> Self:
        match = _date(text)
        if match is None:
            raise SIPParseError("not a date in GMT", text)
        day, month, year, hour, minute, second = match.groups()
        try:
            value = datetime(
                int(year), _MONTHS.index(month) + 1, int(day), int(hour), int(minute), min(int(second), 59), tzinfo=UTC
            )  # a leap second is shown as the one before
        except ValueError:
            raise SIPParseError("not a date", text) from None
        return cls(value)

    @property
    def body(self) -> str:
        value = self.moment
        return (
            f"{_DAYS[value.weekday()]}, {value.day:02} {_MONTHS[value.month - 1]} {value.year:04} "
            f"{value.hour:02}:{value.minute:02}:{value.second:02} GMT"
        )


class DateHeader(Mutable, BaseDateHeader):
    __slots__ = ()


class FrozenDateHeader(Frozen, BaseDateHeader, of=DateHeader):
    __slots__ = ()


class BaseTimestampHeader(BaseHeader):
    """Timestamp: when a request was sent, and the delay of its answer, in seconds; text, for its digits count."""

    __slots__ = ("delay", "timestamp")
    _fields = ("timestamp", "delay")
    name = "Timestamp"

    timestamp: str
    delay: str | None

    def __init__(self, timestamp: str, delay: str | None = None) -> None:
        if _timestamp(f"{timestamp} {delay or 0}") is None:
            raise ValueError(f"not a timestamp: {timestamp} {delay}")
        self.timestamp = str(timestamp)
        self.delay = None if delay is None else str(delay)

    @classmethod
    def parse(cls, text: str) -> Self:
        match = _timestamp(text)
        if match is None:
            raise SIPParseError("not a timestamp", text)
        return cls(match[1], match[2])

    @property
    def body(self) -> str:
        return self.timestamp if self.delay is None else f"{self.timestamp} {self.delay}"


class TimestampHeader(Mutable, BaseTimestampHeader):
    __slots__ = ()


class FrozenTimestampHeader(Frozen, BaseTimestampHeader, of=TimestampHeader):
    __slots__ = ()
