"""The core of a user agent (RFC 3261 8): between the transactions below and the usages of dialogs above.

It keeps the dialogs, hands each request inside a dialog to the usage that the dialog belongs to, answers OPTIONS
(11.2), refuses what nobody serves (405, 481, 501), and gives an INVITE from outside a dialog to its user as a fresh
`InviteUsage`. Sending goes through it too, as it knows what we are able to do.
"""

from __future__ import annotations

import logging
import random
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

from sipsimple.core.protocol.dialog import Dialog, DialogId, new_tag
from sipsimple.core.protocol.invite_options import InviteOptions
from sipsimple.core.protocol.invite_usage import HeaderList, InviteUsage
from sipsimple.core.protocol.replaces import EndedCalls, replaced_call
from sipsimple.core.protocol.unwanted_dialog import StraySuccesses
from sipsimple.core.wire.headers import BaseHeader
from sipsimple.core.wire.message import SIPRequest, SIPResponse, make_response
from sipsimple.core.wire.validation import Refusal, refuse_accept, refuse_extensions

if TYPE_CHECKING:
    from sipsimple.core.protocol.hop import Hop
    from sipsimple.core.protocol.timers import TimerHeap
    from sipsimple.core.protocol.transaction_layer import (
        ClientTransaction,
        ClientTransactionUser,
        ServerTransaction,
        TransactionLayer,
    )
    from sipsimple.core.wire.headers import FrozenContactHeader

__all__ = ["DialogServer", "DialogUsage", "Server", "UserAgentCore", "UserAgentUser"]

log = logging.getLogger("sipsimple.core.user_agent")

