"""The engine of pjsua2, for real: two streams on the loopback interface, what they hear, and a process that dies."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import pytest
from twisted.internet.defer import Deferred

from sipsimple.audio.testing import tone_heard
from sipsimple.audio.tones import tone
from sipsimple.realm import Realm
from sipsimple.streams.rtp.description import AudioMedia
from sipsimple.streams.rtp.engine import EngineError, MediaState, StreamOptions

pytest.importorskip("pjsua2", reason="pip install 'sipsimple-audio[pjsua2]'", exc_type=ImportError)

from sipsimple.pjsua2 import engine
from sipsimple.pjsua2.engine import PJSUA2Engine

TIMEOUT = 20.0
RATE = 16000


class Listener:
    def __init__(self) -> None:
        self.states: list[MediaState] = []
        self.digits: list[str] = []
        self.failures: list[str] = []

    def media_changed(self, state: MediaState) -> None:
        self.states.append(state)

    def dtmf_received(self, digit: str) -> None:
        self.digits.append(digit)

    def timed_out(self) -> None:
        pass

    def failed(self, reason: str) -> None:
        self.failures.append(reason)


class Bench:
    """An engine in a realm with a real reactor, which runs in a thread of its own."""

    def __init__(self) -> None:
        from twisted.internet.selectreactor import SelectReactor

        self.realm = Realm("bench")
        self.reactor: Any = SelectReactor()
        self.realm.reactor = self.reactor
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self.engine: PJSUA2Engine = self.do(PJSUA2Engine)
        self.do(self.engine.start)

    def _run(self) -> None:
        self.reactor.run(installSignalHandlers=False)

    def do(self, function: Callable[..., Any], *arguments: Any) -> Any:
        """Call a function in the reactor's thread, and wait for what its Deferred gives."""
        done = threading.Event()
        got: list[Any] = []

        def finish(value: Any) -> None:
            got.append(value)
            done.set()

        def call() -> None:
            try:
                result = self.realm.run(function, *arguments)
            except Exception as error:
                finish(error)
                return
            if isinstance(result, Deferred):
                result.addBoth(finish)
            else:
                finish(result)

        self.reactor.callFromThread(call)
        assert done.wait(TIMEOUT)
        value = getattr(got[0], "value", got[0])
        if isinstance(value, Exception):
            raise value
        return value

    def open(self, **options: Any) -> tuple[Any, Listener]:
        listener = Listener()
        return self.do(self.engine.open, StreamOptions("127.0.0.1", **options), listener), listener

    def close(self) -> None:
        self.do(self.engine.stop)
        self.reactor.callFromThread(self.reactor.stop)
        self._thread.join(TIMEOUT)


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    yield bench
    bench.close()


def until(condition: Callable[[], object]) -> None:
    end = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        threading.Event().wait(0.01)


def connect(bench: Bench, codec: str, srtp: str) -> tuple[Any, Listener, Any, Listener]:
    first, told_first = bench.open(srtp=srtp)
    second, told_second = bench.open(srtp=srtp)
    offer = AudioMedia.decode(bench.do(first.offer)).restrict((codec,))
    answer = bench.do(second.answer, offer.encode())
    bench.do(first.accept, answer)
    return first, told_first, second, told_second


