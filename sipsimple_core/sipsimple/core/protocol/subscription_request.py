"""The first request of a subscription, and the dialog that the NOTIFY to it makes (RFC 6665 4.1.2.1, 4.4.1)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sipsimple.core.protocol.client_request import client_request
from sipsimple.core.protocol.dialog import Dialog, DialogState, route_set_of
from sipsimple.core.wire.errors import SIPParseError
from sipsimple.core.wire.headers import FrozenFromHeader
from sipsimple.core.wire.uri import BaseSIPURI, FrozenSIPURI

if TYPE_CHECKING:
    from sipsimple.core.protocol.hop import Hop
    from sipsimple.core.protocol.outgoing_request import Destination
    from sipsimple.core.wire.headers import BaseHeader, FrozenContactHeader, FrozenToHeader
    from sipsimple.core.wire.message import SIPRequest

__all__ = ["FirstRequest", "check_contact"]


@dataclass(frozen=True, slots=True)
class FirstRequest:
    """What it is made of, as a 423 has it made twice. `deadline` is when its final response has to be there."""

    method: str
    request_uri: BaseSIPURI
    from_header: FrozenFromHeader
    to_header: FrozenToHeader
    contact: FrozenContactHeader
    call_id: str
    destinations: Sequence[Destination]
    content_type: str | None
    body: bytes
    deadline: float | None

    def create(self, cseq: int, headers: Sequence[tuple[str, str | BaseHeader]]) -> SIPRequest:
        fields: list[tuple[str, str | BaseHeader]] = [("Contact", self.contact), *headers]
        if self.content_type is not None:
            fields.append(("Content-Type", self.content_type))
        return client_request(
            self.method, self.request_uri, self.from_header, self.to_header, self.call_id, cseq, fields, self.body
        )

    def time_left(self, now: float) -> float | None:
        return None if self.deadline is None else max(0.0, self.deadline - now)

    def dialog_of(self, notify: SIPRequest, local_cseq: int | None, hop: Hop) -> Dialog:
        """The dialog that a NOTIFY makes: the notifier is who sent it, the route set what it recorded (4.4.1).

        `check_contact` comes before.
        """
        from_header, cseq = notify.from_header, notify.cseq
        assert from_header is not None and cseq is not None, "the transaction layer validates requests"
        return Dialog(
            self.call_id, self.from_header, FrozenFromHeader.new(from_header), self.contact,
            FrozenSIPURI.new(notify.contact[0].uri), route_set_of(notify.record_route), hop, DialogState.CONFIRMED,
            local_cseq, cseq.number,
        )  # fmt: skip


def check_contact(notify: SIPRequest) -> None:
    """Raises `SIPParseError` when a NOTIFY has no Contact that a dialog could lead to."""
    if not notify.contact or not isinstance(notify.contact[0].uri, BaseSIPURI):
        raise SIPParseError("no Contact that a dialog could be made with")
