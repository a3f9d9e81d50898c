"""`CommandLine`: what all commands work with: the configuration, its accounts, and where output goes."""

from __future__ import annotations

import difflib
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sipsimple.cli.errors import CommandError, ExitCode

if TYPE_CHECKING:
    from rich.console import Console

    from sipsimple.account import Account
    from sipsimple.storage import FileStorage, MemoryStorage

__all__ = ["CommandLine", "json_option", "pass_command_line", "seconds_option"]

F = TypeVar("F", bound=Callable[..., Any])


class CommandLine:
    """One run of the command.

    :param directory: the folder with the configuration; None for the system's usual one
    """

    def __init__(self, directory: Path | None = None) -> None:
        self._directory = directory
        self._console: Console | None = None

    @property
    def directory(self) -> Path:
        """The folder with the configuration, which need not be there."""
        if self._directory is None:
            from sipsimple.storage import default_directory

            self._directory = default_directory()
        return self._directory

    # Output

    @property
    def console(self) -> Console:
        """Where people read; colours only where they can be shown."""
        if self._console is None:
            from rich.console import Console

            self._console = Console(highlight=False, soft_wrap=True)
        return self._console

    def print(self, *objects: Any, **options: Any) -> None:
        """Print for people: text as it is (`[b]` and `:smile:` too), or what rich can show."""
        self.console.print(*objects, **{"markup": False, "emoji": False, **options})

    def print_json(self, data: Any) -> None:
        """Print one JSON value on a line of its own, for programs."""
        click.echo(json.dumps(data, ensure_ascii=False, separators=(", ", ": ")))
        sys.stdout.flush()

    # The configuration

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Inside, the settings objects have what is stored. Works while another process uses the configuration.

        Secrets in the keyring are not asked for: in their place is a text that is not empty. Nothing is written.
        """
        with configuration_errors():
            _start_configuration(self._snapshot(secrets=False).configuration_backend)
        yield

    @contextmanager
    def changing(self, *, keyring: bool = False) -> Iterator[None]:
        """Inside, what is saved is written; a save that fails ends the command when the block is left."""
        from sipsimple.notification import NotificationCenter

        storage = self.storage(keyring=keyring)
        failures = SaveFailures()
        center = NotificationCenter()
        with configuration_errors():
            _start_configuration(storage.configuration_backend)
            center.add_observer(failures, name="CFGManagerSaveFailed")
            try:
                yield
            finally:
                center.discard_observer(failures, name="CFGManagerSaveFailed")
                storage.close()
            failures.check()

    def storage(self, *, keyring: bool = False) -> FileStorage:
        """The storage in the folder of this run."""
        from sipsimple.storage import FileStorage

        return FileStorage(self.directory, keyring=keyring)

    def snapshot(self) -> MemoryStorage:
        """A storage with what is stored now; nothing that is saved in it is kept.

        For commands that run an application: the configuration stays free for others. What identifies this
        installation (RFC 5626 4.1) is made and written now, if it was not before.
        """
        with configuration_errors():
            snapshot = self._snapshot(secrets=True)
            data = snapshot.configuration_backend.load()
            if "instance_id" not in data.get("SIPSimpleSettings", {}):
                self._make_instance_id()
                snapshot = self._snapshot(secrets=True)
        return snapshot

    def _snapshot(self, *, secrets: bool) -> MemoryStorage:
        from sipsimple.storage import MemoryStorage

        snapshot = MemoryStorage()
        snapshot.configuration_backend.save(self.storage().configuration_backend.read(secrets=secrets))
        return snapshot

    def _make_instance_id(self) -> None:
        from sipsimple.configuration import ConfigurationError
        from sipsimple.configuration.settings import SIPSimpleSettings

        try:
            with self.changing():
                SIPSimpleSettings().instance_id  # noqa: B018  (made and saved when it is first read)
        except (CommandError, ConfigurationError) as error:
            click.echo(f"Warning: {error}", err=True)

    # Accounts; inside `reading` or `changing`

    def account_ids(self) -> list[str]:
        """The addresses of all accounts that are stored."""
        from sipsimple.configuration import ConfigurationManager

        return ConfigurationManager().get_names("Accounts")

    def account(self, address: str) -> Account:
        """The stored account with that address. Raises CommandError if there is none."""
        from sipsimple.account import Account
        from sipsimple.configuration.datatypes import SIPAddress

        known = self.account_ids()
        try:
            wanted = SIPAddress(address)
        except ValueError as error:
            raise CommandError(str(error), ExitCode.USAGE) from None
        if wanted not in known:
            close = difflib.get_close_matches(wanted, known, n=1)
            hint = f"Did you mean {close[0]}?" if close else "sipsimple account list shows those that there are."
            raise CommandError(f"there is no account {wanted}", ExitCode.USAGE, hint)
        return Account(wanted)

    def default_account_id(self) -> str | None:
        """The address of the account that is used where none is chosen, None if no account is enabled."""
        from sipsimple.account import Account
        from sipsimple.configuration.settings import SIPSimpleSettings

        enabled = [account for account in self.account_ids() if Account(account).enabled]
        chosen = SIPSimpleSettings().default_account
        return chosen if chosen in enabled else next(iter(enabled), None)


class SaveFailures:
    """Remembers what could not be saved."""

    def __init__(self) -> None:
        self._error: Exception | None = None

    def handle_notification(self, notification: Any) -> None:
        self._error = notification.data.exception

    def check(self) -> None:
        """Raise the error, if there was one."""
        if self._error is not None:
            raise self._error


@contextmanager
def configuration_errors() -> Iterator[None]:
    """Turns errors of the configuration into errors of the command."""
    from sipsimple.configuration import ConfigurationError
    from sipsimple.configuration.errors import ConfigurationInUseError

    try:
        yield
    except ConfigurationInUseError as error:
        raise CommandError(str(error), ExitCode.CONFIGURATION, "Stop it first, or use another --config.") from None
    except ConfigurationError as error:
        raise CommandError(str(error), ExitCode.CONFIGURATION) from None


def _start_configuration(backend: Any) -> None:
    from sipsimple.account import Account  # noqa: F401  (so that plugins can extend it)
    from sipsimple.configuration import ConfigurationManager
    from sipsimple.configuration.settings import SIPSimpleSettings  # noqa: F401

    ConfigurationManager().start(backend)


def plain(value: Any) -> Any:
    """The value of a setting as JSON has it."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, tuple | list):
        return [plain(item) for item in value]
    if isinstance(value, Mapping):
        return {str(name): plain(item) for name, item in value.items()}
    return str(value)


pass_command_line = click.make_pass_decorator(CommandLine)


def json_option(function: F) -> F:
    """Adds the option --json, as the argument `as_json`."""
    return click.option("--json", "as_json", is_flag=True, help="Print JSON, for programs.")(function)


def seconds_option(name: str, default: float, help: str, maximum: float | None = None) -> Callable[[F], F]:
    """Adds an option that is a time in seconds, more than none."""
    kind = click.FloatRange(min=0, min_open=True, max=maximum)
    return click.option(name, type=kind, default=default, show_default=True, metavar="SECONDS", help=help)
