"""The media line of an audio stream: what a remote party describes, read with suspicion, and what we describe.

What is handed to the engine is written anew of what was understood (`AudioMedia.encode`), never passed through.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from sipsimple.core import FrozenSDPSession, SDPAttribute, SDPConnection, SDPMediaStream, SDPSession
from sipsimple.streams import held_by_remote

__all__ = ["AudioMedia", "Codec", "Crypto", "combine", "reverse"]

SUITES = {"AES_CM_128_HMAC_SHA1_80": 30, "AES_CM_128_HMAC_SHA1_32": 30}  # octets of key and salt (RFC 4568 6.2)
STATIC = {0: ("PCMU", 8000), 3: ("GSM", 8000), 8: ("PCMA", 8000), 9: ("G722", 8000)}  # RFC 3551 6
EVENTS = "telephone-event"
PROFILES = {"RTP/AVP": False, "RTP/SAVP": True}
MAX_FORMATS = 40
MAX_CANDIDATES = 16

_rtpmap = re.compile(r"(\d{1,3}) +([\w.+-]+)/(\d{1,6})(?:/1)?").fullmatch
_crypto = re.compile(r"(\d{1,9}) +(\w+) +inline:([A-Za-z0-9+/]+=*)((?:\|[\w:^]+)*)(?: .*)?").fullmatch
_candidate = re.compile(r"[\w+/]{1,32} [12] UDP \d{1,10} ([\d.]+) \d{1,5} typ (?:host|srflx|prflx|relay)\b.*", re.I)
_ice_word = re.compile(r"[\w+/]{4,256}").fullmatch

_REVERSED = {"sendonly": "recvonly", "recvonly": "sendonly"}


def reverse(direction: str) -> str:
    """The direction as the other side sees it."""
    return _REVERSED.get(direction, direction)


def combine(first: str, second: str) -> str:
    """What two directions of the same side's both allow."""
    send = all(direction in ("sendrecv", "sendonly") for direction in (first, second))
    receive = all(direction in ("sendrecv", "recvonly") for direction in (first, second))
    return {(True, True): "sendrecv", (True, False): "sendonly", (False, True): "recvonly"}.get(
        (send, receive), "inactive"
    )


@dataclass(frozen=True, slots=True)
class Codec:
    """A format of a media line: its payload type, name and clock rate, and its a=fmtp."""

    payload_type: int
    name: str
    rate: int
    parameters: str = ""

    @property
    def key(self) -> tuple[str, int]:
        return (self.name.lower(), self.rate)

    def is_one_of(self, names: Iterable[str]) -> bool:
        """Whether it is among names with or without a clock rate: 'speex', 'speex/16000'."""
        mine = self.name.lower()
        return any(name.lower() in (mine, f"{mine}/{self.rate}") for name in names)


@dataclass(frozen=True, slots=True)
class Crypto:
    """An a=crypto line that we understand (RFC 4568)."""

    tag: int
    suite: str
    key: str

    def __repr__(self) -> str:
        return f"Crypto({self.tag}, {self.suite})"

    @classmethod
    def parse(cls, text: str) -> Crypto | None:
        """None for what we can't use: another suite, a key of another length, a master key identifier."""
        found = _crypto(text.strip())
        if found is None or found[2] not in SUITES or ":" in found[4]:
            return None
        try:
            length = len(base64.b64decode(found[3], validate=True))
        except binascii.Error:
            return None
        return cls(int(found[1]), found[2], found[3]) if length == SUITES[found[2]] else None


