"""SIP and SIPS URIs (RFC 3261 19.1): parsing, printing, comparison."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from sipsimple.core.wire.errors import SIPParseError
from sipsimple.core.wire.escapes import (
    HEADER_LITERALS,
    PARAMETER_LITERALS,
    PASSWORD_LITERALS,
    USER_LITERALS,
    canonical,
    check_escapes,
    escape,
    unescape,
)
from sipsimple.core.wire.host import host_and_port, plain_host
from sipsimple.core.wire.parameters import (
    MAX_PARAMETERS,
    NO_PARAMETERS,
    BaseParameters,
    FrozenParameters,
    Parameters,
)
from sipsimple.core.wire.value import Frozen, Mutable, Value

__all__ = ["SIPURI", "BaseSIPURI", "BaseURI", "FrozenSIPURI"]

MAX_PORT = 65535

# Sets of plain letters are matched several times faster than those with \s or without case.
_sip_uri = re.compile(
    r"([Ss][Ii][Pp][Ss]?+):"
    r'(?:([^@: \t\r\n<>"]++)(?::([^@ \t\r\n<>"]*+))?+@)?'
    r"([A-Za-z0-9\-._]++|\[[0-9A-Fa-f:.]++\])"
    r"(?::([0-9]{1,5}+))?+"
    r'(?:;([^?@ \t\r\n<>"]*+))?+'
    r'(?:\?([^ \t\r\n<>"@]++))?+'
).fullmatch
_uri_parameter = re.compile(r'([^ \t\r\n;=?"<>@]++)(?:=([^ \t\r\n;?"<>@]*+))?+').fullmatch
_address = re.compile(
    r"(?:(sips?):)?(?:([^@\s]+)@)?(\[[^\]\s]+\]|[^:;?@\s]+)(?::([0-9]{1,5}))?", re.IGNORECASE
).fullmatch

# 19.1.4: these, present in only one of two URIs, make them differ; other parameters of only one URI are ignored.
_TELLING_PARAMETERS = ("user", "ttl", "method", "maddr", "transport")


class BaseURI(Value):
    """A URI of any scheme, frozen or not."""

    __slots__ = ()

    scheme: str

    @classmethod
    def parse(cls, text: str) -> Self:
        """The URI that text is. Raises SIPParseError."""
        raise NotImplementedError

    def matches(self, address: object) -> bool:
        """Whether this is the URI (or the text of one) that is given, by the scheme's own rules of equivalence."""
        raise NotImplementedError

    def __repr__(self) -> str:
        return f'<{type(self).__name__} "{self}">'


