from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from msrplib.identifiers import new_message_id, new_transaction_id
from msrplib.limits import Limits
from msrplib.transactions import TransactionTable


def message(failure_report: str = "yes") -> Any:
    return SimpleNamespace(failure_report=failure_report)


def test_response_in_time() -> None:
    """RFC 4975 7.1.1: a response closes its transaction, once."""
    table = TransactionTable(Limits())
    sent = message()
    table.add("a", sent, 0.0)
    assert table.pop("a") is sent
    assert table.pop("a") is None
    assert table.next_deadline() is None


def test_time_out() -> None:
    """RFC 4975 7.1.1: 30 seconds."""
    table = TransactionTable(Limits())
    first, second = message(), message()
    table.add("a", first, 0.0)
    table.add("b", second, 5.0)
    assert table.next_deadline() == 30.0
    assert table.expire(29.9) == []
    assert table.expire(30.0) == [first]
    assert table.next_deadline() == 35.0
    assert table.expire(99.0) == [second]
    assert len(table) == 0


def test_partial_expires_in_silence() -> None:
    """RFC 4975 7.1.1: with Failure-Report: partial no answer is an answer."""
    table = TransactionTable(Limits())
    table.add("a", message("partial"), 0.0)
    assert table.next_deadline() == 30.0
    assert table.expire(30.0) == []
    assert len(table) == 0
    table.add("b", message("no"), 0.0)
    assert len(table) == 0


def test_bounds() -> None:
    """Awaited responses make a full table; those that may never come push one another out."""
    table = TransactionTable(Limits(max_transactions=3))
    for name in "abcde":
        table.add(f"p{name}", message("partial"), 0.0)
    assert len(table) == 3
    assert table.pop("pa") is None
    for name in "abc":
        assert not table.is_full
        table.add(name, message(), 0.0)
    assert table.is_full
    table.pop("b")
    assert not table.is_full


def test_discard() -> None:
    """The transactions of some messages are forgotten."""
    table = TransactionTable(Limits())
    wanted, unwanted = message(), message("partial")
    table.add("a", wanted, 0.0)
    table.add("b", unwanted, 0.0)
    table.discard(lambda each: each is unwanted)
    assert table.pop("b") is None
    assert table.pop("a") is wanted


def test_identifiers_are_fresh() -> None:
    """RFC 4975 7.1: 64 random bits in a transaction id, in characters that it may have."""
    ids = {new_transaction_id() for _ in range(5000)} | {new_message_id() for _ in range(5000)}
    assert len(ids) == 10000
    assert all(each.isalnum() and 16 <= len(each) <= 32 for each in ids)