@dataclass(frozen=True, slots=True)
class AudioMedia:
    """A media line of audio over RTP. `ice` are its ICE attributes, name and value."""

    address: str
    port: int
    rtcp_port: int
    secure: bool  # whether the profile is RTP/SAVP
    codecs: tuple[Codec, ...]
    events: tuple[Codec, ...] = ()
    cryptos: tuple[Crypto, ...] = ()
    ice: tuple[tuple[str, str], ...] = ()
    direction: str = "sendrecv"
    held: bool = False

    @classmethod
    def read(cls, sdp: Any, index: int) -> AudioMedia | None:
        """That of a description; None if it is of no use to us. Raises nothing."""
        media = sdp.media[index]
        connection = sdp.connection_of(index)
        if media.media != "audio" or media.transport not in PROFILES or not media.port or connection is None:
            return None
        try:
            address = ipaddress.IPv4Address(connection.address)
        except ValueError:  # the engine would have to look a name up
            return None
        if address.is_multicast:
            return None
        codecs, events = _formats(media)
        if not codecs:
            return None
        found = re.match(r"\s*(\d{1,5})\b", media.attributes.getfirst("rtcp") or "")
        rtcp_port = int(found[1]) if found and 0 < int(found[1]) < 65536 else min(media.port + 1, 65535)
        cryptos = [Crypto.parse(text or "") for text in media.attributes.getall("crypto")[:MAX_FORMATS]]
        held = held_by_remote(sdp, index)
        direction = sdp.direction_of(index)
        if address.is_unspecified:  # hold as in the times of RFC 2543
            direction = combine(direction, "sendonly")
        return cls(
            address="127.0.0.1" if address.is_unspecified else str(address),
            port=media.port,
            rtcp_port=rtcp_port,
            secure=PROFILES[media.transport],
            codecs=codecs,
            events=events,
            cryptos=tuple(crypto for crypto in cryptos if crypto is not None),
            ice=_ice(sdp, media),
            direction=direction,
            held=held,
        )

    @property
    def ice_ufrag(self) -> str:
        """Empty without ICE."""
        return dict(self.ice).get("ice-ufrag", "")

    def restrict(self, names: Iterable[str]) -> AudioMedia:
        """With those codecs only, and telephone-event for their clock rates, or for 8000 Hz."""
        names = tuple(names)
        codecs = tuple(codec for codec in self.codecs if codec.is_one_of(names))
        rates = {codec.rate for codec in codecs} | {8000}
        return replace(self, codecs=codecs, events=tuple(event for event in self.events if event.rate in rates))

    def sort(self, names: Iterable[str]) -> AudioMedia:
        """With its codecs in that order."""
        order = list(names)
        ranked = sorted(
            self.codecs, key=lambda codec: next(i for i, name in enumerate(order) if codec.is_one_of((name,)))
        )
        return replace(self, codecs=tuple(ranked))

    def to_media(self) -> SDPMediaStream:
        """As a media line of ours (AUD-002 to AUD-009)."""
        formats = [*self.codecs, *self.events]
        attributes = [SDPAttribute("rtcp", f"{self.rtcp_port} IN IP4 {self.address}")]
        attributes += [
            SDPAttribute("rtpmap", f"{codec.payload_type} {codec.name}/{codec.rate}") for codec in self.codecs
        ]
        attributes += [
            SDPAttribute("fmtp", f"{codec.payload_type} {codec.parameters}")
            for codec in self.codecs
            if codec.parameters
        ]
        for event in self.events:
            attributes.append(SDPAttribute("rtpmap", f"{event.payload_type} {EVENTS}/{event.rate}"))
            attributes.append(SDPAttribute("fmtp", f"{event.payload_type} 0-15"))
        attributes += [SDPAttribute("crypto", f"{line.tag} {line.suite} inline:{line.key}") for line in self.cryptos]
        attributes += [SDPAttribute(name, value) for name, value in self.ice]
        attributes.append(SDPAttribute(self.direction))
        return SDPMediaStream(
            "audio",
            self.port,
            "RTP/SAVP" if self.secure else "RTP/AVP",
            formats=[str(codec.payload_type) for codec in formats],
            connection=SDPConnection(self.address),
            attributes=attributes,
        )

    def encode(self) -> str:
        """As a description for the engine."""
        return SDPSession(self.address, media=[self.to_media()]).encode().decode()

    @classmethod
    def decode(cls, text: str) -> AudioMedia:
        """The engine's description. Raises ValueError if it is none."""
        media = cls.read(FrozenSDPSession.parse(text.encode()), 0)
        if media is None:
            raise ValueError("the audio engine describes no audio")
        return media


def _formats(media: Any) -> tuple[tuple[Codec, ...], tuple[Codec, ...]]:
    mapped: dict[int, tuple[str, int]] = dict(STATIC)
    for text in media.attributes.getall("rtpmap"):
        found = _rtpmap((text or "").strip())
        if found and int(found[1]) < 128:
            mapped[int(found[1])] = (found[2], int(found[3]))
    parameters: dict[str, str] = {}
    for text in media.attributes.getall("fmtp"):
        number, _, value = (text or "").strip().partition(" ")
        parameters.setdefault(number, value.strip()[:100])
    codecs, events, seen = [], [], set()
    for word in media.formats[:MAX_FORMATS]:
        if not word.isascii() or not word.isdigit() or int(word) not in mapped or int(word) in seen:
            continue
        seen.add(int(word))
        name, rate = mapped[int(word)]
        codec = Codec(int(word), name, rate, parameters.get(word, ""))
        (events if name.lower() == EVENTS else codecs).append(codec)
    return tuple(codecs), tuple(events)


def _ice(sdp: Any, media: Any) -> tuple[tuple[str, str], ...]:
    """The ICE attributes, of the line or else of the session, that are well-formed; none if something is missing."""
    ufrag, password = (
        media.attributes.getfirst(name) or sdp.attributes.getfirst(name) or "" for name in ("ice-ufrag", "ice-pwd")
    )
    candidates = [text or "" for text in media.attributes.getall("candidate") if _candidate.fullmatch(text or "")]
    if not _ice_word(ufrag) or not _ice_word(password) or not candidates:
        return ()
    return (
        ("ice-ufrag", ufrag),
        ("ice-pwd", password),
        *(("candidate", text) for text in candidates[:MAX_CANDIDATES]),
    )
