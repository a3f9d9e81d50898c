"""Headers that point to more: Alert-Info, Call-Info, Error-Info (RFC 3261 20.4, 20.9, 20.18)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Self

from sipsimple.core.wire.errors import SIPParseError
from sipsimple.core.wire.headers.parameterized import BaseParameterizedHeader, FrozenParameterized, MutableParameterized

__all__ = [
    "AlertInfoHeader",
    "BaseAlertInfoHeader",
    "BaseCallInfoHeader",
    "BaseErrorInfoHeader",
    "BaseInfoHeader",
    "CallInfoHeader",
    "ErrorInfoHeader",
    "FrozenAlertInfoHeader",
    "FrozenCallInfoHeader",
    "FrozenErrorInfoHeader",
]

_info = re.compile(r"<([^<>\s]+)>[ \t]*(?:;(.*))?", re.DOTALL).fullmatch


class BaseInfoHeader(BaseParameterizedHeader):
    """A `uri` (as text, of any scheme) in angle brackets, and `parameters`."""

    __slots__ = ("uri",)
    _fields = ("uri", "parameters")
    is_list = True

    uri: str

    def __init__(self, uri: str, parameters: Mapping[str, str | None] | None = None) -> None:
        if _info(f"<{uri}>") is None:
            raise ValueError(f"not a URI: {uri!r}")
        self.uri = uri
        self._parameters = self._parameters_type(parameters)

    @classmethod
    def parse(cls, text: str) -> Self:
        match = _info(text)
        if match is None:
            raise SIPParseError(f"not a URI for {cls.name}", text)
        return cls(match[1], cls._parameters_type.parse(match[2]) if match[2] is not None else None)

    @property
    def body(self) -> str:
        return f"<{self.uri}>{self.parameters}"

    def _key(self) -> tuple[Any, ...]:
        return self.uri, self.parameters.comparable()


class _Info(MutableParameterized, BaseInfoHeader):
    __slots__ = ()


class _FrozenInfo(FrozenParameterized, BaseInfoHeader):
    __slots__ = ()


class BaseAlertInfoHeader(BaseInfoHeader):
    """Alert-Info: another ring tone (RFC 3261 20.4)."""

    __slots__ = ()
    name = "Alert-Info"


class AlertInfoHeader(_Info, BaseAlertInfoHeader):
    __slots__ = ()


class FrozenAlertInfoHeader(_FrozenInfo, BaseAlertInfoHeader, of=AlertInfoHeader):
    __slots__ = ()


class BaseCallInfoHeader(BaseInfoHeader):
    """Call-Info: more about caller or callee; parameter 'purpose': 'icon', 'info', 'card' (RFC 3261 20.9)."""

    __slots__ = ()
    name = "Call-Info"


class CallInfoHeader(_Info, BaseCallInfoHeader):
    __slots__ = ()


class FrozenCallInfoHeader(_FrozenInfo, BaseCallInfoHeader, of=CallInfoHeader):
    __slots__ = ()


class BaseErrorInfoHeader(BaseInfoHeader):
    """Error-Info: more about the error of a response (RFC 3261 20.18)."""

    __slots__ = ()
    name = "Error-Info"


class ErrorInfoHeader(_Info, BaseErrorInfoHeader):
    __slots__ = ()


class FrozenErrorInfoHeader(_FrozenInfo, BaseErrorInfoHeader, of=ErrorInfoHeader):
    __slots__ = ()
