"""The transaction layer: whose message is whose, and what becomes of those that are nobody's."""

import logging

import pytest

from sipsimple.core.protocol.hop import Hop
from sipsimple.core.protocol.timers import TimerHeap
from sipsimple.core.protocol.transaction import State
from sipsimple.core.protocol.transaction_layer import TransactionLayer, TransactionLimitError
from sipsimple.core.wire.message import SIPRequest, SIPResponse, make_response
from sipsimple.core.wire.parser import parse_message

PEER = Hop("udp", "192.0.2.9", 5060)
TCP_PEER = Hop("tcp", "192.0.2.9", 40000)
OURS = ("192.0.2.1", 5060)


class Agent:
    """A transaction layer with its user; it records what is sent and told, and answers as it is told to."""

    def __init__(self, **limits):
        self.timers = TimerHeap()
        self.sent = []
        self.requests = []
        self.told = []
        self.strays = []
        self.answers = {}
        self.connected = {TCP_PEER}
        self.layer = TransactionLayer(
            self.timers,
            self.send,
            self,
            lambda hop: OURS,
            stray_success=lambda response, source, now: self.strays.append(response.code),
            is_connected=lambda hop: hop in self.connected,
            **limits,
        )

    def send(self, data, hop):
        self.sent.append((parse_message(data), hop))

    def receive(self, message, source=PEER, now=0.0):
        """Let a message in as octets; returns the messages that were sent meanwhile."""
        before = len(self.sent)
        data = message if isinstance(message, bytes) else message.encode()
        self.layer.message_received(parse_message(data), source, now)
        return [message for message, hop in self.sent[before:]]

    def run(self, until):
        while (deadline := self.timers.next_deadline()) is not None and deadline <= until:
            self.timers.run_due(deadline)

    @property
    def codes(self):
        return [message.code for message, hop in self.sent if isinstance(message, SIPResponse)]

    def request_received(self, request, transaction, source, now):
        self.requests.append((request, transaction, source))
        if transaction is not None:
            transaction.user = self
            code = self.answers.get(request.method)
            if code is not None:
                transaction.respond(make_response(request, code, to_tag="b1"), now)

    def response_received(self, transaction, response, now):
        self.told.append(response.code)

    def cancel_received(self, transaction, request, now):
        self.told.append(("cancel", transaction, request.headers.get("Reason")))

    def transaction_timed_out(self, transaction, now):
        self.told.append("timeout")

    def transport_failed(self, transaction, error, now):
        self.told.append(f"failed: {error}")

    def transaction_terminated(self, transaction, now):
        self.told.append("terminated")


def make_request(
    method="OPTIONS", branch="z9hG4bKx1", *, cseq=1, sent_by="192.0.2.9:5060", to_tag="", call_id="c1", extra=(), **via
):
    parameters = "".join(f";{name}" if value is None else f";{name}={value}" for name, value in via.items())
    branch = f";branch={branch}" if branch else ""
    headers = [
        ("Via", f"SIP/2.0/UDP {sent_by}{branch}{parameters}"),
        ("Max-Forwards", "70"),
        ("From", "<sip:alice@example.com>;tag=a1"),
        ("To", "<sip:bob@example.com>" + (to_tag and f";tag={to_tag}")),
        ("Call-ID", call_id),
        ("CSeq", f"{cseq} {method}"),
        ("Contact", "<sip:alice@192.0.2.9>"),
        *extra,
    ]
    return SIPRequest(method, "sip:bob@192.0.2.1", headers)


@pytest.fixture
def agent():
    return Agent()


# Requests and their repetitions (17.2.3)


@pytest.mark.parametrize("method", ["OPTIONS", "INVITE"])
def test_a_new_request_goes_up_once_and_its_repetition_gets_the_response_again(agent, method):
    agent.answers[method] = 486
    agent.receive(make_request(method))
    agent.receive(make_request(method), now=0.1)
    assert [request.method for request, transaction, source in agent.requests] == [method]
    assert agent.codes == [486, 486]


