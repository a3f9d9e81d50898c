"""Extensions: how plugins and applications add settings to classes that others wrote."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from threading import RLock
from typing import TYPE_CHECKING, Any, ClassVar, Self, cast

from sipsimple.configuration.group import (
    RESERVED_NAMES,
    SettingsGroup,
    SettingsState,
    forget_declarations,
    prepare_class,
)
from sipsimple.configuration.setting import Setting

log = logging.getLogger("sipsimple.configuration")

if TYPE_CHECKING:
    from sipsimple.configuration.settings_object import SettingsObject

    Extended = type[SettingsObject] | str

_lock = RLock()
_classes: dict[str, type[SettingsObject]] = {}
_waiting: dict[str, list[type[SettingsObjectExtension]]] = {}
_registered: dict[type, list[type[SettingsObjectExtension]]] = {}


class SettingsObjectExtension:
    """Settings and groups to be added to an existing class of settings objects.

        class MSRPAccountExtension(SettingsObjectExtension, extends=Account):
            msrp = MSRPSettings()

    `extends` is a class, its name (`'BonjourAccount'`: it need not be there, or not yet), or a tuple of
    those. A plugin returns such classes from its hook `sipsimple_settings`; an application calls
    `Account.register_extension(AccountExtension)`, for which `extends` is not needed.

    A group that the class has already gets the settings of the extension's group added. A setting that the
    class has already may be declared again, to change its default or its documentation, with the same type or
    a subclass of it, and not nillable if it was not. Properties and methods are added under names that are
    free.

    `MSRPAccountExtension.of(account)` is the account itself, for a type checker with the extension's
    attributes.
    """

    extended_classes: ClassVar[tuple[Extended, ...]] = ()

    def __init_subclass__(cls, *, extends: Extended | tuple[Extended, ...] = (), **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        prepare_class(cls)
        if extends:
            cls.extended_classes = extends if isinstance(extends, tuple) else (extends,)

    def __init__(self) -> None:
        raise TypeError("an extension is not instantiated: it is registered with the class that it extends")

    @classmethod
    def of(cls, settings_object: SettingsObject) -> Self:
        """The object that was given, typed as having what this extension adds."""
        return cast(Self, settings_object)

    @classmethod
    def iter_settings(cls) -> Iterator[tuple[str, Setting[Any]]]:
        """The settings that this extension adds or changes, with their dotted names."""
        for name, attribute in _contents(cls).items():
            if isinstance(attribute, SettingsGroup):
                yield from type(attribute).iter_settings(f"{name}.")
            elif isinstance(attribute, Setting):
                yield name, attribute


def extensions_of(cls: type[SettingsObject]) -> tuple[type[SettingsObjectExtension], ...]:
    """The extensions of the class and of those that it is derived from, in the order of their registration."""
    with _lock:
        return tuple(extension for base in cls.__mro__ for extension in _registered.get(base, ()))


def add_class(cls: type[SettingsObject]) -> None:
    """A class of settings objects was made: extensions that wait for it by its name are applied."""
    with _lock:
        if _classes.setdefault(cls.__name__, cls) is cls:
            for extension in _waiting.pop(cls.__name__, ()):
                try:
                    apply_extension(cls, extension)
                except (ValueError, TypeError) as error:
                    log.error("%s can't extend %s: %s", extension.__qualname__, cls.__name__, error)


def register_with(extended: Extended, extension: type[SettingsObjectExtension]) -> None:
    """Register the extension with a class, or with the class of that name as soon as there is one."""
    if isinstance(extended, str):
        with _lock:
            cls = _classes.get(extended)
            if cls is None:
                waiting = _waiting.setdefault(extended, [])
                if extension not in waiting:
                    waiting.append(extension)
                return
        extended = cls
    extended.register_extension(extension)


def register_plugin_settings() -> None:
    """Ask the plugins for their settings (hook `sipsimple_settings`). Those of a plugin that errs are left out."""
    from sipsimple.plugins import PluginManager

    manager = PluginManager()
    for plugin, result in manager.call_each("sipsimple_settings"):
        try:
            for extended, extension in _registrations(result):
                register_with(extended, extension)
        except (ValueError, TypeError) as error:
            manager.report(plugin, f"its settings cannot be added: {error}", error)


def _registrations(result: Any) -> Iterator[tuple[Extended, type[SettingsObjectExtension]]]:
    """What a plugin returned: extensions that say what they extend, or pairs of a class's name and an extension."""
    for item in result:
        if isinstance(item, tuple):
            extended, extension = item
            yield extended, extension
        elif isinstance(item, type) and issubclass(item, SettingsObjectExtension) and item.extended_classes:
            for extended in item.extended_classes:
                yield extended, item
        else:
            raise TypeError(f"{item!r} does not say what it extends")


