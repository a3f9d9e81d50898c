"""Dialogs: how they are made, what they send and where, and what they take (RFC 3261 12)."""

from __future__ import annotations

import pytest

from sipsimple.core.protocol.dialog import Dialog, DialogState, hop_towards
from sipsimple.core.protocol.hop import Hop
from sipsimple.core.wire.headers import FrozenContactHeader
from sipsimple.core.wire.message import SIPRequest, SIPResponse, make_response
from sipsimple.core.wire.parser import parse_message
from sipsimple.core.wire.uri import FrozenSIPURI

SOURCE = Hop("udp", "10.0.0.9", 5060)
OUR_CONTACT = FrozenContactHeader(FrozenSIPURI("10.0.0.2", user="bob", port=5060))


def invite(*extra: str) -> SIPRequest:
    lines = [
        "INVITE sip:bob@example.com SIP/2.0",
        "Via: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bKx",
        *extra,
        "Max-Forwards: 70",
        'From: "Alice" <sip:alice@example.com>;tag=from-tag',
        "To: <sip:bob@example.com>",
        "Call-ID: call@example.com",
        "CSeq: 7 INVITE",
        "Content-Length: 0",
        "",
        "",
    ]
    message = parse_message("\r\n".join(lines).encode())
    assert isinstance(message, SIPRequest)
    return message


CONTACT = "Contact: <sip:alice@10.0.0.1:5062>"
RECORDED = ("Record-Route: <sip:10.0.0.9;lr>", "Record-Route: <sip:10.0.0.8;lr>")


def as_callee(*extra: str) -> Dialog:
    return Dialog.from_request(invite(*(extra or (CONTACT,))), "to-tag", OUR_CONTACT, SOURCE)


def as_caller(code: int = 200, *record_route: str) -> Dialog:
    request = invite(CONTACT)
    headers = [("Contact", "<sip:bob@10.0.0.2>"), *(("Record-Route", route) for route in record_route)]
    response = make_response(request, code, None, "to-tag", headers)
    return Dialog.from_response(request, response, OUR_CONTACT, SOURCE)


def test_the_callee_s_dialog() -> None:
    """RFC 3261 12.1.1: ids, target, CSeq and the route set in the order of the request."""
    dialog = as_callee(CONTACT, *RECORDED)
    assert dialog.id == ("call@example.com", "to-tag", "from-tag")
    assert str(dialog.remote_target) == "sip:alice@10.0.0.1:5062"
    assert (dialog.remote_cseq, dialog.local_cseq) == (7, None)
    assert [route.uri.host for route in dialog.route_set] == ["10.0.0.9", "10.0.0.8"]
    assert dialog.state is DialogState.EARLY


def test_the_caller_s_dialog() -> None:
    """RFC 3261 12.1.2: the route set is the response's Record-Route in reverse."""
    dialog = as_caller(200, "<sip:10.0.0.9;lr>", "<sip:10.0.0.8;lr>")
    assert dialog.id == ("call@example.com", "from-tag", "to-tag")
    assert [route.uri.host for route in dialog.route_set] == ["10.0.0.8", "10.0.0.9"]
    assert (dialog.local_cseq, dialog.remote_cseq) == (7, None)
    assert dialog.state is DialogState.CONFIRMED
    assert as_caller(180).state is DialogState.EARLY


def test_an_invite_without_contact_makes_no_dialog() -> None:
    with pytest.raises(ValueError, match="without a Contact"):
        Dialog.from_request(invite(), "to-tag", OUR_CONTACT, SOURCE)


def test_contacts_and_routes_of_other_schemes_lead_nowhere() -> None:
    """RFC 3261 12.1.1: a Contact is a SIP or SIPS URI; tel: has no host to send anything to."""
    with pytest.raises(ValueError, match="SIP URI"):
        as_callee("Contact: <tel:+31201234567>")
    dialog = as_callee(CONTACT, "Record-Route: <tel:+31201234567>, <sip:10.0.0.8;lr>")
    assert [str(route.uri) for route in dialog.route_set] == ["sip:10.0.0.8;lr"]
    response = make_response(invite(CONTACT), 200, None, "to-tag", [("Contact", "<tel:+31201234567>")])
    dialog.refresh_target(response, "INVITE")
    assert str(dialog.remote_target) == "sip:alice@10.0.0.1:5062"
    caller = Dialog.from_response(invite(CONTACT), response, OUR_CONTACT, SOURCE)
    assert str(caller.remote_target) == "sip:bob@example.com"


def test_a_2xx_without_contact_still_can_be_acknowledged() -> None:
    request = invite(CONTACT)
    dialog = Dialog.from_response(request, make_response(request, 200, None, "to-tag"), OUR_CONTACT, SOURCE)
    assert str(dialog.remote_target) == "sip:bob@example.com"
    assert dialog.next_hop() == SOURCE


