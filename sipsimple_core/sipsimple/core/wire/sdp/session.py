"""A session description as a whole (RFC 8866 5)."""

from __future__ import annotations

import re
import time
from collections.abc import Iterable, Sequence
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
    address_type_of,
    check_text,
    check_word,
)
from sipsimple.core.wire.sdp.media import (
    DIRECTIONS,
    BaseSDPMediaStream,
    FrozenSDPMediaStream,
    SDPMediaStream,
    check_line,
)
from sipsimple.core.wire.value import Frozen, Mutable, Value

__all__ = ["BaseSDPSession", "FrozenSDPSession", "SDPSession"]

MAX_SDP_SIZE = 65535  # octets
MAX_SDP_LINES = 2000
MAX_SDP_MEDIA = 64

NTP_EPOCH = 2208988800  # seconds from 1900 to 1970

_line_end = re.compile(r"\r\n|\n|\r")
_number = re.compile(r"[0-9]{1,20}").fullmatch

# Where lines without a value of their own are printed: before c=, and behind the first t=. All others before a=.
_BEFORE_CONNECTION = "uep"
_BEHIND_TIME = "trzk"


class BaseSDPSession(Value):
    """A session description.

    address, id, version, user, net_type, address_type -- the origin, o= (5.2). Without an id the time, as NTP tells it,
    in seconds; without a version the id
    name -- s=;  info -- i=, or None
    connection -- c=, or None where each medium has its own
    start_time, stop_time -- t=, NTP seconds; 0 is unbounded
    attributes -- a=, those of the session;  media -- m=
    bandwidth_info -- b=
    other_lines -- pairs of a letter and its line: u=, e=, p=, r=, z=, k=, further t=, and what no one knows
    """

    __slots__ = (
        "address",
        "address_type",
        "attributes",
        "bandwidth_info",
        "connection",
        "id",
        "info",
        "media",
        "name",
        "net_type",
        "other_lines",
        "start_time",
        "stop_time",
        "user",
        "version",
    )
    _fields: ClassVar[tuple[str, ...]] = (
        "address",
        "id",
        "version",
        "user",
        "net_type",
        "address_type",
        "name",
        "info",
        "connection",
        "start_time",
        "stop_time",
        "attributes",
        "media",
        "bandwidth_info",
        "other_lines",
    )

    address: str
    id: int
    version: int
    user: str
    net_type: str
    address_type: str
    name: str
    info: str | None
    connection: BaseSDPConnection | None
    start_time: int
    stop_time: int
    attributes: Any
    media: Sequence[BaseSDPMediaStream]
    bandwidth_info: Sequence[BaseSDPBandwidthInfo]
    other_lines: Sequence[SDPLine]

    def __init__(
        self,
        address: str,
        id: int | None = None,
        version: int | None = None,
        user: str = "-",
        net_type: str = "IN",
        address_type: str = "IP4",
        name: str = " ",
        info: str | None = None,
        connection: BaseSDPConnection | None = None,
        start_time: int = 0,
        stop_time: int = 0,
        attributes: Iterable[BaseSDPAttribute] = (),
        media: Iterable[BaseSDPMediaStream] = (),
        bandwidth_info: Iterable[BaseSDPBandwidthInfo] = (),
        other_lines: Iterable[SDPLine] = (),
    ) -> None:
        self.address = check_word(address, "the address of an SDP origin")
        self.id = int(time.time()) + NTP_EPOCH if id is None else id
        self.version = self.id if version is None else version
        self.user = check_word(user, "the user of an SDP origin")
        self.net_type = check_word(net_type, "a network type")
        self.address_type = check_word(address_type_of(address, address_type), "an address type")
        self.name = check_text(name, "the name of a session") or " "  # 5.3: a single space if there is none
        self.info = info if info is None else check_text(info, "the information of a session")
        self.connection = self._own(connection)
        self.start_time = start_time
        self.stop_time = stop_time
        self.attributes = self._own(SDPAttributeList(attributes))  # type: ignore[arg-type]
        self.media = self._own(list(media))
        self.bandwidth_info = self._own(list(bandwidth_info))
        self.other_lines = self._own([check_line(line) for line in other_lines])

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """The session that data describes. Raises SIPParseError."""
        sections = _split(data)
        fields: dict[str, Any] = {}
        attributes, bandwidth_info, other_lines = [], [], []
        for letter, text in sections[0][1:]:
            if letter == "a":
                attributes.append(FrozenSDPAttribute.parse(text))
            elif letter == "o":
                fields |= _parse_origin(text)
            elif letter == "s":
                fields["name"] = text
            elif letter == "t" and "start_time" not in fields:
                fields["start_time"], fields["stop_time"] = _parse_times(text)
            elif letter == "c" and "connection" not in fields:
                fields["connection"] = FrozenSDPConnection.parse(text)
            elif letter == "b":
                bandwidth_info.append(FrozenSDPBandwidthInfo.parse(text))
            elif letter == "i" and "info" not in fields:
                fields["info"] = text
            else:
                other_lines.append((letter, text))
        if "address" not in fields:
            raise SIPParseError("SDP without an origin (o=)")
        media = [FrozenSDPMediaStream.parse(lines) for lines in sections[1:]]
        return cls(attributes=attributes, media=media, bandwidth_info=bandwidth_info, other_lines=other_lines, **fields)

    def encode(self) -> bytes:
        """The description as octets."""
        origin = f"{self.user} {self.id} {self.version} {self.net_type} {self.address_type} {self.address}"
        lines = ["v=0", f"o={origin}", f"s={self.name}"]
        if self.info is not None:
            lines.append(f"i={self.info}")
        others = self.other_lines
        lines += [f"{letter}={text}" for letter, text in others if letter in _BEFORE_CONNECTION]
        if self.connection is not None:
            lines.append(f"c={self.connection}")
        lines += [f"b={bandwidth}" for bandwidth in self.bandwidth_info]
        lines.append(f"t={self.start_time} {self.stop_time}")
        lines += [f"{letter}={text}" for letter, text in others if letter in _BEHIND_TIME]
        lines += [f"{letter}={text}" for letter, text in others if letter not in _BEFORE_CONNECTION + _BEHIND_TIME]
        lines += [f"a={attribute}" for attribute in self.attributes]
        for media in self.media:
            lines += media.lines()
        lines.append("")
        return "\r\n".join(lines).encode("utf-8", "surrogateescape")

    def __bytes__(self) -> bytes:
        return self.encode()

    def __str__(self) -> str:
        return self.encode().decode("utf-8", "replace")

    def __repr__(self) -> str:
        media = " ".join([f"{medium.media}:{medium.port}" for medium in self.media])
        return f"<{type(self).__name__} {self.id} {self.version} {self.address} [{media}]>"

    def connection_of(self, index: int) -> BaseSDPConnection | None:
        """The connection that holds for a medium: its own, else the session's."""
        return self.media[index].connection or self.connection

    def direction_of(self, index: int) -> str:
        """The direction that holds for a medium: its own, else the session's, else 'sendrecv' (RFC 8866 6.7)."""
        own = self.media[index].own_direction
        if own is not None:
            return own
        return next((attribute.name for attribute in self.attributes if attribute.name in DIRECTIONS), "sendrecv")


