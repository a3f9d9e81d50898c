"""Digest authentication: challenges, and responses to them (RFC 7616, RFC 8760; RFC 3261 22.4).

MD5, SHA-256 and SHA-512-256, each also with -sess; qop auth, auth-int and none (RFC 2069).
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import ClassVar, Self

from sipsimple.core.wire.errors import SIPParseError
from sipsimple.core.wire.grammar import quote
from sipsimple.core.wire.headers.auth import (
    BaseAuthHeader,
    FrozenAuthorizationHeader,
    FrozenProxyAuthenticateHeader,
    FrozenProxyAuthorizationHeader,
    FrozenWWWAuthenticateHeader,
)
from sipsimple.core.wire.message import SIPResponse
from sipsimple.core.wire.value import Frozen, Mutable, Value

__all__ = [
    "BaseCredentials",
    "Challenge",
    "Credentials",
    "DigestSession",
    "FrozenCredentials",
    "challenges_of",
    "digest_response",
    "is_authorized",
    "strongest_challenges",
]

MAX_NONCE_COUNT = 0xFFFFFFFF  # eight hexadecimal digits

_nonce_count = re.compile("[0-9A-Fa-f]{8}").fullmatch


def _md5(data: bytes) -> str:
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _sha512_256(data: bytes) -> str:
    return hashlib.new("sha512_256", data).hexdigest()


# By strength, weakest first (RFC 8760 2.3)
_ALGORITHMS: dict[str, Callable[[bytes], str]] = {"MD5": _md5, "SHA-256": _sha256}
if "sha512_256" in hashlib.algorithms_available:
    _ALGORITHMS["SHA-512-256"] = _sha512_256
_STRENGTHS = {name: strength for strength, name in enumerate(_ALGORITHMS)}


class BaseCredentials(Value):
    """A username and its password; with a realm only for challenges of that realm. The password is in no repr."""

    __slots__ = ("password", "realm", "username")
    _fields: ClassVar[tuple[str, ...]] = ("username", "password", "realm")

    username: str
    password: str
    realm: str | None

    def __init__(self, username: str, password: str, realm: str | None = None) -> None:
        self.username = username
        self.password = password
        self.realm = realm

    def serves(self, realm: str) -> bool:
        """Whether these may be used for a challenge of that realm."""
        return self.realm is None or self.realm == realm

    def __repr__(self) -> str:
        return f"<{type(self).__name__} for {self.username!r}>"

    __str__ = __repr__


class Credentials(Mutable, BaseCredentials):
    """Credentials that may be changed."""

    __slots__ = ()


class FrozenCredentials(Frozen, BaseCredentials, of=Credentials):
    """Credentials that can't be changed; hashable."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Challenge:
    """What a server or proxy wants to be answered (RFC 7616 3.3).

    realm, nonce, opaque -- as they stand between their quotes
    algorithm -- as the challenge says it; None if it does not (MD5 then)
    qop -- the qualities offered, in lower case; empty for servers of RFC 2069
    stale -- whether only the nonce was wrong, not the password
    of_proxy -- whether it came in a 407
    """

    realm: str
    nonce: str
    algorithm: str | None = None
    qop: tuple[str, ...] = ()
    opaque: str | None = None
    stale: bool = False
    of_proxy: bool = False

    @classmethod
    def of(cls, header: BaseAuthHeader) -> Self:
        """The challenge in a WWW-Authenticate or Proxy-Authenticate header. Raises SIPParseError if it isn't one."""
        realm, nonce = header.text("realm"), header.text("nonce")
        if header.scheme.lower() != "digest" or realm is None or nonce is None:
            raise SIPParseError(f"{header.name} is no digest challenge")
        return cls(
            realm,
            nonce,
            header.text("algorithm"),
            tuple([word for word in re.split(r"[\s,]+", (header.text("qop") or "").lower()) if word]),
            header.text("opaque"),
            (header.text("stale") or "").lower() == "true",
            header.key == "proxy-authenticate",
        )

    def header(self) -> FrozenWWWAuthenticateHeader | FrozenProxyAuthenticateHeader:
        """The header that makes this challenge."""
        parameters = {"realm": f'"{self.realm}"', "nonce": f'"{self.nonce}"'}
        if self.algorithm is not None:
            parameters["algorithm"] = self.algorithm
        if self.qop:
            parameters["qop"] = f'"{",".join(self.qop)}"'
        if self.opaque is not None:
            parameters["opaque"] = f'"{self.opaque}"'
        if self.stale:
            parameters["stale"] = "true"
        kind = FrozenProxyAuthenticateHeader if self.of_proxy else FrozenWWWAuthenticateHeader
        return kind("Digest", parameters)

    @property
    def is_supported(self) -> bool:
        """Whether it can be answered: its algorithm is known, and one of the qualities it offers."""
        return self.strength >= 0 and (not self.qop or "auth" in self.qop or "auth-int" in self.qop)

    @property
    def strength(self) -> int:
        """The greater the better; negative if the algorithm is not known."""
        return _STRENGTHS.get(_base_algorithm(self.algorithm)[0], -1)


