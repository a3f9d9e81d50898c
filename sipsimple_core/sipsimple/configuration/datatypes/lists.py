"""Lists of values: immutable, ordered, bounded, without duplicates."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, ClassVar, Self

from sipsimple.configuration.datatypes._quote import quote
from sipsimple.configuration.datatypes.network import Hostname, SIPTransport, STUNServerAddress
from sipsimple.configuration.datatypes.text import parse_text

MAX_LIST_ITEMS = 256

_token = r"[A-Za-z0-9!#$&^_.+'*%`{|}~-]{1,127}"
_media_type = re.compile(rf"(?:\*|{_token})/(?:\*|{_token})", re.ASCII)
_codec = re.compile(r"[A-Za-z0-9_.+-]{1,64}(?:/[0-9]{1,6})?", re.ASCII)


class ValueTuple(tuple[Any, ...]):
    """A tuple whose items were each given to `parse_item`. Text is split at its commas: `'tls, tcp'`."""

    minimum_items: ClassVar[int] = 0

    def __new__(cls, values: Any = ()) -> Self:
        if isinstance(values, str):
            values = [item for item in (part.strip() for part in parse_text(values).split(",")) if item]
        elif not isinstance(values, Iterable) or isinstance(values, bytes | dict):
            raise ValueError(f"{quote(values)} is not a list")
        items: list[Any] = []
        for value in values:
            if len(items) == MAX_LIST_ITEMS:
                raise ValueError(f"more than {MAX_LIST_ITEMS} items")
            item = cls.parse_item(value)
            if item in items:
                raise ValueError(f"{item} is there twice")
            items.append(item)
        if len(items) < cls.minimum_items:
            raise ValueError(f"expected at least {cls.minimum_items} item")
        return super().__new__(cls, items)

    @classmethod
    def parse_item(cls, value: Any) -> Any:
        """The item, or a ValueError."""
        raise NotImplementedError

    def __str__(self) -> str:
        return ", ".join(str(item) for item in self)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({[str(item) for item in self]!r})"


class SIPTransportList(ValueTuple):
    """The SIP transports to use, out of tls, tcp and udp, the preferred one first; at least one."""

    minimum_items = 1

    @classmethod
    def parse_item(cls, value: Any) -> SIPTransport:
        return SIPTransport(value)


class AudioCodecList(ValueTuple):
    """Names of audio codecs, the preferred one first; at least one.

    What an engine has, only the engine knows: a subclass may name it in `available`.
    """

    minimum_items = 1
    available: ClassVar[tuple[str, ...] | None] = None

    @classmethod
    def parse_item(cls, value: Any) -> str:
        name = parse_text(value).strip()
        if not _codec.fullmatch(name):
            raise ValueError(f"{quote(value)} is not the name of a codec")
        if cls.available is None:
            return name
        for codec in cls.available:
            if codec.lower() == name.lower():
                return codec
        raise ValueError(f"{quote(value)} is none of the codecs {', '.join(cls.available)}")


class ContentTypeList(ValueTuple):
    """Media types: `text/plain`, `text/*`, or `*` for all (RFC 4975 8.6, accept-types)."""

    @classmethod
    def parse_item(cls, value: Any) -> str:
        name = parse_text(value).strip().lower()
        if name != "*" and not _media_type.fullmatch(name):
            raise ValueError(f"{quote(value)} is not a media type: expected type/subtype, type/* or *")
        return name


class DomainList(ValueTuple):
    """Domain names."""

    @classmethod
    def parse_item(cls, value: Any) -> Hostname:
        return Hostname(value)


class STUNServerAddressList(ValueTuple):
    """STUN servers, host[:port] each, the preferred one first."""

    @classmethod
    def parse_item(cls, value: Any) -> STUNServerAddress:
        return value if isinstance(value, STUNServerAddress) else STUNServerAddress(value)
