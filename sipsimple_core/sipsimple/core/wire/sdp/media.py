"""m= and the lines that belong to it (RFC 8866 5.14)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from sipsimple.core.wire.errors import SIPParseError
from sipsimple.core.wire.sdp.lines import (
    BaseSDPAttribute,
    BaseSDPBandwidthInfo,
    BaseSDPConnection,
    FrozenSDPAttribute,
    FrozenSDPAttributeList,
    FrozenSDPBandwidthInfo,
    FrozenSDPConnection,
    SDPAttributeList,
    SDPBandwidthInfo,
    SDPConnection,
    SDPLine,
    check_text,
    check_word,
)
from sipsimple.core.wire.value import Frozen, Mutable, Value

__all__ = ["DIRECTIONS", "BaseSDPMediaStream", "FrozenSDPMediaStream", "RelatedPart", "SDPMediaStream"]

DIRECTIONS = ("sendrecv", "sendonly", "recvonly", "inactive")  # RFC 8866 6.7

MAX_FORMATS = 100  # in one m= line
MAX_PORT = 65535

_media = re.compile(r"(\S+)[ \t]+([0-9]{1,5})(?:/([0-9]{1,5}))?[ \t]+(\S+)(?:[ \t]+(.*))?").fullmatch


@dataclass(frozen=True, slots=True)
class RelatedPart:
    """What a `cid:` URL in an attribute names: another part of the body that the description comes in (RFC 2387).

    :ivar content_id: as in the URL, without `cid:` (RFC 2392)
    """

    content_id: str
    content_type: str
    content: bytes


class BaseSDPMediaStream(Value):
    """One medium of a session.

    media -- 'audio', 'message', ...
    port -- 0 refuses the medium (RFC 3264 6)
    transport -- 'RTP/AVP', 'TCP/TLS/MSRP', ...
    port_count -- how many ports, from `port` on
    formats -- the words at the end of the line: payload types, or "*"
    info -- i=, or None
    connection -- c=, or None: that of the session holds. Of several c= lines the first; the rest is in other_lines
    attributes -- a=
    bandwidth_info -- b=
    other_lines -- pairs of a letter and its line: k=, and what no one knows
    related -- the parts beside the description that its attributes name; they are in no line
    """

    __slots__ = (
        "attributes",
        "bandwidth_info",
        "connection",
        "formats",
        "info",
        "media",
        "other_lines",
        "port",
        "port_count",
        "related",
        "transport",
    )
    _fields: ClassVar[tuple[str, ...]] = (
        "media",
        "port",
        "transport",
        "port_count",
        "formats",
        "info",
        "connection",
        "attributes",
        "bandwidth_info",
        "other_lines",
        "related",
    )

    media: str
    port: int
    transport: str
    port_count: int
    formats: Sequence[str]
    info: str | None
    connection: BaseSDPConnection | None
    attributes: Any
    bandwidth_info: Sequence[BaseSDPBandwidthInfo]
    other_lines: Sequence[SDPLine]

    def __init__(
        self,
        media: str,
        port: int,
        transport: str,
        port_count: int = 1,
        formats: Iterable[str] = (),
        info: str | None = None,
        connection: BaseSDPConnection | None = None,
        attributes: Iterable[BaseSDPAttribute] = (),
        bandwidth_info: Iterable[BaseSDPBandwidthInfo] = (),
        other_lines: Iterable[SDPLine] = (),
        related: Iterable[RelatedPart] = (),
    ) -> None:
        if not 0 <= port <= MAX_PORT:
            raise ValueError(f"a port of {port}")
        self.media = check_word(media, "a medium")
        self.port = port
        self.transport = check_word(transport, "a transport")
        self.port_count = port_count
        self.formats = self._own([check_word(str(item), "a format") for item in formats])
        self.info = info if info is None else check_text(info, "the information of a medium")
        self.connection = self._own(connection)
        self.attributes = self._own(SDPAttributeList(attributes))  # type: ignore[arg-type]
        self.bandwidth_info = self._own(list(bandwidth_info))
        self.other_lines = self._own([check_line(line) for line in other_lines])
        self.related = self._own(list(related))

    @classmethod
    def parse(cls, lines: Iterable[SDPLine]) -> Self:
        """The medium that lines, an m= line and those behind it, are. Raises SIPParseError."""
        fields: dict[str, Any] = {}
        attributes, bandwidth_info, other_lines = [], [], []
        for letter, text in lines:
            if letter == "a":
                attributes.append(FrozenSDPAttribute.parse(text))
            elif letter == "c" and "connection" not in fields:
                fields["connection"] = FrozenSDPConnection.parse(text)
            elif letter == "b":
                bandwidth_info.append(FrozenSDPBandwidthInfo.parse(text))
            elif letter == "i" and "info" not in fields:
                fields["info"] = text
            elif letter == "m":
                fields |= _parse_media_line(text)
            else:
                other_lines.append((letter, text))
        return cls(attributes=attributes, bandwidth_info=bandwidth_info, other_lines=other_lines, **fields)

    @property
    def direction(self) -> str:
        """'sendrecv', 'sendonly', 'recvonly' or 'inactive', as this medium's attributes say; 'sendrecv' if none does.

        A session's own direction attribute is not known here, see SDPSession.direction_of.
        """
        return self.own_direction or "sendrecv"

    @direction.setter
    def direction(self, direction: str) -> None:
        if direction not in DIRECTIONS:
            raise ValueError(f"not a direction: {direction!r}")
        self.attributes.remove_all(*DIRECTIONS)
        self.attributes.set(direction)

    @property
    def own_direction(self) -> str | None:
        """The direction that this medium's attributes say, None if they say none."""
        for attribute in self.attributes:
            if attribute.name in DIRECTIONS:
                name: str = attribute.name
                return name
        return None

    def lines(self) -> list[str]:
        """As printed, in the order of RFC 8866 9, without line ends."""
        ports = f"{self.port}/{self.port_count}" if self.port_count != 1 else str(self.port)
        lines = ["m=" + " ".join([self.media, ports, self.transport, *self.formats])]
        if self.info is not None:
            lines.append(f"i={self.info}")
        if self.connection is not None:
            lines.append(f"c={self.connection}")
        lines += [f"c={text}" for letter, text in self.other_lines if letter == "c"]
        lines += [f"b={bandwidth}" for bandwidth in self.bandwidth_info]
        lines += [f"{letter}={text}" for letter, text in self.other_lines if letter != "c"]
        lines += [f"a={attribute}" for attribute in self.attributes]
        return lines

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.lines()[0]!r}>"


