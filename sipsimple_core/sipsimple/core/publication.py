"""`Publication`: event state of ours at a compositor (RFC 3903)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sipsimple.core.destinations import Routes, destinations_of
from sipsimple.core.protocol.publication_usage import PublicationUsage
from sipsimple.core.reporting import failure_data, post, route_of
from sipsimple.core.wire.grammar import is_token
from sipsimple.core.wire.headers import BaseEventHeader, BaseFromHeader, BaseHeader, FrozenFromHeader

if TYPE_CHECKING:
    from sipsimple.core.engine import Engine
    from sipsimple.core.protocol.publication_usage import Published
    from sipsimple.core.protocol.request_failure import RequestFailure
    from sipsimple.core.wire.digest import BaseCredentials
    from sipsimple.core.wire.headers import FrozenRouteHeader
    from sipsimple.core.wire.message import SIPResponse

__all__ = ["Publication"]


class Publication:
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

    def __init__(
        self,
        from_header: BaseFromHeader,
        event: str | BaseEventHeader,
        content_type: str,
        credentials: BaseCredentials | None = None,
        duration: int = 300,
        extra_headers: Iterable[BaseHeader] = (),
    ) -> None:
        from sipsimple.core.engine import Engine

        if duration <= 0:
            raise ValueError(f"a publication lasts longer than {duration} seconds; end() removes it")
        self._engine: Engine = Engine()
        self._usage: PublicationUsage | None = None
        self.from_header = FrozenFromHeader.new(from_header)
        self.event = event.body if isinstance(event, BaseEventHeader) else event
        if not is_token(self.event.partition(";")[0]):
            raise ValueError(f"not an event package: {self.event!r}")
        self.content_type = content_type
        self.credentials = credentials
        self.duration = duration
        self._headers = [(header.name, header) for header in extra_headers]
        self.route_header: FrozenRouteHeader | None = None

    @property
    def is_published(self) -> bool:
        """Whether there is state at the compositor whose time is not out."""
        return self.expires_in > 0

    @property
    def expires_in(self) -> int:
        """Seconds until the state's time is out; 0 when there is none."""
        expires_at = None if self._usage is None else self._usage.expires_at
        return 0 if expires_at is None else max(0, round(expires_at - self._engine.now()))

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

    def end(self, timeout: float | None = None) -> None:
        """Removes what is published (RFC 3903 4.5); `timeout` bounds it, in seconds.

        Answered by `SIPPublicationDidEnd` or `SIPPublicationDidNotEnd`, also when there is nothing. Raises
        `EngineError` when there is something and the engine is not running.
        """
        if self._usage is not None and self._usage.core is not self._engine.core:
            self._usage = None
        if self._usage is None:
            self.publication_ended(None, False)
        else:
            self._usage.end(timeout, now=self._engine.now())

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

    def publication_failed(self, failure: RequestFailure) -> None:
        post("SIPPublicationDidFail", self, **failure_data(failure), targets=list(failure.targets))

    def publication_will_expire(self, seconds: float) -> None:
        post("SIPPublicationWillExpire", self, expires_in=round(seconds))

    def publication_will_end(self) -> None:
        post("SIPPublicationWillEnd", self)

    def publication_ended(self, response: SIPResponse | None, expired: bool) -> None:
        code, reason = (None, None) if response is None else (response.code, response.reason)
        post("SIPPublicationDidEnd", self, expired=expired, code=code, reason=reason)

    def publication_not_ended(self, failure: RequestFailure) -> None:
        post("SIPPublicationDidNotEnd", self, **failure_data(failure))
