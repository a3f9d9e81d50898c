"""A request outside a dialog, as a client makes it (RFC 3261 8.1.1)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sipsimple.core.protocol.dialog import MAX_FORWARDS, new_tag
from sipsimple.core.wire.headers import FrozenFromHeader
from sipsimple.core.wire.message import SIPRequest

if TYPE_CHECKING:
    from sipsimple.core.wire.headers import BaseFromHeader, BaseHeader, BaseRouteHeader, BaseToHeader
    from sipsimple.core.wire.uri import BaseURI

__all__ = ["client_request", "tagged_from"]


def client_request(
    method: str,
    request_uri: BaseURI | str,
    from_header: BaseFromHeader | str,
    to_header: BaseToHeader | str,
    call_id: str,
    cseq: int,
    headers: Iterable[tuple[str, str | BaseHeader]] = (),
    body: bytes = b"",
    routes: Iterable[BaseRouteHeader] = (),
) -> SIPRequest:
    """All that 8.1.1 asks for but Via, which is the transaction's; `from_header` has its tag (`tagged_from`).

    From and To may be given as they are printed.
    """
    fields: list[tuple[str, str | BaseHeader]] = [("Max-Forwards", str(MAX_FORWARDS))]
    fields += [("Route", route) for route in routes]
    fields += [("From", from_header), ("To", to_header), ("Call-ID", call_id), ("CSeq", f"{cseq} {method}")]
    fields += headers
    return SIPRequest(method, request_uri, fields, body)


def tagged_from(header: BaseFromHeader, tag: str | None = None) -> FrozenFromHeader:
    """The From header with a tag that is ours (8.1.1.3, 19.3): a new one unless one is given."""
    return FrozenFromHeader(header.uri, header.display_name, {**dict(header.parameters), "tag": tag or new_tag()})
