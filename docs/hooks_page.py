"""The page of all hooks, from their specifications in `sipsimple.plugins.hookspecs`."""

from __future__ import annotations

import inspect

INTRODUCTION = """# Hooks

Made from `sipsimple/plugins/hookspecs.py` by `docs/generate.py`; do not edit.

What a plugin may contribute: it implements those that it needs, as functions marked `@hookimpl` in the module that
its entry point of the group `sipsimple` names, with those of the arguments that it needs. How to write one:
[plugin_guide.md](plugin_guide.md). This is version {version} of the plugin interface (`sipsimple_plugin_api`).

A hook that raises, or returns what it should not, counts for nothing: it is logged, posted as
`SIPApplicationPluginDidFail`, and the other plugins are asked as before. The plugin that comes first in the table of
`sipsimple plugins` is asked last.
"""


def hooks() -> str:
    """The page."""
    from sipsimple.plugins import PLUGIN_API_VERSION, PluginManager, hookspecs

    manager = PluginManager()
    manager.load()
    lines = [INTRODUCTION.format(version=PLUGIN_API_VERSION)]
    for name in [name for name in vars(hookspecs) if name.startswith("sipsimple_")]:
        function = getattr(hookspecs, name)
        options = getattr(function, "sipsimple_spec", {})
        signature = inspect.signature(function)
        lines += [f"## {name}\n", "```python", f"def {name}{signature}".replace("'", ""), "```\n"]
        lines.append(inspect.cleandoc(function.__doc__ or "") + "\n")
        if options.get("firstresult"):
            lines.append("One result is wanted: the first that is not None.\n")
        users = sorted(
            str(plugin.distribution)
            for plugin in manager.plugins
            if name in plugin.hooks and plugin.module.__name__.startswith("sipsimple.")
        )
        if users:
            lines.append(f"Implemented by {', '.join(users)}.\n")
    return "\n".join(lines).rstrip() + "\n"
