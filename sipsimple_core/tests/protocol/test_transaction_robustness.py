"""Whatever octets arrive: the layer answers or drops them, logs no error, and keeps nothing."""

import logging
import random
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sipsimple.core.protocol.hop import Hop
from sipsimple.core.protocol.timers import TimerHeap
from sipsimple.core.protocol.transaction_layer import TransactionLayer
from sipsimple.core.wire.errors import SIPParseError
from sipsimple.core.wire.message import SIPResponse, make_response
from sipsimple.core.wire.parser import parse_message

PEER = Hop("udp", "192.0.2.9", 5060)
TORTURE = sorted((Path(__file__).parents[1] / "data" / "rfc4475").glob("*.dat"))

TEMPLATE = """{start}\r
Via: {via}\r
Max-Forwards: 70\r
From: {from_}\r
To: {to}\r
Call-ID: c1\r
CSeq: {cseq}\r
Contact: <sip:alice@192.0.2.9>\r
Content-Length: 0\r
\r
"""

VIAS = (
    "SIP/2.0/UDP 192.0.2.9;branch=z9hG4bK1;rport",
    "SIP/2.0/UDP 10.0.0.1;branch=1",
    "SIP/2.0/UDP [::1]:70000;branch=z9hG4bK",
    "SIP/2.0/UDP h;maddr=224.0.0.1;branch=z9hG4bK2, SIP/2.0/TCP x",
    "SIP/2.0/UDP h;rport=x;received=;branch=z9hG4bK3",
    "",
)
STARTS = (
    *tuple(f"{method} sip:b@c SIP/2.0" for method in ("INVITE", "ACK", "CANCEL", "OPTIONS", "X")),
    "SIP/2.0 100 Trying",
    "SIP/2.0 200 OK",
    "SIP/2.0 486 Busy",
    "SIP/2.0 999 What",
)
ADDRESSES = ("<sip:a@b>;tag=1", "<sip:a@b>", "sip:a@b;tag=b1", "<<", "")
CSEQS = ("1 INVITE", "1 ACK", "1 CANCEL", "1 OPTIONS", "1 X", "99999999999 INVITE", "x")


def make_message(start, via, from_, to, cseq):
    return TEMPLATE.format(start=start, via=via, from_=from_, to=to, cseq=cseq).encode()


class Answering:
    """A user that answers what it is asked with the next of some codes."""

    def __init__(self):
        self.timers = TimerHeap()
        self.sent = []
        self.layer = TransactionLayer(self.timers, self.send, self, lambda hop: ("192.0.2.1", 5060))
        self.codes = [200, 486, 180]
        self.now = 0.0

    def send(self, data, hop):
        self.sent.append(parse_message(data))

    def receive(self, data):
        self.now += 0.1
        self.timers.run_due(self.now)
        try:
            message = parse_message(data)
        except SIPParseError:
            return
        self.layer.message_received(message, PEER, self.now)

    def request_received(self, request, transaction, source, now):
        if transaction is not None:
            transaction.user = self
            self.codes.append(self.codes.pop(0))
            transaction.respond(make_response(request, self.codes[0], to_tag="b1"), now)

    def response_received(self, transaction, response, now):
        pass

    def cancel_received(self, transaction, request, now):
        transaction.respond(SIPResponse(487, headers=[("To", "<sip:a@b>;tag=b1")]), now)

    def transaction_timed_out(self, transaction, now):
        pass

    def transport_failed(self, transaction, error, now):
        pass

    def transaction_terminated(self, transaction, now):
        pass

    def finish(self):
        """Every wait runs out, but that of an INVITE for an answer, ours or theirs, which is the user's own."""
        for _ in range(1000):
            deadline = self.timers.next_deadline()
            if deadline is None:
                break
            self.timers.run_due(deadline)
        transactions = [*self.layer._servers.values(), *self.layer._clients.values()]
        waiting = [
            transaction
            for transaction in transactions
            if (transaction.method, transaction.state.value) != ("INVITE", "Proceeding")
        ]
        assert waiting == []
        assert len(self.timers) == 0


class Errors(logging.Handler):
    """Fails on what the stack logs only when a part of it has a defect."""

    def __init__(self):
        super().__init__(logging.ERROR)
        self.messages = []

    def emit(self, record):
        self.messages.append(self.format(record))


@pytest.fixture(autouse=True)
def errors():
    handler = Errors()
    logger = logging.getLogger("sipsimple")
    logger.addHandler(handler)
    yield handler
    logger.removeHandler(handler)
    assert handler.messages == []


def test_the_torture_messages_are_there():
    assert len(TORTURE) == 49


@pytest.mark.parametrize("path", TORTURE, ids=lambda path: path.stem)
def test_each_torture_message_is_answered_once_or_dropped(path):
    agent = Answering()
    data = path.read_bytes()
    agent.receive(data)
    assert len(agent.sent) <= 1
    assert all(isinstance(message, SIPResponse) for message in agent.sent)
    first = [message.encode() for message in agent.sent]
    agent.receive(data)
    assert [message.encode() for message in agent.sent] in (first, first * 2)
    agent.finish()


@st.composite
def messages(draw):
    choose = [draw(st.sampled_from(choices)) for choices in (STARTS, VIAS, ADDRESSES, ADDRESSES, CSEQS)]
    data = make_message(*choose)
    if draw(st.booleans()):
        position = draw(st.integers(0, len(data)))
        data = data[:position] + draw(st.binary(max_size=8)) + data[position + draw(st.integers(0, 8)) :]
    return data


@settings(max_examples=200, deadline=None)
@given(st.lists(messages() | st.binary(max_size=40), max_size=12))
def test_any_sequence_of_messages_is_survived(sequence):
    handler = logging.getLogger("sipsimple").handlers[-1]
    agent = Answering()
    invite = parse_message(make_message(STARTS[0], VIAS[0], ADDRESSES[0], ADDRESSES[1], CSEQS[0]))
    transaction = agent.layer.send_request(invite, PEER, agent, 0.0)
    ours = transaction.request.headers.get("Via").encode()
    for number, data in enumerate(sequence):
        agent.receive(data.replace(VIAS[0].encode(), ours) if number % 2 else data)
    assert handler.messages == []
    agent.finish()
    assert handler.messages == []


def test_ten_thousand_random_datagrams_leave_nothing_behind():
    random_octets = random.Random(7).randbytes
    agent = Answering()
    for length in range(10_000):
        agent.receive(random_octets(length % 300))
    assert agent.sent == []
    assert agent.layer.server_transactions == 0
