"""Names and addresses of hosts, people and servers (RFC 3261 25.1: hostname, user, hostport)."""

from __future__ import annotations

import re
import socket
from typing import Any, ClassVar, Self

from sipsimple.configuration.datatypes._quote import quote
from sipsimple.configuration.datatypes.numeric import Port
from sipsimple.configuration.datatypes.text import Choice, parse_text

MAX_HOSTNAME_LENGTH = 253
"""RFC 1035 2.3.4: 255 octets on the wire, which are 253 characters."""

# RFC 3261 25.1, and the underscore, which private networks have in their names. The last label starts with a
# letter, so that a mistyped IPv4 address is not taken for a name.
_hostname = re.compile(
    r"(?:[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?\.)*[a-z](?:[a-z0-9_-]{0,61}[a-z0-9_])?",
    re.ASCII | re.IGNORECASE,
)
_user = re.compile(r"(?:[a-z0-9\-_.!~*'()&=+$,;?/]|%[0-9a-f]{2})+", re.ASCII | re.IGNORECASE)
_escape = re.compile("%([0-9a-f]{2})", re.ASCII | re.IGNORECASE)
_unreserved = re.compile(r"[a-z0-9\-_.!~*'()]", re.ASCII | re.IGNORECASE)
_http_url = re.compile(r"(https?)://([^/?#@\s]+)(/[^?#\s\x00-\x1f\x7f]*)?", re.ASCII | re.IGNORECASE)


def is_sip_user(text: str) -> bool:
    """Whether the text may stand before the @ of a SIP URI as it is (RFC 3261 25.1, user)."""
    return _user.fullmatch(text) is not None


def _canonical_escape(match: re.Match[str]) -> str:
    # RFC 3261 19.1.4: a character and its escape are the same, unless the character is reserved.
    character = chr(int(match[1], 16))
    return character if _unreserved.fullmatch(character) else match[0].upper()


def _numeric_address(family: socket.AddressFamily, text: str) -> str | None:
    try:
        return socket.inet_ntop(family, socket.inet_pton(family, text))
    except (OSError, ValueError):
        return None


class Hostname(str):
    """A DNS name, an IPv4 or an IPv6 address. Names are lower-cased, IPv6 is kept without brackets."""

    __slots__ = ()

    def __new__(cls, value: Any) -> Self:
        text = parse_text(value).strip()
        if text.startswith("[") and text.endswith("]"):
            host = _numeric_address(socket.AF_INET6, text[1:-1])
        elif ":" in text:
            host = _numeric_address(socket.AF_INET6, text)
        else:
            host = _numeric_address(socket.AF_INET, text)
            name = text.removesuffix(".")
            if host is None and len(name) <= MAX_HOSTNAME_LENGTH and _hostname.fullmatch(name):
                host = name.lower()
        if host is None:
            hint = "" if text.isascii() else " (write an international name in its ASCII form, xn--...)"
            raise ValueError(f"{quote(value)} is neither a host name nor an IP address{hint}")
        return super().__new__(cls, host)

    @property
    def is_ipv6(self) -> bool:
        return ":" in self

    @property
    def is_ip_address(self) -> bool:
        return ":" in self or _numeric_address(socket.AF_INET, self) is not None

    @property
    def uri_form(self) -> str:
        """As it stands in a URI: IPv6 in brackets."""
        return f"[{self}]" if ":" in self else str(self)


class SIPAddress(str):
    """user@domain (ACC-029). A `sip:` in front is dropped and the domain is lower-cased, as it has no case."""

    __slots__ = ()

    def __new__(cls, value: Any) -> Self:
        text = parse_text(value).strip()
        if text[:4].lower() == "sip:":
            text = text[4:]
        username, at, domain = text.rpartition("@")
        if not at or not is_sip_user(username):
            raise ValueError(f"{quote(value)} is not a SIP address: expected user@domain")
        try:
            host = Hostname(domain)
        except ValueError:
            raise ValueError(f"{quote(value)} is not a SIP address: its domain is not a host name") from None
        return super().__new__(cls, f"{_escape.sub(_canonical_escape, username)}@{host.uri_form}")

    @property
    def username(self) -> str:
        return self.rpartition("@")[0]

    @property
    def domain(self) -> str:
        return self.rpartition("@")[2]


class XCAPRoot(str):
    """The http or https URL under which an XCAP server keeps its documents (RFC 4825 6.1): no query, no fragment."""

    __slots__ = ()

    def __new__(cls, value: Any) -> Self:
        text = parse_text(value).strip()
        match = _http_url.fullmatch(text)
        if match is None:
            raise ValueError(f"{quote(value)} is not an XCAP root: expected http(s)://host[:port]/path")
        scheme, authority, path = match.groups()
        host, port = _split_host_and_port(authority)
        suffix = "" if port is None else f":{Port(port)}"
        return super().__new__(cls, f"{scheme.lower()}://{Hostname(host).uri_form}{suffix}{path or ''}")


