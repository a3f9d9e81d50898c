"""The audio of a call that is up: what is said and recorded, how loud it is, the digits, the devices."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from itertools import chain, count
from pathlib import Path
from typing import Any

from sipsimple.audio import AudioBridge, LevelMeter, WavePlayer
from sipsimple.audio.commands.options import CallOptions
from sipsimple.audio.defaults import SYSTEM_DEFAULT
from sipsimple.audio.levels import SILENCE
from sipsimple.audio.sound_system import SoundSystem
from sipsimple.session import IllegalStateError
from sipsimple.threading import call_in_sipsimple_thread

__all__ = ["RecordingFiles", "Talk"]


class Talk:
    """A call that is up.

    :param stream: its AudioStream, which has started
    :param options: what is to be said and recorded
    :param files: where to
    :param tell: called with what can't be done, in words; in any thread

    The methods may be called from any thread but the reactor's.
    """

    def __init__(self, stream: Any, options: CallOptions, files: RecordingFiles, tell: Callable[[str], object]) -> None:
        self.stream = stream
        self.mixer = stream.mixer
        self.sent = ""  # the digits
        self.loudest_said = self.loudest_heard = SILENCE  # dB
        self.statistics: Any = None
        self._tell = tell
        self._files = files
        self.player: WavePlayer | None = None
        # What is measured is in bridges of its own: who is in one with the stream alone hears the remote party alone
        self._said, self._heard = LevelMeter(self.mixer), LevelMeter(self.mixer)
        self._ears, self._mouths = AudioBridge(self.mixer), AudioBridge(self.mixer)
        self._ears.add(self._heard)
        self._ears.add(stream)
        self._mouths.add(self._said)
        self._mouths.add(stream.device)
        if options.play is not None:
            self.player = WavePlayer(self.mixer, options.play, loop_count=0 if options.loop else 1)
            self._mouths.add(self.player)
            stream.bridge.add(self.player)
            self.player.start()
        if files.chosen is not None:
            self.record()

    def close(self) -> None:
        """The call is over."""
        if self.player is not None:
            self.player.stop()

    # How loud it is

    def measure(self) -> tuple[float, float]:
        """How loud what we say and what we hear is now, in dB of full scale."""
        said, heard = self._said.level, self._heard.level
        self.loudest_said, self.loudest_heard = max(said, self.loudest_said), max(heard, self.loudest_heard)
        return said, heard

    def ask_statistics(self) -> None:
        """Have `statistics` brought up to date."""

        def take(statistics: Any) -> None:
            self.statistics = statistics or self.statistics

        def ask() -> None:
            self.stream.get_statistics().addCallbacks(take, lambda _: None)

        call_in_sipsimple_thread(ask)

    # What is done

    @property
    def muted(self) -> bool:
        """Whether the microphone is silent; what is played is not."""
        return bool(self.mixer.muted)

    @muted.setter
    def muted(self, muted: bool) -> None:
        self.mixer.muted = muted

    def send(self, digit: str) -> None:
        """Send a digit."""

        def send() -> None:
            with suppress(IllegalStateError):  # the call has just ended
                self.stream.send_dtmf(digit)

        self.sent += digit
        call_in_sipsimple_thread(send)

    def record(self) -> None:
        """Begin to record, or stop it. AudioStreamDid…RecordingAudio tells of it."""

        def start_or_stop() -> None:
            if self.stream.recording_filename is not None:
                self.stream.stop_recording()
                return
            try:
                self.stream.start_recording(self._files.next())
            except IllegalStateError:
                pass
            except (OSError, ValueError) as error:
                self._tell(f"nothing is recorded: {error}")

        call_in_sipsimple_thread(start_or_stop)

    # The devices

    def device_names(self) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """The microphones and the loudspeakers that there are, the default ones first."""
        devices = SoundSystem().driver.devices()
        return (SYSTEM_DEFAULT, *devices.inputs), (SYSTEM_DEFAULT, *devices.outputs)

    def use(self, microphone: str | None = None, loudspeaker: str | None = None) -> None:
        """Use other devices."""
        self.mixer.set_sound_devices(microphone or self.mixer.input_device, loudspeaker or self.mixer.output_device)


class RecordingFiles:
    """Where calls are recorded to, one after the other.

    :param chosen: a file, which the first call is recorded to and others beside with a number; or a folder; None leaves
        it to the stream
    """

    def __init__(self, chosen: Path | None) -> None:
        self.chosen = chosen
        self._used = False

    def next(self) -> str | None:
        """The path of the next one. Nothing is overwritten, but for a file that was chosen."""
        if self.chosen is None:
            return None
        if self.chosen.is_dir():
            return str(_first_free(self.chosen / "call.wav"))
        used, self._used = self._used, True
        return str(_first_free(self.chosen) if used else self.chosen)


def _first_free(path: Path) -> Path:
    numbers = (path.with_stem(f"{path.stem}-{number}") for number in count(2))
    return next(one for one in chain((path,), numbers) if not one.exists())
