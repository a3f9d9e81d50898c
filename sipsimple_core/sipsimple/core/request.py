"""`Request`: one request of any method outside a dialog, with its outcome (RFC 3261 8.1)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sipsimple.core.destinations import Routes
from sipsimple.core.one_request import OneRequest, success_data
from sipsimple.core.reporting import failure_data, post

if TYPE_CHECKING:
    from sipsimple.core.protocol.outgoing_request import Destination
    from sipsimple.core.protocol.request_failure import RequestFailure
    from sipsimple.core.wire.digest import BaseCredentials
    from sipsimple.core.wire.headers import BaseContactHeader, BaseFromHeader, BaseHeader, BaseToHeader
    from sipsimple.core.wire.message import SIPResponse
    from sipsimple.core.wire.uri import BaseURI

__all__ = ["Request"]


class Request(OneRequest):
    """One request, sent by `send`; its outcome is `SIPRequestDidSucceed` or `SIPRequestDidFail`.

    :param method: any but INVITE, ACK and CANCEL, which make calls: see `Invitation`.
    :param route_header: where to send it: one route, or several, of which the first that works is taken.
    :param credentials: answer challenges.
    :param call_id, cseq: new ones unless given.
    :param content_type: of `body`, which may be text (sent as UTF-8) or octets.

    Raises `ValueError` for a method or CSeq that can't be, a body without a type, a route that names no IP address.

    Notifications: `SIPRequestGotProvisionalResponse`, `SIPRequestDidSucceed`, `SIPRequestDidFail`, and last, always
    and once, `SIPRequestDidEnd`.
    """

    def __init__(
        self,
        method: str,
        request_uri: BaseURI,
        from_header: BaseFromHeader,
        to_header: BaseToHeader,
        route_header: Routes,
        credentials: BaseCredentials | None = None,
        contact_header: BaseContactHeader | None = None,
        call_id: str | None = None,
        cseq: int | None = None,
        extra_headers: Iterable[BaseHeader] = (),
        content_type: str | None = None,
        body: bytes | str | None = None,
    ) -> None:
        headers = [] if contact_header is None else [("Contact", contact_header.body)]
        headers += [(header.name, header.body) for header in extra_headers]
        super().__init__(
            method, request_uri, from_header, to_header, route_header, credentials, call_id, cseq, headers,
            content_type, body,
        )  # fmt: skip

    def _progressed(self, response: SIPResponse) -> None:
        post(
            "SIPRequestGotProvisionalResponse",
            self,
            code=response.code,
            reason=response.reason,
            headers=response.headers,
            body=response.body,
        )

    def _succeeded(self, response: SIPResponse, destination: Destination) -> None:
        post("SIPRequestDidSucceed", self, **success_data(response, destination))

    def _failed(self, failure: RequestFailure) -> None:
        body = None if failure.response is None else failure.response.body
        post("SIPRequestDidFail", self, **failure_data(failure), body=body, targets=list(failure.targets))

    def _ended(self) -> None:
        post("SIPRequestDidEnd", self)
