"""`sipsimple register`: with a registrar in a process of its own."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ALICE = "alice@example.com"
TIMEOUT = 30


@pytest.fixture
def registrar() -> Iterator[int]:
    """The UDP port of a registrar that knows alice, whose password is secret."""
    command = [sys.executable, "-m", "sipsimple.testing.registrar", "alice=secret"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())
        process.terminate()


@pytest.fixture
def alice(run: Any, tmp_path: Path, registrar: int) -> str:
    password = tmp_path / "password"
    password.write_text("secret\n")
    run("account", "add", ALICE, "--proxy", f"127.0.0.1:{registrar}", "--password-file", str(password))
    return ALICE


def events(output: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in output.splitlines()]


def test_register_once(run: Any, alice: str, registrar: int) -> None:
    """ACC-024: registered, told in lines, unregistered, exit code 0."""
    output = run("register", "--once").output
    assert f"{ALICE}: registering" in output and f"{ALICE}: registered at udp:127.0.0.1:{registrar}" in output


def test_register_for_programs(run: Any, alice: str, registrar: int) -> None:
    """Each change is one JSON value on a line."""
    told = events(run("register", ALICE, "--once", "--json").stdout)
    assert [event["state"] for event in told] == ["registering", "registered", "unregistered"]
    assert told[1]["account"] == ALICE and told[1]["registrar"] == f"udp:127.0.0.1:{registrar}"
    assert told[1]["expires"] == 600 and told[1]["contact"].startswith("sip:") and told[1]["time"]


def test_what_fails_is_told(run: Any, alice: str, tmp_path: Path) -> None:
    """The exit code is 1, the reason and the time until the next try are shown, and the password is not."""
    (tmp_path / "password").write_text("mistaken\n")
    run("account", "password", ALICE, "--password-file", str(tmp_path / "password"))
    done = run("register", "--once", code=1)
    assert f"{ALICE}: failed 401 Unauthorized; next try in " in done.output and "mistaken" not in done.output
    (failed,) = [event for event in events(run("register", "--once", "--json", code=1).stdout) if "error" in event]
    assert failed["state"] == "failed" and failed["error"].startswith("401") and failed["retry_in"] >= 600


def test_an_account_that_is_not_enabled(run: Any, alice: str, registrar: int) -> None:
    """Named, it is registered nevertheless, for this time; otherwise not."""
    run("account", "disable", ALICE)
    assert "no account that is enabled" in run("register", "--once", code=2).output
    assert "registered" in run("register", ALICE, "--once").output
    assert "no account that is enabled" in run("register", "--once", code=2).output


def test_nobody_is_there(run: Any) -> None:
    assert "sipsimple account add" in run("register", code=2).output
    assert "there is no account bob@example.com" in run("register", "bob@example.com", code=2).output


def test_a_port_that_is_taken(run: Any, alice: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("0.0.0.0", 0))
        run("settings", "set", f"sip.udp_port={taken.getsockname()[1]}")
        done = run("register", "--once", code=1)
        assert "could not be started" in done.output and "sipsimple doctor" in done.output


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_until_interrupted(run: Any, alice: str, folder: Path, number: int) -> None:
    """Ctrl-C unregisters; all was registered, so that the exit code is 0. The configuration stays free meanwhile."""
    script = (
        "import signal, sys; from sipsimple.cli.main import main; "
        "signal.signal(signal.SIGINT, signal.default_int_handler); "  # a process in the background ignores it
        "sys.exit(main(['register', '--json']))"
    )
    command = [sys.executable, "-c", script]
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, "COLUMNS": "200"}
    ) as process:
        assert process.stdout is not None
        states = []
        while "registered" not in states:
            states.append(json.loads(process.stdout.readline())["state"])
        run("account", "set", ALICE, "display_name=Alice")
        process.send_signal(number)
        output, errors = process.communicate(timeout=TIMEOUT)
    assert [event["state"] for event in events(output)] == ["unregistered"]
    assert process.returncode == 0 and "Traceback" not in errors, errors


def test_the_table_of_a_terminal() -> None:
    """What a terminal shows: one row for each account, with the time that is left."""
    from datetime import UTC, datetime
    from types import SimpleNamespace

    from rich.console import Console

    from sipsimple.cli.environment import CommandLine
    from sipsimple.cli.register import Watch

    command_line = CommandLine()
    command_line._console = Console(force_terminal=True, width=160, record=True)
    watch = Watch(command_line, [ALICE, "bob@example.com"], as_json=False)

    def post(name: str, **fields: Any) -> None:
        data = SimpleNamespace(timestamp=datetime.now(UTC), **fields)
        watch.take(SimpleNamespace(name=f"SIPAccount{name}", sender=SimpleNamespace(id=ALICE), data=data))

    with watch.shown():
        post("WillRegister")
        post("RegistrationDidFail", error="408 Request Timeout", timeout=300.0)
        numbers = {"new_messages": 2, "old_messages": 8}
        summary = SimpleNamespace(messages_waiting=True, summaries={"voice-message": numbers})
        post("MWIDidGetSummary", message_summary=summary)
    command_line.console.print(watch._table())
    text = command_line.console.export_text()
    assert "failed" in text and "0:0" in text and "408 Request Timeout" in text and "voice-message 2/8" in text
    assert "bob@example.com" in text and "waiting" in text
