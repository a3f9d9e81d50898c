"""The engine of pjsua2, for real: two streams on the loopback interface, what they hear, and a process that dies."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest
from twisted.internet.defer import DeferredList

from sipsimple.streams.rtp.engine import EngineError
from sipsimple.streams.rtp.engine_bench import EngineBench, assert_heard, until

pytest.importorskip("pjsua2", reason="pip install 'sipsimple-audio[pjsua2]'", exc_type=ImportError)

from sipsimple.pjsua2 import engine
from sipsimple.pjsua2.engine import PJSUA2Engine


@pytest.fixture
def bench() -> Iterator[EngineBench]:
    bench = EngineBench(PJSUA2Engine)
    yield bench
    bench.close()


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
def test_a_tone_is_heard(bench: EngineBench, codec: str, srtp: str) -> None:
    """AUD-001, AUD-023, AUD-024: each codec carries sound, with and without SRTP."""
    first, told, second, told_second = bench.connect(codec, srtp=srtp)
    assert_heard(first, second, 440.0)
    assert_heard(second, first, 600.0)
    state = told.states[-1]
    assert state.codec is not None and state.codec.lower() == codec.partition("/")[0].lower()
    assert state.srtp is (srtp != "disabled")
    until(lambda: bench.do(second.statistics).packets_received > 50)
    bench.do(first.send_dtmf, "7")
    until(lambda: told_second.digits == ["7"])


def test_the_pool_grows_and_shrinks(bench: EngineBench) -> None:
    """Four streams a process, one place to spare, and nothing left of those that are not needed."""
    streams = [bench.open()[0] for _ in range(9)]
    for stream in streams:
        bench.do(stream.offer)
    assert len(bench.engine.processes) == 3
    for stream in streams:
        bench.do(stream.close)
    until(lambda: len(bench.engine.processes) == 1)


def test_a_process_that_dies(bench: EngineBench) -> None:
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


def test_rubbish_ends_nothing(bench: EngineBench) -> None:
    """Descriptions that pjsua2 refuses are an error, and the stream can be closed."""
    stream, listener = bench.open()
    for text in ("rubbish", "v=0\r\n" * 2000, ""):
        with pytest.raises(EngineError):
            bench.do(stream.answer, text)
    bench.do(stream.close)
    other, _ = bench.open()
    assert bench.do(other.offer).startswith("v=0")
    assert not listener.failures


def test_many_streams_one_after_the_other_leave_nothing(bench: EngineBench) -> None:
    """Descriptors and processes are as before."""

    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))

    def once() -> None:
        first, _, second, _ = bench.connect("PCMU")
        bench.do(first.close)
        bench.do(second.close)

    once()
    before, child = descriptors(), bench.engine.processes[0].pid
    for _ in range(30):
        once()
    until(lambda: descriptors() <= before)
    # there is another one for a while, when streams are made as others are going
    until(lambda: [process.pid for process in bench.engine.processes] == [child])


def test_a_place_is_free_when_it_is_said_to_be(bench: EngineBench, monkeypatch: Any) -> None:
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


def test_more_sockets_in_a_moment_than_there_is_room_for(bench: EngineBench, monkeypatch: pytest.MonkeyPatch) -> None:
    """pjsua2 keeps the places of closed sockets for half a second, and ends where it has none: offers wait for that."""
    monkeypatch.setattr(engine, "MAX_PROCESSES", 1)
    (process,) = bench.engine.processes
    for _ in range(30):
        streams = [bench.open()[0] for _ in range(4)]
        offers = bench.do(lambda streams=streams: DeferredList([stream.offer() for stream in streams]))
        assert all(succeeded and text.startswith("v=0") for succeeded, text in offers)
        for stream in streams:
            bench.do(stream.close)
        until(lambda: not process.leaving)
    assert bench.engine.processes == (process,)


def test_offers_that_nobody_answers_leave_nothing(bench: EngineBench) -> None:
    """A stream that is closed before it was answered gives its place in the process back."""
    for _ in range(8):
        stream, _listener = bench.open()
        assert bench.do(stream.offer).startswith("v=0")
        process = stream.process
        bench.do(stream.close)
        until(lambda process=process: not process.leaving)
