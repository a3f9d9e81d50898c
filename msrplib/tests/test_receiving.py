"""What a session answers to a peer that says what it likes."""

from __future__ import annotations

import random
from typing import Any

import pytest
from twisted.internet.defer import Deferred

from msrplib.handler import Refusal
from msrplib.limits import Limits
from msrplib.receiving import MAX_REFUSED

TEXT = "Content-Type: text/plain"


def codes(octets: bytes) -> list[tuple[str, str]]:
    """Transaction ids and codes of the responses, and methods of the requests, in order."""
    lines = [line.split(b" ") for line in octets.split(b"\r\n") if line.startswith(b"MSRP ")]
    return [(line[1].decode(), line[2].decode()) for line in lines]


def test_empty_send(stage: Any) -> None:
    """RFC 4975 5.4: a SEND without a body binds the session and is no message."""
    assert codes(stage.bound) == [("bind", "200")]
    assert stage.session.is_bound
    assert stage.handler.events == []
    assert codes(stage.send("again", "")) == [("again", "200")]


def test_response_and_report(stage: Any) -> None:
    """RFC 4975 7.1.2, 7.2: a response goes one hop back, a report all the way; each with the right headers."""
    stage.from_path = "msrp://relay:2855/x;tcp msrp://10.0.0.2:9/peer;tcp"
    received = stage.send("abcd", f"Byte-Range: 1-2/2\r\nSuccess-Report: yes\r\n{TEXT}", b"Hi").decode()
    response, report = received.split("-------abcd$\r\n")
    assert response == (f"MSRP abcd 200 OK\r\nTo-Path: msrp://relay:2855/x;tcp\r\nFrom-Path: {stage.to_path}\r\n")
    transaction_id = report.split()[1]
    assert report == (
        f"MSRP {transaction_id} REPORT\r\nTo-Path: {stage.from_path}\r\nFrom-Path: {stage.to_path}\r\n"
        "Message-ID: m-abcd\r\nByte-Range: 1-2/2\r\nStatus: 000 200 OK\r\n"
        f"-------{transaction_id}$\r\n"
    )


@pytest.mark.parametrize("failure_report", ["yes", "no", "partial", "nonsense"])
def test_failure_report(stage: Any, failure_report: str) -> None:
    """RFC 4975 7.2: 'no' silences every response, 'partial' those that say 200."""
    stage.handler.decide = lambda chunk: Refusal(415) if chunk.content_type == "bad/type" else None
    good = stage.send("good", f"Failure-Report: {failure_report}\r\n{TEXT}", b"Hi")
    bad = stage.send("badd", f"Failure-Report: {failure_report}\r\nContent-Type: bad/type", b"Hi")
    assert codes(good) == ([("good", "200")] if failure_report in ("yes", "nonsense") else [])
    assert codes(bad) == ([("badd", "415")] if failure_report != "no" else [])


@pytest.mark.parametrize(
    ("extra", "body"),
    [
        ("Message-ID: \r\n" + TEXT, b"Hi"),
        ("X-A: b", b"Hi"),
        (TEXT + "\r\n" + TEXT, b"Hi"),
        ("no colon\r\n" + TEXT, b"Hi"),
        ("Byte-Range: 3-1/9\r\n" + TEXT, b"Hi"),
        ("Byte-Range: 1-2/1\r\n" + TEXT, b"Hi"),
        ("Byte-Range: 1-1/9\r\n" + TEXT, b"Hi"),
        ("Byte-Range: 1-2/9\r\n" + TEXT, b"Hi"),
        ("Byte-Range: 10-*/10\r\n" + TEXT, b"Hi"),
        ("Byte-Range: bad\r\n" + TEXT, b"Hi"),
    ],
)
def test_unintelligible(stage: Any, extra: str, body: bytes) -> None:
    """RFC 4975 10.2: 400, and the session goes on."""
    assert codes(stage.send("badd", extra, body)) == [("badd", "400")]
    assert stage.handler.messages == []
    assert codes(stage.send("good", TEXT, b"Hi")) == [("good", "200")]


