"""Headers of the security agreement: Security-Client, Security-Server, Security-Verify (RFC 3329 2.2)."""

from __future__ import annotations

from collections.abc import Mapping

from sipsimple.core.wire.headers.addresses import parse_q
from sipsimple.core.wire.headers.values import BaseValueHeader, FrozenValue, MutableValue

__all__ = [
    "BaseSecurityClientHeader",
    "BaseSecurityHeader",
    "BaseSecurityServerHeader",
    "BaseSecurityVerifyHeader",
    "FrozenSecurityClientHeader",
    "FrozenSecurityServerHeader",
    "FrozenSecurityVerifyHeader",
    "SecurityClientHeader",
    "SecurityServerHeader",
    "SecurityVerifyHeader",
]


class BaseSecurityHeader(BaseValueHeader):
    """A security `mechanism`: 'tls', 'digest', 'ipsec-ike', ... with its parameters."""

    __slots__ = ()
    _fields = ("mechanism", "parameters")
    is_list = True

    def __init__(self, mechanism: str, parameters: Mapping[str, str | None] | None = None) -> None:
        super().__init__(mechanism, parameters)

    @property
    def mechanism(self) -> str:
        mechanism: str = self.value
        return mechanism

    @mechanism.setter
    def mechanism(self, mechanism: str) -> None:
        self.value = mechanism

    @property
    def q(self) -> float | None:
        """The preference, 0 to 1; None if not stated. Raises SIPParseError if it is no qvalue."""
        text = dict.get(self.parameters, "q")
        return None if text is None else parse_q(text)


class BaseSecurityClientHeader(BaseSecurityHeader):
    """Security-Client: what the client is able to do."""

    __slots__ = ()
    name = "Security-Client"


class SecurityClientHeader(MutableValue, BaseSecurityClientHeader):
    __slots__ = ()


class FrozenSecurityClientHeader(FrozenValue, BaseSecurityClientHeader, of=SecurityClientHeader):
    __slots__ = ()


class BaseSecurityServerHeader(BaseSecurityHeader):
    """Security-Server: what the server is able to do; in 421 and 494."""

    __slots__ = ()
    name = "Security-Server"


class SecurityServerHeader(MutableValue, BaseSecurityServerHeader):
    __slots__ = ()


class FrozenSecurityServerHeader(FrozenValue, BaseSecurityServerHeader, of=SecurityServerHeader):
    __slots__ = ()


class BaseSecurityVerifyHeader(BaseSecurityHeader):
    """Security-Verify: what the server said, returned to it."""

    __slots__ = ()
    name = "Security-Verify"


class SecurityVerifyHeader(MutableValue, BaseSecurityVerifyHeader):
    __slots__ = ()


class FrozenSecurityVerifyHeader(FrozenValue, BaseSecurityVerifyHeader, of=SecurityVerifyHeader):
    __slots__ = ()
