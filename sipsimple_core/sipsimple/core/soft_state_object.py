"""What `Registration` and `Publication` have in common: state of ours at a server (RFC 3261 10, RFC 3903)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from sipsimple.core.reporting import failure_data, post
from sipsimple.core.wire.headers import BaseFromHeader, BaseHeader, FrozenFromHeader

if TYPE_CHECKING:
    from sipsimple.core.engine import Engine
    from sipsimple.core.protocol.request_failure import RequestFailure
    from sipsimple.core.protocol.soft_state import SoftStateUsage
    from sipsimple.core.wire.digest import BaseCredentials
    from sipsimple.core.wire.headers import FrozenRouteHeader
    from sipsimple.core.wire.message import SIPResponse

__all__ = ["SoftStateObject"]

U = TypeVar("U", bound="SoftStateUsage[Any]")


class SoftStateObject(Generic[U]):
    """The user of a `SoftStateUsage`, which it makes anew on each engine: what one knew is gone with it.

    Attributes: `from_header`, `credentials`, `duration`, `route_header` (of the last request of the application's).
    """

    #: The names of its notifications begin with it.
    prefix: ClassVar[str]

    def __init__(
        self,
        from_header: BaseFromHeader,
        credentials: BaseCredentials | None,
        duration: int,
        extra_headers: Iterable[BaseHeader],
    ) -> None:
        from sipsimple.core.engine import Engine

        if duration <= 0:
            raise ValueError(f"it lasts longer than {duration} seconds; end() removes it")
        self._engine: Engine = Engine()
        self._usage: U | None = None
        self.from_header = FrozenFromHeader.new(from_header)
        self.credentials = credentials
        self.duration = duration
        self.route_header: FrozenRouteHeader | None = None
        self._headers = [(header.name, header) for header in extra_headers]

    @property
    def expires_in(self) -> int:
        """Seconds until its time is out; 0 when there is nothing."""
        expires_at = None if self._usage is None else self._usage.expires_at
        return 0 if expires_at is None else max(0, round(expires_at - self._engine.now()))

    def end(self, timeout: float | None = None) -> None:
        """Takes it back (RFC 3261 10.2.2, RFC 3903 4.5); `timeout` bounds the request, in seconds.

        Answered by `…DidEnd` or `…DidNotEnd`, also when there is nothing. Raises `EngineError` when there is something
        and the engine is not running.
        """
        if self._usage is not None and self._usage.core is not self._engine.core:
            self._usage = None
        if self._usage is None:
            self.state_ended(None, False)
        else:
            self._usage.end(timeout, now=self._engine.now())

    # What the usage tells its user

    def state_failed(self, failure: RequestFailure) -> None:
        post(f"{self.prefix}DidFail", self, **failure_data(failure), targets=list(failure.targets))

    def state_will_expire(self, seconds: float) -> None:
        post(f"{self.prefix}WillExpire", self, expires_in=round(seconds))

    def state_will_end(self) -> None:
        post(f"{self.prefix}WillEnd", self)

    def state_ended(self, response: SIPResponse | None, expired: bool) -> None:
        code, reason = (None, None) if response is None else (response.code, response.reason)
        post(f"{self.prefix}DidEnd", self, expired=expired, code=code, reason=reason)

    def state_not_ended(self, failure: RequestFailure) -> None:
        post(f"{self.prefix}DidNotEnd", self, **failure_data(failure))
