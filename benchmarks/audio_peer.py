"""A user agent with audio for the benchmarks: takes every call, or makes them; says and hears tones in them.

`audio_peer.py` alone answers calls until its standard input ends; its first line is its port.
"""

from __future__ import annotations

import os
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np

from sipsimple.account import Account
from sipsimple.application import SIPApplication
from sipsimple.audio import CallbackPort
from sipsimple.audio.tones import tone, tone_strength
from sipsimple.configuration.settings import SIPSimpleSettings
from sipsimple.core import SIPURI, Engine, ToHeader
from sipsimple.notification import NotificationCenter
from sipsimple.session import Session
from sipsimple.storage import MemoryStorage
from sipsimple.streams import AudioStream
from sipsimple.streams.rtp.engine import AudioEngines
from sipsimple.threading import call_in_sipsimple_thread
from sipsimple.util import Route

ADDRESS = "127.0.0.1"
TIMEOUT = 30
RATE = 16000
WINDOW = RATE // 50  # samples by which glitches are found
TONE = 500.0  # Hz: a whole number of waves in a window
CODEC = "PCMU"


class Peer:
    """One application with one account that needs no server. `tones`: says a tone in each call."""

    def __init__(self, tones: bool = True) -> None:
        self.tones = tones
        self.streams: list[Any] = []
        self._changed = threading.Condition()
        self._seen: dict[tuple[str, int], int] = {}
        self._voices: dict[int, Any] = {}
        NotificationCenter().add_observer(self)  # type: ignore[arg-type]

    def handle_notification(self, notification: Any) -> None:
        name, data = notification.name, notification.data
        if name == "SIPApplicationWillStart":
            settings = SIPSimpleSettings()
            settings.sip.transport_list = ["udp"]
            settings.rtp.audio_codec_list = [CODEC]
            settings.audio.input_device = settings.audio.output_device = None
            settings.save()
        elif name == "SIPSessionNewIncoming":
            notification.sender.accept(list(data.streams))
        elif name == "MediaStreamDidStart" and self.tones:
            self._voices[id(notification.sender)] = say(notification.sender, TONE)
        with self._changed:
            for key in ((name, 0), (name, id(notification.sender))):
                self._seen[key] = self._seen.get(key, 0) + 1
            self._changed.notify_all()

    def wait(self, name: str, sender: object = None, count: int = 1) -> None:
        key = (name, id(sender) if sender is not None else 0)
        with self._changed:
            if not self._changed.wait_for(lambda: self._seen.get(key, 0) >= count, TIMEOUT):
                raise SystemExit(f"{name} did not come")

    def start(self) -> int:
        """Returns the port of SIP."""
        SIPApplication().start(MemoryStorage())
        self.wait("SIPApplicationDidStart")
        self.account = Account("alice@127.0.0.1")
        self.account.registration.enabled = False
        self.account.rtp.srtp_encryption = "disabled"
        self.account.enabled = True
        self.account.save()
        port: int = Engine().local_address("udp", ADDRESS)[1]
        return port

    def stop(self) -> None:
        SIPApplication().stop()
        self.wait("SIPApplicationDidEnd")

    def call(self, port: int) -> tuple[Any, Any, float]:
        """A session that has started, its stream, and the seconds that it took."""
        session, stream = Session(self.account), AudioStream(self.account)
        since = time.perf_counter()
        to_header = ToHeader(SIPURI(ADDRESS, user="bob", port=port))
        session.connect(to_header, [Route(ADDRESS, port, "udp")], [stream])
        self.wait("SIPSessionDidStart", session)
        return session, stream, time.perf_counter() - since

    def end(self, session: Any) -> None:
        session.end()
        self.wait("SIPSessionDidEnd", session)

    def engines(self) -> list[int]:
        """The processes of the audio engine."""
        return [process.pid for process in AudioEngines().engine.processes]  # type: ignore[attr-defined]

    def cpu(self) -> float:
        """Seconds of CPU time that this process and its engines have had."""
        return sum(_cpu(pid) for pid in (os.getpid(), *self.engines()))


def say(stream: Any, frequency: float) -> Any:
    """A port that says a tone in the bridge of a stream, for as long as it is kept."""
    audio, position = tone(frequency, 60.0, RATE), [0]

    def next_frame(count: int) -> Any:
        begin = position[0] % (len(audio) - count)
        position[0] += count
        return audio[begin : begin + count]

    port = CallbackPort(stream.mixer, get_audio=next_frame, sample_rate=RATE)
    stream.bridge.add(port)
    return port


class Ear:
    """Listens in the bridge of a stream: `glitches` are the frames in which the tone is not whole."""

    def __init__(self, stream: Any) -> None:
        self.frames: list[Any] = []
        self._port = CallbackPort(stream.mixer, on_audio=lambda samples: self.frames.append(samples.copy()))
        stream.bridge.add(self._port)

    @property
    def glitches(self) -> int:
        samples = np.concatenate(self.frames)
        windows = samples[: len(samples) // WINDOW * WINDOW].reshape(-1, WINDOW)
        return sum(tone_strength(window, TONE, RATE) < 0.9 for window in windows)


def statistics(stream: Any) -> Any:
    got: list[Any] = []
    done = threading.Event()

    def ask() -> None:
        stream.get_statistics().addBoth(lambda result: (got.append(result), done.set()))

    call_in_sipsimple_thread(ask)
    if not done.wait(TIMEOUT):
        raise SystemExit("there are no statistics")
    return got[0]


def _cpu(pid: int) -> float:
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def main() -> None:
    peer = Peer()
    print(peer.start(), flush=True)
    sys.stdin.read()
    peer.stop()


if __name__ == "__main__":
    main()
