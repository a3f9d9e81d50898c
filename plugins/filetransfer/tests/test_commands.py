"""`sipsimple send` and `sipsimple receive`: processes over loopback, without a server."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("sipsimple.cli")

TIMEOUT = 40
MIB = 1024 * 1024  # what is read at once
SCRIPT = (
    "import signal, sys; from sipsimple.cli.main import main; "
    "signal.signal(signal.SIGINT, signal.default_int_handler); "  # a process in the background ignores it
    "sys.exit(main(sys.argv[1:]))"
)
GATED = str(Path(__file__).parent / "gated_send.py")
CONTENT = os.urandom(1_000_000) * 6


class Command:
    """A `sipsimple` of its own configuration, in the folder of the test."""

    def __init__(self, folder: Path, name: str, *arguments: str, gate: int | None = None, **options: Any) -> None:
        beginning = [sys.executable, "-c", SCRIPT] if gate is None else [sys.executable, GATED, str(gate)]
        environment = {
            **os.environ, "SIPSIMPLE_LOAD_PLUGINS": "msrp,filetransfer", "COLUMNS": "120",
            "SIPSIMPLE_CONFIG": str(folder / f"{name}.config"), "PYTHONUNBUFFERED": "1",
        }  # fmt: skip
        options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL, **options}
        self.process = subprocess.Popen([*beginning, *arguments], text=True, cwd=folder, env=environment, **options)
        self.events: list[dict[str, Any]] = []

    def wait_for(self, state: str) -> dict[str, Any]:
        """The next event of that state; the events up to it are kept."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.events.append(json.loads(line))
            if self.events[-1]["state"] == state:
                return self.events[-1]
        raise AssertionError(f"no {state}: {self.events} {self.process.communicate(timeout=TIMEOUT)}")

    def end(self, code: int = 0) -> list[dict[str, Any]]:
        """Wait until it ends; returns all its events."""
        output, errors = self.process.communicate(timeout=TIMEOUT)
        self.errors = errors
        self.events += [json.loads(line) for line in output.splitlines()]
        assert self.process.returncode == code, (self.process.returncode, self.events, errors)
        assert "Traceback" not in errors, errors
        return self.events

    def states(self, file: str) -> list[str]:
        return [event["state"] for event in self.events if event.get("file") == file]

    def last(self, file: str) -> dict[str, Any]:
        return [event for event in self.events if event.get("file") == file][-1]

    def signal(self, number: int) -> None:
        self.process.send_signal(number)


class Place:
    """Two users of one machine; `receive` puts files into the folder `in`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.commands: list[Command] = []

    def receive(self, *arguments: str, **options: Any) -> tuple[Command, str]:
        """A receiver, and the URI by which it is called."""
        command = self._run("bob", "receive", "--local", "--into", "in", "--json", *arguments, **options)
        return command, command.wait_for("ready")["address"]

    def send(self, *arguments: str, **options: Any) -> Command:
        return self._run("alice", "send", "--local", "--json", *arguments, **options)

    def run(self, name: str, *arguments: str, **options: Any) -> Command:
        return self._run(name, *arguments, **options)

    def _run(self, name: str, *arguments: str, **options: Any) -> Command:
        command = Command(self.folder, name, *arguments, **options)
        self.commands.append(command)
        return command

    def file(self, name: str, content: bytes = CONTENT) -> Path:
        path = self.folder / name
        path.write_bytes(content)
        return path

    @property
    def received(self) -> dict[str, bytes]:
        folder = self.folder / "in"
        return {path.name: path.read_bytes() for path in folder.iterdir()} if folder.exists() else {}

    def wait_for_part(self, octets: int) -> Path:
        """Until so many octets are on the receiver's disk."""

        def part() -> Path | None:
            return next((p for p in (self.folder / "in").glob("*.part") if p.stat().st_size >= octets), None)

        return wait_until(part)


def wait_until(condition: Callable[[], Any]) -> Any:
    deadline = time.monotonic() + TIMEOUT
    while not (found := condition()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return found


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path)
    yield place
    for command in place.commands:
        if command.process.poll() is None:
            command.process.kill()
            command.process.communicate()


