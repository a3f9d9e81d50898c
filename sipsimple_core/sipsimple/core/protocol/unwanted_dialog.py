"""Dialogs that nobody wants: a 2xx that comes too late or from one branch too many (RFC 3261 13.2.2.4).

Each of them is acknowledged and ended with BYE, or it would live on at the other end. `StraySuccesses` does it for 2xx
whose INVITE transaction is gone; so that nobody can have us send requests to whom he likes by sending us responses, it
remembers which INVITEs may still be accepted.
"""

from __future__ import annotations

import logging
from collections import OrderedDict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sipsimple.core.protocol.authentication import Authenticator, credential_headers
from sipsimple.core.protocol.dialog import Dialog, number_of
from sipsimple.core.protocol.drop_log import DropLog
from sipsimple.core.protocol.outgoing_request import OutgoingRequest
from sipsimple.core.protocol.transaction_matching import tag_of

if TYPE_CHECKING:
    from sipsimple.core.protocol.hop import Hop
    from sipsimple.core.protocol.outgoing_invite import OutgoingInvite
    from sipsimple.core.protocol.user_agent import UserAgentCore
    from sipsimple.core.wire.headers import FrozenContactHeader
    from sipsimple.core.wire.message import SIPRequest, SIPResponse

__all__ = ["MAX_STRAYS", "QUIET", "STRAY_LIFETIME", "LateBranches", "StraySuccesses", "end_dialog"]

log = logging.getLogger("sipsimple.core.invite")

#: How many INVITEs that may still be accepted are remembered.
MAX_STRAYS = 1000
#: For how long, in seconds: a phone that rings, rings no longer.
STRAY_LIFETIME = 300.0
#: More requests than anybody sends in an early dialog.
CSEQ_LEAP = 1000


class _Quiet:
    """The owner of a request whose outcome changes nothing."""

    __slots__ = ()

    def request_progressed(self, outgoing: OutgoingRequest, response: SIPResponse, now: float) -> None: ...

    def request_succeeded(self, outgoing: OutgoingRequest, response: SIPResponse, now: float) -> None: ...

    def request_refused(self, outgoing: OutgoingRequest, response: SIPResponse, now: float) -> None: ...

    def request_failed(self, outgoing: OutgoingRequest, code: int, error: str, now: float) -> None: ...


QUIET = _Quiet()


def end_dialog(core: UserAgentCore, dialog: Dialog, authenticator: Authenticator | None, now: float) -> None:
    """Says BYE in a dialog that no usage holds."""
    OutgoingRequest(dialog.create_request("BYE"), [dialog.next_hop()], core, QUIET, authenticator, dialog, now=now)


class LateBranches:
    """Owns an INVITE whose call is over, for as long as its transaction lives; so nothing else of the call need live.

    :param may_follow: whether further 2xx may come after that.
    """

    __slots__ = ("_authenticator", "_contact", "_core", "_may_follow")

    def __init__(
        self, core: UserAgentCore, contact: FrozenContactHeader, authenticator: Authenticator | None, may_follow: bool
    ) -> None:
        self._core = core
        self._contact = contact
        self._authenticator = authenticator
        self._may_follow = may_follow

    def invite_accepted_elsewhere(self, invite: OutgoingInvite, response: SIPResponse, now: float) -> None:
        """13.2.2.4: acknowledged and ended."""
        dialog = Dialog.from_response(invite.request, response, self._contact, invite.hop)
        dialog.local_cseq = number_of(invite.request) + CSEQ_LEAP
        ack = dialog.create_ack(number_of(invite.request), b"", credential_headers(invite.request))
        invite.acknowledge(ack, dialog.next_hop(), now)
        end_dialog(self._core, dialog, self._authenticator, now)

    def invite_over(self, invite: OutgoingInvite, now: float) -> None:
        # 16.7: a proxy passes on the 2xx of every branch, whenever it comes
        if self._may_follow:
            self._core.strays.remember(invite.request, self._contact, invite.hop, self._authenticator, now)

    def invite_repeated(self, invite: OutgoingInvite, now: float) -> None: ...

    def invite_progressed(self, invite: OutgoingInvite, response: SIPResponse, now: float) -> None: ...

    def invite_accepted(self, invite: OutgoingInvite, response: SIPResponse, now: float) -> None: ...

    def invite_refused(self, invite: OutgoingInvite, response: SIPResponse, now: float) -> None: ...

    def invite_failed(self, invite: OutgoingInvite, code: int, error: str, now: float) -> None: ...


@dataclass(frozen=True, slots=True)
class _GivenUp:
    """An INVITE that we have given up, or that was accepted by one branch of several."""

    request: SIPRequest
    contact: FrozenContactHeader
    hop: Hop
    authenticator: Authenticator | None
    until: float


class StraySuccesses:
    """The 2xx responses to INVITEs whose transaction is gone; see the module."""

    __slots__ = ("_acks", "_core", "_drop_log", "_given_up")

    def __init__(self, core: UserAgentCore) -> None:
        self._core = core
        self._given_up: OrderedDict[tuple[str, str], _GivenUp] = OrderedDict()
        self._acks: OrderedDict[tuple[str, str, str], tuple[SIPRequest, Hop]] = OrderedDict()
        self._drop_log = DropLog(log, logging.INFO)

    def __len__(self) -> int:
        return len(self._given_up)

    def remember(
        self, request: SIPRequest, contact: FrozenContactHeader, hop: Hop, authenticator: Authenticator | None,
        now: float,
    ) -> None:  # fmt: skip
        """The transaction of this INVITE is gone, but the INVITE may still be accepted."""
        given_up = self._given_up
        while given_up and (len(given_up) >= MAX_STRAYS or next(iter(given_up.values())).until <= now):
            given_up.popitem(last=False)
        key = request.call_id or "", tag_of(request.from_header)
        given_up[key] = _GivenUp(request, contact, hop, authenticator, now + STRAY_LIFETIME)

    def response_received(self, response: SIPResponse, source: Hop, now: float) -> None:
        """Takes a 2xx to an INVITE that belongs to no transaction."""
        key = response.call_id or "", tag_of(response.from_header)
        known = self._given_up.get(key)
        if known is None or known.until <= now or number_of(response) != number_of(known.request):
            self._drop_log(now, "Dropped a 2xx from %s to no INVITE of ours", source)
            return
        branch = *key, tag_of(response.to_header)
        if branch in self._acks:
            # 13.2.2.4: each repetition gets the ACK again
            self._core.send_ack(*self._acks[branch], now)
            return
        dialog = Dialog.from_response(known.request, response, known.contact, known.hop)
        # whatever else was sent in that dialog before, PRACK and UPDATE, had lower numbers
        dialog.local_cseq = number_of(known.request) + CSEQ_LEAP
        ack = dialog.create_ack(number_of(known.request), b"", credential_headers(known.request))
        self._acks[branch] = ack, dialog.next_hop()
        if len(self._acks) > MAX_STRAYS:
            self._acks.popitem(last=False)
        self._core.send_ack(ack, dialog.next_hop(), now)
        end_dialog(self._core, dialog, known.authenticator, now)
