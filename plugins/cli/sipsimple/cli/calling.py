"""An application that calls, or is called, as long as a command does: with a stored account, or without any server.

@click.command()
@account_option
@pass_command_line
def greet(command_line, account):
    with calling(command_line, account, events=("SIPSession", "ChatStream")) as party:
        session = party.connect("sip:bob@example.com", [ChatStream(party.account)])
        while (notification := party.next_event(30)) is not None:
            ...
"""

from __future__ import annotations

import getpass
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, TypeVar

import click

from sipsimple.cli.environment import CommandLine
from sipsimple.cli.errors import CommandError, ExitCode
from sipsimple.cli.running import RunningApplication, running_application

if TYPE_CHECKING:
    from sipsimple.account import Account
    from sipsimple.core import SIPURI
    from sipsimple.session import Session
    from sipsimple.storage import MemoryStorage

__all__ = ["Party", "account_option", "calling"]

F = TypeVar("F", bound=Callable[..., Any])

LOCAL = ""
"""The account that is none of the stored ones."""
LOOKUP_TIMEOUT = 20.0
DEFAULT_USER = "sipsimple"


def account_option(function: F) -> F:
    """Adds the options --account and --local, as the argument `account` for `calling`."""
    chosen = click.option(
        "--account", "-a", metavar="ADDRESS", help="The account to use; by default the default one, if there is any."
    )
    local = click.option(
        "--local", "account", flag_value=LOCAL, help="Use no account and no server: call, or be called, directly."
    )
    return chosen(local(function))


class Party:
    """Who calls, or is called.

    :ivar account: the account of its sessions
    :ivar running: the application
    """

    def __init__(self, account: Account, running: RunningApplication) -> None:
        self.account = account
        self.running = running

    def next_event(self, timeout: float) -> Any:
        """The next notification (see `calling`), None if there is none for so many seconds."""
        return self.running.next_event(timeout)

    @property
    def address(self) -> str:
        """The URI by which it can be called without a server, by its address in the network; '' if it can't be."""
        from sipsimple.configuration.settings import SIPSimpleSettings
        from sipsimple.core import Engine, EngineError

        for transport in sorted(SIPSimpleSettings().sip.transport_list, key=["udp", "tcp", "tls"].index):
            with suppress(EngineError):  # as of TLS without a certificate
                host, port = Engine().local_address(transport)
                parameter = "" if transport == "udp" else f";transport={transport}"
                return f"sip:{self.account.id.username}@{f'[{host}]' if ':' in host else host}:{port}{parameter}"
        return ""

    def uri(self, text: str) -> SIPURI:
        """The URI that a user means: `sip:bob@example.com`, `bob@example.com`, `bob` or `tel:+49-221-1` (RFC 3966), the
        last two of our own domain.

        :raises CommandError: it is none
        """
        from sipsimple.core import SIPURI

        domain = self.account.id.domain
        if text.lower().startswith("tel:"):
            whole = f"{re.sub('[-.() ]', '', text[4:])}@{domain};user=phone"  # RFC 3261 19.1.6
        else:
            whole = text if "@" in text or ":" in text else f"{text}@{domain}"
        try:
            return SIPURI.parse(whole if whole.lower().startswith(("sip:", "sips:")) else f"sip:{whole}")
        except ValueError as error:
            raise CommandError(f"{text or 'nobody'} can't be called: {error}", ExitCode.USAGE) from None

    def connect(self, target: str, streams: Sequence[Any], subject: str | None = None) -> Session:
        """Begin a session; what becomes of it is told by events.

        :param target: as of `uri`
        :param streams: made of `account`
        :raises CommandError: that is no URI, or there is no way to its server
        """
        from sipsimple.account import RouteLookupError, lookup_routes
        from sipsimple.core import ToHeader
        from sipsimple.session import Session

        uri = self.uri(target)
        try:
            routes = lookup_routes(self.account, uri).wait(LOOKUP_TIMEOUT)
        except (RouteLookupError, TimeoutError) as error:
            raise CommandError(f"{target} can't be called: {error}") from None
        session = Session(self.account)
        session.connect(ToHeader(uri), routes, list(streams), subject=subject)
        return session


@contextmanager
def calling(
    command_line: CommandLine,
    account: str | None,
    events: Iterable[str] = ("SIPSession",),
    *,
    register: bool = False,
    settings: Mapping[str, Any] | None = None,
) -> Iterator[Party]:
    """Inside, an application runs that has one account, and may call and be called. Its sessions are ended at the end.

    :param account: its address; None for the default one, or, where there is none, and for '', one of this machine
        that has no server
    :param events: how the names of the notifications begin that `Party.next_event` gives beside those of the account
    :param register: register the account, if it does that at all
    :param settings: general settings by their dotted names, in place of the stored ones
    :raises CommandError: there is no such account, or it can't be started
    """
    storage, chosen = _storage_for(command_line, account, register, settings or {})
    with running_application(storage, events) as running:
        from sipsimple.account import Account

        yield Party(Account(chosen), running)


def _storage_for(
    command_line: CommandLine, account: str | None, register: bool, settings: Mapping[str, Any]
) -> tuple[MemoryStorage, str]:
    """A storage in which only the chosen account is enabled, with these settings; and its address."""
    with command_line.reading():
        if account:
            chosen = str(command_line.account(account).id)
        else:
            chosen = (command_line.default_account_id() if account is None else None) or local_address()
    storage = command_line.snapshot()
    data = storage.configuration_backend.load()
    accounts = data.setdefault("Accounts", {})
    is_local = chosen not in accounts
    accounts.setdefault(chosen, {})
    for address, stored in accounts.items():
        stored["enabled"] = address == chosen
        if is_local or not register:
            stored.setdefault("registration", {})["enabled"] = False
    for name, value in settings.items():
        *groups, setting = name.split(".")
        group = data.setdefault("SIPSimpleSettings", {})
        for each in groups:
            group = group.setdefault(each, {})
        group[setting] = value
    storage.configuration_backend.save(data)
    return storage, chosen


def local_address() -> str:
    """`user@host` for who has no account: the name in the system, and the address in the network."""
    from sipsimple.realm import current_realm

    try:
        user = re.sub(r"[^A-Za-z0-9_.-]", "", getpass.getuser())
    except (OSError, KeyError):  # nobody with this number is known
        user = ""
    host = current_realm().local_ip_towards("")
    return f"{user or DEFAULT_USER}@{host}"
