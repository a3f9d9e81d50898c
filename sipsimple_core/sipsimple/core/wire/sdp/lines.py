"""Lines that sessions and media share: connection, bandwidth, attributes (RFC 8866 5.7, 5.8, 5.13), and others."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, ClassVar, Self

from sipsimple.core.wire.errors import SIPParseError
from sipsimple.core.wire.value import Frozen, Mutable, Value

__all__ = [
    "BaseSDPAttribute",
    "BaseSDPBandwidthInfo",
    "BaseSDPConnection",
    "FrozenSDPAttribute",
    "FrozenSDPAttributeList",
    "FrozenSDPBandwidthInfo",
    "FrozenSDPConnection",
    "SDPAttribute",
    "SDPAttributeList",
    "SDPBandwidthInfo",
    "SDPConnection",
    "SDPLine",
]

SDPLine = tuple[str, str]
"""A line that has no value of its own: its type (one letter) and what is behind the "="."""

_line_end = re.compile(r"[\r\n\0]").search
_is_word = re.compile(r"[^\s\0]+").fullmatch
_is_attribute_name = re.compile(r"[^\s:\0]+").fullmatch


def check_text(text: str, what: str) -> str:
    """text, if it fits on one line. Raises ValueError."""
    if _line_end(text):
        raise ValueError(f"a line end in {what}: {text!r}")
    return text


def check_word(text: str, what: str) -> str:
    """text, if it is one word. Raises ValueError."""
    if not _is_word(text):
        raise ValueError(f"not one word for {what}: {text!r}")
    return text


def address_type_of(address: str, address_type: str) -> str:
    """address_type; IP6 where IP4 is said of an address that is clearly IPv6."""
    return "IP6" if ":" in address and address_type == "IP4" else address_type


class BaseSDPConnection(Value):
    """c=: where media is wanted (RFC 8866 5.7). `address` keeps a multicast address's "/ttl/count"."""

    __slots__ = ("address", "address_type", "net_type")
    _fields: ClassVar[tuple[str, ...]] = ("address", "net_type", "address_type")

    address: str
    net_type: str
    address_type: str

    def __init__(self, address: str, net_type: str = "IN", address_type: str = "IP4") -> None:
        self.address = check_word(address, "the address of a connection")
        self.net_type = check_word(net_type, "a network type")
        self.address_type = check_word(address_type_of(address, address_type), "an address type")

    @classmethod
    def parse(cls, text: str) -> Self:
        """The connection that text, behind "c=", is. Raises SIPParseError."""
        parts = text.split()
        if len(parts) != 3:
            raise SIPParseError("not an SDP connection", text)
        return cls(parts[2], parts[0], parts[1])

    def __str__(self) -> str:
        return f"{self.net_type} {self.address_type} {self.address}"


class SDPConnection(Mutable, BaseSDPConnection):
    __slots__ = ()


class FrozenSDPConnection(Frozen, BaseSDPConnection, of=SDPConnection):
    __slots__ = ()


class BaseSDPBandwidthInfo(Value):
    """b=: the bandwidth proposed, of a `type` ('AS', 'CT', 'TIAS', ...), in its units (RFC 8866 5.8)."""

    __slots__ = ("type", "value")
    _fields: ClassVar[tuple[str, ...]] = ("type", "value")

    type: str
    value: int

    def __init__(self, type: str, value: int) -> None:
        self.type = check_word(type, "a bandwidth's type")
        self.value = int(value)

    @classmethod
    def parse(cls, text: str) -> Self:
        """The bandwidth that text, behind "b=", is. Raises SIPParseError."""
        type, _, value = text.partition(":")
        if not _is_word(type) or not re.fullmatch("[ \t]*[0-9]{1,20}[ \t]*", value):
            raise SIPParseError("not an SDP bandwidth", text)
        return cls(type, int(value.strip(" \t")))

    def __str__(self) -> str:
        return f"{self.type}:{self.value}"


class SDPBandwidthInfo(Mutable, BaseSDPBandwidthInfo):
    __slots__ = ()


class FrozenSDPBandwidthInfo(Frozen, BaseSDPBandwidthInfo, of=SDPBandwidthInfo):
    __slots__ = ()


class BaseSDPAttribute(Value):
    """a=: `name`, and `value`, which is '' for a flag as a=sendrecv (RFC 8866 5.13)."""

    __slots__ = ("name", "value")
    _fields: ClassVar[tuple[str, ...]] = ("name", "value")

    name: str
    value: str

    def __init__(self, name: str, value: str | None = "") -> None:
        if not _is_attribute_name(name):
            raise ValueError(f"not a name of an SDP attribute: {name!r}")
        self.name = name
        self.value = "" if value is None else check_text(str(value), f"the SDP attribute {name}")

    @classmethod
    def parse(cls, text: str) -> Self:
        """The attribute that text, behind "a=", is. Raises SIPParseError."""
        attribute: Self = object.__new__(cls._open)
        attribute.name, _, attribute.value = text.partition(":")
        if not _is_attribute_name(attribute.name):
            raise SIPParseError("not an SDP attribute", text)
        attribute.__class__ = cls
        return attribute

    def __str__(self) -> str:
        return f"{self.name}:{self.value}" if self.value else self.name


class SDPAttribute(Mutable, BaseSDPAttribute):
    __slots__ = ()


class FrozenSDPAttribute(Frozen, BaseSDPAttribute, of=SDPAttribute):
    __slots__ = ()


class _AttributeLookup:
    """Attributes by their names; their order is kept."""

    __slots__ = ()

    def getfirst(self: Iterable[Any], name: str, default: Any = None) -> Any:
        """The value of the first attribute of that name ('' for a flag); `default` if there is none."""
        for attribute in self:
            if attribute.name == name:
                return attribute.value
        return default

    def getall(self: Iterable[Any], name: str) -> list[str]:
        """The values of all attributes of that name."""
        return [attribute.value for attribute in self if attribute.name == name]

    def frozen(self: Iterable[Any]) -> FrozenSDPAttributeList:
        return FrozenSDPAttributeList([attribute.frozen() for attribute in self])

    def thawed(self: Iterable[Any]) -> SDPAttributeList:
        return SDPAttributeList([attribute.thawed() for attribute in self])


class SDPAttributeList(_AttributeLookup, list[SDPAttribute]):
    """The attributes of a session or a medium. `name in attributes` asks for a name (or for an attribute)."""

    __slots__ = ()

    def __contains__(self, item: object) -> bool:
        return (
            any(attribute.name == item for attribute in self)
            if isinstance(item, str)
            else list.__contains__(self, item)
        )

    def set(self, name: str, value: str | None = "") -> None:
        """Put one attribute of that name in place of all those there are, where the first stood."""
        places = [place for place, attribute in enumerate(self) if attribute.name == name]
        for place in reversed(places[1:]):
            del self[place]
        if places:
            self[places[0]] = SDPAttribute(name, value)
        else:
            self.append(SDPAttribute(name, value))

    def remove_all(self, *names: str) -> None:
        """Remove all attributes of these names."""
        self[:] = [attribute for attribute in self if attribute.name not in names]


class FrozenSDPAttributeList(_AttributeLookup, tuple[FrozenSDPAttribute, ...]):
    """The attributes of a frozen session or medium."""

    __slots__ = ()

    def frozen(self) -> FrozenSDPAttributeList:
        return self

    def __contains__(self, item: object) -> bool:
        return (
            any(attribute.name == item for attribute in self)
            if isinstance(item, str)
            else tuple.__contains__(self, item)
        )