class SDPSession(Mutable, BaseSDPSession):
    """A session description, whose parts may be set."""

    __slots__ = ()
    connection: SDPConnection | None
    attributes: SDPAttributeList
    media: list[SDPMediaStream]
    bandwidth_info: list[SDPBandwidthInfo]
    other_lines: list[SDPLine]


class FrozenSDPSession(Frozen, BaseSDPSession, of=SDPSession):
    """A session description that can't be changed; hashable."""

    __slots__ = ()
    connection: FrozenSDPConnection | None
    attributes: FrozenSDPAttributeList
    media: tuple[FrozenSDPMediaStream, ...]
    bandwidth_info: tuple[FrozenSDPBandwidthInfo, ...]
    other_lines: tuple[SDPLine, ...]


def _split(data: bytes) -> list[list[SDPLine]]:
    """The lines of the session, then those of each medium."""
    if len(data) > MAX_SDP_SIZE:
        raise SIPParseError(f"SDP of more than {MAX_SDP_SIZE} octets")
    lines = [line for line in _line_end.split(data.decode("utf-8", "surrogateescape")) if line]
    if len(lines) > MAX_SDP_LINES:
        raise SIPParseError(f"SDP of more than {MAX_SDP_LINES} lines")
    if not lines or lines[0].rstrip() != "v=0":
        raise SIPParseError("not SDP: it does not begin with v=0", lines[0] if lines else "")
    sections: list[list[SDPLine]] = [[]]
    for line in lines:
        if line[1:2] != "=" or line[0].isspace() or "\0" in line:
            raise SIPParseError("not an SDP line", line)
        if line[0] == "m":
            sections.append([])
        sections[-1].append((line[0], line[2:]))
    if len(sections) - 1 > MAX_SDP_MEDIA:
        raise SIPParseError(f"SDP of more than {MAX_SDP_MEDIA} media")
    return sections


def _parse_origin(text: str) -> dict[str, Any]:
    parts = text.split()
    if len(parts) != 6 or not _number(parts[1]) or not _number(parts[2]):
        raise SIPParseError("not an SDP origin", text)
    user, id, version, net_type, address_type, address = parts
    return {
        "user": user,
        "id": int(id),
        "version": int(version),
        "net_type": net_type,
        "address_type": address_type,
        "address": address,
    }


def _parse_times(text: str) -> tuple[int, int]:
    parts = text.split()
    if len(parts) != 2 or not all(_number(part) for part in parts):
        raise SIPParseError("not the times of an SDP session", text)
    return int(parts[0]), int(parts[1])