@pytest.mark.parametrize(
    "other",
    [
        make_request(branch="z9hG4bKx2", call_id="c2"),
        make_request(sent_by="192.0.2.10:5060", call_id="c2"),
        make_request(sent_by="192.0.2.9:5070", call_id="c2"),
        make_request("MESSAGE", call_id="c2"),
    ],
    ids=["branch", "host", "port", "method"],
)
def test_a_request_that_differs_in_branch_sent_by_or_method_is_another_transaction(agent, other):
    agent.receive(make_request())
    agent.receive(other)
    first, second = (transaction for request, transaction, source in agent.requests)
    assert first is not second
    assert agent.layer.server_transactions == 2


def test_the_host_of_sent_by_has_no_case_and_5060_is_the_default_port(agent):
    agent.receive(make_request(sent_by="Alice.Example.COM"))
    agent.receive(make_request(sent_by="alice.example.com:5060"))
    assert len(agent.requests) == 1


@pytest.mark.parametrize("branch", ["", "1", "z9hG4bK"], ids=["none", "old", "cookie only"])
def test_without_a_unique_branch_the_rules_of_rfc_2543_hold(agent, branch):
    agent.answers["INVITE"] = 486
    agent.receive(make_request("INVITE", branch))
    agent.receive(make_request("INVITE", branch))
    assert agent.codes == [486, 486]
    agent.receive(make_request("INVITE", branch, cseq=2))
    agent.receive(make_request("INVITE", branch, call_id="c2"))
    assert len(agent.requests) == 3
    transaction = agent.requests[0][1]
    agent.receive(make_request("ACK", branch, to_tag="other"))
    assert transaction.state is State.COMPLETED
    agent.receive(make_request("ACK", branch, to_tag="b1"))
    assert transaction.state is State.CONFIRMED


def test_a_request_within_a_dialog_of_an_rfc_2543_client_is_acknowledged_with_its_own_tag(agent):
    agent.answers["INVITE"] = 486
    agent.receive(make_request("INVITE", "1", to_tag="b1"))
    agent.receive(make_request("ACK", "1", to_tag="b1"))
    assert agent.requests[0][1].state is State.CONFIRMED
    assert len(agent.requests) == 1


# ACK (17.2.3, 13.3.1.4)


def test_the_ack_to_a_refusal_stays_in_the_layer(agent):
    agent.answers["INVITE"] = 486
    agent.receive(make_request("INVITE"))
    agent.receive(make_request("ACK", to_tag="b1"))
    agent.receive(make_request("ACK", to_tag="b1"))
    assert len(agent.requests) == 1
    assert agent.requests[0][1].state is State.CONFIRMED


@pytest.mark.parametrize("branch", ["z9hG4bKx1", "z9hG4bKack"], ids=["same branch", "own branch"])
def test_the_ack_to_a_2xx_goes_up_without_transaction(agent, branch):
    agent.answers["INVITE"] = 200
    agent.receive(make_request("INVITE"))
    assert agent.receive(make_request("ACK", branch, to_tag="b1")) == []
    request, transaction, source = agent.requests[1]
    assert (request.method, transaction, source) == ("ACK", None, PEER)


def test_an_ack_to_nothing_goes_up_without_transaction(agent):
    assert agent.receive(make_request("ACK", to_tag="b1")) == []
    assert agent.requests[0][1] is None


def test_an_ack_that_is_not_valid_is_dropped_without_answer(agent, caplog):
    ack = make_request("ACK")
    ack.headers.remove("Call-ID")
    assert agent.receive(ack) == []
    assert agent.requests == []
    assert len(caplog.records) == 1


# CANCEL (9.2)


@pytest.mark.parametrize("branch", ["z9hG4bKx1", "1"], ids=["rfc 3261", "rfc 2543"])
def test_cancel_is_answered_and_told_to_the_user_of_its_invite(agent, branch):
    agent.answers["INVITE"] = 180
    agent.receive(make_request("INVITE", branch))
    invite = agent.requests[0][1]
    reason = 'SIP;cause=200;text="elsewhere"'
    [response] = agent.receive(make_request("CANCEL", branch, extra=[("Reason", reason)]))
    assert (response.code, response.cseq.method) == (200, "CANCEL")
    assert response.to_header.tag == "b1"
    assert agent.told == [("cancel", invite, reason)]
    assert len(agent.requests) == 1


