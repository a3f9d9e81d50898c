"""Session descriptions: RFC 4566, RFC 8866."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipsimple.core.wire import (
    FrozenSDPAttribute,
    FrozenSDPMediaStream,
    FrozenSDPSession,
    SDPAttribute,
    SDPAttributeList,
    SDPBandwidthInfo,
    SDPConnection,
    SDPMediaStream,
    SDPSession,
    SIPParseError,
)
from sipsimple.core.wire.sdp.media import MAX_FORMATS
from sipsimple.core.wire.sdp.session import MAX_SDP_LINES, MAX_SDP_MEDIA

FULL = b"""v=0
o=jdoe 3724394400 3724394405 IN IP4 198.51.100.1
s=Call to John Smith
i=SDP Offer #1
u=http://www.jdoe.example.com/home.html
e=Jane Doe <jane@jdoe.example.com>
p=+1 617 555-6011
c=IN IP4 198.51.100.1
b=CT:128
t=0 0
r=7d 1h 0 25h
z=2882844526 -1h 2898848070 0
k=clear:x
X=what is this
a=recvonly
a=group:BUNDLE a b
m=audio 49170/2 RTP/AVP 0 101
i=the voice
c=IN IP4 233.252.0.1/127
c=IN IP4 233.252.0.2/127
b=AS:64
k=prompt
a=rtpmap:0 PCMU/8000
a=sendonly
m=message 0 TCP/TLS/MSRP *
a=path:msrps://example.com:2855/abc;tcp
""".replace(b"\n", b"\r\n")

CHAT = b"""v=0
o=- 3467525278 3467525278 IN IP4 10.0.0.1
s=blink
c=IN IP4 10.0.0.1
t=0 0
m=message 2855 TCP/TLS/MSRP *
a=path:msrps://10.0.0.1:2855/ffeeddccbbaa99887766;tcp
a=accept-types:message/cpim text/* application/im-iscomposing+xml
a=accept-wrapped-types:*
""".replace(b"\n", b"\r\n")


class TestParsing:
    def test_every_line(self):
        sdp = FrozenSDPSession.parse(FULL)
        assert (sdp.user, sdp.id, sdp.version, sdp.address) == ("jdoe", 3724394400, 3724394405, "198.51.100.1")
        assert (sdp.name, sdp.info, sdp.start_time) == ("Call to John Smith", "SDP Offer #1", 0)
        assert sdp.bandwidth_info[0] == SDPBandwidthInfo("CT", 128)
        assert dict(sdp.other_lines)["X"] == "what is this"
        audio, message = sdp.media
        assert (audio.media, audio.port, audio.port_count, audio.transport) == ("audio", 49170, 2, "RTP/AVP")
        assert audio.formats == ("0", "101")
        assert audio.connection.address == "233.252.0.1/127"
        assert message.attributes.getfirst("path") == "msrps://example.com:2855/abc;tcp"

    def test_is_printed_as_it_came(self):
        assert FrozenSDPSession.parse(FULL).encode() == FULL == SDPSession.parse(FULL).encode()

    @pytest.mark.parametrize("line_end", [b"\n", b"\r", b"\r\n\r\n"])
    def test_other_line_ends(self, line_end):
        assert FrozenSDPSession.parse(FULL.replace(b"\r\n", line_end)) == FrozenSDPSession.parse(FULL)

    def test_octets_that_are_no_utf8_are_kept(self):
        data = FULL.replace(b"John", b"J\xf8hn")
        assert SDPSession.parse(data).encode() == data
        assert "�" in str(SDPSession.parse(data))

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"v=1\r\no=- 1 1 IN IP4 1.2.3.4\r\n",
            b"o=- 1 1 IN IP4 1.2.3.4\r\nv=0\r\n",
            b"v=0\r\ns=-\r\n",
            b"v=0\r\no=- 1 1 IN IP4\r\n",
            b"v=0\r\no=- x 1 IN IP4 1.2.3.4\r\n",
            b"v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\nm =audio 3227 RTP/AVP 31\r\n",
            b"v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\nm=audio 65536 RTP/AVP 31\r\n",
            b"v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\nm=audio x RTP/AVP 31\r\n",
            b"v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\nm=audio\r\n",
            b"v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\nc=1.2.3.4\r\n",
            b"v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\nb=x\r\n",
            b"v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\na=\r\n",
            b"v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\nt=0\r\n",
            b"v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\na=x\0y\r\n",
            b"v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\ngarbage\r\n",
        ],
    )
    def test_refused(self, data):
        with pytest.raises(SIPParseError):
            SDPSession.parse(data)

    def test_bounds(self):
        origin = b"v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\n"
        assert len(SDPSession.parse(origin + b"m=audio 1 RTP/AVP 0\r\n" * MAX_SDP_MEDIA).media) == MAX_SDP_MEDIA
        for flood in (
            b"m=audio 1 RTP/AVP 0\r\n" * (MAX_SDP_MEDIA + 1),
            b"a=x\r\n" * MAX_SDP_LINES,
            b"a=" + b"x" * 65535,
            b"m=audio 1 RTP/AVP" + b" 0" * (MAX_FORMATS + 1),
        ):
            with pytest.raises(SIPParseError):
                SDPSession.parse(origin + flood)


class TestMaking:
    def test_chat_offer(self):
        """CHAT-003, CHAT-004: the session description of a chat."""
        sdp = SDPSession("10.0.0.1", id=3467525278, name="blink", connection=SDPConnection("10.0.0.1"))
        sdp.media.append(
            SDPMediaStream(
                "message",
                2855,
                "TCP/TLS/MSRP",
                formats=["*"],
                attributes=[
                    SDPAttribute("path", "msrps://10.0.0.1:2855/ffeeddccbbaa99887766;tcp"),
                    SDPAttribute("accept-types", "message/cpim text/* application/im-iscomposing+xml"),
                    SDPAttribute("accept-wrapped-types", "*"),
                ],
            )
        )
        assert sdp.encode() == CHAT

    def test_defaults(self):
        sdp = SDPSession("10.0.0.1")
        assert sdp.encode() == f"v=0\r\no=- {sdp.id} {sdp.id} IN IP4 10.0.0.1\r\ns= \r\nt=0 0\r\n".encode()
        assert sdp.id > 2**31  # NTP's seconds

    def test_ipv6(self):
        assert b"IN IP6 ::1\r\n" in SDPSession("::1").encode()
        assert str(SDPConnection("2001:db8::1")) == "IN IP6 2001:db8::1"

    @pytest.mark.parametrize(
        "make",
        [
            lambda: SDPSession("1.2.3.4\r\nm=x"),
            lambda: SDPSession("1.2.3.4", name="a\r\nb"),
            lambda: SDPSession("1.2.3.4", info="a\nb"),
            lambda: SDPSession("1.2.3.4", user="a b"),
            lambda: SDPSession("1.2.3.4", other_lines=[("ab", "c")]),
            lambda: SDPAttribute("a:b", "c"),
            lambda: SDPAttribute("a", "b\r\nc"),
            lambda: SDPConnection("a b"),
            lambda: SDPMediaStream("audio", 70000, "RTP/AVP"),
            lambda: SDPMediaStream("audio", 1, "RTP AVP"),
            lambda: SDPMediaStream("audio", 1, "RTP/AVP", formats=["0 1"]),
        ],
    )
    def test_what_does_not_fit_on_its_line_is_refused(self, make):
        with pytest.raises(ValueError):
            make()


class TestAttributes:
    def test_look_up(self):
        attributes = SDPAttributeList(
            [SDPAttribute("rtpmap", "0 PCMU"), SDPAttribute("sendonly"), SDPAttribute("rtpmap", "8 PCMA")]
        )
        assert attributes.getfirst("rtpmap") == "0 PCMU"
        assert attributes.getfirst("sendonly") == "" and attributes.getfirst("x") is None
        assert attributes.getfirst("x", 7) == 7
        assert attributes.getall("rtpmap") == ["0 PCMU", "8 PCMA"]
        for some in (attributes, attributes.frozen()):
            assert "sendonly" in some and "x" not in some
            assert SDPAttribute("sendonly") in some and FrozenSDPAttribute("sendrecv") not in some

    def test_set_and_remove(self):
        media = SDPMediaStream("audio", 1, "RTP/AVP")
        media.attributes.set("a", "1")
        media.attributes.append(SDPAttribute("b"))
        media.attributes.append(SDPAttribute("a", "2"))
        media.attributes.set("a", "3")
        assert [str(attribute) for attribute in media.attributes] == ["a:3", "b"]
        media.attributes.remove_all("a")
        assert "a" not in media.attributes

    def test_direction(self):
        media = SDPMediaStream("audio", 1, "RTP/AVP")
        assert media.direction == "sendrecv" and media.own_direction is None
        media.direction = "inactive"
        media.direction = "sendonly"
        assert [attribute.name for attribute in media.attributes] == ["sendonly"]
        with pytest.raises(ValueError):
            media.direction = "both"

    def test_what_the_session_says_holds_for_its_media(self):
        sdp = FrozenSDPSession.parse(FULL)
        assert [sdp.direction_of(0), sdp.direction_of(1)] == ["sendonly", "recvonly"]
        assert sdp.connection_of(0).address == "233.252.0.1/127"
        assert sdp.connection_of(1).address == "198.51.100.1"


class TestVariants:
    def test_freezing_goes_all_the_way_down(self):
        sdp = FrozenSDPSession.new(SDPSession.parse(FULL))
        assert isinstance(sdp.media, tuple) and type(sdp.media[0]) is FrozenSDPMediaStream
        assert type(sdp.media[0].attributes[0]) is FrozenSDPAttribute and isinstance(hash(sdp), int)
        for change in (
            lambda: setattr(sdp.media[0], "port", 1),
            lambda: setattr(sdp, "media", ()),
            lambda: setattr(sdp.connection, "address", ""),
            lambda: setattr(sdp.media[0], "direction", "inactive"),
        ):
            with pytest.raises(AttributeError):
                change()

    def test_a_copy_shares_nothing(self):
        original = SDPSession.parse(FULL)
        copy = SDPSession.new(original)
        assert copy == original
        copy.media[0].attributes.set("x")
        copy.media[0].formats.append("9")
        copy.connection.address = "1.1.1.1"
        del copy.media[1]
        assert original.encode() == FULL

    def test_equality(self):
        assert FrozenSDPSession.parse(FULL) == SDPSession.parse(FULL) != SDPSession.parse(CHAT)
        assert hash(FrozenSDPSession.parse(FULL)) == hash(SDPSession.parse(FULL).frozen())


words = st.from_regex(r"[!-~]{1,10}", fullmatch=True)
lines = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=12)
addresses = st.ip_addresses().map(str).filter(lambda address: "%" not in address)
attributes = st.lists(st.builds(SDPAttribute, words.map(lambda word: word.replace(":", "-")), lines), max_size=3)
connections = st.none() | st.builds(SDPConnection, addresses)
bandwidths = st.lists(
    st.builds(SDPBandwidthInfo, words.map(lambda word: word.replace(":", "-")), st.integers(0, 10**9)), max_size=2
)
media = st.builds(
    SDPMediaStream,
    words,
    st.integers(0, 65535),
    words,
    st.integers(1, 9),
    st.lists(words, max_size=3),
    st.none() | lines,
    connections,
    attributes,
    bandwidths,
    st.lists(st.tuples(st.sampled_from("kX"), lines), max_size=2),
)
sessions = st.builds(
    SDPSession,
    addresses,
    st.integers(0, 2**63),
    st.integers(0, 2**63),
    words,
    name=lines,
    info=st.none() | lines,
    connection=connections,
    start_time=st.integers(0, 2**32),
    stop_time=st.integers(0, 2**32),
    attributes=attributes,
    media=st.lists(media, max_size=2),
    bandwidth_info=bandwidths,
    other_lines=st.lists(st.tuples(st.sampled_from("zX"), lines), max_size=1),
)


class TestProperties:
    @given(sessions)
    def test_print_and_parse(self, sdp):
        parsed = SDPSession.parse(sdp.encode())
        assert parsed.encode() == sdp.encode()
        assert parsed == sdp == FrozenSDPSession.new(sdp)

    @given(st.binary(max_size=80), st.booleans())
    def test_any_octets_are_parsed_or_refused(self, data, begun):
        data = b"v=0\r\no=- 1 1 IN IP4 1.2.3.4\r\nm=audio 1 RTP/AVP 0\r\n" * begun + data
        try:
            sdp = FrozenSDPSession.parse(data)
        except SIPParseError:
            return
        assert FrozenSDPSession.parse(sdp.encode()) == sdp


def test_a_bandwidth_with_strange_white_space_is_refused():
    """RFC 8866 5.8: only digits; what is none is a parse error like any other."""
    with pytest.raises(SIPParseError):
        FrozenSDPSession.parse(
            FULL.replace(b"b=AS:", b"b=AS:\x1d", 1) if b"b=AS:" in FULL else b"v=0\r\nb=AS:6\x1d\r\n"
        )
