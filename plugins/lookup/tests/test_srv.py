"""The order of SRV records (RFC 2782), as a statistic with a fixed seed."""

from __future__ import annotations

from collections import Counter
from random import Random
from types import SimpleNamespace
from typing import Any

import dns.name
import pytest

from sipsimple.lookup.srv import Target, in_order, targets


def record(priority: int, weight: int, name: str, port: int = 5060) -> Any:
    return SimpleNamespace(priority=priority, weight=weight, port=port, target=dns.name.from_text(name))


def order(records: list[Any], seed: int) -> list[str]:
    return [str(each.target)[:-1] for each in in_order(records, Random(seed))]


def test_by_priority() -> None:
    records = [record(30, 9, "c"), record(10, 0, "a"), record(20, 5, "b")]
    assert order(records, 1) == ["a", "b", "c"]


@pytest.mark.parametrize("weights", [{"a": 60, "b": 30, "c": 10}, {"a": 1, "b": 1}, {"a": 65535, "b": 65535, "c": 1}])
def test_the_share_of_each_is_that_of_its_weight(weights: dict[str, int]) -> None:
    """The first one, in 20,000 draws; and of what is left then, the second one."""
    records = [record(1, weight, name) for name, weight in weights.items()]
    random = Random(4)
    orders = [tuple(str(each.target)[:-1] for each in in_order(records, random)) for _ in range(20_000)]
    total = sum(weights.values())
    firsts = Counter(each[0] for each in orders)
    for name, weight in weights.items():
        assert firsts[name] / 20_000 == pytest.approx(weight / total, abs=0.02)
    seconds = Counter(each[1] for each in orders if each[0] == "a")
    for name, weight in weights.items():
        if name != "a":
            assert seconds[name] / firsts["a"] == pytest.approx(weight / (total - weights["a"]), abs=0.02)


def test_no_weight_is_a_very_small_chance() -> None:
    """RFC 2782: such a record is chosen now and then, before those with a weight."""
    records = [record(1, 0, "z"), record(1, 100, "a")]
    random = Random(4)
    firsts = Counter(str(in_order(records, random)[0].target) for _ in range(20_000))
    assert firsts["z."] / 20_000 == pytest.approx(1 / 101, abs=0.004)


def test_all_without_weight_are_equal() -> None:
    random = Random(4)
    records = [record(1, 0, name) for name in "abc"]
    firsts = Counter(str(in_order(records, random)[0].target) for _ in range(9_000))
    assert all(count == pytest.approx(3_000, abs=250) for count in firsts.values())


def test_the_same_seed_is_the_same_order() -> None:
    records = [record(1, n, f"h{n}") for n in range(50)]
    assert order(records, 3) == order(records, 3) != order(records, 4)


def test_what_is_left_out() -> None:
    """The target ".", which says that there is no such service, a port that is none, and what is too much."""
    assert targets([record(1, 1, "."), record(1, 1, "a.example", 0)], Random(1)) == []
    assert targets([record(1, 1, "A.Example"), record(2, 1, ".")], Random(1)) == [Target("a.example", 5060)]
    assert len(targets([record(1, 1, f"h{n}") for n in range(1000)], Random(1))) == 256
