"""Messages and their header fields: RFC 3261 7, 8.2.6, 18.3, 25."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sipsimple.core.wire import (
    SIPURI,
    ContactHeader,
    Defect,
    FrozenContactHeader,
    FrozenRouteHeader,
    FrozenViaHeader,
    HeaderFields,
    RouteHeader,
    SIPParseError,
    SIPRequest,
    SIPResponse,
    SubjectHeader,
    ViaHeader,
    make_response,
    parse_message,
    reason_phrase,
    validate_request,
    validate_response,
)
from sipsimple.core.wire.headers.base import MAX_LIST_ELEMENTS
from sipsimple.core.wire.parser import MAX_HEADER_LENGTH, MAX_HEADERS, MAX_MESSAGE_SIZE, MAX_URI_LENGTH

INVITE = b"""INVITE sip:bob@biloxi.com SIP/2.0
Via: SIP/2.0/UDP pc33.atlanta.com;branch=z9hG4bK776asdhds ;received=192.0.2.1
v: SIP/2.0/TCP a.example.com;branch=z9hG4bKa, SIP/2.0/TLS b.example.com;branch=z9hG4bKb
Record-Route: <sip:p2.example.com;lr>,<sip:p1.example.com;lr>
Max-Forwards: 70
To: Bob <sip:bob@biloxi.com>
f: "Alice \\"A.\\"" <sip:alice@atlanta.com>;tag=1928301774
Call-ID: a84b4c76e66710@pc33.atlanta.com
CSeq: 314159 INVITE
m: <sip:alice@pc33.atlanta.com>;q=0.7;expires=3600, "Alice, too" <sip:alice@home.example.com>
k: 100rel,, timer
Supported: replaces
Allow: INVITE, ACK, BYE
s: lunch
Expires: 120
c: Application/SDP ; charset=utf-8
Timestamp: 54
User-Agent: caf\xc3\xa9/1.0
X-Own:  kept   as it is
l: 4

