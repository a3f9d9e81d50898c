"""Parties of a `Link` that subscribe, notify and refer, and a peer that sends and answers whatever a test says."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sipsimple.core.protocol.authentication import Authenticator
from sipsimple.core.protocol.event_server import MAX_SUBSCRIPTIONS, EventServer
from sipsimple.core.protocol.hop import Hop
from sipsimple.core.protocol.notifier_events import NotifierEnding
from sipsimple.core.protocol.notifier_states import NotifierState
from sipsimple.core.protocol.notifier_usage import NotifierUsage
from sipsimple.core.protocol.outgoing_request import Destination
from sipsimple.core.protocol.referral_usage import IncomingReferralUsage, refer_headers
from sipsimple.core.protocol.subscription_events import SubscriptionOutcome
from sipsimple.core.protocol.subscription_states import SubscriptionState
from sipsimple.core.protocol.subscription_usage import SubscriptionUsage
from sipsimple.core.protocol.timers import TimerHeap
from sipsimple.core.wire.digest import BaseCredentials
from sipsimple.core.wire.headers import (
    BaseHeader,
    FrozenContactHeader,
    FrozenEventHeader,
    FrozenFromHeader,
    FrozenReferToHeader,
    FrozenSubscriptionStateHeader,
    FrozenToHeader,
)
from sipsimple.core.wire.message import SIPRequest, SIPResponse, make_response
from sipsimple.core.wire.parser import parse_message
from sipsimple.core.wire.uri import FrozenSIPURI
from sipsimple.testing.parties import Link, Message, Party

__all__ = ["EventParty", "RawPeer", "Served", "Watch"]


class EventParty(Party):
    """A party with event packages; `serve` and `refer` are called with each subscription and referral that comes in."""

    def __init__(
        self,
        link: Link,
        name: str,
        host: str,
        packages: Sequence[str] = ("presence", "message-summary"),
        max_subscriptions: int = MAX_SUBSCRIPTIONS,
    ) -> None:
        super().__init__(link, name, host)
        self.events = EventServer(self.core, self, max_subscriptions)
        for package in packages:
            self.events.add_package(package, ("application/pidf+xml",) if package == "presence" else ())
        self.served: list[Served] = []
        self.serve: Callable[[Served], None] = lambda served: None

    def subscription_received(self, usage: NotifierUsage, request: SIPRequest, now: float) -> None:
        served = Served(self, usage)
        self.served.append(served)
        self.serve(served)

    def referral_received(self, usage: IncomingReferralUsage, request: SIPRequest, now: float) -> None:
        served = Served(self, usage.notifier, usage)
        self.served.append(served)
        self.serve(served)

    def subscribe(
        self,
        other: Party | RawPeer,
        event: str = "presence",
        expires: int | None = 300,
        *,
        id: str | None = None,
        headers: Sequence[tuple[str, str | BaseHeader]] = (),
        timeout: float | None = None,
        credentials: BaseCredentials | None = None,
    ) -> Watch:
        authenticator = None if credentials is None else Authenticator(credentials)
        parameters = None if id is None else {"id": id}
        watch = Watch(
            self, SubscriptionUsage(self.core, FrozenEventHeader(event, parameters), None, expires, authenticator)
        )
        watch.usage.start(
            other.uri, FrozenFromHeader(self.uri), FrozenToHeader(other.uri), FrozenContactHeader(self.uri),
            [Destination(other.hop)], headers, timeout=timeout, now=self.link.now,
        )  # fmt: skip
        return watch

    def refer(self, other: Party | RawPeer, target: str, create_subscription: bool = True) -> Watch:
        watch = Watch(self, SubscriptionUsage(self.core, FrozenEventHeader("refer")))
        identity = FrozenFromHeader(self.uri)
        headers = refer_headers(FrozenReferToHeader(target), identity, (), create_subscription)
        watch.usage.start(
            other.uri, identity, FrozenToHeader(other.uri), FrozenContactHeader(self.uri), [Destination(other.hop)],
            headers, method="REFER", now=self.link.now,
        )  # fmt: skip
        return watch


class Watch:
    """A subscription of ours with what it told."""

    def __init__(self, party: EventParty, usage: SubscriptionUsage | None = None) -> None:
        self.party = party
        self.told: list[str] = []
        self.notified: list[tuple[str, bytes]] = []
        self.outcome: SubscriptionOutcome | None = None
        self.on_notify: Callable[[], None] = lambda: None
        self.on_change: Callable[[], None] = lambda: None
        if usage is not None:
            self.usage = usage
            usage.user = self

    def subscription_started(self, now: float) -> None:
        self.told.append("started")

    def state_changed(self, previous: SubscriptionState, state: SubscriptionState) -> None:
        self.told.append(state.value)
        self.on_change()

    def notify_received(self, request: SIPRequest, state: FrozenSubscriptionStateHeader, now: float) -> None:
        self.told.append("notify")
        self.notified.append((state.body, request.body))
        self.on_notify()

    def subscription_ended(self, outcome: SubscriptionOutcome, now: float) -> None:
        assert self.outcome is None, "it ends once"
        self.told.append("failed" if outcome.failed else "ended")
        self.outcome = outcome

    @property
    def state(self) -> str:
        return self.usage.state.value

    def end(self, timeout: float | None = None) -> None:
        self.usage.end(timeout, now=self.party.link.now)


class Served:
    """A subscription to us with what it told."""

    def __init__(self, party: Party, usage: NotifierUsage, referral: IncomingReferralUsage | None = None) -> None:
        self.party = party
        self.usage = usage
        self.referral = referral
        self.told: list[str] = []
        self.ending: NotifierEnding | None = None
        self.on_told: Callable[[str], None] = lambda what: None
        usage.user = self

    def _tell(self, what: str) -> None:
        self.told.append(what)
        self.on_told(what)

    def state_changed(self, previous: NotifierState, state: NotifierState) -> None:
        self._tell(state.value)

    def subscription_refreshed(self, request: SIPRequest, expires: int, now: float) -> None:
        self._tell(f"refreshed {expires}")

    def subscription_cancelled(self, request: SIPRequest, now: float) -> None:
        self._tell("cancelled")

    def subscription_expired(self, now: float) -> None:
        self._tell("expired")

    def notify_succeeded(self, response: SIPResponse, now: float) -> None:
        self._tell(f"notify {response.code}")

    def notify_failed(self, code: int, reason: str, now: float) -> None:
        self._tell(f"notify failed {code}")

    def subscription_ended(self, ending: NotifierEnding, now: float) -> None:
        assert self.ending is None, "it ends once"
        self.ending = ending
        self._tell("ended")

    @property
    def state(self) -> str:
        return self.usage.state.value

    @property
    def _now(self) -> float:
        return self.party.link.now

    def accept_pending(self) -> None:
        self.usage.accept_pending(now=self._now)

    def accept(self, content: bytes = b"", content_type: str | None = None) -> None:
        self.usage.accept(content_type or ("text/plain" if content else None), content, now=self._now)

    def push(self, content: bytes) -> None:
        self.usage.push("text/plain", content, now=self._now)

    def reject(self, code: int = 403) -> None:
        self.usage.reject(code, now=self._now)

    def end(self, reason: str = "noresource") -> None:
        self.usage.end(reason, now=self._now)


class _NoLayer:
    def __init__(self, peer: RawPeer) -> None:
        self._peer = peer

    def message_received(self, message: Message, source: Hop, now: float) -> None:
        self._peer.received.append(message)
        self._peer.on_message(message)


class RawPeer:
    """A peer without a stack: it keeps what it gets, and sends what the test makes of it."""

    def __init__(self, link: Link, name: str, host: str) -> None:
        self.link = link
        self.name = name
        self.hop = Hop("udp", host, 5060)
        self.timers = TimerHeap()
        self.layer = _NoLayer(self)
        self.received: list[Message] = []
        self.on_message: Callable[[Message], None] = lambda message: None
        self.cseq = 0
        self._sent = 0
        link.parties[self.hop] = self  # type: ignore[assignment]

    @property
    def uri(self) -> FrozenSIPURI:
        return FrozenSIPURI(self.hop.host, user=self.name, port=5060)

    def requests(self, method: str) -> list[SIPRequest]:
        return [message for message in self.received if isinstance(message, SIPRequest) and message.method == method]

    def responses(self, method: str) -> list[int]:
        return [
            message.code
            for message in self.received
            if isinstance(message, SIPResponse) and message.cseq is not None and message.cseq.method == method
        ]

    def answer(
        self, request: SIPRequest, code: int, *headers: tuple[str, str], tag: str = "raw", contact: bool = True
    ) -> None:
        """Answers a request, with a Contact unless told otherwise."""
        fields = [*headers, *([("Contact", f"<{self.uri}>")] if contact else [])]
        via = request.via
        assert via is not None
        destination = Hop("udp", via.host, via.port)
        self.link.send(make_response(request, code, None, tag, fields).encode(), self.hop, destination)

    def notify(
        self,
        subscribe: SIPRequest,
        state: str | None = "active;expires=300",
        *headers: tuple[str, str],
        event: str | None = None,
        body: bytes = b"",
        tag: str = "raw",
        cseq: int | None = None,
        contact: bool = True,
    ) -> None:
        """Sends a NOTIFY about the subscription that a request asked for."""
        self._sent += 1
        if cseq is None:
            self.cseq = cseq = self.cseq + 1
        event = subscribe.headers.get("Event", "refer") if event is None else event
        from_header = subscribe.headers.get("From") or ""
        target = subscribe.contact[0].uri
        assert isinstance(target, FrozenSIPURI)
        lines = [
            f"NOTIFY {target} SIP/2.0",
            f"Via: SIP/2.0/UDP {self.hop.host}:5060;branch=z9hG4bK{self.name}{self._sent}",
            f"From: <{self.uri}>;tag={tag}",
            f"To: {from_header}",
            f"Call-ID: {subscribe.call_id}",
            f"CSeq: {cseq} NOTIFY",
            "Max-Forwards: 70",
            *([f"Event: {event}"] if event else []),
            *([f"Subscription-State: {state}"] if state is not None else []),
            *([f"Contact: <{self.uri}>"] if contact else []),
            *(["Content-Type: text/plain"] if body and "Content-Type" not in dict(headers) else []),
            *(f"{name}: {value}" for name, value in headers),
        ]
        self.send(lines, body, Hop("udp", target.host, target.port or 5060))

    def send(self, lines: Sequence[str], body: bytes, destination: Hop) -> None:
        data = "\r\n".join([*lines, f"Content-Length: {len(body)}", "", ""]).encode() + body
        parse_message(data)
        self.link.send(data, self.hop, destination)
