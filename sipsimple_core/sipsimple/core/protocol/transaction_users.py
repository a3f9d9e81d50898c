"""What the transaction layer expects of the layer above: the transaction user, TU (RFC 3261 5, 17)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from sipsimple.core.protocol.client_transaction import ClientTransaction
    from sipsimple.core.protocol.hop import Hop
    from sipsimple.core.protocol.server_transaction import ServerTransaction
    from sipsimple.core.wire.message import SIPRequest, SIPResponse

__all__ = ["NOBODY", "ClientTransactionUser", "ServerTransactionUser", "TransactionUser"]


class TransactionUser(Protocol):
    """Gets every new request that is valid, is no CANCEL, no retransmission and no ACK to a non-2xx."""

    def request_received(
        self, request: SIPRequest, transaction: ServerTransaction | None, source: Hop, now: float
    ) -> None:
        """A new request arrived.

        Whoever wants to hear of the transaction's fate sets `transaction.user`. The answers go through
        `transaction.respond`, at once or later; a request other than INVITE that is not answered within 64*T1
        is given up.

        :param transaction: None only if the request is an ACK that belongs to a 2xx (13.3.1.4) or to nothing.
        :param source: where it came from: the peer's address, not the one that its Via claims.
        """


class ClientTransactionUser(Protocol):
    """Gets what happens to one client transaction. `transaction_terminated` comes last, exactly once."""

    def response_received(self, transaction: ClientTransaction, response: SIPResponse, now: float) -> None:
        """A response that the user has not seen: each provisional one, the final one, and to an INVITE every
        2xx, also retransmitted and from further branches of a fork (RFC 6026 7.2): the ACK is the user's."""

    def transaction_timed_out(self, transaction: ClientTransaction, now: float) -> None:
        """No final response in time (timer B or F; 64*T1 after a CANCEL, 9.1). Same as a 408 (8.1.3.1)."""

    def transport_failed(self, transaction: ClientTransaction, error: Exception, now: float) -> None:
        """The request, or the ACK to its final response, could not be sent. Same as a 503 (8.1.3.1)."""

    def transaction_terminated(self, transaction: ClientTransaction, now: float) -> None:
        """The transaction is gone from the layer."""


class ServerTransactionUser(Protocol):
    """Gets what happens to one server transaction. `transaction_terminated` comes last, exactly once."""

    def cancel_received(self, transaction: ServerTransaction, request: SIPRequest, now: float) -> None:
        """The INVITE of this transaction, not yet finally answered, was cancelled (RFC 3261 9.2).

        The layer has answered the CANCEL with 200; the user owes the INVITE a 487.

        :param request: the CANCEL; its Reason header may say why (RFC 3326).
        """

    def transaction_timed_out(self, transaction: ServerTransaction, now: float) -> None:
        """No ACK came for the 300-699 response (timer H); or, not an INVITE, no answer from us for 64*T1."""

    def transport_failed(self, transaction: ServerTransaction, error: Exception, now: float) -> None:
        """A response could not be sent to any address that RFC 3261 18.2.2 allows."""

    def transaction_terminated(self, transaction: ServerTransaction, now: float) -> None:
        """The transaction is gone from the layer."""


class _Nobody:
    """The user of transactions in which nobody is interested, such as those of CANCEL."""

    __slots__ = ()

    def response_received(self, transaction: ClientTransaction, response: SIPResponse, now: float) -> None:
        pass

    def cancel_received(self, transaction: ServerTransaction, request: SIPRequest, now: float) -> None:
        pass

    def transaction_timed_out(self, transaction: ClientTransaction | ServerTransaction, now: float) -> None:
        pass

    def transport_failed(
        self, transaction: ClientTransaction | ServerTransaction, error: Exception, now: float
    ) -> None:
        pass

    def transaction_terminated(self, transaction: ClientTransaction | ServerTransaction, now: float) -> None:
        pass


NOBODY = _Nobody()
