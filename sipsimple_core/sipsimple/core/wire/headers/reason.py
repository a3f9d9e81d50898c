"""Headers that explain: Reason (RFC 3326) and Warning (RFC 3261 20.43)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Self

from sipsimple.core.wire.errors import SIPParseError
from sipsimple.core.wire.grammar import parse_number, quote, readable, unquote
from sipsimple.core.wire.headers.base import BaseHeader
from sipsimple.core.wire.headers.values import BaseValueHeader, FrozenValue, MutableValue
from sipsimple.core.wire.value import Frozen, Mutable

__all__ = [
    "BaseReasonHeader",
    "BaseWarningHeader",
    "FrozenReasonHeader",
    "FrozenWarningHeader",
    "ReasonHeader",
    "WarningHeader",
]

_warning = re.compile(r'([0-9]{3})[ \t]+([^\s"]+)[ \t]+("(?:[^"\\]|\\.)*+")', re.DOTALL).fullmatch


class BaseReasonHeader(BaseValueHeader):
    """Reason: why a request is sent, one for each `protocol`: 'SIP', 'Q.850', ... (RFC 3326 2)."""

    __slots__ = ()
    _fields = ("protocol", "parameters")
    name = "Reason"
    is_list = True

    def __init__(self, protocol: str, parameters: Mapping[str, str | None] | None = None) -> None:
        super().__init__(protocol, parameters)

    @property
    def protocol(self) -> str:
        protocol: str = self.value
        return protocol

    @protocol.setter
    def protocol(self, protocol: str) -> None:
        self.value = protocol

    @property
    def cause(self) -> int | None:
        """The status code, of SIP or of the other protocol. Raises SIPParseError if it is no number."""
        text = dict.get(self.parameters, "cause")
        return None if text is None else parse_number(text, "cause")

    @cause.setter
    def cause(self, cause: int | None) -> None:
        if cause is None:
            self.parameters.pop("cause", None)
        else:
            self.parameters["cause"] = str(cause)

    @property
    def text(self) -> str | None:
        """Words about it."""
        text = self.parameters.text("text")
        return text if text is None else readable(text)

    @text.setter
    def text(self, text: str | None) -> None:
        if text is None:
            self.parameters.pop("text", None)
        else:
            self.parameters["text"] = quote(text)


class ReasonHeader(MutableValue, BaseReasonHeader):
    __slots__ = ()


class FrozenReasonHeader(FrozenValue, BaseReasonHeader, of=ReasonHeader):
    __slots__ = ()


class BaseWarningHeader(BaseHeader):
    """Warning: more about the status of a response (RFC 3261 20.43).

    code -- three digits: 3xx are about session descriptions
    agent -- who warns: a host or a pseudonym
    text -- for people
    """

    __slots__ = ("agent", "code", "text")
    _fields = ("code", "agent", "text")
    name = "Warning"
    is_list = True

    code: int
    agent: str
    text: str

    def __init__(self, code: int, agent: str, text: str) -> None:
        if not 100 <= code <= 999:
            raise ValueError(f"not a warning code: {code}")
        self.code = code
        self.agent = agent
        self.text = text

    @classmethod
    def parse(cls, text: str) -> Self:
        match = _warning(text)
        if match is None or match[1][0] == "0":
            raise SIPParseError("not a Warning header", text)
        return cls(int(match[1]), match[2], readable(unquote(match[3])))

    @property
    def body(self) -> str:
        return f"{self.code} {self.agent} {quote(self.text)}"


class WarningHeader(Mutable, BaseWarningHeader):
    __slots__ = ()


class FrozenWarningHeader(Frozen, BaseWarningHeader, of=WarningHeader):
    __slots__ = ()
