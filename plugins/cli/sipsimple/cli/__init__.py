"""The command `sipsimple`, and what plugins need to add commands to it.

A plugin returns click commands from its hook `sipsimple_commands`:

    @hookimpl
    def sipsimple_commands():
        import click
        from sipsimple.cli import CommandLine, pass_command_line

        @click.command()
        @pass_command_line
        def hello(command_line: CommandLine) -> None:
            "Greet the default account."
            command_line.print(f"Hello, {command_line.default_account_id()}")

        return (hello,)
"""

from sipsimple.cli.environment import CommandLine, json_option, pass_command_line, seconds_option
from sipsimple.cli.errors import CommandError, ExitCode

__all__ = ["CommandError", "CommandLine", "ExitCode", "json_option", "pass_command_line", "seconds_option"]
