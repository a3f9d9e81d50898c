"""Large requests go over TCP where they were to go over UDP, and over UDP where there is no TCP (RFC 3261 18.1.1)."""

from __future__ import annotations

from typing import Any

import pytest

from sipsimple.core.protocol.hop import Hop
from sipsimple.core.protocol.timers import TimerHeap
from sipsimple.core.protocol.transaction import State
from sipsimple.core.protocol.transaction_layer import MAX_UDP_REQUEST, TransactionLayer
from sipsimple.core.transport import limits
from sipsimple.core.transport.manager import Transports
from sipsimple.core.wire.message import SIPRequest, make_response
from sipsimple.testing.network import MemoryNetwork
from sipsimple.testing.packets import Verdict

BOB = Hop("udp", "10.0.0.2", 5060)
LARGE = b"x" * MAX_UDP_REQUEST


class Agent:
    """A transaction layer on a host; it answers requests as it is told to, and records all that it hears."""

    def __init__(self, network: MemoryNetwork, name: str, transports: tuple[str, ...]) -> None:
        self.network = network
        self.reactor = network.add_host(name)
        self.timers = TimerHeap(lambda deadline: self._arm())
        self.requests: list[Any] = []
        self.responses: list[Any] = []
        self.failures: list[Exception] = []
        self.timeouts: list[Any] = []
        self.code: int | None = 200
        self.transports = Transports(
            self.reactor,
            lambda message, source: self.layer.message_received(message, source, network.now),
            lambda hop, error: self.layer.transport_error(hop, error, network.now),
        )
        for transport in transports:
            self.transports.listen(transport, 5060)
        self.layer = TransactionLayer(
            self.timers,
            self.transports.send,
            self,  # type: ignore[arg-type]
            lambda hop: (self.reactor.ip, self.transports.port_towards(hop)),
            is_connected=self.transports.is_connected,
            stream_instead=self.transports.stream_instead,
        )

    def _arm(self) -> None:
        deadline = self.timers.next_deadline()
        if deadline is not None:
            self.reactor.callLater(max(0.0, deadline - self.network.now), self._run)

    def _run(self) -> None:
        self.timers.run_due(self.network.now)
        self._arm()

    def send(self, body: bytes = LARGE, method: str = "MESSAGE", call_id: str = "c1") -> Any:
        headers = [
            ("Max-Forwards", "70"), ("From", "<sip:alice@a.example>;tag=a1"), ("To", "<sip:bob@b.example>"),
            ("Call-ID", call_id), ("CSeq", f"1 {method}"), ("Content-Type", "text/plain"),
            ("Contact", "<sip:alice@10.0.0.1>"),
        ]  # fmt: skip
        request = SIPRequest(method, "sip:bob@10.0.0.2", headers, body)
        return self.layer.send_request(request, BOB, self, self.network.now)  # type: ignore[arg-type]

    def request_received(self, request: Any, transaction: Any, source: Hop, now: float) -> None:
        self.requests.append((request, source))
        if transaction is not None:
            transaction.user = self
        if self.code is not None and transaction is not None:
            transaction.respond(make_response(request, self.code, to_tag="b1"), now)

    def response_received(self, transaction: Any, response: Any, now: float) -> None:
        self.responses.append(response)

    def transport_failed(self, transaction: Any, error: Exception, now: float) -> None:
        self.failures.append(error)

    def transaction_timed_out(self, transaction: Any, now: float) -> None:
        self.timeouts.append(transaction)

    def cancel_received(self, transaction: Any, cancel: Any, now: float) -> None:
        transaction.respond(make_response(transaction.request, 487, to_tag="b1"), now)

    def transaction_terminated(self, transaction: Any, now: float) -> None:
        pass


@pytest.fixture
def network() -> Any:
    network = MemoryNetwork()
    yield network
    network.close()


@pytest.fixture
def alice(network: MemoryNetwork) -> Agent:
    return Agent(network, "alice", ("udp", "tcp"))


def kinds(network: MemoryNetwork, starts_with: bytes = b"MESSAGE") -> list[str]:
    """The transports that the requests took, one after the other."""
    return [packet.transport for packet in network.packets.select(starts_with=starts_with)]


def test_a_large_request_goes_over_tcp_and_says_so(network: MemoryNetwork, alice: Agent) -> None:
    bob = Agent(network, "bob", ("udp", "tcp"))
    transaction = alice.send()
    network.run_until(lambda: alice.responses)
    [(request, source)] = bob.requests
    assert source.transport == "tcp"
    assert (request.via.transport, request.via.host, request.via.port) == ("TCP", "10.0.0.1", 5060)
    assert transaction.hop == Hop("tcp", "10.0.0.2", 5060)
    assert kinds(network) == ["tcp"]


@pytest.mark.parametrize(("excess", "transport"), [(0, "udp"), (1, "tcp")])
def test_the_limit_is_that_of_the_rfc(network: MemoryNetwork, alice: Agent, excess: int, transport: str) -> None:
    bob = Agent(network, "bob", ("udp", "tcp"))
    size = len(alice.send(b"x" * 1000, call_id="c0").request.encode())
    alice.send(b"x" * (1000 + MAX_UDP_REQUEST - size + excess))
    network.run_until(lambda: len(bob.requests) == 2)
    assert bob.requests[1][1].transport == transport


