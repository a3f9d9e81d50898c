"""The memory network: datagrams, disturbances, filters, failures, determinism, speed."""

import time
from collections.abc import Callable

import pytest
from twisted.internet.error import CannotListenError, InvalidAddressError, MessageLengthError
from twisted.internet.interfaces import IListeningPort, IReactorUDP, IUDPTransport
from twisted.internet.protocol import DatagramProtocol
from zope.interface.verify import verifyObject

from sipsimple.testing.network import ConditionNotMet, MemoryNetwork
from sipsimple.testing.packets import Fate, Packet, Verdict

Address = tuple[str, int]


class Recorder(DatagramProtocol):
    """Keeps what arrives; may answer."""

    def __init__(self, answer: Callable[[bytes], bytes | None] = lambda data: None) -> None:
        self.received: list[bytes] = []
        self.sources: list[Address] = []
        self.refusals = 0
        self.events: list[str] = []
        self.answer = answer

    def startProtocol(self) -> None:
        self.events.append("start")

    def stopProtocol(self) -> None:
        self.events.append("stop")

    def datagramReceived(self, datagram: bytes, addr: Address) -> None:
        self.received.append(datagram)
        self.sources.append(addr)
        answer = self.answer(datagram)
        if answer is not None:
            self.transport.write(answer, addr)

    def connectionRefused(self) -> None:
        self.refusals += 1


class Pair:
    """Two hosts with a port each."""

    def __init__(self, network: MemoryNetwork, answer: Callable[[bytes], bytes | None] = lambda data: None) -> None:
        self.network = network
        self.a, self.b = network.add_host("a"), network.add_host("b")
        self.at_a, self.at_b = Recorder(), Recorder(answer)
        self.a.listenUDP(1000, self.at_a)
        self.b.listenUDP(2000, self.at_b)

    def send(self, *datagrams: bytes) -> None:
        for datagram in datagrams:
            self.at_a.transport.write(datagram, (self.b.ip, 2000))


@pytest.fixture
def network() -> MemoryNetwork:
    return MemoryNetwork()


@pytest.fixture
def pair(network: MemoryNetwork) -> Pair:
    return Pair(network)


def test_hosts_get_addresses_and_names(network: MemoryNetwork) -> None:
    first, second = network.add_host("first"), network.add_host("Second", "10.0.0.9")
    assert (first.ip, second.ip) == ("10.0.0.1", "10.0.0.9")
    assert network.resolve("SECOND.") == "10.0.0.9"
    assert network.resolve("localhost") == "127.0.0.1"
    assert network.resolve("10.1.1.1") == "10.1.1.1"
    assert network.resolve("nobody") is None
    assert network.host("first") is network.host("10.0.0.1") is network.host(first) is first
    for taken in (("first", None), ("other", "10.0.0.9"), ("other", "127.0.0.1")):
        with pytest.raises(ValueError, match="is taken"):
            network.add_host(*taken)
    for unknown in ("nobody", "10.0.0.77", MemoryNetwork().add_host("first")):
        with pytest.raises(LookupError):
            network.host(unknown)


def test_a_datagram_arrives_after_the_latency_with_the_address_of_its_sender(pair: Pair) -> None:
    pair.network.latency = 0.25
    pair.send(b"hello")
    pair.network.advance(0.2499)
    assert pair.at_b.received == []
    pair.network.advance(0.0002)
    assert pair.at_b.received == [b"hello"]
    assert pair.at_b.sources == [("10.0.0.1", 1000)]


def test_udp_ports_are_what_they_declare(pair: Pair) -> None:
    assert verifyObject(IReactorUDP, pair.a)
    assert verifyObject(IUDPTransport, pair.at_a.transport)
    assert verifyObject(IListeningPort, pair.at_a.transport)


def test_a_port_in_use_is_refused_and_port_0_is_any_free_one(pair: Pair) -> None:
    with pytest.raises(CannotListenError) as failure:
        pair.a.listenUDP(1000, Recorder())
    assert "in use" in str(failure.value)
    with pytest.raises(CannotListenError):
        pair.a.listenUDP(1000, Recorder(), interface="127.0.0.1")
    with pytest.raises(CannotListenError):
        pair.a.listenUDP(1001, Recorder(), interface="10.0.0.2")
    ports = {pair.a.listenUDP(0, Recorder()).getHost().port for _ in range(10)}
    assert len(ports) == 10
    assert min(ports) >= 49152


