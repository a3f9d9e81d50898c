"""The parts of `sipsimple chat` that need no process: when typing is told, and what is shown."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

pytest.importorskip("sipsimple.cli", reason="pip install 'sipsimple-chat[cli]'")

from sipsimple.cli.errors import ExitCode
from sipsimple.cli.lines import Line
from sipsimple.session import IllegalStateError
from sipsimple.streams.chat.commands.conversation import MAX_DELIVERED, Conversation, name_of
from sipsimple.streams.chat.commands.talk import Talk
from sipsimple.streams.chat.commands.typing_state import IDLE_AFTER, REFRESH, TypingState
from sipsimple.streams.chat.commands.views import JSONView, LineView, View, printable
from sipsimple.streams.chat.errors import ChatStreamError


def typing() -> tuple[TypingState, list[str]]:
    told: list[str] = []
    return TypingState(told.append), told


def test_typing_is_told_once_and_refreshed() -> None:
    """RFC 3994 3.2: active at the first key, again only before it would time out, idle after a while without a key."""
    state, told = typing()
    for second in range(REFRESH // 2):
        state.typed("x" * (second + 1), second)
        state.tick(second)
    assert told == ["active"]
    state.typed("xy", REFRESH / 2)
    assert told == ["active", "active"]
    state.tick(REFRESH / 2 + IDLE_AFTER - 0.1)
    assert told == ["active", "active"]
    state.tick(REFRESH / 2 + IDLE_AFTER)
    state.tick(1000)
    assert told == ["active", "active", "idle"]


@pytest.mark.parametrize("how", ["emptied", "sent"])
def test_typing_that_ends(how: str) -> None:
    """A line that is emptied is told; the message says it itself; the next key begins anew."""
    state, told = typing()
    state.typed("x", 0)
    if how == "sent":
        state.sent()
    state.typed("", 1)
    state.tick(100)
    state.typed("y", 101)
    assert told == (["active", "active"] if how == "sent" else ["active", "idle", "active"])


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\tb\nc", "a\tb\nc"),
        ("a\r\nb", "a\nb"),
        ("\x1b[31mred\x07", "\ufffd[31mred\ufffd"),
        ("a\rb", "a\ufffdb"),
        ("\x9b2J", "\ufffd2J"),
        ("\u202egnp.exe", "\ufffdgnp.exe"),
        ("Grüße \U0001f41d \u200d", "Grüße \U0001f41d \u200d"),
    ],
)
def test_what_others_send_does_not_steer_the_terminal(text: str, shown: str) -> None:
    assert printable(text) == shown


class Output:
    """What stands for the CommandLine."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.objects: list[dict[str, Any]] = []

    def print(self, text: str, **options: Any) -> None:
        self.lines.append(text.partition(" ")[2])

    def print_json(self, data: dict[str, Any]) -> None:
        self.objects.append(data)


def shown(live: bool) -> tuple[LineView, list[str]]:
    output = Output()
    return LineView(output, live), output.lines  # type: ignore[arg-type]


def test_lines() -> None:
    """Without a terminal each thing has its line."""
    view, lines = shown(live=False)
    view.listening("alice@example.com", "sip:alice@192.0.2.1:5060")
    view.registered("alice@example.com", "403 Forbidden")
    view.started("Bob")
    view.composing("Bob", "active")
    view.composing("Bob", "active")
    view.received("Bob", "hi", "text/plain", None)
    view.received("Bob", "<b>hi</b>", "text/html", None)
    view.message("sent", "1", "hello")
    view.message("delivered", "1", "hello")
    view.message("displayed", "1", "hello")
    view.message("failed", "2", "lost", "408 Request Timeout")
    view.ended("Bob", "Bob ended it")
    assert lines == [
        "* Waiting for chats at alice@example.com", "* alice@example.com is not registered: 403 Forbidden",
        "* You chat with Bob", "* Bob is typing", "Bob: hi", "Bob: [text/html] <b>hi</b>", "✓ hello", "✓✓ hello",
        "✗ lost (408 Request Timeout)", "* The chat with Bob is over: Bob ended it",
    ]  # fmt: skip


