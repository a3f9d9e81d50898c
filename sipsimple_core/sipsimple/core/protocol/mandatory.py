"""The headers that every message has (RFC 3261 8.1.1, 8.2.6.2), taken together."""

from __future__ import annotations

from typing import NamedTuple

from sipsimple.core.wire.errors import SIPParseError
from sipsimple.core.wire.headers import FrozenCSeqHeader, FrozenFromHeader, FrozenToHeader
from sipsimple.core.wire.message import SIPRequest, SIPResponse

__all__ = ["Mandatory", "mandatory"]


class Mandatory(NamedTuple):
    from_header: FrozenFromHeader
    to_header: FrozenToHeader
    call_id: str
    cseq: FrozenCSeqHeader


def mandatory(message: SIPRequest | SIPResponse) -> Mandatory:
    """What the transaction layer has made sure of. Raises `SIPParseError` where a header is missing after all."""
    from_header, to_header, call_id, cseq = message.from_header, message.to_header, message.call_id, message.cseq
    if from_header is None or to_header is None or call_id is None or cseq is None:
        raise SIPParseError("From, To, Call-ID or CSeq is missing", message.start_line)
    return Mandatory(from_header, to_header, call_id, cseq)