def test_several_files(place: Place) -> None:
    """Each is received, verified, and told on both sides; empty, of one octet, with a name of any letters; exit code
    0."""
    files = {"empty.txt": b"", "one octet": b"x", "Grüße 漢字.bin": CONTENT}
    for name, content in files.items():
        place.file(name, content)
    receiver, uri = place.receive("--yes")
    sender = place.send(*files, uri)
    sender.end()
    for name, content in files.items():
        for command, over in ((sender, "sent"), (receiver, "received")):
            if command is receiver and name not in {e.get("file") for e in receiver.events if e["state"] == over}:
                while receiver.wait_for(over)["file"] != name:
                    pass
            told = command.last(name)
            assert (told["state"], told["size"], told["octets"]) == (over, len(content), len(content))
    receiver.signal(signal.SIGINT)
    receiver.end()
    assert place.received == files
    assert sender.states("Grüße 漢字.bin") == ["hashing", "calling", "sending", "sent"]
    assert receiver.states("Grüße 漢字.bin") == ["receiving", "received"]
    assert receiver.last("one octet")["path"].endswith("in/one octet")


def test_what_people_read_without_a_terminal(place: Place) -> None:
    """Lines: what, how much, how fast, where to; no bars, no escapes."""
    place.file("report.pdf")
    receiver = place.run("bob", "receive", "--local", "--into", "in", "--yes", "--once")
    assert receiver.process.stdout is not None
    uri = re.search(r"sip:\S+:\d+", receiver.process.stdout.readline())
    assert uri is not None
    sender = place.run("alice", "send", "--local", "report.pdf", uri[0])
    output, errors = sender.process.communicate(timeout=TIMEOUT)
    assert sender.process.returncode == 0, errors
    assert re.fullmatch(r"report\.pdf: sent, 6\.0 MB in \d+\.\d s, .*/s\n", output), output
    output, errors = receiver.process.communicate(timeout=TIMEOUT)
    assert receiver.process.returncode == 0, errors
    assert re.fullmatch(r"report\.pdf: received, 6\.0 MB in \d+\.\d s, .*/s: in/report\.pdf\n", output), output
    assert "\x1b" not in output


def test_the_bar_of_a_terminal(place: Place) -> None:
    """The size, the rate and the time that is left are shown while it goes on."""
    place.file("report.pdf")
    _, uri = place.receive("--yes", "--once")
    ours, theirs = pty.openpty()
    with contextlib.closing(os.fdopen(ours, "rb", buffering=0)) as terminal:
        sender = place.run("alice", "send", "--local", "report.pdf", uri, gate=2 * MIB, stdout=theirs)
        os.close(theirs)

        def bar() -> str:
            """What is written next, without colours."""
            return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", terminal.read(65536).decode(errors="replace"))

        wait_until(lambda: re.search(r"report.pdf ━.*sending.* 2\.1/6\.0 MB \d.* [kM]?B/s \d+:\d\d", bar()))
        sender.signal(signal.SIGINT)
        with contextlib.suppress(OSError):  # EIO: nobody has it open any more
            while last := terminal.read(65536):
                shown = last
    _, errors = sender.process.communicate(timeout=TIMEOUT)
    assert (sender.process.returncode, errors.strip()) == (130, "Interrupted.")
    assert b"\x1b[?25h" in shown, "the cursor is there again"


@pytest.mark.parametrize("who", ["sender", "receiver"])
def test_killed_in_mid_transfer(place: Place, who: str) -> None:
    """kill -9 of either side: the other tells that it failed; the same commands again send only what is missing."""
    place.file("report.pdf")
    receiver, uri = place.receive("--yes")
    sender = place.send("report.pdf", uri, gate=4 * MIB)
    there = place.wait_for_part(4 * MIB).stat().st_size
    if who == "sender":
        sender.signal(signal.SIGKILL)
        assert receiver.wait_for("failed")["file"] == "report.pdf"
    else:
        receiver.signal(signal.SIGKILL)
        sender.end(1)
        assert sender.last("report.pdf")["state"] == "failed"
        receiver, uri = place.receive("--yes")
    again = place.send("report.pdf", uri)
    again.end()
    assert receiver.wait_for("received")["octets"] == again.last("report.pdf")["octets"] == len(CONTENT) - there
    (begun,) = [event for event in again.events if event["state"] == "sending"]
    assert begun["from"] == there == 4 * MIB
    assert place.received == {"report.pdf": CONTENT}


def test_interrupted(place: Place) -> None:
    """Ctrl-C of the sender: it says goodbye, the exit code is 130; the receiver's, which waits for one session, is 1.
    What came is kept."""
    place.file("report.pdf")
    receiver, uri = place.receive("--yes", "--once")
    sender = place.send("report.pdf", uri, gate=2 * MIB)
    place.wait_for_part(2 * MIB)
    sender.signal(signal.SIGINT)
    sender.end(130)
    assert sender.errors.strip() == "Interrupted."
    receiver.end(1)
    assert receiver.last("report.pdf")["state"] == "failed"
    (name,) = place.received
    assert name.endswith(".part")


