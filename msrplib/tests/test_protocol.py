from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from msrplib.errors import MSRPSyntaxError
from msrplib.parser import MSRPParser
from msrplib.protocol import ByteRange, MSRPData, Status

PATHS = {"To-Path": "msrp://b:2/bob;tcp", "From-Path": "msrp://a:1/alice;tcp"}


def test_request_is_encoded() -> None:
    """RFC 4975 9: paths first, Content-Type last, an empty line, the body, CRLF, the end-line."""
    headers = {"Content-Type": "text/plain", "Message-ID": "87652", **PATHS, "Byte-Range": "1-3/3"}
    chunk = MSRPData("d93kswow", "SEND", headers=headers, data=b"Hi!")
    assert chunk.encode() == (
        b"MSRP d93kswow SEND\r\n"
        b"To-Path: msrp://b:2/bob;tcp\r\n"
        b"From-Path: msrp://a:1/alice;tcp\r\n"
        b"Message-ID: 87652\r\n"
        b"Byte-Range: 1-3/3\r\n"
        b"Content-Type: text/plain\r\n"
        b"\r\n"
        b"Hi!\r\n"
        b"-------d93kswow$\r\n"
    )


def test_response_is_encoded() -> None:
    """RFC 4975 7.2: a response has no body."""
    assert MSRPData("d93kswow", code=200, comment="OK", headers=PATHS).encode() == (
        b"MSRP d93kswow 200 OK\r\n"
        b"To-Path: msrp://b:2/bob;tcp\r\n"
        b"From-Path: msrp://a:1/alice;tcp\r\n"
        b"-------d93kswow$\r\n"
    )


@pytest.mark.parametrize(
    ("name", "value"), [("X-A", "b\r\nX-C: d"), ("X-A", "b\n"), ("X A", "b"), ("X-A:", "b"), ("X-A", "b\0")]
)
def test_header_that_would_break_out_is_refused(name: str, value: str) -> None:
    """No header value can add a line."""
    with pytest.raises(MSRPSyntaxError):
        MSRPData("d93kswow", "SEND", headers={**PATHS, name: value}).encode()


def test_body_needs_a_type() -> None:
    """RFC 4975 9: a body comes with a Content-Type."""
    with pytest.raises(MSRPSyntaxError):
        MSRPData("d93kswow", "SEND", headers=PATHS, data=b"x").encode()


def test_typed_headers() -> None:
    """RFC 4975 7.1.1, RFC 4976 5: headers have their types, and defaults where they are absent."""
    chunk = MSRPData(
        "d93kswow",
        "REPORT",
        headers={
            **PATHS,
            "Byte-Range": "1-*/7",
            "Status": "000 413 Too large",
            "Success-Report": "yes",
            "Failure-Report": "partial",
            "Use-Path": "msrps://relay:2855/x;tcp",
            "Expires": "600",
        },
    )
    assert [str(uri) for uri in chunk.to_path] == ["msrp://b:2/bob;tcp"]
    assert [str(uri) for uri in chunk.from_path] == ["msrp://a:1/alice;tcp"]
    assert chunk.byte_range == ByteRange(1, None, 7)
    assert chunk.status == Status(413, "Too large")
    assert (chunk.success_report, chunk.failure_report, chunk.expires) == ("yes", "partial", 600)
    assert [str(uri) for uri in chunk.use_path] == ["msrps://relay:2855/x;tcp"]
    empty = MSRPData("d93kswow", "SEND")
    assert (empty.success_report, empty.failure_report) == ("no", "yes")
    assert (empty.to_path, empty.byte_range, empty.status, empty.expires) == ((), None, None, None)
    for name in ("Expires", "Status", "Byte-Range", "To-Path"):
        wrong = MSRPData("d93kswow", "SEND", headers={name: "wrong"})
        with pytest.raises(MSRPSyntaxError):
            getattr(wrong, name.lower().replace("-", "_"))


def test_session_ids_are_not_shown() -> None:
    """Who knows a session id may join the session, so a repr does not tell it."""
    assert "alice" not in repr(MSRPData("d93kswow", "SEND", headers=PATHS))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1-10/20", ByteRange(1, 10, 20)),
        ("11-20/20", ByteRange(11, 20, 20)),
        ("1-*/*", ByteRange(1, None, None)),
        ("5-*/9", ByteRange(5, None, 9)),
        ("1-3/*", ByteRange(1, 3, None)),
        ("1-0/0", ByteRange(1, 0, 0)),
        ("0-0/0", ByteRange(1, 0, 0)),
        ("21-20/20", ByteRange(21, 20, 20)),
    ],
)
def test_byte_range(text: str, expected: ByteRange) -> None:
    """RFC 4975 7.1.1: the forms of Byte-Range, and that of a chunk without octets."""
    assert ByteRange.parse(text) == expected


@pytest.mark.parametrize(
    'text',
    ['', '1', '1-2', '1-2/3/4', '-1-2/3',
     '*-2/3', '3-1/9', '1-9/5', '9-*/5', '0-5/5', '1-2/3 ', '1-2/99999999999999999999'],
)  # fmt: skip
def test_byte_range_refused(text: str) -> None:
    """RFC 4975 7.1.1: backwards, beyond the total, from 0 or not a number."""
    with pytest.raises(MSRPSyntaxError):
        ByteRange.parse(text)


@given(st.integers(1, 2**40), st.integers(0, 2**40) | st.none(), st.integers(0, 2**40) | st.none())
def test_byte_range_prints_what_it_parses(start: int, length: int | None, rest: int | None) -> None:
    """RFC 4975 7.1.1: text and value are the same."""
    end = None if length is None else start - 1 + length
    total = None if rest is None else (start - 1 if end is None else end) + rest
    value = ByteRange(start, end, total)
    assert ByteRange.parse(str(value)) == value


NAMES = st.from_regex(r"X-[A-Za-z0-9\-]{1,12}", fullmatch=True)
VALUES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\r\n\0"), min_size=1, max_size=40).map(
    lambda text: text.strip(" \t")
)
TRANSACTION_IDS = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9.\-+%=]{3,31}", fullmatch=True)


@given(TRANSACTION_IDS, st.dictionaries(NAMES, VALUES, max_size=6), st.binary(max_size=300), st.sampled_from("$+#"))
def test_what_is_encoded_is_parsed(transaction_id: str, headers: dict[str, str], body: bytes, contflag: str) -> None:
    """RFC 4975 9: any headers and any octets as the body come out as they went in."""
    all_headers = {**PATHS, **headers, "Content-Type": "application/octet-stream"}
    sent = MSRPData(transaction_id, "SEND", headers=all_headers, data=body, contflag=contflag)
    octets = sent.encode()
    if f"-------{transaction_id}".encode() in body:
        return
    events = MSRPParser().feed(octets)
    assert len(events) == 1
    received = events[0]
    assert isinstance(received, MSRPData)
    assert received.error is None
    assert (received.transaction_id, received.method, received.contflag) == (transaction_id, "SEND", contflag)
    assert received.headers == all_headers
    assert received.data == body
