"""The transaction layer: which transaction a message belongs to (RFC 3261 17.1.3, 17.2.3), 9.2, 8.2.2.2, 18.2.

It stands between the transports, which call `message_received` and `transport_error`, and the transaction user, which
calls `send_request`, `send_ack` and `ServerTransaction.respond`. It has no clock but the `now` it is given and the
timers it shares with its caller.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from sipsimple.core.protocol.client_transaction import ClientTransaction
from sipsimple.core.protocol.hop import Hop
from sipsimple.core.protocol.server_transaction import ServerTransaction
from sipsimple.core.protocol.timers import TimerHeap
from sipsimple.core.protocol.transaction import TransactionLimitError, TransactionStateError
from sipsimple.core.protocol.transaction_users import ClientTransactionUser, ServerTransactionUser, TransactionUser

if TYPE_CHECKING:
    from sipsimple.core.wire.message import SIPRequest, SIPResponse

__all__ = [
    'ClientTransaction', 'ClientTransactionUser', 'ServerTransaction', 'ServerTransactionUser', 'TransactionLayer',
    'TransactionLimitError', 'TransactionStateError', 'TransactionUser',
]  # fmt: skip

MAX_CLIENT_TRANSACTIONS = 20_000
MAX_SERVER_TRANSACTIONS = 10_000


class TransactionLayer:
    """All transactions of one user agent.

    :param timers: shared with the layers above.
    :param send: hands the octets of a message to the transport; may raise, which is `transport_failed` to the user.
    :param user: gets the new requests.
    :param sent_by: our host (address or name, without brackets) and port for the Via of what goes to a hop.
    :param stray_success: called with ``(response, source, now)`` for a 2xx to an INVITE whose transaction is gone.
    :param is_connected: whether there is a connection to the hop; without it a response over TCP or TLS always
        goes to where the request came from (RFC 3261 18.2.2).
    """

    def __init__(self, timers: TimerHeap, send: Callable[[bytes, Hop], object], user: TransactionUser,
                 sent_by: Callable[[Hop], tuple[str, int]], *,
                 stray_success: Callable[[SIPResponse, Hop, float], object] | None = None,
                 is_connected: Callable[[Hop], bool] | None = None,
                 max_client_transactions: int = MAX_CLIENT_TRANSACTIONS,
                 max_server_transactions: int = MAX_SERVER_TRANSACTIONS) -> None:
        raise NotImplementedError

    # To the transport

    def send_request(self, request: SIPRequest, hop: Hop, user: ClientTransactionUser, now: float) -> ClientTransaction:
        """Send a request in a transaction of its own; puts our Via, with a new branch, in place of any it has.

        Errors of sending are reported to the user later, never from inside this call.

        :raises TransactionLimitError: there are `max_client_transactions`.
        :raises ValueError: the method is ACK, which has no transaction, or CANCEL: see `ClientTransaction.cancel`.
        """
        raise NotImplementedError

    def send_cancel(self, transaction: ClientTransaction, now: float,
                    extra_headers: Iterable[tuple[str, object]] = ()) -> None:
        """The same as `ClientTransaction.cancel`."""
        transaction.cancel(now, extra_headers)

    def send_ack(self, request: SIPRequest, hop: Hop, now: float) -> None:
        """Send the ACK to a 2xx, which has no transaction (17). Its Via is added if it has none, so that the same
        request can be sent again for each repetition of the 2xx. Errors of sending are logged."""
        raise NotImplementedError

    # From the transport

    def message_received(self, message: SIPRequest | SIPResponse, source: Hop, now: float) -> None:
        """Take a message that was parsed. Whatever it holds, nothing is raised."""
        raise NotImplementedError

    def transport_error(self, hop: Hop, error: Exception, now: float) -> None:
        """What was sent to a hop did not get there: tell the transactions that still need it to."""
        raise NotImplementedError
