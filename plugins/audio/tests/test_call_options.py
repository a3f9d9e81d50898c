"""What `sipsimple call`, `answer` and `devices` make of their arguments, keys and what they are told; no call here."""

from __future__ import annotations

import json
import os
import queue
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

pytest.importorskip("sipsimple.cli", reason="pip install 'sipsimple-audio[cli]'")

import click.testing

from sipsimple.audio.commands.answerer import Answerer
from sipsimple.audio.commands.call import wait_for_registration
from sipsimple.audio.commands.caller import Caller
from sipsimple.audio.commands.controls import Controls
from sipsimple.audio.commands.keys import help_line, keyboard, pressed
from sipsimple.audio.commands.options import CallOptions
from sipsimple.audio.commands.outcome import CallExit
from sipsimple.audio.commands.phone import Interrupted
from sipsimple.audio.commands.report import Report
from sipsimple.audio.commands.ringing import ringback
from sipsimple.audio.commands.screen import METER_WIDTH, View, meter, picture
from sipsimple.audio.commands.talk import RecordingFiles
from sipsimple.audio.sound_system import Devices
from sipsimple.audio.testing import Host
from sipsimple.audio.tones import tone_strength
from sipsimple.cli import CommandError, CommandLine
from sipsimple.cli.main import sipsimple
from sipsimple.realm import replace_default_realm

USER = "user_request"


@pytest.fixture(autouse=True)
def fresh_realm() -> Iterator[None]:
    replace_default_realm()
    yield
    replace_default_realm()


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., click.testing.Result]:
    def run(*arguments: str, code: int = 0) -> click.testing.Result:
        replace_default_realm()
        result = click.testing.CliRunner().invoke(sipsimple, ["--config", str(tmp_path / "configuration"), *arguments])
        assert result.exit_code == code, result.output
        return result

    return run


def test_files_and_options_are_checked_before_a_call(run: Any, tmp_path: Path) -> None:
    """Wrong arguments have the exit code 2, and say what is wrong with which file."""
    empty, short = tmp_path / "empty.wav", tmp_path / "short.wav"
    empty.write_bytes(b"")
    short.write_bytes(b"RIFF\x00\x00\x00\x00WAVE")
    file = tmp_path / "file"
    file.write_text("")
    for arguments, words in (
        (("--play", str(empty)), "empty.wav can't be played"),
        (("--play", str(short)), "short.wav can't be played"),
        (("--play", str(tmp_path / "none.wav")), "none.wav can't be played"),
        (("--record", str(file / "call.wav")), "is no folder"),
        (("--dtmf", "12x"), "'x' is no DTMF digit"),
        (("--loop",), "--play"),
        (("--null", "--input-device", "headset"), "--null"),
        (("--duration", "0"), "--duration"),
    ):
        assert words in run("call", "sip:bob@127.0.0.1", *arguments, code=2).output, arguments


def test_where_nothing_may_be_written(run: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Told before the call. The superuser may write everywhere, so the system's answer is made up."""
    monkeypatch.setattr("sipsimple.audio.commands.options.os.access", lambda path, mode: path != tmp_path)
    output = run("call", "bob@127.0.0.1", "--record", str(tmp_path / "new" / "call.wav"), code=2).output
    assert f"{tmp_path} can't be written" in output


@pytest.mark.parametrize("command", [("call", "sip:bob@127.0.0.1"), ("answer",)])
def test_without_an_engine(run: Any, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...]) -> None:
    """Where pjsua2 is not installed the command says so, what to do, and does nothing else; the exit code is 1."""
    monkeypatch.setattr("sipsimple.pjsua2.engine.find_spec", lambda name: None)
    output = run(*command, "--null", code=1).output
    assert "pjsua2 is not installed" in output and "pip install 'sipsimple-audio[pjsua2]'" in output


def test_help_names_the_exit_codes(run: Any) -> None:
    for command in ("call", "answer"):
        output = run(command, "--help").output
        assert "10 busy" in output and "--play" in output and "--record" in output and "--null" in output


def test_exit_codes() -> None:
    """By the code of the refusal (RFC 3261 21); those of other commands mean the same."""
    expected = {486: 10, 600: 10, 603: 11, 403: 11, 408: 12, 480: 12, 404: 13, 484: 13, 500: 1, 503: 1, 401: 1}
    assert {code: int(CallExit.of_failure(code)) for code in expected} == expected