def test_a_repeated_cancel_is_answered_again_but_told_once(agent):
    agent.receive(make_request("INVITE"))
    agent.receive(make_request("CANCEL"))
    agent.receive(make_request("CANCEL"))
    assert agent.codes == [200, 200]
    assert len(agent.told) == 1
    first, second = (message for message, hop in agent.sent)
    assert first.to_header.tag
    assert first.to_header.tag == second.to_header.tag


def test_a_cancel_after_the_final_response_is_answered_and_has_no_effect(agent):
    agent.answers["INVITE"] = 200
    agent.receive(make_request("INVITE"))
    agent.receive(make_request("CANCEL"))
    assert agent.codes == [200, 200]
    assert agent.told == []


@pytest.mark.parametrize(
    "cancel", [make_request("CANCEL", "z9hG4bKother"), make_request("CANCEL", sent_by="192.0.2.66:5060")]
)
def test_a_cancel_of_nothing_gets_481(agent, cancel):
    agent.receive(make_request("INVITE"))
    [response] = agent.receive(cancel)
    assert response.code == 481
    assert agent.told == []


def test_a_cancel_of_something_else_than_an_invite_has_no_effect(agent):
    agent.receive(make_request("OPTIONS"))
    [response] = agent.receive(make_request("CANCEL"))
    assert response.code == 481
    assert agent.told == []


# Merged requests (8.2.2.2)


@pytest.mark.parametrize("method", ["OPTIONS", "INVITE"])
def test_a_copy_that_came_by_another_way_gets_482(agent, method):
    agent.receive(make_request(method))
    [response] = agent.receive(make_request(method, "z9hG4bKother"))
    assert response.code == 482
    assert response.to_header.tag
    assert len(agent.requests) == 1
    # the copy is a transaction too: its repetition gets the same
    [again] = agent.receive(make_request(method, "z9hG4bKother"))
    assert again.encode() == response.encode()


def test_the_482_to_a_copied_invite_waits_for_its_ack(agent):
    agent.receive(make_request("INVITE"))
    agent.receive(make_request("INVITE", "z9hG4bKother"))
    agent.receive(make_request("ACK", "z9hG4bKother"))
    assert len(agent.requests) == 1
    agent.run(3.0)
    assert agent.codes == [482, 100]


@pytest.mark.parametrize(
    "other",
    [
        make_request(branch="z9hG4bKother", cseq=2),
        make_request(branch="z9hG4bKother", call_id="c2"),
        make_request("MESSAGE", branch="z9hG4bKother"),
    ],
    ids=["cseq", "call-id", "method"],
)
def test_a_request_that_is_no_copy_is_served(agent, other):
    agent.receive(make_request())
    assert agent.receive(other) == []
    assert len(agent.requests) == 2


def test_requests_within_a_dialog_are_never_copies(agent):
    agent.receive(make_request(to_tag="b1"))
    agent.receive(make_request(to_tag="b1", branch="z9hG4bKother"))
    assert len(agent.requests) == 2


def test_when_the_first_is_over_another_may_come(agent):
    agent.answers["OPTIONS"] = 200
    agent.receive(make_request())
    agent.run(100.0)
    agent.receive(make_request(branch="z9hG4bKother"), now=100.0)
    assert len(agent.requests) == 2
    assert agent.codes == [200, 200]


# What the top Via gets, and where responses go (18.2, RFC 3581)


