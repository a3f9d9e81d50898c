"""The engine: its ports and certificates while it runs, its addresses, traces, and what it says of defects."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from sipsimple.configuration.settings import SIPSimpleSettings
from sipsimple.core import SIPURI, FromHeader, ToHeader
from sipsimple.core.destinations import route_header_to
from sipsimple.core.engine import Engine, EngineError
from sipsimple.core.invitation import Invitation
from sipsimple.core.protocol.hop import Hop
from sipsimple.core.request import Request
from sipsimple.core.transport.tls import TLSOptions
from sipsimple.core.wire import ContactHeader
from sipsimple.core.wire.sdp import SDPSession
from sipsimple.testing import MemoryNetwork, NotificationRecorder, UserAgent
from sipsimple.testing.certificates import CertificateAuthority
from sipsimple.testing.reactor import MemoryRealm
from sipsimple.util import Route


class Host:
    """An engine in a realm of its own, without an application."""

    def __init__(self, network: MemoryNetwork, name: str, ip: str | None = None) -> None:
        self.network = network
        self.realm = MemoryRealm(name, network, ip)
        self.run = self.realm.run
        self.engine: Engine = self.run(Engine)
        self.recorder: NotificationRecorder = self.run(NotificationRecorder)
        self.ip = self.realm.host.ip

    def start(self, **options: Any) -> Host:
        self.run(self.engine.start, **options)
        return self

    def ports(self) -> dict[str, int | None]:
        transports = self.engine._transports
        assert transports is not None
        return {name: transports.port(name) for name in ("udp", "tcp", "tls")}

    def request(self, route: Route, domain: str, tls_name: str | None = None, body: bytes | None = None) -> Request:
        """An OPTIONS by that route, on its way."""
        user = SIPURI("a.example", user="alice")
        uri = SIPURI(domain, user="bob")
        request = Request(
            "OPTIONS", uri, FromHeader(user), ToHeader(uri), route_header_to(route, tls_name),
            content_type=body and "text/plain", body=body,
        )  # fmt: skip
        request.send()
        return request

    def options(self, *args: Any, **kwargs: Any) -> Any:
        """The notification that says what became of an OPTIONS."""
        sender = self.run(self.request, *args, **kwargs)
        found: list[Any] = []

        def settled() -> bool:
            for name in ("SIPRequestDidSucceed", "SIPRequestDidFail"):
                found.extend(
                    notification for notification in self.recorder.find_all(name) if notification.sender is sender
                )
            return bool(found)

        self.network.run_until(settled, timeout=60.0)
        return found[0]


@pytest.fixture
def network() -> Any:
    network = MemoryNetwork()
    yield network
    network.close()


@pytest.fixture
def alice(network: MemoryNetwork) -> Host:
    return Host(network, "alice", "10.0.0.1")


@pytest.fixture
def bob(network: MemoryNetwork) -> Host:
    return Host(network, "bob", "10.0.0.2")


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    return CertificateAuthority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def certificate(authority: CertificateAuthority) -> Path:
    return authority.issue("server", dns=["bob.example"])


TLS = Route("10.0.0.2", 5061, "tls")


# Ports


def test_ports_change_while_it_runs(network: MemoryNetwork, alice: Host, bob: Host) -> None:
    alice.start(udp_port=0, tcp_port=0)
    bob.start(udp_port=5060, tcp_port=5060)
    bob.run(bob.engine.set_udp_port, 5070)
    bob.run(bob.engine.set_tcp_port, 5080)
    assert bob.ports() == {"udp": 5070, "tcp": 5080, "tls": None}
    assert bob.run(bob.engine.local_address, "udp") == ("10.0.0.2", 5070)
    assert bob.recorder.count("SIPEngineDidChangeTransports") == 2
    for route in (Route("10.0.0.2", 5070, "udp"), Route("10.0.0.2", 5080, "tcp")):
        assert alice.options(route, "10.0.0.2").data.code == 200
    assert alice.options(Route("10.0.0.2", 5060, "tcp"), "10.0.0.2").name == "SIPRequestDidFail"


def test_any_port_is_the_one_that_is_open(bob: Host) -> None:
    bob.start(udp_port=5060)
    bob.run(bob.engine.set_udp_port, 0)
    assert bob.ports()["udp"] == 5060


@pytest.mark.parametrize("transport", ["udp", "tcp"])
def test_a_port_that_is_taken_changes_nothing(bob: Host, transport: str) -> None:
    listen = bob.realm.host.listenUDP if transport == "udp" else bob.realm.host.listenTCP
    from twisted.internet.protocol import DatagramProtocol, Factory

    listen(6000, DatagramProtocol() if transport == "udp" else Factory())  # type: ignore[operator]
    bob.start(udp_port=5060, tcp_port=5060)
    with pytest.raises(EngineError, match=f"{transport} port 6000"):
        bob.run(getattr(bob.engine, f"set_{transport}_port"), 6000)
    assert bob.ports() == {"udp": 5060, "tcp": 5060, "tls": None}
    assert bob.recorder.count("SIPEngineDidChangeTransports") == 0


def test_a_transport_may_be_switched_off_and_on(network: MemoryNetwork, alice: Host, bob: Host) -> None:
    alice.start(tcp_port=0)
    bob.start(udp_port=5060, tcp_port=5060)
    bob.run(bob.engine.set_tcp_port, None)
    with pytest.raises(EngineError, match="tcp is not running"):
        bob.run(bob.engine.local_address, "tcp")
    network.advance(0.1)
    assert alice.options(Route("10.0.0.2", 5060, "tcp"), "10.0.0.2").name == "SIPRequestDidFail"
    bob.run(bob.engine.set_tcp_port, 5060)
    assert alice.options(Route("10.0.0.2", 5060, "tcp"), "10.0.0.2").data.code == 200


def test_what_takes_a_running_engine_says_so(alice: Host) -> None:
    engine = alice.engine
    for function, arguments in (
        (engine.set_udp_port, (5060,)), (engine.set_tcp_port, (5060,)), (engine.set_tls_options, (5061,)),
        (engine.local_address, ("udp",)), (engine.keep_alive, (Hop("tcp", "10.0.0.2", 5060), 60.0)),
    ):  # fmt: skip
        with pytest.raises(EngineError, match="not running"):
            alice.run(function, *arguments)  # type: ignore[arg-type]


def test_a_start_that_fails_leaves_nothing_open(network: MemoryNetwork, alice: Host) -> None:
    with pytest.raises(EngineError, match=r"nowhere\.pem"):
        alice.start(udp_port=5060, tls_port=5061, tls_options=TLSOptions(certificate="/nowhere.pem"))
    alice.recorder.assert_one("SIPEngineDidFail")
    network.advance(1.0)
    alice.start(udp_port=5060)


# TLS


def test_tls_is_set_up_while_it_runs(
    network: MemoryNetwork, alice: Host, bob: Host, authority: CertificateAuthority, certificate: Path
) -> None:
    alice.start(udp_port=0)
    bob.start(udp_port=5060)
    bob.run(bob.engine.set_tls_options, 5061, certificate=certificate)
    assert bob.ports() == {"udp": 5060, "tcp": None, "tls": 5061}
    alice.run(alice.engine.set_tls_options, ca_list=authority.certificates)
    assert alice.options(TLS, "bob.example").data.code == 200
    # another port; the connection that there is lives on
    bob.run(bob.engine.set_tls_options, 5071, certificate=certificate)
    assert bob.ports()["tls"] == 5071
    assert alice.options(TLS, "bob.example").data.code == 200
    bob.run(bob.engine.set_tls_options, None)
    assert bob.ports()["tls"] is None
    network.advance(5.0)
    failed = alice.options(Route("10.0.0.2", 5071, "tls"), "bob.example")
    assert failed.name == "SIPRequestDidFail"
    assert "refused" in failed.data.reason


def test_tls_that_can_not_be_had_changes_nothing(
    network: MemoryNetwork, alice: Host, bob: Host, authority: CertificateAuthority, certificate: Path
) -> None:
    alice.start(tls_port=0, tls_options=TLSOptions(ca_list=authority.certificates))
    bob.start(tls_port=5061, tls_options=TLSOptions(certificate))
    for options in ({"certificate": "/nowhere.pem"}, {"ca_list": certificate.parent}):
        with pytest.raises(EngineError):
            bob.run(bob.engine.set_tls_options, 5061, **options)
    bob.run(bob.engine.set_udp_port, None)
    assert alice.options(TLS, "bob.example").data.code == 200


def test_a_port_that_tls_can_not_have_leaves_the_one_before(bob: Host, certificate: Path) -> None:
    bob.start(tcp_port=5060, tls_port=5061, tls_options=TLSOptions(certificate))
    with pytest.raises(EngineError, match="tls port 5060"):
        bob.run(bob.engine.set_tls_options, 5060, certificate=certificate)
    assert bob.ports()["tls"] == 5061


def test_an_error_says_which_name_was_expected(
    network: MemoryNetwork, alice: Host, bob: Host, authority: CertificateAuthority, certificate: Path
) -> None:
    alice.start(tls_port=0, tls_options=TLSOptions(ca_list=authority.certificates))
    bob.start(tls_port=5061, tls_options=TLSOptions(certificate))
    failed = alice.options(TLS, "robert.example")
    assert failed.data.code == 503
    assert "expected was robert.example, presented was bob.example" in failed.data.reason
    # the name that the route has is the one that counts
    assert alice.options(TLS, "robert.example", "bob.example").data.code == 200
    failed = alice.options(TLS, "bob.example", "proxy.example")
    assert "expected was proxy.example, presented was bob.example" in failed.data.reason


def test_a_client_without_a_certificate(
    network: MemoryNetwork, alice: Host, bob: Host, authority: CertificateAuthority, certificate: Path
) -> None:
    """It has no port, and yet a Via, and a contact: the connection, once it is there."""
    alice.start(udp_port=0, tls_port=0, tls_options=TLSOptions(ca_list=authority.certificates))
    bob.start(tls_port=5061, tls_options=TLSOptions(certificate))
    local = lambda *towards: alice.run(alice.engine.local_address, "tls", *towards)  # noqa: E731
    assert alice.ports()["tls"] is None
    assert local() == local("10.0.0.2") == ("10.0.0.1", 5061)
    assert alice.options(TLS, "bob.example").data.code == 200
    [packet] = network.packets.select(kind="syn")
    assert local("10.0.0.2") == local(Hop("tls", "10.0.0.2", 5061, "bob.example")) == packet.source
    assert local("10.0.0.9") == ("10.0.0.1", 5061)
    contact = alice.run(alice.engine.local_contact, Hop("tls", "10.0.0.2", 5061, "bob.example"))
    assert str(contact.uri) == f"sip:10.0.0.1:{packet.source[1]};transport=tls"


def test_a_transport_that_is_not_served_can_still_be_used_to_send(
    network: MemoryNetwork, alice: Host, bob: Host
) -> None:
    alice.start(udp_port=0)
    bob.start(udp_port=5060, tcp_port=5060)
    assert alice.options(Route("10.0.0.2", 5060, "tcp"), "10.0.0.2").data.code == 200
    with pytest.raises(EngineError, match="tcp is not running"):
        alice.run(alice.engine.local_address, "tcp")


def test_without_tls_a_request_over_it_fails(network: MemoryNetwork, alice: Host) -> None:
    alice.start(udp_port=0)
    failed = alice.options(TLS, "bob.example")
    assert failed.data.code == 503
    assert "there is no TLS" in failed.data.reason


def invite(host: Host, route: Route, domain: str) -> Invitation:
    def call() -> Invitation:
        invitation = Invitation()
        uri = SIPURI(domain, user="bob")
        invitation.send_invite(
            uri, FromHeader(SIPURI("a.example", user="alice")), ToHeader(uri), route_header_to(route),
            ContactHeader(host.engine.local_contact(Hop(route.transport, route.address, route.effective_port)).uri),
            SDPSession("10.0.0.1"),
        )  # fmt: skip
        return invitation

    return host.run(call)


def test_a_call_over_tls_stays_on_its_connection(
    network: MemoryNetwork, alice: Host, bob: Host, authority: CertificateAuthority, certificate: Path
) -> None:
    """The callee's contact is an address: the one that has proven its name, though no certificate has it."""
    alice.start(tls_port=0, tls_options=TLSOptions(ca_list=authority.certificates))
    bob.start(tls_port=5061, tls_options=TLSOptions(certificate))
    assert alice.options(TLS, "bob.example").data.code == 200
    call = invite(alice, TLS, "bob.example")
    network.run_until(lambda: bob.recorder.count("SIPInvitationChangedState"))
    answer = bob.recorder.find_all("SIPInvitationChangedState")[0].sender
    bob.run(answer.send_response, 200, None, None, SDPSession("10.0.0.2"))
    network.run_until(lambda: answer.state == "connected" and call.state == "connected")
    assert call.transport == answer.transport == "tls"
    # the caller has no port for TLS: the callee's BYE goes where its contact says, which is the connection
    bob.run(answer.end)
    network.run_until(lambda: call.state == "disconnected")
    assert len(network.packets.select(kind="syn")) == 1


