"""The settings themselves: descriptors that check what is assigned to them.

A setting lives in a `SettingsObject` or in one of its groups. It gives each value to its type, so what is
read is always of that type; what is assigned is pending until the object's `save()`.
"""

from __future__ import annotations

import builtins
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final, Generic, Literal, Self, TypeVar, overload

from sipsimple.configuration.datatypes.numeric import parse_boolean, parse_float, parse_integer
from sipsimple.configuration.datatypes.text import Password, parse_text

if TYPE_CHECKING:
    from sipsimple.configuration.group import SettingsState

T = TypeVar("T")
V = TypeVar("V")


class _Marker:
    __slots__ = ("_name",)

    def __init__(self, name: str) -> None:
        self._name = name

    def __repr__(self) -> str:
        return self._name

    def __reduce__(self) -> str:
        return self._name


#: Assigned to a setting, it puts the default back.
DefaultValue: Final[Any] = _Marker("DefaultValue")

#: Stands for "no value of its own" inside this package.
UNSET: Final[Any] = _Marker("UNSET")

# What Python's own types make of a value is too generous for a setting: bool('no'), str(None), int(1.9).
_STRICT: dict[Any, Callable[[Any], Any]] = {
    bool: parse_boolean,
    int: parse_integer,
    float: parse_float,
    str: parse_text,
}


def convert(type: Callable[[Any], V], value: Any) -> V:
    """The value as the type has it. Raises ValueError when the type refuses it."""
    strict = _STRICT.get(type)
    if strict is not None:
        result: V = strict(value)
        return result
    if value.__class__ is type:
        same: V = value
        return same
    try:
        return type(value)
    except TypeError as error:
        raise ValueError(str(error)) from None


def to_stored(value: Any) -> Any:
    """The value as a backend stores it: None, bool, int, float, str or a list of those.

    A Password, which is a str, remains one: a backend may keep secrets elsewhere.
    """
    if value is None or isinstance(value, bool | Password):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, tuple | list):
        return [to_stored(item) for item in value]
    return str(value)


class ModifiedValue:
    """How a setting changed: `old` and `new` value (in `modified` of `CFGSettingsObjectDidChange`)."""

    __slots__ = ("new", "old")

    def __init__(self, old: Any, new: Any) -> None:
        self.old = old
        self.new = new

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, ModifiedValue):
            return NotImplemented
        return bool(self.old == other.old and self.new == other.new)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{type(self).__name__}(old={self.old!r}, new={self.new!r})"


