"""The engine's event packages, and the objects that it makes of the subscriptions and referrals of others."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sipsimple.core.incoming_subscription import IncomingSubscription
from sipsimple.core.protocol.event_server import EventServer
from sipsimple.core.referral import IncomingReferral

if TYPE_CHECKING:
    from sipsimple.core.engine import Engine
    from sipsimple.core.protocol.hop import Hop
    from sipsimple.core.protocol.notifier_usage import NotifierUsage
    from sipsimple.core.protocol.referral_usage import IncomingReferralUsage
    from sipsimple.core.protocol.user_agent import UserAgentCore
    from sipsimple.core.wire.headers import FrozenContactHeader
    from sipsimple.core.wire.message import SIPRequest

__all__ = ["EventObjects"]


class EventObjects:
    """See the module. Packages outlast the engine's stop and are there again with its next start."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._packages: dict[str, tuple[str, ...]] = {}
        self._server: EventServer | None = None

    def add(self, event: str, accepted_types: Iterable[str]) -> None:
        """Raises `ValueError` for what is no package's name, or too many of them."""
        types = tuple(accepted_types)
        if self._server is not None:
            self._server.add_package(event, types)
        self._packages[event] = types

    def types(self, event: str) -> tuple[str, ...]:
        """The media types of a package; none for one that is not registered."""
        return self._packages.get(event, ())

    def serve(self, core: UserAgentCore) -> None:
        """From here on requests of this core are served."""
        self._server = EventServer(core, self)
        for event, types in self._packages.items():
            self._server.add_package(event, types)

    # What the server tells its user

    def subscription_received(self, usage: NotifierUsage, request: SIPRequest, now: float) -> None:
        IncomingSubscription(usage).announce(request)

    def referral_received(self, usage: IncomingReferralUsage, request: SIPRequest, now: float) -> None:
        IncomingReferral(usage).announce(request)

    def local_contact(self, hop: Hop) -> FrozenContactHeader:
        return self._engine.local_contact(hop)
