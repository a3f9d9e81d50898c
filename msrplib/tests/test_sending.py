"""Messages from one session to another, over memory."""

from __future__ import annotations

import io
from collections.abc import Callable
from typing import Any

import pytest

from msrplib.errors import MSRPSyntaxError, QueueFullError, SessionStateError
from msrplib.limits import Limits
from msrplib.outgoing import MessageState
from msrplib.protocol import ByteRange, MSRPData
from msrplib.session import MSRPSession
from msrplib.uri import MSRPURI


def test_a_message_is_delivered(pair: Any, reactor: Any) -> None:
    """RFC 4975 7: SEND, 200, REPORT, in that order, and what each side is told."""
    outgoing = pair.active.send_message(b"Hi", "text/plain", success_report="yes", headers=[("X-A", "b")])
    assert outgoing.state.value == "sent"
    assert pair.active_handler.events == []  # nothing is told before send_message has returned
    reactor.settle()
    message_id = outgoing.message_id
    assert pair.passive_handler.events == [("started", message_id), ("received", message_id)]
    assert pair.active_handler.events == [("sent", message_id), ("accepted", message_id), ("delivered", message_id)]
    assert outgoing.state is MessageState.DELIVERED
    message = pair.passive_handler.messages[0]
    assert (message.content, message.content_type, message.size) == (b"Hi", "text/plain", 2)
    assert message.first_chunk.headers["X-A"] == "b"
    assert message.first_chunk.from_path == pair.active.local_path
    (report,) = pair.active_handler.reports
    assert (report.message_id, report.byte_range) == (message_id, ByteRange(1, 2, 2))
    ((sent_id, chunk),) = pair.active_handler.sent
    assert (sent_id, chunk.data, chunk.contflag, chunk.success_report) == (message_id, b"Hi", "$", "yes")
    assert pair.passive_handler.requests[0].headers == chunk.headers


@pytest.mark.parametrize("success_report", ["yes", "no"])
@pytest.mark.parametrize("failure_report", ["yes", "no", "partial"])
@pytest.mark.parametrize("size", [3, 200_000])
def test_reports_of_all_values(pair: Any, reactor: Any, success_report: str, failure_report: str, size: int) -> None:
    """RFC 4975 7.1.1, 7.2: who asks for what gets it, and nothing else."""
    traced: list[bytes] = []
    pair.passive_socket.writeSomeData = wrap(pair.passive_socket.writeSomeData, traced)
    outgoing = pair.active.send_message(
        b"x" * size, "a/b", success_report=success_report, failure_report=failure_report
    )
    reactor.settle()
    assert len(pair.passive_handler.messages) == 1
    assert pair.passive_handler.messages[0].content == b"x" * size
    octets = b"".join(traced)
    assert (b" 200 OK\r\nTo-Path" in octets) is (failure_report == "yes")
    assert octets.count(b" REPORT\r\n") == (success_report == "yes")
    assert pair.active_handler.accepted == ([outgoing.message_id] if failure_report == "yes" else [])
    assert pair.active_handler.delivered == ([outgoing.message_id] if success_report == "yes" else [])
    reactor.pass_time(3600)
    assert pair.active_handler.failures == []


def wrap(write: Callable[[bytes], int], traced: list[bytes]) -> Callable[[bytes], int]:
    def wrapped(data: bytes) -> int:
        taken = write(data)
        traced.append(bytes(data[:taken]))
        return taken

    return wrapped


@pytest.mark.parametrize("refusal", [400, 403, 413, 415])
@pytest.mark.parametrize("failure_report", ["yes", "partial", "no"])
def test_refused(pair: Any, reactor: Any, make_refusal: Any, refusal: int, failure_report: str) -> None:
    """RFC 4975 10: the receiver refuses with a code; the sender hears it unless it asked not to."""
    pair.passive_handler.decide = lambda chunk: make_refusal(refusal, "No")
    outgoing = pair.active.send_message(b"Hi", "a/b", success_report="yes", failure_report=failure_report)
    reactor.settle()
    if failure_report == "no":
        assert pair.active_handler.failures == []
        return
    ((message_id, code, reason, chunk),) = pair.active_handler.failures
    assert (message_id, code, reason, chunk.code) == (outgoing.message_id, refusal, "No", refusal)
    assert outgoing.state is MessageState.FAILED
    assert pair.active_handler.delivered == []