def challenges_of(response: SIPResponse) -> list[Challenge]:
    """The digest challenges of a 401 or 407, those that can't be answered left out."""
    challenges = []
    for kind in (FrozenWWWAuthenticateHeader, FrozenProxyAuthenticateHeader):
        for text in response.headers.getall(kind.name):
            try:
                challenge = Challenge.of(kind.parse(text))
            except SIPParseError:
                continue
            if challenge.is_supported:
                challenges.append(challenge)
    return challenges


def strongest_challenges(challenges: Iterable[Challenge]) -> list[Challenge]:
    """Of each realm (of server and proxies apart) the challenge with the strongest algorithm, in their order."""
    best: dict[tuple[bool, str], Challenge] = {}
    for challenge in challenges:
        key = (challenge.of_proxy, challenge.realm)
        if challenge.is_supported and (key not in best or challenge.strength > best[key].strength):
            best[key] = challenge
    return list(best.values())


def digest_response(
    username: str,
    realm: str,
    password: str,
    nonce: str,
    method: str,
    uri: str,
    *,
    algorithm: str | None = None,
    qop: str | None = None,
    nonce_count: int = 0,
    cnonce: str = "",
    body: bytes = b"",
) -> str:
    """The response of RFC 7616 3.4.1, in hexadecimal.

    uri -- the digest-uri; method -- that of the request, '' for the server's own proof (3.5)
    Raises ValueError if the algorithm is not known.
    """
    name, is_session = _base_algorithm(algorithm)
    if name not in _ALGORITHMS:
        raise ValueError(f"not a known digest algorithm: {algorithm!r}")
    digest = _ALGORITHMS[name]

    def hashed(*parts: str) -> str:
        return digest(":".join(parts).encode("utf-8", "surrogateescape"))

    a1 = hashed(username, realm, password)
    if is_session:
        a1 = hashed(a1, nonce, cnonce)
    a2 = hashed(method, uri, digest(body)) if qop == "auth-int" else hashed(method, uri)
    if qop is None:
        return hashed(a1, nonce, a2)
    return hashed(a1, nonce, f"{nonce_count:08x}", cnonce, qop, a2)


