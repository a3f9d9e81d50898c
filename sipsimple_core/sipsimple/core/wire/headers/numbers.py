"""Headers that are a number: CSeq, Max-Forwards, Expires and the like (RFC 3261 20.16, 20.19, 20.22, 20.23; ...)."""

from __future__ import annotations

import re
from typing import ClassVar, Self

from sipsimple.core.wire.errors import SIPParseError
from sipsimple.core.wire.grammar import MAX_32_BIT, MAX_NUMBER_DIGITS, METHODS, TOKEN, parse_number
from sipsimple.core.wire.headers.base import BaseHeader
from sipsimple.core.wire.value import Frozen, Mutable

__all__ = [
    "BaseCSeqHeader",
    "BaseContentLengthHeader",
    "BaseExpiresHeader",
    "BaseFlowTimerHeader",
    "BaseMaxBreadthHeader",
    "BaseMaxForwardsHeader",
    "BaseMinExpiresHeader",
    "BaseNumberHeader",
    "BaseRAckHeader",
    "BaseRSeqHeader",
    "CSeqHeader",
    "ContentLengthHeader",
    "ExpiresHeader",
    "FlowTimerHeader",
    "FrozenCSeqHeader",
    "FrozenContentLengthHeader",
    "FrozenExpiresHeader",
    "FrozenFlowTimerHeader",
    "FrozenMaxBreadthHeader",
    "FrozenMaxForwardsHeader",
    "FrozenMinExpiresHeader",
    "FrozenRAckHeader",
    "FrozenRSeqHeader",
    "MaxBreadthHeader",
    "MaxForwardsHeader",
    "MinExpiresHeader",
    "RAckHeader",
    "RSeqHeader",
]

MAX_CSEQ = 2**31 - 1  # RFC 3261 8.1.1.5

_cseq = re.compile(rf"([0-9]{{1,20}}+)[ \t]++({TOKEN}+)").fullmatch
_rack = re.compile(rf"([0-9]{{1,20}})[ \t]+([0-9]{{1,20}})[ \t]+({TOKEN})").fullmatch


class BaseCSeqHeader(BaseHeader):
    """CSeq: the order of requests in a dialog: `number` and `method` (RFC 3261 20.16)."""

    __slots__ = ("method", "number")
    _fields = ("number", "method")
    name = "CSeq"

    number: int
    method: str

    def __init__(self, number: int, method: str) -> None:
        self.number = number
        self.method = method

    @classmethod
    def parse(cls, text: str) -> Self:
        digits, _, method = text.partition(" ")
        if method not in METHODS:  # that is to say: not one space, or a method whose letters must be looked at
            match = _cseq(text)
            if match is None:
                raise SIPParseError("not a CSeq header", text)
            digits, method = match.groups()
        if not (digits.isascii() and digits.isdigit() and len(digits) <= MAX_NUMBER_DIGITS):
            raise SIPParseError("not a CSeq header", text)
        number = int(digits)
        if number > MAX_CSEQ:
            raise SIPParseError(f"a CSeq above {MAX_CSEQ}", text)
        header: Self = object.__new__(cls._open)
        header.number = number
        header.method = method
        header.__class__ = cls
        return header

    @property
    def body(self) -> str:
        return f"{self.number} {self.method}"


class CSeqHeader(Mutable, BaseCSeqHeader):
    __slots__ = ()


class FrozenCSeqHeader(Frozen, BaseCSeqHeader, of=CSeqHeader):
    __slots__ = ()


class BaseRAckHeader(BaseHeader):
    """RAck: which reliable provisional response a PRACK acknowledges (RFC 3262 7.2)."""

    __slots__ = ("cseq", "method", "rseq")
    _fields = ("rseq", "cseq", "method")
    name = "RAck"

    rseq: int
    cseq: int
    method: str

    def __init__(self, rseq: int, cseq: int, method: str) -> None:
        self.rseq = rseq
        self.cseq = cseq
        self.method = method

    @classmethod
    def parse(cls, text: str) -> Self:
        match = _rack(text)
        if match is None:
            raise SIPParseError("not an RAck header", text)
        rseq, cseq, method = match.groups()
        return cls(parse_number(rseq, "RSeq"), parse_number(cseq, "CSeq", MAX_CSEQ), method)

    @property
    def body(self) -> str:
        return f"{self.rseq} {self.cseq} {self.method}"