# Large requests


def test_a_large_request_goes_over_tcp(network: MemoryNetwork, alice: Host, bob: Host) -> None:
    """RFC 3261 18.1.1."""
    alice.start(udp_port=5060, tcp_port=5060)
    bob.start(udp_port=5060, tcp_port=5060)
    assert alice.options(Route("10.0.0.2", 5060, "udp"), "10.0.0.2", body=b"x" * 1500).data.code == 200
    assert [packet.transport for packet in network.packets.select(starts_with=b"OPTIONS")] == ["tcp"]


# Bounds


@pytest.mark.parametrize(
    ("extra", "code"),
    [(b"X-Some: thing\r\n" * 190, 200), (b"X-Some: thing\r\n" * 250, 513), (b"X-Long: " + b"x" * 9000 + b"\r\n", 513)],
    ids=["many headers", "too many headers", "too long a header"],
)
def test_headers_are_bounded(network: MemoryNetwork, bob: Host, extra: bytes, code: int) -> None:
    bob.start(udp_port=5060)
    from twisted.internet.protocol import DatagramProtocol

    got: list[bytes] = []
    peer = DatagramProtocol()
    peer.datagramReceived = lambda datagram, addr: got.append(datagram)  # type: ignore[method-assign]
    port = network.add_host("peer", "10.0.0.9").listenUDP(5060, peer)
    port.write(
        b"OPTIONS sip:bob@10.0.0.2 SIP/2.0\r\nVia: SIP/2.0/UDP 10.0.0.9;branch=z9hG4bK1\r\nMax-Forwards: 70\r\n"
        b"From: <sip:a@a.example>;tag=1\r\nTo: <sip:bob@10.0.0.2>\r\nCall-ID: c1\r\nCSeq: 1 OPTIONS\r\n"
        + extra
        + b"\r\n",
        ("10.0.0.2", 5060),
    )
    network.run_until(lambda: got)
    assert got[0].startswith(b"SIP/2.0 %d " % code)