def _split_host_and_port(text: str) -> tuple[str, str | None]:
    """`host`, `host:port`, `[ipv6]`, `[ipv6]:port` or a bare IPv6 address."""
    if text.startswith("["):
        host, bracket, rest = text.partition("]")
        if bracket and (not rest or rest.startswith(":")):
            return f"{host}]", rest[1:] if rest else None
        return text, None
    if text.count(":") == 1:
        host, _, port = text.partition(":")
        return host, port
    return text, None


class EndpointAddress:
    """host[:port]: `EndpointAddress('example.com:5070')` or `EndpointAddress('example.com', 5070)`.

    `port` is `default_port` when none was given; `given_port` is None then (a name without a port is looked
    up by SRV, RFC 3263 4.2). Without a default port it has to be given. IPv6 is written in brackets.
    """

    __slots__ = ("given_port", "host")

    default_port: ClassVar[int | None] = None

    host: Hostname
    given_port: int | None

    def __init__(self, host: Any, port: Any = None) -> None:
        if isinstance(host, EndpointAddress):
            host, port = host.host, host.given_port if port is None else port
        if not isinstance(host, Hostname):
            host, port = self._parse_host_and_port(parse_text(host).strip(), port)
        object.__setattr__(self, "host", Hostname(host))
        object.__setattr__(self, "given_port", self._parse_port(port))
        if self.given_port is None and self.default_port is None:
            raise ValueError(f"the port is missing: expected {self.host.uri_form}:port")

    @staticmethod
    def _parse_host_and_port(text: str, port: Any) -> tuple[str, Any]:
        host, port_in_text = _split_host_and_port(text)
        if port_in_text is None:
            return host, port
        if port is not None:
            raise ValueError(f"two ports: {quote(port_in_text)} and {quote(port)}")
        return host, port_in_text

    @staticmethod
    def _parse_port(port: Any) -> int | None:
        if port is None:
            return None
        number = int(Port(port))
        if number == 0:
            raise ValueError("port 0 is no address of a server")
        return number

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is immutable")

    @property
    def port(self) -> int:
        port = self.given_port if self.given_port is not None else self.default_port
        assert port is not None
        return port

    def _identity(self) -> tuple[object, ...]:
        return (self.host, self.given_port)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._identity() == other._identity()

    def __hash__(self) -> int:
        return hash(self._identity())

    def __str__(self) -> str:
        return self.host.uri_form if self.given_port is None else f"{self.host.uri_form}:{self.given_port}"

    def __repr__(self) -> str:
        return f"{type(self).__name__}({str(self)!r})"


class STUNServerAddress(EndpointAddress):
    """host[:port] of a STUN server; default port 3478 (RFC 8489 18.6)."""

    __slots__ = ()

    default_port = 3478


class SIPTransport(Choice):
    """tls, tcp or udp."""

    __slots__ = ()

    values = ("tls", "tcp", "udp")


class MSRPTransport(Choice):
    """tls or tcp."""

    __slots__ = ()

    values = ("tls", "tcp")


class _TransportAddress(EndpointAddress):
    """host[:port][;transport=...]"""

    __slots__ = ("given_transport",)

    transport_type: ClassVar[type[Choice]]
    default_transport: ClassVar[str]
    default_ports: ClassVar[dict[str, int]]

    given_transport: str | None

    def __init__(self, host: Any, port: Any = None, transport: Any = None) -> None:
        if isinstance(host, _TransportAddress):
            transport = host.given_transport if transport is None else transport
        elif isinstance(host, str) and not isinstance(host, Hostname):
            host, semicolon, parameter = host.partition(";")
            if semicolon:
                name, equals, value = parameter.partition("=")
                if name.strip().lower() != "transport" or not equals:
                    raise ValueError(f"{quote(parameter)} is not allowed here: expected transport=")
                if transport is not None:
                    raise ValueError(f"two transports: {quote(value)} and {quote(transport)}")
                transport = value
        chosen = None if transport is None else str(self.transport_type(transport))
        object.__setattr__(self, "given_transport", chosen)
        super().__init__(host, port)

    @property
    def transport(self) -> str:
        return self.given_transport or self.default_transport

    @property
    def port(self) -> int:
        return self.given_port if self.given_port is not None else self.default_ports[self.transport]

    def _identity(self) -> tuple[object, ...]:
        return (self.host, self.given_port, self.given_transport)

    def __str__(self) -> str:
        address = super().__str__()
        return address if self.given_transport is None else f"{address};transport={self.given_transport}"


class SIPProxyAddress(_TransportAddress):
    """host[:port][;transport=tls|tcp|udp] of a SIP proxy; transport udp, port 5060, or 5061 for tls (RFC
    3261 19.1.2).
    """

    __slots__ = ()

    transport_type = SIPTransport
    default_transport = "udp"
    default_port = 5060
    default_ports = {"udp": 5060, "tcp": 5060, "tls": 5061}


class MSRPRelayAddress(_TransportAddress):
    """host[:port][;transport=tls|tcp] of an MSRP relay; transport tls, port 2855 (RFC 4975 15.4)."""

    __slots__ = ()

    transport_type = MSRPTransport
    default_transport = "tls"
    default_port = 2855
    default_ports = {"tls": 2855, "tcp": 2855}