def test_requests_are_numbered_and_addressed() -> None:
    """RFC 3261 12.2.1.1: CSeq grows by one, From and To carry the tags, the target is the Request-URI."""
    dialog = as_callee()
    numbers = []
    for method in ("INVITE", "BYE"):
        request = dialog.create_request(method)
        numbers.append(request.cseq.number)
        assert str(request.request_uri) == "sip:alice@10.0.0.1:5062"
        assert (request.from_header.tag, request.to_header.tag) == ("to-tag", "from-tag")
        assert request.to_header.display_name == "Alice"
        assert (request.call_id, request.max_forwards) == ("call@example.com", 70)
        assert bool(request.contact) is (method == "INVITE")
        assert isinstance(parse_message(request.encode()), SIPRequest)
    assert numbers == [1, 2]
    assert dialog.create_ack(7).cseq.number == 7


def test_loose_and_strict_routes() -> None:
    """RFC 3261 12.2.1.1: a strict router takes the Request-URI, the target goes to the end of the routes."""
    request = as_callee(CONTACT, *RECORDED).create_request("BYE")
    assert str(request.request_uri) == "sip:alice@10.0.0.1:5062"
    assert [route.uri.host for route in request.route] == ["10.0.0.9", "10.0.0.8"]
    request = as_callee(CONTACT, "Record-Route: <sip:10.0.0.9>").create_request("BYE")
    assert str(request.request_uri) == "sip:10.0.0.9"
    assert [str(route.uri) for route in request.route] == ["sip:alice@10.0.0.1:5062"]


def test_where_requests_go() -> None:
    """RFC 3261 8.1.2: to the first route, otherwise to the target; a name stays with the hop of the beginning."""
    assert as_callee(CONTACT, *RECORDED).next_hop() == Hop("udp", "10.0.0.9", 5060)
    assert as_callee().next_hop() == Hop("udp", "10.0.0.1", 5062)
    assert as_callee("Contact: <sip:alice@pc.example.com>").next_hop() == SOURCE


@pytest.mark.parametrize(
    ("uri", "hop"),
    [
        ("sip:10.0.0.1", Hop("udp", "10.0.0.1", 5060)),
        ("sip:10.0.0.1;transport=TCP", Hop("tcp", "10.0.0.1", 5060)),
        ("sips:10.0.0.1", Hop("tls", "10.0.0.1", 5061)),
        ("sip:10.0.0.1;transport=tls", Hop("tls", "10.0.0.1", 5061)),
        ("sip:x@[2001:db8::1]:5070", Hop("udp", "2001:db8::1", 5070)),
        ("sip:example.com;maddr=10.0.0.3", Hop("udp", "10.0.0.3", 5060)),
        ("sip:example.com", None),
    ],
)
def test_the_hop_that_a_uri_names(uri: str, hop: Hop | None) -> None:
    assert hop_towards(FrozenSIPURI.parse(uri)) == hop


def test_requests_out_of_order_are_told() -> None:
    """RFC 3261 12.2.2: a CSeq number that is not greater than the last is out of order."""
    dialog = as_callee()
    request = invite(CONTACT)
    assert not dialog.receive_request(request)
    request.headers.set("CSeq", "8 BYE")
    later = parse_message(request.encode())
    assert isinstance(later, SIPRequest)
    assert dialog.receive_request(later) and not dialog.receive_request(later)


def test_the_target_follows_the_contact() -> None:
    """RFC 3261 12.2.2: only target refresh requests move the target."""
    dialog = as_callee()
    moved = invite("Contact: <sip:alice@10.0.0.77>")
    dialog.refresh_target(moved, "BYE")
    assert dialog.remote_target.host == "10.0.0.1"
    dialog.refresh_target(moved, "INVITE")
    assert dialog.remote_target.host == "10.0.0.77"


def test_a_2xx_confirms_an_early_dialog_and_its_routes() -> None:
    """RFC 3261 13.2.2.4: the route set is made anew from the 2xx."""
    dialog = as_caller(180)
    response = make_response(
        invite(CONTACT), 200, None, "to-tag", [("Contact", "<sip:bob@10.0.0.3>"), ("Record-Route", "<sip:10.0.0.8;lr>")]
    )
    assert isinstance(response, SIPResponse)
    dialog.confirm(response)
    assert dialog.state is DialogState.CONFIRMED
    assert (dialog.remote_target.host, dialog.route_set[0].uri.host) == ("10.0.0.3", "10.0.0.8")


def test_a_caller_of_before_rfc_3261_owes_no_contact() -> None:
    """RFC 3261 17.2.3, RFC 2543: without the branch's cookie an INVITE may lack a Contact; the dialog leads to From."""
    message = parse_message(invite().encode().replace(b"branch=z9hG4bKx", b"branch=1"))
    assert isinstance(message, SIPRequest)
    dialog = Dialog.from_request(message, "to-tag", OUR_CONTACT, SOURCE)
    assert str(dialog.remote_target) == "sip:alice@example.com"
    assert dialog.next_hop() == SOURCE