def test_options_become_settings() -> None:
    """For this time only; without devices there is no alert device either."""
    assert CallOptions(null=True, port=5070).settings == {
        "audio.input_device": None, "audio.output_device": None, "audio.alert_device": None,
        "sip.udp_port": 5070, "sip.tcp_port": 5070,
    }  # fmt: skip
    assert CallOptions(output_device="headset").settings == {"audio.output_device": "headset"}
    assert CallOptions().settings == {}


def test_recordings_do_not_overwrite_each_other(tmp_path: Path) -> None:
    """The first one has the name that was asked for, the others a number; in a folder none is overwritten."""
    asked = RecordingFiles(tmp_path / "call.wav")
    (tmp_path / "call.wav").write_text("")
    assert asked.next() == str(tmp_path / "call.wav")
    assert asked.next() == str(tmp_path / "call-2.wav")
    (tmp_path / "call-2.wav").write_text("")
    assert RecordingFiles(tmp_path).next() == str(tmp_path / "call-3.wav")
    assert RecordingFiles(None).next() is None


def test_devices_are_listed(run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    found = Devices(("card", "headset"), ("card",), "headset", "card")
    driver = SimpleNamespace(devices=lambda: found)
    monkeypatch.setattr("sipsimple.audio.sound_system.MiniaudioDriver", lambda: driver)
    assert run("devices").output.splitlines() == ["input   card", "input   headset (default)", "output  card (default)"]
    told = json.loads(run("devices", "--json").output)
    assert told[1] == {"kind": "input", "name": "headset", "default": True} and len(told) == 3
    found = Devices()
    assert "no sound devices" in run("devices").output


def test_what_a_terminal_sends_are_keys() -> None:
    """Arrow and function keys come as sequences, and are none; Ctrl-D ends the call."""
    sent = {
        b"12#": "12#",
        b"\x1b[A": "",
        b"h\x1b[15~m": "hm",
        b"\x1bOPr": "r",
        b"\x1b": "",
        b"\x04": "q",
        b"\xff\xc3": "",
    }
    assert {data: "".join(key.name for key in pressed(data)) for data in sent} == sent


class FakeTalk:
    """The audio of a call that only remembers what it was asked for."""

    def __init__(self) -> None:
        self.did: list[Any] = []
        self.muted = False
        self.stream = SimpleNamespace(on_hold_by_local=False)
        self.mixer = SimpleNamespace(input_device="headset", output_device="gone")

    def send(self, digit: str) -> None:
        self.did.append(digit)

    def record(self) -> None:
        self.did.append("record")

    def device_names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        return ("system_default", "card", "headset"), ("system_default", "card")

    def use(self, **devices: str) -> None:
        self.did.append(devices)


class FakeReport:
    is_live = False

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def tell(self, event: str, text: str, when: Any = None, /, **fields: Any) -> None:
        self.told.append((event, text))

    def problem(self, text: str) -> None:
        self.told.append(("problem", text))


def test_what_keys_do() -> None:
    """Digits are sent; letters hold, mute, record, change devices and end; a choice is one key."""
    talk, report, did = FakeTalk(), FakeReport(), []
    session = SimpleNamespace(hold=lambda: did.append("hold"), unhold=lambda: did.append("unhold"))
    controls = Controls(session, talk, report, lambda: did.append("end"))  # type: ignore[arg-type]

    def press(keys: str) -> None:
        for key in keys:
            if not controls.press(key) and key in controls.keys:
                controls.keys[key][1]()

    press("1*#D")
    assert talk.did == ["1", "*", "#", "D"]
    press("h")
    talk.stream.on_hold_by_local = True
    press("h")
    press("q")
    assert did == ["hold", "unhold", "end"]
    press("m")
    assert talk.muted and report.told[-1] == ("mute", "the microphone is muted")
    press("m")
    assert not talk.muted
    talk.did.clear()
    press("riof%")
    assert talk.did == ["record", {"microphone": "system_default"}, {"loudspeaker": "system_default"}]
    talk.did.clear()
    press("d")
    assert [text for event, text in report.told if event == "choice"][4] == "5  loudspeaker card"
    press("5")  # a choice, not a digit
    press("5")
    assert talk.did == [{"loudspeaker": "card"}, "5"]
    press("dz")
    assert not controls.menu and len(talk.did) == 2
    assert "m mute" in help_line(controls.keys, True)


def caller(**options: Any) -> tuple[Caller, FakeReport, list[str]]:
    """A phone that calls nobody; what it tells, and what it does with its session."""
    report, did = FakeReport(), []
    party, reporting = cast(Any, SimpleNamespace(running=None)), cast(Any, report)
    session = SimpleNamespace(end=lambda: did.append("end"), reject_transfer=did.append, reject_proposal=did.append)
    phone = Caller(party, CallOptions(**options), reporting, session, "sip:bob@example.com")
    return phone, report, did


def tell(phone: Any, name: str, sender: Any = None, **data: Any) -> None:
    data = {"timestamp": datetime.now(UTC), **data}
    phone.take(SimpleNamespace(name=name, sender=sender or phone.session, data=SimpleNamespace(**data)))


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("SIPSessionDidFail", {"originator": "remote", "code": 486, "reason": "Busy", "failure_reason": "Busy"}, 10),
        ("SIPSessionDidFail", {"originator": "local", "code": 408, "reason": "T", "failure_reason": "timeout"}, 12),
        ("SIPSessionDidFail", {"originator": "local", "code": 487, "reason": "", "failure_reason": USER}, 130),
        ("SIPSessionDidEnd", {"originator": "remote", "end_reason": USER}, 0),
        ("SIPSessionDidEnd", {"originator": "local", "end_reason": "stream failed: no audio"}, 14),
    ],
)
def test_how_a_call_ends(name: str, data: dict[str, Any], code: int) -> None:
    """The exit code, and words with the reason; the end of another session is none."""
    phone, report, _ = caller()
    tell(phone, name, object(), **data)
    assert phone.exit_code is None and not report.told
    tell(phone, name, **data)
    assert phone.exit_code == code and "sip:bob@example.com" in report.told[-1][1]
    if code == 14:
        assert "no audio" in report.told[-1][1]