@pytest.fixture
def make_refusal() -> Any:
    from msrplib.handler import Refusal

    return Refusal


def test_verdict_on_the_whole_message(pair: Any, reactor: Any, make_refusal: Any) -> None:
    """RFC 4975 10.2: a body that can't be read is refused in the response to its last chunk, and not reported."""
    pair.passive_handler.verdict = make_refusal(400)
    pair.active.send_message(b"Hi", "a/b", success_report="yes")
    pair.active.send_message(b"x" * 300_000, "a/b", success_report="yes")
    reactor.settle()
    assert [failure[1:3] for failure in pair.active_handler.failures] == [(400, "Bad Request")] * 2
    assert pair.active_handler.delivered == []


def test_no_response(pair: Any, reactor: Any) -> None:
    """RFC 4975 7.1.1: no response within 30 seconds is as good as 408."""
    pair.passive_socket.is_reading = False
    first = pair.active.send_message(b"1", "a/b")
    reactor.pass_time(10)
    silent = pair.active.send_message(b"2", "a/b", failure_report="partial")
    second = pair.active.send_message(b"3", "a/b", success_report="yes")
    reactor.pass_time(19.9)
    assert pair.active_handler.failures == []
    reactor.pass_time(0.1)
    assert [failure[:2] for failure in pair.active_handler.failures] == [(first.message_id, 408)]
    reactor.pass_time(10)
    assert [failure[0] for failure in pair.active_handler.failures] == [first.message_id, second.message_id]
    assert silent.state is MessageState.SENT
    # What comes too late changes nothing.
    pair.passive_socket.is_reading = True
    reactor.settle()
    assert len(pair.active_handler.failures) == 2
    assert pair.active_handler.delivered == []


def test_report_time_out(make_pair: Any, reactor: Any) -> None:
    """A success report that does not come is a failure, if a time for it is set."""
    pair = make_pair(Limits(report_timeout=60))
    pair.passive_socket.is_reading = False
    outgoing = pair.active.send_message(b"1", "a/b", success_report="yes", failure_report="no")
    reactor.settle()
    reactor.pass_time(59)
    assert pair.active_handler.failures == []
    reactor.pass_time(1)
    assert [failure[:2] for failure in pair.active_handler.failures] == [(outgoing.message_id, 408)]


@pytest.mark.parametrize("with_size", [True, False])
def test_file(pair: Any, reactor: Any, make_sink: Any, with_size: bool) -> None:
    """RFC 4975 5.1: a source that is pulled, a sink that is fed; with and without a known size."""
    content = bytes(range(256)) * 8000
    sink = make_sink()
    pair.passive_handler.decide = lambda chunk: sink
    size = len(content) if with_size else None
    outgoing = pair.active.send_message(io.BytesIO(content), "a/b", success_report="yes", size=size)
    reactor.settle()
    assert bytes(sink.content) == content
    assert sink.finished.size == len(content)
    assert outgoing.size == outgoing.sent == len(content)
    assert pair.active_handler.delivered == [outgoing.message_id]


def test_live_source(pair: Any, reactor: Any, make_sink: Any) -> None:
    """A source that has nothing yet is asked again when it says so; what it has leaves at once."""
    waiting: list[bytes | None] = [b"one", None, b"two", None, b""]

    class Live:
        def read(self, size: int, /) -> bytes | None:
            return waiting.pop(0)

    sink = make_sink()
    pair.passive_handler.decide = lambda chunk: sink
    outgoing = pair.active.send_message(Live(), "a/b", success_report="yes")
    reactor.settle()
    assert bytes(sink.content) == b"one"
    outgoing.resume()
    reactor.settle()
    assert bytes(sink.content) == b"onetwo"
    assert pair.active_handler.sent == []
    outgoing.resume()
    reactor.settle()
    assert sink.finished.size == 6
    assert pair.active_handler.delivered == [outgoing.message_id]