class DigestSession:
    """Answers one challenge, for as many requests as its nonce is good for (RFC 7616 3.4)."""

    __slots__ = ("_credentials", "_nonce_count", "challenge", "cnonce")

    def __init__(self, challenge: Challenge, credentials: BaseCredentials, cnonce: str | None = None) -> None:
        self.challenge = challenge
        self.cnonce = secrets.token_hex(8) if cnonce is None else cnonce
        self._credentials = credentials
        self._nonce_count = 0

    @property
    def qop(self) -> str | None:
        """The quality used: 'auth' where it is offered, for bodies may be changed on their way."""
        offered = self.challenge.qop
        return None if not offered else "auth" if "auth" in offered else "auth-int"

    def authorize(
        self, method: str, uri: str, body: bytes = b""
    ) -> FrozenAuthorizationHeader | FrozenProxyAuthorizationHeader:
        """The header that authorizes a request; each call counts the nonce up.

        uri -- the Request-URI as it is sent
        """
        challenge, credentials, qop = self.challenge, self._credentials, self.qop
        self._nonce_count = self._nonce_count % MAX_NONCE_COUNT + 1
        parameters = {
            "username": quote(credentials.username),
            "realm": f'"{challenge.realm}"',
            "nonce": f'"{challenge.nonce}"',
            "uri": f'"{uri}"',
            "response": f'"{self._response(method, uri, body)}"',
        }
        if challenge.algorithm is not None:
            parameters["algorithm"] = challenge.algorithm
        if challenge.opaque is not None:
            parameters["opaque"] = f'"{challenge.opaque}"'
        if qop is not None:
            parameters |= {"qop": qop, "nc": f"{self._nonce_count:08x}"}
        if qop is not None or _base_algorithm(challenge.algorithm)[1]:
            parameters["cnonce"] = f'"{self.cnonce}"'
        kind = FrozenProxyAuthorizationHeader if challenge.of_proxy else FrozenAuthorizationHeader
        return kind("Digest", parameters)

    def is_proof(self, response_auth: str, uri: str, body: bytes = b"") -> bool:
        """Whether the rspauth of Authentication-Info shows that the server knows the password (RFC 7616 3.5)."""
        return hmac.compare_digest(
            response_auth.lower().encode("utf-8", "surrogateescape"), self._response("", uri, body).encode()
        )

    def _response(self, method: str, uri: str, body: bytes) -> str:
        challenge, credentials = self.challenge, self._credentials
        return digest_response(
            credentials.username,
            challenge.realm,
            credentials.password,
            challenge.nonce,
            method,
            uri,
            algorithm=challenge.algorithm,
            qop=self.qop,
            nonce_count=self._nonce_count,
            cnonce=self.cnonce,
            body=body,
        )


def is_authorized(
    header: BaseAuthHeader, challenge: Challenge, credentials: BaseCredentials, method: str, body: bytes = b""
) -> bool:
    """Whether the Authorization of a request answers `challenge` with the right password (RFC 7616 3.4.6).

    That the nonce is fresh, its count new and the uri that of the request is for the caller to see.
    """
    uri, response = header.text("uri"), header.text("response")
    qop, nonce_count = header.text("qop"), header.text("nc")
    qop = qop and qop.lower()
    if (
        header.scheme.lower() != "digest"
        or uri is None
        or response is None
        or (header.parameters.text("username") or "") != credentials.username
        or header.text("realm") != challenge.realm
        or header.text("nonce") != challenge.nonce
        or _base_algorithm(header.text("algorithm")) != _base_algorithm(challenge.algorithm)
        or (qop not in challenge.qop if challenge.qop else qop is not None)
        or (qop is not None and not _nonce_count(nonce_count or ""))
    ):
        return False
    expected = digest_response(
        credentials.username,
        challenge.realm,
        credentials.password,
        challenge.nonce,
        method,
        uri,
        algorithm=challenge.algorithm,
        qop=qop,
        nonce_count=int(nonce_count, 16) if nonce_count and qop is not None else 0,
        cnonce=header.text("cnonce") or "",
        body=body,
    )
    return hmac.compare_digest(response.lower().encode("utf-8", "surrogateescape"), expected.encode())


def _base_algorithm(algorithm: str | None) -> tuple[str, bool]:
    """The algorithm's name without -sess, and whether it had that."""
    name = (algorithm or "MD5").upper()
    return (name.removesuffix("-SESS"), True) if name.endswith("-SESS") else (name, False)
