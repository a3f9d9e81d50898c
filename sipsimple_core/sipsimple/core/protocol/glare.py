"""How long to wait after a 491 before a re-INVITE or UPDATE is sent again (RFC 3261 14.1, RFC 3311 5.3)."""

from __future__ import annotations

from random import Random

__all__ = ["glare_delay"]


def glare_delay(owns_call_id: bool, random: Random) -> float:
    """Seconds until the next attempt, in steps of 10 ms; at random, and never the same range for both parties.

    :param owns_call_id: whether we made the Call-ID of the dialog, which the caller does.
    """
    low, high = (210, 400) if owns_call_id else (0, 200)
    return random.randint(low, high) / 100
