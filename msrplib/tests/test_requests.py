"""Requests that are neither SEND nor REPORT: NICKNAME (RFC 7701), and any other."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msrplib.errors import ConnectionClosedError, MSRPResponseError, MSRPSyntaxError, QueueFullError, SessionStateError
from msrplib.limits import Limits
from msrplib.nickname import format_nickname, parse_nickname
from msrplib.protocol import MSRPData


def answering(pair: Any, code: int, comment: str | None = None) -> list[MSRPData]:
    """Let the passive side answer every NICKNAME with that code; the requests that came."""
    seen: list[MSRPData] = []

    def request_received(session: Any, chunk: MSRPData) -> None:
        if chunk.method == "NICKNAME":
            seen.append(chunk)
            session.respond(chunk, code, comment)

    pair.passive_handler.request_received = request_received
    return seen


def outcome(deferred: Any) -> list[Any]:
    found: list[Any] = []
    deferred.addBoth(found.append)
    return found


@pytest.mark.parametrize(
    ("code", "comment"),
    [
        (200, "OK"),
        (403, "Forbidden"),
        (404, "Not Found"),
        (423, "Parameter Out Of Bounds"),
        (424, "Malformed Nickname"),
        (425, "Nickname Reserved Or In Use"),
        (500, "x"),
    ],
)
def test_nickname(pair: Any, reactor: Any, code: int, comment: str) -> None:
    """RFC 7701 7.1: a NICKNAME without a body, along the path; any response is the outcome."""
    seen = answering(pair, code, "x" if code == 500 else None)
    found = outcome(pair.active.send_nickname('Alice "the ü" \\o/'))
    assert found == []
    reactor.settle()
    (request,) = seen
    assert request.use_nickname == 'Alice "the ü" \\o/'
    assert request.headers["Use-Nickname"] == r'"Alice \"the ü\" \\o/"'
    assert (request.to_path, request.from_path) == (pair.passive.local_path, pair.active.local_path)
    assert (request.message_id, request.byte_range, request.data) == (None, None, b"")
    (response,) = found
    assert (response.code, response.comment) == (code, comment)


def test_a_method_that_is_not_known(pair: Any, reactor: Any) -> None:
    """RFC 4975 10.9: who does not know it says so, and the session goes on."""
    found = outcome(pair.active.send_request("WAVE", [("X-Arm", "left")]))
    reactor.settle()
    assert [response.code for response in found] == [501]
    pair.active.send_message(b"x", "text/plain")
    reactor.settle()
    assert len(pair.passive_handler.messages) == 1


def test_no_answer(pair: Any, reactor: Any) -> None:
    """RFC 4975 7.1.1: after 30 seconds it counts as 408; a late answer counts for nothing."""
    pair.passive_socket.stopReading()
    found = outcome(pair.active.send_nickname("Alice"))
    reactor.pass_time(Limits().transaction_timeout - 1)
    assert found == []
    reactor.pass_time(1)
    (failure,) = found
    assert isinstance(failure.value, MSRPResponseError) and failure.value.code == 408
    pair.passive_socket.startReading()
    reactor.settle()
    assert len(found) == 1 and pair.active.is_bound


@pytest.mark.parametrize("how", ["close", "peer"])
def test_the_session_ends_first(pair: Any, reactor: Any, how: str) -> None:
    """It fails with the session."""
    pair.passive_socket.stopReading()
    found = outcome(pair.active.send_nickname("Alice"))
    reactor.settle()
    if how == "close":
        pair.active.close()
    else:
        pair.passive_socket.abortConnection()
        reactor.settle()
    (failure,) = found
    assert isinstance(failure.value, ConnectionClosedError)
    reactor.pass_time(60)
    assert len(found) == 1


def test_cancelled(pair: Any, reactor: Any) -> None:
    """Nobody waits for it any more: its answer is dropped."""
    pair.passive_socket.stopReading()
    deferred = pair.active.send_nickname("Alice")
    found = outcome(deferred)
    deferred.cancel()
    assert len(found) == 1
    pair.passive_socket.startReading()
    reactor.settle()
    reactor.pass_time(60)
    pair.active.close()
    assert len(found) == 1


def test_not_bound(pair: Any, reactor: Any) -> None:
    pair.active.close()
    with pytest.raises(SessionStateError):
        pair.active.send_nickname("Alice")


def test_too_many(make_pair: Any, reactor: Any) -> None:
    """What is awaited is bounded."""
    pair = make_pair(Limits(max_transactions=10))
    pair.passive_socket.stopReading()
    for _ in range(10):
        outcome(pair.active.send_nickname("Alice"))
    with pytest.raises(QueueFullError):
        pair.active.send_nickname("Alice")


@pytest.mark.parametrize(
    ("method", "headers"),
    [("SEND", []), ("REPORT", []), ("nick", []), ("", []), ("A B", []),
     ("WAVE", [("X", "a\r\nb")]), ("WAVE", [("", "")])],
)  # fmt: skip
def test_what_can_not_be_sent(pair: Any, reactor: Any, method: str, headers: list[tuple[str, str]]) -> None:
    """Nothing breaks out of its line; chunks of messages are sent in another way."""
    with pytest.raises(ValueError):
        pair.active.send_request(method, headers)
    reactor.pass_time(60)
    assert pair.passive_handler.requests == []


@given(st.text(st.characters(exclude_categories=("Cs", "Cc", "Zl", "Zp"))))
def test_nicknames(nickname: str) -> None:
    """RFC 7701 7.1: what is printed is read again."""
    assert parse_nickname(format_nickname(nickname)) == nickname


@pytest.mark.parametrize("nickname", ["a\r\nb", "\x00", "\x7f", "\ud800", "\u2028"])
def test_not_a_nickname(nickname: str) -> None:
    with pytest.raises(MSRPSyntaxError):
        format_nickname(nickname)


@pytest.mark.parametrize("text", ["", "Alice", '"Alice', 'Alice"', '"a"b"', r'"a\"', r'"a\x"', '"\x01"'])
def test_malformed(text: str) -> None:
    """RFC 7701 7.1, 9: a chat room answers such a thing with 424."""
    with pytest.raises(MSRPSyntaxError):
        parse_nickname(text)


@given(st.text())
def test_any_text(text: str) -> None:
    """A nickname or an MSRPSyntaxError."""
    try:
        nickname = parse_nickname(text)
    except MSRPSyntaxError:
        return
    assert parse_nickname(format_nickname(nickname)) == nickname
