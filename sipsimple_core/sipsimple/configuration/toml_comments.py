"""Removing a table from a TOML document without the comments that stand before the next one.

tomlkit has the comments above a table's header as the last ones of the table before it, with which they would go.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from tomlkit.items import Comment, Table, Whitespace

if TYPE_CHECKING:
    from tomlkit import TOMLDocument

__all__ = ["remove_table"]

Path = tuple[str, ...]


def remove_table(document: TOMLDocument, path: Path) -> None:
    """Remove the table under that path, or what else is there, and keep the comments that follow what is in it."""
    parent: Any = document
    for name in path[:-1]:
        parent = parent[name]
    removed = parent[path[-1]]
    if not isinstance(removed, Table):
        parent.remove(path[-1])
        return
    comments = _last_comments(removed)
    following = _following(document, path) if comments else None
    parent.remove(path[-1])
    if not comments:
        return
    if following is None:
        document.add(Whitespace(comments))
    else:
        following.trivia.indent = comments + following.trivia.indent


def _last_comments(table: Table) -> str:
    """The lines after the last value in the table, or in those inside it; '' if there is no comment among them."""
    lines: list[str] = []
    for _, item in reversed(table.value.body):
        if isinstance(item, Table):
            return _last_comments(item) + "".join(reversed(lines))
        if not isinstance(item, Comment | Whitespace):
            break
        lines.append(item.as_string())
    text = "".join(reversed(lines))
    return text if "#" in text else ""


def _following(document: TOMLDocument, path: Path) -> Table | None:
    """The first table with a header after that one and those inside it."""
    passed = False
    for found, table in _tables(document, ()):
        if found[: len(path)] == path:
            passed = True
        elif passed and not table.is_super_table():
            return table
    return None


def _tables(container: Any, path: Path) -> Iterator[tuple[Path, Table]]:
    """The tables in the order of the text."""
    for key, item in container.body:
        if isinstance(item, Table):
            below = (*path, key.key)
            yield below, item
            yield from _tables(item.value, below)
