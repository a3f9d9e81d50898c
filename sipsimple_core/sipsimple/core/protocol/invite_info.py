"""INFO within a call (RFC 6086): information of the application's that changes nothing of the call."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipsimple.core.protocol.invite_events import Info, InvalidStateError
from sipsimple.core.protocol.invite_states import InviteState
from sipsimple.core.protocol.outgoing_request import OutgoingRequest, OutgoingRequestOwner

if TYPE_CHECKING:
    from sipsimple.core.protocol.invite_usage import HeaderList, InviteUsage
    from sipsimple.core.protocol.transaction_layer import ServerTransaction
    from sipsimple.core.wire.message import SIPRequest

__all__ = ["receive_info", "send_info"]


def receive_info(call: InviteUsage, request: SIPRequest, transaction: ServerTransaction, now: float) -> None:
    """Takes an INFO. One of a package that we have not offered gets 469 (RFC 6086 4.2.2)."""
    package = (request.headers.get("Info-Package") or "").partition(";")[0].strip() or None
    if package is not None and package.lower() not in call.core.info_packages:
        offered = ("Recv-Info", ", ".join(call.core.info_packages))
        transaction.respond(call.response(request, 469, "Bad Info Package", [offered]), now)
        return
    transaction.respond(call.response(request, 200), now)
    if call.user is not None:
        call.user.info_received(Info(request.content_type, request.body, package, request))


def send_info(
    call: InviteUsage, content_type: str | None, body: bytes, package: str | None, headers: HeaderList,
    owner: OutgoingRequestOwner, now: float,
) -> OutgoingRequest:  # fmt: skip
    """Sends an INFO; `owner` is told of its outcome. Raises `InvalidStateError` unless the call is connected."""
    dialog = call.dialog
    if call.state is not InviteState.CONNECTED or dialog is None:
        raise InvalidStateError(f"INFO can't be sent in state {call.state}")
    fields = [*call.core.identity_headers(), *headers]
    if package is not None:
        fields += [("Info-Package", package), ("Content-Disposition", "Info-Package")]
    if content_type is not None and body:
        fields.append(("Content-Type", content_type))
    request = dialog.create_request("INFO", fields, body)
    return OutgoingRequest(request, [dialog.next_hop()], call.core, owner, call.authenticator, dialog, now=now)
