"""The client side of a transaction (RFC 3261 17.1, RFC 6026 7.2)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sipsimple.core.protocol.transaction import State

if TYPE_CHECKING:
    from sipsimple.core.protocol.hop import Hop
    from sipsimple.core.protocol.transaction_users import ClientTransactionUser
    from sipsimple.core.wire.message import SIPRequest

__all__ = ['ClientTransaction']


class ClientTransaction:
    """One request that we sent, until nothing about it can arrive any more. Made by `TransactionLayer.send_request`.

    Attributes: `request` (with its Via), `method`, `branch`, `hop`, `state`, `user`.
    """

    request: SIPRequest
    method: str
    branch: str
    hop: Hop
    state: State
    user: ClientTransactionUser

    def cancel(self, now: float, extra_headers: Iterable[tuple[str, object]] = ()) -> None:
        """Cancel the INVITE (RFC 3261 9.1): at once, or when the first provisional response is there.

        Nothing happens if the final response has come or a CANCEL was sent before. What comes of it arrives as the
        INVITE's final response, 487 or another, or as `transaction_timed_out` 64*T1 after the CANCEL.

        :raises ValueError: this is no INVITE.
        """
        raise NotImplementedError
