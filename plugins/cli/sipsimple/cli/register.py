"""`sipsimple register`: accounts are registered, and what becomes of it is shown live."""

from __future__ import annotations

import time
from contextlib import nullcontext, suppress
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

import click

from sipsimple.cli.environment import CommandLine, json_option, pass_command_line, seconds_option
from sipsimple.cli.errors import CommandError, ExitCode
from sipsimple.cli.running import RunningApplication, running_application

if TYPE_CHECKING:
    from rich.table import Table

    from sipsimple.storage import MemoryStorage

__all__ = ["register"]

#: How often the time that is left is shown anew, in seconds.
TICK = 1.0


@click.command()
@click.argument("addresses", nargs=-1, metavar="[ADDRESS]...")
@click.option("--once", is_flag=True, help="End as soon as it is known whether they register.")
@seconds_option("--timeout", 60.0, "How long --once waits.")
@json_option
@pass_command_line
def register(command_line: CommandLine, addresses: tuple[str, ...], once: bool, timeout: float, as_json: bool) -> None:
    """Register accounts, and show their state until Ctrl-C; then they are unregistered.

    Without an ADDRESS those that are enabled, and register. With --json each change is one line:
    {"time", "account", "state", ...}, where the state is registering, registered, failed or unregistered, or messages
    when the state of the mailbox came.

    The exit code is 0 if all of them were registered at the end, else 1.

    \b
    sipsimple register
    sipsimple register alice@example.com --once
    """
    storage, accounts = _chosen(command_line, addresses)
    watch = Watch(command_line, accounts, as_json)
    with suppress(KeyboardInterrupt), running_application(storage) as running, watch.shown():
        watch.follow(running, time.monotonic() + timeout if once else None)
    registered = watch.all_were_registered
    watch.take_rest()
    if not registered:
        raise SystemExit(int(ExitCode.FAILED))


def _chosen(command_line: CommandLine, addresses: tuple[str, ...]) -> tuple[MemoryStorage, list[str]]:
    """A storage in which the accounts that are meant are enabled, and no others; and their addresses."""
    from sipsimple.account import Account

    with command_line.reading():
        if addresses:
            chosen = list(dict.fromkeys(str(command_line.account(address).id) for address in addresses))
        else:
            known = [Account(address) for address in command_line.account_ids()]
            chosen = [str(account.id) for account in known if account.enabled and account.registration.enabled]
    if not chosen:
        hint = "sipsimple account add ADDRESS adds one, sipsimple account list shows those that there are."
        raise CommandError("there is no account that is enabled and registers", ExitCode.USAGE, hint)
    storage = command_line.snapshot()
    data = storage.configuration_backend.load()
    for address, settings in data.get("Accounts", {}).items():
        settings["enabled"] = address in chosen
        if address in addresses:
            settings.setdefault("registration", {})["enabled"] = True
    storage.configuration_backend.save(data)
    return storage, chosen


class AccountState:
    """What is known of one account."""

    def __init__(self) -> None:
        self.state = "waiting"
        self.text = ""
        self.until: float | None = None  # when what the text says is over, on the monotonic clock
        self.messages = ""

    @property
    def is_registered(self) -> bool:
        return self.state == "registered"


