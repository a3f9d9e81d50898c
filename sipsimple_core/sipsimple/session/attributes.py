"""What an application reads of a session (SES-060 to SES-075)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sipsimple.session.states import State
from sipsimple.util import Null

if TYPE_CHECKING:
    from sipsimple.core import BaseFromHeader, BaseToHeader

__all__ = ["SessionAttributes"]


class SessionAttributes:
    """The part of `Session` that is read only."""

    conference: Any = Null

    _state: State
    _transport: str | None
    _identities: tuple[Any, Any]
    _streams: list[Any]
    _proposed_streams: list[Any] | None

    @property
    def state(self) -> State:
        """The state: None, or one of the strings of `sipsimple.session.states`."""
        return self._state

    @property
    def transport(self) -> str | None:
        """'udp', 'tcp' or 'tls', None before it is known."""
        return self._transport

    @property
    def local_identity(self) -> BaseFromHeader | BaseToHeader | None:
        """The local party as a FrozenFromHeader or FrozenToHeader; None unless the session is active (SES-067)."""
        return self._identities[0]

    @property
    def remote_identity(self) -> BaseFromHeader | BaseToHeader | None:
        """The remote party, likewise (SES-068)."""
        return self._identities[1]

    @property
    def streams(self) -> list[Any]:
        """A new list of the streams that are active."""
        return list(self._streams)

    @property
    def proposed_streams(self) -> list[Any] | None:
        """A new list of the streams that are proposed, None when no proposal is open."""
        return None if self._proposed_streams is None else list(self._proposed_streams)

    @property
    def on_hold(self) -> bool:
        """Whether either party has put a stream on hold."""
        return any(stream.on_hold for stream in self._streams)
