"""What commands call and are called with: the account that is meant, the target that is meant, and the session."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sipsimple.cli.calling import LOCAL, calling, local_address
from sipsimple.cli.environment import CommandLine
from sipsimple.cli.errors import CommandError, ExitCode
from sipsimple.realm import replace_default_realm
from sipsimple.streams import MediaStreamRegistry
from sipsimple.testing.scripted import ScriptedStream

TIMEOUT = 30


class SilentStream(ScriptedStream):
    """Does nothing, but could be on the network."""

    type = "silent"


@pytest.fixture
def silent_stream() -> Iterator[type[SilentStream]]:
    MediaStreamRegistry().register(SilentStream)
    yield SilentStream
    MediaStreamRegistry().unregister(SilentStream)


@pytest.fixture
def command_line(folder: Path) -> CommandLine:
    replace_default_realm()
    return CommandLine(folder)


def event(party: Any, name: str) -> Any:
    """The next notification of that name."""
    deadline = time.monotonic() + TIMEOUT
    while (notification := party.next_event(deadline - time.monotonic())) is not None:
        if notification.name == name:
            return notification
    raise AssertionError(f"{name} did not come")


def test_a_call_without_a_server(command_line: CommandLine, silent_stream: type[SilentStream]) -> None:
    """The party calls itself, at the address that it tells; at the end its sessions are over."""
    with calling(command_line, None) as party:
        assert party.account.id == local_address() and not party.account.registration.enabled
        session = party.connect(party.address, [silent_stream(party.account)])
        incoming = event(party, "SIPSessionNewIncoming").sender
        assert incoming.remote_identity.uri.user == party.account.id.username
    assert {session.state, incoming.state} == {"terminated"}


@pytest.mark.parametrize(
    ("register", "wanted"), [(True, True), (False, False)], ids=["as it is stored", "for this time not"]
)
def test_a_stored_account(run: Callable[..., Any], command_line: CommandLine, register: bool, wanted: bool) -> None:
    """The one that is meant is enabled, and no other; nothing of it is stored."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as nobody:
        nobody.bind(("127.0.0.1", 0))
        proxy = f"127.0.0.1:{nobody.getsockname()[1]}"
        for name in ("alice", "bob"):
            run("account", "add", f"{name}@example.com", "--no-password", "--proxy", proxy)
        replace_default_realm()
        with calling(command_line, "bob@example.com", register=register) as party:
            from sipsimple.account import AccountManager

            enabled = [str(account.id) for account in AccountManager().get_accounts() if account.enabled]
            assert enabled == [str(party.account.id)] == ["bob@example.com"]
            assert party.account.registration.enabled is wanted
        replace_default_realm()
        with calling(command_line, LOCAL) as party:
            assert party.account.id == local_address()
    assert "alice@example.com" in run("account", "list").output


def test_settings_for_this_time(run: Callable[..., Any], command_line: CommandLine) -> None:
    """They are in effect, beside what is stored, and are not stored."""
    from sipsimple.configuration.settings import SIPSimpleSettings

    run("settings", "set", "user_agent=tester")
    replace_default_realm()
    with calling(command_line, LOCAL, settings={"sip.transport_list": ["udp"]}):
        assert list(SIPSimpleSettings().sip.transport_list) == ["udp"]
        assert SIPSimpleSettings().user_agent == "tester"
    assert "tls" in run("settings", "get", "sip.transport_list").output


def test_an_account_that_is_not_there(command_line: CommandLine) -> None:
    with pytest.raises(CommandError, match="there is no account"), calling(command_line, "nobody@example.com"):
        raise AssertionError("it was started")


def test_targets(command_line: CommandLine) -> None:
    with calling(command_line, LOCAL) as party:
        domain = party.account.id.domain
        assert str(party.uri("sip:bob@example.com:5070;transport=tcp")) == "sip:bob@example.com:5070;transport=tcp"
        assert str(party.uri("bob@example.com")) == "sip:bob@example.com"
        assert str(party.uri("bob")) == f"sip:bob@{domain}"
        assert str(party.uri("sips:bob@example.com")) == "sips:bob@example.com"
        assert str(party.uri("127.0.0.1:5070")) == "sip:127.0.0.1:5070"
        assert str(party.uri("tel:+49-221-1")) == f"sip:+492211@{domain};user=phone"
        for text in ("", "sip:", "tel:", "a b@c", "bob@[::"):
            with pytest.raises(CommandError, match="can't be called") as raised:
                party.uri(text)
            assert raised.value.exit_code == ExitCode.USAGE
        with pytest.raises(CommandError, match="can't be called") as raised:
            party.connect("bob@nowhere.invalid", [])
        assert raised.value.exit_code == ExitCode.FAILED
