"""Disposition notifications (RFC 5438): how a message asks for them, and the documents `message/imdn+xml`."""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import NamedTuple

from sipsimple.streams.chat.cpim import format_timestamp, parse_timestamp
from sipsimple.streams.chat.documents import DocumentError, escape_text, read_document
from sipsimple.streams.chat.messages import ChatMessage, CPIMHeader, CPIMMessage, CPIMNamespace

__all__ = [
    "DISPOSITIONS",
    "IMDN_NAMESPACE",
    "IMDN_TYPE",
    "STATUSES",
    "DispositionNotification",
    "DispositionRequest",
    "IMDNError",
    "check_dispositions",
    "parse_imdn",
    "print_imdn",
    "request_headers",
]

IMDN_TYPE = "message/imdn+xml"
IMDN_NAMESPACE = CPIMNamespace("urn:ietf:params:imdn", "imdn")
"""RFC 5438 6: where the headers are at home that ask for notifications."""

DISPOSITIONS = ("positive-delivery", "negative-delivery", "processing", "display")
"""RFC 5438 6.3: what a message can ask to be told."""
STATUSES = {
    "delivery": ("delivered", "failed", "forbidden", "error"),
    "processing": ("processed", "stored", "forbidden", "error"),
    "display": ("displayed", "forbidden", "error"),
}
"""RFC 5438 7.2.1, 8: what a notification of each kind can say."""

MAX_ROUTES = 16
"""IMDN-Record-Route headers of one message; with more it gets no notification."""

_PRINTABLE = re.compile(r"[ -\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]{1,1024}")
"""What an element can have and a reader will take, but for the line ends that no header has."""
_XML_NAMESPACE = "urn:ietf:params:xml:ns:imdn"


class IMDNError(ValueError):
    """The octets are no notification."""


class DispositionNotification(NamedTuple):
    """:ivar message_id: the IMDN Message-ID of the message that it is about
    :ivar disposition: 'delivery', 'processing' or 'display'
    :ivar status: one of STATUSES of that disposition
    :ivar timestamp: the DateTime of that message
    :ivar recipient, original_recipient: the URI that it was for, and the one that it was first addressed to
    """

    message_id: str
    disposition: str
    status: str
    timestamp: datetime | None = None
    recipient: str | None = None
    original_recipient: str | None = None


class DispositionRequest(NamedTuple):
    """What a message that has come asks for.

    :ivar message_id: by which the notification names it
    :ivar dispositions: out of DISPOSITIONS
    :ivar original_to: whom it was first addressed to, when it says so (RFC 5438 6.4)
    :ivar routes: the way that the notification takes (RFC 5438 6.5, 6.6)
    """

    message_id: str
    dispositions: frozenset[str]
    original_to: str | None = None
    routes: tuple[str, ...] = ()

    @classmethod
    def of(cls, message: CPIMMessage | ChatMessage) -> DispositionRequest | None:
        """What a message asks for; None when it asks for nothing, or has no id to answer with (RFC 5438 7.1.1.1)."""
        values: dict[str, list[str]] = {}
        for header in message.additional_headers:
            namespace = getattr(header, "namespace", None)
            if namespace is not None and namespace.uri == IMDN_NAMESPACE.uri:
                values.setdefault(header.name.lower(), []).append(header.value)
        (message_id,) = values.get("message-id", [""])[:1]
        if "disposition-notification" not in values or not _PRINTABLE.fullmatch(message_id):
            return None
        words = ",".join(values["disposition-notification"]).lower().split(",")
        asked = frozenset(word.partition(";")[0].strip() for word in words).intersection(DISPOSITIONS)
        routes = values.get("imdn-record-route", [])
        if not asked or len(routes) > MAX_ROUTES:
            return None
        (original_to,) = values.get("original-to", [""])[:1]
        return cls(message_id, asked, original_to if _PRINTABLE.fullmatch(original_to) else None, tuple(routes))

    def headers(self) -> list[CPIMHeader]:
        """Those of the notification: it takes the way back that the message has recorded (RFC 5438 7.2.1.1)."""
        return [CPIMHeader("IMDN-Route", route, IMDN_NAMESPACE) for route in self.routes]


def check_dispositions(dispositions: Iterable[str]) -> tuple[str, ...]:
    """What messages shall ask for.

    :raises ValueError, TypeError: it is not out of DISPOSITIONS
    """
    if isinstance(dispositions, str):
        raise TypeError("disposition_notifications must be a list of str")
    asked = frozenset(dispositions)
    if not asked <= set(DISPOSITIONS):
        raise ValueError(f"disposition_notifications must be out of {', '.join(DISPOSITIONS)}, not {sorted(asked)}")
    return tuple(name for name in DISPOSITIONS if name in asked)


def request_headers(message_id: str, dispositions: Iterable[str]) -> str:
    """The lines of a CPIM envelope that ask for notifications (RFC 5438 7.1.1)."""
    prefix = IMDN_NAMESPACE.prefix
    return (
        f"NS: {prefix} <{IMDN_NAMESPACE.uri}>\r\n{prefix}.Message-ID: {message_id}\r\n"
        f"{prefix}.Disposition-Notification: {', '.join(dispositions)}\r\n"
    )


def parse_imdn(data: bytes) -> DispositionNotification:
    """Read a notification.

    :raises IMDNError: not well-formed, another document, a document type, too large; it says nothing
    """
    try:
        # RFC 5438 11.1 has the elements in a namespace; in the examples of 7.2 they have none.
        texts = read_document(data, "imdn", (_XML_NAMESPACE, ""))
    except DocumentError as error:
        raise IMDNError(str(error)) from None
    message_id = texts.get("message-id")
    if not message_id:
        raise IMDNError("no message-id")
    for disposition, statuses in STATUSES.items():
        for status in statuses:
            if f"{disposition}-notification/status/{status}" in texts:
                return DispositionNotification(
                    message_id,
                    disposition,
                    status,
                    parse_timestamp(texts.get("datetime", "")),
                    texts.get("recipient-uri") or None,
                    texts.get("original-recipient-uri") or None,
                )
    raise IMDNError("no status")


def print_imdn(notification: DispositionNotification) -> bytes:
    """The document (RFC 5438 11.1).

    :raises ValueError: there is no such disposition, or it has no such status
    """
    message_id, disposition, status, timestamp, recipient, original_recipient = notification
    if status not in STATUSES.get(disposition, ()):
        raise ValueError(f"{status!r} is no status of the disposition {disposition!r}")
    when = format_timestamp(timestamp if timestamp is not None else datetime.now(UTC))
    parts = [
        f'<?xml version="1.0" encoding="UTF-8"?>\n<imdn xmlns="{_XML_NAMESPACE}">'
        f"<message-id>{escape_text(message_id)}</message-id><datetime>{when}</datetime>"
    ]
    if recipient is not None and original_recipient is not None:  # both or neither
        parts.append(f"<recipient-uri>{escape_text(recipient)}</recipient-uri>")
        parts.append(f"<original-recipient-uri>{escape_text(original_recipient)}</original-recipient-uri>")
    kind = f"{disposition}-notification"
    parts.append(f"<{kind}><status><{status}/></status></{kind}></imdn>")
    return "".join(parts).encode("utf-8", "replace")
