"""`Message`: one instant message in pager mode (RFC 3428)."""

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
    from sipsimple.core.wire.headers import BaseFromHeader, BaseHeader, BaseToHeader
    from sipsimple.core.wire.message import SIPResponse

__all__ = ["Message"]


class Message(OneRequest):
    """One message to `to_header`'s URI, sent by `send`.

    :param route_header: where to send it: one route, or several, of which the first that works is taken.
    :param content_type: of `body`, which may be text (sent as UTF-8) or octets.
    :param credentials: answer challenges.

    Raises `ValueError` when a route names no IP address.

    Notifications: `SIPMessageDidSucceed` (a 202 says that it is kept for later, RFC 3428 7), `SIPMessageDidFail`.
    Messages that come in are told by `SIPEngineGotMessage`.
    """

    def __init__(
        self,
        from_header: BaseFromHeader,
        to_header: BaseToHeader,
        route_header: Routes,
        content_type: str,
        body: bytes | str,
        credentials: BaseCredentials | None = None,
        extra_headers: Iterable[BaseHeader] = (),
    ) -> None:
        headers = [(header.name, header.body) for header in extra_headers]
        super().__init__(
            "MESSAGE", to_header.uri, from_header, to_header, route_header, credentials, None, None, headers,
            content_type, body,
        )  # fmt: skip

    def _progressed(self, response: SIPResponse) -> None:
        """RFC 3428 8: a message is delivered or it is not."""

    def _succeeded(self, response: SIPResponse, destination: Destination) -> None:
        post("SIPMessageDidSucceed", self, **success_data(response, destination))

    def _failed(self, failure: RequestFailure) -> None:
        body = None if failure.response is None else failure.response.body
        post("SIPMessageDidFail", self, **failure_data(failure), body=body, targets=list(failure.targets))

    def _ended(self) -> None:
        """The outcome was told; `end` wants none."""
