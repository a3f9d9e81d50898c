"""Digest authentication of one client usage (RFC 3261 22, RFC 7616 3, RFC 8760 2).

Theory of operation: an `Authenticator` lives as long as its usage (a registration, a subscription, a dialog) and
remembers the answer to each protection space that challenged it, a `DigestSession` with its nonce and count, so that
later requests are authorized before anybody asks. An `AuthenticationAttempt` lives as long as one request with all
its repetitions, and is what ends loops: a space that refuses the answer to its own, fresh challenge knows another
password than we do, and is not asked again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipsimple.core.wire.digest import Challenge, DigestSession, challenges_of, strongest_challenges
from sipsimple.core.wire.errors import SIPParseError
from sipsimple.core.wire.headers import FrozenAuthenticationInfoHeader

if TYPE_CHECKING:
    from sipsimple.core.wire.digest import BaseCredentials
    from sipsimple.core.wire.message import SIPRequest, SIPResponse

__all__ = [
    "MAX_ROUNDS",
    "MAX_SPACES",
    "MAX_STALE",
    "AuthenticationAttempt",
    "Authenticator",
    "credential_headers",
]

#: How often one request is sent again because of challenges: one for each proxy on its way, and for stale nonces.
MAX_ROUNDS = 8
#: How often one protection space may call its own fresh nonce stale, for one request.
MAX_STALE = 2
#: How many protection spaces are remembered; the oldest is forgotten for one more.
MAX_SPACES = 8

#: A protection space: whether it is that of a proxy, and its realm (RFC 3261 22.1, 22.3).
Space = tuple[bool, str]


class Authenticator:
    """What a usage knows of those who challenge it. The password shows in no repr.

    :param credentials: None refuses every challenge.
    """

    __slots__ = ("_credentials", "_sessions")

    def __init__(self, credentials: BaseCredentials | None) -> None:
        self._credentials = credentials
        self._sessions: dict[Space, DigestSession] = {}

    def attempt(self) -> AuthenticationAttempt:
        """One per request; see there."""
        return AuthenticationAttempt(self)

    def authorize(self, request: SIPRequest) -> None:
        """Puts the answers to all challenges known so far on a request, in place of any that it has.

        Each call counts the nonces up (RFC 7616 3.4), so it is called once for each CSeq.
        """
        headers = request.headers
        headers.remove("Authorization")
        headers.remove("Proxy-Authorization")
        for session in self._sessions.values():
            answer = session.authorize(request.method, request.raw_uri, request.body)
            headers.add(answer.name, answer)

    def accepted(self, response: SIPResponse) -> None:
        """Takes the next nonce from the Authentication-Info of a 2xx (RFC 7616 3.5)."""
        if not self._sessions or "Authentication-Info" not in response.headers:
            return
        try:
            header = response.headers.first(FrozenAuthenticationInfoHeader)
        except SIPParseError:
            return
        nonce = None if header is None else header.parameters.text("nextnonce")
        servers = [space for space in self._sessions if not space[0]]
        if nonce and len(servers) == 1:
            # the header names no realm: it is understood where there is just one that it can mean
            self.renew(servers[0], nonce)

    def renew(self, space: Space, nonce: str) -> None:
        """Goes on with another nonce of a challenge that was answered."""
        challenge = self._sessions[space].challenge
        self.answer(
            Challenge(challenge.realm, nonce, challenge.algorithm, challenge.qop, challenge.opaque, False, space[0])
        )

    def answer(self, challenge: Challenge) -> None:
        """Remembers how to answer a challenge; the credentials serve its realm."""
        assert self._credentials is not None
        space = challenge.of_proxy, challenge.realm
        self._sessions.pop(space, None)
        while len(self._sessions) >= MAX_SPACES:
            del self._sessions[next(iter(self._sessions))]
        self._sessions[space] = DigestSession(challenge, self._credentials)

    def forget(self, space: Space) -> None:
        """The space does not take our password: it is not shown to it again unasked."""
        self._sessions.pop(space, None)

    def serves(self, realm: str) -> bool:
        """Whether there are credentials for that realm."""
        return self._credentials is not None and self._credentials.serves(realm)

    def nonce(self, space: Space) -> str | None:
        """The nonce in use for a space."""
        session = self._sessions.get(space)
        return None if session is None else session.challenge.nonce

    def __repr__(self) -> str:
        return f"<Authenticator of {self._credentials!r}, {len(self._sessions)} spaces>"


class AuthenticationAttempt:
    """One request on its way through those who challenge it: `authorize` before each sending, `challenged` after."""

    __slots__ = ("_answered", "_authenticator", "_rounds")

    def __init__(self, authenticator: Authenticator) -> None:
        self._authenticator = authenticator
        self._answered: dict[Space, int] = {}
        self._rounds = 0

    def authorize(self, request: SIPRequest) -> None:
        """See `Authenticator.authorize`."""
        self._authenticator.authorize(request)

    def challenged(self, response: SIPResponse) -> bool:
        """Takes a 401 or 407; whether the request is worth sending again, authorized anew and with its CSeq raised.

        Of several challenges of one space the strongest is answered (RFC 8760 2.4 leaves the choice to us). It is
        not worth it when nothing new can be answered: there is no challenge, no credentials for its realm, no known
        algorithm, or the answer to the same space's last challenge was refused (22.2, 22.3).
        """
        self._rounds += 1
        if self._rounds > MAX_ROUNDS:
            return False
        answered = False
        for challenge in strongest_challenges(challenges_of(response)):
            if self._take(challenge):
                answered = True
        return answered

    def _take(self, challenge: Challenge) -> bool:
        authenticator = self._authenticator
        if not authenticator.serves(challenge.realm):
            return False
        space = challenge.of_proxy, challenge.realm
        times = self._answered.get(space, 0)
        if times and not (challenge.stale and times <= MAX_STALE and challenge.nonce != authenticator.nonce(space)):
            # 22.2: not with credentials that were just rejected, unless only the nonce was too old
            authenticator.forget(space)
            return False
        self._answered[space] = times + 1
        authenticator.answer(challenge)
        return True


def credential_headers(request: SIPRequest) -> list[tuple[str, str]]:
    """The credentials that a request was sent with: the ACK of its 2xx carries the same (RFC 3261 13.2.2.4, 22.1)."""
    headers = request.headers
    names = ("Authorization", "Proxy-Authorization")
    return [(name, value) for name in names if name in headers for value in headers.getall(name)]
