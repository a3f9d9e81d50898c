"""The frames of a stream, between pjsua2's clock and the socket of the stream."""

from __future__ import annotations

import contextlib
import socket
from collections import deque
from typing import Any

import pjsua2 as pj

__all__ = ["FRAME_MS", "Port"]

FRAME_MS = 20
KEPT_FRAMES, MAX_FRAMES = 2, 5  # between the application's clock and pjsua2's


class Port(pj.AudioMediaPort):  # type: ignore[misc]
    """Carries the frames of a stream. Its two callbacks run in the thread of pjsua2's clock, which may call them for a
    while after the call is gone: so a port is never dropped, but used again by another stream."""

    def __init__(self, rate: int) -> None:
        super().__init__()
        self._socket: socket.socket | None = None
        self._silence = bytes(2 * rate * FRAME_MS // 1000)
        self._frames: deque[bytes] = deque()
        self._gathering = True
        format = pj.MediaFormatAudio()
        format.init(pj.PJMEDIA_FORMAT_PCM, rate, 1, FRAME_MS * 1000, 16)
        self.createPort("pcm", format)

    def attach(self, sock: socket.socket | None) -> None:
        """Serve this socket from now on; None: nobody."""
        self._socket = sock
        self._frames.clear()
        self._gathering = True

    def onFrameRequested(self, frame: Any) -> None:
        data = self._next()
        frame.type = pj.PJMEDIA_FRAME_TYPE_AUDIO
        frame.buf = pj.ByteVector(data)
        frame.size = len(data)

    def _next(self) -> bytes:
        """The next frame; the two clocks are not the same, so a few are kept back, and what is too many is dropped."""
        frames, sock = self._frames, self._socket
        if sock is None:
            return self._silence
        with contextlib.suppress(OSError):
            for _ in range(MAX_FRAMES):
                frame = sock.recv(8192)
                if len(frame) == len(self._silence):
                    frames.append(frame)
        if len(frames) > MAX_FRAMES:
            while len(frames) > KEPT_FRAMES:
                frames.popleft()
        if self._gathering and len(frames) < KEPT_FRAMES:
            return self._silence
        self._gathering = not frames
        try:
            return frames.popleft()
        except IndexError:  # there is none, or the other thread has taken them all
            return self._silence

    def onFrameReceived(self, frame: Any) -> None:
        sock = self._socket
        if frame.size and sock is not None:
            with contextlib.suppress(OSError):  # the application is too slow, or does not listen any more
                sock.send(bytes(frame.buf)[: frame.size])
