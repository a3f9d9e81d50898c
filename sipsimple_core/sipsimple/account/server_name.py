"""Which name a server has to prove over TLS, as the settings of an account want it (RFC 5922 7.3)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipsimple.core.wire.host import is_ip_address

if TYPE_CHECKING:
    from sipsimple.account.account import BaseAccount
    from sipsimple.util import Route

__all__ = ["server_name"]


def server_name(account: BaseAccount, route: Route | None = None) -> str | None:
    """The name of the server that the account's requests go through, by way of `route`.

    `sip.tls_name` if it is set, else the name of `sip.outbound_proxy`, else that of the registrar's service route if
    this is what the route leads to, else with `sip.always_use_my_proxy` the domain of the account. None where that
    leaves open who is called: it is the domain of the Request-URI then.
    """
    try:
        name: str | None = account.saved_value("sip.tls_name")
        proxy = account.saved_value("sip.outbound_proxy")
        always = account.saved_value("sip.always_use_my_proxy")
    except AttributeError:
        return None  # an account without servers
    if name is not None:
        return name
    if proxy is not None:
        return None if is_ip_address(proxy.host) else str(proxy.host)
    service = account.registered_route
    if service is not None and route is not None and (name := service.name(route)) is not None:
        return name
    return account.id.domain if always else None
