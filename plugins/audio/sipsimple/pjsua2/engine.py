"""The pool: processes of pjsua2, as many as the streams need, and one place that is always free."""

from __future__ import annotations

import logging
import re
import socket
from contextlib import suppress
from importlib.util import find_spec
from itertools import count
from typing import Any

from twisted.internet.defer import Deferred, succeed

from sipsimple.pjsua2.process import EngineProcess
from sipsimple.realm import current_realm
from sipsimple.streams.rtp.engine import (
    Candidate,
    EngineError,
    MediaState,
    StreamListener,
    StreamOptions,
    StreamStatistics,
)

__all__ = ["PJSUA2Engine"]

log = logging.getLogger("sipsimple.audio")

MAX_PROCESSES = 64
SAMPLE_RATE = 16000  # of the frames that cross to us; narrowband and speex/32000 are converted by pjsua2
FRAME_OCTETS = 2 * SAMPLE_RATE // 50
SPARE = 1  # processes that are kept when nobody uses them
CANDIDATE_TYPES = {"h": "host", "s": "srflx", "p": "prflx", "r": "relay"}


class PJSUA2Engine:
    """An engine (see sipsimple.streams.rtp.engine.MediaEngine) of pjsua2. One for each realm.

    Raises EngineError where pjsua2 is not installed.
    """

    name = "pjsua2"
    codecs = ("G722/8000", "PCMU/8000", "PCMA/8000", "GSM/8000", "speex/32000", "speex/16000", "speex/8000")

    def __init__(self) -> None:
        if find_spec("pjsua2") is None:
            raise EngineError("pjsua2 is not installed (pip install 'sipsimple-audio[pjsua2]'; there are wheels for "
                              "CPython 3.11 and 3.12)")  # fmt: skip
        if not hasattr(socket, "send_fds"):
            raise EngineError("the pjsua2 engine needs Unix sockets, which this system does not have")
        self._realm = current_realm()
        self._processes: list[EngineProcess] = []
        self._keys = count(1)
        self._stopped: Deferred[None] | None = None

    @property
    def processes(self) -> tuple[EngineProcess, ...]:
        return tuple(self._processes)

    def start(self) -> None:
        """Have a process ready, so that the first call need not wait for it."""
        self._stopped = None
        if not self._processes:
            self._start_process()

    def stop(self) -> Deferred[None]:
        """End all processes; fires when they have ended."""
        if not self._processes:
            return succeed(None)
        if self._stopped is None:
            self._stopped = Deferred()
            for process in self._processes:
                process.stop()
        return self._stopped

    def open(self, options: StreamOptions, listener: StreamListener) -> PJSUA2Stream:
        """A new stream. Raises EngineError when there can't be more, or no process can be started."""
        if self._stopped is not None:
            raise EngineError("the audio engine is being stopped")
        process = max(self._processes, key=lambda process: process.free, default=None)
        if process is None or not process.free:
            process = self._start_process()
        stream = PJSUA2Stream(process, f"s{next(self._keys)}", options, listener)
        if not any(process.free for process in self._processes) and len(self._processes) < MAX_PROCESSES:
            self._start_process()
        return stream

    def _start_process(self) -> EngineProcess:
        if len(self._processes) >= MAX_PROCESSES:
            raise EngineError(f"all {MAX_PROCESSES} audio engines are busy")
        try:
            process = EngineProcess(self._realm, SAMPLE_RATE, self._died, self._shrink)
        except OSError as error:
            raise EngineError(f"the audio engine can't be started: {error}") from error
        self._processes.append(process)
        return process

    def _shrink(self) -> None:
        """A stream is gone: end the processes that are idle, but for those to spare."""
        idle = [process for process in self._processes if process.free and not process.streams and not process.leaving]
        for process in idle[SPARE:]:
            process.stop()

    def _died(self, process: EngineProcess, reason: str) -> None:
        self._processes.remove(process)
        for stream in list(process.streams.values()):
            stream.lost(reason)
        if self._stopped is not None:
            if not self._processes:
                stopped, self._stopped = self._stopped, None
                stopped.callback(None)
        elif not process.stopping:
            log.error("%s", reason)
            if process.ready and not any(other.free for other in self._processes):
                self._start_process()


