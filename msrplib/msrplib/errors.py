"""The errors of msrplib. Failures of a session arrive as a twisted Failure that holds one of these."""

from __future__ import annotations

from twisted.python.failure import Failure

__all__ = [
    "BindTimeoutError",
    "CertificateError",
    "ConnectionClosedError",
    "FingerprintError",
    "MSRPError",
    "MSRPResponseError",
    "MSRPSyntaxError",
    "ProtocolViolationError",
    "QueueFullError",
    "SessionStateError",
    "as_failure",
]


class MSRPError(Exception):
    """The base of all errors of msrplib."""


class MSRPSyntaxError(MSRPError, ValueError):
    """A URI, a header or a start line does not follow the grammar (RFC 4975 9)."""


class ProtocolViolationError(MSRPError):
    """What the peer sent cannot be framed; the connection was closed."""


class SessionStateError(MSRPError):
    """The session is not in a state that allows the call."""


class QueueFullError(MSRPError):
    """Too much is waiting to be sent; send again when messages have left, or use a source that is pulled."""


class BindTimeoutError(MSRPError):
    """No connection was bound to the session in time."""


class ConnectionClosedError(MSRPError):
    """The connection under the session was closed by the peer, by an error, or by `close()`."""


class CertificateError(MSRPError):
    """The peer has no certificate that is trusted, or no TLS connection came about (RFC 4975 14.2)."""


class FingerprintError(CertificateError):
    """The certificate of the peer is not the one whose fingerprint was announced (RFC 4975 14.4)."""


class MSRPResponseError(MSRPError):
    """The peer answered with a code that is not 200.

    :ivar code: the status code, 408 when no answer came in time
    :ivar comment: its comment
    """

    def __init__(self, code: int, comment: str) -> None:
        super().__init__(f"{code} {comment}")
        self.code = code
        self.comment = comment


def as_failure(error: Exception) -> Failure:
    """The error in the form in which Deferreds and `session_closed` carry it."""
    return Failure(error)
