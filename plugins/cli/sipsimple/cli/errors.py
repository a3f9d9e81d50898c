"""How a command ends when it can't do what it was asked to."""

from __future__ import annotations

from enum import IntEnum
from typing import IO, Any

import click

__all__ = ["CommandError", "ExitCode"]


class ExitCode(IntEnum):
    """The exit codes of the command."""

    OK = 0
    FAILED = 1  # it was tried, and did not work
    USAGE = 2  # wrong arguments: an unknown account or setting, a value that the setting refuses
    CONFIGURATION = 3  # the configuration is damaged, in use by another process, or can't be written
    INTERRUPTED = 130  # Ctrl-C before it was done


class CommandError(click.ClickException):
    """What went wrong and, as `hint`, what the user can do about it."""

    def __init__(self, message: str, exit_code: ExitCode = ExitCode.FAILED, hint: str | None = None) -> None:
        super().__init__(message)
        vars(self)["exit_code"] = int(exit_code)  # of the class it is, for click
        self.hint = hint

    def show(self, file: IO[Any] | None = None) -> None:
        click.echo(f"Error: {self.format_message()}", file=file, err=file is None)
        if self.hint:
            click.echo(f"       {self.hint}", file=file, err=file is None)
