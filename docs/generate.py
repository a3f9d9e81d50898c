"""Writes the reference pages that are made from the code; with a page's name, prints that page instead."""

from __future__ import annotations

import importlib
import pkgutil
import re
import sys
from collections import defaultdict
from pathlib import Path

import sipsimple

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE))

from hooks_page import hooks  # noqa: E402
from settings_page import settings  # noqa: E402
from state_diagrams import state_diagrams  # noqa: E402

INTRODUCTION = """# Notifications

Made from the declarations in the code by `docs/generate.py`; do not edit.

The data of every notification also has `timestamp`, a timezone-aware `datetime` in UTC.
"""


def import_declarations() -> None:
    """Imports every module that declares notifications, of all distributions that are installed."""
    for module in pkgutil.walk_packages(sipsimple.__path__, "sipsimple."):
        if module.name.rpartition(".")[2] == "notifications" or module.name.endswith("_notifications"):
            importlib.import_module(module.name)


def notifications() -> str:
    """The page of all notifications, by the module that declares them."""
    from sipsimple.notification import declared_notifications

    import_declarations()
    modules = defaultdict(list)
    for declaration in declared_notifications().values():
        if declaration.module.startswith("sipsimple."):
            modules[declaration.module].append(declaration)
    lines = [INTRODUCTION]
    for name in sorted(modules):
        lines.append(f"## {name.rpartition('.')[0] if name.endswith('.notifications') else name}\n")
        for declaration in modules[name]:
            lines.append(f"### {declaration.name}\n")
            lines.append(f"{declaration.doc} Sender: {declaration.sender or 'none'}.\n")
            if declaration.fields:
                lines += ["| data | type | |", "| --- | --- | --- |"]
                lines += [
                    f"| `{field}` | {described.type_name.replace('|', 'or')}"
                    f"{' (optional)' if described.optional else ''} | {described.doc} |"
                    for field, described in declaration.fields.items()
                ]
                lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def plugin_guide() -> str:
    """The plugin guide: its template with the files of the example in place of their names."""
    example = HERE.parent / "examples" / "third_party_stream"

    def shown(match: re.Match[str]) -> str:
        language = {"py": "python"}.get(match[1].rpartition(".")[2], "toml")
        return f"```{language}\n{(example / match[1]).read_text(encoding='utf-8')}```"

    template = (HERE / "plugin_guide.template.md").read_text(encoding="utf-8")
    return re.sub(r"^\{\{(\S+)\}\}$", shown, template, flags=re.MULTILINE)


PAGES = {
    "hooks.md": hooks,
    "notifications.md": notifications,
    "plugin_guide.md": plugin_guide,
    "settings.md": settings,
    "states.md": state_diagrams,
}


def main() -> int:
    if len(sys.argv) > 1:
        print(PAGES[sys.argv[1]](), end="")
        return 0
    for name, page in PAGES.items():
        (HERE / name).write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
