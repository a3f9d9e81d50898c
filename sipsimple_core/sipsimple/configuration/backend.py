"""Where the configuration is kept: the interface of a backend, and the one that keeps it in memory (STO-002)."""

from __future__ import annotations

from typing import Any

from zope.interface import Interface, implementer

#: What a backend stores: nested dictionaries with str keys; the leaves are None, bool, int, float, str,
#: and lists of those; a str that is a Password may be kept elsewhere. What is not in the tree has its default.
ConfigurationData = dict[str, Any]


def copy_tree(node: Any) -> Any:
    """A copy of a node of such a tree and of all that is under it."""
    if isinstance(node, dict):
        return {name: copy_tree(below) for name, below in node.items()}
    if isinstance(node, list):
        return [copy_tree(item) for item in node]
    return node


class IConfigurationBackend(Interface):
    """Loads and saves the whole configuration. Both methods may be called from any thread, one at a time."""

    def load() -> ConfigurationData:
        """Return the stored tree, an empty one if nothing was ever stored.

        Raises `ConfigurationError` when what is stored can't be read.
        """

    def save(data: ConfigurationData) -> None:
        """Store this tree in place of the one before, whole or not at all; it is stored when the call
        returns.

        The tree is not the backend's: it does not change it, and copies what it keeps.
        """


@implementer(IConfigurationBackend)
class MemoryBackend:
    """Keeps the configuration for as long as this object lives."""

    def __init__(self) -> None:
        self._data: ConfigurationData = {}

    def __repr__(self) -> str:
        return f"<MemoryBackend with {len(self._data)} entries>"

    def load(self) -> ConfigurationData:
        data: ConfigurationData = copy_tree(self._data)
        return data

    def save(self, data: ConfigurationData) -> None:
        self._data = copy_tree(data)