@pytest.mark.parametrize("wrong", ["msrp://10.0.0.1:1/nobody;tcp", "nonsense", "msrp://a:1/a;tcp msrp://b:2/b;tcp"])
def test_wrong_to_path(stage: Any, wrong: str) -> None:
    """RFC 4975 10.8: 481, also on a connection with a session; what can't be read is 400."""
    expected = "400" if wrong == "nonsense" else "481"
    assert codes(stage.send("abcd", TEXT, b"Hi", to_path=wrong)) == [("abcd", expected)]
    assert codes(stage.send("abce", f"{TEXT}\r\nFailure-Report: no", b"Hi", to_path=wrong)) == []
    assert codes(stage.send("abcf", "Status: 000 200 OK", method="REPORT", to_path=wrong)) == []
    assert stage.handler.messages == []
    long = stage.chunk("long", f"Byte-Range: 1-*/9000000\r\n{TEXT}", b"x" * 200_000, to_path=wrong)
    assert codes(stage.peer.say(long)) == [("long", expected)]


def test_without_paths(stage: Any) -> None:
    """A request that can't be answered is dropped, and the connection stays."""
    assert stage.peer.say(b"MSRP abcd SEND\r\nMessage-ID: 1\r\n-------abcd$\r\n") == b""
    assert stage.peer.say(b"MSRP abcd SEND\r\nTo-Path: x\r\n-------abcd$\r\n") == b""
    assert codes(stage.send("good", TEXT, b"Hi")) == [("good", "200")]


def test_same_uri_spelt_otherwise(stage: Any) -> None:
    """RFC 4975 6.1: the To-Path is compared as a URI, not as text."""
    other = stage.to_path.replace("msrp://", "MSRP://me@").replace(";tcp", ";TCP;x=y")
    assert codes(stage.send("abcd", TEXT, b"Hi", to_path=other)) == [("abcd", "200")]
    assert len(stage.handler.messages) == 1


def test_unknown_method(stage: Any) -> None:
    """RFC 4975 10.9: 501."""
    assert codes(stage.send("abcd", 'Use-Nickname: "x"', method="NICKNAME")) == [("abcd", "501")]


def test_report_for_nothing(stage: Any) -> None:
    """RFC 4975 7.3.2: a REPORT never gets a response, whatever it is for."""
    for extra in ("Status: 000 200 OK", "Status: bad", "", "Byte-Range: bad\r\nStatus: 000 400 x"):
        assert stage.send("abcd", extra, method="REPORT") == b""
    assert stage.handler.reports == []


def test_bad_report_for_something(stage: Any) -> None:
    """A REPORT that can't be read is dropped; the next one counts."""
    stage.session.remote_path = ()
    stage.session.send_message(b"Hi", "a/b", message_id="mine", success_report="yes", failure_report="no")
    from msrplib.uri import parse_path

    stage.session.remote_path = parse_path(stage.from_path)
    assert b"Message-ID: mine" in stage.peer.hear()
    for extra in ("Status: no", "Byte-Range: 9-1/2\r\nStatus: 000 200 OK", "Byte-Range: 1-1/2\r\nStatus: 000 200"):
        stage.send("abcd", f"Message-ID: mine\r\n{extra}", method="REPORT")
        assert stage.handler.delivered == []
    stage.send("abcd", "Message-ID: mine\r\nStatus: 000 200 OK", method="REPORT")
    assert stage.handler.delivered == ["mine"]


def test_response_to_nothing(stage: Any) -> None:
    """A response that nobody waits for is dropped."""
    assert stage.peer.say(b"MSRP abcd 200 OK\r\nTo-Path: x\r\n-------abcd$\r\n") == b""
    assert stage.peer.say(b"MSRP abcd 413\r\n-------abcd$\r\n") == b""
    assert codes(stage.send("good", TEXT, b"Hi")) == [("good", "200")]


