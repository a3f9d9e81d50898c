"""Why a request was of no use, in one value: refused by somebody, or unanswered (RFC 3261 8.1.3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sipsimple.core.wire.reasons import reason_phrase

if TYPE_CHECKING:
    from sipsimple.core.protocol.outgoing_request import Destination, OutgoingRequest
    from sipsimple.core.wire.headers import FrozenContactHeader
    from sipsimple.core.wire.message import SIPResponse

__all__ = ["RequestFailure"]


@dataclass(frozen=True, slots=True)
class RequestFailure:
    """The outcome of a request that did not succeed.

    `originator` is 'remote' with the `response`, 'local' without one; `retry_after` the seconds of a Retry-After;
    `targets` the contacts of a redirection, best first; `destination` is where the request went last.
    """

    originator: str
    code: int
    reason: str
    response: SIPResponse | None
    retry_after: int | None
    targets: tuple[FrozenContactHeader, ...]
    destination: Destination

    @classmethod
    def refused(cls, outgoing: OutgoingRequest, response: SIPResponse, reason: str | None = None) -> RequestFailure:
        """A response; its own reason phrase unless one is given."""
        return cls(
            "remote", response.code, reason or response.reason, response, outgoing.retry_after, outgoing.targets,
            outgoing.destination,
        )  # fmt: skip

    @classmethod
    def unanswered(cls, outgoing: OutgoingRequest, code: int, error: str) -> RequestFailure:
        """No response: 408 for a time-out, 503 for a transport error, with what went wrong behind the phrase."""
        reason = reason_phrase(code) if error == "timeout" else f"{reason_phrase(code)} ({error})"
        return cls("local", code, reason, None, outgoing.retry_after, (), outgoing.destination)
