"""Mutable and frozen variants of one value, from one description.

A kind of value (a URI, a header, an SDP line) is described once, in a base class: its slots, its constructor, how
it is parsed and printed. Two empty classes derive from it::

    class BaseCSeqHeader(BaseHeader): ...                       # all the code
    class CSeqHeader(Mutable, BaseCSeqHeader): ...              # attributes may be set; not hashable
    class FrozenCSeqHeader(Frozen, BaseCSeqHeader, of=CSeqHeader): ...  # they may not; hashable

Theory of operation: `__setattr__` that always raises would be in the way of the constructor, and going round it for
each attribute makes building a frozen value three times as dear. So every frozen class has a hidden subclass, its
*open* class, in which attributes may be set. A value is built as an instance of the open class and then sealed by
giving it its real class, which costs one assignment. For a mutable class the open class is the class itself.
"""

from __future__ import annotations

import types
from collections.abc import Iterator
from typing import Any, ClassVar, NoReturn, Self

__all__ = ["Frozen", "Mutable", "Value", "freeze", "thaw"]


class Value:
    """What all values of the wire layer have in common. `_fields` are the constructor's arguments in their order."""

    __slots__ = ()

    _fields: ClassVar[tuple[str, ...]] = ()
    _open: ClassVar[Any] = None
    _frozen_type: ClassVar[Any] = None
    _mutable_type: ClassVar[Any] = None

    @classmethod
    def new(cls, other: Value) -> Self:
        """A value of this class with the content of `other`, which is of this kind (mutable or frozen)."""
        if other._mutable_type is not cls._mutable_type:
            raise TypeError(
                f"{cls.__name__}.new() takes a {cls._mutable_type.__name__}, frozen or not, "
                f"not a {type(other).__name__}"
            )
        return cls(*[getattr(other, field) for field in other._fields])

    def frozen(self) -> Any:
        """The frozen variant of this value."""
        return self._frozen_type.new(self)

    def thawed(self) -> Any:
        """A mutable copy of this value."""
        return self._mutable_type.new(self)

    def _own(self, value: Any) -> Any:
        """`value` as this object may keep it: frozen in a frozen object, mutable in a mutable one."""
        raise NotImplementedError

    def _key(self) -> tuple[Any, ...]:
        """What equality and hash are about."""
        return tuple([freeze(getattr(self, field)) for field in self._fields])

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if isinstance(other, Value) and other._mutable_type is self._mutable_type:
            return self._key() == other._key()
        return NotImplemented

    def __repr__(self) -> str:
        arguments = ", ".join([f"{field}={getattr(self, field)!r}" for field in self._fields])
        return f"{type(self).__name__}({arguments})"

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), tuple([getattr(self, field) for field in self._fields])

    def __replace__(self, **changes: Any) -> Self:
        arguments = {field: getattr(self, field) for field in self._fields}
        return type(self)(**{**arguments, **changes})

    replace = __replace__


class Mutable(Value):
    """Mixin of the mutable variants."""

    __slots__ = ()

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls._open = cls._mutable_type = cls

    @classmethod
    def new(cls, other: Value) -> Self:
        copy = super().new(other)
        for field in cls._fields:
            value = getattr(copy, field)
            if isinstance(value, Mutable):
                setattr(copy, field, value.thawed())
            elif isinstance(value, list):
                value[:] = [item.thawed() if isinstance(item, Mutable) else item for item in value]
        return copy

    def _own(self, value: Any) -> Any:
        return thaw(value)


class Frozen(Value):
    """Mixin of the frozen variants. The class argument `of` names the mutable variant."""

    __slots__ = ()

    def __init_subclass__(cls, of: type[Mutable] | None = None, sealed: bool = True, **kwargs: Any) -> None:
        if of is None or not sealed:
            super().__init_subclass__(**kwargs)
            return
        cls._mutable_type = of
        cls._frozen_type = of._frozen_type = cls
        super().__init_subclass__(**kwargs)
        initialize = cls.__init__

        def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
            initialize(self, *args, **kwargs)
            self.__class__ = cls

        namespace = {
            "__slots__": (),
            "__setattr__": object.__setattr__,
            "__delattr__": object.__delattr__,
            "__init__": __init__,
            "__module__": cls.__module__,
        }
        cls._open = types.new_class(
            "_Open" + cls.__name__, (cls,), {"sealed": False}, lambda body: body.update(namespace)
        )

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        blank: Self = object.__new__(cls._open)
        return blank

    @classmethod
    def new(cls, other: Value) -> Self:
        return other if type(other) is cls else super().new(other)

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError(
            f"{type(self).__name__} is frozen: make a {self._mutable_type.__name__} of it "
            f"with {self._mutable_type.__name__}.new() and set {name!r} there"
        )

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is frozen")

    def __hash__(self) -> int:
        return hash(self._key())

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self

    def _own(self, value: Any) -> Any:
        return freeze(value)


def freeze(value: Any) -> Any:
    """`value` with everything in it frozen."""
    if hasattr(value, "frozen"):
        return value.frozen()
    if isinstance(value, (list, tuple, Iterator)):
        return tuple([freeze(item) for item in value])
    return value


def thaw(value: Any) -> Any:
    """`value` with everything in it mutable. A value that is mutable already is kept, not copied; lists are new."""
    if isinstance(value, Frozen) or (hasattr(value, "thawed") and not isinstance(value, Value)):
        return value.thawed()
    if isinstance(value, (list, tuple, Iterator)):
        return [thaw(item) for item in value]
    return value
