"""`sipsimple account`: accounts are added, listed, shown, changed and removed."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sipsimple.cli.environment import CommandLine, json_option, pass_command_line, plain
from sipsimple.cli.errors import CommandError, ExitCode
from sipsimple.cli.passwords import get_password, password_options
from sipsimple.cli.values import assign, table_of, value_of, values_of
from sipsimple.cli.values import reset as reset_settings

if TYPE_CHECKING:
    from sipsimple.account import Account

__all__ = ["account"]


@click.group()
def account() -> None:
    """Add, list, show, change and remove accounts.

    An account is known by its address, like alice@example.com.
    """


@account.command()
@click.argument("address")
@click.option("--name", "display_name", metavar="NAME", help="Your name, as others see it.")
@click.option(
    "--proxy",
    metavar="HOST",
    help="Send requests through this server, host[:port][;transport=tls|tcp|udp], instead of that of the domain.",
)
@click.option("--username", metavar="NAME", help="The name to authenticate with, if it is not that of the address.")
@click.option("--no-password", is_flag=True, help="The account has none; do not ask.")
@password_options
@click.option("--no-register", is_flag=True, help="Do not register: there is no server, calls go direct.")
@click.option("--disabled", is_flag=True, help="Keep the account, but do not use it yet.")
@click.option("-s", "--set", "assignments", multiple=True, metavar="SETTING=VALUE", help="Set any other setting.")
@pass_command_line
def add(
    command_line: CommandLine,
    address: str,
    display_name: str | None,
    proxy: str | None,
    username: str | None,
    no_password: bool,
    password_file: Path | None,
    keyring: bool,
    no_register: bool,
    disabled: bool,
    assignments: tuple[str, ...],
) -> None:
    """Add the account ADDRESS and enable it.

    Its password is asked for, or read from a file. It is stored in the configuration file, which only you can read,
    or with --keyring in the keyring of the system.

    \b
    sipsimple account add alice@example.com
    sipsimple account add bob@example.com --proxy 'sip.example.com;transport=tcp' --password-file bob.txt
    """
    from sipsimple.account import Account

    with command_line.changing(keyring=keyring):
        try:
            new = Account(address)
        except ValueError as error:
            raise CommandError(str(error), ExitCode.USAGE) from None
        if new.id in command_line.account_ids():
            hint = "sipsimple account set changes it."
            raise CommandError(f"there is an account {new.id} already", ExitCode.USAGE, hint)
        given = {"display_name": display_name, "sip.outbound_proxy": proxy, "auth.username": username}
        assign(new, [f"{name}={value}" for name, value in given.items() if value is not None])
        new.registration.enabled = not no_register
        new.enabled = not disabled
        assign(new, assignments)
        if not no_password:
            new.auth.password = get_password(password_file, new.id)
        new.save()
    command_line.print(f"Added {new.id}." if new.enabled else f"Added {new.id}; it is not enabled.")


@account.command("list")
@json_option
@pass_command_line
def list_accounts(command_line: CommandLine, as_json: bool) -> None:
    """List the accounts.

    The default account, used where none is chosen, has a star; `sipsimple settings set default_account=ADDRESS` makes
    another one the default.
    """
    from sipsimple.account import Account

    with command_line.reading():
        accounts = [Account(address) for address in command_line.account_ids()]
        default = command_line.default_account_id()
    if as_json:
        command_line.print_json([{**_summary(account), "default": account.id == default} for account in accounts])
    elif not accounts:
        command_line.print("There are no accounts. Add one: sipsimple account add ADDRESS")
    else:
        _print_table(command_line, accounts, default)


def _summary(account: Account) -> dict[str, Any]:
    return {
        "address": str(account.id),
        "display_name": plain(account.display_name),
        "enabled": account.enabled,
        "register": account.registration.enabled,
        "outbound_proxy": plain(account.sip.outbound_proxy),
    }


def _print_table(command_line: CommandLine, accounts: list[Account], default: str | None) -> None:
    from rich import box
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE, pad_edge=False)
    for title in ("", "account", "name", "enabled", "registers", "by way of"):
        table.add_column(title)
    for account in accounts:
        summary = _summary(account)
        table.add_row(
            "*" if account.id == default else "",
            Text(summary["address"]),
            Text(summary["display_name"] or ""),
            "yes" if account.enabled else "no",
            "yes" if account.registration.enabled else "no",
            Text(summary["outbound_proxy"] or f"the server of {account.id.domain}"),
            style=None if account.enabled else "dim",
        )
    command_line.print(table)


@account.command()
@click.argument("address")
@click.argument("name", required=False)
@json_option
@pass_command_line
def show(command_line: CommandLine, address: str, name: str | None, as_json: bool) -> None:
    """Show the settings of the account ADDRESS, or the one with that NAME.

    Values that differ from their defaults stand out. Passwords are not shown.
    """
    with command_line.reading():
        shown = command_line.account(address)
        values = [value_of(shown, name)] if name is not None else list(values_of(shown))
    if as_json:
        command_line.print_json({value.name: value.json for value in values} if name is None else values[0].json)
    elif name is not None:
        command_line.print(values[0].text)
    else:
        command_line.print(table_of(values))


@account.command("set")
@click.argument("address")
@click.argument("assignments", nargs=-1, required=True, metavar="SETTING=VALUE...")
@pass_command_line
def set_settings(command_line: CommandLine, address: str, assignments: tuple[str, ...]) -> None:
    """Change settings of the account ADDRESS.

    An empty value is none, where the setting can be none. `sipsimple account show ADDRESS` has their names. All are
    changed or, if one is wrong, none of them.

    \b
    sipsimple account set alice@example.com sip.outbound_proxy='sip.example.com;transport=tls'
    sipsimple account set alice@example.com display_name=Alice registration.interval=300
    """
    with command_line.changing():
        changed = command_line.account(address)
        assign(changed, assignments)
        changed.save()


@account.command()
@click.argument("address")
@click.argument("names", nargs=-1, required=True, metavar="SETTING...")
@pass_command_line
def reset(command_line: CommandLine, address: str, names: tuple[str, ...]) -> None:
    """Give settings of the account ADDRESS their defaults."""
    with command_line.changing():
        changed = command_line.account(address)
        reset_settings(changed, names)
        changed.save()


@account.command()
@click.argument("address")
@password_options
@pass_command_line
def password(command_line: CommandLine, address: str, password_file: Path | None, keyring: bool) -> None:
    """Change the password of the account ADDRESS.

    A password that is in the keyring stays there; with --keyring one that is in the file moves there.
    """
    with command_line.changing(keyring=keyring):
        changed = command_line.account(address)
        changed.auth.password = get_password(password_file, changed.id)
        changed.save()


@account.command()
@click.argument("addresses", nargs=-1, required=True, metavar="ADDRESS...")
@click.option("-y", "--yes", is_flag=True, help="Do not ask.")
@pass_command_line
def remove(command_line: CommandLine, addresses: tuple[str, ...], yes: bool) -> None:
    """Remove accounts, with their passwords."""
    with command_line.changing():
        removed = [command_line.account(address) for address in addresses]
        if not yes:
            click.confirm(f"Remove {', '.join(account.id for account in removed)}?", abort=True)
        for account in removed:
            account.delete()


@account.command()
@click.argument("addresses", nargs=-1, required=True, metavar="ADDRESS...")
@pass_command_line
def enable(command_line: CommandLine, addresses: tuple[str, ...]) -> None:
    """Use accounts."""
    _set_enabled(command_line, addresses, True)


@account.command()
@click.argument("addresses", nargs=-1, required=True, metavar="ADDRESS...")
@pass_command_line
def disable(command_line: CommandLine, addresses: tuple[str, ...]) -> None:
    """Keep accounts, but do not use them."""
    _set_enabled(command_line, addresses, False)


def _set_enabled(command_line: CommandLine, addresses: tuple[str, ...], enabled: bool) -> None:
    with command_line.changing():
        for account in [command_line.account(address) for address in addresses]:
            account.enabled = enabled
            account.save()