@pytest.mark.parametrize(
    ("sent_by", "via", "source", "expected", "port"),
    [
        ("192.0.2.9:5060", {}, PEER, "SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKx1", 5060),
        ("192.0.2.9:5070", {}, PEER, "SIP/2.0/UDP 192.0.2.9:5070;branch=z9hG4bKx1", 5070),
        (
            "10.0.0.1:5070",
            {},
            PEER,
            "SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bKx1;received=192.0.2.9",
            5070,
        ),
        ("alice.example.com", {}, PEER, "SIP/2.0/UDP alice.example.com:5060;branch=z9hG4bKx1;received=192.0.2.9", 5060),
        (
            "10.0.0.1:5070",
            {"rport": None},
            PEER._replace(port=61234),
            "SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bKx1;rport=61234;received=192.0.2.9",
            61234,
        ),
        (
            "192.0.2.9:5060",
            {"rport": "1", "received": "192.0.2.66"},
            PEER._replace(port=61234),
            "SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bKx1;rport=61234;received=192.0.2.9",
            61234,
        ),
        (
            "[2001:DB8::9]:5060",
            {},
            Hop("udp", "2001:db8:0::9", 5060),
            "SIP/2.0/UDP [2001:DB8::9]:5060;branch=z9hG4bKx1",
            5060,
        ),
    ],
)
def test_where_a_udp_request_came_from_is_noted_and_where_its_response_goes(
    agent, sent_by, via, source, expected, port
):
    agent.answers["OPTIONS"] = 200
    [response] = agent.receive(make_request(sent_by=sent_by, **via), source)
    assert response.headers.get("Via") == expected
    assert agent.sent[-1][1] == Hop("udp", source.host, port)
    assert agent.requests[0][2] == source


def test_only_the_top_via_is_written_to(agent):
    agent.answers["OPTIONS"] = 200
    request = make_request(sent_by="proxy.example.com")
    request.headers.set("Via", request.headers.get("Via") + ", SIP/2.0/TCP 10.0.0.7;branch=z9hG4bKold")
    [response] = agent.receive(request)
    assert [via.host for via in response.vias] == ["proxy.example.com", "10.0.0.7"]
    assert [via.received for via in response.vias] == ["192.0.2.9", None]


@pytest.mark.parametrize(
    ("maddr", "host"), [("224.2.0.1", "224.2.0.1"), ("203.0.113.5", PEER.host), ("victim.example.com", PEER.host)]
)
def test_maddr_is_followed_to_multicast_groups_only(agent, maddr, host):
    agent.answers["OPTIONS"] = 200
    agent.receive(make_request(maddr=maddr))
    assert agent.sent[-1][1] == Hop("udp", host, 5060)


def test_a_response_over_tcp_takes_the_connection_of_its_request_while_there_is_one(agent):
    agent.receive(make_request("INVITE", sent_by="192.0.2.9:5062"), TCP_PEER)
    request, transaction, _source = agent.requests[0]
    transaction.respond(make_response(request, 180), 0.0)
    agent.connected.clear()
    transaction.respond(make_response(request, 183), 0.0)
    assert [hop for message, hop in agent.sent] == [TCP_PEER, Hop("tcp", "192.0.2.9", 5062)]
    # that connection can't be made either: now the user is told
    agent.layer.transport_error(Hop("tcp", "192.0.2.9", 5062), OSError("refused"), 0.0)
    assert agent.told == ["failed: refused"]


# What is not valid


def test_a_request_that_is_not_valid_is_answered_without_transaction(agent, caplog):
    request = make_request(rport=None, sent_by="10.0.0.1")
    request.headers.remove("Call-ID")
    [response] = agent.receive(request, PEER._replace(port=6000))
    assert response.code == 400
    assert response.to_header.tag
    assert agent.sent[-1][1] == PEER._replace(port=6000)
    assert agent.layer.server_transactions == 0
    assert agent.requests == []
    assert len(caplog.records) == 1
    [again] = agent.receive(request, PEER._replace(port=6000))
    assert again.to_header.tag == response.to_header.tag


def test_a_malformed_header_of_an_rfc_2543_client_is_answered(agent):
    request = make_request(branch="1")
    request.headers.set("From", "<<<")
    [response] = agent.receive(request)
    assert response.code == 400


