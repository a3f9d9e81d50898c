"""Settings objects: what has an id, is saved as a whole, and tells the application of its changes."""

from __future__ import annotations

from threading import RLock
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self, TypeVar, cast, overload
from weakref import WeakSet

from sipsimple.configuration.errors import ConfigurationError
from sipsimple.configuration.extension import add_class, apply_extension, extensions_of
from sipsimple.configuration.group import SettingsGroup, SettingsState, prepare_class
from sipsimple.configuration.manager import ConfigurationManager
from sipsimple.configuration.setting import GeneratedSetting, ModifiedValue, Setting, convert

if TYPE_CHECKING:
    from collections.abc import Callable

    from sipsimple.configuration.extension import SettingsObjectExtension

T = TypeVar("T")


class SettingsObjectID(Generic[T]):
    """Says that a class of settings objects has many instances, and what type their ids are."""

    def __init__(self, type: type[T]) -> None:
        self.type: Callable[[Any], T] = type

    @overload
    def __get__(self, instance: None, owner: type | None = None) -> Self: ...

    @overload
    def __get__(self, instance: SettingsObject, owner: type | None = None) -> T: ...

    def __get__(self, instance: SettingsObject | None, owner: type | None = None) -> Self | T:
        if instance is None:
            return self
        identity: T = instance._id
        return identity

    def __set__(self, instance: SettingsObject, value: object) -> None:
        raise AttributeError(f"the id of {type(instance).__name__} {instance._id} is read-only")


class SettingsObjectMeta(type):
    """Makes one instance for each id in each realm."""

    def __call__(cls, *args: Any, **kwargs: Any) -> Any:
        manager = ConfigurationManager()
        object_class = cast("type[SettingsObject]", cls)
        identity = object_class._parse_id(*args, **kwargs)
        key = object_class._key(identity)
        settings_object = manager._objects.get(key)
        if settings_object is None:
            with manager._objects_lock:
                settings_object = manager._objects.get(key)
                if settings_object is None:
                    created = object_class.__new__(object_class)
                    created._attach(manager, identity, key)
                    created.__init__(*args, **kwargs)  # type: ignore[misc]
                    manager._objects[key] = created
            if settings_object is None:
                created._establish()
                return created
        if type(settings_object) is not cls:
            raise ValueError(f"{'.'.join(key)} is a {type(settings_object).__name__}, not a {cls.__name__}")
        return settings_object


