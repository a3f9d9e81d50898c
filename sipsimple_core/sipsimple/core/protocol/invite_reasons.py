"""Why a call is ended, in its CANCEL, BYE or refusal: the Reason header (RFC 3326, RFC 6432 for responses)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sipsimple.core.wire.errors import SIPParseError
from sipsimple.core.wire.grammar import quote
from sipsimple.core.wire.headers import BaseHeader, FrozenReasonHeader

if TYPE_CHECKING:
    from sipsimple.core.wire.message import SIPMessage

__all__ = ["reason_header", "reasons_of", "with_reason"]

HeaderList = Iterable[tuple[str, str | BaseHeader]]


def reasons_of(message: SIPMessage) -> tuple[FrozenReasonHeader, ...]:
    """What a message says why it was sent, one for each protocol; empty where that can't be read."""
    if "Reason" not in message.headers:
        return ()
    try:
        return message.headers.all(FrozenReasonHeader)
    except SIPParseError:
        return ()


def reason_header(code: int, text: str) -> FrozenReasonHeader:
    """Our reason: a status code of SIP, and words."""
    return FrozenReasonHeader("SIP", {"cause": str(code), "text": quote(text)})


def with_reason(headers: HeaderList, code: int, text: str) -> list[tuple[str, str | BaseHeader]]:
    """The headers of a BYE or CANCEL with our reason, unless they have one already."""
    fields = list(headers)
    if not any(name.lower() == "reason" for name, _ in fields):
        fields.append(("Reason", reason_header(code, text)))
    return fields
