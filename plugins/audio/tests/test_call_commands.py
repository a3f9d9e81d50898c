"""`sipsimple call` and `sipsimple answer`: two processes that call each other, without a server or sound devices."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sipsimple.cli", reason="pip install 'sipsimple-audio[cli]'")
pytest.importorskip("pjsua2", reason="pip install 'sipsimple-audio[pjsua2]'", exc_type=ImportError)

sys.path.insert(0, str(Path(__file__).parent))
from call_party import Party, heard, make_tone, wait_until
from click.testing import CliRunner

from sipsimple.cli.main import sipsimple
from sipsimple.cli.testing import CommandTerminal
from sipsimple.realm import replace_default_realm

ALICE, BOB = 700.0, 1200.0  # Hz, what they say

Start = Callable[..., Party]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    parties: list[Any] = []

    def start(*arguments: str, terminal: bool = False) -> Any:
        make = CommandTerminal if terminal else Party
        parties.append(make(tmp_path / f"configuration{len(parties)}", *arguments))
        return parties[-1]

    yield start
    for party in parties:
        party.kill()


@pytest.mark.timeout(180)
def test_two_processes_call_each_other(start: Start, tmp_path: Path) -> None:
    """AUD-014, AUD-015, AUD-038: each says a file and records, digits arrive, and both end with 0."""
    mine, yours = make_tone(tmp_path / "alice.wav", ALICE, 2.0), make_tone(tmp_path / "bob.wav", BOB, 2.0)
    recorded_there, recorded_here = tmp_path / "new folder" / "there.wav", tmp_path / "here.wav"
    bob = start("answer", "--calls", "1", "--play", str(yours), "--loop", "--record", str(recorded_there))
    alice = start(
        "call", bob.address, "--play", str(mine), "--end-after-play", "--record", str(recorded_here), "--dtmf", "1#"
    )  # fmt: skip
    assert (alice.end(), bob.end()) == (0, 0), (alice.events, bob.events)
    connected = alice.find("connected")[0]
    assert (connected["codec"], connected["srtp"]) == ("G722", True)
    assert [event["digit"] for event in bob.find("dtmf")] == ["1", "#"]
    assert [event["filename"] for event in alice.find("played")] == [str(mine)]
    assert alice.find("ended")[0]["by"] == "local" and bob.find("ended")[0]["by"] == "remote"
    for recording in (recorded_here, recorded_there):
        assert heard(recording, ALICE) > 0.2 and heard(recording, BOB) > 0.2, recording  # of a sum of two tones
        assert heard(recording, 950.0) < 0.1
    assert alice.find("ended")[0]["loudest_heard"] > -40 and alice.find("ended")[0]["packets_received"] > 20


@pytest.mark.timeout(180)
def test_one_call_after_the_other(start: Start, tmp_path: Path) -> None:
    """Who calls meanwhile is told that it is busy (exit code 10); each call has its recording; signals end calls."""
    melody = make_tone(tmp_path / "melody.wav", ALICE, 1.0)
    bob = start("answer", "--record", str(tmp_path / "call.wav"))
    first = start("call", bob.address, "--play", str(melody), "--loop")
    first.wait_for("connected")
    busy = start("call", bob.address)
    assert busy.end() == 10 and busy.find("failed", code=486)
    first.process.send_signal(signal.SIGINT)
    assert first.end() == 0
    assert bob.wait_for("ended")["by"] == "remote"  # by a BYE, not because of silence
    second = start("call", bob.address, "--play", str(melody), "--end-after-play")
    assert second.end() == 0
    bob.wait_for("ended", count=2)
    bob.process.send_signal(signal.SIGTERM)
    assert bob.end() == 0
    assert heard(tmp_path / "call.wav", ALICE) > 0.8 and heard(tmp_path / "call-2.wav", ALICE) > 0.8


@pytest.mark.timeout(180)
def test_calls_that_nobody_takes(start: Start) -> None:
    """Exit codes: no answer 12; 130 for who gave up, which is told by a CANCEL, as is who waits too long."""
    deaf = start("answer", "--auto", "--ring", "3600", "--calls", "2")
    unanswered = start("call", deaf.address, "--wait", "1")
    assert unanswered.end() == 12
    impatient = start("call", deaf.address)
    impatient.wait_for("progress", code=180)
    impatient.process.send_signal(signal.SIGINT)
    assert impatient.end() == 130 and deaf.end() == 0
    assert [event["code"] for event in deaf.find("failed")] == [487, 487]


@pytest.mark.timeout(180)
def test_the_keys_of_a_terminal(start: Start, tmp_path: Path) -> None:
    """AUD-021, AUD-031: digits, hold, mute, recording, devices and the end, each by its key; meters are shown."""
    bob = start("answer", "--calls", "1", "--play", str(make_tone(tmp_path / "bob.wav", BOB, 1.0)), "--loop")
    alice: Any = start("call", bob.address, "--null", "--record", str(tmp_path), terminal=True)
    alice.wait_for("recording to")
    alice.wait_for("0-9*#A-D digits")
    alice.wait_for("█")
    alice.press("h")
    bob.wait_for("hold", by="remote", on_hold=True)
    alice.press("h")
    bob.wait_for("hold", by="remote", on_hold=False)
    alice.press("m")
    alice.wait_for("the microphone is muted")
    wait_until(lambda: heard(tmp_path / "call.wav", BOB) > 0.8)
    alice.press("r")
    alice.wait_for("recorded in")
    alice.press("d")
    alice.wait_for("1  microphone system_default")
    alice.press("1")
    alice.wait_for("microphone: system_default")
    alice.press("\x1b[A5")  # the key ↑, which is no digit A
    bob.wait_for("dtmf")
    alice.press("\x03")  # Ctrl-C, which reaches all processes on the terminal: the call ends in order all the same
    assert alice.end() == 0 and "you ended it" in alice.shown
    assert bob.end() == 0 and bob.find("ended", reason="user_request")
    assert [event["digit"] for event in bob.find("dtmf")] == ["5"]


@pytest.mark.timeout(180)
def test_who_is_called_decides(start: Start) -> None:
    """It rings on a terminal: a answers, x refuses."""
    bob: Any = start("answer", "--null", terminal=True)
    bob.wait_for("waiting for calls to")
    bob.wait_for("q end")
    address = re.findall(r"directly: (sip:[\w.@:\[\]-]+)", bob.shown)[0]
    refused = start("call", address)
    bob.wait_for("a answer")
    bob.press("x")
    assert refused.end() == 11
    accepted = start("call", address, "--duration", "0.5")
    accepted.wait_for("progress", code=180)
    bob.press("a")
    assert accepted.end() == 0
    bob.wait_for("they ended it")
    bob.press("\x04")
    assert bob.end() == 0


@pytest.mark.timeout(180)
def test_an_account_that_registers_first(start: Start, tmp_path: Path) -> None:
    """`call --register` calls as soon as it is registered."""
    command = [sys.executable, "-m", "sipsimple.testing.registrar", "alice=secret"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as registrar:
        assert registrar.stdout is not None
        proxy, password = f"127.0.0.1:{int(registrar.stdout.readline())}", tmp_path / "password"
        password.write_text("secret")
        replace_default_realm()  # as in a new process
        arguments = ["--proxy", proxy, "--password-file", str(password)]
        made = CliRunner().invoke(
            sipsimple, ["--config", str(tmp_path / "configuration0"), "account", "add", "alice@example.com", *arguments]
        )
        replace_default_realm()
        assert made.exit_code == 0, made.output
        calls = start("call", "bob", "--register")
        assert calls.end() == 12 and calls.find("failed", code=480)  # a registrar has nobody who could answer
        assert calls.find("calling", peer="sip:bob@example.com") and "registered" not in calls.errors
        registrar.terminate()
