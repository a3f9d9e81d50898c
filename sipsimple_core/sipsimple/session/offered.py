"""What an offer of the remote party can be made of (STR-005, STR-007)."""

from __future__ import annotations

import logging
from collections.abc import Container
from typing import Any

from sipsimple.streams import IMediaStream, MediaStreamRegistry

__all__ = ["MAX_STREAMS", "streams_offered", "streams_to_offer"]

log = logging.getLogger("sipsimple.session")

#: How many streams a session can be offered; media lines beyond are refused.
MAX_STREAMS = 16


def streams_offered(
    account: Any, offer: Any, among: Container[int] | None = None, limit: int = MAX_STREAMS
) -> dict[int, Any]:
    """The streams that can be had of an offer, by the index of their media line (STR-005, STR-007).

    For each line the registered classes are asked in the order of their priority; one that raises, or returns
    what is no new stream, is passed over. Only the lines `among` these are looked at, by default all, and no more
    than `limit` streams are made.
    """
    streams: dict[int, Any] = {}
    for index, line in enumerate(offer.media):
        if len(streams) >= limit:
            break
        if line.port == 0 or (among is not None and index not in among):
            continue  # RFC 3264 5.1: not wanted in this session
        for stream_class in MediaStreamRegistry():
            try:
                stream = stream_class.new_from_sdp(account, offer, index)
            except Exception:
                log.exception("%s.new_from_sdp() raised", stream_class.__name__)
                continue
            if stream is None:
                continue
            if IMediaStream.providedBy(stream) and stream not in streams.values():
                streams[index] = stream
                break
            log.error("%s.new_from_sdp() returned what is no new stream: %r", stream_class.__name__, stream)
    return streams


def streams_to_offer(account: Any, limit: int = MAX_STREAMS) -> dict[int, Any]:
    """What can be offered to a party that calls without an offer (RFC 3261 13.2.1): a stream of each kind there is.

    A class that can't offer itself like that, as it needs to be told something first, says so by a class attribute
    `offers_itself` that is False.
    """
    streams: list[Any] = []
    for stream_class in MediaStreamRegistry():
        if len(streams) >= limit or not getattr(stream_class, "offers_itself", True):
            continue
        try:
            streams.append(stream_class(account))
        except Exception:
            log.exception("%s(account) raised", stream_class.__name__)
    return dict(enumerate(streams))
