"""Messages out of a stream: RFC 3261 18.3, 7.5; RFC 5626 3.5.1."""

import itertools
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipsimple.core.wire import FramingError, MessageFramer, SIPParseError, parse_message, validate_request
from sipsimple.core.wire.framer import MAX_HEAD_SIZE

ONE = b"OPTIONS sip:a SIP/2.0\r\nVia: SIP/2.0/TCP b\r\nContent-Length: 4\r\n\r\nbody"
TWO = b"SIP/2.0 200 OK\r\nl:0\r\n\r\n"


def test_whole_messages():
    framer = MessageFramer()
    assert framer.feed(ONE + TWO + ONE) == [ONE, TWO, ONE]
    assert not framer.pending and framer.feed(b"") == []


def test_octet_by_octet():
    framer = MessageFramer()
    messages = []
    for place in range(len(ONE + TWO)):
        assert framer.pending == (place not in (0, len(ONE)))
        messages += framer.feed((ONE + TWO)[place : place + 1])
    assert messages == [ONE, TWO] and not framer.pending


@given(
    st.lists(st.sampled_from([ONE, TWO, b"\r\n\r\n", b"\r\n"]), max_size=6), st.lists(st.integers(0, 400), max_size=9)
)
def test_however_the_stream_is_cut(chunks, places):
    stream = b"".join(chunks)
    whole = MessageFramer()
    expected = whole.feed(stream)
    framer = MessageFramer()
    messages = []
    places = [0, *sorted(places), len(stream)]
    for start, end in itertools.pairwise(places):
        messages += framer.feed(stream[start:end])
    assert messages == expected == [chunk for chunk in chunks if chunk in (ONE, TWO)]
    assert not framer.pending


class TestKeepAlives:
    def test_a_ping_is_a_double_line_end(self):
        framer = MessageFramer()
        assert framer.feed(b"\r\n\r\n") == [] and framer.pings == 1 and not framer.pending
        framer.pings = 0
        assert framer.feed(b"\r\n") == [] and framer.pings == 0
        assert framer.feed(ONE + b"\r\n\r\n" + TWO) == [ONE, TWO] and framer.pings == 1

    @pytest.mark.parametrize("cut", [1, 3])
    def test_a_ping_in_two_pieces(self, cut):
        framer = MessageFramer()
        framer.feed(b"\r\n\r\n"[:cut])
        assert not framer.pending and framer.pings == 0
        framer.feed(b"\r\n\r\n"[cut:])
        assert framer.pings == 1 and not framer.pending

    def test_pongs_are_no_ping(self):
        framer = MessageFramer()
        for _ in range(5):
            framer.feed(b"\r\n")
        assert framer.pings == 0

    def test_a_message_behind_an_unfinished_line_end(self):
        framer = MessageFramer()
        assert framer.feed(b"\r\n\r") == [] and framer.feed(b"\n" + ONE) == [ONE] and framer.pings == 1


class TestLengths:
    @pytest.mark.parametrize(
        "header",
        [
            b"Content-Length: 4",
            b"content-length:4",
            b"l : 4 ",
            b"L:\r\n 4",
            b"CONTENT-LENGTH  :\t0004",
            b"l: 4\r\nl: 4",
        ],
    )
    def test_spellings(self, header):
        data = ONE.replace(b"Content-Length: 4", header)
        assert MessageFramer().feed(data + TWO) == [data, TWO]

    @pytest.mark.parametrize(
        "header",
        [b"X-Content-Length: 4", b"l: -4", b"l: 4x", b"l:", b"l: 4\r\nl: 5", b"l: 99999999999", b"X: y\r\n l: 4"],
    )
    def test_what_can_not_be_told_breaks_the_stream(self, header):
        framer = MessageFramer()
        with pytest.raises(FramingError) as caught:
            framer.feed(TWO + ONE.replace(b"Content-Length: 4", header) + TWO)
        assert caught.value.messages == [TWO] and caught.value.code == 400
        # what is known of it is enough for an answer
        request = parse_message(caught.value.head)
        assert request.via.host == "b" and caught.value.head.endswith(b"\r\n\r\n")
        assert framer.broken and framer.feed(ONE) == [] and not framer.pending

    def test_a_length_in_the_body_is_none(self):
        body = b"\r\nContent-Length: 9999\r\n\r\n"
        data = ONE.replace(b"h: 4", b"h: %d" % len(body)).replace(b"body", body)
        assert MessageFramer().feed(data + TWO) == [data, TWO]

    def test_line_ends_without_return(self):
        data = ONE.replace(b"\r\n", b"\n")
        assert MessageFramer().feed(data + TWO) == [data, TWO]


class TestBounds:
    def test_of_the_message(self):
        framer = MessageFramer(max_message_size=len(ONE))
        assert framer.feed(ONE) == [ONE]
        with pytest.raises(FramingError) as caught:
            framer.feed(ONE.replace(b"h: 4", b"h: 5"))
        assert caught.value.code == 413 and parse_message(caught.value.head).via.host == "b"
        assert validate_request(parse_message(caught.value.head)).code == 400

    @pytest.mark.parametrize("chunk", [b"X: y\r\n", b"x", b" ", b"\r\n ", b"a:"])
    def test_of_the_headers(self, chunk):
        framer = MessageFramer()
        with pytest.raises(FramingError) as caught:
            for _ in range(MAX_HEAD_SIZE):
                framer.feed(b"A" + chunk)
        assert caught.value.code == 513 and len(caught.value.head) <= MAX_HEAD_SIZE

    def test_headers_that_are_whole_but_too_long(self):
        with pytest.raises(FramingError) as caught:
            MessageFramer().feed(b"A" * MAX_HEAD_SIZE + b"\r\n\r\n")
        assert caught.value.code == 513

    @pytest.mark.parametrize("octets", [b"\r\n", b"\r", b"\n", b"\r\n\r"])
    def test_line_ends_take_no_room(self, octets):
        framer = MessageFramer()
        for _ in range(1000):
            framer.feed(octets)
        assert not framer.pending

    @pytest.mark.parametrize("octets", [b"l:", b" ", b"\r\nl:", b"l: ", b"\n ", b"a\r\n"])
    def test_no_stream_takes_more_than_linear_time(self, octets):
        data = b"A sip:b SIP/2.0\r\nl: 0" + octets * (MAX_HEAD_SIZE // 2 // len(octets)) + b"x\r\n\r\n"
        started = time.process_time()
        for size in (1000, len(data)):
            framer = MessageFramer()
            try:
                for place in range(0, len(data), size):
                    framer.feed(data[place : place + size])
            except FramingError:
                continue
        assert time.process_time() - started < 1


@given(st.lists(st.binary(max_size=40), max_size=5), st.booleans())
def test_any_octets(chunks, begun):
    framer = MessageFramer(max_message_size=200)
    try:
        messages = framer.feed(b"A sip:b SIP/2.0\r\n" * begun)
        for chunk in chunks:
            messages += framer.feed(chunk)
    except FramingError as error:
        messages = [*error.messages, error.head]
    for message in messages:
        try:
            parse_message(message)
        except SIPParseError:
            continue
