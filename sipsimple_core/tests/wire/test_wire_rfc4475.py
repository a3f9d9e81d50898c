"""The torture messages of RFC 4475: each gets what data/rfc4475/README.md says, parsed and validated."""

from pathlib import Path

import pytest

from sipsimple.core.wire import (
    FrozenAcceptHeader,
    FrozenSDPSession,
    SIPRequest,
    SIPResponse,
    make_response,
    parse_message,
    refuse_accept,
    refuse_content,
    refuse_extensions,
    refuse_method,
    refuse_registration,
    validate_request,
    validate_response,
)
from sipsimple.core.wire.framer import FramingError, MessageFramer

FOLDER = Path(__file__).parents[1] / "data" / "rfc4475"
FILES = sorted(path.stem for path in FOLDER.glob("*.dat"))

VALID_REQUESTS = [
    "wsinv",
    "intmeth",
    "esc01",
    "escnull",
    "esc02",
    "lwsdisp",
    "longreq",
    "dblreq",
    "semiuri",
    "transports",
    "mpart01",
    "badbranch",
    "unksm2",
    "bext01",
    "invut",
    "regaut01",
    "zeromf",
    "cparam01",
    "cparam02",
    "regescrt",
    "sdp01",
    "inv2543",
]
VALID_RESPONSES = ["unreason", "noreason"]
REFUSED = {
    **dict.fromkeys(
        [
            "badinv01",
            "clerr",
            "ncl",
            "scalar02",
            "quotbal",
            "ltgtruri",
            "lwsruri",
            "lwsstart",
            "trws",
            "escruri",
            "baddate",
            "regbadct",
            "badaspec",
            "baddn",
            "mismatch01",
            "mismatch02",
            "insuf",
            "multi01",
            "mcl01",
        ],
        400,
    ),
    "badvers": 505,
    "unkscm": 416,
    "novelsc": 416,
}
DROPPED_RESPONSES = ["scalarlg", "bigcode", "bcast"]

# What a stream makes of them: those whose end can't be found break it.
BREAK_A_STREAM = {"ncl": 400, "mcl01": 400, "inv2543": 400}
UNFINISHED_IN_A_STREAM = ("clerr", "baddn")


def load(name):
    return parse_message((FOLDER / f"{name}.dat").read_bytes())


def test_there_are_49_and_each_has_an_outcome():
    assert len(FILES) == 49
    assert sorted([*VALID_REQUESTS, *VALID_RESPONSES, *REFUSED, *DROPPED_RESPONSES]) == FILES


@pytest.mark.parametrize("name", VALID_REQUESTS)
def test_valid_requests(name):
    request = load(name)
    assert isinstance(request, SIPRequest)
    assert validate_request(request) is None
    again = parse_message(request.encode())
    assert validate_request(again) is None
    assert again.encode() == request.encode()


@pytest.mark.parametrize("name", VALID_RESPONSES)
def test_valid_responses(name):
    response = load(name)
    assert isinstance(response, SIPResponse)
    assert validate_response(response) is None


@pytest.mark.parametrize("name", REFUSED)
def test_refused_requests_can_be_answered(name):
    request = load(name)
    refusal = validate_request(request)
    assert refusal.code == REFUSED[name]
    response = make_response(request, refusal.code, refusal.reason, to_tag="mine", headers=refusal.headers)
    parsed = parse_message(response.encode())
    assert parsed.code == REFUSED[name] and not parsed.defects
    assert request.via is not None  # where the answer goes
    for header in ("Via", "From", "To", "Call-ID", "CSeq"):
        given = request.headers.getall(header) if header == "Via" else request.headers.getall(header)[:1]
        assert [value.removesuffix(";tag=mine") for value in parsed.headers.getall(header)] == given


@pytest.mark.parametrize("name", DROPPED_RESPONSES)
def test_dropped_responses(name):
    assert validate_response(load(name))


@pytest.mark.parametrize("name", FILES)
def test_untouched_messages_are_printed_as_they_came(name):
    data = (FOLDER / f"{name}.dat").read_bytes()
    message = parse_message(data)
    if name in ("trws", "lwsstart"):  # the request line is not kept in its malformed state
        data = b"\r\n".join([message.start_line.encode(), *data.split(b"\r\n")[1:]])
    if name == "baddn":  # lacks the line that ends its headers
        data += b"\r\n"
    if name in ("clerr", "ncl", "inv2543", "mcl01", "dblreq"):  # what Content-Length says is mended
        head, _, body = data.partition(b"\r\n\r\n")
        assert message.encode().startswith(head.split(b"Content-Length")[0])
        assert message.encode().endswith(message.body) and body.startswith(message.body)
    else:
        assert message.encode() == data


@pytest.mark.parametrize("name", FILES)
def test_in_a_stream(name):
    data = (FOLDER / f"{name}.dat").read_bytes()
    if name == "dblreq":
        data = data[:300]
    framer = MessageFramer()
    if name in BREAK_A_STREAM:
        with pytest.raises(FramingError) as caught:
            framer.feed(data)
        assert caught.value.code == BREAK_A_STREAM[name]
        assert parse_message(caught.value.head).via is not None
    elif name in UNFINISHED_IN_A_STREAM:
        assert framer.feed(data) == [] and framer.pending
    else:
        assert framer.feed(data) == [data]
        assert not framer.pending