class Watch:
    """Shows the states of accounts as they change: a table on a terminal, otherwise lines."""

    def __init__(self, command_line: CommandLine, addresses: list[str], as_json: bool) -> None:
        self._command_line = command_line
        self._as_json = as_json
        self._states = {address: AccountState() for address in addresses}
        self._live: Any = None
        self._running: RunningApplication | None = None
        #: Whether all accounts were registered when it was last looked at while the application ran.
        self.all_were_registered = False

    def say(self, text: str) -> None:
        if not self._as_json:
            self._command_line.print(text)

    def shown(self) -> Any:
        """A context in which the table is on the terminal, if there is one."""
        console = None if self._as_json else self._command_line.console
        if console is None or not console.is_terminal:
            return nullcontext()
        from rich.live import Live

        self._live = Live(self._table(), console=console, auto_refresh=False)
        return self._live

    def follow(self, running: RunningApplication, deadline: float | None) -> None:
        """Take in what happens, until Ctrl-C; with a deadline until the outcome of each account is there."""
        self._running = running
        while not running.ended.is_set():
            left = TICK if deadline is None else min(TICK, deadline - time.monotonic())
            notification = running.next_event(left)
            if notification is not None:
                self.take(notification)
            self.all_were_registered = all(state.is_registered for state in self._states.values())
            if self._live is not None:
                self._live.update(self._table(), refresh=True)
            if deadline is not None:
                settled = all(state.state in ("registered", "failed") for state in self._states.values())
                if settled or time.monotonic() >= deadline:
                    return

    def take_rest(self) -> None:
        """The application has ended: tell what came of that."""
        self._live = None
        while self._running is not None and (notification := self._running.next_event(0)) is not None:
            self.take(notification)

    def take(self, notification: Any) -> None:
        """One notification."""
        name, data = notification.name, notification.data
        if name == "SIPApplicationFailedToStartTLS":
            self.say(f"TLS does not work: {data.error}")
            return
        address = str(getattr(notification.sender, "id", ""))
        state = self._states.get(address)
        if state is None:
            return
        if name == "SIPAccountWillRegister":
            self._change(notification, address, state, "registering", "")
        elif name == "SIPAccountRegistrationDidSucceed":
            contact, expires = str(data.contact_header.uri), data.expires
            text = f"at {data.registrar} as {contact}"
            fields = {"registrar": str(data.registrar), "contact": contact, "expires": expires}
            self._change(notification, address, state, "registered", text, expires, **fields)
        elif name == "SIPAccountRegistrationDidFail":
            fields = {"error": data.error, "retry_in": round(data.timeout, 1)}
            self._change(notification, address, state, "failed", data.error, data.timeout, **fields)
        elif name in ("SIPAccountRegistrationDidEnd", "SIPAccountRegistrationDidNotEnd"):
            reason = getattr(data, "reason", "")
            self._change(notification, address, state, "unregistered", reason, reason=reason)
        elif name == "SIPAccountMWIDidGetSummary":
            self._tell_messages(notification, address, state)

    def _tell_messages(self, notification: Any, address: str, state: AccountState) -> None:
        summary = notification.data.message_summary
        counts = {
            kind: (numbers["new_messages"], numbers["old_messages"]) for kind, numbers in summary.summaries.items()
        }
        told = ", ".join(f"{kind} {new}/{old}" for kind, (new, old) in counts.items())
        state.messages = told or ("messages wait" if summary.messages_waiting else "no messages")
        fields = {kind: {"new": new, "old": old} for kind, (new, old) in counts.items()}
        self._tell(notification, address, "messages", state.messages, waiting=summary.messages_waiting, **fields)

    def _change(
        self, notification: Any, address: str, state: AccountState, name: str, text: str, seconds: float | None = None,
        **fields: Any,
    ) -> None:  # fmt: skip
        state.state, state.text = name, text
        state.until = None if seconds is None else time.monotonic() + seconds
        if name == "registered":
            text = f"{text} for {seconds} s"
        elif name == "failed":
            text = f"{text}; next try in {seconds:.0f} s"
        self._tell(notification, address, name, text, **fields)

    def _tell(self, notification: Any, address: str, name: str, text: str, **fields: Any) -> None:
        when: datetime = notification.data.timestamp
        if self._as_json:
            self._command_line.print_json(
                {"time": when.isoformat(timespec="milliseconds"), "account": address, "state": name, **fields}
            )
        elif self._live is None:
            line = f"{when.astimezone():%H:%M:%S} {address}: {name}"
            self._command_line.print(f"{line} {text}" if text else line)

    def _table(self) -> Table:
        from rich import box
        from rich.table import Table
        from rich.text import Text

        styles = {"registered": "green", "failed": "bold red"}
        table = Table(box=box.SIMPLE, pad_edge=False)
        for title in ("account", "state", "time left", "", "messages"):
            table.add_column(title, overflow="fold")
        for address, state in self._states.items():
            left = "" if state.until is None else str(timedelta(seconds=max(0, round(state.until - time.monotonic()))))
            name = Text(state.state, style=styles.get(state.state, "yellow"))
            table.add_row(Text(address), name, left, Text(state.text), Text(state.messages))
        return table
