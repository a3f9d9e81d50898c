"""TLS by OpenSSL (pyOpenSSL, as Twisted has it): our certificate, whom we trust, and what is wrong with a certificate.

To be imported only where TLS is used. TLS 1.2 is the least; ciphers are those that Twisted recommends.
"""

# mypy: allow-untyped-calls

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from ipaddress import ip_address
from logging import getLogger
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from OpenSSL import SSL, crypto
from twisted.internet import ssl
from twisted.internet.interfaces import IOpenSSLClientConnectionCreator, IOpenSSLServerConnectionCreator
from twisted.protocols.tls import TLSMemoryBIOFactory, TLSMemoryBIOProtocol
from zope.interface import implementer

from sipsimple.core.transport.interface import CertificateError, ConnectError, TLSError
from sipsimple.core.transport.tls_names import names_of

if TYPE_CHECKING:
    from twisted.internet.interfaces import IAddress

    from sipsimple.core.protocol.hop import Hop
    from sipsimple.core.transport.tls import AnyPath, TLSOptions

__all__ = ["TLSContexts", "TLSFactory"]

log = getLogger("sipsimple.transport")

#: A file of certificates is not read beyond this, in octets.
MAX_FILE_SIZE = 10_000_000

#: What OpenSSL's verification says by number (X509_verify_cert_error_string), for the errors that people meet.
_CHAIN_ERRORS = {
    2: "its issuer is not known",
    7: "its signature is wrong",
    9: "it is not valid yet",
    10: "it has expired",
    18: "it is self-signed",
    19: "an authority that is not trusted issued it",
    20: "no trusted authority issued it",
    21: "no trusted authority issued it",
    22: "its chain is too long",
    23: "it was revoked",
    24: "what issued it is no authority",
    26: "it is not meant for this purpose",
    66: "its key is too weak",
    67: "its authority's key is too weak",
    68: "its signature is too weak",
}


@implementer(IOpenSSLClientConnectionCreator, IOpenSSLServerConnectionCreator)
class _Creator:
    """Makes the OpenSSL side of a connection, of either direction, by a function."""

    def __init__(self, create: Callable[[TLSMemoryBIOProtocol], SSL.Connection]) -> None:
        self.clientConnectionForTLS = self.serverConnectionForTLS = create


class TLSFactory(TLSMemoryBIOFactory):
    """Does TLS around the protocols of another factory.

    :param create: makes the OpenSSL side of a connection.
    """

    def __init__(
        self, factory: Any, reactor: Any, is_client: bool, create: Callable[[TLSMemoryBIOProtocol], SSL.Connection]
    ) -> None:  # fmt: skip
        super().__init__(_Creator(create), is_client, factory, clock=reactor)

    def buildProtocol(self, addr: IAddress | None) -> TLSMemoryBIOProtocol | None:  # type: ignore[override]
        protocol = self.wrappedFactory.buildProtocol(addr)
        return None if protocol is None else self.protocol(self, protocol)


class TLSContexts:
    """What connections are made with.

    :raises TLSError: a file can't be read or does not hold what it should.
    """

    def __init__(self, options: TLSOptions) -> None:
        self._verify_server = options.verify_server
        own = {} if options.certificate is None else _own_certificate(options.certificate)
        roots = None if options.ca_list is None else _trust_roots(options.ca_list)
        self._client = _context(own, roots, options.verify_server)
        self._server = None if options.certificate is None else _context(own, roots, options.verify_client)

    def server_connection(self, protocol: TLSMemoryBIOProtocol) -> SSL.Connection:
        """The OpenSSL side of a connection that a peer has opened."""
        if self._server is None:
            raise TLSError("there is no certificate any more")
        connection = SSL.Connection(self._server, None)
        connection.set_app_data(protocol)
        return connection

    def client_connection(self, protocol: TLSMemoryBIOProtocol, hop: Hop) -> SSL.Connection:
        """The OpenSSL side of a connection that we open: it says whom we want (SNI, RFC 6066 3)."""
        connection = SSL.Connection(self._client, None)
        connection.set_app_data(protocol)
        if hop.name is not None and not _is_address(hop.name):
            connection.set_tlsext_host_name(hop.name.encode("ascii", "ignore"))
        return connection

    def name_error(self, hop: Hop, certificate: crypto.X509 | None) -> CertificateError | None:
        """Why a server's certificate, from a trusted authority, is not for the name of a hop; None if it is."""
        if not self._verify_server:
            return None
        expected = hop.name or hop.host
        if certificate is None:
            return CertificateError(hop, expected, "no certificate", "there is none")
        names = names_of(certificate.to_cryptography())
        # RFC 5922 7.3: without the name that we looked for it is not the server of that domain
        return None if names.prove(expected) else CertificateError(hop, expected, str(names), "it is for another name")

    @staticmethod
    def handshake_error(hop: Hop, error: BaseException | None) -> ConnectError:
        """Why a handshake failed, when it was not about the peer's certificate."""
        reason = str(error)
        if isinstance(error, SSL.Error) and error.args and isinstance(error.args[0], list):
            reason = "; ".join(str(entry[-1]) for entry in error.args[0] if entry) or "it was broken off"
        return ConnectError(f"the TLS handshake with {hop} failed: {reason}")


