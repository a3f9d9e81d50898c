"""`sipsimple plugins`: what is installed, and what became of it; a new one."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from sipsimple.cli.environment import CommandLine, json_option
from sipsimple.cli.errors import ExitCode
from sipsimple.cli.new_plugin import new_plugin

if TYPE_CHECKING:
    from sipsimple.plugins import Plugin

__all__ = ["plugins"]


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def plugins(context: click.Context, as_json: bool) -> None:
    """List the plugins: version, state and the hooks that they implement, or what is wrong with them.

    They are asked for all that they offer. The exit code is 1 if one of them could not be loaded, or failed then.
    """
    if context.invoked_subcommand is None:
        list_plugins(context.ensure_object(CommandLine), as_json)


plugins.add_command(new_plugin)


def list_plugins(command_line: CommandLine, as_json: bool) -> None:
    from sipsimple.plugins import PluginManager, PluginState
    from sipsimple.streams import MediaStreamRegistry

    def has_failed(plugin: Plugin) -> bool:
        return plugin.state is PluginState.FAILED or bool(plugin.failures)

    manager = PluginManager()
    manager.examine()
    tuple(MediaStreamRegistry())  # tells of two that offer one type
    found = manager.plugins
    if as_json:
        command_line.print_json(
            [
                {
                    "name": plugin.name,
                    "distribution": plugin.distribution,
                    "version": plugin.version,
                    "state": plugin.state.value,
                    "reason": plugin.reason,
                    "failures": plugin.failures,
                    "hooks": list(plugin.hooks),
                }
                for plugin in found
            ]
        )
    elif not found:
        command_line.print("No plugins are installed: there are no streams, so nobody can be called.")
        command_line.print("pip install sipsimple-chat adds chat.")
    else:
        from rich import box
        from rich.table import Table
        from rich.text import Text

        table = Table(box=box.SIMPLE, pad_edge=False)
        for title in ("plugin", "distribution", "version", "state", "hooks"):
            table.add_column(title)
        for plugin in found:
            hooks = ", ".join(hook.removeprefix("sipsimple_") for hook in plugin.hooks)
            wrong = "\n".join(filter(None, [plugin.reason, *plugin.failures]))
            table.add_row(
                plugin.name,
                plugin.distribution or "",
                plugin.version or "",
                Text(plugin.state.value, style="red" if has_failed(plugin) else ""),
                Text(wrong or hooks),
            )
        command_line.print(table)
    if any(map(has_failed, found)):
        raise SystemExit(int(ExitCode.FAILED))
