"""Our certificate, and how those of peers are verified (RFC 4975 14; RFC 8122). Imported only for TLS, with OpenSSL.

A peer that announces the fingerprint of its certificate in the SDP is known by it, whoever issued the certificate;
one that doesn't must have one from an authority that we trust, for the host of its URI. Where the settings name no
certificate of ours we make one, which peers know by the fingerprint in our SDP.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from msrplib.tls import TLSParameters, make_self_signed

__all__ = ["TLSIdentity"]


class TLSIdentity:
    """Who we are in TLS.

    :param settings: SIPSimpleSettings: `tls.certificate`, `tls.ca_list`, `tls.verify_server`
    :raises OSError: a file cannot be read
    :raises ValueError: a file has no certificate
    """

    def __init__(self, settings: Any) -> None:
        tls = settings.tls
        if tls.certificate is not None:
            own = TLSParameters.from_files(Path(tls.certificate).expanduser(), verify="fingerprint")
        else:
            own = make_self_signed("sipsimple")
        self._own = own
        self._trust_roots = None if tls.ca_list is None else Path(tls.ca_list).expanduser().read_bytes()
        self._verifies = tls.verify_server
        self.fingerprint = own.fingerprint

    def for_listening(self) -> TLSParameters:
        """For who connects to us: any certificate; that of a peer with a fingerprint is compared with it."""
        return self._own

    def for_connecting(self, by_fingerprint: bool) -> TLSParameters:
        """For whom we connect to: by the fingerprint, or by an authority."""
        if by_fingerprint:
            return self._own
        return replace(self._own, trust_roots=self._trust_roots, verify="ca" if self._verifies else "none")