# Keep-alives


def test_a_flow_is_kept_alive(network: MemoryNetwork, alice: Host, bob: Host) -> None:
    alice.start(udp_port=5060)
    bob.start(udp_port=5060, tcp_port=5060)
    failed: list[Exception] = []
    hop = Hop("udp", "10.0.0.2", 5060)
    keep_alive = alice.run(alice.engine.keep_alive, hop, 25.0, failed.append)
    network.advance(60.0)
    assert keep_alive.mapped_address == ("10.0.0.1", 5060)
    network.partition("alice", "bob")
    network.run_until(lambda: failed, timeout=120.0)
    assert "did not answer" in str(failed[0])


# Traces


def test_traces_are_in_the_order_of_what_happened(network: MemoryNetwork, alice: Host, bob: Host) -> None:
    """A message is traced before the network has it: nobody has traced it as received by then."""
    seen: list[tuple[str, bool]] = []
    network.latency = 0.0
    for host in (alice, bob):
        host.start(udp_port=5060, trace_sip=True)
        post = host.engine._trace

        def traced(received: bool, *rest: Any, host: Host = host, post: Any = post) -> None:
            seen.append((host.realm.name, received))
            post(received, *rest)

        assert host.engine._transports is not None
        host.engine._transports.trace = traced
    alice.options(Route("10.0.0.2", 5060, "udp"), "10.0.0.2")
    assert seen == [("alice", False), ("bob", True), ("bob", False), ("alice", True)]
    sent, received = (host.recorder.find_all("SIPEngineSIPTrace")[0].data for host in (alice, bob))
    assert (sent.received, received.received) == (False, True)
    for data in (sent, received):
        assert (data.source_ip, data.source_port) == ("10.0.0.1", 5060)
        assert (data.destination_ip, data.destination_port, data.transport) == ("10.0.0.2", 5060, "udp")
    assert sent.timestamp <= received.timestamp