def test_chunks_of_two_messages(stage: Any) -> None:
    """RFC 4975 5.1: a message amid another, chunk by chunk; a response to each, one report a message."""
    one = f"Message-ID: one\r\nSuccess-Report: yes\r\n{TEXT}\r\nByte-Range: "
    two = f"Message-ID: two\r\nSuccess-Report: yes\r\n{TEXT}\r\nByte-Range: "
    assert codes(stage.send("aaa1", one + "1-*/6", b"abc", "+")) == [("aaa1", "200")]
    assert [code for _, code in codes(stage.send("bbb1", two + "1-2/2", b"Hi"))] == ["200", "REPORT"]
    assert [code for _, code in codes(stage.send("aaa2", one + "4-6/6", b"def"))] == ["200", "REPORT"]
    assert [(message.message_id, message.content) for message in stage.handler.messages] == [
        ("two", b"Hi"),
        ("one", b"abcdef"),
    ]
    assert stage.handler.messages[1].last_chunk.transaction_id == "aaa2"


def test_contradicting_chunks(stage: Any) -> None:
    """RFC 4975 10.2: the message is given up with 400, once; its further chunks get the same, then the id is free."""
    extra = f"Message-ID: one\r\n{TEXT}\r\nByte-Range: "
    stage.send("aaa1", extra + "1-*/6", b"abc", "+")
    assert codes(stage.send("aaa2", extra + "4-*/7", b"d", "+")) == [("aaa2", "400")]
    assert codes(stage.send("aaa3", extra + "5-*/6", b"e", "+")) == [("aaa3", "400")]
    assert codes(stage.send("aaa4", extra + "6-*/6", b"f")) == [("aaa4", "400")]
    assert codes(stage.send("aaa5", extra + "1-3/3", b"new")) == [("aaa5", "200")]
    assert [message.content for message in stage.handler.messages] == [b"new"]


def test_later_chunk_without_range(stage: Any) -> None:
    """RFC 4975 7.1.1: every chunk but the first must have a Byte-Range."""
    stage.send("aaa1", f"Message-ID: one\r\n{TEXT}", b"abc", "+")
    assert codes(stage.send("aaa2", f"Message-ID: one\r\n{TEXT}", b"abc", "$")) == [("aaa2", "400")]


def test_given_up_by_the_sender(stage: Any, make_sink: Any) -> None:
    """RFC 4975 7.1: '#' ends a message, also one that was not begun."""
    sink = make_sink()
    stage.handler.decide = lambda chunk: sink
    stage.send("aaa1", f"Message-ID: one\r\n{TEXT}\r\nByte-Range: 1-*/9", b"abc", "+")
    assert codes(stage.send("aaa2", "Message-ID: one\r\nByte-Range: 4-3/9", None, "#")) == [("aaa2", "200")]
    assert sink.aborted == "the sender gave the message up"
    assert codes(stage.send("aaa3", f"Message-ID: two\r\n{TEXT}", b"abc", "#")) == [("aaa3", "200")]
    assert stage.handler.messages == []


@pytest.mark.parametrize("failure_report", ["yes", "partial", "no"])
def test_a_refusal_behind_a_relay(stage: Any, failure_report: str) -> None:
    """RFC 4976 6.4.2: the response is for the relay; the sender is told by a REPORT, whatever the relay makes of it,
    once for each chunk."""
    stage.from_path = "msrp://relay:2855/x;tcp msrp://10.0.0.2:9/peer;tcp"
    stage.handler.decide = lambda chunk: Refusal(413, "Enough")
    received = stage.send("abcd", f"Byte-Range: 1-2/9\r\nFailure-Report: {failure_report}\r\n{TEXT}", b"Hi", "+")
    if failure_report == "no":
        assert received == b""
        return
    response, report = codes(received)
    assert response == ("abcd", "413") and report[1] == "REPORT"
    assert f"To-Path: {stage.from_path}\r\n".encode() in received
    assert b"Byte-Range: 1-2/9\r\nStatus: 000 413 Enough\r\n" in received