class Setting(Generic[T]):
    """A setting with a type, a default and a description.

    `type` is called with each value that is assigned or loaded and raises ValueError for a wrong one; `bool`,
    `int`, `float` and `str` are taken strictly. None is refused unless `nillable`. A default that must not be
    made at import (it is slow, or depends on the machine) is given as `default_factory`, called once when
    first needed. `doc` says in a sentence what the setting is for, with its unit.
    """

    #: False for settings that are never saved.
    stored: bool = True

    name: str
    type: Callable[[Any], T]
    nillable: bool
    doc: str
    default_factory: Callable[[], Any] | None

    @overload
    def __init__(
        self: Setting[V],
        type: builtins.type[V],
        default: object = ...,
        nillable: Literal[False] = False,
        *,
        doc: str = "",
        default_factory: Callable[[], object] | None = None,
    ) -> None: ...

    @overload
    def __init__(
        self: Setting[V | None],
        type: builtins.type[V],
        default: object = ...,
        nillable: bool = ...,
        *,
        doc: str = "",
        default_factory: Callable[[], object] | None = None,
    ) -> None: ...

    def __init__(
        self,
        type: Any,
        default: object = None,
        nillable: bool = False,
        *,
        doc: str = "",
        default_factory: Callable[[], object] | None = None,
    ) -> None:
        if not callable(type):
            raise TypeError(f"the type of a setting has to be callable, not {type!r}")
        self.name = ""
        self.type = type
        self.nillable = nillable
        self.doc = doc
        self.default_factory = default_factory
        self._default: Any = UNSET if default_factory is not None else self._parse_default(default)

    def __set_name__(self, owner: builtins.type, name: str) -> None:
        if name.startswith("_"):
            raise TypeError(f"{owner.__name__}.{name}: the name of a setting does not start with an underscore")
        if self.name and self.name != name:
            raise TypeError(f"{owner.__name__}.{name} is also named {self.name}: a setting has one name")
        self.name = name

    def __repr__(self) -> str:
        kind = builtins.type(self).__name__
        return f"<{kind} {self.name or 'without a name'}: {self.type_name}{' or None' if self.nillable else ''}>"

    def _parse_default(self, default: object) -> Any:
        try:
            return self.parse(default)
        except ValueError as error:
            raise TypeError(f"the default of a setting has to be a value that it accepts: {error}") from None

    @property
    def default(self) -> T:
        """The value of who never set one."""
        if self._default is UNSET:
            assert self.default_factory is not None
            self._default = self._parse_default(self.default_factory())
        default: T = self._default
        return default

    @property
    def type_name(self) -> str:
        """The type as documentation names it."""
        return getattr(self.type, "__name__", None) or repr(self.type)

    @property
    def secret(self) -> bool:
        """True if the value must not be shown."""
        return isinstance(self.type, builtins.type) and issubclass(self.type, Password)

    def parse(self, value: Any) -> T:
        """What the setting makes of a value, without setting it. Raises ValueError for a wrong one."""
        if value is None:
            if self.nillable:
                nothing: Any = None
                return nothing  # type: ignore[no-any-return]
            raise ValueError("None is not allowed")
        return convert(self.type, value)

    def check(self, instance: SettingsState, value: Any) -> None:
        """Raise ValueError if the value, right by itself, does not fit the other settings of the object."""

    def value_for(self, instance: SettingsState) -> T:
        """The value that the object or group has at the moment."""
        value = instance._values.get(self.name, UNSET)
        return self.default if value is UNSET else value

    @overload
    def __get__(self, instance: None, owner: builtins.type | None = None) -> Self: ...

    @overload
    def __get__(self, instance: object, owner: builtins.type | None = None) -> T: ...

    def __get__(self, instance: Any, owner: builtins.type | None = None) -> Self | T:
        if instance is None:
            return self
        return self.value_for(instance)

    def __set__(self, instance: Any, value: Any) -> None:
        state: SettingsState = instance
        with state._settings_lock:
            if value is DefaultValue:
                self._check_named(state, self.default)
                state._values.pop(self.name, None)
            else:
                try:
                    parsed = self.parse(value)
                except ValueError as error:
                    raise ValueError(f"{state._path_of(self.name)}: {error}") from None
                self._check_named(state, parsed)
                state._values[self.name] = parsed
            state._rejected.pop(self.name, None)

    def _check_named(self, state: SettingsState, value: Any) -> None:
        try:
            self.check(state, value)
        except ValueError as error:
            raise ValueError(f"{state._path_of(self.name)}: {error}") from None

    def __delete__(self, instance: object) -> None:
        raise AttributeError(f"{self.name} is a setting: assign DefaultValue to reset it")


class RuntimeSetting(Setting[T]):
    """A setting that is never saved: it has its default after each start. `save()` announces its changes too."""

    stored = False


class GeneratedSetting(Setting[T]):
    """A setting whose default is made once for each object and then kept, like an instance id.

    The value is made by `default_factory` when it is first read, and is saved with the object; an object that
    is in the storage already, and a singleton, save it at once.
    """

    def __init__(self, type: builtins.type[T], *, default_factory: Callable[[], object], doc: str = "") -> None:
        super().__init__(type, doc=doc, default_factory=default_factory)

    @property
    def default(self) -> T:
        assert self.default_factory is not None
        made: T = self._parse_default(self.default_factory())
        return made

    def value_for(self, instance: SettingsState) -> T:
        value = instance._values.get(self.name, UNSET)
        if value is UNSET:
            with instance._settings_lock:
                value = instance._values.get(self.name, UNSET)
                if value is UNSET:
                    value = instance._values[self.name] = self.default
        result: T = value
        return result


class CorrelatedSetting(Setting[T]):
    """A setting whose value has to fit that of a sibling, a setting of the same object or group.

    `validator(value, value_of_the_sibling)` raises ValueError when they do not go together. To exchange the
    values of two correlated settings, reset one of them first.
    """

    def __init__(
        self,
        type: builtins.type[T],
        sibling: str,
        default: object = None,
        nillable: bool = False,
        *,
        validator: Callable[[Any, Any], object],
        doc: str = "",
        default_factory: Callable[[], object] | None = None,
    ) -> None:
        init: Any = super().__init__
        init(type, default, nillable, doc=doc, default_factory=default_factory)
        self.sibling = sibling
        self.validator = validator

    def check(self, instance: SettingsState, value: Any) -> None:
        self.validator(value, getattr(instance, self.sibling))
