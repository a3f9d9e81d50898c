"""`WavePlayer`: plays a .wav file to those that it is in a bridge with (AB-023 to AB-035)."""

from __future__ import annotations

import os
import threading
import weakref
from typing import TYPE_CHECKING

from sipsimple.audio.background import in_background
from sipsimple.audio.playback import Playback
from sipsimple.audio.port import AudioPort
from sipsimple.audio.wave_reader import WaveFileError
from sipsimple.result import Result
from sipsimple.threading import call_in_sipsimple_thread

if TYPE_CHECKING:
    from sipsimple.audio.mixer import AudioMixer

__all__ = ["WavePlayer"]


class WavePlayer(AudioPort):
    """Plays a .wav file; it can be started and stopped any number of times.

    :param mixer: the AudioMixer that it is connected to
    :param filename: the full path of the file
    :param volume: in percent
    :param loop_count: how often it is played, 0 for ever
    :param pause_time: seconds between two plays
    :param initial_play: False has it wait for `pause_time` before the first play too

    These are attributes too, not to be changed while it is active. It plays whether somebody listens or not, and stops
    when nobody refers to it any more (AB-018). All methods may be called from any thread.

    Notifications: `WavePlayerDidStart`, `WavePlayerDidEnd`, `WavePlayerDidFail`, `AudioPortDidChangeSlots`.
    """

    def __init__(
        self,
        mixer: AudioMixer,
        filename: str | os.PathLike[str],
        volume: int = 100,
        loop_count: int = 1,
        pause_time: float = 0,
        initial_play: bool = True,
    ) -> None:
        super().__init__(mixer)
        for name, value in (("volume", volume), ("loop_count", loop_count), ("pause_time", pause_time)):
            if value < 0:
                raise ValueError(f"{name} is {value}, which is less than 0")
        self.filename = os.fspath(filename)
        self.volume = volume
        self.loop_count = loop_count
        self.pause_time = pause_time
        self.initial_play = initial_play
        self._lock = threading.Lock()
        self._run: _Run | None = None

    @property
    def is_active(self) -> bool:
        """Whether it plays, or pauses between two plays (AB-032)."""
        return self._run is not None

    def start(self) -> None:
        """Start playing; without effect while it is active. `WavePlayerDidStart` or `WavePlayerDidFail` follows."""
        self._start(None)

    def play(self) -> Result[None]:
        """Start playing, and return what tells of the end: await it, or call `wait()`, or add callbacks (AB-031).

        It fails with the WaveFileError that `WavePlayerDidFail` has. While the player is active already, it tells of
        the end of what is being played. The player is kept alive until then.
        """
        result: Result[None] = Result()
        self._start(result)
        return result

    def stop(self) -> None:
        """Stop at once; without effect if it is not active. `WavePlayerDidEnd` follows."""
        run = self._take(None)
        if run is not None:
            self._finish(run, None)

    def _start(self, result: Result[None] | None) -> None:
        with self._lock:
            run = self._run
            started = run is None
            if run is None:
                run = self._run = _Run(self)
            if result is not None:
                run.results.append(result)
                run.kept_alive = self
        if started:
            in_background(self._realm, run.open)

    def _take(self, run: _Run | None) -> _Run | None:
        """End the active run, if it is `run` or that is None. Returns it."""
        with self._lock:
            if run is not None and self._run is not run:
                return None
            run, self._run = self._run, None
            return run

    def _opened(self, run: _Run) -> None:
        if self._run is not run:
            return
        try:
            run.slot = self.mixer.add_slot(run.playback, volume=self.volume)
        except ValueError as error:
            self._over(run, WaveFileError(self.filename, str(error)))
            return
        self._change_slots(producer=run.slot)
        run.playback.begin()
        if self._run is not run:  # stopped meanwhile
            run.close()
            if self._run is None:
                self._change_slots(producer=None)

    def _over(self, run: _Run, error: WaveFileError | None) -> None:
        if self._take(run) is not None:
            self._finish(run, error)

    def _finish(self, run: _Run, error: WaveFileError | None) -> None:
        run.close()
        self._change_slots(producer=None)
        if error is None:
            self._post("WavePlayerDidEnd")
        else:
            self._post("WavePlayerDidFail", error=error)
        self._realm.run(call_in_sipsimple_thread, run.settle, error)


class _Run:
    """One run of a player, which it keeps alive only while somebody waits for its end."""

    def __init__(self, player: WavePlayer) -> None:
        self.results: list[Result[None]] = []
        self.kept_alive: WavePlayer | None = None
        self.slot: int | None = None
        self._player = weakref.ref(player)
        self._realm = player._realm
        self._mixer = player.mixer
        self.playback = Playback(
            player._realm,
            player.filename,
            player.mixer.sample_rate,
            plays=player.loop_count,
            pause=player.pause_time,
            pause_first=not player.initial_play,
            started=self._started,
            ended=self._ended,
        )
        weakref.finalize(player, self._mixer.clean_up_later, self.close).atexit = False

    def open(self) -> None:
        """Open the file; in the thread pool."""
        try:
            self.playback.open()
        except WaveFileError as error:
            self._ended(error)
            return
        self._tell("_opened")

    def close(self) -> None:
        """Play no more."""
        self.playback.close()
        if self.slot is not None:
            self._mixer.drop_slot(self.slot)

    def settle(self, error: WaveFileError | None) -> None:
        """Tell those that wait, in the reactor's thread."""
        self.kept_alive = None
        results, self.results = self.results, []
        for result in results:
            if error is None:
                result.succeed(None)
            else:
                result.fail(error)

    def _started(self) -> None:
        player = self._player()
        if player is not None:
            player._post("WavePlayerDidStart")

    def _ended(self, error: WaveFileError | None) -> None:
        self._tell("_over", error)

    def _tell(self, method: str, *arguments: object) -> None:
        player = self._player()
        if player is None:
            self.close()
        else:
            self._realm.run(call_in_sipsimple_thread, getattr(player, method), self, *arguments)