def test_different_interfaces_share_a_port_number(network: MemoryNetwork) -> None:
    host, outside, inside = network.add_host("host"), Recorder(), Recorder()
    host.listenUDP(1000, outside, interface=host.ip)
    host.listenUDP(1000, inside, interface="127.0.0.1")
    outside.transport.write(b"to myself", (host.ip, 1000))
    inside.transport.write(b"inside", ("127.0.0.1", 1000))
    network.run_idle()
    assert (outside.received, inside.received) == ([b"to myself"], [b"inside"])
    assert inside.sources == [("127.0.0.1", 1000)]
    assert outside.transport.getHost().host == host.ip


def test_a_port_without_interface_says_so(pair: Pair) -> None:
    address = pair.at_a.transport.getHost()
    assert (address.type, address.host, address.port) == ("UDP", "0.0.0.0", 1000)


def test_loopback_is_the_host_itself_and_is_not_disturbed(network: MemoryNetwork) -> None:
    network.loss = 1.0
    pair = Pair(network)
    pair.at_b.transport.write(b"me", ("127.0.0.1", 2000))
    network.run_idle()
    assert (pair.at_a.received, pair.at_b.received) == ([], [b"me"])
    assert pair.at_b.sources == [("127.0.0.1", 2000)]
    assert network.now == network.start_time


def test_a_port_on_loopback_reaches_nobody_else(pair: Pair) -> None:
    inside = Recorder()
    pair.a.listenUDP(1001, inside, interface="127.0.0.1")
    inside.transport.write(b"out", (pair.b.ip, 2000))
    pair.network.run_idle()
    assert pair.at_b.received == []
    assert pair.network.packets[-1].fate is Fate.UNREACHABLE


def test_stop_listening_frees_the_port_and_tells_the_protocol(pair: Pair) -> None:
    stopped: list[object] = []
    closing = pair.at_b.transport.stopListening()
    closing.addCallback(stopped.append)
    assert pair.at_b.events == ["start"]
    pair.send(b"too late")
    pair.network.run_idle()
    assert stopped == [None]
    assert pair.at_b.events == ["start", "stop"]
    assert pair.at_b.received == []
    assert pair.network.packets[-1].fate is Fate.REFUSED
    pair.b.listenUDP(2000, Recorder())


def test_a_closed_port_can_do_nothing(pair: Pair) -> None:
    port = pair.at_b.transport
    port.stopListening()
    pair.network.run_idle()
    assert port.stopListening() is None
    with pytest.raises(OSError, match="Bad file descriptor"):
        port.write(b"x", (pair.a.ip, 1000))
    with pytest.raises(OSError, match="Bad file descriptor"):
        port.getHost()


def test_a_connected_port_talks_with_one_address_and_learns_of_refusals(pair: Pair) -> None:
    connected = Recorder()
    port = pair.a.listenUDP(0, connected)
    port.connect(pair.b.ip, 2000)
    port.write(b"one")
    port.write(b"two", (pair.b.ip, 2000))
    with pytest.raises(ValueError, match="connected to"):
        port.write(b"three", (pair.b.ip, 2001))
    with pytest.raises(RuntimeError):
        port.connect(pair.b.ip, 2001)
    pair.network.run_idle()
    assert pair.at_b.received == [b"one", b"two"]
    pair.send(b"not for a connected port")
    pair.at_a.transport.write(b"nor this", (pair.a.ip, port.getHost().port))
    pair.at_b.transport.stopListening()
    pair.network.run_idle()
    port.write(b"four")
    pair.network.run_idle()
    assert connected.received == []
    assert connected.refusals == 1
    assert pair.at_a.refusals == 0


@pytest.mark.parametrize(
    ("datagram", "address", "error"),
    [
        (b"x", ("b", 2000), InvalidAddressError),
        (b"x", None, ValueError),
        (b"x" * 65508, ("10.0.0.2", 2000), MessageLengthError),
        ("text", ("10.0.0.2", 2000), TypeError),
    ],
)
def test_what_a_socket_refuses_is_refused(pair: Pair, datagram, address, error: type[Exception]) -> None:
    with pytest.raises(error):
        pair.at_a.transport.write(datagram, address)
    assert len(pair.network.packets) == 0


