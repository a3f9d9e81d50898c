"""Whole user agents on the memory network: an application in a realm and at an address of its own.

    alice, bob = UserAgent(network, 'alice'), UserAgent(network, 'bob')
    bob.answer_with()
    session = alice.call(bob, [ChatStream])
    network.run_until(lambda: session.state == 'connected')
    alice.stop()

Everything that touches an agent's objects from outside goes through `run`, so that it finds that agent's
singletons: `alice.run(session.end)`, `alice.run(ChatStream, alice.account)`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from zope.interface import implementer

from sipsimple.notification import IObserver, Notification, NotificationCenter
from sipsimple.testing.network import MemoryNetwork
from sipsimple.testing.reactor import MemoryReactor, MemoryRealm
from sipsimple.testing.recorder import NotificationRecorder
from sipsimple.util import Route

if TYPE_CHECKING:
    from sipsimple.account import Account
    from sipsimple.application import SIPApplication
    from sipsimple.session import Session

__all__ = ["UserAgent"]

P = ParamSpec("P")
T = TypeVar("T")

PORTS = {"udp": 5060, "tcp": 5060, "tls": 5061}
START_TIMEOUT = 10.0
STOP_TIMEOUT = 60.0
NOTIFICATIONS_SHOWN_ON_FAILURE = 15


class UserAgent:
    """A started SIPApplication with an enabled account `name@ip` that does not register.

    :param name: the user part of its address, and the name of its host
    :param ip: its address; by default the next free one of 10.0.0.0/24
    :param transports: the SIP transports to listen on, at their standard ports
    :param settings: of SIPSimpleSettings, by dotted name: `{'sip.invite_timeout': 5}`
    :param account_settings: of the account, likewise
    :param storage: what `SIPApplication.start` gets; by default a new MemoryStorage
    :param start: False leaves the application to `start`
    """

    def __init__(
        self,
        network: MemoryNetwork,
        name: str,
        *,
        ip: str | None = None,
        transports: Iterable[str] = ("udp",),
        settings: Mapping[str, Any] | None = None,
        account_settings: Mapping[str, Any] | None = None,
        storage: Any = None,
        start: bool = True,
    ) -> None:
        from sipsimple.application import SIPApplication
        from sipsimple.storage import MemoryStorage

        self.network = network
        self.name = name
        self.transports = tuple(transports)
        self.realm = MemoryRealm(name, network, ip)
        self.storage = MemoryStorage() if storage is None else storage
        self.application: SIPApplication = self.run(SIPApplication)
        self.recorder: NotificationRecorder = self.run(NotificationRecorder)
        self.answerer: Answerer | None = None
        self._account: Account | None = None
        self._settings: dict[str, Any] = {f"sip.{transport}_port": PORTS[transport] for transport in self.transports}
        self._settings.update({"sip.transport_list": self.transports, **(settings or {})})
        self._account_settings: dict[str, Any] = {"enabled": True, "registration.enabled": False}
        self._account_settings.update(account_settings or {})
        network.agents.append(self)
        network.report_with(f"{name}, {self.ip}", self._report)
        if start:
            self.start()

    # Who it is

    @property
    def reactor(self) -> MemoryReactor:
        return self.realm.host

    @property
    def ip(self) -> str:
        return self.realm.host.ip

    @property
    def account(self) -> Account:
        """The account `name@ip`; there is none before `start`."""
        if self._account is None:
            raise RuntimeError(f"{self!r} was not started")
        return self._account

    @property
    def uri(self) -> str:
        """Its address as a URI, without a port."""
        return f"sip:{self.name}@{self.ip}"

    def route(self, transport: str | None = None) -> Route:
        """How to reach it directly; over its first transport unless another one is named."""
        chosen = transport or self.transports[0]
        return Route(self.ip, self._settings[f"sip.{chosen}_port"], chosen)

    # What it does

    def run(self, function: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call a function in this agent's realm and return what it returns."""
        return self.realm.run(function, *args, **kwargs)

    def start(self) -> None:
        """Start the application and wait for it, up to SIPApplicationDidStart.

        :raises ConditionNotMet: it did not start
        """
        known = len(self.recorder)
        self.run(self._start)
        self.network.run_until(
            lambda: self._posted_since(known, "SIPApplicationDidStart", "SIPApplicationDidEnd"), START_TIMEOUT
        )
        if self._posted_since(known, "SIPApplicationDidEnd"):
            raise AssertionError(f"{self!r} could not start\n{self.recorder.transcript()}")

    def _start(self) -> None:
        from sipsimple.account import Account
        from sipsimple.configuration.settings import SIPSimpleSettings

        self.application.start(self.storage)
        # The configuration is loaded now; the engine and the accounts start in the next event.
        settings = SIPSimpleSettings()
        _assign(settings, self._settings)
        settings.save()
        self._account = Account(f"{self.name}@{self.ip}")
        _assign(self._account, self._account_settings)
        self._account.save()

    def stop(self) -> None:
        """Stop the application and wait for it, up to SIPApplicationDidEnd. Harmless when it does not run.

        :raises ConditionNotMet: it did not stop
        """
        if not self.run(lambda: self.application.running):
            return
        known = len(self.recorder)
        self.run(self.application.stop)
        self.network.run_until(lambda: self._posted_since(known, "SIPApplicationDidEnd"), STOP_TIMEOUT)

    def call(
        self, other: UserAgent | str, streams: Iterable[Any], *, routes: Iterable[Route] | None = None, **options: Any
    ) -> Session:
        """Make a session and connect it.

        :param other: whom to call; a SIP URI as text needs `routes`
        :param streams: streams of this agent, or functions that make one of an account, as stream classes do
        :param routes: by default the way to `other` over its first transport
        :param options: further arguments of `Session.connect`
        """
        if routes is None:
            if not isinstance(other, UserAgent):
                raise TypeError("a call to a URI needs routes")
            routes = [other.route()]
        uri = other.uri if isinstance(other, UserAgent) else other
        return self.run(self._call, uri, tuple(streams), list(routes), options)

    def _call(self, uri: str, streams: tuple[Any, ...], routes: list[Route], options: dict[str, Any]) -> Session:
        from sipsimple.core import SIPURI, ToHeader
        from sipsimple.session import Session

        account = self.account
        made = [stream(account) if callable(stream) else stream for stream in streams]
        session = Session(account)
        session.connect(ToHeader(SIPURI.parse(uri)), routes, made, **options)
        return session

    def answer_with(
        self,
        choose: Callable[[Session, list[Any]], Iterable[Any]] | None = None,
        *,
        ring: bool = False,
        delay: float = 0.0,
        code: int | None = None,
    ) -> Answerer:
        """Answer each session that comes in from now on; takes the place of an earlier `answer_with`.

        :param choose: gets the session and the proposed streams, returns those to accept; by default all
        :param ring: send a ring indication at once
        :param delay: virtual seconds until the answer
        :param code: reject with this status code
        """
        self.stop_answering()
        self.answerer = self.run(Answerer, self, choose, ring, delay, code)
        return self.answerer

    def stop_answering(self) -> None:
        """Leave incoming sessions to the test."""
        answerer, self.answerer = self.answerer, None
        if answerer is not None:
            self.run(answerer.stop)

    @property
    def incoming(self) -> list[Session]:
        """The sessions that came in so far, in their order."""
        return [found.sender for found in self.recorder.find_all("SIPSessionNewIncoming")]

    def _posted_since(self, known: int, *names: str) -> bool:
        return any(notification.name in names for notification in self.recorder.notifications[known:])

    def _report(self) -> str:
        return self.recorder.transcript(NOTIFICATIONS_SHOWN_ON_FAILURE)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}@{self.ip}>"


