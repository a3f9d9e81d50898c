"""Whole user agents over real sockets: the demo, the README's example, and an application's life."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from zope.interface import implementer

ROOT = Path(__file__).parent.parent
TIMEOUT = 20


DEMO = str(ROOT / "examples" / "demo")

#: Runs a program that may be interrupted, also where signals are ignored, as in the background of a shell.
INTERRUPTIBLE = """
import runpy, signal, sys
signal.signal(signal.SIGINT, signal.default_int_handler)
del sys.argv[0]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@pytest.mark.timeout(120)
def test_the_demo_shows_that_every_message_arrives() -> None:
    """The demo exits 0 only if every message arrived, once, in order, and was confirmed, and if the melody of the call
    was recorded; plain without a terminal."""
    pytest.importorskip("pjsua2", reason="pip install 'sipsimple-audio[pjsua2]'", exc_type=ImportError)
    done = subprocess.run([sys.executable, DEMO], capture_output=True, text=True, timeout=90, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "8 messages arrived, once, in order; 8 delivery reports" in done.stdout
    assert "bob recorded alice's melody: C5 " in done.stdout and "encrypted" in done.stdout
    assert done.stdout.count("bob    hears ██") > 3
    assert "INVITE" in done.stdout and "BYE" in done.stdout
    assert "\x1b" not in done.stdout
    assert "Traceback" not in done.stderr


def test_the_demo_without_an_audio_engine(tmp_path: Path) -> None:
    """It says why there is no call, and does the rest."""
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['pjsua2'] = None\n")
    environment = {**os.environ, "PYTHONPATH": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, DEMO], capture_output=True, text=True, timeout=60, check=False, env=environment
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "8 messages arrived, once, in order; 8 delivery reports" in done.stdout
    assert "no call with audio: " in done.stdout and "pjsua2 is not installed" in done.stdout


def test_the_verdict_of_the_demo(tmp_path: Path) -> None:
    """A recording with another melody, or without one, fails; so does a call without any."""
    script = f"""
import sys
sys.path.insert(0, {DEMO!r})
from pathlib import Path
import melody
from ladder import Event, make_console
from verdict import Verdict

def told(change=None, *, level=True):
    verdict, recording = Verdict({{}}), Path({str(tmp_path)!r}) / "recording.wav"
    if change is not None:
        right, melody.MELODY = melody.MELODY, change
        melody.write(recording)
        melody.MELODY = right
        verdict.note(Event("bob", "recorded", str(recording), 0.0))
    if level:
        verdict.note(Event("bob", "level", "C5", 0.0, -12.0))
    verdict.delays.append(1.0)
    print(verdict.tell(make_console()), end="|")

told(melody.MELODY)
told(melody.MELODY[:-1])
told(melody.MELODY[::-1][1:] + ["E5"])
told([])
told()
told(melody.MELODY, level=False)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=False)
    codes = re.findall(r"(\d)\|", done.stdout)
    assert codes == ["0", "1", "1", "1", "1", "1"], done.stdout + done.stderr


@pytest.mark.parametrize("moment", ["listens on", "plays a melody"])
def test_the_demo_may_be_interrupted(moment: str) -> None:
    """Ctrl-C, which reaches all its processes, ends the demo at once, without a traceback; nothing of it is left."""
    if moment == "plays a melody":
        pytest.importorskip("pjsua2", reason="pip install 'sipsimple-audio[pjsua2]'", exc_type=ImportError)
    demo = subprocess.Popen(
        [sys.executable, "-u", "-c", INTERRUPTIBLE, DEMO],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert demo.stdout is not None
    for line in demo.stdout:
        if moment in line:
            break
    os.killpg(demo.pid, signal.SIGINT)
    _, errors = demo.communicate(timeout=TIMEOUT)  # its agents have the same standard error: they are gone too
    assert demo.returncode == 130 and "Traceback" not in errors, errors


def test_the_example_of_the_readme_answers(application, echo_bot) -> None:
    """SES-018, SES-054, SES-055: a session starts, carries chat both ways, and ends in order."""
    session, stream = application.call(echo_bot.port)
    for text in ("hello", "žluťoučký kůň 🎉", "x" * 100_000):
        application.chat(stream, text)
    session.end()
    application.recorder.wait_for("SIPSessionDidEnd", session, TIMEOUT)
    application.recorder.assert_names(
        ["SIPSessionNewOutgoing", "SIPSessionWillStart", "SIPSessionDidStart", "SIPSessionWillEnd", "SIPSessionDidEnd"],
        session,
        only=["SIPSessionNewOutgoing", "SIPSessionWillStart", "SIPSessionDidStart", "SIPSessionWillEnd",
              "SIPSessionDidEnd", "SIPSessionDidFail"],
    )  # fmt: skip
    assert application.recorder.last("SIPSessionDidEnd", session).data.originator == "local"


def test_two_sessions_at_once_share_a_bot(application, echo_bot) -> None:
    first, one = application.call(echo_bot.port)
    second, two = application.call(echo_bot.port)
    application.chat(two, "to the second")
    application.chat(one, "to the first")
    first.end()
    application.recorder.wait_for("SIPSessionDidEnd", first, TIMEOUT)
    application.chat(two, "still there")
    assert second.state == "connected"


def test_start_twice_is_refused_and_changes_nothing(application, echo_bot) -> None:
    """APP-016: a second start raises, the application goes on."""
    from sipsimple.storage import MemoryStorage

    with pytest.raises(RuntimeError, match="start"):
        application.application.start(MemoryStorage())
    assert application.application.running
    _, stream = application.call(echo_bot.port)
    application.chat(stream, "still alive")


def test_an_application_starts_again_after_its_end(application, echo_bot) -> None:
    """APP-014, APP-015, APP-016: after SIPApplicationDidEnd it can be started again."""
    application.stop()
    assert not application.application.running
    application.recorder.clear()
    application.start()
    _, stream = application.call(echo_bot.port)
    application.chat(stream, "once more")


def test_stop_before_did_start() -> None:
    """APP-028, APP-029: an application stopped while it starts ends in order and never says that it started."""
    from sipsimple.application import SIPApplication
    from sipsimple.storage import MemoryStorage
    from sipsimple.testing import NotificationRecorder

    recorder = NotificationRecorder()
    application = SIPApplication()
    application.start(MemoryStorage())
    application.stop()
    assert not application.running
    recorder.wait_for("SIPApplicationDidEnd", timeout=TIMEOUT)
    names = recorder.names(only=["SIPApplicationDidStart", "SIPApplicationWillEnd", "SIPApplicationDidEnd"])
    assert names.index("SIPApplicationWillEnd") < names.index("SIPApplicationDidEnd")
    assert "SIPApplicationDidStart" not in names[names.index("SIPApplicationWillEnd") :]


def test_a_port_in_use_is_told_and_the_application_can_be_used_again(application) -> None:
    """A port in use: SIPEngineDidFail says which, the application ends, and starts again with another port."""
    from sipsimple.configuration.settings import SIPSimpleSettings
    from sipsimple.notification import NotificationCenter, NotificationDispatcher
    from sipsimple.storage import MemoryStorage

    application.stop()
    application.recorder.clear()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as taken:
        taken.bind(("0.0.0.0", 0))
        port = taken.getsockname()[1]

        class Configure(NotificationDispatcher):
            def _NH_SIPApplicationWillStart(self, notification: object) -> None:
                settings = SIPSimpleSettings()
                settings.sip.udp_port = port
                settings.save()

        configure = Configure()
        NotificationCenter().add_observer(configure, name="SIPApplicationWillStart")
        application.application.start(MemoryStorage())
        error = application.recorder.wait_for("SIPEngineDidFail", timeout=TIMEOUT).data.error
        assert str(port) in error
        application.recorder.wait_for("SIPApplicationDidEnd", timeout=TIMEOUT)
        assert not application.application.running
        NotificationCenter().remove_observer(configure, name="SIPApplicationWillStart")
    application.recorder.assert_none("SIPApplicationDidStart")
    application.recorder.clear()
    application.start()
    assert application.application.running


def test_connect_in_the_wrong_state_is_refused(application, echo_bot) -> None:
    """SES-013: connect is for a new session; the error names the state, and the session goes on."""
    from sipsimple.session import IllegalStateError
    from sipsimple.util import Route

    session, stream = application.call(echo_bot.port)
    with pytest.raises(IllegalStateError, match="connected"):
        session.connect(session.remote_identity, [Route("127.0.0.1", echo_bot.port)], [stream])
    application.chat(stream, "still here")


def test_methods_may_be_called_from_any_thread(application, echo_bot) -> None:
    """Sessions of several threads at once, each with its own messages."""
    failures: list[BaseException] = []

    def talk(number: int) -> None:
        try:
            session, stream = application.call(echo_bot.port)
            for line in range(5):
                application.chat(stream, f"{number}.{line}")
            session.end()
            application.recorder.wait_for("SIPSessionDidEnd", session, TIMEOUT)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=talk, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert failures == []


def test_importing_the_application_imports_no_plugin() -> None:
    """Plugins are imported when they are first needed."""
    code = "import sipsimple.application, sipsimple.session, sys; print('sipsimple.streams.chat' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_a_reactor_that_runs_already_is_used() -> None:
    """An application inside a program that runs the reactor itself, here asyncio's, uses that one."""
    code = """
import asyncio
from twisted.internet import asyncioreactor

async def main():
    asyncioreactor.install(asyncio.get_running_loop())
    from twisted.internet import reactor
    reactor.startRunning(installSignalHandlers=False)
    import threading
    from sipsimple.application import SIPApplication
    from sipsimple.notification import NotificationCenter
    from sipsimple.storage import MemoryStorage
    loop = asyncio.get_running_loop()
    seen = asyncio.Queue()

    class Observer:
        def handle_notification(self, notification):
            if notification.name in ("SIPApplicationDidStart", "SIPApplicationDidEnd"):
                seen.put_nowait((notification.name, threading.current_thread() is threading.main_thread()))

    NotificationCenter().add_observer(Observer())
    SIPApplication().start(MemoryStorage())
    print(await asyncio.wait_for(seen.get(), 10))
    SIPApplication().stop()
    print(await asyncio.wait_for(seen.get(), 10))

asyncio.run(main())
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)
    assert done.stdout.splitlines() == ["('SIPApplicationDidStart', True)", "('SIPApplicationDidEnd', True)"], (
        done.stderr
    )


def test_the_interface_is_zope_s() -> None:
    """STR-010: stream classes say that they provide IMediaStream."""
    from sipsimple.streams import ChatStream, IMediaStream

    assert IMediaStream.implementedBy(ChatStream)
    assert implementer is not None