v=0
""".replace(b"\n", b"\r\n")[:-1]  # the body is v=0 CR


class TestParsing:
    def test_everything_has_its_accessor(self):
        request = parse_message(INVITE)
        assert request.method == "INVITE" and request.request_uri.user == "bob" and request.version == "2.0"
        assert request.via.received == "192.0.2.1" and request.via.branch == "z9hG4bK776asdhds"
        assert [via.host for via in request.vias] == ["pc33.atlanta.com", "a.example.com", "b.example.com"]
        assert [str(header.uri) for header in request.record_route] == [
            "sip:p2.example.com;lr",
            "sip:p1.example.com;lr",
        ]
        assert request.max_forwards == 70 and request.expires == 120
        assert request.to_header.display_name == "Bob" and request.to_header.tag is None
        assert request.from_header.display_name == 'Alice "A."' and request.from_header.tag == "1928301774"
        assert request.call_id == "a84b4c76e66710@pc33.atlanta.com"
        assert (request.cseq.number, request.cseq.method) == (314159, "INVITE")
        assert [contact.q for contact in request.contact] == [0.7, None]
        assert request.contact[0].expires == 3600 and request.contact[1].display_name == "Alice, too"
        assert request.supported == ["100rel", "timer", "replaces"] and request.allow == ["INVITE", "ACK", "BYE"]
        assert request.subject == "lunch" and request.content_type == "application/sdp"
        assert request.user_agent == "café/1.0" and request.body == b"v=0\r" and request.content_length == 4
        assert request.require == [] and request.unsupported == [] and request.route == []
        assert not request.contact_star and request.defects == () and validate_request(request) is None

    def test_is_printed_as_it_came(self):
        assert parse_message(INVITE).encode() == INVITE == bytes(parse_message(INVITE))

    def test_what_was_changed_is_printed_anew_and_nothing_else(self):
        request = parse_message(INVITE)
        request.headers.prepend("Via", ViaHeader("TCP", "10.0.0.1", parameters={"branch": "z9hG4bKc"}))
        request.headers.set("Max-Forwards", 69)
        request.body = b""
        expected = INVITE.replace(b"\r\nVia:", b"\r\nVia: SIP/2.0/TCP 10.0.0.1:5060;branch=z9hG4bKc\r\nVia:", 1)
        expected = expected.replace(b"Forwards: 70", b"Forwards: 69").replace(b"l: 4", b"Content-Length: 0")[:-4]
        assert request.encode() == expected
        assert request.via.host == "10.0.0.1" and request.max_forwards == 69

    def test_what_is_absent(self):
        message = parse_message(b"OPTIONS sip:a SIP/2.0\r\n\r\n")
        for name in [
            "via",
            "from_header",
            "to_header",
            "call_id",
            "cseq",
            "max_forwards",
            "expires",
            "content_length",
            "content_type",
            "user_agent",
            "subject",
        ]:
            assert getattr(message, name) is None
        assert message.vias == () and message.contact == message.route == message.allow == []

    def test_malformed_headers_raise_when_they_are_asked_for(self):
        message = parse_message(b"OPTIONS sip:a SIP/2.0\r\nFrom: <<>\r\nCSeq: x\r\nContact: ,\r\nTo: <sip:a>\r\n\r\n")
        for name in ("from_header", "cseq", "contact"):
            for _ in range(2):
                with pytest.raises(SIPParseError):
                    getattr(message, name)
        assert message.to_header.uri.host == "a" and message.headers.get("From") == "<<>"

    def test_a_contact_of_star(self):
        message = parse_message(b"REGISTER sip:a SIP/2.0\r\nContact: *\r\nExpires: 0\r\n\r\n")
        assert message.contact_star and message.contact == []

    def test_a_datagram_may_be_longer_than_its_message(self):
        assert parse_message(INVITE + b"\r\nmore").body == b"v=0\r"
        assert parse_message(INVITE.replace(b"l: 4\r\n", b"")).body == b"v=0\r"

    @pytest.mark.parametrize("value", [b"5", b"-1", b"x", b"", b"4\r\nContent-Length: 4", b"99999999999999999999"])
    def test_a_wrong_content_length_is_a_defect(self, value):
        message = parse_message(INVITE.replace(b"l: 4", b"l: " + value))
        assert message.defects == (Defect.CONTENT_LENGTH,)
        assert validate_request(message).code == 400

    def test_empty_lines_before_a_message_are_ignored(self):
        assert parse_message(b"\r\n\r\n" + INVITE).encode() == INVITE

    def test_line_ends_without_return(self):
        """RFC 3261 7: they are understood, so that the answer reaches somebody."""
        for data in (INVITE.replace(b"\r\n", b"\n"), INVITE.replace(b"lunch\r\n", b"lunch\n")):
            message = parse_message(data)
            assert message.cseq.number == 314159 and message.body == b"v=0\r" and message.subject == "lunch"
            assert validate_request(message).code == 400

    def test_an_empty_line_among_the_headers_does_not_end_them(self):
        for gap in (b"\n\r\n", b"\n\n", b"\r\n\r"):
            message = parse_message(INVITE.replace(b"lunch\r\n", b"lunch" + gap))
            if b"Expires" in message.body or message.expires is None:
                continue
            assert validate_request(message).code == 400
            assert parse_message(message.encode()).expires == 120

    def test_folds(self):
        """RFC 3261 7.3.1: a fold is a space; printed as it came."""
        data = b"OPTIONS sip:a SIP/2.0\r\nSubject: I know you're there,\r\n  \t pick up\r\n\tthe phone\r\n\r\n"
        message = parse_message(data)
        assert message.subject == "I know you're there, pick up the phone"
        assert message.headers.getall("s") == [message.subject]
        assert message.encode().startswith(data[:-2])
        assert parse_message(b"OPTIONS sip:a SIP/2.0\r\n x\r\n\r\n").defects == (Defect.HEADER_LINE,)

    def test_utf8_and_what_is_not(self):
        data = 'OPTIONS sip:a SIP/2.0\r\nSubject: ж\r\nFrom: "é" <sip:a>;tag=1\r\nX: '.encode() + b"\xff\xfe"
        message = parse_message(data + b"\r\n\r\n")
        assert message.subject == "ж" and message.from_header.display_name == "é"
        assert message.encode().startswith(data)
        message = parse_message(data.replace(b"\xc3\xa9", b"\xe9") + b"\r\n\r\n")
        assert message.from_header.display_name == "�" and message.encode().startswith(
            data.replace(b"\xc3\xa9", b"\xe9")
        )

    def test_a_bare_return_can_not_begin_a_header(self):
        message = parse_message(INVITE.replace(b"lunch", b"lunch\rVia: x"))
        assert message.subject == "lunch Via: x" and validate_request(message).code == 400
        assert make_response(message, 400).via.host == "pc33.atlanta.com"

    @pytest.mark.parametrize("line", [b"no colon", b": no name", b"white space: x", b"\xc3\xa9: x", b"a(b): x"])
    def test_lines_that_are_no_header(self, line):
        message = parse_message(INVITE.replace(b"X-Own:  kept   as it is", line))
        assert message.defects == (Defect.HEADER_LINE,) and validate_request(message).code == 400
        assert line in message.encode()

    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"\r\n\r\n",
            b"\0",
            b"INVITE\r\n\r\n",
            b"INVITE sip:a\r\n\r\n",
            b"GET / HTTP/1.1\r\n\r\n",
            b"SIP/2.0\r\n\r\n",
            b"SIP/2.0 \r\n\r\n",
            b"SIP/2.0 OK\r\n\r\n",
            b"SIP/2.0 200000000000000000000000\r\n\r\n",
            b"SIP/x 200 OK\r\n\r\n",
            b" \t SIP/2.0\r\n\r\n",
        ],
    )
    def test_what_can_not_be_represented(self, data):
        with pytest.raises(SIPParseError):
            parse_message(data)

    def test_responses(self):
        response = parse_message(b"SIP/2.0 183 Session  Progress\r\n\r\n")
        assert (response.code, response.reason, response.reason_phrase) == (183, "Session  Progress", response.reason)
        assert parse_message(b"SIP/2.0 200 \r\n\r\n").reason == ""
        assert parse_message(b"SIP/2.0 200\r\n\r\n").defects == (Defect.START_LINE,)
        assert parse_message(b"SIP/2.0 200 \xff\r\n\r\n").reason == "�"
        assert repr(response) == "<SIPResponse 183 Session  Progress>"


class TestBounds:
    """Whatever is sent, time and memory are bounded, and what can be answered is."""

    def test_message_size(self):
        assert parse_message(INVITE.replace(b"l: 4\r\n", b"") + b"x" * (MAX_MESSAGE_SIZE - len(INVITE))).body
        with pytest.raises(SIPParseError):
            parse_message(INVITE + b"x" * MAX_MESSAGE_SIZE)

    def test_header_count(self):
        message = parse_message(INVITE.replace(b"l: 4", b"l: 4\r\n" + b"X: y\r\n" * MAX_HEADERS + b"X: z"))
        assert message.defects == (Defect.TOO_MANY_HEADERS,) and len(message.headers) == MAX_HEADERS
        assert validate_request(message).code == 513
        assert make_response(message, 513).via.branch == "z9hG4bK776asdhds"

    def test_header_length(self):
        message = parse_message(INVITE.replace(b"lunch", b"x" * MAX_HEADER_LENGTH))
        assert message.defects == (Defect.HEADER_TOO_LONG,) and validate_request(message).code == 513

    def test_uri_length(self):
        message = parse_message(INVITE.replace(b"sip:bob@", b"sip:" + b"x" * MAX_URI_LENGTH + b"@", 1))
        assert validate_request(message).code == 414

    def test_list_length(self):
        data = INVITE.replace(b"lunch", b"x\r\nRoute: " + b"<sip:a>," * MAX_LIST_ELEMENTS + b"<sip:b>")
        with pytest.raises(SIPParseError):
            _ = parse_message(data).route
        data = INVITE.replace(b"lunch", b"x" + b"\r\nRoute: <sip:a>,<sip:b>" * (MAX_LIST_ELEMENTS // 2 + 1))
        with pytest.raises(SIPParseError):
            _ = parse_message(data).route

    @pytest.mark.parametrize(
        "flood",
        [
            b" ", b"\t", b"\r", b"\n", b"\r\n", b"\r\n ", b"\r\n \r", b" \n", b",", b";", b'"', b"<", b">", b"<>",
            b"\\", b'\\"', b'"a"', b'";', b'",', b"a=b;", b"a,", b":", b"@", b"%", b"%41", b"a@", b"sip:", b"1",
            b"A:\r\n", b";a", b"=", b" ;", b" ,", b"( ", b"(", b"\xff", b"\0", b"/", b" /",
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("end", [b"", b"x", b'"', b">", b" SIP/2.0"])
    def test_no_header_takes_more_than_linear_time(self, flood, end):
        filler = (flood * 30000)[:30000] + end
        started = time.process_time()
        for template in (
            b"%s",
            b"A%s",
            b"INVITE %s",
            b"INVITE sip:%s SIP/2.0",
            b"SIP/2.0 200 %s",
            b"INVITE sip:a SIP/2.0\r\nVia: %s\r\nFrom: %s",
            b"INVITE sip:a SIP/2.0\r\nVia: SIP/2.0/UDP a;%s\r\nFrom: <sip:%s",
            b'INVITE sip:a SIP/2.0\r\nVia: SIP/2.0/UDP %s\r\nFrom: "a" <sip:a>%s',
            b'INVITE sip:a SIP/2.0\r\nVia: SIP/%s\r\nFrom: "%s',
            b"INVITE sip:a SIP/2.0\r\nSubject: %s\r\nCSeq: 1%s",
        ):
            data = template.replace(b"%s", filler)
            try:
                message = parse_message(data + b"\r\n\r\n")
                if isinstance(message, SIPRequest):
                    validate_request(message)
                else:
                    validate_response(message)
            except SIPParseError:
                continue
            for name in ("via", "vias", "from_header", "cseq", "subject", "request_uri"):
                try:
                    getattr(message, name, None)
                except SIPParseError:
                    continue
            for _ in message.headers:
                pass
        assert time.process_time() - started < 1


class TestHeaderFields:
    def test_names_have_no_case_and_a_compact_form(self):
        fields = HeaderFields([("Via", "a"), ("v", "b"), ("VIA", "c"), ("X-y", "d")])
        assert fields.getall("via") == fields.getall("V") == ["a", "b", "c"]
        assert "v" in fields and "x-Y" in fields and "vi" not in fields and None not in fields
        assert fields.lines() == ["Via: a", "Via: b", "Via: c", "X-y: d"]
        assert list(fields)[-1] == ("X-y", "d") and len(fields) == 4 and fields.count("Via") == 3

    def test_values(self):
        fields = HeaderFields([SubjectHeader("x")])
        fields.add("Max-Forwards", 70)
        fields.add("Contact", ContactHeader(SIPURI("a")))
        assert fields.lines() == ["Subject: x", "Max-Forwards: 70", "Contact: <sip:a>"]
        assert fields.get("None") is None and fields.get("None", "x") == "x"
        with pytest.raises(TypeError):
            fields.add("W", None)
        with pytest.raises(TypeError):
            fields.add("W", b"y")

    def test_set_keeps_the_place_and_removes_others(self):
        fields = HeaderFields([("G", "1"), ("H", "2"), ("G", "3"), ("P", "4"), ("G", "5")])
        fields.set("g", "6")
        fields.set("Q", "7")
        assert list(fields) == [("g", "6"), ("H", "2"), ("P", "4"), ("Q", "7")]
        assert fields.getall("G") == ["6"]

    def test_remove(self):
        fields = HeaderFields([("G", "1"), ("H", "2"), ("G", "3")])
        fields.remove("g")
        fields.remove("P")
        assert list(fields) == [("H", "2")] and fields.get("G") is None

    def test_typed_values_are_remembered_until_a_change(self):
        fields = HeaderFields([("Route", "<sip:a>, <sip:b>"), ("Route", "<sip:c>")])
        routes = fields.all(FrozenRouteHeader)
        assert fields.all(FrozenRouteHeader) is routes and [route.uri.host for route in routes] == ["a", "b", "c"]
        assert fields.first(FrozenRouteHeader) is fields.first(FrozenRouteHeader)
        fields.prepend("Route", "<sip:z>")
        assert [route.uri.host for route in fields.all(FrozenRouteHeader)] == ["z", "a", "b", "c"]
        fields.remove("Route")
        assert fields.all(FrozenRouteHeader) == () and fields.first(FrozenRouteHeader) is None

    def test_the_first_of_a_list(self):
        fields = HeaderFields([("W", "y"), ("Route", '"a, b" <sip:a>, <sip:b>'), ("Route", "<sip:c>")])
        fields.remove_first(FrozenRouteHeader)
        assert list(fields)[1] == ("Route", "<sip:b>")
        fields.replace_first(RouteHeader("sip:d"))
        assert list(fields) == [("W", "y"), ("Route", "<sip:d>"), ("Route", "<sip:c>")]
        for _ in range(3):
            fields.remove_first(FrozenRouteHeader)
        assert list(fields) == [("W", "y")]

    def test_replacing_the_top_via_leaves_the_others(self):
        request = parse_message(INVITE)
        request.headers.remove_first(FrozenViaHeader)
        via = ViaHeader.new(request.via)
        via.received = "10.0.0.1"
        request.headers.replace_first(via)
        assert [each.received for each in request.vias] == ["10.0.0.1", None]
        assert request.headers.getall("via") == [
            "SIP/2.0/TCP a.example.com:5060;branch=z9hG4bKa;received=10.0.0.1",
            "SIP/2.0/TLS b.example.com;branch=z9hG4bKb",
        ]

    def test_a_copy_is_on_its_own(self):
        fields = HeaderFields([("A", "1")])
        copy = fields.copy()
        copy.set("A", "2")
        copy.add("A", "3")
        assert fields.getall("A") == ["1"] and copy.getall("A") == ["2", "3"]

    @pytest.mark.parametrize("name, value", [("A", "x\r\nB: y"), ("A", "x\ny"), ("A B", "x"), ("", "x"), ("A:", "x")])
    def test_no_field_can_be_smuggled_in(self, name, value):
        fields = HeaderFields()
        for method in (fields.add, fields.set, fields.prepend):
            with pytest.raises(ValueError):
                method(name, value)
        assert len(fields) == 0
        with pytest.raises(ValueError):
            fields.add("A", "\ud800")


class TestMaking:
    def test_request(self):
        request = SIPRequest("MESSAGE", SIPURI("example.com", user="bob"), [("To", "<sip:bob@example.com>")], b"hi")
        assert request.encode() == (
            b"MESSAGE sip:bob@example.com SIP/2.0\r\nTo: <sip:bob@example.com>\r\nContent-Length: 2\r\n\r\nhi"
        )
        assert request.request_uri.user == "bob" and repr(request) == "<SIPRequest MESSAGE sip:bob@example.com>"
        request.request_uri = "sip:carol@example.com"
        assert request.request_uri.user == "carol"

    def test_response(self):
        assert SIPResponse(486).encode() == b"SIP/2.0 486 Busy Here\r\nContent-Length: 0\r\n\r\n"
        assert SIPResponse(486, "", {"W": "y"}).encode() == b"SIP/2.0 486 \r\nW: y\r\nContent-Length: 0\r\n\r\n"

    def test_what_can_not_be_sent_is_refused(self):
        for make in (
            lambda: SIPRequest("IN VITE", "sip:a"),
            lambda: SIPRequest("INVITE", "sip:a b"),
            lambda: SIPRequest("INVITE", ""),
            lambda: SIPRequest("INVITE", "sip:a\r\nX:"),
            lambda: SIPResponse(200, "OK\r\nX: y"),
        ):
            with pytest.raises(ValueError):
                make()

    def test_reason_phrases(self):
        assert reason_phrase(480) == "Temporarily Unavailable" and reason_phrase(499) == "Bad Request"
        assert reason_phrase(99) == "Unknown"


class TestMakeResponse:
    """RFC 3261 8.2.6.2."""

    def test_what_is_copied(self):
        response = make_response(
            parse_message(INVITE), 180, to_tag="a6c85cf", headers=[("Contact", "<sip:bob@192.0.2.4>")]
        )
        assert (
            response.encode()
            == b"""SIP/2.0 180 Ringing