@implementer(IObserver)
class Answerer:
    """Answers the incoming sessions of an agent (see `UserAgent.answer_with`)."""

    def __init__(
        self,
        agent: UserAgent,
        choose: Callable[[Session, list[Any]], Iterable[Any]] | None,
        ring: bool,
        delay: float,
        code: int | None,
    ) -> None:
        self._agent = agent
        self._choose = choose
        self._ring = ring
        self._delay = delay
        self._code = code
        NotificationCenter().add_observer(self, name="SIPSessionNewIncoming")

    def stop(self) -> None:
        NotificationCenter().discard_observer(self, name="SIPSessionNewIncoming")

    def handle_notification(self, notification: Notification) -> None:
        session = notification.sender
        if self._ring and session.state == "incoming":
            session.send_ring_indication()
        self._agent.reactor.callLater(self._delay, self._answer, session, list(notification.data.streams))

    def _answer(self, session: Session, streams: list[Any]) -> None:
        if session.state != "incoming":
            return
        if self._code is not None:
            session.reject(self._code)
        else:
            session.accept(list(streams if self._choose is None else self._choose(session, streams)))


def _assign(target: Any, values: Mapping[str, Any]) -> None:
    for path, value in values.items():
        *groups, name = path.split(".")
        owner = target
        for group in groups:
            owner = getattr(owner, group)
        setattr(owner, name, value)