def test_traces_can_be_switched(network: MemoryNetwork, alice: Host, bob: Host) -> None:
    alice.start(udp_port=5060)
    bob.start(udp_port=5060)
    route = Route("10.0.0.2", 5060, "udp")
    alice.options(route, "10.0.0.2")
    assert alice.recorder.count("SIPEngineSIPTrace") == 0
    alice.engine.trace_sip = True
    alice.options(route, "10.0.0.2")
    assert alice.recorder.count("SIPEngineSIPTrace") == 2
    alice.engine.trace_sip = False
    alice.options(route, "10.0.0.2")
    assert alice.recorder.count("SIPEngineSIPTrace") == 2


# Defects


def test_a_defect_is_told_and_everything_goes_on(
    network: MemoryNetwork, alice: Host, bob: Host, caplog: pytest.LogCaptureFixture
) -> None:
    alice.start(udp_port=5060)
    bob.start(udp_port=5060)

    def broken(*args: Any) -> None:
        raise ZeroDivisionError("a mistake")

    core = bob.engine.core
    good = core._servers["OPTIONS"]
    core._servers["OPTIONS"] = broken
    route = Route("10.0.0.2", 5060, "udp")
    assert alice.options(route, "10.0.0.2").data.code == 500
    data = bob.recorder.assert_one("SIPEngineGotException", bob.engine).data
    assert (data.type, data.value) == ("ZeroDivisionError", "a mistake")
    assert "in broken" in data.traceback
    assert [record.name for record in caplog.records] == ["sipsimple.core.engine"]
    core._servers["OPTIONS"] = good
    assert alice.options(route, "10.0.0.2").data.code == 200


