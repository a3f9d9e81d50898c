"""Which kind of NAT is between this host and the network: `SIPApplication.local_nat_type` (APP-018).

The STUN servers of the accounts are asked, from one socket, where they see it (RFC 8489). A NAT that shows the same
address to all of them is a `cone`, one that shows each another is `symmetric` (RFC 3489 5: which call gets through
without a relay depends on that). `nat` is one of which a single server can't tell more; `open` is none at all;
`blocked`: no server answers; `unknown`: there is none to ask.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred
from twisted.internet.protocol import DatagramProtocol
from zope.interface import implementer

from sipsimple.core.transport.stun import BINDING_SUCCESS, STUNError, binding_request, parse
from sipsimple.notification import IObserver, Notification, NotificationCenter
from sipsimple.realm import current_realm
from sipsimple.streams.rtp.server_probe import MAX_SERVERS, Server, look_up

if TYPE_CHECKING:
    from sipsimple.application import SIPApplication

__all__ = ["BLOCKED", "CONE", "NAT", "OPEN", "SYMMETRIC", "UNKNOWN", "NATQuestion", "NATTypeService"]

UNKNOWN, OPEN, BLOCKED, NAT, CONE, SYMMETRIC = "unknown", "open", "blocked", "nat", "cone", "symmetric"

TIMEOUT = 2.0  # seconds
REPEAT_AFTER = 0.3

Address = tuple[str, int]


class NATQuestion(DatagramProtocol):
    """Asks servers where they see us; `done` fires with the type. In the reactor's thread.

    :param servers: host and port of each; those at addresses of their own tell a cone from a symmetric NAT
    """

    def __init__(self, servers: Sequence[Server]) -> None:
        self.done: Deferred[str] = Deferred(lambda _: self._finish())
        self._realm = current_realm()
        self._requests: dict[bytes, tuple[bytes, Address]] = {}  # by the transaction
        self._seen: dict[Address, tuple[Address, bool]] = {}  # by the server: where it sees us, whether that is here
        self._asked = len(servers)
        self._port: Any = None
        reactor = self._realm.reactor
        self._timers = [reactor.callLater(TIMEOUT, self._timed_out)]
        try:
            self._port = reactor.listenUDP(0, self)
        except OSError:
            reactor.callLater(0, self._timed_out)
            return
        for host, port in servers:
            look_up(reactor, host, lambda address, port=port: self._found((address, port)))  # type: ignore[misc]

    def _found(self, server: Address) -> None:
        if not self.done.called and not any(server == other for _, other in self._requests.values()):
            request, transaction = binding_request()
            self._requests[transaction] = request, server
            self._ask(transaction)

    def _ask(self, transaction: bytes) -> None:
        request, server = self._requests[transaction]
        if server not in self._seen:
            with suppress(OSError):  # there is no way to it now
                self.transport.write(request, server)
            self._timers.append(self._realm.reactor.callLater(REPEAT_AFTER, self._ask, transaction))

    def datagramReceived(self, data: bytes, sender: Any) -> None:
        try:
            message = parse(data)
        except STUNError:
            return
        _, server = self._requests.get(message.transaction, (b"", None))
        if message.kind != BINDING_SUCCESS or message.address is None or server != sender[:2]:
            return
        here = self._realm.local_ip_towards(server[0]), self._port.getHost().port
        self._seen[server] = message.address, message.address == here
        if len(self._seen) == self._asked:
            self._tell()

    def _timed_out(self) -> None:
        if not self.done.called:
            self._tell()

    def _tell(self) -> None:
        self._finish()
        self.done.callback(self._type())

    def _type(self) -> str:
        if not self._seen:
            return BLOCKED
        if all(is_here for _, is_here in self._seen.values()):
            return OPEN
        if len({server[0] for server in self._seen}) < 2:
            return NAT
        return CONE if len({address for address, _ in self._seen.values()}) == 1 else SYMMETRIC

    def _finish(self) -> None:
        for timer in self._timers:
            if timer.active():
                timer.cancel()
        port, self._port = self._port, None
        if port is not None:
            port.stopListening()


@implementer(IObserver)
class NATTypeService:
    """Keeps the attribute of the application true: asks when an account becomes active, or has other servers."""

    def __init__(self, application: SIPApplication) -> None:
        self._application = application
        self._servers: tuple[Server, ...] = ()
        self._question: NATQuestion | None = None

    def start(self) -> None:
        self._application.local_nat_type = UNKNOWN
        for name in ("SIPAccountDidActivate", "SIPAccountDidDeactivate", "CFGSettingsObjectDidChange"):
            NotificationCenter().add_observer(self, name=name)
        self._look()

    def stop(self) -> None:
        for name in ("SIPAccountDidActivate", "SIPAccountDidDeactivate", "CFGSettingsObjectDidChange"):
            NotificationCenter().discard_observer(self, name=name)
        self._servers = ()
        self._ask()

    def handle_notification(self, notification: Notification) -> None:
        """IObserver, in the reactor's thread."""
        if notification.name.startswith("SIPAccount") or "nat_traversal.stun_server_list" in notification.data.modified:
            self._look()

    def _look(self) -> None:
        from sipsimple.account import AccountManager

        servers: list[Server] = []
        for account in AccountManager().get_accounts():
            if account.is_active and hasattr(account, "nat_traversal"):
                listed = account.saved_value("nat_traversal.stun_server_list") or ()
                servers += [(str(server.host), int(server.port)) for server in listed]
        wanted = tuple(dict.fromkeys(servers))[:MAX_SERVERS]
        if wanted != self._servers:
            self._servers = wanted
            self._ask()

    def _ask(self) -> None:
        question, self._question = self._question, None
        if question is not None:
            question.done.addErrback(lambda _: None)
            question.done.cancel()
        if not self._servers:
            self._application.local_nat_type = UNKNOWN
            return
        self._question = NATQuestion(self._servers)
        self._question.done.addCallbacks(self._learn, lambda _: None)

    def _learn(self, kind: str) -> None:
        self._question = None
        self._application.local_nat_type = kind
