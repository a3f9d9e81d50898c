"""The public API as it is specified (`surface.json`), and what of it the code has not.

Each part has a name: `sipsimple.session` (a module), `sipsimple.session.Session` (a class),
`sipsimple.session.Session.connect` (a method or an attribute), `sipsimple.session.Session.connect(routes)` (a
parameter), `SIPSessionDidStart` (a notification), `SIPSessionDidStart[streams]` (a key of its data) and
`setting Account.enabled`. Of what is missing only the whole is named: no class of a module that is not there.
`missing.txt` lists them, each under its reason; it has to be exact. `surface.py` prints what is missing, and
`surface.py --shrink` takes out of the list what has come.
"""

from __future__ import annotations

import ast
import inspect
import json
import sys
import textwrap
from collections.abc import Iterator
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
MISSING = object()

#: Where classes are whose module the specification only infers.
ELSEWHERE = {
    "sipsimple.configuration.SIPSimpleSettings": "sipsimple.configuration.settings",
    "sipsimple.streams.msrp.ChatMessage": "sipsimple.streams.chat",
    "sipsimple.streams.msrp.CPIMMessage": "sipsimple.streams.chat",
    "sipsimple.streams.msrp.CPIMIdentity": "sipsimple.streams.chat",
    "sipsimple.streams.msrp.ChatIdentity": "sipsimple.streams.chat",
    "sipsimple.streams.msrp.ChatStreamError": "sipsimple.streams.chat",
    "sipsimple.streams.msrp.MultilingualText": "sipsimple.streams.chat",
}


def specification() -> dict[str, Any]:
    """What is specified, as data."""
    data: dict[str, Any] = json.loads((HERE / "surface.json").read_text(encoding="utf-8"))
    return data


def missing() -> Iterator[str]:
    """The names of the parts that are specified and not in the code."""
    for module in specification()["modules"]:
        if not module_exists(module["module"]):
            yield module["module"]
            yield from missing_notifications(module)
            continue
        names = module.get("reexports", [])
        yield from (f"{module['module']}.{name}" for name in names if class_of(module["module"], name) is None)
        for described in module["classes"]:
            yield from missing_of_class(module["module"], described)
        yield from missing_notifications(module)
    yield from (f"setting {name}" for name in specified_settings() if name not in settings())


def module_exists(name: str) -> bool:
    """Whether the module is there; one that is there and can't be imported is an error of its own."""
    try:
        if find_spec(name) is None:
            return False
    except ModuleNotFoundError:
        return False
    import_module(name)
    return True


def class_of(module: str, name: str) -> Any:
    """The class, None if there is none."""
    try:
        found = getattr(import_module(module), name, None)
    except ImportError:  # the class of a plugin that is not installed
        found = None
    other = ELSEWHERE.get(f"{module}.{name}")
    if found is None and other is not None and module_exists(other):
        found = getattr(import_module(other), name, None)
    return found


def missing_of_class(module: str, described: dict[str, Any]) -> Iterator[str]:
    path = f"{module}.{described['name']}"
    cls = class_of(module, described["name"])
    if cls is None:
        yield path
        return
    if described["init"] is not None and inspect.isclass(cls):
        yield from missing_parameters(path, cls, described["init"]["params"] if described["init"] else [])
    for method in described["methods"]:
        if method.get("pattern"):
            continue
        name = f"{path}.{method['name']}"
        function = member(cls, method["name"])
        if function is None:
            yield name
        elif inspect.isroutine(function):
            yield from missing_parameters(name, function, method["params"])
    for attribute in described["attributes"]:
        if not has_attribute(cls, attribute["name"], attribute["writable"]):
            yield f"{path}.{attribute['name']}"


def member(cls: Any, name: str) -> Any:
    if hasattr(cls, "names") and hasattr(cls, "direct"):  # an interface of zope.interface
        return cls.get(name)
    return getattr(cls, name, None)


