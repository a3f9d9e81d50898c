"""The reactor of a host on the memory network (IReactorTime, IReactorUDP, IReactorTCP, ...; no RFC).

It is driven by the network's virtual clock, in the thread that runs the network; every callback runs in the
realm of its host. Code under test cannot tell it from a reactor of Twisted's, but for the missing sockets.
"""

# mypy: allow-untyped-calls

from __future__ import annotations

import errno
import os
from collections.abc import Callable, Sequence
from typing import Any, Literal

from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError
from twisted.internet.interfaces import (
    IDelayedCall,
    IHostnameResolver,
    IReactorCore,
    IReactorPluggableNameResolver,
    IReactorTCP,
    IReactorThreads,
    IReactorTime,
    IReactorUDP,
)
from twisted.internet.protocol import ClientFactory, DatagramProtocol, Factory
from twisted.python.failure import Failure
from zope.interface import implementer

from sipsimple.realm import Realm
from sipsimple.testing.network import LOOPBACK, MemoryNetwork
from sipsimple.testing.resolver import MemoryResolver
from sipsimple.testing.tcp_ports import MemoryConnector, MemoryListeningPort
from sipsimple.testing.udp import MemoryDatagramPort

__all__ = ["MemoryReactor", "MemoryRealm", "MemoryThreadPool"]

FIRST_EPHEMERAL_PORT = 49152
LAST_PORT = 65535
ANY_INTERFACE = ("", "0.0.0.0")

Transport = Literal["udp", "tcp"]


