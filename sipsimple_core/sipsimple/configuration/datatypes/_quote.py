"""How a wrong value is shown in an error message."""

from __future__ import annotations

MAX_QUOTED_LENGTH = 60


def quote(value: object) -> str:
    """`repr` of the value, cut to a length that an error message can bear."""
    if isinstance(value, str | bytes) and len(value) > MAX_QUOTED_LENGTH:
        return f"{value[:MAX_QUOTED_LENGTH]!r}..."
    text = repr(value)
    return text if len(text) <= 2 * MAX_QUOTED_LENGTH else f"{text[: 2 * MAX_QUOTED_LENGTH]}..."
