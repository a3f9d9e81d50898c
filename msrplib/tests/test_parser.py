from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msrplib.limits import Limits
from msrplib.parser import ChunkData, ChunkEnded, ChunkStarted, Event, MSRPParser, ParseFailure
from msrplib.protocol import MSRPData

PATHS = b"To-Path: msrp://b:2/bob;tcp\r\nFrom-Path: msrp://a:1/alice;tcp\r\n"
NEAR = b"\r\n-------aaaa\r\n-------aaaabX$\r\n\r\n-------aaaa$\n\r\n------aaaab$\r\n-------aaaab$ \r\r\n"

CONVERSATION = (
    (b'MSRP bind1 SEND\r\n' + PATHS + b'Message-ID: 1\r\nByte-Range: 1-0/0\r\n-------bind1$\r\n'),
    (b'MSRP bind1 200 OK\r\n' + PATHS + b'-------bind1$\r\n'),
    (b'MSRP aaaa1 SEND\r\n' + PATHS + b'Message-ID: 2\r\nContent-Type: text/plain\r\n\r\nHello\r\n-------aaaa1$\r\n'),
    # A body that holds all but its own end-line.
    (b'MSRP aaaab SEND\r\n' + PATHS + b'Message-ID: 3\r\nByte-Range: 1-*/*\r\nContent-Type: a/b\r\n\r\n' + NEAR
     + b'\r\n-------aaaab+\r\n'),
    (b'MSRP aaaa2 SEND\r\n' + PATHS + b'Message-ID: 4\r\nContent-Type: a/b\r\n\r\n\r\n-------aaaa2#\r\n'),
    (b'MSRP 1234 200\r\n' + PATHS + b'-------1234$\r\n'),
    (b'MSRP r.-+%=x REPORT\r\n' + PATHS + b'Status: 000 200 OK\r\n-------r.-+%=x$\r\n'),
)  # fmt: skip
BODIES = (b"", b"", b"Hello", NEAR, b"", b"", b"")
FLAGS = ("$", "$", "$", "+", "#", "$", "$")


def gather(events: list[Event]) -> list[tuple[str, bytes, str]]:
    """Transaction id, body and flag of each chunk, whole or in pieces."""
    chunks: list[tuple[str, bytes, str]] = []
    body = b""
    for event in events:
        if isinstance(event, MSRPData):
            assert event.size == len(event.data)
            chunks.append((event.transaction_id, event.data, event.contflag))
        elif isinstance(event, ChunkStarted):
            body = b""
        elif isinstance(event, ChunkData):
            assert event.data
            body += event.data
        elif isinstance(event, ChunkEnded):
            assert event.chunk.size == len(body)
            chunks.append((event.chunk.transaction_id, body, event.chunk.contflag))
        else:
            raise AssertionError(event.reason)
    return chunks


EXPECTED = [
    (octets.split(b" ", 2)[1].strip().decode(), body, flag)
    for octets, body, flag in zip(CONVERSATION, BODIES, FLAGS, strict=True)
]
ALL = b"".join(CONVERSATION)


@pytest.mark.parametrize("max_chunk_buffer", [65536, 4, 0])
def test_every_cut(max_chunk_buffer: int) -> None:
    """RFC 4975 7.1: a conversation cut in two at every octet is read the same; bodies whole and in pieces."""
    for cut in range(len(ALL) + 1):
        parser = MSRPParser(Limits(max_chunk_buffer=max_chunk_buffer))
        events = parser.feed(ALL[:cut]) + parser.feed(ALL[cut:])
        assert gather(events) == EXPECTED, cut
        assert parser.is_between_chunks


@pytest.mark.parametrize("size", [1, 2, 3, 7, 23, 64])
@pytest.mark.parametrize("max_chunk_buffer", [65536, 4, 0])
def test_small_reads(size: int, max_chunk_buffer: int) -> None:
    """RFC 4975 7.1: an end-line that comes over many reads is found."""
    parser = MSRPParser(Limits(max_chunk_buffer=max_chunk_buffer))
    events: list[Event] = []
    for start in range(0, len(ALL), size):
        events += parser.feed(ALL[start : start + size])
    assert gather(events) == EXPECTED


