"""`MessageSummary`: how many messages wait in a mailbox, application/simple-message-summary (RFC 3842 5.2)."""

from __future__ import annotations

import re
from collections.abc import Mapping

__all__ = ["CONTENT_TYPE", "MessageSummary"]

CONTENT_TYPE = "application/simple-message-summary"

#: How many kinds of messages, and how many further headers, a summary may have.
MAX_SUMMARIES = 50
MAX_HEADERS = 200

COUNTS = ("new_messages", "old_messages", "new_urgent_messages", "old_urgent_messages")

_HEADER = re.compile(r"([!%'*+\-.0-9A-Z_`a-z~]+)[ \t]*:[ \t]*(.*?)[ \t]*")
_COUNTS = re.compile(
    r"([0-9]{1,10})[ \t]*/[ \t]*([0-9]{1,10})(?:[ \t]*\([ \t]*([0-9]{1,10})[ \t]*/[ \t]*([0-9]{1,10})[ \t]*\))?"
)


class MessageSummary:
    """The state of a mailbox.

    :param messages_waiting: whether there are new messages
    :param message_account: the URI of the mailbox, which may be called; None if it is not told
    :param summaries: by the class of the messages in lower case, like 'voice-message': a dictionary with the numbers
        `new_messages`, `old_messages`, `new_urgent_messages` and `old_urgent_messages`; what is not told is 0
    :param optional_headers: what else is told, of single messages
    """

    __slots__ = ("message_account", "messages_waiting", "optional_headers", "summaries")

    def __init__(
        self,
        messages_waiting: bool = False,
        message_account: str | None = None,
        summaries: Mapping[str, Mapping[str, int]] | None = None,
        optional_headers: Mapping[str, str] | None = None,
    ) -> None:
        self.messages_waiting = bool(messages_waiting)
        self.message_account = message_account
        self.summaries = {
            name.lower(): dict.fromkeys(COUNTS, 0) | dict(counts) for name, counts in (summaries or {}).items()
        }
        self.optional_headers = dict(optional_headers or {})

    @classmethod
    def parse(cls, content: bytes | str) -> MessageSummary:
        """The summary that a NOTIFY brings. Raises ValueError for anything else."""
        text = content.decode("utf-8", "replace") if isinstance(content, bytes) else content
        # headers of the mailbox, and after an empty line those of messages; a line that begins with a space goes on
        head, _, rest = re.sub(r"\r\n?", "\n", text).strip("\n").partition("\n\n")
        lines = _unfolded(head)
        if not lines:
            raise ValueError("a message summary is not empty")
        name, value = _split(lines[0])
        if name != "messages-waiting" or value.lower() not in ("yes", "no"):
            raise ValueError(f"a message summary begins with Messages-Waiting: yes or no, not with {lines[0]!r}")
        summary = cls(value.lower() == "yes")
        for line in lines[1:]:
            name, value = _split(line)
            if name == "message-account":
                summary.message_account = value
                continue
            counts = _COUNTS.fullmatch(value)
            if counts is None:
                raise ValueError(f"{line!r} does not tell numbers of messages, like 2/8 (0/2)")
            if len(summary.summaries) >= MAX_SUMMARIES:
                raise ValueError(f"there are more than {MAX_SUMMARIES} kinds of messages")
            numbers = [int(number or 0) for number in counts.groups()]
            summary.summaries[name] = dict(zip(COUNTS, numbers, strict=True))
        for line in _unfolded(rest.replace("\n\n", "\n"))[:MAX_HEADERS]:
            name, value = _split(line)
            summary.optional_headers[name] = value
        return summary

    def to_string(self) -> str:
        """The summary as a NOTIFY has it."""
        lines = [f"Messages-Waiting: {'yes' if self.messages_waiting else 'no'}"]
        if self.message_account is not None:
            lines.append(f"Message-Account: {self.message_account}")
        for name, counts in self.summaries.items():
            new, old, new_urgent, old_urgent = (counts[count] for count in COUNTS)
            lines.append(f"{name.title()}: {new}/{old} ({new_urgent}/{old_urgent})")
        if self.optional_headers:
            lines.append("")
            lines += [f"{name.title()}: {value}" for name, value in self.optional_headers.items()]
        return "\r\n".join([*lines, ""])

    def __eq__(self, other: object) -> bool:
        return self._key() == other._key() if isinstance(other, MessageSummary) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def _key(self) -> tuple[object, ...]:
        return self.messages_waiting, self.message_account, self.summaries, self.optional_headers

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.messages_waiting!r}, {self.message_account!r}, {self.summaries!r})"


def _unfolded(text: str) -> list[str]:
    return [line for line in re.sub(r"\n[ \t]+", " ", text).split("\n") if line.strip()]


def _split(line: str) -> tuple[str, str]:
    header = _HEADER.fullmatch(line)
    if header is None:
        raise ValueError(f"{line!r} is no header of a message summary")
    return header[1].lower(), header[2]
