"""`sipsimple receive`: files are received from who sends them, until Ctrl-C or for one session."""

from __future__ import annotations

import math
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from sipsimple.cli import CommandError, CommandLine, ExitCode, json_option, pass_command_line
from sipsimple.cli.calling import Party, account_option, calling
from sipsimple.streams.filetransfer.commands.display import Display, Row, readable_size
from sipsimple.streams.filetransfer.names import safe_name

if TYPE_CHECKING:
    from sipsimple.core import BaseSIPURI

__all__ = ["receive"]

EVENTS = ("SIPSession", "MediaStream", "FileTransferStreamDidFinish")
TICK = 0.1
"""How often the progress is shown anew, in seconds."""
LINGER = 30.0
"""How long a session of which all files are there may last, in seconds."""


@click.command()
@click.option(
    "--into",
    "-d",
    "folder",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="The folder for the files; by default that of the setting file_transfer.directory, or your Downloads.",
)
@account_option
@click.option("--yes", "-y", is_flag=True, help="Receive whatever comes; do not ask.")
@click.option(
    "--from",
    "senders",
    multiple=True,
    metavar="ADDRESS",
    help="Receive, unasked, from who says to be that; refuse others.",
)
@click.option("--once", is_flag=True, help="End after the first session in which files were received.")
@json_option
@pass_command_line
def receive(
    command_line: CommandLine,
    folder: Path | None,
    account: str | None,
    yes: bool,
    senders: tuple[str, ...],
    once: bool,
    as_json: bool,
) -> None:
    """Receive files, until Ctrl-C.

    You are asked about each, unless --yes or --from say that it is welcome. A file is verified, and never written over
    another one; one that was interrupted before is gone on with.

    The exit code is 0 if all that was begun has been received, else 1.

    \b
    sipsimple receive
    sipsimple receive --into /srv/incoming --from alice@example.com --json
    """
    if not (yes or senders or sys.stdin.isatty()):
        raise CommandError("there is nobody to ask", ExitCode.USAGE, "Say --yes, or --from ADDRESS.")
    collector = None
    with (
        suppress(KeyboardInterrupt),
        calling(command_line, account, EVENTS, register=True) as party,
        Display(command_line, "receiving", "received", as_json) as display,
    ):
        welcome = None if yes else [party.uri(sender) for sender in senders]
        collector = Collector(party, display, folder, welcome)
        display.say(f"{party.account.id} receives files, also at {party.address}. Ctrl-C ends it.")
        display.tell("ready", account=str(party.account.id), address=party.address)
        collector.run(once)
    if collector is None or collector.unfinished:
        raise KeyboardInterrupt
    if collector.failures:
        raise SystemExit(int(ExitCode.FAILED))


class Collector:
    """What comes in, from all sessions.

    :param welcome: whose files are received without asking; None: everybody's; none: who sits there is asked
    :ivar failures: how many transfers came to nothing
    """

    def __init__(self, party: Party, display: Display, folder: Path | None, welcome: list[BaseSIPURI] | None) -> None:
        self.failures = 0
        self._party = party
        self._display = display
        self._folder = folder
        self._welcome = welcome
        self._rows: dict[Any, Row] = {}  # by stream, those under way
        self._sessions: dict[Any, list[Any]] = {}  # the streams of each session that are received
        self._done: dict[Any, float] = {}  # sessions of which all is there, and when they are ended at the latest

    @property
    def unfinished(self) -> bool:
        """Whether transfers are under way."""
        return bool(self._rows)

    def run(self, once: bool) -> None:
        """Take in what comes; with `once` until a session in which files were received is over."""
        while not self._party.running.ended.is_set():
            notification = self._party.next_event(TICK)
            if notification is not None:
                is_over = self._take(notification)
                if is_over and once:
                    return
            for stream, row in self._rows.items():
                if stream.transferred_bytes:
                    row.progress(stream.transferred_bytes, stream.file_size)
            self._end_what_is_done()

    def _end_what_is_done(self) -> None:
        """It is the sender who ends a session, as more may come; but he is not waited for for ever."""
        from sipsimple.session import IllegalStateError

        now = time.monotonic()
        for session, streams in self._sessions.items():
            if any(stream in self._rows for stream in streams):
                self._done.pop(session, None)
            elif now > self._done.setdefault(session, now + LINGER):
                with suppress(IllegalStateError):
                    session.end()
                self._done[session] = math.inf

    def _take(self, notification: Any) -> bool:
        """One notification; returns whether it ends a session in which files were received."""
        name, sender, data = notification.name, notification.sender, notification.data
        if name == "SIPSessionNewIncoming":
            self._offered(sender, data.streams, sender.accept, sender.reject)
        elif name == "SIPSessionGotProposal" and data.originator == "remote":
            self._offered(sender, data.streams, sender.accept_proposal, sender.reject_proposal)
        elif name in ("SIPSessionDidEnd", "SIPSessionDidFail"):
            return self._ended(sender)
        elif name == "SIPSessionDidRenegotiateStreams" and data.action == "remove":
            for stream in data.streams:
                self._failed(stream, "the remote party took it back")
        elif sender in self._rows:
            self._take_stream(name, sender, data)
        return False

    def _take_stream(self, name: str, stream: Any, data: Any) -> None:
        row = self._rows[stream]
        if name == "MediaStreamDidStart":
            row.begin(stream.file_size, stream.file_range.start - 1 if stream.file_range else 0)
        elif name == "FileTransferStreamDidFinish":
            del self._rows[stream]
            row.finish(stream.file_size, str(stream.file_path))
        elif name == "MediaStreamDidFail":
            self._failed(stream, data.reason)

    def _offered(self, session: Any, streams: list[Any], accept: Any, reject: Any) -> None:
        """Streams are proposed: those are accepted that bring a file that is wanted."""
        from sipsimple.session import IllegalStateError
        from sipsimple.streams.filetransfer import FileTransferStream

        files = [stream for stream in streams if isinstance(stream, FileTransferStream) and not stream.sends]
        wanted = [stream for stream in files if self._is_wanted(session, stream)]
        peer = str(session.remote_identity.uri)
        try:
            if not wanted:
                reject(603 if files else 488)
                return
            for stream in wanted:
                stream.directory = self._folder
                selector = stream.file_selector
                self._rows[stream] = self._display.row(peer, selector.name, selector.size)
            accept(wanted)
            self._sessions.setdefault(session, []).extend(wanted)
        except IllegalStateError:  # it was cancelled while it was asked about
            for stream in wanted:
                self._failed(stream, "the remote party took it back")

    def _is_wanted(self, session: Any, stream: Any) -> bool:
        uri, selector = session.remote_identity.uri, stream.file_selector
        name, peer = safe_name(selector.name), f"{uri.user}@{uri.host}"
        if self._welcome is None:
            return True
        if any((uri.user, uri.host.lower()) == (one.user, one.host.lower()) for one in self._welcome):
            return True
        if self._welcome or self._display.as_json or not sys.stdin.isatty():
            self._display.tell("refused", file=name, peer=str(uri), size=selector.size)
            self._display.say(f"{name}: refused, from {peer}")
            return False
        return self._display.ask(f"{peer} sends {name}, {readable_size(selector.size)}. Receive it?")

    def _ended(self, session: Any) -> bool:
        streams = self._sessions.pop(session, None)
        self._done.pop(session, None)
        for stream in streams or ():
            self._failed(stream, "the session ended")
        return streams is not None

    def _failed(self, stream: Any, reason: str) -> None:
        row = self._rows.pop(stream, None)
        if row is not None:
            self.failures += 1
            row.fail(reason)
