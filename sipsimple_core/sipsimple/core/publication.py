"""`Publication`: event state of ours at a compositor (RFC 3903)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sipsimple.core.destinations import Routes, destinations_of
from sipsimple.core.protocol.publication_usage import PublicationUsage
from sipsimple.core.reporting import post, route_of
from sipsimple.core.soft_state_object import SoftStateObject
from sipsimple.core.wire.grammar import is_token
from sipsimple.core.wire.headers import BaseEventHeader, BaseFromHeader, BaseHeader

if TYPE_CHECKING:
    from sipsimple.core.protocol.publication_usage import Published
    from sipsimple.core.wire.digest import BaseCredentials

__all__ = ["Publication"]


class Publication(SoftStateObject[PublicationUsage]):
    """The state of one event package, published and kept alive until `end`.

    :param from_header: whose state it is; the requests go to its URI.
    :param event: the event package, by its name or as an EventHeader.
    :param content_type: of each body.
    :param credentials: answer challenges.
    :param duration: seconds to ask for; a compositor's 423 raises it (RFC 3903 6).
    :param extra_headers: of every PUBLISH.

    Before the time is out `SIPPublicationWillExpire` is posted; unless somebody publishes then, the state is refreshed.
    A failure is told and not tried again. Methods are called in the reactor thread.

    Notifications: `SIPPublicationDidSucceed`, `SIPPublicationDidFail`, `SIPPublicationWillExpire`,
    `SIPPublicationWillEnd`, `SIPPublicationDidEnd`, `SIPPublicationDidNotEnd`.

    Attributes: `from_header`, `event`, `content_type`, `credentials`, `duration`, `route_header` (of the last
    `publish`).
    """

    prefix = "SIPPublication"

    def __init__(
        self,
        from_header: BaseFromHeader,
        event: str | BaseEventHeader,
        content_type: str,
        credentials: BaseCredentials | None = None,
        duration: int = 300,
        extra_headers: Iterable[BaseHeader] = (),
    ) -> None:
        super().__init__(from_header, credentials, duration, extra_headers)
        self.event = event.body if isinstance(event, BaseEventHeader) else event
        if not is_token(self.event.partition(";")[0]):
            raise ValueError(f"not an event package: {self.event!r}")
        self.content_type = content_type

    @property
    def is_published(self) -> bool:
        """Whether there is state at the compositor whose time is not out."""
        return self.expires_in > 0

    @property
    def etag(self) -> str | None:
        """The entity-tag of what is published (RFC 3903 4.1)."""
        return None if self._usage is None else self._usage.etag

    def publish(self, body: bytes | str, route_header: Routes, timeout: float | None = None) -> None:
        """Publishes `body`, in place of what was published before, by way of one route or the first that works.

        `timeout` bounds the PUBLISH, in seconds. While another is under way this one waits for its outcome (RFC 3903
        4); of several that wait the last one is sent. Raises `ValueError` when there is no body or a route names no
        IP address, `EngineError` when the engine is not running.
        """
        if not body:
            raise ValueError("there is nothing to publish; end() removes what was published")
        destinations = destinations_of(route_header, self.from_header.uri)
        core = self._engine.core
        usage = self._usage
        if usage is None or usage.core is not core:
            # what an engine knew is gone with it
            usage = self._usage = PublicationUsage(
                core, self, self.from_header, self.event, self.content_type, self.credentials, self.duration,
                self._headers,
            )  # fmt: skip
        self.route_header = route_of(destinations[0])
        content = body.encode() if isinstance(body, str) else bytes(body)
        usage.set(content, destinations, timeout, now=self._engine.now())

    # What the usage tells its user

    def published(self, published: Published) -> None:
        response = published.response
        post(
            "SIPPublicationDidSucceed",
            self,
            code=response.code,
            reason=response.reason,
            expires_in=published.expires,
            etag=published.etag,
            route_header=route_of(published.destination),
            headers=response.headers,
        )
