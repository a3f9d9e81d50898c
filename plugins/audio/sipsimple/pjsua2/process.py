"""A process of the pool: what is asked of it, and what it tells."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable
from itertools import count
from typing import TYPE_CHECKING, Any

from twisted.internet.defer import Deferred

from sipsimple.pjsua2.channel import Channel
from sipsimple.streams.rtp.engine import EngineError

if TYPE_CHECKING:
    from sipsimple.pjsua2.engine import PJSUA2Stream
    from sipsimple.realm import Realm

__all__ = ["MAX_STREAMS", "EngineProcess"]

log = logging.getLogger("sipsimple.audio")

MAX_STREAMS = 4  # compiled into pjsua2
REQUEST_TIMEOUT = 20.0  # seconds; a STUN server that does not answer takes 8


class EngineProcess:
    """One child. All methods are called in the reactor's thread; `died` is called there too, once, and `freed` when
    a stream that was closed is gone."""

    def __init__(
        self, realm: Realm, rate: int, died: Callable[[EngineProcess, str], None], freed: Callable[[], None]
    ) -> None:
        self.streams: dict[str, PJSUA2Stream] = {}
        self.leaving: set[str] = set()  # closed by us, and not yet by the child: their slots are taken
        self.ready = self.stopping = False
        self._realm = realm
        self._died = died
        self._freed = freed
        self._ids = count(1)
        self._requests: dict[int, tuple[Deferred[Any], Any]] = {}
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_STREAM)
        command = [sys.executable, "-P", "-m", "sipsimple.pjsua2.child", str(theirs.fileno()), str(rate)]
        try:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
                process_group=0,  # Ctrl-C is for the application, which may want to end its calls in order
            )
        except OSError:
            ours.close()
            raise
        finally:
            theirs.close()
        self._channel = Channel(ours)
        threading.Thread(target=self._read, name=f"audio engine {self.pid}", daemon=True).start()

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.pid}, {len(self.streams)} streams>"

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def free(self) -> int:
        """How many more streams it can have."""
        return 0 if self.stopping else MAX_STREAMS - len(self.streams) - len(self.leaving)

    def request(self, command: str, stream: str, *, descriptors: tuple[int, ...] = (), **fields: Any) -> Deferred[Any]:
        """Ask the child for something; fails with EngineError."""
        number = next(self._ids)
        waiting: Deferred[Any] = Deferred()
        timer = self._realm.reactor.callLater(REQUEST_TIMEOUT, self._timed_out, number, command)
        self._requests[number] = (waiting, timer)
        try:
            self._channel.send({"id": number, "command": command, "stream": stream, **fields}, descriptors)
        except OSError as error:
            self._settle(number, error=f"the audio engine is gone: {error}")
        return waiting

    def stop(self) -> None:
        """End the process; `died` is called as soon as it has."""
        self.stopping = True
        try:
            self._channel.socket.shutdown(socket.SHUT_WR)
        except OSError:
            self.kill()

    def kill(self) -> None:
        if self._process.poll() is None:
            self._process.kill()

    def _timed_out(self, number: int, command: str) -> None:
        self._settle(number, error=f"the audio engine did not answer in {REQUEST_TIMEOUT:g} seconds ({command})")

    def _settle(self, number: int, result: Any = None, error: str | None = None) -> None:
        if number not in self._requests:
            return
        waiting, timer = self._requests.pop(number)
        if timer.active():
            timer.cancel()
        if error is None:
            waiting.callback(result)
        else:
            waiting.errback(EngineError(error))

    # In a thread of its own

    def _read(self) -> None:
        try:
            while (messages := self._channel.receive()) is not None:
                for message in messages:
                    self._later(self._receive, message)
        except ValueError:
            log.error("The audio engine %d says what is not understood", self.pid)
            self.kill()
        try:
            code = self._process.wait(2.0)
        except subprocess.TimeoutExpired:
            self.kill()
            code = self._process.wait()
        self._channel.socket.close()
        for descriptor in self._channel.sockets:
            os.close(descriptor)
        self._later(self._ended, code)

    def _later(self, function: Callable[..., None], argument: Any) -> None:
        self._realm.reactor.callFromThread(self._realm.run, function, argument)

    # In the reactor's

    def _receive(self, message: dict[str, Any]) -> None:
        if "id" in message:
            self._settle(message["id"], message.get("result"), message.get("error"))
            return
        event = message.pop("event")
        if event == "ready":
            self.ready = True
            return
        key = message.pop("stream")
        if event == "gone":
            self.leaving.discard(key)
            self._freed()
        stream = self.streams.get(key)
        if stream is not None:
            stream.told(event, message)

    def _ended(self, code: int) -> None:
        how = f"ended with code {code}" if code >= 0 else f"was ended by signal {-code}"
        reason = f"the audio engine {how}"
        for number in list(self._requests):
            self._settle(number, error=reason)
        self._died(self, reason)
