"""What a chat receives: the octets of an MSRP message as a ChatMessage, or out of its envelope as a CPIMMessage."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Protocol

from sipsimple.streams.chat.content import decode_content, parse_content_type
from sipsimple.streams.chat.cpim import parse_cpim
from sipsimple.streams.chat.messages import ChatIdentity, ChatMessage, CPIMIdentity, CPIMMessage
from sipsimple.streams.chat.outgoing import CPIM_TYPE

__all__ = ["read_message"]


class Parties(Protocol):
    """Between whom messages go: of a ChatStream."""

    @property
    def local_identity(self) -> CPIMIdentity: ...
    @property
    def remote_identity(self) -> CPIMIdentity | None: ...


def read_message(content: bytes, content_type: str, parties: Parties) -> CPIMMessage | ChatMessage:
    """Read a message. What it does not say of whom it is from and for, and of when, is filled in.

    :raises CPIMError: the envelope cannot be read
    """
    parsed_type = parse_content_type(content_type)
    if parsed_type.media_type == CPIM_TYPE:
        message = parse_cpim(content)
        if message.sender is None:
            message.sender = parties.remote_identity
        if not message.recipients:
            message.recipients = [parties.local_identity]
        if message.timestamp is None:
            message.timestamp = datetime.now(UTC)
        return message
    text, kept_type = decode_content(content, parsed_type)
    local = parties.local_identity
    return ChatMessage(
        text, kept_type, _plain(parties.remote_identity or local), [_plain(local)], timestamp=datetime.now(UTC)
    )


def _plain(identity: ChatIdentity) -> ChatIdentity:
    return ChatIdentity(identity.uri, identity.display_name)