@pytest.mark.parametrize("byte_range", ["nonsense", "9-1/3", "1-99/3"])
def test_a_refusal_of_what_has_no_place(stage: Any, byte_range: str) -> None:
    """RFC 4976 6.4.2: a chunk behind a relay whose Byte-Range makes no sense is refused and reported like others, and
    the connection with all its sessions goes on."""
    stage.from_path = "msrp://relay:2855/x;tcp msrp://10.0.0.2:9/peer;tcp"
    received = stage.send("abcd", f"Byte-Range: {byte_range}\r\n{TEXT}", b"Hi")
    assert [code for _, code in codes(received)] == ["400", "REPORT"] and b"Byte-Range: 1-2/*\r\n" in received
    stage.send("abce", TEXT, b"Hi")
    assert len(stage.handler.messages) == 1


@pytest.mark.parametrize("extra", ["Byte-Range: 9-3/x", "Byte-Range: 1-*/*\r\nX\0Y:", "Content-Type:"])
def test_rubbish_behind_a_relay(stage: Any, extra: str) -> None:
    """It is refused, and the connection goes on, whether or not a REPORT can be made of it."""
    stage.from_path = "msrp://relay:2855/x;tcp msrp://10.0.0.2:9/peer;tcp"
    assert codes(stage.send("abcd", f"{extra}\r\n{TEXT}", b"Hi", "+"))[0] == ("abcd", "400")
    assert ("good", "200") in codes(stage.send("good", TEXT, b"Hi"))


def test_refused_in_the_middle(stage: Any) -> None:
    """RFC 4975 10.5: 413 comes before the end of the chunk; the rest is dropped; the next message is received."""
    stage.handler.decide = lambda chunk: Refusal(413) if chunk.message_id == "one" else None
    whole = stage.chunk("aaa1", f"Message-ID: one\r\nByte-Range: 1-*/4294967296\r\n{TEXT}", b"x" * 300_000, "+")
    assert codes(stage.peer.say(whole[:100_000])) == [("aaa1", "413")]
    assert stage.peer.say(whole[100_000:]) == b""
    small = stage.chunk("aaa2", f"Message-ID: one\r\nByte-Range: 300001-*/4294967296\r\n{TEXT}", b"x", "#")
    assert codes(stage.peer.say(small)) == [("aaa2", "413")]
    assert codes(stage.send("good", TEXT, b"Hi")) == [("good", "200")]


def test_huge_announcement(stage: Any, make_sink: Any) -> None:
    """4 GB announced: 413 at once for memory; a sink may take it, and nothing is reserved."""
    extra = f"Byte-Range: 1-*/4294967296\r\n{TEXT}"
    whole = stage.chunk("aaa1", extra, b"x" * 10)
    assert codes(stage.peer.say(whole[:-12])) == [("aaa1", "413")]
    assert stage.peer.say(whole[-12:]) == b""
    sink = make_sink()
    stage.handler.decide = lambda chunk: sink
    stage.peer.say(stage.chunk("aaa2", extra, b"x" * 100)[:-16])
    assert len(sink.content) == 100
    assert stage.handler.messages == []