@given(
    st.lists(st.binary(max_size=80) | st.sampled_from([NEAR, b"\r\n-------", b"\r", b"-" * 20]), max_size=6),
    st.lists(st.integers(1, 60), min_size=1, max_size=20),
    st.sampled_from([0, 16, 100, 65536]),
)
def test_any_body_any_cuts(parts: list[bytes], cuts: list[int], max_chunk_buffer: int) -> None:
    """RFC 4975 7.1: binary bodies, whatever they hold, at any cuts."""
    body = b"".join(parts)
    head = b"MSRP zz.zz SEND\r\n" + PATHS + b"Message-ID: 1\r\nContent-Type: a/b\r\n\r\n"
    octets = (head + body + b"\r\n-------zz.zz$\r\n") * 2
    parser = MSRPParser(Limits(max_chunk_buffer=max_chunk_buffer))
    events: list[Event] = []
    position = turn = 0
    while position < len(octets):
        step = cuts[turn % len(cuts)]
        events += parser.feed(octets[position : position + step])
        position += step
        turn += 1
    assert gather(events) == [("zz.zz", body, "$")] * 2


def test_whole_or_in_pieces() -> None:
    """A chunk up to the bound comes whole, however it is cut; a longer one in pieces, as it comes."""
    limits = Limits(max_chunk_buffer=100)
    head = b"MSRP 1234 SEND\r\n" + PATHS + b"Content-Type: a/b\r\n\r\n"
    for size, whole in ((100, True), (101, False)):
        parser = MSRPParser(limits)
        events = parser.feed(head) + parser.feed(b"x" * size) + parser.feed(b"\r\n-------1234$\r\n")
        assert [isinstance(event, MSRPData) for event in events] == ([True] if whole else [False] * 3)
        assert gather(events) == [("1234", b"x" * size, "$")]


def test_announced_size_is_not_waited_for() -> None:
    """A chunk of a large message is given out from its first octet; nothing is reserved for what is announced."""
    parser = MSRPParser()
    events = parser.feed(b"MSRP 1234 SEND\r\n" + PATHS + b"Byte-Range: 1-*/4294967296\r\nContent-Type: a/b\r\n\r\nabc")
    assert isinstance(events[0], ChunkStarted)
    assert isinstance(events[1], ChunkData)
    assert events[1].data == b"abc"
    assert not parser.is_between_chunks


def test_long_body_is_not_kept() -> None:
    """What was given out is not kept: pieces sum up to all that was fed, less what may begin the end-line."""
    parser = MSRPParser()
    parser.feed(b"MSRP 1234 SEND\r\n" + PATHS + b"Byte-Range: 1-*/9000000\r\nContent-Type: a/b\r\n\r\n")
    for _ in range(100):
        events = parser.feed(b"\r\n-------123" + b"x" * 65000 + b"\r\n-------1234")
        given = sum(len(event.data) for event in events if isinstance(event, ChunkData))
        assert given >= 65000
    assert isinstance(parser.feed(b"$\r\n")[-1], ChunkEnded)


def test_lenient_empty_body() -> None:
    """An empty body whose CRLF is that of the empty line is understood."""
    parser = MSRPParser()
    events = parser.feed(b"MSRP 1234 SEND\r\n" + PATHS + b"Content-Type: a/b\r\n\r\n-------1234$\r\n")
    assert gather(events) == [("1234", b"", "$")]


@pytest.mark.parametrize(
    "octets",
    [
        b"GET / HTTP/1.1\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00",
        b"MSRP 1 SEND\r\n",
        b"MSRP 1234\r\n",
        b"MSRP 1234 send\r\n",
        b"MSRP 1234 2000 OK\r\n",
        b"MSRP 12 34 SEND\r\n",
        b"MSRP " + b"a" * 33 + b" SEND\r\n",
        b"MSRP " + b"a" * 600,
        b"MSRP 1234 200 " + b"a" * 600,
        b"MSRQ",
    ],
)
def test_not_msrp(octets: bytes) -> None:
    """RFC 4975 9: what is no start line ends it at once, with a reason, and for good."""
    parser = MSRPParser()
    events = parser.feed(octets)
    assert len(events) == 1
    assert isinstance(events[0], ParseFailure)
    assert parser.is_failed
    assert parser.feed(ALL) == []


def test_headers_without_end() -> None:
    """Headers are bounded, in one line or in many."""
    for filler in (b"X-A: " + b"b" * 1000, b"X-A: b\r\n"):
        parser = MSRPParser()
        events = parser.feed(b"MSRP 1234 SEND\r\n")
        fed = 0
        while not events:
            events = parser.feed(filler)
            fed += len(filler)
            assert fed < 20000
        assert isinstance(events[0], ParseFailure)


def test_headers_too_long_in_one_read() -> None:
    """Headers that end, but too late, are refused too."""
    parser = MSRPParser()
    events = parser.feed(b"MSRP 1234 SEND\r\nX-A: " + b"b" * 20000 + b"\r\n-------1234$\r\n")
    assert isinstance(events[0], ParseFailure)


