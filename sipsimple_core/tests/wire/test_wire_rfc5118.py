"""IPv6 in SIP: the cases of RFC 5118, section by section, in messages of our own."""

import pytest

from sipsimple.core.wire import FrozenSDPSession, parse_message, validate_request

REQUEST = """{method} {uri} SIP/2.0
To: sip:user@example.com
From: sip:user@example.com;tag=81x2
Via: SIP/2.0/UDP {sent_by};branch=z9hG4bKas3-111{via}
Call-ID: SSG9559905523997077@hlau_4100
CSeq: 1 {method}
Max-Forwards: 70
Contact: {contact}
{more}Content-Length: {length}

{body}"""


def request(
    method="REGISTER", uri="sip:[2001:db8::10]", sent_by="[2001:db8::9:1]", via="", contact=None, body="", more=""
):
    contact = contact or '"Caller" <sip:caller@[2001:db8::1]>'
    body = body.replace("\n", "\r\n")
    head = REQUEST.format(
        method=method, uri=uri, sent_by=sent_by, via=via, contact=contact, more=more, length=len(body), body=""
    )
    return parse_message((head.replace("\n", "\r\n") + body).encode())


def test_4_1_an_ipv6_reference():
    message = request()
    assert validate_request(message) is None
    assert message.request_uri.host == "2001:db8::10" and message.request_uri.port is None
    assert message.via.host == "2001:db8::9:1" and message.via.port == 5060
    assert message.contact[0].uri.host == "2001:db8::1"
    assert str(message.contact[0].uri) == "sip:caller@[2001:db8::1]"


def test_4_2_an_address_without_brackets():
    assert validate_request(request(uri="sip:2001:db8::10")).code == 400


def test_4_3_what_looks_like_a_port_within_the_brackets_is_address():
    uri = request(uri="sip:[2001:db8::10:5070]").request_uri
    assert (uri.host, uri.port) == ("2001:db8::10:5070", None)


def test_4_4_a_port_behind_the_brackets():
    uri = request(uri="sip:[2001:db8::10]:5070").request_uri
    assert (uri.host, uri.port) == ("2001:db8::10", 5070) and str(uri) == "sip:[2001:db8::10]:5070"


@pytest.mark.parametrize("received", ["2001:db8::9:255", "[2001:db8::9:255]"])
def test_4_5_received_with_and_without_brackets(received):
    message = request(via=f";received={received}")
    assert validate_request(message) is None
    assert message.via.received == "2001:db8::9:255" and message.via.branch == "z9hG4bKas3-111"


def test_4_6_addresses_in_sdp():
    body = """v=0
o=assistant 971731711378798081 0 IN IP6 2001:db8::20
s=Live video feed for today's meeting
c=IN IP6 2001:db8::20
t=3338481189 3370017201
m=audio 6000 RTP/AVP 2
a=rtpmap:2 G726-32/8000
"""
    message = request("INVITE", body=body, more="Content-Type: application/sdp\n")
    assert validate_request(message) is None
    sdp = FrozenSDPSession.parse(message.body)
    assert (sdp.address, sdp.address_type) == ("2001:db8::20", "IP6")
    assert sdp.connection_of(0).address == "2001:db8::20" and sdp.encode() == message.body


def test_4_7_both_families_in_headers():
    message = request(sent_by="192.0.2.1", via="\nVia: SIP/2.0/UDP [2001:db8::9:1]:5070;branch=z9hG4bKas3")
    assert validate_request(message) is None
    assert [(via.host, via.port) for via in message.vias] == [("192.0.2.1", 5060), ("2001:db8::9:1", 5070)]


def test_4_8_both_families_in_sdp():
    sdp = FrozenSDPSession.parse(b"""v=0
o=bob 280744730 28977631 IN IP4 host.example.com
s=
t=0 0
m=audio 22334 RTP/AVP 0
c=IN IP4 192.0.2.1
m=video 6024 RTP/AVP 107
c=IN IP6 2001:db8::1
""")
    assert [sdp.connection_of(index).address_type for index in range(2)] == ["IP4", "IP6"]


def test_4_9_addresses_that_are_mapped():
    sdp = FrozenSDPSession.parse(b"v=0\no=- 1 1 IN IP6 ::FFFF:192.0.2.1\ns= \nc=IN IP6 ::FFFF:192.0.2.10\nt=0 0\n")
    assert sdp.connection.address == "::FFFF:192.0.2.10"
    uri = request(uri="sip:user@[::FFFF:192.0.2.10]:19823").request_uri
    assert (uri.host, uri.port) == ("::FFFF:192.0.2.10", 19823)


def test_4_10_the_extra_colon_of_the_old_grammar():
    assert request(uri="sip:user@[2001:db8::192.0.2.1]").request_uri.host == "2001:db8::192.0.2.1"
    assert validate_request(request(uri="sip:user@[2001:db8:::192.0.2.1]")).code == 400
