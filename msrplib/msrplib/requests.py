"""Requests of a session that are neither SEND nor REPORT (RFC 4975 12, RFC 7701 7.1), until their responses."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred

from msrplib.errors import MSRPResponseError, as_failure
from msrplib.identifiers import new_transaction_id
from msrplib.protocol import MSRPData

if TYPE_CHECKING:
    from twisted.python.failure import Failure

    from msrplib.session import MSRPSession

__all__ = ["PendingRequest", "PendingRequests"]

_METHOD = re.compile(r"[A-Z]{1,32}")


class PendingRequest:
    """One of them, in the table of transactions of the connection.

    :ivar response: fires with the response, whatever its code
    """

    __slots__ = ("response", "session", "transaction_id")

    failure_report = "yes"

    def __init__(self, session: MSRPSession, transaction_id: str, response: Deferred[MSRPData]) -> None:
        self.session = session
        self.transaction_id = transaction_id
        self.response = response


class PendingRequests:
    """Those of one session."""

    __slots__ = ("_pending", "_session")

    def __init__(self, session: MSRPSession) -> None:
        self._session = session
        self._pending: dict[str, PendingRequest] = {}

    def new(self, method: str, headers: Iterable[tuple[str, str]]) -> tuple[PendingRequest, bytes]:
        """A request along the path of the session, and its octets.

        :raises ValueError: it is no such method; a header cannot be sent (MSRPSyntaxError)
        """
        if not _METHOD.fullmatch(method) or method in ("SEND", "REPORT"):
            raise ValueError(f"not the method of such a request: {method!r}")
        transaction_id = new_transaction_id()
        to_path, from_path = self._session._path_headers
        chunk = MSRPData(transaction_id, method, headers=[("To-Path", to_path), ("From-Path", from_path), *headers])
        octets = chunk.encode()

        def cancel(_: object) -> None:
            del self._pending[transaction_id]
            self._session._forget_transaction(transaction_id)

        request = PendingRequest(self._session, transaction_id, Deferred(cancel))
        self._pending[transaction_id] = request
        return request, octets

    def response_received(self, request: PendingRequest, response: MSRPData) -> None:
        """Its response."""
        if self._pending.pop(request.transaction_id, None) is not None:
            request.response.callback(response)

    def timed_out(self, request: PendingRequest) -> None:
        """No response in time (RFC 4975 7.1.1)."""
        if self._pending.pop(request.transaction_id, None) is not None:
            request.response.errback(as_failure(MSRPResponseError(408, "no response in time")))

    def close(self, reason: Failure) -> None:
        """The session ends: none will come."""
        pending = list(self._pending.values())
        self._pending.clear()
        for request in pending:
            request.response.errback(reason)