@implementer(IReactorCore, IReactorTime, IReactorUDP, IReactorTCP, IReactorThreads, IReactorPluggableNameResolver)
class MemoryReactor:
    """A host: its address, its ports, its timers.

    :param host_ip: its address; by default the next free one of 10.0.0.0/24
    :param realm: the realm its callbacks run in; without one, that of the code that drives the network
    :param name: a name that resolves to it on all hosts; by default its address
    """

    def __init__(
        self, network: MemoryNetwork, host_ip: str | None = None, realm: Realm | None = None, name: str | None = None
    ) -> None:
        self.network = network
        self.ip = host_ip or network.free_ip()
        self.name = name or self.ip
        self.realm = realm
        self.alive = True
        self.running = True
        self.invoke: Callable[..., Any] = _call if realm is None else realm.run
        self.nameResolver: IHostnameResolver = MemoryResolver(self)
        self._clock = network.clock
        self._thread_pool = MemoryThreadPool(self)
        self._bound: dict[Transport, dict[tuple[str, int], Any]] = {"udp": {}, "tcp": {}}
        self._client_ports: dict[Any, int] = {}
        self._next_ephemeral = FIRST_EPHEMERAL_PORT
        self._triggers: list[tuple[str, str, Callable[..., Any], tuple[Any, ...], dict[str, Any]]] = []
        network.attach(self)

    # IReactorTime

    def seconds(self) -> float:
        """The virtual time."""
        return self._clock.now

    def callLater(self, delay: float, callable: Callable[..., Any], *args: object, **kwargs: object) -> IDelayedCall:
        """Call after `delay` virtual seconds; calls that are due at the same instant keep their order.

        :raises ValueError: the delay is negative
        """
        return self._clock.call_later(delay, self, callable, args, kwargs)

    def getDelayedCalls(self) -> Sequence[IDelayedCall]:
        """The calls of this host that are still to be made, the next one first."""
        return self._clock.calls_of(self)

    # IReactorUDP, IReactorTCP

    def listenUDP(
        self, port: int, protocol: DatagramProtocol, interface: str = "", maxPacketSize: int = 8192
    ) -> MemoryDatagramPort:
        """Bind a UDP port, 0 for any; :raises CannotListenError: it is in use."""
        listener = MemoryDatagramPort(self, port, protocol, _interface(interface), maxPacketSize)
        self.invoke(listener.startListening)
        return listener

    def listenTCP(
        self, port: int, factory: Factory[Any], backlog: int = 50, interface: str = ""
    ) -> MemoryListeningPort:
        """Accept connections on a port, 0 for any; :raises CannotListenError: it is in use."""
        listener = MemoryListeningPort(self, port, factory, _interface(interface))
        self.invoke(listener.startListening)
        return listener

    def connectTCP(
        self,
        host: str,
        port: int,
        factory: ClientFactory[Any],
        timeout: float | None = 30.0,
        bindAddress: tuple[str, int] | None = None,
    ) -> MemoryConnector:
        """Connect to a port of another host, given by address or name."""
        connector = MemoryConnector(self, host, port, factory, timeout, bindAddress)
        self.invoke(connector.connect)
        return connector

    # IReactorThreads

    def callFromThread(self, callable: Callable[..., Any], *args: object, **kwargs: object) -> None:
        """Call in the thread that runs the network, from any thread, as the next event there."""
        if kwargs:
            arguments: tuple[Any, ...] = (callable, args, kwargs)
            self._clock.call_from_thread(self, _call_with_keywords, arguments)
        else:
            self._clock.call_from_thread(self, callable, args)

    def getThreadPool(self) -> Any:
        """A pool without threads: its work is done in the next event (see MemoryThreadPool)."""
        return self._thread_pool

    def callInThread(self, callable: Callable[..., Any], *args: object, **kwargs: object) -> None:
        self._thread_pool.callInThread(callable, *args, **kwargs)

    def suggestThreadPoolSize(self, size: int) -> None:
        pass

    # IReactorCore

    def resolve(self, name: str, timeout: Sequence[int] = (1, 3, 11, 45)) -> Deferred[str]:
        """The address of a name of the network, or the failure DNSLookupError; at once for an address."""
        ip = self.network.resolve(name)
        if ip == name:
            answer: Deferred[str] = Deferred()
            answer.callback(ip)
            return answer
        return MemoryResolver(self).getHostByName(name, timeout)

    def installNameResolver(self, resolver: IHostnameResolver) -> IHostnameResolver:
        previous, self.nameResolver = self.nameResolver, resolver
        return previous

    def callWhenRunning(self, callable: Callable[..., Any], *args: object, **kwargs: object) -> None:
        """Call at once, as this reactor is always running."""
        self.invoke(callable, *args, **kwargs)

    def run(self) -> None:
        raise RuntimeError("a MemoryReactor is run by its network: see MemoryNetwork.run_until")

    def iterate(self, delay: float = 0.0) -> None:
        self.network.advance(delay)

    def stop(self) -> None:
        """Fire the triggers of 'shutdown'; the host stays on the network."""
        if self.running:
            self.running = False
            self.fireSystemEvent("shutdown")

    def crash(self) -> None:
        self.running = False

    def addSystemEventTrigger(
        self, phase: str, eventType: str, callable: Callable[..., Any], *args: object, **kwargs: object
    ) -> Any:
        """Have a function called at `stop` ('shutdown'); other events never happen here."""
        trigger = (phase, eventType, callable, args, kwargs)
        self._triggers.append(trigger)
        return trigger

    def removeSystemEventTrigger(self, triggerID: Any) -> None:
        self._triggers.remove(triggerID)

    def fireSystemEvent(self, eventType: str) -> None:
        for phase in ("before", "during", "after"):
            for trigger in [trigger for trigger in self._triggers if trigger[:2] == (phase, eventType)]:
                self._triggers.remove(trigger)
                self.invoke(trigger[2], *trigger[3], **trigger[4])

    # Ports

    def bind(self, transport: Transport, port_object: Any, interface: str, port: int, *, listening: bool = True) -> int:
        """Take a port, or any free one for 0.

        :param listening: False for the local port of an outgoing connection
        :raises CannotListenError: the port is in use, or the interface is not of this host
        """
        if interface not in ("", self.ip, LOOPBACK):
            raise _cannot_listen(interface, port, errno.EADDRNOTAVAIL)
        if not 0 <= port <= LAST_PORT:
            raise _cannot_listen(interface, port, errno.EINVAL)
        addresses = (self.ip, LOOPBACK) if interface == "" else (interface,)
        if port == 0:
            port = self._free_port(transport)
        elif self._in_use(transport, addresses, port):
            raise _cannot_listen(interface, port, errno.EADDRINUSE)
        if listening:
            self._bound[transport].update(((address, port), port_object) for address in addresses)
        else:
            self._client_ports[port_object] = port
        return port

    def unbind(self, transport: Transport, port_object: Any) -> None:
        """Give a port back."""
        if self._client_ports.pop(port_object, None) is None:
            bound = self._bound[transport]
            for address in [address for address, owner in bound.items() if owner is port_object]:
                del bound[address]

    def bound_to(self, transport: Transport, address: tuple[str, int]) -> Any:
        """What listens on an address of this host, None when nothing does."""
        return self._bound[transport].get(address)

    def _free_port(self, transport: Transport) -> int:
        for _ in range(FIRST_EPHEMERAL_PORT, LAST_PORT + 1):
            port = self._next_ephemeral
            self._next_ephemeral = FIRST_EPHEMERAL_PORT if port == LAST_PORT else port + 1
            if not self._in_use(transport, (self.ip, LOOPBACK), port):
                return port
        raise _cannot_listen("", 0, errno.EADDRINUSE)

    def _in_use(self, transport: Transport, addresses: tuple[str, ...], port: int) -> bool:
        bound = self._bound[transport]
        return any((address, port) in bound for address in addresses) or (
            transport == "tcp" and port in self._client_ports.values()
        )

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name} {self.ip}>"