#: Methods that exist: without a server they get 405, all others 501 (8.2.1, 21.5.2).
KNOWN_METHODS = frozenset(
    {
        *("INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "REGISTER", "PRACK", "SUBSCRIBE", "NOTIFY", "PUBLISH"),
        *("INFO", "REFER", "MESSAGE", "UPDATE"),
    }
)

#: Methods that exist inside a dialog only; outside of one they get 481 (12.2.2).
IN_DIALOG = frozenset({"BYE", "PRACK", "UPDATE", "INFO"})

#: How many dialogs may be open at once; an INVITE beyond it gets 503 with Retry-After.
MAX_DIALOGS = 20_000
RETRY_AFTER = 10


class DialogUsage(Protocol):
    """What a dialog hands its requests to; a dialog may have several (RFC 5057)."""

    def serves(self, request: SIPRequest) -> bool:
        """Whether this request of the dialog is for this usage."""

    def request_received(
        self, request: SIPRequest, transaction: ServerTransaction | None, source: Hop, now: float
    ) -> None: ...


class Server(Protocol):
    """Serves the requests of one method that come from outside a dialog."""

    def __call__(self, request: SIPRequest, transaction: ServerTransaction, source: Hop, now: float) -> None: ...


class DialogServer(Protocol):
    """Serves the requests of one method that come inside a dialog none of whose usages they belong to."""

    def __call__(
        self,
        request: SIPRequest,
        transaction: ServerTransaction,
        source: Hop,
        usages: Sequence[DialogUsage],
        now: float,
    ) -> None: ...


class UserAgentUser(Protocol):
    """The layer above the core."""

    def invite_received(self, usage: InviteUsage, request: SIPRequest, now: float) -> None:
        """A call comes in; the user sets `usage.user` and calls `usage.announce()`."""

    def local_contact(self, hop: Hop) -> FrozenContactHeader:
        """The Contact of our messages to a hop, until the layer above gives a better one."""


class UserAgentCore:
    """See the module. `user_agent` is the User-Agent and Server text, `max_dialogs` the bound on open dialogs,
    `invite_options` which extensions calls use, `info_packages` what INFO may be about, in lower case (RFC 6086)."""

    def __init__(
        self, timers: TimerHeap, user: UserAgentUser, user_agent: str = "sipsimple", max_dialogs: int = MAX_DIALOGS,
        rng: random.Random | None = None, invite_options: InviteOptions | None = None,
    ) -> None:  # fmt: skip
        self.timers = timers
        self.invite_options = invite_options or InviteOptions()
        self.info_packages: list[str] = []
        self.strays = StraySuccesses(self)
        self.ended_calls = EndedCalls()
        self.user_agent = user_agent
        self.max_dialogs = max_dialogs
        self.random = rng or random.Random()
        self.layer: TransactionLayer | None = None
        self._user = user
        self._dialogs: dict[DialogId, list[DialogUsage]] = {}
        self._expected: dict[tuple[str, str], DialogUsage] = {}
        self._servers: dict[str, Server] = {"INVITE": self._receive_invite, "OPTIONS": self._receive_options}
        self._dialog_servers: dict[str, DialogServer] = {}
        #: What the Allow-Events header says, in order (RFC 6665 8.2.2).
        self.events: Sequence[str] = ()
        #: What the Allow header says, in order.
        self.methods = ["INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "PRACK", "UPDATE", "INFO"]
        #: The option tags of the extensions that a request may require (RFC 3261 20.32), in lower case.
        self.extensions = list(self.invite_options.extensions)

    @property
    def dialogs(self) -> int:
        """How many dialogs are open."""
        return len(self._dialogs)

    def serve(self, method: str, server: Server | None = None, in_dialog: DialogServer | None = None) -> None:
        """Adds a method to those that we allow, and what serves it outside dialogs (None: inside dialogs only).

        `in_dialog` serves what comes inside a dialog and belongs to none of its usages; without it that gets 481.
        """
        if method not in self.methods:
            self.methods.append(method)
        if server is not None:
            self._servers[method] = server
        if in_dialog is not None:
            self._dialog_servers[method] = in_dialog

    # Sending

    def send_request(self, request: SIPRequest, hop: Hop, user: ClientTransactionUser, now: float) -> ClientTransaction:
        if "User-Agent" not in request.headers:
            request.headers.add("User-Agent", self.user_agent)
        return self._transactions.send_request(request, hop, user, now)

    def send_ack(self, ack: SIPRequest, hop: Hop, now: float) -> None:
        """Sends the ACK of a 2xx, which has no transaction (17.1.1.2)."""
        self._transactions.send_ack(ack, hop, now)

    def send_cancel(self, transaction: ClientTransaction, now: float, headers: HeaderList = ()) -> None:
        """Sends the CANCEL of an INVITE transaction (9.1), as soon as that may be."""
        self._transactions.send_cancel(transaction, now, headers)

    @property
    def _transactions(self) -> TransactionLayer:
        assert self.layer is not None, "the transaction layer is attached before anything is sent"
        return self.layer

    def capability_headers(self) -> list[tuple[str, str | BaseHeader]]:
        """What we say of ourselves in an INVITE and in its 2xx (13.2.1, 13.3.1.4)."""
        headers: list[tuple[str, str | BaseHeader]] = [("Allow", ", ".join(self.methods))]
        if self.extensions:
            headers.append(("Supported", ", ".join(self.extensions)))
        if self.events:
            headers.append(("Allow-Events", ", ".join(self.events)))
        if self.info_packages:
            headers.append(("Recv-Info", ", ".join(self.info_packages)))
        return [*headers, *self.identity_headers()]

    def identity_headers(self) -> list[tuple[str, str | BaseHeader]]:
        return [("User-Agent", self.user_agent)]

    # Dialogs

    def usages(self, dialog_id: DialogId) -> Sequence[DialogUsage]:
        """The usages of a dialog; none of one that we do not know."""
        return tuple(self._dialogs.get(dialog_id, ()))

    def add_dialog(self, dialog: Dialog, usage: DialogUsage) -> None:
        self._dialogs.setdefault(dialog.id, []).append(usage)

    def remove_dialog(self, dialog: Dialog, usage: DialogUsage) -> None:
        """Takes a usage off a dialog; the dialog lives as long as it has one (RFC 5057 4.1)."""
        usages = self._dialogs.get(dialog.id, [])
        if usage in usages:
            usages.remove(usage)
            if not usages:
                del self._dialogs[dialog.id]

    def expect_dialog(self, call_id: str, local_tag: str, usage: DialogUsage) -> None:
        """Hands requests of a dialog that does not exist yet to a usage, which may make it (RFC 6665 4.4.1)."""
        self._expected[call_id, local_tag] = usage

    def forget_expected_dialog(self, call_id: str, local_tag: str) -> None:
        """Ends `expect_dialog`."""
        self._expected.pop((call_id, local_tag), None)

    # Receiving: this is the transaction layer's user

    def request_received(
        self, request: SIPRequest, transaction: ServerTransaction | None, source: Hop, now: float
    ) -> None:
        to_header, from_header = request.to_header, request.from_header
        assert to_header is not None and from_header is not None, "the transaction layer validates requests"
        if transaction is not None and request.method in self.methods:
            # 8.2.2.3: what it requires and we are not able to do
            refusal = refuse_extensions(request, self.extensions)
            if refusal is None and request.method == "INVITE":
                refusal = refuse_accept(request)
            if refusal is not None:
                response = make_response(request, refusal.code, refusal.reason, new_tag(), refusal.headers)
                transaction.respond(response, now)
                return
        if to_header.tag:
            dialog_id = DialogId(request.call_id or "", to_header.tag, from_header.tag or "")
            self._receive_in_dialog(dialog_id, request, transaction, source, now)
        elif transaction is None:
            log.debug("ACK %s of no dialog dropped", request.call_id)
        elif (server := self._servers.get(request.method)) is not None:
            server(request, transaction, source, now)
        elif request.method in IN_DIALOG:
            transaction.respond(make_response(request, 481, None, new_tag()), now)
        else:
            transaction.respond(self.refuse_method(request, new_tag()), now)

    def _receive_in_dialog(
        self, dialog_id: DialogId, request: SIPRequest, transaction: ServerTransaction | None, source: Hop, now: float
    ) -> None:
        usages = self._dialogs.get(dialog_id)
        if usages is not None:
            for usage in usages:
                if usage.serves(request):
                    usage.request_received(request, transaction, source, now)
                    return
        elif (expected := self._expected.get(dialog_id[:2])) is not None and expected.serves(request):
            expected.request_received(request, transaction, source, now)
            return
        if transaction is None:
            log.debug("ACK %s of no dialog dropped", request.call_id)
        elif usages is not None and request.method == "OPTIONS":
            self._receive_options(request, transaction, source, now)
        elif usages is not None and (server := self._dialog_servers.get(request.method)) is not None:
            server(request, transaction, source, tuple(usages), now)
        elif usages is not None and request.method not in self.methods:
            transaction.respond(self.refuse_method(request, dialog_id.local_tag), now)
        else:
            # 12.2.2: we know of no such dialog, or of no such usage of it
            transaction.respond(make_response(request, 481), now)

    def _receive_invite(self, request: SIPRequest, transaction: ServerTransaction, source: Hop, now: float) -> None:
        if len(self._dialogs) >= self.max_dialogs:
            refusal = make_response(request, 503, None, new_tag(), [("Retry-After", str(RETRY_AFTER))])
            transaction.respond(refusal, now)
            return
        replaced = replaced_call(self, request)
        if isinstance(replaced, Refusal):
            response = make_response(request, replaced.code, replaced.reason, new_tag(), replaced.headers)
            transaction.respond(response, now)
            return
        usage = InviteUsage(self)
        if usage.receive_invite(request, transaction, source, self._user.local_contact(source), now, replaced):
            self._user.invite_received(usage, request, now)

    def _receive_options(self, request: SIPRequest, transaction: ServerTransaction, source: Hop, now: float) -> None:
        """11.2: the answer to OPTIONS is what an INVITE would get."""
        headers = [
            ("Allow", ", ".join(self.methods)),
            ("Accept", "application/sdp"),
            ("Accept-Encoding", "identity"),
            ("Accept-Language", "en"),
            ("Supported", ", ".join(self.extensions)),
            ("Server", self.user_agent),
        ]
        if self.events:
            headers.append(("Allow-Events", ", ".join(self.events)))
        transaction.respond(make_response(request, 200, None, new_tag(), headers), now)

    def refuse_method(self, request: SIPRequest, tag: str) -> SIPResponse:
        """8.2.1 and 21.5.2: 405 for a method that we know and do not serve here, 501 for any other."""
        code = 405 if request.method in KNOWN_METHODS else 501
        return make_response(request, code, None, tag, [("Allow", ", ".join(self.methods))])
