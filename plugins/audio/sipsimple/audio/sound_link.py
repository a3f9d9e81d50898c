"""The mixer's end of the sound devices: opens them when they are needed, and sees to it that they work.

Each direction has a buffer between the device's clock and the mixer's. A device is opened and closed in a thread of
its own, as that can take long. One that can't be opened, or gives no sign of life any more because it was unplugged, is
replaced by the default one, and by silence where there is none; nothing fails.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

import numpy as np

from sipsimple.audio.clock import runs_in_real_time
from sipsimple.audio.defaults import SYSTEM_DEFAULT
from sipsimple.audio.echo import EchoCancellation
from sipsimple.audio.frames import FRAMES_A_SECOND, Samples
from sipsimple.audio.ring_buffer import RingBuffer
from sipsimple.audio.sound_system import OpenDevice, SoundDeviceError, SoundSystem
from sipsimple.realm import current_realm

__all__ = ["SoundLink"]

log = logging.getLogger("sipsimple.audio")

LINGER = 3 * FRAMES_A_SECOND  # frames that a device stays open when it is not needed any more
SILENCE_LIMIT = 2 * FRAMES_A_SECOND  # frames without a sign of life after which a device is taken for dead
PATIENCE = 10 * FRAMES_A_SECOND  # frames until what failed is tried again


class _Direction:
    """One of the two: what is wanted of it, and the device that is open."""

    def __init__(self, link: SoundLink, what: str, wanted: str | None) -> None:
        self.what = what
        self.wanted = wanted
        self.needed = False
        self.device: OpenDevice | None = None
        self.ring = RingBuffer(link.sample_rate)
        self._link = link
        self._opened_for: str | None = None  # what was asked for when it was opened
        self._renew = False
        self._idle = self._quiet = self._calls = 0
        self._retry = 0  # frames until a failed attempt is repeated
        self._told: str | None = None  # the failure that is in the log already

    @property
    def sample_rate(self) -> int:
        """In Hz, the mixer's."""
        return self._link.sample_rate

    @property
    def target(self) -> str | None:
        """The device that should be open now."""
        return self.wanted if self.needed or self._idle < LINGER else None

    @property
    def is_open(self) -> bool:
        return self.device is not None

    def renew(self) -> None:
        """Close and open it at the next opportunity."""
        self._renew = True
        self._retry = 0

    def set_needed(self, needed: bool) -> None:
        if needed and not self.needed:
            self._retry = 0
        self.needed = needed

    def tick(self) -> bool:
        """Count a frame. Returns whether there is something to be opened or closed."""
        self._idle = 0 if self.needed else min(self._idle + 1, LINGER)
        self._retry = max(0, self._retry - 1)
        device = self.device
        if device is not None:
            self._quiet = self._quiet + 1 if device.calls == self._calls else 0
            self._calls = device.calls
            if self._quiet >= SILENCE_LIMIT:
                log.warning("The %s %s gives no sign of life", self.what, device.name)
                self._quiet = 0
                self._renew = True
        return self._retry == 0 and (self._renew or self._opened_for != self.target_if_needed())

    def target_if_needed(self) -> str | None:
        """As `target`, but nothing is opened only because it was needed a moment ago."""
        return self.target if self.needed or self.device is not None else None

    def update(self, sample_rate: int, open_device: Callable[[str], OpenDevice]) -> None:
        """Close and open what has to be. It may block."""
        target = self.target_if_needed()
        self._renew = False
        device, self.device = self.device, None
        if device is not None:
            device.close()
        self.ring = RingBuffer(sample_rate)
        self._opened_for = target
        if target is None:
            return
        failures: list[str] = []
        for name in dict.fromkeys((target, SYSTEM_DEFAULT)):
            try:
                self.device = open_device(name)
            except SoundDeviceError as error:
                failures.append(str(error))
            else:
                break
        self._calls = self._quiet = 0
        if failures:
            self._tell(failures)
            # Until it is there: by then the device may have been plugged in
            self._opened_for = target if self.device is not None else None
            self._retry = PATIENCE
        else:
            self._told = None

    def _tell(self, failures: list[str]) -> None:
        instead = "silence" if self.device is None else self.device.name
        text = f"No {self.what} as wanted, {instead} instead: {'; '.join(dict.fromkeys(failures))}"
        if text != self._told:
            self._told = text
            log.warning("%s", text)


