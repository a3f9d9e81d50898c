"""Via: the way a request went and its response goes back (RFC 3261 20.42, 18.2; rport: RFC 3581)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Self

from sipsimple.core.wire.errors import SIPParseError
from sipsimple.core.wire.grammar import TOKEN
from sipsimple.core.wire.headers.parameterized import BaseParameterizedHeader, FrozenParameterized, MutableParameterized
from sipsimple.core.wire.host import host_and_port, plain_host

__all__ = ["BRANCH_COOKIE", "BaseViaHeader", "FrozenViaHeader", "ViaHeader"]

BRANCH_COOKIE = "z9hG4bK"  # RFC 3261 8.1.1.7

MAX_PORT = 65535

_via = re.compile(
    rf"(SIP/2\.0|{TOKEN}+[ \t]*+/[ \t]*+{TOKEN}+)[ \t]*+/[ \t]*+({TOKEN}+)[ \t]++"
    r"([A-Za-z0-9\-._]++|\[[0-9A-Fa-f:.]++\])[ \t]*+(?::[ \t]*+([0-9]{1,5}+)[ \t]*+)?+(?:;(.*+))?+",
    re.DOTALL,
).fullmatch
_leading_branch = re.compile(rf"branch=({TOKEN}+)(?:;|\Z)").match  # saves parsing the others
_spaces = re.compile(r"[ \t]+")


class BaseViaHeader(BaseParameterizedHeader):
    """One hop of a message's way.

    transport -- 'UDP', 'TCP', 'TLS', ...
    host, port -- where responses are wanted (sent-by); parsing a header without a port gives the transport's own
    parameters -- 'branch', 'received', 'rport', 'maddr', 'ttl', ...
    protocol -- 'SIP/2.0'
    """

    __slots__ = ("host", "port", "protocol", "transport")
    _fields = ("transport", "host", "port", "parameters", "protocol")
    name = "Via"
    is_list = True
    skips_empty_parameters = True  # without a Via there would be no way to answer that they are wrong

    transport: str
    host: str
    port: int
    protocol: str

    def __init__(
        self,
        transport: str,
        host: str,
        port: int = 5060,
        parameters: Mapping[str, str | None] | None = None,
        protocol: str = "SIP/2.0",
    ) -> None:
        self.transport = transport
        self.host = plain_host(host)
        self.port = port
        self._parameters = self._parameters_type(parameters)
        self.protocol = protocol

    @classmethod
    def parse(cls, text: str) -> Self:
        via = cls.parse_lazily(text)
        _ = via.parameters
        return via

    @classmethod
    def parse_lazily(cls, text: str) -> Self:
        match = _via(text)
        if match is None:
            raise SIPParseError("not a Via header", text)
        via: Self = object.__new__(cls._open)
        protocol, via.transport, host, port, parameters = match.groups()
        via.protocol = protocol if protocol == "SIP/2.0" else _spaces.sub("", protocol)
        via.host = plain_host(host) if host[0] == "[" else host
        if port is None:
            via.port = 5061 if via.transport.upper() in ("TLS", "WSS") else 5060  # RFC 3261 18.2.2, 19.1.2
        else:
            via.port = number = int(port)
            if number > MAX_PORT:
                raise SIPParseError("a port above 65535", text)
        via._parameters = parameters
        via.__class__ = cls
        return via

    @property
    def body(self) -> str:
        return f"{self.protocol}/{self.transport} {host_and_port(self.host, self.port)}{self._printed_parameters()}"

    def _key(self) -> tuple[Any, ...]:
        return (
            self.protocol.upper(),
            self.transport.upper(),
            self.host.lower(),
            self.port,
            self.parameters.comparable(),
        )

    @property
    def branch(self) -> str | None:
        """What identifies the transaction."""
        parameters = self._parameters
        if type(parameters) is str and (match := _leading_branch(parameters)) is not None:
            branch: str = match[1]
            return branch
        return dict.get(self.parameters, "branch")

    @branch.setter
    def branch(self, branch: str) -> None:
        self.parameters["branch"] = branch

    @property
    def is_unique(self) -> bool:
        """Whether the branch identifies the transaction: it is the cookie and more (RFC 3261 17.2.3)."""
        branch = self.branch
        return branch is not None and len(branch) > 7 and branch[:7].lower() == "z9hg4bk"

    @property
    def received(self) -> str | None:
        """The address that the request came from, without brackets (RFC 3261 18.2.1)."""
        received = dict.get(self.parameters, "received")
        return received and received.strip("[]")

    @received.setter
    def received(self, received: str) -> None:
        self.parameters["received"] = received

    @property
    def rport(self) -> int | None:
        """The port that the request came from (RFC 3581); None if absent or not filled in, see `wants_rport`."""
        text = dict.get(self.parameters, "rport")
        if not text:
            return None
        if not (text.isascii() and text.isdigit() and len(text) <= 5):
            raise SIPParseError("rport is not a port", text)
        return int(text)

    @rport.setter
    def rport(self, rport: int | None) -> None:
        self.parameters["rport"] = None if rport is None else str(rport)

    @property
    def wants_rport(self) -> bool:
        """Whether responses are to go to the port that the request came from (RFC 3581 3)."""
        return "rport" in self.parameters

    @property
    def maddr(self) -> str | None:
        """The address to send responses to instead (RFC 3261 18.2.2)."""
        return dict.get(self.parameters, "maddr")

    @property
    def ttl(self) -> int | None:
        """Time to live of multicast requests, 0 to 255."""
        text = dict.get(self.parameters, "ttl")
        return int(text) if text and text.isascii() and text.isdigit() and len(text) <= 3 else None


class ViaHeader(MutableParameterized, BaseViaHeader):
    """A Via whose parts may be set."""

    __slots__ = ()


class FrozenViaHeader(FrozenParameterized, BaseViaHeader, of=ViaHeader):
    """A Via that can't be changed; hashable."""

    __slots__ = ()
