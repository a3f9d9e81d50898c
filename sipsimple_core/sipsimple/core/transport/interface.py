"""What a transport expects of its owner, and the errors that it raises (RFC 3261 18)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from sipsimple.core.protocol.hop import UnreachableError

if TYPE_CHECKING:
    from sipsimple.core.protocol.hop import Hop
    from sipsimple.core.wire.framer import FramingError

__all__ = [
    "CertificateError", "ConnectError", "ListenError", "TLSError", "TransportError", "TransportOwner",
]  # fmt: skip


class TransportError(Exception):
    """Something could not be sent, or did not arrive. The text says what, to where and why."""


class ConnectError(TransportError, UnreachableError):
    """No connection came about: nothing was sent."""


class CertificateError(ConnectError):
    """The peer's certificate does not prove what it has to.

    Attributes: `expected` (the name that was to be proven), `presented` (the names that the certificate has, as
    text).
    """

    def __init__(self, hop: Hop, expected: str, presented: str, reason: str) -> None:
        super().__init__(
            f"the certificate of {hop} is refused: {reason}; expected was {expected}, presented was {presented}"
        )
        self.expected = expected
        self.presented = presented


class ListenError(TransportError):
    """A port could not be opened. Attributes: `transport`, `interface`, `port`."""

    def __init__(self, transport: str, interface: str, port: int, reason: object) -> None:
        super().__init__(f"cannot listen on {transport} port {port} of {interface or 'any address'}: {reason}")
        self.transport = transport
        self.interface = interface
        self.port = port


class TLSError(TransportError):
    """TLS can't be used as it was asked for: the text says which file is wrong, and why."""


class TransportOwner(Protocol):
    """Who gets what a transport receives."""

    def data_received(self, data: bytes, source: Hop, local: Hop) -> None:
        """One message (a datagram, or what a framer cut out of a stream), not yet parsed."""

    def stun_received(self, data: bytes, source: Hop) -> None:
        """A datagram that is a STUN message (RFC 5626 4.4.2), not yet parsed."""

    def stream_broken(self, error: FramingError, source: Hop, local: Hop) -> None:
        """A connection brought something in which messages can't be told apart; it is closed after this call."""

    def sending(self, data: bytes, destination: Hop, local: Hop) -> None:
        """One message is about to be handed to the network."""

    def delivery_failed(self, hop: Hop, error: Exception) -> None:
        """The connection to a hop was lost, or never made."""

    def dropped(self, message: str, *arguments: object) -> None:
        """Something that is no message arrived and was dropped: text for the log."""
