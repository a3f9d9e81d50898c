"""The examples with audio in real calls: what is said is heard, by tone detection."""

from __future__ import annotations

import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sipsimple.audio import ArrayPlayer, ArrayRecorder, AudioBridge, WaveFile
from sipsimple.audio.testing import tone_heard
from sipsimple.audio.tones import tone
from sipsimple.threading import call_in_sipsimple_thread

pytest.importorskip("pjsua2", reason="pip install 'sipsimple-audio[pjsua2]'", exc_type=ImportError)

sys.path.insert(0, str(Path(__file__).parent.parent / "plugins" / "audio" / "tests"))
from call_party import Party, heard, make_tone

ROOT = Path(__file__).parent.parent
TIMEOUT = 30
RATE = 16000
GREETING, SENTENCE = 500.0, 900.0  # Hz


#: Runs a program that may be interrupted, also where signals are ignored, as in the background of a shell.
INTERRUPTIBLE = """
import runpy, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


class Bot:
    """The example in a process of its own, and the lines that it prints."""

    def __init__(self, greeting: Path, folder: Path) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-u", "-c", INTERRUPTIBLE, str(ROOT / "examples" / "voice_bot.py"), greeting, folder],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self._lines.put(line.strip())
        self._lines.put("")

    def wait_for(self, beginning: str) -> str:
        """The next line that begins so; returns the rest of it."""
        while True:
            line = self._lines.get(timeout=TIMEOUT)
            if line.startswith(beginning):
                return line.removeprefix(beginning)
            assert line, self.process.communicate(timeout=TIMEOUT)[1]

    def end(self) -> str:
        self.process.send_signal(signal.SIGINT)
        _, errors = self.process.communicate(timeout=TIMEOUT)
        return errors


@pytest.fixture
def bot(application: Any, tmp_path: Path) -> Iterator[Bot]:
    bot = Bot(make_tone(tmp_path / "hello.wav", GREETING, 0.8), tmp_path)
    yield bot
    bot.process.kill()
    bot.process.wait()


def hear(ear: ArrayRecorder, frequency: float) -> None:
    """Wait until the ear has heard a tone."""
    deadline = time.monotonic() + TIMEOUT
    while tone_heard(ear.samples, frequency, RATE) < 0.8:
        assert time.monotonic() < deadline, f"{frequency} Hz was not heard"
        time.sleep(0.1)


@pytest.mark.timeout(150)
def test_a_conversation_with_the_bot(application: Any, bot: Bot) -> None:
    """AUD-010, AUD-038, AB-025, AB-037: it answers, says a file, hears digits and speech, records and repeats it."""
    from sipsimple.core import SIPURI, ToHeader
    from sipsimple.session import Session
    from sipsimple.streams import AudioStream
    from sipsimple.util import Route

    uri = SIPURI.parse(bot.wait_for("Call me: "))
    session, stream = Session(application.account), AudioStream(application.account)
    session.connect(ToHeader(uri), [Route(uri.host, uri.port, "udp")], [stream])
    application.recorder.wait_for("SIPSessionDidStart", session, TIMEOUT)
    bridge, ear = AudioBridge(stream.mixer), ArrayRecorder(stream.mixer, RATE)
    bridge.add(stream)  # alone with the ear, which so hears the bot alone
    bridge.add(ear)

    bot.wait_for("I listen")
    hear(ear, GREETING)
    call_in_sipsimple_thread(stream.send_dtmf, "5")
    bot.wait_for("You pressed 5")

    mouth = ArrayPlayer(stream.mixer, tone(SENTENCE, 1.2, RATE), RATE)
    stream.bridge.add(mouth)
    mouth.play().wait(TIMEOUT)
    seconds, _, recording = bot.wait_for("You spoke for ").partition(" seconds: ")
    assert float(seconds) > 0.3
    with WaveFile(recording) as file:
        assert tone_heard(file.read(RATE), SENTENCE, RATE) > 0.8
    hear(ear, SENTENCE)

    call_in_sipsimple_thread(stream.send_dtmf, "#")
    bot.wait_for("The call is over, ended by local")
    application.recorder.wait_for("SIPSessionDidEnd", session, TIMEOUT)
    assert application.recorder.last("SIPSessionDidEnd", session).data.originator == "remote"
    assert "Traceback" not in bot.end()


@pytest.mark.timeout(150)
def test_the_example_that_says_a_file(tmp_path: Path) -> None:
    """AB-031, AUD-010: the program of the README calls, says a file to its end, and hangs up."""
    melody, recording = make_tone(tmp_path / "melody.wav", GREETING, 1.0), tmp_path / "recording.wav"
    callee = Party(tmp_path / "configuration", "answer", "--calls", "1", "--record", str(recording))
    try:
        host, _, port = callee.address.partition("@")[2].partition(":")
        done = subprocess.run(
            [sys.executable, str(ROOT / "examples" / "say_file.py"), host, port, str(melody)],
            capture_output=True, text=True, timeout=60, check=False,
        )  # fmt: skip
        assert done.returncode == 0 and "Traceback" not in done.stderr, done.stderr
        assert callee.end() == 0
        assert heard(recording, GREETING) > 0.8
    finally:
        callee.kill()
