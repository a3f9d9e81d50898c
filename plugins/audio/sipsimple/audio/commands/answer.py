"""`sipsimple answer`: wait for calls, and talk."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import click

from sipsimple.audio.commands.options import CallOptions, call_options
from sipsimple.audio.commands.outcome import EXIT_CODES
from sipsimple.cli import CommandLine, ExitCode, pass_command_line

__all__ = ["answer"]

_SECONDS = click.FloatRange(min=0)


@click.command(epilog=EXIT_CODES, short_help="Wait for calls and talk.")
@click.option("--auto", is_flag=True, help="Answer without asking; so it is anyway where there are no keys.")
@click.option("--ring", type=_SECONDS, default=0.0, metavar="SECONDS", help="How long it rings before --auto answers.")
@click.option("--refuse", type=click.IntRange(300, 699), metavar="CODE", help="Refuse all calls, such as with 486.")
@click.option("--calls", type=click.IntRange(1), metavar="NUMBER", help="End after so many calls.")
@click.option("--wait", type=_SECONDS, metavar="SECONDS", help="End when nobody has called for so long.")
@call_options
@pass_command_line
def answer(
    command_line: CommandLine, /, auto: bool, ring: float, refuse: int | None, calls: int | None, **given: Any
) -> None:
    """Wait for calls and talk, one after the other, until Ctrl-C. Who calls meanwhile is told that it is busy.

    It registers, if the account does; without an account it is called directly, at the address that it shows. The keys
    are those of sipsimple call; when it rings, a answers and x refuses.

    \b
    sipsimple answer
    sipsimple answer --auto --calls 1 --null --play hello.wav --record call.wav --port 5060
    """
    options = CallOptions.checked(given)
    raise SystemExit(run_answer(command_line, options, auto, ring, refuse, calls))


def run_answer(
    command_line: CommandLine, options: CallOptions, auto: bool, ring: float, refuse: int | None, calls: int | None
) -> int:
    from sipsimple.audio.commands.answerer import Answerer
    from sipsimple.audio.commands.phone import EVENTS, check_engine
    from sipsimple.audio.commands.report import Report
    from sipsimple.cli.calling import calling

    check_engine()
    code = int(ExitCode.INTERRUPTED)
    party_running = calling(command_line, options.account, EVENTS, register=True, settings=options.settings)
    with suppress(KeyboardInterrupt), party_running as party:
        phone = Answerer(party, options, Report(command_line, options.as_json))
        phone.auto, phone.ring_time, phone.refusal, phone.calls = auto, ring, refuse, calls
        code = int(phone.run())
    return code
