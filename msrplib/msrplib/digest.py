"""Digest authentication as clients of relays need it (RFC 4976 9.1; RFC 2617, RFC 7616, RFC 8760): qop=auth alone."""

from __future__ import annotations

import hashlib
import re
import secrets
from dataclasses import dataclass

__all__ = ["DigestChallenge", "DigestError"]

_ALGORITHMS = {"MD5": "md5", "SHA-256": "sha256", "SHA-512-256": "sha512_256"}
_PARAMETER = re.compile(r'\s*([A-Za-z0-9-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))\s*(?:,|$)')
MAX_LENGTH = 4096


class DigestError(ValueError):
    """A challenge can't be answered; the text says why."""


@dataclass(frozen=True, slots=True)
class DigestChallenge:
    """A WWW-Authenticate header."""

    realm: str
    nonce: str
    algorithm: str = "MD5"
    opaque: str | None = None
    stale: bool = False

    @classmethod
    def parse(cls, text: str) -> DigestChallenge:
        """:raises DigestError: it is none, or asks for what is not known here"""
        scheme, _, rest = text.strip().partition(" ")
        if scheme.lower() != "digest" or len(text) > MAX_LENGTH:
            raise DigestError("the relay asks for another authentication than Digest")
        parameters: dict[str, str] = {}
        position = 0
        while position < len(rest):
            found = _PARAMETER.match(rest, position)
            if found is None:
                raise DigestError("the challenge can not be read")
            position = found.end()
            quoted, plain = found[2], found[3]
            value = plain if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
            parameters.setdefault(found[1].lower(), value)
        if "realm" not in parameters or "nonce" not in parameters:
            raise DigestError("the challenge has no realm or no nonce")
        # RFC 4976 9.1: qop has to be there, and auth among its values
        if "auth" not in [word.strip().lower() for word in parameters.get("qop", "").split(",")]:
            raise DigestError("the relay does not offer qop=auth")
        algorithm = parameters.get("algorithm", "MD5").upper()
        if algorithm.removesuffix("-SESS") not in _ALGORITHMS:
            raise DigestError(f"the relay asks for the algorithm {algorithm[:20]!r}")
        stale = parameters.get("stale", "").lower() == "true"
        return cls(parameters["realm"], parameters["nonce"], algorithm, parameters.get("opaque"), stale)

    def answer(
        self, username: str, password: str, method: str, uri: str, count: int = 1, cnonce: str | None = None
    ) -> str:
        """The Authorization header. `count` is how often this nonce has been used, this time included."""
        cnonce = secrets.token_hex(8) if cnonce is None else cnonce
        secret = self._hash(f"{username}:{self.realm}:{password}")
        if self.algorithm.endswith("-SESS"):
            secret = self._hash(f"{secret}:{self.nonce}:{cnonce}")
        nc = f"{count:08x}"
        response = self._hash(f"{secret}:{self.nonce}:{nc}:{cnonce}:auth:{self._hash(f'{method}:{uri}')}")
        fields = [
            f"username={_quoted(username)}", f"realm={_quoted(self.realm)}", f"nonce={_quoted(self.nonce)}",
            f"uri={_quoted(uri)}", f'response="{response}"', f"algorithm={self.algorithm}", "qop=auth", f"nc={nc}",
            f'cnonce="{cnonce}"',
        ]  # fmt: skip
        if self.opaque is not None:
            fields.append(f"opaque={_quoted(self.opaque)}")
        return "Digest " + ", ".join(fields)

    def _hash(self, text: str) -> str:
        name = _ALGORITHMS[self.algorithm.removesuffix("-SESS")]
        return hashlib.new(name, text.encode(), usedforsecurity=False).hexdigest()


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'
