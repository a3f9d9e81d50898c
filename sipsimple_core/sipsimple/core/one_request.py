"""What `Request` and `Message` share: one request outside a dialog, sent once (RFC 3261 8.1)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from sipsimple.core.destinations import Routes, destinations_of
from sipsimple.core.protocol.authentication import Authenticator
from sipsimple.core.protocol.client_request import client_request, tagged_from
from sipsimple.core.protocol.dialog import LAST_CSEQ, new_call_id
from sipsimple.core.protocol.invite_events import InvalidStateError
from sipsimple.core.protocol.outgoing_request import OutgoingRequest
from sipsimple.core.protocol.request_failure import RequestFailure
from sipsimple.core.reporting import route_of
from sipsimple.core.wire.grammar import is_token
from sipsimple.core.wire.headers import BaseFromHeader, BaseHeader, BaseToHeader, FrozenFromHeader, FrozenToHeader

if TYPE_CHECKING:
    from sipsimple.core.engine import Engine
    from sipsimple.core.protocol.outgoing_request import Destination
    from sipsimple.core.wire.digest import BaseCredentials
    from sipsimple.core.wire.message import SIPResponse
    from sipsimple.core.wire.uri import BaseURI

__all__ = ["OneRequest"]

#: Methods that are no request of this kind: they are a call's.
CALL_METHODS = frozenset(("INVITE", "ACK", "CANCEL"))


class OneRequest(ABC):
    """See the module. Attributes: `method`, `request_uri`, `from_header` (with its tag), `to_header`, `call_id`,
    `cseq` (of the first sending; each answer to a challenge raises it), `body`, `state` (None, 'in_progress' or
    'terminated'). Methods are called in the reactor thread.
    """

    def __init__(
        self,
        method: str,
        request_uri: BaseURI,
        from_header: BaseFromHeader,
        to_header: BaseToHeader,
        route_header: Routes,
        credentials: BaseCredentials | None,
        call_id: str | None,
        cseq: int | None,
        headers: Iterable[tuple[str, str | BaseHeader]],
        content_type: str | None,
        body: bytes | str | None,
    ) -> None:
        from sipsimple.core.engine import Engine

        if not is_token(method) or method in CALL_METHODS:
            raise ValueError(f"{method!r} is not the method of a single request")
        if cseq is not None and not 0 <= cseq < LAST_CSEQ:
            raise ValueError(f"a CSeq of {cseq} is not within 0 and 2**31 - 1")
        if body and content_type is None:
            raise ValueError("a body needs a content type (RFC 3261 20.15)")
        self._engine: Engine = Engine()
        self._destinations = destinations_of(route_header, request_uri)
        self._credentials = credentials
        self._outgoing: OutgoingRequest | None = None
        self.state: str | None = None
        self.method = method
        self.request_uri: Any = request_uri.frozen()
        self.from_header = tagged_from(FrozenFromHeader.new(from_header), from_header.tag)
        self.to_header = FrozenToHeader.new(to_header)
        self.call_id = call_id or new_call_id()
        self.cseq = 1 if cseq is None else cseq
        self.content_type = content_type
        self.body = b"" if body is None else body.encode() if isinstance(body, str) else bytes(body)
        self._headers = list(headers)

    def send(self, timeout: float | None = None) -> None:
        """Sends it, by way of the first route that works; `timeout` bounds the whole, in seconds.

        Raises `InvalidStateError` when it was sent or ended before, `EngineError` when the engine is not running.
        """
        if self.state is not None:
            raise InvalidStateError(f"{self.method} in state {self.state} can't be sent; allowed: a new one")
        headers = self._headers
        if self.body and self.content_type is not None:
            headers = [*headers, ("Content-Type", self.content_type)]
        request = client_request(
            self.method, self.request_uri, self.from_header, self.to_header, self.call_id, self.cseq, headers, self.body
        )
        core, now = self._engine.core, self._engine.now()
        self.state = "in_progress"
        self._outgoing = OutgoingRequest(
            request, self._destinations, core, self, Authenticator(self._credentials), None, timeout, now=now
        )

    def end(self) -> None:
        """Waits for the outcome no longer: none will be told. After the outcome it does nothing."""
        if self.state != "terminated":
            self.state = "terminated"
            if self._outgoing is not None:
                self._outgoing.abandon()
            self._ended()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.method} {self.request_uri}>"

    @abstractmethod
    def _succeeded(self, response: SIPResponse, destination: Destination) -> None: ...

    @abstractmethod
    def _failed(self, failure: RequestFailure) -> None: ...

    @abstractmethod
    def _progressed(self, response: SIPResponse) -> None: ...

    @abstractmethod
    def _ended(self) -> None:
        """Nothing more will be told."""

    # What the request tells its owner

    def request_progressed(self, outgoing: OutgoingRequest, response: SIPResponse, now: float) -> None:
        self._progressed(response)

    def request_succeeded(self, outgoing: OutgoingRequest, response: SIPResponse, now: float) -> None:
        self.state = "terminated"
        self._succeeded(response, outgoing.destination)
        self._ended()

    def request_refused(self, outgoing: OutgoingRequest, response: SIPResponse, now: float) -> None:
        self._fail(RequestFailure.refused(outgoing, response))

    def request_failed(self, outgoing: OutgoingRequest, code: int, error: str, now: float) -> None:
        self._fail(RequestFailure.unanswered(outgoing, code, error))

    def _fail(self, failure: RequestFailure) -> None:
        self.state = "terminated"
        self._failed(failure)
        self._ended()


def success_data(response: SIPResponse, destination: Destination) -> dict[str, Any]:
    """What a notification says of a 2xx."""
    return {
        "code": response.code,
        "reason": response.reason,
        "route_header": route_of(destination),
        "headers": response.headers,
        "body": response.body,
    }