def test_receiver_interrupted_in_mid_transfer(place: Place) -> None:
    place.file("report.pdf")
    receiver, uri = place.receive("--yes")
    sender = place.send("report.pdf", uri, gate=2 * MIB)
    place.wait_for_part(2 * MIB)
    receiver.signal(signal.SIGINT)
    receiver.end(130)
    sender.end(1)
    assert sender.last("report.pdf")["state"] == "failed"


def test_a_disk_that_is_full(place: Place) -> None:
    """Both sides fail, with the reason of the system where the disk is; the receiver goes on with the next file."""
    place.file("large.bin")
    place.file("small.bin", b"small")

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))

    receiver, uri = place.receive("--yes", preexec_fn=limit)
    sender = place.send("large.bin", "small.bin", uri)
    sender.end(1)
    assert "413" in sender.last("large.bin")["reason"]
    assert sender.last("small.bin")["state"] == "sent"
    assert "File too large" in receiver.wait_for("failed")["reason"]
    receiver.wait_for("received")
    assert place.received["small.bin"] == b"small"
    assert all(name == "small.bin" or name.endswith(".part") for name in place.received)


def test_who_sits_there_is_asked(place: Place) -> None:
    """On a terminal: whose file it is, its name without what terminals obey, its size; y takes it, n does not."""
    place.file("\x1b[2Jreport.pdf", b"hello")
    ours, theirs = pty.openpty()
    with contextlib.closing(os.fdopen(ours, "r+b", buffering=0)) as terminal:
        receiver = place.run("bob", "receive", "--local", "--into", "in", stdin=theirs, stdout=theirs, stderr=theirs)
        os.close(theirs)
        shown = ""

        def read(pattern: str) -> str:
            nonlocal shown
            while not (found := re.search(pattern, shown, re.DOTALL)):
                shown += terminal.read(65536).decode(errors="replace")
            shown = shown[found.end() :]
            return found[0]

        (uri,) = re.findall(r"sip:\S+:\d+", read(r"sip:\S+:\d+\."))
        for answer, code, state in ((b"n\n", 1, "failed"), (b"y\n", 0, "sent")):
            sender = place.send("\x1b[2Jreport.pdf", uri)
            question = read(r"[^\n]* sends [^\n]*Receive it\?")
            assert "[2Jreport.pdf, 5 bytes." in question and "\x1b[2J" not in question
            terminal.write(answer)
            sender.end(code)
            assert sender.events[-1]["state"] == state
        read(r"\[2Jreport\.pdf: received, 5 bytes")
        receiver.signal(signal.SIGINT)
        with contextlib.suppress(OSError):
            while terminal.read(65536):
                pass
    assert receiver.process.wait(TIMEOUT) == 0, "what was refused was not begun"
    assert place.received == {"[2Jreport.pdf": b"hello"}


def test_who_is_not_welcome(place: Place) -> None:
    """--from: others are refused, unasked; the sender's exit code is 1 and the reason that of the refusal."""
    place.file("report.pdf", b"x")
    receiver, uri = place.receive("--from", "carol@example.com")
    sender = place.send("report.pdf", uri)
    sender.end(1)
    assert sender.last("report.pdf")["reason"] == "603 Decline"
    assert receiver.wait_for("refused")["file"] == "report.pdf"
    assert place.received == {}


def test_nobody_is_there(place: Place) -> None:
    """No answer in the time that was given: exit code 1."""
    place.file("report.pdf", b"x")
    sender = place.send("--timeout", "0.5", "report.pdf", "sip:bob@127.0.0.1:9")
    sender.end(1)
    assert sender.last("report.pdf")["reason"] == "no answer within 0.5 seconds"
    sender = place.send("report.pdf", "bob@[::")
    sender.end(2)
    assert "bob@[:: can't be called" in sender.errors


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("send", "missing.pdf", "bob@example.com"), "missing.pdf can't be sent: no such file"),
        (("send", ".", "bob@example.com"), ". can't be sent"),
        (("send", "report.pdf"), "Missing argument"),
        (("receive", "--local"), "Say --yes, or --from ADDRESS"),
    ],
)
def test_wrong_arguments(tmp_path: Path, arguments: tuple[str, ...], told: str, monkeypatch: Any) -> None:
    """Exit code 2, before anything is begun. To receive without a terminal it has to be said what is welcome."""
    from click.testing import CliRunner

    from sipsimple.cli.main import sipsimple

    monkeypatch.chdir(tmp_path)
    result = CliRunner().invoke(sipsimple, arguments, env={"SIPSIMPLE_CONFIG": str(tmp_path / "config")})
    assert (result.exit_code, told in result.output) == (2, True), result.output