Via: SIP/2.0/UDP pc33.atlanta.com;branch=z9hG4bK776asdhds ;received=192.0.2.1
Via: SIP/2.0/TCP a.example.com;branch=z9hG4bKa, SIP/2.0/TLS b.example.com;branch=z9hG4bKb
Record-Route: <sip:p2.example.com;lr>,<sip:p1.example.com;lr>
From: "Alice \\"A.\\"" <sip:alice@atlanta.com>;tag=1928301774
To: Bob <sip:bob@biloxi.com>;tag=a6c85cf
Call-ID: a84b4c76e66710@pc33.atlanta.com
CSeq: 314159 INVITE
Contact: <sip:bob@192.0.2.4>
Content-Length: 0

""".replace(b"\n", b"\r\n")
        )

    def test_trying_has_no_tag_and_returns_the_timestamp(self):
        response = make_response(parse_message(INVITE), 100, to_tag="x")
        assert response.to_header.tag is None and response.headers.get("Timestamp") == "54"
        assert not response.record_route and "Timestamp" not in make_response(parse_message(INVITE), 200).headers

    def test_refusals_have_no_route(self):
        assert not make_response(parse_message(INVITE), 486).record_route

    def test_a_tag_that_is_there_stays(self):
        request = parse_message(INVITE.replace(b"<sip:bob@biloxi.com>", b"<sip:bob@biloxi.com>;tag=theirs"))
        assert make_response(request, 200, to_tag="mine").headers.get("To") == "Bob <sip:bob@biloxi.com>;tag=theirs"

    def test_what_is_missing_or_malformed_is_no_obstacle(self):
        assert make_response(parse_message(b"OPTIONS sip:a SIP/2.0\r\n\r\n"), 400, to_tag="x").encode()
        request = parse_message(INVITE.replace(b"<sip:bob@biloxi.com>", b"<sip:bob@biloxi.com"))
        assert make_response(request, 400, to_tag="x").headers.get("To") == "Bob <sip:bob@biloxi.com"

    def test_a_body(self):
        response = make_response(parse_message(INVITE), 200, "Fine", headers={"Content-Type": "text/plain"}, body=b"x")
        assert response.reason == "Fine" and response.content_type == "text/plain"
        assert response.encode().endswith(b"Content-Length: 1\r\n\r\nx")


class TestValidation:
    """RFC 3261 8.2, 8.1.3: beyond the messages of RFC 4475."""

    def refusal(self, old, new):
        assert old in INVITE
        return validate_request(parse_message(INVITE.replace(old, new, 1)))

    @pytest.mark.parametrize(
        "old, new, code",
        [
            (b"CSeq: 314159 INVITE\r\n", b"", 400),
            (b"CSeq: 314159", b"CSeq: 2147483648", 400),
            (b"Call-ID: a84b4c76e66710@pc33.atlanta.com", b"Call-ID: ", 400),
            (b"Forwards: 70", b"Forwards: 256", 400),
            (b"q=0.7", b"q=1.7", 400),
            (b"expires=3600", b"expires=x", 400),
            (b"Record-Route: <sip:p2", b"Record-Route: <<sip:p2", 400),
            (b"X-Own: ", b"Route: <sip:a\r\nX-Own: ", 400),
            (b"c: Application/SDP", b"c: SDP", 400),
            (b"c: Application/SDP ; charset=utf-8\r\n", b"", 400),
            (b"m: <", b"m: *, <", 400),
            (b"SIP/2.0\r\n", b"SIP/3.0\r\n", 505),
            (b"sip:bob", b"mailto:bob", 416),
            (b"sip:bob", b"tel:bob", 400),
            (b";branch=z9hG4bK776", b";;branch=z9hG4bK776", 400),
        ],
    )
    def test_refused(self, old, new, code):
        assert self.refusal(old, new).code == code

    def test_what_is_only_for_people_is_no_reason_to_refuse(self):
        assert self.refusal(b"s: lunch", b"s: lunch\r\nSubject: dinner\r\nServer: a\r\nServer: b") is None
        assert self.refusal(b"s: lunch", b"Date: Fri, 1 Jan 2010 16:00:00 GMT") is None

    def test_schemes(self):
        request = parse_message(INVITE.replace(b"sip:bob@biloxi.com SIP", b"tel:+1201 SIP"))
        assert validate_request(request) is None
        assert validate_request(request, schemes=("sip", "sips")).code == 416

    def test_responses(self):
        data = make_response(parse_message(INVITE), 200).encode()
        one = data.replace(b"Via: SIP/2.0/TCP a.example.com;branch=z9hG4bKa, SIP/2.0/TLS b.example.com;", b"X: ")
        assert validate_response(parse_message(one)) is None
        for old, new in (
            (b"X: ", b"Via: SIP/2.0/UDP b;"),
            (b"SIP/2.0 200", b"SIP/2.0 99"),
            (b"SIP/2.0 200", b"SIP/2.0 700"),
            (b"SIP/2.0 200", b"SIP/1.0 200"),
            (b"Content-Length: 0", b"Content-Length: 1"),
            (b"From: ", b"From: <"),
            (b"CSeq: ", b"Contact: <\r\nCSeq: "),
            (b"CSeq: ", b"Expires: x\r\nCSeq: "),
            (b"Via: ", b"V: "),
            (b"Via: ", b"X: "),
        ):
            problem = validate_response(parse_message(one.replace(old, new, 1)))
            assert (problem is None) == (new == b"V: ")


header_values = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), max_size=30).map(str.strip)
header_names = st.from_regex(r"[A-Za-z!%*_+`'~.\-]{1,12}", fullmatch=True)


class TestProperties:
    @given(st.lists(st.tuples(header_names, header_values), max_size=8), st.binary(max_size=20))
    def test_print_and_parse(self, fields, body):
        fields = [(name, value) for name, value in fields if name.lower() not in ("l", "content-length")]
        request = SIPRequest("INVITE", "sip:a", fields, body)
        parsed = parse_message(request.encode())
        assert parsed.encode() == request.encode() and parsed.body == body and not parsed.defects
        assert list(parsed.headers)[:-1] == list(request.headers)
        for name, _ in fields:
            assert parsed.headers.getall(name) == request.headers.getall(name)

    @given(st.binary(max_size=200), st.integers(0, len(INVITE)), st.integers(0, 20))
    def test_whatever_becomes_of_a_message_it_is_parsed_or_refused(self, data, place, cut):
        for damaged in (data, INVITE[:place] + data + INVITE[place + cut :]):
            try:
                message = parse_message(damaged)
            except SIPParseError:
                continue
            if isinstance(message, SIPRequest):
                refusal = validate_request(message)
                response = make_response(message, refusal.code if refusal else 200, to_tag="x")
                assert parse_message(response.encode()).code == response.code
            else:
                validate_response(message)
            again = parse_message(message.encode())
            assert again.encode() == message.encode()

    @given(st.text(max_size=60))
    def test_typed_headers_of_any_text(self, text):
        message = SIPRequest("INVITE", "sip:a")
        for name in ("From", "Contact", "Via", "CSeq", "Route"):
            try:
                message.headers.set(name, text)
            except ValueError:
                return
        for header in (FrozenContactHeader, FrozenViaHeader, FrozenRouteHeader):
            try:
                values = message.headers.all(header)
                parsed = [header.parse(value.body) for value in values]
            except SIPParseError:
                continue
            assert parsed == list(values)