class SettingsObject(SettingsState, metaclass=SettingsObjectMeta):
    """A set of settings with an id, saved as a whole. There is one instance for each id (ACC-016).

    A singleton names itself in `__id__ = 'SIPSimpleSettings'`. A class with many instances says where they
    are stored and what type their ids are: `__group__ = 'Accounts'`, `__id__ =
    SettingsObjectID(type=SIPAddress)`.

    What is assigned to a setting can be read at once, but takes effect only with `save()`. Notifications:
    `CFGSettingsObjectWasCreated`, `WasActivated`, `DidChange` and `WasDeleted`. May be used from any thread;
    the notifications are posted in the thread of the reactor once it runs, in the order of the saves.
    """

    __group__: ClassVar[str | None] = None
    __id__: ClassVar[str | SettingsObjectID[Any] | None] = None

    _id: Any
    _storage_key: tuple[str, ...]
    _manager: ConfigurationManager
    _stored: bool
    _deleted: bool

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        prepare_class(cls)
        if isinstance(cls.__id__, SettingsObjectID) and cls.__group__ is None:
            raise TypeError(f"{cls.__name__} has many instances: __group__ has to say where they are stored")
        add_class(cls)

    def __init__(self, id: str | None = None) -> None:
        """Called once for each object, with the settings loaded if the configuration is. For subclasses."""

    if not TYPE_CHECKING:
        # For the type checker each subclass declares its own `id`.
        @property
        def id(self) -> Any:
            """What the object is known by; read-only."""
            return self._id

    def _entered(self) -> None:
        """The object is saved for the first time. For subclasses: called before the notifications that say so, in
        the thread that saves it, with a lock held.
        """

    def _left(self) -> None:
        """The object, which had been saved, is deleted; likewise."""

    @classmethod
    def _parse_id(cls, id: Any = None, *args: Any, **kwargs: Any) -> Any:
        if isinstance(cls.__id__, SettingsObjectID):
            if id is None:
                raise TypeError(f"{cls.__name__} needs an id")
            try:
                return convert(cls.__id__.type, id)
            except ValueError as error:
                raise ValueError(f"the id of {cls.__name__}: {error}") from None
        if cls.__id__ is None:
            raise TypeError(f"{cls.__name__} has no __id__, it can only be derived from")
        if id is not None and id != cls.__id__:
            raise ValueError(f"there is one {cls.__name__}, its id is {cls.__id__}")
        return cls.__id__

    @classmethod
    def _key(cls, identity: Any) -> tuple[str, ...]:
        return (str(identity),) if cls.__group__ is None else (cls.__group__, str(identity))

    @classmethod
    def is_singleton(cls) -> bool:
        """True if the class has one instance, whose id it names itself."""
        return isinstance(cls.__id__, str)

    @classmethod
    def register_extension(cls, extension: type[SettingsObjectExtension]) -> None:
        """Add the settings and groups of the extension to the class, and to the objects that exist already.

        Groups of the same name are merged. Doing it twice has no effect. Raises ValueError, and changes
        nothing, if the extension contradicts what is there (see `SettingsObjectExtension`).
        """
        if apply_extension(cls, extension):
            with _instances_lock:
                instances = list(_instances)
            for instance in instances:
                if isinstance(instance, cls) and instance._manager.started and not instance._deleted:
                    instance._reload()
                    instance._keep_generated_values()

    @classmethod
    def extensions(cls) -> tuple[type[SettingsObjectExtension], ...]:
        """The extensions registered with the class: who declares which settings, besides itself."""
        return extensions_of(cls)

    def _attach(self, manager: ConfigurationManager, identity: Any, key: tuple[str, ...]) -> None:
        self._init_state(RLock())
        self._manager = manager
        self._id = identity
        self._storage_key = key
        self._stored = False
        self._deleted = False
        with _instances_lock:
            _instances.add(self)
        if manager.started:
            self._reload()

    def _reload(self) -> None:
        with self._settings_lock:
            stored = self._manager.find(self._storage_key)
            self._stored = isinstance(stored, dict)
            self._load(stored if isinstance(stored, dict) else {})

    def _establish(self) -> None:
        """The object was loaded: say so, and keep the values that are made only once."""
        if self._manager.started:
            if self._stored:
                self._manager.announce("CFGSettingsObjectWasActivated", self)
            self._keep_generated_values()
            self._manager.deliver()

    def _keep_generated_values(self) -> None:
        if self._stored or self.is_singleton():
            for name, setting in self.iter_settings():
                if isinstance(setting, GeneratedSetting) and self.saved_value(name) is None:
                    state, last = self._state_of(name)
                    getattr(state, last)
                    self._commit(name)

    def _state_of(self, name: str) -> tuple[SettingsState, str]:
        """The object or group that has the setting with that dotted name, and its name there."""
        *groups, setting = name.split(".")
        state: SettingsState = self
        for group in groups:
            if not isinstance(state.declared().get(group), SettingsGroup):
                raise AttributeError(f"{self._path_of(name)} is not a setting")
            state = getattr(state, group)
        if not isinstance(state.declared().get(setting), Setting):
            raise AttributeError(f"{self._path_of(name)} is not a setting")
        return state, setting

    def _path_of(self, name: str) -> str:
        return f"{type(self).__name__}.{name}"

    def saved_value(self, name: str) -> Any:
        """The value in effect, as of the last save(), of the setting with that dotted name (ACC-019)."""
        state, setting = self._state_of(name)
        return state._saved_value(setting)

    def save(self) -> None:
        """Put all changes into effect and store them.

        Posts `CFGSettingsObjectDidChange` if something changed, after `CFGSettingsObjectWasCreated` and
        `CFGSettingsObjectWasActivated` the first time. A backend that fails is reported by
        `CFGManagerSaveFailed`. Raises ConfigurationError if the configuration was not started or the object
        was deleted.
        """
        self._commit(None)

    def save_setting(self, name: str, value: Any) -> None:
        """Set one setting, given by its dotted name, and save it alone: other changes stay pending.

        Raises ValueError for a wrong value, AttributeError if there is no such setting, and what `save`
        raises.
        """
        state, setting = self._state_of(name)
        setattr(state, setting, value)
        self._commit(name)

    def _commit(self, only: str | None) -> None:
        manager = self._manager
        modified: dict[str, ModifiedValue] = {}
        with self._settings_lock:
            if self._deleted:
                raise ConfigurationError(f"{self._description} was deleted")
            manager.check_started()
            self._take_changes("", only, modified)
            before = manager.find(self._storage_key)
            tree = self._merge_into(before or {})
            if tree != before:
                manager.update(self._storage_key, tree)
            if not self._stored:
                self._stored = True
                manager.announce("CFGSettingsObjectWasCreated", self)
                manager.announce("CFGSettingsObjectWasActivated", self)
                manager._realm.run(self._entered)
            if modified:
                manager.announce("CFGSettingsObjectDidChange", self, modified=modified)
        self._write("save", modified)

    def delete(self) -> None:
        """Remove the object from the storage; it can't be saved any more (ACC-014). A singleton can't be
        deleted.

        Posts `CFGSettingsObjectWasDeleted` if it had been saved. Raises ConfigurationError like `save`.
        """
        if self.is_singleton():
            raise ConfigurationError(f"{self._description} is always there: assign DefaultValue to its settings")
        manager = self._manager
        with self._settings_lock:
            if self._deleted:
                return
            manager.check_started()
            self._deleted = True
            if self._stored:
                manager.discard(self._storage_key)
                manager.announce("CFGSettingsObjectWasDeleted", self)
                manager._realm.run(self._left)
        with manager._objects_lock:
            if manager._objects.get(self._storage_key) is self:
                del manager._objects[self._storage_key]
        self._write("delete", {})

    def _write(self, operation: str, modified: dict[str, ModifiedValue]) -> None:
        try:
            self._manager.save()
        except ConfigurationError as error:
            self._manager.announce(
                "CFGManagerSaveFailed",
                self._manager,
                object=self,
                operation=operation,
                modified=modified,
                exception=error,
            )
        self._manager.deliver()

    @property
    def _description(self) -> str:
        return type(self).__name__ if self.is_singleton() else f"{type(self).__name__} {self._id}"

    def __repr__(self) -> str:
        return f"<{self._description}>"


_instances: WeakSet[SettingsObject] = WeakSet()
_instances_lock = RLock()
