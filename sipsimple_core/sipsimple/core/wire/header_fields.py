"""The header fields of a message: kept as lines, parsed at first access (RFC 3261 7.3).

A field that nobody touches is printed as it came. Values are asked for as text, by name, or as typed values, by class;
a typed value is parsed once and remembered until the fields change.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any, TypeVar

from sipsimple.core.wire.errors import SIPParseError
from sipsimple.core.wire.grammar import split_list, unfold
from sipsimple.core.wire.headers.base import MAX_LIST_ELEMENTS, BaseHeader
from sipsimple.core.wire.headers.names import KEYS, canonical_name

__all__ = ["HeaderFields", "HeaderValue"]

H = TypeVar("H", bound=BaseHeader)

_new = object.__new__

HeaderValue = str | int | BaseHeader


class HeaderFields:
    """The header fields of one message, in their order. Names have no case, compact forms are known.

    index -- the values of each key (see header_key) as they stand on the wire; only to be read
    """

    # Two views of one list: the lines with their CR, for printing, and for look-up the values of each key.
    __slots__ = ("_lines", "_lists", "_typed", "index")

    def __init__(self, fields: Iterable[tuple[str, HeaderValue] | BaseHeader] = ()) -> None:
        self._lines: list[str] = []
        self.index: dict[str, list[str]] = {}
        self._typed: dict[type[BaseHeader], Any] = {}  # first values
        self._lists: dict[type[BaseHeader], Any] = {}  # all values
        for field in fields:
            if isinstance(field, BaseHeader):
                self.add(field.name, field)
            else:
                self.add(*field)

    @classmethod
    def from_lines(cls, lines: list[str]) -> tuple[HeaderFields, bool]:
        """The fields that `lines` are, folded or not, and whether all of them have a name.

        A line is what is before an LF; its CR, which every line should have, is kept with it.
        """
        index: dict[str, list[str]] = {}
        keys, setdefault = KEYS, index.setdefault
        for line in lines:
            name, _, value = line.partition(":")
            setdefault(keys[name], []).append(value)
        strange = index.pop("", None) is not None
        if strange:
            if any(line[:1] in (" ", "\t") for line in lines[1:]):
                return cls.from_lines(_join_folds(lines))
            lines = [line for line in lines if line.strip("\r")]  # printed, an empty line would end the header
        self = _new(cls)
        self._lines = lines
        self.index = index
        self._typed = {}
        self._lists = {}
        return self, not strange

    def get(self, name: str, default: str | None = None) -> str | None:
        """The value of the first field of that name, on one line; `default` if there is none."""
        values = self.index.get(KEYS[name])
        if values is None:
            return default
        return unfold(values[0])

    def getall(self, name: str) -> list[str]:
        """The values of all fields of that name, each on one line; commas part nothing here."""
        return [unfold(value) for value in self.index.get(KEYS[name], ())]

    def elements(self, name: str) -> list[str]:
        """The elements of all fields of that name, as comma-separated lists; empty elements are left out."""
        values = self.index.get(KEYS[name])
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
            text = values[0].strip()
            if "\n" in text or "\r" in text:
                text = unfold(text)
            if "," in text and header.is_list:
                text = split_list(text)[0]
            value = header.parse_lazily(text)
        typed[header] = value
        return value

    def all(self, header: type[H]) -> tuple[H, ...]:
        """All values of that class, from all fields of its name. Raises SIPParseError."""
        lists = self._lists
        if header in lists:
            found: tuple[H, ...] = lists[header]
            return found
        texts = self.index.get(header.key, ())
        if len(texts) == 1:
            values = header.parse_list(unfold(texts[0]))
        else:
            values = [value for text in texts for value in header.parse_list(unfold(text))]
            if len(values) > MAX_LIST_ELEMENTS:
                raise SIPParseError(f"more than {MAX_LIST_ELEMENTS} values of {header.name}")
        lists[header] = result = tuple(values)
        return result

    def count(self, name: str) -> int:
        """How many fields of that name there are."""
        return len(self.index.get(KEYS[name], ()))

    def set(self, name: str, value: HeaderValue) -> None:
        """Put `value` in place of the first field of that name and remove the others; append it if there is none."""
        key, line, text = _field(name, value)
        values = self.index.get(key)
        if values is None:
            self._append(key, line, text)
            return
        position = self._position(key)
        self._lines[position] = line
        if len(values) > 1:
            self._drop(key, position + 1)
        self.index[key] = [text]
        self._forget()

    def add(self, name: str, value: HeaderValue) -> None:
        """Append a field."""
        self._append(*_field(name, value))

    def prepend(self, name: str, value: HeaderValue) -> None:
        """Put a field before all others."""
        key, line, text = _field(name, value)
        self._lines.insert(0, line)
        self.index.setdefault(key, []).insert(0, text)
        self._forget()

    def remove(self, name: str) -> None:
        """Remove all fields of that name."""
        key = KEYS[name]
        if self.index.pop(key, None) is not None:
            self._drop(key, 0)
            self._forget()

    def remove_first(self, header: type[BaseHeader]) -> None:
        """Remove the first value of that class, leaving the others of a comma-separated list."""
        values = self.index.get(header.key)
        if values is None:
            return
        position = self._position(header.key)
        rest = split_list(unfold(values[0]))[1:] if header.is_list else []
        if rest:
            _, line, text = _field(header.name, ", ".join(rest))
            self._lines[position] = line
            values[0] = text
        else:
            del self._lines[position], values[0]
            if not values:
                del self.index[header.key]
        self._forget()

    def replace_first(self, header: BaseHeader) -> None:
        """Put `header` in place of the first value of its name (of a list's first element)."""
        key, line, text = _field(header.name, header)
        values = self.index.get(key)
        if values is not None and "," not in values[0]:
            self._lines[self._position(key)] = line
            values[0] = text
            self._forget_name(key)
            return
        self.remove_first(type(header))
        position = self._position(key) if key in self.index else 0
        self._lines.insert(position, line)
        self.index.setdefault(key, []).insert(0, text)
        self._forget()

    def copy(self) -> HeaderFields:
        """A copy that may be changed without changing this one."""
        other = HeaderFields.__new__(HeaderFields)
        other._lines = list(self._lines)
        other.index = {key: list(values) for key, values in self.index.items()}
        other._typed = dict(self._typed)
        other._lists = dict(self._lists)
        return other

    def lines(self) -> list[str]:
        """The lines as they are printed, without their ends; a folded one holds its folds."""
        return [line.removesuffix("\r") for line in self._lines]

    def printed(self) -> str:
        """All lines with their ends."""
        return "\n".join(self._lines) + "\n" if self._lines else ""

    def has_bare_line_end(self) -> bool:
        """Whether somewhere there is a CR without LF or an LF without CR (RFC 3261 7)."""
        text = self.printed()
        return not text.count("\r\n") == text.count("\n") == text.count("\r")

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and KEYS[name] in self.index

    def __iter__(self) -> Iterator[tuple[str, str]]:
        for line in self._lines:
            name, _, value = line.partition(":")
            yield name.strip(), unfold(value)

    def __len__(self) -> int:
        return len(self._lines)

    def __repr__(self) -> str:
        return f"<HeaderFields {list(self.index)}>"

    def _append(self, key: str, line: str, text: str) -> None:
        self._lines.append(line)
        self.index.setdefault(key, []).append(text)
        self._forget()

    def _forget(self) -> None:
        if self._typed:
            self._typed.clear()
        if self._lists:
            self._lists.clear()

    def _forget_name(self, key: str) -> None:
        """The typed values of one name are out of date, all others are not."""
        for store in (self._typed, self._lists):
            for header in [header for header in store if header.key == key]:
                del store[header]

    def _drop(self, key: str, start: int) -> None:
        lines = self._lines
        lines[start:] = [line for line in lines[start:] if KEYS[line.partition(":")[0]] != key]

    def _position(self, key: str) -> int:
        """Where the first line of that key is; there is one."""
        return next(place for place, line in enumerate(self._lines) if KEYS[line.partition(":")[0]] == key)


def _join_folds(lines: list[str]) -> list[str]:
    """Each line with those behind it that begin with white space, and so belong to it (7.3.1); the LF is kept."""
    starts = [place for place, line in enumerate(lines) if place == 0 or line[:1] not in (" ", "\t")]
    return ["\n".join(lines[start:end]) for start, end in pairwise([*starts, len(lines)])]


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
    key = KEYS[name]
    if not key:
        raise ValueError(f"not a header name: {name!r}")
    return key, f"{canonical_name(name)}: {text}\r", text
