"""For tests of what uses audio streams: an engine without media, which describes, answers and remembers."""

from __future__ import annotations

import base64
from collections import deque
from typing import Any

from twisted.internet.defer import Deferred, fail, succeed

from sipsimple.streams.rtp.description import AudioMedia, Codec, Crypto
from sipsimple.streams.rtp.engine import EngineError, MediaState, StreamListener, StreamOptions, StreamStatistics

__all__ = ["FakeEngine", "FakeStream"]

RATE = 16000
CODECS = (Codec(9, "G722", 8000), Codec(0, "PCMU", 8000), Codec(8, "PCMA", 8000), Codec(97, "speex", 16000))
EVENTS = (Codec(101, "telephone-event", 8000), Codec(102, "telephone-event", 16000))
SUITES = ("AES_CM_128_HMAC_SHA1_80", "AES_CM_128_HMAC_SHA1_32")


class FakeEngine:
    """A MediaEngine; `streams` are all that were opened. With `failure`, opening one fails."""

    name = "fake"
    codecs = ("G722/8000", "PCMU/8000", "PCMA/8000", "speex/16000")

    def __init__(self) -> None:
        self.streams: list[FakeStream] = []
        self.failure: str | None = None

    def start(self) -> None:
        pass

    def stop(self) -> Deferred[None]:
        return succeed(None)

    def open(self, options: StreamOptions, listener: StreamListener) -> FakeStream:
        if self.failure is not None:
            raise EngineError(self.failure)
        stream = FakeStream(options, listener, 40000 + 2 * len(self.streams))
        self.streams.append(stream)
        return stream


class FakeStream:
    """An EngineStream. `given` are the descriptions that it was given, `digits` what it was to send."""

    sample_rate = RATE

    def __init__(self, options: StreamOptions, listener: StreamListener, port: int) -> None:
        self.options = options
        self.listener = listener
        self.port = port
        self.given: list[AudioMedia] = []
        self.digits: list[str] = []
        self.received: deque[bytes] = deque()
        self.sent: list[bytes] = []
        self.closed = False
        self.refuses = False

    def _describe(self, remote: AudioMedia | None) -> str:
        offered = () if self.options.srtp == "disabled" else SUITES
        suites = offered if remote is None else tuple(line.suite for line in remote.cryptos)
        key = base64.b64encode(bytes([self.port % 256]) * 30).decode()
        return AudioMedia(
            address=self.options.address,
            port=self.port,
            rtcp_port=self.port + 1,
            secure=self.options.srtp == "mandatory" if remote is None else remote.secure,
            codecs=CODECS if remote is None else remote.codecs[:1],
            events=EVENTS if remote is None else remote.events[:1],
            cryptos=tuple(Crypto(tag, suite, key) for tag, suite in enumerate(suites, 3)),
            ice=self._ice if self.options.ice and (remote is None or remote.ice) else (),
        ).encode()

    @property
    def _ice(self) -> tuple[tuple[str, str], ...]:
        hosts = [(component, self.port + component - 1) for component in (1, 2)]
        lines = [f"H{n} {n} UDP {2130706432 - n} {self.options.address} {port} typ host" for n, port in hosts]
        return (
            ("ice-ufrag", f"{self.port:08x}"),
            ("ice-pwd", f"{self.port:024x}"),
            *(("candidate", line) for line in lines),
        )

    def offer(self) -> Deferred[str]:
        return fail(EngineError("refused")) if self.refuses else succeed(self._describe(None))

    def accept(self, description: str) -> Deferred[None]:
        return self.answer(description).addCallback(lambda _: None)

    def answer(self, description: str) -> Deferred[str]:
        if self.refuses:
            return fail(EngineError("refused"))
        remote = AudioMedia.decode(description)
        self.given.append(remote)
        codec = remote.codecs[0]
        state = MediaState(
            active=remote.direction != "inactive",
            codec=codec.name,
            sample_rate=codec.rate,
            local=(self.options.address, self.port),
            remote=(remote.address, remote.port),
            srtp=bool(remote.cryptos),
        )
        self.listener.media_changed(state)
        return succeed(self._describe(remote))

    def send_dtmf(self, digit: str) -> Deferred[None]:
        self.digits.append(digit)
        return succeed(None)

    def statistics(self) -> Deferred[StreamStatistics | None]:
        return succeed(StreamStatistics())

    def close(self) -> None:
        self.closed = True

    def read(self) -> bytes:
        return self.received.popleft() if self.received else b""

    def write(self, frame: Any) -> None:
        self.sent.append(frame)
