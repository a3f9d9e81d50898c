"""Passwords: asked for at the terminal or read from a file, never given as an argument that others could see."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from sipsimple.cli.errors import CommandError, ExitCode

__all__ = ["get_password", "password_options"]

F = TypeVar("F", bound=Callable[..., Any])

MAX_PASSWORD_LENGTH = 1024


def password_options(function: F) -> F:
    """Adds --password-file and --keyring."""
    function = click.option(
        "--keyring", is_flag=True, help="Keep the password in the system's keyring, not in the file."
    )(function)
    return click.option(
        "--password-file",
        type=click.Path(path_type=Path, dir_okay=False, allow_dash=True),
        metavar="FILE",
        help="Read the password from the first line of FILE; - is the standard input. Otherwise it is asked for.",
    )(function)


def get_password(file: Path | None, address: str) -> str:
    """The password from the file, or else as the user types it. Raises CommandError."""
    if file is not None:
        return _read(file)
    if not _is_terminal():
        hint = "Give it with --password-file FILE, or - for the standard input."
        raise CommandError("there is no terminal to ask for the password", ExitCode.USAGE, hint)
    password: str = click.prompt(f"Password of {address}", hide_input=True, default="", show_default=False)
    return password


def _is_terminal() -> bool:
    return sys.stdin.isatty()


def _read(file: Path) -> str:
    try:
        if str(file) == "-":
            line = sys.stdin.readline(MAX_PASSWORD_LENGTH + 2)
        else:
            with file.open(encoding="utf-8") as opened:
                line = opened.readline(MAX_PASSWORD_LENGTH + 2)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8 text"
        raise CommandError(f"the password can't be read from {file}: {reason}", ExitCode.USAGE) from None
    password = line.rstrip("\r\n")
    if not password or len(password) > MAX_PASSWORD_LENGTH:
        raise CommandError(f"the first line of {file} is no password", ExitCode.USAGE)
    return password