def test_a_peer_without_tcp_gets_it_over_udp(network: MemoryNetwork, alice: Agent) -> None:
    bob = Agent(network, "bob", ("udp",))
    transaction = alice.send()
    network.run_until(lambda: alice.responses)
    [(request, source)] = bob.requests
    assert source.transport == "udp"
    assert (request.via.transport, request.via.host, request.via.port) == ("UDP", "10.0.0.1", 5060)
    assert (transaction.hop, transaction.reliable) == (BOB, False)
    assert [response.code for response in alice.responses] == [200]
    assert alice.failures == []
    # the refusal is remembered: the next one does not ask again
    before = len(network.packets.select(kind="syn"))
    alice.send(call_id="c2")
    network.run_until(lambda: len(alice.responses) == 2)
    assert len(network.packets.select(kind="syn")) == before == 1


def test_after_a_while_tcp_is_tried_again(network: MemoryNetwork, alice: Agent) -> None:
    bob = Agent(network, "bob", ("udp",))
    alice.send()
    network.run_until(lambda: alice.responses)
    bob.transports.listen("tcp", 5060)
    network.advance(limits.UNREACHABLE_LIFETIME)
    alice.send(call_id="c2")
    network.run_until(lambda: len(alice.responses) == 2)
    assert bob.requests[1][1].transport == "tcp"


def test_over_udp_it_is_repeated_as_any_other(network: MemoryNetwork, alice: Agent) -> None:
    bob = Agent(network, "bob", ("udp",))
    lost: list[Any] = []

    @network.filter
    def judge(packet: Any) -> Verdict | None:
        if packet.transport == "udp" and packet.data.startswith(b"MESSAGE") and len(lost) < 2:
            lost.append(packet)
            return Verdict.DROP
        return None

    alice.send()
    network.run_until(lambda: alice.responses)
    assert len(lost) == 2
    assert len(bob.requests) == 1


def test_a_peer_that_does_not_exist_at_all_times_out(network: MemoryNetwork, alice: Agent) -> None:
    Agent(network, "bob", ("udp",)).code = None
    network.partition("alice", "bob")
    alice.send()
    network.run_until(lambda: alice.timeouts, timeout=60.0)
    assert alice.failures == []
    assert set(kinds(network)) == {"udp"}  # nothing went over the connection that never was


def test_what_may_have_arrived_is_not_sent_again(network: MemoryNetwork, alice: Agent) -> None:
    """A connection that breaks after it was there is a failure, not a reason for another copy of the request."""
    bob = Agent(network, "bob", ("udp", "tcp"))
    bob.code = None
    alice.send()
    network.run_until(lambda: bob.requests)
    network.kill_connections("alice", "bob")
    network.run_until(lambda: alice.failures)
    network.advance(40.0)
    assert len(bob.requests) == 1
    assert kinds(network) == ["tcp"]


def test_an_invite_is_cancelled_by_the_way_that_it_took(network: MemoryNetwork, alice: Agent) -> None:
    bob = Agent(network, "bob", ("udp",))
    bob.code = 180
    transaction = alice.send(method="INVITE")
    # asked for while the connection is being opened: held, and sent after the 180 with the INVITE's own Via (9.1)
    transaction.cancel(network.now)
    network.run_until(lambda: len(alice.responses) == 2)
    assert [response.code for response in alice.responses] == [180, 487]
    assert kinds(network, b"CANCEL") == kinds(network, b"ACK") == ["udp"]
    [cancel] = network.packets.select(starts_with=b"CANCEL")
    assert b"Via: SIP/2.0/UDP 10.0.0.1:5060;branch=" + transaction.branch.encode() in cancel.data
    assert transaction.state is State.COMPLETED


def test_without_tcp_of_our_own_the_peer_could_not_reach_us(network: MemoryNetwork) -> None:
    alice = Agent(network, "alice", ("udp",))
    bob = Agent(network, "bob", ("udp", "tcp"))
    alice.send()
    network.run_until(lambda: alice.responses)
    assert bob.requests[0][1].transport == "udp"
    assert network.packets.select(kind="syn") == []


def test_a_large_ack_takes_the_connection_that_there_is(network: MemoryNetwork, alice: Agent) -> None:
    bob = Agent(network, "bob", ("udp", "tcp"))
    ack = SIPRequest(
        "ACK", "sip:bob@10.0.0.2",
        [("Max-Forwards", "70"), ("From", "<sip:alice@a.example>;tag=a1"), ("To", "<sip:bob@b.example>;tag=b1"),
         ("Call-ID", "c1"), ("CSeq", "1 ACK"), ("Content-Type", "text/plain")], LARGE,
    )  # fmt: skip
    alice.layer.send_ack(ack, BOB, network.now)
    network.run_until(lambda: len(bob.requests) == 1)
    alice.send()
    network.run_until(lambda: alice.responses)
    alice.layer.send_ack(ack, BOB, network.now)
    network.run_until(lambda: len(bob.requests) == 3)
    ways = [(request.via.transport, source.transport) for request, source in bob.requests if request.method == "ACK"]
    assert ways == [("UDP", "udp"), ("TCP", "tcp")]
