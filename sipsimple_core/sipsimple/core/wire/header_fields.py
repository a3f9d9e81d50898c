"""The header fields of a message: kept as lines, parsed at first access (RFC 3261 7.3).

A field that nobody touches is printed as it came. Values are asked for as text, by name, or as typed values, by class;
a typed value is parsed once and remembered until the fields change.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from sipsimple.core.wire.errors import SIPParseError
from sipsimple.core.wire.grammar import is_token, split_list, unfold
from sipsimple.core.wire.headers.base import MAX_LIST_ELEMENTS, BaseHeader
from sipsimple.core.wire.headers.names import KEYS, canonical_name, header_key

__all__ = ["HeaderFields", "HeaderValue"]

H = TypeVar("H", bound=BaseHeader)

HeaderValue = str | int | BaseHeader


class HeaderFields:
    """The header fields of one message, in their order. Names have no case, compact forms are known.

    index -- the values of each key (see header_key) as they stand on the wire; only to be read
    """

    # Three views of one list: the lines for printing, the key of each line, and for look-up the values of each key.
    __slots__ = ("_keys", "_lines", "_typed", "index")

    def __init__(self, fields: Iterable[tuple[str, HeaderValue] | BaseHeader] = ()) -> None:
        self._lines: list[str] = []
        self._keys: list[str] = []
        self.index: dict[str, list[str]] = {}
        self._typed: dict[Any, Any] = {}
        for field in fields:
            if isinstance(field, BaseHeader):
                self.add(field.name, field)
            else:
                self.add(*field)

    @classmethod
    def from_lines(cls, lines: list[str]) -> tuple[HeaderFields, list[str]]:
        """The fields that `lines` are (each may hold folds), and the lines that are no header field, if any."""
        self = cls.__new__(cls)
        index: dict[str, list[str]] = {}
        keys: list[str] = []
        strange: list[str] = []
        known = KEYS.get
        for line in lines:
            name, colon, value = line.partition(":")
            key = known(name)
            if key is None:
                key = header_key(name)
                if not colon or not is_token(key):
                    strange.append(line)
                    key = ""
            keys.append(key)
            values = index.get(key)
            if values is None:
                index[key] = [value]
            else:
                values.append(value)
        self._lines = lines
        self._keys = keys
        self.index = index
        self._typed = {}
        return self, strange

    def get(self, name: str, default: str | None = None) -> str | None:
        """The value of the first field of that name, on one line; `default` if there is none."""
        values = self.index.get(KEYS.get(name) or header_key(name))
        return unfold(values[0]) if values else default

    def getall(self, name: str) -> list[str]:
        """The values of all fields of that name, each on one line; commas part nothing here."""
        return [unfold(value) for value in self.index.get(header_key(name), ())]

    def elements(self, name: str) -> list[str]:
        """The elements of all fields of that name, as comma-separated lists; empty elements are left out."""
        values = self.index.get(header_key(name))
        if values is None:
            return []
        return [element for value in values for element in split_list(unfold(value)) if element]

    def first(self, header: type[H]) -> H | None:
        """The first value of that class; None if there is none. Raises SIPParseError."""
        typed = self._typed
        if header in typed:
            found: H | None = typed[header]
            return found
        values = self.index.get(header.key)
        if values is None:
            value = None
        else:
            text = unfold(values[0])
            if header.is_list and "," in text:
                text = split_list(text)[0]
            value = header.parse(text)
        typed[header] = value
        return value

    def all(self, header: type[H]) -> tuple[H, ...]:
        """All values of that class, from all fields of its name. Raises SIPParseError."""
        typed = self._typed
        key = (header,)
        if key in typed:
            found: tuple[H, ...] = typed[key]
            return found
        values: list[H] = []
        for text in self.index.get(header.key, ()):
            values += header.parse_list(unfold(text))
        if len(values) > MAX_LIST_ELEMENTS:
            raise SIPParseError(f"more than {MAX_LIST_ELEMENTS} values of {header.name}")
        typed[key] = result = tuple(values)
        return result

    def count(self, name: str) -> int:
        """How many fields of that name there are."""
        return len(self.index.get(header_key(name), ()))

    def set(self, name: str, value: HeaderValue) -> None:
        """Put `value` in place of the first field of that name and remove the others; append it if there is none."""
        key, line, text = _field(name, value)
        values = self.index.get(key)
        if values is None:
            self._append(key, line, text)
            return
        position = self._keys.index(key)
        self._lines[position] = line
        if len(values) > 1:
            self._drop(key, position + 1)
        self.index[key] = [text]
        self._typed.clear()

    def add(self, name: str, value: HeaderValue) -> None:
        """Append a field."""
        self._append(*_field(name, value))

    def prepend(self, name: str, value: HeaderValue) -> None:
        """Put a field before all others."""
        key, line, text = _field(name, value)
        self._lines.insert(0, line)
        self._keys.insert(0, key)
        self.index.setdefault(key, []).insert(0, text)
        self._typed.clear()

    def remove(self, name: str) -> None:
        """Remove all fields of that name."""
        key = header_key(name)
        if self.index.pop(key, None) is not None:
            self._drop(key, 0)
            self._typed.clear()

    def remove_first(self, header: type[BaseHeader]) -> None:
        """Remove the first value of that class, leaving the others of a comma-separated list."""
        values = self.index.get(header.key)
        if values is None:
            return
        position = self._keys.index(header.key)
        rest = split_list(unfold(values[0]))[1:] if header.is_list else []
        if rest:
            _, line, text = _field(header.name, ", ".join(rest))
            self._lines[position] = line
            values[0] = text
        else:
            del self._lines[position], self._keys[position], values[0]
            if not values:
                del self.index[header.key]
        self._typed.clear()

    def replace_first(self, header: BaseHeader) -> None:
        """Put `header` in place of the first value of its name (of a list's first element)."""
        self.remove_first(type(header))
        key, line, text = _field(header.name, header)
        position = self._keys.index(key) if key in self.index else 0
        self._lines.insert(position, line)
        self._keys.insert(position, key)
        self.index.setdefault(key, []).insert(0, text)
        self._typed.clear()

    def copy(self) -> HeaderFields:
        """A copy that may be changed without changing this one."""
        other = HeaderFields.__new__(HeaderFields)
        other._lines = list(self._lines)
        other._keys = list(self._keys)
        other.index = {key: list(values) for key, values in self.index.items()}
        other._typed = dict(self._typed)
        return other

    def lines(self) -> list[str]:
        """The lines as they are printed, without their ends."""
        return self._lines

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and header_key(name) in self.index

    def __iter__(self) -> Iterator[tuple[str, str]]:
        for line in self._lines:
            name, _, value = line.partition(":")
            yield name.strip(), unfold(value)

    def __len__(self) -> int:
        return len(self._lines)

    def __repr__(self) -> str:
        return f"<HeaderFields {self._keys}>"

    def _append(self, key: str, line: str, text: str) -> None:
        self._lines.append(line)
        self._keys.append(key)
        self.index.setdefault(key, []).append(text)
        if self._typed:
            self._typed.clear()

    def _drop(self, key: str, start: int) -> None:
        for position in range(len(self._keys) - 1, start - 1, -1):
            if self._keys[position] == key:
                del self._keys[position], self._lines[position]


def _field(name: str, value: HeaderValue) -> tuple[str, str, str]:
    """Key, line and value of a header field. Raises ValueError if it can't be one."""
    if isinstance(value, str):
        text = value
    elif isinstance(value, BaseHeader):
        text = value.body
    elif isinstance(value, int):
        text = str(value)
    else:
        raise TypeError(f"the value of {name} is to be text, a number or a header, not {type(value).__name__}")
    if "\n" in text or "\r" in text:
        raise ValueError(f"a line end in the value of {name}")
    if not text.isascii():
        text.encode("utf-8", "surrogateescape")  # raises UnicodeEncodeError, a ValueError, now rather than in sending
    key = KEYS.get(name)
    if key is None:
        key = header_key(name)
        if not is_token(key):
            raise ValueError(f"not a header name: {name!r}")
    return key, f"{canonical_name(name)}: {text}", text