def test_source_that_fails(pair: Any, reactor: Any, make_sink: Any) -> None:
    """RFC 4975 7.1: a source that raises, or ends early, aborts its message; the receiver is told by '#'."""

    class Broken:
        asked = 0

        def read(self, size: int, /) -> bytes:
            self.asked += 1
            if self.asked > 1:
                raise OSError("disk on fire")
            return b"x" * size

    for source in (Broken(), io.BytesIO(b"x" * 600_000)):
        sink = make_sink()
        pair.passive_handler.decide = lambda chunk, sink=sink: sink
        pair.active_handler.failures.clear()
        pair.active.send_message(source, "a/b", size=5_000_000, success_report="yes")
        reactor.settle()
        ((_, code, reason, chunk),) = pair.active_handler.failures
        assert (code, chunk) == (400, None)
        assert "fire" not in reason
        assert sink.aborted == "the sender gave the message up"
        assert sink.finished is None


def test_small_passes_large(pair: Any, reactor: Any, make_sink: Any) -> None:
    """RFC 4975 5.1: a small message amid a large one leaves as soon as the octets that were written have."""
    sinks: list[Any] = []

    def decide(chunk: Any) -> Any:
        if chunk.byte_range.total < 100:
            return None
        sinks.append(make_sink())
        return sinks[-1]

    pair.passive_handler.decide = decide
    pair.active_socket.capacity = 300_000
    content = b"y" * 20_000_000
    large = pair.active.send_message(content, "a/b", success_report="yes")
    for _ in range(3):
        for socket in reactor.sockets:
            socket.step()
    assert 0 < large.sent < len(content)
    already = len(sinks[0].content)
    small = pair.active.send_message(b"Hi", "a/b", success_report="yes")
    while not pair.passive_handler.messages:
        for socket in reactor.sockets:
            socket.step()
    assert len(sinks[0].content) - already < 1_500_000
    assert not large.is_final
    reactor.settle()
    assert pair.active_handler.delivered == [small.message_id, large.message_id]
    assert bytes(sinks[0].content) == content


def test_small_messages_keep_their_order(pair: Any, reactor: Any) -> None:
    """Messages up to 16 KiB arrive in the order in which they were sent, whatever the socket does."""
    pair.active_socket.capacity = 10_000
    for number in range(200):
        pair.active.send_message(b"%d " % number + b"z" * (number * 80), "a/b")
    reactor.settle()
    contents = [message.content for message in pair.passive_handler.messages]
    assert [int(content.split()[0]) for content in contents] == list(range(200))


def test_large_messages_take_turns(pair: Any, reactor: Any, make_sink: Any) -> None:
    """RFC 4975 5.1: two large messages share the connection."""
    pair.passive_handler.decide = lambda chunk: make_sink()
    pair.active_socket.capacity = 300_000
    outgoing = [pair.active.send_message(b"x" * 5_000_000, "a/b") for _ in range(2)]
    while outgoing[0].state is MessageState.SENDING or outgoing[0].state is MessageState.QUEUED:
        reactor.advance(0)
        for socket in reactor.sockets:
            socket.step()
    assert outgoing[1].sent > 3_000_000


def test_slow_connection(pair: Any, reactor: Any, make_sink: Any) -> None:
    """RFC 4975 5.1: on a connection of 100 kB/s chunks are so short that a small message waits 0.1 s at the most
    for those of a large one."""
    sink = make_sink()
    pair.passive_handler.decide = lambda chunk: sink if chunk.byte_range.total > 100 else None
    pair.active.send_message(b"y" * 20_000_000, "a/b")

    def tick() -> None:
        pair.active_socket.capacity = 1000
        reactor.advance(0.01)
        for socket in (pair.active_socket, pair.passive_socket):
            socket.step()

    for _ in range(1500):
        tick()
    for _ in range(5):
        before = len(pair.passive_handler.messages)
        pair.active.send_message(b"Hi", "a/b")
        ticks = 0
        while len(pair.passive_handler.messages) == before:
            tick()
            ticks += 1
        assert ticks <= 10
        for _ in range(37):
            tick()
    assert len(sink.content) > 1_000_000


