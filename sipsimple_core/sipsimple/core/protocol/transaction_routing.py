"""Where responses go: what a server writes into the top Via, and reads from it (RFC 3261 18.2, RFC 3581 4)."""

from __future__ import annotations

from ipaddress import ip_address
from typing import TYPE_CHECKING

from sipsimple.core.protocol.hop import Hop
from sipsimple.core.wire.headers.via import ViaHeader
from sipsimple.core.wire.host import host_and_port, is_ip_address

if TYPE_CHECKING:
    from sipsimple.core.wire.headers.via import BaseViaHeader
    from sipsimple.core.wire.message import SIPRequest

__all__ = ["return_hop", "stamp_source", "via_line"]


def via_line(hop: Hop, sent_by: tuple[str, int], branch: str) -> str:
    """The Via of a request of ours. It asks for `rport`, so that responses find back through a NAT (RFC 3581 3)."""
    return f"SIP/2.0/{hop.transport.upper()} {host_and_port(*sent_by)};branch={branch};rport"


def stamp_source(request: SIPRequest, via: BaseViaHeader, source: Hop) -> None:
    """Note in the top Via where the request came from, for those that the response passes (18.2.1, RFC 3581 4)."""
    wants_rport = via.wants_rport
    if not wants_rport and _same_host(via.host, source.host):
        return
    stamped = ViaHeader.new(via)
    stamped.received = source.host
    if wants_rport:
        stamped.rport = source.port
    request.headers.replace_first(stamped)


def return_hop(via: BaseViaHeader, source: Hop) -> Hop:
    """Where the response goes (18.2.2); over a reliable transport, if the request's connection is gone.

    The address is always where the request came from, never a name: it is what `received` holds or would hold.
    """
    if source.transport != "udp":
        return Hop(source.transport, source.host, via.port)
    maddr = via.maddr
    if maddr is not None and is_ip_address(maddr) and ip_address(maddr).is_multicast:
        # 18.2.2 names every maddr; but one that is no group would make us send where a stranger points
        return Hop("udp", maddr, via.port)
    # RFC 3581 4: the port too is where it came from
    return Hop("udp", source.host, source.port if via.wants_rport else via.port)


def _same_host(claimed: str, actual: str) -> bool:
    if claimed == actual:
        return True
    if ":" in claimed and ":" in actual and is_ip_address(claimed) and is_ip_address(actual):
        return ip_address(claimed) == ip_address(actual)
    return False
