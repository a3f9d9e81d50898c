"""One MSRP session (RFC 4975 5.4, 7): messages out, messages in, responses and reports."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from msrplib.handler import SessionHandler
from msrplib.limits import Limits
from msrplib.outgoing import ContentSource, OutgoingMessage
from msrplib.protocol import ByteRange, MSRPData
from msrplib.uri import MSRPURI

if TYPE_CHECKING:
    from twisted.python.failure import Failure

__all__ = ['MSRPSession']


class MSRPSession:
    """One session. It is bound to a connection by MSRPListener or MSRPConnector, and then sends and receives.

    :param local_path: what goes into our `a=path`: the URIs of our relays, then our own
    :param remote_path: what came in the peer's `a=path`; may be set later (`session.remote_path = …`), as an
        offerer may be connected to before it has seen the answer (RFC 4975 5.4)
    :param handler: whom it tells
    :param remote_fingerprint: the peer's `a=fingerprint` ('SHA-256 AB:CD:…'); over TLS its certificate must
        have it (RFC 4975 14.4)
    """

    def __init__(
        self,
        local_path: Sequence[MSRPURI] | MSRPURI,
        remote_path: Sequence[MSRPURI] = (),
        handler: SessionHandler | None = None,
        limits: Limits | None = None,
        remote_fingerprint: str | None = None,
    ) -> None:
        raise NotImplementedError

    handler: SessionHandler
    local_path: tuple[MSRPURI, ...]
    remote_path: tuple[MSRPURI, ...]
    limits: Limits

    @property
    def local_uri(self) -> MSRPURI:
        """Our own URI, the last of `local_path`."""
        raise NotImplementedError

    @property
    def is_bound(self) -> bool:
        """A connection is there, and the session can send."""
        raise NotImplementedError

    @property
    def is_closed(self) -> bool:
        raise NotImplementedError

    @property
    def local_address(self) -> str | None:
        """`host:port` of our end of the connection; None before it is bound."""
        raise NotImplementedError

    @property
    def remote_address(self) -> str | None:
        """`host:port` of the peer's end."""
        raise NotImplementedError

    def send_message(
        self,
        content: bytes | ContentSource,
        content_type: str,
        message_id: str | None = None,
        success_report: str = 'no',
        failure_report: str = 'yes',
        headers: Iterable[tuple[str, str]] = (),
        size: int | None = None,
    ) -> OutgoingMessage:
        """Send a message, in as many chunks as it takes. It may be called before the session is bound: it
        then waits.

        A message in `bytes` that fits into one chunk passes those that are under way (RFC 4975 5.1).

        :param content: the octets, or a source (an open binary file) that they are pulled from
        :param content_type: the media type with its parameters
        :param message_id: a fresh one is made when None
        :param success_report: 'yes' asks the recipient for a REPORT: `message_delivered`
        :param failure_report: 'yes': responses are awaited, a missing one is 408; 'partial': failures only;
            'no': none
        :param headers: more headers, (name, value)
        :param size: octets of a source, when it is known; of a file that can seek it is found out
        :raises SessionStateError: the session is closed
        :raises QueueFullError: more than `Limits.max_queued_size` octets are waiting
        :raises MSRPSyntaxError: a header has characters that it cannot have
        """
        raise NotImplementedError

    def send_chunk(self, chunk: MSRPData) -> None:
        """Send a chunk as it is, now. Its response, if it is a request, comes to nobody.

        :raises SessionStateError: the session is not bound
        """
        raise NotImplementedError

    def send_report(
        self,
        chunk: MSRPData,
        code: int = 200,
        comment: str | None = None,
        byte_range: ByteRange | None = None,
    ) -> None:
        """Send a REPORT on a SEND that was received (RFC 4975 7.1.2). The session does so by itself where it
        is asked for; this is for those that can only be sent later.

        :param byte_range: what it reports on; by default the octets of that chunk
        """
        raise NotImplementedError

    def respond(self, chunk: MSRPData, code: int, comment: str | None = None) -> None:
        """Answer a request (RFC 4975 7.2), once, unless its Failure-Report says that no such answer is
        wanted.

        Never answers a REPORT.
        """
        raise NotImplementedError

    def pause_receiving(self) -> None:
        """Read no more from the connection (that is shared with other sessions, if there are any)."""
        raise NotImplementedError

    def resume_receiving(self) -> None:
        raise NotImplementedError

    def close(self) -> None:
        """End the session. What was handed to the connection still leaves; what is queued or unanswered fails
        with 481. `session_closed(session, None)` is called before this returns. Harmless when it is closed
        already.
        """
        raise NotImplementedError

    def fail(self, reason: Failure) -> None:
        """As `close()`, with a reason that `session_closed` gets."""
        raise NotImplementedError
