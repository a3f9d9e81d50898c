"""Requests that come in and belong to no call: `IncomingRequest`, and messages (RFC 3428).

The application names the methods that it serves (`Engine.add_method`); each such request, inside a dialog or not,
becomes an `IncomingRequest` that it answers. A MESSAGE, unless its method was named so, is told by
`SIPEngineGotMessage` and answered here: 200 if anybody observes that notification, 405 otherwise, so that no sender
takes for delivered what nobody has read.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from sipsimple.core.protocol.dialog import new_tag
from sipsimple.core.protocol.invite_events import InvalidStateError
from sipsimple.core.protocol.user_agent import KNOWN_METHODS
from sipsimple.core.reporting import post
from sipsimple.core.wire.grammar import is_token
from sipsimple.core.wire.message import make_response
from sipsimple.core.wire.reasons import reason_phrase
from sipsimple.core.wire.validation import refuse_content, refuse_extensions
from sipsimple.notification import NotificationCenter

if TYPE_CHECKING:
    from sipsimple.core.engine import Engine
    from sipsimple.core.protocol.hop import Hop
    from sipsimple.core.protocol.server_transaction import ServerTransaction
    from sipsimple.core.protocol.timers import Timer
    from sipsimple.core.protocol.user_agent import DialogUsage, UserAgentCore
    from sipsimple.core.wire.headers import BaseHeader
    from sipsimple.core.wire.message import SIPRequest

__all__ = ["ANSWER_TIMEOUT", "MAX_WAITING", "IncomingRequest", "RequestServer"]

log = logging.getLogger("sipsimple.core.requests")

#: How long the application has to answer, in seconds: less than the sender waits (RFC 3261 17.1.2.2, timer F).
ANSWER_TIMEOUT = 30.0
#: How many requests may wait for an answer; one more gets 503 with Retry-After.
MAX_WAITING = 1000
RETRY_AFTER = 10

#: Methods that the application may serve by itself, beside those that SIP does not know.
SERVABLE_METHODS = frozenset(("INFO", "MESSAGE", "PUBLISH", "REGISTER"))


class IncomingRequest:
    """A request that waits for our answer; made by the engine.

    It is announced by `SIPIncomingRequestGotRequest`; without an answer for 30 seconds it gets a 500. Methods are
    called in the reactor thread.

    Attributes: `method`, `request_uri`, `from_header`, `to_header`, `headers`, `content_type`, `body`, `call_id`,
    `peer_address` (the Hop that it came from), `answered`.

    Notifications: `SIPIncomingRequestGotRequest`, `SIPIncomingRequestSentResponse`.
    """

    def __init__(self, server: RequestServer, request: SIPRequest, transaction: ServerTransaction, source: Hop) -> None:
        self.method = request.method
        self.request_uri = request.request_uri
        self.from_header = request.from_header
        self.to_header = request.to_header
        self.headers = request.headers
        self.content_type = request.content_type
        self.body = request.body
        self.call_id = request.call_id
        self.peer_address = source
        self.answered = False
        self._server = server
        self._request = request
        self._transaction = transaction

    def answer(self, code: int, reason: str | None = None, extra_headers: Iterable[BaseHeader] = ()) -> None:
        """Answers with a final response.

        Raises `ValueError` for a code below 200 (RFC 4320 4.1) or above 699, `InvalidStateError` when it was answered
        before, by whomever.
        """
        if not 200 <= code <= 699:
            raise ValueError(f"{code} is no final status code")
        if self.answered:
            raise InvalidStateError(f"{self.method} {self.call_id} was answered before")
        self._server.answer(self, code, reason, extra_headers)

    def _respond(self, code: int, reason: str | None, headers: Iterable[BaseHeader], name: str, now: float) -> None:
        self.answered = True
        fields = [("Server", name), *[(header.name, header.body) for header in headers]]
        response = make_response(self._request, code, reason, new_tag(), fields)
        self._transaction.respond(response, now)
        post(
            "SIPIncomingRequestSentResponse",
            self,
            code=code,
            reason=reason or reason_phrase(code),
            headers=response.headers,
            body=response.body,
        )

    def __repr__(self) -> str:
        return f"<IncomingRequest {self.method} {self._request.raw_uri}>"


class RequestServer:
    """Serves, for one engine, what this module is about; `waiting` is how many requests wait for an answer."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._core: UserAgentCore | None = None
        self._methods: list[str] = []
        self._waiting: dict[IncomingRequest, Timer] = {}

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def attach(self, core: UserAgentCore) -> None:
        """A core to serve at; what waited at the one before is forgotten with it."""
        self._core = core
        self._waiting.clear()
        core.serve("MESSAGE", self._receive_message, self._receive_message_in_dialog)
        for method in self._methods:
            core.serve(method, self._receive, self._receive_in_dialog)

    def add(self, method: str) -> None:
        """Raises `ValueError` for what is no method, or one that the engine serves by itself."""
        if not is_token(method) or (method in KNOWN_METHODS and method not in SERVABLE_METHODS):
            raise ValueError(f"{method!r} can't be served by the application")
        if method not in self._methods:
            self._methods.append(method)
            if self._core is not None:
                self._core.serve(method, self._receive, self._receive_in_dialog)

    def answer(self, request: IncomingRequest, code: int, reason: str | None, headers: Iterable[BaseHeader]) -> None:
        """Sends the answer of the application."""
        timer = self._waiting.pop(request, None)
        if timer is None or self._core is None:
            raise InvalidStateError(f"{request.method} {request.call_id}: the engine has stopped since it came")
        timer.cancel()
        request._respond(code, reason, headers, self._core.user_agent, self._engine.now())

    # What the core hands over

    def _receive(self, request: SIPRequest, transaction: ServerTransaction, source: Hop, now: float) -> None:
        if self._refused(request, transaction, now):
            return
        if len(self._waiting) >= MAX_WAITING:
            headers = [("Retry-After", str(RETRY_AFTER))]
            transaction.respond(make_response(request, 503, None, new_tag(), headers), now)
            return
        assert self._core is not None, "requests come from a core"
        incoming = IncomingRequest(self, request, transaction, source)
        self._waiting[incoming] = self._core.timers.schedule(
            now + ANSWER_TIMEOUT, lambda now: self._not_answered(incoming, now)
        )
        post(
            "SIPIncomingRequestGotRequest",
            incoming,
            method=request.method,
            request_uri=request.request_uri,
            from_header=request.from_header,
            to_header=request.to_header,
            content_type=request.content_type,
            headers=request.headers,
            body=request.body,
        )

    def _receive_in_dialog(
        self,
        request: SIPRequest,
        transaction: ServerTransaction,
        source: Hop,
        usages: Sequence[DialogUsage],
        now: float,
    ) -> None:
        self._receive(request, transaction, source, now)

    def _not_answered(self, incoming: IncomingRequest, now: float) -> None:
        if self._waiting.pop(incoming, None) is not None and self._core is not None:
            log.info("%s %s was not answered in time", incoming.method, incoming.call_id)
            incoming._respond(500, None, (), self._core.user_agent, now)

    def _receive_message(self, request: SIPRequest, transaction: ServerTransaction, source: Hop, now: float) -> None:
        if self._refused(request, transaction, now):
            return
        assert self._core is not None, "requests come from a core"
        if not NotificationCenter().is_observed("SIPEngineGotMessage", self._engine):
            # RFC 3428 7: a 200 says that somebody got it
            allowed = ", ".join([method for method in self._core.methods if method != "MESSAGE"])
            transaction.respond(make_response(request, 405, None, new_tag(), [("Allow", allowed)]), now)
            return
        post(
            "SIPEngineGotMessage",
            self._engine,
            request_uri=request.request_uri,
            from_header=request.from_header,
            to_header=request.to_header,
            content_type=request.content_type,
            headers=request.headers,
            body=request.body,
            peer_address=source,
        )
        transaction.respond(make_response(request, 200, None, new_tag(), [("Server", self._core.user_agent)]), now)

    def _receive_message_in_dialog(
        self,
        request: SIPRequest,
        transaction: ServerTransaction,
        source: Hop,
        usages: Sequence[DialogUsage],
        now: float,
    ) -> None:
        self._receive_message(request, transaction, source, now)

    @staticmethod
    def _refused(request: SIPRequest, transaction: ServerTransaction, now: float) -> bool:
        """Answers what requires an extension (420) or has a body in an encoding (415) that we do not know."""
        refusal = refuse_extensions(request, ()) or refuse_content(request, ("*/*",))
        if refusal is None:
            return False
        transaction.respond(make_response(request, refusal.code, refusal.reason, new_tag(), refusal.headers), now)
        return True
