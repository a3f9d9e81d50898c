"""The four transaction state machines: each state with each event, and the timers, on a clock of plain numbers."""

from functools import partial
from itertools import product

import pytest

from sipsimple.core.protocol.client_transaction import InviteClientTransaction, NonInviteClientTransaction
from sipsimple.core.protocol.hop import Hop
from sipsimple.core.protocol.server_transaction import InviteServerTransaction, NonInviteServerTransaction
from sipsimple.core.protocol.timers import TimerHeap, log_exception
from sipsimple.core.protocol.transaction import (
    INVITE_CLIENT,
    INVITE_SERVER,
    NON_INVITE_CLIENT,
    NON_INVITE_SERVER,
    Action,
    Event,
    State,
    TransactionStateError,
)
from sipsimple.core.wire.message import SIPRequest, SIPResponse, make_response

UDP = Hop("udp", "192.0.2.9", 5060)
TCP = Hop("tcp", "192.0.2.9", 5060)
OURS = ("192.0.2.1", 5060)
VIA = "SIP/2.0/UDP 192.0.2.1:5060;branch=z9hG4bKabc"

TABLES = {
    "INVITE client": INVITE_CLIENT,
    "non-INVITE client": NON_INVITE_CLIENT,
    "INVITE server": INVITE_SERVER,
    "non-INVITE server": NON_INVITE_SERVER,
}

# RFC 3261 figures 5 to 8 with RFC 6026, written down a second time: what is not here must raise.
EXPECTED = {
    "INVITE client": """
        Initial: request from TU > Calling; transport error > Terminated
        Calling: timer A > Calling; timer B > Terminated; transport error > Terminated
        Calling: 1xx > Proceeding; 2xx > Accepted; 300-699 > Completed
        Proceeding: 1xx > Proceeding; 2xx > Accepted; 300-699 > Completed
        Proceeding: transport error > Proceeding; timer after CANCEL > Terminated
        Completed: 300-699 > Completed; 1xx > Completed; 2xx > Completed
        Completed: transport error > Terminated; timer D > Terminated
        Accepted: 2xx > Accepted; 1xx > Accepted; 300-699 > Accepted; transport error > Accepted
        Accepted: timer M > Terminated
    """,
    "non-INVITE client": """
        Initial: request from TU > Trying; transport error > Terminated
        Trying: timer E > Trying; timer F > Terminated; transport error > Terminated
        Trying: 1xx > Proceeding; 200-699 > Completed
        Proceeding: timer E > Proceeding; timer F > Terminated; transport error > Terminated
        Proceeding: 1xx > Proceeding; 200-699 > Completed
        Completed: 1xx > Completed; 200-699 > Completed; transport error > Completed
        Completed: timer K > Terminated
    """,
    "INVITE server": """
        Initial: request > Proceeding
        Proceeding: request > Proceeding; ACK > Proceeding; timer for 100 > Proceeding
        Proceeding: 1xx from TU > Proceeding; 2xx from TU > Accepted; 300-699 from TU > Completed
        Proceeding: transport error > Proceeding
        Completed: request > Completed; timer G > Completed; ACK > Confirmed
        Completed: transport error > Completed; timer H > Terminated
        Confirmed: ACK > Confirmed; request > Confirmed; transport error > Confirmed
        Confirmed: timer I > Terminated
        Accepted: request > Accepted; ACK > Accepted; 2xx from TU > Accepted
        Accepted: transport error > Accepted; timer L > Terminated
    """,
    "non-INVITE server": """
        Initial: request > Trying
        Trying: request > Trying; transport error > Trying; timer for an answer > Terminated
        Trying: 1xx from TU > Proceeding; 200-699 from TU > Completed
        Proceeding: request > Proceeding; 1xx from TU > Proceeding; 200-699 from TU > Completed
        Proceeding: transport error > Terminated; timer for an answer > Terminated
        Completed: request > Completed; transport error > Terminated; timer J > Terminated
    """,
}


def expected_transitions(kind):
    transitions = {}
    for line in EXPECTED[kind].strip().splitlines():
        state, _, cells = line.strip().partition(": ")
        for cell in cells.split("; "):
            event, _, target = cell.partition(" > ")
            transitions[State(state), Event(event)] = State(target)
    return transitions


