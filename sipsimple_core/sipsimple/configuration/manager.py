"""The ConfigurationManager: the tree of all that is configured, its backend, and the settings objects made from it."""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Mapping
from threading import RLock
from typing import TYPE_CHECKING, Any

from sipsimple.configuration import notifications  # noqa: F401  (declares what is posted here)
from sipsimple.configuration.backend import ConfigurationData, IConfigurationBackend, copy_tree
from sipsimple.configuration.errors import ConfigurationError, ObjectNotFoundError
from sipsimple.notification import NotificationCenter, NotificationData
from sipsimple.realm import Singleton, current_realm

if TYPE_CHECKING:
    from sipsimple.configuration.settings_object import SettingsObject

log = logging.getLogger("sipsimple.configuration")

Key = str | Iterable[str]


class ConfigurationManager(metaclass=Singleton):
    """Loads the configuration, keeps it in memory and has the backend write it (APP-009, APP-010, STO-002,
    STO-006).

    What is configured is a tree: a key is a sequence of names that leads to a node, like
    `('Accounts', 'alice@example.com')`. All methods may be called from any thread.
    """

    def __init__(self) -> None:
        self._realm = current_realm()
        self._lock = RLock()
        self._write_lock = RLock()
        self._backend: Any = None
        self._tree: ConfigurationData = {}
        self._version = 0
        self._written_version = 0
        self._objects_lock = RLock()
        self._objects: dict[tuple[str, ...], SettingsObject] = {}
        self._announcements: deque[tuple[str, Any, NotificationData]] = deque()
        self._delivering = False

    def __repr__(self) -> str:
        return f"<ConfigurationManager {'started' if self.started else 'not started'}>"

    @property
    def started(self) -> bool:
        """True once the configuration was loaded."""
        return self._backend is not None

    def check_started(self) -> None:
        """Raise ConfigurationError unless the configuration was loaded."""
        if self._backend is None:
            raise ConfigurationError("the configuration is not loaded: ConfigurationManager.start comes first")

    def start(self, backend: Any = None) -> None:
        """Load the configuration from the backend, by default that of `SIPApplication().storage`.

        The settings of the plugins are added to the classes first. Settings objects that exist take over what
        was loaded; changes to them that were not saved stay. It can be called again, after an error or to
        load from another backend. Raises ConfigurationError (and posts `CFGManagerLoadFailed`) if the backend
        can't load, TypeError if it is no IConfigurationBackend.
        """
        if backend is None:
            backend = self._backend_of_the_application()
        if not IConfigurationBackend.providedBy(backend):
            raise TypeError(f"{type(backend).__name__} is not an IConfigurationBackend")
        self._apply_plugin_settings()
        failure: Exception | None = None
        with self._write_lock, self._lock:
            self._backend = None
            try:
                tree = _checked_tree(backend.load())
            except Exception as error:
                failure = error
            else:
                self._tree = tree
                self._version += 1
                self._written_version = self._version
                self._backend = backend
        if failure is not None:
            if not isinstance(failure, ConfigurationError):
                cause = failure
                failure = ConfigurationError(f"the configuration could not be loaded: {cause}")
                failure.__cause__ = cause
            self.announce("CFGManagerLoadFailed", self, error=failure)
            self.deliver()
            raise failure
        with self._objects_lock:
            objects = list(self._objects.values())
        for settings_object in objects:
            settings_object._reload()
            settings_object._establish()

    @staticmethod
    def _backend_of_the_application() -> Any:
        from sipsimple.application import SIPApplication

        storage = SIPApplication().storage
        if storage is None:
            raise ConfigurationError("the application has no storage: give SIPApplication.start one")
        return storage.configuration_backend

    @staticmethod
    def _apply_plugin_settings() -> None:
        from sipsimple.configuration.extension import register_plugin_settings

        register_plugin_settings()

    def find(self, key: Key) -> Any:
        """A copy of the node under the key, None if there is none. Raises ConfigurationError before `start`."""
        self.check_started()
        with self._lock:
            node: Any = self._tree
            for name in _names(key):
                node = node.get(name) if isinstance(node, dict) else None
                if node is None:
                    return None
            return copy_tree(node)

    def get(self, key: Key) -> Any:
        """A copy of the node under the key. Raises ObjectNotFoundError if there is none."""
        names = _names(key)
        node = self.find(names)
        if node is None:
            raise ObjectNotFoundError(f"nothing is stored under {'.'.join(names)}")
        return node

    def get_names(self, key: Key) -> list[str]:
        """The names under the node, in their order; none if there is no such node."""
        node = self.find(key)
        return list(node) if isinstance(node, dict) else []

    def update(self, key: Key, data: Mapping[str, Any]) -> None:
        """Replace the node under the key. It is kept in memory until `save`.

        Raises ConfigurationError for data that can't be stored, ValueError for an empty key.
        """
        self.check_started()
        names = _names(key)
        node = _checked_tree(data)
        with self._lock:
            self._tree = _with_node(self._tree, names, node)
            self._version += 1

    def delete(self, key: Key) -> None:
        """Remove the node under the key, and the nodes above it that are empty then.

        Raises ObjectNotFoundError if there is none.
        """
        names = _names(key)
        if not self.discard(names):
            raise ObjectNotFoundError(f"nothing is stored under {'.'.join(names)}")

    def discard(self, key: Key) -> bool:
        """Like `delete`, but tells whether there was one."""
        self.check_started()
        names = _names(key)
        with self._lock:
            if self.find(names) is None:
                return False
            self._tree = _without_node(self._tree, names)
            self._version += 1
            return True

    def save(self) -> None:
        """Have the backend write the tree, if it changed since it was last written; it is written on return.

        Callers that wait for a write of another thread are served by one common write. Raises
        ConfigurationError if the backend fails; the tree stays, and the next call writes it.
        """
        self.check_started()
        wanted = self._version
        with self._write_lock:
            if self._written_version >= wanted:
                return
            with self._lock:
                version = self._version
                tree = self._tree
                backend = self._backend
            if backend is None:
                raise ConfigurationError("the configuration is not loaded any more")
            try:
                backend.save(tree)
            except ConfigurationError as error:
                log.error("The configuration could not be saved: %s", error)
                raise
            except Exception as error:
                log.exception("The configuration could not be saved")
                raise ConfigurationError(f"the configuration could not be saved: {error}") from error
            self._written_version = version

    def announce(self, name: str, sender: Any, **fields: Any) -> None:
        """Queue a notification; `deliver` posts it. Called with a lock held, it fixes the order of what happened."""
        self._announcements.append((name, sender, NotificationData(**fields)))

    def deliver(self) -> None:
        """Post what was announced, in its order, in the thread of the reactor once one runs."""
        reactor = self._realm.reactor
        if reactor is None or self._realm.in_reactor_thread():
            self._realm.run(self._deliver)
        else:
            reactor.callFromThread(self._realm.run, self._deliver)

    def _deliver(self) -> None:
        with self._lock:
            if self._delivering:
                return
            self._delivering = True
        center = NotificationCenter()
        while True:
            with self._lock:
                if not self._announcements:
                    self._delivering = False
                    return
                name, sender, data = self._announcements.popleft()
            try:
                center.post_notification(name, sender=sender, data=data)
            except BaseException:
                self._delivering = False
                raise


