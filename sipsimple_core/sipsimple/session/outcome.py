"""How a session ends: what SIPSessionDidFail and SIPSessionDidEnd will tell, and what the remote party is told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sipsimple.core import WarningHeader
from sipsimple.core.wire.reasons import reason_phrase

__all__ = [
    "STREAM_FAILURE_CODE",
    "USER_REQUEST",
    "Outcome",
    "Party",
    "Refusal",
    "cancelled_by_user",
    "disconnected",
    "internal_error",
    "media_refusal",
    "rejected_by_user",
    "remote_removed_streams",
    "streams_failed",
    "streams_refused",
]

Party = Literal["local", "remote"]

USER_REQUEST = "user_request"
#: RFC 3261 21.4.26: the media can't be had here; also used where nothing of it is sent.
STREAM_FAILURE_CODE = 488

WARNING_AGENT = "sipsimple"  # RFC 3261 20.43: a host or a pseudonym

# What the layer below says of a party that hung up or refused, and how the specification spells it (SES-084).
_SPELLINGS = {"user request": USER_REQUEST}
_CORE_ERRORS = ("internal error", "transport error")


@dataclass(frozen=True, slots=True)
class Refusal:
    """A final response to an INVITE that was not accepted."""

    code: int
    reason: str | None = None
    headers: Sequence[Any] = ()


@dataclass(frozen=True, slots=True)
class Outcome:
    """Why a session is over.

    `originator` brought it about, `code` and `reason` are the SIP status of it, `cause` is the failure_reason or
    end_reason. `refusal` is what an INVITE that still waits for our answer gets; RFC 3261 21.4.18: 480 says that
    the callee is there but won't be reached.
    """

    originator: Party
    code: int
    reason: str
    cause: str
    refusal: Refusal = Refusal(480)


def cancelled_by_user() -> Outcome:
    """The application called end()."""
    return Outcome("local", 487, reason_phrase(487), USER_REQUEST)


def rejected_by_user(code: int, reason: str | None) -> Outcome:
    """The application called reject()."""
    phrase = reason_phrase(code) if reason is None else reason
    return Outcome("local", code, phrase, USER_REQUEST, Refusal(code, phrase))


def streams_failed(cause: str, refusal: Refusal | None = None) -> Outcome:
    """No stream works, for a reason on our side."""
    code = STREAM_FAILURE_CODE
    return Outcome("local", code, reason_phrase(code), cause, refusal or Refusal(code))


def media_refusal(text: str) -> Refusal:
    """The 488 for an INVITE whose media can't be had, with a Warning that says why (RFC 3261 20.43: 304)."""
    warning = WarningHeader(304, WARNING_AGENT, text)
    return Refusal(STREAM_FAILURE_CODE, headers=(warning,))


def streams_refused() -> Outcome:
    """The remote party accepted the session, but none of its streams (RFC 3264 6: each has port 0)."""
    code = STREAM_FAILURE_CODE
    return Outcome("remote", code, reason_phrase(code), "the remote party refused all streams")


def remote_removed_streams() -> Outcome:
    """The remote party has taken the last stream out of the session."""
    return Outcome("remote", 200, reason_phrase(200), "the remote party removed all streams")


def internal_error(error: object) -> Outcome:
    """Something went wrong that should not have."""
    return Outcome("local", 500, reason_phrase(500), f"SIP core error: {error}", Refusal(500))


def disconnected(change: Any, cause: str | None = None) -> Outcome:
    """The invitation comes to its end; `change` is the data of its SIPInvitationChangedState, `cause` is why where
    that does not say.

    A step without a failure's code (BYE, missing ACK) is given the one that fits: 487 when the remote party went,
    408 when we gave up waiting (RFC 3261 13.3.1.4, 17.1.1.2).
    """
    code = change.code
    if code is None or code < 300:
        code, reason = (487 if change.originator == "remote" else 408), None
    else:
        reason = change.reason
    reason = reason or reason_phrase(code)
    cause = change.disconnect_reason or cause or reason
    cause = _SPELLINGS.get(cause, cause)
    if cause.startswith(_CORE_ERRORS):
        cause = f"SIP core error: {cause}"
    return Outcome(change.originator, code, reason, cause)
