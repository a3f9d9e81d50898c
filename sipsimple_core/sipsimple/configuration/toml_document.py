"""The configuration as a TOML document (TOML 1.0), and how it is changed without touching what the user wrote.

TOML knows no null. A setting that is None though its default is not (`sip.invite_timeout`) is written `{none = true}`,
and a password that is kept in the system's keyring `{keyring = "the name of its entry"}`; all that is not in the file
has its default.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sipsimple.configuration.backend import ConfigurationData

if TYPE_CHECKING:
    from tomlkit.items import Item

__all__ = ["KeyringReference", "TOMLError", "changed_text", "merged", "parse", "rendered", "same"]

log = logging.getLogger("sipsimple.configuration")

MAX_DEPTH = 32
"""Tables and lists inside each other."""

NONE, KEYRING = "none", "keyring"

_position = re.compile(r"\s*\(at (?:line (\d+), column \d+|end of document)\)$")


class KeyringReference:
    """Stands in the tree of a document for a secret that is kept in the system's keyring."""

    __slots__ = ("entry",)

    def __init__(self, entry: str) -> None:
        self.entry = entry

    def __eq__(self, other: object) -> bool:
        return isinstance(other, KeyringReference) and other.entry == self.entry

    def __hash__(self) -> int:
        return hash(self.entry)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.entry!r})"


class TOMLError(ValueError):
    """The text is no TOML document, or none that can be a configuration; `line` says where, counted from 1."""

    def __init__(self, line: int, reason: str) -> None:
        super().__init__(f"line {line}: {reason}")
        self.line = line
        self.reason = reason


def parse(text: str) -> ConfigurationData:
    """The tree of a document. Raises TOMLError."""
    import tomllib

    try:
        return _tree(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        message = str(error)
        position = _position.search(message)
        line = int(position[1]) if position is not None and position[1] else text.count("\n") + 1
        raise TOMLError(line, _position.sub("", message).lower()) from None
    except RecursionError:
        raise TOMLError(1, f"there are more than {MAX_DEPTH} tables or lists inside each other") from None


def _tree(table: Mapping[str, Any], depth: int = 0) -> ConfigurationData:
    return {name: _value(value, depth) for name, value in table.items()}


def _value(value: Any, depth: int) -> Any:
    if depth > MAX_DEPTH:
        raise RecursionError
    if isinstance(value, dict):
        if len(value) == 1:
            if value.get(NONE) is True:
                return None
            if isinstance(entry := value.get(KEYRING), str):
                return KeyringReference(entry)
        return _tree(value, depth + 1)
    if isinstance(value, list):
        return [_value(item, depth + 1) for item in value]
    # Dates and times are no values of settings; as texts they are refused by the settings, one by one.
    return value if isinstance(value, bool | int | float | str) else str(value)


def same(one: Any, other: Any) -> bool:
    """Whether two trees are the same, types included: True is not 1."""
    if isinstance(one, dict):
        return isinstance(other, dict) and one.keys() == other.keys() and all(same(one[k], other[k]) for k in one)
    if isinstance(one, list):
        return isinstance(other, list) and len(one) == len(other) and all(map(same, one, other))
    if isinstance(one, float):
        return isinstance(other, float) and (one == other or (one != one and other != other))
    return isinstance(one, bool) is isinstance(other, bool) and not isinstance(other, float) and bool(one == other)


def merged(base: ConfigurationData, old: ConfigurationData, new: ConfigurationData) -> ConfigurationData:
    """The tree `base` with what is different in `new` from `old`."""
    result: ConfigurationData = {}
    for name, here in base.items():
        if name in new or name not in old:
            result[name] = here
        elif rest := _not_removed(here, old[name]):
            result[name] = rest
    for name, value in new.items():
        before, here = old.get(name), result.get(name)
        if name in old and same(before, value):
            continue
        if isinstance(value, dict) and isinstance(here, dict):
            result[name] = merged(here, before if isinstance(before, dict) else {}, value)
        else:
            result[name] = value
    return result


def _not_removed(here: Any, removed: Any) -> ConfigurationData:
    """What is left of a table that was removed: what its owner did not know of."""
    if not (isinstance(here, dict) and isinstance(removed, dict)) or same(here, removed):
        return {}
    return merged(here, removed, {})


def changed_text(text: str, old: ConfigurationData, new: ConfigurationData) -> tuple[str, bool]:
    """The document with what is different in `new` from `old`; all else stays as it is written, comments too.

    Should that lead to anything but the tree that it has to, the document is written anew, without comments: the
    second value is False then. Raises TOMLError if `text` is no document, ValueError if `new` has what can't be
    written.
    """
    wanted = merged(parse(text), old, new)
    _check_writable(wanted)
    try:
        changed = _edited(text, old, new)
        if same(parse(changed), wanted):
            return changed, True
    except Exception as error:  # whatever the editor stumbles over: a configuration has to be saved
        log.info("The file of the configuration could not be edited (%s)", type(error).__name__)
    return rendered(wanted), False


def rendered(tree: ConfigurationData) -> str:
    """A new document with that tree."""
    import tomlkit

    document = tomlkit.document()
    for name, item in _items(tree):
        document.append(name, item)
    return tomlkit.dumps(document)


def _check_writable(tree: ConfigurationData) -> None:
    for value in tree.values():
        if isinstance(value, dict):
            if len(value) == 1 and (value.get(NONE) is True or isinstance(value.get(KEYRING), str)):
                raise ValueError(f"a group whose only setting is {next(iter(value))!r} can't be written")
            _check_writable(value)


def _edited(text: str, old: ConfigurationData, new: ConfigurationData) -> str:
    import tomlkit

    from sipsimple.configuration.toml_comments import remove_table

    document = tomlkit.parse(text)

    def edit(container: Any, path: tuple[str, ...], old: ConfigurationData, new: ConfigurationData) -> None:
        for name in old.keys() - new.keys():
            if name in container:
                here = container[name]
                if _not_removed(_content(here), old[name]):
                    edit(here, (*path, name), old[name], {})
                else:
                    remove_table(document, (*path, name))
        for name, value in new.items():
            before = old.get(name)
            if name in old and same(before, value):
                continue
            here = container.get(name)
            if isinstance(value, dict) and isinstance(_content(here), dict):
                edit(here, (*path, name), before if isinstance(before, dict) else {}, value)
            else:
                container[name] = _item(value)

    edit(document, (), old, new)
    return tomlkit.dumps(document)


def _content(item: Any) -> Any:
    """What a part of a document says; a table or a value."""
    return _value(item.unwrap(), 0) if hasattr(item, "unwrap") else item


def _items(tree: ConfigurationData) -> list[tuple[str, Item]]:
    # Tables last: what follows the header of a table belongs to it.
    ordered = sorted(tree.items(), key=lambda pair: isinstance(pair[1], dict))
    return [(name, _item(value)) for name, value in ordered]


def _item(value: Any) -> Any:
    import tomlkit

    if value is None or isinstance(value, KeyringReference):
        marker = tomlkit.inline_table()
        marker.append(NONE, True) if value is None else marker.append(KEYRING, value.entry)
        return marker
    if isinstance(value, dict):
        table = tomlkit.table()
        for name, item in _items(value):
            table.append(name, item)
        return table
    if isinstance(value, list):
        array = tomlkit.array()
        for item in value:
            array.append(_item(item))
        return array
    return tomlkit.item(str.__str__(value) if isinstance(value, str) else value)