@pytest.mark.parametrize(
    "data",
    [
        b"OPTIONS sip:bob@192.0.2.1 SIP/2.0\r\nCall-ID: c1\r\nCSeq: 1 OPTIONS\r\n\r\n",
        b"OPTIONS sip:bob@192.0.2.1 SIP/2.0\r\nVia: nonsense\r\nCall-ID: c1\r\nCSeq: 1 OPTIONS\r\n\r\n",
    ],
    ids=["no Via", "malformed Via"],
)
def test_what_can_not_be_answered_is_dropped_with_one_line(agent, caplog, data):
    assert agent.receive(data) == []
    assert agent.requests == []
    assert [record.levelname for record in caplog.records] == ["WARNING"]


def test_the_log_of_what_is_dropped_is_bounded(agent, caplog):
    data = b"OPTIONS sip:bob@192.0.2.1 SIP/2.0\r\nCall-ID: c1\r\n\r\n"
    for _ in range(500):
        agent.receive(data, now=1.0)
    assert len(caplog.records) == 20
    agent.receive(data, now=50.0)
    assert [record.getMessage() for record in caplog.records][20:] == [
        "480 more messages were dropped",
        "Dropped a request without Via from udp:192.0.2.9:5060",
    ]


def test_a_user_that_fails_costs_a_500_and_nothing_else(agent, caplog):
    agent.request_received = lambda request, transaction, source, now: 1 / 0
    [response] = agent.receive(make_request("INVITE"))
    assert response.code == 500
    assert [record.levelname for record in caplog.records] == ["ERROR"]
    assert agent.receive(make_request("ACK", "z9hG4bKother")) == []


# Bounds


def test_one_request_too_many_gets_503_with_retry_after(caplog):
    agent = Agent(max_server_transactions=2)
    agent.receive(make_request("INVITE", "z9hG4bK1", call_id="c1"))
    agent.receive(make_request("OPTIONS", "z9hG4bK2", call_id="c2"))
    [response] = agent.receive(make_request("OPTIONS", "z9hG4bK3", call_id="c3"))
    assert response.code == 503
    assert response.headers.get("Retry-After") == "10"
    assert agent.layer.server_transactions == 2
    # room again, as soon as one is answered
    request, transaction, _source = agent.requests[1]
    transaction.respond(make_response(request, 200), 0.0)
    agent.receive(make_request("OPTIONS", "z9hG4bK3", call_id="c3"))
    assert len(agent.requests) == 3


def test_answered_requests_are_forgotten_early_when_there_are_many():
    agent = Agent(max_lingering_transactions=100)
    agent.answers = {"OPTIONS": 200, "INVITE": 200}
    for n in range(1000):
        agent.receive(make_request(("OPTIONS", "INVITE")[n % 2], f"z9hG4bK{n}", call_id=f"c{n}"))
    assert agent.layer.server_transactions == 100
    assert agent.told.count("terminated") == 900
    assert len(agent.layer._served) == 100
    # the last hundred are still known
    agent.receive(make_request("INVITE", "z9hG4bK999", call_id="c999"))
    assert len(agent.requests) == 1000


def test_one_client_transaction_too_many_is_a_named_error():
    agent = Agent(max_client_transactions=2)
    for _ in range(2):
        transaction = agent.layer.send_request(make_request(), PEER, agent, 0.0)
    with pytest.raises(TransactionLimitError, match="2 client transactions") as caught:
        agent.layer.send_request(make_request(), PEER, agent, 0.0)
    assert caught.value.code == 503
    agent.receive(make_response(transaction.request, 200))
    agent.layer.send_request(make_request(), PEER, agent, 0.0)
    assert agent.layer.client_transactions == 3


def test_nothing_is_left_when_all_is_over():
    agent = Agent()
    agent.answers = {"OPTIONS": 200, "INVITE": 486, "MESSAGE": 180}
    for hop in (PEER, TCP_PEER):
        for method in ("OPTIONS", "INVITE", "MESSAGE", "BYE"):
            agent.receive(make_request(method, f"z9hG4bK{method}{hop.transport}", call_id=hop.transport), hop)
            agent.layer.send_request(make_request(method), hop, agent, 0.0)
    agent.run(1000.0)
    layer = agent.layer
    assert layer.server_transactions == layer.client_transactions == 0
    assert not layer._served
    assert not layer._by_hop
    assert not layer._lingering_clients
    assert not layer._lingering_servers
    assert len(agent.timers) == 0
    assert agent.told.count("terminated") == 16


