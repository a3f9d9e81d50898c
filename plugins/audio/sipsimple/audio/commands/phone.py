"""`Phone`: one call at a time: what happens to it, the keys and the time limits, all in the thread that calls `run`."""

from __future__ import annotations

import signal
import threading
import time
from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from sipsimple.audio.commands.controls import Controls
from sipsimple.audio.commands.keys import Key, Keys, help_line, keyboard
from sipsimple.audio.commands.options import PAUSE, CallOptions
from sipsimple.audio.commands.outcome import CallExit
from sipsimple.audio.commands.report import Report
from sipsimple.audio.commands.screen import View
from sipsimple.audio.commands.talk import RecordingFiles, Talk
from sipsimple.cli import CommandError
from sipsimple.notification import NotificationDispatcher
from sipsimple.session import IllegalStateError

if TYPE_CHECKING:
    from sipsimple.audio.commands.ringing import Tones
    from sipsimple.cli.calling import Party

__all__ = ["EVENTS", "Phone", "check_engine"]

#: What the queue has to have: the beginnings of the notifications' names.
EVENTS = ("SIPSession", "AudioStream", "AudioPort", "WavePlayer", "WaveRecorder")

TICK = 0.1  # seconds between two looks at the meters
STATISTICS_EVERY = 1.0
ENDING_LIMIT = 8.0  # seconds after which a call that is being ended is left alone
DIGIT_TIME = 0.3  # seconds from one digit to the next: the engine takes 240 ms for each
PAUSE_TIME = 1.0
AFTER_PLAY = 0.5  # seconds, for what is still on its way to them


class Interrupted:
    """Ctrl-C, or a signal to terminate, as it comes out of the queue."""


def check_engine() -> None:
    """Raises CommandError where there is nothing that makes RTP."""
    from sipsimple.streams.rtp.engine import AudioEngines, EngineError

    try:
        AudioEngines().engine  # noqa: B018
    except EngineError as error:
        hint = "Calls need an audio engine: pip install 'sipsimple-audio[pjsua2]', on CPython 3.11 or 3.12."
        raise CommandError(str(error), hint=hint) from None


