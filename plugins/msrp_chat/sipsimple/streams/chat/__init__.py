"""Chat over MSRP: ChatStream and the values that it sends and receives. Nothing is imported before it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sipsimple.streams.chat.cpim import CPIMError
    from sipsimple.streams.chat.messages import (
        ChatIdentity,
        ChatMessage,
        CPIMHeader,
        CPIMIdentity,
        CPIMMessage,
        CPIMNamespace,
        MultilingualText,
    )
    from sipsimple.streams.chat.stream import ChatStream, ChatStreamError

__all__ = [
    "CPIMError",
    "CPIMHeader",
    "CPIMIdentity",
    "CPIMMessage",
    "CPIMNamespace",
    "ChatIdentity",
    "ChatMessage",
    "ChatStream",
    "ChatStreamError",
    "MultilingualText",
]

_MODULES = {"CPIMError": "cpim", "ChatStream": "stream", "ChatStreamError": "stream"}


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    module = import_module(f"{__name__}.{_MODULES.get(name, 'messages')}")
    value = globals()[name] = getattr(module, name)
    return value