def test_messages_under_way_are_bounded(make_stage: Any) -> None:
    """RFC 4975 10.5: one incomplete message too many is refused; so are too many octets of them."""
    stage = make_stage(Limits(max_partial_messages=3, max_partial_size=1000))
    extra = TEXT + "\r\nByte-Range: 1-*/*\r\nMessage-ID: "
    for number in range(3):
        assert codes(stage.send(f"aaa{number}", f"{extra}{number}", b"x" * 300, "+")) == [(f"aaa{number}", "200")]
    assert codes(stage.send("aaa4", f"{extra}4", b"x", "+")) == [("aaa4", "413")]
    more = TEXT + "\r\nByte-Range: 301-*/*\r\nMessage-ID: "
    assert codes(stage.send("aaa5", f"{more}1", b"x" * 101, "+")) == [("aaa5", "413")]
    assert codes(stage.send("aaa6", f"{extra}6", b"x", "+")) == [("aaa6", "200")]
    for number in range(2 * MAX_REFUSED):
        stage.send("aaa7", f"{extra}x{number}", b"x" * 999, "+")
    assert len(stage.session._receiver._refused) <= MAX_REFUSED


def test_rest_that_does_not_come(make_stage: Any, reactor: Any, make_sink: Any) -> None:
    """An incomplete message is dropped when its chunks stop coming; one that goes on is not."""
    stage = make_stage(Limits(partial_message_timeout=60))
    sinks = {name: make_sink() for name in ("one", "two")}
    stage.handler.decide = lambda chunk: sinks[chunk.message_id]
    for name in sinks:
        stage.send(f"{name}1", f"Message-ID: {name}\r\n{TEXT}\r\nByte-Range: 1-*/*", b"abc", "+")
    reactor.pass_time(40)
    stage.send("two2", f"Message-ID: two\r\n{TEXT}\r\nByte-Range: 4-*/*", b"def", "+")
    reactor.pass_time(20)
    assert sinks["one"].aborted is not None
    assert sinks["two"].aborted is None
    stage.send("two3", f"Message-ID: two\r\n{TEXT}\r\nByte-Range: 7-*/*", b"", "$")
    assert sinks["two"].finished.size == 6
    reactor.pass_time(1000)
    assert reactor.getDelayedCalls() == []


def test_sink_that_raises(stage: Any, make_sink: Any) -> None:
    """A sink that can't store the message (disk full) refuses it; the session goes on."""

    def broken(*arguments: Any) -> Any:
        raise OSError("disk full")

    for name in ("write", "finish"):
        sink = make_sink()
        setattr(sink, name, broken)
        stage.handler.decide = lambda chunk, sink=sink: sink
        assert codes(stage.send("aaa1", TEXT, b"abc")) == [("aaa1", "413")]
        assert codes(stage.send("aaa2", f"Message-ID: {name}\r\n{TEXT}\r\nByte-Range: 1-*/*", b"a", "+")) == [
            ("aaa2", "413" if name == "write" else "200")
        ]
        assert codes(stage.send("aaa3", f"Message-ID: {name}\r\n{TEXT}\r\nByte-Range: 2-*/*", b"a", "$")) == [
            ("aaa3", "413")
        ]
    stage.handler.decide = lambda chunk: None
    assert codes(stage.send("good", TEXT, b"Hi")) == [("good", "200")]


def test_sink_that_pauses(pair: Any, reactor: Any, make_sink: Any) -> None:
    """Back-pressure end to end: a sink that pauses stops the source at the other end; then all goes on."""
    sink = make_sink()
    take = sink.write

    def write(offset: int, data: bytes) -> None:
        take(offset, data)
        if len(sink.content) > 1_000_000:
            pair.passive.pause_receiving()

    sink.write = write
    pair.passive_handler.decide = lambda chunk: sink
    pair.active_socket.capacity = 100_000

    class Endless:
        given = 0

        def read(self, size: int, /) -> bytes:
            self.given += size
            return bytes(size)

    source = Endless()
    pair.active.send_message(source, "a/b", size=10_000_000, success_report="yes")
    reactor.settle()
    assert 1_000_000 < len(sink.content) < 1_200_000
    assert source.given < 3_000_000
    sink.write = take
    pair.passive.resume_receiving()
    reactor.settle()
    assert sink.finished.size == 10_000_000
    assert len(pair.active_handler.delivered) == 1


