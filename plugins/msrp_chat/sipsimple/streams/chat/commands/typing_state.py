"""When to tell that a message is being typed (RFC 3994 3.2), out of what is typed."""

from __future__ import annotations

from collections.abc import Callable

__all__ = ["TypingState"]

REFRESH = 60
"""Seconds that an indication lasts; it is repeated in half of them."""
IDLE_AFTER = 15.0
"""RFC 3994 3.2: seconds without a key after which nobody is typing."""


class TypingState:
    """Whether the user is typing.

    :param tell: called with 'active' and 'idle'
    """

    def __init__(self, tell: Callable[[str], object]) -> None:
        self._tell = tell
        self._is_active = False
        self._told = 0.0
        self._typed = 0.0

    def typed(self, text: str, now: float) -> None:
        """The line that is typed has become this."""
        if not text:
            self._idle()
            return
        self._typed = now
        if not self._is_active or now - self._told >= REFRESH / 2:
            self._is_active = True
            self._told = now
            self._tell("active")

    def sent(self) -> None:
        """The message has left, which says that it is not typed any more."""
        self._is_active = False

    def tick(self, now: float) -> None:
        """Time has passed."""
        if self._is_active and now - self._typed >= IDLE_AFTER:
            self._idle()

    def _idle(self) -> None:
        if self._is_active:
            self._is_active = False
            self._tell("idle")