def test_the_status_of_a_terminal() -> None:
    """What is under way, who types and what was seen is above the line that is typed, and takes no line of its own."""
    view, lines = shown(live=True)
    view.calling("sip:bob@example.com")
    assert view.status == "calling sip:bob@example.com"
    view.started("Bob")
    view.message("sent", "1", "hello\nagain\x1b")
    view.composing("Bob", "active")
    assert view.status == "Bob  … hello again\ufffd  Bob is typing"
    view.message("delivered", "1", "hello")
    view.composing("Bob", "idle")
    view.message("displayed", "1", "hello")
    assert view.status == "Bob  ✓✓ hello"
    view.ended("Bob", "you ended it")
    assert view.status == "no chat"
    assert lines[-2:] == ["✓ hello", "* The chat with Bob is over: you ended it"]


def test_json() -> None:
    """Every event is an object with its time."""
    output = Output()
    view = JSONView(output)  # type: ignore[arg-type]
    when = datetime(2026, 3, 1, tzinfo=UTC)
    calls: list[tuple[Callable[..., None], tuple[Any, ...]]] = [
        (view.listening, (None, "sip:a@b")), (view.registered, ("a@b", None)), (view.registered, ("a@b", "x")),
        (view.calling, ("t",)), (view.ringing, ()), (view.started, ("p",)), (view.ended, ("p", "r")),
        (view.failed, ("p", 486, "r")), (view.refused, ("p", 488)), (view.received, ("s", "\x1b", "text/plain", when)),
        (view.message, ("failed", "1", "t", "408 x")), (view.composing, ("s", "active")),
    ]  # fmt: skip
    for method, arguments in calls:
        method(*arguments)
        getattr(View(), method.__name__)(*arguments)  # the view that shows nothing has them all
    assert [told["event"] for told in output.objects] == [
        "listening", "registered", "unregistered", "calling", "ringing", "started", "ended", "failed", "refused",
        "received", "message", "composing",
    ]  # fmt: skip
    assert all(told["time"] for told in output.objects)
    assert output.objects[9]["text"] == "\x1b" and output.objects[9]["sent"].startswith("2026-03-01")


class Stream:
    """What stands for the ChatStream."""

    disposition_notifications: Any = ()

    def __init__(self) -> None:
        self.sent = 0
        self.displayed: list[Any] = []
        self.error: Exception | None = None

    def send_message(self, text: str) -> str:
        if self.error is not None:
            raise self.error
        self.sent += 1
        return str(self.sent)

    def send_composing_indication(self, state: str, refresh: int | None) -> None:
        if self.error is not None:
            raise self.error

    def send_display_notification(self, message: Any) -> None:
        if self.error is not None:
            raise self.error
        self.displayed.append(message)


def conversation(receipts: bool = True) -> tuple[Conversation, Stream, list[dict[str, Any]]]:
    output, stream = Output(), Stream()
    view = JSONView(output)  # type: ignore[arg-type]
    session: Any = SimpleNamespace()
    return Conversation(session, stream, "Bob", view, receipts), stream, output.objects  # type: ignore[arg-type]


def notify(talk: Conversation, name: str, **fields: Any) -> bool:
    return talk.take(SimpleNamespace(name=f"ChatStream{name}", data=SimpleNamespace(**fields)))


def test_what_becomes_of_messages() -> None:
    """Each comes to its end once; what is told of others is nobody's."""
    talk, stream, told = conversation()
    assert stream.disposition_notifications == ["display"]
    talk.say("one")
    talk.say("two")
    assert notify(talk, "DidDeliverMessage", message_id="1")
    assert notify(talk, "DidNotDeliverMessage", message_id="2", code=408, reason="x")
    assert not notify(talk, "GotDispositionNotification", message_id="1", status="forbidden")
    for _ in range(2):
        assert not notify(talk, "GotDispositionNotification", message_id="1", status="displayed")
    notify(talk, "GotDispositionNotification", message_id="9", status="displayed")
    assert [(each["status"], each["text"]) for each in told] == [
        ("sent", "one"), ("sent", "two"), ("delivered", "one"), ("failed", "two"), ("displayed", "one"),
    ]  # fmt: skip
    assert not talk.outstanding and talk.undelivered == 1


