"""For tests of audio engines: one whose streams are called from outside of its reactor; somebody who speaks RTP."""

from __future__ import annotations

import secrets
import select
import socket
import struct
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
from twisted.internet.defer import Deferred

from sipsimple.audio.frames import Samples
from sipsimple.audio.testing import tone_heard
from sipsimple.audio.tones import tone
from sipsimple.realm import Realm
from sipsimple.streams.rtp.description import AudioMedia
from sipsimple.streams.rtp.engine import MediaEngine, MediaState, StreamOptions

__all__ = ["EngineBench", "EngineListener", "RTPPeer", "assert_heard", "until"]

TIMEOUT = 20.0
RATE = 16000


class EngineListener:
    """What an engine tells of a stream."""

    def __init__(self) -> None:
        self.states: list[MediaState] = []
        self.digits: list[str] = []
        self.failures: list[str] = []
        self.timeouts = self.repeated = 0

    def media_changed(self, state: MediaState) -> None:
        self.states.append(state)

    def dtmf_received(self, digit: str) -> None:
        self.digits.append(digit)

    def timed_out(self, again: bool) -> None:
        self.timeouts += not again
        self.repeated += again

    def failed(self, reason: str) -> None:
        self.failures.append(reason)


class EngineBench:
    """An engine in a realm with a real reactor, which runs in a thread of its own.

    :param make_engine: called in it
    """

    def __init__(self, make_engine: Callable[[], MediaEngine]) -> None:
        from twisted.internet.selectreactor import SelectReactor

        self.realm = Realm("bench")
        self.reactor: Any = SelectReactor()
        self.realm.reactor = self.reactor
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        self.engine: Any = self.do(make_engine)
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

    def open(self, address: str = "127.0.0.1", **options: Any) -> tuple[Any, EngineListener]:
        """A stream, and what is told of it."""
        listener = EngineListener()
        return self.do(self.engine.open, StreamOptions(address, **options), listener), listener

    def connect(self, codec: str, **options: Any) -> tuple[Any, EngineListener, Any, EngineListener]:
        """Two streams that have agreed on a codec, with what is told of each."""
        first, told_first = self.open(**options)
        second, told_second = self.open(**options)
        offer = AudioMedia.decode(self.do(first.offer)).restrict((codec,))
        answer = self.do(second.answer, offer.encode())
        self.do(first.accept, answer)
        return first, told_first, second, told_second

    def close(self) -> None:
        self.do(self.engine.stop)
        self.reactor.callFromThread(self.reactor.stop)
        self._thread.join(TIMEOUT)


def until(condition: Callable[[], object]) -> None:
    """Wait for what nothing tells; fails after 20 seconds."""
    end = time.monotonic() + TIMEOUT
    while not condition():
        assert time.monotonic() < end, "it did not happen"
        threading.Event().wait(0.01)


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


class RTPPeer:
    """Says a tone in PCMU, over a socket of this machine, to whoever sends something to it; a thread of its own.

    :param frequency: of the tone, in Hz
    :param address: to be bound to
    :ivar quiet: whether it says nothing at the moment
    :ivar received: the packets that came
    :ivar source: who has sent to it last, whom it speaks to
    """

    def __init__(self, frequency: float, address: str = "127.0.0.1") -> None:
        self.quiet = False
        self.received = 0
        self.source: tuple[str, int] | None = None
        self._frames = [to_mu_law(frame) for frame in tone(frequency, 1.0, 8000).reshape(-1, 160)]
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind((address, 0))
        self.port: int = self._socket.getsockname()[1]
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def send(self, data: bytes) -> None:
        """Send a datagram to who has sent to it last."""
        if self.source is not None:
            with suppress(OSError):
                self._socket.sendto(data, self.source)

    def _run(self) -> None:
        number, due, sender = 0, time.monotonic(), secrets.randbits(32)
        while not self._stopped.is_set():
            if select.select([self._socket], [], [], max(0.0, due - time.monotonic()))[0]:
                with suppress(OSError):
                    self.source = self._socket.recvfrom(4096)[1]
                    self.received += 1
                continue
            due += 0.02
            number += 1
            if not self.quiet:
                header = struct.pack("!BBHII", 0x80, 0, number & 0xFFFF, 160 * number, sender)
                self.send(header + self._frames[number % len(self._frames)])

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join()
        self._socket.close()


def to_mu_law(samples: Samples) -> bytes:
    """PCMU (ITU-T G.711)."""
    values = samples.astype(np.int32)
    sizes = np.minimum(np.abs(values), 32635) + 132
    exponents = np.log2(sizes).astype(np.int32) - 7
    octets = (exponents << 4) | ((sizes >> (exponents + 3)) & 15) | np.where(values < 0, 0x80, 0)
    encoded: bytes = (~octets & 0xFF).astype(np.uint8).tobytes()
    return encoded
