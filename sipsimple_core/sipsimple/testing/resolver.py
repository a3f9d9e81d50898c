"""Names on the memory network (IResolverSimple, IHostnameResolver; no RFC)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import DNSLookupError
from twisted.internet.interfaces import (
    IAddress,
    IHostnameResolver,
    IHostResolution,
    IResolutionReceiver,
    IResolverSimple,
)
from zope.interface import implementer

if TYPE_CHECKING:
    from sipsimple.testing.reactor import MemoryReactor

__all__ = ["MemoryResolver"]


@implementer(IHostResolution)
class MemoryResolution:
    """A resolution that is under way."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.cancelled = False

    def cancel(self) -> None:
        self.cancelled = True


@implementer(IResolverSimple, IHostnameResolver)
class MemoryResolver:
    """Resolves the names of the network; the answer comes in the next event."""

    def __init__(self, reactor: MemoryReactor) -> None:
        self._reactor = reactor

    def getHostByName(self, name: str, timeout: Sequence[int] = ()) -> Deferred[str]:
        """An address, or the failure DNSLookupError."""
        answer: Deferred[str] = Deferred()
        self._reactor.network.clock.schedule(0.0, self._reactor, self._answer, (answer, name))
        return answer

    def _answer(self, answer: Deferred[str], name: str) -> None:
        if answer.called:
            return
        ip = self._reactor.network.resolve(name)
        if ip is None:
            answer.errback(DNSLookupError(f"no host {name!r} is on this network"))
        else:
            answer.callback(ip)

    def resolveHostName(
        self,
        resolutionReceiver: IResolutionReceiver,
        hostName: str,
        portNumber: int = 0,
        addressTypes: Sequence[type[IAddress]] | None = None,
        transportSemantics: str = "TCP",
    ) -> IHostResolution:
        resolution = MemoryResolution(hostName)
        resolutionReceiver.resolutionBegan(resolution)
        wanted = addressTypes is None or IPv4Address in addressTypes
        self._reactor.network.clock.schedule(
            0.0, self._reactor, self._report, (resolution, resolutionReceiver, wanted, portNumber, transportSemantics)
        )
        return resolution

    def _report(
        self, resolution: MemoryResolution, receiver: IResolutionReceiver, wanted: bool, port: int, transport: str
    ) -> None:
        if resolution.cancelled:
            return
        ip = self._reactor.network.resolve(resolution.name) if wanted else None
        if ip is not None:
            receiver.addressResolved(IPv4Address("UDP" if transport == "UDP" else "TCP", ip, port))
        receiver.resolutionComplete()
