"""Headers that are a list of tokens: Allow, Supported, Require and the like (RFC 3261 20.5, 20.32, 20.37; ...)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, ClassVar, Self

from sipsimple.core.wire.errors import SIPParseError
from sipsimple.core.wire.grammar import is_token
from sipsimple.core.wire.headers.base import MAX_LIST_ELEMENTS, BaseHeader
from sipsimple.core.wire.value import Frozen, Mutable

__all__ = [
    "AllowEventsHeader",
    "AllowHeader",
    "BaseAllowEventsHeader",
    "BaseAllowHeader",
    "BaseContentEncodingHeader",
    "BaseContentLanguageHeader",
    "BasePrivacyHeader",
    "BaseProxyRequireHeader",
    "BaseRecvInfoHeader",
    "BaseRequireHeader",
    "BaseSupportedHeader",
    "BaseTokensHeader",
    "BaseUnsupportedHeader",
    "ContentEncodingHeader",
    "ContentLanguageHeader",
    "FrozenAllowEventsHeader",
    "FrozenAllowHeader",
    "FrozenContentEncodingHeader",
    "FrozenContentLanguageHeader",
    "FrozenPrivacyHeader",
    "FrozenProxyRequireHeader",
    "FrozenRecvInfoHeader",
    "FrozenRequireHeader",
    "FrozenSupportedHeader",
    "FrozenUnsupportedHeader",
    "PrivacyHeader",
    "ProxyRequireHeader",
    "RecvInfoHeader",
    "RequireHeader",
    "SupportedHeader",
    "UnsupportedHeader",
]


class BaseTokensHeader(BaseHeader):
    """A list of tokens, `values`; all those of one field. An empty field is an empty list."""

    __slots__ = ("values",)
    _fields = ("values",)
    separator: ClassVar[str] = ","
    has_case: ClassVar[bool] = False

    values: Any

    def __init__(self, values: Iterable[str] = ()) -> None:
        if isinstance(values, str):
            raise TypeError(f"{self.name} takes a list of tokens, not one str")
        self.values = self._own([str(value) for value in values])
        for value in self.values:
            if not is_token(value):
                raise ValueError(f"not a token in {self.name}: {value!r}")

    @classmethod
    def parse(cls, text: str) -> Self:
        values = [value for value in [part.strip() for part in text.split(cls.separator)] if value]
        if len(values) > MAX_LIST_ELEMENTS:
            raise SIPParseError(f"more than {MAX_LIST_ELEMENTS} tokens in {cls.name}")
        for value in values:
            if not is_token(value):
                raise SIPParseError(f"not a token in {cls.name}", value)
        return cls(values)

    @property
    def body(self) -> str:
        return f"{self.separator} ".join(self.values) if self.separator == "," else self.separator.join(self.values)

    def __iter__(self) -> Iterator[str]:
        return iter(self.values)

    def __len__(self) -> int:
        return len(self.values)

    def __contains__(self, value: object) -> bool:
        """Whether a token is in the list. Only methods (Allow) have case."""
        if not isinstance(value, str):
            return False
        if self.has_case:
            return value in self.values
        return value.lower() in [own.lower() for own in self.values]

    def _key(self) -> tuple[Any, ...]:
        return tuple(self.values) if self.has_case else tuple([value.lower() for value in self.values])


class _Tokens(Mutable, BaseTokensHeader):
    __slots__ = ()
    values: list[str]


class _FrozenTokens(Frozen, BaseTokensHeader):
    __slots__ = ()
    values: tuple[str, ...]


class BaseAllowHeader(BaseTokensHeader):
    """Allow: the methods that its sender takes (RFC 3261 20.5)."""

    __slots__ = ()
    name = "Allow"
    has_case = True


class AllowHeader(_Tokens, BaseAllowHeader):
    __slots__ = ()


class FrozenAllowHeader(_FrozenTokens, BaseAllowHeader, of=AllowHeader):
    __slots__ = ()


class BaseAllowEventsHeader(BaseTokensHeader):
    """Allow-Events: the event packages that its sender takes (RFC 6665 8.2.2)."""

    __slots__ = ()
    name = "Allow-Events"


class AllowEventsHeader(_Tokens, BaseAllowEventsHeader):
    __slots__ = ()


class FrozenAllowEventsHeader(_FrozenTokens, BaseAllowEventsHeader, of=AllowEventsHeader):
    __slots__ = ()


class BaseRequireHeader(BaseTokensHeader):
    """Require: extensions that the recipient must know (RFC 3261 20.32)."""

    __slots__ = ()
    name = "Require"


class RequireHeader(_Tokens, BaseRequireHeader):
    __slots__ = ()


class FrozenRequireHeader(_FrozenTokens, BaseRequireHeader, of=RequireHeader):
    __slots__ = ()


class BaseProxyRequireHeader(BaseTokensHeader):
    """Proxy-Require: extensions that proxies must know (RFC 3261 20.29)."""

    __slots__ = ()
    name = "Proxy-Require"


class ProxyRequireHeader(_Tokens, BaseProxyRequireHeader):
    __slots__ = ()


class FrozenProxyRequireHeader(_FrozenTokens, BaseProxyRequireHeader, of=ProxyRequireHeader):
    __slots__ = ()


class BaseSupportedHeader(BaseTokensHeader):
    """Supported: extensions that its sender knows (RFC 3261 20.37)."""

    __slots__ = ()
    name = "Supported"


class SupportedHeader(_Tokens, BaseSupportedHeader):
    __slots__ = ()


class FrozenSupportedHeader(_FrozenTokens, BaseSupportedHeader, of=SupportedHeader):
    __slots__ = ()


class BaseUnsupportedHeader(BaseTokensHeader):
    """Unsupported: required extensions that its sender does not know; in 420 (RFC 3261 20.40)."""

    __slots__ = ()
    name = "Unsupported"


class UnsupportedHeader(_Tokens, BaseUnsupportedHeader):
    __slots__ = ()


class FrozenUnsupportedHeader(_FrozenTokens, BaseUnsupportedHeader, of=UnsupportedHeader):
    __slots__ = ()


class BaseContentEncodingHeader(BaseTokensHeader):
    """Content-Encoding: how the body was encoded (RFC 3261 20.12)."""

    __slots__ = ()
    name = "Content-Encoding"


class ContentEncodingHeader(_Tokens, BaseContentEncodingHeader):
    __slots__ = ()


class FrozenContentEncodingHeader(_FrozenTokens, BaseContentEncodingHeader, of=ContentEncodingHeader):
    __slots__ = ()


class BaseContentLanguageHeader(BaseTokensHeader):
    """Content-Language: the languages of the body (RFC 3261 20.13)."""

    __slots__ = ()
    name = "Content-Language"


class ContentLanguageHeader(_Tokens, BaseContentLanguageHeader):
    __slots__ = ()


class FrozenContentLanguageHeader(_FrozenTokens, BaseContentLanguageHeader, of=ContentLanguageHeader):
    __slots__ = ()


class BaseRecvInfoHeader(BaseTokensHeader):
    """Recv-Info: the INFO packages that its sender takes (RFC 6086 9.2)."""

    __slots__ = ()
    name = "Recv-Info"


class RecvInfoHeader(_Tokens, BaseRecvInfoHeader):
    __slots__ = ()


class FrozenRecvInfoHeader(_FrozenTokens, BaseRecvInfoHeader, of=RecvInfoHeader):
    __slots__ = ()


class BasePrivacyHeader(BaseTokensHeader):
    """Privacy: what a network is to hide, parted by ";" (RFC 3323 4.2)."""

    __slots__ = ()
    name = "Privacy"
    separator = ";"


class PrivacyHeader(_Tokens, BasePrivacyHeader):
    __slots__ = ()


class FrozenPrivacyHeader(_FrozenTokens, BasePrivacyHeader, of=PrivacyHeader):
    __slots__ = ()
