"""Headers with parameters, which are parsed when they are first asked for (RFC 3261 7.3.1, 20)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from sipsimple.core.wire.headers.base import BaseHeader
from sipsimple.core.wire.parameters import BaseParameters, FrozenParameters, Parameters
from sipsimple.core.wire.value import Frozen, Mutable

__all__ = ["BaseParameterizedHeader", "FrozenParameterized", "MutableParameterized"]


class BaseParameterizedHeader(BaseHeader):
    """A header with `parameters`. Asking for them raises SIPParseError if a parsed header has malformed ones."""

    __slots__ = ("_parameters",)

    _parameters: Any  # until somebody asks the text behind the first ";", None if there is none

    _parameters_type: ClassVar[type[BaseParameters]]
    skips_empty_parameters: ClassVar[bool] = False

    @property
    def parameters(self) -> BaseParameters:
        """Those of the header: a mapping of names, without case, to values as they stand on the wire."""
        parameters: BaseParameters = self._parsed_parameters()
        return parameters

    def _parsed_parameters(self) -> Any:
        parameters = self._parameters
        if parameters is None or type(parameters) is str:
            kind = self._parameters_type
            parameters = kind.none() if parameters is None else kind.parse(parameters, self.skips_empty_parameters)
            object.__setattr__(self, "_parameters", parameters)  # also in a frozen header: its value is the same
        return parameters

    def _printed_parameters(self) -> str:
        parameters = self._parameters
        return "" if parameters is None else f";{parameters}" if type(parameters) is str else str(parameters)


class MutableParameterized(Mutable, BaseParameterizedHeader):
    """Mixin of mutable headers with parameters."""

    __slots__ = ()
    _parameters_type = Parameters

    @property
    def parameters(self) -> Parameters:
        parameters: Parameters = self._parsed_parameters()
        return parameters

    @parameters.setter
    def parameters(self, parameters: Mapping[str, str | None] | None) -> None:
        self._parameters = Parameters(parameters)


class FrozenParameterized(Frozen, BaseParameterizedHeader):
    """Mixin of frozen headers with parameters."""

    __slots__ = ()
    _parameters_type = FrozenParameters

    @property
    def parameters(self) -> FrozenParameters:
        parameters: FrozenParameters = self._parsed_parameters()
        return parameters