def apply_extension(cls: type[SettingsObject], extension: type[SettingsObjectExtension]) -> bool:
    """Add the extension's settings to the class. False if they were there already."""
    if not (isinstance(extension, type) and issubclass(extension, SettingsObjectExtension)):
        raise TypeError(f"{extension!r} is not a SettingsObjectExtension")
    with _lock:
        if any(extension in _registered.get(base, ()) for base in cls.__mro__):
            return False
        added = {
            name: _combine(f"{cls.__name__}.{name}", cls, name, attribute)
            for name, attribute in _contents(extension).items()
        }
        for name, attribute in added.items():
            setattr(cls, name, attribute)
            if isinstance(attribute, SettingsGroup) and not attribute._name:
                attribute.__set_name__(cls, name)
        _registered.setdefault(cls, []).append(extension)
        forget_declarations()
        return True


def _contents(extension: type[SettingsObjectExtension]) -> dict[str, Any]:
    contents: dict[str, Any] = {}
    for base in reversed(extension.__mro__):
        if issubclass(base, SettingsObjectExtension) and base is not SettingsObjectExtension:
            contents.update(vars(base))
    own = vars(SettingsObjectExtension)
    return {name: attribute for name, attribute in contents.items() if not name.startswith("__") and name not in own}


def _combine(path: str, cls: type[SettingsState], name: str, added: Any) -> Any:
    """What the class is to have under that name. Raises ValueError if the two don't go together."""
    if name in RESERVED_NAMES:
        raise ValueError(f"{path}: that name is taken by the settings object")
    existing = cls.declared().get(name)
    if existing is None:
        if hasattr(cls, name):
            raise ValueError(f"{path} is there already, and is no setting")
        return added
    if isinstance(existing, SettingsGroup) and isinstance(added, SettingsGroup):
        return _merged_group(path, type(existing), type(added))()
    if isinstance(existing, Setting) and isinstance(added, Setting):
        _check_redefinition(path, existing, added)
        return added
    raise ValueError(f"{path} is a {type(existing).__name__}, it can't become a {type(added).__name__}")


def _merged_group(path: str, existing: type[SettingsGroup], added: type[SettingsGroup]) -> type[SettingsGroup]:
    if issubclass(existing, added):
        return existing
    contents = {
        name: _combine(f"{path}.{name}", existing, name, attribute)
        for name, attribute in added.declared().items()
        if attribute is not existing.declared().get(name)
    }
    if issubclass(added, existing):
        return added
    contents["__doc__"] = existing.__doc__
    contents["__module__"] = existing.__module__
    return type(existing.__name__, (added, existing), contents)


def _check_redefinition(path: str, existing: Setting[Any], added: Setting[Any]) -> None:
    same_type = existing.type is added.type
    if not same_type:
        both_classes = isinstance(existing.type, type) and isinstance(added.type, type)
        same_type = both_classes and issubclass(cast(type, added.type), cast(type, existing.type))
    if not same_type:
        raise ValueError(f"{path} is a {existing.type_name}, it can't become a {added.type_name}")
    if added.nillable and not existing.nillable:
        raise ValueError(f"{path} is never None, it can't become nillable")
    if added.stored is not existing.stored:
        raise ValueError(f"{path} is {'' if existing.stored else 'never '}stored, that can't be changed")