class Layer:
    """What a transaction needs of its layer: it records what is sent, passed up and forgotten."""

    def __init__(self):
        self.timers = TimerHeap()
        self.now = 0.0
        self.sent = []
        self.passed = []
        self.forgotten = []
        self.cancels = []
        self.broken = False
        self.connected = True
        self.answer = None
        self.on_exception = log_exception

    def send(self, data, hop):
        if self.broken:
            raise OSError("no route to host")
        self.sent.append((self.now, data.split(b" ", 1)[0] if not data.startswith(b"SIP") else data[8:11], hop))

    def pass_request(self, request, transaction, source, now):
        self.passed.append((request.method, transaction, source))
        if self.answer is not None:
            self.answer(transaction, now)

    def way_back(self, transaction, source, otherwise):
        return source if self.connected else otherwise

    def start_cancel(self, cancel, invite, now):
        self.cancels.append((now, cancel))

    def linger_client(self, transaction, end, now):
        pass

    def linger_server(self, transaction, end, now):
        pass

    def forget_client(self, transaction):
        self.forgotten.append(transaction)

    def forget_server(self, transaction):
        self.forgotten.append(transaction)

    def advance(self, until):
        """Run every timer at its own time."""
        while (deadline := self.timers.next_deadline()) is not None and deadline <= until:
            self.now = deadline
            self.timers.run_due(deadline)
        self.now = until

    def times(self, what):
        return [time for time, sent, hop in self.sent if sent == what]


class User:
    def __init__(self):
        self.told = []

    def response_received(self, transaction, response, now):
        self.told.append(response.code)

    def cancel_received(self, transaction, request, now):
        self.told.append("cancel")

    def transaction_timed_out(self, transaction, now):
        self.told.append(("timeout", now))

    def transport_failed(self, transaction, error, now):
        self.told.append(("error", str(error)))

    def transaction_terminated(self, transaction, now):
        self.told.append(("terminated", now))


def make_request(method="INVITE"):
    headers = [
        ("Via", VIA),
        ("Max-Forwards", "70"),
        ("Route", "<sip:proxy.example.com;lr>"),
        ("From", "<sip:alice@example.com>;tag=a1"),
        ("To", "<sip:bob@example.com>"),
        ("Call-ID", "call@192.0.2.1"),
        ("CSeq", f"7 {method}"),
        ("Subject", "lunch"),
    ]
    return SIPRequest(method, "sip:bob@192.0.2.9", headers, b"body")


def make_client(method="INVITE", hop=UDP):
    layer, user, request = Layer(), User(), make_request(method)
    kind = InviteClientTransaction if method == "INVITE" else NonInviteClientTransaction
    return layer, user, kind(layer, request, request.encode(), hop, "z9hG4bKabc", OURS, user)


def make_server(method="INVITE", hop=UDP):
    layer, user, request = Layer(), User(), make_request(method)
    kind = InviteServerTransaction if method == "INVITE" else NonInviteServerTransaction
    transaction = kind(layer, request, hop, hop._replace(port=5099), ("key", method), None)
    transaction.user = user
    return layer, user, transaction


MAKERS = {
    "INVITE client": make_client,
    "non-INVITE client": partial(make_client, "OPTIONS"),
    "INVITE server": make_server,
    "non-INVITE server": partial(make_server, "OPTIONS"),
}
SUBJECTS = {
    Event.RESPONSE_1XX: SIPResponse(180),
    Event.RESPONSE_2XX: SIPResponse(200),
    Event.RESPONSE_300_699: SIPResponse(486),
    Event.RESPONSE_200_699: SIPResponse(404),
    Event.SEND_1XX: (SIPResponse(180), b"SIP/2.0 180 "),
    Event.SEND_2XX: (SIPResponse(200), b"SIP/2.0 200 "),
    Event.SEND_300_699: (SIPResponse(486), b"SIP/2.0 486 "),
    Event.SEND_200_699: (SIPResponse(404), b"SIP/2.0 404 "),
    Event.REQUEST: make_request(),
    Event.ACK: make_request("ACK"),
    Event.TRANSPORT_ERROR: OSError("gone"),
}


