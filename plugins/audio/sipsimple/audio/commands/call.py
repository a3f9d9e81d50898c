"""`sipsimple call`: call somebody, and talk."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import Any

import click

from sipsimple.audio.commands.options import CallOptions, call_options
from sipsimple.audio.commands.outcome import EXIT_CODES
from sipsimple.cli import CommandError, CommandLine, ExitCode, pass_command_line

__all__ = ["call"]

LOOKUP_TIMEOUT = 30.0
REGISTRATION_TIMEOUT = 40.0


@click.command(epilog=EXIT_CODES, short_help="Call somebody and talk.")
@click.argument("uri", metavar="URI")
@click.option("--wait", type=click.FloatRange(min=0, min_open=True), metavar="SECONDS", help="Let it ring so long.")
@click.option("--register", is_flag=True, help="Register first, for servers that want that.")
@call_options
@pass_command_line
def call(command_line: CommandLine, /, uri: str, register: bool, **given: Any) -> None:
    """Call a SIP URI and talk: through microphone and loudspeaker, or with --play and --record files.

    On a terminal it shows how loud both parties are, and keys do things: 0-9 * # A-D send digits, h puts the call on
    hold, m mutes the microphone, r records, i and o take the next microphone and loudspeaker, d lists them all, q
    hangs up, as does Ctrl-C. Without one there are no keys, and all works just so.

    Without an account it calls directly, which needs no server.

    \b
    sipsimple call bob@example.com
    sipsimple call sip:bob@192.168.1.7:5060 --null --play hello.wav --end-after-play --record answer.wav
    sipsimple call 100 --dtmf 1234# --duration 30
    """
    options = CallOptions.checked(given)
    code = run_call(command_line, uri, register, options)
    raise SystemExit(code)


def run_call(command_line: CommandLine, uri: str, register: bool, options: CallOptions) -> int:
    from sipsimple.account import Account, RouteLookupError, lookup_routes
    from sipsimple.audio.commands.accounts import callee, storage_for
    from sipsimple.audio.commands.caller import Caller
    from sipsimple.audio.commands.phone import EVENTS, check_engine
    from sipsimple.audio.commands.report import Report
    from sipsimple.cli.running import running_application

    storage, address, is_guest = storage_for(command_line, options, register=register)
    target = callee(uri, address, is_guest)
    check_engine()
    code = int(ExitCode.INTERRUPTED)
    with suppress(KeyboardInterrupt), running_application(storage, EVENTS) as running:
        account = Account(address)
        if register:
            _wait_for_registration(running, account)
        try:
            routes = lookup_routes(account, target).wait(LOOKUP_TIMEOUT)
        except RouteLookupError as error:
            raise CommandError(f"{uri} can't be called: {error}") from None
        report = Report(command_line, options.as_json)
        code = int(Caller(running, account, options, report, target, routes).run())
    return code


def _wait_for_registration(running: Any, account: Any) -> None:
    deadline = time.monotonic() + REGISTRATION_TIMEOUT
    while (left := deadline - time.monotonic()) > 0:
        notification = running.next_event(left)
        if notification is None or notification.sender is not account:
            continue
        if notification.name == "SIPAccountRegistrationDidSucceed":
            return
        if notification.name == "SIPAccountRegistrationDidFail":
            raise CommandError(f"{account.id} could not be registered: {notification.data.error}")
    raise CommandError(f"{account.id} was not registered within {REGISTRATION_TIMEOUT:g} seconds")