def test_window_of_responses(make_pair: Any, reactor: Any) -> None:
    """Messages wait in their queue while as many responses as may be are awaited."""
    pair = make_pair(Limits(max_transactions=10))
    pair.passive_socket.is_reading = False
    for _ in range(25):
        pair.active.send_message(b"x", "a/b")
    reactor.settle()
    assert len(pair.active_handler.sent) == 10
    pair.passive_socket.is_reading = True
    reactor.settle()
    assert len(pair.active_handler.accepted) == 25


def test_peer_that_never_reads(make_pair: Any, reactor: Any) -> None:
    """Memory is bounded when nothing leaves: sources are not read, and messages in memory are refused."""
    pair = make_pair(Limits(max_queued_size=100_000))
    pair.active_socket.capacity = 0

    class Endless:
        given = 0

        def read(self, size: int, /) -> bytes:
            self.given += size
            return bytes(size)

    source = Endless()
    pair.active.send_message(source, "a/b")
    for _ in range(100):
        pair.active.send_message(b"x" * 1000, "a/b")
    with pytest.raises(QueueFullError):
        pair.active.send_message(b"x", "a/b")
    reactor.settle()
    assert source.given <= 2 * pair.limits.max_chunk_size
    pair.active_socket.capacity = 1 << 30
    pair.passive_handler.decide = lambda chunk: None
    for _ in range(5):
        for socket in reactor.sockets:
            socket.step()
    pair.active.send_message(b"x", "a/b")


def test_cancel(pair: Any, reactor: Any, make_sink: Any) -> None:
    """RFC 4975 7.1: a message that is given up ends with '#', and nobody hears of it any more."""
    sink = make_sink()
    pair.passive_handler.decide = lambda chunk: sink
    pair.active_socket.capacity = 300_000
    large = pair.active.send_message(b"y" * 20_000_000, "a/b", success_report="yes")
    for _ in range(4):
        for socket in reactor.sockets:
            socket.step()
    pair.active_handler.events.clear()
    large.cancel()
    large.cancel()
    reactor.settle()
    assert sink.aborted == "the sender gave the message up"
    assert pair.active_handler.events == []
    assert large.state is MessageState.CANCELLED
    pair.passive_handler.decide = lambda chunk: None
    pair.active.send_message(b"Hi", "a/b")
    reactor.settle()
    assert pair.passive_handler.messages[0].content == b"Hi"


def test_413_stops_the_sender(pair: Any, reactor: Any, make_refusal: Any) -> None:
    """RFC 4975 10.5: 413 in the middle of a message: the sender sends no more of it."""
    pair.passive_handler.decide = lambda chunk: make_refusal(413)
    pair.active_socket.capacity = 300_000
    large = pair.active.send_message(b"y" * 20_000_000, "a/b", failure_report="partial")
    reactor.settle()
    ((message_id, code, _, _),) = pair.active_handler.failures
    assert (message_id, code) == (large.message_id, 413)
    assert large.sent < 2_000_000
    assert pair.passive_handler.requests[-1].contflag == "#"


def test_too_large_for_memory(make_pair: Any, reactor: Any) -> None:
    """RFC 4975 10.5: a message that no sink takes is bounded."""
    pair = make_pair(Limits(max_message_size=100_000))
    pair.active.send_message(b"y" * 100_000, "a/b")
    refused = pair.active.send_message(b"y" * 100_001, "a/b")
    live = pair.active.send_message(io.BytesIO(b"y" * 600_000), "a/b")
    reactor.settle()
    assert [failure[:2] for failure in pair.active_handler.failures] == [
        (refused.message_id, 413),
        (live.message_id, 413),
    ]
    assert len(pair.passive_handler.messages) == 1


@pytest.mark.parametrize("size", [0, 1, 2048, 2049, 16384, 16385, 65536, 600_000, 10_000_000])
def test_sizes(pair: Any, reactor: Any, size: int) -> None:
    """Messages from empty to 10 MB."""
    content = bytes(size)
    pair.active.send_message(content, "a/b", success_report="yes")
    reactor.settle()
    assert [message.content for message in pair.passive_handler.messages] == [content]
    assert len(pair.active_handler.delivered) == 1


def test_interruptible_chunks_say_so(pair: Any, reactor: Any) -> None:
    """RFC 4975 7.1.1: the range end of a chunk of more than 2048 octets is '*'."""
    for size, text in ((2048, "1-2048/2048"), (2049, "1-*/2049"), (0, "1-0/0")):
        pair.active.send_message(bytes(size), "a/b")
        reactor.settle()
        assert pair.passive_handler.requests[-1].headers["Byte-Range"] == text


