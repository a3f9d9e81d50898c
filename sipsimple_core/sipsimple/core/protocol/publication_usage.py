"""The publication usage (RFC 3903 4): event state at a compositor, named by its entity-tag, as soft state.

It adds to `SoftStateUsage` what is special to PUBLISH: the entity-tag that each 2xx gives and the next request names
(4.1), the refresh without a body (4.3), and state that the compositor has lost, which is published anew (412, 4.2).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from sipsimple.core.protocol.client_request import client_request
from sipsimple.core.protocol.soft_state import SoftState, SoftStateUsage, SoftStateUser
from sipsimple.core.wire.errors import SIPParseError

if TYPE_CHECKING:
    from sipsimple.core.protocol.outgoing_request import Destination, OutgoingRequest
    from sipsimple.core.protocol.user_agent import UserAgentCore
    from sipsimple.core.wire.digest import BaseCredentials
    from sipsimple.core.wire.headers import BaseFromHeader, BaseHeader
    from sipsimple.core.wire.message import SIPRequest, SIPResponse

__all__ = ["PublicationUsage", "PublicationUser", "Published"]

#: A longer entity-tag than this is none: it would have to be carried by each request.
MAX_ETAG = 256


@dataclass(frozen=True, slots=True)
class Published:
    """What a 2xx to PUBLISH said: for how many seconds the state is kept, and its entity-tag (None without one)."""

    response: SIPResponse
    destination: Destination
    expires: int
    etag: str | None


class PublicationUser(SoftStateUser, Protocol):
    """The layer above."""

    def published(self, published: Published) -> None:
        """The state was published, modified or refreshed."""


class PublicationUsage(SoftStateUsage[bytes]):
    """See the module and `SoftStateUsage`; the content is the body.

    :param event: the Event header's value.
    :param content_type: of each body.

    Attributes: `etag`, the entity-tag of what is published, None when nothing is.
    """

    method = "PUBLISH"

    def __init__(
        self,
        core: UserAgentCore,
        user: PublicationUser,
        from_header: BaseFromHeader,
        event: str,
        content_type: str,
        credentials: BaseCredentials | None = None,
        duration: int = 300,
        headers: Iterable[tuple[str, str | BaseHeader]] = (),
    ) -> None:
        super().__init__(core, user, from_header, credentials, duration, headers)
        self.user = user
        self.request_uri = str(from_header.uri)
        self.etag: str | None = None
        self._from, self._to = self.from_header.body, self.to_header.body
        self._event = event
        self._content_type = content_type
        self._published: bytes | None = None

    # What a publication is

    def create_request(self, content: bytes, expires: int, cseq: int) -> SIPRequest:
        fields: list[tuple[str, str | BaseHeader]] = [("Event", self._event), ("Expires", str(expires))]
        if self.etag is not None:
            fields.append(("SIP-If-Match", self.etag))
            if expires == 0 or self._published is content:
                # 4.3, 4.5: a refresh and a removal have no body
                content = b""
        if content:
            fields.append(("Content-Type", self._content_type))
        fields += self._headers
        return client_request("PUBLISH", self.request_uri, self._from, self._to, self.call_id, cseq, fields, content)

    def take_acceptance(self, content: bytes, response: SIPResponse, now: float) -> int:
        # 11.3.1: each 2xx has an entity-tag; without one all that is left is to publish the whole state again
        self.etag = _etag(response)
        self._published = None if self.etag is None else content
        try:
            expires = response.expires
        except SIPParseError:
            expires = None
        return self.duration if expires is None else expires

    def repaired(self, response: SIPResponse, now: float) -> bool:
        if response.code == 412 and self.etag is not None and self.state is not SoftState.ENDING:
            # 4.2: the compositor knows of no such state, so it is a new publication
            self.etag = self._published = None
            return True
        return super().repaired(response, now)

    def is_gone(self, response: SIPResponse) -> bool:
        return response.code == 412

    @property
    def is_removable(self) -> bool:
        return self.etag is not None

    def forgotten(self) -> None:
        self.etag = self._published = None

    def tell_accepted(self, outgoing: OutgoingRequest, response: SIPResponse, expires: int) -> None:
        self.user.published(Published(response, outgoing.destination, expires, self.etag))


def _etag(response: SIPResponse) -> str | None:
    """The entity-tag of a 2xx; None if it has none, or none that can be named in a request."""
    etag = response.headers.get("SIP-ETag")
    if not etag or len(etag) > MAX_ETAG or not etag.isascii() or not etag.isprintable() or " " in etag:
        return None
    return etag
