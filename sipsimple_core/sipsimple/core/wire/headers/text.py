"""Headers that are text or one opaque word: Subject, User-Agent, Call-ID, SIP-ETag (RFC 3261 20.8, 20.36, 20.41)."""

from __future__ import annotations

import re
from typing import Any, Self

from sipsimple.core.wire.errors import SIPParseError
from sipsimple.core.wire.grammar import is_token, readable
from sipsimple.core.wire.headers.base import BaseHeader
from sipsimple.core.wire.value import Frozen, Mutable

__all__ = [
    "BaseCallIDHeader",
    "BaseInReplyToHeader",
    "BaseMIMEVersionHeader",
    "BaseOrganizationHeader",
    "BasePriorityHeader",
    "BaseSIPETagHeader",
    "BaseSIPIfMatchHeader",
    "BaseServerHeader",
    "BaseSubjectHeader",
    "BaseTextHeader",
    "BaseUserAgentHeader",
    "BaseWordHeader",
    "CallIDHeader",
    "FrozenCallIDHeader",
    "FrozenInReplyToHeader",
    "FrozenMIMEVersionHeader",
    "FrozenOrganizationHeader",
    "FrozenPriorityHeader",
    "FrozenSIPETagHeader",
    "FrozenSIPIfMatchHeader",
    "FrozenServerHeader",
    "FrozenSubjectHeader",
    "FrozenUserAgentHeader",
    "InReplyToHeader",
    "MIMEVersionHeader",
    "OrganizationHeader",
    "PriorityHeader",
    "SIPETagHeader",
    "SIPIfMatchHeader",
    "ServerHeader",
    "SubjectHeader",
    "UserAgentHeader",
]

_line_end = re.compile(r"[\r\n]+[ \t]*")


class BaseTextHeader(BaseHeader):
    """A header that is `text` for people. Line ends in it are printed as spaces."""

    __slots__ = ("text",)
    _fields = ("text",)

    text: str

    def __init__(self, text: str) -> None:
        self.text = text

    @classmethod
    def parse(cls, text: str) -> Self:
        return cls(readable(text).strip())

    @property
    def body(self) -> str:
        return _line_end.sub(" ", self.text).strip()


class BaseWordHeader(BaseHeader):
    """A header that is one `value` without white space."""

    __slots__ = ("value",)
    _fields = ("value",)

    value: str

    def __init__(self, value: str) -> None:
        if not value or not self._is_legal(value):
            raise ValueError(f"not a value for {self.name}: {value!r}")
        self.value = value

    @classmethod
    def parse(cls, text: str) -> Self:
        if not text or not cls._is_legal(text):
            raise SIPParseError(f"not a value for {cls.name}", text)
        return cls(text)

    @classmethod
    def _is_legal(cls, text: str) -> bool:
        return is_token(text)

    @property
    def body(self) -> str:
        return self.value


class BaseSubjectHeader(BaseTextHeader):
    """Subject: what a call is about (RFC 3261 20.36)."""

    __slots__ = ()
    name = "Subject"


class SubjectHeader(Mutable, BaseSubjectHeader):
    __slots__ = ()


class FrozenSubjectHeader(Frozen, BaseSubjectHeader, of=SubjectHeader):
    __slots__ = ()


class BaseUserAgentHeader(BaseTextHeader):
    """User-Agent: the software that sent a request (RFC 3261 20.41)."""

    __slots__ = ()
    name = "User-Agent"


class UserAgentHeader(Mutable, BaseUserAgentHeader):
    __slots__ = ()


class FrozenUserAgentHeader(Frozen, BaseUserAgentHeader, of=UserAgentHeader):
    __slots__ = ()


class BaseServerHeader(BaseTextHeader):
    """Server: the software that sent a response (RFC 3261 20.35)."""

    __slots__ = ()
    name = "Server"


class ServerHeader(Mutable, BaseServerHeader):
    __slots__ = ()


class FrozenServerHeader(Frozen, BaseServerHeader, of=ServerHeader):
    __slots__ = ()


class BaseOrganizationHeader(BaseTextHeader):
    """Organization: whom the sender belongs to (RFC 3261 20.25)."""

    __slots__ = ()
    name = "Organization"


class OrganizationHeader(Mutable, BaseOrganizationHeader):
    __slots__ = ()


class FrozenOrganizationHeader(Frozen, BaseOrganizationHeader, of=OrganizationHeader):
    __slots__ = ()


class BaseCallIDHeader(BaseWordHeader):
    """Call-ID: what groups the messages of one call or registration (RFC 3261 20.8). Its case counts."""

    __slots__ = ()
    name = "Call-ID"

    @classmethod
    def _is_legal(cls, text: str) -> bool:
        return not any(character.isspace() for character in text)


class CallIDHeader(Mutable, BaseCallIDHeader):
    __slots__ = ()


class FrozenCallIDHeader(Frozen, BaseCallIDHeader, of=CallIDHeader):
    __slots__ = ()


class BaseInReplyToHeader(BaseCallIDHeader):
    """In-Reply-To: the Call-ID of a call that this one returns (RFC 3261 20.21)."""

    __slots__ = ()
    name = "In-Reply-To"
    is_list = True


class InReplyToHeader(Mutable, BaseInReplyToHeader):
    __slots__ = ()


class FrozenInReplyToHeader(Frozen, BaseInReplyToHeader, of=InReplyToHeader):
    __slots__ = ()


class BaseSIPETagHeader(BaseWordHeader):
    """SIP-ETag: the name of what a PUBLISH published (RFC 3903 11.3.1). Its case counts."""

    __slots__ = ()
    name = "SIP-ETag"


class SIPETagHeader(Mutable, BaseSIPETagHeader):
    __slots__ = ()


class FrozenSIPETagHeader(Frozen, BaseSIPETagHeader, of=SIPETagHeader):
    __slots__ = ()


class BaseSIPIfMatchHeader(BaseWordHeader):
    """SIP-If-Match: which publication a PUBLISH refreshes, changes or removes (RFC 3903 11.3.2)."""

    __slots__ = ()
    name = "SIP-If-Match"


class SIPIfMatchHeader(Mutable, BaseSIPIfMatchHeader):
    __slots__ = ()


class FrozenSIPIfMatchHeader(Frozen, BaseSIPIfMatchHeader, of=SIPIfMatchHeader):
    __slots__ = ()


class BasePriorityHeader(BaseWordHeader):
    """Priority: how urgent a request is: 'emergency', 'urgent', 'normal', 'non-urgent' (RFC 3261 20.26)."""

    __slots__ = ()
    name = "Priority"

    def _key(self) -> tuple[Any, ...]:
        return (self.value.lower(),)


class PriorityHeader(Mutable, BasePriorityHeader):
    __slots__ = ()


class FrozenPriorityHeader(Frozen, BasePriorityHeader, of=PriorityHeader):
    __slots__ = ()


class BaseMIMEVersionHeader(BaseWordHeader):
    """MIME-Version (RFC 3261 20.24)."""

    __slots__ = ()
    name = "MIME-Version"


class MIMEVersionHeader(Mutable, BaseMIMEVersionHeader):
    __slots__ = ()


class FrozenMIMEVersionHeader(Frozen, BaseMIMEVersionHeader, of=MIMEVersionHeader):
    __slots__ = ()
