"""`sipsimple chat`: chats in the terminal, or for a program through pipes."""

from __future__ import annotations

import click

from sipsimple.cli import CommandError, CommandLine, ExitCode, json_option, pass_command_line
from sipsimple.cli.calling import account_option

__all__ = ["chat"]


@click.command(short_help="Chat, or wait for chats.")
@click.argument("target", required=False)
@click.option("--accept", is_flag=True, help="Wait for chats and accept them, one at a time, instead of calling.")
@click.option("--once", is_flag=True, help="With --accept: end after the first chat.")
@click.option("--subject", metavar="TEXT", help="What the chat is about, for who is called.")
@click.option(
    "--wait",
    type=click.FloatRange(min=0),
    default=0.0,
    metavar="SECONDS",
    help="How long to wait for answers after the end of the input.",
)
@click.option("--no-receipts", is_flag=True, help="Do not tell the other side that its messages were displayed.")
@json_option
@account_option
@pass_command_line
def chat(
    command_line: CommandLine,
    target: str | None,
    accept: bool,
    once: bool,
    subject: str | None,
    wait: float,
    no_receipts: bool,
    as_json: bool,
    account: str | None,
) -> None:
    """Chat with TARGET, such as bob@example.com, or wait for who wants to chat (--accept).

    Each line that is typed, or piped in, is a message. ✓ stands for what has arrived, ✓✓ for what was displayed, ✗ for
    what has not arrived. Ctrl-D ends the chat when all has arrived, Ctrl-C at once.

    With --json each event is one line: {"time", "event", ...}. The events are listening, registered, unregistered,
    calling, ringing, started, received, message (of ours, with its status: sent, delivered, displayed or failed),
    composing, ended, failed and refused.

    The exit code is 0 if there was a chat and all messages have arrived, else 1.

    \b
    sipsimple chat bob@example.com
    sipsimple chat --accept
    echo "The backup is done" | sipsimple chat admin@example.com
    """
    if accept is (target is not None):
        raise CommandError("give a TARGET to call, or --accept to be called", ExitCode.USAGE)
    if accept and subject is not None:
        raise CommandError("--subject is for who is called", ExitCode.USAGE)
    if once and not accept:
        raise CommandError("--once goes with --accept", ExitCode.USAGE)
    from sipsimple.streams.chat.commands.talk import Talk, make_view

    view = make_view(command_line, as_json)
    talk = Talk(command_line, view, account, once=once, linger=wait, receipts=not no_receipts, plain=as_json)
    code = talk.run(target, subject)
    if code is not ExitCode.OK:
        raise SystemExit(int(code))
