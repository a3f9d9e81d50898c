"""`sipsimple plugins`: what is installed, and what became of it; a new one."""

from __future__ import annotations

import click

from sipsimple.cli.environment import CommandLine, json_option
from sipsimple.cli.errors import ExitCode
from sipsimple.cli.new_plugin import new_plugin

__all__ = ["plugins"]


@click.group(invoke_without_command=True)
@json_option
@click.pass_context
def plugins(context: click.Context, as_json: bool) -> None:
    """List the plugins: version, state and the hooks that they implement.

    The exit code is 1 if one of them could not be loaded.
    """
    if context.invoked_subcommand is None:
        list_plugins(context.ensure_object(CommandLine), as_json)


plugins.add_command(new_plugin)


def list_plugins(command_line: CommandLine, as_json: bool) -> None:
    from sipsimple.plugins import PluginManager, PluginState

    manager = PluginManager()
    manager.load()
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
            failed = plugin.state is PluginState.FAILED
            hooks = ", ".join(hook.removeprefix("sipsimple_") for hook in plugin.hooks)
            table.add_row(
                plugin.name,
                plugin.distribution or "",
                plugin.version or "",
                Text(plugin.state.value, style="red" if failed else ""),
                Text(plugin.reason or hooks),
            )
        command_line.print(table)
    if any(plugin.state is PluginState.FAILED for plugin in found):
        raise SystemExit(int(ExitCode.FAILED))