def test_closed_in_mid_chunk(stage: Any, reactor: Any, make_sink: Any) -> None:
    """A peer that goes in the middle of a chunk: the sink hears of it, and the session ends with a reason."""
    sink = make_sink()
    stage.handler.decide = lambda chunk: sink
    stage.peer.say(stage.chunk("aaa1", f"Byte-Range: 1-*/9000000\r\n{TEXT}", b"x" * 100_000)[:50_000])
    stage.peer.socket.loseConnection()
    reactor.settle()
    assert sink.aborted is not None
    (reason,) = stage.handler.closed
    assert "in the middle of a chunk" in reason.getErrorMessage()
    assert reactor.getDelayedCalls() == []


def test_garbage_closes_with_a_reason(stage: Any, reactor: Any, caplog: Any) -> None:
    """Octets that are no MSRP close the connection, and the session, with a reason and one line in the log."""
    caplog.clear()
    stage.peer.say(b"\x00\x01\x02garbage")
    assert stage.peer.is_lost
    (reason,) = stage.handler.closed
    assert reason.type.__name__ == "ProtocolViolationError"
    assert len(caplog.records) == 1


def test_random_octets(make_stage: Any, make_raw_peer: Any, reactor: Any) -> None:
    """Random octets on other connections of the port do not touch the session."""
    stage = make_stage()
    rng = random.Random(1)
    for _ in range(200):
        peer = make_raw_peer(stage.listener)
        prefix = rng.choice([b"", b"MSRP ", b"MSRP abcd SEND\r\n", stage.chunk("abcd", "", b"x")[:-20]])
        peer.say(prefix + rng.randbytes(rng.randrange(2000)))
        peer.socket.loseConnection()
        reactor.settle()
    assert codes(stage.send("good", TEXT, b"Hi")) == [("good", "200")]
    assert stage.handler.closed == []


def test_flood_of_bad_requests_does_not_fill_the_log(stage: Any, caplog: Any) -> None:
    """The lines of the log are bounded in number by time, not by what the peer sends."""
    caplog.clear()
    for _ in range(500):
        stage.send("abcd", TEXT, b"x", to_path="msrp://10.0.0.1:1/nobody;tcp")
    assert len(caplog.records) < 60


def test_peer_that_reads_no_answers(stage: Any, reactor: Any) -> None:
    """A peer that sends and never reads is given up, as its answers would grow without bound."""
    reactor.sockets[-1].capacity = 0
    chunk = stage.chunk("abcd", "X-A: b")
    for _ in range(400):
        stage.peer.say(chunk * 100)
        if stage.handler.closed:
            break
    (reason,) = stage.handler.closed
    assert "does not read" in reason.getErrorMessage()


def test_late_headers_of_success(stage: Any) -> None:
    """RFC 4975 7.1.3: a success report is sent when any chunk at the ends of the message asked for it."""
    stage.send("aaa1", f"Message-ID: one\r\n{TEXT}\r\nByte-Range: 1-*/*", b"abc", "+")
    received = stage.send("aaa2", f"Message-ID: one\r\n{TEXT}\r\nSuccess-Report: yes\r\nByte-Range: 4-*/*", b"d", "$")
    assert b"Byte-Range: 1-4/4\r\nStatus: 000 200 OK" in received


def test_closing_in_a_callback(stage: Any, reactor: Any) -> None:
    """A handler may close the session from within any callback."""
    stage.handler.message_received = lambda session, message: session.close()
    stage.send("abcd", TEXT, b"Hi")
    assert stage.session.is_closed
    assert stage.peer.is_lost


# Sinks that take their time, and messages that are not wanted any more


class _SlowSink:
    """A sink whose verdict comes later."""

    def __init__(self) -> None:
        self.verdict: Any = Deferred()
        self.octets = 0

    def write(self, offset: int, data: bytes) -> None:
        self.octets += len(data)

    def finish(self, message: Any) -> Any:
        return self.verdict

    def abort(self, reason: str) -> None: ...


