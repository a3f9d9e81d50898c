"""A small registrar (RFC 3261 10.3), in memory: for tests, demonstrations and benchmarks, not for the open network.

On the memory network::

    server = SIPServer(network.add_host("registrar"))
    registrar = Registrar(server.core, DigestGuard({"alice": "secret"}))
    registrar.contacts("sip:alice@example.com")

In a test of the protocol layer, on a party's `core`; as a process of its own on a real UDP port::

    python -m sipsimple.testing.registrar --port 5060 alice=secret bob=hidden
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING

from sipsimple.core.protocol.dialog import new_tag
from sipsimple.core.wire.headers import (
    BaseHeader,
    FrozenContactHeader,
    FrozenPathHeader,
    FrozenServiceRouteHeader,
    FrozenToHeader,
)
from sipsimple.core.wire.message import SIPRequest, SIPResponse, make_response
from sipsimple.core.wire.uri import BaseSIPURI, FrozenSIPURI
from sipsimple.core.wire.validation import refuse_registration

if TYPE_CHECKING:
    from sipsimple.core.protocol.hop import Hop
    from sipsimple.core.protocol.server_transaction import ServerTransaction
    from sipsimple.core.protocol.user_agent import UserAgentCore
    from sipsimple.testing.digest_guard import DigestGuard

__all__ = ["Binding", "Registrar"]

#: Bindings of one address-of-record, and addresses-of-record; one more gets 503.
MAX_BINDINGS = 20
MAX_ADDRESSES = 100_000

#: What REGISTER grants where nothing is asked for, in seconds (10.3, step 6).
DEFAULT_EXPIRES = 3600


@dataclass(slots=True)
class Binding:
    """One contact of an address-of-record; `expires_at` is on the clock of the registrar's stack.

    `source` is the Contact as it was registered, `printed` as it is told, but for its `expires`.
    """

    contact: FrozenContactHeader
    expires_at: float
    call_id: str
    cseq: int
    path: tuple[FrozenPathHeader, ...]
    source: str | None
    printed: str


class Registrar:
    """Serves REGISTER at a core.

    :param guard: who may register; None lets everybody.
    :param min_expires, max_expires: shorter durations get 423, longer ones are cut, in seconds.
    :param service_routes: told in each 2xx (RFC 3608).
    :param flow_timer: told where outbound is in use (RFC 5626 4.4.1), in seconds.
    :param gruu: whether instances get GRUUs (RFC 5627).

    Attributes: `requests` counts the REGISTERs served, without those that the guard refused.
    """

    def __init__(
        self,
        core: UserAgentCore,
        guard: DigestGuard | None = None,
        *,
        min_expires: int = 60,
        max_expires: int = 7200,
        service_routes: Iterable[str] = (),
        flow_timer: int | None = None,
        gruu: bool = False,
    ) -> None:
        self.core = core
        self.guard = guard
        self.min_expires = min_expires
        self.max_expires = max_expires
        self.service_routes = [FrozenServiceRouteHeader.parse(text) for text in service_routes]
        self.flow_timer = flow_timer
        self.gruu = gruu
        self.requests = 0
        self.bindings: dict[str, dict[str, Binding]] = {}
        core.serve("REGISTER", self)

    def contacts(self, address: str, now: float | None = None) -> list[FrozenContactHeader]:
        """The contacts of an address-of-record ('sip:alice@example.com'); without `now`, expired ones too."""
        bindings = self.bindings.get(address, {}).values()
        return [binding.contact for binding in bindings if now is None or binding.expires_at > now]

    def __call__(self, request: SIPRequest, transaction: ServerTransaction, source: Hop, now: float) -> None:
        transaction.respond(self._serve(request, now), now)

    def _serve(self, request: SIPRequest, now: float) -> SIPResponse:
        refusal = refuse_registration(request)
        if refusal is not None:
            return make_response(request, refusal.code, refusal.reason, new_tag(), refusal.headers)
        if self.guard is not None and (response := self.guard(request)) is not None:
            return response
        self.requests += 1
        address = _address_of_record(request.headers.get("To") or "")
        bindings = self.bindings.get(address)
        if bindings is None:
            if len(self.bindings) >= MAX_ADDRESSES:
                return make_response(request, 503, None, new_tag(), [("Retry-After", "60")])
            bindings = self.bindings[address] = {}
        for key in [key for key, binding in bindings.items() if binding.expires_at <= now]:
            del bindings[key]
        response = self._update(request, address, bindings, now)
        if not bindings:
            del self.bindings[address]
        return response

    def _update(self, request: SIPRequest, address: str, bindings: dict[str, Binding], now: float) -> SIPResponse:
        if request.contact_star:
            bindings.clear()
        cseq = request.cseq.number if request.cseq is not None else 0
        # 10.3, step 7: all contacts are looked at before any binding changes
        changes: list[tuple[str, FrozenContactHeader, int]] = []
        for contact in request.contact:
            asked = contact.expires if contact.expires is not None else request.expires
            seconds = DEFAULT_EXPIRES if asked is None else asked
            if 0 < seconds < self.min_expires:
                return make_response(request, 423, None, new_tag(), [("Min-Expires", str(self.min_expires))])
            key = self._key(contact)
            known = bindings.get(key)
            if known is not None and known.call_id == request.call_id and cseq <= known.cseq:
                return make_response(request, 500, "CSeq out of order", new_tag())
            changes.append((key, contact, min(seconds, self.max_expires)))
        if len(bindings) + len(changes) > MAX_BINDINGS:
            return make_response(request, 503, None, new_tag())
        options = [option.lower() for option in request.supported]
        path = request.headers.all(FrozenPathHeader)
        # what was registered by the same words need not be printed anew
        source = request.headers.get("Contact") if len(changes) == 1 and not self.gruu else None
        for key, contact, seconds in changes:
            if seconds == 0:
                bindings.pop(key, None)
                continue
            known = bindings.get(key)
            if known is not None and source is not None and known.source == source and known.path == path:
                known.expires_at, known.call_id, known.cseq = now + seconds, request.call_id or "", cseq
                continue
            parameters = {name: value for name, value in contact.parameters.items() if name != "expires"}
            if self.gruu and "gruu" in options and contact.instance is not None:
                parameters["pub-gruu"] = f'"{address};gr={contact.instance}"'
                parameters["temp-gruu"] = f'"sip:{secrets.token_hex(8)}@{address.partition("@")[2]};gr"'
            registered = FrozenContactHeader(contact.uri, contact.display_name, parameters)
            bindings[key] = Binding(
                registered, now + seconds, request.call_id or "", cseq, path, source, registered.body
            )
        return make_response(request, 200, None, new_tag(), self._headers(request, bindings, path, options, now))

    def _headers(
        self,
        request: SIPRequest,
        bindings: dict[str, Binding],
        path: tuple[FrozenPathHeader, ...],
        options: list[str],
        now: float,
    ) -> list[tuple[str, str | BaseHeader]]:
        headers: list[tuple[str, str | BaseHeader]] = []
        for binding in bindings.values():
            headers.append(("Contact", f"{binding.printed};expires={round(binding.expires_at - now)}"))
        if "path" in options:
            headers += [("Path", header) for header in path]
        headers += [("Service-Route", header) for header in self.service_routes]
        if "outbound" in options and any("reg-id" in contact.parameters for contact in request.contact):
            headers.append(("Require", "outbound"))
            if self.flow_timer is not None:
                headers.append(("Flow-Timer", str(self.flow_timer)))
        return headers

    @staticmethod
    def _key(contact: FrozenContactHeader) -> str:
        """What tells bindings apart: instance and flow where there are (RFC 5626 6), else the URI (10.3, step 7)."""
        if contact.instance is not None and "reg-id" in contact.parameters:
            return f"{contact.instance} {contact.parameters['reg-id']}"
        return str(contact.uri)


@lru_cache(MAX_ADDRESSES)
def _address_of_record(to: str) -> str:
    """10.3, step 5: the To URI without its parameters."""
    uri = FrozenToHeader.parse(to).uri
    assert isinstance(uri, BaseSIPURI), "refuse_registration lets only SIP URIs pass"
    return str(FrozenSIPURI(uri.host.lower(), uri.user, port=uri.port, secure=uri.secure))


def main() -> None:
    """Serves a real UDP port; prints it when it is open, and ends with its standard input."""
    import argparse

    from twisted.internet import reactor, stdio
    from twisted.internet.protocol import Protocol

    from sipsimple.testing.digest_guard import DigestGuard
    from sipsimple.testing.sip_server import SIPServer

    parser = argparse.ArgumentParser(description="A registrar for tests: it keeps its bindings in memory.")
    parser.add_argument("accounts", nargs="*", metavar="username=password", help="who may register; none: everybody")
    parser.add_argument("--ip", default="127.0.0.1", help="the address to listen on")
    parser.add_argument("--port", type=int, default=0, help="the UDP port to listen on, 0 for any")
    parser.add_argument("--realm", default="example.com")
    options = parser.parse_args()
    passwords = dict(account.partition("=")[::2] for account in options.accounts)

    class Input(Protocol):
        def connectionLost(self, reason: object = None) -> None:
            if reactor.running:
                reactor.stop()

    server = SIPServer(reactor, options.ip, udp_port=options.port)
    Registrar(server.core, DigestGuard(passwords, options.realm) if passwords else None)
    print(server.udp_port, flush=True)
    stdio.StandardIO(Input())
    reactor.run()


if __name__ == "__main__":
    main()
