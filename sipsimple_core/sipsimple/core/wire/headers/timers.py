"""Headers of session timers: Session-Expires and Min-SE (RFC 4028 4, 5), and Retry-After (RFC 3261 20.33)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Self

from sipsimple.core.wire.errors import SIPParseError
from sipsimple.core.wire.grammar import MAX_32_BIT, parse_number, quote, readable
from sipsimple.core.wire.headers.parameterized import BaseParameterizedHeader, FrozenParameterized, MutableParameterized
from sipsimple.core.wire.headers.values import BaseValueHeader, FrozenValue, MutableValue

__all__ = [
    "BaseMinSEHeader",
    "BaseRetryAfterHeader",
    "BaseSecondsHeader",
    "BaseSessionExpiresHeader",
    "FrozenMinSEHeader",
    "FrozenRetryAfterHeader",
    "FrozenSessionExpiresHeader",
    "MinSEHeader",
    "RetryAfterHeader",
    "SessionExpiresHeader",
]

_retry_after = re.compile(r"([0-9]+)[ \t]*(?:\(((?:[^()\\]|\\.)*)\)[ \t]*)?(?:;(.*))?", re.DOTALL).fullmatch


class BaseSecondsHeader(BaseValueHeader):
    """A number of `seconds` with parameters."""

    __slots__ = ()
    _fields = ("seconds", "parameters")

    def __init__(self, seconds: int, parameters: Mapping[str, str | None] | None = None) -> None:
        super().__init__(seconds, parameters)

    @classmethod
    def _convert(cls, text: str) -> int:
        return parse_number(text, cls.name)

    @classmethod
    def _check(cls, value: Any) -> int:
        seconds = int(value)
        if not 0 <= seconds <= MAX_32_BIT:
            raise SIPParseError(f"{cls.name} of {seconds} seconds")
        return seconds

    @property
    def seconds(self) -> int:
        seconds: int = self.value
        return seconds

    @seconds.setter
    def seconds(self, seconds: int) -> None:
        self.value = seconds


class BaseSessionExpiresHeader(BaseSecondsHeader):
    """Session-Expires: seconds until the session ends unless it is refreshed (RFC 4028 4)."""

    __slots__ = ()
    name = "Session-Expires"

    @property
    def refresher(self) -> str | None:
        """Who refreshes: 'uac', 'uas', or None if not stated."""
        refresher = dict.get(self.parameters, "refresher")
        return refresher and refresher.lower()


class SessionExpiresHeader(MutableValue, BaseSessionExpiresHeader):
    __slots__ = ()


class FrozenSessionExpiresHeader(FrozenValue, BaseSessionExpiresHeader, of=SessionExpiresHeader):
    __slots__ = ()


class BaseMinSEHeader(BaseSecondsHeader):
    """Min-SE: the shortest session interval, in seconds, that its sender takes (RFC 4028 5)."""

    __slots__ = ()
    name = "Min-SE"


class MinSEHeader(MutableValue, BaseMinSEHeader):
    __slots__ = ()


class FrozenMinSEHeader(FrozenValue, BaseMinSEHeader, of=MinSEHeader):
    __slots__ = ()


class BaseRetryAfterHeader(BaseParameterizedHeader):
    """Retry-After: when to try again (RFC 3261 20.33).

    seconds -- from now
    comment -- words about it, or None
    parameters -- 'duration': how long it will then be reachable
    """

    __slots__ = ("comment", "seconds")
    _fields = ("seconds", "comment", "parameters")
    name = "Retry-After"

    seconds: int
    comment: str | None

    def __init__(
        self, seconds: int, comment: str | None = None, parameters: Mapping[str, str | None] | None = None
    ) -> None:
        self.seconds = seconds
        self.comment = comment
        self._parameters = self._parameters_type(parameters)

    @classmethod
    def parse(cls, text: str) -> Self:
        match = _retry_after(text)
        if match is None:
            raise SIPParseError("not a Retry-After header", text)
        seconds, comment, parameters = match.groups()
        kind = cls._parameters_type
        return cls(
            parse_number(seconds, cls.name),
            comment if comment is None else readable(re.sub(r"\\(.)", r"\1", comment)),
            kind.none() if parameters is None else kind.parse(parameters),
        )

    @property
    def duration(self) -> int | None:
        """Seconds. Raises SIPParseError if it is no number."""
        text = dict.get(self.parameters, "duration")
        return None if text is None else parse_number(text, "duration")

    @property
    def body(self) -> str:
        comment = ""
        if self.comment is not None:
            # A comment's escapes are those of a quoted string, and of "(" and ")" (RFC 3261 25.1).
            inner = quote(self.comment)[1:-1].replace('\\"', '"').replace("(", "\\(").replace(")", "\\)")
            comment = f" ({inner})"
        return f"{self.seconds}{comment}{self.parameters}"

    def _key(self) -> tuple[Any, ...]:
        return self.seconds, self.comment, self.parameters.comparable()


class RetryAfterHeader(MutableParameterized, BaseRetryAfterHeader):
    __slots__ = ()


class FrozenRetryAfterHeader(FrozenParameterized, BaseRetryAfterHeader, of=RetryAfterHeader):
    __slots__ = ()
