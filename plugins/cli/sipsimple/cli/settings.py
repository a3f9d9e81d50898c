"""`sipsimple settings`: the settings of all accounts together."""

from __future__ import annotations

import click

from sipsimple.cli.environment import CommandLine, json_option, pass_command_line
from sipsimple.cli.values import assign, table_of, value_of, values_of
from sipsimple.cli.values import reset as reset_settings

__all__ = ["settings"]


@click.group(invoke_without_command=True)
@click.pass_context
def settings(context: click.Context) -> None:
    """Show and change the settings that are not of one account; without a command, list them."""
    if context.invoked_subcommand is None:
        context.invoke(list_settings)


@settings.command("list")
@click.option("--changed", is_flag=True, help="Only those that differ from their defaults.")
@json_option
@pass_command_line
def list_settings(command_line: CommandLine, changed: bool = False, as_json: bool = False) -> None:
    """List the settings with their values and what they are for."""
    from sipsimple.configuration.settings import SIPSimpleSettings

    with command_line.reading():
        values = [value for value in values_of(SIPSimpleSettings()) if not (changed and value.is_default)]
    if as_json:
        command_line.print_json({value.name: value.json for value in values})
    else:
        command_line.print(table_of(values))


@settings.command()
@click.argument("name")
@json_option
@pass_command_line
def get(command_line: CommandLine, name: str, as_json: bool) -> None:
    """Print the value of the setting NAME."""
    from sipsimple.configuration.settings import SIPSimpleSettings

    with command_line.reading():
        value = value_of(SIPSimpleSettings(), name)
    if as_json:
        command_line.print_json(value.json)
    else:
        command_line.print(value.text)


@settings.command("set")
@click.argument("assignments", nargs=-1, required=True, metavar="NAME=VALUE...")
@pass_command_line
def set_settings(command_line: CommandLine, assignments: tuple[str, ...]) -> None:
    """Change settings: all of them or, if one is wrong, none.

    An empty value is none, where the setting can be none.

    \b
    sipsimple settings set sip.transport_list=tls,tcp sip.tls_port=5061
    sipsimple settings set sip.invite_timeout=
    """
    from sipsimple.configuration.settings import SIPSimpleSettings

    with command_line.changing():
        changed = SIPSimpleSettings()
        assign(changed, assignments)
        changed.save()


@settings.command()
@click.argument("names", nargs=-1, required=True, metavar="NAME...")
@pass_command_line
def reset(command_line: CommandLine, names: tuple[str, ...]) -> None:
    """Give settings their defaults."""
    from sipsimple.configuration.settings import SIPSimpleSettings

    with command_line.changing():
        changed = SIPSimpleSettings()
        reset_settings(changed, names)
        changed.save()
