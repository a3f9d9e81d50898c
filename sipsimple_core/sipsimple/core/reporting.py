"""What the objects that talk share in telling their outcomes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sipsimple.core import notifications as _notifications  # noqa: F401
from sipsimple.core.wire.headers import FrozenRouteHeader
from sipsimple.core.wire.uri import FrozenSIPURI
from sipsimple.notification import NotificationCenter, NotificationData

if TYPE_CHECKING:
    from sipsimple.core.protocol.outgoing_request import Destination
    from sipsimple.core.protocol.request_failure import RequestFailure

__all__ = ["failure_data", "post", "route_of"]


def post(name: str, sender: object, **data: Any) -> None:
    NotificationCenter().post_notification(name, sender=sender, data=NotificationData(**data))


def route_of(destination: Destination) -> FrozenRouteHeader:
    """The route that leads to a destination, also where the request itself needs none.

    Over TLS its host is the name that is proven there and `maddr` the address, so that it may be used again.
    """
    transport, host, port, name = destination.hop
    if name is None and destination.route is not None:
        return destination.route
    parameters: dict[str, str | None] = {"transport": transport, "lr": None}
    if name is not None:
        parameters["maddr"] = f"[{host}]" if ":" in host else host
    return FrozenRouteHeader(FrozenSIPURI(name or host, port=port, parameters=parameters))


def failure_data(failure: RequestFailure) -> dict[str, Any]:
    """What a notification says of a request that was of no use."""
    return {
        "originator": failure.originator,
        "code": failure.code,
        "reason": failure.reason,
        "route_header": route_of(failure.destination),
        "retry_after": failure.retry_after,
        "headers": None if failure.response is None else failure.response.headers,
    }
