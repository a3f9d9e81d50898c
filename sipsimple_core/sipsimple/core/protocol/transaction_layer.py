"""The transaction layer (RFC 3261 17): which transaction a message belongs to, and what belongs to none.

It stands between the transports, which call `message_received` and `transport_error`, and the transaction user,
which calls `send_request`, `send_ack` and `ServerTransaction.respond`. It has no clock but the `now` that it is
given and the timers that it shares with its caller.

A request on its way in: a repetition goes to its transaction (17.2.3); what is not valid is answered without a
transaction (8.2.7); a CANCEL is answered here and told to the INVITE's user (9.2); a copy of a request that is
being served gets 482 (8.2.2.2), one request too many gets 503; the rest makes a transaction and goes up.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeVar

from sipsimple.core.protocol.client_transaction import (
    ClientTransaction,
    InviteClientTransaction,
    NonInviteClientTransaction,
)
from sipsimple.core.protocol.drop_log import DropLog
from sipsimple.core.protocol.hop import Hop
from sipsimple.core.protocol.invite_response import mend_response
from sipsimple.core.protocol.server_transaction import (
    InviteServerTransaction,
    NonInviteServerTransaction,
    ServerTransaction,
)
from sipsimple.core.protocol.timers import ExceptionHandler, TimerHeap, log_exception
from sipsimple.core.protocol.transaction import State, TransactionLimitError, TransactionStateError
from sipsimple.core.protocol.transaction_machine import TransactionMachine
from sipsimple.core.protocol.transaction_matching import Key, legacy_key, merge_key, tag_of, unique_key
from sipsimple.core.protocol.transaction_routing import return_hop, stamp_source, via_line
from sipsimple.core.protocol.transaction_users import (
    NOBODY,
    ClientTransactionUser,
    ServerTransactionUser,
    TransactionUser,
)
from sipsimple.core.wire.errors import SIPParseError
from sipsimple.core.wire.headers.addresses import FrozenToHeader
from sipsimple.core.wire.headers.via import BRANCH_COOKIE
from sipsimple.core.wire.message import SIPRequest, SIPResponse, make_response
from sipsimple.core.wire.validation import validate_request, validate_response

if TYPE_CHECKING:
    from sipsimple.core.wire.headers.via import BaseViaHeader
    from sipsimple.core.wire.message import Headers

__all__ = [
    'MAX_CLIENT_TRANSACTIONS', 'MAX_LINGERING_TRANSACTIONS', 'MAX_SERVER_TRANSACTIONS', 'MAX_UDP_REQUEST',
    'RETRY_AFTER', 'ClientTransaction', 'ClientTransactionUser', 'ServerTransaction', 'ServerTransactionUser',
    'TransactionLayer', 'TransactionLimitError', 'TransactionStateError', 'TransactionUser',
]  # fmt: skip

log = logging.getLogger("sipsimple.transaction")

#: Client transactions without a final response; one more raises TransactionLimitError.
MAX_CLIENT_TRANSACTIONS = 20_000
#: Server transactions without a final response, or waiting for its ACK; one more request gets 503.
MAX_SERVER_TRANSACTIONS = 20_000
#: Transactions on either side that wait for nothing but repetitions; the oldest ends early for one more.
MAX_LINGERING_TRANSACTIONS = 20_000
#: A larger request does not go over UDP, as nobody knows what its way lets pass (18.1.1); in octets.
MAX_UDP_REQUEST = 1300
#: What the 503 of a full layer says, in seconds (20.33).
RETRY_AFTER = 10

#: The sent-by of a request that has no way to be sent.
_NO_ADDRESS = ("", 0)

_End = Callable[[float], object]


class TransactionLayer:
    """All transactions of one user agent.

    :param timers: shared with the layers above.
    :param send: hands the octets of a message to the transport; what it raises is `transport_failed` to the user.
    :param user: gets the new requests.
    :param sent_by: our host (address or name, without brackets) and port for the Via of what goes to a hop.
    :param stray_success: called with ``(response, source, now)`` for a 2xx to an INVITE whose transaction is gone.
    :param is_connected: whether there is a connection to a hop. Without it a response over TCP or TLS always goes
        to where its request came from; with it, once that connection is gone, to a new one (18.2.2).
    :param stream_instead: the hop over TCP by which the peer at a hop of UDP may be reached too, None if there is none:
        the way of requests of more than `MAX_UDP_REQUEST` octets. Without it all go as they are told to.
    :param on_exception: told of a user that raised; without one it is logged.
    """

    def __init__(
        self,
        timers: TimerHeap,
        send: Callable[[bytes, Hop], object],
        user: TransactionUser,
        sent_by: Callable[[Hop], tuple[str, int]],
        *,
        stray_success: Callable[[SIPResponse, Hop, float], object] | None = None,
        is_connected: Callable[[Hop], bool] | None = None,
        stream_instead: Callable[[Hop], Hop | None] | None = None,
        on_exception: ExceptionHandler | None = None,
        max_client_transactions: int = MAX_CLIENT_TRANSACTIONS,
        max_server_transactions: int = MAX_SERVER_TRANSACTIONS,
        max_lingering_transactions: int = MAX_LINGERING_TRANSACTIONS,
    ) -> None:
        self.timers = timers
        self.send = send
        self.max_client_transactions = max_client_transactions
        self.max_server_transactions = max_server_transactions
        self.max_lingering_transactions = max_lingering_transactions
        self.drop_log = DropLog(log)
        self.stray_log = DropLog(log, logging.INFO)
        self._user = user
        self._sent_by = sent_by
        self._stray_success = stray_success
        self._is_connected = is_connected
        self._stream_instead = stream_instead
        self.on_exception = on_exception or log_exception
        self._clients: dict[tuple[str, str], ClientTransaction] = {}
        self._servers: dict[Key, ServerTransaction] = {}
        self._served: dict[Key, ServerTransaction] = {}
        self._lingering_clients: OrderedDict[ClientTransaction, _End] = OrderedDict()
        self._lingering_servers: OrderedDict[ServerTransaction, _End] = OrderedDict()
        self._by_hop: dict[Hop, dict[TransactionMachine, None]] = {}
        self._tag_secret = secrets.token_bytes(16)

    @property
    def client_transactions(self) -> int:
        """How many there are, with those that only wait for repetitions."""
        return len(self._clients)

    @property
    def server_transactions(self) -> int:
        """How many there are, with those that only wait for repetitions."""
        return len(self._servers)

    # To the transport

    def send_request(self, request: SIPRequest, hop: Hop, user: ClientTransactionUser, now: float) -> ClientTransaction:
        """Send a request in a transaction of its own; our Via, with a new branch, takes the place of any it has.

        A large one goes over TCP where it was to go over UDP, and over UDP if that fails (18.1.1). Errors of sending
        are reported to the user later, never from inside this call.

        :raises TransactionLimitError: there are `max_client_transactions`.
        :raises ValueError: the method is ACK, which has no transaction, or CANCEL: see `ClientTransaction.cancel`.
        """
        method = request.method
        if method in ("ACK", "CANCEL"):
            raise ValueError(f"{method} has no transaction of its own: use send_ack or ClientTransaction.cancel")
        if len(self._clients) - len(self._lingering_clients) >= self.max_client_transactions:
            raise TransactionLimitError(f"there are {self.max_client_transactions} client transactions already")
        kind = InviteClientTransaction if method == "INVITE" else NonInviteClientTransaction
        try:
            sent_by = self._sent_by(hop)
        except Exception as error:
            transaction = kind(self, request, b"", hop, "", _NO_ADDRESS, user)
            transaction.fail(error, now)
            return transaction
        branch = BRANCH_COOKIE + secrets.token_hex(8)
        self._set_via(request, hop, sent_by, branch)
        data = request.encode()
        if hop.transport == "udp" and len(data) > MAX_UDP_REQUEST and (stream := self._stream_towards(hop)) is not None:
            fallback, hop, sent_by = hop, stream, self._sent_by(stream)
            # 18.1.1: the Via says what the request goes over
            self._set_via(request, hop, sent_by, branch)
            transaction = kind(self, request, request.encode(), hop, branch, sent_by, user)
            transaction.fallback = fallback
        else:
            transaction = kind(self, request, data, hop, branch, sent_by, user)
        self._start(transaction, now)
        return transaction

    def fall_back(self, transaction: ClientTransaction, hop: Hop, now: float) -> None:
        """Begin again over UDP, as the way over TCP does not exist (18.1.1): the peer has seen nothing yet."""
        self._unwatch(transaction, transaction.hop)
        try:
            sent_by = self._sent_by(hop)
            self._set_via(transaction.request, hop, sent_by, transaction.branch)
        except Exception as error:
            transaction.fail(error, now)
        else:
            transaction.restart(transaction.request.encode(), hop, sent_by, now)

    def _stream_towards(self, hop: Hop) -> Hop | None:
        return None if self._stream_instead is None else self._stream_instead(hop)

    def send_cancel(
        self, transaction: ClientTransaction, now: float, extra_headers: Iterable[tuple[str, Any]] = ()
    ) -> None:
        """The same as `ClientTransaction.cancel`."""
        transaction.cancel(now, extra_headers)

    def send_ack(self, request: SIPRequest, hop: Hop, now: float) -> None:
        """Send the ACK to a 2xx, which has no transaction (13.2.2.4).

        Its Via is added if it has none, so that the same request can be sent again for each repetition of the
        2xx. An error of sending is logged: the 2xx will be repeated.
        """
        try:
            via = request.via
            if via is None or via.transport.lower() != hop.transport:
                self._set_via(request, hop, self._sent_by(hop), BRANCH_COOKIE + secrets.token_hex(8))
            data = request.encode()
            if hop.transport == "udp" and len(data) > MAX_UDP_REQUEST:
                # 18.1.1, but nobody would hear that a connection can't be made: only if there is one
                stream = self._stream_towards(hop)
                if stream is not None and self._is_connected is not None and self._is_connected(stream):
                    self._set_via(request, stream, self._sent_by(stream), BRANCH_COOKIE + secrets.token_hex(8))
                    hop, data = stream, request.encode()
            self.send(data, hop)
        except Exception as error:
            self.drop_log(now, "An ACK to %s could not be sent: %s", hop, error)

    def start_cancel(self, cancel: SIPRequest, invite: ClientTransaction, now: float) -> None:
        """Send a CANCEL: by the way of its INVITE and with its branch (9.1). Nobody is told what comes of it."""
        self._start(
            NonInviteClientTransaction(
                self, cancel, cancel.encode(), invite.hop, invite.branch, invite.sent_by, NOBODY
            ),
            now,
        )

    @staticmethod
    def _set_via(request: SIPRequest, hop: Hop, sent_by: tuple[str, int], branch: str) -> None:
        request.headers.remove("Via")
        request.headers.prepend("Via", via_line(hop, sent_by, branch))

    def _start(self, transaction: ClientTransaction, now: float) -> None:
        self._clients[transaction.branch, transaction.method] = transaction
        if transaction.reliable:
            self._watch(transaction, transaction.hop)
        transaction.start(now)

    # From the transport

    def message_received(self, message: SIPRequest | SIPResponse, source: Hop, now: float) -> None:
        """Take a message that was parsed. Whatever it holds, nothing is raised."""
        try:
            if isinstance(message, SIPRequest):
                self._request_received(message, source, now)
            else:
                self._response_received(message, source, now)
        except SIPParseError as error:
            self.drop_log(now, "Dropped a message from %s: %s", source, error)
        except Exception as error:
            self.on_exception(f"A message from {source} could not be handled", error)

    def transport_error(self, hop: Hop, error: Exception, now: float) -> None:
        """A connection was lost or never made: tell the transactions that wait for something to come or go over it.

        A response goes over another connection if its own is gone, so only those that had to use another are told.
        """
        for transaction in tuple(self._by_hop.get(hop, ())):
            transaction.transport_error(error, now)

    # Responses

    def _response_received(self, response: SIPResponse, source: Hop, now: float) -> None:
        problem = validate_response(response)
        if problem is not None and self._mend(response):
            self.drop_log(now, "Left out of a response from %s what can't be read: %s", source, problem)
            problem = validate_response(response)
        if problem is not None:
            self.drop_log(now, "Dropped a response from %s: %s", source, problem)
            return
        via, cseq = response.via, response.cseq
        if via is None or cseq is None:
            return
        # 17.1.3: the branch, and for the sake of CANCEL the method
        transaction = self._clients.get((via.branch or "", cseq.method))
        if transaction is None:
            if self._stray_success is not None and cseq.method == "INVITE" and 200 <= response.code < 300:
                self._stray_success(response, source, now)
            else:
                self.stray_log(
                    now, "Dropped a response from %s to no request of ours: %d %s", source, response.code, cseq.method
                )
        elif (via.host.lower(), via.port) != (transaction.sent_by[0].lower(), transaction.sent_by[1]):
            # 18.1.2: a response whose sent-by is not ours has lost its way
            self.drop_log(now, "Dropped a response from %s that is for %s:%d", source, via.host, via.port)
        else:
            transaction.response_received(response, now)

    def _mend(self, response: SIPResponse) -> bool:
        """Try to make a response to an INVITE acceptable; False if it is none of ours."""
        via, cseq = response.via, response.cseq
        if via is None or cseq is None or cseq.method != "INVITE":
            return False
        transaction = self._clients.get((via.branch or "", "INVITE"))
        if transaction is None:
            return False
        mend_response(response, transaction.request)
        return True

    # Requests

    def _request_received(self, request: SIPRequest, source: Hop, now: float) -> None:
        via = request.via
        if via is None:
            self.drop_log(now, "Dropped a request without Via from %s", source)
            return
        method = request.method
        if method == "ACK":
            self._ack_received(request, via, source, now)
            return
        key = unique_key(via, method) or _legacy_key_if_valid(request, method)
        transaction = None if key is None else self._servers.get(key)
        if transaction is not None:
            transaction.request_received(request, now)
            return
        stamp_source(request, via, source)
        refusal = validate_request(request)
        if refusal is not None:
            self.drop_log(now, "Refused a request from %s: %d %s", source, refusal.code, refusal.reason)
            self._refuse(request, via, source, now, refusal.code, refusal.reason, refusal.headers)
        elif key is not None:
            self._serve(request, via, key, source, now)

    def _serve(self, request: SIPRequest, via: BaseViaHeader, key: Key, source: Hop, now: float) -> None:
        """Make a transaction of a request that is new and valid."""
        if len(self._servers) - len(self._lingering_servers) >= self.max_server_transactions:
            self.drop_log(
                now,
                "Refused a request from %s: there are %d transactions already",
                source,
                self.max_server_transactions,
            )
            self._refuse(request, via, source, now, 503, headers=[("Retry-After", str(RETRY_AFTER))])
            return
        method = request.method
        copied = None if method == "CANCEL" else merge_key(request)
        kind = InviteServerTransaction if method == "INVITE" else NonInviteServerTransaction
        transaction = kind(self, request, source, return_hop(via, source), key, copied)
        self._servers[key] = transaction
        if copied is not None:
            self._served.setdefault(copied, transaction)
        transaction.request_received(request, now)

    def pass_request(self, request: SIPRequest, transaction: ServerTransaction | None, source: Hop, now: float) -> None:
        """Hand a new request to whoever serves it; a transaction's action."""
        try:
            if transaction is None:
                self._user.request_received(request, None, source, now)
            elif request.method == "CANCEL":
                self._serve_cancel(request, transaction, now)
            elif transaction.merge_key is not None and self._served[transaction.merge_key] is not transaction:
                # 8.2.2.2: the copy that came first is being served
                transaction.respond(make_response(request, 482, to_tag=self._tag(request)), now)
            else:
                self._user.request_received(request, transaction, source, now)
        except Exception as error:
            self.on_exception(f"A request from {source} could not be served", error)
            if transaction is not None and not transaction.answered:
                transaction.respond(make_response(request, 500, to_tag=self._tag(request)), now)

    def _serve_cancel(self, request: SIPRequest, transaction: ServerTransaction, now: float) -> None:
        # 9.2: the INVITE's transaction is found as if the CANCEL were the INVITE
        invite = self._servers.get((*transaction.key[:-1], "INVITE"))
        if not isinstance(invite, InviteServerTransaction):
            transaction.respond(make_response(request, 481, to_tag=self._tag(request)), now)
            return
        # 9.2: the To tag should be that of the INVITE's response
        tag = "" if invite.to is None else tag_of(FrozenToHeader.parse(invite.to))
        transaction.respond(make_response(request, 200, to_tag=tag or self._tag(request)), now)
        invite.cancel_received(request, now)

    def _ack_received(self, request: SIPRequest, via: BaseViaHeader, source: Hop, now: float) -> None:
        invite = self._acknowledged(request, via)
        if invite is not None and invite.state is not State.ACCEPTED:
            invite.ack_received(request, now)
            return
        # the ACK to a 2xx, or to nothing that we know of: only the user can tell (13.3.1.4)
        refusal = validate_request(request)
        if refusal is not None:
            # 17.1.1.3: an ACK is never answered
            self.drop_log(now, "Dropped an ACK from %s: %s", source, refusal.reason)
        elif invite is not None:
            invite.ack_received(request, now)
        else:
            self.pass_request(request, None, source, now)

    def _acknowledged(self, ack: SIPRequest, via: BaseViaHeader) -> InviteServerTransaction | None:
        """The INVITE transaction that an ACK belongs to."""
        key = unique_key(via, "INVITE")
        if key is not None:
            invite = self._servers.get(key)
            return invite if isinstance(invite, InviteServerTransaction) else None
        # 17.2.3, RFC 2543: the ACK's To tag is that of the response; the INVITE had the same tag or none
        tag = tag_of(ack.to_header)
        for invite_tag in (tag, ""):
            invite = self._servers.get(legacy_key(ack, "INVITE", invite_tag))
            if (
                isinstance(invite, InviteServerTransaction)
                and invite.to is not None
                and tag_of(FrozenToHeader.parse(invite.to)) == tag
            ):
                return invite
        return None

    def _refuse(
        self,
        request: SIPRequest,
        via: BaseViaHeader,
        source: Hop,
        now: float,
        code: int,
        reason: str | None = None,
        headers: Headers = (),
    ) -> None:
        """Answer a request without a transaction (8.2.7)."""
        response = make_response(request, code, reason, to_tag=self._tag(request), headers=headers)
        hop = return_hop(via, source) if source.transport == "udp" else source
        try:
            self.send(response.encode(), hop)
        except Exception as error:
            self.drop_log(now, "A response to %s could not be sent: %s", hop, error)

    def _tag(self, request: SIPRequest) -> str:
        """A To tag of ours that is the same for all repetitions of a request (8.2.7)."""
        get = request.headers.get
        text = f"{get('Call-ID')}\n{get('From')}\n{get('CSeq')}\n{get('Via')}"
        octets = text.encode("utf-8", "surrogateescape")
        return hashlib.blake2s(octets, key=self._tag_secret, digest_size=8).hexdigest()

    # What transactions ask for

    def way_back(self, transaction: ServerTransaction, source: Hop, otherwise: Hop) -> Hop:
        """Where a response goes: over the connection that the request came by, while there is one (18.2.2)."""
        if source.transport == "udp":
            return otherwise
        if self._is_connected is None or self._is_connected(source):
            return source
        self._watch(transaction, otherwise)
        return otherwise

    def linger_client(self, transaction: ClientTransaction, end: _End, now: float) -> None:
        """From here on the transaction waits for repetitions only; `end` ends it before its time."""
        _linger(self._lingering_clients, transaction, end, self.max_lingering_transactions, now)

    def linger_server(self, transaction: ServerTransaction, end: _End, now: float) -> None:
        """The same for a server transaction."""
        _linger(self._lingering_servers, transaction, end, self.max_lingering_transactions, now)

    def forget_client(self, transaction: ClientTransaction) -> None:
        """The transaction is terminated."""
        self._lingering_clients.pop(transaction, None)
        key = transaction.branch, transaction.method
        if self._clients.get(key) is transaction:
            del self._clients[key]
        if transaction.reliable:
            self._unwatch(transaction, transaction.hop)

    def forget_server(self, transaction: ServerTransaction) -> None:
        """The same for a server transaction."""
        self._lingering_servers.pop(transaction, None)
        if self._servers.get(transaction.key) is transaction:
            del self._servers[transaction.key]
        if transaction.merge_key is not None and self._served.get(transaction.merge_key) is transaction:
            del self._served[transaction.merge_key]
        if transaction.reliable:
            self._unwatch(transaction, transaction.return_hop)

    def _watch(self, transaction: TransactionMachine, hop: Hop) -> None:
        self._by_hop.setdefault(hop, {})[transaction] = None

    def _unwatch(self, transaction: TransactionMachine, hop: Hop) -> None:
        watched = self._by_hop.get(hop)
        if watched is not None:
            watched.pop(transaction, None)
            if not watched:
                del self._by_hop[hop]


def _legacy_key_if_valid(request: SIPRequest, method: str) -> Key | None:
    try:
        return legacy_key(request, method, tag_of(request.to_header))
    except SIPParseError:
        return None


_T = TypeVar("_T")


def _linger(lingering: OrderedDict[_T, _End], transaction: _T, end: _End, limit: int, now: float) -> None:
    lingering[transaction] = end
    if len(lingering) > limit:
        lingering.popitem(last=False)[1](now)
