"""URIs of any scheme: those that SIP does not look into (RFC 3261 25.1 absoluteURI) and the choice among all."""

from __future__ import annotations

import re
from typing import Any, Self

from sipsimple.core.wire.errors import SIPParseError
from sipsimple.core.wire.tel import BaseTelURI, FrozenTelURI, TelURI
from sipsimple.core.wire.uri import SIPURI, BaseSIPURI, BaseURI, FrozenSIPURI
from sipsimple.core.wire.value import Frozen, Mutable

__all__ = [
    "AbsoluteURI",
    "AnyFrozenURI",
    "AnyURI",
    "BaseAbsoluteURI",
    "FrozenAbsoluteURI",
    "parse_frozen_uri",
    "parse_uri",
    "to_uri",
]

_absolute_uri = re.compile(r'([A-Za-z][A-Za-z0-9+.\-]*):([^\s<>"]+)').fullmatch


class BaseAbsoluteURI(BaseURI):
    """A URI of another scheme than sip, sips and tel, kept as it came: `scheme` and, behind the colon, `rest`."""

    __slots__ = ("rest", "scheme")
    _fields = ("scheme", "rest")

    scheme: str
    rest: str

    def __init__(self, scheme: str, rest: str) -> None:
        if _absolute_uri(f"{scheme}:{rest}") is None:
            raise ValueError(f"not a URI: {scheme}:{rest}")
        self.scheme = scheme
        self.rest = rest

    @classmethod
    def parse(cls, text: str) -> Self:
        match = _absolute_uri(text)
        if match is None:
            raise SIPParseError("not a URI", text)
        uri: Self = object.__new__(cls._open)
        uri.scheme, uri.rest = match.groups()
        uri.__class__ = cls
        return uri

    def matches(self, address: object) -> bool:
        """Whether `address`, a URI or the text of one, is the same: octet by octet, but for the scheme's case."""
        scheme, _, rest = str(address).partition(":")
        return scheme.lower() == self.scheme.lower() and rest == self.rest

    def _key(self) -> tuple[Any, ...]:
        return self.scheme.lower(), self.rest

    def __str__(self) -> str:
        return f"{self.scheme}:{self.rest}"


class AbsoluteURI(Mutable, BaseAbsoluteURI):
    """A URI of another scheme, whose parts may be set."""

    __slots__ = ()


class FrozenAbsoluteURI(Frozen, BaseAbsoluteURI, of=AbsoluteURI):
    """A URI of another scheme that can't be changed; hashable."""

    __slots__ = ()


AnyURI = SIPURI | TelURI | AbsoluteURI
AnyFrozenURI = FrozenSIPURI | FrozenTelURI | FrozenAbsoluteURI
AnyBaseURI = BaseSIPURI | BaseTelURI | BaseAbsoluteURI


def parse_frozen_uri(text: str) -> AnyFrozenURI:
    """The URI that text is, frozen, by its scheme. Raises SIPParseError."""
    if text[:4] == "sip:":
        return FrozenSIPURI.parse(text)
    scheme = text[:5].lower()
    if scheme == "sips:" or scheme[:4] == "sip:":
        return FrozenSIPURI.parse(text)
    if scheme[:4] == "tel:":
        return FrozenTelURI.parse(text)
    return FrozenAbsoluteURI.parse(text)


def parse_uri(text: str) -> AnyURI:
    """The URI that text is, mutable, by its scheme. Raises SIPParseError."""
    uri: AnyURI = parse_frozen_uri(text).thawed()
    return uri


def to_uri(uri: BaseURI | str) -> BaseURI:
    """uri itself, or what it is the text of."""
    if isinstance(uri, BaseURI):
        return uri
    if isinstance(uri, str):
        return parse_frozen_uri(uri)
    raise TypeError(f"a URI or its text is needed, not {type(uri).__name__}")