def missing_parameters(path: str, function: Any, parameters: list[dict[str, Any]]) -> Iterator[str]:
    """Parameters are missing if they are not taken by position and name, or not optional where they should be; one
    that was added is called missing too if callers have to give it."""
    taken = inspect.signature(function).parameters
    if "args" in taken and "kwargs" in taken:
        return
    order = [name for name in taken if name != "self"]
    for place, described in enumerate(parameters):
        name = described["name"].lstrip("*")
        if described.get("kind"):
            if name not in taken:
                yield f"{path}({name})"
            continue
        found = taken.get(name)
        optional = found is not None and found.default is not inspect.Parameter.empty
        in_place = found is not None and (order.index(name) == place or found.kind is found.KEYWORD_ONLY)
        if not in_place or ("default" in described and not optional):
            yield f"{path}({name})"
    known = {described["name"].lstrip("*") for described in parameters}
    for name, found in taken.items():
        fixed = found.kind not in (found.VAR_POSITIONAL, found.VAR_KEYWORD)
        if name != "self" and name not in known and fixed and found.default is inspect.Parameter.empty:
            yield f"{path}(without {name})"


def has_attribute(cls: Any, name: str, writable: bool) -> bool:
    """Whether objects of the class have the attribute, and it can be set if it should."""
    if hasattr(cls, "names") and hasattr(cls, "direct"):
        return name in cls.names(all=True)
    found = inspect.getattr_static(cls, name, MISSING)
    if isinstance(found, property):
        return not writable or found.fset is not None
    return found is not MISSING or name in instance_attributes(cls)


@cache
def instance_attributes(cls: type) -> frozenset[str]:
    """What the classes of an object declare, or give themselves as `self.name = ...`."""
    names: set[str] = set()
    for base in cls.__mro__[:-1]:
        names.update(inspect.get_annotations(base))
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(base)))
        except (OSError, TypeError):
            continue
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
                names.add(node.attr)
    return frozenset(names)


def missing_notifications(module: dict[str, Any]) -> Iterator[str]:
    declared = declarations()
    for described in module["classes"]:
        for notification in described["notifications"]:
            name = notification["name"]
            if name not in declared:
                yield name
            else:
                fields = {*declared[name].fields, "timestamp"}
                yield from (f"{name}[{key}]" for key in notification["data"] if key not in fields)


@cache
def declarations() -> dict[str, Any]:
    """All notifications that are declared in what is installed."""
    import pkgutil

    import sipsimple
    from sipsimple.notification import declared_notifications

    for module in pkgutil.walk_packages(sipsimple.__path__, "sipsimple."):
        if module.name.rpartition(".")[2] == "notifications" or module.name.endswith("_notifications"):
            import_module(module.name)
    return dict(declared_notifications())


def specified_settings() -> Iterator[str]:
    """The settings that the specification names, as `Class.group.name`."""
    for text in specification()["settings"]:
        name = text.partition(" (")[0].replace(" ", ".")
        yield "Account.auth.password" if name == "Account.password" else name


@cache
def settings() -> frozenset[str]:
    """The settings that there are, with those of plugins, as `Class.group.name`."""
    import sipsimple.account as accounts
    from sipsimple.configuration.extension import register_plugin_settings
    from sipsimple.configuration.settings import SIPSimpleSettings

    register_plugin_settings()
    names = {"Account.id"}
    for cls in (SIPSimpleSettings, accounts.Account, getattr(accounts, "BonjourAccount", None)):
        if cls is not None:
            names.update(f"{cls.__name__}.{name}" for name, _ in cls.iter_settings())
    return frozenset(names)


def listed() -> dict[str, str]:
    """What `missing.txt` lists, with the reason, the latest line before it that begins with #."""
    reason, entries = "", {}
    for line in (HERE / "missing.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("#"):
            reason = line.removeprefix("#").strip()
        elif line.strip():
            entries[line.strip()] = reason
    return entries


def shrink() -> None:
    """Takes out of `missing.txt` what is missing no longer, and reasons without entries."""
    still, lines = set(missing()), []
    for line in (HERE / "missing.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("#") or line.strip() in still:
            while line.startswith("#") and lines and lines[-1].startswith("#"):
                lines.pop()
            lines.append(line)
    while lines and lines[-1].startswith("#"):
        lines.pop()
    (HERE / "missing.txt").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


if __name__ == "__main__":
    if sys.argv[1:] == ["--shrink"]:
        shrink()
    else:
        print("".join(f"{name}\n" for name in sorted(set(missing()))), end="")
