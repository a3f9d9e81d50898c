"""Media streams: the interface, the registry, and the stream classes of the plugins that are installed.

`from sipsimple.streams import ChatStream` works for every stream class of every installed plugin (STR-001):
the name is looked up in the registry when it is first asked for, and only then are plugins imported.
"""

from pkgutil import extend_path
from typing import Any

__path__ = extend_path(__path__, __name__)

from sipsimple.streams import _notifications as _notifications
from sipsimple.streams._hold import held_by_remote
from sipsimple.streams._interface import IMediaStream
from sipsimple.streams._registry import MediaStreamRegistrar, MediaStreamRegistry, StreamNotInstalledError
from sipsimple.streams._states import following

__all__ = [
    "IMediaStream",
    "MediaStreamRegistrar",
    "MediaStreamRegistry",
    "StreamNotInstalledError",
    "following",
    "held_by_remote",
]


def __getattr__(name: str) -> Any:
    # Modules are asked for here too (`from sipsimple.streams import msrp`): only classes are the registry's.
    if not name[:1].isupper():
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return MediaStreamRegistry().load_class(name)
