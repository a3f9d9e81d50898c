"""Sessions of two whole user agents on the memory network: the real stack below, time and loss in the test's hands."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from twisted.internet.protocol import DatagramProtocol

from sipsimple.session import Session, SessionManager, ending
from sipsimple.streams import MediaStreamRegistry
from sipsimple.testing import MemoryNetwork, UserAgent
from sipsimple.testing.packets import Packet, Verdict
from sipsimple.testing.scripted import ScriptedStream
from sipsimple.util import Route

DROP = Verdict.DROP


class NetworkStream(ScriptedStream):
    """A stream without media."""

    type = "network"


@pytest.fixture(autouse=True)
def registered(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("SIPSIMPLE_LOAD_PLUGINS", "")
    MediaStreamRegistry().register(NetworkStream)
    yield
    MediaStreamRegistry().unregister(NetworkStream)


@pytest.fixture
def alice(network: MemoryNetwork) -> UserAgent:
    return UserAgent(network, "alice")


@pytest.fixture
def bob(network: MemoryNetwork) -> UserAgent:
    return UserAgent(network, "bob")


def call(alice: UserAgent, bob: UserAgent, **options: Any) -> Session:
    return alice.call(bob, [NetworkStream], **options)


def connected(alice: UserAgent, bob: UserAgent) -> tuple[Session, Session]:
    if bob.answerer is None:
        bob.answer_with()
    known = len(bob.incoming)
    session = call(alice, bob)
    alice.network.run_until(lambda: len(bob.incoming) > known and over_or_connected(session, bob.incoming[-1]))
    assert (session.state, bob.incoming[-1].state) == ("connected", "connected"), alice.network.dump()
    return session, bob.incoming[-1]


def over_or_connected(*sessions: Session) -> bool:
    return all(session.state in ("connected", "terminated") for session in sessions)


def gone(network: MemoryNetwork, *sessions: Session, timeout: float = 60.0) -> None:
    network.run_until(lambda: all(session.state == "terminated" for session in sessions), timeout)


def sent(agent: UserAgent, session: Session) -> list[str]:
    return [name.removeprefix("SIPSession") for name in agent.recorder.names(session) if "SIPSession" in name]


def failure(agent: UserAgent, session: Session) -> tuple[Any, ...]:
    data = agent.recorder.assert_one("SIPSessionDidFail", session).data
    return data.originator, data.code, data.reason, data.failure_reason


def end(agent: UserAgent, session: Session) -> tuple[str, str]:
    data = agent.recorder.assert_one("SIPSessionDidEnd", session).data
    return data.originator, data.end_reason


def is_request(packet: Packet, *methods: str) -> bool:
    return packet.data.split(b" ", 1)[0].decode("ascii", "replace") in methods


def is_response(packet: Packet, code: int, method: str) -> bool:
    return packet.data.startswith(b"SIP/2.0 %d " % code) and b" %s\r\n" % method.encode() in packet.data


def dropping(network: MemoryNetwork, wanted: Callable[[Packet], bool], times: int | None = None) -> Any:
    """Drop the packets that are wanted, all or the first few."""
    left = [times]

    def judge(packet: Packet) -> Verdict | None:
        if not wanted(packet) or left[0] == 0:
            return None
        if left[0] is not None:
            left[0] -= 1
        return DROP

    return network.filter(judge)


# Paths


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_session(network: MemoryNetwork, transport: str) -> None:
    """SES-014, SES-015, SES-016, SES-017, SES-018, SES-025, SES-026, SES-027, SES-054, SES-055, SES-061, SES-062,
    SES-063, SES-064, SES-065, SES-066, SES-067, SES-068, SES-076, SES-077, SES-078, SES-079, SES-080, SES-081,
    SES-082, SES-083, SES-084, SES-085, SES-086, SES-097, SES-099: a
    session from connect() to the end, on both sides."""
    alice, bob = (UserAgent(network, name, transports=[transport]) for name in ("alice", "bob"))
    bob.answer_with(ring=True, delay=1.0)
    session = call(alice, bob, subject="Lunch")
    network.run_until(lambda: session.state == "connected")
    (other,) = bob.incoming
    network.run_until(lambda: other.state == "connected")
    for one, agent, peer in ((session, alice, bob), (other, bob, alice)):
        assert (one.transport, one.subject, one.account) == (transport, "Lunch", agent.account)
        assert one.local_identity is not None and one.local_identity.uri.user == agent.name
        assert one.remote_identity is not None and one.remote_identity.uri.user == peer.name
        assert one.remote_user_agent is not None and one.remote_user_agent.startswith("sipsimple")
        assert agent.run(lambda: SessionManager().sessions) == [one]
    alice.run(session.end)
    gone(network, session, other)
    assert sent(alice, session) == [
        'NewOutgoing', 'GotRingIndication', 'GotProvisionalResponse', 'WillStart', 'DidProcessTransaction', 'DidStart',
        'WillEnd', 'DidProcessTransaction', 'DidEnd',
    ]  # fmt: skip
    assert sent(bob, other) == [
        'NewIncoming', 'WillStart', 'DidProcessTransaction', 'DidStart', 'DidProcessTransaction', 'WillEnd', 'DidEnd',
    ]  # fmt: skip
    assert end(alice, session) == ("local", "user_request")
    assert end(bob, other) == ("remote", "user_request")


def test_the_callee_ends(network: MemoryNetwork, alice: UserAgent, bob: UserAgent) -> None:
    """SES-054, SES-086: BYE the other way."""
    session, other = connected(alice, bob)
    bob.run(other.end)
    gone(network, session, other)
    assert end(alice, session) == ("remote", "user_request")
    assert end(bob, other) == ("local", "user_request")


def test_both_end_at_once(network: MemoryNetwork, alice: UserAgent, bob: UserAgent) -> None:
    """SES-086: two BYEs cross; both sides end once."""
    session, other = connected(alice, bob)
    alice.run(session.end)
    bob.run(other.end)
    gone(network, session, other)
    assert end(alice, session) == ("local", "user_request")
    assert end(bob, other) == ("local", "user_request")


def test_a_rejected_session(network: MemoryNetwork, alice: UserAgent, bob: UserAgent) -> None:
    """SES-016, SES-029, SES-030, SES-031, SES-032, SES-033, SES-082, SES-084: both sides are told who refused
    what."""
    bob.answer_with(code=486)
    session = call(alice, bob)
    gone(network, session)
    (other,) = bob.incoming
    gone(network, other)
    assert sent(alice, session) == ["NewOutgoing", "DidProcessTransaction", "DidFail"]
    assert failure(alice, session)[:3] == ("remote", 486, "Busy Here")
    assert sent(bob, other) == ["NewIncoming", "DidProcessTransaction", "DidFail"]
    assert failure(bob, other) == ("local", 486, "Busy Here", "user_request")


@pytest.mark.parametrize("ringing", [False, True])
def test_a_cancelled_session(network: MemoryNetwork, alice: UserAgent, bob: UserAgent, ringing: bool) -> None:
    """SES-054, SES-082: CANCEL before the answer."""
    bob.answer_with(ring=ringing, delay=1000.0)
    session = call(alice, bob)
    network.run_until(lambda: bob.incoming and (session.state == "connecting" or not ringing))
    alice.run(session.end)
    gone(network, session, *bob.incoming)
    assert failure(alice, session)[:2] == ("local", 487)
    assert failure(bob, bob.incoming[0]) == ("remote", 487, "Request Terminated", "user_request")


def test_a_200_that_crosses_the_cancel(network: MemoryNetwork, alice: UserAgent, bob: UserAgent) -> None:
    """SES-054: the call that was accepted while it was cancelled is ended with BYE."""
    bob.answer_with(ring=True, delay=5.0)
    session = call(alice, bob)
    network.run_until(lambda: session.state == "connecting")
    with dropping(network, lambda packet: is_request(packet, "CANCEL")):
        alice.run(session.end)
        network.run_until(lambda: network.packets.select(source=bob.ip)[-1].first_line.startswith("SIP/2.0 200"))
    (other,) = bob.incoming
    gone(network, session, other)
    assert failure(alice, session)[:2] == ("local", 487)
    assert any(is_request(packet, "BYE") for packet in network.packets)
    assert "DidStart" not in sent(alice, session)


def test_media_that_is_not_known(network: MemoryNetwork, alice: UserAgent, bob: UserAgent) -> None:
    """SES-007: 488 with a Warning, seen by the caller."""
    MediaStreamRegistry().unregister(NetworkStream)
    try:
        session = call(alice, bob)
        gone(network, session)
    finally:
        MediaStreamRegistry().register(NetworkStream)
    assert failure(alice, session)[:2] == ("remote", 488)
    assert any(b"\r\nWarning: 304 " in packet.data for packet in network.packets)
    assert bob.incoming == []


def test_some_streams_are_accepted(network: MemoryNetwork, alice: UserAgent, bob: UserAgent) -> None:
    """SES-028: the first of two is refused, on both sides."""
    bob.answer_with(lambda session, streams: streams[1:])
    session = alice.call(bob, [NetworkStream, NetworkStream])
    network.run_until(lambda: over_or_connected(session))
    assert session.state == "connected"
    proposed = alice.recorder.assert_one("SIPSessionNewOutgoing").data.streams
    assert session.streams == proposed[1:]
    assert proposed[0].calls[-1] == "a.end"


# Routes


def test_streams_know_the_route_when_they_are_initialized(alice: UserAgent, bob: UserAgent) -> None:
    """SES-067: the address that they describe depends on it."""
    known: list[Any] = []

    class CuriousStream(NetworkStream):
        def initialize(self, session: Any, direction: str) -> None:
            known.append(session.route)
            super().initialize(session, direction)

    alice.call(bob, [CuriousStream], routes=[bob.route()])
    alice.network.run_until(lambda: known)
    assert known == [bob.route()]


def test_the_first_route_is_dead(network: MemoryNetwork, alice: UserAgent, bob: UserAgent) -> None:
    """SES-020: nobody answers over the first route for 32 seconds, then the second one is tried."""
    bob.answer_with()
    session = call(alice, bob, routes=[Route("10.0.0.99", 5060, "udp"), bob.route()])
    network.run_until(lambda: over_or_connected(session), timeout=60.0)
    assert session.state == "connected"
    assert network.now - network.start_time == pytest.approx(32.0, abs=1.0)
    assert sent(alice, session) == [
        'NewOutgoing', 'DidProcessTransaction', 'WillStart', 'DidProcessTransaction', 'DidStart',
    ]  # fmt: skip


def raced(network: MemoryNetwork) -> tuple[UserAgent, UserAgent, list[Route]]:
    """Two over TCP, and the routes to one of them: its first address is silent."""
    alice, bob = (UserAgent(network, name, transports=["tcp"]) for name in ("alice", "bob"))
    way = bob.route()
    network.add_host("silent", "10.0.0.99")
    dropping(network, lambda packet: packet.destination[0] == "10.0.0.99")
    return alice, bob, [Route("10.0.0.99", way.port, "tcp"), way]


def test_the_addresses_of_a_server_are_raced(network: MemoryNetwork) -> None:
    """SES-020, SES-067: the one that takes a connection is used, after a quarter of a second (RFC 8305)."""
    alice, bob, routes = raced(network)
    bob.answer_with()
    session = call(alice, bob, routes=routes)
    network.run_until(lambda: over_or_connected(session))
    assert (session.state, session.route) == ("connected", routes[1])
    assert network.now - network.start_time < 1.0
    assert sent(alice, session) == ["NewOutgoing", "WillStart", "DidProcessTransaction", "DidStart"]


@pytest.mark.parametrize("how", ["end", "stop"])
def test_an_end_while_the_addresses_are_raced(network: MemoryNetwork, how: str) -> None:
    """SES-055, APP-031: nothing goes out, and nothing stays behind."""
    alice, bob, routes = raced(network)
    session = call(alice, bob, routes=routes)
    network.advance(0.1)
    assert session.state == "outgoing"
    if how == "end":
        alice.run(session.end)
    else:
        alice.stop()
    gone(network, session)
    assert failure(alice, session)[:2] == ("local", 487)
    network.advance(5.0)
    assert bob.incoming == [] and not any(is_request(packet, "INVITE") for packet in network.packets)
    assert not network.connections


def test_a_route_over_a_transport_that_we_do_not_have(network: MemoryNetwork, alice: UserAgent, bob: UserAgent) -> None:
    """SES-020: it does not work, so the next one is tried."""
    bob.answer_with()
    session = call(alice, bob, routes=[Route(bob.ip, 5061, "tls"), bob.route()])
    network.run_until(lambda: over_or_connected(session))
    assert session.state == "connected" and session.transport == "udp"


def test_no_route_works(network: MemoryNetwork, alice: UserAgent) -> None:
    """SES-016, SES-020: the caller is told of the time-out."""
    session = alice.call("sip:nobody@10.0.0.99", [NetworkStream], routes=[Route("10.0.0.99")])
    gone(network, session)
    assert failure(alice, session)[:3] == ("local", 408, "Request Timeout")


def test_nobody_picks_up(network: MemoryNetwork, bob: UserAgent) -> None:
    """SES-016: sip.invite_timeout ends the ringing."""
    carol = UserAgent(network, "carol", settings={"sip.invite_timeout": 20})
    bob.answer_with(ring=True, delay=1000.0)
    session = call(carol, bob)
    gone(network, session, *bob.incoming)
    assert failure(carol, session)[1] == 408
    assert network.now - network.start_time < 30.0
    network.run_until(lambda: bob.incoming[0].state == "terminated")


# Loss


@pytest.mark.parametrize("seed", range(10))
def test_a_lossy_network(seed: int) -> None:
    """SES-018, SES-086: a third of the datagrams is lost, and every session still comes and goes."""
    network = MemoryNetwork(seed, loss=0.3, jitter=0.05, duplication=0.1, reordering=0.1)
    alice, bob = UserAgent(network, "alice"), UserAgent(network, "bob")
    bob.answer_with(ring=True, delay=0.2)
    session = call(alice, bob)
    network.run_until(lambda: bob.incoming and over_or_connected(session, *bob.incoming), timeout=100.0)
    if session.state == "connected":
        alice.run(session.end)
    gone(network, session, *bob.incoming, timeout=200.0)
    for agent, one in ((alice, session), (bob, bob.incoming[0])):
        assert agent.recorder.count("SIPSessionDidEnd", one) + agent.recorder.count("SIPSessionDidFail", one) == 1
        assert [name for name in sent(agent, one) if name in ("DidEnd", "DidFail")] == sent(agent, one)[-1:]
    network.loss = 0.0
    network.close()


def test_missing_ack(network: MemoryNetwork, alice: UserAgent, bob: UserAgent) -> None:
    """SES-084, SES-098: no ACK arrives; the callee gives up after 32 seconds."""
    with dropping(network, lambda packet: is_request(packet, "ACK")):
        bob.answer_with()
        session = call(alice, bob)
        network.run_until(lambda: bob.incoming and bob.incoming[0].state == "terminated", timeout=60.0)
    (other,) = bob.incoming
    assert failure(bob, other)[1:] == (408, "Request Timeout", "missing ACK")
    transaction = bob.recorder.find("SIPSessionDidProcessTransaction", other, method="INVITE")
    assert transaction is not None and transaction.data.ack_received is False
    gone(network, session)
    assert end(alice, session) == ("remote", "user_request")


def test_a_peer_that_dies(network: MemoryNetwork, alice: UserAgent, bob: UserAgent) -> None:
    """SES-086, STR-034: its stream says so, and the session ends although nobody answers the BYE."""
    session, _ = connected(alice, bob)
    network.crash(bob)
    before = network.now
    alice.run(session.streams[0].did_fail, "connection timed out")
    gone(network, session)
    assert end(alice, session) == ("local", "stream failed: connection timed out")
    assert sent(alice, session)[-3:] == ["WillEnd", "DidProcessTransaction", "DidEnd"]
    assert network.now - before <= ending.SIGNALLING_TIMEOUT + ending.SIGNALLING_GRACE


def test_a_peer_that_dies_while_it_rings(network: MemoryNetwork, alice: UserAgent, bob: UserAgent) -> None:
    """SES-054: a CANCEL that nobody answers does not keep the session."""
    bob.answer_with(ring=True, delay=1000.0)
    session = call(alice, bob)
    network.run_until(lambda: session.state == "connecting")
    network.crash(bob)
    alice.run(session.end)
    gone(network, session, timeout=ending.SIGNALLING_TIMEOUT + ending.SIGNALLING_GRACE + 1.0)
    assert failure(alice, session)[:2] == ("local", 487)


# Bad input


BROKEN = {
    'a body that is no SDP': (b'v=0\r\nrubbish\xff\r\n', 'application/sdp', (400, 488)),
    'a body of another type': (b'hello', 'text/plain', (415,)),
    'an SDP without media': (
        b'v=0\r\no=- 1 1 IN IP4 10.0.0.9\r\ns=-\r\nc=IN IP4 10.0.0.9\r\nt=0 0\r\n', 'application/sdp', (488,),
    ),
}  # fmt: skip


class Probe(DatagramProtocol):
    def __init__(self) -> None:
        self.received: list[bytes] = []

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        self.received.append(datagram)


def test_a_call_to_a_number(network: MemoryNetwork, alice: UserAgent, bob: UserAgent) -> None:
    """SES-007: a Request-URI that is no SIP URI names no account: the call is for the default account."""

    def dial(packet: Packet) -> None:
        if is_request(packet, "INVITE"):
            packet.data = packet.data.replace(b"INVITE sip:bob@%s " % bob.ip.encode(), b"INVITE tel:+1234 ")

    network.filter(dial)
    session, other = connected(alice, bob)
    assert other.account is bob.account
    assert session.state == "connected"


@pytest.mark.parametrize("what", BROKEN)
def test_a_broken_invite_while_a_session_runs(
    network: MemoryNetwork, alice: UserAgent, bob: UserAgent, what: str, caplog: pytest.LogCaptureFixture
) -> None:
    """SES-007: it gets its answer, and the session goes on."""
    session, other = connected(alice, bob)
    body, content_type, codes = BROKEN[what]
    host = network.add_host("eve")
    probe = Probe()
    port = host.listenUDP(5060, probe)
    invite = (
        f"INVITE sip:bob@{bob.ip} SIP/2.0\r\nMax-Forwards: 70\r\n"
        f"Via: SIP/2.0/UDP {host.ip}:5060;branch=z9hG4bKbroken\r\n"
        f"From: <sip:eve@{host.ip}>;tag=1\r\nTo: <sip:bob@{bob.ip}>\r\nCall-ID: broken\r\nCSeq: 1 INVITE\r\n"
        f"Contact: <sip:eve@{host.ip}:5060>\r\n"
    )
    if content_type is not None:
        invite += f"Content-Type: {content_type}\r\n"
    port.write(invite.encode() + b"Content-Length: %d\r\n\r\n" % len(body) + body, (bob.ip, 5060))
    network.run_until(lambda: any(int(datagram[8:11]) >= 200 for datagram in probe.received))
    assert int(probe.received[-1][8:11]) in codes
    assert len(bob.incoming) == 1
    assert (session.state, other.state) == ("connected", "connected")
    assert "Traceback" not in caplog.text
    alice.run(session.end)
    gone(network, session, other)


def test_ten_thousand_random_datagrams(
    network: MemoryNetwork, alice: UserAgent, bob: UserAgent, caplog: pytest.LogCaptureFixture
) -> None:
    """SES-004: rubbish on the SIP port changes nothing, and does not fill the log."""
    session, other = connected(alice, bob)
    before = len(bob.recorder)
    host = network.add_host("eve")
    port = host.listenUDP(0, Probe())
    for _ in range(10_000):
        port.write(network.random.randbytes(network.random.randrange(1, 200)), (bob.ip, 5060))
    network.run_idle()
    assert len(bob.recorder) == before and other.state == "connected"
    assert len(caplog.records) < 100
    alice.run(session.end)
    gone(network, session, other)


def test_too_many_calls(network: MemoryNetwork, alice: UserAgent, bob: UserAgent) -> None:
    """SES-007: above the number of sessions that is allowed the caller gets 486."""
    bob.run(lambda: setattr(SessionManager(), "max_sessions", 2))
    for _ in range(2):
        connected(alice, bob)
    session = call(alice, bob)
    gone(network, session)
    assert failure(alice, session)[:2] == ("remote", 486)


# The application


def test_stop_ends_the_sessions(network: MemoryNetwork, alice: UserAgent, bob: UserAgent) -> None:
    """SES-006, APP-034: the remote party gets its BYE before the engine stops."""
    session, other = connected(alice, bob)
    alice.stop()
    assert session.state == "terminated" and end(alice, session) == ("local", "user_request")
    gone(network, other)
    assert end(bob, other) == ("remote", "user_request")
    alice.recorder.assert_order("SIPApplicationWillEnd", "SIPSessionDidEnd", "SIPEngineWillEnd", "SIPApplicationDidEnd")


def test_stop_without_a_network(network: MemoryNetwork, alice: UserAgent, bob: UserAgent) -> None:
    """APP-031: nobody is there to say goodbye to; the end comes all the same."""
    session, _ = connected(alice, bob)
    network.partition(alice)
    before = network.now
    alice.stop()
    assert end(alice, session)[0] == "local"
    assert network.now - before < 20.0
    network.heal()


def test_nothing_is_left_of_many_sessions(network: MemoryNetwork, alice: UserAgent, bob: UserAgent) -> None:
    """SES-004: no session, observer or timer is left of sessions that are over."""

    def state(agent: UserAgent) -> tuple[int, int]:
        center = agent.recorder.center
        return len(center._by_both) + len(center._senders), len(agent.run(lambda: SessionManager().sessions))

    before = state(alice), state(bob)
    for _ in range(20):
        session, other = connected(alice, bob)
        alice.run(session.end)
        gone(network, session, other)
    assert (state(alice), state(bob)) == before
    network.advance(60.0)
    assert alice.reactor.getDelayedCalls() == [] and bob.reactor.getDelayedCalls() == []
