"""File transfer over MSRP (RFC 5547): FileTransferStream, and FileSelector, which names a file. Nothing is imported
before it is asked for."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sipsimple.streams.filetransfer.description import FileDates, FileIcon, FileRange
    from sipsimple.streams.filetransfer.partfile import TransferError, WrongContentError
    from sipsimple.streams.filetransfer.selector import FileSelector
    from sipsimple.streams.filetransfer.stream import FileTransferStream

__all__ = [
    "FileDates",
    "FileIcon",
    "FileRange",
    "FileSelector",
    "FileTransferStream",
    "TransferError",
    "WrongContentError",
]

_MODULES = {
    "FileDates": "description",
    "FileIcon": "description",
    "FileRange": "description",
    "FileSelector": "selector",
    "FileTransferStream": "stream",
    "TransferError": "partfile",
    "WrongContentError": "partfile",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    return value