# Our requests (17.1.3, 18.1)


def test_a_request_gets_our_via_with_a_new_branch_in_place_of_any_other(agent):
    request = make_request(branch="z9hG4bKold")
    first = agent.layer.send_request(request, PEER, agent, 0.0)
    second = agent.layer.send_request(request, PEER, agent, 0.0)
    assert first.branch != second.branch
    sent = agent.sent[0][0]
    assert next(iter(sent.headers))[0] == "Via"
    assert sent.headers.getall("Via") == [f"SIP/2.0/UDP 192.0.2.1:5060;branch={first.branch};rport"]
    assert agent.sent[0][1] == PEER
    assert sent.via.is_unique


def test_the_via_of_an_ipv6_address_has_brackets():
    agent = Agent()
    agent.layer._sent_by = lambda hop: ("2001:db8::1", 5070)
    agent.layer.send_request(make_request(), Hop("tls", "2001:db8::9", 5061), agent, 0.0)
    assert agent.sent[0][0].headers.get("Via").startswith("SIP/2.0/TLS [2001:db8::1]:5070;branch=")


@pytest.mark.parametrize("method", ["ACK", "CANCEL"])
def test_ack_and_cancel_are_not_sent_as_requests(agent, method):
    with pytest.raises(ValueError, match=method):
        agent.layer.send_request(make_request(method), PEER, agent, 0.0)


def test_a_response_goes_to_the_transaction_of_its_branch_and_method(agent):
    first = agent.layer.send_request(make_request(), PEER, agent, 0.0)
    second = agent.layer.send_request(make_request(), PEER, agent, 0.0)
    agent.receive(make_response(second.request, 404))
    assert (first.state, second.state) == (State.TRYING, State.COMPLETED)
    assert agent.told == [404]


def other_branch(response):
    response.headers.set("Via", "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKother")


def other_method(response):
    response.headers.set("CSeq", "1 MESSAGE")


def other_sent_by(response):
    response.headers.set("Via", response.headers.get("Via").replace("192.0.2.1", "192.0.2.2"))


def second_via(response):
    response.headers.add("Via", "SIP/2.0/UDP 192.0.2.77;branch=z9hG4bKproxy")


def no_cseq(response):
    response.headers.remove("CSeq")


def no_via(response):
    response.headers.remove("Via")


@pytest.mark.parametrize("spoil", [other_branch, other_method, other_sent_by, second_via, no_cseq, no_via])
def test_a_response_that_is_not_ours_is_dropped_with_one_line(agent, spoil, caplog):
    transaction = agent.layer.send_request(make_request(), PEER, agent, 0.0)
    response = make_response(transaction.request, 200)
    spoil(response)
    with caplog.at_level(logging.INFO):
        agent.receive(response)
    assert agent.told == []
    assert transaction.state is State.TRYING
    assert len(caplog.records) == 1


def test_every_2xx_goes_up_and_those_after_the_transaction_as_strays(agent):
    transaction = agent.layer.send_request(make_request("INVITE"), PEER, agent, 0.0)
    response = make_response(transaction.request, 200, to_tag="b1")
    agent.receive(response, now=1.0)
    agent.receive(response, now=1.5)
    agent.receive(make_response(transaction.request, 200, to_tag="b2"), now=2.0)
    assert agent.told == [200, 200, 200]
    agent.run(100.0)
    agent.receive(response, now=100.0)
    assert agent.told == [200, 200, 200, "terminated"]
    assert agent.strays == [200]


