"""The registration usage (RFC 3261 10.2): a binding of our contact at a registrar, as soft state.

It adds to `SoftStateUsage` what is special to REGISTER: how our binding is told from those of other agents (10.2.4,
RFC 5626 6), and what the registrar says beside it: the routes of RFC 3327 and RFC 3608, GRUUs (RFC 5627), the
terms of a flow (RFC 5626 4), and the address that our requests come from (RFC 3581).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from sipsimple.core.protocol.client_request import client_request
from sipsimple.core.protocol.dialog import new_call_id
from sipsimple.core.protocol.outgoing_request import Destination, OutgoingRequest
from sipsimple.core.protocol.request_failure import RequestFailure
from sipsimple.core.protocol.soft_state import SoftStateUsage, SoftStateUser
from sipsimple.core.wire.errors import SIPParseError
from sipsimple.core.wire.headers import (
    BaseHeader,
    FrozenContactHeader,
    FrozenFlowTimerHeader,
    FrozenPathHeader,
    FrozenServiceRouteHeader,
)
from sipsimple.core.wire.uri import BaseSIPURI, FrozenSIPURI

if TYPE_CHECKING:
    from sipsimple.core.protocol.user_agent import UserAgentCore
    from sipsimple.core.wire.digest import BaseCredentials
    from sipsimple.core.wire.headers import BaseFromHeader
    from sipsimple.core.wire.message import SIPMessage, SIPRequest, SIPResponse

__all__ = ["Bindings", "RegistrationUsage", "RegistrationUser"]

H = TypeVar("H", bound=BaseHeader)


@dataclass(frozen=True, slots=True)
class Bindings:
    """What a 2xx to REGISTER said.

    `contact` is our binding as the registrar has it, or as we asked for it if it is not among `contacts`, which are
    all bindings of the address-of-record; None after `fetch`. `expires` is for how many seconds ours was granted.
    `path` and `service_routes` are RFC 3327's and RFC 3608's, in their order. `outbound` says that the registrar
    keeps several flows of ours apart (RFC 5626 6), `flow_timer` after how many seconds of silence it takes a flow
    for dead (4.4.1). `public_address` is where our request came from, if it was not from where its Via says.
    """

    response: SIPResponse
    destination: Destination
    contact: FrozenContactHeader | None
    contacts: tuple[FrozenContactHeader, ...]
    expires: int
    path: tuple[FrozenPathHeader, ...]
    service_routes: tuple[FrozenServiceRouteHeader, ...]
    outbound: bool
    flow_timer: int | None
    public_address: tuple[str, int] | None


class RegistrationUser(SoftStateUser, Protocol):
    """The layer above."""

    def registration_answered(self, response: SIPResponse, destination: Destination) -> None:
        """A response of any kind to a REGISTER that binds or unbinds; what it means is told afterwards."""

    def registered(self, bindings: Bindings) -> None:
        """The binding was made or refreshed."""

    def bindings_fetched(self, bindings: Bindings) -> None:
        """What `fetch` asked for."""

    def bindings_not_fetched(self, failure: RequestFailure) -> None:
        """`fetch` failed."""


class RegistrationUsage(SoftStateUsage[FrozenContactHeader]):
    """See the module and `SoftStateUsage`; the content is our Contact. `bindings` is what the last 2xx said."""

    method = "REGISTER"

    def __init__(
        self,
        core: UserAgentCore,
        user: RegistrationUser,
        from_header: BaseFromHeader,
        credentials: BaseCredentials | None = None,
        duration: int = 300,
        headers: Iterable[tuple[str, str | BaseHeader]] = (),
    ) -> None:
        super().__init__(core, user, from_header, credentials, duration, headers)
        self.user = user
        self.bindings: Bindings | None = None
        #: A contact from before that the next REGISTER removes, in one with binding the new one.
        self.replaced: FrozenContactHeader | None = None
        self.request_uri = str(registrar_of(from_header.uri))
        self._from, self._to = self.from_header.body, self.to_header.body
        self._printed: tuple[tuple[FrozenContactHeader, int, object], list[tuple[str, str]]] | None = None
        self._accepted: tuple[FrozenContactHeader, tuple[FrozenContactHeader, ...]]

    def fetch(self, destinations: Sequence[Destination], timeout: float | None = None, *, now: float) -> None:
        """Asks for the bindings without changing any (10.2.3)."""
        request = self._request(new_call_id(), 1)
        OutgoingRequest(request, destinations, self.core, _Fetch(self), self._authenticator, None, timeout, now=now)

    # What a registration is

    def create_request(self, content: FrozenContactHeader, expires: int, cseq: int) -> SIPRequest:
        key = content, expires, self.replaced
        if self._printed is None or self._printed[0] != key:
            self._printed = key, self._print(content, expires)
        return self._request(self.call_id, cseq, self._printed[1])

    def _print(self, content: FrozenContactHeader, expires: int) -> list[tuple[str, str]]:
        """The headers about our contact: printed once, sent with each refresh."""
        parameters = {name: value for name, value in content.parameters.items() if name != "expires"}
        supported = ["path"]
        if "reg-id" in parameters:
            supported.append("outbound")  # RFC 5626 4.2.1
        if "+sip.instance" in parameters:
            supported.append("gruu")  # RFC 5627 4.1
        contact = FrozenContactHeader(content.uri, content.display_name, {**parameters, "expires": str(expires)})
        contacts = [("Contact", contact.body)]
        if self.replaced is not None and expires > 0:
            contacts.append(("Contact", FrozenContactHeader(self.replaced.uri, parameters={"expires": "0"}).body))
        return [*contacts, ("Expires", str(expires)), ("Supported", ", ".join(supported))]

    def _request(self, call_id: str, cseq: int, headers: Iterable[tuple[str, str]] = ()) -> SIPRequest:
        fields = [*headers, *self._headers]
        return client_request("REGISTER", self.request_uri, self._from, self._to, call_id, cseq, fields)

    def take_acceptance(self, content: FrozenContactHeader, response: SIPResponse, now: float) -> int:
        contacts = _contacts(response)
        ours = own_binding(content, contacts)
        seconds: int | None = None
        if ours is not None:
            seconds = ours.expires
        if seconds is None:
            # 10.2.4: the Contact's own parameter comes first, then the Expires header, then what we asked for
            seconds = _expires(response)
        if seconds is None:
            seconds = self.duration
        self._accepted = ours or content, contacts
        return seconds

    def response_came(self, outgoing: OutgoingRequest, response: SIPResponse) -> None:
        self.user.registration_answered(response, outgoing.destination)

    def tell_accepted(self, outgoing: OutgoingRequest, response: SIPResponse, expires: int) -> None:
        contact, contacts = self._accepted
        self.replaced = None
        self.bindings = bindings_of(response, outgoing.destination, contact, contacts, expires)
        self.user.registered(self.bindings)

    def forgotten(self) -> None:
        self.bindings = None


class _Fetch:
    """The owner of a REGISTER that only asks."""

    def __init__(self, usage: RegistrationUsage) -> None:
        self._usage = usage

    def request_progressed(self, outgoing: OutgoingRequest, response: SIPResponse, now: float) -> None:
        """The outcome is waited for."""

    def request_succeeded(self, outgoing: OutgoingRequest, response: SIPResponse, now: float) -> None:
        bindings = bindings_of(response, outgoing.destination, None, _contacts(response), 0)
        self._usage.user.bindings_fetched(bindings)

    def request_refused(self, outgoing: OutgoingRequest, response: SIPResponse, now: float) -> None:
        self._usage.user.bindings_not_fetched(RequestFailure.refused(outgoing, response))

    def request_failed(self, outgoing: OutgoingRequest, code: int, error: str, now: float) -> None:
        self._usage.user.bindings_not_fetched(RequestFailure.unanswered(outgoing, code, error))


def registrar_of(uri: Any) -> FrozenSIPURI:
    """The Request-URI of REGISTER: the domain of an address-of-record, without a user (10.2).

    Raises `ValueError` for a URI that has no domain.
    """
    if not isinstance(uri, BaseSIPURI):
        raise ValueError(f"{uri} can't be registered: it is no SIP URI")
    return FrozenSIPURI(uri.host, port=uri.port, secure=uri.secure)


def own_binding(contact: FrozenContactHeader, contacts: Iterable[FrozenContactHeader]) -> FrozenContactHeader | None:
    """Our binding among those of a 2xx; None if it is not there.

    The same instance and flow first, whatever its URI became (RFC 5626 6), else the URI by 19.1.4 (RFC 3261 10.2.4).
    """
    instance, flow = contact.instance, contact.parameters.get("reg-id")
    found = None
    for other in contacts:
        if other.instance is not None and other.instance == instance:
            if other.parameters.get("reg-id") == flow:
                return other
        elif found is None and isinstance(other.uri, BaseSIPURI) and other.uri.matches(contact.uri):
            found = other
    return found


def bindings_of(
    response: SIPResponse,
    destination: Destination,
    contact: FrozenContactHeader | None,
    contacts: tuple[FrozenContactHeader, ...],
    expires: int,
) -> Bindings:
    """What a 2xx said; what can't be read in it is left out."""
    headers = response.headers
    outbound = "outbound" in [option.lower() for option in _elements(response, "Require")]
    flow_timer: int | None = None
    if "Flow-Timer" in headers:
        try:
            header = headers.first(FrozenFlowTimerHeader)
            flow_timer = None if header is None else header.number
        except SIPParseError:
            pass
    return Bindings(
        response, destination, contact, contacts, expires, _all(response, FrozenPathHeader),
        _all(response, FrozenServiceRouteHeader), outbound, flow_timer, public_address_of(response),
    )  # fmt: skip


def public_address_of(response: SIPResponse) -> tuple[str, int] | None:
    """Where the request came from, as its Via tells (RFC 3261 18.2.1, RFC 3581 4); None if it is as we believed."""
    via = response.via
    if via is None:
        return None
    try:
        host, port = via.received or via.host, via.rport or via.port
    except SIPParseError:
        return None
    return None if (host, port) == (via.host, via.port) else (host, port)


def _contacts(response: SIPResponse) -> tuple[FrozenContactHeader, ...]:
    """The contacts; the transaction layer drops what has malformed ones, or more than a list may have."""
    try:
        return tuple(response.contact)
    except SIPParseError:
        return ()


def _expires(response: SIPResponse) -> int | None:
    try:
        return response.expires
    except SIPParseError:
        return None


def _elements(message: SIPMessage, name: str) -> list[str]:
    try:
        return message.headers.elements(name)
    except SIPParseError:
        return []


def _all(message: SIPMessage, header: type[H]) -> tuple[H, ...]:
    if header.name not in message.headers:
        return ()
    try:
        return message.headers.all(header)
    except SIPParseError:
        return ()
