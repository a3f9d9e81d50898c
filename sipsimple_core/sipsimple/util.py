"""Small values that every part shares: All, Any, Null and Route (DNS-039..044)."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from sipsimple.core.wire.uri import SIPURI

__all__ = ["All", "Any", "Null", "Route"]

TRANSPORTS = ("udp", "tcp", "tls")
DEFAULT_PORTS = {"udp": 5060, "tcp": 5060, "tls": 5061}  # RFC 3261 19.1.2


class _Constant:
    """A value that is only itself: one object however often it is copied, pickled or asked for."""

    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name

    def __reduce__(self) -> str:
        return self._name


class AllType(_Constant):
    """The type of `All`: every element of what is spoken about."""

    __slots__ = ()


class AnyType(_Constant):
    """The type of `Any`: no matter which."""

    __slots__ = ()


class NullType:
    """The type of `Null`, which stands for an object that is not there.

    Whatever is done with it is accepted and has no effect: attributes, calls and items of it are Null again.
    It is false, empty, and equal only to itself. Names with two leading underscores are real attributes or
    none, so that protocols (copying, adaptation, inspection) are not misled.
    """

    __slots__ = ()

    def __call__(self, *args: object, **kwargs: object) -> NullType:
        return self

    def __getattr__(self, name: str) -> NullType:
        if name.startswith("__"):
            raise AttributeError(name)
        return self

    def __setattr__(self, name: str, value: object) -> None:
        pass

    def __delattr__(self, name: str) -> None:
        pass

    def __getitem__(self, key: object) -> NullType:
        return self

    def __setitem__(self, key: object, value: object) -> None:
        pass

    def __delitem__(self, key: object) -> None:
        pass

    def __contains__(self, item: object) -> bool:
        return False

    def __iter__(self) -> Iterator[NoReturn]:
        return iter(())

    def __len__(self) -> int:
        return 0

    def __bool__(self) -> bool:
        return False

    def __enter__(self) -> NullType:
        return self

    def __exit__(self, *args: object) -> None:
        pass

    def __repr__(self) -> str:
        return "Null"

    def __reduce__(self) -> str:
        return "Null"


All = AllType("All")
Any = AnyType("Any")
Null = NullType()


class Route:
    """Where to send requests: an IP address, a port and a transport (DNS-039..044).

    `address` is an IPv4 or IPv6 address as a string (no host name: what is looked up is no route yet), `port`
    an int, or None for the default port of the transport, `transport` one of 'udp', 'tcp' and 'tls', in any
    case. All three can also be set later. Raises TypeError and ValueError for anything else.

    `server` is the name of the server whose address it is, where a lookup knows it: routes to several addresses of one
    server are told by it from those to another one. It is no part of what a route is when two are compared.
    """

    __slots__ = ("_address", "_port", "_transport", "server")

    def __init__(
        self, address: str, port: int | None = None, transport: str = "udp", *, server: str | None = None
    ) -> None:
        self.address = address
        self.port = port
        self.transport = transport
        self.server = server

    @property
    def address(self) -> str:
        return self._address

    @address.setter
    def address(self, address: str) -> None:
        if not isinstance(address, str):
            raise TypeError(f"the address of a route is a str, not {type(address).__name__}")
        address = address.removeprefix("[").removesuffix("]")
        try:
            socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)
        except (OSError, ValueError):
            raise ValueError(f"the address of a route is an IPv4 or IPv6 address, not {address!r}") from None
        self._address = address

    @property
    def port(self) -> int | None:
        return self._port

    @port.setter
    def port(self, port: int | None) -> None:
        if port is not None:
            if isinstance(port, bool) or not isinstance(port, int):
                raise TypeError(f"the port of a route is an int or None, not {type(port).__name__}")
            if not 0 < port < 65536:
                raise ValueError(f"the port of a route is from 1 to 65535, not {port}")
        self._port = port

    @property
    def transport(self) -> str:
        return self._transport

    @transport.setter
    def transport(self, transport: str) -> None:
        if not isinstance(transport, str):
            raise TypeError(f"the transport of a route is a str, not {type(transport).__name__}")
        if transport.lower() not in TRANSPORTS:
            raise ValueError(f"the transport of a route is one of {', '.join(TRANSPORTS)}, not {transport!r}")
        self._transport = transport.lower()

    @property
    def effective_port(self) -> int:
        """The port to send to: `port`, or if that is None the transport's default (RFC 3261 19.1.2)."""
        return DEFAULT_PORTS[self._transport] if self._port is None else self._port

    def get_uri(self) -> SIPURI:
        """The SIPURI of this route: address, port and the transport as a parameter (DNS-043)."""
        from sipsimple.core.wire.uri import SIPURI

        return SIPURI(host=self._address, port=self.effective_port, parameters={"transport": self._transport})

    def _key(self) -> tuple[str, int, str]:
        return self._address, self.effective_port, self._transport

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, Route) else NotImplemented

    def __hash__(self) -> int:
        return hash(self._key())

    def __str__(self) -> str:
        host = f"[{self._address}]" if ":" in self._address else self._address
        return f"{self._transport}:{host}:{self.effective_port}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._address!r}, port={self._port!r}, transport={self._transport!r})"