def test_wrong_arguments(pair: Any) -> None:
    """Errors of use are raised at once, and nothing is sent."""
    send = pair.active.send_message
    with pytest.raises(ValueError, match="success_report"):
        send(b"", "a/b", success_report="maybe")
    with pytest.raises(ValueError, match="failure_report"):
        send(b"", "a/b", failure_report="maybe")
    for arguments in ({"content_type": "a\r\nb"}, {"message_id": "a b\n"}, {"headers": [("X-A", "b\r\n")]}):
        with pytest.raises(MSRPSyntaxError):
            send(b"", **{"content_type": "a/b", **arguments})
    send(b"", "a/b", message_id="twice", success_report="yes")
    with pytest.raises(ValueError, match="under way"):
        send(b"", "a/b", message_id="twice")
    pair.active.close()
    with pytest.raises(SessionStateError):
        send(b"", "a/b")


def test_before_it_is_bound(reactor: Any, make_recorder: Any) -> None:
    """Messages wait for the session to be bound; when it never is, they fail."""
    handler = make_recorder()
    session = MSRPSession(MSRPURI.new("10.0.0.2", 9), handler=handler)
    outgoing = session.send_message(b"Hi", "a/b")
    assert outgoing.state is MessageState.QUEUED
    with pytest.raises(SessionStateError):
        session.send_chunk(None)  # type: ignore[arg-type]
    session.close()
    assert [failure[:2] for failure in handler.failures] == [(outgoing.message_id, 481)]
    assert handler.closed == [None]


def test_close_fails_what_is_under_way(pair: Any, reactor: Any) -> None:
    """What has no answer when the session ends has failed; the other side hears that the connection is closed."""
    outgoing = pair.active.send_message(b"Hi", "a/b", success_report="yes")
    pair.active.close()
    pair.active.close()
    assert pair.active_handler.events == [("failed", outgoing.message_id), ("closed",)]
    assert pair.active_handler.closed == [None]
    reactor.settle()
    (reason,) = pair.passive_handler.closed
    assert "closed by the peer" in reason.getErrorMessage()
    # What was handed to the connection still left.
    assert [message.content for message in pair.passive_handler.messages] == [b"Hi"]
    reactor.pass_time(1000)
    assert reactor.getDelayedCalls() == []


def test_handler_that_raises(pair: Any, reactor: Any, caplog: Any) -> None:
    """What the handler raises harms neither session nor connection; a message that it did not take is refused."""

    def broken(*arguments: Any) -> Any:
        raise RuntimeError("bug")

    for name in ("message_started", "message_received", "request_received"):
        setattr(pair.passive_handler, name, broken)
    for name in ("message_failed", "message_sent", "report_received"):
        setattr(pair.active_handler, name, broken)
    outgoing = pair.active.send_message(b"Hi", "a/b")
    reactor.settle()
    assert outgoing.state is MessageState.FAILED
    del pair.passive_handler.message_started, pair.passive_handler.message_received
    pair.active.send_message(b"Hi", "a/b", success_report="yes")
    reactor.settle()
    assert len(pair.active_handler.delivered) == 1
    assert "bug" in caplog.text


def test_many_messages_in_the_handler(pair: Any, reactor: Any) -> None:
    """A handler that sends the next message when it hears of the last does not pile up calls."""
    left = [3000]

    def sent(session: MSRPSession, outgoing: Any, chunk: Any) -> None:
        if left[0]:
            left[0] -= 1
            session.send_message(b"x", "a/b")

    pair.active_handler.message_sent = sent
    pair.active.send_message(b"x", "a/b")
    reactor.settle()
    assert len(pair.passive_handler.messages) == 3001


def test_raw_chunk(pair: Any, reactor: Any) -> None:
    """A chunk of the user's own, of a method that the session does not know."""
    headers = {"To-Path": str(pair.passive.local_uri), "From-Path": str(pair.active.local_uri), "Use-Nickname": "a"}
    answers: list[str] = []

    def answer(session: MSRPSession, chunk: MSRPData) -> None:
        answers.append(chunk.headers["Use-Nickname"])
        session.respond(chunk, 200)

    pair.passive_handler.request_received = answer
    pair.active.send_chunk(MSRPData("nick1", "NICKNAME", headers=headers))
    reactor.settle()
    assert answers == ["a"]