class BaseSIPURI(BaseURI):
    """A sip: or sips: URI.

    host -- a name or an address; an IPv6 address without its brackets
    user, password -- as they stand in the URI, escapes included; what may not stand there is escaped in printing
    port -- a number, or None where the URI has none
    secure -- True for sips:
    parameters, headers -- mappings of names (whose case does not matter) to values, escaped like `user`; the value
    of a parameter without "=" is None

    Equality (==) is about the whole value; `matches` is the comparison of RFC 3261 19.1.4.
    """

    __slots__ = ("headers", "host", "parameters", "password", "port", "secure", "user")
    _fields = ("host", "user", "password", "port", "secure", "parameters", "headers")

    host: str
    user: str | None
    password: str | None
    port: int | None
    secure: bool
    parameters: BaseParameters
    headers: BaseParameters

    _parameters_type: ClassVar[type[BaseParameters]]

    def __init__(
        self,
        host: str,
        user: str | None = None,
        password: str | None = None,
        port: int | None = None,
        secure: bool = False,
        parameters: Mapping[str, str | None] | None = None,
        headers: Mapping[str, str | None] | None = None,
    ) -> None:
        self.host = plain_host(host)
        self.user = user
        self.password = password
        self.port = port
        self.secure = bool(secure)
        self.parameters = self._parameters_type(parameters)
        self.headers = self._parameters_type(headers)

    @classmethod
    def parse(cls, text: str) -> Self:
        match = _sip_uri(text)
        if match is None:
            raise SIPParseError("not a SIP URI", text)
        scheme, user, password, host, port, parameters, headers = match.groups()
        if "%" in text:
            check_escapes(text)
        uri: Self = object.__new__(cls._open)
        uri.secure = len(scheme) == 4
        uri.user = user
        uri.password = password
        uri.host = plain_host(host) if host[0] == "[" else host
        if port is None:
            uri.port = None
        else:
            uri.port = number = int(port)
            if number > MAX_PORT:
                raise SIPParseError("a port above 65535", text)
        kind = cls._parameters_type
        if parameters is None and headers is None and kind is FrozenParameters:
            uri.parameters = uri.headers = NO_PARAMETERS
        else:
            uri.parameters = kind.none() if parameters is None else parse_uri_parameters(parameters, kind)
            uri.headers = kind.none() if headers is None else _parse_uri_headers(headers, kind)
        uri.__class__ = cls
        return uri

    @property
    def scheme(self) -> str:  # type: ignore[override]
        return "sips" if self.secure else "sip"

    @property
    def username(self) -> str | None:
        """The user part with its escapes resolved."""
        return self.user if self.user is None else unescape(self.user)

    @property
    def transport(self) -> str:
        """The transport that the URI asks for, in lower case: 'tls' for sips: over TCP, 'udp' where none is named."""
        transport = dict.get(self.parameters, "transport")
        if transport is None:
            return "tls" if self.secure else "udp"
        transport = unescape(transport).lower()
        return "tls" if self.secure and transport == "tcp" else transport  # 26.2.2: sips;transport=tcp is TLS

    def matches(self, address: object) -> bool:
        """Whether `address` names what this URI names.

        For a URI: the comparison of RFC 3261 19.1.4. For a str: 'user@host', 'host', 'user@host:port', with or
        without 'sip:' before it; only the parts that it states are compared, and parameters are not.
        """
        if isinstance(address, BaseSIPURI):
            return self._equivalent(address)
        match = _address(address) if isinstance(address, str) else None
        if match is None:
            return False
        scheme, user, host, port = match.groups()
        return (
            (scheme is None or (scheme.lower() == "sips") == self.secure)
            and _canonical(user or "", USER_LITERALS) == _canonical(self.user or "", USER_LITERALS)
            and host.strip("[]").lower() == self.host.lower()
            and (port is None or int(port) == self.port)
        )

    def _equivalent(self, other: BaseSIPURI) -> bool:
        if (
            self.secure != other.secure
            or self.port != other.port
            or self.host.lower() != other.host.lower()
            or _canonical(self.user, USER_LITERALS) != _canonical(other.user, USER_LITERALS)
            or _canonical(self.password, PASSWORD_LITERALS) != _canonical(other.password, PASSWORD_LITERALS)
        ):
            return False
        mine, theirs = comparable_parameters(self.parameters), comparable_parameters(other.parameters)
        for name in mine.keys() & theirs.keys():
            if mine[name] != theirs[name]:
                return False
        for name in _TELLING_PARAMETERS:
            if (name in mine) != (name in theirs):
                return False
        return comparable_parameters(self.headers, HEADER_LITERALS) == comparable_parameters(
            other.headers, HEADER_LITERALS
        )

    def _key(self) -> tuple[Any, ...]:
        parameters = frozenset(comparable_parameters(self.parameters).items()) if self.parameters else None
        headers = frozenset(comparable_parameters(self.headers, HEADER_LITERALS).items()) if self.headers else None
        return (
            self.secure,
            _canonical(self.user, USER_LITERALS),
            _canonical(self.password, PASSWORD_LITERALS),
            self.host.lower(),
            self.port,
            parameters,
            headers,
        )

    def __str__(self) -> str:
        text = "sips:" if self.secure else "sip:"
        if self.user is not None:
            text += escape(self.user, USER_LITERALS)
            if self.password is not None:
                text += ":" + escape(self.password, PASSWORD_LITERALS)
            text += "@"
        text += host_and_port(self.host, self.port)
        if self.parameters:
            for name, value in self.parameters.spelled():
                text += ";" + escape(name, PARAMETER_LITERALS)
                if value is not None:
                    text += "=" + escape(value, PARAMETER_LITERALS)
        if self.headers:
            text += "?" + "&".join(
                [
                    f"{escape(name, HEADER_LITERALS)}={escape(value or '', HEADER_LITERALS)}"
                    for name, value in self.headers.spelled()
                ]
            )
        return text

    def __repr__(self) -> str:
        # The password of a URI does not belong into logs.
        text = str(self)
        if self.password:
            text = text.replace(":" + escape(self.password, PASSWORD_LITERALS) + "@", ":…@", 1)
        return f'<{type(self).__name__} "{text}">'


