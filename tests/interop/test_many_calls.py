"""Many audio calls one after the other: nothing of them is left, in this process or in those of the audio engine."""

from __future__ import annotations

import contextlib
import gc
import os
import threading
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("pjsua2", reason="pip install 'sipsimple-audio[pjsua2]'", exc_type=ImportError)

from sipsimple.core import Engine
from sipsimple.streams.rtp.engine import AudioEngines

from .calls import TIMEOUT, answer, dial, wait_until_connected
from .hearing import until

CALLS = int(os.environ.get("CALLS", "25"))
WARM_UP = 3


def descriptors(process: int | str) -> int:
    try:
        return len(os.listdir(f"/proc/{process}/fd"))
    except FileNotFoundError:  # it has just ended
        return 0


def children() -> list[int]:
    found: list[int] = []
    for task in Path("/proc/self/task").iterdir():
        with contextlib.suppress(FileNotFoundError):  # a thread that has just ended
            found += map(int, (task / "children").read_text().split())
    return sorted(found)


def left(application: Any) -> dict[str, int]:
    """What calls could leave behind."""
    gc.collect()
    engine = AudioEngines().engine
    return {
        "processes": len(children()),
        "descriptors": descriptors("self"),
        "descriptors of the engine": sum(descriptors(process.pid) for process in engine.processes),
        "threads": threading.active_count(),
        "slots of the mixer": application.application.voice_audio_mixer.used_slot_count,
        "dialogs": Engine().core.dialogs,
    }


def one_call(application: Any) -> None:
    """With ourselves: two sessions and two streams."""
    session, _ = dial(application, "alice", application.sip_port)
    other, _ = answer(application)
    wait_until_connected(application, session)
    session.end()
    for ended in (session, other):
        application.recorder.wait_for("SIPSessionDidEnd", ended, TIMEOUT)
    application.recorder.clear()


@pytest.mark.timeout(600)
def test_many_calls_leave_nothing(application: Any) -> None:
    """No dialog is left, nor a process, socket, thread, slot or file for each call or for each second one.

    Some may be more than before: a pool of threads grows with the load, a process of the engine may be ending.
    """
    for _ in range(WARM_UP):
        one_call(application)
    before = left(application)
    for _ in range(CALLS):
        one_call(application)

    def is_nothing_left() -> bool:
        after = left(application)
        return not after["dialogs"] and all(after[what] - before[what] < CALLS // 2 for what in before)

    until(is_nothing_left, f"before the calls there was {before}")