class RAckHeader(Mutable, BaseRAckHeader):
    __slots__ = ()


class FrozenRAckHeader(Frozen, BaseRAckHeader, of=RAckHeader):
    __slots__ = ()


class BaseNumberHeader(BaseHeader):
    """A header that is one number, from 0 to `maximum`."""

    __slots__ = ("number",)
    _fields = ("number",)
    maximum: ClassVar[int] = MAX_32_BIT

    number: int

    def __init__(self, number: int) -> None:
        self.number = number

    @classmethod
    def parse(cls, text: str) -> Self:
        return cls(parse_number(text, cls.name, cls.maximum))

    @property
    def body(self) -> str:
        return str(self.number)

    def __int__(self) -> int:
        return self.number

    __index__ = __int__


class BaseMaxForwardsHeader(BaseNumberHeader):
    """Max-Forwards: how many hops are left (RFC 3261 20.22)."""

    __slots__ = ()
    _fields = ("hops",)
    name = "Max-Forwards"
    maximum = 255

    def __init__(self, hops: int) -> None:
        super().__init__(hops)

    @property
    def hops(self) -> int:
        return self.number

    @hops.setter
    def hops(self, hops: int) -> None:
        self.number = hops


class MaxForwardsHeader(Mutable, BaseMaxForwardsHeader):
    __slots__ = ()


class FrozenMaxForwardsHeader(Frozen, BaseMaxForwardsHeader, of=MaxForwardsHeader):
    __slots__ = ()


class BaseExpiresHeader(BaseNumberHeader):
    """Expires: seconds until what is asked for or told ends (RFC 3261 20.19)."""

    __slots__ = ()
    name = "Expires"


class ExpiresHeader(Mutable, BaseExpiresHeader):
    __slots__ = ()


class FrozenExpiresHeader(Frozen, BaseExpiresHeader, of=ExpiresHeader):
    __slots__ = ()


class BaseMinExpiresHeader(BaseNumberHeader):
    """Min-Expires: the shortest expiry, in seconds, that a server takes; in 423 (RFC 3261 20.23)."""

    __slots__ = ()
    name = "Min-Expires"


class MinExpiresHeader(Mutable, BaseMinExpiresHeader):
    __slots__ = ()


class FrozenMinExpiresHeader(Frozen, BaseMinExpiresHeader, of=MinExpiresHeader):
    __slots__ = ()


class BaseContentLengthHeader(BaseNumberHeader):
    """Content-Length: octets of the body (RFC 3261 20.14)."""

    __slots__ = ()
    name = "Content-Length"


class ContentLengthHeader(Mutable, BaseContentLengthHeader):
    __slots__ = ()


class FrozenContentLengthHeader(Frozen, BaseContentLengthHeader, of=ContentLengthHeader):
    __slots__ = ()


class BaseRSeqHeader(BaseNumberHeader):
    """RSeq: the number of a reliable provisional response (RFC 3262 7.1)."""

    __slots__ = ()
    name = "RSeq"


class RSeqHeader(Mutable, BaseRSeqHeader):
    __slots__ = ()


class FrozenRSeqHeader(Frozen, BaseRSeqHeader, of=RSeqHeader):
    __slots__ = ()


class BaseFlowTimerHeader(BaseNumberHeader):
    """Flow-Timer: seconds after which a flow without keep-alives is taken for dead (RFC 5626 9)."""

    __slots__ = ()
    name = "Flow-Timer"


class FlowTimerHeader(Mutable, BaseFlowTimerHeader):
    __slots__ = ()


class FrozenFlowTimerHeader(Frozen, BaseFlowTimerHeader, of=FlowTimerHeader):
    __slots__ = ()


class BaseMaxBreadthHeader(BaseNumberHeader):
    """Max-Breadth: into how many branches a request may be forked (RFC 5393 5.8)."""

    __slots__ = ()
    name = "Max-Breadth"


class MaxBreadthHeader(Mutable, BaseMaxBreadthHeader):
    __slots__ = ()


class FrozenMaxBreadthHeader(Frozen, BaseMaxBreadthHeader, of=MaxBreadthHeader):
    __slots__ = ()
