"""Which transaction a message belongs to (RFC 3261 17.1.3, 17.2.3) and which requests are copies (8.2.2.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sipsimple.core.wire.headers.addresses import BaseFromHeader, BaseToHeader
    from sipsimple.core.wire.headers.via import BaseViaHeader
    from sipsimple.core.wire.message import SIPRequest

__all__ = ["Key", "legacy_key", "merge_key", "tag_of", "unique_key"]

#: The method is always the last element.
Key = tuple[object, ...]


def unique_key(via: BaseViaHeader, method: str) -> Key | None:
    """What a request has in common with repetitions of itself and, if it is an INVITE, its ACK and its CANCEL.

    :param method: the method of the transaction that is looked for: INVITE for an ACK.
    :returns: None if the branch is one of RFC 2543, which means nothing.
    """
    # 17.2.3: the branch, who sent it, and the method
    return (via.branch, via.host.lower(), via.port, method) if via.is_unique else None


def legacy_key(request: SIPRequest, method: str, to_tag: str) -> Key:
    """The same for clients of RFC 2543 (17.2.3). To be asked before anything is written into the top Via.

    :param to_tag: the To tag of the transaction's request. Its ACK may have another: that of the response.
    :raises SIPParseError: a header that it takes is malformed.
    """
    cseq = request.cseq
    via = request.headers.get("Via") or ""
    return (
        request.raw_uri,
        to_tag,
        tag_of(request.from_header),
        request.call_id,
        None if cseq is None else cseq.number,
        via.partition(",")[0],
        method,
    )


def merge_key(request: SIPRequest) -> Key | None:
    """What a request has in common with copies of itself that came by another way: while one of them is being
    served, the others are loops or forks that met again (8.2.2.2). None in a dialog, where there are none."""
    cseq = request.cseq
    if cseq is None or tag_of(request.to_header):
        return None
    return request.call_id, tag_of(request.from_header), cseq.number, cseq.method


def tag_of(header: BaseFromHeader | BaseToHeader | None) -> str:
    """The tag of a From or To header, empty if there is none."""
    return "" if header is None else header.tag or ""