class TestValid:
    """RFC 4475 3.1.1: what is in them is understood."""

    def test_wsinv(self):
        request = load("wsinv")
        assert [str(via.transport) for via in request.vias] == ["UDP", "TCP", "UDP"]
        assert [via.host for via in request.vias] == ["192.0.2.2", "spindle.example.com", "192.168.255.111"]
        assert request.vias[1].branch == "z9hG4bK9ikj8" and request.vias[2].branch == "z9hG4bK30239"
        assert request.max_forwards == 68 and request.cseq.number == 9 and request.cseq.method == "INVITE"
        assert request.from_header.display_name == 'J Rosenberg \\"' and request.from_header.tag == "98asjd8"
        assert request.to_header.tag == "1918181833n"
        assert request.subject == "" and request.content_type == "application/sdp"
        contact = request.contact[0]
        assert contact.display_name == 'Quoted string ""' and contact.q == 0.33
        assert contact.parameters["newparam"] == "newvalue" and "secondparam" in contact.parameters
        assert request.headers.get("NewFangledHeader") == "newfangled value continued newfangled value"
        assert request.headers.get("UnknownHeaderWithUnusualValue") == ";;,,;;,;"
        assert request.route[0].is_loose and request.route[0].uri.parameters["unknown-no-value"] is None

    def test_intmeth(self):
        request = load("intmeth")
        assert request.method == "!interesting-Method0123456789_*+`.%indeed'~"
        assert request.to_header.display_name == "BEL:\a NUL:\0 DEL:\x7f"
        assert request.from_header.display_name == "token1~` token2'+_ token3*%!.-"
        assert request.from_header.tag == "_token~1'+`*%!-."
        assert request.from_header.parameters.text("fromParam''~+*_!.-%") == "работающий"
        assert request.headers.get("extensionHeader-!.%*+_`'~") == "\ufeff大停電"
        assert refuse_method(request, ["INVITE"]).code == 501

    def test_esc01(self):
        request = load("esc01")
        assert request.request_uri.username == "sips:user@example.com"
        assert request.to_header.uri.matches("sip:user@example.com")
        assert request.contact[0].uri.matches("sip:caller@host5.example.net")
        assert "lr" in request.contact[0].uri.parameters
        assert "%6C%72" in str(request.contact[0].uri)

    def test_escnull(self):
        request = load("escnull")
        users = [contact.uri.user for contact in request.contact]
        assert users == ["%00", "%00%00"] and request.contact[0].uri != request.contact[1].uri

    def test_esc02(self):
        request = load("esc02")
        assert request.method == "RE%47IST%45R"
        assert refuse_method(request, ["REGISTER"]).code == 501
        assert request.to_header.display_name == "%Z%45"
        assert [contact.uri.user for contact in request.contact] == ["alias1", "alias3"]

    def test_longreq(self):
        request = load("longreq")
        assert len(request.vias) == 34 and len(request.to_header.uri.parameters) == 3
        assert len(request.call_id) > 100

    def test_dblreq(self):
        request = load("dblreq")
        assert request.method == "REGISTER" and request.body == b""

    def test_semiuri(self):
        request = load("semiuri")
        assert request.request_uri.user == "user;par=u%40example.net"
        assert not request.request_uri.parameters
        assert [accept.content_type for accept in request.headers.all(FrozenAcceptHeader)] == [
            "application/sdp",
            "application/pkcs7-mime",
            "multipart/mixed",
            "multipart/signed",
            "message/sip",
            "message/sipfrag",
        ]

    def test_transports(self):
        assert [via.transport for via in load("transports").vias] == ["UDP", "SCTP", "TLS", "UNKNOWN", "TCP"]

    def test_unreason(self):
        assert load("unreason").reason == "= 2**3 * 5**2 но сто девяносто девять - простое"
        assert load("noreason").reason == ""


class TestTransactionLayer:
    def test_badbranch_is_one_of_rfc_2543(self):
        assert not load("badbranch").via.is_unique
        assert load("lwsdisp").via.is_unique and not load("inv2543").via.is_unique


class TestApplicationLayer:
    """RFC 4475 3.3: the steps of RFC 3261 8.2 that need to know what the user agent is able to do."""

    def test_bext01(self):
        refusal = refuse_extensions(load("bext01"), {"timer"})
        assert refusal.code == 420
        assert refusal.headers == (("Unsupported", "nothingSupportsThis, nothingSupportsThisEither"),)
        assert refuse_extensions(load("bext01"), {"nothingsupportsthis", "nothingsupportsthiseither"}) is None

    def test_invut(self):
        refusal = refuse_content(load("invut"), ["application/sdp"])
        assert refusal.code == 415 and refusal.headers == (("Accept", "application/sdp"),)
        assert refuse_content(load("invut"), ["application/*"]) is None

    def test_sdp01(self):
        assert refuse_accept(load("sdp01")).code == 406
        assert refuse_accept(load("semiuri")) is None and refuse_accept(load("wsinv")) is None

    def test_unksm2(self):
        assert refuse_registration(load("unksm2")).code == 400
        assert refuse_registration(load("cparam01")) is None

    def test_parameters_of_contacts(self):
        outside, inside = load("cparam01").contact[0], load("cparam02").contact[0]
        assert "unknownparam" in outside.parameters and not outside.uri.parameters
        assert "unknownparam" in inside.uri.parameters and not inside.parameters
        assert load("regescrt").contact[0].uri.headers["route"] == "%3Csip:sip.example.com%3E"

    def test_zeromf(self):
        assert load("zeromf").max_forwards == 0


def test_inv2543():
    """RFC 4475 3.4: no branch cookie, no Max-Forwards, no tags."""
    request = load("inv2543")
    assert request.max_forwards is None and request.from_header.tag is None
    assert FrozenSDPSession.parse(request.body).media[0].port == 49217
