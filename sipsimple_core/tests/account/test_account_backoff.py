"""The waits between tries (RFC 5626 4.5)."""

from __future__ import annotations

from random import Random

from sipsimple.account.backoff import Backoff


def test_waits_double_up_to_a_bound() -> None:
    """Half of each is left to chance; a success begins again."""
    backoff = Backoff(5.0, 600.0, Random(1))
    waits = [backoff.next() for _ in range(12)]
    for number, wait in enumerate(waits):
        bound = min(600.0, 5.0 * 2**number)
        assert bound / 2 <= wait <= bound
    backoff.reset()
    assert backoff.next() <= 5.0


def test_a_server_may_want_more() -> None:
    backoff = Backoff(5.0, 600.0, Random(1))
    assert 100.0 <= backoff.next(100.0) <= 110.0
    assert backoff.next(1.0) >= 5.0, "but not less than we would wait"


def test_many_do_not_come_back_at_once() -> None:
    random = Random(1)
    waits = {round(Backoff(5.0, 600.0, random).next(), 1) for _ in range(100)}
    assert len(waits) > 20
