"""Headers about bodies: Content-Type, Content-Disposition, Accept and its kin (RFC 3261 20.1-20.3, 20.11, 20.15)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sipsimple.core.wire.errors import SIPParseError
from sipsimple.core.wire.grammar import TOKEN
from sipsimple.core.wire.headers.addresses import parse_q
from sipsimple.core.wire.headers.values import BaseValueHeader, FrozenValue, MutableValue

__all__ = [
    "AcceptEncodingHeader",
    "AcceptHeader",
    "AcceptLanguageHeader",
    "BaseAcceptEncodingHeader",
    "BaseAcceptHeader",
    "BaseAcceptLanguageHeader",
    "BaseContentDispositionHeader",
    "BaseContentTypeHeader",
    "BaseReferSubHeader",
    "ContentDispositionHeader",
    "ContentTypeHeader",
    "FrozenAcceptEncodingHeader",
    "FrozenAcceptHeader",
    "FrozenAcceptLanguageHeader",
    "FrozenContentDispositionHeader",
    "FrozenContentTypeHeader",
    "FrozenReferSubHeader",
    "ReferSubHeader",
    "media_type_matches",
]

_media_type = re.compile(rf"({TOKEN})[ \t]*/[ \t]*({TOKEN})").fullmatch


class _BaseMediaTypeHeader(BaseValueHeader):
    """A media type with parameters."""

    __slots__ = ()
    _fields = ("content_type", "parameters")

    def __init__(self, content_type: str, parameters: Mapping[str, str | None] | None = None) -> None:
        super().__init__(content_type, parameters)

    @classmethod
    def _check(cls, value: Any) -> str:
        match = _media_type(value)
        if match is None:
            raise SIPParseError(f"not a media type for {cls.name}", value)
        return f"{match[1]}/{match[2]}".lower()

    @property
    def content_type(self) -> str:
        """The media type in lower case, without parameters."""
        content_type: str = self.value
        return content_type

    @content_type.setter
    def content_type(self, content_type: str) -> None:
        self.value = content_type


class BaseContentTypeHeader(_BaseMediaTypeHeader):
    """Content-Type: what the body is (RFC 3261 20.15)."""

    __slots__ = ()
    name = "Content-Type"

    @property
    def boundary(self) -> str | None:
        """What parts the parts of a multipart body."""
        return self.parameters.text("boundary")

    @property
    def charset(self) -> str | None:
        return self.parameters.text("charset")


class ContentTypeHeader(MutableValue, BaseContentTypeHeader):
    __slots__ = ()


class FrozenContentTypeHeader(FrozenValue, BaseContentTypeHeader, of=ContentTypeHeader):
    __slots__ = ()


class BaseAcceptHeader(_BaseMediaTypeHeader):
    """Accept: a media type (or range: 'text/*', '*/*') that its sender takes (RFC 3261 20.1)."""

    __slots__ = ()
    name = "Accept"
    is_list = True

    @property
    def q(self) -> float:
        """The preference, 0 (not at all) to 1. Raises SIPParseError if it is no qvalue."""
        text = dict.get(self.parameters, "q")
        return 1.0 if text is None else parse_q(text)

    def accepts(self, content_type: str) -> bool:
        """Whether a media type falls under this one."""
        return self.q > 0 and media_type_matches(self.value, content_type)


class AcceptHeader(MutableValue, BaseAcceptHeader):
    __slots__ = ()


class FrozenAcceptHeader(FrozenValue, BaseAcceptHeader, of=AcceptHeader):
    __slots__ = ()


class _BaseAcceptWordHeader(BaseValueHeader):
    """A word with a preference."""

    __slots__ = ()
    is_list = True

    @property
    def q(self) -> float:
        """The preference, 0 (not at all) to 1. Raises SIPParseError if it is no qvalue."""
        text = dict.get(self.parameters, "q")
        return 1.0 if text is None else parse_q(text)


class BaseAcceptEncodingHeader(_BaseAcceptWordHeader):
    """Accept-Encoding: an encoding of bodies that its sender takes (RFC 3261 20.2)."""

    __slots__ = ()
    name = "Accept-Encoding"


class AcceptEncodingHeader(MutableValue, BaseAcceptEncodingHeader):
    __slots__ = ()


class FrozenAcceptEncodingHeader(FrozenValue, BaseAcceptEncodingHeader, of=AcceptEncodingHeader):
    __slots__ = ()


class BaseAcceptLanguageHeader(_BaseAcceptWordHeader):
    """Accept-Language: a language that its sender wants (RFC 3261 20.3)."""

    __slots__ = ()
    name = "Accept-Language"


class AcceptLanguageHeader(MutableValue, BaseAcceptLanguageHeader):
    __slots__ = ()


class FrozenAcceptLanguageHeader(FrozenValue, BaseAcceptLanguageHeader, of=AcceptLanguageHeader):
    __slots__ = ()


class BaseContentDispositionHeader(BaseValueHeader):
    """Content-Disposition: what to do with the body: 'session', 'render', ... (RFC 3261 20.11)."""

    __slots__ = ()
    _fields = ("disposition", "parameters")
    name = "Content-Disposition"

    def __init__(self, disposition: str, parameters: Mapping[str, str | None] | None = None) -> None:
        super().__init__(disposition, parameters)

    @property
    def disposition(self) -> str:
        disposition: str = self.value
        return disposition

    @disposition.setter
    def disposition(self, disposition: str) -> None:
        self.value = disposition

    @property
    def handling(self) -> str:
        """'required' (also if not stated) or 'optional', in lower case."""
        return (dict.get(self.parameters, "handling") or "required").lower()


class ContentDispositionHeader(MutableValue, BaseContentDispositionHeader):
    __slots__ = ()


class FrozenContentDispositionHeader(FrozenValue, BaseContentDispositionHeader, of=ContentDispositionHeader):
    __slots__ = ()


class BaseReferSubHeader(BaseValueHeader):
    """Refer-Sub: whether a REFER makes a subscription: 'true' or 'false' (RFC 4488 4)."""

    __slots__ = ()
    name = "Refer-Sub"


class ReferSubHeader(MutableValue, BaseReferSubHeader):
    __slots__ = ()


class FrozenReferSubHeader(FrozenValue, BaseReferSubHeader, of=ReferSubHeader):
    __slots__ = ()


def media_type_matches(pattern: str, content_type: str) -> bool:
    """Whether content_type is `pattern`, or in the range that it is ('text/*', '*/*', '*'). Case means nothing."""
    pattern, content_type = pattern.lower(), content_type.partition(";")[0].strip().lower()
    if pattern in ("*", "*/*") or pattern == content_type:
        return True
    return pattern.endswith("/*") and content_type.startswith(pattern[:-1])
