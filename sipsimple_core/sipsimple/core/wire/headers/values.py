"""Headers that are one word (or number, or media type) with parameters: Event, Subscription-State, Replaces,
Session-Expires, Content-Type and the like. Each names its word; the rest is here (RFC 3261 25.1 generic-param).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from sipsimple.core.wire.errors import SIPParseError
from sipsimple.core.wire.grammar import is_token
from sipsimple.core.wire.headers.parameterized import BaseParameterizedHeader, FrozenParameterized, MutableParameterized

__all__ = ["BaseValueHeader", "FrozenValue", "MutableValue"]

_value = re.compile(r'([^;"]*+)(?:;(.*+))?+', re.DOTALL).fullmatch


class BaseValueHeader(BaseParameterizedHeader):
    """A header of one `value` and `parameters`. Subclasses give the value its own name."""

    __slots__ = ("value",)
    _fields: ClassVar[tuple[str, ...]] = ("value", "parameters")
    value_has_case: ClassVar[bool] = False

    value: Any

    def __init__(self, value: Any, parameters: Mapping[str, str | None] | None = None) -> None:
        try:
            self.value = self._check(value)
        except SIPParseError as error:
            raise ValueError(str(error)) from None
        self._parameters = self._parameters_type(parameters)

    @classmethod
    def parse(cls, text: str) -> Self:
        match = _value(text)
        if match is None:
            raise SIPParseError(f"not a value for {cls.name}", text)
        value, parameters = match.groups()
        header: Self = object.__new__(cls._open)
        header.value = cls._check(cls._convert(value.strip()))
        kind = cls._parameters_type
        header._parameters = kind.none() if parameters is None else kind.parse(parameters)
        header.__class__ = cls
        return header

    @classmethod
    def _convert(cls, text: str) -> Any:
        """The value that text on the wire is. Raises SIPParseError."""
        return text

    @classmethod
    def _check(cls, value: Any) -> Any:
        """value, if it is one. Raises SIPParseError."""
        if not is_token(value):
            raise SIPParseError(f"not a value for {cls.name}", value)
        return value

    @property
    def body(self) -> str:
        return f"{self.value}{self.parameters}" if self.parameters else str(self.value)

    def _key(self) -> tuple[Any, ...]:
        value = self.value
        if isinstance(value, str) and not self.value_has_case:
            value = value.lower()
        return value, self.parameters.comparable()


class MutableValue(MutableParameterized, BaseValueHeader):
    __slots__ = ()


class FrozenValue(FrozenParameterized, BaseValueHeader):
    __slots__ = ()
