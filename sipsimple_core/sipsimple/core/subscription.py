"""`Subscription`: the state of somebody else, as it changes (RFC 6665 4.1)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sipsimple.core import subscription_notifications as _notifications  # noqa: F401
from sipsimple.core.destinations import Routes, destinations_of
from sipsimple.core.protocol.authentication import Authenticator
from sipsimple.core.protocol.invite_events import InvalidStateError
from sipsimple.core.protocol.outgoing_request import redirection_targets
from sipsimple.core.protocol.subscription_events import SubscriptionOutcome
from sipsimple.core.protocol.subscription_states import SubscriptionState
from sipsimple.core.protocol.subscription_usage import SubscriptionUsage
from sipsimple.core.reporting import post
from sipsimple.core.wire.headers import (
    BaseContactHeader,
    BaseEventHeader,
    BaseFromHeader,
    BaseHeader,
    BaseToHeader,
    FrozenContactHeader,
    FrozenContentTypeHeader,
    FrozenEventHeader,
    FrozenFromHeader,
    FrozenToHeader,
)
from sipsimple.core.wire.reasons import reason_phrase
from sipsimple.core.wire.uri import FrozenSIPURI

if TYPE_CHECKING:
    from sipsimple.core.engine import Engine
    from sipsimple.core.protocol.dialog import DialogId
    from sipsimple.core.protocol.hop import Hop
    from sipsimple.core.wire.digest import BaseCredentials
    from sipsimple.core.wire.headers import FrozenSubscriptionStateHeader
    from sipsimple.core.wire.message import SIPRequest
    from sipsimple.core.wire.uri import BaseSIPURI

__all__ = ["Subscriber", "Subscription"]


class Subscriber:
    """What subscriptions and referrals of ours have in common: addresses, state, and what they tell.

    The names of its notifications begin with `_prefix`.
    """

    _prefix = ""

    def __init__(
        self,
        request_uri: BaseSIPURI,
        from_header: BaseFromHeader,
        to_header: BaseToHeader,
        contact_header: BaseContactHeader,
        event: FrozenEventHeader,
        route_header: Routes,
        credentials: BaseCredentials | None,
    ) -> None:
        from sipsimple.core.engine import Engine

        self._engine: Engine = Engine()
        self._usage: SubscriptionUsage | None = None
        self.request_uri = FrozenSIPURI.new(request_uri)
        self.from_header = FrozenFromHeader.new(from_header)
        self.to_header = FrozenToHeader.new(to_header)
        self.contact_header = FrozenContactHeader.new(contact_header)
        self.credentials = credentials
        self._event = event
        self._destinations = destinations_of(route_header, self.request_uri)

    @property
    def event(self) -> str:
        """The event package."""
        return self._event.event

    @property
    def state(self) -> str | None:
        """None before the first request; then notify_wait, pending, active, terminating or terminated."""
        return None if self._usage is None else _name(self._usage.state)

    @property
    def call_id(self) -> str | None:
        return None if self._usage is None else self._usage.call_id

    @property
    def dialog_id(self) -> DialogId | None:
        """None before there is a dialog."""
        return None if self._usage is None or self._usage.dialog is None else self._usage.dialog.id

    @property
    def peer_address(self) -> Hop | None:
        """Where the first request went; None before there is a dialog."""
        return None if self._usage is None or self._usage.dialog is None else self._usage.dialog.hop

    def end(self, timeout: float | None = None) -> None:
        """Unsubscribes and waits for the last NOTIFY, at most `timeout` seconds; after the end it does nothing.

        Raises `InvalidStateError` before there was anything to end.
        """
        usage = self._usage
        if usage is None:
            raise InvalidStateError("there is nothing to end; it was not started")
        if self._is_current(usage):
            usage.end(timeout, now=self._engine.now())
        elif usage.state is not SubscriptionState.TERMINATED:
            self._usage = None
            self._ended(SubscriptionOutcome(False, "local", None, None, None))

    def _is_current(self, usage: SubscriptionUsage) -> bool:
        """Whether it is of the engine as it runs: what an engine knew is gone with its stop."""
        return self._engine.is_running and usage.core is self._engine.core

    def _new_usage(self, expires: int | None) -> SubscriptionUsage:
        authenticator = None if self.credentials is None else Authenticator(self.credentials)
        return SubscriptionUsage(self._engine.core, self._event, self, expires, authenticator)

    # What the usage tells its user

    def subscription_started(self, now: float) -> None:
        post(f"{self._prefix}DidStart", self)

    def state_changed(self, previous: SubscriptionState, state: SubscriptionState) -> None:
        if previous is SubscriptionState.NULL:
            post(f"{self._prefix}WillStart", self)
        post(f"{self._prefix}ChangedState", self, prev_state=_name(previous), state=state.value)

    def subscription_ended(self, outcome: SubscriptionOutcome, now: float) -> None:
        if not outcome.failed:
            self._ended(outcome)
            return
        response = outcome.response
        code = outcome.code or 500
        redirected = response is not None and response.code < 400
        post(
            f"{self._prefix}DidFail",
            self,
            originator=outcome.originator,
            code=code,
            reason=outcome.reason or reason_phrase(code),
            retry_after=outcome.retry_after,
            targets=list(redirection_targets(response)) if redirected and response is not None else [],
            headers=None if response is None else response.headers,
        )

    def notify_received(self, request: SIPRequest, state: FrozenSubscriptionStateHeader, now: float) -> None:
        raise NotImplementedError

    def _ended(self, outcome: SubscriptionOutcome) -> None:
        raise NotImplementedError


class Subscription(Subscriber):
    """A subscription to an event package of somebody else, refreshed until `end` (RFC 6665 4.1).

    :param event: the package, or an Event header with the package and an id.
    :param route_header: one route, or several to try in this order; their hosts are addresses.
    :param credentials: answer the challenges to any of its requests.
    :param refresh: seconds to subscribe for, which a 423 enlarges; 0 fetches the state once (4.4.3).

    The Accept header says the media types that `Engine.add_event` named for the package, unless `subscribe` gets one.
    After its end it may be started again. Methods are called in the reactor thread.

    Notifications: `SIPSubscriptionWillStart`, `SIPSubscriptionDidStart`, `SIPSubscriptionChangedState`,
    `SIPSubscriptionGotNotify`, and at last `SIPSubscriptionDidFail` or `SIPSubscriptionDidEnd`.

    Raises `ValueError` when a route names no IP address, or for what is no package.
    """

    _prefix = "SIPSubscription"

    def __init__(
        self,
        request_uri: BaseSIPURI,
        from_header: BaseFromHeader,
        to_header: BaseToHeader,
        contact_header: BaseContactHeader,
        event: str | BaseEventHeader,
        route_header: Routes,
        credentials: BaseCredentials | None = None,
        refresh: int = 300,
    ) -> None:
        if refresh < 0:
            raise ValueError(f"a subscription lasts no {refresh} seconds")
        header = FrozenEventHeader(event) if isinstance(event, str) else FrozenEventHeader.new(event)
        super().__init__(request_uri, from_header, to_header, contact_header, header, route_header, credentials)
        self.refresh = refresh

    def subscribe(
        self,
        extra_headers: Iterable[BaseHeader] = (),
        content_type: str | None = None,
        body: bytes | None = None,
        timeout: float | None = None,
    ) -> None:
        """Subscribes, or subscribes again now, with these headers (of the refreshes to come too) and this body.

        `timeout` bounds the request, in seconds. Raises `InvalidStateError` while it is being ended, `ValueError` for
        a body without type or of none, `EngineError` when the engine is not running.
        """
        if content_type is not None:
            FrozenContentTypeHeader.parse(content_type)
        elif body:
            raise ValueError("a body needs a content type")
        headers = [(header.name, header) for header in extra_headers]
        accepted = self._engine.event_types(self.event)
        fields: list[tuple[str, str | BaseHeader]] = [*headers]
        if accepted and not any(name.lower() == "accept" for name, _ in headers):
            fields.append(("Accept", ", ".join(accepted)))
        now = self._engine.now()
        usage = self._usage
        if usage is not None and usage.state is not SubscriptionState.TERMINATED and self._is_current(usage):
            usage.refresh(fields, content_type, body or b"", timeout, now=now)
            return
        usage = self._usage = self._new_usage(self.refresh)
        usage.start(
            self.request_uri, self.from_header, self.to_header, self.contact_header, self._destinations, fields,
            content_type, body or b"", timeout, now=now,
        )  # fmt: skip

    def notify_received(self, request: SIPRequest, state: FrozenSubscriptionStateHeader, now: float) -> None:
        post(
            "SIPSubscriptionGotNotify",
            self,
            event=self.event,
            state=state.state,
            reason=state.reason,
            expires=state.expires,
            content_type=request.content_type,
            headers=request.headers,
            body=request.body,
        )

    def _ended(self, outcome: SubscriptionOutcome) -> None:
        post(
            "SIPSubscriptionDidEnd",
            self,
            originator=outcome.originator,
            reason=outcome.reason,
            retry_after=outcome.retry_after,
        )


def _name(state: SubscriptionState) -> str | None:
    return None if state is SubscriptionState.NULL else state.value
