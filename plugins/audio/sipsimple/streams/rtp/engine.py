"""What an audio engine is: it makes RTP of frames of PCM, and frames of RTP, with the descriptions that go with it.

Engines are plugins, found by the hook `sipsimple_audio_engines`. A stream has one of an engine's streams, which has a
description in SDP of one media line; signalling, mixing and devices are none of its business.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import Any, Protocol

from twisted.internet.defer import Deferred

from sipsimple.audio.clock import runs_in_real_time
from sipsimple.realm import Singleton, current_realm

__all__ = [
    "AudioEngines",
    "Candidate",
    "EngineError",
    "EngineStream",
    "MediaEngine",
    "MediaState",
    "StreamListener",
    "StreamOptions",
    "StreamStatistics",
    "TURNServer",
]

log = logging.getLogger("sipsimple.audio")


class EngineError(Exception):
    """There is no engine, or it can't do what was asked of it."""


@dataclass(frozen=True, slots=True)
class TURNServer:
    """A TURN server (RFC 8656): `address` is host:port, `transport` udp or tcp."""

    address: str
    username: str = ""
    password: str = ""
    transport: str = "udp"

    def __repr__(self) -> str:
        return f"TURNServer({self.address!r})"


@dataclass(frozen=True, slots=True)
class StreamOptions:
    """How a stream is to be described: the local address, the range of ports, `disabled`, `optional` or `mandatory`
    SRTP, whether with ICE, STUN servers (host:port), a TURN server, whether no address but the relayed one is to be
    used, and after how many seconds without anything received, and after how many more, `timed_out` is called
    (0: never)."""

    address: str
    ports: tuple[int, int] = (50000, 50500)
    srtp: str = "disabled"
    ice: bool = False
    stun_servers: tuple[str, ...] = ()
    turn_server: TURNServer | None = None
    relay_only: bool = False
    timeout: float = 30.0


@dataclass(frozen=True, slots=True)
class Candidate:
    """An ICE candidate that was selected; `type` is host, srflx, prflx or relay (RFC 8445)."""

    address: str
    port: int
    type: str


@dataclass(frozen=True, slots=True)
class MediaState:
    """How the media of a stream goes. `ice` is empty without ICE, else what the engine says of its state."""

    active: bool
    codec: str | None = None
    sample_rate: int | None = None
    local: tuple[str, int] | None = None
    remote: tuple[str, int] | None = None
    received_from: tuple[str, int] | None = None
    srtp: bool = False
    ice: str = ""
    local_candidate: Candidate | None = None
    remote_candidate: Candidate | None = None


@dataclass(frozen=True, slots=True)
class StreamStatistics:
    """What RTCP counts (RFC 3550 6.4): times in seconds, `round_trip` None before it was measured."""

    packets_received: int = 0
    packets_lost: int = 0
    octets_received: int = 0
    jitter: float = 0.0
    packets_sent: int = 0
    octets_sent: int = 0
    remote_packets_lost: int = 0
    remote_jitter: float = 0.0
    round_trip: float | None = None
    buffer_delay: float = 0.0

    @property
    def loss(self) -> float:
        """The part of the packets to us that was lost, from 0 to 1."""
        expected = self.packets_received + self.packets_lost
        return self.packets_lost / expected if expected else 0.0

    @property
    def mos(self) -> float:
        """An estimate of how the remote party sounds, from 1 (bad) to 4.5 (good): the E-model of ITU-T G.107, with the
        effects of delay and loss only, for a codec with loss concealment (Ie = 0, Bpl = 10)."""
        delay = 1000 * ((self.round_trip or 0.0) / 2 + self.buffer_delay + 2 * self.jitter)
        rating = 93.2 - 0.024 * delay - (0.11 * (delay - 177.3) if delay > 177.3 else 0.0)
        percent = 100 * self.loss
        rating = max(0.0, min(100.0, rating - 95 * percent / (percent + 10)))
        return max(1.0, 1 + 0.035 * rating + rating * (rating - 60) * (100 - rating) * 7e-6)


class StreamListener(Protocol):
    """Who is told of an engine's stream, in the reactor's thread; of nothing after `failed` or `close`."""

    def media_changed(self, state: MediaState) -> None: ...

    def dtmf_received(self, digit: str) -> None: ...

    def timed_out(self, again: bool) -> None:
        """Nothing was received for the time; `again`: nor was it before, since this was called last."""

    def failed(self, reason: str) -> None: ...


class EngineStream(Protocol):
    """A stream of an engine. All but `read` and `write` is called in the reactor's thread; the Deferreds fail with
    EngineError. It offers once, or answers once; after that `answer` takes each further description of the remote
    party, whoever proposed it."""

    @property
    def sample_rate(self) -> int:
        """Of the frames, in Hz."""

    def offer(self) -> Deferred[str]:
        """A description to offer."""

    def accept(self, description: str) -> Deferred[None]:
        """The answer to it."""

    def answer(self, description: str) -> Deferred[str]:
        """Take what the remote party describes, and describe this end."""

    def send_dtmf(self, digit: str) -> Deferred[None]: ...

    def statistics(self) -> Deferred[StreamStatistics | None]: ...

    def close(self) -> None: ...

    def read(self) -> bytes:
        """A frame of 20 ms, 16-bit PCM, that was received; empty if there is none. Does not block."""

    def write(self, frame: bytes) -> None:
        """Send a frame of 20 ms. Does not block."""


class MediaEngine(Protocol):
    """An engine; `codecs` are the names of what it has, as in a=rtpmap, the best first."""

    name: str
    codecs: tuple[str, ...]

    def start(self) -> None: ...

    def stop(self) -> Deferred[None]: ...

    def open(self, options: StreamOptions, listener: StreamListener) -> EngineStream: ...


class AudioEngines(metaclass=Singleton):
    """The engine that the streams of a realm use: the first of those that plugins bring that works here.

    An engine can be given with `AudioEngines().engine = ...`.
    """

    def __init__(self) -> None:
        self._engine: Any = None

    @property
    def engine(self) -> MediaEngine:
        """Raises EngineError, which says why, where there is none."""
        if self._engine is None:
            self._engine = self._find()
        engine: MediaEngine = self._engine
        return engine

    @engine.setter
    def engine(self, engine: MediaEngine | None) -> None:
        self._engine = engine

    @property
    def has_engine(self) -> bool:
        """Whether an engine was asked for and found."""
        return self._engine is not None

    def _find(self) -> MediaEngine:
        from sipsimple.plugins import PluginManager

        reasons = []
        manager = PluginManager()
        manager.load()
        for _, engines in manager.call_each("sipsimple_audio_engines"):
            for name, make in engines.items():
                try:
                    engine: MediaEngine = make()
                    return engine
                except EngineError as error:
                    reasons.append(f"{name}: {error}")
        raise EngineError("there is no audio engine: " + ("; ".join(reasons) or "no plugin brings one"))


class EngineService:
    """Has an engine ready while the application runs, where there is one; not in virtual time, where nobody calls."""

    def start(self) -> None:
        if not runs_in_real_time(current_realm()):
            return
        try:
            AudioEngines().engine.start()
        except EngineError as error:
            log.warning("Calls will have no audio: %s", error)

    def stop(self) -> Deferred[None] | None:
        return AudioEngines().engine.stop() if AudioEngines().has_engine else None
