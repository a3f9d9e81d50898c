"""Streams over RTP: `AudioStream`.

`stream` is the stream, which describes itself with `description`, has its media from an `engine` that a plugin brings
(sipsimple.pjsua2 is one), and passes it to the mixer of the application through `pcm`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sipsimple.streams.rtp.stream import AudioStream

__all__ = ["AudioStream"]


def __getattr__(name: str) -> Any:
    if name != "AudioStream":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from sipsimple.streams.rtp.stream import AudioStream

    return AudioStream
