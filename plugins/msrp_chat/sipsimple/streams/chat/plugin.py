"""The plugin of the distribution sipsimple-chat."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sipsimple.plugins import hookimpl

sipsimple_plugin_api = 1


@hookimpl
def sipsimple_media_streams() -> Iterable[type[Any]]:
    from sipsimple.streams.chat.stream import ChatStream

    return (ChatStream,)


@hookimpl
def sipsimple_commands() -> Iterable[Any]:
    from sipsimple.streams.chat.commands import chat

    return (chat,)
