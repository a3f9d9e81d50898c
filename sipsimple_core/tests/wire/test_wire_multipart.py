"""Bodies of several parts (RFC 2046, RFC 5621) and message/sipfrag (RFC 3420)."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipsimple.core.wire import (
    BodyPart,
    SIPParseError,
    SIPRequest,
    body_parts,
    encode_multipart,
    encode_sipfrag,
    find_body,
    parse_message,
    parse_multipart,
    parse_sipfrag,
)
from sipsimple.core.wire.multipart import MAX_DEPTH, MAX_PARTS

BODY = b"""preamble
--a b
Content-Type: application/sdp ; x=y
Content-Disposition: Session;handling=required

v=0
--a b--not
--a b\x20\x20
Content-Type: text/plain
Content-ID: <1@x>
Content-Transfer-Encoding: base64

aGVs
bG8=
--a b

no headers
--a b--
epilogue
--a b
""".replace(b"\n", b"\r\n")


def message(content_type, body):
    return SIPRequest("MESSAGE", "sip:a", [("Content-Type", content_type)], body)


class TestParsing:
    def test_parts(self):
        sdp, text, plain = parse_multipart(BODY, "a b")
        assert sdp.content_type == "application/sdp" and sdp.disposition == "session"
        assert sdp.body == b"v=0\r\n--a b--not"
        assert (text.content_type, text.content_id, text.disposition) == ("text/plain", "1@x", "render")
        assert text.decoded() == b"hello"
        assert plain.content_type == "text/plain" and plain.body == b"no headers" and plain.content_id is None

    def test_mpart01(self):
        """RFC 4475 3.1.1.11: parts with binary content."""
        path = Path(__file__).parents[1] / "data" / "rfc4475" / "mpart01.dat"
        text, signature = body_parts(parse_message(path.read_bytes()))
        assert text.body == b"Hello" and text.content_type == "text/plain"
        assert signature.content_type == "application/octet-stream"
        assert signature.decoded().startswith(b"0\x82\x01\x52") and len(signature.body) == 342

    def test_the_end_may_be_missing(self):
        parts = parse_multipart(b"--x\r\n\r\none\r\n--x\n\ntwo", "x")
        assert [part.body for part in parts] == [b"one", b"two"]

    @pytest.mark.parametrize("body", [b"", b"one", b"--y\r\n\r\none", b"--x--", b"--x\r\nno colon\r\n\r\none\r\n--x--"])
    def test_malformed(self, body):
        with pytest.raises(SIPParseError):
            parse_multipart(body, "x")

    @pytest.mark.parametrize("boundary", ["", "x" * 71, "a\r\nb", "x "])
    def test_what_is_no_boundary(self, boundary):
        with pytest.raises(SIPParseError):
            parse_multipart(BODY, boundary)
        with pytest.raises(ValueError):
            encode_multipart([BodyPart(b"x")], boundary=boundary)

    def test_bounds(self):
        assert len(parse_multipart(b"--x\r\n\r\none\r\n" * MAX_PARTS, "x")) == MAX_PARTS
        with pytest.raises(SIPParseError):
            parse_multipart(b"--x\r\n\r\none\r\n" * (MAX_PARTS + 1), "x")
        part = BodyPart.of("text/plain", b"x")
        for depth in range(MAX_DEPTH + 1):
            header, body = encode_multipart([part], boundary=f"b{depth}")
            part = BodyPart.of(header.body, body)
            nested = message(header.body, body)
            if depth < MAX_DEPTH:
                assert [each.body for each in body_parts(nested)] == [b"x"]
            else:
                with pytest.raises(SIPParseError):
                    body_parts(nested)


class TestMessages:
    def test_find_body(self):
        mixed = message('multipart/mixed;boundary="a b"', BODY)
        assert find_body(mixed, "application/sdp") == b"v=0\r\n--a b--not"
        assert find_body(mixed, "text/*") == b"hello" and find_body(mixed, "image/*") is None
        assert find_body(message("Application/SDP", b"v=0"), "application/sdp") == b"v=0"
        assert find_body(SIPRequest("INVITE", "sip:a"), "application/sdp") is None

    @pytest.mark.parametrize(
        "content_type", ["multipart/mixed", "multipart/mixed;boundary=", "multipart/mixed;boundary=z"]
    )
    def test_malformed(self, content_type):
        with pytest.raises(SIPParseError):
            find_body(message(content_type, BODY), "application/sdp")

    def test_transfer_encodings(self):
        for encoding, body, decoded in (
            ("binary", b"=41", b"=41"),
            ("quoted-printable", b"=41=\r\nb", b"Ab"),
            ("BASE64", b"QQ==", b"A"),
        ):
            part = BodyPart.of("text/plain", body, [("Content-Transfer-Encoding", encoding)])
            assert part.decoded() == decoded
        for encoding, body in (("base64", b"A"), ("x-zip", b"")):
            with pytest.raises(SIPParseError):
                BodyPart.of("text/plain", body, [("Content-Transfer-Encoding", encoding)]).decoded()


class TestEncoding:
    def test_encode(self):
        parts = [BodyPart.of("application/sdp", b"v=0\r\n"), BodyPart(b"x")]
        header, body = encode_multipart(parts, "alternative", "b")
        assert header.body == 'multipart/alternative;boundary="b"'
        assert body == b"--b\r\nContent-Type: application/sdp\r\n\r\nv=0\r\n\r\n--b\r\n\r\nx\r\n--b--\r\n"

    def test_refused(self):
        with pytest.raises(ValueError):
            encode_multipart([])
        with pytest.raises(ValueError):
            encode_multipart([BodyPart(b"a\r\n--b\r\n")], boundary="b")

    @given(st.lists(st.binary(max_size=30), min_size=1, max_size=4))
    def test_encode_and_parse(self, bodies):
        header, body = encode_multipart([BodyPart.of("text/plain", each) for each in bodies])
        assert [part.body for part in parse_multipart(body, header.boundary)] == bodies

    @given(st.binary(max_size=80))
    def test_any_octets_are_parsed_or_refused(self, data):
        for body in (data, b"--x\r\n" + data + b"\r\n--x--"):
            try:
                parse_multipart(body, "x")
            except SIPParseError:
                continue


class TestSipfrag:
    def test_status_lines(self):
        assert parse_sipfrag(b"SIP/2.0 100 Trying") == (100, "Trying")
        assert parse_sipfrag(b"SIP/2.0 486\r\nX: y\r\n") == (486, "Busy Here")
        assert parse_sipfrag(b"\r\nsip/2.0 603 \xff\r\n") == (603, "�")
        assert parse_sipfrag(encode_sipfrag(200)) == (200, "OK")
        assert encode_sipfrag(180, "Läutet") == "SIP/2.0 180 Läutet\r\n".encode()

    @pytest.mark.parametrize(
        "body", [b"", b"INVITE sip:a SIP/2.0", b"SIP/2.0 99 x", b"SIP/2.0 1000 x", b"SIP/3.0 200 OK"]
    )
    def test_what_is_none(self, body):
        with pytest.raises(SIPParseError):
            parse_sipfrag(body)

    def test_no_lines_can_be_smuggled_in(self):
        with pytest.raises(ValueError):
            encode_sipfrag(200, "OK\r\nX: y")
