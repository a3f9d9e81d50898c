"""Realms: whose singletons a piece of code sees, and on which reactor its time and network are.

A realm is one user agent's worth of singletons together with its reactor. A process has one default realm,
which is all that an application ever meets. Several whole user agents can live in one process (the tests'
in-memory network does that) by giving each a realm of its own and calling its code through `Realm.run`.
"""

from __future__ import annotations

import socket
from collections.abc import Callable, Sequence
from contextvars import ContextVar
from threading import RLock, get_ident
from typing import Any, ParamSpec, TypeVar, cast

__all__ = ["Realm", "Singleton", "current_realm", "default_realm", "replace_default_realm"]

P = ParamSpec("P")
T = TypeVar("T")

LOOPBACK = "127.0.0.1"
# Documentation prefixes (RFC 5737, RFC 3849): never sent to, they only stand for "the rest of the internet".
ELSEWHERE = ((socket.AF_INET, "192.0.2.1"), (socket.AF_INET6, "2001:db8::1"))


class Realm:
    """One user agent's worth of singletons (see `Singleton`), and its reactor.

    `name` only serves to tell realms apart in logs. `nameservers` are the IP addresses (with or without a port) of the
    nameservers of its network, None if they are those of the system.
    """

    def __init__(self, name: str = "default") -> None:
        self.name = name
        self.nameservers: Sequence[str] | None = None
        self.instances: dict[type, object] = {}
        self.lock = RLock()
        self._reactor: Any = None
        self._reactor_thread: int | None = None

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name!r}>"

    @property
    def reactor(self) -> Any:
        """The reactor (IReactorTime, IReactorUDP, IReactorTCP, IReactorThreads), None until one is set.

        Assigning one says that the assigning thread is the one that runs it; `set_reactor` names another.
        """
        return self._reactor

    @reactor.setter
    def reactor(self, reactor: Any) -> None:
        self.set_reactor(reactor)

    def set_reactor(self, reactor: Any, thread: int | None = None) -> None:
        """Make `reactor`, run by the thread with the identifier `thread` (default: this one), the realm's."""
        self._reactor_thread = None if reactor is None else get_ident() if thread is None else thread
        self._reactor = reactor

    def in_reactor_thread(self) -> bool:
        """Whether the calling thread runs this realm's reactor. False while there is no reactor."""
        return self._reactor_thread == get_ident()

    def run(self, callable: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> T:
        """Call with this realm as the current one, and return what the callable returns."""
        token = _current.set(self)
        try:
            return callable(*args, **kwargs)
        finally:
            _current.reset(token)

    def local_ip_towards(self, host: str) -> str:
        """The local IP address that packets to `host` (an IPv4 or IPv6 address) leave from.

        No packet is sent and no name is looked up: for anything but an address, or when there is no route
        to it, it is the address of the default route, and the loopback address on a machine without one.
        """
        first = (socket.AF_INET6 if ":" in host else socket.AF_INET, host.strip("[]"))
        for family, address in (first, *ELSEWHERE):
            try:
                socket.inet_pton(family, address)
                with socket.socket(family, socket.SOCK_DGRAM) as probe:
                    probe.connect((address, 9))
                    return str(probe.getsockname()[0])
            except (OSError, ValueError):
                continue
        return LOOPBACK


_default = Realm()
_current: ContextVar[Realm | None] = ContextVar("sipsimple_realm", default=None)


def current_realm() -> Realm:
    """The realm that the running code belongs to: that of `Realm.run`, otherwise the process's default."""
    return _current.get() or _default


def default_realm() -> Realm:
    """The realm of all code that no other realm runs."""
    return _default


def replace_default_realm(realm: Realm | None = None) -> Realm:
    """Make `realm` (a fresh one if None is given) the default; returns the one it replaces. For tests."""
    global _default
    previous, _default = _default, Realm() if realm is None else realm
    return previous


class Singleton(type):
    """Metaclass of classes with one instance in each realm: the first call makes it, later ones return it."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        realm = _current.get() or _default
        try:
            return realm.instances[cls]
        except KeyError:
            pass
        with realm.lock:
            if cls not in realm.instances:
                instance = cast(object, super().__call__(*args, **kwargs))
                realm.instances.setdefault(cls, instance)
            return realm.instances[cls]
