"""What `sipsimple chat` shows: lines for people, or JSON for programs."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sipsimple.cli import CommandLine

__all__ = ["JSONView", "LineView", "View", "printable"]

TEXT_OF_STATUS = {"sent": "", "delivered": "✓", "displayed": "✓✓", "failed": "✗"}

# What could move the cursor, change colours, or override the direction of what follows.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]")


def printable(text: str) -> str:
    """Text of somebody else as a terminal may show it."""
    return _UNPRINTABLE.sub("\ufffd", text.replace("\r\n", "\n"))


class View:
    """Shows what happens in a chat; this one shows nothing.

    :ivar status: one line with what is so now
    """

    status = ""

    def listening(self, account: str | None, address: str) -> None:
        """Chats are waited for: by the account, if it has a server, and by who knows our address in the network."""

    def registered(self, account: str, error: str | None) -> None:
        """The account is registered, so that its chats reach us, or could not be."""

    def calling(self, target: str) -> None:
        """The target is being called."""

    def ringing(self) -> None:
        """It rings there."""

    def started(self, peer: str) -> None:
        """The chat has started."""

    def ended(self, peer: str, reason: str) -> None:
        """The chat is over."""

    def failed(self, peer: str, code: int | None, reason: str) -> None:
        """There was no chat."""

    def refused(self, peer: str, code: int) -> None:
        """Somebody called in vain."""

    def received(self, sender: str, text: str, content_type: str, when: datetime | None) -> None:
        """A message has come."""

    def message(self, status: str, message_id: str, text: str, reason: str = "") -> None:
        """What has become of a message of ours: 'sent', 'delivered', 'displayed', 'failed'."""

    def composing(self, sender: str, state: str) -> None:
        """Somebody types, or no longer does."""


class JSONView(View):
    """One JSON object a line: `time`, `event`, and what belongs to the event."""

    def __init__(self, command_line: CommandLine) -> None:
        self._command_line = command_line

    def _tell(self, event: str, **fields: Any) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds")
        self._command_line.print_json({"time": now, "event": event, **fields})

    def listening(self, account: str | None, address: str) -> None:
        self._tell("listening", account=account, address=address)

    def registered(self, account: str, error: str | None) -> None:
        if error is None:
            self._tell("registered", account=account)
        else:
            self._tell("unregistered", account=account, error=error)

    def calling(self, target: str) -> None:
        self._tell("calling", target=target)

    def ringing(self) -> None:
        self._tell("ringing")

    def started(self, peer: str) -> None:
        self._tell("started", peer=peer)

    def ended(self, peer: str, reason: str) -> None:
        self._tell("ended", peer=peer, reason=reason)

    def failed(self, peer: str, code: int | None, reason: str) -> None:
        self._tell("failed", peer=peer, code=code, reason=reason)

    def refused(self, peer: str, code: int) -> None:
        self._tell("refused", peer=peer, code=code)

    def received(self, sender: str, text: str, content_type: str, when: datetime | None) -> None:
        sent = None if when is None else when.isoformat(timespec="milliseconds")
        self._tell("received", sender=sender, text=text, content_type=content_type, sent=sent)

    def message(self, status: str, message_id: str, text: str, reason: str = "") -> None:
        fields = {"reason": reason} if reason else {}
        self._tell("message", status=status, id=message_id, text=text, **fields)

    def composing(self, sender: str, state: str) -> None:
        self._tell("composing", sender=sender, state=state)


class LineView(View):
    """For people: what was said, with ticks for what has arrived. At a terminal a message is shown once it has, and
    what is under way, who types, and what was seen is the `status`.

    :param live: whether there is somewhere to show the status
    """

    def __init__(self, command_line: CommandLine, live: bool) -> None:
        self._command_line = command_line
        self._live = live
        self._state = ""
        self._waiting: dict[str, str] = {}
        self._composing: dict[str, None] = {}
        self._seen = ""

    @property
    def status(self) -> str:  # type: ignore[override]
        parts = [self._state]
        if self._waiting:
            parts.append(f"… {next(reversed(self._waiting.values()))}")
        elif self._seen:
            parts.append(f"✓✓ {self._seen}")
        parts += [f"{sender} is typing" for sender in self._composing]
        return printable("  ".join(part for part in parts if part).replace("\n", " "))

    def _print(self, text: str, style: str | None = None) -> None:
        self._command_line.print(f"{datetime.now():%H:%M:%S} {printable(text)}", style=style)

    def _note(self, text: str) -> None:
        self._print(f"* {text}", "dim")

    def listening(self, account: str | None, address: str) -> None:
        self._state = "waiting for a chat"
        self._note(f"Waiting for chats at {account or address}")

    def registered(self, account: str, error: str | None) -> None:
        self._note(f"{account} is registered" if error is None else f"{account} is not registered: {error}")

    def calling(self, target: str) -> None:
        self._state = f"calling {target}"
        self._note(f"Calling {target}")

    def ringing(self) -> None:
        self._note("It rings")

    def started(self, peer: str) -> None:
        self._state = peer
        self._note(f"You chat with {peer}")

    def ended(self, peer: str, reason: str) -> None:
        self._state = "no chat"
        self._composing.clear()
        self._seen = ""
        self._note(f"The chat with {peer} is over: {reason}")

    def failed(self, peer: str, code: int | None, reason: str) -> None:
        self._state = "no chat"
        self._note(f"No chat with {peer}: {reason if code is None else f'{code} {reason}'}")

    def refused(self, peer: str, code: int) -> None:
        self._note(f"{peer} called and was refused ({code})")

    def received(self, sender: str, text: str, content_type: str, when: datetime | None) -> None:
        self._composing.pop(sender, None)
        kind = "" if content_type == "text/plain" else f" [{content_type}]"
        self._print(f"{sender}:{kind} {text}", "bold")

    def message(self, status: str, message_id: str, text: str, reason: str = "") -> None:
        if status == "sent":
            self._waiting[message_id] = text
            return
        self._waiting.pop(message_id, None)
        if status == "displayed" and self._live:
            self._seen = text
            return
        tick = TEXT_OF_STATUS[status]
        self._print(f"{tick} {text} ({reason})" if reason else f"{tick} {text}", "red" if status == "failed" else None)

    def composing(self, sender: str, state: str) -> None:
        if state != "active":
            self._composing.pop(sender, None)
        elif sender not in self._composing:
            self._composing[sender] = None
            if not self._live:
                self._note(f"{sender} is typing")
