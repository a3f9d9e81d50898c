"""Whether a description puts a stream on hold (RFC 3264 8.4, RFC 6337 5.3)."""

from sipsimple.core.wire.sdp import BaseSDPSession

__all__ = ["held_by_remote"]

_NOWHERE = frozenset({"0.0.0.0", "::", "invalid.invalid"})


def held_by_remote(remote_sdp: BaseSDPSession, stream_index: int) -> bool:
    """Whether the remote party holds the stream on the media line `stream_index` of its description.

    It does if it does not want to receive (`a=sendonly` or `a=inactive`, of the line or else of the session), or, as
    in the times of RFC 2543, if it names no address to send to (`c=IN IP4 0.0.0.0`). A stream's `on_hold_by_remote`
    is made of this in `start` and `update` (STR-029).
    """
    if remote_sdp.direction_of(stream_index) in ("sendonly", "inactive"):
        return True
    connection = remote_sdp.connection_of(stream_index)
    return connection is not None and connection.address in _NOWHERE