def test_what_ends_a_call() -> None:
    """Silence of the other party for too long breaks it off; Ctrl-C hangs up, a second one leaves at once."""
    phone, _, did = caller()
    stream = SimpleNamespace()
    levels = {"loudest_said": 0.0, "loudest_heard": 0.0}
    phone.talk = cast(Any, SimpleNamespace(stream=stream, close=lambda: None, statistics=None, **levels))
    tell(phone, "AudioStreamDidTimeout", object())
    assert not did
    tell(phone, "AudioStreamDidTimeout", stream)
    assert did == ["end"] and phone.exit_code is None
    tell(phone, "SIPSessionDidEnd", originator="local", end_reason=USER)
    assert phone.exit_code == 14

    phone, _, did = caller()
    phone.take(Interrupted())
    assert did == ["end"] and phone.exit_code is None
    phone.take(Interrupted())
    assert phone.exit_code == 130


def test_early_media_takes_the_place_of_the_tone() -> None:
    """What a port of another session does is no reason."""
    phone, _, _ = caller()
    stopped: list[str] = []
    phone.tones = cast(Any, SimpleNamespace(stop=lambda: stopped.append("stop")))
    tell(phone, "AudioPortDidChangeSlots", SimpleNamespace(session=object()))
    tell(phone, "AudioPortDidChangeSlots", SimpleNamespace())
    assert not stopped
    tell(phone, "AudioPortDidChangeSlots", SimpleNamespace(session=phone.session))
    assert stopped == ["stop"] and phone.tones is None


def test_what_becomes_of_the_registration_is_told() -> None:
    """Once when it is registered, not at each refresh, and each failure."""
    report, account = FakeReport(), SimpleNamespace(id="bob@example.com")
    party = cast(Any, SimpleNamespace(running=None, account=account))
    phone = Answerer(party, CallOptions(), cast(Any, report))
    for name in ("DidSucceed", "DidSucceed", "DidFail", "DidSucceed"):
        tell(phone, f"SIPAccountRegistration{name}", account, error="401 Unauthorized")
    assert [event for event, _ in report.told] == ["registered", "problem", "registered"]
    assert "401" in report.told[1][1]


@pytest.mark.parametrize(
    ("name", "reason"),
    [("SIPAccountRegistrationDidFail", "could not be registered: 401"), (None, "was not registered")],
)
def test_an_account_that_can_not_register(name: str | None, reason: str) -> None:
    """Then there is no call, and it is said why."""
    account = SimpleNamespace(id="alice@example.com")
    failed = SimpleNamespace(name=name, sender=account, data=SimpleNamespace(error="401 Unauthorized"))
    events = [SimpleNamespace(name="SIPAccountRegistrationDidSucceed", sender=object(), data=None), failed]
    party = SimpleNamespace(account=account, next_event=lambda timeout: events.pop(0) if events else None)
    with pytest.raises(CommandError, match=reason):
        wait_for_registration(cast(Any, party), 5.0 if name else 0.0)


