"""Two SIP stacks without sockets or reactor, on a clock that the test moves: for the tests of the protocol layer."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from sipsimple.core.protocol.hop import Hop
from sipsimple.core.protocol.invite_events import Info, SDPUpdate, StateChange
from sipsimple.core.protocol.invite_options import InviteOptions
from sipsimple.core.protocol.invite_usage import HeaderList, InviteUsage
from sipsimple.core.protocol.server_transaction import ServerTransaction
from sipsimple.core.protocol.timers import TimerHeap
from sipsimple.core.protocol.transaction_layer import TransactionLayer
from sipsimple.core.protocol.user_agent import UserAgentCore
from sipsimple.core.wire.digest import BaseCredentials
from sipsimple.core.wire.headers import FrozenContactHeader, FrozenFromHeader, FrozenToHeader
from sipsimple.core.wire.message import SIPRequest, SIPResponse
from sipsimple.core.wire.parser import parse_message
from sipsimple.core.wire.sdp import FrozenSDPSession
from sipsimple.core.wire.uri import FrozenSIPURI

Message = SIPRequest | SIPResponse


def sdp(address: str, *media: str) -> FrozenSDPSession:
    lines = ["v=0", f"o=- 1 1 IN IP4 {address}", "s=-", f"c=IN IP4 {address}", "t=0 0"]
    lines += [f"m={line}" for line in media or ("message 2855 TCP/MSRP *",)]
    return FrozenSDPSession.parse("".join(f"{line}\r\n" for line in lines).encode())


def _raise(what: str, error: Exception) -> None:
    raise error


@dataclass
class Link:
    """Carries datagrams between the parties; `drop` decides which are lost."""

    now: float = 1000.0
    parties: dict[Hop, Party] = field(default_factory=dict)
    queue: deque[tuple[bytes, Hop, Hop]] = field(default_factory=deque)
    sent: list[tuple[str, str]] = field(default_factory=list)
    drop: Callable[[Message], bool] = lambda message: False

    def send(self, data: bytes, source: Hop, destination: Hop) -> None:
        message = parse_message(data)
        cseq = message.cseq
        assert cseq is not None
        line = message.method if isinstance(message, SIPRequest) else f"{message.code} {cseq.method}"
        self.sent.append((self.parties[source].name, line))
        if not self.drop(message):
            self.queue.append((data, source, destination))

    def deliver(self) -> None:
        for _ in range(10_000):
            if not self.queue:
                return
            data, source, destination = self.queue.popleft()
            if destination in self.parties:
                self.parties[destination].layer.message_received(parse_message(data), source, self.now)
        raise AssertionError("the parties never stop talking")

    def advance(self, seconds: float) -> None:
        """Moves the clock, timer by timer, and delivers what is sent on the way."""
        self.deliver()
        end = self.now + seconds
        while True:
            deadlines = [party.timers.next_deadline() for party in self.parties.values()]
            due = min((deadline for deadline in deadlines if deadline is not None), default=end + 1)
            if due > end:
                break
            self.now = max(self.now, due)
            for party in self.parties.values():
                party.timers.run_due(self.now)
            self.deliver()
        self.now = end

    def lines(self, name: str | None = None) -> list[str]:
        return [line for sender, line in self.sent if name in (None, sender)]


class Party:
    """One stack; an error in it is raised and not logged. `answer` is called with each incoming usage.

    `guards` see each request first, but for ACK and CANCEL: what the first of them returns is the answer to it.
    """

    def __init__(self, link: Link, name: str, host: str, options: InviteOptions | None = None) -> None:
        self.link = link
        self.name = name
        self.hop = Hop("udp", host, 5060)
        self.timers = TimerHeap(on_exception=_raise)
        self.core = UserAgentCore(self.timers, self, f"{name}/1", rng=Random(7), invite_options=options)
        self.layer = TransactionLayer(
            self.timers, lambda data, hop: link.send(data, self.hop, hop), self, lambda hop: (host, 5060),
            stray_success=self.core.strays.response_received, on_exception=_raise,
        )  # fmt: skip
        self.core.layer = self.layer
        self.incoming: list[Call] = []
        self.answer: Callable[[Call], None] = lambda call: None
        self.guards: list[Callable[[SIPRequest], SIPResponse | None]] = []
        link.parties[self.hop] = self

    @property
    def uri(self) -> FrozenSIPURI:
        return FrozenSIPURI(self.hop.host, user=self.name, port=5060)

    def request_received(
        self, request: SIPRequest, transaction: ServerTransaction | None, source: Hop, now: float
    ) -> None:
        if transaction is not None:
            for guard in self.guards:
                if (response := guard(request)) is not None:
                    transaction.respond(response, now)
                    return
        self.core.request_received(request, transaction, source, now)

    def local_contact(self, hop: Hop) -> FrozenContactHeader:
        return FrozenContactHeader(self.uri)

    def invite_received(self, usage: InviteUsage, request: SIPRequest, now: float) -> None:
        call = Call(self, usage)
        self.incoming.append(call)
        usage.announce()
        self.answer(call)

    def call(
        self, other: Party, timeout: float | None = None, *media: str, credentials: BaseCredentials | None = None,
        offers: bool = True, headers: HeaderList = (),
    ) -> Call:  # fmt: skip
        """Calls the other party; without an offer if not `offers`."""
        call = Call(self, InviteUsage(self.core))
        offer = sdp(self.hop.host, *media) if offers else None
        call.usage.send_invite(
            other.uri, FrozenFromHeader(self.uri), FrozenToHeader(other.uri), [], FrozenContactHeader(self.uri),
            offer, other.hop, headers, timeout, credentials, now=self.link.now,
        )  # fmt: skip
        return call


class Call:
    """A usage with what it told."""

    def __init__(self, party: Party, usage: InviteUsage) -> None:
        self.party = party
        self.usage = usage
        self.changes: list[StateChange] = []
        self.updates: list[SDPUpdate] = []
        self.infos: list[Info] = []
        self.on_change: Callable[[StateChange], None] = lambda change: None
        usage.user = self

    def state_changed(self, change: StateChange) -> None:
        self.changes.append(change)
        self.on_change(change)

    def sdp_updated(self, update: SDPUpdate) -> None:
        self.updates.append(update)

    def info_received(self, info: Info) -> None:
        self.infos.append(info)

    @property
    def states(self) -> list[str]:
        return [change.state.value for change in self.changes]

    @property
    def last(self) -> StateChange:
        return self.changes[-1]

    def respond(self, code: int, *media: str) -> None:
        answer = self.sdp(*media) if 200 <= code < 300 else None
        self.usage.respond(code, sdp=answer, now=self.party.link.now)

    def sdp(self, *media: str) -> FrozenSDPSession:
        """A description of ours."""
        return sdp(self.party.hop.host, *media)

    def end(self, timeout: float | None = None) -> None:
        self.usage.end(timeout=timeout, now=self.party.link.now)


def assert_nothing_left(link: Link, *parties: Party) -> None:
    """After all timers have run out, the parties have no dialog and no timer any more."""
    link.advance(400)
    for party in parties:
        assert party.core.dialogs == 0
        assert len(party.timers) == 0