def _names(key: Key) -> tuple[str, ...]:
    names = (key,) if isinstance(key, str) else tuple(key)
    if not names or not all(isinstance(name, str) and name for name in names):
        raise ValueError(f"{names!r} is not a key: expected one or more names")
    return names


def _with_node(tree: ConfigurationData, names: tuple[str, ...], node: ConfigurationData) -> ConfigurationData:
    """The tree with that node in it; the tree that was is left as it is, somebody may be writing it."""
    name, *path = names
    if not path:
        return tree | {name: node}
    below = tree.get(name)
    return tree | {name: _with_node(below if isinstance(below, dict) else {}, tuple(path), node)}


def _without_node(tree: ConfigurationData, names: tuple[str, ...]) -> ConfigurationData:
    """The tree without that node, which is there, and without the nodes above it that are empty then."""
    name, *path = names
    below = _without_node(tree[name], tuple(path)) if path else {}
    rest = {other: node for other, node in tree.items() if other != name}
    return tree | {name: below} if below else rest


def _checked_tree(data: Any, path: str = "") -> ConfigurationData:
    """A copy of the data, if it is a tree that a backend can store. No value is shown in the error: it may
    be secret.
    """
    if not isinstance(data, Mapping):
        raise ConfigurationError(f"{path or 'the configuration'}: expected a table, got {type(data).__name__}")
    tree: ConfigurationData = {}
    for name, value in data.items():
        if not isinstance(name, str):
            raise ConfigurationError(f"{path or 'the configuration'}: a name is {type(name).__name__}, expected str")
        below = f"{path}.{name}" if path else name
        tree[name] = _checked_tree(value, below) if isinstance(value, Mapping) else _checked_leaf(value, below)
    return tree


def _checked_leaf(value: Any, path: str) -> Any:
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, list | tuple):
        return [_checked_leaf(item, path) for item in value]
    raise ConfigurationError(f"{path}: a {type(value).__name__} can't be stored")