class _Input(_Direction):
    """The microphone, a source of the mixer."""

    def __init__(self, link: SoundLink, wanted: str | None) -> None:
        super().__init__(link, "microphone", wanted)

    def produce(self, count: int) -> Samples | None:
        samples = self.ring.read(count) if self.device is not None else None
        return None if samples is None else self._link.without_echo(samples)


class _Output(_Direction):
    """The loudspeaker, a sink of the mixer."""

    def __init__(self, link: SoundLink, wanted: str | None) -> None:
        super().__init__(link, "loudspeaker", wanted)

    def consume(self, samples: Samples) -> None:
        self._link.last_played = samples
        if self.device is not None:
            self.ring.write(samples)


class SoundLink:
    """The microphone and the loudspeaker of a mixer.

    :param sample_rate: of the mixer, in Hz
    :param input_device: a name, `system_default`, or None for none; likewise `output_device`
    :param ec_tail_length: milliseconds of echo to cancel, 0 for none
    """

    def __init__(
        self, sample_rate: int, input_device: str | None, output_device: str | None, ec_tail_length: int
    ) -> None:
        self.sample_rate = sample_rate
        self.ec_tail_length = ec_tail_length
        self.input = _Input(self, input_device)
        self.output = _Output(self, output_device)
        self.changed: Callable[[str | None, str | None], None] = lambda input, output: None
        self.last_played: Samples | None = None
        self._realm = current_realm()
        self._echo: EchoCancellation | None = None
        self._updating = threading.Lock()

    @property
    def input_device(self) -> str | None:
        return self.input.wanted

    @property
    def output_device(self) -> str | None:
        return self.output.wanted

    @property
    def real_input_device(self) -> str | None:
        device = self.input.device
        return None if device is None else device.name

    @property
    def real_output_device(self) -> str | None:
        device = self.output.device
        return None if device is None else device.name

    def set_devices(self, input_device: str | None, output_device: str | None, ec_tail_length: int | None) -> None:
        """Want other devices; the next frame changes them."""
        self.input.wanted, self.output.wanted = input_device, output_device
        self.input.renew()
        self.output.renew()
        if ec_tail_length is not None:
            self.ec_tail_length = ec_tail_length
        self._echo = None

    def set_sample_rate(self, sample_rate: int) -> None:
        """The mixer mixes at another rate from now on."""
        self.sample_rate = sample_rate
        self._echo = None
        self.reopen()

    def reopen(self) -> None:
        """Close and open what is open, and try what failed again."""
        self.input.renew()
        self.output.renew()

    def set_needed(self, *, input: bool, output: bool) -> None:
        """Whether the mixer has something to record, and something to play."""
        self.input.set_needed(input)
        self.output.set_needed(output)

    @property
    def is_busy(self) -> bool:
        """Whether it has to be ticked: something is open or ought to be."""
        return any(end.needed or end.is_open or self._updating.locked() for end in (self.input, self.output))

    def tick(self) -> None:
        """A frame has passed."""
        due = [end.tick() for end in (self.input, self.output)]
        if any(due) and self._updating.acquire(blocking=False):
            if runs_in_real_time(self._realm):
                threading.Thread(
                    target=self._realm.run, args=(self._update, *due), name="sipsimple-sound", daemon=True
                ).start()
            else:
                self._update(*due)

    def _update(self, input_due: bool, output_due: bool) -> None:
        before = self.real_input_device, self.real_output_device
        driver, rate = SoundSystem().driver, self.sample_rate
        try:
            if input_due:
                self.input.update(rate, lambda name: driver.open_input(name, rate, self.input.ring.write))
            if output_due:
                self.output.update(rate, lambda name: driver.open_output(name, rate, self.output.ring.read))
        except Exception:
            log.exception("The sound devices could not be changed")
        finally:
            self._updating.release()
        after = self.real_input_device, self.real_output_device
        if after != before:
            self.changed(*after)

    def without_echo(self, samples: Samples) -> Samples:
        """What the microphone heard, without what the loudspeaker plays."""
        if not self.ec_tail_length or self.output.device is None:
            return samples
        if self._echo is None:
            self._echo = EchoCancellation(self.sample_rate)
        played = self.last_played if self.last_played is not None else np.zeros(len(samples), np.int16)
        self.last_played = None
        return self._echo.process(samples, played)

    def close(self) -> None:
        """Close the devices."""
        for end in (self.input, self.output):
            device, end.device = end.device, None
            if device is not None:
                device.close()