@pytest.mark.parametrize("state", State, ids=lambda state: state.value)
@pytest.mark.parametrize("kind", TABLES)
def test_every_state_with_every_event(kind, state):
    expected = expected_transitions(kind)
    for event, hop in product(Event, (UDP, TCP)):
        layer, user, transaction = MAKERS[kind](hop=hop)
        transaction.state = state
        target = expected.get((state, event))
        if target is None:
            with pytest.raises(TransactionStateError) as caught:
                transaction._happen(event, SUBJECTS.get(event), 0.0)
            assert (caught.value.kind, caught.value.state, caught.value.event) == (kind, state, event)
            assert f"{kind} transaction in state {state.value} does not know '{event.value}'" in str(caught.value)
            assert transaction.state is state
            assert not layer.sent
            assert not user.told
        else:
            transaction._happen(event, SUBJECTS.get(event), 0.0)
            ends = target is State.TERMINATED
            assert transaction.state is target
            assert (transaction in layer.forgotten) is ends
            assert (("terminated", 0.0) in user.told) is ends
            assert not ends or layer.timers.next_deadline() is None


@pytest.mark.parametrize("kind", TABLES)
def test_tables_end_every_transaction_that_they_terminate(kind):
    """No transition into Terminated without the action that removes the transaction, no such action elsewhere."""
    for row in TABLES[kind].values():
        for target, *actions in row.values():
            assert (target is State.TERMINATED) is (Action.TERMINATE in actions)
            assert Action.TERMINATE not in actions[:-1]


@pytest.mark.parametrize("kind", TABLES)
def test_every_state_of_a_table_can_be_reached_and_left(kind):
    table = TABLES[kind]
    reached, fresh = {State.INITIAL}, {State.INITIAL}
    while fresh:
        fresh = {transition[0] for state in fresh for transition in table[state].values()} - reached
        reached |= fresh
    assert reached == set(table)
    assert [state for state in table if not table[state]] == [State.TERMINATED]


# INVITE client (17.1.1, RFC 6026 7.2)


