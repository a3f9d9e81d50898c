"""Certificates for tests of TLS: an authority of one's own, and whatever it is to sign (RFC 5280, RFC 5922 6).

authority = CertificateAuthority(tmp_path)
server = authority.issue("server", dns=["example.com"], uris=["sip:example.com"])
# authority.certificates is a file for tls.ca_list, server one for tls.certificate
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

__all__ = ["CertificateAuthority"]

DAY = timedelta(days=1)


class CertificateAuthority:
    """An authority, whose files lie in a folder.

    :param folder: where its files are written.
    :param name: of the authority.
    """

    def __init__(self, folder: Path, name: str = "Test Authority") -> None:
        self.folder = folder
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self._key = ec.generate_private_key(ec.SECP256R1())
        certificate = (
            _builder(self.name, self.name, self._key, datetime.now(UTC) - DAY, datetime.now(UTC) + 365 * DAY)
            .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.certificates = folder / f"{name.lower().replace(' ', '-')}.pem"
        self.certificates.write_bytes(certificate.public_bytes(Encoding.PEM))

    def issue(
        self,
        file_name: str,
        *,
        dns: Iterable[str] = (),
        uris: Iterable[str] = (),
        addresses: Iterable[str] = (),
        common_name: str = "",
        expired: bool = False,
        self_signed: bool = False,
    ) -> Path:
        """A file with a certificate for these names, and its private key.

        Without any of `dns`, `uris` and `addresses` it has no subjectAltName at all. `expired`: it was valid until
        yesterday. `self_signed`: by its own key instead of the authority's.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name or file_name)])
        end = datetime.now(UTC) + (-DAY if expired else 30 * DAY)
        issuer, signer = (subject, key) if self_signed else (self.name, self._key)
        builder = _builder(subject, issuer, key, end - 31 * DAY, end).add_extension(
            x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False
        )
        names: list[x509.GeneralName] = [x509.DNSName(name) for name in dns]
        names += [x509.UniformResourceIdentifier(uri) for uri in uris]
        names += [x509.IPAddress(ip_address(address)) for address in addresses]
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        certificate = builder.sign(signer, hashes.SHA256())
        path = self.folder / f"{file_name}.pem"
        private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        path.write_bytes(certificate.public_bytes(Encoding.PEM) + private)
        return path


def _builder(
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePrivateKey, begin: datetime, end: datetime
) -> x509.CertificateBuilder:
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(begin)
        .not_valid_after(end)
    )
