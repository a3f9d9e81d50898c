"""Between the application and an engine's process: JSON objects, one a line, over a Unix socket that can pass sockets.

A request has an `id`, which its response repeats with `result` or `error`; what has `event` instead comes unasked.
"""

from __future__ import annotations

import json
import socket
from collections import deque
from collections.abc import Iterator
from typing import Any

__all__ = ["Channel"]

MAX_LINE = 65536
MAX_SOCKETS = 4


class Channel:
    """One end. It is used by one thread for reading; `send` may be called from several."""

    def __init__(self, sock: socket.socket) -> None:
        self.socket = sock
        self.sockets: deque[int] = deque()  # file descriptors that came, the oldest first
        self._buffer = bytearray()

    def send(self, message: dict[str, Any], descriptors: tuple[int, ...] = ()) -> None:
        """Send a message, with sockets. Raises OSError when the other end is gone."""
        line = json.dumps(message, separators=(",", ":")).encode() + b"\n"
        if descriptors:
            sent = socket.send_fds(self.socket, [line], descriptors)
            line = line[sent:]
        if line:
            self.socket.sendall(line)

    def receive(self) -> Iterator[dict[str, Any]] | None:
        """The messages that are there; None when the other end is gone. Blocks only if the socket does."""
        try:
            data, descriptors, _, _ = socket.recv_fds(self.socket, MAX_LINE, MAX_SOCKETS)
        except BlockingIOError:
            return iter(())
        except OSError:
            return None
        self.sockets.extend(descriptors)
        if not data:
            return None
        self._buffer += data
        return self._lines()

    def _lines(self) -> Iterator[dict[str, Any]]:
        while (end := self._buffer.find(b"\n")) >= 0:
            line = bytes(self._buffer[:end])
            del self._buffer[: end + 1]
            yield json.loads(line)
        if len(self._buffer) > MAX_LINE:
            raise ValueError("a line without end")
