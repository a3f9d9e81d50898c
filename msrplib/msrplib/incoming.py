"""A message that was received (RFC 4975 7.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from msrplib.protocol import MSRPData

__all__ = ["IncomingMessage"]


@dataclass(slots=True, eq=False)
class IncomingMessage:
    """A whole message.

    :ivar message_id: its Message-ID
    :ivar content_type: its media type with parameters; None only when the peer sent none
    :ivar content: its octets; `b''` when a sink took them
    :ivar size: how many octets it has
    :ivar first_chunk: the first chunk that came, for headers and paths (`first_chunk.headers`)
    :ivar last_chunk: the chunk that completed it
    """

    message_id: str
    content_type: str | None
    content: bytes
    size: int
    first_chunk: MSRPData
    last_chunk: MSRPData
