"""Which STUN and TURN servers answer (RFC 8489, RFC 8656).

An audio engine waits many seconds for a server that is dead, and the call with it. So each is asked first whether it is
there, all of them at once, and one that is not is left out. Names are looked up here too, as the engine must not block.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred, succeed
from twisted.internet.error import CannotListenError
from twisted.internet.protocol import ClientFactory, DatagramProtocol, Protocol

from sipsimple.core.transport.stun import binding_request
from sipsimple.core.wire.host import is_ip_address
from sipsimple.realm import Singleton, current_realm

__all__ = ["KNOWN_FOR", "MAX_SERVERS", "PROBE_TIMEOUT", "Server", "ServerProbe", "look_up"]

PROBE_TIMEOUT = 1.0  # seconds, with the look-up of the name
REPEAT_AFTER = 0.25
KNOWN_FOR = 30.0
"""Seconds for which what was found out is held to be true."""
MAX_SERVERS = 8

Server = tuple[str, int]  # its host and port


class ServerProbe(metaclass=Singleton):
    """Asks servers whether they are there; knows it for a while. Used in the reactor's thread."""

    def __init__(self) -> None:
        self._reactor = current_realm().reactor
        self._known: dict[Server, tuple[float, str | None]] = {}  # until when; its address, None for one that is dead

    def first_alive(self, servers: Sequence[Server]) -> Deferred[str | None]:
        """The address:port of the first server that answers, None if none does in PROBE_TIMEOUT."""
        servers = tuple(dict.fromkeys(servers))[:MAX_SERVERS]
        now = self._reactor.seconds()
        self._known = {server: known for server, known in self._known.items() if known[0] > now}
        for server in servers:
            if server in self._known and (address := self._known[server][1]) is not None:
                return succeed(f"{address}:{server[1]}")
        unknown = [server for server in servers if server not in self._known]
        return _Question(self._reactor, unknown, self._learn).done if unknown else succeed(None)

    def accepts(self, server: Server) -> Deferred[str | None]:
        """The address:port of a server if it accepts connections, None if it has accepted none in PROBE_TIMEOUT."""
        name = (f"tcp {server[0]}", server[1])
        until, address = self._known.get(name, (0.0, None))
        if until > self._reactor.seconds():
            return succeed(address and f"{address}:{server[1]}")

        def learn(address: str | None) -> str | None:
            self._learn(name, address)
            return address and f"{address}:{server[1]}"

        return _Knock(self._reactor, server).done.addCallback(learn)

    def _learn(self, server: Server, address: str | None) -> None:
        self._known[server] = self._reactor.seconds() + KNOWN_FOR, address


class _Question(DatagramProtocol):
    """Servers that are asked at the same time, over a socket of their own."""

    def __init__(self, reactor: Any, servers: Sequence[Server], learn: Any) -> None:
        self.done: Deferred[str | None] = Deferred()
        self._reactor = reactor
        self._learn = learn
        self._request, self._transaction = binding_request()
        self._waiting = dict.fromkeys(servers, "")  # their addresses, as soon as they are known
        self._timers = [reactor.callLater(PROBE_TIMEOUT, self._timed_out)]
        self._port: Any = None
        try:
            self._port = reactor.listenUDP(0, self)
        except CannotListenError:
            self._finish(None)
            return
        for server in servers:
            look_up(reactor, server[0], lambda address, server=server: self._found(server, address))  # type: ignore[misc]

    def _found(self, server: Server, address: str) -> None:
        if not self.done.called and not self._waiting[server]:
            self._waiting[server] = address
            self._ask(server)

    def _ask(self, server: Server) -> None:
        with suppress(OSError, ValueError):  # there is no way to it now, or it is an IPv6 address
            self.transport.write(self._request, (self._waiting[server], server[1]))
        self._timers.append(self._reactor.callLater(REPEAT_AFTER, self._ask, server))

    def datagramReceived(self, data: bytes, sender: tuple[str, int]) -> None:
        # also an error is a sign of life: a TURN server need not answer who is not authenticated
        if len(data) < 20 or data[:2] not in (b"\x01\x01", b"\x01\x11") or data[8:20] != self._transaction:
            return
        for server, address in self._waiting.items():
            if (address, server[1]) == sender[:2]:
                self._learn(server, address)
                self._finish(f"{address}:{server[1]}")
                return

    def _timed_out(self) -> None:
        for server in self._waiting:
            self._learn(server, None)
        self._finish(None)

    def _finish(self, address: str | None) -> None:
        if self.done.called:
            return
        for timer in self._timers:
            if timer.active():
                timer.cancel()
        if self._port is not None:
            self._port.stopListening()
        self.done.callback(address)


class _Knock(ClientFactory):
    """Connects to a server, and is content with that; `done` fires with its address or None."""

    noisy = False

    def __init__(self, reactor: Any, server: Server) -> None:
        self.done: Deferred[str | None] = Deferred()
        self._timer = reactor.callLater(PROBE_TIMEOUT, self._finish, None)
        self._connector: Any = None
        self._connector = reactor.connectTCP(*server, self)

    def buildProtocol(self, addr: Any) -> Protocol:
        protocol = Protocol()
        protocol.connectionMade = lambda: self._finish(addr.host)  # type: ignore[method-assign]
        return protocol

    def clientConnectionFailed(self, connector: Any, reason: Any) -> None:
        self._finish(None)

    def _finish(self, address: str | None) -> None:
        if self.done.called:
            return
        if self._timer.active():
            self._timer.cancel()
        self.done.callback(address)
        if self._connector is not None:
            self._connector.disconnect()


def look_up(reactor: Any, host: str, found: Callable[[str], object]) -> None:
    """Call `found` with the IPv4 addresses of a host, as they come; never for a name that is not known."""
    if is_ip_address(host):
        found(host)
    else:
        reactor.nameResolver.resolveHostName(_Receiver(found), host, 0, [IPv4Address], "UDP")


class _Receiver:
    """Takes the addresses of a name (IResolutionReceiver)."""

    def __init__(self, found: Callable[[str], object]) -> None:
        self._found = found

    def resolutionBegan(self, resolution: Any) -> None:
        """Nothing to do: the system's look-up can't be broken off."""

    def addressResolved(self, address: Any) -> None:
        self._found(address.host)

    def resolutionComplete(self) -> None:
        """Nothing to do: without an address the server is dead when the time is over."""
