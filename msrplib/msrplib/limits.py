"""The bounds of everything that waits or grows: times in seconds, sizes in octets."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Limits"]

_KIB = 1024
_MIB = 1024 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """What a session and its connection may use. Hand a changed copy to MSRPSession, MSRPListener,
    MSRPConnector."""

    transaction_timeout: float = 30.0
    """From the last octet of a SEND to its response; then the message fails with 408 (RFC 4975 7.1.1)."""
    report_timeout: float | None = None
    """From the last octet of a message to its success report. RFC 4975 sets none; None waits until the
    end."""
    bind_timeout: float = 30.0
    """From the accepted connection to the first request that names a session that is expected."""
    connect_timeout: float = 30.0
    """For connecting, the TLS handshake and the answer to the first SEND, together; also for being connected
    to."""
    partial_message_timeout: float = 120.0
    """From the last chunk of an incomplete message to its being dropped."""
    close_timeout: float = 10.0
    """For the rest of the written octets to leave once a connection is being closed."""

    max_header_size: int = 16 * _KIB
    """Start line and headers of one chunk; more is a protocol error."""
    max_chunk_buffer: int = 64 * _KIB
    """Chunks up to this size are delivered whole; of longer ones the body comes in pieces."""
    max_message_size: int = 16 * _MIB
    """Of an incoming message that is kept in memory (no sink); more is refused with 413."""
    max_partial_messages: int = 64
    """Incoming messages under way at once in one session; more are refused with 413."""
    max_partial_size: int = 64 * _MIB
    """Octets of incomplete messages kept in memory by one session; more are refused with 413."""
    max_fragments: int = 1024
    """Disjoint pieces of one incoming message; more (a peer that leaves holes on purpose) is refused with
    400."""
    max_queued_size: int = 64 * _MIB
    """Octets of whole messages (bytes) waiting in one session; send_message raises QueueFullError above
    it."""
    max_transactions: int = 8192
    """Responses that are awaited at once on a connection; more messages wait in their queue."""
    max_awaiting_reports: int = 16384
    """Sent messages whose success report is awaited; above it the oldest fails with 408."""
    max_connections: int = 1024
    """Accepted connections of a listener that no session is bound to yet; more are closed at once."""
    max_sessions_per_connection: int = 256
    """Sessions on one connection."""

    max_chunk_size: int = 510 * _KIB
    """Body of one outgoing chunk at the most, on a connection that takes it within `chunk_time`."""
    relay_chunk_size: int = 8192
    """The same on a path with a relay: Kamailio passes 10 KiB."""
    min_chunk_size: int = 2048
    """Body of one outgoing chunk at the least (RFC 4975 7.1.1: smaller ones need not be interruptible)."""
    chunk_time: float = 0.02
    """The size of chunks adapts to the connection so that one takes about this long, and a small message
    therefore waits no longer for a large one that is under way."""
