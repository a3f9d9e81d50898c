"""tel URIs (RFC 3966)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from sipsimple.core.wire.errors import SIPParseError
from sipsimple.core.wire.escapes import PARAMETER_LITERALS, check_escapes, escape
from sipsimple.core.wire.parameters import BaseParameters, FrozenParameters, Parameters
from sipsimple.core.wire.uri import BaseURI, comparable_parameters, parse_uri_parameters
from sipsimple.core.wire.value import Frozen, Mutable

__all__ = ["BaseTelURI", "FrozenTelURI", "TelURI"]

_tel_uri = re.compile(r'tel:(\+?[0-9A-Fa-f*#\-.()]+)(?:;([^?@\s<>"]*))?', re.IGNORECASE).fullmatch
_separators = re.compile(r"[\-.()]")


class BaseTelURI(BaseURI):
    """A telephone number as a URI.

    number -- as written, a global one with its "+"; visual separators are kept
    parameters -- as those of a SIP URI: 'ext', 'isub', 'phone-context', ...
    """

    __slots__ = ("number", "parameters")
    _fields = ("number", "parameters")
    scheme = "tel"

    number: str
    parameters: BaseParameters

    _parameters_type: ClassVar[type[BaseParameters]]

    def __init__(self, number: str, parameters: Mapping[str, str | None] | None = None) -> None:
        if _tel_uri(f"tel:{number}") is None or ";" in number:
            raise ValueError(f"not a telephone number: {number!r}")
        self.number = number
        self.parameters = self._parameters_type(parameters)

    @classmethod
    def parse(cls, text: str) -> Self:
        match = _tel_uri(text)
        if match is None:
            raise SIPParseError("not a tel URI", text)
        check_escapes(text)
        uri: Self = object.__new__(cls._open)
        number, parameters = match.groups()
        uri.number = number
        kind = cls._parameters_type
        uri.parameters = kind.none() if parameters is None else parse_uri_parameters(parameters, kind)
        uri.__class__ = cls
        return uri

    @property
    def is_global(self) -> bool:
        """Whether the number is one of the whole world (it begins with "+")."""
        return self.number[0] == "+"

    @property
    def digits(self) -> str:
        """The number without visual separators."""
        return _separators.sub("", self.number)

    def matches(self, address: object) -> bool:
        """Equivalence by RFC 3966 5: separators, order and case mean nothing; all parameters count."""
        if isinstance(address, str):
            try:
                address = FrozenTelURI.parse(address)
            except SIPParseError:
                return False
        return isinstance(address, BaseTelURI) and self._key() == address._key()

    def _key(self) -> tuple[Any, ...]:
        parameters = comparable_parameters(self.parameters)
        if "ext" in parameters or "phone-context" in parameters:
            parameters = {
                key: value and _separators.sub("", value)
                if key == "ext" or (key == "phone-context" and value[:1] == "+")
                else value
                for key, value in parameters.items()
                if value is not None
            }
        return self.digits.lower(), frozenset(parameters.items())

    def __str__(self) -> str:
        text = f"tel:{self.number}"
        for name, value in self.parameters.spelled():
            text += ";" + escape(name, PARAMETER_LITERALS)
            if value is not None:
                text += "=" + escape(value, PARAMETER_LITERALS)
        return text


class TelURI(Mutable, BaseTelURI):
    """A tel URI whose parts may be set."""

    __slots__ = ()
    parameters: Parameters
    _parameters_type = Parameters


class FrozenTelURI(Frozen, BaseTelURI, of=TelURI):
    """A tel URI that can't be changed; hashable."""

    __slots__ = ()
    parameters: FrozenParameters
    _parameters_type = FrozenParameters
