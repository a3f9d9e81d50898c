"""Settings by their dotted names: `sip.udp_port`. What they are, what they are set to, and setting them."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, NamedTuple

from sipsimple.cli.environment import plain
from sipsimple.cli.errors import CommandError, ExitCode

if TYPE_CHECKING:
    from rich.table import Table

    from sipsimple.configuration import Setting, SettingsObject

__all__ = ["Value", "assign", "reset", "table_of", "value_of", "values_of"]

SECRET_SET, SECRET_NOT_SET = "(set)", "(not set)"


class Value(NamedTuple):
    """One setting of an object."""

    name: str
    setting: Setting[Any]
    value: Any

    @property
    def is_default(self) -> bool:
        from sipsimple.configuration import GeneratedSetting

        return not isinstance(self.setting, GeneratedSetting) and bool(self.value == self.setting.default)

    @property
    def text(self) -> str:
        """For people. A secret is not shown."""
        if self.setting.secret:
            return SECRET_SET if self.value else SECRET_NOT_SET
        if self.value is None:
            return "none"
        if isinstance(self.value, bool):
            return "yes" if self.value else "no"
        return str(self.value) or "''"

    @property
    def json(self) -> Any:
        """For programs. Of a secret only whether there is one."""
        return bool(self.value) if self.setting.secret else plain(self.value)


def values_of(settings: SettingsObject) -> Iterator[Value]:
    """All settings of the object, in the order in which they are declared."""
    for name, setting in settings.iter_settings():
        yield Value(name, setting, settings.saved_value(name))


def value_of(settings: SettingsObject, name: str) -> Value:
    """The setting with that name. Raises CommandError if there is none."""
    known = {value.name: value for value in values_of(settings)}
    if name not in known:
        close = difflib.get_close_matches(name, known, n=1)
        hint = f"Did you mean {close[0]}?" if close else f"There are: {', '.join(known)}."
        raise CommandError(f"there is no setting {name!r}", ExitCode.USAGE, hint)
    return known[name]


def assign(settings: SettingsObject, assignments: Iterable[str]) -> None:
    """Set what the texts NAME=VALUE say, without saving. Raises CommandError for the first that is wrong."""
    for assignment in assignments:
        name, equals, text = assignment.partition("=")
        if not equals:
            raise CommandError(f"{assignment!r} is not NAME=VALUE", ExitCode.USAGE)
        known = value_of(settings, name)
        if known.setting.secret:
            hint = "sipsimple account password asks for it, or reads it from a file."
            raise CommandError(f"{name} is a secret, and no argument: others could see it", ExitCode.USAGE, hint)
        _set(settings, name, None if not text and known.setting.nillable else text)


def reset(settings: SettingsObject, names: Iterable[str]) -> None:
    """Give the settings their defaults, without saving."""
    from sipsimple.configuration import DefaultValue

    for name in names:
        value_of(settings, name)
        _set(settings, name, DefaultValue)


def _set(settings: SettingsObject, name: str, value: Any) -> None:
    *groups, last = name.split(".")
    state: Any = settings
    for group in groups:
        state = getattr(state, group)
    try:
        setattr(state, last, value)
    except ValueError as error:
        raise CommandError(str(error), ExitCode.USAGE) from None


def table_of(values: Iterable[Value]) -> Table:
    """A table for people: what differs from its default stands out."""
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE, pad_edge=False)
    table.add_column("setting", no_wrap=True)
    table.add_column("value", overflow="fold")
    table.add_column("what it is", style="dim")
    for value in values:
        style = "dim" if value.is_default else "bold"
        table.add_row(value.name, Text(value.text, style=style), Text(value.setting.doc))
    return table
