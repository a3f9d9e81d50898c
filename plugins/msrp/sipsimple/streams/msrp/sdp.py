"""Media descriptions of MSRP: what a peer's says (RFC 4975 8), and who connects to whom (RFC 6135 4)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

from msrplib.errors import MSRPSyntaxError
from msrplib.uri import MSRPURI, parse_path
from sipsimple.core.wire.sdp import DIRECTIONS

__all__ = [
    "DIRECTIONS",
    "REVERSE_DIRECTION",
    "MSRPMedia",
    "accepts_type",
    "answer_setup",
    "combine_directions",
    "we_connect",
]

MAX_TYPES = 256
"""Media types in one accept-types attribute; more are not looked at."""

DISCARD_PORT = 9
"""RFC 6135 4.2, RFC 4145 4.1: the port of a side that is not connected to."""

_TRANSPORTS = {"TCP/MSRP": False, "TCP/TLS/MSRP": True}
_SETUPS = frozenset({"active", "passive", "actpass"})
_MEDIA_TYPE = re.compile(r"\*|[A-Za-z0-9!#$&^_.+%'*`{|}~-]+/(?:\*|[A-Za-z0-9!#$&^_.+%'*`{|}~-]+)")
_CAPABILITY = re.compile(r"[A-Za-z0-9_.-]+")

REVERSE_DIRECTION = {
    "sendrecv": "sendrecv",
    "sendonly": "recvonly",
    "recvonly": "sendonly",
    "inactive": "inactive",
}
"""RFC 3264 6.1: what one side sends the other receives."""


@dataclass(frozen=True, slots=True)
class MSRPMedia:
    """What the media line of an MSRP stream says, as far as it can be used.

    :ivar media_type: 'message', 'application', …
    :ivar port: 0 when the stream is refused (RFC 3264 6)
    :ivar secure: whether the connection is over TLS
    :ivar path: RFC 4975 8.2: the URIs from the first hop to the peer; empty only when it is refused
    :ivar accept_types, accept_wrapped_types: RFC 4975 8.6, in lower case
    :ivar setup: RFC 6135: 'active', 'passive', 'actpass', or None when it says nothing of that
    :ivar direction: one of DIRECTIONS, as the peer sees it
    :ivar max_size: RFC 4975 8.7: octets of the largest message that it takes, None when it doesn't say
    :ivar fingerprint: RFC 8122: of its certificate: 'SHA-256 AB:CD:…'
    :ivar chatroom: RFC 7701 8: 'nickname', 'private-messages', …; empty for who is no chat room
    """

    media_type: str
    port: int
    secure: bool
    path: tuple[MSRPURI, ...]
    accept_types: tuple[str, ...] = ()
    accept_wrapped_types: tuple[str, ...] = ()
    setup: str | None = None
    direction: str = "sendrecv"
    max_size: int | None = None
    fingerprint: str | None = None
    chatroom: frozenset[str] = frozenset()

    @classmethod
    def read(cls, sdp: Any, index: int) -> MSRPMedia | None:
        """What media line `index` of an SDP session says; None when there is none, or none of MSRP that can be
        used. Never raises, whatever the peer has sent."""
        media = sdp.media
        if not 0 <= index < len(media):
            return None
        line = media[index]
        secure = _TRANSPORTS.get(line.transport.upper())
        if secure is None:
            return None
        attributes = line.attributes
        path = _path(attributes.getfirst("path"), secure) if line.port else ()
        if path is None:
            return None
        return cls(
            line.media,
            line.port,
            secure,
            path,
            _types(attributes.getfirst("accept-types")),
            _types(attributes.getfirst("accept-wrapped-types")),
            _setup(attributes.getfirst("setup")),
            sdp.direction_of(index),
            _size(attributes.getfirst("max-size")),
            attributes.getfirst("fingerprint") or sdp.attributes.getfirst("fingerprint") or None,
            frozenset(_CAPABILITY.findall(attributes.getfirst("chatroom") or "")),
        )

    @property
    def can_send(self) -> bool:
        return self.direction in ("sendrecv", "sendonly")

    @property
    def can_receive(self) -> bool:
        return self.direction in ("sendrecv", "recvonly")


def _path(text: str | None, secure: bool) -> tuple[MSRPURI, ...] | None:
    try:
        path = parse_path(text or "")
    except MSRPSyntaxError:
        return None
    # RFC 4975 8.1: the scheme of the first hop goes with the transport of the media line. 6: only the URI of a
    # relay has no session id, and the only transport there is is tcp.
    if path[0].secure is not secure or path[-1].session_id is None:
        return None
    if any(uri.transport.lower() != "tcp" or uri.port == 0 for uri in path):
        return None
    return path


def _types(text: str | None) -> tuple[str, ...]:
    words = (text or "").lower().split(None, MAX_TYPES)[:MAX_TYPES]
    return tuple([word for word in words if _MEDIA_TYPE.fullmatch(word)])


def _setup(text: str | None) -> str | None:
    setup = (text or "").strip().lower()
    return setup if setup in _SETUPS else None


def _size(text: str | None) -> int | None:
    text = (text or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 18 else None


def combine_directions(local: str, remote: str) -> str:
    """Our direction in the answer to an offer with the direction `remote` (RFC 3264 6.1)."""
    offered = REVERSE_DIRECTION[remote]
    sends = local in ("sendrecv", "sendonly") and offered in ("sendrecv", "sendonly")
    receives = local in ("sendrecv", "recvonly") and offered in ("sendrecv", "recvonly")
    return {(True, True): "sendrecv", (True, False): "sendonly", (False, True): "recvonly"}.get(
        (sends, receives), "inactive"
    )


def accepts_type(accepted: Iterable[str], media_type: str) -> bool:
    """Whether a list of types (RFC 4975 8.6: `*`, `text/*`, `text/plain`) has a type (in lower case)."""
    main = media_type.partition("/")[0]
    return any(entry in ("*", "*/*", media_type, f"{main}/*") for entry in accepted)


def _address(host: str) -> IPv4Address | IPv6Address | None:
    try:
        return ip_address(host)
    except ValueError:
        return None


def _looks_unreachable(hop: MSRPURI, local_host: str) -> bool:
    """Whether the peer names an address where nobody out here can connect to it: it is behind a NAT."""
    if hop.port == DISCARD_PORT:
        return True
    remote, local = _address(hop.host), _address(local_host)
    if remote is None or local is None:
        return False
    return remote.is_unspecified or (not remote.is_global and local.is_global)


_ANSWERS = {"actpass": "active", "passive": "active", "active": "passive"}


def answer_setup(offer: MSRPMedia, local_host: str) -> str | None:
    """The `a=setup` to answer an offer with; None: no such attribute (RFC 6135 4.2, RFC 4145 4.1).

    Where there is a choice the answerer connects: its SYN leaves together with the answer, so the connection is up
    a round trip earlier than one that waits for the answer to arrive, and the offerer certainly listens, as its
    offer went out first. An offerer who cannot be reached is left to connect to us.
    """
    if offer.setup is None:
        return None
    setup = _ANSWERS[offer.setup]
    if offer.setup == "actpass" and _looks_unreachable(offer.path[0], local_host):
        return "passive"
    return setup


def we_connect(is_offerer: bool, setup: str | None) -> bool:
    """Who connects, by the `a=setup` of the answer.

    RFC 4975 5.4: it is the offerer, where the answer (or the offer, and so the answer) says nothing of RFC 6135.
    """
    return is_offerer is not (setup == "active")