class PJSUA2Stream:
    """A stream of the engine: see sipsimple.streams.rtp.engine.EngineStream."""

    sample_rate = SAMPLE_RATE

    def __init__(self, process: EngineProcess, key: str, options: StreamOptions, listener: StreamListener) -> None:
        self.key = key
        self.process = process
        self._listener: StreamListener | None = listener
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.setblocking(False)
        process.streams[key] = self
        try:
            self._do("open", descriptors=(theirs.fileno(),), options=_encoded(options)).addErrback(self._not_opened)
        finally:
            theirs.close()

    def _do(self, command: str, **fields: Any) -> Deferred[Any]:
        return self.process.request(command, self.key, **fields)

    def _not_opened(self, failure: Any) -> None:
        self.lost(failure.getErrorMessage())

    def offer(self) -> Deferred[str]:
        return self._do("offer").addCallback(_description)

    def accept(self, description: str) -> Deferred[None]:
        return self._do("accept", sdp=description).addCallback(lambda _: None)

    def answer(self, description: str) -> Deferred[str]:
        return self._do("answer", sdp=description).addCallback(_description)

    def send_dtmf(self, digit: str) -> Deferred[None]:
        return self._do("dtmf", digit=digit).addCallback(lambda _: None)

    def statistics(self) -> Deferred[StreamStatistics | None]:
        return self._do("stats").addCallback(lambda fields: StreamStatistics(**fields) if fields else None)

    def close(self) -> None:
        if self._forget():
            self.process.leaving.add(self.key)
            self._do("close").addErrback(lambda failure: self.process.leaving.discard(self.key))

    def read(self) -> bytes:
        """A frame that was received; empty if there is none. For the thread of the clock."""
        try:
            return self._socket.recv(8192)
        except OSError:
            return b""

    def write(self, frame: bytes) -> None:
        """Send a frame. For the thread of the clock; a frame that the engine has no room for is lost."""
        with suppress(OSError):
            self._socket.send(frame)

    # What the process tells

    def told(self, event: str, fields: dict[str, Any]) -> None:
        listener = self._listener
        if listener is None:
            return
        if event == "media":
            listener.media_changed(_state(fields))
        elif event == "dtmf":
            listener.dtmf_received(fields["digit"])
        elif event == "timeout":
            listener.timed_out(fields["again"])
        elif event == "failed":
            self.lost(fields["reason"])

    def lost(self, reason: str) -> None:
        listener = self._listener
        if self._forget() and listener is not None:
            listener.failed(reason)

    def _forget(self) -> bool:
        if self._listener is None:
            return False
        self._listener = None
        self.process.streams.pop(self.key, None)
        self._socket.close()
        return True


def _encoded(options: StreamOptions) -> dict[str, Any]:
    return {
        "address": options.address,
        "ports": options.ports,
        "srtp": options.srtp,
        "ice": options.ice,
        "stun": options.stun_servers,
        "turn": options.turn_server and {
            "server": options.turn_server.address,
            "username": options.turn_server.username,
            "password": options.turn_server.password,
            "transport": options.turn_server.transport,
        },
        "relay_only": options.relay_only,
        "timeout": options.timeout,
    }  # fmt: skip


def _description(result: Any) -> str:
    return str(result["sdp"])


def _address(text: str | None) -> tuple[str, int] | None:
    found = re.fullmatch(r"(.*):(\d+)", text or "")
    return None if found is None or found[1] in ("", "0.0.0.0") else (found[1], int(found[2]))


def _state(fields: dict[str, Any]) -> MediaState:
    local = remote = None
    if fields.get("pair"):
        local_address, local_kind, remote_address, remote_kind = fields["pair"]
        local = _candidate(local_address, local_kind)
        remote = _candidate(remote_address, remote_kind)
    return MediaState(
        active=fields["active"],
        codec=fields.get("codec"),
        sample_rate=fields.get("rate"),
        local=_address(fields.get("local")),
        remote=_address(fields.get("remote")),
        received_from=_address(fields.get("received_from")),
        srtp=fields.get("srtp", False),
        ice=fields.get("ice", ""),
        local_candidate=local,
        remote_candidate=remote,
    )


def _candidate(address: str, kind: str) -> Candidate | None:
    found = _address(address)
    return found and Candidate(found[0], found[1], CANDIDATE_TYPES.get(kind, kind))
