"""The plugin of the distribution sipsimple-filetransfer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from sipsimple.plugins import hookimpl

sipsimple_plugin_api = 1


@hookimpl
def sipsimple_media_streams() -> Iterable[type[Any]]:
    from sipsimple.streams.filetransfer.stream import FileTransferStream

    return (FileTransferStream,)


@hookimpl
def sipsimple_settings() -> Iterable[Any]:
    from sipsimple.streams.filetransfer.settings import EXTENSIONS

    return EXTENSIONS


@hookimpl
def sipsimple_commands() -> Iterable[Any]:
    """They need sipsimple-cli, which is who asks for them."""
    from sipsimple.streams.filetransfer.commands.receive import receive
    from sipsimple.streams.filetransfer.commands.send import send

    return (send, receive)
