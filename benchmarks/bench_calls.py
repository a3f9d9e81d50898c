"""Calls with audio between two processes over loopback: set-up, many at once, delay, and an engine that is killed.

For comparison, a C-based SDK on the same kind of machine: 195 ms from the call to its media.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from typing import Any

from harness import Figures, measure_in_child, median, spawn, wait_until

CALLS = 30
IN_A_ROW = 300
AT_ONCE = 12
SECONDS = 6.0
SETTLING = 2.0  # seconds after the last call has begun
BURSTS = 12


def measure_setup(port: int) -> None:
    """Milliseconds from connect() to SIPSessionDidStart, one call after the other."""
    from audio_peer import Peer

    peer = Peer(tones=False)
    peer.start()
    setups = []
    for _ in range(CALLS):
        session, _, seconds = peer.call(port)
        setups.append(1000 * seconds)
        peer.end(session)
    peer.stop()
    print(json.dumps({"median": median(setups[3:]), "worst": max(setups[3:])}))


def measure_row(port: int) -> None:
    """Calls one after the other: how many a second, and what is left of them."""
    from audio_peer import Peer

    peer = Peer(tones=False)
    peer.start()
    peer.end(peer.call(port)[0])
    before = len(os.listdir("/proc/self/fd"))
    since = time.perf_counter()
    for _ in range(IN_A_ROW):
        peer.end(peer.call(port)[0])
    rate = IN_A_ROW / (time.perf_counter() - since)
    time.sleep(SETTLING)
    left = len(os.listdir("/proc/self/fd")) - before
    result = {"rate": rate, "descriptors": left, "processes": len(peer.engines()) - 1}
    peer.stop()
    print(json.dumps(result))


def measure_many(port: int) -> None:
    """What is lost of calls at once, and the CPU time that they take."""
    from audio_peer import Ear, Peer, statistics

    peer = Peer()
    peer.start()
    calls = [peer.call(port) for _ in range(AT_ONCE)]
    time.sleep(SETTLING)
    before = [statistics(stream) for _, stream, _ in calls]
    ears = [Ear(stream) for _, stream, _ in calls]
    used, since = peer.cpu(), time.perf_counter()
    time.sleep(SECONDS)
    seconds, used = time.perf_counter() - since, peer.cpu() - used
    heard = [len(ear.frames) for ear in ears]
    glitches = sum(ear.glitches for ear in ears)
    after = [statistics(stream) for _, stream, _ in calls]
    received = sum(b.packets_received - a.packets_received for a, b in zip(before, after, strict=True))
    lost = sum(b.packets_lost - a.packets_lost for a, b in zip(before, after, strict=True))
    engines = len(peer.engines())
    for session, _, _ in calls:
        peer.end(session)
    peer.stop()
    result = {
        "cpu": 100 * used / seconds, "received": received, "lost": lost, "glitches": glitches, "frames": sum(heard),
        "engines": engines,
    }  # fmt: skip
    print(json.dumps(result))


def measure_delay(port: int) -> None:
    """Milliseconds from a sound that is said in one bridge, to when it is heard in that of the other party.

    Both are in this process: a call to itself, by way of two mixers' slots, two engine streams and the loopback.
    """
    import numpy as np
    from audio_peer import Peer

    from sipsimple.audio import CallbackPort

    peer = Peer(tones=False)
    own = peer.start()
    session, stream, _ = peer.call(own)
    peer.wait("MediaStreamDidStart", count=2)
    other = next(one for one in list(_streams(peer)) if one is not stream)
    said: list[float] = []
    heard: list[float] = []
    frame = [0]

    def speak(count: int) -> Any:
        frame[0] += 1
        loud = frame[0] % 25 < 2  # 40 ms twice a second
        if frame[0] % 25 == 0:
            said.append(time.perf_counter())
        wave = np.sin(np.arange(count) * 2 * np.pi * 1000 / 16000)
        return (wave * (12000 if loud else 0)).astype(np.int16)

    def listen(samples: Any) -> None:
        if int(np.abs(samples).max()) > 3000 and (not heard or time.perf_counter() - heard[-1] > 0.25):
            heard.append(time.perf_counter())

    mouth = CallbackPort(stream.mixer, get_audio=speak, sample_rate=16000)
    ear = CallbackPort(other.mixer, on_audio=listen, sample_rate=16000)
    stream.bridge.add(mouth)
    other.bridge.add(ear)
    wait_until(lambda: len(heard) >= BURSTS, "sounds that are heard at the other end")
    delays = [min(b - a for a in said if a < b) for b in heard[2:]]
    peer.end(session)
    peer.stop()
    print(json.dumps({"median": 1000 * median(delays), "worst": 1000 * max(delays)}))


def _streams(peer: Any) -> list[Any]:
    from sipsimple.session import SessionManager

    return [stream for session in SessionManager().sessions for stream in session.streams or ()]


def measure_replacement(port: int) -> None:
    """Milliseconds from the death of an engine's process to the start of another call."""
    from audio_peer import Peer

    peer = Peer(tones=False)
    peer.start()
    times = []
    for number in range(3):
        session, stream, _ = peer.call(port)
        (victim,) = peer.engines()
        since = time.perf_counter()
        os.kill(victim, signal.SIGKILL)
        peer.wait("MediaStreamDidFail", stream)
        peer.wait("SIPSessionDidEnd", session)
        again, _, _ = peer.call(port)
        times.append(1000 * (time.perf_counter() - since))
        assert victim not in peer.engines(), number
        peer.end(again)
    peer.stop()
    print(json.dumps({"worst": max(times)}))


def main() -> int:
    figures = Figures("Calls with audio (PCMU), between two processes over loopback")
    with spawn("audio_peer.py") as (_, port):
        setup = measure_in_child("bench_calls.py", "setup", port)
        figures.add(
            "session set-up with audio, both parties", setup["median"], "ms", at_most=60,
            limit=("a C-based SDK, elsewhere", 195.0),
        )  # fmt: skip
        figures.add("the slowest of them", setup["worst"], "ms")
        replaced = measure_in_child("bench_calls.py", "replacement", port)
        figures.add("an engine is killed: the next call has started", replaced["worst"], "ms", at_most=1000)
        row = measure_in_child("bench_calls.py", "row", port)
        figures.add(f"{IN_A_ROW} calls in a row, a second", row["rate"], "")
        figures.add("  descriptors that they leave", row["descriptors"], "", at_most=0)
        figures.add("  processes that they leave, beside the one that is spare", row["processes"], "", at_most=0)
        many = measure_in_child("bench_calls.py", "many", port)
        figures.add(f"{AT_ONCE} calls at once: packets lost", many["lost"], "", at_most=0)
        figures.add("  frames of 20 ms heard with a glitch", many["glitches"], "", at_most=0)
        figures.add("  packets received", many["received"], "", limit=("sent", AT_ONCE * SECONDS * 50))
        figures.add(f"  CPU of the application and its {many['engines']} engines, of one core", many["cpu"], "%")
        delay = measure_in_child("bench_calls.py", "delay", port)
        figures.add("delay through both mixers and engines", delay["median"], "ms", at_most=150)
        figures.add("the longest of them", delay["worst"], "ms")
    figures.show()
    return 1 if figures.missed else 0


MEASUREMENTS = {
    "setup": measure_setup, "row": measure_row, "many": measure_many, "delay": measure_delay,
    "replacement": measure_replacement,
}  # fmt: skip

if __name__ == "__main__":
    if len(sys.argv) == 3:
        MEASUREMENTS[sys.argv[1]](int(sys.argv[2]))
    else:
        sys.exit(main())
