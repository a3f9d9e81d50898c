"""What a server does to authenticate requests (RFC 3261 22, RFC 7616 3.3, 3.4), for scripted proxies and registrars.

bob.guards.append(DigestGuard({"alice": "secret"}, "proxy.example.com", of_proxy=True))
"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sipsimple.core.protocol.dialog import new_tag
from sipsimple.core.wire.digest import Challenge, FrozenCredentials, is_authorized
from sipsimple.core.wire.errors import SIPParseError
from sipsimple.core.wire.headers import (
    BaseAuthHeader,
    BaseHeader,
    FrozenAuthorizationHeader,
    FrozenProxyAuthorizationHeader,
)
from sipsimple.core.wire.message import SIPRequest, SIPResponse, make_response

__all__ = ["DigestGuard"]

#: How many nonces are remembered; those before them are stale.
MAX_NONCES = 10_000


@dataclass(slots=True)
class _Nonce:
    uses: int = 0
    last_count: int = 0


class DigestGuard:
    """Lets requests pass that prove to know a password; a callable for `Party.guards`.

    :param passwords: by username.
    :param algorithms: one challenge for each, in this order.
    :param qop: the qualities offered; none for a server of RFC 2069.
    :param of_proxy: challenge with 407 in place of 401.
    :param uses: how many requests a nonce is good for; then it is stale. None: all.
    :param methods: those that are guarded; None: all.

    Attributes: `passed` and `challenged` count requests; `stale` counts those that were right but for their nonce.
    """

    def __init__(
        self,
        passwords: Mapping[str, str],
        realm: str = "example.com",
        *,
        algorithms: Sequence[str | None] = ("SHA-256", "MD5"),
        qop: tuple[str, ...] = ("auth",),
        of_proxy: bool = False,
        uses: int | None = None,
        methods: Iterable[str] | None = None,
    ) -> None:
        self.passwords = dict(passwords)
        self.realm = realm
        self.algorithms = algorithms
        self.qop = qop
        self.of_proxy = of_proxy
        self.uses = uses
        self.methods = None if methods is None else frozenset(methods)
        self.passed = self.challenged = self.stale = 0
        self._nonces: OrderedDict[str, _Nonce] = OrderedDict()

    def __call__(self, request: SIPRequest) -> SIPResponse | None:
        """The refusal of a request; None when it may pass."""
        if self.methods is not None and request.method not in self.methods:
            return None
        proven, stale = self._judge(request)
        if proven:
            self.passed += 1
            return None
        self.challenged += 1
        self.stale += stale
        return make_response(request, 407 if self.of_proxy else 401, None, new_tag(), self.challenges(stale))

    def forget(self) -> None:
        """Makes all nonces stale."""
        self._nonces.clear()

    def challenges(self, stale: bool = False) -> list[tuple[str, BaseHeader]]:
        """The headers of a challenge with a fresh nonce."""
        nonce = secrets.token_hex(12)
        self._nonces[nonce] = _Nonce()
        if len(self._nonces) > MAX_NONCES:
            self._nonces.popitem(last=False)
        headers = [self._challenge(nonce, algorithm, stale).header() for algorithm in self.algorithms]
        return [(header.name, header) for header in headers]

    def _challenge(self, nonce: str, algorithm: str | None, stale: bool = False) -> Challenge:
        return Challenge(self.realm, nonce, algorithm, self.qop, None, stale, self.of_proxy)

    def _judge(self, request: SIPRequest) -> tuple[bool, bool]:
        kind = FrozenProxyAuthorizationHeader if self.of_proxy else FrozenAuthorizationHeader
        for text in request.headers.getall(kind.name):
            try:
                header: BaseAuthHeader = kind.parse(text)
                if header.text("realm") == self.realm:
                    return self._judge_answer(header, request)
            except SIPParseError:
                continue
        return False, False

    def _judge_answer(self, header: BaseAuthHeader, request: SIPRequest) -> tuple[bool, bool]:
        username, nonce = header.parameters.text("username") or "", header.text("nonce") or ""
        password = self.passwords.get(username)
        algorithm = header.text("algorithm")
        if password is None or header.text("uri") != request.raw_uri or algorithm not in self.algorithms:
            return False, False
        credentials = FrozenCredentials(username, password)
        if not is_authorized(header, self._challenge(nonce, algorithm), credentials, request.method, request.body):
            return False, False
        known, count = self._nonces.get(nonce), int(header.text("nc") or "0", 16)
        # RFC 7616 3.4: a count that is not greater than the last one is a replay
        if known is None or known.uses == self.uses or (self.qop and count <= known.last_count):
            return False, True
        known.uses += 1
        known.last_count = count
        return True, False