class MemoryThreadPool:
    """A pool that works in the reactor's own thread, each job in an event, so that tests stay in order."""

    name = "memory"

    def __init__(self, reactor: MemoryReactor) -> None:
        self._reactor = reactor

    def callInThread(self, func: Callable[..., Any], *args: object, **kwargs: object) -> None:
        """Call in an event of its own; what it raises is an error of the test."""
        self._reactor.callFromThread(func, *args, **kwargs)

    def callInThreadWithCallback(
        self, onResult: Callable[[bool, Any], Any] | None, func: Callable[..., Any], *args: object, **kwargs: object
    ) -> None:
        """Call in an event of its own, then onResult(True, result) or onResult(False, Failure)."""
        if onResult is None:
            self.callInThread(func, *args, **kwargs)
        else:
            self._reactor.callFromThread(self._work, onResult, func, args, kwargs)

    def _work(
        self, on_result: Callable[[bool, Any], Any], function: Callable[..., Any], arguments: Any, keywords: Any
    ) -> None:
        try:
            result = function(*arguments, **keywords)
        except Exception:
            on_result(False, Failure())
        else:
            on_result(True, result)

    def start(self) -> None:
        pass

    def stop(self) -> None:
        pass

    def adjustPoolsize(self, minthreads: int | None = None, maxthreads: int | None = None) -> None:
        pass


class MemoryRealm(Realm):
    """The realm of a user agent on a memory network: packets leave from the address of its host.

    It has no nameservers, so that names are those of the network, unless a test sets some.
    """

    def __init__(self, name: str, network: MemoryNetwork, ip: str | None = None) -> None:
        super().__init__(name)
        self.nameservers = ()
        self.host = MemoryReactor(network, ip, self, name)
        self.set_reactor(self.host)

    def local_ip_towards(self, host: str) -> str:
        return LOOPBACK if self.host.network.resolve(host) == LOOPBACK else self.host.ip


def _call(function: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Any:
    return function(*args, **kwargs)


def _call_with_keywords(function: Callable[..., Any], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    function(*args, **kwargs)


def _interface(interface: str) -> str:
    return "" if interface in ANY_INTERFACE else interface


def _cannot_listen(interface: str, port: int, code: int) -> CannotListenError:
    return CannotListenError(interface, port, OSError(code, os.strerror(code)))
