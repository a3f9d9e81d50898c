"""The error of a method that is called in a state in which it is not allowed."""

from __future__ import annotations

from collections.abc import Iterable

__all__ = ["IllegalStateError"]


class IllegalStateError(RuntimeError):
    """A method was called in a state in which it is not allowed.

    `state` is the state that the object is in, `allowed` a tuple of those in which the call is allowed, `action`
    what was asked for.
    """

    def __init__(self, state: str | None, allowed: Iterable[str | None], action: str = "this") -> None:
        self.state = state
        self.allowed = tuple(allowed)
        self.action = action
        super().__init__(state, self.allowed, action)

    def __str__(self) -> str:
        allowed = ", ".join(map(repr, self.allowed)) or "none"
        return f"{self.action} is not allowed in the state {self.state!r}; states that allow it: {allowed}"
