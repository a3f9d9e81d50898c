"""Where the requests of an account are sent (RFC 3261 8.1.2, RFC 3263 4): to its proxy, or to the server of a domain.

Names are looked up by the resolver of a plugin (hook `sipsimple_resolver`) or, without one, by the system, which knows
no SRV records. An address is nothing to look up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from sipsimple.configuration.settings import SIPSimpleSettings
from sipsimple.realm import current_realm
from sipsimple.result import Result, deferred_of
from sipsimple.util import Route

if TYPE_CHECKING:
    from twisted.internet.defer import Deferred
    from twisted.internet.interfaces import IAddress, IHostResolution
    from twisted.python.failure import Failure

    from sipsimple.account.account import BaseAccount
    from sipsimple.core.wire.uri import BaseSIPURI

__all__ = ["LOOKUP_TIMEOUT", "MAX_ROUTES", "RouteLookupError", "lookup_routes", "lookup_server", "system_addresses"]

LOOKUP_TIMEOUT = 15.0
"""Seconds that a look-up may take."""
MAX_ROUTES = 20
"""More routes than this are not tried."""


class RouteLookupError(Exception):
    """There is no way to a server; the text says which one, and why."""


def lookup_routes(account: BaseAccount, uri: BaseSIPURI | None = None) -> Result[list[Route]]:
    """The routes for a request of the account to `uri`, by default to its own domain; the first is to be tried first.

    They lead to `sip.outbound_proxy` if it is set, for a URI that is given to where the registrar's Service-Route
    begins if it told one, with `sip.always_use_my_proxy` to the server of the account's
    domain, otherwise to that of the URI. Returns at once, from any thread, a Result: it may be awaited, waited for in a
    thread, or be given callbacks, and fails with RouteLookupError.
    """
    return lookup_server(next_server(account, uri))


def lookup_server(uri: BaseSIPURI) -> Result[list[Route]]:
    """The same for the server that a URI names, whoever asks."""
    return Result.of(_lookup, uri)


def next_server(account: BaseAccount, uri: BaseSIPURI | None = None) -> BaseSIPURI:
    """The URI whose server comes next: what is to be looked up (RFC 3263 4: TARGET, port and transport)."""
    from sipsimple.core.wire.uri import SIPURI

    proxy, always = _proxy_of(account)
    if proxy is not None:
        parameters = {"transport": proxy.given_transport} if proxy.given_transport else None
        return SIPURI(proxy.host, port=proxy.given_port, parameters=parameters)
    own = account.uri
    registered = account.registered_route
    if uri is None or registered is None or registered.first is None:
        return SIPURI(own.host, port=own.port, secure=own.secure) if uri is None or always else uri
    return registered.first  # RFC 3608 6.1


def _proxy_of(account: BaseAccount) -> tuple[Any, bool]:
    try:
        return account.saved_value("sip.outbound_proxy"), account.saved_value("sip.always_use_my_proxy")
    except AttributeError:
        return None, False  # an account without servers


def _lookup(uri: BaseSIPURI) -> list[Route] | Deferred[list[Route]]:
    """In the reactor's thread."""
    from twisted.internet.defer import maybeDeferred

    from sipsimple.core.wire.host import is_ip_address
    from sipsimple.plugins import PluginManager

    transports = [str(transport) for transport in SIPSimpleSettings().saved_value("sip.transport_list")]
    host = (uri.parameters.get("maddr") or uri.host).strip("[]")
    if uri.port == 0:
        raise RouteLookupError(f"{uri} has the port 0, which nobody has")
    if is_ip_address(host):
        return [Route(host, uri.port, _transport_of(uri, transports))]  # RFC 3263 4.2
    resolver = PluginManager().hook.sipsimple_resolver()
    found: Deferred[Any]
    if resolver is None:
        transport = _transport_of(uri, transports)
        found = system_addresses(host).addCallback(
            lambda addresses: [Route(a, uri.port, transport, server=host) for a in addresses]
        )
    else:
        found = maybeDeferred(_ask_plugin, resolver, uri, transports)
    found.addTimeout(LOOKUP_TIMEOUT, current_realm().reactor)
    return found.addCallback(_checked, host).addErrback(_failed, host)


def _transport_of(uri: BaseSIPURI, supported: list[str]) -> str:
    """The transport where no record tells it (RFC 3263 4.1): TLS for sips, that of the parameter, else UDP."""
    if uri.secure:
        wanted = "tls"
    else:
        wanted = (uri.parameters.get("transport") or "").lower() or ("udp" if "udp" in supported else supported[0])
    if wanted not in supported:
        raise RouteLookupError(f"{uri} needs {wanted}, which is not in sip.transport_list ({', '.join(supported)})")
    return wanted


def _ask_plugin(resolver: Any, uri: BaseSIPURI, transports: list[str]) -> Any:
    return deferred_of(resolver.lookup_sip_proxy(uri, transports))


def system_addresses(name: str) -> Deferred[list[str]]:
    """The addresses of a name, in the order of the system (RFC 6724), which is asked in the thread pool.

    None if it has none. To be called in the reactor's thread.
    """
    from twisted.internet.address import IPv4Address, IPv6Address

    receiver = _Receiver()
    resolver = current_realm().reactor.nameResolver
    resolver.resolveHostName(receiver, name, 0, [IPv4Address, IPv6Address], "UDP")
    return receiver.done


class _Receiver:
    """Collects the addresses of a name (IResolutionReceiver)."""

    def __init__(self) -> None:
        from twisted.internet.defer import Deferred

        self.done: Deferred[list[str]] = Deferred(lambda _: None)
        self._addresses: list[str] = []

    def resolutionBegan(self, resolution: IHostResolution) -> None:
        """Nothing to do: the system's look-up can't be broken off."""

    def addressResolved(self, address: IAddress) -> None:
        self._addresses.append(address.host)  # type: ignore[attr-defined]

    def resolutionComplete(self) -> None:
        if not self.done.called:
            self.done.callback(self._addresses)


def _checked(routes: Any, host: str) -> list[Route]:
    unique = list(dict.fromkeys(routes))
    if not unique:
        raise RouteLookupError(f"{host} was not found")
    return unique[:MAX_ROUTES]


def _failed(failure: Failure, host: str) -> NoReturn:
    from twisted.internet.defer import TimeoutError

    error = failure.value
    if isinstance(error, RouteLookupError):
        raise error
    if isinstance(error, TimeoutError):
        raise RouteLookupError(f"{host} was not found within {LOOKUP_TIMEOUT:g} seconds")
    text = str(error)
    raise RouteLookupError(text if text.startswith(host) else f"{host} was not found: {text}") from error