@pytest.mark.parametrize(("method", "code"), [("INVITE", 486), ("INVITE", 180), ("OPTIONS", 200)])
def test_other_stray_responses_are_dropped(agent, method, code):
    response = make_response(make_request(method, sent_by="192.0.2.1:5060"), code)
    agent.receive(response)
    assert agent.strays == agent.told == agent.sent == []


def test_the_cancel_of_our_invite_has_its_branch_and_its_own_transaction(agent):
    invite = agent.layer.send_request(make_request("INVITE"), PEER, agent, 0.0)
    agent.receive(make_response(invite.request, 180))
    agent.layer.send_cancel(invite, 1.0)
    cancel = agent.sent[-1][0]
    assert cancel.method == "CANCEL"
    assert cancel.via == invite.request.via
    assert agent.layer.client_transactions == 2
    agent.receive(make_response(cancel, 200))
    agent.receive(make_response(invite.request, 487, to_tag="b1"))
    assert agent.sent[-1][0].method == "ACK"
    assert agent.told == [180, 487]
    agent.run(100.0)
    assert agent.layer.client_transactions == 0
    assert agent.told == [180, 487, "terminated"]


def test_a_cancel_that_crosses_the_2xx_does_no_harm(agent):
    invite = agent.layer.send_request(make_request("INVITE"), PEER, agent, 0.0)
    agent.receive(make_response(invite.request, 180))
    agent.layer.send_cancel(invite, 1.0)
    cancel = agent.sent[-1][0]
    agent.receive(make_response(invite.request, 200, to_tag="b1"), now=1.1)
    agent.receive(make_response(cancel, 481), now=1.2)
    assert agent.told == [180, 200]
    agent.run(100.0)
    assert agent.told == [180, 200, "terminated"]


def test_the_ack_to_a_2xx_is_sent_without_transaction_and_the_same_again(agent):
    ack = make_request("ACK", to_tag="b1")
    ack.headers.remove("Via")
    agent.layer.send_ack(ack, PEER, 0.0)
    agent.layer.send_ack(ack, PEER, 0.5)
    first, second = (message.encode() for message, hop in agent.sent)
    assert first == second
    assert agent.sent[0][0].via.is_unique
    assert agent.layer.client_transactions == 0


def test_an_ack_that_can_not_be_sent_is_logged(agent, caplog):
    agent.layer.send = lambda data, hop: 1 / 0
    agent.layer.send_ack(make_request("ACK"), PEER, 0.0)
    assert len(caplog.records) == 1


# Transport errors


def test_a_lost_connection_fails_the_requests_that_wait_for_something_over_it(agent):
    agent.layer.send_request(make_request(), TCP_PEER, agent, 0.0)
    ringing = agent.layer.send_request(make_request("INVITE"), TCP_PEER, agent, 0.0)
    agent.receive(make_response(ringing.request, 180), TCP_PEER)
    agent.layer.send_request(make_request(), Hop("tcp", "192.0.2.8", 5060), agent, 0.0)
    agent.layer.transport_error(TCP_PEER, OSError("reset"), 1.0)
    agent.layer.transport_error(TCP_PEER, OSError("reset"), 1.0)
    assert agent.told == [180, "failed: reset", "terminated"]
    assert agent.layer.client_transactions == 2


@pytest.mark.parametrize("method", ["OPTIONS", "INVITE"])
def test_a_hop_to_which_no_address_of_ours_leads_is_told_to_the_user_later(agent, method):
    agent.layer._sent_by = lambda hop: {}[hop.transport]
    agent.layer.send_request(make_request(method), TCP_PEER, agent, 0.0)
    assert agent.told == []
    agent.run(0.0)
    assert agent.told == ["failed: 'tcp'", "terminated"]
    assert agent.sent == []
    assert agent.layer.client_transactions == 0


def test_what_the_transport_raises_is_told_to_the_user_later(agent):
    agent.layer.send = lambda data, hop: (_ for _ in ()).throw(OSError("no route"))
    agent.layer.send_request(make_request(), PEER, agent, 0.0)
    assert agent.told == []
    agent.run(0.0)
    assert agent.told == ["failed: no route", "terminated"]
    assert agent.layer.client_transactions == 0
