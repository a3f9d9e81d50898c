"""Whole user agents over real sockets: the demo, the README's example, and an application's life."""

from __future__ import annotations

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


def test_the_demo_shows_that_every_message_arrives() -> None:
    """The demo exits 0 only if every message arrived, once, in order, and was confirmed; plain without a terminal."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "examples" / "demo")], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "8 messages arrived, once, in order; 8 delivery reports" in done.stdout
    assert "INVITE" in done.stdout and "BYE" in done.stdout
    assert "\x1b" not in done.stdout
    assert done.stderr == ""


def test_the_demo_may_be_interrupted() -> None:
    """Ctrl-C ends the demo at once, without a traceback, and nothing of it is left."""
    demo = subprocess.Popen(
        [sys.executable, "-u", str(ROOT / "examples" / "demo")],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert demo.stdout is not None
    assert "listens on" in demo.stdout.readline()
    demo.send_signal(signal.SIGINT)
    _, errors = demo.communicate(timeout=TIMEOUT)  # its agents have the same standard error: they are gone too
    assert (demo.returncode, errors) == (130, "")


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
