"""What goes wrong: with a lookup, and with one question to one server."""

from __future__ import annotations

__all__ = ["DNSLookupError", "ExchangeError"]


class DNSLookupError(Exception):
    """A lookup that found nothing; the text says what was looked for, and why it was not found."""


class ExchangeError(Exception):
    """One nameserver has not answered a question usefully; the text says how.

    `timed_out`: it has not answered at all.
    """

    def __init__(self, text: str, timed_out: bool = False) -> None:
        super().__init__(text)
        self.timed_out = timed_out
