"""Declarations: every notification is declared once, with its sender and its data.

The reference documentation is made from them, and under test (`strict_notifications`) a notification that
does not keep to its declaration is refused where it is posted.
"""

from __future__ import annotations

import sys
import types
import typing
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

__all__ = [
    "Field",
    "NotificationDeclaration",
    "NotificationError",
    "declare_notification",
    "declared_notifications",
    "field",
    "strict_notifications",
]


class NotificationError(ValueError):
    """A notification that is not declared, or that does not carry what its declaration says."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field of a notification's data: what it may be, what it means, and whether it may be left out."""

    type: object
    doc: str
    optional: bool = False

    @property
    def type_name(self) -> str:
        """The type as documentation shows it."""
        if isinstance(self.type, type) and not isinstance(self.type, types.GenericAlias):
            return self.type.__name__
        return str(self.type).replace("typing.", "")

    def accepts(self, value: object) -> bool:
        return matches(value, self.type)


def field(type: object, doc: str, optional: bool = False) -> Field:
    """Describe a field for `declare_notification`.

    `type` is a class, a union (`str | None`), `typing.Any`, a generic of these (`list[str]`), or a string
    where importing the class would cost too much: names of classes, with or without their module, separated
    by '|', as in 'FrozenSDPSession | None'. By a name, subclasses are accepted, and any class that is named
    so. An interface accepts what provides it.
    `optional` says that the field may be left out, not that it may be None.
    """
    return Field(type, doc, optional)


@dataclass(frozen=True, slots=True)
class NotificationDeclaration:
    """A notification as it was declared. `sender` names the class of the sender, None if there is none."""

    name: str
    sender: str | None
    doc: str
    fields: Mapping[str, Field]
    module: str

    def check(self, data: object) -> None:
        """Raise NotificationError if `data` is not what was declared; `timestamp` is always allowed."""
        given = vars(data)
        fields = self.fields
        for name in given:
            if name not in fields and name != "timestamp":
                raise NotificationError(f"{self.name} is declared without the field {name!r}")
        for name, declared in fields.items():
            if name not in given:
                if not declared.optional:
                    raise NotificationError(f"{self.name} is posted without its field {name!r}")
            elif not declared.accepts(given[name]):
                found = type(given[name]).__name__
                raise NotificationError(f"{name!r} of {self.name} is {declared.type_name}, not {found}")


_declarations: dict[str, NotificationDeclaration] = {}


def declare_notification(name: str, sender: str | None, doc: str, /, **fields: Field) -> NotificationDeclaration:
    """Declare a notification, next to the code that posts it.

    `timestamp` is in the data of all of them and is not listed. A module may be loaded anew; two differing
    declarations of one name raise ValueError.
    """
    module = str(sys._getframe(1).f_globals.get("__name__", "?"))
    declaration = NotificationDeclaration(name, sender, doc, types.MappingProxyType(dict(fields)), module)
    known = _declarations.get(name)
    if known is not None and (known.sender, known.fields) != (sender, fields):
        raise ValueError(f"the notification {name} is declared twice, in {known.module} and in {module}")
    _declarations[name] = declaration
    return declaration


def declared_notifications() -> Mapping[str, NotificationDeclaration]:
    """The declarations of all modules imported so far, by name."""
    return types.MappingProxyType(_declarations)


def _check(name: str, data: object) -> None:
    declaration = _declarations.get(name)
    if declaration is None:
        raise NotificationError(f"the notification {name} is posted but not declared")
    declaration.check(data)


class Strictness:
    """The check that the center makes of each notification, None when it makes none."""

    __slots__ = ("check",)

    def __init__(self) -> None:
        self.check: Callable[[str, object], None] | None = None

    def set(self, strict: bool) -> None:
        self.check = _check if strict else None


strictness = Strictness()


@contextmanager
def strict_notifications(strict: bool = True) -> Iterator[None]:
    """Within it, a notification that does not keep to its declaration raises NotificationError at its poster.

    It holds for the whole process; the pytest plugin switches it on for every test.
    """
    previous = strictness.check
    strictness.set(strict)
    try:
        yield
    finally:
        strictness.check = previous


def matches(value: object, declared: object) -> bool:
    """Whether `value` is of the declared type; of the elements of a list or a tuple too."""
    if declared is typing.Any or declared is object:
        return True
    if declared is None:
        return value is None
    if isinstance(declared, str):
        return any(_is_named(value, name.strip()) for name in declared.split("|"))
    origin = typing.get_origin(declared)
    if origin is types.UnionType or origin is typing.Union:
        return any(matches(value, member) for member in typing.get_args(declared))
    if origin is typing.Literal:
        return value in typing.get_args(declared)
    if origin is not None:
        return isinstance(value, origin) and _elements_match(value, origin, typing.get_args(declared))
    if declared is int or declared is float:
        # bool is an int to Python, and a float that happens to be whole is often written as one.
        return not isinstance(value, bool) and isinstance(value, int if declared is int else (int, float))
    provided_by = getattr(declared, "providedBy", None)
    if provided_by is not None:
        return bool(provided_by(value))
    return isinstance(value, typing.cast(type, declared))


def _elements_match(value: object, origin: object, arguments: tuple[object, ...]) -> bool:
    if origin is tuple and not (len(arguments) == 2 and arguments[1] is ...):
        items = typing.cast("tuple[object, ...]", value)
        return len(items) == len(arguments) and all(map(matches, items, arguments))
    if isinstance(value, (list, tuple, set, frozenset)):
        return all(matches(item, arguments[0]) for item in value)
    return True


def _is_named(value: object, name: str) -> bool:
    if name == "None":
        return value is None
    name = name.rpartition(".")[2]
    return any(name == cls.__name__ for cls in type(value).__mro__)
