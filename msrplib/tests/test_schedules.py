"""Two sessions that do many things at once, in any order, over a connection that behaves as it likes."""

from __future__ import annotations

import io
import random
from collections import Counter
from typing import Any

import pytest

from msrplib.limits import Limits
from msrplib.outgoing import MessageState

SIZES = (0, 1, 50, 2048, 5000, 16384, 16385, 70_000, 700_000)


class Side:
    """One session, what it has sent, and what it is told."""

    def __init__(self, session: Any, handler: Any) -> None:
        self.session = session
        self.handler = handler
        self.sent: dict[str, tuple[Any, bytes]] = {}

    def send(self, rng: random.Random) -> None:
        content = rng.randbytes(rng.choice(SIZES))
        source: Any = content if rng.random() < 0.7 else io.BytesIO(content)
        size = len(content) if rng.random() < 0.5 else None
        outgoing = self.session.send_message(
            source,
            "a/b",
            success_report=rng.choice(["yes", "no"]),
            failure_report=rng.choice(["yes", "no", "partial"]),
            size=size,
        )
        self.sent[outgoing.message_id] = (outgoing, content)


@pytest.mark.parametrize("seed", range(25))
def test_random_schedule(make_pair: Any, reactor: Any, seed: int) -> None:
    """RFC 4975: every message arrives once and unharmed or was given up, has one outcome, and nothing is left over."""
    rng = random.Random(seed)
    pair = make_pair(Limits(max_transactions=rng.choice([2, 8192]), chunk_time=rng.choice([0.02, 1e-9])))
    sides = [Side(pair.active, pair.active_handler), Side(pair.passive, pair.passive_handler)]
    sockets = [pair.active_socket, pair.passive_socket]
    for _ in range(300):
        action = rng.random()
        if action < 0.15:
            rng.choice(sides).send(rng)
        elif action < 0.18:
            side = rng.choice(sides)
            if side.sent:
                rng.choice(list(side.sent.values()))[0].cancel()
        elif action < 0.25:
            rng.choice(sockets).capacity = rng.choice([0, 1, 100, 10_000, 1_000_000])
        elif action < 0.30:
            rng.choice(sockets).segment = rng.choice([101, 1460, 65536]) if rng.random() < 0.3 else 65536
        elif action < 0.35:
            reactor.advance(rng.choice([0, 0.001, 0.05]))
        else:
            rng.choice(sockets).step()
    for socket in sockets:
        socket.capacity = 1 << 30
        socket.segment = 65536
    reactor.settle()
    for side, other in (sides, sides[::-1]):
        received = Counter(message.message_id for message in other.handler.messages)
        contents = {message.message_id: message.content for message in other.handler.messages}
        assert side.handler.failures == []
        assert Counter(side.handler.delivered) <= Counter(list(side.sent))
        for message_id, (outgoing, content) in side.sent.items():
            if outgoing.state is MessageState.CANCELLED:
                assert received[message_id] <= 1
                continue
            assert received[message_id] == 1
            assert contents[message_id] == content
            assert (message_id in side.handler.delivered) is (outgoing.success_report == "yes")
            assert (message_id in side.handler.accepted) is (outgoing.failure_report == "yes")
            assert outgoing.state is not MessageState.SENDING
        assert side.session._queued_size == 0
    pair.active.close()
    reactor.settle()
    assert len(pair.passive_handler.closed) == 1
    assert reactor.getDelayedCalls() == []


@pytest.mark.parametrize("seed", range(25))
def test_connection_lost_at_any_time(make_pair: Any, reactor: Any, seed: int) -> None:
    """RFC 4975 5.4: when the connection is lost, every message that asked to hear of its fate has one, and it is told
    before the end of the session."""
    rng = random.Random(1000 + seed)
    pair = make_pair()
    sides = [Side(pair.active, pair.active_handler), Side(pair.passive, pair.passive_handler)]
    sockets = [pair.active_socket, pair.passive_socket]
    for socket in sockets:
        socket.capacity = rng.choice([100, 100_000, 1 << 30])
    for _ in range(12):
        rng.choice(sides).send(rng)
    for _ in range(rng.randrange(40)):
        rng.choice(sockets).step()
    rng.choice(sockets).protocol.abort()
    for socket in sockets:
        socket.capacity = 1 << 30
    reactor.settle()
    for side in sides:
        handler = side.handler
        assert len(handler.closed) == 1
        assert handler.events[-1] == ("closed",)
        failed = Counter(failure[0] for failure in handler.failures)
        assert all(count == 1 for count in failed.values())
        for message_id, (outgoing, _) in side.sent.items():
            assert (failed[message_id] == 1) is (outgoing.state is MessageState.FAILED)
            if outgoing.success_report == "yes":
                assert (failed[message_id] == 1) is not (message_id in handler.delivered)
    assert reactor.getDelayedCalls() == []
