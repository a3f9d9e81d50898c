"""The URIs at which others reach an account here (RFC 3261 8.1.1.8; ACC-030..033)."""

from __future__ import annotations

import string
from random import SystemRandom
from typing import TYPE_CHECKING

from sipsimple.configuration.datatypes import SIPTransport
from sipsimple.configuration.datatypes.network import is_sip_user
from sipsimple.util import Route

if TYPE_CHECKING:
    from sipsimple.core import SIPURI

__all__ = ["ContactURIFactory"]

USERNAME_LENGTH = 8
#: Servers whose view of our address is remembered.
MAX_PUBLIC_ADDRESSES = 20


class ContactURIFactory:
    """Makes Contact URIs: `contact['udp']`, `contact['tcp']`, `contact['tls']` or `contact[route]`.

    All have the same `username`, by default 8 random lowercase letters, by which requests that come back are
    known to be for this account. Raises ValueError if the username given can't stand in a SIP URI.
    """

    __slots__ = ("_public", "public_gruu", "temporary_gruu", "username")

    username: str
    #: URIs that lead to this very user agent from everywhere (RFC 5627), as the registrar has given them; else None.
    public_gruu: SIPURI | None
    temporary_gruu: SIPURI | None

    def __init__(self, username: str | None = None) -> None:
        if username is None:
            username = "".join(SystemRandom().choices(string.ascii_lowercase, k=USERNAME_LENGTH))
        elif not isinstance(username, str) or not is_sip_user(username):
            raise ValueError(f"{username!r} can not be the user part of a SIP URI")
        self.username = username
        self.public_gruu = self.temporary_gruu = None
        self._public: dict[Route, tuple[str, int]] = {}

    def set_public_address(self, route: Route, address: tuple[str, int] | None) -> None:
        """Remember as which host and port the server at a route sees us (RFC 3581), None: as we do ourselves."""
        if address is None:
            self._public.pop(route, None)
        else:
            if len(self._public) >= MAX_PUBLIC_ADDRESSES:
                self._public.clear()
            self._public[route] = address

    def public_address(self, route: Route) -> tuple[str, int] | None:
        """What `set_public_address` was given for the route."""
        return self._public.get(route)

    def forget_public_addresses(self) -> None:
        """We may have moved."""
        self._public.clear()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(username={self.username})"

    def __getitem__(self, key: str | Route) -> SIPURI:
        """The SIPURI for a transport, or for what is sent over a route: with the local address that leads there, or
        behind a NAT with the address that is known to be seen there.

        Raises ValueError for an unknown transport, TypeError for another key, and EngineError if the engine
        does not run that transport.
        """
        from sipsimple.core import SIPURI
        from sipsimple.core.engine import Engine

        if isinstance(key, Route):
            transport, towards = key.transport, key.address
        elif isinstance(key, str):
            transport, towards = str(SIPTransport(key)), None
        else:
            raise TypeError(f"a contact is indexed by a transport or a Route, not by {type(key).__name__}")
        host, port = Engine().local_address(transport, towards)
        if isinstance(key, Route):
            host, port = self._public.get(key, (host, port))
        parameters = None if transport == "udp" else {"transport": transport}
        return SIPURI(host, user=self.username, port=port, parameters=parameters)
