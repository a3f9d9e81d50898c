"""TLS for `msrps` (RFC 4975 14.2, 14.4). Import it only where TLS is used: it takes OpenSSL with it."""

from __future__ import annotations

import hashlib
import hmac
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from OpenSSL import SSL, crypto
from twisted.internet import ssl
from twisted.internet.interfaces import IOpenSSLContextFactory
from twisted.protocols.tls import TLSMemoryBIOFactory
from zope.interface import implementer

if TYPE_CHECKING:
    from twisted.python.failure import Failure

__all__ = [
    "TLSParameters",
    "describe_failure",
    "fingerprint_of",
    "make_self_signed",
    "matches_fingerprint",
    "wrap_client",
    "wrap_server",
]

_HASHES = {"SHA-1": "sha1", "SHA-224": "sha224", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512"}
_SELF_SIGNED_DAYS = 30


@dataclass(frozen=True, slots=True, repr=False)
class TLSParameters:
    """A certificate and how the peer's is verified.

    :ivar certificate: PEM: our certificate, with those of the CAs between, if any; None on a client without
        one
    :ivar private_key: PEM, without a passphrase
    :ivar trust_roots: PEM: CAs that may have issued the peer's certificate; None for those of the system
    :ivar verify: 'ca': a server's certificate by CA and name, a client's by CA if `trust_roots` are given and
        not at all otherwise; 'fingerprint': any certificate, to be compared with the session's
        `remote_fingerprint` (RFC 4975 14.4), without which a client does not connect; 'none': any certificate
    :raises ValueError: `verify` is none of those, or there is a certificate without a key
    """

    certificate: bytes | None = None
    private_key: bytes | None = None
    trust_roots: bytes | None = None
    verify: str = "ca"

    def __post_init__(self) -> None:
        if self.verify not in ("ca", "fingerprint", "none"):
            raise ValueError("verify is 'ca', 'fingerprint' or 'none'")
        if (self.certificate is None) != (self.private_key is None):
            raise ValueError("a certificate needs its private key, and the key its certificate")

    def __repr__(self) -> str:
        return f"TLSParameters(verify={self.verify!r})"

    @classmethod
    def from_files(
        cls,
        certificate: Path | str,
        private_key: Path | str | None = None,
        trust_roots: Path | str | None = None,
        verify: str = "ca",
    ) -> TLSParameters:
        """Read PEM files; the key is in the certificate's file when no other is named.

        :raises OSError: a file cannot be read
        """
        text = Path(certificate).read_bytes()
        key = text if private_key is None else Path(private_key).read_bytes()
        roots = None if trust_roots is None else Path(trust_roots).read_bytes()
        return cls(text, key, roots, verify)

    @property
    def fingerprint(self) -> str:
        """Of our certificate, for `a=fingerprint` (RFC 8122): 'SHA-256 AB:CD:…'.

        :raises ValueError: there is no certificate
        """
        if self.certificate is None:
            raise ValueError("there is no certificate")
        return fingerprint_of(x509.load_pem_x509_certificate(self.certificate))


def make_self_signed(common_name: str) -> TLSParameters:
    """A fresh key and certificate, valid for 30 days, to be known by its fingerprint; `verify` is
    'fingerprint'."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name[:64])])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=_SELF_SIGNED_DAYS))
        .sign(key, hashes.SHA256())
    )
    return TLSParameters(
        certificate.public_bytes(serialization.Encoding.PEM),
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        ),
        verify="fingerprint",
    )


def fingerprint_of(certificate: x509.Certificate, algorithm: str = "SHA-256") -> str:
    """The text for `a=fingerprint` (RFC 8122 5)."""
    der = certificate.public_bytes(serialization.Encoding.DER)
    digest = hashlib.new(_HASHES[algorithm], der).digest()
    return f"{algorithm} {digest.hex(':').upper()}"


def matches_fingerprint(certificate: Any, fingerprint: str) -> bool:
    """The peer's certificate, None if it has none, is the one that was announced.

    An unknown hash, or text that is no fingerprint, matches nothing.
    """
    algorithm, _, value = fingerprint.strip().partition(" ")
    algorithm = algorithm.upper()
    if certificate is None or algorithm not in _HASHES:
        return False
    expected = fingerprint_of(certificate.to_cryptography(), algorithm).partition(" ")[2]
    return hmac.compare_digest(expected.encode(), value.strip().upper().encode())


@implementer(IOpenSSLContextFactory)
class _ContextFactory:
    """Gives each connection the same context."""

    def __init__(self, context: SSL.Context) -> None:
        self._context = context

    def getContext(self) -> SSL.Context:
        return self._context


def wrap_server(factory: Any, parameters: TLSParameters, reactor: Any) -> Any:
    """A factory that does TLS as a server around `factory`.

    :raises ValueError: there is no certificate
    """
    if parameters.certificate is None:
        raise ValueError("a TLS server needs a certificate")
    options: dict[str, Any] = _own_certificate(parameters)
    if parameters.verify == "ca" and parameters.trust_roots is not None:
        options["trustRoot"] = _trust_roots(parameters.trust_roots)
    context = ssl.CertificateOptions(**options, raiseMinimumTo=ssl.TLSVersion.TLSv1_2).getContext()
    if parameters.verify == "fingerprint":
        # RFC 4975 14.4: any certificate will do, if it is the one that was announced.
        context.set_verify(SSL.VERIFY_PEER, lambda *_: True)
    return TLSMemoryBIOFactory(_ContextFactory(context), False, factory, clock=reactor)


def wrap_client(factory: Any, parameters: TLSParameters, host: str, reactor: Any) -> Any:
    """A factory that does TLS as a client of `host` around `factory`."""
    options = _own_certificate(parameters) if parameters.certificate is not None else {}
    if parameters.verify == "ca":
        roots = None if parameters.trust_roots is None else _trust_roots(parameters.trust_roots)
        creator = ssl.optionsForClientTLS(host, trustRoot=roots, extraCertificateOptions=options)
        return TLSMemoryBIOFactory(creator, True, factory, clock=reactor)
    context = ssl.CertificateOptions(**options, raiseMinimumTo=ssl.TLSVersion.TLSv1_2).getContext()
    context.set_verify(SSL.VERIFY_NONE)
    return TLSMemoryBIOFactory(_ContextFactory(context), True, factory, clock=reactor)


def _own_certificate(parameters: TLSParameters) -> dict[str, Any]:
    try:
        own, *chain = x509.load_pem_x509_certificates(parameters.certificate or b"")
    except ValueError as error:
        raise ValueError("the certificate is not PEM") from error
    key = serialization.load_pem_private_key(parameters.private_key or b"", None)
    return {"certificate": own, "extraCertChain": chain, "privateKey": key}


def _trust_roots(text: bytes) -> Any:
    certificates = x509.load_pem_x509_certificates(text)
    return ssl.trustRootFromCertificates(
        [ssl.Certificate(crypto.X509.from_cryptography(each)) for each in certificates]
    )


def describe_failure(failure: Failure) -> str:
    """What is wrong with a peer's certificate: for which name it is not, or what OpenSSL says."""
    from service_identity import VerificationError

    if failure.check(VerificationError):
        return "its certificate is for another name than that of its URI"
    return failure.getErrorMessage()
