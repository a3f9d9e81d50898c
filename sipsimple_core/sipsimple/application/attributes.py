"""Attributes that have one value for a class and all its subclasses (APP-004, APP-005).

A `SharedAttribute` reads and writes the same value through `SIPApplication`, a subclass, or an instance of either;
`ApplicationType` is what makes writing to a class work. The value belongs to the realm.
"""

from __future__ import annotations

from typing import Any, Generic, TypeVar

from sipsimple.realm import Singleton

__all__ = ["ApplicationType", "SharedAttribute"]

T = TypeVar("T")


class _Values(metaclass=Singleton):
    """The values that were set in a realm."""

    def __init__(self) -> None:
        self.by_attribute: dict[SharedAttribute[Any], Any] = {}


class SharedAttribute(Generic[T]):
    """An attribute of a class with the metaclass `ApplicationType`; `default` is its value until it is set."""

    def __init__(self, default: T, doc: str) -> None:
        self.default = default
        self.__doc__ = doc

    def __get__(self, instance: object, owner: type | None = None) -> T:
        value: T = _Values().by_attribute.get(self, self.default)
        return value

    def __set__(self, instance: object, value: T) -> None:
        _Values().by_attribute[self] = value


class ApplicationType(Singleton):
    """Metaclass: a singleton in each realm, whose shared attributes can be set on the class too."""

    def __setattr__(cls, name: str, value: Any) -> None:
        for base in cls.__mro__:
            attribute = base.__dict__.get(name)
            if isinstance(attribute, SharedAttribute):
                attribute.__set__(None, value)
                return
        super().__setattr__(name, value)
