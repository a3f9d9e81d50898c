"""Groups of settings, and what groups and settings objects have in common: values, pending and saved."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Mapping
from threading import RLock
from typing import Any, Self, overload

from sipsimple.configuration.setting import UNSET, GeneratedSetting, ModifiedValue, Setting, to_stored

log = logging.getLogger("sipsimple.configuration")

Declared = dict[str, "Setting[Any] | SettingsGroup"]

_declared: dict[type, Declared] = {}


def forget_declarations() -> None:
    """A class got settings after it was made: what was known of it and its subclasses is out of date."""
    # By a new dictionary: what is being found out at this moment goes into the old one.
    global _declared
    _declared = {}


class SettingsState:
    """Settings and groups of settings by name, with their values.

    Three dictionaries hold only what differs from the defaults: `_values` what reading a setting gives,
    `_saved` what the last save() made effective, `_rejected` the stored values that their types refuse (kept
    in the storage until somebody sets another, so that a slip of a person who edits the file is not thrown
    away).
    """

    _values: dict[str, Any]
    _saved: dict[str, Any]
    _rejected: dict[str, Any]
    _groups: dict[str, SettingsGroup]
    _settings_lock: Any

    @classmethod
    def declared(cls) -> Declared:
        """The settings and groups of the class by name, in the order in which they were declared."""
        known = _declared
        declared = known.get(cls)
        if declared is None:
            declared = {}
            for base in reversed(cls.__mro__):
                for name, attribute in vars(base).items():
                    if isinstance(attribute, Setting | SettingsGroup):
                        declared[name] = attribute
                    else:
                        declared.pop(name, None)
            known[cls] = declared
        return declared

    @classmethod
    def iter_settings(cls, prefix: str = "") -> Iterator[tuple[str, Setting[Any]]]:
        """All settings of the class with their dotted names, those of the groups and of the extensions included."""
        for name, declared in cls.declared().items():
            if isinstance(declared, SettingsGroup):
                yield from type(declared).iter_settings(f"{prefix}{name}.")
            else:
                yield f"{prefix}{name}", declared

    def _init_state(self, lock: Any) -> None:
        # By way of the instance's dictionary: a group refuses attributes that are no settings.
        vars(self).update(_values={}, _saved={}, _rejected={}, _groups={}, _settings_lock=lock)

    def _path_of(self, name: str) -> str:
        raise NotImplementedError

    def _children(self) -> Iterator[tuple[str, SettingsGroup]]:
        for name, declared in self.declared().items():
            if isinstance(declared, SettingsGroup):
                yield name, getattr(self, name)

    def _settings(self) -> Iterator[tuple[str, Setting[Any]]]:
        for name, declared in self.declared().items():
            if not isinstance(declared, SettingsGroup):
                yield name, declared

    def _load(self, stored: Mapping[str, Any]) -> None:
        """Take over what is stored; what was assigned and not saved yet stays, and so does what is never stored."""
        settings = dict(self._settings())
        kept = {name: value for name, value in self._saved.items() if name in settings and not settings[name].stored}
        pending = {
            name: self._values.get(name, UNSET)
            for name in self._values.keys() | self._saved.keys()
            if self._values.get(name, UNSET) is not self._saved.get(name, UNSET)
            and not (name in stored and isinstance(settings.get(name), GeneratedSetting))
        }
        loaded = dict(kept)
        self._rejected.clear()
        for name, setting in settings.items():
            if setting.stored and name in stored:
                try:
                    loaded[name] = setting.parse(stored[name])
                except ValueError as error:
                    self._reject(name, stored[name], error)
        _replace(self._values, loaded)
        for name, value in list(loaded.items()):
            try:
                settings[name].check(self, value)
            except ValueError as error:
                self._reject(name, stored.get(name), error)
                del self._values[name], loaded[name]
        _replace(self._saved, loaded)
        for name, value in pending.items():
            if value is UNSET:
                self._values.pop(name, None)
            else:
                self._values[name] = value
        for name, group in self._children():
            subtree = stored.get(name, {})
            if not isinstance(subtree, Mapping):
                log.warning("%s: a group of settings was expected, it is ignored", self._path_of(name))
                subtree = {}
            group._load(subtree)

    def _reject(self, name: str, value: Any, error: ValueError) -> None:
        log.warning("%s: the stored value is ignored: %s", self._path_of(name), error)
        self._rejected[name] = value

    def _merge_into(self, stored: Mapping[str, Any]) -> dict[str, Any]:
        """The tree to store: the saved values, and all that is stored and belongs to nobody who is installed."""
        tree = dict(stored)
        for name, setting in self._settings():
            if not setting.stored:
                continue
            if name in self._saved:
                tree[name] = to_stored(self._saved[name])
            elif name not in self._rejected:
                tree.pop(name, None)
        for name, group in self._children():
            below = stored.get(name)
            is_group = isinstance(below, Mapping)
            subtree = group._merge_into(below if isinstance(below, Mapping) else {})
            if subtree:
                tree[name] = subtree
            elif is_group:
                del tree[name]
        return tree

    def _take_changes(self, prefix: str, only: str | None, modified: dict[str, ModifiedValue]) -> None:
        """Make what was assigned effective, and note in `modified` what differs by it."""
        for name, setting in self._settings():
            if only is not None and only != f"{prefix}{name}":
                continue
            old = self._saved.get(name, UNSET)
            new = self._values.get(name, UNSET)
            if old is new:
                continue
            if new is UNSET:
                del self._saved[name]
            else:
                self._saved[name] = new
            change = ModifiedValue(_effective(setting, old), _effective(setting, new))
            if change.old != change.new:
                modified[f"{prefix}{name}"] = change
        for name, group in self._children():
            group._take_changes(f"{prefix}{name}.", only, modified)

    def _saved_value(self, name: str) -> Any:
        setting = self.declared()[name]
        assert isinstance(setting, Setting)
        return _effective(setting, self._saved.get(name, UNSET))


def _replace(values: dict[str, Any], new: dict[str, Any]) -> None:
    # In place and without a moment in which a reader would see a default where there is a value.
    values.update(new)
    for name in values.keys() - new.keys():
        del values[name]


def _effective(setting: Setting[Any], value: Any) -> Any:
    if value is not UNSET:
        return value
    # A generated value that does not exist yet is nothing to anybody.
    return None if isinstance(setting, GeneratedSetting) else setting.default


RESERVED_NAMES = frozenset(
    {
        "declared",
        "delete",
        "extensions",
        "id",
        "is_singleton",
        "iter_settings",
        "register_extension",
        "save",
        "save_setting",
        "saved_value",
    }
)


def prepare_class(cls: type) -> None:
    """What every class with settings goes through when it is made: groups given as classes become instances."""
    for name, attribute in list(vars(cls).items()):
        if isinstance(attribute, type) and issubclass(attribute, SettingsGroup):
            attribute = attribute()
            attribute.__set_name__(cls, name)
            setattr(cls, name, attribute)
        if isinstance(attribute, Setting | SettingsGroup) and name in RESERVED_NAMES:
            raise TypeError(f"{cls.__name__}.{name}: that name is taken by the settings object")


class SettingsGroup(SettingsState):
    """A named group of settings inside a settings object or inside another group.

    A subclass declares the settings; an instance of it in a class body gives the group its name:

        class LogsSettings(SettingsGroup):
            trace_sip = Setting(bool, False, doc='Post each SIP message as a notification.')

        class SIPSimpleSettings(SettingsObject):
            logs = LogsSettings()
    """

    _parent: SettingsState | None
    _name: str

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        prepare_class(cls)

    def __init__(self) -> None:
        vars(self).update(_parent=None, _name="")
        self._init_state(RLock())

    def __set_name__(self, owner: type, name: str) -> None:
        if name.startswith("_"):
            raise TypeError(f"{owner.__name__}.{name}: the name of a group does not start with an underscore")
        vars(self)["_name"] = name

    @overload
    def __get__(self, instance: None, owner: type | None = None) -> Self: ...

    @overload
    def __get__(self, instance: object, owner: type | None = None) -> Self: ...

    def __get__(self, instance: Any, owner: type | None = None) -> Self:
        if instance is None:
            return self
        group = instance._groups.get(self._name)
        if group is None or type(group) is not type(self):
            group = self._bind(instance, group)
        bound: Self = group
        return bound

    def _bind(self, parent: SettingsState, former: SettingsGroup | None) -> Self:
        with parent._settings_lock:
            # Another thread was faster.
            group = parent._groups.get(self._name)
            if group is not None and type(group) is type(self):
                return group
            group = type(self)()
            vars(group).update(_parent=parent, _name=self._name, _settings_lock=parent._settings_lock)
            if former is not None:
                # An extension gave the group a new class: it is the same group, with the values that it had.
                state = vars(former)
                vars(group).update({name: state[name] for name in ("_values", "_saved", "_rejected", "_groups")})
                for child in group._groups.values():
                    vars(child)["_parent"] = group
            parent._groups[self._name] = group
            return group

    def __set__(self, instance: object, value: object) -> None:
        raise AttributeError(f"{self._name} is a group of settings: assign to the settings in it")

    def __setattr__(self, name: str, value: object) -> None:
        if name not in self.declared():
            raise AttributeError(f"{self._path_of(name)}: there is no such setting")
        if self._parent is None:
            raise AttributeError(f"{self._path_of(name)} belongs to a class: settings are set on objects")
        super().__setattr__(name, value)

    def _path_of(self, name: str) -> str:
        if self._parent is None:
            return f"{type(self).__name__}.{name}"
        return f"{self._parent._path_of(self._name)}.{name}"

    def __repr__(self) -> str:
        path = type(self).__name__ if self._parent is None else self._parent._path_of(self._name)
        return f"<settings {path}: {', '.join(self.declared())}>"
