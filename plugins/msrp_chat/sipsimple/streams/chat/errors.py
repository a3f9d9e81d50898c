"""The error of what cannot be sent in a chat."""

from __future__ import annotations

__all__ = ["ChatStreamError"]


class ChatStreamError(Exception):
    """The peer, or the direction of the stream, does not allow what was asked for.

    :ivar code: the MSRP status code that says so too (RFC 4975 10): of a message that was queued before the peer's
        description was known it comes in ChatStreamDidNotDeliverMessage instead of this error
    """

    def __init__(self, message: str, code: int = 403) -> None:
        super().__init__(message)
        self.code = code