def test_no_keys_in_the_background(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process in the background of a terminal that asked for keys would be stopped; without a terminal none come."""
    termios, pty = pytest.importorskip("termios"), pytest.importorskip("pty")
    ours, theirs = pty.openpty()
    try:
        before = termios.tcgetattr(theirs)
        monkeypatch.setattr("sys.stdin", SimpleNamespace(fileno=lambda: theirs))
        monkeypatch.setattr("os.tcgetpgrp", lambda descriptor: os.getpgrp() + 1)
        with keyboard(lambda key: None) as has_keys:
            assert not has_keys and termios.tcgetattr(theirs) == before
        came: queue.SimpleQueue[Any] = queue.SimpleQueue()
        monkeypatch.setattr("os.tcgetpgrp", lambda descriptor: os.getpgrp())
        with keyboard(came.put) as has_keys:
            assert has_keys
            os.write(ours, b"\x1b[A5")
            assert came.get(timeout=20).name == "5"
        assert termios.tcgetattr(theirs) == before
    finally:
        os.close(ours)
        os.close(theirs)


def test_digits_are_sent_one_after_the_other() -> None:
    """A comma is a second's pause; when the call is over nothing is sent any more."""
    phone, _, _ = caller()
    talk = FakeTalk()
    phone.talk = cast(Any, talk)
    phone._digits.extend("1,2")
    waits = []
    for _ in "1,2":
        begin = time.monotonic()
        phone._send_next()
        waits.append(phone._limits["digit"][0] - begin)
    assert talk.did == ["1", "2"]
    assert waits[0] >= 0.3 and waits[1] >= 1.0 and waits[2] >= 0.3
    phone._digits.extend("3")
    phone.talk = None
    phone._send_next()
    assert talk.did == ["1", "2"]


def test_what_the_other_party_may_not() -> None:
    """Transfers, other streams and other calls are refused, and the call goes on."""
    phone, report, did = caller()
    tell(phone, "SIPSessionTransferNewIncoming", transfer_destination="sip:carol@example.com", transfer_source=None)
    tell(phone, "SIPSessionGotProposal", originator="remote", streams=[])
    tell(phone, "SIPSessionNewIncoming", SimpleNamespace(reject=did.append), streams=[])
    assert did == [603, 488, 486] and phone.exit_code is None and report.told[0][0] == "problem"


def test_meters() -> None:
    """Empty below -60 dB, full at 0 dB."""
    lengths = [meter(level).plain.count("█") for level in (-96.0, -60.0, -30.0, -6.0, 0.0, 3.0)]
    assert lengths == [0, 0, METER_WIDTH // 2, 27, METER_WIDTH, METER_WIDTH]
    assert {len(meter(level).plain) for level in range(-96, 1)} == {METER_WIDTH}


def test_what_a_terminal_shows(tmp_path: Path) -> None:
    """Who, how long, what is on, how loud; and nothing of a name that does something to the terminal."""
    from rich.console import Console

    console = Console(record=True, width=120, force_terminal=True, file=open(os.devnull, "w"))  # noqa: SIM115
    view = View(
        "Bob\x1b[2J <bob@example.com>", 0.0, -20.0, -96.0, ("on hold by you",), True, "G722 16 kHz", None, "headset",
        ("1  microphone card",), "q end",
    )  # fmt: skip
    console.print(picture(view))
    text = console.export_text()
    assert "Bob�[2J <bob@example.com>" in text and "\x1b" not in text
    for words in ("on hold by you", "muted", "headset", "-20 dB", "G722 16 kHz", "1  microphone card", "q end"):
        assert words in text


def test_reports_for_people_and_for_programs(capsys: pytest.CaptureFixture[str]) -> None:
    Report(CommandLine(), as_json=False).tell("dtmf", "they sent \x1b]0;x\x07 5", digit="5")
    output = capsys.readouterr().out
    assert "they sent �]0;x� 5" in output and "\x1b" not in output
    Report(CommandLine(), as_json=True).problem("no room")
    told = json.loads(capsys.readouterr().out)
    assert (told["event"], told["text"]) == ("problem", "no room") and told["time"]


def test_the_tone_while_it_rings(host: Host) -> None:
    """A second of 425 Hz and four of silence, again and again, until it is stopped."""
    from sipsimple.audio import AudioBridge

    mixer = host.mixer()
    bridge, ear = host.run(AudioBridge, mixer), host.ear(mixer)
    bridge.add(ear)
    tones = host.run(ringback, bridge)
    host.frames(6 * 50)
    samples = ear.samples
    assert tone_strength(samples[1600:14400], 425.0, 16000) > 0.95
    assert not samples[24000:72000].any() and samples[5 * 16000 + 4800 :].any()
    host.run(tones.stop)
    before = len(ear.samples)
    host.frames(6 * 50)
    assert not ear.samples[before + 960 :].any()
