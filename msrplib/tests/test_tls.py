"""TLS: certificates by CA and name, and by fingerprint (RFC 4975 14.2, 14.4); over memory, with real TLS."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from msrplib.errors import CertificateError, FingerprintError
from msrplib.session import MSRPSession
from msrplib.tls import TLSParameters, make_self_signed
from msrplib.transport import MSRPConnector, MSRPListener
from msrplib.uri import MSRPURI

#: What OpenSSL is handed are objects of cryptography; those of pyOpenSSL are on their way out.
pytestmark = pytest.mark.filterwarnings("error::DeprecationWarning")


class Authority:
    """A CA for the tests."""

    def __init__(self) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test CA")])
        builder = self._builder(self.name, self.key).add_extension(x509.BasicConstraints(True, None), True)
        self.certificate = builder.sign(self.key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
        )

    def issue(self, host: str, verify: str = "ca") -> TLSParameters:
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        names = x509.SubjectAlternativeName([x509.DNSName(host)])
        certificate = self._builder(subject, key).add_extension(names, False).sign(self.key, hashes.SHA256())
        return TLSParameters(
            certificate.public_bytes(serialization.Encoding.PEM),
            key.private_bytes(
                serialization.Encoding.PEM,
                serialization.PrivateFormat.PKCS8,
                serialization.NoEncryption(),
            ),
            self.certificate,
            verify,
        )


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


class Attempt:
    """A listener and a connector over TLS, and how it went."""

    def __init__(
        self,
        reactor: Any,
        recorder: Any,
        server: TLSParameters,
        client: TLSParameters | None,
        host: str = "10.0.0.1",
        client_expects: str | None = None,
        server_expects: str | None = None,
    ) -> None:
        self.reactor = reactor
        listener = MSRPListener(reactor, "10.0.0.1", tls=server, advertised_host=host)
        listener.start()
        connector = MSRPConnector(reactor, tls=client)
        self.passive = MSRPSession(listener.new_uri(), handler=recorder(), remote_fingerprint=server_expects)
        self.active = MSRPSession(
            connector.new_uri("10.0.0.2", secure=True),
            self.passive.local_path,
            recorder(),
            remote_fingerprint=client_expects,
        )
        self.passive.remote_path = self.active.local_path
        listener.expect(self.passive).addErrback(lambda failure: None)
        self.outcome: list[Any] = []
        connector.connect(self.active).addBoth(self.outcome.append)
        reactor.settle()

    @property
    def has_worked(self) -> bool:
        if self.outcome != [self.active]:
            return False
        outgoing = self.active.send_message(b"secret" * 20_000, "a/b", success_report="yes")
        self.reactor.settle()
        handler: Any = self.active.handler
        assert handler.sent[0][0] == outgoing.message_id
        assert b"secretsecret" not in b"".join(data for socket in self.reactor.sockets for data in socket.incoming)
        return bool(handler.delivered == [outgoing.message_id])


def test_by_name(reactor: Any, make_recorder: Any, authority: Authority) -> None:
    """RFC 4975 14.2: a certificate of a CA that is trusted, with the name of the host that is connected to."""
    attempt = Attempt(
        reactor,
        make_recorder,
        replace(authority.issue("relay.example"), trust_roots=None),
        TLSParameters(trust_roots=authority.certificate),
        "relay.example",
    )
    assert attempt.active.next_hop.secure
    assert attempt.has_worked


@pytest.mark.parametrize("wrong", ["name", "authority", "self-signed"])
def test_certificate_that_does_not_fit(reactor: Any, make_recorder: Any, authority: Authority, wrong: str) -> None:
    """RFC 4975 14.2: another name, a CA that is not trusted, none at all: no session, and nothing is sent."""
    server = {
        "name": replace(authority.issue("other.example"), trust_roots=None),
        "authority": replace(Authority().issue("relay.example"), trust_roots=None),
        "self-signed": make_self_signed("relay.example"),
    }[wrong]
    attempt = Attempt(reactor, make_recorder, server, TLSParameters(trust_roots=authority.certificate), "relay.example")
    assert not attempt.has_worked
    assert attempt.outcome[0].check(CertificateError)
    text = attempt.outcome[0].getErrorMessage()
    assert ("for another name" in text) is (wrong == "name") and "certificate" in text, text
    assert not attempt.active.is_closed
    assert not attempt.passive.is_bound


def test_by_fingerprint(reactor: Any, make_recorder: Any) -> None:
    """RFC 4975 14.4: self-signed certificates of both sides, known by what was announced."""
    alice, bob = make_self_signed("alice"), make_self_signed("bob")
    attempt = Attempt(
        reactor,
        make_recorder,
        bob,
        alice,
        client_expects=bob.fingerprint,
        server_expects=alice.fingerprint.lower().replace("sha-256", "SHA-256"),
    )
    assert attempt.has_worked


def test_wrong_fingerprint_of_the_server(reactor: Any, make_recorder: Any) -> None:
    """RFC 4975 14.4: the client finds another certificate: it says nothing and fails."""
    attempt = Attempt(
        reactor,
        make_recorder,
        make_self_signed("bob"),
        make_self_signed("alice"),
        client_expects=make_self_signed("bob").fingerprint,
    )
    assert attempt.outcome[0].check(FingerprintError)
    assert not attempt.passive.is_bound


def test_no_fingerprint_to_compare_with(reactor: Any, make_recorder: Any) -> None:
    """RFC 4975 14.4: who verifies by fingerprint does not connect to a peer that announced none."""
    attempt = Attempt(reactor, make_recorder, make_self_signed("bob"), make_self_signed("alice"))
    assert attempt.outcome[0].check(FingerprintError)
    assert reactor.sockets == []


@pytest.mark.parametrize("has_certificate", [True, False])
def test_wrong_fingerprint_of_the_client(reactor: Any, make_recorder: Any, has_certificate: bool) -> None:
    """RFC 4975 14.4: the server finds another certificate, or none: 403, and it goes on waiting for the right one."""
    client = make_self_signed("mallory") if has_certificate else TLSParameters(verify="none")
    expected = make_self_signed("alice").fingerprint
    bob = make_self_signed("bob")
    attempt = Attempt(reactor, make_recorder, bob, client, client_expects=bob.fingerprint, server_expects=expected)
    assert attempt.outcome[0].value.code == 403
    assert not attempt.passive.is_bound
    assert not attempt.passive.is_closed


def test_fingerprint_that_is_known_later(reactor: Any, make_recorder: Any) -> None:
    """RFC 4975 14.4: an offerer learns the fingerprint after it was connected to; the session stays or goes by it."""
    alice, bob = make_self_signed("alice"), make_self_signed("bob")
    good = Attempt(reactor, make_recorder, bob, alice, client_expects=bob.fingerprint)
    good.passive.remote_fingerprint = alice.fingerprint
    assert good.has_worked
    bad = Attempt(reactor, make_recorder, bob, alice, client_expects=bob.fingerprint)
    bad.passive.remote_fingerprint = bob.fingerprint
    handler: Any = bad.passive.handler
    assert handler.closed[0].check(FingerprintError)


def test_clients_by_authority(reactor: Any, make_recorder: Any, authority: Authority) -> None:
    """A listener with trust roots lets in clients with a certificate of theirs, and no others."""
    server = authority.issue("relay.example")
    roots = TLSParameters(trust_roots=authority.certificate)
    assert Attempt(reactor, make_recorder, server, authority.issue("alice.example"), "relay.example").has_worked
    assert not Attempt(reactor, make_recorder, server, roots, "relay.example").has_worked


def test_no_tls_on_a_tls_port(reactor: Any, make_recorder: Any, make_raw_peer: Any) -> None:
    """Octets that are no TLS end their connection, and nothing else."""
    listener = MSRPListener(reactor, "10.0.0.1", tls=make_self_signed("bob"))
    listener.start()
    peer = make_raw_peer(listener)
    peer.say(b"MSRP abcd SEND\r\nTo-Path: x\r\n-------abcd$\r\n")
    peer.hear()
    assert peer.is_lost
    silent = make_raw_peer(listener)
    reactor.pass_time(30)
    assert silent.is_lost
    assert reactor.getDelayedCalls() == []


def test_parameters(tmp_path: Path, authority: Authority) -> None:
    """A key is needed with a certificate, is never shown, and both come from PEM files."""
    with pytest.raises(ValueError, match="key"):
        TLSParameters(certificate=authority.certificate)
    with pytest.raises(ValueError, match="verify"):
        TLSParameters(verify="maybe")
    parameters = authority.issue("a.example")
    assert parameters.private_key is not None
    assert parameters.certificate is not None
    assert "PRIVATE" not in repr(parameters)
    one = tmp_path / "one.pem"
    one.write_bytes(parameters.certificate + parameters.private_key)
    assert TLSParameters.from_files(one).fingerprint == parameters.fingerprint
    with pytest.raises(ValueError, match="certificate"):
        _ = TLSParameters().fingerprint


@pytest.mark.parametrize("text", ["", "SHA-256", "MD5 AA:BB", "SHA-256 AA:BB", "nonsense nonsense", "é é"])
def test_text_that_is_no_fingerprint(text: str) -> None:
    """RFC 8122 5: what can't be read, or uses a hash that is not trusted, matches nothing."""
    from OpenSSL import crypto

    from msrplib.tls import matches_fingerprint

    pem = make_self_signed("a").certificate
    assert pem is not None
    assert not matches_fingerprint(crypto.load_certificate(crypto.FILETYPE_PEM, pem), text)
    assert not matches_fingerprint(None, text)


def test_imports() -> None:
    """TLS is imported where it is used; the reactor of the process is never imported."""
    script = (
        "import sys, msrplib.transport, msrplib.session\n"
        'assert "OpenSSL" not in sys.modules and "cryptography" not in sys.modules\n'
        "import msrplib.tls\n"
        'assert "twisted.internet.reactor" not in sys.modules\n'
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=30)


def test_secure_uri_needs_tls(reactor: Any) -> None:
    """RFC 4975 6: `msrps` in the URI of a listener with TLS, and only there."""
    listener = MSRPListener(reactor, "10.0.0.1", tls=make_self_signed("bob"))
    listener.start()
    assert str(listener.new_uri()).startswith("msrps://")
    assert MSRPURI.parse(str(listener.new_uri())).secure
