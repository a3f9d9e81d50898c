"""The little of STUN that SIP over UDP needs (RFC 5389): Binding, as a keep-alive of flows (RFC 5626 4.4.2, 8).

A peer asks, and is told from which address it is seen: that keeps the binding of a NAT open, and shows when it changes.
"""

from __future__ import annotations

import secrets
import socket
from struct import Struct
from struct import error as StructError
from typing import NamedTuple

__all__ = [
    "BINDING_REQUEST", "BINDING_SUCCESS", "MAX_STUN_MESSAGE", "STUNError", "STUNMessage", "answer", "binding_request",
    "is_stun", "parse",
]  # fmt: skip

BINDING_REQUEST = 0x0001
BINDING_SUCCESS = 0x0101
BINDING_ERROR = 0x0111

#: A longer one is none of Binding; in octets. RFC 5389 7.1 asks for less than the smallest MTU.
MAX_STUN_MESSAGE = 1280
#: How many attributes are looked at.
MAX_ATTRIBUTES = 32

_COOKIE = 0x2112A442
_COOKIE_OCTETS = _COOKIE.to_bytes(4, "big")
_HEADER = Struct("!HHI12s")
_ATTRIBUTE = Struct("!HH")
_ADDRESS = Struct("!xBH")

_MAPPED_ADDRESS = 0x0001
_ERROR_CODE = 0x0009
_UNKNOWN_ATTRIBUTES = 0x000A
_XOR_MAPPED_ADDRESS = 0x0020

#: Attributes of lower types must be understood (RFC 5389 15). USERNAME, MESSAGE-INTEGRITY, REALM and NONCE are, but
#: nobody authenticates a keep-alive.
_OPTIONAL = 0x8000
_IGNORED = (0x0006, 0x0008, 0x0014, 0x0015)
_UNDERSTOOD = frozenset((_MAPPED_ADDRESS, _ERROR_CODE, _UNKNOWN_ATTRIBUTES, _XOR_MAPPED_ADDRESS, *_IGNORED))

_FAMILIES = {1: (socket.AF_INET, 4), 2: (socket.AF_INET6, 16)}


class STUNError(ValueError):
    """These octets are no STUN message that can be followed."""


class STUNMessage(NamedTuple):
    """One message.

    :param kind: `BINDING_REQUEST`, `BINDING_SUCCESS`, or another type.
    :param transaction: 12 octets.
    :param address: the address and port that a response tells; None if it tells none.
    :param unknown: types of attributes that ought to be understood, and are not (RFC 5389 7.3.1).
    """

    kind: int
    transaction: bytes
    address: tuple[str, int] | None = None
    unknown: tuple[int, ...] = ()


def is_stun(data: bytes) -> bool:
    """Whether a datagram is a STUN message (RFC 5389 6): SIP's first octet is never below 0x40."""
    return len(data) >= _HEADER.size and data[0] < 0x40 and data[4:8] == _COOKIE_OCTETS


def binding_request() -> tuple[bytes, bytes]:
    """A Binding request, and its transaction, by which the answer is known."""
    transaction = secrets.token_bytes(12)
    return _HEADER.pack(BINDING_REQUEST, 0, _COOKIE, transaction), transaction


def answer(request: STUNMessage, source: tuple[str, int]) -> bytes:
    """The response to a Binding request that came from that address: success, or 420 for what is not understood."""
    if request.unknown:
        types = b"".join(kind.to_bytes(2, "big") for kind in request.unknown)
        body = _attribute(_ERROR_CODE, b"\0\0\x04\x14Unknown Attribute") + _attribute(_UNKNOWN_ATTRIBUTES, types)
        return _HEADER.pack(BINDING_ERROR, len(body), _COOKIE, request.transaction) + body
    host, port = source
    family = 2 if ":" in host else 1
    octets = _xor(socket.inet_pton(_FAMILIES[family][0], host), request.transaction)
    body = _attribute(_XOR_MAPPED_ADDRESS, _ADDRESS.pack(family, port ^ (_COOKIE >> 16)) + octets)
    return _HEADER.pack(BINDING_SUCCESS, len(body), _COOKIE, request.transaction) + body


def parse(data: bytes) -> STUNMessage:
    """The message that a datagram holds. Raises STUNError."""
    if not is_stun(data) or len(data) > MAX_STUN_MESSAGE:
        raise STUNError(f"not a STUN message of at most {MAX_STUN_MESSAGE} octets")
    kind, length, _, transaction = _HEADER.unpack_from(data)
    if length % 4 or _HEADER.size + length != len(data):
        raise STUNError(f"a STUN message of {len(data)} octets that says it has {_HEADER.size + length}")
    address: tuple[str, int] | None = None
    unknown: list[int] = []
    position, count = _HEADER.size, 0
    while position < len(data):
        count += 1
        if count > MAX_ATTRIBUTES:
            raise STUNError(f"more than {MAX_ATTRIBUTES} STUN attributes")
        try:
            name, size = _ATTRIBUTE.unpack_from(data, position)
        except StructError as error:
            raise STUNError("a STUN attribute that ends too early") from error
        position += _ATTRIBUTE.size
        value = data[position : position + size]
        position += (size + 3) // 4 * 4
        if position > len(data):
            raise STUNError("a STUN attribute that is longer than its message")
        if name == _XOR_MAPPED_ADDRESS:
            address = _parse_address(value, transaction)
        elif name == _MAPPED_ADDRESS:
            # RFC 3489 servers have only this one
            address = address or _parse_address(value, None)
        elif name < _OPTIONAL and name not in _UNDERSTOOD:
            unknown.append(name)
    return STUNMessage(kind, transaction, address, tuple(unknown))


def _parse_address(value: bytes, transaction: bytes | None) -> tuple[str, int]:
    try:
        number, port = _ADDRESS.unpack_from(value)
        family, size = _FAMILIES[number]
    except (StructError, KeyError) as error:
        raise STUNError("a STUN address of no known family") from error
    octets = value[_ADDRESS.size :]
    if len(octets) != size:
        raise STUNError("a STUN address of another length than its family's")
    if transaction is not None:
        octets, port = _xor(octets, transaction), port ^ (_COOKIE >> 16)
    return socket.inet_ntop(family, octets), port


def _xor(octets: bytes, transaction: bytes) -> bytes:
    """RFC 5389 15.2: so that no NAT takes the address for one that it has to rewrite."""
    return bytes(one ^ other for one, other in zip(octets, _COOKIE_OCTETS + transaction, strict=False))


def _attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(kind, len(value)) + value + bytes(-len(value) % 4)