def assert_heard(speaker: Any, listener: Any, frequency: float, least: float = 0.8) -> None:
    """Say a tone, with pauses, until it is heard clearly."""
    frames = np.concatenate([tone(frequency, 0.4, RATE), np.zeros(RATE // 10, np.int16)]).reshape(-1, RATE // 50)
    heard = np.zeros(0, np.int16)
    due = time.monotonic()
    end, number = due + TIMEOUT, 0
    while number % 10 or tone_heard(heard, frequency, RATE) < least:
        assert time.monotonic() < end, "the tone was not heard"
        speaker.write(frames[number % len(frames)].tobytes())
        number += 1
        while data := listener.read():
            heard = np.concatenate([heard, np.frombuffer(data, np.int16)])[-2 * RATE :]
        due += 0.02
        threading.Event().wait(max(0.0, due - time.monotonic()))


@pytest.mark.parametrize(
    ("codec", "srtp"),
    [
        ("PCMU", "disabled"),
        ("PCMA", "optional"),
        ("G722", "mandatory"),
        ("GSM", "disabled"),
        ("speex/16000", "optional"),
    ],
)
def test_a_tone_is_heard(bench: Bench, codec: str, srtp: str) -> None:
    """AUD-001, AUD-023, AUD-024: each codec carries sound, with and without SRTP."""
    first, told, second, told_second = connect(bench, codec, srtp)
    assert_heard(first, second, 440.0)
    assert_heard(second, first, 600.0)
    state = told.states[-1]
    assert state.codec is not None and state.codec.lower() == codec.partition("/")[0].lower()
    assert state.srtp is (srtp != "disabled")
    until(lambda: bench.do(second.statistics).packets_received > 50)
    bench.do(first.send_dtmf, "7")
    until(lambda: told_second.digits == ["7"])


def test_the_pool_grows_and_shrinks(bench: Bench) -> None:
    """Four streams a process, one place to spare, and nothing left of those that are not needed."""
    streams = [bench.open()[0] for _ in range(9)]
    for stream in streams:
        bench.do(stream.offer)
    assert len(bench.engine.processes) == 3
    for stream in streams:
        bench.do(stream.close)
    until(lambda: len(bench.engine.processes) == 1)


def test_a_process_that_dies(bench: Bench) -> None:
    """Its streams fail, others go on, and another takes its place within a second."""
    streams = [bench.open() for _ in range(5)]
    for stream, _ in streams:
        bench.do(stream.offer)
    victim = streams[0][0].process
    struck = time.monotonic()
    os.kill(victim.pid, signal.SIGKILL)
    until(lambda: streams[0][1].failures)
    assert victim not in bench.engine.processes
    survivors = [stream for stream in streams if stream[0].process is not victim]
    assert survivors and all(not listener.failures for _, listener in survivors)
    fresh, _ = bench.open()
    assert bench.do(fresh.offer).startswith("v=0")
    assert time.monotonic() - struck < 10  # a second on a machine that does nothing else: see the benchmarks
    assert bench.do(survivors[0][0].statistics) is None


def test_rubbish_ends_nothing(bench: Bench) -> None:
    """Descriptions that pjsua2 refuses are an error, and the stream can be closed."""
    stream, listener = bench.open()
    for text in ("rubbish", "v=0\r\n" * 2000, ""):
        with pytest.raises(EngineError):
            bench.do(stream.answer, text)
    bench.do(stream.close)
    other, _ = bench.open()
    assert bench.do(other.offer).startswith("v=0")
    assert not listener.failures


def test_many_streams_one_after_the_other_leave_nothing(bench: Bench) -> None:
    """Descriptors and processes are as before."""

    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    def once() -> None:
        first, _, second, _ = connect(bench, "PCMU", "disabled")
        bench.do(first.close)
        bench.do(second.close)

    once()
    before, child = descriptors(), bench.engine.processes[0].pid
    for _ in range(30):
        once()
    until(lambda: descriptors() <= before)
    assert [process.pid for process in bench.engine.processes] == [child]


def test_a_place_is_free_when_it_is_said_to_be(bench: Bench, monkeypatch: Any) -> None:
    """All places of a process are taken again as soon as its streams are gone, and pjsua2 has them."""
    monkeypatch.setattr(engine, "MAX_PROCESSES", 1)
    (process,) = bench.engine.processes
    for turn in range(8):
        first, second, third, fourth = (bench.open()[0] for _ in range(4))
        with pytest.raises(EngineError):
            bench.open()
        offer = bench.do(first.offer)
        answer = bench.do(second.answer, offer)
        if turn % 2:
            bench.do(first.accept, answer)
        bench.do(third.offer)
        if turn % 3:
            bench.do(fourth.offer)
        for stream in (first, second, third, fourth):
            bench.do(stream.close)
        until(lambda: process.free == 4)


def test_offers_that_nobody_answers_leave_nothing(bench: Bench) -> None:
    """A stream that is closed before it was answered gives its place in the process back."""
    for _ in range(8):
        stream, _listener = bench.open()
        assert bench.do(stream.offer).startswith("v=0")
        process = stream.process
        bench.do(stream.close)
        until(lambda process=process: not process.leaving)
