"""The command `sipsimple`: its own subcommands, each imported when it is called, and those of plugins."""

from __future__ import annotations

import io
import logging
import os
import sys
from importlib import import_module
from pathlib import Path

import click

from sipsimple.cli.environment import CommandLine
from sipsimple.cli.errors import ExitCode

__all__ = ["main", "sipsimple"]

#: Name → module and attribute, and the help in short: known without importing it.
COMMANDS = {
    "account": ("sipsimple.cli.accounts:account", "Add, list, show, change and remove accounts."),
    "settings": ("sipsimple.cli.settings:settings", "Show and change the settings that are not of one account."),
    "register": ("sipsimple.cli.register:register", "Register accounts, and show their state live."),
    "doctor": ("sipsimple.cli.doctor:doctor", "Look for what would keep you from working."),
    "plugins": ("sipsimple.cli.plugins:plugins", "List the plugins."),
}

EPILOG = """\b
Exit codes: 0 it worked, 1 it did not, 2 wrong arguments, 3 the configuration can't be used, 130 interrupted.
"""


class Commands(click.Group):
    """The subcommands; those of plugins come from the hook `sipsimple_commands`."""

    def list_commands(self, context: click.Context) -> list[str]:
        return [*COMMANDS, *sorted(name for name in plugin_commands() if name not in COMMANDS)]

    def get_command(self, context: click.Context, name: str) -> click.Command | None:
        if name in COMMANDS:
            module, _, attribute = COMMANDS[name][0].partition(":")
            command: click.Command = getattr(import_module(module), attribute)
            return command
        return plugin_commands().get(name)

    def format_commands(self, context: click.Context, formatter: click.HelpFormatter) -> None:
        # Not by way of get_command, which would import everything to show its help.
        lines = [(name, short) for name, (_, short) in COMMANDS.items()]
        others = plugin_commands()
        lines += [(name, others[name].get_short_help_str(70)) for name in sorted(others) if name not in COMMANDS]
        with formatter.section("Commands"):
            formatter.write_dl(lines)


def plugin_commands() -> dict[str, click.Command]:
    """The commands of plugins by name; the first plugin that has a name keeps it."""
    from sipsimple.plugins import PluginManager

    manager = PluginManager()
    commands: dict[str, click.Command] = {}
    for plugin, offered in manager.call_each("sipsimple_commands"):
        for command in offered:
            if not isinstance(command, click.Command) or not command.name:
                manager.report(plugin, f"its hook sipsimple_commands returned {command!r}, which is no command")
            elif command.name in COMMANDS or command.name in commands:
                manager.report(plugin, f"its command {command.name} is there already")
            else:
                commands[command.name] = command
    return commands


@click.group(cls=Commands, epilog=EPILOG, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="sipsimple-cli", message="%(version)s")
@click.option(
    "--config",
    "directory",
    type=click.Path(path_type=Path, file_okay=False),
    envvar="SIPSIMPLE_CONFIG",
    metavar="DIR",
    help="The folder with the configuration; by default that of the system. Also: SIPSIMPLE_CONFIG.",
)
@click.option("-v", "--verbose", count=True, help="Log what happens; twice: in detail.")
@click.pass_context
def sipsimple(context: click.Context, directory: Path | None, verbose: int) -> None:
    """Call and be called by SIP, from the command line.

    \b
    sipsimple account add alice@example.com    tell who you are; it asks for the password
    sipsimple doctor                           see what would keep you from working
    sipsimple register                         register, and watch
    """
    _set_up_logging(verbose)
    context.obj = CommandLine(directory)


def _set_up_logging(verbose: int) -> None:
    level = (logging.WARNING, logging.INFO, logging.DEBUG)[min(verbose, 2)]
    logging.basicConfig(level=level, format="%(levelname)s %(name)s: %(message)s")


def main(arguments: list[str] | None = None) -> int:
    """The entry point of the command; returns its exit code."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # what the terminal has no characters for
    try:
        code = sipsimple.main(arguments, prog_name="sipsimple", standalone_mode=False)
        return code if isinstance(code, int) else int(ExitCode.OK)
    except click.Abort:
        click.echo("Interrupted.", err=True)
        return int(ExitCode.INTERRUPTED)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except BrokenPipeError:
        # Who read our output, like head, has enough of it; nothing is to be flushed into the void at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return int(ExitCode.OK)
