"""TLS for `msrps` (RFC 4975 14.3, 14.4). Twisted's TLS is imported when a function of this module is
called."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ['TLSParameters', 'make_self_signed']


@dataclass(frozen=True, slots=True)
class TLSParameters:
    """A certificate and how the peer's is verified.

    :ivar certificate: PEM: our certificate, with those of the CAs between, if any; None on a client without
        one
    :ivar private_key: PEM, without a passphrase
    :ivar trust_roots: PEM: CAs that may have issued the peer's certificate; None for those of the system
    :ivar verify: 'ca': by CA and, for a server, its name; 'fingerprint': any certificate, to be compared with
        the session's `remote_fingerprint` (RFC 4975 14.4); 'none': any certificate
    """

    certificate: bytes | None = None
    private_key: bytes | None = None
    trust_roots: bytes | None = None
    verify: str = 'ca'

    def __repr__(self) -> str:
        return f'TLSParameters(verify={self.verify!r})'

    @classmethod
    def from_files(
        cls, certificate: Path, private_key: Path | None = None, trust_roots: Path | None = None, verify: str
        = 'ca'
    ) -> TLSParameters:
        """Read PEM files; the key is in the certificate's file when no other is named."""
        raise NotImplementedError

    @property
    def fingerprint(self) -> str:
        """Of our certificate, for `a=fingerprint` (RFC 8122): 'SHA-256 AB:CD:…'."""
        raise NotImplementedError


def make_self_signed(common_name: str) -> TLSParameters:
    """A fresh key and certificate, to be known by its fingerprint; `verify` is 'fingerprint'."""
    raise NotImplementedError
