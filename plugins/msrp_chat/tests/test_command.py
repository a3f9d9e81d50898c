"""`sipsimple chat`: processes that chat with each other, without a server."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sipsimple.cli", reason="pip install 'sipsimple-chat[cli]'")

import click.testing

from sipsimple.cli.main import sipsimple
from sipsimple.cli.testing import CommandProcess, CommandTerminal

Start = Callable[..., Any]

#: Others would be started too, for nothing.
PLUGINS = {"SIPSIMPLE_LOAD_PLUGINS": "msrp,chat"}


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts `sipsimple chat` with a configuration of its own; at the end it is gone."""
    started: list[Any] = []

    def start(*arguments: str, terminal: bool = False) -> Any:
        folder = tmp_path / f"configuration{len(started)}"
        if terminal:
            party: Any = CommandTerminal(folder, "chat", *arguments, environment=PLUGINS)
        else:
            party = CommandProcess(folder, "chat", *arguments, piped=True, environment=PLUGINS)
        started.append(party)
        return party

    yield start
    for party in started:
        party.kill()


@pytest.fixture
def bob(start: Start) -> tuple[Any, str]:
    """Who waits for one chat, and where he can be called."""
    bob = start("--accept", "--once")
    return bob, bob.wait_for("listening")["address"]


def statuses(party: Any, text: str) -> list[str]:
    return [told["status"] for told in party.find("message", text=text)]


@pytest.mark.timeout(120)
def test_two_processes_chat(start: Start, bob: tuple[Any, str]) -> None:
    """Issue 6: both say something; each message is told to be sent, delivered and displayed; the end of the input ends
    the chat once all has arrived, and both end with 0."""
    bob, address = bob
    bob.say("are you there?")  # before anybody has called
    alice = start(address, "--subject", "lunch")
    alice.say("hello", "Grüße \U0001f41d", "")
    assert bob.wait_for("received", text="hello")["content_type"] == "text/plain"
    bob.wait_for("received", text="Grüße \U0001f41d")
    alice.wait_for("received", text="are you there?")
    alice.wait_for("message", text="Grüße \U0001f41d", status="displayed")
    bob.wait_for("message", text="are you there?", status="displayed")
    alice.say("bye")
    alice.close_input()
    assert alice.end() == 0 and bob.end() == 0
    assert statuses(alice, "hello") == ["sent", "delivered", "displayed"]
    assert statuses(alice, "bye")[:2] == ["sent", "delivered"]
    assert len(bob.find("received")) == 3 and not alice.find("failed")
    (started,), (ended,) = alice.find("started"), alice.find("ended")
    assert started["time"] < ended["time"] and ended["reason"] == "you ended it"
    assert "ended it" in bob.find("ended")[0]["reason"]


@pytest.mark.timeout(120)
def test_a_terminal(start: Start, bob: tuple[Any, str]) -> None:
    """Who types at a terminal: the other side hears that, ticks are shown, and what comes in while one types; Ctrl-D
    ends it."""
    bob, address = bob
    alice = start(address, terminal=True)
    alice.wait_for("You chat with")
    alice.press("hel")
    bob.wait_for("composing", state="active")
    bob.say("psst \x1b[2J")
    alice.wait_for("psst")
    alice.press("lo\r")
    bob.wait_for("received", text="hello")
    alice.wait_for("\u2713 hello")
    alice.wait_for("\u2713\u2713 hello")
    alice.press("nothing")
    bob.wait_for("composing", 2, state="active")
    alice.press("\x15")  # the line is emptied
    bob.wait_for("composing", state="idle")
    alice.press("\x04")
    assert alice.end() == 0 and bob.end() == 0
    assert "\x1b[2J" not in alice.shown.partition("psst")[2]  # what others send does not steer the terminal
    assert len(bob.find("received")) == 1


@pytest.mark.timeout(120)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(start: Start, bob: tuple[Any, str], number: int) -> None:
    """Ctrl-C ends a chat at once and cleanly, for both, also of who waits for answers after the end of the input."""
    bob, address = bob
    alice = start(address, "--wait", "600")
    alice.say("hello")
    alice.close_input()
    bob.wait_for("received", text="hello")
    alice.wait_for("message", text="hello", status="displayed")
    bob.say("late")
    alice.wait_for("received", text="late")
    bob.wait_for("message", text="late", status="delivered")  # else the BYE may overtake the report
    alice.interrupt(number)
    assert alice.end() == 0 and bob.end() == 0
    assert alice.find("ended") and bob.find("ended")


@pytest.mark.timeout(120)
def test_who_waits_is_interrupted(start: Start) -> None:
    """Ctrl-C at a terminal where chats are waited for."""
    bob = start("--accept", terminal=True)
    bob.wait_for("Waiting for chats at sip:")
    bob.press("\x03")
    assert bob.end() == 0


@pytest.mark.timeout(120)
def test_one_chat_at_a_time(start: Start) -> None:
    """Who chats is busy; after the chat the next one may call. The end of the input does not end who waits."""
    bob = start("--accept", "--no-receipts")
    bob.close_input()
    address = bob.wait_for("listening")["address"]
    alice = start(address)
    alice.say("hello")
    alice.wait_for("message", text="hello", status="delivered")
    carol = start(address)
    carol.say("me too")
    carol.close_input()
    failed = carol.wait_for("failed")
    assert failed["code"] == 486 and carol.end() == 1
    assert statuses(carol, "me too")[-1] == "failed"
    bob.wait_for("refused")
    alice.close_input()
    assert alice.end() == 0
    bob.wait_for("ended")
    again = start(address, "--wait", "0.1")
    again.say("again")
    again.close_input()
    assert again.end() == 0
    bob.wait_for("received", text="again")
    bob.interrupt()
    assert bob.end() == 0
    assert not alice.find("message", status="displayed")  # bob does not tell


@pytest.mark.timeout(120)
def test_the_other_side_vanishes(start: Start, bob: tuple[Any, str]) -> None:
    """A message that does not arrive is told, and the exit code is 1."""
    bob, address = bob
    alice = start(address)
    alice.wait_for("started")
    os.kill(bob.process.pid, signal.SIGSTOP)
    alice.say("are you there?")
    alice.wait_for("message", status="sent")
    bob.kill()
    alice.wait_for("message", status="failed")
    assert alice.end() == 1


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((), "give a TARGET to call, or --accept"),
        (("bob", "--accept"), "give a TARGET to call, or --accept"),
        (("--accept", "--subject", "x"), "--subject is for who is called"),
        (("bob", "--once"), "--once goes with --accept"),
    ],
)
def test_wrong_arguments(arguments: tuple[str, ...], told: str) -> None:
    done = click.testing.CliRunner().invoke(sipsimple, ["chat", *arguments], standalone_mode=False)
    assert told in str(done.exception) and getattr(done.exception, "exit_code", None) == 2


@pytest.mark.timeout(120)
@pytest.mark.parametrize(("target", "code"), [("sip:bob@127.0.0.1:0", 1), ("sip:bob@nowhere.invalid", 1), ("b b@c", 2)])
def test_who_can_not_be_called(start: Start, target: str, code: int) -> None:
    """It is said why, on the standard error."""
    alice = start(target)
    assert alice.end() == code
    assert "can't be called" in alice.errors and not alice.events
