"""The page of all settings, made from their declarations in the code."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import sipsimple

__all__ = ["DeclaredSetting", "declared_settings", "settings"]

INTRODUCTION = """# Settings

Made from the declarations in the code by `docs/generate.py`; do not edit.

`sipsimple settings` and `sipsimple account show ADDRESS` show the values; in a program they are attributes:
`SIPSimpleSettings().sip.udp_port`, `account.registration.interval`. What is assigned takes effect with `save()`. A
setting is there when the distribution that declares it is installed.
"""

CORE = "sipsimple-core"

HEADING = "| setting | type | default | | declared by |\n| --- | --- | --- | --- | --- |"


class DeclaredSetting(NamedTuple):
    """A setting of a class of settings objects, and the distribution that declares it."""

    owner: str
    name: str
    setting: Any
    distribution: str


def declared_settings() -> Iterator[DeclaredSetting]:
    """All settings of the core and of the plugins that are installed."""
    from sipsimple.configuration import ConfigurationManager, MemoryBackend
    from sipsimple.plugins import PluginManager

    ConfigurationManager().start(MemoryBackend())  # applies the extensions of the plugins
    extensions: dict[str, list[tuple[str, Any]]] = {}
    for plugin, offered in PluginManager().call_each("sipsimple_settings"):
        for item in offered:
            for owner, extension in _owners(item):
                extensions.setdefault(owner, []).append((plugin.distribution or plugin.name, extension))
    for cls in settings_classes():
        declared_by = {}
        for distribution, extension in extensions.pop(cls.__name__, []):
            declared_by.update({name: distribution for name, _ in extension.iter_settings()})
        for name, setting in cls.iter_settings():
            yield DeclaredSetting(cls.__name__, name, setting, declared_by.get(name, CORE))
    # those of classes that no distribution has that is installed
    for owner in sorted(extensions):
        for distribution, extension in extensions[owner]:
            for name, setting in extension.iter_settings():
                yield DeclaredSetting(owner, name, setting, distribution)


def settings_classes() -> list[Any]:
    """The classes of settings objects, the global settings first."""
    from sipsimple.configuration import SettingsObject

    for module in pkgutil.walk_packages(sipsimple.__path__, "sipsimple."):
        if module.name.rpartition(".")[2] in ("settings", "account"):
            importlib.import_module(module.name)
    found = [cls for cls in _subclasses(SettingsObject) if cls.__module__.startswith("sipsimple.") and _is_used(cls)]
    return sorted(set(found), key=lambda cls: (cls.__name__ != "SIPSimpleSettings", cls.__name__))


def _subclasses(cls: type) -> Iterator[type]:
    for subclass in cls.__subclasses__():
        yield subclass
        yield from _subclasses(subclass)


def _is_used(cls: Any) -> bool:
    """Whether there are objects of the class itself: it says where they are stored."""
    return "__id__" in vars(cls) or "__group__" in vars(cls)


def _owners(item: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(item, tuple):
        yield item
        return
    for owner in item.extended_classes:
        yield owner if isinstance(owner, str) else owner.__name__, item


def settings() -> str:
    """The page."""
    lines = [INTRODUCTION]
    owner = None
    for declared in declared_settings():
        if declared.owner != owner:
            owner = declared.owner
            lines += [
                "",
                f"## {owner}\n",
                "| setting | type | default | | declared by |",
                "| --- | --- | --- | --- | --- |",
            ]
        cells = (
            f"`{declared.name}`", _type(declared.setting), _default(declared.setting), declared.setting.doc,
            declared.distribution,
        )  # fmt: skip
        lines.append("| " + " | ".join(cell.replace("|", "or") for cell in cells) + " |")
    return "\n".join(lines).rstrip().replace("\n\n\n", "\n\n") + "\n"


def _type(setting: Any) -> str:
    from sipsimple.configuration import RuntimeSetting

    kind = setting.type
    values: Iterable[Any] = getattr(kind, "values", ()) or ()
    text = " or ".join(str(value) for value in values) if isinstance(values, tuple) and values else kind.__name__
    notes = []
    if setting.nillable:
        notes.append("or none")
    if setting.secret:
        notes.append("secret")
    if isinstance(setting, RuntimeSetting):
        notes.append("not saved")
    return ", ".join([text, *notes])


def _default(setting: Any) -> str:
    from sipsimple.configuration import GeneratedSetting

    if isinstance(setting, GeneratedSetting):
        return "made when it is first read"
    value = setting.default
    if value is None:
        return "none"
    if isinstance(value, tuple | list):
        text = ", ".join(str(item) for item in value)
    else:
        text = str(value)
    text = text.replace(str(Path.home()), "~")
    return f"`{text}`" if text else "empty"