class SIPURI(Mutable, BaseSIPURI):
    """A SIP URI whose parts may be set."""

    __slots__ = ()
    parameters: Parameters
    headers: Parameters
    _parameters_type = Parameters

    @property
    def transport(self) -> str:
        return super().transport

    @transport.setter
    def transport(self, transport: str) -> None:
        if transport.lower() == "udp":
            self.parameters.pop("transport", None)
        else:
            self.parameters["transport"] = transport


class FrozenSIPURI(Frozen, BaseSIPURI, of=SIPURI):
    """A SIP URI that can't be changed; hashable."""

    __slots__ = ()
    parameters: FrozenParameters
    headers: FrozenParameters
    _parameters_type = FrozenParameters


def parse_uri_parameters(text: str, kind: type[BaseParameters]) -> BaseParameters:
    parameters = kind.__new__(kind)
    parts = text.split(";")
    if len(parts) > MAX_PARAMETERS:
        raise SIPParseError(f"more than {MAX_PARAMETERS} parameters in a URI", text)
    for part in parts:
        match = _uri_parameter(part)
        if match is None:
            raise SIPParseError("not a URI parameter", part)
        name, value = match.groups()
        _store(parameters, name, value, text)
    return parameters


def _parse_uri_headers(text: str, kind: type[BaseParameters]) -> BaseParameters:
    headers: dict[str, tuple[str, str]] = {}
    parts = text.split("&")
    if len(parts) > MAX_PARAMETERS:
        raise SIPParseError(f"more than {MAX_PARAMETERS} headers in a URI", text)
    for part in parts:
        name, equals, value = part.partition("=")
        if not name or not equals:
            raise SIPParseError("not a header in a URI", part)
        key = unescape(name, "surrogateescape").lower()
        if key in headers:  # 7.3.1: a header given twice is one with a list
            name, value = headers[key][0], f"{headers[key][1]}%2C{value}"
        headers[key] = (name, value)
    parameters = kind.__new__(kind)
    for name, value in headers.values():
        _store(parameters, name, value, text)
    return parameters


def _store(parameters: BaseParameters, name: str, value: str | None, text: str) -> None:
    """Keep a parameter under what its name means (%6C%72 is lr), and the spelling for printing."""
    key = name.lower() if "%" not in name else unescape(name, "surrogateescape").lower()
    if dict.__contains__(parameters, key):
        raise SIPParseError("the same parameter twice in a URI", text)
    dict.__setitem__(parameters, key, value)
    if key != name:
        parameters._spell(key, name)


def _canonical(text: str | None, literals: str) -> str | None:
    return text if text is None else canonical(escape(text, literals))


def comparable_parameters(parameters: BaseParameters, literals: str = PARAMETER_LITERALS) -> dict[str, str | None]:
    if not parameters:
        return NO_PARAMETERS
    return {
        key: None if value is None else canonical(escape(value, literals)).lower() for key, value in parameters.items()
    }