@pytest.mark.parametrize("receipts", [True, False])
def test_receipts(receipts: bool) -> None:
    """What was shown is told, unless the user does not want that; what is no text is not dumped."""
    talk, stream, told = conversation(receipts)
    sender = SimpleNamespace(display_name=None, uri=SimpleNamespace(user="bob", host="example.com"))
    message = SimpleNamespace(content=b"\x00" * 9, content_type="image/png", sender=sender, timestamp=None)
    notify(talk, "GotMessage", message=message)
    assert stream.displayed == ([message] if receipts else [])
    assert (told[0]["sender"], told[0]["text"]) == ("bob@example.com", "9 octets")


def test_a_stream_that_can_not_be_sent_in() -> None:
    """It is told, and nothing breaks."""
    talk, stream, told = conversation()
    stream.error = ChatStreamError("nothing can be sent in a chat that is recvonly")
    talk.say("x")
    talk.typing.typed("x", 0)
    notify(
        talk, "GotMessage", message=SimpleNamespace(content="x", content_type="text/plain", sender=None, timestamp=None)
    )
    assert [each.get("status") for each in told] == ["failed", None] and talk.undelivered == 1
    assert name_of(None) == "somebody"


@pytest.mark.parametrize(("interrupted", "code"), [(False, ExitCode.FAILED), (True, ExitCode.OK)])
def test_lines_that_could_not_be_said(interrupted: bool, code: ExitCode) -> None:
    """The other side has hung up before all was said, which is a failure unless the user did not want to wait."""
    talk = Talk(Output(), View(), None, once=False, linger=0, receipts=True, plain=True)  # type: ignore[arg-type]
    talk._is_calling = talk._had_chat = talk._is_over = True
    talk._take(Line("  "), None)
    assert talk._exit_code(interrupted) is ExitCode.OK
    talk._take(Line("hello?"), None)
    assert talk._exit_code(interrupted) is code


def test_messages_that_fail_after_the_chat() -> None:
    """They are told, and count."""
    output = Output()
    view = JSONView(output)  # type: ignore[arg-type]
    talk = Talk(output, view, None, once=False, linger=0, receipts=True, plain=True)  # type: ignore[arg-type]
    session: Any = SimpleNamespace(remote_identity=None)
    stream: Any = Stream()
    talk._conversation = Conversation(session, stream, "Bob", view, receipts=True)
    talk._take(Line("hello"), None)
    data = SimpleNamespace(originator="remote", end_reason="user_request")
    talk._take(SimpleNamespace(name="SIPSessionDidEnd", sender=session, data=data), None)
    failure = SimpleNamespace(message_id="1", code=481, reason="x")
    talk._take(SimpleNamespace(name="ChatStreamDidNotDeliverMessage", sender=stream, data=failure), None)
    assert [told.get("status") for told in output.objects] == ["sent", None, "failed"]
    assert talk._exit_code(False) is ExitCode.FAILED


def test_a_caller_who_comes_too_late() -> None:
    """Or who has given up already: nothing is raised, whatever the state of the session."""
    talk = Talk(Output(), View(), None, once=False, linger=0, receipts=True, plain=True)  # type: ignore[arg-type]

    def over(*arguments: object) -> None:
        raise IllegalStateError("terminated", [], "this")

    session = SimpleNamespace(accept=over, reject=over, remote_identity=None)
    chat = SimpleNamespace(type="chat")
    for streams in ([], [chat]):
        data = SimpleNamespace(streams=streams)
        talk._take(SimpleNamespace(name="SIPSessionNewIncoming", sender=session, data=data), None)
    assert talk._conversation is not None
    data = SimpleNamespace(code=487, reason="x", failure_reason="")
    talk._take(SimpleNamespace(name="SIPSessionDidFail", sender=session, data=data), None)
    assert talk._conversation is None and talk._exit_code(False) is ExitCode.OK


def test_what_is_awaited_is_bounded() -> None:
    """Of a peer that never tells what it displays."""
    talk, _, _ = conversation()
    for number in range(MAX_DELIVERED + 10):
        talk.say(str(number))
        notify(talk, "DidDeliverMessage", message_id=str(number + 1))
    assert len(talk._delivered) == MAX_DELIVERED