# Settings


def save(agent: UserAgent, **values: Any) -> None:
    def change() -> None:
        settings = SIPSimpleSettings()
        for name, value in values.items():
            group, _, setting = name.partition("__")
            setattr(getattr(settings, group), setting, value)
        settings.save()

    agent.run(change)
    agent.network.run_idle()


def ports(agent: UserAgent) -> dict[str, int | None]:
    transports = agent.run(Engine)._transports
    assert transports is not None
    return {name: transports.port(name) for name in ("udp", "tcp", "tls")}


def test_settings_take_effect_when_they_are_saved(network: MemoryNetwork, certificate: Path) -> None:
    """APP-032, APP-033: without a restart; what can't be had is told, and leaves everything else alone."""
    agent = UserAgent(network, "alice", transports=["udp", "tcp"])
    save(agent, sip__udp_port=5070)
    assert ports(agent) == {"udp": 5070, "tcp": 5060, "tls": None}
    save(agent, sip__transport_list=("udp", "tls"), sip__tls_port=5071, tls__certificate=str(certificate))
    assert ports(agent) == {"udp": 5070, "tcp": None, "tls": 5071}
    save(agent, tls__certificate="/nowhere.pem")
    error = agent.recorder.assert_one("SIPApplicationFailedToStartTLS", agent.application).data.error
    assert "/nowhere.pem" in str(error)
    assert ports(agent) == {"udp": 5070, "tcp": None, "tls": 5071}
    save(agent, tls__certificate=None)
    assert ports(agent) == {"udp": 5070, "tcp": None, "tls": None}
    assert agent.run(agent.run(Engine).local_address, "tls")[1] == 5061
    save(agent, sip__transport_list=("udp",))
    with pytest.raises(EngineError):
        agent.run(agent.run(Engine).local_address, "tls")
    assert agent.recorder.count("SIPApplicationFailedToListen") == 0
    agent.stop()


def test_a_port_of_the_settings_that_is_taken(network: MemoryNetwork) -> None:
    from twisted.internet.protocol import DatagramProtocol

    agent = UserAgent(network, "alice")
    agent.reactor.listenUDP(6000, DatagramProtocol())
    save(agent, sip__udp_port=6000)
    data = agent.recorder.assert_one("SIPApplicationFailedToListen", agent.application).data
    assert (data.transport, data.port) == ("udp", 6000)
    assert "6000" in str(data.error)
    assert ports(agent)["udp"] == 5060
    agent.stop()


def test_traces_and_the_name_of_the_user_agent_follow_the_settings(network: MemoryNetwork) -> None:
    agent = UserAgent(network, "alice")
    save(agent, logs__trace_sip=True)
    assert agent.run(Engine).trace_sip

    def rename() -> None:
        settings = SIPSimpleSettings()
        settings.user_agent = "Another 1.0"
        settings.save()

    agent.run(rename)
    network.run_idle()
    assert agent.run(Engine).user_agent == "Another 1.0"
    agent.stop()
    # a stopped application follows no settings
    save(agent, sip__udp_port=5080)


def test_what_is_not_saved_has_no_effect(network: MemoryNetwork) -> None:
    agent = UserAgent(network, "alice")

    def change() -> None:
        settings = SIPSimpleSettings()
        settings.sip.udp_port = 5090
        settings.save_setting("logs.trace_sip", True)

    agent.run(change)
    network.run_idle()
    assert ports(agent)["udp"] == 5060
    agent.stop()


def test_tls_without_a_certificate_is_no_failure(network: MemoryNetwork) -> None:
    agent = UserAgent(network, "alice", transports=["tls", "udp"])
    assert agent.recorder.count("SIPApplicationFailedToStartTLS") == 0
    assert agent.run(agent.run(Engine).local_address, "tls") == (agent.ip, 5061)
    agent.stop()