def test_a_datagram_longer_than_the_buffer_is_cut(network: MemoryNetwork) -> None:
    pair, small = Pair(network), Recorder()
    pair.b.listenUDP(3000, small, maxPacketSize=10)
    pair.at_a.transport.write(b"x" * 65507, (pair.b.ip, 2000))
    pair.at_a.transport.write(b"x" * 20, (pair.b.ip, 3000))
    network.run_idle()
    assert [len(data) for data in pair.at_b.received + small.received] == [8192, 10]


def test_a_name_that_is_nobody_s_and_a_host_that_is_not_there(pair: Pair) -> None:
    pair.at_a.transport.write(b"x", ("10.9.9.9", 2000))
    pair.network.run_idle()
    assert pair.network.packets[-1].fate is Fate.UNREACHABLE


def test_loss_loses_the_share_that_was_asked_for() -> None:
    pair = Pair(MemoryNetwork(loss=0.3))
    pair.send(*[b"x"] * 2000)
    pair.network.run_idle()
    lost = len(pair.network.packets.select(fate=Fate.LOST))
    assert lost + len(pair.at_b.received) == 2000
    assert 500 < lost < 700


def test_duplication_delivers_twice_and_logs_the_copy() -> None:
    pair = Pair(MemoryNetwork(duplication=1.0))
    pair.send(b"one", b"two")
    pair.network.run_idle()
    assert pair.at_b.received == [b"one", b"one", b"two", b"two"]
    assert [packet.copy for packet in pair.network.packets] == [False, True, False, True]


def test_jitter_spreads_arrivals_but_keeps_the_order() -> None:
    pair = Pair(MemoryNetwork(latency=0.1, jitter=0.1))
    numbers = [b"%d" % number for number in range(200)]
    times: list[float] = []
    pair.at_b.answer = lambda data: times.append(pair.network.now - pair.network.start_time)
    pair.send(*numbers)
    pair.network.run_idle()
    assert pair.at_b.received == numbers
    assert 0.1 <= times[0] < times[-1] <= 0.2
    assert len(set(times)) > 3


def test_reordering_lets_datagrams_overtake_and_loses_none() -> None:
    pair = Pair(MemoryNetwork(reordering=0.2))
    numbers = [b"%03d" % number for number in range(200)]
    for number in numbers:
        pair.send(number)
        pair.network.advance(0.005)
    pair.network.run_idle()
    assert pair.at_b.received != numbers
    assert sorted(pair.at_b.received) == numbers


def run_a_busy_scene(seed: int) -> list[tuple]:
    pair = Pair(
        MemoryNetwork(seed, loss=0.1, jitter=0.01, duplication=0.1, reordering=0.1), answer=lambda data: data * 2
    )
    for number in range(300):
        pair.send(b"%d" % number)
        pair.a.callLater(0.01 * number, pair.send, b"later %d" % number)
    pair.network.run_until(lambda: not pair.a.getDelayedCalls())
    pair.network.run_idle()
    return [packet.as_tuple() for packet in pair.network.packets]


def test_the_same_seed_gives_the_same_packet_log() -> None:
    assert run_a_busy_scene(1) == run_a_busy_scene(1)
    assert run_a_busy_scene(1) != run_a_busy_scene(2)


def test_a_filter_drops_what_it_wants(pair: Pair) -> None:
    with pair.network.filter(lambda packet: Verdict.DROP if packet.data == b"two" else None):
        pair.send(b"one", b"two", b"three")
    pair.send(b"two")
    pair.network.run_idle()
    assert pair.at_b.received == [b"one", b"three", b"two"]
    assert [packet.fate for packet in pair.network.packets][1] is Fate.DROPPED