@pytest.mark.parametrize(
    'line',
    [b'no colon', b': no name', b' folded', b'To-Path', b'To-Path: again', b'X-A: b\nX-C: d', b'X-A: b\rc', b'X A: b'],
)  # fmt: skip
def test_bad_header_lines(line: bytes) -> None:
    """RFC 4975 9: a header that can't be read, or comes twice, makes an error of its chunk, not of the connection."""
    parser = MSRPParser()
    bad = b"MSRP 1234 SEND\r\n" + PATHS + line + b"\r\n-------1234$\r\n"
    events = parser.feed(bad + CONVERSATION[1])
    assert isinstance(events[0], MSRPData)
    assert events[0].error is not None
    assert isinstance(events[1], MSRPData)
    assert events[1].error is None


def test_line_ends_inside_headers_are_taken_out() -> None:
    """A lone CR or LF in a header can't become a line of its own in an answer."""
    (chunk,) = MSRPParser().feed(b"MSRP 1234 SEND\r\nTo-Path: a\nX-A: b\r\nFrom-Path: c\rd\r\n-------1234$\r\n")
    assert isinstance(chunk, MSRPData)
    assert chunk.headers == {"To-Path": "a X-A: b", "From-Path": "c d"}
    assert chunk.error is not None


def test_header_names_in_any_case() -> None:
    """RFC 4975 9: literal strings of the grammar are case-insensitive."""
    (chunk,) = MSRPParser().feed(b"MSRP 1234 SEND\r\nto-path:a\r\nFROM-PATH:\t b \r\nx-Own: c\r\n-------1234$\r\n")
    assert isinstance(chunk, MSRPData)
    assert chunk.headers == {"To-Path": "a", "From-Path": "b", "x-Own": "c"}


def test_repeated_challenge() -> None:
    """RFC 4976 9.1: WWW-Authenticate may come more than once."""
    (chunk,) = MSRPParser().feed(
        b"MSRP 1234 401 Unauthorized\r\n" + PATHS + b"WWW-Authenticate: Digest a\r\n"
        b"WWW-Authenticate: Digest b\r\n-------1234$\r\n"
    )
    assert isinstance(chunk, MSRPData)
    assert chunk.getall("WWW-Authenticate") == ["Digest a", "Digest b"]
    assert chunk.encode().count(b"WWW-Authenticate") == 2


def test_headers_that_are_no_utf_8() -> None:
    """Octets that are no text do not raise."""
    (chunk,) = MSRPParser().feed(b"MSRP 1234 200 \xff\r\nX-A: \xff\xfe\r\n-------1234$\r\n")
    assert isinstance(chunk, MSRPData)
    assert chunk.code == 200


@given(st.binary(max_size=400))
def test_any_octets(octets: bytes) -> None:
    """Any octets, also where they may do harm, are chunks or a failure, never an exception."""
    for prefix in (b"", b"MSRP ", b"MSRP 1234 SEND\r\n", b"MSRP 1234 SEND\r\n" + PATHS):
        parser = MSRPParser(Limits(max_chunk_buffer=64))
        for start in range(0, len(octets), 50):
            parser.feed(prefix + octets[start : start + 50])
            prefix = b""


def test_mutated_conversation() -> None:
    """A conversation with octets changed, cut out and doubled, a thousand times."""
    rng = random.Random(4975)
    for _ in range(1000):
        octets = bytearray(ALL)
        for _ in range(rng.randrange(1, 6)):
            where = rng.randrange(len(octets))
            kind = rng.randrange(3)
            if kind == 0:
                octets[where] = rng.randrange(256)
            elif kind == 1:
                del octets[where : where + rng.randrange(20)]
            else:
                octets[where:where] = octets[where : where + rng.randrange(20)]
        parser = MSRPParser(Limits(max_chunk_buffer=32))
        step = rng.randrange(1, 200)
        failures = [
            event
            for start in range(0, len(octets), step)
            for event in parser.feed(bytes(octets[start : start + step]))
            if isinstance(event, ParseFailure)
        ]
        assert len(failures) <= 1


def test_traced_octets_are_all_octets() -> None:
    """The trace of a conversation is the conversation, one entry for a chunk that is whole."""
    parser = MSRPParser(keep_octets=True)
    parser.feed(ALL)
    assert parser.octets == list(CONVERSATION)
    traced: list[bytes] = []
    parser = MSRPParser(Limits(max_chunk_buffer=2), keep_octets=True)
    for start in range(0, len(ALL), 11):
        events = parser.feed(ALL[start : start + 11])
        assert parser.octets is not None
        assert len(parser.octets) == len(events)
        traced += parser.octets
    assert b"".join(traced) == ALL
    assert isinstance(parser.feed(b"garbage")[0], ParseFailure)
    assert parser.octets == [b"garbage"]
