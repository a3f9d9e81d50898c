"""The MSRP relay of an account (RFC 4976): whether a stream uses it, where it is, and getting there."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import CancelledError, Deferred

from msrplib.relay import RelayAuthenticationError, RelayError, RelayLeg
from msrplib.uri import DEFAULT_PORT, MSRPURI
from sipsimple.account.routes import system_addresses
from sipsimple.core import SIPURI
from sipsimple.core.wire.host import is_ip_address
from sipsimple.plugins import PluginManager
from sipsimple.result import deferred_of

if TYPE_CHECKING:
    from sipsimple.streams.msrp.transport import MSRPTransport

__all__ = ["RELAY_TIMEOUT", "authorized_leg", "relay_of"]

log = logging.getLogger("sipsimple.streams")

RELAY_TIMEOUT = 15.0
"""Seconds for finding a relay, connecting to it and being authorized there, at whichever of its addresses."""
LOOKUP_TIMEOUT = 8.0
"""Seconds for finding it."""
MAX_ADDRESSES = 4
"""Addresses of a relay that are tried."""


def relay_of(account: Any, is_outgoing: bool, secure: bool | None) -> MSRPURI | None:
    """The relay that a stream of the account goes through; None: it is reached directly.

    `nat_traversal.msrp_relay` names it, `use_msrp_relay_for_outbound` and `use_msrp_relay_for_inbound` say for which
    proposals it serves, and `msrp.connection_model` that it does at all (`relay`; RFC 6135 for `acm`).

    :param secure: whether an offer that is to be answered is for TLS: a relay of the other kind does not fit its media
        line (RFC 4975 8.1). None for an offer of ours
    """
    settings = getattr(account, "nat_traversal", None)
    address = getattr(settings, "msrp_relay", None)
    if address is None or account.msrp.connection_model != "relay":
        return None
    if not (settings.use_msrp_relay_for_outbound if is_outgoing else settings.use_msrp_relay_for_inbound):
        return None
    host, is_secure = str(address.host), address.transport == "tls"
    # RFC 4976 5.2: what is looked up by SRV has no port; there are such records for TLS alone
    port = address.given_port if is_secure and not is_ip_address(host) else address.port
    relay = MSRPURI(host, port, None, is_secure)
    if secure is not None and relay.secure is not secure:
        log.warning("%s can not be used for a stream that is offered over %s", relay, "TLS" if secure else "TCP")
        return None
    return relay


async def authorized_leg(relay: MSRPURI, uri: MSRPURI, account: Any, transport: MSRPTransport, limits: Any) -> RelayLeg:
    """A leg to the relay that is authorized with the account's credentials. Its addresses are tried in their order.

    The relay proves its name, that of the settings, with a certificate that is trusted (RFC 4976 9.2).

    :param uri: that of the session
    :raises MSRPError: there is no such relay, or it can't be used
    """
    reactor = transport.reactor
    deadline = reactor.seconds() + RELAY_TIMEOUT
    addresses = await find_relay(relay, reactor)
    credentials = account.credentials
    tls = transport.tls_identity.for_connecting(False) if relay.secure else None
    for number, address in enumerate(addresses, 1):
        leg = RelayLeg(
            reactor, relay, uri, credentials.username, credentials.password,
            address=address, tls=tls, limits=limits, on_trace=transport.trace_hook,
        )  # fmt: skip
        share = max(deadline - reactor.seconds(), 1.0) / (len(addresses) - number + 1)
        try:
            return await leg.authorize(share)
        except (CancelledError, RelayAuthenticationError):
            raise
        except Exception as error:
            log.info("The MSRP relay %s can not be used at %s: %s", relay, address[0], error)
            if number == len(addresses):
                raise
    raise RelayError(f"the relay {relay.host} was not found")


async def find_relay(relay: MSRPURI, reactor: Any) -> list[tuple[str, int]]:
    """Where a relay is: addresses and ports, in the order in which they are to be tried.

    A name without a port is that of a domain, whose relays the resolver of a plugin finds (RFC 4976 5.2: SRV). With a
    port it is that of a host, whose addresses the system tells; so does it where there is no such plugin.

    :raises RelayError: there is none
    """
    if is_ip_address(relay.host):
        return [(relay.host, relay.port or DEFAULT_PORT)]
    resolver = PluginManager().hook.sipsimple_resolver() if relay.port is None else None
    try:
        if resolver is not None:
            found = await within(deferred_of(resolver.lookup_service(SIPURI(relay.host), "msrprelay")), reactor)
        else:
            port = relay.port or DEFAULT_PORT
            found = [(host, port) for host in await within(system_addresses(relay.host), reactor)]
    except CancelledError:
        raise
    except Exception as error:  # whatever a plugin raises
        raise RelayError(f"the relay {relay.host} was not found: {error}") from error
    if not found:
        raise RelayError(f"the relay {relay.host} was not found")
    return list(dict.fromkeys(found))[:MAX_ADDRESSES]


def within(lookup: Deferred[Any], reactor: Any) -> Deferred[Any]:
    """The look-up, given up after its time."""
    return lookup.addTimeout(LOOKUP_TIMEOUT, reactor)
