"""message/sipfrag, as far as a referral tells its progress by it: a status line (RFC 3420, RFC 3515 2.4.5)."""

from __future__ import annotations

import re

from sipsimple.core.wire.errors import SIPParseError
from sipsimple.core.wire.grammar import readable
from sipsimple.core.wire.reasons import reason_phrase

__all__ = ["SIPFRAG", "encode_sipfrag", "parse_sipfrag"]

SIPFRAG = "message/sipfrag"

_status_line = re.compile(rb"SIP/2\.0[ \t]+([1-6][0-9]{2})(?:[ \t]+([^\r\n]*))?(?:\r?\n|$)", re.IGNORECASE).match


def parse_sipfrag(body: bytes) -> tuple[int, str]:
    """Status code and phrase. Raises SIPParseError if the fragment doesn't begin with a status line."""
    match = _status_line(body.lstrip())
    if match is None:
        raise SIPParseError("a sipfrag without a status line", body[:80].decode("utf-8", "replace"))
    code = int(match[1])
    reason = readable((match[2] or b"").decode("utf-8", "surrogateescape")).strip()
    return code, reason or reason_phrase(code)


def encode_sipfrag(code: int, reason: str | None = None) -> bytes:
    """The body of a NOTIFY that tells that status."""
    reason = reason_phrase(code) if reason is None else reason
    if "\r" in reason or "\n" in reason:
        raise ValueError("a line end in a reason phrase")
    return f"SIP/2.0 {code} {reason}\r\n".encode()