def test_held_packets_are_released_in_any_order(pair: Pair) -> None:
    @pair.network.filter
    def holder(packet: Packet) -> Verdict:
        return Verdict.HOLD

    pair.send(b"one", b"two", b"three", b"four")
    pair.network.run_idle()
    assert pair.at_b.received == []
    assert {packet.fate for packet in pair.network.packets} == {Fate.HELD}
    one, _, three, four = holder.held
    holder.release(three, one)
    holder.remove()
    pair.network.run_idle()
    holder.release()
    pair.network.run_idle()
    assert pair.at_b.received == [b"three", b"one", b"two", b"four"]
    with pytest.raises(ValueError):
        holder.release(four)


def test_a_filter_may_change_and_delay_packets(pair: Pair) -> None:
    def judge(packet: Packet) -> None:
        if packet.data == b"one":
            packet.delay = 1.0
        packet.data = packet.data.upper()

    pair.network.filter(judge)
    pair.send(b"one", b"two")
    pair.network.run_idle()
    assert pair.at_b.received == [b"TWO", b"ONE"]


def test_a_filter_that_fails_disturbs_nobody_and_is_reported(pair: Pair) -> None:
    pair.network.filter(lambda packet: 1 / 0)
    pair.send(b"one")
    with pytest.raises(ZeroDivisionError):
        pair.network.run_idle()
    assert pair.at_b.received == [b"one"]


def test_a_partition_separates_two_hosts_until_it_heals(pair: Pair) -> None:
    third = Recorder()
    pair.network.add_host("c").listenUDP(3000, third)
    pair.send(b"in flight")
    pair.network.partition("a", "b")
    pair.send(b"lost")
    pair.at_a.transport.write(b"elsewhere", (pair.network.resolve("c"), 3000))
    pair.network.run_idle()
    assert (pair.at_b.received, third.received) == ([], [b"elsewhere"])
    pair.network.heal(pair.a, pair.b)
    pair.send(b"healed")
    pair.network.run_idle()
    assert pair.at_b.received == [b"healed"]
    pair.network.partition("a")
    pair.at_a.transport.write(b"alone", (pair.network.resolve("c"), 3000))
    pair.network.run_idle()
    pair.network.heal()
    pair.send(b"again")
    pair.network.run_idle()
    assert (pair.at_b.received, third.received) == ([b"healed", b"again"], [b"elsewhere"])


def test_a_crashed_host_runs_nothing_more(pair: Pair) -> None:
    seen: list[str] = []
    pair.b.callLater(1.0, seen.append, "timer")
    pair.a.callLater(1.0, seen.append, "other host")
    pair.send(b"x")
    pair.network.crash("b")
    pair.send(b"y")
    pair.network.advance(2.0)
    assert (pair.at_b.received, seen) == ([], ["other host"])
    assert {packet.fate for packet in pair.network.packets} == {Fate.UNREACHABLE}


def test_run_until_stops_at_the_event_that_makes_it_true(pair: Pair) -> None:
    pair.send(b"one", b"two")
    pair.network.run_until(lambda: pair.at_b.received)
    assert pair.at_b.received == [b"one"]


def test_run_until_fails_with_the_last_packets_and_reports(pair: Pair) -> None:
    pair.network.report_with("notifications of alice", lambda: "SIPSessionDidFail")
    pair.network.report_with("broken", lambda: str(1 / 0))
    pair.a.callLater(50.0, print)
    pair.send(b"INVITE sip:bob@10.0.0.2 SIP/2.0\r\nAuthorization: secret\r\n")
    with pytest.raises(ConditionNotMet) as failure:
        pair.network.run_until(lambda: len(pair.at_b.received) == 7, timeout=12.0)
    message = str(failure.value)
    assert "not true after 12 virtual seconds" in message
    assert "len(pair.at_b.received) == 7" in message
    assert "10.0.0.1:1000 → 10.0.0.2:2000" in message
    assert "INVITE sip:bob@10.0.0.2 SIP/2.0" in message
    assert "secret" not in message
    assert "-- notifications of alice:\nSIPSessionDidFail" in message
    assert "ZeroDivisionError" in message
    assert "nothing is left" not in message
    assert pair.network.now == pair.network.start_time + 12.0


def test_run_until_fails_at_once_when_nothing_is_left_to_happen(pair: Pair) -> None:
    with pytest.raises(ConditionNotMet, match="nothing is left that could still happen"):
        pair.network.run_until(lambda: False, timeout=1e9)


