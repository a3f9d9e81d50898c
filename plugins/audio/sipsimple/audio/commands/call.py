"""`sipsimple call`: call somebody, and talk."""

from __future__ import annotations

import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any

import click

from sipsimple.audio.commands.options import CallOptions, call_options
from sipsimple.audio.commands.outcome import EXIT_CODES
from sipsimple.cli import CommandError, CommandLine, ExitCode, pass_command_line

if TYPE_CHECKING:
    from sipsimple.cli.calling import Party

__all__ = ["call"]

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


def run_call(command_line: CommandLine, target: str, register: bool, options: CallOptions) -> int:
    from sipsimple.audio.commands.caller import Caller
    from sipsimple.audio.commands.phone import EVENTS, check_engine
    from sipsimple.audio.commands.report import Report
    from sipsimple.cli.calling import calling

    check_engine()
    report, code = Report(command_line, options.as_json), int(ExitCode.INTERRUPTED)
    party_running = calling(command_line, options.account, EVENTS, register=register, settings=options.settings)
    with suppress(KeyboardInterrupt), party_running as party:
        from sipsimple.streams import AudioStream

        if register:
            wait_for_registration(party, REGISTRATION_TIMEOUT)
        peer = str(party.uri(target))
        report.tell("calling", f"calling {peer} as {party.account.id}", peer=peer)
        session = party.connect(target, [AudioStream(party.account)])
        code = int(Caller(party, options, report, session, peer).run())
    return code


def wait_for_registration(party: Party, timeout: float) -> None:
    """Returns when the account is registered. Raises CommandError if it is not, within so many seconds."""
    account = party.account
    deadline = time.monotonic() + timeout
    while (left := deadline - time.monotonic()) > 0:
        notification = party.next_event(left)
        if notification is None or notification.sender is not account:
            continue
        if notification.name == "SIPAccountRegistrationDidSucceed":
            return
        if notification.name == "SIPAccountRegistrationDidFail":
            raise CommandError(f"{account.id} could not be registered: {notification.data.error}")
    raise CommandError(f"{account.id} was not registered within {timeout:g} seconds")