class Phone(NotificationDispatcher, ABC):
    """What `sipsimple call` and `sipsimple answer` do alike; `exit_code` is None until it is over.

    :param party: who calls, or is called
    """

    def __init__(self, party: Party, options: CallOptions, report: Report) -> None:
        self.party = party
        self.running = party.running
        self.options = options
        self.report = report
        self.exit_code: CallExit | None = None
        self.session: Any = None
        self.talk: Talk | None = None
        self.controls: Controls | None = None  # of the call that is up
        self.tones: Tones | None = None
        self._files = RecordingFiles(options.record)
        self._limits: dict[str, tuple[float, Callable[[], object]]] = {}  # monotonic time and what is done then
        self._digits: deque[str] = deque()
        self._since: float | None = None
        self._why: tuple[CallExit, str] | None = None  # why we end the call, where it is no ordinary end
        self._has_keys = False
        self._media = ""  # what was told of it

    # The loop

    def run(self) -> CallExit:
        """Until it is over."""
        queue = self.running.events
        with _signals(queue.put), keyboard(queue.put) as self._has_keys, self.report.shown():
            self.begin()
            while self.exit_code is None:
                event = self.running.next_event(self._patience())
                if event is not None:
                    self.take(event)
                self._expire()
                if self.talk is not None:
                    self.talk.measure()
                if self.report.is_live:
                    self.report.show(self.view())
                if self.running.ended.is_set() and self.exit_code is None:
                    self.report.tell("failed", f"the application has ended: {self.running.error or 'no reason known'}")
                    self.exit_code = CallExit.FAILED
        self._silence()
        if self.talk is not None:
            self.talk.close()
        return self.exit_code

    @abstractmethod
    def begin(self) -> None:
        """Call, or wait for calls."""

    def take(self, event: Any) -> None:
        """A notification, a key, or an interruption."""
        if isinstance(event, Key):
            self.press(event.name)
        elif isinstance(event, Interrupted):
            self.interrupt()
        else:
            self.handle_notification(event)

    def limit(self, name: str, seconds: float | None, action: Callable[[], object]) -> None:
        """Do something in so many seconds; None never. One of each name."""
        if seconds is None:
            self._limits.pop(name, None)
        else:
            self._limits[name] = time.monotonic() + seconds, action

    def _patience(self) -> float:
        now = time.monotonic()
        return max(0.0, min([TICK, *(when - now for when, _ in self._limits.values())]))

    def _expire(self) -> None:
        now = time.monotonic()
        for name, (when, action) in list(self._limits.items()):
            if when <= now and self._limits.get(name) == (when, action):
                del self._limits[name]
                action()

    # The end

    def interrupt(self) -> None:
        """Ctrl-C: end the call, and with it the command; the second time at once."""
        if "ending" in self._limits or self.session is None:
            self.exit_code = self.code_of_interruption()
        else:
            self.end_call()

    def code_of_interruption(self) -> CallExit:
        """What it means that there is nothing to wait for any more."""
        return CallExit.INTERRUPTED

    def end_call(self, code: CallExit | None = None, why: str = "") -> None:
        """Hang up, or give up; with a code because of something that went wrong."""
        if code is not None and self._why is None:
            self._why = code, why
        self.limit("ending", ENDING_LIMIT, lambda: self.call_over(CallExit.BROKEN_OFF))
        with suppress(IllegalStateError):
            self.session.end()

    @abstractmethod
    def call_over(self, code: CallExit) -> None:
        """The call is over, or never was."""

    def _forget_call(self) -> None:
        self._silence()
        if self.talk is not None:
            self.talk.close()
        self.session = self.talk = self.controls = self._since = self._why = None
        self._limits.clear()
        self._digits.clear()

    def _silence(self) -> None:
        if self.tones is not None:
            self.tones.stop()
            self.tones = None

    # What happens

    def handle_notification(self, notification: Any) -> None:
        """What concerns a call that is not ours any more is nothing to us."""
        stream = self.talk.stream if self.talk is not None else None
        if notification.name.startswith("SIPSession") and notification.name != "SIPSessionNewIncoming":
            if notification.sender is not self.session:
                return
        elif notification.name.startswith("AudioStream") and notification.sender is not stream:
            return
        super().handle_notification(notification)

    def _NH_SIPSessionDidStart(self, notification: Any) -> None:
        streams = [stream for stream in notification.data.streams if stream.type == "audio"]
        self._silence()
        self.limit("wait", None, lambda: None)
        self._since = time.monotonic()
        if not streams:
            self.end_call(CallExit.BROKEN_OFF, "there is no audio")
            return
        stream = streams[0]
        self._media = _media(stream)
        self.talk = Talk(stream, self.options, self._files, self.report.problem)
        self.controls = Controls(self.session, self.talk, self.report, self.interrupt)
        self.report.tell(
            "connected", f"connected to {self.peer()}: {self._media}", notification.data.timestamp,
            peer=self.peer(), codec=stream.codec, sample_rate=stream.sample_rate, srtp=stream.srtp_active,
        )  # fmt: skip
        self.limit("duration", self.options.duration, self.end_call)
        self.limit("statistics", 0, self._ask_statistics)
        if self.options.dtmf:
            self._digits.extend(self.options.dtmf)
            self.limit("digit", 0, self._send_next)

    def _NH_SIPSessionDidFail(self, notification: Any) -> None:
        data = notification.data
        code, why = self._why or (CallExit.of_failure(data.code), f"{data.code} {data.reason}")
        if self._why is None and data.originator == "local" and data.failure_reason == "user_request":
            code, why = CallExit.INTERRUPTED, "given up"
        elif self._why is None and data.failure_reason not in (data.reason, "user_request"):
            why = f"{why} ({data.failure_reason})"
        fields = {"code": data.code, "reason": data.reason, "failure_reason": data.failure_reason}
        self.report.tell("failed", f"no call with {self.peer()}: {why}", data.timestamp, peer=self.peer(), **fields)
        self.call_over(code)

    def _NH_SIPSessionDidEnd(self, notification: Any) -> None:
        data, talk = notification.data, self.talk
        code, why = self._why or (CallExit.OK, "")
        if not why and data.end_reason != "user_request":
            code, why = CallExit.BROKEN_OFF, data.end_reason
        seconds = 0.0 if self._since is None else time.monotonic() - self._since
        fields: dict[str, Any] = {"by": data.originator, "reason": data.end_reason, "seconds": round(seconds, 1)}
        if talk is not None:
            fields.update(
                loudest_said=round(talk.loudest_said, 1),
                loudest_heard=round(talk.loudest_heard, 1),
                **_quality_fields(talk.statistics),
            )
        by = "you" if data.originator == "local" else "they"
        text = f"the call with {self.peer()} is over, {by} ended it" + (f": {why}" if why else "")
        self.report.tell("ended", text, data.timestamp, peer=self.peer(), **fields)
        self.call_over(code)

    def _NH_SIPSessionGotProposal(self, notification: Any) -> None:
        if notification.data.originator == "remote":
            with suppress(IllegalStateError):
                self.session.reject_proposal(488)

    def _NH_SIPSessionTransferNewIncoming(self, notification: Any) -> None:
        self.report.problem("they want to transfer the call, which is refused")
        with suppress(IllegalStateError):
            self.session.reject_transfer(603)

    def _NH_AudioStreamGotDTMF(self, notification: Any) -> None:
        digit = notification.data.digit
        self.report.tell("dtmf", f"they sent the digit {digit}", notification.data.timestamp, digit=digit)

    def _NH_AudioStreamDidChangeHoldState(self, notification: Any) -> None:
        data = notification.data
        who = "you" if data.originator == "local" else "they"
        text = f"{who} put the call on hold" if data.on_hold else f"{who} took the call off hold"
        self.report.tell("hold", text, data.timestamp, by=data.originator, on_hold=data.on_hold)

    def _NH_AudioStreamDidStartRecordingAudio(self, notification: Any) -> None:
        name = notification.data.filename
        self.report.tell("recording", f"recording to {name}", notification.data.timestamp, filename=name)

    def _NH_AudioStreamDidStopRecordingAudio(self, notification: Any) -> None:
        name = notification.data.filename
        self.report.tell("recorded", f"recorded in {name}", notification.data.timestamp, filename=name)

    def _NH_AudioStreamDidChangeRTPParameters(self, notification: Any) -> None:
        stream = notification.sender
        if _media(stream) == self._media:
            return  # an address or a port
        self._media = _media(stream)
        self.report.tell(
            "media", f"now {self._media}", notification.data.timestamp,
            codec=stream.codec, sample_rate=stream.sample_rate, srtp=stream.srtp_active,
        )  # fmt: skip

    def _NH_AudioStreamDidTimeout(self, notification: Any) -> None:
        self.end_call(CallExit.BROKEN_OFF, "nothing came from them for too long")

    def _NH_AudioPortDidChangeSlots(self, notification: Any) -> None:
        # early media: what they let us hear while it rings takes the place of our tone
        if getattr(notification.sender, "session", None) is self.session and self.session is not None:
            self._silence()

    def _NH_WavePlayerDidEnd(self, notification: Any) -> None:
        if self.talk is not None and notification.sender is self.talk.player:
            self.report.tell("played", f"{self.options.play} was said", filename=str(self.options.play))
            if self.options.end_after_play:
                self.limit("played", AFTER_PLAY, self.end_call)

    def _NH_WavePlayerDidFail(self, notification: Any) -> None:
        if self.talk is not None and notification.sender is self.talk.player:
            text = f"nothing is said: {notification.data.error}"
            self.report.problem(text)
            if self.options.end_after_play:
                self.end_call(CallExit.BROKEN_OFF, text)

    def _NH_WaveRecorderDidFail(self, notification: Any) -> None:
        text = f"recording has ended: {notification.data.error}"
        self.report.problem(text)

    # The keys

    def keys(self) -> Keys:
        """What keys do now."""
        return {"q": ("end", self.interrupt)} if self.controls is None else self.controls.keys

    def press(self, key: str) -> None:
        """A key was pressed."""
        if self.controls is not None and self.controls.press(key):
            return
        if key in self.keys():
            self.keys()[key][1]()

    # Digits, one after the other, and statistics

    def _send_next(self) -> None:
        if self.talk is None or not self._digits:
            return
        digit = self._digits.popleft()
        if digit != PAUSE:
            self.talk.send(digit)
        self.limit("digit", PAUSE_TIME if digit == PAUSE else DIGIT_TIME, self._send_next)

    def _ask_statistics(self) -> None:
        if self.talk is not None:
            self.talk.ask_statistics()
            self.limit("statistics", STATISTICS_EVERY, self._ask_statistics)

    # What is shown

    @abstractmethod
    def peer(self) -> str:
        """Who is called, or calls."""

    @abstractmethod
    def state(self) -> str:
        """In words, where there is no call that is up."""

    def view(self) -> View:
        """How things are."""
        talk = self.talk
        keys = help_line(self.keys(), talk is not None) if self._has_keys else ""
        if talk is None or self.controls is None:
            return View(self.state(), keys=keys)
        stream, mixer = talk.stream, talk.mixer
        said, heard = talk.measure()
        marks = ["on hold by you"] * stream.on_hold_by_local + ["on hold by them"] * stream.on_hold_by_remote
        if stream.recording_filename:
            marks.append("recording")
        media = ", ".join(part for part in (_media(stream), _quality(talk.statistics)) if part)
        return View(
            title=self.peer(),
            since=self._since,
            said=said,
            heard=heard,
            marks=tuple(marks),
            muted=talk.muted,
            media=media + (f", digits sent: {talk.sent}" if talk.sent else ""),
            microphone=mixer.real_input_device,
            loudspeaker=mixer.real_output_device,
            menu=self.controls.menu_lines,
            keys="choose, or another key for none" if self.controls.menu else keys,
        )


def _media(stream: Any) -> str:
    if stream.codec is None:
        return "no audio yet"
    return f"{stream.codec} {stream.sample_rate / 1000:g} kHz, {'encrypted' if stream.srtp_active else 'not encrypted'}"


def _quality(statistics: Any) -> str:
    if statistics is None or not statistics.packets_received:
        return ""
    return f"loss {statistics.loss:.1%}, jitter {1000 * statistics.jitter:.0f} ms, MOS {statistics.mos:.1f}"


def _quality_fields(statistics: Any) -> dict[str, Any]:
    if statistics is None or not statistics.packets_received:
        return {}
    received, lost = statistics.packets_received, statistics.packets_lost
    return {"packets_received": received, "packets_lost": lost, "mos": round(statistics.mos, 2)}


@contextmanager
def _signals(put: Callable[[Interrupted], object]) -> Iterator[None]:
    """Inside, Ctrl-C and a signal to terminate come out of the queue, so that nothing is left half done."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    numbers = [number for number in (signal.SIGINT, signal.SIGTERM) if signal.getsignal(number) is not signal.SIG_IGN]
    before = {number: signal.signal(number, lambda *_: put(Interrupted())) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
