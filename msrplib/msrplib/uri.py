"""MSRP and MSRPS URIs (RFC 4975 6) and paths of them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import ip_address

from msrplib.errors import MSRPSyntaxError
from msrplib.identifiers import new_session_id

__all__ = ["DEFAULT_PORT", "MSRPURI", "format_path", "parse_path"]

DEFAULT_PORT = 2855
"""RFC 4975 15.4: the port of a URI that names none."""

MAX_PATH_LENGTH = 16
"""URIs in one path; a real one has at most a relay or two for each side."""

_UNRESERVED = r"A-Za-z0-9\-._~"
_URI = re.compile(
    r"(?P<scheme>msrps?)://"
    rf"(?:(?P<user>[{_UNRESERVED}!$&'()*+,;=:%]*)@)?"
    rf"(?P<host>\[[0-9A-Fa-f:.]+\]|[{_UNRESERVED}]+)"
    r"(?::(?P<port>[0-9]{1,5}))?"
    rf"(?:/(?P<session_id>[{_UNRESERVED}+=/]+))?"
    r";(?P<transport>[A-Za-z0-9]+)"
    r"(?P<parameters>(?:;[^\s;=]+(?:=[^\s;]*)?)*)",
    re.IGNORECASE,
)
_SESSION_ID = re.compile(rf"[{_UNRESERVED}+=/]+")
_HOST = re.compile(rf"[0-9A-Fa-f:.]*:[0-9A-Fa-f:.]*|[{_UNRESERVED}]+")
_TOKEN = re.compile(r"[A-Za-z0-9]+")

Parameters = tuple[tuple[str, str | None], ...]


@dataclass(frozen=True, slots=True, eq=False)
class MSRPURI:
    """`msrp://host:port/session-id;tcp`, or `msrps://…` over TLS. Frozen, hashable, compared by RFC 4975 6.1.

    :param host: name or address; an IPv6 address without brackets
    :param port: None when the URI names none
    :param session_id: what tells the sessions of one port apart; None in the URI of a relay
    :param secure: `msrps`
    :param transport: `tcp`
    :param user: the user part, which does not count in comparison
    :param parameters: those after the transport, a mapping or (name, value or None) pairs; they don't count
        either
    :raises MSRPSyntaxError: a part has characters that it can't have
    """

    host: str
    port: int | None = None
    session_id: str | None = None
    secure: bool = False
    transport: str = "tcp"
    user: str | None = None
    parameters: Parameters = ()
    _key: tuple[object, ...] = field(init=False, repr=False, default=())

    def __post_init__(self) -> None:
        if isinstance(self.parameters, Mapping):
            object.__setattr__(self, "parameters", tuple(self.parameters.items()))
        if self.port is not None and not 0 <= self.port <= 65535:
            raise MSRPSyntaxError(f"port of an MSRP URI out of range: {self.port}")
        if not _HOST.fullmatch(self.host):
            raise MSRPSyntaxError(f"not a host of an MSRP URI: {self.host!r}")
        if self.session_id is not None and not _SESSION_ID.fullmatch(self.session_id):
            raise MSRPSyntaxError("the session id of an MSRP URI has characters that it cannot have")
        if not _TOKEN.fullmatch(self.transport):
            raise MSRPSyntaxError(f"not a transport of an MSRP URI: {self.transport!r}")
        host = self.host.lower()
        if ":" in host:
            try:
                host = ip_address(host).compressed
            except ValueError:
                raise MSRPSyntaxError(f"not an IPv6 address: {self.host!r}") from None
        object.__setattr__(self, "_key", (self.secure, host, self.port, self.session_id, self.transport.lower()))

    @classmethod
    def parse(cls, text: str) -> MSRPURI:
        """Read a URI.

        :raises MSRPSyntaxError: the text is no MSRP URI
        """
        return _parse_uri(text)

    @classmethod
    def new(cls, host: str, port: int | None = None, secure: bool = False) -> MSRPURI:
        """A URI with a fresh random session id."""
        return cls(host, port, new_session_id(), secure)

    def __str__(self) -> str:
        text = f"{'msrps' if self.secure else 'msrp'}://"
        if self.user is not None:
            text += f"{self.user}@"
        text += f"[{self.host}]" if ":" in self.host else self.host
        if self.port is not None:
            text += f":{self.port}"
        if self.session_id is not None:
            text += f"/{self.session_id}"
        text += f";{self.transport}"
        for name, value in self.parameters:
            text += f";{name}" if value is None else f";{name}={value}"
        return text

    def __eq__(self, other: object) -> bool:
        # RFC 4975 6.1: scheme, host and transport without regard to case, session id with; a port or a
        # session id that only one of them has makes them differ; user and parameters do not count.
        if not isinstance(other, MSRPURI):
            return NotImplemented
        return self._key == other._key

    def __hash__(self) -> int:
        return hash(self._key)


@lru_cache(maxsize=256)
def _parse_uri(text: str) -> MSRPURI:
    match = _URI.fullmatch(text)
    if match is None:
        raise MSRPSyntaxError(f"not an MSRP URI: {text[:100]!r}")
    parameters: list[tuple[str, str | None]] = []
    for parameter in match["parameters"].split(";")[1:]:
        name, separator, value = parameter.partition("=")
        parameters.append((name, value if separator else None))
    port = match["port"]
    return MSRPURI(
        match["host"].strip("[]"),
        int(port) if port is not None else None,
        match["session_id"],
        len(match["scheme"]) == 5,
        match["transport"],
        match["user"],
        tuple(parameters),
    )


def parse_path(text: str) -> tuple[MSRPURI, ...]:
    """Read what follows `To-Path:`, `From-Path:` or `a=path:`: URIs with spaces between.

    :raises MSRPSyntaxError: one is no MSRP URI, there is none, or there are more than 16
    """
    parts = text.split(None, MAX_PATH_LENGTH)
    if not parts:
        raise MSRPSyntaxError("the path has no URI")
    if len(parts) > MAX_PATH_LENGTH:
        raise MSRPSyntaxError(f"the path has more than {MAX_PATH_LENGTH} URIs")
    return tuple([_parse_uri(part) for part in parts])


def format_path(path: Iterable[MSRPURI]) -> str:
    """The text of a path, as in a header or in `a=path:`."""
    return " ".join([str(uri) for uri in path])
