"""`sipsimple send`: files are sent, each in a session of its own."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sipsimple.cli import CommandError, CommandLine, ExitCode, json_option, pass_command_line, seconds_option
from sipsimple.cli.calling import Party, account_option, calling
from sipsimple.streams.filetransfer.commands.display import Display, Row

if TYPE_CHECKING:
    from sipsimple.streams.filetransfer import FileSelector

__all__ = ["send"]

EVENTS = ("SIPSession", "MediaStream", "FileTransferStreamHashProgress", "FileTransferStreamDidFinish")
TICK = 0.1
"""How often the progress is shown anew, in seconds."""
GOODBYE = 2.0
"""How long the end of a session is waited for, in seconds."""


@click.command()
@click.argument("files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
@click.argument("target", metavar="URI")
@account_option
@click.option("--type", "media_type", metavar="TYPE", help="The media type, like image/png; by default by the name.")
@click.option("--no-hash", is_flag=True, help="Do not read a file before it is offered: it can't be resumed then.")
@seconds_option("--timeout", 120.0, "How long an answer is waited for.")
@json_option
@pass_command_line
def send(
    command_line: CommandLine,
    files: tuple[Path, ...],
    target: str,
    account: str | None,
    media_type: str | None,
    no_hash: bool,
    timeout: float,
    as_json: bool,
) -> None:
    """Send each FILE to a SIP URI, one after the other.

    Who receives it verifies it by its SHA-1. What was sent before of the same file, and interrupted, is not sent again.
    The exit code is 0 if all of them were received, else 1.

    \b
    sipsimple send report.pdf photo.jpg bob@example.com
    sipsimple send report.pdf sip:bob@192.0.2.7:5060      without any server
    """
    from sipsimple.streams.filetransfer import FileSelector

    selectors = []
    try:
        for path in files:
            selectors.append(FileSelector.for_file(path, media_type))
    except (OSError, ValueError) as error:
        raise CommandError(f"{path} can't be sent: {_reason(error)}", ExitCode.USAGE) from None
    failed = 0
    with (
        calling(command_line, account, EVENTS) as party,
        Display(command_line, "sending", "sent", as_json) as display,
    ):
        peer = str(party.uri(target))
        for selector in selectors:
            delivery = Delivery(party, display.row(peer, selector.name, selector.size), selector)
            failed += not delivery.run(target, timeout, hash_first=not no_hash)
    if failed:
        raise SystemExit(int(ExitCode.FAILED))


def _reason(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error)).lower()


class Delivery:
    """One file on its way."""

    def __init__(self, party: Party, row: Row, selector: FileSelector) -> None:
        self._party = party
        self._row = row
        self._selector = selector
        self._session: Any = None
        self._stream: Any = None
        self._failure: str | None = None

    def run(self, target: str, timeout: float, *, hash_first: bool) -> bool:
        """Send it; returns whether it was received."""
        from sipsimple.streams.filetransfer import FileTransferStream

        stream = self._stream = FileTransferStream(self._party.account, self._selector)
        stream.hash_first = hash_first
        self._row.state("hashing" if hash_first and self._selector.size else "calling")
        try:
            self._session = self._party.connect(target, [stream])
        except CommandError as error:
            self._selector.close()
            self._row.fail(error.message)
            return False
        deadline: float | None = None
        while self._row.outcome is None:
            notification = self._party.next_event(TICK)
            if notification is not None and notification.sender in (self._session, stream):
                self._take(notification)
                if notification.name == "MediaStreamDidInitialize":
                    deadline = time.monotonic() + timeout
                elif notification.name == "SIPSessionDidStart":
                    deadline = None
            if stream.transferred_bytes:
                self._row.progress(stream.transferred_bytes, stream.file_size)
            if self._party.running.ended.is_set():
                self._row.fail(self._party.running.error or "the application has ended")
            if deadline is not None and time.monotonic() > deadline:
                self._row.fail(f"no answer within {timeout:g} seconds")
        self._say_goodbye()
        return bool(self._row.outcome)

    def _take(self, notification: Any) -> None:
        name, data, stream = notification.name, notification.data, self._stream
        if name == "FileTransferStreamHashProgress":
            self._row.hashed(data.processed_bytes)
        elif name == "MediaStreamDidInitialize":
            self._row.state("calling")
        elif name == "SIPSessionGotRingIndication":
            self._row.state("ringing")
        elif name == "MediaStreamDidStart":
            first = stream.file_range.start - 1 if stream.file_range else 0
            self._row.begin(stream.file_size, first)
        elif name == "FileTransferStreamDidFinish":
            self._row.finish(stream.file_size)
        elif name == "MediaStreamDidFail":
            self._failure = data.reason
        elif name == "SIPSessionDidFail":
            refusal = f"{data.code} {data.reason}" if data.originator == "remote" else data.failure_reason
            self._row.fail(self._failure or refusal)
        elif name == "SIPSessionDidEnd":
            self._row.fail(self._failure or f"the {data.originator} party ended the session")

    def _say_goodbye(self) -> None:
        """End the session, and wait until it is."""
        from sipsimple.session import IllegalStateError

        deadline = time.monotonic() + GOODBYE
        try:
            if self._session.state not in ("terminating", "terminated"):
                self._session.end()
        except IllegalStateError:
            pass  # it ended meanwhile
        while self._session.state != "terminated" and (left := deadline - time.monotonic()) > 0:
            self._party.next_event(min(left, TICK))
