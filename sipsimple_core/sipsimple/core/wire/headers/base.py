"""What all header values have in common, and the header that nothing more is known of (RFC 3261 7.3)."""

from __future__ import annotations

from typing import ClassVar, Self

from sipsimple.core.wire.errors import SIPParseError
from sipsimple.core.wire.grammar import is_token, split_list, unfold
from sipsimple.core.wire.headers.names import canonical_name, header_key
from sipsimple.core.wire.value import Frozen, Mutable, Value

__all__ = ["BaseHeader", "FrozenHeader", "Header", "header_type", "parse_header"]

MAX_LIST_ELEMENTS = 100  # values in one header of a message that are looked at

_frozen_types: dict[str, type[BaseHeader]] = {}


class BaseHeader(Value):
    """A header field.

    name -- as it is printed ('Via')
    key -- in lower case, the same for all spellings
    is_list -- whether a header field may hold several of these, parted by commas
    """

    __slots__ = ()

    name: str
    key: ClassVar[str] = ""
    is_list: ClassVar[bool] = False

    def __init_subclass__(cls, **kwargs: object) -> None:
        super().__init_subclass__(**kwargs)
        name = cls.__dict__.get("name")
        if isinstance(name, str):
            cls.key = header_key(name)
        if cls._frozen_type is cls and cls.key:
            _frozen_types[cls.key] = cls

    @property
    def body(self) -> str:
        """The header's value as it is printed."""
        raise NotImplementedError

    @classmethod
    def parse(cls, text: str) -> Self:
        """The header whose value is `text` (on one line, without the name). Raises SIPParseError."""
        raise NotImplementedError

    @classmethod
    def parse_lazily(cls, text: str) -> Self:
        """The same, but URI and parameters, if it has any, are not looked at before somebody asks for them."""
        return cls.parse(text)

    @classmethod
    def parse_list(cls, text: str) -> list[Self]:
        """The headers in `text`: those that commas part if this header can be a list, else one. Lazily parsed."""
        if not cls.is_list or "," not in text:
            return [cls.parse_lazily(text)]
        elements = split_list(text)
        if len(elements) > MAX_LIST_ELEMENTS:
            raise SIPParseError(f"more than {MAX_LIST_ELEMENTS} values of {cls.name}")
        return [cls.parse_lazily(element) for element in elements]

    def __str__(self) -> str:
        return f"{self.name}: {self.body}"

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.body!r}>"


class _BaseAnyHeader(BaseHeader):
    """A header field as text: `name` and `body`."""

    __slots__ = ("_body", "name")
    _fields = ("name", "body")

    name: str

    def __init__(self, name: str, body: str) -> None:
        if not is_token(name):
            raise ValueError(f"not a header name: {name!r}")
        if "\n" in body or "\r" in body:
            raise ValueError("a line end in the body of a header")
        self.name = name
        self._body = body

    @property
    def body(self) -> str:
        return self._body

    def _key(self) -> tuple[str, str]:
        return header_key(self.name), self._body


class Header(Mutable, _BaseAnyHeader):
    """A header field of any name, as text."""

    __slots__ = ()

    @property
    def body(self) -> str:
        return self._body

    @body.setter
    def body(self, body: str) -> None:
        self._body = body


class FrozenHeader(Frozen, _BaseAnyHeader, of=Header):
    """A header field of any name, as text; hashable."""

    __slots__ = ()


def header_type(name: str) -> type[BaseHeader] | None:
    """The frozen class of header fields of this name (compact or not); None if they are kept as text."""
    return _frozen_types.get(header_key(name))


def parse_header(name: str, text: str) -> list[BaseHeader]:
    """The frozen header values of the field `name: text`; one FrozenHeader if the name is not known."""
    known = header_type(name)
    text = unfold(text)
    if known is None:
        return [FrozenHeader(canonical_name(name), text)]
    return [known.parse(element) for element in (split_list(text) if known.is_list else [text])]
