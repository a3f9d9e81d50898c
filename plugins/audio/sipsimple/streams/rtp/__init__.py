"""Streams over RTP: `AudioStream`.

`stream` is the stream. What it describes and agrees on is decided by `negotiation`, in terms of `description`. It has
its media from an `engine` that a plugin brings (sipsimple.pjsua2 is one), for which `server_probe` finds STUN and TURN
servers that are alive, and passes it to the mixer of the application through `pcm`. `testing` and `engine_bench` are
for tests: of what uses engines, and of engines.
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
