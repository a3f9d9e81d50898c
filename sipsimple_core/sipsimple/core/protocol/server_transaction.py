"""The server side of a transaction (RFC 3261 17.2, RFC 6026 7.1)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sipsimple.core.protocol.transaction import State

if TYPE_CHECKING:
    from sipsimple.core.protocol.hop import Hop
    from sipsimple.core.protocol.transaction_users import ServerTransactionUser
    from sipsimple.core.wire.message import SIPRequest, SIPResponse

__all__ = ['ServerTransaction']


class ServerTransaction:
    """One request that we got, until nothing about it can arrive any more. Given to `TransactionUser.request_received`.

    Attributes: `request`, `method`, `source` (Hop), `state`, and `user`, None until the layer's user sets it: who is
    told of the transaction's fate.
    """

    request: SIPRequest
    method: str
    source: Hop
    state: State
    user: ServerTransactionUser | None

    def respond(self, response: SIPResponse, now: float) -> None:
        """Send a response, by the way of RFC 3261 18.2.2; the layer repeats it as its transaction demands.

        In state Accepted a 2xx may be given again and again: its repetition is the user's (13.3.1.4).

        :raises TransactionStateError: the request has had its final response.
        """
        raise NotImplementedError
