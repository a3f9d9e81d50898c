"""Random identifiers: transaction and message ids (RFC 4975 7.1), session ids (RFC 4975 14.1)."""

from __future__ import annotations

import os

__all__ = ["new_message_id", "new_session_id", "new_transaction_id"]

_POOL_SIZE = 4096

_pool = b""
_position = _POOL_SIZE


def _random_hex(octets: int) -> str:
    global _pool, _position
    position = _position
    if position + octets > _POOL_SIZE:
        _pool = os.urandom(_POOL_SIZE)
        position = 0
    _position = end = position + octets
    return _pool[position:end].hex()


def _forget_pool() -> None:
    global _position
    _position = _POOL_SIZE


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_pool)


def new_transaction_id() -> str:
    """64 random bits, which RFC 4975 7.1 asks for so that no body holds the end-line by chance or on
    purpose."""
    return _random_hex(8)


def new_message_id() -> str:
    """96 random bits (RFC 4975 7.1: unique within the session and among its URIs)."""
    return _random_hex(12)


def new_session_id() -> str:
    """80 random bits in 20 hex digits: who knows it may join the session (RFC 4975 14.1 asks for 80 at the
    least)."""
    return _random_hex(10)
