"""Parts beside a session description that its media lines name by `cid:` URLs (RFC 2387, RFC 2392)."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipsimple.core import FrozenSDPMediaStream, FrozenSDPSession, RelatedPart, SDPAttribute, SDPMediaStream, SDPSession
from sipsimple.core.protocol.offer_answer_messages import description_body, session_description
from sipsimple.core.wire import BodyPart, SIPRequest, encode_multipart

ICON = RelatedPart("icon.1@example.com", "image/png", b"\x89PNG\r\n--not a boundary\r\n" + bytes(range(256)))


def line(*related: RelatedPart, url: str = "cid:icon.1@example.com") -> SDPMediaStream:
    attributes = [SDPAttribute("file-icon", url)]
    return SDPMediaStream("message", 2855, "TCP/MSRP", formats=["*"], attributes=attributes, related=related)


def session(*lines: SDPMediaStream) -> SDPSession:
    return SDPSession("10.0.0.1", name="-", media=list(lines))


def request(content_type: object, body: bytes) -> SIPRequest:
    return SIPRequest("INVITE", "sip:bob@example.com", [("Content-Type", content_type)], body)  # type: ignore[list-item]


def test_a_description_alone() -> None:
    """Nothing else than before: its body is application/sdp."""
    sdp = session(line())
    assert description_body(sdp) == ("application/sdp", sdp.encode())
    received = session_description(request(*description_body(sdp)))
    assert received == sdp and received.media[0].related == ()


def test_there_and_back() -> None:
    """Each media line gets what it names, and nothing else; octets are octets."""
    sdp = session(line(ICON), line(url="cid:other@example.com"), SDPMediaStream("audio", 4000, "RTP/AVP"))
    content_type, body = description_body(FrozenSDPSession.new(sdp))
    assert not isinstance(content_type, str)
    text = content_type.body
    assert text.startswith("multipart/related") and 'type="application/sdp"' in text
    assert b"Content-ID: <icon.1@example.com>\r\nContent-Disposition: icon\r\n" in body
    received = session_description(request(content_type, body))
    assert received is not None
    assert [media.related for media in received.media] == [(ICON,), (), ()]
    assert received.encode() == sdp.encode()


def test_they_stay_with_the_line() -> None:
    """In copies, frozen or not; they are in no line of the description."""
    media = line(ICON)
    frozen = FrozenSDPMediaStream.new(media)
    assert frozen.related == (ICON,) and hash(frozen) == hash(frozen)
    assert SDPMediaStream.new(frozen).related == [ICON] and SDPMediaStream.new(frozen) == media != line()
    assert media.lines() == line().lines()


def received_with(*parts: BodyPart, url: str = "cid:icon.1@example.com") -> tuple[RelatedPart, ...]:
    sdp = BodyPart.of("application/sdp", session(line(url=url)).encode())
    received = session_description(request(*encode_multipart([sdp, *parts], "related")))
    assert received is not None
    related: tuple[RelatedPart, ...] = received.media[0].related
    return related


def test_what_others_send() -> None:
    """base64; an escaped URL; a part that nobody names; one that can't be decoded is as if it were not there."""
    name = [("Content-ID", "<icon.1@example.com>")]
    base64 = [*name, ("Content-Transfer-Encoding", "base64")]
    assert received_with(BodyPart.of("image/png", b"aGVsbG8=", base64)) == (
        RelatedPart("icon.1@example.com", "image/png", b"hello"),
    )
    assert received_with(BodyPart.of("image/png", b"x", name), url="cid:icon%2E1@example.com")[0].content == b"x"
    assert received_with(BodyPart.of("image/png", b"x", name), url="cid:other@example.com") == ()
    assert received_with(BodyPart.of("image/png", b"x")) == ()
    assert received_with(BodyPart.of("image/png", b"abcde", base64)) == ()
    assert received_with(BodyPart.of("image/png", b"x", [*name, ("Content-Transfer-Encoding", "uuencode")])) == ()


@given(body=st.binary(max_size=200), url=st.text(max_size=60), content_id=st.text(max_size=40))
def test_any_parts(body: bytes, url: str, content_id: str) -> None:
    """Whatever they are, the description is read."""
    head = f"Content-ID: <{content_id}>\r\n".encode("utf-8", "replace").replace(b"\0", b"")
    sdp = session(line(url="cid:icon.1@example.com")).encode() + f"a=x:cid:{url}".encode("utf-8", "replace")
    whole = (
        b"--b\r\nContent-Type: application/sdp\r\n\r\n" + sdp + b"\r\n--b\r\n" + head + b"\r\n" + body + b"\r\n--b--"
    )
    try:
        received = session_description(request("multipart/related;boundary=b", whole))
    except ValueError:
        return
    assert received is None or received.media


@pytest.mark.parametrize("content_type", ["multipart/related", "multipart/related;boundary=x"])
def test_what_is_no_multipart(content_type: str) -> None:
    with pytest.raises(ValueError):
        session_description(request(content_type, b"rubbish"))