def test_invite_is_repeated_with_timer_a_until_timer_b():
    layer, user, transaction = make_client()
    transaction.start(0.0)
    layer.advance(100.0)
    assert layer.times(b"INVITE") == [0.0, 0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert user.told == [("timeout", 32.0), ("terminated", 32.0)]


def test_invite_over_a_reliable_transport_is_sent_once_and_ends_with_timer_b():
    layer, user, transaction = make_client(hop=TCP)
    transaction.start(0.0)
    layer.advance(100.0)
    assert layer.times(b"INVITE") == [0.0]
    assert user.told == [("timeout", 32.0), ("terminated", 32.0)]


def test_a_provisional_response_stops_the_repetition_and_every_wait():
    layer, user, transaction = make_client()
    transaction.start(0.0)
    layer.advance(0.7)
    transaction.response_received(SIPResponse(180), 0.7)
    transaction.response_received(SIPResponse(183), 0.8)
    layer.advance(1000.0)
    assert layer.times(b"INVITE") == [0.0, 0.5]
    assert user.told == [180, 183]
    assert transaction.state is State.PROCEEDING


@pytest.mark.parametrize(("hop", "end"), [(UDP, 33.0), (TCP, 1.0)], ids=["udp", "tcp"])
def test_a_refusal_is_acknowledged_and_so_are_its_repetitions_until_timer_d(hop, end):
    layer, user, transaction = make_client(hop=hop)
    transaction.start(0.0)
    layer.now = 1.0
    transaction.response_received(SIPResponse(486, headers=[("To", "<sip:bob@example.com>;tag=b1")]), 1.0)
    transaction.response_received(SIPResponse(486, headers=[("To", "<sip:bob@example.com>;tag=b1")]), 1.0)
    transaction.response_received(SIPResponse(200), 1.0)
    layer.advance(100.0)
    assert layer.times(b"ACK") == [1.0, 1.0]
    assert user.told == [486, ("terminated", end)]


def test_the_ack_of_a_refusal_is_made_of_the_request_and_the_response():
    layer, _user, transaction = make_client()
    sent = []
    layer.send = lambda data, hop: sent.append((data, hop))
    transaction.start(0.0)
    transaction.response_received(SIPResponse(603, headers=[("To", "<sip:bob@example.com>;tag=b1")]), 0.1)
    data, hop = sent[-1]
    lines = data.decode().split("\r\n")
    assert hop == UDP
    assert lines[0] == "ACK sip:bob@192.0.2.9 SIP/2.0"
    assert sorted(filter(None, lines[1:])) == [
        "CSeq: 7 ACK",
        "Call-ID: call@192.0.2.1",
        "Content-Length: 0",
        "From: <sip:alice@example.com>;tag=a1",
        "Max-Forwards: 70",
        "Route: <sip:proxy.example.com;lr>",
        "To: <sip:bob@example.com>;tag=b1",
        f"Via: {VIA}",
    ]


def test_every_2xx_goes_up_until_timer_m_and_none_is_acknowledged():
    layer, user, transaction = make_client()
    transaction.start(0.0)
    for now in (1.0, 1.5, 2.5):
        transaction.response_received(SIPResponse(200), now)
    transaction.response_received(SIPResponse(180), 3.0)
    transaction.response_received(SIPResponse(486), 3.0)
    layer.advance(100.0)
    assert layer.times(b"ACK") == []
    assert user.told == [200, 200, 200, ("terminated", 33.0)]


def test_an_error_of_sending_is_reported_after_the_call_that_sent():
    layer, user, transaction = make_client()
    layer.broken = True
    transaction.start(0.0)
    assert user.told == []
    assert transaction.state is State.CALLING
    layer.advance(0.0)
    assert user.told == [("error", "no route to host"), ("terminated", 0.0)]


def test_an_ack_that_can_not_be_sent_ends_the_transaction():
    layer, user, transaction = make_client()
    transaction.start(0.0)
    layer.broken = True
    transaction.response_received(SIPResponse(486), 1.0)
    layer.advance(1.0)
    assert user.told == [486, ("error", "no route to host"), ("terminated", 1.0)]


def test_cancel_waits_for_a_provisional_response():
    layer, _user, transaction = make_client()
    transaction.start(0.0)
    transaction.cancel(0.1, [("Reason", 'SIP;cause=200;text="Call completed elsewhere"')])
    transaction.cancel(0.2)
    assert layer.cancels == []
    transaction.response_received(SIPResponse(180), 1.0)
    [(now, cancel)] = layer.cancels
    assert now == 1.0
    assert cancel.method == "CANCEL"
    assert cancel.raw_uri == "sip:bob@192.0.2.9"
    assert cancel.headers.getall("Via") == [VIA]
    assert cancel.headers.get("To") == "<sip:bob@example.com>"
    assert cancel.headers.get("From") == "<sip:alice@example.com>;tag=a1"
    assert cancel.headers.get("CSeq") == "7 CANCEL"
    assert cancel.headers.getall("Route") == ["<sip:proxy.example.com;lr>"]
    assert cancel.headers.get("Reason") == 'SIP;cause=200;text="Call completed elsewhere"'
    assert cancel.body == b""


def test_cancel_after_a_provisional_response_goes_at_once_and_only_once():
    layer, _user, transaction = make_client()
    transaction.start(0.0)
    transaction.response_received(SIPResponse(180), 1.0)
    transaction.cancel(2.0)
    transaction.cancel(3.0)
    assert [now for now, cancel in layer.cancels] == [2.0]


def test_a_cancelled_invite_without_final_response_is_given_up():
    layer, user, transaction = make_client()
    transaction.start(0.0)
    transaction.response_received(SIPResponse(180), 1.0)
    transaction.cancel(2.0)
    layer.advance(100.0)
    assert user.told == [180, ("timeout", 34.0), ("terminated", 34.0)]


def test_the_final_response_to_a_cancelled_invite_ends_the_wait():
    layer, user, transaction = make_client()
    transaction.start(0.0)
    transaction.response_received(SIPResponse(180), 1.0)
    transaction.cancel(2.0)
    transaction.response_received(SIPResponse(487), 3.0)
    layer.advance(100.0)
    assert user.told == [180, 487, ("terminated", 35.0)]


@pytest.mark.parametrize("code", [200, 487])
def test_cancel_after_the_final_response_does_nothing(code):
    layer, _user, transaction = make_client()
    transaction.start(0.0)
    transaction.response_received(SIPResponse(code), 1.0)
    transaction.cancel(2.0)
    assert layer.cancels == []


def test_only_invite_can_be_cancelled():
    _layer, _user, transaction = make_client("OPTIONS")
    transaction.start(0.0)
    with pytest.raises(ValueError, match="OPTIONS can not be cancelled"):
        transaction.cancel(1.0)


# Non-INVITE client (17.1.2)


def test_a_request_is_repeated_with_timer_e_until_timer_f():
    layer, user, transaction = make_client("OPTIONS")
    transaction.start(0.0)
    layer.advance(100.0)
    assert layer.times(b"OPTIONS") == [0.0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert user.told == [("timeout", 32.0), ("terminated", 32.0)]


def test_after_a_provisional_response_timer_e_is_t2():
    layer, user, transaction = make_client("OPTIONS")
    transaction.start(0.0)
    layer.advance(0.6)
    transaction.response_received(SIPResponse(100), 0.6)
    layer.advance(100.0)
    assert layer.times(b"OPTIONS") == [0.0, 0.5, 1.5, 5.5, 9.5, 13.5, 17.5, 21.5, 25.5, 29.5]
    assert user.told == [100, ("timeout", 32.0), ("terminated", 32.0)]


def test_a_request_over_a_reliable_transport_is_sent_once_and_ends_with_timer_f():
    layer, user, transaction = make_client("OPTIONS", TCP)
    transaction.start(0.0)
    layer.advance(100.0)
    assert layer.times(b"OPTIONS") == [0.0]
    assert user.told == [("timeout", 32.0), ("terminated", 32.0)]


@pytest.mark.parametrize(("hop", "end"), [(UDP, 6.0), (TCP, 1.0)], ids=["udp", "tcp"])
def test_repetitions_of_a_final_response_are_absorbed_until_timer_k(hop, end):
    layer, user, transaction = make_client("OPTIONS", hop)
    transaction.start(0.0)
    for code in (404, 404, 200, 100):
        transaction.response_received(SIPResponse(code), 1.0)
    layer.advance(100.0)
    assert user.told == [404, ("terminated", end)]


@pytest.mark.parametrize("provisional", [(), (100,)], ids=["Trying", "Proceeding"])
def test_a_lost_connection_fails_a_request_that_has_no_final_response(provisional):
    _layer, user, transaction = make_client("OPTIONS", TCP)
    transaction.start(0.0)
    for code in provisional:
        transaction.response_received(SIPResponse(code), 0.5)
    transaction.transport_error(OSError("reset by peer"), 1.0)
    transaction.transport_error(OSError("reset by peer"), 1.0)
    assert user.told == [*provisional, ("error", "reset by peer"), ("terminated", 1.0)]


# INVITE server (17.2.1, RFC 6026 7.1)


def respond(transaction, code, now, tag="b1"):
    response = make_response(make_request(), code, to_tag=tag)
    transaction.respond(response, now)
    return response


def test_100_is_sent_after_200_ms_without_an_answer():
    layer, _user, transaction = make_server()
    transaction.request_received(transaction.request, 10.0)
    assert layer.passed == [("INVITE", transaction, UDP)]
    layer.advance(100.0)
    assert layer.times(b"100") == [10.2]
    assert transaction.state is State.PROCEEDING


@pytest.mark.parametrize("code", [180, 200, 486])
def test_no_100_is_sent_when_the_user_answers_in_time(code):
    layer, _user, transaction = make_server()
    transaction.request_received(transaction.request, 0.0)
    respond(transaction, code, 0.1)
    layer.advance(0.4)
    assert layer.times(b"100") == []


def test_no_100_is_sent_when_the_user_answers_while_it_is_given_the_request():
    layer, _user, transaction = make_server()
    layer.answer = lambda transaction, now: respond(transaction, 180, now)
    transaction.request_received(transaction.request, 0.0)
    assert layer.timers.next_deadline() is None
    assert layer.times(b"180") == [0.0]


def test_a_repeated_invite_gets_the_last_provisional_response_again():
    layer, _user, transaction = make_server()
    transaction.request_received(transaction.request, 0.0)
    transaction.request_received(transaction.request, 0.1)
    assert layer.sent == []
    respond(transaction, 180, 0.15)
    respond(transaction, 183, 0.2)
    layer.now = 0.5
    transaction.request_received(transaction.request, 0.5)
    assert layer.times(b"180") == [0.0]
    assert layer.times(b"183") == [0.0, 0.5]
    assert len(layer.passed) == 1


def test_a_refusal_is_repeated_with_timer_g_until_timer_h():
    layer, user, transaction = make_server()
    transaction.request_received(transaction.request, 0.0)
    respond(transaction, 486, 0.0)
    layer.advance(100.0)
    assert layer.times(b"486") == [0.0, 0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert user.told == [("timeout", 32.0), ("terminated", 32.0)]


def test_a_refusal_over_a_reliable_transport_is_sent_once_and_ends_with_timer_h():
    layer, user, transaction = make_server(hop=TCP)
    transaction.request_received(transaction.request, 0.0)
    respond(transaction, 486, 0.0)
    layer.advance(100.0)
    assert layer.times(b"486") == [0.0]
    assert user.told == [("timeout", 32.0), ("terminated", 32.0)]


@pytest.mark.parametrize(("hop", "end"), [(UDP, 7.0), (TCP, 2.0)], ids=["udp", "tcp"])
def test_the_ack_stops_the_repetition_and_its_own_repetitions_are_absorbed_until_timer_i(hop, end):
    layer, user, transaction = make_server(hop=hop)
    transaction.request_received(transaction.request, 0.0)
    respond(transaction, 486, 0.0)
    layer.advance(0.6)
    layer.sent.clear()
    layer.advance(1.0)
    for event in ("ack", "ack", "request"):
        if event == "ack":
            transaction.ack_received(make_request("ACK"), 2.0)
        else:
            transaction.request_received(transaction.request, 2.0)
    layer.advance(100.0)
    assert layer.sent == []
    assert user.told == [("terminated", end)]
    assert len(layer.passed) == 1


def test_a_repeated_invite_gets_the_refusal_again():
    layer, _user, transaction = make_server()
    transaction.request_received(transaction.request, 0.0)
    respond(transaction, 486, 0.0)
    layer.now = 0.2
    transaction.request_received(transaction.request, 0.2)
    assert layer.times(b"486") == [0.0, 0.2]


def test_in_accepted_the_2xx_is_repeated_by_the_user_alone_and_ack_goes_up():
    layer, user, transaction = make_server()
    transaction.request_received(transaction.request, 0.0)
    response = respond(transaction, 200, 0.0)
    transaction.request_received(transaction.request, 0.3)
    layer.advance(0.5)
    assert layer.times(b"200") == [0.0]
    transaction.respond(response, 0.5)
    assert layer.times(b"200") == [0.0, 0.5]
    ack = make_request("ACK")
    transaction.ack_received(ack, 0.6)
    assert layer.passed == [("INVITE", transaction, UDP), ("ACK", None, UDP)]
    layer.advance(100.0)
    assert user.told == [("terminated", 32.0)]


@pytest.mark.parametrize(("first", "second"), [(200, 180), (200, 486), (486, 200), (486, 486), (486, 180)])
def test_a_second_final_response_is_a_named_error(first, second):
    layer, _user, transaction = make_server()
    transaction.request_received(transaction.request, 0.0)
    respond(transaction, first, 0.0)
    sent = list(layer.sent)
    with pytest.raises(TransactionStateError):
        respond(transaction, second, 0.1)
    assert layer.sent == sent


def test_a_response_that_can_not_be_printed_does_not_count_as_sent():
    _layer, _user, transaction = make_server()
    transaction.request_received(transaction.request, 0.0)
    response = type("Unprintable", (), {"code": 200, "encode": lambda self: 1 / 0})()
    with pytest.raises(ZeroDivisionError):
        transaction.respond(response, 0.0)
    assert transaction.state is State.PROCEEDING
    assert not transaction.answered


def test_an_error_of_sending_a_response_is_reported_and_changes_nothing():
    layer, user, transaction = make_server()
    transaction.request_received(transaction.request, 0.0)
    layer.broken = True
    respond(transaction, 180, 0.0)
    assert user.told == []
    layer.advance(0.0)
    assert user.told == [("error", "no route to host")]
    assert transaction.state is State.PROCEEDING


def test_a_cancel_is_told_only_before_the_final_response():
    _layer, user, transaction = make_server()
    transaction.request_received(transaction.request, 0.0)
    transaction.cancel_received(make_request("CANCEL"), 0.1)
    assert user.told == ["cancel"]
    respond(transaction, 487, 0.1)
    transaction.cancel_received(make_request("CANCEL"), 0.2)
    assert user.told == ["cancel"]


def test_responses_go_where_the_layer_says():
    layer, _user, transaction = make_server(hop=TCP)
    transaction.request_received(transaction.request, 0.0)
    respond(transaction, 180, 0.0)
    layer.connected = False
    respond(transaction, 183, 0.0)
    assert [hop for time, what, hop in layer.sent] == [TCP, TCP._replace(port=5099)]


# Non-INVITE server (17.2.2)


def test_a_repeated_request_is_absorbed_in_trying_and_answered_again_afterwards():
    layer, _user, transaction = make_server("OPTIONS")
    transaction.request_received(transaction.request, 0.0)
    request = transaction.request
    transaction.request_received(request, 0.5)
    assert layer.sent == []
    respond(transaction, 182, 1.0)
    transaction.request_received(request, 1.0)
    assert layer.times(b"182") == [0.0, 0.0]
    respond(transaction, 200, 2.0)
    transaction.request_received(request, 2.5)
    assert layer.times(b"200") == [0.0, 0.0]
    assert len(layer.passed) == 1


@pytest.mark.parametrize(("hop", "end"), [(UDP, 33.0), (TCP, 1.0)], ids=["udp", "tcp"])
def test_an_answered_request_is_remembered_until_timer_j(hop, end):
    layer, user, transaction = make_server("OPTIONS", hop)
    transaction.request_received(transaction.request, 0.0)
    respond(transaction, 200, 1.0)
    layer.advance(100.0)
    assert layer.times(b"200") == [0.0]
    assert user.told == [("terminated", end)]


def test_an_answered_request_keeps_only_the_octets_of_its_response():
    layer, _user, transaction = make_server("OPTIONS")
    layer.answer = lambda transaction, now: respond(transaction, 200, now)
    transaction.request_received(transaction.request, 0.0)
    assert transaction.request is None
    assert transaction.answered
    assert transaction.to == "<sip:bob@example.com>;tag=b1"


@pytest.mark.parametrize("provisional", [(), (182,)], ids=["Trying", "Proceeding"])
def test_a_request_that_the_user_does_not_answer_is_given_up(provisional):
    layer, user, transaction = make_server("OPTIONS")
    transaction.request_received(transaction.request, 0.0)
    for code in provisional:
        respond(transaction, code, 1.0)
    layer.advance(100.0)
    assert user.told == [("timeout", 32.0), ("terminated", 32.0)]
    with pytest.raises(TransactionStateError):
        respond(transaction, 200, 100.0)


def test_a_second_answer_to_a_request_is_a_named_error():
    _layer, _user, transaction = make_server("OPTIONS")
    transaction.request_received(transaction.request, 0.0)
    respond(transaction, 200, 0.0)
    with pytest.raises(TransactionStateError):
        respond(transaction, 200, 0.0)


def test_an_answer_that_can_not_be_sent_ends_the_transaction():
    layer, user, transaction = make_server("OPTIONS")
    transaction.request_received(transaction.request, 0.0)
    layer.broken = True
    respond(transaction, 200, 0.0)
    layer.advance(0.0)
    assert user.told == [("error", "no route to host"), ("terminated", 0.0)]


# All of them


@pytest.mark.parametrize("kind", ["INVITE client", "non-INVITE client"])
def test_a_user_that_fails_does_not_keep_a_transaction_from_ending(kind, caplog):
    layer, user, transaction = MAKERS[kind]()
    user.transaction_timed_out = lambda transaction, now: 1 / 0
    transaction.start(0.0)
    layer.advance(100.0)
    assert user.told == [("terminated", 32.0)]
    assert layer.forgotten == [transaction]
    assert [record.levelname for record in caplog.records] == ["ERROR"]


@pytest.mark.parametrize("kind", TABLES)
def test_transactions_have_no_dict_and_show_what_they_are(kind):
    transaction = MAKERS[kind]()[2]
    assert not hasattr(transaction, "__dict__")
    assert repr(transaction) == f"<{kind} transaction, {transaction.method}, Initial>"