def _context(own: dict[str, Any], roots: Any, verify: bool) -> SSL.Context:
    options: dict[str, Any] = dict(own)
    if verify:
        options["trustRoot"] = ssl.platformTrust() if roots is None else roots
    try:
        context = ssl.CertificateOptions(**options, raiseMinimumTo=ssl.TLSVersion.TLSv1_2).getContext()
    except SSL.Error as error:
        raise TLSError(f"the certificate and its private key do not fit together: {error}") from error
    if verify:
        context.set_verify(SSL.VERIFY_PEER | SSL.VERIFY_FAIL_IF_NO_PEER_CERT, _chain_verified)
    return context


def _chain_verified(
    connection: SSL.Connection, certificate: crypto.X509, number: int, depth: int, accepted: int
) -> bool:
    """OpenSSL has looked at one certificate of the chain; if it refuses it, the connection is told why."""
    if accepted:
        return True
    peer = connection.get_app_data().wrappedProtocol
    presented = str(names_of(certificate.to_cryptography()))
    if depth:
        presented = f"a chain with the authority {presented}"
    expected = (peer.hop.name or peer.hop.host) if peer.outgoing else "a client of a trusted authority"
    reason = _CHAIN_ERRORS.get(number, f"error {number} of OpenSSL's verification")
    peer.refusal = CertificateError(peer.hop, expected, presented, reason)
    return False


def _read(path: AnyPath, what: str) -> bytes:
    try:
        with Path(path).open("rb") as file:
            content = file.read(MAX_FILE_SIZE + 1)
    except OSError as error:
        raise TLSError(f"{what} {path} can't be read: {error.strerror or error}") from error
    if len(content) > MAX_FILE_SIZE:
        raise TLSError(f"{what} {path} is larger than {MAX_FILE_SIZE} octets")
    return content


def _certificates(content: bytes, path: AnyPath, what: str) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(content)
    except ValueError as error:
        raise TLSError(f"{what} {path} holds no certificate in PEM") from error


def _own_certificate(path: AnyPath) -> dict[str, Any]:
    what = "the file with our certificate"
    content = _read(path, what)
    certificates = _certificates(content, path, what)
    try:
        # given no passphrase it asks for none, as OpenSSL would on the terminal
        key = load_pem_private_key(content, None)
    except TypeError as error:
        raise TLSError(f"the private key in {path} needs a passphrase; it has to be without one") from error
    except (ValueError, UnsupportedAlgorithm) as error:
        raise TLSError(f"{what} {path} holds no private key in PEM") from error
    own = certificates[0]
    if own.public_key() != key.public_key():
        raise TLSError(f"the private key in {path} is not that of the certificate, which is for {names_of(own)}")
    if own.not_valid_after_utc < datetime.now(UTC):
        log.warning("Our certificate %s has expired on %s", path, own.not_valid_after_utc.date())
    return {
        "certificate": own,
        "extraCertChain": certificates[1:],
        "privateKey": key,
    }


def _trust_roots(path: AnyPath) -> Any:
    what = "the list of authorities"
    certificates = _certificates(_read(path, what), path, what)
    return ssl.trustRootFromCertificates(
        [ssl.Certificate(crypto.X509.from_cryptography(certificate)) for certificate in certificates]
    )


def _is_address(name: str) -> bool:
    try:
        ip_address(name)
    except ValueError:
        return False
    return True
