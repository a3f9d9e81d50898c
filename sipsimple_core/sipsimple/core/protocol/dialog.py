"""Dialogs (RFC 3261 12): the relation of two user agents that requests after the first one belong to.

A dialog is made from the request and the response that created it, by the caller (`Dialog.from_response`, 12.1.2) or
by the callee (`Dialog.from_request`, 12.1.1). It numbers and routes our requests (`create_request`, `next_hop`),
checks the order of theirs (`receive_request`) and follows the remote target (12.2.1.2, 12.2.2).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from enum import Enum
from ipaddress import ip_address
from typing import NamedTuple

from sipsimple.core.protocol.hop import Hop
from sipsimple.core.protocol.mandatory import mandatory
from sipsimple.core.wire.headers import (
    BaseHeader,
    BaseRecordRouteHeader,
    FrozenContactHeader,
    FrozenFromHeader,
    FrozenRouteHeader,
    FrozenToHeader,
)
from sipsimple.core.wire.message import SIPRequest, SIPResponse
from sipsimple.core.wire.uri import BaseSIPURI, FrozenSIPURI

__all__ = ["Dialog", "DialogId", "DialogState", "hop_towards", "new_call_id", "new_tag", "route_set_of"]

MAX_FORWARDS = 70

#: Methods whose requests and 2xx responses refresh the remote target (RFC 3261 12.2, RFC 3311 5.1, RFC 6665 3.1).
TARGET_REFRESH = frozenset({"INVITE", "UPDATE", "SUBSCRIBE", "NOTIFY", "REFER"})

#: RFC 3261 8.1.1.5: the first number must be less than 2**31.
LAST_CSEQ = 2**31 - 1


def new_tag() -> str:
    """A tag with 64 bits of randomness (RFC 3261 19.3 asks for at least 32)."""
    return secrets.token_hex(8)


def new_call_id() -> str:
    return secrets.token_hex(16)


def number_of(message: SIPRequest | SIPResponse) -> int:
    """The CSeq number of a message that was found valid."""
    cseq = message.cseq
    return 0 if cseq is None else cseq.number


class DialogId(NamedTuple):
    """RFC 3261 12: what tells dialogs apart."""

    call_id: str
    local_tag: str
    remote_tag: str


class DialogState(Enum):
    EARLY = "early"
    CONFIRMED = "confirmed"
    TERMINATED = "terminated"


class Dialog:
    """One dialog, seen from our side.

    Attributes: `local` and `remote` (From or To header as the dialog's first request had them, tags included),
    `contact` (what we put into the Contact of our requests), `remote_target`, `route_set`, `hop` (where the messages
    of the dialog's beginning went to: the fallback for a next hop whose host is a name), `state`.
    """

    __slots__ = (
        "contact", "hop", "id", "local", "local_cseq", "remote", "remote_cseq", "remote_target", "route_set", "state",
    )  # fmt: skip

    def __init__(
        self,
        call_id: str,
        local: FrozenFromHeader | FrozenToHeader,
        remote: FrozenFromHeader | FrozenToHeader,
        contact: FrozenContactHeader,
        remote_target: FrozenSIPURI,
        route_set: Sequence[FrozenRouteHeader],
        hop: Hop,
        state: DialogState,
        local_cseq: int | None = None,
        remote_cseq: int | None = None,
    ) -> None:
        self.id = DialogId(call_id, local.tag or "", remote.tag or "")
        self.local = local
        self.remote = remote
        self.contact = contact
        self.remote_target = remote_target
        self.route_set = tuple(route_set)
        self.hop = hop
        self.state = state
        self.local_cseq = local_cseq
        self.remote_cseq = remote_cseq

    @classmethod
    def from_response(
        cls, request: SIPRequest, response: SIPResponse, contact: FrozenContactHeader, hop: Hop
    ) -> Dialog:
        """The caller's dialog (12.1.2), made by a 101–299 response with a To tag.

        A 2xx owes a Contact that is a SIP URI; without one the dialog leads to the Request-URI, so that it can be
        acknowledged and ended.
        """
        target = _target(response) or FrozenSIPURI.new(request.request_uri)
        route_set = route_set_of(reversed(response.record_route))
        state = DialogState.CONFIRMED if response.code >= 200 else DialogState.EARLY
        ours, to_header = mandatory(request), mandatory(response).to_header
        return cls(
            ours.call_id, ours.from_header, to_header, contact, target, route_set, hop, state,
            local_cseq=ours.cseq.number,
        )  # fmt: skip

    @classmethod
    def from_request(cls, request: SIPRequest, local_tag: str, contact: FrozenContactHeader, source: Hop) -> Dialog:
        """The callee's dialog (12.1.1). Raises `ValueError` when the request names no usable Contact."""
        target = _target(request) or _rfc2543_target(request)
        if target is None:
            raise ValueError(f"{request.method} without a Contact that is a SIP URI")
        from_header, to_header, call_id, cseq = mandatory(request)
        local = FrozenToHeader(to_header.uri, to_header.display_name, {**dict(to_header.parameters), "tag": local_tag})
        route_set = route_set_of(request.record_route)
        return cls(
            call_id, local, from_header, contact, target, route_set, source, DialogState.EARLY, remote_cseq=cseq.number
        )

    def create_request(
        self, method: str, headers: Iterable[tuple[str, str | BaseHeader]] = (), body: bytes = b""
    ) -> SIPRequest:
        """The next request of the dialog (12.2.1.1), Via left to the transaction layer."""
        self.local_cseq = 1 if self.local_cseq is None else self.local_cseq + 1
        return self._create_request(method, self.local_cseq, headers, body)

    def create_ack(
        self, cseq: int, body: bytes = b"", headers: Iterable[tuple[str, str | BaseHeader]] = ()
    ) -> SIPRequest:
        """The ACK of a 2xx to the INVITE with that CSeq number (13.2.2.4)."""
        return self._create_request("ACK", cseq, headers, body)

    def _create_request(
        self, method: str, cseq: int, headers: Iterable[tuple[str, str | BaseHeader]], body: bytes
    ) -> SIPRequest:
        uri, routes = self.remote_target, self.route_set
        if routes and not routes[0].is_loose:
            # 12.2.1.1: a strict router gets its own URI as Request-URI, the remote target goes to the end of the routes
            uri, routes = FrozenSIPURI.new(routes[0].uri), (*routes[1:], FrozenRouteHeader(self.remote_target))
        fields: list[tuple[str, str | BaseHeader]] = [("Max-Forwards", str(MAX_FORWARDS))]
        fields += [("Route", route) for route in routes]
        fields += [
            ("From", FrozenFromHeader(self.local.uri, self.local.display_name, self.local.parameters)),
            ("To", FrozenToHeader(self.remote.uri, self.remote.display_name, self.remote.parameters)),
            ("Call-ID", self.id.call_id),
            ("CSeq", f"{cseq} {method}"),
        ]
        if method in TARGET_REFRESH:
            fields.append(("Contact", self.contact))
        fields += headers
        return SIPRequest(method, uri, fields, body)

    @property
    def local_host(self) -> str:
        """The host of our Contact: where the remote party reaches us."""
        uri = self.contact.uri
        return uri.host if isinstance(uri, BaseSIPURI) else self.hop.host

    def next_hop(self) -> Hop:
        """Where our next request goes (12.2.1.1, 8.1.2): the first route, else the remote target."""
        first = self.route_set[0].uri if self.route_set else self.remote_target
        hop = hop_towards(first) if isinstance(first, BaseSIPURI) else None
        if hop is None or (hop.name is None and hop[:3] == self.hop[:3]):
            # the address of who we have been talking to all the time: it has proven its name (RFC 5922 7.3)
            return self.hop
        return hop

    def receive_request(self, request: SIPRequest) -> bool:
        """Takes note of a request of the remote party; False when its CSeq is out of order (12.2.2: answer 500)."""
        number = mandatory(request).cseq.number
        if self.remote_cseq is not None and number <= self.remote_cseq:
            return False
        self.remote_cseq = number
        return True

    def refresh_target(self, message: SIPRequest | SIPResponse, method: str) -> None:
        """Follows the Contact of a target refresh request or of its 2xx (12.2.1.2, 12.2.2)."""
        if method in TARGET_REFRESH and (target := _target(message)) is not None:
            self.remote_target = target

    def confirm(self, response: SIPResponse) -> None:
        """A 2xx on an early dialog (13.2.2.4): the route set is made anew from it, and the target followed."""
        self.state = DialogState.CONFIRMED
        self.route_set = route_set_of(reversed(response.record_route))
        self.refresh_target(response, "INVITE")


def route_set_of(record_route: Iterable[BaseRecordRouteHeader]) -> tuple[FrozenRouteHeader, ...]:
    """The routes that are recorded (12.1); what is no SIP or SIPS URI leads nowhere and is left out."""
    return tuple(
        [FrozenRouteHeader(h.uri, h.display_name, h.parameters) for h in record_route if isinstance(h.uri, BaseSIPURI)]
    )


def _target(message: SIPRequest | SIPResponse) -> FrozenSIPURI | None:
    """The Contact that leads to its sender (12.1.1, 12.1.2); None without one that is a SIP or SIPS URI."""
    contacts = message.contact
    uri = contacts[0].uri if contacts else None
    return FrozenSIPURI.new(uri) if isinstance(uri, BaseSIPURI) else None


def hop_towards(uri: BaseSIPURI) -> Hop | None:
    """The hop that a URI names by itself; None where its host is a name, which takes a resolver to follow.

    With `maddr` it may be both, the address there and the name in the host: over TLS the one to prove (RFC 5922 7.3).
    """
    host = uri.parameters.get("maddr") or uri.host
    try:
        address = str(ip_address(host.strip("[]")))
    except ValueError:
        return None
    transport = "tls" if uri.secure else (uri.transport or "udp").lower()
    return Hop(transport, address, uri.port or (5061 if transport == "tls" else 5060)).named(uri.host)


def _rfc2543_target(request: SIPRequest) -> FrozenSIPURI | None:
    """Where a caller of before RFC 3261 (17.2.3: its branch has no cookie), which owes no Contact, is: at its From."""
    via, from_header = request.via, request.from_header
    if via is None or via.is_unique or "contact" in request.headers or from_header is None:
        return None
    return from_header.uri if isinstance(from_header.uri, FrozenSIPURI) else None
