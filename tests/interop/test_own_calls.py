"""Calls of the application to itself: several at once, their delay, and engines that die.

How fast they are is measured by benchmarks/bench_calls.py, on a machine that does nothing else.
"""

from __future__ import annotations

import os
import signal
import time
from typing import Any

import numpy as np
import pytest

from sipsimple.audio import CallbackPort
from sipsimple.streams.rtp.engine import AudioEngines

from .hearing import until
from .own_call import OwnCall

pytest.importorskip("pjsua2", reason="pip install 'sipsimple-audio[pjsua2]'", exc_type=ImportError)

TIMEOUT = 30


def engines() -> list[Any]:
    return list(AudioEngines().engine.processes)  # type: ignore[attr-defined]


def test_calls_at_once(application: Any) -> None:
    """AUD-001, AUD-010: of several calls each has its own sound, in more than one process of the engine."""
    calls = [OwnCall(application) for _ in range(3)]
    for number, call in enumerate(calls):
        call.talk(400.0 + 200 * number, 450.0 + 200 * number)
    assert len(engines()) >= 2
    for call in calls:
        assert call.seconds < 10  # 40 ms: see the benchmarks
        call.end()


def test_delay(application: Any) -> None:
    """AUD-010: what is said is heard at once."""
    call = OwnCall(application)
    said: list[float] = []
    delays: list[float] = []
    number = 0

    def speak(count: int) -> Any:
        nonlocal number
        number += 1
        if number % 25 == 0:
            said.append(time.monotonic())
        loud = number % 25 < 2
        return np.full(count, 9000 * loud, np.int16) * np.tile(np.array([1, -1], np.int16), count // 2)

    def listen(samples: Any) -> None:
        if said and int(np.abs(samples).max()) > 3000:
            delays.append(time.monotonic() - said[-1])

    mouth = CallbackPort(call.stream.mixer, get_audio=speak, sample_rate=8000)
    ear = CallbackPort(call.other_stream.mixer, on_audio=listen, sample_rate=8000)
    call.stream.bridge.add(mouth)
    call.other_stream.bridge.add(ear)
    until(lambda: delays and min(delays[-5:]) < 0.3, "what is said is not heard at once")  # 80 ms: see the benchmarks
    call.end()


def test_an_engine_that_is_killed(application: Any) -> None:
    """AUD-001: its calls end and say why, those of other engines go on, and the next call has sound."""
    calls = [OwnCall(application) for _ in range(3)]
    victim = calls[0].stream._engine_stream.process
    spared = [call for call in calls if not any(
        stream._engine_stream.process is victim for stream in (call.stream, call.other_stream)
    )]  # fmt: skip
    assert spared
    os.kill(victim.pid, signal.SIGKILL)
    failed = application.recorder.wait_for("MediaStreamDidFail", calls[0].stream, TIMEOUT)
    assert "signal 9" in failed.data.reason
    application.recorder.wait_for("SIPSessionDidEnd", calls[0].session, TIMEOUT)
    spared[0].talk()
    again = OwnCall(application)
    assert victim not in engines()
    again.talk()
    for call in (*spared, again):
        call.end()
