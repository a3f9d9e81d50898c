"""What the MSRP streams share: MSRPStreamBase; and a way to the MSRP streams that are installed.

`from sipsimple.streams.msrp import ChatStream` works when a distribution that has a ChatStream is installed: the
stream classes of MediaStreamRegistry that derive from MSRPStreamBase are found here, with what their packages
export beside them (`ChatStreamError`, `CPIMMessage`, …). Nothing heavy is imported before it is asked for.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sipsimple.streams.msrp.base import MSRPStreamBase
    from sipsimple.streams.msrp.notifications import LogLevel
    from sipsimple.streams.msrp.sdp import MSRPMedia
    from sipsimple.streams.msrp.transport import MSRPTransport, MSRPTransportError

__all__ = ["LogLevel", "MSRPMedia", "MSRPStreamBase", "MSRPTransport", "MSRPTransportError"]

_MODULES = {
    "LogLevel": "notifications",
    "MSRPMedia": "sdp",
    "MSRPStreamBase": "base",
    "MSRPTransport": "transport",
    "MSRPTransportError": "transport",
}

_DISTRIBUTIONS = {
    "CPIMHeader": "sipsimple-chat",
    "CPIMIdentity": "sipsimple-chat",
    "CPIMMessage": "sipsimple-chat",
    "CPIMNamespace": "sipsimple-chat",
    "ChatIdentity": "sipsimple-chat",
    "ChatMessage": "sipsimple-chat",
    "ChatStream": "sipsimple-chat",
    "ChatStreamError": "sipsimple-chat",
    "DesktopSharingStream": "sipsimple-desktopsharing",
    "FileSelector": "sipsimple-filetransfer",
    "FileTransferStream": "sipsimple-filetransfer",
    "MultilingualText": "sipsimple-chat",
}


def _neighbours(cls: type[Any]) -> tuple[str, ...]:
    """The module of a stream class, and the package that it is in when that one is a stream's own."""
    package = cls.__module__.rpartition(".")[0]
    if package in ("", "sipsimple.streams"):
        return (cls.__module__,)
    return (package, cls.__module__)


def __getattr__(name: str) -> Any:
    module = _MODULES.get(name)
    if module is not None:
        value = globals()[name] = getattr(import_module(f"{__name__}.{module}"), name)
        return value
    # Modules are asked for here too (`from sipsimple.streams.msrp import base`).
    if not name[:1].isupper():
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from sipsimple.streams import MediaStreamRegistry, StreamNotInstalledError
    from sipsimple.streams.msrp.base import MSRPStreamBase

    for cls in MediaStreamRegistry():
        if not issubclass(cls, MSRPStreamBase):
            continue
        if cls.__name__ == name:
            return cls
        for neighbour in _neighbours(cls):
            exporting = import_module(neighbour)
            if name in getattr(exporting, "__all__", ()):
                return getattr(exporting, name)
    distribution = _DISTRIBUTIONS.get(name)
    if distribution is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    raise StreamNotInstalledError(
        f"cannot import {name!r} from {__name__!r}: install the distribution {distribution} "
        f"(pip install {distribution}), or see why its plugin is not loaded",
        name=__name__,
    )
