"""The registry of stream classes: which there are, and in which order they are asked (STR-001..005, 037,
038).

Classes belong to the process, not to a realm. They come from plugins, through the hook
`sipsimple_media_streams`, and from the application, through the metaclass `MediaStreamRegistrar`.
"""

from __future__ import annotations

import weakref
from collections.abc import Iterator
from threading import RLock, get_ident
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sipsimple.plugins.manager import Plugin, PluginManager

__all__ = ["MediaStreamRegistrar", "MediaStreamRegistry", "StreamNotInstalledError"]

DISTRIBUTIONS = {
    "AudioStream": "sipsimple-audio",
    "ChatStream": "sipsimple-chat",
    "DesktopSharingStream": "sipsimple-desktopsharing",
    "FileTransferStream": "sipsimple-filetransfer",
}


class StreamNotInstalledError(ImportError):
    """A stream class was asked for whose distribution is not installed, or does not work."""


class MediaStreamRegistry:
    """The stream classes, highest priority first; those of equal priority in the order of their registration.

    There is one: `MediaStreamRegistry()` always returns it. Iterating over it imports the plugins, once. What
    is registered is asked about the media lines of incoming sessions, in this order (STR-005, STR-038).
    """

    _instance: MediaStreamRegistry | None = None
    _lock = RLock()
    _classes: list[type[Any]]
    _ordered: tuple[type[Any], ...] | None
    _asked: weakref.WeakKeyDictionary[PluginManager, int]  # the generation of its plugins
    _asking: set[int]  # threads

    def __new__(cls) -> MediaStreamRegistry:
        with cls._lock:
            if cls._instance is None:
                registry = cls._instance = super().__new__(cls)
                registry._classes = []
                registry._ordered = None
                registry._asked = weakref.WeakKeyDictionary()
                registry._asking = set()
            return cls._instance

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {', '.join(cls.__name__ for cls in self._classes) or 'nothing'}>"

    def __iter__(self) -> Iterator[type[Any]]:
        self._ask_plugins()
        ordered = self._ordered
        if ordered is None:
            with self._lock:
                self._ordered = ordered = tuple(sorted(self._classes, key=lambda cls: -cls.priority))
        return iter(ordered)

    def __contains__(self, cls: object) -> bool:
        return any(known is cls for known in self)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def register(self, cls: type[Any]) -> None:
        """Add a stream class (see IMediaStream); one that is there already stays where it is.

        A class that has the module and the name of a registered one replaces it: its module was loaded anew.
        Raises TypeError if `type` is no str or `priority` no int.
        """
        if not isinstance(cls, type):
            raise TypeError(f"only classes are registered, not {cls!r}")
        if not isinstance(getattr(cls, "type", None), str) or not cls.type:
            raise TypeError(f"the stream class {cls.__qualname__} needs a str as its attribute `type`")
        if not isinstance(getattr(cls, "priority", None), int):
            raise TypeError(f"the stream class {cls.__qualname__} needs an int as its attribute `priority`")
        with self._lock:
            for index, known in enumerate(self._classes):
                if (known.__module__, known.__qualname__) == (cls.__module__, cls.__qualname__):
                    self._classes[index] = cls
                    break
            else:
                self._classes.append(cls)
            self._ordered = None

    def unregister(self, cls: type[Any]) -> None:
        """Remove a class. Raises KeyError if it is not there."""
        with self._lock:
            if cls not in self._classes:
                raise KeyError(f"{cls.__qualname__} is not registered")
            self._classes.remove(cls)
            self._ordered = None

    def get(self, name: str) -> type[Any] | None:
        """The class of that `type`, or of that class name, with the highest priority; None if none is."""
        classes = tuple(self)
        for cls in classes:
            if cls.type == name:
                return cls
        for cls in classes:
            if cls.__name__ == name:
                return cls
        return None

    def load_class(self, name: str) -> type[Any]:
        """The class of that name.

        Raises StreamNotInstalledError, which says what to install, for the streams of the SDK that are
        missing, and AttributeError for a name that is nobody's.
        """
        for cls in self:
            if cls.__name__ == name:
                return cls
        distribution = DISTRIBUTIONS.get(name)
        if distribution is None:
            raise AttributeError(f"module 'sipsimple.streams' has no attribute {name!r}", name=name)
        raise StreamNotInstalledError(
            f"cannot import {name!r} from 'sipsimple.streams': {self._why_missing(distribution)}",
            name="sipsimple.streams",
        )

    def _why_missing(self, distribution: str) -> str:
        from sipsimple.plugins import PluginManager, PluginState

        for plugin in PluginManager().plugins:
            if plugin.distribution == distribution and plugin.state is not PluginState.LOADED:
                return f"the plugin {plugin} is not loaded: {plugin.reason or plugin.state.value}"
        return f"install the distribution {distribution} (pip install {distribution})"

    def _ask_plugins(self) -> None:
        from sipsimple.plugins import PluginManager

        manager = PluginManager()
        if self._asked.get(manager) == manager.generation:
            return
        thread = get_ident()
        if thread in self._asking:  # a plugin looks into the registry while it is asked
            return
        self._asking.add(thread)
        try:
            manager.load()
            generation = manager.generation
            claims: list[tuple[Plugin, type[Any]]] = []
            for plugin, classes in manager.call_each("sipsimple_media_streams"):
                try:
                    for cls in classes:
                        if cls not in self._classes:
                            self.register(cls)
                        claims.append((plugin, cls))
                except TypeError as error:
                    manager.report(plugin, f"sipsimple_media_streams returned no stream class: {error}")
            self._asked[manager] = generation
            self._report_rivals(claims)
        finally:
            self._asking.discard(thread)

    def _report_rivals(self, claims: list[tuple[Plugin, type[Any]]]) -> None:
        """Two plugins with streams of one type: both stay registered, but only one can be got by its type, and an
        offer goes to the other only if the first does not want it. A class derived from the other is meant so."""
        from sipsimple.plugins import PluginManager

        for plugin, cls in claims:
            first = self._first_of(cls.type)
            owner = next((owner for owner, claimed in claims if claimed is first), None)
            if owner is None or owner is plugin or issubclass(first, cls) or issubclass(cls, first):
                continue
            rival = f"{first.__name__} of the plugin {owner}, which is asked first"
            PluginManager().report(plugin, f"its stream {cls.__name__} has the type {cls.type!r} of {rival}")

    def _first_of(self, kind: str) -> type[Any]:
        return next(cls for cls in sorted(self._classes, key=lambda cls: -cls.priority) if cls.type == kind)


class MediaStreamRegistrar(type):
    """Metaclass of stream classes: defining one registers it (STR-037).

    A class without a `type` (None, or no such attribute) is a base of others and is not registered.
    """

    def __init__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(name, bases, namespace, **kwargs)
        if getattr(cls, "type", None) is not None:
            MediaStreamRegistry().register(cls)
