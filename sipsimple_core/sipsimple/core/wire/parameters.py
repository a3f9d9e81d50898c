"""Parameters of headers and URIs: names without case, each at most once (RFC 3261 7.3.1, 19.1.1).

A parameter's value is kept as it stands on the wire (quotes and escapes included), None where there is no "=". The
spelling of names is kept for printing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any, NoReturn, Self

from sipsimple.core.wire.errors import SIPParseError
from sipsimple.core.wire.grammar import (
    QUOTED_STRING,
    TOKEN_CHARACTERS,
    is_token,
    split_outside_quotes,
    token_or_quoted,
    unquote,
)

__all__ = ["NO_PARAMETERS", "BaseParameters", "FrozenParameters", "Parameters"]

MAX_PARAMETERS = 64  # in one header or URI

_header_parameter = re.compile(
    rf'[ \t]*+([{TOKEN_CHARACTERS}]++)[ \t]*+(?:=[ \t]*+({QUOTED_STRING}|[^ \t\r\n";,<>\\]*+)[ \t]*+)?+', re.DOTALL
).fullmatch
_plain_parameters = re.compile(
    rf"[{TOKEN_CHARACTERS}]++(?:=[{TOKEN_CHARACTERS}:]*+)?+(?:;[{TOKEN_CHARACTERS}]++(?:=[{TOKEN_CHARACTERS}:]*+)?+)*+"
).fullmatch
_set = dict.__setitem__

_Items = Mapping[str, str | None] | Iterable[tuple[str, str | None]]


class BaseParameters(dict[str, str | None]):
    """A mapping of parameter names to values that finds a name whatever its case."""

    # Names whose spelling is not the key's: key → name as printed. Few parameters need it, so it is mostly None.
    _spelling: dict[str, str] | None = None

    def __init__(self, items: _Items | None = None) -> None:
        super().__init__()
        if items:
            pairs = items.items() if isinstance(items, Mapping) else items
            for name, value in pairs:
                self._store(name, value)
            if isinstance(items, BaseParameters) and items._spelling:
                self._spelling = dict(items._spelling)

    @classmethod
    def none(cls) -> Self:
        """What stands for no parameters at all."""
        return cls.__new__(cls)

    @classmethod
    def parse(cls, text: str, skip_empty: bool = False) -> Self:
        """Header parameters from `text`, which starts after the first ";". Raises SIPParseError.

        skip_empty -- let pass parameters of no letter (";;"), which the grammar does not know
        """
        if _plain_parameters(text):
            return cls._parse_plain(text)
        parameters = cls.__new__(cls)
        parts = split_outside_quotes(text, ";")
        if len(parts) > MAX_PARAMETERS:
            raise SIPParseError(f"more than {MAX_PARAMETERS} parameters", text)
        for part in parts:
            match = _header_parameter(part)
            if match is None:
                if skip_empty and not part.strip():
                    continue
                raise SIPParseError("not a parameter", part)
            name, value = match.groups()
            key = name.lower()
            if dict.__contains__(parameters, key):
                raise SIPParseError("the same parameter twice", text)
            dict.__setitem__(parameters, key, value)
            if key != name:
                parameters._spell(key, name)
        return parameters

    @classmethod
    def _parse_plain(cls, text: str) -> Self:
        """What `parse` does, for text without white space and quoted strings, as it mostly is."""
        parameters = cls.__new__(cls)
        parts = text.split(";")
        for part in parts:
            name, equals, value = part.partition("=")
            key = name.lower()
            _set(parameters, key, value if equals else None)
            if key != name:
                parameters._spell(key, name)
        if len(parameters) != len(parts):
            raise SIPParseError("the same parameter twice", text)
        if len(parts) > MAX_PARAMETERS:
            raise SIPParseError(f"more than {MAX_PARAMETERS} parameters", text)
        return parameters

    def _store(self, name: str, value: str | None) -> None:
        key = name.lower()
        dict.__setitem__(self, key, None if value is None else str(value))
        if key != name:
            self._spell(key, name)

    def _spell(self, key: str, name: str) -> None:
        if self._spelling is None:
            self._spelling = {}
        self._spelling[key] = name

    def __getitem__(self, name: str) -> str | None:
        return dict.__getitem__(self, name.lower())

    def __contains__(self, name: object) -> bool:
        return dict.__contains__(self, name.lower() if isinstance(name, str) else name)

    def get(self, name: str, default: Any = None) -> Any:
        return dict.get(self, name.lower(), default)

    def text(self, name: str) -> str | None:
        """The value without its quotes; None if the parameter is absent or has no value."""
        value = dict.get(self, name.lower())
        return value if value is None else unquote(value)

    def spelled(self) -> Iterable[tuple[str, str | None]]:
        """Names as they are printed, and values."""
        spelling = self._spelling
        return self.items() if spelling is None else [(spelling.get(key, key), v) for key, v in self.items()]

    def __str__(self) -> str:
        """As a header's parameters, each with its ";"."""
        return "".join(
            [
                f";{_name(name)}" if value is None else f";{_name(name)}={value and token_or_quoted(value)}"
                for name, value in self.spelled()
            ]
        )

    def comparable(self) -> frozenset[tuple[str, str | None]]:
        """What makes two sets of parameters equal: order and, but for quoted strings, case mean nothing (7.3.1)."""
        return frozenset([(key, _comparable(value) if value else value) for key, value in self.items()])

    def frozen(self) -> FrozenParameters:
        return FrozenParameters(self) if self else NO_PARAMETERS

    def thawed(self) -> Parameters:
        return Parameters(self)

    def __repr__(self) -> str:
        return repr(dict(self.spelled()))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (dict(self.spelled()),)


class Parameters(BaseParameters):
    """Parameters that may be changed."""

    def __setitem__(self, name: str, value: str | None) -> None:
        self._store(name, value)

    def __delitem__(self, name: str) -> None:
        dict.__delitem__(self, name.lower())

    def pop(self, name: str, *default: Any) -> Any:
        return dict.pop(self, name.lower(), *default)

    def setdefault(self, name: str, default: Any = None) -> Any:
        if name not in self:
            self._store(name, default)
        return self[name]

    def update(self, *items: Any, **named: str | None) -> None:
        for name, value in dict(*items, **named).items():
            self._store(name, value)

    def copy(self) -> Parameters:
        return Parameters(self)


class FrozenParameters(BaseParameters):
    """Parameters that can't be changed; hashable."""

    @classmethod
    def none(cls) -> FrozenParameters:
        return NO_PARAMETERS

    def frozen(self) -> FrozenParameters:
        return self

    def _refuse(self, *args: Any, **kwargs: Any) -> NoReturn:
        raise TypeError("FrozenParameters can not be changed: make Parameters of them")

    __setitem__ = __delitem__ = pop = popitem = setdefault = update = clear = __ior__ = _refuse

    def copy(self) -> FrozenParameters:
        return self

    def __hash__(self) -> int:  # type: ignore[override]
        return hash(self.comparable())


NO_PARAMETERS = FrozenParameters()


def _comparable(value: str) -> str:
    printed = token_or_quoted(value)
    return printed if printed[0] == '"' else printed.lower()


def _name(name: str) -> str:
    if not is_token(name):
        raise ValueError(f"not a parameter name: {name!r}")
    return name