def test_exceptions_are_collected_while_the_rest_goes_on(pair: Pair) -> None:
    def fail(data: bytes) -> None:
        raise KeyError(data)

    pair.at_b.answer = fail
    pair.send(b"one")
    pair.a.callLater(0.5, lambda: 1 / 0)
    pair.a.callLater(1.0, pair.send, b"two")
    with pytest.raises(ExceptionGroup) as failure:
        pair.network.run_until(lambda: len(pair.at_b.received) == 2)
    assert [type(error) for error in failure.value.exceptions] == [KeyError, ZeroDivisionError, KeyError]
    assert failure.value.exceptions[1].__notes__ == [
        "in test_exceptions_are_collected_while_the_rest_goes_on.<locals>.<lambda> of a at virtual time 0.500000"
    ]
    pair.network.raise_errors()


def test_one_exception_is_raised_as_itself_with_its_traceback(pair: Pair) -> None:
    def culprit() -> None:
        raise LookupError("here")

    pair.a.callLater(0.5, culprit)
    with pytest.raises(LookupError, match="here") as failure:
        pair.network.advance(1.0)
    assert failure.traceback[-1].name == "culprit"


def test_a_failed_run_until_tells_of_exceptions_too(pair: Pair) -> None:
    pair.a.callLater(0.5, lambda: 1 / 0)
    with pytest.raises(ConditionNotMet, match="ZeroDivisionError: division by zero") as failure:
        pair.network.run_until(lambda: False)
    assert isinstance(failure.value.__cause__, ZeroDivisionError)


def test_the_number_of_collected_exceptions_is_bounded(pair: Pair) -> None:
    for _ in range(1000):
        pair.a.callLater(0, lambda: 1 / 0)
    with pytest.raises(ExceptionGroup, match="900 more left out") as failure:
        pair.network.run_idle()
    assert len(failure.value.exceptions) == 100


def test_the_packet_log_is_read_and_searched(pair: Pair) -> None:
    pair.at_b.answer = lambda data: b"200 OK"
    pair.send(b"INVITE", b"BYE")
    pair.network.run_idle()
    log = pair.network.packets
    assert [packet.data for packet in log] == [b"INVITE", b"BYE", b"200 OK", b"200 OK"]
    assert log[0].source == ("10.0.0.1", 1000)
    assert log[0].destination == ("10.0.0.2", 2000)
    assert [packet.data for packet in log[1:3]] == [b"BYE", b"200 OK"]
    assert log.select(starts_with=b"BY") == [log[1]]
    assert log.select(source="10.0.0.2", transport="udp", contains=b"OK", fate=Fate.DELIVERED) == log[2:]
    assert log.select(destination="10.0.0.9") == log.select(transport="tcp") == log.select(kind="syn") == []


def test_a_dump_has_a_line_a_packet_and_shows_contents_on_demand(pair: Pair) -> None:
    pair.network.latency = 0.5
    pair.at_b.answer = lambda data: b"\xff\x00 200 OK\r\nCSeq: 1"
    pair.send(b"INVITE sip:bob\r\nCSeq: 1")
    pair.network.run_idle()
    first, second = pair.network.dump().splitlines()
    assert first.split() == ["0.000000", "10.0.0.1:1000", "→", "10.0.0.2:2000", "udp", "23", "INVITE", "sip:bob"]
    assert second.startswith("  0.500000  10.0.0.2:2000 → 10.0.0.1:1000")
    assert pair.network.dump(1).splitlines()[0] == "(1 earlier packets)"
    assert "    CSeq: 1" in pair.network.dump(contents=True).splitlines()


def test_the_speed_of_datagrams(capsys: pytest.CaptureFixture[str]) -> None:
    pair = Pair(MemoryNetwork())
    write, address, count = pair.at_a.transport.write, (pair.b.ip, 2000), 20_000
    best = 0.0
    for _ in range(3):
        started = time.perf_counter()
        for _ in range(count // 100):
            for _ in range(100):
                write(b"x" * 500, address)
            pair.network.run_idle()
        best = max(best, count / (time.perf_counter() - started))
    assert len(pair.at_b.received) == 3 * count
    with capsys.disabled():
        print(f" {best:,.0f} datagrams/s through the memory network ", end="")
    assert best > 20_000