class SDPMediaStream(Mutable, BaseSDPMediaStream):
    """One medium of a session, whose parts may be set."""

    __slots__ = ()
    formats: list[str]
    connection: SDPConnection | None
    attributes: SDPAttributeList
    bandwidth_info: list[SDPBandwidthInfo]
    other_lines: list[SDPLine]
    related: list[RelatedPart]


class FrozenSDPMediaStream(Frozen, BaseSDPMediaStream, of=SDPMediaStream):
    """One medium of a session that can't be changed; hashable."""

    __slots__ = ()
    formats: tuple[str, ...]
    connection: FrozenSDPConnection | None
    attributes: FrozenSDPAttributeList
    bandwidth_info: tuple[FrozenSDPBandwidthInfo, ...]
    other_lines: tuple[SDPLine, ...]
    related: tuple[RelatedPart, ...]


def check_line(line: SDPLine) -> SDPLine:
    letter, text = line
    if len(letter) != 1 or letter.isspace():
        raise ValueError(f"not the type of an SDP line: {letter!r}")
    return letter, check_text(text, f"an SDP line {letter}=")


def _parse_media_line(text: str) -> dict[str, Any]:
    match = _media(text)
    if match is None:
        raise SIPParseError("not an SDP medium", text)
    media, port, port_count, transport, formats = match.groups()
    if int(port) > MAX_PORT:
        raise SIPParseError("a port above 65535 in SDP", text)
    words = formats.split() if formats else []
    if len(words) > MAX_FORMATS:
        raise SIPParseError(f"more than {MAX_FORMATS} formats in an SDP medium", text)
    return {
        "media": media,
        "port": int(port),
        "transport": transport,
        "port_count": int(port_count) if port_count else 1,
        "formats": words,
    }
