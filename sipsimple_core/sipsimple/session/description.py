"""The session descriptions that a session sends: an offer of its streams, or the answer to one (RFC 3264, RFC 4566).

What a stream wants in its media line is the stream's business (`IMediaStream.get_local_media`); here they are put
in their places, and media lines that nobody takes are refused.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping

from sipsimple.core.wire.sdp import (
    BaseSDPMediaStream,
    BaseSDPSession,
    FrozenSDPMediaStream,
    FrozenSDPSession,
    SDPConnection,
    SDPMediaStream,
    SDPSession,
)

__all__ = ["answer_session", "is_refused", "offer_session", "refused_line", "renewed_session"]

NTP_EPOCH = 2_208_988_800  # seconds from 1900 to 1970 (RFC 5905 6)

_last_id = 0


def _new_session_id() -> int:
    """A session id: the time in NTP format, as RFC 4566 5.2 suggests, but never the same twice in a process."""
    global _last_id
    _last_id = max(int(time.time()) + NTP_EPOCH, _last_id + 1)
    return _last_id


def _new_session(address: str, name: str, media: Iterable[BaseSDPMediaStream]) -> SDPSession:
    session_id = _new_session_id()
    address_type = "IP6" if ":" in address else "IP4"
    # RFC 4566 5.3: the session name must not be empty, '-' stands for none
    return SDPSession(
        address,
        id=session_id,
        version=session_id,
        address_type=address_type,
        name=" ".join(name.split()) or "-",
        # RFC 4566 5.7: there has to be one, here or in each medium; a stream may have its own
        connection=SDPConnection(address, address_type=address_type),
        media=list(media),
    )


def offer_session(address: str, name: str, media: Iterable[BaseSDPMediaStream]) -> SDPSession:
    """An offer of `media`, in this order. `address` is our IP address, `name` the user agent's name."""
    return _new_session(address, name, media)


def answer_session(
    address: str, name: str, offer: BaseSDPSession, media: Mapping[int, BaseSDPMediaStream]
) -> SDPSession:
    """The answer to `offer` that takes the media lines with an index in `media` and refuses all others."""
    lines = [media[index] if index in media else refused_line(offered) for index, offered in enumerate(offer.media)]
    return _new_session(address, name, lines)


def renewed_session(previous: BaseSDPSession, media: Iterable[BaseSDPMediaStream]) -> FrozenSDPSession:
    """The description that follows `previous`, the last one that was sent in this session."""
    lines = [FrozenSDPMediaStream.new(line) for line in media]
    # RFC 3264 8: the same origin, and a version that is one higher if anything has changed
    changed = lines != [FrozenSDPMediaStream.new(line) for line in previous.media]
    session = SDPSession.new(previous)
    session.version = previous.version + changed
    session.media = [SDPMediaStream.new(line) for line in lines]
    return FrozenSDPSession.new(session)


def refused_line(offered: BaseSDPMediaStream) -> SDPMediaStream:
    """A media line in the place of `offered` that is not wanted."""
    # RFC 3264 6, 8.2: a line is never left out, a refused one has port 0 and a format that is there because the
    # syntax wants one
    return SDPMediaStream(offered.media, 0, offered.transport, formats=list(offered.formats))


def is_refused(description: BaseSDPSession, index: int) -> bool:
    """Whether the media line `index` is refused: port 0, or not there at all."""
    return index >= len(description.media) or description.media[index].port == 0
