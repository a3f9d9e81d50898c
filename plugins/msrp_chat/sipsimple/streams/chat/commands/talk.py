"""What `sipsimple chat` does: one conversation at a time, between the events of the application and of the input."""

from __future__ import annotations

import sys
import time
from collections import deque
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from sipsimple.cli.calling import Party, calling
from sipsimple.cli.errors import ExitCode
from sipsimple.cli.lines import InputEnded, Line, Lines, Typed, reading_lines
from sipsimple.session import IllegalStateError
from sipsimple.streams.chat.commands.conversation import Conversation, name_of
from sipsimple.streams.chat.commands.views import JSONView, LineView, View

if TYPE_CHECKING:
    from sipsimple.cli import CommandLine

__all__ = ["Talk", "make_view"]

TICK = 1.0
"""Seconds after which it is looked whether somebody still types, or an answer is still waited for."""
BUSY, NO_CHAT = 486, 488
EVENTS = ("SIPSession", "ChatStream")


def make_view(command_line: CommandLine, as_json: bool) -> View:
    """What shows a chat: JSON, or lines, with a status where there is a terminal."""
    if as_json:
        return JSONView(command_line)
    return LineView(command_line, sys.stdin is not None and sys.stdin.isatty() and sys.stdout.isatty())


class Talk:
    """One run of the command.

    :param account: as of `calling`
    :param once: end after the first chat that was accepted
    :param linger: seconds to wait for answers after the end of the input
    :param receipts: whether to tell that messages were displayed
    :param plain: show no prompt
    """

    def __init__(
        self,
        command_line: CommandLine,
        view: View,
        account: str | None,
        *,
        once: bool,
        linger: float,
        receipts: bool,
        plain: bool,
    ) -> None:
        self._command_line = command_line
        self._view = view
        self._account = account
        self._once = once
        self._linger = linger
        self._receipts = receipts
        self._plain = plain
        self._conversation: Conversation | None = None
        self._past: Conversation | None = None  # the one before: some of its messages may still fail
        self._unsaid: deque[str] = deque()  # lines for whoever comes
        self._input_ended: float | None = None
        self._is_calling = self._is_registered = False
        self._is_over = False
        self._is_hanging_up = False
        self._failed = False
        self._had_chat = False

    def run(self, target: str | None, subject: str | None) -> ExitCode:
        """Call the target, or wait for calls when there is none, until the end; returns the exit code."""
        self._is_calling = target is not None
        interrupted = False
        with calling(self._command_line, self._account, EVENTS, register=target is None) as party:
            try:
                put = party.running.events.put
                with reading_lines(put, lambda: self._view.status, plain=self._plain) as lines:
                    if target is not None:
                        self._call(party, target, subject)
                    else:
                        account = str(party.account.id) if party.account.registration.enabled else None
                        self._view.listening(account, party.address)
                    self._follow(party, lines)
            except KeyboardInterrupt:
                interrupted = True
        self._is_over = True
        while (notification := party.next_event(0)) is not None:  # what came of the end
            self._take(notification, None)
        return self._exit_code(interrupted)

    def _forget_past(self) -> None:
        past, self._past = self._past, None
        self._failed = self._failed or (past is not None and past.undelivered > 0)

    def _exit_code(self, interrupted: bool) -> ExitCode:
        self._forget_past()
        if interrupted and self._is_calling and not self._had_chat:
            return ExitCode.INTERRUPTED
        if self._is_calling and not interrupted:
            for text in self._unsaid:
                self._view.message("failed", "", text, "the chat is over")
                self._failed = True
        return ExitCode.FAILED if self._failed else ExitCode.OK

    def _call(self, party: Party, target: str, subject: str | None) -> None:
        from sipsimple.streams.chat.stream import ChatStream

        stream = ChatStream(party.account)
        session = party.connect(target, [stream], subject)
        self._view.calling(str(party.uri(target)))
        self._conversation = Conversation(session, stream, target, self._view, self._receipts)

    def _follow(self, party: Party, lines: Lines) -> None:
        while not self._is_over and not party.running.ended.is_set():
            event = party.next_event(TICK)
            now = time.monotonic()
            if event is not None:
                self._take(event, lines)
                lines.refresh()
            if self._conversation is not None:
                self._conversation.typing.tick(now)
            self._hang_up_when_done(lines, now)

    def _take(self, event: Any, lines: Lines | None) -> None:
        if isinstance(event, Line):
            self._got_line(event.text, lines)
        elif isinstance(event, Typed):
            if self._conversation is not None:
                self._conversation.typing.typed(event.text, time.monotonic())
        elif isinstance(event, InputEnded):
            self._input_ended = time.monotonic()
        else:
            self._got_notification(event, lines)

    def _got_line(self, text: str, lines: Lines | None) -> None:
        if not text.strip():
            if lines is not None:
                lines.done()
        elif self._conversation is not None:
            self._say(text, lines)
        else:
            self._unsaid.append(text)

    def _say(self, text: str, lines: Lines | None) -> None:
        conversation = self._conversation
        assert conversation is not None
        before = len(conversation.outstanding)
        conversation.say(text)
        if lines is not None and len(conversation.outstanding) == before:  # it can't be sent
            lines.done()

    def _got_notification(self, notification: Any, lines: Lines | None) -> None:
        name, sender, data = notification.name, notification.sender, notification.data
        conversation = self._conversation
        if name == "SIPSessionNewIncoming":
            self._got_call(sender, data.streams, lines)
        elif name == "SIPAccountRegistrationDidSucceed":
            if not self._is_registered:
                self._is_registered = True
                self._view.registered(str(sender.id), None)
        elif name == "SIPAccountRegistrationDidFail":
            self._is_registered = False
            self._view.registered(str(sender.id), data.error)
        elif name.startswith("ChatStream"):
            talks = [talk for talk in (conversation, self._past) if talk is not None and talk.stream is sender]
            if talks and talks[0].take(notification) and lines is not None:
                lines.done()
        elif conversation is None or sender is not conversation.session:
            return
        elif name == "SIPSessionGotRingIndication":
            self._view.ringing()
        elif name == "SIPSessionDidStart":
            conversation.is_started = self._had_chat = True
            conversation.peer = name_of(sender.remote_identity)
            self._view.started(conversation.peer)
        elif name == "SIPSessionGotProposal" and data.originator == "remote":
            with suppress(IllegalStateError):  # it was withdrawn
                conversation.session.reject_proposal(NO_CHAT)
        elif name == "SIPSessionDidFail":
            self._view.failed(conversation.peer, data.code or None, data.failure_reason or data.reason)
            self._ended(conversation, failed=True)
        elif name == "SIPSessionDidEnd":
            reason = "you ended it" if data.originator == "local" else f"{conversation.peer} ended it"
            if data.end_reason and data.end_reason != "user_request":
                reason = data.end_reason
            self._view.ended(conversation.peer, reason)
            self._ended(conversation, failed=False)

    def _got_call(self, session: Any, streams: list[Any], lines: Lines | None) -> None:
        stream = next((stream for stream in streams if stream.type == "chat"), None)
        code = BUSY if self._is_calling or self._conversation is not None or self._is_over else NO_CHAT
        if code == BUSY or stream is None:
            with suppress(IllegalStateError):  # the caller has given up
                session.reject(code)
            self._view.refused(name_of(session.remote_identity), code)
            return
        self._conversation = Conversation(session, stream, name_of(session.remote_identity), self._view, self._receipts)
        with suppress(IllegalStateError):  # the caller has given up, which is told next
            session.accept([stream])
        while self._unsaid:
            self._say(self._unsaid.popleft(), lines)

    def _ended(self, conversation: Conversation, failed: bool) -> None:
        if failed and (self._is_calling or self._once):
            self._failed = True
        self._forget_past()
        self._conversation, self._past = None, conversation
        if self._is_calling or self._once or self._is_hanging_up:
            self._is_over = True

    def _hang_up_when_done(self, lines: Lines, now: float) -> None:
        """After the end of the input a chat ends when all has arrived; of one that waits for chats, at a terminal."""
        if self._input_ended is None or self._is_over or not (self._is_calling or lines.is_terminal):
            return
        conversation = self._conversation
        if conversation is None:
            self._is_over = True
        elif (
            conversation.is_started
            and not conversation.outstanding
            and not self._is_hanging_up
            and now - self._input_ended >= self._linger
        ):
            self._is_hanging_up = True
            with suppress(IllegalStateError):  # it ends already
                conversation.session.end()