@pytest.mark.parametrize("whole", [True, False], ids=["one chunk", "two chunks"])
@pytest.mark.parametrize(
    ("verdict", "expected"),
    [(None, "200"), (Refusal(413), "413"), (ValueError("defect"), "413")],
    ids=["taken", "refused", "failed"],
)
def test_a_sink_that_takes_its_time(stage: Any, whole: bool, verdict: Any, expected: str) -> None:
    """RFC 4975 7.1.2, 7.2: the answer to the last chunk and the success report wait for the verdict of the sink."""
    sink = _SlowSink()
    stage.handler.decide = lambda chunk: sink
    extra = f"Message-ID: m\r\nSuccess-Report: yes\r\n{TEXT}"
    if whole:
        assert codes(stage.send("aaaa", f"Byte-Range: 1-4/4\r\n{extra}", b"abcd")) == []
    else:
        assert codes(stage.send("bbbb", f"Byte-Range: 1-2/4\r\n{extra}", b"ab", "+")) == [("bbbb", "200")]
        assert codes(stage.send("aaaa", f"Byte-Range: 3-4/4\r\n{extra}", b"cd")) == []
    if isinstance(verdict, Exception):
        sink.verdict.errback(verdict)
    else:
        sink.verdict.callback(verdict)
    told = codes(stage.peer.say(b""))
    assert told[0] == ("aaaa", expected)
    assert [code for _, code in told[1:]] == (["REPORT"] if expected == "200" else [])
    assert sink.octets == 4


def test_the_session_ends_before_the_verdict(stage: Any) -> None:
    sink = _SlowSink()
    stage.handler.decide = lambda chunk: sink
    stage.send("aaaa", f"Byte-Range: 1-4/4\r\nSuccess-Report: yes\r\n{TEXT}", b"abcd")
    stage.session.close()
    sink.verdict.callback(None)
    assert codes(stage.peer.say(b"")) == []


def test_a_message_that_is_not_wanted_any_more(stage: Any) -> None:
    """RFC 4975 10.5: 413 to its next chunk, and to those that follow; another message passes."""
    extra = f"Message-ID: m\r\n{TEXT}"
    assert not stage.session.refuse_message("m", Refusal(413))
    stage.send("aaaa", f"Byte-Range: 1-2/9\r\n{extra}", b"ab", "+")
    assert stage.session.refuse_message("m", Refusal(413))
    assert codes(stage.send("bbbb", f"Byte-Range: 3-4/9\r\n{extra}", b"cd", "+")) == [("bbbb", "413")]
    assert codes(stage.send("cccc", TEXT, b"Hi")) == [("cccc", "200")]
    assert codes(stage.send("dddd", f"Byte-Range: 5-5/9\r\n{extra}", b"", "#")) == [("dddd", "413")]


def test_a_chunk_that_is_not_wanted_any_more(stage: Any) -> None:
    """RFC 4975 7.2: the answer to a long chunk may come before its end."""
    sink = _SlowSink()
    stage.handler.decide = lambda chunk: sink
    head = f"MSRP long SEND\r\nTo-Path: {stage.to_path}\r\nFrom-Path: {stage.from_path}\r\nMessage-ID: m\r\n"
    head += f"Byte-Range: 1-*/200000\r\n{TEXT}\r\n\r\n"
    early = stage.peer.say(head.encode() + bytes(100_000))
    assert codes(early) == []
    assert sink.octets > 0
    assert stage.session.refuse_message("m", Refusal(413))
    assert codes(stage.peer.say(b"")) == [("long", "413")]
    assert codes(stage.peer.say(bytes(100_000) + b"\r\n-------long#\r\n")) == []
    stage.handler.decide = lambda chunk: None
    assert codes(stage.send("next", TEXT, b"Hi")) == [("next", "200")]
