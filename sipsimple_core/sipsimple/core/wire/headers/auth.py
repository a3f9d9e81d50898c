"""Headers of authentication: challenges, credentials and Authentication-Info (RFC 3261 20.6, 20.7, 20.27, 20.28, 20.44;
RFC 7616 3.3-3.5). What they mean is the business of `sipsimple.core.wire.digest`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Self

from sipsimple.core.wire.errors import SIPParseError
from sipsimple.core.wire.grammar import TOKEN, split_list
from sipsimple.core.wire.headers.parameterized import BaseParameterizedHeader, FrozenParameterized, MutableParameterized
from sipsimple.core.wire.parameters import MAX_PARAMETERS, BaseParameters, Parameters

__all__ = [
    "AuthenticationInfoHeader",
    "AuthorizationHeader",
    "BaseAuthHeader",
    "BaseAuthenticationInfoHeader",
    "BaseAuthorizationHeader",
    "BaseProxyAuthenticateHeader",
    "BaseProxyAuthorizationHeader",
    "BaseWWWAuthenticateHeader",
    "FrozenAuthenticationInfoHeader",
    "FrozenAuthorizationHeader",
    "FrozenProxyAuthenticateHeader",
    "FrozenProxyAuthorizationHeader",
    "FrozenWWWAuthenticateHeader",
    "ProxyAuthenticateHeader",
    "ProxyAuthorizationHeader",
    "WWWAuthenticateHeader",
]

_scheme = re.compile(rf"({TOKEN})[ \t]+(.*)", re.DOTALL).fullmatch
_parameter = re.compile(rf'({TOKEN})[ \t]*=[ \t]*("(?:[^"\\]|\\.)*+"|[^\s",]+)', re.DOTALL).fullmatch
_token68 = re.compile(r"[A-Za-z0-9\-._~+/]+=*").fullmatch


class BaseAuthHeader(BaseParameterizedHeader):
    """A scheme with parameters parted by commas.

    scheme -- 'Digest', ...
    parameters -- as they stand on the wire, quotes included
    token -- of schemes that have no parameters but one opaque word (Basic, Bearer)

    What it holds is left out of its repr and of errors.
    """

    __slots__ = ("scheme", "token")
    _fields = ("scheme", "parameters", "token")

    scheme: str
    token: str | None

    def __init__(
        self, scheme: str, parameters: Mapping[str, str | None] | None = None, token: str | None = None
    ) -> None:
        self.scheme = scheme
        self._parameters = self._parameters_type(parameters)
        self.token = token

    @classmethod
    def parse(cls, text: str) -> Self:
        match = _scheme(text)
        if match is None:
            raise SIPParseError(f"{cls.name} has no scheme with parameters")
        scheme, rest = match.groups()
        if scheme.lower() != "digest" and "=" not in rest.rstrip("=") and _token68(rest):
            return cls(scheme, None, rest)
        return cls(scheme, cls._parse_parameters(rest))

    @classmethod
    def _parse_parameters(cls, text: str) -> BaseParameters:
        parameters = Parameters()
        try:
            parts = split_list(text)
        except SIPParseError:
            raise SIPParseError(f"{cls.name} has a quoted string without its end") from None
        if len(parts) > MAX_PARAMETERS:
            raise SIPParseError(f"{cls.name} has more than {MAX_PARAMETERS} parameters")
        for part in parts:
            match = _parameter(part)
            if match is None:
                if not part:
                    continue
                raise SIPParseError(f"{cls.name} has a malformed parameter")
            name, value = match.groups()
            if name in parameters:
                raise SIPParseError(f"{cls.name} has the parameter {name} twice")
            parameters[name] = value
        return parameters

    def text(self, name: str) -> str | None:
        """A parameter without its quotes; what is between them stays as it is, as digests want it (RFC 7616 3.4.1)."""
        value = dict.get(self.parameters, name)
        return value[1:-1] if value and value[0] == '"' else value

    @property
    def body(self) -> str:
        if self.token is not None:
            return f"{self.scheme} {self.token}"
        return f"{self.scheme} {_print(self.parameters)}"

    def _key(self) -> tuple[Any, ...]:
        return self.scheme.lower(), self.parameters.comparable(), self.token

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.scheme} …>"


class _Auth(MutableParameterized, BaseAuthHeader):
    __slots__ = ()


class _FrozenAuth(FrozenParameterized, BaseAuthHeader):
    __slots__ = ()


class BaseWWWAuthenticateHeader(BaseAuthHeader):
    """WWW-Authenticate: the challenge of a server; in 401 (RFC 3261 20.44)."""

    __slots__ = ()
    name = "WWW-Authenticate"


class WWWAuthenticateHeader(_Auth, BaseWWWAuthenticateHeader):
    __slots__ = ()


class FrozenWWWAuthenticateHeader(_FrozenAuth, BaseWWWAuthenticateHeader, of=WWWAuthenticateHeader):
    __slots__ = ()


class BaseProxyAuthenticateHeader(BaseAuthHeader):
    """Proxy-Authenticate: the challenge of a proxy; in 407 (RFC 3261 20.27)."""

    __slots__ = ()
    name = "Proxy-Authenticate"


class ProxyAuthenticateHeader(_Auth, BaseProxyAuthenticateHeader):
    __slots__ = ()


class FrozenProxyAuthenticateHeader(_FrozenAuth, BaseProxyAuthenticateHeader, of=ProxyAuthenticateHeader):
    __slots__ = ()


class BaseAuthorizationHeader(BaseAuthHeader):
    """Authorization: credentials for a server (RFC 3261 20.7)."""

    __slots__ = ()
    name = "Authorization"


class AuthorizationHeader(_Auth, BaseAuthorizationHeader):
    __slots__ = ()


class FrozenAuthorizationHeader(_FrozenAuth, BaseAuthorizationHeader, of=AuthorizationHeader):
    __slots__ = ()


class BaseProxyAuthorizationHeader(BaseAuthHeader):
    """Proxy-Authorization: credentials for a proxy (RFC 3261 20.28)."""

    __slots__ = ()
    name = "Proxy-Authorization"


class ProxyAuthorizationHeader(_Auth, BaseProxyAuthorizationHeader):
    __slots__ = ()


class FrozenProxyAuthorizationHeader(_FrozenAuth, BaseProxyAuthorizationHeader, of=ProxyAuthorizationHeader):
    __slots__ = ()


class BaseAuthenticationInfoHeader(BaseAuthHeader):
    """Authentication-Info: the next nonce, and the server's own proof (RFC 3261 20.6); it has no scheme."""

    __slots__ = ()
    name = "Authentication-Info"
    _fields = ("parameters",)  # type: ignore[assignment]

    def __init__(self, parameters: Mapping[str, str | None] | None = None) -> None:
        super().__init__("Digest", parameters)

    @classmethod
    def parse(cls, text: str) -> Self:
        return cls(cls._parse_parameters(text))

    @property
    def body(self) -> str:
        return _print(self.parameters)


class AuthenticationInfoHeader(_Auth, BaseAuthenticationInfoHeader):
    __slots__ = ()


class FrozenAuthenticationInfoHeader(_FrozenAuth, BaseAuthenticationInfoHeader, of=AuthenticationInfoHeader):
    __slots__ = ()


def _print(parameters: BaseParameters) -> str:
    return ", ".join([name if value is None else f"{name}={value}" for name, value in parameters.spelled()])
