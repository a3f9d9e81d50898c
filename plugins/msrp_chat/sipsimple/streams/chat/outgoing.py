"""What a chat sends: the arguments of send_message, checked, and the MSRP message that they become.

Which form they take depends on what the peer accepts (RFC 4975 8.6): in a CPIM envelope where it can be, as that
alone can name a time, recipients and a subject.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime

from sipsimple.streams.chat.composing import COMPOSING_TYPE
from sipsimple.streams.chat.content import ContentType, encode_content, parse_content_type
from sipsimple.streams.chat.cpim import format_timestamp, print_envelope
from sipsimple.streams.chat.errors import ChatStreamError
from sipsimple.streams.chat.imdn import IMDN_NAMESPACE, IMDN_TYPE, request_headers
from sipsimple.streams.chat.messages import ChatIdentity, CPIMHeader, identities_of
from sipsimple.streams.msrp.sdp import MSRPMedia, accepts_type

__all__ = ["CPIM_TYPE", "Envelope", "OutgoingText"]

CPIM_TYPE = "message/cpim"

_ASK_FOR_NOTHING = frozenset({IMDN_TYPE, COMPOSING_TYPE})


class OutgoingText:
    """One message to be sent: the arguments of `ChatStream.send_message`.

    :ivar dispositions: what notifications it asks for, in an envelope (RFC 5438)

    :raises TypeError: an argument of another type
    :raises ValueError: no content type, text that its charset does not have, characters that break out of a header
    """

    __slots__ = (
        'additional_headers', 'content_type', 'courtesy_recipients', 'dispositions', 'full_type', 'is_plain',
        'message_id', 'octets', 'recipients', 'required', 'subject', 'timestamp',
    )  # fmt: skip

    def __init__(
        self,
        message_id: str,
        content: str | bytes,
        content_type: str,
        recipients: Iterable[ChatIdentity] | None = None,
        courtesy_recipients: Iterable[ChatIdentity] | None = None,
        subject: str | None = None,
        timestamp: datetime | None = None,
        required: Iterable[str] | None = None,
        additional_headers: Iterable[object] | None = None,
    ) -> None:
        self.message_id = message_id
        self.content_type: ContentType = parse_content_type(content_type)
        if isinstance(content, str):
            self.octets, self.full_type = encode_content(content, self.content_type)
        elif isinstance(content, bytes | bytearray | memoryview):
            self.octets, self.full_type = bytes(content), self.content_type.full
        else:
            raise TypeError(f"content must be str or bytes, not {type(content).__name__}")
        self.dispositions: tuple[str, ...] = ()
        self.timestamp = None if timestamp is None else _in_utc(timestamp)
        self.is_plain = (
            recipients is None
            and courtesy_recipients is None
            and subject is None
            and required is None
            and additional_headers is None
        )
        if self.is_plain:
            return
        if subject is not None and not isinstance(subject, str):
            raise TypeError(f"subject must be a str, not {type(subject).__name__}")
        if isinstance(required, str):
            raise TypeError("required must be a list of str")
        self.recipients = identities_of(recipients or (), "recipients")
        self.courtesy_recipients = identities_of(courtesy_recipients or (), "courtesy_recipients")
        self.subject = subject
        self.required = list(required or ())
        self.additional_headers = list(additional_headers or ())
        self.print_envelope(None, ())

    @property
    def may_ask(self) -> bool:
        """Whether it can ask for notifications: it is none itself (RFC 5438 7.2.1), and does not ask in its own way."""
        if self.content_type.media_type in _ASK_FOR_NOTHING:
            return False
        namespaces = () if self.is_plain else (getattr(header, "namespace", None) for header in self.additional_headers)
        return not any(getattr(namespace, "uri", None) == IMDN_NAMESPACE.uri for namespace in namespaces)

    def print_envelope(self, sender: ChatIdentity | None, recipients: Iterable[ChatIdentity]) -> str:
        return print_envelope(
            sender, recipients, self.courtesy_recipients, self.subject, self.required, self.additional_headers
        )


def _in_utc(timestamp: datetime) -> datetime:
    if not isinstance(timestamp, datetime):
        raise TypeError(f"timestamp must be a datetime, not {type(timestamp).__name__}")
    try:
        return timestamp.astimezone(UTC)
    except (ValueError, OverflowError):
        raise ValueError(f"in UTC the timestamp {timestamp} is out of range") from None


class Envelope:
    """What the peer of a started stream takes, and between whom the messages go.

    :param remote: the peer's description
    :param local_identity, remote_identity: CPIM From and To of a message that says nothing else
    """

    __slots__ = ("_head", "_local", "_remote", "_remote_identity", "cpim", "nickname", "private_messages")

    def __init__(self, remote: MSRPMedia, local_identity: ChatIdentity, remote_identity: ChatIdentity) -> None:
        self._remote = remote
        self._local = local_identity
        self._remote_identity = remote_identity
        self.cpim = accepts_type(remote.accept_types, CPIM_TYPE)
        # RFC 7701 8: who offers private messages is a chat room; they are addressed in the CPIM envelope.
        self.private_messages = self.cpim and "private-messages" in remote.chatroom
        self.nickname = "nickname" in remote.chatroom
        self._head = print_envelope(local_identity, (remote_identity,))

    def accepts(self, media_type: str) -> bool:
        """Whether a message of that type, in lower case, can be sent at all."""
        return self._can_wrap(media_type) or accepts_type(self._remote.accept_types, media_type)

    def _can_wrap(self, media_type: str) -> bool:
        # RFC 4975 8.6: what is accepted bare is accepted in an envelope too; accept-wrapped-types adds to it.
        remote = self._remote
        return self.cpim and (
            accepts_type(remote.accept_wrapped_types, media_type) or accepts_type(remote.accept_types, media_type)
        )

    def encode(self, text: OutgoingText) -> tuple[bytes, str]:
        """The content of the MSRP message, and its Content-Type.

        :raises ChatStreamError: the peer does not take this
        """
        media_type = text.content_type.media_type
        wrap = self._can_wrap(media_type)
        if not text.is_plain:
            self._check_options(text, wrap)
        if wrap:
            head = self._head if text.is_plain else self._special_head(text)
            if text.dispositions:
                head += request_headers(text.message_id, text.dispositions)
            timestamp = format_timestamp(text.timestamp or datetime.now(UTC))
            head = f"{head}DateTime: {timestamp}\r\n\r\nContent-Type: {text.full_type}\r\n\r\n"
            octets, content_type = head.encode() + text.octets, CPIM_TYPE
        elif accepts_type(self._remote.accept_types, media_type):
            octets, content_type = text.octets, text.content_type.full
        else:
            raise ChatStreamError(f"the remote party does not accept {media_type}", 415)
        if self._remote.max_size is not None and len(octets) > self._remote.max_size:
            # RFC 4975 8.7
            raise ChatStreamError(f"the remote party takes at most {self._remote.max_size} octets", 413)
        return octets, content_type

    def encode_notification(
        self, message_id: str, recipient: ChatIdentity, headers: list[CPIMHeader], document: bytes
    ) -> bytes | None:
        """A disposition notification (RFC 5438 7.2.1.1), which is always in an envelope; None: it can't be sent, as the
        peer does not take it, or is a chat room in which nobody can be written to alone."""
        if not self._can_wrap(IMDN_TYPE):
            return None
        if self._remote.chatroom and not self.private_messages and self.is_private((recipient,)):
            return None
        identifier = CPIMHeader("Message-ID", message_id, IMDN_NAMESPACE)
        head = print_envelope(self._local, (recipient,), additional_headers=(identifier, *headers))
        timestamp = format_timestamp(datetime.now(UTC))
        part = f"Content-Type: {IMDN_TYPE}\r\nContent-Disposition: notification\r\n\r\n"
        octets = f"{head}DateTime: {timestamp}\r\n\r\n{part}".encode() + document
        is_too_large = self._remote.max_size is not None and len(octets) > self._remote.max_size
        return None if is_too_large else octets

    def _special_head(self, text: OutgoingText) -> str:
        return text.print_envelope(self._local, text.recipients or (self._remote_identity,))

    def _check_options(self, text: OutgoingText, wrap: bool) -> None:
        is_private = self.is_private(text.recipients) or bool(text.courtesy_recipients)
        if is_private and not (self.private_messages and wrap):
            raise ChatStreamError("the remote party does not support private messages", 428)
        if not wrap and (text.subject is not None or text.required or text.additional_headers):
            raise ChatStreamError(
                "subject, required and additional headers need CPIM, which the remote party does not accept", 415
            )

    def is_private(self, recipients: Iterable[ChatIdentity]) -> bool:
        """Whether these recipients differ from the one that messages have by default."""
        uris = [identity.uri for identity in recipients]
        return bool(uris) and uris != [self._remote_identity.uri]
