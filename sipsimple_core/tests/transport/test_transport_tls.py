"""SIP over TLS: whose certificate is taken for what, on the in-memory network and on real loopback sockets."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, PrivateFormat
from OpenSSL import SSL
from twisted.internet.protocol import ClientFactory, Protocol
from twisted.internet.selectreactor import SelectReactor

from sipsimple.core.protocol.hop import Hop, UnreachableError
from sipsimple.core.transport import limits
from sipsimple.core.transport.interface import CertificateError, ListenError, TLSError, TransportError
from sipsimple.core.transport.manager import Transports
from sipsimple.core.transport.tls import TLSOptions
from sipsimple.core.transport.tls_names import names_of
from sipsimple.core.wire.message import SIPRequest, make_response
from sipsimple.testing.certificates import CertificateAuthority
from sipsimple.testing.network import MemoryNetwork

#: What OpenSSL is handed are objects of cryptography; those of pyOpenSSL are on their way out.
pytestmark = pytest.mark.filterwarnings("error::DeprecationWarning")

BOB = Hop("tls", "10.0.0.2", 5061, "bob.example")


def make_request(body: bytes = b"hello") -> SIPRequest:
    headers = [
        ("Via", "SIP/2.0/TLS 10.0.0.1:5061;branch=z9hG4bKx1"),
        ("Max-Forwards", "70"),
        ("From", "<sip:alice@example.com>;tag=a1"),
        ("To", "<sip:bob@example.com>"),
        ("Call-ID", "c1"),
        ("CSeq", "1 MESSAGE"),
        ("Content-Type", "text/plain"),
    ]
    return SIPRequest("MESSAGE", "sip:bob@bob.example", headers, body)


MESSAGE = make_request().encode()


class Endpoint:
    """Transports on one host; records what they say."""

    def __init__(self, reactor: Any) -> None:
        self.reactor = reactor
        self.received: list[Any] = []
        self.failed: list[Any] = []
        self.transports = Transports(
            reactor,
            lambda message, source: self.received.append((message, source)),
            lambda hop, error: self.failed.append((hop, error)),
        )

    @property
    def connections(self) -> int:
        return len(self.transports._streams["tls"])


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> CertificateAuthority:
    return CertificateAuthority(tmp_path_factory.mktemp("certificates"))


@pytest.fixture(scope="module")
def good(authority: CertificateAuthority) -> Path:
    return authority.issue("good", dns=["bob.example"])


@pytest.fixture(scope="module")
def other(authority: CertificateAuthority) -> Path:
    return authority.issue("other", dns=["other.example", "www.other.example"])


@pytest.fixture
def network() -> Any:
    network = MemoryNetwork()
    yield network
    network.close()


@pytest.fixture
def alice(network: MemoryNetwork, authority: CertificateAuthority) -> Endpoint:
    alice = Endpoint(network.add_host("alice", "10.0.0.1"))
    alice.transports.configure_tls(TLSOptions(ca_list=authority.certificates))
    return alice


@pytest.fixture
def bob(network: MemoryNetwork) -> Endpoint:
    return Endpoint(network.add_host("bob", "10.0.0.2"))


def serve(endpoint: Endpoint, certificate: Path, **options: Any) -> None:
    endpoint.transports.configure_tls(TLSOptions(certificate=certificate, **options))
    endpoint.transports.listen("tls", 5061)


def failure(network: MemoryNetwork, alice: Endpoint, bob: Endpoint, hop: Hop = BOB) -> Exception:
    """The error of sending a message to Bob; he has got nothing of it."""
    alice.transports.send(MESSAGE, hop)
    network.run_until(lambda: alice.failed)
    network.run_until(lambda: not alice.connections and not bob.connections)
    [(failed, error)] = alice.failed
    assert failed == hop
    assert bob.received == []
    assert isinstance(error, UnreachableError)  # another hop may be tried
    return error


# A connection and its uses


def test_a_verified_connection_serves_both_directions(
    network: MemoryNetwork, alice: Endpoint, bob: Endpoint, good: Path
) -> None:
    serve(bob, good)
    for _ in range(3):
        alice.transports.send(MESSAGE, BOB)
    network.run_until(lambda: len(bob.received) == 3)
    message, source = bob.received[0]
    assert (message.body, source.transport, source.host, source.name) == (b"hello", "tls", "10.0.0.1", None)
    bob.transports.send(make_response(message, 200).encode(), source)
    network.run_until(lambda: alice.received)
    assert alice.received[0][1] == BOB
    assert alice.connections == bob.connections == 1
    # nothing of it can be read on the way
    assert network.packets.select(contains=b"hello") == []


def test_what_is_sent_is_traced_when_the_name_is_proven(
    network: MemoryNetwork, alice: Endpoint, bob: Endpoint, good: Path
) -> None:
    traced: list[Any] = []
    alice.transports.trace = lambda *what: traced.append(what)
    serve(bob, good)
    alice.transports.send(MESSAGE, BOB)
    assert traced == []
    network.run_until(lambda: bob.received)
    [(received, data, local, remote)] = traced
    assert (received, data, remote) == (False, MESSAGE, BOB)
    assert (local.host, local.port) == bob.received[0][1][1:3]


def test_large_messages_and_a_peer_that_reads_slowly(
    network: MemoryNetwork, alice: Endpoint, bob: Endpoint, good: Path
) -> None:
    network.tcp_window = 4096
    serve(bob, good)
    bodies = [b"%d" % number * 20_000 for number in range(10)]
    for body in bodies:
        alice.transports.send(make_request(body).encode(), BOB)
    network.run_until(lambda: len(bob.received) == 10)
    assert [message.body for message, _ in bob.received] == bodies


def test_a_ping_gets_a_pong(network: MemoryNetwork, alice: Endpoint, bob: Endpoint, good: Path) -> None:
    serve(bob, good)
    alice.transports.send(MESSAGE, BOB)
    network.run_until(lambda: bob.received)
    network.advance(5.0)
    connection = alice.transports.connection(BOB)
    connection.ping()
    network.advance(1.0)
    assert connection.last_received > network.now - 1.0


def test_a_connection_is_used_for_no_other_name(
    network: MemoryNetwork, alice: Endpoint, bob: Endpoint, authority: CertificateAuthority
) -> None:
    """RFC 5922 7.3, RFC 5923: the same address under another name is verified anew, though the certificate has both."""
    serve(bob, authority.issue("both", dns=["bob.example", "robert.example"], addresses=["10.0.0.2"]))
    for hop in (BOB, BOB.named("robert.example"), BOB.named("10.0.0.2"), BOB):
        alice.transports.send(MESSAGE, hop)
    network.run_until(lambda: len(bob.received) == 4)
    assert alice.connections == 3
    assert len({source for _, source in bob.received}) == 3


def test_a_connection_for_one_name_does_not_help_another(
    network: MemoryNetwork, alice: Endpoint, bob: Endpoint, good: Path
) -> None:
    serve(bob, good)
    alice.transports.send(MESSAGE, BOB)
    network.run_until(lambda: bob.received)
    bob.received.clear()
    hop = BOB.named("evil.example")
    alice.transports.send(MESSAGE, hop)
    network.run_until(lambda: alice.failed)
    [(failed, error)] = alice.failed
    assert failed == hop
    assert error.expected == "evil.example"
    assert alice.transports.is_connected(BOB)
    assert bob.received == []


def test_the_wanted_name_is_told_to_the_server(
    network: MemoryNetwork, alice: Endpoint, bob: Endpoint, good: Path
) -> None:
    """SNI (RFC 6066 3): names are told, addresses are not."""
    serve(bob, good)
    told: list[Any] = []
    context = bob.transports._tls.contexts._server
    context.set_tlsext_servername_callback(lambda connection: told.append(connection.get_servername()))
    alice.transports.send(MESSAGE, BOB)
    network.run_until(lambda: bob.received)
    alice.transports.send(MESSAGE, BOB.named("10.0.0.2"))
    network.run_until(lambda: alice.failed)
    assert told == [b"bob.example", None]


# Certificates that are refused


def test_a_certificate_for_another_name(network: MemoryNetwork, alice: Endpoint, bob: Endpoint, other: Path) -> None:
    serve(bob, other)
    error = failure(network, alice, bob)
    assert isinstance(error, CertificateError)
    assert (error.expected, error.presented) == ("bob.example", "other.example, www.other.example")
    assert "expected was bob.example, presented was other.example, www.other.example" in str(error)


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ({"dns": ["bob.example"], "self_signed": True}, "self-signed"),
        ({"dns": ["bob.example"], "expired": True}, "expired"),
    ],
    ids=["self-signed", "expired"],
)
def test_a_certificate_that_is_not_valid(
    network: MemoryNetwork, alice: Endpoint, bob: Endpoint, authority: CertificateAuthority, names: Any, reason: str
) -> None:
    serve(bob, authority.issue("invalid", **names))
    error = failure(network, alice, bob)
    assert isinstance(error, CertificateError)
    assert reason in str(error)
    assert (error.expected, error.presented) == ("bob.example", "bob.example")


def test_an_authority_that_is_not_trusted(
    network: MemoryNetwork, alice: Endpoint, bob: Endpoint, tmp_path: Path
) -> None:
    serve(bob, CertificateAuthority(tmp_path, "Strange Authority").issue("strange", dns=["bob.example"]))
    error = failure(network, alice, bob)
    assert isinstance(error, CertificateError)
    assert "no trusted authority issued it" in str(error)


def test_without_a_list_the_authorities_of_the_system_are_trusted(
    network: MemoryNetwork, alice: Endpoint, bob: Endpoint, good: Path
) -> None:
    alice.transports.configure_tls(TLSOptions())
    serve(bob, good)
    assert isinstance(failure(network, alice, bob), CertificateError)


def test_without_verification_any_certificate_will_do(
    network: MemoryNetwork, alice: Endpoint, bob: Endpoint, authority: CertificateAuthority
) -> None:
    alice.transports.configure_tls(TLSOptions(verify_server=False))
    serve(bob, authority.issue("bad", dns=["other.example"], expired=True, self_signed=True))
    alice.transports.send(MESSAGE, BOB)
    network.run_until(lambda: bob.received)


def test_the_address_itself_may_be_proven(
    network: MemoryNetwork, alice: Endpoint, bob: Endpoint, authority: CertificateAuthority
) -> None:
    """Where a URI names an address there is no other name to prove."""
    hop = BOB.named("10.0.0.2")
    assert hop.name is None
    serve(bob, authority.issue("address", addresses=["10.0.0.2"]))
    alice.transports.send(MESSAGE, hop)
    network.run_until(lambda: bob.received)


class Plain(Protocol):
    """A server that answers in the clear."""

    def dataReceived(self, data: bytes) -> None:
        self.transport.write(b"SIP/2.0 400 Bad Request\r\n\r\n")


def raw_server(endpoint: Endpoint, protocol: type[Protocol]) -> None:
    factory = ClientFactory()
    factory.buildProtocol = lambda address: protocol()  # type: ignore[method-assign]
    endpoint.reactor.listenTCP(5061, factory)


def test_a_peer_that_speaks_no_tls(network: MemoryNetwork, alice: Endpoint, bob: Endpoint) -> None:
    raw_server(bob, Plain)
    alice.transports.send(MESSAGE, BOB)
    network.run_until(lambda: alice.failed)
    error = alice.failed[0][1]
    assert isinstance(error, UnreachableError)
    assert "the TLS handshake with tls:10.0.0.2:5061 (bob.example) failed: " in str(error)


def test_a_peer_that_does_not_answer_the_handshake(network: MemoryNetwork, alice: Endpoint, bob: Endpoint) -> None:
    raw_server(bob, Protocol)
    alice.transports.send(MESSAGE, BOB)
    start = network.now
    network.run_until(lambda: alice.failed, timeout=60.0)
    assert network.now - start < limits.HANDSHAKE_TIMEOUT + 2 * limits.CHECK_INTERVAL
    assert "no TLS handshake" in str(alice.failed[0][1])
    assert isinstance(alice.failed[0][1], UnreachableError)


def test_a_client_that_does_not_finish_the_handshake(
    network: MemoryNetwork, alice: Endpoint, bob: Endpoint, good: Path, caplog: pytest.LogCaptureFixture
) -> None:
    serve(bob, good)
    factory = ClientFactory()
    factory.buildProtocol = lambda address: Protocol()  # type: ignore[method-assign]
    alice.reactor.connectTCP("10.0.0.2", 5061, factory)
    network.run_until(lambda: bob.connections)
    network.run_until(lambda: not bob.connections, timeout=60.0)
    assert "no TLS handshake" in caplog.text
    assert len(caplog.records) == 1


@pytest.mark.parametrize(
    "data", [b"OPTIONS sip:bob@bob.example SIP/2.0\r\n\r\n", b"\x16\x03\x01\x00\x05hello", b"\0" * 100]
)
def test_garbage_instead_of_a_handshake_costs_one_line(
    network: MemoryNetwork, alice: Endpoint, bob: Endpoint, good: Path, caplog: pytest.LogCaptureFixture, data: bytes
) -> None:
    serve(bob, good)
    peer = Protocol()
    factory = ClientFactory()
    factory.buildProtocol = lambda address: peer  # type: ignore[method-assign]
    alice.reactor.connectTCP("10.0.0.2", 5061, factory)
    network.run_until(lambda: bob.connections)
    peer.transport.write(data)
    network.run_until(lambda: not bob.connections)
    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert "TLS handshake with tls:10.0.0.1:" in caplog.text


# Clients that have to prove who they are


@pytest.mark.parametrize("transport", ["a certificate of the authority", "none"])
def test_clients_with_and_without_a_certificate(
    network: MemoryNetwork, alice: Endpoint, bob: Endpoint, authority: CertificateAuthority, good: Path, transport: str
) -> None:
    serve(bob, good, ca_list=authority.certificates, verify_client=True)
    if transport == "none":
        alice.transports.send(MESSAGE, BOB)
        network.run_until(lambda: alice.failed)
        assert bob.received == []
    else:
        certificate = authority.issue("alice", uris=["sip:alice@example.com"])
        alice.transports.configure_tls(TLSOptions(certificate, authority.certificates))
        alice.transports.send(MESSAGE, BOB)
        network.run_until(lambda: bob.received)


def test_a_client_of_another_authority_is_refused_with_one_line(
    network: MemoryNetwork, alice: Endpoint, bob: Endpoint, authority: CertificateAuthority, good: Path, tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    serve(bob, good, ca_list=authority.certificates, verify_client=True)
    certificate = CertificateAuthority(tmp_path, "Strange Authority").issue("alice", dns=["alice.example"])
    alice.transports.configure_tls(TLSOptions(certificate, authority.certificates))
    alice.transports.send(MESSAGE, BOB)
    network.run_until(lambda: alice.failed)
    network.run_until(lambda: not bob.connections)
    assert bob.received == []
    assert len(caplog.records) == 1
    assert "alice.example" in caplog.text


# Options


def test_without_a_certificate_we_can_connect_but_not_be_connected_to(alice: Endpoint) -> None:
    with pytest.raises(ListenError, match="there is no certificate"):
        alice.transports.listen("tls", 5061)
    assert alice.transports.listeners == []


def test_without_tls_there_is_no_tls(network: MemoryNetwork, bob: Endpoint) -> None:
    with pytest.raises(ListenError, match="TLS is not configured"):
        bob.transports.listen("tls", 5061)
    with pytest.raises(TransportError, match="there is no TLS"):
        bob.transports.send(MESSAGE, BOB)
    assert not bob.transports.is_connected(BOB)


def encrypted(path: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))
    file = path.with_name("encrypted.pem")
    file.write_bytes(path.read_bytes().partition(b"-----BEGIN PRIVATE KEY")[0] + secret)
    return file


def without_key(path: Path) -> Path:
    file = path.with_name("without-key.pem")
    file.write_bytes(path.read_bytes().partition(b"-----BEGIN PRIVATE KEY")[0])
    return file


def of_another_key(path: Path) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    from cryptography.hazmat.primitives.serialization import NoEncryption

    file = path.with_name("another-key.pem")
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(path.read_bytes().partition(b"-----BEGIN PRIVATE KEY")[0] + private)
    return file


def text(path: Path) -> Path:
    file = path.with_name("text.pem")
    file.write_text("this is no certificate\n")
    return file


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda path: path.with_name("nowhere.pem"), "No such file"),
        (lambda path: path.parent, "directory"),
        (text, "no certificate in PEM"),
        (without_key, "no private key in PEM"),
        (encrypted, "passphrase"),
        (of_another_key, "not that of the certificate"),
    ],
)
def test_a_certificate_that_is_wrong_is_a_named_error(bob: Endpoint, good: Path, damage: Any, reason: str) -> None:
    path = damage(good)
    with pytest.raises(TLSError, match=reason) as caught:
        bob.transports.configure_tls(TLSOptions(certificate=path))
    assert str(path) in str(caught.value)
    with pytest.raises(ListenError):
        bob.transports.listen("tls", 5061)


@pytest.mark.parametrize("damage", [lambda path: path.with_name("nowhere.pem"), text])
def test_a_list_of_authorities_that_is_wrong_is_a_named_error(bob: Endpoint, good: Path, damage: Any) -> None:
    with pytest.raises(TLSError, match="list of authorities"):
        bob.transports.configure_tls(TLSOptions(ca_list=damage(good)))


def test_other_options_hold_for_connections_to_come(
    network: MemoryNetwork, alice: Endpoint, bob: Endpoint, good: Path, authority: CertificateAuthority
) -> None:
    """The port stays open: a renewed certificate interrupts nothing."""
    serve(bob, good)
    alice.transports.send(MESSAGE, BOB)
    network.run_until(lambda: bob.received)
    bob.transports.configure_tls(TLSOptions(authority.issue("renewed", dns=["robert.example"])))
    alice.transports.send(MESSAGE, BOB)
    alice.transports.send(MESSAGE, BOB.named("robert.example"))
    network.run_until(lambda: len(bob.received) == 3)
    assert alice.failed == []


def test_a_wrong_option_changes_nothing(network: MemoryNetwork, alice: Endpoint, bob: Endpoint, good: Path) -> None:
    serve(bob, good)
    with pytest.raises(TLSError):
        bob.transports.configure_tls(TLSOptions(certificate=good.with_name("nowhere.pem")))
    alice.transports.send(MESSAGE, BOB)
    network.run_until(lambda: bob.received)


def test_connections_that_had_to_prove_less_are_closed(
    network: MemoryNetwork, alice: Endpoint, bob: Endpoint, other: Path, authority: CertificateAuthority
) -> None:
    serve(bob, other)
    alice.transports.configure_tls(TLSOptions(verify_server=False))
    alice.transports.send(MESSAGE, BOB)
    network.run_until(lambda: bob.received)
    alice.transports.configure_tls(TLSOptions(ca_list=authority.certificates))
    assert [hop for hop, _ in alice.failed] == [BOB]
    assert not alice.transports.is_connected(BOB)
    alice.failed.clear()
    bob.received.clear()
    alice.transports.send(MESSAGE, BOB)
    network.run_until(lambda: alice.failed)
    assert isinstance(alice.failed[0][1], CertificateError)
    assert bob.received == []


def test_tls_can_be_switched_off(network: MemoryNetwork, alice: Endpoint, bob: Endpoint, good: Path) -> None:
    serve(bob, good)
    alice.transports.send(MESSAGE, BOB)
    network.run_until(lambda: bob.received)
    done: list[Any] = []
    bob.transports.disable_tls().addCallback(done.append)
    network.run_until(lambda: done)
    assert bob.transports.listeners == []
    network.run_until(lambda: alice.failed)
    serve(bob, good)  # the port is free


def test_closing_sends_what_waits_first(network: MemoryNetwork, alice: Endpoint, bob: Endpoint, good: Path) -> None:
    serve(bob, good)
    alice.transports.send(MESSAGE, BOB)
    network.run_until(lambda: bob.received)
    large = make_request(b"x" * 60_000).encode()
    alice.transports.send(large, BOB)
    alice.transports.send(large, BOB)
    done: list[Any] = []
    alice.transports.close().addCallback(done.append)
    network.run_until(lambda: done)
    network.run_until(lambda: len(bob.received) == 3)
    assert alice.connections == 0
    assert not alice.reactor.getDelayedCalls()


def test_openssl_is_loaded_when_it_is_needed() -> None:
    """TLS without a file costs nothing until the first connection; whether a reactor of Twisted's loads it is another
    question."""
    program = (
        "import sys\n"
        "from sipsimple.core.transport.manager import Transports\n"
        "from sipsimple.core.transport.tls import TLSOptions\n"
        "Transports(None, None, None).configure_tls(TLSOptions())\n"
        "loaded = [name for name in ('OpenSSL', 'cryptography', 'service_identity') if name in sys.modules]\n"
        "sys.exit(', '.join(loaded) or None)\n"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


def test_old_versions_are_refused(network: MemoryNetwork, bob: Endpoint, good: Path) -> None:
    serve(bob, good)
    server = SSL.Connection(bob.transports._tls.contexts._server, None)
    server.set_accept_state()
    context = SSL.Context(SSL.TLS_METHOD)
    context.set_cipher_list(b"ALL:@SECLEVEL=0")
    context.set_max_proto_version(SSL.TLS1_1_VERSION)
    client = SSL.Connection(context, None)
    client.set_connect_state()
    with pytest.raises(SSL.WantReadError):
        client.do_handshake()
    server.bio_write(client.bio_read(65536))
    with pytest.raises(SSL.Error, match=r"unsupported protocol|version"):
        server.do_handshake()


# Names (RFC 5922 7)


@pytest.mark.parametrize(
    ("names", "expected", "proven"),
    [
        ({"dns": ["example.com"]}, "example.com", True),
        ({"dns": ["EXAMPLE.com"]}, "Example.COM.", True),
        ({"dns": ["a.example", "b.example"]}, "b.example", True),
        ({"uris": ["sip:example.com"]}, "example.com", True),
        ({"uris": ["SIP:Example.com;transport=tls"]}, "example.com", True),
        ({"uris": ["sip:example.com:5061"]}, "example.com", True),
        # 7.1: a sip: URI takes the place of DNS names
        ({"uris": ["sip:example.com"], "dns": ["example.net"]}, "example.com", True),
        ({"uris": ["sip:example.com"], "dns": ["example.net"]}, "example.net", False),
        # other URIs do not
        ({"uris": ["https://example.com/", "urn:x:y"], "dns": ["example.net"]}, "example.net", True),
        ({"uris": ["https://example.com/"]}, "example.com", False),
        # 7.1: a user is no domain, and sips: does not count
        ({"uris": ["sip:alice@example.com"]}, "example.com", False),
        ({"uris": ["sip:alice@example.com"], "dns": ["example.com"]}, "example.com", True),
        ({"uris": ["sips:example.com"]}, "example.com", False),
        # 7.2: whole names, and no wildcards
        ({"dns": ["*.example.com"]}, "www.example.com", False),
        ({"dns": ["*.example.com"]}, "example.com", False),
        ({"dns": [".example.com"]}, "www.example.com", False),
        ({"dns": ["example.com"]}, "www.example.com", False),
        ({"dns": ["www.example.com"]}, "example.com", False),
        # 7.1: the common name counts where there is no subjectAltName
        ({"common_name": "example.com"}, "example.com", True),
        ({"common_name": "example.com", "dns": ["example.net"]}, "example.com", False),
        ({"common_name": "example.com", "uris": ["sip:example.net"]}, "example.com", False),
        ({"common_name": "example.com", "addresses": ["10.0.0.2"]}, "example.com", False),
        ({"common_name": "*.example.com"}, "*.example.com", False),
        ({"common_name": "Example Ltd"}, "Example Ltd", False),
        # addresses
        ({"addresses": ["10.0.0.2"]}, "10.0.0.2", True),
        ({"addresses": ["10.0.0.2"]}, "10.0.0.3", False),
        ({"addresses": ["2001:db8::1"]}, "2001:db8:0::1", True),
        ({"dns": ["10.0.0.2"]}, "10.0.0.2", True),
        ({"common_name": "10.0.0.2"}, "10.0.0.3", False),
        ({"dns": ["bob.example"], "addresses": ["10.0.0.2"]}, "bob.example", True),
    ],
)  # fmt: skip
def test_names(authority: CertificateAuthority, names: Any, expected: str, proven: bool) -> None:
    certificate = x509.load_pem_x509_certificate(authority.issue("names", **names).read_bytes())
    assert names_of(certificate).prove(expected) is proven


def test_what_an_error_shows_of_names_is_bounded(authority: CertificateAuthority) -> None:
    path = authority.issue("many", dns=[f"{'x' * 60}.{'y' * 60}.host{number}.example" for number in range(1000)])
    shown = str(names_of(x509.load_pem_x509_certificate(path.read_bytes())))
    assert len(shown) < 1500
    assert shown.endswith("…")


def test_a_hop_over_another_transport_has_no_name() -> None:
    assert Hop("tcp", "10.0.0.2", 5060).named("bob.example") == Hop("tcp", "10.0.0.2", 5060)
    assert Hop("tls", "10.0.0.2", 5061).named("Bob.Example.") == BOB
    assert Hop("tls", "10.0.0.2", 5061) != BOB
    assert str(BOB) == "tls:10.0.0.2:5061 (bob.example)"
    assert str(Hop("tls", "2001:db8::1", 5061)) == "tls:[2001:db8::1]:5061"


# Real sockets


def pump(reactor: Any, condition: Any, timeout: float = 10.0) -> None:
    limit = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < limit, "it did not come true in time"
        reactor.iterate(0.01)


@pytest.mark.parametrize("certificate", ["good", "other"])
def test_over_real_sockets(request: pytest.FixtureRequest, authority: CertificateAuthority, certificate: str) -> None:
    reactor = SelectReactor()
    alice, bob = Endpoint(reactor), Endpoint(reactor)
    alice.transports.configure_tls(TLSOptions(ca_list=authority.certificates))
    bob.transports.configure_tls(TLSOptions(certificate=request.getfixturevalue(certificate)))
    port = bob.transports.listen("tls", 0, "127.0.0.1").port
    hop = Hop("tls", "127.0.0.1", port, "bob.example")
    for number in range(20):
        alice.transports.send(make_request(b"%d" % number * 1000).encode(), hop)
    if certificate == "good":
        pump(reactor, lambda: len(bob.received) == 20)
        bob.transports.send(make_response(bob.received[0][0], 200).encode(), bob.received[0][1])
        pump(reactor, lambda: alice.received)
        assert alice.received[0][1] == hop
    else:
        pump(reactor, lambda: alice.failed)
        assert isinstance(alice.failed[0][1], CertificateError)
        assert bob.received == []
    done: list[Any] = []
    for endpoint in (alice, bob):
        endpoint.transports.close().addBoth(done.append)
    pump(reactor, lambda: len(done) == 2)
    assert not reactor.getDelayedCalls()