def test_report_by_hand(pair: Any, reactor: Any) -> None:
    """RFC 4975 7.1.2: a failure report, sent later by the user, fails the message; nothing follows."""
    outgoing = pair.active.send_message(b"Hi", "a/b")
    reactor.settle()
    pair.passive.send_report(pair.passive_handler.messages[0].first_chunk, 403, "Not for you")
    reactor.settle()
    ((message_id, code, reason, chunk),) = pair.active_handler.failures
    assert (message_id, code, reason) == (outgoing.message_id, 403, "Not for you")
    assert chunk.method == "REPORT"
    pair.passive.send_report(pair.passive_handler.messages[0].first_chunk, 403)
    reactor.settle()
    assert len(pair.active_handler.failures) == 1


def test_reports_of_parts(pair: Any, reactor: Any) -> None:
    """RFC 4975 7.1.3: a message is delivered when success reports cover all of it."""
    pair.passive_handler.verdict = None
    outgoing = pair.active.send_message(b"x" * 100, "a/b", success_report="no")
    whole = pair.active.send_message(b"x" * 100, "a/b", success_report="yes")
    pair.passive._report_success = lambda *arguments: None
    reactor.settle()
    chunk = pair.passive_handler.messages[1].first_chunk
    for start, end in ((1, 10), (50, 100), (5, 40)):
        pair.passive.send_report(chunk, byte_range=ByteRange(start, end, 100))
        reactor.settle()
    assert pair.active_handler.delivered == []
    pair.passive.send_report(chunk, byte_range=ByteRange(41, 49, 100))
    reactor.settle()
    assert pair.active_handler.delivered == [whole.message_id]
    assert len(pair.active_handler.reports) == 4
    assert outgoing.state is MessageState.ACCEPTED


def test_awaited_reports_are_bounded(make_pair: Any, reactor: Any) -> None:
    """A peer that never reports does not make us remember every message: the oldest fails."""
    pair = make_pair(Limits(max_awaiting_reports=5))
    pair.passive._report_success = lambda *arguments: None
    outgoing = []
    for _ in range(8):
        outgoing.append(pair.active.send_message(b"x", "a/b", success_report="yes"))
        reactor.settle()
    assert [failure[:2] for failure in pair.active_handler.failures] == [
        (each.message_id, 408) for each in outgoing[:3]
    ]


@pytest.mark.parametrize("text", [None, "1-*/100", "1-*/*", "1-100/*"])
def test_report_without_an_end(pair: Any, reactor: Any, text: str | None) -> None:
    """RFC 4975 7.1.3: a success report that does not say how far it goes is about all of the message."""
    pair.passive._report_success = lambda *arguments: None
    outgoing = pair.active.send_message(b"x" * 100, "a/b", message_id="mine", success_report="yes")
    reactor.settle()
    headers = {"To-Path": str(pair.active.local_uri), "From-Path": str(pair.passive.local_uri), "Message-ID": "mine"}
    if text is not None:
        headers["Byte-Range"] = text
    pair.passive.send_chunk(MSRPData("report1", "REPORT", headers={**headers, "Status": "000 200 OK"}))
    reactor.settle()
    assert pair.active_handler.delivered == [outgoing.message_id]


def test_source_of_rubbish(pair: Any, reactor: Any) -> None:
    """A source that gives more than was asked for, or no octets, fails its message and nothing else."""

    class Rubbish:
        def read(self, size: int, /) -> Any:
            return "text"

    class TooMuch:
        def read(self, size: int, /) -> bytes:
            return bytes(size + 1)

    for source in (Rubbish(), TooMuch()):
        pair.active.send_message(source, "a/b")
        assert pair.active_handler.failures == []
        reactor.settle()
        assert pair.active_handler.failures.pop()[1] == 400
    pair.active.send_message(b"Hi", "a/b", success_report="yes")
    reactor.settle()
    assert len(pair.active_handler.delivered) == 1
