"""What was given to a chat and is not in the hands of MSRP yet: its bound, whichever threads it comes from."""

from __future__ import annotations

from threading import Lock

from sipsimple.streams.chat.errors import ChatStreamError

__all__ = ["Backlog"]


class Backlog:
    """Counts the messages that wait: for the stream to start, or for the reactor's thread to get to them.

    :param max_messages, max_octets: how many there may be, and of how many octets together
    """

    __slots__ = ("_lock", "_max_messages", "_max_octets", "messages", "octets")

    def __init__(self, max_messages: int, max_octets: int) -> None:
        self.messages = 0
        self.octets = 0
        self._max_messages = max_messages
        self._max_octets = max_octets
        self._lock = Lock()

    def enter(self, octets: int) -> None:
        """Another message of that size waits.

        :raises ChatStreamError: (413) there is no room for it
        """
        with self._lock:
            if self.messages >= self._max_messages or self.octets + octets > self._max_octets:
                raise ChatStreamError("too many messages wait to be sent", 413)
            self.messages += 1
            self.octets += octets

    def leave(self, octets: int) -> None:
        """A message of that size does not wait any more."""
        with self._lock:
            self.messages -= 1
            self.octets -= octets
