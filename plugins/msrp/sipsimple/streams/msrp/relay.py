"""The MSRP relay of an account (RFC 4976): whether a stream uses it, and getting there."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from msrplib.relay import RelayLeg
from msrplib.uri import MSRPURI

if TYPE_CHECKING:
    from sipsimple.streams.msrp.transport import MSRPTransport

__all__ = ["RELAY_TIMEOUT", "leg_to", "relay_of"]

log = logging.getLogger("sipsimple.streams")

RELAY_TIMEOUT = 15.0
"""Seconds for connecting to a relay and being authorized there."""


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
    relay = MSRPURI(address.host, address.port, None, address.transport == "tls")
    if secure is not None and relay.secure is not secure:
        log.warning("%s can not be used for a stream that is offered over %s", relay, "TLS" if secure else "TCP")
        return None
    return relay


def leg_to(relay: MSRPURI, uri: MSRPURI, account: Any, transport: MSRPTransport, limits: Any) -> RelayLeg:
    """A connection to the relay, still to be authorized with the account's credentials.

    The relay proves its name with a certificate that is trusted (RFC 4976 9.2).
    """
    credentials = account.credentials
    tls = transport.tls_identity.for_connecting(False) if relay.secure else None
    return RelayLeg(
        transport.reactor, relay, uri, credentials.username, credentials.password,
        tls=tls, limits=limits, on_trace=transport.trace_hook,
    )  # fmt: skip
